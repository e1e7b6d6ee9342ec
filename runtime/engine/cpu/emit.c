/* SPDX-License-Identifier: Apache-2.0 */
/* A loop over vectors: loads, the chain's instructions in order, stores. Registers are given out as values come and go; where
 * none is left, the value that is used last goes to the stack, or is made again if it is a constant or in a stream. Encodings:
 * Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/cpu/emit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/cpu/encode.h"

#if defined(__x86_64__)

enum { NOWHERE = 255, SLOTS_MAX = 64, PINNED_512 = 12, PINNED_256 = 4 };

typedef struct emitter {
    encoder e;
    const psy__chain *chain;
    uint8_t reg[PSY__CHAIN_VALUES + 1];   /* of a value, or NOWHERE; the last one is for what is no value */
    uint8_t slot[PSY__CHAIN_VALUES + 1];  /* on the stack, or NOWHERE */
    uint16_t last[PSY__CHAIN_VALUES + 1]; /* the instruction that uses it last */
    uint16_t holds[32];                   /* what a register holds */
    uint32_t used, pinned, locked;        /* registers (bits) */
    unsigned registers, slots;
    uint32_t now;
} emitter;

static const uint8_t stream_base[PSY__CHAIN_STREAMS] = {8, 9, 10, 11, GPR_RAX, GPR_RDX, GPR_RDI};

static bool is_remade(const psy__chain_value *v)
{
    return v->op == CHAIN_CONST || v->op == CHAIN_LOAD || v->op == CHAIN_UNIFORM;
}

/* ---- where values are ---- */

static uint32_t next_use(const emitter *m, uint32_t value)
{
    const psy__chain *c = m->chain;
    for (uint32_t i = m->now + 1; i <= m->last[value] && i < c->count; i++) {
        for (unsigned k = 0; k < c->values[i].inputs; k++) {
            if (c->values[i].in[k] == value) {
                return i;
            }
        }
    }
    return c->count;
}

static void give_back(emitter *m, unsigned reg)
{
    m->reg[m->holds[reg]] = NOWHERE;
    m->used &= ~(1u << reg);
}

/* A register that nothing needs at this instruction. */
static unsigned take(emitter *m, uint32_t value)
{
    uint32_t all = m->registers == 32 ? UINT32_MAX : (1u << m->registers) - 1, free = all & ~m->used;
    unsigned reg = 0;
    if (free) {
        reg = (unsigned)__builtin_ctz(free);
    } else {
        uint32_t farthest = 0;
        bool found = false;
        for (unsigned r = 0; r < m->registers; r++) {
            if ((m->pinned | m->locked) >> r & 1) {
                continue;
            }
            uint32_t use = next_use(m, m->holds[r]);
            if (!found || use > farthest) {
                found = true;
                farthest = use;
                reg = r;
            }
        }
        uint16_t victim = m->holds[reg];
        if (!found) {
            m->e.failed = true;
        } else if (!is_remade(&m->chain->values[victim]) && m->slot[victim] == NOWHERE) {
            if (m->slots == SLOTS_MAX) {
                m->e.failed = true;
            } else {
                m->slot[victim] = (uint8_t)m->slots++;
                encode_store(&m->e, reg, operand_stack(m->slot[victim]), false);
            }
        }
        give_back(m, reg);
    }
    m->used |= 1u << reg;
    m->locked |= 1u << reg;
    m->holds[reg] = (uint16_t)value;
    m->reg[value] = (uint8_t)reg;
    return reg;
}

/* Where a value is read from when it is in no register. */
static operand memory_of(emitter *m, uint32_t value)
{
    const psy__chain_value *v = &m->chain->values[value];
    switch (v->op) {
    case CHAIN_CONST: return operand_const(encode_const(&m->e, v->bits));
    case CHAIN_LOAD: return operand_stream(stream_base[v->bits % 8], v->bits / 8 * (m->e.wide ? 64 : 32));
    case CHAIN_UNIFORM: return operand_uniform(stream_base[v->bits]);
    default: return operand_stack(m->slot[value]);
    }
}

