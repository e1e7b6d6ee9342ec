/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies in little memory: how often each came, to within one part in 128, over all of u64. Log-linear, as HdrHistogram does
 * it (Gil Tene, https://hdrhistogram.org): each power of two is cut into 128 bins of the same width.
 *
 *      0 .. 127     bins of 1: exact
 *    128 .. 255     bins of 1        bin 128 + 128 e + (v >> e) - 128, where e = floor(log2 v) - 7
 *    256 .. 511     bins of 2
 *    512 .. 1023    bins of 4, and so on
 *
 * Recording is a shift and an addition, and never allocates. Histograms that were made apart are added up without loss.
 *
 *   psy__histogram *h = calloc(1, sizeof *h);          // all zeroes: empty
 *   psy__histogram_record(h, latency_ns, 1);
 *   uint64_t p99 = psy__histogram_quantile(h, 0.99);   // at most 1/128 above a latency that was recorded
 *
 * Thread safety: one thread at a time. */
#ifndef PSY_COMMAND_HISTOGRAM_H
#define PSY_COMMAND_HISTOGRAM_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    PSY_HISTOGRAM_BITS = 7, /* of a value that are kept: the relative error is at most 2^-7 */
    PSY_HISTOGRAM_BINS = (64 - PSY_HISTOGRAM_BITS + 1) << PSY_HISTOGRAM_BITS
};
static_assert(PSY_HISTOGRAM_BINS == 7424, "58 KiB for a histogram");

typedef struct psy__histogram {
    uint64_t count, least, most; /* exact; least and most of nothing are 0 */
    double sum;
    uint64_t bins[PSY_HISTOGRAM_BINS];
} psy__histogram;

/* `count` times the same value. */
void psy__histogram_record(psy__histogram *h, uint64_t value, uint64_t count);
void psy__histogram_merge(psy__histogram *to, const psy__histogram *from);

/* The least value, up to its bin's end and never above the greatest that was recorded, which a part `q` (0 .. 1) of all are at
 * or below. 0 of nothing. */
uint64_t psy__histogram_quantile(const psy__histogram *h, double q);
double psy__histogram_mean(const psy__histogram *h);

/* The least and the greatest value of a bin (below PSY_HISTOGRAM_BINS). */
void psy__histogram_bin(uint32_t bin, uint64_t *first, uint64_t *last);

/* An object: count, min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns; with `bins` also an array of [last value of the
 * bin, count] for each bin that is not empty. */
void psy__histogram_write_json(const psy__histogram *h, bool bins, FILE *to);

/* Lines of equal parts of powers of two, at most 24 unless the powers of two alone are more, each with a bar: as wide as
 * `columns` allow, of blocks or of #. */
void psy__histogram_write_text(const psy__histogram *h, unsigned columns, bool unicode, FILE *to);

#endif
