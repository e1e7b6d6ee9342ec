/* SPDX-License-Identifier: Apache-2.0 */
/* The monotonic clock, in nanoseconds; the same for all processes of a machine. */
#ifndef PSY_BASE_CLOCK_H
#define PSY_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t psy__now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* a + b, at most UINT64_MAX. */
static inline uint64_t psy__add_ns(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

/* Tells the core that this is a spin loop. */
static inline void psy__relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
