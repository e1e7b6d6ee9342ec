/* SPDX-License-Identifier: Apache-2.0 */
/* What dead servers left is found and removed; what is alive never is, whoever starts, opens, cleans and dies meanwhile. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "tests/mem/serving.h"
#include "transport/ipc.h"

static psy_slab_clean_report clean(const char *directory)
{
    psy_slab_clean_report r = {99, 99, 99, PSY_IO};
    cr_assert_eq(psy_slab_clean(directory, &r), PSY_OK, "%s", psy_detail());
    return r;
}

static const char *in_folder(const char *name)
{
    static char path[2][300];
    static int which;
    which = !which;
    snprintf(path[which], sizeof path[which], "%s/%s", folder, name);
    return path[which];
}

static void touch(const char *name)
{
    int fd = open(in_folder(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void sleep_ns(uint64_t ns)
{
    struct timespec t = {0, (long)ns};
    nanosleep(&t, NULL);
}

/* A server at `path` that is killed at once. */
static void leave_behind(const char *path, psy_slab *slab)
{
    int how;
    pid_t child = fork();
    if (child == 0) {
        psy_slab_server *server;
        psy_slab_server_options options = {.path = path, .slab = slab};
        if (psy_slab_server_create(&options, &server) == PSY_OK) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
}

Test(slab_clean, the_dead_go_and_the_living_stay)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_folder();
    psy_slab *mine = slab_to_serve();
    unsigned before = open_files();
    cr_assert_eq(clean(folder).cleaned, 0u);
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine, .thread = true});
    leave_behind(in_folder("dead"), mine);
    leave_behind(in_folder("dead too"), mine);
    touch("made-and-killed" PSY__IPC_LOCK_SUFFIX); /* before it had a socket */
    touch("other.lock");                           /* what other programs have */
    touch("plain");
    touch(PSY__IPC_LOCK_SUFFIX + 1);
    cr_assert(is_there(in_folder("dead")) && is_there(in_folder("dead too" PSY__IPC_LOCK_SUFFIX)));

    psy_slab_clean_report r = clean(folder);
    cr_assert_eq(r.cleaned, 3u);
    cr_assert_eq(r.living, 1u);
    cr_assert_eq(r.kept, 0u, "%s", psy_detail());
    cr_assert_eq(r.why, PSY_OK);
    cr_assert(!is_there(in_folder("dead")) && !is_there(in_folder("dead" PSY__IPC_LOCK_SUFFIX)));
    cr_assert(is_there(in_folder("other.lock")) && is_there(in_folder("plain")) &&
              is_there(in_folder(PSY__IPC_LOCK_SUFFIX + 1)));
    psy_slab *theirs;
    cr_assert_eq(psy_slab_open(served, NULL, &theirs), PSY_OK, "%s", psy_detail());
    psy_slab_destroy(theirs);
    r = clean(folder);
    cr_assert_eq(r.cleaned, 0u);
    psy_slab_server_destroy(server);
    cr_assert_eq(unlink(in_folder("other.lock")) | unlink(in_folder("plain")) | unlink(in_folder(PSY__IPC_LOCK_SUFFIX + 1)), 0);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), before - 1);
    remove_folder();
}

Test(slab_clean, a_server_that_starts_cleans_its_own_path)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_folder();
    psy_slab *mine = slab_to_serve();
    leave_behind(served, mine);
    leave_behind(served, mine);
    psy_slab_server_destroy(serve((psy_slab_server_options){.path = served, .slab = mine}));
    psy_slab_destroy(mine);
    remove_folder();
}

