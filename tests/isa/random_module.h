/* SPDX-License-Identifier: Apache-2.0 */
/* Assembly text of a random but valid module: every class of operation, regions with and without a reduction, names that need
 * care. The same seed gives the same text. */
#ifndef PSY_TESTS_ISA_RANDOM_MODULE_H
#define PSY_TESTS_ISA_RANDOM_MODULE_H

#include <stdarg.h>

#include "isa/lexer.h"
#include "sample.h"

enum { RANDOM_REGISTERS = 160, RANDOM_TEXT = 1 << 16 };

typedef struct random_text {
    char text[RANDOM_TEXT];
    size_t n;
} random_text;

typedef struct random_register {
    unsigned dtype, rank;
    psy_dim dims[PSY_RANK_MAX];
    bool stridden; /* a view whose elements do not lie one after the other */
} random_register;

typedef struct random_module {
    uint64_t state;
    random_text all, code;
    random_register registers[RANDOM_REGISTERS];
    unsigned count, slots, stored;
} random_module;

static void say(random_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void say(random_text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    t->n += (size_t)vsnprintf(t->text + t->n, sizeof t->text - t->n, format, arguments);
    va_end(arguments);
    cr_assert(t->n < sizeof t->text);
}

static inline unsigned below(random_module *g, unsigned n) { return (unsigned)(sample_random(&g->state) >> 33) % n; }

static const char *const random_dims[] = {"N.local", "shards", "N", "K", "computed"};

static inline psy_dim random_dim(random_module *g)
{
    return below(g, 3) == 0 ? PSY_DIM_SYMBOL | below(g, 5) : below(g, 4) == 0 ? 1 : 1 + below(g, 9);
}

static inline void say_dims(random_text *t, const psy_dim *dims, unsigned rank)
{
    for (unsigned d = 0; d < rank; d++) {
        say(t, "%s", d ? ", " : "[");
        if (psy__dim_is_symbol(dims[d])) {
            say(t, "%s", random_dims[psy__dim_symbol(dims[d])]);
        } else {
            say(t, "%u", dims[d]);
        }
    }
    say(t, "%s", rank ? "]" : "");
}

/* `%7: f32[N] @3 = `; the register's number. */
static inline unsigned say_result(random_module *g, const char *indent, random_register r, bool slot)
{
    unsigned number = g->count++;
    g->registers[number] = r;
    say(&g->code, "%s%%%u: %s", indent, number, psy__dtype_name(r.dtype));
    say_dims(&g->code, r.dims, r.rank);
    if (slot) {
        say(&g->code, " @%u", g->slots++);
    }
    return number;
}

static inline void end_instruction(random_module *g)
{
    if (below(g, 4) == 0) {
        say(&g->code, " from \"%s\" %u:%u", below(g, 2) ? "a \\\"b\\\\c\xc3\xa9.hrm" : "x", 1 + below(g, 1000),
            1 + below(g, 100));
    }
    say(&g->code, ";\n");
}

/* A register of a dtype that computes; the views come first, so that there is always one. */
static inline unsigned pick(random_module *g)
{
    for (;;) {
        unsigned r = below(g, g->count);
        if (psy__dtype_computes(g->registers[r].dtype)) {
            return r;
        }
    }
}

static inline const psy_op_info *pick_op(random_module *g, psy_op_class class_, unsigned dtype)
{
    for (;;) {
        const psy_op_info *info = psy__op_row(below(g, psy__op_count()));
        if (info->class_ == class_ && psy__op_takes(info, dtype)) {
            return info;
        }
    }
}

static inline bool broadcasts(const random_register *a, const random_register *b, random_register *out)
{
    *out = (random_register){.dtype = a->dtype, .rank = a->rank > b->rank ? a->rank : b->rank};
    for (unsigned i = 1; i <= out->rank; i++) {
        psy_dim x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            return false;
        }
        out->dims[out->rank - i] = x == 1 ? y : x;
    }
    return a->dtype == b->dtype;
}

