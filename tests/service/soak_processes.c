/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/soak_processes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

soak_supervisor soak;

void soak_complain(soak_shared *shared, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (shared->complaints++ >= 20) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "soak: WRONG: %s\n", text);
}

uint64_t soak_random(uint64_t *seed)
{
    uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t soak_chance(uint64_t from, uint64_t to) { return from + soak_random(&soak.seed) % (to - from + 1); }

void soak_tell(const char *what, const soak_process *p)
{
    if (getenv("SOAK_VERBOSE")) {
        fprintf(stderr, "soak: %7.2f s: %s %s %u\n", (double)(psy__now_ns() - soak.began_ns) / 1e9, what,
                soak_role_names[p->role], p->index);
    }
}

/* What a process holds, without the edits that a broker keeps. */
static bool holding_of(const soak_process *p, soak_holding *out)
{
    bool there = soak_holding_of(p->pid, out);
    out->files -= there && p->role == BROKER ? soak.shared->kept : 0;
    return there;
}

/* ---- processes ---- */

static void start(soak_process *p)
{
    pid_t parent = getpid();
    uint64_t seed = soak_random(&soak.seed);
    p->killed = false;
    p->stopped_ns = 0;
    p->born_ns = psy__now_ns();
    p->life.looks = 0;
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        signal(SIGINT, SIG_IGN); /* from a terminal it comes to all: who supervises ends the others */
        soak_shared *shared = soak.shared;
        exit(p->role == BROKER   ? soak_broker(shared, soak.uri)
             : p->role == WORKER ? soak_worker(shared, soak.uri, p->index)
                                 : soak_client(shared, soak.uri, p->index, seed));
    }
    if (p->pid < 0) {
        soak_complain(soak.shared, "no process: %s", strerror(errno));
        p->pid = 0;
    }
}

soak_process *soak_add(soak_role role, uint32_t index)
{
    soak_process *p = &soak.processes[soak.count++];
    p->role = role;
    p->index = index;
    start(p);
    return p;
}

void soak_judge(soak_process *p)
{
    int64_t pss, files, slabs;
    uint64_t was;
    if (p->role == CLIENT || !soak_life_growth(&p->life, &pss, &files, &slabs, &was)) {
        return;
    }
    soak_grown *g = &soak.done.grown[p->role];
    if (pss > g->pss_bytes || g->lives == 0) {
        g->pss_bytes = pss;
        g->of_bytes = was;
    }
    g->files = files > g->files ? files : g->files;
    g->slabs = slabs > g->slabs ? slabs : g->slabs;
    g->lives++;
    if (pss > (int64_t)(was / 10 + (1 << 20)) || files > 4 || slabs > 4) {
        soak_complain(soak.shared,
                      "%s %u has grown within %u s: %" PRId64 " bytes more than %" PRIu64 ", %" PRId64 " descriptors, %" PRId64
                      " slabs",
                      soak_role_names[p->role], p->index, p->life.looks, pss, was, files, slabs);
    }
    p->life.looks = 0;
}

/* A client is dead: what it had out will not come back. */
static void close_account(const soak_process *p)
{
    soak_account *a = &soak.shared->accounts[p->index];
    uint64_t ended = a->abandoned + a->lost;
    for (int i = 0; i < SOAK_STATUSES; i++) {
        ended += a->ended[i];
    }
    a->abandoned += a->sent - ended;
}

static void reap(soak_process *p, int status)
{
    bool fine = p->killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                          : soak.ending && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!fine) {
        soak_complain(soak.shared, "%s %u ended by itself: %s %d", soak_role_names[p->role], p->index,
                      WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    if (p->role == CLIENT && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        close_account(p);
    }
    p->pid = 0;
    p->born_ns = psy__now_ns() + soak_chance(0, soak.lasting ? soak.every_ms / 2 : 30) * ms_ns;
}

/* Waits for who has ended, starts who is due, lets go on who was stopped long enough, looks at memory. */
static void tend(void)
{
    uint64_t now = psy__now_ns();
    int status;
    for (uint32_t i = 0; i < soak.count; i++) {
        soak_process *p = &soak.processes[i];
        if (p->pid && waitpid(p->pid, &status, WNOHANG) == p->pid) {
            reap(p, status);
        }
        if (p->pid == 0 && !soak.ending && now >= p->born_ns) {
            start(p);
        }
        if (p->pid && p->stopped_ns && now >= p->stopped_ns) {
            kill(p->pid, SIGCONT);
            p->stopped_ns = 0;
        }
    }
    if (soak.lasting && now >= soak.half_ns && now >= soak.look_ns) {
        soak.look_ns = now + second_ns;
        for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
            soak_process *p = &soak.processes[i];
            if (p->pid && now > p->born_ns + 3 * second_ns && p->life.looks < SOAK_LOOKS &&
                holding_of(p, &p->life.at[p->life.looks])) {
                p->life.looks++;
            }
        }
    }
}

