/* SPDX-License-Identifier: Apache-2.0 */
/* Data comes in out of a snapshot, in place of files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/snapshot_rows.h"
#include "service/worker_state.h"

enum { TRIES = 4 };

/* Its place among the rows of split data, if there are as many shards now as there were; else by the usual rule. */
static psy__rows_range range_of(const psy_worker *w, const psy__snapshot *s, const psy__snapshot_resident *r)
{
    psy__rows_range range = {.usual = r->placement != PSY_PLACE_SPLIT || s->shards != w->holder.shards};
    for (uint32_t i = 0; !range.usual && i < w->holder.shard; i++) {
        range.first += r->parts[i].rows;
    }
    range.count = range.usual ? 0 : r->parts[w->holder.shard].rows;
    return range;
}

static psy_status restore_one(psy_worker *w, int files, const psy__snapshot *s, const psy__snapshot_resident *r)
{
    const psy_psm_resident *declared = psy__worker_declaration(w, r->name);
    if (!declared) {
        return PSY_OK; /* no program has a use for it */
    }
    if (declared->dtype != r->dtype || declared->rank != r->rank || declared->placement != r->placement) {
        return psy_fail(PSY_INVALID, "resident %s: the snapshot has other elements, another rank or placement than the module",
                        r->name);
    }
    psy__snapshot_rows rows;
    const psy__rows_range range = range_of(w, s, r);
    psy_status status = psy__snapshot_rows_open(&rows, files, s, r);
    status = status == PSY_OK ? psy__worker_load_rows(w, &rows.rows, &range) : status;
    if (status == PSY_OK) {
        status = psy__snapshot_rows_end(&rows);
    }
    psy__snapshot_rows_close(&rows);
    return status;
}

static psy_status restore_from(psy_worker *w, int folder, psy__snapshot *s)
{
    psy_status status = psy__snapshot_read(folder, s);
    if (status != PSY_OK) {
        return status;
    }
    const int files = openat(folder, s->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (files < 0) {
        return psy_fail(errno == ENOENT ? PSY_NOT_FOUND : PSY_IO, "%s: %s", s->folder, strerror(errno));
    }
    for (uint32_t i = 0; status == PSY_OK && i < s->resident_count; i++) {
        status = restore_one(w, files, s, &s->residents[i]);
    }
    close(files);
    return status;
}

/* Whether another snapshot has come since: then the files of this one are gone for that reason. */
static bool has_another(int folder, const psy__snapshot *s)
{
    psy__snapshot now;
    if (psy__snapshot_read(folder, &now) != PSY_OK) {
        return false;
    }
    const bool other = strcmp(now.folder, s->folder) != 0;
    psy__snapshot_fini(&now);
    return other;
}

psy_status psy_worker_restore(psy_worker *w, const char *path)
{
    if (!w || !path || w->started || w->dataset_count) {
        return psy_fail(PSY_INVALID, "psy_worker_restore: %s",
                        w && w->started         ? "the worker serves already"
                        : w && w->dataset_count ? "it comes before all that is loaded"
                                                : "a null argument");
    }
    if (w->moves) {
        return PSY_OK; /* its rows come from the workers that there are */
    }
    int folder;
    char why[512] = "";
    psy_status status = psy__snapshot_open_folder(path, &folder);
    if (status != PSY_OK) {
        return status;
    }
    bool again = true;
    for (int tries = 0; again && tries < TRIES; tries++) {
        psy__snapshot s = {0};
        status = restore_from(w, folder, &s);
        again = false;
        if (status == PSY_OK) {
            w->data_version = s.version;
            w->series = s.series;
        } else {
            snprintf(why, sizeof why, "%s", psy_detail());
            psy__worker_unload(w);
            psy__worker_refit_all(w);
            again = status == PSY_NOT_FOUND && s.shards != 0 && has_another(folder, &s);
            /* A list without its files is no "nothing is there". */
            status = status == PSY_NOT_FOUND && s.shards != 0 ? PSY_CORRUPT : status;
        }
        psy__snapshot_fini(&s);
    }
    close(folder);
    return status == PSY_OK ? PSY_OK : psy_fail(status, "snapshot in %.100s: %.380s", path, why);
}
