/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: messages with a tail, built in place and read back; what is out of order, has no room, or is changed. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <psyne/ring.h>

#include "tests/test.h"

#include "guarded.h"
#include "tails_sample.h"

static bool is(psy_text t, const char *wanted)
{
    return t.at && t.bytes == strlen(wanted) && memcmp(t.at, wanted, t.bytes) == 0;
}

static void check_section(tails_section_view v, unsigned n)
{
    uint32_t count;
    cr_assert(v.message != NULL && tails_section_level(v.message) == n && is(tails_section_title(v), "section"));
    const float *body = tails_section_body(v, &count);
    cr_assert(count == n && (body == NULL) == (n == 0) && (n == 0 || body[n - 1] == (float)(n - 1)));
    cr_assert_eq((uintptr_t)body % (n < 16 ? 4 : 64), 0);
    cr_assert(tails_section_tags_count(v) == 2 && tails_section_tags(v, 0).bytes == 0 &&
              is(tails_section_tags(v, 1), "b\xc3\xa4"));
    cr_assert(tails_section_tags(v, 2).at == NULL);
    cr_assert(tails_section_points(v, &count) == NULL || count == n % 3);
}

static void check_source(tails_document_view v, unsigned which)
{
    uint32_t n;
    psy_variant_view shown = {0};
    cr_assert_eq(tails_document_source(v.message), which);
    cr_assert_eq(is(tails_document_source_url(v), "http"), which == TAILS_DOCUMENT_SOURCE_URL);
    cr_assert_eq(tails_document_source_id(v.message), which == TAILS_DOCUMENT_SOURCE_ID ? 5 : 0);
    cr_assert_eq(tails_document_source_section(v).message != NULL, which == TAILS_DOCUMENT_SOURCE_SECTION);
    cr_assert_eq(tails_document_source_sections_count(v.message), which == TAILS_DOCUMENT_SOURCE_SECTIONS ? 2 : 0);
    cr_assert_eq(tails_document_source_sections(v, 2).message, NULL);
    cr_assert_eq(tails_document_source_list(v, &n) != NULL && n == 16, which == TAILS_DOCUMENT_SOURCE_LIST);
    cr_assert_eq(tails_document_source_all_count(v), which == TAILS_DOCUMENT_SOURCE_ALL ? 2 : 0);
    cr_assert_eq(tails_document_source_words_count(v), which == TAILS_DOCUMENT_SOURCE_WORDS ? 2 : 0);
    cr_assert_eq(tails_document_source_picture(v, &shown), which == TAILS_DOCUMENT_SOURCE_PICTURE ? PSY_OK : PSY_NOT_FOUND);
    if (which == TAILS_DOCUMENT_SOURCE_SECTION) {
        check_section(tails_document_source_section(v), 3);
    } else if (which == TAILS_DOCUMENT_SOURCE_SECTIONS) {
        check_section(tails_document_source_sections(v, 1), 40);
    } else if (which == TAILS_DOCUMENT_SOURCE_ALL) {
        check_section(tails_document_source_all(v, 1), 1);
    } else if (which == TAILS_DOCUMENT_SOURCE_WORDS) {
        cr_assert(is(tails_document_source_words(v, 0), "w"));
    } else if (which == TAILS_DOCUMENT_SOURCE_PICTURE) {
        cr_assert(shown.rank == 2 && ((const uint8_t *)shown.data)[5] == 9);
    }
}

