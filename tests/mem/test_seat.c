/* SPDX-License-Identifier: Apache-2.0 */
/* Seats: they live as long as their holders, whatever becomes of these. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/seat.h>

#include "tests/opened.h"

static psy_slab *make_slab(void)
{
    psy_slab *slab = NULL;
    psy_slab_options options = {.bytes = 4096, .name = "seat-slab"};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK, "%s", psy_detail());
    return slab;
}

static psy_seat take(psy_slab *slab)
{
    psy_seat seat = {.fd = -1};
    cr_assert_eq(psy_seat_take(slab, &seat), PSY_OK, "%s", psy_detail());
    return seat;
}

static uint64_t expect_event(int fd)
{
    uint64_t value = 0;
    cr_assert_eq(read(fd, &value, sizeof value), (ssize_t)sizeof value);
    return value;
}

/* A process that takes that seat (0: any), says its number, and waits to be killed. */
static pid_t sitter(psy_slab *slab, uint32_t number, uint32_t *sits_at)
{
    int tell = eventfd(0, EFD_CLOEXEC);
    cr_assert_geq(tell, 0);
    pid_t child = fork();
    if (child == 0) {
        psy_seat seat;
        psy_status status = number ? psy_seat_take_number(slab, number, &seat) : psy_seat_take(slab, &seat);
        uint64_t value = status == PSY_OK ? seat.number : 1000 + (uint64_t)status;
        if (write(tell, &value, sizeof value) == (ssize_t)sizeof value) {
            pause();
        }
        _exit(1);
    }
    cr_assert_gt(child, 0);
    *sits_at = (uint32_t)expect_event(tell);
    close(tell);
    return child;
}

