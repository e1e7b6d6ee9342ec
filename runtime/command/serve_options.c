/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_options.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/config.h"
#include "command/serve_rules.h"
#include "isa/module.h"
#include "service/protocol.h"

/* ---- the table ---- */

typedef enum kind { NUMBER, CHOICE, FLAG, MODE, TEXT, PATH, ADDRESS, PROGRAMS, FILES, RULES } kind;

typedef struct setting {
    psy__option option;
    kind kind;
    bool live; /* can change while a service runs */
    size_t at; /* of the value in psy__serve_options */
    uint32_t least, most, usual;
    const char *const *choices;
} setting;

static const char *const agents[] = {"processes", "threads", "one", NULL};
static const char *const formats[] = {"text", "json", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};

#define AT(member) offsetof(psy__serve_options, member)
static const setting settings[] = {
    {PSY_OPTION_SERVE_MODULE, PROGRAMS, true, AT(modules), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_SOCKET, ADDRESS, false, AT(socket), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_SHARDS, NUMBER, true, AT(shards), 1, PSY_SHARDS_MAX, 1, NULL},
    {PSY_OPTION_SERVE_SHARDS_MAX, NUMBER, false, AT(shards_max), 0, PSY_SHARDS_MAX, 0, NULL},
    {PSY_OPTION_SERVE_DATA, FILES, false, AT(data), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_KEYS, FILES, false, AT(keys), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_SNAPSHOT, PATH, false, AT(snapshot), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_SNAPSHOT_EVERY, NUMBER, true, AT(snapshot_every), 0, 31536000, 0, NULL},
    {PSY_OPTION_SERVE_ENGINE, TEXT, false, AT(engine), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_DEVICE, TEXT, false, AT(device), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_AGENTS, CHOICE, false, AT(agents), 0, 0, PSY_AGENTS_PROCESSES, agents},
    {PSY_OPTION_SERVE_MAX_BATCH, NUMBER, false, AT(max_batch), 1, PSY_BATCH_MAX, 64, NULL},
    {PSY_OPTION_SERVE_MAX_WAIT, NUMBER, false, AT(max_wait_us), 0, 1000000, 0, NULL},
    {PSY_OPTION_SERVE_IN_FLIGHT, NUMBER, false, AT(in_flight), 1, 1 << 20, 4096, NULL},
    {PSY_OPTION_SERVE_CLIENTS, NUMBER, false, AT(clients), 1, 4096, 64, NULL},
    {PSY_OPTION_SERVE_MAX_REQUEST, NUMBER, false, AT(max_request_bytes), 0, 1 << 30, 0, NULL},
    {PSY_OPTION_SERVE_MAX_REPLY, NUMBER, false, AT(max_reply_bytes), 0, 1 << 30, 0, NULL},
    {PSY_OPTION_SERVE_MAX_PARTIAL, NUMBER, false, AT(max_partial_bytes), 0, 1 << 30, 0, NULL},
    {PSY_OPTION_SERVE_REFERENCE, NUMBER, false, AT(reference_bytes), 0, UINT32_MAX, 0, NULL},
    {PSY_OPTION_SERVE_CLIENT_PROGRAMS, NUMBER, false, AT(client_programs), 0, 1024, 0, NULL},
    {PSY_OPTION_SERVE_CLIENT_PROGRAM_BYTES, NUMBER, false, AT(client_program_bytes), 1, 256 << 20, 1 << 20, NULL},
    {PSY_OPTION_SERVE_CLIENT_ARENA, NUMBER, false, AT(client_arena_bytes), 1, 1 << 30, 64 << 20, NULL},
    {PSY_OPTION_SERVE_CLIENT_WORK, NUMBER, false, AT(client_work), 1, UINT32_MAX, 1 << 28, NULL},
    {PSY_OPTION_SERVE_ALLOW, RULES, true, AT(allow), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_SOCKET_MODE, MODE, false, AT(socket_mode), 0, 0777, 0, NULL},
    {PSY_OPTION_SERVE_SOCKET_GROUP, TEXT, false, AT(socket_group), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_COUNTERS, FLAG, false, AT(counters), 0, 1, 1, NULL},
    {PSY_OPTION_SERVE_NO_COUNTERS, FLAG, false, AT(counters), 0, 1, 0, NULL},
    {PSY_OPTION_SERVE_LISTEN, TEXT, false, AT(listen), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_LOG, PATH, true, AT(log), 0, 0, 0, NULL},
    {PSY_OPTION_SERVE_LOG_FORMAT, CHOICE, true, AT(log_format), 0, 0, 0, formats},
    {PSY_OPTION_SERVE_LOG_LEVEL, CHOICE, true, AT(log_level), 0, 0, 1, levels},
    {PSY_OPTION_SERVE_DRAIN_MS, NUMBER, true, AT(drain_ms), 0, 3600000, 10000, NULL},
    {PSY_OPTION_SERVE_RESTARTS, NUMBER, true, AT(restarts), 0, 1000000, 8, NULL},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

static const setting *setting_of(psy__option option)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].option == option) {
            return &settings[i];
        }
    }
    return NULL;
}

