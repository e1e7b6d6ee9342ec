/* SPDX-License-Identifier: Apache-2.0 */
/* The order of instructions and regions: the one that needs the least memory at once. Tried are the order of the source, the
 * one in which everything comes right before its first reader, and a greedy one (of all that is ready, what leaves the least
 * behind). Sizes that have names count as NAMED_SIZE. What runs once is left out: it stays alive whatever the order is. */
#include <string.h>

#include "unit.h"

/* An instruction, or a whole region. */
typedef struct step {
    PSC_LIST(psc_value *) members;
    PSC_LIST(uint32_t) needs, users; /* steps, each once */
    PSC_LIST(uint32_t) reads;        /* roots of what it reads in memory, by value id, each once */
    uint64_t makes;                  /* bytes of what it leaves in memory */
    uint32_t waits;                  /* for so many steps */
    bool done;
} step;

typedef PSC_LIST(uint32_t) order;

typedef struct scheduler {
    psc_unit *unit;
    psc_program *program;
    step *steps;
    uint32_t step_count;
    uint32_t *step_of; /* by value id */
    uint64_t *bytes;   /* by value id: of what lies in memory */
    uint32_t *readers; /* by value id: steps that read it, or a view of it */
} scheduler;

/* ---- what there is ---- */

static void make_steps(scheduler *s)
{
    const psc_program *p = s->program;
    uint32_t group = 0;
    for (size_t i = 0; i < p->values.count; i++) {
        psc_value *v = p->values.at[i];
        v->id = (uint32_t)i;
        bool labels = v->op == PSC_OP_LABELS; /* the second result of an instruction that is there */
        s->step_count += !labels && (i == 0 || v->group == 0 || v->group != group);
        group = labels ? group : v->group;
        s->step_of[i] = labels ? s->step_of[v->operands[0]->id] : s->step_count - 1;
        psc_push(s->unit->arena, &s->steps[s->step_of[i]].members, v);
    }
}

/* True where it was not there; what comes again comes soon. */
#define ADD_ONCE(list, x)                                                                                                      \
    ((list).count && ((list).at[(list).count - 1] == (x) || contains((list).at, (list).count, x))                              \
         ? false                                                                                                               \
         : (psc_push(s->unit->arena, &(list), x), true))

static bool contains(const uint32_t *at, size_t count, uint32_t x)
{
    while (count > 0 && at[count - 1] != x) {
        count--;
    }
    return count > 0;
}

/* What step `n` reads of another one. Operations have few operands, and regions few members. */
static void read_operand(scheduler *s, uint32_t n, const psc_value *operand)
{
    uint32_t from = s->step_of[operand->id];
    const psc_value *root = psc_ir_root(operand);
    if (from == n) {
        return;
    }
    if (ADD_ONCE(s->steps[n].needs, from)) {
        psc_push(s->unit->arena, &s->steps[from].users, n);
        s->steps[n].waits++;
    }
    if (root->batched && psy__op_info(root->op) && !psc_ir_is_view(root)) {
        s->bytes[root->id] = psc_ir_bytes(root);
        if (ADD_ONCE(s->steps[n].reads, root->id)) {
            s->readers[root->id]++;
        }
    }
}

static void find_uses(scheduler *s)
{
    for (uint32_t n = 0; n < s->step_count; n++) {
        for (size_t i = 0; i < s->steps[n].members.count; i++) {
            const psc_value *v = s->steps[n].members.at[i];
            for (unsigned k = 0; k < v->operand_count; k++) {
                if (v->operands[k]) {
                    read_operand(s, n, v->operands[k]);
                }
            }
        }
    }
    for (size_t i = 0; i < s->program->values.count; i++) {
        s->steps[s->step_of[i]].makes += s->bytes[i];
    }
}

/* ---- orders ---- */

/* Bytes that step `n` sets free when it is done, if `left` steps read each value. */
static uint64_t frees(const scheduler *s, uint32_t n, const uint32_t *left)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->steps[n].reads.count; i++) {
        uint32_t id = s->steps[n].reads.at[i];
        bytes += left[id] == 1 ? s->bytes[id] : 0;
    }
    return bytes;
}

static void take_readers(const scheduler *s, uint32_t n, uint32_t *left)
{
    for (size_t i = 0; i < s->steps[n].reads.count; i++) {
        left[s->steps[n].reads.at[i]]--;
    }
}

static uint32_t *copy_readers(const scheduler *s)
{
    size_t n = s->program->values.count;
    uint32_t *left = psc_alloc(s->unit->arena, (n + 1) * sizeof *left);
    memcpy(left, s->readers, n * sizeof *left);
    return left;
}

/* The most bytes that are alive at once. */
static uint64_t peak_of(const scheduler *s, const order *o)
{
    uint64_t live = 0, peak = 0;
    uint32_t *left = copy_readers(s);
    for (size_t i = 0; i < o->count; i++) {
        live += s->steps[o->at[i]].makes;
        peak = live > peak ? live : peak;
        live -= frees(s, o->at[i], left);
        take_readers(s, o->at[i], left);
    }
    return peak;
}