static unsigned in_register(emitter *m, uint32_t value)
{
    if (m->reg[value] != NOWHERE) {
        m->locked |= 1u << m->reg[value];
        return m->reg[value];
    }
    operand from = memory_of(m, value);
    unsigned reg = take(m, value);
    encode_load(&m->e, reg, from);
    return reg;
}

/* In a register, or as memory that an instruction can name. What will be used again comes into a register. */
static operand anywhere(emitter *m, uint32_t value)
{
    if (m->reg[value] == NOWHERE) {
        operand from = memory_of(m, value);
        bool constant = from.kind == OPERAND_CONST || from.kind == OPERAND_UNIFORM;
        if (constant ? m->e.wide : m->last[value] == m->now) {
            return from;
        }
    }
    return operand_register(in_register(m, value));
}

static bool dies(const emitter *m, uint32_t value)
{
    return m->reg[value] != NOWHERE && m->last[value] == m->now && !(m->pinned >> m->reg[value] & 1);
}

/* What the instruction uses for the last time. */
static void give_back_inputs(emitter *m)
{
    const psy__chain_value *v = &m->chain->values[m->now];
    for (unsigned k = 0; k < v->inputs; k++) {
        if (dies(m, v->in[k])) {
            give_back(m, m->reg[v->in[k]]);
        }
    }
}

/* Where the result goes: what is used for the last time makes place for it. */
static unsigned result(emitter *m)
{
    give_back_inputs(m);
    return take(m, m->now);
}

/* ---- instructions ---- */

static const instruction arithmetic[] = {
    [CHAIN_ADD] = {PP_NONE, MAP_0F, 0x58},  [CHAIN_SUB] = {PP_NONE, MAP_0F, 0x5c}, [CHAIN_MUL] = {PP_NONE, MAP_0F, 0x59},
    [CHAIN_DIV] = {PP_NONE, MAP_0F, 0x5e},  [CHAIN_MIN] = {PP_NONE, MAP_0F, 0x5d}, [CHAIN_MAX] = {PP_NONE, MAP_0F, 0x5f},
    [CHAIN_SQRT] = {PP_NONE, MAP_0F, 0x51}, [CHAIN_AND] = {PP_NONE, MAP_0F, 0x54}, [CHAIN_OR] = {PP_NONE, MAP_0F, 0x56},
    [CHAIN_XOR] = {PP_NONE, MAP_0F, 0x57},  [CHAIN_IADD] = {PP_66, MAP_0F, 0xfe},  [CHAIN_ISUB] = {PP_66, MAP_0F, 0xfa},
    [CHAIN_FLOAT] = {PP_NONE, MAP_0F, 0x5b}};

static bool commutes(unsigned op)
{
    return op == CHAIN_ADD || op == CHAIN_MUL || op == CHAIN_AND || op == CHAIN_OR || op == CHAIN_XOR || op == CHAIN_IADD;
}

static void emit_two(emitter *m, const psy__chain_value *v)
{
    uint32_t a = v->in[0], b = v->in[1];
    if (commutes(v->op) && m->reg[a] == NOWHERE && m->reg[b] != NOWHERE) {
        a = v->in[1];
        b = v->in[0];
    }
    unsigned first = in_register(m, a);
    operand second = anywhere(m, b);
    encode(&m->e, arithmetic[v->op], result(m), first, second);
}

static void emit_one(emitter *m, const psy__chain_value *v)
{
    operand from = anywhere(m, v->in[0]);
    encode(&m->e, arithmetic[v->op], result(m), 0, from);
}

static void emit_shift(emitter *m, const psy__chain_value *v)
{
    unsigned from = in_register(m, v->in[0]);
    encode_shift(&m->e, result(m), from, v->op == CHAIN_SAR, v->bits);
}

