/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/engine/random.h"

#include <string.h>

#include "isa/verify.h"

enum { ELEMENTS_MAX = 12000, REGISTERS_MAX = 500 };

static uint64_t next(random_program *p)
{
    p->state ^= p->state << 13;
    p->state ^= p->state >> 7;
    p->state ^= p->state << 17;
    return p->state >> 11;
}

static uint32_t below(random_program *p, uint32_t n) { return (uint32_t)(next(p) % n); }
static bool one_in(random_program *p, uint32_t n) { return below(p, n) == 0; }

static bool is_allowed(const random_program *p, unsigned dtype)
{
    return psy__dtype_bytes(dtype) != 0 && dtype != PSY_F16 && dtype != PSY_BF16 &&
           (!p->limits.words_only || psy__dtype_bytes(dtype) == 4);
}

static unsigned any_dtype(random_program *p, bool computes)
{
    for (;;) {
        unsigned dtype = 1 + below(p, 13);
        if (is_allowed(p, dtype) && (!computes || psy__dtype_computes(dtype))) {
            return dtype;
        }
    }
}

static bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }
static psy_dim any_dim(random_program *p) { return p->pool[below(p, p->pool_count)]; }

static uint64_t count_of(const random_program *p, const psy_dim *dims, unsigned rank)
{
    uint64_t n = 1;
    for (unsigned d = 0; d < rank; d++) {
        n *= psy__dim_value(dims[d], p->symbols);
    }
    return n;
}

static void add(random_program *p, uint32_t reg, bool certain)
{
    const psy_psm_register *r = build_register(p->b, reg);
    p->at[p->count++] = (random_register){reg, certain || !is_float(r->dtype), count_of(p, r->dims, r->rank)};
}

static const random_register *any(random_program *p) { return &p->at[below(p, p->count)]; }
static const psy_psm_register *info_of(const random_program *p, const random_register *r)
{
    return build_register(p->b, r->reg);
}

/* An operation of the class for the dtype, or NULL. */
static const psy_op_info *any_op(random_program *p, psy_op_class class_, unsigned dtype)
{
    for (unsigned i = 0; i < 40; i++) {
        const psy_op_info *info = psy__op_row(below(p, psy__op_count()));
        if (info->class_ == class_ && psy__op_takes(info, dtype)) {
            return info;
        }
    }
    return NULL;
}

/* False: they do not broadcast, or to something large. */
static bool broadcasts(const random_program *p, const psy_psm_register *a, const psy_psm_register *b, psy_dim *dims,
                       unsigned *rank)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (unsigned i = 1; i <= *rank; i++) {
        psy_dim x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            return false;
        }
        dims[*rank - i] = x == 1 ? y : x;
    }
    return count_of(p, dims, *rank) <= ELEMENTS_MAX;
}

/* A register of the dtype that broadcasts against `a`, to exactly `dims` where they are given. */
static const random_register *partner(random_program *p, const psy_psm_register *a, const psy_dim *dims, unsigned rank)
{
    for (unsigned i = 0; i < 30; i++) {
        const random_register *r = any(p);
        psy_dim got[PSY_RANK_MAX];
        unsigned got_rank;
        if (info_of(p, r)->dtype == a->dtype && broadcasts(p, a, info_of(p, r), got, &got_rank) &&
            (!dims || (got_rank == rank && memcmp(got, dims, rank * sizeof *dims) == 0))) {
            return r;
        }
    }
    return NULL;
}

static bool keeps(const psy_op_info *info, const random_register *a, const random_register *b)
{
    return info->tolerance == 0 && a->certain && (!b || b->certain);
}

/* One elementwise operation on `a`; inside a region its result has the dims of the space. */
static void step_map(random_program *p, random_register a, const psy_dim *dims, unsigned rank)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    unsigned kind = below(p, 6);
    const psy_op_info *info = kind == 0 ? NULL : any_op(p, kind < 3 ? PSY_CLASS_MAP1 : PSY_CLASS_MAP2, x.dtype);
    if (info && info->class_ == PSY_CLASS_MAP1) {
        add(p, build_map(p->b, info->op, a.reg, PSY_NONE), keeps(info, &a, NULL));
    } else if (info) {
        const random_register *found = partner(p, &x, dims, rank);
        if (found) {
            random_register b = *found;
            bool swapped = one_in(p, 2);
            add(p, build_map(p->b, info->op, swapped ? b.reg : a.reg, swapped ? a.reg : b.reg), keeps(info, &a, &b));
        }
    } else if (a.certain) {
        add(p, build_cast(p->b, any_dtype(p, !one_in(p, 4)), a.reg), true);
    }
}

