/* SPDX-License-Identifier: Apache-2.0 */
/* psyne counters: what processes count of their rings, read beside them. */
#include <psyne/counters.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/json_text.h"

typedef struct counters {
    const char *path; /* NULL: the folder of all */
    bool json;
    unsigned every, count;
    psy_counters_snapshot *before; /* what rates are against */
    int status;
} counters;

/* ---- rates ---- */

typedef struct rate {
    bool known;
    uint64_t messages, bytes; /* a second */
} rate;

/* What counts for the ring: what its producers say, if there are any. */
static const uint64_t *side_of(const psy_counters_ring_view *r) { return r->producers ? r->producer : r->consumer; }

static const psy_counters_ring_view *find_ring(const psy_counters_snapshot *s, uint64_t ring)
{
    const psy_counters_ring_view *r;
    for (uint32_t i = 0; s && (r = psy_counters_ring_at(s, i)) != NULL; i++) {
        if (r->ring == ring) {
            return r;
        }
    }
    return NULL;
}

static uint64_t a_second(uint64_t more, uint64_t ns) { return (uint64_t)((double)more * 1e9 / (double)ns + 0.5); }

static rate rate_of(const counters *c, const psy_counters_snapshot *now, const psy_counters_ring_view *r)
{
    const psy_counters_ring_view *was = find_ring(c->before, r->ring);
    if (!was || !was->producers != !r->producers) {
        return (rate){false, 0, 0};
    }
    const uint64_t *a = side_of(was), *b = side_of(r);
    const uint64_t ns = psy_counters_taken_ns(now) - psy_counters_taken_ns(c->before);
    const uint64_t messages = b[PSY_RING_COUNTER_messages] - a[PSY_RING_COUNTER_messages],
                   bytes = b[PSY_RING_COUNTER_bytes] - a[PSY_RING_COUNTER_bytes];
    /* Who started again counts from nothing. */
    const bool known = ns > 0 && messages <= INT64_MAX && bytes <= INT64_MAX;
    return known ? (rate){true, a_second(messages, ns), a_second(bytes, ns)} : (rate){false, 0, 0};
}

/* ---- as a table ---- */

enum { COLUMNS = 14, CELL_BYTES = 72 };

static const char *const titles[COLUMNS] = {"RING",  "IN",    "OUT",  "FILL",  "OF",    "HIGH",       "SENT",
                                            "TAKEN", "BYTES", "FULL", "EMPTY", "WAKES", "MESSAGES/s", "BYTES/s"};

typedef struct cell {
    char text[CELL_BYTES];
} cell;

/* How many of them live. */
static void put_sides(cell *to, uint32_t living, uint32_t all)
{
    if (living == all) {
        snprintf(to->text, sizeof to->text, "%" PRIu32, all);
    } else {
        snprintf(to->text, sizeof to->text, "%" PRIu32 " of %" PRIu32, living, all);
    }
}

static void put_number(cell *to, bool known, uint64_t n) { snprintf(to->text, sizeof to->text, known ? "%" PRIu64 : "-", n); }

static void put_ring(cell *to, const counters *c, const psy_counters_snapshot *s, const psy_counters_ring_view *r)
{
    const bool in = r->producers > 0, out = r->consumers > 0;
    const rate a = rate_of(c, s, r);
    snprintf(to[0].text, sizeof to[0].text, "%s", r->label);
    put_sides(&to[1], r->living_producers, r->producers);
    put_sides(&to[2], r->living_consumers, r->consumers);
    put_number(&to[3], r->fill_known, r->fill);
    put_number(&to[4], r->slots > 0, r->slots);
    put_number(&to[5], true, r->high_water);
    put_number(&to[6], in, r->producer[PSY_RING_COUNTER_messages]);
    put_number(&to[7], out, r->consumer[PSY_RING_COUNTER_messages]);
    put_number(&to[8], true, side_of(r)[PSY_RING_COUNTER_bytes]);
    put_number(&to[9], in, r->producer[PSY_RING_COUNTER_stalls]);
    put_number(&to[10], out, r->consumer[PSY_RING_COUNTER_stalls]);
    put_number(&to[11], true, r->producer[PSY_RING_COUNTER_wakes] + r->consumer[PSY_RING_COUNTER_wakes]);
    put_number(&to[12], a.known, a.messages);
    put_number(&to[13], a.known, a.bytes);
}

