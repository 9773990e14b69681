/* SPDX-License-Identifier: MIT */
/*
 * trestle/device.h: everything that a device model needs.
 *
 * A model is one const table (struct trestle_model) and one state struct. The library
 * allocates the state zeroed, checks every access against the table before the model sees
 * it, and calls the model from one thread at a time: a model needs no locks.
 *
 * A callback of one device may act on any other device of its session, so that several devices can
 * be one model: it may complete the other's request, set its lines and its timers, start its
 * transfers, send from its ports and write to its log. The other model, and the guest if it waits
 * for an answer, learn of this after the callback. (If a device has neither an interrupt line nor
 * dma_done(), and no link to a device that has, its events wait for the next access. So a device
 * whose timers act on others needs one of the three.)
 *
 * Time counts picoseconds from the start of the run. It stands still inside a callback and never
 * runs backwards between two.
 *
 * Errors are negative errno values; 0 is success.
 */
#ifndef TRESTLE_DEVICE_H
#define TRESTLE_DEVICE_H

#include "trestle/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest message between linked devices, in bytes, and how many messages a link carries at a time:
 * a guest may make a device send one at each access, over a slow link. */
#define TRESTLE_MESSAGE_MAX 65536
#define TRESTLE_LINK_MESSAGES_MAX 16384
#define TRESTLE_LINK_BYTES_MAX (16 << 20) /* of all messages on a link */
/* The most bytes that input() gets at a time. */
#define TRESTLE_INPUT_MAX 4096

/* Limits of a model. */
#define TRESTLE_IRQ_LINES_MAX 64
#define TRESTLE_PEER_PORTS_MAX 32
#define TRESTLE_TIMERS_MAX 32
#define TRESTLE_REGIONS_MAX 6 /* as many BARs as a PCI device has */

struct trestle_device;    /* one instance of a model; owned by the library */
struct trestle_params;    /* the user's parameters for it; valid during init() only */
struct trestle_request;   /* one access under way; see trestle_request_complete() */
struct trestle_region;    /* a table of registers; see trestle/registers.h */
struct trestle_component; /* what has ports; see trestle/sim.h */
struct trestle_sim;       /* the engine; see trestle/sim.h */

/* One access of the guest. size is one of the model's access_sizes, offset is a multiple of
 * it, and the access lies inside the region. data holds the value of a write in its low
 * size bytes and zeroes above them; it is 0 for a read. Valid during the call. */
struct trestle_access {
    uint64_t offset; /* bytes from the base of the region */
    uint64_t data;
    uint32_t size;   /* bytes: 1, 2, 4 or 8 */
    uint32_t region; /* which of the model's regions */
};

/* A model's identity as a PCI device. */
struct trestle_pci {
    size_t size; /* sizeof(struct trestle_pci) */
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* class, subclass and interface, such as 0x010802 */
    uint8_t revision;
    uint8_t bar; /* enum trestle_bar: the kind of BAR 0, which is the first region */
    uint8_t more_bars[TRESTLE_REGIONS_MAX - 1]; /* the same for the other regions */
    /* Vendor-specific capabilities (id 9), one after the other. Each begins with its length, as in
     * the configuration space: the length counts the two bytes before it, too. A length of 0 ends
     * the list. The guest can only read them. NULL: there are none. */
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

    /* A timer has come. now is exactly the time that the model asked for; if that had passed
     * already, the time at which it asked. */
    void (*wake)(struct trestle_device *dev, uint32_t timer, trestle_time now);
    /* A message from the peer linked to port, after the latency of the link. data is valid
     * during the call. 1 <= size <= TRESTLE_MESSAGE_MAX. */
    void (*message)(struct trestle_device *dev, uint32_t port, const void *data, size_t size);
    /* A transfer started by trestle_device_dma_read() or _write() ended. status: 0, or
     * -EFAULT for addresses that are not guest RAM, or -ENODEV when the guest is gone. Never
     * called from inside those two. */
    void (*dma_done)(struct trestle_device *dev, uint64_t tag, int status);

    /* --- how a device describes itself; trestle/registers.h --- */

