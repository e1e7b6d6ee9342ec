/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the C program of one side of tests/golden/compat: write_exchange SIDE FOLDER PAIR...
 * It includes the header of PAIR/SIDE.psy of each pair and writes and reads all messages in it: exchange.h says how. Types with
 * fields that headers do not have yet are left out; their names go to standard error. */
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "schema_names.h"

static psc_arena arena;

#define TEXT(...) psc_format(&arena, __VA_ARGS__)

/* What the old side calls it: the doc comment of a renamed field or type is its old name. */
static const char *key_of(const char *name, const char *doc)
{
    size_t n = doc ? strspn(doc, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") : 0;
    return n > 0 && doc[n] == '\0' ? doc : name;
}

static bool is_own(const psc_field *f) { return f->layout.parent == PSY_NONE; }
static bool is_there(const psc_field *f) { return is_own(f) && !(f->layout.flags & PSY_FIELD_RETIRED); }
static bool is_text(const psc_field *f) { return (f->layout.flags & PSY_FIELD_TEXT) != 0; }

static bool has_headers(const psc_schema *s)
{
    for (uint32_t i = 0; i < s->order_count; i++) {
        const psc_message *m = s->order[i];
        if (m->layout.kind != PSY_TYPE_MESSAGE) {
            return false;
        }
        for (uint32_t k = 0; k < m->field_count; k++) {
            const psc_field *f = &m->fields[k];
            if (!psc_field_is_value(f) || f->layout.kind == PSY_FIELD_STRUCT || f->layout.flags >> PSY_FIELD_ALIGN_SHIFT) {
                return false;
            }
        }
    }
    return true;
}

/* A C expression for element `i` of what message `n` has. */
static const char *value_text(const psc_field *f, const char *i)
{
    const char *key = key_of(f->name, f->doc);
    switch (f->layout.dtype) {
    case PSY_F32:
    case PSY_F64: return TEXT("(%s)exchange_real(\"%s\", n, %s)", f->layout.dtype == PSY_F32 ? "float" : "double", key, i);
    case PSY_BOOL: return TEXT("(exchange_bits(\"%s\", n, %s) & 1) != 0", key, i);
    case PSY_F16:
    case PSY_BF16: return TEXT("(uint16_t)exchange_bits(\"%s\", n, %s)", key, i);
    default: {
        const bool is_signed = psy__dtype_class(f->layout.dtype) == PSY_DCLASS_SINT;
        return TEXT("(%sint%u_t)exchange_bits(\"%s\", n, %s)", is_signed ? "" : "u", psy__dtype_bytes(f->layout.dtype) * 8, key,
                    i);
    }
    }
}

/* A call that prints the C expression. */
static const char *print_text(const psc_field *f, const char *value)
{
    switch (f->layout.dtype) {
    case PSY_F32:
    case PSY_F64: return TEXT("exchange_float(l, (double)%s)", value);
    case PSY_I8:
    case PSY_I16:
    case PSY_I32:
    case PSY_I64: return TEXT("exchange_signed(l, %s)", value);
    default: return TEXT("exchange_unsigned(l, %s)", value);
    }
}

static void fill_elements(FILE *to, const char *t, const psc_field *f, const char *count)
{
    fprintf(to, "        for (unsigned i = 0; i < %s; i++) {\n", count);
    fprintf(to, "            %s_mutable_%s(m)[i] = %s;\n        }\n", t, f->name, value_text(f, "i"));
}

static void write_fill(FILE *to, const char *t, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const char *key = key_of(f->name, f->doc);
    const bool array = (l->flags & PSY_FIELD_IS_ARRAY) != 0;
    fputs("    {\n", to);
    if (f->part) {
        fprintf(to, "        %s_fill(%s_mutable_%s(m), n);\n", psc_snake(&arena, f->part->full_name), t, f->name);
    } else if (l->kind == PSY_FIELD_VARIANT) {
        fprintf(to, "        const uint32_t dims[] = {exchange_count(\"%s\", n, %u)};\n", key, l->count / 4);
        fprintf(to, "        float *at = (float *)%s_set_%s(m, PSY_F32, 1, dims);\n", t, f->name);
        fprintf(to, "        for (unsigned i = 0; at && i < dims[0]; i++) {\n");
        fprintf(to, "            at[i] = (float)exchange_real(\"%s\", n, i);\n        }\n", key);
    } else if (is_text(f) && array) {
        const bool bounded = l->kind == PSY_FIELD_BOUNDED;
        const char *count = bounded ? TEXT("exchange_count(\"%s\", n, %u)", key, l->count) : TEXT("%u", l->count);
        fprintf(to, "        char text[%u];\n        const uint32_t rows = %s;\n", l->inner, count);
        fprintf(to, "        for (uint32_t i = 0; i < rows; i++) {\n");
        fprintf(to, "            const size_t bytes = exchange_text(text, \"%s\", n, i, %u);\n", key, l->inner);
        fprintf(to, "            good = %s_set_%s(m, i, text, bytes) && good;\n        }\n", t, f->name);
        fprintf(to, bounded ? "        %s_set_%s_count(m, rows);\n" : "", t, f->name);
    } else if (is_text(f)) {
        fprintf(to, "        char text[%u];\n", l->count);
        fprintf(to, "        const size_t bytes = exchange_text(text, \"%s\", n, 0, %u);\n", key, l->count);
        fprintf(to, "        good = %s_set_%s(m, text, bytes) && good;\n", t, f->name);
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        fprintf(to, "        if (exchange_count(\"%s\", n, 1) == 0) {\n            %s_clear_%s(m);\n        } else {\n", key, t,
                f->name);
        if (array) {
            fill_elements(to, t, f, TEXT("%uu", l->count));
        } else {
            fprintf(to, "            %s_set_%s(m, %s);\n", t, f->name, value_text(f, "0"));
        }
        fputs("        }\n", to);
    } else if (l->kind == PSY_FIELD_SCALAR) {
        fprintf(to, "        %s_set_%s(m, %s);\n", t, f->name, value_text(f, "0"));
    } else if (l->kind == PSY_FIELD_BOUNDED) {
        fprintf(to, "        %s_set_%s_count(m, exchange_count(\"%s\", n, %u));\n", t, f->name, key, l->count);
        fill_elements(to, t, f, TEXT("%s_%s_count(m)", t, f->name));
    } else {
        fill_elements(to, t, f, TEXT("%uu", l->count));
    }
    fputs("    }\n", to);
}

static void print_elements(FILE *to, const char *t, const psc_field *f, const char *count)
{
    fprintf(to, "    for (unsigned i = 0; i < %s; i++) {\n        %s;\n    }\n", count,
            print_text(f, TEXT("%s_%s(m)[i]", t, f->name)));
}

static void write_print(FILE *to, const char *t, const psc_field *f)
{
    const psy_psm_field *l = &f->layout;
    const char *key = key_of(f->name, f->doc);
    const bool array = (l->flags & PSY_FIELD_IS_ARRAY) != 0;
    if (f->part) {
        fprintf(to, "    {\n        exchange_lines inner = exchange_inside(l, \"%s\");\n", key);
        fprintf(to, "        %s_print_lines(%s_%s(m), &inner);\n    }\n", psc_snake(&arena, f->part->full_name), t, f->name);
        return;
    }
    fprintf(to, "    exchange_key(l, \"%s\");\n", key);
    if (l->kind == PSY_FIELD_VARIANT) {
        fprintf(to, "    {\n        psy_variant_view view;\n        if (%s_%s(m, &view) == PSY_OK) {\n", t, f->name);
        fprintf(to, "            const float *at = (const float *)psy_variant_elements(&view, PSY_F32);\n");
        fprintf(to, "            for (unsigned i = 0; at && i < view.dims[0]; i++) {\n");
        fprintf(to, "                exchange_float(l, (double)at[i]);\n            }\n        }\n    }\n");
    } else if (is_text(f) && array) {
        const char *count = l->kind == PSY_FIELD_BOUNDED ? TEXT("%s_%s_count(m)", t, f->name) : TEXT("%uu", l->count);
        fprintf(to, "    for (unsigned i = 0; i < %s; i++) {\n", count);
        fprintf(to, "        exchange_bytes(l, %s_%s(m, i), %s_%s_bytes(m, i));\n", t, f->name, t, f->name);
        fprintf(to, "        fputs(\", \", l->to);\n    }\n");
    } else if (is_text(f)) {
        fprintf(to, "    exchange_bytes(l, %s_%s(m), %s_%s_bytes(m));\n", t, f->name, t, f->name);
    } else if (l->kind == PSY_FIELD_OPTIONAL) {
        fprintf(to, "    if (!%s_has_%s(m)) {\n        fputs(\"none\", l->to);\n    } else {\n", t, f->name);
        if (array) {
            print_elements(to, t, f, TEXT("%uu", l->count));
        } else {
            fprintf(to, "        %s;\n", print_text(f, TEXT("%s_%s(m)", t, f->name)));
        }
        fputs("    }\n", to);
    } else if (l->kind == PSY_FIELD_SCALAR) {
        fprintf(to, "    %s;\n", print_text(f, TEXT("%s_%s(m)", t, f->name)));
    } else {
        print_elements(to, t, f, l->kind == PSY_FIELD_BOUNDED ? TEXT("%s_%s_count(m)", t, f->name) : TEXT("%uu", l->count));
    }
    fputs("    exchange_end(l);\n", to);
}

static void write_type(FILE *to, const psc_message *m)
{
    const char *t = psc_snake(&arena, m->full_name);
    fprintf(to, "\nstatic bool %s_fill(%s *m, unsigned n)\n{\n    bool good = true;\n    (void)m, (void)n;\n", t, t);
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (is_there(&m->fields[i])) {
            write_fill(to, t, &m->fields[i]);
        }
    }
    fprintf(to, "    return good;\n}\n\nstatic void %s_print_lines(const %s *m, exchange_lines *l)\n{\n    (void)m, (void)l;\n",
            t, t);
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (is_there(&m->fields[i])) {
            write_print(to, t, &m->fields[i]);
        }
    }
    fprintf(to, "}\n\nstatic size_t %s_write_one(void *memory, unsigned n)\n{\n    %s *m = %s_init(memory);\n", t, t, t);
    fprintf(to, "    return n > 0 && !%s_fill(m, n) ? 0 : m->header.bytes;\n}\n", t);
    fprintf(to, "static void %s_print_one(const void *message, size_t bytes, exchange_lines *l)\n{\n    (void)bytes;\n", t);
    fprintf(to, "    %s_print_lines((const %s *)message, l);\n}\n", t, t);
    fprintf(to,
            "static psy_status %s_read_one(void *to, const void *bytes, size_t n) { return %s_read((%s *)to, bytes, n); }\n", t,
            t, t);
}

