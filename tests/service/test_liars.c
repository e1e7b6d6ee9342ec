/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that lie: what they hand over, and what they write into the memory that they share. */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include <psyne/envelope.h>

#include "base/clock.h"
#include "service/protocol.h"
#include "service/response.h"
#include "tests/service/agents.h"

static psy__link *call_as_client(const char *uri, psy__welcome *welcome)
{
    psy__link *link;
    psy__hello hello = {.role = PSY_ROLE_CLIENT};
    cr_assert_eq(psy__connect(uri, second_ns, &link), PSY_OK);
    cr_assert_eq(psy__say(link, PSY_SAY_HELLO, &hello, sizeof hello, NULL, 0), PSY_OK);
    cr_assert_eq(psy__hear(link, PSY_SAY_WELCOME, welcome, sizeof *welcome, NULL, 0, psy__now_ns() + 5 * second_ns), PSY_OK,
                 "%s", psy_detail());
    return link;
}

static bool ends(psy__link *link)
{
    for (int i = 0; i < 2000; i++) {
        psy__control m;
        psy__event event = psy__link_poll(link, &m);
        if (event == PSY_EVENT_CLOSED) {
            return true;
        }
        if (event == PSY_EVENT_CONTROL) {
            psy__close_fds(m.fds, m.fd_count);
        } else {
            usleep(1000);
        }
    }
    return false;
}

Test(liars, liars_lose_their_own_connection_only)
{
    holdings before = holdings_now();
    service s = open_service("inproc://liars", 64, 64);
    client c = {.uri = s.uri, .in_flight = 16, .calls = 20000, .timeout_ms = 5000};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run_client, &c), 0);
    uint64_t seed = 3;
    for (int i = 0; i < 60; i++) {
        psy__welcome welcome;
        psy__link *link;
        if (i % 3 == 0) { /* noise */
            psy__control m = {.bytes = 1 + (uint32_t)(seed % 700), .fd_count = 1, .fds = {STDERR_FILENO}};
            for (uint32_t k = 0; k < m.bytes; k++) {
                seed = seed * 6364136223846793005u + 1;
                m.data[k] = (uint8_t)(seed >> 33);
            }
            cr_assert_eq(psy__connect(s.uri, second_ns, &link), PSY_OK);
            cr_assert_eq(psy__link_send(link, &m, 1), PSY_OK);
        } else {
            link = call_as_client(s.uri, &welcome);
            uint32_t stride = PSY_ENVELOPE_BYTES + welcome.request_bytes, slots = 16;
            psy_slab *requests, *responses;
            psy_slab_options o = {.bytes = psy_ring_bytes(stride, slots)};
            cr_assert_eq(psy_slab_create(&o, &requests), PSY_OK);
            o.bytes = psy__responses_bytes(slots, welcome.reply_bytes, welcome.shards + 1);
            cr_assert_eq(psy_slab_create(&o, &responses), PSY_OK);
            psy__responses view;
            psy_ring ring, completions;
            cr_assert_eq(psy_ring_init(&ring, psy_slab_data(requests), psy_slab_data_bytes(requests), stride, slots), PSY_OK);
            psy__responses_view(&view, psy_slab_data(responses), slots, welcome.reply_bytes, welcome.shards + 1);
            for (uint32_t w = 0; w < view.writers; w++) {
                uint64_t bytes;
                void *at = psy__completions_at(&view, w, &bytes);
                cr_assert_eq(psy_ring_init(&completions, at, bytes, 8, view.completion_slots), PSY_OK);
            }
            int ends_of_bell[2], pipe_ends[2];
            cr_assert_eq(psy__bell_create(ends_of_bell), PSY_OK);
            cr_assert_eq(pipe(pipe_ends), 0);
            close(pipe_ends[0]);
            psy__attach attach = {.request_slots = slots, .request_stride = stride, .reply_slots = slots};
            int fds[3] = {psy_slab_fd(requests), psy_slab_fd(responses), ends_of_bell[1]};
            int lie = i % 10;
            if (lie == 1) {
                attach.reply_slots = 60000;
            } else if (lie == 2) {
                attach.request_slots = 15;
            } else if (lie == 4) {
                fds[0] = pipe_ends[1];
            } else if (lie == 5) {
                fds[2] = pipe_ends[1]; /* a pipe nobody reads */
            } else if (lie == 7) {
                fds[1] = fds[0];
            }
            cr_assert_eq(psy__say(link, PSY_SAY_ATTACH, &attach, sizeof attach, fds, 3), PSY_OK);
            if (lie == 8 || lie == 0) { /* attached; then requests that are none, and impossible positions */
                psy__attached attached;
                cr_assert_eq(
                    psy__hear(link, PSY_SAY_ATTACHED, &attached, sizeof attached, NULL, 0, psy__now_ns() + 5 * second_ns),
                    PSY_OK, "%s", psy_detail());
                uint32_t got;
                uint8_t *frame = psy_ring_claim(&ring, slots, &got);
                for (uint32_t k = 0; k < got * stride; k++) {
                    seed = seed * 6364136223846793005u + 1;
                    frame[k] = (uint8_t)(seed >> 33);
                }
                for (uint32_t k = 0; k < got / 2; k++) { /* half of them look right, and name slots and phases that are wild */
                    psy_envelope e = {.length = sizeof(question),
                                      .kind = PSY_KIND_REQUEST,
                                      .pipeline = k % 3,
                                      .type = 0,
                                      .sequence = k + 1,
                                      .slot = k % 20,
                                      .generation = k,
                                      .route = seed};
                    memcpy(frame + (size_t)k * stride, &e, sizeof e);
                    memset(frame + (size_t)k * stride + PSY_ENVELOPE_BYTES, 0, sizeof(question)); /* asks for nothing wild */
                    atomic_store(&psy__reply_at(&view, k % slots)->state, psy__reply_state(k, (uint32_t)seed, k % 7));
                }
                psy_ring_commit(&ring, got);
                psy_ring_flush(&ring);
                usleep(3000);
                atomic_store(&completions.header->released, seed);
                atomic_store(&ring.header->published, seed);
                (void)shutdown(ends_of_bell[1], SHUT_RDWR);
            }
            cr_assert(lie == 3 || lie == 6 || lie == 9 || ends(link), "lie %d is believed", lie);
            close(ends_of_bell[0]);
            close(ends_of_bell[1]);
            close(pipe_ends[1]);
            psy_slab_destroy(requests);
            psy_slab_destroy(responses);
        }
        cr_assert(i % 3 != 0 || ends(link), "noise is believed");
        psy__link_close(link);
    }
    pthread_join(thread, NULL);
    cr_assert_eq(c.wrong, 0u);
    cr_assert_eq(c.ok, c.calls, "ok %u timeouts %u died %u", c.ok, c.timeouts, c.died);
    close_service(&s);
    nothing_leaked(getpid(), before);
}

/* More silent connections than there are places: they are shown out after a while. */
Test(liars, silent_guests)
{
    service s = open_service("inproc://silent", 64, 64);
    psy__link *links[40];
    for (int i = 0; i < 40; i++) {
        cr_assert_eq(psy__connect(s.uri, second_ns, &links[i]), PSY_OK);
    }
    client c = {.uri = s.uri, .in_flight = 16, .calls = 100, .timeout_ms = 5000};
    run_clients(&c, 1);
    cr_assert_eq(c.setup, PSY_OK);
    cr_assert_eq(c.ok, c.calls);
    for (int i = 0; i < 40; i++) {
        psy__link_close(links[i]);
    }
    close_service(&s);
}