static void emit_round(emitter *m, const psy__chain_value *v)
{
    operand from = anywhere(m, v->in[0]);
    encode_immediate(&m->e, (instruction){PP_66, MAP_0F3A, 0x08}, result(m), 0, from, (uint8_t)v->bits);
}

/* a * b + c into one of the three: which one says the form. */
static void emit_fma(emitter *m, const psy__chain_value *v)
{
    static const instruction form132 = {PP_66, MAP_0F38, 0x98}, form213 = {PP_66, MAP_0F38, 0xa8},
                             form231 = {PP_66, MAP_0F38, 0xb8};
    uint32_t a = v->in[0], b = v->in[1], c = v->in[2];
    if (m->reg[a] == NOWHERE) { /* the one in memory, if any, comes second */
        a = v->in[1];
        b = v->in[0];
    }
    unsigned ra = in_register(m, a), target;
    bool c_first = m->reg[c] != NOWHERE || m->reg[b] == NOWHERE; /* only one of both may be memory */
    operand ob, oc;
    if (c_first) {
        oc = operand_register(in_register(m, c));
        ob = anywhere(m, b);
    } else {
        ob = operand_register(in_register(m, b));
        oc = anywhere(m, c);
    }
    bool a_dies = dies(m, a) && a != b && a != c, b_dies = dies(m, b) && b != a && b != c && ob.kind == OPERAND_REGISTER,
         c_dies = dies(m, c) && c != a && c != b && oc.kind == OPERAND_REGISTER;
    if (c_dies) { /* c += a * b */
        target = oc.n;
        encode(&m->e, form231, target, ra, ob);
    } else if (a_dies && oc.kind == OPERAND_REGISTER && ob.kind != OPERAND_REGISTER) {
        target = ra;
        encode(&m->e, form132, target, oc.n, ob);
    } else if (a_dies || (b_dies && ob.kind == OPERAND_REGISTER)) {
        target = a_dies ? ra : ob.n;
        encode(&m->e, form213, target, a_dies ? ob.n : ra, oc);
    } else { /* none is over: the result begins as a copy */
        unsigned copy = take(m, PSY__CHAIN_VALUES);
        encode_load(&m->e, copy, operand_register(ra));
        if (ob.kind == OPERAND_REGISTER) {
            encode(&m->e, form213, copy, ob.n, oc);
        } else {
            encode(&m->e, form132, copy, oc.n, ob);
        }
        m->holds[copy] = (uint16_t)m->now;
        m->reg[m->now] = (uint8_t)copy;
        give_back_inputs(m);
        return;
    }
    give_back_inputs(m);
    m->used |= 1u << target;
    m->holds[target] = (uint16_t)m->now;
    m->reg[m->now] = (uint8_t)target;
}

/* `then` where the mask (k1, or a register's signs) is set. */
static void emit_blend(emitter *m, uint32_t then, uint32_t otherwise, unsigned mask)
{
    unsigned no = in_register(m, otherwise);
    operand yes = anywhere(m, then);
    if (!m->e.wide && (yes.kind == OPERAND_CONST || yes.kind == OPERAND_UNIFORM)) {
        yes = operand_register(in_register(m, then));
    }
    unsigned to = result(m);
    if (m->e.wide) {
        encode_masked(&m->e, (instruction){PP_66, MAP_0F38, 0x65}, to, no, yes);
    } else {
        encode_immediate(&m->e, (instruction){PP_66, MAP_0F3A, 0x4a}, to, no, yes, (uint8_t)(mask << 4));
        give_back(m, mask);
    }
}

static void emit_select(emitter *m, const psy__chain_value *v)
{
    static const instruction compare = {PP_NONE, MAP_0F, 0xc2};
    unsigned first = in_register(m, v->in[0]), mask = 1;
    operand second = anywhere(m, v->in[1]);
    if (!m->e.wide) {
        mask = take(m, PSY__CHAIN_VALUES);
    }
    encode_immediate(&m->e, compare, mask, first, second, (uint8_t)v->bits);
    emit_blend(m, v->in[2], v->in[3], mask);
}

