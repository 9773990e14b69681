/* SPDX-License-Identifier: MIT */
/* Stands in for libFuzzer: gives a target the files of the directories that are its arguments. */
#include <dirent.h>

#include "fuzz.h"

static int run_file(const char *directory, const char *name)
{
    static uint8_t data[1 << 20];
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    size_t size = fread(data, 1, sizeof(data), file);
    fclose(file);
    /* An allocation of its own, so that a sanitizer sees its end. */
    uint8_t *copy = malloc(size ? size : 1);
    FUZZ_REQUIRE(copy);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *directory = opendir(argv[i]);
        if (!directory) {
            perror(argv[i]);
            return EXIT_FAILURE;
        }
        for (struct dirent *entry; (entry = readdir(directory));) {
            if (entry->d_name[0] == '.')
                continue;
            if (run_file(argv[i], entry->d_name) < 0)
                return EXIT_FAILURE;
            count++;
        }
        closedir(directory);
    }
    printf("%u inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
