/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/sink.h"

#include <psyne/json.h>
#include <psyne/variant.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/json_text.h"
#include "command/output.h"
#include "command/source.h"
#include "data/npy.h"

/* Numbers of one field, row by row; of bounded ones all the room. */
typedef struct column {
    char *name;
    const psy_psm_field *field;
    uint32_t rank; /* of a row */
    psy_dtype dtype;
    uint64_t dims[PSY_RANK_MAX]; /* of a row */
    uint64_t row_bytes, rows, longest, shortest;
    psy__room memory;
} column;

struct psy__sink_output {
    const char *path;
    bool is_json;
    psy__output file; /* `to` is NULL: it is not open */
    column column;    /* name: NULL where it takes messages */
};

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && strcmp(path + n - m, end) == 0;
}

void psy__sink_add_output(psy__sink *s, const char *value)
{
    psy__sink_output o = {.path = value};
    if (strchr(value, '=') && ends_with(value, ".npy")) {
        o.column.name = psy__assignment("--output", value, &o.path);
    } else if (ends_with(value, ".npy")) {
        psy__misuse("`-o FIELD=FILE.npy` names it", "%s: a .npy file holds a field of the messages", value);
    }
    o.is_json = ends_with(value, ".json") || ends_with(value, ".jsonl");
    psy__output_not_to_terminal(value);
    s->outputs = realloc(s->outputs, (s->output_count + 1) * sizeof *s->outputs);
    if (!s->outputs) {
        psy__no_memory();
    }
    s->outputs[s->output_count++] = o;
}

psy_status psy__sink_open(psy__sink *s, const psy_type *type)
{
    psy_status status = PSY_OK;
    s->type = *type;
    psy__room_grow(&s->message, type->bytes, 0);
    for (uint32_t i = 0; status == PSY_OK && i < s->output_count; i++) {
        psy__sink_output *o = &s->outputs[i];
        if (o->column.name) {
            status = psy__npy_field(type, o->column.name, &o->column.field, &o->column.rank);
        }
        status = status == PSY_OK ? psy__output_open(&o->file, o->path) : status;
    }
    return status;
}

/* ---- what is said ---- */

void psy__sink_say(psy__sink *s, const char *name, psy_status status)
{
    s->status = status == PSY_NO_MEMORY ? 3 : 1;
    fflush(stdout);
    if (!s->json) {
        psy__complain(name, status);
        return;
    }
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s", name ? name : "", name ? ": " : "",
             *psy_detail() ? psy_detail() : psy_status_text(status));
    printf("{\"status\": \"%s\", \"error\": ", psy_status_name(status));
    psy__json_text(stdout, text);
    puts("}");
}

/* With the message's number. */
static void say(psy__sink *s, uint64_t number, const char *peer, psy_status status, const char *text)
{
    s->status = s->status ? s->status : 1;
    fflush(stdout);
    if (!s->json) {
        fprintf(stderr, "psyne: %s%smessage %" PRIu64 ": %s\n", peer ? peer : "", peer ? ": " : "", number, text);
        return;
    }
    printf("{\"message\": %" PRIu64 ", \"status\": \"%s\", \"error\": ", number, psy_status_name(status));
    psy__json_text(stdout, text);
    if (peer) {
        fputs(", \"peer\": ", stdout);
        psy__json_text(stdout, peer);
    }
    puts("}");
}

void psy__sink_refuse(psy__sink *s, uint64_t number, const char *peer, psy_status status)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s%s", psy_status_text(status), *psy_status_help(status) ? " (" : "",
             psy_status_help(status), *psy_status_help(status) ? ")" : "");
    say(s, number, peer, status, text);
}

void psy__sink_name(psy__sink *s, uint64_t number, const char *peer, uint64_t request)
{
    if (s->json) {
        printf("{\"message\": %" PRIu64 ", \"request\": \"%016" PRIx64 "\"}\n", number, request);
        return;
    }
    fflush(stdout);
    fprintf(stderr, "psyne: %s%smessage %" PRIu64 " is request %016" PRIx64 "\n", peer ? peer : "", peer ? ": " : "", number,
            request);
}

/* ---- fields ---- */

/* The row's shape and where it lies; NULL: there is none. */
static const unsigned char *row_of(const column *c, const unsigned char *message, psy_dtype *dtype, uint32_t *rank,
                                   uint64_t *dims, uint64_t *length)
{
    const psy_psm_field *f = c->field;
    uint32_t count;
    psy_variant_view v;
    *dtype = (psy_dtype)f->dtype;
    *rank = c->rank;
    dims[0] = *length = f->count;
    if (f->kind == PSY_FIELD_BOUNDED) {
        memcpy(&count, message + f->count_offset, sizeof count);
        *length = count; /* the message was verified */
    } else if (f->kind == PSY_FIELD_OPTIONAL && !message[f->count_offset]) {
        return NULL;
    } else if (f->kind == PSY_FIELD_VARIANT) {
        const void *head = message + f->count_offset;
        if (psy_variant_read(head, message + f->offset, f->count, &v) != PSY_OK) {
            return NULL;
        }
        *dtype = v.dtype;
        *rank = v.rank;
        for (uint32_t d = 0; d < v.rank; d++) {
            dims[d] = v.dims[d];
        }
    }
    return message + f->offset;
}

