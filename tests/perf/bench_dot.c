/* SPDX-License-Identifier: Apache-2.0 */
/* The scan behind a search: products of a resident matrix with the vectors of the messages that wait.
 *
 *   dot/36k x 256/batch 64   all messages at once, per message
 *   dot/36k x 256/batch 1    one message
 *
 * The peer is the loop a C programmer would write, with the same compiler flags: four sums so that it vectorises. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/cpu/kernels.h"
#include "isa/module.h"
#include "tests/perf/bench.h"

enum { ROWS = 36000, DEPTH = 256, MOST = 64, BLOCK = 128 };

typedef struct context {
    const psy__kernels *kernels;
    float *matrix, *vectors, *packed, *ours, *theirs;
    const void *pointers[MOST];
    size_t count;
} context;

static double check(const context *c, uint64_t ns)
{
    for (size_t i = 0; i < ROWS * c->count; i += 997) {
        if (c->theirs[i] != 0 && fabsf(c->ours[i] - c->theirs[i]) > 1e-3f) {
            fprintf(stderr, "bench_dot: element %zu is %g, not %g\n", i, (double)c->ours[i], (double)c->theirs[i]);
            exit(1);
        }
    }
    return (double)ns * 1e-3 / (double)c->count;
}

static double subject(void *context_)
{
    context *c = context_;
    const psy__dot_kernels *k = &c->kernels->dot[PSY_F32];
    uint64_t start = psy__now_ns();
    if (c->count == 1) {
        k->one(c->matrix, DEPTH, ROWS, DEPTH, c->vectors, c->ours);
    } else {
        k->pack(c->packed, c->pointers, c->count, DEPTH);
        for (size_t row = 0; row < ROWS; row += BLOCK) {
            size_t n = ROWS - row < BLOCK ? ROWS - row : BLOCK;
            k->many(c->matrix + row * DEPTH, DEPTH, n, DEPTH, c->packed, c->count, c->ours + row, ROWS);
        }
    }
    return check(c, psy__now_ns() - start);
}

static double peer(void *context_)
{
    context *c = context_;
    uint64_t start = psy__now_ns();
    for (size_t v = 0; v < c->count; v++) {
        for (size_t row = 0; row < ROWS; row++) {
            const float *a = c->matrix + row * DEPTH, *b = c->vectors + v * DEPTH;
            float sums[16] = {0}, sum = 0;
            for (size_t d = 0; d < DEPTH; d += 16) {
                for (size_t l = 0; l < 16; l++) {
                    sums[l] += a[d + l] * b[d + l];
                }
            }
            for (size_t l = 0; l < 16; l++) {
                sum += sums[l];
            }
            c->theirs[v * ROWS + row] = sum;
        }
    }
    return check(c, psy__now_ns() - start);
}

static float *get(size_t count)
{
    float *p = aligned_alloc(64, (count * sizeof *p + 63) / 64 * 64);
    if (!p) {
        fprintf(stderr, "bench_dot: no memory\n");
        exit(1);
    }
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        p[i] = (float)(state >> 8) / (1 << 24) - 0.5f;
    }
    return p;
}

int main(int argc, char **argv)
{
    const psy__kernels *sets[] = {
        &psy__kernels_base,
#ifdef PSY_HAVE_AVX2
        &psy__kernels_avx2,
#endif
#ifdef PSY_HAVE_AVX512
        &psy__kernels_avx512,
#endif
    };
    context c = {.matrix = get(ROWS * DEPTH), .vectors = get(MOST * DEPTH), .packed = get(2 * MOST * DEPTH), .ours = get((size_t)ROWS * MOST),
                 .theirs = calloc((size_t)ROWS * MOST, sizeof(float))};
    for (size_t i = 0; i < MOST; i++) {
        c.pointers[i] = c.vectors + i * DEPTH;
    }
    bench_begin(argc, argv, "bench_dot: matrix [36000, 256] f32, microseconds a message");
    bench_pin(0);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        c.kernels = sets[i];
        if ((strcmp(sets[i]->name, "avx512") == 0 && !__builtin_cpu_supports("avx512f")) ||
            (strcmp(sets[i]->name, "avx2") == 0 && !__builtin_cpu_supports("avx2"))) {
            continue;
        }
        char name[64];
        for (c.count = 1; c.count <= MOST; c.count *= MOST) {
            snprintf(name, sizeof name, "dot/%s/batch%zu", sets[i]->name, c.count);
            bench_compare(name, "us", BENCH_LOWER_IS_BETTER, "C loop", subject, peer, &c);
        }
    }
    free(c.matrix);
    free(c.vectors);
    free(c.packed);
    free(c.ours);
    free(c.theirs);
    return bench_end();
}
