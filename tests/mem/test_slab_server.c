/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs with a name: who gets them, who does not, and what clients cannot do. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <psyne/seat.h>
#include <psyne/slab_server.h>

#include "base/clock.h"
#include "tests/mem/serving.h"
#include "transport/transport.h"

/* A server's thread counts after it has answered. */
static psy_slab_server_counts counts_of(const psy_slab_server *server, uint64_t clients)
{
    psy_slab_server_counts c = {0, 0, 0};
    for (int i = 0; i < 5000 && c.served + c.denied + c.failed != clients; i++) {
        struct timespec t = {0, 1000000};
        nanosleep(&t, NULL);
        psy_slab_server_get_counts(server, &c);
    }
    return c;
}

/* A client's socket, connected, which says nothing. */
static int silent_client(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_geq(fd, 0);
    memcpy(to.sun_path, served, strlen(served) + 1);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    cr_assert_eq(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

Test(slab_server, memory_goes_to_who_opens_it)
{
    unsigned before = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    uint64_t epoch = psy_slab_epoch(mine);
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine, .thread = true});
    cr_assert_eq(mode_of(served), 0600u);
    psy_slab *theirs = open_it((psy_slab_open_options){0});
    cr_assert_eq(psy_slab_epoch(theirs), epoch);
    cr_assert(psy_slab_writable(theirs));
    ((uint8_t *)psy_slab_data(theirs))[77] = 1;
    cr_assert_eq(((uint8_t *)psy_slab_data(mine))[77], 1);
    psy_slab_destroy(mine);
    psy_slab *later = open_it((psy_slab_open_options){.adopt = {.holes = PSY_SLAB_HOLES_FILLED}});
    cr_assert_eq(((uint8_t *)psy_slab_data(later))[77], 1, "the server has the memory");
    is_refused((psy_slab_open_options){.adopt = {.max_bytes = 4096}}, PSY_TOO_LARGE, "at most 4096");
    psy_slab_server_counts counts = counts_of(server, 3);
    cr_assert_eq(counts.served, 3u);
    cr_assert_eq(counts.denied + counts.failed, 0u);
    cr_assert_eq(psy_slab_server_work(server), 0u, "its thread does it");
    psy_slab_server_destroy(server);
    cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[9999], 0x5a, "what was given stays");
    is_refused((psy_slab_open_options){0}, PSY_UNREACHABLE, "nobody serves");
    psy_slab_destroy(theirs);
    psy_slab_destroy(later);
    psy_slab_server_destroy(NULL);
    remove_folder();
    cr_assert_eq(open_files(), before);
    cr_assert_eq(mappings("served-slab"), 0u);
}

Test(slab_server, an_agent_of_the_callers_loop)
{
    make_folder();
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine});
    struct pollfd on = {psy_slab_server_fd(server), POLLIN, 0};
    cr_assert_eq(poll(&on, 1, 0), 0);
    cr_assert_eq(psy_slab_server_work(server), 0u);
    int client = silent_client(), other = silent_client();
    cr_assert(client >= 0 && other >= 0);
    cr_assert_eq(poll(&on, 1, 1000), 1, "somebody waits");
    cr_assert_eq(psy_slab_server_work(server), 2u);
    cr_assert_eq(psy_slab_server_work(server), 0u);
    cr_assert_eq(poll(&on, 1, 0), 0);
    psy_slab_offer offer;
    cr_assert_eq(recv(client, &offer, sizeof offer, 0), (ssize_t)sizeof offer);
    cr_assert_eq(offer.magic, PSY_SLAB_OFFER_MAGIC);
    cr_assert_eq(offer.status, (uint32_t)PSY_OK);
    cr_assert_eq(recv(client, &offer, sizeof offer, 0), 0, "and it hangs up");
    close(client);
    close(other);

    /* A server that does not get to work: the client's time-out. */
    uint64_t start = psy__now_ns();
    is_refused((psy_slab_open_options){.timeout_ns = 50 * millisecond_ns}, PSY_TIMEOUT, "does not answer");
    cr_assert_geq(psy__now_ns() - start, 50 * millisecond_ns);
    cr_assert_eq(psy_slab_server_work(server), 1u, "which is gone by now, and harms nobody");
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    remove_folder();
}

