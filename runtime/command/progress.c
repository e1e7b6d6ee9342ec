/* SPDX-License-Identifier: Apache-2.0 */
#include "command/progress.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "command/terminal.h"
#include "command/units.h"

enum { PLAIN_COLUMNS = 256 };
/* What is over sooner needs no bar. */
static const uint64_t quiet_ns = 500000000, bar_every_ns = 100000000, line_every_ns = 5000000000;

void psy__progress_begin(psy__progress *p, const char *what, uint64_t all, const char *unit, bool silent)
{
    const uint64_t now = psy__now_ns();
    *p = (psy__progress){.what = what,
                         .unit = unit,
                         .all = all,
                         .start_ns = now,
                         .silent = silent,
                         .terminal = psy__terminal_is(stderr),
                         .unicode = psy__terminal_unicode()};
    p->shown_ns = p->terminal ? now + quiet_ns - bar_every_ns : now;
}

static const char *amount_text(const psy__progress *p, double n, char *to, size_t room)
{
    const bool bytes = strcmp(p->unit, "B") == 0;
    char number[24];
    snprintf(to, room, "%s%s%s", bytes ? psy__bytes_text(number, sizeof number, n) : psy__count_text(number, sizeof number, n),
             bytes ? "" : " ", bytes ? "" : p->unit);
    return to;
}

/* Appends as much of it as there are columns for: all of it, or nothing. */
static void append(char *to, size_t room, unsigned columns, const char *text)
{
    const size_t n = strlen(to);
    if (psy__columns(to) + psy__columns(text) <= columns && n + strlen(text) < room) {
        memcpy(to + n, text, strlen(text) + 1);
    }
}

const char *psy__progress_text(const psy__progress *p, uint64_t now_ns, unsigned columns, char *to, size_t room)
{
    enum { BAR = 24, BAR_LEAST = 60 };
    const double seconds = now_ns > p->start_ns ? (double)(now_ns - p->start_ns) / 1e9 : 0;
    const double rate = seconds > 0 ? (double)p->done / seconds : 0;
    const double part = p->all ? (double)p->done / (double)p->all : 0;
    char bar[PSY_BAR_BYTES], amount[48], piece[160];
    to[0] = '\0';
    snprintf(piece, sizeof piece, "%.*s", (int)(columns < 40 ? columns : 40), p->what);
    append(to, room, columns, piece);
    if (p->all > 0) {
        snprintf(piece, sizeof piece, "  %3.0f %%", 100 * (part < 1 ? part : 1));
        if (p->terminal && columns >= BAR_LEAST) {
            append(to, room, columns, "  ");
            append(to, room, columns, psy__bar(bar, part, BAR, p->unicode, true));
        }
    } else {
        snprintf(piece, sizeof piece, "  %s", amount_text(p, (double)p->done, amount, sizeof amount));
    }
    append(to, room, columns, piece);
    if (p->all > 0 && !p->terminal) {
        char all[48];
        snprintf(piece, sizeof piece, "  %s of %s", amount_text(p, (double)p->done, amount, sizeof amount),
                 amount_text(p, (double)p->all, all, sizeof all));
        append(to, room, columns, piece);
    }
    if (rate > 0) {
        snprintf(piece, sizeof piece, "  %s/s", amount_text(p, rate, amount, sizeof amount));
        append(to, room, columns, piece);
    }
    if (rate > 0 && p->all > p->done) {
        const double left = (double)(p->all - p->done) / rate;
        snprintf(piece, sizeof piece, "  %s left",
                 psy__time_text(amount, sizeof amount, left < 1e9 ? (uint64_t)(left * 1e9) : UINT64_MAX, p->unicode));
        append(to, room, columns, piece);
    }
    if (p->note[0]) {
        snprintf(piece, sizeof piece, "  %s", p->note);
        append(to, room, columns, piece);
    }
    return to;
}

static void show(psy__progress *p, uint64_t now)
{
    char text[2 * PLAIN_COLUMNS + PSY_BAR_BYTES];
    unsigned columns = PLAIN_COLUMNS, rows;
    if (p->terminal) {
        psy__terminal_size(fileno(stderr), &columns, &rows);
        columns = columns > 1 ? columns - 1 : 1; /* what stands in the last one would break the line */
    }
    psy__progress_text(p, now, columns, text, sizeof text);
    fprintf(stderr, p->terminal ? "\r%s\033[K" : "%s\n", text);
    fflush(stderr);
    p->shown_ns = now;
    p->shown = true;
}

void psy__progress_step(psy__progress *p, uint64_t done)
{
    p->done = done;
    if (p->silent) {
        return;
    }
    const uint64_t now = psy__now_ns();
    if (now - p->shown_ns >= (p->terminal ? bar_every_ns : line_every_ns) && now > p->shown_ns) {
        show(p, now);
    }
}

void psy__progress_clear(psy__progress *p)
{
    if (p->shown && p->terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        p->shown = false;
    }
}

void psy__progress_end(psy__progress *p)
{
    char amount[48], time[24];
    if (p->terminal) {
        psy__progress_clear(p);
    } else if (p->shown) {
        fprintf(stderr, "%s  %s in %s\n", p->what, amount_text(p, (double)p->done, amount, sizeof amount),
                psy__time_text(time, sizeof time, psy__now_ns() - p->start_ns, p->unicode));
    }
    p->silent = true;
}
