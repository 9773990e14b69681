/* SPDX-License-Identifier: MIT */
/*
 * The configuration file: strict JSON. Whatever is wrong with it is one line that names the
 * file, the line, the key and the remedy.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trestle/bridge.h"
#include "trestle/models.h"

/* How a device hangs on a PCI bus. Numbers are -1 where neither the file nor the model says them.
 */
struct config_pci {
    int addr;        /* slot * 8 + function; -1: QEMU's choice */
    const char *bus; /* NULL: the machine's first */
    bool multifunction;
    int64_t vendor, device, subsystem_vendor, subsystem, class_code, revision;
    const char *bars[TRESTLE_REGIONS_MAX]; /* "mem", "mem64", "io"; NULL: the plugin's default */
    size_t num_bars;                       /* that the file gives */
    const char *interrupts; /* the best of what it offers: "msix", "msi", "intx"; NULL: msix */
};

/* What a backend that is a file, or a socket, begins with. */
#define BACKEND_FILE "file:"
#define BACKEND_UNIX "unix:"
#define BACKEND_TAP "tap:" /* a name of the host's, and no path */

/* A protocol besides those of Trestle's own, which have the numbers 1 and 2. */
#define PROTOCOL_VFIO_USER 3

struct config_device {
    const char *name;
    const char *model_name; /* a bundled model, or a path with a '/' in it */
    const struct trestle_model *model;
    uint64_t base_addr;     /* TRESTLE_NO_BASE: a PCI device */
    struct config_pci *pci; /* NULL: it is none */
    uint64_t size;          /* the model's when the file gives none */
    struct trestle_param *params;
    size_t num_params;
    const char *socket;   /* NULL: a private one */
    int listen_fd;        /* not 0: a socket that our parent has opened */
    const char *on_error; /* NULL: the plugin's default */
    int64_t timeout_ms;   /* -1: the plugin's default */
    bool shadow;          /* may cover what the machine has there */
    bool behind;          /* what the machine has there stays in front */
    size_t item;          /* where it stands in the list of the file */
    const char *irq;      /* inputs of the interrupt controller, "40:41"; NULL: none */
    size_t num_irqs;
    bool own_process;                     /* not served by the run's */
    bool is_inline;                       /* served inside QEMU */
    const char *process_name;             /* NULL: the process is this device's alone */
    const char **command;                 /* of the process, ended by NULL; NULL: not said here */
    bool is_served_by_command;            /* the model only stands in for what is not known here */
    struct config_process *process;       /* NULL: the run's */
    const char *restart;                  /* "never", "on-failure", "always"; NULL: on-failure */
    bool posted_writes;                   /* the guest does not wait for its writes */
    bool release_lock;                    /* other vCPUs go on while one waits for it */
    const char *carrier;                  /* "auto", "socket", "shm"; NULL: the plugin's default */
    const char *endian;                   /* "little", "big"; NULL: the guest's */
    int64_t protocol;                     /* 1, 2, PROTOCOL_VFIO_USER; -1: the plugin's default */
    const char *backend;                  /* where its output goes, and its input comes from */
    const char *input;                    /* where its input comes from, if not from there */
    const char *alias;                    /* in the device tree; NULL: none */
    const char *acpi_id;                  /* where there is no tree but ACPI; NULL: PRP0001 */
    const struct json_t *compatible, *dt; /* as they stand in the file; NULL: not there */
    const char *node; /* the body of the device's node, as in a device tree's source; NULL: none */

    struct trestle_model_library *library; /* of a model from a .so */
};

/* A process other than the run's that serves devices: trestle itself with their models, or a
 * program.
 */
struct config_process {
    const char *name;     /* that of its device where it is that one's own */
    bool is_own;          /* "own", with one device */
    bool is_inline;       /* QEMU's */
    const char **command; /* ended by NULL; NULL: trestle itself */
    const char *restart;  /* as a device has it */
    size_t num_devices;
};

