/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/guard.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GROUP_TEXT_BYTES = 65536 };

static const char *const right_names[] = {"connect", "send programs", "change data", "observe", "be a worker"};
static const char *const right_words[] = {"PSY_MAY_CONNECT", "PSY_MAY_PROGRAM", "PSY_MAY_DATA", "PSY_MAY_OBSERVE",
                                          "PSY_MAY_WORK"};
_Static_assert(sizeof right_names / sizeof *right_names == sizeof right_words / sizeof *right_words &&
                   (1 << (sizeof right_names / sizeof *right_names)) - 1 == PSY_MAY_ALL,
               "every right has its words");

psy_status psy__guard_set(psy__guard *guard, const psy_rule *rules, uint32_t count)
{
    if (count > PSY_RULES_MAX || (count > 0 && !rules)) {
        return psy_fail(PSY_INVALID, "%u rules: at most %d, and a table of them", count, PSY_RULES_MAX);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (rules[i].may & ~(uint32_t)PSY_MAY_ALL) {
            return psy_fail(PSY_INVALID, "rule %u: `may` is %#x, and there are no rights but %#x", i, rules[i].may,
                            PSY_MAY_ALL);
        }
        if (rules[i].may && !(rules[i].may & (PSY_MAY_CONNECT | PSY_MAY_WORK))) {
            return psy_fail(PSY_INVALID, "rule %u: `may` is %#x, which nobody can use who may not connect: add %s", i,
                            rules[i].may, right_words[0]);
        }
    }
    psy_rule *copy = calloc((size_t)count + 1, sizeof *copy);
    if (!copy) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u rules", count);
    }
    if (count) {
        memcpy(copy, rules, count * sizeof *copy);
    }
    free(guard->rules);
    *guard = (psy__guard){copy, count, (uint32_t)geteuid()};
    return PSY_OK;
}

void psy__guard_fini(psy__guard *guard)
{
    free(guard->rules);
    *guard = (psy__guard){0};
}

psy_status psy__guard_identify(const psy__guard *guard, psy__link *link, psy__pass *out)
{
    unsigned uid;
    *out = (psy__pass){.uid = PSY_ANYBODY};
    if (psy__link_peer(link, &out->pid, &uid) != PSY_OK || uid == PSY_ANYBODY) {
        return psy_fail(PSY_DENIED, "the system does not say who you are: connect over ipc:// or inproc://");
    }
    out->uid = uid;
    for (uint32_t i = 0; i < guard->rule_count; i++) {
        const psy_rule *rule = &guard->rules[i];
        if ((rule->uid == PSY_ANYBODY || rule->uid == uid) &&
            (rule->gid == PSY_ANYBODY || psy__link_in_group(link, rule->gid))) {
            out->rule = *rule;
            break;
        }
    }
    if (uid == 0 || uid == guard->own_uid) {
        out->rule.may = PSY_MAY_ALL;
    }
    return PSY_OK;
}

psy_status psy__guard_check(const psy__pass *pass, uint32_t right)
{
    if ((pass->rule.may & right) == right) {
        return PSY_OK;
    }
    unsigned which = (unsigned)__builtin_ctz(right);
    return psy_fail(PSY_DENIED,
                    "user %u may not %s here: run as the service's user, or have its operator add a rule with %s for %u",
                    pass->uid, right_names[which], right_words[which], pass->uid);
}

psy_status psy__guard_memory(const psy__pass *pass, uint64_t bytes)
{
    if (pass->rule.memory_max_bytes == 0 || bytes <= pass->rule.memory_max_bytes) {
        return PSY_OK;
    }
    return psy_fail(PSY_LIMIT,
                    "your slabs have %" PRIu64 " bytes, and user %u may bring %" PRIu64
                    ": connect with a smaller in_flight, or have the operator raise memory_max_bytes",
                    bytes, pass->uid, pass->rule.memory_max_bytes);
}

uint32_t psy__guard_programs(const psy__pass *pass, uint32_t most)
{
    uint32_t limit = pass->rule.programs_max;
    return limit && limit < most ? limit : most;
}

psy_status psy__guard_group(const char *text, gid_t *out)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && number < UINT32_MAX) {
        *out = (gid_t)number;
        return PSY_OK;
    }
    char *room = malloc(GROUP_TEXT_BYTES);
    if (!room) {
        return psy_fail(PSY_NO_MEMORY, "no memory to look up the group %s", text);
    }
    struct group entry, *found = NULL;
    int error = getgrnam_r(text, &entry, room, GROUP_TEXT_BYTES, &found);
    if (found) {
        *out = entry.gr_gid;
    }
    free(room);
    return found ? PSY_OK
                 : psy_fail(PSY_NOT_FOUND, "there is no group `%s` on this machine%s%s", text, error ? ": " : "",
                            error ? strerror(error) : "");
}
