/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_requests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"

/* ---- hearing ---- */

/* Whoever asked for a program is told what became of it. */
static void answer(int control, const psy__program_request *p, uint32_t word, psy_status status, const char *why)
{
    psy__serve_message m = {.word = word, .status = status, .number = p->number, .version = p->version};
    snprintf(m.name, sizeof m.name, "%s", p->name);
    snprintf(m.text, sizeof m.text, "%s", why);
    (void)psy__serve_tell(control, &m, -1);
}

static void keep_rules(psy__serve_requests *r, int fd, uint64_t count)
{
    const size_t bytes = count <= PSY_RULES_MAX ? (size_t)count * sizeof(psy_rule) : 0;
    psy_rule *rules = malloc(bytes + 1);
    if (fd < 0 || !rules || pread(fd, rules, bytes, 0) != (ssize_t)bytes) {
        free(rules);
        return;
    }
    pthread_mutex_lock(&r->lock);
    free(r->rules);
    r->rules = rules;
    r->rule_count = (uint32_t)count;
    atomic_store_explicit(&r->waiting, 1, memory_order_release);
    pthread_mutex_unlock(&r->lock);
}

/* The supervisor has looked at the file, and says by its hash which module it saw. */
static psy_status open_module(const psy__serve_message *m, psy_module **out)
{
    psy_status status = psy_module_open(m->text, out);
    if (status == PSY_OK && psy_module_hash(*out) != m->number) {
        psy_module_close(*out);
        status = psy_fail(PSY_INVALID, "%s has changed while it was read", m->text);
    }
    return status;
}

static void keep_program(psy__serve_requests *r, int control, const psy__serve_message *m)
{
    psy__program_request p = {.version = m->version, .replace = m->replace != 0, .number = m->number};
    psy_status status = PSY_OK;
    snprintf(p.name, sizeof p.name, "%.63s", m->name);
    if (m->word == PSY_WORD_ADD) {
        status = open_module(m, &p.module);
    }
    pthread_mutex_lock(&r->lock);
    if (status == PSY_OK && r->program_count == PSY_SERVE_REQUESTS_MAX) {
        psy_module_close(p.module);
        status = psy_fail(PSY_LIMIT, "more than %d programs at a time", PSY_SERVE_REQUESTS_MAX);
    }
    if (status == PSY_OK) {
        r->programs[r->program_count++] = p;
        atomic_store_explicit(&r->waiting, 1, memory_order_release);
    }
    pthread_mutex_unlock(&r->lock);
    if (status != PSY_OK) {
        answer(control, &p, PSY_WORD_REFUSED, status, psy_detail());
    }
}

/* A snapshot that is asked for while one is taken comes after it only if the data has changed. */
static void want_snapshot(psy__serve_requests *r, bool always)
{
    if (r->snapshot_folder && r->snapshot != PSY_SNAPSHOT_WANTED) {
        r->snapshot = always ? PSY_SNAPSHOT_WANTED : PSY_SNAPSHOT_IF_CHANGED;
        atomic_store_explicit(&r->waiting, 1, memory_order_release);
    }
}

static void answer_version(int control, uint32_t word, psy_status status, uint64_t version)
{
    psy__serve_message m = {.word = word, .status = status, .number = version};
    snprintf(m.text, sizeof m.text, "%s", status == PSY_OK ? "" : psy_detail());
    (void)psy__serve_tell(control, &m, -1);
}

static void keep_data(psy__serve_requests *r, int control, int fd, uint64_t count)
{
    pthread_mutex_lock(&r->lock);
    const psy_status status = psy__reread_begin(&r->reread, r->served, r->snapshot_folder != NULL, fd, count);
    if (status == PSY_OK) {
        atomic_store_explicit(&r->waiting, 1, memory_order_release);
    }
    pthread_mutex_unlock(&r->lock);
    if (status != PSY_OK) {
        answer_version(control, PSY_WORD_DATA_DONE, status, 0);
    }
}