static void emit_if_odd(emitter *m, const psy__chain_value *v)
{
    unsigned n = in_register(m, v->in[0]), mask = 1;
    if (m->e.wide) {
        encode(&m->e, (instruction){PP_66, MAP_0F38, 0x27}, mask, n, operand_const(encode_const(&m->e, 1)));
    } else {
        mask = take(m, PSY__CHAIN_VALUES);
        encode_shift(&m->e, mask, n, false, 31);
    }
    emit_blend(m, v->in[1], v->in[2], mask);
}

static void emit_guard(emitter *m, const psy__chain_value *v)
{
    enum { NOT_BELOW_OR_EQUAL = 0x16 };
    unsigned first = in_register(m, v->in[0]), mask = 1;
    operand second = anywhere(m, v->in[1]);
    if (!m->e.wide) {
        mask = take(m, PSY__CHAIN_VALUES);
    }
    encode_immediate(&m->e, (instruction){PP_NONE, MAP_0F, 0xc2}, mask, first, second, NOT_BELOW_OR_EQUAL);
    encode_leave_if_any(&m->e, mask);
    if (!m->e.wide) {
        give_back(m, mask);
    }
    give_back_inputs(m);
}

static void emit_value(emitter *m)
{
    const psy__chain_value *v = &m->chain->values[m->now];
    m->locked = 0;
    switch ((psy__chain_op)v->op) {
    case CHAIN_CONST:
    case CHAIN_LOAD:
    case CHAIN_UNIFORM: break; /* where it is used */
    case CHAIN_SQRT:
    case CHAIN_FLOAT: emit_one(m, v); break;
    case CHAIN_ROUND: emit_round(m, v); break;
    case CHAIN_SHL:
    case CHAIN_SAR: emit_shift(m, v); break;
    case CHAIN_FMA: emit_fma(m, v); break;
    case CHAIN_SELECT: emit_select(m, v); break;
    case CHAIN_IF_ODD: emit_if_odd(m, v); break;
    case CHAIN_GUARD: emit_guard(m, v); break;
    default: emit_two(m, v); break;
    }
    if (dies(m, m->now)) { /* nobody asks for it */
        give_back(m, m->reg[m->now]);
    }
}

/* ---- the loop ---- */

/* Constants that are used most stay in registers. */
static void pin_constants(emitter *m)
{
    const psy__chain *c = m->chain;
    static const unsigned most[2] = {PINNED_256, PINNED_512};
    for (unsigned n = 0; n < most[m->e.wide]; n++) {
        uint32_t best = c->count, best_uses = 1;
        for (uint32_t i = 0; i < c->count; i++) {
            uint32_t uses = 0;
            for (uint32_t k = i + 1; k < c->count && c->values[i].op == CHAIN_CONST && m->reg[i] == NOWHERE; k++) {
                for (unsigned l = 0; l < c->values[k].inputs; l++) {
                    uses += c->values[k].in[l] == i;
                }
            }
            if (uses > best_uses) {
                best = i;
                best_uses = uses;
            }
        }
        if (best == c->count) {
            return;
        }
        unsigned reg = take(m, best);
        encode_load(&m->e, reg, memory_of(m, best));
        m->pinned |= 1u << reg;
    }
}

static void find_last_uses(emitter *m)
{
    const psy__chain *c = m->chain;
    for (uint32_t i = 0; i < c->count; i++) {
        m->last[i] = (uint16_t)i;
        for (unsigned k = 0; k < c->values[i].inputs; k++) {
            m->last[c->values[i].in[k]] = (uint16_t)i;
        }
    }
    for (uint32_t k = 0; k < c->copies; k++) {
        for (uint32_t s = 0; s < c->stream_count; s++) {
            if (c->streams[s].written) {
                m->last[c->results[k][s]] = (uint16_t)c->count;
            }
        }
    }
}

