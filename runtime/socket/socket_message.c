/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between peers. */
#define _GNU_SOURCE
#include <string.h>

#include "base/clock.h"
#include "socket/socket_state.h"

/* ---- out ---- */

/* The peer that is meant: OK, EMPTY (nobody yet, but somebody may come), or why not. */
static psy_status find_peer(psy_socket *s, psy_peer number, psy__peer **out)
{
    if (s->known && s->service) {
        return psy_fail(PSY_INVALID, "%s is a service: use psy_socket_call, messages go between sockets", s->uri);
    }
    if (s->draining) {
        return psy_fail(PSY_CLOSED, "%s: the socket is being drained: it sends nothing more", s->uri);
    }
    if (number != PSY_PEER_ONLY) {
        uint32_t place = (uint32_t)number & (PSY_PEERS_MAX * 4 - 1);
        if (place < s->peer_top && s->peers[place].number == number && s->peers[place].phase == PEER_UP) {
            *out = &s->peers[place];
            return PSY_OK;
        }
        return psy_fail(PSY_PEER_DIED, "%s: peer %llx is not connected any more", s->uri, (unsigned long long)number);
    }
    if (s->up_count > 1) {
        return psy_fail(PSY_INVALID, "%s has %u peers: say which one", s->uri, s->up_count);
    }
    for (uint32_t i = 0; s->up_count == 1 && i < s->peer_top; i++) {
        if (s->peers[i].phase == PEER_UP) {
            *out = &s->peers[i];
            return PSY_OK;
        }
    }
    return PSY_EMPTY;
}

static psy_status refuse(psy_socket *s, const psy__peer *p, uint32_t bytes)
{
    if (bytes > s->options.message_bytes_max) {
        return psy_fail(PSY_TOO_LARGE, "a message of %u bytes: this socket's message_bytes_max is %u", bytes,
                        s->options.message_bytes_max);
    }
    return psy_fail(PSY_TOO_LARGE, "a message of %u bytes: %s takes %u", bytes, p->name, p->out_max);
}

/* Room for a message of `bytes`, behind its head. */
static psy_status claim(psy_socket *s, psy_peer to, uint32_t bytes, uint64_t timeout_ns, psy__peer **peer, uint8_t **at)
{
    if (s->draft) {
        return psy_fail(PSY_INVALID, "%s: a draft is open: commit or abort it first", s->uri);
    }
    if (bytes > s->options.message_bytes_max) {
        return refuse(s, NULL, bytes);
    }
    uint64_t until_ns = 0;
    for (bool again = false;;) {
        psy__peer *p = NULL;
        psy__socket_work(s);
        psy_status status = find_peer(s, to, &p);
        if (status != PSY_OK && status != PSY_EMPTY) {
            return status;
        }
        if (p && bytes > p->out_max) {
            return refuse(s, p, bytes);
        }
        *at = p ? psy_frame_claim(&p->out->ring, bytes + PSY_PARCEL_HEAD_BYTES) : NULL;
        if (*at) {
            *peer = p;
            return PSY_OK;
        }
        if (p && psy_ring_broken(&p->out->ring)) {
            psy__socket_lose_peer(s, p, psy_fail(PSY_PROTOCOL, "%s: the peer broke the ring that is sent through", p->name));
            continue;
        }
        if (timeout_ns == 0 || s->inside) {
            if (!again && psy__socket_quench(s, p)) {
                again = true;
                continue;
            }
            return p ? psy_fail(PSY_FULL, "%s has not taken what was sent before", p->name)
                     : psy_fail(PSY_UNREACHABLE, "%s: not connected: %s", s->uri, s->text);
        }
        uint64_t now = psy__now_ns();
        until_ns = until_ns ? until_ns : psy__add_ns(now, timeout_ns);
        if (now >= until_ns) {
            return p ? psy_fail(PSY_TIMEOUT, "%s has not taken what was sent before, in time", p->name)
                     : psy_fail(PSY_UNREACHABLE, "%s: not connected in time: %s", s->uri, s->text);
        }
        psy__socket_nap(s, p, false, until_ns);
    }
}

