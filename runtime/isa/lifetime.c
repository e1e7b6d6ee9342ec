/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/lifetime.h"

#include <stdlib.h>
#include <string.h>

#include "isa/verify.h"

/* Calls `visit` for every register that an instruction reads. */
static void each_read(const psy__instruction *at, void (*visit)(void *, uint32_t), void *context)
{
    for (uint32_t i = 0; i < at->operand_count; i++) {
        if (psy__op_reads_register(at->info, i) && at->operands[i] != PSY_NONE) {
            visit(context, at->operands[i]);
        }
    }
}

typedef struct any_batched {
    const bool *batched;
    bool any;
} any_batched;

static void look(void *context, uint32_t r)
{
    any_batched *a = context;
    a->any = a->any || a->batched[r];
}

static bool is_batched(const psy__instruction *at, const bool *batched)
{
    any_batched a = {batched, psy__op_reads_message(at->op)};
    each_read(at, look, &a);
    return a.any;
}

void psy__program_batched(const psy__module *m, const psy_psm_program *p, bool *batched)
{
    memset(batched, 0, p->register_count * sizeof *batched);
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(m, p, word, &at);
        if (at.op == PSY_OP_REGION) {
            bool any = false;
            uint32_t first = at.next, end = first;
            for (uint32_t i = 0; i < at.operands[0]; i++) {
                psy__instruction in;
                psy__instruction_at(m, p, end, &in);
                batched[in.dst] = is_batched(&in, batched);
                any = any || batched[in.dst];
                end = in.next;
            }
            for (uint32_t inner = first; inner < end;) {
                psy__instruction in;
                psy__instruction_at(m, p, inner, &in);
                batched[in.dst] = any;
                inner = in.next;
            }
            at.next = end;
            continue;
        }
        bool any = is_batched(&at, batched);
        for (uint32_t i = 0; i < at.dst_count; i++) {
            batched[at.dst + i] = any;
        }
    }
}

/* An instant is an instruction, or a whole region. */
typedef struct interval {
    uint32_t first, last, slot, reg;
    uint32_t root; /* a SHAPE's: whose elements it names; else itself */
} interval;

typedef struct walker {
    interval *intervals;
    const bool *batched;
    uint32_t now;
    bool reader_batched;
} walker;

static void mark_read(void *context, uint32_t r)
{
    walker *w = context;
    interval *i = &w->intervals[w->intervals[r].root];
    i->last = !w->batched[r] && w->reader_batched ? UINT32_MAX : i->last > w->now ? i->last : w->now;
}

static int by_slot_then_first(const void *a, const void *b)
{
    const interval *x = a, *y = b;
    if (x->slot != y->slot) {
        return x->slot < y->slot ? -1 : 1;
    }
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x->reg < y->reg ? -1 : x->reg > y->reg);
}

static psy_status check(const psy__module *m, const psy_psm_program *p, interval *intervals, bool *batched)
{
    psy__program_batched(m, p, batched);
    walker w = {intervals, batched, 0, false};
    uint32_t region_left = 0;
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(m, p, word, &at);
        for (uint32_t i = 0; i < at.dst_count; i++) {
            uint32_t r = at.dst + i;
            uint32_t root = at.info->class_ == PSY_CLASS_SHAPE ? intervals[at.operands[0]].root : r;
            intervals[r] = (interval){w.now, w.now, m->registers[p->first_register + r].slot, r, root};
        }
        w.reader_batched = at.dst_count == 0 || batched[at.dst];
        each_read(&at, mark_read, &w);
        if (at.op == PSY_OP_REGION) {
            region_left = at.operands[0];
        } else if (region_left == 0 || --region_left == 0) {
            w.now++;
        }
    }
    qsort(intervals, p->register_count, sizeof *intervals, by_slot_then_first);
    for (uint32_t i = 1; i < p->register_count; i++) {
        const interval *a = &intervals[i - 1], *b = &intervals[i];
        if (a->slot != b->slot || a->slot == PSY_NO_SLOT) {
            continue;
        }
        if (batched[a->reg] != batched[b->reg]) {
            return psy_fail(PSY_CORRUPT, "program %s: registers %u and %u share slot %u, but only one is batched",
                            psy__module_string(m, p->name), a->reg, b->reg, a->slot);
        }
        if (b->first <= a->last) {
            return psy_fail(PSY_CORRUPT, "program %s: registers %u and %u share slot %u while both are alive",
                            psy__module_string(m, p->name), a->reg, b->reg, a->slot);
        }
    }
    return PSY_OK;
}

psy_status psy__lifetimes_verify(const psy__module *m, const psy_psm_program *p)
{
    interval *intervals = calloc(p->register_count + 1u, sizeof *intervals);
    bool *batched = calloc(p->register_count + 1u, sizeof *batched);
    psy_status status =
        intervals && batched ? check(m, p, intervals, batched) : psy_fail(PSY_NO_MEMORY, "no memory to verify a program");
    free(intervals);
    free(batched);
    return status;
}
