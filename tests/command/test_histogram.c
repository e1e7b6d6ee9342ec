/* SPDX-License-Identifier: Apache-2.0 */
/* Histograms against the values themselves, sorted. */
#include "tests/test.h"

#include "command/histogram.h"
#include "command/schedule.h"

enum { VALUES = 20000 };

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(histogram, bins_cover_all_values_once)
{
    uint64_t first, last, next = 0;
    for (uint32_t i = 0; i < PSY_HISTOGRAM_BINS; i++) {
        psy__histogram_bin(i, &first, &last);
        cr_assert_eq(first, next, "bin %u begins at %llu", i, (unsigned long long)first);
        cr_assert_geq(last, first);
        /* The error that the header promises. */
        cr_assert(last - first <= first / 128, "bin %u", i);
        next = last + 1;
    }
    cr_assert_eq(last, UINT64_MAX);
}

Test(histogram, a_value_is_found_in_its_bin)
{
    psy__histogram *h = calloc(1, sizeof *h);
    uint64_t state = 7;
    for (uint32_t i = 0; i < 4000; i++) {
        const uint64_t v = psy__random_next(&state) >> (i % 64);
        uint64_t first, last;
        memset(h, 0, sizeof *h);
        psy__histogram_record(h, v, 1);
        uint32_t bin = 0;
        while (h->bins[bin] == 0) {
            bin++;
        }
        psy__histogram_bin(bin, &first, &last);
        cr_assert(first <= v && v <= last, "%llu in bin %u", (unsigned long long)v, bin);
    }
    free(h);
}

static const double quantiles[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};

Test(histogram, quantiles_are_those_of_the_sorted_values)
{
    psy__histogram *h = calloc(1, sizeof *h);
    uint64_t *values = malloc(VALUES * sizeof *values), state = 3;
    double sum = 0;
    for (uint32_t i = 0; i < VALUES; i++) {
        /* From single nanoseconds to minutes, equally many in each power of two. */
        values[i] = psy__random_next(&state) >> (28 + psy__random_below(&state, 36));
        psy__histogram_record(h, values[i], 1);
        sum += (double)values[i];
    }
    qsort(values, VALUES, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        const double q = quantiles[i];
        uint32_t rank = (uint32_t)(q * VALUES);
        rank += rank < q * VALUES;
        rank += rank == 0;
        const uint64_t exact = values[rank - 1], found = psy__histogram_quantile(h, q);
        cr_assert(found >= exact && found - exact <= exact / 128, "%g: %llu for %llu", q, (unsigned long long)found,
                  (unsigned long long)exact);
    }
    cr_assert_eq(psy__histogram_quantile(h, 1), values[VALUES - 1]);
    cr_assert_eq(h->least, values[0]);
    cr_assert_eq(h->most, values[VALUES - 1]);
    cr_assert_eq(h->count, VALUES);
    const double mean = psy__histogram_mean(h);
    cr_assert(mean > sum / VALUES * 0.999999 && mean < sum / VALUES * 1.000001);
    free(values);
    free(h);
}

Test(histogram, parts_that_are_merged_are_the_whole)
{
    psy__histogram *whole = calloc(1, sizeof *whole), *parts = calloc(4, sizeof *parts);
    uint64_t state = 11;
    for (uint32_t i = 0; i < VALUES; i++) {
        const uint64_t v = psy__random_next(&state) >> 40, n = 1 + i % 3;
        psy__histogram_record(whole, v, n);
        psy__histogram_record(&parts[1 + i % 3], v, n);
    }
    for (int i = 1; i < 4; i++) {
        psy__histogram_merge(&parts[0], &parts[i]);
    }
    cr_assert_arr_eq(parts[0].bins, whole->bins, sizeof whole->bins);
    cr_assert(parts[0].count == whole->count && parts[0].least == whole->least && parts[0].most == whole->most);
    cr_assert_eq(parts[0].sum, whole->sum); /* whole numbers below 2^53 */
    psy__histogram_merge(whole, &(psy__histogram){0});
    cr_assert_eq(parts[0].count, whole->count);
    free(parts);
    free(whole);
}

Test(histogram, nothing_and_one)
{
    psy__histogram *h = calloc(1, sizeof *h);
    cr_assert_eq(psy__histogram_quantile(h, 0.99), 0);
    cr_assert_eq(psy__histogram_mean(h), 0);
    psy__histogram_record(h, 5, 0);
    cr_assert(h->count == 0 && h->least == 0);
    psy__histogram_record(h, UINT64_MAX, 1);
    cr_assert(psy__histogram_quantile(h, 0) == UINT64_MAX && h->least == UINT64_MAX);
    free(h);
}

/* Adds up the percentages, and checks that lines follow each other. */
Test(histogram, text_has_everything_once)
{
    for (uint64_t seed = 1; seed < 40; seed++) {
        psy__histogram *h = calloc(1, sizeof *h);
        uint64_t state = seed;
        for (int i = 0; i < 1000; i++) {
            psy__histogram_record(h,
                                  seed % 2 ? psy__random_next(&state) >> (24 + seed % 9 * 4)
                                           : seed * 1000 + psy__random_below(&state, seed * 37),
                                  1);
        }
        char *text = NULL;
        size_t n = 0;
        FILE *to = open_memstream(&text, &n);
        psy__histogram_write_text(h, 80, false, to);
        fclose(to);
        double sum = 0;
        int lines = 0;
        char before[32] = "";
        for (char *line = text; *line; line = strchr(line, '\n') + 1, lines++) {
            double part;
            char from[32];
            snprintf(from, sizeof from, "%.*s", (int)(strstr(line, " .. ") - line), line);
            cr_assert_eq(sscanf(strchr(line, '%') - 7, "%lf", &part), 1, "%s", line);
            cr_assert(lines == 0 || strcmp(before, from) == 0, "%s after %s", line, before);
            snprintf(before, sizeof before, "%.*s", (int)(strstr(line, " .. ") - line), strstr(line, " .. ") + 4);
            sum += part;
            cr_assert(strcspn(line, "\n") <= 80);
        }
        cr_assert(lines >= 1 && lines <= (seed % 2 ? 41 : 24), "%d lines", lines);
        cr_assert(sum > 98 && sum < 102, "%f %%", sum);
        free(text);
        free(h);
    }
}

Test(histogram, json)
{
    psy__histogram *h = calloc(1, sizeof *h);
    char text[512];
    for (uint64_t v = 1; v <= 100; v++) {
        psy__histogram_record(h, v, 10);
    }
    FILE *to = fmemopen(text, sizeof text, "w");
    psy__histogram_write_json(h, false, to);
    fclose(to);
    cr_assert_str_eq(text,
                     "{\"count\":1000,\"min_ns\":1,\"mean_ns\":50,\"p50_ns\":50,\"p90_ns\":90,\"p99_ns\":99,\"p999_ns\":100,"
                     "\"max_ns\":100}");
    memset(h, 0, sizeof *h);
    psy__histogram_record(h, 3, 2);
    psy__histogram_record(h, 300, 1);
    to = fmemopen(text, sizeof text, "w");
    psy__histogram_write_json(h, true, to);
    fclose(to);
    cr_assert(strstr(text, ",\"bins\":[[3,2],[301,1]]}") != NULL, "%s", text);
    free(h);
}
