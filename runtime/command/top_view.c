/* SPDX-License-Identifier: Apache-2.0 */
#include "command/top_view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "command/units.h"

enum { TOP_ROWS = 2, NAME_LEAST = 12, BAR = 10, TEXT_BYTES = 512 };

static const char *const sorts[PSY_TOP_SORTS] = {"name", "busiest", "fullest", "slowest", "errors"};

const char *psy__top_sort_name(psy__top_sort sort) { return sorts[sort]; }

void psy__top_view_remember(psy__top_view *v, double requests)
{
    if (v->history_count == PSY_TOP_HISTORY) {
        memmove(v->history, v->history + 1, (PSY_TOP_HISTORY - 1) * sizeof v->history[0]);
        v->history_count--;
    }
    v->history[v->history_count++] = requests;
}

void psy__top_view_scroll(psy__top_view *v, int lines)
{
    v->scroll = lines < 0 && (unsigned)-lines > v->scroll ? 0 : v->scroll + (unsigned)lines;
}

/* ---- cells ---- */

static unsigned width_of(psy__top_kind kind)
{
    static const unsigned widths[] = {
        [PSY_TOP_KIND_NUMBER] = 8, [PSY_TOP_KIND_RATE] = 8,       [PSY_TOP_KIND_BYTES] = 9, [PSY_TOP_KIND_BYTE_RATE] = 10,
        [PSY_TOP_KIND_TIME] = 8,   [PSY_TOP_KIND_PART] = BAR + 6, [PSY_TOP_KIND_SHARE] = 5};
    return widths[kind];
}

static unsigned column_width(const psy__top_column *c)
{
    const unsigned title = (unsigned)strlen(c->title), width = width_of(c->kind);
    return (title > width ? title : width) + 1;
}

static void cell_text(const psy__top_column *c, double value, bool unicode, char *to, size_t room)
{
    if (isnan(value)) {
        snprintf(to, room, "-");
        return;
    }
    switch (c->kind) {
    case PSY_TOP_KIND_BYTES:
    case PSY_TOP_KIND_BYTE_RATE: psy__bytes_text(to, room, value); break;
    case PSY_TOP_KIND_TIME: psy__time_text(to, room, value < 0x1p63 ? (uint64_t)value : UINT64_MAX, unicode); break;
    case PSY_TOP_KIND_PART:
    case PSY_TOP_KIND_SHARE: snprintf(to, room, "%.0f%%", 100 * value); break;
    default: psy__count_text(to, room, value); break;
    }
}

/* What is nearly full, or goes wrong, is seen from afar. */
static psy__style style_of(const psy__top_column *c, double value, bool alive)
{
    const bool is_part = c->kind == PSY_TOP_KIND_PART || c->kind == PSY_TOP_KIND_SHARE;
    if (!alive || isnan(value)) {
        return PSY_STYLE_FAINT;
    }
    if (is_part) {
        return value >= 0.9 ? PSY_STYLE_BAD : value >= 0.6 ? PSY_STYLE_WARN : PSY_STYLE_GOOD;
    }
    if (c->sort == PSY_TOP_SORT_BAD && value > 0) {
        return c->table == PSY_TOP_RING ? PSY_STYLE_WARN : PSY_STYLE_BAD;
    }
    return value == 0 ? PSY_STYLE_FAINT : PSY_STYLE_PLAIN;
}

static void put_cell(psy__screen *s, unsigned row, unsigned at, unsigned width, const psy__top_column *c, double value,
                     bool alive)
{
    char text[32], bar[PSY_BAR_BYTES];
    const psy__style style = style_of(c, value, alive);
    cell_text(c, value, s->unicode, text, sizeof text);
    if (c->kind == PSY_TOP_KIND_PART && !isnan(value) && width > BAR + 5) {
        for (unsigned i = 0; i < BAR && s->unicode; i++) {
            psy__screen_put(s, row, at + width - BAR - 5 + i, PSY_STYLE_FAINT, "\xe2\x96\x91");
        }
        psy__screen_put_in(s, row, at + width - BAR - 5, BAR, false, style, psy__bar(bar, value, BAR, s->unicode, !s->unicode));
    }
    psy__screen_put_in(s, row, at, width, true, style, text);
}

