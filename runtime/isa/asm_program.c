/* SPDX-License-Identifier: Apache-2.0 */
/* program NAME(INPUT, partial PARTIAL) -> OUTPUT slots 3 { instructions } */
#include "isa/asm_state.h"

#include <string.h>

enum { OP_NAME_BYTES = 24, OPERANDS_MAX = 255 };

typedef struct body {
    psy__asm *a;
    uint32_t program;
    psy_psm_program record;
    uint32_t region;       /* word of the open region's header, from the program's first; PSY_NONE */
    uint32_t instructions; /* in the open region */
} body;

static psy_psm_register *register_at(body *b, uint64_t number)
{
    return (psy_psm_register *)b->a->registers.at + b->record.first_register + number;
}

static void emit(body *b, uint32_t word)
{
    uint32_t *to =
        psy__asm_add(b->a, &b->a->code, sizeof word, b->record.first_word + (uint64_t)PSY_CODE_WORDS_MAX, "words of code");
    if (to) {
        *to = word;
    }
}

/* %3: f32[N.local, 4] @1 */
static uint64_t parse_result(body *b)
{
    psy__asm *a = b->a;
    const psy__token t = a->token;
    psy__asm_expect_kind(a, PSY_TOKEN_REGISTER, "a register");
    psy__asm_expect(a, ':');
    if (psy__asm_ok(a) && t.value >= PSY_REGISTERS_MAX) {
        psy__asm_fail(a, &t, "register %.*s: there are at most %d", (int)(t.n > 20 ? 20 : t.n), t.at, PSY_REGISTERS_MAX);
    }
    psy_psm_register r = {.dtype = (uint8_t)psy__asm_dtype(a), .slot = PSY_NO_SLOT};
    r.rank = psy__asm_dims(a, r.dims);
    if (psy__asm_accept(a, '@')) {
        r.slot = (uint16_t)psy__asm_integer(a, PSY_NO_SLOT - 1, "a slot");
    }
    while (psy__asm_ok(a) && a->registers.count - b->record.first_register <= t.value) {
        psy__asm_add(a, &a->registers, sizeof r, UINT32_MAX, "registers");
    }
    if (psy__asm_ok(a) && register_at(b, t.value)->dtype != 0) {
        psy__asm_fail(a, &t, "register %%%u is written twice", (unsigned)t.value);
    }
    if (!psy__asm_ok(a)) {
        return 0;
    }
    *register_at(b, t.value) = r;
    return t.value;
}

static uint32_t parse_operand(body *b, const psy_op_info *info, char kind)
{
    psy__asm *a = b->a;
    if ((kind == 'o' || kind == 'd') && psy__asm_accept(a, '-')) {
        return PSY_NONE;
    }
    switch (kind) {
    case 'd': return psy__asm_dim(a);
    case 'f':
        if (psy__field_type(&b->record, info) == PSY_NONE) {
            psy__asm_fail(a, &a->token, "the program has no partial type");
            return 0;
        }
        return psy__asm_refer(a, PSY_ASM_FIELD, psy__field_type(&b->record, info), "field");
    case 'n': return psy__asm_refer(a, PSY_ASM_RESIDENT, 0, "resident");
    case 's': {
        bool negative = a->token.negative;
        a->token.negative = false;
        uint64_t value = psy__asm_integer(a, INT32_MAX, "a signed number");
        return negative ? (uint32_t) - (int64_t)value : (uint32_t)value;
    }
    case 'i':
    case 'c': return (uint32_t)psy__asm_integer(a, UINT32_MAX, "a number");
    default: {
        uint64_t value = a->token.value;
        psy__asm_expect_kind(a, PSY_TOKEN_REGISTER, "a register");
        return value < PSY_REGISTERS_MAX ? (uint32_t)value : PSY_REGISTERS_MAX;
    }
    }
}

/* "add.f32": the op, and its dtype. */
static const psy_op_info *parse_op(psy__asm *a, unsigned *dtype)
{
    const psy__token t = a->token;
    psy__asm_expect_kind(a, PSY_TOKEN_NAME, "an operation");
    if (!psy__asm_ok(a)) {
        return NULL;
    }
    const char *dot = memchr(t.at, '.', t.n);
    size_t n = dot ? (size_t)(dot - t.at) : t.n;
    char name[OP_NAME_BYTES] = "";
    if (n < sizeof name) {
        memcpy(name, t.at, n);
    }
    const psy_op_info *info = psy__op_named(name);
    if (!info) {
        psy__asm_fail(a, &t, "there is no operation %.*s", (int)(n > 64 ? 64 : n), t.at);
        return NULL;
    }
    *dtype = dot ? psy__dtype_named(dot + 1, t.n - n - 1) : 0;
    if ((*dtype == 0) != (info->dtypes == PSY_TAKES_NONE) || (dot && *dtype == 0)) {
        psy__asm_fail(a, &t, info->dtypes == PSY_TAKES_NONE ? "%s takes no dtype" : "%s needs a dtype: %s.f32", name, name);
        return NULL;
    }
    return info;
}

/* from "nearest.hrm" 12:5 */
static void parse_from(body *b, uint32_t word)
{
    psy__asm *a = b->a;
    if (!psy__asm_accept_word(a, "from")) {
        return;
    }
    psy_psm_line line = {.program = b->program, .word = word};
    if (a->token.kind != PSY_TOKEN_STRING) {
        psy__asm_fail(a, &a->token, "from needs a file in quotes");
    }
    line.file = psy__asm_string(a);
    line.line = (uint32_t)psy__asm_integer(a, UINT32_MAX, "a line");
    psy__asm_expect(a, ':');
    line.column = (uint32_t)psy__asm_integer(a, UINT32_MAX, "a column");
    psy_psm_line *to = psy__asm_add(a, &a->lines, sizeof line, 1 << 20, "source lines");
    if (to) {
        *to = line;
    }
}

