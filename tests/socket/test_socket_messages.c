/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between sockets, over every transport: bytes and vectors, whole, in order, once; room, limits, turns, losses. */
#define _GNU_SOURCE
#include "tests/socket/sockets.h"

OVER_ALL(order, either_may_come_first)
{
    holdings before = holdings_now();
    couple c = {0};
    char text[8];
    uint32_t bytes;
    psy_peer from;
    cr_assert_eq(psy_socket_connect(uri, NULL, &c.connected), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "a", 1, 0), PSY_UNREACHABLE);
    cr_assert_not_null(strstr(psy_detail(), uri), "%s", psy_detail());
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "a", 1, 30000000), PSY_UNREACHABLE);
    cr_assert_geq(psy__now_ns() - start, 30000000u);
    cr_assert_eq(psy_socket_bind(uri, NULL, &c.bound), PSY_OK, "%s", psy_detail());
    meet(&c);
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "hello", 5, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_bytes(c.bound, text, sizeof text, &bytes, &from, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert(bytes == 5 && memcmp(text, "hello", 5) == 0 && from == c.peer);
    cr_assert_eq(psy_socket_send_bytes(c.bound, from, "yes", 3, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_bytes(c.connected, text, sizeof text, &bytes, NULL, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert(bytes == 3 && memcmp(text, "yes", 3) == 0);
    cr_assert_eq(psy_socket_send_bytes(c.bound, PSY_PEER_ONLY, NULL, 0, 0), PSY_OK, "the one there is, and no bytes");
    cr_assert_eq(psy_socket_receive_bytes(c.connected, NULL, 0, &bytes, NULL, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(bytes, 0u);
    close_couple(&c);
    nothing_leaked(getpid(), before);
}

typedef struct sender {
    const char *uri;
    uint32_t number, messages, most;
    psy_socket_options options;
    psy_status status;
} sender;

/* Sends as fast as there is room, then waits until all was taken. */
static void *run_sender(void *argument)
{
    sender *one = argument;
    psy_socket *s;
    uint8_t *data = malloc(one->most);
    one->status = psy_socket_connect(one->uri, &one->options, &s);
    for (uint64_t i = 0; one->status == PSY_OK && i < one->messages; i++) {
        uint32_t bytes = some_length(i, one->most);
        write_numbered(data, one->number, i, bytes);
        one->status = psy_socket_send_bytes(s, PSY_PEER_ONLY, data, bytes, 20 * second_ns);
    }
    if (one->status == PSY_OK) {
        one->status = psy_socket_drain(s, 20 * second_ns);
    }
    if (one->status != PSY_OK) {
        fprintf(stderr, "sender %u: %s\n", one->number, psy_detail());
    }
    psy_socket_close(s);
    free(data);
    return NULL;
}

/* Several senders at once, messages of all lengths through small queues: each one's come whole, in order and once. */
OVER_ALL(flow, of_all_lengths_from_several_senders)
{
    enum { SENDERS = 3, MESSAGES = 3000, MOST = 5000 };
    holdings before = holdings_now();
    psy_socket_options o = {.message_bytes_max = MOST, .queue_bytes = 3 * MOST};
    psy_socket *bound;
    sender senders[SENDERS];
    pthread_t threads[SENDERS];
    cr_assert_eq(psy_socket_bind(uri, &o, &bound), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.uri = uri, .number = i, .messages = MESSAGES, .most = MOST, .options = o};
        cr_assert_eq(pthread_create(&threads[i], NULL, run_sender, &senders[i]), 0);
    }
    struct {
        psy_peer peer;
        uint32_t number;
        uint64_t next;
    } from[SENDERS] = {{0, 0, 0}};
    for (uint32_t n = 0; n < SENDERS * MESSAGES; n++) {
        psy_parcel m;
        cr_assert_eq(psy_socket_peek(bound, &m, 20 * second_ns), PSY_OK, "%s", psy_detail());
        cr_assert_eq(m.kind, PSY_PARCEL_BYTES);
        cr_assert_eq((uintptr_t)m.data % 64, 0u);
        uint32_t k = 0;
        while (from[k].peer && from[k].peer != m.peer) {
            cr_assert_lt(++k, (uint32_t)SENDERS);
        }
        if (!from[k].peer) { /* its first message says who it is */
            from[k].peer = m.peer;
            uint8_t first = *(const uint8_t *)m.data;
            while ((uint8_t)(from[k].number * 31) != first) {
                cr_assert_lt(++from[k].number, (uint32_t)SENDERS);
            }
        }
        cr_assert_eq(m.bytes, some_length(from[k].next, MOST), "message %lu", (unsigned long)from[k].next);
        check_numbered(m.data, from[k].number, from[k].next++, m.bytes);
        psy_socket_release(bound);
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(senders[i].status, PSY_OK);
    }
    psy_parcel none;
    cr_assert_eq(psy_socket_peek(bound, &none, 0), PSY_EMPTY);
    psy_socket_close(bound);
    nothing_leaked(getpid(), before);
}

/* Every type, ranks 0 to 8, gathered out of strided views, copied out and in place. */
OVER_ALL(vectors, of_every_type_and_rank)
{
    static const unsigned dtypes[] = {
#define DTYPE(NAME, number, text, bytes, ctype, class, compute) number,
#include <psyne/dtypes.def>
#undef DTYPE
    };
    couple c = open_couple(uri, NULL, NULL);
    static uint8_t from[8192] __attribute__((aligned(64))), to[8192] __attribute__((aligned(64)));
    for (uint32_t i = 0; i < sizeof from; i++) {
        from[i] = (uint8_t)(i * 5 + i / 256);
    }
    for (size_t t = 0; t < sizeof dtypes / sizeof dtypes[0]; t++) {
        for (uint32_t rank = 0; rank <= PSY_VARIANT_RANK_MAX; rank++) {
            uint32_t dims[PSY_VARIANT_RANK_MAX] = {2, 3, 2, 1, 2, 2, 3, 2};
            psy_variant_view whole, view, got;
            psy_peer who;
            cr_assert_eq(psy_variant_view_init(&whole, from, sizeof from, dtypes[t], rank, dims), PSY_OK);
            view = whole;
            if (rank >= 2) { /* every second element, backwards, axes exchanged */
                uint32_t axes[PSY_VARIANT_RANK_MAX] = {1, 0, 2, 3, 4, 5, 6, 7};
                cr_assert_eq(psy_variant_slice(&view, 1, 2, 2, -2, &view), PSY_OK);
                cr_assert_eq(psy_variant_transpose(&view, axes, &view), PSY_OK);
            }
            cr_assert_eq(psy_socket_send_vector(c.connected, PSY_PEER_ONLY, &view, 0), PSY_OK, "%s", psy_detail());
            cr_assert_eq(psy_socket_send_vector(c.connected, PSY_PEER_ONLY, &view, 0), PSY_OK, "%s", psy_detail());
            psy_parcel m;
            cr_assert_eq(psy_socket_peek(c.bound, &m, second_ns), PSY_OK, "%s", psy_detail());
            cr_assert(m.kind == PSY_PARCEL_VECTOR && m.vector.dtype == view.dtype && m.vector.rank == rank);
            cr_assert_arr_eq(m.vector.dims, view.dims, sizeof view.dims);
            cr_assert(psy_variant_is_packed(&m.vector) && (uintptr_t)m.vector.data % 64 == 0);
            psy_variant_mutable_view expected;
            uint64_t bytes = psy_variant_count(&view) * psy_dtype_bytes(view.dtype);
            psy__variant_pack(&expected.view, to, view.dtype, rank, view.dims);
            cr_assert_eq(psy_variant_copy(&expected, &view), PSY_OK);
            cr_assert_arr_eq(m.vector.data, to, bytes);
            psy_socket_release(c.bound);
            memset(to, 0, sizeof to);
            cr_assert_eq(psy_socket_receive_vector(c.bound, to, sizeof to, &got, &who, second_ns), PSY_OK, "%s", psy_detail());
            cr_assert(got.data == to && who == c.peer && got.dtype == view.dtype && got.rank == rank);
            psy_variant_view again;
            for (uint64_t i = 0; i < psy_variant_count(&view); i++) {
                uint32_t index[PSY_VARIANT_RANK_MAX] = {0};
                uint64_t rest = i;
                for (uint32_t a = rank; a-- > 0;) {
                    index[a] = (uint32_t)(rest % view.dims[a]);
                    rest /= view.dims[a];
                }
                cr_assert_arr_eq(psy_variant_at(&got, got.dtype, index), psy_variant_at(&view, view.dtype, index),
                                 psy_dtype_bytes(got.dtype));
            }
            (void)again;
        }
    }
    /* Nothing of it, and as large as there is room for. */
    uint32_t none[2] = {0, 5}, large[2] = {256, 256};
    psy_variant_view empty, got;
    psy_draft draft;
    cr_assert_eq(psy_variant_view_init(&empty, NULL, 0, PSY_F32, 2, none), PSY_OK);
    cr_assert_eq(psy_socket_send_vector(c.bound, c.peer, &empty, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_vector(c.connected, NULL, 0, &got, NULL, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert(got.rank == 2 && got.dims[0] == 0 && got.dims[1] == 5);
    cr_assert_eq(psy_socket_claim_vector(c.bound, c.peer, PSY_F32, 2, large, &draft, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq(draft.room, 256u << 10);
    for (uint32_t i = 0; i < 256 * 256; i++) {
        ((float *)draft.data)[i] = (float)i;
    }
    cr_assert_eq(psy_socket_commit(c.bound, &draft, 0), PSY_OK, "%s", psy_detail());
    psy_socket_flush(c.bound);
    psy_parcel m;
    cr_assert_eq(psy_socket_peek(c.connected, &m, second_ns), PSY_OK, "%s", psy_detail());
    uint32_t last[2] = {255, 255};
    cr_assert(m.vector.rank == 2 && *(const float *)psy_variant_at(&m.vector, PSY_F32, last) == 65535.0f);
    psy_socket_release(c.connected);
    close_couple(&c);
}

/* What does not fit, or is the wrong verb, stays or is said. */
OVER_ALL(limits, are_said)
{
    psy_socket_options small = {.message_bytes_max = 100}, large = {.message_bytes_max = 1000};
    couple c = open_couple(uri, &small, &large);
    char data[2000] = {0};
    uint32_t bytes = 0, dims[1] = {30};
    psy_variant_view view;
    psy_draft draft, other;
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, data, 1001, 0), PSY_TOO_LARGE);
    cr_assert_not_null(strstr(psy_detail(), "1000"), "%s", psy_detail());
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, data, 101, 0), PSY_TOO_LARGE);
    cr_assert(strstr(psy_detail(), "100") && strstr(psy_detail(), uri) && strstr(psy_detail(), "process"), "%s", psy_detail());
    cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer, data, 101, 0), PSY_TOO_LARGE);
    cr_assert_eq(psy_variant_view_init(&view, data, sizeof data, PSY_F32, 1, dims), PSY_OK);
    cr_assert_eq(psy_socket_send_vector(c.connected, PSY_PEER_ONLY, &view, 0), PSY_TOO_LARGE);
    view.dims[0] = 25;
    cr_assert_eq(psy_socket_send_vector(c.connected, PSY_PEER_ONLY, &view, 0), PSY_OK, "%s", psy_detail());
    view.dtype = (psy_dtype)99;
    cr_assert_eq(psy_socket_send_vector(c.connected, PSY_PEER_ONLY, &view, 0), PSY_INVALID);
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "0123456789", 10, 0), PSY_OK);
    /* A vector waits: it stays until somebody asks for that. */
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, sizeof data, &bytes, NULL, second_ns), PSY_INVALID);
    cr_assert_eq(psy_socket_receive_vector(c.bound, data, 99, &view, NULL, second_ns), PSY_TOO_LARGE);
    cr_assert_eq(psy_socket_receive_vector(c.bound, data, 100, &view, NULL, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_vector(c.bound, data, 100, &view, NULL, second_ns), PSY_INVALID);
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, 9, &bytes, NULL, second_ns), PSY_TOO_LARGE);
    cr_assert_eq(bytes, 10u);
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, 10, &bytes, NULL, second_ns), PSY_OK);
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, 10, &bytes, NULL, 0), PSY_EMPTY);
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, 10, &bytes, NULL, 2000000), PSY_TIMEOUT);
    /* Drafts. */
    cr_assert_eq(psy_socket_claim(c.connected, PSY_PEER_ONLY, 50, &draft, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq((uintptr_t)draft.data % 64, 0u);
    cr_assert_eq(psy_socket_claim(c.connected, PSY_PEER_ONLY, 50, &other, 0), PSY_INVALID, "one at a time");
    cr_assert_eq(psy_socket_commit(c.connected, &draft, 51), PSY_INVALID);
    psy_socket_abort(c.connected);
    cr_assert_eq(psy_socket_commit(c.connected, &draft, 50), PSY_INVALID, "none is open");
    cr_assert_eq(psy_socket_claim(c.connected, PSY_PEER_ONLY, 50, &draft, 0), PSY_OK, "%s", psy_detail());
    memcpy(draft.data, "fewer", 5);
    cr_assert_eq(psy_socket_commit(c.connected, &draft, 5), PSY_OK);
    psy_socket_flush(c.connected);
    cr_assert_eq(psy_socket_receive_bytes(c.bound, data, 10, &bytes, NULL, second_ns), PSY_OK);
    cr_assert(bytes == 5 && memcmp(data, "fewer", 5) == 0);
    /* Calls go to services, and to peers only that are there. */
    uint32_t pipeline;
    cr_assert_eq(psy_socket_pipeline(c.connected, "all", &question_type, &answer_type, &pipeline), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "psy_socket_send_bytes"), "%s", psy_detail());
    cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer + 4096, data, 1, 0), PSY_PEER_DIED);
    /* Options and addresses. */
    psy_socket *none;
    psy_socket_options wrong = {.peers_max = 1025};
    cr_assert_eq(psy_socket_bind(uri, &wrong, &none), PSY_INVALID);
    cr_assert_eq(psy_socket_connect("pigeon://x", NULL, &none), PSY_UNSUPPORTED);
    cr_assert_eq(psy_socket_connect("nothing", NULL, &none), PSY_INVALID);
    cr_assert_eq(psy_socket_bind(uri, NULL, &none), PSY_IO, "in use");
    close_couple(&c);
}

