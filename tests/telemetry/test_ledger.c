/* SPDX-License-Identifier: Apache-2.0 */
/* Counters that never go back, whoever goes: and the metrics that are made of them. */
#define _GNU_SOURCE
#include "telemetry/ledger.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "telemetry/data.h"
#include "telemetry/listen.h"
#include "telemetry/metrics.h"
#include "tests/mem/counters.h"

static const uint64_t second = 1000000000;

typedef struct books {
    scratch folder;
    psy__ledger *ledger;
    uint64_t now_ns;
} books;

static books open_books(void)
{
    books b = {.folder = scratch_make(), .now_ns = 1000 * second};
    cr_assert_eq(psy__ledger_create(b.folder.path, &b.ledger), PSY_OK, "%s", psy_detail());
    return b;
}

static void close_books(books *b)
{
    psy__ledger_destroy(b->ledger);
    scratch_end(&b->folder);
}

/* Reads the folder `seconds` later. */
static void look(books *b, uint64_t seconds)
{
    psy_counters_snapshot *s = read_counters(b->folder.path);
    b->now_ns += seconds * second;
    cr_assert_eq(psy__ledger_take(b->ledger, s, b->now_ns), PSY_OK, "%s", psy_detail());
    psy_counters_release(s);
}

static const psy__ledger_entry *entry(const books *b, uint32_t section, const char *label)
{
    const psy__ledger_entry *e = psy__ledger_find(b->ledger, section, label, 0);
    cr_assert_not_null(e, "%s", label);
    return e;
}

static psy_service_counters *make_service(psy_counters *c, uint64_t id, uint64_t requests, uint64_t in_flight)
{
    psy_service_counters *s = (void *)make_thing(c, PSY_COUNTERS_OF_SERVICE, "nearest", id, 0);
    psy_counter_set(&s->requests, requests);
    psy_counter_set(&s->in_flight, in_flight);
    psy_counter_set(&s->shards, 2);
    return s;
}

/* ---- nothing goes back ---- */