Test(slab_server, options_that_make_no_sense)
{
    make_folder();
    psy_slab *mine = slab_to_serve(), *bare, *readers;
    psy_slab_options anonymous = {.bytes = 4096, .anonymous = true};
    psy_slab_adopt_options reading = {.access = PSY_SLAB_READ_ONLY};
    cr_assert_eq(psy_slab_create(&anonymous, &bare), PSY_OK);
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), &reading, &readers), PSY_OK);
    unsigned before = open_files();
    char lengthy[200];
    memset(lengthy, 'x', sizeof lengthy);
    lengthy[0] = '/';
    lengthy[199] = '\0';
    uint32_t users[1] = {0};
    const struct {
        psy_slab_server_options options;
        psy_status status;
        const char *because;
    } wrong[] = {
        {{.slab = mine}, PSY_INVALID, "null"},
        {{.path = served}, PSY_INVALID, "null"},
        {{.path = served, .slab = mine, .user_count = 1}, PSY_INVALID, "null"},
        {{.path = served, .slab = mine, .access = PSY_SLAB_AS_GIVEN}, PSY_INVALID, "access"},
        {{.path = served, .slab = mine, .mode = 01666}, PSY_INVALID, "mode 1666"},
        {{.path = served, .slab = mine, .users = users, .user_count = 65537}, PSY_TOO_LARGE, "65536"},
        {{.path = served, .slab = bare}, PSY_UNSUPPORTED, "without a descriptor"},
        {{.path = served, .slab = readers}, PSY_DENIED, "only be read"},
        {{.path = "relative", .slab = mine}, PSY_INVALID, "absolute"},
        {{.path = "/nonexistent-directory/s", .slab = mine}, PSY_IO, "/nonexistent-directory/s"},
        {{.path = lengthy, .slab = mine}, PSY_TOO_LARGE, "107"},
        {{.path = folder, .slab = mine}, PSY_IO, "no socket"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        psy_slab_server *server = NULL;
        cr_assert_eq(psy_slab_server_create(&wrong[i].options, &server), wrong[i].status, "%zu: %s", i, psy_detail());
        cr_assert_not_null(strstr(psy_detail(), wrong[i].because), "%zu: %s", i, psy_detail());
        cr_assert_null(server);
        cr_assert_eq(open_files(), before);
    }
    psy_slab_server *server = NULL;
    cr_assert_eq(psy_slab_server_create(NULL, &server), PSY_INVALID);
    psy_slab *none = NULL;
    cr_assert_eq(psy_slab_open(NULL, NULL, &none), PSY_INVALID);
    cr_assert_eq(psy_slab_open(served, NULL, NULL), PSY_INVALID);
    cr_assert_eq(psy_slab_open("relative", NULL, &none), PSY_INVALID);
    cr_assert_eq(psy_slab_open(lengthy, NULL, &none), PSY_TOO_LARGE);
    psy_slab_destroy(mine);
    psy_slab_destroy(bare);
    psy_slab_destroy(readers);
    remove_folder();
}

/* ---- who may have it ---- */

Test(slab_server, for_reading_only)
{
    unsigned first = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server =
        serve((psy_slab_server_options){.path = served, .slab = mine, .access = PSY_SLAB_READ_ONLY, .thread = true});
    is_refused((psy_slab_open_options){0}, PSY_DENIED, "only be read");
    for (psy_slab_access access = PSY_SLAB_READ_ONLY; access <= PSY_SLAB_AS_GIVEN; access++) {
        psy_slab *theirs = open_it((psy_slab_open_options){.adopt = {.access = access}});
        cr_assert(!psy_slab_writable(theirs));
        ((uint8_t *)psy_slab_data(mine))[5]++;
        cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[5], ((uint8_t *)psy_slab_data(mine))[5]);
        cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, psy_slab_fd(theirs), 0), MAP_FAILED);
        cr_assert(write(psy_slab_fd(theirs), "x", 1) < 0 && errno == EBADF);
        psy_slab_destroy(theirs);
    }
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

/* What `run` says (at most 200) as that user. */
static int as_user(uint32_t user, int (*run)(void))
{
    int how;
    pid_t child = fork();
    if (child == 0) {
        if (setgid(user) != 0 || setuid(user) != 0) {
            _exit(201);
        }
        _exit(run());
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFEXITED(how));
    return WEXITSTATUS(how);
}

static char *shared_text; /* what a child says */