/* A peer that does not receive fills the queue of who sends to it, and nothing else. */
OVER_ALL(room, is_each_peers_own)
{
    psy_socket_options o = {.message_bytes_max = 1000, .queue_bytes = 8192};
    couple c = open_couple(uri, &o, &o);
    psy_socket *lazy;
    psy_peer lazy_peer;
    char data[1000] = {0}, got[1000];
    uint32_t bytes;
    cr_assert_eq(psy_socket_connect(uri, &o, &lazy), PSY_OK);
    psy_socket_info info;
    do {
        psy_socket_get_info(c.bound, &info);
        psy_socket_get_info(lazy, &info);
    } while (info.state != PSY_SOCKET_CONNECTED);
    lazy_peer = expect_event(c.bound, lazy, PSY_SOCKET_GAINED, PSY_OK).peer;
    cr_assert_eq(psy_socket_send_bytes(c.bound, PSY_PEER_ONLY, data, 1, 0), PSY_INVALID, "which of the two?");
    uint32_t sent = 0;
    psy_status status;
    while ((status = psy_socket_send_bytes(c.bound, lazy_peer, data, sizeof data, 0)) == PSY_OK) {
        cr_assert_lt(++sent, 100u);
    }
    cr_assert_eq(status, PSY_FULL);
    cr_assert_gt(sent, 4u);
    uint64_t start = psy__now_ns();
    cr_assert_eq(psy_socket_send_bytes(c.bound, lazy_peer, data, sizeof data, 20000000), PSY_TIMEOUT);
    cr_assert_geq(psy__now_ns() - start, 20000000u);
    for (uint32_t i = 0; i < 1000; i++) { /* the other one is served as before */
        write_numbered(data, 1, i, 500);
        cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer, data, 500, 0), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_socket_receive_bytes(c.connected, got, sizeof got, &bytes, NULL, second_ns), PSY_OK);
        check_numbered(got, 1, i, bytes);
    }
    cr_assert_eq(psy_socket_drain(c.bound, 20000000), PSY_TIMEOUT);
    cr_assert_not_null(strstr(psy_detail(), uri), "%s", psy_detail());
    for (uint32_t i = 0; i < sent; i++) { /* nothing is lost */
        cr_assert_eq(psy_socket_receive_bytes(lazy, got, sizeof got, &bytes, NULL, second_ns), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_socket_receive_bytes(lazy, got, sizeof got, &bytes, NULL, 0), PSY_EMPTY);
    cr_assert_eq(psy_socket_drain(c.bound, second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_send_bytes(c.bound, lazy_peer, data, 1, 0), PSY_CLOSED);
    psy_socket_close(lazy);
    close_couple(&c);
}

/* One peer that has always more does not keep others waiting. */
OVER_ALL(turns, are_taken)
{
    enum { BEHIND = 50 };
    psy_socket_options o = {.message_bytes_max = 100, .queue_bytes = 1 << 16};
    couple c = open_couple(uri, &o, &o);
    psy_socket *quiet;
    psy_socket_info info;
    cr_assert_eq(psy_socket_connect(uri, &o, &quiet), PSY_OK);
    do {
        psy_socket_get_info(c.bound, &info);
        psy_socket_get_info(quiet, &info);
    } while (info.state != PSY_SOCKET_CONNECTED);
    for (uint32_t i = 0; i < BEHIND; i++) {
        cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "loud", 4, 0), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_socket_send_bytes(quiet, PSY_PEER_ONLY, "quiet", 5, 0), PSY_OK, "%s", psy_detail());
    uint32_t quiet_at = 0;
    for (uint32_t i = 1; i <= BEHIND + 1; i++) {
        psy_parcel m;
        cr_assert_eq(psy_socket_peek(c.bound, &m, second_ns), PSY_OK);
        quiet_at = m.bytes == 5 ? i : quiet_at;
        psy_socket_release(c.bound);
    }
    cr_assert(quiet_at == 1 || quiet_at == 2, "it was the %u. to be heard", quiet_at);
    psy_socket_close(quiet);
    close_couple(&c);
}

