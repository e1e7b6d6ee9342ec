/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for sockets, a slab to serve in it, servers and who opens what they serve; and limits of open files. */
#ifndef PSY_TESTS_MEM_SERVING_H
#define PSY_TESTS_MEM_SERVING_H

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/slab_server.h>

#include "tests/opened.h"

static char folder[80], served[96];

static inline void make_folder_in(const char *base)
{
    snprintf(folder, sizeof folder, "%s/psyne-XXXXXX", base);
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chmod(folder, 0755), 0);
    snprintf(served, sizeof served, "%s/s", folder);
}

static inline void make_folder(void)
{
    const char *base = getenv("TMPDIR");
    make_folder_in(base && strlen(base) <= 50 ? base : "/tmp"); /* socket paths are short */
}

static inline void remove_folder(void) { cr_assert_eq(rmdir(folder), 0, "files are left in %s", folder); }

static inline bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline psy_slab *slab_to_serve(void)
{
    psy_slab *slab = NULL;
    psy_slab_options options = {.bytes = 10000, .name = "served-slab"};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK, "%s", psy_detail());
    memset(psy_slab_data(slab), 0x5a, 10000);
    return slab;
}

static inline psy_slab_server *serve(psy_slab_server_options options)
{
    psy_slab_server *server = NULL;
    cr_assert_eq(psy_slab_server_create(&options, &server), PSY_OK, "%s", psy_detail());
    return server;
}

static const uint64_t millisecond_ns = 1000000;

static inline psy_slab *open_it(psy_slab_open_options options)
{
    psy_slab *slab = NULL;
    cr_assert_eq(psy_slab_open(served, &options, &slab), PSY_OK, "%s", psy_detail());
    return slab;
}

static inline void is_refused(psy_slab_open_options options, psy_status expected, const char *because)
{
    psy_slab *slab = NULL;
    psy_status status = psy_slab_open(served, &options, &slab);
    cr_assert_eq(status, expected, "%s (%s), not %s", psy_status_name(status), psy_detail(), psy_status_name(expected));
    cr_assert_not_null(strstr(psy_detail(), because), "`%s` does not say `%s`", psy_detail(), because);
    cr_assert_not_null(strstr(psy_detail(), served), "`%s` does not say which", psy_detail());
    cr_assert_null(slab);
}

/* A process that serves until it is killed. */
static inline pid_t serving_child(psy_slab *slab)
{
    int ready[2];
    char ok = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        psy_slab_server *server;
        psy_slab_server_options options = {.path = served, .slab = slab, .thread = true};
        char c = psy_slab_server_create(&options, &server) == PSY_OK;
        if (write(ready[1], &c, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(read(ready[0], &ok, 1), 1);
    cr_assert_eq(ok, 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static inline void end_child(pid_t child)
{
    int how;
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
}

/* ---- open files that there are not ---- */

static struct rlimit limit_before;

static inline void limit_files(rlim_t most)
{
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
    struct rlimit less = {most, limit_before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &less), 0);
}

/* Takes all descriptors but `but`. */
static inline unsigned use_up(int *held, unsigned but)
{
    unsigned n = 0;
    while (n < 256 && (held[n] = dup(0)) >= 0) {
        n++;
    }
    for (; but > 0 && n > 0; but--) {
        close(held[--n]);
    }
    return n;
}

static inline void give_back_files(int *held, unsigned n)
{
    while (n > 0) {
        close(held[--n]);
    }
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit_before), 0);
}

#endif
