/* SPDX-License-Identifier: Apache-2.0 */
/* What only the Vulkan engine has: where messages lie, copies, stored kernels, devices, limits. What programs compute is the
 * conformance suite's business (tests/engine). */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "codegen/kernel.h"
#include "engine/engine.h"
#include "tests/engine/build.h"
#include "tests/test.h"

enum { MESSAGES = 64, LENGTH = 100, PAGE = 4096 };

/* y = x * x + x, over a vector; and a count that is stored beside it. */
typedef struct fixture {
    psy__engine *engine;
    build *b;
    uint32_t in_bytes, out_bytes;
} fixture;

/* Skips where there is no device or no validation layer. */
static psy__engine *open_engine(psy__engine_options options)
{
    psy__engine *engine = NULL;
    options.validate = true;
    psy_status status = psy__engine_open("vulkan", &options, &engine);
    if (status == PSY_NO_DEVICE || status == PSY_UNSUPPORTED) {
        cr_skip_test("vulkan: %s", psy_detail());
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    return engine;
}

static build *square_plus_one(void)
{
    build *b = build_create();
    uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_ARRAY, LENGTH);
    build_program(b, in, PSY_NONE, out);
    uint32_t v = build_load(b, x);
    build_region(b, false, 1, (psy_dim[]){LENGTH});
    uint32_t y = build_map(b, PSY_OP_ADD, build_map(b, PSY_OP_MUL, v, v), v);
    build_region_end(b);
    build_output(b, y);
    build_end(b);
    build_finish(b);
    return b;
}

static fixture make(psy__engine_options options)
{
    fixture f = {.engine = open_engine(options), .b = square_plus_one()};
    f.in_bytes = f.b->module.types[0].bytes;
    f.out_bytes = f.b->module.types[1].bytes;
    return f;
}

static void end(fixture *f)
{
    psy__engine_close(f->engine);
    build_destroy(f->b);
}

static psy_status bind(psy__engine *engine, const psy__module *m, psy__executable **out)
{
    static const uint64_t none[BUILD_SYMBOLS];
    psy__binding binding = {.module = m, .symbols = none, .bases = none};
    return engine->interface->bind(engine, &binding, out);
}

static uint8_t *shared_pages(uint64_t bytes)
{
    int fd = memfd_create("vulkan-test", MFD_CLOEXEC);
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0, "no memory to share");
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    cr_assert(at != MAP_FAILED, "no memory to share");
    return at;
}

static float *vector_of(const build *b, uint32_t type, uint8_t *message)
{
    return (float *)(void *)(message + b->module.fields[b->module.types[type].first_field].offset);
}

static void fill(const fixture *f, uint8_t *message, uint32_t number)
{
    memset(message, 0, f->in_bytes);
    for (uint32_t i = 0; i < LENGTH; i++) {
        vector_of(f->b, 0, message)[i] = (float)(number + i) / 8;
    }
}

static void check(const fixture *f, uint8_t *message, uint32_t number)
{
    for (uint32_t i = 0; i < LENGTH; i++) {
        float x = (float)(number + i) / 8;
        cr_assert_eq(vector_of(f->b, 1, message)[i], x * x + x, "message %u, element %u: %g", number, i,
                     (double)vector_of(f->b, 1, message)[i]);
    }
}

/* Runs messages that lie anywhere. */
static psy_status run(psy__executable *x, uint8_t *const *in, uint8_t *const *out, uint32_t count)
{
    psy__span inputs[MESSAGES], outputs[MESSAGES];
    uint8_t status[MESSAGES];
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = (psy__span){in[i], 0, 1};
        outputs[i] = (psy__span){out[i], 0, 1};
    }
    psy__batch batch = {
        .count = count, .inputs = inputs, .input_spans = count, .outputs = outputs, .output_spans = count, .status = status};
    return x->engine->interface->run(x, &batch);
}

/* `regions` memories, messages dealt out to them in turn; reads from one, writes to the next. */
static void run_over(fixture *f, uint32_t regions, uint32_t count)
{
    const uint64_t bytes = 64 * PAGE;
    uint8_t *region[40], *in[MESSAGES], *out[MESSAGES];
    psy__executable *x = NULL;
    for (uint32_t r = 0; r < regions; r++) {
        region[r] = shared_pages(bytes);
        cr_assert_eq(f->engine->interface->attach(f->engine, region[r], bytes), PSY_OK, "%s", psy_detail());
    }
    for (uint32_t i = 0; i < count; i++) {
        in[i] = region[i % regions] + (i / regions) * f->in_bytes;
        out[i] = region[(i + 1) % regions] + bytes / 2 + (i / regions) * f->out_bytes;
        fill(f, in[i], i);
    }
    cr_assert_eq(bind(f->engine, &f->b->module, &x), PSY_OK, "%s", psy_detail());
    for (int again = 0; again < 2; again++) {
        cr_assert_eq(run(x, in, out, count), PSY_OK, "%s", psy_detail());
        for (uint32_t i = 0; i < count; i++) {
            check(f, out[i], i);
            memset(out[i], 0, f->out_bytes);
        }
    }
    f->engine->interface->unbind(x);
    for (uint32_t r = 0; r < regions; r++) {
        f->engine->interface->detach(f->engine, region[r]);
        munmap(region[r], bytes);
    }
}