static void add_row(psy__sink *s, column *c, uint64_t number, const unsigned char *message)
{
    psy_dtype dtype;
    uint32_t rank;
    uint64_t dims[PSY_RANK_MAX] = {0}, length, bytes;
    char text[400], has[160], before[160];
    const unsigned char *from = row_of(c, message, &dtype, &rank, dims, &length);
    if (!from) {
        snprintf(text, sizeof text, "%s.%s is not there, and a .npy file has no gaps", s->type.name, c->name);
        say(s, number, NULL, PSY_INVALID, text);
        return;
    }
    if (c->rows == 0) {
        c->dtype = dtype;
        c->rank = rank;
        memcpy(c->dims, dims, sizeof dims);
        (void)psy__npy_size(dims, rank, psy_dtype_bytes(dtype), &c->row_bytes); /* it lies in the message */
        c->longest = c->shortest = length;
    } else if (dtype != c->dtype || rank != c->rank || memcmp(dims, c->dims, sizeof dims) != 0) {
        snprintf(text, sizeof text, "%s.%s is %s, and was %s before: a .npy file has one shape", s->type.name, c->name,
                 psy__npy_text(dtype, rank, dims, has, sizeof has),
                 psy__npy_text(c->dtype, c->rank, c->dims, before, sizeof before));
        say(s, number, NULL, PSY_INVALID, text);
        return;
    }
    c->longest = length > c->longest ? length : c->longest;
    c->shortest = length < c->shortest ? length : c->shortest;
    bytes = c->row_bytes * (c->rows + 1);
    if (bytes > c->memory.bytes) {
        psy__room_grow(&c->memory, 2 * bytes + 4096, c->row_bytes * c->rows);
    }
    unsigned char *to = c->memory.at + c->row_bytes * c->rows++;
    const uint64_t there = c->field->kind == PSY_FIELD_BOUNDED ? length * psy_dtype_bytes(dtype) : c->row_bytes;
    memcpy(to, from, there);
    memset(to + there, 0, c->row_bytes - there);
}

/* Bounded rows end where the longest does. */
static psy_status write_column(psy__sink *s, const psy__sink_output *o)
{
    const column *c = &o->column;
    uint64_t dims[PSY_RANK_MAX + 1] = {c->rows};
    const psy_dtype dtype = c->dtype ? c->dtype : (psy_dtype)c->field->dtype;
    uint32_t rank = c->rank == PSY_NONE ? 0 : c->rank;
    uint64_t row = c->row_bytes;
    memcpy(dims + 1, c->dims, rank * sizeof *dims);
    if (rank == PSY_RANK_MAX) {
        return psy_fail(PSY_UNSUPPORTED, "%s: %s.%s has %d axes, one too many for an array of all", o->path, s->type.name,
                        c->name, PSY_RANK_MAX);
    }
    if (c->field->kind == PSY_FIELD_BOUNDED) {
        row = c->longest * psy_dtype_bytes(dtype);
        dims[1] = c->longest;
        for (uint64_t i = 1; i < c->rows; i++) {
            memmove(c->memory.at + i * row, c->memory.at + i * c->row_bytes, row);
        }
        if (c->shortest < c->longest) {
            fprintf(stderr, "psyne: %s: rows of %s.%s have %" PRIu64 " to %" PRIu64 " elements: zeros fill them up\n", o->path,
                    s->type.name, c->name, c->shortest, c->longest);
        }
    }
    const psy_status status = psy__npy_write(o->file.to, dtype, rank + 1, dims, c->memory.at, c->rows * row);
    return status == PSY_IO ? psy_fail(status, "%s: %s", o->path, strerror(errno)) : status;
}

/* ---- messages ---- */

/* False: what is written is not wanted any more. */
static bool put_to(psy__sink *s, const psy__sink_output *o, size_t n)
{
    FILE *to = o ? o->file.to : stdout;
    if (o && !o->is_json) {
        return fwrite(s->message.at, 1, n, to) == n;
    }
    return psy_message_print_file(&s->type, s->message.at, n, 0, to) == PSY_OK && putc('\n', to) != EOF;
}

void psy__sink_put(psy__sink *s, uint64_t number, const void *message, size_t n)
{
    size_t size;
    const psy_status status = psy_message_read(&s->type, s->message.at, s->message.bytes, &size, message, n);
    if (status != PSY_OK) {
        say(s, number, NULL, status, psy_detail());
        return;
    }
    if (s->output_count == 0) {
        if (s->json) {
            printf("{\"message\": %" PRIu64 ", \"reply\": ", number);
            (void)!psy_message_print_file(&s->type, s->message.at, size, 0, stdout);
            puts("}");
        } else {
            (void)put_to(s, NULL, size); /* main looks at standard output's errors */
        }
    }
    for (uint32_t i = 0; i < s->output_count; i++) {
        psy__sink_output *o = &s->outputs[i];
        if (o->column.name) {
            add_row(s, &o->column, number, s->message.at);
        } else if (!ferror(o->file.to)) {
            (void)put_to(s, o, size); /* said when it is closed */
        }
    }
}

int psy__sink_close(psy__sink *s)
{
    for (uint32_t i = 0; i < s->output_count; i++) {
        psy__sink_output *o = &s->outputs[i];
        if (o->file.to && o->column.name && s->status == 0) {
            const psy_status status = write_column(s, o);
            if (status != PSY_OK) {
                psy__sink_say(s, NULL, status);
            }
        }
        if (o->file.to) {
            const psy_status status = psy__output_close(&o->file, s->status == 0);
            if (status != PSY_OK) {
                psy__sink_say(s, NULL, status);
            }
        }
        free(o->column.name);
        free(o->column.memory.at);
    }
    free(s->outputs);
    free(s->message.at);
    s->outputs = NULL;
    s->output_count = 0;
    return s->status;
}
