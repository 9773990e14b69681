/* SPDX-License-Identifier: MIT */
/* Turns the text of a CMSIS-SVD file into a tree, with expat. */
#include "svd/tree.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

enum {
    DEPTH_MAX = 64,
    CHUNK_SIZE = 256 * 1024,
    TEXT_MAX = 64 * 1024, /* of one element that is kept */
};

static const char *const names[] = {
    [SVD_ACCESS] = "access",
    [SVD_ADDRESS_BLOCK] = "addressBlock",
    [SVD_ADDRESS_OFFSET] = "addressOffset",
    [SVD_BASE_ADDRESS] = "baseAddress",
    [SVD_BIT_OFFSET] = "bitOffset",
    [SVD_BIT_RANGE] = "bitRange",
    [SVD_BIT_WIDTH] = "bitWidth",
    [SVD_CLUSTER] = "cluster",
    [SVD_DESCRIPTION] = "description",
    [SVD_DEVICE] = "device",
    [SVD_DIM] = "dim",
    [SVD_DIM_INCREMENT] = "dimIncrement",
    [SVD_DIM_INDEX] = "dimIndex",
    [SVD_DISPLAY_NAME] = "displayName",
    [SVD_ENUMERATED_VALUE] = "enumeratedValue",
    [SVD_ENUMERATED_VALUES] = "enumeratedValues",
    [SVD_FIELD] = "field",
    [SVD_FIELDS] = "fields",
    [SVD_INTERRUPT] = "interrupt",
    [SVD_LSB] = "lsb",
    [SVD_MODIFIED_WRITE_VALUES] = "modifiedWriteValues",
    [SVD_MSB] = "msb",
    [SVD_NAME] = "name",
    [SVD_OFFSET] = "offset",
    [SVD_PERIPHERAL] = "peripheral",
    [SVD_PERIPHERALS] = "peripherals",
    [SVD_READ_ACTION] = "readAction",
    [SVD_REGISTER] = "register",
    [SVD_REGISTERS] = "registers",
    [SVD_RESET_VALUE] = "resetValue",
    [SVD_SIZE] = "size",
    [SVD_VALUE] = "value",
};

enum { NUM_NAMES = sizeof(names) / sizeof(*names) };

struct svd_chunk {
    struct svd_chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char memory[];
};

struct parser {
    XML_Parser xml;
    struct svd_tree *tree;
    const char *file;
    struct svd_node *at;    /* the element that is open */
    struct svd_node **tail; /* where its next child goes */
    struct svd_node **tails[DEPTH_MAX];
    unsigned depth, skipped; /* elements that are open; of them, inside one that is left out */
    unsigned lines_before;   /* of white space in front of the XML */
    char *text;
    size_t text_size, text_room;
    bool failed;
    char **ret_error;
};

void *svd_tree_alloc(struct svd_tree *tree, size_t size)
{
    size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    struct svd_chunk *chunk = tree->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = xcalloc(1, sizeof(*chunk) + room);
        chunk->size = room;
        chunk->next = tree->chunks;
        tree->chunks = chunk;
    }
    void *memory = chunk->memory + chunk->used;
    chunk->used += size;
    return memory;
}

char *svd_tree_text(struct svd_tree *tree, const char *text, size_t size)
{
    char *copy = svd_tree_alloc(tree, size + 1);
    memcpy(copy, text, size);
    return copy;
}

void svd_tree_finish(struct svd_tree *tree)
{
    while (tree->chunks) {
        struct svd_chunk *next = tree->chunks->next;
        free(tree->chunks);
        tree->chunks = next;
    }
    tree->root = NULL;
}

const char *svd_element_name(enum svd_element element)
{
    return names[element];
}

struct svd_node *svd_child(const struct svd_node *node, enum svd_element element)
{
    struct svd_node *child = node->first;
    while (child && child->element != element)
        child = child->next;
    return child;
}

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

/* names[0] is SVD_UNKNOWN; the others are sorted. */
static enum svd_element find_element(const char *name)
{
    const char *const *found = bsearch(name, names + 1, NUM_NAMES - 1, sizeof(*names), by_name);
    return found ? (enum svd_element)(found - names) : SVD_UNKNOWN;
}

/* Expat 2.9 deprecates the narrower function. */
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
#define CURRENT_LINE XML_GetCurrentLineNumber64
#else
#define CURRENT_LINE XML_GetCurrentLineNumber
#endif

static unsigned line_of(const struct parser *parser)
{
    return parser->lines_before + (unsigned)CURRENT_LINE(parser->xml);
}

static void fail(struct parser *parser, const char *sentence)
{
    if (parser->failed)
        return;
    parser->failed = true;
    *parser->ret_error = xformat("%s:%u: %s", parser->file, line_of(parser), sentence);
    XML_StopParser(parser->xml, XML_FALSE);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A run of white space counts as one space: descriptions go over lines, or contain "\\n". */
static size_t squeeze(char *text, size_t size)
{
    size_t kept = 0;
    for (size_t i = 0; i < size; i++) {
        bool is_spelled = text[i] == '\\' && i + 1 < size && text[i + 1] == 'n';
        i += is_spelled;
        if (!is_spelled && !is_space(text[i]))
            text[kept++] = text[i];
        else if (kept > 0 && text[kept - 1] != ' ')
            text[kept++] = ' ';
    }
    return kept > 0 && text[kept - 1] == ' ' ? kept - 1 : kept;
}

static void XMLCALL on_start(void *data, const char *name, const char **attributes)
{
    struct parser *parser = data;
    enum svd_element element = find_element(name);
    if (++parser->depth >= DEPTH_MAX) {
        fail(parser, "elements are nested too deeply for a description of registers");
        return;
    }
    if (!parser->at && element != SVD_DEVICE) {
        fail(parser, "this is not a CMSIS-SVD file: its outermost element is not <device>");
        return;
    }
    if (parser->skipped || element == SVD_UNKNOWN) {
        parser->skipped++;
        return;
    }
    struct svd_node *node = svd_tree_alloc(parser->tree, sizeof(*node));
    *node = (struct svd_node){
        .element = element, .line = line_of(parser), .text = "", .parent = parser->at};
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], "derivedFrom") == 0)
            node->derived_from = svd_tree_text(parser->tree, attributes[1], strlen(attributes[1]));
    if (parser->at) {
        *parser->tail = node;
        parser->tail = &node->next;
    } else {
        parser->tree->root = node;
    }
    parser->tails[parser->depth] = parser->tail;
    parser->tail = &node->first;
    parser->at = node;
    parser->text_size = 0;
}

