/* SPDX-License-Identifier: MIT */
/*
 * Models in Python: an interpreter inside the process that serves the device, and the class
 * trestle.Model, whose instances are devices.
 *
 * The interpreter is started with the first model and stays. Every callback takes its lock, so that
 * bridges of several threads may have such models.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <structmember.h>

#include "adapters/python/python.h"
#include "trestle/sim.h"

/* A model, made of a class. The table is first, so that its address is the model's. */
struct python_model {
    struct trestle_model table;
    struct python_model *next;
    PyObject *class;
};

/* An instance of trestle.Model. */
struct device_object {
    PyObject_HEAD struct trestle_device *dev;
    const struct trestle_params *params; /* in init() only */
    bool bad_param;                      /* one that trestle_params_*() has complained of */
    struct trestle_request *waiting;     /* answered later */
    PyObject *transfers;                 /* {id: (buffer, tag, is_read)} */
    unsigned long long last_transfer;
    PyObject *dict;
};

/* The state of a device. */
struct python_state {
    struct device_object *self;
};

static struct python_model *models;
static PyObject *later, *bus_error, *seen_tracebacks;

/* --- errors ---------------------------------------------------------------------------------- */

/* The pending exception as lines of text; a new reference, or NULL. */
static PyObject *format_exception(void)
{
    PyObject *type, *value, *traceback, *lines = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *module = PyImport_ImportModule("traceback");
    if (module)
        lines = PyObject_CallMethod(module, "format_exception", "OOO", type,
                                    value ? value : Py_None, traceback ? traceback : Py_None);
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    PyObject *empty = PyUnicode_FromString("");
    PyObject *text = lines && empty ? PyUnicode_Join(empty, lines) : NULL;
    Py_XDECREF(lines);
    Py_XDECREF(empty);
    PyErr_Clear();
    return text;
}

/* The last line, which says what was raised. Lives as long as text. */
static char *last_line(const char *text)
{
    size_t end = strlen(text);
    while (end > 0 && text[end - 1] == '\n')
        end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '\n')
        start--;
    return strndup(text + start, end - start);
}

static void log_lines(struct trestle_device *dev, const char *text)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        trestle_device_log(dev, TRESTLE_LOG_ERROR, "%.*s", (int)(end - text), text);
}

/* Clears the pending exception, and says what it was. The whole traceback comes once for each. */
static int log_exception(struct trestle_device *dev, const char *callback)
{
    if (PyErr_ExceptionMatches(bus_error)) {
        PyObject *text = format_exception();
        const char *utf8 = text ? PyUnicode_AsUTF8(text) : NULL;
        char *line = last_line(utf8 ? utf8 : "");
        const char *what = line ? strstr(line, ": ") : NULL;
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "%s", what ? what + 2 : "bus error");
        free(line);
        Py_XDECREF(text);
        return -EIO;
    }
    PyObject *text = format_exception();
    const char *utf8 = text ? PyUnicode_AsUTF8(text) : NULL;
    char *line = last_line(utf8 ? utf8 : "an exception without words");
    trestle_device_log(dev, TRESTLE_LOG_ERROR, "%s() raised %s", callback, line ? line : "");
    free(line);
    if (utf8 && PySet_Contains(seen_tracebacks, text) == 0) {
        log_lines(dev, utf8);
        (void)PySet_Add(seen_tracebacks, text);
    }
    PyErr_Clear();
    Py_XDECREF(text);
    return -EIO;
}

/* --- trestle.Model: what a model may ask for ------------------------------------------------- */

