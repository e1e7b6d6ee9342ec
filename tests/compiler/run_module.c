/* SPDX-License-Identifier: Apache-2.0 */
/* Runs pipelines of a module on the CPU engine: numbers in, numbers out, as text.
 *
 *   run_module MODULE.psm <<< $'pipeline p\na 1 2 3\nrun\n'     prints "x 6" for each field of the answer, and "end"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "isa/scalar.h"

enum { LINE_BYTES_MAX = 1 << 20 };

static _Noreturn void stop(const char *what, const char *why)
{
    fprintf(stderr, "run_module: %s: %s\n", what, why);
    exit(1);
}

static uint8_t *read_all(const char *path, uint64_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        stop(path, "cannot be read");
    }
    *n = (uint64_t)ftell(f);
    rewind(f);
    uint8_t *bytes = aligned_alloc(64, (*n + 127) & ~UINT64_C(63));
    if (!bytes || fread(bytes, 1, *n, f) != *n) {
        stop(path, "cannot be read");
    }
    fclose(f);
    return bytes;
}

static const psy_psm_pipeline *pipeline_named(const psy__module *m, const char *name)
{
    for (uint32_t i = 0; i < m->pipeline_count; i++) {
        if (strcmp(psy__module_string(m, m->pipelines[i].name), name) == 0) {
            return &m->pipelines[i];
        }
    }
    stop(name, "no such pipeline");
}

/* Numbers from text, through f64 or 64-bit integers and the runtime's own cast. */
static void take_field(const psy__module *m, const psy_psm_type *t, char *line, uint8_t *message)
{
    char *name = strtok(line, " \n"), *word;
    const psy_psm_field *f = NULL;
    for (uint32_t i = 0; i < t->field_count && name; i++) {
        const psy_psm_field *one = &m->fields[t->first_field + i];
        f = strcmp(psy__module_string(m, one->name), name) == 0 ? one : f;
    }
    if (!f) {
        stop(line, "no such field");
    }
    for (uint32_t i = 0; i < f->count && (word = strtok(NULL, " \n")); i++) {
        uint8_t *to = message + f->offset + i * psy__dtype_bytes(f->dtype);
        double real = strtod(word, NULL);
        int64_t whole = word[0] == '-' ? (int64_t)strtoll(word, NULL, 10) : (int64_t)strtoull(word, NULL, 10);
        bool is_float = psy__dtype_class(f->dtype) == PSY_DCLASS_FLOAT;
        psy__cast(is_float ? PSY_F64 : PSY_I64, is_float ? (const void *)&real : (const void *)&whole, f->dtype, to, 1);
    }
}

static void print_fields(const psy__module *m, const psy_psm_type *t, const uint8_t *message)
{
    for (uint32_t i = 0; i < t->field_count; i++) {
        const psy_psm_field *f = &m->fields[t->first_field + i];
        fputs(psy__module_string(m, f->name), stdout);
        for (uint32_t k = 0; k < f->count; k++) {
            const uint8_t *from = message + f->offset + k * psy__dtype_bytes(f->dtype);
            psy_dtype_class class_ = psy__dtype_class(f->dtype);
            double real;
            int64_t sint;
            uint64_t uint;
            if (class_ == PSY_DCLASS_FLOAT) {
                psy__cast(f->dtype, from, PSY_F64, &real, 1);
                printf(" %.17g", real);
            } else if (class_ == PSY_DCLASS_SINT) {
                psy__cast(f->dtype, from, PSY_I64, &sint, 1);
                printf(" %" PRId64, sint);
            } else {
                psy__cast(f->dtype, from, PSY_U64, &uint, 1);
                printf(" %" PRIu64, uint);
            }
        }
        putchar('\n');
    }
    puts("end");
}

static void run(psy__engine *engine, const psy__module *m, const psy_psm_pipeline *p, uint8_t *in, uint8_t *out)
{
    static const uint64_t symbols[256];
    static const psy__resident_data residents[64];
    psy__binding binding = {
        .module = m, .program = p->shard_program, .symbols = symbols, .bases = symbols, .residents = residents};
    psy__executable *x;
    uint8_t status = 0;
    psy__span input = {in, m->types[p->input_type].bytes, 1}, output = {out, m->types[p->output_type].bytes, 1};
    psy__batch batch = {
        .count = 1, .inputs = &input, .outputs = &output, .input_spans = 1, .output_spans = 1, .status = &status};
    if (engine->interface->bind(engine, &binding, &x) != PSY_OK || engine->interface->run(x, &batch) != PSY_OK ||
        status != PSY_OK) {
        stop(psy__module_string(m, p->name), psy_detail());
    }
    engine->interface->unbind(x);
    print_fields(m, &m->types[p->output_type], out);
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES_MAX];
    uint64_t n;
    psy__module m;
    psy__engine *engine;
    psy__engine_options options = {.max_batch = 1};
    if (argc != 2) {
        fprintf(stderr, "usage: run_module MODULE.psm\n");
        return 2;
    }
    uint8_t *bytes = read_all(argv[1], &n), *in = NULL, *out = NULL;
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m) != PSY_OK ||
        psy__engine_open("cpu", &options, &engine) != PSY_OK) {
        stop(argv[1], psy_detail());
    }
    const psy_psm_pipeline *p = NULL;
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "pipeline ", 9) == 0) {
            line[strcspn(line, "\n")] = '\0';
            p = pipeline_named(&m, line + 9);
            free(in);
            free(out);
            in = aligned_alloc(64, m.types[p->input_type].bytes);
            out = aligned_alloc(64, m.types[p->output_type].bytes);
            if (!in || !out) {
                stop(line, "no memory");
            }
            memset(in, 0, m.types[p->input_type].bytes);
            memset(out, 0, m.types[p->output_type].bytes);
        } else if (!p) {
            stop(line, "no pipeline yet");
        } else if (strcmp(line, "run\n") == 0) {
            run(engine, &m, p, in, out);
        } else {
            take_field(&m, &m.types[p->input_type], line, in);
        }
    }
    free(in);
    free(out);
    free(bytes);
    psy__engine_close(engine);
    return 0;
}