static int try_open(void)
{
    psy_slab *slab = NULL;
    psy_slab_open_options options = {.adopt = {.access = PSY_SLAB_AS_GIVEN}};
    psy_status status = psy_slab_open(served, &options, &slab);
    snprintf(shared_text, 512, "%s", psy_detail());
    if (status != PSY_OK) {
        return (int)status;
    }
    if (((uint8_t *)psy_slab_data(slab))[9999] != 0x5a) {
        return 202;
    }
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", psy_slab_fd(slab));
    int anew = open(path, O_RDWR | O_CLOEXEC);
    if ((anew >= 0) != psy_slab_writable(slab)) {
        return 203;
    }
    psy_seat seat;
    if (psy_slab_writable(slab) && psy_seat_take(slab, &seat) != PSY_OK) {
        return 204;
    }
    return 0;
}

Test(slab_server, users_on_the_list_and_others)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    if (geteuid() != 0) {
        cr_skip_test("only the superuser can play other users");
    }
    shared_text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(shared_text, MAP_FAILED);
    unsigned first = open_files();
    make_folder_in("/tmp"); /* where others can get to it */
    static const uint32_t users[] = {54321, 54322};
    for (psy_slab_access access = PSY_SLAB_READ_WRITE; access <= PSY_SLAB_READ_ONLY; access++) {
        psy_slab *mine = slab_to_serve();
        psy_slab_server_options options = {
            .path = served, .slab = mine, .access = access, .users = users, .user_count = 2, .thread = true};
        psy_slab_server *server = serve(options);
        cr_assert_eq(mode_of(served), 0666u);
        cr_assert_eq(as_user(54322, try_open), 0, "%s", shared_text);
        cr_assert_eq(as_user(54321, try_open), 0, "%s", shared_text);
        cr_assert_eq(as_user(54320, try_open), PSY_DENIED);
        cr_assert(strstr(shared_text, "user 54320") && strstr(shared_text, "list of 2"), "%s", shared_text);
        psy_slab_destroy(open_it((psy_slab_open_options){.adopt = {.access = PSY_SLAB_AS_GIVEN}})); /* the owner always */
        psy_slab_server_counts counts = counts_of(server, 4);
        cr_assert_eq(counts.served, 3u);
        cr_assert_eq(counts.denied, 1u);
        psy_slab_server_destroy(server);

        options.mode = 0600;
        server = serve(options);
        cr_assert_eq(as_user(54321, try_open), PSY_DENIED, "the socket is closed to it: %s", shared_text);
        cr_assert_not_null(strstr(shared_text, "connect"), "%s", shared_text);
        psy_slab_server_destroy(server);
        psy_slab_destroy(mine);
    }
    munmap(shared_text, 4096);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

Test(slab_server, a_list_without_the_owner)
{
    unsigned first = open_files();
    make_folder();
    static const uint32_t users[] = {54321};
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server = serve(
        (psy_slab_server_options){.path = served, .slab = mine, .users = users, .user_count = 1, .mode = 0640, .thread = true});
    cr_assert_eq(mode_of(served), 0640u);
    psy_slab_destroy(open_it((psy_slab_open_options){0}));
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

/* ---- clients that harm nobody ---- */

Test(slab_server, clients_that_say_nothing_or_too_much_or_are_too_many)
{
    enum { CROWD = 400 };
    static int crowd[CROWD];
    unsigned first = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine});
    unsigned before = open_files(), waiting = 0;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = silent_client();
        waiting += crowd[i] >= 0;
    }
    cr_assert_lt(waiting, (unsigned)CROWD, "more than the system lets wait");
    is_refused((psy_slab_open_options){.timeout_ns = 20 * millisecond_ns}, PSY_TIMEOUT, "does not get round");
    for (int i = 0; i < CROWD; i++) {
        if (crowd[i] >= 0 && i % 3 == 1) {
            cr_assert_geq(send(crowd[i], served, 80, MSG_NOSIGNAL), 0);
        } else if (crowd[i] >= 0 && i % 3 == 2) {
            close(crowd[i]);
            crowd[i] = -1;
        }
    }
    unsigned answered = 0, now;
    while ((now = psy_slab_server_work(server)) != 0) {
        cr_assert_leq(now, 64u, "it comes back in between");
        answered += now;
    }
    cr_assert_eq(answered, waiting);
    unsigned got = 0;
    for (int i = 0; i < CROWD; i++) {
        psy_slab_offer offer;
        if (crowd[i] >= 0) {
            ssize_t n = recv(crowd[i], &offer, sizeof offer, 0);
            if (n < 0 && errno == ECONNRESET) { /* what it said was not read */
                n = recv(crowd[i], &offer, sizeof offer, 0);
            }
            cr_assert_eq(n, (ssize_t)sizeof offer);
            got += offer.status == PSY_OK;
            close(crowd[i]);
        }
    }
    cr_assert_gt(got, 0u);
    cr_assert_eq(open_files(), before);
    psy_slab_server_destroy(server);
    server = serve((psy_slab_server_options){.path = served, .slab = mine, .thread = true});
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = silent_client();
    }
    psy_slab_destroy(open_it((psy_slab_open_options){0}));
    for (int i = 0; i < CROWD; i++) {
        if (crowd[i] >= 0) {
            close(crowd[i]);
        }
    }
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

