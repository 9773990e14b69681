/* SPDX-License-Identifier: MIT */
/* A model with as many interrupt lines as there can be: the number of one, written to 0, raises it,
 * and written to 4 lowers it. */
#include "trestle/device.h"

static int write_register(struct trestle_device *dev, struct trestle_request *request,
                          const struct trestle_access *access)
{
    (void)request;
    trestle_device_irq(dev, (uint32_t)access->data, access->offset == 0);
    return 0;
}

static const struct trestle_model model = {.size = sizeof(model),
                                           .name = "lines",
                                           .region_size = 16,
                                           .access_sizes = 4,
                                           .irq_lines = TRESTLE_IRQ_LINES_MAX,
                                           .write = write_register};
TRESTLE_MODEL_EXPORT(model);