static struct trestle_device *device_of(PyObject *self)
{
    struct trestle_device *dev = ((struct device_object *)self)->dev;
    if (!dev)
        PyErr_SetString(PyExc_RuntimeError, "this is no device of a run yet; do it in init()");
    return dev;
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
        return PyErr_Format(PyExc_ValueError, "timer %u: the model says timers = %u", timer,
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

static PyObject *set_irq(PyObject *self, PyObject *args)
{
    struct trestle_device *dev = device_of(self);
    unsigned line;
    int level;
    if (!dev || !PyArg_ParseTuple(args, "Ip", &line, &level))
        return NULL;
    if (line >= trestle_device_model(dev)->irq_lines)
        return PyErr_Format(PyExc_ValueError, "line %u: the model says irq_lines = %u", line,
                            trestle_device_model(dev)->irq_lines);
    trestle_device_irq(dev, line, level);
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
    int status = trestle_device_send(dev, port, data.buf, (size_t)data.len);
    PyBuffer_Release(&data);
    if (status < 0)
        return raise_errno(status, "send");
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
    int status = -ENOMEM;
    if (id && kept && PyDict_SetItem(self->transfers, id, kept) == 0) {
        void *bytes = PyByteArray_AS_STRING(buffer);
        size_t size = (size_t)PyByteArray_GET_SIZE(buffer);
        status = is_read
                     ? trestle_device_dma_read(self->dev, addr, bytes, size, self->last_transfer)
                     : trestle_device_dma_write(self->dev, addr, bytes, size, self->last_transfer);
        if (status < 0)
            (void)PyDict_DelItem(self->transfers, id);
    }
    Py_XDECREF(id);
    Py_XDECREF(kept);
    if (status < 0)
        return raise_errno(status, is_read ? "dma_read" : "dma_write");
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

static PyObject *complete(PyObject *self, PyObject *args)
{
    struct device_object *object = (struct device_object *)self;
    PyObject *data = NULL;
    int error = 0;
    if (!device_of(self) || !PyArg_ParseTuple(args, "|Op", &data, &error))
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
    trestle_request_complete(req, error ? -EIO : 0, value);
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

static PyObject *log_info(PyObject *self, PyObject *args)
{
    return log_text(self, args, TRESTLE_LOG_INFO);
}

static PyObject *log_warning(PyObject *self, PyObject *args)
{
    return log_text(self, args, TRESTLE_LOG_WARNING);
}

/* --- parameters ------------------------------------------------------------------------------ */

static const struct trestle_params *params_of(PyObject *self)
{
    const struct trestle_params *params = ((struct device_object *)self)->params;
    if (!params)
        PyErr_SetString(PyExc_RuntimeError, "parameters are there in init() only");
    return params;
}

/* The library has said which parameter it was; init() only ends. */
static PyObject *refuse(PyObject *self)
{
    ((struct device_object *)self)->bad_param = true;
    PyErr_SetString(PyExc_ValueError, "a parameter does not parse");
    return NULL;
}

/* What the fallback is, the value is: a number or text. */
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

static PyObject *get_time_param(PyObject *self, PyObject *args)
{
    const struct trestle_params *params = params_of(self);
    const char *key;
    unsigned long long fallback;
    trestle_time value;
    if (!params || !PyArg_ParseTuple(args, "sK", &key, &fallback))
        return NULL;
    if (trestle_params_time(params, key, fallback, &value) < 0)
        return refuse(self);
    return PyLong_FromUnsignedLongLong(value);
}

/* --- the class ------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"wake_at", wake_at, METH_VARARGS, "wake_at(timer, time or None): wake() comes then"},
    {"wake_after", wake_after, METH_VARARGS, "wake_after(timer, delay)"},
    {"irq", set_irq, METH_VARARGS, "irq(line, level): sets an interrupt line"},
    {"send", send_message, METH_VARARGS, "send(port, data): a message to the peer"},
    {"linked", is_linked, METH_VARARGS, "linked(port): is there a peer?"},
    {"dma_read", dma_read, METH_VARARGS,
     "dma_read(addr, size, tag=None): dma_done(tag, data) comes later"},
    {"dma_write", dma_write, METH_VARARGS,
     "dma_write(addr, data, tag=None): dma_done(tag, None) comes later"},
    {"complete", complete, METH_VARARGS, "complete(value=0, error=False): answers what waits"},
    {"info", log_info, METH_VARARGS, "info(text): a line to the log of a run with -v"},
    {"warning", log_warning, METH_VARARGS, "warning(text): a line to the log"},
    {"param", get_param, METH_VARARGS, "param(key, fallback): a number, or text, as fallback is"},
    {"param_time", get_time_param, METH_VARARGS, "param_time(key, fallback): picoseconds"},
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

static const struct {
    const char *name;
    trestle_time value;
} units[] = {{"PS", TRESTLE_PS},
             {"NS", TRESTLE_NS},
             {"US", TRESTLE_US},
             {"MS", TRESTLE_MS},
             {"S", TRESTLE_S}};

static struct PyModuleDef module_def = {PyModuleDef_HEAD_INIT, .m_name = "trestle",
                                        .m_doc = "Devices for guests in QEMU.", .m_size = -1};

static PyObject *create_module(void)
{
    PyObject *module = PyModule_Create(&module_def);
    PyObject *type = module ? PyType_FromSpec(&spec) : NULL;
    later = PyUnicode_InternFromString("LATER");
    bus_error = PyErr_NewException("trestle.BusError", NULL, NULL);
    seen_tracebacks = PySet_New(NULL);
    if (!type || !later || !bus_error || !seen_tracebacks ||
        PyModule_AddObject(module, "Model", type) < 0)
        return NULL;
    Py_INCREF(later);
    Py_INCREF(bus_error);
    if (PyModule_AddObject(module, "LATER", later) < 0 ||
        PyModule_AddObject(module, "BusError", bus_error) < 0)
        return NULL;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(units[i].value);
        if (!value || PyModule_AddObject(module, units[i].name, value) < 0)
            return NULL;
    }
    return module;
}

/* What models print goes to standard error, since standard output is the guest's console. */
static bool start_interpreter(void)
{
    if (Py_IsInitialized())
        return true;
    if (PyImport_AppendInittab("trestle", create_module) < 0)
        return false;
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    config.write_bytecode = 0;
    PyStatus status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        return false;
    PyObject *err = PySys_GetObject("stderr");
    if (err)
        PySys_SetObject("stdout", err);
    PyEval_SaveThread();
    return true;
}

/* --- callbacks ------------------------------------------------------------------------------- */

static struct device_object *object_of(struct trestle_device *dev)
{
    return ((struct python_state *)trestle_device_state(dev))->self;
}

static bool has_method(struct trestle_device *dev, const char *name)
{
    return PyObject_HasAttrString((PyObject *)object_of(dev), name);
}

/* Calls a method that need not be there, and gives up its result. */
static void call(struct trestle_device *dev, const char *name, const char *format, ...)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    if (has_method(dev, name)) {
        va_list args;
        va_start(args, format);
        PyObject *arguments = Py_VaBuildValue(format, args);
        va_end(args);
        PyObject *method = PyObject_GetAttrString((PyObject *)object_of(dev), name);
        PyObject *result = arguments && method ? PyObject_CallObject(method, arguments) : NULL;
        if (!result)
            (void)log_exception(dev, name);
        Py_XDECREF(result);
        Py_XDECREF(method);
        Py_XDECREF(arguments);
    }
    PyGILState_Release(lock);
}

/* What read() or write() gave: a value, or that the answer comes later. */
static int take_answer(struct trestle_device *dev, struct trestle_request *req, PyObject *result,
                       const char *callback, uint64_t *ret_data)
{
    if (!result)
        return log_exception(dev, callback);
    if (result == later) {
        object_of(dev)->waiting = req;
        return -EINPROGRESS;
    }
    if (!ret_data)
        return 0;
    if (!PyLong_Check(result)) {
        PyErr_Format(PyExc_TypeError, "read() has to give an int, or trestle.LATER, not %R",
                     result);
        return log_exception(dev, callback);
    }
    *ret_data = PyLong_AsUnsignedLongLongMask(result);
    return 0;
}

static int on_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = PyObject_CallMethod((PyObject *)object_of(dev), "read", "KI",
                                           (unsigned long long)access->offset, access->size);
    int status = take_answer(dev, req, result, "read", ret_data);
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return status;
}

static int on_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = PyObject_CallMethod((PyObject *)object_of(dev), "write", "KIK",
                                           (unsigned long long)access->offset, access->size,
                                           (unsigned long long)access->data);
    int status = take_answer(dev, req, result, "write", NULL);
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return status;
}

static void on_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    call(dev, "wake", "(IK)", timer, (unsigned long long)now);
}

