/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel_text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "isa/scalar.h"

psc_kernel_text psc_kernel_text_begin(psc_arena *arena, const psy__kernel_ir *k, const psc_kernel_language *language, FILE *to)
{
    psc_kernel_text t = {.arena = arena, .k = k, .language = language, .to = to};
    size_t n = k->node_count + 1u;
    t.names = psc_alloc(arena, n * sizeof *t.names);
    t.uses = psc_alloc(arena, n * sizeof *t.uses);
    for (size_t i = 0; i < n; i++) {
        t.names[i] = "";
        t.uses[i] = 0;
    }
    for (uint32_t i = 1; i <= k->node_count; i++) {
        for (unsigned a = 0; a < 4; a++) {
            t.uses[k->nodes[i].a[a]]++;
        }
    }
    return t;
}

void psc_kernel_line(psc_kernel_text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(t->to, "%*s", (int)(4 * t->indent), "");
    vfprintf(t->to, format, arguments);
    fputc('\n', t->to);
    va_end(arguments);
}

void psc_kernel_block(psc_kernel_text *t) { t->indent++; }

void psc_kernel_block_end(psc_kernel_text *t)
{
    t->indent--;
    psc_kernel_line(t, "}");
}

/* ---- words in patterns ---- */

const char *psc_kernel_expand(psc_arena *arena, const char *pattern, const psc_expansion *with)
{
    const struct {
        const char *word, *text;
    } words[] = {{"a", with->a}, {"b", with->b}, {"c", with->c}, {"acc", with->acc}, {"T", with->T}, {"U", with->U}};
    PSC_LIST(char) out = {0};
    for (const char *at = pattern; *at;) {
        size_t n = 1;
        const char *text = NULL;
        if (isalpha((unsigned char)*at) || *at == '_') {
            while (isalnum((unsigned char)at[n]) || at[n] == '_') {
                n++;
            }
            for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
                bool is = strlen(words[i].word) == n && strncmp(words[i].word, at, n) == 0;
                text = is ? words[i].text : text;
            }
        } else if (isdigit((unsigned char)*at)) {
            while (isalnum((unsigned char)at[n]) || at[n] == '.') {
                n++;
            }
        }
        size_t length = text ? strlen(text) : n;
        for (size_t i = 0; i < length; i++) {
            psc_push(arena, &out, text ? text[i] : at[i]);
        }
        at += n;
    }
    return psc_strndup(arena, out.at ? out.at : "", out.count);
}

const char *psc_kernel_identifier(psc_arena *arena, const char *prefix, const char *name)
{
    char *text = psc_strndup(arena, psc_format(arena, "%s%s", prefix, name), strlen(prefix) + strlen(name));
    for (char *c = text; *c; c++) {
        *c = isalnum((unsigned char)*c) ? *c : '_';
    }
    return text;
}

/* ---- names ---- */

const char *psc_kernel_place_name(psc_arena *arena, const psy__kernel_ir *k, uint32_t place)
{
    const psy__kplace *p = &k->places[place];
    const psy__module *m = k->module;
    switch (p->kind) {
    case PSY_PLACED_INPUT: {
        const psy_psm_field *f = &m->fields[p->source];
        const char *what = p->at == f->count_offset ? "count_" : p->at == f->inner_offset ? "lengths_" : "in_";
        return psc_kernel_identifier(arena, what, psy__module_string(m, f->name));
    }
    case PSY_PLACED_PARTIAL: return psc_kernel_identifier(arena, "part_", psy__module_string(m, m->fields[p->source].name));
    case PSY_PLACED_RESIDENT: return psc_kernel_identifier(arena, "data_", psy__module_string(m, m->residents[p->source].name));
    case PSY_PLACED_ROW:
        return psc_kernel_identifier(arena, psc_format(arena, "row%u_", p->reg),
                                     psy__module_string(m, m->residents[p->source].name));
    case PSY_PLACED_CONST: return psc_format(arena, "const_%u_%s", p->source, psy__dtype_name(p->dtype));
    default: return psc_format(arena, "slot_%u_%s", p->source, psy__dtype_name(p->dtype));
    }
}

