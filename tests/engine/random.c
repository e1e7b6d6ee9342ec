/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/engine/random_parts.h"

#include <string.h>

#include "isa/verify.h"

static uint64_t next(random_program *p)
{
    p->state ^= p->state << 13;
    p->state ^= p->state >> 7;
    p->state ^= p->state << 17;
    return p->state >> 11;
}

uint32_t random_below(random_program *p, uint32_t n) { return (uint32_t)(next(p) % n); }
bool random_one_in(random_program *p, uint32_t n) { return random_below(p, n) == 0; }

bool random_has_form(unsigned op, unsigned dtype)
{
    const char *columns[3] = {"", "", ""};
    switch (op) {
#define OP(NAME, code, text, class, signature, takes, cf, ci, spirv_float, spirv_sint, spirv_uint, ...)                        \
    case code:                                                                                                                 \
        columns[0] = #spirv_float;                                                                                             \
        columns[1] = #spirv_sint;                                                                                              \
        columns[2] = #spirv_uint;                                                                                              \
        break;
#include "isa/ops.def"
#undef OP
    default: break;
    }
    psy_dtype_class class_ = psy__dtype_class(dtype);
    const char *column = columns[class_ == PSY_DCLASS_FLOAT ? 0 : class_ == PSY_DCLASS_SINT ? 1 : 2];
    return *column && strcmp(column, "X") != 0;
}

static bool is_allowed(const random_program *p, unsigned dtype)
{
    return psy__dtype_bytes(dtype) != 0 && (!p->limits.words_only || psy__dtype_bytes(dtype) <= 4);
}

unsigned random_dtype(random_program *p, bool computes)
{
    for (;;) {
        unsigned dtype = 1 + random_below(p, 13);
        if (is_allowed(p, dtype) && (!computes || psy__dtype_computes(dtype))) {
            return dtype;
        }
    }
}

/* Reductions take it. */
static bool is_computed(unsigned dtype) { return psy__dtype_computes(dtype) || dtype == PSY_BOOL; }
static bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }
psy_dim random_dim(random_program *p) { return p->pool[random_below(p, p->pool_count)]; }

uint64_t random_count(const random_program *p, const psy_dim *dims, unsigned rank)
{
    uint64_t n = 1;
    for (unsigned d = 0; d < rank; d++) {
        n *= psy__dim_value(dims[d], p->symbols);
    }
    return n;
}

void random_add(random_program *p, uint32_t reg, bool certain)
{
    const psy_psm_register *r = build_register(p->b, reg);
    p->at[p->count++] = (random_register){reg, certain || !is_float(r->dtype), false, random_count(p, r->dims, r->rank)};
}

/* A view whose elements do not lie one after the other. */
void random_add_stridden(random_program *p, uint32_t reg, bool certain)
{
    random_add(p, reg, certain);
    p->at[p->count - 1].stridden = true;
}

const random_register *random_any(random_program *p) { return &p->at[random_below(p, p->count)]; }
const psy_psm_register *random_info(const random_program *p, const random_register *r) { return build_register(p->b, r->reg); }