/* ---- tables ---- */

/* Which columns there is room for, and how much is left for the name. */
typedef struct plan {
    const psy__top_column *columns;
    unsigned count, name;
    bool shown[PSY_TOP_COLUMNS_MAX];
} plan;

/* Of all tables: their columns begin at the same place. */
static unsigned longest_name(const psy__screen *s, const psy__top_model *m)
{
    unsigned longest = NAME_LEAST;
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        const psy__top_table *t = &m->tables[k];
        for (uint32_t i = 0; i < t->count; i++) {
            const unsigned n = psy__screen_width(s, t->rows[i].name) + (t->rows[i].alive ? 0 : 7);
            longest = n > longest ? n : longest;
        }
    }
    return longest;
}

static plan plan_of(const psy__screen *s, const psy__top_model *m, psy__top_table_name name)
{
    plan p = {.name = longest_name(s, m)};
    p.columns = psy__top_columns(name, &p.count);
    unsigned all = p.name;
    for (unsigned i = 0; i < p.count; i++) {
        p.shown[i] = true;
        all += column_width(&p.columns[i]);
    }
    /* The name gives way down to its least, in turn with the columns of the least use. */
    for (unsigned priority = 9; all > s->columns; priority--) {
        const unsigned least = NAME_LEAST + 3 * priority, spare = p.name > least ? p.name - least : 0,
                       wanted = all - s->columns, cut = spare < wanted ? spare : wanted;
        p.name -= cut;
        all -= cut;
        for (unsigned i = p.count; i-- > 0 && all > s->columns;) {
            if (p.columns[i].priority == priority && p.shown[i]) {
                p.shown[i] = false;
                all -= column_width(&p.columns[i]);
            }
        }
        if (priority == 0) {
            break;
        }
    }
    return p;
}

static bool is_idle(const psy__top_row *row, psy__top_table_name name)
{
    unsigned count;
    const psy__top_column *c = psy__top_columns(name, &count);
    for (unsigned i = 0; i < count; i++) {
        const bool moves =
            c[i].kind == PSY_TOP_KIND_RATE || c[i].kind == PSY_TOP_KIND_BYTE_RATE || c[i].kind == PSY_TOP_KIND_PART;
        if (moves && row->values[i] > 0) {
            return false;
        }
    }
    return true;
}

static bool is_shown(const psy__top_view *v, const psy__top_row *row, psy__top_table_name name)
{
    return !v->busy_only || !is_idle(row, name);
}

static void draw_head(const psy__top_view *v, psy__screen *s, unsigned row, psy__top_table_name name, const plan *p)
{
    unsigned at = psy__screen_put_in(s, row, 0, p->name, false,
                                     v->sort == PSY_TOP_SORT_NAME ? PSY_STYLE_SELECTED : PSY_STYLE_HEAD, psy__top_title(name));
    for (unsigned i = 0; i < p->count; i++) {
        const psy__top_column *c = &p->columns[i];
        if (p->shown[i]) {
            const bool selected = v->live && v->sort != PSY_TOP_SORT_NAME && c->sort == v->sort;
            psy__screen_put_in(s, row, at + 1, column_width(c) - 1, true, selected ? PSY_STYLE_SELECTED : PSY_STYLE_HEAD,
                               c->title);
            at += column_width(c);
        }
    }
}

static void draw_row(psy__screen *s, unsigned row, const psy__top_row *r, const plan *p)
{
    char name[sizeof r->name + 16];
    snprintf(name, sizeof name, "%s%s", r->name, r->alive ? "" : " (gone)");
    unsigned at = psy__screen_put_in(s, row, 0, p->name, false, r->alive ? PSY_STYLE_NAME : PSY_STYLE_FAINT, name);
    for (unsigned i = 0; i < p->count; i++) {
        if (p->shown[i]) {
            put_cell(s, row, at + 1, column_width(&p->columns[i]) - 1, &p->columns[i], r->values[i], r->alive);
            at += column_width(&p->columns[i]);
        }
    }
}

static uint32_t rows_of(const psy__top_view *v, const psy__top_model *m, psy__top_table_name name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->tables[name].count; i++) {
        n += is_shown(v, &m->tables[name].rows[i], name);
    }
    return n;
}

