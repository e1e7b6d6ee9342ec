/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes of a file of counters are, they harm no reader. */
#define _GNU_SOURCE
#include "tests/mem/counters.h"

/* Its status, which is none but these; what it gives is looked at in full. */
static psy_status read_any(const char *path)
{
    psy_counters_snapshot *s = NULL;
    const psy_status status = psy_counters_read(path, &s);
    cr_assert(status == PSY_OK || status == PSY_CORRUPT || status == PSY_VERSION, "%s: %s", psy_status_name(status),
              psy_detail());
    cr_assert_eq(s != NULL, status == PSY_OK);
    uint64_t sum = 0;
    const psy_counters_row *r;
    for (uint32_t i = 0; s && (r = psy_counters_row_at(s, i)) != NULL; i++) {
        sum += strlen(r->label) + strlen(psy_counters_file_at(s, r->file)->process);
        for (uint32_t v = 0; v < r->value_count; v++) {
            sum += r->values[v];
        }
    }
    const psy_counters_view *thing;
    for (uint32_t i = 0; s && (thing = psy_counters_view_at(s, i)) != NULL; i++) {
        cr_assert(thing->section > PSY_COUNTERS_OF_RING && thing->section < PSY_COUNTERS_SECTIONS &&
                  thing->living <= thing->rows);
        sum += strlen(thing->label) + thing->values[0];
    }
    const psy_counters_latency *latency;
    for (uint32_t i = 0; s && (latency = psy_counters_latency_at(s, i)) != NULL; i++) {
        const uint32_t median = psy_latency_quantile(latency->buckets, 500000);
        cr_assert_leq(median, (uint32_t)PSY_LATENCY_BUCKETS);
        sum += median + latency->count;
    }
    const psy_counters_ring_view *v;
    for (uint32_t i = 0; s && (v = psy_counters_ring_at(s, i)) != NULL; i++) {
        cr_assert(v->slots == 0 || v->fill <= v->slots);
        sum += v->fill;
    }
    static volatile uint64_t seen;
    seen = sum;
    (void)seen;
    psy_counters_release(s);
    return status;
}

Test(counters, no_bytes_harm_a_reader)
{
    enum { ROUNDS = 6000 };
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters"), other = scratch_name(&s, "b.counters");
    psy_counters *c = make_counters(path.text, 14);
    (void)make_row(c, "in", 1, 0);
    (void)make_row(c, "out", 1, 1);
    (void)make_row(c, "more", 2, 1);
    for (uint32_t i = 0; i < PSY_LATENCY_PARTS; i++) {
        psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_LATENCY, "pipeline", 3, i)[0], 2);
    }
    (void)make_thing(c, PSY_COUNTERS_OF_PIPELINE, "pipeline", 3, 0);
    (void)make_thing(c, PSY_COUNTERS_OF_SERVICE, "service", 4, 0);
    size_t bytes;
    uint8_t *good = load(path.text, &bytes), *changed = malloc(bytes);
    psy_counters_destroy(c);
    cr_assert_not_null(changed);
    /* Cut off anywhere. */
    for (size_t n = 0; n < bytes; n += n < 400 || n > bytes - 70 ? 1 : 61) {
        store(other.text, good, n);
        cr_assert_eq(read_any(other.text), PSY_CORRUPT, "of %zu bytes", n);
    }
    /* Bytes, words, and the numbers that are hard to get right. */
    static const uint64_t hard[] = {0,
                                    1,
                                    7,
                                    127,
                                    128,
                                    255,
                                    256,
                                    4095,
                                    4096,
                                    65535,
                                    65536,
                                    UINT32_MAX,
                                    UINT64_C(1) << 32,
                                    INT64_MAX,
                                    UINT64_MAX - 127,
                                    UINT64_MAX};
    unsigned statuses[64] = {0};
    uint64_t seed = 88172645463325252u;
    for (unsigned round = 0; round < ROUNDS; round++) {
        memcpy(changed, good, bytes);
        for (uint64_t k = 0, n = 1 + random_next(&seed) % 3; k < n; k++) {
            /* Headers and heads are where it matters. */
            const uint64_t part = random_next(&seed) % 4;
            const size_t at =
                (size_t)(part == 0   ? random_next(&seed) % bytes
                         : part == 1 ? random_next(&seed) % 80
                         : part == 2 ? 384 + 256 * (random_next(&seed) % 8) + random_next(&seed) % 64
                                     : bytes - 14 * 256 + 256 * (random_next(&seed) % 14) + random_next(&seed) % 128);
            const uint64_t value = hard[random_next(&seed) % (sizeof hard / sizeof hard[0])];
            const size_t width = (size_t)1 << random_next(&seed) % 4, from = at & ~(width - 1);
            if (random_next(&seed) % 4 == 0) {
                changed[at] ^= (uint8_t)(1u << random_next(&seed) % 8);
            } else {
                memcpy(changed + from, &value, width);
            }
        }
        store(other.text, changed, bytes);
        statuses[read_any(other.text)]++;
    }
    cr_assert(statuses[PSY_OK] > ROUNDS / 20 && statuses[PSY_CORRUPT] > ROUNDS / 3 && statuses[PSY_VERSION] > 0, "%u, %u, %u",
              statuses[PSY_OK], statuses[PSY_CORRUPT], statuses[PSY_VERSION]);
    cr_assert_eq(unlink(other.text), 0);
    cr_assert_eq(mkfifo(other.text, 0600), 0);
    refuses_to_read(other.text, PSY_CORRUPT, "is no file of counters");
    cr_assert_eq(unlink(other.text), 0);
    free(good);
    free(changed);
    scratch_end(&s);
}

