/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the kernel IR: what is read is there and of the right type, constructs hold each other, values that leave a
 * reduction do so by its results. */
#include <stdarg.h>
#include <stdio.h>

#include "codegen/kernel_ir.h"

static psy_status wrong(const psy__kernel_ir *k, uint32_t node, const char *format, ...) PSY_PRINTF(3, 4);
static psy_status wrong(const psy__kernel_ir *k, uint32_t node, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return psy_fail(PSY_CORRUPT, "program %s, kernel at word %u, node %u, %s: %s",
                    psy__module_string(k->module, k->module->programs[k->program].name), k->word, node,
                    psy__kop_of(k->nodes[node].op)->text, text);
}

static bool is_dtype(unsigned type) { return psy__dtype_bytes(type) != 0; }

static bool fits(char letter, unsigned type, unsigned first)
{
    switch (letter) {
    case 'i': return type == PSY_KTYPE_INDEX;
    case 'c': return type == PSY_KTYPE_CONDITION;
    case 'w': return type == PSY_U32;
    case 'v': return is_dtype(type);
    case 'x': return (type == PSY_KTYPE_INDEX || type == PSY_U32) && type == first;
    case 'a':
    case '?': return type == PSY_KTYPE_INDEX || is_dtype(type);
    default: return true;
    }
}

/* Whether the construct is still open at the node. */
static bool is_around(const psy__kernel_ir *k, uint32_t construct, uint32_t node)
{
    uint32_t c = k->nodes[node].inside;
    while (c != construct && c != 0) {
        c = k->nodes[c].inside;
    }
    return c == construct;
}

static psy_status check_operands(const psy__kernel_ir *k, uint32_t node)
{
    const psy__knode *n = &k->nodes[node];
    const char *letters = psy__kop_of(n->op)->operands;
    for (unsigned i = 0, count = 0; i < 4; i++) {
        count += letters[count] != '\0';
        char letter = i < count ? letters[i] : '\0';
        uint32_t a = n->a[i];
        if (letter == '\0' || (letter == '?' && a == 0)) {
            if (a != 0) {
                return wrong(k, node, "operand %u is one too many", i);
            }
            continue;
        }
        if (a == 0 || a >= node) {
            return wrong(k, node, "operand %u is node %u", i, a);
        }
        if (letter != 'n' && !fits(letter, k->nodes[a].type, k->nodes[n->a[0]].type)) {
            return wrong(k, node, "operand %u has type %u", i, k->nodes[a].type);
        }
        if (letter != 'n' && !is_around(k, k->nodes[a].inside, node)) {
            return wrong(k, node, "operand %u is a value of a construct that has ended", i);
        }
    }
    return PSY_OK;
}

/* What a node names but does not read. */
static psy_status check_named(const psy__kernel_ir *k, uint32_t node)
{
    const psy__knode *n = &k->nodes[node], *a = &k->nodes[n->a[0]];
    bool good = true;
    switch (n->op) {
    case PSY_K_COORD:
        good = psy__kop_opens(a->op) && is_around(k, n->a[0], node) &&
               (a->op == PSY_K_SPACE ? n->number < (a->flat ? 1u : k->rank) : n->number == 0);
        break;
    case PSY_K_GET:
    case PSY_K_SET:
        good = a->op == PSY_K_VAR && is_around(k, a->inside, node) &&
               a->type == (n->op == PSY_K_GET ? n->type : k->nodes[n->a[1]].type);
        break;
    case PSY_K_RESULT: good = a->op == PSY_K_STEP && a->type == n->type && k->nodes[a->inside].end < node; break;
    case PSY_K_BEST_KEY:
    case PSY_K_BEST_PLACE:
    case PSY_K_BEST_BITS: good = a->op == PSY_K_OFFER && k->nodes[a->inside].end < node; break;
    case PSY_K_RANKED: good = a->op == PSY_K_RANK && a->end < node; break;
    case PSY_K_STEP: good = k->nodes[n->inside].op == PSY_K_REDUCE; break;
    case PSY_K_OFFER: good = k->nodes[n->inside].op == PSY_K_BEST; break;
    case PSY_K_PUT: good = k->nodes[n->inside].op == PSY_K_FIELD && a->type == n->dtype; break;
    case PSY_K_LOAD: good = n->place < k->place_count && k->places[n->place].dtype == n->type; break;
    case PSY_K_STORE: good = n->place < k->place_count && k->nodes[n->a[1]].type == n->dtype; break;
    case PSY_K_SIZE:
    case PSY_K_BASE: good = n->place < k->module->symbol_count; break;
    case PSY_K_MAP: {
        const psy_op_info *info = psy__op_info(n->code);
        good = info && n->type == psy__op_result_dtype(info, n->dtype);
        for (unsigned i = 0; good && i < psy__op_register_count(info); i++) {
            good = n->a[i] && k->nodes[n->a[i]].type == psy__op_operand_dtype(info, n->dtype, i);
        }
        break;
    }
    default: break;
    }
    return good ? PSY_OK : wrong(k, node, "it names what it cannot");
}

psy_status psy__kernel_check(const psy__kernel_ir *k)
{
    uint32_t open = 0;
    for (uint32_t i = 1; i <= k->node_count; i++) {
        const psy__knode *n = &k->nodes[i];
        char result = psy__kop_of(n->op)->result;
        if (n->op == PSY_K_NONE || n->op >= PSY_K_COUNT) {
            return wrong(k, i, "there is no such node");
        }
        if (result == '-' ? n->type != PSY_KTYPE_NONE : !fits(result, n->type, n->type)) {
            return wrong(k, i, "its value has type %u", n->type);
        }
        if (n->inside != open) {
            return wrong(k, i, "it is in another construct");
        }
        psy_status status = check_operands(k, i);
        status = status == PSY_OK ? check_named(k, i) : status;
        if (status != PSY_OK) {
            return status;
        }
        if (psy__kop_opens(n->op)) {
            if (n->end <= i || n->end > k->node_count || k->nodes[n->end].op != PSY_K_END || k->nodes[n->end].a[0] != i) {
                return wrong(k, i, "it does not end");
            }
            open = i;
        } else if (n->op == PSY_K_END) {
            if (n->a[0] != open) {
                return wrong(k, i, "it ends another construct");
            }
            open = k->nodes[open].inside;
        }
    }
    return open == 0 && k->open == 0 ? PSY_OK : wrong(k, open, "it does not end");
}
