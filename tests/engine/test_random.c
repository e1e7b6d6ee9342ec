/* SPDX-License-Identifier: Apache-2.0 */
/* Random programs against the reference. PSYNE_TEST_RANDOM=N runs N of them, PSYNE_TEST_SEED=S begins with seed S: a failure's
 * label names the seed. */
#include <inttypes.h>

#include "tests/engine/random.h"
#include "tests/engine/suite.h"

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

typedef struct looked_up {
    const random_program *program;
    const psy__resident_data *table;
} looked_up;
static looked_up keys; /* of the program that runs: fill has no place for it */

static void fill_key(suite *s, const suite_case *c, uint32_t message, uint8_t *input, uint8_t *partials)
{
    (void)partials;
    uint64_t r = suite_random(&s->random), rows = keys.table->rows,
             key = message % 4 == 3 || rows == 0 ? r : keys.table->keys[r % rows];
    memcpy(suite_field(c->b, 0, keys.program->key, input), &key, sizeof key);
}

static void run_program(suite *s, uint64_t seed)
{
    static random_program p;
    random_program_init(&p, &(random_limits){.seed = seed,
                                             .steps = s->cpu ? 12 + (uint32_t)(seed % 3) * 12 : 10,
                                             .outputs = s->cpu ? 60 : 6,
                                             .words_only = !s->cpu,
                                             .views_only = !s->cpu});
    psy__resident_data data[BUILD_RESIDENTS] = {0};
    s->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    suite_data kind = seed % 2 ? SUITE_PLAIN : SUITE_DYADIC;
    for (uint32_t i = 0; i < p.b->resident_count; i++) {
        const psy_psm_resident *r = &p.b->module.residents[i];
        uint64_t rows = psy__dim_value(r->local_rows, p.symbols), row = 1;
        for (unsigned d = 1; d < r->rank; d++) {
            row *= psy__dim_value(r->dims[d], p.symbols);
        }
        data[i] = i == p.keyed ? suite_keyed(s, kind, r->dtype, rows, row, 512) : suite_resident(s, kind, r->dtype, rows, row);
    }
    keys = (looked_up){&p, p.keyed == PSY_NONE ? NULL : &data[p.keyed]};
    char label[48];
    snprintf(label, sizeof label, "random program, seed %" PRIu64, seed);
    suite_run(s, &(suite_case){.label = label,
                               .b = p.b,
                               .symbols = p.symbols,
                               .bases = p.bases,
                               .residents = data,
                               .partial_stride = p.shards ? p.b->module.types[2].bytes + 64 * (seed % 3) : 0,
                               .shards = p.shards,
                               .data = kind,
                               .loose = true,
                               .fill = p.key == PSY_NONE ? NULL : fill_key,
                               .batch_max = 6});
    for (uint32_t i = 0; i < p.b->resident_count; i++) {
        suite_resident_free(&data[i]);
    }
    random_program_fini(&p);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PROGRAMS = 60 }; /* each takes ten times as long */
#else
enum { PROGRAMS = 250 };
#endif

ENGINE_TEST(random, programs)
{
    uint64_t first = number_of("PSYNE_TEST_SEED", 1), count = number_of("PSYNE_TEST_RANDOM", !s->cpu ? 8 : s->own ? 60 : PROGRAMS);
    for (uint64_t seed = first; seed < first + count; seed++) {
        run_program(s, seed);
    }
    cr_log_info("%s: %" PRIu64 " elements of %" PRIu64 " random programs compared, nothing is known of %" PRIu64 " more\n",
                s->family, s->known_cells, count, s->unknown_cells);
    if (s->known_cells < 4 * s->unknown_cells) {
        suite_mismatch(s, "only %" PRIu64 " elements were compared and %" PRIu64 " were not", s->known_cells, s->unknown_cells);
    }
}
