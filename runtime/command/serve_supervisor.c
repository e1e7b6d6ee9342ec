/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <psyne/counters.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/serve_state.h"

static const uint64_t ms = 1000000, back_off_ns = 100000000, back_off_ns_max = 10000000000, served_well_ns = 10000000000,
                      end_ns = 5000000000;

static bool is_broker(const psy__child *c) { return c->role == PSY_ROLE_OF_BROKER || c->role == PSY_ROLE_OF_ALL; }
static bool needs_broker(const psy__child *c) { return c->role == PSY_ROLE_OF_SHARD; }

/* ---- how it is ---- */

static uint32_t ready_count(const psy__supervisor *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->child_count; i++) {
        n += s->children[i].phase == PSY_CHILD_READY && psy__child_counts(&s->children[i]);
    }
    return n;
}

static void tell_ready_fd(psy__supervisor *s)
{
    if (s->options->ready_fd) {
        (void)!write((int)s->options->ready_fd, "ready\n", 6);
        close((int)s->options->ready_fd);
        s->options->ready_fd = 0;
    }
}

/* After something came or went. */
static void tell_how_it_is(psy__supervisor *s)
{
    const bool ready = s->phase == PSY_SERVE_RUNS && ready_count(s) == psy__serve_wanted_count(s);
    atomic_store(&s->shared->children, psy__serve_wanted_count(s));
    atomic_store(&s->shared->serving, s->phase == PSY_SERVE_RUNS ? ready_count(s) : 0);
    psy__serve_count(s);
    if (!s->was_ready) {
        psy__progress_step(&s->loading, atomic_load_explicit(&s->shared->rows, memory_order_relaxed));
    }
    if (ready && !s->was_ready) {
        psy__progress_end(&s->loading);
        psy__log(&s->log, PSY_LOG_INFO, "serve.ready", PSY_TEXT("socket", s->options->socket),
                 PSY_NUMBER("ms", (psy__now_ns() - s->started_ns) / ms));
        psy__notify_say(&s->notify, "READY=1\nSTATUS=serving %s, shards: %" PRIu32, s->options->socket, s->options->shards);
        tell_ready_fd(s);
        s->was_ready = true;
    } else if (ready && !s->told_ready) {
        psy__log(&s->log, PSY_LOG_INFO, "serve.whole", PSY_NUMBER("restarts", s->restarts));
        psy__notify_say(&s->notify, "STATUS=serving %s, shards: %" PRIu32 ", restarts: %" PRIu64, s->options->socket,
                        s->options->shards, s->restarts);
    } else if (!ready && s->told_ready && s->phase == PSY_SERVE_RUNS) {
        psy__notify_say(&s->notify, "STATUS=%" PRIu32 " of %" PRIu32 " processes serve; restarts: %" PRIu64, ready_count(s),
                        psy__serve_wanted_count(s), s->restarts);
    }
    s->told_ready = ready;
}

/* ---- starting ---- */

static _Noreturn void become(const psy__supervisor *s, uint32_t place, int control, pid_t parent)
{
    const psy__child *c = &s->children[place];
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (s->children[i].control >= 0) {
            close(s->children[i].control); /* only so does another one see that the supervisor is gone */
        }
    }
    close(s->signals);
    if (s->notify.fd >= 0) {
        close(s->notify.fd);
    }
    if (s->options->ready_fd) {
        close((int)s->options->ready_fd);
    }
    const psy__serve_order order = {c->role,   c->shard,  place,   c->name,   s->options,
                                    s->served, s->shared, control, s->log.fd, (int)parent};
    psy__serve_child(&order);
}

static psy_status start(psy__supervisor *s, uint32_t place)
{
    psy__child *c = &s->children[place];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return psy_fail(PSY_LIMIT, "%s cannot be started: %s", c->name, strerror(errno));
    }
    const pid_t parent = getpid();
    fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        close(pair[0]);
        become(s, place, pair[1], parent);
    }
    const int error = errno;
    close(pair[1]);
    if (c->pid < 0) {
        c->pid = 0;
        close(pair[0]);
        return psy_fail(PSY_LIMIT, "%s cannot be started: %s", c->name, strerror(error));
    }
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK); /* a child that hears nothing holds nobody up */
    c->control = pair[0];
    c->phase = PSY_CHILD_STARTED;
    c->up = c->lost = false;
    c->why[0] = '\0';
    c->status = PSY_OK;
    c->started_ns = psy__now_ns();
    c->beat_seen = atomic_load_explicit(&s->shared->beats[place], memory_order_relaxed);
    psy__log(&s->log, PSY_LOG_DEBUG, "process.started", PSY_TEXT("process", c->name), PSY_NUMBER("pid", (uint64_t)c->pid));
    return PSY_OK;
}

