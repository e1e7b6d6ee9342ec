/* SPDX-License-Identifier: Apache-2.0 */
/* Machine code that the engine makes of regions: the same bits as its kernels give, for every operation, for chains that need
 * more registers than there are, for every length, and where a vector is left to the kernels. (What kernels give is compared
 * with the reference by all other tests.) */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cpu/cpu.h"
#include "engine/cpu/emit.h"
#include "tests/engine/suite.h"

enum { LIVE_MAX = 60, INPUTS = 3 };

typedef struct both {
    psy__engine *with, *without;
    unsigned made; /* regions with code */
} both;

static void open_both(both *e)
{
    memset(e, 0, sizeof *e);
    cr_assert_eq(psy__engine_open("cpu", &(psy__engine_options){.max_batch = 5}, &e->with), PSY_OK);
    cr_assert_eq(psy__engine_open("cpu", &(psy__engine_options){.max_batch = 5, .no_code = true}, &e->without), PSY_OK);
}

static void close_both(both *e)
{
    psy__engine_close(e->with);
    psy__engine_close(e->without);
}

static psy__executable *bind_of(psy__engine *engine, const build *b)
{
    static const uint64_t none[1];
    psy__executable *x;
    psy__binding binding = {.module = &b->module, .symbols = none, .bases = none};
    cr_assert_eq(engine->interface->bind(engine, &binding, &x), PSY_OK, "%s", psy_detail());
    return x;
}

static void run_of(psy__executable *x, uint8_t *in, uint64_t in_stride, uint8_t *out, uint64_t out_stride, uint32_t count)
{
    uint8_t status[5];
    psy__span from = {in, in_stride, count}, to = {out, out_stride, count};
    psy__batch batch = {.count = count, .inputs = &from, .input_spans = 1, .outputs = &to, .output_spans = 1, .status = status};
    cr_assert_eq(x->engine->interface->run(x, &batch), PSY_OK, "%s", psy_detail());
}

/* Which of two NaN comes through is left open. */
static bool same_bits(const uint8_t *a, const uint8_t *b, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += 4) {
        float x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        if (memcmp(a + i, b + i, 4) != 0 && !(isnan(x) && isnan(y))) {
            return false;
        }
    }
    return true;
}

/* Both on the same messages; `specials`: among them what is no ordinary number. */
static void compare(both *e, const build *b, const char *label, bool specials, uint32_t count)
{
    suite s = {.cpu = true, .random = 7};
    uint64_t in_bytes = b->types[0].bytes, out_bytes = b->types[1].bytes;
    uint8_t *in = aligned_alloc(64, in_bytes * count),
            *out[2] = {aligned_alloc(64, out_bytes * count), aligned_alloc(64, out_bytes * count)};
    psy__executable *x[2] = {bind_of(e->with, b), bind_of(e->without, b)};
    for (uint32_t i = 0; i < ((psy__cpu_executable *)x[0])->step_count; i++) {
        e->made += ((psy__cpu_executable *)x[0])->steps[i].region.code.run != NULL;
        cr_assert_null(((psy__cpu_executable *)x[1])->steps[i].region.code.run);
    }
    for (uint32_t m = 0; m < count; m++) {
        for (uint32_t f = 0; f < b->types[0].field_count; f++) {
            const psy_psm_field *field = &b->fields[0][f];
            suite_fill(&s, specials ? SUITE_SPECIAL : SUITE_PLAIN, field->dtype, in + m * in_bytes + field->offset,
                       field->count ? field->count : 1);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        memset(out[k], 0x55, out_bytes * count);
        run_of(x[k], in, in_bytes, out[k], out_bytes, count);
        x[k]->engine->interface->unbind(x[k]);
    }
    cr_assert(same_bits(out[0], out[1], out_bytes * count), "%s: other bits than the kernels give", label);
    free(in);
    free(out[0]);
    free(out[1]);
}

static build *begin(uint32_t n, uint32_t loads[INPUTS])
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), fields[INPUTS];
    for (unsigned i = 0; i < INPUTS; i++) {
        fields[i] = build_field(b, in, PSY_F32, i == 2 ? PSY_FIELD_SCALAR : PSY_FIELD_ARRAY, i == 2 ? 1 : n);
    }
    build_program(b, in, PSY_NONE, out);
    for (unsigned i = 0; i < INPUTS; i++) {
        loads[i] = build_load(b, fields[i]);
    }
    return b;
}

