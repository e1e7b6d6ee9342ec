/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .safetensors file (github.com/huggingface/safetensors, README, "Format"):
 *
 *   0   length n of the header, u64 little-endian
 *   8   JSON, n bytes: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [BEGIN, END]}, ...,
 *       "__metadata__": {"KEY": "TEXT", ...}}, and blanks
 *   8 + n   the elements; offsets count from here
 *
 * Of JSON only this is read, so that nothing nests and no JSON library is needed. Ranges must lie in the file, have the size of
 * their shape, and not overlap: all are checked, whichever is asked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "weights.h"

#include "isa/header_text.h"

typedef struct entry {
    const char *name, *dtype;
    uint64_t dims[PSY_RANK_MAX], begin, end;
    uint32_t rank; /* PSY_RANK_MAX + 1: more than a tensor has here */
} entry;

struct psc_safetensors {
    const entry *entries; /* by name */
    size_t count;
    uint64_t start; /* of the elements */
};

typedef struct reader {
    psc_arena *arena;
    psc_weights_problem *problem;
    const char *text;
    psy__header_text left;
    PSC_LIST(entry) entries;
} reader;

static bool damaged(reader *r, const char *what)
{
    return psc_weights_fail(r->arena, r->problem, "its header is damaged: %s, at byte %zu", what,
                            (size_t)(r->left.at - r->text) + 8);
}

