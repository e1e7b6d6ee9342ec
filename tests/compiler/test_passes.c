/* SPDX-License-Identifier: Apache-2.0 */
/* Each pass alone, over programs that are put together by hand: what it does, and what it must leave alone. */
#include <math.h>

#include "tests/compiler/compile.h"

typedef struct fixture {
    psc_arena arena;
    psc_diagnostics diags;
    psc_options options;
    psc_unit unit;
    psc_pipeline pipeline;
    psc_program program;
} fixture;

static fixture *begin(void)
{
    fixture *f = calloc(1, sizeof *f);
    cr_assert_not_null(f);
    psc_arena_init(&f->arena);
    f->diags.arena = &f->arena;
    f->options.explain = true;
    f->unit = (psc_unit){.arena = &f->arena, .diags = &f->diags, .options = &f->options};
    f->pipeline.whole = &f->program;
    f->program.name = "p";
    psc_push(&f->arena, &f->unit.pipelines, &f->pipeline);
    psc_symbol_add(&f->unit, "N", PSY_SYMBOL_GLOBAL, PSY_NONE);
    return f;
}

static void end(fixture *f)
{
    psc_arena_fini(&f->arena);
    free(f);
}

/* Runs the pass; the program is sound before it and after. */
static void run(fixture *f, void (*pass)(psc_unit *))
{
    const char *wrong = psc_ir_check(&f->arena, &f->program);
    cr_assert_null(wrong, "before: %s", wrong);
    pass(&f->unit);
    wrong = psc_ir_check(&f->arena, &f->program);
    cr_assert_null(wrong, "after: %s", wrong);
    cr_assert_eq(f->diags.errors, 0);
}

static psc_value *add(fixture *f, psc_value v)
{
    v.base = v.base ? v.base : PSY_NONE;
    while (v.operand_count < PSC_OPERANDS_MAX && v.operands[v.operand_count]) {
        v.operand_count++;
    }
    return psc_ir_add(&f->arena, &f->program, &v);
}

static psc_value *load(fixture *f, uint32_t field, psy_dim n)
{
    return add(f, (psc_value){.op = PSY_OP_LOAD, .dtype = PSY_F32, .rank = n > 0, .dims = {n}, .index = field});
}

static psc_value *constant(fixture *f, unsigned dtype, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return add(f, (psc_value){.op = PSY_OP_CONST, .dtype = (uint8_t)dtype, .bits = psc_fold_cast(PSY_F64, dtype, bits)});
}

/* Elementwise, as large as the largest operand. */
static psc_value *map(fixture *f, unsigned op, psc_value *a, psc_value *b, psc_value *c)
{
    psc_value v = {.op = op, .operands = {a, b, c}, .operand_count = c ? 3 : b ? 2 : 1};
    const psc_value *last = c ? c : b ? b : a;
    v.dtype = (uint8_t)psy__op_result_dtype(psy__op_info(op), last->dtype);
    psc_ir_space(&v, v.dims, &v.rank);
    return add(f, v);
}

/* Over the last axis. */
static psc_value *reduce(fixture *f, unsigned op, psc_value *a, psc_value *b)
{
    psc_value v = {.op = op, .dtype = a->dtype, .operands = {a, b}, .operand_count = b ? 2 : 1};
    psc_ir_space(&v, v.dims, &v.rank);
    v.index = b ? 0 : v.rank - 1u;
    v.dims[--v.rank] = 0;
    return add(f, v);
}

static void store(fixture *f, psc_value *v, uint32_t field)
{
    psc_value s = {
        .op = PSY_OP_STORE, .dtype = v->dtype, .operands = {v, NULL}, .operand_count = 2, .index = field, .base = PSY_NONE};
    psc_ir_add(&f->arena, &f->program, &s);
}

static size_t count(const fixture *f, unsigned op)
{
    size_t n = 0;
    for (size_t i = 0; i < f->program.values.count; i++) {
        n += f->program.values.at[i]->op == op;
    }
    return n;
}

/* What is stored in the field. */
static const psc_value *stored(const fixture *f, uint32_t field)
{
    for (size_t i = 0; i < f->program.values.count; i++) {
        const psc_value *v = f->program.values.at[i];
        if (v->op == PSY_OP_STORE && v->index == field) {
            return v->operands[0];
        }
    }
    cr_assert(false, "field %u is not stored", field);
    return NULL;
}

