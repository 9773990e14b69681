/* SPDX-License-Identifier: MIT */
/* A 16550A serial port with a plug that leads what it sends back to it. Linux's own driver binds to
 * it; each line that the guest sends is a line of Trestle's log (-v). */
#include <errno.h>
#include <trestle/device.h>

enum { RBR_THR_DLL, IER_DLM, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_TX = 2, LCR_DLAB = 0x80, MCR_LOOP = 0x10, FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LSR_RX = 1, LSR_OVERRUN = 2, LSR_TX_EMPTY = 0x60 };
enum { IIR_NONE = 1, IIR_TX = 2, IIR_RX = 4, IIR_FIFO = 0xc0 };

struct uart {
    uint8_t fifo[16], used, first;
    uint8_t ier, lcr, mcr, scr, fcr, dll, dlm, lsr;
    uint8_t tx_pending; /* the interrupt for room, which reading IIR clears */
    char line[96];
    uint8_t length;
};

static uint8_t pending(const struct uart *s)
{
    if ((s->ier & IER_RX) && s->used > 0)
        return IIR_RX;
    return (s->ier & IER_TX) && s->tx_pending ? IIR_TX : IIR_NONE;
}

static void update(struct trestle_device *dev)
{
    trestle_device_irq(dev, 0, pending(trestle_device_state(dev)) != IIR_NONE);
}

static uint8_t receive(struct uart *s)
{
    if (s->used == 0)
        return 0;
    uint8_t byte = s->fifo[s->first];
    s->first = (s->first + 1) % 16;
    s->used--;
    return byte;
}

static void send(struct trestle_device *dev, uint8_t byte)
{
    struct uart *s = trestle_device_state(dev);
    if (s->used == 16)
        s->lsr |= LSR_OVERRUN;
    else
        s->fifo[(s->first + s->used++) % 16] = byte;
    if (byte >= ' ' && byte < 0x7f && s->length < sizeof(s->line) - 1)
        s->line[s->length++] = (char)byte;
    if (byte == '\n') {
        s->line[s->length] = '\0';
        trestle_device_log(dev, TRESTLE_LOG_INFO, "sent: %s", s->line);
        s->length = 0;
    }
    s->tx_pending = 1;
}

static int do_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    struct uart *s = trestle_device_state(dev);
    uint8_t divisor = s->lcr & LCR_DLAB;
    switch (access->offset) {
    case RBR_THR_DLL:
        *ret_data = divisor ? s->dll : receive(s);
        break;
    case IER_DLM:
        *ret_data = divisor ? s->dlm : s->ier;
        break;
    case IIR_FCR:
        *ret_data = pending(s) | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
        if (pending(s) == IIR_TX)
            s->tx_pending = 0;
        break;
    case LCR:
        *ret_data = s->lcr;
        break;
    case MCR:
        *ret_data = s->mcr;
        break;
    case LSR:
        *ret_data = s->lsr | LSR_TX_EMPTY | (s->used > 0 ? LSR_RX : 0);
        s->lsr = 0;
        break;
    case MSR: /* in loop-back mode the outputs, else a line that is ready */
        *ret_data = s->mcr & MCR_LOOP
                        ? (s->mcr & 0xcu) << 4 | (s->mcr & 2u) << 3 | (s->mcr & 1u) << 5
                        : 0xb0;
        break;
    default:
        *ret_data = s->scr;
    }
    update(dev);
    return 0;
}

static int do_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    struct uart *s = trestle_device_state(dev);
    uint8_t value = (uint8_t)access->data, divisor = s->lcr & LCR_DLAB;
    switch (access->offset) {
    case RBR_THR_DLL:
        if (divisor)
            s->dll = value;
        else
            send(dev, value);
        break;
    case IER_DLM:
        if (divisor)
            s->dlm = value;
        else if (value & ~s->ier & IER_TX)
            s->tx_pending = 1;
        if (!divisor)
            s->ier = value & 0xf;
        break;
    case IIR_FCR:
        s->fcr = value;
        if (value & FCR_CLEAR_RX)
            s->used = 0;
        break;
    case LCR:
        s->lcr = value;
        break;
    case MCR:
        s->mcr = value & 0x1f;
        break;
    case SCR:
        s->scr = value;
        break;
    }
    update(dev);
    return 0;
}

static void reset(struct trestle_device *dev)
{
    *(struct uart *)trestle_device_state(dev) = (struct uart){0};
}

/* clang-format off */
static const struct trestle_model uart = {
    .size = sizeof(uart), .name = "uart", .region_size = 8, .access_sizes = 1, .irq_lines = 1,
    .state_size = sizeof(struct uart), .reset = reset, .read = do_read, .write = do_write,
    .compatible = "ns16550a", .doc = "A 16550A serial port that hears itself."};
TRESTLE_MODEL_EXPORT(uart);
