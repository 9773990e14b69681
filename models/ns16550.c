/* SPDX-License-Identifier: MIT */
/*
 * ns16550: a serial port like National Semiconductor's 16550A.
 *
 * The port sends each byte at once, to the host (trestle_device_output()) and as a message to the
 * device that is linked to port "line"; the transmitter is always empty. Bytes from that device go
 * into the FIFO, of 16 bytes, or of one byte while FIFOs are off. A byte for which there is no room
 * is an overrun. Input from the host also goes into the FIFO, but waits outside until the FIFO is
 * empty and the guest listens: the guest has enabled the interrupt, or looks at LSR several times
 * in a row. The port keeps the divisor, but takes no time to send. The receiver's time-out, for
 * bytes below the trigger level, comes at once. The modem's lines are up and never change; in
 * loop-back they follow MCR. Interrupt line 0 is high while IIR shows an interrupt.
 *
 * Parameters: none.
 */
#include "trestle/registers.h"

#define FIFO_SIZE 16
#define LOOKS_OF_A_LISTENER 2

#define IER_RX 0x01u
#define IER_TX 0x02u
#define IER_LINE 0x04u
#define IER_MODEM 0x08u
#define IIR_NONE 0x01u
#define IIR_TX 0x02u
#define IIR_RX 0x04u
#define IIR_LINE 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS 0xc0u
#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_TRIGGER_SHIFT 6
#define LCR_DLAB 0x80u
#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define LSR_READY 0x01u
#define LSR_OVERRUN 0x02u
#define LSR_TX_EMPTY 0x60u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u

enum { PORT_LINE };

struct ns16550 {
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
    uint8_t fifo[FIFO_SIZE], first, used;
    uint8_t looks; /* reads of LSR in a row */
    bool has_overrun;
    bool has_room; /* the transmitter's interrupt; a read of IIR that shows it clears it */
};

static bool has_fifos(const struct ns16550 *uart)
{
    return uart->fcr & FCR_ENABLE;
}

static unsigned trigger_level(const struct ns16550 *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return has_fifos(uart) ? levels[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The most urgent interrupt that is due. */
static unsigned interrupt(const struct ns16550 *uart)
{
    if ((uart->ier & IER_LINE) && uart->has_overrun)
        return IIR_LINE;
    if ((uart->ier & IER_RX) && uart->used > 0)
        return uart->used >= trigger_level(uart) ? IIR_RX : IIR_TIMEOUT;
    return (uart->ier & IER_TX) && uart->has_room ? IIR_TX : IIR_NONE;
}

static unsigned fifo_size(const struct ns16550 *uart)
{
    return has_fifos(uart) ? FIFO_SIZE : 1;
}

/* Sets the interrupt line, and how many bytes the host may send. In loop-back the wire is off. */
static void update(struct trestle_device *dev)
{
    const struct ns16550 *uart = trestle_device_state(dev);
    bool listens = (uart->ier & IER_RX) || uart->looks >= LOOKS_OF_A_LISTENER;
    bool takes_input = listens && uart->used == 0 && !(uart->mcr & MCR_LOOP);
    trestle_irq_update(dev, 0, interrupt(uart) != IIR_NONE);
    trestle_device_accept_input(dev, takes_input ? fifo_size(uart) : 0);
}

static void empty_fifo(struct ns16550 *uart)
{
    uart->first = uart->used = 0;
}

static void receive(struct ns16550 *uart, uint8_t byte)
{
    if (uart->used < fifo_size(uart))
        uart->fifo[(uart->first + uart->used++) % FIFO_SIZE] = byte;
    else
        uart->has_overrun = true;
}

static uint8_t take(struct ns16550 *uart)
{
    if (uart->used == 0)
        return 0;
    uint8_t byte = uart->fifo[uart->first];
    uart->first = (uint8_t)((uart->first + 1) % FIFO_SIZE);
    uart->used--;
    return byte;
}

static void transmit(struct trestle_device *dev, uint8_t byte)
{
    struct ns16550 *uart = trestle_device_state(dev);
    uart->has_room = true;
    if (uart->mcr & MCR_LOOP) {
        receive(uart, byte);
        return;
    }
    /* Nobody may listen, or nobody in time: the byte is lost, as on a wire, and the run says so. */
    (void)trestle_device_output(dev, &byte, 1);
    int r = trestle_device_send(dev, PORT_LINE, &byte, 1);
    (void)r;
}

static void ns16550_message(struct trestle_device *dev, uint32_t port, const void *data,
                            size_t size)
{
    struct ns16550 *uart = trestle_device_state(dev);
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size && !(uart->mcr & MCR_LOOP); i++) /* the wire is off in loop-back */
        receive(uart, bytes[i]);
    update(dev);
}

/* After each access except a read of LSR. */
static int done(struct trestle_device *dev)
{
    struct ns16550 *uart = trestle_device_state(dev);
    uart->looks = 0;
    update(dev);
    return 0;
}

static void ns16550_input(struct trestle_device *dev, const void *data, size_t size)
{
    struct ns16550 *uart = trestle_device_state(dev);
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        receive(uart, bytes[i]);
    update(dev);
}

static void ns16550_reset(struct trestle_device *dev)
{
    struct ns16550 *uart = trestle_device_state(dev);
    empty_fifo(uart);
    uart->fcr = uart->dll = uart->dlm = uart->looks = 0;
    uart->has_overrun = uart->has_room = false;
    update(dev);
}

static int ns16550_init(struct trestle_device *dev, const struct trestle_params *params)
{
    ns16550_reset(dev);
    return 0;
}

/* --- registers ------------------------------------------------------------------------------- */

static int data_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    access->value = uart->lcr & LCR_DLAB ? uart->dll : take(uart);
    return done(dev);
}

