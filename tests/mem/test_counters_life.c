/* SPDX-License-Identifier: Apache-2.0 */
/* Files of counters and the processes that have them: who lives, who died and at which instruction, and what is left. */
#define _GNU_SOURCE
#include "tests/mem/counters.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"

static const char left_over[] = ".a.counters.0123456789abcdef.new";

/* ---- children ---- */

typedef struct child {
    pid_t pid;
    int says; /* a byte comes when it is ready */
} child;

/* Runs `work` in a process of its own, which is ready when it says so. */
static child start(void (*work)(const char *path, int ready), const char *path)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    child c = {.pid = fork(), .says = ends[0]};
    cr_assert_geq(c.pid, 0);
    if (c.pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        work(path, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    return c;
}

static bool is_ready(const child *c)
{
    char byte;
    return read(c->says, &byte, 1) == 1;
}

/* Ends it, and gives its status. */
static int end(const child *c, int by)
{
    int status = 0;
    if (by) {
        cr_assert_eq(kill(c->pid, by), 0);
    }
    cr_assert_eq(waitpid(c->pid, &status, 0), c->pid);
    close(c->says);
    return status;
}

static void keep_counters(const char *path, int ready)
{
    psy_counters *c;
    psy_ring_counters *row;
    const psy_counters_place place = {.label = "kept", .ring = 9};
    if (psy_counters_create(path, 2, &c) == PSY_OK && psy_counters_ring(c, &place, &row) == PSY_OK) {
        psy_counter_set(&row->messages, 7);
        (void)!write(ready, "", 1);
        pause();
    }
}

static bool is_alive(const char *path)
{
    psy_counters_snapshot *s = read_counters(path);
    const bool alive = psy_counters_file_at(s, 0)->alive;
    psy_counters_release(s);
    return alive;
}

static uint32_t clean(const scratch *s)
{
    uint32_t removed = 77;
    const psy_status status = psy_counters_clean(s->path, &removed);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    return removed;
}

/* ---- who lives ---- */

Test(counters_life, slow_is_not_dead)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    const child c = start(keep_counters, path.text);
    cr_assert(is_ready(&c));
    cr_assert_eq(kill(c.pid, SIGSTOP), 0);
    cr_assert(is_alive(path.text));
    cr_assert_eq(clean(&s), 0u);
    refuses_to_make(path.text, 1, PSY_FULL, "a living process has its counters there");
    cr_assert_eq(scratch_count(&s), 1u);
    end(&c, SIGKILL);
    /* What it counted can be read, and the name is free for another. */
    psy_counters_snapshot *snapshot = read_counters(path.text);
    cr_assert(!psy_counters_file_at(snapshot, 0)->alive && psy_counters_file_at(snapshot, 0)->pid == (uint32_t)c.pid);
    cr_assert_eq(psy_counters_row_at(snapshot, 0)->values[PSY_RING_COUNTER_messages], 7u);
    cr_assert(psy_counters_ring_at(snapshot, 0)->producers == 1 && psy_counters_ring_at(snapshot, 0)->living_producers == 0);
    psy_counters_release(snapshot);
    psy_counters *mine = make_counters(path.text, 1);
    cr_assert(is_alive(path.text));
    cr_assert_eq(clean(&s), 0u);
    psy_counters_destroy(mine);
    scratch_end(&s);
}