/* Characters, and not bytes. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++) {
        n += (*text & 0xc0) != 0x80;
    }
    return n;
}

static void put_cells(const cell *row, const int *widths, int columns)
{
    for (int i = 0; i < columns; i++) {
        const int blanks = widths[i] - width_of(row[i].text);
        printf("%s%*s%s%*s", i ? "  " : "", i ? blanks : 0, "", row[i].text, i ? 0 : blanks, "");
    }
    putchar('\n');
}

static void show_table(const counters *c, const psy_counters_snapshot *s)
{
    size_t n = 0;
    while (psy_counters_ring_at(s, (uint32_t)n)) {
        n++;
    }
    cell *rows = calloc((n + 1) * COLUMNS, sizeof *rows);
    if (!rows) {
        psy__no_memory();
    }
    int widths[COLUMNS] = {0};
    for (size_t i = 0; i <= n; i++) {
        for (int k = 0; i == 0 && k < COLUMNS; k++) {
            snprintf(rows[k].text, sizeof rows[k].text, "%s", titles[k]);
        }
        if (i > 0) {
            put_ring(&rows[i * COLUMNS], c, s, psy_counters_ring_at(s, (uint32_t)(i - 1)));
        }
        for (int k = 0; k < COLUMNS; k++) {
            const int width = width_of(rows[i * COLUMNS + (size_t)k].text);
            widths[k] = width > widths[k] ? width : widths[k];
        }
    }
    for (size_t i = 0; i <= n; i++) {
        put_cells(&rows[i * COLUMNS], widths, c->every ? COLUMNS : COLUMNS - 2);
    }
    free(rows);
}

/* ---- as JSON ---- */

static void put_text(const char *text) { psy__json_text(stdout, text); }

static void put_file(const psy_counters_file *f)
{
    fputs("{\"path\":", stdout);
    put_text(f->path);
    if (f->status != PSY_OK) {
        fputs(",\"problem\":", stdout);
        put_text(f->problem);
        putchar('}');
        return;
    }
    fputs(",\"process\":", stdout);
    put_text(f->process);
    printf(",\"pid\":%" PRIu32 ",\"alive\":%s,\"created_ns\":%" PRIu64 ",\"beat_ns\":%" PRIu64 ",\"rows\":%" PRIu32
           ",\"used\":%" PRIu32 ",\"changing\":%" PRIu32 "}",
           f->pid, f->alive ? "true" : "false", f->created_ns, f->beat_ns, f->rows, f->used, f->changing);
}

static void put_values(const char *side, const uint64_t *values)
{
    const psy_counters_descriptor *d;
    printf(",\"%s\":{", side);
    const char *between = "";
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->section == PSY_COUNTERS_OF_RING && d->kind != PSY_COUNTERS_SECTION) {
            printf("%s\"%s\":%" PRIu64, between, d->name, values[d->place]);
            between = ",";
        }
    }
    putchar('}');
}

static void put_ring_object(const counters *c, const psy_counters_snapshot *s, const psy_counters_ring_view *r)
{
    printf("{\"ring\":\"%016" PRIx64 "\",\"label\":", r->ring);
    put_text(r->label);
    printf(",\"stride\":%" PRIu32 ",\"slots\":%" PRIu32 ",\"producers\":%" PRIu32 ",\"consumers\":%" PRIu32
           ",\"living_producers\":%" PRIu32 ",\"living_consumers\":%" PRIu32,
           r->stride, r->slots, r->producers, r->consumers, r->living_producers, r->living_consumers);
    if (r->fill_known) {
        printf(",\"fill\":%" PRIu64, r->fill);
    }
    printf(",\"high_water\":%" PRIu64, r->high_water);
    if (r->producers) {
        put_values("producer", r->producer);
    }
    if (r->consumers) {
        put_values("consumer", r->consumer);
    }
    const rate a = rate_of(c, s, r);
    if (a.known) {
        printf(",\"per_second\":{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", a.messages, a.bytes);
    }
    putchar('}');
}

