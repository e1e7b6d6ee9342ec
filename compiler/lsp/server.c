/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation: which method, whether it may be called now, what is answered. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "lsp/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lsp/frame.h"
#include "lsp/lsp.h"
#include "options.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

/* Error codes of JSON-RPC and the protocol. */
enum {
    PARSE_ERROR = -32700,
    INVALID_REQUEST = -32600,
    METHOD_NOT_FOUND = -32601,
    INVALID_PARAMS = -32602,
    NOT_INITIALIZED = -32002
};

typedef struct server {
    lsp_reader reader;
    lsp_documents documents;
    psc_arena arena; /* of the options */
    PSC_LIST(const char *) include;
    bool markdown, hierarchical;
    enum { FRESH, RUNNING, SHUT_DOWN, ENDED } state;
    bool deaf; /* the client does not read any more */
} server;

/* ---- saying ---- */

static void say(server *s, json_t *message)
{
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
    if (!text || !lsp_write(STDOUT_FILENO, text, strlen(text))) {
        s->deaf = true;
    }
    free(text);
    json_decref(message);
}

static void notify(server *s, const char *method, json_t *params)
{
    say(s, json_pack("{s:s,s:s,s:o}", "jsonrpc", "2.0", "method", method, "params", params));
}

/* `id` is borrowed; NULL is null. */
static void refuse(server *s, json_t *id, int code, const char *why)
{
    say(s, json_pack("{s:s,s:O?,s:{s:i,s:s}}", "jsonrpc", "2.0", "id", id ? id : json_null(), "error", "code", code, "message",
                     why));
}

/* ---- documents ---- */

static void publish(server *s, lsp_document *d)
{
    if (d->stale && lsp_analyse(&s->documents, d)) {
        d->stale = false;
        notify(s, "textDocument/publishDiagnostics", lsp_diagnostics(&s->documents, d));
    }
}

static void log_problem(server *s, const char *why)
{
    notify(s, "window/logMessage", json_pack("{s:i,s:s}", "type", 1, "message", why));
}

static lsp_document *named(server *s, const json_t *params)
{
    return lsp_document_find(&s->documents, json_string_value(json_object_get(json_object_get(params, "textDocument"), "uri")));
}

static void did_open(server *s, const json_t *params)
{
    const char *why;
    if (!lsp_document_open(&s->documents, json_object_get(params, "textDocument"), &why)) {
        log_problem(s, why);
    }
}

static void did_change(server *s, const json_t *params)
{
    lsp_document *d = named(s, params);
    const char *why = "a document that is not open was changed";
    if (!d || !lsp_document_change(&s->documents, d, params, &why)) {
        log_problem(s, why);
    }
}

static void did_close(server *s, const json_t *params)
{
    lsp_document *d = named(s, params);
    if (d) {
        notify(s, "textDocument/publishDiagnostics", json_pack("{s:s,s:[]}", "uri", d->uri, "diagnostics"));
        lsp_document_close(&s->documents, d);
    }
}

static void files_changed(server *s, const json_t *params)
{
    (void)params;
    lsp_documents_expire(&s->documents);
}

static void ignore(server *s, const json_t *params)
{
    (void)s;
    (void)params;
}

static void leave(server *s, const json_t *params)
{
    (void)params;
    s->state = s->state == SHUT_DOWN ? ENDED : s->state;
    s->deaf = true;
}

static const struct {
    const char *method;
    void (*take)(server *s, const json_t *params);
} notifications[] = {
    {"initialized", ignore},
    {"exit", leave},
    {"textDocument/didOpen", did_open},
    {"textDocument/didChange", did_change},
    {"textDocument/didClose", did_close},
    {"textDocument/didSave", files_changed},
    {"workspace/didChangeWatchedFiles", files_changed},
};

/* ---- requests ---- */

static const json_t *capability(const json_t *params, const char *area, const char *name)
{
    const json_t *all = json_object_get(json_object_get(params, "capabilities"), "textDocument");
    return json_object_get(json_object_get(all, area), name);
}

