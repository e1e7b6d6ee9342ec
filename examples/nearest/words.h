/* SPDX-License-Identifier: Apache-2.0 */
/* The data of the spelling search: a list of words and a list of misspellings whose corrections are known.
 *
 * Words: the lines of a word list that consist of ASCII letters, lower-cased, sorted by their bytes, each once. Lines with
 * anything else (apostrophes, accents, digits) are left out.
 *
 * Misspellings: the `wrong->right` lines of codespell's dictionary with exactly one correction (a comma means several, or one
 * that codespell does not apply by itself) that is among the words. Both sides are lower-cased; the wrong side may hold any
 * other bytes. Lines in which the two sides differ by nothing but case are no misspellings and are left out.
 *
 *   words words;
 *   char error[512];
 *   if (words_load(WORDS_PATH, &words, error, sizeof error)) { fprintf(stderr, "%s\n", error); return 1; }
 *   size_t row = words_find(&words, "receive");             // SIZE_MAX if it is not there
 *   words_free(&words);
 *
 * Files are read whole, up to WORDS_MAX_BYTES. What is loaded is never changed and may be read from any number of threads. */
#ifndef NEAREST_WORDS_H
#define NEAREST_WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORDS_PATH        "/usr/share/dict/words"
#define MISSPELLINGS_PATH "/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt"
#define WORDS_MAX_BYTES   ((size_t)64 << 20)

typedef struct words {
    const char **word; /* [count], ascending */
    size_t count;      /* at least 1 once loaded */
    char *text;        /* where the words lie */
} words;

/* Returns 0; or -1 with a message that names the file, and the Debian package it usually comes from, in `error`, and `out`
 * empty: the file is missing, unreadable, larger than WORDS_MAX_BYTES, or holds no word; or there is no memory. */
int words_load(const char *path, words *out, char *error, size_t error_bytes);

/* Frees what words_load allocated; no effect on an empty list. */
void words_free(words *w);

/* Index of a word, or SIZE_MAX. Compares bytes: the caller lower-cases. */
size_t words_find(const words *w, const char *word);

/* The number that stands for a word where data is kept by key: 64-bit FNV-1a of its bytes. */
uint64_t words_key(const char *word);

typedef struct misspelling {
    const char *wrong;
    size_t right; /* index of the correction among the words */
} misspelling;

typedef struct misspellings {
    misspelling *entry; /* [count], in the order of the file */
    size_t count;       /* at least 1 once loaded */
    char *text;
} misspellings;

/* As words_load. `out` keeps no pointer to `w`. */
int misspellings_load(const char *path, const words *w, misspellings *out, char *error, size_t error_bytes);

void misspellings_free(misspellings *m);

#endif
