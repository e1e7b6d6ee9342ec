/* SPDX-License-Identifier: Apache-2.0 */
/* psynec FILE...: options, files in, files out. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compat.h"
#include "compose.h"
#include "deps.h"
#include "emit.h"
#include "emit_kernels.h"
#include "fix.h"
#include "isa/asm.h"
#include "options.h"
#include "output.h"
#include "passes.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

typedef struct compilation {
    psc_arena *arena;
    psc_paths files, include;
    psc_paths sources; /* that were read: the files, then what they import */
    const char *folder, *deps;
    const char *compat; /* the old schema of the one file; or NULL */
    unsigned emit;      /* bits of psc_emit_kind; 0: what the file's kind calls for */
    bool check, json, fix, werror, explain_fusion;
    uint64_t fatal; /* warnings that are errors, a bit per code */
    psc_options options;
    psc_passes_options passes;
    psc_diagnostics *diags;
    psc_outputs *outputs;
} compilation;

/* ---- options ---- */

static void parse_emit(compilation *c, const char *list)
{
    for (const char *at = list;;) {
        size_t n = strcspn(at, ",");
        c->emit |= 1u << psc_value_place(c->arena, PSC_VALUE_OUTPUT, psc_strndup(c->arena, at, n), "--emit knows no");
        if (at[n] == '\0') {
            return;
        }
        at += n + 1;
    }
}

/* "unused", "no-unused", "error", "error=unused", "all", "no-all" */
static void parse_warning(compilation *c, const char *what)
{
    psc_value_place(c->arena, PSC_VALUE_WARNING, what, "there is no warning");
    bool off = strncmp(what, "no-", 3) == 0, fatal = strncmp(what, "error", 5) == 0;
    const char *name = what + (off ? 3 : fatal ? strcspn(what, "=") + (what[5] == '=') : 0);
    for (psc_code code = 0; code < PSC_CODE_COUNT; code++) {
        if (psc_code_severity(code) != PSC_WARNING) {
            continue;
        }
        bool all = *name == '\0' || strcmp(name, "all") == 0;
        uint64_t bit = all || strcmp(name, psc_warning_name(c->arena, code)) == 0 ? UINT64_C(1) << code : 0;
        if (fatal) {
            c->fatal |= bit;
        } else if (off) {
            c->diags->quiet |= bit;
        } else {
            c->diags->quiet &= ~bit;
        }
    }
}

