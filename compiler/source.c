/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const psc_source *psc_source_text(psc_arena *arena, const char *path, const char *text, size_t bytes)
{
    psc_source *s = psc_new(arena, psc_source);
    s->path = psc_strndup(arena, path, strlen(path));
    s->text = psc_strndup(arena, text, bytes);
    s->bytes = bytes;
    uint32_t lines = 1;
    for (size_t i = 0; i < bytes; i++) {
        lines += text[i] == '\n';
    }
    uint32_t *starts = psc_alloc(arena, lines * sizeof *starts);
    uint32_t line = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '\n') {
            starts[++line] = (uint32_t)i + 1;
        }
    }
    s->line_starts = starts;
    s->line_count = lines;
    return s;
}

const psc_source *psc_source_read(psc_arena *arena, const char *path)
{
    struct stat st;
    int error = 0, fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* opening a pipe must not wait for its writer */
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) != 0) {
        error = errno;
    } else if (S_ISDIR(st.st_mode)) {
        error = EISDIR;
    } else if (!S_ISREG(st.st_mode)) {
        error = EINVAL;
    }
    /* Some files (/proc) do not know their size: read until the end, up to the cap. */
    char *text = NULL;
    size_t n = 0, room = 0;
    while (error == 0) {
        if (n == room) {
            size_t bigger = room ? room * 2 : 16384;
            char *copy = psc_alloc(arena, bigger);
            if (n) {
                memcpy(copy, text, n);
            }
            text = copy;
            room = bigger;
        }
        ssize_t got = read(fd, text + n, room - n);
        if (got == 0) {
            break;
        }
        n += got > 0 ? (size_t)got : 0;
        error = n > PSC_SOURCE_BYTES_MAX ? EFBIG : got < 0 && errno != EINTR ? errno : 0;
    }
    close(fd);
    if (error == 0 && n && memchr(text, 0, n)) {
        error = EILSEQ;
    }
    if (error != 0) {
        errno = error;
        return NULL;
    }
    return psc_source_text(arena, path, text ? text : "", n);
}

const char *psc_source_problem(int error)
{
    return error == EFBIG    ? "larger than 16 MiB"
           : error == EILSEQ ? "not a text file"
           : error == EINVAL ? "not a file that can be read to its end"
           : error == EISDIR ? "a folder, not a file"
           : error == ENOENT ? "there is no such file"
                             : strerror(error);
}
_Static_assert(PSC_SOURCE_BYTES_MAX == 16 << 20, "the message names it");

void psc_source_place(const psc_source *source, uint32_t offset, uint32_t *line, uint32_t *column)
{
    uint32_t low = 0, high = source->line_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->line_starts[middle] <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *line = low + 1;
    *column = offset - source->line_starts[low] + 1;
}
