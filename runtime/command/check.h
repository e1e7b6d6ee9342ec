/* SPDX-License-Identifier: Apache-2.0 */
/* What `psyne check` finds: rows of a group, a key and a text or number, and what could be better, in plain words.
 *
 *   psy__findings f = {0};
 *   psy__find_machine(&f, false);
 *   ... f.rows, f.advice ...
 *   psy__findings_fini(&f); */
#ifndef PSY_COMMAND_CHECK_H
#define PSY_COMMAND_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/status.h>

typedef struct psy__finding {
    const char *group, *key, *unit; /* constants; unit: NULL for a text */
    char *text;
    uint64_t number;
} psy__finding;

typedef struct psy__advice {
    bool needed; /* without it nothing works; else it would be better with it */
    char *text;
} psy__advice;

typedef struct psy__findings {
    psy__finding *rows;
    psy__advice *advice;
    uint32_t row_count, advice_count;
    bool lacks; /* something that is needed */
} psy__findings;

/* Both end the program where memory runs out. */
void psy__find_text(psy__findings *f, const char *group, const char *key, const char *format, ...) PSY_PRINTF(4, 5);
void psy__find_number(psy__findings *f, const char *group, const char *key, uint64_t number, const char *unit);
void psy__advise(psy__findings *f, bool needed, const char *format, ...) PSY_PRINTF(3, 4);
void psy__findings_fini(psy__findings *f);

/* Processors, memory, limits; `quick`: without what takes time. */
void psy__find_machine(psy__findings *f, bool quick);
/* Engines, every device opened, and files of counters. */
void psy__find_engines(psy__findings *f, bool quick);
void psy__find_counters(psy__findings *f);
/* Whether somebody serves the address, and what. */
void psy__find_service(psy__findings *f, const char *address, uint32_t timeout_ms);

#endif