/* ---- ending ---- */

typedef enum whom { ALL, ONLY_BROKER, ALL_BUT_BROKER } whom;

static void tell(psy__supervisor *s, uint32_t word, uint64_t number, whom to)
{
    const psy__serve_message m = {.word = word, .number = number};
    for (uint32_t i = 0; i < s->child_count; i++) {
        const psy__child *c = &s->children[i];
        if (c->pid && (to == ALL || is_broker(c) == (to == ONLY_BROKER))) {
            (void)psy__serve_tell(c->control, &m, -1);
        }
    }
}

static void kill_all(psy__supervisor *s)
{
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (s->children[i].pid) {
            (void)kill(s->children[i].pid, SIGKILL);
        }
    }
    s->status = s->status ? s->status : 1; /* requests may have been lost */
    s->kill_due_ns = UINT64_MAX;
}

/* The shards go on until nothing is under way, and the broker until they have left. */
static void drain(psy__supervisor *s, const char *why)
{
    psy__log(&s->log, PSY_LOG_INFO, "serve.stopping", PSY_TEXT("reason", why), PSY_NUMBER("drain_ms", s->options->drain_ms));
    psy__notify_say(&s->notify, "STOPPING=1\nSTATUS=requests that are under way end");
    s->phase = PSY_SERVE_DRAINS;
    s->kill_due_ns = psy__add_ns(psy__now_ns(), s->options->drain_ms * ms + end_ns);
    tell(s, PSY_WORD_DRAIN, s->options->drain_ms, ONLY_BROKER);
}

static void end_now(psy__supervisor *s)
{
    s->phase = PSY_SERVE_ENDS;
    s->kill_due_ns = psy__add_ns(psy__now_ns(), end_ns);
    tell(s, PSY_WORD_STOP, 0, ALL);
}

static void give_up(psy__supervisor *s, psy_status status, const char *why)
{
    if (s->phase == PSY_SERVE_ENDS) {
        return;
    }
    psy__log(&s->log, PSY_LOG_ERROR, "serve.failed", PSY_TEXT("reason", why));
    psy__notify_say(&s->notify, "STOPPING=1\nSTATUS=%s", why);
    if (strcmp(s->options->log, "-") != 0) {
        fprintf(stderr, "psyne: %s\n", why);
    }
    s->status = status == PSY_NO_MEMORY ? 3 : 1;
    end_now(s);
}

/* ---- what dies ---- */

/* Whether waiting may help, also where there was no service yet. */
static bool may_pass(psy_status status)
{
    return status == PSY_OK || status == PSY_PEER_DIED || status == PSY_UNREACHABLE || status == PSY_TIMEOUT ||
           status == PSY_CLOSED || status == PSY_LIMIT;
}