static inline void random_region(random_module *g)
{
    unsigned a = pick(g);
    random_register space = g->registers[a];
    bool reduces = space.rank > 0 && below(g, 2);
    space.stridden = false;
    say(&g->code, "    region");
    say(&g->code, "%s", space.rank ? " " : "");
    say_dims(&g->code, space.dims, space.rank);
    say(&g->code, "%s {\n", reduces ? " reduces" : "");
    unsigned steps = 1 + below(g, 3);
    for (unsigned i = 0; i < steps; i++) {
        unsigned r = say_result(g, "        ", space, below(g, 3) == 0 || (!reduces && i + 1 == steps));
        say(&g->code, " = %s.%s %%%u, %%%u", pick_op(g, PSY_CLASS_MAP2, space.dtype)->name, psy__dtype_name(space.dtype), a, a);
        end_instruction(g);
        a = r;
    }
    if (reduces) {
        random_register small = space;
        small.dims[--small.rank] = 0;
        bool two = below(g, 2);
        unsigned r = say_result(g, "        ", small, below(g, 2));
        const char *dtype = psy__dtype_name(space.dtype);
        if (two) {
            say(&g->code, " = %s.%s %%%u, %%%u", pick_op(g, PSY_CLASS_REDUCE2, space.dtype)->name, dtype, a, a);
        } else {
            say(&g->code, " = %s.%s %%%u, %u", pick_op(g, PSY_CLASS_REDUCE1, space.dtype)->name, dtype, a, space.rank - 1);
        }
        end_instruction(g);
        say_result(g, "        ", small, true);
        say(&g->code, " = %s.%s %%%u", pick_op(g, PSY_CLASS_MAP1, space.dtype)->name, dtype, r);
        end_instruction(g);
    }
    say(&g->code, "    }\n");
}

/* Views: of anything, also of views. What was not made by a reshape is not reshaped: `stridden`. */
static inline void random_view(random_module *g, unsigned a)
{
    random_register x = g->registers[a], r = x;
    const char *dtype = psy__dtype_name(x.dtype);
    unsigned axis = x.rank ? below(g, x.rank) : 0, order = 0;
    switch (below(g, 4)) {
    case 0:
        if (!x.stridden && x.rank < PSY_RANK_MAX) {
            r.dims[r.rank++] = 1;
            say_result(g, "    ", r, false);
            say(&g->code, " = reshape.%s %%%u", dtype, a);
            end_instruction(g);
        }
        return;
    case 1: /* turned around by so many axes */
        for (unsigned d = 0; d < x.rank; d++) {
            r.dims[d] = x.dims[(d + axis) % x.rank];
            order |= (d + axis) % x.rank << 4 * d;
        }
        r.stridden = true;
        say_result(g, "    ", r, false);
        say(&g->code, " = permute.%s %%%u, %u", dtype, a, order);
        break;
    case 2:
        if (x.rank == 0) {
            return;
        }
        r.stridden = true;
        r.dims[axis] = 1;
        bool symbolic = psy__dim_is_symbol(x.dims[axis]);
        r.dims[axis] = symbolic && below(g, 2) ? PSY_DIM_SYMBOL | below(g, 5) : 1;
        if (!symbolic && x.dims[axis] == 0) {
            r.dims[axis] = 0;
        }
        say_result(g, "    ", r, false);
        say(&g->code, " = slice.%s %%%u, %u, %s, %d", dtype, a, axis, symbolic && below(g, 2) ? random_dims[below(g, 5)] : "0",
            (int)below(g, 9) - 9);
        break;
    default:
        if (x.rank == PSY_RANK_MAX) {
            return;
        }
        memmove(r.dims + 1, r.dims, r.rank++ * sizeof *r.dims);
        r.dims[0] = random_dim(g);
        r.stridden = true;
        say_result(g, "    ", r, false);
        say(&g->code, " = repeat.%s %%%u", dtype, a);
    }
    end_instruction(g);
}

static inline bool is_integer(unsigned dtype)
{
    return psy__dtype_computes(dtype) && psy__dtype_class(dtype) != PSY_DCLASS_FLOAT;
}

