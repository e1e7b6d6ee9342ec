/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/spirv.h"

#include <spirv/unified1/GLSL.std.450.h>
#include <spirv/unified1/spirv.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/spirv_emit.h"

enum { FILE_NAME_MAX = 4096 }; /* longer ones would not fit an instruction */

static void print(psy__emitter *k, uint32_t first, uint32_t end);

static const psy__knode *node_of(const psy__emitter *k, uint32_t node) { return &k->ir->nodes[node]; }
static uint32_t number(psy__emitter *k, uint32_t value) { return psy__const_u32(k, value); }
static uint32_t add(psy__emitter *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpIAdd, k->u32, a, b); }
static uint32_t times(psy__emitter *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpIMul, k->u32, a, b); }
static uint32_t below(psy__emitter *k, uint32_t a, uint32_t b) { return psy__op2(k, SpvOpULessThan, k->boolean, a, b); }

static uint32_t type_of(const psy__emitter *k, unsigned type)
{
    return type == PSY_F32 ? k->f32 : type == PSY_KTYPE_CONDITION ? k->boolean : k->u32;
}

static uint32_t size_of(psy__emitter *k, psy_dim dim)
{
    return psy__dim_is_symbol(dim) ? psy__param(k, PSY_PARAM_SYMBOL(psy__dim_symbol(dim))) : number(k, dim);
}

/* ---- memory ---- */

/* The place's first word; what it is into the word is added to `bytes`. */
static uint32_t base_of(psy__emitter *k, const psy__kplace *p, unsigned *binding, uint32_t *bytes)
{
    const psy__module *m = k->ir->module;
    uint32_t symbols = m->symbol_count, slots = m->programs[k->ir->program].slot_count;
    *bytes = 0;
    switch (p->kind) {
    case PSY_PLACED_INPUT:
        *binding = PSY_BIND_INPUT;
        *bytes = p->at;
        return psy__load_word(k, PSY_BIND_TABLE, times(k, k->message, number(k, 2)));
    case PSY_PLACED_RESIDENT: *binding = PSY_BIND_RESIDENT; return psy__param(k, PSY_PARAM_RESIDENT(symbols, slots, p->source));
    case PSY_PLACED_CONST:
        *binding = PSY_BIND_CONST;
        *bytes = p->source;
        return number(k, 0);
    case PSY_PLACED_UNIFORM: *binding = PSY_BIND_UNIFORM; return psy__param(k, PSY_PARAM_SLOT(symbols, p->source));
    case PSY_PLACED_ARENA:
        *binding = PSY_BIND_ARENA;
        return add(k, times(k, k->message, psy__param(k, PSY_PARAM_STRIDE)), psy__param(k, PSY_PARAM_SLOT(symbols, p->source)));
    default:
        psy__emitter_refuse(k, p->kind == PSY_PLACED_PARTIAL ? "partial" : "lookup");
        *binding = PSY_BIND_INPUT;
        return number(k, 0);
    }
}

static bool in_slot(const psy__kplace *p) { return p->kind == PSY_PLACED_ARENA || p->kind == PSY_PLACED_UNIFORM; }

/* Word of an element of four bytes or more; of fewer in slots, where each has a word of its own. */
static uint32_t word_at(psy__emitter *k, const psy__kplace *p, uint32_t element, unsigned *binding)
{
    uint32_t bytes, base = base_of(k, p, binding, &bytes), words = psy__dtype_bytes(p->dtype) / 4;
    if (words > 1) {
        element = times(k, element, number(k, words));
    }
    return add(k, add(k, base, number(k, bytes / 4)), element);
}

