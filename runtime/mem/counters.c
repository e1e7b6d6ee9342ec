/* SPDX-License-Identifier: Apache-2.0 */
/* The file of counters that a process writes. */
#define _GNU_SOURCE
#include <psyne/counters.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mem/counters_folder.h"

/* A row as it lies in the file; the sections' values all fit in there. */
typedef struct row {
    psy_counters_head head;
    PSY_ATOMIC(uint64_t) values[PSY_COUNTERS_VALUES];
} row;
static_assert(sizeof(row) == 256, "the file of counters is ABI");

struct psy_counters {
    psy_counters_header *header; /* the mapping; never read */
    row *rows;
    uint64_t bytes, epoch;
    uint64_t *generations; /* of the rows: what is in the file is for readers */
    uint32_t row_count, next;
    pthread_mutex_t mutex; /* of generations and next */
    int fd, folder;
    pid_t pid;
    const char *name; /* in the folder: the end of path */
    char path[];
};

/* ---- the table ---- */

static const psy_counters_descriptor table[] = {
#define SECTION(NAME, name_, help_)                                                                                            \
    {.name = name_, .kind = PSY_COUNTERS_SECTION, .section = PSY_COUNTERS_OF_##NAME, .place = NAME##_VALUES, .help = help_},
#define COUNTER(SECTION, name_, kind_, unit_, help_)                                                                           \
    {.name = #name_,                                                                                                           \
     .unit = unit_,                                                                                                            \
     .kind = PSY_COUNTERS_##kind_,                                                                                             \
     .section = PSY_COUNTERS_OF_##SECTION,                                                                                     \
     .place = PSY_##SECTION##_COUNTER_##name_,                                                                                 \
     .help = help_},
#define RING_VALUES       PSY_RING_COUNTERS
#define SERVICE_VALUES    PSY_SERVICE_COUNTERS
#define WORKER_VALUES     PSY_WORKER_COUNTERS
#define BATCH_VALUES      PSY_BATCH_COUNTERS
#define PIPELINE_VALUES   PSY_PIPELINE_COUNTERS
#define LATENCY_VALUES    PSY_LATENCY_COUNTERS
#define SLAB_VALUES       PSY_SLAB_COUNTERS
#define SUPERVISOR_VALUES PSY_SUPERVISOR_COUNTERS
#define GUARD_VALUES      PSY_GUARD_COUNTERS
#define DATA_VALUES       PSY_DATA_COUNTERS
#define RESIDENT_VALUES   PSY_RESIDENT_COUNTERS
#include <psyne/counters.def>
};

enum { DESCRIPTORS = sizeof table / sizeof table[0] };

const psy_counters_descriptor *psy_counters_table(uint32_t i) { return i < DESCRIPTORS ? &table[i] : NULL; }

/* ---- making it ---- */

static uint64_t utc_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Space for all of it, so that no store can fault for want of it. */
static psy_status reserve(psy_counters *c)
{
    struct rlimit most;
    /* Asked before: going over it is a signal. */
    if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur != RLIM_INFINITY && most.rlim_cur < c->bytes) {
        return psy_fail(PSY_LIMIT, "%s: %" PRIu64 " bytes, and files may have %" PRIu64 " (RLIMIT_FSIZE)", c->path, c->bytes,
                        (uint64_t)most.rlim_cur);
    }
    int error;
    for (unsigned tries = 0; (error = posix_fallocate(c->fd, 0, (off_t)c->bytes)) == EINTR && tries < 1000; tries++) {
    }
    if (error != 0) {
        errno = error;
        return psy__counters_failure("posix_fallocate", c->path);
    }
    void *at = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, c->fd, 0);
    if (at == MAP_FAILED) {
        return psy__counters_failure("mmap", c->path);
    }
    c->header = at;
    return PSY_OK;
}

