/* SPDX-License-Identifier: MIT */
/* Exceptions: as lines of the log, and as one line for who started the run. */
#include "adapters/python/errors.h"

#include <errno.h>
#include <stdio.h>

#define TRACEBACKS_MAX 32

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

/* The text may contain something of the guest's, such as a number that it has written. */
static bool is_new_traceback(PyObject *text)
{
    if (PySet_GET_SIZE(seen_tracebacks) >= TRACEBACKS_MAX || PySet_Contains(seen_tracebacks, text))
        return false;
    return PySet_Add(seen_tracebacks, text) == 0;
}

/* Logs an exception, and its traceback the first time. */
static void say(struct trestle_device *dev, const char *callback, bool is_fatal)
{
    bool is_bus_error = PyErr_ExceptionMatches(bus_error);
    PyObject *text = format_exception();
    const char *utf8 = text ? PyUnicode_AsUTF8(text) : NULL;
    char *line = last_line(utf8 ? utf8 : "an exception without words");
    const char *what = line && is_bus_error ? strstr(line, ": ") : NULL;
    char *sentence = NULL;
    if (asprintf(&sentence, "%s%s%s", is_bus_error ? "" : callback,
                 is_bus_error ? "" : "() raised ",
                 what           ? what + 2
                 : is_bus_error ? "bus error"
                 : line         ? line
                                : "") < 0)
        sentence = NULL;
    if (is_fatal)
        trestle_device_fail(dev, "%s", sentence ? sentence : callback);
    else
        trestle_device_log(dev, is_bus_error ? TRESTLE_LOG_WARNING : TRESTLE_LOG_ERROR, "%s",
                           sentence ? sentence : callback);
    if (utf8 && !is_bus_error && is_new_traceback(text))
        log_lines(dev, utf8);
    PyErr_Clear();
    free(sentence);
    free(line);
    Py_XDECREF(text);
}

int error_log(struct trestle_device *dev, const char *callback)
{
    say(dev, callback, false);
    return -EIO;
}

int error_fail(struct trestle_device *dev, const char *callback)
{
    say(dev, callback, true);
    return -EINVAL;
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
