/* SPDX-License-Identifier: MIT */
/*
 * i2c-ocores: the I2C controller of OpenCores, as Linux's i2c-ocores drives it. It is the bus's
 * only master.
 *
 * Slaves are devices that are linked to its ports and speak trestle/i2c.h. A command takes the time
 * that its bits take on the bus, and longer where a slave's answer comes later. A START is answered
 * by every slave before it ends: one that never answers holds the bus, as a stuck wire would.
 *
 * Interrupt line 0 is high while STATUS.if and CTRL.ien are set.
 *
 * Parameters: clock (50MHz).
 */
#include "trestle/i2c.h"
#include "trestle/registers.h"

#define CTRL_ENABLE 0x80u
#define CTRL_IEN 0x40u
#define CMD_START 0x80u
#define CMD_STOP 0x40u
#define CMD_READ 0x20u
#define CMD_WRITE 0x10u
#define CMD_NACK 0x08u
#define CMD_IACK 0x01u
#define STATUS_NACK 0x80u
#define STATUS_BUSY 0x40u
#define STATUS_TIP 0x02u
#define STATUS_IF 0x01u
#define SLAVES 16

struct i2c {
    trestle_time clock;
    uint8_t prescale_low, prescale_high, ctrl, transmit, receive, status;
    uint8_t command;  /* the one under way */
    bool is_due;      /* its bits have passed */
    uint32_t awaited; /* slaves that have not answered it yet, a bit each */
    uint32_t chosen;  /* slaves that have acknowledged the last START */
};

static int i2c_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct i2c *i2c = trestle_device_state(dev);
    return trestle_params_period(params, "clock", 20 * TRESTLE_NS, &i2c->clock);
}

static void update(struct trestle_device *dev)
{
    const struct i2c *i2c = trestle_device_state(dev);
    trestle_irq_update(dev, 0, (i2c->status & STATUS_IF) && (i2c->ctrl & CTRL_IEN));
}

static uint32_t send(struct trestle_device *dev, uint32_t slaves, enum trestle_i2c_kind kind,
                     uint8_t datum)
{
    uint32_t reached = 0;
    for (uint32_t slave = 0; slave < SLAVES; slave++)
        if ((slaves >> slave & 1) && trestle_i2c_send(dev, slave, kind, datum) == 0)
            reached |= 1u << slave;
    return reached;
}

static void finish_if_done(struct trestle_device *dev)
{
    struct i2c *i2c = trestle_device_state(dev);
    if (!i2c->is_due || i2c->awaited)
        return;
    i2c->is_due = false;
    if (i2c->command & CMD_STOP) {
        (void)send(dev, i2c->chosen, TRESTLE_I2C_STOP, 0);
        i2c->chosen = 0;
        i2c->status &= (uint8_t)~STATUS_BUSY;
    }
    i2c->status = (uint8_t)((i2c->status & ~STATUS_TIP) | STATUS_IF);
    update(dev);
}

static void begin(struct trestle_device *dev)
{
    struct i2c *i2c = trestle_device_state(dev);
    uint32_t prescale = (uint32_t)i2c->prescale_high << 8 | i2c->prescale_low, bits = 0;
    i2c->status |= STATUS_TIP;
    if (i2c->command & CMD_START) {
        i2c->status |= STATUS_BUSY;
        i2c->chosen = 0;
        bits++;
    }
    if (i2c->command & (CMD_READ | CMD_WRITE))
        bits += 9;
    bits += (i2c->command & CMD_STOP) != 0;
    if (i2c->command & CMD_WRITE) {
        bool is_start = i2c->command & CMD_START;
        i2c->status |= STATUS_NACK; /* until one has acknowledged it */
        for (uint32_t slave = 0; is_start && slave < SLAVES; slave++)
            i2c->chosen |= (uint32_t)trestle_device_linked(dev, slave) << slave;
        i2c->awaited =
            send(dev, i2c->chosen, is_start ? TRESTLE_I2C_START : TRESTLE_I2C_WRITE, i2c->transmit);
    } else if (i2c->command & CMD_READ) {
        i2c->receive = 0xff; /* what a bus reads that nobody pulls down */
        i2c->awaited = send(dev, i2c->chosen, TRESTLE_I2C_READ, !(i2c->command & CMD_NACK));
    }
    trestle_device_wake_after(dev, 0, bits * 5 * (prescale + 1) * i2c->clock);
}

static void i2c_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    struct i2c *i2c = trestle_device_state(dev);
    i2c->is_due = true;
    finish_if_done(dev);
}

