/* SPDX-License-Identifier: MIT */
/* The messages of vfio-user, version 0.0, in the byte order of the host. Written from the public
 * specification of the protocol; names of fields are its own. */
#ifndef TRESTLE_FRONT_VFIO_WIRE_H
#define TRESTLE_FRONT_VFIO_WIRE_H

#include <stdint.h>
#include <string.h>

enum vfio_command {
    VFIO_VERSION = 1,
    VFIO_DMA_MAP = 2,
    VFIO_DMA_UNMAP = 3,
    VFIO_GET_INFO = 4,
    VFIO_GET_REGION_INFO = 5,
    VFIO_GET_REGION_IO_FDS = 6,
    VFIO_GET_IRQ_INFO = 7,
    VFIO_SET_IRQS = 8,
    VFIO_REGION_READ = 9,
    VFIO_REGION_WRITE = 10,
    VFIO_DMA_READ = 11, /* from here to the client, like the next one */
    VFIO_DMA_WRITE = 12,
    VFIO_RESET = 13,
};

/* The header: id, command, size of the whole message, flags, error. */
#define VFIO_HEADER_SIZE 16u
#define VFIO_TYPE_MASK 0xfu
#define VFIO_TYPE_COMMAND 0u
#define VFIO_TYPE_REPLY 1u
#define VFIO_NO_REPLY 0x10u
#define VFIO_ERROR 0x20u

struct vfio_header {
    uint16_t id, command;
    uint32_t size, flags, error;
};

#define VFIO_DEVICE_FLAGS 0x3u /* it can be reset, and is on PCI */
#define VFIO_REGIONS 9u        /* six BARs, the ROM, the configuration space, VGA */
#define VFIO_REGION_CONFIG 7u
#define VFIO_REGION_FLAGS 0x3u /* it can be read and written */
#define VFIO_MAP_READABLE 0x1u
#define VFIO_MAP_WRITEABLE 0x2u
#define VFIO_UNMAP_ALL 0x2u

enum vfio_irq { VFIO_INTX, VFIO_MSI, VFIO_MSIX, VFIO_ERR, VFIO_REQ, VFIO_IRQS };
#define VFIO_IRQ_EVENTFD 0x1u
#define VFIO_IRQ_MASKABLE 0x2u
#define VFIO_IRQ_AUTOMASKED 0x4u
#define VFIO_SET_NONE 0x1u
#define VFIO_SET_BOOL 0x2u
#define VFIO_SET_EVENTFD 0x4u
#define VFIO_SET_DATA 0x7u
#define VFIO_SET_MASK 0x8u
#define VFIO_SET_UNMASK 0x10u
#define VFIO_SET_TRIGGER 0x20u
#define VFIO_SET_ACTION 0x38u

static inline uint16_t vfio_get16(const uint8_t *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint32_t vfio_get32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline uint64_t vfio_get64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static inline void vfio_put16(uint8_t *bytes, uint16_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline void vfio_put32(uint8_t *bytes, uint32_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline void vfio_put64(uint8_t *bytes, uint64_t value)
{
    memcpy(bytes, &value, sizeof(value));
}

static inline struct vfio_header vfio_get_header(const uint8_t *bytes)
{
    return (struct vfio_header){.id = vfio_get16(bytes),
                                .command = vfio_get16(bytes + 2),
                                .size = vfio_get32(bytes + 4),
                                .flags = vfio_get32(bytes + 8),
                                .error = vfio_get32(bytes + 12)};
}

static inline void vfio_put_header(uint8_t *bytes, const struct vfio_header *header)
{
    vfio_put16(bytes, header->id);
    vfio_put16(bytes + 2, header->command);
    vfio_put32(bytes + 4, header->size);
    vfio_put32(bytes + 8, header->flags);
    vfio_put32(bytes + 12, header->error);
}

#endif
