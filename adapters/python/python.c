/* SPDX-License-Identifier: MIT */
/*
 * Models in Python: an interpreter inside the process that serves the device, and the table that a
 * class in a file becomes.
 *
 * The interpreter is started with the first model and stays. Every callback takes its lock, so that
 * bridges of several threads may have such models.
 */
#include "adapters/python/python.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "adapters/python/device.h"
#include "adapters/python/errors.h"
#include "adapters/python/register.h"
#include "trestle/sim.h"

/* A model, made of a class. The table is first, so that its address is the model's. */
struct python_model {
    struct trestle_model table;
    struct python_model *next;
    PyObject *class;
    struct python_table registers;
    const char **irqs, **ports; /* the table's lists, with texts of the class */
};

static struct python_model *models;
static PyObject *name_read, *name_write;

/* --- the interpreter ------------------------------------------------------------------------- */

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
    name_read = PyUnicode_InternFromString("read");
    name_write = PyUnicode_InternFromString("write");
    if (!module || !name_read || !name_write || !errors_add_to(module) || !device_add_to(module) ||
        !registers_add_to(module))
        return NULL;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(units[i].value);
        if (!value || PyModule_AddObject(module, units[i].name, value) < 0)
            return NULL;
    }
    return module;
}

/* The program that embeds Trestle has an interpreter already, as SST has one for its
 * configurations. */
static bool join_interpreter(void)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *modules = PyImport_GetModuleDict(), *module = NULL;
    bool has_it = PyDict_GetItemString(modules, "trestle");
    if (!has_it)
        module = create_module();
    has_it = has_it || (module && PyDict_SetItemString(modules, "trestle", module) == 0);
    Py_XDECREF(module);
    PyGILState_Release(lock);
    return has_it;
}

/* What models print goes to standard error, since standard output is the guest's console. */
static bool start_interpreter(void)
{
    if (Py_IsInitialized())
        return join_interpreter();
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

static bool has_method(struct trestle_device *dev, const char *name)
{
    return PyObject_HasAttrString((PyObject *)device_object_of(dev), name);
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
        PyObject *method = PyObject_GetAttrString((PyObject *)device_object_of(dev), name);
        PyObject *result = arguments && method ? PyObject_CallObject(method, arguments) : NULL;
        if (!result)
            (void)error_log(dev, name);
        Py_XDECREF(result);
        Py_XDECREF(method);
        Py_XDECREF(arguments);
    }
    PyGILState_Release(lock);
}

/* Calls a method with numbers. An access has no time for packing them into a tuple. */
static PyObject *call_with(struct trestle_device *dev, PyObject *name, const uint64_t *numbers,
                           size_t count)
{
    PyObject *args[4] = {(PyObject *)device_object_of(dev)}, *result = NULL;
    size_t made = 0;
    while (made < count && (args[made + 1] = PyLong_FromUnsignedLongLong(numbers[made])))
        made++;
    if (made == count)
        result = PyObject_VectorcallMethod(name, args, count + 1, NULL);
    for (size_t i = 1; i <= made; i++)
        Py_DECREF(args[i]);
    return result;
}

static int on_read(struct trestle_device *dev, struct trestle_request *req,
                   const struct trestle_access *access, uint64_t *ret_data)
{
    const uint64_t numbers[] = {access->offset, access->size};
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = call_with(dev, name_read, numbers, 2);
    int r = device_take_answer(dev, req, result, "read", ret_data);
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return r;
}

static int on_write(struct trestle_device *dev, struct trestle_request *req,
                    const struct trestle_access *access)
{
    const uint64_t numbers[] = {access->offset, access->size, access->data};
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = call_with(dev, name_write, numbers, 3);
    int r = device_take_answer(dev, req, result, "write", NULL);
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return r;
}

static void on_wake(struct trestle_device *dev, uint32_t timer, trestle_time now)
{
    call(dev, "wake", "(IK)", timer, (unsigned long long)now);
}

static void on_message(struct trestle_device *dev, uint32_t port, const void *data, size_t size)
{
    struct device_object *self = device_object_of(dev);
    self->received = data;
    self->received_size = size;
    call(dev, "message", "(Iy#)", port, (const char *)data, (Py_ssize_t)size);
    self->received = NULL;
}

static void on_input(struct trestle_device *dev, const void *data, size_t size)
{
    call(dev, "input", "(y#)", (const char *)data, (Py_ssize_t)size);
}

static void on_reset(struct trestle_device *dev)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    device_object_of(dev)->waiting = NULL;
    PyDict_Clear(device_object_of(dev)->transfers);
    PyGILState_Release(lock);
    call(dev, "reset", "()");
}

