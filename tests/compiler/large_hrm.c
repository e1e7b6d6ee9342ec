/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/compiler/large_hrm.h"

#include <stdint.h>

enum { PIPELINES = 60, SHARED_LAST = 100, FUNCTIONS_MAX = 1000 };

const char *large_name(large_shape shape)
{
    static const char *const names[] = {"chain", "pipelines", "shared", "fan", "functions"};
    return names[shape];
}

static void begin(FILE *to, unsigned number)
{
    fprintf(to, "pipeline p%u(q: In) -> Out {\n    let x0 = q.v\n    let all = tanh(sum(q.v))\n", number);
}

/* Values stay small: a half of what was, and a little. */
static void chain(FILE *to, unsigned number, unsigned lines)
{
    begin(to, number);
    for (unsigned i = 1; i < lines; i++) {
        fprintf(to, "    let x%u = x%u * 0.%u + q.a\n", i, i - 1, 125 + (i + number) % 375);
    }
    fprintf(to, "    Out { y: sum(x%u) * all }\n}\n", lines - 1);
}

static void shared(FILE *to, unsigned lines)
{
    static const char *const forms[] = {"x%u * 0.5 + x%u * 0.25", "max(x%u, x%u)", "tanh(x%u - x%u)", "x%u * sum(x%u) * 0.01",
                                        "(if all > 0 { x%u } else { -x%u })"};
    uint32_t state = 1;
    begin(to, 0);
    for (unsigned i = 1; i < lines; i++) {
        unsigned picked[2];
        for (unsigned k = 0; k < 2; k++) {
            state = state * 1664525u + 1013904223u;
            picked[k] = i - 1 - (state >> 16) % (i < SHARED_LAST ? i : SHARED_LAST);
        }
        /* The line before is always used, so that none is left out. */
        fprintf(to, "    let x%u = x%u * 0.1 + ", i, i - 1);
        fprintf(to, forms[(state >> 8) % 5], picked[0], picked[1]);
        fputs(i % 3 ? "\n" : " * all\n", to);
    }
    fprintf(to, "    Out { y: sum(x%u) }\n}\n", lines - 1);
}

static void fan(FILE *to, unsigned lines)
{
    unsigned leaves = lines / 2, next = 0;
    begin(to, 0);
    for (unsigned i = 1; i <= leaves; i++) {
        fprintf(to, "    let y%u = sum(x0 * %u.5) / %u\n", i, i, 64 * i);
    }
    for (unsigned i = leaves + 1; i < 2 * leaves; i++) { /* a queue: two from its head, one to its end */
        fprintf(to, "    let y%u = y%u + y%u\n", i, next + 1, next + 2);
        next += 2;
    }
    fprintf(to, "    Out { y: y%u * all }\n}\n", 2 * leaves - 1);
}

static void functions(FILE *to, unsigned lines)
{
    unsigned n = lines / 2 < FUNCTIONS_MAX ? lines / 2 : FUNCTIONS_MAX;
    for (unsigned i = 0; i < n; i++) {
        fprintf(to, "fn f_%u(x: f32[D], y: f32) -> f32[D] = x * 0.%u + y\n", i, 125 + i);
    }
    begin(to, 0);
    for (unsigned i = 1; i < lines - n; i++) {
        fprintf(to, "    let x%u = f_%u(x%u, q.b)\n", i, i * 7 % n, i - 1);
    }
    fprintf(to, "    Out { y: sum(x%u) * all }\n}\n", lines - n - 1);
}

void large_write(large_shape shape, unsigned lines, FILE *to)
{
    switch (shape) {
    case LARGE_CHAIN: chain(to, 0, lines); break;
    case LARGE_PIPELINES:
        for (unsigned i = 0; i < PIPELINES; i++) {
            chain(to, i, lines / PIPELINES);
        }
        break;
    case LARGE_SHARED: shared(to, lines); break;
    case LARGE_FAN: fan(to, lines); break;
    default: functions(to, lines); break;
    }
}