/* ---- cse ---- */

Test(passes, cse_makes_one_of_equal_ones)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *again = load(f, 0, 8);
    psc_value *a = map(f, PSY_OP_ADD, map(f, PSY_OP_EXP, x, NULL, NULL), constant(f, PSY_F32, 1), NULL);
    psc_value *b = map(f, PSY_OP_ADD, map(f, PSY_OP_EXP, again, NULL, NULL), constant(f, PSY_F32, 1), NULL);
    store(f, a, 0);
    store(f, b, 1);
    run(f, psc_cse);
    cr_assert(count(f, PSY_OP_LOAD) == 1 && count(f, PSY_OP_EXP) == 1 && count(f, PSY_OP_CONST) == 1 &&
              count(f, PSY_OP_ADD) == 1);
    cr_assert_eq(count(f, PSY_OP_STORE), 2);
    cr_assert_eq(stored(f, 0), stored(f, 1));
    end(f);
}

Test(passes, cse_keeps_what_differs)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *y = load(f, 1, 8);
    store(f, map(f, PSY_OP_SUB, x, y, NULL), 0);
    store(f, map(f, PSY_OP_SUB, y, x, NULL), 1);
    store(f, map(f, PSY_OP_ADD, x, constant(f, PSY_F32, 0), NULL), 2);
    store(f, map(f, PSY_OP_ADD, x, constant(f, PSY_F32, -0.0), NULL), 3);
    for (uint32_t k = 0; k < 4; k++) { /* slices: another start, another step, another length */
        store(f,
              add(f, (psc_value){.op = PSY_OP_SLICE,
                                 .dtype = PSY_F32,
                                 .rank = 1,
                                 .dims = {k == 3 ? 3 : 2},
                                 .operands = {x},
                                 .base = k == 1 ? 2 : 1,
                                 .step = k == 2 ? 2 : 1}),
              4 + k);
    }
    size_t before = f->program.values.count;
    run(f, psc_cse);
    cr_assert_eq(f->program.values.count, before);
    end(f);
}

/* ---- dce ---- */

Test(passes, dce_keeps_what_leads_to_a_store)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *unused = load(f, 1, 8);
    map(f, PSY_OP_EXP, map(f, PSY_OP_NEG, unused, NULL, NULL), NULL, NULL);
    psc_value *best = add(f, (psc_value){.op = PSY_OP_TOPK,
                                         .dtype = PSY_F32,
                                         .rank = 1,
                                         .dims = {3},
                                         .operands = {x, NULL},
                                         .operand_count = 2,
                                         .index = 3});
    psc_value *labels = add(f, (psc_value){.op = PSC_OP_LABELS, .dtype = PSY_U64, .rank = 1, .dims = {3}, .operands = {best}});
    psc_value *length = add(f, (psc_value){.op = PSY_OP_LOAD, .dtype = PSY_U32, .index = 2});
    psc_value s = {.op = PSY_OP_STORE, .dtype = PSY_U64, .operands = {labels, length}, .operand_count = 2, .base = PSY_NONE};
    psc_ir_add(&f->arena, &f->program, &s);
    run(f, psc_dce);
    /* x, topk for its labels, the length of what is stored. */
    cr_assert_eq(f->program.values.count, 5);
    cr_assert(count(f, PSY_OP_LOAD) == 2 && count(f, PSY_OP_TOPK) == 1 && count(f, PSC_OP_LABELS) == 1 &&
              count(f, PSY_OP_EXP) == 0);
    end(f);
}

/* ---- fold: what gives the same bits with less work ---- */

