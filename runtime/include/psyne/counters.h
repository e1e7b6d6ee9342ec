/* SPDX-License-Identifier: Apache-2.0 */
/* Counters: numbers that a process keeps in a mapped file, and that any other may read at any time without asking it.
 *
 *   byte 0       psy_counters_header: magic, ABI version, geometry, whose it is, its last beat
 *   byte 384     descriptors of 256 bytes: what there is (counters.def), with units and help texts
 *   rows_at      rows of 256 bytes, one for each side of a ring, each worker, each pipeline of a broker ...:
 *
 *        0 +-----------------------------------------------+
 *          | generation u64: odd while the row is in use   |
 *          | ring (what it is about), section, side, ...   |
 *       64 | label: 63 bytes of UTF-8 and a NUL            |
 *      128 +-----------------------------------------------+
 *          | u64[16], in the order of the descriptors      |  written by one thread, in lines of their own
 *      256 +-----------------------------------------------+
 *
 * All numbers are little-endian. doc/counters.md has every byte, for readers in other languages.
 *
 *   psy_counters *counters;                                     // one file for a process
 *   psy_counters_create(NULL, 64, &counters);                   // in psy_counters_directory()
 *   psy_counters_place place = {.label = "quotes", .ring = psy_counters_ring_id(epoch, offset), .side = 0, .slots = 1024};
 *   psy_ring_counters *count;
 *   psy_counters_ring(counters, &place, &count);
 *   psy_counter_add(&count->messages, 32);                      // a load and a store; no lock, no fence
 *   ...
 *   psy_counters_drop(counters, count);
 *   psy_counters_destroy(counters);
 *
 * Who lives. The file is locked (F_OFD_SETLK, all of it, for writing) by the process that made it, and the system takes the
 * lock away when that process is gone: slow is not dead. The beat is for people. A file is made under a name of its own,
 * filled, locked and then linked, so that a reader never sees half of one and a death at any instruction leaves nothing that
 * psy_counters_clean does not find. Whoever takes a name away holds the lock of what it names, and nobody replaces a name:
 * cleaning never hits a file whose process lives. Forked children share the lock and the rows: a file lives until the last of
 * them is gone or has exec'd.
 *
 * Memory order. A value has one writer, which stores it relaxed; it is never torn, and says nothing about other memory. A row's
 * head changes only while its generation is even: generation even, release fence, head and zeroes, generation odd with release.
 * A reader takes generation, row and generation in this order: the same odd number before and after means that all of it is of
 * one user of the row (a seqlock whose writers never wait).
 *
 * Strangers. Readers use pread, never a mapping, so a file that is cut off is a status and not a fault, and check all that they
 * read. Writers never read what is in the file, but map it: keep the directory yours, as the default one is.
 *
 * Thread safety: psy_counters_ring, _section_row, _drop and _beat from any thread; a row belongs to one thread at a time; a
 * snapshot to one. ABI version: 1.1 (1.0 had the section of rings only; each reads what the other writes).
 */
#ifndef PSYNE_COUNTERS_H
#define PSYNE_COUNTERS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <psyne/atomic.h>
#include <psyne/status.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PSY_COUNTERS_MAGIC  UINT32_C(0x43595350) /* "PSYC" */
#define PSY_COUNTERS_SUFFIX ".counters"          /* of the files that are found in a directory */
enum {
    PSY_COUNTERS_ABI_MAJOR = 1,
    PSY_COUNTERS_ABI_MINOR = 1,
    PSY_COUNTERS_HEAD_BYTES = 128, /* of a row */
    PSY_COUNTERS_VALUES = 16,      /* in a row */
    PSY_COUNTERS_MAX_ROWS = 65536,
    PSY_COUNTERS_LABEL_BYTES = 64 /* with the NUL */
};

/* ---- the file ---- */