const char *psc_kernel_size_name(psc_arena *arena, const psy__module *m, uint32_t symbol)
{
    return psc_kernel_identifier(arena, "size_", psy__module_string(m, m->symbols[symbol].name));
}

const char *psc_kernel_float(psc_arena *arena, unsigned dtype, uint64_t bits, const char *suffix)
{
    double value;
    uint32_t word = (uint32_t)bits;
    float single;
    memcpy(&single, &word, sizeof single);
    memcpy(&value, &bits, sizeof value);
    value = dtype == PSY_F32 ? single : value;
    if (!isfinite(value) || (value != 0 && !(dtype == PSY_F32 ? isnormal(single) : isnormal(value)))) {
        return NULL;
    }
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (dtype == PSY_F32 ? strtof(text, NULL) == single : strtod(text, NULL) == value) {
            break;
        }
    }
    const char *point = strpbrk(text, ".e") ? "" : ".0";
    bool minus = signbit(value);
    return psc_format(arena, "%s%s%s%s%s", minus ? "(" : "", text, point, dtype == PSY_F32 ? suffix : "", minus ? ")" : "");
}

uint32_t psc_kernel_register(const psy__kernel_ir *k, uint32_t node)
{
    psy__instruction at;
    const psy_psm_program *p = &k->module->programs[k->program];
    psy__instruction_at(k->module, p, k->nodes[node].word, &at);
    return at.dst == PSY_NO_REG ? PSY_NONE : at.dst;
}

const char *psc_kernel_comment(psc_arena *arena, const char *text)
{
    char *safe = psc_strndup(arena, text, strlen(text));
    for (char *c = safe; *c; c++) {
        *c = iscntrl((unsigned char)*c) || *c == '\\' ? '?' : *c;
    }
    return safe;
}

const char *psc_kernel_source(psc_arena *arena, const psy__module *m, const psy_psm_line *line)
{
    return psc_kernel_comment(arena,
                              psc_format(arena, "%s:%u:%u", psy__module_string(m, line->file), line->line, line->column));
}

static const char *dims_text(psc_arena *arena, const psy__kernel_ir *k, bool axis)
{
    const char *text = "";
    for (uint32_t d = 0; d < k->rank; d++) {
        if ((d == k->axis) == axis) {
            const char *dim = psy__dim_is_symbol(k->dims[d])
                                  ? psy__module_string(k->module, k->module->symbols[psy__dim_symbol(k->dims[d])].name)
                                  : psc_format(arena, "%u", k->dims[d]);
            text = psc_format(arena, "%s%s%s", text, *text ? ", " : "", dim);
        }
    }
    return psc_format(arena, "[%s]", text);
}

const char *psc_kernel_space(psc_arena *arena, const psy__kernel_ir *k)
{
    const char *over = psc_format(arena, "over %s", dims_text(arena, k, false));
    return k->axis == PSY_NONE ? over : psc_format(arena, "%s along %s", over, dims_text(arena, k, true));
}

const char *psc_kernel_coordinate(psc_kernel_text *t, uint32_t construct, uint32_t which)
{
    const psy__knode *n = &t->k->nodes[construct];
    return n->op == PSY_K_SPACE    ? psc_format(t->arena, n->flat ? "i" : "i%u", which)
           : n->op == PSY_K_REDUCE ? psc_format(t->arena, "i%u", t->k->axis)
           : n->op == PSY_K_FIELD  ? "i"
                                   : psc_format(t->arena, "j%u", construct);
}

bool psc_kernel_has(const psy__kernel_ir *k, psy__kop op)
{
    for (uint32_t i = 1; i <= k->node_count; i++) {
        if (k->nodes[i].op == op) {
            return true;
        }
    }
    return false;
}

uint64_t psc_kernel_identity(unsigned op, unsigned dtype)
{
    uint64_t bits = 0;
    psy__identity(op, dtype, &bits);
    return bits;
}

/* ---- the walk ---- */

