/* SPDX-License-Identifier: Apache-2.0 */
/* psyne top: what services do, live, from the files of counters that they keep. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/command.h"
#include "command/terminal.h"
#include "command/top_view.h"

static const double every_least = 0.1, every_most = 3600;

typedef struct top {
    const char *path; /* NULL: the folder of all */
    char own[4096];   /* its name */
    bool json, plain, once;
    unsigned count;
    psy__top_view view;
    psy__top_model model;
    psy_counters_snapshot *before, *now;
    int status;
} top;

static double seconds_of(const char *value)
{
    char *end;
    const double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= every_least && seconds <= every_most)) {
        psy__misuse(NULL, "--every takes seconds, from %g to %g, and not `%s`", every_least, every_most, value);
    }
    return seconds;
}

static psy__top_sort sort_of(const char *value)
{
    for (unsigned i = 0; i < PSY_TOP_SORTS; i++) {
        if (strcmp(value, psy__top_sort_name((psy__top_sort)i)) == 0) {
            return (psy__top_sort)i;
        }
    }
    psy__misuse("name, busiest, fullest, slowest or errors", "there is no order `%s`", value);
}

/* Reads what there is now. False: nothing could be read; the detail says why. */
static psy_status look(top *t)
{
    psy_counters_snapshot *s;
    const psy_status status = psy_counters_read(t->path, &s);
    if (status != PSY_OK) {
        return status;
    }
    psy_counters_release(t->before);
    t->before = t->now;
    t->now = s;
    if (!psy__top_model_make(&t->model, t->before, t->now)) {
        psy__no_memory();
    }
    psy__top_model_sort(&t->model, t->view.sort, t->view.reverse);
    if (!isnan(t->model.seconds)) {
        psy__top_view_remember(&t->view, t->model.requests);
    }
    return PSY_OK;
}

/* ---- as text ---- */

static void print(top *t)
{
    psy__screen s = {0};
    unsigned columns, rows;
    if (t->json) {
        psy__top_model_write_json(&t->model, stdout);
        return;
    }
    psy__terminal_size(STDOUT_FILENO, &columns, &rows);
    columns = isatty(STDOUT_FILENO) || getenv("COLUMNS") ? columns : 160;
    if (!psy__screen_start(&s, columns, psy__top_view_rows(&t->view, &t->model), psy__terminal_unicode())) {
        psy__no_memory();
    }
    psy__top_view_draw(&t->view, &t->model, &s);
    psy__screen_write_plain(&s, stdout);
    psy__screen_end(&s);
}

static void sleep_for(double seconds)
{
    nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)}, NULL);
}

/* One reading tells no rates, so there is one before. */
static void run_plain(top *t)
{
    psy_status status = look(t);
    for (unsigned i = 0; status == PSY_OK && (i < t->count || t->count == 0); i++) {
        sleep_for(t->view.every);
        status = look(t);
        if (status == PSY_OK) {
            if (i > 0 && !t->json) {
                putchar('\n');
            }
            print(t);
        }
        if (fflush(stdout) != 0) {
            break;
        }
    }
    if (status != PSY_OK) {
        t->status = psy__complain(NULL, status);
    } else if (t->model.bad_files > 0) {
        fprintf(stderr, "psyne: %s\n", t->model.problem);
        t->status = 1;
    }
}

/* ---- live ---- */

static void set_clock(psy__top_view *v)
{
    const time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts)) {
        strftime(v->clock, sizeof v->clock, "%H:%M:%S", &parts);
    }
}

static void change_pace(psy__top_view *v, bool slower)
{
    static const double paces[] = {0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60};
    enum { PACES = sizeof paces / sizeof paces[0] };
    for (unsigned i = 0; i < PACES; i++) {
        const double pace = slower ? paces[i] : paces[PACES - 1 - i];
        if (slower ? pace > v->every : pace < v->every) {
            v->every = pace;
            return;
        }
    }
}

static void change_order(top *t, bool next)
{
    psy__top_view *v = &t->view;
    v->sort = next ? (psy__top_sort)((v->sort + 1) % PSY_TOP_SORTS) : v->sort;
    v->reverse = next ? false : !v->reverse;
    psy__top_model_sort(&t->model, v->sort, v->reverse);
}