static inline void random_move(random_module *g, unsigned a, unsigned b)
{
    random_register x = g->registers[a], y = g->registers[b], r = x;
    const char *dtype = psy__dtype_name(x.dtype);
    unsigned axis = x.rank ? below(g, x.rank) : 0;
    r.stridden = false;
    switch (below(g, 5)) {
    case 0:
        if (x.rank > 0) {
            say_result(g, "    ", r, true);
            say(&g->code, " = iota.%s %u", dtype, axis);
            end_instruction(g);
        }
        return;
    case 1:
        if (x.rank > 0 && !psy__dim_is_symbol(x.dims[axis]) && x.dims[axis] < 50) {
            unsigned count = 1 + below(g, 5);
            r.dims[axis] *= count;
            say_result(g, "    ", r, true);
            say(&g->code, " = concat.%s %u", dtype, axis);
            for (unsigned i = 0; i < count; i++) {
                say(&g->code, ", %%%u", a);
            }
            end_instruction(g);
        }
        return;
    case 2:
        if (x.rank > 0 && is_integer(y.dtype) && x.rank + y.rank <= PSY_RANK_MAX) {
            bool scatters = y.rank == 1 && below(g, 2);
            axis = scatters ? 0 : axis;
            memmove(r.dims + axis + y.rank, r.dims + axis + 1, (x.rank - axis - 1) * sizeof *r.dims);
            memcpy(r.dims + axis, y.dims, y.rank * sizeof *r.dims);
            r.rank = x.rank - 1 + y.rank;
            memset(r.dims + r.rank, 0, (PSY_RANK_MAX - r.rank) * sizeof *r.dims);
            unsigned parts = say_result(g, "    ", r, true);
            say(&g->code, " = gather.%s %%%u, %%%u, %u", dtype, a, b, axis);
            end_instruction(g);
            if (scatters) {
                r = x;
                r.stridden = false;
                say_result(g, "    ", r, true);
                say(&g->code, " = scatter.%s %%%u, %%%u, %%%u", dtype, a, b, parts);
                end_instruction(g);
            }
        }
        return;
    case 3:
        if (x.rank > 0) {
            say_result(g, "    ", r, true);
            say(&g->code, " = cumsum.%s %%%u, %u", dtype, a, axis);
            end_instruction(g);
        }
        return;
    default:
        if (x.rank > 0) {
            r.dims[x.rank - 1] = psy__dim_is_symbol(x.dims[x.rank - 1]) ? random_dim(g) : x.dims[x.rank - 1];
            say_result(g, "    ", r, true);
            r.dtype = PSY_U64;
            say_result(g, ", ", r, true);
            say(&g->code, " = sort.%s %%%u, ", dtype, a);
            if (psy__dim_is_symbol(r.dims[x.rank - 1])) {
                say(&g->code, "%s", random_dims[psy__dim_symbol(r.dims[x.rank - 1])]);
            } else {
                say(&g->code, "%u", r.dims[x.rank - 1]);
            }
            say(&g->code, ", %u", below(g, 2));
            end_instruction(g);
        }
    }
}

/* A comparison, and a choice by it. */
static inline void random_choice(random_module *g, unsigned a)
{
    random_register x = g->registers[a], truth = x;
    truth.dtype = PSY_BOOL;
    truth.stridden = x.stridden = false;
    const char *dtype = psy__dtype_name(x.dtype);
    unsigned first = say_result(g, "    ", truth, true);
    say(&g->code, " = %s.%s %%%u, %%%u", pick_op(g, PSY_CLASS_COMPARE, x.dtype)->name, dtype, a, a);
    end_instruction(g);
    unsigned other = say_result(g, "    ", truth, true);
    say(&g->code, " = %s.bool %%%u, %%%u", pick_op(g, PSY_CLASS_MAP2, PSY_BOOL)->name, first, first);
    end_instruction(g);
    unsigned chosen = say_result(g, "    ", x, true);
    say(&g->code, " = choose.%s %%%u, %%%u, %%%u", dtype, other, a, a);
    end_instruction(g);
    if (psy__dtype_class(x.dtype) == PSY_DCLASS_FLOAT) {
        say_result(g, "    ", x, true);
        say(&g->code, " = fma.%s %%%u, %%%u, %%%u", dtype, a, chosen, a);
        end_instruction(g);
    }
}