/* What was sent before the end still comes; what was not taken is counted, and can be had back. */
OVER_ALL(loss, is_reported_with_what_was_not_taken)
{
    enum { SENT = 9, TAKEN = 4 };
    couple c = open_couple(uri, NULL, NULL);
    char text[32];
    uint32_t bytes, dims[1] = {3};
    float numbers[3] = {1, 2, 3};
    psy_variant_view view;
    psy_parcel m;
    cr_assert_eq(psy_variant_view_init(&view, numbers, sizeof numbers, PSY_F32, 1, dims), PSY_OK);
    for (uint32_t i = 0; i < SENT; i++) {
        text[0] = (char)('0' + i);
        cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer, text, 1, 0), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, text, 1, 0), PSY_OK, "%s", psy_detail());
    }
    cr_assert_eq(psy_socket_send_vector(c.bound, c.peer, &view, 0), PSY_OK);
    for (uint32_t i = 0; i < TAKEN; i++) {
        cr_assert_eq(psy_socket_receive_bytes(c.connected, text, sizeof text, &bytes, NULL, second_ns), PSY_OK);
    }
    psy_socket_close(c.connected);
    psy_socket_event lost = expect_event(c.bound, NULL, PSY_SOCKET_LOST, PSY_CLOSED);
    cr_assert_eq(lost.peer, c.peer);
    cr_assert_eq(lost.untaken, (uint64_t)(SENT - TAKEN + 1), "%lu", (unsigned long)lost.untaken);
    for (uint32_t i = TAKEN; i < SENT; i++) {
        cr_assert_eq(psy_socket_untaken(c.bound, &m), PSY_OK);
        cr_assert(m.kind == PSY_PARCEL_BYTES && m.bytes == 1 && *(const char *)m.data == (char)('0' + i));
    }
    cr_assert_eq(psy_socket_untaken(c.bound, &m), PSY_OK);
    cr_assert(m.kind == PSY_PARCEL_VECTOR && *(const float *)m.vector.data == 1);
    cr_assert_eq(psy_socket_untaken(c.bound, &m), PSY_EMPTY);
    cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer, text, 1, second_ns), PSY_PEER_DIED);
    for (uint32_t i = 0; i < SENT; i++) {
        psy_peer from;
        cr_assert_eq(psy_socket_receive_bytes(c.bound, text, sizeof text, &bytes, &from, 0), PSY_OK, "%s", psy_detail());
        cr_assert(text[0] == (char)('0' + i) && from == c.peer);
    }
    cr_assert_eq(psy_socket_receive_bytes(c.bound, text, sizeof text, &bytes, NULL, 0), PSY_EMPTY);
    /* Another one takes its place and is another peer. */
    psy_peer old = c.peer;
    cr_assert_eq(psy_socket_connect(uri, NULL, &c.connected), PSY_OK);
    meet(&c);
    cr_assert_neq(c.peer, old);
    /* The bound side ends: the connected one hears of it, and connects again when it comes back. */
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "never", 5, 0), PSY_OK);
    psy_socket_close(c.bound);
    lost = expect_event(c.connected, NULL, PSY_SOCKET_LOST, PSY_CLOSED);
    cr_assert_eq(lost.untaken, 1u);
    cr_assert_not_null(strstr(lost.text, uri), "%s", lost.text);
    cr_assert_eq(psy_socket_bind(uri, NULL, &c.bound), PSY_OK, "%s", psy_detail());
    meet(&c);
    cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, "again", 5, 0), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_receive_bytes(c.bound, text, sizeof text, &bytes, NULL, second_ns), PSY_OK);
    cr_assert(bytes == 5 && memcmp(text, "again", 5) == 0);
    psy_socket_info info;
    psy_socket_get_info(c.connected, &info);
    cr_assert(info.connected == 2 && info.lost == 1 && info.untaken == 1 && info.sent == 2);
    close_couple(&c);
}

