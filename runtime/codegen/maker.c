/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/maker.h"

#include <stdarg.h>
#include <string.h>

#include "isa/verify.h"

psy_status psy__maker_refuse(psy__maker *k, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    k->status = k->status == PSY_OK ? psy__kernel_refuse(k->k, format, arguments) : k->status;
    va_end(arguments);
    return k->status;
}

/* ---- constructs ---- */

/* Whether the register runs through the kernel's space without gaps, or is one element. */
static bool runs_through(const psy__maker *k, uint32_t reg)
{
    const psy_psm_register *r = &k->registers[reg];
    bool one = true, same = r->rank == k->k->rank;
    for (uint32_t d = 0; d < r->rank; d++) {
        one = one && r->dims[d] == 1;
        same = same && r->dims[d] == k->k->dims[d];
    }
    return (one && psy__maker_is_straight(k, reg)) || (same && psy__maker_is_straight(k, reg));
}

/* Whether the elements of the whole region can be counted through: then no coordinates are needed. */
static bool is_flat(const psy__maker *k)
{
    psy__instruction at;
    if (k->k->axis != PSY_NONE || k->k->rank < 2) {
        return false;
    }
    psy__instruction_at(k->m, k->p, k->k->word, &at);
    bool region = at.info->class_ == PSY_CLASS_REGION;
    if (!region && !psy__class_is_map(at.info->class_)) {
        return false;
    }
    for (uint32_t word = region ? at.next : at.word; word < k->k->next; word = at.next) {
        psy__instruction_at(k->m, k->p, word, &at);
        bool all = runs_through(k, at.dst);
        for (unsigned i = 0; i < psy__op_register_count(at.info); i++) {
            all = all && runs_through(k, at.operands[i]);
        }
        if (!all) {
            return false;
        }
    }
    return true;
}

uint32_t psy__maker_space(psy__maker *k, uint32_t *c)
{
    bool flat = is_flat(k);
    uint32_t space = psy__kernel_open(k->k, (psy__knode){.op = PSY_K_SPACE, .flat = flat});
    for (uint32_t d = 0; d < k->k->rank; d++) {
        c[d] = d == k->k->axis || (flat && d > 0) ? 0
               : k->k->dims[d] == 1 && !flat      ? psy__kernel_number(k->k, 0)
                                                  : psy__kernel_coord(k->k, space, d);
    }
    return space;
}

uint32_t psy__maker_open(psy__maker *k, psy__kop op, uint32_t operand)
{
    return psy__kernel_open(k->k, (psy__knode){.op = (uint8_t)op, .a = {operand}});
}

void psy__maker_close(psy__maker *k, uint32_t construct) { psy__kernel_close(k->k, construct); }

/* ---- registers ---- */

uint32_t psy__maker_product(psy__maker *k, const psy_dim *dims, uint32_t rank)
{
    uint32_t product = psy__kernel_number(k->k, 1);
    for (uint32_t d = 0; d < rank; d++) {
        product = psy__kernel_index(k->k, PSY_K_IMUL, product, psy__kernel_size(k->k, dims[d]));
    }
    return product;
}

uint32_t psy__maker_number(psy__maker *k, const psy_dim *dims, uint32_t rank, const uint32_t *c)
{
    uint32_t element = psy__kernel_number(k->k, 0);
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] != 1) {
            element = psy__kernel_index(k->k, PSY_K_IMUL, element, psy__kernel_size(k->k, dims[d]));
            element = psy__kernel_index(k->k, PSY_K_IADD, element, c[d]);
        }
    }
    return element;
}

uint32_t psy__maker_zero(psy__maker *k, unsigned dtype) { return psy__kernel_const(k->k, dtype, 0); }

static void view_at(const psy__maker *k, uint32_t reg, psy__instruction *at)
{
    psy__instruction_at(k->m, k->p, k->places[reg].source, at);
}

