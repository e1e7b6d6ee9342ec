/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and what is said of those who may not. */
#include <psyne/envelope.h>

#include "service/broker_state.h"

/* While others wait for its place, a guest has that long. */
static const uint64_t patience_ns = 100000000;

static uint32_t connections_of(const psy_broker *b, uint32_t uid)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->client_top; i++) {
        n += b->clients[i].phase != CLIENT_NONE && b->clients[i].pass.uid == uid;
    }
    return n;
}

psy_status psy__broker_admit(psy_broker *b, psy__link *link, const psy__hello *hello, psy__pass *out)
{
    psy_status status = psy__guard_identify(&b->guard, link, out);
    if (status != PSY_OK) {
        return status;
    }
    if (hello->role == PSY_ROLE_WORKER) {
        return psy__guard_check(out, PSY_MAY_WORK);
    }
    if (hello->role != PSY_ROLE_CLIENT) {
        return psy_fail(PSY_PROTOCOL, "neither client nor worker");
    }
    status = psy__guard_check(out, PSY_MAY_CONNECT);
    if (status == PSY_OK && b->draining) {
        status = psy_fail(PSY_CLOSED, "the service is about to end and takes nothing new: connect again when it is back");
    }
    uint32_t most = out->rule.connections_max;
    if (status == PSY_OK && most && connections_of(b, out->uid) >= most) {
        status = psy_fail(PSY_LIMIT, "user %u has its %u connections: close one, or have the operator raise connections_max",
                          out->uid, most);
    }
    return status;
}

void psy__broker_show_out(psy_broker *b, uint32_t guest, psy_status status)
{
    psy__refuse(b->guests[guest], status, 1);
    psy__broker_refused(b, &b->guest_passes[guest], 0, 0, status);
    psy__link_close(b->guests[guest]);
    b->guests[guest] = NULL;
}

void psy__broker_look_at_guest(psy_broker *b, uint32_t guest)
{
    psy__pass *pass = &b->guest_passes[guest];
    psy_status status = psy__guard_identify(&b->guard, b->guests[guest], pass);
    if (status == PSY_OK && !(pass->rule.may & PSY_MAY_WORK)) {
        status = psy__guard_check(pass, PSY_MAY_CONNECT);
    }
    if (status != PSY_OK) {
        psy__broker_show_out(b, guest, status);
    }
}

void psy__broker_make_place(psy_broker *b)
{
    uint32_t most = 0, who = PSY_GUESTS_MAX;
    for (uint32_t i = 0; i < PSY_GUESTS_MAX; i++) {
        uint32_t of_user = 0;
        for (uint32_t k = 0; k < PSY_GUESTS_MAX; k++) {
            of_user += b->guests[k] && b->guest_passes[k].uid == b->guest_passes[i].uid;
        }
        if (!b->guests[i]) {
            return;
        }
        bool before = who == PSY_GUESTS_MAX || b->guest_due_ns[i] < b->guest_due_ns[who];
        if (of_user > most || (of_user == most && before)) {
            most = of_user;
            who = i;
        }
    }
    if (b->now_ns + PSY_GUEST_NS > b->guest_due_ns[who] + patience_ns) {
        psy__broker_show_out(b, who, psy_fail(PSY_TIMEOUT, "it said nothing, and others wait"));
    }
}

psy_status psy__broker_admit_group(psy_broker *b, uint32_t mode, const char *group)
{
    gid_t gid = (gid_t)-1;
    if (mode == 0 && !group) {
        return PSY_OK;
    }
    if (mode & ~(uint32_t)0777) {
        return psy_fail(PSY_INVALID, "mode %#o: give that of the socket, as 0660", mode);
    }
    psy_status status = group ? psy__guard_group(group, &gid) : PSY_OK;
    return status == PSY_OK ? psy__admit(b->listener, mode ? mode : 0600, gid) : status;
}

void psy__broker_connected(psy_broker *b, uint32_t client)
{
    const psy__client *c = &b->clients[client];
    uint64_t pid = c->pass.pid > 0 ? (uint64_t)c->pass.pid : 0;
    PSY__TELL(&b->events, CLIENT_CONNECTED, PSY__NUMBER(client), PSY__NUMBER(c->pass.uid), PSY__NUMBER(pid),
              PSY__NUMBER(c->responses.slots), PSY__NUMBER(psy_slab_bytes(c->request_slab) + psy_slab_bytes(c->response_slab)));
}

static void count(psy_broker *b, psy_status status)
{
    b->counts.denied += status == PSY_DENIED;
    b->counts.limited += status == PSY_LIMIT;
    b->counts.malformed += status == PSY_PROTOCOL || status == PSY_VERSION || status == PSY_CORRUPT;
    b->counts.late += status == PSY_CLOSED;
}

