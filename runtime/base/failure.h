/* SPDX-License-Identifier: Apache-2.0 */
/* A system call that failed, as a status. */
#ifndef PSY_BASE_FAILURE_H
#define PSY_BASE_FAILURE_H

#include <psyne/status.h>

/* NO_MEMORY for ENOMEM and ENOSPC, LIMIT for descriptors and processes that are used up, DENIED for EACCES and EPERM, else IO;
 * the detail is "WHAT: CALL: why". WHAT may be NULL. */
psy_status psy__system_failure(const char *what, const char *call, int error);

#endif
