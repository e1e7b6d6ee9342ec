/* SPDX-License-Identifier: Apache-2.0 */
/* `param`: a network of two layers whose weights come from files, against the same sums made here; sizes that files tell; where
 * the elements lie in the module. */
#define _GNU_SOURCE
#include <math.h>
#include <unistd.h>

#include "tests/compiler/compile.h"
#include "tests/compiler/weights_file.h"

enum { IN = 6, HIDDEN = 5, OUT = 3, FILES_MAX = 4 };

static char folder[64], *files[FILES_MAX];
static unsigned file_count;

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/psyne-param-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    file_count = 0;
}

static void end(void)
{
    for (unsigned i = 0; i < file_count; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    rmdir(folder);
}

static const char *file(const char *name, weights_bytes bytes)
{
    return files[file_count++] = weights_write(folder, name, bytes);
}

static float number(unsigned i) { return (float)((int)(i * 37 % 23) - 11) / 16; }

/* [OUT, HIDDEN] and [HIDDEN, IN] in one .safetensors file, the first layer's bias in a .npy file. */
static void write_network(float *w1, float *b1, float *w2)
{
    float all[HIDDEN * IN + OUT * HIDDEN];
    char json[512];
    for (unsigned i = 0; i < HIDDEN * IN; i++) {
        w1[i] = all[i] = number(i);
    }
    for (unsigned i = 0; i < OUT * HIDDEN; i++) {
        w2[i] = all[HIDDEN * IN + i] = number(i + 100);
    }
    for (unsigned i = 0; i < HIDDEN; i++) {
        b1[i] = number(i + 7);
    }
    snprintf(json, sizeof json,
             "{\"out.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%d,%zu]},"
             "\"hidden.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}",
             OUT, HIDDEN, HIDDEN * IN * 4, sizeof all, HIDDEN, IN, HIDDEN * IN * 4);
    file("model.safetensors", weights_safetensors(json, all, sizeof all));
    snprintf(json, sizeof json, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }\n", HIDDEN);
    file("bias.npy", weights_npy(1, json, b1, HIDDEN * sizeof *b1));
}

static const char schema[] = "namespace t; message Q { x: f32[6]; } message R { p: f32[3]; sizes: u32[2]; }";

static char *network(const char *activation)
{
    char *text;
    cr_assert_gt(asprintf(&text,
                          "param hidden: f32[H, D] = \"%s\"[\"hidden.weight\"]\n"
                          "param out: f32[3, H] = \"%s\"[\"out.weight\"]\n"
                          "param bias: f32[H] = \"%s\"\n"
                          "fn unit(x: f32[D]) -> f32[D] = x / norm(x) /* D: its own */\n"
                          "pipeline p(q: Q) -> R {\n"
                          "  let h = %s(hidden @ q.x + bias)\n"
                          "  R { p: softmax(out @ unit(h)), sizes: stack(u32(H), u32(D)) }\n"
                          "}",
                          files[0], files[0], files[1], activation),
                 0);
    return text;
}

/* Other engines than the CPU's may be missing, or leave the program to it. */
static psy_status check_network(const char *engine)
{
    psy_status bound = PSY_OK;
    float w1[HIDDEN * IN], b1[HIDDEN], w2[OUT * HIDDEN];
    begin();
    write_network(w1, b1, w2);
    char *text = network(engine ? "silu" : "gelu"); /* devices have no erf */
    for (unsigned optimise = 0; optimise < 2; optimise++) {
        compiled *c = compile(schema, text, optimise);
        cr_assert(c->ok, "%s", c->said);
        served s = {.engine = engine, .shards = 1, .messages = 5};
        serve_begin(c, "p", &s);
        for (uint32_t m = 0; m < s.messages; m++) {
            for (unsigned i = 0; i < IN; i++) {
                ((float *)serve_input(c, "p", &s, m, "x"))[i] = number(i * 5 + m);
            }
        }
        serve(c, "p", &s);
        bound = s.bind;
        bool left_out = engine && (bound == PSY_NO_DEVICE || bound == PSY_UNSUPPORTED);
        cr_assert(bound == PSY_OK || left_out, "%s", psy_detail());
        for (uint32_t m = 0; m < s.messages && !left_out; m++) {
            double h[HIDDEN], y[OUT], norm = 0, most = -INFINITY, sum = 0;
            for (unsigned k = 0; k < HIDDEN; k++) {
                h[k] = b1[k];
                for (unsigned i = 0; i < IN; i++) {
                    h[k] += (double)w1[k * IN + i] * number(i * 5 + m);
                }
                h[k] = engine ? h[k] / (1 + exp(-h[k])) : h[k] * (1 + erf(h[k] / sqrt(2))) / 2;
                norm += h[k] * h[k];
            }
            for (unsigned o = 0; o < OUT; o++) {
                y[o] = 0;
                for (unsigned k = 0; k < HIDDEN; k++) {
                    y[o] += w2[o * HIDDEN + k] * h[k] / sqrt(norm);
                }
                most = fmax(most, y[o]);
            }
            for (unsigned o = 0; o < OUT; o++) {
                sum += exp(y[o] - most);
            }
            const float *got = serve_output(c, "p", &s, m, "p");
            const uint32_t *sizes = serve_output(c, "p", &s, m, "sizes");
            for (unsigned o = 0; o < OUT; o++) {
                cr_assert(fabs(got[o] - exp(y[o] - most) / sum) < 2e-6, "message %u, %u: %g, not %g", m, o, (double)got[o],
                          exp(y[o] - most) / sum);
            }
            cr_assert(sizes[0] == HIDDEN && sizes[1] == IN);
        }
        serve_end(&s);
        compile_end(c);
    }
    free(text);
    end();
    return bound;
}

Test(param, network) { check_network(NULL); }

Test(param, network_on_vulkan)
{
    psy_status bound = check_network("vulkan");
    if (bound != PSY_OK) {
        cr_skip_test("vulkan: %s", psy_detail());
    }
}

/* Weights lie on 64 bytes, each once, in front of the other constants; what nobody reads is left out. */
Test(param, place)
{
    float w1[HIDDEN * IN], b1[HIDDEN], w2[OUT * HIDDEN];
    char *text;
    begin();
    write_network(w1, b1, w2);
    cr_assert_gt(
        asprintf(&text,
                 "param unused: f32[3, 5] = \"%s\"[\"out.weight\"]\nparam hidden: f32[5, 6] = \"%s\"[\"hidden.weight\"]\n"
                 "param bias: f32[5] = \"%s\"\n"
                 "pipeline p(q: Q) -> R { R { p: (hidden @ q.x + bias * 3)[..3], sizes: u32(iota(2)) } }\n"
                 "pipeline again(q: Q) -> R { R { p: (hidden @ q.x + bias)[..3], sizes: u32(iota(2)) } }",
                 files[0], files[0], files[1]),
        0);
    compiled *c = compile(schema, text, true);
    cr_assert(c->ok, "%s", c->said);
    cr_assert_eq(c->module.consts_bytes, 128 + 64 + 4, "%lu", (unsigned long)c->module.consts_bytes);
    cr_assert_eq((uintptr_t)c->module.consts % 64, (uintptr_t)c->unit->module % 64);
    cr_assert_eq(memcmp(c->module.consts, w1, sizeof w1), 0);
    cr_assert_eq(memcmp(c->module.consts + 128, b1, sizeof b1), 0);
    compile_end(c);
    free(text);
    end();
}

static void refused(const char *program, const char *said)
{
    compiled *c = compile(schema, program, true);
    cr_assert(!c->ok && strstr(c->said, said), "%s\n%s", program, c->said);
    compile_end(c);
}

/* A file that says it is larger than a module may be needs no memory before it is refused. */
Test(param, too_large)
{
    begin();
    FILE *f = fopen(
        file("large.npy", weights_npy(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4096, 8192), }", "", 0)), "r+b");
    char *text;
    cr_assert(f && fseek(f, 0, SEEK_END) == 0 && ftruncate(fileno(f), ftell(f) + 4096L * 8192 * 8) == 0);
    fclose(f);
    cr_assert_gt(
        asprintf(&text,
                 "param w: f64[4096, 8192] = \"%s\"\npipeline p(q: Q) -> R { R { p: f32(w[0, ..3]), sizes: u32(iota(2)) } }",
                 files[0]),
        0);
    refused(text, "[E0601]: the weights up to here have more than 120 MiB");
    free(text);
    end();
}
