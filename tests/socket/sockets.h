/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sockets share: addresses, pairs that are connected, messages that can be told apart. */
#ifndef PSY_TESTS_SOCKET_SOCKETS_H
#define PSY_TESTS_SOCKET_SOCKETS_H

#include <pthread.h>
#include <unistd.h>

#include <psyne/socket.h>

#include "base/clock.h"
#include "tests/service/agents.h"

/* Runs a check over every transport, each time with an address of its own. */
#define OVER_ALL(suite, name)                                                                                                  \
    static void name(const char *uri);                                                                                         \
    Test(suite, name##_between_threads) { name("inproc://" #suite "-" #name); }                                                \
    Test(suite, name##_over_ipc) { name(own_ipc_address()); }                                                                  \
    static void name(const char *uri)

typedef struct couple {
    psy_socket *bound, *connected;
    psy_peer peer; /* the connected one's number at the bound one */
} couple;

/* Works both sides until they are connected. */
void meet(couple *c);
couple open_couple(const char *uri, const psy_socket_options *bound, const psy_socket_options *connected);
void close_couple(couple *c);

/* The next event within five seconds; the test fails where it is another. `others`: work for these meanwhile. */
psy_socket_event expect_event(psy_socket *s, psy_socket *other, psy_socket_event_kind kind, psy_status status);

/* `bytes` that tell who sent them and when. */
void write_numbered(void *to, uint32_t from, uint64_t number, uint32_t bytes);
void check_numbered(const void *data, uint32_t from, uint64_t number, uint32_t bytes);

/* 1 to `most`, in an order that looks random and is the same each time. */
uint32_t some_length(uint64_t number, uint32_t most);

#endif