/* Lines of all tables: for each that has rows a blank line, its head and its rows. */
static unsigned lines_of(const psy__top_view *v, const psy__top_model *m)
{
    unsigned lines = 0;
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        const uint32_t n = rows_of(v, m, (psy__top_table_name)k);
        lines += n > 0 ? n + 2 : 0;
    }
    return lines;
}

/* A line of the tables goes to where it is after scrolling; UINT_MAX-like rows are outside and not drawn. */
typedef struct paper {
    psy__screen *s;
    unsigned first, end, scroll, line;
} paper;

/* The row of the next line; false: it is not seen. */
static bool next_line(paper *p, unsigned *row)
{
    const unsigned line = p->line++;
    *row = line - p->scroll + p->first;
    return line >= p->scroll && *row < p->end;
}

static void draw_table(const psy__top_view *v, const psy__top_model *m, paper *p, psy__top_table_name name)
{
    const psy__top_table *t = &m->tables[name];
    unsigned row;
    if (rows_of(v, m, name) == 0) {
        return;
    }
    const plan columns = plan_of(p->s, m, name);
    (void)next_line(p, &row);
    if (next_line(p, &row)) {
        draw_head(v, p->s, row, name, &columns);
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (is_shown(v, &t->rows[i], name) && next_line(p, &row)) {
            draw_row(p->s, row, &t->rows[i], &columns);
        }
    }
}

/* ---- around them ---- */

static void draw_title(const psy__top_view *v, const psy__top_model *m, psy__screen *s)
{
    char text[TEXT_BYTES], right[96];
    snprintf(text, sizeof text, "psyne top%s  %s", v->paused ? "  PAUSED" : "", v->path);
    snprintf(right, sizeof right, "%" PRIu32 " process%s  every %g s  %s", m->processes, m->processes == 1 ? "" : "es",
             v->every, v->clock);
    const unsigned n = psy__screen_width(s, right);
    unsigned end = n + 2 < s->columns ? s->columns - n - 1 : s->columns;
    psy__screen_put_in(s, 0, v->live ? 1 : 0, end > 2 ? end - 2 : end, false, PSY_STYLE_PLAIN, text);
    if (end < s->columns) {
        psy__screen_put(s, 0, end, PSY_STYLE_PLAIN, right);
    }
    if (v->live) {
        psy__screen_paint(s, 0, PSY_STYLE_TITLE);
    }
}