static void each_operation(const char *set)
{
    both e;
    setenv("PSYNE_CPU", set, 1);
    open_both(&e);
    unsigned tried = 0;
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        psy_op_class c = info->class_;
        bool compares = c == PSY_CLASS_COMPARE;
        if (!psy__op_takes(info, PSY_F32) || !(psy__class_is_map(c) || c == PSY_CLASS_CHOOSE) || c == PSY_CLASS_CAST) {
            continue;
        }
        for (unsigned special = 0; special < 2; special++) {
            for (unsigned form = 0; form < 3; form++) { /* vectors; one value for all on the one side, and on the other */
                uint32_t in[INPUTS], n = 50;
                build *b = begin(n, in);
                uint32_t x = form == 1 ? in[2] : in[0], y = form == 2 ? in[2] : in[1], value;
                build_region(b, false, 1, &n);
                if (c == PSY_CLASS_CHOOSE || compares) {
                    uint32_t which = build_map(b, compares ? info->op : PSY_OP_LT, x, y);
                    value = build_map3(b, PSY_OP_CHOOSE, which, in[0], y);
                } else {
                    value = c == PSY_CLASS_MAP3   ? build_map3(b, info->op, x, y, in[0])
                            : c == PSY_CLASS_MAP2 ? build_map(b, info->op, x, y)
                                                  : build_map(b, info->op, in[form == 1], PSY_NONE);
                }
                value = build_map(b, PSY_OP_ADD, value, in[1]); /* a vector, whatever the operands are */
                build_region_end(b);
                build_output(b, value);
                build_end(b);
                build_finish(b);
                compare(&e, b, info->name, special, 5);
                build_destroy(b);
                tried++;
            }
        }
    }
    cr_assert_gt(tried, 150);
    if (strcmp(set, "base") != 0) {
        cr_assert_geq(e.made, tried * 3 / 4, "%s: code for %u of %u", set, e.made, tried);
    } else {
        cr_assert_eq(e.made, 0);
    }
    close_both(&e);
}

/* Values are made of others at random, many of them alive at once; some leave the region. */
static void at_random(const char *set, uint64_t seed)
{
    static const psy_op maps[] = {PSY_OP_ADD, PSY_OP_SUB, PSY_OP_MUL, PSY_OP_MAX, PSY_OP_MIN, PSY_OP_DIV};
    static const psy_op ones[] = {PSY_OP_NEG, PSY_OP_ABS,  PSY_OP_FLOOR, PSY_OP_TANH,
                                  PSY_OP_EXP, PSY_OP_SIGN, PSY_OP_SIN,   PSY_OP_LOG};
    both e;
    setenv("PSYNE_CPU", set, 1);
    open_both(&e);
    for (unsigned round = 0; round < 60; round++) {
        uint32_t in[INPUTS], values[LIVE_MAX], n = 1 + (uint32_t)(suite_random(&seed) % 100), count = 0,
                                               live = 3 + (uint32_t)(suite_random(&seed) % (LIVE_MAX - 3));
        build *b = begin(n, in);
        build_region(b, false, 1, &n);
        for (; count < live; count++) {
            unsigned how = (unsigned)(suite_random(&seed) % 8);
            uint32_t x = count ? values[suite_random(&seed) % count] : in[0], y = in[suite_random(&seed) % INPUTS],
                     z = count ? values[suite_random(&seed) % count] : in[1];
            values[count] = how < 4    ? build_map(b, maps[suite_random(&seed) % 6], x, how < 2 ? z : y)
                            : how == 4 ? build_map3(b, PSY_OP_FMA, x, y, z)
                            : how == 5 ? build_map3(b, PSY_OP_CHOOSE, build_map(b, PSY_OP_LT, x, y), z, x)
                                       : build_map(b, ones[suite_random(&seed) % 8], x, PSY_NONE);
        }
        uint32_t sum = values[0];
        for (uint32_t i = count; i-- > 1;) { /* so that all stay alive */
            sum = build_map(b, PSY_OP_ADD, sum, values[i]);
        }
        build_region_end(b);
        build_output(b, sum);
        if (round % 3 == 0 && live > 4) {
            build_output(b, values[3]);
        }
        build_end(b);
        build_finish(b);
        char label[64];
        snprintf(label, sizeof label, "%s, round %u, %u values over [%u]", set, round, live, n);
        compare(&e, b, label, round % 2, 1 + round % 5);
        build_destroy(b);
    }
    cr_assert(strcmp(set, "base") == 0 ? e.made == 0 : e.made > 30, "code for %u", e.made);
    close_both(&e);
}

