/* SPDX-License-Identifier: MIT */
/* Reads an SVD file: its peripherals, and their registers with all that they inherit and repeat. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "svd/derive.h"
#include "svd/svd.h"
#include "svd/text.h"
#include "svd/tree.h"
#include "util.h"

enum {
    FILE_MAX = 256 * 1024 * 1024,
    PERIPHERALS_MAX = 16 * 1024,
    REGISTERS_MAX = 256 * 1024, /* of a peripheral, with the elements of its arrays */
    FIELDS_MAX = 1024,          /* of a register */
    PARTS_MAX = 1024 * 1024,    /* fields and their values, of a peripheral */
    VALUES_MAX = 1024,          /* of a field */
    NAME_LENGTH_MAX = 256,
    VISITS_MAX = 1024 * 1024, /* of clusters and registers of a peripheral */
    CLUSTERS_MAX = 16,        /* in each other */
    DOC_MAX = 240,
};

/* A <peripheral>, or one of an array. */
struct entry {
    const char *name;
    struct svd_node *node;
    uint64_t offset; /* of this one of the array, from baseAddress */
};

struct svd_file {
    char *path;
    struct svd_tree tree;
    struct entry *entries;
    size_t num_entries;
};

/* What registers inherit from the elements around them. */
struct inherited {
    unsigned bits;
    uint64_t reset;
    struct svd_rights rights;
};

struct reader {
    struct svd_file *file;
    char **ret_error;
    struct svd_peripheral *peripheral;
    size_t room;
    uint64_t elements, visits, parts;
};

