/* SPDX-License-Identifier: Apache-2.0 */
/* Another number of shards: new processes come, take the rows of the old ones, and the old ones go. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command/serve_state.h"

static void say_refused(psy__supervisor *s, const char *why)
{
    psy__log(&s->log, PSY_LOG_ERROR, "config.refused", PSY_TEXT("key", "shards"), PSY_TEXT("reason", why));
}

uint32_t psy__serve_wanted_count(const psy__supervisor *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->child_count; i++) {
        n += psy__child_counts(&s->children[i]);
    }
    return n;
}

/* Of those that have not been started yet nothing is left; the others end by themselves. */
static void send_away(psy__child *c)
{
    c->comes = false;
    c->goes = c->pid != 0;
    c->phase = c->pid ? c->phase : PSY_CHILD_ABSENT;
}

static void send_all_away(psy__supervisor *s)
{
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (s->children[i].comes) {
            send_away(&s->children[i]);
        }
    }
    s->reshards_to = 0;
}

static bool ask(psy__supervisor *s, uint32_t shards)
{
    const psy__serve_message m = {.word = PSY_WORD_RESHARD, .number = shards};
    return s->children[0].pid && psy__serve_tell(s->children[0].control, &m, -1);
}

void psy__serve_reshard(psy__supervisor *s, uint32_t shards)
{
    if (s->options->agents != PSY_AGENTS_PROCESSES) {
        say_refused(s, "only shards that are processes of their own can change while the service runs: start it again");
    } else if (s->reshards_to) {
        say_refused(s, "the shards change already: reload again when they have");
    } else if (!ask(s, shards)) {
        say_refused(s, "there is no broker now: reload again when it is back");
    } else {
        s->reshards_to = shards;
    }
}

/* A place for a process that is not there yet; the numbers of the others stay. */
static psy__child *free_child(psy__supervisor *s)
{
    for (uint32_t i = 1; i < s->child_count; i++) {
        if (s->children[i].phase == PSY_CHILD_ABSENT) {
            return &s->children[i];
        }
    }
    return s->child_count < PSY_SERVE_CHILDREN_MAX ? &s->children[s->child_count++] : NULL;
}

static void join(psy__supervisor *s)
{
    for (uint32_t i = 0; i < s->reshards_to; i++) {
        psy__child *c = free_child(s);
        if (!c) { /* some of a change before have not gone yet */
            (void)ask(s, 0);
            return;
        }
        *c = (psy__child){.role = PSY_ROLE_OF_SHARD, .shard = i, .control = -1, .comes = true};
        snprintf(c->name, sizeof c->name, "shard %u", (uint8_t)i);
    }
}

static void change_over(psy__supervisor *s, uint32_t shards)
{
    for (uint32_t i = 0; i < s->child_count; i++) {
        psy__child *c = &s->children[i];
        if (c->role == PSY_ROLE_OF_SHARD && c->phase != PSY_CHILD_ABSENT && !c->goes && !c->comes) {
            send_away(c);
        } else {
            c->comes = false;
        }
    }
    s->options->shards = shards;
    s->reshards_to = 0;
    psy__log(&s->log, PSY_LOG_INFO, "config.changed", PSY_TEXT("key", "shards"));
    psy__notify_say(&s->notify, "STATUS=serving %s, shards: %" PRIu32, s->options->socket, shards);
    if (s->options->snapshot) { /* those of other parts are no use to a shard that is started again */
        psy__serve_snapshot(s, true);
    }
}

void psy__serve_reshard_heard(psy__supervisor *s, const psy__serve_message *m)
{
    if (s->reshards_to == 0 || s->phase != PSY_SERVE_RUNS) {
        return;
    }
    if (m->word == PSY_WORD_JOIN) {
        join(s);
    } else if (m->status == PSY_OK) {
        change_over(s, s->reshards_to);
    } else {
        say_refused(s, m->text);
        send_all_away(s);
    }
}

bool psy__serve_reshard_buries(psy__supervisor *s, psy__child *c)
{
    if (!c->comes && !c->goes) {
        return false;
    }
    if (c->comes) { /* before it came to the broker, perhaps: that one would wait for it */
        char text[700];
        snprintf(text, sizeof text, "%s of those to come: %s", c->name, c->why[0] ? c->why : "it ended before it had its rows");
        psy__log(&s->log, PSY_LOG_ERROR, "config.error", PSY_TEXT("reason", text));
        (void)ask(s, 0);
    }
    c->comes = c->goes = false;
    c->phase = PSY_CHILD_ABSENT;
    return true;
}

void psy__serve_reshard_dropped(psy__supervisor *s)
{
    if (s->reshards_to) {
        say_refused(s, "the broker died before the shards had changed");
        send_all_away(s);
    }
}