static void fill(psy_counters *c)
{
    psy_counters_header *h = c->header;
    h->magic = PSY_COUNTERS_MAGIC;
    h->abi_major = PSY_COUNTERS_ABI_MAJOR;
    h->abi_minor = PSY_COUNTERS_ABI_MINOR;
    h->descriptor_bytes = sizeof table[0];
    h->descriptors = DESCRIPTORS;
    h->row_bytes = sizeof(row);
    h->row_head_bytes = sizeof(psy_counters_head);
    h->rows = c->row_count;
    h->pid = (uint32_t)c->pid;
    h->bytes = c->bytes;
    h->descriptors_at = sizeof *h;
    h->rows_at = sizeof *h + sizeof table;
    h->created_ns = utc_ns();
    h->epoch = c->epoch;
    psy__counters_text(h->process, sizeof h->process, program_invocation_short_name, strlen(program_invocation_short_name));
    memcpy((uint8_t *)h + h->descriptors_at, table, sizeof table);
    c->rows = (row *)(void *)((uint8_t *)h + sizeof *h + sizeof table);
    psy_counters_beat(c);
}
static_assert((sizeof(psy_counters_header) + sizeof table) % 128 == 0, "rows begin on lines of their own");

/* Gives the file its name, from the dead if need be. */
static psy_status publish(psy_counters *c, const char *made)
{
    for (unsigned tries = 0; tries < 100; tries++) {
        if (linkat(c->folder, made, c->folder, c->name, 0) == 0) {
            return PSY_OK;
        }
        if (errno != EEXIST) {
            return psy__counters_failure("link", c->path);
        }
        switch (psy__counters_bury(c->folder, c->name, NULL)) {
        case PSY_COUNTERS_LIVES:
            /* Or one that cleans up has the dead one's lock for a moment. */
            if (tries >= 20) {
                return psy_fail(PSY_FULL, "%s: a living process has its counters there", c->path);
            }
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
            break;
        case PSY_COUNTERS_FOREIGN: return psy_fail(PSY_DENIED, "%s is there, and is no file of counters", c->path);
        case PSY_COUNTERS_FAILED: return psy__counters_failure("a dead process's file", c->path);
        case PSY_COUNTERS_BURIED: break;
        }
    }
    return psy_fail(PSY_FULL, "%s: others take the name again and again", c->path);
}

/* One try; *again: somebody who cleans up was quicker. */
static psy_status make(psy_counters *c, bool *again)
{
    char made[NAME_MAX + 1];
    uint64_t random;
    struct stat st;
    *again = false;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        return psy__counters_failure("getrandom", c->path);
    }
    psy__counters_new_name(made, sizeof made, c->name, random);
    c->fd = openat(c->folder, made, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (c->fd < 0) {
        *again = errno == EEXIST;
        return psy__counters_failure("open", c->path);
    }
    psy_status status = PSY_OK;
    const int locked = psy__counters_lock(c->fd);
    if (locked < 0) {
        status = psy__counters_failure("F_OFD_SETLK", c->path);
    } else if (locked == 0 || fstat(c->fd, &st) != 0 || st.st_nlink == 0) {
        *again = true;
        status = psy_fail(PSY_IO, "%s: taken away while it was made", c->path);
    } else if (fchmod(c->fd, 0644) != 0) { /* whatever the umask is: others may read */
        status = psy__counters_failure("fchmod", c->path);
    } else {
        status = reserve(c);
    }
    if (status == PSY_OK) {
        fill(c);
        status = publish(c, made);
    }
    (void)unlinkat(c->folder, made, 0);
    if (status != PSY_OK) {
        if (c->header) {
            munmap(c->header, c->bytes);
            c->header = NULL;
        }
        close(c->fd);
        c->fd = -1;
    }
    return status;
}

/* Frees the memory and closes what is open. */
static void end(psy_counters *c)
{
    if (c->header) {
        munmap(c->header, c->bytes);
    }
    if (c->fd >= 0) {
        close(c->fd);
    }
    if (c->folder >= 0) {
        close(c->folder);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c->generations);
    free(c);
}

