/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads of bench_cpu as its peers take them: plain arrays, row-major. One thread each. */
#ifndef PSY_TESTS_PERF_CPU_H
#define PSY_TESTS_PERF_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CPU_DEPTH = 128,
    CPU_ROWS = 100000,
    CPU_BEST = 10,
    CPU_IMAGE = 784,
    CPU_DIGITS = 10,
    CPU_PLANE_ROWS = 64,
    CPU_PLANE = 1024
};
enum { CPU_LAYERS = 3 };
static const size_t cpu_layer[CPU_LAYERS + 1] = {CPU_IMAGE, 256, 128, CPU_DIGITS};

/* What is the same for all messages. */
typedef struct cpu_data {
    const float *rows;                /* [CPU_ROWS, CPU_DEPTH] */
    const float *weights[CPU_LAYERS]; /* [out, in] */
    const float *biases[CPU_LAYERS];
    const float *scale, *shift; /* [CPU_PLANE] */
    const float *one;           /* [CPU_DEPTH] */
} cpu_data;

/* out[i] = tanh(1.5 x + 0.25) * 0.75 + exp(-x x), and relu(1.5 x + 0.25) * 0.5 - x: what gcc makes of it. */
void cpu_chain_gcc(const float *x, float *out, size_t n);

/* ---- numpy, in a process of its own: false where it is not installed ---- */
bool cpu_numpy_start(const cpu_data *data);
/* Seconds for `times` runs; what it gave last is in `out`, `count` bytes. */
double cpu_numpy_run(const char *workload, uint64_t times, const void *in, size_t in_bytes, void *out, size_t out_bytes);
void cpu_numpy_stop(void);

#ifdef __cplusplus
extern "C" {
#endif
/* ---- oneDNN (cpu_onednn.c) ---- */
/* softmax(w3 relu(w2 relu(w1 x + b1) + b2) + b3) of `batch` messages. */
void cpu_onednn_mlp_open(const cpu_data *data, size_t batch);
void cpu_onednn_mlp(const float *in, float *out);
/* layernorm over the rows of [64, 1024], then gelu. */
void cpu_onednn_norm_open(const cpu_data *data);
void cpu_onednn_norm(const float *in, float *out);
void cpu_onednn_close(void);

/* ---- FAISS (cpu_faiss.cc) ---- */
void cpu_faiss_open(const cpu_data *data);
void cpu_faiss_search(const float *queries, size_t count, float *scores, int64_t *rows);
void cpu_faiss_close(void);
#ifdef __cplusplus
}
#endif

#endif