/* Writes the head; `bytes` follow it. */
static void commit(psy_socket *s, psy__peer *p, uint8_t *at, const psy_variant_head *vector, uint32_t bytes)
{
    psy__parcel_head head = {.kind = vector ? PSY_PARCEL_VECTOR : PSY_PARCEL_BYTES, .sequence = ++p->sequence};
    if (vector) {
        head.vector = *vector;
    }
    memcpy(at, &head, sizeof head);
    psy_frame_commit(&p->out->ring, bytes + PSY_PARCEL_HEAD_BYTES);
    s->counts.sent++;
}

psy_status psy_socket_send_bytes(psy_socket *s, psy_peer to, const void *data, uint32_t bytes, uint64_t timeout_ns)
{
    psy__peer *p;
    uint8_t *at;
    if (!s || (!data && bytes)) {
        return psy_fail(PSY_INVALID, "psy_socket_send_bytes: a null argument");
    }
    psy_status status = claim(s, to, bytes, timeout_ns, &p, &at);
    if (status == PSY_OK) {
        if (bytes) {
            memcpy(at + PSY_PARCEL_HEAD_BYTES, data, bytes);
        }
        commit(s, p, at, NULL, bytes);
        psy__peer_flush(p);
    }
    return status;
}

/* What a vector is in a message; *bytes of elements. */
static psy_status describe(psy_socket *s, unsigned dtype, uint32_t rank, const uint32_t *dims, psy_variant_head *head,
                           uint32_t *bytes)
{
    psy_variant_view v;
    memset(head, 0, sizeof *head);
    psy_status status = psy_variant_view_init(&v, NULL, UINT32_MAX, dtype, rank, dims);
    if (status == PSY_OK) {
        *bytes = (uint32_t)(psy_variant_count(&v) * psy_dtype_bytes(dtype));
        return psy_variant_describe(head, *bytes, dtype, rank, dims);
    }
    return status == PSY_TOO_LARGE
               ? psy_fail(PSY_TOO_LARGE, "a vector of more than 4 GiB: this socket's message_bytes_max is %u",
                          s->options.message_bytes_max)
               : psy_fail(PSY_INVALID, "a vector of type %u and rank %u: there is none such", dtype, rank);
}

