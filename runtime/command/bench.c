/* SPDX-License-Identifier: Apache-2.0 */
/* psyne bench: load on a service, and how long its replies take. */
#define _GNU_SOURCE
#include <psyne/json.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/bench_report.h"
#include "command/exchange.h"

enum { RATES_MAX = 64, IN_FLIGHT_MAX = 65536, CONNECT_MS = 10000 };

typedef struct bench {
    psy__load_plan plan;
    psy_module *module;
    const char *module_path, *requests_path, *expected_path, *plot_path;
    const char *sets[PSY_SETTINGS_MAX]; /* --set, until the type is known */
    unsigned set_count;
    psy__requests requests, expected;
    psy__settings settings;
    double rates[RATES_MAX]; /* 0: closed loop */
    uint32_t rate_count, random;
    bool json, histogram, quiet, print;
    char *uri;
} bench;

/* ---- values ---- */

/* "10000", "10k", "1.5M": the characters behind it go to *end. */
static double rate_of(const char *text, const char **end)
{
    char *after;
    double rate = strtod(text, &after);
    if (*after == 'k' || *after == 'M') {
        rate *= *after == 'k' ? 1e3 : 1e6;
        after++;
    }
    *end = after;
    return rate;
}

static void add_rates(bench *b, const char *spelling, const char *value)
{
    const char *at = value, *end;
    for (;; at = end + 1) {
        const double rate = rate_of(at, &end);
        const bool more = *end == ',';
        if (end == at || (*end && !more) || !(rate > 0 && rate <= 1e9)) {
            psy__misuse("`--rate=10000`, `--rates=1k,10k,100k`", "%s takes requests a second, up to 1e9, and not `%s`",
                        spelling, value);
        }
        if (b->rate_count == RATES_MAX) {
            psy__misuse(NULL, "at most %d rates are tried", RATES_MAX);
        }
        b->rates[b->rate_count++] = rate;
        if (!more) {
            return;
        }
    }
}

static uint64_t seconds_of(const char *spelling, const char *value)
{
    char *end;
    const double seconds = strtod(value, &end);
    if (end == value || *end || !(seconds >= 0 && seconds <= 86400)) {
        psy__misuse(NULL, "%s takes seconds, from 0 to 86400, and not `%s`", spelling, value);
    }
    return (uint64_t)(seconds * 1e9 + 0.5);
}

static uint32_t count_of(const char *spelling, const char *value, unsigned most)
{
    const unsigned n = psy__number_of(spelling, value, most);
    if (n == 0) {
        psy__misuse(NULL, "%s is at least 1", spelling);
    }
    return n;
}

static psy__arrivals arrivals_of(const char *value)
{
    if (strcmp(value, "even") != 0 && strcmp(value, "random") != 0) {
        psy__misuse(NULL, "--arrivals is even or random, and not `%s`", value);
    }
    return strcmp(value, "random") == 0 ? PSY_ARRIVALS_RANDOM : PSY_ARRIVALS_EVEN;
}

static void add_set(bench *b, const char *value)
{
    if (b->set_count == PSY_SETTINGS_MAX) {
        psy__misuse(NULL, "at most %d fields are set", PSY_SETTINGS_MAX);
    }
    b->sets[b->set_count++] = value;
}

/* A path is an address too. */
static void set_address(bench *b, const char *address)
{
    if (asprintf(&b->uri, "%s%s", strstr(address, "://") ? "" : "ipc://", address) < 0) {
        psy__no_memory();
    }
    b->plan.uri = b->uri;
}

static void take_word(bench *b, const char *word)
{
    if (!b->uri) {
        set_address(b, word);
    } else if (!b->plan.pipeline) {
        b->plan.pipeline = word;
    } else {
        psy__misuse("an address and a pipeline: `psyne bench /run/nearest.sock nearest`", "what is `%s` for?", word);
    }
}

static bool read_line(bench *b, int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_BENCH, .argc = argc, .argv = argv, .at = 1};
    psy__load_plan *p = &b->plan;
    const char *value;
    bool timed = false, warm = false;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_BENCH_MODULE: b->module_path = value; break;
        case PSY_OPTION_BENCH_RATE: add_rates(b, "--rate", value); break;
        case PSY_OPTION_BENCH_ARRIVALS: p->arrivals = arrivals_of(value); break;
        case PSY_OPTION_BENCH_IN_FLIGHT: p->in_flight = count_of("--in-flight", value, IN_FLIGHT_MAX); break;
        case PSY_OPTION_BENCH_CLIENTS: p->clients = count_of("--clients", value, PSY_LOAD_CLIENTS_MAX); break;
        case PSY_OPTION_BENCH_BATCH: p->batch = count_of("--batch", value, IN_FLIGHT_MAX); break;
        case PSY_OPTION_BENCH_SECONDS:
            p->run_ns = seconds_of("--seconds", value);
            timed = true;
            break;
        case PSY_OPTION_BENCH_WARMUP:
            p->warmup_ns = seconds_of("--warmup", value);
            warm = true;
            break;
        case PSY_OPTION_BENCH_COUNT: p->count = count_of("--count", value, UINT32_MAX); break;
        case PSY_OPTION_BENCH_TIMEOUT: p->timeout_ms = count_of("--timeout-ms", value, UINT16_MAX); break;
        case PSY_OPTION_BENCH_REQUESTS: b->requests_path = value; break;
        case PSY_OPTION_BENCH_RANDOM: b->random = count_of("--random", value, 10000000); break;
        case PSY_OPTION_BENCH_SEED: p->seed = psy__number_of("--seed", value, UINT32_MAX); break;
        case PSY_OPTION_BENCH_SET: add_set(b, value); break;
        case PSY_OPTION_BENCH_PRINT: b->print = true; break;
        case PSY_OPTION_BENCH_CHECK: b->expected_path = value; break;
        case PSY_OPTION_BENCH_SAME: p->same = true; break;
        case PSY_OPTION_BENCH_SPIN: p->spin = true; break;
        case PSY_OPTION_BENCH_PLOT: b->plot_path = value; break;
        case PSY_OPTION_BENCH_HISTOGRAM: b->histogram = true; break;
        case PSY_OPTION_BENCH_JSON: b->json = true; break;
        case PSY_OPTION_BENCH_QUIET: b->quiet = true; break;
        case PSY_OPTION_BENCH_HELP: psy__help_write(PSY_COMMAND_BENCH, stdout); return false;
        default: take_word(b, value); break;
        }
    }
    if (p->count > 0) {
        p->run_ns = timed ? p->run_ns : UINT64_C(86400000000000);
        p->warmup_ns = warm ? p->warmup_ns : 0;
    }
    return true;
}

