/* SPDX-License-Identifier: Apache-2.0 */
/* JSON text, read once from end to end: checked as RFC 8259 says, and indexed, so that values may be looked up in any order.
 * Texts and numbers stay where they are. What is in an array gets a node only if it is an array or object itself, so a long
 * list of numbers costs no memory. */
#ifndef PSY_MESSAGE_TEXT_H
#define PSY_MESSAGE_TEXT_H

#include <psyne/reflect.h>

typedef enum psy__json_kind {
    PSY_JSON_NULL,
    PSY_JSON_BOOL,
    PSY_JSON_NUMBER,
    PSY_JSON_TEXT,
    PSY_JSON_ARRAY,
    PSY_JSON_OBJECT
} psy__json_kind;

typedef struct psy__json_node {
    uint32_t begin, end; /* in the text; of a text with its quotes */
    uint32_t key;        /* where its key's quote stands; PSY_NONE in arrays */
    uint32_t next;       /* behind it in the same object or array; PSY_NONE: the last */
    uint32_t child;      /* the first in it; PSY_NONE */
    uint32_t count;      /* members or elements, nodes or not */
    uint32_t field;      /* of parse: what it is for */
    uint8_t kind;
} psy__json_node;

typedef struct psy__json {
    const char *text;
    uint32_t n, at; /* at: what was read up to */
    psy__json_node *nodes;
    uint32_t count, room;
    psy_status status; /* of what went wrong */
    uint32_t where;
    const char *what;
} psy__json;

enum { PSY_JSON_DEPTH_MAX = 32, PSY_JSON_NODES_MAX = 1 << 24 };

/* Reads one value from `j->at` on (text and n are set, all else is 0): node 0. CORRUPT with line and column in the detail;
 * NOT_FOUND: there is nothing but blanks; TOO_LARGE: over PSY_JSON_NODES_MAX nodes; NO_MEMORY. */
PSY_NODISCARD psy_status psy__json_read(psy__json *j);
void psy__json_free(psy__json *j);

/* CORRUPT, "line 3, column 14: shop.Order.tags: what". */
psy_status psy__json_refuse(const psy__json *j, uint32_t where, const char *path, const char *format, ...) PSY_PRINTF(4, 5);

/* ---- of what was read ---- */

/* The value that starts at `at` in an array: its end, and its kind. Steps: *at moves to the next element. False: it was the
 * last. uint32_t at = psy__json_first(j, array); for (uint32_t i = 0; i < array->count; i++, at = psy__json_behind(j, at)) ...
 */
uint32_t psy__json_first(const psy__json *j, const psy__json_node *array);
uint32_t psy__json_behind(const psy__json *j, uint32_t at);
uint32_t psy__json_past(const psy__json *j, uint32_t end); /* the same of one that ends at `end` */
psy__json_kind psy__json_kind_at(const psy__json *j, uint32_t at);
/* Where the number, text, or word that starts at `at` ends. */
uint32_t psy__json_end(const psy__json *j, uint32_t at);

/* The text whose quote stands at `at`: how many bytes it says, and those. */
uint32_t psy__json_text_bytes(const psy__json *j, uint32_t at);
void psy__json_text_copy(const psy__json *j, uint32_t at, unsigned char *to);
/* Whether it says `word`. */
bool psy__json_text_is(const psy__json *j, uint32_t at, const char *word);

#endif
