/* SPDX-License-Identifier: Apache-2.0 */
/* A module's programs as C: constants, the kernels of each, the function that runs them in order, and what describes the
 * program to its caller (psyne/kernel.h). */
#include <stdlib.h>
#include <string.h>

#include "emit_kernels.h"
#include "output.h"
#include "template.h"

typedef struct c_file {
    psc_arena *arena;
    const psy__module *m;
    const char *stem;
    FILE *code, *header;
    bool has_consts; /* a kernel reads them */
} c_file;

uint32_t psc_c_row(const psy__module *m, uint32_t program, uint32_t reg)
{
    psy__instruction at;
    uint32_t row = 0;
    for (uint32_t word = 0; word < m->programs[program].word_count; word = at.next) {
        psy__instruction_at(m, &m->programs[program], word, &at);
        if (at.op == PSY_OP_LOOKUP && at.dst == reg) {
            break;
        }
        row += at.op == PSY_OP_LOOKUP;
    }
    return row;
}

static const char *number(psc_arena *arena, uint64_t n) { return psc_format(arena, "%llu", (unsigned long long)n); }

/* "nearest_kernels_nearest_shard"; two of one name are told apart by their number. */
static const char *symbol_of(const c_file *f, uint32_t program)
{
    const char *prefix = psc_format(f->arena, "%s_kernels_", f->stem);
    const char *text = psc_kernel_identifier(f->arena, prefix, psy__module_string(f->m, f->m->programs[program].name));
    for (uint32_t p = 0; p < program; p++) {
        const char *other = psc_kernel_identifier(f->arena, prefix, psy__module_string(f->m, f->m->programs[p].name));
        if (strcmp(other, text) == 0) {
            return psc_format(f->arena, "%s_%u", text, program);
        }
    }
    return text;
}

/* A string constant's text. */
static const char *quoted(psc_arena *arena, const char *text)
{
    const char *safe = psc_kernel_comment(arena, text);
    char *out = psc_strndup(arena, safe, strlen(safe));
    for (char *c = out; *c; c++) {
        *c = *c == '"' || (*c == '?' && c[1] == '?') ? '\'' : *c;
    }
    return out;
}

static void put_consts(const c_file *f)
{
    if (!f->has_consts) {
        return;
    }
    fprintf(f->code, "\nstatic const _Alignas(64) unsigned char %s_consts[%llu] = {", f->stem,
            (unsigned long long)f->m->consts_bytes);
    for (uint64_t i = 0; i < f->m->consts_bytes; i++) {
        fprintf(f->code, "%s%u,", i % 24 ? " " : "\n    ", f->m->consts[i]);
    }
    fprintf(f->code, "\n};\n");
}

static void put_names(const c_file *f)
{
    fprintf(f->code, "\nstatic const char *const %s_sizes[] = {", f->stem);
    for (uint32_t i = 0; i < f->m->symbol_count; i++) {
        fprintf(f->code, "\"%s\", ", quoted(f->arena, psy__module_string(f->m, f->m->symbols[i].name)));
    }
    fprintf(f->code, "NULL};\nstatic const char *const %s_residents[] = {", f->stem);
    for (uint32_t i = 0; i < f->m->resident_count; i++) {
        fprintf(f->code, "\"%s\", ", quoted(f->arena, psy__module_string(f->m, f->m->residents[i].name)));
    }
    fprintf(f->code, "NULL};\n");
}

/* The places of sizes and residents, by name: two that are one name in C are told apart by their number. */
static void put_enum(const c_file *f, const char *kind, uint32_t count, const char *(*name)(const psy__module *, uint32_t))
{
    const char **names = psc_alloc(f->arena, (count + 1) * sizeof *names);
    fprintf(f->header, "enum {");
    for (uint32_t i = 0; i < count; i++) {
        names[i] = psc_kernel_identifier(f->arena, psc_format(f->arena, "%s_kernel_%s_", f->stem, kind), name(f->m, i));
        for (uint32_t k = 0; k < i; k++) {
            names[i] = strcmp(names[k], names[i]) == 0 ? psc_format(f->arena, "%s_%u", names[i], i) : names[i];
        }
        fprintf(f->header, "\n    %s,", names[i]);
    }
    fprintf(f->header, "\n    %s_kernel_%ss\n};\n", f->stem, kind);
}

static const char *size_name(const psy__module *m, uint32_t i) { return psy__module_string(m, m->symbols[i].name); }
static const char *resident_name(const psy__module *m, uint32_t i) { return psy__module_string(m, m->residents[i].name); }

