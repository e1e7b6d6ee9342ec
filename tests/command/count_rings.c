/* SPDX-License-Identifier: Apache-2.0 */
/* A process that counts, for tests of those who read it: `count_rings [FILE]`. Each line of its input is a row: label, ring,
 * side, slots, and the values in their order; it says "ok". "busy": from now on, until it is killed, rows are taken, written
 * full of one number and given back, and all the others grow. */
#include <psyne/counters.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static psy_counters *counters;

static _Noreturn void fail(void)
{
    fprintf(stderr, "count_rings: %s\n", psy_detail());
    exit(1);
}

static psy_ring_counters *take(const char *label, uint64_t ring, uint32_t side, uint32_t slots)
{
    const psy_counters_place place = {.label = label, .ring = ring, .side = side, .stride = 64, .slots = slots};
    psy_ring_counters *row;
    if (psy_counters_ring(counters, &place, &row) != PSY_OK) {
        fail();
    }
    return row;
}

static _Noreturn void be_busy(void)
{
    for (uint64_t k = 1;; k++) {
        char label[32];
        snprintf(label, sizeof label, "busy %" PRIu64, k);
        psy_ring_counters *row = take(label, k, k % 2, 64);
        for (unsigned i = 0; i < 1000; i++) {
            psy_counter_set(&row->messages, k << 32 | k);
            psy_counter_set(&row->high_water, ~(k << 32 | k));
        }
        psy_counters_drop(counters, row);
    }
}

int main(int argc, char **argv)
{
    char line[512], label[64];
    if (psy_counters_create(argc > 1 ? argv[1] : NULL, 16, &counters) != PSY_OK) {
        fail();
    }
    while (fgets(line, sizeof line, stdin)) {
        uint64_t ring;
        uint32_t side, slots;
        int at = 0;
        if (strcmp(line, "busy\n") == 0) {
            puts("ok");
            fflush(stdout);
            be_busy();
        }
        if (sscanf(line, "%63s %" SCNu64 " %" SCNu32 " %" SCNu32 "%n", label, &ring, &side, &slots, &at) != 4) {
            fprintf(stderr, "count_rings: what is %s", line);
            return 1;
        }
        PSY_ATOMIC(uint64_t) *values = &take(label, ring, side, slots)->position;
        char *rest = line + at;
        for (unsigned i = 0; i < PSY_RING_COUNTERS; i++) {
            psy_counter_set(&values[i], strtoull(rest, &rest, 10));
        }
        puts("ok");
        fflush(stdout);
    }
    psy_counters_destroy(counters);
    return 0;
}