static void check_document(tails_document_view v, unsigned which)
{
    uint32_t n;
    psy_variant_view shown = {0};
    cr_assert(tails_document_id(v.message) == 7 && is(tails_document_title(v), "Te\xc3\xa9"));
    cr_assert(tails_document_has_subtitle(v) && tails_document_subtitle(v).bytes == 0);
    const double *values = tails_document_values(v, &n);
    cr_assert(n == 9 && values[8] == 8 && (uintptr_t)values % 64 == 0);
    cr_assert(tails_document_langs(v, &n)[2] == TAILS_LANG_DE && n == 3 && tails_document_flags(v, &n)[1] == 1 && n == 2);
    cr_assert(tails_document_tags_count(v) == 3 && is(tails_document_tags(v, 0), "one") &&
              tails_document_tags(v, 1).at == NULL && is(tails_document_tags(v, 2), "three"));
    cr_assert(tails_document_path(v, &n)[1].x == 3 && n == 2 && tails_document_blocks(v, &n)[1].n == 4 && n == 2);
    const tails_page *pages = tails_document_pages(v, &n);
    cr_assert(n == 2 && tails_page_page(&pages[0]) == 7 && tails_page_url_bytes(&pages[1]) == 4);
    cr_assert(tails_document_wide(v, &n)[4] == 5 && n == 5 && (uintptr_t)tails_document_wide(v, &n) % 32 == 0);
    cr_assert(tails_document_embedding(v, &shown) == PSY_OK && shown.dims[1] == 5 && ((const float *)shown.data)[14] == 14);
    check_source(v, which);
    check_section(tails_document_head(v), 2);
    check_section(tails_document_pair(v, 0), 1);
    check_section(tails_document_pair(v, 1), 0);
    cr_assert(tails_document_pair(v, 2).message == NULL && tails_document_some(v, 2).message == NULL);
    check_section(tails_document_some(v, 1), 5);
    check_section(tails_document_maybe(v), 17);
    cr_assert(tails_document_sections_count(v) == 3 && tails_document_sections(v, 3).message == NULL);
    check_section(tails_document_sections(v, 0), 0);
    check_section(tails_document_sections(v, 2), 32);
    for (unsigned i = 0; i < 2; i++) {
        const tails_chapter_view chapter = tails_document_chapters(v, i);
        cr_assert(is(tails_chapter_name(chapter), "chapter") && tails_chapter_sections_count(chapter) == 2);
        check_section(tails_chapter_sections(chapter, 1), 1 + i);
        cr_assert(tails_chapter_has_end(chapter) && tails_chapter_end(chapter).bytes == 3 * i);
    }
    cr_assert(is(tails_document_last(v), "last"));
}

Test(tails, are_built_and_read_in_place)
{
    for (unsigned which = 0; which < SAMPLE_SOURCES; which++) {
        static _Alignas(64) uint8_t memory[SAMPLE_BYTES], copy[SAMPLE_BYTES], again[SAMPLE_BYTES];
        psy_builder b;
        memset(memory, 0xA5, sizeof memory);
        const size_t n = sample_document(&b, memory, sizeof memory, which);
        cr_assert(n > 1000 && n % 64 == 0, "%s", psy_status_text(b.status));
        tails_document_view v;
        cr_assert_eq(tails_document_view_init(&v, memory, n), PSY_OK, "%u: %s", which, psy_detail());
        cr_assert_eq(v.bytes, n);
        check_document(v, which);
        /* The same in a copy, and of the same bytes wherever they are built. */
        size_t size = 0;
        cr_assert_eq(tails_document_read(copy, sizeof copy, &size, memory, n), PSY_OK, "%s", psy_detail());
        cr_assert_eq(tails_document_view_init(&v, copy, size), PSY_OK);
        check_document(v, which);
        bool equal = false;
        cr_assert(tails_document_equal(memory, n, copy, size, &equal) == PSY_OK && equal);
        /* In exactly as much room, and in less. */
        uint8_t *exact = guarded_alloc(n);
        cr_assert_eq(sample_document(&b, exact, n, which), n);
        for (size_t room = 0; room < n; room += 64) {
            cr_assert_eq(sample_document(&b, again, room, which), 0);
            cr_assert_eq(b.status, PSY_TOO_LARGE);
        }
        guarded_free(exact, n);
    }
}

Test(tails, nothing_is_there)
{
    static _Alignas(64) uint8_t memory[TAILS_DOCUMENT_BYTES];
    psy_builder b;
    tails_document_view v, none = {NULL, 0};
    uint32_t n = 9;
    psy_variant_view shown;
    memset(memory, 0xA5, sizeof memory);
    cr_assert_not_null(tails_document_begin(&b, memory, sizeof memory));
    cr_assert_eq(psy_builder_finish(&b), TAILS_DOCUMENT_BYTES);
    cr_assert_eq(tails_document_view_init(&v, memory, sizeof memory), PSY_OK, "%s", psy_detail());
    cr_assert(tails_document_title(v).at == NULL && !tails_document_has_subtitle(v) && tails_document_tags_count(v) == 0);
    cr_assert(tails_document_values(v, &n) == NULL && n == 0 && tails_document_sections_count(v) == 0);
    cr_assert(tails_document_embedding(v, &shown) == PSY_NOT_FOUND && tails_document_maybe(v).message == NULL);
    cr_assert_eq(tails_section_level(tails_document_head(v).message), 1);
    /* What leads nowhere shows nothing. */
    n = 9;
    cr_assert(tails_document_title(none).at == NULL && tails_document_values(none, &n) == NULL && n == 0);
    cr_assert(tails_document_sections(none, 0).message == NULL && tails_document_head(none).message == NULL &&
              tails_document_pair(none, 0).message == NULL && tails_document_some(none, 0).message == NULL &&
              tails_document_maybe(none).message == NULL && tails_document_source_section(none).message == NULL);
    cr_assert_eq(tails_document_embedding(none, &shown), PSY_NOT_FOUND);
    cr_assert_eq(tails_document_begin(&b, memory, sizeof memory - 64), NULL);
    cr_assert_eq(tails_document_begin(&b, memory + 4, sizeof memory), NULL);
    cr_assert_eq(b.status, PSY_INVALID);
}

