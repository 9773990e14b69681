/* SPDX-License-Identifier: MIT */
/* Turns registers as vendors describe them into rows of a valid register table. */
#include "svd/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* A register, with the rights and fields of others at the same place. */
struct source {
    const struct svd_register *reg;
    const struct svd_part *part;
    const struct trestle_field *fields;
    struct svd_rights rights;
    uint32_t bytes;  /* of a row: a power of 2 */
    uint32_t pieces; /* rows that it needs: several for more than 8 bytes, or a misaligned one */
    bool is_broken;  /* an array of which something is missing */
};

/* What one row could be: a register, an element of an array of them, or a piece of either. */
struct piece {
    uint64_t offset;
    uint32_t bytes;
    uint32_t source, element, number;
};

struct maker {
    struct svd_file *file;
    struct source *sources;
    size_t num_sources;
    struct piece *pieces;
    size_t num_pieces, room;
    struct svd_table table;
};

/* --- registers in pieces --------------------------------------------------------------------- */

static struct source source_of(const struct svd_register *reg, const struct svd_part *part)
{
    unsigned bits = reg->bits;
    uint32_t bytes = bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
    uint32_t whole = bits > 64 ? (bits + 63) / 64 * 8 : bytes;
    uint64_t step = reg->count > 1 ? reg->stride : 0;
    while ((part->offset + reg->offset) % bytes || step % bytes)
        bytes /= 2;
    struct source source = {
        .reg = reg, .part = part, .rights = reg->rights, .bytes = bytes, .pieces = whole / bytes};
    for (size_t i = 0; i < reg->num_fields; i++)
        source.rights.access |= reg->fields[i].rights.access;
    return source;
}

static void add_piece(struct maker *maker, const struct piece *piece)
{
    if (maker->num_pieces == maker->room) {
        maker->room = maker->room ? 2 * maker->room : 256;
        maker->pieces = xrealloc(maker->pieces, maker->room, sizeof(*maker->pieces));
    }
    maker->pieces[maker->num_pieces++] = *piece;
}

static void add_source(struct maker *maker, const struct svd_register *reg,
                       const struct svd_part *part)
{
    struct source *source = &maker->sources[maker->num_sources];
    *source = source_of(reg, part);
    for (uint32_t i = 0; i < (reg->count ? reg->count : 1); i++) {
        uint64_t offset = reg->offset + i * reg->stride;
        if (reg->offset >= SVD_REGION_MAX || offset >= SVD_REGION_MAX) {
            source->is_broken = true;
            if (maker->table.num_left_out++ == 0)
                maker->table.left_out = reg->name;
            continue;
        }
        for (uint32_t number = 0; number < source->pieces; number++)
            add_piece(maker,
                      &(struct piece){part->offset + offset + number * source->bytes, source->bytes,
                                      (uint32_t)maker->num_sources, i, number});
    }
    maker->num_sources++;
}

/* --- what overlaps --------------------------------------------------------------------------- */

static int by_offset(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return a->element < b->element ? -1 : a->element > b->element;
}

/* If pieces overlap, keeps the one that begins first; if several do, the widest. */
static void keep_one_of_each(struct maker *maker)
{
    size_t kept = 0;
    for (size_t i = 0; i < maker->num_pieces; i++) {
        const struct piece *piece = &maker->pieces[i];
        const struct piece *last = kept > 0 ? &maker->pieces[kept - 1] : NULL;
        if (!last || piece->offset >= last->offset + last->bytes) {
            maker->pieces[kept++] = *piece;
            continue;
        }
        maker->sources[last->source].rights.access |= maker->sources[piece->source].rights.access;
        maker->sources[piece->source].is_broken = true;
    }
    maker->num_pieces = kept;
}

/* --- names ----------------------------------------------------------------------------------- */

static const char *keep(struct maker *maker, char *text)
{
    size_t size = strlen(text) + 1;
    char *kept = svd_alloc(maker->file, size);
    memcpy(kept, text, size);
    free(text);
    return kept;
}

/* Every character but letters and digits becomes '_'; the place of an array's index stays. */
static char *clean(char *name)
{
    for (char *at = name; *at; at++)
        if (at[0] == '%' && at[1] == 's')
            at++;
        else if (!isalnum((unsigned char)*at))
            *at = '_';
    return name;
}

