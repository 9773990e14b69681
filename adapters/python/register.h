/* SPDX-License-Identifier: MIT */
/* The class trestle.Register: a row of a model's table, and an attribute that is its value. */
#ifndef TRESTLE_PYTHON_REGISTER_H
#define TRESTLE_PYTHON_REGISTER_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "trestle/registers.h"

/* The registers of a class, as the library wants them. */
struct python_table {
    PyObject *registers; /* a list of them, which keeps them alive; NULL: none */
    struct trestle_register *rows;
    struct trestle_region region;
    const struct trestle_region *regions[2];
    size_t state_size; /* of a device, with their values */
};

/* trestle.Register and trestle.Access. False: an exception is pending. */
bool registers_add_to(PyObject *module);
/* The registers that a class and those that it derives from have as attributes. -EINVAL: *ret_error
 * says why they are none. */
int registers_collect(PyObject *class, struct python_table *table, char **ret_error);
void registers_finish(struct python_table *table);

#endif
