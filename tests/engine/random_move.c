/* SPDX-License-Identifier: Apache-2.0 */
/* Views, and what moves elements, in random programs. */
#include <string.h>

#include "isa/verify.h"
#include "tests/engine/random_parts.h"

enum { RANK = 6 };

static uint64_t size_of(const random_program *p, psy_dim d) { return psy__dim_value(d, p->symbols); }

/* Literal dims are split in two or put together; named ones only move. */
static void step_reshape(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    bool literal = true;
    for (unsigned d = 0; d < x.rank; d++) {
        literal = literal && !psy__dim_is_symbol(x.dims[d]);
    }
    if (a.stridden) {
        return;
    }
    if (!literal) {
        memmove(x.dims + 1, x.dims, x.rank * sizeof *x.dims);
        x.dims[0] = 1;
        if (random_one_in(p, 2)) { /* the last becomes the first */
            x.dims[0] = x.dims[x.rank];
            x.dims[x.rank] = 1;
        }
        x.rank = (uint8_t)(x.rank + (x.rank < RANK));
        if (random_count(p, x.dims, x.rank) != a.count) {
            return;
        }
    } else {
        static const uint32_t factors[] = {2, 3, 5, 7, 10, 64, 257};
        uint32_t by = factors[random_below(p, 7)];
        bool splits = a.count % by == 0 && random_one_in(p, 2);
        x.rank = splits ? 3 : 1;
        x.dims[0] = splits ? by : (psy_dim)a.count;
        x.dims[1] = 1;
        x.dims[2] = (psy_dim)(a.count / by);
    }
    random_add(p, build_reshape(p->b, a.reg, x.rank, x.dims), a.certain);
}

static void step_permute(random_program *p, random_register a)
{
    unsigned rank = build_register(p->b, a.reg)->rank, order[PSY_RANK_MAX];
    for (unsigned d = 0; d < rank; d++) {
        unsigned other = random_below(p, d + 1);
        order[d] = order[other];
        order[other] = d;
    }
    random_add_stridden(p, build_permute(p->b, a.reg, order), a.certain);
}

static void step_slice(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    if (x.rank == 0) {
        return;
    }
    uint32_t axis = random_below(p, x.rank), by = 1 + random_below(p, 3);
    uint64_t size = size_of(p, x.dims[axis]), from = size ? random_below(p, (uint32_t)size) : 0;
    bool back = random_one_in(p, 2);
    uint64_t most = size == 0 ? 0 : (back ? from : size - 1 - from) / by + 1;
    psy_dim count = (psy_dim)(random_one_in(p, 8) ? random_below(p, (uint32_t)most + 1) : most);
    uint32_t y = build_slice(p->b, a.reg, axis, (psy_dim)from, count, back ? -(int32_t)by : (int32_t)by);
    random_add_stridden(p, y, a.certain);
}

static void step_repeat(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    for (unsigned d = 0; d < x.rank; d++) {
        x.dims[d] = x.dims[d] == 1 && random_one_in(p, 2) ? random_dim(p) : x.dims[d];
    }
    if (x.rank < RANK && random_one_in(p, 2)) {
        memmove(x.dims + 1, x.dims, x.rank++ * sizeof *x.dims);
        x.dims[0] = random_dim(p);
    }
    if (random_count(p, x.dims, x.rank) <= RANDOM_ELEMENTS) {
        random_add_stridden(p, build_repeat(p->b, a.reg, x.rank, x.dims), a.certain);
    }
}

static void step_iota(random_program *p)
{
    psy_dim dims[3] = {random_dim(p), random_dim(p), random_dim(p)};
    unsigned rank = 1 + random_below(p, 3);
    if (random_count(p, dims, rank) <= RANDOM_ELEMENTS) {
        random_add(p, build_iota(p->b, random_dtype(p, true), random_below(p, rank), rank, dims), true);
    }
}

/* Whether `y` has the dims of `x`, but for the axis. */
static bool fits_beside(const psy_psm_register *x, const psy_psm_register *y, uint32_t axis)
{
    bool fits = x->dtype == y->dtype && x->rank == y->rank;
    for (unsigned d = 0; fits && d < x->rank; d++) {
        fits = d == axis || x->dims[d] == y->dims[d];
    }
    return fits;
}

