/* SPDX-License-Identifier: Apache-2.0 */
/* Generated headers: where values lie, defaults, hostile bytes, and messages of other versions. doc/messages.md has the rules.
 */
#include "tests/compiler/compile.h"

#include "every_type.psy.h"
#include "v1.psy.h"
#include "v2.psy.h"
#include "v4.psy.h"

typedef every_kind_http_event event;

/* ---- where values lie ---- */

/* The bytes at `at` are those of the value. */
static void check_at(const void *message, size_t at, const void *value, size_t bytes, const char *what)
{
    cr_assert(memcmp((const uint8_t *)message + at, value, bytes) == 0, "%s is not at %zu", what, at);
}

#define SET_AT(name, at, type, value)                                                                                          \
    do {                                                                                                                       \
        type value_ = value;                                                                                                   \
        every_kind_http_event_set_##name(&m, value_);                                                                          \
        check_at(&m, at, &value_, sizeof value_, #name);                                                                       \
        cr_assert(every_kind_http_event_##name(&m) == value_, "%s is read as another value", #name);                           \
    } while (0)

Test(header, values_lie_where_the_rules_say)
{
    event m;
    memset(&m, 0, sizeof m);
    every_kind_http_event_init(&m);
    check_at(&m, 0, (uint32_t[]){576}, 4, "bytes");
    check_at(&m, 4, (uint16_t[]){3}, 2, "version");
    check_at(&m, 6, (uint16_t[]){0}, 2, "reserved");
    SET_AT(flag, 8, bool, true);
    SET_AT(a, 9, int8_t, -3);
    SET_AT(b, 10, int16_t, -300);
    SET_AT(c, 12, int32_t, -70000);
    SET_AT(d, 16, int64_t, INT64_C(-5000000000));
    SET_AT(e, 24, uint8_t, 200);
    SET_AT(f, 26, uint16_t, 60000);
    SET_AT(g, 28, uint32_t, UINT32_C(4000000000));
    SET_AT(h, 32, uint64_t, UINT64_C(0x0123456789abcdef));
    SET_AT(i, 40, uint16_t, 0x3c00);
    SET_AT(j, 42, uint16_t, 0x3f80);
    SET_AT(k, 44, float, 1.5f);
    SET_AT(l, 48, double, -2.25);
    SET_AT(r, 520, uint8_t, 7);
    SET_AT(s, 524, float, 8.5f);
    cr_assert_eq((size_t)((uint8_t *)every_kind_http_event_mutable_m(&m) - (uint8_t *)&m), 56);
    cr_assert_eq((size_t)((uint8_t *)every_kind_http_event_mutable_n(&m) - (uint8_t *)&m), 96);
    cr_assert_eq((size_t)((uint8_t *)every_kind_http_event_mutable_o(&m) - (uint8_t *)&m), 128);
    cr_assert_eq((size_t)((uint8_t *)every_kind_http_event_mutable_p(&m) - (uint8_t *)&m), 192);
    cr_assert_eq((size_t)((uint8_t *)every_kind_http_event_mutable_q(&m) - (uint8_t *)&m), 320);
    cr_assert_eq(every_kind_http_event_p(&m), every_kind_http_event_mutable_p(&m));
    every_kind_http_event_set_n_count(&m, 5);
    check_at(&m, 92, (uint32_t[]){5}, 4, "n_count");
    every_kind_http_event_set_o_count(&m, 8);
    check_at(&m, 108, (uint32_t[]){8}, 4, "o_count");
    every_kind_http_event_set_q_count(&m, 100);
    check_at(&m, 256, (uint32_t[]){100}, 4, "q_count");
    cr_assert_eq(every_kind_http_event_verify(&m, sizeof m), PSY_OK);
}

Test(header, constants)
{
    cr_assert_eq(EVERY_KIND_SIZE, 9);
    cr_assert_eq(EVERY_KIND_RATIO, -0.0015);
    cr_assert_eq(1 - EVERY_KIND_RATIO, 1.0015);
    cr_assert_eq(EVERY_KIND_LARGE, INT64_MAX);
    cr_assert_eq(EVERY_KIND_SMALL, INT64_MIN);
    cr_assert_eq(EVERY_KIND_MASK, 0xffff);
    cr_assert_eq(EVERY_KIND_HTTP_EVENT_M_COUNT, 9);
    cr_assert_eq(EVERY_KIND_HTTP_EVENT_BYTES, sizeof(event));
    cr_assert_eq(_Alignof(event), 64);
    cr_assert_eq(EVERY_KIND_EMPTY_BYTES, 64);
}

/* ---- defaults ---- */

Test(header, init_writes_defaults_and_zero_padding)
{
    event m;
    memset(&m, 0xA5, sizeof m);
    cr_assert_eq(every_kind_http_event_init(&m), &m);
    cr_assert_eq(every_kind_http_event_flag(&m), true);
    cr_assert_eq(every_kind_http_event_a(&m), INT8_MIN);
    cr_assert_eq(every_kind_http_event_b(&m), -1);
    cr_assert_eq(every_kind_http_event_c(&m), INT32_MIN);
    cr_assert_eq(every_kind_http_event_d(&m), INT64_MIN);
    cr_assert_eq(every_kind_http_event_e(&m), 255);
    cr_assert_eq(every_kind_http_event_f(&m), 65535);
    cr_assert_eq(every_kind_http_event_g(&m), UINT32_MAX);
    cr_assert_eq(every_kind_http_event_h(&m), UINT64_MAX);
    cr_assert_eq(every_kind_http_event_i(&m), 0);
    cr_assert_eq(every_kind_http_event_j(&m), 0);
    cr_assert_eq(every_kind_http_event_k(&m), 0.1f);
    cr_assert_eq(every_kind_http_event_l(&m), -1.5e-3);
    cr_assert_eq(every_kind_http_event_r(&m), 0);
    cr_assert_eq(every_kind_http_event_s(&m), 2.5f);
    cr_assert_eq(every_kind_http_event_n_count(&m), 0);
    cr_assert_eq(every_kind_http_event_o_count(&m), 0);
    cr_assert_eq(every_kind_http_event_q_count(&m), 0);
    /* What is left as it was: the elements of arrays of 32 bytes or more, and nothing else. */
    for (size_t i = 0; i < sizeof m; i++) {
        bool element = (i >= 56 && i < 92) || (i >= 128 && i < 256) || (i >= 320 && i < 520);
        bool field = i < 25 || (i >= 26 && i < 56) || (i >= 92 && i < 96) || (i >= 108 && i < 112) || (i >= 256 && i < 260) ||
                     i == 520 || (i >= 524 && i < 528);
        uint8_t byte = ((uint8_t *)&m)[i];
        cr_assert(field || byte == (element ? 0xA5 : 0), "byte %zu is 0x%02x", i, byte);
    }
}

/* ---- bytes from outside ---- */

Test(header, counts_are_cut_to_their_bound)
{
    static const uint32_t hostile[] = {10, 11, 1000, 0x80000000, UINT32_MAX};
    event m;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        every_kind_http_event_init(&m);
        memcpy((uint8_t *)&m + 92, &hostile[i], 4);
        cr_assert_eq(every_kind_http_event_n_count(&m), 9);
        cr_assert_eq(every_kind_http_event_verify(&m, sizeof m), PSY_CORRUPT);
        event to;
        cr_assert_eq(every_kind_http_event_read(&to, &m, sizeof m), PSY_CORRUPT);
        every_kind_http_event_set_n_count(&m, hostile[i]);
        cr_assert_eq(every_kind_http_event_n_count(&m), 9);
        cr_assert_eq(every_kind_http_event_verify(&m, sizeof m), PSY_OK);
    }
}

Test(header, a_bool_is_true_or_false_whatever_the_byte)
{
    event m;
    every_kind_http_event_init(&m);
    ((uint8_t *)&m)[8] = 0xFE;
    bool flag = every_kind_http_event_flag(&m);
    uint8_t byte;
    memcpy(&byte, &flag, 1);
    cr_assert_eq(byte, 1);
    cr_assert_eq(every_kind_http_event_verify(&m, sizeof m), PSY_CORRUPT);
}

Test(header, verify)
{
    _Alignas(64) uint8_t bytes[1024 + 64];
    event *m = every_kind_http_event_init(bytes);
    memset(bytes + 576, 0, sizeof bytes - 576);
    cr_assert_eq(every_kind_http_event_verify(bytes, 576), PSY_OK);
    cr_assert_eq(every_kind_http_event_verify(bytes, sizeof bytes), PSY_OK);
    for (size_t n = 0; n < 576; n++) {
        cr_assert_eq(every_kind_http_event_verify(bytes, n), PSY_CORRUPT, "%zu bytes", n);
    }
    cr_assert_eq(every_kind_http_event_verify(NULL, 576), PSY_CORRUPT);
    cr_assert_eq(every_kind_http_event_verify(bytes + 8, 576), PSY_INVALID);
    static const struct {
        uint32_t bytes;
        uint16_t version, reserved;
        psy_status status;
    } rows[] = {
        {576, 3, 1, PSY_CORRUPT},
        {575, 3, 0, PSY_CORRUPT},
        {640, 3, 0, PSY_CORRUPT},
        {512, 3, 0, PSY_CORRUPT},
        {0, 3, 0, PSY_CORRUPT},
        {576, 0, 0, PSY_CORRUPT},
        {576, 2, 0, PSY_VERSION},
        {576, 1, 0, PSY_VERSION},
        {576, 4, 0, PSY_OK},
        {640, 4, 0, PSY_OK},
        {640, 65535, 0, PSY_OK},
        {512, 4, 0, PSY_CORRUPT},
        {600, 4, 0, PSY_CORRUPT},
        {64, 4, 0, PSY_CORRUPT},
        {UINT32_MAX, 4, 0, PSY_CORRUPT},
        {4096, 4, 0, PSY_CORRUPT},
        {UINT32_MAX - 63, 4, 0, PSY_CORRUPT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        m->header = (psy_message_header){rows[i].bytes, rows[i].version, rows[i].reserved};
        psy_status status = every_kind_http_event_verify(bytes, 640);
        cr_assert_eq(status, rows[i].status, "row %zu: %s", i, psy_status_name(status));
    }
}

/* ---- other versions ---- */

static void fill_v1(v1_event *m)
{
    v1_event_init(m);
    v1_event_set_id(m, 42);
    v1_event_set_level(m, 9);
    v1_event_set_values_count(m, 2);
    v1_event_mutable_values(m)[0] = 1.5f;
    v1_event_mutable_values(m)[1] = 2.5f;
}

Test(header, an_older_message_gets_defaults)
{
    v1_event old;
    v4_event now;
    memset(&old, 0, sizeof old);
    fill_v1(&old);
    cr_assert_eq(v4_event_verify(&old, sizeof old), PSY_VERSION);
    memset(&now, 0xA5, sizeof now);
    cr_assert_eq(v4_event_read(&now, &old, sizeof old), PSY_OK);
    cr_assert_eq(v4_event_verify(&now, sizeof now), PSY_OK);
    cr_assert_eq(v4_event_id(&now), 42);
    cr_assert_eq(v4_event_level(&now), 9);
    cr_assert_eq(v4_event_values_count(&now), 2);
    cr_assert_eq(v4_event_values(&now)[1], 2.5f);
    cr_assert_eq(v4_event_weight(&now), 0.5f);
    cr_assert_eq(v4_event_flag(&now), true);
    cr_assert_eq(v4_event_last(&now), -1);
    cr_assert_eq(v4_event_names_count(&now), 0);
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(v4_event_marks(&now)[i], 0);
    }
    for (int i = 0; i < 16; i++) {
        cr_assert_eq(v4_event_tail(&now)[i], 0);
    }
}

Test(header, a_message_of_the_version_between)
{
    v2_event old;
    v4_event now;
    memset(&old, 0, sizeof old);
    v2_event_init(&old);
    v2_event_set_weight(&old, 7);
    v2_event_set_flag(&old, false);
    v2_event_mutable_marks(&old)[3] = 11;
    cr_assert_eq(v4_event_read(&now, &old, sizeof old), PSY_OK);
    cr_assert_eq(v4_event_weight(&now), 7);
    cr_assert_eq(v4_event_flag(&now), false);
    cr_assert_eq(v4_event_marks(&now)[3], 11);
    cr_assert_eq(v4_event_last(&now), -1);
    /* A version that there never was. */
    old.header.version = 3;
    cr_assert_eq(v4_event_read(&now, &old, sizeof old), PSY_CORRUPT);
    cr_assert_eq(v4_event_verify(&old, sizeof old), PSY_VERSION);
}

Test(header, a_newer_message_is_read_in_place)
{
    v4_event new_;
    memset(&new_, 0x5A, sizeof new_);
    v4_event_init(&new_);
    v4_event_set_id(&new_, 77);
    v4_event_set_values_count(&new_, 1);
    v4_event_mutable_values(&new_)[0] = 4;
    /* As it arrives: bytes, which nobody wrote as a v4_event. */
    void *bytes = aligned_alloc(64, sizeof new_);
    cr_assert_not_null(bytes);
    memcpy(bytes, &new_, sizeof new_);
    cr_assert_eq(v1_event_verify(bytes, sizeof new_), PSY_OK);
    const v1_event *m = bytes;
    cr_assert_eq(v1_event_id(m), 77);
    cr_assert_eq(v1_event_level(m), 3);
    cr_assert_eq(v1_event_values(m)[0], 4);
    free(bytes);
    v1_event copy;
    cr_assert_eq(v1_event_read(&copy, &new_, sizeof new_), PSY_OK);
    cr_assert_eq(v1_event_id(&copy), 77);
    cr_assert_eq(copy.header.version, 1);
    cr_assert_eq(copy.header.bytes, sizeof copy);
    cr_assert_eq(v1_event_verify(&copy, sizeof copy), PSY_OK);
    /* The known part alone is not enough: it says that it is longer. */
    cr_assert_eq(v1_event_read(&copy, &new_, sizeof copy), PSY_CORRUPT);
}

Test(header, read_takes_any_address_and_refuses_what_is_cut)
{
    uint8_t bytes[sizeof(v1_event) + 1];
    v1_event old;
    v4_event now;
    memset(&old, 0, sizeof old);
    fill_v1(&old);
    memcpy(bytes + 1, &old, sizeof old);
    cr_assert_eq(v4_event_read(&now, bytes + 1, sizeof old), PSY_OK);
    cr_assert_eq(v4_event_id(&now), 42);
    for (size_t n = 0; n < sizeof old; n++) {
        cr_assert_eq(v4_event_read(&now, bytes + 1, n), PSY_CORRUPT);
    }
    cr_assert_eq(v4_event_read(&now, NULL, sizeof old), PSY_CORRUPT);
    uint32_t count = 9; /* of 8 */
    memcpy(bytes + 1 + offsetof(v1_event, values_count), &count, sizeof count);
    cr_assert_eq(v4_event_read(&now, bytes + 1, sizeof old), PSY_CORRUPT);
}

/* Any header and counts: the answer is a status, and what was accepted is sound. */
Test(header, read_of_random_bytes)
{
    _Alignas(64) uint8_t bytes[512];
    uint64_t state = 1;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 20000; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) {
            state = state * UINT64_C(6364136223846793005) + 1;
            bytes[k] = (uint8_t)(state >> 56) & 1;
        }
        psy_message_header header = {(uint32_t)(state >> 40) % 9 * 64, (uint16_t)(i % 6), i % 32 == 0};
        memcpy(bytes, &header, sizeof header);
        memset(bytes + offsetof(v4_event, values_count), 0, 4);
        v4_event to;
        size_t n = (state >> 33) % (sizeof bytes + 1);
        if (v4_event_read(&to, bytes, n) == PSY_OK) {
            accepted++;
            cr_assert_leq(header.bytes, n);
            cr_assert_eq(v4_event_verify(&to, sizeof to), PSY_OK);
        }
    }
    cr_assert_gt(accepted, 100);
}

