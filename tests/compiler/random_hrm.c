/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/compiler/random_hrm.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef random_hrm_value value;

enum { ELEMENTS_MAX = 256, EXACT_BITS = 22, LOOSE_MAX = 64 };

uint32_t random_hrm_pick(random_hrm *p, uint32_t n)
{
    p->state = p->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((p->state >> 33) % n);
}

static unsigned size_of(const random_hrm *p, int dim) { return dim < 0 ? p->rows[-1 - dim] : (unsigned)dim; }

size_t random_hrm_elements(const random_hrm *p, const value *v)
{
    size_t n = 1;
    for (unsigned d = 0; d < v->rank; d++) {
        n *= size_of(p, v->dims[d]);
    }
    return n;
}

static void add(random_hrm *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(random_hrm *p, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(p->program + p->n, sizeof p->program - p->n, format, list);
    va_end(list);
    p->n += n > 0 && (size_t)n < sizeof p->program - p->n ? (size_t)n : 0;
}

/* ---- types ---- */

static bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }
static bool is_bool(unsigned dtype) { return dtype == PSY_BOOL; }

static unsigned promoted(unsigned dtype)
{
    psy_dtype_class c = psy__dtype_class(dtype);
    return psy__dtype_computes(dtype) || is_bool(dtype) ? dtype
           : c == PSY_DCLASS_SINT                       ? PSY_I32
           : c == PSY_DCLASS_UINT                       ? PSY_U32
                                                        : PSY_F32;
}

static bool is_signed(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_SINT || is_float(dtype); }

static bool broadcast(const value *a, const value *b, value *out)
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

typedef enum wanted {
    ANY = 1,      /* every type, loose or not */
    EXACT = 2,    /* not loose */
    NUMBER = 4,   /* no truth value */
    FLOAT = 8,    /* computes as a float */
    INTEGER = 16, /* computes as an integer */
    BOOL = 32,
    AXES = 64,   /* not a scalar */
    FIXED = 128, /* no named size */
    SMALL = 256, /* a float of a small limit */
    VECTOR = 512,
    MATRIX = 1024
} wanted;

static bool suits(const value *v, unsigned w)
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

static const value *find(random_hrm *p, unsigned w)
{
    unsigned from = random_hrm_pick(p, p->count);
    for (unsigned i = 0; i < p->count; i++) {
        if (suits(&p->at[(from + i) % p->count], w)) {
            return &p->at[(from + i) % p->count];
        }
    }
    return NULL;
}

/* Of the same type, with a shape that fits. */
static const value *find_partner(random_hrm *p, const value *a, unsigned w, value *shape)
{
    unsigned from = random_hrm_pick(p, p->count);
    for (unsigned i = 0; i < p->count; i++) {
        const value *b = &p->at[(from + i) % p->count];
        if (suits(b, w) && promoted(b->dtype) == promoted(a->dtype) && broadcast(a, b, shape) &&
            random_hrm_elements(p, shape) <= ELEMENTS_MAX) {
            return b;
        }
    }
    return NULL;
}

/* ---- values ---- */

/* Declares the value that `like` describes. */
static void let(random_hrm *p, const value *like, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void let(random_hrm *p, const value *like, const char *format, ...)
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
    if (!is_float(promoted(v.dtype))) {
        v.whole = true;
        v.limit = 0;
    }
    add(p, "    let %s = %s\n", v.name, text);
    p->at[p->count++] = v;
}

static value typed(const value *v, unsigned dtype)
{
    value r = *v;
    r.dtype = dtype;
    return r;
}

static value computed(const value *v) { return typed(v, promoted(v->dtype)); }

/* Whether a sum of n of them is the same in every order. */
static bool is_exact(const value *v, double n)
{
    return !is_float(v->dtype) || (!v->loose && v->whole && v->limit * n < 1 << EXACT_BITS);
}

/* ---- one of each kind ---- */

