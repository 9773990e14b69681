/* SPDX-License-Identifier: MIT */
/*
 * trestle/device.h: all that a device model needs.
 *
 * A model is one const table (struct trestle_model) and one state struct. The library
 * allocates the state zeroed, checks every access against the table before the model sees
 * it, and calls the model from one thread at a time: a model needs no locks.
 *
 * A callback of one device may act on any other device of its session, for models that are parts of
 * one: it may complete the other's request, set its lines and its timers, start its transfers, send
 * out of its ports and write to its log. The other model, and whoever waits for an answer of it,
 * hears of that after the callback. (Events of a device wait until somebody looks, if it has
 * neither an interrupt line nor dma_done() and is linked to no device that has: one whose timers
 * act on others has one of the three.)
 *
 * Time is counted in picoseconds from the start of the run. It stands still inside a
 * callback and never runs backwards between two.
 *
 * Errors are negative errno values; 0 is success.
 */
#ifndef TRESTLE_DEVICE_H
#define TRESTLE_DEVICE_H

#include "trestle/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest message between linked devices, in bytes, and how many a link carries at a time: a guest
 * may have a device send one at each access, over a link that takes its time. */
#define TRESTLE_MESSAGE_MAX 65536
#define TRESTLE_LINK_MESSAGES_MAX 16384
#define TRESTLE_LINK_BYTES_MAX (16 << 20) /* of all of those */
/* Most bytes that input() gets at a time. */
#define TRESTLE_INPUT_MAX 4096

/* Of a model. */
#define TRESTLE_IRQ_LINES_MAX 64
#define TRESTLE_PEER_PORTS_MAX 32
#define TRESTLE_TIMERS_MAX 32
#define TRESTLE_REGIONS_MAX 6 /* as many BARs as a PCI device has */

struct trestle_device;  /* one instance of a model; owned by the library */
struct trestle_params;  /* what the user configured for it; valid during init() only */
struct trestle_request; /* one access under way; see trestle_request_complete() */
struct trestle_region;  /* a table of registers; see trestle/registers.h */

/* One access of the guest. size is one of the model's access_sizes, offset is a multiple of
 * it, and the access lies inside the region. data holds the value of a write in its low
 * size bytes and zeroes above them; it is 0 for a read. Valid during the call. */
struct trestle_access {
    uint64_t offset; /* bytes from the base of the region */
    uint64_t data;
    uint32_t size;   /* bytes: 1, 2, 4 or 8 */
    uint32_t region; /* which of the model's regions */
};

/* What a model is as a PCI device. */
struct trestle_pci {
    size_t size; /* sizeof(struct trestle_pci) */
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* class, subclass and interface, such as 0x010802 */
    uint8_t revision;
    uint8_t bar; /* enum trestle_bar: the kind of BAR 0, which is the first region */
    uint8_t more_bars[TRESTLE_REGIONS_MAX - 1]; /* the same of the other regions' */
    /* Capabilities of the vendor's (id 9), one behind the other, each from its length on as it
     * stands in the configuration space: the length counts the two bytes before it, too. A length
     * of 0 ends them. The guest can only read them. NULL: there are none. */
    const uint8_t *vendor_capabilities;
};

enum trestle_bar { TRESTLE_BAR_MEM, TRESTLE_BAR_MEM64, TRESTLE_BAR_IO };

/* The table of a model. Any callback may be NULL unless it says otherwise. */
struct trestle_model {
    size_t size;           /* sizeof(struct trestle_model): old models load into new libraries */
    const char *name;      /* letters, digits, '_' and '-' */
    uint64_t region_size;  /* bytes of registers; the configured size may be larger, and
                            * what lies beyond region_size is a bus error */
    uint32_t access_sizes; /* OR of 1, 2, 4, 8 */
    uint32_t irq_lines;    /* 0 to TRESTLE_IRQ_LINES_MAX */
    uint32_t peer_ports;   /* 0 to TRESTLE_PEER_PORTS_MAX; a port is linked to one port
                            * of one other device */
    uint32_t timers;       /* 0 to TRESTLE_TIMERS_MAX; see trestle_device_wake_at() */
    size_t state_size;     /* bytes; may be 0 */

    /* Before the first access. The state is zeroed. Non-zero: the device is not created, and
     * fini() is not called. */
    int (*init)(struct trestle_device *dev, const struct trestle_params *params);
    /* After the last callback. The state itself is freed by the library. */
    void (*fini)(struct trestle_device *dev);
    /* The guest was reset. The library has already cancelled the timers, dropped the
     * interrupt lines, and forgotten the request under way, transfers under way and messages
     * on their way here: none of them will be heard of again. Time runs on. */
    void (*reset)(struct trestle_device *dev);

