/* SPDX-License-Identifier: Apache-2.0 */
/* What binding a program does, as C: sizes that follow from others, checks of sizes, and where slots lie. Literals were checked
 * when the module was verified; only what depends on sizes is written. */
#include <stdlib.h>
#include <string.h>

#include "emit_kernels.h"
#include "isa/verify.h"

typedef struct layout {
    psc_arena *arena;
    const psy__module *m;
    const psy_psm_program *p;
    const psy_psm_register *registers;
    FILE *to;
} layout;

static const char *dim(const layout *l, psy_dim d)
{
    return psy__dim_is_symbol(d) ? psc_format(l->arena, "s[%u]", psy__dim_symbol(d)) : psc_format(l->arena, "%u", d);
}

static bool is_known(const psy_psm_register *r)
{
    for (uint32_t d = 0; d < r->rank; d++) {
        if (psy__dim_is_symbol(r->dims[d])) {
            return false;
        }
    }
    return true;
}

/* The product of dims and `first`: literals are multiplied here. */
static const char *product(const layout *l, uint64_t first, const psy_psm_register *r)
{
    const char *text;
    bool fits = true;
    for (uint32_t d = 0; d < r->rank; d++) {
        if (!psy__dim_is_symbol(r->dims[d])) {
            fits = fits && !__builtin_mul_overflow(first, (uint64_t)r->dims[d], &first);
        }
    }
    text = psc_format(l->arena, "UINT64_C(%llu)", (unsigned long long)(fits ? first : UINT64_MAX));
    for (uint32_t d = 0; d < r->rank; d++) {
        if (psy__dim_is_symbol(r->dims[d])) {
            text = psc_format(l->arena, "psy_kernel_times(&plan, %s, %s)", text, dim(l, r->dims[d]));
        }
    }
    return text;
}

static void want(const layout *l, const char *what) { fprintf(l->to, "    psy_kernel_want(&plan, %s);\n", what); }

/* Two dims, unless they are one. */
static void holds(const layout *l, psy_dim a, const char *relation, psy_dim b)
{
    if (a != b && (psy__dim_is_symbol(a) || psy__dim_is_symbol(b))) {
        want(l, psc_format(l->arena, "%s %s %s", dim(l, a), relation, dim(l, b)));
    }
}

static void put_sizes(const layout *l)
{
    static const char *const functions[PSY_SYMBOL_KIND_END] = {[PSY_SYMBOL_ADD] = "sum",
                                                               [PSY_SYMBOL_SUBTRACT] = "rest",
                                                               [PSY_SYMBOL_MULTIPLY] = "times",
                                                               [PSY_SYMBOL_DIVIDE] = "quotient"};
    for (uint32_t i = 0; i < l->m->symbol_count; i++) {
        const psy_psm_symbol *s = &l->m->symbols[i];
        if (functions[s->kind]) {
            fprintf(l->to, "    s[%u] = psy_kernel_%s(&plan, %s, %s);\n", i, functions[s->kind], dim(l, s->of),
                    dim(l, s->with));
        }
    }
    for (uint32_t i = 0; i < l->m->symbol_count; i++) {
        if (l->m->symbols[i].kind == PSY_SYMBOL_LOCAL) {
            want(l, psc_format(l->arena, "s[%u] <= s[%u]", i, l->m->symbols[i].of));
        }
    }
    for (uint32_t i = 0; i < l->m->check_count; i++) {
        const psy_psm_check *c = &l->m->checks[i];
        fprintf(l->to, "    // %s\n", psc_kernel_comment(l->arena, psy__module_string(l->m, c->message)));
        holds(l, c->left, c->relation == PSY_CHECK_EQ ? "==" : ">=", c->right);
    }
}