typedef struct psy_counters_header {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t descriptor_bytes, descriptors; /* the size of one, and how many */
    uint32_t row_bytes, row_head_bytes, rows;
    uint32_t pid;
    uint64_t bytes;                   /* of the file */
    uint64_t descriptors_at, rows_at; /* from the file's start; rows at a multiple of 128 */
    uint64_t created_ns;              /* since 1970, UTC */
    uint64_t epoch;                   /* random: two files are never taken for one */
    uint8_t zero0[56];
    char process[64]; /* its name, for people */
    uint8_t zero1[64];
    PSY_ATOMIC(uint64_t) beat_ns; /* CLOCK_MONOTONIC when the process last said that it is at work */
    uint8_t zero2[120];
} psy_counters_header;
static_assert(sizeof(psy_counters_header) == 384, "the file of counters is ABI");
static_assert(offsetof(psy_counters_header, magic) == 0 && offsetof(psy_counters_header, abi_major) == 4 &&
                  offsetof(psy_counters_header, abi_minor) == 6 && offsetof(psy_counters_header, descriptor_bytes) == 8 &&
                  offsetof(psy_counters_header, descriptors) == 12 && offsetof(psy_counters_header, row_bytes) == 16 &&
                  offsetof(psy_counters_header, row_head_bytes) == 20 && offsetof(psy_counters_header, rows) == 24 &&
                  offsetof(psy_counters_header, pid) == 28 && offsetof(psy_counters_header, bytes) == 32,
              "the file of counters is ABI");
static_assert(offsetof(psy_counters_header, descriptors_at) == 40 && offsetof(psy_counters_header, rows_at) == 48 &&
                  offsetof(psy_counters_header, created_ns) == 56 && offsetof(psy_counters_header, epoch) == 64 &&
                  offsetof(psy_counters_header, process) == 128 && offsetof(psy_counters_header, beat_ns) == 256,
              "the file of counters is ABI");

/* How rows of one thing are joined. */
typedef enum psy_counters_kind {
    PSY_COUNTERS_SECTION = 0,  /* no value: names a section, and `place` says how many values its rows have */
    PSY_COUNTERS_COUNTER = 1,  /* only grows; added up */
    PSY_COUNTERS_GAUGE = 2,    /* goes up and down; added up */
    PSY_COUNTERS_POSITION = 3, /* only grows; the greatest is how far it got */
    PSY_COUNTERS_PEAK = 4      /* the greatest of them */
} psy_counters_kind;

/* Sections in their order, each followed by its values in theirs. */
typedef struct psy_counters_descriptor {
    char name[32], unit[16];             /* all texts end with a NUL */
    uint32_t kind, section, place, zero; /* the value is the row's u64 number `place` */
    char help[192];
} psy_counters_descriptor;
static_assert(sizeof(psy_counters_descriptor) == 256, "the file of counters is ABI");
static_assert(offsetof(psy_counters_descriptor, name) == 0 && offsetof(psy_counters_descriptor, unit) == 32 &&
                  offsetof(psy_counters_descriptor, kind) == 48 && offsetof(psy_counters_descriptor, section) == 52 &&
                  offsetof(psy_counters_descriptor, place) == 56 && offsetof(psy_counters_descriptor, help) == 64,
              "the file of counters is ABI");

typedef struct psy_counters_head {
    PSY_ATOMIC(uint64_t) generation; /* odd: in use; one more each time it is taken or dropped */
    uint64_t ring;                   /* the same for all rows of a ring, or of another thing, in whatever file */
    uint32_t section;                /* of which the row is: one of the descriptors' */
    uint32_t side;                   /* of a ring: 0 producer, 1 consumer; else which part of the thing */
    uint32_t seat, pid;              /* in the slab, 0: none; and whose */
    uint64_t since_ns;               /* when the row was taken: since 1970, UTC */
    uint32_t stride, slots;          /* of the ring; 0: not told */
    uint8_t zero[16];
    char label[PSY_COUNTERS_LABEL_BYTES];
} psy_counters_head;
static_assert(sizeof(psy_counters_head) == PSY_COUNTERS_HEAD_BYTES, "the file of counters is ABI");
static_assert(offsetof(psy_counters_head, generation) == 0 && offsetof(psy_counters_head, ring) == 8 &&
                  offsetof(psy_counters_head, section) == 16 && offsetof(psy_counters_head, side) == 20 &&
                  offsetof(psy_counters_head, seat) == 24 && offsetof(psy_counters_head, pid) == 28 &&
                  offsetof(psy_counters_head, since_ns) == 32 && offsetof(psy_counters_head, stride) == 40 &&
                  offsetof(psy_counters_head, slots) == 44 && offsetof(psy_counters_head, label) == 64,
              "the file of counters is ABI");

/* ---- the table ---- */

