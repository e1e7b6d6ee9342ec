/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels as GLSL: the same interface as their SPIR-V (codegen/kernel.h), for people to read and for glslang to compile.
 * Elements of every dtype are words; values are float, int, or uint, pairs of words (uvec2) where they are of eight bytes. */
#include <string.h>

#include "codegen/kernel.h"
#include "emit_glsl.h"
#include "output.h"
#include "template.h"

static const char *const buffer_names[PSY_BIND_COUNT] = {
    [PSY_BIND_INPUT] = "inputs",     [PSY_BIND_OUTPUT] = "outputs", [PSY_BIND_RESIDENT] = "residents",
    [PSY_BIND_CONST] = "constants",  [PSY_BIND_ARENA] = "arena",    [PSY_BIND_UNIFORM] = "shared_arena",
    [PSY_BIND_PARAM] = "parameters", [PSY_BIND_TABLE] = "table",    [PSY_BIND_SCRATCH] = "scratch",
};

static const char *buffer(psc_kernel_text *t, unsigned binding)
{
    psc_glsl_need(t, binding);
    return buffer_names[binding];
}

static const psy__knode *node_of(const psc_kernel_text *t, uint32_t node) { return &t->k->nodes[node]; }
static unsigned type_of(const psc_kernel_text *t, uint32_t node) { return t->k->nodes[node].type; }
static const char *name_of(const psc_kernel_text *t, uint32_t node, unsigned operand)
{
    return t->names[t->k->nodes[node].a[operand]];
}

/* ---- types, and words ---- */

static const char *of_word(psc_kernel_text *t, unsigned type, const char *word)
{
    const char *name = psc_glsl_type(type);
    return strcmp(name, "float") == 0 ? psc_format(t->arena, "uintBitsToFloat(%s)", word)
           : strcmp(name, "int") == 0 ? psc_format(t->arena, "int(%s)", word)
                                      : word;
}

static const char *word_of(psc_kernel_text *t, unsigned type, const char *value)
{
    const char *name = psc_glsl_type(type);
    return strcmp(name, "float") == 0 ? psc_format(t->arena, "floatBitsToUint(%s)", value)
           : strcmp(name, "int") == 0 ? psc_format(t->arena, "uint(%s)", value)
                                      : value;
}

static const char *constant(psc_kernel_text *t, unsigned type, uint64_t bits)
{
    const char *number = type == PSY_F32 ? psc_kernel_float(t->arena, type, bits, "") : NULL;
    if (number) {
        return number;
    }
    if (psy__dtype_bytes(type) == 8) {
        return psc_format(t->arena, "uvec2(0x%xu, 0x%xu)", (uint32_t)bits, (uint32_t)(bits >> 32));
    }
    bool plain = strcmp(psc_glsl_type(type), "uint") == 0 && bits < 100000;
    return of_word(t, type, psc_format(t->arena, plain ? "%uu" : "0x%xu", (uint32_t)bits));
}

/* ---- memory ---- */

static unsigned binding_of(const psy__kplace *p)
{
    switch (p->kind) {
    case PSY_PLACED_INPUT: return PSY_BIND_INPUT;
    case PSY_PLACED_RESIDENT: return PSY_BIND_RESIDENT;
    case PSY_PLACED_CONST: return PSY_BIND_CONST;
    case PSY_PLACED_UNIFORM: return PSY_BIND_UNIFORM;
    default: return PSY_BIND_ARENA;
    }
}

static bool in_slot(const psy__kplace *p) { return p->kind == PSY_PLACED_ARENA || p->kind == PSY_PLACED_UNIFORM; }

/* Bytes from the place's first word to its elements, where these are not counted in words. */
static uint32_t bytes_into(const psc_kernel_text *t, const psy__kplace *p)
{
    (void)t;
    return p->kind == PSY_PLACED_INPUT ? p->at : p->kind == PSY_PLACED_CONST ? p->source : 0;
}

/* "inputs[in_vector + i0]", for elements of words. */
static const char *word_at(psc_kernel_text *t, uint32_t place, const char *element, unsigned more)
{
    const psy__kplace *p = &t->k->places[place];
    const char *base = psc_kernel_place_name(t->arena, t->k, place), *at = psc_format(t->arena, "%s + %s", base, element);
    if (psy__dtype_bytes(p->dtype) == 8) {
        at = psc_format(t->arena, more ? "%s + 2u * %s + 1u" : "%s + 2u * %s", base, element);
    }
    return psc_format(t->arena, "%s[%s]", buffer(t, binding_of(p)), at);
}