struct config_link {
    const char *from, *to; /* "device.port" */
    trestle_time latency;
    uint64_t bandwidth;             /* bits per second; 0: messages take no time but the latency */
    struct config_process *process; /* of both devices; NULL: the run's */
};

struct config {
    const char *arch, *qemu, *kernel;                                /* NULL: not said */
    const char *board, *cpu, *bios, *memory, *initrd, *append, *dtb; /* NULL: not said */
    const char *accel;                                               /* "tcg", "kvm"; NULL: tcg */
    const char *irq_controller; /* NULL: the machine's one that is known */
    int64_t cpus;               /* 0: not said */
    const char *plugin;         /* "auto", "none" or a path */
    const char **args;          /* for QEMU, ended by NULL */
    int direct_dma;             /* guest RAM is shared with the devices; -1: not said */
    int64_t icount;             /* shift; -1: guest time follows the host's clock */
    struct config_device *devices;
    size_t num_devices;
    struct config_link *links;
    size_t num_links;
    struct config_process **processes;
    size_t num_processes;
    bool is_all_inline;     /* nothing is served outside QEMU */
    trestle_time stop_at;   /* TRESTLE_TIME_NEVER: not said */
    int64_t watchdog_ms;    /* 0: none */
    struct svd_file **svds; /* vendors' descriptions, of which there are models */
    size_t num_svds;

    /* What the strings above live in, and what messages are made from. */
    const char *file; /* NULL: not from a file */
    char *text;
    struct json_t *document;
    void **kept;
    size_t num_kept;
};

/* Loads path, the models it names included. -ENOENT and the like for a file that cannot be
 * read; -EINVAL for what is wrong inside. *ret_error is one line, the caller's to free. */
int config_load(const char *path, struct config **ret_config, char **ret_error);
/* The same from text; file is for messages and for relative paths. */
int config_parse(const char *file, const char *text, size_t size, struct config **ret_config,
                 char **ret_error);
/* The same from a document that stands in no file, for what a command line describes. Takes over
 * the reference. Complaints begin with "trestle: ". */
int config_from_document(struct json_t *document, struct config **ret_config, char **ret_error);
/* NULL is fine. */
void config_destroy(struct config *config);

/* -EINVAL with the line: the path of that option is a file that the run reads. NULL is fine. */
int config_check_output(const struct config *config, const char *option, const char *path,
                        char **ret_error);

/* "two.json:7: devices[1]", malloc'd; NULL for a configuration without a file. */
char *config_where_device(const struct config *config, size_t index);
/* A line about machine.<key>, or about devices[index] when key is NULL, for what only shows
 * later: a kernel that is not there, a parameter that the model refuses. malloc'd. */
char *config_complain_machine(const struct config *config, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
char *config_complain_device(const struct config *config, size_t index, const char *key,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What a model said of its parameters: about the one that the sentence names in quotes. */
char *config_complain_params(const struct config *config, size_t index, const char *sentence);

struct strings;
/* What "model" may say other than a path: the library's models, and the one that makes stubs. */
void config_list_models(struct strings *ret_names);
bool config_has_model(const char *name);

/* The architecture in a name such as "qemu-system-riscv64", or NULL. */
const char *config_arch_of_qemu(const char *qemu);

/* The device reads standard input, and QEMU must not. */
bool config_takes_stdin(const struct config_device *device);

struct strings;
/* What QEMU's side of a PCI device has to know, as properties of the plugin's. */
void config_add_pci_properties(struct strings *parts, const struct config_device *device);
/* For a device of vfio-user: what a guest sees of it, and the argument of QEMU's -device, which the
 * caller frees. */
void config_get_pci(const struct config_device *device, struct trestle_pci *ret_pci);
char *config_vfio_argument(const struct config_device *device, const char *socket_path);
/* The kind of a region's BAR, "mem", "mem64" or "io", as a model's table says it. */
const char *config_bar_kind(const struct trestle_pci *pci, size_t region);
/* "0x10200000", or "pci 04.0": where a device is; malloc'd. */
char *config_place_text(const struct config_device *device);

#endif