static int data_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    if (uart->lcr & LCR_DLAB)
        uart->dll = (uint8_t)access->value;
    else
        transmit(dev, (uint8_t)access->value);
    return done(dev);
}

static int ier_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct ns16550 *uart = trestle_device_state(dev);
    access->value = uart->lcr & LCR_DLAB ? uart->dlm : uart->ier;
    return 0;
}

static int ier_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    if (uart->lcr & LCR_DLAB) {
        uart->dlm = (uint8_t)access->access->data;
        uart->ier = (uint8_t)access->old;
        return 0;
    }
    if (uart->ier & ~access->old & IER_TX) /* the interrupt comes as soon as it is enabled */
        uart->has_room = true;
    return done(dev);
}

static int iir_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    unsigned shown = interrupt(uart);
    access->value = shown | (has_fifos(uart) ? IIR_FIFOS : 0);
    if (shown == IIR_TX)
        uart->has_room = false;
    return done(dev);
}

static int fcr_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    uint8_t fcr = (uint8_t)access->value;
    if ((fcr & FCR_CLEAR_RX) || ((fcr ^ uart->fcr) & FCR_ENABLE))
        empty_fifo(uart);
    uart->fcr = fcr & FCR_ENABLE ? fcr : 0;
    return done(dev);
}

static int lsr_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    struct ns16550 *uart = trestle_device_state(dev);
    access->value =
        LSR_TX_EMPTY | (uart->used > 0 ? LSR_READY : 0) | (uart->has_overrun ? LSR_OVERRUN : 0);
    uart->has_overrun = false;
    if (uart->looks < LOOKS_OF_A_LISTENER)
        uart->looks++;
    update(dev);
    return 0;
}

static int msr_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    const struct ns16550 *uart = trestle_device_state(dev);
    unsigned mcr = uart->mcr;
    access->value = !(mcr & MCR_LOOP)
                        ? MSR_CTS | MSR_DSR | MSR_DCD
                        : (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
                              (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
    return 0;
}

static int mcr_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    return done(dev);
}

static const struct trestle_register registers[] = {
    {"DATA", 0x00, .size = 1, .on_read = data_read, .on_write = data_write,
     .doc = "a read takes a received byte (RBR), a write sends (THR); DLL while LCR.dlab is set"},
    {"IER", 0x01, TRESTLE_AT(struct ns16550, ier), .size = 1, .on_read = ier_read,
     .on_write = ier_write,
     .fields = TRESTLE_FIELDS({"rx", IER_RX}, {"tx", IER_TX}, {"line", IER_LINE},
                              {"modem", IER_MODEM, .doc = "kept; the interrupt never comes"}),
     .doc = "DLM while LCR.dlab is set"},
    {"IIR", 0x02, .size = 1, .reset = IIR_NONE, .on_read = iir_read, .on_write = fcr_write,
     .doc = "1 none, 2 tx, 4 rx, 6 line, 12 time-out, 0xc0 FIFOs; a write sets FCR"},
    {"LCR", 0x03, TRESTLE_AT(struct ns16550, lcr), .size = 1,
     .fields = TRESTLE_FIELDS({"format", 0x7f, .doc = "kept"}, {"dlab", LCR_DLAB})},
    {"MCR", 0x04, TRESTLE_AT(struct ns16550, mcr), .size = 1, .on_write = mcr_write,
     .fields = TRESTLE_FIELDS({"dtr", MCR_DTR}, {"rts", MCR_RTS}, {"out1", MCR_OUT1},
                              {"out2", MCR_OUT2}, {"loop", MCR_LOOP})},
    {"LSR", 0x05, .size = 1, .access = TRESTLE_RO, .reset = LSR_TX_EMPTY, .on_read = lsr_read,
     .fields = TRESTLE_FIELDS({"ready", LSR_READY, .doc = "a byte can be read"},
                              {"overrun", LSR_OVERRUN, .doc = "a read clears it"},
                              {"empty", LSR_TX_EMPTY, .doc = "always"})},
    {"MSR", 0x06, .size = 1, .access = TRESTLE_RO, .reset = MSR_CTS | MSR_DSR | MSR_DCD,
     .on_read = msr_read,
     .fields =
         TRESTLE_FIELDS({"cts", MSR_CTS}, {"dsr", MSR_DSR}, {"ri", MSR_RI}, {"dcd", MSR_DCD})},
    {"SCR", 0x07, TRESTLE_AT(struct ns16550, scr), .size = 1, .doc = "keeps a written value"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_ns16550_model = {
    .size = sizeof(trestle_ns16550_model),
    .name = "ns16550",
    .doc = "A serial port; its output may go to the host.",
    .compatible = "ns16550a",
    .regions = TRESTLE_REGIONS(&region),
    .irqs = TRESTLE_NAMES("irq"),
    .ports = TRESTLE_NAMES("line"),
    .irq_lines = 1,
    .peer_ports = 1,
    .has_output = true,
    .state_size = sizeof(struct ns16550),
    .init = ns16550_init,
    .reset = ns16550_reset,
    .message = ns16550_message,
    .input = ns16550_input,
};
