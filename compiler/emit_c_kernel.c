/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels as C functions: nested loops over the space, one expression an operation, from the C columns of ops.def. */
#include <inttypes.h>
#include <string.h>

#include "emit_kernels.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* ops.def has empty columns */

static const psy__knode *node_of(const psc_kernel_text *t, uint32_t node) { return &t->k->nodes[node]; }
static unsigned type_of(const psc_kernel_text *t, uint32_t node) { return t->k->nodes[node].type; }
static const char *operand(const psc_kernel_text *t, uint32_t node, unsigned i) { return t->names[node_of(t, node)->a[i]]; }

/* ---- types and constants ---- */

const char *psc_c_type(unsigned type)
{
    switch (type) {
    case PSY_KTYPE_INDEX: return "uint64_t";
    case PSY_KTYPE_CONDITION: return "int";
#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    case code:                                                                                                                 \
        return #ctype;
#include "isa/dtypes.def"
#undef DTYPE
    default: return "void";
    }
}

static const char *unsigned_twin(unsigned dtype)
{
    return dtype == PSY_I32 ? "uint32_t" : dtype == PSY_I64 ? "uint64_t" : psc_c_type(dtype);
}

static const char *constant(psc_arena *arena, unsigned dtype, uint64_t bits)
{
    if (dtype == PSY_F32 || dtype == PSY_F64) {
        const char *number = psc_kernel_float(arena, dtype, bits, "f");
        float single;
        uint32_t word = (uint32_t)bits;
        double value;
        memcpy(&single, &word, sizeof single);
        memcpy(&value, &bits, sizeof value);
        value = dtype == PSY_F32 ? (double)single : value;
        return number ? number
               : value != value
                   ? psc_format(arena, dtype == PSY_F32 ? "psy_kernel_f32(0x%" PRIx64 ")" : "psy_kernel_f64(0x%" PRIx64 ")",
                                dtype == PSY_F32 ? bits & UINT32_MAX : bits)
               : value - value != 0 ? (value > 0 ? "INFINITY" : "(-INFINITY)")
                                    : psc_format(arena, dtype == PSY_F32 ? "%af" : "%a", value);
    }
    switch (psy__dtype_class(dtype)) {
    case PSY_DCLASS_SINT: {
        int64_t value = dtype == PSY_I32 ? (int32_t)bits : (int64_t)bits;
        return value >= 0           ? psc_format(arena, dtype == PSY_I64 ? "INT64_C(%" PRId64 ")" : "%" PRId64, value)
               : value == INT64_MIN ? "INT64_MIN"
               : value == INT32_MIN
                   ? "INT32_MIN"
                   : psc_format(arena, dtype == PSY_I64 ? "(-INT64_C(%" PRId64 "))" : "(-%" PRId64 ")", -value);
    }
    default:
        return dtype == PSY_U64   ? psc_format(arena, "UINT64_C(%" PRIu64 ")", bits)
               : dtype == PSY_U32 ? psc_format(arena, "%" PRIu32 "u", (uint32_t)bits)
                                  : psc_format(arena, "%" PRIu64, bits);
    }
}

/* ---- operations ---- */

#define PSY_IDIV(a, b)       PSY_KERNEL_DIV(T, U, a, b)
#define PSY_IMOD(a, b)       PSY_KERNEL_MOD(T, U, a, b)
#define PSY_SHL(a, b)        PSY_KERNEL_SHL(T, U, a, b)
#define PSY_SHR(a, b)        PSY_KERNEL_SHR(T, U, a, b)
#define psy__philox(key, at) psy_kernel_philox(key, at)
#define PSY_NOT(a)           (T) ~(a)
#define TEXT_(...)           #__VA_ARGS__
#define TEXT(...)            TEXT_(__VA_ARGS__)