static bool accept(reader *r, char c) { return psy__header_accept(&r->left, c); }

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits after \u; -1: there are none. */
static int32_t code_unit(reader *r)
{
    int32_t unit = 0;
    for (unsigned i = 0; i < 4; i++) {
        int digit = r->left.at < r->left.end ? digit_of(*r->left.at++) : -1;
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

static size_t put_utf8(char *to, uint32_t c)
{
    unsigned n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (unsigned i = n; i-- > 1; c >>= 6) {
        to[i] = (char)(0x80 | (c & 0x3f));
    }
    to[0] = (char)(lead[n] | c);
    return n;
}

/* What follows a backslash; 0: it is no escape. */
static size_t take_escape(reader *r, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = r->left.at < r->left.end ? *r->left.at++ : 0;
    const char *place = c ? strchr(from, c) : NULL;
    if (place) {
        *to = into[place - from];
        return 1;
    }
    int32_t unit = c == 'u' ? code_unit(r) : -1;
    if (unit <= 0 || (unit >= 0xdc00 && unit < 0xe000)) {
        return 0; /* a NUL would end the name early */
    }
    if (unit < 0xd800 || unit >= 0xe000) {
        return put_utf8(to, (uint32_t)unit);
    }
    bool pair = r->left.end - r->left.at >= 6 && r->left.at[0] == '\\' && r->left.at[1] == 'u';
    r->left.at += pair ? 2 : 0;
    int32_t low = pair ? code_unit(r) : -1;
    return low < 0xdc00 || low >= 0xe000
               ? 0
               : put_utf8(to, 0x10000u + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
}

/* NULL: reported. */
static const char *take_text(reader *r)
{
    if (!accept(r, '"')) {
        damaged(r, "a text was expected");
        return NULL;
    }
    const char *close = r->left.at;
    while (close < r->left.end && *close != '"') {
        close += *close == '\\' ? 2 : 1;
    }
    if (close >= r->left.end) {
        damaged(r, "a text has no end");
        return NULL;
    }
    char *text = psc_alloc(r->arena, (size_t)(close - r->left.at) + 4),
         *to = text; /* no escape is shorter than its character */
    while (r->left.at < close) {
        size_t n = 1;
        if ((unsigned char)*r->left.at < 0x20) {
            n = 0;
        } else if (*r->left.at != '\\') {
            *to = *r->left.at++;
        } else {
            r->left.at++;
            n = take_escape(r, to);
        }
        if (n == 0 || r->left.at > close) {
            damaged(r, "a text is not one");
            return NULL;
        }
        to += n;
    }
    r->left.at = close + 1;
    return text;
}

static bool take_number(reader *r, uint64_t *out)
{
    bool any;
    return psy__header_number(&r->left, out, &any) ||
           damaged(r, any ? "a number does not fit into 64 bits" : "a whole number was expected");
}

/* [2, 3]: up to `room` are kept, all are counted up to room + 1. */
static bool take_numbers(reader *r, uint64_t *out, uint32_t room, uint32_t *count)
{
    *count = 0;
    if (!accept(r, '[')) {
        return damaged(r, "`[` was expected");
    }
    if (accept(r, ']')) {
        return true;
    }
    do {
        uint64_t number;
        if (!take_number(r, &number)) {
            return false;
        }
        if (*count < room) {
            out[*count] = number;
        }
        *count += *count <= room;
    } while (accept(r, ','));
    return accept(r, ']') || damaged(r, "`]` was expected");
}

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} */
static bool take_entry(reader *r, entry *e)
{
    unsigned seen = 0;
    uint64_t offsets[2] = {0};
    if (!accept(r, '{')) {
        return damaged(r, "`{` was expected");
    }
    do {
        const char *key = take_text(r);
        if (!key) {
            return false;
        }
        unsigned bit = strcmp(key, "dtype") == 0 ? 1 : strcmp(key, "shape") == 0 ? 2 : strcmp(key, "data_offsets") == 0 ? 4 : 0;
        if (bit == 0 || seen & bit || !accept(r, ':')) {
            return damaged(r, "a tensor has `dtype`, `shape` and `data_offsets`, each once");
        }
        seen |= bit;
        uint32_t two = 2;
        bool ok = bit == 1   ? (e->dtype = take_text(r)) != NULL
                  : bit == 2 ? take_numbers(r, e->dims, PSY_RANK_MAX, &e->rank)
                             : take_numbers(r, offsets, 2, &two);
        if (!ok) {
            return false;
        }
        if (two != 2) {
            return damaged(r, "`data_offsets` are two numbers");
        }
    } while (accept(r, ','));
    e->begin = offsets[0];
    e->end = offsets[1];
    return (accept(r, '}') && seen == 7) || damaged(r, "a tensor has `dtype`, `shape` and `data_offsets`, each once");
}

/* {"KEY": "TEXT"}: nothing of it is used. */
static bool skip_metadata(reader *r)
{
    if (!accept(r, '{')) {
        return damaged(r, "`{` was expected");
    }
    if (accept(r, '}')) {
        return true;
    }
    do {
        if (!take_text(r) || !accept(r, ':') || !take_text(r)) {
            return r->problem->text ? false : damaged(r, "`:` was expected");
        }
    } while (accept(r, ','));
    return accept(r, '}') || damaged(r, "`}` was expected");
}

static bool take_header(reader *r)
{
    bool metadata = false;
    if (!accept(r, '{')) {
        return damaged(r, "`{` was expected");
    }
    if (!accept(r, '}')) {
        do {
            entry e = {.name = take_text(r)};
            if (!e.name) {
                return false;
            }
            bool is_metadata = strcmp(e.name, "__metadata__") == 0;
            if ((is_metadata && metadata) || !accept(r, ':')) {
                return damaged(r, is_metadata ? "`__metadata__` is there twice" : "`:` was expected");
            }
            metadata = metadata || is_metadata;
            if (!(is_metadata ? skip_metadata(r) : take_entry(r, &e))) {
                return false;
            }
            if (!is_metadata) {
                psc_push(r->arena, &r->entries, e);
            }
        } while (accept(r, ','));
        if (!accept(r, '}')) {
            return damaged(r, "`}` was expected");
        }
    }
    psy__header_skip_blanks(&r->left);
    return r->left.at == r->left.end || damaged(r, "something follows its end");
}

/* ---- checks ---- */

static int by_range(const void *x, const void *y)
{
    const entry *a = x, *b = y;
    return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1) : a->end != b->end ? (a->end < b->end ? -1 : 1) : 0;
}

static int by_name(const void *x, const void *y) { return strcmp(((const entry *)x)->name, ((const entry *)y)->name); }

/* F32 is f32. 0: Psyne has no such dtype. */
static unsigned dtype_of(const char *written)
{
    char name[8] = {0};
    size_t n = strlen(written);
    for (size_t i = 0; i < n && n < sizeof name; i++) {
        bool upper = written[i] >= 'A' && written[i] <= 'Z';
        if (!upper && !(written[i] >= '0' && written[i] <= '9')) {
            return 0;
        }
        name[i] = (char)(upper ? written[i] - 'A' + 'a' : written[i]);
    }
    return n < sizeof name ? psy__dtype_named(name, n) : 0;
}

/* One range. */
static bool check_entry(reader *r, const entry *e, uint64_t room)
{
    unsigned dtype = dtype_of(e->dtype);
    uint64_t bytes;
    if (e->begin > e->end || e->end > room) {
        return psc_weights_fail(r->arena, r->problem,
                                "`%s` lies at %" PRIu64 " to %" PRIu64 " of %" PRIu64 " bytes of elements: outside of the file",
                                e->name, e->begin, e->end, room);
    }
    bool known = dtype && e->rank <= PSY_RANK_MAX;
    if (known && (!psc_weights_size(e->dims, e->rank, psy__dtype_bytes(dtype), &bytes) || bytes != e->end - e->begin)) {
        return psc_weights_fail(r->arena, r->problem, "`%s` has %" PRIu64 " bytes, which is not what its shape takes", e->name,
                                e->end - e->begin);
    }
    return true;
}

static bool check_entries(reader *r, uint64_t room)
{
    entry *list = r->entries.at;
    size_t n = r->entries.count;
    if (n == 0) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (!check_entry(r, &list[i], room)) {
            return false;
        }
    }
    qsort(list, n, sizeof *list, by_range);
    for (size_t i = 1; i < n; i++) {
        if (list[i].begin < list[i - 1].end) {
            return psc_weights_fail(r->arena, r->problem, "`%s` and `%s` overlap", list[i - 1].name, list[i].name);
        }
    }
    qsort(list, n, sizeof *list, by_name);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(list[i].name, list[i - 1].name) == 0) {
            return psc_weights_fail(r->arena, r->problem, "`%s` is there twice", list[i].name);
        }
    }
    return true;
}

