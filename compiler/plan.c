/* SPDX-License-Identifier: Apache-2.0 */
/* Registers and arena slots. An instant is an instruction, or a whole region; a slot holds one living register at any instant.
 * What runs once and is read for every message stays alive for good. */
#include <string.h>

#include "unit.h"

typedef struct interval {
    uint32_t first, last;
} interval;

typedef struct slot {
    const psc_value *like; /* the last register in it */
    uint64_t bytes;        /* of the largest one, sizes that have names guessed */
    uint32_t last;
    bool batched;
} slot;

typedef struct planner {
    psc_unit *unit;
    psc_program *program;
    interval *alive; /* by value id */
    bool *outside;   /* by value id: used outside of its region */
    PSC_LIST(slot) slots;
} planner;

static void find_intervals(planner *p)
{
    uint32_t now = 0;
    for (size_t i = 0; i < p->program->values.count; i++) {
        psc_value *v = p->program->values.at[i];
        bool region_goes_on = i > 0 && v->group && v->group == p->program->values.at[i - 1]->group;
        /* LABELS is the same instruction as its TOPK. */
        now += i > 0 && !region_goes_on && v->op != PSC_OP_LABELS;
        v->id = (uint32_t)i;
        p->alive[i] = (interval){now, now};
        if (v->op == PSC_OP_LABELS) {
            p->alive[i].first = p->alive[v->operands[0]->id].first;
        }
        for (unsigned k = 0; k < v->operand_count; k++) {
            const psc_value *o = v->operands[k];
            if (!o) {
                continue;
            }
            bool batched_reader = psc_ir_is_store(v) || v->batched;
            interval *a = &p->alive[psc_ir_root(o)->id]; /* what a view names lives as long as the view is read */
            a->last = !psc_ir_root(o)->batched && batched_reader ? UINT32_MAX : a->last > now ? a->last : now;
            p->outside[o->id] = p->outside[o->id] || o->group == 0 || o->group != v->group;
        }
    }
}

/* A free slot: of the same type, or else one of about the size. Something small in a large slot would only drive the next large
 * thing out of it. */
static uint16_t take_slot(planner *p, const psc_value *v)
{
    enum { ROOM_MAX = 4 };
    uint64_t bytes = psc_ir_bytes(v), least = UINT64_MAX;
    size_t best = p->slots.count;
    for (size_t i = 0; i < p->slots.count; i++) {
        const slot *s = &p->slots.at[i];
        if (s->batched != v->batched || s->last >= p->alive[v->id].first) {
            continue;
        }
        if (psc_ir_same_dims(s->like, v) && s->like->dtype == v->dtype) {
            best = i;
            break;
        }
        uint64_t off = s->bytes > bytes ? s->bytes - bytes : bytes - s->bytes;
        if (s->bytes / ROOM_MAX <= bytes && off < least) {
            least = off;
            best = i;
        }
    }
    slot s = {v, bytes, p->alive[v->id].last, v->batched};
    if (best == p->slots.count) {
        psc_push(p->unit->arena, &p->slots, s);
    } else {
        s.bytes = p->slots.at[best].bytes > bytes ? p->slots.at[best].bytes : bytes;
        p->slots.at[best] = s;
    }
    return (uint16_t)best;
}

static void add_register(planner *p, psc_value *v, uint16_t slot_number)
{
    psy_psm_register r = {.dtype = v->dtype, .rank = v->rank, .slot = slot_number};
    memcpy(r.dims, v->dims, v->rank * sizeof *v->dims);
    v->reg = (uint32_t)p->program->registers.count;
    psc_push(p->unit->arena, &p->program->registers, r);
}

static void plan_program(psc_unit *u, psc_program *program)
{
    planner planning = {.unit = u, .program = program}, *p = &planning;
    size_t n = program->values.count;
    p->alive = psc_alloc(u->arena, (n + 1) * sizeof *p->alive);
    p->outside = psc_alloc(u->arena, n + 1);
    find_intervals(p);
    program->registers.count = 0;
    for (size_t i = 0; i < n; i++) {
        psc_value *v = program->values.at[i];
        if (psc_ir_is_store(v) || v->op == PSC_OP_LABELS) {
            continue;
        }
        bool slotless = psc_ir_is_view(v) || (v->group && !p->outside[i]);
        add_register(p, v, slotless ? PSY_NO_SLOT : take_slot(p, v));
        if (!psc_ir_has_labels(v)) {
            continue;
        }
        /* The labels are the next register, whether they are used or not. */
        psc_value *labels = NULL;
        for (size_t k = i + 1; k < n && !labels; k++) {
            psc_value *x = program->values.at[k];
            labels = x->op == PSC_OP_LABELS && x->operands[0] == v ? x : NULL;
        }
        psc_value unused = {.op = PSC_OP_LABELS, .dtype = PSY_U64, .rank = v->rank, .id = v->id, .batched = v->batched};
        memcpy(unused.dims, v->dims, sizeof unused.dims);
        if (!labels) {
            labels = psc_new(u->arena, psc_value);
            *labels = unused;
            p->alive[v->id].last = p->alive[v->id].first;
        } else {
            p->alive[labels->id].first = p->alive[v->id].first;
        }
        add_register(p, labels, take_slot(p, labels));
    }
    program->slot_count = (uint32_t)p->slots.count;
    if (program->registers.count > PSY_REGISTERS_MAX && n) {
        psc_error(u->diags, PSC_E_LIMIT, program->values.at[n - 1]->span, "program `%s` needs more than %d registers",
                  program->name, PSY_REGISTERS_MAX);
    }
}

void psc_plan(psc_unit *unit) { psc_each_program(unit, plan_program); }