static const char *pattern_of(unsigned op, unsigned dtype)
{
    if (dtype == PSY_F32) {
        switch (op) {
#define PSY_M(name) name##f
#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code:                                                                                                                 \
        return TEXT(c_float);
#include "isa/ops.def"
#undef OP
#undef PSY_M
        }
    } else if (dtype == PSY_F64) {
        switch (op) {
#define PSY_M(name) name
#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code:                                                                                                                 \
        return TEXT(c_float);
#include "isa/ops.def"
#undef OP
#undef PSY_M
        }
    } else {
        switch (op) {
#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...)                                                     \
    case code:                                                                                                                 \
        return TEXT(c_int);
#include "isa/ops.def"
#undef OP
        }
    }
    return "";
}

static const char *operation(psc_kernel_text *t, unsigned op, unsigned dtype, const psc_expansion *operands)
{
    psc_expansion with = *operands;
    const psy_op_info *info = psy__op_info(op);
    with.T = psc_c_type(dtype);
    with.U = unsigned_twin(dtype);
    if (info->class_ == PSY_CLASS_CHOOSE) {
        return psc_format(t->arena, "%s ? %s : %s", with.a, with.b, with.c);
    }
    if (op == PSY_OP_NOT && dtype == PSY_BOOL) {
        return psc_format(t->arena, "%s ^ 1", with.a);
    }
    return psc_kernel_expand(t->arena, pattern_of(op, dtype), &with);
}

static const char *cast(psc_kernel_text *t, unsigned from, unsigned to, const char *x)
{
    psc_arena *arena = t->arena;
    psy_dtype_class a = psy__dtype_class(from), b = psy__dtype_class(to);
    const char *T = psc_c_type(to);
    unsigned bits = psy__dtype_bytes(to) * 8;
    if (from == to) {
        return x;
    }
    if (from == PSY_F16 || from == PSY_BF16) {
        x = psc_format(arena, "psy_kernel_from_%s(%s)", psy__dtype_name(from), x);
    }
    if (b == PSY_DCLASS_BOOL) {
        return psc_format(arena, "%s != 0", x);
    }
    if (to == PSY_F16 || to == PSY_BF16) {
        x = a == PSY_DCLASS_FLOAT  ? x
            : a == PSY_DCLASS_SINT ? psc_format(arena, "psy_kernel_sticky_signed(%s)", x)
                                   : psc_format(arena, "psy_kernel_sticky_unsigned(%s)", x);
        return psc_format(arena, "psy_kernel_to_%s(%s)", psy__dtype_name(to), x);
    }
    if (a == PSY_DCLASS_FLOAT && b != PSY_DCLASS_FLOAT) {
        return psc_format(arena, "(%s)psy_kernel_to_%s(%s, %u)", T, b == PSY_DCLASS_SINT ? "signed" : "unsigned", x, bits);
    }
    return psc_format(arena, "(%s)%s", T, x);
}

/* ---- values ---- */

static const char *element(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *name = psc_kernel_place_name(t->arena, t->k, n->place), *at = operand(t, node, 0);
    if (t->k->places[n->place].kind == PSY_PLACED_PARTIAL) {
        return psc_format(t->arena, "((const %s *)(const void *)(%s + %s * f->partial_stride))[%s]", psc_c_type(n->dtype), name,
                          operand(t, node, 1), at);
    }
    return psc_format(t->arena, "%s[%s]", name, at);
}

/* A bool of somebody else's may be any byte. */
static const char *load(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    unsigned kind = t->k->places[n->place].kind;
    bool ours = kind == PSY_PLACED_ARENA || kind == PSY_PLACED_UNIFORM;
    const char *text = element(t, node);
    return n->dtype == PSY_BOOL && !ours ? psc_format(t->arena, "%s & 1", text) : text;
}