psy_status psy_socket_send_vector(psy_socket *s, psy_peer to, const psy_variant_view *vector, uint64_t timeout_ns)
{
    psy__peer *p;
    uint8_t *at;
    psy_variant_head head;
    uint32_t bytes = 0;
    if (!s || !vector) {
        return psy_fail(PSY_INVALID, "psy_socket_send_vector: a null argument");
    }
    psy_status status = describe(s, vector->dtype, vector->rank, vector->dims, &head, &bytes);
    if (status == PSY_OK && bytes && !vector->data) {
        status = psy_fail(PSY_INVALID, "psy_socket_send_vector: a view of nothing");
    }
    if (status == PSY_OK) {
        status = claim(s, to, bytes, timeout_ns, &p, &at);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy_variant_mutable_view there;
    psy__variant_pack(&there.view, at + PSY_PARCEL_HEAD_BYTES, vector->dtype, vector->rank, vector->dims);
    if (bytes) {
        status = psy_variant_copy(&there, vector);
    }
    if (status == PSY_OK) {
        commit(s, p, at, &head, bytes);
        psy__peer_flush(p);
    }
    return status;
}

static void open_draft(psy_socket *s, psy__peer *p, uint8_t *at, uint32_t room, psy_draft *out)
{
    s->draft = p;
    s->draft_box = p->out;
    s->draft_box->holds++;
    s->draft_room = room;
    s->draft_number = p->number;
    *out = (psy_draft){.peer = p->number, .data = at + PSY_PARCEL_HEAD_BYTES, .room = room};
}

psy_status psy_socket_claim(psy_socket *s, psy_peer to, uint32_t bytes, psy_draft *out, uint64_t timeout_ns)
{
    psy__peer *p;
    uint8_t *at;
    if (!s || !out) {
        return psy_fail(PSY_INVALID, "psy_socket_claim: a null argument");
    }
    psy_status status = claim(s, to, bytes, timeout_ns, &p, &at);
    if (status == PSY_OK) {
        open_draft(s, p, at, bytes, out);
        s->draft_is_vector = false;
    }
    return status;
}

psy_status psy_socket_claim_vector(psy_socket *s, psy_peer to, unsigned dtype, uint32_t rank, const uint32_t *dims,
                                   psy_draft *out, uint64_t timeout_ns)
{
    psy__peer *p;
    uint8_t *at;
    uint32_t bytes = 0;
    if (!s || !out || (!dims && rank)) {
        return psy_fail(PSY_INVALID, "psy_socket_claim_vector: a null argument");
    }
    psy_variant_head head;
    psy_status status = describe(s, dtype, rank, dims, &head, &bytes);
    if (status == PSY_OK) {
        status = claim(s, to, bytes, timeout_ns, &p, &at);
    }
    if (status == PSY_OK) {
        open_draft(s, p, at, bytes, out);
        s->draft_is_vector = true;
        s->draft_vector = head;
        psy__variant_pack(&out->vector.view, out->data, (psy_dtype)dtype, rank, dims);
    }
    return status;
}

static void end_draft(psy_socket *s)
{
    s->draft = NULL;
    psy__outbox_release(s->draft_box);
    s->draft_box = NULL;
}

psy_status psy_socket_commit(psy_socket *s, const psy_draft *draft, uint32_t bytes)
{
    if (!s || !draft || !s->draft || draft->peer != s->draft_number || (!s->draft_is_vector && bytes > s->draft_room)) {
        return psy_fail(PSY_INVALID, "psy_socket_commit: %s",
                        s && s->draft ? "more bytes than were claimed, or another draft" : "no draft is open");
    }
    psy__peer *p = s->draft;
    if (p->number != s->draft_number || p->phase != PEER_UP) {
        end_draft(s);
        return psy_fail(PSY_PEER_DIED, "%s: the peer was lost while the message was written", s->uri);
    }
    commit(s, p, (uint8_t *)draft->data - PSY_PARCEL_HEAD_BYTES, s->draft_is_vector ? &s->draft_vector : NULL,
           s->draft_is_vector ? s->draft_room : bytes);
    end_draft(s);
    return PSY_OK;
}

void psy_socket_abort(psy_socket *s)
{
    if (s && s->draft) {
        end_draft(s); /* a claim of a single producer is simply forgotten */
    }
}

void psy_socket_flush(psy_socket *s)
{
    for (uint32_t i = 0; s && i < s->peer_top; i++) {
        psy__peer *p = &s->peers[i];
        if (p->phase == PEER_UP && p->out->ring.shown != p->out->ring.position) {
            psy__peer_flush(p);
        }
    }
}

/* ---- in ---- */

/* The next message of this peer. A peer that lies is put out. */
static bool look(psy_socket *s, psy__peer *p)
{
    if (p->phase == PEER_GONE && p->in.position >= p->last_slot) {
        psy__socket_clear_peer(s, p);
        return false;
    }
    psy_status status = psy__peer_look(p, &s->parcel);
    if (status == PSY_OK) {
        s->held = p;
        return true;
    }
    if (status == PSY_PROTOCOL && p->phase == PEER_UP) {
        psy__socket_lose_peer(s, p, status);
    } else if (p->phase == PEER_GONE) { /* nothing more of sense */
        psy__socket_clear_peer(s, p);
    }
    return false;
}

/* Holds the next message, from the peers in turn; first what is left of those that are gone. */
static bool hold_next(psy_socket *s)
{
    if (s->held) {
        return true;
    }
    for (uint32_t i = 0; s->gone_count > 0 && i < s->peer_top; i++) {
        if (s->peers[i].phase == PEER_GONE && look(s, &s->peers[i])) {
            return true;
        }
    }
    uint32_t top = s->peer_top;
    for (uint32_t i = 0; i < top; i++) {
        uint32_t place = (s->next_peer + i) % top;
        if (s->peers[place].phase == PEER_UP && look(s, &s->peers[place])) {
            s->next_peer = place + 1;
            return true;
        }
    }
    return false;
}

bool psy__socket_has_message(psy_socket *s) { return hold_next(s); }

psy_status psy_socket_peek(psy_socket *s, psy_parcel *out, uint64_t timeout_ns)
{
    if (!s || !out) {
        return psy_fail(PSY_INVALID, "psy_socket_peek: a null argument");
    }
    s->asks_messages = true;
    uint64_t until_ns = 0;
    for (bool again = false;;) {
        psy__socket_work(s);
        if (s->known && s->service) {
            return psy_fail(PSY_INVALID, "%s is a service: use psy_socket_call, messages go between sockets", s->uri);
        }
        if (hold_next(s)) {
            *out = s->parcel;
            return PSY_OK;
        }
        if (timeout_ns == 0 || s->inside) {
            if (!again && psy__socket_quench(s, NULL)) {
                again = true;
                continue;
            }
            return PSY_EMPTY;
        }
        uint64_t now = psy__now_ns();
        until_ns = until_ns ? until_ns : psy__add_ns(now, timeout_ns);
        if (now >= until_ns) {
            return psy_fail(PSY_TIMEOUT, "%s: no message came in time", s->uri);
        }
        psy__socket_nap(s, NULL, true, until_ns);
    }
}

void psy_socket_release(psy_socket *s)
{
    if (!s || !s->held) {
        return;
    }
    psy__peer *p = s->held;
    s->held = NULL;
    psy__peer_release(p);
    s->counts.taken++;
    if (p->phase == PEER_GONE && p->in.position >= p->last_slot) {
        psy__socket_clear_peer(s, p);
    }
}

psy_status psy_socket_receive_bytes(psy_socket *s, void *data, uint32_t room, uint32_t *bytes, psy_peer *from,
                                    uint64_t timeout_ns)
{
    psy_parcel parcel;
    if (!s || (!data && room) || !bytes) {
        return psy_fail(PSY_INVALID, "psy_socket_receive_bytes: a null argument");
    }
    psy_status status = psy_socket_peek(s, &parcel, timeout_ns);
    if (status != PSY_OK) {
        return status;
    }
    *bytes = parcel.bytes;
    if (parcel.kind != PSY_PARCEL_BYTES) {
        return psy_fail(PSY_INVALID, "%s: the next message is a vector: use psy_socket_receive_vector or psy_socket_peek",
                        s->held->name);
    }
    if (parcel.bytes > room) {
        return psy_fail(PSY_TOO_LARGE, "%s: the next message has %u bytes, and there is room for %u", s->held->name,
                        parcel.bytes, room);
    }
    if (parcel.bytes) {
        memcpy(data, parcel.data, parcel.bytes);
    }
    if (from) {
        *from = parcel.peer;
    }
    psy_socket_release(s);
    return PSY_OK;
}

psy_status psy_socket_receive_vector(psy_socket *s, void *data, uint32_t room, psy_variant_view *vector, psy_peer *from,
                                     uint64_t timeout_ns)
{
    psy_parcel parcel;
    if (!s || (!data && room) || !vector) {
        return psy_fail(PSY_INVALID, "psy_socket_receive_vector: a null argument");
    }
    psy_status status = psy_socket_peek(s, &parcel, timeout_ns);
    if (status != PSY_OK) {
        return status;
    }
    if (parcel.kind != PSY_PARCEL_VECTOR) {
        return psy_fail(PSY_INVALID, "%s: the next message is bytes: use psy_socket_receive_bytes or psy_socket_peek",
                        s->held->name);
    }
    uint64_t bytes = psy_variant_count(&parcel.vector) * psy_dtype_bytes(parcel.vector.dtype);
    if (bytes > room) {
        return psy_fail(PSY_TOO_LARGE, "%s: the next vector has %llu bytes, and there is room for %u", s->held->name,
                        (unsigned long long)bytes, room);
    }
    if (bytes) {
        memcpy(data, parcel.data, bytes);
    }
    *vector = parcel.vector;
    vector->data = data;
    if (from) {
        *from = parcel.peer;
    }
    psy_socket_release(s);
    return PSY_OK;
}