static void on_dma_done(struct trestle_device *dev, uint64_t id, int status)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *key = PyLong_FromUnsignedLongLong(id);
    PyObject *kept = key ? PyDict_GetItemWithError(device_object_of(dev)->transfers, key) : NULL;
    Py_XINCREF(kept);
    if (kept)
        (void)PyDict_DelItem(device_object_of(dev)->transfers, key);
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
    int r = 0;
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
            (void)error_fail(dev, "init");
        r = result ? 0 : -EINVAL;
        Py_XDECREF(result);
    } else {
        (void)error_fail(dev, "__init__");
        r = -EINVAL;
    }
    if (r < 0)
        Py_CLEAR(state->self);
    PyGILState_Release(lock);
    return r;
}

static int on_start(struct trestle_device *dev)
{
    PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *result = has_method(dev, "start")
                           ? PyObject_CallMethod((PyObject *)device_object_of(dev), "start", NULL)
                           : PyLong_FromLong(0);
    int r = result ? 0 : error_fail(dev, "start");
    Py_XDECREF(result);
    PyGILState_Release(lock);
    return r;
}

static void on_fini(struct trestle_device *dev)
{
    call(dev, "fini", "()");
    PyGILState_STATE lock = PyGILState_Ensure();
    device_object_of(dev)->dev = NULL;
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

/* Another class in it derives from this one. */
static bool is_base(PyObject *module, PyObject *class)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(PyModule_GetDict(module), &position, &key, &value))
        if (PyType_Check(value) && value != class && PyObject_IsSubclass(value, class) == 1)
            return true;
    return false;
}

/* The class in it that derives from trestle.Model, and that no other derives from. Borrowed; NULL:
 * none, or several. */
