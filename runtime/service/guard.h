/* SPDX-License-Identifier: Apache-2.0 */
/* The guard: who a peer is, which rule fits it, what it may, and how much. Its answers are statuses with a text that says what
 * the operator has to change. */
#ifndef PSY_SERVICE_GUARD_H
#define PSY_SERVICE_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include <psyne/guard.h>
#include <psyne/status.h>

#include "transport/transport.h"

/* A peer, as the system and the rules have it. */
typedef struct psy__pass {
    uint32_t uid;
    int pid;
    psy_rule rule; /* the one that fits; `may` is what the peer may in the end */
} psy__pass;

typedef struct psy__guard {
    psy_rule *rules;
    uint32_t rule_count;
    uint32_t own_uid;
} psy__guard;

/* Copies the rules: OK, INVALID (a rule that says nothing meaningful, named by its number), NO_MEMORY; then the guard is as it
 * was. `guard` is zeroed or has rules. */
PSY_NODISCARD psy_status psy__guard_set(psy__guard *guard, const psy_rule *rules, uint32_t count);
void psy__guard_fini(psy__guard *guard);

/* Who is at the other end of a link: OK, or DENIED where the system does not tell. */
PSY_NODISCARD psy_status psy__guard_identify(const psy__guard *guard, psy__link *link, psy__pass *out);

/* OK, or DENIED: names the user and what would allow it. `right` is one of PSY_MAY_.... */
PSY_NODISCARD psy_status psy__guard_check(const psy__pass *pass, uint32_t right);

/* Whether a client's slabs are as small as they have to be: OK, or LIMIT with both numbers. */
PSY_NODISCARD psy_status psy__guard_memory(const psy__pass *pass, uint64_t bytes);

/* How many programs a client may have sent where the service allows `most`. */
uint32_t psy__guard_programs(const psy__pass *pass, uint32_t most);

/* `text` as a user group, by name or number: OK, NOT_FOUND. */
PSY_NODISCARD psy_status psy__guard_group(const char *text, gid_t *out);

#endif