static void check_line(const bench *b)
{
    static const char example[] = "`psyne bench /run/nearest.sock nearest`";
    if (!b->plan.pipeline) {
        psy__misuse(example, b->uri ? "which pipeline?" : "which service, and which pipeline of it?");
    }
    if (b->plan.batch > b->plan.in_flight) {
        psy__misuse(NULL, "a group of %" PRIu32 " is never sent where at most %" PRIu32 " are in flight", b->plan.batch,
                    b->plan.in_flight);
    }
    if (b->requests_path && b->set_count > 0) {
        psy__misuse(NULL, "--set is for requests that are made, and --requests reads them");
    }
    if (b->expected_path && !b->requests_path) {
        psy__misuse(NULL, "--check needs --requests: a reply for each of them");
    }
    if (b->plan.run_ns == 0) {
        psy__misuse(NULL, "--seconds is above 0");
    }
}

/* ---- requests ---- */

static int open_requests(bench *b)
{
    psy__load_plan *p = &b->plan;
    psy_status status = psy__pipeline_module(b->module_path, p->uri, p->pipeline, CONNECT_MS, &b->module);
    if (status != PSY_OK) {
        return psy__complain(b->module_path || strstr(psy_detail(), p->uri) ? NULL : p->uri, status);
    }
    status = psy__pipeline_types(b->module, p->pipeline, &p->request, &p->reply);
    if (status != PSY_OK) {
        return psy__complain(b->module_path, status);
    }
    for (unsigned i = 0; i < b->set_count; i++) {
        psy__settings_add(&b->settings, &p->request, b->sets[i]);
    }
    int failed = b->requests_path ? psy__requests_read(&b->requests, &p->request, b->requests_path)
                                  : psy__requests_make(&b->requests, &p->request, &b->settings, p->seed, b->random);
    p->requests = &b->requests;
    if (failed == 0 && b->expected_path) {
        failed = psy__requests_read(&b->expected, &p->reply, b->expected_path);
        p->expected = &b->expected;
        if (failed == 0 && b->expected.count != b->requests.count) {
            fprintf(stderr, "psyne: %s: %" PRIu32 " replies for %" PRIu32 " requests\n", psy__file_name(b->expected_path),
                    b->expected.count, b->requests.count);
            failed = 1;
        }
    }
    return failed;
}

static int print_requests(const psy__requests *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        const psy_status status = psy_message_print_file(&q->type, psy__requests_at(q, i), q->type.bytes, 0, stdout);
        if (status != PSY_OK) {
            return psy__complain(NULL, status);
        }
        putchar('\n');
    }
    return 0;
}

/* ---- runs ---- */

static int run_all(bench *b, psy__bench_run *runs)
{
    int status = 0;
    uint32_t n = 0;
    for (; n < b->rate_count && status == 0; n++) {
        runs[n].rate = b->plan.rate = b->rates[n];
        runs[n].result = psy__load_run(&b->plan, "bench", b->quiet, &status);
        if (!runs[n].result || runs[n].result->stopped) {
            n += runs[n].result != NULL;
            break;
        }
    }
    bool failed = status != 0;
    for (uint32_t i = 0; i < n; i++) {
        failed = failed || psy__load_failed(runs[i].result);
    }
    if (n > 0 && b->json) {
        psy__bench_write_json(&b->plan, runs, n, stdout);
    } else if (n > 0) {
        psy__bench_write_table(&b->plan, runs, n, b->histogram, stdout);
    }
    const psy_status drawn = n > 0 && b->plot_path ? psy__bench_plot(&b->plan, runs, n, b->plot_path) : PSY_OK;
    if (drawn != PSY_OK) {
        failed = true;
        status = psy__complain(NULL, drawn);
    }
    return status ? status : failed;
}

int psy__bench(int argc, char **argv)
{
    bench b = {.plan = {.clients = 1,
                        .in_flight = 256,
                        .batch = 1,
                        .timeout_ms = 10000,
                        .warmup_ns = UINT64_C(1000000000),
                        .run_ns = UINT64_C(10000000000),
                        .seed = 1},
               .random = 1024};
    psy__bench_run runs[RATES_MAX] = {0};
    if (!read_line(&b, argc, argv)) {
        return 0;
    }
    check_line(&b);
    b.rate_count += b.rate_count == 0; /* closed loop */
    int status = open_requests(&b);
    if (status == 0) {
        status = b.print ? print_requests(&b.requests) : run_all(&b, runs);
    }
    for (uint32_t i = 0; i < RATES_MAX; i++) {
        free(runs[i].result);
    }
    psy__requests_end(&b.requests);
    psy__requests_end(&b.expected);
    psy_module_close(b.module);
    free(b.uri);
    return status;
}