static void say_how_it_died(const psy__child *c, int wait_status, char *text, size_t room)
{
    if (c->why[0]) {
        snprintf(text, room, "%s: %s", c->name, c->why);
    } else if (WIFSIGNALED(wait_status)) {
        snprintf(text, room, "%s was killed by signal %d (%s)", c->name, WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    } else {
        snprintf(text, room, "%s ended with status %d", c->name, WEXITSTATUS(wait_status));
    }
}

/* When it is started again, or that it is not. */
static void plan_restart(psy__supervisor *s, psy__child *c, const char *why)
{
    const uint64_t now = psy__now_ns();
    if (c->phase == PSY_CHILD_READY && now - c->started_ns >= served_well_ns) {
        c->failures = 0;
    }
    c->failures++;
    if ((!s->was_ready && !may_pass(c->status)) || c->failures > s->options->restarts) {
        char text[700];
        snprintf(text, sizeof text, s->was_ready ? "%s; it was started %" PRIu32 " times in a row" : "%s", why, c->failures);
        give_up(s, c->status, text);
        return;
    }
    uint64_t wait = 0;
    for (uint32_t i = 1; i < c->failures; i++) {
        wait = wait ? wait * 2 : back_off_ns;
        wait = wait < back_off_ns_max ? wait : back_off_ns_max;
    }
    c->due_ns = now + wait;
    s->restarts++;
    psy__log(&s->log, PSY_LOG_ERROR, "process.died", PSY_TEXT("process", c->name), PSY_TEXT("reason", why),
             PSY_NUMBER("restart_in_ms", wait / ms));
}

static void hear(psy__supervisor *s, psy__child *c);

static void bury(psy__supervisor *s, psy__child *c, int wait_status)
{
    char why[600];
    if (s->reshards_to && c != &s->children[0] && s->children[0].pid) {
        hear(s, &s->children[0]); /* which may have let it go */
    }
    hear(s, c); /* its last words */
    close(c->control);
    c->control = -1;
    c->pid = 0;
    say_how_it_died(c, wait_status, why, sizeof why);
    if (is_broker(c)) {
        psy__serve_programs_dropped(s);
        psy__serve_reshard_dropped(s);
        psy__serve_data_dropped(s);
    }
    if (s->options->counters) {
        (void)!psy_counters_clean(NULL, NULL); /* of one that was killed */
    }
    if (psy__serve_reshard_buries(s, c)) {
        return;
    }
    if (s->phase == PSY_SERVE_RUNS && c->lost) {
        c->due_ns = psy__now_ns(); /* no fault of its own: as soon as there is a broker */
    } else if (s->phase == PSY_SERVE_RUNS) {
        plan_restart(s, c, why);
    }
    c->phase = PSY_CHILD_DOWN;
    if (s->phase == PSY_SERVE_DRAINS && is_broker(c)) {
        end_now(s);
    }
}

static void reap(psy__supervisor *s)
{
    for (uint32_t i = 0; i < s->child_count; i++) {
        psy__child *c = &s->children[i];
        int status;
        if (c->pid && waitpid(c->pid, &status, WNOHANG) == c->pid) {
            bury(s, c, status);
        }
    }
    tell_how_it_is(s);
}

/* ---- what they say ---- */

static void hear(psy__supervisor *s, psy__child *c)
{
    psy__serve_message m;
    int fd;
    while (psy__serve_hear(c->control, &m, &fd) > 0) {
        if (fd >= 0) {
            close(fd);
        }
        c->up = c->up || m.word == PSY_WORD_UP;
        c->lost = c->lost || m.word == PSY_WORD_LOST;
        if (m.word == PSY_WORD_READY || (m.word == PSY_WORD_UP && c->role == PSY_ROLE_OF_BROKER)) {
            c->phase = PSY_CHILD_READY;
        } else if (m.word == PSY_WORD_FAILED || m.word == PSY_WORD_LOST) {
            c->status = (psy_status)m.status;
            snprintf(c->why, sizeof c->why, "%s", m.text);
        } else if (m.word == PSY_WORD_DRAINED) {
            s->drained = true;
            tell(s, PSY_WORD_STOP, 0, ALL_BUT_BROKER);
        } else if (m.word == PSY_WORD_SNAPSHOT_DONE) {
            psy__serve_snapshot_settled(s, &m);
        } else if (m.word == PSY_WORD_DATA_DONE) {
            psy__serve_data_settled(s, &m);
        } else if (m.word == PSY_WORD_SAVING && s->phase == PSY_SERVE_DRAINS) {
            s->kill_due_ns = psy__serve_last_snapshot(s);
        } else if (m.word == PSY_WORD_ADDED || m.word == PSY_WORD_REFUSED) {
            psy__serve_program_settled(s, &m);
        } else if (m.word == PSY_WORD_JOIN || m.word == PSY_WORD_RESHARDED) {
            psy__serve_reshard_heard(s, &m);
        }
    }
}

/* ---- the loop ---- */

static void handle_signal(psy__supervisor *s, uint32_t number)
{
    switch (number) {
    case SIGHUP:
        if (s->phase == PSY_SERVE_RUNS) {
            psy__serve_reload(s);
            s->told_ready = s->told_ready && ready_count(s) == psy__serve_wanted_count(s);
        }
        break;
    case SIGUSR1: psy__serve_snapshot(s, true); break;
    case SIGTERM:
    case SIGINT:
        if (s->phase == PSY_SERVE_RUNS) {
            drain(s, number == SIGTERM ? "SIGTERM" : "SIGINT");
        } else {
            psy__log(&s->log, PSY_LOG_WARNING, "serve.killed", PSY_TEXT("reason", "a second signal"));
            kill_all(s);
        }
        break;
    default: break;
    }
}

static void read_signals(psy__supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        handle_signal(s, info.ssi_signo);
    }
    reap(s); /* SIGCHLD comes once for several */
}

