/* SPDX-License-Identifier: Apache-2.0 */
#include "lsp/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lsp/imports.h"
#include "passes.h"

lsp_document *lsp_document_find(const lsp_documents *all, const char *uri)
{
    lsp_document *found = NULL;
    psc_arena arena;
    psc_arena_init(&arena);
    const char *path = uri ? lsp_path_of(&arena, uri) : "";
    for (lsp_document *d = all->first; d && !found; d = d->next) {
        found = strcmp(d->path, path) == 0 ? d : NULL;
    }
    psc_arena_fini(&arena);
    return found;
}

/* ---- open, change, close ---- */

static void drop_analysis(lsp_document *d)
{
    if (d->analysis) {
        psc_arena_fini(&d->analysis->arena);
        free(d->analysis);
        d->analysis = NULL;
    }
}

static void forget(lsp_document *d)
{
    drop_analysis(d);
    d->stale = true;
}

void lsp_documents_expire(lsp_documents *all)
{
    for (lsp_document *d = all->first; d; d = d->next) {
        /* A schema that imports nothing is as it was. */
        if (!d->is_schema || !d->analysis || d->analysis->imports.edges.count > 0) {
            forget(d);
        }
    }
}

static bool take_text(lsp_documents *all, lsp_document *d, const json_t *text, const json_t *version)
{
    char *copy = malloc(json_string_length(text) + 1);
    if (!copy) {
        return false;
    }
    memcpy(copy, json_string_value(text), json_string_length(text) + 1);
    free(d->text);
    d->text = copy;
    d->bytes = json_string_length(text);
    d->version = json_integer_value(version);
    forget(d);
    if (d->is_schema) {
        lsp_documents_expire(all);
    }
    return true;
}

