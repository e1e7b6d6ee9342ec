/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/compiler/weights_file.h"

#include "tests/test.h"

static weights_bytes joined(const void *head, size_t head_bytes, const char *text, const void *elements, size_t bytes)
{
    weights_bytes b = {malloc(head_bytes + strlen(text) + bytes + 1), head_bytes + strlen(text) + bytes};
    cr_assert_not_null(b.at);
    memcpy(b.at, head, head_bytes);
    memcpy(b.at + head_bytes, text, strlen(text));
    if (bytes) {
        memcpy(b.at + head_bytes + strlen(text), elements, bytes);
    }
    return b;
}

weights_bytes weights_npy(unsigned major, const char *dict, const void *elements, size_t bytes)
{
    size_t n = strlen(dict);
    uint8_t head[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (uint8_t)major, 0, (uint8_t)n, (uint8_t)(n >> 8)};
    return joined(head, major > 1 ? 12 : 10, dict, elements, bytes);
}

weights_bytes weights_safetensors(const char *json, const void *elements, size_t bytes)
{
    uint8_t head[8];
    for (unsigned i = 0; i < 8; i++) {
        head[i] = (uint8_t)((uint64_t)strlen(json) >> 8 * i);
    }
    return joined(head, 8, json, elements, bytes);
}

char *weights_write(const char *folder, const char *name, weights_bytes bytes)
{
    char *path;
    cr_assert_gt(asprintf(&path, "%s/%s", folder, name), 0);
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes.at, 1, bytes.n, f) == bytes.n && fclose(f) == 0, "%s", path);
    free(bytes.at);
    return path;
}