static const char *value(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0), *b = operand(t, node, 1);
    bool sint = n->a[0] && psy__dtype_class(type_of(t, n->a[0])) == PSY_DCLASS_SINT;
    switch (n->op) {
    case PSY_K_CONST: return constant(t->arena, n->type, n->bits);
    case PSY_K_NUMBER:
        return psc_format(t->arena, (int64_t)n->bits < 0 ? "(uint64_t)(%" PRId64 ")" : "%" PRId64, (int64_t)n->bits);
    case PSY_K_SIZE: return psc_kernel_size_name(t->arena, t->k->module, n->place);
    case PSY_K_COORD: return psc_kernel_coordinate(t, n->a[0], n->number);
    case PSY_K_BASE: return psc_format(t->arena, "f->bases[%u]", n->place);
    case PSY_K_LENGTH: return psc_format(t->arena, "psy_kernel_length_%s(%s, %s)", sint ? "signed" : "unsigned", a, b);
    case PSY_K_OF_PLACE: return psc_format(t->arena, "(%s)%s", psc_c_type(n->type), a);
    case PSY_K_MAP: return operation(t, n->code, n->dtype, &(psc_expansion){.a = a, .b = b, .c = operand(t, node, 2)});
    case PSY_K_CAST: return cast(t, type_of(t, n->a[0]), n->type, a);
    case PSY_K_LOAD: return load(t, node);
    case PSY_K_GET: return a;
    case PSY_K_RESULT: return psc_format(t->arena, "s%u", n->a[0]);
    default: return NULL;
    }
}

static const char *type(psc_kernel_text *t, uint32_t node) { return psc_c_type(type_of(t, node)); }
static const char *pattern(const psy__kop_info *info) { return info->c; }

/* ---- statements ---- */

/* What a STEP makes of the sum so far, or of two sums. */
static const char *step_text(psc_kernel_text *t, uint32_t node, const char *sum, const char *a, const char *b)
{
    const psy__knode *n = node_of(t, node);
    bool is_float = psy__dtype_class(n->dtype) == PSY_DCLASS_FLOAT;
    if (n->code == PSY_OP_DOT && is_float && b) {
        return psc_format(t->arena, "psy_kernel_dot_%s(%s, %s, %s)", psy__dtype_name(n->dtype), a, b, sum);
    }
    unsigned op = n->code == PSY_OP_DOT && !b ? PSY_OP_SUM : n->code;
    return operation(t, op, n->dtype, &(psc_expansion){.a = a, .b = b ? b : "", .acc = sum});
}

static void take_in(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    uint32_t rank = n->inside;
    while (node_of(t, rank)->op != PSY_K_RANK) {
        rank = node_of(t, rank)->inside;
    }
    const char *a = operand(t, node, 0), *dtype = psy__dtype_name(n->dtype);
    psc_kernel_line(t, "{");
    psc_kernel_line(t, "    const %s x = %s;", psc_c_type(n->dtype), a);
    psc_kernel_line(t, "    psy_kernel_take_in(&rank%u, psy_kernel_key_%s(x), %s, %s, psy_kernel_bits(&x, sizeof x));", rank,
                    dtype, operand(t, node, 1), operand(t, node, 2));
    psc_kernel_line(t, "}");
}

/* What no element is below. */
static const char *lowest(unsigned dtype)
{
    switch (dtype) {
    case PSY_F32: return "UINT32_C(0x7fc00000)";
    case PSY_F64: return "UINT64_C(0x7ff8000000000000)";
    case PSY_I32: return "UINT32_C(0x80000000)";
    case PSY_I64: return "UINT64_C(0x8000000000000000)";
    default: return "0";
    }
}

