/* SPDX-License-Identifier: Apache-2.0 */
/* Transports: how two sides find each other, say a few words, hand over memory, and learn that the other one is gone. One
 * interface; `ipc` (other processes of this machine) and `inproc` (other threads of this process) implement it.
 *
 * Control messages are small, ordered, whole, and may carry descriptors. Bulk data does not go this way: it lies in slabs,
 * which a shared-memory transport maps, and which a network transport will mirror with `put` and `publish`. Nothing here blocks
 * but psy__connect, and psy__bind for at most a second while somebody clears away what a dead server left.
 *
 * Thread safety: a link or listener belongs to one thread at a time.
 */
#ifndef PSY_TRANSPORT_TRANSPORT_H
#define PSY_TRANSPORT_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <psyne/status.h>

enum { PSY_CONTROL_BYTES_MAX = 1024, PSY_CONTROL_FDS_MAX = 8 };

/* Descriptors that were received belong to the receiver; those that are sent stay the sender's. */
typedef struct psy__control {
    uint32_t bytes, fd_count;
    int fds[PSY_CONTROL_FDS_MAX];
    _Alignas(8) uint8_t data[PSY_CONTROL_BYTES_MAX];
} psy__control;

typedef enum psy__event { PSY_EVENT_NONE, PSY_EVENT_CONTROL, PSY_EVENT_CLOSED } psy__event;

typedef struct psy__link psy__link;
typedef struct psy__listener psy__listener;

typedef struct psy__transport {
    const char *scheme; /* "ipc" */
    /* `address` is what follows "SCHEME://". */
    psy_status (*bind)(const char *address, psy__listener **out);
    psy_status (*accept)(psy__listener *listener, psy__link **out);
    psy_status (*connect)(const char *address, psy__link **out); /* one try; FULL: too many wait to be accepted */
    void (*unbind)(psy__listener *listener);
    psy_status (*send)(psy__link *link, const psy__control *message);
    psy__event (*poll)(psy__link *link, psy__control *out);
    psy_status (*peer)(psy__link *link, int *pid, unsigned *uid);
    bool (*in_group)(psy__link *link, unsigned gid);
    /* Mode and group of an address that has them: those who may connect. May be NULL. */
    psy_status (*admit)(psy__listener *listener, unsigned mode, unsigned gid);
    psy_status (*put)(psy__link *link, void *remote, const void *local, uint64_t bytes);
    psy_status (*publish)(psy__link *link, _Atomic uint64_t *remote, uint64_t value);
    void (*close)(psy__link *link);
} psy__transport;

extern const psy__transport psy__transport_ipc, psy__transport_inproc;

/* What every implementation's objects start with. `fd` polls readable when there is something to accept or to poll. */
struct psy__listener {
    const psy__transport *transport;
    int fd;
};
struct psy__link {
    const psy__transport *transport;
    int fd;
    bool closed; /* the end was said */
};

/* Serves `uri`: ipc:///absolute/path or inproc://name. INVALID, DENIED, IO (in use: names the address), TOO_LARGE (path). */
PSY_NODISCARD psy_status psy__bind(const char *uri, psy__listener **out);

/* Waits until somebody serves `uri`, at most timeout_ns (0: one try). UNREACHABLE with what to do, DENIED, INVALID. Blocks. */
PSY_NODISCARD psy_status psy__connect(const char *uri, uint64_t timeout_ns, psy__link **out);

/* The next one that connects: OK, EMPTY, LIMIT (no descriptors left), IO. */
PSY_NODISCARD psy_status psy__accept(psy__listener *listener, psy__link **out);

/* Sends all or, where the peer does not read, as many as fit: FULL. PEER_DIED; INVALID or TOO_LARGE, then none was sent. */
PSY_NODISCARD psy_status psy__link_send(psy__link *link, const psy__control *messages, uint32_t count);

/* What came: a message (its descriptors are the caller's now), nothing, or the end; the end is said again each time. */
psy__event psy__link_poll(psy__link *link, psy__control *out);

/* Who is at the other end, as the system says. */
PSY_NODISCARD psy_status psy__link_peer(psy__link *link, int *pid, unsigned *uid);
/* Whether it was in that group when it connected: its own or one of the others. False also where the system does not tell. */
bool psy__link_in_group(psy__link *link, unsigned gid);

/* Changes who may connect to an address: mode as chmod has it, and group (UINT_MAX: stays). UNSUPPORTED where addresses have
 * neither; DENIED, IO. */
PSY_NODISCARD psy_status psy__admit(psy__listener *listener, unsigned mode, unsigned gid);

/* One-sided, into memory that the peer handed over: bytes, then the word that makes them valid. A peer that sees the word's new
 * value (with acquire) sees every byte put before. */
PSY_NODISCARD psy_status psy__link_put(psy__link *link, void *remote, const void *local, uint64_t bytes);
PSY_NODISCARD psy_status psy__link_publish(psy__link *link, _Atomic uint64_t *remote, uint64_t value);

static inline int psy__listener_fd(const psy__listener *listener) { return listener->fd; }
static inline int psy__link_fd(const psy__link *link) { return link->fd; }

void psy__link_close(psy__link *link); /* NULL is allowed */
void psy__listener_close(psy__listener *listener);

#endif
