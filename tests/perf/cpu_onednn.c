/* SPDX-License-Identifier: Apache-2.0 */
/* The workloads that oneDNN (2.6) has primitives for: inner products with relu as their epilogue, weights in the layout that
 * the library likes best; softmax; layer normalisation and gelu. */
#include <dnnl.h>
#include <omp.h>
#include <string.h>

#include "tests/perf/bench.h"
#include "tests/perf/cpu.h"

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void must(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        bench_fail("oneDNN: %s: status %d", what, (int)status);
    }
}

/* One primitive and its arguments. */
typedef struct stage {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[6];
    int count;
} stage;

enum { STAGES = CPU_LAYERS + 1, MEMORIES = 24 };
static stage stages[STAGES];
static dnnl_memory_t memories[MEMORIES];
static int stage_count, memory_count;
static dnnl_memory_t input, output;

static void start(void)
{
    if (!engine) {
        omp_set_num_threads(1);
        must(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine");
        must(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "stream");
    }
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *desc, const void *at)
{
    dnnl_memory_t m;
    must(dnnl_memory_create(&m, desc, engine, at ? (void *)(uintptr_t)at : DNNL_MEMORY_ALLOCATE), "memory");
    memories[memory_count++] = m;
    return m;
}

static dnnl_memory_desc_t plain(int rank, size_t a, size_t b)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t dims = {(int64_t)a, (int64_t)b};
    must(dnnl_memory_desc_init_by_tag(&d, rank, dims, dnnl_f32, rank == 1 ? dnnl_a : dnnl_ab), "description");
    return d;
}

static dnnl_memory_desc_t any(size_t a, size_t b)
{
    dnnl_memory_desc_t d;
    dnnl_dims_t dims = {(int64_t)a, (int64_t)b};
    must(dnnl_memory_desc_init_by_tag(&d, 2, dims, dnnl_f32, dnnl_format_tag_any), "description");
    return d;
}

static void add_stage(const_dnnl_primitive_desc_t desc, const dnnl_exec_arg_t *arguments, int count)
{
    stage *s = &stages[stage_count++];
    must(dnnl_primitive_create(&s->primitive, desc), "primitive");
    memcpy(s->arguments, arguments, (size_t)count * sizeof *arguments);
    s->count = count;
}

static void run(const float *in, float *out)
{
    must(dnnl_memory_set_data_handle(input, (void *)(uintptr_t)in), "input");
    must(dnnl_memory_set_data_handle(output, out), "output");
    for (int i = 0; i < stage_count; i++) {
        must(dnnl_primitive_execute(stages[i].primitive, stream, stages[i].count, stages[i].arguments), "run");
    }
    must(dnnl_stream_wait(stream), "wait");
}

/* The weights where and how the primitive wants them. */
static dnnl_memory_t packed(const dnnl_memory_desc_t *wanted, const float *from, size_t rows, size_t columns)
{
    dnnl_memory_desc_t have = plain(2, rows, columns);
    dnnl_memory_t source = memory_of(&have, from), target = memory_of(wanted, NULL);
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t reorder;
    must(dnnl_reorder_primitive_desc_create(&desc, &have, engine, wanted, engine, NULL), "reorder");
    must(dnnl_primitive_create(&reorder, desc), "reorder");
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    must(dnnl_primitive_execute(reorder, stream, 2, arguments), "reorder");
    must(dnnl_stream_wait(stream), "reorder");
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
    return target;
}