Test(passes, simplify)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 0), *v = load(f, 1, 8), *i = add(f, (psc_value){.op = PSY_OP_LOAD, .dtype = PSY_I32, .index = 2});
    psc_value *one = constant(f, PSY_F32, 1), *zero = constant(f, PSY_F32, 0), *minus_zero = constant(f, PSY_F32, -0.0);
    psc_value *integer_zero = constant(f, PSY_I32, 0), *integer_one = constant(f, PSY_I32, 1);
    psc_value *yes = add(f, (psc_value){.op = PSY_OP_CONST, .dtype = PSY_BOOL, .bits = 1});
    const struct {
        psc_value *from, *to; /* to: NULL where it stays what it is */
    } rows[] = {
        {map(f, PSY_OP_MUL, x, one, NULL), x},
        {map(f, PSY_OP_MUL, one, x, NULL), x},
        {map(f, PSY_OP_DIV, x, one, NULL), x},
        {map(f, PSY_OP_DIV, one, x, NULL), NULL},
        {map(f, PSY_OP_ADD, x, minus_zero, NULL), x},
        {map(f, PSY_OP_ADD, minus_zero, x, NULL), x},
        {map(f, PSY_OP_ADD, x, zero, NULL), NULL}, /* -0 + 0 is 0 */
        {map(f, PSY_OP_SUB, x, zero, NULL), x},
        {map(f, PSY_OP_SUB, zero, x, NULL), NULL},
        {map(f, PSY_OP_SUB, x, x, NULL), NULL}, /* infinity */
        {map(f, PSY_OP_MUL, x, zero, NULL), NULL},
        {map(f, PSY_OP_MUL, v, one, NULL), v},
        {map(f, PSY_OP_MUL, i, integer_one, NULL), i},
        {map(f, PSY_OP_ADD, i, integer_zero, NULL), i},
        {map(f, PSY_OP_ADD, integer_zero, i, NULL), i},
        {map(f, PSY_OP_SUB, i, integer_zero, NULL), i},
        {map(f, PSY_OP_SHL, i, integer_zero, NULL), i},
        {map(f, PSY_OP_OR, i, integer_zero, NULL), i},
        {map(f, PSY_OP_XOR, i, integer_zero, NULL), i},
        {map(f, PSY_OP_AND, i, integer_zero, NULL), NULL},
        {map(f, PSY_OP_NEG, map(f, PSY_OP_NEG, x, NULL, NULL), NULL, NULL), x},
        {map(f, PSY_OP_CHOOSE, yes, x, one), x},
        {map(f, PSY_OP_CHOOSE, yes, x, v), NULL}, /* it would be smaller */
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        store(f, rows[k].from, (uint32_t)k);
    }
    run(f, psc_fold);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const psc_value *now = stored(f, (uint32_t)k);
        cr_assert_eq(now, rows[k].to ? rows[k].to->next : rows[k].from->next, "row %zu is %s", k, psy__op_info(now->op)->name);
        cr_assert(rows[k].to || (now->op == rows[k].from->op && now->operand_count == rows[k].from->operand_count), "row %zu",
                  k);
    }
    end(f);
}

Test(passes, simplify_divides_by_powers_of_two)
{
    static const struct {
        double by;
        bool exact;
    } rows[] = {{2, true}, {-0.25, true}, {0x1p100, true}, {3, false}, {0, false}, {INFINITY, false}, {0x1p-140, false}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        fixture *f = begin();
        store(f, map(f, PSY_OP_DIV, load(f, 0, 8), constant(f, PSY_F32, rows[k].by), NULL), 0);
        run(f, psc_fold);
        const psc_value *now = stored(f, 0);
        cr_assert_eq(now->op, rows[k].exact ? PSY_OP_MUL : PSY_OP_DIV, "by %g", rows[k].by);
        uint64_t wanted;
        double reciprocal = 1 / rows[k].by;
        memcpy(&wanted, &reciprocal, sizeof wanted);
        cr_assert(!rows[k].exact || now->operands[1]->bits == psc_fold_cast(PSY_F64, PSY_F32, wanted), "by %g", rows[k].by);
        end(f);
    }
}

/* ---- fuse ---- */

static psc_apart_reason reason(const fixture *f, const psc_value *from, const psc_value *to)
{
    for (size_t i = 0; i < f->program.apart.count; i++) {
        if (f->program.apart.at[i].from == from && f->program.apart.at[i].to == to) {
            return f->program.apart.at[i].why;
        }
    }
    cr_assert(false, "they are not apart");
    return PSC_APART_KIND;
}

static bool together(const psc_value *a, const psc_value *b) { return a->group && a->group == b->group; }

