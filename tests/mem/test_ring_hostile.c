/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that lie: whatever they write, and whenever, costs at most the ring. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/mem/hostile.h"
#include "tests/mem/world.h"

/* A call that a lie keeps going: far more than any needs on rings of these sizes. */
static const uint64_t longest_ns = 500000000;
enum { SCRIPTS = 80, SIZES = 2, RACES_MS = 700 };

static void expect_bounded(const hostile *h)
{
    cr_assert_lt(h->longest_ns, longest_ns, "a call took %llu us", (unsigned long long)(h->longest_ns / 1000));
}

Test(ring_hostile, lies_between_calls)
{
    uint64_t calls = 0, found = 0, longest = 0;
    for (uint64_t seed = 1; seed <= test_many(SCRIPTS, 2); seed++) {
        hostile h;
        script s = {.state = seed * UINT64_C(0x9e3779b97f4a7c15)};
        hostile_play(&s, &h);
        expect_bounded(&h);
        calls += h.calls;
        found += h.found;
        longest = h.longest_ns > longest ? h.longest_ns : longest;
    }
    cr_log_info("%llu calls, %llu with slots in hand, the longest %llu us", (unsigned long long)calls,
                (unsigned long long)found, (unsigned long long)(longest / 1000));
    cr_assert_gt(found, calls / 20, "hardly a call did anything");
}

/* Another process writes all the time, until it is killed. */
static void lies_during_calls(psy_ring_kind kind)
{
    static const uint32_t slots[SIZES] = {16, 4096};
    for (uint32_t i = 0; i < SIZES; i++) {
        hostile h;
        psy_ring_shape shape = {kind, 24, slots[i]};
        script s = {.state = i + 1}, lies = {.state = i + 77};
        hostile_open(&h, &shape);
        fflush(NULL); /* or the child would say it again */
        pid_t liar = fork();
        if (liar == 0) {
            for (;;) { /* some at once, then time for it to be believed */
                for (uint64_t n = random_next(&lies.state) % 8; n > 0; n--) {
                    hostile_scribble(&h, &lies);
                }
                for (volatile uint64_t n = random_next(&lies.state) % 2000; n > 0; n--) {
                }
            }
        }
        cr_assert_gt(liar, 0);
        struct timespec began, now;
        clock_gettime(CLOCK_MONOTONIC, &began);
        do {
            for (uint32_t n = 0; n < 64; n++) {
                hostile_call(&h, &s);
            }
            clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < (long)test_many(RACES_MS, 1));
        int how;
        cr_assert_eq(kill(liar, SIGKILL), 0);
        cr_assert_eq(waitpid(liar, &how, 0), liar);
        cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL, "the liar itself ended");
        expect_bounded(&h);
        cr_log_info("%s of %u slots: %llu calls, %llu with slots in hand, the longest %llu us", kind_name(kind), slots[i],
                    (unsigned long long)h.calls, (unsigned long long)h.found, (unsigned long long)(h.longest_ns / 1000));
        hostile_close(&h);
    }
}

Test(ring_hostile, lies_during_calls_of_spsc) { lies_during_calls(PSY_RING_SPSC); }
Test(ring_hostile, lies_during_calls_of_mpsc) { lies_during_calls(PSY_RING_MPSC); }
Test(ring_hostile, lies_during_calls_of_spmc) { lies_during_calls(PSY_RING_SPMC); }
Test(ring_hostile, lies_during_calls_of_mpmc) { lies_during_calls(PSY_RING_MPMC); }
