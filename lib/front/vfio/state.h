/* SPDX-License-Identifier: MIT */
/* The inside of vfio-user, shared by the files of this folder. */
#ifndef TRESTLE_FRONT_VFIO_STATE_H
#define TRESTLE_FRONT_VFIO_STATE_H

#include "front/connection.h"
#include "front/vfio/wire.h"
#include "trestle/registers.h"

#define VFIO_BARS 6u
#define VFIO_CONFIG_SIZE 256u
/* Bytes of data in one message, which a connection's buffers hold twice. */
#define VFIO_DATA_MAX 256u
#define VFIO_MAPS_MAX 64u
#define VFIO_TRANSFERS_MAX 64u

/* What a BAR is. */
enum { BAR_IS_NOTHING = -1, BAR_IS_TABLE = -2 /* of MSI-X, which the client has */ };

struct vfio_bar {
    int region; /* of the model, or one of these */
    uint64_t size;
};

/* Guest memory that the client has told of. */
struct vfio_map {
    uint64_t addr, size;
    bool may_read, may_write;
    void *mapping;
    size_t mapping_size;
    uint8_t *memory; /* NULL: not mapped */
    int fd;          /* of one that could shrink, to be read and written; -1: by messages */
    uint64_t fd_offset;
};

/* A transfer by messages; the first is under way. */
struct vfio_transfer {
    uint64_t id, addr; /* id: the device's */
    size_t size, done;
    bool is_write;
};

/* The access that the port has been given. */
struct vfio_access {
    struct vfio_header header;
    uint64_t offset;
    uint32_t region, count;
};

struct vfio {
    struct port *port;
    struct trestle_pci pci;
    uint32_t num_lines;
    struct vfio_bar bars[VFIO_BARS];
    uint8_t config[VFIO_CONFIG_SIZE], initial[VFIO_CONFIG_SIZE], writable[VFIO_CONFIG_SIZE];
    unsigned power;  /* where its state is in the configuration space */
    unsigned window; /* and the capability of pci_window.h, or 0 */
    struct vfio_access access;

    /* The client's. */
    bool is_agreed; /* on the version */
    uint32_t data_max;
    int intx_fd, msi_fd, msix_fds[TRESTLE_IRQ_LINES_MAX]; /* eventfds; -1: none */
    bool is_masked;                                       /* INTx, until it is unmasked */
    struct vfio_map maps[VFIO_MAPS_MAX];
    uint32_t num_maps;
    struct vfio_transfer transfers[VFIO_TRANSFERS_MAX];
    uint32_t num_transfers;
    uint16_t message_id; /* of the transfer under way */
};

/* --- config.c -------------------------------------------------------------------------------- */

/* The BARs and the configuration space. -EINVAL: they do not fit. */
TRESTLE_CHECK int vfio_config_init(struct vfio *vfio);
/* As after power-on. */
void vfio_config_reset(struct vfio *vfio);
/* Within the configuration space. */
void vfio_config_write(struct vfio *vfio, uint32_t offset, const uint8_t *data, uint32_t count);
/* In D3 there is nothing of it but its configuration space. */
bool vfio_is_asleep(const struct vfio *vfio);
bool vfio_is_master(const struct vfio *vfio);
bool vfio_allows_intx(const struct vfio *vfio);

/* --- irq.c ----------------------------------------------------------------------------------- */

uint32_t vfio_irq_count(const struct vfio *vfio, uint32_t index);
/* The payload of SET_IRQS, at least 20 bytes; *ref_num_given becomes 0 if the descriptors are kept.
 * Returns 0 or a negative errno for the client. */
int vfio_set_irqs(struct vfio *vfio, const uint8_t *payload, size_t size, const int *given,
                  size_t *ref_num_given);
void vfio_line_changed(struct vfio *vfio, uint32_t line, bool level);
/* The guest may have let INTx through, or held it back. */
void vfio_look_at_intx(struct vfio *vfio);
void vfio_irq_close(struct vfio *vfio);

/* --- dma.c ----------------------------------------------------------------------------------- */

/* The payloads of DMA_MAP and DMA_UNMAP. fd: -1, or the caller's, who keeps it. */
int vfio_map(struct vfio *vfio, const uint8_t *payload, int fd);
int vfio_unmap(struct vfio *vfio, const uint8_t *payload);
/* Ends at once, or with messages. */
int vfio_begin_dma(struct connection *connection, bool write, uint64_t addr, void *buf, size_t size,
                   uint64_t id);
/* A reply of the client. False: nobody asked for it. */
bool vfio_dma_answered(struct connection *connection, const struct vfio_header *header,
                       const uint8_t *payload, size_t size);
/* Gives up everything that is under way, and all maps. */
void vfio_dma_close(struct vfio *vfio);

#endif
