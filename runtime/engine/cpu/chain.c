/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cpu/chain.h"

#include <string.h>

#include "engine/cpu/math_rows.h"

/* ---- the words of math_f32.h ---- */

typedef uint16_t vf; /* number of a value */
typedef uint16_t vi;
#define VP     psy__chain *chain,
#define VA     chain,
#define V_WORD static inline

static vf make(VP psy__chain_op op, uint32_t bits, unsigned inputs, const vf *in)
{
    psy__chain_value v = {.op = (uint8_t)op, .inputs = (uint8_t)inputs, .bits = bits};
    for (unsigned i = 0; i < inputs; i++) {
        v.in[i] = in[i];
    }
    for (uint32_t i = 0; i < chain->count; i++) {
        if (memcmp(&chain->values[i], &v, sizeof v) == 0) {
            return (vf)i;
        }
    }
    if (chain->count == PSY__CHAIN_VALUES) {
        chain->full = true;
        return 0;
    }
    chain->values[chain->count] = v;
    return (vf)chain->count++;
}

V_WORD vf word1(VP psy__chain_op op, uint32_t bits, vf a) { return make(VA op, bits, 1, &a); }
V_WORD vf word2(VP psy__chain_op op, vf a, vf b) { return make(VA op, 0, 2, (vf[]){a, b}); }
V_WORD vf all_bits(VP uint32_t bits) { return make(VA CHAIN_CONST, bits, 0, NULL); }

V_WORD vf v_all(VP float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return all_bits(VA bits);
}
V_WORD vf v_add(VP vf a, vf b) { return word2(VA CHAIN_ADD, a, b); }
V_WORD vf v_sub(VP vf a, vf b) { return word2(VA CHAIN_SUB, a, b); }
V_WORD vf v_mul(VP vf a, vf b) { return word2(VA CHAIN_MUL, a, b); }
V_WORD vf v_div(VP vf a, vf b) { return word2(VA CHAIN_DIV, a, b); }
V_WORD vf v_min(VP vf a, vf b) { return word2(VA CHAIN_MIN, a, b); }
V_WORD vf v_max(VP vf a, vf b) { return word2(VA CHAIN_MAX, a, b); }
V_WORD vf v_fma(VP vf a, vf b, vf c) { return make(VA CHAIN_FMA, 0, 3, (vf[]){a, b, c}); }
V_WORD vf v_sqrt(VP vf x) { return word1(VA CHAIN_SQRT, 0, x); }

V_WORD vi v_bits(VP vf x) { return (void)chain, x; }
V_WORD vf v_of_bits(VP vi x) { return (void)chain, x; }
V_WORD vf v_float(VP vi n) { return word1(VA CHAIN_FLOAT, 0, n); }
V_WORD vi vi_add(VP vi a, int32_t b) { return word2(VA CHAIN_IADD, a, all_bits(VA(uint32_t) b)); }
V_WORD vi vi_sub(VP vi a, vi b) { return word2(VA CHAIN_ISUB, a, b); }
V_WORD vi vi_and(VP vi a, int32_t b) { return word2(VA CHAIN_AND, a, all_bits(VA(uint32_t) b)); }
V_WORD vi vi_shl(VP vi a, unsigned n) { return word1(VA CHAIN_SHL, n, a); }
V_WORD vi vi_sar(VP vi a, unsigned n) { return word1(VA CHAIN_SAR, n, a); }

V_WORD vf v_abs(VP vf x) { return word2(VA CHAIN_AND, x, all_bits(VA 0x7fffffff)); }
V_WORD vf sign_of(VP vf x) { return word2(VA CHAIN_AND, x, all_bits(VA 0x80000000)); }
V_WORD vf v_turned_as(VP vf x, vf y) { return word2(VA CHAIN_XOR, x, sign_of(VA y)); }
V_WORD vf v_signed_as(VP vf x, vf y) { return word2(VA CHAIN_OR, x, sign_of(VA y)); }
V_WORD vf select_if(VP uint32_t how, vf a, vf b, vf then, vf otherwise)
{
    return make(VA CHAIN_SELECT, how, 4, (vf[]){a, b, then, otherwise});
}
V_WORD vf v_if_lt(VP vf a, vf b, vf then, vf otherwise) { return select_if(VA CHAIN_IF_LT, a, b, then, otherwise); }
V_WORD vf v_if_eq(VP vf a, vf b, vf then, vf otherwise) { return select_if(VA CHAIN_IF_EQ, a, b, then, otherwise); }
V_WORD vf v_if_odd(VP vi n, vf then, vf otherwise) { return make(VA CHAIN_IF_ODD, 0, 3, (vf[]){n, then, otherwise}); }

