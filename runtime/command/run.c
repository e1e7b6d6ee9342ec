/* SPDX-License-Identifier: Apache-2.0 */
/* psyne run: a pipeline of a module on messages in files, by a service inside this process. */
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/exchange.h"
#include "command/local_service.h"
#include "command/trace.h"

enum { SHARDS_MAX = 64, BATCH_MAX = 4096, REPEAT_MAX = 1000000000, BATCH_DEFAULT = 64, VALUES_DEFAULT = 6 };

typedef struct running {
    const char *module_path;
    psy_module *module;
    psy__local_options options;
    psy__local_data *data; /* also keys of which the data was not named yet: file is NULL */
    uint32_t data_count, repeat;
    bool looks;
    psy__trace trace;
    psy__source source;
    psy__sink sink;
} running;

/* --data and --keys of one resident, in either order. */
static void add_data(running *r, const char *option, const char *value, bool keys)
{
    const char *file;
    char *name = psy__assignment(option, value, &file);
    psy__local_data *d = NULL;
    for (uint32_t i = 0; i < r->data_count; i++) {
        d = strcmp(r->data[i].name, name) == 0 ? &r->data[i] : d;
    }
    if (d) {
        free(name);
        if (keys ? d->keys : d->file) {
            psy__misuse(NULL, "%s is given twice for %s", option, d->name);
        }
    } else {
        r->data = realloc(r->data, (r->data_count + 1) * sizeof *r->data);
        if (!r->data) {
            psy__no_memory();
        }
        d = &r->data[r->data_count++];
        *d = (psy__local_data){.name = name};
    }
    *(keys ? &d->keys : &d->file) = file;
}

/* Where the module comes from, in *files words behind it the inputs. False: help was asked for. */
static bool read_line(running *r, int argc, char **argv, int *files)
{
    psy__line line = {.command = PSY_COMMAND_RUN, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    psy__local_options *o = &r->options;
    for (psy__option option; (option = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (option) {
        case PSY_OPTION_RUN_PIPELINE: o->pipeline = value; break;
        case PSY_OPTION_RUN_DATA: add_data(r, "--data", value, false); break;
        case PSY_OPTION_RUN_KEYS: add_data(r, "--keys", value, true); break;
        case PSY_OPTION_RUN_INPUT: psy__source_add_field(&r->source, value); break;
        case PSY_OPTION_RUN_OUTPUT: psy__sink_add_output(&r->sink, value); break;
        case PSY_OPTION_RUN_SHARDS: o->shards = psy__count_of("--shards", value, SHARDS_MAX); break;
        case PSY_OPTION_RUN_ENGINE: o->engine = value; break;
        case PSY_OPTION_RUN_DEVICE: o->device = value; break;
        case PSY_OPTION_RUN_BATCH: o->max_batch = psy__count_of("--batch", value, BATCH_MAX); break;
        case PSY_OPTION_RUN_REPEAT: r->repeat = psy__number_of("--repeat", value, REPEAT_MAX); break;
        case PSY_OPTION_RUN_TRACE: r->looks = true; break;
        case PSY_OPTION_RUN_VALUES: r->trace.values = psy__number_of("--values", value, PSY_TRACE_VALUES_MAX); break;
        case PSY_OPTION_RUN_SOURCES: r->trace.sources = value; break;
        case PSY_OPTION_RUN_JSON: r->sink.json = true; break;
        case PSY_OPTION_RUN_HELP: psy__help_write(PSY_COMMAND_RUN, stdout); return false;
        default: argv[(*files)++] = argv[line.at - 1]; break;
        }
    }
    if (*files == 0) {
        psy__misuse("`psynec nearest.hrm` writes one, nearest.psm", "the module is missing");
    }
    for (uint32_t i = 0; i < r->data_count; i++) {
        if (!r->data[i].file) {
            psy__misuse(NULL, "--keys names %s, and --data does not", r->data[i].name);
        }
    }
    if (r->looks && (r->repeat > 0 || (o->engine && strcmp(o->engine, "cpu") != 0))) {
        psy__misuse(NULL, r->repeat > 0 ? "--trace and --repeat do not go together: who looks, takes longer"
                                        : "--trace shows what the cpu engine computes");
    }
    r->module_path = argv[0];
    return true;
}

/* The only pipeline, where none was named; else the program ends, and says which there are. */
static void choose_pipeline(running *r)
{
    char help[400] = "--pipeline names one: ";
    const char *name;
    uint32_t count = 0;
    while ((name = psy_module_pipeline(r->module, count)) != NULL) {
        const size_t n = strlen(help);
        snprintf(help + n, sizeof help - n, "%s%s", count++ ? ", " : "", name);
    }
    if (r->options.pipeline) {
        return;
    }
    if (count != 1) {
        psy__misuse(count ? help : NULL, "%s has %s", r->module_path, count ? "several pipelines" : "no pipeline");
    }
    r->options.pipeline = psy_module_pipeline(r->module, 0);
}

static void run_all(running *r)
{
    psy__local_options *o = &r->options;
    psy__local_service service;
    o->max_batch = r->looks ? 1 : o->max_batch;
    o->in_flight = o->max_batch;
    o->module = r->module;
    o->data = r->data;
    o->data_count = r->data_count;
    if (r->looks) {
        r->trace.module_path = r->module_path;
        r->trace.json = r->sink.json;
        psy__trace_init(&r->trace, r->module, o->shards);
        o->engine = "cpu";
        o->tracers = r->trace.tracers;
    }
    psy_status status = psy__local_service_open(&service, o);
    if (status == PSY_OK) {
        psy__exchange x = {.channel = service.channel,
                           .pipeline = service.pipeline,
                           .in_flight = o->in_flight,
                           .repeat = r->repeat,
                           .work = psy__local_service_work,
                           .context = &service};
        r->trace.number = &x.number;
        psy__exchange_run(&x, &r->source, &r->sink);
        psy__local_service_close(&service);
    } else {
        psy__sink_say(&r->sink, r->module_path, status);
    }
    psy__trace_end(&r->trace);
}

int psy__run(int argc, char **argv)
{
    running r = {.options = {.shards = 1, .max_batch = BATCH_DEFAULT}, .trace = {.values = VALUES_DEFAULT}};
    int files = 0;
    if (!read_line(&r, argc, argv, &files)) {
        return 0;
    }
    psy_status status = psy_module_open(r.module_path, &r.module);
    if (status != PSY_OK) {
        psy__sink_say(&r.sink, NULL, status);
    } else {
        choose_pipeline(&r);
        status = psy__pipeline_types(r.module, r.options.pipeline, &r.options.request, &r.options.reply);
        if (status != PSY_OK) {
            psy__sink_say(&r.sink, r.module_path, status);
        }
    }
    if (status == PSY_OK) {
        status = psy__source_read(&r.source, &r.options.request, argv + 1, files - 1);
        status = status == PSY_OK ? psy__sink_open(&r.sink, &r.options.reply) : status;
        if (status != PSY_OK) {
            psy__sink_say(&r.sink, NULL, status);
        }
    }
    if (status == PSY_OK) {
        run_all(&r);
    }
    const int code = psy__sink_close(&r.sink);
    psy__source_end(&r.source);
    psy_module_close(r.module);
    for (uint32_t i = 0; i < r.data_count; i++) {
        free(r.data[i].name);
    }
    free(r.data);
    return code;
}