static void on_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    call(dev, "message", "(Iy#)", port, (const char *)data, (Py_ssize_t)size);
}

static void on_reset(struct trestle_device *dev)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    object_of(dev)->waiting = NULL;
    PyDict_Clear(object_of(dev)->transfers);
    PyGILState_Release(lock);
    call(dev, "reset", "()");
}

static void on_dma_done(struct trestle_device *dev, uint64_t id, int status)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *key = PyLong_FromUnsignedLongLong(id);
    PyObject *kept = key ? PyDict_GetItemWithError(object_of(dev)->transfers, key) : NULL;
    Py_XINCREF(kept);
    if (kept)
        (void)PyDict_DelItem(object_of(dev)->transfers, key);
    if (kept && status < 0 && has_method(dev, "dma_failed")) {
        call(dev, "dma_failed", "(Os)", PyTuple_GET_ITEM(kept, 1), strerror(-status));
    } else if (kept && status < 0) {
        trestle_device_log(dev, TRESTLE_LOG_WARNING, "a transfer failed: %s", strerror(-status));
    } else if (kept) {
        bool is_read = PyTuple_GET_ITEM(kept, 2) == Py_True;
        PyObject *data = is_read ? PyBytes_FromObject(PyTuple_GET_ITEM(kept, 0)) : Py_None;
        call(dev, "dma_done", "(OO)", PyTuple_GET_ITEM(kept, 1), data ? data : Py_None);
        if (is_read)
            Py_XDECREF(data);
    }
    Py_XDECREF(kept);
    Py_XDECREF(key);
    PyGILState_Release(lock);
}

