/* SPDX-License-Identifier: Apache-2.0 */
/* --fast-math: every rule of fast_math.def applies where it should, and gives what was written within a few roundings; without
 * the option nothing is changed. */
#include <math.h>

#include "compiler/optimise.h"
#include "tests/compiler/compile.h"

enum { N = 16 };

typedef struct rule_case {
    const char *rule;       /* as fast_math.def writes it */
    const char *text;       /* gives f32[16] of q.a, q.b (f32[16]), q.s (f32), m (f32[16, 16]): 0.5 to 2 */
    unsigned before, after; /* operations of one element or reductions, without and with */
} rule_case;

static const rule_case cases[] = {
    {"x + 0", "q.a + 0", 1, 0},
    {"(x + c) + d", "(q.a + 1) + 2", 2, 1},
    {"(x + c) + d", "2 + (q.a - 1)", 2, 1},
    {"(x + c) - d", "(1 + q.a) - 2.5", 2, 1},
    {"a * x + a * y", "q.a * q.b + q.s * q.a", 3, 2},
    {"a * x - a * y", "q.b * q.a - q.a * q.s", 3, 2},
    {"x - x", "q.a - q.a + q.b", 2, 0},
    {"x * 0", "q.b + q.a * 0", 2, 0},
    {"x * 0", "reshape(broadcast(q.a * 0, [2, 16]), [32])[..16] + q.b", 2, 1},
    {"x * 1", "(q.a / q.a) * q.b", 2, 0},
    {"(x * c) * d", "3 * (q.a * 2)", 2, 1},
    {"sqrt(x) * sqrt(x)", "sqrt(q.a) * sqrt(q.a)", 2, 0},
    {"exp(x) * exp(y)", "exp(q.a) * exp(q.b)", 3, 2},
    {"x / x", "q.a / q.a * q.b", 2, 0},
    {"x / c", "q.a / 3", 1, 1},
    {"exp(x) / exp(y)", "exp(q.a) / exp(q.b)", 3, 2},
    {"x / sqrt(y)", "q.a / sqrt(q.b)", 2, 2},
    {"x / y, of fewer y than x", "q.a / q.s", 1, 2},
    {"log(exp(x))", "log(exp(q.a))", 2, 0},
    {"exp(log(x))", "exp(log(q.a))", 2, 0},
    {"pow(x, 2), pow(x, 3), pow(x, 0.5), pow(x, -1)", "pow(q.a, 2)", 1, 1},
    {"pow(x, 2), pow(x, 3), pow(x, 0.5), pow(x, -1)", "pow(q.a, 3)", 1, 2},
    {"pow(x, 2), pow(x, 3), pow(x, 0.5), pow(x, -1)", "pow(q.a, 0.5)", 1, 1},
    {"pow(x, 2), pow(x, 3), pow(x, 0.5), pow(x, -1)", "pow(q.a, -1)", 1, 1},
    {"sum(x * y), y a scalar", "sum(m * q.s, axis: 1)", 2, 2},
    {"sum(x * y), y a scalar", "sum(m / 7, axis: 0)", 2, 2},
    {"dot(x * y, a), y a scalar, of fewer results than x", "(m * q.s) @ q.a", 2, 2},
    {"x * y + a", "q.a * q.b + q.s", 2, 1},
};

enum { CASES = sizeof cases / sizeof cases[0] };

static const char schema[] = "namespace t; message Q { a: f32[16]; b: f32[16]; s: f32; } message R { x: f32[16]; }";

static float value(unsigned i) { return 0.5f + (float)(i * 29 % 97) / 64; }

static unsigned operations(const compiled *c)
{
    unsigned n = 0;
    const psc_program *p = c->unit->pipelines.at[0]->shard;
    for (size_t i = 0; i < p->values.count; i++) {
        n += psc_ir_is_elementwise(p->values.at[i]) || psc_ir_is_reduction(p->values.at[i]);
    }
    return n;
}

