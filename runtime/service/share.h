/* SPDX-License-Identifier: Apache-2.0 */
/* Fairness: what one client may have inside the service, so that no other waits behind a flood.
 *
 * A client counts as active for a second after its last request. One that is active alone may fill the service. Where several
 * are, the queues are kept short: at most `contended_max` requests are inside together, and each client has an equal part of
 * them; what it sends beyond waits in its own ring. So whoever comes with a request finds a queue that is no longer than that,
 * whatever the others do.
 *
 * Who is next goes by bytes, not by messages, by deficit round robin (Shreedhar and Varghese, "Efficient Fair Queuing using
 * Deficit Round Robin", SIGCOMM 1995): a round gives each client credit for `quantum_bytes`, at least one request of the
 * largest kind to every shard; a round is over when every client that still waits has used its credit up. One whose requests
 * get stuck for a millisecond, because its shard stalls, does not hold up the round. A millisecond in which the broker itself
 * made few rounds says nothing of shards.
 */
#ifndef PSY_SERVICE_SHARE_H
#define PSY_SERVICE_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct psy_broker;
struct psy__client;

/* A client's. */
typedef struct psy__share {
    uint32_t inside; /* of its requests: tickets */
    uint32_t freed;  /* of those since the last tick */
    uint64_t taken;  /* requests ever */
    int64_t credit_bytes;
    uint64_t active_until_ns;
    bool active, waits, stuck;
} psy__share;

/* The broker's. */
typedef struct psy__fairness {
    uint32_t active; /* clients */
    uint32_t contended_max;
    int64_t quantum_bytes;
    bool contended;  /* this round: several are active */
    uint32_t rounds; /* since it was last looked who is stuck */
    uint64_t tick_due_ns;
} psy__fairness;

void psy__fairness_init(struct psy_broker *b, uint32_t contended_max);

/* How many of a client's requests may be taken now, `most` at most. */
uint32_t psy__share_room(struct psy_broker *b, struct psy__client *c, uint32_t most);
/* Whether it has credit for the next of them. */
static inline bool psy__share_goes_on(const psy__fairness *f, const psy__share *share)
{
    return !f->contended || share->credit_bytes > 0;
}
/* One was taken, of that many bytes in that many rings; it is `inside` unless it was refused. */
static inline void psy__share_pay(psy__share *share, uint64_t bytes, uint32_t rings, bool inside)
{
    share->credit_bytes -= (int64_t)(bytes * rings);
    share->inside += inside;
    share->taken++;
}
/* A visit at which it could take nothing: its ring is empty, or it has had its share. */
void psy__share_held(struct psy_broker *b, struct psy__client *c, bool waits);
/* After a visit: whether some of its requests had to stay where they are. */
void psy__share_visited(struct psy_broker *b, struct psy__client *c, bool waits);
/* A ticket of the client's came back. */
static inline void psy__share_free(psy__share *share)
{
    share->inside -= share->inside > 0;
    share->freed++;
}
/* Whether it has all inside that it may: it can only wait for tickets of its own. */
bool psy__share_full(const struct psy_broker *b, const struct psy__client *c);
/* A client leaves. */
void psy__share_end(struct psy_broker *b, struct psy__client *c);

/* After all clients were visited: begins a new round where one is over. */
void psy__fairness_round(struct psy_broker *b);
/* Every millisecond. */
void psy__fairness_tick(struct psy_broker *b);

#endif
