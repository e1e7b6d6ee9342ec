/* SPDX-License-Identifier: Apache-2.0 */
/* What the transports' tests share: an address of one's own, two connected sides, numbered messages, counted descriptors. */
#ifndef PSY_TESTS_TRANSPORT_PEERS_H
#define PSY_TESTS_TRANSPORT_PEERS_H

#include <poll.h>
#include <unistd.h>

#include "tests/opened.h"
#include "transport/transport.h"

static const uint64_t second_ns = 1000000000;

static char directory[80];

static inline void make_directory(void)
{
    const char *base = getenv("TMPDIR");
    if (!base || strlen(base) > 50) { /* socket paths are short */
        base = "/tmp";
    }
    snprintf(directory, sizeof directory, "%s/psyne-XXXXXX", base);
    cr_assert_not_null(mkdtemp(directory));
}

static inline void remove_directory(void) { cr_assert_eq(rmdir(directory), 0, "files are left in %s", directory); }

typedef struct peers {
    psy__listener *listener;
    psy__link *client, *server;
} peers;

static inline peers meet(const char *uri)
{
    peers p;
    cr_assert_eq(psy__bind(uri, &p.listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, second_ns, &p.client), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__accept(p.listener, &p.server), PSY_OK, "%s", psy_detail());
    return p;
}

static inline void part(peers *p)
{
    psy__link_close(p->client);
    psy__link_close(p->server);
    psy__listener_close(p->listener);
}

static inline bool readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static inline psy__control numbered(uint32_t number, uint32_t bytes)
{
    psy__control m = {.bytes = bytes};
    for (uint32_t i = 0; i < bytes; i++) {
        m.data[i] = (uint8_t)(number + i);
    }
    return m;
}

static inline psy__event next(psy__link *link, psy__control *out)
{
    (void)readable(psy__link_fd(link), 5000);
    return psy__link_poll(link, out);
}

static inline void expect(psy__link *link, uint32_t number, uint32_t bytes)
{
    psy__control m, wanted = numbered(number, bytes);
    cr_assert_eq(next(link, &m), PSY_EVENT_CONTROL, "message %u", number);
    cr_assert_eq(m.bytes, bytes);
    cr_assert_eq(m.fd_count, 0u);
    cr_assert_arr_eq(m.data, wanted.data, bytes);
}

static inline void expect_end(psy__link *link)
{
    psy__control m;
    cr_assert_eq(next(link, &m), PSY_EVENT_CLOSED);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(psy__link_poll(link, &m), PSY_EVENT_CLOSED, "the end is said again");
        cr_assert_eq(m.fd_count, 0u);
    }
}

#endif
