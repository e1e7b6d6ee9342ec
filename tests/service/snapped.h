/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of the data of edited.h: folders for them, services that are restored from them, and what these answer. */
#ifndef PSY_TESTS_SERVICE_SNAPPED_H
#define PSY_TESTS_SERVICE_SNAPPED_H

#include <psyne/service.h>

#include "tests/service/edited.h"

typedef struct snapped_folder {
    char path[200];
} snapped_folder;

/* An empty one of the test's own; all that is in it goes with it. */
snapped_folder snapped_make(void);
void snapped_end(const snapped_folder *f);
/* Names in it, in the files' folder too, other than "." and "..": how many, sorted. Of a folder that is not there: 0. */
uint32_t snapped_names(const char *path, char names[64][64]);
/* The path of the list, or of a file (NULL: of their folder) of the snapshot in it. */
void snapped_list(const snapped_folder *f, char out[400]);
void snapped_file(const snapped_folder *f, const char *name, char out[400]);
/* What lies in a file, and what is to lie there. */
char *snapped_read(const char *path, size_t *bytes);
void snapped_write(const char *path, const void *bytes, size_t n);

/* Whether every file of the snapshot is there, with the checksum that its list says; false: there is no list, or it is not so. */
bool snapped_whole(const snapped_folder *f, uint64_t *version);

/* A service on the test's thread with the data of version 1, asked as `e` is. */
psy_service *snapped_service(edited *e, uint32_t shards, uint64_t seed);
/* Makes a random set of edits there, while it is asked. */
void snapped_change(psy_service *service, edited *e);
/* A snapshot, while it is asked. */
psy_status snapped_take(psy_service *service, edited *e, const snapped_folder *f, uint64_t *version);
void snapped_close(psy_service *service, edited *e);

/* A service of so many shards is restored from the folder: the status, and where it is OK, all that it answers is that of
 * *version of `model`, which is the one that it has. */
psy_status snapped_restore(const snapped_folder *f, uint32_t shards, const edited *model, uint64_t *version);

#endif
