/* SPDX-License-Identifier: MIT */
/* The configuration parser: whatever the text, a configuration or one line of complaint. */
#include "config/config.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    char *error = NULL;
    /* Nothing is to be loaded into this process. */
    if (memmem(data, size, ".so", 3))
        return 0;
    int r = config_parse("fuzz.json", (const char *)data, size, &config, &error);
    if (r < 0) {
        FUZZ_REQUIRE(error && error[0] && !strchr(error, '\n'));
        FUZZ_REQUIRE(!config);
        free(error);
        return 0;
    }
    FUZZ_REQUIRE(config && config->num_devices > 0 && !error);
    for (size_t i = 0; i < config->num_devices; i++) {
        char *where = config_where_device(config, i);
        FUZZ_REQUIRE(where && strncmp(where, "fuzz.json:", 10) == 0);
        free(where);
    }
    config_destroy(config);
    return 0;
}