static const char *key_of(const setting *s) { return psy__option_rows[s->option].spelling + 2; }
static void *place_of(const psy__serve_options *o, const setting *s) { return (char *)(uintptr_t)o + s->at; }
static uint32_t number_at(const psy__serve_options *o, const setting *s) { return *(const uint32_t *)place_of(o, s); }
static const char *text_at(const psy__serve_options *o, const setting *s) { return *(char *const *)place_of(o, s); }

bool psy__serve_options_knows(psy__option option) { return setting_of(option) != NULL; }

/* ---- values ---- */

static char *copy(const char *text)
{
    char *to = strdup(text);
    if (!to) {
        psy__no_memory();
    }
    return to;
}

static void set_text(char **to, char *text)
{
    free(*to);
    *to = text;
}

/* The path, from the folder that it is relative to. */
static char *path_from(const psy__serve_options *o, const char *path)
{
    char *to = NULL;
    if (path[0] == '/' || strcmp(path, "-") == 0 || !o->folder) {
        return copy(path);
    }
    if (asprintf(&to, "%s/%s", o->folder, path) < 0) {
        psy__no_memory();
    }
    return to;
}

static psy_status set_number(const setting *s, const char *value, uint32_t *to)
{
    char *end;
    const unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < s->least || n > s->most) {
        return psy_fail(PSY_INVALID, "%s takes a whole number from %u to %u, and not `%.60s`", key_of(s), s->least, s->most,
                        value);
    }
    *to = (uint32_t)n;
    return PSY_OK;
}

static psy_status set_mode(const setting *s, const char *value, uint32_t *to)
{
    char *end;
    const unsigned long n = strtoul(value, &end, 8);
    if (*value < '0' || *value > '7' || *end || n == 0 || n > s->most) {
        return psy_fail(PSY_INVALID, "%s takes permissions, octal, up to 777, and not `%.60s`", key_of(s), value);
    }
    *to = (uint32_t)n;
    return PSY_OK;
}

static psy_status set_choice(const setting *s, const char *value, uint32_t *to)
{
    char all[100] = "";
    for (uint32_t i = 0; s->choices[i]; i++) {
        if (strcmp(s->choices[i], value) == 0) {
            *to = i;
            return PSY_OK;
        }
        const size_t n = strlen(all);
        snprintf(all + n, sizeof all - n, "%s%s", !i ? "" : s->choices[i + 1] ? ", " : " or ", s->choices[i]);
    }
    return psy_fail(PSY_INVALID, "%s is %s, and not `%.60s`", key_of(s), all, value);
}

/* Addresses are absolute, and plain paths are addresses. */
static psy_status set_address(psy__serve_options *o, const char *value)
{
    static const char scheme[] = "ipc://";
    char *path, *uri = NULL, here[4096] = "";
    const char *colon = strstr(value, "://");
    if (colon && strncmp(value, scheme, sizeof scheme - 1) != 0) {
        return psy_fail(PSY_INVALID, "socket takes a path, or ipc:///path, and not `%.100s`", value);
    }
    path = colon ? copy(colon + 3) : path_from(o, value);
    if (path[0] != '/' && !getcwd(here, sizeof here)) {
        free(path);
        return psy_fail(PSY_INVALID, "socket `%.100s`: the current folder has no name", value);
    }
    const int n = asprintf(&uri, "%s%s%s%s", scheme, here, here[0] ? "/" : "", path);
    free(path);
    if (n < 0) {
        psy__no_memory();
    }
    set_text(&o->socket, uri);
    return PSY_OK;
}

/* ---- lists ---- */

