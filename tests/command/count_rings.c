/* SPDX-License-Identifier: Apache-2.0 */
/* A process that counts, for tests of those who read it: `count_rings [FILE]`. Each line of its input is a row: label, ring,
 * side, slots, and the values in their order; "SECTION:" before it makes it one of another section; a line "- LABEL SIDE" gives
 * such a row back. It says "ok". "busy": from now on, until it is killed, rows are taken, written
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

static PSY_ATOMIC(uint64_t) *
    take(psy_counters_section section, const char *label, uint64_t ring, uint32_t side, uint32_t slots)
{
    const psy_counters_place place = {.label = label, .ring = ring, .side = side, .stride = 64, .slots = slots};
    PSY_ATOMIC(uint64_t) * values;
    if (psy_counters_section_row(counters, section, &place, &values) != PSY_OK) {
        fail();
    }
    return values;
}

/* The section that a line names; what is left of the line in *line. */
static psy_counters_section section_of(char **line)
{
    const psy_counters_descriptor *d;
    const size_t n = strcspn(*line, ": ");
    for (uint32_t i = 0; (*line)[n] == ':' && (d = psy_counters_table(i)) != NULL; i++) {
        if (d->kind == PSY_COUNTERS_SECTION && strlen(d->name) == n && memcmp(d->name, *line, n) == 0) {
            *line += n + 1;
            return (psy_counters_section)d->section;
        }
    }
    return PSY_COUNTERS_OF_RING;
}

/* Rows that can be given back. */
static struct kept {
    char label[64];
    uint32_t side;
    PSY_ATOMIC(uint64_t) * values;
} kept[64];
static unsigned kept_count;

static void give_back(const char *label, uint32_t side)
{
    for (unsigned i = 0; i < kept_count; i++) {
        if (kept[i].side == side && strcmp(kept[i].label, label) == 0) {
            psy_counters_section_drop(counters, kept[i].values);
            kept[i].label[0] = '\0';
        }
    }
}

static _Noreturn void be_busy(void)
{
    for (uint64_t k = 1;; k++) {
        char label[32];
        snprintf(label, sizeof label, "busy %" PRIu64, k);
        psy_ring_counters *row = (psy_ring_counters *)(void *)take(PSY_COUNTERS_OF_RING, label, k, k % 2, 64);
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
    if (psy_counters_create(argc > 1 ? argv[1] : NULL, 48, &counters) != PSY_OK) {
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
        char *from = line;
        const psy_counters_section section = section_of(&from);
        if (sscanf(line, "- %63s %" SCNu32, label, &side) == 2) {
            give_back(label, side);
            puts("ok");
            fflush(stdout);
            continue;
        }
        if (sscanf(from, "%63s %" SCNu64 " %" SCNu32 " %" SCNu32 "%n", label, &ring, &side, &slots, &at) != 4) {
            fprintf(stderr, "count_rings: what is %s", line);
            return 1;
        }
        for (char *c = label; *c; c++) { /* blanks in labels are written as + */
            *c = *c == '+' ? ' ' : *c;
        }
        PSY_ATOMIC(uint64_t) *values = take(section, label, ring, side, slots);
        char *rest = from + at;
        for (unsigned i = 0; i < PSY_COUNTERS_VALUES; i++) {
            psy_counter_set(&values[i], strtoull(rest, &rest, 10));
        }
        if (kept_count < sizeof kept / sizeof kept[0]) {
            kept[kept_count] = (struct kept){.side = side, .values = values};
            snprintf(kept[kept_count++].label, sizeof kept->label, "%s", label);
        }
        puts("ok");
        fflush(stdout);
    }
    psy_counters_destroy(counters);
    return 0;
}
