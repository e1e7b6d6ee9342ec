/* SPDX-License-Identifier: Apache-2.0 */
#include "deps.h"

#include <stdio.h>
#include <string.h>

/* As make reads it: blanks, `$` and `#` are escaped. "./a" is "a", as people write it in makefiles. */
static void put_path(const char *path, FILE *to)
{
    while (path[0] == '.' && path[1] == '/' && path[2] != '\0') {
        path += 2;
    }
    for (; *path; path++) {
        fputs(*path == '$' ? "$" : strchr(" \t#", *path) ? "\\" : "", to);
        fputc(*path, to);
    }
}

static bool is_repeated(const psc_paths *paths, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (strcmp(paths->at[k], paths->at[i]) == 0) {
            return true;
        }
    }
    return false;
}

char *psc_deps_text(psc_arena *arena, const psc_outputs *outputs, const psc_paths *sources, size_t given, size_t *bytes)
{
    psc_stream stream;
    FILE *to = psc_stream_open(&stream);
    for (size_t i = 0; i < outputs->list.count; i++) {
        fputs(i ? " " : "", to);
        put_path(outputs->list.at[i].path, to);
    }
    fputc(':', to);
    for (size_t i = 0; i < sources->count; i++) {
        if (!is_repeated(sources, i)) {
            fputc(' ', to);
            put_path(sources->at[i], to);
        }
    }
    fputc('\n', to);
    for (size_t i = given; i < sources->count; i++) {
        if (!is_repeated(sources, i)) {
            fputc('\n', to);
            put_path(sources->at[i], to);
            fputs(":\n", to);
        }
    }
    return psc_stream_close(&stream, arena, bytes);
}
