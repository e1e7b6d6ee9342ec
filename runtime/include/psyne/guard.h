/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what at a service, and how much of it: a table of rules, of which the first that fits a peer counts. The system
 * says who a peer is, never the peer itself.
 *
 *   static const psy_rule rules[] = {
 *       {.uid = 1001, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT | PSY_MAY_PROGRAM, .programs_max = 4},
 *       {.uid = PSY_ANYBODY, .gid = 100, .may = PSY_MAY_CONNECT, .in_flight_max = 256, .connections_max = 8},
 *   };
 *   psy_broker_options options = {.uri = uri, .module = module, .rules = rules, .rule_count = 2, .mode = 0660, .group =
 * "users"};
 *
 * Without a rule that fits, the broker's own user and root may all, and nobody else may connect. These two keep their rights
 * whatever the rules say, since they could take them anyhow; the limits of the first rule that fits hold for them too. The
 * address's mode and group come first: who may not connect to the socket never reaches the rules.
 *
 * A row that is all zero names root and nobody else: PSY_ANYBODY has to be said.
 */
#ifndef PSYNE_GUARD_H
#define PSYNE_GUARD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_ANYBODY UINT32_MAX

enum {
    PSY_MAY_CONNECT = 1, /* call pipelines */
    PSY_MAY_PROGRAM = 2, /* send modules */
    PSY_MAY_DATA = 4,    /* change resident data */
    PSY_MAY_OBSERVE = 8, /* read what the service says of itself, and of others */
    PSY_MAY_WORK = 16,   /* be a worker: it answers in the service's name, and sees every request */
    PSY_MAY_ALL = 31
};
enum { PSY_RULES_MAX = 1024 };

typedef struct psy_rule {
    uint32_t uid, gid;         /* whom it fits: both; the effective user, any group of the peer; PSY_ANYBODY: all */
    uint32_t may;              /* PSY_MAY_..., or-ed; 0: nothing, so that a rule can keep somebody out */
    uint32_t connections_max;  /* clients of one user at a time; 0: as many as the service has */
    uint32_t in_flight_max;    /* of a client's requests inside the service at a time, the rest wait in its ring; 0: no limit */
    uint32_t programs_max;     /* modules that a client may have sent at a time; 0: as the service's client_programs */
    uint64_t memory_max_bytes; /* of the slabs that a client brings, together; 0: no limit but the protocol's */
} psy_rule;

#ifdef __cplusplus
}
#endif
#endif