void psy__serve_requests_take(psy__serve_requests *r, int control, const psy__serve_message *m, int fd)
{
    switch (m->word) {
    case PSY_WORD_DRAIN:
        atomic_store(&r->drain_until_ns, psy__add_ns(psy__now_ns(), m->number * 1000000) | 1);
        atomic_store_explicit(&r->waiting, 1, memory_order_release);
        break;
    case PSY_WORD_SNAPSHOT:
        pthread_mutex_lock(&r->lock);
        want_snapshot(r, m->number != 0);
        pthread_mutex_unlock(&r->lock);
        break;
    case PSY_WORD_DATA: keep_data(r, control, fd, m->number); break;
    case PSY_WORD_RULES: keep_rules(r, fd, m->number); break;
    case PSY_WORD_RESHARD:
        pthread_mutex_lock(&r->lock);
        r->reshards = true;
        r->shards = (uint32_t)m->number;
        atomic_store_explicit(&r->waiting, 1, memory_order_release);
        pthread_mutex_unlock(&r->lock);
        break;
    case PSY_WORD_ADD:
    case PSY_WORD_REMOVE: keep_program(r, control, m); break;
    default: break;
    }
}

/* ---- doing ---- */

/* True: none is wanted or taken. */
static bool advance_snapshot(psy__serve_requests *r, psy_broker *broker, int control)
{
    psy_broker_counts counts;
    psy_status status;
    uint64_t version = 0;
    if (r->snapshot_ticket) {
        status = psy_broker_snapshot_status(broker, r->snapshot_ticket, &version);
        if (status == PSY_EMPTY) {
            return false;
        }
        r->snapshot_ticket = 0;
        answer_version(control, PSY_WORD_SNAPSHOT_DONE, status, version);
    }
    if (r->snapshot == PSY_SNAPSHOT_NONE) {
        return true;
    }
    const bool always = r->snapshot == PSY_SNAPSHOT_WANTED;
    r->snapshot = PSY_SNAPSHOT_NONE;
    psy_broker_get_counts(broker, &counts);
    if (!always && (counts.snapshot_version == counts.data_version || (counts.snapshot_version == 0 && counts.edits == 0))) {
        return true;
    }
    status = psy_broker_snapshot(broker, r->snapshot_folder, &r->snapshot_ticket);
    if (status != PSY_OK) {
        r->snapshot_ticket = 0;
        answer_version(control, PSY_WORD_SNAPSHOT_DONE, status, 0);
    }
    return status != PSY_OK;
}

/* More edits are kept for shards that come later than there is room for all along: a snapshot relieves. */
static void look_at_kept(psy__serve_requests *r, psy_broker *broker)
{
    enum { ROUNDS = 256, KEPT = 128 };
    psy_broker_counts counts;
    if (!r->snapshot_folder || ++r->rounds < ROUNDS) {
        return;
    }
    r->rounds = 0;
    psy_broker_get_counts(broker, &counts);
    if (counts.edits_kept >= KEPT || counts.edits_kept_bytes >= psy__edits_kept_bytes_max / 2) {
        pthread_mutex_lock(&r->lock);
        want_snapshot(r, false);
        pthread_mutex_unlock(&r->lock);
    }
}

/* What has changed since the last snapshot is written before it ends; true: it is, or cannot be. */
static bool is_saved(psy__serve_requests *r, psy_broker *broker, int control)
{
    psy_broker_health health;
    psy_broker_get_health(broker, &health);
    if (!r->snapshot_folder || !health.drained || health.shards_ready < health.shards) {
        return true;
    }
    if (!r->saved) {
        r->saved = true;
        want_snapshot(r, false);
        if (!advance_snapshot(r, broker, control)) {
            answer_version(control, PSY_WORD_SAVING, PSY_OK, 0);
        }
    }
    return advance_snapshot(r, broker, control);
}

