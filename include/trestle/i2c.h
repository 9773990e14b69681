/* SPDX-License-Identifier: MIT */
/*
 * trestle/i2c.h: the messages between an I2C controller and the slaves on its bus.
 *
 * A slave is a device with a port, linked to one of the controller's ports. Any device with such a
 * port that uses these messages can be on the bus. The bundled controller is i2c-ocores; at24 and
 * tmp102 are slaves. A message is 2 bytes, a kind and a datum:
 *
 *   from the controller               answer of the slave
 *
 *   START  address << 1 | is a read   ACK 1: my address; ACK 0: another's, or busy
 *
 *   WRITE  a byte                     ACK 1; ACK 0: no more
 *
 *   READ   1: more will be read, 0    DATA, the byte
 *
 *   STOP   0                          nothing
 *
 * START goes to every slave; without a STOP before it, it is a repeated start. The other messages
 * go to the slave that has acknowledged the last START. The controller waits for each answer.
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

/* The functions of a slave. stop may be NULL. */
struct trestle_i2c_slave {
    /* The bus has started. address: 7 bits. False: it is another slave's, or this one is busy. */
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

/* All that a slave's message() has to do. Other messages are ignored. */
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
            (slave->stop)(dev); /* stop() is a macro of cmocka 2 */
        break;
    default:
        break;
    }
}

#ifdef __cplusplus
}
#endif
#endif
