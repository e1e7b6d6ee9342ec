/* SPDX-License-Identifier: Apache-2.0 */
/* One file of counters, whoever wrote it: it is copied, checked, and then used. */
#define _GNU_SOURCE
#include "mem/counters_snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/counters_folder.h"

/* No file needs more, and nobody allocates more for one. */
enum {
    MAX_DESCRIPTORS = 4096,
    MAX_DESCRIPTOR_BYTES = 4096,
    MAX_ROW_BYTES = 4096,
    MAX_ROW_HEAD_BYTES = 1024,
    CHUNK_BYTES = 65536 /* of rows, read at once */
};

/* What is read, and the geometry that was checked. */
typedef struct reading {
    psy_counters_snapshot *snapshot;
    psy__counters_source *source;
    int fd;
    psy_counters_header h;
    uint32_t slots;                             /* u64 in a row */
    uint32_t sections, counts[MAX_DESCRIPTORS]; /* and how many values a row of each has */
} reading;

static psy_status read_at(const reading *r, void *to, size_t bytes, uint64_t at)
{
    for (size_t got = 0; got < bytes;) {
        const ssize_t n = pread(r->fd, (uint8_t *)to + got, bytes - got, (off_t)(at + got));
        if (n == 0) {
            return psy_fail(PSY_CORRUPT, "%s ends at byte %" PRIu64, r->source->path, at + got);
        }
        if (n < 0 && errno != EINTR) {
            return psy__counters_failure("pread", r->source->path);
        }
        got += n > 0 ? (size_t)n : 0;
    }
    return PSY_OK;
}

/* ---- the header ---- */

static psy_status check_geometry(const reading *r)
{
    const psy_counters_header *h = &r->h;
    const char *what = NULL;
    if (h->descriptor_bytes < sizeof(psy_counters_descriptor) || h->descriptor_bytes > MAX_DESCRIPTOR_BYTES ||
        h->descriptor_bytes % 8 != 0) {
        what = "the size of a descriptor";
    } else if (h->descriptors == 0 || h->descriptors > MAX_DESCRIPTORS) {
        what = "the number of descriptors";
    } else if (h->row_head_bytes < sizeof(psy_counters_head) || h->row_head_bytes > MAX_ROW_HEAD_BYTES ||
               h->row_head_bytes % 8 != 0) {
        what = "the size of a row's head";
    } else if (h->row_bytes <= h->row_head_bytes || h->row_bytes > MAX_ROW_BYTES || h->row_bytes % 128 != 0) {
        what = "the size of a row";
    } else if (h->rows == 0 || h->rows > PSY_COUNTERS_MAX_ROWS) {
        what = "the number of rows";
    } else if (h->descriptors_at < sizeof *h || h->descriptors_at % 8 != 0 || h->descriptors_at > h->bytes) {
        what = "where descriptors are";
    } else if (h->rows_at % 128 != 0 || h->rows_at > h->bytes ||
               h->rows_at < h->descriptors_at + (uint64_t)h->descriptors * h->descriptor_bytes) {
        what = "where rows are";
    } else if (h->bytes - h->rows_at < (uint64_t)h->rows * h->row_bytes) {
        what = "its size";
    }
    return what ? psy_fail(PSY_CORRUPT, "%s: %s is impossible", r->source->path, what) : PSY_OK;
}

static psy_status read_header(reading *r)
{
    struct stat st;
    psy_counters_file *f = &r->source->file;
    if (fstat(r->fd, &st) != 0) {
        return psy__counters_failure("fstat", r->source->path);
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof r->h) {
        return psy_fail(PSY_CORRUPT, "%s is no file of counters", r->source->path);
    }
    psy_status status = read_at(r, &r->h, sizeof r->h, 0);
    if (status != PSY_OK) {
        return status;
    }
    if (r->h.magic != PSY_COUNTERS_MAGIC) {
        return psy_fail(PSY_CORRUPT, "%s is no file of counters: its first word is %08x", r->source->path, r->h.magic);
    }
    f->abi_major = r->h.abi_major;
    f->abi_minor = r->h.abi_minor;
    if (r->h.abi_major != PSY_COUNTERS_ABI_MAJOR) {
        return psy_fail(PSY_VERSION, "%s has ABI %u.%u, this library %u.%u", r->source->path, r->h.abi_major, r->h.abi_minor,
                        PSY_COUNTERS_ABI_MAJOR, PSY_COUNTERS_ABI_MINOR);
    }
    if (r->h.bytes != (uint64_t)st.st_size) {
        return psy_fail(PSY_CORRUPT, "%s says %" PRIu64 " bytes and has %" PRIu64, r->source->path, r->h.bytes,
                        (uint64_t)st.st_size);
    }
    status = check_geometry(r);
    if (status != PSY_OK) {
        return status;
    }
    r->slots = (r->h.row_bytes - r->h.row_head_bytes) / 8;
    f->pid = r->h.pid;
    f->created_ns = r->h.created_ns;
    f->beat_ns = atomic_load_explicit(&r->h.beat_ns, memory_order_relaxed);
    f->epoch = r->h.epoch;
    f->rows = r->h.rows;
    psy__counters_text(f->process, sizeof f->process, r->h.process, sizeof r->h.process);
    f->alive = psy__counters_alive(r->fd);
    return PSY_OK;
}

