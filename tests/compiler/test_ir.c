/* SPDX-License-Identifier: Apache-2.0 */
/* The checker between passes refuses a program that no pass may make, and finds what runs once. */
#include "tests/compiler/compile.h"

typedef struct fixture {
    psc_arena arena;
    psc_program program;
    psc_value *load, *words, *dot, *neg, *topk, *labels, *store; /* in this order */
} fixture;

static psc_value *add(fixture *f, unsigned op, unsigned dtype, unsigned rank, const psy_dim *dims, psc_value *a, psc_value *b)
{
    psc_value v = {.op = op, .dtype = (uint8_t)dtype, .rank = (uint8_t)rank, .operands = {a, b}, .base = PSY_NONE};
    v.operand_count = b ? 2 : a ? 1 : 0;
    for (unsigned d = 0; d < rank; d++) {
        v.dims[d] = dims[d];
    }
    return psc_ir_add(&f->arena, &f->program, &v);
}

/* words [N, 8] against a vector [8], the best 3 of them stored. */
static fixture *begin(void)
{
    static const psy_dim vector[] = {8}, rows[] = {PSY_DIM_SYMBOL | 1, 8}, best[] = {3};
    fixture *f = calloc(1, sizeof *f);
    cr_assert_not_null(f);
    psc_arena_init(&f->arena);
    f->load = add(f, PSY_OP_LOAD, PSY_F32, 1, vector, NULL, NULL);
    f->words = add(f, PSY_OP_RESIDENT, PSY_F32, 2, rows, NULL, NULL);
    f->dot = add(f, PSY_OP_DOT, PSY_F32, 1, rows, f->words, f->load);
    f->neg = add(f, PSY_OP_NEG, PSY_F32, 1, rows, f->dot, NULL);
    f->topk = add(f, PSY_OP_TOPK, PSY_F32, 1, best, f->neg, NULL);
    f->topk->index = 3;
    f->labels = add(f, PSC_OP_LABELS, PSY_U64, 1, best, f->topk, NULL);
    f->store = add(f, PSY_OP_STORE, PSY_F32, 0, NULL, f->topk, NULL);
    return f;
}

static void end(fixture *f)
{
    psc_arena_fini(&f->arena);
    free(f);
}

static void refused(fixture *f, const char *why)
{
    const char *wrong = psc_ir_check(&f->arena, &f->program);
    cr_assert(wrong != NULL, "accepted, though: %s", why);
    cr_assert(strstr(wrong, why) != NULL, "\"%s\" does not say: %s", wrong, why);
    end(f);
}

Test(ir, a_sound_program)
{
    fixture *f = begin();
    cr_assert_null(psc_ir_check(&f->arena, &f->program));
    cr_assert(f->load->batched && f->dot->batched && f->labels->batched);
    cr_assert_not(f->words->batched);
    for (uint32_t i = 0; i < f->program.values.count; i++) {
        cr_assert_eq(f->program.values.at[i]->id, i);
    }
    end(f);
}

Test(ir, an_operand_that_comes_later)
{
    fixture *f = begin();
    f->dot->operands[0] = f->neg;
    refused(f, "does not come before it");
}

Test(ir, an_operand_that_is_its_own)
{
    fixture *f = begin();
    f->neg->operands[0] = f->neg;
    refused(f, "does not come before it");
}

Test(ir, an_operand_of_no_program)
{
    fixture *f = begin();
    psc_value stranger = *f->load;
    f->neg->operands[0] = &stranger;
    refused(f, "does not come before it");
}

Test(ir, an_operation_that_does_not_exist)
{
    fixture *f = begin();
    f->neg->op = 200;
    refused(f, "there is no op 200");
}

Test(ir, a_type_that_the_operation_does_not_take)
{
    fixture *f = begin();
    f->neg->dtype = PSY_U32;
    refused(f, "neg does not take dtype");
}

Test(ir, a_storage_type_that_does_not_compute)
{
    fixture *f = begin();
    f->dot->dtype = PSY_I8;
    refused(f, "dot does not take dtype");
}

Test(ir, operands_of_another_type)
{
    fixture *f = begin();
    f->load->dtype = PSY_F64;
    refused(f, "operand 1 has another dtype");
}

Test(ir, operands_that_do_not_broadcast)
{
    fixture *f = begin();
    f->load->dims[0] = 7;
    refused(f, "do not broadcast");
}

Test(ir, dims_that_the_operation_does_not_give)
{
    fixture *f = begin();
    f->neg->dims[0] = 8;
    refused(f, "not what its op gives");
}

Test(ir, a_rank_that_the_operation_does_not_give)
{
    fixture *f = begin();
    f->dot->rank = 2;
    refused(f, "not what its op gives");
}

