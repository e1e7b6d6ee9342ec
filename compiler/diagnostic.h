/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics: every one has a code from diagnostics.def, a span shown with a caret, notes that point at the other places
 * involved, and a help line where a fix is known. All errors of a file are reported, at most 20. A value that failed is
 * poisoned by its pass so that one mistake gives one message.
 *
 *   psc_diagnostic *d = psc_error(diags, PSC_E_UNKNOWN_NAME, span, "there is no `%s`", name);
 *   psc_note(d, other_span, "did you mean this one?");
 *   psc_help(d, "write `%s`", best);
 *
 * Printed:
 *   nearest.hrm:12:18: error[E0201]: there is no `wrods`
 *      12 |     let scores = wrods @ q.vector
 *         |                  ^~~~~
 *   nearest.hrm:5:10: note: ...
 *      help: did you mean `words`?
 */
#ifndef PSC_DIAGNOSTIC_H
#define PSC_DIAGNOSTIC_H

#include <stdbool.h>
#include <stdio.h>

#include "arena.h"
#include "source.h"

typedef enum psc_code {
#define DIAGNOSTIC(NAME, code, severity, title) PSC_##NAME,
#include "diagnostics.def"
#undef DIAGNOSTIC
    PSC_CODE_COUNT
} psc_code;

typedef enum psc_severity { PSC_ERROR, PSC_WARNING } psc_severity;

typedef struct psc_remark {
    psc_span span; /* help: unused */
    bool help;
    char *text;
} psc_remark;

typedef struct psc_diagnostic {
    psc_arena *arena;
    psc_code code;
    psc_severity severity;
    psc_span span;
    char *text;
    size_t order;
    PSC_LIST(psc_remark) remarks;
} psc_diagnostic;

typedef PSC_LIST(psc_diagnostic *) psc_diagnostic_list;

typedef struct psc_diagnostics {
    psc_arena *arena;
    psc_diagnostic_list list;
    unsigned errors;         /* all of them, also those over the cap */
    psc_diagnostic *dropped; /* stands for what is not kept */
} psc_diagnostics;

enum { PSC_ERRORS_SHOWN_MAX = 20 };

psc_diagnostic *psc_error(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
psc_diagnostic *psc_warn(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void psc_note(psc_diagnostic *d, psc_span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void psc_help(psc_diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* False when so many errors were reported that another will never be shown. */
bool psc_errors_are_kept(const psc_diagnostics *diags);
/* "did you mean `words`?" of the nearest candidate. False where none is near. */
bool psc_help_nearest(psc_diagnostic *d, const char *name, const char *const *candidates, size_t count);

/* "E0302", "W0001". */
const char *psc_code_text(psc_code code);

/* What is shown: all errors, or, where there are none, the warnings, in order of file and place, each once; at most `most`
 * errors. *left is how many errors are not. */
psc_diagnostic_list psc_diagnostics_shown(const psc_diagnostics *diags, unsigned most, unsigned *left);

/* Prints all errors, or, where there are none, the warnings, in order of file and place, each once; colour if `colour`. Bytes
 * that are no text are shown as U+FFFD. */
void psc_diagnostics_print(const psc_diagnostics *diags, FILE *to, bool colour);

/* The candidate nearest to `name` (edit distance at most about a third of its length; case does not count), or NULL. */
const char *psc_did_you_mean(const char *name, const char *const *candidates, size_t count);

#endif
