/* SPDX-License-Identifier: Apache-2.0 */
/* Optional fields in pipelines: what is there and what is not, in and out, whatever byte says so. */
#include "tests/compiler/compile.h"

#define SCHEMA                                                                                                                 \
    "namespace t; message Q { a: f32?; b: f32?; n: u16?; v: f64[3]?; f: bool?; k: u32; }"                                      \
    "message R { a: f32?; n: u16?; v: f64[3]?; f: bool?; has: bool; some: f32; h: f16?; no: i64? = 7; w: f64[3]?; sum: f64; }"

enum { MESSAGES = 64 };

static uint8_t *byte_of(const compiled *c, const served *s, bool out, uint32_t m, const char *field)
{
    return out ? (uint8_t *)serve_output(c, "p", s, m, field) + serve_presence(c, "p", true, field)
               : (uint8_t *)serve_input(c, "p", s, m, field) + serve_presence(c, "p", false, field);
}

/* Which of the five fields message m has: its bits; any byte but 0 says so. */
static bool has(uint32_t m, unsigned field) { return m >> field & 1; }

static void fill(const compiled *c, served *s)
{
    static const char *const names[] = {"a", "b", "n", "v", "f"};
    static const uint8_t yes[] = {1, 2, 255, 128};
    for (uint32_t m = 0; m < MESSAGES; m++) {
        for (unsigned i = 0; i < 5; i++) {
            *byte_of(c, s, false, m, names[i]) = has(m, i) ? yes[(m + i) % 4] : 0;
        }
        *(float *)serve_input(c, "p", s, m, "a") = 1 + (float)m; /* there or not, something lies there */
        *(float *)serve_input(c, "p", s, m, "b") = 100 + (float)m;
        *(uint16_t *)serve_input(c, "p", s, m, "n") = (uint16_t)(7 * m);
        *(uint8_t *)serve_input(c, "p", s, m, "f") = 1;
        *(uint32_t *)serve_input(c, "p", s, m, "k") = m >> 5;
        for (unsigned d = 0; d < 3; d++) {
            ((double *)serve_input(c, "p", s, m, "v"))[d] = m + d;
        }
    }
    memset(s->replies, 0xaa, MESSAGES * (size_t)c->module.types[c->module.pipelines[0].output_type].bytes);
}

static void check_there(const compiled *c, const served *s, uint32_t m, const char *field, bool wanted)
{
    cr_assert_eq(*byte_of(c, s, true, m, field), wanted, "message %u: %s", m, field);
}

Test(optional, every_combination)
{
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(
            SCHEMA,
            "pipeline p(q: Q) -> R { let x = q.a ?? q.b let y = when(q.k > 0, q.n)"
            " R { a: x, n: y, v: q.v, f: q.f, has: has(x) && !has(q.n), some: q.a ?? q.b ?? 0.5,"
            " h: when(q.k == 1, 0.5), w: q.v ?? 1, sum: sum((q.v ?? 0) * 2) + f64(if q.f ?? false { 1 } else { 0 }) } }",
            optimise);
        cr_assert(c->ok, "%s", c->said);
        served s = {.shards = 1, .messages = MESSAGES};
        serve_begin(c, "p", &s);
        fill(c, &s);
        serve(c, "p", &s);
        cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
        for (uint32_t m = 0; m < MESSAGES; m++) {
            bool a = has(m, 0), b = has(m, 1), n = has(m, 2), v = has(m, 3), f = has(m, 4), k = m >= 32;
            float x = a ? 1 + (float)m : b ? 100 + (float)m : 0;
            check_there(c, &s, m, "a", a || b);
            check_there(c, &s, m, "n", n && k);
            check_there(c, &s, m, "v", v);
            check_there(c, &s, m, "f", f);
            check_there(c, &s, m, "h", k);
            check_there(c, &s, m, "no", false);
            check_there(c, &s, m, "w", true);
            cr_assert_eq(*(float *)serve_output(c, "p", &s, m, "a"), x);
            cr_assert_eq(*(uint16_t *)serve_output(c, "p", &s, m, "n"), n && k ? 7 * m : 0);
            cr_assert_eq(*(uint8_t *)serve_output(c, "p", &s, m, "f"), f);
            cr_assert_eq(*(uint8_t *)serve_output(c, "p", &s, m, "has"), (a || b) && !n);
            cr_assert_eq(*(float *)serve_output(c, "p", &s, m, "some"), a || b ? x : 0.5F);
            cr_assert_eq(*(uint16_t *)serve_output(c, "p", &s, m, "h"), k ? 0x3800 : 0);
            cr_assert_eq(*(int64_t *)serve_output(c, "p", &s, m, "no"), 7, "what is not there is written as its default");
            for (unsigned d = 0; d < 3; d++) {
                cr_assert_eq(((double *)serve_output(c, "p", &s, m, "v"))[d], v ? m + d : 0);
                cr_assert_eq(((double *)serve_output(c, "p", &s, m, "w"))[d], v ? m + d : 1);
            }
            cr_assert_eq(*(double *)serve_output(c, "p", &s, m, "sum"), (v ? 2 * (3.0 * m + 3) : 0) + f);
        }
        serve_end(&s);
        compile_end(c);
    }
}

/* What is found on the shards is there or not by a truth value of the merge. */
Test(optional, of_merged_results)
{
    compiled *c = compile("namespace t; message Q { at_least: f32?; } message R { best: f32?; index: u64?; }",
                          "resident rows: f32[N] split N\n"
                          "pipeline p(q: Q) -> R { let best = max(rows) let good = best >= (q.at_least ?? 3)"
                          " R { best: when(good, best), index: when(good, argmax(rows)) } }",
                          true);
    cr_assert(c->ok, "%s", c->said);
    static const float rows[] = {1, 4, 2, 4, 0};
    for (uint32_t shards = 1; shards <= 5; shards++) {
        served s = {.shards = shards, .messages = 2, .residents = {{"rows", rows, 5, sizeof rows[0], NULL}}};
        serve_begin(c, "p", &s);
        *byte_of(c, &s, false, 1, "at_least") = 1;
        *(float *)serve_input(c, "p", &s, 1, "at_least") = 5;
        serve(c, "p", &s);
        cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
        check_there(c, &s, 0, "best", true);
        check_there(c, &s, 0, "index", true);
        check_there(c, &s, 1, "best", false);
        check_there(c, &s, 1, "index", false);
        cr_assert_eq(*(float *)serve_output(c, "p", &s, 0, "best"), 4.0F);
        cr_assert_eq(*(uint64_t *)serve_output(c, "p", &s, 0, "index"), 1u);
        cr_assert_eq(*(float *)serve_output(c, "p", &s, 1, "best"), 0.0F);
        serve_end(&s);
    }
    compile_end(c);
}
