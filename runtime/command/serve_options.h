/* SPDX-License-Identifier: Apache-2.0 */
/* What `psyne serve` is told: by a configuration file, and by the command line, which counts more.
 *
 *   psy__serve_options o;
 *   psy__serve_options_init(&o);
 *   psy__serve_options_set(&o, PSY_OPTION_SERVE_SHARDS, "2");     // one table says what is right for which option
 *   psy__serve_options_finish(&o);
 *   psy__serve_options_fini(&o);
 *
 * Paths of a configuration file are relative to its folder, those of a command line to the current one. */
#ifndef PSY_COMMAND_SERVE_OPTIONS_H
#define PSY_COMMAND_SERVE_OPTIONS_H

#include <stdint.h>

#include <psyne/guard.h>

#include "command/command.h"

typedef struct psy__named {
    char *name, *file;
    bool from_line; /* the command line's, and not the file's */
} psy__named;

typedef struct psy__named_list {
    psy__named *at;
    uint32_t count;
} psy__named_list;

typedef enum psy__serve_agents { PSY_AGENTS_PROCESSES, PSY_AGENTS_THREADS, PSY_AGENTS_ONE } psy__serve_agents;

typedef struct psy__serve_options {
    psy__named_list modules, data, keys, allow; /* allow: rules are names */
    char *socket;                               /* an address: ipc:///path */
    char *engine, *device, *log, *socket_group, *listen, *snapshot;
    uint32_t socket_mode; /* 0: the library's choice */
    uint32_t max_request_bytes, max_reply_bytes, max_partial_bytes, client_programs, client_program_bytes;
    uint32_t reference_bytes;
    uint32_t client_arena_bytes, client_work;
    uint32_t shards, shards_max, in_flight, clients, max_batch, max_wait_us, agents, counters;
    uint32_t log_format, log_level, drain_ms, restarts, snapshot_every;
    /* Of the command line only. */
    char *config;
    uint32_t ready_fd;
    bool check, print, json;
    /* While they are set: whence, and the folder of paths. */
    bool from_line;
    const char *folder;
} psy__serve_options;

/* The defaults. */
void psy__serve_options_init(psy__serve_options *o);
void psy__serve_options_fini(psy__serve_options *o);

/* INVALID: the detail says what the option takes. Ends the program where memory runs out. */
PSY_NODISCARD psy_status psy__serve_options_set(psy__serve_options *o, psy__option option, const char *value);

/* Whether a configuration file may have it. */
bool psy__serve_options_knows(psy__option option);

/* A command line, argv[0] being the command's word, with the configuration file that it names; all errors go to `say`. Wrong
 * use of the command line ends the program, as ever; false: the file, or both together, are not right. */
bool psy__serve_options_read(psy__serve_options *o, int argc, char **argv, void (*say)(void *context, const char *error),
                             void *context);

/* The rules of `allow`, on the heap. As psy__rule_parse. */
PSY_NODISCARD psy_status psy__serve_options_rules(const psy__serve_options *o, psy_rule **out);

/* "films@2": the version, or 0, and how many bytes the name has. */
uint32_t psy__program_version(const char *text, size_t *name_bytes);

/* As a configuration file. */
void psy__serve_options_print(const psy__serve_options *o, FILE *to);

/* The next key that differs, from *at on, which begins at 0; NULL: no other one does. *live: it can change while a service
 * runs. */
const char *psy__serve_options_changed(const psy__serve_options *a, const psy__serve_options *b, size_t *at, bool *live);

#endif
