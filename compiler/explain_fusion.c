/* SPDX-License-Identifier: Apache-2.0 */
/* What fuse did, in the user's words: kernels with the operations in them and where they are written, and what kept neighbours
 * apart. */
#include <string.h>

#include "emit.h"
#include "traffic.h"

typedef struct teller {
    psc_unit *unit;
    const psc_program *program;
    FILE *to;
    uint32_t *kernels; /* by value id: the kernel that computes it, from 1; 0: none */
    uint32_t count;
} teller;

/* As the language calls it: the reduction `rmax` is `max` there. */
static const char *op_name(const psc_value *v)
{
    const char *name = psy__op_info(v->op)->name;
    return name[0] == 'r' && psc_ir_is_reduction(v) && psy__op_named(name + 1) ? name + 1 : name;
}

/* Kernels in their order: a region, or one operation. Numbers are those that the values have now. */
static uint32_t number_kernels(teller *t)
{
    uint32_t group = 0, operations = 0;
    for (size_t i = 0; i < t->program->values.count; i++) {
        psc_value *v = t->program->values.at[i];
        v->id = (uint32_t)i;
        if (!psc_is_computed(v)) {
            group = v->group;
            continue;
        }
        t->count += !v->group || v->group != group;
        group = v->group;
        t->kernels[i] = t->count;
        operations++;
    }
    return operations;
}

/* "nearest.hrm:12:18" */
static const char *place(const teller *t, const psc_value *v)
{
    uint32_t line, column;
    psc_source_place(v->span.source, v->span.begin, &line, &column);
    return psc_format(t->unit->arena, "%s:%u:%u", v->span.source->path, line, column);
}

/* As it is written: the start of it, on one line. */
static const char *written(const teller *t, const psc_value *v)
{
    enum { SHOWN_MAX = 44 };
    const char *text = v->span.source->text + v->span.begin;
    uint32_t n = v->span.end - v->span.begin, line = (uint32_t)strcspn(text, "\n");
    bool cut = n > SHOWN_MAX || n > line;
    n = n > line ? line : n;
    n = n > SHOWN_MAX ? SHOWN_MAX : n;
    /* Not in the middle of a character. */
    while (cut && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--;
    }
    return psc_format(t->unit->arena, "%.*s%s", (int)n, text, cut ? "..." : "");
}

static void tell_kernel(const teller *t, uint32_t number)
{
    bool first = true;
    for (size_t i = 0; i < t->program->values.count; i++) {
        const psc_value *v = t->program->values.at[i];
        if (t->kernels[i] != number) {
            continue;
        }
        if (first && v->group) {
            const psc_region *r = &t->program->regions.at[v->group - 1];
            fprintf(t->to, "  kernel %u over %s%s%s\n", number, psc_shape_text(t->unit, r->dims, r->rank),
                    r->reduces ? ", reducing the last axis" : "", v->batched ? "" : ", once and not for every message");
        } else if (first) {
            fprintf(t->to, "  kernel %u%s\n", number, v->batched ? "" : ", once and not for every message");
        }
        first = false;
        fprintf(t->to, "    %-10s %-16s %s: %s\n", op_name(v),
                psc_format(t->unit->arena, "%s%s", psy__dtype_name(v->dtype),
                           v->rank ? psc_shape_text(t->unit, v->dims, v->rank) : ""),
                place(t, v), written(t, v));
    }
}

/* What about the operation itself keeps it alone, or NULL. */
static const char *alone(const psc_value *v)
{
    switch (psc_ir_class(v)) {
    case PSY_CLASS_SELECT:
    case PSY_CLASS_SORT: return "compares all elements with each other, which takes kernels of its own";
    case PSY_CLASS_SCAN: return "needs what is before each element, which takes a kernel of its own";
    case PSY_CLASS_JOIN:
    case PSY_CLASS_GATHER:
    case PSY_CLASS_SCATTER: return "moves elements to other places, which takes a kernel of its own";
    case PSY_CLASS_INDEX: return "makes its elements from nothing, in a kernel of its own";
    case PSY_CLASS_REDUCE1: return "reduces an axis that is not the last, which takes a kernel of its own";
    default: return psc_ir_is_elementwise(v) || psc_ir_is_reduction(v) ? NULL : "takes a kernel of its own";
    }
}

