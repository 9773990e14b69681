/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the plugin knows of QEMU's PCI devices. A QEMU that lacks any of it has no sst-pci-device,
 * and serves all other devices as ever.
 *
 * Layouts that differ between versions are found in QEMU itself, and checked.
 */
#ifndef TRESTLE_PLUGIN_PCI_ABI_H
#define TRESTLE_PLUGIN_PCI_ABI_H

#include "plugin/qemu/qemu_abi.h"

/* ResettableEnterPhase, ResettableHoldPhase (whose type of reset is new in 9.1),
 * ResettableExitPhase, ResettablePhases */
typedef void (*qemu_reset_enter)(struct qemu_object *object, int type);
typedef void (*qemu_reset_hold)(struct qemu_object *object, int type);
typedef void (*qemu_reset_exit)(struct qemu_object *object, int type);
struct qemu_reset_phases {
    qemu_reset_enter enter;
    qemu_reset_hold hold;
    qemu_reset_exit exit;
};

#define PCI_FUNCTIONS(F)                                                                          \
    F(struct qemu_class *, object_class_by_name, (const char *))                                  \
    F(struct qemu_class *, object_class_dynamic_cast, (struct qemu_class *, const char *))        \
    F(void, resettable_class_set_parent_phases,                                                   \
      (struct qemu_class *, qemu_reset_enter, qemu_reset_hold, qemu_reset_exit,                   \
       struct qemu_reset_phases *))                                                               \
    F(void *, object_ref, (void *))                                                               \
    F(void *, qdev_get_parent_bus, (const struct qemu_object *))                                  \
    F(bool, pci_bus_is_express, (const void *))                                                   \
    F(int, pcie_endpoint_cap_init, (struct qemu_object *, uint8_t))                               \
    F(void, pcie_cap_flr_init, (struct qemu_object *))                                            \
    F(void, pcie_cap_flr_write_config, (struct qemu_object *, uint32_t, uint32_t, int))           \
    F(int, pci_add_capability,                                                                    \
      (struct qemu_object *, uint8_t, uint8_t, uint8_t, struct qemu_error **))                    \
    F(void, pci_device_reset, (struct qemu_object *))                                             \
    F(void, memory_region_init_ram_ptr,                                                           \
      (struct qemu_region *, struct qemu_object *, const char *, uint64_t, void *))               \
    F(void, pci_register_bar, (struct qemu_object *, int, uint8_t, struct qemu_region *))         \
    F(uint32_t, pci_default_read_config, (struct qemu_object *, uint32_t, int))                   \
    F(void, pci_default_write_config, (struct qemu_object *, uint32_t, uint32_t, int))            \
    F(void *, pci_device_iommu_address_space, (struct qemu_object *))                             \
    F(void, pci_set_irq, (struct qemu_object *, int))                                             \
    F(int, msix_init_exclusive_bar,                                                               \
      (struct qemu_object *, unsigned short, uint8_t, struct qemu_error **))                      \
    F(void, msix_uninit_exclusive_bar, (struct qemu_object *))                                    \
    F(void, msix_vector_use, (struct qemu_object *, unsigned))                                    \
    F(void, msix_notify, (struct qemu_object *, unsigned))                                        \
    F(int, msix_enabled, (struct qemu_object *))                                                  \
    F(int, msi_init, (struct qemu_object *, uint8_t, unsigned, bool, bool, struct qemu_error **)) \
    F(void, msi_uninit, (struct qemu_object *))                                                   \
    F(void, msi_notify, (struct qemu_object *, unsigned))                                         \
    F(bool, msi_enabled, (const struct qemu_object *))

struct pci_abi {
#define PCI_MEMBER(type, name, params) type(*name) params;
    PCI_FUNCTIONS(PCI_MEMBER)
#undef PCI_MEMBER
};

/* Filled by pci_abi_resolve(). */
extern struct pci_abi pci_abi;

/* What a class of PCI devices does (PCIDeviceClass). */
struct pci_class {
    void (*realize)(struct qemu_object *object, struct qemu_error **errp);
    void (*exit)(struct qemu_object *object);
    uint32_t (*config_read)(struct qemu_object *object, uint32_t address, int length);
    void (*config_write)(struct qemu_object *object, uint32_t address, uint32_t value, int length);
    void (*reset)(struct qemu_object *object); /* with the machine, with its bus, or alone */
};

/* Looks everything up, once QEMU's own types are there. False: this QEMU has no PCI devices that
 * the plugin could add to; *ret_why_not says it. */
bool pci_abi_resolve(const char **ret_why_not);
/* In the init of a class whose parent is pci-device. */
void pci_abi_set_class(struct qemu_class *class, const struct pci_class *wanted);
/* The configuration space of a device that is being realized, 256 bytes, and which of its bits the
 * guest may write. False: they are not where they should be. */
bool pci_abi_config(struct qemu_object *object, uint8_t **ret_config, uint8_t **ret_writable);

#endif
