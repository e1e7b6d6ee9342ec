/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "search.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "embed.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int failed(char *error, size_t error_bytes, const char *what)
{
    snprintf(error, error_bytes, "%s: %s", what, psy_detail());
    return -1;
}

int search_connect(const char *uri, uint64_t timeout_ns, searcher *s, int *again, char *error, size_t error_bytes)
{
    psy_channel_options options = {.in_flight = s->in_flight,
                                   .call_timeout_ms = 60000,
                                   .connect_timeout_ns = timeout_ns,
                                   .counters = s->counters,
                                   .agent = s->agent};
    psy_status status = psy_channel_connect(uri, &options, &s->channel);
    *again = status == PSY_TIMEOUT || status == PSY_UNREACHABLE;
    if (status != PSY_OK) {
        s->channel = NULL;
        return failed(error, error_bytes, "cannot connect");
    }
    if (psy_channel_open(s->channel, "nearest", nearest_query_type(), nearest_hits_type(), &s->nearest) != PSY_OK ||
        psy_channel_open(s->channel, "stored_vector", nearest_word_type(), nearest_stored_type(), &s->stored) != PSY_OK) {
        failed(error, error_bytes, "cannot open a pipeline");
        search_close(s);
        return -1;
    }
    return 0;
}

/* Writes a request where the broker will read it: no copy is made of it on this side. */
static psy_status send_query(searcher *s, const char *word, void *user)
{
    psy_call call;
    psy_status status = psy_channel_claim(s->channel, &s->nearest, &call);
    if (status == PSY_OK) {
        nearest_query *q = nearest_query_init(call.message);
        embed(word, nearest_query_mutable_vector(q), NEAREST_DIM);
        nearest_query_set_k(q, s->k);
        psy_channel_commit(s->channel, &call, user);
    }
    return status;
}

