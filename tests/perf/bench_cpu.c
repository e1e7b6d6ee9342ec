/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU engine on the workloads of cpu.hrm, on one thread, in that thread's processor time. All results, the peers' too, are
 * compared with the same computed in double.
 *
 *   cpu/W1/1k, 64k, 16M   tanh(1.5 x + 0.25) * 0.75 + exp(-x x) over so many f32; beside it `cpu/copy/16M`, a streaming copy of
 * as many cpu/W2/1/random, clustered; cpu/W2/32    the best 10 of 100,000 rows of 128 by inner product, for 1 and 32 queries
 *   cpu/W3/1, 16, 256     784-256-128-10 with relu and softmax, for so many messages at once
 *   cpu/W4                layernorm and gelu over [64, 1024]
 *   cpu/W5/one, batch     relu(dot(x, y) / 8) of 128 numbers a message, for 1 and 64 messages at once
 *   cpu/chain/1k, 64k, 16M   five cheap operations; the peer is what gcc -O3 -march=native makes of the loop
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.psy.h"
#include "engine/engine.h"
#include "tests/perf/bench.h"
#include "tests/perf/cores.h"
#include "tests/perf/cpu.h"

enum { RESIDENTS = 10, BATCH_MAX = 256, PAYLOAD = 64 };

typedef struct work work;
struct work {
    psy__executable *executable;
    size_t batch, in_bytes, out_bytes, in_count, out_count; /* bytes of a message; f32 in it */
    uint8_t *in, *out;                                      /* messages */
    float *plain, *got;                                     /* the same as arrays, for peers */
    int64_t *hits;
    const char *numpy;
    void (*check)(const work *w, const float *got, const char *whose);
};

static psy__engine *engine;
static psy__module module;
static cpu_data data;
static psy__resident_data residents[RESIDENTS];
static bool with_numpy;

/* ---- what is right ---- */

static void compare(const char *whose, size_t i, double got, double right, double bound)
{
    if (!(fabs(got - right) <= bound)) {
        bench_fail("%s: result %zu is %.9g, not %.9g", whose, i, got, right);
    }
}

static void check_curve(const work *w, const float *got, const char *whose)
{
    for (size_t i = 0; i < w->out_count * w->batch; i += 1 + i / 5000) {
        double x = w->plain[i];
        compare(whose, i, got[i], tanh(1.5 * x + 0.25) * 0.75 + exp(-x * x), 8 * FLT_EPSILON);
    }
}

static void check_cheap(const work *w, const float *got, const char *whose)
{
    for (size_t i = 0; i < w->out_count * w->batch; i += 1 + i / 5000) {
        double x = w->plain[i], y = 1.5 * x + 0.25;
        compare(whose, i, got[i], (y > 0 ? y : 0) * 0.5 - x, 8 * FLT_EPSILON * (1 + fabs(x)));
    }
}

