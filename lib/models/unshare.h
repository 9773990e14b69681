/* SPDX-License-Identifier: MIT */
/* A loaded shared object that its file can do nothing to any more. */
#ifndef TRESTLE_MODELS_UNSHARE_H
#define TRESTLE_MODELS_UNSHARE_H

/* handle: of dlopen(), and nothing runs in it yet. What cannot be copied stays as it is. */
void object_unshare(void *handle);

#endif