static void read_hits(const psy_reply *reply, hits *out)
{
    const nearest_hits *h = reply->message;
    uint32_t n = nearest_hits_score_count(h), m = nearest_hits_index_count(h), spelt = nearest_hits_word_count(h);
    out->count = n < m ? n : m;
    out->count = spelt < out->count ? spelt : out->count;
    memcpy(out->score, nearest_hits_score(h), out->count * sizeof *out->score);
    memcpy(out->index, nearest_hits_index(h), out->count * sizeof *out->index);
    for (uint32_t i = 0; i < out->count; i++) {
        uint32_t letters = nearest_hits_word_bytes(h, i);
        memcpy(out->word[i], nearest_hits_word(h, i), letters);
        out->word[i][letters] = '\0';
    }
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct run {
    searcher *s;
    const misspellings *m;
    const size_t *picked;
    hits *out;
    measure *measured;
    uint64_t *latencies;
    size_t done;
    char *error;
    size_t error_bytes;
} run;

static void take_reply(run *r, const psy_reply *reply)
{
    size_t i = (size_t)(uintptr_t)reply->user;
    r->done++;
    if (reply->status != PSY_OK) {
        if (r->measured->failed++ == 0) {
            snprintf(r->error, r->error_bytes, "a query failed: %s", psy_status_text(reply->status));
        }
        return;
    }
    hits found;
    read_hits(reply, &found);
    r->latencies[r->measured->queries++] = reply->latency_ns;
    size_t right = r->m->entry[r->picked ? r->picked[i] : i].right;
    for (uint32_t k = 0; k < found.count && k < 10; k++) {
        if (found.index[k] == right) {
            r->measured->first += k == 0;
            r->measured->tenth++;
        }
    }
    if (r->out) {
        r->out[i] = found;
    }
    psy_channel_release(r->s->channel, reply);
}

int search_all(searcher *s, const misspellings *m, const size_t *picked, size_t n, hits *out, measure *measured, char *error,
               size_t error_bytes)
{
    *measured = (measure){0};
    run r = {s, m, picked, out, measured, malloc((n + 1) * sizeof(uint64_t)), 0, error, error_bytes};
    if (!r.latencies) {
        snprintf(error, error_bytes, "no memory");
        return -1;
    }
    double start = seconds();
    size_t sent = 0;
    psy_status status = PSY_OK;
    while (r.done < n && status == PSY_OK) {
        while (sent < n &&
               (status = send_query(s, m->entry[picked ? picked[sent] : sent].wrong, (void *)(uintptr_t)sent)) == PSY_OK) {
            sent++;
        }
        if (status != PSY_OK && status != PSY_FULL) {
            break; /* CLOSED: what was sent comes back first */
        }
        psy_reply replies[64];
        uint32_t count;
        status = psy_channel_poll(s->channel, replies, 64, &count);
        for (uint32_t i = 0; status == PSY_OK && i < count; i++) {
            take_reply(&r, &replies[i]);
        }
        if (status == PSY_EMPTY) {
            status = psy_channel_wait(s->channel, UINT64_C(1000000000));
            status = status == PSY_TIMEOUT ? PSY_OK : status;
        }
    }
    /* After the service went: every call that was sent ends in an error. */
    while (r.done < sent) {
        psy_reply replies[64];
        uint32_t count = 0;
        psy_status end = psy_channel_poll(s->channel, replies, 64, &count);
        for (uint32_t i = 0; end == PSY_OK && i < count; i++) {
            take_reply(&r, &replies[i]);
        }
        if (end != PSY_OK && end != PSY_EMPTY) {
            break;
        }
        if (end == PSY_EMPTY && psy_channel_wait(s->channel, UINT64_C(1000000000)) == PSY_CLOSED) {
            break;
        }
    }
    measured->seconds = seconds() - start;
    size_t count = measured->queries;
    qsort(r.latencies, count, sizeof *r.latencies, by_value);
    measured->p50_us = count ? (double)r.latencies[count / 2] * 1e-3 : 0;
    measured->p99_us = count ? (double)r.latencies[count - 1 - count / 100] * 1e-3 : 0;
    free(r.latencies);
    if (r.done < n) {
        snprintf(error, error_bytes, "%zu of %zu queries were not answered: %s", n - r.done, n, psy_detail());
        return -1;
    }
    return 0;
}

int search_one(searcher *s, const char *word, hits *out, char *error, size_t error_bytes)
{
    _Alignas(64) uint8_t request[NEAREST_QUERY_BYTES];
    psy_reply reply;
    nearest_query *q = nearest_query_init(request);
    embed(word, nearest_query_mutable_vector(q), NEAREST_DIM);
    nearest_query_set_k(q, s->k);
    if (psy_channel_call(s->channel, &s->nearest, request, &reply) != PSY_OK) {
        return failed(error, error_bytes, "the search failed");
    }
    read_hits(&reply, out);
    psy_channel_release(s->channel, &reply);
    return 0;
}

static psy_status ask_stored(searcher *s, uint64_t key, float *vector)
{
    _Alignas(64) uint8_t request[NEAREST_WORD_BYTES];
    psy_reply reply;
    nearest_word_set_key(nearest_word_init(request), key);
    psy_status status = psy_channel_call(s->channel, &s->stored, request, &reply);
    if (status == PSY_OK) {
        memcpy(vector, nearest_stored_vector(reply.message), NEAREST_DIM * sizeof *vector);
        psy_channel_release(s->channel, &reply);
    }
    return status;
}

int search_stored(searcher *s, const words *w, size_t n, char *error, size_t error_bytes)
{
    float got[NEAREST_DIM], want[NEAREST_DIM];
    for (size_t i = 0; i < n; i++) {
        const char *word = w->word[i * (w->count / n)];
        psy_status status = ask_stored(s, words_key(word), got);
        embed(word, want, NEAREST_DIM);
        if (status != PSY_OK || memcmp(got, want, sizeof got) != 0) {
            snprintf(error, error_bytes, "the stored vector of %s: %s", word,
                     status == PSY_OK ? "it is another" : psy_status_text(status));
            return -1;
        }
    }
    psy_status status = ask_stored(s, words_key("no such word"), got);
    if (status != PSY_NOT_FOUND) {
        snprintf(error, error_bytes, "a word that is not there: %s", psy_status_text(status));
        return -1;
    }
    return 0;
}

void search_close(searcher *s)
{
    psy_channel_close(s->channel);
    s->channel = NULL;
}