Test(slab_server, a_server_without_descriptors_still_answers)
{
    static int held[256];
    make_folder();
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine});
    int clients[3] = {silent_client(), silent_client(), silent_client()};
    limit_files(64);
    unsigned n = use_up(held, 0);
    uint32_t answered = psy_slab_server_work(server);
    give_back_files(held, n);
    cr_assert_eq(answered, 3u);
    for (int i = 0; i < 3; i++) {
        psy_slab_offer offer;
        cr_assert_eq(recv(clients[i], &offer, sizeof offer, 0), (ssize_t)sizeof offer);
        cr_assert_eq(offer.status, (uint32_t)PSY_OK);
        close(clients[i]);
    }
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    remove_folder();
}

/* Clients that take what they were sent and never look at it: the system lets so many descriptors be on their way, and no more,
 * for a user without privileges. The rest hears that, and nobody is kept waiting. */
static int unread_offers(void)
{
    enum { CROWD = 60, MOST = 30 };
    int clients[CROWD], code = 0;
    unsigned got = 0, limited = 0;
    make_folder_in("/tmp");
    psy_slab *mine = slab_to_serve();
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine});
    for (int i = 0; i < CROWD; i++) {
        clients[i] = silent_client();
    }
    limit_files(MOST);
    unsigned answered = psy_slab_server_work(server);
    give_back_files(NULL, 0);
    for (int i = 0; i < CROWD; i++) {
        psy_slab_offer offer = {0};
        if (recv(clients[i], &offer, sizeof offer, 0) != (ssize_t)sizeof offer) {
            code = 1;
        } else if (offer.status == PSY_OK) {
            got++;
        } else if (offer.status == PSY_LIMIT && strstr(offer.reason, "not looked at")) {
            limited++;
        } else {
            code = 2;
        }
        close(clients[i]);
    }
    psy_slab_server_counts counts;
    psy_slab_server_get_counts(server, &counts);
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    remove_folder();
    return code                                                   ? code
           : answered != CROWD                                    ? 3
           : got < MOST || limited == 0 || got + limited != CROWD ? 4
           : counts.served != got || counts.failed != CROWD - got ? 5
                                                                  : 0;
}

Test(slab_server, clients_that_never_look_at_what_they_were_sent)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    cr_assert_eq(geteuid() == 0 ? as_user(54321, unread_offers) : unread_offers(), 0);
}

/* Fails at each of the descriptors that it needs in turn: never is anything left. */
Test(slab_server, too_few_descriptors_leave_nothing)
{
    static int held[256];
    make_folder();
    psy_slab *mine = slab_to_serve();
    unsigned before = open_files(), needed = 0;
    psy_status status = PSY_LIMIT;
    for (unsigned there = 0; there < 12 && status != PSY_OK; there++) {
        psy_slab_server *server = NULL;
        psy_slab_server_options options = {
            .path = served, .slab = mine, .access = PSY_SLAB_READ_ONLY, .thread = there % 2 != 0};
        limit_files(64);
        unsigned n = use_up(held, there);
        status = psy_slab_server_create(&options, &server);
        give_back_files(held, n);
        needed = there;
        if (status == PSY_OK) {
            psy_slab_server_destroy(server);
        } else {
            cr_assert_eq(status, PSY_LIMIT, "%u: %s: %s", there, psy_status_name(status), psy_detail());
            cr_assert_not_null(strstr(psy_detail(), "open files"), "%s", psy_detail());
            cr_assert_null(server);
        }
        cr_assert_eq(open_files(), before, "%u", there);
        cr_assert(!is_there(served), "%u", there);
    }
    cr_assert_eq(status, PSY_OK);
    cr_assert_geq(needed, 3u);
    psy_slab_destroy(mine);
    remove_folder();
}
