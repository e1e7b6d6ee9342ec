/* SPDX-License-Identifier: Apache-2.0 */
/* The canonical text of a module. It names everything by name: verified modules have no two of a kind. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/asm.h"
#include "isa/asm_state.h"
#include "isa/layout.h"

enum { ROW_VALUES = 8 }; /* constants in a line */

typedef struct writer {
    const psy__module *m;
    char *text;
    size_t n, capacity;
    bool failed; /* no memory */
} writer;

static void put_bytes(writer *w, const char *bytes, size_t n)
{
    if (w->failed) {
        return;
    }
    if (w->capacity - w->n <= n) {
        size_t capacity = (w->capacity + n) * 2;
        char *text = realloc(w->text, capacity);
        if (!text) {
            w->failed = true;
            return;
        }
        w->text = text;
        w->capacity = capacity;
    }
    memcpy(w->text + w->n, bytes, n);
    w->n += n;
    w->text[w->n] = '\0';
}

static void put(writer *w, const char *text) { put_bytes(w, text, strlen(text)); }

static void format(writer *w, const char *format, ...) PSY_PRINTF(2, 3);

/* For short text only: names and numbers. */
static void format(writer *w, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(w, text);
}

static const char *string(const writer *w, uint32_t at) { return psy__module_string(w->m, at); }

static void put_quoted(writer *w, uint32_t at)
{
    put(w, "\"");
    for (const char *s = string(w, at); *s; s++) {
        const char escape = *s == '"' || *s == '\\' ? *s : *s == '\n' ? 'n' : *s == '\t' ? 't' : '\0';
        if (escape) {
            format(w, "\\%c", escape);
        } else {
            put_bytes(w, s, 1);
        }
    }
    put(w, "\"");
}

static void put_dim(writer *w, psy_dim d)
{
    if (d == PSY_NONE) {
        put(w, "-");
    } else if (psy__dim_is_symbol(d)) {
        put(w, string(w, w->m->symbols[psy__dim_symbol(d)].name));
    } else {
        format(w, "%u", d);
    }
}

/* f32[N, 4]; nothing after the dtype of a scalar */
static void put_dims(writer *w, const psy_dim *dims, uint32_t rank)
{
    for (uint32_t d = 0; d < rank; d++) {
        put(w, d ? ", " : "[");
        put_dim(w, dims[d]);
    }
    put(w, rank ? "]" : "");
}

/* A type's name; after the word `type` where it would mean something else. */
static const char *type_word(const writer *w, uint32_t type, char out[PSY_FIELD_TYPE_TEXT_BYTES])
{
    static const char *const taken[] = {"part", "struct", "variant", "string", "type"};
    const char *name = string(w, w->m->types[type].name);
    bool other = psy__dtype_named(name, strlen(name)) != 0;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        other = other || strcmp(name, taken[i]) == 0;
    }
    snprintf(out, PSY_FIELD_TYPE_TEXT_BYTES, "%s%s", other ? "type " : "", name);
    return out;
}

static void put_field_type(writer *w, const psy_psm_field *f)
{
    char type[PSY_FIELD_TYPE_TEXT_BYTES], element[PSY_FIELD_TYPE_TEXT_BYTES];
    if (psy__field_is_nested(f)) {
        put(w, f->kind == PSY_FIELD_PART ? "part" : "struct");
    } else {
        psy__field_type_text(type, f, f->type == PSY_NONE ? NULL : type_word(w, f->type, element));
        put(w, type);
    }
}

static void put_default(writer *w, const psy_psm_field *f)
{
    char value[PSY_LITERAL_BYTES];
    put(w, " = ");
    if (psy__field_is_text(f)) {
        put_quoted(w, (uint32_t)f->default_bits);
    } else {
        psy__literal_print(value, f->dtype, f->default_bits);
        put(w, value);
    }
}

static void put_attributes(writer *w, const psy_psm_field *f)
{
    put(w, f->flags & PSY_FIELD_KEY ? " @key" : "");
    if (psy__field_align(f) != 1) {
        format(w, " @align(%u)", psy__field_align(f));
    }
    if (f->since != 1) {
        format(w, " @since(%u)", f->since);
    }
    put(w, f->flags & PSY_FIELD_DEPRECATED ? " @deprecated" : "");
    put(w, f->flags & PSY_FIELD_RETIRED ? " @retired" : "");
}

