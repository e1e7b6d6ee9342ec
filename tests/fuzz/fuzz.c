/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/fmt.h"
#include "compiler/passes.h"
#include "isa/asm.h"

/* Inputs of tests and fuzzers are small: what they need is too. */
enum { ARENA_BYTES_MAX = 512 << 20 };

_Noreturn void fuzz_broken(const char *what, const char *detail)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, detail);
    abort();
}

/* Every input that fails says why, and never that the compiler is wrong. */
static void check_diagnostics(const psc_diagnostics *diags, bool ok)
{
    char *said = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&said, &n);
    if (!to) {
        fuzz_broken("no memory", "for the diagnostics");
    }
    psc_diagnostics_print(diags, to, n % 2);
    fclose(to);
    if (ok != (diags->errors == 0) || (!ok && n == 0)) {
        fuzz_broken("errors are not counted", said);
    }
    for (size_t i = 0; i < diags->list.count; i++) {
        if (diags->list.at[i]->code == PSC_E_INTERNAL) {
            fuzz_broken("an internal error", said);
        }
    }
    free(said);
}

/* What is laid out once stays as it is, and has no other errors. */
static void check_layout(const psc_source *source, bool is_program, bool ok)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena}, again = {.arena = &arena};
    size_t n, m;
    const char *text = psc_fmt(&arena, &diags, source, is_program, &n);
    if (ok && !text && diags.list.at[0]->code != PSC_E_LIMIT) {
        fuzz_broken("a sound text cannot be laid out", source->text);
    }
    if (text) {
        const char *other = psc_fmt(&arena, &again, psc_source_text(&arena, source->path, text, n), is_program, &m);
        if (!other || m != n || memcmp(text, other, n) != 0) {
            fuzz_broken("a text that was laid out is laid out in another way", text);
        }
    }
    psc_arena_fini(&arena);
}

/* The folders that are named with colons between. */
static psc_options options_for(psc_arena *arena, const char *imports)
{
    PSC_LIST(const char *) folders = {0};
    for (char *c = psc_strndup(arena, imports, strlen(imports)), *folder; (folder = strtok_r(c, ":", &c));) {
        psc_push(arena, &folders, (const char *)folder);
    }
    return (psc_options){.include = folders.at, .include_count = folders.count};
}

static bool compile_schema(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, const char *imports)
{
    const psc_options options = options_for(arena, imports);
    psc_imports read = {.arena = arena, .diags = diags, .options = &options};
    psc_schema *schema = psc_imports_schema(&read, source);
    if (schema) {
        char *header = NULL;
        size_t n = 0;
        FILE *to = open_memstream(&header, &n);
        if (!to || psc_header_write(schema, "fuzz.psy", NULL, 0, to) != 0 || fclose(to) != 0 || n == 0) {
            fuzz_broken("no header", "for a schema");
        }
        free(header);
    }
    return schema != NULL;
}

static bool compile_program(psc_arena *arena, psc_diagnostics *diags, const psc_source *source, const char *imports)
{
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        psc_options options = options_for(arena, imports);
        options.optimise = optimise;
        psc_passes_options passes = {.dump = NULL};
        psc_unit *unit = psc_new(arena, psc_unit);
        *unit = (psc_unit){.arena = arena, .diags = diags, .source = source, .options = &options};
        unit->index = optimise ? NULL : psc_index_create(arena, source);
        psc_passes_run(unit, &passes);
        if (diags->errors) {
            return false;
        }
        fuzz_check_module(unit->module, unit->module_bytes);
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
            fuzz_broken("an assembly error says nothing", "");
        }
        return false;
    }
    fuzz_check_module(module, module_bytes);
    free(module);
    return true;
}

bool fuzz_one(fuzz_kind kind, const char *imports, const uint8_t *bytes, size_t n)
{
    if (kind == FUZZ_ASSEMBLY || kind == FUZZ_MODULE) {
        return kind == FUZZ_ASSEMBLY ? compile_assembly(bytes, n) : fuzz_module(bytes, n);
    }
    if (kind == FUZZ_WEIGHTS) {
        return fuzz_weights(bytes, n);
    }
    /* psc_source_read refuses NUL bytes. */
    if (n > PSC_SOURCE_BYTES_MAX || memchr(bytes, 0, n)) {
        return false;
    }
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    const psc_source *source = psc_source_text(&arena, kind == FUZZ_SCHEMA ? "fuzz.psy" : "fuzz.hrm", (const char *)bytes, n);
    bool ok = kind == FUZZ_SCHEMA ? compile_schema(&arena, &diags, source, imports)
                                  : compile_program(&arena, &diags, source, imports);
    check_diagnostics(&diags, ok);
    check_layout(source, kind == FUZZ_PROGRAM, ok);
    if (arena.total > ARENA_BYTES_MAX) {
        fuzz_broken("too much memory", "for an input");
    }
    psc_arena_fini(&arena);
    return ok;
}
