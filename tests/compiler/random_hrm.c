/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/compiler/random_hrm_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint32_t random_hrm_pick(random_hrm *p, uint32_t n)
{
    p->state = p->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((p->state >> 33) % n);
}

unsigned random_hrm_size(const random_hrm *p, int dim) { return dim < 0 ? p->rows[-1 - dim] : (unsigned)dim; }

size_t random_hrm_elements(const random_hrm *p, const value *v)
{
    size_t n = 1;
    for (unsigned d = 0; d < v->rank; d++) {
        n *= random_hrm_size(p, v->dims[d]);
    }
    return n;
}

double random_hrm_tolerance(const random_hrm_value *v) { return !v->loose ? 0 : v->dtype == PSY_F64 ? 1e-9 : 1e-3; }

void random_hrm_add(random_hrm *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(p->program + p->n, sizeof p->program - p->n, format, list);
    va_end(list);
    p->n += n > 0 && (size_t)n < sizeof p->program - p->n ? (size_t)n : 0;
}

/* ---- types ---- */

unsigned random_hrm_promoted(unsigned dtype)
{
    psy_dtype_class c = psy__dtype_class(dtype);
    return psy__dtype_computes(dtype) || is_bool(dtype) ? dtype
           : c == PSY_DCLASS_SINT                       ? PSY_I32
           : c == PSY_DCLASS_UINT                       ? PSY_U32
                                                        : PSY_F32;
}

bool random_hrm_broadcast(const value *a, const value *b, value *out)
{
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (unsigned i = 1; i <= out->rank; i++) {
        int x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            return false;
        }
        out->dims[out->rank - i] = x == 1 ? y : x;
    }
    return true;
}

/* ---- picking operands ---- */

bool random_hrm_suits(const value *v, unsigned w)
{
    bool fixed = true;
    for (unsigned d = 0; d < v->rank; d++) {
        fixed = fixed && v->dims[d] >= 0;
    }
    return !(w & EXACT && v->loose) && !(w & NUMBER && is_bool(v->dtype)) && !(w & FLOAT && !is_float(v->dtype)) &&
           !(w & INTEGER && (is_float(v->dtype) || is_bool(v->dtype))) && !(w & BOOL && !is_bool(v->dtype)) &&
           !(w & AXES && v->rank == 0) && !(w & FIXED && !fixed) &&
           !(w & SMALL && !(is_float(v->dtype) && v->limit <= LOOSE_MAX)) && !(w & VECTOR && v->rank != 1) &&
           !(w & MATRIX && v->rank != 2);
}

const value *random_hrm_find(random_hrm *p, unsigned w)
{
    unsigned from = random_hrm_pick(p, p->count);
    for (unsigned i = 0; i < p->count; i++) {
        if (random_hrm_suits(&p->at[(from + i) % p->count], w)) {
            return &p->at[(from + i) % p->count];
        }
    }
    return NULL;
}

/* Of the same type, with a shape that fits. */
const value *random_hrm_find_partner(random_hrm *p, const value *a, unsigned w, value *shape)
{
    unsigned from = random_hrm_pick(p, p->count);
    for (unsigned i = 0; i < p->count; i++) {
        const value *b = &p->at[(from + i) % p->count];
        if (random_hrm_suits(b, w) && random_hrm_promoted(b->dtype) == random_hrm_promoted(a->dtype) &&
            random_hrm_broadcast(a, b, shape) && random_hrm_elements(p, shape) <= ELEMENTS_MAX) {
            return b;
        }
    }
    return NULL;
}

/* ---- values ---- */

/* Declares the value that `like` describes. */
void random_hrm_let(random_hrm *p, const value *like, const char *format, ...)
{
    char text[512];
    value v = *like;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (p->count == RANDOM_HRM_VALUES_MAX || random_hrm_elements(p, &v) > ELEMENTS_MAX) {
        return;
    }
    snprintf(v.name, sizeof v.name, "_v%u", p->made++);
    if (!is_float(random_hrm_promoted(v.dtype))) {
        v.whole = true;
        v.limit = 0;
    }
    random_hrm_add(p, "    let %s%s = %s\n", random_hrm_pick(p, 16) ? "" : "@materialize ", v.name, text);
    p->at[p->count++] = v;
}

/* ---- the program ---- */

static void declare_field(random_hrm *p, unsigned i, unsigned dtype, int wide, int *at)
{
    static const char *const forms[] = {"%s: %s[<=%d]; ", "%s: %s%.0d?; ", "%s: %s[%d]?; "};
    value *v = &p->inputs[i];
    bool bounded = i < RANDOM_HRM_OPTIONAL_FIRST, vector = bounded || i == RANDOM_HRM_OPTIONAL_FIRST + 1;
    int n = bounded ? RANDOM_HRM_ROOM : wide;
    *v = (value){.dtype = dtype, .rank = vector, .dims = {n}, .whole = true, .limit = 4};
    snprintf(v->name, sizeof v->name, "q.f%u", i);
    *at += snprintf(p->schema + *at, sizeof p->schema - (size_t)*at, forms[bounded ? 0 : 1 + vector], v->name + 2,
                    psy__dtype_name(dtype), vector ? n : 0);
    if (bounded) {
        v->length = p->lengths++;
        p->bounded[p->bounded_count++] = *v;
    }
}

