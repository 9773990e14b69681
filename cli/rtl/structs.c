/* SPDX-License-Identifier: MIT */
/* Reads the order and the types of a core's ports, and makes ports of the fields of packed structs.
 */
#include "rtl/structs.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, BITS_MAX = 1 << 16 };

/* A type, or a member of a struct that refers to the member's type. */
struct node {
    char *id, *name, *of; /* what it refers to, or NULL */
    unsigned bits, low;   /* of its own; in a range, the factor */
    bool is_struct, is_union;
    size_t parent; /* of a member: its struct's place in the list */
};

struct port_type {
    char *name, *type;
};

struct reader {
    struct node *nodes;
    size_t num_nodes, within; /* the struct that is being read */
    struct port_type *ports;
    size_t num_ports;
    char *top; /* the module, or NULL */
    bool is_in_top, is_in_range;
    unsigned bounds[2], num_bounds;
};

/* --- the file, in XML ------------------------------------------------------------------------ */

static const char *get(const char **attributes, const char *key)
{
    for (; *attributes; attributes += 2)
        if (strcmp(*attributes, key) == 0)
            return attributes[1];
    return NULL;
}

static char *copy(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void add_node(struct reader *reader, const char *element, const char **attributes)
{
    const char *left = get(attributes, "left"), *right = get(attributes, "right");
    unsigned high = left ? (unsigned)strtoul(left, NULL, 10) : 0;
    unsigned low = right ? (unsigned)strtoul(right, NULL, 10) : 0;
    struct node node = {.id = copy(get(attributes, "id")),
                        .name = copy(get(attributes, "name")),
                        .of = copy(get(attributes, "sub_dtype_id")),
                        .bits = high > low ? high - low + 1 : low - high + 1,
                        .low = low < high ? low : high,
                        .is_struct = strcmp(element, "structdtype") == 0,
                        .is_union = strcmp(element, "uniondtype") == 0,
                        .parent = SIZE_MAX};
    if (strcmp(element, "memberdtype") == 0)
        node.parent = reader->within;
    else if (node.is_struct || node.is_union)
        reader->within = reader->num_nodes;
    reader->nodes = xrealloc(reader->nodes, reader->num_nodes + 1, sizeof(node));
    reader->nodes[reader->num_nodes++] = node;
}

static void begin(void *user, const char *element, const char **attributes)
{
    struct reader *reader = user;
    const char *name = get(attributes, "name"), *type = get(attributes, "dtype_id");
    const char *own_name = get(attributes, "origName"); /* the other may be encoded */
    if (strcmp(element, "cell") == 0 && !reader->top) { /* the top comes first */
        reader->top = copy(get(attributes, "submodname"));
    } else if (strcmp(element, "module") == 0) {
        const char *is_top = get(attributes, "topModule"); /* missing if there is no other module */
        reader->is_in_top = (is_top && strcmp(is_top, "1") == 0) ||
                            (name && reader->top && strcmp(name, reader->top) == 0);
    } else if (strcmp(element, "var") == 0 && reader->is_in_top && get(attributes, "dir") && name &&
               type) {
        reader->ports = xrealloc(reader->ports, reader->num_ports + 1, sizeof(*reader->ports));
        reader->ports[reader->num_ports++] =
            (struct port_type){copy(own_name ? own_name : name), copy(type)};
    } else if (ends_with(element, "dtype")) {
        add_node(reader, element, attributes);
    } else if (strcmp(element, "range") == 0) {
        reader->is_in_range = true;
        reader->num_bounds = 0;
    } else if (strcmp(element, "const") == 0 && reader->is_in_range && name) {
        const char *number = strstr(name, "'h"); /* 32'h7, 32'sh7 */
        number = number ? number + 2 : strstr(name, "'sh") ? strstr(name, "'sh") + 3 : name;
        if (reader->num_bounds < 2)
            reader->bounds[reader->num_bounds++] = (unsigned)strtoul(number, NULL, 16);
    }
}

static void end(void *user, const char *element)
{
    struct reader *reader = user;
    if (strcmp(element, "module") == 0)
        reader->is_in_top = false;
    if (strcmp(element, "range") != 0)
        return;
    reader->is_in_range = false;
    const unsigned *at = reader->bounds;
    if (reader->num_bounds == 2 && reader->num_nodes > 0)
        reader->nodes[reader->num_nodes - 1].bits =
            at[0] > at[1] ? at[0] - at[1] + 1 : at[1] - at[0] + 1;
}

static bool parse_xml(struct reader *reader, FILE *file)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    bool is_good = parser;
    char text[4096];
    size_t size;
    if (parser) {
        XML_SetUserData(parser, reader);
        XML_SetElementHandler(parser, begin, end);
    }
    while (is_good && (size = fread(text, 1, sizeof(text), file)) > 0)
        is_good = XML_Parse(parser, text, (int)size, false) == XML_STATUS_OK;
    if (parser)
        XML_ParserFree(parser);
    return is_good;
}

