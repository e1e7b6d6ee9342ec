/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: what verify says of changed messages is what the library says that knows them by their tables alone, and
 * nothing outside is looked at. */
#include "tests/test.h"

#include "guarded.h"
#include "kinds.psy.h"
#include "tails_sample.h"
#include "unions.psy.h"
#include "values.psy.h"

typedef struct sample {
    const psy_type *type;
    psy_status (*verify)(const void *bytes, size_t n);
    unsigned (*read)(const void *bytes, size_t n); /* what is verified; or NULL */
    uint8_t *bytes;                                /* ends where no page is */
    size_t n;
} sample;

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *state >> 20;
}

/* Both say the same. Of what has several faults, either may be said. */
static psy_status check(const sample *s, size_t n, const char *what, size_t which)
{
    const psy_status ours = s->verify(s->bytes, n), theirs = psy_message_verify(s->type, s->bytes, n);
    cr_assert_eq(ours, theirs, "%s, %s %zu: %s here, %s by the tables: %s", s->type->name, what, which, psy_status_text(ours),
                 psy_status_text(theirs), psy_detail());
    if (ours == PSY_OK && s->read) {
        s->read(s->bytes, n);
    }
    return ours;
}

/* What a generated read makes of the message is what the library makes of it. */
static void check_read(const uint8_t *bytes, size_t n, const char *what, size_t which)
{
    static _Alignas(64) kinds_deep ours;
    static _Alignas(64) uint8_t theirs[sizeof ours];
    size_t size = 0;
    const psy_status here = kinds_deep_read(&ours, bytes, n),
                     there = psy_message_read(kinds_deep_type(), theirs, sizeof theirs, &size, bytes, n);
    cr_assert_eq(here, there, "%s %zu: %s here, %s by the tables: %s", what, which, psy_status_text(here),
                 psy_status_text(there), psy_detail());
    bool equal = false;
    cr_assert(here != PSY_OK || (kinds_deep_equal(&ours, sizeof ours, theirs, size, &equal) == PSY_OK && equal), "%s %zu", what,
              which);
}

/* Bytes that mean something: small numbers, limits, and parts of offsets. */
static uint8_t byte_of(uint64_t random)
{
    static const uint8_t some[] = {0, 1, 2, 3, 4, 7, 8, 16, 32, 63, 64, 65, 127, 128, 192, 0xc3, 0xe2, 0xfe, 0xff};
    return random % 3 ? some[(random >> 8) % sizeof some] : (uint8_t)(random >> 16);
}

static void mutate(const sample *s, unsigned rounds)
{
    uint8_t *kept = malloc(s->n);
    uint64_t state = s->n;
    unsigned accepted = 0, refused = 0;
    memcpy(kept, s->bytes, s->n);
    cr_assert_eq(check(s, s->n, "unchanged", 0), PSY_OK, "%s", psy_detail());
    for (size_t n = 0; n < s->n; n++) { /* every truncation, in as much memory as there is */
        uint8_t *end = s->bytes + s->n - (n + 63) / 64 * 64;
        memmove(end, kept, n);
        const sample cut = {s->type, s->verify, NULL, end, n};
        cr_assert_eq(check(&cut, n, "cut to", n), PSY_CORRUPT);
    }
    memcpy(s->bytes, kept, s->n);
    for (size_t at = 0; at < s->n; at++) { /* every byte */
        for (unsigned i = 0; i < 6; i++) {
            s->bytes[at] = byte_of(next(&state));
            *(check(s, s->n, "byte", at) == PSY_OK ? &accepted : &refused) += 1;
        }
        s->bytes[at] = kept[at];
    }
    for (unsigned round = 0; round < rounds; round++) { /* several, also far from each other */
        for (unsigned k = 0; k < 1 + round % 5; k++) {
            s->bytes[next(&state) % s->n] = byte_of(next(&state));
        }
        if (round % 2) { /* four bytes that came from elsewhere: offsets and counts that are right for another field */
            memcpy(s->bytes + next(&state) % (s->n / 4) * 4, kept + next(&state) % (s->n / 4) * 4, 4);
        }
        *(check(s, s->n, "round", round) == PSY_OK ? &accepted : &refused) += 1;
        if (round % 3 == 0) {
            memcpy(s->bytes, kept, s->n);
        }
    }
    cr_assert(accepted > 100 && refused > 100, "%s: %u accepted, %u refused", s->type->name, accepted, refused);
    free(kept);
}

static unsigned read_tails(const void *bytes, size_t n)
{
    tails_document_view v;
    return tails_document_view_init(&v, bytes, n) == PSY_OK ? read_document(v) : 0;
}

Test(mutations, tails)
{
    for (unsigned which = 0; which < SAMPLE_SOURCES; which++) {
        static _Alignas(64) uint8_t memory[SAMPLE_BYTES];
        psy_builder b;
        const size_t n = sample_document(&b, memory, sizeof memory, which);
        const sample s = {tails_document_type(), tails_document_verify, read_tails, guarded_alloc(n), n};
        memcpy(s.bytes, memory, n);
        mutate(&s, 4000);
        guarded_free(s.bytes, n);
    }
}

Test(mutations, values)
{
    const size_t n = sizeof(values_book);
    const sample s = {values_book_type(), values_book_verify, NULL, guarded_alloc(n), n};
    values_book *m = values_book_init(s.bytes);
    values_book_set_spots_count(m, 2);
    values_book_set_more_count(m, 2);
    values_book_mutable_first(m);
    values_book_mutable_path(m)->to[1].known = 1;
    values_book_set_note(m, "n\xc3\xa4", 3);
    values_page_set_url(values_book_mutable_page(m), "url", 3);
    mutate(&s, 50000);
    guarded_free(s.bytes, n);
}

Test(mutations, unions)
{
    for (uint8_t which = 0; which <= UNIONS_EVENT_WHAT_PHOTO; which++) {
        const size_t n = sizeof(unions_log);
        const sample s = {unions_log_type(), unions_log_verify, NULL, guarded_alloc(n), n};
        memset(s.bytes, 0, n);
        unions_log *m = unions_log_init(s.bytes);
        unions_event_choose_what(unions_log_mutable_event(m), which);
        unions_event_choose_what(&unions_log_mutable_events(m)[1], (uint8_t)(which / 2));
        unions_event_set_last_b(unions_log_mutable_maybe(m), 3);
        mutate(&s, 4000);
        guarded_free(s.bytes, n);
    }
}

Test(mutations, kinds)
{
    const size_t n = sizeof(kinds_deep);
    const sample s = {kinds_deep_type(), kinds_deep_verify, NULL, guarded_alloc(n), n};
    kinds_deep *m = kinds_deep_init(s.bytes);
    kinds_item *item = kinds_order_mutable_item(kinds_deep_mutable_order(m));
    kinds_item_set_tags_count(item, 2);
    kinds_item_set_tags(item, 1, "abc", 3);
    kinds_item_set_there(item, true);
    kinds_item_set_embedding(item, PSY_F32, 2, (uint32_t[]){2, 3});
    uint64_t state = 1;
    for (size_t at = 0; at < n; at++) {
        const uint8_t was = s.bytes[at];
        for (unsigned k = 0; k < 4; k++) {
            s.bytes[at] = byte_of(next(&state));
            check_read(s.bytes, n, "byte", at);
        }
        s.bytes[at] = was;
        check_read(s.bytes, at, "cut to", at);
    }
    mutate(&s, 50000);
    guarded_free(s.bytes, n);
}
