/* SPDX-License-Identifier: Apache-2.0 */
#include "import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema_state.h"
#include "unit.h"

#define ERROR(...) psc_error(m->diags, __VA_ARGS__)

/* ---- places ---- */

static const char *folder_of(psc_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? psc_strndup(arena, path, (size_t)(slash - path) + 1) : "";
}

/* How many of the folders there are, beside that of the file. */
static size_t folders(const psc_options *options) { return options ? options->include_count : 0; }

const char *psc_import_place(psc_arena *arena, const psc_options *options, const psc_source *from, const char *path, size_t k)
{
    bool absolute = path[0] == '/';
    return k > (absolute ? 0 : folders(options)) ? NULL
           : absolute                            ? path
           : k == 0                              ? psc_format(arena, "%s%s", folder_of(arena, from->path), path)
                                                 : psc_format(arena, "%s/%s", options->include[k - 1], path);
}

const char *psc_import_schema_place(psc_arena *arena, const psc_options *options, const psc_source *from, const char *path,
                                    size_t k)
{
    const char *installed = getenv("PSYNE_SCHEMAS");
    bool last = path[0] != '/' && k == folders(options) + 1;
    return last ? psc_format(arena, "%s/%s", installed && *installed ? installed : PSC_SCHEMAS_FOLDER, path)
                : psc_import_place(arena, options, from, path, k);
}

/* ---- files ---- */

static const char *key_of(psc_arena *arena, const char *path)
{
    char *real = realpath(path, NULL);
    const char *key = psc_strndup(arena, real ? real : path, strlen(real ? real : path));
    free(real);
    return key;
}

static psc_import_file *find_file(const psc_imports *m, const char *path)
{
    const char *key = key_of(m->arena, path);
    for (size_t i = 0; i < m->files.count; i++) {
        if (strcmp(m->files.at[i]->key, key) == 0) {
            return m->files.at[i];
        }
    }
    return NULL;
}

/* The file of the text, which is known already or comes to the others; NULL: there are too many, which is said once. */
static psc_import_file *add_file(psc_imports *m, const psc_source *source, psc_span at)
{
    psc_import_file *f = find_file(m, source->path);
    if (f) {
        return f;
    }
    if (m->files.count == PSC_IMPORTS_MAX) {
        if (!m->full) {
            ERROR(PSC_E_LIMIT, at, "more than %d schemas import each other", PSC_IMPORTS_MAX);
        }
        m->full = true;
        return NULL;
    }
    f = psc_new(m->arena, psc_import_file);
    *f = (psc_import_file){.key = key_of(m->arena, source->path), .source = source, .at = at};
    psc_push(m->arena, &m->files, f);
    return f;
}

static void read_file(psc_imports *m, psc_import_file *f)
{
    uint32_t number = 0;
    while (m->files.at[number] != f) {
        number++;
    }
    f->open = true;
    f->schema = psc_schema_resolve(m, f->source, number);
    f->open = false;
}

psc_schema *psc_imports_schema(psc_imports *m, const psc_source *source)
{
    psc_span nowhere = {0};
    psc_import_file *f = add_file(m, source, nowhere);
    if (f) {
        read_file(m, f);
    }
    return f ? f->schema : NULL;
}

/* ---- imports ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n > k && strcmp(text + n - k, end) == 0;
}

static const psc_source *read_text(const psc_imports *m, const char *path)
{
    const psc_options *o = m->options;
    return o && o->read ? o->read(o->read_context, m->arena, path) : psc_source_read(m->arena, path);
}

/* The file that is meant: one that is known, or a new one. */
static psc_import_file *find(psc_imports *m, const char *path, psc_span at)
{
    int error = 0;
    const char *place;
    for (size_t k = 0; (place = psc_import_schema_place(m->arena, m->options, at.source, path, k)); k++) {
        psc_import_file *known = find_file(m, place);
        const psc_source *source = known ? NULL : read_text(m, place);
        if (known || source) {
            return known ? known : add_file(m, source, at);
        }
        error = error == 0 || error == ENOENT ? errno : error;
    }
    psc_diagnostic *d = ERROR(PSC_E_IMPORT, at, "%s cannot be read: %s", path, psc_source_problem(error));
    if (error == ENOENT && path[0] != '/') {
        psc_help(d, "it is looked for beside %s, in the folders given with -I, and among Psyne's own schemas", at.source->path);
    }
    return NULL;
}