/* The last readings, one a column: each an eighth to a whole column high. */
static void draw_history(const psy__top_view *v, psy__screen *s, unsigned at)
{
    static const char *const ascii[] = {" ", ".", ":", "-", "=", "+", "*", "#"};
    static const char *const blocks[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
    enum { LEAST = 8, MOST = 60 };
    if (at + LEAST > s->columns) {
        return;
    }
    const unsigned room = s->columns - at < MOST ? s->columns - at : MOST;
    const unsigned n = v->history_count < room ? v->history_count : room, first = v->history_count - n;
    double most = 0;
    for (unsigned i = 0; i < n; i++) {
        most = v->history[first + i] > most ? v->history[first + i] : most;
    }
    for (unsigned i = 0; i < n && most > 0; i++) {
        const double part = v->history[first + i] / most;
        const unsigned height = part > 0 ? (unsigned)(part * 7 + 0.5) : 0;
        psy__screen_put(s, 1, at + i, PSY_STYLE_NAME,
                        s->unicode ? blocks[height < 8 ? height : 7] : ascii[height < 8 ? height : 7]);
    }
}

static void draw_sums(const psy__top_view *v, const psy__top_model *m, psy__screen *s)
{
    char text[TEXT_BYTES], requests[24], bad[24];
    unsigned at = v->live ? 1 : 0;
    if (isnan(m->seconds)) {
        psy__screen_put(s, 1, at, PSY_STYLE_FAINT, "rates are known after the second reading");
        return;
    }
    snprintf(text, sizeof text, "%s requests/s", psy__count_text(requests, sizeof requests, m->requests));
    at = psy__screen_put(s, 1, at, PSY_STYLE_STRONG, text);
    snprintf(text, sizeof text, "  %s bad/s", psy__count_text(bad, sizeof bad, m->bad));
    at = psy__screen_put(s, 1, at, m->bad > 0 ? PSY_STYLE_BAD : PSY_STYLE_FAINT, text);
    if (m->dead > 0) {
        snprintf(text, sizeof text, "  %" PRIu32 " dead", m->dead);
        at = psy__screen_put(s, 1, at, PSY_STYLE_WARN, text);
    }
    if (m->left_out > 0) {
        snprintf(text, sizeof text, "  %" PRIu32 " rows left out", m->left_out);
        at = psy__screen_put(s, 1, at, PSY_STYLE_WARN, text);
    }
    if (m->bad_files > 0) {
        snprintf(text, sizeof text, "  %" PRIu32 " file%s unreadable: %s", m->bad_files, m->bad_files == 1 ? "" : "s",
                 m->problem);
        at = psy__screen_put(s, 1, at, PSY_STYLE_BAD, text);
    }
    draw_history(v, s, at + 2);
}

static void draw_keys(const psy__top_view *v, psy__screen *s, unsigned lines, unsigned room)
{
    char text[TEXT_BYTES];
    if (s->rows < 4) {
        return;
    }
    snprintf(text, sizeof text, "q quit  space %s  s sort: %s%s  r reverse  b %s  +/- slower, faster%s  ? help",
             v->paused ? "go on" : "pause", sorts[v->sort], v->reverse ? " (reversed)" : "", v->busy_only ? "all" : "busy ones",
             lines > room ? "  arrows scroll" : "");
    psy__screen_put(s, s->rows - 1, 1, PSY_STYLE_FAINT, text);
}

static void draw_help(psy__screen *s, paper *p)
{
    static const char *const keys[] = {"q          quit",
                                       "space, p   pause, and go on",
                                       "s          next order: by name, busiest, fullest, slowest, most errors",
                                       "r          the other way round",
                                       "b          only what is busy, or all",
                                       "+, -       slower, faster",
                                       "up, down, page up, page down, home, end: scroll",
                                       "?, h       this; any key goes back",
                                       NULL};
    unsigned row;
    for (int i = -1; i < 0 || keys[i]; i++) {
        if (next_line(p, &row) && i >= 0) {
            psy__screen_put(s, row, 2, PSY_STYLE_PLAIN, keys[i]);
        }
    }
    for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
        unsigned count;
        const psy__top_column *c = psy__top_columns((psy__top_table_name)k, &count);
        (void)next_line(p, &row);
        if (next_line(p, &row)) {
            psy__screen_put(s, row, 0, PSY_STYLE_HEAD, psy__top_title((psy__top_table_name)k));
        }
        for (unsigned i = 0; i < count; i++) {
            if (next_line(p, &row)) {
                psy__screen_put_in(s, row, 2, 11, false, PSY_STYLE_NAME, c[i].title);
                psy__screen_put(s, row, 14, PSY_STYLE_PLAIN, c[i].help);
            }
        }
    }
}

unsigned psy__top_view_rows(const psy__top_view *v, const psy__top_model *m) { return TOP_ROWS + lines_of(v, m) + 2; }

void psy__top_view_draw(psy__top_view *v, const psy__top_model *m, psy__screen *s)
{
    const unsigned lines = v->help ? 64 : lines_of(v, m);
    const unsigned end = v->live && s->rows >= 4 ? s->rows - 1 : s->rows, room = end > TOP_ROWS ? end - TOP_ROWS : 0;
    const unsigned most = lines > room ? lines - room : 0;
    v->scroll = v->scroll < most ? v->scroll : most;
    paper p = {s, TOP_ROWS, end, v->scroll, 0};
    draw_title(v, m, s);
    draw_sums(v, m, s);
    if (v->help) {
        draw_help(s, &p);
    } else {
        for (unsigned k = 0; k < PSY_TOP_TABLES; k++) {
            draw_table(v, m, &p, (psy__top_table_name)k);
        }
        unsigned row;
        if (lines == 0 && (next_line(&p, &row), next_line(&p, &row))) {
            psy__screen_put(s, row, v->live ? 1 : 0, PSY_STYLE_FAINT,
                            v->busy_only ? "nothing is busy" : "nobody counts anything here");
        }
    }
    if (v->live) {
        draw_keys(v, s, lines, room);
    }
}
