/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of the soak, as the one sees them that supervises: it starts them, again when they are dead, kills and stops
 * them, looks at what they hold, and waits for what they do. */
#ifndef PSY_TESTS_SERVICE_SOAK_PROCESSES_H
#define PSY_TESTS_SERVICE_SOAK_PROCESSES_H

#include "tests/service/soak.h"

enum { SOAK_PROCESSES_MAX = 1 + SOAK_SHARDS + 32 };

typedef struct soak_process {
    soak_role role;
    uint32_t index;        /* shard, or kind of client */
    pid_t pid;             /* 0: it is not there */
    bool killed;           /* by us */
    uint64_t born_ns;      /* and when, while it is not there, it is to be born */
    uint64_t stopped_ns;   /* it goes on then; 0: it runs */
    soak_life life;        /* of brokers and workers in the second half */
    soak_holding at_first; /* without clients */
} soak_process;

typedef struct soak_supervisor {
    soak_shared *shared;
    soak_process processes[SOAK_PROCESSES_MAX];
    uint32_t count;
    char folder[96], uri[128];
    uint64_t seed, began_ns, end_ns, half_ns, life_ns, look_ns, said_ns;
    soak_done done;
    uint64_t every_ms; /* a fault, or up to three times as long */
    bool lasting, ending;
} soak_supervisor;

extern soak_supervisor soak;

static const uint64_t ms_ns = 1000000, second_ns = 1000000000;

/* A number from one to the other, by the seed. */
uint64_t soak_chance(uint64_t from, uint64_t to);
/* With SOAK_VERBOSE: what is done to whom. */
void soak_tell(const char *what, const soak_process *p);

/* One more process. */
soak_process *soak_add(soak_role role, uint32_t index);
void soak_kill(soak_process *p);
/* Stands still for a while. */
void soak_stop(soak_process *p);
/* All of that role end by themselves, and are waited for. */
void soak_dismiss(soak_role role);

/* Waits, and meanwhile for who has ended, starts who is due, lets go on who was stopped long enough, looks at memory. */
void soak_rest(uint64_t ns);
/* Until everybody is there and runs. */
void soak_await_all(void);
/* Until the service has answered so many more; until workers were ready so many times. False: that took too long. */
bool soak_await_answers(uint64_t more, uint64_t seconds);
bool soak_await_services(uint64_t n);
uint64_t soak_answered(void);
uint64_t soak_services(void);

/* What a life in the second half has grown: the rule is in doc/soak.md. */
void soak_judge(soak_process *p);
/* What it holds once that has been the same for half a second: starting takes and gives. */
void soak_look_at_first(soak_process *p);
/* Without clients broker and workers hold what they held before there were any, however many came and were killed. */
void soak_check_holdings(void);

#endif
