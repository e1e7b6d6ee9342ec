/* SPDX-License-Identifier: Apache-2.0 */
#include "command/histogram.h"

#include <inttypes.h>

#include "command/units.h"

enum { SUB = 1 << PSY_HISTOGRAM_BITS };

static unsigned log2_of(uint64_t value) { return 63 - (unsigned)__builtin_clzll(value); }

static uint32_t bin_of(uint64_t value)
{
    if (value < SUB) {
        return (uint32_t)value;
    }
    const unsigned e = log2_of(value) - PSY_HISTOGRAM_BITS;
    return e * SUB + (uint32_t)(value >> e);
}

void psy__histogram_bin(uint32_t bin, uint64_t *first, uint64_t *last)
{
    const unsigned e = bin < 2 * SUB ? 0 : bin / SUB - 1;
    *first = (uint64_t)(bin - e * SUB) << e;
    *last = *first + ((UINT64_C(1) << e) - 1);
}

void psy__histogram_record(psy__histogram *h, uint64_t value, uint64_t count)
{
    if (count == 0) {
        return;
    }
    h->least = h->count == 0 || value < h->least ? value : h->least;
    h->most = value > h->most ? value : h->most;
    h->count += count;
    h->sum += (double)value * (double)count;
    h->bins[bin_of(value)] += count;
}

void psy__histogram_merge(psy__histogram *to, const psy__histogram *from)
{
    if (from->count == 0) {
        return;
    }
    to->least = to->count == 0 || from->least < to->least ? from->least : to->least;
    to->most = from->most > to->most ? from->most : to->most;
    to->count += from->count;
    to->sum += from->sum;
    for (uint32_t i = 0; i < PSY_HISTOGRAM_BINS; i++) {
        to->bins[i] += from->bins[i];
    }
}

uint64_t psy__histogram_quantile(const psy__histogram *h, double q)
{
    const double all = (double)h->count;
    uint64_t seen = 0, first, last;
    uint64_t rank = (uint64_t)(q * all);
    rank += (double)rank < q * all;
    rank = rank < 1 ? 1 : rank > h->count ? h->count : rank;
    for (uint32_t i = 0; h->count > 0 && i < PSY_HISTOGRAM_BINS; i++) {
        seen += h->bins[i];
        if (seen >= rank) {
            psy__histogram_bin(i, &first, &last);
            return last < h->most ? last : h->most;
        }
    }
    return h->most;
}

double psy__histogram_mean(const psy__histogram *h) { return h->count ? h->sum / (double)h->count : 0; }

/* ---- JSON ---- */

void psy__histogram_write_json(const psy__histogram *h, bool bins, FILE *to)
{
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}};
    fprintf(to, "{\"count\":%" PRIu64 ",\"min_ns\":%" PRIu64 ",\"mean_ns\":%.0f", h->count, h->least, psy__histogram_mean(h));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        fprintf(to, ",\"%s\":%" PRIu64, quantiles[i].name, psy__histogram_quantile(h, quantiles[i].q));
    }
    fprintf(to, ",\"max_ns\":%" PRIu64, h->most);
    const char *between = "";
    fputs(bins ? ",\"bins\":[" : "", to);
    for (uint32_t i = 0; bins && i < PSY_HISTOGRAM_BINS; i++) {
        uint64_t first, last;
        if (h->bins[i] > 0) {
            psy__histogram_bin(i, &first, &last);
            fprintf(to, "%s[%" PRIu64 ",%" PRIu64 "]", between, last, h->bins[i]);
            between = ",";
        }
    }
    fputs(bins ? "]}" : "}", to);
}

/* ---- text ---- */

enum { LINES_MAX = 24 };

/* Into which line a value goes where each power of two has 1 << `parts` of them. */
static uint32_t line_of(uint64_t value, unsigned parts)
{
    const unsigned e = value < SUB ? 0 : log2_of(value) - PSY_HISTOGRAM_BITS;
    const uint64_t scaled = value >> e; /* its PSY_HISTOGRAM_BITS + 1 first bits, or all */
    if (scaled < 2) {
        return 0;
    }
    const unsigned top = log2_of(scaled);
    const uint64_t part =
        top > parts ? (scaled - (UINT64_C(1) << top)) >> (top - parts) : (scaled - (UINT64_C(1) << top)) << (parts - top);
    return (uint32_t)(((e + top) << parts) + part);
}

/* The first value of the line. */
static uint64_t first_of(uint32_t line, unsigned parts)
{
    const unsigned top = line >> parts;
    const uint64_t part = line & ((1u << parts) - 1);
    if (line == 0 || top > 63) {
        return line == 0 ? 0 : UINT64_MAX;
    }
    const uint64_t start = UINT64_C(1) << top;
    return start + (top > parts ? part << (top - parts) : part >> (parts - top));
}

/* The finest that needs no more than LINES_MAX lines. */
static unsigned parts_of(const psy__histogram *h)
{
    unsigned parts = 5;
    while (parts > 0 && line_of(h->most, parts) - line_of(h->least, parts) >= LINES_MAX) {
        parts--;
    }
    return parts;
}

void psy__histogram_write_text(const psy__histogram *h, unsigned columns, bool unicode, FILE *to)
{
    enum { BEFORE = 38, LINES_ALL = 64 << 5 };
    uint64_t counts[LINES_ALL] = {0}, most = 1, first, last;
    if (h->count == 0) {
        return;
    }
    const unsigned parts = parts_of(h), width = columns > BEFORE + 4 ? columns - BEFORE : 4;
    for (uint32_t i = 0; i < PSY_HISTOGRAM_BINS; i++) {
        psy__histogram_bin(i, &first, &last);
        uint64_t *line = &counts[line_of(first, parts)];
        *line += h->bins[i];
        most = *line > most ? *line : most;
    }
    for (uint32_t i = line_of(h->least, parts), end = line_of(h->most, parts); i <= end; i++) {
        char from[16], until[16], bar[PSY_BAR_BYTES];
        if (first_of(i, parts) == first_of(i + 1, parts)) {
            continue; /* finer than the values themselves */
        }
        psy__time_text(from, sizeof from, first_of(i, parts), unicode);
        psy__time_text(until, sizeof until, first_of(i + 1, parts), unicode);
        fprintf(to, "%*s .. %*s  %5.1f %%  %s\n", psy__padding(from, 11), from, psy__padding(until, 11), until,
                100 * (double)counts[i] / (double)h->count,
                psy__bar(bar, (double)counts[i] / (double)most, width, unicode, false));
    }
}
