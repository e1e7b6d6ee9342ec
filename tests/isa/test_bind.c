/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/verify.h"

#include "sample.h"

enum { N, N_LOCAL, M, M_LOCAL, SHARDS, SYMBOLS };

typedef struct bound {
    uint8_t *bytes;
    psy__module m;
    uint64_t symbols[SYMBOLS], bases[SYMBOLS];
    psy__bound_program b;
} bound;

static void open_sample(bound *x, const char *name)
{
    uint64_t n;
    *x = (bound){.symbols = {100, 50, 10, 5, 2}, .bases = {0, 50, 0, 0, 0}};
    x->bytes = sample_module(name, &n);
    cr_assert_eq(psy__module_decode(x->bytes, n, PSY_TRUST_BYTECODE, &x->m), PSY_OK);
}

static psy_status bind(bound *x, uint32_t program, const psy__limits *limits)
{
    return psy__program_bind(&x->m, program, x->symbols, x->bases, limits, &x->b);
}

static void fini(bound *x)
{
    psy__program_unbind(&x->b);
    free(x->bytes);
}

Test(bind, shard_program)
{
    bound x;
    open_sample(&x, "nearest");
    cr_assert_eq(bind(&x, 0, NULL), PSY_OK, "%s", psy_detail());
    const psy__bound_register *r = x.b.registers;
    cr_assert_eq(r[0].home, PSY_HOME_INPUT);
    cr_assert(r[0].batched);
    cr_assert_str_eq(psy__module_string(&x.m, x.m.fields[r[0].source].name), "vector");
    cr_assert_eq(r[1].home, PSY_HOME_RESIDENT);
    cr_assert_not(r[1].batched);
    cr_assert_eq(r[1].source, 0);
    cr_assert_eq(r[1].dims[0], 50);
    cr_assert_eq(r[1].strides[0], 16);
    cr_assert_eq(r[1].strides[1], 4);
    cr_assert_eq(r[1].count, 200);
    cr_assert_eq(r[2].home, PSY_HOME_REGION);
    cr_assert_eq(r[5].home, PSY_HOME_SLOT);
    cr_assert(r[5].batched);
    cr_assert_eq(r[6].def, r[7].def);
    cr_assert_eq(x.b.slots[0].bytes, 256); /* 50 f32, on 64 */
    cr_assert_eq(x.b.slots[1].offset, 256);
    cr_assert_eq(x.b.message_arena_bytes, 256 + 64 + 64);
    cr_assert_eq(x.b.uniform_arena_bytes, 0);
    cr_assert_geq(x.b.work, 3 * 200 + 2 * 50);
    cr_assert_eq(x.b.bases[N_LOCAL], 50);
    fini(&x);
}

Test(bind, merge_program_strides_over_shards)
{
    bound x;
    open_sample(&x, "nearest");
    cr_assert_eq(bind(&x, 1, NULL), PSY_OK, "%s", psy_detail());
    cr_assert_eq(x.b.registers[0].home, PSY_HOME_PARTIAL);
    cr_assert_eq(x.b.registers[0].dims[0], 2);
    cr_assert_eq(x.b.registers[0].strides[0], x.m.types[3].bytes);
    cr_assert_eq(x.b.registers[0].strides[1], 4);
    fini(&x);
    /* A dim of one broadcasts. */
    open_sample(&x, "nearest");
    x.symbols[SHARDS] = 1;
    cr_assert_eq(bind(&x, 1, NULL), PSY_OK);
    cr_assert_eq(x.b.registers[0].strides[0], 0);
    fini(&x);
}

Test(bind, lookup_gives_a_row)
{
    bound x;
    open_sample(&x, "nearest");
    cr_assert_eq(bind(&x, 2, NULL), PSY_OK);
    cr_assert_eq(x.b.registers[1].home, PSY_HOME_ROW);
    cr_assert(x.b.registers[1].batched);
    cr_assert_eq(x.b.registers[1].source, 1);
    cr_assert_eq(x.b.registers[1].count, 4);
    fini(&x);
}