static int fail(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

static int fail(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sentence = xvformat(format, args);
    va_end(args);
    *ret_error = xformat("%s:%u: %s", file->path, node->line, sentence);
    replace_control_characters(*ret_error);
    free(sentence);
    return -EINVAL;
}

/* --- values ------------------------------------------------------------------------------- */

static int read_number(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                       enum svd_element element, uint64_t fallback, uint64_t *ret_value)
{
    const struct svd_node *child = svd_get(node, element);
    *ret_value = fallback;
    if (!child || svd_number(child->text, ret_value) == SVD_NUMBER_GOOD)
        return 0;
    return fail(file, ret_error, child, "<%s> \"%s\" is not a number of at most 64 bits",
                svd_element_name(element), child->text);
}

static const char *read_doc(struct svd_file *file, const struct svd_node *node)
{
    const struct svd_node *doc = svd_get(node, SVD_DESCRIPTION);
    if (!doc)
        return NULL;
    size_t size = strlen(doc->text);
    if (size <= DOC_MAX)
        return doc->text;
    for (size = DOC_MAX; size > 0 && (doc->text[size] & 0xc0) == 0x80;)
        size--;
    while (size > 0 && doc->text[size - 1] == ' ')
        size--;
    return svd_tree_text(&file->tree, doc->text, size);
}

static void inherit_rights(const struct svd_node *node, struct svd_rights *rights)
{
    const struct svd_node *child = svd_get(node, SVD_ACCESS);
    unsigned access = child ? svd_access_word(child->text) : 0;
    if (access)
        rights->access = access;
    child = svd_get(node, SVD_MODIFIED_WRITE_VALUES);
    if (child)
        rights->on_write = svd_write_word(child->text);
    child = svd_get(node, SVD_READ_ACTION);
    if (child)
        rights->on_read = svd_read_word(child->text);
}

/* A reset value that is not a number is unknown. */
static int inherit(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                   struct inherited *inherited)
{
    enum { BITS_MAX = 4096 };
    const struct svd_node *child = svd_get(node, SVD_SIZE);
    uint64_t bits = inherited->bits;
    if (child && (svd_number(child->text, &bits) != SVD_NUMBER_GOOD || bits > BITS_MAX))
        return fail(file, ret_error, child, "<size> \"%s\" is not a number of bits", child->text);
    if (bits > 0)
        inherited->bits = (unsigned)bits;
    child = svd_get(node, SVD_RESET_VALUE);
    if (child && svd_number(child->text, &inherited->reset) == SVD_NUMBER_BAD)
        inherited->reset = 0;
    inherit_rights(node, &inherited->rights);
    return 0;
}

/* --- arrays ------------------------------------------------------------------------------- */

struct array {
    bool is; /* false: one element, whose index is "" */
    uint64_t count;
    uint64_t increment; /* 0: not said */
    const char *index;  /* the names of the elements; NULL: 0, 1, 2... */
};

static int read_array(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                      const char *name, uint64_t max, struct array *ret_array)
{
    /* An element that is derived from an array is an array only if its name has a place for an
     * index. */
    const struct svd_node *dim =
        strstr(name, "%s") ? svd_get(node, SVD_DIM) : svd_child(node, SVD_DIM);
    struct array array = {.count = 1};
    if (dim) {
        array.is = true;
        int r = read_number(file, ret_error, node, SVD_DIM, 1, &array.count);
        if (r == 0)
            r = read_number(file, ret_error, node, SVD_DIM_INCREMENT, 0, &array.increment);
        if (r < 0)
            return r;
        if (array.count > max)
            return fail(file, ret_error, dim,
                        "<dim> makes %llu of \"%s\"; a peripheral may have %llu registers in all",
                        (unsigned long long)array.count, name, (unsigned long long)max);
        array.index = svd_get_text(node, SVD_DIM_INDEX, NULL);
        if (array.index && svd_dim_counts(array.index, array.count))
            array.index = NULL;
    }
    *ret_array = array;
    return 0;
}

/* The name of one element of an array: with its index in place of "%s" or "[%s]", or at the end. */
static char *element_name(const char *name, const struct array *array, uint64_t i)
{
    char *index = array->index ? svd_dim_index(array->index, i) : NULL;
    if (!index)
        index = xformat("%llu", (unsigned long long)i);
    const char *place = strstr(name, "%s");
    size_t before = place ? (size_t)(place - name) : strlen(name);
    const char *after = place ? place + 2 : "";
    bool bracket = place && before > 0 && name[before - 1] == '[' && *after == ']';
    if (bracket) {
        before--;
        after++;
    }
    char *element = xformat("%.*s%s%s", (int)before, name, index, after);
    free(index);
    return element;
}

/* A name without "[%s]": the index of an array then goes to the end, as in "CH[2]". */
static char *array_name(const char *name)
{
    const char *place = strstr(name, "[%s]");
    return place ? xformat("%.*s%s", (int)(place - name), name, place + 4) : xstrdup(name);
}

static const char *keep(struct svd_file *file, char *text)
{
    const char *kept = svd_tree_text(&file->tree, text, strlen(text));
    free(text);
    return kept;
}

static const char *name_of(const struct svd_node *node)
{
    const struct svd_node *name = svd_child(node, SVD_NAME);
    if (!name || !*name->text)
        name = svd_get(node, SVD_DISPLAY_NAME);
    return name ? name->text : "";
}

/* --- members of a peripheral or register, with its bases' ------------------------------------- */

struct members {
    const struct svd_node *owner; /* the node itself, then its bases */
    const struct svd_node *first_owner;
    struct svd_node *next;
};

static struct members members_of(const struct svd_node *node)
{
    return (struct members){node, node, svd_container(node)->first};
}

/* Whether the node or a base before `owner` has a member of that name. */
static bool is_overridden(const struct members *members, const struct svd_node *member)
{
    const char *name = name_of(member);
    for (const struct svd_node *owner = members->first_owner; owner != members->owner;
         owner = owner->base)
        for (const struct svd_node *at = svd_container(owner)->first; at; at = at->next)
            if (at->element == member->element && strcmp(name_of(at), name) == 0)
                return true;
    return false;
}

static struct svd_node *next_member(struct members *members)
{
    for (;;) {
        while (members->owner && !members->next) {
            members->owner = members->owner->base;
            members->next = members->owner ? svd_container(members->owner)->first : NULL;
        }
        struct svd_node *member = members->next;
        if (!member)
            return NULL;
        members->next = member->next;
        if ((member->element == SVD_REGISTER || member->element == SVD_CLUSTER ||
             member->element == SVD_FIELD) &&
            !is_overridden(members, member))
            return member;
    }
}

/* --- fields ------------------------------------------------------------------------------- */

/* The lists of a field: what reading gives, what writing does, or both. */
static size_t count_values(const struct svd_node *field)
{
    size_t count = 0;
    for (const struct svd_node *list = field->first; list; list = list->next)
        for (const struct svd_node *from = list; list->element == SVD_ENUMERATED_VALUES && from;
             from = from->base)
            for (const struct svd_node *value = from->first; value; value = value->next)
                count += value->element == SVD_ENUMERATED_VALUE;
    return count;
}

static void add_value(struct svd_file *file, struct svd_field *field, const struct svd_node *node)
{
    const struct svd_node *number = svd_get(node, SVD_VALUE);
    const char *name = name_of(node);
    uint64_t value;
    if (!number || !*name || svd_number(number->text, &value) != SVD_NUMBER_GOOD ||
        field->num_values == VALUES_MAX || (field->width < 64 && value >> field->width))
        return; /* <isDefault> among others */
    for (size_t i = 0; i < field->num_values; i++)
        if (field->values[i].value == value || strcmp(field->values[i].name, name) == 0)
            return;
    field->values[field->num_values++] =
        (struct svd_value){.name = name, .doc = read_doc(file, node), .value = value};
}

static int count_parts(struct reader *reader, const struct svd_node *node, size_t count)
{
    reader->parts += count;
    if (reader->parts <= PARTS_MAX)
        return 0;
    return fail(reader->file, reader->ret_error, node,
                "more than %d fields and values in the peripheral %s; is a <dim> too large?",
                PARTS_MAX, reader->peripheral->name);
}

static int read_values(struct reader *reader, struct svd_node *node, struct svd_field *field)
{
    struct svd_file *file = reader->file;
    const struct svd_node *from = node;
    while (from && !svd_child(from, SVD_ENUMERATED_VALUES))
        from = from->base;
    if (!from)
        return 0;
    for (struct svd_node *list = from->first; list; list = list->next) {
        int r = list->element == SVD_ENUMERATED_VALUES
                    ? svd_derive(file->path, list, reader->ret_error)
                    : 0;
        if (r == -ELOOP)
            return r;
        if (r < 0)
            free(*reader->ret_error); /* values without names are still values */
    }
    size_t count = count_values(from);
    int r = count_parts(reader, node, count);
    if (r < 0)
        return r;
    if (count > VALUES_MAX)
        count = VALUES_MAX;
    field->values = svd_tree_alloc(&file->tree, count * sizeof(*field->values));
    for (const struct svd_node *list = from->first; list; list = list->next)
        for (const struct svd_node *at = list; list->element == SVD_ENUMERATED_VALUES && at;
             at = at->base)
            for (const struct svd_node *value = at->first; value; value = value->next)
                if (value->element == SVD_ENUMERATED_VALUE)
                    add_value(file, field, value);
    return 0;
}

static int read_bits(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                     uint64_t *ret_lsb, uint64_t *ret_width)
{
    uint64_t msb;
    int r;
    const struct svd_node *range = svd_get(node, SVD_BIT_RANGE);
    if (range) {
        if (!svd_bit_range(range->text, &msb, ret_lsb))
            return fail(file, ret_error, range, "<bitRange> \"%s\" is not like [7:4]", range->text);
        *ret_width = msb - *ret_lsb + 1;
        return 0;
    }
    if (svd_get(node, SVD_LSB) || svd_get(node, SVD_MSB)) {
        r = read_number(file, ret_error, node, SVD_LSB, 0, ret_lsb);
        if (r == 0)
            r = read_number(file, ret_error, node, SVD_MSB, *ret_lsb, &msb);
        if (r == 0 && msb < *ret_lsb) {
            uint64_t swap = msb;
            msb = *ret_lsb;
            *ret_lsb = swap;
        }
        *ret_width = msb - *ret_lsb + 1;
        return r;
    }
    r = read_number(file, ret_error, node, SVD_BIT_OFFSET, 0, ret_lsb);
    if (r == 0)
        r = read_number(file, ret_error, node, SVD_BIT_WIDTH, 1, ret_width);
    return r;
}

struct fields {
    struct svd_field items[FIELDS_MAX];
    size_t count;
};

/* Drops a field that lies outside of its register. */
static int add_field(struct reader *reader, const struct svd_register *reg, struct svd_node *node,
                     struct fields *fields)
{
    struct svd_file *file = reader->file;
    const char *name = name_of(node);
    struct array array;
    uint64_t lsb, width;
    struct svd_field field = {.doc = NULL, .rights = reg->rights};
    int r = read_array(file, reader->ret_error, node, name, FIELDS_MAX, &array);
    if (r == 0)
        r = read_bits(file, reader->ret_error, node, &lsb, &width);
    if (r < 0)
        return r;
    inherit_rights(node, &field.rights);
    field.doc = read_doc(file, node);
    field.width = width < reg->bits ? (unsigned)width : reg->bits;
    if (width > 0 && lsb < reg->bits)
        r = read_values(reader, node, &field);
    for (uint64_t i = 0; i < array.count && r == 0; i++) {
        uint64_t at = lsb + i * (array.increment ? array.increment : width);
        if (width == 0 || at >= reg->bits)
            continue;
        if (fields->count == FIELDS_MAX)
            return fail(file, reader->ret_error, node, "more than %d fields in a register",
                        FIELDS_MAX);
        field.name = array.is ? keep(file, element_name(name, &array, i)) : name;
        field.lsb = (unsigned)at;
        if (width > reg->bits - at)
            field.width = (unsigned)(reg->bits - at);
        fields->items[fields->count++] = field;
    }
    return r;
}

static int read_fields(struct reader *reader, const struct svd_node *node, struct svd_register *reg)
{
    struct fields *fields = xcalloc(1, sizeof(*fields));
    struct members members = members_of(node);
    int r = 0;
    for (struct svd_node *member; r == 0 && (member = next_member(&members));) {
        if (member->element != SVD_FIELD)
            continue;
        r = svd_derive(reader->file->path, member, reader->ret_error);
        if (r == -ENOENT) {
            free(*reader->ret_error); /* the field describes itself well enough, or is left out */
            r = 0;
        }
        if (r == 0)
            r = add_field(reader, reg, member, fields);
    }
    if (r == 0)
        r = count_parts(reader, node, fields->count);
    if (r < 0) {
        free(fields);
        return r;
    }
    reg->num_fields = fields->count;
    reg->fields = svd_tree_alloc(&reader->file->tree, fields->count * sizeof(*reg->fields));
    if (fields->count > 0)
        memcpy(reg->fields, fields->items, fields->count * sizeof(*reg->fields));
    free(fields);
    return 0;
}

/* --- registers ---------------------------------------------------------------------------- */

static void add_register(struct reader *reader, const struct svd_register *reg)
{
    struct svd_peripheral *peripheral = reader->peripheral;
    if (peripheral->num_registers == reader->room) {
        reader->room = reader->room ? 2 * reader->room : 64;
        peripheral->registers =
            xrealloc(peripheral->registers, reader->room, sizeof(*peripheral->registers));
    }
    peripheral->registers[peripheral->num_registers++] = *reg;
}

static int count_elements(struct reader *reader, const struct svd_node *node, uint64_t count)
{
    reader->elements += count;
    if (reader->elements <= REGISTERS_MAX)
        return 0;
    return fail(reader->file, reader->ret_error, node,
                "more than %d registers in the peripheral %s; is a <dim> too large?", REGISTERS_MAX,
                reader->peripheral->name);
}

/* Names grow with each cluster, and with each element of an array. */
static int check_name(struct reader *reader, const struct svd_node *node, const char *prefix)
{
    if (strlen(prefix) + strlen(name_of(node)) <= NAME_LENGTH_MAX)
        return 0;
    return fail(reader->file, reader->ret_error, node, "a name of more than %d characters",
                NAME_LENGTH_MAX);
}

static int read_register(struct reader *reader, struct svd_node *node, uint64_t base,
                         const char *prefix, struct inherited inherited)
{
    struct svd_file *file = reader->file;
    uint64_t offset;
    struct array array;
    int r = inherit(file, reader->ret_error, node, &inherited);
    const char *name = name_of(node);
    if (r == 0)
        r = read_number(file, reader->ret_error, node, SVD_ADDRESS_OFFSET, 0, &offset);
    if (r == 0)
        r = read_array(file, reader->ret_error, node, name, REGISTERS_MAX, &array);
    if (r == 0)
        r = count_elements(reader, node, array.count * ((inherited.bits + 63) / 64));
    if (r < 0)
        return r;
    struct svd_register reg = {
        .doc = read_doc(file, node),
        .line = node->line,
        .offset = base + offset,
        .bits = inherited.bits,
        .reset = inherited.reset,
        .rights = inherited.rights,
        .stride = array.increment ? array.increment : (inherited.bits + 7) / 8,
    };
    r = read_fields(reader, node, &reg);
    if (r < 0)
        return r;
    if (array.is && !array.index) {
        char *whole = array_name(name);
        reg.name = keep(file, xformat("%s%s", prefix, whole));
        free(whole);
        reg.count = array.count;
        if (array.count > 0)
            add_register(reader, &reg);
        return 0;
    }
    for (uint64_t i = 0; i < array.count; i++) {
        char *element = array.is ? element_name(name, &array, i) : xstrdup(name);
        if (!*element) {
            free(element);
            element = xformat("at_0x%llx", (unsigned long long)reg.offset);
        }
        reg.name = keep(file, xformat("%s%s", prefix, element));
        free(element);
        add_register(reader, &reg);
        reg.offset += reg.stride;
    }
    return 0;
}

/* Bytes up to the end of a cluster's last member: the stride of an array that gives none. */
static int read_members(struct reader *reader, struct svd_node *node, uint64_t base,
                        const char *prefix, unsigned depth, const struct inherited *inherited);

/* Bytes up to the end of a cluster's last member: the stride of an array that gives none. */
static uint64_t extent(const struct svd_peripheral *peripheral, size_t from, uint64_t base)
{
    uint64_t bytes = 0;
    for (size_t i = from; i < peripheral->num_registers; i++) {
        const struct svd_register *reg = &peripheral->registers[i];
        uint64_t end = reg->offset - base + (reg->count ? reg->count - 1 : 0) * reg->stride +
                       (reg->bits + 7) / 8;
        if (end > bytes)
            bytes = end;
    }
    return bytes;
}

static int read_cluster(struct reader *reader, struct svd_node *node, uint64_t base,
                        const char *prefix, unsigned depth, struct inherited inherited)
{
    struct svd_file *file = reader->file;
    const char *name = name_of(node);
    uint64_t offset;
    struct array array;
    if (depth == CLUSTERS_MAX)
        return fail(
            file, reader->ret_error, node,
            "cluster \"%s\" is nested %d deep; is it derived from a cluster that contains it?",
            name, CLUSTERS_MAX);
    int r = inherit(file, reader->ret_error, node, &inherited);
    if (r == 0)
        r = read_number(file, reader->ret_error, node, SVD_ADDRESS_OFFSET, 0, &offset);
    if (r == 0)
        r = read_array(file, reader->ret_error, node, name, REGISTERS_MAX, &array);
    for (uint64_t i = 0; r == 0 && i < array.count; i++) {
        size_t first = reader->peripheral->num_registers;
        char *element = array.is ? element_name(name, &array, i) : xstrdup(name);
        char *inner = xformat("%s%s%s", prefix, element, *element ? "_" : "");
        r = read_members(reader, node, base + offset, inner, depth + 1, &inherited);
        free(inner);
        free(element);
        if (!array.increment)
            array.increment = extent(reader->peripheral, first, base + offset);
        offset += array.increment;
    }
    return r;
}

static int read_members(struct reader *reader, struct svd_node *node, uint64_t base,
                        const char *prefix, unsigned depth, const struct inherited *inherited)
{
    struct members members = members_of(node);
    int r = 0;
    for (struct svd_node *member; r == 0 && (member = next_member(&members));) {
        if (member->element == SVD_FIELD)
            continue;
        if (++reader->visits > VISITS_MAX)
            return fail(reader->file, reader->ret_error, member,
                        "the clusters of the peripheral %s make more than %d registers",
                        reader->peripheral->name, VISITS_MAX);
        r = svd_derive(reader->file->path, member, reader->ret_error);
        if (r == 0)
            r = check_name(reader, member, prefix);
        if (r == 0)
            r = (member->element == SVD_CLUSTER
                     ? read_cluster(reader, member, base, prefix, depth, *inherited)
                     : read_register(reader, member, base, prefix, *inherited));
    }
    return r;
}

/* --- peripherals -------------------------------------------------------------------------- */

static int read_blocks(const struct svd_file *file, char **ret_error, const struct svd_node *node,
                       struct svd_peripheral *peripheral)
{
    while (node && !svd_child(node, SVD_ADDRESS_BLOCK))
        node = node->base;
    for (const struct svd_node *block = node ? node->first : NULL; block; block = block->next) {
        uint64_t offset, size;
        if (block->element != SVD_ADDRESS_BLOCK)
            continue;
        int r = read_number(file, ret_error, block, SVD_OFFSET, 0, &offset);
        if (r == 0)
            r = read_number(file, ret_error, block, SVD_SIZE, 0, &size);
        if (r < 0)
            return r;
        if (offset + size < offset)
            return fail(file, ret_error, block,
                        "the address block runs past the end of the address space");
        if (offset + size > peripheral->bytes)
            peripheral->bytes = offset + size;
    }
    return 0;
}

static void read_interrupts(struct svd_file *file, const struct svd_node *node,
                            struct svd_peripheral *peripheral)
{
    size_t count = 0;
    for (const struct svd_node *at = node->first; at; at = at->next)
        count += at->element == SVD_INTERRUPT;
    peripheral->interrupts = svd_tree_alloc(&file->tree, count * sizeof(*peripheral->interrupts));
    for (const struct svd_node *at = node->first; at; at = at->next) {
        const struct svd_node *value = svd_child(at, SVD_VALUE);
        uint64_t number;
        if (at->element == SVD_INTERRUPT && value &&
            svd_number(value->text, &number) == SVD_NUMBER_GOOD)
            peripheral->interrupts[peripheral->num_interrupts++] = (struct svd_interrupt){
                .name = name_of(at), .doc = read_doc(file, at), .number = number};
    }
}

static int read_entry(struct reader *reader, const struct entry *entry)
{
    struct svd_file *file = reader->file;
    struct svd_peripheral *peripheral = reader->peripheral;
    struct inherited inherited = {.bits = 32, .rights = {.access = SVD_READ | SVD_WRITE}};
    peripheral->name = entry->name;
    peripheral->line = entry->node->line;
    int r = svd_derive(file->path, entry->node, reader->ret_error);
    if (r == 0)
        r = read_number(file, reader->ret_error, entry->node, SVD_BASE_ADDRESS, 0,
                        &peripheral->base);
    if (r == 0)
        r = read_blocks(file, reader->ret_error, entry->node, peripheral);
    if (r == 0)
        r = inherit(file, reader->ret_error, file->tree.root, &inherited);
    if (r == 0)
        r = inherit(file, reader->ret_error, entry->node, &inherited);
    if (r < 0)
        return r;
    peripheral->base += entry->offset;
    peripheral->doc = read_doc(file, entry->node);
    read_interrupts(file, entry->node, peripheral);
    return read_members(reader, entry->node, 0, "", 0, &inherited);
}

int svd_read(struct svd_file *file, size_t index, struct svd_peripheral *ret_peripheral,
             char **ret_error)
{
    struct svd_peripheral peripheral = {0};
    struct reader reader = {.file = file, .ret_error = ret_error, .peripheral = &peripheral};
    int r = read_entry(&reader, &file->entries[index]);
    size_t size = peripheral.num_registers * sizeof(*peripheral.registers);
    if (r == 0) {
        struct svd_register *registers = peripheral.registers;
        peripheral.registers = svd_tree_alloc(&file->tree, size);
        if (size > 0)
            memcpy(peripheral.registers, registers, size);
        free(registers);
        *ret_peripheral = peripheral;
        return 0;
    }
    free(peripheral.registers);
    return -EINVAL;
}

/* --- the file ----------------------------------------------------------------------------- */

static void add_entry(struct svd_file *file, const char *name, struct svd_node *node,
                      uint64_t offset)
{
    if ((file->num_entries & (file->num_entries - 1)) == 0)
        file->entries = xrealloc(file->entries, file->num_entries ? 2 * file->num_entries : 1,
                                 sizeof(*file->entries));
    file->entries[file->num_entries++] = (struct entry){name, node, offset};
}

static int list_peripherals(struct svd_file *file, char **ret_error)
{
    for (struct svd_node *node = svd_container(file->tree.root)->first; node; node = node->next) {
        struct array array;
        if (node->element != SVD_PERIPHERAL)
            continue;
        const char *name = name_of(node);
        if (!*name || strlen(name) > NAME_LENGTH_MAX)
            return fail(file, ret_error, node, "a <peripheral> has %s",
                        *name ? "too long a <name>" : "no <name>");
        int r = read_array(file, ret_error, node, name, PERIPHERALS_MAX, &array);
        if (r < 0)
            return r;
        for (uint64_t i = 0; i < array.count; i++) {
            if (file->num_entries == PERIPHERALS_MAX)
                return fail(file, ret_error, node, "more than %d peripherals", PERIPHERALS_MAX);
            add_entry(file, array.is ? keep(file, element_name(name, &array, i)) : name, node,
                      i * array.increment);
        }
    }
    if (file->num_entries == 0)
        return fail(file, ret_error, file->tree.root, "<device> has no <peripheral>");
    return 0;
}

int svd_parse(const char *path, const char *text, size_t size, struct svd_file **ret_file,
              char **ret_error)
{
    struct svd_file *file = xcalloc(1, sizeof(*file));
    file->path = xstrdup(path);
    int r = svd_tree_parse(path, text, size, &file->tree, ret_error);
    if (r == 0)
        r = list_peripherals(file, ret_error);
    if (r < 0) {
        svd_destroy(file);
        return r;
    }
    *ret_file = file;
    return 0;
}

int svd_load(const char *path, struct svd_file **ret_file, char **ret_error)
{
    char *text;
    size_t size;
    int r = io_read_file(path, FILE_MAX, &text, &size);
    if (r < 0) {
        *ret_error = xformat("%s: %s; check the path", path, strerror(-r));
        return r;
    }
    r = svd_parse(path, text, size, ret_file, ret_error);
    free(text);
    return r;
}

void svd_destroy(struct svd_file *file)
{
    if (!file)
        return;
    svd_tree_finish(&file->tree);
    free(file->entries);
    free(file->path);
    free(file);
}

const char *svd_path(const struct svd_file *file)
{
    return file->path;
}

void *svd_alloc(struct svd_file *file, size_t size)
{
    return svd_tree_alloc(&file->tree, size);
}

size_t svd_num_peripherals(const struct svd_file *file)
{
    return file->num_entries;
}

const char *svd_peripheral_name(const struct svd_file *file, size_t index)
{
    return file->entries[index].name;
}

unsigned svd_peripheral_line(const struct svd_file *file, size_t index)
{
    return file->entries[index].node->line;
}

int svd_find(const struct svd_file *file, const char *name, size_t *ret_index, char **ret_error)
{
    for (size_t i = 0; i < file->num_entries; i++)
        if (strcmp(file->entries[i].name, name) == 0) {
            *ret_index = i;
            return 0;
        }
    enum { LISTED_MAX = 12 };
    struct strings names = {0};
    for (size_t i = 0; i < file->num_entries; i++)
        strings_add(&names, file->entries[i].name);
    const char *near = suggest(name, names.items);
    char *help;
    if (near || names.count <= LISTED_MAX)
        help = suggest_or_list(name, &names, "the peripherals are");
    else
        help = xformat("; it has %zu: %s, %s, %s and so on", names.count, names.items[0],
                       names.items[1], names.items[2]);
    *ret_error = xformat("%s has no peripheral \"%s\"%s", file->path, name, help);
    free(help);
    strings_finish(&names);
    return -ENOENT;
}