void psy__broker_refused(psy_broker *b, const psy__pass *pass, uint32_t role, uint32_t shard, psy_status status)
{
    const char *name = psy_status_name(status), *why = psy_detail();
    uint64_t pid = pass->pid > 0 ? (uint64_t)pass->pid : 0;
    count(b, status);
    if (role == PSY_ROLE_WORKER) {
        PSY__TELL(&b->events, WORKER_REFUSED, PSY__NUMBER(pass->uid), PSY__NUMBER(pid), PSY__NUMBER(shard), PSY__TEXT(name),
                  PSY__TEXT(why));
    } else if (role == PSY_ROLE_CLIENT) {
        PSY__TELL(&b->events, CLIENT_REFUSED, PSY__NUMBER(pass->uid), PSY__NUMBER(pid), PSY__TEXT(name), PSY__TEXT(why));
    } else {
        PSY__TELL(&b->events, GUEST_REFUSED, PSY__NUMBER(pass->uid), PSY__NUMBER(pid), PSY__TEXT(name), PSY__TEXT(why));
    }
}

void psy__broker_refused_request(psy_broker *b, uint32_t client, const psy_envelope *e, psy_status status)
{
    b->counts.refused++;
    b->counts.malformed += status == PSY_INVALID;
    count(b, status);
    PSY__TELL(&b->events, REQUEST_REFUSED, PSY__NUMBER(client), PSY__NUMBER(b->clients[client].pass.uid),
              PSY__NUMBER(e->request), PSY__NUMBER(e->pipeline), PSY__TEXT(psy_status_name(status)));
    if (e->flags & PSY_FLAG_TRACE) {
        PSY__TELL(&b->events, TRACE_FAILED, PSY__NUMBER(e->request), PSY__TEXT("broker"), PSY__TEXT(psy_status_name(status)));
    }
}

void psy__broker_refused_pipeline(psy_broker *b, uint32_t client, psy_status status)
{
    const char *why = psy_detail();
    b->counts.unknown += status == PSY_NOT_FOUND || status == PSY_LAYOUT;
    count(b, status);
    PSY__TELL(&b->events, PIPELINE_REFUSED, PSY__NUMBER(client), PSY__NUMBER(b->clients[client].pass.uid),
              PSY__TEXT(psy_status_name(status)), PSY__TEXT(why));
}

void psy__broker_dropped(psy_broker *b, uint32_t client, psy_status status)
{
    const psy__client *c = &b->clients[client];
    if (status == PSY_PEER_DIED) {
        PSY__TELL(&b->events, CLIENT_GONE, PSY__NUMBER(client), PSY__NUMBER(c->pass.uid), PSY__NUMBER(c->share.taken));
        return;
    }
    const char *why = psy_detail();
    count(b, status);
    PSY__TELL(&b->events, CLIENT_DROPPED, PSY__NUMBER(client), PSY__NUMBER(c->pass.uid), PSY__TEXT(psy_status_name(status)),
              PSY__TEXT(why));
}

psy_status psy__guard_may(psy_broker *b, psy__client *client, uint32_t right)
{
    psy_status status = psy__guard_check(&client->pass, right);
    if (status != PSY_OK) {
        psy__broker_refused(b, &client->pass, PSY_ROLE_CLIENT, 0, status);
    }
    return status;
}

psy_status psy_broker_set_rules(psy_broker *b, const psy_rule *rules, uint32_t rule_count)
{
    if (!b) {
        return psy_fail(PSY_INVALID, "psy_broker_set_rules: a null argument");
    }
    psy_status status = psy__guard_set(&b->guard, rules, rule_count);
    if (status != PSY_OK) {
        return status;
    }
    uint32_t dropped = 0, top = b->client_top;
    for (uint32_t i = 0; i < top; i++) {
        psy__client *c = &b->clients[i];
        if (c->phase == CLIENT_NONE) {
            continue;
        }
        psy__pass pass;
        psy_status may = psy__guard_identify(&b->guard, c->link, &pass);
        may = may == PSY_OK ? psy__guard_check(&pass, PSY_MAY_CONNECT) : may;
        if (may == PSY_OK) {
            c->pass = pass;
            continue;
        }
        psy__refuse(c->link, may, 1);
        psy__broker_dropped(b, i, may);
        psy__broker_drop_client(b, i);
        dropped++;
    }
    PSY__TELL(&b->events, RULES_CHANGED, PSY__NUMBER(rule_count), PSY__NUMBER(dropped));
    return PSY_OK;
}