Test(counters_life, only_the_dead_are_cleaned_away)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const scratch s = scratch_make();
    const name dead = scratch_name(&s, "dead.counters"), foreign = scratch_name(&s, "foreign.counters"),
               link = scratch_name(&s, "link.counters"), made = scratch_name(&s, left_over),
               folder = scratch_name(&s, "f.counters"), elsewhere = scratch_name(&s, "elsewhere");
    const child c = start(keep_counters, dead.text), d = start(keep_counters, elsewhere.text);
    cr_assert(is_ready(&c) && is_ready(&d));
    end(&c, SIGKILL);
    end(&d, SIGKILL);
    psy_counters *mine = make_counters(scratch_name(&s, "mine.counters").text, 1);
    store(foreign.text, "notes", 5);
    store(made.text, "", 0);
    store(scratch_name(&s, ".a.counters.0123456789abcdeg.new").text, "", 0);
    cr_assert_eq(symlink("elsewhere", link.text), 0);
    cr_assert_eq(mkdir(folder.text, 0755), 0);
    /* A reader who locks what he may read says nothing about who lives. */
    const int reader = open(dead.text, O_RDONLY | O_CLOEXEC);
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    cr_assert_eq(fcntl(reader, F_OFD_SETLK, &all), 0);
    cr_assert(!is_alive(dead.text));
    close(reader);
    cr_assert_eq(clean(&s), 2u, "the dead one's, and what was left half made");
    cr_assert(access(dead.text, F_OK) != 0 && access(made.text, F_OK) != 0);
    cr_assert_eq(clean(&s), 0u);
    psy_counters_destroy(mine);
    refuses_to_make(foreign.text, 1, PSY_DENIED, "is no file of counters");
    refuses_to_make(link.text, 1, PSY_DENIED, "is no file of counters");
    cr_assert_eq(unlink(foreign.text), 0);
    cr_assert_eq(unlink(link.text), 0);
    cr_assert_eq(unlink(elsewhere.text), 0);
    cr_assert_eq(unlink(scratch_name(&s, ".a.counters.0123456789abcdeg.new").text), 0);
    cr_assert_eq(rmdir(folder.text), 0);
    expect(psy_counters_clean(scratch_name(&s, "none").text, NULL), PSY_NOT_FOUND, "No such file");
    scratch_end(&s);
}

Test(counters_life, children_share_but_do_not_own)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    psy_counters *c = make_counters(path.text, 2);
    psy_ring_counters *row = make_row(c, "shared", 1, 0);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        psy_ring_counters *another = NULL;
        const psy_counters_place place = {.label = "child", .ring = 2};
        psy_counter_add(&row->messages, 5);
        psy_counters_drop(c, row);
        const bool refused = psy_counters_ring(c, &place, &another) == PSY_INVALID;
        psy_counters_destroy(c);
        _exit(refused ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child has to make its own");
    cr_assert(is_alive(path.text), "and does not take its parent's away");
    psy_counters_snapshot *snapshot = read_counters(path.text);
    cr_assert_eq(psy_counters_row_at(snapshot, 0)->values[PSY_RING_COUNTER_messages], 5u);
    psy_counters_release(snapshot);
    psy_counters_destroy(c);
    scratch_end(&s);
}

/* ---- at any instruction ---- */

static void make_and_destroy(const char *path, int ready)
{
    (void)!write(ready, "", 1);
    for (uint64_t k = 1;; k++) {
        psy_counters *c;
        psy_ring_counters *row;
        const psy_counters_place place = {.label = "x", .ring = k};
        if (psy_counters_create(path, 16, &c) != PSY_OK) {
            _exit(1);
        }
        for (unsigned i = 0; i < 3000; i++) {
            if (psy_counters_ring(c, &place, &row) != PSY_OK) {
                _exit(2);
            }
            psy_counter_set(&row->messages, k);
            psy_counters_drop(c, i % 256 ? row : NULL);
        }
        psy_counters_destroy(c);
    }
}

Test(counters_life, killed_at_any_instruction)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    enum { KILLS = 400, ENOUGH = 5 };
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    uint64_t seed = 5;
    unsigned left = 0, half_made = 0, read = 0;
    /* On a busy machine few are hit where it matters: go on until enough are. */
    for (unsigned i = 0; i < KILLS || (i < 20 * KILLS && (left < ENOUGH || half_made < ENOUGH)); i++) {
        const child c = start(make_and_destroy, path.text);
        cr_assert(is_ready(&c));
        for (const uint64_t until = psy__now_ns() + random_next(&seed) % 1000000; psy__now_ns() < until;) {
            psy_counters_snapshot *snapshot = NULL;
            const psy_status status = psy_counters_read(path.text, &snapshot);
            cr_assert(status == PSY_OK || status == PSY_NOT_FOUND, "%s", psy_detail());
            read += status == PSY_OK;
            psy_counters_release(snapshot);
        }
        const int status = end(&c, SIGKILL);
        cr_assert(WIFSIGNALED(status), "it ended by itself: %d", status);
        psy_counters_snapshot *snapshot = read_counters(s.path);
        const psy_counters_file *f = psy_counters_file_at(snapshot, 0);
        cr_assert(!f || (f->status == PSY_OK && !f->alive && f->changing == 0), "%s", f ? f->problem : "");
        left += f != NULL;
        half_made += scratch_count(&s) > (f != NULL);
        psy_counters_release(snapshot);
        if (i % 2 == 0) {
            (void)clean(&s);
            cr_assert_eq(scratch_count(&s), 0u);
        } else {
            psy_counters_destroy(make_counters(path.text, 1)); /* the name is free at once */
            cr_assert(access(path.text, F_OK) != 0);
        }
    }
    (void)clean(&s);
    cr_assert(left >= ENOUGH && half_made >= ENOUGH && read >= ENOUGH, "%u files were left, %u half made, %u read", left,
              half_made, read);
    scratch_end(&s);
}

