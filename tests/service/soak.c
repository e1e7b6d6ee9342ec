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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/soak.h"

/* What dies does so at its first error, and keeps little of what it has freed: memory is looked at. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "quarantine_size_mb=1:detect_leaks=1"; }
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "halt_on_error=1:print_stacktrace=1"; }

static const uint64_t ms_ns = 1000000, second_ns = 1000000000;
volatile sig_atomic_t soak_ended;

enum { PROCESSES_MAX = 1 + SOAK_SHARDS + 32 };

typedef struct process {
    soak_role role;
    uint32_t index;        /* shard, or kind of client */
    pid_t pid;             /* 0: it is not there */
    bool killed;           /* by us */
    uint64_t born_ns;      /* and when, while it is not there, it is to be born */
    uint64_t stopped_ns;   /* it goes on then; 0: it runs */
    soak_life life;        /* of brokers and workers in the second half */
    soak_holding at_first; /* without clients */
} process;

static struct {
    soak_shared *shared;
    process processes[PROCESSES_MAX];
    uint32_t count;
    char folder[96], uri[128];
    uint64_t seed, began_ns, end_ns, half_ns, life_ns, look_ns, said_ns;
    soak_done done;
    uint64_t every_ms; /* a fault, or up to three times as long */
    bool lasting, ending;
} it;

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

static uint64_t chance(uint64_t from, uint64_t to) { return from + soak_random(&it.seed) % (to - from + 1); }

static void finish(int number)
{
    (void)number;
    soak_ended = 1;
}

static void tell(const char *what, const process *p)
{
    if (getenv("SOAK_VERBOSE")) {
        fprintf(stderr, "soak: %7.2f s: %s %s %u\n", (double)(psy__now_ns() - it.began_ns) / 1e9, what,
                soak_role_names[p->role], p->index);
    }
}

/* ---- processes ---- */

static void start(process *p)
{
    pid_t parent = getpid();
    uint64_t seed = soak_random(&it.seed);
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
        soak_shared *shared = it.shared;
        exit(p->role == BROKER   ? soak_broker(shared, it.uri)
             : p->role == WORKER ? soak_worker(shared, it.uri, p->index)
                                 : soak_client(shared, it.uri, p->index, seed));
    }
    if (p->pid < 0) {
        soak_complain(it.shared, "no process: %s", strerror(errno));
        p->pid = 0;
    }
}

static process *add(soak_role role, uint32_t index)
{
    process *p = &it.processes[it.count++];
    p->role = role;
    p->index = index;
    start(p);
    return p;
}

/* What a life in the second half has grown: the rule is in doc/soak.md. */
static void judge(process *p)
{
    int64_t pss, files, slabs;
    uint64_t was;
    if (p->role == CLIENT || !soak_life_growth(&p->life, &pss, &files, &slabs, &was)) {
        return;
    }
    soak_grown *g = &it.done.grown[p->role];
    if (pss > g->pss_bytes || g->lives == 0) {
        g->pss_bytes = pss;
        g->of_bytes = was;
    }
    g->files = files > g->files ? files : g->files;
    g->slabs = slabs > g->slabs ? slabs : g->slabs;
    g->lives++;
    if (pss > (int64_t)(was / 10 + (1 << 20)) || files > 4 || slabs > 4) {
        soak_complain(it.shared,
                      "%s %u has grown within %u s: %" PRId64 " bytes more than %" PRIu64 ", %" PRId64 " descriptors, %" PRId64
                      " slabs",
                      soak_role_names[p->role], p->index, p->life.looks, pss, was, files, slabs);
    }
    p->life.looks = 0;
}

/* A client is dead: what it had out will not come back. */
static void close_account(const process *p)
{
    soak_account *a = &it.shared->accounts[p->index];
    uint64_t ended = a->abandoned + a->lost;
    for (int i = 0; i < SOAK_STATUSES; i++) {
        ended += a->ended[i];
    }
    a->abandoned += a->sent - ended;
}

