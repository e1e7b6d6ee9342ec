/* SPDX-License-Identifier: Apache-2.0 */
/* A service of the stand-in whose agents are driven by the test, on one thread, round by round: what it does is the same every
 * time. And a log that keeps what was told. */
#ifndef PSY_TESTS_SERVICE_BY_HAND_H
#define PSY_TESTS_SERVICE_BY_HAND_H

#include "tests/service/agents.h"

enum { TOLD_ROOM = 512, TOLD_FIELDS = 8, TOLD_TEXT = 128 };

/* Events, in the order in which they came. */
typedef struct told_log {
    psy_log log;
    uint32_t count; /* all; the first TOLD_ROOM are kept */
    struct {
        char event[32];
        psy_log_level level;
        uint32_t field_count;
        struct {
            char key[16], text[TOLD_TEXT];
            uint64_t number;
        } fields[TOLD_FIELDS];
    } events[TOLD_ROOM];
} told_log;
void told_init(told_log *t);
/* How many of that event whose field `key` (NULL: any) has that text, or where `text` is NULL that number. */
uint32_t told_count(const told_log *t, const char *event, const char *key, const char *text, uint64_t number);
/* The text or number of a field of the first such event; fails the test where there is none. */
const char *told_text(const told_log *t, const char *event, const char *key);
uint64_t told_number(const told_log *t, const char *event, const char *key);

typedef struct by_hand {
    char uri[96];
    uint32_t shards, max_batch;
    psy_broker *broker;
    psy_worker *workers[SHARDS_ROOM];
} by_hand;

/* `options` without address, module and shards. Broker and workers tell `log`, if it is not NULL. */
by_hand by_hand_open(const char *uri, const psy_broker_options *options, uint32_t max_batch, told_log *log);
void by_hand_close(by_hand *h);
/* One round of everybody. */
void by_hand_round(by_hand *h);
/* A channel with all lanes open, while the broker works. With `status`, what connecting gave comes there, and NULL where it
 * failed. */
psy_channel *by_hand_connect(by_hand *h, const psy_channel_options *options, psy_pipeline lanes[LANES], psy_status *status);
/* Takes what has come: how many; those that are not `status` fail the test. */
uint32_t by_hand_take(psy_channel *channel, psy_status status);

#endif
