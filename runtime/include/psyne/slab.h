/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: contiguous shared memory, handed from process to process as a file descriptor.
 *
 *   byte 0       psy_slab_header (magic, ABI version, size, owner, epoch)
 *   byte 1024    256 seats {epoch u32, pid u32}: who is here (seat.h)
 *   byte 4096    data
 *
 * A slab is a memfd with its size sealed (shrink, grow, seal), so that a peer can never make an access fault by
 * truncating it. A foreign slab is checked for its seals, size, file system and header before it is mapped; nothing in it is
 * trusted after. Handles are offsets, never pointers. ABI version: 1.1 (1.0 had
 * no seats; its bytes there are zero, and either reads the other).
 *
 * Thread safety: the handle belongs to one thread at a time; the memory is shared with everyone who maps it.
 */
#ifndef PSYNE_SLAB_H
#define PSYNE_SLAB_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_SLAB_MAGIC UINT32_C(0x42595350) /* "PSYB" */
enum { PSY_SLAB_ABI_MAJOR = 1, PSY_SLAB_ABI_MINOR = 1, PSY_SLAB_DATA_OFFSET = 4096, PSY_SLAB_SEATS = 256 };

typedef struct psy_slab_header {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint64_t bytes;       /* of the whole slab */
    uint64_t data_offset; /* PSY_SLAB_DATA_OFFSET */
    uint64_t owner;       /* process id of the creator, for people */
    uint64_t epoch;       /* random: two slabs are never taken for one */
} psy_slab_header;
static_assert(sizeof(psy_slab_header) == 40, "the slab header is ABI");
static_assert(offsetof(psy_slab_header, magic) == 0 && offsetof(psy_slab_header, abi_major) == 4, "the slab header is ABI");
static_assert(offsetof(psy_slab_header, abi_minor) == 6 && offsetof(psy_slab_header, bytes) == 8, "the slab header is ABI");
static_assert(offsetof(psy_slab_header, data_offset) == 16 && offsetof(psy_slab_header, owner) == 24, "the slab header is ABI");
static_assert(offsetof(psy_slab_header, epoch) == 32, "the slab header is ABI");

typedef struct psy_slab_seat {
    uint32_t epoch; /* how often it was taken */
    uint32_t pid;   /* by whom last, for people */
} psy_slab_seat;
static_assert(sizeof(psy_slab_seat) == 8 && offsetof(psy_slab_seat, epoch) == 0 && offsetof(psy_slab_seat, pid) == 4,
              "the slab's table of seats is ABI");

/* What precedes the data. */
typedef struct psy_slab_page {
    psy_slab_header header;
    uint8_t pad0[984];
    psy_slab_seat seats[PSY_SLAB_SEATS];
    uint8_t pad1[1024];
} psy_slab_page;
static_assert(sizeof(psy_slab_page) == PSY_SLAB_DATA_OFFSET, "the slab's first page is ABI");
static_assert(offsetof(psy_slab_page, header) == 0 && offsetof(psy_slab_page, seats) == 1024, "the slab's first page is ABI");

typedef struct psy_slab psy_slab;

typedef struct psy_slab_options {
    uint64_t bytes;   /* of data; rounded up to pages */
    const char *name; /* shown in /proc/PID/maps; NULL = "psyne" */
    bool huge_pages;  /* ask for transparent huge pages; without them it works as well */
    bool pretouch;    /* make every page present now */
} psy_slab_options;

/* Makes and maps a slab of zeroes. INVALID, NO_MEMORY, TOO_LARGE, IO. Allocates. */
PSY_NODISCARD psy_status psy_slab_create(const psy_slab_options *options, psy_slab **out);

/* Maps a slab that a peer made. Takes `fd`, also when it fails. CORRUPT (not a slab, or not sealed), VERSION (both named),
 * TOO_LARGE (over max_bytes), UNSUPPORTED (huge page file systems), NO_MEMORY, IO. Allocates. */
PSY_NODISCARD psy_status psy_slab_adopt(int fd, uint64_t max_bytes, psy_slab **out);

/* Unmaps and closes; the memory lives until every process has done so. NULL is allowed. */
void psy_slab_destroy(psy_slab *slab);

void *psy_slab_data(const psy_slab *slab); /* page-aligned */
uint64_t psy_slab_data_bytes(const psy_slab *slab);
void *psy_slab_base(const psy_slab *slab); /* the whole mapping */
uint64_t psy_slab_bytes(const psy_slab *slab);
int psy_slab_fd(const psy_slab *slab); /* stays the slab's */
uint64_t psy_slab_epoch(const psy_slab *slab);
bool psy_slab_writable(const psy_slab *slab); /* false: mapped for reading only */

#ifdef __cplusplus
}
#endif
#endif
