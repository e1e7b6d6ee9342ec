/* SPDX-License-Identifier: Apache-2.0 */
/* Load on a service: clients, each a thread with a channel of its own, that send requests for a while and take the replies.
 *
 * Closed loop (rate 0): as many in flight as are allowed, all the time: what the service can do. Open loop: at the times that a
 * schedule gives (schedule.h), whatever the service does: how long users would wait. The latency of a request is from its
 * scheduled time, in the closed loop from its sending, to the poll that found its reply.
 *
 * What has no reply is not left out of the latencies, where it would be missed most: a request that timed out, that was due and
 * not sent when the time was over, or whose reply never came, is in them with the time that it had waited until then, which is
 * the least that its latency can be. One that was answered with another error is in the errors only: a quick refusal is no
 * quick answer.
 *
 *   psy__load_plan plan = {...};
 *   psy__load_result *r = psy__load_run(&plan, "bench", quiet);      // NULL: it was said why not
 *   ...
 *   free(r);
 */
#ifndef PSY_COMMAND_LOAD_H
#define PSY_COMMAND_LOAD_H

#include "command/histogram.h"
#include "command/requests.h"
#include "command/schedule.h"

enum { PSY_LOAD_STATUSES = 64, PSY_LOAD_CLIENTS_MAX = 256 };

typedef struct psy__load_plan {
    const char *uri, *pipeline;
    psy_type request, reply;
    const psy__requests *requests; /* sent in turn; each client begins at another */
    const psy__requests *expected; /* of type `reply`, one for each request; NULL: replies are not compared */
    bool same;                     /* replies to one request are all like its first */
    uint32_t clients, in_flight;   /* in flight of each client */
    uint32_t batch;                /* requests that are sent together; at most in_flight */
    double rate;                   /* a second, of all clients together; 0: closed loop */
    psy__arrivals arrivals;
    uint64_t seed;
    bool spin; /* clients never sleep: each needs a core of its own */
    uint64_t warmup_ns, run_ns;
    uint64_t count; /* requests, of all clients together, after which it is over too; 0: no end but time */
    uint32_t timeout_ms;
} psy__load_plan;

typedef struct psy__load_result {
    uint64_t run_ns;                      /* how long it was measured: less than planned where it was stopped */
    uint64_t scheduled, sent;             /* requests in this time; in the closed loop both are the same */
    uint64_t statuses[PSY_LOAD_STATUSES]; /* of their replies, by number */
    uint64_t in_time;                     /* replies that were OK and came while it was measured, to whichever request */
    uint64_t unsent, unanswered;          /* due and not sent; sent, and the channel broke before there was a reply */
    uint64_t late, latest_ns;             /* sent over PSY_LOAD_LATE_NS after their time though there was room: the generator is
                                           * too slow; and by how much at most */
    uint64_t held;                        /* sent late because as many were in flight as are allowed: the service is */
    uint64_t different;                   /* replies that are not what they should be */
    bool stopped;                         /* by SIGINT or SIGTERM */
    char trouble[256], difference[512];   /* the first of each, in words; "" */
    psy__histogram latency;
} psy__load_result;

#define PSY_LOAD_LATE_NS UINT64_C(1000000)

/* Runs it to its end, or until the process is asked to end. Progress goes to standard error. NULL: a channel could not be
 * opened, which was said; *status is the exit status then. The caller frees the result. */
psy__load_result *psy__load_run(const psy__load_plan *plan, const char *what, bool silent, int *status);

/* Whether requests that were sent were lost, or answered with anything but what was expected. */
bool psy__load_failed(const psy__load_result *r);

#endif
