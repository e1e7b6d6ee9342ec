/* SPDX-License-Identifier: Apache-2.0 */
/* One value of each kind: what it is made of, and how large and how exact it is. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/compiler/random_hrm_parts.h"

static value typed(const value *v, unsigned dtype)
{
    value r = *v;
    r.dtype = dtype;
    return r;
}

static value computed(const value *v) { return typed(v, random_hrm_promoted(v->dtype)); }

/* Whether a sum of n of them is the same in every order. */
static bool is_exact(const value *v, double n)
{
    return !is_float(v->dtype) || (!v->loose && v->whole && v->limit * n < 1 << EXACT_BITS);
}

static void map_one(random_hrm *p)
{
    static const char *const exact[] = {"abs", "floor", "ceil", "trunc", "round", "sign"};
    const value *a = random_hrm_find(p, EXACT | NUMBER);
    if (!a) {
        return;
    }
    value r = computed(a);
    if (is_float(r.dtype)) {
        random_hrm_let(p, &r, "%s(%s)", exact[random_hrm_pick(p, 6)], a->name);
    } else if (is_signed(r.dtype) && random_hrm_pick(p, 2)) {
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "-%s" : "abs(%s) + sign(%s)", a->name, a->name);
    } else {
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "~%s" : "popcount(%s)", a->name);
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
    const value *a = random_hrm_find(p, FLOAT | SMALL);
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
    random_hrm_let(p, &r, "%s", text);
}

/* Numbers that are written down are as good as values. */
static void map_two(random_hrm *p)
{
    static const char *const floats[] = {"%s + %s", "%s - %s", "%s * %s", "min(%s, %s)", "max(%s, %s)"};
    static const char *const integers[] = {"%s + %s",  "%s - %s", "%s * %s", "min(%s, %s)", "max(%s, %s)", "%s / %s",
                                           "%s %% %s", "%s & %s", "%s | %s", "%s ^ %s",     "%s << %s",    "%s >> %s"};
    const value *a = random_hrm_find(p, NUMBER);
    if (!a) {
        return;
    }
    value r = computed(a);
    bool literal = random_hrm_pick(p, 4) == 0;
    const value *b = literal ? a : random_hrm_find_partner(p, a, NUMBER, &r);
    char number[8], text[96];
    if (!b) {
        return;
    }
    snprintf(number, sizeof number, "%u", 1 + random_hrm_pick(p, 3));
    double limit = literal ? 3 : b->limit;
    unsigned op = random_hrm_pick(p, is_float(r.dtype) ? 5 : 12);
    r.dtype = random_hrm_promoted(a->dtype);
    r.loose = a->loose || b->loose;
    r.whole = a->whole && (literal || b->whole);
    r.limit = op == 2 ? a->limit * limit : op < 2 ? a->limit + limit : fmax(a->limit, limit);
    if (r.loose && (r.limit > LOOSE_MAX || op > 2)) { /* a minimum may take the other side */
        return;
    }
    snprintf(text, sizeof text, is_float(r.dtype) ? floats[op] : integers[op], a->name, literal ? number : b->name);
    random_hrm_let(p, &r, "%s", text);
}

static void compare(random_hrm *p)
{
    static const char *const signs[] = {"==", "!=", "<", "<=", ">", ">="};
    const value *a = random_hrm_find(p, EXACT | NUMBER);
    value r = {0};
    const value *b = a ? random_hrm_find_partner(p, a, EXACT | NUMBER, &r) : NULL;
    if (!b) {
        return;
    }
    r.dtype = PSY_BOOL;
    random_hrm_let(p, &r, "%s %s %s", a->name, signs[random_hrm_pick(p, 6)], b->name);
}

static void logic(random_hrm *p)
{
    static const char *const signs[] = {"&&", "||", "^", "==", "!=", "&", "|"};
    const value *a = random_hrm_find(p, BOOL);
    value r = {0};
    const value *b = a ? random_hrm_find_partner(p, a, BOOL, &r) : NULL;
    if (!b) {
        return;
    }
    r.dtype = PSY_BOOL;
    random_hrm_let(p, &r, "%s%s %s %s", random_hrm_pick(p, 2) ? "!" : "", a->name, signs[random_hrm_pick(p, 7)], b->name);
}