/* [N, 256] reduces ... { */
static void parse_region(body *b)
{
    psy__asm *a = b->a;
    psy_dim dims[PSY_RANK_MAX] = {0};
    uint32_t rank = psy__asm_dims(a, dims);
    emit(b, 0); /* how many instructions: known at its end */
    emit(b, psy__asm_accept_word(a, "reduces"));
    for (uint32_t i = 0; i < rank; i++) {
        emit(b, dims[i]);
    }
}

static void parse_instruction(body *b)
{
    psy__asm *a = b->a;
    const psy__token where = a->token;
    uint64_t first = PSY_NO_REG, results = 0;
    if (a->token.kind == PSY_TOKEN_REGISTER) {
        do {
            const psy__token t = a->token;
            uint64_t number = parse_result(b);
            if (results > 0 && number != first + results) {
                psy__asm_fail(a, &t, "the results of an instruction are not numbered in a row");
            }
            first = results++ == 0 ? number : first;
        } while (psy__asm_accept(a, ','));
        psy__asm_expect(a, '=');
    }
    unsigned dtype = 0;
    const psy_op_info *info = parse_op(a, &dtype);
    if (!info) {
        return;
    }
    const char *kinds = strchr(info->signature, ':') + 1;
    if (results != (size_t)(kinds - 1 - info->signature)) {
        psy__asm_fail(a, &where, "%s has %u results", info->name, (unsigned)(kinds - 1 - info->signature));
        return;
    }
    uint32_t word = (uint32_t)(a->code.count - b->record.first_word);
    emit(b, 0);
    emit(b, (uint32_t)first);
    if (info->class_ == PSY_CLASS_REGION) {
        parse_region(b);
    } else {
        uint32_t fixed = (uint32_t)strcspn(kinds, "+");
        for (uint32_t i = 0; i < fixed && psy__asm_ok(a); i++) {
            if (i > 0) {
                psy__asm_expect(a, ',');
            }
            emit(b, parse_operand(b, info, kinds[i]));
        }
        for (uint32_t i = fixed; kinds[fixed] == '+' && i < OPERANDS_MAX && psy__asm_accept(a, ','); i++) {
            emit(b, parse_operand(b, info, 'r'));
        }
    }
    if (!psy__asm_ok(a)) {
        return;
    }
    uint32_t operands = (uint32_t)(a->code.count - b->record.first_word) - word - 2;
    ((uint32_t *)a->code.at)[b->record.first_word + word] = (uint32_t)info->op | dtype << 8 | operands << 24;
    if (operands % 2 != 0) {
        emit(b, 0);
    }
    parse_from(b, word);
    b->instructions++;
    if (info->class_ != PSY_CLASS_REGION) {
        psy__asm_expect(a, ';');
        return;
    }
    psy__asm_expect(a, '{');
    if (psy__asm_ok(a) && b->region != PSY_NONE) {
        psy__asm_fail(a, &where, "a region within a region");
    }
    b->region = word;
    b->instructions = 0;
}

/* '}': the end of a region, or of the program. */
static bool close_brace(body *b)
{
    if (!psy__asm_accept(b->a, '}')) {
        return false;
    }
    if (b->region == PSY_NONE || !psy__asm_ok(b->a)) {
        return true;
    }
    ((uint32_t *)b->a->code.at)[b->record.first_word + b->region + 2] = b->instructions;
    b->region = PSY_NONE;
    return false;
}

void psy__asm_program(psy__asm *a)
{
    body b = {.a = a, .program = (uint32_t)a->programs.count, .region = PSY_NONE};
    b.record = (psy_psm_program){.name = psy__asm_define(a, PSY_ASM_PROGRAM, 0, b.program, "program"),
                                 .partial_type = PSY_NONE,
                                 .first_register = (uint32_t)a->registers.count,
                                 .first_word = (uint32_t)a->code.count};
    psy__asm_expect(a, '(');
    b.record.input_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    if (psy__asm_accept(a, ',')) {
        if (!psy__asm_accept_word(a, "partial")) {
            psy__asm_fail(a, &a->token, "only a partial type can follow the input type");
        }
        b.record.partial_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    }
    psy__asm_expect(a, ')');
    psy__asm_expect_kind(a, PSY_TOKEN_ARROW, "->");
    b.record.output_type = psy__asm_refer(a, PSY_ASM_TYPE, 0, "type");
    if (psy__asm_accept_word(a, "slots")) {
        b.record.slot_count = (uint32_t)psy__asm_integer(a, PSY_REGISTERS_MAX, "a number of slots");
    }
    psy__asm_expect(a, '{');
    while (psy__asm_ok(a) && !close_brace(&b)) {
        if (psy__asm_ok(a) && !(a->token.kind == PSY_TOKEN_SIGN && *a->token.at == '}')) {
            parse_instruction(&b);
        }
    }
    b.record.register_count = (uint32_t)a->registers.count - b.record.first_register;
    b.record.word_count = (uint32_t)a->code.count - b.record.first_word;
    for (uint32_t r = 0; psy__asm_ok(a) && r < b.record.register_count; r++) {
        if (register_at(&b, r)->dtype == 0) {
            psy__asm_fail(a, &a->token, "register %%%u of the program above is never written", r);
        }
    }
    psy_psm_program *to = psy__asm_add(a, &a->programs, sizeof b.record, 256, "programs");
    if (to) {
        *to = b.record;
    }
}
