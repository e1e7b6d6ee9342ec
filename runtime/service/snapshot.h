/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot of a service's resident data, of one version, in a folder of its own:
 *
 *   FOLDER/snapshot            what there is: the list below. It is written last, and put in place of the one before in one
 * step FOLDER/data-X/             its files; X is 16 hexadecimal digits, another for each snapshot NAME.shard-I-of-S.npy a
 * shard's rows of a resident, as NumPy reads them NAME.shard-I-of-S.keys.npy    of data `by key`, their keys
 *
 *   psyne-snapshot 1                        the list's format
 *   series 0123456789abcdef                 versions of one series follow each other
 *   version 7                               of the data
 *   shards 2
 *   folder data-89abcdef01234567
 *   resident f32 split 2 1000 256 words     element type, placement, rank, sizes, name (%XX for what is not printed)
 *   part 500 512064 0123456789abcdef        of each shard: rows; bytes and checksum of the file ...
 *   part 500 512064 0123456789abcdef
 *   resident f32 by-key 2 40 4 kept
 *   part 22 416 0123456789abcdef 240 0123456789abcdef     ... and of the keys'
 *   part 18 352 0123456789abcdef 208 0123456789abcdef
 *   resident f32 replicated 1 9 weights     every shard has the same: the first one wrote it
 *   part 9 164 0123456789abcdef
 *   end 0123456789abcdef                    checksum of all before this line
 *
 * Checksums are SipHash-2-4 with a zero key over whole files: against accidents; who may write to the folder may write what he
 * likes. Whatever the bytes are, reading ends in a status: sizes are bounded, no link is followed, nothing is mapped.
 *
 * Format 1. Thread safety: none of these is shared between threads at a time. */
#ifndef PSY_SERVICE_SNAPSHOT_H
#define PSY_SERVICE_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <psyne/status.h>

#include "isa/module.h"

enum {
    PSY_SNAPSHOT_RESIDENTS_MAX = 1024,
    PSY_SNAPSHOT_NAME_BYTES = 128,   /* of a resident, with the end */
    PSY_SNAPSHOT_FOLDER_BYTES = 24,  /* "data-" and 16 digits */
    PSY_SNAPSHOT_FILE_BYTES = 224,   /* the name of a file */
    PSY_SNAPSHOT_LIST_MAX = 16 << 20 /* bytes of the list */
};

typedef struct psy__snapshot_file {
    uint64_t bytes, checksum; /* bytes 0: there is none */
} psy__snapshot_file;

/* What a shard has of a resident. */
typedef struct psy__snapshot_part {
    uint64_t rows;
    psy__snapshot_file data, keys;
} psy__snapshot_part;

typedef struct psy__snapshot_resident {
    char name[PSY_SNAPSHOT_NAME_BYTES];
    uint8_t dtype, rank, placement;
    uint64_t dims[PSY_RANK_MAX]; /* over all shards */
    psy__snapshot_part *parts;   /* by shard; replicated: only the first one counts */
} psy__snapshot_resident;

typedef struct psy__snapshot {
    uint64_t series, version;
    uint32_t shards, resident_count;
    char folder[PSY_SNAPSHOT_FOLDER_BYTES];
    psy__snapshot_resident *residents;
} psy__snapshot;

/* ---- the list: snapshot.c ---- */
/* A new one, zeroed but for what it is called, with its parts. NULL: LIMIT, NO_MEMORY, as this thread's detail says. */
psy__snapshot_resident *psy__snapshot_add(psy__snapshot *s, const char *name);
psy__snapshot_resident *psy__snapshot_find(const psy__snapshot *s, const char *name);
/* Whether everything is there, and the shards' rows are as many as the sizes say. CORRUPT. */
PSY_NODISCARD psy_status psy__snapshot_check(const psy__snapshot *s);
void psy__snapshot_fini(psy__snapshot *s);
/* As text, on the heap. NO_MEMORY, TOO_LARGE. */
PSY_NODISCARD psy_status psy__snapshot_print(const psy__snapshot *s, char **text, uint64_t *bytes);
/* Of text: CORRUPT says what is wrong, VERSION, NO_MEMORY. psy__snapshot_fini is due where it is OK. */
PSY_NODISCARD psy_status psy__snapshot_parse(const char *text, uint64_t bytes, psy__snapshot *out);
/* The name of a file: that of the resident, as far as it can be one. */
void psy__snapshot_file_name(const char *resident, uint32_t shard, uint32_t shards, bool keys,
                             char out[PSY_SNAPSHOT_FILE_BYTES]);
uint64_t psy__snapshot_row_bytes(const psy__snapshot_resident *r);

/* ---- its folder: snapshot_folder.c; all of these block on the disk ---- */
/* For tests: asked before each operation that changes the disk; not 0 is the error that it ends in. */
extern int (*psy__snapshot_fault)(const char *operation, const char *name);

/* The folder itself: *fd. IO, DENIED, NOT_FOUND. */
PSY_NODISCARD psy_status psy__snapshot_open_folder(const char *path, int *fd);
/* The list in it. NOT_FOUND: there is none; IO, and as psy__snapshot_parse. */
PSY_NODISCARD psy_status psy__snapshot_read(int folder, psy__snapshot *out);
/* Of another one that is to be made: its files' folder, with its name, having cleared away what an attempt before it left. Only
 * one at a time can be at work in a folder, which is so until `folder` is closed: LIMIT. *fd is the caller's. */
PSY_NODISCARD psy_status psy__snapshot_prepare(int folder, char name[PSY_SNAPSHOT_FOLDER_BYTES], int *fd);
/* One file in that folder, which is on the disk when it returns. CANCELLED: told to stop. IO, DENIED. */
PSY_NODISCARD psy_status psy__snapshot_write(int fd, const char *name, psy_dtype dtype, uint32_t rank, const uint64_t *dims,
                                             const void *data, const _Atomic bool *stop, psy__snapshot_file *out);
/* The files that are in the folder `fd` stay: they and their names are on the disk when it returns. */
PSY_NODISCARD psy_status psy__snapshot_settle(int fd);
/* It takes the place of the one before, whose files go; where it cannot, its own go. */
PSY_NODISCARD psy_status psy__snapshot_commit(int folder, const psy__snapshot *s);
/* It is not to be: its files go. */
void psy__snapshot_discard(int folder, const char *name);
#endif