OVER_ALL(places, are_as_many_as_said)
{
    enum { PEERS = 3 };
    psy_socket_options o = {.peers_max = PEERS, .message_bytes_max = 64};
    psy_socket *bound, *peers[PEERS], *more;
    psy_socket_info info;
    holdings before = holdings_now();
    cr_assert_eq(psy_socket_bind(uri, &o, &bound), PSY_OK);
    for (uint32_t i = 0; i < PEERS; i++) {
        cr_assert_eq(psy_socket_connect(uri, &o, &peers[i]), PSY_OK);
        do {
            psy_socket_get_info(bound, &info);
            psy_socket_get_info(peers[i], &info);
        } while (info.state != PSY_SOCKET_CONNECTED);
    }
    cr_assert_eq(psy_socket_connect(uri, &o, &more), PSY_OK);
    psy_socket_event refused = expect_event(more, bound, PSY_SOCKET_REFUSED, PSY_LIMIT);
    cr_assert_not_null(strstr(refused.text, "3 peers"), "%s", refused.text);
    psy_socket_close(peers[1]);
    (void)expect_event(more, bound, PSY_SOCKET_GAINED, PSY_OK);
    psy_socket_close(more);
    psy_socket_close(peers[0]);
    psy_socket_close(peers[2]);
    psy_socket_close(bound);
    nothing_leaked(getpid(), before);
}