static double product(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

/* Scores of the first query's best; the k-th best row is named unless another is as good. */
static void check_search(const work *w, const float *got, const char *whose)
{
    static double scores[CPU_ROWS], best[CPU_BEST];
    double bound = 1e-5;
    for (size_t i = 0; i < CPU_ROWS; i++) {
        scores[i] = product(data.rows + i * CPU_DEPTH, w->plain, CPU_DEPTH);
    }
    for (size_t k = 0; k < CPU_BEST; k++) {
        best[k] = -INFINITY;
    }
    for (size_t i = 0; i < CPU_ROWS; i++) {
        for (size_t k = CPU_BEST; k-- > 0 && scores[i] > best[k];) {
            best[k + 1 < CPU_BEST ? k + 1 : k] = best[k];
            best[k] = scores[i];
        }
    }
    for (size_t k = 0; k < CPU_BEST; k++) {
        compare(whose, k, got[k], best[k], bound);
        compare(whose, k, scores[w->hits[k]], best[k], bound);
    }
}

static void check_mlp(const work *w, const float *got, const char *whose)
{
    for (size_t m = 0; m < w->batch; m += 1 + w->batch / 4) {
        double value[2][CPU_IMAGE], total = 0, largest = -INFINITY;
        for (size_t i = 0; i < CPU_IMAGE; i++) {
            value[0][i] = w->plain[m * CPU_IMAGE + i];
        }
        for (size_t l = 0; l < CPU_LAYERS; l++) {
            for (size_t o = 0; o < cpu_layer[l + 1]; o++) {
                double sum = data.biases[l][o];
                for (size_t i = 0; i < cpu_layer[l]; i++) {
                    sum += data.weights[l][o * cpu_layer[l] + i] * value[l % 2][i];
                }
                value[1 - l % 2][o] = l + 1 < CPU_LAYERS && !(sum > 0) ? 0 : sum;
            }
        }
        const double *last = value[CPU_LAYERS % 2];
        for (size_t i = 0; i < CPU_DIGITS; i++) {
            largest = last[i] > largest ? last[i] : largest;
        }
        for (size_t i = 0; i < CPU_DIGITS; i++) {
            total += exp(last[i] - largest);
        }
        for (size_t i = 0; i < CPU_DIGITS; i++) {
            compare(whose, m * CPU_DIGITS + i, got[m * CPU_DIGITS + i], exp(last[i] - largest) / total, 1e-4);
        }
    }
}

static void check_norm(const work *w, const float *got, const char *whose)
{
    for (size_t row = 0; row < CPU_PLANE_ROWS; row++) {
        const float *x = w->plain + row * CPU_PLANE;
        double mean = 0, square = 0;
        for (size_t i = 0; i < CPU_PLANE; i++) {
            mean += x[i] / (double)CPU_PLANE;
        }
        for (size_t i = 0; i < CPU_PLANE; i++) {
            square += (x[i] - mean) * (x[i] - mean) / (double)CPU_PLANE;
        }
        for (size_t i = 0; i < CPU_PLANE; i++) {
            double y = (x[i] - mean) / sqrt(square + 1e-5) * data.scale[i] + data.shift[i];
            compare(whose, row * CPU_PLANE + i, got[row * CPU_PLANE + i], y * 0.5 * (1 + erf(y * M_SQRT1_2)), 2e-5);
        }
    }
}

static void check_small(const work *w, const float *got, const char *whose)
{
    for (size_t m = 0; m < w->batch; m++) {
        double y = product(w->plain + m * CPU_DEPTH, data.one, CPU_DEPTH) * 0.125;
        compare(whose, m, got[m], y > 0 ? y : 0, 1e-5);
    }
}

/* ---- who computes ---- */

static double by_engine(void *context, uint64_t amount)
{
    work *w = context;
    static uint8_t status[BATCH_MAX];
    psy__span in = {w->in, w->in_bytes, (uint32_t)w->batch}, out = {w->out, w->out_bytes, (uint32_t)w->batch};
    psy__batch batch = {
        .count = (uint32_t)w->batch, .inputs = &in, .input_spans = 1, .outputs = &out, .output_spans = 1, .status = status};
    double start = bench_thread_seconds();
    for (uint64_t i = 0; i < amount; i += w->batch) {
        if (engine->interface->run(w->executable, &batch) != PSY_OK) {
            bench_fail("the engine: %s", psy_detail());
        }
    }
    double seconds = bench_thread_seconds() - start;
    size_t offset = w->out_count == 1 || w->hits ? 8 : w->out_count == CPU_DIGITS ? 8 : PAYLOAD;
    for (size_t m = 0; m < w->batch; m++) {
        memcpy(w->got + m * w->out_count, w->out + m * w->out_bytes + offset, w->out_count * sizeof(float));
    }
    for (size_t k = 0; w->hits && k < CPU_BEST; k++) {
        w->hits[k] = (int64_t)((const cpu_best *)(const void *)w->out)->row[k];
    }
    w->check(w, w->got, "psyne");
    return seconds;
}

static double by_numpy(void *context, uint64_t amount)
{
    work *w = context;
    size_t n = w->out_count * w->batch * (w->hits ? 2 : 1);
    float *got = calloc(n, sizeof *got);
    double seconds = cpu_numpy_run(w->numpy, amount / w->batch, w->plain, w->in_count * w->batch * 4, got, n * 4);
    for (size_t k = 0; w->hits && k < CPU_BEST; k++) {
        w->hits[k] = (int64_t)got[n / 2 + k];
    }
    w->check(w, got, "numpy");
    free(got);
    return seconds;
}

static double timed(work *w, uint64_t amount, void (*run)(work *), const char *whose)
{
    double start = bench_thread_seconds();
    for (uint64_t i = 0; i < amount; i += w->batch) {
        run(w);
    }
    double seconds = bench_thread_seconds() - start;
    w->check(w, w->got, whose);
    return seconds;
}

static void run_gcc(work *w) { cpu_chain_gcc(w->plain, w->got, w->out_count); }
static double by_gcc(void *w, uint64_t amount) { return timed(w, amount, run_gcc, "gcc"); }

static bench_contestant numpy_peer(void)
{
    return with_numpy ? (bench_contestant){.name = "numpy", .run = by_numpy}
                      : (bench_contestant){.name = "numpy", .missing = "python3-numpy"};
}

#ifdef HAVE_ONEDNN
static void run_mlp(work *w) { cpu_onednn_mlp(w->plain, w->got); }
static double by_onednn_mlp(void *w, uint64_t amount) { return timed(w, amount, run_mlp, "oneDNN"); }
static void run_norm(work *w) { cpu_onednn_norm(w->plain, w->got); }
static double by_onednn_norm(void *w, uint64_t amount) { return timed(w, amount, run_norm, "oneDNN"); }
#define ONEDNN(run_) ((bench_contestant){.name = "oneDNN", .run = run_})
#else
#define ONEDNN(run_) ((bench_contestant){.name = "oneDNN", .missing = "libdnnl-dev"})
#endif

#ifdef HAVE_FAISS
static void run_faiss(work *w)
{
    static int64_t hits[BATCH_MAX * CPU_BEST];
    cpu_faiss_search(w->plain, w->batch, w->got, hits);
    memcpy(w->hits, hits, CPU_BEST * sizeof *hits);
}
static double by_faiss(void *w, uint64_t amount) { return timed(w, amount, run_faiss, "FAISS"); }
#define FAISS ((bench_contestant){.name = "FAISS IndexFlatIP", .run = by_faiss})
#else
#define FAISS ((bench_contestant){.name = "FAISS IndexFlatIP", .missing = "libfaiss-dev"})
#endif

/* A copy that does not go through the caches, of as many bytes as a workload reads and writes: what memory can do. */
#if defined(__x86_64__)
#include <immintrin.h>
static void run_copy(work *w)
{
    for (size_t i = 0; i < w->out_count; i += 16) {
        for (size_t k = 0; k < 16; k += 4) {
            _mm_stream_ps(w->got + i + k, _mm_loadu_ps(w->plain + i + k));
        }
    }
    _mm_sfence();
}
static void check_copy(const work *w, const float *got, const char *whose)
{
    if (memcmp(got, w->plain, w->out_count * sizeof *got) != 0) {
        bench_fail("%s: not copied", whose);
    }
}
static double by_copy(void *context, uint64_t amount)
{
    work w = *(work *)context;
    w.check = check_copy;
    return timed(&w, amount, run_copy, "copy");
}
#endif

/* ---- the workloads ---- */

static float *numbers(size_t count, float size, uint32_t state)
{
    float *p = bench_memory(count * sizeof *p);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        p[i] = ((float)(state >> 8) / (1 << 23) - 1) * size;
    }
    return p;
}

