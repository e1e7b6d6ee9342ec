/* SPDX-License-Identifier: Apache-2.0 */
/* psynec: options, files in, files out. Exit status: 0 done, 1 errors in the input, 2 wrong use, 3 out of memory. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "isa/asm.h"
#include "lsp/lsp.h"
#include "output.h"
#include "passes.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

enum { EMIT_HEADER = 1, EMIT_BYTECODE = 2, EMIT_ASM = 4, EMIT_SPIRV = 8 };

typedef struct command {
    psc_arena *arena;
    PSC_LIST(const char *) files;
    PSC_LIST(const char *) include;
    const char *folder;
    unsigned emit; /* 0: what the file's kind calls for */
    psc_options options;
    psc_passes_options passes;
    psc_diagnostics *diags;
    psc_outputs *outputs;
} command;

static const char usage_text[] = "usage: psynec FILE... [options]\n"
                                 "  FILE.psy        message schema: writes the C header FILE.psy.h\n"
                                 "  FILE.hrm        Harmonics program: writes the module FILE.psm, its kernels included\n"
                                 "  FILE.hra        assembly: writes the module FILE.psm\n"
                                 "options:\n"
                                 "  -o DIR          folder for what is written, made if need be (default: the current one)\n"
                                 "  --emit LIST     what to write: header, bytecode, asm, spirv, separated by commas\n"
                                 "  -I DIR          a folder in which imports are looked for\n"
                                 "  -O0, -O1        without and with (default) fold, cse and fuse\n"
                                 "  --no-kernels    no SPIR-V kernels in the module\n"
                                 "  --dump=PASS     print the program after a pass: %s\n"
                                 "  --time-passes   print how long each pass took\n"
                                 "  --version       print the version\n"
                                 "  --help          print this\n";

static _Noreturn void misuse(const char *what, const char *help)
{
    fprintf(stderr, "psynec: %s\n%s%s%s", what, help ? "   help: " : "", help ? help : "", help ? "\n" : "");
    exit(2);
}

static void parse_emit(command *c, const char *list)
{
    static const char *const names[] = {"header", "bytecode", "asm", "spirv"};
    for (const char *at = list;;) {
        size_t n = strcspn(at, ",");
        unsigned bit = 0;
        for (unsigned i = 0; i < 4; i++) {
            bit = strlen(names[i]) == n && strncmp(at, names[i], n) == 0 ? 1u << i : bit;
        }
        if (!bit) {
            const char *word = psc_strndup(c->arena, at, n), *near = psc_did_you_mean(word, names, 4);
            misuse(psc_format(c->arena, "--emit knows no `%s`", word),
                   near ? psc_format(c->arena, "did you mean `%s`?", near) : "there are header, bytecode, asm and spirv");
        }
        c->emit |= bit;
        if (at[n] == '\0') {
            break;
        }
        at += n + 1;
    }
}

/* "-o DIR" or "-oDIR": the value; moves *i on. NULL: another option. */
static const char *value_of(command *c, int argc, char **argv, int *i, const char *name)
{
    size_t n = strlen(name);
    const char *arg = argv[*i];
    if (strncmp(arg, name, n) != 0) {
        return NULL;
    }
    bool is_long = name[1] == '-';
    if (arg[n] == '\0') {
        if (*i + 1 >= argc) {
            misuse(psc_format(c->arena, "%s needs a value", name), NULL);
        }
        return argv[++*i];
    }
    return is_long ? (arg[n] == '=' ? arg + n + 1 : NULL) : arg + n;
}

