/* SPDX-License-Identifier: Apache-2.0 */
/* psyne counters: what processes count of their rings and services, read beside them. */
#include <psyne/counters.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/command.h"
#include "command/json_text.h"
#include "command/counters.h"
#include "command/json_text.h"
#include "command/table.h"

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

static const char *const titles[] = {"RING",  "IN",    "OUT",  "FILL",  "OF",    "HIGH",       "SENT",
                                     "TAKEN", "BYTES", "FULL", "EMPTY", "WAKES", "MESSAGES/s", "BYTES/s"};

/* How many of them live. */
static void put_sides(psy__table *t, uint32_t living, uint32_t all)
{
    if (living == all) {
        psy__table_put(t, "%" PRIu32, all);
    } else {
        psy__table_put(t, "%" PRIu32 " of %" PRIu32, living, all);
    }
}

static void put_number(psy__table *t, bool known, uint64_t n) { psy__table_put(t, known ? "%" PRIu64 : "-", n); }

static void put_ring(psy__table *t, const counters *c, const psy_counters_snapshot *s, const psy_counters_ring_view *r)
{
    const bool in = r->producers > 0, out = r->consumers > 0;
    psy__table_put(t, "%s", r->label);
    put_sides(t, r->living_producers, r->producers);
    put_sides(t, r->living_consumers, r->consumers);
    put_number(t, r->fill_known, r->fill);
    put_number(t, r->slots > 0, r->slots);
    put_number(t, true, r->high_water);
    put_number(t, in, r->producer[PSY_RING_COUNTER_messages]);
    put_number(t, out, r->consumer[PSY_RING_COUNTER_messages]);
    put_number(t, true, side_of(r)[PSY_RING_COUNTER_bytes]);
    put_number(t, in, r->producer[PSY_RING_COUNTER_stalls]);
    put_number(t, out, r->consumer[PSY_RING_COUNTER_stalls]);
    put_number(t, true, r->producer[PSY_RING_COUNTER_wakes] + r->consumer[PSY_RING_COUNTER_wakes]);
    if (c->every) {
        const rate a = rate_of(c, s, r);
        put_number(t, a.known, a.messages);
        put_number(t, a.known, a.bytes);
    }
}

static void show_table(const counters *c, const psy_counters_snapshot *s)
{
    psy__table t;
    const psy_counters_ring_view *r;
    psy__table_begin(&t, (uint32_t)(sizeof titles / sizeof titles[0]) - (c->every ? 0 : 2), titles);
    for (uint32_t i = 0; (r = psy_counters_ring_at(s, i)) != NULL; i++) {
        put_ring(&t, c, s, r);
    }
    psy__table_print(&t, stdout);
    psy__counters_show_sections(s, c->before, c->every > 0);
}

/* ---- as JSON ---- */

static void put_file(const psy_counters_file *f)
{
    fputs("{\"path\":", stdout);
    psy__json_text(stdout, f->path);
    if (f->status != PSY_OK) {
        fputs(",\"problem\":", stdout);
        psy__json_text(stdout, f->problem);
        putchar('}');
        return;
    }
    fputs(",\"process\":", stdout);
    psy__json_text(stdout, f->process);
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
    psy__json_text(stdout, r->label);
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
    putchar(']');
    psy__counters_json_sections(s, c->before);
    fputs("}\n", stdout);
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
            printf("  %-17s %-10s%-10s%s\n", d->name, kinds[d->kind], d->unit, d->help);
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