/* A reduction of axis `axis`, or a product over the last one. */
static bool step_reduce(random_program *p, random_register a, uint32_t axis, const psy_dim *dims, unsigned rank)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    bool two = axis + 1u == x.rank && one_in(p, 3);
    const psy_op_info *info = any_op(p, two ? PSY_CLASS_REDUCE2 : PSY_CLASS_REDUCE1, x.dtype);
    const random_register *b = info && two ? partner(p, &x, dims, rank) : NULL;
    if (!info || (two && !b)) {
        return false;
    }
    bool certain = keeps(info, &a, b);
    add(p, two ? build_reduce2(p->b, info->op, a.reg, b->reg) : build_reduce(p->b, info->op, a.reg, axis), certain);
    return true;
}

static void step_topk(random_program *p, random_register a)
{
    uint32_t labels = PSY_NONE, k = 1 + below(p, one_in(p, 4) ? 260 : 12);
    psy_dim base = PSY_NONE;
    psy_psm_register x = *build_register(p->b, a.reg);
    for (unsigned i = 0; !p->limits.views_only && one_in(p, 2) && i < p->count; i++) {
        const psy_psm_register *l = info_of(p, &p->at[i]);
        if (l->dtype == PSY_U64 && l->rank == x.rank && memcmp(l->dims, x.dims, x.rank * sizeof *x.dims) == 0) {
            labels = p->at[i].reg;
        }
    }
    for (uint32_t i = 0; labels == PSY_NONE && one_in(p, 2) && i < p->b->symbol_count; i++) {
        base = p->b->symbols[i].kind == PSY_SYMBOL_LOCAL ? PSY_DIM_SYMBOL | i : base;
    }
    uint32_t best = build_topk(p->b, a.reg, labels, k, base);
    add(p, best, true);
    if (p->limits.words_only) {
        build_output(p->b, best + 1);
    } else {
        add(p, best + 1, true);
    }
}

static void step_region(random_program *p, random_register a)
{
    psy_psm_register space = *build_register(p->b, a.reg);
    bool reduces = space.rank > 0 && one_in(p, 2);
    uint32_t before = p->count;
    build_region(p->b, reduces, space.rank, space.dims);
    for (unsigned i = 0, steps = 1 + below(p, 5); i < steps && p->count < REGISTERS_MAX - 20; i++) {
        random_register from = p->count > before && !one_in(p, 3) ? p->at[before + below(p, p->count - before)] : a;
        if (psy__dtype_computes(build_register(p->b, from.reg)->dtype)) {
            step_map(p, from, space.dims, space.rank);
        }
    }
    uint32_t first_part = p->count;
    if (!reduces) {
        if (p->count == before) {
            add(p, build_cast(p->b, space.dtype, a.reg), a.certain);
        }
        build_region_end(p->b);
        return;
    }
    for (unsigned i = 0, steps = 1 + below(p, 3); i < steps; i++) {
        random_register from = first_part > before && !one_in(p, 4) ? p->at[before + below(p, first_part - before)] : a;
        uint32_t count = p->count;
        if (psy__dtype_computes(build_register(p->b, from.reg)->dtype)) {
            /* What was reduced just now is not to be read yet. */
            p->count = first_part;
            random_register kept[8];
            memcpy(kept, p->at + first_part, (count - first_part) * sizeof *kept);
            bool done = step_reduce(p, from, space.rank - 1u, space.dims, space.rank);
            random_register made = p->at[first_part];
            memcpy(p->at + first_part, kept, (count - first_part) * sizeof *kept);
            p->count = count;
            if (done) {
                p->at[p->count++] = made;
            }
        }
    }
    if (p->count == first_part) {
        add(p, build_reduce(p->b, PSY_OP_RMAX, a.reg, space.rank - 1u), a.certain);
    }
    for (unsigned i = 0, steps = below(p, 4); i < steps; i++) {
        step_map(p, p->at[first_part + below(p, p->count - first_part)], space.dims, space.rank - 1u);
    }
    build_region_end(p->b);
}

static void step(random_program *p)
{
    random_register a = *any(p);
    psy_psm_register x = *build_register(p->b, a.reg);
    if (!psy__dtype_computes(x.dtype)) {
        add(p, build_cast(p->b, any_dtype(p, true), a.reg), true);
        return;
    }
    switch (below(p, 10)) {
    case 0:
    case 1:
    case 2: step_map(p, a, NULL, 0); break;
    case 3:
    case 4:
        if (x.rank > 0) {
            step_reduce(p, a, below(p, x.rank), NULL, 0);
        }
        break;
    case 5:
        if (x.rank > 0 && a.certain) {
            step_topk(p, a);
        }
        break;
    case 6: add(p, build_size(p->b, any_dtype(p, true), any_dim(p)), true); break;
    default:
        if (psy__dtype_computes(x.dtype)) {
            step_region(p, a);
        }
    }
}

/* ---- what programs begin and end with ---- */

