/* SPDX-License-Identifier: Apache-2.0 */
/* Opening slabs by name: servers that come late, die, or lie, and what this process has not enough of. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "tests/mem/serving.h"
#include "transport/transport.h"

Test(slab_open, opening_with_too_few_descriptors_leaves_nothing)
{
    static int held[256];
    make_folder();
    psy_slab *mine = slab_to_serve(), *theirs = NULL;
    psy_slab_server *server = serve((psy_slab_server_options){.path = served, .slab = mine});
    unsigned before = open_files();
    for (unsigned there = 0; there < 2; there++) {
        /* The server answers when it is too late: what was sent waits, and needs a descriptor to be received. */
        psy_slab_open_options options = {.timeout_ns = 20 * millisecond_ns};
        limit_files(64);
        unsigned n = use_up(held, there);
        psy_status status = psy_slab_open(served, &options, &theirs);
        give_back_files(held, n);
        cr_assert_eq(status, there == 0 ? PSY_LIMIT : PSY_TIMEOUT, "%s", psy_detail());
        cr_assert_null(theirs);
        cr_assert_eq(open_files(), before);
    }
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    remove_folder();
}

Test(slab_open, a_slab_that_there_is_no_descriptor_for)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    static int held[256];
    make_folder();
    psy_slab *mine = slab_to_serve(), *theirs = NULL;
    pid_t child = serving_child(mine);
    unsigned before = open_files();
    for (unsigned there = 0; there < 3; there++) {
        limit_files(64);
        unsigned n = use_up(held, there);
        psy_status status = psy_slab_open(served, NULL, &theirs);
        give_back_files(held, n);
        cr_assert_eq(status, there < 2 ? PSY_LIMIT : PSY_OK, "%u: %s", there, psy_detail());
        cr_assert(status == PSY_OK || strstr(psy_detail(), "open files"), "%s", psy_detail());
        cr_assert_eq(theirs == NULL, status != PSY_OK);
    }
    psy_slab_destroy(theirs);
    cr_assert_eq(open_files(), before);
    end_child(child);
    psy_slab_server_destroy(serve((psy_slab_server_options){.path = served, .slab = mine}));
    psy_slab_destroy(mine);
    remove_folder();
}

/* ---- servers that come and go ---- */

static void *serve_soon(void *slab)
{
    struct timespec t = {0, 60 * 1000000};
    nanosleep(&t, NULL);
    return serve((psy_slab_server_options){.path = served, .slab = slab, .thread = true});
}

Test(slab_open, waiting_for_a_server_that_comes_later)
{
    unsigned first = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    pthread_t thread;
    void *server;
    uint64_t start = psy__now_ns();
    is_refused((psy_slab_open_options){.timeout_ns = 2000 * millisecond_ns}, PSY_UNREACHABLE, "nobody serves");
    cr_assert_lt(psy__now_ns() - start, 1000 * millisecond_ns, "at once");
    is_refused((psy_slab_open_options){.timeout_ns = 30 * millisecond_ns, .wait = true}, PSY_UNREACHABLE, "time given");
    cr_assert_eq(pthread_create(&thread, NULL, serve_soon, mine), 0);
    psy_slab_destroy(open_it((psy_slab_open_options){.timeout_ns = 20000 * millisecond_ns, .wait = true}));
    pthread_join(thread, &server);
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

Test(slab_open, one_at_a_time_and_the_dead_are_replaced)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    unsigned first = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    int how;
    pid_t child = serving_child(mine);
    psy_slab_server *server = NULL;
    psy_slab_server_options options = {.path = served, .slab = mine, .thread = true};
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_slab_server_create(&options, &server), PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "in use"), "%s", psy_detail());
    cr_assert_lt(psy__now_ns() - start, 500 * millisecond_ns, "that is told at once");
    psy_slab_destroy(open_it((psy_slab_open_options){0}));
    cr_assert_eq(kill(child, SIGSTOP), 0);
    cr_assert_eq(waitpid(child, &how, WUNTRACED), child);
    cr_assert_eq(psy_slab_server_create(&options, &server), PSY_IO, "slow is not dead");
    is_refused((psy_slab_open_options){.timeout_ns = 20 * millisecond_ns}, PSY_TIMEOUT, "does not answer");
    end_child(child);
    cr_assert(is_there(served), "left behind");
    is_refused((psy_slab_open_options){0}, PSY_UNREACHABLE, "nobody serves");
    server = serve(options);
    psy_slab_destroy(open_it((psy_slab_open_options){0}));

    /* A child that frees what it inherited takes nothing from its parent. */
    child = fork();
    if (child == 0) {
        psy_slab_server_destroy(server);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    psy_slab_destroy(open_it((psy_slab_open_options){0}));
    psy_slab_server_destroy(server);
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}