#include "engine/cpu/math_f32.h"

/* ---- rows of ops.def ---- */

static vf map1(VP unsigned op, vf a, bool *known)
{
    switch (op) {
    case PSY_OP_NEG: return word2(VA CHAIN_XOR, a, all_bits(VA 0x80000000));
    case PSY_OP_ABS: return v_abs(VA a);
    case PSY_OP_SQRT: return v_sqrt(VA a);
    case PSY_OP_RSQRT: return v_div(VA v_all(VA 1), v_sqrt(VA a));
    case PSY_OP_FLOOR: return word1(VA CHAIN_ROUND, CHAIN_TO_FLOOR, a);
    case PSY_OP_CEIL: return word1(VA CHAIN_ROUND, CHAIN_TO_CEIL, a);
    case PSY_OP_TRUNC: return word1(VA CHAIN_ROUND, CHAIN_TO_TRUNC, a);
    case PSY_OP_ROUND: return word1(VA CHAIN_ROUND, CHAIN_TO_NEAREST, a);
    case PSY_OP_SIGN: return v_if_lt(VA v_all(VA 0), a, v_all(VA 1), v_if_lt(VA a, v_all(VA 0), v_all(VA - 1), a));
#define ROW(NAME, function, ...)                                                                                               \
    case PSY_OP_##NAME: return v_##function(VA a);
        PSY_MATH_F32(ROW)
#undef ROW
#define ROW(NAME, function, ...)                                                                                               \
    case PSY_OP_##NAME:                                                                                                        \
        (void)make(VA CHAIN_GUARD, 0, 2, (vf[]){v_abs(VA a), v_all(VA PSY_ANGLE_MOST)});                                       \
        return v_##function(VA a);
        PSY_MATH_F32_ANGLES(ROW)
#undef ROW
    default: *known = false; return 0;
    }
}

static vf map2(VP unsigned op, vf a, vf b, bool *known)
{
    switch (op) {
    case PSY_OP_ADD: return v_add(VA a, b);
    case PSY_OP_SUB: return v_sub(VA a, b);
    case PSY_OP_MUL: return v_mul(VA a, b);
    case PSY_OP_DIV: return v_div(VA a, b);
    case PSY_OP_MIN: return v_min(VA a, b);
    case PSY_OP_MAX: return v_max(VA a, b);
    default: *known = false; return 0;
    }
}

/* ---- regions ---- */

/* What stands for a result of a node that is inside of the region: a value, or of COMPARE the two that it compares. */
typedef struct inside {
    bool compares;
    uint8_t how;
    vf a, b;
} inside;

static bool same_place(const psy__operand *a, const psy__operand *b)
{
    return a->reg == b->reg && memcmp(a->strides, b->strides, sizeof a->strides) == 0;
}

/* The stream of that memory; PSY__CHAIN_STREAMS: there is no room, or its elements do not lie as vectors do. */
static uint32_t stream_of(psy__chain *chain, const psy__region *r, const psy__operand *o, bool written)
{
    int64_t step = r->rank ? o->strides[r->rank - 1] : 0;
    if (o->raw || o->bytes != 4 || (step != 0 && step != 4)) {
        return PSY__CHAIN_STREAMS;
    }
    for (uint32_t i = 0; i < chain->stream_count && !written; i++) {
        if (same_place(chain->streams[i].operand, o)) {
            return i;
        }
    }
    if (chain->stream_count == PSY__CHAIN_STREAMS) {
        return PSY__CHAIN_STREAMS;
    }
    chain->streams[chain->stream_count] = (psy__chain_stream){.operand = o, .uniform = step == 0, .written = written};
    return chain->stream_count++;
}

static const inside *find_inside(const psy__region *r, const inside *results, const psy__operand *o, uint32_t before)
{
    for (uint32_t i = before; i-- > 0;) {
        if (r->nodes[i].result.reg == o->reg) {
            return &results[i];
        }
    }
    return NULL;
}

/* The value of a node's operand. */
static vf operand_value(psy__chain *chain, const psy__region *r, const inside *results, uint32_t node, unsigned k, bool *known)
{
    const psy__operand *o = &r->nodes[node].operands[k];
    const inside *made = find_inside(r, results, o, node);
    if (made) { /* also of results that are in memory too: they are written at the end */
        *known = *known && !made->compares;
        return made->a;
    }
    uint32_t stream = stream_of(chain, r, o, false);
    if (stream == PSY__CHAIN_STREAMS) {
        *known = false;
        return 0;
    }
    return make(VA chain->streams[stream].uniform ? CHAIN_UNIFORM : CHAIN_LOAD, stream, 0, NULL);
}

