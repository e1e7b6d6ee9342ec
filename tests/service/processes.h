/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of tests: their children, and what they hold. */
#ifndef PSY_TESTS_SERVICE_PROCESSES_H
#define PSY_TESTS_SERVICE_PROCESSES_H

#include <sys/types.h>

/* What a process holds of the system's: what is the same before and after has not leaked. */
typedef struct holdings {
    unsigned files, mappings; /* descriptors; mapped slabs */
} holdings;
holdings holdings_of(long pid);
holdings holdings_now(void);
/* Waits a moment for a process to hold what it held before; fails the test if it does not. */
void nothing_leaked(long pid, holdings before);

/* In the child: 0. It ends with the test. */
pid_t start_process(void);

#endif