static void statement(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0), *b = operand(t, node, 1);
    switch (n->op) {
    case PSY_K_STORE: psc_kernel_line(t, "%s = %s;", element(t, node), b); break;
    case PSY_K_VAR:
        t->names[node] = psc_format(t->arena, "v%u", node);
        psc_kernel_line(t, "%s %s = %s;", psc_c_type(n->type), t->names[node], a);
        break;
    case PSY_K_SET: psc_kernel_line(t, "%s = %s;", a, b); break;
    case PSY_K_STEP:
        psc_kernel_line(t, "%s = %s;", t->names[node], step_text(t, node, t->names[node], a, n->a[1] ? b : NULL));
        break;
    case PSY_K_PUT: psc_kernel_line(t, "out[i] = %s;", a); break;
    case PSY_K_TAKE_IN: take_in(t, node); break;
    case PSY_K_RANKED:
        psc_kernel_line(t, "psy_kernel_ranked(&rank%u, %s, %s + %s, sizeof *%s, %s + %s, %s, %u);", n->a[0], b,
                        psc_kernel_place_name(t->arena, t->k, n->place), operand(t, node, 2),
                        psc_kernel_place_name(t->arena, t->k, n->place), psc_kernel_place_name(t->arena, t->k, n->more),
                        operand(t, node, 2), lowest(n->dtype), n->number);
        break;
    case PSY_K_ROW:
        psc_kernel_line(t, "const void *row = f->residents[%u].find(&f->residents[%u], %s);", n->more, n->more, a);
        psc_kernel_line(t, "f->rows[%u] = (const unsigned char *)row;",
                        psc_c_row(t->k->module, t->k->program, t->k->places[n->place].reg));
        psc_kernel_line(t, "return row ? PSY_OK : PSY_NOT_FOUND;");
        break;
    default: break;
    }
}

/* ---- constructs ---- */

static const char *dim_text(psc_kernel_text *t, psy_dim dim)
{
    return psy__dim_is_symbol(dim) ? psc_kernel_size_name(t->arena, t->k->module, psy__dim_symbol(dim))
                                   : psc_format(t->arena, "%u", dim);
}

static void loop(psc_kernel_text *t, const char *i, const char *from, const char *end)
{
    psc_kernel_line(t, "for (uint64_t %s = %s; %s < %s; %s++) {", i, from, i, end, i);
    psc_kernel_block(t);
}

/* Before a loop whose turns do not depend on each other: places that are written to are not read. (Pointers are not `restrict`:
 * GCC 12 takes what is written through one that is no parameter for written nowhere.) */
static void independent(psc_kernel_text *t, uint32_t node)
{
    for (uint32_t i = node + 1; i < node_of(t, node)->end; i++) {
        unsigned op = node_of(t, i)->op;
        if ((psy__kop_opens(op) && op != PSY_K_IF) || op == PSY_K_TAKE_IN) {
            return;
        }
    }
    psc_kernel_line(t, "PSY_KERNEL_INDEPENDENT");
}

static void space(psc_kernel_text *t, uint32_t node)
{
    const psy__kernel_ir *k = t->k;
    const char *all = "";
    unsigned loops = 0;
    uint32_t last = PSY_NONE;
    for (uint32_t d = 0; d < k->rank; d++) {
        last = d != k->axis && k->dims[d] != 1 ? d : last;
    }
    for (uint32_t d = 0; d < k->rank; d++) {
        if (d == k->axis || k->dims[d] == 1) {
            continue;
        }
        if (d == last) {
            independent(t, node);
        }
        if (node_of(t, node)->flat) {
            all = psc_format(t->arena, "%s%s%s", all, *all ? " * " : "", dim_text(t, k->dims[d]));
        } else {
            loop(t, psc_kernel_coordinate(t, node, d), "0", dim_text(t, k->dims[d]));
            loops++;
        }
    }
    if (node_of(t, node)->flat) {
        loop(t, "i", "0", *all ? all : "1");
        loops++;
    } else if (loops == 0) {
        psc_kernel_line(t, "{");
        psc_kernel_block(t);
        loops++;
    }
    psc_kernel_text_body(t, node);
    for (; loops > 0; loops--) {
        psc_kernel_block_end(t);
    }
}

