/* SPDX-License-Identifier: Apache-2.0 */
/* The dump of kernels: the IR as it is, for people. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "emit_kernels.h"

static const psy__knode *node_of(const psc_kernel_text *t, uint32_t node) { return &t->k->nodes[node]; }
static const char *operand(const psc_kernel_text *t, uint32_t node, unsigned i) { return t->names[node_of(t, node)->a[i]]; }

static const char *type_text(unsigned type)
{
    return type == PSY_KTYPE_INDEX ? "place" : type == PSY_KTYPE_CONDITION ? "condition" : psy__dtype_name(type);
}

static const char *type(psc_kernel_text *t, uint32_t node) { return type_text(node_of(t, node)->type); }
static const char *pattern(const psy__kop_info *info) { return info->c; }

static const char *constant(psc_arena *arena, unsigned dtype, uint64_t bits)
{
    const char *number = NULL;
    if (dtype == PSY_F32 || dtype == PSY_F64) {
        number = psc_kernel_float(arena, dtype, bits, "");
    } else if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        number = psc_format(arena, "%" PRId64, dtype == PSY_I32 ? (int32_t)bits : (int64_t)bits);
    } else if (psy__dtype_class(dtype) != PSY_DCLASS_FLOAT) {
        number = psc_format(arena, "%" PRIu64, bits);
    }
    return number ? number : psc_format(arena, "#%" PRIx64, bits);
}

/* "add.f32 r1, r2" */
static const char *call(psc_kernel_text *t, uint32_t node, const char *name, unsigned dtype)
{
    const char *text = psc_format(t->arena, "%s.%s", name, psy__dtype_name(dtype)), *comma = " ";
    for (unsigned i = 0; i < 3 && node_of(t, node)->a[i]; i++, comma = ", ") {
        text = psc_format(t->arena, "%s%s%s", text, comma, operand(t, node, i));
    }
    return text;
}

static const char *element(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *name = psc_kernel_place_name(t->arena, t->k, n->place), *at = operand(t, node, 0);
    return n->op == PSY_K_LOAD && n->a[1] ? psc_format(t->arena, "%s[%s; %s]", name, operand(t, node, 1), at)
                                          : psc_format(t->arena, "%s[%s]", name, at);
}

static const char *value(psc_kernel_text *t, uint32_t node)
{
    static const char *const push_names[] = {"push.from", "push.to", "push.count", "push.stride"};
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0);
    switch (n->op) {
    case PSY_K_CONST: return constant(t->arena, n->type, n->bits);
    case PSY_K_NUMBER: return psc_format(t->arena, "%" PRId64, (int64_t)n->bits);
    case PSY_K_SIZE: return psy__module_string(t->k->module, t->k->module->symbols[n->place].name);
    case PSY_K_COORD: return psc_kernel_coordinate(t, n->a[0], n->number);
    case PSY_K_GROUP: return "group";
    case PSY_K_PUSH: return push_names[n->number];
    case PSY_K_BASE:
        return psc_format(t->arena, "base(%s)%s", psy__module_string(t->k->module, t->k->module->symbols[n->place].name),
                          n->number ? " high" : "");
    case PSY_K_MAP: return call(t, node, psy__op_info(n->code)->name, n->dtype);
    case PSY_K_LOAD: return element(t, node);
    case PSY_K_TAKE: return psc_format(t->arena, "scratch[%s]", a);
    case PSY_K_GET:
    case PSY_K_RESULT: return a;
    case PSY_K_PICK:
    case PSY_K_IPICK:
    case PSY_K_IADD:
    case PSY_K_ISUB:
    case PSY_K_IMUL:
    case PSY_K_IDIV:
    case PSY_K_IMOD:
    case PSY_K_LESS:
    case PSY_K_SAME:
    case PSY_K_BOTH:
    case PSY_K_EITHER: return NULL;
    default: return psc_format(t->arena, n->a[1] ? "%s(%s, %s)" : "%s(%s)", psy__kop_of(n->op)->text, a, operand(t, node, 1));
    }
}

