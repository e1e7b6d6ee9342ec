/* SPDX-License-Identifier: Apache-2.0 */
/* Writes random programs, what they are run on and what the CPU engine makes of it, for numpy_random.py: no test itself, though
 * it is run as one. PSYNE_RANDOM_FOLDER says where, PSYNE_TEST_SEED=S and PSYNE_TEST_RANDOM=N which: seeds S to S + N - 1, of
 * each kind in a file of its own. A file is a line for each thing, and the bytes of its elements right behind the line:
 *
 *   program SEED BYTES            the text follows
 *   size NAME VALUE               a size that is bound when data is loaded
 *   resident NAME DTYPE DIM...
 *   message                       the first, the second ... of what follows
 *   input NAME DTYPE DIM...       a field of it
 *   bounded COUNT NAME DTYPE ROOM
 *   optional THERE NAME DTYPE DIM...
 *   output NAME DTYPE TOLERANCE DIM...   what the engine gave; 0: exactly
 *   end
 *   unsplit SEED                  has no split, as the compiler says
 */
#include <inttypes.h>

#include "tests/compiler/random_hrm_data.h"

enum { SHARDS_MAX = 4 };

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static FILE *begin(const char *kind)
{
    char path[512];
    const char *folder = getenv("PSYNE_RANDOM_FOLDER");
    cr_assert(folder && snprintf(path, sizeof path, "%s/%s", folder, kind) < (int)sizeof path, "PSYNE_RANDOM_FOLDER");
    FILE *to = fopen(path, "wb");
    cr_assert(to, "%s cannot be written", path);
    return to;
}

static void write_elements(FILE *to, const random_hrm *p, const random_hrm_value *v, const void *elements)
{
    for (unsigned d = 0; d < v->rank; d++) {
        fprintf(to, " %u", v->dims[d] < 0 ? p->rows[-1 - v->dims[d]] : (unsigned)v->dims[d]);
    }
    fputc('\n', to);
    fwrite(elements, psy__dtype_bytes(v->dtype), random_hrm_elements(p, v), to);
}

static void write_message(FILE *to, const random_hrm *p, const random_hrm_data *d, const compiled *c, const served *s,
                          uint32_t m)
{
    fputs("message\n", to);
    for (unsigned i = 0; i < RANDOM_HRM_INPUTS; i++) {
        if (i < RANDOM_HRM_BOUNDED_FIRST) {
            fputs("input", to);
        } else {
            fprintf(to, "%s %u", i < RANDOM_HRM_OPTIONAL_FIRST ? "bounded" : "optional", d->there[m][i]);
        }
        fprintf(to, " %s %s", p->inputs[i].name + 2, psy__dtype_name(p->inputs[i].dtype));
        write_elements(to, p, &p->inputs[i], d->fields[m][i]);
    }
    for (unsigned i = 0; i < p->output_count; i++) {
        const random_hrm_value *v = &p->outputs[i];
        char name[16];
        snprintf(name, sizeof name, "o%u", i);
        fprintf(to, "output %s %s %g", name, psy__dtype_name(v->dtype), random_hrm_tolerance(v));
        write_elements(to, p, v, serve_output(c, "p", s, m, name));
    }
}

static void write_program(FILE *to, random_hrm_kind kind, uint64_t seed)
{
    static random_hrm p;
    random_hrm_data d;
    served s;
    random_hrm_make(&p, seed, kind);
    random_hrm_data_init(&d, &p);
    compiled *c = compile(p.schema, p.program, true);
    bool unsplit = !c->ok && kind == RANDOM_HRM_SPLIT && strstr(c->said, "[E0401]");
    cr_assert(c->ok || unsplit, "seed %" PRIu64 ": %s\n%s", seed, c->said, p.program);
    if (c->ok) {
        random_hrm_serve(NULL, &p, &d, c, kind == RANDOM_HRM_SPLIT ? 1 + (uint32_t)(seed % SHARDS_MAX) : 1, &s);
        cr_assert_eq(s.bind, PSY_OK, "seed %" PRIu64 ": %s\n%s", seed, psy_detail(), p.program);
        fprintf(to, "program %" PRIu64 " %zu\n%ssize N %u\nsize M %u\n", seed, strlen(p.program), p.program, p.rows[0],
                p.rows[1]);
        for (unsigned i = 0; i < RANDOM_HRM_RESIDENTS; i++) {
            fprintf(to, "resident %s %s", p.residents[i].name, psy__dtype_name(p.residents[i].dtype));
            write_elements(to, &p, &p.residents[i], d.rows[i]);
        }
        for (uint32_t m = 0; m < RANDOM_HRM_MESSAGES; m++) {
            write_message(to, &p, &d, c, &s, m);
        }
        fputs("end\n", to);
        serve_end(&s);
    } else {
        fprintf(to, "unsplit %" PRIu64 "\n", seed);
    }
    random_hrm_data_fini(&d);
    compile_end(c);
}

static void write_programs(random_hrm_kind kind, const char *name)
{
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", 100);
    FILE *to = begin(name);
    for (uint64_t i = 0; i < count; i++) {
        write_program(to, kind, from + i);
    }
    bool written = !ferror(to);
    cr_assert(fclose(to) == 0 && written, "%s cannot be written", name);
}

Test(write_random_hrm, fixed) { write_programs(RANDOM_HRM_FIXED, "fixed"); }
Test(write_random_hrm, named) { write_programs(RANDOM_HRM_NAMED, "named"); }
Test(write_random_hrm, split) { write_programs(RANDOM_HRM_SPLIT, "split"); }