/* ---- cleaning and making at once ---- */

typedef struct race {
    const scratch *folder;
    PSY_ATOMIC(bool) stop;
    uint64_t rounds;
    const char *complaint;
    char said[256];
} race;

static void *clean_all_the_time(void *argument)
{
    race *r = argument;
    for (; !atomic_load_explicit(&r->stop, memory_order_relaxed); r->rounds++) {
        if (psy_counters_clean(r->folder->path, NULL) != PSY_OK) {
            snprintf(r->said, sizeof r->said, "%s", psy_detail());
            r->complaint = r->said;
        }
    }
    return NULL;
}

/* Leaves what a process leaves that dies, where nobody has the name. */
static void leave_dead(const race *r, const name *path, const uint8_t *dead, size_t bytes)
{
    char file[32];
    snprintf(file, sizeof file, "%p.dead", (const void *)r);
    const name made = scratch_name(r->folder, file);
    store(made.text, dead, bytes);
    (void)!link(made.text, path->text);
    (void)!unlink(made.text);
}

/* What lives keeps its name: what is read there is its row. */
static void *make_all_the_time(void *argument)
{
    race *r = argument;
    const name path = scratch_name(r->folder, "a.counters");
    char file[32];
    snprintf(file, sizeof file, "%p.counters", argument);
    psy_counters *first = make_counters(scratch_name(r->folder, file).text, 1);
    size_t bytes;
    uint8_t *dead = load(psy_counters_path(first), &bytes);
    psy_counters_destroy(first);
    for (; !atomic_load_explicit(&r->stop, memory_order_relaxed); r->rounds++) {
        psy_counters *c = NULL;
        psy_ring_counters *row;
        const psy_counters_place place = {.label = "mine", .ring = (uintptr_t)r + r->rounds};
        psy_status status = psy_counters_create(path.text, 2, &c);
        if (status == PSY_FULL) {
            continue; /* the other one was quicker */
        }
        status = status == PSY_OK ? psy_counters_ring(c, &place, &row) : status;
        for (unsigned i = 0; i < 3 && status == PSY_OK; i++) {
            psy_counters_snapshot *s = NULL;
            status = psy_counters_read(psy_counters_path(c), &s);
            if (status == PSY_OK && (!psy_counters_file_at(s, 0)->alive || psy_counters_row_at(s, 0)->ring != place.ring)) {
                r->complaint = "the name of what lives is another's";
            }
            psy_counters_release(s);
        }
        if (status != PSY_OK) {
            snprintf(r->said, sizeof r->said, "%s", psy_detail());
            r->complaint = r->said;
        }
        psy_counters_destroy(c);
        leave_dead(r, &path, dead, bytes);
    }
    free(dead);
    return NULL;
}

Test(counters_life, cleaning_races_with_making)
{
    enum { THREADS = 4 };
    const scratch s = scratch_make();
    race races[THREADS] = {{.folder = &s}, {.folder = &s}, {.folder = &s}, {.folder = &s}};
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, i < 2 ? clean_all_the_time : make_all_the_time, &races[i]), 0);
    }
    for (const uint64_t until = psy__now_ns() + 700000000u; psy__now_ns() < until;) {
        store(scratch_name(&s, left_over).text, "", 0);
        usleep(200);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        atomic_store_explicit(&races[i].stop, true, memory_order_relaxed);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
        cr_assert_null(races[i].complaint, "%s", races[i].complaint);
        cr_assert_gt(races[i].rounds, 20u);
    }
    (void)clean(&s);
    scratch_end(&s);
}

