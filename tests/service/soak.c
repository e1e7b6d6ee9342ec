/* SPDX-License-Identifier: Apache-2.0 */
/* A service under mixed load while its processes are killed, stopped and restarted at random: every request is answered once or
 * fails to its caller, none is lost, none answered twice, nothing is left, memory is flat.
 *
 *   soak [seconds [seed [ms]]]   0 seconds: every fault once, in an order that the seed says; otherwise one every `ms` (1000)
 * to three times as many
 *
 * This process only supervises. doc/soak.md says what is asked of whom. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/soak_data.h"
#include "tests/service/soak_processes.h"

/* What dies does so at its first error, and keeps little of what it has freed: memory is looked at. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "quarantine_size_mb=1:detect_leaks=1"; }
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "halt_on_error=1:print_stacktrace=1"; }

volatile sig_atomic_t soak_ended;

static void finish(int number)
{
    (void)number;
    soak_ended = 1;
}

/* ---- faults ---- */

static void swap(void)
{
    soak_process *broker = &soak.processes[0];
    if (broker->pid) {
        soak_tell("new program for", broker);
        kill(broker->pid, SIGUSR1);
    }
}

static soak_process *any_of(soak_role role)
{
    uint32_t first = role == BROKER ? 0 : role == WORKER ? 1 : 1 + SOAK_SHARDS;
    uint32_t n = role == BROKER ? 1 : role == WORKER ? SOAK_SHARDS : soak_kind_count;
    return &soak.processes[first + soak_chance(0, n - 1)];
}

/* Brokers, and the workers of shard 0, live so long in the second half that growth would show. */
static bool is_spared(const soak_process *p)
{
    bool looked_at = p->role == BROKER || (p->role == WORKER && p->index == 0);
    return looked_at && psy__now_ns() > soak.half_ns && psy__now_ns() < p->born_ns + soak.life_ns;
}

static void any_fault(void)
{
    uint64_t dice = soak_chance(0, 99);
    soak_role role = dice < 55 ? CLIENT : dice < 75 ? WORKER : BROKER;
    if (dice >= 92) {
        swap();
    } else if (dice >= 84) {
        soak_stop(any_of(dice < 87 ? CLIENT : dice < 90 ? WORKER : BROKER));
    } else {
        soak_process *p = any_of(role);
        if (is_spared(p)) {
            p = any_of(CLIENT);
        }
        soak_kill(p);
    }
}

/* Until another program is served: a broker that had just begun has not heard. */
static void change_program(void)
{
    uint64_t swapped = soak.shared->swapped, end = psy__now_ns() + 60 * second_ns;
    while (soak.shared->swapped == swapped) {
        if (psy__now_ns() > end) {
            soak_complain(soak.shared, "no other program is served");
            return;
        }
        swap();
        for (int i = 0; i < 50 && soak.shared->swapped == swapped; i++) {
            soak_rest(10 * ms_ns);
        }
    }
}

static void run_for(uint64_t seconds)
{
    soak.end_ns = soak.began_ns + seconds * second_ns;
    soak.half_ns = soak.began_ns + seconds * second_ns / 2;
    soak.life_ns = seconds >= 300 ? 40 * second_ns : seconds * second_ns / 8;
    uint64_t was = 0, moved_ns = soak.began_ns;
    change_program(); /* once in any case */
    while (psy__now_ns() < soak.end_ns && !soak_ended && soak.shared->complaints < 20) {
        soak_rest(soak_chance(soak.every_ms, 3 * soak.every_ms) * ms_ns);
        any_fault();
        uint64_t ok = soak_answered(), now = psy__now_ns();
        if (ok != was) {
            was = ok;
            moved_ns = now;
        } else if (now > moved_ns + 30 * second_ns) {
            soak_complain(soak.shared, "the service has not answered for 30 s");
            moved_ns = now;
        }
        if (now > soak.said_ns + 60 * second_ns) {
            soak.said_ns = now;
            printf("soak: %4.0f s, %" PRIu64 " answered, %" PRIu64 " wrong\n", (double)(now - soak.began_ns) / 1e9, ok,
                   (uint64_t)soak.shared->complaints);
            fflush(stdout);
        }
    }
}

/* How often clients have changed the data. */
static uint64_t edits(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        n += soak.shared->accounts[i].edits;
    }
    return n;
}

static bool has_crossed(void)
{
    uint64_t ok = 0, told = 0;
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        ok += soak.shared->accounts[i].crossed_ok;
        told += soak.shared->accounts[i].crossed_told;
    }
    return ok && told;
}