static void put_field(writer *w, const psy_psm_type *t, uint32_t k, uint32_t depth)
{
    const psy_psm_field *f = &w->m->fields[t->first_field + k];
    const bool number = t->kind == PSY_TYPE_ENUM || t->kind == PSY_TYPE_FLAGS;
    format(w, "%*s%s", (int)depth * 4, "", string(w, f->name));
    if (!number) {
        put(w, ": ");
        put_field_type(w, f);
    }
    if (number || (f->default_bits != 0 && !psy__field_is_nested(f))) {
        put_default(w, f);
    }
    put_attributes(w, f);
    put(w, psy__field_is_nested(f) ? " {\n" : ";\n");
}

static void put_types(writer *w)
{
    static const char *const words[] = {"type", "struct", "union", "enum", "flags"};
    static_assert(sizeof words / sizeof words[0] == PSY_TYPE_KIND_END, "a word for every kind");
    for (uint32_t i = 0; i < w->m->type_count; i++) {
        const psy_psm_type *t = &w->m->types[i];
        const psy_psm_field *fields = w->m->fields + t->first_field;
        uint32_t depth = 1;
        format(w, "\n%s %s", words[t->kind], string(w, t->name));
        format(w, t->dtype ? ": %s {\n" : " {\n", psy__dtype_name(t->dtype));
        for (uint32_t k = 0; k < t->field_count; k++) {
            put_field(w, t, k, depth);
            depth += psy__field_is_nested(&fields[k]);
            /* A part without fields is its own and last. */
            uint32_t open = psy__field_is_nested(&fields[k]) ? k : fields[k].parent;
            uint32_t next = k + 1 < t->field_count ? fields[k + 1].parent : PSY_NONE;
            for (; open != next; open = fields[open].parent) {
                format(w, "%*s}\n", (int)--depth * 4, "");
            }
        }
        put(w, "}\n");
    }
}

static void put_sizes(writer *w)
{
    const psy__module *m = w->m;
    put(w, m->symbol_count + m->check_count + m->resident_count ? "\n" : "");
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        const psy_psm_symbol *s = &m->symbols[i];
        format(w, "size %s ", string(w, s->name));
        if (s->kind == PSY_SYMBOL_LOCAL) {
            format(w, "local %s;\n", string(w, m->symbols[s->of].name));
        } else if (psy__symbol_word(s->kind)) {
            format(w, "%s ", psy__symbol_word(s->kind));
            put_dim(w, s->of);
            put(w, " ");
            put_dim(w, s->with);
            put(w, ";\n");
        } else {
            put(w, s->kind == PSY_SYMBOL_SHARDS ? "shards;\n" : s->kind == PSY_SYMBOL_MESSAGE ? "message;\n" : "global;\n");
        }
    }
    for (uint32_t i = 0; i < m->check_count; i++) {
        put(w, "check ");
        put_dim(w, m->checks[i].left);
        put(w, m->checks[i].relation == PSY_CHECK_GE ? " >= " : " == ");
        put_dim(w, m->checks[i].right);
        put(w, " ");
        put_quoted(w, m->checks[i].message);
        put(w, ";\n");
    }
    for (uint32_t i = 0; i < m->resident_count; i++) {
        const psy_psm_resident *r = &m->residents[i];
        format(w, "resident %s: %s", string(w, r->name), psy__dtype_name(r->dtype));
        put_dims(w, r->dims, r->rank);
        if (r->placement == PSY_PLACE_REPLICATED) {
            put(w, " replicated");
        } else {
            put(w, r->placement == PSY_PLACE_SPLIT ? " split " : " keyed ");
            put_dim(w, r->local_rows);
        }
        put(w, ";\n");
    }
}

/* ---- constants: by the dtype that instructions read them in ---- */

typedef struct chunk {
    uint64_t at, bytes;
    unsigned dtype;
} chunk;

static int by_place(const void *a, const void *b)
{
    const chunk *x = a, *y = b;
    return x->at != y->at         ? (x->at < y->at ? -1 : 1)
           : x->bytes != y->bytes ? (x->bytes > y->bytes ? -1 : 1)
                                  : (x->dtype < y->dtype ? -1 : x->dtype > y->dtype);
}