/* ---- what both ends agree on ---- */

static char *file_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 65536);
    cr_assert(f && text && fread(text, 1, 65535, f) > 0, "%s", path);
    fclose(f);
    return text;
}

static void check_type(const compiled *c, const psy_type *type)
{
    for (uint32_t i = 0; i < c->module.type_count; i++) {
        const psy_psm_type *t = &c->module.types[i];
        if (strcmp(psy__module_string(&c->module, t->name), type->name) == 0) {
            cr_assert_eq(t->layout_hash, type->layout_hash);
            cr_assert_eq(t->bytes, type->bytes);
            cr_assert_eq(t->version, type->version);
            return;
        }
    }
    cr_assert(false, "the module has no %s", type->name);
}

Test(header, types_are_those_of_the_module)
{
    char *schema = file_text(PSY_SOURCE_DIR "/tests/golden/header/every_type.psy");
    compiled *c = compile(schema, "pipeline p(q: HTTPEvent) -> Empty { Empty { } }", true);
    cr_assert(c->ok, "%s", c->said);
    check_type(c, every_kind_http_event_type());
    check_type(c, every_kind_empty_type());
    compile_end(c);
    free(schema);
    cr_assert_neq(v1_event_type()->layout_hash, v2_event_type()->layout_hash);
}
