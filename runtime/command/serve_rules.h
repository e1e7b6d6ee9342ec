/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of psyne/guard.h as people write them:
 *
 *   user:alice connect,program programs=4            WHO: user:NAME, group:NAME (or their numbers), anybody
 *   group:users connect in-flight=256 connections=8  WHAT: connect, program, data, observe, work; all; none
 *   anybody none                                     LIMITS: connections, in-flight, programs, memory (bytes, or 64M, 2G) */
#ifndef PSY_COMMAND_SERVE_RULES_H
#define PSY_COMMAND_SERVE_RULES_H

#include <psyne/guard.h>
#include <psyne/status.h>

/* INVALID, NOT_FOUND (no such user or group): the detail says what is wrong. Blocks: users are looked up. */
PSY_NODISCARD psy_status psy__rule_parse(const char *text, psy_rule *out);

#endif