Test(vulkan, slabs_are_the_buffers)
{
    fixture f = make((psy__engine_options){0});
    run_over(&f, 1, MESSAGES);
    if (strstr(f.engine->interface->describe(f.engine), "imported")) {
        cr_assert_eq(f.engine->interface->copied_bytes(f.engine), 0u, "imported slabs were copied");
    } else {
        fprintf(stderr, "this device imports no memory: %s\n", f.engine->interface->describe(f.engine));
    }
    end(&f);
}

Test(vulkan, messages_of_many_slabs)
{
    fixture f = make((psy__engine_options){0});
    run_over(&f, 3, 50);
    run_over(&f, 40, 57); /* more than go into one submission */
    end(&f);
}

Test(vulkan, devices_without_import_copy)
{
    fixture f = make((psy__engine_options){.no_import = true});
    cr_assert_not_null(strstr(f.engine->interface->describe(f.engine), "copied"));
    run_over(&f, 5, 33);
    /* a request in; the reply in, so that bytes nobody writes stay; the reply back; and all of it twice */
    cr_assert_eq(f.engine->interface->copied_bytes(f.engine), 2 * 33 * (f.in_bytes + UINT64_C(2) * f.out_bytes));
    end(&f);
}

/* Bindings have a largest size: messages far into a large slab are reached through a window. */
Test(vulkan, far_into_a_large_slab)
{
    const uint64_t bytes = UINT64_C(400) << 20;
    fixture f = make((psy__engine_options){0});
    uint8_t *slab = shared_pages(bytes), *in[12], *out[12];
    psy__executable *x = NULL;
    cr_assert_eq(f.engine->interface->attach(f.engine, slab, bytes), PSY_OK, "%s", psy_detail());
    cr_assert_eq(bind(f.engine, &f.b->module, &x), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < 12; i++) {
        in[i] = slab + (i * (bytes / 12)) / 64 * 64;
        out[i] = slab + bytes - (i + 1) * (UINT64_C(31) << 20);
        fill(&f, in[i], i);
    }
    /* across the edge of a window: lavapipe's lies at 64 MiB */
    out[11] = slab + (UINT64_C(64) << 20) - 128;
    cr_assert_eq(run(x, in, out, 12), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < 12; i++) {
        check(&f, out[i], i);
    }
    f.engine->interface->unbind(x);
    f.engine->interface->detach(f.engine, slab);
    munmap(slab, bytes);
    end(&f);
}

Test(vulkan, memory_that_was_not_attached)
{
    fixture f = make((psy__engine_options){0});
    uint8_t *slab = shared_pages(16 * PAGE);
    psy__executable *x = NULL;
    cr_assert_eq(f.engine->interface->attach(f.engine, slab, 8 * PAGE), PSY_OK);
    cr_assert_eq(bind(f.engine, &f.b->module, &x), PSY_OK, "%s", psy_detail());
    uint8_t *in = slab, *out = slab + 12 * PAGE, *edge = slab + 8 * PAGE - 64;
    cr_assert_eq(run(x, &in, &out, 1), PSY_INVALID);
    cr_assert_eq(run(x, &edge, &in, 1), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "not attached"), "%s", psy_detail());
    f.engine->interface->detach(f.engine, slab);
    cr_assert_eq(run(x, &in, &in, 1), PSY_INVALID);
    f.engine->interface->unbind(x);
    munmap(slab, 16 * PAGE);
    end(&f);
}

/* ---- kernels that a module carries ---- */