static void reap(process *p, int status)
{
    bool fine = p->killed ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                          : it.ending && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!fine) {
        soak_complain(it.shared, "%s %u ended by itself: %s %d", soak_role_names[p->role], p->index,
                      WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
    if (p->role == CLIENT && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        close_account(p);
    }
    p->pid = 0;
    p->born_ns = psy__now_ns() + chance(0, it.lasting ? it.every_ms / 2 : 30) * ms_ns;
}

/* Waits for who has ended, starts who is due, lets go on who was stopped long enough, looks at memory. */
static void tend(void)
{
    uint64_t now = psy__now_ns();
    int status;
    for (uint32_t i = 0; i < it.count; i++) {
        process *p = &it.processes[i];
        if (p->pid && waitpid(p->pid, &status, WNOHANG) == p->pid) {
            reap(p, status);
        }
        if (p->pid == 0 && !it.ending && now >= p->born_ns) {
            start(p);
        }
        if (p->pid && p->stopped_ns && now >= p->stopped_ns) {
            kill(p->pid, SIGCONT);
            p->stopped_ns = 0;
        }
    }
    if (it.lasting && now >= it.half_ns && now >= it.look_ns) {
        it.look_ns = now + second_ns;
        for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
            process *p = &it.processes[i];
            if (p->pid && now > p->born_ns + 3 * second_ns && p->life.looks < SOAK_LOOKS &&
                soak_holding_of(p->pid, &p->life.at[p->life.looks])) {
                p->life.looks++;
            }
        }
    }
}

static void rest(uint64_t ns)
{
    uint64_t until = psy__now_ns() + ns;
    do {
        tend();
        usleep(5000);
    } while (psy__now_ns() < until);
}

static uint64_t answered(void)
{
    uint64_t ok = 0;
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        ok += it.shared->accounts[i].ended[PSY_OK];
    }
    return ok;
}

static uint64_t services(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < SOAK_SHARDS; i++) {
        n += it.shared->services[i];
    }
    return n;
}

/* Until the service has answered so many more. */
static bool await_answers(uint64_t more, uint64_t seconds)
{
    uint64_t was = answered(), end = psy__now_ns() + seconds * second_ns;
    while (answered() < was + more) {
        if (psy__now_ns() > end) {
            soak_complain(it.shared, "the service does not answer any more");
            return false;
        }
        rest(10 * ms_ns);
    }
    return true;
}

/* ---- faults ---- */

static void kill_one(process *p)
{
    if (p->pid == 0) {
        return;
    }
    judge(p);
    tell("kill", p);
    it.done.kills[p->role]++;
    p->killed = true;
    kill(p->pid, SIGKILL);
}

static void stop_one(process *p)
{
    if (p->pid == 0 || p->stopped_ns) {
        return;
    }
    tell("stop", p);
    it.done.stops++;
    p->stopped_ns = psy__now_ns() + chance(50, it.lasting ? 1500 : 200) * ms_ns;
    if (p->role == WORKER) {
        it.shared->hung_ns = p->stopped_ns + 3 * second_ns;
    }
    kill(p->pid, SIGSTOP);
}

static void swap(void)
{
    process *broker = &it.processes[0];
    if (broker->pid) {
        tell("new program for", broker);
        kill(broker->pid, SIGUSR1);
    }
}

static process *any_of(soak_role role)
{
    uint32_t first = role == BROKER ? 0 : role == WORKER ? 1 : 1 + SOAK_SHARDS;
    uint32_t n = role == BROKER ? 1 : role == WORKER ? SOAK_SHARDS : soak_kind_count;
    return &it.processes[first + chance(0, n - 1)];
}

/* Brokers, and the workers of shard 0, live so long in the second half that growth would show. */
static bool is_spared(const process *p)
{
    bool looked_at = p->role == BROKER || (p->role == WORKER && p->index == 0);
    return looked_at && psy__now_ns() > it.half_ns && psy__now_ns() < p->born_ns + it.life_ns;
}

static void any_fault(void)
{
    uint64_t dice = chance(0, 99);
    soak_role role = dice < 55 ? CLIENT : dice < 75 ? WORKER : BROKER;
    if (dice >= 92) {
        swap();
    } else if (dice >= 84) {
        stop_one(any_of(dice < 87 ? CLIENT : dice < 90 ? WORKER : BROKER));
    } else {
        process *p = any_of(role);
        if (is_spared(p)) {
            p = any_of(CLIENT);
        }
        kill_one(p);
    }
}

/* Until everybody is there and runs. */
static void await_all(void)
{
    uint32_t missing = 1;
    for (uint64_t until = psy__now_ns() + 60 * second_ns; missing && psy__now_ns() < until;) {
        rest(10 * ms_ns);
        missing = 0;
        for (uint32_t i = 0; i < it.count; i++) {
            missing += it.processes[i].pid == 0 || it.processes[i].stopped_ns != 0;
        }
    }
    if (missing) {
        soak_complain(it.shared, "%u processes are not there", missing);
    }
}

