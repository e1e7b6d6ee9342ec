/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/passes.h"
#include "isa/asm.h"

/* Inputs of tests and fuzzers are small: what they need is too. */
enum { ARENA_BYTES_MAX = 256 << 20 };

static _Noreturn void broken(const char *what, const char *detail)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, detail);
    abort();
}

/* The module as text and back gives the same bytes. */
static void check_assembly(const psy__module *m, const uint8_t *bytes, uint64_t n)
{
    char *text;
    size_t text_n;
    uint8_t *again;
    uint64_t again_n;
    if (psy__disassemble(m, &text, &text_n) != PSY_OK) {
        broken("a module cannot be disassembled", psy_detail());
    }
    if (psy__assemble(text, text_n, &again, &again_n) != PSY_OK) {
        broken("disassembly cannot be assembled", psy_detail());
    }
    if (again_n != n || memcmp(again, bytes, n) != 0) {
        broken("assembly gives another module", text);
    }
    free(text);
    free(again);
}

static void check_module(const uint8_t *bytes, uint64_t n)
{
    psy__module m;
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m) != PSY_OK) {
        broken("a module is refused", psy_detail());
    }
    check_assembly(&m, bytes, n);
}

/* Every input that fails says why, and never that the compiler is wrong. */
static void check_diagnostics(const psc_diagnostics *diags, bool ok)
{
    char *said = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&said, &n);
    if (!to) {
        broken("no memory", "for the diagnostics");
    }
    psc_diagnostics_print(diags, to, n % 2);
    fclose(to);
    if (ok != (diags->errors == 0) || (!ok && n == 0)) {
        broken("errors are not counted", said);
    }
    if (strstr(said, "[E0900]")) {
        broken("an internal error", said);
    }
    free(said);
}

static bool compile_schema(psc_arena *arena, psc_diagnostics *diags, const psc_source *source)
{
    psc_schema *schema = psc_schema_parse(arena, diags, source);
    if (schema) {
        char *header = NULL;
        size_t n = 0;
        FILE *to = open_memstream(&header, &n);
        if (!to || psc_header_write(schema, "fuzz", to) != 0 || fclose(to) != 0 || n == 0) {
            broken("no header", "for a schema");
        }
        free(header);
    }
    return schema != NULL;
}

static bool compile_program(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, const char *imports)
{
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        psc_options options = {.include = &imports, .include_count = 1, .optimise = optimise};
        psc_passes_options passes = {.dump = NULL};
        psc_unit *unit = psc_new(arena, psc_unit);
        *unit = (psc_unit){.arena = arena, .diags = diags, .source = source, .options = &options};
        psc_passes_run(unit, &passes);
        if (diags->errors) {
            return false;
        }
        check_module(unit->module, unit->module_bytes);
        diags->list.count = 0; /* warnings: the second run has the same */
    }
    return true;
}

static bool compile_assembly(const uint8_t *bytes, size_t n)
{
    uint8_t *module;
    uint64_t module_bytes;
    if (psy__assemble((const char *)bytes, n, &module, &module_bytes) != PSY_OK) {
        if (!*psy_detail()) {
            broken("an assembly error says nothing", "");
        }
        return false;
    }
    check_module(module, module_bytes);
    free(module);
    return true;
}

bool fuzz_one(fuzz_kind kind, const char *imports, const uint8_t *bytes, size_t n)
{
    if (kind == FUZZ_ASSEMBLY) {
        return compile_assembly(bytes, n);
    }
    /* psc_source_read refuses NUL bytes. */
    if (n > PSC_SOURCE_BYTES_MAX || memchr(bytes, 0, n)) {
        return false;
    }
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    const psc_source *source = psc_source_text(&arena, kind == FUZZ_SCHEMA ? "fuzz.psy" : "fuzz.hrm", (const char *)bytes, n);
    bool ok = kind == FUZZ_SCHEMA ? compile_schema(&arena, &diags, source) : compile_program(&arena, &diags, source, imports);
    check_diagnostics(&diags, ok);
    if (arena.total > ARENA_BYTES_MAX) {
        broken("too much memory", "for an input");
    }
    psc_arena_fini(&arena);
    return ok;
}
