/* SPDX-License-Identifier: MIT */
/* Makes a loaded shared object independent of its file. */
#ifndef TRESTLE_MODELS_UNSHARE_H
#define TRESTLE_MODELS_UNSHARE_H

/* handle comes from dlopen(), and nothing in the object runs yet. A page that cannot be copied
 * stays as it is. */
void object_unshare(void *handle);

#endif