/* Said once, where it changes: what source the lines below come from. */
static void tell_source(psc_kernel_text *t, uint32_t node)
{
    const psy__module *m = t->k->module;
    uint32_t word = t->k->nodes[node].word;
    for (uint32_t i = 0; i < m->line_count; i++) {
        const psy_psm_line *l = &m->lines[i];
        if (l->program == t->k->program && l->word == word) {
            bool other = !t->line || t->line->file != l->file || t->line->line != l->line || t->line->column != l->column;
            if (other) {
                psc_kernel_line(t, "// %s", psc_kernel_source(t->arena, m, l));
                t->line = l;
            }
            return;
        }
    }
}

/* A free name for a value: its register's, its place's, or its number. */
static const char *name_for(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = &t->k->nodes[node];
    uint32_t reg =
        n->op == PSY_K_MAP || n->op == PSY_K_CAST || n->op == PSY_K_RESULT ? psc_kernel_register(t->k, node) : PSY_NONE;
    const char *name = reg != PSY_NONE ? psc_format(t->arena, "r%u", reg) : psc_format(t->arena, "v%u", node);
    if (n->op == PSY_K_LOAD) {
        const psy__kplace *p = &t->k->places[n->place];
        bool slot = p->kind == PSY_PLACED_ARENA || p->kind == PSY_PLACED_UNIFORM;
        name = slot ? psc_format(t->arena, "x%u", p->source)
                    : psc_format(t->arena, "%s_at", psc_kernel_place_name(t->arena, t->k, n->place));
    }
    for (size_t i = 0; i < t->taken.count; i++) {
        if (strcmp(t->taken.at[i], name) == 0) {
            name = psc_format(t->arena, "%s_%u", name, node);
            break;
        }
    }
    psc_push(t->arena, &t->taken, name);
    return name;
}

static const char *expression_of(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = &t->k->nodes[node];
    const char *pattern = t->language->pattern(psy__kop_of(n->op));
    const char *text = t->language->value(t, node);
    return text ? text
                : psc_kernel_expand(t->arena, pattern,
                                    &(psc_expansion){.a = t->names[n->a[0]], .b = t->names[n->a[1]], .c = t->names[n->a[2]]});
}

/* Whether the value is written where it is read: constants and coordinates, and places that are read once. */
static bool is_written_in_place(const psc_kernel_text *t, const psy__knode *n, uint32_t node)
{
    switch (n->op) {
    case PSY_K_CONST:
    case PSY_K_NUMBER:
    case PSY_K_SIZE:
    case PSY_K_COORD:
    case PSY_K_GROUP:
    case PSY_K_PUSH: return true;
    case PSY_K_IADD:
    case PSY_K_ISUB:
    case PSY_K_IMUL:
    case PSY_K_IDIV:
    case PSY_K_IMOD:
    case PSY_K_LESS:
    case PSY_K_SAME:
    case PSY_K_BOTH:
    case PSY_K_EITHER: return t->uses[node] <= 1;
    default: return false;
    }
}

static void print(psc_kernel_text *t, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        const psy__knode *n = &t->k->nodes[i];
        if (psy__kop_opens(n->op)) {
            t->language->construct(t, i);
            i = n->end;
            continue;
        }
        if (n->op == PSY_K_MAP || n->op == PSY_K_CAST || n->op == PSY_K_STORE) {
            tell_source(t, i);
        }
        if (psy__kop_of(n->op)->result == '-' || n->op == PSY_K_STEP || n->op == PSY_K_VAR) {
            t->language->statement(t, i);
            continue;
        }
        const char *text = expression_of(t, i);
        if (is_written_in_place(t, n, i)) {
            bool leaf = n->op <= PSY_K_PUSH;
            t->names[i] = leaf ? text : psc_format(t->arena, "(%s)", text);
            continue;
        }
        const char *name = name_for(t, i);
        psc_kernel_line(t, t->language->declaration, t->language->type(t, i), name, text);
        t->names[i] = name;
    }
}

void psc_kernel_text_all(psc_kernel_text *t) { print(t, 1, t->k->node_count + 1); }

void psc_kernel_text_body(psc_kernel_text *t, uint32_t construct) { print(t, construct + 1, t->k->nodes[construct].end); }
