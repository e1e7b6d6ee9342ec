/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(char *error, size_t error_bytes, const char *path, const char *what, const char *package)
{
    snprintf(error, error_bytes, "%s: %s (on Debian this file comes with the package %s)", path, what, package);
    return -1;
}

/* Reads a whole file into memory, one zero byte after it. NULL, and why in `what`. */
static char *read_file(const char *path, size_t *bytes, const char **what)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        *what = strerror(errno);
        return NULL;
    }
    char *text = NULL;
    size_t used = 0, room = 0;
    *what = NULL;
    for (;;) {
        if (room - used < 2) {
            room = room ? 2 * room : (size_t)1 << 20;
            char *larger = realloc(text, room);
            if (!larger) {
                *what = "out of memory";
                break;
            }
            text = larger;
        }
        errno = 0;
        const size_t n = fread(text + used, 1, room - used - 1, file);
        used += n;
        if (used > WORDS_MAX_BYTES) {
            *what = "too large for a list of words";
            break;
        }
        if (n == 0) {
            if (ferror(file)) {
                *what = errno ? strerror(errno) : "cannot be read";
            } else if (used == 0) {
                *what = "is empty";
            }
            break;
        }
    }
    fclose(file);
    if (*what) {
        free(text);
        return NULL;
    }
    text[used] = 0;
    *bytes = used;
    return text;
}

/* Without locale: only ASCII letters have a case. */
static void fold(char *begin, const char *end)
{
    for (char *c = begin; c < end; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
}

static int is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* Cuts the blanks off both ends. */
static void trim(char **begin, char **end)
{
    while (*begin < *end && is_blank(**begin)) {
        ++*begin;
    }
    while (*begin < *end && is_blank((*end)[-1])) {
        --*end;
    }
}

/* The next line as [begin, end), trimmed and lower-cased, and a zero byte in place of its end. 0 after the last. */
static int next_line(char **at, char *text_end, char **begin, char **end)
{
    if (*at >= text_end) {
        return 0;
    }
    *begin = *at;
    *end = memchr(*at, '\n', (size_t)(text_end - *at));
    if (!*end) {
        *end = text_end;
    }
    *at = *end + 1;
    trim(begin, end);
    **end = 0;
    fold(*begin, *end);
    return 1;
}

static int is_word(const char *begin, const char *end)
{
    for (const char *c = begin; c < end; c++) {
        if (*c < 'a' || *c > 'z') {
            return 0;
        }
    }
    return begin < end;
}

/* Room for one more element of an array of `count`, which grows by doubling. 0 if there is no memory. */
static int grow(void **array, size_t count, size_t *room, size_t element_bytes)
{
    if (count < *room) {
        return 1;
    }
    const size_t wanted = *room ? 2 * *room : 4096;
    void *larger = realloc(*array, wanted * element_bytes);
    if (!larger) {
        return 0;
    }
    *array = larger;
    *room = wanted;
    return 1;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

int words_load(const char *path, words *out, char *error, size_t error_bytes)
{
    static const char package[] = "wamerican";
    *out = (words){0};
    const char *what;
    size_t bytes;
    char *text = read_file(path, &bytes, &what);
    if (!text) {
        return fail(error, error_bytes, path, what, package);
    }
    void *list = NULL;
    size_t count = 0, room = 0;
    char *at = text, *begin, *end;
    while (next_line(&at, text + bytes, &begin, &end)) {
        if (!is_word(begin, end)) {
            continue;
        }
        if (!grow(&list, count, &room, sizeof(const char *))) {
            free(list);
            free(text);
            return fail(error, error_bytes, path, "out of memory", package);
        }
        ((const char **)list)[count++] = begin;
    }
    if (count == 0) {
        free(text);
        return fail(error, error_bytes, path, "holds no word of ASCII letters", package);
    }
    const char **word = list;
    qsort(word, count, sizeof *word, by_bytes);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (strcmp(word[i], word[kept - 1]) != 0) {
            word[kept++] = word[i];
        }
    }
    *out = (words){.word = word, .count = kept, .text = text};
    return 0;
}

void words_free(words *w)
{
    free(w->word);
    free(w->text);
    *w = (words){0};
}

size_t words_find(const words *w, const char *word)
{
    size_t low = 0, high = w->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(w->word[middle], word);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SIZE_MAX;
}

uint64_t words_key(const char *word)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *word; word++) {
        hash = (hash ^ (unsigned char)*word) * 0x100000001b3u;
    }
    return hash;
}

/* Splits `wrong->right` in place. 0 if the line is none, or has more than one correction, or a zero byte. */
static int split_entry(char *begin, char *end, char **wrong, char **right)
{
    if (memchr(begin, 0, (size_t)(end - begin)) || memchr(begin, ',', (size_t)(end - begin))) {
        return 0;
    }
    char *arrow = strstr(begin, "->");
    if (!arrow) {
        return 0;
    }
    char *wrong_end = arrow, *right_end = end;
    *wrong = begin;
    *right = arrow + 2;
    trim(wrong, &wrong_end);
    trim(right, &right_end);
    *wrong_end = 0;
    return **wrong != 0 && strcmp(*wrong, *right) != 0;
}

int misspellings_load(const char *path, const words *w, misspellings *out, char *error, size_t error_bytes)
{
    static const char package[] = "codespell";
    *out = (misspellings){0};
    const char *what;
    size_t bytes;
    char *text = read_file(path, &bytes, &what);
    if (!text) {
        return fail(error, error_bytes, path, what, package);
    }
    void *list = NULL;
    size_t count = 0, room = 0;
    char *at = text, *begin, *end;
    while (next_line(&at, text + bytes, &begin, &end)) {
        char *wrong, *right;
        if (!split_entry(begin, end, &wrong, &right)) {
            continue;
        }
        const size_t index = words_find(w, right);
        if (index == SIZE_MAX) {
            continue;
        }
        if (!grow(&list, count, &room, sizeof(misspelling))) {
            free(list);
            free(text);
            return fail(error, error_bytes, path, "out of memory", package);
        }
        ((misspelling *)list)[count++] = (misspelling){.wrong = wrong, .right = index};
    }
    if (count == 0) {
        free(text);
        return fail(error, error_bytes, path, "holds no line `wrong->right` with one correction that is among the words",
                    package);
    }
    *out = (misspellings){.entry = list, .count = count, .text = text};
    return 0;
}

void misspellings_free(misspellings *m)
{
    free(m->entry);
    free(m->text);
    *m = (misspellings){0};
}