Test(ledger, what_is_gone_stays_counted)
{
    books b = open_books();
    psy_counters *c = make_counters(scratch_name(&b.folder, "a.counters").text, 4);
    psy_ring_counters *one = make_row(c, "nearest/client 0 requests", 1, 0);
    psy_counter_set(&one->messages, 100);
    psy_counter_set(&one->high_water, 9);
    look(&b, 1);
    cr_assert_eq(entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests")->values[PSY_RING_COUNTER_messages], 100u);
    /* It goes, and another client has its number: a row of the same place and label, or of another. */
    psy_counter_set(&one->messages, 130);
    look(&b, 1);
    psy_counters_drop(c, one);
    look(&b, 1);
    const psy__ledger_entry *e = entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests");
    cr_assert(e->values[PSY_RING_COUNTER_messages] == 130 && e->living == 0);
    cr_assert_eq(e->values[PSY_RING_COUNTER_high_water], 0u, "what was most in use is nobody's any more");
    one = make_row(c, "nearest/client 0 requests", 2, 0);
    psy_counter_set(&one->messages, 5);
    look(&b, 1);
    e = entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests");
    cr_assert(e->values[PSY_RING_COUNTER_messages] == 135 && e->living == 1);
    /* Long enough for the first row to be forgotten: its numbers are not. */
    look(&b, 61);
    look(&b, 61);
    psy_counter_set(&one->messages, 6);
    look(&b, 400);
    cr_assert_eq(entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests")->values[PSY_RING_COUNTER_messages], 136u);
    psy_counters_destroy(c);
    /* The file is gone: all is kept for five minutes, and then forgotten. */
    look(&b, 200);
    cr_assert_eq(entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests")->values[PSY_RING_COUNTER_messages], 136u);
    look(&b, 90);
    cr_assert_eq(entry(&b, PSY_COUNTERS_OF_RING, "nearest/client 0 requests")->values[PSY_RING_COUNTER_messages], 136u);
    look(&b, 20);
    cr_assert_null(psy__ledger_entry_at(b.ledger, 0));
    close_books(&b);
}

/* At random: rows come and go in several files, and the sum is that of all that was ever counted and seen. */
Test(ledger, whatever_comes_and_goes)
{
    enum { FILES = 3, ROWS = 6, ROUNDS = 1500 };
    books b = open_books();
    psy_counters *files[FILES] = {NULL};
    struct {
        psy_service_counters *row;
        uint64_t value;
    } rows[FILES][ROWS];
    memset(rows, 0, sizeof rows);
    uint64_t seed = 88172645463325252u, all = 0, before = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t f = random_next(&seed) % FILES, r = random_next(&seed) % ROWS;
        char text[32];
        snprintf(text, sizeof text, "%u.counters", (unsigned)f);
        if (!files[f]) {
            files[f] = make_counters(scratch_name(&b.folder, text).text, ROWS);
        } else if (random_next(&seed) % 40 == 0) { /* an orderly end */
            psy_counters_destroy(files[f]);
            files[f] = NULL;
            memset(rows[f], 0, sizeof rows[f]);
        } else if (!rows[f][r].row) {
            rows[f][r].row = (void *)make_thing(files[f], PSY_COUNTERS_OF_SERVICE, "nearest", 1 + random_next(&seed) % 3, 0);
            rows[f][r].value = 0;
        } else if (random_next(&seed) % 5 == 0) {
            psy_counters_section_drop(files[f], (PSY_ATOMIC(uint64_t) *)(void *)rows[f][r].row);
            rows[f][r].row = NULL;
        } else {
            const uint64_t more = random_next(&seed) % 1000;
            all += more;
            psy_counter_set(&rows[f][r].row->requests, rows[f][r].value += more);
        }
        look(&b, random_next(&seed) % 20 == 0 ? 45 : 1);
        const psy__ledger_entry *e = psy__ledger_find(b.ledger, PSY_COUNTERS_OF_SERVICE, "nearest", 0);
        const uint64_t now = e ? e->values[PSY_SERVICE_COUNTER_requests] : 0;
        cr_assert_eq(now, all, "round %u: %lu of %lu", round, (unsigned long)now, (unsigned long)all);
        cr_assert_geq(now, before);
        before = now;
    }
    for (unsigned f = 0; f < FILES; f++) {
        psy_counters_destroy(files[f]);
    }
    close_books(&b);
}

/* A file that cannot be read for a while is not one that is gone. */
Test(ledger, an_unreadable_file_is_waited_for)
{
    books b = open_books();
    const name path = scratch_name(&b.folder, "a.counters"), aside = scratch_name(&b.folder, "aside");
    psy_counters *c = make_counters(path.text, 4);
    psy_service_counters *s = make_service(c, 1, 1000, 3);
    look(&b, 1);
    cr_assert_eq(rename(path.text, aside.text), 0);
    store(path.text, "not counters", 12);
    for (unsigned i = 0; i < 4; i++) {
        look(&b, 70);
        const psy__ledger_entry *e = entry(&b, PSY_COUNTERS_OF_SERVICE, "nearest");
        cr_assert(e->values[PSY_SERVICE_COUNTER_requests] == 1000 && e->living == 0);
        cr_assert_eq(psy__ledger_bad(b.ledger), 1u);
    }
    cr_assert_eq(rename(aside.text, path.text), 0);
    psy_counter_set(&s->requests, 1001);
    look(&b, 1);
    cr_assert_eq(entry(&b, PSY_COUNTERS_OF_SERVICE, "nearest")->values[PSY_SERVICE_COUNTER_requests], 1001u, "and not twice");
    psy_counters_destroy(c);
    close_books(&b);
}

Test(ledger, gauges_are_of_the_living)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    books b = open_books();
    int ends[2];
    char byte;
    cr_assert_eq(pipe(ends), 0);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        psy_counters *c = make_counters(scratch_name(&b.folder, "dies.counters").text, 2);
        make_service(c, 1, 70, 7);
        (void)!write(ends[1], "", 1);
        pause();
        _exit(0);
    }
    cr_assert_eq(read(ends[0], &byte, 1), 1);
    look(&b, 1);
    const psy__ledger_entry *e = entry(&b, PSY_COUNTERS_OF_SERVICE, "nearest");
    cr_assert(e->living == 1 && e->values[PSY_SERVICE_COUNTER_in_flight] == 7);
    cr_assert_eq(psy__ledger_process_at(b.ledger, 0)->pid, (uint32_t)pid);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    look(&b, 1);
    e = entry(&b, PSY_COUNTERS_OF_SERVICE, "nearest");
    cr_assert(e->living == 0 && e->values[PSY_SERVICE_COUNTER_in_flight] == 0 && e->values[PSY_SERVICE_COUNTER_requests] == 70);
    cr_assert(psy__ledger_dead(b.ledger) == 1 && !psy__ledger_process_at(b.ledger, 0));
    /* Another one in its place; the dead one's file is cleaned away. */
    psy_counters *c = make_counters(scratch_name(&b.folder, "lives.counters").text, 2);
    make_service(c, 2, 4, 1);
    look(&b, 1);
    cr_assert_eq(psy_counters_clean(b.folder.path, NULL), PSY_OK);
    for (unsigned i = 0; i < 3; i++) {
        look(&b, 50);
        e = entry(&b, PSY_COUNTERS_OF_SERVICE, "nearest");
        cr_assert(e->living == 1 && e->values[PSY_SERVICE_COUNTER_in_flight] == 1 &&
                  e->values[PSY_SERVICE_COUNTER_requests] == 74);
    }
    psy_counters_destroy(c);
    close_books(&b);
}

