/* SPDX-License-Identifier: Apache-2.0 */
/* Random well-typed programs: optimising changes no result, splitting over shards neither, and their modules go through the
 * assembler and back unchanged. PSYNE_TEST_RANDOM=N runs N of each kind, PSYNE_TEST_SEED=S begins with seed S: a failure names
 * the seed and shows the program. */
#include <inttypes.h>
#include <math.h>

#include "isa/asm.h"
#include "isa/scalar.h"
#include "tests/codegen/made.h"
#include "tests/compiler/random_hrm_data.h"
#include "tests/engine/suite.h"

enum { SHARDS_MAX = 4 };

/* ThreadSanitizer has nothing to find here. */
#ifdef __SANITIZE_THREAD__
enum { PROGRAMS = 10 };
#else
enum { PROGRAMS = 100 };
#endif

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- running and comparing ---- */

static double get(unsigned dtype, const uint8_t *from)
{
    double x;
    psy__cast(dtype, from, PSY_F64, &x, 1);
    return x;
}

static void run(const random_hrm *p, const random_hrm_data *d, const compiled *c, uint32_t shards, served *s)
{
    random_hrm_serve(NULL, p, d, c, shards, s);
}

static void compare(const random_hrm *p, const compiled *c, const served *a, const served *b, const char *where)
{
    cr_assert(a->bind == PSY_OK && b->bind == PSY_OK, "%s: %s\n%s", where, psy_detail(), p->program);
    for (uint32_t i = 0; i < RANDOM_HRM_MESSAGES * p->output_count; i++) {
        char name[16];
        uint32_t m = i / p->output_count, k = i % p->output_count;
        const random_hrm_value *v = &p->outputs[k];
        unsigned bytes = psy__dtype_bytes(v->dtype);
        snprintf(name, sizeof name, "o%u", k);
        const uint8_t *x = serve_output(c, "p", a, m, name), *y = serve_output(c, "p", b, m, name);
        for (size_t n = 0; n < random_hrm_elements(p, v); n++) {
            bool same = memcmp(x + n * bytes, y + n * bytes, bytes) == 0;
            double one = 0, other = 0;
            if (!same && psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT) {
                one = get(v->dtype, x + n * bytes);
                other = get(v->dtype, y + n * bytes);
                same = (isnan(one) && isnan(other)) || one == other ||
                       fabs(one - other) <= random_hrm_tolerance(v) * fmax(1, fabs(one));
            }
            cr_assert(same, "%s: message %u, %s (%s), element %zu: %.9g and %.9g\n%s\n%s", where, m, name, v->name, n, one,
                      other, p->schema, p->program);
        }
    }
}

static void check_round_trip(const random_hrm *p, const compiled *c)
{
    char *text;
    size_t n;
    uint8_t *bytes;
    uint64_t byte_count;
    cr_assert_eq(psy__disassemble(&c->module, &text, &n), PSY_OK, "%s\n%s", psy_detail(), p->program);
    cr_assert_eq(psy__assemble(text, n, &bytes, &byte_count), PSY_OK, "%s\n%s", psy_detail(), p->program);
    cr_assert(byte_count == c->unit->module_bytes && memcmp(bytes, c->unit->module, byte_count) == 0, "%s", p->program);
    free(text);
    free(bytes);
}

static void check_program(random_hrm_kind kind, uint64_t seed)
{
    static random_hrm p;
    compiled *c[2];
    served s[2];
    random_hrm_data d;
    char where[64];
    random_hrm_make(&p, seed, kind);
    random_hrm_data_init(&d, &p);
    snprintf(where, sizeof where, "kind %d, seed %" PRIu64, (int)kind, seed);
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        c[optimise] = compile(p.schema, p.program, optimise);
        cr_assert(c[optimise]->ok, "%s: %s\n%s\n%s", where, c[optimise]->said, p.schema, p.program);
        check_round_trip(&p, c[optimise]);
        run(&p, &d, c[optimise], 1, &s[optimise]);
    }
    compare(&p, c[0], &s[0], &s[1], where);
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        serve_end(&s[optimise]);
        compile_end(c[optimise]);
    }
    random_hrm_data_fini(&d);
}