void soak_rest(uint64_t ns)
{
    uint64_t until = psy__now_ns() + ns;
    do {
        tend();
        usleep(5000);
    } while (psy__now_ns() < until);
}

uint64_t soak_answered(void)
{
    uint64_t ok = 0;
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        ok += soak.shared->accounts[i].ended[PSY_OK];
    }
    return ok;
}

uint64_t soak_services(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < SOAK_SHARDS; i++) {
        n += soak.shared->services[i];
    }
    return n;
}

bool soak_await_answers(uint64_t more, uint64_t seconds)
{
    uint64_t was = soak_answered(), end = psy__now_ns() + seconds * second_ns;
    while (soak_answered() < was + more) {
        if (psy__now_ns() > end) {
            soak_complain(soak.shared, "the service does not answer any more");
            return false;
        }
        soak_rest(10 * ms_ns);
    }
    return true;
}

void soak_await_all(void)
{
    uint32_t missing = 1;
    for (uint64_t until = psy__now_ns() + 60 * second_ns; missing && psy__now_ns() < until;) {
        soak_rest(10 * ms_ns);
        missing = 0;
        for (uint32_t i = 0; i < soak.count; i++) {
            missing += soak.processes[i].pid == 0 || soak.processes[i].stopped_ns != 0;
        }
    }
    if (missing) {
        soak_complain(soak.shared, "%u processes are not there", missing);
    }
}

bool soak_await_services(uint64_t n)
{
    for (uint64_t end = psy__now_ns() + 60 * second_ns; soak_services() < n;) {
        if (psy__now_ns() > end) {
            soak_complain(soak.shared, "%llu times a worker was ready, not %llu", (unsigned long long)soak_services(),
                          (unsigned long long)n);
            return false;
        }
        soak_rest(5 * ms_ns);
    }
    return true;
}

/* ---- what is done to them ---- */

void soak_kill(soak_process *p)
{
    if (p->pid == 0) {
        return;
    }
    soak_judge(p);
    soak_tell("kill", p);
    soak.done.kills[p->role]++;
    p->killed = true;
    kill(p->pid, SIGKILL);
}

void soak_stop(soak_process *p)
{
    if (p->pid == 0 || p->stopped_ns) {
        return;
    }
    soak_tell("stop", p);
    soak.done.stops++;
    p->stopped_ns = psy__now_ns() + soak_chance(50, soak.lasting ? 1500 : 200) * ms_ns;
    if (p->role == WORKER) {
        soak.shared->hung_ns = p->stopped_ns + 3 * second_ns;
    }
    kill(p->pid, SIGSTOP);
}

void soak_dismiss(soak_role role)
{
    for (uint32_t i = 0; i < soak.count; i++) {
        if (soak.processes[i].role == role && soak.processes[i].pid) {
            kill(soak.processes[i].pid, SIGTERM);
        }
    }
    uint64_t end = psy__now_ns() + 90 * second_ns;
    for (uint32_t i = 0; i < soak.count; i++) {
        soak_process *p = &soak.processes[i];
        while (p->role == role && p->pid) {
            tend();
            usleep(2000);
            if (psy__now_ns() > end && p->pid) {
                soak_complain(soak.shared, "%s %u does not end: calls of it are unanswered", soak_role_names[p->role],
                              p->index);
                p->killed = true;
                kill(p->pid, SIGKILL);
                end += second_ns;
            }
        }
    }
}

/* ---- what they hold ---- */

/* What it holds once that has been the same for half a second: starting takes and gives. */
void soak_look_at_first(soak_process *p)
{
    soak_holding now;
    for (int same = 0, tries = 0; same < 25 && tries < 1000; tries++, usleep(20000)) {
        if (!holding_of(p, &now)) {
            soak_complain(soak.shared, "%s %u is gone", soak_role_names[p->role], p->index);
            return;
        }
        same = now.files == p->at_first.files && now.slabs == p->at_first.slabs ? same + 1 : 0;
        p->at_first = now;
    }
}

/* Without clients broker and workers hold what they held before there were any, however many came and were killed. */
void soak_check_holdings(void)
{
    for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
        soak_process *p = &soak.processes[i];
        soak_holding now = {0};
        bool same = false;
        for (int tries = 0; tries < 500 && !same; tries++, usleep(10000)) {
            same = p->pid && holding_of(p, &now) && now.files == p->at_first.files && now.slabs == p->at_first.slabs;
        }
        if (!same) {
            soak_complain(soak.shared, "%s %u holds %u descriptors and %u slabs without clients, %u and %u at first",
                          soak_role_names[p->role], p->index, now.files, now.slabs, p->at_first.files, p->at_first.slabs);
            soak_tell_files(p->pid);
        }
    }
}