/* An element of 1 or 2 bytes, as u32; signs are spread. */
static uint32_t load_narrow(psy__emitter *k, const psy__kplace *p, uint32_t element)
{
    unsigned binding, size = psy__dtype_bytes(p->dtype);
    uint32_t bytes, base = base_of(k, p, &binding, &bytes), value;
    if (in_slot(p)) {
        value = psy__load_word(k, binding, add(k, base, element));
    } else {
        uint32_t at = add(k, times(k, element, number(k, size)), number(k, bytes));
        uint32_t word = add(k, base, psy__op2(k, SpvOpShiftRightLogical, k->u32, at, number(k, 2)));
        uint32_t shift = times(k, psy__op2(k, SpvOpBitwiseAnd, k->u32, at, number(k, 3)), number(k, 8));
        value = psy__op2(k, SpvOpShiftRightLogical, k->u32, psy__load_word(k, binding, word), shift);
    }
    if (p->dtype == PSY_BOOL) {
        return psy__op2(k, SpvOpBitwiseAnd, k->u32, value, number(k, 1));
    }
    uint32_t spare = number(k, 32 - 8 * size);
    value = psy__op2(k, SpvOpShiftLeftLogical, k->u32, value, spare);
    bool sint = psy__dtype_class(p->dtype) == PSY_DCLASS_SINT;
    return psy__op2(k, sint ? SpvOpShiftRightArithmetic : SpvOpShiftRightLogical, k->u32, value, spare);
}

static uint32_t load(psy__emitter *k, const psy__knode *n, uint32_t *high)
{
    const psy__kplace *p = &k->ir->places[n->place];
    uint32_t element = k->ids[n->a[0]];
    unsigned binding;
    if (psy__dtype_bytes(p->dtype) < 4) {
        return load_narrow(k, p, element);
    }
    uint32_t word = word_at(k, p, element, &binding), value = psy__load_word(k, binding, word);
    if (psy__dtype_bytes(p->dtype) == 8) {
        *high = psy__load_word(k, binding, add(k, word, number(k, 1)));
    }
    return psy__bits_to(k, p->dtype, value);
}

static void store(psy__emitter *k, const psy__knode *n)
{
    const psy__kplace *p = &k->ir->places[n->place];
    unsigned binding;
    if (psy__dtype_bytes(p->dtype) > 4 && n->op == PSY_K_STORE) {
        psy__emitter_refuse(k, "%s values that are kept", psy__dtype_name(p->dtype));
        return;
    }
    uint32_t word = word_at(k, p, k->ids[n->a[0]], &binding);
    psy__store_word(k, binding, word, psy__bits_of(k, p->dtype, k->ids[n->a[1]]));
    if (n->op == PSY_K_STORE_PAIR) {
        psy__store_word(k, binding, add(k, word, number(k, 1)), k->ids[n->a[2]]);
    }
}

/* ---- loops ---- */

/* Product of the kernel's dims without the axis. */
static uint32_t elements(psy__emitter *k)
{
    uint32_t product = number(k, 1);
    for (uint32_t d = 0; d < k->ir->rank; d++) {
        product = d == k->ir->axis ? product : times(k, product, size_of(k, k->ir->dims[d]));
    }
    return product;
}

static uint32_t invocation(psy__emitter *k) { return add(k, times(k, k->group, k->size), k->local); }

/* An element an invocation, or, with an axis, a workgroup. */
static void print_space(psy__emitter *k, uint32_t at)
{
    const psy__knode *n = node_of(k, at);
    uint32_t *c = k->coordinates + (size_t)at * PSY_RANK_MAX;
    uint32_t element = k->ir->axis == PSY_NONE ? invocation(k) : k->group;
    uint32_t inside = psy__if(k, below(k, element, elements(k)));
    c[0] = element;
    for (uint32_t d = k->ir->rank; d-- > 0 && !n->flat;) {
        if (d == k->ir->axis || k->ir->dims[d] == 1) {
            continue;
        }
        uint32_t size = size_of(k, k->ir->dims[d]);
        c[d] = psy__op2(k, SpvOpUMod, k->u32, element, size);
        element = psy__op2(k, SpvOpUDiv, k->u32, element, size);
    }
    print(k, at + 1, n->end);
    psy__end_if(k, inside);
}

