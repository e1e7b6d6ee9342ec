/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of psynec, one file each; main.c finds which. Exit status: 0 done, 1 errors in the input, 2 wrong use, 3 out of
 * memory. */
#ifndef PSC_COMMAND_H
#define PSC_COMMAND_H

#include "diagnostic.h"

/* argv[0] is the program or the command's word. */
int psc_command_compile(int argc, char **argv);
int psc_command_fmt(int argc, char **argv);
int psc_command_new(int argc, char **argv);

/* What a file is, by the end of its name. */
typedef enum psc_file_kind { PSC_FILE_SCHEMA, PSC_FILE_PROGRAM, PSC_FILE_ASSEMBLY, PSC_FILE_UNKNOWN } psc_file_kind;
psc_file_kind psc_file_kind_of(const char *path);
/* Reads it; NULL after an error, which is reported. */
const psc_source *psc_file_read(psc_arena *arena, psc_diagnostics *diags, const char *path);

/* Whether that is a terminal and NO_COLOR is not set. */
bool psc_is_coloured(FILE *to);
/* On standard error. */
void psc_say(const psc_diagnostics *diags, bool json);
/* What --explain prints; 0, or 2 where there is no such code. */
int psc_explain(psc_arena *arena, const char *code);

#endif