/* The body of a REDUCE, its STEPs going to sums of the given form. */
static void reduce_body(psc_kernel_text *t, uint32_t node, const char *form)
{
    size_t taken = t->taken.count;
    for (uint32_t s = node + 1; s < node_of(t, node)->end; s++) {
        if (node_of(t, s)->op == PSY_K_STEP) {
            t->names[s] = psc_format(t->arena, "s%u%s", s, form);
        }
    }
    psc_kernel_text_body(t, node);
    t->taken.count = taken;
}

/* Puts the sums of the lanes together, and takes them to the total. */
static void fold_lanes(psc_kernel_text *t, uint32_t s)
{
    const char *lane = psc_format(t->arena, "s%u_lanes[l]", s), *other = psc_format(t->arena, "s%u_lanes[l + half]", s);
    psc_kernel_line(t, "for (uint64_t half = PSY_KERNEL_LANES / 2; half > 0; half /= 2) {");
    psc_kernel_line(t, "    for (uint64_t l = 0; l < half; l++) {");
    psc_kernel_line(t, "        %s = %s;", lane, step_text(t, s, lane, other, NULL));
    psc_kernel_line(t, "    }");
    psc_kernel_line(t, "}");
    psc_kernel_line(t, "s%u = %s;", s,
                    step_text(t, s, psc_format(t->arena, "s%u", s), psc_format(t->arena, "s%u_lanes[0]", s), NULL));
}

/* Whether the body asks for its number. */
static bool is_counted(const psc_kernel_text *t, uint32_t node)
{
    for (uint32_t i = node + 1; i < node_of(t, node)->end; i++) {
        if (node_of(t, i)->op == PSY_K_COORD && node_of(t, i)->a[0] == node) {
            return true;
        }
    }
    return false;
}

/* Sums of floats are kept in lanes where the axis is long. */
static void reduce(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const char *i = psc_kernel_coordinate(t, node, 0), *count = operand(t, node, 0);
    bool lanes = !(node_of(t, n->a[0])->op == PSY_K_NUMBER && node_of(t, n->a[0])->bits < 64), any = false;
    for (uint32_t s = node + 1; s < n->end; s++) {
        const psy__knode *st = node_of(t, s);
        if (st->op == PSY_K_STEP) {
            uint64_t identity = psc_kernel_identity(st->code, st->dtype);
            psc_kernel_line(t, "%s s%u = %s;", psc_c_type(st->type), s, constant(t->arena, st->type, identity));
            any = any || psy__dtype_class(st->dtype) == PSY_DCLASS_FLOAT;
        }
    }
    lanes = lanes && any;
    if (!lanes) {
        loop(t, i, "0", count);
        reduce_body(t, node, "");
        psc_kernel_block_end(t);
        return;
    }
    psc_kernel_line(t, "uint64_t done = 0;");
    psc_kernel_line(t, "while (%s - done >= PSY_KERNEL_LANES) {", count);
    psc_kernel_block(t);
    for (uint32_t s = node + 1; s < n->end; s++) {
        const psy__knode *st = node_of(t, s);
        if (st->op == PSY_K_STEP) {
            uint64_t identity = psc_kernel_identity(st->code, st->dtype);
            psc_kernel_line(t, "%s s%u_lanes[PSY_KERNEL_LANES];", psc_c_type(st->type), s);
            psc_kernel_line(t, "for (uint64_t l = 0; l < PSY_KERNEL_LANES; l++) {");
            psc_kernel_line(t, "    s%u_lanes[l] = %s;", s, constant(t->arena, st->type, identity));
            psc_kernel_line(t, "}");
        }
    }
    psc_kernel_line(t,
                    "for (uint64_t round = 0; round < PSY_KERNEL_ROUNDS && %s - done >= PSY_KERNEL_LANES; round++, done += "
                    "PSY_KERNEL_LANES) {",
                    count);
    psc_kernel_block(t);
    independent(t, node);
    psc_kernel_line(t, "for (uint64_t l = 0; l < PSY_KERNEL_LANES; l++) {");
    psc_kernel_block(t);
    if (is_counted(t, node)) {
        psc_kernel_line(t, "const uint64_t %s = done + l;", i);
    }
    reduce_body(t, node, "_lanes[l]");
    psc_kernel_block_end(t);
    psc_kernel_block_end(t);
    for (uint32_t s = node + 1; s < n->end; s++) {
        if (node_of(t, s)->op == PSY_K_STEP) {
            fold_lanes(t, s);
        }
    }
    psc_kernel_block_end(t);
    loop(t, i, "done", count);
    reduce_body(t, node, "");
    psc_kernel_block_end(t);
}