static void take_include(server *s, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *folder = json_string_value(json_array_get(list, i));
        if (folder) {
            psc_push(&s->arena, &s->include, psc_strndup(&s->arena, folder, strlen(folder)));
        }
    }
    s->documents.options.include = s->include.at;
    s->documents.options.include_count = s->include.count;
}

static json_t *initialize(server *s, const json_t *params)
{
    const json_t *formats = capability(params, "hover", "contentFormat");
    for (size_t i = 0; i < json_array_size(formats); i++) {
        const char *format = json_string_value(json_array_get(formats, i));
        s->markdown = s->markdown || (format && strcmp(format, "markdown") == 0);
    }
    s->hierarchical = json_is_true(capability(params, "documentSymbol", "hierarchicalDocumentSymbolSupport"));
    take_include(s, json_object_get(json_object_get(params, "initializationOptions"), "include"));
    s->state = RUNNING;
    /* Texts are sent whole. */
    json_t *offers =
        json_pack("{s:{s:s,s:{s:b,s:i,s:b},s:b,s:b,s:b,s:b,s:{s:[s,s,s,s]}},s:{s:s,s:s}}", "capabilities", "positionEncoding",
                  "utf-16", "textDocumentSync", "openClose", 1, "change", 1, "save", 1, "hoverProvider", 1,
                  "definitionProvider", 1, "documentSymbolProvider", 1, "documentFormattingProvider", 1, "completionProvider",
                  "triggerCharacters", ".", "@", "\"", "/", "serverInfo", "name", "psynec", "version", PACKAGE_VERSION);
    /* Others want commands, of which there are none. */
    if (capability(params, "codeAction", "codeActionLiteralSupport")) {
        json_object_set_new(json_object_get(offers, "capabilities"), "codeActionProvider",
                            json_pack("{s:[s,s]}", "codeActionKinds", "quickfix", "source.fixAll"));
    }
    return offers;
}

static json_t *shut_down(server *s, const json_t *params)
{
    (void)params;
    s->state = SHUT_DOWN;
    return NULL;
}

static const struct {
    const char *method;
    json_t *(*answer)(server *s, const json_t *params);
    json_t *(*ask)(const lsp_question *q); /* about a document; `place`: about a place in it */
    bool place;
} requests[] = {
    {"initialize", initialize, NULL, false},
    {"shutdown", shut_down, NULL, false},
    {"textDocument/hover", NULL, lsp_hover, true},
    {"textDocument/definition", NULL, lsp_definition, true},
    {"textDocument/completion", NULL, lsp_complete, true},
    {"textDocument/documentSymbol", NULL, lsp_symbols, false},
    {"textDocument/formatting", NULL, lsp_format, false},
    {"textDocument/codeAction", NULL, lsp_actions, false},
};

enum { REQUESTS = sizeof requests / sizeof requests[0], NOTIFICATIONS = sizeof notifications / sizeof notifications[0] };

static void answer(server *s, json_t *id, json_t *result)
{
    say(s, json_pack("{s:s,s:O,s:o}", "jsonrpc", "2.0", "id", id, "result", result ? result : json_null()));
}

static void ask(server *s, json_t *id, const json_t *params, size_t request)
{
    lsp_document *d = named(s, params);
    if (!d) {
        refuse(s, id, INVALID_PARAMS, "no such document is open");
        return;
    }
    publish(s, d);
    psc_arena arena;
    psc_arena_init(&arena);
    lsp_question q = {.all = &s->documents,
                      .document = d,
                      .a = lsp_analyse(&s->documents, d),
                      .arena = &arena,
                      .params = params,
                      .markdown = s->markdown,
                      .hierarchical = s->hierarchical};
    if (!q.a || (requests[request].place && !lsp_offset(&q.a->lines, json_object_get(params, "position"), &q.offset))) {
        refuse(s, id, INVALID_PARAMS, "this is no position");
    } else {
        answer(s, id, requests[request].ask(&q));
    }
    psc_arena_fini(&arena);
}