uint32_t psy__program_version(const char *text, size_t *name_bytes)
{
    const char *at = strchr(text, '@');
    char *end;
    *name_bytes = at ? (size_t)(at - text) : strlen(text);
    const unsigned long version = at ? strtoul(at + 1, &end, 10) : 0;
    return at && *end == '\0' && version <= UINT32_MAX ? (uint32_t)version : 0;
}

/* With a version, or without. */
static bool is_program_name(const char *text, size_t n)
{
    char name[80];
    size_t name_bytes;
    if (n == 0 || n >= sizeof name) {
        return false;
    }
    memcpy(name, text, n);
    name[n] = '\0';
    const uint32_t version = psy__program_version(name, &name_bytes);
    return name_bytes >= 1 && name_bytes <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == name_bytes &&
           (n == name_bytes || version > 0);
}

static psy__named *new_named(psy__named_list *list)
{
    psy__named *at = realloc(list->at, (list->count + 1) * sizeof *at);
    if (!at) {
        psy__no_memory();
    }
    list->at = at;
    at[list->count] = (psy__named){0};
    return &at[list->count++];
}

static void clear(psy__named_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->at[i].name);
        free(list->at[i].file);
    }
    free(list->at);
}

/* The command line's takes the place of the file's. */
static psy_status add_named(psy__serve_options *o, const setting *s, psy__named_list *list, const char *name, size_t n,
                            const char *file)
{
    psy__named *to = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        psy__named *one = &list->at[i];
        if (strlen(one->name) == n && memcmp(one->name, name, n) == 0) {
            if (one->from_line == o->from_line) {
                return psy_fail(PSY_INVALID, "%s: `%.*s` is there twice", key_of(s), (int)(n < 100 ? n : 100), name);
            }
            to = one;
        }
    }
    if (!to) {
        if (list->count >= 4096) {
            return psy_fail(PSY_LIMIT, "%s: more than 4096", key_of(s));
        }
        to = new_named(list);
        to->name = strndup(name, n);
        if (!to->name) {
            psy__no_memory();
        }
    }
    set_text(&to->file, path_from(o, file));
    to->from_line = o->from_line;
    return PSY_OK;
}

static psy_status add_file(psy__serve_options *o, const setting *s, psy__named_list *list, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || equals[1] == '\0') {
        return psy_fail(PSY_INVALID, "%s takes NAME=FILE, and not `%.100s`", key_of(s), value);
    }
    return add_named(o, s, list, value, (size_t)(equals - value), equals + 1);
}

/* A program is called as its file is, where nothing else is said. */
static psy_status add_program(psy__serve_options *o, const setting *s, psy__named_list *list, const char *value)
{
    const char *equals = strchr(value, '='), *slash = strchr(value, '/');
    if (equals && equals != value && (!slash || equals < slash)) {
        if (!is_program_name(value, (size_t)(equals - value)) || equals[1] == '\0') {
            return psy_fail(PSY_INVALID, "%s takes NAME=FILE, the name being 1 to 63 of a-z, 0-9, _ and -; not `%.100s`",
                            key_of(s), value);
        }
        return add_named(o, s, list, value, (size_t)(equals - value), equals + 1);
    }
    slash = strrchr(value, '/');
    const char *name = slash ? slash + 1 : value;
    size_t n = strlen(name);
    n -= n > 4 && strcmp(name + n - 4, ".psm") == 0 ? 4 : 0;
    if (!is_program_name(name, n)) {
        return psy_fail(PSY_INVALID, "%s: `%.100s` gives the program no name of a-z, 0-9, _ and -; say NAME=FILE", key_of(s),
                        value);
    }
    return add_named(o, s, list, name, n, value);
}

/* Rules of the command line take the place of all of the file's: their order counts. */
static psy_status add_rule(psy__serve_options *o, const setting *s, psy__named_list *list, const char *value)
{
    psy_rule rule;
    const psy_status status = psy__rule_parse(value, &rule);
    if (status != PSY_OK) {
        return psy_fail(status, "%s `%.100s`: %s", key_of(s), value, psy_detail());
    }
    if (list->count > 0 && list->at[0].from_line != o->from_line) {
        clear(list);
        *list = (psy__named_list){0};
    }
    if (list->count >= PSY_RULES_MAX) {
        return psy_fail(PSY_LIMIT, "%s: more than %d rules", key_of(s), PSY_RULES_MAX);
    }
    *new_named(list) = (psy__named){.name = copy(value), .file = copy(""), .from_line = o->from_line};
    return PSY_OK;
}