static const char *reason(const psc_apart *a)
{
    switch (a->why) {
    case PSC_APART_KIND:
        /* A reduction that is not the reason has the other one as it. */
        return alone(a->to) && (psc_ir_class(a->to) != PSY_CLASS_REDUCE1 || !alone(a->from)) ? alone(a->to) : alone(a->from);
    case PSC_APART_KEPT: return "reads what `@materialize` keeps";
    case PSC_APART_ONCE: return "runs for every message, and the other only once";
    case PSC_APART_LARGE: return "would make the kernel too large";
    case PSC_APART_SPACE: return "runs over other elements";
    case PSC_APART_REDUCED: return "needs the finished result of a reduction for each of its elements";
    case PSC_APART_CIRCLE: return "also needs what another kernel makes of the same values";
    case PSC_APART_ORDER: return "was joined with other operations first";
    }
    return "";
}

/* Whether a pair of the same kernels with the same reason was told. */
static bool told(const teller *t, size_t i)
{
    const psc_apart *a = &t->program->apart.at[i];
    for (size_t k = 0; k < i; k++) {
        const psc_apart *b = &t->program->apart.at[k];
        if (t->kernels[a->from->id] == t->kernels[b->from->id] && t->kernels[a->to->id] == t->kernels[b->to->id] &&
            a->why == b->why) {
            return true;
        }
    }
    return false;
}

/* The elements over which the operation runs. */
static const char *space(const teller *t, const psc_value *v)
{
    psy_dim dims[PSY_RANK_MAX];
    uint8_t rank;
    psc_ir_space(v, dims, &rank);
    return psc_shape_text(t->unit, dims, rank);
}

static void tell_apart(const teller *t)
{
    for (size_t i = 0; i < t->program->apart.count; i++) {
        const psc_apart *a = &t->program->apart.at[i];
        uint32_t from = t->kernels[a->from->id], to = t->kernels[a->to->id];
        if (!from || !to || from == to || told(t, i)) {
            continue;
        }
        if (a->why == PSC_APART_SPACE) {
            fprintf(t->to, "  kernels %u and %u are two: %s runs over %s, %s over %s\n", from, to, op_name(a->from),
                    space(t, a->from), op_name(a->to), space(t, a->to));
            continue;
        }
        bool is_from = a->why == PSC_APART_KIND && reason(a) == alone(a->from);
        fprintf(t->to, "  kernels %u and %u are two: %s %s\n", from, to, op_name(is_from ? a->from : a->to), reason(a));
    }
}

static void tell_program(psc_unit *u, const psc_pipeline *pipeline, const psc_program *p, FILE *to)
{
    teller telling = {.unit = u, .program = p, .to = to}, *t = &telling;
    t->kernels = psc_alloc(u->arena, (p->values.count + 1) * sizeof *t->kernels);
    uint32_t operations = number_kernels(t);
    fprintf(to, "pipeline %s, %s: %u operation%s in %u kernel%s%s, %s bytes moved for a message\n", pipeline->name,
            psc_part_text(pipeline, p), operations, operations == 1 ? "" : "s", t->count, t->count == 1 ? "" : "s",
            u->options->optimise ? "" : " (-O0 joins none)", psc_traffic_text(u, p));
    for (uint32_t k = 1; k <= t->count; k++) {
        tell_kernel(t, k);
    }
    tell_apart(t);
}

void psc_explain_fusion(psc_unit *u, FILE *to)
{
    if (u->options->fast_math) {
        fprintf(to, "fast math: %u operation%s changed; results may differ from what is written in their last digits\n",
                u->relaxed, u->relaxed == 1 ? "" : "s");
    }
    for (size_t i = 0; i < u->pipelines.count; i++) {
        const psc_pipeline *p = u->pipelines.at[i];
        tell_program(u, p, p->shard, to);
        if (p->merge) {
            tell_program(u, p, p->merge, to);
        }
    }
}