/* Runs the body for number = first, first + step .. limit - 1. */
static void print_loop(psy__emitter *k, uint32_t at, uint32_t first, uint32_t limit, uint32_t step)
{
    uint32_t i = psy__variable(k, k->u32);
    psy__set(k, i, first);
    psy__loop loop = psy__for(k, i, limit);
    uint32_t here = k->coordinates[(size_t)at * PSY_RANK_MAX] = psy__get(k, k->u32, i);
    print(k, at + 1, node_of(k, at)->end);
    psy__end_for(k, loop, add(k, here, step));
}

/* Steps hold the variables that sums grow in until the loop ends, then the sums. */
static void print_reduce(psy__emitter *k, uint32_t at)
{
    const psy__knode *n = node_of(k, at);
    for (uint32_t i = at + 1; i < n->end; i++) {
        const psy__knode *s = node_of(k, i);
        if (s->op == PSY_K_STEP) {
            k->ids[i] = psy__variable(k, type_of(k, s->type));
            psy__set(k, k->ids[i], psy__identity_id(k, s->code, s->dtype));
        }
    }
    print_loop(k, at, k->local, k->ids[n->a[0]], k->size);
    for (uint32_t i = at + 1; i < n->end; i++) {
        const psy__knode *s = node_of(k, i);
        if (s->op == PSY_K_STEP) {
            k->ids[i] = psy__across(k, s->code, s->dtype, psy__get(k, type_of(k, s->type), k->ids[i]));
        }
    }
}

static void print_step(psy__emitter *k, uint32_t at)
{
    const psy__knode *n = node_of(k, at);
    uint32_t type = type_of(k, n->type), a = k->ids[n->a[0]];
    if (psy__dtype_bytes(n->dtype) == 8) {
        psy__emitter_refuse(k, "%s of %s", psy__op_info(n->code)->name, psy__dtype_name(n->dtype));
        return;
    }
    if (n->a[1]) { /* sum(a * b) takes the product first */
        a = psy__op2(k, n->dtype == PSY_F32 ? SpvOpFMul : SpvOpIMul, type, a, k->ids[n->a[1]]);
    }
    uint32_t sum = psy__get(k, type, k->ids[at]);
    psy__set(k, k->ids[at], psy__expression(k, n->code, n->dtype, (const uint32_t[3]){a, sum, 0}));
}

static void print_best(psy__emitter *k, uint32_t at)
{
    const psy__knode *n = node_of(k, at);
    uint32_t offer = at + 1;
    while (node_of(k, offer)->op != PSY_K_OFFER) {
        offer++;
    }
    psy__best best = psy__best_begin(k);
    k->best = &best;
    print_loop(k, at, k->local, k->ids[n->a[0]], k->size);
    psy__best_across(k, &best);
    k->ids[offer] = best.key;
    k->highs[offer] = best.place;
    k->coordinates[(size_t)offer * PSY_RANK_MAX] = best.bits;
}

/* ---- fields of the output ---- */

static uint32_t put_of(const psy__emitter *k, uint32_t at)
{
    uint32_t put = at + 1;
    while (node_of(k, put)->op != PSY_K_PUT) {
        put++;
    }
    return node_of(k, put)->a[0];
}

/* The body, for one element. */
static uint32_t value_at(psy__emitter *k, uint32_t at, uint32_t element)
{
    k->coordinates[(size_t)at * PSY_RANK_MAX] = element;
    print(k, at + 1, node_of(k, at)->end);
    return k->ids[put_of(k, at)];
}

/* Elements of 1 or 2 bytes: every invocation writes one word, and leaves the bytes in it that are not the field's. There are at
 * least as many elements as words. */
