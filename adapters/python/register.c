/* SPDX-License-Identifier: MIT */
/*
 * The class trestle.Register: a row of a model's table, and an attribute that is its value.
 *
 * The values live in the device's state, where the library finds them: at the register's offset,
 * so that a row is the same in all classes that have it.
 */
#include "adapters/python/register.h"

#include <errno.h>
#include <stdio.h>
#include <structmember.h>

#include "adapters/python/device.h"
#include "trestle/sim.h"

#define NAME_MAX_LENGTH 63

/* An instance of trestle.Register. */
struct register_object {
    PyObject_HEAD struct trestle_register row;
    char name[NAME_MAX_LENGTH + 1]; /* row.name is this, by which hooks find the object again */
    PyObject *on_read, *on_write;   /* functions, or NULL */
    PyObject *texts;                /* a list of those that fields point to */
};

/* What an attribute gives that is an array of registers. */
struct array_object {
    PyObject_HEAD struct register_object *registers;
    PyObject *device;
};

static PyTypeObject *register_type, *array_type, *access_type;

/* --- hooks ----------------------------------------------------------------------------------- */

static PyStructSequence_Field access_fields[] = {
    {"value", "read: what is stored; write: what the guest wrote"},
    {"old", "what was stored before"},
    {"mask", "the bits that the access covers"},
    {"index", "in an array of registers"},
    {0},
};
static PyStructSequence_Desc access_desc = {
    .name = "trestle.Access",
    .doc = "An access of the guest to a register.",
    .fields = access_fields,
    .n_in_sequence = 4,
};

static PyObject *make_access(const struct trestle_register_access *access)
{
    const uint64_t values[] = {access->value, access->old, access->mask, access->index};
    PyObject *made = PyStructSequence_New(access_type);
    for (Py_ssize_t i = 0; made && i < access_desc.n_in_sequence; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(values[i]);
        if (!value)
            Py_CLEAR(made);
        else
            PyStructSequence_SetItem(made, i, value);
    }
    return made;
}

static const char *name_of(PyObject *hook)
{
    const char *name =
        PyFunction_Check(hook) ? PyUnicode_AsUTF8(((PyFunctionObject *)hook)->func_name) : NULL;
    return name ? name : "a hook";
}

static int call_hook(struct trestle_device *dev, const struct trestle_register_access *access,
                     PyObject *hook, uint64_t *ret_data)
{
    PyObject *argument = make_access(access), *result = NULL;
    if (argument)
        result = PyObject_CallFunctionObjArgs(hook, device_object_of(dev), argument, NULL);
    int r = device_take_answer(dev, access->req, result, name_of(hook), ret_data);
    Py_XDECREF(result);
    Py_XDECREF(argument);
    return r;
}

static const struct register_object *object_of_row(const struct trestle_register *row)
{
    return (const struct register_object *)(row->name - offsetof(struct register_object, name));
}

static int on_read(struct trestle_device *dev, struct trestle_register_access *access)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    int r = call_hook(dev, access, object_of_row(access->reg)->on_read, &access->value);
    PyGILState_Release(lock);
    return r;
}

static int on_write(struct trestle_device *dev, struct trestle_register_access *access)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    int r = call_hook(dev, access, object_of_row(access->reg)->on_write, NULL);
    PyGILState_Release(lock);
    return r;
}

static PyObject *set_hook(PyObject **hook, PyObject *function)
{
    if (!PyCallable_Check(function))
        return PyErr_Format(PyExc_TypeError, "%R is not a method", function);
    Py_INCREF(function);
    Py_XSETREF(*hook, function);
    Py_INCREF(function);
    return function;
}

static PyObject *decorate_on_read(PyObject *self, PyObject *function)
{
    struct register_object *object = (struct register_object *)self;
    object->row.on_read = on_read;
    return set_hook(&object->on_read, function);
}

static PyObject *decorate_on_write(PyObject *self, PyObject *function)
{
    struct register_object *object = (struct register_object *)self;
    object->row.on_write = on_write;
    return set_hook(&object->on_write, function);
}

/* --- values ---------------------------------------------------------------------------------- */