static PyObject *find_class(PyObject *module, size_t *ret_count)
{
    PyObject *base_module = PyImport_ImportModule("trestle");
    PyObject *base = base_module ? PyObject_GetAttrString(base_module, "Model") : NULL;
    PyObject *found = NULL, *key, *value;
    Py_ssize_t position = 0;
    *ret_count = 0;
    while (base && PyDict_Next(PyModule_GetDict(module), &position, &key, &value)) {
        if (!PyType_Check(value) || value == base || value == found ||
            PyObject_IsSubclass(value, base) != 1 || is_base(module, value))
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

/* A class attribute that is a text; *ret_text is NULL where there is none. It lives as long as the
 * class, unless that is changed. */
static bool get_text(PyObject *class, const char *name, const char **ret_text, char **ret_error)
{
    PyObject *value = PyObject_GetAttrString(class, name);
    PyErr_Clear();
    *ret_text = value && value != Py_None ? PyUnicode_AsUTF8(value) : NULL;
    bool is_fine = !PyErr_Occurred();
    PyErr_Clear();
    Py_XDECREF(value);
    if (!is_fine && asprintf(ret_error, "%s is not a text", name) < 0)
        *ret_error = NULL;
    return is_fine;
}

/* A class attribute that is a list of texts; *ret_names is NULL where there is none. */
static bool get_names(PyObject *class, const char *name, size_t max, const char ***ret_names,
                      char **ret_error)
{
    PyObject *list = PyObject_GetAttrString(class, name);
    PyErr_Clear();
    if (!list)
        return true;
    bool is_list = PyList_Check(list) || PyTuple_Check(list);
    size_t count = is_list ? (size_t)PySequence_Size(list) : 0;
    bool is_fine = is_list && count <= max;
    const char **names = is_fine ? calloc(count + 1, sizeof(*names)) : NULL;
    for (size_t i = 0; names && i < count; i++) {
        PyObject *item = PySequence_GetItem(list, (Py_ssize_t)i); /* the list keeps it */
        names[i] = item ? PyUnicode_AsUTF8(item) : NULL;
        is_fine = is_fine && names[i];
        Py_XDECREF(item);
    }
    PyErr_Clear();
    Py_DECREF(list);
    *ret_names = names;
    if (!is_fine && asprintf(ret_error, "%s is not a list of at most %zu names", name, max) < 0)
        *ret_error = NULL;
    return is_fine && names;
}

/* What the guest meets where there is no register. */
static bool fill_holes(struct python_model *model, char **ret_error)
{
    const char *holes;
    if (!get_text(model->class, "holes", &holes, ret_error))
        return false;
    if (holes && strcmp(holes, "zero") == 0)
        model->registers.region.holes = TRESTLE_HOLES_ZERO;
    else if (holes && strcmp(holes, "fail") != 0)
        *ret_error = strdup("holes is neither \"fail\" nor \"zero\"");
    return !*ret_error;
}

/* Either the registers answer accesses, or read() and write() do. */
static bool fill_answers(struct python_model *model, char **ret_error)
{
    struct trestle_model *table = &model->table;
    bool has_read = PyObject_HasAttrString(model->class, "read");
    bool has_write = PyObject_HasAttrString(model->class, "write");
    if (registers_collect(model->class, &model->registers, ret_error) < 0)
        return false;
    table->state_size = model->registers.state_size;
    if (model->registers.rows) {
        table->regions = model->registers.regions;
        model->registers.region.bytes = table->region_size;
        if (has_read || has_write)
            *ret_error = strdup("the class has registers, which answer accesses; make read() and "
                                "write() methods of theirs (@status.on_read)");
        return !*ret_error && fill_holes(model, ret_error);
    }
    if (table->region_size == 0)
        *ret_error = strdup("the class has no registers and no region_size; write for example "
                            "region_size = 0x100");
    if (table->access_sizes == 0)
        table->access_sizes = 4;
    table->read = has_read ? on_read : NULL;
    table->write = has_write ? on_write : NULL;
    return !*ret_error;
}

static bool fill_names(struct python_model *model, char **ret_error)
{
    struct trestle_model *table = &model->table;
    PyObject *class = model->class;
    const char *doc;
    if (!get_names(class, "irqs", TRESTLE_IRQ_LINES_MAX, &model->irqs, ret_error) ||
        !get_names(class, "ports", TRESTLE_PEER_PORTS_MAX, &model->ports, ret_error) ||
        !get_text(class, "compatible", &table->compatible, ret_error) ||
        !get_text(class, "__doc__", &doc, ret_error))
        return false;
    table->irqs = model->irqs;
    table->ports = model->ports;
    table->doc = doc ? strndup(doc, strcspn(doc, "\n")) : NULL;
    table->name = strdup(((PyTypeObject *)class)->tp_name);
    return table->name;
}

static bool fill_table(struct python_model *model, char **ret_error)
{
    PyObject *class = model->class;
    uint64_t widths, irq_lines, ports, timers, has_output, needs_icount;
    struct trestle_model *table = &model->table;
    if (!get_number(class, "has_output", 0, 1, &has_output, ret_error) ||
        !get_number(class, "needs_icount", 0, 1, &needs_icount, ret_error) ||
        !get_number(class, "region_size", 0, UINT64_MAX, &table->region_size, ret_error) ||
        !get_number(class, "access_sizes", 0, 15, &widths, ret_error) ||
        !get_number(class, "irq_lines", 0, TRESTLE_IRQ_LINES_MAX, &irq_lines, ret_error) ||
        !get_number(class, "peer_ports", 0, TRESTLE_PEER_PORTS_MAX, &ports, ret_error) ||
        !get_number(class, "timers", 0, TRESTLE_TIMERS_MAX, &timers, ret_error))
        return false;
    table->size = sizeof(*table);
    table->access_sizes = (uint32_t)widths;
    table->irq_lines = (uint32_t)irq_lines;
    table->peer_ports = (uint32_t)ports;
    table->timers = (uint32_t)timers;
    table->init = on_init;
    table->fini = on_fini;
    table->reset = on_reset;
    table->wake = on_wake;
    table->message = on_message;
    table->dma_done = on_dma_done;
    table->start = on_start;
    table->input = PyObject_HasAttrString(class, "input") ? on_input : NULL;
    table->has_output = has_output;
    table->needs_icount = needs_icount;
    return fill_answers(model, ret_error) && fill_names(model, ret_error);
}

static void free_model(struct python_model *model)
{
    registers_finish(&model->registers);
    free(model->irqs);
    free(model->ports);
    free((char *)model->table.doc);
    free((char *)model->table.name);
    Py_XDECREF(model->class);
    free(model);
}

static struct python_model *make_model(const char *path, char **ret_error)
{
    struct python_model *model = calloc(1, sizeof(*model));
    PyObject *module = model ? import_file(path) : NULL;
    size_t count = 0;
    if (model && !module) {
        *ret_error = error_describe();
    } else if (model) {
        model->class = find_class(module, &count);
        Py_XINCREF(model->class);
        if (!model->class &&
            asprintf(ret_error, "%zu classes derive from trestle.Model; there has to be one",
                     count) < 0)
            *ret_error = NULL;
    }
    bool is_made = model && model->class && fill_table(model, ret_error);
    Py_XDECREF(module);
    if (model && !is_made) {
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