typedef enum psy_counters_section {
#define SECTION(NAME, name, help) PSY_COUNTERS_OF_##NAME,
#include <psyne/counters.def>
    PSY_COUNTERS_SECTIONS
} psy_counters_section;

/* Places of a ring's values: PSY_RING_COUNTER_messages. */
enum {
#define RING_COUNTER(name, kind, unit, help) PSY_RING_COUNTER_##name,
#include <psyne/counters.def>
    PSY_RING_COUNTERS
};

/* The values of a ring's row: what a ring's handle points to. */
typedef struct psy_ring_counters {
#define RING_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_RING_COUNTERS];
} psy_ring_counters;
static_assert(sizeof(psy_ring_counters) == sizeof(uint64_t) * PSY_COUNTERS_VALUES, "the file of counters is ABI");
static_assert(offsetof(psy_ring_counters, position) == 0 && offsetof(psy_ring_counters, messages) == 8 &&
                  offsetof(psy_ring_counters, bytes) == 16 && offsetof(psy_ring_counters, stalls) == 24 &&
                  offsetof(psy_ring_counters, wakes) == 32 && offsetof(psy_ring_counters, high_water) == 40 &&
                  offsetof(psy_ring_counters, recovered) == 48,
              "the file of counters is ABI");

/* Of the other sections likewise: places, and the values of a row. psy_counters_section_row gives one. */
enum {
#define SERVICE_COUNTER(name, kind, unit, help) PSY_SERVICE_COUNTER_##name,
#include <psyne/counters.def>
    PSY_SERVICE_COUNTERS
};
enum {
#define WORKER_COUNTER(name, kind, unit, help) PSY_WORKER_COUNTER_##name,
#include <psyne/counters.def>
    PSY_WORKER_COUNTERS
};
enum {
#define PIPELINE_COUNTER(name, kind, unit, help) PSY_PIPELINE_COUNTER_##name,
#include <psyne/counters.def>
    PSY_PIPELINE_COUNTERS
};
enum {
#define SLAB_COUNTER(name, kind, unit, help) PSY_SLAB_COUNTER_##name,
#include <psyne/counters.def>
    PSY_SLAB_COUNTERS
};
enum {
#define SUPERVISOR_COUNTER(name, kind, unit, help) PSY_SUPERVISOR_COUNTER_##name,
#include <psyne/counters.def>
    PSY_SUPERVISOR_COUNTERS
};
enum {
#define GUARD_COUNTER(name, kind, unit, help) PSY_GUARD_COUNTER_##name,
#include <psyne/counters.def>
    PSY_GUARD_COUNTERS
};
enum {
#define DATA_COUNTER(name, kind, unit, help) PSY_DATA_COUNTER_##name,
#include <psyne/counters.def>
    PSY_DATA_COUNTERS
};
enum {
#define RESIDENT_COUNTER(name, kind, unit, help) PSY_RESIDENT_COUNTER_##name,
#include <psyne/counters.def>
    PSY_RESIDENT_COUNTERS
};
enum {
#define BATCH_COUNTER(name, kind, unit, help) PSY_BATCH_COUNTER_##name,
#include <psyne/counters.def>
    PSY_BATCH_COUNTERS
};
enum {
#define LATENCY_COUNTER(name, kind, unit, help) PSY_LATENCY_COUNTER_##name,
#include <psyne/counters.def>
    PSY_LATENCY_COUNTERS
};
typedef struct psy_service_counters {
#define SERVICE_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_SERVICE_COUNTERS];
} psy_service_counters;
typedef struct psy_worker_counters {
#define WORKER_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_WORKER_COUNTERS];
} psy_worker_counters;
typedef struct psy_pipeline_counters {
#define PIPELINE_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_PIPELINE_COUNTERS];
} psy_pipeline_counters;
typedef struct psy_slab_counters {
#define SLAB_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_SLAB_COUNTERS];
} psy_slab_counters;
typedef struct psy_supervisor_counters {
#define SUPERVISOR_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_SUPERVISOR_COUNTERS];
} psy_supervisor_counters;
typedef struct psy_guard_counters {
#define GUARD_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_GUARD_COUNTERS];
} psy_guard_counters;
typedef struct psy_data_counters {
#define DATA_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_DATA_COUNTERS];
} psy_data_counters;
typedef struct psy_resident_counters {
#define RESIDENT_COUNTER(name, kind, unit, help) PSY_ATOMIC(uint64_t) name;
#include <psyne/counters.def>
    uint64_t unused[(int)PSY_COUNTERS_VALUES - (int)PSY_RESIDENT_COUNTERS];
} psy_resident_counters;
/* Of batches, and of latencies: how many fell into each bucket. */
typedef struct psy_bucket_counters {
    PSY_ATOMIC(uint64_t) buckets[PSY_COUNTERS_VALUES];
} psy_bucket_counters;
#define PSY_COUNTERS_CHECK(NAME, name)                                                                                         \
    static_assert(sizeof(name) == sizeof(psy_bucket_counters) && (int)PSY_##NAME##_COUNTERS < (int)PSY_COUNTERS_VALUES,        \
                  "a row has 16 values: begin a section for what comes more")