static void choose(random_hrm *p)
{
    const value *c = random_hrm_find(p, BOOL), *a = random_hrm_find(p, ANY);
    value pair = {0}, r = {0};
    const value *b = a ? random_hrm_find_partner(p, a, ANY, &pair) : NULL;
    if (!c || !b || !random_hrm_broadcast(c, &pair, &r)) {
        return;
    }
    r.dtype = random_hrm_promoted(a->dtype);
    r.loose = a->loose || b->loose;
    r.whole = a->whole && b->whole;
    r.limit = fmax(a->limit, b->limit);
    if (random_hrm_pick(p, 3) == 0 && !is_bool(r.dtype) && is_signed(r.dtype)) {
        random_hrm_let(p, &r, "if %s { %s } else if !%s { 1 } else { %s }", c->name, a->name, c->name, b->name);
    } else {
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "if %s { %s } else { %s }" : "select(%s, %s, %s)", c->name, a->name,
                       b->name);
    }
}

static void cast(random_hrm *p)
{
    const value *a = random_hrm_find(p, EXACT);
    unsigned dtype = 1 + random_hrm_pick(p, PSY_F64);
    if (!a) {
        return;
    }
    value r = typed(a, dtype);
    r.whole = !is_float(random_hrm_promoted(dtype)) || (is_float(a->dtype) ? a->whole && a->limit < 200 : is_bool(a->dtype));
    r.limit = is_float(a->dtype) ? a->limit : is_bool(a->dtype) ? 1 : 1e30;
    random_hrm_let(p, &r, "%s(%s)", psy__dtype_name(dtype), a->name);
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
    const value *a = random_hrm_find(p, AXES);
    if (!a) {
        return;
    }
    unsigned axis = random_hrm_pick(p, a->rank), n = random_hrm_size(p, a->dims[axis]);
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
    random_hrm_let(p, &r, "%s(%s, axis: %d%s)", names[which], a->name,
                   random_hrm_pick(p, 2) ? (int)axis : (int)axis - (int)a->rank, keep ? ", keep: true" : "");
}

static void along(random_hrm *p)
{
    static const char *const names[] = {"cumsum", "softmax", "rmsnorm", "layernorm"};
    const value *a = random_hrm_find(p, AXES | NUMBER);
    if (!a) {
        return;
    }
    unsigned axis = random_hrm_pick(p, a->rank), n = random_hrm_size(p, a->dims[axis]),
             which = random_hrm_pick(p, is_float(a->dtype) ? 4 : 1);
    value r = computed(a);
    r.limit = which == 0 ? a->limit * n : which == 1 ? 1 : sqrt(n) + 1;
    r.loose = which == 0 ? !is_exact(a, n) : true;
    r.whole = which == 0 && a->whole;
    if (n == 0 || a->limit > LOOSE_MAX || (which == 3 && (a->loose || n == 1)) || (r.loose && r.limit > LOOSE_MAX)) {
        return; /* what has no variance is divided by next to nothing */
    }
    random_hrm_let(p, &r, "%s(%s, axis: %u)", names[which], a->name, axis);
}

static void order(random_hrm *p)
{
    const value *a = random_hrm_find(p, AXES | NUMBER | EXACT);
    if (!a) {
        return;
    }
    value r = computed(a);
    int last = a->dims[a->rank - 1];
    switch (random_hrm_pick(p, 3)) {
    case 0: random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "sort(%s)" : "sort(%s, descending: true)", a->name); break;
    case 1:
        r.dtype = PSY_U64;
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "argsort(%s)" : "argsort(%s, descending: true)", a->name);
        break;
    default: {
        unsigned n = random_hrm_size(p, last), k = n ? 1 + random_hrm_pick(p, n) : 0;
        if (k == 0 || p->count + 2 > RANDOM_HRM_VALUES_MAX) {
            return;
        }
        r.dims[r.rank - 1] = (int)k;
        value labels = typed(&r, PSY_U64);
        snprintf(r.name, sizeof r.name, "_v%u", p->made++);
        snprintf(labels.name, sizeof labels.name, "_v%u", p->made++);
        labels.whole = true;
        labels.limit = 0;
        random_hrm_add(p, "    let (%s, %s) = topk(%s, k: %u)\n", r.name, labels.name, a->name, k);
        p->at[p->count++] = r;
        p->at[p->count++] = labels;
    }
    }
}