static const char *load(psc_kernel_text *t, const psy__knode *n)
{
    const psy__kplace *p = &t->k->places[n->place];
    const char *element = t->names[n->a[0]], *text;
    unsigned bytes = psy__dtype_bytes(p->dtype);
    if (bytes == 8) {
        return psc_format(t->arena, "uvec2(%s, %s)", word_at(t, n->place, element, 0), word_at(t, n->place, element, 1));
    }
    if (bytes == 4 || in_slot(p)) {
        text = of_word(t, p->dtype, word_at(t, n->place, element, 0));
        return p->dtype == PSY_BOOL ? psc_format(t->arena, "%s & 1u", text) : text;
    }
    psc_glsl_need(t, PSC_GLSL_NEEDS_NARROW);
    const char *at = bytes == 2 ? psc_format(t->arena, "%s * 2u", element) : element;
    text = psc_format(t->arena, "%s(%s, %s, %s + %uu)", bytes == 2 ? "psy_half" : "psy_byte", buffer(t, binding_of(p)),
                      psc_kernel_place_name(t->arena, t->k, n->place), at, bytes_into(t, p));
    if (p->dtype == PSY_BOOL) {
        return psc_format(t->arena, "%s & 1u", text);
    }
    return psy__dtype_class(p->dtype) == PSY_DCLASS_SINT
               ? psc_format(t->arena, "bitfieldExtract(int(%s), 0, %u)", text, 8 * bytes)
               : text;
}

static void put(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *out = buffer(t, PSY_BIND_OUTPUT), *value = t->names[n->a[0]];
    unsigned bytes = psy__dtype_bytes(n->dtype);
    if (bytes == 8) {
        psc_kernel_line(t, "%s[to + 2u * i] = %s.x;", out, value);
        psc_kernel_line(t, "%s[to + 2u * i + 1u] = %s.y;", out, value);
    } else if (bytes == 4) {
        psc_kernel_line(t, "%s[to + i] = %s;", out, word_of(t, n->dtype, value));
    } else {
        psc_kernel_line(t, "word = bitfieldInsert(word, %s, int(lane * %uu), %u);", word_of(t, n->dtype, value), 8 * bytes,
                        8 * bytes);
    }
}

/* ---- values ---- */

static const char *within(psc_kernel_text *t, const psy__knode *n)
{
    const char *a = t->names[n->a[0]], *b = t->names[n->a[1]];
    return psy__dtype_bytes(type_of(t, n->a[0])) == 8 ? psc_format(t->arena, "%s.y == 0u && %s.x < %s", a, a, b)
                                                      : psc_format(t->arena, "uint(%s) < %s", a, b);
}

static const char *length(psc_kernel_text *t, const psy__knode *n)
{
    const char *a = t->names[n->a[0]];
    bool sint = psy__dtype_class(type_of(t, n->a[0])) == PSY_DCLASS_SINT;
    return psc_format(t->arena, sint ? "min(uint(max(%s, 0)), %s)" : "min(%s, %s)", a, t->names[n->a[1]]);
}

