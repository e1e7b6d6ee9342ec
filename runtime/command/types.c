/* SPDX-License-Identifier: Apache-2.0 */
/* psyne types: what messages a module knows. */
#include <inttypes.h>
#include <string.h>

#include "command/command.h"
#include "command/json_text.h"

static const char *const kinds[PSY_TYPE_KIND_END] = {"message", "struct", "union", "enum", "flags"};

static void list_type(const psy_reflection *r, const psy_psm_type *t)
{
    printf("%-8s%-32s%9" PRIu32 " byte%s", kinds[t->kind], psy_reflect_string(r, t->name), t->bytes, t->bytes == 1 ? "" : "s");
    if (t->kind == PSY_TYPE_MESSAGE) {
        printf("%s  version %-3u  layout %016" PRIx64, t->flags & PSY_TYPE_TAILED ? " and a tail" : "           ", t->version,
               t->layout_hash);
    }
    putchar('\n');
}

static bool has_values(const psy_psm_type *t) { return t->kind == PSY_TYPE_ENUM || t->kind == PSY_TYPE_FLAGS; }

static void print_value(const psy_psm_type *t, const psy_psm_field *f)
{
    const unsigned bits = 64 - 8 * psy_dtype_bytes(t->dtype);
    const bool is_signed = t->dtype == PSY_I8 || t->dtype == PSY_I16 || t->dtype == PSY_I32 || t->dtype == PSY_I64;
    if (is_signed) {
        printf("%" PRId64, (int64_t)(f->default_bits << bits) >> bits);
    } else {
        printf("%" PRIu64, f->default_bits);
    }
}

/* The names of an enum's or flags' values. */
static void list_value(const psy_reflection *r, const psy_psm_type *t, const psy_psm_field *f)
{
    printf("    %s = ", psy_reflect_string(r, f->name));
    if (t->kind == PSY_TYPE_FLAGS) {
        printf("0x%" PRIx64, f->default_bits);
    } else {
        print_value(t, f);
    }
    putchar('\n');
}

/* "     64  vector: f32[16]" */
static void list_field(const psy_reflection *r, const psy_psm_field *f)
{
    char text[256];
    printf("%9" PRIu32 "  %s: %s", f->offset, psy_reflect_string(r, f->name), psy_reflect_field_text(r, f, text, sizeof text));
    fputs(f->flags & PSY_FIELD_KEY ? " @key" : "", stdout);
    if (f->since > 1) {
        printf(" @since(%" PRIu32 ")", f->since);
    }
    fputs(f->flags & PSY_FIELD_RETIRED ? " @retired" : f->flags & PSY_FIELD_DEPRECATED ? " @deprecated" : "", stdout);
    if (f->count_offset != PSY_NONE) {
        static const char *const what[PSY_FIELD_KIND_END] = {[PSY_FIELD_BOUNDED] = "count",
                                                             [PSY_FIELD_OPTIONAL] = "whether it is there",
                                                             [PSY_FIELD_VARIANT] = "type and shape",
                                                             [PSY_FIELD_UNION] = "which"};
        printf(", %s at %" PRIu32, what[f->kind] ? what[f->kind] : "count", f->count_offset);
    }
    if (f->inner_offset != PSY_NONE) {
        printf(", %s at %" PRIu32, f->kind == PSY_FIELD_OPTIONAL ? "length" : "lengths", f->inner_offset);
    }
    putchar('\n');
}

static void list_fields(const psy_reflection *r, const psy_psm_type *t)
{
    list_type(r, t);
    for (uint32_t i = 0; i < t->field_count; i++) {
        const psy_psm_field *f = &r->fields[t->first_field + i];
        if (has_values(t)) {
            list_value(r, t, f);
        } else {
            list_field(r, f);
        }
    }
}

/* ---- as JSON ---- */

static void print_member(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    psy__json_text(stdout, text);
}

static void print_field(const psy_reflection *r, const psy_psm_field *f)
{
    char text[256];
    print_member("name", psy_reflect_string(r, f->name));
    fputs(", ", stdout);
    print_member("type", psy_reflect_field_text(r, f, text, sizeof text));
    printf(", \"offset\": %" PRIu32 ", \"since\": %" PRIu32, f->offset, f->since);
    fputs(f->flags & PSY_FIELD_KEY ? ", \"key\": true" : "", stdout);
    fputs(f->flags & PSY_FIELD_RETIRED ? ", \"retired\": true" : "", stdout);
    fputs(f->flags & PSY_FIELD_DEPRECATED ? ", \"deprecated\": true" : "", stdout);
    if (f->count_offset != PSY_NONE) {
        printf(", \"count_offset\": %" PRIu32, f->count_offset);
    }
    if (f->inner_offset != PSY_NONE) {
        printf(", \"inner_offset\": %" PRIu32, f->inner_offset);
    }
}

static void print_type(const psy_reflection *r, const psy_psm_type *t)
{
    fputs("{", stdout);
    print_member("name", psy_reflect_string(r, t->name));
    printf(", \"kind\": \"%s\", \"bytes\": %" PRIu32, kinds[t->kind], t->bytes);
    if (t->kind == PSY_TYPE_MESSAGE) {
        printf(", \"tail\": %s, \"version\": %u, \"layout\": \"%016" PRIx64 "\"", t->flags & PSY_TYPE_TAILED ? "true" : "false",
               t->version, t->layout_hash);
    }
    printf(", \"%s\": [", has_values(t) ? "values" : "fields");
    for (uint32_t i = 0; i < t->field_count; i++) {
        const psy_psm_field *f = &r->fields[t->first_field + i];
        fputs(i ? ", {" : "{", stdout);
        if (has_values(t)) {
            print_member("name", psy_reflect_string(r, f->name));
            fputs(", \"value\": ", stdout);
            print_value(t, f);
        } else {
            print_field(r, f);
        }
        fputs("}", stdout);
    }
    fputs("]}\n", stdout);
}

int psy__types(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_TYPES, .argc = argc, .argv = argv, .at = 1};
    const char *value, *module_path = NULL;
    psy_module *module = NULL;
    int names = 0, status = 0;
    bool json = false;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_TYPES_MODULE: module_path = value; break;
        case PSY_OPTION_TYPES_JSON: json = true; break;
        case PSY_OPTION_TYPES_HELP: psy__help_write(PSY_COMMAND_TYPES, stdout); return 0;
        default: argv[names++] = argv[line.at - 1]; break;
        }
    }
    if (!module_path) {
        psy__misuse("`psynec shop.psy --emit=bytecode` writes the module of a schema, shop.psy.psm", "--module is missing");
    }
    const psy_status opened = psy_module_open(module_path, &module);
    if (opened != PSY_OK) {
        return psy__complain(NULL, opened);
    }
    const psy_reflection *r = psy_module_reflection(module);
    for (uint32_t i = 0; names == 0 && i < r->type_count; i++) {
        (json ? print_type : list_type)(r, &r->types[i]);
    }
    for (int i = 0; i < names; i++) {
        psy_type type;
        const psy_status found = psy_reflect_find(r, argv[i], &type);
        if (found == PSY_OK) {
            (json ? print_type : list_fields)(r, psy_reflect_type(&type));
        } else {
            status = psy__complain(module_path, found);
        }
    }
    psy_module_close(module);
    return status;
}