static void map_one(random_hrm *p)
{
    static const char *const exact[] = {"abs", "floor", "ceil", "trunc", "round", "sign"};
    const value *a = find(p, EXACT | NUMBER);
    if (!a) {
        return;
    }
    value r = computed(a);
    if (is_float(r.dtype)) {
        let(p, &r, "%s(%s)", exact[random_hrm_pick(p, 6)], a->name);
    } else if (is_signed(r.dtype) && random_hrm_pick(p, 2)) {
        let(p, &r, random_hrm_pick(p, 2) ? "-%s" : "abs(%s) + sign(%s)", a->name, a->name);
    } else {
        let(p, &r, random_hrm_pick(p, 2) ? "~%s" : "popcount(%s)", a->name);
    }
}

static void map_loose(random_hrm *p)
{
    static const char *const smooth[] = {"tanh(%s)",     "sin(%s)",     "cos(%s)",  "atan(%s)",
                                         "erf(%s)",      "sigmoid(%s)", "gelu(%s)", "silu(%s)",
                                         "softplus(%s)", "elu(%s)",     "relu(%s)", "leaky_relu(%s, slope: 0.25)"},
                             *const halves[] = {"sqrt(abs(%s) + 1)",  "log(abs(%s) + 1)",   "log1p(abs(%s))",
                                                "cbrt(abs(%s) + 1)",  "rsqrt(abs(%s) + 1)", "exp(-abs(%s))",
                                                "expm1(-abs(%s))",    "exp2(-abs(%s))",     "1 / (2 + abs(%s))",
                                                "hard_swish(%s) / 8", "log2(abs(%s) + 2)",  "asin(%s / 65)"};
    const value *a = find(p, FLOAT | SMALL);
    if (!a) {
        return;
    }
    value r = computed(a);
    char text[64];
    r.loose = true;
    r.whole = false;
    r.limit = a->limit + 2;
    const char *format = random_hrm_pick(p, 2) ? smooth[random_hrm_pick(p, 12)] : halves[random_hrm_pick(p, 12)];
    snprintf(text, sizeof text, format, a->name);
    let(p, &r, "%s", text);
}

/* Numbers that are written down are as good as values. */
static void map_two(random_hrm *p)
{
    static const char *const floats[] = {"%s + %s", "%s - %s", "%s * %s", "min(%s, %s)", "max(%s, %s)"};
    static const char *const integers[] = {"%s + %s",  "%s - %s", "%s * %s", "min(%s, %s)", "max(%s, %s)", "%s / %s",
                                           "%s %% %s", "%s & %s", "%s | %s", "%s ^ %s",     "%s << %s",    "%s >> %s"};
    const value *a = find(p, NUMBER);
    if (!a) {
        return;
    }
    value r = computed(a);
    bool literal = random_hrm_pick(p, 4) == 0;
    const value *b = literal ? a : find_partner(p, a, NUMBER, &r);
    char number[8], text[96];
    if (!b) {
        return;
    }
    snprintf(number, sizeof number, "%u", 1 + random_hrm_pick(p, 3));
    double limit = literal ? 3 : b->limit;
    unsigned op = random_hrm_pick(p, is_float(r.dtype) ? 5 : 12);
    r.dtype = promoted(a->dtype);
    r.loose = a->loose || b->loose;
    r.whole = a->whole && (literal || b->whole);
    r.limit = op == 2 ? a->limit * limit : op < 2 ? a->limit + limit : fmax(a->limit, limit);
    if (r.loose && (r.limit > LOOSE_MAX || op > 2)) { /* a minimum may take the other side */
        return;
    }
    snprintf(text, sizeof text, is_float(r.dtype) ? floats[op] : integers[op], a->name, literal ? number : b->name);
    let(p, &r, "%s", text);
}

static void compare(random_hrm *p)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    const value *a = find(p, EXACT | NUMBER);
    value r = {0};
    const value *b = a ? find_partner(p, a, EXACT | NUMBER, &r) : NULL;
    if (!b) {
        return;
    }
    r.dtype = PSY_BOOL;
    let(p, &r, "%s %s %s", a->name, signs[random_hrm_pick(p, 6)], b->name);
}

static void logic(random_hrm *p)
{
    static const char *const signs[] = {"&&", "||", "^", "==", "!=", "&", "|"};
    const value *a = find(p, BOOL);
    value r = {0};
    const value *b = a ? find_partner(p, a, BOOL, &r) : NULL;
    if (!b) {
        return;
    }
    r.dtype = PSY_BOOL;
    let(p, &r, "%s%s %s %s", random_hrm_pick(p, 2) ? "!" : "", a->name, signs[random_hrm_pick(p, 7)], b->name);
}