static inline void random_step(random_module *g)
{
    unsigned a = pick(g), b = pick(g);
    random_register x = g->registers[a], r = x;
    const char *dtype = psy__dtype_name(x.dtype);
    r.stridden = false;
    switch (below(g, 11)) {
    case 0:
        say_result(g, "    ", r, true);
        say(&g->code, " = %s.%s %%%u", pick_op(g, PSY_CLASS_MAP1, x.dtype)->name, dtype, a);
        end_instruction(g);
        break;
    case 6:
    case 7: random_view(g, a); break;
    case 8:
    case 9: random_move(g, a, b); break;
    case 10: random_choice(g, a); break;
    case 1:
        if (broadcasts(&x, &g->registers[b], &r)) {
            say_result(g, "    ", r, true);
            say(&g->code, " = %s.%s %%%u, %%%u", pick_op(g, PSY_CLASS_MAP2, x.dtype)->name, dtype, a, b);
            end_instruction(g);
        }
        break;
    case 2:
        r.dtype = 1 + below(g, 13);
        say_result(g, "    ", r, true);
        say(&g->code, " = cast.%s %%%u", psy__dtype_name(r.dtype), a);
        end_instruction(g);
        break;
    case 3:
        if (x.rank > 0) {
            unsigned axis = below(g, x.rank);
            memmove(r.dims + axis, r.dims + axis + 1, (PSY_RANK_MAX - 1 - axis) * sizeof *r.dims);
            r.dims[--r.rank] = 0;
            say_result(g, "    ", r, true);
            say(&g->code, " = %s.%s %%%u, %u", pick_op(g, PSY_CLASS_REDUCE1, x.dtype)->name, dtype, a, axis);
            end_instruction(g);
        }
        break;
    case 4:
        if (x.rank > 0) {
            unsigned k = 1 + below(g, 5);
            r = (random_register){.dtype = x.dtype, .rank = 1, .dims = {k}};
            say_result(g, "    ", r, true);
            r.dtype = PSY_U64;
            say_result(g, ", ", r, true);
            say(&g->code, " = topk.%s %%%u, -, %u, %s", dtype, a, k, below(g, 2) ? "N.local" : "-");
            end_instruction(g);
        }
        break;
    default: random_region(g); break;
    }
}

/* Slotless registers of regions must not be read outside: regions are made of fresh ones, which are hidden here. */
static inline void random_steps(random_module *g, unsigned steps)
{
    for (unsigned i = 0; i < steps && g->count < RANDOM_REGISTERS - 12; i++) {
        unsigned first = g->count;
        random_step(g);
        const char *at = g->code.text;
        for (unsigned r = first; r < g->count; r++) {
            char mark[24];
            snprintf(mark, sizeof mark, "%%%u: ", r);
            const char *text = strstr(at, mark), *end = text ? strpbrk(text, "@=") : NULL;
            if (end && *end == '=') {
                g->registers[r].dtype = 0;
            }
        }
    }
}

/* What programs do not read; true where a field became such. */
static inline bool random_other_field(random_module *g)
{
    static const char *const types[] = {": u8?",
                                        ": f64[20]?",
                                        ": string[<=70]",
                                        ": string[<=3][4]",
                                        ": string[<=33][<=2]",
                                        ": variant[<=9]",
                                        ": string[<=9]? = \"\\n'\"",
                                        ": r.Bits",
                                        ": r.Lang[3]",
                                        ": r.Lang[2]?",
                                        ": r.Point[3]",
                                        ": r.Point[<=5]",
                                        ": r.Point?",
                                        ": r.Inner[2]",
                                        ": r.Inner?",
                                        ": r.Source"};
    enum { TYPES = sizeof types / sizeof types[0] };
    unsigned which = below(g, 2 * TYPES);
    say(&g->all, "%s", which < TYPES ? types[which] : "");
    return which < TYPES;
}