static void step_concat(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    if (x.rank == 0 || p->b->symbol_count + 2 > BUILD_SYMBOLS) {
        return;
    }
    uint32_t axis = random_below(p, x.rank), all[4] = {a.reg}, count = 1;
    bool certain = a.certain;
    psy_dim length = x.dims[axis];
    uint64_t size = size_of(p, length);
    for (unsigned i = 0; i < 40 && count < 4; i++) {
        const random_register *r = random_any(p);
        psy_dim more = random_info(p, r)->dims[axis];
        if (!fits_beside(&x, random_info(p, r), axis) || a.count + count * r->count > RANDOM_ELEMENTS / 2) {
            continue;
        }
        size += size_of(p, more);
        if (psy__dim_is_symbol(length) || psy__dim_is_symbol(more)) {
            if (p->b->symbol_count + 1 > BUILD_SYMBOLS) {
                break;
            }
            length = build_computed(p->b, PSY_SYMBOL_ADD, length, more);
            p->symbols[psy__dim_symbol(length)] = size;
        } else {
            length += more;
        }
        all[count++] = r->reg;
        certain = certain && r->certain;
    }
    random_add(p, build_concat(p->b, axis, count, all, length), certain);
}

static const random_register *integers(random_program *p, bool vector)
{
    for (unsigned i = 0; i < 40; i++) {
        const random_register *r = random_any(p);
        const psy_psm_register *x = random_info(p, r);
        bool integer = psy__dtype_computes(x->dtype) && psy__dtype_class(x->dtype) != PSY_DCLASS_FLOAT;
        if (integer && x->rank <= 2 && (!vector || x->rank == 1)) {
            return r;
        }
    }
    return NULL;
}

/* Sums into places take parts that were gathered by the same numbers, or by others of that length. */
static void step_gather(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    bool scatters = psy__dtype_computes(x.dtype) && random_one_in(p, 2);
    const random_register *found = x.rank ? integers(p, scatters) : NULL;
    if (!found) {
        return;
    }
    random_register index = *found;
    uint32_t axis = scatters ? 0 : random_below(p, x.rank);
    uint64_t size = size_of(p, x.dims[axis]), count = a.count / (size ? size : 1) * index.count;
    if (x.rank + random_info(p, &index)->rank > RANK || count > RANDOM_ELEMENTS) {
        return;
    }
    uint32_t parts = build_gather(p->b, a.reg, index.reg, axis);
    random_add(p, parts, a.certain);
    if (scatters) {
        random_add(p, build_scatter(p->b, a.reg, index.reg, parts), a.certain);
    }
}

static void step_sort(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    if (!a.certain || x.rank == 0 || p->limits.words_only) {
        return;
    }
    psy_dim last = x.dims[x.rank - 1], some = (psy_dim)random_below(p, (uint32_t)size_of(p, last) + 1);
    uint32_t sorted = build_sort(p->b, a.reg, random_one_in(p, 2) ? last : some, random_one_in(p, 2));
    random_add(p, sorted, true);
    random_add(p, sorted + 1, true);
}

void random_move(random_program *p, random_register a)
{
    psy_psm_register x = *build_register(p->b, a.reg);
    switch (random_below(p, 11)) {
    case 0:
    case 1: step_slice(p, a); break;
    case 2:
    case 3: step_permute(p, a); break;
    case 4: step_repeat(p, a); break;
    case 5: step_reshape(p, a); break;
    case 6: step_iota(p); break;
    case 7: step_concat(p, a); break;
    case 8: step_gather(p, a); break;
    case 9:
        if (psy__dtype_computes(x.dtype)) {
            step_sort(p, a);
        }
        break;
    default:
        if (psy__dtype_computes(x.dtype) && x.rank > 0) {
            random_add(p, build_scan(p->b, PSY_OP_CUMSUM, a.reg, random_below(p, x.rank)), false);
        }
    }
}