Test(ledger, a_folder_that_is_not_there)
{
    psy__ledger *l;
    cr_assert_eq(psy__ledger_create("/nowhere/psyne", &l), PSY_OK);
    cr_assert_eq(psy__ledger_read(l), PSY_OK, "nobody counts yet");
    cr_assert_null(psy__ledger_entry_at(l, 0));
    psy__ledger_destroy(l);
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(psy__ledger_create(longest, &l), PSY_TOO_LARGE);
}

/* ---- metrics ---- */

static char *written(const books *b, bool open)
{
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    psy__metrics_write(b->ledger, "1.2", open, to);
    cr_assert_eq(fclose(to), 0);
    return text;
}

static void has(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    cr_assert(at && (at == text || at[-1] == '\n'), "no line %s", line);
}

Test(metrics, names_types_and_values)
{
    books b = open_books();
    psy_counters *c = make_counters(scratch_name(&b.folder, "a.counters").text, 32);
    make_service(c, 1, 12, 3);
    (void)make_thing(c, PSY_COUNTERS_OF_SUPERVISOR, "evil \"name\" \\ here", 2, 0);
    psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_GUARD, "nearest", 1, 0)[PSY_GUARD_COUNTER_denied], 4);
    psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_DATA, "nearest", 1, 0)[PSY_DATA_COUNTER_snapshots], 5);
    psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_DATA, "far", 1, 0)[PSY_DATA_COUNTER_snapshot_timestamp],
                    1700000000500000000);
    psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_RESIDENT, "nearest/words", 2, 3)[PSY_RESIDENT_COUNTER_rows], 6);
    psy_counter_set(&make_row(c, "nearest/client 0 requests", 9, 0)->position, 30);
    psy_counter_set(&make_row(c, "nearest/client 0 requests", 9, 1)->position, 20);
    psy_pipeline_counters *p = (void *)make_thing(c, PSY_COUNTERS_OF_PIPELINE, "nearest/words/all", 5, 0);
    psy_counter_set(&p->latency, 1234567890);
    psy_counter_set(&p->slowest, 1000000000);
    for (uint32_t k = 0; k < PSY_LATENCY_PARTS; k++) {
        PSY_ATOMIC(uint64_t) *part = make_thing(c, PSY_COUNTERS_OF_LATENCY, "nearest/words/all", 5, k);
        for (unsigned i = 0; i < PSY_COUNTERS_VALUES; i++) {
            psy_counter_set(&part[i], k * PSY_COUNTERS_VALUES + i < PSY_LATENCY_BUCKETS);
        }
    }
    psy_worker_counters *w = (void *)make_thing(c, PSY_COUNTERS_OF_WORKER, "nearest/shard 3", 1, 3);
    psy_counter_set(&w->requests, 50);
    psy_counter_set(&make_thing(c, PSY_COUNTERS_OF_BATCH, "nearest/shard 3", 1, 3)[PSY_BATCH_COUNTER_to_8], 10);
    look(&b, 1);
    char *text = written(&b, false), *open = written(&b, true);
    has(text, "# TYPE psyne_requests_total counter\npsyne_requests_total{service=\"nearest\"} 12\n");
    has(text, "# HELP psyne_requests_total requests accepted from clients\n");
    has(text, "psyne_in_flight{service=\"nearest\"} 3\n");
    has(text, "psyne_up{service=\"nearest\"} 1\n");
    has(text, "psyne_guard_denied_total{service=\"nearest\"} 4\n");
    has(text, "psyne_data_snapshots_total{service=\"nearest\"} 5\n");
    has(text, "psyne_data_snapshot_timestamp_seconds{service=\"far\"} 1700000000.5\n");
    has(text, "psyne_resident_rows{service=\"nearest\",resident=\"words\",shard=\"3\"} 6\n");
    has(text, "psyne_ring_fill{service=\"nearest\",ring=\"client 0 requests\"} 10\n");
    has(text, "psyne_ring_slots{service=\"nearest\",ring=\"client 0 requests\"} 1024\n");
    has(text, "psyne_supervisor_restarts_total{service=\"evil \\\"name\\\" \\\\ here\"} 0\n");
    has(text, "psyne_pipeline_slowest_seconds{service=\"nearest\",pipeline=\"words/all\"} 1.0\n");
    has(text, "psyne_latency_seconds_bucket{service=\"nearest\",pipeline=\"words/all\",le=\"0.000000256\"} 5\n");
    has(text, "psyne_latency_seconds_bucket{service=\"nearest\",pipeline=\"words/all\",le=\"68.719476736\"} 117\n");
    has(text, "psyne_latency_seconds_bucket{service=\"nearest\",pipeline=\"words/all\",le=\"+Inf\"} 126\n");
    has(text, "psyne_latency_seconds_sum{service=\"nearest\",pipeline=\"words/all\"} 1.23456789\n");
    has(text, "psyne_latency_seconds_count{service=\"nearest\",pipeline=\"words/all\"} 126\n");
    has(text, "psyne_batch_requests_bucket{service=\"nearest\",shard=\"3\",le=\"4.0\"} 0\n");
    has(text, "psyne_batch_requests_bucket{service=\"nearest\",shard=\"3\",le=\"8.0\"} 10\n");
    has(text, "psyne_batch_requests_sum{service=\"nearest\",shard=\"3\"} 50\n");
    has(text, "psyne_build_info{version=\"1.2\"} 1\n");
    has(open, "# TYPE psyne_requests counter\npsyne_requests_total{service=\"nearest\"} 12\n");
    has(open, "# TYPE psyne_latency_seconds histogram\n# UNIT psyne_latency_seconds seconds\n");
    has(open, "# TYPE psyne_build info\npsyne_build_info{");
    cr_assert_str_eq(open + strlen(open) - 6, "# EOF\n");
    cr_assert_null(strstr(text, "# UNIT"));
    cr_assert_null(strstr(text, "# EOF"));
    free(text);
    free(open);
    psy_counters_destroy(c);
    close_books(&b);
}

