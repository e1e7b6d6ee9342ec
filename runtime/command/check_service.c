/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne check says of engines, of counters, and of a service. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <psyne/channel.h>
#include <psyne/counters.h>
#include <psyne/reflect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/check.h"
#include "command/command.h"
#include "engine/engine.h"

/* ---- engines ---- */

static bool find_engine(psy__findings *f, const char *name, const char *device)
{
    const psy__engine_options options = {.device = device};
    psy__engine *engine;
    const psy_status status = psy__engine_open(name, &options, &engine);
    if (status == PSY_OK) {
        psy__find_text(f, "engines", name, "%s%s%s", device ? device : "", device ? ": " : "",
                       engine->interface->describe(engine));
        psy__engine_close(engine);
    } else if (!device || strcmp(device, "0") == 0) {
        psy__find_text(f, "engines", name, "no: %s", psy_detail());
    }
    return status == PSY_OK;
}

void psy__find_engines(psy__findings *f, bool quick)
{
    enum { DEVICES = 16 };
    if (!find_engine(f, "cpu", NULL)) {
        psy__advise(f, true, "the cpu engine cannot be opened: %s", psy_detail());
    }
    for (unsigned i = 0; i < DEVICES && !quick; i++) {
        char number[8];
        snprintf(number, sizeof number, "%u", i);
        if (!find_engine(f, "vulkan", number)) {
            break;
        }
    }
}

/* ---- counters ---- */

void psy__find_counters(psy__findings *f)
{
    char folder[4096];
    psy_counters_snapshot *s;
    const psy_counters_file *file;
    uint32_t living = 0, dead = 0, bad = 0;
    psy_status status = psy_counters_directory(folder, sizeof folder);
    if (status != PSY_OK) {
        psy__find_text(f, "counters", "folder", "%s", psy_detail());
        return;
    }
    psy__find_text(f, "counters", "folder", "%s", folder);
    status = access(folder, F_OK) == 0 ? psy_counters_read(NULL, &s) : PSY_NOT_FOUND;
    if (status == PSY_NOT_FOUND) {
        psy__find_text(f, "counters", "files", "none yet");
        return;
    }
    if (status != PSY_OK) {
        psy__find_text(f, "counters", "files", "%s", psy_detail());
        psy__advise(f, false, "files of counters cannot be read: %s", psy_detail());
        return;
    }
    for (uint32_t i = 0; (file = psy_counters_file_at(s, i)) != NULL; i++) {
        living += file->status == PSY_OK && file->alive;
        dead += file->status == PSY_OK && !file->alive;
        bad += file->status != PSY_OK;
    }
    psy_counters_release(s);
    psy__find_number(f, "counters", "living processes", living, "files");
    psy__find_number(f, "counters", "dead processes", dead, "files");
    if (dead) {
        psy__advise(f, false, "dead processes left files of counters behind: `psyne counters --clean` takes them away");
    }
    if (bad) {
        psy__advise(f, false,
                    "%" PRIu32 " files of the folder are no files of counters, or are broken: `psyne counters` names them",
                    bad);
    }
}

/* ---- a service ---- */

/* A path is an address. */
static char *address_of(const char *text)
{
    char here[4096] = "", *to = NULL;
    const bool is_path = strstr(text, "://") == NULL;
    if (is_path && text[0] != '/' && !getcwd(here, sizeof here)) {
        here[0] = '\0';
    }
    if (asprintf(&to, "%s%s%s%s", is_path ? "ipc://" : "", here, here[0] ? "/" : "", text) < 0) {
        psy__no_memory();
    }
    return to;
}

/* With what they take and give; old versions too, which are there as long as somebody may open them. */
static void find_pipelines(psy__findings *f, psy_channel *channel)
{
    enum { ROWS = 16, MOST = 4096 };
    psy_listing rows[ROWS];
    psy_list_place place = {0};
    uint32_t count = 0, all = 0;
    psy_status status = PSY_OK;
    while (all < MOST && (status = psy_channel_list(channel, &place, rows, ROWS, &count)) == PSY_OK) {
        for (uint32_t i = 0; i < count; i++) {
            const psy_listing *r = &rows[i];
            psy__find_text(f, "service", "pipeline", "%s@%" PRIu32 "/%s: %s -> %s%s", r->program, r->version, r->pipeline,
                           r->request_name, r->reply_name, r->newest ? "" : " (there is a newer version)");
        }
        all += count;
    }
    if (status != PSY_OK && status != PSY_EMPTY) {
        psy__find_text(f, "service", "pipelines", "not told: %s", psy_detail());
        psy__advise(f, true, "the service is there, and does not answer as one of this version does: %s", psy_detail());
    } else {
        psy__find_number(f, "service", "pipelines", all, "");
    }
}

void psy__find_service(psy__findings *f, const char *text, uint32_t timeout_ms)
{
    char *address = address_of(text);
    const psy_channel_options options = {.in_flight = 1,
                                         .connect_timeout_ns = (uint64_t)(timeout_ms ? timeout_ms : 1) * 1000000};
    psy_channel *channel;
    const uint64_t start_ns = psy__now_ns();
    psy__find_text(f, "service", "address", "%s", address);
    const psy_status status = psy_channel_connect(address, &options, &channel);
    if (status == PSY_OK) {
        psy__find_text(f, "service", "answers", "yes");
        psy__find_number(f, "service", "connected after", (psy__now_ns() - start_ns) / 1000, "us");
        find_pipelines(f, channel);
        psy_channel_close(channel);
    } else {
        psy__find_text(f, "service", "answers", "no");
        psy__advise(f, true, "%s", psy_detail());
    }
    free(address);
}
