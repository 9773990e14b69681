/* SPDX-License-Identifier: MIT */
/*
 * trestle/registers.h: a device describes itself.
 *
 * A region is a table of registers. A row says everything about one register: its name, place,
 * width, rights, value after a reset, where its value lives in the model's state, what happens
 * beyond storing it, its fields, and a line for people. The library uses the table to answer
 * accesses, for resets, for the names in logs and traces, for documentation, and for the header for
 * firmware.
 *
 *     struct blinker { uint32_t ctrl, status, leds[4]; };
 *
 *     #define CTRL_ENABLE 0x1u
 *     #define CTRL_MODE 0x6u
 *
 *     static const struct trestle_register rows[] = {
 *         {"CTRL", 0x00, TRESTLE_AT(struct blinker, ctrl), .on_write = ctrl_written,
 *          .fields = TRESTLE_FIELDS({"enable", CTRL_ENABLE},
 *                                   {"mode", CTRL_MODE, .values = TRESTLE_VALUES({"slow", 0},
 *                                                                                {"fast", 1})}),
 *          .doc = "switches it on"},
 *         {"STATUS", 0x04, .access = TRESTLE_RO, TRESTLE_AT(struct blinker, status)},
 *         {"LED", 0x10, TRESTLE_ARRAY_AT(struct blinker, leds)},
 *     };
 *     static const struct trestle_region registers = {TRESTLE_REGION(rows)};
 *
 *     const struct trestle_model blinker = {
 *         .size = sizeof(blinker),
 *         .name = "blinker",
 *         .regions = TRESTLE_REGIONS(&registers),
 *         .state_size = sizeof(struct blinker),
 *     };
 *
 * The library checks a table when it makes a device; it refuses an invalid table, with the name of
 * the row. A table may be made at run time. The table and everything that it points to must outlive
 * the device. Structs here only grow at their end, and carry their sizes.
 */
#ifndef TRESTLE_REGISTERS_H
#define TRESTLE_REGISTERS_H

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the guest may do with a register, or with a field of one. */
enum trestle_rights {
    TRESTLE_RIGHTS_DEFAULT, /* a register: RW; a field: as its register */
    TRESTLE_RW,
    TRESTLE_RO,       /* a write is ignored; of a whole register, with a warning */
    TRESTLE_WO,       /* reads as 0 */
    TRESTLE_W1C,      /* ones that are written clear */
    TRESTLE_W1S,      /* ones that are written set */
    TRESTLE_W1T,      /* ones that are written toggle */
    TRESTLE_W0C,      /* zeroes that are written clear */
    TRESTLE_W0S,      /* zeroes that are written set */
    TRESTLE_W0T,      /* zeroes that are written toggle */
    TRESTLE_WC,       /* any write clears */
    TRESTLE_WS,       /* any write sets */
    TRESTLE_RC,       /* reading clears; writes are ignored */
    TRESTLE_RS,       /* reading sets; writes are ignored */
    TRESTLE_TRIGGER,  /* a write is seen by on_write only: never stored, reads as 0 */
    TRESTLE_RESERVED, /* reads as 0, writes are ignored; of a whole register, with a warning */
};

/* A name for a value of a field. A list ends with a value whose name is NULL. */
struct trestle_value {
    const char *name;
    uint64_t value; /* of the field, shifted down to bit 0 */
    const char *doc;
};

/* Bits of a register. A list ends with a field whose name is NULL. */
struct trestle_field {
    const char *name;
    uint64_t mask; /* its bits, next to each other, in the register */
    enum trestle_rights access;
    const struct trestle_value *values; /* or NULL */
    const char *doc;                    /* or NULL */
};

struct trestle_register;

/* An access to one register, on its way through a hook. */
struct trestle_register_access {
    const struct trestle_register *reg;
    uint32_t index; /* in an array of registers; otherwise 0 */
    /* on_read: what the guest will get; at first the stored value (0 if there is none).
     * on_write: what the guest has written, as a value of the whole register. If the access was
     * narrower, the other bits are those of `old`. */
    uint64_t value;
    uint64_t old;  /* on_write: the value before */
    uint64_t mask; /* the bits that the access covers */
    /* For a hook that answers with -EINPROGRESS. */
    struct trestle_request *req;
    const struct trestle_access *access; /* the guest's whole access */
};

struct trestle_register {
    const char *name; /* letters, digits and '_'. In an array "%s" is its index
                       * ("CH%s_ADDR"); without one it is appended ("LED[2]") */
    uint64_t offset;  /* bytes from the beginning of the region; a multiple of size */
    uint32_t size;    /* bytes: 1, 2, 4, 8; 0: 4 */
    enum trestle_rights access;
    uint64_t reset; /* stored when the device is made, and at each reset */
    uint64_t mask;  /* bits that a write can change. 0: those of the fields, or all
                     * if there are no fields */
    /* Where the value lives: see TRESTLE_AT(). A size of 0: nowhere, a hook answers. */
    uint32_t storage;        /* bytes from the beginning of the state */
    uint32_t storage_size;   /* bytes of one value: 1, 2, 4, 8, at most the register's size */
    uint32_t storage_stride; /* bytes from one of an array to the next; 0: storage_size */
    uint32_t count;          /* registers in the array; 0: not an array */
    uint32_t stride;         /* bytes from one to the next; 0: size */
    uint32_t widths;         /* OR of 1, 2, 4, 8: the accesses that it takes; 0: of its own size.
                              * A narrower access reaches only its bytes, a wider one each
                              * register that it covers; all of these have to take it */
    bool whole;              /* accesses of all widths begin at the register's offset and give
                              * its value, cut off or extended with zeroes */
    bool keep;               /* a reset leaves it as it is */
    /* on_read is called when the guest reads, before it gets the value; on_write when it writes,
     * after the value was stored as access and mask say. They return 0, -EINPROGRESS (the hook
     * keeps access->req, and completes it), or another negative errno for a bus error. */
    int (*on_read)(struct trestle_device *dev, struct trestle_register_access *access);
    int (*on_write)(struct trestle_device *dev, struct trestle_register_access *access);
    const struct trestle_field *fields; /* or NULL */
    const char *doc;                    /* one line, or NULL */
};