PSY_COUNTERS_CHECK(SERVICE, psy_service_counters);
PSY_COUNTERS_CHECK(WORKER, psy_worker_counters);
PSY_COUNTERS_CHECK(PIPELINE, psy_pipeline_counters);
PSY_COUNTERS_CHECK(SLAB, psy_slab_counters);
PSY_COUNTERS_CHECK(SUPERVISOR, psy_supervisor_counters);
PSY_COUNTERS_CHECK(GUARD, psy_guard_counters);
PSY_COUNTERS_CHECK(DATA, psy_data_counters);
PSY_COUNTERS_CHECK(RESIDENT, psy_resident_counters);
#undef PSY_COUNTERS_CHECK

/* ---- latencies: log-linear buckets, four an octave, as HdrHistogram (G. Tene) has them: a time is known to within a fifth
 * ---- */

enum {
    PSY_LATENCY_BUCKETS = 126, /* 0: below 128 ns; 125: 2^38 ns (4.6 minutes) and more */
    PSY_LATENCY_PARTS = 8      /* rows of a histogram: sides 0 to 7, each with 16 buckets */
};

/* The bucket that a time falls into. */
static inline uint32_t psy_latency_bucket(uint64_t ns)
{
    /* Octave and quarter are a number's first three bits; times below count as 127, and those beyond as 2^38. */
    const uint64_t last = UINT64_C(1) << 38, at_least = ns > 127 ? ns : 127, n = at_least < last ? at_least : last;
    const uint32_t octave = 63 - (uint32_t)__builtin_clzll(n);
    return 4 * octave + (uint32_t)(n >> (octave - 2)) - 31;
}

/* Times in a bucket are below this, and at least the bound of the one before (of the first: 0). Of the last: UINT64_MAX. */
static inline uint64_t psy_latency_bound_ns(uint32_t bucket)
{
    return bucket == 0                         ? 128
           : bucket >= PSY_LATENCY_BUCKETS - 1 ? UINT64_MAX
                                               : (uint64_t)(5 + (bucket - 1) % 4) << (5 + (bucket - 1) / 4);
}

/* The bucket that the smallest of the `per_million` quantile's times is in: 500000 is the median. PSY_LATENCY_BUCKETS where
 * there are none. What is known of that time: at least the bound of the bucket before, and below its own. */
static inline uint32_t psy_latency_quantile(const uint64_t buckets[PSY_LATENCY_BUCKETS], uint32_t per_million)
{
    uint64_t count = 0, before = 0;
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        count += buckets[i];
    }
    /* The rank, rounded up and at least 1, without more than 64 bits. */
    const uint64_t whole = count / 1000000 * per_million, rest = (count % 1000000 * per_million + 999999) / 1000000;
    const uint64_t rank = whole + rest > 0 ? whole + rest : 1;
    for (uint32_t i = 0; i < PSY_LATENCY_BUCKETS; i++) {
        before += buckets[i];
        if (before >= rank) {
            return i;
        }
    }
    return PSY_LATENCY_BUCKETS;
}

/* Descriptor `i` of what this library writes; NULL beyond the last. */
const psy_counters_descriptor *psy_counters_table(uint32_t i);

/* ---- counting: one thread a row, a load and a store each, never a fence ---- */

