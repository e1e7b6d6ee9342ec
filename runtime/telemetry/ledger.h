/* SPDX-License-Identifier: Apache-2.0 */
/* What all files of counters of a folder say together, for those who look again and again: counters that never go back.
 *
 *   psy__ledger *ledger;
 *   psy__ledger_create("/run/psyne", &ledger);
 *   psy__ledger_read(ledger);                               // now, and whenever somebody asks
 *   for (i = 0; (e = psy__ledger_entry_at(ledger, i)) != NULL; i++) { ... e->values[PSY_SERVICE_COUNTER_requests] ... }
 *   psy__ledger_destroy(ledger);
 *
 * An entry is all rows of one section, label and side, of whatever process: a service that was started again goes on in the
 * entry that it had. Its counters are the sum of all rows that were ever seen, at their last values: when a client goes, a
 * worker dies or a file is cleaned away, what it had counted stays. Its gauges and peaks are those of living processes only. An
 * entry of which nothing has been seen for five minutes is forgotten.
 *
 * Thread safety: one thread at a time. */
#ifndef PSY_TELEMETRY_LEDGER_H
#define PSY_TELEMETRY_LEDGER_H

#include <psyne/counters.h>

enum {
    PSY_LEDGER_ROWS_MAX = 1 << 18,              /* more are not looked at, and counted */
    PSY_LEDGER_OF_FILLS = PSY_COUNTERS_SECTIONS /* a section of this file's own: PSY_FILL_... */
};

/* Of a ring with living processes on both sides. */
enum { PSY_FILL_USED, PSY_FILL_SLOTS };

typedef struct psy__ledger_entry {
    uint32_t section; /* psy_counters_section, or PSY_LEDGER_OF_FILLS */
    uint32_t side;
    char label[PSY_COUNTERS_LABEL_BYTES];
    uint32_t living; /* rows of processes that live */
    uint64_t seen_ns;
    uint64_t gone[PSY_COUNTERS_VALUES]; /* counters of rows that are forgotten */
    uint64_t values[PSY_COUNTERS_VALUES];
} psy__ledger_entry;

/* A process that lives. */
typedef struct psy__ledger_process {
    char name[64];
    uint32_t pid;
    uint64_t silent_ns; /* since it last said that it is at work */
} psy__ledger_process;

typedef struct psy__ledger psy__ledger;

/* `directory` NULL: psy_counters_directory(). TOO_LARGE, NO_MEMORY. Allocates. */
PSY_NODISCARD psy_status psy__ledger_create(const char *directory, psy__ledger **out);
/* Reads all files. A folder that is not there is an empty one. What psy_counters_read says, NO_MEMORY: what was known stays. */
PSY_NODISCARD psy_status psy__ledger_read(psy__ledger *ledger);
/* The same, from what was read already (NULL: a folder that is not there), as if it were `now_ns`. NO_MEMORY. */
PSY_NODISCARD psy_status psy__ledger_take(psy__ledger *ledger, const psy_counters_snapshot *snapshot, uint64_t now_ns);
void psy__ledger_destroy(psy__ledger *ledger); /* NULL is allowed */

/* By number, sorted by section, label and side; NULL beyond the last. */
const psy__ledger_entry *psy__ledger_entry_at(const psy__ledger *ledger, uint32_t i);
/* The entry of that section, label and side, or NULL. */
const psy__ledger_entry *psy__ledger_find(const psy__ledger *ledger, uint32_t section, const char *label, uint32_t side);
const psy__ledger_process *psy__ledger_process_at(const psy__ledger *ledger, uint32_t i);

uint64_t psy__ledger_taken_ns(const psy__ledger *ledger); /* CLOCK_MONOTONIC of the last read; 0: none yet */
uint32_t psy__ledger_dead(const psy__ledger *ledger);     /* files of dead processes */
uint32_t psy__ledger_bad(const psy__ledger *ledger);      /* files that could not be read */
uint64_t psy__ledger_ignored(const psy__ledger *ledger);  /* rows beyond what is looked at */

/* "SERVICE/REST": the length of SERVICE; *rest is what follows. Without a slash: 0, and all of it, or for a section whose
 * labels are services all of it and "". */
size_t psy__ledger_service(const psy__ledger_entry *entry, const char **rest);

#endif