static void parse_options(command *c, int argc, char **argv)
{
    static const char *const known[] = {"-o",           "-I",     "-O0",           "-O1",       "--emit",
                                        "--no-kernels", "--dump", "--time-passes", "--version", "--help"};
    bool only_files = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value;
        if (only_files || arg[0] != '-' || arg[1] == '\0') {
            psc_push(c->arena, &c->files, arg);
        } else if (strcmp(arg, "--") == 0) {
            only_files = true;
        } else if (strcmp(arg, "-O0") == 0 || strcmp(arg, "-O1") == 0) {
            c->options.optimise = arg[2] == '1';
        } else if (strcmp(arg, "--no-kernels") == 0) {
            c->options.kernels = false;
        } else if (strcmp(arg, "--time-passes") == 0) {
            c->passes.time = true;
        } else if (strcmp(arg, "--version") == 0) {
            printf("psynec %s, module format %d.%d\n", PACKAGE_VERSION, PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
            exit(0);
        } else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            printf(usage_text, psc_pass_names(c->arena));
            exit(0);
        } else if ((value = value_of(c, argc, argv, &i, "--emit"))) {
            parse_emit(c, value);
        } else if ((value = value_of(c, argc, argv, &i, "--dump"))) {
            if (!psc_pass_exists(value)) {
                misuse(psc_format(c->arena, "there is no pass `%s`", value),
                       psc_format(c->arena, "passes are: %s", psc_pass_names(c->arena)));
            }
            c->passes.dump = value;
        } else if ((value = value_of(c, argc, argv, &i, "-o"))) {
            c->folder = value;
        } else if ((value = value_of(c, argc, argv, &i, "-I"))) {
            psc_push(c->arena, &c->include, value);
        } else {
            const char *near = psc_did_you_mean(arg, known, sizeof known / sizeof known[0]);
            misuse(psc_format(c->arena, "there is no option `%s`", arg),
                   near ? psc_format(c->arena, "did you mean `%s`?", near) : "`psynec --help` lists them");
        }
    }
    if (c->files.count == 0) {
        misuse("no files", "`psynec --help` says more");
    }
    c->options.include = c->include.at;
    c->options.include_count = c->include.count;
}

/* ---- one file ---- */

typedef enum kind { SCHEMA, PROGRAM, ASSEMBLY, UNKNOWN } kind;

static kind kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return !dot                       ? UNKNOWN
           : strcmp(dot, ".psy") == 0 ? SCHEMA
           : strcmp(dot, ".hrm") == 0 ? PROGRAM
           : strcmp(dot, ".hra") == 0 ? ASSEMBLY
                                      : UNKNOWN;
}

/* "a/b/nearest.hrm" -> "nearest" */
static const char *stem_of(psc_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return psc_strndup(arena, name, dot ? (size_t)(dot - name) : strlen(name));
}

static void no_such_output(command *c, const char *path, const char *what)
{
    psc_span nowhere = {0};
    psc_error(c->diags, PSC_E_FILE, nowhere, "%s: nothing of it is %s", path, what);
}

static void compile_schema(command *c, const psc_source *source)
{
    const psc_schema *schema = psc_schema_parse(c->arena, c->diags, source);
    if (c->emit && !(c->emit & EMIT_HEADER)) {
        no_such_output(c, source->path, "bytecode, asm or spirv; a schema gives a header");
        return;
    }
    if (!schema || c->passes.dump) {
        return;
    }
    const char *stem = stem_of(c->arena, source->path);
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    if (!to || psc_header_write(schema, stem, to) != 0 || fclose(to) != 0) {
        fputs("psynec: out of memory\n", stderr);
        exit(3);
    }
    psc_output_add(c->outputs, psc_format(c->arena, "%s.psy.h", stem), psc_strndup(c->arena, text, n), n);
    free(text);
}

static void output_asm(command *c, const char *stem, const uint8_t *bytes, uint64_t n)
{
    psy__module m;
    char *text;
    size_t length;
    if (psy__module_decode(bytes, n, PSY_TRUST_NATIVE, &m) != PSY_OK || psy__disassemble(&m, &text, &length) != PSY_OK) {
        psc_span nowhere = {0};
        psc_error(c->diags, PSC_E_INTERNAL, nowhere, "%s", psy_detail());
        return;
    }
    psc_output_add(c->outputs, psc_format(c->arena, "%s.hra", stem), psc_strndup(c->arena, text, length), length);
    free(text);
}

static void output_kernels(command *c, const psc_unit *unit)
{
    psy__module m;
    psc_span whole = {unit->source, 0, 0};
    if (psy__module_decode(unit->module, unit->module_bytes, PSY_TRUST_NATIVE, &m) != PSY_OK || m.kernel_count == 0) {
        psc_error(c->diags, PSC_E_UNSUPPORTED, whole, "there is no kernel to write: %s",
                  unit->kernels_left_out ? unit->kernels_left_out : "no program has work for one");
        return;
    }
    for (uint32_t i = 0; i < m.kernel_count; i++) {
        const psy_psm_kernel *k = &m.kernels[i];
        psc_output_add(
            c->outputs,
            psc_format(c->arena, "%s.%s.spv", stem_of(c->arena, unit->source->path), psy__module_string(&m, k->name)),
            m.kernel_code + k->offset, k->bytes);
    }
}