static const char *row_name(struct maker *maker, const struct source *source,
                            const struct piece *piece, bool is_array)
{
    const char *name = source->reg->name, *place = strstr(name, "%s");
    char *text;
    if (is_array || source->reg->count == 0)
        text = xformat("%s%s", source->part->prefix, name);
    else if (place)
        text = xformat("%s%.*s%u%s", source->part->prefix, (int)(place - name), name,
                       piece->element, place + 2);
    else
        text = xformat("%s%s%u", source->part->prefix, name, piece->element);
    if (source->pieces > 1) {
        char *whole = text;
        text = xformat("%s_%u", whole, piece->number);
        free(whole);
    }
    return keep(maker, clean(text));
}

static int by_name(const void *left, const void *right)
{
    const struct trestle_register *a = *(struct trestle_register *const *)left;
    const struct trestle_register *b = *(struct trestle_register *const *)right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a > b) - (a < b);
}

/* If several rows have the same name, the later ones get their offset into the name. */
static void tell_apart(struct maker *maker)
{
    size_t count = maker->table.num_rows;
    struct trestle_register **sorted = xcalloc(count, sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = &maker->table.rows[i];
    qsort(sorted, count, sizeof(struct trestle_register *), by_name);
    const char *name = NULL;
    for (size_t i = 0; i < count; i++) {
        if (name && strcmp(name, sorted[i]->name) == 0)
            sorted[i]->name =
                keep(maker, xformat("%s_at_%llx", name, (unsigned long long)sorted[i]->offset));
        else
            name = sorted[i]->name;
    }
    free(sorted);
}

/* --- fields ---------------------------------------------------------------------------------- */

static enum trestle_rights rights_of(const struct svd_rights *rights)
{
    static const enum trestle_rights writes[] = {
        [SVD_WRITE_STORES] = TRESTLE_RW,  [SVD_ONE_CLEARS] = TRESTLE_W1C,
        [SVD_ONE_SETS] = TRESTLE_W1S,     [SVD_ONE_TOGGLES] = TRESTLE_W1T,
        [SVD_ZERO_CLEARS] = TRESTLE_W0C,  [SVD_ZERO_SETS] = TRESTLE_W0S,
        [SVD_ZERO_TOGGLES] = TRESTLE_W0T, [SVD_WRITE_CLEARS] = TRESTLE_WC,
        [SVD_WRITE_SETS] = TRESTLE_WS,
    };
    if (!(rights->access & SVD_READ))
        return TRESTLE_WO;
    if (rights->on_read == SVD_READ_CLEARS)
        return TRESTLE_RC;
    if (rights->on_read == SVD_READ_SETS)
        return TRESTLE_RS;
    return rights->access & SVD_WRITE ? writes[rights->on_write] : TRESTLE_RO;
}

/* The rights of a register whose fields may do more than it may. */
static enum trestle_rights row_rights(const struct source *source)
{
    if (source->rights.access == source->reg->rights.access)
        return rights_of(&source->rights);
    struct svd_rights plain = {.access = source->rights.access};
    return rights_of(&plain);
}

static uint64_t low_bits(unsigned count)
{
    return count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

static const struct trestle_value *make_values(struct maker *maker, const struct svd_field *field)
{
    if (field->num_values == 0)
        return NULL;
    struct trestle_value *values =
        svd_alloc(maker->file, (field->num_values + 1) * sizeof(*values));
    size_t count = 0;
    for (size_t i = 0; i < field->num_values; i++) {
        const struct svd_value *value = &field->values[i];
        const char *name = keep(maker, clean(xstrdup(value->name)));
        size_t j = 0;
        while (j < count && strcmp(values[j].name, name) != 0)
            j++;
        if (j == count)
            values[count++] =
                (struct trestle_value){.name = name, .value = value->value, .doc = value->doc};
    }
    return values;
}

static bool has_field(const struct trestle_field *fields, const char *name)
{
    while (fields->name && strcmp(fields->name, name) != 0)
        fields++;
    return fields->name;
}

/* Fields at one place become one field, with the rights of all: vendors often describe reading and
 * writing separately. */
static bool join_fields(struct trestle_field *fields, const struct svd_field *field, uint64_t mask)
{
    bool overlaps = false;
    for (; fields->name; fields++) {
        if (!(fields->mask & mask))
            continue;
        overlaps = true;
        if ((fields->access == TRESTLE_RO && field->rights.access & SVD_WRITE) ||
            (fields->access == TRESTLE_WO && field->rights.access & SVD_READ))
            fields->access = TRESTLE_RW;
    }
    return overlaps;
}

static const struct trestle_field *make_fields(struct maker *maker, const struct source *source)
{
    const struct svd_register *reg = source->reg;
    if (reg->num_fields == 0 || source->pieces > 1)
        return NULL;
    struct trestle_field *fields = svd_alloc(maker->file, (reg->num_fields + 1) * sizeof(*fields));
    size_t count = 0;
    for (size_t i = 0; i < reg->num_fields; i++) {
        const struct svd_field *field = &reg->fields[i];
        uint64_t mask = low_bits(field->width) << field->lsb;
        if (join_fields(fields, field, mask))
            continue;
        char *name = clean(xstrdup(*field->name ? field->name : "bits"));
        if (has_field(fields, name)) {
            char *first = name;
            name = xformat("%s_at_%u", first, field->lsb);
            free(first);
        }
        fields[count++] = (struct trestle_field){.name = keep(maker, name),
                                                 .mask = mask,
                                                 .access = rights_of(&field->rights),
                                                 .values = make_values(maker, field),
                                                 .doc = field->doc};
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].access == row_rights(source))
            fields[i].access = TRESTLE_RIGHTS_DEFAULT;
    return fields;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void make_row(struct maker *maker, const struct piece *piece)
{
    struct source *source = &maker->sources[piece->source];
    const struct svd_register *reg = source->reg;
    bool is_array = reg->count > 0 && !source->is_broken && source->pieces == 1;
    if (is_array && piece->element > 0)
        return;
    unsigned shift = 8 * piece->bytes * piece->number, width = 8 * piece->bytes;
    unsigned bits = reg->bits - shift < width ? reg->bits - shift : width;
    if (!source->fields)
        source->fields = make_fields(maker, source);
    struct trestle_register row = {
        .name = row_name(maker, source, piece, is_array),
        .offset = piece->offset,
        .size = piece->bytes,
        .access = row_rights(source),
        .reset = shift < 64 ? (reg->reset >> shift) & low_bits(width) : 0,
        .mask = source->fields ? 0 : low_bits(bits),
        .storage_size = piece->bytes,
        .count = is_array ? (uint32_t)reg->count : 0,
        .stride = is_array && reg->count > 1 ? (uint32_t)reg->stride : 0,
        .widths = 1 | 2 | 4 | 8,
        .fields = source->fields,
        .doc = reg->doc,
    };
    struct svd_table *table = &maker->table;
    row.storage = (uint32_t)((table->state_size + row.size - 1) / row.size * row.size);
    table->state_size = row.storage + (is_array ? row.count : 1) * row.size;
    uint64_t end = row.offset + (is_array ? row.count - 1 : 0) * (uint64_t)row.stride + row.size;
    if (end > table->end)
        table->end = end;
    table->rows[table->num_rows++] = row;
}

void svd_table_make(struct svd_file *file, const struct svd_part *parts, size_t num_parts,
                    struct svd_table *ret_table)
{
    struct maker maker = {.file = file};
    size_t count = 0;
    for (size_t i = 0; i < num_parts; i++)
        count += parts[i].peripheral->num_registers;
    maker.sources = xcalloc(count, sizeof(*maker.sources));
    for (size_t i = 0; i < num_parts; i++)
        for (size_t j = 0; j < parts[i].peripheral->num_registers; j++)
            add_source(&maker, &parts[i].peripheral->registers[j], &parts[i]);
    if (maker.num_pieces > 0)
        qsort(maker.pieces, maker.num_pieces, sizeof(*maker.pieces), by_offset);
    keep_one_of_each(&maker);
    maker.table.rows = svd_alloc(file, (maker.num_pieces + 1) * sizeof(*maker.table.rows));
    for (size_t i = 0; i < maker.num_pieces; i++)
        make_row(&maker, &maker.pieces[i]);
    tell_apart(&maker);
    free(maker.pieces);
    free(maker.sources);
    *ret_table = maker.table;
}

struct trestle_register *svd_table_find(const struct svd_table *table, const char *name)
{
    for (size_t i = 0; i < table->num_rows; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}