static void choose(random_hrm *p)
{
    const value *c = find(p, BOOL), *a = find(p, ANY);
    value pair = {0}, r = {0};
    const value *b = a ? find_partner(p, a, ANY, &pair) : NULL;
    if (!c || !b || !broadcast(c, &pair, &r)) {
        return;
    }
    r.dtype = promoted(a->dtype);
    r.loose = a->loose || b->loose;
    r.whole = a->whole && b->whole;
    r.limit = fmax(a->limit, b->limit);
    if (random_hrm_pick(p, 3) == 0 && !is_bool(r.dtype) && is_signed(r.dtype)) {
        let(p, &r, "if %s { %s } else if !%s { 1 } else { %s }", c->name, a->name, c->name, b->name);
    } else {
        let(p, &r, random_hrm_pick(p, 2) ? "if %s { %s } else { %s }" : "select(%s, %s, %s)", c->name, a->name, b->name);
    }
}

static void cast(random_hrm *p)
{
    const value *a = find(p, EXACT);
    unsigned dtype = 1 + random_hrm_pick(p, PSY_F64);
    if (!a) {
        return;
    }
    value r = typed(a, dtype);
    r.whole = !is_float(promoted(dtype)) || (is_float(a->dtype) ? a->whole && a->limit < 200 : is_bool(a->dtype));
    r.limit = is_float(a->dtype) ? a->limit : is_bool(a->dtype) ? 1 : 1e30;
    let(p, &r, "%s(%s)", psy__dtype_name(dtype), a->name);
}

static value without(const value *v, unsigned axis, bool keep)
{
    value r = *v;
    if (keep) {
        r.dims[axis] = 1;
    } else {
        memmove(r.dims + axis, r.dims + axis + 1, (3 - axis) * sizeof *r.dims);
        r.rank--;
    }
    return r;
}

static void reduce(random_hrm *p)
{
    static const char *const names[] = {"sum",  "min",  "max",       "argmin", "argmax", "prod",
                                        "mean", "norm", "logsumexp", "any",    "all"};
    const value *a = find(p, AXES);
    if (!a) {
        return;
    }
    unsigned axis = random_hrm_pick(p, a->rank), n = size_of(p, a->dims[axis]);
    bool keep = random_hrm_pick(p, 3) == 0;
    value r = computed(a);
    unsigned which = is_bool(a->dtype) ? 9 + random_hrm_pick(p, 2) : random_hrm_pick(p, is_float(a->dtype) ? 9 : 6);
    if ((a->loose && which >= 1 && which <= 5) || (n == 0 && which >= 1)) {
        return; /* the least of loose values is loose, but which it is may change; of nothing it is infinite */
    }
    if (which == 5 && is_float(r.dtype)) {
        return;
    }
    r.loose = which == 0 ? !is_exact(a, n) : which < 6 ? a->loose : is_float(r.dtype);
    r.limit = which == 0 ? a->limit * n : which == 7 ? a->limit * sqrt(n) : a->limit + 4;
    r.whole = which < 6 && a->whole;
    if (r.loose && r.limit > LOOSE_MAX) {
        return;
    }
    r.dtype = which == 3 || which == 4 ? PSY_U64 : r.dtype;
    r = without(&r, axis, keep);
    let(p, &r, "%s(%s, axis: %d%s)", names[which], a->name, random_hrm_pick(p, 2) ? (int)axis : (int)axis - (int)a->rank,
        keep ? ", keep: true" : "");
}

static void along(random_hrm *p)
{
    static const char *const names[] = {"cumsum", "softmax", "rmsnorm", "layernorm"};
    const value *a = find(p, AXES | NUMBER);
    if (!a) {
        return;
    }
    unsigned axis = random_hrm_pick(p, a->rank), n = size_of(p, a->dims[axis]),
             which = random_hrm_pick(p, is_float(a->dtype) ? 4 : 1);
    value r = computed(a);
    r.limit = which == 0 ? a->limit * n : which == 1 ? 1 : sqrt(n) + 1;
    r.loose = which == 0 ? !is_exact(a, n) : true;
    r.whole = which == 0 && a->whole;
    if (n == 0 || a->limit > LOOSE_MAX || (which == 3 && (a->loose || n == 1)) || (r.loose && r.limit > LOOSE_MAX)) {
        return; /* what has no variance is divided by next to nothing */
    }
    let(p, &r, "%s(%s, axis: %u)", names[which], a->name, axis);
}