/* Types that fields are of, and one with tails. */
static inline void random_types(random_module *g)
{
    static const char *const tails[] = {"string",   "string?",   "string[]",  "f32[]",
                                        "r.Lang[]", "r.Point[]", "r.Inner[]", "variant"};
    say(&g->all, "enum r.Lang: %s {\n    a = %u;\n    b = 3 @since(%u);\n}\n\n", below(g, 2) ? "u8" : "i32", below(g, 100),
        1 + below(g, 2));
    say(&g->all, "flags r.Bits: u64 {\n    a = 1;\n    b = 18446744073709551615 @retired;\n}\n\n");
    say(&g->all, "struct r.Point {\n    x: %s[%u];\n    y: r.Lang%s;\n", psy__dtype_name(1 + below(g, 13)), 1 + below(g, 20),
        below(g, 2) ? " @align(32) @deprecated" : "");
    say(&g->all, "    z: struct {\n        z.a: %s;\n    }\n}\n\n", psy__dtype_name(1 + below(g, 13)));
    say(&g->all, "type r.Inner {\n    a: string[<=%u];\n}\n\n", 1 + below(g, 100));
    say(&g->all, "union r.Source {\n    a: u8;\n    b: r.Point[%u];\n    c: part {\n        c.a: string[<=5];\n    }\n}\n\n",
        1 + below(g, 5));
    say(&g->all, "type r.Tails {\n");
    for (unsigned i = 0, count = 1 + below(g, 4); i < count; i++) {
        say(&g->all, "    t%u: %s%s;\n", i, tails[below(g, 8)], below(g, 3) ? "" : " @align(8)");
    }
    say(&g->all, "}\n\n");
}

/* Parts in parts, of which the last one may be empty. */
static inline void random_part(random_module *g, unsigned depth, const char *name, bool later)
{
    say(&g->all, later ? "    %s: part @since(3) {\n" : "    %s: part {\n", name);
    for (unsigned i = 0, count = below(g, 4); i < count; i++) {
        char field[32];
        snprintf(field, sizeof field, "%s.m%u", name, i);
        if (depth < 4 && below(g, 2)) {
            random_part(g, depth + 1, field, i > 0);
        } else {
            say(&g->all, "%s", field);
            if (!random_other_field(g)) {
                say(&g->all, ": %s", psy__dtype_name(1 + below(g, 13)));
            }
            say(&g->all, i ? " @since(3);\n" : ";\n");
        }
    }
    say(&g->all, "}\n");
}

static inline void random_fields(random_module *g, unsigned *count, unsigned dtypes[16], unsigned counts[16])
{
    *count = 1 + below(g, 6);
    unsigned since = 1;
    for (unsigned i = 0; i < *count; i++) {
        unsigned dtype = 1 + below(g, 13), kind = below(g, 3);
        char value[PSY_LITERAL_BYTES];
        dtypes[i] = kind == 2 ? 0 : dtype;
        counts[i] = kind == 0 ? 0 : 1 + below(g, 40);
        say(&g->all, "    f%u", i);
        if (random_other_field(g)) {
            dtypes[i] = 0;
            say(&g->all, since > 1 ? " @since(%u);\n" : ";\n", since);
            continue;
        }
        say(&g->all, ": %s", psy__dtype_name(dtype));
        if (kind > 0) {
            say(&g->all, kind == 1 ? "[%u]" : "[<=%u]", counts[i]);
        } else if (below(g, 2)) {
            uint64_t mask = dtype == PSY_BOOL ? 1 : UINT64_MAX >> (64 - 8 * psy__dtype_bytes(dtype)),
                     bits = sample_random(&g->state) & mask;
            psy__literal_print(value, dtype, bits);
            say(&g->all, "%s%s", bits ? " = " : "", bits ? value : "");
        }
        since += below(g, 4) == 0;
        if (since > 1) {
            say(&g->all, " @since(%u)", since);
        }
        say(&g->all, ";\n");
    }
}

static inline void random_stores(random_module *g, random_text *fields)
{
    for (unsigned r = 0; r < g->count && g->stored < 12; r++) {
        const random_register *x = &g->registers[r];
        if (x->dtype == 0 || x->rank > 1 || (x->rank == 1 && (psy__dim_is_symbol(x->dims[0]) || x->dims[0] == 0))) {
            continue;
        }
        unsigned f = g->stored++;
        if (x->rank == 0) {
            say(fields, "    o%u: %s;\n", f, psy__dtype_name(x->dtype));
        } else {
            bool bounded = below(g, 2);
            say(fields, bounded ? "    o%u: %s[<=%u];\n" : "    o%u: %s[%u];\n", f, psy__dtype_name(x->dtype),
                x->dims[0] + (bounded ? below(g, 3) : 0));
        }
        say(&g->code, "    store.%s %%%u, o%u, -", psy__dtype_name(x->dtype), r, f);
        end_instruction(g);
    }
}