static void check_programs(random_hrm_kind kind)
{
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", PROGRAMS);
    for (uint64_t i = 0; i < count; i++) {
        check_program(kind, from + i);
    }
}

Test(random_hrm, fixed_sizes) { check_programs(RANDOM_HRM_FIXED); }
Test(random_hrm, named_sizes) { check_programs(RANDOM_HRM_NAMED); }

/* With --fast-math floats differ a little, and what is cut or compared on the way may jump: nearly all of them are near. */
Test(random_hrm, fast_math)
{
    static random_hrm p;
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", PROGRAMS);
    size_t all = 0, near = 0, changed = 0;
    for (uint64_t i = 0; i < count; i++) {
        random_hrm_data d;
        served s[2];
        compiled *c[2];
        random_hrm_make(&p, from + i, i % 2 ? RANDOM_HRM_FIXED : RANDOM_HRM_NAMED);
        random_hrm_data_init(&d, &p);
        for (unsigned fast = 0; fast < 2; fast++) {
            c[fast] = compile_with(p.schema, p.program, &(psc_options){.optimise = true, .fast_math = fast});
            cr_assert(c[fast]->ok, "%s\n%s", c[fast]->said, p.program);
            run(&p, &d, c[fast], 1, &s[fast]);
            cr_assert_eq(s[fast].bind, PSY_OK, "%s\n%s", psy_detail(), p.program);
        }
        changed += c[1]->unit->relaxed > 0;
        for (uint32_t k = 0; k < RANDOM_HRM_MESSAGES * p.output_count; k++) {
            const random_hrm_value *v = &p.outputs[k % p.output_count];
            char name[16];
            snprintf(name, sizeof name, "o%u", k % p.output_count);
            for (size_t n = 0; n < random_hrm_elements(&p, v) && (v->dtype == PSY_F32 || v->dtype == PSY_F64); n++) {
                size_t at = n * psy__dtype_bytes(v->dtype);
                double x = get(v->dtype, (uint8_t *)serve_output(c[0], "p", &s[0], k / p.output_count, name) + at),
                       y = get(v->dtype, (uint8_t *)serve_output(c[1], "p", &s[1], k / p.output_count, name) + at);
                if (!isfinite(x)) {
                    continue; /* it may take NaN and infinities for what they are not */
                }
                all++;
                near += (isnan(x) && isnan(y)) || x == y || fabs(x - y) <= 1e-3 * fmax(1, fabs(x));
            }
        }
        for (unsigned fast = 0; fast < 2; fast++) {
            serve_end(&s[fast]);
            compile_end(c[fast]);
        }
        random_hrm_data_fini(&d);
    }
    cr_assert_geq(near * 100, all * 98, "%zu of %zu are near", near, all);
    cr_assert_geq(changed * 4, count, "only %zu of %" PRIu64 " programs were changed", changed, count);
}

/* ---- on a device ---- */

/* PSY_NO_DEVICE, PSY_UNSUPPORTED, or it gives what the CPU gives of the program as it is written. */
static psy_status check_on(const char *engine, random_hrm_kind kind, uint64_t seed)
{
    static random_hrm p;
    random_hrm_data d;
    served cpu, device;
    char where[64];
    random_hrm_make(&p, seed, kind);
    random_hrm_data_init(&d, &p);
    snprintf(where, sizeof where, "%s, kind %d, seed %" PRIu64, engine, (int)kind, seed);
    compiled *written = compile(p.schema, p.program, false), *optimised = compile(p.schema, p.program, true);
    cr_assert(written->ok && optimised->ok, "%s: %s", where, optimised->said);
    run(&p, &d, written, 1, &cpu);
    random_hrm_serve(engine, &p, &d, optimised, 1, &device);
    psy_status status = device.bind;
    if (status != PSY_NO_DEVICE && status != PSY_UNSUPPORTED) {
        compare(&p, written, &cpu, &device, where);
    }
    serve_end(&cpu);
    serve_end(&device);
    compile_end(written);
    compile_end(optimised);
    random_hrm_data_fini(&d);
    return status;
}