Test(tails, are_built_in_order)
{
    static _Alignas(64) uint8_t memory[SAMPLE_BYTES];
    psy_builder b;
    tails_document *m = tails_document_begin(&b, memory, sizeof memory);
    cr_assert(tails_document_set_title(&b, m, "a", 1) && !tails_document_set_title(&b, m, "b", 1));
    cr_assert(b.status == PSY_INVALID && psy_builder_finish(&b) == 0);
    m = tails_document_begin(&b, memory, sizeof memory);
    tails_section *sections = tails_document_set_sections(&b, m, 2);
    cr_assert(tails_section_set_title(&b, &sections[1], "b", 1) && !tails_section_set_title(&b, &sections[0], "a", 1));
    m = tails_document_begin(&b, memory, sizeof memory);
    sections = tails_document_set_sections(&b, m, 2);
    cr_assert(tails_document_set_last(&b, m, "l", 1) && !tails_section_set_title(&b, &sections[0], "a", 1));
    m = tails_document_begin(&b, memory, sizeof memory);
    cr_assert(tails_section_set_title(&b, tails_document_mutable_head(m), "h", 1) &&
              tails_document_set_values(&b, m, 1) == NULL);
    m = tails_document_begin(&b, memory, sizeof memory);
    cr_assert(!tails_document_set_title(&b, m, "\xff", 1) && b.status == PSY_INVALID);
    m = tails_document_begin(&b, memory, sizeof memory);
    cr_assert(tails_document_set_sections(&b, m, UINT32_MAX) == NULL && b.status == PSY_TOO_LARGE);
    m = tails_document_begin(&b, memory, sizeof memory);
    cr_assert(tails_document_set_embedding(&b, m, (psy_dtype)99, 0, NULL) == NULL && b.status == PSY_INVALID);
}

Test(tails, refusals_say_where)
{
    static _Alignas(64) uint8_t memory[SAMPLE_BYTES];
    psy_builder b;
    const size_t n = sample_document(&b, memory, sizeof memory, 0);
    tails_document *m = (tails_document *)memory;
    const uint32_t was = m->title.offset;
    m->title.offset = 8;
    cr_assert_eq(tails_document_verify(memory, n), PSY_CORRUPT);
    cr_assert(strncmp(psy_detail(), "tails.Document.title: ", 22) == 0, "%s", psy_detail());
    m->title.offset = was;
    memory[was + 3] = 0x20;
    cr_assert_eq(tails_document_verify(memory, n), PSY_CORRUPT);
    cr_assert(strstr(psy_detail(), "UTF-8") != NULL, "%s", psy_detail());
    memory[was + 3] = 0xa9;
    cr_assert_eq(tails_document_verify(memory, n), PSY_OK);
    cr_assert_eq(tails_document_verify(memory + 4, n), PSY_INVALID);
    cr_assert_eq(tails_document_verify(memory, n - 64), PSY_CORRUPT);
    m->retired_gone.offset = 1; /* nobody reads it */
    cr_assert_eq(tails_document_verify(memory, n), PSY_OK);
}

/* What any of the getters gives lies in the bytes, whoever writes them meanwhile. */
typedef struct race {
    uint8_t *bytes;
    size_t n;
    atomic_bool stop;
} race;

static void *rewrite(void *context)
{
    race *r = context;
    uint64_t state = 5;
    uint8_t *kept = malloc(r->n);
    memcpy(kept, r->bytes, r->n);
    while (!atomic_load(&r->stop)) {
        for (unsigned k = 0; k < 64; k++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
            const size_t at = (state >> 33) % (k % 2 ? r->n : TAILS_DOCUMENT_BYTES);
            volatile uint8_t *byte = r->bytes + at;
            *byte = (uint8_t)(state >> 56);
            if (k % 4) {
                *byte = kept[at];
            }
        }
        for (size_t i = 0; i < r->n; i++) {
            ((volatile uint8_t *)r->bytes)[i] = kept[i];
        }
    }
    free(kept);
    return NULL;
}