/* Where the value is; NULL: an exception is pending. */
static void *find_value(const struct register_object *self, PyObject *object, uint32_t index)
{
    const struct trestle_register *row = &self->row;
    struct trestle_device *dev = device_from(object);
    if (!dev)
        return NULL;
    if (row->storage_size == 0)
        return PyErr_Format(PyExc_AttributeError, "%s is not stored", self->name);
    uint64_t at = row->storage + (uint64_t)index * row->storage_stride;
    if (at + row->storage_size > trestle_device_model(dev)->state_size)
        return PyErr_Format(PyExc_AttributeError, "%s is not a register of %s",
                            self->name[0] ? self->name : "it", trestle_device_model(dev)->name);
    return (char *)trestle_device_state(dev) + at;
}

static PyObject *get_value(const struct register_object *self, PyObject *object, uint32_t index)
{
    uint64_t value = 0;
    const void *at = find_value(self, object, index);
    if (!at)
        return NULL;
    memcpy(&value, at, self->row.storage_size); /* hosts are little-endian */
    return PyLong_FromUnsignedLongLong(value);
}

/* As many bits as the register has. */
static int set_value(const struct register_object *self, PyObject *object, uint32_t index,
                     PyObject *number)
{
    if (!number) {
        PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", self->name);
        return -1;
    }
    uint64_t value = PyLong_AsUnsignedLongLongMask(number);
    void *at = PyErr_Occurred() ? NULL : find_value(self, object, index);
    if (!at)
        return -1;
    memcpy(at, &value, self->row.storage_size);
    return 0;
}

static PyObject *get_attribute(PyObject *self, PyObject *object, PyObject *class)
{
    struct register_object *reg = (struct register_object *)self;
    if (!object) {
        Py_INCREF(self);
        return self;
    }
    if (reg->row.count == 0)
        return get_value(reg, object, 0);
    struct array_object *array = PyObject_New(struct array_object, array_type);
    if (array) {
        Py_INCREF(self);
        Py_INCREF(object);
        array->registers = reg;
        array->device = object;
    }
    return (PyObject *)array;
}

static int set_attribute(PyObject *self, PyObject *object, PyObject *number)
{
    struct register_object *reg = (struct register_object *)self;
    if (reg->row.count == 0)
        return set_value(reg, object, 0, number);
    PyErr_Format(PyExc_AttributeError, "%s is an array; set one of its registers", reg->name);
    return -1;
}

/* --- arrays ---------------------------------------------------------------------------------- */

static Py_ssize_t get_length(PyObject *self)
{
    return ((struct array_object *)self)->registers->row.count;
}

static bool has_index(PyObject *self, Py_ssize_t index)
{
    const struct register_object *reg = ((struct array_object *)self)->registers;
    if (index >= 0 && index < (Py_ssize_t)reg->row.count)
        return true;
    PyErr_Format(PyExc_IndexError, "%s has %u registers", reg->name, reg->row.count);
    return false;
}

static PyObject *get_item(PyObject *self, Py_ssize_t index)
{
    struct array_object *array = (struct array_object *)self;
    return has_index(self, index) ? get_value(array->registers, array->device, (uint32_t)index)
                                  : NULL;
}

static int set_item(PyObject *self, Py_ssize_t index, PyObject *number)
{
    struct array_object *array = (struct array_object *)self;
    return has_index(self, index)
               ? set_value(array->registers, array->device, (uint32_t)index, number)
               : -1;
}

