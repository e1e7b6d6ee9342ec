/* SPDX-License-Identifier: Apache-2.0 */
#include "passes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emit_kernels.h"
#include "isa/asm.h"

/* ---- the list ---- */

static const struct {
    const char *name;
    void (*run)(psc_unit *unit);
    bool optimises; /* left out under -O0 */
    bool has_ir;    /* its result is checked */
    bool tolerant;  /* runs after errors too, over what is sound, and finds more of them */
    const char *does;
} passes[] = {
    {"parse", psc_parse, false, false, false, "the text to a tree; all mistakes of form"},
    {"resolve", psc_resolve, false, false, false, "every name to what it means: imports, constants, data, weights, functions"},
    {"lower", psc_lower, false, true, true,
     "types and shapes; every pipeline to operations for one message, functions written out"},
    {"split", psc_split, false, true, false, "into a part for each shard and a part that merges"},
    {"fold", psc_fold, true, true, false, "constants are computed; what changes no bit is left out (`x * 1`, `x / 2`)"},
    {"cse", psc_cse, true, true, false, "what is computed twice is computed once"},
    {"relax", psc_relax, true, true, false, "with `--fast-math`: what changes roundings"},
    {"dce", psc_dce, false, true, false, "what nobody reads is left out"},
    {"fuse", psc_fuse, true, true, false,
     "into kernels: chains, what goes into reductions and comes out of them, reductions over one read"},
    {"schedule", psc_schedule, true, true, false, "in the order that needs the least memory at once"},
    {"plan", psc_plan, false, true, false, "where every value lies, as long as it is read: the arena's slots"},
    {"bytecode", psc_bytecode, false, true, false, "the module, verified as the runtime will"},
    {"kernels", psc_kernels, false, true, false, "kernels for devices, validated"},
};

enum { PASSES = sizeof passes / sizeof passes[0] };

const char *psc_pass_name(size_t i) { return i < PASSES ? passes[i].name : NULL; }
const char *psc_pass_does(size_t i) { return passes[i].does; }
bool psc_pass_optimises(size_t i) { return passes[i].optimises; }

/* ---- dumps ---- */

const char *psc_dump_dim(void *context, psy_dim dim)
{
    const psc_unit *u = context;
    if (dim == PSY_NONE) {
        return "none";
    }
    return psy__dim_is_symbol(dim) ? u->symbol_names.at[psy__dim_symbol(dim)] : psc_format(u->arena, "%u", dim);
}

/* What an instruction names besides values. */
const char *psc_dump_index(void *context, const psc_value *v)
{
    const psc_unit *u = context;
    switch (v->op) {
    case PSY_OP_LOAD:
    case PSY_OP_COUNT:
    case PSY_OP_LENGTHS:
    case PSY_OP_PARTIAL:
    case PSY_OP_STORE:
    case PSY_OP_STORE_LENGTHS: return psc_format(u->arena, "field %u", v->index);
    case PSY_OP_RESIDENT:
    case PSY_OP_LOOKUP: return u->residents.at[v->index].node->name.text;
    case PSY_OP_SIZE:
    case PSY_OP_BASE: return psc_dump_dim(context, v->index);
    case PSY_OP_CONST:
        if (v->rank) {
            return u->params.at[v->index].node->name.text;
        }
        return psc_format(u->arena, "0x%" PRIx64, v->bits);
    case PSY_OP_TOPK:
        return v->base == PSY_NONE ? psc_format(u->arena, "k %u", v->index)
               : v->base == 0      ? psc_format(u->arena, "k %u, places", v->index)
                                   : psc_format(u->arena, "k %u from %s", v->index, psc_dump_dim(context, v->base));
    case PSY_OP_PERMUTE: return psc_format(u->arena, "order %x", v->index);
    case PSY_OP_SLICE:
        return psc_format(u->arena, "axis %u from %s step %d", v->index, psc_dump_dim(context, v->base), v->step);
    case PSY_OP_SORT: return v->index ? "descending" : "ascending";
    case PSY_OP_IOTA:
    case PSY_OP_CONCAT:
    case PSY_OP_GATHER:
    case PSY_OP_CUMSUM: return psc_format(u->arena, "axis %u", v->index);
    default: return psc_ir_class(v) == PSY_CLASS_REDUCE1 ? psc_format(u->arena, "axis %u", v->index) : "";
    }
}

static void dump_ir(psc_unit *u, const char *pass, FILE *to)
{
    fprintf(to, "// after %s\n", pass);
    for (size_t i = 0; i < u->symbols.count; i++) {
        fprintf(to, "size %s\n", u->symbol_names.at[i]);
    }
    for (size_t i = 0; i < u->residents.count; i++) {
        const psy_psm_resident *r = &u->residents.at[i].record;
        fprintf(to, "resident %s: %s%s\n", u->residents.at[i].node->name.text, psy__dtype_name(r->dtype),
                psc_shape_text(u, r->dims, r->rank));
    }
    const psc_program *p;
    for (size_t i = 0; (p = psc_program_at(u, i)); i++) {
        psc_ir_dump(p, psc_dump_dim, psc_dump_index, u, to);
    }
}

static void dump(psc_unit *u, const char *pass, FILE *to)
{
    psy__module m;
    char *text;
    size_t n;
    if (!u->module) {
        dump_ir(u, pass, to);
    } else if (strcmp(pass, "kernels") == 0) {
        if (psy__module_decode(u->module, u->module_bytes, PSY_TRUST_NATIVE, &m) == PSY_OK) {
            psc_emit_kernel_irs(u->arena, &m, to);
        }
    } else if (psy__module_decode(u->module, u->module_bytes, PSY_TRUST_NATIVE, &m) == PSY_OK &&
               psy__disassemble(&m, &text, &n) == PSY_OK) {
        fwrite(text, 1, n, to);
        free(text);
    }
}

void psc_passes_dump_ir(psc_unit *u, FILE *to)
{
    size_t last = 0;
    while (passes[last + 1].run != psc_bytecode) {
        last++;
    }
    dump_ir(u, passes[last].name, to);
}

/* ---- running ---- */

static void check_programs(psc_unit *u, const char *pass)
{
    psc_program *p;
    psc_span whole = {u->source, 0, 0};
    for (size_t i = 0; u->diags->errors == 0 && (p = psc_program_at(u, i)); i++) {
        const char *wrong = psc_ir_check(u->arena, p);
        if (wrong) {
            psc_error(u->diags, PSC_E_INTERNAL, whole, "after %s, program %s: %s", pass, p->name, wrong);
        }
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void psc_passes_run(psc_unit *u, const psc_passes_options *options)
{
    double all = seconds();
    for (size_t i = 0; i < PASSES && (u->diags->errors == 0 || passes[i].tolerant); i++) {
        double start = seconds();
        if (!passes[i].optimises || u->options->optimise) {
            passes[i].run(u);
            if (u->diags->errors == 0 && passes[i].has_ir) {
                check_programs(u, passes[i].name);
            }
        }
        if (options->time) {
            fprintf(stderr, "%-10s %9.3f ms\n", passes[i].name, (seconds() - start) * 1e3);
        }
        if (options->dump && strcmp(options->dump, passes[i].name) == 0 && u->diags->errors == 0) {
            dump(u, passes[i].name, options->dump_to);
        }
    }
    if (options->time) {
        fprintf(stderr, "%-10s %9.3f ms\n", "all", (seconds() - all) * 1e3);
    }
}