psy_status psy__serve_options_rules(const psy__serve_options *o, psy_rule **out)
{
    psy_status status = PSY_OK;
    *out = calloc(o->allow.count + 1, sizeof **out);
    if (!*out) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %u rules", o->allow.count);
    }
    for (uint32_t i = 0; status == PSY_OK && i < o->allow.count; i++) {
        status = psy__rule_parse(o->allow.at[i].name, &(*out)[i]);
    }
    if (status != PSY_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

psy_status psy__serve_options_set(psy__serve_options *o, psy__option option, const char *value)
{
    const setting *s = setting_of(option);
    if (!s) {
        return psy_fail(PSY_INVALID, "%s is of the command line only", psy__option_rows[option].spelling);
    }
    void *to = place_of(o, s);
    switch (s->kind) {
    case NUMBER: return set_number(s, value, to);
    case MODE: return set_mode(s, value, to);
    case CHOICE: return set_choice(s, value, to);
    case FLAG: *(uint32_t *)to = s->usual; return PSY_OK;
    case TEXT: set_text(to, copy(value)); return PSY_OK;
    case PATH: set_text(to, path_from(o, value)); return PSY_OK;
    case ADDRESS: return set_address(o, value);
    case PROGRAMS: return add_program(o, s, to, value);
    case FILES: return add_file(o, s, to, value);
    case RULES: return add_rule(o, s, to, value);
    }
    return PSY_OK;
}

/* ---- life ---- */

void psy__serve_options_init(psy__serve_options *o)
{
    *o = (psy__serve_options){.from_line = true};
    for (size_t i = SETTINGS; i-- > 0;) { /* the first of two that share a place counts */
        if (settings[i].kind == NUMBER || settings[i].kind == CHOICE || settings[i].kind == FLAG) {
            *(uint32_t *)place_of(o, &settings[i]) = settings[i].usual;
        }
    }
    o->log = copy("-");
}

void psy__serve_options_fini(psy__serve_options *o)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        switch (settings[i].kind) {
        case TEXT:
        case PATH:
        case ADDRESS: free(*(char **)place_of(o, &settings[i])); break;
        case PROGRAMS:
        case FILES:
        case RULES: clear(place_of(o, &settings[i])); break;
        default: break;
        }
    }
    free(o->config);
    *o = (psy__serve_options){0};
}

/* ---- both sources ---- */

typedef struct reading {
    psy__serve_options *o;
    void (*say)(void *context, const char *error);
    void *context;
} reading;

static psy_status set_from_file(void *context, psy__option option, const char *value)
{
    return psy__serve_options_set(((const reading *)context)->o, option, value);
}

static void say_of_file(void *context, const char *error)
{
    const reading *r = context;
    r->say(r->context, error);
}

static bool read_file(reading *r, const char *path)
{
    char *folder = copy(path), *slash = strrchr(folder, '/');
    if (slash) {
        slash[slash == folder] = '\0';
        r->o->folder = folder;
    }
    const psy__config_reader reader = {PSY_COMMAND_SERVE, psy__serve_options_knows, set_from_file, say_of_file, r};
    r->o->from_line = false;
    const bool read = psy__config_read(path, &reader);
    r->o->from_line = true;
    r->o->folder = NULL;
    free(folder);
    return read;
}

/* The options that are not settings. */
static void set_other(psy__serve_options *o, psy__option option, const char *value)
{
    switch (option) {
    case PSY_OPTION_SERVE_CONFIG: set_text(&o->config, copy(value)); break;
    case PSY_OPTION_SERVE_READY_FD: o->ready_fd = psy__number_of("--ready-fd", value, 1 << 20); break;
    case PSY_OPTION_SERVE_CHECK: o->check = true; break;
    case PSY_OPTION_SERVE_PRINT_CONFIG: o->print = true; break;
    case PSY_OPTION_SERVE_JSON: o->json = true; break;
    default: psy__help_write(PSY_COMMAND_SERVE, stdout); exit(0);
    }
}

