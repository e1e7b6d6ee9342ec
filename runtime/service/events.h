/* SPDX-License-Identifier: Apache-2.0 */
/* Events of a broker or worker (psyne/log.h, events.def): told to its operator, as many a second as their row allows.
 *
 *   PSY__TELL(&b->events, CLIENT_GONE, PSY__NUMBER(index), PSY__NUMBER(uid), PSY__NUMBER(requests));
 *
 * The fields are those of the row, in its order; too few or too many do not compile. Never blocks, never allocates.
 */
#ifndef PSY_SERVICE_EVENTS_H
#define PSY_SERVICE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/log.h>

typedef enum psy__event_id {
#define EVENT(id_, name_, level_, rate_, fields_, text_) PSY__EVENT_##id_,
#include "service/events.def"
#undef EVENT
    PSY__EVENTS
} psy__event_id;

/* How many fields each has. */
#define N(key_) +1
#define O(key_) +1
#define H(key_) +1
#define T(key_) +1
enum {
#define EVENT(id_, name_, level_, rate_, fields_, text_) PSY__FIELDS_##id_ = 0 fields_,
#include "service/events.def"
#undef EVENT
};
#undef N
#undef O
#undef H
#undef T
enum { PSY__EVENT_FIELDS_MAX = 8, PSY__EVENT_TEXT_BYTES = 512 };
#define PSY__NOBODY UINT32_MAX

typedef struct psy__event_row {
    const char *name, *text;
    psy_log_level level;
    uint32_t rate; /* a second; 0: no limit */
    uint32_t field_count;
    const char *fields; /* field_count texts one after the other: N, O, H or T, and the key */
} psy__event_row;
extern const psy__event_row psy__event_rows[PSY__EVENTS];

/* What a participant keeps to tell events. */
typedef struct psy__events {
    const psy_log *log; /* the caller's; NULL: nobody is told */
    uint64_t second_ns; /* when the counts below began */
    uint32_t told[PSY__EVENTS], left_out[PSY__EVENTS];
} psy__events;

typedef struct psy__value {
    const char *text;
    uint64_t number;
} psy__value;
#define PSY__NUMBER(n_)                                                                                                        \
    {                                                                                                                          \
        NULL, (n_)                                                                                                             \
    }
#define PSY__TEXT(t_)                                                                                                          \
    {                                                                                                                          \
        (t_), 0                                                                                                                \
    }

#define PSY__TELL(events_, id_, ...)                                                                                           \
    do {                                                                                                                       \
        if ((events_)->log) {                                                                                                  \
            const psy__value values_[] = {__VA_ARGS__};                                                                        \
            _Static_assert(sizeof values_ / sizeof *values_ == PSY__FIELDS_##id_, "the fields of " #id_);                      \
            psy__tell((events_), PSY__EVENT_##id_, values_);                                                                   \
        }                                                                                                                      \
    } while (0)

void psy__tell(psy__events *events, psy__event_id id, const psy__value *values);

/* About every millisecond: begins a new second where one is over, and says what was left out of the last. */
void psy__events_tick(psy__events *events, uint64_t now_ns);

#endif
