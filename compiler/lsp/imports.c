/* SPDX-License-Identifier: Apache-2.0 */
#include "lsp/imports.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const psc_imports *lsp_imports_of(const lsp_analysis *a) { return a->unit ? &a->unit->imports : &a->imports; }

psc_span lsp_import_to(const lsp_analysis *a, const psc_source *file)
{
    const psc_imports *m = lsp_imports_of(a);
    /* From the file up: each was imported before what it imports. */
    for (size_t i = m->edges.count; i-- > 0 && file && file != a->source;) {
        const psc_import_edge *e = &m->edges.at[i];
        if (!e->file || e->file->source != file) {
            continue;
        }
        if (e->at.source == a->source) {
            return e->at;
        }
        file = e->at.source;
    }
    return (psc_span){0};
}

const psc_import_edge *lsp_import_at(const lsp_question *q)
{
    const psc_imports *m = lsp_imports_of(q->a);
    for (size_t i = 0; i < m->edges.count; i++) {
        const psc_import_edge *e = &m->edges.at[i];
        if (e->file && e->at.source == q->a->source && e->at.begin <= q->offset && q->offset <= e->at.end) {
            return e;
        }
    }
    return NULL;
}

/* ---- names ---- */

psc_span lsp_dotted_at(const lsp_question *q)
{
    const psc_spans *words = &q->a->outline->words;
    size_t at = 0;
    while (at < words->count && !(q->offset <= words->at[at].end && lsp_is_name(words->at[at]))) {
        at++;
    }
    if (at == words->count || words->at[at].begin > q->offset) {
        return (psc_span){0};
    }
    size_t first = at, last = at;
    while (first >= 2 && lsp_is(words->at[first - 1], ".") && lsp_is_name(words->at[first - 2])) {
        first -= 2;
    }
    while (last + 2 < words->count && lsp_is(words->at[last + 1], ".") && lsp_is_name(words->at[last + 2])) {
        last += 2;
    }
    return psc_span_join(words->at[first], words->at[last]);
}

static psc_schema *imported_schema(const lsp_question *q, size_t i)
{
    const psc_import_edge *e = &lsp_imports_of(q->a)->edges.at[i];
    return e->at.source == q->a->source && e->file ? e->file->schema : NULL;
}

psc_span lsp_imported(const lsp_question *q, const char *name, const psc_schema **schema)
{
    static psc_declared *const kinds[] = {psc_declared_type, psc_declared_constant};
    psc_span found = {0};
    for (size_t i = 0; i < lsp_imports_of(q->a)->edges.count; i++) {
        const psc_schema *s = imported_schema(q, i);
        for (size_t k = 0; s && k < 2; k++) {
            size_t index;
            const psc_span *at = psc_import_declaration(s, name, kinds[k], &index);
            if (at && found.source) {
                return (psc_span){0};
            }
            *schema = at ? s : *schema;
            found = at ? *at : found;
        }
    }
    return found;
}

/* How many of the imported schemas, and of the document's own declarations, have the name. */
static unsigned count_of(const lsp_question *q, const char *word, psc_declared *declared)
{
    unsigned count = 0;
    size_t index;
    for (size_t i = 0; i < lsp_imports_of(q->a)->edges.count; i++) {
        const psc_schema *s = imported_schema(q, i);
        count += s && psc_import_declaration(s, word, declared, &index);
    }
    for (size_t i = 0; i < q->a->outline->items.count; i++) {
        const lsp_item *item = &q->a->outline->items.at[i];
        count += !lsp_item_is_inner(item) && lsp_is(item->name, word);
    }
    return count;
}

void lsp_imported_names(const lsp_question *q, psc_declared *declared, const char *space, lsp_take_name *take, void *context)
{
    for (size_t i = 0; i < lsp_imports_of(q->a)->edges.count; i++) {
        const psc_schema *s = imported_schema(q, i);
        const char *word;
        for (size_t k = 0; s && (!space || strcmp(s->space, space) == 0) && declared(s, k, &word); k++) {
            if (word && !space && *s->space && count_of(q, word, declared) > 1) {
                word = psc_format(q->arena, "%s.%s", s->space, word);
            }
            if (word) {
                take(context, s, k, word);
            }
        }
    }
}

/* ---- paths ---- */

enum { PATHS_MAX = 200 };

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The schemas and folders of a folder: folders end with `/`. */
static void add_folder(const lsp_question *q, const char *folder, psc_words *names)
{
    DIR *d = opendir(*folder ? folder : ".");
    for (struct dirent *e; d && names->count < PATHS_MAX && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        const char *path = psc_format(q->arena, "%s%s", folder, e->d_name);
        bool schema = n > 4 && strcmp(e->d_name + n - 4, ".psy") == 0 && strcmp(path, q->document->path) != 0;
        struct stat st;
        if (e->d_name[0] == '.' || stat(path, &st) != 0 || !(S_ISDIR(st.st_mode) || (schema && S_ISREG(st.st_mode)))) {
            continue;
        }
        const char *name = psc_format(q->arena, "%s%s", e->d_name, S_ISDIR(st.st_mode) ? "/" : "");
        psc_push(q->arena, names, name);
    }
    if (d) {
        closedir(d);
    }
}

/* Where the path begins that is being written behind `import "`, or NULL. */
static const char *path_begin(const char *text, const char *cursor)
{
    const char *at = cursor;
    while (at > text && at[-1] != '"' && at[-1] != '\n') {
        at--;
    }
    if (at == text || at[-1] != '"') {
        return NULL;
    }
    const char *word = at - 1;
    while (word > text && isblank((unsigned char)word[-1])) {
        word--;
    }
    const size_t n = sizeof "import" - 1;
    bool import = (size_t)(word - text) >= n && memcmp(word - n, "import", n) == 0;
    for (word -= import ? n : 0; import && word > text && word[-1] != '\n' && word[-1] != ';'; word--) {
        import = isspace((unsigned char)word[-1]);
    }
    return import ? at : NULL;
}

bool lsp_complete_path(const lsp_question *q, json_t *list)
{
    enum { FILE_KIND = 17, FOLDER_KIND = 19 };
    const char *text = q->a->source->text, *cursor = text + q->offset, *from = path_begin(text, cursor), *last = cursor;
    if (!from) {
        return false;
    }
    while (last > from && last[-1] != '/') {
        last--;
    }
    psc_words names = {0};
    const char *folder = psc_strndup(q->arena, from, (size_t)(last - from)), *place;
    for (size_t k = 0;
         (place = psc_import_schema_place(q->arena, &q->all->options, q->a->source, folder, k)) && names.count < PATHS_MAX;
         k++) {
        add_folder(q, place, &names);
    }
    if (names.count) {
        qsort(names.at, names.count, sizeof *names.at, by_text);
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.at[i];
        size_t n = strlen(name);
        if (i == 0 || strcmp(name, names.at[i - 1]) != 0) {
            json_array_append_new(list, json_pack("{s:o,s:i,s:{s:o,s:o}}", "label", lsp_text(name, n), "kind",
                                                  name[n - 1] == '/' ? FOLDER_KIND : FILE_KIND, "textEdit", "range",
                                                  lsp_range(&q->a->lines, (uint32_t)(last - text), q->offset), "newText",
                                                  lsp_text(name, n)));
        }
    }
    return true;
}
