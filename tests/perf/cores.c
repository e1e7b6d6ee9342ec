/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/perf/cores.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cores.h"

int cores_count(void)
{
    if (psy__cores_count() == 0) {
        perror("sched_getaffinity");
        exit(2);
    }
    return psy__cores_count();
}

int cores_system_number(int k) { return psy__cores_number(k % cores_count()); }

void cores_pin(int k)
{
    if (!psy__cores_pin(k)) {
        perror("sched_setaffinity");
        exit(2);
    }
}

double cores_distance_ns(void) { return psy__cores_distance_ns(0, 1); }

const char *cores_distance_name(double ns) { return psy__cores_distance_name(ns); }