/* ---- servers that lie ---- */

typedef struct lie {
    psy_slab_offer offer;
    uint32_t bytes, fds; /* of the offer; of descriptors that go with it */
    psy_status status;
    const char *because;
    bool junk; /* the descriptors are no slab */
} lie;

typedef struct liar {
    psy__listener *listener;
    const lie *told;
    int fd;
} liar;

static void *tell(void *argument)
{
    liar *l = argument;
    psy__link *link;
    struct pollfd on = {psy__listener_fd(l->listener), POLLIN, 0};
    if (poll(&on, 1, 20000) != 1 || psy__accept(l->listener, &link) != PSY_OK) {
        return "nobody came";
    }
    psy__control m = {.bytes = l->told->bytes, .fd_count = l->told->fds, .fds = {l->fd, l->fd, l->fd}};
    memcpy(m.data, &l->told->offer, sizeof l->told->offer);
    if (m.bytes != 0 && psy__link_send(link, &m, 1) != PSY_OK) {
        return "it could not be said";
    }
    psy__link_close(link);
    return NULL;
}

Test(slab_open, what_is_no_slabs_server)
{
    unsigned first = open_files();
    make_folder();
    psy_slab *mine = slab_to_serve();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s", served);
    enum { ALL = sizeof(psy_slab_offer) };
    psy_slab_offer good = {.magic = PSY_SLAB_OFFER_MAGIC, .abi_major = PSY_SLAB_OFFER_MAJOR}, foreign = good, future = good;
    psy_slab_offer full = good, strange = good, huge = good, rude = good;
    foreign.magic++;
    future.abi_major = 9;
    full.status = PSY_FULL;
    strange.status = 12345;
    huge.status = UINT32_MAX;
    rude.status = PSY_DENIED;
    memset(rude.reason, 'a', sizeof rude.reason); /* without an end */
    rude.reason[0] = '\033';
    const lie lies[] = {
        {good, 0, 0, PSY_PROTOCOL, "without a word", false},
        {good, ALL - 1, 1, PSY_PROTOCOL, "191 bytes", false},
        {foreign, ALL, 1, PSY_PROTOCOL, "not a slab's server", false},
        {future, ALL, 1, PSY_VERSION, "9.0, this library 1.0", false},
        {full, ALL, 0, PSY_PROTOCOL, "status 2", false},
        {strange, ALL, 1, PSY_PROTOCOL, "status 12345", false},
        {huge, ALL, 1, PSY_PROTOCOL, "status 4294967295", false},
        {rude, ALL, 1, PSY_DENIED, "?aaa", false},
        {good, ALL, 0, PSY_PROTOCOL, "with 0 descriptors", false},
        {good, ALL, 3, PSY_PROTOCOL, "with 3 descriptors", false},
        {good, ALL, 1, PSY_CORRUPT, "no memfd", true},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        liar l = {.told = &lies[i], .fd = lies[i].junk ? 0 : psy_slab_fd(mine)};
        pthread_t thread;
        void *wrong;
        cr_assert_eq(psy__bind(uri, &l.listener), PSY_OK, "%s", psy_detail());
        cr_assert_eq(pthread_create(&thread, NULL, tell, &l), 0);
        psy_slab *slab = NULL;
        psy_slab_open_options patient = {.timeout_ns = 20000 * millisecond_ns};
        psy_status status = psy_slab_open(served, &patient, &slab);
        char why[512];
        snprintf(why, sizeof why, "%s", psy_detail());
        pthread_join(thread, &wrong);
        cr_assert_null(wrong, "%zu: %s", i, wrong ? (const char *)wrong : "");
        psy__listener_close(l.listener);
        cr_assert_eq(status, lies[i].status, "%zu: %s (%s)", i, psy_status_name(status), why);
        cr_assert_not_null(strstr(why, lies[i].because), "%zu: %s", i, why);
        cr_assert_null(slab);
    }
    cr_assert_eq(mappings("served-slab"), 1u, "only mine");
    psy_slab_destroy(mine);
    cr_assert_eq(open_files(), first);
    remove_folder();
}
