/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cpu/encode.h"

#include <stdlib.h>
#include <string.h>

static void put(encoder *e, const void *bytes, unsigned n)
{
    psy__code *c = e->code;
    if (c->count + n > c->room) {
        uint64_t room = c->room ? 2 * c->room : 4096;
        uint8_t *more = realloc(c->bytes, room);
        if (!more) {
            e->failed = true;
            return;
        }
        c->bytes = more;
        c->room = room;
    }
    memcpy(c->bytes + c->count, bytes, n);
    c->count += n;
}

static void put8(encoder *e, unsigned byte) { put(e, &(uint8_t){(uint8_t)byte}, 1); }
static void put32(encoder *e, uint32_t word) { put(e, &word, 4); }
#define PUT(e, ...) put(e, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void patch32(encoder *e, uint64_t at, uint64_t value)
{
    uint32_t word = (uint32_t)value;
    if (!e->failed) {
        memcpy(e->code->bytes + at, &word, 4);
    }
}

uint64_t encode_here(const encoder *e) { return e->code->count; }

/* ---- one instruction ---- */

/* ModRM, SIB and distance. `behind`: bytes that follow them. */
static void put_operand(encoder *e, unsigned reg, operand o, unsigned behind)
{
    unsigned field = (reg & 7) << 3;
    switch (o.kind) {
    case OPERAND_REGISTER: put8(e, 0xc0 | field | (o.n & 7)); break;
    case OPERAND_STREAM: /* [base + rcx], or with a distance */
        put8(e, (o.distance ? 0x80u : 0) | field | 4);
        put8(e, GPR_RCX << 3 | (o.n & 7));
        if (o.distance) {
            put32(e, o.distance);
        }
        break;
    case OPERAND_UNIFORM: put8(e, field | (o.n & 7)); break; /* [base]: none of them is encoded as 4 or 5 */
    case OPERAND_STACK:                                      /* [rsp + distance] */
        put8(e, 0x80 | field | 4);
        put8(e, 0x24);
        put32(e, o.n * 64);
        break;
    case OPERAND_CONST: /* [rip + distance] */
        put8(e, field | 5);
        if (e->fix_count == sizeof e->fixes / sizeof e->fixes[0]) {
            e->failed = true;
            return;
        }
        e->fixes[e->fix_count].at = encode_here(e);
        e->fixes[e->fix_count].n = o.n;
        put32(e, 0);
        e->fixes[e->fix_count++].end = encode_here(e) + behind;
        break;
    }
}

/* Which extra bits of its registers an operand needs: of the register or the base, and of a vector register above 15. */
static unsigned low_extra(operand o)
{
    return o.kind == OPERAND_REGISTER || o.kind == OPERAND_STREAM || o.kind == OPERAND_UNIFORM ? o.n >> 3 & 1 : 0;
}
static unsigned high_extra(operand o) { return o.kind == OPERAND_REGISTER ? o.n >> 4 & 1 : 0; }

static void put_prefix(encoder *e, instruction what, unsigned reg, unsigned first, operand o, bool broadcasts, unsigned mask)
{
    unsigned r = ~reg >> 3 & 1, b = !low_extra(o), v = (~first & 15) << 3 | 1u << 2 | what.pp; /* the bits are turned */
    if (!e->wide) {
        PUT(e, 0xc4, (uint8_t)(r << 7 | 1u << 6 | b << 5 | what.map), (uint8_t)v);
        return;
    }
    unsigned x = !high_extra(o), r_high = ~reg >> 4 & 1, v_high = ~first >> 4 & 1;
    PUT(e, 0x62, (uint8_t)(r << 7 | x << 6 | b << 5 | r_high << 4 | what.map), (uint8_t)v,
        (uint8_t)(2u << 5 | (unsigned)broadcasts << 4 | v_high << 3 | mask));
}

static bool is_one(operand o) { return o.kind == OPERAND_CONST || o.kind == OPERAND_UNIFORM; }

static void put_instruction(encoder *e, instruction what, unsigned reg, unsigned first, operand o, unsigned mask,
                            unsigned behind)
{
    if (is_one(o) && !e->wide) {
        e->failed = true; /* there is no such form */
    }
    put_prefix(e, what, reg, first, o, is_one(o), mask);
    put8(e, what.opcode);
    put_operand(e, reg, o, behind);
}

void encode(encoder *e, instruction what, unsigned to, unsigned first, operand second)
{
    put_instruction(e, what, to, first, second, 0, 0);
}

void encode_immediate(encoder *e, instruction what, unsigned to, unsigned first, operand second, uint8_t immediate)
{
    put_instruction(e, what, to, first, second, 0, 1);
    put8(e, immediate);
}

void encode_masked(encoder *e, instruction what, unsigned to, unsigned first, operand second)
{
    put_instruction(e, what, to, first, second, 1, 0);
}

/* The target is the second register here, and the opcode goes on where the first would be. */
void encode_shift(encoder *e, unsigned to, unsigned from, bool arithmetic_right, uint32_t by)
{
    put_instruction(e, (instruction){PP_66, MAP_0F, 0x72}, arithmetic_right ? 4 : 6, to, operand_register(from), 0, 1);
    put8(e, by);
}

void encode_load(encoder *e, unsigned to, operand from)
{
    if (is_one(from)) { /* vbroadcastss, whose operand is one element by itself */
        const instruction broadcast = {PP_66, MAP_0F38, 0x18};
        put_prefix(e, broadcast, to, 0, from, false, 0);
        put8(e, broadcast.opcode);
        put_operand(e, to, from, 0);
        return;
    }
    bool copy = from.kind == OPERAND_REGISTER;
    encode(e, (instruction){PP_NONE, MAP_0F, copy ? 0x28 : 0x10}, to, 0, from);
}