static void end(pid_t child, int signal)
{
    int how;
    cr_assert_eq(kill(child, signal), 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
}

Test(seat, numbers_from_the_lowest_and_epochs_that_grow)
{
    psy_slab *slab = make_slab();
    unsigned before = open_files();
    cr_assert_eq(psy_seat_epoch(slab, 1), 0u, "nobody sat there yet");
    cr_assert_eq(psy_seat_pid(slab, 1), 0u);
    psy_seat a = take(slab), b = take(slab);
    cr_assert_eq(a.number, 1u);
    cr_assert_eq(b.number, 2u);
    cr_assert_eq(a.epoch, 1u);
    cr_assert_eq(psy_seat_pid(slab, 2), (uint32_t)getpid());
    cr_assert(psy_seat_lives(&a, 2) && psy_seat_lives(&b, 1) && psy_seat_lives(&a, 1), "handles of one process see each other");
    cr_assert(!psy_seat_lives(&a, 3));
    cr_assert_eq(fcntl(a.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

    psy_seat c = {.fd = -1};
    cr_assert_eq(psy_seat_take_number(slab, 1, &c), PSY_FULL);
    cr_assert_not_null(strstr(psy_detail(), "seat 1 is taken"), "%s", psy_detail());
    psy_seat_leave(&a);
    cr_assert_eq(a.fd, -1);
    psy_seat_leave(&a); /* again: nothing */
    cr_assert(!psy_seat_lives(&b, 1));
    cr_assert_eq(psy_seat_epoch(slab, 1), 1u);
    for (uint32_t stay = 2; stay < 6; stay++) {
        c = take(slab);
        cr_assert_eq(c.number, 1u);
        cr_assert_eq(c.epoch, stay);
        cr_assert_eq(psy_seat_epoch(slab, 1), stay);
        psy_seat_leave(&c);
    }
    cr_assert_eq(psy_seat_take_number(slab, 77, &c), PSY_OK);
    cr_assert(psy_seat_lives(&b, 77));
    psy_seat_leave(&c);
    psy_seat_leave(&b);
    cr_assert_eq(open_files(), before);
    psy_slab_destroy(slab);
}

Test(seat, an_epoch_that_wraps_around_is_never_none)
{
    psy_slab *slab = make_slab();
    ((psy_slab_page *)psy_slab_base(slab))->seats[1].epoch = UINT32_MAX;
    psy_seat seat = take(slab);
    cr_assert_eq(seat.epoch, 1u);
    psy_seat_leave(&seat);
    psy_slab_destroy(slab);
}

Test(seat, no_such_numbers)
{
    psy_slab *slab = make_slab();
    psy_seat seat = take(slab), other;
    static const uint32_t none[] = {0, 256, 257, UINT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_assert_eq(psy_seat_take_number(slab, none[i], &other), PSY_INVALID);
        cr_assert_not_null(strstr(psy_detail(), "seats 1 to 255"), "%s", psy_detail());
        cr_assert(!psy_seat_lives(&seat, none[i]));
        cr_assert_eq(psy_seat_seize(&seat, none[i]), none[i] == 0, "0 is a lock of the slab's");
        psy_seat_unseize(&seat, none[i]);
        cr_assert_eq(psy_seat_epoch(slab, none[i]), 0u);
        cr_assert_eq(psy_seat_pid(slab, none[i]), 0u);
    }
    cr_assert_eq(psy_seat_take(NULL, &other), PSY_INVALID);
    cr_assert_eq(psy_seat_take(slab, NULL), PSY_INVALID);
    cr_assert_eq(psy_seat_take_number(NULL, 1, &other), PSY_INVALID);
    psy_seat_leave(NULL);
    psy_seat_leave(&seat);
    psy_slab_destroy(slab);
}

Test(seat, seats_without_liveness)
{
    psy_slab *slab = make_slab();
    psy_seat bare = psy_seat_bare(9), real = take(slab);
    cr_assert_eq(bare.number, 9u);
    cr_assert_eq(bare.fd, -1);
    cr_assert(psy_seat_lives(&bare, 9) && psy_seat_lives(&bare, 200), "it cannot know, so all live");
    cr_assert(!psy_seat_seize(&bare, 200));
    psy_seat_unseize(&bare, 200);
    cr_assert(!psy_seat_lives(&real, 9), "it takes nobody's place");
    psy_seat_leave(&bare);
    psy_seat_leave(&real);
    psy_slab_destroy(slab);
}

/* The word of a descriptor that has no locks, or is closed: then nobody is called dead. */
Test(seat, where_the_system_cannot_say_all_live)
{
    int event = eventfd(0, EFD_CLOEXEC);
    int path_only = open("/", O_PATH | O_CLOEXEC);
    cr_assert(event >= 0 && path_only >= 0);
    psy_seat seat = {.fd = path_only, .number = 1, .epoch = 1};
    cr_assert(psy_seat_lives(&seat, 2));
    cr_assert(!psy_seat_seize(&seat, 2));
    close(path_only);
    cr_assert(psy_seat_lives(&seat, 2), "closed");
    cr_assert(!psy_seat_seize(&seat, 2));
    seat.fd = event; /* it may only be asked: what it answers is about itself */
    (void)psy_seat_lives(&seat, 2);
    close(event);

    /* A stranger's descriptor that is no memfd never becomes a slab, so there is no seat in it. */
    char path[] = "/tmp/psyne-seat-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    unlink(path);
    cr_assert_eq(ftruncate(file, 8192), 0);
    psy_slab *slab = NULL;
    cr_assert_eq(psy_slab_adopt(file, UINT64_MAX, &slab), PSY_CORRUPT);
    cr_assert_null(slab);
}

Test(seat, a_killed_process_leaves_its_seat_and_a_stopped_one_does_not)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = make_slab();
    psy_seat mine = take(slab);
    for (uint32_t round = 1; round <= 20; round++) {
        uint32_t at;
        pid_t child = sitter(slab, 0, &at);
        cr_assert_eq(at, 2u);
        cr_assert(psy_seat_lives(&mine, at));
        cr_assert_eq(psy_seat_pid(slab, at), (uint32_t)child);
        cr_assert_eq(psy_seat_epoch(slab, at), round, "each stay has its own epoch");
        int how;
        cr_assert_eq(kill(child, SIGSTOP), 0);
        cr_assert_eq(waitpid(child, &how, WUNTRACED), child);
        cr_assert(WIFSTOPPED(how));
        cr_assert(psy_seat_lives(&mine, at), "slow is not dead");
        cr_assert(!psy_seat_seize(&mine, at));
        end(child, SIGKILL);
        cr_assert(!psy_seat_lives(&mine, at), "dead");
    }
    psy_seat_leave(&mine);
    psy_slab_destroy(slab);
}

/* A descriptor that came by adoption: dup shares the description, as one that came over a socket does. */
Test(seat, two_processes_that_share_one_description_have_seats_of_their_own)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = make_slab(), *theirs;
    cr_assert_eq(psy_slab_adopt(dup(psy_slab_fd(slab)), UINT64_MAX, &theirs), PSY_OK, "%s", psy_detail());
    psy_seat mine = take(slab);
    uint32_t at;
    pid_t child = sitter(theirs, 0, &at);
    cr_assert_eq(at, 2u, "1 is taken, whoever asks");
    psy_slab_destroy(theirs); /* closes a descriptor of the shared description: nobody's lock */
    cr_assert(psy_seat_lives(&mine, 2));
    pid_t second = sitter(slab, 1, &at);
    cr_assert_eq(at, 1000u + PSY_FULL);
    end(second, SIGKILL);
    end(child, SIGKILL);
    cr_assert(!psy_seat_lives(&mine, 2));
    psy_seat_leave(&mine);
    psy_slab_destroy(slab);
}

/* What a forked child does before it waits for its end. */
static pid_t child_of(psy_seat *seat, char *const *program, bool leaves)
{
    int tell = eventfd(0, EFD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        uint64_t one = 1;
        if (leaves) {
            psy_seat_leave(seat);
        }
        if (program) {
            execv(program[0], program);
            _exit(127);
        }
        if (write(tell, &one, sizeof one) == (ssize_t)sizeof one) {
            pause();
        }
        _exit(1);
    }
    cr_assert_gt(child, 0);
    if (!program) {
        expect_event(tell);
    }
    close(tell);
    return child;
}

Test(seat, a_seat_is_shared_with_forked_children)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = make_slab();
    psy_seat watch = take(slab), shared = take(slab);
    pid_t child = child_of(&shared, NULL, false);
    psy_seat_leave(&shared);
    cr_assert(psy_seat_lives(&watch, 2), "the child still sits there");
    end(child, SIGKILL);
    cr_assert(!psy_seat_lives(&watch, 2));

    cr_assert_eq(psy_seat_take_number(slab, 2, &shared), PSY_OK);
    child = child_of(&shared, NULL, true);
    cr_assert(psy_seat_lives(&watch, 2), "a child that leaves does not unseat its parent");
    psy_seat_leave(&shared);
    cr_assert(!psy_seat_lives(&watch, 2), "and holds nothing any more");
    end(child, SIGKILL);
    psy_seat_leave(&watch);
    psy_slab_destroy(slab);
}

