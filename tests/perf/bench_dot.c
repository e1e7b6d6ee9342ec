/* SPDX-License-Identifier: Apache-2.0 */
/* The scan behind a search, on one thread: products of a resident matrix with the vectors of the messages that wait.
 * Microseconds a message; a sample of the products is compared with sums in double.
 *
 *   cpu/dot/batch1   one message
 *   cpu/dot/batch64  64 messages at once
 *
 * Peers: the loop a C programmer would write, compiled with -O3 for the instruction set that the engine chose, and OpenBLAS on
 * one thread (sgemv, sgemm). */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_OPENBLAS
#include <cblas.h>
#endif

#include "engine/cpu/cpu.h"
#include "tests/perf/bench.h"
#include "tests/perf/cores.h"

enum { ROWS = 36000, DEPTH = 256, BATCH = 64, BLOCK = 128 };

typedef struct work {
    const psy__kernels *kernels;
    float *matrix, *vectors, *packed, *out; /* out: [count, ROWS] */
    const void *pointers[BATCH];
    size_t count;
} work;

/* A sum of n products in any order is off by at most n * epsilon of the sum of their sizes. */
static void check(work *w, const char *whose)
{
    for (size_t i = 0; i < ROWS * w->count; i += 9973) {
        const float *a = w->matrix + i % ROWS * DEPTH, *b = w->vectors + i / ROWS * DEPTH;
        double sum = 0, size = 0;
        for (size_t d = 0; d < DEPTH; d++) {
            sum += (double)a[d] * b[d];
            size += fabs((double)a[d] * b[d]);
        }
        if (!(fabs(w->out[i] - sum) <= DEPTH * FLT_EPSILON * size)) {
            bench_fail("%s: product %zu is %g, not %g", whose, i, (double)w->out[i], sum);
        }
    }
    memset(w->out, 0xff, ROWS * w->count * sizeof *w->out); /* not a number: nobody passes on another's results */
}

typedef void multiply(work *w);

static double timed(work *w, uint64_t amount, multiply *how, const char *whose)
{
    double start = bench_thread_seconds();
    for (uint64_t i = 0; i < amount; i += w->count) {
        how(w);
    }
    double end = bench_thread_seconds();
    check(w, whose);
    return end - start;
}

/* ---- the engine's kernels, called as the engine does ---- */

static void by_kernels(work *w)
{
    const psy__dot_kernels *k = &w->kernels->dot[PSY_F32];
    if (w->count == 1) {
        k->one(w->matrix, DEPTH, ROWS, DEPTH, w->vectors, w->out);
        return;
    }
    k->pack(w->packed, w->pointers, w->count, DEPTH);
    for (size_t row = 0; row < ROWS; row += BLOCK) {
        size_t n = ROWS - row < BLOCK ? ROWS - row : BLOCK;
        k->many(w->matrix + row * DEPTH, DEPTH, n, DEPTH, w->packed, w->count, w->out + row, ROWS);
    }
}

static double subject(void *w, uint64_t amount) { return timed(w, amount, by_kernels, "psyne"); }

/* ---- the loop: 16 sums, so that it can be vectorised without changing its meaning ---- */

static inline __attribute__((always_inline)) void loop(work *w)
{
    for (size_t v = 0; v < w->count; v++) {
        for (size_t row = 0; row < ROWS; row++) {
            const float *a = w->matrix + row * DEPTH, *b = w->vectors + v * DEPTH;
            float sums[16] = {0}, sum = 0;
            for (size_t d = 0; d < DEPTH; d += 16) {
                for (size_t l = 0; l < 16; l++) {
                    sums[l] += a[d + l] * b[d + l];
                }
            }
            for (size_t l = 0; l < 16; l++) {
                sum += sums[l];
            }
            w->out[v * ROWS + row] = sum;
        }
    }
}

static void __attribute__((optimize("O3"))) by_loop_base(work *w) { loop(w); }
#if defined(__x86_64__)
static void __attribute__((optimize("O3"), target("avx2,fma"))) by_loop_avx2(work *w) { loop(w); }
static void __attribute__((optimize("O3"), target("avx512f,fma,prefer-vector-width=512"))) by_loop_avx512(work *w) { loop(w); }
#endif

