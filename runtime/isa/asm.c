/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/asm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/asm_state.h"

enum { CONSTS_BYTES_MAX = 1 << 27 };

/* ---- tokens ---- */

void psy__asm_fail(psy__asm *a, const psy__token *where, const char *format, ...)
{
    if (a->status == PSY_OK) {
        char text[256];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        a->status = psy_fail(PSY_CORRUPT, "line %u, column %u: %s", where->line, where->column, text);
    }
    a->token.kind = PSY_TOKEN_END;
}

void psy__asm_advance(psy__asm *a)
{
    if (psy__asm_ok(a)) {
        a->token = psy__lexer_next(&a->lexer);
        if (a->token.kind == PSY_TOKEN_BAD) {
            psy__asm_fail(a, &a->token, "%s", a->token.bad);
        }
    }
}

void psy__asm_unexpected(psy__asm *a, const char *what)
{
    if (a->token.kind == PSY_TOKEN_END) {
        psy__asm_fail(a, &a->token, "the text ends where %s should be", what);
    } else {
        psy__asm_fail(a, &a->token, "\"%.*s\" where %s should be", (int)(a->token.n > 64 ? 64 : a->token.n), a->token.at, what);
    }
}

bool psy__asm_accept(psy__asm *a, char sign)
{
    bool is = a->token.kind == PSY_TOKEN_SIGN && *a->token.at == sign;
    if (is) {
        psy__asm_advance(a);
    }
    return is;
}

static bool token_is(const psy__asm *a, const char *word)
{
    return a->token.kind == PSY_TOKEN_NAME && a->token.n == strlen(word) && memcmp(a->token.at, word, a->token.n) == 0;
}

bool psy__asm_accept_word(psy__asm *a, const char *word)
{
    bool is = token_is(a, word);
    if (is) {
        psy__asm_advance(a);
    }
    return is;
}

void psy__asm_expect(psy__asm *a, char sign)
{
    char what[] = {'"', sign, '"', '\0'};
    if (!psy__asm_accept(a, sign)) {
        psy__asm_unexpected(a, what);
    }
}

void psy__asm_expect_kind(psy__asm *a, psy__token_kind kind, const char *what)
{
    if (a->token.kind != kind) {
        psy__asm_unexpected(a, what);
    }
    psy__asm_advance(a);
}

uint64_t psy__asm_integer(psy__asm *a, uint64_t max, const char *what)
{
    psy__token t = a->token;
    if (t.kind != PSY_TOKEN_INTEGER || t.negative) {
        psy__asm_unexpected(a, what);
        return 0;
    }
    if (t.value > max) {
        psy__asm_fail(a, &t, "%" PRIu64 " is too large for %s: at most %" PRIu64, t.value, what, max);
        return 0;
    }
    psy__asm_advance(a);
    return t.value;
}

unsigned psy__asm_dtype(psy__asm *a)
{
    unsigned dtype = a->token.kind == PSY_TOKEN_NAME ? psy__dtype_named(a->token.at, a->token.n) : 0;
    if (dtype == 0) {
        psy__asm_unexpected(a, "a dtype");
        return 0;
    }
    psy__asm_advance(a);
    return dtype;
}

psy_dim psy__asm_dim(psy__asm *a)
{
    return a->token.kind == PSY_TOKEN_NAME ? PSY_DIM_SYMBOL | psy__asm_refer(a, PSY_ASM_SYMBOL, 0, "size")
                                           : (psy_dim)psy__asm_integer(a, INT32_MAX, "a size");
}

uint8_t psy__asm_dims(psy__asm *a, psy_dim dims[PSY_RANK_MAX])
{
    uint8_t rank = 0;
    if (!psy__asm_accept(a, '[')) {
        return 0;
    }
    do {
        if (rank == PSY_RANK_MAX) {
            psy__asm_fail(a, &a->token, "more than %d dims", PSY_RANK_MAX);
            return 0;
        }
        dims[rank++] = psy__asm_dim(a);
    } while (psy__asm_accept(a, ','));
    psy__asm_expect(a, ']');
    return rank;
}

/* ---- lists, strings, names ---- */

static void no_memory(psy__asm *a)
{
    if (psy__asm_ok(a)) {
        a->status = psy_fail(PSY_NO_MEMORY, "no memory to assemble a module");
    }
    a->token.kind = PSY_TOKEN_END;
}

