/* SPDX-License-Identifier: MIT */
/* Interrupts of vfio-user: eventfds of the client's, which are written to. INTx is held back after
 * each, until the client says that the guest has seen it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "front/vfio/state.h"

uint32_t vfio_irq_count(const struct vfio *vfio, uint32_t index)
{
    switch (index) {
    case VFIO_INTX:
    case VFIO_MSI:
        return vfio->num_lines > 0;
    case VFIO_MSIX:
        return vfio->num_lines;
    case VFIO_ERR: /* of errors it never tells; QEMU warns if it cannot ask for them */
        return 1;
    default:
        return 0;
    }
}

static int *fds_of(struct vfio *vfio, uint32_t index)
{
    return index == VFIO_INTX   ? &vfio->intx_fd
           : index == VFIO_MSI  ? &vfio->msi_fd
           : index == VFIO_MSIX ? vfio->msix_fds
                                : NULL;
}

/* Only an eventfd is taken: a write to it cannot kill us, nor wait, unless the client wants that.
 */
static bool is_eventfd(int fd)
{
    char path[40], target[32] = "";
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    return length > 0 && strcmp(target, "anon_inode:[eventfd]") == 0;
}

/* If the client itself has filled the eventfd up, it gets no more. */
static void signal_fd(int fd)
{
    uint64_t one = 1;
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    if (fd >= 0 && poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT))
        (void)!write(fd, &one, sizeof(one));
}

static bool any_line(const struct vfio *vfio)
{
    for (uint32_t line = 0; line < vfio->num_lines; line++)
        if (trestle_device_irq_level(vfio->port->device, line))
            return true;
    return false;
}

void vfio_look_at_intx(struct vfio *vfio)
{
    if (vfio->intx_fd < 0 || vfio_is_asleep(vfio) || vfio->is_masked || !vfio_allows_intx(vfio) ||
        !any_line(vfio))
        return;
    vfio->is_masked = true;
    signal_fd(vfio->intx_fd);
}

/* At most one kind has descriptors, except while the client changes from one to the other. */
void vfio_line_changed(struct vfio *vfio, uint32_t line, bool level)
{
    vfio_look_at_intx(vfio);
    if (!level || line >= vfio->num_lines || vfio_is_asleep(vfio))
        return;
    signal_fd(vfio->msi_fd);
    signal_fd(vfio->msix_fds[line]);
}

static void set_fd(int *at, int fd)
{
    if (*at >= 0)
        close(*at);
    *at = fd;
}

static void close_all(struct vfio *vfio, uint32_t index)
{
    int *fds = fds_of(vfio, index);
    for (uint32_t i = 0; fds && i < vfio_irq_count(vfio, index); i++)
        set_fd(&fds[i], -1);
    if (index == VFIO_INTX)
        vfio->is_masked = false;
}

/* A line that is high already is not lost. */
static void begin(struct vfio *vfio, uint32_t index, uint32_t sub)
{
    if (index == VFIO_INTX)
        vfio->is_masked = false;
    vfio_look_at_intx(vfio);
    if (index == VFIO_MSI && any_line(vfio))
        signal_fd(vfio->msi_fd);
    if (index == VFIO_MSIX && trestle_device_irq_level(vfio->port->device, sub))
        signal_fd(vfio->msix_fds[sub]);
}

/* One for each, or none, which takes away what is there. */
static int set_eventfds(struct vfio *vfio, uint32_t index, uint32_t start, uint32_t count,
                        const int *given, size_t *ref_num_given)
{
    int *fds = fds_of(vfio, index);
    if (*ref_num_given != 0 && *ref_num_given != count)
        return -EINVAL;
    for (size_t i = 0; i < *ref_num_given; i++)
        if (!is_eventfd(given[i]))
            return -EINVAL;
    if (!fds)
        return 0; /* it is never signalled */
    for (uint32_t i = 0; i < count; i++) {
        int fd = *ref_num_given > 0 ? given[i] : -1;
        set_fd(&fds[start + i], fd);
        if (fd >= 0 && fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0)
            begin(vfio, index, start + i);
    }
    *ref_num_given = 0;
    return 0;
}

/* What the client does itself: to INTx, or as a test. */
static int act(struct vfio *vfio, uint32_t action, uint32_t index, uint32_t sub)
{
    int *fds = fds_of(vfio, index);
    if (action == VFIO_SET_TRIGGER && fds) {
        signal_fd(fds[sub]);
        return 0;
    }
    if (index != VFIO_INTX)
        return -ENOTSUP;
    vfio->is_masked = action == VFIO_SET_MASK;
    vfio_look_at_intx(vfio);
    return 0;
}

static bool is_one_bit(uint32_t bits)
{
    return bits != 0 && (bits & (bits - 1)) == 0;
}

int vfio_set_irqs(struct vfio *vfio, const uint8_t *payload, size_t size, const int *given,
                  size_t *ref_num_given)
{
    enum { FLAGS = 4, INDEX = 8, START = 12, COUNT = 16, DATA = 20 };
    uint32_t flags = vfio_get32(payload + FLAGS), index = vfio_get32(payload + INDEX);
    uint32_t start = vfio_get32(payload + START), count = vfio_get32(payload + COUNT);
    uint32_t data = flags & VFIO_SET_DATA, action = flags & VFIO_SET_ACTION, num;
    if (index >= VFIO_IRQS || flags != (data | action) || !is_one_bit(data) || !is_one_bit(action))
        return -EINVAL;
    num = vfio_irq_count(vfio, index);
    if (start > num || count > num - start)
        return -EINVAL;
    if (data == VFIO_SET_NONE && action == VFIO_SET_TRIGGER && count == 0) {
        close_all(vfio, index);
        return 0;
    }
    if (data == VFIO_SET_EVENTFD)
        return action == VFIO_SET_TRIGGER
                   ? set_eventfds(vfio, index, start, count, given, ref_num_given)
                   : -ENOTSUP;
    if (data == VFIO_SET_BOOL && size - DATA < count)
        return -EINVAL;
    int r = 0;
    for (uint32_t i = 0; i < count && r == 0; i++)
        if (data == VFIO_SET_NONE || payload[DATA + i])
            r = act(vfio, action, index, start + i);
    return r;
}

void vfio_irq_close(struct vfio *vfio)
{
    for (uint32_t index = 0; index < VFIO_IRQS; index++)
        close_all(vfio, index);
}