Test(bind, uniform_values_have_an_arena_of_their_own)
{
    bound x;
    open_sample(&x, "elementwise");
    x.symbols[0] = 3;
    cr_assert_eq(bind(&x, 0, NULL), PSY_OK, "%s", psy_detail());
    cr_assert_not(x.b.registers[5].batched);
    cr_assert_not(x.b.registers[17].batched);
    cr_assert(x.b.registers[10].batched);
    cr_assert(x.b.registers[7].batched);
    cr_assert_eq(x.b.uniform_arena_bytes, 3 * 64);
    cr_assert_eq(x.b.message_arena_bytes, 5 * 64);
    cr_assert_eq(x.b.registers[2].home, PSY_HOME_CONST);
    cr_assert_eq(x.b.registers[3].source, 64);
    fini(&x);
}

Test(bind, refuses)
{
    bound x;
    open_sample(&x, "nearest");
    cr_assert_eq(bind(&x, 3, NULL), PSY_INVALID);
    x.symbols[N] = 2;
    x.symbols[N_LOCAL] = 1;
    cr_assert_eq(bind(&x, 0, NULL), PSY_INVALID);
    cr_assert_str_eq(psy_detail(), "topk wants 3 rows, and words has fewer (2 and 3)");
    cr_assert_null(x.b.registers);
    x.symbols[N_LOCAL] = 3;
    cr_assert_eq(bind(&x, 0, NULL), PSY_INVALID);
    cr_assert_str_eq(psy_detail(), "N.local is 3, more than N, which is 2");
    x.symbols[N] = UINT64_MAX;
    for (unsigned shift = 30; shift < 64; shift++) {
        x.symbols[N_LOCAL] = UINT64_C(1) << shift;
        cr_assert_eq(bind(&x, 0, NULL), PSY_TOO_LARGE, "2^%u rows", shift);
    }
    x.symbols[N_LOCAL] = UINT64_MAX;
    cr_assert_eq(bind(&x, 0, NULL), PSY_TOO_LARGE);
    cr_assert(strstr(psy_detail(), "nearest.shard") != NULL);
    x.symbols[N] = x.symbols[N_LOCAL] = 1000;
    cr_assert_eq(bind(&x, 0, &(psy__limits){.work = 1000}), PSY_TOO_LARGE);
    cr_assert_str_eq(psy_detail(), "program nearest.shard: the work for one message is over the limit of 1000");
    cr_assert_eq(bind(&x, 0, &(psy__limits){.arena_bytes = 1024}), PSY_TOO_LARGE);
    cr_assert_str_eq(psy_detail(), "program nearest.shard: its working memory is over the limit of 1024");
    x.symbols[N_LOCAL] = 0; /* an empty shard is none of the user's business */
    cr_assert_eq(bind(&x, 0, NULL), PSY_OK, "%s", psy_detail());
    cr_assert_eq(x.b.registers[1].count, 0);
    fini(&x);
}

/* ---- sizes that are made of others, and what depends on them ---- */

/* One program; `text` is what comes before the stores. Sizes: A and B global, then what `sizes` says. */
static void open_text(bound *x, const char *sizes, const char *text)
{
    char all[4096];
    uint64_t n;
    *x = (bound){.bytes = NULL};
    snprintf(all, sizeof all,
             "module 3.0; type I { a: f32[6]; i: i32[3]; } type O { a: f32[6]; } size A global; size B global; %s"
             "program p(I) -> O slots 2 { %%0: f32[6] = load.f32 a; %%1: i32[3] = load.i32 i; %s store.f32 %%0, a, -; }",
             sizes, text);
    psy_status status = psy__assemble(all, strlen(all), &x->bytes, &n);
    cr_assert(status == PSY_OK, "%s: %s", all, psy_detail());
    cr_assert_eq(psy__module_decode(x->bytes, n, PSY_TRUST_BYTECODE, &x->m), PSY_OK);
}

typedef struct size_case {
    const char *sizes, *text;
    uint64_t a, b;
    psy_status status;
    const char *detail;
} size_case;

