/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that listen at an address that somebody wrote. */
#ifndef PSY_TELEMETRY_LISTEN_H
#define PSY_TELEMETRY_LISTEN_H

#include <stddef.h>

#include <psyne/status.h>

/* HOST:PORT, [IPv6]:PORT, :PORT (all addresses) or PORT (of this machine's 127.0.0.1): a TCP socket, non-blocking, that listens
 * there, and where that is as a text. INVALID, DENIED, IO, NOT_FOUND, LIMIT. */
PSY_NODISCARD psy_status psy__listen(const char *address, int *fd, char *where, size_t bytes);

#endif
