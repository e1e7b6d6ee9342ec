/* SPDX-License-Identifier: Apache-2.0 */
/* How figures are made and written, with contestants whose times are given. */
#include "tests/test.h"

#include <unistd.h>

#include "tests/perf/bench.h"

/* Medians 5 ms and 20 ms; runs of both are noted in turn. */
static const double quick[BENCH_RUNS] = {0.009, 0.005, 0.001, 0.005, 0.002, 0.007, 0.100, 0.003, 0.006};
static char turns[4 * BENCH_RUNS + 1];
static size_t turn_count, quick_count;

static double run_quick(void *unused, uint64_t amount)
{
    (void)unused;
    turns[turn_count++] = 'q';
    return quick[quick_count++ % BENCH_RUNS] * (double)amount;
}

static double run_slow(void *unused, uint64_t amount)
{
    (void)unused;
    turns[turn_count++] = 's';
    return 0.020 * (double)amount;
}

static double run_never(void *unused, uint64_t amount)
{
    (void)unused, (void)amount;
    return -1;
}

static char path[600];

/* What is written for a figure: its lines. */
static const char *written(const bench_figure *figure, const char *only)
{
    static char text[2000];
    const char *temporary = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/psyne-test-bench-XXXXXX", temporary ? temporary : "/tmp");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    char option[700];
    snprintf(option, sizeof option, "--json=%s", path);
    char *arguments[] = {"test", option, (char *)(uintptr_t)only, NULL};
    memset(turns, 0, sizeof turns);
    turn_count = quick_count = 0;
    bench_begin(only ? 3 : 2, arguments, "test");
    bench_measure(figure);
    cr_assert_eq(bench_end(), 0);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    unlink(path);
    return text;
}

/* Whether the line begins so, and ends with a distance that is no less than nothing, and the runs. */
static bool is_line(const char **text, const char *expected)
{
    double distance = -1;
    int runs = 0, length = 0;
    if (strncmp(*text, expected, strlen(expected)) != 0) {
        return false;
    }
    *text += strlen(expected);
    if (sscanf(*text, "\"core_distance_ns\": %lf, \"runs\": %d}%n", &distance, &runs, &length) != 2 || length == 0 ||
        (*text)[length] != '\n') {
        return false;
    }
    *text += length + 1;
    return distance >= 0 && runs == BENCH_RUNS;
}

static void expect_line(const char **text, const char *fields)
{
    const char *at = *text;
    cr_assert(is_line(text, fields), "%s is not in %s", fields, at);
}

static bench_figure against(const char *name, bench_run *peer, const bench_unit *unit, bench_run *subject)
{
    return (bench_figure){.name = "a/b", .unit = unit, .step = 1, .subject = {"psyne", subject}, .peers = {{name, peer, NULL}}};
}

Test(bench, medians_and_a_ratio_where_less_is_better)
{
    bench_figure f = against("slow", run_slow, &bench_milliseconds, run_quick);
    const char *text = written(&f, NULL);
    expect_line(&text,
                "{\"name\": \"a/b\", \"value\": 5, \"unit\": \"ms\", \"peer\": \"slow\", \"peer_value\": 20, \"ratio\": 4, ");
    cr_assert_str_eq(text, "");
}

Test(bench, a_ratio_where_more_is_better)
{
    bench_figure f = against("quick", run_quick, &bench_per_second, run_slow);
    const char *text = written(&f, NULL);
    expect_line(
        &text,
        "{\"name\": \"a/b\", \"value\": 50, \"unit\": \"/s\", \"peer\": \"quick\", \"peer_value\": 200, \"ratio\": 0.25, ");
    cr_assert_str_eq(text, "");
}

Test(bench, contestants_take_turns)
{
    bench_figure f = against("slow", run_slow, &bench_milliseconds, run_quick);
    char expected[2 * BENCH_RUNS + 1] = "";
    for (int i = 0; i < BENCH_RUNS; i++) {
        memcpy(expected + 2 * i, "qs", 3);
    }
    written(&f, NULL);
    cr_assert_str_eq(turns, expected);
}

Test(bench, fewer_runs_where_asked_for)
{
    bench_figure f = against("slow", run_slow, &bench_milliseconds, run_quick);
    const char *text = written(&f, "--runs=3");
    cr_assert_str_eq(turns, "qsqsqs");
    cr_assert_not_null(strstr(text, ", \"runs\": 3}\n"));
    written(&f, NULL);
    cr_assert_eq(strlen(turns), 2 * BENCH_RUNS);
}

Test(bench, a_missing_peer_is_named)
{
    bench_figure f = against("absent", NULL, &bench_milliseconds, run_slow);
    f.peers[0].missing = "libabsent-dev";
    f.peers[1] = (bench_contestant){"unable", run_never, NULL};
    f.peers[2] = (bench_contestant){"slow", run_slow, NULL};
    const char *text = written(&f, NULL);
    expect_line(
        &text,
        "{\"name\": \"a/b\", \"value\": 20, \"unit\": \"ms\", \"peer\": \"absent\", \"peer_value\": null, \"ratio\": null, ");
    expect_line(
        &text,
        "{\"name\": \"a/b\", \"value\": 20, \"unit\": \"ms\", \"peer\": \"unable\", \"peer_value\": null, \"ratio\": null, ");
    expect_line(&text,
                "{\"name\": \"a/b\", \"value\": 20, \"unit\": \"ms\", \"peer\": \"slow\", \"peer_value\": 20, \"ratio\": 1, ");
    cr_assert_str_eq(text, "");
}

Test(bench, a_figure_without_peers)
{
    bench_figure f = against(NULL, NULL, &bench_microseconds, run_slow);
    const char *text = written(&f, NULL);
    expect_line(
        &text,
        "{\"name\": \"a/b\", \"value\": 20000, \"unit\": \"us\", \"peer\": null, \"peer_value\": null, \"ratio\": null, ");
    cr_assert_str_eq(text, "");
}

Test(bench, what_cannot_run_or_is_not_wanted_writes_nothing)
{
    bench_figure f = against("slow", run_slow, &bench_milliseconds, run_never);
    cr_assert_str_eq(written(&f, NULL), "");
    f.subject.run = run_slow;
    cr_assert_str_eq(written(&f, "a/c"), "");
    cr_assert_neq(strcmp(written(&f, "a/"), ""), 0);
}

static uint64_t least_amount, last_amount;

static double run_steady(void *unused, uint64_t amount)
{
    (void)unused;
    least_amount = least_amount && least_amount < amount ? least_amount : amount;
    last_amount = amount;
    return (double)amount * 1e-6;
}

Test(bench, amounts_are_chosen_by_time)
{
    bench_figure f = against(NULL, NULL, &bench_millions, run_steady);
    f.step = 30;
    f.seconds = 0.01;
    const char *text = written(&f, NULL);
    expect_line(&text,
                "{\"name\": \"a/b\", \"value\": 1, \"unit\": \"M/s\", \"peer\": null, \"peer_value\": null, \"ratio\": null, ");
    cr_assert_eq(least_amount, 30);
    cr_assert_eq(last_amount % 30, 0);
    cr_assert(last_amount > 9900 && last_amount <= 10000);
}

Test(bench, medians)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 2, 3}, one[] = {7};
    cr_assert(bench_median(odd, 3) == 2);
    cr_assert(bench_median(even, 4) == 2.5);
    cr_assert(bench_median(one, 1) == 7);
}