static void declare(random_hrm *p, value *v, const char *name, unsigned dtype, unsigned rank, int a, int b)
{
    *v = (value){.dtype = dtype, .rank = rank, .dims = {a, b}, .whole = true, .limit = 4};
    snprintf(v->name, sizeof v->name, "%s", name);
    p->at[p->count++] = *v;
}

static void declare_inputs(random_hrm *p, random_hrm_kind kind)
{
    static const unsigned dtypes[RANDOM_HRM_INPUTS] = {PSY_F32,  PSY_F32,  PSY_F64, PSY_I32, PSY_U8,  PSY_I64, PSY_F16,
                                                       PSY_BOOL, PSY_BF16, PSY_F32, PSY_I32, PSY_F32, PSY_I32, PSY_F16};
    int wide = 2 + (int)random_hrm_pick(p, 4);
    int at = snprintf(p->schema, sizeof p->schema, "namespace t; message Q { ");
    for (unsigned i = 0; i < RANDOM_HRM_BOUNDED_FIRST; i++) {
        char name[12];
        bool scalar = i % 4 == 1;
        int n = i == 2 ? 3 : i == 5 ? 1 : wide;
        snprintf(name, sizeof name, "q.f%u", i);
        declare(p, &p->inputs[i], name, dtypes[i], scalar ? 0 : 1, n, 0);
        at += snprintf(p->schema + at, sizeof p->schema - (size_t)at, scalar ? "f%u: %s; " : "f%u: %s[%d]; ", i,
                       psy__dtype_name(dtypes[i]), n);
    }
    for (unsigned i = RANDOM_HRM_BOUNDED_FIRST; i < RANDOM_HRM_INPUTS; i++) {
        declare_field(p, i, dtypes[i], wide, &at);
    }
    at += snprintf(p->schema + at, sizeof p->schema - (size_t)at, "} message R { ");
    bool named = kind != RANDOM_HRM_FIXED;
    p->rows[0] = named ? random_hrm_pick(p, 9) : 0;
    p->rows[1] = named ? 1 + random_hrm_pick(p, 5) : 0;
    declare(p, &p->residents[0], "table", PSY_F32, 2, named ? -1 : 4, wide);
    declare(p, &p->residents[1], "counts", PSY_I32, 1, named ? -2 : 3, 0);
    declare(p, &p->residents[2], "small", PSY_F16, 2, 2, 3);
    random_hrm_add(p, "resident table: f32[%s, %d] %s\nresident counts: i32[%s]\nresident small: f16[2, 3]\n",
                   named ? "N" : "4", wide, kind == RANDOM_HRM_SPLIT ? "split N" : "replicated", named ? "M" : "3");
    random_hrm_add(p, "const SEVEN = 2 * 3 + 1\nfn unit(x: f32[D]) -> f32[D] = x / sqrt(dot(x, x) + 1)\nfn first(x: f32[A, B]) "
                      "-> f32[B] = x[A - 1]\n"
                      "pipeline p(q: Q) -> R {\n");
}

static void declare_outputs(random_hrm *p)
{
    size_t at = strlen(p->schema);
    random_hrm_add(p, "    R { ");
    /* From the last to the first: the last ones have the most in them. */
    for (unsigned i = p->count; i-- > 0 && p->output_count < RANDOM_HRM_OUTPUTS_MAX;) {
        const value *v = &p->at[i];
        size_t n = random_hrm_elements(p, v);
        bool skipped = !random_hrm_suits(v, FIXED) || n == 0 || v->name[0] != '_' || random_hrm_pick(p, 4) == 0;
        if (skipped) {
            continue;
        }
        unsigned k = p->output_count++;
        p->outputs[k] = *v;
        random_hrm_add(p, v->rank > 1 ? "%so%u: reshape(%s, [%zu])" : "%so%u: %s", k ? ", " : "", k, v->name, n);
        at += (size_t)snprintf(p->schema + at, sizeof p->schema - at, v->rank ? "o%u: %s[%zu]; " : "o%u: %s; ", k,
                               psy__dtype_name(v->dtype), n);
    }
    if (p->output_count == 0) {
        p->outputs[p->output_count++] = p->inputs[0];
        random_hrm_add(p, "o0: q.f0");
        at += (size_t)snprintf(p->schema + at, sizeof p->schema - at, "o0: f32[%d]; ", p->inputs[0].dims[0]);
    }
    snprintf(p->schema + at, sizeof p->schema - at, "}");
    random_hrm_add(p, " }\n}\n");
}

void random_hrm_make(random_hrm *p, uint64_t seed, random_hrm_kind kind)
{
    memset(p, 0, sizeof *p);
    p->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    declare_inputs(p, kind);
    for (unsigned i = 10 + random_hrm_pick(p, 50); i > 0; i--) {
        random_hrm_step(p);
    }
    declare_outputs(p);
}