static void order(random_hrm *p)
{
    const value *a = find(p, AXES | NUMBER | EXACT);
    if (!a) {
        return;
    }
    value r = computed(a);
    int last = a->dims[a->rank - 1];
    switch (random_hrm_pick(p, 3)) {
    case 0: let(p, &r, random_hrm_pick(p, 2) ? "sort(%s)" : "sort(%s, descending: true)", a->name); break;
    case 1:
        r.dtype = PSY_U64;
        let(p, &r, random_hrm_pick(p, 2) ? "argsort(%s)" : "argsort(%s, descending: true)", a->name);
        break;
    default: {
        unsigned n = size_of(p, last), k = n ? 1 + random_hrm_pick(p, n) : 0;
        if (k == 0 || p->count + 2 > RANDOM_HRM_VALUES_MAX) {
            return;
        }
        r.dims[r.rank - 1] = (int)k;
        value labels = typed(&r, PSY_U64);
        snprintf(r.name, sizeof r.name, "_v%u", p->made++);
        snprintf(labels.name, sizeof labels.name, "_v%u", p->made++);
        labels.whole = true;
        labels.limit = 0;
        add(p, "    let (%s, %s) = topk(%s, k: %u)\n", r.name, labels.name, a->name, k);
        p->at[p->count++] = r;
        p->at[p->count++] = labels;
    }
    }
}

static void product(random_hrm *p)
{
    const value *a = find(p, AXES | NUMBER), *b = find(p, AXES | NUMBER);
    value r = {0};
    if (!a || !b || promoted(a->dtype) != promoted(b->dtype)) {
        return;
    }
    unsigned n = size_of(p, a->dims[a->rank - 1]);
    value one = computed(a);
    one.limit = a->limit * b->limit;
    one.whole = a->whole && b->whole;
    one.loose = a->loose || b->loose;
    r.dtype = one.dtype;
    r.limit = one.limit * n;
    r.whole = one.whole;
    r.loose = !is_exact(&one, n);
    if (r.loose && r.limit > LOOSE_MAX) {
        return;
    }
    if (a->rank == 1 && b->rank == 1 && random_hrm_pick(p, 3) == 0) {
        r = one;
        r.rank = 2;
        r.dims[0] = a->dims[0];
        r.dims[1] = b->dims[0];
        let(p, &r, "outer(%s, %s)", a->name, b->name);
    } else if (a->rank <= 2 && b->rank == 2 && a->dims[a->rank - 1] == b->dims[random_hrm_pick(p, 2)]) {
        bool turned = a->dims[a->rank - 1] != b->dims[0];
        r.rank = a->rank;
        r.dims[0] = a->rank == 2 ? a->dims[0] : b->dims[!turned];
        r.dims[1] = b->dims[!turned];
        let(p, &r, turned ? "%s @ transpose(%s)" : "%s @ %s", a->name, b->name);
    } else if (a->dims[a->rank - 1] == b->dims[b->rank - 1]) {
        value space;
        if (broadcast(a, b, &space) && random_hrm_elements(p, &space) <= ELEMENTS_MAX) {
            r.rank = space.rank - 1;
            memcpy(r.dims, space.dims, sizeof r.dims);
            let(p, &r, "dot(%s, %s)", a->name, b->name);
        }
    }
}

