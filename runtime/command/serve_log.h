/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a service: events of psyne/log.h as lines, of several processes in one file.
 *
 *   2026-11-26T04:00:00.123Z info client.connected from=broker client=3 uid=0
 *   {"time":"2026-11-26T04:00:00.123Z","level":"info","event":"client.connected","from":"broker","client":3,"uid":0}
 *
 * A line is one write to a descriptor that appends, so that lines of several processes stay whole. All processes share what is
 * set of it, and what was lost: a full disk, or a reader that went, costs lines, and nothing else. The first line that can be
 * written again is preceded by one that says how many were not.
 *
 * Thread safety: psy__log_write from any thread of any of the processes. */
#ifndef PSY_COMMAND_SERVE_LOG_H
#define PSY_COMMAND_SERVE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#include <psyne/log.h>
#include <psyne/status.h>

enum { PSY_LOG_LINE_BYTES = 4096 }; /* longer lines are cut */

/* In memory that all processes share. */
typedef struct psy__log_shared {
    _Atomic uint32_t level, json;
    _Atomic uint32_t failing; /* lines that were lost since one could be written */
    _Atomic uint32_t torn;    /* whether a full disk cut the last line off */
    _Atomic uint64_t lost;    /* ever */
} psy__log_shared;

/* A process's own. */
typedef struct psy__log_out {
    psy__log_shared *shared;
    int fd; /* stays the same number when the file is opened anew */
    char from[24];
    psy_log log; /* to be handed to brokers and workers */
} psy__log_out;

/* Opens a file for appending (0640), "-": standard error. The descriptor is the caller's. IO, DENIED, ... */
PSY_NODISCARD psy_status psy__log_open(const char *path, int *fd);

/* `from`: who writes. */
void psy__log_init(psy__log_out *out, psy__log_shared *shared, int fd, const char *from);

void psy__log_write(psy__log_out *out, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count);

/* psy__log(out, PSY_LOG_INFO, "data.loaded", PSY_TEXT("resident", "words"), PSY_NUMBER("shard", 1)) */
#define PSY_TEXT(name, value)   ((psy_log_field){.key = (name), .text = (value)})
#define PSY_NUMBER(name, value) ((psy_log_field){.key = (name), .number = (value)})
#define psy__log(out, level, event, ...)                                                                                       \
    psy__log_write((out), (level), (event), (const psy_log_field[]){__VA_ARGS__},                                              \
                   sizeof((const psy_log_field[]){__VA_ARGS__}) / sizeof(psy_log_field))

#endif
