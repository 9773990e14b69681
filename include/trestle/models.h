/* SPDX-License-Identifier: MIT */
/* trestle/models.h: the bundled models, and models from files. */
#ifndef TRESTLE_MODELS_H
#define TRESTLE_MODELS_H

#include <string.h>

#include "trestle/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The bundled models, ended by NULL. */
TRESTLE_API const struct trestle_model *const *trestle_models(void);

/* A bundled model by name, or NULL. */
static inline const struct trestle_model *trestle_model_find(const char *name)
{
    for (const struct trestle_model *const *at = trestle_models(); *at; at++)
        if (strcmp((*at)->name, name) == 0)
            return *at;
    return NULL;
}

struct trestle_model_library;
/* Loads a model from a .so. As for dlopen(), the path has a '/' in it. The model is valid until
 * unload. -ENOENT: there is no such file. -ENOEXEC: the file is not a model. */
TRESTLE_API TRESTLE_CHECK int trestle_model_load(const char *path,
                                                 struct trestle_model_library **ret_library,
                                                 const struct trestle_model **ret_model,
                                                 char **ret_error);
TRESTLE_API void trestle_model_unload(struct trestle_model_library *library);

#ifdef __cplusplus
}
#endif
#endif