static void i2c_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct i2c *i2c = trestle_device_state(dev);
    const uint8_t *message = data;
    uint32_t bit = 1u << port;
    uint8_t wanted = i2c->command & CMD_WRITE ? TRESTLE_I2C_ACK : TRESTLE_I2C_DATA;
    if (size != TRESTLE_I2C_SIZE || message[0] != wanted || !(i2c->awaited & bit)) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "slave%u says what nobody asked for; ignored",
                           port);
        return;
    }
    i2c->awaited &= ~bit;
    if (wanted == TRESTLE_I2C_DATA)
        i2c->receive &= message[1]; /* wires are pulled down */
    else if (message[1])
        i2c->status &= (uint8_t)~STATUS_NACK;
    else if (i2c->command & CMD_START)
        i2c->chosen &= ~bit;
    finish_if_done(dev);
}

static void i2c_reset(struct trestle_device *dev)
{
    struct i2c *i2c = trestle_device_state(dev);
    *i2c = (struct i2c){.clock = i2c->clock, .prescale_low = 0xff, .prescale_high = 0xff};
}

/* --- registers ------------------------------------------------------------------------------- */

static int ctrl_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    update(dev);
    return 0;
}

static int transmit_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct i2c *i2c = trestle_device_state(dev);
    i2c->transmit = (uint8_t)access->value;
    return 0;
}

static int data_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct i2c *i2c = trestle_device_state(dev);
    access->value = i2c->receive;
    return 0;
}

static int status_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct i2c *i2c = trestle_device_state(dev);
    access->value = i2c->status;
    return 0;
}

static int command_written(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct i2c *i2c = trestle_device_state(dev);
    uint8_t command = (uint8_t)access->value;
    if (command & CMD_IACK)
        i2c->status &= (uint8_t)~STATUS_IF;
    update(dev);
    if (!(command & (CMD_START | CMD_STOP | CMD_READ | CMD_WRITE)) || !(i2c->ctrl & CTRL_ENABLE))
        return 0;
    if (i2c->status & STATUS_TIP) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "command 0x%x while one is under way; ignored",
                           command);
        return 0;
    }
    i2c->command = command;
    begin(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"PRERLO", 0x00, TRESTLE_AT(struct i2c, prescale_low), .size = 1, .reset = 0xff,
     .doc = "a bit takes 5 * (prescale + 1) cycles of the clock"},
    {"PRERHI", 0x01, TRESTLE_AT(struct i2c, prescale_high), .size = 1, .reset = 0xff},
    {"CTRL", 0x02, TRESTLE_AT(struct i2c, ctrl), .size = 1, .on_write = ctrl_written,
     .fields = TRESTLE_FIELDS({"ien", CTRL_IEN, .doc = "of the interrupt"},
                              {"en", CTRL_ENABLE, .doc = "of the controller"})},
    {"DATA", 0x03, .size = 1, .on_read = data_read, .on_write = transmit_written,
     .doc = "written: the next byte to send, after a start an address; read: the received byte"},
    {"STATUS", 0x04, .size = 1, .on_read = status_read, .on_write = command_written,
     .doc =
         "written: a command: 0x80 start, 0x40 stop, 0x20 read, 0x10 write, 0x08 the last one to "
         "read, 0x01 clears if",
     .fields = TRESTLE_FIELDS({"if", STATUS_IF, .doc = "a command has ended"},
                              {"tip", STATUS_TIP, .doc = "one is under way"},
                              {"busy", STATUS_BUSY, .doc = "between start and stop"},
                              {"nack", STATUS_NACK, .doc = "nobody acknowledged it"}),
     .mask = 0xff},
};
static const struct trestle_region region = {TRESTLE_REGION(registers), .bytes = 8};

const struct trestle_model trestle_i2c_ocores_model = {
    .size = sizeof(trestle_i2c_ocores_model),
    .name = "i2c-ocores",
    .doc = "The I2C controller of OpenCores, with slaves at its ports.",
    .compatible = "opencores,i2c-ocores",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("irq"),
    .irq_lines = 1,
    .ports = TRESTLE_NAMES("slave0", "slave1", "slave2", "slave3", "slave4", "slave5", "slave6",
                           "slave7", "slave8", "slave9", "slave10", "slave11", "slave12", "slave13",
                           "slave14", "slave15"),
    .peer_ports = SLAVES,
    .timers = 1,
    .state_size = sizeof(struct i2c),
    .init = i2c_init,
    .reset = i2c_reset,
    .wake = i2c_wake,
    .message = i2c_message,
};