static psy_status open_folder(psy_counters *c)
{
    char *slash = strrchr(c->path, '/');
    char folder[PATH_MAX];
    const size_t n = slash ? (size_t)(slash - c->path) : 0;
    c->name = slash ? slash + 1 : c->path;
    /* The name that it is made under is the longest. */
    if (*c->name == '\0' || strlen(c->name) > NAME_MAX - 24 || n >= sizeof folder) {
        return psy_fail(PSY_INVALID, "`%s` cannot be a file: names have 1 to %d bytes", c->path, NAME_MAX - 24);
    }
    memcpy(folder, c->path, n);
    folder[n] = '\0';
    c->folder = open(n ? folder : slash ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return c->folder < 0 ? psy__counters_failure("open", n ? folder : ".") : PSY_OK;
}

static psy_status create(const char *path, uint32_t rows, uint64_t epoch, psy_counters **out)
{
    psy_counters *c = calloc(1, sizeof *c + strlen(path) + 1);
    uint64_t *generations = calloc(rows, sizeof *generations);
    if (!c || !generations) {
        free(c);
        free(generations);
        return psy_fail(PSY_NO_MEMORY, "no memory for counters");
    }
    strcpy(c->path, path);
    c->fd = c->folder = -1;
    c->pid = getpid();
    c->epoch = epoch;
    c->row_count = rows;
    c->generations = generations;
    c->bytes = sizeof(psy_counters_header) + sizeof table + (uint64_t)rows * sizeof(row);
    pthread_mutex_init(&c->mutex, NULL);
    psy_status status = open_folder(c);
    bool again = status == PSY_OK;
    for (unsigned tries = 0; again && tries < 100; tries++) {
        status = make(c, &again);
    }
    if (status != PSY_OK) {
        end(c);
        return status;
    }
    *out = c;
    return PSY_OK;
}

psy_status psy_counters_create(const char *path, uint32_t rows, psy_counters **out)
{
    char own[PATH_MAX];
    uint64_t epoch;
    if (!out || (path && !*path)) {
        return psy_fail(PSY_INVALID, "psy_counters_create: a null argument, or an empty name");
    }
    if (rows == 0 || rows > PSY_COUNTERS_MAX_ROWS) {
        return psy_fail(rows ? PSY_LIMIT : PSY_INVALID, "%" PRIu32 " rows of counters: 1 to %d", rows, PSY_COUNTERS_MAX_ROWS);
    }
    if (getrandom(&epoch, sizeof epoch, 0) != (ssize_t)sizeof epoch) {
        return psy__counters_failure("getrandom", "counters");
    }
    if (!path) {
        psy_status status = psy_counters_directory(own, sizeof own);
        status = status == PSY_OK ? psy__counters_folder_make(own) : status;
        if (status != PSY_OK) {
            return status;
        }
        (void)!psy_counters_clean(own, NULL); /* what cannot go stays: it is in nobody's way */
        const size_t n = strlen(own);
        const int more = snprintf(own + n, sizeof own - n, "/%ld-%016" PRIx64 PSY_COUNTERS_SUFFIX, (long)getpid(), epoch);
        if (more < 0 || (size_t)more >= sizeof own - n) {
            return psy_fail(PSY_TOO_LARGE, "the name of the folder of counters has %zu bytes", n);
        }
        path = own;
    }
    return create(path, rows, epoch, out);
}

void psy_counters_destroy(psy_counters *c)
{
    if (!c) {
        return;
    }
    struct stat mine, named;
    /* The lock is held until all is done, so that the name stays this file's. */
    if (c->pid == getpid() && fstat(c->fd, &mine) == 0 && fstatat(c->folder, c->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
        mine.st_dev == named.st_dev && mine.st_ino == named.st_ino) {
        (void)unlinkat(c->folder, c->name, 0);
    }
    end(c);
}

const char *psy_counters_path(const psy_counters *c) { return c->path; }

void psy_counters_beat(psy_counters *c) { atomic_store_explicit(&c->header->beat_ns, psy__now_ns(), memory_order_relaxed); }

/* ---- rows ---- */

/* What is stored before it is seen before what is stored after. */
static void order_stores(void)
{
#if defined(__SANITIZE_THREAD__)
    static PSY_ATOMIC(uint32_t) word; /* the sanitizer knows no fences; nobody in this process reads rows */
    (void)atomic_exchange_explicit(&word, 0u, memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_release);
#endif
}

static bool is_label(const char *label)
{
    char clean[PSY_COUNTERS_LABEL_BYTES];
    psy__counters_text(clean, sizeof clean, label, strlen(label));
    return *label && strcmp(clean, label) == 0;
}

/* The head says whose it is; while it changes, the generation is even. */
static void take(psy_counters *c, uint32_t i, psy_counters_section section, const psy_counters_place *place)
{
    row *r = &c->rows[i];
    psy_counters_head *h = &r->head;
    order_stores(); /* the even generation of who had it before is seen first */
    h->ring = place->ring;
    h->section = section;
    h->side = place->side;
    h->seat = place->seat;
    h->pid = (uint32_t)c->pid;
    h->since_ns = utc_ns();
    h->stride = place->stride;
    h->slots = place->slots;
    memset(h->label, 0, sizeof h->label);
    memcpy(h->label, place->label, strlen(place->label));
    for (unsigned v = 0; v < PSY_COUNTERS_VALUES; v++) {
        atomic_store_explicit(&r->values[v], 0, memory_order_relaxed);
    }
    atomic_store_explicit(&h->generation, ++c->generations[i], memory_order_release);
}

psy_status psy_counters_section_row(psy_counters *c, psy_counters_section section, const psy_counters_place *place,
                                    PSY_ATOMIC(uint64_t) * *values)
{
    if (!c || !place || !values || !place->label) {
        return psy_fail(PSY_INVALID, "a row of counters: a null argument");
    }
    if ((unsigned)section >= PSY_COUNTERS_SECTIONS || place->ring == 0 ||
        (section == PSY_COUNTERS_OF_RING && place->side > 1) ||
        (section == PSY_COUNTERS_OF_LATENCY && place->side >= PSY_LATENCY_PARTS)) {
        return psy_fail(PSY_INVALID, "a row of counters of section %u: side %" PRIu32 " of %s %" PRIu64, (unsigned)section,
                        place->side, section == PSY_COUNTERS_OF_RING ? "ring" : "thing", place->ring);
    }
    const size_t n = strnlen(place->label, PSY_COUNTERS_LABEL_BYTES);
    if (n == PSY_COUNTERS_LABEL_BYTES) {
        return psy_fail(PSY_TOO_LARGE, "a label of counters has at most %d bytes", PSY_COUNTERS_LABEL_BYTES - 1);
    }
    if (!is_label(place->label)) {
        return psy_fail(PSY_INVALID, "a label of counters is UTF-8 without control characters, and not empty");
    }
    if (c->pid != getpid()) {
        return psy_fail(PSY_INVALID, "%s belongs to process %ld: a forked one makes its own", c->path, (long)c->pid);
    }
    pthread_mutex_lock(&c->mutex);
    for (uint32_t k = 0; k < c->row_count; k++) {
        const uint32_t i = (c->next + k) % c->row_count;
        if (c->generations[i] % 2 == 0) {
            take(c, i, section, place);
            c->next = (i + 1) % c->row_count;
            pthread_mutex_unlock(&c->mutex);
            *values = c->rows[i].values;
            return PSY_OK;
        }
    }
    pthread_mutex_unlock(&c->mutex);
    return psy_fail(PSY_LIMIT, "%s: all %" PRIu32 " rows of counters are in use", c->path, c->row_count);
}

psy_status psy_counters_ring(psy_counters *c, const psy_counters_place *place, psy_ring_counters **out)
{
    PSY_ATOMIC(uint64_t) *values = NULL;
    const psy_status status = out ? psy_counters_section_row(c, PSY_COUNTERS_OF_RING, place, &values)
                                  : psy_fail(PSY_INVALID, "psy_counters_ring: a null argument");
    if (status == PSY_OK) {
        *out = (psy_ring_counters *)(void *)values;
    }
    return status;
}

void psy_counters_section_drop(psy_counters *c, PSY_ATOMIC(uint64_t) * values)
{
    if (!values || c->pid != getpid()) {
        return;
    }
    const size_t i = (size_t)((const uint8_t *)values - (const uint8_t *)c->rows) / sizeof(row);
    assert(i < c->row_count && values == c->rows[i].values);
    pthread_mutex_lock(&c->mutex);
    if (c->generations[i] % 2 != 0) {
        atomic_store_explicit(&c->rows[i].head.generation, ++c->generations[i], memory_order_release);
    }
    pthread_mutex_unlock(&c->mutex);
}

void psy_counters_drop(psy_counters *c, psy_ring_counters *counters)
{
    psy_counters_section_drop(c, (PSY_ATOMIC(uint64_t) *)(void *)counters);
}
