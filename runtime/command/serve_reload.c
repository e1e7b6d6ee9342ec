/* SPDX-License-Identifier: Apache-2.0 */
/* SIGHUP: configuration and files are read anew. If anything is wrong in them, nothing changes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/serve_state.h"

static void say_error(void *context, const char *error)
{
    psy__supervisor *s = context;
    psy__log(&s->log, PSY_LOG_ERROR, "config.error", PSY_TEXT("reason", error));
}

static void keep(psy__supervisor *s, const char *key, const char *name, const char *why)
{
    psy__log(&s->log, PSY_LOG_WARNING, "config.kept", PSY_TEXT("key", key), PSY_TEXT("name", name), PSY_TEXT("reason", why));
}

/* What differs and stays as it is. */
static void say_what_stays(psy__supervisor *s, const psy__serve_options *wanted)
{
    const char *key;
    size_t at = 0;
    for (bool live; (key = psy__serve_options_changed(s->options, wanted, &at, &live)) != NULL;) {
        if (strcmp(key, "shards") == 0) {
            psy__serve_reshard(s, wanted->shards);
        } else if (live) {
            psy__log(&s->log, PSY_LOG_INFO, "config.changed", PSY_TEXT("key", key));
        } else {
            keep(s, key, "", "it cannot change while the service runs: start the service again");
        }
    }
}

/* ---- programs ---- */

static void settle(psy__supervisor *s, uint32_t i) { s->changes[i] = s->changes[--s->change_count]; }

void psy__serve_program_settled(psy__supervisor *s, const psy__serve_message *m)
{
    for (uint32_t i = 0; i < s->change_count; i++) {
        const psy__served_program *p = &s->changes[i].program;
        if (strcmp(p->name, m->name) != 0 || p->version != m->version) {
            continue;
        }
        if (m->word == PSY_WORD_ADDED) {
            psy__served_put(s->served, p, s->changes[i].replace);
            psy__log(&s->log, PSY_LOG_INFO, "config.changed", PSY_TEXT("key", "module"), PSY_TEXT("name", m->name));
        } else {
            psy_module_close(p->module);
            s->refused_programs++;
            psy__log(&s->log, PSY_LOG_ERROR, "config.refused", PSY_TEXT("key", "module"), PSY_TEXT("name", m->name),
                     PSY_TEXT("reason", m->text));
        }
        settle(s, i);
        return;
    }
}

void psy__serve_programs_dropped(psy__supervisor *s)
{
    while (s->change_count > 0) {
        psy__serve_message m = {.word = PSY_WORD_REFUSED, .version = s->changes[0].program.version};
        snprintf(m.name, sizeof m.name, "%s", s->changes[0].program.name);
        snprintf(m.text, sizeof m.text, "the broker died before the program was served");
        psy__serve_program_settled(s, &m);
    }
}

/* Asks the broker for it. The module becomes the supervisor's. */
static void ask_for(psy__supervisor *s, psy__served_program *p, bool replace, const char *file)
{
    psy__serve_message m = {.word = p->module ? PSY_WORD_ADD : PSY_WORD_REMOVE, .version = p->version, .replace = replace};
    snprintf(m.name, sizeof m.name, "%s", p->name);
    if (p->module) {
        m.number = psy_module_hash(p->module);
    }
    if (s->change_count == PSY_SERVE_CHANGES_MAX || strlen(file) >= sizeof m.text) {
        say_error(s, "too many programs change at a time, or a path is too long: reload again");
        return;
    }
    memcpy(m.text, file, strlen(file) + 1);
    s->changes[s->change_count].program = *p;
    s->changes[s->change_count++].replace = replace;
    p->module = NULL;
    if (!s->children[0].pid || !psy__serve_tell(s->children[0].control, &m, -1)) {
        psy__serve_programs_dropped(s);
    }
}

static uint32_t count_named(const psy__served *served, const char *name)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < served->program_count; i++) {
        n += strcmp(served->programs[i].name, name) == 0;
    }
    return n;
}