static void shape(random_hrm *p)
{
    const value *a = find(p, ANY);
    char text[128] = "";
    value r = *a;
    unsigned n = (unsigned)random_hrm_elements(p, a);
    switch (random_hrm_pick(p, 5)) {
    case 0: /* into two axes, or one */
        if (suits(a, FIXED) && n > 0) {
            unsigned rows = 1 + random_hrm_pick(p, n);
            bool two = n % rows == 0;
            r.rank = two ? 2 : 1;
            r.dims[0] = two ? (int)rows : (int)n;
            r.dims[1] = (int)(n / rows);
            let(p, &r, two ? "reshape(%s, [%d, %d])" : "reshape(%s, [%d])", a->name, r.dims[0], r.dims[1]);
        } else if (a->rank == 2 && a->dims[0] < 0 && a->dims[1] > 0) {
            r.rank = 3;
            r.dims[2] = a->dims[1];
            r.dims[1] = 1;
            let(p, &r, "reshape(%s, [%c, 1, %d])", a->name, a->dims[0] == -1 ? 'N' : 'M', a->dims[1]);
        }
        break;
    case 1:
        for (unsigned d = 0; d < a->rank; d++) {
            r.dims[d] = a->dims[a->rank - 1 - d];
        }
        let(p, &r, "transpose(%s)", a->name);
        break;
    case 2:
        if (a->rank == 3) {
            r.dims[0] = a->dims[1];
            r.dims[1] = a->dims[2];
            r.dims[2] = a->dims[0];
            let(p, &r, "transpose(%s, [1, 2, 0])", a->name);
        }
        break;
    case 3:
        if (a->rank < 3) {
            unsigned axis = random_hrm_pick(p, a->rank + 1);
            memmove(r.dims + axis + 1, a->dims + axis, (a->rank - axis) * sizeof *r.dims);
            r.dims[axis] = 1;
            r.rank++;
            let(p, &r, "expand(%s, axis: %u)", a->name, axis);
        }
        break;
    default:
        if (a->rank < 3 && suits(a, FIXED)) {
            size_t at = (size_t)snprintf(text, sizeof text, "broadcast(%s, [2", a->name);
            memmove(r.dims + 1, a->dims, a->rank * sizeof *r.dims);
            r.dims[0] = 2;
            r.rank++;
            for (unsigned d = 1; d < r.rank; d++) {
                at += (size_t)snprintf(text + at, sizeof text - at, ", %d", r.dims[d]);
            }
            let(p, &r, "%s])", text);
        }
    }
}

static void join(random_hrm *p)
{
    const value *a = find(p, FIXED), *b = NULL;
    unsigned from = random_hrm_pick(p, p->count);
    for (unsigned i = 0; i < p->count && a && !b; i++) {
        const value *o = &p->at[(from + i) % p->count];
        b = o->dtype == a->dtype && o->rank == a->rank && memcmp(o->dims, a->dims, a->rank * sizeof *a->dims) == 0 ? o : NULL;
    }
    if (!a || !b) {
        return;
    }
    value r = *a;
    unsigned axis = a->rank ? random_hrm_pick(p, a->rank) : 0;
    r.loose = a->loose || b->loose;
    r.whole = a->whole && b->whole;
    r.limit = fmax(a->limit, b->limit);
    switch (random_hrm_pick(p, 3)) {
    case 0:
        if (a->rank) {
            r.dims[axis] *= 3;
            let(p, &r, "concat(%s, %s, %s, axis: %u)", a->name, b->name, a->name, axis);
        }
        break;
    case 1:
        if (a->rank < 3) {
            memmove(r.dims + 1, r.dims, a->rank * sizeof *r.dims);
            r.dims[0] = 2;
            r.rank++;
            let(p, &r, "stack(%s, %s)", a->name, b->name);
        }
        break;
    default:
        if (a->rank && !is_bool(a->dtype)) {
            unsigned before = random_hrm_pick(p, 3), after = random_hrm_pick(p, 3);
            r = *a;
            r.dims[axis] += (int)(before + after);
            r.limit = fmax(a->limit, 1);
            let(p, &r, "pad(%s, before: %u, after: %u, axis: %u, value: 1)", a->name, before, after, axis);
        }
    }
}

