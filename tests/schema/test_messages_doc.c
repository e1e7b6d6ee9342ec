/* SPDX-License-Identifier: Apache-2.0 */
/* doc/messages.md says what the compiler does: its schema, the table of its example, and the layout hash with its text. */
#include <inttypes.h>

#include "base/siphash.h"
#include "isa/layout.h"
#include "tests/compiler/compile.h"

static char *page(void)
{
    enum { BYTES_MAX = 1 << 20 };
    FILE *f = fopen(PSY_SOURCE_DIR "/doc/messages.md", "rb");
    char *text = calloc(1, BYTES_MAX);
    cr_assert(f && text);
    size_t n = fread(text, 1, BYTES_MAX - 1, f);
    cr_assert(n > 0 && n < BYTES_MAX - 1);
    fclose(f);
    return text;
}

/* The page's schema, compiled. */
static psc_schema *schema_of(psc_arena *arena, const char *text)
{
    const char *start = strstr(text, "```psy\n"), *end = start ? strstr(start + 7, "```") : NULL;
    cr_assert_not_null(end);
    psc_diagnostics diags = {.arena = arena};
    const psc_source *source = psc_source_text(arena, "messages.md", start + 7, (size_t)(end - start - 7));
    psc_schema *s = psc_schema_parse(arena, &diags, source);
    char *said = compile_said(&diags);
    cr_assert(s != NULL, "%s", said);
    free(said);
    cr_assert_eq(s->message_count, 3);
    return s;
}

/* The messages that the page shows byte by byte, and what the lines of numbers of their diagrams begin with. */
static const struct {
    uint32_t index;
    const char *lines[2];
} shown[] = {{0, {"\n  byte 0         4 ", "\n 128 "}}, {2, {"\n  byte 0        8 ", "\n     128 "}}};
enum { SHOWN = sizeof shown / sizeof shown[0] };

/* "| id | 8 | | 8 | 1 |" */
static void row_of(char *to, size_t room, const psc_field *f)
{
    char count[16] = "";
    if (f->layout.count_offset != PSY_NONE) {
        snprintf(count, sizeof count, "%u ", f->layout.count_offset);
    }
    snprintf(to, room, "| %s | %u | %s| %u | %u |\n", f->name, f->layout.offset, count,
             psy__field_end(&f->layout) - f->layout.offset, f->layout.since);
}

Test(messages_doc, tables)
{
    psc_arena arena;
    psc_arena_init(&arena);
    char *text = page(), row[256];
    const psc_schema *s = schema_of(&arena, text);
    const char *at = text;
    for (unsigned k = 0; k < SHOWN; k++) {
        const psc_message *m = &s->messages[shown[k].index];
        at = strstr(at, "| field | offset | count at | bytes | since |\n|---|---|---|---|---|\n");
        cr_assert_not_null(at);
        at = strstr(at, "---|\n") + 5;
        for (uint32_t i = 0; i < m->field_count; i++) {
            row_of(row, sizeof row, &m->fields[i]);
            cr_assert(strncmp(at, row, strlen(row)) == 0, "the page has another row than %s", row);
            at += strlen(row);
        }
        cr_assert_eq(*at, '\n', "the table has a row too many");
    }
    free(text);
    psc_arena_fini(&arena);
}

/* Whether the number stands on one of the two lines. */
static bool is_on(const char *const lines[2], const char *number)
{
    bool found = false;
    for (unsigned k = 0; k < 2; k++) {
        size_t n = strcspn(lines[k] + 1, "\n") + 1;
        for (const char *p = lines[k]; (p = strstr(p, number)) && p < lines[k] + n; p++) {
            found = found || strspn(p + 1, "0123456789") == strlen(number) - 1;
        }
    }
    return found;
}

Test(messages_doc, diagrams)
{
    psc_arena arena;
    psc_arena_init(&arena);
    char *text = page(), number[16];
    const psc_schema *s = schema_of(&arena, text);
    for (unsigned k = 0; k < SHOWN; k++) {
        const psc_message *m = &s->messages[shown[k].index];
        const char *const lines[2] = {strstr(text, shown[k].lines[0]), strstr(text, shown[k].lines[1])};
        cr_assert(lines[0] && lines[1]);
        /* Where each field begins stands on one of the two lines of numbers, and so does the size. */
        for (uint32_t i = 0; i <= m->field_count; i++) {
            const bool last = i == m->field_count;
            snprintf(number, sizeof number, " %u", last ? m->layout.bytes : psy__field_start(&m->fields[i].layout));
            cr_assert(is_on(lines, number), "the diagram of %s has no%s", m->name, number);
            if (!last && m->fields[i].layout.kind != PSY_FIELD_UNION) {
                snprintf(number, sizeof number, " %u", m->fields[i].layout.offset);
                cr_assert(is_on(lines, number), "the diagram of %s has no%s", m->name, number);
            }
        }
    }
    free(text);
    psc_arena_fini(&arena);
}

/* The picture of a tail is that of the message which the page's program builds: messages_doc.sh compares them. */

Test(messages_doc, layout_hashes)
{
    static const uint64_t zero_key[2] = {0, 0};
    psc_arena arena;
    psc_arena_init(&arena);
    char *text = page(), number[64];
    const psc_schema *s = schema_of(&arena, text);
    for (unsigned k = 0; k < SHOWN; k++) {
        const psc_message *m = &s->messages[shown[k].index];
        const char *hashed = strstr(text, psc_format(&arena, "\n    %s{", m->full_name));
        cr_assert_not_null(hashed);
        hashed += 5;
        size_t n = strcspn(hashed, "\n");
        cr_assert_eq(psy__siphash(zero_key, hashed, n), m->layout.layout_hash, "the page hashes another text than %016" PRIx64,
                     m->layout.layout_hash);
        snprintf(number, sizeof number, "\n    0x%016" PRIx64 "\n", m->layout.layout_hash);
        cr_assert(strncmp(hashed + n, number, strlen(number)) == 0, "the page has another hash than%s", number);
    }
    free(text);
    psc_arena_fini(&arena);
}

Test(messages_doc, header)
{
    enum { WORD_MAX = 64 };
    psc_arena arena;
    psc_arena_init(&arena);
    char *text = page(), *header = NULL;
    size_t n = 0;
    unsigned seen = 0;
    FILE *to = open_memstream(&header, &n);
    cr_assert(to && psc_header_write(schema_of(&arena, text), "shop.psy", NULL, 0, to) == 0 && fclose(to) == 0);
    /* Every name of the page that begins as the schema's do is one that the header declares. */
    for (const char *at = text; (at = strpbrk(at, "sS")); at++) {
        char word[WORD_MAX] = "";
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        if ((strncmp(at, "shop_", 5) != 0 && strncmp(at, "SHOP_", 5) != 0) || length >= WORD_MAX) {
            continue;
        }
        memcpy(word, at, length);
        /* What --emit fuzz writes is in another file. */
        cr_assert(strstr(header, word) != NULL || strncmp(word, "shop_psy_fuzz", 13) == 0, "the header has no %s", word);
        seen++;
        at += length - 1;
    }
    cr_assert_gt(seen, 60);
    free(header);
    free(text);
    psc_arena_fini(&arena);
}
