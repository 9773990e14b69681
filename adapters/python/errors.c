/* SPDX-License-Identifier: MIT */
/* Exceptions: as lines of the log, and as one line for who started the run. */
#include "adapters/python/errors.h"

#include <errno.h>
#include <stdio.h>

static PyObject *bus_error, *seen_tracebacks;

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

int error_log(struct trestle_device *dev, const char *callback)
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

char *error_describe(void)
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

bool errors_add_to(PyObject *module)
{
    bus_error = PyErr_NewException("trestle.BusError", NULL, NULL);
    seen_tracebacks = PySet_New(NULL);
    return bus_error && seen_tracebacks &&
           PyModule_AddObjectRef(module, "BusError", bus_error) == 0;
}
