/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines of several messages, and messages inside messages: what is read lies where the layout says, what is written too, on
 * any number of shards, with the headers that parts begin with. */
#include "tests/compiler/compile.h"

enum { MESSAGES = 4, ROWS = 13, DIM = 4, K = 3 };

static const char schema[] = "namespace m;"
                             "message Query { key: u64 @key; vector: f32[4]; k: u16 = 3; }"
                             "message Size { w: f32; h: f32 = 2; few: f32[<=4]; }"
                             "message Item { id: u64; size: Size; price: f32; sale: f32? = 3; name: string[<=8] = \"none\"; }"
                             "message User { age: f32; item: Item; }"
                             "message Hits { score: f32[<=3]; index: u64[<=3]; }"
                             "message Stats { mean: f32; item: Item; more: u32 = 7; }";

static float word(unsigned row, unsigned d) { return (float)((row * 7 + d * 3) % 11) - 5; }

static void *in(const compiled *c, const char *p, const served *s, uint32_t i, const char *field)
{
    return serve_input(c, p, s, i, field);
}

/* The byte before the value and its gap: whether an optional field is there. */
enum { OPTIONAL_GAP = 3 };
static uint8_t *there(const compiled *c, const char *p, const served *s, uint32_t i, const char *field)
{
    return (uint8_t *)in(c, p, s, i, field) - 1 - OPTIONAL_GAP;
}

static float number(const compiled *c, const char *p, const served *s, uint32_t i, const char *field)
{
    float x;
    memcpy(&x, serve_output(c, p, s, i, field), sizeof x);
    return x;
}

/* A part begins with the header of its message. */
static void check_header(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *part, uint32_t bytes)
{
    uint32_t header[2];
    memcpy(header, serve_output(c, pipeline, s, i, part), sizeof header);
    cr_assert(header[0] == bytes && header[1] == 1, "%s begins with %u, %u", part, header[0], header[1]);
}

static void fill(const compiled *c, const char *p, const served *s)
{
    for (uint32_t i = 0; i < MESSAGES; i++) {
        for (unsigned d = 0; d < DIM; d++) {
            ((float *)in(c, p, s, i, "q.vector"))[d] = (float)(i + d) - 2;
        }
        *(float *)in(c, p, s, i, "u.age") = (float)i + 1;
        *(uint64_t *)in(c, p, s, i, "u.item.id") = UINT64_C(1) << 40 | i;
        *(float *)in(c, p, s, i, "u.item.price") = 0.5f;
        *(float *)in(c, p, s, i, "u.item.size.w") = (float)i * 2;
        *(float *)in(c, p, s, i, "u.item.size.h") = 9;
        *serve_input_count(c, p, s, i, "u.item.size.few") = i;
        *there(c, p, s, i, "u.item.sale") = i % 2;
        *serve_input_count(c, p, s, i, "u.item.name") = i;
        memcpy(in(c, p, s, i, "u.item.name"), "lamp", 4);
        *(float *)in(c, p, s, i, "u.item.sale") = 6;
        for (unsigned d = 0; d < DIM; d++) {
            ((float *)in(c, p, s, i, "u.item.size.few"))[d] = (float)(10 * i + d);
        }
    }
}

static void check_both(const compiled *c, uint32_t shards, const float *words)
{
    served s = {.shards = shards, .messages = MESSAGES, .residents = {{"words", words, ROWS, DIM * 4, NULL}}};
    serve_begin(c, "both", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    fill(c, "both", &s);
    serve(c, "both", &s);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        float best = -1e9f, sum = 0;
        uint64_t where = 0;
        for (unsigned row = 0; row < ROWS; row++) {
            float score = 0;
            for (unsigned d = 0; d < DIM; d++) {
                score += words[row * DIM + d] * ((float)(i + d) - 2);
            }
            score *= (float)i + 1;
            sum += score;
            where = score > best ? row : where;
            best = score > best ? score : best;
        }
        cr_assert_eq(s.status[i], PSY_OK);
        cr_assert_eq(serve_output_count(c, "both", &s, i, "hits.score"), (uint32_t)K);
        cr_assert_eq(number(c, "both", &s, i, "hits.score"), best);
        cr_assert_eq(*(uint64_t *)serve_output(c, "both", &s, i, "hits.index"), where);
        float mean = number(c, "both", &s, i, "stats.mean");
        cr_assert(mean * ROWS - sum < 1e-3f && sum - mean * ROWS < 1e-3f, "%g, not %g", (double)mean, (double)sum / ROWS);
        cr_assert_eq(*(uint64_t *)serve_output(c, "both", &s, i, "stats.item.id"), UINT64_C(1) << 40 | i);
        cr_assert_eq(number(c, "both", &s, i, "stats.item.size.h"), 9);
        cr_assert_eq(*(uint32_t *)serve_output(c, "both", &s, i, "stats.more"), 7u);
        cr_assert_eq(serve_output_count(c, "both", &s, i, "stats.item.size.few"), i);
        for (uint32_t d = 0; d < i; d++) {
            cr_assert_eq(((float *)serve_output(c, "both", &s, i, "stats.item.size.few"))[d], (float)(10 * i + d));
        }
        cr_assert_eq(((uint8_t *)serve_output(c, "both", &s, i, "stats.item.sale"))[-1 - OPTIONAL_GAP], i % 2);
        cr_assert(i % 2 == 0 || number(c, "both", &s, i, "stats.item.sale") == 6);
        cr_assert_eq(serve_output_count(c, "both", &s, i, "stats.item.name"), i);
        cr_assert_eq(memcmp(serve_output(c, "both", &s, i, "stats.item.name"), "lamp", i), 0);
        check_header(c, "both", &s, i, "hits", 64);
        check_header(c, "both", &s, i, "stats", 320);
        check_header(c, "both", &s, i, "stats.item", 192);
        check_header(c, "both", &s, i, "stats.item.size", 64);
    }
    serve_end(&s);
}