static void product(random_hrm *p)
{
    const value *a = random_hrm_find(p, AXES | NUMBER), *b = random_hrm_find(p, AXES | NUMBER);
    value r = {0};
    if (!a || !b || random_hrm_promoted(a->dtype) != random_hrm_promoted(b->dtype)) {
        return;
    }
    unsigned n = random_hrm_size(p, a->dims[a->rank - 1]);
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
        random_hrm_let(p, &r, "outer(%s, %s)", a->name, b->name);
    } else if (a->rank <= 2 && b->rank == 2 && a->dims[a->rank - 1] == b->dims[random_hrm_pick(p, 2)]) {
        bool turned = a->dims[a->rank - 1] != b->dims[0];
        r.rank = a->rank;
        r.dims[0] = a->rank == 2 ? a->dims[0] : b->dims[!turned];
        r.dims[1] = b->dims[!turned];
        random_hrm_let(p, &r, turned ? "%s @ transpose(%s)" : "%s @ %s", a->name, b->name);
    } else if (a->dims[a->rank - 1] == b->dims[b->rank - 1]) {
        value space;
        if (random_hrm_broadcast(a, b, &space) && random_hrm_elements(p, &space) <= ELEMENTS_MAX) {
            r.rank = space.rank - 1;
            memcpy(r.dims, space.dims, sizeof r.dims);
            random_hrm_let(p, &r, "dot(%s, %s)", a->name, b->name);
        }
    }
}

static void shape(random_hrm *p)
{
    const value *a = random_hrm_find(p, ANY);
    char text[128] = "";
    value r = *a;
    unsigned n = (unsigned)random_hrm_elements(p, a);
    switch (random_hrm_pick(p, 5)) {
    case 0: /* into two axes, or one */
        if (random_hrm_suits(a, FIXED) && n > 0) {
            unsigned rows = 1 + random_hrm_pick(p, n);
            bool two = n % rows == 0;
            r.rank = two ? 2 : 1;
            r.dims[0] = two ? (int)rows : (int)n;
            r.dims[1] = (int)(n / rows);
            random_hrm_let(p, &r, two ? "reshape(%s, [%d, %d])" : "reshape(%s, [%d])", a->name, r.dims[0], r.dims[1]);
        } else if (a->rank == 2 && a->dims[0] < 0 && a->dims[1] > 0) {
            r.rank = 3;
            r.dims[2] = a->dims[1];
            r.dims[1] = 1;
            random_hrm_let(p, &r, "reshape(%s, [%c, 1, %d])", a->name, a->dims[0] == -1 ? 'N' : 'M', a->dims[1]);
        }
        break;
    case 1:
        for (unsigned d = 0; d < a->rank; d++) {
            r.dims[d] = a->dims[a->rank - 1 - d];
        }
        random_hrm_let(p, &r, "transpose(%s)", a->name);
        break;
    case 2:
        if (a->rank == 3) {
            r.dims[0] = a->dims[1];
            r.dims[1] = a->dims[2];
            r.dims[2] = a->dims[0];
            random_hrm_let(p, &r, "transpose(%s, [1, 2, 0])", a->name);
        }
        break;
    case 3:
        if (a->rank < 3) {
            unsigned axis = random_hrm_pick(p, a->rank + 1);
            memmove(r.dims + axis + 1, a->dims + axis, (a->rank - axis) * sizeof *r.dims);
            r.dims[axis] = 1;
            r.rank++;
            random_hrm_let(p, &r, "expand(%s, axis: %u)", a->name, axis);
        }
        break;
    default:
        if (a->rank < 3 && random_hrm_suits(a, FIXED)) {
            size_t at = (size_t)snprintf(text, sizeof text, "broadcast(%s, [2", a->name);
            memmove(r.dims + 1, a->dims, a->rank * sizeof *r.dims);
            r.dims[0] = 2;
            r.rank++;
            for (unsigned d = 1; d < r.rank; d++) {
                at += (size_t)snprintf(text + at, sizeof text - at, ", %d", r.dims[d]);
            }
            random_hrm_let(p, &r, "%s])", text);
        }
    }
}

static void join(random_hrm *p)
{
    const value *a = random_hrm_find(p, FIXED), *b = NULL;
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
            random_hrm_let(p, &r, "concat(%s, %s, %s, axis: %u)", a->name, b->name, a->name, axis);
        }
        break;
    case 1:
        if (a->rank < 3) {
            memmove(r.dims + 1, r.dims, a->rank * sizeof *r.dims);
            r.dims[0] = 2;
            r.rank++;
            random_hrm_let(p, &r, "stack(%s, %s)", a->name, b->name);
        }
        break;
    default:
        if (a->rank && !is_bool(a->dtype)) {
            unsigned before = random_hrm_pick(p, 3), after = random_hrm_pick(p, 3);
            r = *a;
            r.dims[axis] += (int)(before + after);
            r.limit = fmax(a->limit, 1);
            random_hrm_let(p, &r, "pad(%s, before: %u, after: %u, axis: %u, value: 1)", a->name, before, after, axis);
        }
    }
}