/* The module with kernels in it. The caller frees. */
static uint8_t *with_kernels(const psy__module *m, uint32_t version, psy__kernel *kernels, uint32_t count, uint64_t *bytes)
{
    psy__module out = *m;
    psy_psm_kernel records[8];
    char *strings = malloc(m->strings_bytes + 8);
    uint8_t *code = NULL, *encoded = NULL;
    uint64_t used = 0;
    cr_assert(strings && count <= 8);
    memcpy(strings, m->strings, m->strings_bytes);
    memcpy(strings + m->strings_bytes, "kernel", 7);
    for (uint32_t i = 0; i < count; i++) {
        records[i] = (psy_psm_kernel){.name = (uint32_t)m->strings_bytes,
                                      .target = PSY_TARGET_SPIRV,
                                      .word = kernels[i].word,
                                      .stage = kernels[i].stage,
                                      .codegen = version,
                                      .offset = used,
                                      .bytes = kernels[i].word_count * UINT64_C(4)};
        code = realloc(code, used + records[i].bytes);
        cr_assert_not_null(code);
        memcpy(code + used, kernels[i].words, records[i].bytes);
        used += records[i].bytes;
    }
    out.strings = strings;
    out.strings_bytes += 7;
    out.kernels = records;
    out.kernel_count = count;
    out.kernel_code = code;
    out.kernel_code_bytes = used;
    cr_assert_eq(psy__module_encode(&out, &encoded, bytes), PSY_OK, "%s", psy_detail());
    free(strings);
    free(code);
    return encoded;
}

/* Whether y = x - x * x came out, the planted kernel, or y = x * x + x, the bytecode's. */
static float ask(fixture *f, const psy__module *m, psy_status *status)
{
    uint8_t *slab = shared_pages(4 * PAGE), *out = slab + PAGE;
    psy__executable *x = NULL;
    float answer = 0;
    cr_assert_eq(f->engine->interface->attach(f->engine, slab, 4 * PAGE), PSY_OK);
    fill(f, slab, 16);
    *status = bind(f->engine, m, &x);
    if (*status == PSY_OK) {
        *status = run(x, &slab, &out, 1);
        answer = vector_of(f->b, 1, out)[0];
        f->engine->interface->unbind(x);
    }
    f->engine->interface->detach(f->engine, slab);
    munmap(slab, 4 * PAGE);
    return answer;
}

/* The kernels of the program with ADD turned into SUB: what a module carries can be told from what the bytecode says. */
static void plant(const build *b, psy__kernel **kernels, uint32_t *count)
{
    enum { OP_FADD = 129, OP_FSUB = 131 };
    unsigned found = 0;
    cr_assert_eq(psy__codegen_spirv(&b->module, 0, kernels, count), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t *w = (*kernels)[i].words;
        for (uint32_t at = 5; at < (*kernels)[i].word_count; at += w[at] >> 16) {
            if ((w[at] & 0xffff) == OP_FADD) {
                w[at] = (w[at] & 0xffff0000) | OP_FSUB;
                found++;
            }
        }
    }
    cr_assert_eq(found, 1u);
}

Test(vulkan, kernels_of_the_module)
{
    const float x = 2, made = x * x + x, planted = x * x - x;
    fixture f = make((psy__engine_options){0});
    psy__kernel *kernels;
    uint32_t count;
    plant(f.b, &kernels, &count);
    struct {
        uint32_t version, count;
        psy__trust trust;
        float want;
    } cases[] = {{PSY_KERNEL_VERSION, count, PSY_TRUST_NATIVE, planted},   /* used */
                 {PSY_KERNEL_VERSION, count, PSY_TRUST_BYTECODE, made},    /* dropped: nobody vouches for it */
                 {PSY_KERNEL_VERSION + 1, count, PSY_TRUST_NATIVE, made},  /* of another interface: made again */
                 {PSY_KERNEL_VERSION, count - 1, PSY_TRUST_NATIVE, made}}; /* not all of them: made again */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes;
        psy__module m;
        psy_status status;
        uint8_t *encoded = with_kernels(&f.b->module, cases[i].version, kernels, cases[i].count, &bytes);
        cr_assert_eq(psy__module_decode(encoded, bytes, cases[i].trust, &m), PSY_OK, "%s", psy_detail());
        float got = ask(&f, &m, &status);
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        cr_assert_eq(got, cases[i].want, "case %zu: %g", i, (double)got);
        free(encoded);
    }
    psy__kernels_free(kernels, count);
    end(&f);
}

/* The validation layers are on and heard: a kernel that breaks the rules fails the bind. */
Test(vulkan, validation_is_heard)
{
    enum { OP_DECORATE = 71, BINDING = 33 };
    fixture f = make((psy__engine_options){0});
    psy__kernel *kernels;
    uint32_t count;
    cr_assert_eq(psy__codegen_spirv(&f.b->module, 0, &kernels, &count), PSY_OK, "%s", psy_detail());
    uint32_t *w = kernels[0].words, broken = 0;
    for (uint32_t at = 5; at < kernels[0].word_count; at += w[at] >> 16) {
        if ((w[at] & 0xffff) == OP_DECORATE && w[at + 2] == BINDING) {
            w[at + 3] = 77; /* no such binding in the layout */
            broken++;
        }
    }
    cr_assert_gt(broken, 0u);
    uint64_t bytes;
    psy__module m;
    psy_status status;
    uint8_t *encoded = with_kernels(&f.b->module, PSY_KERNEL_VERSION, kernels, count, &bytes);
    cr_assert_eq(psy__module_decode(encoded, bytes, PSY_TRUST_NATIVE, &m), PSY_OK, "%s", psy_detail());
    ask(&f, &m, &status);
    cr_assert_eq(status, PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "validation layers say"), "%s", psy_detail());
    free(encoded);
    psy__kernels_free(kernels, count);
    end(&f);
}