Test(messages, several_in_and_out_over_shards)
{
    float words[ROWS * DIM];
    for (unsigned i = 0; i < ROWS * DIM; i++) {
        words[i] = word(i / DIM, i % DIM);
    }
    for (int optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema,
                              "resident words: f32[N, 4] split N\n"
                              "pipeline both(q: Query, u: User) -> (hits: Hits, stats: Stats) {\n"
                              "    let scores = words @ q.vector * u.age\n"
                              "    let (score, index) = topk(scores, k: 3)\n"
                              "    (Hits { score: score, index: index }, Stats { mean: mean(scores), item: u.item })\n"
                              "}",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= 5; shards++) {
            check_both(c, shards, words);
        }
        compile_end(c);
    }
}

/* The key of the first message that has one routes the request. */
Test(messages, rows_by_key)
{
    static const uint64_t keys[] = {11, 22, 33};
    static const float rows[3 * DIM] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    compiled *c = compile(schema,
                          "resident kept: f32[M, 4] by key\n"
                          "pipeline one(u: User, q: Query) -> Item {\n"
                          "    Item { id: q.key, price: sum(kept[q.key]) * u.item.price, size: Size { w: u.item.size.w, few: "
                          "q.vector[..2] } }\n"
                          "}",
                          true);
    cr_assert(c->ok, "%s", c->said);
    for (uint32_t shards = 1; shards <= 4; shards++) {
        served s = {.shards = shards, .messages = 3, .residents = {{"kept", rows, 3, DIM * 4, keys}}};
        serve_begin(c, "one", &s);
        for (uint32_t i = 0; i < 3; i++) {
            *(uint64_t *)in(c, "one", &s, i, "q.key") = keys[i];
            *(float *)in(c, "one", &s, i, "u.item.price") = 2;
            *(float *)in(c, "one", &s, i, "u.item.size.w") = (float)i;
            ((float *)in(c, "one", &s, i, "q.vector"))[1] = (float)i + 5;
        }
        serve(c, "one", &s);
        for (uint32_t i = 0; i < 3; i++) {
            cr_assert_eq(s.status[i], PSY_OK);
            cr_assert_eq(*(uint64_t *)serve_output(c, "one", &s, i, "id"), keys[i]);
            cr_assert_eq(number(c, "one", &s, i, "price"), 2 * (float)(10 + 16 * i));
            cr_assert_eq(number(c, "one", &s, i, "size.w"), (float)i);
            cr_assert_eq(number(c, "one", &s, i, "size.h"), 2); /* its default */
            cr_assert_eq(serve_output_count(c, "one", &s, i, "name"), 4u);
            cr_assert_eq(memcmp(serve_output(c, "one", &s, i, "name"), "none", 4), 0);
            cr_assert_eq(serve_output_count(c, "one", &s, i, "size.few"), 2u);
            cr_assert_eq(((float *)serve_output(c, "one", &s, i, "size.few"))[1], (float)i + 5);
            check_header(c, "one", &s, i, "size", 64);
        }
        serve_end(&s);
    }
    compile_end(c);
}

/* One message that has parts, and all of it as a part of the answer. */
Test(messages, a_message_goes_into_another)
{
    compiled *c = compile(schema,
                          "pipeline wrap(x: Item) -> (stats: Stats, size: Size) {\n"
                          "    let s = x.size;\n"
                          "    (Stats { mean: s.w * 2, item: x }, Size { w: s.h, few: s.few })\n"
                          "}",
                          true);
    cr_assert(c->ok, "%s", c->said);
    served s = {.shards = 1, .messages = 2};
    serve_begin(c, "wrap", &s);
    for (uint32_t i = 0; i < 2; i++) {
        *(uint64_t *)in(c, "wrap", &s, i, "id") = i + 100;
        *(float *)in(c, "wrap", &s, i, "size.w") = 3;
        *(float *)in(c, "wrap", &s, i, "size.h") = (float)i + 4;
        *serve_input_count(c, "wrap", &s, i, "size.few") = 1;
        *(float *)in(c, "wrap", &s, i, "size.few") = 8;
    }
    serve(c, "wrap", &s);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_eq(number(c, "wrap", &s, i, "stats.mean"), 6);
        cr_assert_eq(*(uint64_t *)serve_output(c, "wrap", &s, i, "stats.item.id"), i + 100);
        cr_assert_eq(number(c, "wrap", &s, i, "size.w"), (float)i + 4);
        cr_assert_eq(number(c, "wrap", &s, i, "stats.item.size.few"), 8);
        cr_assert_eq(serve_output_count(c, "wrap", &s, i, "size.few"), 1u);
        check_header(c, "wrap", &s, i, "stats.item.size", 64);
    }
    serve_end(&s);
    compile_end(c);
}
