/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "data/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isa/verify.h"
#include "service/module_file.h"

enum { WINDOW_BYTES = 1 << 18 };

/* A file's elements, some of which are in memory. */
typedef struct window {
    psy__npy_file file;
    uint64_t from, to; /* bytes of the elements that are here */
    uint8_t *at;
} window;

typedef struct source {
    char *name, *path, *keys_path;
    window data, keys;
    uint64_t row_bytes;
    /* texts: row i lies from line[i] up to its end, which is line[i + 1] - 1 or before */
    char *text;
    uint64_t *lines;
    uint64_t count, room;
} source;

/* ---- numbers ---- */

static psy_status take(window *w, uint64_t at, uint64_t n, void *out)
{
    if (n > WINDOW_BYTES) {
        return psy__npy_file_read(&w->file, at, n, out);
    }
    if (at < w->from || at + n > w->to) {
        const uint64_t left = w->file.bytes - at, bytes = left < WINDOW_BYTES ? left : WINDOW_BYTES;
        w->from = w->to = 0;
        const psy_status status = psy__npy_file_read(&w->file, at, bytes, w->at);
        if (status != PSY_OK) {
            return status;
        }
        w->from = at;
        w->to = at + bytes;
    }
    memcpy(out, w->at + (at - w->from), n);
    return PSY_OK;
}

static psy_status fill(void *context, uint64_t row, void *out)
{
    source *s = context;
    return take(&s->data, row * s->row_bytes, s->row_bytes, out);
}

static psy_status key(void *context, uint64_t row, uint64_t *out)
{
    source *s = context;
    return take(&s->keys, row * sizeof *out, sizeof *out, out);
}

static psy_status open_window(const char *path, window *w)
{
    const psy_status status = psy__npy_file_open(path, &w->file);
    if (status != PSY_OK) {
        return status;
    }
    w->at = malloc(WINDOW_BYTES);
    return w->at ? PSY_OK : psy_fail(PSY_NO_MEMORY, "%s: no memory to read it", path);
}

/* "f32[N, 256]" */
static const char *declared_text(const psy__module *m, const psy_psm_resident *r, char *out, size_t room)
{
    size_t n = (size_t)snprintf(out, room, "%s%s", psy__dtype_name(r->dtype), r->rank ? "[" : "");
    for (uint32_t d = 0; d < r->rank && n < room; d++) {
        char size[PSY_SIZE_TEXT_ROOM];
        psy__size_text(m, r->dims[d], size, sizeof size);
        n += (size_t)snprintf(out + n, room - n, "%s%s%s", d ? ", " : "", size, d + 1 == r->rank ? "]" : "");
    }
    return out;
}

static psy_status check_numbers(const psy__module *m, const psy_psm_resident *r, const char *name, source *s)
{
    const psy__npy_file *f = &s->data.file;
    bool fits = f->rank == r->rank;
    for (uint32_t d = 0; fits && d < r->rank; d++) {
        fits = psy__dim_is_symbol(r->dims[d]) || f->dims[d] == r->dims[d];
    }
    if (fits && f->dtype == r->dtype) {
        s->row_bytes = f->dims[0] ? f->bytes / f->dims[0] : 0;
        return PSY_OK;
    }
    char has[256], wants[512];
    return psy_fail(PSY_INVALID, "%s: it is %s, and resident %s is %s%s", s->path,
                    psy__npy_text(f->dtype, f->rank, f->dims, has, sizeof has), name, declared_text(m, r, wants, sizeof wants),
                    fits ? ": nothing is converted; save it with `x.astype(...)`" : "");
}

static psy_status open_numbers(const psy__module *m, const psy_psm_resident *r, const char *name, source *s, psy_rows *rows)
{
    psy_status status = open_window(s->path, &s->data);
    status = status == PSY_OK ? check_numbers(m, r, name, s) : status;
    memcpy(rows->dims, s->data.file.dims, sizeof rows->dims);
    rows->fill = fill;
    return status;
}

static psy_status open_keys(const char *name, source *s, psy_rows *rows)
{
    const psy__npy_file *f = &s->keys.file;
    const psy_status status = open_window(s->keys_path, &s->keys);
    char has[256];
    if (status != PSY_OK) {
        return status;
    }
    if (f->dtype != PSY_U64 || f->rank != 1 || f->dims[0] != rows->dims[0]) {
        return psy_fail(PSY_INVALID, "%s: it is %s, and the keys of resident %s are u64[%" PRIu64 "]", s->keys_path,
                        psy__npy_text(f->dtype, f->rank, f->dims, has, sizeof has), name, rows->dims[0]);
    }
    rows->key = key;
    return PSY_OK;
}

/* ---- texts ---- */

static psy_status fill_text(void *context, uint64_t row, void *out)
{
    const source *s = context;
    uint64_t n = s->lines[row + 1] - s->lines[row] - 1;
    const char *text = s->text + s->lines[row];
    n -= n > 0 && text[n - 1] == '\r';
    memset(out, 0, s->room);
    memcpy(out, text, n); /* it was checked */
    return PSY_OK;
}