static const char *value(psc_kernel_text *t, uint32_t node)
{
    static const char *const push_names[PSY_PUSH_WORDS] = {"push.from", "push.to", "push.count", "push.stride"};
    const psy__knode *n = node_of(t, node);
    const char *a = name_of(t, node, 0);
    uint32_t symbols = t->k->module->symbol_count;
    switch (n->op) {
    case PSY_K_CONST: return constant(t, n->type, n->bits);
    case PSY_K_NUMBER: return psc_format(t->arena, "%uu", (uint32_t)n->bits);
    case PSY_K_SIZE: return psc_kernel_size_name(t->arena, t->k->module, n->place);
    case PSY_K_COORD: return psc_kernel_coordinate(t, n->a[0], n->number);
    case PSY_K_PUSH: psc_glsl_need(t, PSC_GLSL_NEEDS_PUSH); return push_names[n->number];
    case PSY_K_BASE:
        return psc_format(t->arena, "%s[%uu]", buffer(t, PSY_BIND_PARAM),
                          n->number ? PSY_PARAM_BASE_HIGH(symbols, n->place) : PSY_PARAM_BASE_LOW(symbols, n->place));
    case PSY_K_FROM_VALUE:
        return psy__dtype_bytes(type_of(t, n->a[0])) == 8 ? psc_format(t->arena, "%s.x", a)
                                                          : psc_format(t->arena, "uint(%s)", a);
    case PSY_K_LENGTH: return length(t, n);
    case PSY_K_WITHIN: return within(t, n);
    case PSY_K_OF_PLACE: return psc_format(t->arena, "%s(%s)", psc_glsl_type(n->type), a);
    case PSY_K_MAP: return psc_glsl_operation(t, n->code, n->dtype, a, name_of(t, node, 1), name_of(t, node, 2));
    case PSY_K_CAST: return psc_glsl_cast(t, type_of(t, n->a[0]), n->type, a);
    case PSY_K_KEY: psc_glsl_need(t, PSC_GLSL_NEEDS_KEYS); return psc_format(t->arena, "psy_key(%s)", a);
    case PSY_K_BITS: return word_of(t, type_of(t, n->a[0]), a);
    case PSY_K_OF_BITS: return of_word(t, n->type, a);
    case PSY_K_LOAD: return load(t, n);
    case PSY_K_TAKE:
        psc_glsl_need(t, PSC_GLSL_NEEDS_PUSH);
        return psc_format(t->arena, "%s[lists + %s]", buffer(t, PSY_BIND_SCRATCH), a);
    case PSY_K_GET: return a;
    case PSY_K_RESULT: return of_word(t, n->type, psc_format(t->arena, "share_%u", n->a[0]));
    case PSY_K_BEST_KEY: return "share[0]";
    case PSY_K_BEST_PLACE: return "share_place[0]";
    case PSY_K_BEST_BITS: return "share_bits[0]";
    default: return NULL;
    }
}

static const char *type(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *name = psc_glsl_type(n->type);
    return n->op == PSY_K_MAP && psc_glsl_is_exact(n->code, n->dtype) ? psc_format(t->arena, "precise %s", name) : name;
}

static const char *pattern(const psy__kop_info *info) { return info->glsl; }

/* ---- statements ---- */

static void step(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = name_of(t, node, 0), *sum = psc_format(t->arena, "s%u", node);
    if (n->a[1]) {
        a = psc_format(t->arena, "%s * %s", a, name_of(t, node, 1));
    }
    psc_kernel_line(t, "%s = %s;", sum, psc_glsl_operation(t, n->code, n->dtype, a, sum, ""));
}

static void statement(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = name_of(t, node, 0), *b = name_of(t, node, 1);
    switch (n->op) {
    case PSY_K_STORE: psc_kernel_line(t, "%s = %s;", word_at(t, n->place, a, 0), word_of(t, n->dtype, b)); break;
    case PSY_K_STORE_PAIR:
        psc_kernel_line(t, "%s = %s;", word_at(t, n->place, a, 0), b);
        psc_kernel_line(t, "%s = %s;", word_at(t, n->place, a, 1), name_of(t, node, 2));
        break;
    case PSY_K_KEEP:
        psc_glsl_need(t, PSC_GLSL_NEEDS_PUSH);
        psc_kernel_line(t, "%s[lists + %s] = %s;", buffer(t, PSY_BIND_SCRATCH), a, b);
        break;
    case PSY_K_VAR:
        t->names[node] = psc_format(t->arena, "v%u", node);
        psc_kernel_line(t, "%s %s = %s;", psc_glsl_type(n->type), t->names[node], a);
        break;
    case PSY_K_SET: psc_kernel_line(t, "%s = %s;", a, b); break;
    case PSY_K_STEP: step(t, node); break;
    case PSY_K_OFFER:
        psc_kernel_line(t, "if (%s && psy_before(%s, %s, best_key, best_place)) {", name_of(t, node, 3), a, b);
        psc_kernel_line(t, "    best_key = %s;", a);
        psc_kernel_line(t, "    best_place = %s;", b);
        psc_kernel_line(t, "    best_bits = %s;", name_of(t, node, 2));
        psc_kernel_line(t, "}");
        break;
    case PSY_K_PUT: put(t, node); break;
    default: break;
    }
}

/* ---- constructs ---- */

static const char *dim_text(psc_kernel_text *t, psy_dim dim)
{
    return psy__dim_is_symbol(dim) ? psc_kernel_size_name(t->arena, t->k->module, psy__dim_symbol(dim))
                                   : psc_format(t->arena, "%uu", dim);
}

