/* SPDX-License-Identifier: MIT */
/* The class trestle.Model, whose instances are devices. */
#ifndef TRESTLE_PYTHON_DEVICE_H
#define TRESTLE_PYTHON_DEVICE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "trestle/device.h"

/* An instance of trestle.Model. */
struct device_object {
    PyObject_HEAD struct trestle_device *dev;
    const struct trestle_params *params; /* in init() only */
    bool bad_param;                      /* one that trestle_params_*() has complained of */
    struct trestle_request *waiting;     /* answered later */
    const void *received;                /* in message() only */
    size_t received_size;
    PyObject *transfers; /* {id: (buffer, tag, is_read)} */
    unsigned long long last_transfer;
    PyObject *dict;
};

/* The state of a device. Behind it are the values of its registers, at their offsets. */
struct python_state {
    struct device_object *self;
};

static inline struct device_object *device_object_of(struct trestle_device *dev)
{
    return ((struct python_state *)trestle_device_state(dev))->self;
}

/* trestle.Model and trestle.LATER. False: an exception is pending. */
bool device_add_to(PyObject *module);
/* The device of an object of any class; NULL: it has none, and an exception is pending. */
struct trestle_device *device_from(PyObject *object);
/* trestle.Model has an attribute of that name. */
bool device_has_attribute(const char *name);
/* What a callback has given as the answer to an access, NULL for an exception: a value, or that the
 * answer comes later. Gives 0, -EINPROGRESS, or -EIO once it is logged. Of a write (ret_data is
 * NULL) only the latter two matter. */
int device_take_answer(struct trestle_device *dev, struct trestle_request *req, PyObject *result,
                       const char *callback, uint64_t *ret_data);

#endif