Test(passes, fuse_chains_and_reductions)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *a = map(f, PSY_OP_EXP, x, NULL, NULL), *b = map(f, PSY_OP_NEG, a, NULL, NULL);
    psc_value *sum = reduce(f, PSY_OP_SUM, b, NULL), *after = map(f, PSY_OP_SQRT, sum, NULL, NULL);
    psc_value *again = map(f, PSY_OP_MUL, b, after, NULL);
    store(f, after, 0);
    store(f, again, 1);
    run(f, psc_fuse);
    cr_assert(together(a, b) && together(b, sum) && together(sum, after));
    cr_assert(f->program.regions.count == 1 && f->program.regions.at[0].reduces);
    cr_assert_eq(again->group, 0);
    cr_assert_eq(reason(f, after, again), PSC_APART_REDUCED);
    cr_assert_eq(reason(f, x, a), PSC_APART_KIND);
    end(f);
}

Test(passes, fuse_reductions_of_one_value)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *least = reduce(f, PSY_OP_RMIN, x, NULL), *most = reduce(f, PSY_OP_RMAX, x, NULL);
    psc_value *sum = reduce(f, PSY_OP_SUM, x, NULL);
    store(f, least, 0);
    store(f, most, 1);
    store(f, sum, 2);
    run(f, psc_fuse);
    cr_assert(together(least, most) && together(most, sum));
    end(f);
}

/* A product of what all messages share with a message's vector has a kernel of its own, that more reductions would forgo. */
Test(passes, fuse_leaves_products_alone)
{
    fixture *f = begin();
    psc_value *words = add(f, (psc_value){.op = PSY_OP_RESIDENT, .dtype = PSY_F32, .rank = 2, .dims = {16, 8}});
    psc_value *x = load(f, 0, 8), *dot = reduce(f, PSY_OP_DOT, words, x),
              *norm = reduce(f, PSY_OP_SUM, map(f, PSY_OP_MUL, words, x, NULL), NULL);
    psc_value *scaled = map(f, PSY_OP_NEG, dot, NULL, NULL);
    store(f, scaled, 0);
    store(f, norm, 1);
    run(f, psc_fuse);
    cr_assert(together(dot, scaled), "what is made of a product joins it");
    cr_assert_not(together(dot, norm));
    end(f);
}

Test(passes, fuse_says_why_not)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8),
              *once = map(f, PSY_OP_EXP, add(f, (psc_value){.op = PSY_OP_RESIDENT, .dtype = PSY_F32, .rank = 1, .dims = {8}}),
                          NULL, NULL);
    psc_value *both = map(f, PSY_OP_ADD, once, x, NULL);
    store(f, both, 0);
    psc_value *small = map(f, PSY_OP_EXP, load(f, 1, 0), NULL, NULL), *large = map(f, PSY_OP_MUL, x, small, NULL);
    store(f, large, 1);
    /* b is a, and a again by way of an operation that shares no kernel. */
    psc_value *a = map(f, PSY_OP_SIN, x, NULL, NULL);
    psc_value *scan = add(f, (psc_value){.op = PSY_OP_CUMSUM, .dtype = PSY_F32, .rank = 1, .dims = {8}, .operands = {a}});
    psc_value *b = map(f, PSY_OP_ADD, a, scan, NULL);
    store(f, b, 2);
    run(f, psc_fuse);
    cr_assert_eq(reason(f, once, both), PSC_APART_ONCE);
    cr_assert_eq(reason(f, small, large), PSC_APART_SPACE);
    cr_assert_eq(reason(f, a, b), PSC_APART_CIRCLE);
    cr_assert_eq(reason(f, scan, b), PSC_APART_KIND);
    end(f);
}

Test(passes, fuse_stops_at_the_largest_kernel)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 8), *last = x;
    for (unsigned k = 0; k < 100; k++) {
        last = map(f, PSY_OP_NEG, last, NULL, NULL);
    }
    store(f, last, 0);
    run(f, psc_fuse);
    cr_assert_eq(f->program.regions.count, 3);
    size_t members[4] = {0};
    for (size_t i = 0; i < f->program.values.count; i++) {
        members[f->program.values.at[i]->group]++;
    }
    cr_assert(members[1] <= 48 && members[2] <= 48 && members[3] <= 48 && members[1] + members[2] + members[3] == 100);
    end(f);
}

/* ---- schedule ---- */

static psc_value *cumsum(fixture *f, psc_value *x)
{
    psc_value v = *x;
    return add(f, (psc_value){
                      .op = PSY_OP_CUMSUM, .dtype = PSY_F32, .rank = v.rank, .dims = {v.dims[0]}, .operands = {x}, .index = 0});
}

