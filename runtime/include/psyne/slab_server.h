/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs with a name: a server hands a slab's memory to whoever connects to a Unix socket and may have it.
 *
 *   psy_slab_server *server;                                       // one process
 *   psy_slab_server_options options = {.path = "/run/samples", .slab = slab, .thread = true};
 *   psy_slab_server_create(&options, &server);
 *
 *   psy_slab *theirs;                                              // another
 *   psy_slab_open("/run/samples", NULL, &theirs);
 *
 * The name is the path of the socket, because files of memory (/dev/shm) can neither be sealed nor told from those of the dead.
 * The server speaks first and hangs up: one message with the memfd, or with a status and the reason why not. It never reads, so
 * a client that says nothing holds up nobody, and it keeps nothing about clients.
 *
 *   byte 0    magic u32 "PSYO", abi_major u16, abi_minor u16 (of this message), status u32, access u32 (psy_slab_access)
 *   byte 16   why not: text, up to a NUL
 *
 * Who may have it: whoever may connect (the socket's mode) and is its owner or on the list of users; the system says who
 * connects. Who has read and write access may do anything to the slab, and who has it may pass it on.
 *
 * Read-only: the descriptor that is handed out cannot be mapped for writing, and other users cannot open it anew for writing. A
 * process of the server's own user can, as it can do anything to the server: users are kept apart, not the processes of one.
 *
 * Beside the socket lies PATH.psyne-lock, locked while the server lives. Both are removed at the end; what a killed server left
 * is removed when another starts there, or by psy_slab_clean.
 *
 * Thread safety: a server belongs to one thread at a time. psy_slab_open and psy_slab_clean may be called from any.
 */
#ifndef PSYNE_SLAB_SERVER_H
#define PSYNE_SLAB_SERVER_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/slab.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_SLAB_OFFER_MAGIC UINT32_C(0x4f595350) /* "PSYO" */
enum { PSY_SLAB_OFFER_MAJOR = 1, PSY_SLAB_OFFER_MINOR = 0 };

/* What the server says. A newer minor version may say more. */
typedef struct psy_slab_offer {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t status; /* psy_status; a descriptor comes with OK only */
    uint32_t access; /* psy_slab_access: READ_WRITE or READ_ONLY */
    char reason[176];
} psy_slab_offer;
static_assert(sizeof(psy_slab_offer) == 192, "what a slab's server says is ABI");
static_assert(offsetof(psy_slab_offer, magic) == 0 && offsetof(psy_slab_offer, abi_major) == 4,
              "what a slab's server says is ABI");
static_assert(offsetof(psy_slab_offer, abi_minor) == 6 && offsetof(psy_slab_offer, status) == 8,
              "what a slab's server says is ABI");
static_assert(offsetof(psy_slab_offer, access) == 12 && offsetof(psy_slab_offer, reason) == 16,
              "what a slab's server says is ABI");

typedef struct psy_slab_server psy_slab_server;

typedef struct psy_slab_server_options {
    const char *path;       /* absolute; at most 107 bytes */
    const psy_slab *slab;   /* may be destroyed afterwards: the server has the memory */
    psy_slab_access access; /* READ_WRITE or READ_ONLY */
    uint32_t mode;          /* of the socket; 0: 0600, or 0666 where there is a list of users */
    const uint32_t *users;  /* who may have it besides the server's own user; copied */
    uint32_t user_count;    /* at most PSY_SLAB_SERVER_USERS_MAX */
    bool thread;            /* a thread of its own serves */
} psy_slab_server_options;
enum { PSY_SLAB_SERVER_USERS_MAX = 65536 };

typedef struct psy_slab_server_counts {
    uint64_t served;
    uint64_t denied; /* users that are not on the list */
    uint64_t failed; /* could not be accepted or answered */
} psy_slab_server_counts;

/* Serves the slab at the path, where the socket of a dead server is replaced. INVALID, TOO_LARGE (path, list), UNSUPPORTED (a
 * slab without a descriptor), DENIED, LIMIT, NO_MEMORY, IO (also: in use). Allocates; waits up to a second for somebody who
 * clears the path. */
PSY_NODISCARD psy_status psy_slab_server_create(const psy_slab_server_options *options, psy_slab_server **out);

/* Polls readable when somebody waits; stays the server's. */
int psy_slab_server_fd(const psy_slab_server *server);

/* Answers who waits, at most 64, and returns how many. Never blocks, never allocates descriptors that stay. A server with a
 * thread needs no call: 0. */
uint32_t psy_slab_server_work(psy_slab_server *server);

void psy_slab_server_get_counts(const psy_slab_server *server, psy_slab_server_counts *out);

/* Ends the thread, removes the socket. NULL is allowed. In a forked child it only frees what the child has. */
void psy_slab_server_destroy(psy_slab_server *server);

typedef struct psy_slab_open_options {
    uint64_t timeout_ns; /* for all of it; 0: a second */
    bool wait;           /* also for a server that is not there yet, up to the time-out */
    psy_slab_adopt_options adopt;
} psy_slab_open_options;

/* Asks the server at `path` for its slab, and checks that as a foreign one (options NULL: all zero). UNREACHABLE (nobody serves
 * it), TIMEOUT (the server does not answer), DENIED and whatever else the server says, with its reason; PROTOCOL, VERSION (both
 * named); and what psy_slab_adopt_with says. Allocates, blocks up to the time-out. */
PSY_NODISCARD psy_status psy_slab_open(const char *path, const psy_slab_open_options *options, psy_slab **out);

typedef struct psy_slab_clean_report {
    uint32_t cleaned; /* dead servers whose socket and lock file were removed */
    uint32_t living;
    uint32_t kept;  /* could not be told or removed */
    psy_status why; /* of the first that was kept; its reason is psy_detail() */
} psy_slab_clean_report;

/* Looks through a directory (not below it) for what dead servers left, of slabs and of brokers, and removes it; never what is
 * alive, also while others start, open and clean. OK (also when some were kept), NOT_FOUND (no such directory), DENIED, LIMIT,
 * IO. Allocates; does not block. */
PSY_NODISCARD psy_status psy_slab_clean(const char *directory, psy_slab_clean_report *out);

#ifdef __cplusplus
}
#endif
#endif