/* Rows of length 1, around `centres` directions; 0: anywhere. */
static float *directions(size_t rows, size_t centres, uint32_t seed)
{
    float *p = numbers(rows * CPU_DEPTH, 1, seed), *around = numbers((centres + 1) * CPU_DEPTH, 1, seed + 1);
    for (size_t i = 0; i < rows; i++) {
        float *row = p + i * CPU_DEPTH;
        for (size_t d = 0; centres && d < CPU_DEPTH; d++) {
            row[d] = row[d] * 0.15f + around[(i * 2654435761u >> 7) % centres * CPU_DEPTH + d];
        }
        float length = (float)sqrt(product(row, row, CPU_DEPTH));
        for (size_t d = 0; d < CPU_DEPTH; d++) {
            row[d] /= length;
        }
    }
    free(around);
    return p;
}

static void measure(const char *name, const char *program, work *w, const bench_unit *unit, const bench_contestant *peers,
                    size_t peer_count)
{
    if (!bench_wants(name)) {
        return;
    }
    static const uint64_t bases[1] = {0}, sizes[1] = {CPU_ROWS};
    uint32_t at = 0;
    while (at < module.program_count && strcmp(psy__module_string(&module, module.programs[at].name), program) != 0) {
        at++;
    }
    psy__binding binding = {.module = &module, .program = at, .symbols = sizes, .bases = bases, .residents = residents};
    if (engine->interface->bind(engine, &binding, &w->executable) != PSY_OK) {
        bench_fail("%s cannot be bound: %s", program, psy_detail());
    }
    w->in = bench_memory(w->in_bytes * w->batch);
    w->out = bench_memory(w->out_bytes * w->batch);
    w->got = bench_memory(w->out_count * w->batch * sizeof(float));
    for (size_t m = 0; m < w->batch; m++) {
        memcpy(w->in + m * w->in_bytes + PAYLOAD, w->plain + m * w->in_count, w->in_count * sizeof(float));
    }
    bench_figure figure = {
        .name = name, .unit = unit, .step = w->batch, .seconds = 0.05, .subject = {"psyne", by_engine}, .context = w};
    for (size_t i = 0; i < peer_count; i++) {
        figure.peers[i] = peers[i];
    }
    bench_measure(&figure);
    engine->interface->unbind(w->executable);
    free(w->in);
    free(w->out);
    free(w->got);
}