static void array_deallocate(PyObject *self)
{
    struct array_object *array = (struct array_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(array->registers);
    Py_XDECREF(array->device);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot array_slots[] = {
    {Py_sq_length, get_length},
    {Py_sq_item, get_item},
    {Py_sq_ass_item, set_item},
    {Py_tp_dealloc, array_deallocate},
    {0},
};
static PyType_Spec array_spec = {
    .name = "trestle.Array",
    .basicsize = sizeof(struct array_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = array_slots,
};

/* --- from arguments to a row ----------------------------------------------------------------- */

static const char *const rights_names[] = {
    [TRESTLE_RIGHTS_DEFAULT] = "", [TRESTLE_RW] = "RW",
    [TRESTLE_RO] = "RO",           [TRESTLE_WO] = "WO",
    [TRESTLE_W1C] = "W1C",         [TRESTLE_W1S] = "W1S",
    [TRESTLE_W1T] = "W1T",         [TRESTLE_W0C] = "W0C",
    [TRESTLE_W0S] = "W0S",         [TRESTLE_W0T] = "W0T",
    [TRESTLE_WC] = "WC",           [TRESTLE_WS] = "WS",
    [TRESTLE_RC] = "RC",           [TRESTLE_RS] = "RS",
    [TRESTLE_TRIGGER] = "TRIGGER", [TRESTLE_RESERVED] = "RESERVED",
};

static bool get_rights(const char *name, enum trestle_rights *ret_rights)
{
    for (size_t i = 0; i < sizeof(rights_names) / sizeof(*rights_names); i++)
        if (strcmp(name, rights_names[i]) == 0) {
            *ret_rights = (enum trestle_rights)i;
            return true;
        }
    PyErr_Format(PyExc_ValueError,
                 "\"%s\" are not rights; write RW, RO, WO, W1C, W1S, W1T, W0C, W0S, W0T, WC, "
                 "WS, RC, RS, TRIGGER or RESERVED",
                 name);
    return false;
}

/* Returns a text that lives as long as the register; NULL: an exception is pending. */
static const char *keep_text(struct register_object *self, PyObject *text)
{
    const char *utf8 = PyUnicode_AsUTF8(text);
    return utf8 && PyList_Append(self->texts, text) == 0 ? utf8 : NULL;
}

/* Bytes that live as long as the register. */
static void *keep_bytes(struct register_object *self, size_t size)
{
    PyObject *bytes = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
    void *at =
        bytes && PyList_Append(self->texts, bytes) == 0 ? PyByteArray_AS_STRING(bytes) : NULL;
    Py_XDECREF(bytes);
    return at ? memset(at, 0, size) : NULL;
}

/* {"slow": 0, "fast": 1} */
static bool fill_values(struct register_object *self, PyObject *named,
                        struct trestle_field *ret_field)
{
    struct trestle_value *values =
        keep_bytes(self, (size_t)(PyDict_Size(named) + 1) * sizeof(*values));
    PyObject *name, *value;
    Py_ssize_t position = 0;
    ret_field->values = values;
    while (values && PyDict_Next(named, &position, &name, &value)) {
        values->name = keep_text(self, name);
        values->value = PyLong_AsUnsignedLongLong(value);
        if (PyErr_Occurred())
            return false;
        values++;
    }
    return values != NULL;
}

/* A mask, or a dictionary that has one. */
static bool fill_field(struct register_object *self, PyObject *said, struct trestle_field *field)
{
    static char *keys[] = {"mask", "access", "values", "doc", NULL};
    const char *access = "";
    PyObject *values = NULL, *doc = NULL, *nothing = NULL;
    unsigned long long mask;
    if (!PyDict_Check(said)) {
        field->mask = PyLong_AsUnsignedLongLong(said);
        return !PyErr_Occurred();
    }
    nothing = PyTuple_New(0);
    bool is_fine =
        nothing && PyArg_ParseTupleAndKeywords(nothing, said, "K|$sO!U:a field", keys, &mask,
                                               &access, &PyDict_Type, &values, &doc);
    Py_XDECREF(nothing);
    if (!is_fine || !get_rights(access, &field->access) ||
        (values && !fill_values(self, values, field)))
        return false;
    field->mask = mask;
    field->doc = doc ? keep_text(self, doc) : NULL;
    return !PyErr_Occurred();
}

static bool fill_fields(struct register_object *self, PyObject *named)
{
    struct trestle_field *fields =
        keep_bytes(self, (size_t)(PyDict_Size(named) + 1) * sizeof(*fields));
    PyObject *name, *said;
    Py_ssize_t position = 0;
    self->row.fields = fields;
    while (fields && PyDict_Next(named, &position, &name, &said)) {
        fields->name = keep_text(self, name);
        if (!fields->name || !fill_field(self, said, fields))
            return false;
        fields++;
    }
    return fields != NULL;
}

static bool set_name(struct register_object *self, const char *name)
{
    if (strlen(name) > NAME_MAX_LENGTH) {
        PyErr_Format(PyExc_ValueError, "a register's name has at most %d bytes", NAME_MAX_LENGTH);
        return false;
    }
    strcpy(self->name, name);
    return true;
}

/* The values are at the registers' offsets, behind what else a device's state has. */
static void place_value(struct trestle_register *row)
{
    bool is_width = row->size == 1 || row->size == 2 || row->size == 4 || row->size == 8;
    if (!is_width || row->access == TRESTLE_TRIGGER || row->access == TRESTLE_RESERVED)
        return; /* the library refuses a size that cannot be */
    row->storage = (uint32_t)(sizeof(struct python_state) + row->offset);
    row->storage_size = row->size;
    row->storage_stride = row->stride ? row->stride : row->size;
}

static int initialise(PyObject *object, PyObject *args, PyObject *kwargs)
{
    static char *keys[] = {"offset", "access", "size",   "reset", "mask",
                           "count",  "stride", "widths", "whole", "keep",
                           "stored", "fields", "name",   "doc",   NULL};
    struct register_object *self = (struct register_object *)object;
    struct trestle_register *row = &self->row;
    const char *access = "RW", *name = "";
    unsigned long long offset, reset = 0, mask = 0;
    int whole = 0, keep = 0, stored = 1;
    PyObject *fields = NULL, *doc = NULL;
    if (self->texts) {
        PyErr_SetString(PyExc_TypeError, "a register is made once");
        return -1;
    }
    row->size = 4;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K|s$IKKIIIpppO!sU:Register", keys, &offset,
                                     &access, &row->size, &reset, &mask, &row->count, &row->stride,
                                     &row->widths, &whole, &keep, &stored, &PyDict_Type, &fields,
                                     &name, &doc) ||
        !get_rights(access, &row->access) || !set_name(self, name))
        return -1;
    self->texts = PyList_New(0);
    if (offset > UINT32_MAX - sizeof(struct python_state)) {
        PyErr_SetString(PyExc_ValueError, "the offset lies beyond 4 GiB");
        return -1;
    }
    row->name = self->name;
    row->offset = offset;
    row->reset = reset;
    row->mask = mask;
    row->whole = whole;
    row->keep = keep;
    if (stored)
        place_value(row);
    if (!self->texts || (fields && !fill_fields(self, fields)))
        return -1;
    row->doc = doc ? keep_text(self, doc) : NULL;
    return PyErr_Occurred() ? -1 : 0;
}

/* --- the class ------------------------------------------------------------------------------- */

/* Its name is the attribute's, in upper case, if it was given none. */
static PyObject *take_name(PyObject *object, PyObject *args)
{
    struct register_object *self = (struct register_object *)object;
    PyObject *owner;
    const char *name;
    if (!PyArg_ParseTuple(args, "Os", &owner, &name))
        return NULL;
    if (!self->name[0] && set_name(self, name))
        for (char *c = self->name; *c; c++)
            *c = Py_TOUPPER(*c);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static int traverse(PyObject *object, visitproc visit, void *arg)
{
    struct register_object *self = (struct register_object *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->on_read);
    Py_VISIT(self->on_write);
    return 0;
}

static int clear(PyObject *object)
{
    struct register_object *self = (struct register_object *)object;
    Py_CLEAR(self->on_read);
    Py_CLEAR(self->on_write);
    return 0;
}

static void deallocate(PyObject *object)
{
    struct register_object *self = (struct register_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)clear(object);
    Py_XDECREF(self->texts);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"on_read", decorate_on_read, METH_O,
     "A decorator: the method is called at a read, with a trestle.Access, and gives the value."},
    {"on_write", decorate_on_write, METH_O,
     "A decorator: the method is called after a write, with a trestle.Access."},
    {"__set_name__", take_name, METH_VARARGS, NULL},
    {0},
};

static PyMemberDef members[] = {
    {"offset", T_ULONGLONG, offsetof(struct register_object, row.offset), READONLY,
     "bytes from the beginning of the region"},
    {"size", T_UINT, offsetof(struct register_object, row.size), READONLY, "bytes"},
    {"name", T_STRING_INPLACE, offsetof(struct register_object, name), READONLY, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_init, initialise},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_descr_get, get_attribute},
    {Py_tp_descr_set, set_attribute},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_dealloc, deallocate},
    {Py_tp_doc,
     "Register(offset, access=\"RW\", *, size=4, reset=0, mask=0, count=0, stride=0, "
     "widths=0, whole=False, keep=False, stored=True, fields={}, name=\"\", doc=\"\")\n\n"
     "An attribute of a class that derives from trestle.Model: its value."},
    {0},
};