/* Lines of values; those that are all zero are left out. */
static void put_values(writer *w, const chunk *c)
{
    uint64_t size = psy__dtype_bytes(c->dtype), row = size * ROW_VALUES;
    for (uint64_t at = c->at, end = c->at + c->bytes; at < end;) {
        uint64_t n = end - at < row ? end - at : row;
        const uint8_t *bytes = w->m->consts + at;
        bool zero = true;
        for (uint64_t i = 0; i < n && zero; i++) {
            zero = bytes[i] == 0;
        }
        for (uint64_t i = 0; i < n && !zero; i += size) {
            uint64_t bits = 0;
            char value[PSY_LITERAL_BYTES];
            memcpy(&bits, bytes + i, size);
            psy__literal_print(value, c->dtype, bits);
            if (i == 0) {
                format(w, "    %" PRIu64 ": %s %s", at, psy__dtype_name(c->dtype), value);
            } else {
                format(w, ", %s", value);
            }
        }
        put(w, zero ? "" : ";\n");
        at += n;
    }
}

/* The constants that CONST instructions read; NULL with `failed` set when memory is short. */
static chunk *read_chunks(writer *w, uint64_t *count)
{
    const psy__module *m = w->m;
    chunk *chunks = NULL;
    for (int pass = 0; pass < 2; pass++) {
        *count = 0;
        for (uint32_t i = 0; i < m->program_count; i++) {
            const psy_psm_program *p = &m->programs[i];
            psy__instruction at;
            for (uint32_t word = 0; word < p->word_count; word = at.next) {
                psy__instruction_at(m, p, word, &at);
                if (at.op == PSY_OP_CONST && pass == 0) {
                    (*count)++;
                } else if (at.op == PSY_OP_CONST) {
                    const psy_psm_register *r = &m->registers[p->first_register + at.dst];
                    chunk *c = &chunks[(*count)++];
                    *c = (chunk){at.operands[0], psy__dtype_bytes(at.dtype), at.dtype};
                    for (uint32_t d = 0; d < r->rank; d++) {
                        c->bytes *= r->dims[d];
                    }
                }
            }
        }
        if (pass == 0 && !(chunks = malloc((*count + 1) * sizeof *chunks))) {
            w->failed = true;
            return NULL;
        }
    }
    qsort(chunks, *count, sizeof *chunks, by_place);
    return chunks;
}

static void put_consts(writer *w)
{
    if (w->m->consts_bytes == 0) {
        return;
    }
    uint64_t count, done = 0;
    chunk *chunks = read_chunks(w, &count);
    if (!chunks) {
        return;
    }
    format(w, "\nconsts %" PRIu64 " {\n", w->m->consts_bytes);
    for (uint64_t i = 0; i <= count; i++) {
        uint64_t at = i < count ? chunks[i].at : w->m->consts_bytes;
        if (at < done) {
            continue; /* read in two ways: the first is shown */
        }
        put_values(w, &(chunk){done, at - done, PSY_U8});
        done = at;
        if (i < count) {
            put_values(w, &chunks[i]);
            done += chunks[i].bytes;
        }
    }
    put(w, "}\n");
    free(chunks);
}

/* ---- programs ---- */

static void put_operand(writer *w, const psy_psm_program *p, const psy__instruction *at, char kind, uint32_t value)
{
    const psy__module *m = w->m;
    switch (kind) {
    case 'd': put_dim(w, value); break;
    case 'f': put(w, string(w, m->fields[m->types[psy__field_type(p, at->info)].first_field + value].name)); break;
    case 'n': put(w, string(w, m->residents[value].name)); break;
    case 'i':
    case 'c': format(w, "%u", value); break;
    case 's': format(w, "%d", (int32_t)value); break;
    default:
        if (value == PSY_NONE) {
            put(w, "-");
        } else {
            format(w, "%%%u", value);
        }
    }
}

