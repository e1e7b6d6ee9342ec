/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in pipelines: resident ones as a hit's payload, in and out of messages, compared, chosen, and with lengths that say
 * more than there is. */
#include "tests/compiler/compile.h"

enum { ROWS = 7, ROOM = 12, MESSAGES = 4 };

/* Of every length that fits, and not only of one byte a letter. */
static const char *const titles[ROWS] = {"", "a", "twelve bytes", "zürich", "abc", "abd", "ab"};

static const float scores[ROWS] = {1, 7, 3, 7, 5, 2, 6};

static void fill_rows(uint8_t rows[ROWS][ROOM])
{
    memset(rows, 0, ROWS * ROOM);
    for (size_t i = 0; i < ROWS; i++) {
        memcpy(rows[i], titles[i], strlen(titles[i]));
    }
}

static void put_text(const compiled *c, const served *s, uint32_t m, const char *field, const char *text, uint32_t length)
{
    memcpy(serve_input(c, "p", s, m, field), text, strlen(text));
    *serve_input_count(c, "p", s, m, field) = length;
}

static void check_text(const compiled *c, const served *s, uint32_t m, const char *field, const char *wanted)
{
    uint32_t n = serve_output_count(c, "p", s, m, field);
    const char *got = serve_output(c, "p", s, m, field);
    cr_assert(n == strlen(wanted) && memcmp(got, wanted, n) == 0, "message %u: %s is \"%.*s\", not \"%s\"", m, field, (int)n,
              got, wanted);
}

/* Text i of several. */
static void check_text_of(const compiled *c, const served *s, uint32_t m, const char *field, uint32_t i, const char *wanted)
{
    uint32_t inner;
    const uint32_t *lengths = serve_output_lengths(c, "p", s, m, field, &inner);
    const char *got = (const char *)serve_output(c, "p", s, m, field) + (size_t)i * inner;
    cr_assert(lengths[i] == strlen(wanted) && memcmp(got, wanted, lengths[i]) == 0,
              "message %u: %s[%u] is \"%.*s\", not \"%s\"", m, field, i, (int)(lengths[i] < inner ? lengths[i] : inner), got,
              wanted);
}

Test(texts, payload)
{
    uint8_t rows[ROWS][ROOM];
    fill_rows(rows);
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile("namespace t; message Q { k: u32; } message R { best: string[<=20]; top: string[<=14][<=5];"
                              " all: string[<=12][4]; last: string[<=12]; lengths: u32[4]; abc: bool[4]; }",
                              "resident score: f32[N] split N\nresident title: string[<=12][N] split N\n"
                              "pipeline p(q: Q) -> R { let (x, i) = topk(score, k: 4) let found = title[i]"
                              " R { best: title[argmax(score)], top: title[i[..q.k]], all: found, last: title[argmin(score)],"
                              " lengths: length(found), abc: found == \"abc\" } }",
                              optimise);
        cr_assert(c->ok, "%s", c->said);
        for (uint32_t shards = 1; shards <= 5; shards++) {
            served s = {.shards = shards,
                        .messages = MESSAGES,
                        .residents = {{"score", scores, ROWS, sizeof *scores, NULL}, {"title", rows, ROWS, ROOM, NULL}}};
            serve_begin(c, "p", &s);
            for (uint32_t m = 0; m < MESSAGES; m++) {
                *(uint32_t *)serve_input(c, "p", &s, m, "k") = m;
            }
            serve(c, "p", &s);
            cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
            static const unsigned order[] = {1, 3, 6, 4};
            for (uint32_t m = 0; m < MESSAGES; m++) {
                check_text(c, &s, m, "best", titles[1]);
                check_text(c, &s, m, "last", titles[0]);
                cr_assert_eq(serve_output_count(c, "p", &s, m, "top"), m);
                for (uint32_t i = 0; i < 4; i++) {
                    check_text_of(c, &s, m, "all", i, titles[order[i]]);
                    cr_assert_eq(((uint32_t *)serve_output(c, "p", &s, m, "lengths"))[i], strlen(titles[order[i]]));
                    cr_assert_eq(((uint8_t *)serve_output(c, "p", &s, m, "abc"))[i], order[i] == 4);
                    if (i < m) {
                        check_text_of(c, &s, m, "top", i, titles[order[i]]);
                    }
                }
            }
            serve_end(&s);
        }
        compile_end(c);
    }
}

