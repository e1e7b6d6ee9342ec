/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/perf/process.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/perf/bench.h"

static volatile sig_atomic_t stopping;

/* The parent may be spinning on what the child will never send. */
static void child_changed(int number, siginfo_t *info, void *context)
{
    static const char text[] = "bench: a process of the benchmark failed\n";
    (void)number;
    (void)context;
    if (!stopping && !(info->si_code == CLD_EXITED && info->si_status == 0)) {
        (void)!write(STDERR_FILENO, text, sizeof text - 1);
        _exit(1);
    }
}

process process_start(void)
{
    struct sigaction watch = {.sa_sigaction = child_changed, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP};
    pid_t parent = getpid();
    sigaction(SIGCHLD, &watch, NULL);
    fflush(NULL);
    process child = fork();
    if (child < 0) {
        bench_fail("no process");
    }
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        signal(SIGCHLD, SIG_DFL);
    }
    return child;
}

void process_end(void)
{
    fflush(NULL);
    _exit(0);
}

void process_wait(process child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
        bench_fail("a process of the benchmark failed");
    }
}

void process_stop(process child)
{
    stopping = 1;
    kill(child, SIGTERM);
    for (int i = 0; i < 200; i++) {
        if (waitpid(child, NULL, WNOHANG) != 0) {
            stopping = 0;
            return;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    stopping = 0;
}

bool process_go_first(bool first)
{
    struct sched_param p = {.sched_priority = first};
    return sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &p) == 0;
}

struct process_gate {
    _Atomic int there;
};

process_gate *process_gate_open(void)
{
    process_gate *gate = mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (gate == MAP_FAILED) {
        bench_fail("no memory");
    }
    return gate;
}

void process_gate_meet(process_gate *gate)
{
    atomic_fetch_add(&gate->there, 1);
    while (atomic_load_explicit(&gate->there, memory_order_acquire) < 2) {
    }
}

void process_gate_close(process_gate *gate) { munmap(gate, sizeof *gate); }