static void field(psc_kernel_text *t, uint32_t node)
{
    const psy__knode *n = node_of(t, node);
    const psy_psm_field *f = &t->k->module->fields[n->place];
    const char *T = psc_c_type(n->dtype);
    psc_kernel_line(t, "%s *out = (%s *)(void *)(f->output + %u); // answer.%s", T, T, n->more,
                    psc_kernel_comment(t->arena, psy__module_string(t->k->module, f->name)));
    psc_kernel_line(t, "const uint64_t count = %s;", operand(t, node, 0));
    if (n->a[1]) {
        psc_kernel_line(t,
                        f->kind == PSY_FIELD_OPTIONAL ? "*(uint8_t *)(f->output + %u) = (uint8_t)%s;"
                                                      : "*(uint32_t *)(void *)(f->output + %u) = (uint32_t)%s;",
                        f->count_offset, operand(t, node, 1));
    }
    if (f->kind == PSY_FIELD_VARIANT) {
        const char *dims = "";
        for (uint32_t d = 0; d < t->k->rank; d++) {
            dims = psc_format(t->arena, "%s%s%s", dims, d ? ", " : "", dim_text(t, t->k->dims[d]));
        }
        psc_kernel_line(t, "psy_kernel_variant(f->output + %u, %u, %u, (const uint64_t[8]){%s});", f->count_offset, n->dtype,
                        t->k->rank, *dims ? dims : "0");
    }
    independent(t, node);
    loop(t, "i", "0", "count");
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
}

static void construct(psc_kernel_text *t, uint32_t node)
{
    static const char *const orders[] = {"PSY_KERNEL_BEST", "PSY_KERNEL_ASCENDING", "PSY_KERNEL_DESCENDING"};
    const psy__knode *n = node_of(t, node);
    const char *a = operand(t, node, 0);
    switch (n->op) {
    case PSY_K_SPACE: space(t, node); return;
    case PSY_K_REDUCE: reduce(t, node); return;
    case PSY_K_FIELD: field(t, node); return;
    case PSY_K_LEADER: psc_kernel_text_body(t, node); return;
    case PSY_K_RANK:
        psc_kernel_line(t, "psy_kernel_ranking rank%u = psy_kernel_rank(f, %s, %s, %d);", node, a, orders[n->bits],
                        psy__dtype_class(n->dtype) == PSY_DCLASS_FLOAT);
        psc_kernel_text_body(t, node);
        return;
    case PSY_K_FOR: loop(t, psc_kernel_coordinate(t, node, 0), "0", a); break;
    default:
        psc_kernel_line(t, "if (%s) {", a);
        psc_kernel_block(t);
        break;
    }
    psc_kernel_text_body(t, node);
    psc_kernel_block_end(t);
}

static const psc_kernel_language language = {type, value, statement, construct, pattern, "const %s %s = %s;"};

/* ---- a function ---- */

