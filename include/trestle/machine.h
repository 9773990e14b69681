/* SPDX-License-Identifier: MIT */
/*
 * trestle/machine.h: the QEMU process: its arguments, launch, watch and stop.
 *
 * Errors: 0 or negative errno; ret_error (may be NULL) gets a malloc'd one-line sentence for the
 * user on failure; the caller frees it.
 */
#ifndef TRESTLE_MACHINE_H
#define TRESTLE_MACHINE_H

#include <sys/types.h>

#include "trestle/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct trestle_machine;

struct trestle_machine_device {
    const char *name;
    const char *socket_path;
    uint64_t base_addr; /* TRESTLE_NO_BASE: a PCI device */
    uint64_t region_size;
    const char *on_error; /* "fault", "ones", "zeros"; NULL: the plugin's default */
    int64_t timeout_ms;   /* 0: never; -1: the plugin's default */
    bool shadow;          /* the region may cover what the machine has there */
    const char *irq;      /* inputs of the interrupt controller, "40" or "40:41"; NULL: none */
    /* Where the user described the device, such as "two.json:7: devices[1].base_addr": if QEMU
     * refuses the device, its message begins with this. NULL: with the address. */
    const char *label;
    const char *properties; /* more for the plugin, such as "wait=spin,protocol=1"; or NULL */
};

struct trestle_machine_options {
    size_t size;      /* sizeof(struct trestle_machine_options) */
    const char *arch; /* "riscv32" (default when NULL), "riscv64", "arm", "aarch64", "x86_64" */
    const char *qemu; /* path, or a name looked up in search_path; NULL: qemu-system-<arch> */
    const char *search_path; /* the caller's $PATH */
    const char *kernel;      /* ELF file, or a Linux Image; NULL: none */
    /* The plugin's path; "in-tree": this QEMU was built with the same device inside. NULL: it
     * contains an older sst-device, which gets only socket and base_address, and the older
     * environment (SST_NUM_DEVICES, SST_DEVICE%d_SOCKET, SST_DEVICE%d_BASE). */
    const char *plugin;
    const struct trestle_machine_device *devices;
    size_t num_devices;
    const char *const *args; /* the user's, appended last; ended by NULL; NULL: none */
    bool gdb;                /* halted, with the gdb stub (see gdb_port); time-outs off */
    bool no_input;           /* QEMU's standard input is /dev/null, not the caller's */
    bool exit_when_idle;     /* the plugin ends QEMU with 125 when the guest can never wake */
    /* Two runs are the same: guest time counts instructions, 2^icount_shift ns each (0 to 10), one
     * vCPU; the guest's date begins at 2000-01-01 and its random numbers with a fixed seed. */
    bool is_repeatable;
    uint32_t icount_shift;
    /* The guest's RAM is a file that the devices' processes map, so that their DMA needs no
     * messages. Its size is `memory`, or a -m among args, or else 128 MiB. */
    bool direct_dma;
    /* With gdb: the port at 127.0.0.1; 0: 1234. A -gdb or -s among args comes first. */
    uint16_t gdb_port;
    /* The following are QEMU's options of these names; NULL or 0: the board's default. */
    const char *board;  /* -M: "virt", "mps2-an385", with its properties; default: virt, or q35 */
    const char *cpu;    /* -cpu */
    const char *bios;   /* -bios: a path, "none", "default". Default on riscv: "default" for a Linux
                         * Image, which needs OpenSBI, else "none" */
    const char *memory; /* -m: "512M" */
    uint32_t cpus;      /* -smp */
    const char *initrd, *append, *dtb;
    /* More arguments for the plugin, "name=value,name=value", commas in values doubled; or NULL. */
    const char *plugin_args;
    const int *kept_fds; /* descriptors that QEMU inherits, besides 0, 1 and 2 */
    size_t num_kept_fds;
    const char *accel; /* -accel: "kvm", whose default for cpu is "host" */
};

/* Where QEMU is: options->qemu looked up in search_path. *ret_path is malloc'd. -ENOENT. */
TRESTLE_API TRESTLE_CHECK int
trestle_machine_find_qemu(const struct trestle_machine_options *options, char **ret_path,
                          char **ret_error);

/* Starts QEMU. Call it from the main thread: QEMU is killed when the thread that started it
 * ends (PR_SET_PDEATHSIG). QEMU inherits only descriptors 0, 1 and 2. The terminal's settings
 * are remembered and restored by trestle_machine_destroy(). */
TRESTLE_API TRESTLE_CHECK int trestle_machine_launch(const struct trestle_machine_options *options,
                                                     struct trestle_machine **ret_machine,
                                                     char **ret_error);
/* Each machine begins with this; the library writes it, others only read it. */
struct trestle_machine_facts {
    pid_t pid; /* QEMU's; -1 once it has ended */
    int fd;    /* readable once it has ended */
};
static inline pid_t trestle_machine_pid(const struct trestle_machine *machine)
{
    return ((const struct trestle_machine_facts *)machine)->pid;
}
static inline int trestle_machine_fd(const struct trestle_machine *machine)
{
    return ((const struct trestle_machine_facts *)machine)->fd;
}
/* True once QEMU has ended; *ret_exit_code is then its exit code, or 128 + the signal. */
TRESTLE_API bool trestle_machine_ended(struct trestle_machine *machine, int *ret_exit_code);
/* Asks QEMU to end, and kills it when it has not within grace_ms. Waits for it. */
TRESTLE_API void trestle_machine_stop(struct trestle_machine *machine, int grace_ms);
/* Stops QEMU if it still runs, and puts the terminal back in order. NULL is fine. */
TRESTLE_API void trestle_machine_destroy(struct trestle_machine *machine);

#ifdef __cplusplus
}
#endif
#endif