static void take_request(server *s, const char *method, json_t *id, const json_t *params)
{
    bool first = strcmp(method, "initialize") == 0;
    size_t i = 0;
    if (s->state == FRESH && !first) {
        refuse(s, id, NOT_INITIALIZED, "the first request is `initialize`");
        return;
    }
    if (s->state == SHUT_DOWN || (first && s->state != FRESH)) {
        refuse(s, id, INVALID_REQUEST, first ? "there was an `initialize` already" : "the server is shut down");
        return;
    }
    while (i < REQUESTS && strcmp(requests[i].method, method) != 0) {
        i++;
    }
    if (i == REQUESTS) {
        refuse(s, id, METHOD_NOT_FOUND, "there is no such method");
    } else if (requests[i].answer) {
        answer(s, id, requests[i].answer(s, params));
    } else {
        ask(s, id, params, i);
    }
}

static void take_notification(server *s, const char *method, const json_t *params)
{
    for (size_t i = 0; i < NOTIFICATIONS; i++) {
        if (strcmp(notifications[i].method, method) == 0 && (s->state == RUNNING || notifications[i].take == leave)) {
            notifications[i].take(s, params);
        }
    }
}

static void take_message(server *s, const char *body, size_t bytes)
{
    json_error_t error;
    json_t *message = json_loadb(body, bytes, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (!message) {
        refuse(s, NULL, PARSE_ERROR, error.text);
        return;
    }
    json_t *id = json_object_get(message, "id");
    const char *method = json_string_value(json_object_get(message, "method"));
    bool good_id = !id || json_is_integer(id) || json_is_string(id);
    bool is_answer = !method && good_id && id && (json_object_get(message, "result") || json_object_get(message, "error"));
    if ((!method && !is_answer) || !good_id) {
        refuse(s, good_id ? id : NULL, INVALID_REQUEST, "this is neither a request nor a notification");
    } else if (method && id) {
        take_request(s, method, id, json_object_get(message, "params"));
    } else if (method) {
        take_notification(s, method, json_object_get(message, "params"));
    }
    json_decref(message);
}

static void serve(server *s)
{
    while (!s->deaf) {
        const char *body;
        size_t bytes;
        /* Somebody types: only the newest text is looked at. */
        for (lsp_document *d = lsp_pending(&s->reader) ? NULL : s->documents.first; d; d = d->next) {
            publish(s, d);
        }
        lsp_frame frame = lsp_read(&s->reader, &body, &bytes);
        if (frame == LSP_FRAME_END) {
            return;
        }
        if (frame == LSP_FRAME_BROKEN) {
            refuse(s, NULL, PARSE_ERROR, "this is no header with one Content-Length of at most 64 MiB");
        } else {
            take_message(s, body, bytes);
        }
    }
}
_Static_assert(LSP_BODY_BYTES_MAX == 64 << 20, "the message names it");

/* ---- options ---- */

/* The exit status, or -1 to go on. */
static int parse_options(server *s, int argc, char **argv)
{
    psc_command_line line = psc_command_line_begin(&s->arena, PSC_COMMAND_LSP, argc, argv);
    const char *value;
    for (psc_option_name o; (o = psc_command_line_next(&line, &value)) != PSC_OPTION_END;) {
        switch (o) {
        case PSC_OPTION_LSP_INCLUDE: psc_push(&s->arena, &s->include, value); break;
        case PSC_OPTION_LSP_STDIO: break;
        case PSC_OPTION_LSP_HELP: psc_help_write(&s->arena, PSC_COMMAND_LSP, stdout); return 0;
        default: psc_misuse("the language server takes no files", "`psynec lsp --help` says more");
        }
    }
    return -1;
}

int psc_lsp(int argc, char **argv)
{
    server s = {.reader = {.fd = STDIN_FILENO}};
    psc_arena_init(&s.arena);
    int status = parse_options(&s, argc, argv);
    if (status < 0) {
        signal(SIGPIPE, SIG_IGN);
        take_include(&s, NULL);
        serve(&s);
        status = s.state == ENDED || s.state == SHUT_DOWN ? 0 : 1;
    }
    while (s.documents.first) {
        lsp_document_close(&s.documents, s.documents.first);
    }
    lsp_reader_fini(&s.reader);
    psc_arena_fini(&s.arena);
    return status;
}
