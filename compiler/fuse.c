/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of values that one kernel computes: an index space, the reductions of its last axis, and what is made of them.
 *
 * Every elementwise value and every reduction of a last axis starts as a group of its own. Groups are merged along the edges
 * from producer to consumer as long as the result is still one region (runtime/isa/verify.h says what that is) and no path
 * leaves it and comes back. What runs once (uniform) and what runs for every message never share a region. The list is then put
 * in an order in which every region is in one piece.
 *
 * Paths are cheap to find because groups are kept in an order in which what a group reads comes before it: what may lie between
 * two groups is what the later one needs, back to the place of the earlier one. That is moved in front of the earlier one when
 * the two become one, as Pearce and Kelly do ("A Dynamic Topological Sort Algorithm for Directed Acyclic Graphs", 2006). Places
 * are numbers with gaps between them, given out anew where a gap is full.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { REGION_VALUES_MAX = 48 };
/* Searches look at this many operands for every value of the program, all together: no program that people write comes near.
 * Beyond that nothing more is merged. */
enum { STEPS_PER_VALUE = 1000 };
static const uint64_t place_gap = UINT64_C(1) << 32;

typedef struct group {
    psc_region region;
    bool batched;
    bool alone;                    /* one value that shares no region */
    bool written;                  /* it is in the new order */
    PSC_LIST(psc_value *) members; /* in order of id */
    struct group *previous, *next; /* by place */
    uint64_t place;
    uint32_t search; /* the last one that found it */
} group;

typedef struct fuser {
    psc_unit *unit;
    psc_program *program;
    group **of;                    /* by value id */
    PSC_LIST(psc_value *) * users; /* by value id */
    group ends;                    /* of the list by place: next is the first, previous the last */
    PSC_LIST(group *) between;     /* what the last search found */
    uint32_t searches;
    uint64_t steps_left;
} fuser;

static bool fusable(const psc_value *v)
{
    if (psc_ir_is_elementwise(v)) {
        return true;
    }
    if (!psc_ir_is_reduction(v)) {
        return false;
    }
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    psc_ir_space(v, dims, &rank);
    return psc_ir_axis(v) + 1u == rank;
}

static void link_before(group *g, group *at)
{
    g->previous = at->previous;
    g->next = at;
    g->previous->next = g->next->previous = g;
}

static void unlink_group(group *g)
{
    g->previous->next = g->next;
    g->next->previous = g->previous;
}

static group *group_new(fuser *f, psc_value *v)
{
    group *g = psc_new(f->unit->arena, group);
    g->batched = v->batched;
    g->alone = !fusable(v);
    if (!g->alone) {
        g->region.reduces = psc_ir_is_reduction(v);
        psc_ir_space(v, g->region.dims, &g->region.rank);
    }
    psc_push(f->unit->arena, &g->members, v);
    g->place = f->ends.previous->place + place_gap;
    link_before(g, &f->ends);
    return g;
}

static bool same_space(const psc_region *r, uint32_t rank, const psc_region *s)
{
    return rank == s->rank && memcmp(r->dims, s->dims, rank * sizeof *r->dims) == 0;
}

/* The region of both, or false. */
static bool join(const psc_region *p, const psc_region *c, psc_region *out)
{
    if (p->reduces == c->reduces) {
        *out = *p;
        return same_space(p, p->rank, c);
    }
    const psc_region *red = p->reduces ? p : c, *map = p->reduces ? c : p;
    *out = *red;
    return same_space(red, red->rank, map) || same_space(red, red->rank - 1u, map);
}

/* Whether the value is computed over the whole space (else over the space without its last axis). */
static bool in_first_part(const psc_region *r, const psc_value *v)
{
    return psc_ir_is_reduction(v) || !r->reduces || v->rank == r->rank;
}

static bool is_member(const group *a, const group *b, const fuser *f, const psc_value *v)
{
    const group *g = f->of[v->id];
    return g && (g == a || g == b);
}

/* No value of the first part may read a reduction of the region, nor anything of its second part. */
static bool parts_are_sound(const fuser *f, const group *a, const group *b, const psc_region *r)
{
    for (unsigned which = 0; which < 2; which++) {
        const group *g = which ? b : a;
        for (size_t i = 0; i < g->members.count; i++) {
            const psc_value *v = g->members.at[i];
            for (unsigned k = 0; in_first_part(r, v) && k < v->operand_count; k++) {
                const psc_value *o = v->operands[k];
                if (o && is_member(a, b, f, o) && (psc_ir_is_reduction(o) || !in_first_part(r, o))) {
                    return false;
                }
            }
        }
    }
    return true;
}

