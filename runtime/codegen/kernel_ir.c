/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/kernel_ir.h"

#include <spirv/unified1/spirv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SpvNONE = SpvOpNop };

static const psy__kop_info infos[PSY_K_COUNT] = {
#define SPIRV_OF(op) Spv##op
#define KOP(NAME, text, result, operands, spirv, glsl, c)                                                                      \
    [PSY_K_##NAME] = {text, #result[0], operands, SPIRV_OF(spirv), glsl, c},
#include "codegen/kernel_ops.def"
#undef KOP
};

const psy__kop_info *psy__kop_of(unsigned op) { return &infos[op < PSY_K_COUNT ? op : PSY_K_NONE]; }

bool psy__kop_opens(unsigned op) { return op >= PSY_K_SPACE && op < PSY_K_END; }

void psy__kernel_ir_fini(psy__kernel_ir *k)
{
    free(k->nodes);
    free(k->places);
    *k = (psy__kernel_ir){0};
}

psy_status psy__kernel_refuse(const psy__kernel_ir *k, const char *format, va_list arguments)
{
    char text[200];
    vsnprintf(text, sizeof text, format, arguments);
    return psy_fail(PSY_UNSUPPORTED, "program %s has no kernels: %s",
                    psy__module_string(k->module, k->module->programs[k->program].name), text);
}

/* Room for one more of `size` bytes. */
static bool room(psy__kernel_ir *k, void **at, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    void *bigger = realloc(*at, (*room * 2 + 64) * size);
    if (!bigger) {
        k->failed = true;
        return false;
    }
    *at = bigger;
    *room = *room * 2 + 64;
    return true;
}

/* ---- nodes ---- */

enum { WINDOW = 128 }; /* nodes back that equal values are looked for */

/* Values that are the same wherever they are asked for; loads are until their place is written to. */
static bool is_pure(unsigned op) { return (op >= PSY_K_CONST && op <= PSY_K_IPICK) || op == PSY_K_LOAD; }

static bool is_open(const psy__kernel_ir *k, uint32_t construct)
{
    for (uint32_t c = k->open; c != construct; c = k->nodes[c].inside) {
        if (c == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t equal_one(const psy__kernel_ir *k, const psy__knode *n)
{
    for (uint32_t i = k->node_count; i > 0 && i + WINDOW > k->node_count; i--) {
        const psy__knode *o = &k->nodes[i];
        if (n->op == PSY_K_LOAD && (o->op == PSY_K_STORE || o->op == PSY_K_STORE_PAIR) && o->place == n->place) {
            return 0;
        }
        if (o->op == n->op && o->type == n->type && o->bits == n->bits && o->number == n->number && o->place == n->place &&
            memcmp(o->a, n->a, sizeof n->a) == 0 && is_open(k, o->inside)) {
            return i;
        }
    }
    return 0;
}

uint32_t psy__kernel_add(psy__kernel_ir *k, psy__knode node)
{
    uint32_t same = is_pure(node.op) ? equal_one(k, &node) : 0;
    void *nodes = k->nodes;
    if (same || !room(k, &nodes, k->node_count + 1, &k->node_room, sizeof *k->nodes)) {
        return same;
    }
    k->nodes = nodes;
    node.inside = k->open;
    node.word = k->now;
    k->nodes[0] = (psy__knode){0};
    k->nodes[++k->node_count] = node;
    return k->node_count;
}

uint32_t psy__kernel_place(psy__kernel_ir *k, psy__kplace place)
{
    for (uint32_t i = 0; i < k->place_count; i++) {
        if (k->places[i].kind == place.kind && k->places[i].dtype == place.dtype && k->places[i].source == place.source &&
            k->places[i].at == place.at && (place.kind != PSY_PLACED_ROW || k->places[i].reg == place.reg)) {
            return i;
        }
    }
    void *places = k->places;
    if (!room(k, &places, k->place_count, &k->place_room, sizeof *k->places)) {
        return 0;
    }
    k->places = places;
    k->places[k->place_count] = place;
    return k->place_count++;
}

uint32_t psy__kernel_open(psy__kernel_ir *k, psy__knode construct)
{
    uint32_t c = psy__kernel_add(k, construct);
    k->open = c ? c : k->open;
    return c;
}

void psy__kernel_close(psy__kernel_ir *k, uint32_t construct)
{
    uint32_t end = construct ? psy__kernel_add(k, (psy__knode){.op = PSY_K_END, .a = {construct}}) : 0;
    if (end) {
        k->nodes[construct].end = end;
        k->open = k->nodes[construct].inside;
    }
}

/* ---- values ---- */

uint32_t psy__kernel_number(psy__kernel_ir *k, int64_t value)
{
    return psy__kernel_add(k, (psy__knode){.op = PSY_K_NUMBER, .type = PSY_KTYPE_INDEX, .bits = (uint64_t)value});
}

uint32_t psy__kernel_const(psy__kernel_ir *k, unsigned dtype, uint64_t bits)
{
    return psy__kernel_add(k, (psy__knode){.op = PSY_K_CONST, .type = (uint8_t)dtype, .bits = bits});
}

uint32_t psy__kernel_size(psy__kernel_ir *k, psy_dim dim)
{
    return psy__dim_is_symbol(dim)
               ? psy__kernel_add(k, (psy__knode){.op = PSY_K_SIZE, .type = PSY_KTYPE_INDEX, .place = psy__dim_symbol(dim)})
               : psy__kernel_number(k, dim);
}

uint32_t psy__kernel_coord(psy__kernel_ir *k, uint32_t construct, uint32_t which)
{
    return psy__kernel_add(
        k, (psy__knode){.op = PSY_K_COORD, .type = PSY_KTYPE_INDEX, .number = (uint16_t)which, .a = {construct}});
}

static bool is_number(const psy__kernel_ir *k, uint32_t node, int64_t value)
{
    return k->nodes[node].op == PSY_K_NUMBER && k->nodes[node].bits == (uint64_t)value;
}

uint32_t psy__kernel_index(psy__kernel_ir *k, psy__kop op, uint32_t a, uint32_t b)
{
    if (k->failed) {
        return 0;
    }
    bool known = k->nodes[a].op == PSY_K_NUMBER && k->nodes[b].op == PSY_K_NUMBER;
    uint64_t x = k->nodes[a].bits, y = k->nodes[b].bits;
    switch (op) {
    case PSY_K_IADD:
        if (is_number(k, a, 0)) {
            return b;
        }
        if (is_number(k, b, 0)) {
            return a;
        }
        x += y;
        break;
    case PSY_K_ISUB:
        if (is_number(k, b, 0)) {
            return a;
        }
        known = known && x >= y;
        x -= y;
        break;
    case PSY_K_IMUL:
        if (is_number(k, a, 0) || is_number(k, b, 1)) {
            return a;
        }
        if (is_number(k, b, 0) || is_number(k, a, 1)) {
            return b;
        }
        x *= y;
        known = known && (x >> 31 == 0 || x >> 31 == UINT64_MAX >> 31);
        break;
    case PSY_K_IDIV:
        if (is_number(k, b, 1)) {
            return a;
        }
        known = false;
        break;
    default: known = false;
    }
    return known ? psy__kernel_number(k, (int64_t)x)
                 : psy__kernel_add(k, (psy__knode){.op = (uint8_t)op, .type = PSY_KTYPE_INDEX, .a = {a, b}});
}

uint32_t psy__kernel_condition(psy__kernel_ir *k, psy__kop op, uint32_t a, uint32_t b)
{
    return psy__kernel_add(k, (psy__knode){.op = (uint8_t)op, .type = PSY_KTYPE_CONDITION, .a = {a, b}});
}

uint32_t psy__kernel_value(psy__kernel_ir *k, psy__kop op, unsigned type, uint32_t a, uint32_t b, uint32_t c)
{
    return psy__kernel_add(k, (psy__knode){.op = (uint8_t)op, .type = (uint8_t)type, .dtype = (uint8_t)type, .a = {a, b, c}});
}

uint32_t psy__kernel_map(psy__kernel_ir *k, psy_op op, unsigned dtype, const uint32_t operands[3])
{
    unsigned type = psy__op_result_dtype(psy__op_info(op), dtype);
    return psy__kernel_add(k, (psy__knode){.op = PSY_K_MAP,
                                           .type = (uint8_t)type,
                                           .dtype = (uint8_t)dtype,
                                           .code = (uint16_t)op,
                                           .a = {operands[0], operands[1], operands[2]}});
}

/* ---- the end ---- */

static bool is_value(const psy__knode *n) { return infos[n->op].result != '-' && n->op != PSY_K_STEP && n->op != PSY_K_VAR; }

void psy__kernel_sweep(psy__kernel_ir *k)
{
    uint32_t *numbers = calloc(k->node_count + 1u, sizeof *numbers), count = 0;
    if (!numbers || k->failed) {
        k->failed = true;
        free(numbers);
        return;
    }
    /* What is read is marked by what reads it, which comes after it. */
    for (uint32_t i = k->node_count; i > 0; i--) {
        const psy__knode *n = &k->nodes[i];
        if (!is_value(n) || numbers[i]) {
            numbers[i] = 1;
            for (unsigned a = 0; a < 4; a++) {
                numbers[n->a[a]] = 1;
            }
        }
    }
    numbers[0] = 0;
    for (uint32_t i = 1; i <= k->node_count; i++) {
        numbers[i] = numbers[i] ? ++count : 0;
    }
    for (uint32_t i = 1; i <= k->node_count; i++) {
        if (numbers[i]) {
            psy__knode n = k->nodes[i];
            for (unsigned a = 0; a < 4; a++) {
                n.a[a] = numbers[n.a[a]];
            }
            n.end = numbers[n.end];
            n.inside = numbers[n.inside];
            k->nodes[numbers[i]] = n;
        }
    }
    k->node_count = count;
    free(numbers);
}