/* ---- descriptors ---- */

/* Cleans the text where it is. It ends within its room. */
static bool clean(char *text, size_t room)
{
    char to[sizeof((psy_counters_descriptor *)NULL)->help];
    if (!memchr(text, 0, room)) {
        return false;
    }
    psy__counters_text(to, room, text, room);
    memcpy(text, to, room);
    return true;
}

/* A descriptor in its place: sections in their order, each followed by its values in theirs. */
static const char *check_descriptor(reading *r, psy_counters_descriptor *d, uint32_t *values)
{
    if (!clean(d->name, sizeof d->name) || !clean(d->unit, sizeof d->unit) || !clean(d->help, sizeof d->help)) {
        return "a text has no end";
    }
    if (d->name[0] == '\0') {
        return "it has no name";
    }
    if (d->kind == PSY_COUNTERS_SECTION) {
        if (r->sections > 0 && *values != r->counts[r->sections - 1]) {
            return "the section before it lacks values";
        }
        if (d->section != r->sections || d->place > r->slots) {
            return "an impossible section";
        }
        r->counts[r->sections++] = d->place;
        *values = 0;
        return NULL;
    }
    if (d->kind > PSY_COUNTERS_PEAK && r->h.abi_minor <= PSY_COUNTERS_ABI_MINOR) {
        return "an unknown kind";
    }
    if (r->sections == 0 || d->section != r->sections - 1 || d->place != *values || *values >= r->counts[r->sections - 1]) {
        return "it is out of its place";
    }
    ++*values;
    return NULL;
}

/* Where the values that this library knows are in the file's rows. */
static void find_place(psy__counters_source *s, const psy_counters_descriptor *d, uint32_t *known)
{
    const psy_counters_descriptor *mine;
    *known = d->kind == PSY_COUNTERS_SECTION ? PSY_COUNTERS_SECTIONS : *known;
    for (uint32_t i = 0; (mine = psy_counters_table(i)) != NULL; i++) {
        if (mine->kind != d->kind || strcmp(mine->name, d->name) != 0) {
            continue;
        }
        if (d->kind == PSY_COUNTERS_SECTION) {
            *known = mine->section;
            s->sections[mine->section] = d->section;
        } else if (mine->section == *known) {
            s->places[mine->section][mine->place] = d->place;
        }
    }
}

static psy_status read_descriptors(reading *r)
{
    psy__counters_source *s = r->source;
    uint32_t values = 0, known = PSY_COUNTERS_SECTIONS;
    memset(s->sections, 0xff, sizeof s->sections);
    memset(s->places, 0xff, sizeof s->places);
    s->descriptors = calloc(r->h.descriptors, sizeof *s->descriptors);
    if (!s->descriptors) {
        return psy_fail(PSY_NO_MEMORY, "no memory for descriptors of counters");
    }
    for (uint32_t i = 0; i < r->h.descriptors; i++) {
        psy_counters_descriptor *d = &s->descriptors[i];
        const psy_status status = read_at(r, d, sizeof *d, r->h.descriptors_at + (uint64_t)i * r->h.descriptor_bytes);
        if (status != PSY_OK) {
            return status;
        }
        const char *wrong = check_descriptor(r, d, &values);
        if (wrong) {
            return psy_fail(PSY_CORRUPT, "%s: descriptor %" PRIu32 ": %s", s->path, i, wrong);
        }
        find_place(s, d, &known);
    }
    if (r->sections == 0 || values != r->counts[r->sections - 1]) {
        return psy_fail(PSY_CORRUPT, "%s: the last section lacks values", s->path);
    }
    s->file.descriptors = s->descriptors;
    s->file.descriptor_count = r->h.descriptors;
    return PSY_OK;
}

/* ---- rows ---- */

bool psy__counters_grow(void **at, size_t bytes, size_t count, size_t *room)
{
    if (count < *room) {
        return true;
    }
    const size_t more = *room ? 2 * *room : 64;
    void *grown = realloc(*at, more * bytes);
    if (!grown) {
        return false;
    }
    *at = grown;
    *room = more;
    return true;
}