static struct python_model *model_of(struct trestle_device *dev)
{
    for (struct python_model *model = models; model; model = model->next)
        if (model->table.name == trestle_device_model(dev)->name)
            return model;
    return NULL;
}

static int on_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct python_model *model = model_of(dev);
    struct python_state *state = trestle_device_state(dev);
    int status = 0;
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *object = model ? PyObject_CallObject(model->class, NULL) : NULL;
    state->self = (struct device_object *)object;
    if (object) {
        state->self->dev = dev;
        state->self->params = params;
        state->self->transfers = PyDict_New();
        PyObject *result = PyObject_HasAttrString(object, "init")
                               ? PyObject_CallMethod(object, "init", NULL)
                               : PyLong_FromLong(0);
        state->self->params = NULL;
        if (!result && state->self->bad_param)
            PyErr_Clear();
        else if (!result)
            (void)log_exception(dev, "init");
        status = result ? 0 : -EINVAL;
        Py_XDECREF(result);
    } else {
        (void)log_exception(dev, "__init__");
        status = -EINVAL;
    }
    if (status < 0)
        Py_CLEAR(state->self);
    PyGILState_Release(lock);
    return status;
}

static void on_fini(struct trestle_device *dev)
{
    call(dev, "fini", "()");
    PyGILState_STATE lock = PyGILState_Ensure();
    object_of(dev)->dev = NULL;
    Py_CLEAR(((struct python_state *)trestle_device_state(dev))->self);
    PyGILState_Release(lock);
}

/* --- from a file to a table ------------------------------------------------------------------ */

/* The module of a file, by its path: two files may have one name. A new reference. */
static PyObject *import_file(const char *path)
{
    PyObject *util = PyImport_ImportModule("importlib.util"), *file_spec = NULL, *module = NULL;
    PyObject *machinery = PyImport_ImportModule("importlib.machinery");
    PyObject *loader =
        machinery ? PyObject_CallMethod(machinery, "SourceFileLoader", "ss", "trestle_model", path)
                  : NULL;
    if (util && loader)
        file_spec = PyObject_CallMethod(util, "spec_from_loader", "sO", "trestle_model", loader);
    if (file_spec)
        module = PyObject_CallMethod(util, "module_from_spec", "O", file_spec);
    PyObject *done = module ? PyObject_CallMethod(loader, "exec_module", "O", module) : NULL;
    if (!done)
        Py_CLEAR(module);
    Py_XDECREF(done);
    Py_XDECREF(file_spec);
    Py_XDECREF(loader);
    Py_XDECREF(machinery);
    Py_XDECREF(util);
    return module;
}

/* The class in it that derives from trestle.Model. Borrowed; NULL: none, or several. */
static PyObject *find_class(PyObject *module, size_t *ret_count)
{
    PyObject *base_module = PyImport_ImportModule("trestle");
    PyObject *base = base_module ? PyObject_GetAttrString(base_module, "Model") : NULL;
    PyObject *found = NULL, *key, *value;
    Py_ssize_t position = 0;
    *ret_count = 0;
    while (base && PyDict_Next(PyModule_GetDict(module), &position, &key, &value)) {
        if (!PyType_Check(value) || value == base || PyObject_IsSubclass(value, base) != 1)
            continue;
        found = value;
        ++*ret_count;
    }
    Py_XDECREF(base);
    Py_XDECREF(base_module);
    return *ret_count == 1 ? found : NULL;
}

/* A class attribute that is a number. */
static bool get_number(PyObject *class, const char *name, uint64_t fallback, uint64_t max,
                       uint64_t *ret_value, char **ret_error)
{
    *ret_value = fallback;
    if (!PyObject_HasAttrString(class, name))
        return true;
    PyObject *value = PyObject_GetAttrString(class, name);
    bool is_number = value && PyLong_Check(value);
    if (is_number)
        *ret_value = PyLong_AsUnsignedLongLong(value);
    Py_XDECREF(value);
    bool is_fine = is_number && !PyErr_Occurred() && *ret_value <= max;
    PyErr_Clear();
    if (!is_fine &&
        asprintf(ret_error, "%s is not a number from 0 to %llu", name, (unsigned long long)max) < 0)
        *ret_error = NULL;
    return is_fine;
}

