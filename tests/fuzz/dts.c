/* SPDX-License-Identifier: MIT */
/* The body of a device tree's node: whatever the text, values within their bounds, or one
 * complaint. */
#include "plugin/device/dts.h"

#include "fuzz.h"

enum { DEPTH_MAX = 8 };

static const char *put(void *tree, int node, const char *name, const struct dts_value *value)
{
    (void)tree;
    FUZZ_REQUIRE(node >= 0 && node <= DEPTH_MAX);
    FUZZ_REQUIRE(name[0] && strlen(name) < 64);
    FUZZ_REQUIRE(value->length >= 0 && value->length <= DTS_VALUE_MAX);
    /* What is of one kind can be read again without looking where it ends. */
    if (value->has_cells && !value->has_strings && !value->has_bytes)
        FUZZ_REQUIRE(value->length % 4 == 0);
    if (value->has_strings && !value->has_cells && !value->has_bytes)
        FUZZ_REQUIRE(value->bytes[value->length - 1] == 0);
    return strcmp(name, "refused") == 0 ? "no room" : NULL;
}

/* A node's number is its depth. */
static const char *add(void *tree, int parent, const char *name, int *ret_node)
{
    (void)tree;
    FUZZ_REQUIRE(name[0] && strlen(name) < 64);
    *ret_node = parent + 1;
    return strcmp(name, "refused") == 0 ? "no room" : NULL;
}

static bool resolve(const char *label, uint32_t *ret_phandle)
{
    *ret_phandle = 7;
    return label[0] == '/' || strcmp(label, "intc") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dts dts = {.put = put, .add = add};
    /* As a property of QEMU's: a string, of memory that is as long. */
    char *text = malloc(size + 1);
    FUZZ_REQUIRE(text);
    memcpy(text, data, size);
    text[size] = '\0';
    dts.resolve = size > 0 && data[0] == ' ' ? NULL : resolve;
    int r = dts_put(&dts, 0, text);
    FUZZ_REQUIRE(r == 0 || (r == -1 && dts.wrong[0]));
    free(text);
    return 0;
}