/* Adds what the group reads to what lies between. True: it reads `early`, or the search has taken too long. */
static bool reads_early(fuser *f, const group *g, const group *early, const group *late)
{
    for (size_t i = 0; i < g->members.count; i++) {
        const psc_value *v = g->members.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            group *o = v->operands[k] ? f->of[v->operands[k]->id] : NULL;
            if (f->steps_left == 0 || (o == early && g != late)) {
                return true;
            }
            f->steps_left--;
            if (o && o != late && o->place > early->place && o->search != f->searches) {
                o->search = f->searches;
                psc_push(f->unit->arena, &f->between, o);
            }
        }
    }
    return false;
}

/* Whether a path leads from one group to the other through a third one. Otherwise `between` has all groups that the later one
 * needs and that come after the earlier one. */
static bool comes_back(fuser *f, group *a, group *b)
{
    const group *early = a->place < b->place ? a : b, *late = early == a ? b : a;
    f->searches++;
    f->between.count = 0;
    bool found = reads_early(f, late, early, late);
    for (size_t i = 0; i < f->between.count && !found; i++) {
        found = reads_early(f, f->between.at[i], early, late);
    }
    return found;
}

static int by_place(const void *a, const void *b)
{
    const group *x = *(group *const *)a, *y = *(group *const *)b;
    return x->place < y->place ? -1 : x->place > y->place;
}

/* Puts what lies between in front of the group, in the order that it has. */
static void move_before(fuser *f, group *at)
{
    size_t n = f->between.count;
    if (n == 0) {
        return;
    }
    qsort(f->between.at, n, sizeof *f->between.at, by_place);
    uint64_t start = at->previous->place, gap = (at->place - start) / (n + 1);
    for (size_t i = 0; i < n; i++) {
        group *g = f->between.at[i];
        unlink_group(g);
        link_before(g, at);
        g->place = start + (i + 1) * gap;
    }
    if (gap == 0) {
        uint64_t place = 0;
        for (group *g = f->ends.next; g != &f->ends; g = g->next) {
            g->place = place += place_gap;
        }
    }
}

/* The members of both in order of id. */
static void add_members(fuser *f, group *a, const group *b)
{
    size_t i = a->members.count, k = b->members.count;
    for (size_t m = 0; m < k; m++) {
        f->of[b->members.at[m]->id] = a;
        psc_push(f->unit->arena, &a->members, b->members.at[m]);
    }
    for (size_t to = a->members.count; k > 0;) {
        bool from_a = i > 0 && a->members.at[i - 1]->id > b->members.at[k - 1]->id;
        a->members.at[--to] = from_a ? a->members.at[--i] : b->members.at[--k];
    }
}

/* Whether a value of one that is to be kept is read by the other. */
static bool is_kept_from(const fuser *f, const group *a, const group *b)
{
    for (size_t i = 0; i < a->members.count; i++) {
        const psc_value *v = a->members.at[i];
        for (size_t k = 0; v->kept && k < f->users[v->id].count; k++) {
            if (f->of[f->users[v->id].at[k]->id] == b) {
                return true;
            }
        }
    }
    return false;
}

static void try_merge(fuser *f, group *a, group *b)
{
    psc_region region;
    if (a == b || a->alone || b->alone || a->batched != b->batched || a->members.count + b->members.count > REGION_VALUES_MAX ||
        is_kept_from(f, a, b) || is_kept_from(f, b, a) || !join(&a->region, &b->region, &region) ||
        !parts_are_sound(f, a, b, &region) || comes_back(f, a, b)) {
        return;
    }
    add_members(f, a, b);
    a->region = region;
    move_before(f, a->place < b->place ? a : b);
    if (b->place < a->place) { /* the earlier place, that of b */
        unlink_group(a);
        link_before(a, b);
        a->place = b->place;
    }
    unlink_group(b);
}

/* A product of what all messages share with a message's vector: engines have a kernel of its own for many messages, which a
 * second reduction in the region would forgo. */
static bool is_product(const group *g)
{
    for (size_t i = 0; i < g->members.count; i++) {
        const psc_value *v = g->members.at[i];
        if (v->op == PSY_OP_DOT && v->operands[0]->batched != v->operands[1]->batched) {
            return true;
        }
    }
    return false;
}

/* Reductions that read the same value over the same space become one pass over it. */
static void merge_siblings(fuser *f, const psc_value *read)
{
    group *first = NULL;
    for (size_t k = 0; k < f->users[read->id].count; k++) {
        group *g = f->of[f->users[read->id].at[k]->id];
        if (!g->region.reduces || is_product(g)) {
            continue;
        }
        if (first && first != g) {
            try_merge(f, first, g);
        }
        first = f->of[f->users[read->id].at[k]->id];
    }
}

/* ---- what did not become one ---- */