static void places(random_hrm *p)
{
    const value *a = find(p, AXES), *i;
    char text[96];
    value r = *a;
    int n = a->dims[0];
    if (n > 0 && random_hrm_pick(p, 3)) {
        int from = (int)random_hrm_pick(p, (uint32_t)n), to = from + 1 + (int)random_hrm_pick(p, (uint32_t)(n - from)),
            step = 1 + (int)random_hrm_pick(p, 3);
        switch (random_hrm_pick(p, 4)) {
        case 0:
            r = without(a, 0, false);
            snprintf(text, sizeof text, "%d", random_hrm_pick(p, 2) ? from : from - n);
            break;
        case 1:
            r.dims[0] = to - from;
            snprintf(text, sizeof text, "%d..%d", from, to);
            break;
        case 2:
            r.dims[0] = n - from;
            snprintf(text, sizeof text, "%d..", from - n);
            break;
        default:
            r.dims[0] = (to - from + step - 1) / step;
            snprintf(text, sizeof text, "%d..%d..%d", from, to, step);
            break;
        }
        let(p, &r, random_hrm_pick(p, 2) || a->rank == 1 ? "%s[%s]" : "%s[%s, ..]", a->name, text);
    } else if ((i = find(p, INTEGER | EXACT | FIXED)) && a->rank - 1 + i->rank <= 3 && i->rank <= 2) {
        r.rank = a->rank - 1 + i->rank;
        memcpy(r.dims, i->dims, i->rank * sizeof *r.dims);
        memcpy(r.dims + i->rank, a->dims + 1, (a->rank - 1) * sizeof *r.dims);
        let(p, &r, random_hrm_pick(p, 2) ? "%s[%s %% 5]" : "gather(%s, %s, axis: 0)", a->name, i->name);
    }
}

static void scatter(random_hrm *p)
{
    const value *a = find(p, AXES | EXACT | NUMBER | FIXED), *i = find(p, VECTOR | INTEGER | FIXED);
    if (!a || !i || a->dims[0] == 0 || (is_float(a->dtype) && !(a->whole && a->limit < 1000))) {
        return;
    }
    value r = computed(a);
    r.limit = a->limit * (1 + i->dims[0]);
    let(p, &r, "scatter_add(%s, %s %% 4, gather(%s, iota(%d) %% %d, axis: 0))", a->name, i->name, a->name, i->dims[0], a->dims[0]);
}

static void numbers(random_hrm *p)
{
    value r = {.rank = 1, .dims = {1 + (int)random_hrm_pick(p, 6)}, .whole = true, .dtype = PSY_U32};
    const value *i = find(p, INTEGER | EXACT);
    unsigned key = random_hrm_pick(p, 100);
    switch (random_hrm_pick(p, 6)) {
    case 0: let(p, &r, "iota(%d)", r.dims[0]); break;
    case 1: let(p, &r, "iota(%d, start: %u)", r.dims[0], key); break;
    case 2: let(p, &r, "random(%u, %d)", key, r.dims[0]); break;
    case 3:
        r.dtype = PSY_F32;
        r.whole = false;
        r.limit = 1;
        let(p, &r, "uniform(%u, %d)", key, r.dims[0]);
        break;
    case 4:
        r.dtype = PSY_F32;
        r.whole = false;
        r.loose = true;
        r.limit = 6;
        let(p, &r, "normal(%u, %d)", key, r.dims[0]);
        break;
    default:
        if (i && i->rank < 3) {
            int n = r.dims[0];
            r = typed(i, PSY_F32);
            r.dims[r.rank++] = n;
            r.limit = 1;
            r.whole = true;
            let(p, &r, "one_hot(%s, %d)", i->name, n);
        }
    }
}

static void call(random_hrm *p)
{
    const value *a = find(p, FLOAT | VECTOR | SMALL), *f = a && a->dtype == PSY_F32 ? a : NULL,
                *m = find(p, MATRIX | FLOAT | EXACT);
    if (f && random_hrm_pick(p, 2)) {
        value r = *f;
        r.loose = true;
        r.whole = false;
        r.limit = 1;
        let(p, &r, random_hrm_pick(p, 2) ? "unit(%s)" : "%s |> unit", f->name);
    } else if (m && m->dtype == PSY_F32 && m->dims[0] > 0 && m->dims[1] > 0) {
        value r = *m;
        r.rank = 1;
        r.dims[0] = m->dims[1];
        r.limit = fmax(m->limit, 1);
        let(p, &r, "first(%s)", m->name);
    }
}

/* ---- the program ---- */

static void declare(random_hrm *p, value *v, const char *name, unsigned dtype, unsigned rank, int a, int b)
{
    *v = (value){.dtype = dtype, .rank = rank, .dims = {a, b}, .whole = true, .limit = 4};
    snprintf(v->name, sizeof v->name, "%s", name);
    p->at[p->count++] = *v;
}