static void make_sources(random_program *p)
{
    build *b = p->b;
    uint32_t in = build_type(b), out = build_type(b), partial = PSY_NONE, fields = 2 + below(p, 4), residents = 1 + below(p, 3);
    static const uint32_t sizes[] = {1, 2, 3, 5, 64, 70, 257};
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    psy_dim m = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), shards = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    p->symbols[1] = one_in(p, 6) ? below(p, 3) : below(p, 300);
    p->symbols[0] = p->symbols[1] + below(p, 100);
    p->symbols[2] = below(p, 20);
    p->bases[1] = next(p) << below(p, 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p->pool[p->pool_count++] = sizes[i];
    }
    p->pool[p->pool_count++] = local;
    p->pool[p->pool_count++] = m;
    for (uint32_t i = 0; i < fields; i++) {
        uint32_t size = sizes[below(p, 7)];
        build_field(b, in, any_dtype(p, one_in(p, 2)), size == 1 && one_in(p, 2) ? PSY_FIELD_SCALAR : PSY_FIELD_ARRAY, size);
    }
    p->key = p->keyed = PSY_NONE;
    if (!p->limits.views_only && one_in(p, 3)) {
        p->key = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
        p->keyed =
            build_resident(b, any_dtype(p, one_in(p, 2)), PSY_PLACE_BY_KEY, local, 2, (psy_dim[]){n, sizes[below(p, 7)]});
    }
    if (!p->limits.views_only && one_in(p, 3)) {
        partial = build_type(b);
        p->shards = 1 + below(p, 4);
        build_field(b, partial, any_dtype(p, false), PSY_FIELD_SCALAR, 1);
        build_field(b, partial, any_dtype(p, true), PSY_FIELD_ARRAY, sizes[below(p, 7)]);
        build_field(b, partial, PSY_U64, PSY_FIELD_ARRAY, sizes[below(p, 7)]);
    }
    p->symbols[3] = p->shards;
    uint32_t first_view = b->resident_count;
    for (uint32_t i = 0; i < residents; i++) {
        bool split = one_in(p, 3);
        unsigned rank = 1 + below(p, 3);
        psy_dim dims[3];
        do {
            for (unsigned d = 0; d < rank; d++) {
                dims[d] = split && d == 0 ? n : any_dim(p);
            }
        } while (count_of(p, dims, rank) > ELEMENTS_MAX);
        build_resident(b, any_dtype(p, one_in(p, 2)), split ? PSY_PLACE_SPLIT : PSY_PLACE_REPLICATED, split ? local : PSY_NONE,
                       rank, dims);
    }
    build_program(b, in, partial, out);
    for (uint32_t f = 0; f < fields; f++) {
        add(p, build_load(b, f), true);
    }
    for (uint32_t r = first_view; r < b->resident_count; r++) {
        add(p, build_view(b, r), true);
    }
    if (p->keyed != PSY_NONE) {
        add(p, build_lookup(b, p->keyed, build_load(b, p->key)), true);
    }
    for (uint32_t f = 0; partial != PSY_NONE && f < 3; f++) {
        add(p, build_partial(b, f, shards), true);
    }
}

/* What a register holds, in a shape that fits a field: its last axes are reduced. */
static void output(random_program *p, random_register r)
{
    for (;;) {
        const psy_psm_register *x = build_register(p->b, r.reg);
        bool literal = x->rank == 0 || !psy__dim_is_symbol(x->dims[0]);
        if (x->rank == 0 || (x->rank == 1 && literal && x->dims[0] > 0)) {
            build_output(p->b, r.reg);
            return;
        }
        if (!psy__dtype_computes(x->dtype)) {
            r.reg = build_cast(p->b, PSY_I32, r.reg);
        } else if (r.certain && !p->limits.words_only && one_in(p, 3)) {
            build_output_ranked(p->b, r.reg, 1 + below(p, 100));
            return;
        } else {
            r.reg =
                build_reduce(p->b, is_float(x->dtype) && !one_in(p, 3) ? PSY_OP_RMAX : PSY_OP_SUM, r.reg, below(p, x->rank));
            r.certain = false;
        }
    }
}

void random_program_init(random_program *p, const random_limits *limits)
{
    *p = (random_program){.b = build_create(), .limits = *limits};
    p->state = limits->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < 8; i++) {
        next(p);
    }
    p->b->tight = one_in(p, 2);
    make_sources(p);
    uint32_t sources = p->count, outputs = 0;
    for (uint32_t i = 0; i < limits->steps && p->count < REGISTERS_MAX - 40; i++) {
        step(p);
    }
    /* The latest first: they have the most behind them. */
    for (uint32_t i = p->count; i-- > 0 && outputs < limits->outputs;) {
        if (i >= sources || one_in(p, 3)) {
            output(p, p->at[i]);
            outputs++;
        }
    }
    build_end(p->b);
    build_finish(p->b);
}

void random_program_fini(random_program *p)
{
    build_destroy(p->b);
    p->b = NULL;
}
