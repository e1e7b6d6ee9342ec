/* SPDX-License-Identifier: Apache-2.0 */
/* Events that an operator may want to know of: what a library cannot print itself. A participant (broker, worker) is given a
 * psy_log at its creation and hands every event to it: a name, and fields that programs can read.
 *
 *   static void write(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count);
 *   psy_log log = {.write = write, .context = file, .least = PSY_LOG_INFO};
 *   psy_broker_options options = {.uri = uri, .module = module, .log = &log};
 *
 * `event` is a short constant of lower-case words joined by dots ("client.refused"); doc/operations.md lists all. Texts are
 * valid during the call only, and UTF-8 without control characters.
 *
 * Thread safety: `write` is called from the participant's thread. It must not block for long, and must not call the
 * participant. Nothing is logged for a request that goes well, unless it is traced.
 */
#ifndef PSYNE_LOG_H
#define PSYNE_LOG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum psy_log_level {
    PSY_LOG_DEBUG = 0,
    PSY_LOG_INFO,    /* comings and goings */
    PSY_LOG_WARNING, /* somebody's request or connection was refused; service goes on */
    PSY_LOG_ERROR    /* service is less than it was: a shard died, memory ran out */
} psy_log_level;

typedef struct psy_log_field {
    const char *key;
    const char *text; /* NULL: `number` is the value */
    uint64_t number;
} psy_log_field;

typedef struct psy_log {
    void (*write)(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count);
    void *context;
    psy_log_level least; /* events below are not handed over */
} psy_log;

#ifdef __cplusplus
}
#endif
#endif
