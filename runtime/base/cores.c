/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/cores.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { TRIPS = 5000, TRIES = 9, WARM_UP = 2 };
/* Cores under one cache: some 50 to 130 ns; over a mesh or between chiplets and sockets: 200 ns and more. */
static const double far_ns = 170;

typedef struct processor {
    int number;
    char siblings[64]; /* the system's list of the processors on its core */
} processor;

static processor processors[CPU_SETSIZE];
static int count, own;

static void read_siblings(processor *p)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", p->number);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(p->siblings, sizeof p->siblings, f)) {
        snprintf(p->siblings, sizeof p->siblings, "%d", p->number); /* unknown: taken as a core of its own */
    }
    if (f) {
        fclose(f);
    }
}

static int is_first_of_its_core(const processor *all, int i)
{
    for (int k = 0; k < i; k++) {
        if (strcmp(all[k].siblings, all[i].siblings) == 0) {
            return 0;
        }
    }
    return 1;
}

static void find(void)
{
    static processor all[CPU_SETSIZE];
    cpu_set_t allowed;
    int n = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &allowed)) {
            all[n].number = (int)cpu;
            read_siblings(&all[n++]);
        }
    }
    for (int first = 1; first >= 0; first--) {
        for (int i = 0; i < n; i++) {
            if (is_first_of_its_core(all, i) == first) {
                processors[count++] = all[i];
                own += first;
            }
        }
    }
}

int psy__cores_count(void)
{
    if (count == 0) {
        find();
    }
    return count;
}

int psy__cores_own(void)
{
    (void)psy__cores_count();
    return own;
}

int psy__cores_number(int k) { return processors[k % psy__cores_count()].number; }

bool psy__cores_pin(int k)
{
    cpu_set_t one;
    if (psy__cores_count() == 0) {
        return false;
    }
    CPU_ZERO(&one);
    CPU_SET((size_t)psy__cores_number(k), &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

typedef struct ball {
    _Alignas(128) _Atomic uint32_t at;
    int where;
} ball;

static void *answer(void *context)
{
    ball *b = context;
    (void)psy__cores_pin(b->where);
    for (uint32_t i = 1; i < 2 * TRIPS * (TRIES + WARM_UP); i += 2) {
        while (atomic_load_explicit(&b->at, memory_order_acquire) != i) {
        }
        atomic_store_explicit(&b->at, i + 1, memory_order_release);
    }
    return NULL;
}

double psy__cores_distance_ns(int first, int second)
{
    ball b = {.where = second};
    pthread_t other;
    cpu_set_t before;
    double best = 0;
    if (psy__cores_count() < 2 || psy__cores_number(first) == psy__cores_number(second) ||
        sched_getaffinity(0, sizeof before, &before) != 0 || !psy__cores_pin(first)) {
        return 0;
    }
    if (pthread_create(&other, NULL, answer, &b) != 0) {
        sched_setaffinity(0, sizeof before, &before);
        return 0;
    }
    uint32_t i = 0;
    for (int t = -WARM_UP; t < TRIES; t++) {
        uint64_t start = psy__now_ns();
        for (int k = 0; k < TRIPS; k++, i += 2) {
            atomic_store_explicit(&b.at, i + 1, memory_order_release);
            while (atomic_load_explicit(&b.at, memory_order_acquire) != i + 2) {
            }
        }
        double ns = (double)(psy__now_ns() - start) / TRIPS;
        best = t <= 0 || ns < best ? ns : best;
    }
    pthread_join(other, NULL);
    sched_setaffinity(0, sizeof before, &before);
    return best;
}

const char *psy__cores_distance_name(double ns) { return ns <= 0 ? "one processor" : ns < far_ns ? "near" : "far"; }
