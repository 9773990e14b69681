/* SPDX-License-Identifier: MIT */
/* Where models come from: the bundled ones, and those in shared objects. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapters/python/python.h"
#include "base/elf.h"
#include "base/error.h"
#include "models/unshare.h"
#include "sim/model.h"
#include "trestle/models.h"

extern const struct trestle_model trestle_at24_model, trestle_compute_model, trestle_dma_model,
    trestle_echo_model, trestle_edu_model, trestle_goldfish_rtc_model, trestle_i2c_ocores_model,
    trestle_id_model, trestle_ns16550_model, trestle_nvme_model, trestle_panel_model,
    trestle_serial_line_model, trestle_sifive_gpio_model, trestle_sp805_model,
    trestle_sunxi_wdt_model, trestle_timer_model, trestle_tmp102_model, trestle_virtio_blk_model,
    trestle_virtio_console_model, trestle_virtio_net_model, trestle_virtio_rng_model;

/* clang-format off */
static const struct trestle_model *const bundled[] = {
    &trestle_at24_model,
    &trestle_compute_model,
    &trestle_dma_model,
    &trestle_echo_model,
    &trestle_edu_model,
    &trestle_goldfish_rtc_model,
    &trestle_i2c_ocores_model,
    &trestle_id_model,
    &trestle_ns16550_model,
    &trestle_nvme_model,
    &trestle_panel_model,
    &trestle_serial_line_model,
    &trestle_sifive_gpio_model,
    &trestle_sp805_model,
    &trestle_sunxi_wdt_model,
    &trestle_timer_model,
    &trestle_tmp102_model,
    &trestle_virtio_blk_model,
    &trestle_virtio_console_model,
    &trestle_virtio_net_model,
    &trestle_virtio_rng_model,
    NULL,
};
/* clang-format on */

const struct trestle_model *const *trestle_models(void)
{
    return bundled;
}

struct trestle_model_library {
    void *handle;
    struct trestle_model model;   /* the table in our size */
    struct trestle_model *python; /* what it was made of, if that is a file in Python */
    trestle_python_unload_fn *python_unload;
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

/* --- models in Python ------------------------------------------------------------------------ */

/* The file that this library is in. The loader does not know the path of a program. */
static bool find_own_object(char *path, size_t size)
{
    Dl_info here;
    struct link_map *object;
    if (dladdr1((void *)trestle_model_load, &here, (void **)&object, RTLD_DL_LINKMAP) == 0)
        return false;
    if (object->l_name[0])
        return snprintf(path, size, "%s", object->l_name) < (int)size;
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* The module lies next to this library, as installed or as built. It stays once it is loaded: an
 * interpreter cannot be unloaded. */
static void *open_python(void)
{
    static const char *const places[] = {
        "trestle", "..", "../adapters/python", "../lib/trestle", "adapters/python", "."};
    char own[4096], path[4096];
    if (!find_own_object(own, sizeof(own)))
        return NULL;
    const char *slash = strrchr(own, '/');
    int length = slash ? (int)(slash - own) : 1;
    const char *directory = slash ? own : ".";
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        snprintf(path, sizeof(path), "%.*s/%s/trestle-python.so", length, directory, places[i]);
        if (access(path, R_OK) < 0)
            continue;
        void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
        if (module)
            return module;
    }
    return NULL;
}

static int load_python(struct trestle_model_library *library, const char *path, char **ret_error)
{
    library->handle = open_python();
    trestle_python_load_fn *load =
        library->handle ? (trestle_python_load_fn *)dlsym(library->handle, TRESTLE_PYTHON_LOAD)
                        : NULL;
    if (!load)
        return error_set(ret_error, -ENOEXEC,
                         "%s: this Trestle was built without Python; install libpython3-dev and "
                         "build it again",
                         path);
    library->python_unload =
        (trestle_python_unload_fn *)dlsym(library->handle, TRESTLE_PYTHON_UNLOAD);
    char *why = NULL;
    int r = 0;
    library->python = load(path, &why);
    if (!library->python || model_import(library->python, &library->model, &why) < 0)
        r = error_set(ret_error, -ENOEXEC, "%s: %s", path, why ? why : "out of memory");
    free(why);
    return r;
}

static bool has_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path), rest = strlen(suffix);
    return length > rest && strcmp(path + length - rest, suffix) == 0;
}

static bool is_python(const char *path)
{
    return has_suffix(path, ".py");
}

/* What to do with a file that is the source of a model, or NULL. */
static const char *source_advice(const char *path)
{
    if (has_suffix(path, ".v") || has_suffix(path, ".sv"))
        return "it is Verilog; trestle rtl build makes a model of it";
    if (has_suffix(path, ".c") || has_suffix(path, ".cc") || has_suffix(path, ".cpp"))
        return "it is a source; compile it with -shared -fPIC, and name the result";
    return NULL;
}

static int load_object(struct trestle_model_library *library, const char *path, char **ret_error)
{
    char buffer[128];
    const char *flaw = source_advice(path);
    if (!flaw)
        flaw = elf_flaw(path, buffer); /* the loader may crash at it */
    if (flaw)
        return error_set(ret_error, -ENOEXEC, "cannot load the model %s: %s", path, flaw);
    void *loaded = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    library->handle = loaded ? loaded : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle)
        return error_set(ret_error, -ENOEXEC, "cannot load the model: %s", dlerror());
    if (!loaded)
        object_unshare(library->handle);
    return import_entry(library, path, ret_error);
}

int trestle_model_load(const char *path, struct trestle_model_library **ret_library,
                       const struct trestle_model **ret_model, char **ret_error)
{
    /* Without a slash dlopen() would look among the system's libraries. */
    if (!strchr(path, '/'))
        return error_set(ret_error, -ENOENT,
                         "no model is called '%s'; a model in a file needs a '/': ./%s", path,
                         path);
    int r = access(path, R_OK) < 0 ? -errno : 0;
    if (r < 0)
        return error_set(ret_error, r, "%s: %s; build it, or correct the path", path,
                         error_text(r));
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) /* nothing to wait for */
        return error_set(ret_error, -ENOEXEC, "%s: it is not a file", path);
    struct trestle_model_library *library = calloc(1, sizeof(*library));
    if (!library)
        return error_set(ret_error, -ENOMEM, "%s: out of memory", path);
    r = (is_python(path) ? load_python : load_object)(library, path, ret_error);
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
    if (library->python)
        library->python_unload(library->python);
    if (library->handle)
        dlclose(library->handle);
    free(library);
}
