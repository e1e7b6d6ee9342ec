/* SPDX-License-Identifier: Apache-2.0 */
/* Results that are computed where they are sent: a register that a region writes, and that nothing reads but one STORE of all
 * its elements as they lie, has its place in the output message, and the STORE has nothing left to do. */
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/cpu.h"

bool psy__store_is_plain(const psy__cpu_executable *x, const psy__instruction *at)
{
    const psy_psm_type *type = &x->module->types[x->bound.program->output_type];
    const psy_psm_field *f = &x->module->fields[type->first_field + at->operands[1]];
    const psy__bound_register *r = &x->bound.registers[at->operands[0]];
    bool fixed = f->kind != PSY_FIELD_BOUNDED && f->kind != PSY_FIELD_OPTIONAL && f->kind != PSY_FIELD_VARIANT;
    return at->op == PSY_OP_STORE && fixed && at->dtype != PSY_BOOL &&
           (r->rank == 0 || (r->rank == 1 && (r->dims[0] == 1 || r->strides[0] == (int64_t)psy__dtype_bytes(at->dtype))));
}

/* How often the elements of each register, under whatever name, are read. */
static void count_reads(const psy__cpu_executable *x, uint32_t *reads)
{
    const psy_psm_program *p = x->bound.program;
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(x->module, p, word, &at);
        for (uint32_t i = 0; i < at.operand_count; i++) {
            if (psy__op_reads_register(at.info, i) && at.operands[i] != PSY_NONE && at.info->class_ != PSY_CLASS_SHAPE) {
                reads[x->bound.registers[at.operands[i]].root]++;
            }
        }
    }
}

/* Whether a region writes the register, element by element. */
static bool is_mapped(const psy__cpu_executable *x, uint32_t reg)
{
    for (uint32_t i = 0; i < x->step_count; i++) {
        const psy__region *r = &x->steps[i].region;
        for (uint32_t n = 0; x->steps[i].kind == PSY__STEP_REGION && n < r->node_count; n++) {
            if (r->nodes[n].result.reg == reg) {
                return !r->nodes[n].reduces;
            }
        }
    }
    return false;
}

psy_status psy__results_direct(psy__cpu_executable *x)
{
    uint32_t count = x->bound.program->register_count, *reads = calloc(count + 1u, sizeof *reads), kept = 0;
    x->output_at = malloc((count + 1u) * sizeof *x->output_at);
    if (!reads || !x->output_at) {
        free(reads);
        return psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    }
    for (uint32_t i = 0; i < count; i++) {
        x->output_at[i] = PSY_NONE;
    }
    count_reads(x, reads);
    for (uint32_t i = 0; i < x->step_count; i++) {
        psy__step *s = &x->steps[i];
        const psy__bound_register *r = &x->bound.registers[s->at.operands[0]];
        bool direct = s->kind == PSY__STEP_STORE && psy__store_is_plain(x, &s->at) && r->home == PSY_HOME_SLOT && r->batched &&
                      reads[r->root] == 1 && r->offset == 0 && r->count == x->bound.registers[r->root].count &&
                      is_mapped(x, r->root);
        if (direct) {
            const psy_psm_type *type = &x->module->types[x->bound.program->output_type];
            x->output_at[r->root] = x->module->fields[type->first_field + s->at.operands[1]].offset;
        } else {
            x->steps[kept++] = *s;
        }
    }
    x->step_count = kept;
    free(reads);
    return PSY_OK;
}