static void compile_program(command *c, const psc_source *source)
{
    psc_unit *unit = psc_new(c->arena, psc_unit);
    unit->arena = c->arena;
    unit->diags = c->diags;
    unit->source = source;
    unit->options = &c->options;
    unsigned errors = c->diags->errors;
    psc_diagnostics own = {.arena = c->arena};
    unit->diags = &own; /* errors of other files do not stop this one */
    psc_passes_run(unit, &c->passes);
    for (size_t i = 0; i < own.list.count; i++) {
        psc_push(c->arena, &c->diags->list, own.list.at[i]);
    }
    c->diags->errors += own.errors;
    unit->diags = c->diags;
    if (c->diags->errors != errors || c->passes.dump) {
        return;
    }
    const char *stem = stem_of(c->arena, source->path);
    unsigned emit = c->emit ? c->emit : EMIT_BYTECODE;
    if (emit == EMIT_HEADER) {
        no_such_output(c, source->path, "a header; its messages come from a schema");
    }
    if (emit & EMIT_BYTECODE) {
        psc_output_add(c->outputs, psc_format(c->arena, "%s.psm", stem), unit->module, unit->module_bytes);
    }
    if (emit & EMIT_ASM) {
        output_asm(c, stem, unit->module, unit->module_bytes);
    }
    if (emit & EMIT_SPIRV) {
        output_kernels(c, unit);
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

static void compile_assembly(command *c, const psc_source *source)
{
    uint8_t *bytes;
    uint64_t n;
    if (psy__assemble(source->text, source->bytes, &bytes, &n) != PSY_OK) {
        const char *what = psy_detail();
        psc_span at = place_in(source, &what);
        psc_error(c->diags, PSC_E_SYNTAX, at, "%s", what);
        return;
    }
    if (c->emit && !(c->emit & (EMIT_BYTECODE | EMIT_ASM))) {
        no_such_output(c, source->path, "a header or spirv; assembly gives bytecode");
    } else if (!c->passes.dump) {
        uint8_t *kept = psc_alloc(c->arena, n);
        memcpy(kept, bytes, n);
        const char *stem = stem_of(c->arena, source->path);
        if (!c->emit || (c->emit & EMIT_BYTECODE)) {
            psc_output_add(c->outputs, psc_format(c->arena, "%s.psm", stem), kept, n);
        }
        if (c->emit & EMIT_ASM) {
            output_asm(c, stem, kept, n);
        }
    }
    free(bytes);
}

static void compile(command *c, const char *path)
{
    psc_span nowhere = {0};
    kind k = kind_of(path);
    if (k == UNKNOWN) {
        psc_help(psc_error(c->diags, PSC_E_FILE, nowhere, "%s: what kind of file is this?", path),
                 "names end in .psy, .hrm or .hra");
        return;
    }
    const psc_source *source = psc_source_read(c->arena, path);
    if (!source) {
        psc_error(c->diags, PSC_E_FILE, nowhere, "%s: %s", path, psc_source_problem(errno));
        return;
    }
    if (k == SCHEMA) {
        compile_schema(c, source);
    } else if (k == PROGRAM) {
        compile_program(c, source);
    } else {
        compile_assembly(c, source);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "lsp") == 0) {
        return psc_lsp(argc - 1, argv + 1);
    }
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_outputs outputs = {.arena = &arena, .diags = &diags};
    command c = {.arena = &arena,
                 .folder = ".",
                 .options = {.optimise = true, .kernels = true},
                 .passes = {.dump_to = stdout},
                 .diags = &diags,
                 .outputs = &outputs};
    parse_options(&c, argc, argv);
    outputs.folder = c.folder;
    for (size_t i = 0; i < c.files.count; i++) {
        compile(&c, c.files.at[i]);
    }
    if (diags.errors == 0) {
        psc_outputs_write(&outputs);
    }
    psc_diagnostics_print(&diags, stderr, isatty(STDERR_FILENO) && !getenv("NO_COLOR"));
    int status = diags.errors ? 1 : 0;
    psc_arena_fini(&arena);
    return status;
}