/* Against what strings of C say. */
Test(texts, compared)
{
    static const char *const texts[] = {"", "a", "abc", "abcd", "abcdefgh", "abcdefgx", "bc"};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    compiled *c = compile("namespace t; message Q { a: string[<=8]; b: string[<=12]; }"
                          "message R { same: bool; other: bool; abc: bool; longer: bool; empty: bool; n: u32; kept: bool; }",
                          "resident known: string[<=5][2]\n"
                          "pipeline p(q: Q) -> R { R { same: q.a == q.b, other: q.b != q.a, abc: \"abc\" == q.a,"
                          " longer: q.a == \"abcdefghi\", empty: q.a == \"\", n: length(q.b), kept: known[1] == q.a } }",
                          true);
    cr_assert(c->ok, "%s", c->said);
    served s = {.shards = 1, .messages = TEXTS * TEXTS, .residents = {{"known", "xxxxxabcd", 2, 5, NULL}}};
    serve_begin(c, "p", &s);
    for (uint32_t m = 0; m < TEXTS * TEXTS; m++) {
        memset(serve_input(c, "p", &s, m, "a"), 'c', 8); /* what lies behind a text is not the text */
        memset(serve_input(c, "p", &s, m, "b"), m % 2, 12);
        put_text(c, &s, m, "a", texts[m / TEXTS], (uint32_t)strlen(texts[m / TEXTS]));
        put_text(c, &s, m, "b", texts[m % TEXTS], (uint32_t)strlen(texts[m % TEXTS]));
    }
    serve(c, "p", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    for (uint32_t m = 0; m < TEXTS * TEXTS; m++) {
        const char *a = texts[m / TEXTS], *b = texts[m % TEXTS];
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "same"), strcmp(a, b) == 0, "\"%s\" and \"%s\"", a, b);
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "other"), strcmp(a, b) != 0, "\"%s\" and \"%s\"", a, b);
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "abc"), strcmp(a, "abc") == 0, "\"%s\"", a);
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "longer"), 0);
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "empty"), *a == 0);
        cr_assert_eq(*(bool *)serve_output(c, "p", &s, m, "kept"), strcmp(a, "abcd") == 0);
        cr_assert_eq(*(uint32_t *)serve_output(c, "p", &s, m, "n"), strlen(b));
    }
    serve_end(&s);
    compile_end(c);
}

/* In and out, chosen, by default, by key, and where a message says more than there is room for. */
Test(texts, fields)
{
    static const uint64_t keys[] = {7, 9};
    static const uint32_t said[MESSAGES] = {3, 8, 9, UINT32_MAX};
    compiled *c =
        compile("namespace t; message Q { key: u64 @key; a: string[<=8]; tags: string[<=3][<=4]; two: string[<=3][2]; }"
                "message R { a: string[<=8]; b: string[<=20]; tags: string[<=6][<=4]; two: string[<=3][2];"
                " which: string[<=11]; note: string[<=9] = \"nothing\"; name: string[<=6]; n: u32[2]; last: string[<=8]; }",
                "resident names: string[<=6][M] by key\n"
                "pipeline p(q: Q) -> R { let long = length(q.a) > 3 R { a: q.a, b: if long { \"a long one\" } else { q.a },"
                " tags: q.tags, two: q.two, which: if long { names[q.key] } else { q.two[1] }, name: names[q.key],"
                " n: length(q.two), last: fill(q.tags, \"no tag\")[3] } }",
                true);
    cr_assert(c->ok, "%s", c->said);
    served s = {.shards = 1, .messages = MESSAGES, .residents = {{"names", "seven\0nine\0\0", 2, 6, keys}}};
    serve_begin(c, "p", &s);
    for (uint32_t m = 0; m < MESSAGES; m++) {
        *(uint64_t *)serve_input(c, "p", &s, m, "key") = keys[m % 2];
        put_text(c, &s, m, "a", "abcdefgh", said[m]);
        put_text(c, &s, m, "tags", "onetwosix***", said[m]);
        memcpy(serve_input(c, "p", &s, m, "two"), "foobar", 6);
        for (uint32_t i = 0; i < 4; i++) {
            serve_input_lengths(c, "p", &s, m, "tags")[i] = i == 1 ? 2 : said[m];
        }
        serve_input_lengths(c, "p", &s, m, "two")[0] = said[m];
        serve_input_lengths(c, "p", &s, m, "two")[1] = 2;
    }
    serve(c, "p", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    for (uint32_t m = 0; m < MESSAGES; m++) {
        const char *a = m == 0 ? "abc" : "abcdefgh", *name = m % 2 ? "nine" : "seven";
        cr_assert_eq(s.status[m], PSY_OK);
        check_text(c, &s, m, "a", a);
        check_text(c, &s, m, "b", m == 0 ? "abc" : "a long one");
        check_text(c, &s, m, "which", m == 0 ? "ba" : name);
        check_text(c, &s, m, "note", "nothing");
        check_text(c, &s, m, "name", name);
        cr_assert_eq(serve_output_count(c, "p", &s, m, "tags"), m == 0 ? 3u : 4u);
        check_text_of(c, &s, m, "tags", 0, "one");
        check_text_of(c, &s, m, "tags", 1, "tw");
        check_text_of(c, &s, m, "tags", 2, "six");
        check_text_of(c, &s, m, "two", 0, "foo");
        check_text_of(c, &s, m, "two", 1, "ba");
        check_text(c, &s, m, "last", m == 0 ? "no tag" : "***");
        cr_assert_eq(((uint32_t *)serve_output(c, "p", &s, m, "n"))[0], 3u);
    }
    serve_end(&s);
    compile_end(c);
}