static void put_instruction(writer *w, const psy_psm_program *p, const psy__instruction *at, const psy_psm_line *line,
                            uint32_t region_left)
{
    const psy__module *m = w->m;
    put(w, region_left ? "        " : "    ");
    for (uint32_t i = 0; i < at->dst_count; i++) {
        const psy_psm_register *r = &m->registers[p->first_register + at->dst + i];
        format(w, "%s%%%u: %s", i ? ", " : "", at->dst + i, psy__dtype_name(r->dtype));
        put_dims(w, r->dims, r->rank);
        if (r->slot != PSY_NO_SLOT) {
            format(w, " @%u", r->slot);
        }
    }
    put(w, at->dst_count ? " = " : "");
    put(w, at->info->name);
    if (at->dtype != 0) {
        format(w, ".%s", psy__dtype_name(at->dtype));
    }
    const char *kinds = strchr(at->info->signature, ':') + 1;
    if (at->info->class_ == PSY_CLASS_REGION) {
        put(w, at->operand_count > 2 ? " " : "");
        put_dims(w, at->operands + 2, at->operand_count - 2);
        put(w, at->operands[1] ? " reduces" : "");
    } else {
        for (uint32_t i = 0; i < at->operand_count; i++) {
            put(w, i ? ", " : " ");
            put_operand(w, p, at, psy__op_reads_register(at->info, i) ? 'o' : kinds[i], at->operands[i]);
        }
    }
    if (line) {
        put(w, " from ");
        put_quoted(w, line->file);
        format(w, " %u:%u", line->line, line->column);
    }
    put(w, at->info->class_ == PSY_CLASS_REGION ? " {\n" : ";\n");
}

static void put_programs(writer *w)
{
    const psy__module *m = w->m;
    const psy_psm_line *line = m->lines, *lines_end = m->line_count ? m->lines + m->line_count : m->lines;
    for (uint32_t i = 0; i < m->program_count; i++) {
        const psy_psm_program *p = &m->programs[i];
        format(w, "\nprogram %s(%s", string(w, p->name), string(w, m->types[p->input_type].name));
        if (p->partial_type != PSY_NONE) {
            format(w, ", partial %s", string(w, m->types[p->partial_type].name));
        }
        format(w, ") -> %s slots %u {\n", string(w, m->types[p->output_type].name), p->slot_count);
        uint32_t region_left = 0;
        psy__instruction at;
        for (uint32_t word = 0; word < p->word_count; word = at.next) {
            psy__instruction_at(m, p, word, &at);
            bool here = line < lines_end && line->program == i && line->word == word;
            put_instruction(w, p, &at, here ? line : NULL, region_left);
            if (here) {
                line++;
            }
            if (at.info->class_ == PSY_CLASS_REGION) {
                region_left = at.operands[0];
            } else if (region_left > 0 && --region_left == 0) {
                put(w, "    }\n");
            }
        }
        put(w, "}\n");
    }
}

static void put_pipelines(writer *w)
{
    const psy__module *m = w->m;
    put(w, m->pipeline_count ? "\n" : "");
    for (uint32_t i = 0; i < m->pipeline_count; i++) {
        const psy_psm_pipeline *p = &m->pipelines[i];
        format(w, "%s %s(%s)", p->alternatives ? "pipeline" : "alternative", string(w, p->name),
               string(w, m->types[p->input_type].name));
        format(w, " -> %s route ", string(w, m->types[p->output_type].name));
        if (p->route == PSY_ROUTE_KEY) {
            format(w, "key(%s) ", string(w, m->fields[m->types[p->input_type].first_field + p->key_field].name));
        } else {
            put(w, p->route == PSY_ROUTE_ALL ? "all " : "any ");
        }
        put(w, string(w, m->programs[p->shard_program].name));
        if (p->route == PSY_ROUTE_ALL) {
            format(w, " partial %s", string(w, m->types[p->partial_type].name));
            format(w, " merge %s", string(w, m->programs[p->merge_program].name));
        }
        if (p->max_batch) {
            format(w, " batch %u", p->max_batch);
        }
        if (p->engine) {
            format(w, " prefer %s", psy__prefer_word(p->engine));
        }
        for (uint32_t k = 0; k < p->guard_count; k++) {
            const psy_psm_guard *g = &m->guards[p->first_guard + k];
            format(w, "%s %s %s", k ? "," : " for", string(w, m->fields[m->types[p->input_type].first_field + g->field].name),
                   psy__dtype_name(g->dtype));
            put_dims(w, g->dims, g->rank);
        }
        put(w, ";\n");
    }
}

psy_status psy__disassemble(const psy__module *m, char **text, size_t *n)
{
    writer w = {.m = m};
    format(&w, "module %d.%d;\n", PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
    put_types(&w);
    put_sizes(&w);
    put_consts(&w);
    put_programs(&w);
    put_pipelines(&w);
    if (w.failed) {
        free(w.text);
        return psy_fail(PSY_NO_MEMORY, "no memory for the text of a module");
    }
    *text = w.text;
    *n = w.n;
    return PSY_OK;
}
