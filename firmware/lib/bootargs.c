/* SPDX-License-Identifier: MIT */
/* The kernel command line: /chosen/bootargs of the flattened device tree, and "key=value" words
 * in it. */
#include "arch.h"

enum { FDT_MAGIC = 0xd00dfeed, FDT_BEGIN_NODE = 1, FDT_END_NODE, FDT_PROP, FDT_NOP, FDT_END };

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool text_equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static uint32_t aligned(uint32_t offset)
{
    return (offset + 3) & ~3U;
}

static uint32_t text_length(const uint8_t *text)
{
    uint32_t n = 0;
    while (text[n])
        n++;
    return n;
}

/* The tree comes from QEMU and is taken to be well formed. */
static const char *find_bootargs(const uint8_t *fdt)
{
    const uint8_t *p = fdt + be32(fdt + 8);
    const char *strings = (const char *)fdt + be32(fdt + 12);
    unsigned depth = 0;
    bool in_chosen = false;
    for (;;) {
        uint32_t token = be32(p);
        p += 4;
        switch (token) {
        case FDT_BEGIN_NODE:
            depth++;
            in_chosen = depth == 2 && text_equal((const char *)p, "chosen");
            p += aligned(text_length(p) + 1);
            break;
        case FDT_END_NODE:
            depth--;
            in_chosen = false;
            break;
        case FDT_PROP:
            if (in_chosen && text_equal(strings + be32(p + 4), "bootargs"))
                return (const char *)p + 8;
            p += 8 + aligned(be32(p));
            break;
        case FDT_NOP:
            break;
        default:
            return "";
        }
    }
}

const char *guest_bootargs(void)
{
    const uint8_t *fdt = arch_fdt;
    if (arch_command_line)
        return arch_command_line;
    return fdt && be32(fdt) == FDT_MAGIC ? find_bootargs(fdt) : "";
}

/* What follows "key=" at the start of a word, or NULL. */
static const char *bootarg_find(const char *key)
{
    const char *word = guest_bootargs();
    while (*word) {
        const char *k = key, *w = word;
        while (*k && *k == *w) {
            k++;
            w++;
        }
        if (!*k && *w == '=')
            return w + 1;
        while (*word && *word != ' ')
            word++;
        while (*word == ' ')
            word++;
    }
    return NULL;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t bootarg_u64(const char *key, uint64_t fallback)
{
    const char *text = bootarg_find(key);
    if (!text)
        return fallback;
    bool hex = text[0] == '0' && text[1] == 'x';
    uint64_t value = 0;
    for (text += hex ? 2 : 0; digit_value(*text) >= 0; text++)
        value = value * (hex ? 16 : 10) + (uint64_t)digit_value(*text);
    return value;
}

bool bootarg_is(const char *key, const char *value)
{
    const char *text = bootarg_find(key);
    if (!text)
        return false;
    while (*value && *value == *text) {
        value++;
        text++;
    }
    return !*value && (!*text || *text == ' ');
}
