/* SPDX-License-Identifier: Apache-2.0 */
/* Where messages go: JSON lines, stored messages, fields in .npy files; and what is said about those that there are not.
 *
 *   psy__sink s = {.json = json};
 *   psy__sink_add_output(&s, "score=scores.npy");                      // -o
 *   if (psy__sink_open(&s, &type) == PSY_OK) {
 *       psy__sink_put(&s, 0, message, bytes);                          // in the order of their numbers
 *       psy__sink_refuse(&s, 1, "ipc:///run/x.sock", PSY_TIMEOUT);
 *   }
 *   status = psy__sink_close(&s);
 *
 * Files are there afterwards whole, or as they were: nothing is written where a message is missing. With `json` every line of
 * standard output is an object: {"message": 0, "reply": {...}}, {"message": 1, "status": "TIMEOUT", "error": "..."}. */
#ifndef PSY_COMMAND_SINK_H
#define PSY_COMMAND_SINK_H

#include "command/command.h"

typedef struct psy__sink_output psy__sink_output;

typedef struct psy__sink {
    bool json;
    int status; /* the exit status so far */
    psy_type type;
    psy__room message; /* the one at hand: nobody else writes it */
    psy__sink_output *outputs;
    uint32_t output_count;
} psy__sink;

/* "FILE", or "FIELD=FILE.npy". */
void psy__sink_add_output(psy__sink *s, const char *value);
/* NOT_FOUND, UNSUPPORTED (the field), IO. */
PSY_NODISCARD psy_status psy__sink_open(psy__sink *s, const psy_type *type);
/* A message that somebody else may still write: it is copied and verified. What is wrong with it, or with where it goes, is
 * said, and counts in the exit status. */
void psy__sink_put(psy__sink *s, uint64_t number, const void *message, size_t n);
/* There is none. `peer`: who said so; NULL: nobody. */
void psy__sink_refuse(psy__sink *s, uint64_t number, const char *peer, psy_status status);
/* By which id a traced request is known where it goes. */
void psy__sink_name(psy__sink *s, uint64_t number, const char *peer, uint64_t request);
/* What went wrong with all of it, as psy__complain, or in JSON. */
void psy__sink_say(psy__sink *s, const char *name, psy_status status);
/* Ends files, and gives the exit status. */
int psy__sink_close(psy__sink *s);

#endif
