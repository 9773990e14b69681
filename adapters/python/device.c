/* SPDX-License-Identifier: MIT */
/* The class trestle.Model: what a device in Python may ask the library for. */
#include "adapters/python/device.h"

#include <errno.h>
#include <structmember.h>

#include "adapters/python/errors.h"
#include "trestle/sim.h"

static PyObject *later, *model_type;

/* --- trestle.Model: what a model may ask for ------------------------------------------------- */

static struct trestle_device *device_of(PyObject *self)
{
    struct trestle_device *dev = ((struct device_object *)self)->dev;
    if (!dev)
        PyErr_SetString(PyExc_RuntimeError, "this is not a device of a run yet; do it in init()");
    return dev;
}

struct trestle_device *device_from(PyObject *object)
{
    if (PyObject_TypeCheck(object, (PyTypeObject *)model_type))
        return device_of(object);
    PyErr_Format(PyExc_TypeError, "%R is not a trestle.Model", object);
    return NULL;
}

bool device_has_attribute(const char *name)
{
    return PyObject_HasAttrString(model_type, name);
}

static PyObject *get_name(PyObject *self, void *closure)
{
    struct trestle_device *dev = device_of(self);
    return dev ? PyUnicode_FromString(trestle_device_name(dev)) : NULL;
}

static PyObject *get_base(PyObject *self, void *closure)
{
    struct trestle_device *dev = device_of(self);
    return dev ? PyLong_FromUnsignedLongLong(trestle_device_base(dev)) : NULL;
}

static PyObject *get_now(PyObject *self, void *closure)
{
    struct trestle_device *dev = device_of(self);
    return dev ? PyLong_FromUnsignedLongLong(trestle_device_now(dev)) : NULL;
}

static PyObject *set_timer(PyObject *self, PyObject *args, bool relative)
{
    struct trestle_device *dev = device_of(self);
    unsigned timer;
    PyObject *time;
    if (!dev || !PyArg_ParseTuple(args, "IO", &timer, &time))
        return NULL;
    trestle_time when = TRESTLE_TIME_NEVER;
    if (time != Py_None) {
        PyObject *whole = PyNumber_Long(time);
        when = whole ? PyLong_AsUnsignedLongLong(whole) : 0;
        Py_XDECREF(whole);
        if (PyErr_Occurred())
            return NULL;
    }
    if (timer >= trestle_device_model(dev)->timers)
        return PyErr_Format(PyExc_ValueError, "timer %u: the model has timers = %u", timer,
                            trestle_device_model(dev)->timers);
    if (relative && time != Py_None)
        trestle_device_wake_after(dev, timer, when);
    else
        trestle_device_wake_at(dev, timer, when);
    Py_RETURN_NONE;
}

static PyObject *wake_at(PyObject *self, PyObject *args)
{
    return set_timer(self, args, false);
}

static PyObject *wake_after(PyObject *self, PyObject *args)
{
    return set_timer(self, args, true);
}

static bool has_line(const struct trestle_device *dev, unsigned line)
{
    uint32_t lines = trestle_device_model(dev)->irq_lines;
    if (line >= lines)
        PyErr_Format(PyExc_ValueError, "line %u: the model has %u interrupt lines", line, lines);
    return line < lines;
}

static PyObject *set_irq(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned line;
    int level;
    if (!dev || !PyArg_ParseTuple(args, "Ip", &line, &level))
        return NULL;
    if (!has_line(dev, line))
        return NULL;
    trestle_device_irq(dev, line, level);
    Py_RETURN_NONE;
}

static PyObject *pulse(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned line;
    if (!dev || !PyArg_ParseTuple(args, "I", &line) || !has_line(dev, line))
        return NULL;
    trestle_device_pulse(dev, line);
    Py_RETURN_NONE;
}

static PyObject *raise_errno(int status, const char *what)
{
    return PyErr_Format(PyExc_OSError, "%s: %s", what, strerror(-status));
}

