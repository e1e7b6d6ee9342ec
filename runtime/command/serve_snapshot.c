/* SPDX-License-Identifier: Apache-2.0 */
/* The data of a service while it runs, as its supervisor sees it: snapshots that it asks the broker for, and files that have
 * changed. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/serve_state.h"

static const uint64_t second_ns = 1000000000, end_ns = 5000000000;

/* ---- snapshots ---- */

psy_status psy__serve_snapshot_folder(const psy__serve_options *o)
{
    const char *path = o->snapshot;
    if (!path) {
        return PSY_OK;
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return psy_fail(PSY_IO, "snapshot %s: %s", path, strerror(errno));
    }
    return access(path, R_OK | W_OK | X_OK) == 0 ? PSY_OK : psy_fail(PSY_DENIED, "snapshot %s: %s", path, strerror(errno));
}

void psy__serve_plan_snapshot(psy__supervisor *s)
{
    const uint64_t every = s->options->snapshot ? s->options->snapshot_every : 0;
    s->snapshot_due_ns = every ? psy__add_ns(psy__now_ns(), every * second_ns) : UINT64_MAX;
}

void psy__serve_snapshot(psy__supervisor *s, bool always)
{
    const psy__serve_message m = {.word = PSY_WORD_SNAPSHOT, .number = always};
    if (s->phase != PSY_SERVE_RUNS) {
        return; /* its last one is due anyway */
    }
    if (!s->options->snapshot) {
        psy__log(&s->log, PSY_LOG_WARNING, "snapshot.refused",
                 PSY_TEXT("reason", "there is no folder for snapshots: start the service with --snapshot=FOLDER"));
    } else if (!s->children[0].pid || !psy__serve_tell(s->children[0].control, &m, -1)) {
        psy__log(&s->log, PSY_LOG_ERROR, "snapshot.refused", PSY_TEXT("reason", "there is no broker"));
    }
}

void psy__serve_snapshot_when_due(psy__supervisor *s, uint64_t now_ns)
{
    if (now_ns < s->snapshot_due_ns || s->phase != PSY_SERVE_RUNS) {
        return;
    }
    psy__serve_plan_snapshot(s);
    if (s->was_ready) {
        psy__serve_snapshot(s, false);
    }
}

uint64_t psy__serve_last_snapshot(psy__supervisor *s)
{
    psy__notify_say(&s->notify, "STATUS=the last snapshot is written\nEXTEND_TIMEOUT_USEC=%" PRIu64,
                    (PSY_SERVE_SAVE_NS + 2 * end_ns) / 1000);
    return psy__add_ns(psy__now_ns(), PSY_SERVE_SAVE_NS + end_ns);
}

/* The broker has logged it. */
void psy__serve_snapshot_settled(psy__supervisor *s, const psy__serve_message *m)
{
    char when[32] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (m->status != PSY_OK) {
        psy__notify_say(&s->notify, "STATUS=serving %s; the last snapshot failed: %s", s->options->socket, m->text);
        return;
    }
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    psy__notify_say(&s->notify, "STATUS=serving %s, shards: %" PRIu32 ", snapshot of version %" PRIu64 " at %s",
                    s->options->socket, s->options->shards, m->number, when);
}

void psy__serve_look_at_snapshot(psy__supervisor *s)
{
    const psy__served *v = s->served;
    if (!v->has_snapshot) {
        return;
    }
    for (uint32_t i = 0; i < v->data_count; i++) {
        const char *name = v->data[i].rows.resident;
        if (psy__snapshot_find(&v->snapshot, name) && psy__served_is_newer(v, i)) {
            psy__log(&s->log, PSY_LOG_WARNING, "snapshot.older", PSY_TEXT("resident", name), PSY_TEXT("file", v->paths[i]),
                     PSY_TEXT("reason", "the file is newer, and the snapshot is what is served: reload the file by "
                                        "replacing it and SIGHUP, or stop the service and remove the snapshot"));
        }
    }
}

/* ---- files that have changed ---- */