    /* An access. 0: done now. -EINPROGRESS: the model keeps req and completes it later,
     * exactly once. Any other negative errno: a bus error to the guest, which the library
     * logs. One request per device is under way at a time. A model without read (write)
     * answers every read (write) with a bus error. */
    int (*read)(struct trestle_device *dev, struct trestle_request *req,
                const struct trestle_access *access, uint64_t *ret_data);
    int (*write)(struct trestle_device *dev, struct trestle_request *req,
                 const struct trestle_access *access);

    /* A timer has come. now is exactly the time asked for, or for a time already past when
     * it was asked for, the time of asking. */
    void (*wake)(struct trestle_device *dev, uint32_t timer, trestle_time now);
    /* A message from the peer linked to port, after the latency of the link. data is valid
     * during the call. 1 <= size <= TRESTLE_MESSAGE_MAX. */
    void (*message)(struct trestle_device *dev, uint32_t port, const void *data, size_t size);
    /* A transfer started by trestle_device_dma_read() or _write() ended. status: 0, or
     * -EFAULT for addresses that are not guest RAM, or -ENODEV when the guest is gone. Never
     * called from inside those two. */
    void (*dma_done)(struct trestle_device *dev, uint64_t tag, int status);

    /* --- what a device says of itself; trestle/registers.h --- */

    /* Tables of registers, ended by NULL: they answer accesses in place of read() and write(), and
     * region_size and access_sizes may be 0. NULL: there are none. */
    const struct trestle_region *const *regions;
    /* Names of the ports and of the interrupt lines, ended by NULL: as many as there are names
     * where peer_ports, or irq_lines, is 0. NULL: "peer" with a number, and numbers. */
    const char *const *ports, *const *irqs;
    const char *compatible; /* as in a device tree, "vendor,device"; or NULL */
    const char *doc;        /* one line, or NULL */
    /* Once all devices and links of the run exist, before the first access. Non-zero: the run does
     * not begin; trestle_device_fail() says why. */
    int (*start)(struct trestle_device *dev);
    /* As a PCI device; its vectors are the interrupt lines. NULL: what PCI device it is says the
     * user. */
    const struct trestle_pci *pci;
    /* It calls trestle_device_output(): the user may say where that goes. */
    bool has_output;
    /* Bytes from the world outside, at most as many as trestle_device_accept_input() has allowed.
     * data is valid during the call. 1 <= size <= TRESTLE_INPUT_MAX. */
    void (*input)(struct trestle_device *dev, const void *data, size_t size);
    /* It calls trestle_device_memory_read() or _write(). A model with dma_done need not say so. */
    bool uses_memory;
    /* It only works in the guest's exact time: one that cannot keep up with the guest would make
     * accesses time out. A run without icount is refused. */
    bool needs_icount;
    /* Its output and its input are frames, as of a network, each behind its length of 4 bytes, the
     * highest first. One call of trestle_device_output() gives whole ones, and they reach the host
     * whole or not at all. */
    bool has_frames;
};

/* The one symbol that a loadable model (a .so) exports; that it is seen outside, and in C++ has
 * this very name, its declaration says. */
TRESTLE_API extern const struct trestle_model *const trestle_model_entry;
#define TRESTLE_MODEL_EXPORT(model) const struct trestle_model *const trestle_model_entry = &(model)

/* --- what a model may ask for, in any callback unless noted ------------------------------ */

/* The state struct, state_size bytes. */
TRESTLE_API void *trestle_device_state(struct trestle_device *dev);
/* The configured name and region (TRESTLE_NO_BASE: where the guest puts it). The string lives as
 * long as the device. */
TRESTLE_API const char *trestle_device_name(const struct trestle_device *dev);
TRESTLE_API uint64_t trestle_device_base(const struct trestle_device *dev);
TRESTLE_API uint64_t trestle_device_size(const struct trestle_device *dev);
TRESTLE_API trestle_time trestle_device_now(const struct trestle_device *dev);

/* Calls wake(dev, timer, when) when time has come to `when`; replaces what the timer was set
 * to. A time in the past means now, after the current callback. TRESTLE_TIME_NEVER cancels. */
TRESTLE_API void trestle_device_wake_at(struct trestle_device *dev, uint32_t timer,
                                        trestle_time when);
/* The same, `delay` from now. A sum beyond the end of time is its last picosecond. */
TRESTLE_API void trestle_device_wake_after(struct trestle_device *dev, uint32_t timer,
                                           trestle_time delay);

