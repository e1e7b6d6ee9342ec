/* SPDX-License-Identifier: Apache-2.0 */
/* A link over a SOCK_SEQPACKET socket: what ipc and inproc have in common. */
#ifndef PSY_TRANSPORT_LOCAL_LINK_H
#define PSY_TRANSPORT_LOCAL_LINK_H

#include "transport/transport.h"

/* Takes `fd`, also when it fails. */
psy_status psy__local_link(const psy__transport *transport, int fd, psy__link **out);
psy_status psy__local_send(psy__link *link, const psy__control *message);
psy__event psy__local_poll(psy__link *link, psy__control *out);
psy_status psy__local_peer(psy__link *link, int *pid, unsigned *uid);
bool psy__local_in_group(psy__link *link, unsigned gid);
psy_status psy__local_put(psy__link *link, void *remote, const void *local, uint64_t bytes);
psy_status psy__local_publish(psy__link *link, _Atomic uint64_t *remote, uint64_t value);
void psy__local_close(psy__link *link);

#endif