static inline void psy_counter_set(PSY_ATOMIC(uint64_t) * counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}
static inline void psy_counter_add(PSY_ATOMIC(uint64_t) * counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline void psy_counter_raise(PSY_ATOMIC(uint64_t) * counter, uint64_t value)
{
    if (atomic_load_explicit(counter, memory_order_relaxed) < value) {
        atomic_store_explicit(counter, value, memory_order_relaxed);
    }
}

/* ---- writing ---- */

typedef struct psy_counters psy_counters;

/* Makes a file with room for `rows` (1 to 65536), mapped, with all of its space reserved. `path` should end in
 * PSY_COUNTERS_SUFFIX; NULL: "PID-EPOCH.counters" in psy_counters_directory(), which is made (0755) where it is not there, and
 * where the files of the dead are cleaned away first. A file of a dead process at `path` gives way. The file is 0644.
 * INVALID, LIMIT (rows; RLIMIT_FSIZE; open files), FULL (a living process has its counters at `path`), DENIED (permissions; the
 * default directory is somebody else's, or open to others; something at `path` is no file of counters), NOT_FOUND (no such
 * folder), NO_MEMORY (memory, or space), IO. Nothing is left behind when it fails. Allocates. */
PSY_NODISCARD psy_status psy_counters_create(const char *path, uint32_t rows, psy_counters **out);

/* Takes the file's name away, if this is the process that made it, and unmaps it: no row may be used any more. NULL is
 * allowed. */
void psy_counters_destroy(psy_counters *counters);

const char *psy_counters_path(const psy_counters *counters);

/* Whose row it is. */
typedef struct psy_counters_place {
    const char *label; /* 1 to 63 bytes of UTF-8 without control characters; copied */
    uint64_t ring;     /* not 0; the same on both sides, in all processes; of other sections: of all rows of one thing */
    uint32_t side;     /* of a ring: 0 producer, 1 consumer; of other sections: as counters.def says, or 0 */
    uint32_t seat;     /* in the slab; 0: none */
    uint32_t stride, slots;
} psy_counters_place;

/* What a ring is called that lies at `offset` of a slab: the same in all processes, and never 0. */
static inline uint64_t psy_counters_ring_id(uint64_t slab_epoch, uint64_t offset)
{
    /* The finisher of splitmix64 (Steele, Lea, Flood 2014): offsets that differ by little make ids that share nothing. */
    uint64_t x = slab_epoch + (offset + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return x ? x : 1;
}

/* A row of zeroes for one side of a ring. INVALID, TOO_LARGE (the label), LIMIT (all rows are in use). Does not allocate. */
PSY_NODISCARD psy_status psy_counters_ring(psy_counters *counters, const psy_counters_place *place, psy_ring_counters **out);

/* Gives a row back; it may be another's at once. NULL is allowed. */
void psy_counters_drop(psy_counters *counters, psy_ring_counters *row);

/* A row of zeroes of any section: its 16 values, which are a psy_service_counters and so on. `seat`, `stride` and `slots` of
 * the place may be 0. Statuses as above. Does not allocate. */
PSY_NODISCARD psy_status psy_counters_section_row(psy_counters *counters, psy_counters_section section,
                                                  const psy_counters_place *place, PSY_ATOMIC(uint64_t) * *values);
/* Gives it back. NULL is allowed. */
void psy_counters_section_drop(psy_counters *counters, PSY_ATOMIC(uint64_t) * values);

/* Says that the process is at work: a store. Agents do so now and then. */
void psy_counters_beat(psy_counters *counters);

/* Where files of counters are: $PSYNE_COUNTERS, or /dev/shm/psyne-UID. Does not make it. TOO_LARGE (for `bytes`). */
PSY_NODISCARD psy_status psy_counters_directory(char *path, size_t bytes);

/* Takes away the files that processes left behind in a directory (NULL: psy_counters_directory()) when they died, and nothing
 * else. How many goes to *removed, which may be NULL. NOT_FOUND, DENIED, IO. Allocates. */
PSY_NODISCARD psy_status psy_counters_clean(const char *directory, uint32_t *removed);

/* ---- reading ---- */

typedef struct psy_counters_snapshot psy_counters_snapshot;

/* A file that was read. All texts of a snapshot are UTF-8 without control characters, whatever is in the file. */
typedef struct psy_counters_file {
    const char *path;
    psy_status status;   /* why it could not be read: OK */
    const char *problem; /* what was wrong with it, or "" */
    uint32_t pid;
    bool alive; /* its process, or one that it forked; true where the system cannot say */
    uint16_t abi_major, abi_minor;
    uint64_t created_ns, beat_ns, epoch;
    uint32_t rows, used, changing; /* how many; in use; given to another while they were read, and left out for that */
    char process[64];
    const psy_counters_descriptor *descriptors;
    uint32_t descriptor_count;
} psy_counters_file;

/* A row that was in use. */
typedef struct psy_counters_row {
    uint32_t file;    /* number of the file */
    uint32_t number;  /* in the file */
    uint32_t section; /* in the file's descriptors */
    uint32_t side, seat, pid, stride, slots;
    uint64_t ring, generation, since_ns;
    char label[PSY_COUNTERS_LABEL_BYTES];
    const uint64_t *values; /* those that the file's descriptors tell of */
    uint32_t value_count;
} psy_counters_row;

/* All rows of a ring, of whatever file, joined by the names of their values: what a file of another version does not have is 0.
 */
typedef struct psy_counters_ring_view {
    uint64_t ring;
    char label[PSY_COUNTERS_LABEL_BYTES]; /* a producer's, if there is one */
    uint32_t stride, slots;               /* 0: not told */
    uint32_t producers, consumers;        /* rows */
    uint32_t living_producers, living_consumers;
    uint64_t fill;   /* slots in use: how far producers got, less how far consumers got, or 0 */
    bool fill_known; /* there are rows of both */
    uint64_t high_water;
    uint64_t producer[PSY_RING_COUNTERS], consumer[PSY_RING_COUNTERS]; /* by place in the table */
} psy_counters_ring_view;

/* All rows of one thing of a section that is not `ring`, with one side, of whatever file, joined by the names of their values.
 */
typedef struct psy_counters_view {
    psy_counters_section section; /* of this library's table */
    uint64_t id;                  /* the rows' `ring` */
    uint32_t side;
    char label[PSY_COUNTERS_LABEL_BYTES]; /* a living one's, if there is one */
    uint32_t rows, living;                /* of processes that live: with 0, a gauge says what was */
    uint64_t since_ns;                    /* when the first of them was taken: since 1970, UTC */
    uint64_t values[PSY_COUNTERS_VALUES]; /* by place in the table */
} psy_counters_view;

/* A pipeline's times, of all its parts. */
typedef struct psy_counters_latency {
    uint64_t id;
    char label[PSY_COUNTERS_LABEL_BYTES];
    bool alive;
    uint64_t count;                        /* of all buckets */
    uint64_t buckets[PSY_LATENCY_BUCKETS]; /* psy_latency_quantile, psy_latency_bound_ns */
} psy_counters_latency;

/* Reads one file, or all in a directory whose names end in PSY_COUNTERS_SUFFIX (NULL: psy_counters_directory()). Nothing waits
 * for it. A single file must be sound: CORRUPT, VERSION (both named); in a directory, what is wrong with one stands in its
 * psy_counters_file. NOT_FOUND, DENIED, LIMIT (more than 4096 files; open files), NO_MEMORY, IO. Allocates. */
PSY_NODISCARD psy_status psy_counters_read(const char *path, psy_counters_snapshot **out);
void psy_counters_release(psy_counters_snapshot *snapshot); /* NULL is allowed */

uint64_t psy_counters_taken_ns(const psy_counters_snapshot *snapshot); /* CLOCK_MONOTONIC, when it was read */
/* By number, in a fixed order: files by name, rows by file and number, rings by label and id, views by section, label, id and
 * side, latencies by label and id (only those of which all parts were read); NULL beyond the last. They stay the snapshot's. */
const psy_counters_file *psy_counters_file_at(const psy_counters_snapshot *snapshot, uint32_t i);
const psy_counters_row *psy_counters_row_at(const psy_counters_snapshot *snapshot, uint32_t i);
const psy_counters_ring_view *psy_counters_ring_at(const psy_counters_snapshot *snapshot, uint32_t i);
const psy_counters_view *psy_counters_view_at(const psy_counters_snapshot *snapshot, uint32_t i);
const psy_counters_latency *psy_counters_latency_at(const psy_counters_snapshot *snapshot, uint32_t i);

#ifdef __cplusplus
}
#endif
#endif