/* --- the same in JSON ------------------------------------------------------------------------
 *
 * It nests as deeply as the core's terms do, but each node's own values stand in a line. */

/* The text between `"key":"` and the next quote; malloc'd. NULL: the line has no such key. */
static char *value_of(const char *line, const char *key)
{
    char *words = xformat("\"%s\":\"", key);
    const char *value = strstr(line, words);
    if (value)
        value += strlen(words);
    free(words);
    return value ? strndup(value, strcspn(value, "\"")) : NULL;
}

static void add_json_node(struct reader *reader, const char *line, const char *type)
{
    char *range = value_of(line, "range"), *of = value_of(line, "refDTypep");
    if (!range)
        range = value_of(line, "declRange");
    unsigned bounds[2] = {0};
    const char *digits = range ? range + strspn(range, "[") : "";
    if (sscanf(digits, "%u:%u", &bounds[0], &bounds[1]) != 2)
        memset(bounds, 0, sizeof(bounds));
    unsigned low = bounds[0] < bounds[1] ? bounds[0] : bounds[1];
    struct node node = {.id = value_of(line, "addr"),
                        .name = value_of(line, "name"),
                        .of = of,
                        .bits = bounds[0] + bounds[1] - 2 * low + 1,
                        .low = low,
                        .is_struct = strcmp(type, "STRUCTDTYPE") == 0,
                        .is_union = strcmp(type, "UNIONDTYPE") == 0,
                        .parent = SIZE_MAX};
    if (strcmp(type, "MEMBERDTYPE") == 0)
        node.parent = reader->within;
    else if (node.is_struct || node.is_union)
        reader->within = reader->num_nodes;
    reader->nodes = xrealloc(reader->nodes, reader->num_nodes + 1, sizeof(node));
    reader->nodes[reader->num_nodes++] = node;
    free(range);
}

static void read_json_line(struct reader *reader, const char *line)
{
    char *type = value_of(line, "type"), *name = value_of(line, "origName"),
         *of = value_of(line, "dtypep");
    if (!name)
        name = value_of(line, "name");
    if (type && ends_with(type, "DTYPE")) {
        add_json_node(reader, line, type);
    } else if (type && strcmp(type, "VAR") == 0 && name && of &&
               strstr(line, "\"isPrimaryIO\":true")) {
        reader->ports = xrealloc(reader->ports, reader->num_ports + 1, sizeof(*reader->ports));
        reader->ports[reader->num_ports++] = (struct port_type){copy(name), copy(of)};
    }
    free(type);
    free(name);
    free(of);
}

static void parse_json(struct reader *reader, FILE *file)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, file) > 0)
        read_json_line(reader, line);
    free(line);
}

static bool parse(struct reader *reader, const char *path)
{
    FILE *file = fopen(path, "re");
    bool is_good = file;
    if (file && ends_with(path, ".json"))
        parse_json(reader, file);
    else if (file)
        is_good = parse_xml(reader, file);
    if (file)
        fclose(file);
    return is_good;
}

static void finish(struct reader *reader)
{
    for (size_t i = 0; i < reader->num_nodes; i++) {
        free(reader->nodes[i].id);
        free(reader->nodes[i].name);
        free(reader->nodes[i].of);
    }
    for (size_t i = 0; i < reader->num_ports; i++) {
        free(reader->ports[i].name);
        free(reader->ports[i].type);
    }
    free(reader->nodes);
    free(reader->ports);
    free(reader->top);
}

/* --- types ----------------------------------------------------------------------------------- */

static const struct node *find_node(const struct reader *reader, const char *id)
{
    for (size_t i = 0; id && i < reader->num_nodes; i++)
        if (reader->nodes[i].id && strcmp(reader->nodes[i].id, id) == 0)
            return &reader->nodes[i];
    return NULL;
}

/* Follows the names of types. */
static const struct node *resolve(const struct reader *reader, const struct node *node)
{
    for (unsigned i = 0; node && node->of && node->bits == 1 && i < DEPTH_MAX; i++)
        node = find_node(reader, node->of);
    return node;
}

/* 0: not known. */
static unsigned bits_of(const struct reader *reader, const struct node *node, unsigned depth)
{
    node = resolve(reader, node);
    if (!node || depth > DEPTH_MAX)
        return 0;
    unsigned bits = 0;
    if (node->of) { /* an array */
        bits = node->bits < BITS_MAX
                   ? node->bits * bits_of(reader, find_node(reader, node->of), depth + 1)
                   : 0;
        return bits < BITS_MAX ? bits : 0;
    }
    if (!node->is_struct && !node->is_union)
        return node->bits;
    size_t place = (size_t)(node - reader->nodes);
    for (size_t i = 0; i < reader->num_nodes && bits < BITS_MAX; i++) {
        if (reader->nodes[i].parent != place)
            continue;
        unsigned more = bits_of(reader, &reader->nodes[i], depth + 1);
        bits = node->is_struct ? bits + more : more;
    }
    return bits;
}

