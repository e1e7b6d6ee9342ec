/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const psc_span nowhere = {0};

void psc_output_add(psc_outputs *o, const char *name, const void *bytes, size_t n)
{
    psc_output_add_path(o, psc_format(o->arena, "%s/%s", o->folder, name), bytes, n);
    o->uses_folder = true;
}

void psc_output_add_path(psc_outputs *o, const char *path, const void *bytes, size_t n)
{
    psc_output out = {.path = path, .bytes = bytes, .n = n};
    for (size_t i = 0; i < o->list.count; i++) {
        if (strcmp(o->list.at[i].path, out.path) == 0) {
            psc_error(o->diags, PSC_E_FILE, nowhere, "two inputs would both write %s", out.path);
            return;
        }
    }
    psc_push(o->arena, &o->list, out);
}

void psc_output_add_in_place(psc_outputs *o, const char *path, const void *bytes, size_t n)
{
    char *real = realpath(path, NULL);
    size_t before = o->list.count;
    psc_output_add_path(o, real ? psc_strndup(o->arena, real, strlen(real)) : path, bytes, n);
    free(real);
    if (o->list.count > before) {
        o->list.at[before].in_place = true;
    }
}

/* ---- files in memory ---- */

static _Noreturn void no_memory(void)
{
    fputs("psynec: out of memory\n", stderr);
    exit(3);
}

FILE *psc_stream_open(psc_stream *s)
{
    *s = (psc_stream){0};
    s->to = open_memstream(&s->text, &s->n);
    if (!s->to) {
        no_memory();
    }
    return s->to;
}

char *psc_stream_close(psc_stream *s, psc_arena *arena, size_t *bytes)
{
    if (fclose(s->to) != 0) {
        no_memory();
    }
    char *kept = psc_strndup(arena, s->text, s->n);
    *bytes = s->n;
    free(s->text);
    return kept;
}

/* ---- writing ---- */

static bool make_folder(psc_outputs *o)
{
    char *path = psc_strndup(o->arena, o->folder, strlen(o->folder));
    for (char *c = path + 1;; c++) {
        if (*c != '/' && *c != '\0') {
            continue;
        }
        char end = *c;
        *c = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            psc_error(o->diags, PSC_E_FILE, nowhere, "folder %s cannot be made: %s", path, strerror(errno));
            return false;
        }
        *c = end;
        if (end == '\0') {
            break;
        }
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        psc_error(o->diags, PSC_E_FILE, nowhere, "%s is no folder", path);
        return false;
    }
    return true;
}

static bool write_file(psc_outputs *o, const char *path, const psc_output *out)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    const char *from = out->bytes;
    size_t left = out->n;
    int error = fd < 0 ? errno : 0;
    struct stat st;
    if (fd >= 0 && out->in_place && stat(out->path, &st) == 0 && fchmod(fd, st.st_mode & 07777) != 0) {
        error = errno;
    }
    while (error == 0 && left > 0) {
        ssize_t n = write(fd, from, left);
        if (n < 0 && errno != EINTR) {
            error = errno;
        } else if (n > 0) {
            from += n;
            left -= (size_t)n;
        }
    }
    if (fd >= 0 && close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error != 0) {
        psc_error(o->diags, PSC_E_FILE, nowhere, "%s cannot be written: %s", out->path, strerror(error));
        unlink(path);
    }
    return error == 0;
}

bool psc_outputs_write(psc_outputs *o)
{
    if (o->list.count == 0) {
        return true;
    }
    if (o->uses_folder && !make_folder(o)) {
        return false;
    }
    const char **temporary = psc_alloc(o->arena, o->list.count * sizeof *temporary);
    size_t written = 0;
    bool ok = true;
    for (; ok && written < o->list.count; written += ok) {
        temporary[written] = psc_format(o->arena, "%s.tmp%ld", o->list.at[written].path, (long)getpid());
        ok = write_file(o, temporary[written], &o->list.at[written]);
    }
    for (size_t i = 0; i < written; i++) {
        if (ok && rename(temporary[i], o->list.at[i].path) != 0) {
            psc_error(o->diags, PSC_E_FILE, nowhere, "%s cannot be written: %s", o->list.at[i].path, strerror(errno));
            ok = false;
        }
        if (!ok) {
            unlink(temporary[i]);
        }
    }
    return ok;
}
