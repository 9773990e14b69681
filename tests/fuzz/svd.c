/* SPDX-License-Identifier: MIT */
/* SVD files: whatever the text, each peripheral is understood or one line of complaint, and what is
 * made of all of them together holds together. */
#include "svd/stub.h"

#include "fuzz.h"

static void check_line(char *error)
{
    FUZZ_REQUIRE(error && !strchr(error, '\n'));
    free(error);
}

static void make_stubs(struct svd_file *file)
{
    static const struct svd_taken taken[] = {{0x40000010, 8}, {0x50000000, 0x1000}};
    char *none[] = {NULL}, *error = NULL;
    struct svd_stub **stubs;
    size_t count;
    if (svd_stubs_make(file, none, taken, 2, &stubs, &count, &error) < 0) {
        check_line(error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct svd_stub *stub = stubs[i];
        struct svd_stub *again;
        FUZZ_REQUIRE(stub->region.bytes >= stub->table.end && stub->size >= stub->table.end);
        FUZZ_REQUIRE(i == 0 || stub->base - stubs[i - 1]->base >= stubs[i - 1]->size);
        if (i < 8 && svd_stub_make(file, stub->names, &again, &error) < 0) {
            check_line(error);
            error = NULL;
        }
    }
    free(stubs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct svd_file *file = NULL;
    char *error = NULL;
    if (svd_parse("fuzz.svd", (const char *)data, size, &file, &error) < 0) {
        FUZZ_REQUIRE(!file);
        check_line(error);
        return 0;
    }
    size_t count = svd_num_peripherals(file);
    FUZZ_REQUIRE(count > 0 && !error);
    for (size_t i = 0; i < count && i < 64; i++) {
        struct svd_peripheral peripheral;
        if (svd_read(file, i, &peripheral, &error) < 0) {
            check_line(error);
            error = NULL;
            continue;
        }
        for (size_t j = 0; j < peripheral.num_registers; j++) {
            const struct svd_register *reg = &peripheral.registers[j];
            FUZZ_REQUIRE(reg->name && reg->bits > 0);
            for (size_t k = 0; k < reg->num_fields; k++)
                FUZZ_REQUIRE(reg->fields[k].width > 0 &&
                             reg->fields[k].lsb + reg->fields[k].width <= reg->bits);
        }
    }
    make_stubs(file);
    svd_destroy(file);
    return 0;
}
