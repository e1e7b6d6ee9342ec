/* SPDX-License-Identifier: Apache-2.0 */
#include "command/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/output.h"
#include "command/units.h"

enum { WIDTH = 760, HEIGHT = 440, LEFT = 92, RIGHT = 24, TOP = 84, BOTTOM = 64 };

/* Told apart by colour and by shape: the colours are those that Okabe and Ito chose for all eyes (2008). */
static const struct {
    const char *name, *colour, *shape;
} lines[PSY_PLOT_LINES] = {{"p50", "#0072B2", "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"},
                           {"p99", "#D55E00", "M-4 -4h8v8h-8z"},
                           {"p99.9", "#009E73", "M0 -5L5 4H-5z"},
                           {"max", "#8F4A77", "M0 -5.5L5.5 0L0 5.5L-5.5 0z"}};

typedef struct plot {
    FILE *to;
    const psy__plot_point *points;
    uint32_t count;
    double rate_most, least, most; /* log10 of ns */
} plot;

static double x_of(const plot *p, double rate) { return LEFT + (WIDTH - LEFT - RIGHT) * rate / p->rate_most; }

static double y_of(const plot *p, uint64_t ns)
{
    const double part = (log10(ns > 1 ? (double)ns : 1) - p->least) / (p->most - p->least);
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part;
}

static void text_at(const plot *p, double x, double y, const char *anchor, const char *more, const char *text)
{
    fprintf(p->to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>", x, y, anchor, more);
    for (; *text; text++) {
        fputs(*text == '<' ? "&lt;" : *text == '&' ? "&amp;" : "", p->to);
        if (*text != '<' && *text != '&') {
            putc((unsigned char)*text < 0x20 ? ' ' : *text, p->to);
        }
    }
    fputs("</text>\n", p->to);
}

/* 1, 2 or 5 times a power of ten, about five of which make `most`. */
static double step_of(double most)
{
    const double power = pow(10, floor(log10(most / 5))), n = most / 5 / power;
    return power * (n > 5 ? 10 : n > 2 ? 5 : n > 1 ? 2 : 1);
}

static void measure(plot *p)
{
    uint64_t least = UINT64_MAX, most = 1;
    double rate = 1;
    for (uint32_t i = 0; i < p->count; i++) {
        rate = p->points[i].rate > rate ? p->points[i].rate : rate;
        for (int k = 0; k < PSY_PLOT_LINES; k++) {
            const uint64_t ns = p->points[i].ns[k];
            least = ns < least ? ns : least;
            most = ns > most ? ns : most;
        }
    }
    p->rate_most = rate * 1.04;
    p->least = floor(log10(least > 1 && least != UINT64_MAX ? (double)least : 1));
    p->most = ceil(log10((double)most));
    p->most = p->most > p->least ? p->most : p->least + 1;
}

static void draw_axes(const plot *p)
{
    char text[32];
    const double step = step_of(p->rate_most), bottom = HEIGHT - BOTTOM;
    for (double e = p->least; e <= p->most; e++) {
        const double y = y_of(p, (uint64_t)(pow(10, e) + 0.5));
        fprintf(p->to, "<path d=\"M%d %.1fh%d\" stroke=\"#c9d3de\"/>\n", LEFT, y, WIDTH - LEFT - RIGHT);
        text_at(p, LEFT - 10, y + 5, "end", "", psy__time_text(text, sizeof text, (uint64_t)(pow(10, e) + 0.5), true));
    }
    for (double rate = 0; rate <= p->rate_most; rate += step) {
        fprintf(p->to, "<path d=\"M%.1f %.1fv6\" stroke=\"#51606f\"/>\n", x_of(p, rate), bottom);
        text_at(p, x_of(p, rate), bottom + 22, "middle", "", psy__count_text(text, sizeof text, rate));
    }
    fprintf(p->to, "<path d=\"M%d %.1fh%d\" stroke=\"#1f2a37\"/>\n", LEFT, bottom, WIDTH - LEFT - RIGHT);
    text_at(p, LEFT + (WIDTH - LEFT - RIGHT) / 2.0, HEIGHT - 16, "middle", "", "replies a second");
}

static void draw_mark(const plot *p, int k, double x, double y, bool hollow)
{
    fprintf(p->to, "<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"%s\" stroke=\"%s\" stroke-width=\"1.5\"/>\n", x, y,
            lines[k].shape, hollow ? "#ffffff" : lines[k].colour, lines[k].colour);
}

static void draw_line(const plot *p, int k)
{
    fprintf(p->to, "<path d=\"");
    for (uint32_t i = 0; i < p->count; i++) {
        fprintf(p->to, "%s%.1f %.1f", i ? "L" : "M", x_of(p, p->points[i].rate), y_of(p, p->points[i].ns[k]));
    }
    fprintf(p->to, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", lines[k].colour);
    for (uint32_t i = 0; i < p->count; i++) {
        draw_mark(p, k, x_of(p, p->points[i].rate), y_of(p, p->points[i].ns[k]), p->points[i].behind);
    }
}

static void draw_legend(const plot *p)
{
    bool behind = false;
    for (uint32_t i = 0; i < p->count; i++) {
        behind = behind || p->points[i].behind;
    }
    for (int k = 0; k < PSY_PLOT_LINES; k++) {
        draw_mark(p, k, LEFT + 8 + 90.0 * k, 60, false);
        text_at(p, LEFT + 20 + 90.0 * k, 65, "start", "", lines[k].name);
    }
    if (behind) {
        text_at(p, WIDTH - RIGHT, 65, "end", "", "hollow: fewer replies than were asked for");
    }
}

static void draw(plot *p, const char *title)
{
    fprintf(
        p->to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\"\n"
        "     font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"14\" fill=\"#1f2a37\">\n"
        "<rect x=\"1\" y=\"1\" width=\"%d\" height=\"%d\" rx=\"12\" fill=\"#fbfcfe\" stroke=\"#c9d3de\" stroke-width=\"2\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH - 2, HEIGHT - 2);
    text_at(p, 28, 34, "start", " font-weight=\"bold\" font-size=\"17\"", title);
    measure(p);
    draw_axes(p);
    for (int k = PSY_PLOT_LINES; k-- > 0;) {
        draw_line(p, k);
    }
    draw_legend(p);
    fputs("</svg>\n", p->to);
}

static int by_rate(const void *a, const void *b)
{
    const double x = ((const psy__plot_point *)a)->rate, y = ((const psy__plot_point *)b)->rate;
    return (x > y) - (x < y);
}

psy_status psy__plot_write(const char *path, const char *title, const psy__plot_point *points, uint32_t count)
{
    psy__output o;
    psy__plot_point *sorted = calloc(count ? count : 1, sizeof *sorted);
    if (!sorted) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %u points", path, count);
    }
    memcpy(sorted, points, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_rate);
    psy_status status = psy__output_open(&o, path);
    if (status == PSY_OK) {
        draw(&(plot){.to = o.to, .points = sorted, .count = count}, title);
        status = psy__output_close(&o, true);
    }
    free(sorted);
    return status;
}
