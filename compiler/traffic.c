/* SPDX-License-Identifier: Apache-2.0 */
#include "traffic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"

/* Bytes for every product of these sizes, which are in order. */
typedef struct term {
    psy_dim sizes[PSY_RANK_MAX];
    uint32_t size_count;
    uint64_t bytes; /* UINT64_MAX: or more */
} term;

typedef struct counter {
    psc_unit *unit;
    PSC_LIST(term) terms;
    uint32_t *read_by; /* by value id: the kernel that read it last */
    bool *outside;     /* by value id: something else than its own kernel reads it */
} counter;

static void add_size(term *t, psy_dim size)
{
    uint32_t at = t->size_count++;
    for (; at > 0 && t->sizes[at - 1] > size; at--) {
        t->sizes[at] = t->sizes[at - 1];
    }
    t->sizes[at] = size;
}

/* All elements of the value move. */
static void count_value(counter *c, const psc_value *v)
{
    term t = {.bytes = psy__dtype_bytes(v->dtype)};
    for (uint32_t d = 0; d < v->rank; d++) {
        if (psy__dim_is_symbol(v->dims[d])) {
            add_size(&t, v->dims[d]);
        } else if (__builtin_mul_overflow(t.bytes, (uint64_t)v->dims[d], &t.bytes)) {
            t.bytes = UINT64_MAX;
        }
    }
    for (size_t i = 0; i < c->terms.count; i++) {
        term *same = &c->terms.at[i];
        if (same->size_count == t.size_count && memcmp(same->sizes, t.sizes, t.size_count * sizeof *t.sizes) == 0) {
            same->bytes = same->bytes > UINT64_MAX - t.bytes ? UINT64_MAX : same->bytes + t.bytes;
            return;
        }
    }
    psc_push(c->unit->arena, &c->terms, t);
}

static bool is_immediate(const psc_value *v) { return v->op == PSY_OP_CONST || psc_ir_class(v) == PSY_CLASS_SIZE; }

/* What the value reads that its kernel did not read before. A gather reads as many elements as it gives. */
static void count_reads(counter *c, const psc_value *v, uint32_t kernel)
{
    for (unsigned k = 0; k < v->operand_count; k++) {
        const psc_value *o = v->operands[k];
        if (o && !is_immediate(o) && !(o->group && o->group == v->group) && c->read_by[o->id] != kernel) {
            c->read_by[o->id] = kernel;
            count_value(c, psc_ir_class(v) == PSY_CLASS_GATHER && k == 0 ? v : o);
        }
    }
}

static void find_readers(counter *c, const psc_program *p)
{
    for (size_t i = 0; i < p->values.count; i++) {
        p->values.at[i]->id = (uint32_t)i;
    }
    for (size_t i = 0; i < p->values.count; i++) {
        const psc_value *v = p->values.at[i];
        for (unsigned k = 0; k < v->operand_count; k++) {
            const psc_value *o = v->operands[k];
            if (o && !(o->group && o->group == v->group)) {
                c->outside[o->id] = true;
            }
        }
    }
}

static int by_sizes(const void *a, const void *b)
{
    const term *x = a, *y = b;
    if (x->size_count != y->size_count) {
        return x->size_count > y->size_count ? -1 : 1;
    }
    return memcmp(x->sizes, y->sizes, x->size_count * sizeof *x->sizes);
}

static const char *text_of(psc_unit *u, const term *t)
{
    const char *text = t->bytes == UINT64_MAX ? "2^64" : psc_format(u->arena, "%" PRIu64, t->bytes);
    for (uint32_t i = 0; i < t->size_count; i++) {
        const char *size = psc_dim_text(u, t->sizes[i]);
        text = psc_format(u->arena, strchr(size, ' ') ? "%s (%s)" : "%s %s", text, size);
    }
    return text;
}

const char *psc_traffic_text(psc_unit *unit, const psc_program *program)
{
    counter counting = {.unit = unit}, *c = &counting;
    size_t n = program->values.count;
    c->read_by = psc_alloc(unit->arena, (n + 1) * sizeof *c->read_by);
    c->outside = psc_alloc(unit->arena, n + 1);
    find_readers(c, program);
    uint32_t kernel = 0, group = 0;
    for (size_t i = 0; i < n; i++) {
        const psc_value *v = program->values.at[i];
        kernel += !v->group || v->group != group;
        group = v->group;
        if (psc_ir_is_store(v)) {
            count_reads(c, v, kernel);
            count_value(c, v->operands[0]);
        } else if (psc_is_computed(v) && v->batched) {
            count_reads(c, v, kernel);
            if (c->outside[i]) {
                count_value(c, v);
            }
        } else if (v->op == PSC_OP_LABELS && v->batched) {
            count_value(c, v);
        }
    }
    if (c->terms.count) {
        qsort(c->terms.at, c->terms.count, sizeof *c->terms.at, by_sizes);
    }
    const char *text = "";
    for (size_t i = 0; i < c->terms.count; i++) {
        text = psc_format(unit->arena, "%s%s%s", text, i ? " + " : "", text_of(unit, &c->terms.at[i]));
    }
    return *text ? text : "0";
}