/* Events that nobody asks for do not add up: the oldest are forgotten, and how many is said; messages of the last losses. */
OVER_ALL(events, are_kept_for_a_while)
{
    enum { TIMES = 50 }; /* two events each */
    psy_socket_options o = {.message_bytes_max = 64};
    psy_socket *bound;
    psy_socket_info info;
    holdings before = holdings_now();
    cr_assert_eq(psy_socket_bind(uri, &o, &bound), PSY_OK, "%s", psy_detail());
    for (uint32_t i = 0; i < TIMES; i++) {
        psy_socket *s;
        cr_assert_eq(psy_socket_connect(uri, &o, &s), PSY_OK);
        do {
            psy_socket_get_info(s, &info);
            psy_socket_get_info(bound, &info);
        } while (info.peers == 0);
        cr_assert_eq(psy_socket_send_bytes(bound, PSY_PEER_ONLY, &i, sizeof i, 0), PSY_OK, "%s", psy_detail());
        psy_socket_close(s);
        do {
            psy_socket_get_info(bound, &info);
        } while (info.peers > 0);
    }
    cr_assert(info.lost == TIMES && info.untaken == TIMES && info.sent == TIMES);
    holdings kept = holdings_now();
    cr_assert_leq(kept.mappings - before.mappings, 8u, "%u slabs", kept.mappings - before.mappings);
    psy_socket_event event;
    psy_parcel m;
    uint32_t n = 0, losses = 0, messages = 0;
    for (; psy_socket_next_event(bound, &event) == PSY_OK; n++) {
        cr_assert_eq(event.missed, n == 0 ? 2 * TIMES - 64u : 0u, "%lu", (unsigned long)event.missed);
        losses += event.kind == PSY_SOCKET_LOST;
        cr_assert_eq(event.untaken, event.kind == PSY_SOCKET_LOST ? 1u : 0u);
        if (psy_socket_untaken(bound, &m) == PSY_OK) {
            uint32_t number;
            memcpy(&number, m.data, sizeof number);
            cr_assert_eq(number, TIMES - 8 + messages++);
        }
    }
    cr_assert(n == 64 && losses == 32 && messages == 8, "%u events, %u losses, %u messages", n, losses, messages);
    psy_socket_close(bound);
    nothing_leaked(getpid(), before);
}

