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

/* What mends it: the bytes of the span become the text. */
typedef struct psc_fix {
    psc_span span;
    const char *text;
} psc_fix;

typedef struct psc_diagnostic {
    psc_arena *arena;
    psc_code code;
    psc_severity severity;
    psc_span span;
    char *text;
    size_t order;
    PSC_LIST(psc_remark) remarks;
    PSC_LIST(psc_fix) fixes;
} psc_diagnostic;

typedef PSC_LIST(psc_diagnostic *) psc_diagnostic_list;

typedef struct psc_diagnostics {
    psc_arena *arena;
    psc_diagnostic_list list;
    unsigned errors;         /* all of them, also those over the cap */
    psc_diagnostic *dropped; /* stands for what is not kept */
    uint64_t quiet;          /* bit per code: warnings that are not wanted */
} psc_diagnostics;
_Static_assert(PSC_CODE_COUNT <= 64, "a bit per code");

enum { PSC_ERRORS_SHOWN_MAX = 20 };

psc_diagnostic *psc_error(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
psc_diagnostic *psc_warn(psc_diagnostics *diags, psc_code code, psc_span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void psc_note(psc_diagnostic *d, psc_span span, const char *format, ...) __attribute__((format(printf, 3, 4)));
void psc_help(psc_diagnostic *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A fix that is surely meant: --fix makes it. */
void psc_fix_with(psc_diagnostic *d, psc_span span, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* False when so many errors were reported that another will never be shown. */
bool psc_errors_are_kept(const psc_diagnostics *diags);
/* "did you mean `words`?" of the nearest candidate, and a fix where the diagnostic's place is the name. False where none is
 * near. */
bool psc_help_nearest(psc_diagnostic *d, const char *name, const char *const *candidates, size_t count);

/* "E0302", "W0001"; the title of diagnostics.def. */
const char *psc_code_text(psc_code code);
const char *psc_code_title(psc_code code);
psc_severity psc_code_severity(psc_code code);
/* The code of that text, or PSC_CODE_COUNT. */
psc_code psc_code_named(const char *text);
/* A warning's name on the command line: W_UNUSED is "unused". */
const char *psc_warning_name(psc_arena *arena, psc_code code);

/* What is shown: all errors, or, where there are none, the warnings, in order of file and place, each once; at most `most`
 * errors. *left is how many errors are not. */
psc_diagnostic_list psc_diagnostics_shown(const psc_diagnostics *diags, unsigned most, unsigned *left);
/* Adds all of `from`. */
void psc_diagnostics_add(psc_diagnostics *diags, const psc_diagnostics *from);
/* Makes errors of the warnings whose bits are set; but where there are errors, warnings are not shown at all. */
void psc_diagnostics_promote(psc_diagnostics *diags, uint64_t codes);

/* Bytes of the character at the front of `n` bytes: UTF-8 that can be shown, or 0. */
uint32_t psc_character(const char *text, uint32_t n);

/* A line of JSON for each: doc/psynec.md says what is in it. */
void psc_diagnostics_json(const psc_diagnostics *diags, FILE *to);

/* Prints all errors, or, where there are none, the warnings, in order of file and place, each once; colour if `colour`. Bytes
 * that are no text are shown as U+FFFD. */
void psc_diagnostics_print(const psc_diagnostics *diags, FILE *to, bool colour);

/* What diagnostics are printed with, for others that say things of places: "FILE:LINE:COLUMN: WORD[CODE]: TEXT" and the line
 * with a caret under it (code: or NULL); "   WORD: TEXT". */
typedef enum psc_paint { PSC_PAINT_NONE, PSC_PAINT_ERROR, PSC_PAINT_WARNING, PSC_PAINT_NOTE } psc_paint;
void psc_said_print(psc_span span, const char *word, const char *code, const char *text, psc_paint colour, FILE *to);
void psc_help_print(const char *word, const char *text, psc_paint colour, FILE *to);

/* The candidate nearest to `name` (edit distance at most about a third of its length; case does not count), or NULL. */
const char *psc_did_you_mean(const char *name, const char *const *candidates, size_t count);

#endif
