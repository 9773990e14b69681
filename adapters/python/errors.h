/* SPDX-License-Identifier: MIT */
/* Tells the user of an exception. */
#ifndef TRESTLE_PYTHON_ERRORS_H
#define TRESTLE_PYTHON_ERRORS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "trestle/device.h"

/* trestle.BusError. False: an exception is pending. */
bool errors_add_to(PyObject *module);
/* Clears the pending exception, and logs what it was: of a bus error its words, of another the
 * traceback as well, once. Gives -EIO. */
int error_log(struct trestle_device *dev, const char *callback);
/* The same of init() and start(), whose reason the user reads in the run's refusal. */
int error_fail(struct trestle_device *dev, const char *callback);
/* Clears the pending exception; gives it as one line with the place, malloc'd, or NULL. */
char *error_describe(void);

#endif
