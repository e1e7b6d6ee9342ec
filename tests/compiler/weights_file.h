/* SPDX-License-Identifier: Apache-2.0 */
/* Files of weights, made by hand. */
#ifndef PSY_TESTS_COMPILER_WEIGHTS_FILE_H
#define PSY_TESTS_COMPILER_WEIGHTS_FILE_H

#include <stddef.h>
#include <stdint.h>

typedef struct weights_bytes {
    uint8_t *at; /* malloc'd */
    size_t n;
} weights_bytes;

/* A .npy file: version major.0, the dict as it is written, the elements. */
weights_bytes weights_npy(unsigned major, const char *dict, const void *elements, size_t bytes);
/* A .safetensors file: the JSON as it is written, the elements. */
weights_bytes weights_safetensors(const char *json, const void *elements, size_t bytes);
/* Writes the file into the folder and frees the bytes; the path is malloc'd. */
char *weights_write(const char *folder, const char *name, weights_bytes bytes);

#endif
