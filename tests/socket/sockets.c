/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/socket/sockets.h"

void meet(couple *c)
{
    psy_socket_info a, b;
    psy_socket_event event;
    uint64_t end = psy__now_ns() + 10 * second_ns;
    do {
        psy_socket_get_info(c->bound, &a);
        psy_socket_get_info(c->connected, &b);
        cr_assert_lt(psy__now_ns(), end, "not connected: %s", b.text);
    } while (a.peers == 0 || b.state != PSY_SOCKET_CONNECTED);
    while (psy_socket_next_event(c->bound, &event) == PSY_OK) {
        c->peer = event.kind == PSY_SOCKET_GAINED ? event.peer : c->peer;
    }
    while (psy_socket_next_event(c->connected, &event) == PSY_OK) {
    }
}

couple open_couple(const char *uri, const psy_socket_options *bound, const psy_socket_options *connected)
{
    couple c = {0};
    cr_assert_eq(psy_socket_bind(uri, bound, &c.bound), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_socket_connect(uri, connected, &c.connected), PSY_OK, "%s", psy_detail());
    meet(&c);
    return c;
}

void close_couple(couple *c)
{
    psy_socket_close(c->bound);
    psy_socket_close(c->connected);
}

psy_socket_event expect_event(psy_socket *s, psy_socket *other, psy_socket_event_kind kind, psy_status status)
{
    psy_socket_event event = {0};
    psy_socket_info info;
    uint64_t end = psy__now_ns() + 5 * second_ns;
    while (psy_socket_next_event(s, &event) == PSY_EMPTY) {
        cr_assert_lt(psy__now_ns(), end, "no event %d", (int)kind);
        if (other) {
            psy_socket_get_info(other, &info);
        }
        usleep(200);
    }
    cr_assert_eq(event.kind, kind, "%s", event.text);
    cr_assert_eq(event.status, status, "%s: %s", psy_status_name(event.status), event.text);
    return event;
}

void write_numbered(void *to, uint32_t from, uint64_t number, uint32_t bytes)
{
    uint8_t *at = to;
    for (uint32_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(number * 7 + from * 31 + i);
    }
}

void check_numbered(const void *data, uint32_t from, uint64_t number, uint32_t bytes)
{
    const uint8_t *at = data;
    for (uint32_t i = 0; i < bytes; i++) {
        cr_assert_eq(at[i], (uint8_t)(number * 7 + from * 31 + i), "message %lu of %u, byte %u", (unsigned long)number, from,
                     i);
    }
}

uint32_t some_length(uint64_t number, uint32_t most)
{
    uint64_t x = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    return 1 + (uint32_t)(x % most);
}
