/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of `psyne counters`: counters.c has the command and the rings, counters_sections.c the rest. */
#ifndef PSY_COMMAND_COUNTERS_H
#define PSY_COMMAND_COUNTERS_H

#include <stdbool.h>

#include <psyne/counters.h>

/* Tables of those sections that have something, each after an empty line. `before`, which may be NULL, is what rates are
 * against. */
void psy__counters_show_sections(const psy_counters_snapshot *s, const psy_counters_snapshot *before, bool rates);
/* ,"sections":{...},"latencies":[...] */
void psy__counters_json_sections(const psy_counters_snapshot *s, const psy_counters_snapshot *before);

#endif
