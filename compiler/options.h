/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the command line by the table in options.def.
 *
 *   psc_command_line line = psc_command_line_begin(arena, PSC_COMMAND_COMPILE, argc, argv);
 *   int what;
 *   const char *value;
 *   while ((what = psc_command_line_next(&line, &value)) != PSC_OPTION_END) { ... }
 *
 * Wrong use ends the program with status 2 and a message.
 */
#ifndef PSC_OPTIONS_H
#define PSC_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "arena.h"

typedef enum psc_command {
#define COMMAND(NAME, word, usage, help) PSC_COMMAND_##NAME,
#include "options.def"
    PSC_COMMAND_COUNT
} psc_command;

typedef enum psc_option_name {
#define OPTION(COMMAND, NAME, spelling, other, value, kind, group, help) PSC_OPTION_##NAME,
#include "options.def"
    PSC_OPTION_COUNT,
    PSC_OPTION_FILE, /* no option: value is the argument */
    PSC_OPTION_END
} psc_option_name;

typedef enum psc_value_kind {
    PSC_VALUE_NONE,
    PSC_VALUE_FOLDER,
    PSC_VALUE_FILE,
    PSC_VALUE_OUTPUT,
    PSC_VALUE_LEVEL,
    PSC_VALUE_WARNING,
    PSC_VALUE_FORMAT,
    PSC_VALUE_CODE,
    PSC_VALUE_PASS
} psc_value_kind;

typedef struct psc_option {
    psc_command command;
    const char *spelling, *other, *value;
    psc_value_kind kind;
    const char *group, *help;
} psc_option;

typedef struct psc_command_row {
    const char *word, *usage, *help;
} psc_command_row;

extern const psc_option psc_option_rows[PSC_OPTION_COUNT];
extern const psc_command_row psc_command_rows[PSC_COMMAND_COUNT];

/* The words that a value may be, in order; NULL where there is no list. */
const char *const *psc_value_words(psc_arena *arena, psc_value_kind kind, size_t *count);
/* The place of the word; -1 ends the program: `what` is what has no such word. */
size_t psc_value_place(psc_arena *arena, psc_value_kind kind, const char *word, const char *what);
/* "-o DIR", "--emit=LIST", "-OLEVEL" */
const char *psc_option_usage(psc_arena *arena, const psc_option *o);

typedef struct psc_command_line {
    psc_arena *arena;
    psc_command command;
    int argc, at;
    char **argv;
    bool only_files;
} psc_command_line;

psc_command_line psc_command_line_begin(psc_arena *arena, psc_command command, int argc, char **argv);
psc_option_name psc_command_line_next(psc_command_line *line, const char **value);

/* What --help prints. */
void psc_help_write(psc_arena *arena, psc_command command, FILE *to);

_Noreturn void psc_misuse(const char *what, const char *help);

#endif
