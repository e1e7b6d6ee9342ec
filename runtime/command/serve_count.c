/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor counts. */
#include <unistd.h>

#include "command/serve_state.h"
#include "service/counting.h"

/* The label is the service's name, as its broker's row has it. */
void psy__serve_open_counters(psy__supervisor *s)
{
    enum { ROWS = 1 };
    psy__counting named;
    psy__counting_init(&named, NULL, s->options->socket);
    const psy_counters_place place = {.label = named.service, .ring = psy_counters_ring_id((uint64_t)getpid(), s->started_ns)};
    PSY_ATOMIC(uint64_t) *values = NULL;
    psy_status status = psy_counters_create(NULL, ROWS, &s->counters);
    status = status == PSY_OK ? psy_counters_section_row(s->counters, PSY_COUNTERS_OF_SUPERVISOR, &place, &values) : status;
    if (status != PSY_OK) {
        psy__log(&s->log, PSY_LOG_WARNING, "counters.none", PSY_TEXT("reason", psy_detail()));
    }
    s->counts = (psy_supervisor_counters *)values;
}

void psy__serve_count(psy__supervisor *s)
{
    psy_supervisor_counters *c = s->counts;
    uint64_t living = 0;
    for (uint32_t i = 0; i < s->child_count; i++) {
        living += s->children[i].pid != 0;
    }
    if (c) {
        psy_counter_set(&c->restarts, s->restarts);
        psy_counter_set(&c->rejected_programs, s->refused_programs);
        psy_counter_set(&c->reloads, s->reloads);
        psy_counter_set(&c->lost_log_lines, atomic_load_explicit(&s->shared->log.lost, memory_order_relaxed));
        psy_counter_set(&c->children, living);
        psy_counters_beat(s->counters);
    }
}