static bool fill_table(struct python_model *model, char **ret_error)
{
    PyObject *class = model->class;
    uint64_t widths, irq_lines, ports, timers;
    struct trestle_model *table = &model->table;
    if (!get_number(class, "region_size", 0, UINT64_MAX, &table->region_size, ret_error) ||
        !get_number(class, "access_sizes", 4, 15, &widths, ret_error) ||
        !get_number(class, "irq_lines", 0, TRESTLE_IRQ_LINES_MAX, &irq_lines, ret_error) ||
        !get_number(class, "peer_ports", 0, TRESTLE_PEER_PORTS_MAX, &ports, ret_error) ||
        !get_number(class, "timers", 0, TRESTLE_TIMERS_MAX, &timers, ret_error))
        return false;
    if (table->region_size == 0) {
        *ret_error = strdup("the class has no region_size; write for example region_size = 0x100");
        return false;
    }
    table->size = sizeof(*table);
    table->access_sizes = (uint32_t)widths;
    table->irq_lines = (uint32_t)irq_lines;
    table->peer_ports = (uint32_t)ports;
    table->timers = (uint32_t)timers;
    table->state_size = sizeof(struct python_state);
    table->init = on_init;
    table->fini = on_fini;
    table->reset = on_reset;
    table->read = PyObject_HasAttrString(class, "read") ? on_read : NULL;
    table->write = PyObject_HasAttrString(class, "write") ? on_write : NULL;
    table->wake = on_wake;
    table->message = on_message;
    table->dma_done = on_dma_done;
    return true;
}

/* The pending exception as one line. */
static char *describe_exception(void)
{
    PyObject *text = format_exception();
    const char *utf8 = text ? PyUnicode_AsUTF8(text) : NULL;
    char *line = last_line(utf8 ? utf8 : "an exception without words");
    /* "  File "x.py", line 7, in f" is where it happened. */
    const char *where = NULL;
    for (const char *found = utf8; found && (found = strstr(found, "\", line ")); found++)
        where = found + strlen("\", line ");
    char *described = NULL;
    if (asprintf(&described, "%s%.*s%s%s", where ? "line " : "",
                 where ? (int)strspn(where, "0123456789") : 0, where ? where : "",
                 where ? ": " : "", line ? line : "") < 0)
        described = NULL;
    free(line);
    Py_XDECREF(text);
    return described;
}

static void free_model(struct python_model *model)
{
    Py_XDECREF(model->class);
    free((char *)model->table.name);
    free(model);
}

static struct python_model *make_model(const char *path, char **ret_error)
{
    struct python_model *model = calloc(1, sizeof(*model));
    PyObject *module = model ? import_file(path) : NULL;
    size_t count = 0;
    if (model && !module) {
        *ret_error = describe_exception();
    } else if (model) {
        model->class = find_class(module, &count);
        Py_XINCREF(model->class);
        if (!model->class &&
            asprintf(ret_error, "%zu classes derive from trestle.Model; there has to be one",
                     count) < 0)
            *ret_error = NULL;
    }
    bool is_made = model && model->class && fill_table(model, ret_error);
    if (is_made)
        model->table.name = strdup(((PyTypeObject *)model->class)->tp_name);
    Py_XDECREF(module);
    if (model && (!is_made || !model->table.name)) {
        free_model(model);
        return NULL;
    }
    return model;
}

TRESTLE_API trestle_python_load_fn trestle_python_load;
TRESTLE_API trestle_python_unload_fn trestle_python_unload;

struct trestle_model *trestle_python_load(const char *path, char **ret_error)
{
    *ret_error = NULL;
    if (!start_interpreter()) {
        *ret_error = strdup("the Python interpreter does not start");
        return NULL;
    }
    PyGILState_STATE lock = PyGILState_Ensure();
    struct python_model *model = make_model(path, ret_error);
    if (model) {
        model->next = models;
        models = model;
    }
    PyGILState_Release(lock);
    return model ? &model->table : NULL;
}

void trestle_python_unload(struct trestle_model *table)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    for (struct python_model **at = &models; *at; at = &(*at)->next) {
        struct python_model *model = *at;
        if (&model->table != table)
            continue;
        *at = model->next;
        free_model(model);
        break;
    }
    PyGILState_Release(lock);
}