static compiled *compile_text(const char *text, bool fast)
{
    char program[400];
    snprintf(program, sizeof program,
             "resident _m: f32[16, 16] replicated\nfn of(m: f32[16, 16]) -> f32[16, 16] = m\n"
             "pipeline p(q: Q) -> R { let m = of(_m) R { x: %s } }",
             text);
    compiled *c = compile_with(schema, program, &(psc_options){.optimise = true, .fast_math = fast});
    cr_assert(c->ok, "%s: %s", text, c->said);
    return c;
}

static void run(const compiled *c, float *out)
{
    static float rows[N * N];
    for (unsigned i = 0; i < N * N; i++) {
        rows[i] = value(i + 5);
    }
    served s = {.shards = 1, .messages = 1, .residents = {{"_m", rows, N, N * sizeof(float), NULL}}};
    serve_begin(c, "p", &s);
    for (unsigned i = 0; i < N; i++) {
        ((float *)serve_input(c, "p", &s, 0, "a"))[i] = value(i);
        ((float *)serve_input(c, "p", &s, 0, "b"))[i] = value(i + 40);
    }
    *(float *)serve_input(c, "p", &s, 0, "s") = 0.7f;
    serve(c, "p", &s);
    cr_assert_eq(s.bind, PSY_OK, "%s", psy_detail());
    memcpy(out, serve_output(c, "p", &s, 0, "x"), N * sizeof *out);
    serve_end(&s);
}

Test(fast_math, every_rule)
{
    for (size_t i = 0; i < CASES; i++) {
        float exact[N], fast[N];
        compiled *plain = compile_text(cases[i].text, false), *relaxed = compile_text(cases[i].text, true);
        cr_assert_eq(plain->unit->relaxed, 0, "%s", cases[i].text);
        cr_assert_gt(relaxed->unit->relaxed, 0, "%s is not changed", cases[i].text);
        cr_assert_eq(operations(plain), cases[i].before, "%s: %u operations", cases[i].text, operations(plain));
        cr_assert_eq(operations(relaxed), cases[i].after, "%s: %u operations with --fast-math", cases[i].text,
                     operations(relaxed));
        run(plain, exact);
        run(relaxed, fast);
        for (unsigned k = 0; k < N; k++) {
            cr_assert(fabsf(fast[k] - exact[k]) <= 8 * 1.2e-7f * fmaxf(1, fabsf(exact[k])), "%s: %u: %.9g, not %.9g",
                      cases[i].text, k, (double)fast[k], (double)exact[k]);
        }
        compile_end(plain);
        compile_end(relaxed);
    }
    const char *written, *computed;
    for (unsigned row = 0; psc_fast_math_row(row, &written, &computed); row++) {
        size_t i = 0;
        while (i < CASES && strcmp(cases[i].rule, written) != 0) {
            i++;
        }
        cr_assert(i < CASES, "no case for `%s`", written);
    }
}

/* Where it would not pay, or not be near, nothing is changed. */
Test(fast_math, left_alone)
{
    static const char *const texts[] = {
        "q.a * q.b",
        "q.a / q.b",
        "m @ (q.a * q.s)",
        "q.a + 1",
        "f32(u32(q.a) * 0)",           /* whole numbers */
        "(q.a * 1e25) * 1e-25",        /* the product of the numbers would do, their order may not: it is 1 */
        "min(exp(q.a), 9) + exp(q.a)", /* read twice */
        "pow(q.a, 2.5)",
        "q.a / 1e-37", /* its reciprocal is too large for what is left */
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        compiled *c = compile_text(texts[i], true);
        bool may = i == 5;
        cr_assert(may || c->unit->relaxed == 0, "%s is changed", texts[i]);
        compile_end(c);
    }
}

/* A view takes the place of what lay one after the other: with and without the option. */
Test(fast_math, views_that_come_up)
{
    float exact[N], got[N];
    compiled *c = compile_text("reshape(transpose(m), [256])[..16]", false);
    run(c, exact);
    compile_end(c);
    for (unsigned fast = 0; fast < 2; fast++) {
        c = compile_text(fast ? "reshape(transpose(m) + 0, [256])[..16]" : "reshape(transpose(m) * 1, [256])[..16]", fast);
        run(c, got);
        cr_assert_eq(memcmp(exact, got, sizeof got), 0);
        compile_end(c);
    }
}