static void places(random_hrm *p)
{
    const value *a = random_hrm_find(p, AXES), *i;
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
        random_hrm_let(p, &r, random_hrm_pick(p, 2) || a->rank == 1 ? "%s[%s]" : "%s[%s, ..]", a->name, text);
    } else if ((i = random_hrm_find(p, INTEGER | EXACT | FIXED)) && a->rank - 1 + i->rank <= 3 && i->rank <= 2) {
        r.rank = a->rank - 1 + i->rank;
        memcpy(r.dims, i->dims, i->rank * sizeof *r.dims);
        memcpy(r.dims + i->rank, a->dims + 1, (a->rank - 1) * sizeof *r.dims);
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "%s[%s %% 5]" : "gather(%s, %s, axis: 0)", a->name, i->name);
    }
}

static void scatter(random_hrm *p)
{
    const value *a = random_hrm_find(p, AXES | EXACT | NUMBER | FIXED), *i = random_hrm_find(p, VECTOR | INTEGER | FIXED);
    if (!a || !i || a->dims[0] == 0 || (is_float(a->dtype) && !(a->whole && a->limit < 1000))) {
        return;
    }
    value r = computed(a);
    r.limit = a->limit * (1 + i->dims[0]);
    random_hrm_let(p, &r, "scatter_add(%s, %s %% 4, gather(%s, iota(%d) %% %d, axis: 0))", a->name, i->name, a->name,
                   i->dims[0], a->dims[0]);
}

static void numbers(random_hrm *p)
{
    value r = {.rank = 1, .dims = {1 + (int)random_hrm_pick(p, 6)}, .whole = true, .dtype = PSY_U32};
    const value *i = random_hrm_find(p, INTEGER | EXACT);
    unsigned key = random_hrm_pick(p, 100);
    switch (random_hrm_pick(p, 6)) {
    case 0: random_hrm_let(p, &r, "iota(%d)", r.dims[0]); break;
    case 1: random_hrm_let(p, &r, "iota(%d, start: %u)", r.dims[0], key); break;
    case 2: random_hrm_let(p, &r, "random(%u, %d)", key, r.dims[0]); break;
    case 3:
        r.dtype = PSY_F32;
        r.whole = false;
        r.limit = 1;
        random_hrm_let(p, &r, "uniform(%u, %d)", key, r.dims[0]);
        break;
    case 4:
        r.dtype = PSY_F32;
        r.whole = false;
        r.loose = true;
        r.limit = 6;
        random_hrm_let(p, &r, "normal(%u, %d)", key, r.dims[0]);
        break;
    default:
        if (i && i->rank < 3) {
            int n = r.dims[0];
            r = typed(i, PSY_F32);
            r.dims[r.rank++] = n;
            r.limit = 1;
            r.whole = true;
            random_hrm_let(p, &r, "one_hot(%s, %d)", i->name, n);
        }
    }
}

static void call(random_hrm *p)
{
    const value *a = random_hrm_find(p, FLOAT | VECTOR | SMALL), *f = a && a->dtype == PSY_F32 ? a : NULL,
                *m = random_hrm_find(p, MATRIX | FLOAT | EXACT);
    if (f && random_hrm_pick(p, 2)) {
        value r = *f;
        r.loose = true;
        r.whole = false;
        r.limit = 1;
        random_hrm_let(p, &r, random_hrm_pick(p, 2) ? "unit(%s)" : "%s |> unit", f->name);
    } else if (m && m->dtype == PSY_F32 && m->dims[0] > 0 && m->dims[1] > 0) {
        value r = *m;
        r.rank = 1;
        r.dims[0] = m->dims[1];
        r.limit = fmax(m->limit, 1);
        random_hrm_let(p, &r, "first(%s)", m->name);
    }
}

void random_hrm_step(random_hrm *p)
{
    static void (*const kinds[])(random_hrm *) = {map_one,
                                                  map_loose,
                                                  map_two,
                                                  map_two,
                                                  compare,
                                                  logic,
                                                  choose,
                                                  cast,
                                                  reduce,
                                                  reduce,
                                                  along,
                                                  order,
                                                  product,
                                                  shape,
                                                  shape,
                                                  join,
                                                  places,
                                                  places,
                                                  scatter,
                                                  numbers,
                                                  call,
                                                  random_hrm_special,
                                                  random_hrm_about,
                                                  random_hrm_rare_maps,
                                                  random_hrm_sizes,
                                                  random_hrm_einsum,
                                                  random_hrm_columns,
                                                  random_hrm_norms,
                                                  random_hrm_bounded,
                                                  random_hrm_of_bounded,
                                                  random_hrm_optional};
    kinds[random_hrm_pick(p, sizeof kinds / sizeof kinds[0])](p);
}
