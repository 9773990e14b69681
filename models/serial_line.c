/* SPDX-License-Identifier: MIT */
/*
 * serial-line: connects the wires of a serial port, such as one of a core in Verilog, to the host,
 * at a baud rate.
 *
 * Both ports are pins (trestle/pin.h): the serial port sends to `rx`, and listens to `tx`. A frame
 * is a start bit, 8 bits of data, the lowest first, and a stop bit. Received bytes go to the host
 * (trestle_device_output()). Bytes from the host go out, one frame after the other. The model looks
 * at each bit in its middle. It drops a frame if the stop bit is low, and waits until the wire is
 * high again. A reset of the guest cuts off the frames under way.
 *
 * Parameters: baud (115200).
 */
#include "trestle/pin.h"
#include "trestle/registers.h"

#define QUEUE_SIZE 64u
#define FRAME_BITS 10u

enum { PORT_RX, PORT_TX };
enum { TIMER_RX, TIMER_TX };
#define TX_BIT (UINT32_C(1) << PORT_TX)

enum listening { IDLE, IN_FRAME, BROKEN };

struct line {
    uint32_t received, sent, framing; /* the registers */
    uint64_t baud;
    struct trestle_pins pins;
    enum listening listening;
    trestle_time rx_start, tx_start; /* of the frame under way */
    uint32_t rx_frame, tx_frame;     /* its bits, the first one lowest */
    uint32_t rx_bit, tx_bit;         /* the next one; tx_bit FRAME_BITS: none */
    uint8_t queue[QUEUE_SIZE];
    uint32_t first, used;
};

/* The time of `count` halves of a bit. */
static trestle_time halves(const struct line *line, uint32_t count)
{
    return count * TRESTLE_S / (2 * line->baud);
}

/* --- from the port --------------------------------------------------------------------------- */

static bool is_high(const struct line *line)
{
    return trestle_pins_levels(&line->pins, UINT32_MAX) >> PORT_RX & 1;
}

static void end_frame(struct trestle_device *dev)
{
    struct line *line = trestle_device_state(dev);
    const uint8_t byte = (uint8_t)(line->rx_frame >> 1);
    if (line->rx_frame >> (FRAME_BITS - 1) & 1) {
        line->listening = IDLE;
        line->received++;
        (void)trestle_device_output(dev, &byte, 1);
    } else {
        line->listening = BROKEN;
        line->framing++;
        trestle_device_log(dev, TRESTLE_LOG_WARNING,
                           "a frame has no stop bit; check the baud rate");
    }
}

/* In the middle of a bit. */
static void look(struct trestle_device *dev)
{
    struct line *line = trestle_device_state(dev);
    line->rx_frame |= (uint32_t)is_high(line) << line->rx_bit;
    if (line->rx_frame & 1) { /* the pulse was too short for a start bit */
        line->listening = IDLE;
    } else if (++line->rx_bit == FRAME_BITS) {
        end_frame(dev);
    } else {
        trestle_device_wake_at(dev, TIMER_RX, line->rx_start + halves(line, 2 * line->rx_bit + 1));
    }
}

static void line_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct line *line = trestle_device_state(dev);
    if (!trestle_pins_heard(dev, &line->pins, port, data, size)) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "a message is not a level; it is ignored");
    } else if (port == PORT_RX && is_high(line)) {
        if (line->listening == BROKEN)
            line->listening = IDLE;
    } else if (port == PORT_RX && line->listening == IDLE) {
        line->listening = IN_FRAME;
        line->rx_start = trestle_device_now(dev);
        line->rx_frame = line->rx_bit = 0;
        trestle_device_wake_at(dev, TIMER_RX, line->rx_start + halves(line, 1));
    }
}

/* --- to the port ----------------------------------------------------------------------------- */

static void begin_frame(struct trestle_device *dev)
{
    struct line *line = trestle_device_state(dev);
    line->tx_frame = UINT32_C(1) << (FRAME_BITS - 1) | (uint32_t)line->queue[line->first] << 1;
    line->first = (line->first + 1) % QUEUE_SIZE;
    line->used--;
    line->tx_bit = 0;
    line->tx_start = trestle_device_now(dev);
    trestle_device_accept_input(dev, QUEUE_SIZE - line->used);
    trestle_device_wake_at(dev, TIMER_TX, line->tx_start);
}

/* Where a bit begins, or the last one ends. */
static void send(struct trestle_device *dev)
{
    struct line *line = trestle_device_state(dev);
    if (line->tx_bit == FRAME_BITS) {
        line->sent++;
        if (line->used > 0)
            begin_frame(dev);
        return;
    }
    trestle_pins_set(dev, &line->pins, (line->tx_frame >> line->tx_bit & 1) << PORT_TX, TX_BIT);
    line->tx_bit++;
    trestle_device_wake_at(dev, TIMER_TX, line->tx_start + halves(line, 2 * line->tx_bit));
}

static void line_input(struct trestle_device *dev, const void *data, size_t size)
{
    struct line *line = trestle_device_state(dev);
    const uint8_t *bytes = data;
    bool is_idle = line->tx_bit == FRAME_BITS && line->used == 0;
    for (size_t i = 0; i < size; i++)
        line->queue[(line->first + line->used++) % QUEUE_SIZE] = bytes[i];
    if (is_idle)
        begin_frame(dev);
}

/* --- both ------------------------------------------------------------------------------------ */

static void line_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    if (timer == TIMER_RX)
        look(dev);
    else
        send(dev);
}

static void line_reset(struct trestle_device *dev)
{
    struct line *line = trestle_device_state(dev);
    line->listening = IDLE;
    line->first = line->used = 0;
    line->tx_bit = FRAME_BITS;
    trestle_pins_reset(dev, &line->pins, TX_BIT, TX_BIT);
    trestle_device_accept_input(dev, QUEUE_SIZE);
}

static int line_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct line *line = trestle_device_state(dev);
    int r = trestle_params_u64(params, "baud", 115200, &line->baud);
    if (r == 0 && (line->baud == 0 || line->baud > 100000000))
        r = trestle_params_refuse(params, "baud", "1 to 100000000");
    return r;
}

static int line_start(struct trestle_device *dev)
{
    line_reset(dev);
    return 0;
}

static const struct trestle_register registers[] = {
    {"RECEIVED", 0x00, TRESTLE_AT(struct line, received), .access = TRESTLE_RO, .keep = true,
     .doc = "how many bytes the port has sent"},
    {"SENT", 0x04, TRESTLE_AT(struct line, sent), .access = TRESTLE_RO, .keep = true,
     .doc = "how many bytes have gone to the port"},
    {"FRAMING", 0x08, TRESTLE_AT(struct line, framing), .access = TRESTLE_RO, .keep = true,
     .doc = "how many frames had no stop bit"},
};
static const struct trestle_region region = {TRESTLE_REGION(registers)};

const struct trestle_model trestle_serial_line_model = {
    .size = sizeof(trestle_serial_line_model),
    .name = "serial-line",
    .doc = "Connects the wires of a serial port to the host.",
    .regions = TRESTLE_REGIONS(&region),
    .ports = TRESTLE_NAMES("rx", "tx"),
    .peer_ports = 2,
    .timers = 2,
    .has_output = true,
    .state_size = sizeof(struct line),
    .init = line_init,
    .start = line_start,
    .reset = line_reset,
    .wake = line_wake,
    .message = line_message,
    .input = line_input,
};