/* The caller frees. */
static inline char *random_module_text(uint64_t seed, size_t *n)
{
    static const char *const computed[] = {"add N 7", "sub N.local K", "mul shards 2", "div N shards"};
    random_module *g = calloc(1, sizeof *g);
    random_text *fields = calloc(1, sizeof *fields);
    unsigned count, dtypes[16], counts[16];
    g->state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    say(&g->all, "module 3.0;\n\n");
    random_types(g);
    say(&g->all, "type r.In#1 {\n");
    random_fields(g, &count, dtypes, counts);
    say(&g->all, "}\n\ntype r.Parts {\n");
    random_part(g, 1, "p", false);
    random_part(g, 1, "q", true);
    say(&g->all, "}\n");
    for (unsigned i = 0; i < count; i++) {
        if (dtypes[i] != 0) {
            say_result(g, "    ", (random_register){.dtype = dtypes[i], .rank = counts[i] != 0, .dims = {counts[i]}}, false);
            say(&g->code, " = load.%s f%u", psy__dtype_name(dtypes[i]), i);
            end_instruction(g);
        }
    }
    random_register resident = {.dtype = 1 + below(g, 13), .rank = 1 + below(g, 3)};
    for (unsigned d = 0; d < resident.rank; d++) {
        resident.dims[d] = random_dim(g);
    }
    unsigned placement = below(g, 3);
    random_register seen = resident;
    if (placement != 0) {
        resident.dims[0] = PSY_DIM_SYMBOL | 2; /* N */
        seen.dims[0] = PSY_DIM_SYMBOL | 0;     /* N.local */
    }
    say_result(g, "    ", seen, false);
    say(&g->code, " = resident.%s res_1", psy__dtype_name(seen.dtype));
    end_instruction(g);
    unsigned size_dtype = below(g, 2) ? PSY_F64 : PSY_I32;
    say_result(g, "    ", (random_register){.dtype = size_dtype}, true);
    say(&g->code, " = size.%s %s", psy__dtype_name(size_dtype), below(g, 2) ? "K" : "12");
    end_instruction(g);
    unsigned const_dtype = 1 + below(g, 13), elements = below(g, 6), bytes = 8 * elements + 16 + below(g, 9);
    say_result(g, "    ", (random_register){.dtype = const_dtype, .rank = 1, .dims = {elements}}, false);
    say(&g->code, " = const.%s 8", psy__dtype_name(const_dtype));
    end_instruction(g);
    random_steps(g, below(g, 24));
    random_stores(g, fields);
    say(&g->all,
        "\ntype r.Out {\n%s}\n\nsize N global;\nsize N.local local N;\nsize shards shards;\nsize K global;\nsize computed "
        "%s;\n",
        fields->text, computed[below(g, 4)]);
    if (below(g, 2)) {
        say(&g->all, "check N >= K \"\\\"N\\\" \\\\ K\";\ncheck shards == 2 \"\";\n");
    }
    say(&g->all, "resident res_1: %s", psy__dtype_name(resident.dtype));
    say_dims(&g->all, resident.dims, resident.rank);
    say(&g->all, "%s;\n\nconsts %u {\n    0: u8 1, 0, 255;\n    8: %s ",
        placement == 0   ? " replicated"
        : placement == 1 ? " split N.local"
                         : " keyed N.local",
        bytes, psy__dtype_name(const_dtype));
    for (unsigned i = 0; i < (elements ? elements : 1); i++) {
        char value[PSY_LITERAL_BYTES];
        psy__literal_print(value, const_dtype, sample_random(&g->state));
        say(&g->all, "%s%s", i ? ", " : "", value);
    }
    say(&g->all, ";\n}\n\nprogram r.main(r.In#1) -> r.Out slots %u {\n%s}\n", g->slots, g->code.text);
    say(&g->all, "\npipeline r(r.In#1) -> r.Out route any r.main;\n");
    *n = g->all.n;
    char *text = malloc(*n + 1);
    memcpy(text, g->all.text, *n + 1);
    free(fields);
    free(g);
    return text;
}

#endif