static bool is_drained(const psy__serve_requests *r, psy_broker *broker)
{
    const uint64_t until = atomic_load_explicit(&r->drain_until_ns, memory_order_relaxed);
    psy_broker_health health;
    if (until == 0) {
        return false;
    }
    psy_broker_get_health(broker, &health);
    if (!health.draining) {
        psy_broker_drain(broker);
    }
    return health.drained || psy__now_ns() >= until;
}

/* True: there is no more to do for it, and the answer is given. */
static bool advance(psy__program_request *p, psy_broker *broker, int control)
{
    psy_status status;
    if (!p->module && !p->added) {
        status = psy_broker_remove_program(broker, p->name, p->version);
    } else if (!p->added) {
        const psy_program program = {.module = p->module, .name = p->name, .version = p->version, .replace = p->replace};
        status = psy_broker_add_program(broker, &program, &p->ticket);
        psy_module_close(p->module); /* the broker has it */
        p->module = NULL;
        p->added = status == PSY_OK;
        if (p->added) {
            return false;
        }
    } else {
        status = psy_broker_program_status(broker, p->ticket);
        if (status == PSY_EMPTY) {
            return false;
        }
    }
    answer(control, p, status == PSY_OK ? PSY_WORD_ADDED : PSY_WORD_REFUSED, status, status == PSY_OK ? "" : psy_detail());
    return true;
}

/* The shards: whether there is more to do for them. */
static bool advance_shards(psy__serve_requests *r, psy_broker *broker, int control)
{
    psy__serve_message m = {.word = PSY_WORD_RESHARDED, .number = r->shards};
    psy_status status = PSY_EMPTY;
    if (r->reshards && r->shards == 0) {
        (void)!psy_broker_reshard_cancel(broker, r->reshard);
    } else if (r->reshards) {
        status = psy_broker_reshard(broker, r->shards, &r->reshard);
        m.word = status == PSY_OK ? PSY_WORD_JOIN : PSY_WORD_RESHARDED;
    }
    r->reshards = false;
    if (status == PSY_EMPTY && r->reshard) {
        status = psy_broker_reshard_status(broker, r->reshard);
        r->reshard = status == PSY_EMPTY ? r->reshard : 0;
    }
    if (status != PSY_EMPTY) {
        m.status = status;
        snprintf(m.text, sizeof m.text, "%s", status == PSY_OK ? "" : psy_detail());
        (void)psy__serve_tell(control, &m, -1);
    }
    return r->reshard != 0;
}

bool psy__serve_requests_mind(psy__serve_requests *r, psy_broker *broker, psy__log_out *log, int control)
{
    look_at_kept(r, broker);
    if (!atomic_load_explicit(&r->waiting, memory_order_acquire)) {
        return false;
    }
    pthread_mutex_lock(&r->lock);
    if (r->rules && psy_broker_set_rules(broker, r->rules, r->rule_count) != PSY_OK) {
        psy__log(log, PSY_LOG_ERROR, "config.error", PSY_TEXT("reason", psy_detail()));
    }
    free(r->rules);
    r->rules = NULL;
    uint32_t left = 0;
    for (uint32_t i = 0; i < r->program_count; i++) {
        if (!advance(&r->programs[i], broker, control)) {
            r->programs[left++] = r->programs[i];
        }
    }
    r->program_count = left;
    const bool reshards = advance_shards(r, broker, control);
    uint64_t version = 0;
    if (r->reread.phase != PSY_REREAD_IDLE) {
        const psy_status status = psy__reread_step(&r->reread, broker, &version);
        if (status != PSY_EMPTY) {
            answer_version(control, PSY_WORD_DATA_DONE, status, version);
            want_snapshot(r, false);
        }
    }
    const bool idle = advance_snapshot(r, broker, control) && r->reread.phase == PSY_REREAD_IDLE;
    const bool drains = atomic_load_explicit(&r->drain_until_ns, memory_order_relaxed) != 0;
    atomic_store_explicit(&r->waiting, left > 0 || drains || reshards || !idle, memory_order_relaxed);
    const bool ends = is_drained(r, broker) && is_saved(r, broker, control);
    pthread_mutex_unlock(&r->lock);
    return ends;
}