/* The types of a pair; a row for each goes to `rows`. */
static bool write_pair(FILE *to, FILE *rows, const char *side, const char *folder, const char *pair)
{
    psc_diagnostics diags = {.arena = &arena};
    const psc_source *source = psc_source_read(&arena, TEXT("%s/%s/%s.psy", folder, pair, side));
    const psc_schema *s = source ? psc_schema_parse(&arena, &diags, source) : NULL;
    if (!s) {
        fprintf(stderr, "%s/%s.psy cannot be read\n", pair, side);
        return false;
    }
    if (!has_headers(s)) {
        fprintf(stderr, "left out: %s\n", pair);
        return true;
    }
    fprintf(to, "\n/* ---- %s ---- */\n\n#include \"%s/%s.psy.h\"\n#undef %s_PSY_H\n", pair, pair, side,
            strcmp(side, "old") == 0 ? "OLD" : "NEW");
    for (uint32_t i = 0; i < s->order_count; i++) {
        const psc_message *m = s->order[i];
        const char *t = psc_snake(&arena, m->full_name);
        write_type(to, m);
        fprintf(rows, "    {\"%s.%s\", %s_write_one, %s_verify, %s_read_one, %s_print_one},\n", pair, key_of(m->name, m->doc),
                t, t, t, t);
    }
    return true;
}

int main(int argc, char **argv)
{
    psc_arena_init(&arena);
    char *text = NULL;
    size_t n = 0;
    FILE *rows = open_memstream(&text, &n);
    bool good = argc > 3 && rows;
    if (good) {
        printf("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by write_exchange. */\n#include \"exchange.h\"\n");
    }
    for (int i = 3; i < argc && good; i++) {
        good = write_pair(stdout, rows, argv[1], argv[2], argv[i]);
    }
    if (good && fclose(rows) == 0) {
        printf("\nstatic const exchange_type types[] = {\n%s};\n\nint main(int argc, char **argv)\n{\n", text);
        printf("    return exchange_main(types, sizeof types / sizeof types[0], \"%s\", argc, argv);\n}\n", argv[1]);
    }
    free(text);
    psc_arena_fini(&arena);
    return good && fflush(stdout) == 0 ? 0 : 1;
}
