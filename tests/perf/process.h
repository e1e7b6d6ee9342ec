/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a benchmark: children that end with it, and whose failure ends it. */
#ifndef PSY_TESTS_PERF_PROCESS_H
#define PSY_TESTS_PERF_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

typedef pid_t process;

/* Forks. 0 in the child, which goes on until process_end; in the parent a child that fails meanwhile ends the program. Fork
 * before threads are made. */
process process_start(void);
/* The child's end: nothing of the parent's is run. */
_Noreturn void process_end(void);
/* Waits for the end of a child that ends by itself. */
void process_wait(process child);
/* Asks a child to end with SIGTERM and waits for it; kills it after a while. */
void process_stop(process child);

/* The calling thread, and who it starts from then on, before all other processes of the machine (SCHED_FIFO), or as everybody.
 * False: that is not allowed. Pause between bursts: of a second the system takes 50 ms back. */
bool process_go_first(bool first);

/* A gate where two processes wait for one another, without sleeping. */
typedef struct process_gate process_gate;
process_gate *process_gate_open(void);
void process_gate_meet(process_gate *gate);
void process_gate_close(process_gate *gate);

#endif