/* Devices compile kernels for long: a part of the programs. Most have an operation that the engine leaves to the CPU. */
Test(random_hrm, on_vulkan)
{
    enum { PART = 4 };
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", PROGRAMS) / PART, supported = 0;
    for (uint64_t i = 0; i < count; i++) {
        psy_status status = check_on("vulkan", i % 2 ? RANDOM_HRM_NAMED : RANDOM_HRM_FIXED, from + i);
        if (status == PSY_NO_DEVICE) {
            cr_skip_test("vulkan: %s", psy_detail());
        }
        supported += status == PSY_OK;
    }
    fprintf(stderr, "vulkan ran %" PRIu64 " of %" PRIu64 " programs\n", supported, count);
}

/* Emitted C of the optimised programs, compiled together, gives what the CPU engine gives of them as they are written. */
Test(random_hrm, as_c)
{
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", PROGRAMS);
    static random_hrm p;
    serve_own = suite_family_c.open;
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t seed = from; seed < from + count; seed++) {
            random_hrm_kind kind = seed % 2 ? RANDOM_HRM_NAMED : RANDOM_HRM_FIXED;
            if (round == 1) {
                cr_assert_eq(check_on("own", kind, seed), PSY_OK, "%s", psy_detail());
                continue;
            }
            random_hrm_make(&p, seed, kind);
            compiled *c = compile(p.schema, p.program, true);
            cr_assert(c->ok, "%s", c->said);
            if (!made_before(&c->module, 0)) {
                cr_assert_eq(made_c_add(&c->module), PSY_OK, "%s", psy_detail());
            }
            compile_end(c);
        }
        psy_status status = round == 0 ? made_c_compile() : PSY_OK;
        if (status == PSY_UNSUPPORTED) {
            made_clear();
            cr_skip_test("%s", psy_detail());
        }
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    }
    made_clear();
}

/* Many have no split, and say so; those that have give over all numbers of shards what they give without. */
static bool check_split(uint64_t seed)
{
    static random_hrm p, whole;
    random_hrm_data d;
    served one, many;
    char where[64];
    random_hrm_make(&p, seed, RANDOM_HRM_SPLIT);
    random_hrm_make(&whole, seed, RANDOM_HRM_NAMED);
    random_hrm_data_init(&d, &p);
    snprintf(where, sizeof where, "split, seed %" PRIu64, seed);
    compiled *parts = compile(p.schema, p.program, seed % 2), *all = compile(whole.schema, whole.program, true);
    bool ok = parts->ok;
    cr_assert(all->ok, "%s", all->said);
    cr_assert(ok || (strstr(parts->said, "[E0401]") && !strstr(parts->said, "[E0900]")), "%s: %s\n%s", where, parts->said,
              p.program);
    run(&whole, &d, all, 1, &one);
    for (uint32_t shards = 1; ok && shards <= SHARDS_MAX; shards++) {
        run(&p, &d, parts, shards, &many);
        compare(&whole, all, &one, &many, where);
        serve_end(&many);
    }
    if (ok) {
        check_round_trip(&p, parts);
    }
    serve_end(&one);
    compile_end(parts);
    compile_end(all);
    random_hrm_data_fini(&d);
    return ok;
}

Test(random_hrm, split_over_shards)
{
    uint64_t from = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", PROGRAMS), split = 0;
    for (uint64_t i = 0; i < count; i++) {
        split += check_split(from + i);
    }
    cr_assert_geq(split * 10, count, "only %" PRIu64 " of %" PRIu64 " programs could be split", split, count);
}