/* Fields that are wrong one at a time, each with its own complaint. */
Test(counters, every_field_is_checked)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters"), other = scratch_name(&s, "b.counters");
    psy_counters *c = make_counters(path.text, 2);
    (void)make_row(c, "in", 1, 0);
    size_t bytes;
    uint8_t *good = load(path.text, &bytes);
    psy_counters_destroy(c);
    const uint64_t row = bytes - 2 * 256;
    const struct {
        uint64_t at, value;
        size_t width;
        const char *because;
    } cases[] = {
        {0, 0, 4, "first word is 00000000"},
        {8, 248, 4, "the size of a descriptor"},
        {8, 260, 4, "the size of a descriptor"},
        {8, 8192, 4, "the size of a descriptor"},
        {12, 0, 4, "the number of descriptors"},
        {12, 4097, 4, "the number of descriptors"},
        {16, 128, 4, "the size of a row"},
        {16, 200, 4, "the size of a row"},
        {16, 8192, 4, "the size of a row"},
        {16, 512, 4, "its size"},
        {20, 120, 4, "a row's head"},
        {20, 132, 4, "a row's head"},
        {20, 2048, 4, "a row's head"},
        {24, 0, 4, "the number of rows"},
        {24, 65537, 4, "the number of rows"},
        {24, 3, 4, "its size"},
        {32, bytes + 1, 8, "says"},
        {40, 376, 8, "where descriptors are"},
        {40, 388, 8, "where descriptors are"},
        {40, UINT64_MAX - 7, 8, "where descriptors are"},
        {48, row + 8, 8, "where rows are"},
        {48, row - 128, 8, "where rows are"},
        {48, UINT64_MAX - 127, 8, "where rows are"},
        {384 + 32 + 16, 2, 4, "descriptor 0: it is out of its place"},
        {384 + 52, 1, 4, "descriptor 0: an impossible section"},
        {384 + 56, 17, 4, "descriptor 0: an impossible section"},
        {384 + 56, 8, 4, "descriptor 8: the section before it lacks values"},
        {row - 256 + 52, 0, 4, "it is out of its place"},
        {384 + 56, 6, 4, "descriptor 7: it is out of its place"},
        {384 + 256, 0, 1, "descriptor 1: it has no name"},
        {384 + 256 + 48, 5, 4, "descriptor 1: an unknown kind"},
        {384 + 256 + 48, 0, 4, "descriptor 1: the section before it lacks values"},
        {384 + 256 + 56, 1, 4, "descriptor 1: it is out of its place"},
        {row + 8, 0, 8, "head of row 0"},
        {row + 16, PSY_COUNTERS_SECTIONS, 4, "head of row 0"},
        {row + 20, 2, 4, "head of row 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *changed = malloc(bytes);
        cr_assert_not_null(changed);
        memcpy(changed, good, bytes);
        memcpy(changed + cases[i].at, &cases[i].value, cases[i].width);
        store(other.text, changed, bytes);
        refuses_to_read(other.text, PSY_CORRUPT, cases[i].because);
        free(changed);
    }
    const struct {
        uint64_t at;
        size_t bytes;
        const char *because;
    } endless[] = {{384, 32, "a text has no end"},
                   {384 + 256 + 32, 16, "a text has no end"},
                   {384 + 64, 192, "a text has no end"},
                   {row + 64, 64, "head of row 0"}};
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        uint8_t *changed = malloc(bytes);
        cr_assert_not_null(changed);
        memcpy(changed, good, bytes);
        memset(changed + endless[i].at, 'x', endless[i].bytes);
        store(other.text, changed, bytes);
        refuses_to_read(other.text, PSY_CORRUPT, endless[i].because);
        free(changed);
    }
    free(good);
    cr_assert_eq(unlink(other.text), 0);
    scratch_end(&s);
}