void *psy__asm_add(psy__asm *a, psy__asm_list *list, uint64_t element_bytes, uint64_t max, const char *what)
{
    if (!psy__asm_ok(a)) {
        return NULL;
    }
    if (list->count >= max) {
        psy__asm_fail(a, &a->token, "more than %" PRIu64 " %s", max, what);
        return NULL;
    }
    if (list->count == list->capacity) {
        uint64_t capacity = list->capacity ? list->capacity * 2 : 16;
        void *at = realloc(list->at, capacity * element_bytes);
        if (!at) {
            no_memory(a);
            return NULL;
        }
        list->at = at;
        list->capacity = capacity;
    }
    return memset((uint8_t *)list->at + list->count++ * element_bytes, 0, element_bytes);
}

uint32_t psy__asm_string(psy__asm *a)
{
    const psy__token t = a->token;
    char plain[512] = "", *text = NULL;
    const char *at = t.at;
    size_t n = t.n;
    uint32_t offset = 0;
    if (t.kind == PSY_TOKEN_STRING && memchr(t.at, '\\', t.n)) {
        text = n > sizeof plain ? malloc(n) : plain;
        if (!text) {
            no_memory(a);
            return 0;
        }
        n = 0;
        for (size_t i = 0; i < t.n; i++) {
            const bool escape = t.at[i] == '\\';
            i += escape;
            text[n++] = escape && t.at[i] == 'n' ? '\n' : escape && t.at[i] == 't' ? '\t' : t.at[i];
        }
        at = text;
    }
    psy_status status = psy__asm_ok(a) ? psy__strings_add(&a->strings, at, n, &offset) : PSY_OK;
    if (text != plain) {
        free(text);
    }
    if (status != PSY_OK) {
        a->status = status;
        a->token.kind = PSY_TOKEN_END;
    }
    psy__asm_advance(a);
    return offset;
}

static uint64_t name_key(psy__asm_kind kind, uint32_t scope, uint32_t name)
{
    return (uint64_t)kind << 60 | (uint64_t)scope << 32 | name;
}