/* Bytes of all slots, sizes that have names guessed. */
static uint64_t slot_bytes(fixture *f)
{
    uint64_t bytes[64] = {0}, sum = 0;
    run(f, psc_plan);
    cr_assert_leq(f->program.slot_count, 64);
    for (size_t i = 0; i < f->program.values.count; i++) {
        const psc_value *v = f->program.values.at[i];
        uint16_t slot = v->op == PSY_OP_STORE ? PSY_NO_SLOT : f->program.registers.at[v->reg].slot;
        if (slot != PSY_NO_SLOT) {
            bytes[slot] = psc_ir_bytes(v) > bytes[slot] ? psc_ir_bytes(v) : bytes[slot];
        }
    }
    for (uint32_t i = 0; i < f->program.slot_count; i++) {
        sum += bytes[i];
    }
    return sum;
}

/* Six large values, all made before the first is read: what is read at once needs the memory of one and what it is made of. */
static fixture *large_values(void)
{
    fixture *f = begin();
    psc_value *large[6], *x = load(f, 0, 1000), *sum = NULL;
    for (unsigned k = 0; k < 6; k++) {
        large[k] = cumsum(f, map(f, PSY_OP_MUL, x, constant(f, PSY_F32, k + 2), NULL));
    }
    for (unsigned k = 0; k < 6; k++) {
        psc_value *one = reduce(f, PSY_OP_SUM, large[k], NULL);
        sum = sum ? map(f, PSY_OP_ADD, sum, one, NULL) : one;
    }
    store(f, sum, 0);
    return f;
}

Test(passes, schedule_reads_what_is_large_at_once)
{
    fixture *written = large_values(), *scheduled = large_values();
    run(scheduled, psc_schedule);
    uint64_t before = slot_bytes(written), after = slot_bytes(scheduled);
    cr_assert_geq(before, 6 * 4000);
    cr_assert_leq(after, 2 * 4000 + 64, "%lu bytes", (unsigned long)after);
    end(written);
    end(scheduled);
}

/* Where no order needs less, it stays that of the source. */
Test(passes, schedule_leaves_a_chain_alone)
{
    fixture *f = begin();
    psc_value *last = load(f, 0, 8), *values[16];
    for (unsigned k = 0; k < 16; k++) {
        values[k] = last = cumsum(f, last);
    }
    store(f, last, 0);
    run(f, psc_schedule);
    for (size_t k = 0; k < 16; k++) {
        cr_assert_eq(f->program.values.at[k + 1], values[k]);
    }
    end(f);
}

/* Something small does not take a large slot, which the next large value would then lack. */
Test(passes, plan_keeps_large_slots_for_what_is_large)
{
    fixture *f = begin();
    psc_value *x = load(f, 0, 1000), *kept[4];
    for (unsigned k = 0; k < 4; k++) {
        kept[k] = reduce(f, PSY_OP_SUM, cumsum(f, map(f, PSY_OP_MUL, x, constant(f, PSY_F32, k + 2), NULL)), NULL);
    }
    for (unsigned k = 0; k < 4; k++) {
        store(f, kept[k], k);
    }
    cr_assert_leq(slot_bytes(f), 2 * 4000 + 64);
    end(f);
}

/* ---- plan ---- */

/* Two registers of one slot are never alive at once, and both of one message or both of all. What is alive is found here again,
 * value by value. */
static void check_slots(const fixture *f)
{
    const psc_program *p = &f->program;
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *a = p->values.at[i];
        uint16_t slot = a->op == PSY_OP_STORE ? PSY_NO_SLOT : p->registers.at[a->reg].slot;
        size_t last = i;
        for (size_t k = i + 1; k < p->values.count; k++) {
            for (unsigned o = 0; o < p->values.at[k]->operand_count; o++) {
                const psc_value *read = p->values.at[k]->operands[o];
                last = read && psc_ir_root(read) == a ? k : last;
            }
        }
        for (size_t k = i + 1; k < p->values.count && slot != PSY_NO_SLOT; k++) {
            const psc_value *b = p->values.at[k];
            if (b->op == PSY_OP_STORE || p->registers.at[b->reg].slot != slot) {
                continue;
            }
            cr_assert(k > last, "%zu is written into slot %u, where %zu is read at %zu", k, slot, i, last);
            cr_assert_eq(a->batched, b->batched);
            cr_assert(a->batched || last == i || !p->values.at[last]->batched, "%zu is read for every message", i);
        }
    }
}