/* What lies there is not what a server made: it stays, and one hears why. */
Test(slab_clean, what_is_no_left_over_is_kept)
{
    make_folder();
    touch("a");
    touch("a" PSY__IPC_LOCK_SUFFIX); /* the server died, and somebody put a file where its socket was */
    psy_slab_clean_report r = clean(folder);
    cr_assert_eq(r.cleaned, 1u);
    cr_assert(is_there(in_folder("a")), "that is somebody's");
    cr_assert(!is_there(in_folder("a" PSY__IPC_LOCK_SUFFIX)));

    cr_assert_eq(mkfifo(in_folder("b" PSY__IPC_LOCK_SUFFIX), 0600), 0);
    r = clean(folder);
    cr_assert_eq(r.kept, 1u);
    cr_assert_eq(r.why, PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "no plain file"), "%s", psy_detail());
    cr_assert_eq(unlink(in_folder("b" PSY__IPC_LOCK_SUFFIX)), 0);
    cr_assert_eq(symlink(in_folder("a"), in_folder("c" PSY__IPC_LOCK_SUFFIX)), 0);
    r = clean(folder);
    cr_assert_eq(r.kept, 1u);
    cr_assert_not_null(strstr(psy_detail(), "lock file"), "%s", psy_detail());
    cr_assert_eq(unlink(in_folder("c" PSY__IPC_LOCK_SUFFIX)), 0);

    char lengthy[180];
    memset(lengthy, 'x', sizeof lengthy);
    snprintf(lengthy + 120, sizeof lengthy - 120, "%s", PSY__IPC_LOCK_SUFFIX);
    touch(lengthy); /* no server can have made it */
    r = clean(folder);
    cr_assert_eq(r.kept, 1u);
    cr_assert_eq(r.why, PSY_TOO_LARGE);
    cr_assert_eq(unlink(in_folder(lengthy)), 0);

    r = (psy_slab_clean_report){0};
    cr_assert_eq(psy_slab_clean("/nonexistent-directory", &r), PSY_NOT_FOUND);
    cr_assert_not_null(strstr(psy_detail(), "/nonexistent-directory"), "%s", psy_detail());
    cr_assert_eq(psy_slab_clean(in_folder("a"), &r), PSY_IO);
    cr_assert_eq(psy_slab_clean(NULL, &r), PSY_INVALID);
    cr_assert_eq(psy_slab_clean(folder, NULL), PSY_INVALID);
    cr_assert_eq(unlink(in_folder("a")), 0);
    remove_folder();
}

/* Somebody holds the lock for a moment without serving, as who cleans does: a server that starts waits for that. */
Test(slab_clean, a_server_waits_for_who_cleans)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_folder();
    psy_slab *mine = slab_to_serve();
    const char *lock_path = in_folder("s" PSY__IPC_LOCK_SUFFIX);
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), how;
    cr_assert(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    pid_t child = fork();
    if (child == 0) {
        psy_slab_server *server = NULL;
        psy_slab_server_options options = {.path = served, .slab = mine};
        close(fd);
        psy_status status = psy_slab_server_create(&options, &server);
        psy_slab_server_destroy(server);
        _exit((int)status);
    }
    sleep_ns(50000000);
    cr_assert_eq(unlink(lock_path), 0);
    close(fd);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFEXITED(how) && WEXITSTATUS(how) == PSY_OK, "%d", how);

    fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
    psy_slab_server *server = NULL;
    psy_slab_server_options options = {.path = served, .slab = mine};
    cr_assert_eq(psy_slab_server_create(&options, &server), PSY_IO, "but not for ever");
    cr_assert_not_null(strstr(psy_detail(), "does not answer"), "%s", psy_detail());
    cr_assert(is_there(lock_path), "it is another's");
    cr_assert_eq(unlink(lock_path), 0);
    close(fd);
    psy_slab_destroy(mine);
    remove_folder();
}

/* ---- everybody at once ---- */

enum { PATHS = 2, SERVERS = 4, OPENERS = 2, CLEANERS = 2, ALL = SERVERS + OPENERS + CLEANERS };

typedef struct tally {
    _Atomic uint32_t served, opened, cleaned, ended;                         /* what went well */
    _Atomic uint32_t socket_gone, lock_gone, odd_open, odd_clean, odd_start; /* what must not be */
    char why[512];
} tally;
static tally *seen;

static void complain(_Atomic uint32_t *of)
{
    atomic_fetch_add(of, 1);
    snprintf(seen->why, sizeof seen->why, "%s", psy_detail());
}

