/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a service manager how the service is: datagrams of VARIABLE=VALUE lines to the Unix socket in $NOTIFY_SOCKET, a path
 * or, with @ first, an abstract name (the protocol of sd_notify(3)). Without that variable nothing is told. */
#ifndef PSY_COMMAND_SERVE_NOTIFY_H
#define PSY_COMMAND_SERVE_NOTIFY_H

#include <stdint.h>

#include <psyne/status.h>

typedef struct psy__notify {
    int fd;               /* -1: nobody listens */
    uint64_t watchdog_ns; /* he wants to hear of us this often; 0: he does not */
} psy__notify;

/* Takes the variables out of the environment: children are none of the manager's business. */
void psy__notify_open(psy__notify *n);
void psy__notify_close(psy__notify *n);

/* "READY=1\nSTATUS=..."; never blocks, and a manager that does not listen is no failure. */
void psy__notify_say(const psy__notify *n, const char *format, ...) PSY_PRINTF(2, 3);

#endif