/* Elementwise, over n numbers. */
static void measure_rows(bool cheap)
{
    static const struct {
        const char *name, *program[2];
        size_t n, bytes;
        const bench_unit *unit;
    } rows[] = {{"1k", {"w1_1k", "chain_1k"}, 1024, CPU_ROW1K_BYTES, &bench_nanoseconds},
                {"64k", {"w1_64k", "chain_64k"}, 65536, CPU_ROW64K_BYTES, &bench_microseconds},
                {"16M", {"w1_16m", "chain_16m"}, 1 << 24, CPU_ROW16_M_BYTES, &bench_milliseconds}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "cpu/%s/%s", cheap ? "chain" : "W1", rows[i].name);
        if (!bench_wants(name)) {
            continue;
        }
        work w = {.batch = 1,
                  .in_bytes = rows[i].bytes,
                  .out_bytes = rows[i].bytes,
                  .in_count = rows[i].n,
                  .out_count = rows[i].n,
                  .plain = numbers(rows[i].n, 3, 1),
                  .numpy = cheap ? "cheap" : "curve",
                  .check = cheap ? check_cheap : check_curve};
        bench_contestant peers[3] = {numpy_peer()};
        size_t n = 1;
        if (cheap) {
            peers[n++] = (bench_contestant){.name = "gcc -O3 -march=native", .run = by_gcc};
        }
#if defined(__x86_64__)
        if (rows[i].n >= 1 << 24) {
            peers[n++] = (bench_contestant){.name = "streaming copy", .run = by_copy};
        }
#endif
        measure(name, rows[i].program[cheap], &w, rows[i].unit, peers, n);
        free(w.plain);
    }
}

static void measure_search(const char *name, bool clustered, size_t batch)
{
    if (!bench_wants(name)) {
        return;
    }
    int64_t hits[CPU_BEST] = {0};
    float *rows = directions(CPU_ROWS, clustered ? 1000 : 0, 3);
    data.rows = rows;
    residents[0].data = rows;
    work w = {.batch = batch,
              .in_bytes = CPU_VECTOR_BYTES,
              .out_bytes = CPU_BEST_BYTES,
              .in_count = CPU_DEPTH,
              .out_count = CPU_BEST,
              .plain = directions(batch, clustered ? 1000 : 0, clustered ? 3 : 17),
              .hits = hits,
              .numpy = "search",
              .check = check_search};
#ifdef HAVE_FAISS
    cpu_faiss_open(&data);
#endif
    measure(name, "w2", &w, &bench_microseconds, (bench_contestant[]){FAISS}, 1);
#ifdef HAVE_FAISS
    cpu_faiss_close();
#endif
    free(w.plain);
    free(rows);
    data.rows = NULL;
}

static void measure_mlp(size_t batch)
{
    char name[32];
    snprintf(name, sizeof name, "cpu/W3/%zu", batch);
    if (!bench_wants(name)) {
        return;
    }
    work w = {.batch = batch,
              .in_bytes = CPU_IMAGE_BYTES,
              .out_bytes = CPU_DIGITS_BYTES,
              .in_count = CPU_IMAGE,
              .out_count = CPU_DIGITS,
              .plain = numbers(batch * CPU_IMAGE, 1, 5),
              .numpy = "mlp",
              .check = check_mlp};
#ifdef HAVE_ONEDNN
    cpu_onednn_mlp_open(&data, batch);
#endif
    measure(name, "w3", &w, &bench_microseconds, (bench_contestant[]){ONEDNN(by_onednn_mlp), numpy_peer()}, 2);
#ifdef HAVE_ONEDNN
    cpu_onednn_close();
#endif
    free(w.plain);
}

