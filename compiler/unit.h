/* SPDX-License-Identifier: Apache-2.0 */
/* One .hrm file on its way through the passes: what each pass finds and what it adds. */
#ifndef PSC_UNIT_H
#define PSC_UNIT_H

#include "arena.h"
#include "diagnostic.h"
#include "hrm_ast.h"
#include "import.h"
#include "index.h"
#include "ir.h"
#include "isa/module.h"
#include "names.h"
#include "schema.h"

/* What a file may have; a module has room for it. */
enum { PSC_UNIT_VALUES_MAX = 200000 };
enum { PSC_RESIDENTS_MAX = 64, PSC_PARAMS_MAX = 1024, PSC_FNS_MAX = 1024, PSC_PIPELINES_MAX = 64 };

/* Every i64 and every u64: whole numbers have no dtype until they meet a value. */
__extension__ typedef __int128 psc_integer;

typedef struct psc_constant_value {
    const char *name;
    psc_span span;
    bool is_float, poisoned, used;
    bool is_size; /* a size that a param's file gave: types of functions have sizes of their own of that name */
    psc_integer integer;
    double real;
} psc_constant_value;

typedef struct psc_resident {
    const hrm_resident *node;
    psy_psm_resident record; /* `name` is set when the module is written */
    bool is_text;            /* its last axis is the bytes of a text */
    bool poisoned, used;
} psc_resident;

/* Weights: read when the program is compiled. */
typedef struct psc_param {
    const hrm_param *node;
    const char *path; /* of the file that it comes from; NULL: there is none */
    uint8_t dtype, rank;
    psy_dim dims[PSY_RANK_MAX];
    const uint8_t *data; /* row-major; NULL where an editor asks, of what has axes */
    uint64_t bytes;
    uint32_t offset; /* bytecode: in the constants; PSY_NONE: nobody reads it */
    bool poisoned, used;
} psc_param;

typedef struct psc_fn {
    const hrm_fn *node;
    bool poisoned, used; /* poisoned: its signature has an error, or it calls itself */
} psc_fn;

/* What a variant of the input message is in one alternative of a pipeline. */
typedef struct psc_guard {
    const hrm_type *type; /* as written */
    psy_psm_guard record;
} psc_guard;

enum { PSC_ALTERNATIVES_MAX = 16 };

/* A pipeline, or one of its alternatives, and the programs made of it. The first alternative has the pipeline's name. */
typedef struct psc_pipeline {
    const hrm_pipeline *node;
    const char *name;      /* "nearest"; of further alternatives "nearest.2" */
    unsigned alternatives; /* this one and those that follow it; 0: it is one of those */
    PSC_LIST(psc_guard) guards;
    const psc_message *input, *output;
    bool poisoned;           /* its signature has an error */
    psy_psm_pipeline record; /* names and program numbers are set when the module is written */
    psc_program *whole;      /* for one message on one machine: what split starts from */
    psc_program *shard, *merge;
} psc_pipeline;

/* A message type of the module. Partial records have no message. */
typedef struct psc_type {
    const char *name;
    const psc_message *message;
    psc_field *fields;
    uint32_t field_count;
    psy_psm_type layout;
} psc_type;

typedef struct psc_options {
    const char *const *include;
    size_t include_count;
    bool optimise;  /* -O1 */
    bool fast_math; /* float results need not be those of IEEE 754 */
    bool kernels;   /* make SPIR-V */
    bool no_lines;  /* no source map */
    bool explain;   /* keep what --explain-fusion tells */
    /* Reads imported files as psc_source_read does, which it is where this is NULL. */
    const psc_source *(*read)(void *context, psc_arena *arena, const char *path);
    void *read_context;
} psc_options;

enum { PSC_SYMBOLS_MAX = 200 }; /* sizes; a module holds 256, and some come later */

typedef struct psc_unit {
    psc_arena *arena;
    psc_diagnostics *diags;
    const psc_source *source;
    const psc_options *options;
    hrm_file *file;
    psc_imports imports;            /* all schemas that were read */
    PSC_LIST(psc_schema *) schemas; /* those that the program imports itself */
    PSC_LIST(psc_constant_value) constants;
    PSC_LIST(psy_psm_symbol) symbols;
    PSC_LIST(const char *) symbol_names; /* as `symbols` */
    PSC_LIST(psy_psm_check) checks;
    PSC_LIST(const char *) check_texts; /* as `checks` */
    PSC_LIST(psc_resident) residents;
    PSC_LIST(psc_param) params;
    PSC_LIST(const char *) weights; /* paths of the files that params were read from */
    PSC_LIST(psc_fn) fns;
    psc_names *fn_names; /* of `fns` */
    PSC_LIST(psc_type) types;
    PSC_LIST(const psc_message *) composed; /* what pipelines of several messages take and give */
    PSC_LIST(psc_pipeline *) pipelines;
    psc_index *index;     /* what editors ask; NULL: nobody does */
    uint32_t value_count; /* of all whole programs */
    uint8_t *module;      /* bytecode: the encoded module, malloc'd by the encoder and kept in the arena */
    uint64_t module_bytes;
    uint32_t relaxed;             /* operations that --fast-math changed */
    const char *kernels_left_out; /* why some program has no kernels, or NULL */
} psc_unit;

