/* SPDX-License-Identifier: Apache-2.0 */
/* A client for tests of psyne serve: `serve_ask ADDRESS MODULE PIPELINE REQUEST REPLY JSON [SECONDS]` makes a call and prints
 * the reply; with SECONDS, it goes on that long, connects again where the service went, and prints how many calls were
 * answered, how many failed, and how many were answered after the last one that failed. `serve_ask ADDRESS MODULE` sends the
 * module as a program of its own. */
#include <inttypes.h>
#include <psyne/channel.h>
#include <psyne/json.h>
#include <psyne/module.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { ROOM = 1 << 16, TIMEOUT_MS = 5000 };
static const uint64_t connect_ns = UINT64_C(20000000000);

static _Alignas(64) uint8_t request[ROOM];
static psy_type ask, answer;
static const char *address, *pipeline_name;

static _Noreturn void fail(void)
{
    fprintf(stderr, "serve_ask: %s\n", psy_detail());
    exit(1);
}

static psy_status reach(psy_channel **channel, psy_pipeline *pipeline)
{
    const psy_channel_options options = {.in_flight = 4, .call_timeout_ms = TIMEOUT_MS, .connect_timeout_ns = connect_ns};
    psy_status status = psy_channel_connect(address, &options, channel);
    if (status == PSY_OK) {
        status = psy_channel_open(*channel, pipeline_name, &ask, &answer, pipeline);
        if (status != PSY_OK) {
            psy_channel_close(*channel);
            *channel = NULL;
        }
    }
    return status;
}

static void ask_for(uint64_t ns)
{
    const uint64_t end_ns = psy__now_ns() + ns;
    uint64_t answered = 0, failed = 0, since = 0;
    psy_channel *channel = NULL;
    psy_pipeline pipeline;
    while (psy__now_ns() < end_ns) {
        psy_reply reply;
        if (!channel && reach(&channel, &pipeline) != PSY_OK) {
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
            continue;
        }
        const psy_status status = psy_channel_call(channel, &pipeline, request, &reply);
        if (status == PSY_OK) {
            psy_channel_release(channel, &reply);
            answered++;
            since++;
            continue;
        }
        failed++;
        since = 0;
        if (status == PSY_CLOSED || status == PSY_PEER_DIED) {
            psy_channel_close(channel);
            channel = NULL;
        }
    }
    psy_channel_close(channel);
    printf("answered=%" PRIu64 " failed=%" PRIu64 " since=%" PRIu64 "\n", answered, failed, since);
}

static int send(const char *path)
{
    static char bytes[1 << 20];
    const psy_channel_options options = {.connect_timeout_ns = connect_ns};
    psy_channel *channel;
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) {
        fclose(f);
    }
    if (psy_channel_connect(address, &options, &channel) != PSY_OK ||
        psy_channel_send_program(channel, bytes, n, "mine", NULL) != PSY_OK) {
        fail();
    }
    psy_channel_close(channel);
    puts("sent");
    return 0;
}

int main(int argc, char **argv)
{
    psy_module *module;
    psy_channel *channel;
    psy_pipeline pipeline;
    psy_reply reply;
    size_t size;
    if (argc == 3) {
        address = argv[1];
        return send(argv[2]);
    }
    if (argc < 7) {
        fprintf(stderr, "serve_ask: ADDRESS MODULE PIPELINE REQUEST REPLY JSON [SECONDS]\n");
        return 2;
    }
    address = argv[1];
    pipeline_name = argv[3];
    if (psy_module_open(argv[2], &module) != PSY_OK ||
        psy_reflect_find(psy_module_reflection(module), argv[4], &ask) != PSY_OK ||
        psy_reflect_find(psy_module_reflection(module), argv[5], &answer) != PSY_OK ||
        psy_message_parse(&ask, argv[6], strlen(argv[6]), request, sizeof request, &size) != PSY_OK) {
        fail();
    }
    if (argc > 7) {
        ask_for(strtoull(argv[7], NULL, 10) * 1000000000);
    } else {
        if (reach(&channel, &pipeline) != PSY_OK || psy_channel_call(channel, &pipeline, request, &reply) != PSY_OK ||
            psy_message_print_file(&answer, reply.message, reply.bytes, 0, stdout) != PSY_OK) {
            fail();
        }
        putchar('\n');
        psy_channel_release(channel, &reply);
        psy_channel_close(channel);
    }
    psy_module_close(module);
    return 0;
}
