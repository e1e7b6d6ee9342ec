/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled module served with the cpu engine: any number of shards gives the same answers, shards without rows included, and
 * no payload byte is copied but by the scatter. */
#include "tests/service/shop.h"

#include "tests/service/gen/shop.hrm.h"

enum { ROWS = 37, KEPT = 5, K = 7 };

typedef struct lanes {
    psy_channel *channel;
    psy_pipeline best, total, kept, weighted;
} lanes;

static lanes connect_to(const shop *s)
{
    lanes l;
    cr_assert_eq(psy_channel_connect(s->uri, NULL, &l.channel), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(l.channel, "best", shop_ask_type(), shop_best_type(), &l.best), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_channel_open(l.channel, "total", shop_ask_type(), shop_total_type(), &l.total), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(psy_channel_open(l.channel, "kept_row", shop_ask_type(), shop_row_type(), &l.kept), PSY_OK, "%s",
                 psy_detail());
    cr_assert_eq(psy_channel_open(l.channel, "weighted", shop_ask_type(), shop_row_type(), &l.weighted), PSY_OK, "%s",
                 psy_detail());
    return l;
}

static const void *call(lanes *l, const psy_pipeline *lane, const shop_ask *ask, psy_reply *reply)
{
    cr_assert_eq(psy_channel_call(l->channel, lane, ask, reply), PSY_OK, "%s", psy_detail());
    cr_assert_eq(reply->bytes, lane->reply_bytes);
    return reply->message;
}

static float score(const shop_ask *ask, uint64_t row)
{
    float sum = 0;
    for (uint32_t d = 0; d < SHOP_DIM; d++) {
        sum += shop_value(row, d) * ask->vector[d];
    }
    return sum;
}

static void ask_everything(lanes *l, uint64_t number)
{
    shop_ask ask;
    psy_reply reply;
    shop_ask_init(&ask);
    shop_ask_set_key(&ask, shop_key(number % KEPT));
    shop_ask_set_k(&ask, K);
    float all = 0;
    for (uint32_t d = 0; d < SHOP_DIM; d++) {
        ask.vector[d] = (float)((number * 5 + d) % 7) - 3;
    }

    const shop_best *best = call(l, &l->best, &ask, &reply);
    cr_assert_eq(shop_best_verify(best, reply.bytes), PSY_OK);
    cr_assert_eq(shop_best_score_count(best), (uint32_t)K);
    cr_assert_eq(shop_best_index_count(best), (uint32_t)K);
    uint64_t taken = 0;
    for (uint32_t i = 0; i < K; i++) { /* the best that is left, the lowest row first */
        uint64_t row = UINT64_MAX;
        for (uint64_t r = 0; r < ROWS; r++) {
            row = !(taken >> r & 1) && (row == UINT64_MAX || score(&ask, r) > score(&ask, row)) ? r : row;
        }
        taken |= UINT64_C(1) << row;
        cr_assert_eq(shop_best_index(best)[i], row, "question %lu, place %u", (unsigned long)number, i);
        cr_assert_eq(shop_best_score(best)[i], score(&ask, row));
        for (uint32_t d = 0; d < SHOP_DIM; d++) {
            cr_assert_eq(shop_best_row(best)[i * SHOP_DIM + d], shop_value(row, d));
        }
    }
    psy_channel_release(l->channel, &reply);

    for (uint64_t r = 0; r < ROWS; r++) {
        all += score(&ask, r);
    }
    const shop_total *total = call(l, &l->total, &ask, &reply);
    cr_assert_eq(shop_total_total(total), all);
    cr_assert_eq(shop_total_rows(total), (uint64_t)ROWS);
    psy_channel_release(l->channel, &reply);

    const shop_row *row = call(l, &l->kept, &ask, &reply);
    for (uint32_t d = 0; d < SHOP_DIM; d++) {
        cr_assert_eq(shop_row_value(row)[d], shop_value(number % KEPT, d));
    }
    psy_channel_release(l->channel, &reply);

    row = call(l, &l->weighted, &ask, &reply);
    for (uint32_t d = 0; d < SHOP_DIM; d++) {
        cr_assert_eq(shop_row_value(row)[d], ask.vector[d] * (float)(d + 1));
    }
    psy_channel_release(l->channel, &reply);

    shop_ask_set_key(&ask, 1);
    cr_assert_eq(psy_channel_call(l->channel, &l->kept, &ask, &reply), PSY_NOT_FOUND);
    cr_assert_null(reply.message);
}

Test(shop, one_to_sixteen_shards_give_the_same_answers)
{
    enum { QUESTIONS = 20 };
    for (uint32_t shards = 1; shards <= SHOP_SHARDS_ROOM; shards += shards < 8 ? 1 : 4) {
        shop s = shop_open("inproc://shop", shards, ROWS, KEPT); /* more shards than keys: some own none */
        psy_worker_counts counts = {0};
        shop_run(&s);
        lanes l = connect_to(&s);
        for (uint64_t i = 0; i < QUESTIONS; i++) {
            ask_everything(&l, i);
        }
        psy_channel_close(l.channel);
        shop_close(&s, &counts);
        cr_assert_eq(counts.requests, (uint64_t)QUESTIONS * (2 * shards + 3));
        cr_assert_eq(counts.merges, (uint64_t)QUESTIONS * 2);
        cr_assert_eq(counts.dropped_replies, 0u);
        cr_assert_eq(s.counts.requests, (uint64_t)QUESTIONS * 5);
        cr_assert_eq(s.counts.refused + s.counts.timeouts + s.counts.failures, 0u);
        /* A request is copied once into the ring of each shard that it goes to, or once for all of them, and that is all. */
        const uint64_t copies = 2 * (shop_refers(shards) ? 1 : shards) + 3;
        cr_assert_eq(s.counts.scatter_bytes, QUESTIONS * copies * SHOP_ASK_BYTES);
        cr_assert_eq(s.counts.referenced, shop_refers(shards) ? 2 * (uint64_t)QUESTIONS : 0);
        cr_assert_eq(counts.copied_bytes, 0u);
    }
}

/* Pipelines of several messages: their types are those of the header that psynec makes of the program. */
Test(shop, several_messages)
{
    for (uint32_t shards = 1; shards <= 4; shards++) {
        shop s = shop_open("inproc://several", shards, ROWS, KEPT);
        shop_run(&s);
        psy_channel *channel;
        psy_pipeline both, kept;
        psy_reply reply;
        cr_assert_eq(psy_channel_connect(s.uri, NULL, &channel), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_channel_open(channel, "both", shop_both_request_type(), shop_both_reply_type(), &both), PSY_OK, "%s",
                     psy_detail());
        cr_assert_eq(psy_channel_open(channel, "kept_scaled", shop_kept_scaled_request_type(), shop_scaled_type(), &kept),
                     PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_channel_open(channel, "both", shop_kept_scaled_request_type(), shop_both_reply_type(), &kept),
                     PSY_LAYOUT);
        for (uint64_t number = 0; number < 8; number++) {
            shop_both_request request;
            shop_both_request_init(&request);
            shop_ask *ask = shop_both_request_mutable_a(&request);
            float all = 0;
            for (uint32_t d = 0; d < SHOP_DIM; d++) {
                ask->vector[d] = (float)((number * 5 + d) % 7) - 3;
            }
            shop_weigh_set_weight(shop_both_request_mutable_w(&request), (float)number);
            shop_note_set_number(shop_weigh_mutable_note(shop_both_request_mutable_w(&request)), number << 33);
            cr_assert_eq(psy_channel_call(channel, &both, &request, &reply), PSY_OK, "%s", psy_detail());
            cr_assert_eq(shop_both_reply_verify(reply.message, reply.bytes), PSY_OK);
            for (uint64_t r = 0; r < ROWS; r++) {
                all += score(ask, r) * (float)number;
            }
            const shop_both_reply *m = reply.message;
            cr_assert_eq(shop_total_total(shop_both_reply_total(m)), all);
            cr_assert_eq(shop_total_rows(shop_both_reply_total(m)), (uint64_t)ROWS);
            cr_assert_eq(shop_scaled_note(shop_both_reply_scaled(m)), number << 33);
            cr_assert_eq(shop_row_value(shop_scaled_row(shop_both_reply_scaled(m)))[3], ask->vector[3] * (float)number);
            psy_channel_release(channel, &reply);
        }
        cr_assert_eq(psy_channel_open(channel, "kept_scaled", shop_kept_scaled_request_type(), shop_scaled_type(), &kept),
                     PSY_OK);
        for (uint64_t i = 0; i < KEPT; i++) {
            shop_kept_scaled_request request;
            shop_kept_scaled_request_init(&request); /* a weight of 2 */
            shop_ask_set_key(shop_kept_scaled_request_mutable_a(&request), shop_key(i));
            cr_assert_eq(psy_channel_call(channel, &kept, &request, &reply), PSY_OK, "%s", psy_detail());
            cr_assert_eq(shop_scaled_verify(reply.message, reply.bytes), PSY_OK);
            cr_assert_eq(shop_row_value(shop_scaled_row(reply.message))[2], 2 * shop_value(i, 2));
            psy_channel_release(channel, &reply);
        }
        psy_channel_close(channel);
        shop_close(&s, NULL);
    }
}

/* More shards than rows, and data without any. */
Test(shop, shards_without_rows)
{
    shop s = shop_open("inproc://empty", SHOP_SHARDS_ROOM, SHOP_SHARDS_ROOM, 0);
    shop_ask ask;
    psy_reply reply;
    shop_run(&s);
    lanes l = connect_to(&s);
    shop_ask_init(&ask);
    memset(ask.vector, 0, sizeof ask.vector);
    for (uint64_t key = 0; key < 50; key++) {
        shop_ask_set_key(&ask, key);
        cr_assert_eq(psy_channel_call(l.channel, &l.kept, &ask, &reply), PSY_NOT_FOUND, "%s", psy_detail());
    }
    shop_ask_set_k(&ask, 16);
    const shop_best *best = call(&l, &l.best, &ask, &reply);
    for (uint32_t i = 0; i < 16; i++) {
        cr_assert_eq(shop_best_index(best)[i], i);
    }
    psy_channel_release(l.channel, &reply);
    psy_channel_close(l.channel);
    shop_close(&s, NULL);
}

/* What a pipeline reads of a message is bounded whatever the message says: k over the bound, NaN, infinities. */
Test(shop, wild_messages)
{
    shop s = shop_open("inproc://wild", 2, ROWS, KEPT);
    shop_run(&s);
    lanes l = connect_to(&s);
    _Alignas(64) uint8_t bytes[sizeof(shop_ask)];
    uint64_t seed = 5;
    for (int i = 0; i < 300; i++) {
        for (size_t k = 0; k < sizeof bytes; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (uint8_t)(seed >> 56);
        }
        psy_reply reply;
        const psy_pipeline *lane = i % 3 == 0 ? &l.best : i % 3 == 1 ? &l.total : &l.weighted;
        cr_assert_eq(psy_channel_call(l.channel, lane, bytes, &reply), PSY_OK, "%s", psy_detail());
        if (lane == &l.best) {
            cr_assert_eq(shop_best_verify(reply.message, reply.bytes), PSY_OK);
            cr_assert_leq(shop_best_index_count(reply.message), 16u);
        }
        psy_channel_release(l.channel, &reply);
    }
    ask_everything(&l, 1);
    psy_channel_close(l.channel);
    shop_close(&s, NULL);
}