static void print_narrow_field(psy__emitter *k, uint32_t at, uint32_t base, uint32_t element, uint32_t n)
{
    const psy__knode *field = node_of(k, at);
    uint32_t bytes = psy__dtype_bytes(field->dtype), lanes = 4 / bytes, zero = number(k, 0);
    uint32_t skip = field->more % 4 / bytes;
    uint32_t first = times(k, element, number(k, lanes));
    uint32_t inside = psy__if(k, below(k, first, add(k, n, number(k, skip))));
    uint32_t at_word = add(k, base, element), word = psy__load_word(k, PSY_BIND_OUTPUT, at_word);
    for (uint32_t lane = 0; lane < lanes; lane++) {
        uint32_t mask = ((UINT32_C(1) << 8 * bytes) - 1) << 8 * bytes * lane;
        /* wraps, and is large, before the field's first element */
        uint32_t i = psy__op2(k, SpvOpISub, k->u32, add(k, first, number(k, lane)), number(k, skip));
        uint32_t ours = below(k, i, n), value = value_at(k, at, psy__select(k, k->u32, ours, i, zero));
        value = psy__op2(k, SpvOpShiftLeftLogical, k->u32, value, number(k, 8 * bytes * lane));
        value = psy__op2(k, SpvOpBitwiseAnd, k->u32, value, number(k, mask));
        uint32_t kept = psy__op2(k, SpvOpBitwiseAnd, k->u32, word, number(k, ~mask));
        word = psy__select(k, k->u32, ours, psy__op2(k, SpvOpBitwiseOr, k->u32, kept, value), word);
    }
    psy__store_word(k, PSY_BIND_OUTPUT, at_word, word);
    psy__end_if(k, inside);
}

/* The count of a bounded field; or the byte that says whether an optional one is there, which may share a word with its first
 * elements: the same invocation writes these afterwards. */
static void print_count(psy__emitter *k, const psy_psm_field *f, uint32_t out, uint32_t count)
{
    uint32_t at = add(k, out, number(k, f->count_offset / 4));
    if (f->kind == PSY_FIELD_OPTIONAL) {
        uint32_t shift = 8 * (f->count_offset % 4), kept = ~(UINT32_C(255) << shift);
        kept = psy__op2(k, SpvOpBitwiseAnd, k->u32, psy__load_word(k, PSY_BIND_OUTPUT, at), number(k, kept));
        count = psy__op2(k, SpvOpShiftLeftLogical, k->u32, count, number(k, shift));
        count = psy__op2(k, SpvOpBitwiseOr, k->u32, kept, count);
    }
    psy__store_word(k, PSY_BIND_OUTPUT, at, count);
}

static void print_field(psy__emitter *k, uint32_t at)
{
    const psy__knode *field = node_of(k, at);
    const psy_psm_field *f = &k->ir->module->fields[field->place];
    uint32_t element = invocation(k), n = k->ids[field->a[0]], bytes = psy__dtype_bytes(field->dtype);
    uint32_t out = psy__load_word(k, PSY_BIND_TABLE, add(k, times(k, k->message, number(k, 2)), number(k, 1)));
    if (field->a[1]) {
        uint32_t first = psy__if(k, psy__op2(k, SpvOpIEqual, k->boolean, element, number(k, 0)));
        print_count(k, f, out, k->ids[field->a[1]]);
        psy__end_if(k, first);
    }
    uint32_t base = add(k, out, number(k, field->more / 4));
    if (bytes < 4) {
        print_narrow_field(k, at, base, element, n);
        return;
    }
    uint32_t inside = psy__if(k, below(k, element, n)), value = value_at(k, at, element);
    uint32_t to = add(k, base, times(k, element, number(k, bytes / 4)));
    psy__store_word(k, PSY_BIND_OUTPUT, to, psy__bits_of(k, field->dtype, value));
    if (bytes == 8) {
        psy__store_word(k, PSY_BIND_OUTPUT, add(k, to, number(k, 1)), k->highs[put_of(k, at)]);
    }
    psy__end_if(k, inside);
}

/* ---- values ---- */

static uint32_t length(psy__emitter *k, unsigned dtype, uint32_t n, uint32_t most)
{
    if (psy__dtype_bytes(dtype) > 4) {
        psy__emitter_refuse(k, "lengths of %s", psy__dtype_name(dtype));
        return most;
    }
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        n = psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450SMax, n, number(k, 0));
    }
    return psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450UMin, n, most);
}

static uint32_t map(psy__emitter *k, const psy__knode *n)
{
    const uint32_t operands[3] = {k->ids[n->a[0]], k->ids[n->a[1]], k->ids[n->a[2]]};
    return psy__expression(k, n->code, n->dtype, operands);
}

