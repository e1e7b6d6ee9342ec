/* SPDX-License-Identifier: Apache-2.0 */
/* What is served: the modules and the files of resident data, opened and compared with each other.
 *
 * The process that opens them is the parent of those that load: these read what was opened, so that every shard has the same
 * rows, also one that is started again after a file was replaced. */
#ifndef PSY_COMMAND_SERVE_DATA_H
#define PSY_COMMAND_SERVE_DATA_H

#include <psyne/worker.h>
#include <sys/stat.h>

#include "command/serve_options.h"
#include "data/rows.h"
#include "service/snapshot.h"

typedef struct psy__served_program {
    char name[64];
    uint32_t version; /* 0: the broker's choice */
    psy_module *module;
} psy__served_program;

typedef struct psy__data_files {
    struct stat data, keys; /* keys: zeroes where there are none */
} psy__data_files;

typedef struct psy__served {
    psy__served_program *programs;
    psy__rows *data;        /* as the options' list */
    psy__data_files *files; /* of the data, as they were when they were opened */
    uint32_t program_count, data_count;
    bool has_snapshot; /* in the folder of the options */
    psy__snapshot snapshot;
    struct stat snapshot_file;
    const char **paths; /* of the data: the options' */
} psy__served;

/* Opens all, and says all that is wrong. False: something is; then nothing is open. Blocks on the files; allocates. */
bool psy__served_open(const psy__serve_options *o, void (*say)(void *context, const char *error), void *context,
                      psy__served *out);
void psy__served_close(psy__served *served);

/* The program of that name and version, or NULL. */
psy__served_program *psy__served_find(const psy__served *served, const char *name, uint32_t version);
/* Takes a program's module over; it takes the place of that of the same name and version or, where `replace`, of all of the
 * name. `module` NULL: it is none of them any more. */
void psy__served_put(psy__served *served, const psy__served_program *program, bool replace);

/* Whether data `i` is of one and the same file in both, unchanged. */
bool psy__served_same_file(const psy__served *a, const psy__served *b, uint32_t i);

/* One that declares the resident, or NULL. */
const psy_module *psy__served_module_with(const psy__served *served, const char *resident);

/* Whether data `i` was written after the snapshot. */
bool psy__served_is_newer(const psy__served *served, uint32_t i);

/* The file of a resident's keys; NULL: there is none. */
const char *psy__served_keys(const psy__serve_options *o, const char *resident);

/* How many rows all shards together load of it. */
uint64_t psy__served_rows(const psy__served *served, uint32_t shards);

/* What would be served, for people or as an object of JSON. */
void psy__served_print(const psy__served *served, const psy__serve_options *o, FILE *to);
void psy__served_print_json(const psy__served *served, const psy__serve_options *o, FILE *to);

#endif
