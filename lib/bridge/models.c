/* SPDX-License-Identifier: MIT */
/* Where models come from: the bundled ones, and those in shared objects. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "sim/model.h"
#include "trestle/bridge.h"

extern const struct trestle_model trestle_compute_model, trestle_dma_model, trestle_echo_model,
    trestle_id_model, trestle_timer_model;

static const struct trestle_model *const bundled[] = {
    &trestle_compute_model, &trestle_dma_model,   &trestle_echo_model,
    &trestle_id_model,      &trestle_timer_model, NULL,
};

const struct trestle_model *const *trestle_models(void)
{
    return bundled;
}

const struct trestle_model *trestle_model_find(const char *name)
{
    for (size_t i = 0; bundled[i]; i++) {
        if (strcmp(bundled[i]->name, name) == 0)
            return bundled[i];
    }
    return NULL;
}

struct trestle_model_library {
    void *handle;
    struct trestle_model model; /* the table in our size */
};

static int import_entry(struct trestle_model_library *library, const char *path, char **ret_error)
{
    const struct trestle_model *const *entry = dlsym(library->handle, "trestle_model_entry");
    if (!entry || !*entry)
        return error_set(ret_error, -ENOEXEC,
                         "%s is not a model: it has no trestle_model_entry "
                         "(TRESTLE_MODEL_EXPORT in trestle/device.h makes one)",
                         path);
    char *why = NULL;
    int r = 0;
    if (model_import(*entry, &library->model, &why) < 0)
        r = error_set(ret_error, -ENOEXEC, "%s: %s", path, why ? why : "out of memory");
    free(why);
    return r;
}

int trestle_model_load(const char *path, struct trestle_model_library **ret_library,
                       const struct trestle_model **ret_model, char **ret_error)
{
    /* Without a slash dlopen() would look among the system's libraries. */
    if (!strchr(path, '/'))
        return error_set(ret_error, -ENOENT,
                         "no model is called '%s'; a model in a file needs a '/': ./%s", path,
                         path);
    if (access(path, R_OK) < 0) {
        int error = -errno;
        return error_set(ret_error, error, "%s: %s", path, strerror(-error));
    }
    struct trestle_model_library *library = calloc(1, sizeof(*library));
    if (!library)
        return error_set(ret_error, -ENOMEM, "%s: out of memory", path);
    int r = 0;
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle)
        r = error_set(ret_error, -ENOEXEC, "cannot load the model: %s", dlerror());
    else
        r = import_entry(library, path, ret_error);
    if (r < 0) {
        trestle_model_unload(library);
        return r;
    }
    *ret_model = &library->model;
    *ret_library = library;
    return 0;
}

void trestle_model_unload(struct trestle_model_library *library)
{
    if (!library)
        return;
    if (library->handle)
        dlclose(library->handle);
    free(library);
}