static uint32_t of_place(psy__emitter *k, unsigned dtype, uint32_t place)
{
    if (psy__dtype_bytes(dtype) > 4) {
        psy__emitter_refuse(k, "places as %s", psy__dtype_name(dtype));
    }
    return dtype == PSY_F32 ? psy__spirv_make(&k->s, SpvOpConvertUToF, k->f32, place) : place;
}

static uint32_t variable_of(psy__emitter *k, const psy__knode *n)
{
    if (n->type != PSY_KTYPE_INDEX && psy__dtype_bytes(n->type) > 4) {
        psy__emitter_refuse(k, "%s values that are kept", psy__dtype_name(n->type));
    }
    uint32_t variable = psy__variable(k, type_of(k, n->type));
    psy__set(k, variable, k->ids[n->a[0]]);
    return variable;
}

static uint32_t within(psy__emitter *k, const psy__knode *n)
{
    uint32_t good = below(k, k->ids[n->a[0]], k->ids[n->a[1]]); /* negative ones are large */
    if (psy__dtype_bytes(node_of(k, n->a[0])->type) < 8) {
        return good;
    }
    uint32_t small = psy__op2(k, SpvOpIEqual, k->boolean, k->highs[n->a[0]], number(k, 0));
    return psy__op2(k, SpvOpLogicalAnd, k->boolean, small, good);
}

static uint32_t value_of(psy__emitter *k, uint32_t at)
{
    const psy__knode *n = node_of(k, at);
    const uint32_t a = k->ids[n->a[0]], b = k->ids[n->a[1]], symbols = k->ir->module->symbol_count;
    const psy__kop_info *info = psy__kop_of(n->op);
    switch (n->op) {
    case PSY_K_CONST: k->highs[at] = number(k, (uint32_t)(n->bits >> 32)); return psy__const_bits(k, n->type, n->bits);
    case PSY_K_NUMBER: return number(k, (uint32_t)n->bits);
    case PSY_K_SIZE: return psy__param(k, PSY_PARAM_SYMBOL(n->place));
    case PSY_K_COORD: return k->coordinates[(size_t)n->a[0] * PSY_RANK_MAX + n->number];
    case PSY_K_GROUP: return k->group;
    case PSY_K_PUSH: return psy__push_word(k, n->number);
    case PSY_K_BASE:
        return psy__param(k, n->number ? PSY_PARAM_BASE_HIGH(symbols, n->place) : PSY_PARAM_BASE_LOW(symbols, n->place));
    case PSY_K_IMIN: return psy__spirv_make(&k->s, SpvOpExtInst, k->u32, k->s.glsl, GLSLstd450UMin, a, b);
    case PSY_K_FROM_VALUE: return a;
    case PSY_K_LENGTH: return length(k, node_of(k, n->a[0])->type, a, b);
    case PSY_K_WITHIN: return within(k, n);
    case PSY_K_OF_PLACE: return of_place(k, n->type, a);
    case PSY_K_MAP: return map(k, n);
    case PSY_K_CAST: return psy__cast_id(k, node_of(k, n->a[0])->type, n->type, a);
    case PSY_K_KEY: return psy__key_id(k, node_of(k, n->a[0])->type, psy__bits_of(k, node_of(k, n->a[0])->type, a));
    case PSY_K_BITS: return psy__bits_of(k, node_of(k, n->a[0])->type, a);
    case PSY_K_OF_BITS: return psy__bits_to(k, n->type, a);
    case PSY_K_LOAD: return load(k, n, &k->highs[at]);
    case PSY_K_TAKE:
        return psy__load_word(k, PSY_BIND_SCRATCH, add(k, times(k, k->message, psy__push_word(k, PSY_PUSH_STRIDE)), a));
    case PSY_K_VAR: return variable_of(k, n);
    case PSY_K_GET: return psy__get(k, type_of(k, n->type), a);
    case PSY_K_RESULT:
    case PSY_K_BEST_KEY: return a;
    case PSY_K_BEST_PLACE: return k->highs[n->a[0]];
    case PSY_K_BEST_BITS: return k->coordinates[(size_t)n->a[0] * PSY_RANK_MAX];
    case PSY_K_PICK:
    case PSY_K_IPICK: return psy__select(k, type_of(k, n->type), a, b, k->ids[n->a[2]]);
    default: return psy__op2(k, info->spirv, type_of(k, n->type), a, b);
    }
}