void cpu_onednn_mlp_open(const cpu_data *data, size_t batch)
{
    start();
    dnnl_memory_desc_t from = plain(2, batch, cpu_layer[0]);
    input = memory_of(&from, NULL);
    dnnl_memory_t before = input;
    for (size_t l = 0; l < CPU_LAYERS; l++) {
        size_t in = cpu_layer[l], out = cpu_layer[l + 1];
        dnnl_memory_desc_t source = plain(2, batch, in), weights = any(out, in), bias = plain(1, out, 0),
                           target = plain(2, batch, out);
        dnnl_inner_product_desc_t product;
        must(dnnl_inner_product_forward_desc_init(&product, dnnl_forward_inference, &source, &weights, &bias, &target),
             "product");
        dnnl_primitive_attr_t attributes;
        dnnl_post_ops_t after;
        must(dnnl_primitive_attr_create(&attributes), "attributes");
        must(dnnl_post_ops_create(&after), "attributes");
        if (l + 1 < CPU_LAYERS) {
            must(dnnl_post_ops_append_eltwise(after, 1, dnnl_eltwise_relu, 0, 0), "relu");
        }
        must(dnnl_primitive_attr_set_post_ops(attributes, after), "attributes");
        dnnl_primitive_desc_t desc;
        must(dnnl_primitive_desc_create(&desc, &product, attributes, engine, NULL), "product");
        dnnl_memory_t w = packed(dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0), data->weights[l], out, in),
                      b = memory_of(&bias, data->biases[l]), to = memory_of(&target, NULL);
        add_stage(desc,
                  (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, before}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b}, {DNNL_ARG_DST, to}},
                  4);
        dnnl_primitive_desc_destroy(desc);
        dnnl_post_ops_destroy(after);
        dnnl_primitive_attr_destroy(attributes);
        before = to;
    }
    dnnl_memory_desc_t digits = plain(2, batch, CPU_DIGITS);
    dnnl_softmax_desc_t softmax;
    dnnl_primitive_desc_t desc;
    output = memory_of(&digits, NULL);
    must(dnnl_softmax_forward_desc_init(&softmax, dnnl_forward_inference, &digits, 1), "softmax");
    must(dnnl_primitive_desc_create(&desc, &softmax, NULL, engine, NULL), "softmax");
    add_stage(desc, (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, before}, {DNNL_ARG_DST, output}}, 2);
    dnnl_primitive_desc_destroy(desc);
}

void cpu_onednn_norm_open(const cpu_data *data)
{
    start();
    dnnl_memory_desc_t plane = plain(2, CPU_PLANE_ROWS, CPU_PLANE), vector = plain(1, CPU_PLANE, 0);
    input = memory_of(&plane, NULL);
    output = memory_of(&plane, NULL);
    dnnl_layer_normalization_desc_t norm;
    dnnl_primitive_desc_t desc;
    must(dnnl_layer_normalization_forward_desc_init(&norm, dnnl_forward_inference, &plane, NULL, 1e-5f,
                                                    dnnl_use_scale | dnnl_use_shift),
         "normalisation");
    must(dnnl_primitive_desc_create(&desc, &norm, NULL, engine, NULL), "normalisation");
    add_stage(desc,
              (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, input},
                                  {DNNL_ARG_SCALE, memory_of(&vector, data->scale)},
                                  {DNNL_ARG_SHIFT, memory_of(&vector, data->shift)},
                                  {DNNL_ARG_DST, output}},
              4);
    dnnl_primitive_desc_destroy(desc);
    dnnl_eltwise_desc_t gelu;
    must(dnnl_eltwise_forward_desc_init(&gelu, dnnl_forward_inference, dnnl_eltwise_gelu_erf, &plane, 0, 0), "gelu");
    must(dnnl_primitive_desc_create(&desc, &gelu, NULL, engine, NULL), "gelu");
    add_stage(desc, (dnnl_exec_arg_t[]){{DNNL_ARG_SRC, output}, {DNNL_ARG_DST, output}}, 2);
    dnnl_primitive_desc_destroy(desc);
}

void cpu_onednn_mlp(const float *in, float *out) { run(in, out); }
void cpu_onednn_norm(const float *in, float *out) { run(in, out); }

void cpu_onednn_close(void)
{
    for (; stage_count > 0; stage_count--) {
        dnnl_primitive_destroy(stages[stage_count - 1].primitive);
    }
    for (; memory_count > 0; memory_count--) {
        dnnl_memory_destroy(memories[memory_count - 1]);
    }
}