static bool only_broker_lives(const psy__supervisor *s)
{
    for (uint32_t i = 1; i < s->child_count; i++) {
        if (s->children[i].pid) {
            return false;
        }
    }
    return true;
}

/* Draining is over at once where no broker runs. */
static void start_due(psy__supervisor *s, uint64_t now)
{
    const psy__child *broker = &s->children[0];
    if (s->phase == PSY_SERVE_DRAINS && (!broker->pid || (s->drained && only_broker_lives(s)))) {
        end_now(s);
    }
    for (uint32_t i = 0; i < s->child_count && s->phase == PSY_SERVE_RUNS; i++) {
        psy__child *c = &s->children[i];
        if (c->phase == PSY_CHILD_DOWN && c->due_ns <= now && (!needs_broker(c) || broker->up) && start(s, i) != PSY_OK) {
            snprintf(c->why, sizeof c->why, "%s", psy_detail());
            c->status = PSY_LIMIT;
            plan_restart(s, c, c->why);
        }
    }
}

/* The manager hears of us only while every loop turns: one that hangs has the service started anew. */
static void feed_watchdog(psy__supervisor *s, uint64_t now)
{
    const psy__child *stuck = NULL;
    for (uint32_t i = 0; i < s->child_count; i++) {
        psy__child *c = &s->children[i];
        const uint64_t beat = atomic_load_explicit(&s->shared->beats[i], memory_order_relaxed);
        if (c->phase == PSY_CHILD_READY && c->pid && beat == c->beat_seen) {
            stuck = c;
        }
        c->beat_seen = beat;
    }
    if (stuck) {
        psy__log(&s->log, PSY_LOG_ERROR, "process.stuck", PSY_TEXT("process", stuck->name));
    } else {
        psy__notify_say(&s->notify, "WATCHDOG=1");
    }
    s->watchdog_due_ns = now + s->notify.watchdog_ns / 2;
}

static uint64_t next_due(const psy__supervisor *s)
{
    uint64_t due = s->kill_due_ns < s->watchdog_due_ns ? s->kill_due_ns : s->watchdog_due_ns;
    due = s->phase == PSY_SERVE_RUNS && s->snapshot_due_ns < due ? s->snapshot_due_ns : due;
    for (uint32_t i = 0; i < s->child_count && s->phase == PSY_SERVE_RUNS; i++) {
        const psy__child *c = &s->children[i];
        if (c->phase == PSY_CHILD_DOWN && (!needs_broker(c) || s->children[0].up)) {
            due = c->due_ns < due ? c->due_ns : due;
        }
    }
    return due;
}

enum { LOOK_MS = 1000, LOADING_MS = 100 }; /* how often it says that it is at work, and how far loading is */

static void sleep_until(psy__supervisor *s, uint64_t due)
{
    struct pollfd p[1 + PSY_SERVE_CHILDREN_MAX] = {{.fd = s->signals, .events = POLLIN}};
    const uint64_t now = psy__now_ns();
    uint64_t left_ms = due <= now ? 0 : (due - now) / ms + 1;
    const uint64_t look_ms = s->was_ready || s->loading.silent ? LOOK_MS : LOADING_MS;
    for (uint32_t i = 0; i < s->child_count; i++) {
        p[1 + i] = (struct pollfd){.fd = s->children[i].control, .events = POLLIN};
    }
    if (poll(p, 1 + s->child_count, (int)(left_ms < look_ms ? left_ms : look_ms)) < 0 && errno != EINTR) {
        give_up(s, PSY_IO, strerror(errno));
    }
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (p[1 + i].revents & POLLIN) {
            hear(s, &s->children[i]);
        }
    }
    if (p[0].revents) {
        read_signals(s);
    }
    tell_how_it_is(s);
}

static bool any_lives(const psy__supervisor *s)
{
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (s->children[i].pid) {
            return true;
        }
    }
    return false;
}

static void run(psy__supervisor *s)
{
    while (s->phase == PSY_SERVE_RUNS || any_lives(s)) {
        const uint64_t now = psy__now_ns();
        if (now >= s->kill_due_ns) {
            psy__log(&s->log, PSY_LOG_WARNING, "serve.killed", PSY_TEXT("reason", "a process did not end in time"));
            kill_all(s);
        }
        if (now >= s->watchdog_due_ns) {
            feed_watchdog(s, now);
        }
        psy__serve_snapshot_when_due(s, now);
        start_due(s, now);
        if (s->phase == PSY_SERVE_RUNS || any_lives(s)) {
            sleep_until(s, next_due(s));
        }
    }
}

