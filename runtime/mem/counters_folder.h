/* SPDX-License-Identifier: Apache-2.0 */
/* Files of counters as names in a folder: whose process lives, who takes a name away, and what texts in them may hold. */
#ifndef PSY_MEM_COUNTERS_FOLDER_H
#define PSY_MEM_COUNTERS_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/counters.h>

/* What errno is as a status, with the call and the file that it was about. */
psy_status psy__counters_failure(const char *call, const char *name);

/* Takes the lock that says that the process lives: 1; 0: another has it; -1: errno says why not. */
int psy__counters_lock(int fd);
/* Whether somebody has it; also where the system cannot say. Disturbs nobody, and needs to read only. */
bool psy__counters_alive(int fd);

typedef enum psy__counters_burial {
    PSY_COUNTERS_BURIED,  /* the name is free: it was a dead one's, or nobody's */
    PSY_COUNTERS_LIVES,   /* its process lives */
    PSY_COUNTERS_FOREIGN, /* it is no file of counters */
    PSY_COUNTERS_FAILED   /* errno says why */
} psy__counters_burial;

/* Takes the name of a dead process's file away. Whoever does so holds the file's lock, and nobody gives a name to another file
 * while it is one's: what was found dead is what loses its name. *was: whether there was one (may be NULL). */
psy__counters_burial psy__counters_bury(int folder, const char *name, bool *was);

/* Names of files that are being made: ".NAME.RANDOM.new". */
void psy__counters_new_name(char *to, size_t bytes, const char *name, uint64_t random);

/* The folder of files without a place of their own, made and found fit for it. */
psy_status psy__counters_folder_make(const char *path);

/* A text of at most room - 1 bytes, with ? for what is no character of UTF-8 or a control character; the rest of `to` is
 * zeroes. */
void psy__counters_text(char *to, size_t room, const char *from, size_t bytes);

#endif