static PyType_Spec spec = {
    .name = "trestle.Register",
    .basicsize = sizeof(struct register_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

bool registers_add_to(PyObject *module)
{
    register_type = (PyTypeObject *)PyType_FromSpec(&spec);
    array_type = (PyTypeObject *)PyType_FromSpec(&array_spec);
    access_type = PyStructSequence_NewType(&access_desc);
    return register_type && array_type && access_type &&
           PyModule_AddObjectRef(module, "Register", (PyObject *)register_type) == 0 &&
           PyModule_AddObjectRef(module, "Access", (PyObject *)access_type) == 0;
}

/* --- from a class to a table ----------------------------------------------------------------- */

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *mark = strstr(name, "%s");
    size_t length = strspn(name, allowed);
    return *name && (!name[length] ||
                     (name + length == mark && strspn(mark + 2, allowed) == strlen(mark + 2)));
}

/* The attribute would hide a method of trestle.Model, which the model would miss. */
static bool check_attribute(PyObject *attribute, const struct register_object *reg,
                            char **ret_error)
{
    static const char *const taken[] = {"init",    "read",     "write",      "wake",
                                        "message", "dma_done", "dma_failed", "reset",
                                        "fini",    "start",    "input",      NULL};
    const char *text = PyUnicode_AsUTF8(attribute);
    bool is_taken = text && device_has_attribute(text);
    for (size_t i = 0; text && taken[i]; i++)
        is_taken = is_taken || strcmp(text, taken[i]) == 0;
    int length = 0;
    if (is_taken)
        length = asprintf(ret_error,
                          "register %s: self.%s is something else already; call the attribute "
                          "otherwise, and say name=\"%s\"",
                          reg->name, text, reg->name);
    else if (!is_name(reg->name))
        length = asprintf(ret_error,
                          "register \"%s\": a name has letters, digits and _; say name=\"...\"",
                          reg->name);
    if (length < 0)
        *ret_error = NULL;
    return length == 0;
}

/* Those of one class that no class below it has replaced. */
static int collect_from(PyObject *class, PyObject *attributes, PyObject *registers,
                        char **ret_error)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (attributes && PyDict_Next(attributes, &position, &key, &value)) {
        if (!PyObject_TypeCheck(value, register_type))
            continue;
        PyObject *seen = PyObject_GetAttr(class, key);
        bool is_seen = seen == value;
        Py_XDECREF(seen);
        if (is_seen && !check_attribute(key, (struct register_object *)value, ret_error))
            return -EINVAL;
        if (is_seen && PyList_Append(registers, value) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int fill_table(struct python_table *table)
{
    Py_ssize_t count = PyList_GET_SIZE(table->registers);
    if (count == 0)
        return 0;
    table->rows = calloc((size_t)count, sizeof(*table->rows));
    if (!table->rows)
        return -ENOMEM;
    for (Py_ssize_t i = 0; i < count; i++) {
        const struct trestle_register *row =
            &((struct register_object *)PyList_GET_ITEM(table->registers, i))->row;
        uint64_t last = row->count ? (uint64_t)(row->count - 1) * row->storage_stride : 0;
        uint64_t end = row->storage + last + row->storage_size;
        table->rows[i] = *row;
        if (row->storage_size && end > table->state_size)
            table->state_size = end;
    }
    table->region = (struct trestle_region){TRESTLE_REGION_SIZES, .registers = table->rows,
                                            .num_registers = (size_t)count};
    table->regions[0] = &table->region;
    return 0;
}

int registers_collect(PyObject *class, struct python_table *table, char **ret_error)
{
    PyObject *classes = ((PyTypeObject *)class)->tp_mro;
    int r = 0;
    table->state_size = sizeof(struct python_state);
    table->registers = PyList_New(0);
    if (!table->registers)
        return -ENOMEM;
    for (Py_ssize_t i = PyTuple_GET_SIZE(classes); i > 0 && r == 0; i--)
        r = collect_from(class, ((PyTypeObject *)PyTuple_GET_ITEM(classes, i - 1))->tp_dict,
                         table->registers, ret_error);
    return r ? r : fill_table(table);
}

void registers_finish(struct python_table *table)
{
    free(table->rows);
    Py_CLEAR(table->registers);
}
