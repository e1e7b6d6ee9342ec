/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/trace.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "command/json_text.h"
#include "data/npy.h"
#include "message/number.h"
#include "service/module_file.h"

enum { SOURCE_BYTES_MAX = 4 << 20, LINE_SHOWN_MAX = 160 };

struct psy__trace_shard {
    psy__trace *trace;
    uint32_t shard;
};

/* A program that ran over one message. */
typedef struct ran {
    psy__trace *t;
    const psy__module *module;
    psy__executable *executable;
    const psy__bound_program *program;
    uint32_t shard, program_index, message;
    const psy_psm_line *said; /* whose text stands above */
    bool first;               /* no value was shown */
} ran;

/* ---- source lines ---- */

static char *read_source(const char *path, size_t *bytes)
{
    struct stat st;
    char *text = NULL;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= SOURCE_BYTES_MAX) {
        text = malloc((size_t)st.st_size + 1);
        const ssize_t got = text ? read(fd, text, (size_t)st.st_size) : -1;
        if (got < 0) {
            free(text);
            text = NULL;
        }
        *bytes = got < 0 ? 0 : (size_t)got;
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

/* As the program was called when it was compiled; in the folder that the user names; beside the module, or above it. */
static char *find_source(const psy__trace *t, const char *path, size_t *bytes)
{
    const char *slash = strrchr(t->module_path, '/'), *base = strrchr(path, '/');
    const int folder = slash ? (int)(slash - t->module_path) + 1 : 0;
    char *text = NULL;
    base = base ? base + 1 : path;
    for (int i = 0; i < 4 && !text; i++) {
        char *at;
        const int n = i == 0   ? asprintf(&at, "%s", path)
                      : i == 1 ? asprintf(&at, "%s/%s", t->sources ? t->sources : ".", base)
                      : i == 2 ? asprintf(&at, "%.*s%s", folder, t->module_path, base)
                               : asprintf(&at, "%.*s../%s", folder, t->module_path, base);
        if (n < 0) {
            psy__no_memory();
        }
        text = read_source(at, bytes);
        free(at);
    }
    return text;
}

static const psy__trace_file *source_of(psy__trace *t, uint32_t name)
{
    for (uint32_t i = 0; i < t->file_count; i++) {
        if (t->files[i].name == name) {
            return &t->files[i];
        }
    }
    if (t->file_count == PSY_TRACE_FILES_MAX) {
        return NULL;
    }
    psy__trace_file *f = &t->files[t->file_count++];
    *f = (psy__trace_file){.name = name};
    f->text = find_source(t, psy__module_string(t->module, name), &f->bytes);
    return f;
}

/* The line's text without the blanks around it, and nothing that a terminal would obey; "": it is not known. */
static const char *line_text(psy__trace *t, const psy_psm_line *line, char out[LINE_SHOWN_MAX + 1])
{
    const psy__trace_file *f = source_of(t, line->file);
    size_t at = 0, n = 0;
    out[0] = '\0';
    if (!f || !f->text) {
        return out;
    }
    for (uint32_t i = 1; i < line->line; i++) {
        const char *end = memchr(f->text + at, '\n', f->bytes - at);
        if (!end) {
            return out;
        }
        at = (size_t)(end - f->text) + 1;
    }
    while (at < f->bytes && (f->text[at] == ' ' || f->text[at] == '\t')) {
        at++;
    }
    while (at < f->bytes && f->text[at] != '\n' && n < LINE_SHOWN_MAX) {
        const size_t character = psy_utf8_character((const unsigned char *)f->text + at, f->bytes - at);
        if (character == 0 || n + character > LINE_SHOWN_MAX) {
            break;
        }
        if (character == 1) {
            out[n++] = iscntrl((unsigned char)f->text[at]) ? ' ' : f->text[at];
        } else {
            memcpy(out + n, f->text + at, character);
            n += character;
        }
        at += character;
    }
    while (n > 0 && out[n - 1] == ' ') {
        n--;
    }
    out[n] = '\0';
    return out;
}

/* Where the instruction comes from; NULL: the module does not say. Lines are sorted by program, then word. */
static const psy_psm_line *line_of(const ran *r, uint32_t word)
{
    const psy__module *m = r->module;
    uint32_t low = 0, high = m->line_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const psy_psm_line *l = &m->lines[middle];
        if (l->program < r->program_index || (l->program == r->program_index && l->word < word)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const psy_psm_line *l = &m->lines[low];
    return low < m->line_count && l->program == r->program_index && l->word == word ? l : NULL;
}

/* ---- what a value is ---- */

/* What a view shows: "vector", "words"; "": it is no name's. */
static const char *name_of(const ran *r, const psy__instruction *at)
{
    const psy__module *m = r->module;
    const psy_psm_program *p = r->program->program;
    switch (at->op) {
    case PSY_OP_LOAD:
    case PSY_OP_COUNT:
    case PSY_OP_LENGTHS: return psy__module_string(m, m->fields[m->types[p->input_type].first_field + at->operands[0]].name);
    case PSY_OP_PARTIAL: return psy__module_string(m, m->fields[m->types[p->partial_type].first_field + at->operands[0]].name);
    case PSY_OP_RESIDENT:
    case PSY_OP_LOOKUP: return psy__module_string(m, m->residents[at->operands[0]].name);
    default: return "";
    }
}

/* "dot %3 %5", "load vector" */
static void put_operation(const ran *r, const psy__instruction *at, FILE *to)
{
    const char *name = name_of(r, at);
    fprintf(to, "%s%s%s", at->info->name, *name ? " " : "", name);
    for (unsigned i = 0; i < at->operand_count; i++) {
        if (psy__op_reads_register(at->info, i) && at->operands[i] != PSY_NONE) {
            fprintf(to, " %%%" PRIu32, at->operands[i]);
        }
    }
}

static void put_element(unsigned dtype, const void *at, bool json, FILE *to)
{
    char text[PSY_NUMBER_BYTES];
    size_t n = psy__number_print(text, dtype, at);
    const bool quoted = !json && n >= 2 && text[0] == '"';
    fprintf(to, "%.*s", (int)(quoted ? n - 2 : n), text + quoted);
}

static void put_elements(const ran *r, const psy__bound_register *b, const unsigned char *at, FILE *to)
{
    uint64_t index[PSY_RANK_MAX] = {0};
    const uint64_t shown = b->count < r->t->values ? b->count : r->t->values;
    for (uint64_t i = 0; i < shown; i++) {
        const unsigned char *from = at;
        for (uint32_t d = 0; d < b->rank; d++) {
            from += (int64_t)index[d] * b->strides[d];
        }
        const unsigned char truth = *from & 1;
        fputs(i == 0 ? "" : r->t->json ? ", " : " ", to);
        put_element(b->dtype, b->dtype == PSY_BOOL ? &truth : from, r->t->json, to);
        for (uint32_t d = b->rank; d-- > 0 && ++index[d] == b->dims[d];) {
            index[d] = 0;
        }
    }
    fputs(!r->t->json && shown > 0 && shown < b->count ? " ..." : "", to);
}

/* ---- as text ---- */

static void put_text(ran *r, const psy__instruction *at, uint32_t reg, const psy_psm_line *line, const psy__value_summary *v)
{
    const psy__bound_register *b = &r->program->registers[reg];
    char shape[256], text[LINE_SHOWN_MAX + 1], *operation = NULL;
    size_t n = 0;
    if (line && (!r->said || r->said->file != line->file || r->said->line != line->line)) {
        line_text(r->t, line, text);
        printf("  %s:%" PRIu32 "%s%s\n", psy__module_string(r->module, line->file), line->line, *text ? ": " : "", text);
        r->said = line;
    }
    FILE *to = open_memstream(&operation, &n);
    if (!to) {
        psy__no_memory();
    }
    put_operation(r, at, to);
    fclose(to);
    snprintf(text, sizeof text, "%%%" PRIu32, reg);
    printf("    %5s = %-24s %-16s", text, operation, psy__npy_text(b->dtype, b->rank, b->dims, shape, sizeof shape));
    free(operation);
    if (b->count > 0 && r->t->values > 0) {
        fputs("  ", stdout);
        put_elements(r, b, psy__cpu_value(r->executable, reg, r->message), stdout);
    }
    if (v->any && b->count > 1) {
        fputs("  | min ", stdout);
        put_element(b->dtype, v->least, false, stdout);
        fputs(" max ", stdout);
        put_element(b->dtype, v->greatest, false, stdout);
        printf(" mean %.6g", v->mean);
    }
    if (v->count < b->count) {
        printf(" (of the first %" PRIu64 ")", v->count);
    }
    if (b->count > 1 && (v->nan > 0 || v->infinite > 0)) {
        printf("  | %" PRIu64 " NaN, %" PRIu64 " infinite", v->nan, v->infinite);
    }
    putchar('\n');
}

/* ---- as JSON ---- */

static void put_json(ran *r, const psy__instruction *at, uint32_t reg, const psy_psm_line *line, const psy__value_summary *v)
{
    const psy__bound_register *b = &r->program->registers[reg];
    printf("%s{\"register\": %" PRIu32 ", \"op\": \"%s\", \"operands\": [", r->first ? "" : ", ", reg, at->info->name);
    const char *between = "";
    for (unsigned i = 0; i < at->operand_count; i++) {
        if (psy__op_reads_register(at->info, i) && at->operands[i] != PSY_NONE) {
            printf("%s%" PRIu32, between, at->operands[i]);
            between = ", ";
        }
    }
    fputs("], \"name\": ", stdout);
    psy__json_text(stdout, name_of(r, at));
    if (line) {
        char text[LINE_SHOWN_MAX + 1];
        fputs(", \"file\": ", stdout);
        psy__json_text(stdout, psy__module_string(r->module, line->file));
        printf(", \"line\": %" PRIu32 ", \"column\": %" PRIu32 ", \"text\": ", line->line, line->column);
        psy__json_text(stdout, line_text(r->t, line, text));
    }
    printf(", \"dtype\": \"%s\", \"shape\": [", psy__dtype_name(b->dtype));
    for (uint32_t d = 0; d < b->rank; d++) {
        printf("%s%" PRIu64, d ? ", " : "", b->dims[d]);
    }
    fputs("], \"first\": [", stdout);
    put_elements(r, b, psy__cpu_value(r->executable, reg, r->message), stdout);
    putchar(']');
    if (v->any) {
        fputs(", \"min\": ", stdout);
        put_element(b->dtype, v->least, true, stdout);
        fputs(", \"max\": ", stdout);
        put_element(b->dtype, v->greatest, true, stdout);
    }
    if (v->count > v->nan + v->infinite) {
        fputs(", \"mean\": ", stdout);
        put_element(PSY_F64, &v->mean, true, stdout);
    }
    printf(", \"looked_at\": %" PRIu64 ", \"nan\": %" PRIu64 ", \"infinite\": %" PRIu64 "}", v->count, v->nan, v->infinite);
}

/* ---- a run ---- */

static void show_program(ran *r)
{
    const psy_psm_program *p = r->program->program;
    const bool merges = p->partial_type != PSY_NONE;
    const uint64_t number = *r->t->number;
    if (r->t->json) {
        printf("{\"message\": %" PRIu64 ", \"shard\": %" PRIu32 ", \"merge\": %s, \"program\": ", number, r->shard,
               merges ? "true" : "false");
        psy__json_text(stdout, psy__module_string(r->module, p->name));
        fputs(", \"trace\": [", stdout);
    } else {
        printf("message %" PRIu64 ", shard %" PRIu32 " of %" PRIu32 ": %s\n", number, r->shard, r->t->shards,
               psy__module_string(r->module, p->name));
    }
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(r->module, p, word, &at);
        for (unsigned i = 0; i < at.dst_count; i++) {
            const uint32_t reg = (uint32_t)at.dst + i;
            psy__value_summary v;
            psy__value_summarise(&r->program->registers[reg], psy__cpu_value(r->executable, reg, r->message), &v);
            (r->t->json ? put_json : put_text)(r, &at, reg, line_of(r, word), &v);
            r->first = false;
        }
    }
    fputs(r->t->json ? "]}\n" : "", stdout);
}

static void show(void *context, psy__executable *executable, const psy__bound_program *program, uint32_t count)
{
    const psy__trace_shard *s = context;
    ran r = {.t = s->trace,
             .module = program->module,
             .executable = executable,
             .program = program,
             .shard = s->shard,
             .program_index = (uint32_t)(program->program - program->module->programs)};
    for (r.message = 0; r.message < count; r.message++) {
        r.said = NULL;
        r.first = true;
        show_program(&r);
    }
}

void psy__trace_init(psy__trace *t, const psy_module *module, uint32_t shards)
{
    t->module = &module->decoded;
    t->shards = shards;
    t->file_count = 0;
    t->tracers = calloc(shards, sizeof *t->tracers);
    t->shard = calloc(shards, sizeof *t->shard);
    if (!t->tracers || !t->shard) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < shards; i++) {
        t->shard[i] = (psy__trace_shard){t, i};
        t->tracers[i] = (psy__tracer){show, &t->shard[i]};
    }
}

void psy__trace_end(psy__trace *t)
{
    for (uint32_t i = 0; i < t->file_count; i++) {
        free(t->files[i].text);
    }
    free(t->tracers);
    free(t->shard);
    t->file_count = 0;
}