/* Ends a request that read() or write() answers with -EINPROGRESS, from inside that call or
 * later. status: 0, or a negative errno for a bus error. data is ignored for writes. A second
 * completion, or one of a request that a reset has cancelled, is logged and ignored. */
TRESTLE_API void trestle_request_complete(struct trestle_request *req, int status, uint64_t data);

/* Sends a copy of data to the peer linked to port. -ENOTCONN: no link there. -EINVAL: no such
 * port. -EMSGSIZE: size is 0 or above TRESTLE_MESSAGE_MAX. -ENOBUFS: the link is full, which the
 * library logs. */
TRESTLE_API TRESTLE_CHECK int trestle_device_send(struct trestle_device *dev, uint32_t port,
                                                  const void *data, size_t size);
/* In message() only: sends the message on that came, as it is. Between links of one engine no byte
 * is copied. -EINVAL: outside of message(); otherwise as trestle_device_send(). */
TRESTLE_API TRESTLE_CHECK int trestle_device_forward(struct trestle_device *dev, uint32_t port);
TRESTLE_API bool trestle_device_linked(const struct trestle_device *dev, uint32_t port);

/* Bytes for the world outside, as of a serial port: to where the user has said for this device.
 * They are copied, and nothing waits for whoever reads them. -ENOTCONN: nothing was said, and they
 * go nowhere. -ENOBUFS: some did not fit and are lost, which the run has said. They are in no
 * trace: a replay makes them again. */
TRESTLE_API int trestle_device_output(struct trestle_device *dev, const void *data, size_t size);

/* How many bytes input() takes from now on, all in all, until this is called again; 0 at first, and
 * after a reset until reset() says otherwise. What is more waits outside. */
TRESTLE_API void trestle_device_accept_input(struct trestle_device *dev, size_t bytes);

/* What a reset of the guest does, for a bit in a register that says so: timers are cancelled, lines
 * dropped, transfers and messages on their way forgotten, registers take their reset values, and
 * reset() is called. The access under way goes on. In callbacks other than reset() only. */
TRESTLE_API void trestle_device_self_reset(struct trestle_device *dev);

/* From now on the model sees each access `latency` picoseconds after it came. A reset of the guest
 * cancels the access that waits. 0, as at the start: at once. */
TRESTLE_API void trestle_device_set_access_latency(struct trestle_device *dev,
                                                   trestle_time latency);

/* In init() and start(), which then return an error: why. In any other callback: the device does
 * not work any more; that is logged as an error, and every access is a bus error until a reset. */
