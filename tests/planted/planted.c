/* SPDX-License-Identifier: Apache-2.0 */
/* Tests with one planted fault each, chosen by -DPLANT_NAME. planted.sh builds them and expects the runner to notice. Every
 * test here would pass if nobody looked: the fault is what a sanitizer, or the runner, must see. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/test.h"

/* A value that the compiler does not know. */
static int opaque(int value)
{
    static volatile int store;
    store = value;
    return store;
}

Test(planted, a_good_one) { cr_assert_eq(opaque(2) + 2, 4); }

#if defined PLANT_GOOD
Test(planted, another_good_one) { cr_assert_str_eq("psyne", "psyne"); }
Test(planted, cannot_run_here) { cr_skip_test("there is no moon"); }

#elif defined PLANT_WRONG
Test(planted, b) { cr_assert_eq(opaque(2) + 2, 5, "two and two are %d", opaque(2) + 2); }

#elif defined PLANT_OVERFLOW
Test(planted, b)
{
    volatile char *bytes = malloc((size_t)opaque(16));
    cr_assert_not_null((void *)bytes);
    bytes[opaque(16)] = 1;
    free((void *)bytes);
}

#elif defined PLANT_LEAK
Test(planted, b)
{
    void *volatile lost = malloc((size_t)opaque(1000));
    cr_assert_not_null(lost);
    lost = NULL;
}

#elif defined PLANT_SIGNED
Test(planted, b)
{
    int sum = opaque(0x7fffffff) + opaque(1);
    cr_assert_neq(sum, 0);
}

#elif defined PLANT_RACE
static int shared_count;
static atomic_int turn;

static void *second(void *context)
{
    while (atomic_load_explicit(&turn, memory_order_relaxed) == 0) {
    }
    shared_count++; /* after the other one's, but nothing says so */
    return context;
}

Test(planted, b)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, second, NULL), 0);
    shared_count++;
    atomic_store_explicit(&turn, 1, memory_order_relaxed);
    pthread_join(thread, NULL);
    cr_assert_eq(shared_count, 2);
}

#elif defined PLANT_PROCESS
/* The second fork makes the sleeper an orphan. */
Test(planted, b)
{
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            execlp("sleep", "sleep", "60", (char *)NULL);
        }
        _exit(0);
    }
    cr_assert_gt(child, 0);
}

#elif defined PLANT_MEMORY
Test(planted, b)
{
    char name[100];
    snprintf(name, sizeof name, "/%s-planted", getenv("PSYNE_TEST_MARK"));
    int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

#elif defined PLANT_FILE
Test(planted, b)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/planted", getenv("TMPDIR"));
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

#elif defined PLANT_HANG
Test(planted, b)
{
    for (;;) {
        pause();
    }
}

#elif defined PLANT_CRASH
Test(planted, b) { raise(SIGSEGV); }

#elif defined PLANT_LEAVE
/* Ends the whole program as if all were well, before the next test. */
Test(planted, b) { exit(0); }
Test(planted, c) { cr_assert(1); }

#elif defined PLANT_STATUS
static void spoil(void) { _exit(3); }
Test(planted, b) { atexit(spoil); }

#else
#error "say which fault"
#endif
