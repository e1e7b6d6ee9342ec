/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: contiguous shared memory, handed from process to process as a file descriptor.
 *
 *   byte 0       psy_slab_header (magic, ABI version, size, owner, epoch)
 *   byte 1024    256 seats {epoch u32, pid u32}: who is here (seat.h)
 *   byte 4096    data
 *
 * A slab is a memfd with its size sealed (shrink, grow, seal), so that a peer can never make an access fault by truncating it.
 * A foreign slab is checked for its seals, size, file system, holes and header before it is used; nothing in it is trusted
 * after. Handles are offsets, never pointers. Pages without access lie before and after every mapping: what runs over faults
 * there, and never reads or writes a neighbour. ABI version: 1.1 (1.0 had no seats; its bytes there are zero, and either reads
 * the other).
 *
 *   psy_slab *slab;
 *   psy_slab_options options = {.bytes = 1 << 20, .huge_pages = PSY_SLAB_HUGE_TRANSPARENT, .pretouch = true};
 *   if (psy_slab_create(&options, &slab) == PSY_OK) {
 *       ... psy_slab_fd(slab) goes to a peer, which calls psy_slab_adopt; or psy_slab_server hands it out (slab_server.h) ...
 *       psy_slab_destroy(slab);
 *   }
 *
 * What a peer can still do to a slab's memory: write anything at any time, and punch holes. A hole reads as zeroes and takes
 * new memory when it is touched, charged to who touches it; no access faults but for memory that the system does not have.
 *
 * After any failure nothing is left: no descriptor, no mapping, no file.
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

/* Each is a wish: what cannot be had becomes the one before. psy_slab_page_bytes says what it came to. */
typedef enum psy_slab_huge {
    PSY_SLAB_HUGE_NONE,
    PSY_SLAB_HUGE_TRANSPARENT, /* MADV_HUGEPAGE, where the system allows it for shared memory (shmem_enabled) */
    PSY_SLAB_HUGE_TLB,         /* the pool of huge pages (vm.nr_hugepages): sizes round up to them, and all are present at once.
                                * Peers refuse such a slab, unless they trust its maker */
} psy_slab_huge;

typedef struct psy_slab_options {
    uint64_t bytes;           /* of data; rounded up to pages */
    const char *name;         /* shown in /proc/PID/maps; NULL = "psyne" */
    psy_slab_huge huge_pages; /* true is PSY_SLAB_HUGE_TRANSPARENT */
    bool pretouch;            /* make every page present now: memory that is not there is a status, not a fault */
    bool anonymous;           /* no descriptor: for the threads of a process and its forked children */
    bool bind_node;           /* only on the NUMA node `numa_node`; false: wherever a page is touched first */
    uint32_t numa_node;
} psy_slab_options;

/* Makes and maps a slab of zeroes. INVALID (a NUMA node that is not there: the detail says which are), NO_MEMORY (also address
 * space), TOO_LARGE, LIMIT (descriptors), DENIED, IO. Allocates. */
PSY_NODISCARD psy_status psy_slab_create(const psy_slab_options *options, psy_slab **out);

typedef enum psy_slab_access {
    PSY_SLAB_READ_WRITE, /* a descriptor that may only be read is refused */
    PSY_SLAB_READ_ONLY,  /* mapped for reading, whatever the descriptor allows */
    PSY_SLAB_AS_GIVEN,   /* what the descriptor allows: ask psy_slab_writable */
} psy_slab_access;

typedef enum psy_slab_holes {
    PSY_SLAB_HOLES_ALLOWED, /* what nobody has written yet is taken from the system when it is touched */
    PSY_SLAB_HOLES_FILLED,  /* every page is made present now: memory that is not there is a status, not a fault */
    PSY_SLAB_HOLES_REFUSED, /* the maker must have touched every page */
} psy_slab_holes;

typedef struct psy_slab_adopt_options {
    uint64_t max_bytes; /* of the whole slab; 0: any size */
    psy_slab_access access;
    psy_slab_holes holes;
    bool trust_huge_pages; /* take slabs out of the pool of huge pages: a maker that punches holes in one while the pool is dry
                            * can kill this process */
} psy_slab_adopt_options;

/* Maps a slab that a peer made, in the way that the options say (NULL: all zero). Takes `fd`, also when it fails. CORRUPT (not
 * a slab, not sealed, holes), VERSION (both named), TOO_LARGE (over max_bytes), UNSUPPORTED (huge page file systems), DENIED
 * (may only be read), NO_MEMORY, LIMIT, IO. Allocates. */
PSY_NODISCARD psy_status psy_slab_adopt_with(int fd, const psy_slab_adopt_options *options, psy_slab **out);

/* The same with read and write access and holes allowed. */
PSY_NODISCARD psy_status psy_slab_adopt(int fd, uint64_t max_bytes, psy_slab **out);

/* Unmaps and closes; the memory lives until every process has done so. NULL is allowed. */
void psy_slab_destroy(psy_slab *slab);

void *psy_slab_data(const psy_slab *slab); /* page-aligned */
uint64_t psy_slab_data_bytes(const psy_slab *slab);
void *psy_slab_base(const psy_slab *slab); /* the whole mapping */
uint64_t psy_slab_bytes(const psy_slab *slab);
int psy_slab_fd(const psy_slab *slab); /* stays the slab's; -1: anonymous */
uint64_t psy_slab_epoch(const psy_slab *slab);
bool psy_slab_writable(const psy_slab *slab); /* false: mapped for reading only, writing faults */

/* Where a slab's memory is, as the system says of this process's mapping. */
typedef struct psy_slab_placement {
    uint64_t page_bytes;    /* of the pages that hold most of what is present */
    uint64_t present_bytes; /* mapped here by now */
    uint64_t huge_bytes;    /* of these, in huge pages of either kind */
    int32_t numa_node;      /* of the first page of data; -1: not touched yet, or the system does not say */
} psy_slab_placement;

/* Reads /proc, for people and logs: takes as long as the process has mappings. IO, LIMIT. */
PSY_NODISCARD psy_status psy_slab_examine(const psy_slab *slab, psy_slab_placement *out);

/* The page size alone; the system's smallest where it cannot be told. */
uint64_t psy_slab_page_bytes(const psy_slab *slab);

/* How many NUMA nodes this process may take memory from. */
uint32_t psy_slab_numa_nodes(void);

#ifdef __cplusplus
}
#endif
#endif
