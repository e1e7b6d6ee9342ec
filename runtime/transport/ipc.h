/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the file system for an ipc address: a socket at PATH, and its lock file, beside it, by which the server's life
 * is told. */
#ifndef PSY_TRANSPORT_IPC_H
#define PSY_TRANSPORT_IPC_H

#include <psyne/status.h>

#define PSY__IPC_LOCK_SUFFIX ".psyne-lock"

/* Removes what a dead server left at `path`, the socket's, and its lock file: OK. FULL: the server lives, or another is at it.
 * NOT_FOUND: there is no lock file. INVALID: what is there is none. DENIED, TOO_LARGE, LIMIT, IO. What somebody else put at the
 * path stays. Never blocks. */
PSY_NODISCARD psy_status psy__ipc_clean(const char *path);

#endif