/* ---- passes: each leaves errors in unit->diags ---- */
void psc_parse(psc_unit *unit);
void psc_resolve(psc_unit *unit);
void psc_lower(psc_unit *unit);
void psc_split(psc_unit *unit);
void psc_fold(psc_unit *unit);
void psc_cse(psc_unit *unit);
void psc_relax(psc_unit *unit);
void psc_dce(psc_unit *unit);
void psc_fuse(psc_unit *unit);
void psc_schedule(psc_unit *unit);
void psc_plan(psc_unit *unit);
void psc_bytecode(psc_unit *unit);
void psc_kernels(psc_unit *unit);

/* The size that is the number of shards. */
#define PSC_SHARDS "shards"

/* ---- shared by passes ---- */
/* Calls `pass` for every program there is: the whole ones before split, after it the shard and merge ones. */
void psc_each_program(psc_unit *unit, void (*pass)(psc_unit *, psc_program *));
/* The i-th of these programs; NULL after the last. */
psc_program *psc_program_at(const psc_unit *unit, size_t i);
/* The symbol's dim word, or PSY_NONE. */
psy_dim psc_symbol_find(const psc_unit *unit, const char *name, uint32_t kind);
psy_dim psc_symbol_add(psc_unit *unit, const char *name, uint32_t kind, uint32_t of);
/* "N", "256": a LOCAL symbol is shown by its GLOBAL name. */
const char *psc_dim_text(const psc_unit *unit, psy_dim dim);
const char *psc_shape_text(psc_unit *unit, const psy_dim *dims, uint32_t rank); /* "f32"-less: "[N, 256]", "a scalar" */
/* The module's index of a message type; adds it. */
uint32_t psc_type_of(psc_unit *unit, const psc_message *message);
const char *psc_integer_text(psc_arena *arena, psc_integer x); /* x: an i64 or a u64 */
const psc_message *psc_message_find(const psc_unit *unit, const char *name);
psc_constant_value *psc_constant_find(const psc_unit *unit, const char *name);
const psc_resident *psc_resident_find(const psc_unit *unit, const char *name, uint32_t *index);
/* Whether the type has a bound, `[<=N]`, which only texts have as resident data: reports. */
bool psc_type_is_bounded(psc_unit *unit, const hrm_type *t);
psc_fn *psc_fn_find(const psc_unit *unit, const char *name);
/* A constant that can stand in the type of a function: no size that a param's file gave. */
psc_constant_value *psc_constant_of_types(const psc_unit *unit, const char *name);
/* Where a file that the program names is looked for: k = 0, 1 ...; NULL: nowhere else. */
const char *psc_include_path(psc_unit *unit, const char *path, size_t k);
/* Whether a constant, resident or function may have the name; reports. */
bool psc_name_is_free(psc_unit *unit, const psc_name *name);
/* Whether pipelines can take the message, and give it; reports. */
bool psc_message_is_taken(psc_unit *unit, const psc_message *message, psc_span span);
bool psc_message_is_given(psc_unit *unit, const psc_message *message, psc_span span);
/* Functions and pipelines: the second half of resolve. */
void psc_resolve_bodies(psc_unit *unit);
/* left op right, op: + - * /; the same twice is one size. PSY_NONE after an error. */
psy_dim psc_size_compute(psc_unit *unit, psc_span span, int op, psy_dim left, psy_dim right);
/* A size of resident data: a name that stands alone becomes known there. PSY_NONE after an error. */
psy_dim psc_size_of_data(psc_unit *unit, const hrm_expr *e);
/* Whether one of the type's sizes is computed of named ones. */
bool psc_size_is_computed(const psc_unit *unit, const hrm_type *type);
/* A constant expression of integers and reals; reports; `poisoned` on error. */
psc_constant_value psc_evaluate(psc_unit *unit, const hrm_expr *e);
/* Whether constants are computed with the sign of `e`. */
bool psc_applies(const hrm_expr *e);
/* The operation of `e` on constants; a unary one leaves `b` alone. */
psc_constant_value psc_apply(psc_unit *unit, const hrm_expr *e, const psc_constant_value *a, const psc_constant_value *b);
/* Evaluates an operation of ops.def on scalars. False where it is not foldable. `dtype` is the instruction's, that is the
 * operands' where the result is a bool. */
bool psc_fold_scalar(unsigned op, unsigned dtype, const uint64_t in[3], uint64_t *out);
uint64_t psc_fold_cast(unsigned from, unsigned to, uint64_t bits);

#endif