Test(seat, another_program_sits_nowhere)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = make_slab();
    psy_seat watch = take(slab), shared = take(slab);
    char *const program[] = {"/bin/sleep", "60", NULL};
    pid_t child = child_of(&shared, program, false);
    psy_seat_leave(&shared);
    for (int i = 0; i < 2000 && psy_seat_lives(&watch, 2); i++) {
        usleep(1000); /* until it has come to exec */
    }
    cr_assert(!psy_seat_lives(&watch, 2));
    cr_assert_eq(kill(child, 0), 0, "and yet the process is there");
    end(child, SIGKILL);
    psy_seat_leave(&watch);
    psy_slab_destroy(slab);
}

Test(seat, all_seats_are_taken)
{
    psy_slab *slab = make_slab();
    static psy_seat seats[PSY_SEAT_LAST];
    for (uint32_t i = 0; i < PSY_SEAT_LAST; i++) {
        seats[i] = take(slab);
        cr_assert_eq(seats[i].number, i + 1);
    }
    unsigned before = open_files();
    psy_seat more = {.fd = -1};
    cr_assert_eq(psy_seat_take(slab, &more), PSY_LIMIT);
    cr_assert_not_null(strstr(psy_detail(), "all 255"), "%s", psy_detail());
    cr_assert_eq(more.fd, -1);
    cr_assert_eq(open_files(), before);
    psy_seat_leave(&seats[99]);
    more = take(slab);
    cr_assert_eq(more.number, 100u);
    psy_seat_leave(&more);
    for (uint32_t i = 0; i < PSY_SEAT_LAST; i++) {
        psy_seat_leave(&seats[i]);
    }
    psy_slab_destroy(slab);
}

