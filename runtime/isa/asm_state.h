/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the assembler share: asm.c reads a module's records, asm_type.c its types, asm_pipeline.c
 * its pipelines, asm_program.c its programs. The
 * first mistake stays in `status` and turns the rest of the text into its end, so parsing functions need not return anything.
 */
#ifndef PSY_ISA_ASM_STATE_H
#define PSY_ISA_ASM_STATE_H

#include "isa/lexer.h"
#include "isa/strings.h"

typedef struct psy__asm_list {
    void *at;
    uint64_t count, capacity;
} psy__asm_list;

/* What a name may mean; fields are named within their type. */
typedef enum psy__asm_kind {
    PSY_ASM_TYPE = 1,
    PSY_ASM_FIELD,
    PSY_ASM_SYMBOL,
    PSY_ASM_RESIDENT,
    PSY_ASM_PIPELINE,
    PSY_ASM_PROGRAM
} psy__asm_kind;

typedef struct psy__asm {
    psy__lexer lexer;
    psy__token token;
    psy_status status;
    psy__strings strings;
    psy__asm_list types, fields, symbols, checks, residents, pipelines, guards, programs, registers, code, lines, consts;
    uint64_t *name_keys; /* open addressing; 0 = free */
    uint32_t *name_values;
    uint64_t name_mask, name_count;
} psy__asm;

/* "line L, column C: ..." */
void psy__asm_fail(psy__asm *a, const psy__token *where, const char *format, ...) PSY_PRINTF(3, 4);
static inline bool psy__asm_ok(const psy__asm *a) { return a->status == PSY_OK; }

/* The token should have been `what`. */
void psy__asm_unexpected(psy__asm *a, const char *what);

void psy__asm_advance(psy__asm *a);
/* The token, if it is that: taken. */
bool psy__asm_accept(psy__asm *a, char sign);
bool psy__asm_accept_word(psy__asm *a, const char *word);
void psy__asm_expect(psy__asm *a, char sign);
void psy__asm_expect_kind(psy__asm *a, psy__token_kind kind, const char *what);
uint64_t psy__asm_integer(psy__asm *a, uint64_t max, const char *what);
unsigned psy__asm_dtype(psy__asm *a);
psy_dim psy__asm_dim(psy__asm *a);
/* `[d, d]`, or nothing. Unused dims are 0. */
uint8_t psy__asm_dims(psy__asm *a, psy_dim dims[PSY_RANK_MAX]);

/* The offset of the token's text in the strings. */
uint32_t psy__asm_string(psy__asm *a);
/* A new name of that kind in `scope` (the type of a field, else 0), for record `index`. */
uint32_t psy__asm_define(psy__asm *a, psy__asm_kind kind, uint32_t scope, uint64_t index, const char *what);
/* The record that the name means. */
uint32_t psy__asm_refer(psy__asm *a, psy__asm_kind kind, uint32_t scope, const char *what);

/* A zeroed record at the end of a list; NULL after a failure. */
void *psy__asm_add(psy__asm *a, psy__asm_list *list, uint64_t element_bytes, uint64_t max, const char *what);

/* After the words `type`, `struct`, `union`, `enum`, `flags`. */
void psy__asm_type(psy__asm *a);
void psy__asm_struct(psy__asm *a);
void psy__asm_union(psy__asm *a);
void psy__asm_enum(psy__asm *a);
void psy__asm_flags(psy__asm *a);
/* After the words `pipeline` and `alternative`: another one of the pipeline before it, written in the same way. */
void psy__asm_pipeline(psy__asm *a);
void psy__asm_alternative(psy__asm *a);
/* After the word `program`. */
void psy__asm_program(psy__asm *a);

/* The type whose fields an instruction names. */
static inline uint32_t psy__field_type(const psy_psm_program *p, const psy_op_info *info)
{
    return info->class_ == PSY_CLASS_STORE ? p->output_type : info->op == PSY_OP_PARTIAL ? p->partial_type : p->input_type;
}

#endif
