/* SPDX-License-Identifier: MIT */
/*
 * trestle/i2c.h: what an I2C controller and the slaves on its bus say to each other.
 *
 * A slave is a device with a port, linked to one of the controller's. Whatever has the port and
 * speaks this can be on the bus: the bundled controller is i2c-ocores, at24 and tmp102 are slaves.
 * A message is 2 bytes, a kind and a datum:
 *
 *   from the controller              what the slave answers
 *   START  address << 1 | is a read  ACK 1: that is my address; ACK 0: it is another's, or I am
 * busy WRITE  a byte                    ACK 1, or ACK 0: no more READ   1: more will be read, 0
 * DATA, the byte STOP   0                         nothing
 *
 * START goes to every slave, and one without a STOP before it is a repeated start. The others go to
 * the slave that has acknowledged the last START. The controller waits for each answer.
 */
#ifndef TRESTLE_I2C_H
#define TRESTLE_I2C_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRESTLE_I2C_SIZE 2

enum trestle_i2c_kind {
    TRESTLE_I2C_START = 1,
    TRESTLE_I2C_WRITE,
    TRESTLE_I2C_READ,
    TRESTLE_I2C_STOP,
    TRESTLE_I2C_ACK,
    TRESTLE_I2C_DATA
};

/* What a slave does. stop may be NULL. */
struct trestle_i2c_slave {
    /* The bus has started. address: 7 bits. False: it is another's, or this slave is busy. */
    bool (*start)(struct trestle_device *dev, uint8_t address, bool is_read);
    /* A byte from the controller. False: not acknowledged. */
    bool (*write)(struct trestle_device *dev, uint8_t byte);
    /* The next byte for the controller. */
    uint8_t (*read)(struct trestle_device *dev);
    void (*stop)(struct trestle_device *dev);
};

static inline int trestle_i2c_send(struct trestle_device *dev, uint32_t port,
                                   enum trestle_i2c_kind kind, uint8_t datum)
{
    const uint8_t message[TRESTLE_I2C_SIZE] = {(uint8_t)kind, datum};
    return trestle_device_send(dev, port, message, sizeof(message));
}

/* The whole of a slave's message(). What is no such message is ignored. */
static inline void trestle_i2c_serve(struct trestle_device *dev, uint32_t port,
                                     const struct trestle_i2c_slave *slave, const void *message,
                                     size_t size)
{
    const uint8_t *bytes = (const uint8_t *)message;
    uint8_t datum;
    if (size != TRESTLE_I2C_SIZE)
        return;
    datum = bytes[1];
    switch (bytes[0]) {
    case TRESTLE_I2C_START:
        datum = slave->start(dev, (uint8_t)(datum >> 1), datum & 1);
        (void)!trestle_i2c_send(dev, port, TRESTLE_I2C_ACK, datum);
        break;
    case TRESTLE_I2C_WRITE:
        (void)!trestle_i2c_send(dev, port, TRESTLE_I2C_ACK, slave->write(dev, datum));
        break;
    case TRESTLE_I2C_READ:
        (void)!trestle_i2c_send(dev, port, TRESTLE_I2C_DATA, slave->read(dev));
        break;
    case TRESTLE_I2C_STOP:
        if (slave->stop)
            slave->stop(dev);
        break;
    default:
        break;
    }
}

#ifdef __cplusplus
}
#endif
#endif