    /* Tables of registers, ended by NULL: the tables answer accesses in place of read() and
     * write(), and region_size and access_sizes may be 0. NULL: there are none. */
    const struct trestle_region *const *regions;
    /* Names of the ports and of the interrupt lines, ended by NULL. If peer_ports, or irq_lines, is
     * 0, there are as many as names. NULL: ports are "peer" with a number, lines are numbers. */
    const char *const *ports, *const *irqs;
    const char *compatible; /* as in a device tree, "vendor,device"; or NULL */
    const char *doc;        /* one line, or NULL */
    /* Called once when all devices and links of the run exist, before the first access. Non-zero:
     * the run does not begin; trestle_device_fail() says why. */
    int (*start)(struct trestle_device *dev);
    /* As a PCI device; its vectors are the interrupt lines. NULL: the user configures its ids. */
    const struct trestle_pci *pci;
    /* The model calls trestle_device_output(): the user may say where the bytes go. */
    bool has_output;
    /* Bytes from the host, at most as many as trestle_device_accept_input() has allowed.
     * data is valid during the call. 1 <= size <= TRESTLE_INPUT_MAX. */
    void (*input)(struct trestle_device *dev, const void *data, size_t size);
    /* The model calls trestle_device_memory_read() or _write(). Not needed with dma_done. */
    bool uses_memory;
    /* The model only works in the guest's exact time: it cannot keep up with the host's clock, and
     * accesses would time out. Trestle refuses a run without icount. */
    bool needs_icount;
    /* The output and input are frames, as in a network: before each frame its length in 4 bytes,
     * the highest first. A call of trestle_device_output() gives only whole frames, and each
     * reaches the host whole or not at all. */
    bool has_frames;
};

/* The one symbol that a loadable model (a .so) exports. This declaration makes it visible, and
 * gives it this name in C++, too. */
TRESTLE_API extern const struct trestle_model *const trestle_model_entry;
#define TRESTLE_MODEL_EXPORT(model) const struct trestle_model *const trestle_model_entry = &(model)

/* --- what a model may ask for, in any callback unless noted ------------------------------ */

/* What a device is. Each device begins with this; the library writes it, others only read it. */
struct trestle_device_facts {
    void *state;                         /* state_size bytes */
    struct trestle_request *request;     /* under way, or NULL */
    struct trestle_sim *sim;             /* its engine, which begins with its time */
    const struct trestle_model *model;   /* a copy of the model's table, in this library's size */
    void *ctx;                           /* the embedder's pointer from the options */
    struct trestle_component *component; /* its ports; trestle/sim.h */
    const char *name;                    /* lives as long as the device */
    uint64_t irq_levels;                 /* bit n: line n is high */
    size_t input_room;                   /* bytes of input that the model takes */
    uint64_t base_addr, size;            /* as configured; TRESTLE_NO_BASE: the guest places it */
};
static inline const struct trestle_device_facts *
trestle_device_facts(const struct trestle_device *dev)
{
    return (const struct trestle_device_facts *)dev;
}
static inline void *trestle_device_state(struct trestle_device *dev)
{
    return trestle_device_facts(dev)->state;
}
static inline const char *trestle_device_name(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->name;
}
static inline uint64_t trestle_device_base(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->base_addr;
}
static inline uint64_t trestle_device_size(const struct trestle_device *dev)
{
    return trestle_device_facts(dev)->size;
}
static inline trestle_time trestle_device_now(const struct trestle_device *dev)
{
    return *(const trestle_time *)trestle_device_facts(dev)->sim;
}

/* Calls wake(dev, timer, when) when time has come to `when`; replaces the timer's previous
 * setting. A time in the past means now, after the current callback. TRESTLE_TIME_NEVER cancels. */
TRESTLE_API void trestle_device_wake_at(struct trestle_device *dev, uint32_t timer,
                                        trestle_time when);
/* The same, `delay` from now. A sum beyond the end of time is its last picosecond. */
static inline void trestle_device_wake_after(struct trestle_device *dev, uint32_t timer,
                                             trestle_time delay)
{
    trestle_time now = trestle_device_now(dev), last = TRESTLE_TIME_NEVER - 1;
    trestle_device_wake_at(dev, timer, delay > last - now ? last : now + delay);
}

/* Ends a request that read() or write() answers with -EINPROGRESS, from inside that call or
 * later. status: 0, or a negative errno for a bus error. data is ignored for writes. A second
 * completion, or one of a request that a reset has cancelled, is logged and ignored. */
TRESTLE_API void trestle_request_complete(struct trestle_request *req, int status, uint64_t data);

/* Sends a copy of data to the peer linked to port. A model that sends on what message() got, whole
 * and from inside message(), makes no copy: no byte is moved between links of one engine.
 * -ENOTCONN: no link there. -EINVAL: no such port. -EMSGSIZE: size is 0 or above
 * TRESTLE_MESSAGE_MAX. -ENOBUFS: the link is full, which the library logs. */
TRESTLE_API TRESTLE_CHECK int trestle_device_send(struct trestle_device *dev, uint32_t port,
                                                  const void *data, size_t size);
TRESTLE_API bool trestle_device_linked(const struct trestle_device *dev, uint32_t port);

/* Bytes for the host, as of a serial port. They go to the place that the user has configured for
 * this device. They are copied, and the call does not wait for a reader. -ENOTCONN: no place is
 * configured, and the bytes go nowhere. -ENOBUFS: some did not fit and are lost; the run has said
 * so. -EINVAL: they are not whole frames, for a model with has_frames; the same. A trace does not
 * have them, since a replay makes them again. */