/* Messages, bytes and stalls of each direction are in the counters, under the same name from both sides. */
OVER_ALL(counters, of_both_directions)
{
    char folder[96], label[64];
    make_counters(folder);
    psy_counters *rows = open_counters(folder, "sockets", 16);
    psy_socket_options o = {.message_bytes_max = 1000, .counters = rows};
    couple c = open_couple(uri, &o, &o);
    char data[100] = {0};
    uint32_t bytes, rings = 0;
    psy_counters_ring_view view;
    for (uint32_t i = 0; i < 7; i++) { /* as many in either direction */
        cr_assert_eq(psy_socket_send_bytes(c.connected, PSY_PEER_ONLY, data, 50, 0), PSY_OK);
        cr_assert_eq(psy_socket_receive_bytes(c.bound, data, sizeof data, &bytes, NULL, 0), PSY_OK);
        cr_assert_eq(psy_socket_send_bytes(c.bound, c.peer, data, 50, 0), PSY_OK);
        cr_assert_eq(psy_socket_receive_bytes(c.connected, data, sizeof data, &bytes, NULL, 0), PSY_OK);
    }
    const char *slash = strrchr(uri, '/') + 1;
    snprintf(label, sizeof label, "%s/process %d to %d", slash, (int)getpid(), (int)getpid());
    cr_assert(find_ring(folder, label, &view, &rings), "%s", label);
    cr_assert_eq(rings, 2u);
    cr_assert(view.producers == 1 && view.consumers == 1 && view.fill_known && view.fill == 0);
    cr_assert_eq(view.producer[PSY_RING_COUNTER_messages], 7u);
    cr_assert_eq(view.consumer[PSY_RING_COUNTER_messages], 7u);
    close_couple(&c);
    (void)find_ring(folder, label, &view, &rings);
    cr_assert_eq(rings, 0u, "%u are left", rings);
    psy_counters_destroy(rows);
    remove_counters(folder);
}