/* Where the place's elements start. */
static const char *start_of(psc_arena *arena, const psy__kernel_ir *k, const psy__kplace *p, const char *stem)
{
    const psy__module *m = k->module;
    switch (p->kind) {
    case PSY_PLACED_INPUT: return psc_format(arena, "f->input + %u", p->at);
    case PSY_PLACED_PARTIAL: return psc_format(arena, "f->partials + %u", m->fields[p->source].offset);
    case PSY_PLACED_RESIDENT: return psc_format(arena, "f->residents[%u].data", p->source);
    case PSY_PLACED_ROW: return psc_format(arena, "f->rows[%u]", psc_c_row(m, k->program, p->reg));
    case PSY_PLACED_CONST: return psc_format(arena, "%s_consts + %u", stem, p->source);
    case PSY_PLACED_UNIFORM: return psc_format(arena, "f->uniform + f->slots[%u]", p->source);
    default: return psc_format(arena, "f->arena + f->slots[%u]", p->source);
    }
}

static bool is_written(const psy__kernel_ir *k, uint32_t place)
{
    for (uint32_t i = 1; i <= k->node_count; i++) {
        const psy__knode *n = &k->nodes[i];
        bool labels = n->op == PSY_K_RANKED && n->more == place;
        if (((n->op == PSY_K_STORE || n->op == PSY_K_RANKED) && n->place == place) || labels) {
            return true;
        }
    }
    return false;
}

static bool is_variant(const psy__kernel_ir *k)
{
    for (uint32_t i = 1; i <= k->node_count; i++) {
        if (k->nodes[i].op == PSY_K_FIELD) {
            return k->module->fields[k->nodes[i].place].kind == PSY_FIELD_VARIANT;
        }
    }
    return false;
}

static bool is_read_as_size(const psy__kernel_ir *k, uint32_t symbol)
{
    bool used = false;
    for (uint32_t d = 0; d < k->rank; d++) {
        used = used || (d != k->axis && psy__dim_is_symbol(k->dims[d]) && psy__dim_symbol(k->dims[d]) == symbol &&
                        (psc_kernel_has(k, PSY_K_SPACE) || is_variant(k)));
    }
    for (uint32_t i = 1; i <= k->node_count; i++) {
        used = used || (k->nodes[i].op == PSY_K_SIZE && k->nodes[i].place == symbol);
    }
    return used;
}

void psc_emit_c_kernel(psc_arena *arena, const psy__kernel_ir *k, const char *name, const char *stem, FILE *to)
{
    psc_kernel_text t = psc_kernel_text_begin(arena, k, &language, to);
    bool row = psc_kernel_has(k, PSY_K_ROW);
    fprintf(to, "\n// %s", psc_kernel_comment(arena, psc_kernel_space(arena, k)));
    fprintf(to, k->line ? ": %s\n" : "\n", k->line ? psc_kernel_source(arena, k->module, k->line) : "");
    fprintf(to, "static %s %s(const psy_kernel_frame *f)\n{\n", row ? "int" : "void", name);
    t.line = k->line;
    t.indent = 1;
    for (uint32_t i = 0; i < k->place_count; i++) {
        const psy__kplace *p = &k->places[i];
        const char *T = psc_c_type(p->dtype), *place = psc_kernel_place_name(arena, k, i), *start = start_of(arena, k, p, stem);
        if (p->kind == PSY_PLACED_PARTIAL) {
            psc_kernel_line(&t, "const unsigned char *%s = %s;", place, start);
        } else if (is_written(k, i)) {
            psc_kernel_line(&t, "%s *%s = (%s *)(void *)(%s);", T, place, T, start);
        } else if (p->kind != PSY_PLACED_ROW || !row) {
            psc_kernel_line(&t, "const %s *%s = (const %s *)(const void *)(%s);", T, place, T, start);
        }
    }
    for (uint32_t s = 0; s < k->module->symbol_count; s++) {
        if (is_read_as_size(k, s)) {
            psc_kernel_line(&t, "const uint64_t %s = f->sizes[%u];", psc_kernel_size_name(arena, k->module, s), s);
        }
    }
    psc_kernel_text_all(&t);
    fprintf(to, "}\n");
}
