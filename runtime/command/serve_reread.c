/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_reread.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/broker_state.h"

enum { LIST_BYTES_MAX = 1 << 20 };

typedef struct opened {
    psy__rows rows[PSY_EDITS_TOGETHER_MAX];
    psy__edit_rows reloads[PSY_EDITS_TOGETHER_MAX];
    uint32_t count;
    uint64_t bytes;
} opened;

static bool ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static psy_status open_one(const psy__served *served, const char *name, const char *file, const char *keys, opened *o)
{
    const psy_module *module = psy__served_module_with(served, name);
    if (!module) {
        return psy_fail(PSY_NOT_FOUND, "no module has a resident `%.100s`", name);
    }
    psy__rows *rows = &o->rows[o->count];
    const psy_status status = psy__rows_open(module, name, file, *keys ? keys : NULL, rows);
    if (status != PSY_OK) {
        return status;
    }
    const psy__module *m = &module->decoded;
    const psy_dtype dtype = (psy_dtype)m->residents[psy__module_find_resident(m, name)].dtype;
    o->reloads[o->count++] = (psy__edit_rows){&rows->rows, dtype, ends_with(file, ".txt")};
    uint64_t bytes = psy_dtype_bytes(dtype);
    for (uint32_t i = 0; i < rows->rows.rank; i++) { /* its file has them: nothing overflows */
        bytes *= rows->rows.dims[i];
    }
    o->bytes += bytes;
    return PSY_OK;
}

static psy_status open_all(const psy__reread *r, opened *o)
{
    const char *at = r->list, *end = r->list + r->list_bytes;
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < r->count; i++) {
        const char *text[3];
        for (int k = 0; k < 3; k++) {
            const char *stop = memchr(at, '\0', (size_t)(end - at));
            if (!stop) {
                return psy_fail(PSY_INVALID, "the list of files ends too early");
            }
            text[k] = at;
            at = stop + 1;
        }
        status = open_one(r->served, text[0], text[1], text[2], o);
    }
    if (status == PSY_OK && o->bytes > psy__edits_kept_bytes_max && !r->has_snapshots) {
        status = psy_fail(PSY_LIMIT,
                          "the files have %" PRIu64 " bytes together, and more than %" PRIu64
                          " are not kept for shards that are started again: serve with --snapshot=FOLDER",
                          o->bytes, psy__edits_kept_bytes_max);
    }
    return status;
}

static psy_status read_files(void *context, const _Atomic bool *stop)
{
    psy__reread *r = context;
    opened *o = calloc(1, sizeof *o);
    if (!o) {
        return psy_fail(PSY_NO_MEMORY, "no memory to read data");
    }
    psy_status status = open_all(r, o);
    status = status == PSY_OK ? psy__edit_make_reload(o->reloads, o->count, stop, &r->edit) : status;
    for (uint32_t i = 0; i < o->count; i++) {
        psy__rows_close(&o->rows[i]);
    }
    free(o);
    return status;
}

static psy_status take_list(psy__reread *r, int fd)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > LIST_BYTES_MAX) {
        return psy_fail(PSY_INVALID, "there is no list of files");
    }
    r->list_bytes = (size_t)st.st_size;
    r->list = malloc(r->list_bytes);
    if (!r->list) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a list of files");
    }
    return pread(fd, r->list, r->list_bytes, 0) == (ssize_t)r->list_bytes ? PSY_OK
                                                                          : psy_fail(PSY_IO, "a list of files cannot be read");
}

psy_status psy__reread_begin(psy__reread *r, const psy__served *served, bool has_snapshots, int fd, uint64_t count)
{
    if (r->phase != PSY_REREAD_IDLE || count == 0 || count > PSY_EDITS_TOGETHER_MAX) {
        return r->phase != PSY_REREAD_IDLE
                   ? psy_fail(PSY_LIMIT, "files that changed before are being read still")
                   : psy_fail(PSY_LIMIT, "%d files change together at most, not %" PRIu64, PSY_EDITS_TOGETHER_MAX, count);
    }
    r->served = served;
    r->has_snapshots = has_snapshots;
    r->count = (uint32_t)count;
    psy_status status = take_list(r, fd);
    status = status == PSY_OK ? psy__errand_begin(&r->errand, read_files, r) : status;
    if (status == PSY_OK) {
        r->phase = PSY_REREAD_READING;
    } else {
        free(r->list);
        r->list = NULL;
    }
    return status;
}

psy_status psy__reread_step(psy__reread *r, psy_broker *broker, uint64_t *version)
{
    psy_status status = PSY_EMPTY;
    if (r->phase == PSY_REREAD_READING) {
        status = psy__errand_poll(&r->errand);
        if (status == PSY_OK) {
            status = psy__broker_edit_file(broker, &r->edit, &r->ticket);
            r->phase = PSY_REREAD_EDITING;
            status = status == PSY_OK ? PSY_EMPTY : status;
        }
    } else if (r->phase == PSY_REREAD_EDITING) {
        status = psy_broker_edit_status(broker, r->ticket, version);
    }
    if (status != PSY_EMPTY) {
        free(r->list);
        r->list = NULL;
        r->phase = PSY_REREAD_IDLE;
    }
    return status;
}