static uint8_t comparison_of(unsigned op)
{
    return op == PSY_OP_EQ ? CHAIN_IF_EQ : op == PSY_OP_NE ? CHAIN_IF_NE : op == PSY_OP_LT ? CHAIN_IF_LT : CHAIN_IF_LE;
}

static bool add_node(psy__chain *chain, const psy__region *r, inside *results, uint32_t i)
{
    const psy__node *n = &r->nodes[i];
    bool known = true;
    vf in[3] = {0};
    psy_op_class c = n->info->class_;
    const inside *condition = c == PSY_CLASS_CHOOSE ? find_inside(r, results, &n->operands[0], i) : NULL;
    if (n->dtype != PSY_F32 || (c == PSY_CLASS_CHOOSE && (!condition || !condition->compares))) {
        return false;
    }
    for (unsigned k = c == PSY_CLASS_CHOOSE; k < n->operand_count; k++) {
        in[k] = operand_value(chain, r, results, i, k, &known);
    }
    switch (c) {
    case PSY_CLASS_MAP1: results[i].a = map1(VA n->info->op, in[0], &known); break;
    case PSY_CLASS_MAP2: results[i].a = map2(VA n->info->op, in[0], in[1], &known); break;
    case PSY_CLASS_MAP3: results[i].a = v_fma(VA in[0], in[1], in[2]); break;
    case PSY_CLASS_COMPARE: results[i] = (inside){true, comparison_of(n->info->op), in[0], in[1]}; break;
    case PSY_CLASS_CHOOSE: results[i].a = select_if(VA condition->how, condition->a, condition->b, in[1], in[2]); break;
    default: known = false; break;
    }
    if (known && !n->result.inside) {
        uint32_t stream = results[i].compares ? PSY__CHAIN_STREAMS : stream_of(chain, r, &n->result, true);
        known = stream != PSY__CHAIN_STREAMS && !chain->streams[stream].uniform;
        if (known) {
            chain->results[0][stream] = results[i].a;
        }
    }
    return known && !chain->full;
}

bool psy__chain_of(const psy__region *r, psy__chain *out)
{
    enum { NODES_MAX = 128 };
    inside results[NODES_MAX] = {0};
    memset(out, 0, sizeof *out);
    out->copies = 1;
    if (r->reduces || r->rank == 0 || r->node_count > NODES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (!add_node(out, r, results, i)) {
            return false;
        }
    }
    return true;
}

/* ---- several vectors ---- */

static bool is_shared(const psy__chain_value *v) { return v->op == CHAIN_CONST || v->op == CHAIN_UNIFORM; }

bool psy__chain_interleave(const psy__chain *c, uint32_t copies, psy__chain *out)
{
    uint16_t number[PSY__CHAIN_COPIES][PSY__CHAIN_VALUES];
    if ((uint64_t)c->count * copies > PSY__CHAIN_VALUES) {
        return false;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->streams, c->streams, sizeof out->streams);
    out->stream_count = c->stream_count;
    out->copies = copies;
    for (uint32_t i = 0; i < c->count; i++) {
        for (uint32_t k = 0; k < copies; k++) {
            psy__chain_value v = c->values[i];
            if (k > 0 && is_shared(&v)) {
                number[k][i] = number[0][i];
                continue;
            }
            for (unsigned n = 0; n < v.inputs; n++) {
                v.in[n] = number[k][v.in[n]];
            }
            v.bits += v.op == CHAIN_LOAD ? 8 * k : 0;
            number[k][i] = (uint16_t)out->count;
            out->values[out->count++] = v;
        }
    }
    for (uint32_t k = 0; k < copies; k++) {
        for (uint32_t s = 0; s < c->stream_count; s++) {
            out->results[k][s] = c->streams[s].written ? number[k][c->results[0][s]] : 0;
        }
    }
    return true;
}

uint32_t psy__chain_width(const psy__chain *c)
{
    uint16_t last[PSY__CHAIN_VALUES];
    uint32_t alive = 0, most = 0, ends[PSY__CHAIN_VALUES + 1] = {0};
    for (uint32_t i = 0; i < c->count; i++) {
        last[i] = (uint16_t)i;
        for (unsigned k = 0; k < c->values[i].inputs; k++) {
            last[c->values[i].in[k]] = (uint16_t)i;
        }
    }
    for (uint32_t s = 0; s < c->stream_count; s++) {
        if (c->streams[s].written) {
            last[c->results[0][s]] = (uint16_t)c->count;
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (!is_shared(&c->values[i])) {
            alive++;
            ends[last[i]]++;
            most = alive > most ? alive : most;
        }
        alive -= ends[i];
    }
    return most;
}