static void free_document(lsp_document *d)
{
    forget(d);
    free(d->uri);
    free(d->path);
    free(d->text);
    free(d);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

lsp_document *lsp_document_open(lsp_documents *all, const json_t *item, const char **why)
{
    const char *uri = json_string_value(json_object_get(item, "uri"));
    const char *language = json_string_value(json_object_get(item, "languageId"));
    const json_t *text = json_object_get(item, "text");
    *why = "a text document has a uri and a text";
    if (!uri || !json_is_string(text)) {
        return NULL;
    }
    lsp_document *other = lsp_document_find(all, uri);
    if (other) {
        lsp_document_close(all, other); /* opened twice: the new text counts */
    }
    lsp_document *d = calloc(1, sizeof *d), **last = &all->first;
    psc_arena arena;
    psc_arena_init(&arena);
    *why = "there is no memory for it";
    if (d) {
        d->uri = strdup(uri);
        d->path = strdup(lsp_path_of(&arena, uri));
        d->is_schema = ends_with(uri, ".psy") || (!ends_with(uri, ".hrm") && language && strcmp(language, "psy") == 0);
    }
    psc_arena_fini(&arena);
    if (d && (!d->uri || !d->path || !take_text(all, d, text, json_object_get(item, "version")))) {
        free_document(d);
        d = NULL;
    }
    while (*last) {
        last = &(*last)->next;
    }
    *last = d;
    return d;
}

bool lsp_document_change(lsp_documents *all, lsp_document *d, const json_t *params, const char **why)
{
    const json_t *changes = json_object_get(params, "contentChanges");
    size_t count = json_array_size(changes);
    const json_t *last = count ? json_array_get(changes, count - 1) : NULL, *text = json_object_get(last, "text");
    *why = "whole texts are expected: contentChanges with a text and no range";
    if (!json_is_string(text) || json_object_get(last, "range")) {
        return false;
    }
    *why = "there is no memory for it";
    return take_text(all, d, text, json_object_get(json_object_get(params, "textDocument"), "version"));
}

void lsp_document_close(lsp_documents *all, lsp_document *d)
{
    lsp_document **at = &all->first;
    while (*at != d) {
        at = &(*at)->next;
    }
    *at = d->next;
    if (d->is_schema) {
        lsp_documents_expire(all); /* its file counts again */
    }
    free_document(d);
}

/* ---- analysis ---- */

/* An open document counts more than its file. */
static const psc_source *read_import(void *context, psc_arena *arena, const char *path)
{
    const lsp_documents *all = context;
    const char *clean = lsp_path_clean(arena, path);
    for (const lsp_document *d = all->first; d; d = d->next) {
        if (strcmp(d->path, clean) == 0) {
            if (memchr(d->text, 0, d->bytes)) {
                errno = EILSEQ;
                return NULL;
            }
            return psc_source_text(arena, clean, d->text, d->bytes);
        }
    }
    return psc_source_read(arena, clean);
}

static void analyse_program(lsp_documents *all, lsp_analysis *a)
{
    psc_passes_options passes = {.dump = NULL};
    psc_unit *u = psc_new(&a->arena, psc_unit);
    *u = (psc_unit){.arena = &a->arena, .diags = &a->diags, .source = a->source, .options = &all->options};
    u->index = psc_index_create(&a->arena, a->source);
    a->unit = u;
    psc_passes_run(u, &passes);
    if (u->schemas.count == 0 && u->fns.count == 0 && u->pipelines.count == 0) {
        /* It does not parse. What does is looked at all the same: names, not mistakes. */
        psc_diagnostics *unheard = psc_new(&a->arena, psc_diagnostics);
        unheard->arena = &a->arena;
        u->diags = unheard;
        psc_resolve(u);
        psc_lower(u);
        u->diags = &a->diags;
    }
}

static void make_room(lsp_documents *all)
{
    unsigned kept = 0;
    lsp_document *oldest = NULL;
    for (lsp_document *d = all->first; d; d = d->next) {
        kept += d->analysis != NULL;
        oldest = d->analysis && (!oldest || d->used < oldest->used) ? d : oldest;
    }
    if (kept >= LSP_ANALYSES_KEPT_MAX) {
        drop_analysis(oldest);
    }
}

lsp_analysis *lsp_analyse(lsp_documents *all, lsp_document *d)
{
    d->used = ++all->clock;
    if (d->analysis) {
        return d->analysis;
    }
    make_room(all);
    lsp_analysis *a = calloc(1, sizeof *a);
    if (!a) {
        return NULL;
    }
    d->analysis = a;
    psc_arena_init(&a->arena);
    a->diags = (psc_diagnostics){.arena = &a->arena};
    bool is_text = !memchr(d->text, 0, d->bytes);
    a->source = psc_source_text(&a->arena, d->path, is_text ? d->text : "", is_text ? d->bytes : 0);
    a->lines = lsp_lines_of(&a->arena, a->source);
    a->outline = lsp_outline_make(&a->arena, a->source, d->is_schema);
    all->options.read = read_import;
    all->options.read_context = all;
    if (!is_text) {
        psc_span start = {a->source, 0, 0};
        psc_error(&a->diags, PSC_E_FILE, start, "%s", psc_source_problem(EILSEQ));
    } else if (d->is_schema) {
        a->imports = (psc_imports){.arena = &a->arena, .diags = &a->diags, .options = &all->options};
        a->schema = psc_imports_schema(&a->imports, a->source);
    } else {
        analyse_program(all, a);
    }
    return a;
}

/* ---- what the client is told ---- */

json_t *lsp_location(const lsp_documents *all, psc_arena *arena, psc_span span)
{
    lsp_lines lines = lsp_lines_of(arena, span.source);
    const char *uri = NULL;
    for (const lsp_document *d = all->first; d && !uri; d = d->next) {
        uri = strcmp(d->path, span.source->path) == 0 ? d->uri : NULL;
    }
    uri = uri ? uri : lsp_uri_of(arena, span.source->path);
    return json_pack("{s:o,s:o}", "uri", lsp_text(uri, strlen(uri)), "range", lsp_range(&lines, span.begin, span.end));
}

/* Where this document has what is wrong: mistakes of an imported schema are where it is imported. */
static psc_span place_here(const lsp_analysis *a, psc_span span)
{
    const psc_span start = {a->source, 0, 0}, import = lsp_import_to(a, span.source);
    return span.source == a->source ? span : import.source ? import : start;
}

static void relate(const lsp_documents *all, psc_arena *arena, json_t *list, psc_span span, const char *text)
{
    if (span.source) {
        json_array_append_new(
            list, json_pack("{s:o,s:o}", "location", lsp_location(all, arena, span), "message", lsp_text(text, strlen(text))));
    }
}

json_t *lsp_diagnostic(const lsp_documents *all, const lsp_analysis *a, psc_arena *arena, const psc_diagnostic *d)
{
    psc_span here = place_here(a, d->span);
    json_t *related = json_array();
    const char *text = d->text;
    if (d->span.source && d->span.source != a->source) {
        relate(all, arena, related, d->span, d->text);
        text = psc_format(arena, "in this schema: %s", text);
    }
    for (size_t i = 0; i < d->remarks.count; i++) {
        const psc_remark *r = &d->remarks.at[i];
        if (r->help) {
            text = psc_format(arena, "%s\nhelp: %s", text, r->text);
        } else {
            relate(all, arena, related, r->span, r->text);
        }
    }
    json_t *one = json_pack("{s:o,s:i,s:s,s:s,s:o}", "range", lsp_range(&a->lines, here.begin, here.end), "severity",
                            d->severity == PSC_ERROR ? 1 : 2, "code", psc_code_text(d->code), "source", "psynec", "message",
                            lsp_text(text, strlen(text)));
    if (json_array_size(related)) {
        json_object_set(one, "relatedInformation", related);
    }
    if (d->code == PSC_W_UNUSED) {
        json_object_set_new(one, "tags", json_pack("[i]", 1)); /* unnecessary: editors fade it */
    }
    json_decref(related);
    return one;
}

json_t *lsp_diagnostics(const lsp_documents *all, const lsp_document *d)
{
    json_t *list = json_array();
    psc_arena arena;
    psc_arena_init(&arena);
    unsigned left;
    psc_diagnostic_list shown = psc_diagnostics_shown(&d->analysis->diags, PSC_ERRORS_SHOWN_MAX, &left);
    for (size_t i = 0; i < shown.count; i++) {
        json_array_append_new(list, lsp_diagnostic(all, d->analysis, &arena, shown.at[i]));
    }
    psc_arena_fini(&arena);
    return json_pack("{s:s,s:I,s:o}", "uri", d->uri, "version", d->version, "diagnostics", list);
}
