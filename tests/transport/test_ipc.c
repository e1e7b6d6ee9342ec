/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses; what only ipc has: paths, permissions, other processes; and the bells. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/transport/peers.h"

/* ---- addresses ---- */

Test(transport, addresses_that_are_none)
{
    psy__listener *listener = NULL;
    psy__link *link = NULL;
    const char *wrong[] = {NULL, "", "nearest", "ipc:/x", "ipc://relative/path", "inproc://"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(psy__bind(wrong[i], &listener), PSY_INVALID, "%s", wrong[i] ? wrong[i] : "NULL");
        cr_assert_gt(strlen(psy_detail()), 10u);
    }
    cr_assert_eq(psy__connect("ipc://relative/path", 0, &link), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "absolute"), "%s", psy_detail());
    cr_assert_eq(psy__bind("tcp://localhost:1", &listener), PSY_UNSUPPORTED);
    cr_assert_not_null(strstr(psy_detail(), "inproc"), "%s", psy_detail());
    cr_assert_eq(psy__connect("tcp://localhost:1", 0, &link), PSY_UNSUPPORTED);
    char lengthy[300];
    memset(lengthy, 'x', sizeof lengthy);
    memcpy(lengthy, "ipc:///", 7);
    lengthy[sizeof lengthy - 1] = '\0';
    cr_assert_eq(psy__bind(lengthy, &listener), PSY_TOO_LARGE);
    cr_assert_eq(psy__connect(lengthy, 0, &link), PSY_TOO_LARGE);
    memcpy(lengthy, "inproc:///", 10);
    cr_assert_eq(psy__bind(lengthy, &listener), PSY_INVALID);
    cr_assert_null(listener);
    cr_assert_null(link);
}

Test(ipc_files, only_the_owner_may_connect_and_nothing_is_left)
{
    make_directory();
    char uri[160], path[128], lock[144];
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(lock, sizeof lock, "%s.psyne-lock", path);
    snprintf(uri, sizeof uri, "ipc://%s", path);
    psy__listener *listener;
    struct stat st;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(lstat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600u);
    cr_assert_eq(lstat(lock, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600u);
    psy__listener_close(listener);
    cr_assert_neq(lstat(path, &st), 0);
    cr_assert_neq(lstat(lock, &st), 0);
    remove_directory();
}

Test(ipc_files, what_is_no_dead_socket_stays)
{
    make_directory();
    unsigned before = open_files();
    char uri[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    snprintf(uri, sizeof uri, "ipc://%s", address.sun_path);
    psy__listener *listener = NULL;
    struct stat st;

    int fd = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(psy__bind(uri, &listener), PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "no socket"), "%s", psy_detail());
    cr_assert_eq(lstat(address.sun_path, &st), 0, "a file of the user's is not removed");
    unlink(address.sun_path);

    int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) { /* another program, which knows no lock files */
        int other = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(other, (struct sockaddr *)&address, sizeof address), 0);
        cr_assert_eq(listen(other, 1), 0);
        cr_assert_eq(psy__bind(uri, &listener), PSY_IO);
        cr_assert_not_null(strstr(psy_detail(), "in use"), "%s", psy_detail());
        cr_assert_eq(lstat(address.sun_path, &st), 0);
        close(other); /* it dies, and leaves its socket */
        cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
        psy__listener_close(listener);
        cr_assert_neq(lstat(address.sun_path, &st), 0);
    }

    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    unlink(address.sun_path); /* somebody cleans up and puts another file there */
    fd = open(address.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    psy__listener_close(listener);
    bool same_number = lstat(address.sun_path, &st) != 0; /* a file system may use an inode's number again at once */
    cr_assert(!same_number || open_files() == before);
    unlink(address.sun_path);
    cr_assert_eq(open_files(), before);
    remove_directory();
}

Test(ipc_files, no_permission)
{
    if (geteuid() == 0) {
        cr_skip_test("the superuser is denied nothing");
    }
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/nothing", directory);
    psy__listener *listener = NULL;
    cr_assert_eq(chmod(directory, 0500), 0);
    cr_assert_eq(psy__bind(uri, &listener), PSY_DENIED, "%s", psy_detail());
    cr_assert_not_null(strstr(psy_detail(), uri), "%s", psy_detail());
    remove_directory();
}

Test(ipc_files, a_directory_that_is_not_there)
{
    psy__listener *listener = NULL;
    psy__link *link = NULL;
    cr_assert_eq(psy__bind("ipc:///nonexistent-directory/s", &listener), PSY_IO);
    cr_assert_not_null(strstr(psy_detail(), "/nonexistent-directory/s"), "%s", psy_detail());
    cr_assert_eq(psy__connect("ipc:///nonexistent-directory/s", 0, &link), PSY_UNREACHABLE);
}

/* Many start at once on the socket of a dead service, again and again: never do two of them serve. */
typedef struct rush {
    const char *uri;
    _Atomic uint32_t *serving, *clashes, *served;
} rush;

static void *rush_in(void *argument)
{
    rush *r = argument;
    for (int i = 0; i < 300; i++) {
        psy__listener *listener;
        if (psy__bind(r->uri, &listener) == PSY_OK) {
            atomic_fetch_add(r->clashes, atomic_fetch_add(r->serving, 1) != 0);
            atomic_fetch_add(r->served, 1);
            sched_yield();
            atomic_fetch_sub(r->serving, 1);
            psy__listener_close(listener);
        }
    }
    return NULL;
}

Test(ipc_files, two_never_serve_one_address)
{
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    _Atomic uint32_t serving = 0, clashes = 0, served = 0;
    rush r = {uri, &serving, &clashes, &served};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, rush_in, &r), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(atomic_load(&clashes), 0u);
    cr_assert_gt(atomic_load(&served), 0u);
    remove_directory();
}

/* ---- other processes ---- */

Test(ipc_processes, a_killed_client_is_noticed)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    psy__listener *listener;
    psy__link *server;
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "%s", psy_detail());
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy__link *link;
        psy__control m = numbered(3, 30);
        if (psy__connect(uri, second_ns, &link) == PSY_OK && psy__link_send(link, &m, 1) == PSY_OK) {
            pause();
        }
        _exit(1);
    }
    cr_assert(readable(psy__listener_fd(listener), 5000));
    cr_assert_eq(psy__accept(listener, &server), PSY_OK);
    expect(server, 3, 30);
    int pid = 0;
    unsigned uid;
    cr_assert_eq(psy__link_peer(server, &pid, &uid), PSY_OK);
    cr_assert_eq(pid, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect_end(server);
    psy__link_close(server);
    psy__listener_close(listener);
    remove_directory();
}

Test(ipc_processes, a_killed_service_is_noticed_and_replaced)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    make_directory();
    char uri[128];
    snprintf(uri, sizeof uri, "ipc://%s/s", directory);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        psy__listener *listener;
        psy__link *link;
        while (psy__bind(uri, &listener) == PSY_OK) {
            while (psy__accept(listener, &link) == PSY_EMPTY) {
                usleep(1000);
            }
            pause();
        }
        _exit(1);
    }
    psy__link *link;
    psy__listener *listener = NULL;
    cr_assert_eq(psy__connect(uri, 10 * second_ns, &link), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__bind(uri, &listener), PSY_IO, "it lives");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    expect_end(link);
    psy__link_close(link);
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_UNREACHABLE);
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK, "its socket and lock are left behind and taken over: %s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK);
    psy__link_close(link);
    psy__listener_close(listener);
    remove_directory();
}