/* Until another program is served: a broker that had just begun has not heard. */
static void change_program(void)
{
    uint64_t swapped = it.shared->swapped, end = psy__now_ns() + 60 * second_ns;
    while (it.shared->swapped == swapped) {
        if (psy__now_ns() > end) {
            soak_complain(it.shared, "no other program is served");
            return;
        }
        swap();
        for (int i = 0; i < 50 && it.shared->swapped == swapped; i++) {
            rest(10 * ms_ns);
        }
    }
}

static bool await_services(uint64_t n)
{
    for (uint64_t end = psy__now_ns() + 60 * second_ns; services() < n;) {
        if (psy__now_ns() > end) {
            soak_complain(it.shared, "%llu times a worker was ready, not %llu", (unsigned long long)services(),
                          (unsigned long long)n);
            return false;
        }
        rest(5 * ms_ns);
    }
    return true;
}

static void run_for(uint64_t seconds)
{
    it.end_ns = it.began_ns + seconds * second_ns;
    it.half_ns = it.began_ns + seconds * second_ns / 2;
    it.life_ns = seconds >= 300 ? 40 * second_ns : seconds * second_ns / 8;
    uint64_t was = 0, moved_ns = it.began_ns;
    change_program(); /* once in any case */
    while (psy__now_ns() < it.end_ns && !soak_ended && it.shared->complaints < 20) {
        rest(chance(it.every_ms, 3 * it.every_ms) * ms_ns);
        any_fault();
        uint64_t ok = answered(), now = psy__now_ns();
        if (ok != was) {
            was = ok;
            moved_ns = now;
        } else if (now > moved_ns + 30 * second_ns) {
            soak_complain(it.shared, "the service has not answered for 30 s");
            moved_ns = now;
        }
        if (now > it.said_ns + 60 * second_ns) {
            it.said_ns = now;
            printf("soak: %4.0f s, %" PRIu64 " answered, %" PRIu64 " wrong\n", (double)(now - it.began_ns) / 1e9, ok,
                   (uint64_t)it.shared->complaints);
            fflush(stdout);
        }
    }
}

static bool has_crossed(void)
{
    uint64_t ok = 0, told = 0;
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        ok += it.shared->accounts[i].crossed_ok;
        told += it.shared->accounts[i].crossed_told;
    }
    return ok && told;
}

/* Every fault once; the service answers again after each. */
static void run_once(void)
{
    enum { CARDS_MAX = PROCESSES_MAX + 8 };
    struct {
        bool stop, swap;
        process *whom;
    } cards[CARDS_MAX], one;
    uint32_t n = 0;
    for (uint32_t i = 0; i < it.count; i++) {
        cards[n].stop = cards[n].swap = false;
        cards[n++].whom = &it.processes[i];
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
        uint32_t other = (uint32_t)chance(0, i);
        one = cards[i];
        cards[i] = cards[other];
        cards[other] = one;
    }
    for (uint32_t i = 0; i < n && !it.shared->complaints && !soak_ended; i++) {
        await_all();
        uint64_t was = services();
        if (cards[i].swap) {
            change_program();
        } else if (cards[i].stop) {
            stop_one(cards[i].whom);
        } else {
            const process *p = cards[i].whom;
            kill_one(cards[i].whom);
            await_services(was + (p->role == BROKER ? SOAK_SHARDS : p->role == WORKER));
        }
        await_answers(20, 60);
        rest(chance(0, 60) * ms_ns);
    }
    uint64_t end = psy__now_ns() + 60 * second_ns;
    while (!has_crossed() && !it.shared->complaints &&
           !soak_ended) { /* calls were out when a broker was killed: of both kinds */
        if (psy__now_ns() > end) {
            soak_complain(it.shared, "no call outlived its broker");
            break;
        }
        kill_one(&it.processes[0]);
        rest(200 * ms_ns);
        await_answers(20, 60);
    }
}

/* ---- begin and end ---- */

/* What it holds once that has been the same for half a second: starting takes and gives. */
static void look_at_first(process *p)
{
    soak_holding now;
    for (int same = 0, tries = 0; same < 25 && tries < 1000; tries++, usleep(20000)) {
        if (!soak_holding_of(p->pid, &now)) {
            soak_complain(it.shared, "%s %u is gone", soak_role_names[p->role], p->index);
            return;
        }
        same = now.files == p->at_first.files && now.slabs == p->at_first.slabs ? same + 1 : 0;
        p->at_first = now;
    }
}