/* What reshapes, slices, joins and sorts need of sizes. */
static void put_shapes(const layout *l)
{
    psy__instruction at;
    for (uint32_t word = 0; word < l->p->word_count; word = at.next) {
        psy__instruction_at(l->m, l->p, word, &at);
        const psy_psm_register *y = at.dst_count ? &l->registers[at.dst] : NULL;
        const psy_psm_register *x = at.op == PSY_OP_RESHAPE || at.op == PSY_OP_SLICE || at.info->class_ == PSY_CLASS_SORT
                                        ? &l->registers[at.operands[0]]
                                        : NULL;
        if (at.op == PSY_OP_RESHAPE && !(is_known(x) && is_known(y)) && !psy__only_ones_differ(x, y)) {
            want(l, psc_format(l->arena, "%s == %s", product(l, 1, x), product(l, 1, y)));
        } else if (at.op == PSY_OP_SLICE) {
            uint32_t axis = at.operands[1];
            bool known =
                !psy__dim_is_symbol(x->dims[axis]) && !psy__dim_is_symbol(y->dims[axis]) && !psy__dim_is_symbol(at.operands[2]);
            if (!known) {
                want(l, psc_format(l->arena, "psy_kernel_slice_fits(%s, %s, %s, %d)", dim(l, x->dims[axis]),
                                   dim(l, at.operands[2]), dim(l, y->dims[axis]), (int32_t)at.operands[3]));
            }
        } else if (at.info->class_ == PSY_CLASS_JOIN) {
            const char *sum = "UINT64_C(0)";
            for (uint32_t i = 1; i < at.operand_count; i++) {
                sum = psc_format(l->arena, "psy_kernel_sum(&plan, %s, %s)", sum,
                                 dim(l, l->registers[at.operands[i]].dims[at.operands[0]]));
            }
            want(l, psc_format(l->arena, "%s == %s", dim(l, y->dims[at.operands[0]]), sum));
        } else if (at.info->class_ == PSY_CLASS_SORT) {
            holds(l, y->dims[y->rank - 1], "<=", x->dims[x->rank - 1]);
        }
    }
}

/* Every slot is as large as its largest register. */
static void put_slots(const layout *l, const bool *batched)
{
    const char **bytes = psc_alloc(l->arena, (l->p->slot_count + 1) * sizeof *bytes);
    bool *of_message = psc_alloc(l->arena, l->p->slot_count + 1);
    for (uint32_t r = 0; r < l->p->register_count; r++) {
        const psy_psm_register *reg = &l->registers[r];
        if (reg->slot != PSY_NO_SLOT) {
            const char *text = product(l, psy__dtype_bytes(reg->dtype), reg), *before = bytes[reg->slot];
            of_message[reg->slot] = batched[r];
            if (!before) {
                bytes[reg->slot] = text;
            } else if (strcmp(before, text) != 0) {
                bytes[reg->slot] = psc_format(l->arena, "psy_kernel_max(%s, %s)", before, text);
            }
        }
    }
    for (uint32_t s = 0; s < l->p->slot_count; s++) {
        fprintf(l->to, "    f->slots[%u] = psy_kernel_slot(&plan, &plan.%s, %s);\n", s, of_message[s] ? "arena" : "uniform",
                bytes[s] ? bytes[s] : "0");
    }
}

/* Room to put things in order: a top-k's k, twice a sort's axis. */
static void put_picks(const layout *l)
{
    psy__instruction at;
    for (uint32_t word = 0; word < l->p->word_count; word = at.next) {
        psy__instruction_at(l->m, l->p, word, &at);
        const char *need = NULL;
        if (at.info->class_ == PSY_CLASS_SELECT) {
            need = psc_format(l->arena, "%u", at.operands[2]);
        } else if (at.info->class_ == PSY_CLASS_SORT) {
            const psy_psm_register *x = &l->registers[at.operands[0]];
            need = psc_format(l->arena, "psy_kernel_times(&plan, 2, %s)", dim(l, x->dims[x->rank - 1]));
        }
        if (need) {
            fprintf(l->to, "    plan.picks = psy_kernel_max(plan.picks, %s);\n", need);
        }
    }
}

void psc_emit_c_layout(psc_arena *arena, const psy__module *m, uint32_t program, const char *symbol, FILE *to)
{
    const psy_psm_program *p = &m->programs[program];
    layout l = {.arena = arena, .m = m, .p = p, .registers = m->registers + p->first_register, .to = to};
    bool *batched = psc_alloc(arena, p->register_count + 1);
    psy__program_batched(m, p, batched);
    fprintf(to, "\nstatic int %s_layout(psy_kernel_frame *f)\n{\n", symbol);
    fprintf(to, "    psy_kernel_plan plan = {PSY_OK, 0, 0, 0};\n    uint64_t *s = f->sizes;\n    (void)s;\n");
    put_sizes(&l);
    put_shapes(&l);
    put_slots(&l, batched);
    put_picks(&l);
    fprintf(to, "    return psy_kernel_planned(f, &plan);\n}\n");
}
