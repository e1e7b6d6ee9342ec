/* SPDX-License-Identifier: Apache-2.0 */
/* How far long work is, on standard error: a bar on a terminal, a plain line now and then elsewhere, nothing where it was told
 * to be silent or the work is short.
 *
 *   psy__progress p;
 *   psy__progress_begin(&p, "words.npy", rows, "rows", quiet);
 *   for (...) { ...; psy__progress_step(&p, ++done); }
 *   psy__progress_end(&p);
 *
 *   words.npy  #########........   53 %  1.24 M rows/s  3.2 s left
 *
 * A step costs a clock read, and prints ten times a second at most (a plain line: every five seconds), so it may come for every
 * row of some microseconds. On a terminal the bar is gone at the end. Whoever prints something else meanwhile calls
 * psy__progress_clear before it. Thread safety: one thread at a time; one at a time on a terminal. */
#ifndef PSY_COMMAND_PROGRESS_H
#define PSY_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct psy__progress {
    const char *what, *unit;
    uint64_t all, done; /* of units; all is 0 where nobody knows how much there is */
    uint64_t start_ns, shown_ns;
    char note[96]; /* printed at the end of the line; "" at first */
    bool silent, terminal, unicode, shown;
} psy__progress;

/* `what` (a name, which outlives it) is at 0 of `all` `unit`s ("rows"; "B": bytes, which are printed as KiB and MiB). */
void psy__progress_begin(psy__progress *p, const char *what, uint64_t all, const char *unit, bool silent);
/* So much is done now, all together. */
void psy__progress_step(psy__progress *p, uint64_t done);
void psy__progress_clear(psy__progress *p);
/* All is done, or given up. Where plain lines were printed, a last one says how much was done, and in what time. */
void psy__progress_end(psy__progress *p);

/* The line, of `columns` at most and without a line break, at this time: what the others print. Gives `to`. */
const char *psy__progress_text(const psy__progress *p, uint64_t now_ns, unsigned columns, char *to, size_t room);

#endif