static void source_order(scheduler *s, order *out)
{
    for (uint32_t n = 0; n < s->step_count; n++) {
        psc_push(s->unit->arena, out, n);
    }
}

/* A step on its way, and the next of its needs. */
typedef struct visit {
    uint32_t step;
    size_t need;
} visit;

/* Every store with what it needs before it, first operands first. */
static void late_order(scheduler *s, order *out)
{
    PSC_LIST(visit) stack = {0};
    for (uint32_t root = 0; root < s->step_count; root++) {
        visit first = {root, 0};
        if (s->steps[root].users.count == 0) {
            psc_push(s->unit->arena, &stack, first);
        }
        while (stack.count) {
            visit *at = &stack.at[stack.count - 1];
            step *n = &s->steps[at->step];
            if (n->done) {
                stack.count--;
            } else if (at->need < n->needs.count) {
                visit next = {n->needs.at[at->need++], 0};
                psc_push(s->unit->arena, &stack, next);
            } else {
                n->done = true;
                psc_push(s->unit->arena, out, at->step);
                stack.count--;
            }
        }
    }
}

/* A step that may come, with what it adds to the live bytes; the first in the order of the source where that is the same. */
typedef struct candidate {
    int64_t adds;
    uint32_t step;
} candidate;

static bool comes_first(const candidate *a, const candidate *b)
{
    return a->adds != b->adds ? a->adds < b->adds : a->step < b->step;
}

typedef PSC_LIST(candidate) heap;

static void heap_push(scheduler *s, heap *h, candidate c)
{
    psc_push(s->unit->arena, h, c);
    for (size_t i = h->count - 1; i > 0 && comes_first(&h->at[i], &h->at[(i - 1) / 2]); i = (i - 1) / 2) {
        candidate up = h->at[i];
        h->at[i] = h->at[(i - 1) / 2];
        h->at[(i - 1) / 2] = up;
    }
}

static candidate heap_pop(heap *h)
{
    candidate top = h->at[0];
    h->at[0] = h->at[--h->count];
    for (size_t i = 0;;) {
        size_t best = i, child = 2 * i + 1;
        for (size_t k = child; k < child + 2 && k < h->count; k++) {
            best = comes_first(&h->at[k], &h->at[best]) ? k : best;
        }
        if (best == i) {
            return top;
        }
        candidate down = h->at[i];
        h->at[i] = h->at[best];
        h->at[best] = down;
        i = best;
    }
}

static candidate candidate_of(const scheduler *s, uint32_t n, const uint32_t *left)
{
    return (candidate){(int64_t)s->steps[n].makes - (int64_t)frees(s, n, left), n};
}

/* What a step adds only gets less while others are done: a candidate that is out of date is put back. */
static void greedy_order(scheduler *s, order *out)
{
    heap ready = {0};
    uint32_t *left = copy_readers(s), *waits = psc_alloc(s->unit->arena, (s->step_count + 1) * sizeof *waits);
    for (uint32_t n = 0; n < s->step_count; n++) {
        waits[n] = s->steps[n].waits;
        if (waits[n] == 0) {
            heap_push(s, &ready, candidate_of(s, n, left));
        }
    }
    while (ready.count) {
        candidate top = heap_pop(&ready), now = candidate_of(s, top.step, left);
        if (now.adds != top.adds && ready.count && comes_first(&ready.at[0], &now)) {
            heap_push(s, &ready, now);
            continue;
        }
        psc_push(s->unit->arena, out, top.step);
        take_readers(s, top.step, left);
        const step *n = &s->steps[top.step];
        for (size_t i = 0; i < n->users.count; i++) {
            if (--waits[n->users.at[i]] == 0) {
                heap_push(s, &ready, candidate_of(s, n->users.at[i], left));
            }
        }
    }
}

/* ---- the pass ---- */

static void schedule_program(psc_unit *u, psc_program *p)
{
    static void (*const makers[])(scheduler *, order *) = {source_order, late_order, greedy_order};
    scheduler scheduling = {.unit = u, .program = p}, *s = &scheduling;
    size_t n = p->values.count;
    s->steps = psc_alloc(u->arena, (n + 1) * sizeof *s->steps);
    s->step_of = psc_alloc(u->arena, (n + 1) * sizeof *s->step_of);
    s->bytes = psc_alloc(u->arena, (n + 1) * sizeof *s->bytes);
    s->readers = psc_alloc(u->arena, (n + 1) * sizeof *s->readers);
    make_steps(s);
    find_uses(s);
    order best = {0};
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        order o = {0};
        makers[i](s, &o);
        uint64_t peak = peak_of(s, &o);
        best = peak < least ? o : best;
        least = peak < least ? peak : least;
    }
    p->values.count = 0;
    for (size_t i = 0; i < best.count; i++) {
        const step *next = &s->steps[best.at[i]];
        for (size_t k = 0; k < next->members.count; k++) {
            psc_push(u->arena, &p->values, next->members.at[k]);
        }
    }
}

void psc_schedule(psc_unit *unit) { psc_each_program(unit, schedule_program); }