static void begin(void)
{
    add(BROKER, 0);
    for (uint32_t i = 0; i < SOAK_SHARDS; i++) {
        add(WORKER, i);
    }
    if (await_services(SOAK_SHARDS)) {
        for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
            look_at_first(&it.processes[i]);
        }
    }
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        add(CLIENT, i);
    }
}

static void dismiss(soak_role role)
{
    for (uint32_t i = 0; i < it.count; i++) {
        if (it.processes[i].role == role && it.processes[i].pid) {
            kill(it.processes[i].pid, SIGTERM);
        }
    }
    uint64_t end = psy__now_ns() + 90 * second_ns;
    for (uint32_t i = 0; i < it.count; i++) {
        process *p = &it.processes[i];
        while (p->role == role && p->pid) {
            tend();
            usleep(2000);
            if (psy__now_ns() > end && p->pid) {
                soak_complain(it.shared, "%s %u does not end: calls of it are unanswered", soak_role_names[p->role], p->index);
                p->killed = true;
                kill(p->pid, SIGKILL);
                end += second_ns;
            }
        }
    }
}

/* Without clients broker and workers hold what they held before there were any, however many came and were killed. */
static void check_holdings(void)
{
    for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
        process *p = &it.processes[i];
        soak_holding now = {0};
        bool same = false;
        for (int tries = 0; tries < 500 && !same; tries++, usleep(10000)) {
            same = p->pid && soak_holding_of(p->pid, &now) && now.files == p->at_first.files && now.slabs == p->at_first.slabs;
        }
        if (!same) {
            soak_complain(it.shared, "%s %u holds %u descriptors and %u slabs without clients, %u and %u at first",
                          soak_role_names[p->role], p->index, now.files, now.slabs, p->at_first.files, p->at_first.slabs);
            soak_tell_files(p->pid);
        }
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
    rest(1000 * ms_ns);
    await_all();
    await_answers(100, 60);
    for (uint32_t i = 0; i <= SOAK_SHARDS; i++) {
        judge(&it.processes[i]);
    }
    it.ending = true;
    dismiss(CLIENT);
    check_holdings();
    dismiss(WORKER);
    dismiss(BROKER);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
        soak_complain(it.shared, "there are processes left");
    }
    if (rmdir(it.folder) != 0) {
        soak_complain(it.shared, "%s: %s", it.folder, strerror(errno));
    }
    for (int tries = 0; tries < 500 && shared_memory() > in_shared_memory; tries++) {
        usleep(10000);
    }
    if (shared_memory() > in_shared_memory) {
        soak_complain(it.shared, "there is something left in /dev/shm");
    }
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 600,
             seed = (argc > 2) ? strtoull(argv[2], NULL, 10) : (uint64_t)(uint32_t)getpid();
    const char *base = getenv("TMPDIR");
    size_t bytes = sizeof *it.shared + soak_kind_count * sizeof it.shared->accounts[0];
    it.shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!base || strlen(base) > 60) { /* addresses are short */
        base = "/tmp";
    }
    snprintf(it.folder, sizeof it.folder, "%s/soak-XXXXXX", base);
    if (it.shared == MAP_FAILED || !mkdtemp(it.folder) || 1 + SOAK_SHARDS + soak_kind_count > PROCESSES_MAX) {
        fprintf(stderr, "soak: %s: %s\n", it.folder, strerror(errno));
        return 1;
    }
    snprintf(it.uri, sizeof it.uri, "ipc://%s/service", it.folder);
    printf("soak: seed %" PRIu64 "\n", seed);
    signal(SIGUSR1, SIG_IGN); /* brokers hear it */
    signal(SIGTERM, finish);
    signal(SIGINT, finish);
    uint32_t in_shared_memory = shared_memory();
    it.seed = seed;
    it.lasting = seconds != 0;
    it.every_ms = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    it.began_ns = it.said_ns = psy__now_ns();
    it.half_ns = UINT64_MAX;
    begin();
    await_answers(100, 60);
    if (it.lasting) {
        run_for(seconds);
    } else {
        run_once();
    }
    soak_ended = 0; /* who comes now is not to end at once */
    end(in_shared_memory);
    it.done.ns = psy__now_ns() - it.began_ns;
    return soak_report(it.shared, &it.done, seconds, seed);
}
