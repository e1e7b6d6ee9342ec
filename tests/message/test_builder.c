/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with tails, built in place and read back: by hand, as generated accessors do it. */
#include <psyne/builder.h>
#include <psyne/tail.h>

#include "tests/test.h"

/* A message inside another one, with a tail of its own. */
typedef struct section {
    _Alignas(64) psy_message_header header;
    psy_tail title, lines;
} section;

typedef struct document {
    _Alignas(64) psy_message_header header;
    psy_tail title, values, tags, sections;
    psy_variant_head embedding_head;
    uint32_t embedding;
    psy_tail last;
} document;

enum { ROOM = 4096 };
static _Alignas(64) unsigned char memory[ROOM + 64];

static document *begin(psy_builder *b, size_t room)
{
    memset(memory, 0xA5, sizeof memory);
    document *d = psy_builder_init(b, memory, room, sizeof(document));
    if (d) {
        memset(d, 0, sizeof *d);
    }
    return d;
}

static bool is(psy_text t, const char *wanted)
{
    return t.at && t.bytes == strlen(wanted) && memcmp(t.at, wanted, t.bytes) == 0;
}

Test(builder, whole)
{
    psy_builder b;
    document *d = begin(&b, ROOM);
    cr_assert_eq((void *)d, (void *)memory);
    cr_assert(psy_builder_text(&b, d, &d->title, "Tea", 3, 1, false));
    float *x = psy_builder_claim(&b, d, &d->values, 20, sizeof *x, 64);
    for (unsigned i = 0; i < 20; i++) {
        x[i] = (float)i;
    }
    cr_assert(psy_builder_texts(&b, d, &d->tags, 3, 1) && psy_builder_texts_set(&b, d, &d->tags, 0, "a", 1) &&
              psy_builder_texts_set(&b, d, &d->tags, 2, "ccc", 3));
    section *s = psy_builder_claim_items(&b, d, &d->sections, 2, sizeof *s);
    memset(s, 0, 2 * sizeof *s);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert(psy_builder_text(&b, &s[i], &s[i].title, i ? "two" : "one", 3, 1, true));
        cr_assert(psy_builder_texts(&b, &s[i], &s[i].lines, 1, 1) &&
                  psy_builder_texts_set(&b, &s[i], &s[i].lines, 0, "line", 4));
    }
    uint16_t *e = psy_builder_variant(&b, d, &d->embedding_head, &d->embedding, PSY_U16, 2, (const uint32_t[]){2, 3});
    memcpy(e, (uint16_t[]){1, 2, 3, 4, 5, 6}, 12);
    cr_assert(psy_builder_text(&b, d, &d->last, "", 0, 1, true));
    size_t n = psy_builder_finish(&b);
    cr_assert_eq(n % 64, 0);
    cr_assert_eq(d->header.bytes, n);
    cr_assert_eq(memory[n], 0xA5, "it wrote behind its end");

    uint32_t bytes = (uint32_t)n, count, rest;
    cr_assert(is(psy_tail_text(d, bytes, &d->title), "Tea"));
    const float *y = psy_tail_elements(d, bytes, &d->values, 4, 64, &count);
    cr_assert(y == x && count == 20 && y[19] == 19);
    for (unsigned char *gap = memory + sizeof *d + 3; gap < (unsigned char *)x; gap++) {
        cr_assert_eq(*gap, 0);
    }
    cr_assert_eq(psy_tail_texts_count(d, bytes, &d->tags), 3);
    cr_assert(is(psy_tail_texts_at(d, bytes, &d->tags, 0), "a") && is(psy_tail_texts_at(d, bytes, &d->tags, 2), "ccc"));
    cr_assert_null(psy_tail_texts_at(d, bytes, &d->tags, 1).at);
    cr_assert_null(psy_tail_texts_at(d, bytes, &d->tags, 3).at);
    const section *second = psy_tail_item(d, bytes, &d->sections, sizeof *second, 64, 1, &rest);
    cr_assert(second == s + 1 && rest == n - (size_t)((unsigned char *)(s + 1) - memory));
    cr_assert(is(psy_tail_text(second, rest, &second->title), "two"));
    cr_assert(is(psy_tail_texts_at(second, rest, &second->lines, 0), "line"));
    cr_assert_null(psy_tail_item(d, bytes, &d->sections, sizeof *second, 64, 2, &rest));
    psy_variant_view v;
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_OK);
    const uint16_t *back = psy_variant_elements(&v, PSY_U16);
    cr_assert(back && back[5] == 6 && (uintptr_t)back % 64 == 0 && v.rank == 2 && v.dims[1] == 3);
    cr_assert(psy_tail_is_there(&d->last) && is(psy_tail_text(d, bytes, &d->last), ""));
}