static uint32_t step(uint32_t *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

static const char *path_of(uint32_t which) { return in_folder(which % PATHS == 0 ? "s" : "t"); }

/* Serves for a while and looks all the time whether what it made is still there. */
static void play_server(uint32_t seed, psy_slab *slab)
{
    char path[120], lock_path[140];
    psy_slab_server *server = NULL;
    snprintf(path, sizeof path, "%s", path_of(step(&seed)));
    snprintf(lock_path, sizeof lock_path, "%s" PSY__IPC_LOCK_SUFFIX, path);
    psy_slab_server_options options = {.path = path, .slab = slab};
    psy_status status = psy_slab_server_create(&options, &server);
    if (status != PSY_OK) {
        if (status != PSY_IO || strstr(psy_detail(), "in use") == NULL) {
            complain(&seen->odd_start);
        }
        return;
    }
    struct stat socket_made, lock_made, st;
    if (lstat(path, &socket_made) != 0 || lstat(lock_path, &lock_made) != 0) {
        complain(&seen->socket_gone);
        return;
    }
    atomic_fetch_add(&seen->served, 1);
    for (uint32_t rounds = step(&seed) % 40; rounds > 0; rounds--) {
        struct pollfd on = {psy_slab_server_fd(server), POLLIN, 0};
        (void)poll(&on, 1, 1);
        psy_slab_server_work(server);
        if (lstat(path, &st) != 0 || st.st_ino != socket_made.st_ino || st.st_dev != socket_made.st_dev) {
            complain(&seen->socket_gone);
        }
        if (lstat(lock_path, &st) != 0 || st.st_ino != lock_made.st_ino || st.st_dev != lock_made.st_dev) {
            complain(&seen->lock_gone);
        }
    }
    psy_slab_server_destroy(server);
    atomic_fetch_add(&seen->ended, 1);
}

static void play_opener(uint32_t seed)
{
    for (;;) {
        psy_slab *slab = NULL;
        psy_slab_open_options options = {.timeout_ns = 20000000, .wait = step(&seed) % 2 != 0};
        psy_status status = psy_slab_open(path_of(step(&seed)), &options, &slab);
        if (status == PSY_OK) {
            bool right = ((uint8_t *)psy_slab_data(slab))[9999] == 0x5a;
            psy_slab_destroy(slab);
            atomic_fetch_add(right ? &seen->opened : &seen->odd_open, 1);
        } else if (status != PSY_UNREACHABLE && status != PSY_TIMEOUT && status != PSY_PROTOCOL) {
            complain(&seen->odd_open); /* PROTOCOL: it was killed before it said a word */
        }
        sleep_ns(100000);
    }
}

static void play_cleaner(void)
{
    for (;;) {
        psy_slab_clean_report r;
        psy_status status = psy_slab_clean(folder, &r);
        if (status != PSY_OK || r.kept != 0) {
            complain(&seen->odd_clean);
        } else {
            atomic_fetch_add(&seen->cleaned, r.cleaned);
        }
        sleep_ns(300000);
    }
}

static pid_t play(uint32_t role, uint32_t seed, psy_slab *slab)
{
    pid_t child = fork();
    if (child == 0) {
        if (role < SERVERS) {
            play_server(seed, slab);
        } else if (role < SERVERS + OPENERS) {
            play_opener(seed);
        } else {
            play_cleaner();
        }
        _exit(0);
    }
    cr_assert_gt(child, 0);
    return child;
}

Test(slab_clean, servers_openers_and_cleaners_that_die_at_any_moment)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_folder();
    psy_slab *mine = slab_to_serve();
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(seen, MAP_FAILED);
    const char *seed_text = getenv("PSYNE_TEST_SEED");
    uint32_t seed = seed_text ? (uint32_t)strtoul(seed_text, NULL, 10) : 1, kills = 0;
    pid_t cast[ALL];
    int how;
    for (uint32_t role = 0; role < ALL; role++) {
        cast[role] = play(role, step(&seed), mine);
    }
    uint64_t end = psy__now_ns() + UINT64_C(1500000000);
    while (psy__now_ns() < end) {
        uint32_t role = step(&seed) % ALL;
        sleep_ns(step(&seed) % 4000000);
        cr_assert_eq(kill(cast[role], SIGKILL), 0);
        cr_assert_eq(waitpid(cast[role], &how, 0), cast[role]);
        kills += WIFSIGNALED(how);
        cast[role] = play(role, step(&seed), mine);
    }
    for (uint32_t role = 0; role < ALL; role++) {
        cr_assert_eq(kill(cast[role], SIGKILL), 0);
        cr_assert_eq(waitpid(cast[role], &how, 0), cast[role]);
    }
    cr_log_info("%u killed; %u served, %u ended, %u opened, %u cleaned", kills, seen->served, seen->ended, seen->opened,
                seen->cleaned);
    cr_assert_eq(seen->socket_gone, 0u, "a living server's socket was taken away %u times", seen->socket_gone);
    cr_assert_eq(seen->lock_gone, 0u, "a living server's lock was taken away %u times", seen->lock_gone);
    cr_assert_eq(seen->odd_start, 0u, "%s", seen->why);
    cr_assert_eq(seen->odd_open, 0u, "%s", seen->why);
    cr_assert_eq(seen->odd_clean, 0u, "%s", seen->why);
    cr_assert(kills > 20 && seen->served > 20 && seen->opened > 20 && seen->cleaned > 5,
              "%u killed, %u served, %u opened, %u cleaned: nothing was tried", kills, seen->served, seen->opened,
              seen->cleaned);

    psy_slab_clean_report r = clean(folder);
    cr_assert_eq(r.living, 0u);
    cr_assert_eq(r.kept, 0u, "%s", psy_detail());
    munmap(seen, sizeof *seen);
    psy_slab_destroy(mine);
    remove_folder();
}