bool psy__maker_is_straight(const psy__maker *k, uint32_t reg)
{
    psy__instruction at;
    for (; k->places[reg].kind == PSY_PLACED_VIEW; reg = at.operands[0]) {
        view_at(k, reg, &at);
        if (at.op != PSY_OP_RESHAPE) {
            return false;
        }
    }
    return k->places[reg].kind != PSY_PLACED_PARTIAL;
}

/* The register's own coordinates: its dims are the last ones of `rank`; those that are a literal 1 are broadcast. */
static void own_coordinates(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank, uint32_t *out)
{
    const psy_psm_register *r = &k->registers[reg];
    for (uint32_t d = 0; d < r->rank; d++) {
        out[d] = r->dims[d] == 1 ? psy__kernel_number(k->k, 0) : c[rank - r->rank + d];
    }
}

/* Element number -> coordinates. */
static void coordinates(psy__maker *k, uint32_t element, const psy_dim *dims, uint32_t rank, uint32_t *c)
{
    for (uint32_t d = rank; d-- > 0;) {
        uint32_t size = psy__kernel_size(k->k, dims[d]);
        c[d] = dims[d] == 1 ? psy__kernel_number(k->k, 0)
               : d == 0     ? element
                            : psy__kernel_index(k->k, PSY_K_IMOD, element, size);
        element = psy__kernel_index(k->k, PSY_K_IDIV, element, size);
    }
}

/* One view back: from coordinates in the view to coordinates in what it names. */
static void step_back(psy__maker *k, const psy__instruction *at, uint32_t *c)
{
    const psy_psm_register *x = &k->registers[at->operands[0]], *y = &k->registers[at->dst];
    uint32_t old[PSY_RANK_MAX], axis = at->operands[1];
    memcpy(old, c, sizeof old);
    switch (at->op) {
    case PSY_OP_PERMUTE:
        for (uint32_t d = 0; d < y->rank; d++) {
            c[at->operands[1] >> 4 * d & 15] = old[d];
        }
        break;
    case PSY_OP_SLICE: {
        uint32_t step = psy__kernel_number(k->k, (int32_t)at->operands[3]);
        uint32_t way = psy__kernel_index(k->k, PSY_K_IMUL, c[axis], step);
        c[axis] = psy__kernel_index(k->k, PSY_K_IADD, psy__kernel_size(k->k, at->operands[2]), way);
        break;
    }
    case PSY_OP_REPEAT: own_coordinates(k, at->operands[0], old, y->rank, c); break;
    default: /* RESHAPE that only adds or drops axes of size 1 */
        for (uint32_t d = 0, from = 0; d < x->rank; d++) {
            if (x->dims[d] == 1) {
                c[d] = psy__kernel_number(k->k, 0);
                continue;
            }
            while (y->dims[from] == 1) {
                from++;
            }
            c[d] = old[from++];
        }
        break;
    }
}

typedef struct address {
    uint32_t root, element, shard;
} address;

/* Where the register's element lies: at coordinates `c`, which are spoiled, or, where it has none, by its number. */
static address address_of(psy__maker *k, uint32_t reg, uint32_t *c, uint32_t element)
{
    psy__instruction at;
    while (k->places[reg].kind == PSY_PLACED_VIEW) {
        const psy_psm_register *y = &k->registers[reg];
        view_at(k, reg, &at);
        const psy_psm_register *x = &k->registers[at.operands[0]];
        if (element && !psy__maker_is_straight(k, reg)) {
            coordinates(k, element, y->dims, y->rank, c);
            element = 0;
        }
        if (!element && at.op == PSY_OP_RESHAPE && !psy__only_ones_differ(x, y)) {
            element = psy__maker_number(k, y->dims, y->rank, c); /* what it names lies one after the other */
        }
        if (!element) {
            step_back(k, &at, c);
        }
        reg = at.operands[0];
    }
    const psy_psm_register *r = &k->registers[reg];
    if (k->places[reg].kind != PSY_PLACED_PARTIAL) {
        return (address){reg, element ? element : psy__maker_number(k, r->dims, r->rank, c), 0};
    }
    if (element) {
        coordinates(k, element, r->dims, r->rank, c);
    }
    uint32_t shard = r->dims[0] == 1 ? psy__kernel_number(k->k, 0) : c[0];
    return (address){reg, psy__maker_number(k, r->dims + 1, r->rank - 1u, c + 1), shard};
}

