/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels as text: what the printers of GLSL, C and the dump share. A printer is a table of functions; the walk over the nodes,
 * names, indentation and the expressions that are the same everywhere are here. */
#ifndef PSC_KERNEL_TEXT_H
#define PSC_KERNEL_TEXT_H

#include <stdio.h>

#include "arena.h"
#include "codegen/codegen.h"

typedef struct psc_kernel_text psc_kernel_text;

typedef struct psc_kernel_language {
    /* What a node's value is declared as. */
    const char *(*type)(psc_kernel_text *t, uint32_t node);
    /* The expression of a value; operands are t->names[...]. */
    const char *(*value)(psc_kernel_text *t, uint32_t node);
    void (*statement)(psc_kernel_text *t, uint32_t node);
    /* A construct, its body by psc_kernel_text_body. */
    void (*construct)(psc_kernel_text *t, uint32_t node);
    const char *(*pattern)(const psy__kop_info *info); /* column of kernel_ops.def */
    const char *declaration;                           /* "const %s %s = %s;\n" */
} psc_kernel_language;

struct psc_kernel_text {
    psc_arena *arena;
    const psy__kernel_ir *k;
    const psc_kernel_language *language;
    FILE *to;
    unsigned indent;
    const char **names; /* by node: how its value is read */
    uint32_t *uses;
    PSC_LIST(const char *) taken; /* names that are declared */
    const psy_psm_line *line;     /* last one told */
    unsigned needs;               /* bits of the printer's own */
};

psc_kernel_text psc_kernel_text_begin(psc_arena *arena, const psy__kernel_ir *k, const psc_kernel_language *language, FILE *to);
/* All nodes of the kernel, or those of a construct. */
void psc_kernel_text_all(psc_kernel_text *t);
void psc_kernel_text_body(psc_kernel_text *t, uint32_t construct);
/* A line at the indentation. */
void psc_kernel_line(psc_kernel_text *t, const char *format, ...) PSY_PRINTF(2, 3);
/* What follows the line that ended with `{` is a step further in, until its `}`. */
void psc_kernel_block(psc_kernel_text *t);
void psc_kernel_block_end(psc_kernel_text *t);

/* `pattern` with the words a, b, c, T and U replaced by the texts, where they are not NULL. */
typedef struct psc_expansion {
    const char *a, *b, *c, *acc, *T, *U;
} psc_expansion;
const char *psc_kernel_expand(psc_arena *arena, const char *pattern, const psc_expansion *with);

/* A name that is an identifier: `prefix` and `name`, with what cannot be in one as _. */
const char *psc_kernel_identifier(psc_arena *arena, const char *prefix, const char *name);
/* "in_vector", "words", "slot_3": a place by its source. */
const char *psc_kernel_place_name(psc_arena *arena, const psy__kernel_ir *k, uint32_t place);
const char *psc_kernel_size_name(psc_arena *arena, const psy__module *m, uint32_t symbol);
/* A finite float as text that reads back as itself; NULL: it is none. `suffix` for f32. */
const char *psc_kernel_float(psc_arena *arena, unsigned dtype, uint64_t bits, const char *suffix);
/* The register that the node's instruction writes; PSY_NONE: none. */
uint32_t psc_kernel_register(const psy__kernel_ir *k, uint32_t node);
/* "nearest.hrm:6:22" */
const char *psc_kernel_source(psc_arena *arena, const psy__module *m, const psy_psm_line *line);
/* Text for a comment to the end of the line: whatever would end it is a question mark. */
const char *psc_kernel_comment(psc_arena *arena, const char *text);
/* "over [N] reducing [256]" */
const char *psc_kernel_space(psc_arena *arena, const psy__kernel_ir *k);
/* The name of a coordinate. */
const char *psc_kernel_coordinate(psc_kernel_text *t, uint32_t construct, uint32_t which);
/* Whether there is a node of the kind. */
bool psc_kernel_has(const psy__kernel_ir *k, psy__kop op);
/* What a reduction starts from, as bits of its dtype. */
uint64_t psc_kernel_identity(unsigned op, unsigned dtype);

#endif
