/* SPDX-License-Identifier: Apache-2.0 */
/* Modules: decoded as a stranger's, disassembled, bound to some sizes, and run over messages of any bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "engine/engine.h"
#include "isa/asm.h"
#include "tests/fuzz/fuzz.h"

static const uint64_t zero_key[2] = {0, 0};

/* What a run may take: small, so that inputs a second count. */
enum { REGISTERS_MAX = 2000, MESSAGES = 3, MEMORY_MAX = 4 << 20, WORK_MAX = 1 << 20, SYMBOLS_MAX = 256, RESIDENTS_MAX = 64 };

/* ---- bytes and text ---- */

/* The module as text and back gives the same bytes. */
static void check_assembly(const psy__module *m, const uint8_t *bytes, uint64_t n)
{
    char *text;
    size_t text_n;
    uint8_t *again;
    uint64_t again_n;
    if (psy__disassemble(m, &text, &text_n) != PSY_OK) {
        fuzz_broken("a module cannot be disassembled", psy_detail());
    }
    if (psy__assemble(text, text_n, &again, &again_n) != PSY_OK) {
        fuzz_broken("disassembly cannot be assembled", psy_detail());
    }
    /* Native sections have no text. */
    if (m->kernel_count == 0 && (again_n != n || memcmp(again, bytes, n) != 0)) {
        fuzz_broken("assembly gives another module", text);
    }
    free(text);
    free(again);
}

/* ---- running ---- */

typedef struct fuzz_data {
    uint64_t symbols[SYMBOLS_MAX], bases[SYMBOLS_MAX];
    psy__resident_data residents[RESIDENTS_MAX];
    void *owned[3 * RESIDENTS_MAX + 4];
    unsigned owned_count;
    uint64_t state; /* of the bytes */
} fuzz_data;

/* Exactly as many bytes as that, so that one more is found; NULL where it is too much. */
static void *take_bytes(fuzz_data *d, uint64_t n)
{
    void *at = NULL;
    if (n > MEMORY_MAX) {
        return NULL;
    }
    if (posix_memalign(&at, 64, n ? n : 1) != 0) {
        fuzz_broken("no memory", "for a run");
    }
    for (uint64_t i = 0; i < n; i++) {
        d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((uint8_t *)at)[i] = (uint8_t)(d->state >> 40 & d->state >> 50); /* small numbers, most of them */
    }
    return d->owned[d->owned_count++] = at;
}

static void free_data(fuzz_data *d)
{
    while (d->owned_count) {
        free(d->owned[--d->owned_count]);
    }
}

/* The keys 0, 1, 2 ..., each at its row. */
static bool take_index(fuzz_data *d, psy__resident_data *r)
{
    uint64_t slots = 1;
    while (slots < 2 * r->rows + 1) {
        slots *= 2;
    }
    uint64_t *keys = take_bytes(d, r->rows * sizeof *keys);
    uint32_t *rows = take_bytes(d, slots * sizeof *rows);
    if (!keys || !rows) {
        return false;
    }
    memset(rows, 0xff, slots * sizeof *rows);
    for (uint64_t i = 0; i < r->rows; i++) {
        uint64_t at = psy__siphash(zero_key, &i, sizeof i) & (slots - 1);
        while (rows[at] != UINT32_MAX) {
            at = (at + 1) & (slots - 1);
        }
        rows[at] = (uint32_t)i;
        keys[i] = i;
    }
    r->keys = keys;
    r->index_rows = rows;
    r->index_mask = slots - 1;
    return true;
}

/* As large as its dims say under the symbols; false: too large, or a dim is not known. */
static bool take_resident(fuzz_data *d, const psy_psm_resident *r, psy__resident_data *out)
{
    uint64_t rows = psy__dim_value(r->local_rows, d->symbols), row_bytes = psy__dtype_bytes(r->dtype), all;
    for (uint32_t k = 1; k < r->rank; k++) {
        if (__builtin_mul_overflow(row_bytes, psy__dim_value(r->dims[k], d->symbols), &row_bytes)) {
            return false;
        }
    }
    if (rows > MEMORY_MAX || __builtin_mul_overflow(rows, row_bytes, &all)) {
        return false;
    }
    *out = (psy__resident_data){.data = take_bytes(d, all), .rows = rows, .row_bytes = row_bytes};
    return out->data && (r->placement != PSY_PLACE_BY_KEY || take_index(d, out));
}

static bool take_data(fuzz_data *d, const psy__module *m, uint64_t size)
{
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        const psy_psm_symbol *s = &m->symbols[i];
        d->symbols[i] = s->kind == PSY_SYMBOL_SHARDS ? 1 : size;
    }
    bool ok = true;
    for (uint32_t i = 0; i < m->resident_count && ok; i++) {
        ok = take_resident(d, &m->residents[i], &d->residents[i]);
    }
    return ok;
}