/* "NAME\0FILE\0KEYS\0" of each, in a file. -1: there can be none. */
static int write_list(const psy__supervisor *s, const psy__file_pair *files)
{
    const int fd = memfd_create("psyne-data", MFD_CLOEXEC), other = fd >= 0 ? dup(fd) : -1;
    FILE *to = other >= 0 ? fdopen(other, "wb") : NULL;
    for (uint32_t i = 0; to && i < s->served->data_count; i++) {
        const psy__named *data = &s->options->data.at[i];
        if (files[i].changed) {
            const char *keys = psy__served_keys(s->options, data->name);
            fprintf(to, "%s%c%s%c%s%c", data->name, 0, data->file, 0, keys ? keys : "", 0);
        }
    }
    bool failed = !to || ferror(to) != 0;
    failed = (to && fclose(to) != 0) || failed;
    if (failed && fd >= 0) {
        close(fd);
    }
    return failed ? -1 : fd;
}

/* Which of them are others than they were; what is another file by the configuration is not read. */
static uint32_t find_changed(const psy__served *had, const psy__served *fresh, psy__file_pair *files)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < had->data_count && i < fresh->data_count; i++) {
        const bool same = strcmp(had->data[i].rows.resident, fresh->data[i].rows.resident) == 0 &&
                          strcmp(had->paths[i], fresh->paths[i]) == 0;
        files[i] = (psy__file_pair){same && !psy__served_same_file(had, fresh, i), fresh->files[i]};
        count += files[i].changed;
    }
    return count;
}

static psy_status ask_for(const psy__supervisor *s, const psy__file_pair *files, uint32_t count)
{
    const psy__serve_message m = {.word = PSY_WORD_DATA, .number = count};
    const int fd = write_list(s, files);
    const bool sent = fd >= 0 && s->children[0].pid && psy__serve_tell(s->children[0].control, &m, fd);
    if (fd >= 0) {
        close(fd);
    }
    return sent ? PSY_OK : psy_fail(PSY_UNREACHABLE, "there is no broker that could take it: reload again");
}

void psy__serve_change_data(psy__supervisor *s, const psy__served *fresh)
{
    psy__file_pair *files = calloc(s->served->data_count + 1, sizeof *files);
    if (!files) {
        psy__no_memory();
    }
    const uint32_t count = find_changed(s->served, fresh, files);
    psy_status status = PSY_OK;
    if (count > 0 && s->data_pending) {
        status = psy_fail(PSY_LIMIT, "files that changed before are being read still: reload again");
    } else if (count > 0) {
        status = ask_for(s, files, count);
    }
    for (uint32_t i = 0; status != PSY_OK && i < s->served->data_count; i++) {
        if (files[i].changed) {
            psy__log(&s->log, PSY_LOG_WARNING, "config.kept", PSY_TEXT("key", "data"),
                     PSY_TEXT("name", s->options->data.at[i].name), PSY_TEXT("reason", psy_detail()));
        }
    }
    if (status == PSY_OK && count > 0) {
        s->data_pending = files;
    } else {
        free(files);
    }
}

void psy__serve_data_settled(psy__supervisor *s, const psy__serve_message *m)
{
    for (uint32_t i = 0; s->data_pending && i < s->served->data_count; i++) {
        const char *name = s->options->data.at[i].name;
        if (s->data_pending[i].changed && m->status == PSY_OK) {
            s->served->files[i] = s->data_pending[i].files;
            psy__log(&s->log, PSY_LOG_INFO, "data.reloaded", PSY_TEXT("resident", name), PSY_NUMBER("version", m->number));
        } else if (s->data_pending[i].changed) {
            psy__log(&s->log, PSY_LOG_ERROR, "config.refused", PSY_TEXT("key", "data"), PSY_TEXT("name", name),
                     PSY_TEXT("reason", m->text));
        }
    }
    free(s->data_pending);
    s->data_pending = NULL;
}

void psy__serve_data_dropped(psy__supervisor *s)
{
    psy__serve_message m = {.status = PSY_PEER_DIED};
    snprintf(m.text, sizeof m.text, "the broker died before the files were read");
    psy__serve_data_settled(s, &m);
}