/* ---- a file that changes under its reader ---- */

typedef struct vandal {
    const char *path;
    PSY_ATOMIC(bool) stop;
} vandal;

static void *cut_and_fill(void *argument)
{
    vandal *v = argument;
    uint64_t seed = 9;
    size_t bytes;
    uint8_t *good = load(v->path, &bytes);
    const int fd = open(v->path, O_RDWR | O_CLOEXEC);
    while (!atomic_load_explicit(&v->stop, memory_order_relaxed)) {
        const uint64_t at = random_next(&seed) % bytes, word = random_next(&seed);
        (void)!ftruncate(fd, (off_t)(random_next(&seed) % bytes));
        (void)!pwrite(fd, good, bytes, 0);
        (void)!pwrite(fd, &word, bytes - at < 8 ? bytes - at : 8, (off_t)at);
        (void)!pwrite(fd, good, bytes, 0);
    }
    close(fd);
    free(good);
    return NULL;
}

Test(counters_life, a_file_that_is_cut_off_is_no_fault)
{
    enum { READINGS = 4000 };
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters"), copy = scratch_name(&s, "b.counters");
    psy_counters *c = make_counters(path.text, 64);
    for (unsigned i = 0; i < 64; i++) {
        (void)make_row(c, "x", i / 2 + 1, i % 2);
    }
    size_t bytes;
    uint8_t *good = load(path.text, &bytes);
    store(copy.text, good, bytes);
    free(good);
    psy_counters_destroy(c);
    vandal v = {.path = copy.text};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, cut_and_fill, &v), 0);
    unsigned whole = 0, corrupt = 0;
    for (unsigned i = 0; i < READINGS; i++) {
        psy_counters_snapshot *snapshot = NULL;
        const psy_status status = psy_counters_read(copy.text, &snapshot);
        cr_assert(status == PSY_OK || status == PSY_CORRUPT || status == PSY_VERSION, "%s", psy_detail());
        whole += status == PSY_OK;
        corrupt += status == PSY_CORRUPT;
        psy_counters_release(snapshot);
    }
    atomic_store_explicit(&v.stop, true, memory_order_relaxed);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(whole > 0 && corrupt > 0, "%u whole, %u corrupt", whole, corrupt);
    cr_assert_eq(unlink(copy.text), 0);
    scratch_end(&s);
}

/* ---- limits ---- */

static void limit(int which, rlim_t most, rlim_t *before)
{
    struct rlimit r;
    cr_assert_eq(getrlimit(which, &r), 0);
    *before = r.rlim_cur;
    r.rlim_cur = most;
    cr_assert_eq(setrlimit(which, &r), 0);
}

Test(counters_life, limits)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    rlim_t before, unused;
    struct stat st;
    psy_counters *small = make_counters(path.text, 300);
    cr_assert_eq(stat(path.text, &st), 0);
    psy_counters_destroy(small);
    limit(RLIMIT_FSIZE, (rlim_t)st.st_size, &before); /* over it, the system would send SIGXFSZ */
    small = make_counters(path.text, 300);
    psy_counters_destroy(small);
    refuses_to_make(path.text, 400, PSY_LIMIT, "RLIMIT_FSIZE");
    limit(RLIMIT_FSIZE, before, &unused);
    cr_assert_eq(scratch_count(&s), 0u);

    const unsigned open_now = open_files();
    limit(RLIMIT_NOFILE, 3, &before);
    psy_counters *c = NULL;
    const psy_status status = psy_counters_create(path.text, 1, &c);
    psy_counters_snapshot *snapshot = NULL;
    const psy_status read = psy_counters_read(s.path, &snapshot);
    limit(RLIMIT_NOFILE, before, &unused);
    cr_assert(status == PSY_LIMIT && read == PSY_LIMIT, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), "raise the limit of open files"));
    cr_assert_eq(open_files(), open_now);
    scratch_end(&s);
}