/* What the guest gets from an access where no register is. */
enum trestle_holes {
    TRESTLE_HOLES_FAIL, /* a bus error */
    TRESTLE_HOLES_ZERO, /* reads are 0 and writes ignored, with a warning */
};

/* A range of addresses of a device. Without registers its accesses go to the model's read() and
 * write(), with its number in access->region. */
struct trestle_region {
    size_t size; /* sizeof(struct trestle_region); the next three likewise */
    size_t register_size, field_size, value_size;
    const struct trestle_register *registers;
    size_t num_registers;
    const char *name; /* or NULL */
    uint64_t bytes;   /* 0: up to the end of the last register */
    uint32_t widths;  /* OR of 1, 2, 4, 8; 0: those of the registers */
    enum trestle_holes holes;
    const char *doc;
    /* The table only names registers: accesses go to read() and write() as if there were no table,
     * and nothing is stored or checked. For models that keep their registers elsewhere, such as in
     * a core in Verilog. Rows need no storage and no hooks. */
    bool names_only;
    /* Plain memory of `bytes` bytes, zeroed at the start; the model does not see accesses to it:
     * see trestle_device_region_memory(). As the BAR of a PCI device it is in the guest's own
     * memory, and accesses cost as much as there. Otherwise each access is a message, as usual. */
    bool is_memory;
};

/* Where the memory of a region with is_memory is, for as long as the device lives; NULL: the region
 * is not memory. The guest may write there at any time, and reads what the model writes. A reset
 * leaves the memory as it is. Neither traces nor the hash of a run include these accesses. */
TRESTLE_API void *trestle_device_region_memory(const struct trestle_device *dev, uint32_t region);

/* --- for tables in C (all but the last four in C++20, too) ----------------------------------- */

/* The value lives in that member of the state. */
#define TRESTLE_AT(type, member) \
    .storage = offsetof(type, member), .storage_size = sizeof(((type *)0)->member)
/* The halves of a member of 64 bits. */
#define TRESTLE_AT_LOW(type, member) .storage = offsetof(type, member), .storage_size = 4
#define TRESTLE_AT_HIGH(type, member) .storage = offsetof(type, member) + 4, .storage_size = 4
/* As many registers as that member has elements. */
#define TRESTLE_ARRAY_AT(type, member)                                                    \
    .storage = offsetof(type, member[0]), .storage_size = sizeof(((type *)0)->member[0]), \
    .storage_stride = sizeof(((type *)0)->member[0]),                                     \
    .count = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0])
/* As many as `array` has elements; the value is a member of each: channels[i].addr. */
#define TRESTLE_EACH_AT(type, array, member)              \
    .storage = offsetof(type, array[0].member),           \
    .storage_size = sizeof(((type *)0)->array[0].member), \
    .storage_stride = sizeof(((type *)0)->array[0]),      \
    .count = sizeof(((type *)0)->array) / sizeof(((type *)0)->array[0])

#define TRESTLE_REGION_SIZES                                                                 \
    .size = sizeof(struct trestle_region), .register_size = sizeof(struct trestle_register), \
    .field_size = sizeof(struct trestle_field), .value_size = sizeof(struct trestle_value)
#define TRESTLE_REGION(rows) \
    TRESTLE_REGION_SIZES, .registers = (rows), .num_registers = sizeof(rows) / sizeof((rows)[0])

#define TRESTLE_FIELDS(...) ((const struct trestle_field[]){__VA_ARGS__, {0}})
#define TRESTLE_VALUES(...) ((const struct trestle_value[]){__VA_ARGS__, {0}})
#define TRESTLE_REGIONS(...) ((const struct trestle_region *const[]){__VA_ARGS__, NULL})
#define TRESTLE_NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

#ifdef __cplusplus
}

/* --- for tables in C++ that only name registers ---------------------------------------------- */

namespace trestle
{

inline trestle_register named(const char *name, uint64_t offset,
                              enum trestle_rights access = TRESTLE_RW,
                              const trestle_field *fields = nullptr, const char *doc = nullptr,
                              uint32_t size = 4, uint64_t reset = 0, uint32_t count = 0,
                              uint32_t stride = 0)
{
    trestle_register row = {};
    row.name = name;
    row.offset = offset;
    row.size = size;
    row.access = access;
    row.reset = reset;
    row.count = count;
    row.stride = stride;
    row.fields = fields;
    row.doc = doc;
    return row;
}

template <size_t count> trestle_region names_of(const trestle_register (&rows)[count])
{
    trestle_region region = {};
    region.size = sizeof(region);
    region.register_size = sizeof(trestle_register);
    region.field_size = sizeof(trestle_field);
    region.value_size = sizeof(trestle_value);
    region.registers = rows;
    region.num_registers = count;
    region.names_only = true;
    return region;
}

} // namespace trestle
#endif
#endif