static bool take_messages(fuzz_data *d, const psy__module *m, const psy_psm_type *type, uint32_t count, psy__span *out)
{
    *out = (psy__span){take_bytes(d, (uint64_t)type->bytes * count), type->bytes, count};
    for (uint32_t i = 0; out->base && i < count; i += 2) { /* every second one has a header that is right */
        uint8_t *message = out->base + (uint64_t)i * type->bytes;
        psy__message_headers(m, type, &message, 1);
    }
    return out->base != NULL;
}

static void run_program(psy__engine *engine, const psy__module *m, uint32_t program, uint64_t size)
{
    fuzz_data *d = calloc(1, sizeof *d);
    const psy_psm_program *p = &m->programs[program];
    const psy_psm_type *partial = p->partial_type == PSY_NONE ? NULL : &m->types[p->partial_type];
    psy__span inputs, partials = {0}, outputs;
    psy__executable *x;
    uint8_t status[MESSAGES];
    if (!d) {
        fuzz_broken("no memory", "for a run");
    }
    if (take_data(d, m, size) && take_messages(d, m, &m->types[p->input_type], MESSAGES, &inputs) &&
        take_messages(d, m, &m->types[p->output_type], MESSAGES, &outputs) &&
        (!partial || take_messages(d, m, partial, MESSAGES, &partials))) {
        psy__binding binding = {.module = m,
                                .program = program,
                                .symbols = d->symbols,
                                .bases = d->bases,
                                .residents = d->residents,
                                .partial_stride = partial ? partial->bytes : 0};
        psy__batch batch = {.count = MESSAGES,
                            .inputs = &inputs,
                            .partials = &partials,
                            .outputs = &outputs,
                            .input_spans = 1,
                            .partial_spans = partial ? 1 : 0,
                            .output_spans = 1,
                            .status = status};
        if (engine->interface->bind(engine, &binding, &x) == PSY_OK) {
            if (engine->interface->run(x, &batch) != PSY_OK) {
                fuzz_broken("a program that is bound does not run", psy_detail());
            }
            engine->interface->unbind(x);
        }
    }
    free_data(d);
    free(d);
}

static void run_all(const psy__module *m)
{
    psy__engine_options options = {.max_batch = MESSAGES, .limits = {.arena_bytes = MEMORY_MAX, .work = WORK_MAX}};
    psy__engine *engine;
    if (psy__engine_open("cpu", &options, &engine) != PSY_OK) {
        fuzz_broken("no engine", psy_detail());
    }
    for (uint32_t i = 0; i < m->program_count; i++) {
        if (m->programs[i].register_count > REGISTERS_MAX) {
            continue;
        }
        for (uint64_t size = 0; size <= 8; size += m->symbol_count ? 4 : 9) {
            run_program(engine, m, i, size);
        }
    }
    psy__engine_close(engine);
}

void fuzz_check_module(const uint8_t *bytes, uint64_t n)
{
    psy__module m;
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m) != PSY_OK) {
        fuzz_broken("a module is refused", psy_detail());
    }
    check_assembly(&m, bytes, n);
    run_all(&m);
}

/* ---- bytes that may be a module ---- */

static bool decode_mended(uint8_t *bytes, uint64_t n)
{
    psy_psm_header *header = (psy_psm_header *)bytes;
    psy__module m;
    if (n >= sizeof *header) {
        header->bytes = n;
        header->hash = 0;
        header->hash = psy__siphash(zero_key, bytes, n);
    }
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m) != PSY_OK) {
        if (!*psy_detail()) {
            fuzz_broken("a module is refused", "and nothing says why");
        }
        return false;
    }
    check_assembly(&m, bytes, n);
    run_all(&m);
    return true;
}

bool fuzz_module(const uint8_t *bytes, size_t n)
{
    uint8_t *made = NULL;
    uint64_t made_n = n;
    if (n >= 4 && memcmp(bytes, "PYSM", 4) == 0) {
        made = aligned_alloc(64, (n + 63) & ~(size_t)63);
        if (!made) {
            fuzz_broken("no memory", "for a module");
        }
        memcpy(made, bytes, n);
    } else {
        const uint8_t *end = n ? memchr(bytes, 0, n) : NULL;
        size_t text = end ? (size_t)(end - bytes) : n;
        if (psy__assemble_unverified((const char *)bytes, text, &made, &made_n) != PSY_OK) {
            return false;
        }
        for (size_t at = text + 1; at + 5 <= n; at += 5) {
            uint32_t place;
            memcpy(&place, bytes + at, sizeof place);
            made[place % made_n] ^= bytes[at + 4];
        }
    }
    bool ok = decode_mended(made, made_n);
    free(made);
    return ok;
}