void encode_store(encoder *e, unsigned from, operand to, bool streaming)
{
    encode(e, (instruction){PP_NONE, MAP_0F, streaming ? 0x2b : 0x11}, from, 0, to);
}

void encode_leave_if_any(encoder *e, unsigned mask)
{
    if (e->wide) {
        PUT(e, 0xc5, 0xf8, 0x98, 0xc9); /* kortestw k1, k1 */
    } else {
        put_prefix(e, (instruction){PP_NONE, MAP_0F, 0x50}, 3, 0, operand_register(mask), false, 0); /* vmovmskps ebx */
        PUT(e, 0x50, (uint8_t)(0xc0 | 3 << 3 | (mask & 7)), 0x85, 0xdb);                             /* test ebx, ebx */
    }
    PUT(e, 0x0f, 0x85); /* jnz */
    if (e->exit_count == ENCODE_EXITS_MAX) {
        e->failed = true;
        return;
    }
    e->exits[e->exit_count++] = encode_here(e);
    put32(e, 0);
}

unsigned encode_const(encoder *e, uint32_t bits)
{
    unsigned i = 0;
    while (i < e->const_count && e->consts[i] != bits) {
        i++;
    }
    if (i == ENCODE_CONSTS_MAX) {
        e->failed = true;
        return 0;
    }
    if (i == e->const_count) {
        e->consts[e->const_count++] = bits;
    }
    return i;
}

/* ---- the function ---- */

static void align(encoder *e, unsigned to, unsigned with)
{
    while (encode_here(e) % to && !e->failed) {
        put8(e, with);
    }
}

bool encode_begin(encoder *e, psy__code *code, bool wide)
{
    e->code = code;
    e->wide = wide;
    e->start = code->count;
    align(e, 64, 0xcc);
    return !e->failed;
}

void encode_enter(encoder *e, const uint8_t *bases, unsigned count)
{
    PUT(e, 0x55, 0x48, 0x89, 0xe5, 0x53);             /* push rbp; mov rbp, rsp; push rbx */
    PUT(e, 0x48, 0x83, 0xe4, 0xc0, 0x48, 0x81, 0xec); /* and rsp, -64; sub rsp, */
    e->stack_size_at = encode_here(e);
    put32(e, 0);
    for (unsigned i = 0; i < count; i++) { /* mov base, [rdi + 8 i]: rdi itself is the last one */
        PUT(e, (uint8_t)(0x48 | (bases[i] >> 3) << 2), 0x8b, (uint8_t)(0x40 | (bases[i] & 7) << 3 | GPR_RDI), (uint8_t)(8 * i));
    }
    PUT(e, 0x31, 0xc9); /* xor ecx, ecx */
}

static unsigned unit(const encoder *e) { return e->wide ? 64 : 32; }

/* rsi, the end, is kept less by all but one vector inside of a loop: signed, since that may be below 0. */
uint64_t encode_loop_begin(encoder *e, unsigned vectors)
{
    PUT(e, 0x48, 0x81, 0xee); /* sub rsi, */
    put32(e, (vectors - 1) * unit(e));
    PUT(e, 0x48, 0x39, 0xf1, 0x0f, 0x8d); /* cmp rcx, rsi; jge */
    put32(e, 0);
    return encode_here(e);
}

void encode_loop_end(encoder *e, uint64_t begin, uint64_t top, unsigned vectors)
{
    PUT(e, 0x48, 0x81, 0xc1); /* add rcx, */
    put32(e, vectors * unit(e));
    PUT(e, 0x48, 0x39, 0xf1, 0x0f, 0x8c); /* cmp rcx, rsi; jl */
    put32(e, (uint32_t)(top - (encode_here(e) + 4)));
    patch32(e, begin - 4, encode_here(e) - begin);
    PUT(e, 0x48, 0x81, 0xc6); /* add rsi, */
    put32(e, (vectors - 1) * unit(e));
}

void encode_return(encoder *e, unsigned slots, bool streaming)
{
    for (unsigned i = 0; i < e->exit_count; i++) {
        patch32(e, e->exits[i], encode_here(e) - (e->exits[i] + 4));
    }
    if (streaming) {
        PUT(e, 0x0f, 0xae, 0xf8); /* sfence */
    }
    PUT(e, 0x48, 0x89, 0xc8, 0xc5, 0xf8, 0x77);                   /* mov rax, rcx; vzeroupper */
    PUT(e, 0x48, 0x8b, 0x5d, 0xf8, 0x48, 0x89, 0xec, 0x5d, 0xc3); /* mov rbx, [rbp - 8]; mov rsp, rbp; pop rbp; ret */
    patch32(e, e->stack_size_at, slots * 64);
}

bool encode_end(encoder *e, uint64_t *offset)
{
    uint64_t start = (e->start + 63) & ~UINT64_C(63);
    align(e, 64, 0xcc);
    uint64_t pool = encode_here(e);
    for (unsigned i = 0; i < e->const_count; i++) {
        put32(e, e->consts[i]);
    }
    for (unsigned i = 0; i < e->fix_count; i++) {
        patch32(e, e->fixes[i].at, pool + 4 * e->fixes[i].n - e->fixes[i].end);
    }
    if (e->failed) {
        e->code->count = e->start;
        return false;
    }
    *offset = start;
    return true;
}