static void XMLCALL on_end(void *data, const char *name)
{
    struct parser *parser = data;
    if (parser->failed)
        return; /* expat ends an empty element after it was stopped at its beginning */
    parser->depth--;
    if (parser->skipped) {
        parser->skipped--;
        return;
    }
    struct svd_node *node = parser->at;
    if (!node->first) {
        size_t size = squeeze(parser->text, parser->text_size);
        if (size > 0)
            node->text = svd_tree_text(parser->tree, parser->text, size);
    }
    parser->text_size = 0;
    parser->at = node->parent;
    parser->tail = parser->tails[parser->depth + 1];
}

static void XMLCALL on_text(void *data, const char *text, int length)
{
    struct parser *parser = data;
    size_t size = (size_t)length;
    if (parser->skipped || !parser->at || parser->at->first)
        return;
    if (size > TEXT_MAX - parser->text_size)
        size = TEXT_MAX - parser->text_size;
    if (parser->text_size + size > parser->text_room) {
        parser->text_room = 2 * (parser->text_size + size);
        parser->text = xrealloc(parser->text, parser->text_room, 1);
    }
    if (size > 0)
        memcpy(parser->text + parser->text_size, text, size);
    parser->text_size += size;
}

/* No description of a chip needs entities of its own; a file that does is an attack. */
static void XMLCALL on_entity(void *data, const char *name, int is_parameter, const char *value,
                              int length, const char *base, const char *system, const char *public,
                              const char *notation)
{
    fail(data, "the file declares an entity, which no description of registers needs; remove it");
}

static bool is_utf8(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char c = text[i++];
        unsigned more = c < 0x80 ? 0 : c >= 0xf0 && c < 0xf5 ? 3 : c >= 0xe0 ? 2 : 1;
        if ((c >= 0x80 && c < 0xc2) || c >= 0xf5 || more > size - i)
            return false;
        for (; more > 0; more--)
            if ((text[i++] & 0xc0) != 0x80)
                return false;
    }
    return true;
}

/* Many files declare the wrong encoding. Names and numbers are ASCII in all of them, so a text that
 * is not UTF-8 may be read byte by byte. */
static const char *encoding_of(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (size >= 2 && (bytes[0] == 0 || bytes[1] == 0 || (bytes[0] ^ bytes[1]) == 1))
        return NULL; /* UTF-16, which expat knows by its first bytes */
    return is_utf8(bytes, size) ? "UTF-8" : "ISO-8859-1";
}

static bool says_truncated(enum XML_Error error)
{
    return error == XML_ERROR_NO_ELEMENTS || error == XML_ERROR_UNCLOSED_TOKEN ||
           error == XML_ERROR_PARTIAL_CHAR || error == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

static void complain(struct parser *parser)
{
    enum XML_Error error = XML_GetErrorCode(parser->xml);
    char *sentence;
    if (says_truncated(error) && parser->at)
        sentence = xformat("the file ends within <%s>, which began on line %u; get the whole file",
                           svd_element_name(parser->at->element), parser->at->line);
    else if (says_truncated(error))
        sentence = xstrdup("the file has no <device>: it is empty or truncated");
    else
        sentence = xformat("this is not XML: %s", XML_ErrorString(error));
    fail(parser, sentence);
    free(sentence);
}

/* XML allows no white space before its declaration, but real files have it. */
static size_t space_before(const char *text, size_t size, unsigned *ret_lines)
{
    size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    for (; at < size && is_space(text[at]); at++)
        *ret_lines += text[at] == '\n';
    return at;
}

int svd_tree_parse(const char *file, const char *text, size_t size, struct svd_tree *ret_tree,
                   char **ret_error)
{
    struct svd_tree tree = {0};
    struct parser parser = {.tree = &tree, .file = file, .ret_error = ret_error};
    if (size > INT_MAX) {
        *ret_error = xformat("%s: too large for a description of registers", file);
        return -EINVAL;
    }
    size_t begin = space_before(text, size, &parser.lines_before);
    parser.xml = XML_ParserCreate(encoding_of(text, size));
    if (!parser.xml)
        return -ENOMEM;
    XML_SetUserData(parser.xml, &parser);
    XML_SetElementHandler(parser.xml, on_start, on_end);
    XML_SetCharacterDataHandler(parser.xml, on_text);
    XML_SetEntityDeclHandler(parser.xml, on_entity);
    if (XML_Parse(parser.xml, text + begin, (int)(size - begin), XML_TRUE) != XML_STATUS_OK)
        complain(&parser);
    XML_ParserFree(parser.xml);
    free(parser.text);
    if (parser.failed) {
        svd_tree_finish(&tree);
        return -EINVAL;
    }
    *ret_tree = tree;
    return 0;
}