static psy_status put_program(c_file *f, uint32_t program)
{
    const psy__module *m = f->m;
    const psy_psm_program *p = &m->programs[program];
    const char *symbol = symbol_of(f, program);
    psy__kernel_ir *kernels;
    uint32_t count;
    psy_status status = psy__kernel_irs_make(m, program, PSY_KERNEL_FOR_C, &kernels, &count);
    if (status != PSY_OK) {
        return status;
    }
    const char *name = quoted(f->arena, psy__module_string(m, p->name));
    fprintf(f->code, "\n/* ---- %s ---- */\n", name);
    psc_emit_c_layout(f->arena, m, program, symbol, f->code);
    psc_stream streams[2];
    FILE *calls[2] = {psc_stream_open(&streams[0]), psc_stream_open(&streams[1])};
    for (uint32_t i = 0; i < count; i++) {
        const char *function = psc_format(f->arena, "%s_%u", symbol, i);
        FILE *call = calls[kernels[i].uniform];
        psc_emit_c_kernel(f->arena, &kernels[i], function, f->stem, f->code);
        for (uint32_t place = 0; place < kernels[i].place_count; place++) {
            f->has_consts = f->has_consts || kernels[i].places[place].kind == PSY_PLACED_CONST;
        }
        if (psc_kernel_has(&kernels[i], PSY_K_ROW)) {
            fprintf(call, "    if (%s(f) != PSY_OK) {\n        return PSY_NOT_FOUND;\n    }\n", function);
        } else {
            fprintf(call, "    %s(f);\n", function);
        }
    }
    psy__kernel_irs_free(kernels, count);
    size_t n;
    const char *batched = psc_stream_close(&streams[0], f->arena, &n), *uniform = psc_stream_close(&streams[1], f->arena, &n);
    const psy_psm_type *out = &m->types[p->output_type];
    const char *parts = "";
    for (uint32_t i = 0; i < out->field_count; i++) {
        const psy_psm_field *field = &m->fields[out->first_field + i];
        if (field->kind == PSY_FIELD_PART) {
            parts = psc_format(f->arena, "%s    psy_kernel_part(f->output + %u, UINT64_C(%llu));\n", parts, field->offset,
                               (unsigned long long)field->default_bits);
        }
    }
    const psc_pair pairs[] = {{"SYMBOL", symbol},
                              {"STEM", f->stem},
                              {"NAME", name},

                              {"UNIFORM", uniform},
                              {"PARTS", parts},
                              {"BATCHED", batched},
                              {"INPUT", number(f->arena, m->types[p->input_type].bytes)},
                              {"PARTIAL", number(f->arena, p->partial_type == PSY_NONE ? 0 : m->types[p->partial_type].bytes)},
                              {"OUTPUT", number(f->arena, out->bytes)},
                              {"VERSION", number(f->arena, out->version)},
                              {"SIZE_COUNT", number(f->arena, m->symbol_count)},
                              {"RESIDENT_COUNT", number(f->arena, m->resident_count)},
                              {"SLOT_COUNT", number(f->arena, p->slot_count)},
                              {"ROW_COUNT", number(f->arena, psc_c_row(m, program, PSY_NONE))},
                              {NULL, NULL}};
    fputc('\n', f->code);
    psc_template_write(psc_template_c, "program", pairs, f->code);
    psc_template_write(psc_template_c, "descriptor", pairs, f->code);
    psc_template_write(psc_template_c, "header_program", pairs, f->header);
    return PSY_OK;
}

psy_status psc_emit_c(psc_arena *arena, const psy__module *m, const char *name, FILE *code, FILE *header)
{
    c_file f = {.arena = arena, .m = m, .stem = psc_kernel_identifier(arena, "", name), .code = code, .header = header};
    const psc_pair pairs[] = {{"STEM", f.stem},
                              {"GUARD", psc_format(arena, "PSYNEC_KERNELS_%s", f.stem)},
                              {"HEADER", psc_format(arena, "%s.kernels.h", name)},
                              {NULL, NULL}};
    psy_status status = PSY_OK;
    psc_template_write(psc_template_c, "top", pairs, code);
    psc_template_write(psc_template_c, "header", pairs, header);
    put_enum(&f, "size", m->symbol_count, size_name);
    put_enum(&f, "resident", m->resident_count, resident_name);
    psc_stream programs;
    size_t n;
    f.code = psc_stream_open(&programs);
    for (uint32_t p = 0; p < m->program_count && status == PSY_OK; p++) {
        status = put_program(&f, p);
    }
    const char *text = psc_stream_close(&programs, arena, &n);
    f.code = code;
    put_consts(&f);
    put_names(&f);
    fwrite(text, 1, n, code);
    fprintf(code, "\nconst psy_kernel_program *const %s_kernels[] = {", f.stem);
    for (uint32_t p = 0; p < m->program_count; p++) {
        fprintf(code, "&%s, ", symbol_of(&f, p));
    }
    fprintf(code, "NULL};\n");
    psc_template_write(psc_template_c, "header_bottom", pairs, header);
    return status;
}