static void read_line(psy__serve_options *o, int argc, char **argv, bool settings_too)
{
    psy__line line = {.command = PSY_COMMAND_SERVE, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    for (psy__option option; (option = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        option = option == PSY_OPTION_WORD ? PSY_OPTION_SERVE_MODULE : option;
        if (setting_of(option) == NULL) {
            if (!settings_too) {
                set_other(o, option, value);
            }
        } else if (settings_too && psy__serve_options_set(o, option, value) != PSY_OK) {
            psy__misuse(NULL, "--%s", psy_detail());
        }
    }
}

bool psy__serve_options_read(psy__serve_options *o, int argc, char **argv, void (*say)(void *context, const char *error),
                             void *context)
{
    reading r = {o, say, context};
    bool right = true;
    read_line(o, argc, argv, false); /* which file it is must be known first */
    if (o->config) {
        right = read_file(&r, o->config);
    }
    read_line(o, argc, argv, true);
    if (o->shards_max && o->shards_max < o->shards) {
        char text[128];
        snprintf(text, sizeof text, "shards-max = %" PRIu32 " has no room for shards = %" PRIu32, o->shards_max, o->shards);
        say(context, text);
        right = false;
    }
    return right;
}

/* ---- what is said of them ---- */

static void print_list(const setting *s, const psy__named_list *list, FILE *to)
{
    for (uint32_t i = 0; i < list->count; i++) {
        char *value = NULL;
        if (asprintf(&value, s->kind == RULES ? "%s%s" : "%s=%s", list->at[i].name, list->at[i].file) < 0) {
            psy__no_memory();
        }
        psy__config_put(to, key_of(s), value);
        free(value);
    }
    if (list->count == 0) {
        fprintf(to, "# %s = %s\n", key_of(s), psy__option_rows[s->option].value);
    }
}

void psy__serve_options_print(const psy__serve_options *o, FILE *to)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const setting *s = &settings[i];
        char number[16];
        if (i > 0 && s->at == settings[i - 1].at) {
            continue;
        }
        fprintf(to, "%s# %s\n", i ? "\n" : "", psy__option_rows[s->option].help);
        switch (s->kind) {
        case NUMBER:
            snprintf(number, sizeof number, "%u", number_at(o, s));
            psy__config_put(to, key_of(s), number);
            break;
        case MODE:
            snprintf(number, sizeof number, "%o", number_at(o, s));
            if (number_at(o, s)) {
                psy__config_put(to, key_of(s), number);
            } else {
                fprintf(to, "# %s = 600\n", key_of(s));
            }
            break;
        case CHOICE: psy__config_put(to, key_of(s), s->choices[number_at(o, s)]); break;
        case FLAG: psy__config_put(to, key_of(s), number_at(o, s) ? "yes" : "no"); break;
        case TEXT:
        case PATH:
        case ADDRESS:
            if (text_at(o, s)) {
                psy__config_put(to, key_of(s), text_at(o, s));
            } else {
                fprintf(to, "# %s = %s\n", key_of(s), psy__option_rows[s->option].value);
            }
            break;
        case PROGRAMS:
        case FILES:
        case RULES: print_list(s, place_of(o, s), to); break;
        }
    }
}

static bool lists_differ(const psy__named_list *a, const psy__named_list *b)
{
    for (uint32_t i = 0; a->count == b->count && i < a->count; i++) {
        if (strcmp(a->at[i].name, b->at[i].name) != 0 || strcmp(a->at[i].file, b->at[i].file) != 0) {
            return true;
        }
    }
    return a->count != b->count;
}

static bool differ(const psy__serve_options *a, const psy__serve_options *b, const setting *s)
{
    switch (s->kind) {
    case NUMBER:
    case MODE:
    case CHOICE:
    case FLAG: return number_at(a, s) != number_at(b, s);
    case TEXT:
    case PATH:
    case ADDRESS: {
        const char *one = text_at(a, s), *other = text_at(b, s);
        return !one != !other || (one && strcmp(one, other) != 0);
    }
    case PROGRAMS:
    case FILES:
    case RULES: return lists_differ(place_of(a, s), place_of(b, s));
    }
    return false;
}

const char *psy__serve_options_changed(const psy__serve_options *a, const psy__serve_options *b, size_t *at, bool *live)
{
    while (*at < SETTINGS) {
        const size_t i = (*at)++;
        if ((i == 0 || settings[i].at != settings[i - 1].at) && differ(a, b, &settings[i])) {
            *live = settings[i].live;
            return key_of(&settings[i]);
        }
    }
    return NULL;
}