TRESTLE_API int trestle_device_output(struct trestle_device *dev, const void *data, size_t size);

/* How many bytes in total input() takes from now on, until this is called again; 0 at first, and
 * after a reset until reset() calls it. Further bytes wait outside. */
TRESTLE_API void trestle_device_accept_input(struct trestle_device *dev, size_t bytes);

/* Does what a reset of the guest does, for a register bit that resets the device: cancels timers,
 * drops lines, forgets transfers and messages on their way, gives registers their reset values, and
 * calls reset(). The access under way goes on. In callbacks other than reset() only. */
TRESTLE_API void trestle_device_self_reset(struct trestle_device *dev);

/* From now on the model sees each access `latency` picoseconds after it came; 0, as at the start,
 * means at once. A reset of the guest cancels a waiting access. */
TRESTLE_API void trestle_device_set_access_latency(struct trestle_device *dev,
                                                   trestle_time latency);

/* In init() and start(): the device does not begin, for this reason, whatever the callback returns.
 * In fini(): something that the user asked for is not there, such as a file that could not be
 * written; this is logged as an error, and a run ends with exit code 1 instead of 0. In any other
 * callback: the device no longer works; this is logged as an error, and every access is a bus error
 * until a reset. */
TRESTLE_API void trestle_device_fail(struct trestle_device *dev, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets a level interrupt line; setting it to the level that it has does nothing. */
TRESTLE_API void trestle_device_irq(struct trestle_device *dev, uint32_t line, bool level);
/* To lose no interrupt, call this after every change of a status or an enable register, with the
 * bits that are set in both. The line is high while there are any. */
static inline void trestle_irq_update(struct trestle_device *dev, uint32_t line, uint64_t pending)
{
    trestle_device_irq(dev, line, pending != 0);
}

/* An edge: the line, which is low, goes up and down again within this moment. Use it for
 * edge-triggered inputs: MSI and MSI-X, a PLIC's inputs, and those of a GIC that the guest has set
 * to edges. Others may miss it. */
static inline void trestle_device_pulse(struct trestle_device *dev, uint32_t line)
{
    trestle_device_irq(dev, line, true);
    trestle_device_irq(dev, line, false);
}

/* A place in guest memory, and a buffer of the model's. */
struct trestle_segment {
    uint64_t addr;
    void *buf; /* only a read writes to it */
    size_t size;
};

/* Starts copying from guest memory to buffers or, with write, from buffers to guest memory. The
 * buffers stay valid until dma_done(tag) or reset. tag is the model's own, any value. The places
 * are copied in the order of the list. dma_done() comes once, after the last place, with the first
 * error if there was one. The call copies the list itself. -ENOTSUP: this run has no DMA. -EINVAL:
 * count is 0, or a place has size 0 or wraps. -ENOBUFS: 4096 places are under way. -ENOMEM. On an
 * error nothing has been copied, and dma_done() is not called. */
TRESTLE_API TRESTLE_CHECK int trestle_device_dma(struct trestle_device *dev, bool write,
                                                 const struct trestle_segment *segments,
                                                 size_t count, uint64_t tag);
TRESTLE_CHECK static inline int trestle_device_dma_read(struct trestle_device *dev, uint64_t addr,
                                                        void *buf, size_t size, uint64_t tag)
{
    struct trestle_segment segment = {addr, buf, size};
    return trestle_device_dma(dev, false, &segment, 1, tag);
}
TRESTLE_CHECK static inline int trestle_device_dma_write(struct trestle_device *dev, uint64_t addr,
                                                         const void *buf, size_t size, uint64_t tag)
{
    struct trestle_segment segment = {addr, (void *)buf, size};
    return trestle_device_dma(dev, true, &segment, 1, tag);
}
TRESTLE_CHECK static inline int trestle_device_dma_read_list(struct trestle_device *dev,
                                                             const struct trestle_segment *segments,
                                                             size_t count, uint64_t tag)
{
    return trestle_device_dma(dev, false, segments, count, tag);
}
TRESTLE_CHECK static inline int
trestle_device_dma_write_list(struct trestle_device *dev, const struct trestle_segment *segments,
                              size_t count, uint64_t tag)
{
    return trestle_device_dma(dev, true, segments, count, tag);
}
/* Forgets all transfers of the device that are under way: there is no dma_done(), and their buffers
 * are the model's again. Bytes of some may have been copied. */
TRESTLE_API void trestle_device_dma_cancel(struct trestle_device *dev);

/* A transfer within the call, for models with uses_memory or dma_done. 0: the bytes have been
 * copied. -EFAULT, -ENODEV as for dma_done(). Engine time stands still meanwhile. Transfers happen
 * in the order of their calls, and before the guest sees an interrupt or an answer that comes after
 * them. -ENOTSUP: this run has no DMA, or none that ends at once (under SST). -EINVAL, -ENOMEM as
 * above. */
TRESTLE_API TRESTLE_CHECK int trestle_device_memory(struct trestle_device *dev, bool write,
                                                    uint64_t addr, void *buf, size_t size);
TRESTLE_CHECK static inline int trestle_device_memory_read(struct trestle_device *dev,
                                                           uint64_t addr, void *buf, size_t size)
{
    return trestle_device_memory(dev, false, addr, buf, size);
}
TRESTLE_CHECK static inline int
trestle_device_memory_write(struct trestle_device *dev, uint64_t addr, const void *buf, size_t size)
{
    return trestle_device_memory(dev, true, addr, (void *)buf, size);
}

/* Changes a little-endian number of 2, 4 or 8 bytes at an aligned address: the bits of mask become
 * those of value. *ret_old (not NULL) gets the previous number. Nothing in the session comes
 * between the read and the write; a processor of the guest that runs meanwhile may, as on a bus
 * without atomic operations. Errors as above; -EINVAL also for another size or alignment. */
TRESTLE_API TRESTLE_CHECK int trestle_device_memory_update(struct trestle_device *dev,
                                                           uint64_t addr, size_t size,
                                                           uint64_t mask, uint64_t value,
                                                           uint64_t *ret_old);

/* One line to the run's log, prefixed with the device's name. Guest mistakes are
 * TRESTLE_LOG_WARNING. The log gets at most 10 errors and 10 warnings per device and
 * simulated second, and then the number of those left out. */
TRESTLE_API void trestle_device_log(struct trestle_device *dev, enum trestle_log_level level,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* --- parameters, in init() only ---------------------------------------------------------- */

/* Each gives the configured value, or fallback if there is none. -EINVAL: the value does not
 * parse; the library reports it by name, and init() only has to return the error. A key
 * that init() never asked for is an error as well.
 * u64: decimal or 0x hexadecimal. period: a frequency such as "1GHz" or "2.5MHz", given as its
 * period in picoseconds (1 Hz to 1 THz; a period such as "1ns" is taken too). time: "10ns",
 * "1.5us", "2s"; units ps, ns, us, ms, s. string: lives until init() returns. */
enum trestle_number { TRESTLE_NUMBER_U64, TRESTLE_NUMBER_PERIOD, TRESTLE_NUMBER_TIME };
TRESTLE_API TRESTLE_CHECK int trestle_params_number(const struct trestle_params *params,
                                                    const char *key, enum trestle_number kind,
                                                    uint64_t fallback, uint64_t *ret_value);
TRESTLE_API TRESTLE_CHECK int trestle_params_string(const struct trestle_params *params,
                                                    const char *key, const char *fallback,
                                                    const char **ret_value);
TRESTLE_CHECK static inline int trestle_params_u64(const struct trestle_params *params,
                                                   const char *key, uint64_t fallback,
                                                   uint64_t *ret_value)
{
    return trestle_params_number(params, key, TRESTLE_NUMBER_U64, fallback, ret_value);
}
TRESTLE_CHECK static inline int trestle_params_period(const struct trestle_params *params,
                                                      const char *key, trestle_time fallback,
                                                      trestle_time *ret_period)
{
    return trestle_params_number(params, key, TRESTLE_NUMBER_PERIOD, fallback, ret_period);
}
TRESTLE_CHECK static inline int trestle_params_time(const struct trestle_params *params,
                                                    const char *key, trestle_time fallback,
                                                    trestle_time *ret_time)
{
    return trestle_params_number(params, key, TRESTLE_NUMBER_TIME, fallback, ret_time);
}
/* The index-th configured parameter, for models whose users choose the keys; it counts as asked
 * for. Both strings live until init() returns. -ENOENT: there are fewer. */
TRESTLE_API TRESTLE_CHECK int trestle_params_item(const struct trestle_params *params, size_t index,
                                                  const char **ret_key, const char **ret_value);
/* For a value that parses but is invalid: tells the user that the value of key is not `expected`
 * ("a multiple of 8"), and returns -EINVAL, for init() to return. */
TRESTLE_API TRESTLE_CHECK int trestle_params_refuse(const struct trestle_params *params,
                                                    const char *key, const char *expected);
/* A number of cycles of a clock with that period, given as a time. */
TRESTLE_CHECK static inline int trestle_params_cycles(const struct trestle_params *params,
                                                      const char *key, uint64_t fallback,
                                                      trestle_time period, trestle_time *ret_time)
{
    uint64_t cycles;
    int r = trestle_params_u64(params, key, fallback, &cycles);
    if (r < 0)
        return r;
    if (period && cycles > TRESTLE_TIME_NEVER / period)
        return trestle_params_refuse(params, key, "as many cycles as simulated time can hold");
    *ret_time = cycles * period;
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
