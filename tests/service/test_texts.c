/* SPDX-License-Identifier: Apache-2.0 */
/* Resident texts through a service: hits bring their titles along, over any number of shards; what is no text is not loaded. */
#include "tests/service/gen/titles.psy.h"
#include "tests/service/shop.h"

#define TITLES_MODULE PSY_BUILD_DIR "/tests/service/gen/titles.psm"

static const char *const titles[] = {"", "one", "twelve bytes", "zürich", "five", "\xf0\x9f\xa6\x8a", "seven"};
enum { ROWS = sizeof titles / sizeof titles[0], BEST = 5 };

static psy_status fill_score(void *context, uint64_t row, void *out)
{
    (void)context;
    *(float *)out = (float)(row * 3 % ROWS);
    return PSY_OK;
}

static void *run_worker(void *w)
{
    (void)!psy_worker_run(w);
    return NULL;
}

/* The row of the k-th best: scores are all different. */
static uint64_t row_of(uint32_t k, bool smallest_first)
{
    uint64_t wanted = smallest_first ? k : ROWS - 1 - k, row = 0;
    while (row * 3 % ROWS != wanted) {
        row++;
    }
    return row;
}

static void ask(psy_channel *channel, const psy_pipeline *lane, float weight, const char *only, uint32_t k)
{
    titles_ask a;
    psy_reply reply;
    titles_ask_init(&a);
    titles_ask_set_weight(&a, weight);
    titles_ask_set_k(&a, k);
    cr_assert(titles_ask_set_only(&a, only, strlen(only)));
    cr_assert_eq(psy_channel_call(channel, lane, &a, &reply), PSY_OK, "%s", psy_detail());
    const titles_found *f = reply.message;
    cr_assert_eq(titles_found_verify(f, reply.bytes), PSY_OK);
    cr_assert_eq(titles_found_titles_count(f), k < BEST ? k : BEST);
    bool there = false;
    for (uint32_t i = 0; i < BEST; i++) {
        const char *title = titles[row_of(i, weight < 0)];
        there = there || strcmp(title, only) == 0;
        if (i < k) {
            cr_assert_eq(titles_found_titles_bytes(f, i), strlen(title));
            cr_assert_eq(memcmp(titles_found_titles(f, i), title, strlen(title)), 0, "place %u", i);
        }
        if (i == 0) {
            cr_assert_eq(titles_found_best_bytes(f), strlen(title));
            cr_assert_eq(memcmp(titles_found_best(f), title, strlen(title)), 0);
        }
    }
    cr_assert_eq(titles_found_has_only(f), there, "%s", only);
    psy_channel_release(channel, &reply);
}

Test(texts, hits_bring_their_titles)
{
    for (uint32_t shards = 1; shards <= ROWS + 1; shards += 2) {
        shop s = shop_open_module(TITLES_MODULE, "inproc://titles", shards, ROWS, 0);
        psy_channel *channel;
        psy_pipeline lane;
        for (uint32_t i = 0; i < shards; i++) {
            psy_rows rows = {.resident = "score", .rank = 1, .dims = {ROWS}, .fill = fill_score};
            psy_worker *w = s.workers[i] = shop_worker(&s, i);
            cr_assert_eq(psy_worker_load(w, &rows), PSY_OK, "%s", psy_detail());
            cr_assert_eq(psy_worker_load_texts(w, "titles", titles, ROWS), PSY_OK, "%s", psy_detail());
            cr_assert_eq(psy_worker_start(w), PSY_OK, "%s", psy_detail());
            cr_assert_eq(pthread_create(&s.threads[i], NULL, run_worker, w), 0);
        }
        cr_assert_eq(psy_channel_connect(s.uri, NULL, &channel), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_channel_open(channel, "find", titles_ask_type(), titles_found_type(), &lane), PSY_OK, "%s",
                     psy_detail());
        for (uint32_t k = 0; k <= BEST + 1; k++) {
            for (size_t i = 0; i < ROWS; i++) {
                ask(channel, &lane, k % 2 ? 2 : -0.5F, titles[i], k);
            }
        }
        psy_channel_close(channel);
        shop_close(&s, NULL);
    }
}

Test(texts, what_is_no_text_is_refused)
{
    static const char *const longer[] = {"a", "thirteen byte"}, *const broken[] = {"a", "b", "\xff"},
                             *const none[] = {"a", NULL}, *const cut_off[] = {"z\xc3"};
    static const struct {
        const char *resident;
        const char *const *texts;
        uint64_t count;
        psy_status status;
        const char *says;
    } cases[] = {
        {"titles", longer, 2, PSY_TOO_LARGE, "resident titles: row 1: the text has more than 12 bytes"},
        {"titles", broken, 3, PSY_INVALID, "resident titles: row 2: the text is not UTF-8"},
        {"titles", cut_off, 1, PSY_INVALID, "row 0: the text is not UTF-8"},
        {"titles", none, 2, PSY_INVALID, "row 1: there is no text"},
        {"titles", NULL, 2, PSY_INVALID, "null argument"},
        {"score", titles, ROWS, PSY_INVALID, "resident score is not one text a row"},
        {"scores", titles, ROWS, PSY_NOT_FOUND, "no resident `scores`"},
        {NULL, titles, ROWS, PSY_INVALID, "null argument"},
    };
    shop s = shop_open_module(TITLES_MODULE, "inproc://titles", 1, ROWS, 0);
    psy_worker *w = shop_worker(&s, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(psy_worker_load_texts(w, cases[i].resident, cases[i].texts, cases[i].count), cases[i].status,
                     "case %zu: %s", i, psy_detail());
        cr_assert_not_null(strstr(psy_detail(), cases[i].says), "case %zu: %s", i, psy_detail());
    }
    cr_assert_eq(psy_worker_load_texts(NULL, "titles", titles, ROWS), PSY_INVALID);
    cr_assert_eq(psy_worker_load_texts(w, "titles", titles, ROWS), PSY_OK, "%s", psy_detail());
    psy_worker_destroy(w);
    shop_close(&s, NULL);
}