Test(seat, who_clears_a_dead_seat_has_it_alone)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    psy_slab *slab = make_slab();
    psy_seat a = take(slab), b = take(slab), c;
    uint32_t at;
    pid_t child = sitter(slab, 0, &at);
    cr_assert_eq(at, 3u);
    cr_assert(!psy_seat_seize(&a, 3), "it lives");
    cr_assert(!psy_seat_seize(&a, 2), "another handle lives too");
    cr_assert(!psy_seat_seize(&a, 1), "and I");
    end(child, SIGKILL);
    cr_assert(psy_seat_seize(&a, 3));
    cr_assert(!psy_seat_seize(&b, 3), "one at a time");
    cr_assert(psy_seat_lives(&b, 3), "nobody takes it for free meanwhile");
    cr_assert_eq(psy_seat_take_number(slab, 3, &c), PSY_FULL);
    c = take(slab);
    cr_assert_eq(c.number, 4u, "the next one is given");
    psy_seat_leave(&c);
    psy_seat_unseize(&a, 3);
    cr_assert(psy_seat_seize(&b, 3));
    psy_seat_unseize(&b, 3);
    psy_seat_unseize(&a, 1); /* nobody unseats himself so */
    cr_assert(psy_seat_lives(&b, 1));
    cr_assert_eq(psy_seat_take_number(slab, 3, &c), PSY_OK);
    psy_seat_leave(&c);

    /* The lock that is nobody's seat: one at a time as well. */
    cr_assert(psy_seat_seize(&a, 0));
    cr_assert(!psy_seat_seize(&b, 0));
    cr_assert(!psy_seat_lives(&b, 0), "nobody sits there");
    psy_seat_unseize(&a, 0);
    cr_assert(psy_seat_seize(&b, 0));
    psy_seat_unseize(&b, 0);

    /* Whoever dies while clearing frees the seat. */
    int tell = eventfd(0, EFD_CLOEXEC);
    child = fork();
    if (child == 0) {
        psy_seat own;
        uint64_t value = psy_seat_take(slab, &own) == PSY_OK && psy_seat_seize(&own, 200) ? 1 : 2;
        if (write(tell, &value, sizeof value) == (ssize_t)sizeof value) {
            pause();
        }
        _exit(1);
    }
    cr_assert_eq(expect_event(tell), 1u);
    close(tell);
    cr_assert(psy_seat_lives(&a, 200));
    end(child, SIGKILL);
    cr_assert(!psy_seat_lives(&a, 200));
    psy_seat_leave(&a);
    psy_seat_leave(&b);
    psy_slab_destroy(slab);
}

/* What a peer can do that lies: scribble over the table, unlock what is not its own, lock what is nobody's. */
Test(seat, liars_can_only_pretend_that_somebody_lives)
{
    psy_slab *slab = make_slab();
    psy_seat mine = take(slab), other = take(slab), none = {.fd = -1};
    memset(((psy_slab_page *)psy_slab_base(slab))->seats, 0, sizeof((psy_slab_page *)psy_slab_base(slab))->seats);
    cr_assert(psy_seat_lives(&mine, 2));
    memset(((psy_slab_page *)psy_slab_base(slab))->seats, 0xff, sizeof((psy_slab_page *)psy_slab_base(slab))->seats);
    cr_assert(!psy_seat_lives(&mine, 3));

    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", psy_slab_fd(slab));
    int liar = open(path, O_RDWR | O_CLOEXEC), reader = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(liar >= 0 && reader >= 0);
    struct flock l = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = PSY_SEAT_LOCK_OFFSET, .l_len = 256};
    cr_assert_eq(fcntl(liar, F_OFD_SETLK, &l), 0);
    cr_assert_eq(fcntl(liar, F_SETLK, &l), 0, "locks of the other kind, too");
    cr_assert(psy_seat_lives(&mine, 2) && psy_seat_lives(&other, 1));
    l.l_type = F_WRLCK;
    cr_assert(fcntl(liar, F_OFD_SETLK, &l) != 0, "not over the living");
    l.l_start = PSY_SEAT_LOCK_OFFSET + 9;
    l.l_len = 1;
    cr_assert_eq(fcntl(liar, F_OFD_SETLK, &l), 0);
    cr_assert(psy_seat_lives(&mine, 9));
    cr_assert(!psy_seat_seize(&mine, 9));
    cr_assert_eq(psy_seat_take_number(slab, 9, &none), PSY_FULL);
    close(liar);
    cr_assert(!psy_seat_lives(&mine, 9));
    l.l_type = F_RDLCK;
    cr_assert_eq(fcntl(reader, F_OFD_SETLK, &l), 0);
    cr_assert(psy_seat_lives(&mine, 9), "one that may only read can do it as well");
    close(reader);
    psy_seat_leave(&mine);
    psy_seat_leave(&other);
    psy_slab_destroy(slab);
}

Test(seat, no_more_descriptors)
{
    psy_slab *slab = make_slab();
    psy_seat mine = take(slab), other = {.fd = -1};
    struct rlimit before, none;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    psy_status status = psy_seat_take(slab, &other), numbered = psy_seat_take_number(slab, 9, &other);
    bool lives = psy_seat_lives(&mine, 1), dead = !psy_seat_lives(&mine, 9);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(status, PSY_LIMIT);
    cr_assert_eq(numbered, PSY_LIMIT);
    cr_assert_not_null(strstr(psy_detail(), "open files"), "%s", psy_detail());
    cr_assert_eq(other.fd, -1);
    cr_assert(lives && dead, "asking needs no descriptor");
    psy_seat_leave(&mine);
    psy_slab_destroy(slab);
}