static psc_apart_reason why_apart(fuser *f, group *a, group *b)
{
    psc_region region;
    return a->alone || b->alone                                      ? PSC_APART_KIND
           : is_kept_from(f, a, b)                                   ? PSC_APART_KEPT
           : a->batched != b->batched                                ? PSC_APART_ONCE
           : a->members.count + b->members.count > REGION_VALUES_MAX ? PSC_APART_LARGE
           : !join(&a->region, &b->region, &region)                  ? PSC_APART_SPACE
           : !parts_are_sound(f, a, b, &region)                      ? PSC_APART_REDUCED
           : comes_back(f, a, b)                                     ? PSC_APART_CIRCLE
                                                                     : PSC_APART_ORDER;
}

static void note_apart(fuser *f, psc_program *p)
{
    p->apart.count = 0;
    for (size_t i = 0; f->unit->options->explain && i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            const psc_value *o = v->operands[k];
            if (o && (f->of[o->id]->alone || f->of[o->id] != f->of[v->id])) {
                psc_apart apart = {o, v, why_apart(f, f->of[o->id], f->of[v->id])};
                psc_push(f->unit->arena, &p->apart, apart);
            }
        }
    }
}

/* ---- the new order ---- */

/* A group on its way: the next operand to look at. */
typedef struct step {
    group *g;
    size_t member;
    unsigned operand;
} step;

typedef struct emitter {
    fuser *f;
    psc_program to;
    PSC_LIST(step) stack;
} emitter;

/* The group of an operand that must come first, and is not there yet. NULL: all are. */
static group *next_wanted(emitter *e, step *at)
{
    for (; at->member < at->g->members.count; at->member++, at->operand = 0) {
        const psc_value *v = at->g->members.at[at->member];
        while (at->operand < v->operand_count) {
            const psc_value *o = v->operands[at->operand++];
            group *g = o ? e->f->of[o->id] : at->g;
            if (g != at->g && !g->written) {
                return g;
            }
        }
    }
    return NULL;
}

static void write_group(emitter *e, group *g)
{
    psc_arena *arena = e->f->unit->arena;
    g->written = true;
    if (g->members.count == 1) {
        psc_push(arena, &e->to.values, g->members.at[0]);
        return;
    }
    psc_push(arena, &e->to.regions, g->region);
    for (unsigned part = 0; part < 2; part++) {
        for (size_t i = 0; i < g->members.count; i++) {
            psc_value *v = g->members.at[i];
            if (in_first_part(&g->region, v) == (part == 0)) {
                v->group = (uint32_t)e->to.regions.count;
                psc_push(arena, &e->to.values, v);
            }
        }
    }
}

/* A group with all it needs first. Groups are in no circle, so this ends. */
static void emit(emitter *e, group *g)
{
    step first = {.g = g};
    psc_push(e->f->unit->arena, &e->stack, first);
    while (e->stack.count) {
        step *at = &e->stack.at[e->stack.count - 1];
        step wanted = {.g = next_wanted(e, at)};
        if (wanted.g) {
            psc_push(e->f->unit->arena, &e->stack, wanted);
        } else {
            write_group(e, at->g);
            e->stack.count--;
        }
    }
}

static void fuse_program(psc_unit *u, psc_program *p)
{
    fuser fusing = {.unit = u, .program = p}, *f = &fusing;
    size_t n = p->values.count;
    f->of = psc_alloc(u->arena, (n + 1) * sizeof *f->of);
    f->users = psc_alloc(u->arena, (n + 1) * sizeof *f->users);
    f->ends.next = f->ends.previous = &f->ends;
    f->steps_left = (uint64_t)n * STEPS_PER_VALUE;
    for (size_t i = 0; i < n; i++) {
        psc_value *v = p->values.at[i];
        v->id = (uint32_t)i;
        v->group = 0;
        f->of[i] = group_new(f, v);
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                psc_push(u->arena, &f->users[v->operands[k]->id], v);
            }
        }
    }
    /* Later consumers first: reductions take in their producers before those go elsewhere. */
    for (size_t i = n; i-- > 0;) {
        psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            if (v->operands[k]) {
                try_merge(f, f->of[v->operands[k]->id], f->of[v->id]);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        merge_siblings(f, p->values.at[i]);
    }
    note_apart(f, p);
    emitter e = {.f = f, .to = *p};
    e.to.values.at = NULL;
    e.to.values.count = e.to.values.room = 0;
    e.to.regions.count = 0;
    for (size_t i = 0; i < n; i++) {
        if (!f->of[i]->written) {
            emit(&e, f->of[i]);
        }
    }
    *p = e.to;
}

void psc_fuse(psc_unit *unit) { psc_each_program(unit, fuse_program); }