/* As root of a name space of its own, if there may be one: a disk of eight pages. */
static void fill_a_disk(const char *path, int ready)
{
    char file[300];
    psy_counters *c = NULL;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", path, "tmpfs", 0, "size=32768") != 0) {
        (void)!write(ready, "s", 1);
        _exit(0);
    }
    snprintf(file, sizeof file, "%s/a.counters", path);
    const psy_status status = psy_counters_create(file, 100, &c);
    DIR *d = opendir(path);
    unsigned n = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.' || e->d_name[1] == 'a';
    }
    const bool said = strstr(psy_detail(), "No space left") != NULL;
    const bool fits = psy_counters_create(file, 10, &c) == PSY_OK;
    (void)!write(ready, status == PSY_NO_MEMORY && said && n == 0 && fits ? "y" : "n", 1);
    _exit(0);
}

Test(counters_life, a_full_disk)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const scratch s = scratch_make();
    const child c = start(fill_a_disk, s.path);
    char said = 0;
    cr_assert_eq(read(c.says, &said, 1), 1);
    end(&c, 0);
    scratch_end(&s);
    if (said == 's') {
        cr_skip_test("a file system of its own cannot be mounted");
    }
    cr_assert_eq(said, 'y', "a status, no file, and the next one that fits is made");
}

/* ---- the folder ---- */

Test(counters_life, the_folder_of_all)
{
    const scratch s = scratch_make();
    const name folder = scratch_name(&s, "psyne");
    char path[300], expected[64];
    struct stat st;
    cr_assert_eq(unsetenv("PSYNE_COUNTERS"), 0);
    cr_assert_eq(psy_counters_directory(path, sizeof path), PSY_OK);
    snprintf(expected, sizeof expected, "/dev/shm/psyne-%u", (unsigned)geteuid());
    cr_assert_str_eq(path, expected);
    expect(psy_counters_directory(path, strlen(expected)), PSY_TOO_LARGE, "the name of the folder");
    expect(psy_counters_directory(path, 0), PSY_INVALID, "no room");

    cr_assert_eq(setenv("PSYNE_COUNTERS", folder.text, 1), 0);
    cr_assert_eq(psy_counters_directory(path, sizeof path), PSY_OK);
    cr_assert_str_eq(path, folder.text);
    refuses_to_read(NULL, PSY_NOT_FOUND, folder.text);
    const mode_t mask = umask(077);
    psy_counters *a = make_counters(NULL, 1), *b = make_counters(NULL, 1);
    umask(mask);
    cr_assert_eq(stat(folder.text, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0755u);
    cr_assert_eq(strncmp(psy_counters_path(a), folder.text, strlen(folder.text)), 0);
    cr_assert_str_eq(strrchr(psy_counters_path(a), '.'), PSY_COUNTERS_SUFFIX);
    cr_assert(strcmp(psy_counters_path(a), psy_counters_path(b)) != 0);
    psy_counters_snapshot *snapshot = read_counters(NULL);
    cr_assert(psy_counters_file_at(snapshot, 1) && !psy_counters_file_at(snapshot, 2));
    psy_counters_release(snapshot);
    psy_counters_destroy(a);
    /* What the dead left goes when the next one comes. */
    store(scratch_name(&s, "psyne/.1-2.counters.0123456789abcdef.new").text, "", 0);
    a = make_counters(NULL, 1);
    cr_assert(access(scratch_name(&s, "psyne/.1-2.counters.0123456789abcdef.new").text, F_OK) != 0);
    psy_counters_destroy(a);
    psy_counters_destroy(b);

    cr_assert_eq(chmod(folder.text, 0777), 0);
    refuses_to_make(NULL, 1, PSY_DENIED, "is open to others (mode 777)");
    cr_assert_eq(rmdir(folder.text), 0);
    store(folder.text, "", 0);
    refuses_to_make(NULL, 1, PSY_DENIED, "is no folder");
    cr_assert_eq(unlink(folder.text), 0);
    cr_assert_eq(setenv("PSYNE_COUNTERS", scratch_name(&s, "none/psyne").text, 1), 0);
    refuses_to_make(NULL, 1, PSY_NOT_FOUND, "No such file");
    if (geteuid() == 0) {
        cr_assert_eq(setenv("PSYNE_COUNTERS", folder.text, 1), 0);
        cr_assert_eq(mkdir(folder.text, 0755), 0);
        cr_assert_eq(chown(folder.text, 12345, 12345), 0);
        refuses_to_make(NULL, 1, PSY_DENIED, "belongs to user 12345, and not to 0");
        cr_assert_eq(rmdir(folder.text), 0);
    }
    scratch_end(&s);
}