/* A row that was one user's while it was copied. */
static psy_status take_row(reading *r, const uint8_t *copy, uint32_t number)
{
    psy__counters_source *s = r->source;
    psy_counters_snapshot *to = r->snapshot;
    psy_counters_head head;
    memcpy((void *)&head, copy, sizeof head);
    const bool known = head.section == s->sections[PSY_COUNTERS_OF_RING];
    if (head.section >= r->sections || !memchr(head.label, 0, sizeof head.label) ||
        (known && (head.side > 1 || head.ring == 0))) {
        return psy_fail(PSY_CORRUPT, "%s: the head of row %" PRIu32 " is impossible", s->path, number);
    }
    size_t rows = to->row_room;
    const bool room = psy__counters_grow((void **)&to->rows, sizeof *to->rows, to->row_count, &rows);
    to->row_room = (uint32_t)rows;
    if (!room) {
        return psy_fail(PSY_NO_MEMORY, "no memory for rows of counters");
    }
    const uint32_t count = r->counts[head.section];
    for (uint32_t v = 0; v < count; v++) {
        if (!psy__counters_grow((void **)&s->values, sizeof *s->values, s->value_count, &s->value_room)) {
            return psy_fail(PSY_NO_MEMORY, "no memory for values of counters");
        }
        memcpy(&s->values[s->value_count++], copy + r->h.row_head_bytes + 8 * v, 8);
    }
    psy_counters_row *row = &to->rows[to->row_count++];
    *row = (psy_counters_row){.file = (uint32_t)(s - to->sources),
                              .number = number,
                              .section = head.section,
                              .side = head.side,
                              .seat = head.seat,
                              .pid = head.pid,
                              .stride = head.stride,
                              .slots = head.slots,
                              .ring = head.ring,
                              .generation = atomic_load_explicit(&head.generation, memory_order_relaxed),
                              .since_ns = head.since_ns,
                              .value_count = count};
    psy__counters_text(row->label, sizeof row->label, head.label, sizeof head.label);
    s->file.used++;
    return PSY_OK;
}

/* Copied three times: a row whose generation is the same odd number in the first and the last copy was one user's while the one
 * between was made. */
static psy_status read_chunk(reading *r, uint8_t *const copies[3], uint32_t first, uint32_t n)
{
    psy_status status = PSY_OK;
    for (unsigned k = 0; k < 3 && status == PSY_OK; k++) {
        status = read_at(r, copies[k], (size_t)n * r->h.row_bytes, r->h.rows_at + (uint64_t)first * r->h.row_bytes);
#if !defined(__SANITIZE_THREAD__)
        atomic_thread_fence(memory_order_acquire);
#endif
    }
    for (uint32_t i = 0; i < n && status == PSY_OK; i++) {
        uint64_t before, after;
        const size_t at = (size_t)i * r->h.row_bytes;
        memcpy(&before, copies[0] + at, 8);
        memcpy(&after, copies[2] + at, 8);
        if (before != after) {
            r->source->file.changing++;
        } else if (before % 2 != 0) {
            status = take_row(r, copies[1] + at, first + i);
        }
    }
    return status;
}

static psy_status read_rows(reading *r)
{
    const uint32_t most = CHUNK_BYTES / r->h.row_bytes;
    uint8_t *memory = malloc(3 * CHUNK_BYTES);
    if (!memory) {
        return psy_fail(PSY_NO_MEMORY, "no memory for rows of counters");
    }
    uint8_t *const copies[3] = {memory, memory + CHUNK_BYTES, memory + 2 * CHUNK_BYTES};
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < r->h.rows && status == PSY_OK; i += most) {
        status = read_chunk(r, copies, i, r->h.rows - i < most ? r->h.rows - i : most);
    }
    free(memory);
    return status;
}

psy_status psy__counters_read_file(psy_counters_snapshot *snapshot, psy__counters_source *source, int fd)
{
    reading *r = calloc(1, sizeof *r);
    if (!r) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a file of counters");
    }
    r->snapshot = snapshot;
    r->source = source;
    r->fd = fd;
    const uint32_t first = snapshot->row_count;
    psy_status status = read_header(r);
    status = status == PSY_OK ? read_descriptors(r) : status;
    status = status == PSY_OK ? read_rows(r) : status;
    if (status != PSY_OK) {
        snapshot->row_count = first; /* all of it, or nothing */
        source->file.used = 0;
    }
    const uint64_t *values = source->values;
    for (uint32_t i = first; i < snapshot->row_count; i++) {
        snapshot->rows[i].values = values;
        values += snapshot->rows[i].value_count;
    }
    free(r);
    return status;
}