/* True: that was all there was to do. */
static bool take_option(compilation *c, psc_option_name o, const char *value)
{
    switch (o) {
    case PSC_OPTION_OUTPUT: c->folder = value; break;
    case PSC_OPTION_EMIT: parse_emit(c, value); break;
    case PSC_OPTION_DEPS: c->deps = value; break;
    case PSC_OPTION_CHECK: c->check = true; break;
    case PSC_OPTION_COMPAT: c->compat = value; break;
    case PSC_OPTION_INCLUDE: psc_push(c->arena, &c->include, value); break;
    case PSC_OPTION_LEVEL:
        c->options.optimise = psc_value_place(c->arena, PSC_VALUE_LEVEL, value, "there is no optimisation -O") > 0;
        break;
    case PSC_OPTION_FAST_MATH: c->options.fast_math = true; break;
    case PSC_OPTION_NO_KERNELS: c->options.kernels = false; break;
    case PSC_OPTION_NO_LINES: c->options.no_lines = true; break;
    case PSC_OPTION_WARNING: parse_warning(c, value); break;
    case PSC_OPTION_WERROR: parse_warning(c, "error"); break;
    case PSC_OPTION_DIAGNOSTICS:
        c->json = psc_value_place(c->arena, PSC_VALUE_FORMAT, value, "diagnostics have no format") == 1;
        break;
    case PSC_OPTION_FIX: c->fix = true; break;
    case PSC_OPTION_EXPLAIN: psc_explain(c->arena, value); return true;
    case PSC_OPTION_EXPLAIN_FUSION: c->explain_fusion = c->options.explain = true; break;
    case PSC_OPTION_DUMP:
        psc_value_place(c->arena, PSC_VALUE_PASS, value, "there is no pass");
        c->passes.dump = value;
        break;
    case PSC_OPTION_TIME_PASSES: c->passes.time = true; break;
    case PSC_OPTION_VERSION:
        printf("psynec %s, module format %d.%d\n", PACKAGE_VERSION, PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
        return true;
    case PSC_OPTION_HELP: psc_help_write(c->arena, PSC_COMMAND_COMPILE, stdout); return true;
    default: psc_push(c->arena, &c->files, value); break;
    }
    return false;
}

static bool parse_options(compilation *c, int argc, char **argv)
{
    psc_command_line line = psc_command_line_begin(c->arena, PSC_COMMAND_COMPILE, argc, argv);
    const char *value;
    for (psc_option_name o; (o = psc_command_line_next(&line, &value)) != PSC_OPTION_END;) {
        if (take_option(c, o, value)) {
            return false;
        }
    }
    if (c->compat && c->files.count != 1) {
        psc_misuse("--compat compares two schemas", "write `psynec --compat old.psy new.psy`");
    }
    if (c->files.count == 0) {
        psc_misuse("no files", "`psynec --help` says more");
    }
    c->options.include = c->include.at;
    c->options.include_count = c->include.count;
    return true;
}

/* ---- one file ---- */

/* "a/b/nearest.hrm" -> "nearest" */
static const char *stem_of(psc_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return psc_strndup(arena, name, dot ? (size_t)(dot - name) : strlen(name));
}

static void no_such_output(compilation *c, const char *path, const char *what)
{
    psc_span nowhere = {0};
    psc_error(c->diags, PSC_E_FILE, nowhere, "%s: nothing of it is %s", path, what);
}

static bool wants(const compilation *c, psc_emit_kind kind) { return c->emit >> kind & 1; }

static void add_stream(compilation *c, psc_stream *stream, const char *name)
{
    size_t n;
    const char *text = psc_stream_close(stream, c->arena, &n);
    psc_output_add(c->outputs, name, text, n);
}

/* What was read for a file: make must know of it. */
static void take_sources(compilation *c, const psc_imports *imports)
{
    for (size_t i = 0; i < imports->files.count; i++) {
        psc_push(c->arena, &c->sources, imports->files.at[i]->source->path);
    }
}

static void output_asm(compilation *c, const char *stem, const psy__module *m)
{
    char *text;
    size_t length;
    if (psy__disassemble(m, &text, &length) != PSY_OK) {
        psc_span nowhere = {0};
        psc_error(c->diags, PSC_E_INTERNAL, nowhere, "%s", psy_detail());
        return;
    }
    psc_output_add(c->outputs, psc_format(c->arena, "%s.hra", stem), psc_strndup(c->arena, text, length), length);
    free(text);
}

static void output_kernels(compilation *c, const char *stem, const psc_unit *unit, const psy__module *m)
{
    psc_span whole = {unit->source, 0, 0};
    if (m->kernel_count == 0) {
        psc_error(c->diags, PSC_E_UNSUPPORTED, whole, "there is no kernel to write: %s",
                  unit->kernels_left_out ? unit->kernels_left_out : "no program has work for one");
        return;
    }
    for (uint32_t i = 0; i < m->kernel_count; i++) {
        const psy_psm_kernel *k = &m->kernels[i];
        psc_output_add(c->outputs, psc_format(c->arena, "%s.%s.spv", stem, psy__module_string(m, k->name)),
                       m->kernel_code + k->offset, k->bytes);
    }
}

/* Every kernel of the programs that run on shards; merge parts run on the CPU. */
static void output_glsl(compilation *c, const char *stem, psc_span whole, const psy__module *m)
{
    size_t before = c->outputs->list.count;
    const char *why = NULL;
    for (uint32_t p = 0; p < m->program_count; p++) {
        psy__kernel *words;
        psy__kernel_ir *kernels;
        uint32_t count;
        if (m->programs[p].partial_type != PSY_NONE) {
            continue;
        }
        if (psy__codegen_spirv(m, p, &words, &count) != PSY_OK) {
            why = psc_format(c->arena, "%s", psy_detail());
            continue;
        }
        psy__kernels_free(words, count);
        if (psy__kernel_irs_make(m, p, PSY_KERNEL_FOR_DEVICE, &kernels, &count) != PSY_OK) {
            why = psc_format(c->arena, "%s", psy_detail());
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            const char *name = psc_kernel_name(c->arena, m, &kernels[i], i);
            psc_stream stream;
            psc_emit_glsl(c->arena, &kernels[i], name, psc_stream_open(&stream));
            add_stream(c, &stream, psc_format(c->arena, "%s.%s.comp", stem, name));
        }
        psy__kernel_irs_free(kernels, count);
    }
    if (c->outputs->list.count == before) {
        psc_error(c->diags, PSC_E_UNSUPPORTED, whole, "there is no kernel to write: %s",
                  why ? why : "no program has work for one");
    }
}

static void output_c(compilation *c, const char *stem, psc_span whole, const psy__module *m)
{
    psc_stream code, header;
    FILE *to = psc_stream_open(&code);
    if (psc_emit_c(c->arena, m, stem, to, psc_stream_open(&header)) != PSY_OK) {
        psc_error(c->diags, PSC_E_UNSUPPORTED, whole, "there is no C to write: %s", psy_detail());
    }
    add_stream(c, &code, psc_format(c->arena, "%s.kernels.c", stem));
    add_stream(c, &header, psc_format(c->arena, "%s.kernels.h", stem));
}

/* What a module alone gives: the bytes themselves, assembly, reflection. */
static void output_module(compilation *c, const char *stem, psc_span whole, const uint8_t *bytes, uint64_t n, psy__module *m)
{
    if (psy__module_decode(bytes, n, PSY_TRUST_NATIVE, m) != PSY_OK) {
        psc_span nowhere = {0};
        psc_error(c->diags, PSC_E_INTERNAL, nowhere, "%s", psy_detail());
        *m = (psy__module){0};
        return;
    }
    if (!c->emit || wants(c, PSC_EMIT_BYTECODE)) {
        psc_output_add(c->outputs, psc_format(c->arena, "%s.psm", stem), bytes, n);
    }
    if (wants(c, PSC_EMIT_ASM)) {
        output_asm(c, stem, m);
    }
    if (wants(c, PSC_EMIT_GLSL)) {
        output_glsl(c, stem, whole, m);
    }
    if (wants(c, PSC_EMIT_C)) {
        output_c(c, stem, whole, m);
    }
    if (wants(c, PSC_EMIT_JSON)) {
        psc_stream stream;
        psc_emit_json(m, psc_stream_open(&stream));
        add_stream(c, &stream, psc_format(c->arena, "%s.json", stem));
    }
}

/* A module of a schema's types alone, for tools. */
static void output_types(compilation *c, const psc_source *source, const psc_schema *schema, const char *stem)
{
    psc_unit *unit = psc_new(c->arena, psc_unit);
    psy__module m;
    *unit = (psc_unit){.arena = c->arena, .diags = c->diags, .source = source, .options = &c->options};
    for (uint32_t i = 0; i < schema->order_count; i++) {
        psc_type_of(unit, schema->order[i]);
    }
    psc_bytecode(unit);
    if (unit->module) {
        output_module(c, stem, (psc_span){source, 0, 0}, unit->module, unit->module_bytes, &m);
    }
}

static void output_fuzz(compilation *c, const psc_source *source, const psc_schema *schema, const char *stem)
{
    psc_stream stream;
    if (schema->message_count == 0) {
        psc_error(c->diags, PSC_E_UNSUPPORTED, (psc_span){source, 0, 0},
                  "there is nothing to fuzz: no message is declared here");
        return;
    }
    psc_header_write_fuzz(schema, stem, psc_stream_open(&stream));
    add_stream(c, &stream, psc_format(c->arena, "%s.fuzz.c", stem));
}

static void compile_schema(compilation *c, const psc_source *source)
{
    const unsigned of_types = 1u << PSC_EMIT_BYTECODE | 1u << PSC_EMIT_ASM | 1u << PSC_EMIT_JSON,
                   of_header = 1u << PSC_EMIT_HEADER | 1u << PSC_EMIT_FUZZ;
    psc_imports imports = {.arena = c->arena, .diags = c->diags, .options = &c->options};
    const psc_schema *schema = psc_imports_schema(&imports, source);
    take_sources(c, &imports);
    if (c->emit && !(c->emit & (of_types | of_header))) {
        no_such_output(c, source->path,
                       "spirv, glsl, c, graph or ir; a schema gives a header, what fuzzes it, and a module of its types");
        return;
    }
    if (!schema || c->passes.dump) {
        return;
    }
    const char *stem = psc_format(c->arena, "%s.psy", stem_of(c->arena, source->path));
    psc_stream stream;
    if (!c->emit || wants(c, PSC_EMIT_HEADER)) {
        psc_header_write(schema, stem, NULL, 0, psc_stream_open(&stream));
        add_stream(c, &stream, psc_format(c->arena, "%s.h", stem));
    }
    if (wants(c, PSC_EMIT_FUZZ)) {
        output_fuzz(c, source, schema, stem);
    }
    if (c->emit & of_types) {
        output_types(c, source, schema, stem);
    }
}

static void output_program(compilation *c, psc_unit *unit)
{
    const char *stem = stem_of(c->arena, unit->source->path);
    psy__module m;
    psc_stream stream;
    if (wants(c, PSC_EMIT_HEADER) && unit->composed.count > 0) {
        psc_composed_write(unit, stem, psc_stream_open(&stream));
        add_stream(c, &stream, psc_format(c->arena, "%s.hrm.h", stem));
    } else if (c->emit && !(c->emit & ~(1u << PSC_EMIT_HEADER | 1u << PSC_EMIT_FUZZ))) {
        no_such_output(c, unit->source->path, "a header or what fuzzes it; its messages come from a schema");
        return;
    }
    output_module(c, stem, (psc_span){unit->source, 0, 0}, unit->module, unit->module_bytes, &m);
    if (wants(c, PSC_EMIT_SPIRV)) {
        output_kernels(c, stem, unit, &m);
    }
    if (wants(c, PSC_EMIT_GRAPH)) {
        psc_emit_graph(unit, psc_stream_open(&stream));
        add_stream(c, &stream, psc_format(c->arena, "%s.dot", stem));
    }
    if (wants(c, PSC_EMIT_IR)) {
        psc_passes_dump_ir(unit, psc_stream_open(&stream));
        add_stream(c, &stream, psc_format(c->arena, "%s.ir", stem));
    }
    if (c->explain_fusion) {
        psc_explain_fusion(unit, stdout);
    }
}

static void compile_program(compilation *c, const psc_source *source)
{
    psc_unit *unit = psc_new(c->arena, psc_unit);
    psc_diagnostics own = {.arena = c->arena, .quiet = c->diags->quiet}; /* errors of other files do not stop this one */
    *unit = (psc_unit){.arena = c->arena, .diags = &own, .source = source, .options = &c->options};
    psc_passes_run(unit, &c->passes);
    psc_diagnostics_add(c->diags, &own);
    unit->diags = c->diags;
    take_sources(c, &unit->imports);
    for (size_t i = 0; i < unit->weights.count; i++) {
        psc_push(c->arena, &c->sources, unit->weights.at[i]);
    }
    if (own.errors == 0 && !c->passes.dump) {
        output_program(c, unit);
    }
}

/* The assembler says "line L, column C: what": the place, and *what moves on to the rest. */
static psc_span place_in(const psc_source *source, const char **what)
{
    unsigned line, column;
    int n = 0;
    psc_span at = {source, 0, 0};
    if (sscanf(*what, "line %u, column %u: %n", &line, &column, &n) == 2 && n > 0 && line >= 1 && line <= source->line_count &&
        column >= 1) {
        uint64_t offset = (uint64_t)source->line_starts[line - 1] + column - 1;
        at.begin = at.end = offset < source->bytes ? (uint32_t)offset : (uint32_t)source->bytes;
        *what += n;
    }
    return at;
}

static void compile_assembly(compilation *c, const psc_source *source)
{
    const unsigned possible =
        1u << PSC_EMIT_BYTECODE | 1u << PSC_EMIT_ASM | 1u << PSC_EMIT_GLSL | 1u << PSC_EMIT_C | 1u << PSC_EMIT_JSON;
    uint8_t *bytes;
    uint64_t n;
    if (psy__assemble(source->text, source->bytes, &bytes, &n) != PSY_OK) {
        const char *what = psy_detail();
        psc_span at = place_in(source, &what);
        psc_error(c->diags, PSC_E_SYNTAX, at, "%s", what);
        return;
    }
    if (c->emit && !(c->emit & possible)) {
        no_such_output(c, source->path, "a header, fuzz targets, spirv, graph or ir; assembly gives bytecode");
    } else if (!c->passes.dump) {
        psy__module m;
        uint8_t *kept = psc_alloc(c->arena, n);
        memcpy(kept, bytes, n);
        output_module(c, stem_of(c->arena, source->path), (psc_span){source, 0, 0}, kept, n, &m);
    }
    free(bytes);
}

static void compile(compilation *c, const char *path)
{
    psc_span nowhere = {0};
    psc_file_kind kind = psc_file_kind_of(path);
    if (kind == PSC_FILE_UNKNOWN) {
        psc_help(psc_error(c->diags, PSC_E_FILE, nowhere, "%s: what kind of file is this?", path),
                 "names end in .psy, .hrm or .hra");
        return;
    }
    const psc_source *source = psc_file_read(c->arena, c->diags, path);
    if (!source) {
        return;
    }
    if (kind == PSC_FILE_SCHEMA) {
        compile_schema(c, source);
    } else if (kind == PSC_FILE_PROGRAM) {
        compile_program(c, source);
    } else {
        compile_assembly(c, source);
    }
}

/* ---- two schemas ---- */

static const psc_schema *schema_of(compilation *c, const char *path)
{
    psc_span nowhere = {0};
    if (psc_file_kind_of(path) != PSC_FILE_SCHEMA) {
        psc_help(psc_error(c->diags, PSC_E_FILE, nowhere, "%s is no schema", path), "names of schemas end in .psy");
        return NULL;
    }
    const psc_source *source = psc_file_read(c->arena, c->diags, path);
    psc_imports imports = {.arena = c->arena, .diags = c->diags, .options = &c->options};
    return source ? psc_imports_schema(&imports, source) : NULL;
}

/* The exit status. */
static int compare(compilation *c)
{
    const psc_schema *old = schema_of(c, c->compat), *now = schema_of(c, c->files.at[0]);
    int status = 1;
    if (old && now) {
        const psc_compat *compat = psc_compat_find(c->arena, c->diags, old, now);
        if (c->json) {
            psc_compat_json(compat, stdout);
        } else {
            psc_compat_print(c->arena, compat, stdout, psc_is_coloured(stdout));
        }
        status = compat->old_readers && compat->new_readers ? 0 : 1;
    }
    psc_diagnostics_promote(c->diags, c->fatal);
    psc_say(c->diags, c->json);
    return c->diags->errors ? 1 : status;
}

/* ---- all files ---- */

static void compile_all(compilation *c)
{
    *c->diags = (psc_diagnostics){.arena = c->arena, .quiet = c->diags->quiet};
    *c->outputs = (psc_outputs){.arena = c->arena, .diags = c->diags, .folder = c->folder};
    c->sources.count = 0;
    for (size_t i = 0; i < c->files.count; i++) {
        psc_push(c->arena, &c->sources, c->files.at[i]);
    }
    for (size_t i = 0; i < c->files.count; i++) {
        compile(c, c->files.at[i]);
    }
    psc_diagnostics_promote(c->diags, c->fatal);
}

/* Mends files and compiles them again, until nothing more can be mended: a mended name may show the next mistake. */
static void fix(compilation *c)
{
    enum { ROUNDS_MAX = 16 };
    unsigned total = 0;
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        psc_diagnostics problems = {.arena = c->arena};
        psc_outputs mended = {.arena = c->arena, .diags = &problems};
        unsigned count = psc_fix_all(c->arena, c->diags, &mended);
        if (count == 0) {
            break;
        }
        psc_outputs_write(&mended);
        psc_say(&problems, c->json);
        if (problems.errors) {
            break;
        }
        total += count;
        compile_all(c);
    }
    if (total && !c->json) {
        fprintf(stderr, "psynec: %u mistake%s mended\n", total, total == 1 ? "" : "s");
    }
}

static void write_all(compilation *c)
{
    if (c->deps) {
        size_t n;
        const char *rule = psc_deps_text(c->arena, c->outputs, &c->sources, c->files.count, &n);
        psc_output_add_path(c->outputs, c->deps, rule, n);
    }
    if (c->diags->errors == 0) {
        psc_outputs_write(c->outputs);
    }
}

int psc_command_compile(int argc, char **argv)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_outputs outputs = {.arena = &arena, .diags = &diags};
    compilation c = {.arena = &arena,
                     .folder = ".",
                     .options = {.optimise = true, .kernels = true},
                     .passes = {.dump_to = stdout},
                     .diags = &diags,
                     .outputs = &outputs};
    int status = 0;
    const bool goes_on = parse_options(&c, argc, argv);
    if (goes_on && c.compat) {
        status = compare(&c);
    } else if (goes_on) {
        compile_all(&c);
        if (c.fix) {
            fix(&c);
        }
        if (diags.errors == 0 && !c.check && !c.passes.dump) {
            write_all(&c);
        }
        psc_say(&diags, c.json);
        status = diags.errors ? 1 : 0;
    }
    psc_arena_fini(&arena);
    return status;
}
