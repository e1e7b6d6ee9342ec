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