/* An element of the module's constants that is known: its value. */
static uint32_t constant_at(psy__maker *k, const address *a)
{
    uint8_t dtype = k->registers[a->root].dtype;
    unsigned bytes = psy__dtype_bytes(dtype);
    uint64_t bits = 0, offset = k->places[a->root].source + k->k->nodes[a->element].bits * bytes;
    if (offset > k->m->consts_bytes || bytes > k->m->consts_bytes - offset) {
        return 0;
    }
    memcpy(&bits, k->m->consts + offset, bytes);
    bits &= dtype == PSY_BOOL ? 1 : UINT64_MAX;
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT && bytes < 8 && bits >> (8 * bytes - 1)) {
        bits |= UINT64_MAX << 8 * bytes;
    }
    return psy__kernel_const(k->k, dtype, bits);
}

static uint32_t load_from(psy__maker *k, const address *a)
{
    uint8_t dtype = k->registers[a->root].dtype;
    bool known = !k->k->failed && k->places[a->root].kind == PSY_PLACED_CONST && k->k->nodes[a->element].op == PSY_K_NUMBER;
    uint32_t value = known ? constant_at(k, a) : 0;
    if (value) {
        return value;
    }
    return psy__kernel_add(k->k, (psy__knode){.op = PSY_K_LOAD,
                                              .type = dtype,
                                              .dtype = dtype,
                                              .a = {a->element, a->shard},
                                              .place = psy__kernel_place(k->k, k->places[a->root])});
}

/* Whether the kernel's space is counted through. */
static bool in_flat_space(const psy__maker *k)
{
    return !k->k->failed && k->k->open && k->k->nodes[k->k->open].op == PSY_K_SPACE && k->k->nodes[k->k->open].flat;
}

static uint32_t flat_number(psy__maker *k, uint32_t reg, const uint32_t *c)
{
    const psy_psm_register *r = &k->registers[reg];
    for (uint32_t d = 0; d < r->rank; d++) {
        if (r->dims[d] != 1) {
            return c[0];
        }
    }
    return psy__kernel_number(k->k, 0);
}

uint32_t psy__maker_load(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank)
{
    if (k->values[reg]) {
        return k->values[reg];
    }
    uint32_t own[PSY_RANK_MAX] = {0};
    if (in_flat_space(k)) {
        return psy__maker_load_number(k, reg, flat_number(k, reg, c));
    }
    own_coordinates(k, reg, c, rank, own);
    address a = address_of(k, reg, own, 0);
    return load_from(k, &a);
}

uint32_t psy__maker_load_number(psy__maker *k, uint32_t reg, uint32_t element)
{
    uint32_t c[PSY_RANK_MAX] = {0};
    address a = address_of(k, reg, c, element);
    return load_from(k, &a);
}

void psy__maker_store(psy__maker *k, uint32_t reg, const uint32_t *c, uint32_t rank, uint32_t value)
{
    uint32_t own[PSY_RANK_MAX] = {0}, element;
    k->values[reg] = value;
    if (k->places[reg].kind == PSY_PLACED_NOWHERE) {
        return;
    }
    if (in_flat_space(k)) {
        element = flat_number(k, reg, c);
    } else {
        own_coordinates(k, reg, c, rank, own);
        element = psy__maker_number(k, k->registers[reg].dims, k->registers[reg].rank, own);
    }
    psy__kernel_add(k->k, (psy__knode){.op = PSY_K_STORE,
                                       .dtype = k->registers[reg].dtype,
                                       .a = {element, value},
                                       .place = psy__kernel_place(k->k, k->places[reg])});
}
