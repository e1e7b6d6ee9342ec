/* SPDX-License-Identifier: Apache-2.0 */
/* For benchmarks of whole commands: a folder for what they write, and running them. What fails ends the program. */
#ifndef PSY_TESTS_PERF_COMMANDS_H
#define PSY_TESTS_PERF_COMMANDS_H

#include <stddef.h>

/* Makes the folder; it goes when the program ends. */
void command_begin(void);
const char *command_folder(void);
/* A path in the folder, for free(). */
char *command_path(const char *name);
/* Runs a command; what it writes on stdout goes to the file. Its exit status; -1: it could not be run, or was ended. */
int command_run(char *const *arguments, const char *output);
/* The bytes of a file, from bench_memory. */
size_t command_read(const char *path, char **out);

#endif