static psy_status read_text(source *s, uint64_t *bytes)
{
    struct stat st;
    psy_status status = PSY_OK;
    const int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = psy_fail(PSY_IO, "%s: %s", s->path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        status = psy_fail(PSY_IO, "%s: %s", s->path, S_ISDIR(st.st_mode) ? strerror(EISDIR) : "it is no plain file");
    } else if (!(s->text = malloc((size_t)st.st_size + 1))) {
        status = psy_fail(PSY_NO_MEMORY, "%s: no memory for %lld bytes", s->path, (long long)st.st_size);
    }
    *bytes = 0;
    while (status == PSY_OK && *bytes < (uint64_t)st.st_size) {
        const ssize_t got = read(fd, s->text + *bytes, (size_t)st.st_size - *bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            status = psy_fail(PSY_IO, "%s: %s", s->path, got < 0 ? strerror(errno) : "it got shorter while it was read");
            break;
        }
        *bytes += (uint64_t)got;
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

/* Where each line begins; the last one may lack its end. */
static psy_status split_lines(source *s, uint64_t bytes)
{
    if (bytes > 0 && s->text[bytes - 1] != '\n') {
        s->text[bytes++] = '\n';
    }
    for (uint64_t i = 0; i < bytes; i++) {
        s->count += s->text[i] == '\n';
    }
    s->lines = malloc((s->count + 1) * sizeof *s->lines);
    if (!s->lines) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %" PRIu64 " lines", s->path, s->count);
    }
    s->lines[0] = 0;
    for (uint64_t i = 0, line = 0; i < bytes; i++) {
        if (s->text[i] == '\n') {
            s->lines[++line] = i + 1;
        }
    }
    for (uint64_t line = 0; line < s->count; line++) {
        uint64_t n = s->lines[line + 1] - s->lines[line] - 1;
        const char *text = s->text + s->lines[line];
        n -= n > 0 && text[n - 1] == '\r';
        if (n > s->room) {
            return psy_fail(PSY_TOO_LARGE, "%s: line %" PRIu64 " has %" PRIu64 " bytes, at most %" PRIu64, s->path, line + 1, n,
                            s->room);
        }
        if (!psy_utf8_valid(text, n) || memchr(text, 0, n)) {
            return psy_fail(PSY_INVALID, "%s: line %" PRIu64 " is not UTF-8", s->path, line + 1);
        }
    }
    return PSY_OK;
}

static psy_status open_texts(const psy_psm_resident *r, const char *name, source *s, psy_rows *rows)
{
    uint64_t bytes;
    if (r->dtype != PSY_U8 || r->rank != 2 || psy__dim_is_symbol(r->dims[1])) {
        return psy_fail(PSY_INVALID, "%s: resident %s is not one text a row: give it a .npy file", s->path, name);
    }
    s->room = r->dims[1];
    psy_status status = read_text(s, &bytes);
    status = status == PSY_OK ? split_lines(s, bytes) : status;
    rows->dims[0] = s->count;
    rows->dims[1] = s->room;
    rows->fill = fill_text;
    return status;
}

/* ---- both ---- */

static psy_status no_such_resident(const psy__module *m, const char *name)
{
    char list[300] = "";
    for (uint32_t i = 0; i < m->resident_count; i++) {
        const size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "; there are: ", psy__module_string(m, m->residents[i].name));
    }
    return psy_fail(PSY_NOT_FOUND, "the module has no resident `%s`%s", name, list);
}

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

static psy_status open_source(const psy__module *m, const psy_psm_resident *r, source *s, psy_rows *rows)
{
    const bool keyed = r->placement == PSY_PLACE_BY_KEY;
    if (keyed != (s->keys_path != NULL)) {
        return psy_fail(PSY_INVALID,
                        keyed ? "resident %s is `by key`: it needs keys, u64, one for each row"
                              : "resident %s is not `by key`: it takes no keys",
                        s->name);
    }
    if (!ends_with(s->path, ".npy") && !ends_with(s->path, ".txt")) {
        return psy_fail(PSY_INVALID, "%s: resident data is read from .npy files, and from .txt files, a text a line", s->path);
    }
    rows->resident = s->name;
    rows->rank = r->rank;
    rows->context = s;
    psy_status status = ends_with(s->path, ".txt") ? open_texts(r, s->name, s, rows) : open_numbers(m, r, s->name, s, rows);
    return status == PSY_OK && keyed ? open_keys(s->name, s, rows) : status;
}

psy_status psy__rows_open(const psy_module *module, const char *name, const char *file, const char *keys, psy__rows *out)
{
    const psy__module *m = &module->decoded;
    const uint32_t index = psy__module_find_resident(m, name);
    *out = (psy__rows){.rows = {.context = NULL}};
    if (index == PSY_NONE) {
        return no_such_resident(m, name);
    }
    source *s = calloc(1, sizeof *s);
    if (!s) {
        return psy_fail(PSY_NO_MEMORY, "no memory to read %s", file);
    }
    out->rows.context = s;
    s->data.file.fd = s->keys.file.fd = -1;
    s->name = strdup(name);
    s->path = strdup(file);
    s->keys_path = keys ? strdup(keys) : NULL;
    psy_status status = s->name && s->path && (!keys || s->keys_path) ? open_source(m, &m->residents[index], s, &out->rows)
                                                                      : psy_fail(PSY_NO_MEMORY, "no memory to read %s", file);
    if (status != PSY_OK) {
        psy__rows_close(out);
    }
    return status;
}

void psy__rows_close(psy__rows *rows)
{
    source *s = rows->rows.context;
    if (s) {
        psy__npy_file_close(&s->data.file);
        psy__npy_file_close(&s->keys.file);
        void *const memory[] = {s->data.at, s->keys.at, s->text, s->lines, s->name, s->path, s->keys_path, s};
        for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
            free(memory[i]);
        }
    }
    *rows = (psy__rows){.rows = {.context = NULL}};
}