/* Every fault once; the service answers again after each. */
static void run_once(void)
{
    enum { CARDS_MAX = SOAK_PROCESSES_MAX + 8, EDITS_LEAST = 24 };
    struct {
        bool stop, swap;
        soak_process *whom;
    } cards[CARDS_MAX], one;
    uint32_t n = 0;
    for (uint32_t i = 0; i < soak.count; i++) {
        cards[n].stop = cards[n].swap = false;
        cards[n++].whom = &soak.processes[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        cards[n].stop = true;
        cards[n].swap = false;
        cards[n++].whom = any_of((soak_role)i);
    }
    cards[n].stop = false;
    cards[n].whom = NULL;
    cards[n++].swap = true;
    for (uint32_t i = n; i-- > 1;) {
        uint32_t other = (uint32_t)soak_chance(0, i);
        one = cards[i];
        cards[i] = cards[other];
        cards[other] = one;
    }
    for (uint32_t i = 0; i < n && !soak.shared->complaints && !soak_ended; i++) {
        soak_await_all();
        uint64_t was = soak_services();
        if (cards[i].swap) {
            change_program();
        } else if (cards[i].stop) {
            soak_stop(cards[i].whom);
        } else {
            const soak_process *p = cards[i].whom;
            soak_kill(cards[i].whom);
            soak_await_services(was + (p->role == BROKER ? SOAK_SHARDS : p->role == WORKER));
        }
        soak_await_answers(20, 60);
        soak_rest(soak_chance(0, 60) * ms_ns);
    }
    uint64_t end = psy__now_ns() + 60 * second_ns;
    while (!has_crossed() && !soak.shared->complaints &&
           !soak_ended) { /* calls were out when a broker was killed: of both kinds */
        if (psy__now_ns() > end) {
            soak_complain(soak.shared, "no call outlived its broker");
            break;
        }
        soak_kill(&soak.processes[0]);
        soak_rest(200 * ms_ns);
        soak_await_answers(20, 60);
    }
    for (end = psy__now_ns() + 60 * second_ns; edits() < EDITS_LEAST && !soak.shared->complaints && !soak_ended;) {
        if (psy__now_ns() > end) {
            soak_complain(soak.shared, "the data is not changed any more");
        }
        soak_rest(10 * ms_ns);
    }
}

/* ---- begin and end ---- */

static void begin(void)
{
    soak_add(BROKER, 0);
    for (uint32_t i = 0; i < SOAK_SHARDS; i++) {
        soak_add(WORKER, i);
    }
    if (soak_await_services(SOAK_SHARDS)) {
        for (int tries = 0; !soak.shared->ready && tries < 6000; tries++) { /* it holds what came with READY from then on */
            usleep(10000);
        }
        for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
            soak_look_at_first(&soak.processes[i]);
        }
    }
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        soak_add(CLIENT, i);
    }
}

static uint32_t shared_memory(void)
{
    uint32_t n = 0;
    DIR *d = opendir("/dev/shm");
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        n += strstr(e->d_name, "psyne") != NULL;
    }
    if (d) {
        closedir(d);
    }
    return n;
}

static void end(uint32_t in_shared_memory)
{
    /* All are there once more. */
    soak_rest(1000 * ms_ns);
    soak_await_all();
    soak_await_answers(100, 60);
    for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
        soak_judge(&soak.processes[i]);
    }
    soak.ending = true;
    soak_dismiss(CLIENT);
    soak_check_holdings();
    soak_dismiss(WORKER);
    soak_dismiss(BROKER);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
        soak_complain(soak.shared, "there are processes left");
    }
    if (rmdir(soak.folder) != 0) {
        soak_complain(soak.shared, "%s: %s", soak.folder, strerror(errno));
    }
    for (int tries = 0; tries < 500 && shared_memory() > in_shared_memory; tries++) {
        usleep(10000);
    }
    if (shared_memory() > in_shared_memory) {
        soak_complain(soak.shared, "there is something left in /dev/shm");
    }
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 600,
             seed = (argc > 2) ? strtoull(argv[2], NULL, 10) : (uint64_t)(uint32_t)getpid();
    const char *base = getenv("TMPDIR");
    size_t bytes = sizeof *soak.shared + soak_kind_count * sizeof soak.shared->accounts[0];
    soak.shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!base || strlen(base) > 60) { /* addresses are short */
        base = "/tmp";
    }
    snprintf(soak.folder, sizeof soak.folder, "%s/soak-XXXXXX", base);
    if (soak.shared == MAP_FAILED || !mkdtemp(soak.folder) || 1 + SOAK_SHARDS + soak_kind_count > SOAK_PROCESSES_MAX) {
        fprintf(stderr, "soak: %s: %s\n", soak.folder, strerror(errno));
        return 1;
    }
    snprintf(soak.uri, sizeof soak.uri, "ipc://%s/service", soak.folder);
    printf("soak: seed %" PRIu64 "\n", seed);
    signal(SIGUSR1, SIG_IGN); /* brokers hear it */
    signal(SIGTERM, finish);
    signal(SIGINT, finish);
    uint32_t in_shared_memory = shared_memory();
    soak_data_init();
    soak.seed = seed;
    soak.lasting = seconds != 0;
    soak.every_ms = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    soak.began_ns = soak.said_ns = psy__now_ns();
    soak.half_ns = UINT64_MAX;
    begin();
    soak_await_answers(100, 60);
    if (soak.lasting) {
        run_for(seconds);
    } else {
        run_once();
    }
    soak_ended = 0; /* who comes now is not to end at once */
    end(in_shared_memory);
    soak.done.ns = psy__now_ns() - soak.began_ns;
    return soak_report(soak.shared, &soak.done, seconds, seed);
}