/* One program of a name is the newest version, whatever was there before; where there are several, all have theirs. */
static void change_programs(psy__supervisor *s, const psy__serve_options *wanted, psy__served *fresh)
{
    for (uint32_t i = 0; i < s->served->program_count; i++) {
        psy__served_program gone = s->served->programs[i];
        if (!psy__served_find(fresh, gone.name, gone.version) && count_named(fresh, gone.name) != 1) {
            gone.module = NULL;
            ask_for(s, &gone, false, "");
        }
    }
    for (uint32_t i = 0; i < fresh->program_count; i++) {
        psy__served_program *p = &fresh->programs[i];
        const psy__served_program *has = psy__served_find(s->served, p->name, p->version);
        if (!has || psy_module_hash(has->module) != psy_module_hash(p->module)) {
            ask_for(s, p, count_named(fresh, p->name) == 1, wanted->modules.at[i].file);
        }
    }
}

/* ---- the rest ---- */

/* The children go on with the descriptor that they have, which becomes another file's. */
static void hand_out_log(psy__supervisor *s, int fd)
{
    const psy__serve_message m = {.word = PSY_WORD_LOG};
    (void)dup3(fd, s->log.fd, O_CLOEXEC);
    for (uint32_t i = 0; i < s->child_count; i++) {
        if (s->children[i].pid) {
            (void)psy__serve_tell(s->children[i].control, &m, fd);
        }
    }
    close(fd);
}

/* The broker takes them between two rounds, and drops who may not stay. */
static void hand_out_rules(psy__supervisor *s, const psy_rule *rules)
{
    const uint32_t count = s->options->allow.count;
    const size_t bytes = count * sizeof *rules;
    const psy__serve_message m = {.word = PSY_WORD_RULES, .number = count};
    const int fd = memfd_create("psyne-rules", MFD_CLOEXEC);
    const bool sent = fd >= 0 && write(fd, rules, bytes) == (ssize_t)bytes && s->children[0].pid &&
                      psy__serve_tell(s->children[0].control, &m, fd);
    if (!sent && s->children[0].pid) {
        say_error(s, "the rules could not be given to the broker: they hold from its next start on");
    }
    if (fd >= 0) {
        close(fd);
    }
}

static void take_over(psy__supervisor *s, psy__serve_options *wanted)
{
    const psy__named_list modules = s->options->modules;
    s->options->modules = wanted->modules;
    wanted->modules = modules;
    const psy__named_list allow = s->options->allow;
    s->options->allow = wanted->allow;
    wanted->allow = allow;
    char *log = s->options->log;
    s->options->log = wanted->log;
    wanted->log = log;
    s->options->log_level = wanted->log_level;
    s->options->log_format = wanted->log_format;
    s->options->drain_ms = wanted->drain_ms;
    s->options->restarts = wanted->restarts;
    s->options->snapshot_every = wanted->snapshot_every;
    psy__serve_plan_snapshot(s);
}

void psy__serve_reload(psy__supervisor *s)
{
    psy__serve_options wanted;
    psy__served fresh = {0};
    psy_rule *rules = NULL;
    int log = -1;
    s->reloads++;
    psy__notify_say(&s->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, psy__now_ns() / 1000);
    psy__serve_options_init(&wanted);
    bool right =
        psy__serve_options_read(&wanted, s->argc, s->argv, say_error, s) && psy__served_open(&wanted, say_error, s, &fresh);
    if (right && psy__serve_options_rules(&wanted, &rules) != PSY_OK) {
        say_error(s, psy_detail());
        right = false;
    }
    if (right && psy__log_open(wanted.log, &log) != PSY_OK) {
        say_error(s, psy_detail());
        right = false;
    }
    if (right) {
        hand_out_log(s, log);
        atomic_store(&s->shared->log.level, wanted.log_level);
        atomic_store(&s->shared->log.json, wanted.log_format);
        say_what_stays(s, &wanted);
        psy__serve_change_data(s, &fresh);
        change_programs(s, &wanted, &fresh);
        take_over(s, &wanted);
        hand_out_rules(s, rules);
        psy__log(&s->log, PSY_LOG_INFO, "serve.reloaded", PSY_TEXT("log", s->options->log));
    } else {
        psy__log(&s->log, PSY_LOG_ERROR, "config.refused", PSY_TEXT("reason", "nothing was changed: see the errors above"));
    }
    free(rules);
    psy__served_close(&fresh);
    psy__serve_options_fini(&wanted);
    psy__notify_say(&s->notify, "READY=1");
}
