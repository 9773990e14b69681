/* SPDX-License-Identifier: MIT */
/* The property "irq" of a device: numbers within their bounds, or none. */
#include "plugin/device/irq.h"

#include <ctype.h>

#include "fuzz.h"
#include "plugin/device/device.h"
#include "plugin/device/wiring.h"
#include "plugin/qemu/say.h"

/* Nothing of these is called. */
struct qemu_abi qemu;

void refuse_device(const struct sst_device *dev, const char *format, ...)
{
    (void)dev;
    fprintf(stderr, "refused: %s\n", format);
    abort();
}

void wiring_find(struct qemu_object *controller, uint32_t input, uint32_t num_inputs,
                 void (*found)(uint32_t input, const char *type))
{
    (void)controller;
    (void)input;
    (void)num_inputs;
    (void)found;
    abort();
}

/* One piece, written as a number or as the word. */
static void check_piece(const char *piece, size_t length, uint32_t input)
{
    if (length == strlen("watchdog") && strncmp(piece, "watchdog", length) == 0) {
        FUZZ_REQUIRE(input == IRQ_WATCHDOG);
        return;
    }
    FUZZ_REQUIRE(input <= UINT16_MAX);
    for (size_t i = 0; i < length; i++)
        FUZZ_REQUIRE(isxdigit((uint8_t)piece[i]) || (i == 1 && tolower(piece[i]) == 'x'));
    FUZZ_REQUIRE(length > 0 && isdigit((uint8_t)piece[0]));
    FUZZ_REQUIRE(strtoull(piece, NULL, 0) == input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t inputs[IRQ_LINES_MAX], count = 1000;
    char *text = strndup((const char *)data, size);
    FUZZ_REQUIRE(text);
    if (irq_parse(text, inputs, &count) == 0) {
        const char *piece = text;
        FUZZ_REQUIRE(count > 0 && count <= IRQ_LINES_MAX);
        for (uint32_t i = 0; i < count; i++) {
            size_t length = strcspn(piece, ":");
            FUZZ_REQUIRE((piece[length] == ':') == (i + 1 < count));
            check_piece(piece, length, inputs[i]);
            piece += length + 1;
        }
    } else {
        FUZZ_REQUIRE(count == 1000);
    }
    free(text);
    return 0;
}
