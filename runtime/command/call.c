/* SPDX-License-Identifier: Apache-2.0 */
/* psyne call: messages to a service, and its replies. */
#include <string.h>

#include "command/command.h"
#include "command/exchange.h"

enum { DEADLINE_MAX = 65535, CONNECT_MAX = 3600000, IN_FLIGHT_MAX = 65536, REPEAT_MAX = 1000000000 };
enum { DEADLINE_DEFAULT = 10000, CONNECT_DEFAULT = 5000, IN_FLIGHT_DEFAULT = 64 };

typedef struct calling {
    const char *uri, *pipeline, *module_path;
    psy_module *module;
    psy_type request, reply;
    uint32_t deadline_ms, connect_ms, in_flight, repeat;
    bool trace;
    psy__source source;
    psy__sink sink;
} calling;

/* False: help was asked for. */
static bool read_line(calling *c, int argc, char **argv, int *files)
{
    psy__line line = {.command = PSY_COMMAND_CALL, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    for (psy__option option; (option = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (option) {
        case PSY_OPTION_CALL_MODULE: c->module_path = value; break;
        case PSY_OPTION_CALL_INPUT: psy__source_add_field(&c->source, value); break;
        case PSY_OPTION_CALL_OUTPUT: psy__sink_add_output(&c->sink, value); break;
        case PSY_OPTION_CALL_DEADLINE: c->deadline_ms = psy__count_of("--deadline-ms", value, DEADLINE_MAX); break;
        case PSY_OPTION_CALL_CONNECT: c->connect_ms = psy__count_of("--connect-ms", value, CONNECT_MAX); break;
        case PSY_OPTION_CALL_IN_FLIGHT: c->in_flight = psy__count_of("--in-flight", value, IN_FLIGHT_MAX); break;
        case PSY_OPTION_CALL_REPEAT: c->repeat = psy__number_of("--repeat", value, REPEAT_MAX); break;
        case PSY_OPTION_CALL_TRACE: c->trace = true; break;
        case PSY_OPTION_CALL_JSON: c->sink.json = true; break;
        case PSY_OPTION_CALL_HELP: psy__help_write(PSY_COMMAND_CALL, stdout); return false;
        default: argv[(*files)++] = argv[line.at - 1]; break;
        }
    }
    if (*files < 2) {
        psy__misuse("`psyne call ipc:///run/nearest.sock nearest queries.json`", "%s is missing",
                    *files == 0 ? "the service's address" : "the pipeline");
    }
    c->uri = argv[0];
    c->pipeline = argv[1];
    return true;
}

/* The channel speaks of the address in some of what it says. */
static void say(calling *c, psy_status status)
{
    psy__sink_say(&c->sink, strstr(psy_detail(), c->uri) ? NULL : c->uri, status);
}

static void call_all(calling *c)
{
    const psy_channel_options options = {
        .in_flight = c->in_flight, .call_timeout_ms = c->deadline_ms, .connect_timeout_ns = c->connect_ms * UINT64_C(1000000)};
    psy__exchange x = {.in_flight = c->in_flight, .repeat = c->repeat, .trace = c->trace, .peer = c->uri};
    psy_status status = psy_channel_connect(c->uri, &options, &x.channel);
    status = status == PSY_OK ? psy_channel_open(x.channel, c->pipeline, &c->request, &c->reply, &x.pipeline) : status;
    if (status == PSY_OK) {
        psy__exchange_run(&x, &c->source, &c->sink);
    } else {
        say(c, status);
    }
    psy_channel_close(x.channel);
}

int psy__call(int argc, char **argv)
{
    calling c = {.deadline_ms = DEADLINE_DEFAULT, .connect_ms = CONNECT_DEFAULT, .in_flight = IN_FLIGHT_DEFAULT};
    int files = 0;
    if (!read_line(&c, argc, argv, &files)) {
        return 0;
    }
    psy_status status = psy__pipeline_module(c.module_path, c.uri, c.pipeline, c.connect_ms, &c.module);
    if (status != PSY_OK && c.module_path) {
        psy__sink_say(&c.sink, NULL, status);
    } else if (status != PSY_OK) {
        say(&c, status);
    } else if ((status = psy__pipeline_types(c.module, c.pipeline, &c.request, &c.reply)) != PSY_OK) {
        psy__sink_say(&c.sink, c.module_path, status);
    } else {
        status = psy__source_read(&c.source, &c.request, argv + 2, files - 2);
        status = status == PSY_OK ? psy__sink_open(&c.sink, &c.reply) : status;
        if (status != PSY_OK) {
            psy__sink_say(&c.sink, NULL, status);
        }
    }
    if (status == PSY_OK) {
        call_all(&c);
    }
    const int code = psy__sink_close(&c.sink);
    psy__source_end(&c.source);
    psy_module_close(c.module);
    return code;
}
