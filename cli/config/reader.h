/* SPDX-License-Identifier: MIT */
/* Shared by the parts of the configuration reader. */
#ifndef CLI_CONFIG_READER_H
#define CLI_CONFIG_READER_H

#include <jansson.h>

#include "config/config.h"
#include "config/json_text.h"

struct config_reader {
    struct config *config;
    char **ret_error;
};

/* One key that an object may have. Adding a key to the format is adding a row. */
struct config_key {
    const char *name;
    int (*set)(struct config_reader *reader, const struct config_key *key,
               const struct json_place *where, const json_t *value, void *target);
    size_t offset;       /* where set() puts the value in target */
    const char *what;    /* what the value is: "an address" */
    const char *example; /* as it would stand in the file */
    bool required;
    char *const *choices; /* set_choice: ended by NULL */
    uint64_t max;         /* set_count: the largest value */
};

/* Puts the line together and returns -EINVAL. */
int config_fail(struct config_reader *reader, const struct json_place *where, const char *format,
                ...) __attribute__((format(printf, 3, 4)));
/* "7 is not an address; write for example ..." */
int config_fail_type(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value);
/* Applies a table that ends with a row of zeroes. */
int config_read_object(struct config_reader *reader, const struct json_place *where,
                       const json_t *value, const struct config_key *keys, void *target);
/* The config owns memory from now on, and gives it back. */
void *config_keep(struct config *config, void *memory);

/* Values. Each fills a field: const char *, uint64_t or int64_t as said. */
int config_set_string(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target);
/* Relative to the file's directory. */
int config_set_path(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
int config_set_choice(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target);
/* uint64_t; an integer or "0x..." */
int config_set_u64(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target);
/* int64_t; 0 to key->max */
int config_set_count(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target);
/* bool */
int config_set_bool(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
/* int, which stays -1 while nothing is said */
int config_set_maybe(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target);
/* trestle_time */
int config_set_time(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
/* config_devices.c. The keys of a single device that stands at the top level, without
 * "devices", come in a table of their own there. */
int config_set_devices(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target);
int config_set_links(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target);
int config_set_name(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
int config_set_model(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target);
int config_set_base(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
int config_set_size(struct config_reader *reader, const struct config_key *key,
                    const struct json_place *where, const json_t *value, void *target);
int config_set_socket(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target);
int config_set_params(struct config_reader *reader, const struct config_key *key,
                      const struct json_place *where, const json_t *value, void *target);
void config_init_device(struct config_device *device);
/* What a device lacks and what does not fit together inside it. The keys' names are for
 * messages: they differ at the top level. */
int config_finish_device(struct config_reader *reader, const struct json_place *where, size_t index,
                         const char *base_key, struct config_device *device);

/* config/processes.c: "process" and what it means, for one device and once all are known. */
int config_set_process(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target);
int config_finish_process(struct config_reader *reader, const struct json_place *where,
                          struct config_device *device);
int config_make_processes(struct config_reader *reader);

/* config/pci.c: a device of vfio-user, of which QEMU's plugin knows nothing. */
int config_check_vfio(struct config_reader *reader, const struct json_place *where,
                      const struct config_device *device);
/* "pci", what does not go with it, and two that have one place. */
int config_set_pci(struct config_reader *reader, const struct config_key *key,
                   const struct json_place *where, const json_t *value, void *target);
int config_finish_pci(struct config_reader *reader, const struct json_place *where,
                      struct config_device *device);
/* Those that choose no slot, and no bus, and more than there may be. */
int config_check_pci_count(struct config_reader *reader);
int config_check_vfio_alone(struct config_reader *reader);
int config_order_pci(const struct config_device *a, const struct config_device *b);
int config_check_pci_pair(struct config_reader *reader, const struct config_device *first,
                          const struct config_device *second);

/* config/stubs.c. The model of a device whose model is svd. */
int config_make_stub(struct config_reader *reader, const struct json_place *where,
                     struct config_device *device);
/* An item of the list that stands for all peripherals of a file: adds them to the devices, of which
 * those that stand in the list by themselves are read. */
bool config_is_chip(const json_t *value);
int config_read_chip(struct config_reader *reader, const struct json_place *where, size_t item,
                     const json_t *value);

/* config/tree.c. What a device's node in the device tree is to be, and, once all devices are known,
 * the node's text. */
int config_set_compatible(struct config_reader *reader, const struct config_key *key,
                          const struct json_place *where, const json_t *value, void *target);
int config_set_alias(struct config_reader *reader, const struct config_key *key,
                     const struct json_place *where, const json_t *value, void *target);
int config_set_acpi_id(struct config_reader *reader, const struct config_key *key,
                       const struct json_place *where, const json_t *value, void *target);
int config_set_dt(struct config_reader *reader, const struct config_key *key,
                  const struct json_place *where, const json_t *value, void *target);
int config_make_node(struct config_reader *reader, const struct json_place *where,
                     struct config_device *device);

/* config_check.c: names, regions and sockets among each other, and what links say. */
int config_check(struct config_reader *reader);

#endif
