/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance suite of the engines: every test runs on every engine there is, and every result is compared
 * with the reference. On the CPU that is every instruction set the machine has; PSYNE_TEST_ENGINES=cpu,vulkan narrows.
 *
 *   ENGINE_TEST(map, vectors)          // the tests cpu_map::vectors and vulkan_map::vectors
 *   {
 *       build *b = ...;
 *       suite_run(s, &(suite_case){.label = "[7] f32", .b = b});
 *       build_destroy(b);
 *   }
 *
 * A case runs over batches of 1, 5 and 64 messages that lie in one span, in spans of one, and in runs apart from each other;
 * all lie in memory that is shared and attached. No run may allocate, and the same run twice gives the same bytes; on the CPU
 * also while somebody looks at all values. Mismatches are collected and fail the test at its end. What an engine refuses with
 * UNSUPPORTED is named in the log; a test of which nothing was left is skipped. */
#ifndef PSY_TESTS_ENGINE_SUITE_H
#define PSY_TESTS_ENGINE_SUITE_H

#include "engine/engine.h"
#include "tests/engine/build.h"
#include "tests/engine/reference.h"
#include "tests/test.h"

enum { SUITE_MESSAGES = 64, SUITE_ENGINES = 3, SUITE_DTYPES = 16, SUITE_SPECIALS = 24, SUITE_OPS = 256 };

/* PLAIN: about -4 .. 4, integers also over their whole range. SPECIAL: NaN, infinities, zeros, extremes. DYADIC: multiples of
 * 1/8 up to 4, which add and multiply without rounding, with many ties. POSITIVE: 0.5 .. 1.5, integers 1 .. 100. */
typedef enum suite_data { SUITE_PLAIN, SUITE_SPECIAL, SUITE_DYADIC, SUITE_POSITIVE } suite_data;

/* Engines that only these tests have. They make something of all programs of a test before it runs: the test runs twice, and
 * the first time every case is only shown to them. */
typedef struct suite_family {
    const char *name;
    psy_status (*open)(const psy__engine_options *options, psy__engine **engine);
    void (*show)(const psy__module *module, uint32_t program);
    psy_status (*prepare)(void); /* of all that was shown; UNSUPPORTED with what is missing */
    void (*forget)(void);        /* all of it */
    bool like_cpu;               /* suite.cpu */
} suite_family;
extern const suite_family suite_family_c, suite_family_glsl; /* tests/codegen */

typedef struct suite_engine {
    char label[32]; /* "cpu/avx2" */
    psy__engine *engine;
} suite_engine;

typedef struct suite {
    const char *family; /* "cpu" */
    suite_engine engines[SUITE_ENGINES];
    unsigned engine_count;
    const suite_family *own;
    bool showing; /* the first of two times */
    bool cpu;     /* every form of every program, denormals, signed zeros; other engines pay for each kernel */
    uint8_t *memory;
    uint64_t memory_bytes;
    uint64_t random;
    uint8_t probed[SUITE_OPS][SUITE_DTYPES];
    bool reached[SUITE_OPS][SUITE_DTYPES]; /* in a program whose results were compared */
    unsigned mismatches, compared;
    uint64_t looked_at;                  /* values that a tracer saw */
    uint64_t known_cells, unknown_cells; /* elements compared; elements of loose cases that are not */
    char report[8192], refused[16384];
} suite;

typedef struct suite_case suite_case;
struct suite_case {
    const char *label;
    build *b;
    uint32_t program;
    const uint64_t *symbols, *bases;
    const psy__resident_data *residents;
    uint64_t partial_stride; /* 0: as large as the partial record */
    uint32_t shards;
    suite_data data;
    bool exact;         /* see reference.h */
    bool loose;         /* elements of which the reference knows nothing are left out */
    uint32_t batch_max; /* 0: 64 */
    void (*fill)(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials); /* after `data` */
};

void suite_run(suite *s, const suite_case *c);
/* Whether the engines have the operation for the dtype (CAST: to it); a refusal is remembered for the log. */
bool suite_has(suite *s, const psy_op_info *info, unsigned dtype);
/* Whether they have the cast between two dtypes. */
bool suite_casts(suite *s, unsigned from, unsigned to);
void suite_mismatch(suite *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

uint64_t suite_random(uint64_t *state);
void suite_fill(suite *s, suite_data data, unsigned dtype, void *out, uint64_t n);
unsigned suite_specials(const suite *s, unsigned dtype, void *out); /* how many; `out`: SUITE_SPECIALS * 8 bytes */
/* Where a field of a message is. */
void *suite_field(const build *b, uint32_t type, uint32_t field, void *message);
/* 64-byte aligned and filled; `rows` times `row_elements`. */
psy__resident_data suite_resident(suite *s, suite_data data, unsigned dtype, uint64_t rows, uint64_t row_elements);
/* The same by key: all keys differ, 0 and 2^64-1 among them. `slots`: a power of two, not below `rows`. */
psy__resident_data suite_keyed(suite *s, suite_data data, unsigned dtype, uint64_t rows, uint64_t row_elements, uint64_t slots);
void suite_resident_free(const psy__resident_data *d);

void suite_on(const char *family, void (*test)(suite *s));
void suite_on_own(const suite_family *family, void (*test)(suite *s));

#if defined(SUITE_OF_C)
#define ENGINE_TEST(area, name)                                                                                                \
    static void area##_##name(suite *s);                                                                                       \
    Test(c_##area, name) { suite_on_own(&suite_family_c, area##_##name); }                                                     \
    static void area##_##name(suite *s)
#elif defined(SUITE_OF_GLSL)
#define ENGINE_TEST(area, name)                                                                                                \
    static void area##_##name(suite *s);                                                                                       \
    Test(glsl_##area, name) { suite_on_own(&suite_family_glsl, area##_##name); }                                               \
    static void area##_##name(suite *s)
#else
#define ENGINE_TEST(area, name)                                                                                                \
    static void area##_##name(suite *s);                                                                                       \
    Test(cpu_##area, name) { suite_on("cpu", area##_##name); }                                                                 \
    Test(vulkan_##area, name) { suite_on("vulkan", area##_##name); }                                                           \
    static void area##_##name(suite *s)
#endif

#endif
