/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands read: modules, files, memory for both. */
#define _GNU_SOURCE
#include "command/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The one message type of the module; else the program ends, and says which there are. */
static psy_type only_type(const psy_reflection *r, const char *module)
{
    enum { NAMED_MAX = 8 };
    char help[1024] = "--type names it";
    uint32_t found = PSY_NONE, count = 0;
    for (uint32_t i = 0; i < r->type_count; i++) {
        if (r->types[i].kind == PSY_TYPE_MESSAGE) {
            const size_t n = strlen(help);
            found = i;
            if (count++ < NAMED_MAX) {
                snprintf(help + n, sizeof help - n, "%s%s", count == 1 ? ": " : ", ", psy_reflect_string(r, r->types[i].name));
            }
        }
    }
    if (count > NAMED_MAX) {
        const size_t n = strlen(help);
        snprintf(help + n, sizeof help - n, " and %u more; `psyne types` lists them", count - NAMED_MAX);
    }
    if (count != 1) {
        psy__misuse(count ? help : NULL, "%s has %s", module, count ? "several types of messages" : "no type of messages");
    }
    return psy_reflect_type_at(r, found);
}

psy_module *psy__type_open(const char *path, const char *name, psy_type *type, int *status)
{
    psy_module *module = NULL;
    if (!path) {
        psy__misuse("`psynec shop.psy --emit=bytecode` writes the module of a schema, shop.psy.psm", "--module is missing");
    }
    psy_status s = psy_module_open(path, &module);
    if (s != PSY_OK) {
        *status = psy__complain(NULL, s);
        return NULL;
    }
    const psy_reflection *r = psy_module_reflection(module);
    if (!name) {
        *type = only_type(r, path);
        return module;
    }
    s = psy_reflect_find(r, name, type);
    if (s == PSY_OK && psy_reflect_type(type)->kind != PSY_TYPE_MESSAGE) {
        s = psy_fail(PSY_INVALID, "`%s` is no message", name);
    }
    if (s != PSY_OK) {
        *status = psy__complain(path, s);
        psy_module_close(module);
        return NULL;
    }
    return module;
}

const char *psy__file_name(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

FILE *psy__file_open(const char *path)
{
    struct stat st;
    if (strcmp(path, "-") == 0) {
        return stdin;
    }
    FILE *f = fopen(path, "rbe");
    if (f && fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(f);
        f = NULL;
        errno = EISDIR;
    }
    if (!f) {
        fprintf(stderr, "psyne: %s: %s\n", path, strerror(errno));
    }
    return f;
}

psy_status psy__file_read(const char *path, psy__room *room, size_t *n)
{
    struct stat st;
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    psy_status status = PSY_OK;
    size_t got = 0;
    *n = 0;
    if (from && from != stdin && fstat(fileno(from), &st) == 0 && S_ISDIR(st.st_mode)) {
        fclose(from);
        from = NULL;
        errno = EISDIR;
    }
    if (!from) {
        return psy_fail(PSY_IO, "%s: %s", path, strerror(errno));
    }
    do {
        psy__room_grow(room, *n + 1 < room->bytes ? room->bytes : 2 * *n + 65536, *n);
        got = fread(room->at + *n, 1, room->bytes - *n, from);
        *n += got;
    } while (got > 0 && *n <= PSY_MESSAGE_BYTES_MAX);
    if (ferror(from)) {
        status = psy_fail(PSY_IO, "%s: %s", psy__file_name(path), strerror(errno));
    }
    if (from != stdin) {
        fclose(from);
    }
    return status;
}

void psy__room_grow(psy__room *room, size_t bytes, size_t used)
{
    void *more;
    if (bytes <= room->bytes) {
        return;
    }
    if (posix_memalign(&more, 64, bytes) != 0) {
        psy__no_memory();
    }
    if (used > 0) {
        memcpy(more, room->at, used);
    }
    free(room->at);
    room->at = more;
    room->bytes = bytes;
}