/* ---- life ---- */

static void make_children(psy__supervisor *s)
{
    const bool apart = s->options->agents == PSY_AGENTS_PROCESSES;
    const uint32_t agents = apart ? 1 + s->options->shards : 1;
    s->child_count = agents + (s->options->listen != NULL);
    for (uint32_t i = 0; i < s->child_count; i++) {
        psy__child *c = &s->children[i];
        c->role = i == agents ? PSY_ROLE_OF_ENDPOINT : i ? PSY_ROLE_OF_SHARD : apart ? PSY_ROLE_OF_BROKER : PSY_ROLE_OF_ALL;
        c->shard = i ? i - 1 : 0;
        c->control = -1;
        if (i == agents) {
            snprintf(c->name, sizeof c->name, "endpoint");
        } else if (i) {
            snprintf(c->name, sizeof c->name, "shard %" PRIu32, c->shard);
        } else {
            snprintf(c->name, sizeof c->name, "%s", apart ? "broker" : "service");
        }
    }
}

static int open_signals(void)
{
    static const int ours[] = {SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    sigset_t set;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        sigaddset(&set, ours[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static psy_status open_all(psy__supervisor *s)
{
    int fd;
    s->shared = mmap(NULL, sizeof *s->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->shared == MAP_FAILED) {
        s->shared = NULL;
        return psy_fail(PSY_NO_MEMORY, "no memory for a service");
    }
    psy_status status = psy__serve_snapshot_folder(s->options);
    status = status == PSY_OK ? psy__log_open(s->options->log, &fd) : status;
    if (status != PSY_OK) {
        return status;
    }
    atomic_store(&s->shared->log.level, s->options->log_level);
    atomic_store(&s->shared->log.json, s->options->log_format);
    psy__log_init(&s->log, &s->shared->log, fd, "serve");
    s->signals = open_signals();
    return s->signals < 0 ? psy_fail(PSY_IO, "signalfd: %s", strerror(errno)) : PSY_OK;
}

int psy__serve_supervise(psy__serve_options *options, psy__served *served, int argc, char **argv)
{
    psy__supervisor *s = calloc(1, sizeof *s);
    if (!s) {
        psy__no_memory();
    }
    *s = (psy__supervisor){.options = options,
                           .served = served,
                           .argc = argc,
                           .argv = argv,
                           .signals = -1,
                           .log = {.fd = -1},
                           .kill_due_ns = UINT64_MAX,
                           .watchdog_due_ns = UINT64_MAX,
                           .snapshot_due_ns = UINT64_MAX,
                           .started_ns = psy__now_ns()};
    const psy_status status = open_all(s);
    if (status == PSY_OK) {
        psy__notify_open(&s->notify);
        if (s->notify.watchdog_ns) {
            s->watchdog_due_ns = s->started_ns + s->notify.watchdog_ns / 2;
        }
        make_children(s);
        if (options->counters) {
            psy__serve_open_counters(s);
        }
        psy__log(&s->log, PSY_LOG_INFO, "serve.started", PSY_TEXT("socket", options->socket),
                 PSY_NUMBER("pid", (uint64_t)getpid()), PSY_NUMBER("shards", options->shards));
        psy__serve_look_at_snapshot(s);
        psy__serve_plan_snapshot(s);
        psy__progress_begin(&s->loading, "loading", psy__served_rows(served, options->shards), "rows",
                            strcmp(options->log, "-") == 0);
        run(s);
        psy__progress_clear(&s->loading);
        psy__log(&s->log, PSY_LOG_INFO, "serve.stopped", PSY_NUMBER("status", (uint64_t)s->status),
                 PSY_NUMBER("restarts", s->restarts), PSY_NUMBER("lost_log_lines", atomic_load(&s->shared->log.lost)));
        psy__notify_close(&s->notify);
        psy_counters_destroy(s->counters);
    } else {
        s->status = psy__complain(NULL, status);
    }
    if (s->log.fd >= 0) {
        close(s->log.fd);
    }
    if (s->signals >= 0) {
        close(s->signals);
    }
    if (s->shared) {
        munmap(s->shared, sizeof *s->shared);
    }
    const int result = s->status;
    free(s->data_pending);
    free(s);
    return result;
}
