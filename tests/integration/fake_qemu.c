/* SPDX-License-Identifier: MIT */
/* Loads the plugin into a process that is a QEMU by one symbol only: one built without modules,
 * or, with -DEXPORTS_VERSION, one whose internals have changed. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void qemu_plugin_register_vcpu_init_cb(void);
void qemu_plugin_register_vcpu_init_cb(void)
{
}

#ifdef EXPORTS_VERSION
struct version {
    struct {
        int64_t major, minor, micro;
    } * number;
    char *package;
};
EXPORT struct version *qmp_query_version(void *errp);
struct version *qmp_query_version(void *errp)
{
    static struct version version;
    static int64_t number[3] = {99, 1, 0};
    version.number = (void *)number;
    (void)errp;
    return &version;
}
#endif

int main(int argc, char **argv)
{
    if (argc != 2 || !dlopen(argv[1], RTLD_NOW)) {
        fprintf(stderr, "not loaded: %s\n", argc == 2 ? dlerror() : "no path");
        return 1;
    }
    return 0;
}