/* --- ports ----------------------------------------------------------------------------------- */

/* "tl" for "tl_h2d", and "" for "req": both directions of a bus then have the same name. */
static void cut_direction(char *plain)
{
    static const char *const ends[] = {"req", "rsp",  "resp", "request", "response", "h2d",
                                       "d2h", "mosi", "miso", "m2s",     "s2m",      NULL};
    char *last = strrchr(plain, '_');
    last = last ? last : plain;
    for (size_t i = 0; ends[i]; i++)
        if (strcmp(*last == '_' ? last + 1 : last, ends[i]) == 0) {
            *last = '\0';
            return;
        }
}

/* The ports that one port becomes. */
struct splitting {
    const struct rtl_port *whole;
    struct rtl_port *fields;
    size_t count;
};

static void add_field(struct splitting *splitting, const char *path, unsigned offset, unsigned bits,
                      unsigned low)
{
    const struct rtl_port *whole = splitting->whole;
    char *bus = xstrdup(whole->plain), *words = xstrdup(path);
    cut_direction(bus);
    for (char *c = words; *c; c++)
        *c = *c == '.' ? '_' : *c;
    struct rtl_port field = {
        .name = xformat("%s.%s", whole->name, path),
        .access = xformat("trestle_rtl::part<%u, %u>(%s)", offset, bits, whole->access),
        .plain = xformat("%s%s%s", bus, *bus ? "_" : "", words),
        .of_struct = xstrdup(whole->name),
        .bits = bits,
        .low = low,
        .is_input = whole->is_input};
    free(bus);
    free(words);
    splitting->fields =
        xrealloc(splitting->fields, splitting->count + 1, sizeof(*splitting->fields));
    splitting->fields[splitting->count++] = field;
}

/* The first member is the highest. */
static void add_fields(const struct reader *reader, struct splitting *splitting,
                       const struct node *node, const char *path, unsigned end)
{
    size_t place = (size_t)(node - reader->nodes);
    for (size_t i = 0; i < reader->num_nodes; i++) {
        const struct node *member = &reader->nodes[i];
        if (member->parent != place || !member->name)
            continue;
        const struct node *type = resolve(reader, member);
        unsigned bits = bits_of(reader, member, 0);
        char *name = xformat("%s%s%s", path, *path ? "." : "", member->name);
        end -= bits;
        if (type && type->is_struct)
            add_fields(reader, splitting, type, name, end + bits);
        else
            add_field(splitting, name, end, bits, type && !type->of ? type->low : 0);
        free(name);
    }
}

static void split_one(struct rtl_ports *ports, size_t at, const struct reader *reader,
                      const struct node *type)
{
    struct rtl_port whole = ports->ports[at];
    struct splitting splitting = {.whole = &whole};
    add_fields(reader, &splitting, type, "", whole.bits);
    if (splitting.count == 0)
        return;
    size_t more = splitting.count - 1;
    ports->ports = xrealloc(ports->ports, ports->count + more, sizeof(*ports->ports));
    memmove(&ports->ports[at + splitting.count], &ports->ports[at + 1],
            (ports->count - at - 1) * sizeof(*ports->ports));
    memcpy(&ports->ports[at], splitting.fields, splitting.count * sizeof(*ports->ports));
    ports->count += more;
    rtl_port_finish(&whole);
    free(splitting.fields);
}

/* As the core declares them. Verilator's header has the narrow ones first. */
static void put_in_order(struct rtl_ports *ports, const struct reader *reader)
{
    size_t placed = 0;
    for (size_t i = 0; i < reader->num_ports; i++) {
        const char *name = reader->ports[i].name;
        struct rtl_port *port = rtl_ports_find(ports, name, strlen(name));
        size_t at = port ? (size_t)(port - ports->ports) : 0;
        if (!port || at < placed)
            continue;
        struct rtl_port found = *port;
        memmove(&ports->ports[placed + 1], &ports->ports[placed], (at - placed) * sizeof(found));
        ports->ports[placed++] = found;
    }
}

void rtl_structs_split(struct rtl_ports *ports, const char *path)
{
    struct reader reader = {0};
    bool is_read = parse(&reader, path);
    if (is_read)
        put_in_order(ports, &reader);
    for (size_t i = 0; is_read && i < reader.num_ports; i++) {
        const char *name = reader.ports[i].name;
        const struct rtl_port *port = rtl_ports_find(ports, name, strlen(name));
        const struct node *type = resolve(&reader, find_node(&reader, reader.ports[i].type));
        if (port && type && type->is_struct && bits_of(&reader, type, 0) == port->bits)
            split_one(ports, (size_t)(port - ports->ports), &reader, type);
    }
    finish(&reader);
}