/* A line. */
static void show_json(const counters *c, const psy_counters_snapshot *s)
{
    const psy_counters_file *f;
    const psy_counters_ring_view *r;
    printf("{\"taken_ns\":%" PRIu64 ",\"files\":[", psy_counters_taken_ns(s));
    for (uint32_t i = 0; (f = psy_counters_file_at(s, i)) != NULL; i++) {
        fputs(i ? "," : "", stdout);
        put_file(f);
    }
    fputs("],\"rings\":[", stdout);
    for (uint32_t i = 0; (r = psy_counters_ring_at(s, i)) != NULL; i++) {
        fputs(i ? "," : "", stdout);
        put_ring_object(c, s, r);
    }
    fputs("]}\n", stdout);
}

/* ---- the command ---- */

static void list_table(void)
{
    static const char *const kinds[] = {"", "counter", "gauge", "position", "peak"};
    const psy_counters_descriptor *d;
    for (uint32_t i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->kind == PSY_COUNTERS_SECTION) {
            printf("%s%s: %s\n", i ? "\n" : "", d->name, d->help);
        } else {
            printf("  %-12s%-10s%-10s%s\n", d->name, kinds[d->kind], d->unit, d->help);
        }
    }
}

/* Reads and prints once. False: nothing could be read. */
static bool show(counters *c)
{
    psy_counters_snapshot *s;
    const psy_status status = psy_counters_read(c->path, &s);
    if (status != PSY_OK) {
        c->status = psy__complain(NULL, status);
        return false;
    }
    const psy_counters_file *f;
    for (uint32_t i = 0; (f = psy_counters_file_at(s, i)) != NULL; i++) {
        if (f->status != PSY_OK) {
            fprintf(stderr, "psyne: %s\n", f->problem);
            c->status = 1;
        }
    }
    if (c->json) {
        show_json(c, s);
    } else {
        show_table(c, s);
    }
    psy_counters_release(c->before);
    c->before = s;
    return fflush(stdout) == 0;
}

static int clean(const char *folder)
{
    uint32_t removed;
    const psy_status status = psy_counters_clean(folder, &removed);
    printf("%" PRIu32 " file%s of dead processes removed\n", removed, removed == 1 ? "" : "s");
    return status == PSY_OK ? 0 : psy__complain(NULL, status);
}

int psy__counters(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_COUNTERS, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    counters c = {0};
    bool cleans = false;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_COUNTERS_JSON: c.json = true; break;
        case PSY_OPTION_COUNTERS_EVERY: c.every = psy__number_of("--every", value, 86400); break;
        case PSY_OPTION_COUNTERS_COUNT: c.count = psy__number_of("--count", value, 1000000000); break;
        case PSY_OPTION_COUNTERS_LIST: list_table(); return 0;
        case PSY_OPTION_COUNTERS_CLEAN: cleans = true; break;
        case PSY_OPTION_COUNTERS_HELP: psy__help_write(PSY_COMMAND_COUNTERS, stdout); return 0;
        default:
            if (c.path) {
                psy__misuse("a folder is read with all of its files", "one file or folder is read, and not `%s` too", value);
            }
            c.path = argv[line.at - 1];
        }
    }
    if (cleans) {
        return clean(c.path);
    }
    if (c.count && !c.every) {
        psy__misuse("`--every=1 --count=2` reads twice, a second apart", "--count needs --every");
    }
    for (unsigned i = 1; show(&c) && c.every && i != c.count; i++) {
        nanosleep(&(struct timespec){.tv_sec = c.every}, NULL);
        if (!c.json) {
            putchar('\n');
        }
    }
    psy_counters_release(c.before);
    return c.status;
}