/* ---- devices and limits ---- */

Test(vulkan, a_device_by_name_or_number)
{
    psy__engine *engine = open_engine((psy__engine_options){.device = "0"}), *other = NULL;
    char name[64];
    const char *description = engine->interface->describe(engine), *open = strchr(description, '(');
    cr_assert_not_null(open, "%s", description);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(open + 1, " ,;)"), open + 1);
    cr_assert_eq(psy__engine_open("vulkan", &(psy__engine_options){.device = name}, &other), PSY_OK, "%s: %s", name,
                 psy_detail());
    psy__engine_close(other);
    cr_assert_eq(psy__engine_open("vulkan", &(psy__engine_options){.device = "no such device"}, &other), PSY_NO_DEVICE);
    cr_assert_not_null(strstr(psy_detail(), "no such device"), "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), name), "the ones there are are not named: %s", psy_detail());
    cr_assert_eq(psy__engine_open("vulkan", &(psy__engine_options){.device = "99"}, &other), PSY_NO_DEVICE);
    psy__engine_close(engine);
}

Test(vulkan, a_machine_without_drivers)
{
    psy__engine *engine = NULL;
    psy__engine_close(open_engine((psy__engine_options){0}));
    setenv("VK_ICD_FILENAMES", "/nonexistent/driver.json", 1);
    setenv("VK_DRIVER_FILES", "/nonexistent/driver.json", 1);
    psy_status status = psy__engine_open("vulkan", NULL, &engine);
    unsetenv("VK_ICD_FILENAMES");
    unsetenv("VK_DRIVER_FILES");
    cr_assert_eq(status, PSY_NO_DEVICE, "%s", psy_detail());
}

/* llvmpipe ends loops without a word after 65,535 iterations: just below it a sum is right, above it the engine refuses. */
Test(vulkan, long_reductions_are_right_or_refused)
{
    psy__engine *engine = open_engine((psy__engine_options){0});
    static const uint64_t lengths[] = {70000, 1 << 18, 470000, 4000000};
    bool refused = false;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        build *b = build_create();
        uint32_t in = build_type(b), out = build_type(b), x = build_field(b, in, PSY_F32, PSY_FIELD_SCALAR, 1);
        psy_dim n = build_symbol(b, PSY_SYMBOL_GLOBAL, PSY_NONE);
        uint32_t r = build_resident(b, PSY_F32, PSY_PLACE_REPLICATED, PSY_NONE, 1, &n);
        build_program(b, in, PSY_NONE, out);
        uint32_t v = build_load(b, x);
        build_output(b, build_reduce(b, PSY_OP_SUM, build_map(b, PSY_OP_MUL, build_view(b, r), v), 0));
        build_end(b);
        build_finish(b);
        float *ones = malloc(lengths[i] * sizeof *ones);
        cr_assert_not_null(ones);
        for (uint64_t k = 0; k < lengths[i]; k++) {
            ones[k] = 1;
        }
        psy__resident_data data = {.data = ones, .rows = lengths[i], .row_bytes = sizeof *ones};
        psy__binding binding = {
            .module = &b->module, .symbols = &lengths[i], .bases = (const uint64_t[]){0}, .residents = &data};
        psy__executable *executable = NULL;
        uint8_t *slab = shared_pages(PAGE), *reply = slab + 1024;
        cr_assert_eq(engine->interface->attach(engine, slab, PAGE), PSY_OK);
        vector_of(b, 0, slab)[0] = 0.5f;
        psy_status status = engine->interface->bind(engine, &binding, &executable);
        if (status == PSY_OK) {
            cr_assert_eq(run(executable, &slab, &reply, 1), PSY_OK, "%s", psy_detail());
            cr_assert_eq(vector_of(b, 1, reply)[0], (float)lengths[i] / 2, "%llu: %g", (unsigned long long)lengths[i],
                         (double)vector_of(b, 1, reply)[0]);
            engine->interface->unbind(executable);
        } else {
            cr_assert_eq(status, PSY_UNSUPPORTED, "%s", psy_detail());
            cr_assert_not_null(strstr(psy_detail(), "sum"), "%s", psy_detail());
            refused = true;
        }
        cr_assert(!refused || lengths[i] > 300000, "70,000 elements have to work");
        engine->interface->detach(engine, slab);
        munmap(slab, PAGE);
        free(ones);
        build_destroy(b);
    }
    psy__engine_close(engine);
}