Test(tails, are_rewritten_meanwhile)
{
#ifdef __SANITIZE_THREAD__
    cr_skip_test("two threads race here on purpose");
#endif
    psy_builder b;
    static _Alignas(64) uint8_t memory[SAMPLE_BYTES];
    const size_t n = sample_document(&b, memory, sizeof memory, TAILS_DOCUMENT_SOURCE_SECTIONS);
    race r = {guarded_alloc(n), n, false};
    uint8_t *to = guarded_alloc(n + TAILS_DOCUMENT_BYTES);
    memcpy(r.bytes, memory, n);
    pthread_t writer;
    cr_assert_eq(pthread_create(&writer, NULL, rewrite, &r), 0);
    unsigned accepted = 0, refused = 0, sum = 0;
    /* On a busy machine the other thread may come late: it is waited for. */
    for (unsigned i = 0; i < 20000 || ((accepted == 0 || refused == 0) && i < 10000000); i++) {
        if (i >= 20000) {
            sched_yield();
        }
        tails_document_view v;
        size_t size;
        const bool good = tails_document_view_init(&v, r.bytes, n) == PSY_OK;
        sum += good ? read_document(v) : 0;
        *(good ? &accepted : &refused) += 1;
        if (i % 8 == 0 && tails_document_read(to, n + TAILS_DOCUMENT_BYTES, &size, r.bytes, n) == PSY_OK) {
            cr_assert_eq(tails_document_verify(to, size), PSY_OK, "%s", psy_detail());
        }
    }
    atomic_store(&r.stop, true);
    pthread_join(writer, NULL);
    cr_assert(accepted > 0 && refused > 0 && sum > 0, "%u accepted, %u refused", accepted, refused);
    guarded_free(r.bytes, n);
    guarded_free(to, n + TAILS_DOCUMENT_BYTES);
}

/* Where a producer writes: slots of a ring, claimed, filled, published, read by the consumer where they lie. */
Test(tails, built_in_claimed_slots)
{
    enum { STRIDE = 1024, SLOTS = 4, MESSAGES = 50 };
    static PSY_ALIGNAS(64) uint8_t memory[PSY_RING_HEADER_BYTES + STRIDE * SLOTS];
    psy_ring producer, consumer;
    psy_builder b;
    uint32_t got, n;
    cr_assert_eq(psy_ring_init(&producer, memory, sizeof memory, STRIDE, SLOTS), PSY_OK);
    cr_assert_eq(psy_ring_attach(&consumer, PSY_RING_CONSUMER, memory, sizeof memory, STRIDE, SLOTS), PSY_OK);
    for (unsigned i = 0; i < MESSAGES; i++) {
        void *slot = psy_ring_claim(&producer, 1, &got);
        cr_assert(slot != NULL && got == 1);
        tails_section *m = tails_section_begin(&b, slot, STRIDE);
        cr_assert_not_null(m);
        tails_section_set_level(m, (uint8_t)i);
        cr_assert(tails_section_set_title(&b, m, "slot", 4));
        /* Every tenth is too long for a slot: it is not committed, and the slot is claimed again. */
        const bool fits = i % 10 != 9;
        float *body = tails_section_set_body(&b, m, fits ? i : STRIDE / sizeof(float));
        cr_assert(i == 0 || (body == NULL) == !fits);
        for (unsigned k = 0; body && k < i; k++) {
            body[k] = (float)(i + k);
        }
        const size_t bytes = psy_builder_finish(&b);
        cr_assert(fits ? bytes % 64 == 0 && bytes > 0 && bytes <= STRIDE : bytes == 0 && b.status == PSY_TOO_LARGE);
        if (!fits) {
            psy_ring_abort(&producer);
            continue;
        }
        psy_ring_commit(&producer, 1);
        psy_ring_flush(&producer);
        slot = psy_ring_peek(&consumer, 1, &got);
        cr_assert(slot != NULL && got == 1);
        tails_section_view v;
        cr_assert_eq(tails_section_view_init(&v, slot, STRIDE), PSY_OK, "%s", psy_detail());
        const float *read = tails_section_body(v, &n);
        cr_assert(tails_section_level(v.message) == (uint8_t)i && is(tails_section_title(v), "slot") && n == i &&
                  (i == 0 || read[i - 1] == (float)(2 * i - 1)));
        psy_ring_release(&consumer, 1);
        psy_ring_settle(&consumer);
    }
    cr_assert_eq(psy_ring_fill(&producer), 0);
}