const psc_safetensors *psc_safetensors_read(psc_arena *arena, const psc_blob *blob, psc_weights_problem *problem)
{
    uint8_t head[8];
    uint64_t length = 0;
    if (!psc_blob_read(blob, 0, sizeof head, head)) {
        psc_weights_fail(arena, problem, "it is no .safetensors file: it is too short");
        return NULL;
    }
    for (unsigned i = 0; i < 8; i++) {
        length |= (uint64_t)head[i] << 8 * i;
    }
    if (length > PSC_SAFETENSORS_HEADER_MAX || length > blob->bytes - 8) {
        psc_weights_fail(arena, problem, "it is no .safetensors file, or damaged: its header would have %" PRIu64 " bytes%s",
                         length, length > blob->bytes - 8 ? ", more than the file" : "");
        return NULL;
    }
    char *text = psc_alloc(arena, length + 1);
    if (!psc_blob_read(blob, 8, length, text)) {
        psc_weights_fail(arena, problem, "its header cannot be read");
        return NULL;
    }
    reader r = {.arena = arena, .problem = problem, .text = text, .left = {text, text + length}};
    if (!take_header(&r) || !check_entries(&r, blob->bytes - 8 - length)) {
        return NULL;
    }
    psc_safetensors *s = psc_new(arena, psc_safetensors);
    *s = (psc_safetensors){r.entries.at, r.entries.count, 8 + length};
    return s;
}

bool psc_safetensors_find(psc_arena *arena, const psc_safetensors *s, const char *name, psc_tensor *out,
                          psc_weights_problem *problem)
{
    entry wanted = {.name = name};
    const entry *e = name && s->count ? bsearch(&wanted, s->entries, s->count, sizeof wanted, by_name) : NULL;
    for (size_t i = 0; !e && i < s->count; i++) {
        psc_push(arena, &problem->names, s->entries[i].name);
    }
    if (!e) {
        problem->unnamed = !name;
        return name ? psc_weights_fail(arena, problem, "it has no tensor `%s`", name)
                    : psc_weights_fail(arena, problem, "which tensor of the file?");
    }
    if (e->rank > PSY_RANK_MAX) {
        return psc_weights_fail(arena, problem, "`%s` has more than %d axes", name, PSY_RANK_MAX);
    }
    *out = (psc_tensor){.dtype = dtype_of(e->dtype),
                        .written = e->dtype,
                        .rank = e->rank,
                        .offset = s->start + e->begin,
                        .bytes = e->end - e->begin};
    memcpy(out->dims, e->dims, sizeof out->dims);
    return true;
}