Test(passes, plan_uses_slots_again)
{
    fixture *f = begin();
    psc_value *last = load(f, 0, 8);
    for (unsigned k = 0; k < 20; k++) {
        last = add(f, (psc_value){.op = PSY_OP_CUMSUM, .dtype = PSY_F32, .rank = 1, .dims = {8}, .operands = {last}});
    }
    store(f, last, 0);
    run(f, psc_plan);
    check_slots(f);
    cr_assert_eq(f->program.slot_count, 2);
    end(f);
}

Test(passes, plan_of_random_programs)
{
    uint64_t state = 1;
    for (unsigned round = 0; round < 300; round++) {
        fixture *f = begin();
        psc_value *all[40] = {load(f, 0, 8), load(f, 1, 8),
                              add(f, (psc_value){.op = PSY_OP_RESIDENT, .dtype = PSY_F32, .rank = 1, .dims = {8}})};
        unsigned n = 3;
        while (n < 40) {
            unsigned picked[3];
            for (unsigned k = 0; k < 3; k++) {
                state = state * UINT64_C(6364136223846793005) + 1;
                picked[k] = (unsigned)(state >> 33) % (k ? n : 7);
            }
            psc_value *a = all[picked[1]], *b = all[picked[2]];
            switch (picked[0]) {
            case 0:
                all[n] = add(f, (psc_value){.op = PSY_OP_CUMSUM, .dtype = PSY_F32, .rank = 1, .dims = {8}, .operands = {a}});
                break;
            case 1: /* a view */
                all[n] = add(f, (psc_value){.op = PSY_OP_RESHAPE, .dtype = PSY_F32, .rank = 1, .dims = {8}, .operands = {a}});
                break;
            case 2: all[n] = map(f, PSY_OP_MUL, a, reduce(f, PSY_OP_SUM, b, NULL), NULL); break;
            case 3: all[n] = map(f, PSY_OP_EXP, a, NULL, NULL); break;
            default: all[n] = map(f, PSY_OP_ADD, a, b, NULL); break;
            }
            n++;
        }
        for (unsigned k = 0; k < 4; k++) {
            store(f, all[36 + k], k);
        }
        run(f, psc_dce);
        if (round % 2) {
            run(f, psc_fuse);
        }
        if (round / 2 % 2) {
            size_t n_before = f->program.values.count;
            run(f, psc_schedule); /* the check after it knows operands that come too late, and regions in pieces */
            cr_assert_eq(f->program.values.count, n_before);
        }
        run(f, psc_plan);
        check_slots(f);
        end(f);
    }
}

/* The labels of a topk take the register after its values, used or not, and a slot for as long as both are written. */
Test(passes, plan_of_labels)
{
    fixture *f = begin();
    psc_value *best[2], *x = load(f, 0, 8);
    for (unsigned k = 0; k < 2; k++) {
        best[k] = add(f, (psc_value){.op = PSY_OP_TOPK,
                                     .dtype = PSY_F32,
                                     .rank = 1,
                                     .dims = {3},
                                     .operands = {x, NULL},
                                     .operand_count = 2,
                                     .index = 3});
    }
    psc_value *labels =
        add(f, (psc_value){.op = PSC_OP_LABELS, .dtype = PSY_U64, .rank = 1, .dims = {3}, .operands = {best[1]}});
    store(f, best[0], 0);
    store(f, labels, 1);
    run(f, psc_plan);
    const psy_psm_register *r = f->program.registers.at;
    cr_assert_eq(labels->reg, best[1]->reg + 1);
    cr_assert(r[best[0]->reg + 1].dtype == PSY_U64 && r[labels->reg].dtype == PSY_U64);
    cr_assert_neq(r[best[0]->reg].slot, r[best[0]->reg + 1].slot);
    cr_assert_neq(r[best[0]->reg].slot, r[best[1]->reg].slot, "the first values are read after the second are written");
    cr_assert_neq(r[best[1]->reg].slot, r[labels->reg].slot);
    end(f);
}
