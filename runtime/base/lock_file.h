/* SPDX-License-Identifier: Apache-2.0 */
/* Lock files: a file beside a name says by its lock (flock) whether the name's owner lives. The system releases the lock of a
 * process that dies, so nothing is guessed from its age.
 *
 * Who holds the lock may make and remove what the file stands for, and the file; nobody else removes either. The last holder
 * removes the file before the lock is gone, so a lock counts only while its file is the one that others would find. */
#ifndef PSY_BASE_LOCK_FILE_H
#define PSY_BASE_LOCK_FILE_H

#include <stdbool.h>

#include <psyne/status.h>

/* Takes the lock of the file at `path`, which it makes if `make`. FULL: somebody holds it. NOT_FOUND: it is not there (and not
 * to be made). INVALID: something else is there. DENIED, LIMIT, IO. Never blocks. A forked child shares the lock. */
PSY_NODISCARD psy_status psy__lock_file_take(const char *path, bool make, int *lock);

/* Says that what the file stands for is there and answers: for as long as the lock's holder lives. */
psy_status psy__lock_file_settle(const char *path, int lock);

/* Whether somebody has said so who lives. */
bool psy__lock_file_settled(const char *path);

/* Removes the file, then lets go of it. */
void psy__lock_file_remove(const char *path, int lock);

#endif