TRESTLE_API void trestle_device_fail(struct trestle_device *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets a level interrupt line; setting it to what it is does nothing. */
TRESTLE_API void trestle_device_irq(struct trestle_device *dev, uint32_t line, bool level);
/* The habit that loses no interrupt: call it after every change of a status or an enable register,
 * with the bits that are set in both. The line is high while there are any. */
static inline void trestle_irq_update(struct trestle_device *dev, uint32_t line, uint64_t pending)
{
    trestle_device_irq(dev, line, pending != 0);
}

/* An edge: the line, which is low, goes up and down again within this moment. For inputs that take
 * edges: MSI and MSI-X, a PLIC's, those of a GIC that the guest has set so. Others may miss it. */
static inline void trestle_device_pulse(struct trestle_device *dev, uint32_t line)
{
    trestle_device_irq(dev, line, true);
    trestle_device_irq(dev, line, false);
}

/* Starts a copy of size bytes between guest memory at addr and buf, which the model keeps
 * valid until dma_done(tag) or reset. tag is the model's own, any value. -ENOTSUP: this run has
 * no DMA. -EINVAL: size is 0, or addr + size wraps. -ENOBUFS: 4096 are under way. -ENOMEM. On an
 * error dma_done() is not called. */
TRESTLE_API TRESTLE_CHECK int trestle_device_dma_read(struct trestle_device *dev, uint64_t addr,
                                                      void *buf, size_t size, uint64_t tag);
TRESTLE_API TRESTLE_CHECK int trestle_device_dma_write(struct trestle_device *dev, uint64_t addr,
                                                       const void *buf, size_t size, uint64_t tag);

/* Several places of guest memory as one transfer, which dma_done() ends once: after the last of
 * them, with the first error that there was. They are copied in the order of the list, which is
 * copied itself. -EINVAL also: count is 0, or one of them cannot be. On an error nothing has been
 * copied. */
struct trestle_segment {
    uint64_t addr;
    void *buf; /* written to by a read only */
    size_t size;
};
TRESTLE_API TRESTLE_CHECK int trestle_device_dma_read_list(struct trestle_device *dev,
                                                           const struct trestle_segment *segments,
                                                           size_t count, uint64_t tag);
TRESTLE_API TRESTLE_CHECK int trestle_device_dma_write_list(struct trestle_device *dev,
                                                            const struct trestle_segment *segments,
                                                            size_t count, uint64_t tag);
/* Forgets all transfers of the device that are under way: there is no dma_done(), and their buffers
 * are the model's again. Bytes of some may have been copied. */
TRESTLE_API void trestle_device_dma_cancel(struct trestle_device *dev);

/* The same within the call, of models with uses_memory or dma_done: 0, and the bytes have been
 * copied, or -EFAULT, -ENODEV as for dma_done(). Engine time stands meanwhile. Transfers happen in
 * the order of their calls, and before the guest sees an interrupt or an answer that comes after
 * them. -ENOTSUP: this run has no DMA, or none that ends at once (under SST). -EINVAL, -ENOMEM as
 * above. */
TRESTLE_API TRESTLE_CHECK int trestle_device_memory_read(struct trestle_device *dev, uint64_t addr,
                                                         void *buf, size_t size);
TRESTLE_API TRESTLE_CHECK int trestle_device_memory_write(struct trestle_device *dev, uint64_t addr,
                                                          const void *buf, size_t size);

/* Of 2, 4 or 8 bytes at a multiple of their number, which are a number with its lowest byte first:
 * the bits of mask become those of value. *ret_old (not NULL) is what was there. Nothing of the
 * session comes between reading and writing; a processor of the guest's that runs meanwhile may, as
 * on a bus without atomic operations. Errors as above; -EINVAL also for another size or place. */
TRESTLE_API TRESTLE_CHECK int trestle_device_memory_update(struct trestle_device *dev,
                                                           uint64_t addr, size_t size,
                                                           uint64_t mask, uint64_t value,
                                                           uint64_t *ret_old);

/* One line to the run's log, prefixed with the device's name. Guest mistakes are
 * TRESTLE_LOG_WARNING. Of errors and of warnings the log gets at most 10 each per device and
 * simulated second, and then the number of those left out. */
TRESTLE_API void trestle_device_log(struct trestle_device *dev, enum trestle_log_level level,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- parameters, in init() only ---------------------------------------------------------- */

/* Each gives the configured value, or fallback where the user said nothing. -EINVAL: the value
 * does not parse; the library reports it by name, init() only has to return the error. A key
 * that init() never asked for is an error as well.
 * u64: decimal or 0x hexadecimal. period: a frequency such as "1GHz" or "2.5MHz", given as its
 * period in picoseconds (1 Hz to 1 THz; a period such as "1ns" is taken too). time: "10ns",
 * "1.5us", "2s"; units ps, ns, us, ms, s. string: lives until init() returns. */
TRESTLE_API TRESTLE_CHECK int trestle_params_u64(const struct trestle_params *params,
                                                 const char *key, uint64_t fallback,
                                                 uint64_t *ret_value);
TRESTLE_API TRESTLE_CHECK int trestle_params_period(const struct trestle_params *params,
                                                    const char *key, trestle_time fallback,
                                                    trestle_time *ret_period);
TRESTLE_API TRESTLE_CHECK int trestle_params_time(const struct trestle_params *params,
                                                  const char *key, trestle_time fallback,
                                                  trestle_time *ret_time);
TRESTLE_API TRESTLE_CHECK int trestle_params_string(const struct trestle_params *params,
                                                    const char *key, const char *fallback,
                                                    const char **ret_value);
/* A number of cycles of a clock with that period, given as a time. */
TRESTLE_API TRESTLE_CHECK int trestle_params_cycles(const struct trestle_params *params,
                                                    const char *key, uint64_t fallback,
                                                    trestle_time period, trestle_time *ret_time);
/* The index-th of all that is configured, for models whose keys are their users' choice; it counts
 * as asked for. Both strings live until init() returns. -ENOENT: there are fewer. */
TRESTLE_API TRESTLE_CHECK int trestle_params_item(const struct trestle_params *params, size_t index,
                                                  const char **ret_key, const char **ret_value);
/* For a value that parses and yet cannot be: says that the value of key is not `expected`
 * ("a multiple of 8") and returns -EINVAL, for init() to return. */
TRESTLE_API TRESTLE_CHECK int trestle_params_refuse(const struct trestle_params *params,
                                                    const char *key, const char *expected);

#ifdef __cplusplus
}
#endif
#endif