static void declare_inputs(random_hrm *p, random_hrm_kind kind)
{
    static const unsigned dtypes[RANDOM_HRM_INPUTS] = {PSY_F32, PSY_F32, PSY_F64,  PSY_I32, PSY_U8,
                                                       PSY_I64, PSY_F16, PSY_BOOL, PSY_BF16};
    int wide = 2 + (int)random_hrm_pick(p, 4);
    int at = snprintf(p->schema, sizeof p->schema, "namespace t; message Q { ");
    for (unsigned i = 0; i < RANDOM_HRM_INPUTS; i++) {
        char name[12];
        bool scalar = i % 4 == 1;
        int n = i == 2 ? 3 : i == 5 ? 1 : wide;
        snprintf(name, sizeof name, "q.f%u", i);
        declare(p, &p->inputs[i], name, dtypes[i], scalar ? 0 : 1, n, 0);
        at += snprintf(p->schema + at, sizeof p->schema - (size_t)at, scalar ? "f%u: %s; " : "f%u: %s[%d]; ", i,
                       psy__dtype_name(dtypes[i]), n);
    }
    at += snprintf(p->schema + at, sizeof p->schema - (size_t)at, "} message R { ");
    bool named = kind != RANDOM_HRM_FIXED;
    p->rows[0] = named ? random_hrm_pick(p, 9) : 0;
    p->rows[1] = named ? 1 + random_hrm_pick(p, 5) : 0;
    declare(p, &p->residents[0], "table", PSY_F32, 2, named ? -1 : 4, wide);
    declare(p, &p->residents[1], "counts", PSY_I32, 1, named ? -2 : 3, 0);
    declare(p, &p->residents[2], "small", PSY_F16, 2, 2, 3);
    add(p, "resident table: f32[%s, %d] %s\nresident counts: i32[%s]\nresident small: f16[2, 3]\n", named ? "N" : "4", wide,
        kind == RANDOM_HRM_SPLIT ? "split N" : "replicated", named ? "M" : "3");
    add(p, "fn unit(x: f32[D]) -> f32[D] = x / sqrt(dot(x, x) + 1)\nfn first(x: f32[A, B]) -> f32[B] = x[A - 1]\n"
           "pipeline p(q: Q) -> R {\n");
}

static void declare_outputs(random_hrm *p)
{
    size_t at = strlen(p->schema);
    add(p, "    R { ");
    /* From the last to the first: the last ones have the most in them. */
    for (unsigned i = p->count; i-- > 0 && p->output_count < RANDOM_HRM_OUTPUTS_MAX;) {
        const value *v = &p->at[i];
        size_t n = random_hrm_elements(p, v);
        bool skipped = !suits(v, FIXED) || n == 0 || v->name[0] != '_' || random_hrm_pick(p, 4) == 0;
        if (skipped) {
            continue;
        }
        unsigned k = p->output_count++;
        p->outputs[k] = *v;
        add(p, v->rank > 1 ? "%so%u: reshape(%s, [%zu])" : "%so%u: %s", k ? ", " : "", k, v->name, n);
        at += (size_t)snprintf(p->schema + at, sizeof p->schema - at, v->rank ? "o%u: %s[%zu]; " : "o%u: %s; ", k,
                               psy__dtype_name(v->dtype), n);
    }
    if (p->output_count == 0) {
        p->outputs[p->output_count++] = p->inputs[0];
        add(p, "o0: q.f0");
        at += (size_t)snprintf(p->schema + at, sizeof p->schema - at, "o0: f32[%d]; ", p->inputs[0].dims[0]);
    }
    snprintf(p->schema + at, sizeof p->schema - at, "}");
    add(p, " }\n}\n");
}

void random_hrm_make(random_hrm *p, uint64_t seed, random_hrm_kind kind)
{
    static void (*const kinds[])(random_hrm *) = {map_one, map_loose, map_two, map_two, compare, logic,   choose,
                                                  cast,    reduce,    reduce,  along,   order,   product, shape,
                                                  shape,   join,      places,   places,   scatter, numbers, call};
    memset(p, 0, sizeof *p);
    p->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    declare_inputs(p, kind);
    for (unsigned i = 10 + random_hrm_pick(p, 50); i > 0; i--) {
        kinds[random_hrm_pick(p, sizeof kinds / sizeof kinds[0])](p);
    }
    declare_outputs(p);
}