Test(ir, a_number_of_results_that_topk_does_not_give)
{
    fixture *f = begin();
    f->topk->index = 4;
    refused(f, "not what its op gives");
}

Test(ir, a_missing_operand)
{
    fixture *f = begin();
    f->dot->operands[1] = NULL;
    refused(f, "dot has other operands");
}

Test(ir, an_operand_too_many)
{
    fixture *f = begin();
    f->neg->operands[1] = f->load;
    f->neg->operand_count = 2;
    refused(f, "neg has other operands");
}

Test(ir, an_axis_that_is_not_there)
{
    fixture *f = begin();
    f->neg->op = PSY_OP_SUM;
    f->neg->rank = 0;
    f->neg->index = 1;
    refused(f, "no axis 1");
}

Test(ir, a_reduction_of_scalars)
{
    fixture *f = begin();
    f->words->rank = f->load->rank = f->dot->rank = 0;
    refused(f, "no axis to reduce");
}

Test(ir, labels_of_something_else)
{
    fixture *f = begin();
    f->labels->operands[0] = f->neg;
    refused(f, "labels of no topk");
}

/* ---- shapes ---- */

static psc_value shaped(unsigned rank, psy_dim a, psy_dim b, psy_dim c)
{
    return (psc_value){.rank = (uint8_t)rank, .dims = {a, b, c}};
}

Test(ir, broadcasting)
{
    const psy_dim n = PSY_DIM_SYMBOL, m = PSY_DIM_SYMBOL | 1;
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    psc_value scalar = shaped(0, 0, 0, 0), row = shaped(1, 8, 0, 0), one = shaped(2, 4, 1, 0), rows = shaped(2, n, 8, 0);
    psc_value other = shaped(2, m, 8, 0), deep = shaped(3, 2, 4, 8);
    cr_assert(psc_ir_broadcast(&scalar, &row, dims, &rank) && rank == 1 && dims[0] == 8);
    cr_assert(psc_ir_broadcast(&rows, &row, dims, &rank) && rank == 2 && dims[0] == n && dims[1] == 8);
    cr_assert(psc_ir_broadcast(&one, &row, dims, &rank) && rank == 2 && dims[0] == 4 && dims[1] == 8);
    cr_assert(psc_ir_broadcast(&one, &deep, dims, &rank) && rank == 3 && dims[0] == 2 && dims[1] == 4 && dims[2] == 8);
    /* Two sizes that may differ do not fit, whatever they will be. */
    cr_assert_not(psc_ir_broadcast(&rows, &other, dims, &rank));
    cr_assert_not(psc_ir_broadcast(&rows, &deep, dims, &rank));
}

Test(ir, sharded_axis)
{
    const psy_psm_symbol symbols[] = {{.kind = PSY_SYMBOL_GLOBAL}, {.kind = PSY_SYMBOL_LOCAL}, {.kind = PSY_SYMBOL_SHARDS}};
    psc_value global = shaped(2, PSY_DIM_SYMBOL, 8, 0), local = shaped(2, 8, PSY_DIM_SYMBOL | 1, 0),
              shards = shaped(1, PSY_DIM_SYMBOL | 2, 0, 0);
    cr_assert_eq(psc_ir_sharded_axis(&global, symbols), -1);
    cr_assert_eq(psc_ir_sharded_axis(&local, symbols), 1);
    cr_assert_eq(psc_ir_sharded_axis(&shards, symbols), -1);
}

/* ---- the compiler's own mistakes are told apart from the user's ---- */

Test(ir, each_pass_keeps_programs_sound)
{
    static const char *const programs[] = {"resident words: f32[N, 8] split N\npipeline p(q: Query) -> Hits { let (a, b) = "
                                           "topk(words @ q.vector, k: 3)\nHits { score: a, index: b } }",
                                           "resident words: f32[N, 8] split N\npipeline p(q: Query) -> Hits { let s = "
                                           "-sum((words - q.vector) * (words - q.vector), axis: 1)\n"
                                           "let (a, b) = topk(s / sum(q.vector), k: 3)\nHits { score: a[..2], index: b } }",
                                           "pipeline p(q: Query) -> Hits { let (a, b) = topk(exp(q.vector - max(q.vector)) * "
                                           "1, k: 3)\nHits { score: a, index: b } }"};
    for (size_t i = 0; i < 3; i++) {
        for (unsigned optimise = 0; optimise < 2; optimise++) {
            compiled *c = compile("message Query { vector: f32[8]; } message Hits { score: f32[<=8]; index: u64[<=8]; }",
                                  programs[i], optimise);
            cr_assert(c->ok, "%s", c->said); /* the pass list runs the checker after every pass */
            compile_end(c);
        }
    }
}