/* An element an invocation, or, with an axis, a workgroup. */
static void space(psc_kernel_text *t, uint32_t node)
{
    const psy__kernel_ir *k = t->k;
    const char *all = "1u", *times = "";
    for (uint32_t d = 0; d < k->rank; d++) {
        if (d != k->axis && k->dims[d] != 1) {
            all = psc_format(t->arena, "%s%s%s", *times ? all : "", times, dim_text(t, k->dims[d]));
            times = " * ";
        }
    }
    psc_kernel_line(t, "uint element = %s;", k->axis == PSY_NONE ? "group * width + local" : "group");
    psc_kernel_line(t, "if (element < %s) {", all);
    psc_kernel_block(t);
    if (node_of(t, node)->flat) {
        psc_kernel_line(t, "uint i = element;");
    }
    for (uint32_t d = k->rank; d-- > 0 && !node_of(t, node)->flat;) {
        if (d != k->axis && k->dims[d] != 1) {
            const char *size = dim_text(t, k->dims[d]);
            psc_kernel_line(t, "uint %s = element %% %s;", psc_kernel_coordinate(t, node, d), size);
            psc_kernel_line(t, "element /= %s;", size);
        }
    }
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
}

static void template(psc_kernel_text *t, const char *section, const psc_pair *pairs)
{
    psc_stream stream;
    size_t n;
    psc_template_write(psc_template_glsl, section, pairs, psc_stream_open(&stream));
    const char *text = psc_stream_close(&stream, t->arena, &n);
    for (unsigned base = 1; *text;) {
        size_t length = strcspn(text, "\n");
        fprintf(t->to, "%*s%.*s\n", (int)(4 * (t->indent - base)), "", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void reduce(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *i = psc_kernel_coordinate(t, node, 0);
    psc_glsl_need(t, PSC_GLSL_NEEDS_SHARED);
    for (uint32_t s = node + 1; s < n->end; s++) {
        const psy__knode *st = node_of(t, s);
        if (st->op == PSY_K_STEP) {
            uint64_t identity = psc_kernel_identity(st->code, st->dtype);
            psc_kernel_line(t, "%s%s s%u = %s;", psc_glsl_is_exact(st->code, st->dtype) ? "precise " : "",
                            psc_glsl_type(st->type), s, constant(t, st->type, identity));
        }
    }
    psc_kernel_line(t, "for (uint %s = local; %s < %s; %s += width) {", i, i, name_of(t, node, 0), i);
    psc_kernel_block(t);
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
    for (uint32_t s = node + 1; s < n->end; s++) {
        const psy__knode *st = node_of(t, s);
        if (st->op == PSY_K_STEP) {
            const char *x = of_word(t, st->type, "share[local]"), *y = of_word(t, st->type, "share[local + half_]");
            const char *sum = psc_glsl_operation(t, st->code, st->dtype, y, x, "");
            const char *line = psc_format(t->arena, "%s%s sum = %s; share[local] = %s;",
                                          psc_glsl_is_exact(st->code, st->dtype) ? "precise " : "", psc_glsl_type(st->type),
                                          sum, word_of(t, st->type, "sum"));
            template(t, "tree",
                     (const psc_pair[]){{"OP", psy__op_info(st->code)->name},
                                        {"BITS", word_of(t, st->type, psc_format(t->arena, "s%u", s))},
                                        {"STEP", line},
                                        {NULL, NULL}});
            psc_kernel_line(t, "uint share_%u = share[0];", s);
        }
    }
}

static void best(psc_kernel_text *t, uint32_t node)
{
    const char *i = psc_kernel_coordinate(t, node, 0);
    psc_glsl_need(t, PSC_GLSL_NEEDS_SHARED);
    psc_glsl_need(t, PSC_GLSL_NEEDS_BEST);
    psc_glsl_need(t, PSC_GLSL_NEEDS_KEYS);
    psc_kernel_line(t, "uint best_key = 0u, best_place = 0xffffffffu, best_bits = 0u;");
    psc_kernel_line(t, "for (uint %s = local; %s < %s; %s += width) {", i, i, name_of(t, node, 0), i);
    psc_kernel_block(t);
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
    template(t, "tree_best", NULL);
}

/* A word an invocation: it leaves the bytes in it that are not the field's. */
static void narrow_field(psc_kernel_text *t, uint32_t node, const char *n)
{
    unsigned bytes = psy__dtype_bytes(node_of(t, node)->dtype), lanes = 4 / bytes, skip = node_of(t, node)->more % 4 / bytes;
    const char *out = buffer(t, PSY_BIND_OUTPUT);
    psc_kernel_line(t, "uint first = element * %uu;", lanes);
    psc_kernel_line(t, "if (first < %s + %uu) {", n, skip);
    psc_kernel_block(t);
    psc_kernel_line(t, "uint word = %s[to + element];", out);
    psc_kernel_line(t, "for (uint lane = 0u; lane < %uu; lane++) {", lanes);
    psc_kernel_block(t);
    psc_kernel_line(t, "uint i = first + lane - %uu;", skip);
    psc_kernel_line(t, "if (i < %s) {", n);
    psc_kernel_block(t);
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
    psc_kernel_block_end(t);
    psc_kernel_line(t, "%s[to + element] = word;", out);
    psc_kernel_block_end(t);
}

static void field(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const psy_psm_field *f = &t->k->module->fields[n->place];
    const char *count = name_of(t, node, 0), *out = buffer(t, PSY_BIND_OUTPUT), *table = buffer(t, PSY_BIND_TABLE);
    psc_kernel_line(t, "// answer.%s", psy__module_string(t->k->module, f->name));
    psc_kernel_line(t, "uint element = group * width + local;");
    psc_kernel_line(t, "uint reply = %s[message * 2u + 1u], to = reply + %uu;", table, n->more / 4);
    if (n->a[1]) {
        const char *said = name_of(t, node, 1), *at = psc_format(t->arena, "%s[reply + %uu]", out, f->count_offset / 4);
        if (f->kind == PSY_FIELD_OPTIONAL) { /* a byte, whose word has other fields in it */
            unsigned shift = 8 * (f->count_offset % 4);
            said = psc_format(t->arena, "%s & 0x%xu | %s << %uu", at, ~(UINT32_C(255) << shift), said, shift);
        }
        psc_kernel_line(t, "if (element == 0u) {");
        psc_kernel_line(t, "    %s = %s;", at, said);
        psc_kernel_line(t, "}");
    }
    if (psy__dtype_bytes(n->dtype) < 4) {
        narrow_field(t, node, count);
        return;
    }
    psc_kernel_line(t, "uint i = element;");
    psc_kernel_line(t, "if (i < %s) {", count);
    psc_kernel_block(t);
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
}

static void construct(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = name_of(t, node, 0), *i;
    switch (n->op) {
    case PSY_K_SPACE: space(t, node); return;
    case PSY_K_REDUCE: reduce(t, node); return;
    case PSY_K_BEST: best(t, node); return;
    case PSY_K_FIELD: field(t, node); return;
    case PSY_K_FOR:
        i = psc_kernel_coordinate(t, node, 0);
        psc_kernel_line(t, "for (uint %s = 0u; %s < %s; %s++) {", i, i, a, i);
        break;
    case PSY_K_LEADER: psc_kernel_line(t, "if (local == 0u) {"); break;
    default: psc_kernel_line(t, "if (%s) {", a); break;
    }
    psc_kernel_block(t);
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
}

static const psc_kernel_language glsl = {type, value, statement, construct, pattern, "%s %s = %s;"};

/* ---- a whole shader ---- */

/* First words of places, and sizes: what the body reads. */
static void declare(psc_kernel_text *t)
{
    const psy__module *m = t->k->module;
    uint32_t symbols = m->symbol_count, slots = m->programs[t->k->program].slot_count;
    for (uint32_t s = 0; s < symbols; s++) {
        bool used = false;
        for (uint32_t d = 0; d < t->k->rank; d++) {
            used = used || (psy__dim_is_symbol(t->k->dims[d]) && psy__dim_symbol(t->k->dims[d]) == s);
        }
        for (uint32_t i = 1; i <= t->k->node_count; i++) {
            used = used || (t->k->nodes[i].op == PSY_K_SIZE && t->k->nodes[i].place == s);
        }
        if (used) {
            psc_kernel_line(t, "uint %s = %s[%uu];", psc_kernel_size_name(t->arena, m, s), buffer(t, PSY_BIND_PARAM),
                            PSY_PARAM_SYMBOL(s));
        }
    }
    for (uint32_t i = 0; i < t->k->place_count; i++) {
        const psy__kplace *p = &t->k->places[i];
        const char *name = psc_kernel_place_name(t->arena, t->k, i), *base = "0u";
        bool words = psy__dtype_bytes(p->dtype) >= 4;
        if (p->kind == PSY_PLACED_INPUT) {
            base = psc_format(t->arena, "%s[message * 2u]", buffer(t, PSY_BIND_TABLE));
        } else if (p->kind == PSY_PLACED_RESIDENT) {
            base = psc_format(t->arena, "%s[%uu]", buffer(t, PSY_BIND_PARAM), PSY_PARAM_RESIDENT(symbols, slots, p->source));
        } else if (in_slot(p)) {
            base = psc_format(t->arena, "%s[%uu]", buffer(t, PSY_BIND_PARAM), PSY_PARAM_SLOT(symbols, p->source));
            if (p->kind == PSY_PLACED_ARENA) {
                base = psc_format(t->arena, "message * %s[%uu] + %s", buffer(t, PSY_BIND_PARAM), PSY_PARAM_STRIDE, base);
            }
        }
        uint32_t bytes = words ? bytes_into(t, p) : 0;
        psc_kernel_line(t, bytes ? "uint %s = %s + %uu;" : "uint %s = %s;", name, base, bytes / 4);
    }
}

static void head(psc_kernel_text *t, const char *name, FILE *to)
{
    static const struct {
        unsigned need;
        const char *section;
    } parts[] = {{PSC_GLSL_NEEDS_PUSH, "push"},     {PSC_GLSL_NEEDS_SHARED, "shared"}, {PSC_GLSL_NEEDS_BEST, "shared_best"},
                 {PSC_GLSL_NEEDS_NARROW, "narrow"}, {PSC_GLSL_NEEDS_DIVIDE, "divide"}, {PSC_GLSL_NEEDS_SATURATE, "saturate"},
                 {PSC_GLSL_NEEDS_HALVES, "halves"}, {PSC_GLSL_NEEDS_KEYS, "keys"}};
    const psy__module *m = t->k->module;
    const char *group = psc_format(t->arena, "%d", PSY_KERNEL_GROUP_MAX);
    psc_template_write(
        psc_template_glsl, "head",
        (const psc_pair[]){{"NAME", name},
                           {"PROGRAM", psc_kernel_comment(t->arena, psy__module_string(m, m->programs[t->k->program].name))},
                           {"SPACE", psc_kernel_comment(t->arena, psc_kernel_space(t->arena, t->k))},
                           {"VERSION", psc_format(t->arena, "%d", PSY_KERNEL_VERSION)},
                           {"GROUP", group},
                           {NULL, NULL}},
        to);
    for (unsigned b = 0; b < PSY_BIND_COUNT; b++) {
        bool written = b == PSY_BIND_OUTPUT || b == PSY_BIND_ARENA || b == PSY_BIND_UNIFORM || b == PSY_BIND_SCRATCH;
        if (t->needs >> b & 1) {
            psc_template_write(psc_template_glsl, "buffer",
                               (const psc_pair[]){{"BINDING", psc_format(t->arena, "%u", b)},
                                                  {"ACCESS", written ? "" : "readonly "},
                                                  {"NAME", buffer_names[b]},
                                                  {NULL, NULL}},
                               to);
        }
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (t->needs >> parts[i].need & 1) {
            psc_template_write(psc_template_glsl, parts[i].section, (const psc_pair[]){{"GROUP", group}, {NULL, NULL}}, to);
        }
    }
    psc_template_write(psc_template_glsl, "main", NULL, to);
}

void psc_emit_glsl(psc_arena *arena, const psy__kernel_ir *k, const char *name, FILE *to)
{
    psc_stream body;
    psc_kernel_text t = psc_kernel_text_begin(arena, k, &glsl, psc_stream_open(&body));
    size_t n;
    t.indent = 1;
    declare(&t);
    psc_kernel_text_all(&t);
    const char *text = psc_stream_close(&body, arena, &n);
    t.to = to;
    head(&t, name, to);
    if (t.needs >> PSC_GLSL_NEEDS_PUSH & 1) {
        fprintf(to, "    uint lists = message * push.stride;\n");
    }
    fprintf(to, "%s}\n", text);
}