static void on_every_set(void (*test)(const char *set))
{
    static const char *const sets[] = {"base", "avx2", "avx512"};
    for (unsigned i = 0; i < 3; i++) {
        psy__engine *engine;
        setenv("PSYNE_CPU", sets[i], 1);
        if (psy__engine_open("cpu", NULL, &engine) == PSY_OK) {
            psy__engine_close(engine);
            test(sets[i]);
        }
    }
    unsetenv("PSYNE_CPU"); /* tests may share a process */
}

Test(code, of_each_operation) { on_every_set(each_operation); }

static void random_chains(const char *set) { at_random(set, 11); }
Test(code, of_random_chains) { on_every_set(random_chains); }

/* From one element to some vectors and a part of one: nothing is written behind the end (`compare` looks at all of the
 * message). */
static void lengths(const char *set)
{
    both e;
    setenv("PSYNE_CPU", set, 1);
    open_both(&e);
    for (uint32_t n = 1; n < 70; n++) {
        uint32_t in[INPUTS];
        build *b = begin(n, in);
        build_region(b, false, 1, &n);
        uint32_t value = build_map(b, PSY_OP_MUL, build_map(b, PSY_OP_COS, in[0], PSY_NONE), in[1]);
        build_region_end(b);
        build_output(b, value);
        build_end(b);
        build_finish(b);
        compare(&e, b, "a length", true, 3); /* of the special numbers some are too large for the code's cosine */
        build_destroy(b);
    }
    close_both(&e);
}
Test(code, of_every_length) { on_every_set(lengths); }

/* Rows of a matrix, with a vector for all rows and a number for each. */
static void rows(const char *set)
{
    both e;
    setenv("PSYNE_CPU", set, 1);
    open_both(&e);
    for (uint32_t n = 15; n < 40; n += 3) {
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b), matrix = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 6 * n),
                 row = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, n),
                 column = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, 6);
        build_program(b, in, PSY_NONE, out);
        uint32_t m = build_reshape(b, build_load(b, matrix), 2, (psy_dim[]){6, n}), r = build_load(b, row),
                 c = build_reshape(b, build_load(b, column), 2, (psy_dim[]){6, 1});
        build_region(b, false, 2, (psy_dim[]){6, n});
        uint32_t value = build_map(b, PSY_OP_TANH, build_map(b, PSY_OP_ADD, build_map(b, PSY_OP_MUL, m, c), r), PSY_NONE);
        build_region_end(b);
        build_output(b, build_reshape(b, value, 1, (psy_dim[]){6 * n}));
        build_end(b);
        build_finish(b);
        compare(&e, b, "rows", false, 4);
        build_destroy(b);
    }
    close_both(&e);
}
Test(code, of_rows) { on_every_set(rows); }

/* The environment turns it off, and the description says what there is. */
Test(code, can_be_turned_off)
{
    psy__engine *engine;
    unsetenv("PSYNE_CPU");
    cr_assert_eq(psy__engine_open("cpu", NULL, &engine), PSY_OK);
    bool makes = ((psy__cpu_engine *)engine)->code_lanes != 0;
    cr_assert_eq(strstr(engine->interface->describe(engine), "code") != NULL, makes);
    psy__engine_close(engine);
    setenv("PSYNE_CPU_CODE", "0", 1);
    cr_assert_eq(psy__engine_open("cpu", NULL, &engine), PSY_OK);
    cr_assert_eq(((psy__cpu_engine *)engine)->code_lanes, 0u);
    cr_assert_null(strstr(engine->interface->describe(engine), "code"));
    psy__engine_close(engine);
    unsetenv("PSYNE_CPU_CODE");
}

/* What runs can't be written (W^X). */
Test(code, cannot_be_written)
{
    uint32_t in[INPUTS], n = 64;
    psy__engine *engine;
    cr_assert_eq(psy__engine_open("cpu", NULL, &engine), PSY_OK);
    build *b = begin(n, in);
    build_output(b, build_map(b, PSY_OP_ADD, in[0], in[1]));
    build_end(b);
    build_finish(b);
    psy__executable *x = bind_of(engine, b);
    const uint8_t *code = ((psy__cpu_executable *)x)->code;
    if (((psy__cpu_engine *)engine)->code_lanes == 0) {
        cr_skip_test("this machine's engine makes no code");
    }
    cr_assert_not_null(code);
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512], found[8] = "";
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3) {
            cr_assert(!(strchr(rights, 'w') && strchr(rights, 'x')), "%s", line);
            if ((uintptr_t)code >= from && (uintptr_t)code < to) {
                memcpy(found, rights, sizeof found);
            }
        }
    }
    fclose(maps);
    cr_assert_str_eq(found, "r-xp");
    engine->interface->unbind(x);
    psy__engine_close(engine);
    build_destroy(b);
}