static const char *last_word(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *name_of(const psc_source *source) { return last_word(source->path); }

static const psc_import_file *file_of(const psc_imports *m, const psc_source *source)
{
    size_t i = 0;
    while (m->files.at[i]->source != source) {
        i++;
    }
    return m->files.at[i];
}

/* What is being read is imported again: from it, every file on the way was imported by the one before. */
static void report_cycle(psc_imports *m, const psc_import_file *f, psc_span at)
{
    const psc_import_file *way[PSC_IMPORTS_MAX];
    size_t count = 0;
    for (const psc_import_file *last = file_of(m, at.source); last != f; last = file_of(m, last->at.source)) {
        way[count++] = last;
    }
    psc_diagnostic *d = ERROR(PSC_E_IMPORT, at, "%s would import itself", name_of(f->source));
    while (count-- > 0) {
        psc_note(d, way[count]->at, "%s is imported here", name_of(way[count]->source));
    }
    psc_help(d, at.source == f->source ? "what a schema declares is there without an import"
                                       : "put what both need into a schema of its own, which both import");
}

/* The first mistake of a file says where it is imported. */
static void say_where(const psc_imports *m, const psc_import_file *f, size_t from, psc_span at)
{
    psc_diagnostic *first = NULL;
    for (size_t i = from; i < m->diags->list.count; i++) {
        psc_diagnostic *d = m->diags->list.at[i];
        if (d->span.source == f->source && (!first || d->span.begin < first->span.begin)) {
            first = d;
        }
    }
    for (size_t i = 0; first && i < first->remarks.count; i++) {
        const psc_span *s = &first->remarks.at[i].span;
        first = s->source == at.source && s->begin == at.begin ? NULL : first; /* it says so: a cycle */
    }
    if (first) {
        psc_note(first, at, "%s is imported here", name_of(f->source));
    }
}

/* The file was imported before by the same one: reported. */
static bool is_twice(psc_imports *m, const psc_import_file *f, const char *path, psc_span at)
{
    for (size_t i = 0; i < m->edges.count; i++) {
        const psc_import_edge *e = &m->edges.at[i];
        if (e->file == f && e->at.source == at.source) {
            psc_note(ERROR(PSC_E_DUPLICATE, at, "%s is imported already", path), e->at, "it is here");
            return true;
        }
    }
    return false;
}

/* A link to the file has another name, and so would its header: reported. */
static bool is_renamed(psc_imports *m, const psc_import_file *f, const char *path, psc_span at)
{
    bool renamed = strcmp(last_word(path), name_of(f->source)) != 0;
    if (renamed) {
        psc_diagnostic *d =
            ERROR(PSC_E_IMPORT, at, "this is %s under another name: two headers would have the same types", name_of(f->source));
        if (f->at.source) {
            psc_note(d, f->at, "%s is imported here", name_of(f->source));
        }
    }
    return renamed;
}

const psc_import_file *psc_import(psc_imports *m, const char *path, psc_span at)
{
    if (!ends_with(path, ".psy")) {
        psc_help(ERROR(PSC_E_IMPORT, at, "only message schemas (.psy) can be imported"), "write `import \"NAME.psy\"`");
        return NULL;
    }
    size_t before = m->files.count;
    psc_import_file *f = find(m, path, at);
    bool good = f && !is_twice(m, f, path, at) && !is_renamed(m, f, path, at);
    psc_import_edge e = {at, good ? f : NULL};
    psc_push(m->arena, &m->edges, e);
    if (!good) {
        return NULL;
    }
    if (f->open) {
        report_cycle(m, f, at);
        return NULL;
    }
    if (m->files.count > before) {
        size_t said = m->diags->list.count;
        read_file(m, f);
        say_where(m, f, said, at);
    }
    return f;
}

/* ---- names that imports bring ---- */

/* Unions have no names of their own: that of the field stands for them. */
const psc_span *psc_declared_type(const psc_schema *schema, size_t i, const char **name)
{
    const psc_message *m = i < schema->order_count ? schema->order[i] : NULL;
    *name = m && m->layout.kind != PSY_TYPE_UNION ? m->name : NULL;
    return m ? &m->span : NULL;
}

const psc_span *psc_declared_constant(const psc_schema *schema, size_t i, const char **name)
{
    const psc_constant *c = i < schema->constant_count ? &schema->constants[i] : NULL;
    *name = c ? c->name : NULL;
    return c ? &c->span : NULL;
}

const char *psc_import_word(const psc_schema *schema, const char *name)
{
    size_t n = strlen(schema->space);
    bool own = n > 0 && strncmp(name, schema->space, n) == 0 && name[n] == '.' && !strchr(name + n + 1, '.');
    return own ? name + n + 1 : strchr(name, '.') ? NULL : name;
}

const psc_span *psc_import_declaration(const psc_schema *schema, const char *name, psc_declared *declared, size_t *index)
{
    const char *word = psc_import_word(schema, name), *other;
    const psc_span *at = NULL;
    for (*index = 0; word && (at = declared(schema, *index, &other)) && !(other && strcmp(word, other) == 0); ++*index) {
    }
    return at;
}

const psc_schema *psc_import_find(psc_diagnostics *diags, const psc_schema *schema, const char *name, psc_span at,
                                  psc_declared *declared, size_t *index, bool *poisoned)
{
    const psc_schema *found = NULL;
    const psc_span *there = NULL;
    for (uint32_t i = 0; i < schema->import_count; i++) {
        size_t k;
        const psc_schema *other = schema->imports[i].schema;
        const psc_span *here = psc_import_declaration(other, name, declared, &k);
        if (here && found) {
            psc_diagnostic *d = psc_error(diags, PSC_E_DUPLICATE, at, "`%s` may be one of two", name);
            psc_note(d, *there, "one is here");
            psc_note(d, *here, "the other is here");
            if (strcmp(found->space, other->space) != 0) {
                psc_help(d, "say which one: `%s.%s`", *found->space ? found->space : other->space,
                         psc_import_word(other, name));
            }
            *poisoned = true;
            return NULL;
        }
        if (here) {
            found = other;
            there = here;
            *index = k;
        }
    }
    return found;
}

/* Another schema that was read and declares the name: imported by others, not where it is used. */
static const psc_schema *find_missed(const psc_imports *m, const char *name, psc_declared *declared, size_t *index)
{
    for (size_t i = 0; i < m->files.count; i++) {
        const psc_schema *s = m->files.at[i]->schema;
        if (s && psc_import_declaration(s, name, declared, index)) {
            return s;
        }
    }
    return NULL;
}

/* As the name would have to be written: with the namespace, where that of `name` has one. */
static void add_declared(psc_schema_resolver *r, const psc_schema *schema, bool full, psc_declared *declared, psc_words *names)
{
    const char *word;
    for (size_t i = 0; declared(schema, i, &word); i++) {
        if (!word) {
            continue;
        }
        word = full && *schema->space ? psc_format(r->arena, "%s.%s", schema->space, word) : word;
        psc_push(r->arena, names, word);
    }
}

/* The same word in another namespace. */
static void help_space(psc_diagnostic *d, const char *name, const psc_words *near)
{
    for (size_t i = 0; i < near->count; i++) {
        const char *dot = strrchr(near->at[i], '.');
        if (dot && strcmp(dot, strrchr(name, '.')) == 0) {
            psc_help(d, "did you mean `%s`?", near->at[i]);
            return;
        }
    }
}

bool psc_schema_unknown(psc_schema_resolver *r, const char *problem, const psc_name *name, psc_declared *declared,
                        psc_words *near)
{
    size_t index;
    const char *word;
    const bool full = strchr(name->text, '.') != NULL;
    if (r->incomplete) {
        return true;
    }
    if (!psc_errors_are_kept(r->diags)) {
        psc_error(r->diags, PSC_E_UNKNOWN_NAME, name->span, "%s", problem); /* counted, never shown */
        return true;
    }
    const psc_schema *missed = find_missed(r->imports, name->text, declared, &index);
    if (missed) {
        psc_diagnostic *d = psc_error(r->diags, PSC_E_UNKNOWN_NAME, name->span, "%s", problem);
        psc_note(d, *declared(missed, index, &word), "this schema has one");
        psc_help(d, "what a schema uses, it imports itself: `import \"%s\";`", name_of(missed->source));
        return true;
    }
    for (uint32_t i = 0; i < r->schema->import_count; i++) {
        add_declared(r, r->schema->imports[i].schema, full, declared, near);
    }
    if (full || psc_did_you_mean(name->text, near->at, near->count)) {
        psc_diagnostic *d = psc_error(r->diags, PSC_E_UNKNOWN_NAME, name->span, "%s", problem);
        if (!psc_help_nearest(d, name->text, near->at, near->count)) {
            help_space(d, name->text, near);
        }
        return true;
    }
    return false;
}