Test(bind, computed_sizes)
{
    const uint64_t top = UINT64_C(1) << 63;
    const size_case cases[] = {
        {"size C add A B;", "", 3, 4, PSY_OK, ""},
        {"size C add A B;", "", UINT64_MAX, 0, PSY_OK, ""},
        {"size C add A B;", "", UINT64_MAX, 1, PSY_INVALID, "size A + B: 18446744073709551615 and 1 cannot be put together so"},
        {"size C sub A B;", "", 4, 4, PSY_OK, ""},
        {"size C sub A B;", "", 3, 4, PSY_INVALID, "size A - B: 3 and 4 cannot be put together so"},
        {"size C mul A B;", "", UINT64_C(1) << 31, UINT64_C(1) << 32, PSY_OK, ""},
        {"size C mul A B;", "", UINT64_C(1) << 32, UINT64_C(1) << 32, PSY_INVALID, "size A * B"},
        {"size C mul A 2;", "", top, 0, PSY_INVALID, "size A * 2"},
        {"size C div A B;", "", 12, 4, PSY_OK, ""},
        {"size C div A B;", "", 0, 4, PSY_OK, ""},
        {"size C div A B;", "", 13, 4, PSY_INVALID, "size A / B: 13 and 4 cannot be put together so"},
        {"size C div A B;", "", 12, 0, PSY_INVALID, "size A / B: 12 and 0 cannot be put together so"},
        {"size C div A 0;", "", 12, 0, PSY_INVALID, "size A / 0"},
        /* of others that are computed; a check of one */
        {"size C add A 1; size D mul C C; size E sub D B; check E == 12 \"nine and\";", "", 3, 4, PSY_OK, ""},
        {"size C add A 1; size D mul C C; size E sub D B; check E == 12 \"nine and\";", "", 3, 5, PSY_INVALID,
         "nine and (11 and 12)"},
        {"size C add A 1; size D mul C C; size E sub D B;", "", 0, 2, PSY_INVALID, "size ((A + 1) * (A + 1)) - B: 1 and 2"},
        {"size C add A 1; size D sub 5 C;", "", UINT64_MAX, 2, PSY_INVALID, "size A + 1: "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bound x;
        open_text(&x, cases[i].sizes, cases[i].text);
        x.symbols[0] = cases[i].a;
        x.symbols[1] = cases[i].b;
        x.symbols[2] = 77; /* what the caller says of a computed one does not matter */
        psy_status status = bind(&x, 0, NULL);
        cr_assert(status == cases[i].status && (status == PSY_OK || strstr(psy_detail(), cases[i].detail)),
                  "%s, %llu, %llu: %s: %s", cases[i].sizes, (unsigned long long)cases[i].a, (unsigned long long)cases[i].b,
                  psy_status_name(status), status ? psy_detail() : "");
        if (i == 0) {
            cr_assert_eq(x.b.symbols[2], 7);
        }
        fini(&x);
    }
}

Test(bind, sizes_that_do_not_fit)
{
#define ROWS "%2: f32[A, 6] = repeat.f32 %0; "
    static const size_case cases[] = {
        {"", ROWS "%3: f32[B, 6] = slice.f32 %2, 0, 0, 1;", 5, 5, PSY_OK, ""},
        {"", ROWS "%3: f32[B, 6] = slice.f32 %2, 0, 0, 1;", 5, 6, PSY_INVALID, "slice: the sizes do not fit"},
        {"", ROWS "%3: f32[B, 6] = slice.f32 %2, 0, 1, 1;", 5, 5, PSY_INVALID, "slice: the sizes do not fit"},
        {"", ROWS "%3: f32[3, 6] = slice.f32 %2, 0, B, -2;", 5, 4, PSY_OK, ""},
        {"", ROWS "%3: f32[3, 6] = slice.f32 %2, 0, B, -2;", 5, 3, PSY_INVALID, "slice: the sizes do not fit"},
        {"", ROWS "%3: f32[3, 6] = slice.f32 %2, 0, B, -2;", 5, 5, PSY_INVALID, "slice: the sizes do not fit"},
        {"", ROWS "%3: f32[0, 6] = slice.f32 %2, 0, B, 1;", 5, 5, PSY_OK, ""},
        {"", ROWS "%3: f32[0, 6] = slice.f32 %2, 0, B, 1;", 5, 6, PSY_INVALID, "slice: the sizes do not fit"},
        {"", ROWS "%3: f32[B, 6] = slice.f32 %2, 0, 0, 2147483647;", 5, 1, PSY_OK, ""},
        {"", ROWS "%3: f32[B, 6] = slice.f32 %2, 0, 0, 2147483647;", 5, 2, PSY_INVALID, "slice: the sizes do not fit"},
        {"", "%2: f32[3, B] = reshape.f32 %0;", 0, 2, PSY_OK, ""},
        {"", "%2: f32[3, B] = reshape.f32 %0;", 0, 3, PSY_INVALID, "reshape: the sizes do not fit"},
        {"size C mul A B;", "%2: f32[C] @0 = iota.f32 0; %3: f32[A, B] = reshape.f32 %2;", 7, 9, PSY_OK, ""},
        {"size C mul A A;", "%2: f32[C] @0 = iota.f32 0; %3: f32[A, B] = reshape.f32 %2;", 7, 9, PSY_INVALID,
         "reshape: the sizes"},
        {"size C add A B;", ROWS "%3: f32[B, 6] = repeat.f32 %0; %4: f32[C, 6] @0 = concat.f32 0, %2, %3;", 3, 4, PSY_OK, ""},
        {"size C add A A;", ROWS "%3: f32[B, 6] = repeat.f32 %0; %4: f32[C, 6] @0 = concat.f32 0, %2, %3;", 3, 4, PSY_INVALID,
         "concat: the sizes do not fit"},
        {"size C sub A B;", ROWS "%3: f32[B, 6] = repeat.f32 %0; %4: f32[C, 6] @0 = concat.f32 0, %2, %3;", 4, 3, PSY_INVALID,
         "concat: the sizes do not fit"},
        {"", ROWS "%3: f32[A, B] @0, %4: u64[A, B] @1 = sort.f32 %2, B, 0;", 3, 6, PSY_OK, ""},
        {"", ROWS "%3: f32[A, B] @0, %4: u64[A, B] @1 = sort.f32 %2, B, 0;", 3, 7, PSY_INVALID, "sort: the sizes do not fit"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bound x;
        open_text(&x, cases[i].sizes, cases[i].text);
        x.symbols[0] = cases[i].a;
        x.symbols[1] = cases[i].b;
        psy_status status = bind(&x, 0, NULL);
        cr_assert(status == cases[i].status && (status == PSY_OK || strstr(psy_detail(), cases[i].detail)),
                  "%s, %llu, %llu: %s: %s", cases[i].text, (unsigned long long)cases[i].a, (unsigned long long)cases[i].b,
                  psy_status_name(status), status ? psy_detail() : "");
        fini(&x);
    }
}

/* Strides, offsets and homes of views of views. */
Test(bind, views_lie_over_what_they_name)
{
    bound x;
    open_text(&x, "size C add A A;",
              "%2: f32[6] @0 = neg.f32 %0; %3: f32[2, 3] = reshape.f32 %2; %4: f32[3, 2] = permute.f32 %3, 1;"
              "%5: f32[2, 2] = slice.f32 %4, 0, 2, -2; %6: f32[A, 2, 2] = repeat.f32 %5; %7: f32[6] = slice.f32 %0, 0, 5, -1;"
              "%8: f32[A, 1, 2] = slice.f32 %6, 1, 1, 1; %9: f32[6] = slice.f32 %7, 0, 5, -1;");
    x.symbols[0] = 5;
    cr_assert_eq(bind(&x, 0, NULL), PSY_OK, "%s", psy_detail());
    const psy__bound_register *r = x.b.registers;
    static const struct {
        unsigned reg, root;
        int64_t offset, strides[3];
    } wanted[] = {{2, 2, 0, {4}},         {3, 2, 0, {12, 4}}, {4, 2, 0, {4, 12}},    {5, 2, 8, {-8, 12}},
                  {6, 2, 8, {0, -8, 12}}, {7, 0, 20, {-4}},   {8, 2, 0, {0, 0, 12}}, {9, 0, 0, {4}}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const psy__bound_register *v = &r[wanted[i].reg];
        cr_assert_eq(v->root, wanted[i].root, "register %u", wanted[i].reg);
        cr_assert_eq(v->offset, wanted[i].offset, "register %u: %lld", wanted[i].reg, (long long)v->offset);
        cr_assert_eq(v->home, wanted[i].root ? PSY_HOME_SLOT : PSY_HOME_INPUT);
        cr_assert(v->batched);
        for (unsigned d = 0; d < v->rank; d++) {
            cr_assert_eq(v->strides[d], wanted[i].strides[d], "register %u, dim %u: %lld", wanted[i].reg, d,
                         (long long)v->strides[d]);
        }
    }
    cr_assert_eq(x.b.message_arena_bytes, 64); /* views take nothing */
    cr_assert_leq(x.b.work, 30);
    fini(&x);
}

Test(bind, slices)
{
    cr_assert(psy__slice_fits(10, 0, 10, 1) && !psy__slice_fits(10, 0, 11, 1) && !psy__slice_fits(10, 1, 10, 1));
    cr_assert(psy__slice_fits(10, 9, 10, -1) && !psy__slice_fits(10, 9, 11, -1) && !psy__slice_fits(10, 10, 1, -1));
    cr_assert(psy__slice_fits(10, 9, 4, -3) && !psy__slice_fits(10, 8, 4, -3) && psy__slice_fits(10, 0, 4, 3));
    cr_assert(psy__slice_fits(0, 0, 0, 1) && !psy__slice_fits(0, 0, 1, 1) && !psy__slice_fits(0, 1, 0, 1));
    cr_assert(psy__slice_fits(10, 10, 0, -5) && !psy__slice_fits(10, 11, 0, 1));
    cr_assert(!psy__slice_fits(UINT64_MAX, 0, UINT64_MAX, 2) && psy__slice_fits(UINT64_MAX, 0, UINT64_MAX, 1));
    cr_assert(!psy__slice_fits(UINT64_MAX, UINT64_MAX, 1, 1) && !psy__slice_fits(5, UINT64_MAX, 2, INT32_MAX));
    cr_assert(psy__slice_fits(UINT64_C(1) << 62, UINT64_C(1) << 61, 2, INT32_MAX) && psy__slice_fits(1, 0, 1, -INT32_MAX));
}

/* variants.hra: sizes that a message brings are known for its own alternative only. */
Test(bind, sizes_of_messages)
{
    enum { D, HALF, E };
    bound x;
    open_sample(&x, "variants");
    memcpy(x.symbols, (uint64_t[]){8, 0, PSY_SIZE_UNKNOWN}, 3 * sizeof *x.symbols);
    cr_assert_eq(bind(&x, 0, NULL), PSY_OK, "%s", psy_detail());
    cr_assert_eq(x.b.symbols[HALF], 4);
    cr_assert_eq(x.b.registers[0].home, PSY_HOME_INPUT);
    cr_assert_eq(x.b.registers[0].count, 8);
    psy__program_unbind(&x.b);
    cr_assert_eq(bind(&x, 1, NULL), PSY_INVALID);
    cr_assert_str_eq(psy_detail(), "program shop.length.2: size M comes from messages of another pipeline");
    x.symbols[D] = PSY_SIZE_UNKNOWN; /* neither the check nor `half` asks for it */
    cr_assert_eq(bind(&x, 0, NULL), PSY_INVALID);
    cr_assert_str_eq(psy_detail(), "program shop.length: size D comes from messages of another pipeline");
    x.symbols[D] = 66;
    cr_assert_eq(bind(&x, 0, NULL), PSY_TOO_LARGE);
    cr_assert_str_eq(psy_detail(), "program shop.length: field embedding has room for 256 bytes, not 264");
    x.symbols[D] = 1;
    cr_assert_eq(bind(&x, 0, NULL), PSY_INVALID); /* half of it is no size */
    memcpy(x.symbols, (uint64_t[]){64, 0, 4}, 3 * sizeof *x.symbols);
    cr_assert_eq(bind(&x, 1, NULL), PSY_OK, "%s", psy_detail());
    psy__program_unbind(&x.b);
    x.symbols[E] = 5;
    cr_assert_eq(bind(&x, 1, NULL), PSY_TOO_LARGE);
    fini(&x);
}
