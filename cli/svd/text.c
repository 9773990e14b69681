/* SPDX-License-Identifier: MIT */
/* Numbers, words and lists of indices as vendors write them. */
#include "svd/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Reads digits, up to a character that is no digit of the base. With `any`, an 'x' counts as 0. */
static enum svd_number digits(const char **at, unsigned base, bool any, uint64_t *ret_value)
{
    enum svd_number result = SVD_NUMBER_BAD;
    uint64_t value = 0;
    bool wide = false;
    for (;; (*at)++) {
        unsigned char c = (unsigned char)**at;
        unsigned digit = 16;
        if (c == '_' && result != SVD_NUMBER_BAD)
            continue;
        if (isdigit(c))
            digit = (unsigned)(c - '0');
        else if (isxdigit(c))
            digit = (unsigned)(tolower(c) - 'a') + 10;
        else if (any && (c == 'x' || c == 'X'))
            digit = 0;
        if (digit >= base)
            break;
        wide |= value > (UINT64_MAX - digit) / base;
        value = value * base + digit;
        result = SVD_NUMBER_GOOD;
    }
    *ret_value = value;
    return wide ? SVD_NUMBER_WIDE : result;
}

/* The base of a number by its prefix or suffix; moves *at to the digits. */
static unsigned find_base(const char **at, bool *ret_any)
{
    const char *text = *at, *quote = strchr(text, '\'');
    size_t decimals = strspn(text, "0123456789_"), all = strspn(text, "0123456789abcdefABCDEF_");
    *ret_any = false;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        *at += 2;
        *ret_any = true;
        return 16;
    }
    if (text[0] == '#' || (text[0] == '0' && (text[1] == 'b' || text[1] == 'B') &&
                           text[2 + strspn(text + 2, "01xX_")] == 0 && text[2])) {
        *at += text[0] == '#' ? 1 : 2;
        *ret_any = true;
        return 2;
    }
    if (quote && quote == text + decimals && quote[1]) { /* Verilog's 32'h1F */
        *at = quote + 2;
        *ret_any = true;
        return strchr("hH", quote[1]) ? 16 : strchr("bB", quote[1]) ? 2 : 10;
    }
    return all > decimals || text[all] == 'h' || text[all] == 'H' ? 16 : 10;
}

static bool scale(const char **at, uint64_t *value)
{
    static const char letters[] = "kmgt";
    const char *letter = **at ? strchr(letters, tolower((unsigned char)**at)) : NULL;
    if (!letter)
        return true;
    unsigned shift = 10 * (unsigned)(letter - letters + 1);
    bool fits = *value <= UINT64_MAX >> shift;
    *value <<= shift;
    (*at)++;
    return fits;
}

enum svd_number svd_number(const char *text, uint64_t *ret_value)
{
    const char *at = text;
    bool any;
    if (*at == '+')
        at++;
    unsigned base = find_base(&at, &any);
    uint64_t value;
    enum svd_number result = digits(&at, base, any, &value);
    if (result == SVD_NUMBER_BAD)
        return result;
    if (base == 16 && (*at == 'h' || *at == 'H'))
        at++;
    if (!scale(&at, &value))
        result = SVD_NUMBER_WIDE;
    at += strspn(at, "uUlL");
    if (*at)
        return SVD_NUMBER_BAD;
    *ret_value = value;
    return result;
}

/* Letters alone, in lower case: "read-writeOnce" and "READ_WRITE_ONCE" are one word. */
static void letters_of(const char *text, char *ret_word, size_t room)
{
    size_t size = 0;
    for (; *text && size + 1 < room; text++)
        if (isalnum((unsigned char)*text))
            ret_word[size++] = (char)tolower((unsigned char)*text);
    ret_word[size] = 0;
}

struct word {
    const char *text;
    unsigned means;
};

static unsigned find_word(const struct word *words, const char *text)
{
    char word[32];
    letters_of(text, word, sizeof(word));
    while (words->text && strcmp(words->text, word) != 0)
        words++;
    return words->means;
}

