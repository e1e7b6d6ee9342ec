/* SPDX-License-Identifier: Apache-2.0 */
/* What a service says of its pipelines: modules, lists, to whom, and what of it a client believes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/broker_state.h"
#include "service/channel_state.h"
#include "service/module_file.h"
#include "tests/service/served.h"

static void open_here(served *s, const char *uri, psy_broker_options o)
{
    o.uri = uri;
    o.shards = 1;
    served_open(s, &o);
    served_run(s);
}

static void send_file(psy_channel *channel, const char *path, const char *name)
{
    static char bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    cr_assert_eq(psy_channel_send_program(channel, bytes, n, name, NULL), PSY_OK, "%s", psy_detail());
}

/* Who was compiled without the messages learns them, and calls. */
Test(describe, says_what_messages_are)
{
    psy_module *module = open_program(PROGRAM_FILE("v1")), *told;
    served s;
    open_here(&s, "inproc://described", (psy_broker_options){.module = module});
    psy_channel *channel = served_connect(&s, 1);
    for (int again = 0; again < 3; again++) {
        cr_assert_eq(psy_channel_describe(channel, again ? "main@1/total" : "total", &told), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_module_hash(told), psy_module_hash(module));
        psy_type request, reply;
        cr_assert_eq(psy_reflect_find(psy_module_reflection(told), "programs.Ask", &request), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_reflect_find(psy_module_reflection(told), "programs.Answer", &reply), PSY_OK, "%s", psy_detail());
        psy_pipeline lane;
        cr_assert_eq(psy_channel_open(channel, "total", &request, &reply, &lane), PSY_OK, "%s", psy_detail());
        cr_assert_eq(served_version(channel, &lane, "total", 7), 1u);
        cr_assert_eq(told->decoded.kernel_count, 0u, "bytecode only");
        psy_module_close(told);
    }
    cr_assert_eq(psy_channel_describe(channel, "totals", &told), PSY_NOT_FOUND);
    cr_assert_not_null(strstr(psy_detail(), "total"), "%s", psy_detail());
    cr_assert_eq(psy_channel_describe(channel, "main@9/total", &told), PSY_NOT_FOUND);
    cr_assert_eq(psy_channel_describe(channel, "@/", &told), PSY_NOT_FOUND);
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(psy_channel_describe(channel, longest, &told), PSY_INVALID);
    longest[255] = '\0';
    cr_assert_eq(psy_channel_describe(channel, longest, &told), PSY_NOT_FOUND);
    cr_assert_eq(psy_channel_describe(channel, NULL, &told), PSY_INVALID);
    cr_assert_geq(served_counts(&s).unknown, 3u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(module);
}

/* The file that a client gets cannot be changed by it: the next one gets the same. */
Test(describe, gives_what_nobody_can_change)
{
    psy_module *module = open_program(PROGRAM_FILE("v1")), *told;
    served s;
    holdings before = holdings_now();
    open_here(&s, "inproc://sealed", (psy_broker_options){.module = module});
    psy_channel *channel = served_connect(&s, 1);
    psy__describe said = {.pipeline = "total"};
    psy__described described;
    int fd = -1;
    psy_status status = psy__say(channel->link, PSY_SAY_DESCRIBE, &said, sizeof said, NULL, 0);
    status = psy__channel_ask(channel, status, PSY_SAY_DESCRIBED, &described, sizeof described, &fd, 1, UINT64_C(10000000000));
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(pwrite(fd, "x", 1, 0), -1);
    cr_assert_eq(ftruncate(fd, 0), -1);
    cr_assert(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    (void)lseek(fd, 100, SEEK_SET); /* its place in it is everybody's */
    cr_assert_eq(psy_channel_describe(channel, "total", &told), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_module_hash(told), psy_module_hash(module));
    psy_module_close(told);
    close(fd);
    psy_channel_close(channel);
    served_close(&s);
    nothing_leaked(getpid(), before);
    psy_module_close(module);
}

/* ---- who may ---- */

Test(describe, needs_the_right_to_observe_unless_it_is_ones_own)
{
    psy_module *module = open_program(PROGRAM_FILE("v1")), *told;
    served s;
    open_here(&s, "inproc://may", (psy_broker_options){.module = module, .client_programs = 1});
    psy_channel *channel = served_connect(&s, 1);
    send_file(channel, PROGRAM_FILE("v3"), "mine");
    pthread_mutex_lock(&s.mutex); /* the tests' user is the broker's own, which may all: another one's rights */
    psy__client *c = &((struct psy_broker *)s.broker)->clients[0];
    c->pass.rule.may = PSY_MAY_CONNECT;
    pthread_mutex_unlock(&s.mutex);
    cr_assert_eq(psy_channel_describe(channel, "main/total", &told), PSY_DENIED);
    cr_assert_not_null(strstr(psy_detail(), "PSY_MAY_OBSERVE"), "%s", psy_detail());
    cr_assert_eq(served_counts(&s).denied, 1u);
    cr_assert_eq(psy_channel_describe(channel, "mine/total", &told), PSY_OK, "%s", psy_detail());
    psy_module_close(told);
    psy_list_place place = {0};
    psy_listing rows[8];
    uint32_t count = 0;
    cr_assert_eq(psy_channel_list(channel, &place, rows, 8, &count), PSY_OK, "names are for all who may connect");
    cr_assert_eq(count, 6u);
    psy_channel_close(channel);
    served_close(&s);
    psy_module_close(module);
}

/* ---- lists ---- */

Test(list, has_every_pipeline_once)
{
    psy_module *one = open_program(PROGRAM_FILE("v1")), *two = open_program(PROGRAM_FILE("v2"));
    served s;
    psy_program programs[] = {{.module = one, .name = "shop", .version = 1},
                              {.module = two, .name = "shop", .version = 2},
                              {.module = one, .name = "other", .version = 7}};
    open_here(&s, "inproc://list", (psy_broker_options){.programs = programs, .program_count = 3, .client_programs = 1});
    psy_channel *channel = served_connect(&s, 1), *stranger = served_connect(&s, 1);
    send_file(channel, PROGRAM_FILE("v3"), "mine");
    static const uint32_t pages[] = {1, 2, 3, 5, 12, 64};
    for (size_t k = 0; k < sizeof pages / sizeof pages[0]; k++) {
        for (int who = 0; who < 2; who++) {
            psy_list_place place = {0};
            psy_listing rows[64];
            uint32_t count = 0, n = 0, newest = 0, own = 0;
            psy_status status;
            while ((status = psy_channel_list(who ? stranger : channel, &place, rows + n, pages[k], &count)) == PSY_OK) {
                n += count;
                cr_assert_leq(n + pages[k], 64u + pages[k]);
                if (n + pages[k] > 64) {
                    break;
                }
            }
            cr_assert(status == PSY_EMPTY || pages[k] > 32, "%s", psy_detail());
            cr_assert_eq(n, who ? 9u : 12u);
            for (uint32_t i = 0; i < n; i++) {
                newest += rows[i].newest;
                own += rows[i].own;
                cr_assert_str_eq(rows[i].request_name, "programs.Ask");
                cr_assert_str_eq(rows[i].reply_name, "programs.Answer");
                cr_assert_eq(rows[i].request_hash, programs_ask_type()->layout_hash);
                cr_assert_eq(rows[i].reply_hash, programs_answer_type()->layout_hash);
                for (uint32_t j = 0; j < i; j++) {
                    cr_assert(rows[i].version != rows[j].version || strcmp(rows[i].program, rows[j].program) != 0 ||
                                  strcmp(rows[i].pipeline, rows[j].pipeline) != 0,
                              "%s/%s is there twice", rows[i].program, rows[i].pipeline);
                }
            }
            cr_assert_eq(newest, who ? 6u : 9u);
            cr_assert_eq(own, who ? 0u : 3u);
        }
    }
    psy_listing row;
    psy_list_place past = {.program = UINT64_MAX, .pipeline = UINT32_MAX}, begin = {0};
    uint32_t count = 9;
    cr_assert_eq(psy_channel_list(channel, &past, &row, 1, &count), PSY_EMPTY);
    cr_assert_eq(count, 0u);
    cr_assert_eq(psy_channel_list(channel, &begin, &row, 0, &count), PSY_INVALID);
    begin.pipeline = UINT32_MAX; /* past the last pipeline of none */
    cr_assert_eq(psy_channel_list(channel, &begin, &row, 1, &count), PSY_OK);
    psy_channel_close(channel);
    psy_channel_close(stranger);
    served_close(&s);
    psy_module_close(one);
    psy_module_close(two);
}

/* A page that asks for more than there can be ends that client's connection, and nobody else's. */
Test(list, of_a_client_that_lies)
{
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    served s;
    open_here(&s, "inproc://asks", (psy_broker_options){.module = module});
    psy_channel *channel = served_connect(&s, 1), *other = served_connect(&s, 1);
    psy__list said = {.most = PSY_LISTED_MAX + 1};
    psy__listed listed;
    psy_status status = psy__say(channel->link, PSY_SAY_LIST, &said, sizeof said, NULL, 0);
    cr_assert_eq(psy__channel_ask(channel, status, PSY_SAY_LISTED, &listed, sizeof listed, NULL, 0, UINT64_C(10000000000)),
                 PSY_PROTOCOL);
    psy_pipeline lane = served_pipeline(other, "total");
    cr_assert_eq(served_version(other, &lane, "total", 2), 1u);
    psy_channel_close(channel);
    psy_channel_close(other);
    served_close(&s);
    psy_module_close(module);
}

/* ---- services that lie ---- */

/* The other end of a channel, as a test says it. */
typedef struct liar {
    psy_channel channel;
    psy__listener *listener;
    psy__link *theirs;
} liar;

static void open_liar(liar *l, const char *uri)
{
    *l = (liar){.channel = {.connect_timeout_ns = 50000000, .epoll_fd = -1, .timer_fd = -1, .peer = "liar"}};
    cr_assert_eq(psy__bind(uri, &l->listener), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &l->channel.link), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__accept(l->listener, &l->theirs), PSY_OK);
}

static void close_liar(liar *l)
{
    psy__link_close(l->channel.link);
    psy__link_close(l->theirs);
    psy__listener_close(l->listener);
}

/* What the client makes of a file that it is given. */
static psy_status describe_by(const char *uri, int fd, uint64_t bytes, uint64_t hash)
{
    liar l;
    psy_module *told;
    psy__described described = {.bytes = bytes, .hash = hash};
    open_liar(&l, uri);
    cr_assert_eq(psy__say(l.theirs, PSY_SAY_DESCRIBED, &described, sizeof described, &fd, 1), PSY_OK, "%s", psy_detail());
    psy_status status = psy_channel_describe(&l.channel, "total", &told);
    if (status == PSY_OK) {
        psy_module_close(told);
    }
    close_liar(&l);
    return status;
}

Test(liars, do_not_get_a_client_to_run_their_bytes)
{
    const char *uri = "inproc://liar";
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    uint64_t n = module->n, hash = psy_module_hash(module);
    int file = memfd_create("liar", MFD_CLOEXEC), pipes[2];
    cr_assert_eq(write(file, module->bytes, n), (ssize_t)n);
    cr_assert_eq(describe_by(uri, file, n, hash), PSY_OK, "%s", psy_detail());
    cr_assert_eq(describe_by(uri, file, n, hash + 1), PSY_PROTOCOL);
    cr_assert_eq(describe_by(uri, file, n + 1, hash), PSY_PROTOCOL);
    cr_assert_eq(describe_by(uri, file, UINT64_MAX, hash), PSY_PROTOCOL);
    cr_assert_eq(pipe(pipes), 0);
    cr_assert_eq(describe_by(uri, pipes[0], n, hash), PSY_IO, "nothing is waited for");
    close(pipes[0]);
    close(pipes[1]);
    uint8_t byte = (uint8_t)~module->bytes[n / 2];
    cr_assert_eq(pwrite(file, &byte, 1, (off_t)(n / 2)), 1);
    cr_assert_neq(describe_by(uri, file, n, hash), PSY_OK);
    cr_assert_eq(ftruncate(file, (off_t)1 << 40), 0); /* a hole */
    cr_assert_eq(describe_by(uri, file, UINT64_C(1) << 40, hash), PSY_TOO_LARGE);
    cr_assert_eq(ftruncate(file, 0), 0);
    cr_assert_eq(describe_by(uri, file, 0, hash), PSY_CORRUPT);
    close(file);
    psy_module_close(module);
}

static psy_status list_by(const char *uri, psy__listed listed, psy_listing rows[2], uint32_t *count)
{
    liar l;
    psy_list_place place = {.program = 3, .pipeline = 4};
    open_liar(&l, uri);
    cr_assert_eq(psy__say(l.theirs, PSY_SAY_LISTED, &listed, sizeof listed, NULL, 0), PSY_OK, "%s", psy_detail());
    psy_status status = psy_channel_list(&l.channel, &place, rows, 2, count);
    close_liar(&l);
    return status;
}

Test(liars, do_not_make_a_list_endless_or_overlong)
{
    const char *uri = "inproc://lists";
    psy_listing rows[2];
    uint32_t count = 0;
    cr_assert_eq(list_by(uri, (psy__listed){.program = 3, .pipeline = 5, .count = 1}, rows, &count), PSY_OK);
    cr_assert_eq(count, 1u);
    cr_assert_eq(list_by(uri, (psy__listed){.program = 3, .pipeline = 4, .count = 1}, rows, &count), PSY_PROTOCOL);
    cr_assert_eq(list_by(uri, (psy__listed){.program = 2, .pipeline = 9, .count = 2}, rows, &count), PSY_PROTOCOL);
    cr_assert_eq(list_by(uri, (psy__listed){.program = 9, .count = 3}, rows, &count), PSY_PROTOCOL);
    cr_assert_eq(list_by(uri, (psy__listed){.program = 9, .count = UINT32_MAX}, rows, &count), PSY_PROTOCOL);
    psy__listed endless = {.program = 9, .count = 1};
    memset(endless.rows, 'x', sizeof endless.rows);
    cr_assert_eq(list_by(uri, endless, rows, &count), PSY_OK);
    cr_assert_eq(strlen(rows[0].program), (size_t)PSY_PROGRAM_NAME_BYTES - 1);
    cr_assert_eq(strlen(rows[0].reply_name), (size_t)PSY_NAME_BYTES - 1);
}

/* ---- other versions ---- */

/* A service of an earlier protocol refuses in its own words: both versions are named. */
Test(versions, of_the_protocol_are_named_on_both_sides)
{
    psy__listener *listener;
    psy__link *link = NULL, *theirs = NULL;
    const char *uri = "inproc://older";
    char both[64];
    psy__control control = {.bytes = sizeof(psy__refused)};
    psy__refused refused = {.said = {PSY_PROTOCOL_MAGIC, PSY_PROTOCOL_MAJOR - 1, 0, PSY_SAY_REFUSED, sizeof refused},
                            .status = PSY_VERSION,
                            .fatal = 1,
                            .text = "the peer speaks another protocol"};
    memcpy(control.data, &refused, sizeof refused);
    cr_assert_eq(psy__bind(uri, &listener), PSY_OK);
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK);
    cr_assert_eq(psy__accept(listener, &theirs), PSY_OK);
    cr_assert_eq(psy__link_send(theirs, &control, 1), PSY_OK);
    psy__hired hired;
    int fds[2];
    cr_assert_eq(psy__hear(link, PSY_SAY_HIRED, &hired, sizeof hired, fds, 2, psy__now_ns() + second_ns), PSY_VERSION);
    snprintf(both, sizeof both, "protocol %d.0, this side %d.%d", PSY_PROTOCOL_MAJOR - 1, PSY_PROTOCOL_MAJOR,
             PSY_PROTOCOL_MINOR);
    cr_assert_not_null(strstr(psy_detail(), both), "%s", psy_detail());
    psy__link_close(link);
    psy__link_close(theirs);
    psy__listener_close(listener);

    /* And a client of that one is told by a service of this one. */
    psy_module *module = open_program(PROGRAM_FILE("v1"));
    psy_broker *broker;
    psy_broker_options o = {.uri = uri, .module = module};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__connect(uri, 0, &link), PSY_OK);
    psy__hello hello = {.said = {PSY_PROTOCOL_MAGIC, PSY_PROTOCOL_MAJOR - 1, 0, PSY_SAY_HELLO, sizeof hello},
                        .role = PSY_ROLE_CLIENT};
    control = (psy__control){.bytes = sizeof hello};
    memcpy(control.data, &hello, sizeof hello);
    cr_assert_eq(psy__link_send(link, &control, 1), PSY_OK);
    psy__event event = PSY_EVENT_NONE;
    for (uint64_t end = psy__now_ns() + 10 * second_ns; event == PSY_EVENT_NONE && psy__now_ns() < end;) {
        psy_broker_do_work(broker);
        event = psy__link_poll(link, &control);
    }
    cr_assert_eq(event, PSY_EVENT_CONTROL);
    memcpy(&refused, control.data, sizeof refused);
    cr_assert_eq(refused.status, (uint32_t)PSY_VERSION);
    snprintf(both, sizeof both, "protocol %d.0, this side %d.%d", PSY_PROTOCOL_MAJOR - 1, PSY_PROTOCOL_MAJOR,
             PSY_PROTOCOL_MINOR);
    cr_assert_not_null(strstr(refused.text, both), "%s", refused.text);
    psy__link_close(link);
    psy_broker_destroy(broker);
    psy_module_close(module);
}