Test(builder, order)
{
    psy_builder b;
    document *d = begin(&b, ROOM);
    cr_assert_not_null(psy_builder_claim(&b, d, &d->values, 4, 4, 4));
    cr_assert(!psy_builder_text(&b, d, &d->title, "late", 4, 1, false) && b.status == PSY_INVALID);
    cr_assert(!psy_builder_text(&b, d, &d->last, "x", 1, 1, false), "what failed stays");
    cr_assert_eq(psy_builder_finish(&b), 0);

    d = begin(&b, ROOM);
    cr_assert(psy_builder_text(&b, d, &d->title, "a", 1, 1, false) && !psy_builder_text(&b, d, &d->title, "b", 1, 1, false));
    cr_assert_eq(b.status, PSY_INVALID, "twice");

    /* The tail of the second section, then of the first; of a section after the field behind them. */
    for (unsigned way = 0; way < 2; way++) {
        d = begin(&b, ROOM);
        section *s = psy_builder_claim_items(&b, d, &d->sections, 2, sizeof *s);
        memset(s, 0, 2 * sizeof *s);
        cr_assert(way ? psy_builder_text(&b, d, &d->last, "x", 1, 1, false)
                      : psy_builder_text(&b, &s[1], &s[1].title, "x", 1, 1, false));
        cr_assert(!psy_builder_text(&b, &s[way], &s[way].title, "x", 1, 1, false) && b.status == PSY_INVALID);
    }
    /* A place that no field leads from: behind the message, and before it. */
    for (unsigned way = 0; way < 2; way++) {
        d = begin(&b, ROOM);
        psy_tail *far = (psy_tail *)(void *)(memory + (way ? 1024 : 0)) - (way ? 0 : 1), kept = {7, 7};
        far = way ? far : &kept;
        cr_assert(!psy_builder_text(&b, d, far, "x", 1, 1, false) && b.status == PSY_INVALID);
        cr_assert(way || kept.offset == 7);
    }
}

Test(builder, room)
{
    psy_builder b;
    document *d;
    cr_assert_null(begin(&b, sizeof(document) - 1));
    cr_assert(b.status == PSY_TOO_LARGE && psy_builder_finish(&b) == 0);
    cr_assert_null(psy_builder_init(&b, memory + 8, ROOM, sizeof(document)));
    cr_assert_eq(b.status, PSY_INVALID);
    for (uint32_t n = 60; n < 70; n++) {
        d = begin(&b, sizeof *d + 64 + 63); /* of which 64 count */
        void *at = psy_builder_claim(&b, d, &d->values, n, 1, 1);
        cr_assert_eq(at != NULL, n <= 64, "%u", n);
        cr_assert_eq(psy_builder_finish(&b), n <= 64 ? sizeof *d + 64 : 0);
        cr_assert_eq(b.status, n <= 64 ? PSY_OK : PSY_TOO_LARGE);
    }
    d = begin(&b, ROOM);
    cr_assert_null(psy_builder_claim(&b, d, &d->values, UINT32_MAX, UINT32_MAX, 64));
    cr_assert_eq(b.status, PSY_TOO_LARGE);
    d = begin(&b, ROOM);
    cr_assert(psy_builder_claim(&b, d, &d->values, 0, 4, 64) && d->values.offset == 0 && d->values.count == 0);
    cr_assert_eq(psy_builder_finish(&b), sizeof *d);
    d = begin(&b, ROOM);
    cr_assert(!psy_builder_text(&b, d, &d->title, "\xff", 1, 1, false) && b.status == PSY_INVALID);
}

Test(builder, readers_stay_inside)
{
    psy_builder b;
    document *d = begin(&b, ROOM);
    uint32_t count, rest, bytes = sizeof *d + 64;
    psy_variant_view v;
    static const psy_tail wrong[] = {{sizeof *d + 64, 1}, {sizeof *d, 65}, {UINT32_MAX, UINT32_MAX}, {0, 1},
                                     {sizeof *d + 1, 64}, {1, UINT32_MAX}, {sizeof *d + 65, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        d->values = wrong[i];
        cr_assert(psy_tail_elements(d, bytes, &d->values, 1, 1, &count) == NULL && count == 0, "%zu", i);
        cr_assert(psy_tail_item(d, bytes, &d->values, 1, 1, 0, &rest) == NULL && rest == 0);
        cr_assert_null(psy_tail_text(d, bytes, &d->values).at);
        cr_assert_eq(psy_tail_texts_count(d, bytes, &d->values), 0);
    }
    d->values = (psy_tail){sizeof *d + 4, 2};
    cr_assert_null(psy_tail_elements(d, bytes, &d->values, 8, 8, &count), "not aligned");
    cr_assert_not_null(psy_tail_elements(d, bytes, &d->values, 8, 4, &count));
    d->embedding_head = (psy_variant_head){.dtype = PSY_F32, .rank = 1, .dims = {17}};
    d->embedding = sizeof *d;
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_CORRUPT);
    d->embedding_head.dims[0] = 16;
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_OK);
    d->embedding = sizeof *d + 4;
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_CORRUPT);
    d->embedding = 0;
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_CORRUPT);
    d->embedding_head = (psy_variant_head){0};
    cr_assert_eq(psy_tail_variant(d, bytes, &d->embedding_head, &d->embedding, &v), PSY_NOT_FOUND);
}
