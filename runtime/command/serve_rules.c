/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_rules.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    uint32_t may;
} rights[] = {{"connect", PSY_MAY_CONNECT},
              {"program", PSY_MAY_PROGRAM},
              {"data", PSY_MAY_DATA},
              {"observe", PSY_MAY_OBSERVE},
              {"work", PSY_MAY_WORK},
              {"all", PSY_MAY_ALL},
              {"none", 0}};
enum { RIGHTS = sizeof rights / sizeof rights[0], BYTES = 256 };

/* A number below 2^32 - 1, which is nobody's. */
static bool number_of(const char *text, uint32_t *out)
{
    char *end;
    errno = 0;
    const unsigned long long n = strtoull(text, &end, 10);
    *out = (uint32_t)n;
    return *text >= '0' && *text <= '9' && !*end && !errno && n < PSY_ANYBODY;
}

static psy_status set_who(psy_rule *r, const char *who)
{
    if (strcmp(who, "anybody") == 0) {
        return PSY_OK;
    }
    if (strncmp(who, "user:", 5) == 0) {
        const struct passwd *p = number_of(who + 5, &r->uid) ? NULL : getpwnam(who + 5);
        r->uid = p ? p->pw_uid : r->uid;
        return p || number_of(who + 5, &r->uid) ? PSY_OK : psy_fail(PSY_NOT_FOUND, "there is no user `%s`", who + 5);
    }
    if (strncmp(who, "group:", 6) == 0) {
        const struct group *g = number_of(who + 6, &r->gid) ? NULL : getgrnam(who + 6);
        r->gid = g ? g->gr_gid : r->gid;
        return g || number_of(who + 6, &r->gid) ? PSY_OK : psy_fail(PSY_NOT_FOUND, "there is no group `%s`", who + 6);
    }
    return psy_fail(PSY_INVALID, "a rule begins with user:NAME, group:NAME or anybody, and not with `%s`", who);
}

static psy_status set_rights(psy_rule *r, char *words)
{
    char *rest = NULL;
    r->may = 0;
    for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        size_t i = 0;
        while (i < RIGHTS && strcmp(rights[i].word, word) != 0) {
            i++;
        }
        if (i == RIGHTS) {
            return psy_fail(PSY_INVALID,
                            "what somebody may is connect, program, data, observe, work, all or none, and not `%s`", word);
        }
        r->may |= rights[i].may;
    }
    return PSY_OK;
}

/* "64M" */
static bool bytes_of(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    const unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (*text < '0' || *text > '9' || errno || (*end && (!unit || end[1])) || *out > UINT64_MAX >> shift) {
        return false;
    }
    *out <<= shift;
    return *out > 0;
}

static psy_status set_limit(psy_rule *r, const char *word)
{
    const char *equals = strchr(word, '=');
    const size_t n = (size_t)(equals - word);
    const struct {
        const char *name;
        uint32_t *to;
    } limits[] = {{"connections", &r->connections_max}, {"in-flight", &r->in_flight_max}, {"programs", &r->programs_max}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strlen(limits[i].name) == n && memcmp(limits[i].name, word, n) == 0) {
            return number_of(equals + 1, limits[i].to) && *limits[i].to > 0
                       ? PSY_OK
                       : psy_fail(PSY_INVALID, "%s takes a whole number from 1 on, and not `%s`", limits[i].name, equals + 1);
        }
    }
    if (n == 6 && memcmp(word, "memory", n) == 0) {
        return bytes_of(equals + 1, &r->memory_max_bytes)
                   ? PSY_OK
                   : psy_fail(PSY_INVALID, "memory takes bytes, as 1048576, 64M or 2G, and not `%s`", equals + 1);
    }
    return psy_fail(PSY_INVALID, "limits are connections, in-flight, programs and memory, and not `%s`", word);
}

psy_status psy__rule_parse(const char *text, psy_rule *out)
{
    char copy[BYTES], *rest = NULL;
    if (strlen(text) >= sizeof copy) {
        return psy_fail(PSY_TOO_LARGE, "the rule has more than %d bytes", BYTES - 1);
    }
    memcpy(copy, text, strlen(text) + 1);
    *out = (psy_rule){.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT};
    char *word = strtok_r(copy, " \t", &rest);
    psy_status status =
        word ? set_who(out, word) : psy_fail(PSY_INVALID, "a rule begins with user:NAME, group:NAME or anybody");
    bool first = true;
    while (status == PSY_OK && (word = strtok_r(NULL, " \t", &rest)) != NULL) {
        if (strchr(word, '=')) {
            status = set_limit(out, word);
        } else if (first) {
            status = set_rights(out, word);
        } else {
            status = psy_fail(PSY_INVALID, "a rule says once what somebody may, then NAME=LIMIT, and not `%s`", word);
        }
        first = false;
    }
    return status;
}