static void statement(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0), *b = operand(t, node, 1);
    switch (n->op) {
    case PSY_K_STORE: psc_kernel_line(t, "%s = %s", element(t, node), b); break;
    case PSY_K_STORE_PAIR: psc_kernel_line(t, "%s = %s, %s", element(t, node), b, operand(t, node, 2)); break;
    case PSY_K_KEEP: psc_kernel_line(t, "scratch[%s] = %s", a, b); break;
    case PSY_K_VAR:
        t->names[node] = psc_format(t->arena, "v%u", node);
        psc_kernel_line(t, "var %s: %s = %s", t->names[node], type_text(n->type), a);
        break;
    case PSY_K_SET: psc_kernel_line(t, "set %s = %s", a, b); break;
    case PSY_K_STEP:
        t->names[node] = psc_format(t->arena, "s%u", node);
        psc_kernel_line(t, "step %s: %s", t->names[node], call(t, node, psy__op_info(n->code)->name, n->dtype));
        break;
    case PSY_K_OFFER:
        t->names[node] = "best";
        psc_kernel_line(t, "offer %s, %s, %s if %s", a, b, operand(t, node, 2), operand(t, node, 3));
        break;
    case PSY_K_PUT: psc_kernel_line(t, "put %s", a); break;
    case PSY_K_TAKE_IN: psc_kernel_line(t, "take_in %s, %s", a, b); break;
    case PSY_K_RANKED:
        psc_kernel_line(t, "%s[%s ..], %s[%s ..] = the first %s", psc_kernel_place_name(t->arena, t->k, n->place),
                        operand(t, node, 2), psc_kernel_place_name(t->arena, t->k, n->more), operand(t, node, 2), b);
        break;
    case PSY_K_ROW: psc_kernel_line(t, "%s = the row of key %s", psc_kernel_place_name(t->arena, t->k, n->place), a); break;
    default: break;
    }
}

static void construct(psc_kernel_text *t, uint32_t node)
{
    static const char *const orders[] = {"the best", "in order, smallest first, of", "in order, largest first, of"};
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0), *text = psy__kop_of(n->op)->text;
    switch (n->op) {
    case PSY_K_SPACE: psc_kernel_line(t, n->flat ? "space, counted through by i" : "space"); break;
    case PSY_K_FOR:
    case PSY_K_REDUCE:
    case PSY_K_BEST: psc_kernel_line(t, "%s %s < %s", text, psc_kernel_coordinate(t, node, 0), a); break;
    case PSY_K_IF: psc_kernel_line(t, "if %s", a); break;
    case PSY_K_FIELD:
        psc_kernel_line(t, n->a[1] ? "field %s, i < %s, counts %s" : "field %s, i < %s",
                        psy__module_string(t->k->module, t->k->module->fields[n->place].name), a, operand(t, node, 1));
        break;
    case PSY_K_RANK: psc_kernel_line(t, "rank %s %s", orders[n->bits], a); break;
    default: psc_kernel_line(t, "%s", text); break;
    }
    t->indent++;
    psc_kernel_text_body(t, node);
    t->indent--;
}

static const psc_kernel_language dump = {type, value, statement, construct, pattern, "%2$s: %1$s = %3$s"};

void psc_emit_kernel_ir(psc_arena *arena, const psy__kernel_ir *k, const char *name, FILE *to)
{
    psc_kernel_text t = psc_kernel_text_begin(arena, k, &dump, to);
    fprintf(to, "kernel %s %s%s%s", name, psc_kernel_space(arena, k), k->uniform ? ", once" : "",
            k->stage ? psc_format(arena, ", stage %u", k->stage) : "");
    fprintf(to, k->line ? "   // %s\n" : "%s\n", k->line ? psc_kernel_source(arena, k->module, k->line) : "");
    t.line = k->line;
    t.indent = 1;
    psc_kernel_text_all(&t);
}

const char *psc_kernel_name(psc_arena *arena, const psy__module *m, const psy__kernel_ir *k, uint32_t number)
{
    for (uint32_t i = 0; i < m->kernel_count; i++) {
        const psy_psm_kernel *record = &m->kernels[i];
        if (record->program == k->program && record->word == k->word && record->stage == k->stage) {
            return psy__module_string(m, record->name);
        }
    }
    return psc_kernel_identifier(arena, "",
                                 psc_format(arena, "%s_%u", psy__module_string(m, m->programs[k->program].name), number));
}

void psc_emit_kernel_irs(psc_arena *arena, const psy__module *m, FILE *to)
{
    for (uint32_t p = 0; p < m->program_count; p++) {
        psy__kernel_ir *kernels;
        uint32_t count;
        const char *name = psy__module_string(m, m->programs[p].name);
        bool device = psy__kernel_irs_make(m, p, PSY_KERNEL_FOR_DEVICE, &kernels, &count) == PSY_OK;
        if (!device) {
            fprintf(to, "// for C only: %s\n", psc_kernel_comment(arena, psy_detail()));
            if (psy__kernel_irs_make(m, p, PSY_KERNEL_FOR_C, &kernels, &count) != PSY_OK) {
                fprintf(to, "// %s\n", psc_kernel_comment(arena, psy_detail()));
                continue;
            }
        }
        fprintf(to, "// program %s\n", psc_kernel_comment(arena, name));
        for (uint32_t i = 0; i < count; i++) {
            psc_emit_kernel_ir(arena, &kernels[i], psc_kernel_name(arena, m, &kernels[i], i), to);
        }
        psy__kernel_irs_free(kernels, count);
    }
}
