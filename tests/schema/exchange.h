/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs share that write_exchange.c writes: one of all old schemas, one of all new ones.
 *
 *   PROGRAM write DIR     each type's messages as DIR/PAIR.TYPE.N, and what was written as DIR/PAIR.TYPE.N.SIDE-written
 *   PROGRAM read DIR      the other side's messages: what T_verify, T_read and the getters say as DIR/PAIR.TYPE.N.SIDE-read,
 * and what a message starts with as DIR/PAIR.TYPE.SIDE-default
 *
 * A line is a field and its value. Values follow from the field's name and N, so that two programs agree without talking. */
#ifndef PSY_TESTS_SCHEMA_EXCHANGE_H
#define PSY_TESTS_SCHEMA_EXCHANGE_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/builder.h>
#include <psyne/message.h>
#include <psyne/variant.h>

/* Message 0 is as it starts, 1 has the most of everything, 2 the least, 3 one element, the others what comes. */
enum { EXCHANGE_MESSAGES = 8, EXCHANGE_BYTES_MAX = 1 << 14 };

static inline uint64_t exchange_bits(const char *key, unsigned n, unsigned i)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) + n * 977u + i;
    if (n == 1 || n == 2) {
        return n == 1 ? UINT64_MAX : 0;
    }
    for (; *key; key++) {
        h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    }
    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

static inline uint32_t exchange_count(const char *key, unsigned n, uint32_t most)
{
    return n == 1 ? most : n == 2 ? 0 : n == 3 ? 1 : (uint32_t)(exchange_bits(key, n, 12345) % (most + 1u));
}

static inline double exchange_real(const char *key, unsigned n, unsigned i)
{
    return (double)(exchange_bits(key, n, i) % 4001) * 0.25 - 500;
}

static inline size_t exchange_text(char *to, const char *key, unsigned n, unsigned i, uint32_t most)
{
    const uint32_t count = exchange_count(key, n + (i > 0 && n > 3 ? i : 0), most);
    for (uint32_t k = 0; k < count; k++) {
        to[k] = (char)('a' + exchange_bits(key, n + 3, i + k) % 26);
    }
    return count;
}

/* Where lines go, and what stands before the names in them. */
typedef struct exchange_lines {
    FILE *to;
    char prefix[256];
    bool defaults; /* also what elements and members start with, which are not there */
} exchange_lines;

static inline void exchange_key(exchange_lines *l, const char *key) { fprintf(l->to, "%s%s=", l->prefix, key); }
static inline void exchange_unsigned(exchange_lines *l, uint64_t x) { fprintf(l->to, "%" PRIu64 " ", x); }
static inline void exchange_signed(exchange_lines *l, int64_t x) { fprintf(l->to, "%" PRId64 " ", x); }
static inline void exchange_float(exchange_lines *l, double x) { fprintf(l->to, "%af ", x); }
/* A text is its bytes, so that it can be held against u8[<=N]. */
static inline void exchange_bytes(exchange_lines *l, const char *text, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        exchange_unsigned(l, (unsigned char)text[i]);
    }
}
static inline void exchange_end(exchange_lines *l) { fputc('\n', l->to); }
/* A number that has a name, or had one: names count where both sides have one. */
static inline void exchange_named(exchange_lines *l, int64_t x, const char *name)
{
    fprintf(l->to, "%" PRId64 "#%s ", x, name);
}
static inline exchange_lines exchange_inside(const exchange_lines *l, const char *key)
{
    exchange_lines inner = {l->to, "", l->defaults};
    snprintf(inner.prefix, sizeof inner.prefix, "%.120s%.120s.", l->prefix, key);
    return inner;
}
static inline exchange_lines exchange_element(const exchange_lines *l, const char *key, uint32_t i)
{
    char name[160];
    snprintf(name, sizeof name, "%.120s.%" PRIu32, key, i);
    return exchange_inside(l, name);
}

/* A type of a pair, as one side has it. */
typedef struct exchange_type {
    const char *name;                          /* PAIR.TYPE, as the old side calls it */
    size_t (*write)(void *memory, unsigned n); /* gives how many bytes there are */
    psy_status (*verify)(const void *bytes, size_t n);
    psy_status (*read)(void *to, size_t room, size_t *size, const void *bytes, size_t n);
    void (*print)(const void *message, size_t bytes, exchange_lines *l);
} exchange_type;

