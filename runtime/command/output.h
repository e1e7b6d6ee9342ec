/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is there afterwards whole, or as it was: what is written goes by another name until all is well.
 *
 *   psy__output o;
 *   if (psy__output_open(&o, path) == PSY_OK) {
 *       fwrite(..., o.to);
 *       status = psy__output_close(&o, all_is_well);
 *
 * NULL and "-" are standard output. */
#ifndef PSY_COMMAND_OUTPUT_H
#define PSY_COMMAND_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <psyne/status.h>

typedef struct psy__output {
    FILE *to;
    const char *path; /* the caller's */
    char *temporary;  /* NULL: standard output */
} psy__output;

/* IO: the detail names the file. */
PSY_NODISCARD psy_status psy__output_open(psy__output *o, const char *path);
/* Messages are no text: ends the program where they would go to a terminal. */
void psy__output_not_to_terminal(const char *path);
/* Keeps what was written, where all is well, or nothing. IO: it could not be written; nothing is kept. */
PSY_NODISCARD psy_status psy__output_close(psy__output *o, bool good);

#endif