/* False: it is over. */
static bool obey(top *t, int key, unsigned rows)
{
    psy__top_view *v = &t->view;
    const int page = rows > 6 ? (int)rows - 4 : 2;
    if (key == 'q' || key == 3 || key == 4 || key == PSY_KEY_GONE) {
        return false;
    }
    if (v->help && key < 256) {
        v->help = false;
        v->scroll = 0;
        return true;
    }
    switch (key) {
    case ' ':
    case 'p': v->paused = !v->paused; break;
    case 's':
    case 'r': change_order(t, key == 's'); break;
    case 'b': v->busy_only = !v->busy_only; break;
    case '+':
    case '-': change_pace(v, key == '+'); break;
    case '?':
    case 'h':
        v->help = true;
        v->scroll = 0;
        break;
    case 'k':
    case PSY_KEY_UP: psy__top_view_scroll(v, -1); break;
    case 'j':
    case PSY_KEY_DOWN: psy__top_view_scroll(v, 1); break;
    case PSY_KEY_PAGE_UP: psy__top_view_scroll(v, -page); break;
    case PSY_KEY_PAGE_DOWN: psy__top_view_scroll(v, page); break;
    case PSY_KEY_HOME: v->scroll = 0; break;
    case PSY_KEY_END: v->scroll = 1u << 30; break;
    default: break;
    }
    return true;
}

/* Two frames in turn: what differs from the one before is sent. */
static void draw(top *t, psy__screen frames[2], unsigned *turn, bool all, unsigned *rows)
{
    unsigned columns;
    psy__terminal_size(STDOUT_FILENO, &columns, rows);
    psy__screen *s = &frames[*turn], *before = &frames[!*turn];
    if (!psy__screen_start(s, columns, *rows, psy__terminal_unicode())) {
        psy__terminal_close();
        psy__no_memory();
    }
    psy__top_view_draw(&t->view, &t->model, s);
    psy__screen_write(s, stdout, all || before->rows == 0 ? NULL : before);
    *turn = !*turn;
}

static void run_live(top *t)
{
    psy__screen frames[2] = {{0}, {0}};
    unsigned turn = 0, rows = 24;
    psy_status status = look(t);
    if (status == PSY_OK && !psy__terminal_open()) {
        status = psy_fail(PSY_IO, "the terminal: %s", strerror(errno));
    }
    if (status != PSY_OK) {
        t->status = psy__complain(NULL, status);
        return;
    }
    (void)setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a frame is one write */
    set_clock(&t->view);
    int key = PSY_KEY_RESIZE;
    /* The second reading comes soon: rates are what one wants to see. */
    for (uint64_t due_ns = psy__now_ns() + 200000000; status == PSY_OK && obey(t, key, rows);) {
        draw(t, frames, &turn, key == PSY_KEY_RESIZE, &rows);
        const uint64_t now_ns = psy__now_ns();
        const uint64_t left_ns = t->view.paused ? 3600000000000 : due_ns > now_ns ? due_ns - now_ns : 0;
        key = psy__terminal_key((int)((left_ns + 999999) / 1000000));
        if (!t->view.paused && psy__now_ns() >= due_ns) {
            status = look(t);
            set_clock(&t->view);
            due_ns = psy__now_ns() + (uint64_t)(t->view.every * 1e9);
        }
    }
    psy__terminal_close();
    psy__screen_end(&frames[0]);
    psy__screen_end(&frames[1]);
    if (status != PSY_OK) {
        t->status = psy__complain(NULL, status);
    }
}

int psy__top(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_TOP, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    top t = {.view = {.every = 1, .sort = PSY_TOP_SORT_NAME}};
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_TOP_EVERY: t.view.every = seconds_of(value); break;
        case PSY_OPTION_TOP_SORT: t.view.sort = sort_of(value); break;
        case PSY_OPTION_TOP_BUSY: t.view.busy_only = true; break;
        case PSY_OPTION_TOP_ONCE: t.once = true; break;
        case PSY_OPTION_TOP_COUNT:
            t.count = psy__number_of("--count", value, 1000000000);
            t.plain = true;
            break;
        case PSY_OPTION_TOP_PLAIN: t.plain = true; break;
        case PSY_OPTION_TOP_JSON: t.json = true; break;
        case PSY_OPTION_TOP_HELP: psy__help_write(PSY_COMMAND_TOP, stdout); return 0;
        default:
            if (t.path) {
                psy__misuse("a folder is read with all of its files", "one file or folder is read, and not `%s` too", value);
            }
            t.path = argv[line.at - 1];
        }
    }
    const psy_status named = t.path ? PSY_OK : psy_counters_directory(t.own, sizeof t.own);
    if (named != PSY_OK) {
        return psy__complain(NULL, named);
    }
    t.view.path = t.path ? t.path : t.own;
    t.view.live = !t.plain && !t.json && !t.once && isatty(STDIN_FILENO) && psy__terminal_is(stdout);
    if (t.view.live) {
        run_live(&t);
    } else {
        t.count = t.once || (t.count == 0 && !t.plain) ? 1 : t.count;
        run_plain(&t);
    }
    psy_counters_release(t.before);
    psy_counters_release(t.now);
    psy__top_model_end(&t.model);
    return t.status;
}