static PyObject *send_message(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned port;
    Py_buffer data;
    if (!dev || !PyArg_ParseTuple(args, "Iy*", &port, &data))
        return NULL;
    int r = trestle_device_send(dev, port, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    if (r < 0)
        return raise_errno(r, "send");
    Py_RETURN_NONE;
}

static PyObject *forward(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned port;
    if (!dev || !PyArg_ParseTuple(args, "I", &port))
        return NULL;
    const struct device_object *device = (struct device_object *)self;
    int r = device->received
                ? trestle_device_send(dev, port, device->received, device->received_size)
                : -EINVAL;
    if (r < 0)
        return raise_errno(r, "forward");
    Py_RETURN_NONE;
}

/* The model need not care whether somebody listens, and fast enough. */
static PyObject *output(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    Py_buffer data;
    if (!dev || !PyArg_ParseTuple(args, "y*", &data))
        return NULL;
    (void)trestle_device_output(dev, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    Py_RETURN_NONE;
}

static PyObject *accept_input(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    Py_ssize_t bytes;
    if (!dev || !PyArg_ParseTuple(args, "n", &bytes))
        return NULL;
    trestle_device_accept_input(dev, bytes > 0 ? (size_t)bytes : 0);
    Py_RETURN_NONE;
}

static PyObject *is_linked(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned port;
    if (!dev || !PyArg_ParseTuple(args, "I", &port))
        return NULL;
    return PyBool_FromLong(trestle_device_linked(dev, port));
}

/* Starts a transfer whose bytes are in `buffer`, a bytearray, which is kept until it ends. */
static PyObject *start_transfer(struct device_object *self, bool is_read, unsigned long long addr,
                                PyObject *buffer, PyObject *tag)
{
    PyObject *id = PyLong_FromUnsignedLongLong(++self->last_transfer);
    PyObject *kept = Py_BuildValue("OOO", buffer, tag, is_read ? Py_True : Py_False);
    int r = -ENOMEM;
    if (id && kept && PyDict_SetItem(self->transfers, id, kept) == 0) {
        void *bytes = PyByteArray_AS_STRING(buffer);
        size_t size = (size_t)PyByteArray_GET_SIZE(buffer);
        r = is_read ? trestle_device_dma_read(self->dev, addr, bytes, size, self->last_transfer)
                    : trestle_device_dma_write(self->dev, addr, bytes, size, self->last_transfer);
        if (r < 0)
            (void)PyDict_DelItem(self->transfers, id);
    }
    Py_XDECREF(id);
    Py_XDECREF(kept);
    if (r < 0)
        return raise_errno(r, is_read ? "dma_read" : "dma_write");
    Py_RETURN_NONE;
}

static PyObject *dma_read(PyObject *self, PyObject *args)
{
    unsigned long long addr;
    Py_ssize_t size;
    PyObject *tag = Py_None;
    if (!device_of(self) || !PyArg_ParseTuple(args, "Kn|O", &addr, &size, &tag))
        return NULL;
    if (size < 0)
        return PyErr_Format(PyExc_ValueError, "a size of %zd", size);
    PyObject *buffer = PyByteArray_FromStringAndSize(NULL, size);
    if (!buffer)
        return NULL;
    PyObject *done = start_transfer((struct device_object *)self, true, addr, buffer, tag);
    Py_DECREF(buffer);
    return done;
}

static PyObject *dma_write(PyObject *self, PyObject *args)
{
    unsigned long long addr;
    PyObject *data, *tag = Py_None;
    if (!device_of(self) || !PyArg_ParseTuple(args, "KO|O", &addr, &data, &tag))
        return NULL;
    PyObject *buffer = PyByteArray_FromObject(data); /* a copy: data may change meanwhile */
    if (!buffer)
        return NULL;
    PyObject *done = start_transfer((struct device_object *)self, false, addr, buffer, tag);
    Py_DECREF(buffer);
    return done;
}

static PyObject *memory_read(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned long long addr;
    Py_ssize_t size;
    if (!dev || !PyArg_ParseTuple(args, "Kn", &addr, &size))
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    int r =
        bytes ? trestle_device_memory_read(dev, addr, PyBytes_AS_STRING(bytes), (size_t)size) : 0;
    if (r == 0)
        return bytes;
    Py_DECREF(bytes);
    return raise_errno(r, "memory_read");
}

static PyObject *memory_write(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned long long addr;
    Py_buffer data;
    if (!dev || !PyArg_ParseTuple(args, "Ky*", &addr, &data))
        return NULL;
    int r = trestle_device_memory_write(dev, addr, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    if (r < 0)
        return raise_errno(r, "memory_write");
    Py_RETURN_NONE;
}

static PyObject *complete(PyObject *self, PyObject *args)
{
    struct device_object *object = (struct device_object *)self;
    PyObject *data = NULL;
    int r = 0;
    if (!device_of(self) || !PyArg_ParseTuple(args, "|Op", &data, &r))
        return NULL;
    if (!object->waiting) {
        PyErr_SetString(PyExc_RuntimeError, "no access waits for an answer");
        return NULL;
    }
    uint64_t value = 0;
    if (data && data != Py_None) {
        value = PyLong_AsUnsignedLongLongMask(data);
        if (PyErr_Occurred())
            return NULL;
    }
    struct trestle_request *req = object->waiting;
    object->waiting = NULL;
    trestle_request_complete(req, r ? -EIO : 0, value);
    Py_RETURN_NONE;
}

static PyObject *log_text(PyObject *self, PyObject *args, enum trestle_log_level level)
{
    struct trestle_device *dev = device_of(self);
    const char *text;
    if (!dev || !PyArg_ParseTuple(args, "s", &text))
        return NULL;
    trestle_device_log(dev, level, "%s", text);
    Py_RETURN_NONE;
}

static PyObject *fail(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    const char *text;
    if (!dev || !PyArg_ParseTuple(args, "s", &text))
        return NULL;
    trestle_device_fail(dev, "%s", text);
    Py_RETURN_NONE;
}

static PyObject *self_reset(PyObject *self, PyObject *unused)
{
    struct trestle_device *dev = device_of(self);
    if (!dev)
        return NULL;
    trestle_device_self_reset(dev);
    Py_RETURN_NONE;
}

static PyObject *set_access_latency(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned long long latency;
    if (!dev || !PyArg_ParseTuple(args, "K", &latency))
        return NULL;
    trestle_device_set_access_latency(dev, latency);
    Py_RETURN_NONE;
}

static PyObject *log_info(PyObject *self, PyObject *args)
{
    return log_text(self, args, TRESTLE_LOG_INFO);
}

static PyObject *log_warning(PyObject *self, PyObject *args)
{
    return log_text(self, args, TRESTLE_LOG_WARNING);
}

/* --- answers --------------------------------------------------------------------------------- */

int device_take_answer(struct trestle_device *dev, struct trestle_request *req, PyObject *result,
                       const char *callback, uint64_t *ret_data)
{
    if (!result)
        return error_log(dev, callback);
    if (result == later) {
        device_object_of(dev)->waiting = req;
        return -EINPROGRESS;
    }
    if (!ret_data)
        return 0;
    if (!PyLong_Check(result)) {
        PyErr_Format(PyExc_TypeError, "%s() has to give an int, or trestle.LATER, not %R", callback,
                     result);
        return error_log(dev, callback);
    }
    *ret_data = PyLong_AsUnsignedLongLongMask(result);
    return 0;
}

/* --- parameters ------------------------------------------------------------------------------ */

static const struct trestle_params *params_of(PyObject *self)
{
    const struct trestle_params *params = ((struct device_object *)self)->params;
    if (!params)
        PyErr_SetString(PyExc_RuntimeError, "parameters are there in init() only");
    return params;
}

/* The library has said which parameter is wrong. init() only has to end. */
static PyObject *refuse(PyObject *self)
{
    ((struct device_object *)self)->bad_param = true;
    PyErr_SetString(PyExc_ValueError, "a parameter does not parse");
    return NULL;
}

/* The value is of the same kind as the fallback: a number or text. */
static PyObject *get_param(PyObject *self, PyObject *args)
{
    const struct trestle_params *params = params_of(self);
    const char *key;
    PyObject *fallback;
    if (!params || !PyArg_ParseTuple(args, "sO", &key, &fallback))
        return NULL;
    if (PyLong_Check(fallback)) {
        uint64_t value = PyLong_AsUnsignedLongLong(fallback);
        if (PyErr_Occurred())
            return NULL;
        if (trestle_params_u64(params, key, value, &value) < 0)
            return refuse(self);
        return PyLong_FromUnsignedLongLong(value);
    }
    const char *text = NULL;
    if (trestle_params_string(params, key, NULL, &text) < 0)
        return refuse(self);
    if (text)
        return PyUnicode_FromString(text);
    Py_INCREF(fallback);
    return fallback;
}

static PyObject *get_time(PyObject *self, PyObject *args,
                          int (*get)(const struct trestle_params *, const char *, trestle_time,
                                     trestle_time *))
{
    const struct trestle_params *params = params_of(self);
    const char *key;
    unsigned long long fallback;
    trestle_time value;
    if (!params || !PyArg_ParseTuple(args, "sK", &key, &fallback))
        return NULL;
    if (get(params, key, fallback, &value) < 0)
        return refuse(self);
    return PyLong_FromUnsignedLongLong(value);
}

static PyObject *get_time_param(PyObject *self, PyObject *args)
{
    return get_time(self, args, trestle_params_time);
}

static PyObject *get_period_param(PyObject *self, PyObject *args)
{
    return get_time(self, args, trestle_params_period);
}

static PyObject *refuse_param(PyObject *self, PyObject *args)
{
    const struct trestle_params *params = params_of(self);
    const char *key, *expected;
    if (!params || !PyArg_ParseTuple(args, "ss", &key, &expected))
        return NULL;
    (void)!trestle_params_refuse(params, key, expected);
    return refuse(self);
}

/* --- the class ------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"wake_at", wake_at, METH_VARARGS, "wake_at(timer, time or None): wake() comes then"},
    {"wake_after", wake_after, METH_VARARGS, "wake_after(timer, delay)"},
    {"irq", set_irq, METH_VARARGS, "irq(line, level): sets an interrupt line"},
    {"pulse", pulse, METH_VARARGS, "pulse(line): the line goes up and down again"},
    {"send", send_message, METH_VARARGS, "send(port, data): a message to the peer"},
    {"forward", forward, METH_VARARGS, "forward(port): sends on what message() got, in message()"},
    {"linked", is_linked, METH_VARARGS, "linked(port): is there a peer?"},
    {"dma_read", dma_read, METH_VARARGS,
     "dma_read(addr, size, tag=None): dma_done(tag, data) comes later"},
    {"dma_write", dma_write, METH_VARARGS,
     "dma_write(addr, data, tag=None): dma_done(tag, None) comes later"},
    {"memory_read", memory_read, METH_VARARGS, "memory_read(addr, size): bytes, at once"},
    {"memory_write", memory_write, METH_VARARGS, "memory_write(addr, data): at once"},
    {"output", output, METH_VARARGS, "output(data): bytes for the device's backend"},
    {"accept_input", accept_input, METH_VARARGS, "accept_input(bytes): how many input() takes"},
    {"self_reset", self_reset, METH_NOARGS, "self_reset(): what a reset of the guest does"},
    {"set_access_latency", set_access_latency, METH_VARARGS,
     "set_access_latency(latency): how much later each access is seen"},
    {"fail", fail, METH_VARARGS, "fail(text): the device does not work any more"},
    {"complete", complete, METH_VARARGS, "complete(value=0, error=False): answers what waits"},
    {"info", log_info, METH_VARARGS, "info(text): a line to the log of a run with -v"},
    {"warning", log_warning, METH_VARARGS, "warning(text): a line to the log"},
    {"param", get_param, METH_VARARGS, "param(key, fallback): a number, or text, as fallback is"},
    {"param_time", get_time_param, METH_VARARGS, "param_time(key, fallback): picoseconds"},
    {"param_period", get_period_param, METH_VARARGS,
     "param_period(key, fallback): of a clock such as 1GHz, in picoseconds"},
    {"param_refuse", refuse_param, METH_VARARGS,
     "param_refuse(key, expected): the value is not what was expected; ends init()"},
    {0},
};

static PyGetSetDef getters[] = {
    {"name", get_name, NULL, "the device's name", NULL},
    {"base", get_base, NULL, "the guest's address of its registers", NULL},
    {"now", get_now, NULL, "picoseconds since the start of the run", NULL},
    {0},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(struct device_object, dict), READONLY, NULL},
    {0},
};

static void deallocate(PyObject *self)
{
    struct device_object *object = (struct device_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(object->transfers);
    Py_XDECREF(object->dict);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_getset, getters},
    {Py_tp_members, members},
    {Py_tp_dealloc, deallocate},
    {Py_tp_doc, "A device. Derive from it, say what it has, and write read(offset, size) and "
                "write(offset, size, value)."},
    {0},
};

static PyType_Spec spec = {
    .name = "trestle.Model",
    .basicsize = sizeof(struct device_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = slots,
};

bool device_add_to(PyObject *module)
{
    later = PyUnicode_InternFromString("LATER");
    model_type = PyType_FromSpec(&spec);
    return later && model_type && PyModule_AddObjectRef(module, "LATER", later) == 0 &&
           PyModule_AddObjectRef(module, "Model", model_type) == 0;
}
