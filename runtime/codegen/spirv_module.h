/* SPDX-License-Identifier: Apache-2.0 */
/* Builds one SPIR-V 1.3 compute module word by word: sections, ids, and types and constants that are made once. Runs out of
 * memory quietly: `failed` is set and the words are not to be used. */
#ifndef PSY_CODEGEN_SPIRV_MODULE_H
#define PSY_CODEGEN_SPIRV_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct psy__words {
    uint32_t *at;
    size_t count, room;
} psy__words;

/* In the order of SPIR-V's logical layout. */
typedef enum psy__spirv_section {
    PSY_SPIRV_STRINGS,
    PSY_SPIRV_NAMES,
    PSY_SPIRV_DECORATIONS,
    PSY_SPIRV_GLOBALS,
    PSY_SPIRV_LOCALS,
    PSY_SPIRV_CODE,
    PSY_SPIRV_SECTIONS
} psy__spirv_section;

typedef struct psy__spirv {
    psy__words sections[PSY_SPIRV_SECTIONS];
    psy__words interned; /* opcode, count, operands ..., id */
    uint32_t next_id;
    uint32_t glsl; /* the extended instruction set */
    bool failed;
} psy__spirv;

void psy__spirv_init(psy__spirv *s);
void psy__spirv_fini(psy__spirv *s);

uint32_t psy__spirv_id(psy__spirv *s);
/* An instruction as it is: opcode and operands. */
void psy__spirv_put(psy__spirv *s, psy__spirv_section section, unsigned op, const uint32_t *operands, size_t count);
/* With a name at the end, after `before` operands. */
void psy__spirv_put_name(psy__spirv *s, psy__spirv_section section, unsigned op, const uint32_t *operands, size_t count,
                         const char *name);
/* A type (type 0) or constant among the globals: equal ones are made once. */
uint32_t psy__spirv_global(psy__spirv *s, unsigned op, uint32_t type, const uint32_t *operands, size_t count);
/* A result in the code. */
uint32_t psy__spirv_op(psy__spirv *s, unsigned op, uint32_t type, const uint32_t *operands, size_t count);

#define PSY_SPIRV_LIST(...)                  (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)
#define psy__spirv_emit(s, section, op, ...) psy__spirv_put((s), (section), (op), PSY_SPIRV_LIST(__VA_ARGS__))
#define psy__spirv_make(s, op, type, ...)    psy__spirv_op((s), (op), (type), PSY_SPIRV_LIST(__VA_ARGS__))
#define psy__spirv_intern(s, op, type, ...)  psy__spirv_global((s), (op), (type), PSY_SPIRV_LIST(__VA_ARGS__))

/* Puts it together: entry point `main` (id) with the interface variables. malloc'd words; NULL without memory. */
uint32_t *psy__spirv_finish(psy__spirv *s, uint32_t main, const uint32_t *interface, size_t interface_count, uint32_t *count);

#endif
