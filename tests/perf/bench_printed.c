/* SPDX-License-Identifier: Apache-2.0 */
/* C that psynec writes of programs, compiled with -O3 -march=native, beside the CPU engine on the same module, on one thread.
 * Milliseconds for a message of a million f32; what both give is compared.
 *
 *   printed/chain     gelu(x * a + b)
 *   printed/plain     relu(x * a + b) * (x - b): what can be vectorised
 *   printed/product   dot(x, a)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "printed.kernels.h"
#include "printed.psy.h"
#include "tests/perf/bench.h"

enum { COUNT = 1 << 20, OUT_BYTES = COUNT * 4 + 128 };

typedef struct work {
    psy__executable *executable;
    psy__engine *engine;
    const psy_kernel_program *program;
    psy_kernel_frame frame;
    uint8_t *input, *by_engine, *by_c;
    size_t compared; /* floats of the reply */
} work;

static void check(const work *w, const char *whose)
{
    const float *x = (const float *)(const void *)(w->by_c + (w->compared == 1 ? 8 : 64)),
                *y = (const float *)(const void *)(w->by_engine + (w->compared == 1 ? 8 : 64));
    for (size_t i = 0; i < w->compared; i++) {
        double bound = w->compared == 1 ? 1e-4 * COUNT : 1e-5; /* sums of a million products are put together differently */
        if (!(fabs((double)x[i] - y[i]) <= bound)) {
            bench_fail("%s: result %zu is %g in C, %g by the engine", whose, i, (double)x[i], (double)y[i]);
        }
    }
}

static void run_engine(work *w)
{
    uint8_t status;
    psy__span in = {w->input, OUT_BYTES, 1}, out = {w->by_engine, OUT_BYTES, 1};
    psy__batch batch = {.count = 1, .inputs = &in, .input_spans = 1, .outputs = &out, .output_spans = 1, .status = &status};
    if (w->engine->interface->run(w->executable, &batch) != PSY_OK || status != PSY_OK) {
        bench_fail("the engine: %s", psy_detail());
    }
}

static void run_c(work *w)
{
    if (psy_kernel_run(w->program, &w->frame, w->input, NULL, 0, w->by_c) != PSY_OK) {
        bench_fail("C does not run");
    }
}

static double timed(work *w, uint64_t amount, void (*run)(work *), const char *whose)
{
    double start = bench_thread_seconds();
    for (uint64_t i = 0; i < amount; i++) {
        run(w);
    }
    double end = bench_thread_seconds();
    run_engine(w);
    run_c(w);
    check(w, whose);
    return end - start;
}

static double by_c(void *context, uint64_t amount) { return timed(context, amount, run_c, "C"); }
static double by_engine(void *context, uint64_t amount) { return timed(context, amount, run_engine, "the engine"); }

static void measure(const psy__module *m, psy__engine *engine, uint32_t program, const char *name, size_t compared)
{
    static float *rows[2];
    static uint64_t bases[1], sizes[1] = {1};
    work w = {.engine = engine, .program = printed_kernels[program], .compared = compared};
    for (unsigned i = 0; i < 2 && !rows[i]; i++) {
        rows[i] = aligned_alloc(64, COUNT * sizeof(float));
        for (size_t k = 0; k < COUNT; k++) {
            rows[i][k] = ((float)(k * 2654435761u >> 8 & 255) / 64.0f - 2) * (i ? 0.5f : 1);
        }
    }
    psy__resident_data data[2] = {{.data = rows[0], .rows = COUNT, .row_bytes = 4},
                                  {.data = rows[1], .rows = COUNT, .row_bytes = 4}};
    psy_kernel_resident residents[2] = {{.data = rows[0], .rows = COUNT}, {.data = rows[1], .rows = COUNT}};
    psy__binding binding = {.module = m, .program = program, .symbols = sizes, .bases = bases, .residents = data};
    w.input = aligned_alloc(64, OUT_BYTES);
    w.by_engine = calloc(1, OUT_BYTES);
    w.by_c = aligned_alloc(64, OUT_BYTES);
    float *x = (float *)(void *)(w.input + 64);
    for (size_t k = 0; k < COUNT; k++) {
        x[k] = (float)(k % 97) / 32 - 1.5f;
    }
    if (engine->interface->bind(engine, &binding, &w.executable) != PSY_OK ||
        psy_kernel_open(w.program, sizes, NULL, residents, &w.frame) != PSY_OK) {
        bench_fail("%s cannot be bound: %s", name, psy_detail());
    }
    bench_measure(&(bench_figure){.name = name,
                                  .unit = &bench_milliseconds,
                                  .step = 1,
                                  .seconds = 0.2,
                                  .subject = {"emitted C", by_c},
                                  .peers = {{"cpu engine", by_engine}},
                                  .context = &w});
    engine->interface->unbind(w.executable);
    psy_kernel_close(&w.frame);
    free(w.input);
    free(w.by_engine);
    free(w.by_c);
}

int main(int argc, char **argv)
{
    psy__module m;
    psy__engine *engine;
    uint64_t n;
    uint8_t *bytes = bench_file(PRINTED_MODULE, &n);
    bench_begin(argc, argv, "bench_printed");
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m) != PSY_OK ||
        psy__engine_open("cpu", &(psy__engine_options){.max_batch = 1}, &engine) != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
    measure(&m, engine, 0, "printed/chain", COUNT);
    measure(&m, engine, 1, "printed/plain", COUNT);
    measure(&m, engine, 2, "printed/product", 1);
    psy__engine_close(engine);
    free(bytes);
    return bench_end();
}