/* An operation of the class for the dtype, or NULL. */
static const psy_op_info *any_op(random_program *p, psy_op_class class_, unsigned dtype)
{
    for (unsigned i = 0; i < 200; i++) {
        const psy_op_info *info = psy__op_row(random_below(p, psy__op_count()));
        bool computes = psy__class_is_map(class_) || psy__class_is_reduction(class_);
        if (info->class_ == class_ && psy__op_takes(info, dtype) &&
            (!p->limits.words_only || !computes || random_has_form(info->op, dtype))) {
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
    return random_count(p, dims, *rank) <= RANDOM_ELEMENTS;
}

/* A register of the dtype that broadcasts against `a`, to exactly `dims` where they are given. */
static const random_register *partner_of(random_program *p, unsigned dtype, const psy_psm_register *a, const psy_dim *dims,
                                         unsigned rank)
{
    for (unsigned i = 0; i < 30; i++) {
        const random_register *r = random_any(p);
        psy_dim got[PSY_RANK_MAX];
        unsigned got_rank;
        if (random_info(p, r)->dtype == dtype && broadcasts(p, a, random_info(p, r), got, &got_rank) &&
            (!dims || (got_rank == rank && memcmp(got, dims, rank * sizeof *dims) == 0))) {
            return r;
        }
    }
    return NULL;
}

static const random_register *partner(random_program *p, const psy_psm_register *a, const psy_dim *dims, unsigned rank)
{
    return partner_of(p, a->dtype, a, dims, rank);
}

static bool keeps(const psy_op_info *info, const random_register *a, const random_register *b)
{
    return info->tolerance == 0 && a->certain && (!b || b->certain);
}

/* Three operands, the first of which is a truth value or like the others. */
static void step_three(random_program *p, const psy_op_info *info, random_register b, const psy_dim *dims, unsigned rank)
{
    psy_psm_register y = *build_register(p->b, b.reg), both = y;
    const random_register *c = partner(p, &y, NULL, 0);
    unsigned got_rank;
    if (!c || !broadcasts(p, &y, random_info(p, c), both.dims, &got_rank)) {
        return;
    }
    random_register z = *c;
    both.rank = (uint8_t)got_rank;
    const random_register *a = partner_of(p, info->class_ == PSY_CLASS_CHOOSE ? PSY_BOOL : y.dtype, &both, dims, rank);
    if (a) {
        bool certain = info->class_ == PSY_CLASS_CHOOSE && b.certain && z.certain;
        random_add(p, build_map3(p->b, info->op, a->reg, b.reg, z.reg), certain);
    }
}

/* One elementwise operation on `a`; inside a region its result has the dims of the space. */
static void step_map(random_program *p, random_register a, const psy_dim *dims, unsigned rank)
{
    static const psy_op_class kinds[] = {PSY_CLASS_CAST, PSY_CLASS_MAP1, PSY_CLASS_MAP1,   PSY_CLASS_MAP2,   PSY_CLASS_MAP2,
                                         PSY_CLASS_MAP2, PSY_CLASS_MAP3, PSY_CLASS_CHOOSE, PSY_CLASS_COMPARE};
    psy_psm_register x = *build_register(p->b, a.reg);
    psy_op_class class_ = kinds[random_below(p, sizeof kinds / sizeof kinds[0])];
    const psy_op_info *info = class_ == PSY_CLASS_CHOOSE ? psy__op_info(PSY_OP_CHOOSE) : any_op(p, class_, x.dtype);
    if (class_ == PSY_CLASS_CAST || (!info && !psy__dtype_computes(x.dtype))) {
        if (a.certain) {
            random_add(p, build_cast(p->b, random_dtype(p, !random_one_in(p, 4)), a.reg), true);
        }
    } else if (info && class_ == PSY_CLASS_MAP1) {
        random_add(p, build_map(p->b, info->op, a.reg, PSY_NONE), keeps(info, &a, NULL));
    } else if (info && (class_ == PSY_CLASS_MAP3 || class_ == PSY_CLASS_CHOOSE)) {
        step_three(p, info, a, dims, rank);
    } else if (info) {
        const random_register *found = partner(p, &x, dims, rank);
        if (found && (class_ == PSY_CLASS_MAP2 || (a.certain && found->certain))) {
            random_register b = *found;
            bool swapped = random_one_in(p, 2);
            random_add(p, build_map(p->b, info->op, swapped ? b.reg : a.reg, swapped ? a.reg : b.reg), keeps(info, &a, &b));
        }
    }
}

/* A reduction of axis `axis`, or a product over the last one. */
static bool step_reduce(random_program *p, random_register a, uint32_t axis, const psy_dim *dims, unsigned rank)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    bool two = axis + 1u == x.rank && random_one_in(p, 3);
    const psy_op_info *info = any_op(p, two ? PSY_CLASS_REDUCE2 : PSY_CLASS_REDUCE1, x.dtype);
    const random_register *b = info && two ? partner(p, &x, dims, rank) : NULL;
    if (!info || (two && !b)) {
        return false;
    }
    bool certain = keeps(info, &a, b);
    random_add(p, two ? build_reduce2(p->b, info->op, a.reg, b->reg) : build_reduce(p->b, info->op, a.reg, axis), certain);
    return true;
}

static void step_topk(random_program *p, random_register a)
{
    uint32_t labels = PSY_NONE, k = 1 + random_below(p, random_one_in(p, 4) ? 260 : 12);
    psy_dim base = PSY_NONE;
    psy_psm_register x = *build_register(p->b, a.reg);
    for (unsigned i = 0; !p->limits.views_only && random_one_in(p, 2) && i < p->count; i++) {
        const psy_psm_register *l = random_info(p, &p->at[i]);
        if (l->dtype == PSY_U64 && l->rank == x.rank && memcmp(l->dims, x.dims, x.rank * sizeof *x.dims) == 0) {
            labels = p->at[i].reg;
        }
    }
    for (uint32_t i = 0; labels == PSY_NONE && random_one_in(p, 2) && i < p->b->symbol_count; i++) {
        base = p->b->symbols[i].kind == PSY_SYMBOL_LOCAL ? PSY_DIM_SYMBOL | i : base;
    }
    uint32_t best = build_topk(p->b, a.reg, labels, k, base);
    random_add(p, best, true);
    if (p->limits.words_only) {
        build_output(p->b, best + 1);
    } else {
        random_add(p, best + 1, true);
    }
}

static void step_region(random_program *p, random_register a)
{
    psy_psm_register space = *build_register(p->b, a.reg);
    bool reduces = space.rank > 0 && random_one_in(p, 2);
    uint32_t before = p->count;
    build_region(p->b, reduces, space.rank, space.dims);
    for (unsigned i = 0, steps = 1 + random_below(p, 5); i < steps && p->count < RANDOM_REGISTERS - 20; i++) {
        random_register from =
            p->count > before && !random_one_in(p, 3) ? p->at[before + random_below(p, p->count - before)] : a;
        step_map(p, from, space.dims, space.rank);
    }
    uint32_t first_part = p->count;
    if (!reduces) {
        if (p->count == before) {
            random_add(p, build_cast(p->b, space.dtype, a.reg), a.certain);
        }
        build_region_end(p->b);
        return;
    }
    for (unsigned i = 0, steps = 1 + random_below(p, 3); i < steps; i++) {
        random_register from =
            first_part > before && !random_one_in(p, 4) ? p->at[before + random_below(p, first_part - before)] : a;
        uint32_t count = p->count;
        if (is_computed(build_register(p->b, from.reg)->dtype)) {
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
        random_add(p, build_reduce(p->b, space.dtype == PSY_BOOL ? PSY_OP_ANY : PSY_OP_RMAX, a.reg, space.rank - 1u),
                   a.certain);
    }
    for (unsigned i = 0, steps = random_below(p, 4); i < steps; i++) {
        step_map(p, p->at[first_part + random_below(p, p->count - first_part)], space.dims, space.rank - 1u);
    }
    build_region_end(p->b);
}

static void step(random_program *p)
{
    random_register a = *random_any(p);
    psy_psm_register x = *build_register(p->b, a.reg);
    uint32_t kind = random_below(p, 16);
    if (kind < 6) {
        random_move(p, a);
        return;
    }
    if (!is_computed(x.dtype)) {
        random_add(p, build_cast(p->b, random_dtype(p, true), a.reg), true);
        return;
    }
    switch (kind) {
    case 6:
    case 7:
    case 8: step_map(p, a, NULL, 0); break;
    case 9:
    case 10:
        if (x.rank > 0) {
            step_reduce(p, a, random_below(p, x.rank), NULL, 0);
        }
        break;
    case 11:
        if (x.rank > 0 && a.certain && x.dtype != PSY_BOOL) {
            step_topk(p, a);
        }
        break;
    case 12: random_add(p, build_size(p->b, random_dtype(p, true), random_dim(p)), true); break;
    default: step_region(p, a);
    }
}

/* ---- what programs begin and end with ---- */

static void make_sources(random_program *p)
{
    build *b = p->b;
    uint32_t in = build_type(b), out = build_type(b), partial = PSY_NONE, fields = 2 + random_below(p, 4),
             residents = 1 + random_below(p, 3);
    static const uint32_t sizes[] = {1, 2, 3, 5, 64, 70, 257};
    psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), local = build_symbol(b, PSY_SYMBOL_LOCAL, n);
    psy_dim m = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE), shards = build_symbol(b, PSY_SYMBOL_SHARDS, PSY_NONE);
    p->symbols[1] = random_one_in(p, 6) ? random_below(p, 3) : random_below(p, 300);
    p->symbols[0] = p->symbols[1] + random_below(p, 100);
    p->symbols[2] = random_below(p, 20);
    p->bases[1] = next(p) << random_below(p, 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        p->pool[p->pool_count++] = sizes[i];
    }
    p->pool[p->pool_count++] = local;
    p->pool[p->pool_count++] = m;
    for (uint32_t i = 0; i < fields; i++) {
        uint32_t size = sizes[random_below(p, 7)];
        build_field(b, in, random_dtype(p, random_one_in(p, 2)),
                    size == 1 && random_one_in(p, 2) ? PSY_FIELD_SCALAR : PSY_FIELD_ARRAY, size);
    }
    p->key = p->keyed = PSY_NONE;
    if (!p->limits.views_only && random_one_in(p, 3)) {
        p->key = build_field(b, in, PSY_U64, PSY_FIELD_SCALAR, 1);
        p->keyed = build_resident(b, random_dtype(p, random_one_in(p, 2)), PSY_PLACE_BY_KEY, local, 2,
                                  (psy_dim[]){n, sizes[random_below(p, 7)]});
    }
    if (!p->limits.views_only && random_one_in(p, 3)) {
        partial = build_type(b);
        p->shards = 1 + random_below(p, 4);
        build_field(b, partial, random_dtype(p, false), PSY_FIELD_SCALAR, 1);
        build_field(b, partial, random_dtype(p, true), PSY_FIELD_ARRAY, sizes[random_below(p, 7)]);
        build_field(b, partial, PSY_U64, PSY_FIELD_ARRAY, sizes[random_below(p, 7)]);
    }
    p->symbols[3] = p->shards;
    uint32_t first_view = b->resident_count;
    for (uint32_t i = 0; i < residents; i++) {
        bool split = random_one_in(p, 3);
        unsigned rank = 1 + random_below(p, 3);
        psy_dim dims[3];
        do {
            for (unsigned d = 0; d < rank; d++) {
                dims[d] = split && d == 0 ? n : random_dim(p);
            }
        } while (random_count(p, dims, rank) > RANDOM_ELEMENTS);
        build_resident(b, random_dtype(p, random_one_in(p, 2)), split ? PSY_PLACE_SPLIT : PSY_PLACE_REPLICATED,
                       split ? local : PSY_NONE, rank, dims);
    }
    build_program(b, in, partial, out);
    for (uint32_t f = 0; f < fields; f++) {
        random_add(p, build_load(b, f), true);
    }
    for (uint32_t r = first_view; r < b->resident_count; r++) {
        random_add(p, build_view(b, r), true);
    }
    if (p->keyed != PSY_NONE) {
        random_add(p, build_lookup(b, p->keyed, build_load(b, p->key)), true);
    }
    for (uint32_t f = 0; partial != PSY_NONE && f < 3; f++) {
        random_add_stridden(p, build_partial(b, f, shards), true);
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
        for (unsigned d = 0; d < x->rank; d++) {
            literal = literal && !psy__dim_is_symbol(x->dims[d]);
        }
        uint64_t count = random_count(p, x->dims, x->rank);
        if (literal && count > 0 && count < 800) {
            build_output_all(p->b, r.reg);
            return;
        }
        if (!psy__dtype_computes(x->dtype)) {
            r.reg = build_cast(p->b, is_float(x->dtype) ? PSY_F32 : PSY_I32, r.reg);
        } else if (r.certain && !p->limits.words_only && random_one_in(p, 3)) {
            build_output_ranked(p->b, r.reg, 1 + random_below(p, 100));
            return;
        } else {
            r.reg = build_reduce(p->b, is_float(x->dtype) && !random_one_in(p, 3) ? PSY_OP_RMAX : PSY_OP_SUM, r.reg,
                                 random_below(p, x->rank));
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
    p->b->tight = random_one_in(p, 2);
    make_sources(p);
    uint32_t sources = p->count, outputs = 0;
    for (uint32_t i = 0; i < limits->steps && p->count < RANDOM_REGISTERS - 40; i++) {
        step(p);
    }
    /* The latest first: they have the most behind them. */
    for (uint32_t i = p->count; i-- > 0 && outputs < limits->outputs;) {
        if (i >= sources || random_one_in(p, 3)) {
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