static uint64_t name_place(const psy__asm *a, uint64_t key)
{
    uint64_t i = (key ^ key >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    for (i = (i ^ i >> 32) & a->name_mask; a->name_keys[i] != 0 && a->name_keys[i] != key; i = (i + 1) & a->name_mask) {
    }
    return i;
}

static bool names_grow(psy__asm *a)
{
    psy__asm bigger = *a;
    bigger.name_mask = a->name_mask * 2 + 1;
    bigger.name_keys = calloc(bigger.name_mask + 1, sizeof *a->name_keys);
    bigger.name_values = calloc(bigger.name_mask + 1, sizeof *a->name_values);
    if (!bigger.name_keys || !bigger.name_values) {
        free(bigger.name_keys);
        free(bigger.name_values);
        return false;
    }
    for (uint64_t i = 0; a->name_keys && i <= a->name_mask; i++) {
        if (a->name_keys[i] != 0) {
            uint64_t to = name_place(&bigger, a->name_keys[i]);
            bigger.name_keys[to] = a->name_keys[i];
            bigger.name_values[to] = a->name_values[i];
        }
    }
    free(a->name_keys);
    free(a->name_values);
    *a = bigger;
    return true;
}

uint32_t psy__asm_define(psy__asm *a, psy__asm_kind kind, uint32_t scope, uint64_t index, const char *what)
{
    const psy__token t = a->token;
    if (t.kind != PSY_TOKEN_NAME) {
        psy__asm_unexpected(a, "a name");
        return 0;
    }
    uint32_t name = psy__asm_string(a);
    if (!psy__asm_ok(a)) {
        return 0;
    }
    if (a->name_count * 2 > a->name_mask && !names_grow(a)) {
        no_memory(a);
        return 0;
    }
    uint64_t key = name_key(kind, scope, name), i = name_place(a, key);
    if (a->name_keys[i] != 0) {
        psy__asm_fail(a, &t, "there is a %s %.*s already", what, (int)(t.n > 127 ? 127 : t.n), t.at);
        return 0;
    }
    a->name_keys[i] = key;
    a->name_values[i] = (uint32_t)index;
    a->name_count++;
    return name;
}

uint32_t psy__asm_refer(psy__asm *a, psy__asm_kind kind, uint32_t scope, const char *what)
{
    const psy__token t = a->token;
    if (t.kind != PSY_TOKEN_NAME) {
        psy__asm_unexpected(a, "a name");
        return 0;
    }
    uint32_t name = psy__asm_string(a);
    if (!psy__asm_ok(a)) {
        return 0;
    }
    uint64_t key = name_key(kind, scope, name), i = name_place(a, key);
    if (a->name_keys[i] == 0) {
        psy__asm_fail(a, &t, "there is no %s %.*s above", what, (int)(t.n > 127 ? 127 : t.n), t.at);
        return 0;
    }
    return a->name_values[i];
}

/* ---- records ---- */

/* size N global;  size N.local local N;  size shards shards;  size H div N 2; */
static void parse_size(psy__asm *a)
{
    psy_psm_symbol s = {.name = psy__asm_define(a, PSY_ASM_SYMBOL, 0, a->symbols.count, "size"), .of = PSY_NONE};
    if (psy__asm_accept_word(a, "local")) {
        s.kind = PSY_SYMBOL_LOCAL;
        s.of = psy__asm_refer(a, PSY_ASM_SYMBOL, 0, "size");
    } else if (psy__asm_accept_word(a, "shards")) {
        s.kind = PSY_SYMBOL_SHARDS;
    } else if (psy__asm_accept_word(a, "message")) {
        s.kind = PSY_SYMBOL_MESSAGE;
    } else if (!psy__asm_accept_word(a, "global")) {
        for (s.kind = PSY_SYMBOL_ADD; psy__symbol_word(s.kind) && !psy__asm_accept_word(a, psy__symbol_word(s.kind));
             s.kind++) {
        }
        if (!psy__symbol_word(s.kind)) {
            psy__asm_unexpected(a, "global, local, shards, message, add, sub, mul or div");
        }
        s.of = psy__asm_dim(a);
        s.with = psy__asm_dim(a);
    }
    psy__asm_expect(a, ';');
    psy_psm_symbol *to = psy__asm_add(a, &a->symbols, sizeof s, 256, "sizes");
    if (to) {
        *to = s;
    }
}

/* check N >= 64 "message"; */
static void parse_check(psy__asm *a)
{
    psy_psm_check c = {.left = psy__asm_dim(a)};
    c.relation = a->token.kind == PSY_TOKEN_GE ? PSY_CHECK_GE : PSY_CHECK_EQ;
    psy__asm_expect_kind(a, c.relation == PSY_CHECK_GE ? PSY_TOKEN_GE : PSY_TOKEN_EQ, "== or >=");
    c.right = psy__asm_dim(a);
    if (a->token.kind != PSY_TOKEN_STRING) {
        psy__asm_unexpected(a, "a message in quotes");
    }
    c.message = psy__asm_string(a);
    psy__asm_expect(a, ';');
    psy_psm_check *to = psy__asm_add(a, &a->checks, sizeof c, 4096, "checks");
    if (to) {
        *to = c;
    }
}

/* resident words: f32[N, 256] split N.local; */
static void parse_resident(psy__asm *a)
{
    psy_psm_resident r = {.name = psy__asm_define(a, PSY_ASM_RESIDENT, 0, a->residents.count, "resident")};
    psy__asm_expect(a, ':');
    r.dtype = (uint8_t)psy__asm_dtype(a);
    r.rank = psy__asm_dims(a, r.dims);
    r.local_rows = r.dims[0];
    if (psy__asm_accept_word(a, "split") || token_is(a, "keyed")) {
        r.placement = psy__asm_accept_word(a, "keyed") ? PSY_PLACE_BY_KEY : PSY_PLACE_SPLIT;
        r.local_rows = psy__asm_dim(a);
    } else if (!psy__asm_accept_word(a, "replicated")) {
        psy__asm_unexpected(a, "split, keyed or replicated");
    }
    psy__asm_expect(a, ';');
    psy_psm_resident *to = psy__asm_add(a, &a->residents, sizeof r, 64, "residents");
    if (to) {
        *to = r;
    }
}

/* consts 128 { 0: f32 1.5, 2; 64: u64 #ffffffffffffffff; }  bytes that are not named are zero */
static void parse_consts(psy__asm *a)
{
    const psy__token where = a->token;
    uint64_t n = psy__asm_integer(a, CONSTS_BYTES_MAX, "the bytes of constants");
    if (psy__asm_ok(a) && a->consts.at) {
        psy__asm_fail(a, &where, "there are constants already");
    }
    if (!psy__asm_ok(a)) {
        return;
    }
    a->consts = (psy__asm_list){calloc(1, n + 1), n, n};
    if (!a->consts.at) {
        no_memory(a);
        return;
    }
    psy__asm_expect(a, '{');
    while (psy__asm_ok(a) && !psy__asm_accept(a, '}')) {
        uint64_t at = psy__asm_integer(a, n, "an offset into the constants"), bits = 0;
        psy__asm_expect(a, ':');
        unsigned dtype = psy__asm_dtype(a), bytes = psy__dtype_bytes(dtype);
        do {
            if (!psy__literal_read(&a->token, dtype, &bits)) {
                psy__asm_unexpected(a, "a value of that dtype");
            } else if (bytes > n - at) {
                psy__asm_fail(a, &a->token, "more values than the %" PRIu64 " bytes of constants hold", n);
            } else {
                memcpy((uint8_t *)a->consts.at + at, &bits, bytes);
                at += bytes;
            }
            psy__asm_advance(a);
        } while (psy__asm_accept(a, ','));
        psy__asm_expect(a, ';');
    }
}

static void parse_module(psy__asm *a)
{
    char version[16];
    int n = snprintf(version, sizeof version, "%d.%d", PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
    psy__asm_advance(a);
    if (!psy__asm_accept_word(a, "module")) {
        psy__asm_unexpected(a, "module");
    }
    if (psy__asm_ok(a) && (a->token.n != (size_t)n || memcmp(a->token.at, version, a->token.n) != 0)) {
        psy__asm_fail(a, &a->token, "the text has another format than %s, which this library reads", version);
    }
    psy__asm_advance(a);
    psy__asm_expect(a, ';');
    static const struct {
        const char *word;
        void (*parse)(psy__asm *);
    } items[] = {{"type", psy__asm_type},       {"struct", psy__asm_struct},     {"union", psy__asm_union},
                 {"enum", psy__asm_enum},       {"flags", psy__asm_flags},       {"size", parse_size},
                 {"check", parse_check},        {"resident", parse_resident},    {"consts", parse_consts},
                 {"program", psy__asm_program}, {"pipeline", psy__asm_pipeline}, {"alternative", psy__asm_alternative}};
    while (psy__asm_ok(a) && a->token.kind != PSY_TOKEN_END) {
        size_t i = 0;
        while (i < sizeof items / sizeof items[0] && !token_is(a, items[i].word)) {
            i++;
        }
        if (i == sizeof items / sizeof items[0]) {
            psy__asm_unexpected(
                a, "type, struct, union, enum, flags, size, check, resident, consts, program, pipeline or alternative");
            break;
        }
        psy__asm_advance(a);
        items[i].parse(a);
    }
}

psy_status psy__assemble_unverified(const char *text, size_t n, uint8_t **bytes, uint64_t *module_bytes)
{
    psy__asm a = {.status = PSY_OK};
    psy__lexer_init(&a.lexer, text, n);
    a.status = psy__strings_init(&a.strings);
    if (psy__asm_ok(&a) && !names_grow(&a)) {
        no_memory(&a);
    }
    parse_module(&a);
    if (psy__asm_ok(&a)) {
        const psy__module m = {
            .strings = a.strings.bytes,
            .strings_bytes = a.strings.n,
            .types = a.types.at,
            .type_count = (uint32_t)a.types.count,
            .fields = a.fields.at,
            .field_count = (uint32_t)a.fields.count,
            .symbols = a.symbols.at,
            .symbol_count = (uint32_t)a.symbols.count,
            .checks = a.checks.at,
            .check_count = (uint32_t)a.checks.count,
            .residents = a.residents.at,
            .resident_count = (uint32_t)a.residents.count,
            .pipelines = a.pipelines.at,
            .pipeline_count = (uint32_t)a.pipelines.count,
            .guards = a.guards.at,
            .guard_count = (uint32_t)a.guards.count,
            .programs = a.programs.at,
            .program_count = (uint32_t)a.programs.count,
            .registers = a.registers.at,
            .register_count = (uint32_t)a.registers.count,
            .code = a.code.at,
            .code_words = a.code.count,
            .consts = a.consts.at,
            .consts_bytes = a.consts.count,
            .lines = a.lines.at,
            .line_count = (uint32_t)a.lines.count,
        };
        a.status = psy__module_encode(&m, bytes, module_bytes);
    }
    psy__asm_list *const lists[] = {&a.types,  &a.fields,   &a.symbols,   &a.checks, &a.residents, &a.pipelines,
                                    &a.guards, &a.programs, &a.registers, &a.code,   &a.lines,     &a.consts};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        free(lists[i]->at);
    }
    free(a.name_keys);
    free(a.name_values);
    psy__strings_fini(&a.strings);
    return a.status;
}

psy_status psy__assemble(const char *text, size_t n, uint8_t **bytes, uint64_t *module_bytes)
{
    psy_status status = psy__assemble_unverified(text, n, bytes, module_bytes);
    if (status == PSY_OK) {
        psy__module m;
        status = psy__module_decode(*bytes, *module_bytes, PSY_TRUST_BYTECODE, &m);
        if (status != PSY_OK) {
            free(*bytes);
            *bytes = NULL;
        }
    }
    return status;
}