/* A loop over as many vectors at a time as the chain has copies. */
static void emit_loop(emitter *m, const psy__chain *c, bool streaming)
{
    m->chain = c;
    m->used = m->pinned = m->locked = 0;
    memset(m->reg, NOWHERE, sizeof m->reg);
    memset(m->slot, NOWHERE, sizeof m->slot);
    m->now = 0;
    find_last_uses(m);
    uint64_t begin = encode_loop_begin(&m->e, c->copies);
    pin_constants(m);
    uint64_t top = encode_here(&m->e);
    for (; m->now < c->count && !m->e.failed; m->now++) {
        emit_value(m);
    }
    for (uint32_t k = 0; k < c->copies; k++) {
        for (uint32_t s = 0; s < c->stream_count && !m->e.failed; s++) {
            if (c->streams[s].written) {
                m->locked = 0;
                encode_store(&m->e, in_register(m, c->results[k][s]), operand_stream(stream_base[s], k * (m->e.wide ? 64 : 32)),
                             streaming);
            }
        }
    }
    encode_loop_end(&m->e, begin, top, c->copies);
}

/* How many vectors are worth being done in turn: instructions wait for the ones before them, some four times as long as they
 * take, and the processor looks only so far ahead. All of it stays in registers. */
static uint32_t copies_for(const psy__chain *chain, unsigned lanes)
{
    enum { SPARE = 3 };
    unsigned registers = lanes == 16 ? 32 - PINNED_512 : 16 - PINNED_256;
    uint32_t width = psy__chain_width(chain), copies = (registers - SPARE) / (width ? width : 1);
    return copies < 1 ? 1 : copies < PSY__CHAIN_COPIES ? copies : PSY__CHAIN_COPIES;
}

bool psy__emit(psy__code *code, const psy__chain *chain, unsigned lanes, bool streaming, uint64_t *offset)
{
    emitter *m = calloc(1, sizeof *m);
    psy__chain *more = malloc(sizeof *more);
    bool good = m && more && encode_begin(&m->e, code, lanes == 16);
    if (good) {
        uint32_t copies = copies_for(chain, lanes);
        m->registers = lanes == 16 ? 32 : 16;
        encode_enter(&m->e, stream_base, chain->stream_count);
        if (copies > 1 && psy__chain_interleave(chain, copies, more)) {
            emit_loop(m, more, streaming);
        }
        emit_loop(m, chain, streaming);
        encode_return(&m->e, m->slots, streaming);
        good = encode_end(&m->e, offset);
    }
    free(more);
    free(m);
    return good;
}

unsigned psy__emit_lanes(const psy__kernels *kernels)
{
    return strcmp(kernels->name, "avx512") == 0 ? 16 : strcmp(kernels->name, "avx2") == 0 ? 8 : 0;
}

#else

bool psy__emit(psy__code *code, const psy__chain *chain, unsigned lanes, bool streaming, uint64_t *offset)
{
    (void)code, (void)chain, (void)lanes, (void)streaming, (void)offset;
    return false;
}

unsigned psy__emit_lanes(const psy__kernels *kernels) { return (void)kernels, 0; }

#endif

bool psy__code_seal(psy__code *code)
{
    if (code->count == 0) {
        return true;
    }
    uint64_t bytes = (code->count + 4095) & ~UINT64_C(4095);
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return false;
    }
    memcpy(at, code->bytes, code->count);
    if (mprotect(at, bytes, PROT_READ | PROT_EXEC) != 0) {
        munmap(at, bytes);
        return false;
    }
    free(code->bytes);
    *code = (psy__code){.sealed = at, .sealed_bytes = bytes};
    return true;
}

void psy__code_free(psy__code *code)
{
    free(code->bytes);
    if (code->sealed) {
        munmap(code->sealed, code->sealed_bytes);
    }
    *code = (psy__code){0};
}
