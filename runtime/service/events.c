/* SPDX-License-Identifier: Apache-2.0 */
#include "service/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mem/counters_folder.h"

static const uint64_t second_ns = 1000000000;

const psy__event_row psy__event_rows[PSY__EVENTS] = {
#define N(key_)                                          "N" #key_ "\0"
#define O(key_)                                          "O" #key_ "\0"
#define H(key_)                                          "H" #key_ "\0"
#define T(key_)                                          "T" #key_ "\0"
#define EVENT(id_, name_, level_, rate_, fields_, text_) {name_, text_, PSY_LOG_##level_, rate_, PSY__FIELDS_##id_, fields_},
#include "service/events.def"
#undef EVENT
#undef N
#undef O
#undef H
#undef T
};
#define EVENT(id_, name_, level_, rate_, fields_, text_)                                                                       \
    _Static_assert((int)PSY__FIELDS_##id_ <= (int)PSY__EVENT_FIELDS_MAX, "too many fields of " name_);
#include "service/events.def"
#undef EVENT

void psy__tell(psy__events *events, psy__event_id id, const psy__value *values)
{
    const psy__event_row *row = &psy__event_rows[id];
    if (!events->log || row->level < events->log->least) {
        return;
    }
    if (row->rate != 0 && events->told[id] >= row->rate) {
        events->left_out[id]++;
        return;
    }
    events->told[id]++;
    psy_log_field fields[PSY__EVENT_FIELDS_MAX];
    char texts[PSY__EVENT_FIELDS_MAX][PSY__EVENT_TEXT_BYTES];
    const char *at = row->fields;
    uint32_t n = 0;
    for (uint32_t i = 0; i < row->field_count; i++, at += strlen(at) + 1) {
        if (*at == 'O' && values[i].number == PSY__NOBODY) {
            continue;
        }
        fields[n] = (psy_log_field){.key = at + 1, .number = values[i].number};
        if (*at == 'H') {
            snprintf(texts[i], sizeof texts[i], "%016" PRIx64, values[i].number);
            fields[n].text = texts[i];
        } else if (*at == 'T') { /* it may hold what a peer has sent */
            const char *text = values[i].text ? values[i].text : "";
            psy__counters_text(texts[i], sizeof texts[i], text, strlen(text));
            fields[n].text = texts[i];
        }
        n++;
    }
    events->log->write(events->log->context, row->level, row->name, fields, n);
}

void psy__events_tick(psy__events *events, uint64_t now_ns)
{
    if (!events->log || now_ns - events->second_ns < second_ns) {
        return;
    }
    events->second_ns = now_ns;
    memset(events->told, 0, sizeof events->told);
    for (uint32_t id = 0; id < PSY__EVENTS; id++) {
        uint32_t count = events->left_out[id];
        if (count) {
            events->left_out[id] = 0;
            PSY__TELL(events, EVENTS_LEFT_OUT, PSY__TEXT(psy__event_rows[id].name), PSY__NUMBER(count));
        }
    }
}
