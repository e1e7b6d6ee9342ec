/* SPDX-License-Identifier: Apache-2.0 */
/* What came out of a soak. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "tests/service/soak.h"

const char *const soak_role_names[] = {"broker", "worker", "client"};

typedef struct sums {
    uint64_t sent, ok, told, cancelled, abandoned, lost, twice, wrong, crossed, crossed_ok, crossed_told, connections, programs,
        edits;
} sums;

static void add_up(sums *s, soak_shared *shared, const soak_account *a, const char *name)
{
    uint64_t ended = 0, ok = a->ended[PSY_OK], cancelled = a->ended[PSY_CANCELLED];
    for (int i = 0; i < SOAK_STATUSES; i++) {
        ended += a->ended[i];
    }
    printf("%-18s %10" PRIu64 " %10" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n",
           name, (uint64_t)a->sent, ok, (uint64_t)a->ended[PSY_TIMEOUT], cancelled, (uint64_t)a->ended[PSY_PEER_DIED],
           (uint64_t)a->abandoned, (uint64_t)a->lost, (uint64_t)a->twice);
    if (a->sent != ended + a->abandoned + a->lost) {
        soak_complain(shared, "client \"%s\": %" PRIu64 " calls, %" PRIu64 " ends", name, (uint64_t)a->sent,
                      ended + a->abandoned + a->lost);
    }
    if (ok == 0) {
        soak_complain(shared, "client \"%s\": nothing was answered", name);
    }
    s->sent += a->sent;
    s->ok += ok;
    s->cancelled += cancelled;
    s->told += ended - ok - cancelled;
    s->abandoned += a->abandoned;
    s->lost += a->lost;
    s->twice += a->twice;
    s->wrong += a->wrong;
    s->crossed += a->crossed;
    s->crossed_ok += a->crossed_ok;
    s->crossed_told += a->crossed_told;
    s->connections += a->connections;
    s->programs += a->programs;
    s->edits += a->edits;
}

int soak_report(soak_shared *shared, const soak_done *done, uint64_t seconds, uint64_t seed)
{
    sums s = {0};
    printf("%-18s %10s %10s %9s %9s %9s %9s %8s %8s\n", "client", "sent", "answered", "timeout", "cancelled", "died",
           "abandoned", "lost", "twice");
    for (uint32_t i = 0; i < soak_kind_count; i++) {
        add_up(&s, shared, &shared->accounts[i], soak_kinds[i].name);
    }
    if (shared->traced == 0 || shared->swapped == 0 || s.programs == 0 || s.edits == 0) {
        soak_complain(shared,
                      "%" PRIu64 " events of traced requests, %" PRIu64 " programs changed, %" PRIu64
                      " sent by clients, %" PRIu64 " edits of the data",
                      (uint64_t)shared->traced, (uint64_t)shared->swapped, s.programs, s.edits);
    }
    printf("killed: broker %" PRIu64 ", workers %" PRIu64 ", clients %" PRIu64 "; stopped for a while: %" PRIu64
           "; programs changed %" PRIu64 ", sent by clients %" PRIu64 "; edits of the data %" PRIu64 "; connections %" PRIu64
           "; events of traces %" PRIu64 "\n",
           done->kills[BROKER], done->kills[WORKER], done->kills[CLIENT], done->stops, (uint64_t)shared->swapped, s.programs,
           s.edits, s.connections, (uint64_t)shared->traced);
    printf("out when the broker went: %" PRIu64 ", of which answered by the next one %" PRIu64
           ", told to their callers %" PRIu64 "\n",
           s.crossed, s.crossed_ok, s.crossed_told);
    for (int i = 0; i < 2; i++) {
        const soak_grown *g = &done->grown[i];
        if (g->lives) {
            printf("memory: %u lives of %ss in the second half: at most %+.0f KiB of %.0f KiB, %+" PRId64
                   " descriptors, %+" PRId64 " slabs\n",
                   g->lives, soak_role_names[i], (double)g->pss_bytes / 1024, (double)g->of_bytes / 1024, g->files, g->slabs);
        } else {
            printf("memory: no %s lived long enough to compare\n", soak_role_names[i]);
        }
    }
    printf("{\"name\": \"soak/service\", \"seconds\": %.1f, \"seed\": %" PRIu64 ", \"sent\": %" PRIu64
           ", \"answered\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"cancelled\": %" PRIu64 ", \"abandoned\": %" PRIu64
           ", \"lost\": %" PRIu64 ", \"twice\": %" PRIu64 ", \"wrong\": %" PRIu64 ", \"crossed\": %" PRIu64
           ", \"crossed_answered\": %" PRIu64 ", \"crossed_told\": %" PRIu64 ", \"broker_kills\": %" PRIu64
           ", \"worker_kills\": %" PRIu64 ", \"client_kills\": %" PRIu64 ", \"edits\": %" PRIu64 ", \"complaints\": %" PRIu64
           "}\n",
           (double)done->ns / 1e9, seed, s.sent, s.ok, s.told, s.cancelled, s.abandoned, s.lost, s.twice, s.wrong, s.crossed,
           s.crossed_ok, s.crossed_told, done->kills[BROKER], done->kills[WORKER], done->kills[CLIENT], s.edits,
           (uint64_t)shared->complaints);
    if (shared->complaints) {
        fprintf(stderr, "soak: %" PRIu64 " things are wrong; again with: soak %" PRIu64 " %" PRIu64 "\n",
                (uint64_t)shared->complaints, seconds, seed);
    }
    return shared->complaints != 0;
}
