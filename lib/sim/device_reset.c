/* SPDX-License-Identifier: MIT */
/* What a reset undoes, of the guest or by a bit in a register. */
#include "command.h"
#include "device.h"
#include "registers.h"

/* All that a reset undoes but the request under way. */
static void forget(struct trestle_device *dev)
{
    device_cancel_timers(dev);
    component_forget_messages(dev->facts.component);
    device_forget_transfers(dev);
    for (uint32_t line = 0; line < dev->model.irq_lines; line++)
        trestle_device_irq(dev, line, false);
    registers_reset(dev->banks, dev->facts.state, false);
    dev->facts.input_room = 0;
    dev->hindrance &= ~(unsigned)DEVICE_FAILED;
    if (dev->model.reset)
        dev->model.reset(dev);
}

void trestle_device_self_reset(struct trestle_device *dev)
{
    if (dev->depth > 0)
        forget(dev);
}

static void reset(struct trestle_device *dev, bool is_alone)
{
    activity_here(&dev->facts.sim->activity);
    if (dev->depth > 0)
        return;
    if (device_is_observed(dev))
        observe_reset(dev, is_alone);
    device_enter(dev, TRESTLE_CALLBACK_RESET);
    /* The model must not complete it any more, and cannot answer in its place. */
    struct trestle_request *canceled = device_give_up(dev);
    forget(dev);
    device_exit(dev);
    if (canceled && device_is_observed(dev))
        observe_answer(dev, canceled);
    if (canceled && canceled->done)
        canceled->done(canceled);
}

void trestle_device_reset(struct trestle_device *dev)
{
    reset(dev, false);
}

void trestle_device_reset_alone(struct trestle_device *dev)
{
    reset(dev, true);
}
