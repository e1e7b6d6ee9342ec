/* SPDX-License-Identifier: Apache-2.0 */
/* The table of names that a header declares has all that it does declare: what is looked at for clashes is what is there. */
#include <ctype.h>
#include <glob.h>

#include "schema_names.h"
#include "tests/compiler/compile.h"

typedef struct list {
    psc_arena *arena;
    PSC_LIST(const char *) names;
} list;

static void add(void *context, const char *name, psc_span span)
{
    list *l = context;
    (void)span;
    psc_push(l->arena, &l->names, name);
}

static bool has(const list *l, const char *name, size_t n)
{
    bool found = false;
    for (size_t i = 0; i < l->names.count && !found; i++) {
        found = strlen(l->names.at[i]) == n && strncmp(l->names.at[i], name, n) == 0;
    }
    return found;
}

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* What a line of the header declares at its margin; NULL: nothing. */
static const char *declared(const char *line, size_t *n)
{
    const size_t length = strcspn(line, "\n");
    const char *at = NULL, *function = strstr(line, "static inline ");
    if (strncmp(line, "#define ", 8) == 0) {
        at = line + 8;
    } else if (strncmp(line, "} ", 2) == 0) {
        at = line + 2;
    } else if (strncmp(line, "typedef ", 8) == 0 && memchr(line, ';', length)) {
        at = strchr(line, ';');
    } else if (function && function < line + length) {
        at = strchr(function, '(');
    }
    while (at && (*at == ';' || *at == '(' || is_word(*at)) && is_word(at[-1])) { /* back to where the word begins */
        at--;
    }
    for (*n = 0; at && is_word(at[*n]);) {
        ++*n;
    }
    return *n > 0 ? at : NULL;
}

/* All that the header of the schema declares is in the table; how many names that were. */
static size_t check_schema(psc_arena *arena, const psc_schema *s)
{
    list l = {.arena = arena};
    for (uint32_t i = 0; i < s->order_count; i++) {
        psc_header_each_name(arena, s->order[i], add, &l);
    }
    for (uint32_t i = 0; i < s->constant_count; i++) {
        const char *name = psc_format(arena, "%s%s", psc_schema_prefix(arena, s), s->constants[i].name);
        add(&l, psc_upper(arena, name), (psc_span){0});
    }
    char *header = NULL;
    size_t bytes = 0, length, seen = 0;
    FILE *to = open_memstream(&header, &bytes);
    cr_assert(to && psc_header_write(s, psc_schema_file(s), NULL, 0, to) == 0 && fclose(to) == 0);
    for (const char *line = header; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *name = declared(line, &length);
        const bool own = name && strncmp(name, "psy_", 4) != 0 && !(length > 2 && strncmp(name + length - 2, "_H", 2) == 0);
        cr_assert(!own || has(&l, name, length), "%s: %.*s is not in the table", psc_schema_file(s), (int)length, name);
        seen += own;
    }
    free(header);
    return seen;
}

Test(names, all_that_headers_declare)
{
    glob_t all;
    size_t seen = 0, schemas = 0;
    cr_assert_eq(glob(PSY_SOURCE_DIR "/tests/golden/header/*.psy", 0, NULL, &all), 0);
    for (size_t i = 0; i < all.gl_pathc; i++) {
        psc_arena arena;
        psc_arena_init(&arena);
        psc_diagnostics diags = {.arena = &arena};
        const psc_source *source = psc_source_read(&arena, all.gl_pathv[i]);
        const psc_schema *s = source ? psc_schema_parse(&arena, &diags, source) : NULL;
        if (s) { /* else it imports what is found with options only */
            seen += check_schema(&arena, s);
            schemas++;
        }
        psc_arena_fini(&arena);
    }
    cr_assert(schemas >= 6 && seen > 600, "%zu names of %zu schemas", seen, schemas);
    globfree(&all);
}