static inline FILE *exchange_open(const char *folder, const char *name, const char *end, const char *mode)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, end);
    return fopen(path, mode);
}

static unsigned char exchange_memory[3][EXCHANGE_BYTES_MAX] __attribute__((aligned(64)));

static inline bool exchange_write(const exchange_type *t, const char *folder, const char *side, unsigned n)
{
    char name[256], end[64];
    /* What nobody writes is what was there. */
    memset(exchange_memory[0], 0xdb, sizeof exchange_memory[0]);
    const size_t bytes = t->write(exchange_memory[0], n);
    snprintf(name, sizeof name, "%s.%u", t->name, n);
    snprintf(end, sizeof end, ".%s", side);
    FILE *file = exchange_open(folder, name, end, "wb");
    const bool good = file && fwrite(exchange_memory[0], 1, bytes, file) == bytes;
    snprintf(end, sizeof end, ".%s-written", side);
    exchange_lines l = {exchange_open(folder, name, end, "w"), "", false};
    if (!good || fclose(file) != 0 || !l.to) {
        return false;
    }
    t->print(exchange_memory[0], bytes, &l);
    return fclose(l.to) == 0;
}

/* What the other side wrote; nothing where it has no such type. */
static inline bool exchange_read(const exchange_type *t, const char *folder, const char *side, const char *other, unsigned n)
{
    char name[256], end[64];
    snprintf(name, sizeof name, "%s.%u", t->name, n);
    snprintf(end, sizeof end, ".%s", other);
    FILE *file = exchange_open(folder, name, end, "rb");
    if (!file) {
        return true;
    }
    const size_t bytes = fread(exchange_memory[0], 1, sizeof exchange_memory[0], file);
    fclose(file);
    snprintf(end, sizeof end, ".%s-read", side);
    exchange_lines l = {exchange_open(folder, name, end, "w"), "", false};
    if (!l.to) {
        return false;
    }
    size_t size = 0;
    const psy_status seen = t->verify(exchange_memory[0], bytes),
                     read = t->read(exchange_memory[1], EXCHANGE_BYTES_MAX, &size, exchange_memory[0], bytes);
    fprintf(l.to, "status=%d\n", (int)read);
    if (read == PSY_OK) {
        t->print(exchange_memory[1], size, &l);
    }
    fclose(l.to);
    /* In place, what can be read in place says the same. */
    if (seen == PSY_OK) {
        snprintf(end, sizeof end, ".%s-seen", side);
        l.to = exchange_open(folder, name, end, "w");
        if (!l.to) {
            return false;
        }
        fprintf(l.to, "status=%d\n", (int)seen);
        t->print(exchange_memory[0], bytes, &l);
        fclose(l.to);
    }
    return seen == read || (seen == PSY_VERSION && (read == PSY_OK || read == PSY_CORRUPT));
}

static inline bool exchange_default(const exchange_type *t, const char *folder, const char *side)
{
    char end[64];
    snprintf(end, sizeof end, ".%s-default", side);
    exchange_lines l = {exchange_open(folder, t->name, end, "w"), "", true};
    memset(exchange_memory[2], 0, sizeof exchange_memory[2]);
    if (!l.to) {
        return false;
    }
    t->print(exchange_memory[2], t->write(exchange_memory[2], 0), &l);
    return fclose(l.to) == 0;
}

static inline int exchange_main(const exchange_type *types, size_t count, const char *side, int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    const char *other = strcmp(side, "old") == 0 ? "new" : "old";
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        for (unsigned n = 0; n < EXCHANGE_MESSAGES; n++) {
            const bool done = strcmp(argv[1], "write") == 0 ? exchange_write(&types[i], argv[2], side, n)
                                                            : exchange_read(&types[i], argv[2], side, other, n);
            if (!done) {
                fprintf(stderr, "%s.%u: T_verify and T_read disagree, or a file cannot be written\n", types[i].name, n);
                good = false;
            }
        }
        good = exchange_default(&types[i], argv[2], side) && good;
    }
    return good ? 0 : 1;
}

#endif