/* Vendors write "read-opnly", "Read or Write", "read/clear" and "write-only or read-only". */
unsigned svd_access_word(const char *text)
{
    static const struct word words[] = {
        {"r", SVD_READ},
        {"ro", SVD_READ},
        {"w", SVD_WRITE},
        {"wo", SVD_WRITE},
        {"rw", SVD_READ | SVD_WRITE},
        {0},
    };
    unsigned access = find_word(words, text);
    if (strcasestr(text, "read"))
        access |= SVD_READ;
    if (strcasestr(text, "write") ||
        (access && (strcasestr(text, "clear") || strcasestr(text, "set"))))
        access |= SVD_WRITE;
    return access;
}

enum svd_write_effect svd_write_word(const char *text)
{
    static const struct word words[] = {
        {"onetoclear", SVD_ONE_CLEARS},
        {"onetoset", SVD_ONE_SETS},
        {"onetotoggle", SVD_ONE_TOGGLES},
        {"zerotoclear", SVD_ZERO_CLEARS},
        {"zerotoset", SVD_ZERO_SETS},
        {"zerototoggle", SVD_ZERO_TOGGLES},
        {"clear", SVD_WRITE_CLEARS},
        {"set", SVD_WRITE_SETS},
        {0},
    };
    return find_word(words, text);
}

enum svd_read_effect svd_read_word(const char *text)
{
    static const struct word words[] = {
        {"clear", SVD_READ_CLEARS},
        {"set", SVD_READ_SETS},
        {0},
    };
    return find_word(words, text);
}

bool svd_bit_range(const char *text, uint64_t *ret_msb, uint64_t *ret_lsb)
{
    char *end;
    text += *text == '[';
    if (!isdigit((unsigned char)*text))
        return false;
    unsigned long long msb = strtoull(text, &end, 10), lsb = msb;
    end += strspn(end, " ");
    if (*end == ':' || *end == '-') {
        text = end + 1 + strspn(end + 1, " ");
        if (!isdigit((unsigned char)*text))
            return false;
        lsb = strtoull(text, &end, 10);
        end += strspn(end, " ");
    }
    if (end[*end == ']'])
        return false;
    *ret_msb = msb > lsb ? msb : lsb;
    *ret_lsb = msb > lsb ? lsb : msb;
    return true;
}

/* "0-3", "[0-3]" or "A-D": both ends, and whether they are letters. */
static bool dim_range(const char *text, uint64_t *ret_first, uint64_t *ret_last, bool *ret_letters)
{
    text += *text == '[';
    const char *dash = strchr(text, '-');
    if (!dash || dash == text || strchr(text, ','))
        return false;
    const char *second = dash + 1 + strspn(dash + 1, " ");
    if (isdigit((unsigned char)text[0]) && isdigit((unsigned char)second[0])) {
        *ret_letters = false;
        *ret_first = strtoull(text, NULL, 10);
        *ret_last = strtoull(second, NULL, 10);
        return true;
    }
    *ret_letters = true;
    *ret_first = (unsigned char)text[0];
    *ret_last = (unsigned char)second[0];
    return isalpha((unsigned char)text[0]) && isalpha((unsigned char)second[0]);
}

char *svd_dim_index(const char *text, uint64_t index)
{
    uint64_t first, last;
    bool letters;
    if (dim_range(text, &first, &last, &letters)) {
        bool down = first > last;
        if (index > (down ? first - last : last - first))
            return NULL;
        uint64_t value = down ? first - index : first + index;
        return letters ? xformat("%c", (int)value) : xformat("%llu", (unsigned long long)value);
    }
    for (; index > 0; index--) {
        text = strchr(text, ',');
        if (!text)
            return NULL;
        text++;
    }
    text += strspn(text, " ");
    size_t size = strcspn(text, ", ");
    return size > 0 ? xformat("%.*s", (int)size, text) : NULL;
}

bool svd_dim_counts(const char *text, uint64_t count)
{
    uint64_t first, last;
    bool letters;
    if (dim_range(text, &first, &last, &letters))
        return !letters && first == 0 && last + 1 >= count;
    for (uint64_t i = 0; i < count; i++) {
        char *end;
        if (!isdigit((unsigned char)*text) || strtoull(text, &end, 10) != i ||
            (end - text > 1 && *text == '0'))
            return false;
        end += strspn(end, ", ");
        text = end;
    }
    return true;
}