/* Every family once, with names that are allowed; each counter of the table is in one of them, but for what is part of another.
 */
Test(metrics, families)
{
    psy__family f, g;
    uint32_t n = 0;
    for (; psy__family_at(n, &f); n++) {
        cr_assert_eq(strncmp(f.name, "psyne_", 6), 0);
        cr_assert_eq(strspn(f.name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(f.name), "%s", f.name);
        cr_assert(*f.help && !strchr(f.help, '\n') && !strchr(f.help, '\\'), "%s", f.name);
        for (uint32_t k = 0; k < n; k++) {
            cr_assert(psy__family_at(k, &g) && strcmp(f.name, g.name) != 0, "%s twice", f.name);
        }
        const size_t unit = strlen(f.unit), length = strlen(f.name);
        cr_assert(!unit || strcmp(f.name + length - unit, f.unit) == 0, "%s ends in its unit", f.name);
    }
    cr_assert_gt(n, 40u);
}

/* What JSON and metrics say of labels that want out. */
Test(metrics, data)
{
    books b = open_books();
    psy_counters *c = make_counters(scratch_name(&b.folder, "a.counters").text, 4);
    (void)make_thing(c, PSY_COUNTERS_OF_SERVICE, "</script>\"\\", 2, 0);
    look(&b, 1);
    char *text;
    size_t bytes;
    FILE *to = open_memstream(&text, &bytes);
    psy__data_write(b.ledger, "1", to);
    cr_assert_eq(fclose(to), 0);
    cr_assert_not_null(strstr(text, "\"service\":\"\\u003c/script>\\\"\\\\\""), "%s", text);
    free(text);
    psy_counters_destroy(c);
    close_books(&b);
}

/* ---- addresses ---- */

Test(listening, addresses)
{
    static const struct {
        const char *text;
        psy_status status;
        const char *says;
    } cases[] = {
        {"127.0.0.1", PSY_INVALID, "a port from 0 to 65535"},
        {"", PSY_INVALID, "a port from 0 to 65535"},
        {"127.0.0.1:", PSY_INVALID, "a port from 0 to 65535"},
        {"127.0.0.1:65536", PSY_INVALID, "a port from 0 to 65535"},
        {"127.0.0.1:99999999999999999999", PSY_INVALID, "a port from 0 to 65535"},
        {"127.0.0.1:http", PSY_INVALID, "a port from 0 to 65535"},
        {"127.0.0.1:80x", PSY_INVALID, "a port from 0 to 65535"},
        {"::1:9464", PSY_INVALID, "in brackets"},
        {"192.0.2.1:0", PSY_IO, "no such address"},
    };
    char where[128];
    int fd, other;
    const unsigned before = open_files();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(psy__listen(cases[i].text, &fd, where, sizeof where), cases[i].status, cases[i].says);
    }
    static const char *const good[] = {"127.0.0.1:0", ":0", "0"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert_eq(psy__listen(good[i], &fd, where, sizeof where), PSY_OK, "%s: %s", good[i], psy_detail());
        cr_assert_not_null(strchr(where, ':'));
        expect(psy__listen(where, &other, where, sizeof where), PSY_IO, "is in use");
        close(fd);
    }
    cr_assert_eq(open_files(), before);
}
