/* SPDX-License-Identifier: Apache-2.0 */
/* Files that tests make of programs with other people's compilers, in a folder of their own. */
#ifndef PSY_TESTS_CODEGEN_MADE_H
#define PSY_TESTS_CODEGEN_MADE_H

#include <stdio.h>

#include "isa/module.h"

/* The folder; made when it is first asked for. */
const char *made_folder(void);
FILE *made_open(const char *name, const char *mode);
/* Runs a shell command in the folder. Its status, and what it says to `said`. */
int made_run(const char *command, char *said, size_t room);
/* Removes the folder and all that is in it. */
void made_clear(void);

/* Whether the module has been there before; remembers it, by its hash, until made_clear. */
bool made_before(const psy__module *module, uint32_t program);

/* C of programs: added one by one, compiled together. */
psy_status made_c_add(const psy__module *module);
psy_status made_c_compile(void); /* UNSUPPORTED: there is no C compiler; INVALID with what it says */
/* Program `program` of the module; NULL: it was not added. */
const struct psy_kernel_program *made_c_find(const psy__module *module, uint32_t program);

#endif