static void measure_norm(void)
{
    work w = {.batch = 1,
              .in_bytes = CPU_ROW64K_BYTES,
              .out_bytes = CPU_ROW64K_BYTES,
              .in_count = 65536,
              .out_count = 65536,
              .plain = numbers(65536, 2, 7),
              .check = check_norm};
    if (bench_wants("cpu/W4")) {
#ifdef HAVE_ONEDNN
        cpu_onednn_norm_open(&data);
#endif
        measure("cpu/W4", "w4", &w, &bench_microseconds, (bench_contestant[]){ONEDNN(by_onednn_norm)}, 1);
#ifdef HAVE_ONEDNN
        cpu_onednn_close();
#endif
    }
    free(w.plain);
}

static void measure_small(const char *name, size_t batch)
{
    work w = {.batch = batch,
              .in_bytes = CPU_VECTOR_BYTES,
              .out_bytes = CPU_NUMBER_BYTES,
              .in_count = CPU_DEPTH,
              .out_count = 1,
              .plain = numbers(batch * CPU_DEPTH, 1, 9),
              .numpy = "small",
              .check = check_small};
    bench_contestant numpy = numpy_peer();
    measure(name, "w5", &w, &bench_nanoseconds, &numpy, batch == 1);
    free(w.plain);
}

int main(int argc, char **argv)
{
    uint64_t n;
    uint8_t *bytes = bench_file(CPU_MODULE, &n);
    if (psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &module) != PSY_OK ||
        psy__engine_open("cpu", &(psy__engine_options){.max_batch = BATCH_MAX}, &engine) != PSY_OK) {
        bench_fail("%s", psy_detail());
    }
    char head[160];
    snprintf(head, sizeof head, "one thread, %s", engine->interface->describe(engine));
    bench_begin(argc, argv, head);
    cores_pin(0);
    float *rows = numbers((size_t)CPU_ROWS * CPU_DEPTH, 1, 2), *one = numbers(CPU_DEPTH, 1, 4),
          *scale = numbers(CPU_PLANE, 1, 6), *shift = numbers(CPU_PLANE, 1, 8), *weights[CPU_LAYERS], *biases[CPU_LAYERS];
    data = (cpu_data){.rows = rows, .one = one, .scale = scale, .shift = shift};
    residents[0] = (psy__resident_data){.data = rows, .rows = CPU_ROWS, .row_bytes = CPU_DEPTH * 4};
    residents[1] = (psy__resident_data){.data = one, .rows = CPU_DEPTH, .row_bytes = 4};
    for (unsigned l = 0; l < CPU_LAYERS; l++) {
        data.weights[l] = weights[l] = numbers(cpu_layer[l] * cpu_layer[l + 1], 0.1f, 11 + l);
        data.biases[l] = biases[l] = numbers(cpu_layer[l + 1], 0.1f, 21 + l);
        residents[2 + 2 * l] =
            (psy__resident_data){.data = weights[l], .rows = cpu_layer[l + 1], .row_bytes = cpu_layer[l] * sizeof(float)};
        residents[3 + 2 * l] = (psy__resident_data){.data = biases[l], .rows = cpu_layer[l + 1], .row_bytes = 4};
    }
    residents[8] = (psy__resident_data){.data = scale, .rows = CPU_PLANE, .row_bytes = 4};
    residents[9] = (psy__resident_data){.data = shift, .rows = CPU_PLANE, .row_bytes = 4};
    with_numpy = bench_wants("cpu/") && cpu_numpy_start(&data);
    measure_rows(false);
    measure_search("cpu/W2/1/random", false, 1);
    measure_search("cpu/W2/1/clustered", true, 1);
    measure_search("cpu/W2/32", false, 32);
    residents[0].data = rows;
    measure_mlp(1);
    measure_mlp(16);
    measure_mlp(256);
    measure_norm();
    measure_small("cpu/W5/one", 1);
    measure_small("cpu/W5/batch", 64);
    measure_rows(true);
    cpu_numpy_stop();
    free(rows);
    free(one);
    free(scale);
    free(shift);
    for (unsigned l = 0; l < CPU_LAYERS; l++) {
        free(weights[l]);
        free(biases[l]);
    }
    psy__engine_close(engine);
    free(bytes);
    return bench_end();
}