static double by_loop(void *context, uint64_t amount)
{
    work *w = context;
    multiply *best = by_loop_base;
#if defined(__x86_64__)
    best = strcmp(w->kernels->name, "avx2") == 0     ? by_loop_avx2
           : strcmp(w->kernels->name, "avx512") == 0 ? by_loop_avx512
                                                     : best;
#endif
    return timed(w, amount, best, "the loop");
}

/* ---- OpenBLAS ---- */

#ifdef HAVE_OPENBLAS
static void by_blas(work *w)
{
    if (w->count == 1) {
        cblas_sgemv(CblasRowMajor, CblasNoTrans, ROWS, DEPTH, 1, w->matrix, DEPTH, w->vectors, 1, 0, w->out, 1);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)w->count, ROWS, DEPTH, 1, w->vectors, DEPTH, w->matrix, DEPTH,
                    0, w->out, ROWS);
    }
}

static double by_openblas(void *w, uint64_t amount) { return timed(w, amount, by_blas, "OpenBLAS"); }

/* OpenBLAS takes a processor that is newer than itself for an old one; what it should be taken for is only read when the
 * library is loaded. So the program starts itself again, unless the user has said it already. */
static void prepare_blas(const work *w, char **argv)
{
    const char *kind = strcmp(w->kernels->name, "avx512") == 0 ? "SKYLAKEX"
                       : strcmp(w->kernels->name, "avx2") == 0 ? "HASWELL"
                                                               : NULL;
    if (kind && !getenv("OPENBLAS_CORETYPE") && strcmp(openblas_get_corename(), "Prescott") == 0) {
        setenv("OPENBLAS_CORETYPE", kind, 1);
        execv("/proc/self/exe", argv);
    }
    openblas_set_num_threads(1);
}
static const char *blas_kernels(void) { return openblas_get_corename(); }

#define OPENBLAS(name_)                                                                                                        \
    {                                                                                                                          \
        .name = name_, .run = by_openblas                                                                                      \
    }
#else
#define OPENBLAS(name_)                                                                                                        \
    {                                                                                                                          \
        .name = name_, .missing = "libopenblas-dev"                                                                            \
    }
static void prepare_blas(const work *w, char **argv) { (void)w, (void)argv; }
static const char *blas_kernels(void) { return "no"; }
#endif

static float *numbers(size_t count)
{
    float *p = bench_memory(count * sizeof *p);
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        p[i] = (float)(state >> 8) / (1 << 24) - 0.5f;
    }
    return p;
}

int main(int argc, char **argv)
{
    psy__engine *engine;
    if (psy__engine_cpu.open(NULL, &engine) != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
    work w = {.kernels = ((psy__cpu_engine *)engine)->kernels};
    prepare_blas(&w, argv);
    char head[160];
    snprintf(head, sizeof head, "matrix [%d, %d] f32, one thread: %s kernels, OpenBLAS with %s kernels", ROWS, DEPTH,
             w.kernels->name, blas_kernels());
    bench_begin(argc, argv, head);
    if (bench_wants("cpu/dot/")) {
        cores_pin(0);
        w.matrix = numbers((size_t)ROWS * DEPTH);
        w.vectors = numbers((size_t)BATCH * DEPTH);
        w.packed = numbers((size_t)2 * BATCH * DEPTH); /* room for whole groups of lanes */
        w.out = numbers((size_t)ROWS * BATCH);
        for (size_t i = 0; i < BATCH; i++) {
            w.pointers[i] = w.vectors + i * DEPTH;
        }
        bench_figure figure = {.name = "cpu/dot/batch1",
                               .unit = &bench_microseconds,
                               .step = 1,
                               .seconds = 0.05,
                               .subject = {"psyne", subject},
                               .peers = {{.name = "C loop, -O3", .run = by_loop}, OPENBLAS("OpenBLAS sgemv")},
                               .context = &w};
        w.count = 1;
        bench_measure(&figure);
        figure.name = "cpu/dot/batch64";
        figure.step = BATCH;
        figure.peers[1].name = "OpenBLAS sgemm";
        w.count = BATCH;
        bench_measure(&figure);
        free(w.matrix);
        free(w.vectors);
        free(w.packed);
        free(w.out);
    }
    psy__engine_cpu.close(engine);
    return bench_end();
}