/* Nodes first .. end - 1. */
static void print(psy__emitter *k, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end && k->status == PSY_OK; i++) {
        const psy__knode *n = node_of(k, i);
        uint32_t merge;
        switch (n->op) {
        case PSY_K_SPACE: print_space(k, i); break;
        case PSY_K_FOR: print_loop(k, i, number(k, 0), k->ids[n->a[0]], number(k, 1)); break;
        case PSY_K_LEADER:
        case PSY_K_IF:
            merge =
                psy__if(k, n->op == PSY_K_IF ? k->ids[n->a[0]] : psy__op2(k, SpvOpIEqual, k->boolean, k->local, number(k, 0)));
            print(k, i + 1, n->end);
            psy__end_if(k, merge);
            break;
        case PSY_K_REDUCE: print_reduce(k, i); break;
        case PSY_K_BEST: print_best(k, i); break;
        case PSY_K_FIELD: print_field(k, i); break;
        case PSY_K_STORE:
        case PSY_K_STORE_PAIR: store(k, n); break;
        case PSY_K_KEEP:
            psy__store_word(k, PSY_BIND_SCRATCH,
                            add(k, times(k, k->message, psy__push_word(k, PSY_PUSH_STRIDE)), k->ids[n->a[0]]), k->ids[n->a[1]]);
            break;
        case PSY_K_SET: psy__set(k, k->ids[n->a[0]], k->ids[n->a[1]]); break;
        case PSY_K_STEP: print_step(k, i); break;
        case PSY_K_OFFER:
            psy__best_offer(k, k->best, k->ids[n->a[3]], k->ids[n->a[0]], k->ids[n->a[1]], k->ids[n->a[2]]);
            break;
        case PSY_K_PUT: break;
        default: k->ids[i] = value_of(k, i); break;
        }
        i = psy__kop_opens(n->op) ? n->end : i;
    }
}

/* For debuggers of the driver. */
static void put_line(psy__emitter *k)
{
    const psy_psm_line *l = k->ir->line;
    const char *name = l ? psy__module_string(k->ir->module, l->file) : NULL;
    if (name && strlen(name) <= FILE_NAME_MAX) {
        uint32_t file = psy__spirv_id(&k->s);
        psy__spirv_put_name(&k->s, PSY_SPIRV_STRINGS, SpvOpString, PSY_SPIRV_LIST(file), name);
        psy__spirv_emit(&k->s, PSY_SPIRV_CODE, SpvOpLine, file, l->line, l->column);
    }
}

psy_status psy__spirv_print(const psy__kernel_ir *ir, uint32_t **words, uint32_t *word_count)
{
    size_t n = ir->node_count + 1u;
    psy__emitter k = {.ir = ir};
    k.ids = calloc(n, sizeof *k.ids);
    k.highs = calloc(n, sizeof *k.highs);
    k.coordinates = calloc(n * PSY_RANK_MAX, sizeof *k.coordinates);
    bool memory = k.ids && k.highs && k.coordinates;
    *words = NULL;
    if (memory) {
        psy__spirv_init(&k.s);
        psy__emitter_begin(&k);
        put_line(&k);
        print(&k, 1, ir->node_count + 1);
        *words = k.status == PSY_OK ? psy__emitter_end(&k, word_count) : NULL;
        psy__spirv_fini(&k.s);
    }
    free(k.ids);
    free(k.highs);
    free(k.coordinates);
    return k.status != PSY_OK ? k.status : *words ? PSY_OK : psy_fail(PSY_NO_MEMORY, "no memory to make kernels");
}
