/* SPDX-License-Identifier: Apache-2.0 */
#include "lsp/text.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

/* ---- lines and positions ---- */

static bool ends_line(const psc_source *s, uint32_t i)
{
    return s->text[i] == '\n' || (s->text[i] == '\r' && s->text[i + 1] != '\n'); /* the text ends with a NUL */
}

lsp_lines lsp_lines_of(psc_arena *arena, const psc_source *source)
{
    uint32_t count = 1, line = 0;
    for (uint32_t i = 0; i < source->bytes; i++) {
        count += ends_line(source, i);
    }
    uint32_t *starts = psc_alloc(arena, count * sizeof *starts);
    for (uint32_t i = 0; i < source->bytes; i++) {
        if (ends_line(source, i)) {
            starts[++line] = i + 1;
        }
    }
    return (lsp_lines){source, starts, count};
}

/* Bytes of the UTF-8 character at the front of `n` > 0 bytes; 0 where it is none. */
static uint32_t character(const char *text, size_t n)
{
    const unsigned char *t = (const unsigned char *)text;
    uint32_t length = t[0] < 0x80 ? 1 : t[0] < 0xc2 ? 0 : t[0] < 0xe0 ? 2 : t[0] < 0xf0 ? 3 : t[0] < 0xf5 ? 4 : 0;
    for (uint32_t i = 1; i < length; i++) {
        if (i >= n || (t[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool wrong = (t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xed && t[1] > 0x9f) || (t[0] == 0xf0 && t[1] < 0x90) ||
                 (t[0] == 0xf4 && t[1] > 0x8f);
    return length > 1 && wrong ? 0 : length;
}

static uint32_t line_end(const lsp_lines *l, uint32_t line)
{
    uint32_t end = line + 1 < l->count ? l->starts[line + 1] : (uint32_t)l->source->bytes;
    while (line + 1 < l->count && end > l->starts[line] &&
           (l->source->text[end - 1] == '\n' || l->source->text[end - 1] == '\r')) {
        end--;
    }
    return end;
}

json_t *lsp_position(const lsp_lines *l, uint32_t offset)
{
    uint32_t low = 0, high = l->count, units = 0;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        *(l->starts[middle] <= offset ? &low : &high) = middle;
    }
    for (uint32_t at = l->starts[low]; at < offset;) {
        uint32_t n = character(l->source->text + at, l->source->bytes - at);
        units += n == 4 ? 2 : 1;
        at += n ? n : 1;
    }
    return json_pack("{s:i,s:i}", "line", (int)low, "character", (int)units);
}

json_t *lsp_range(const lsp_lines *l, uint32_t begin, uint32_t end)
{
    return json_pack("{s:o,s:o}", "start", lsp_position(l, begin), "end", lsp_position(l, end));
}

bool lsp_offset(const lsp_lines *l, const json_t *position, uint32_t *offset)
{
    const json_t *line = json_object_get(position, "line"), *unit = json_object_get(position, "character");
    if (!json_is_integer(line) || !json_is_integer(unit) || json_integer_value(line) < 0 || json_integer_value(unit) < 0) {
        return false;
    }
    if (json_integer_value(line) >= l->count) {
        *offset = (uint32_t)l->source->bytes;
        return true;
    }
    uint32_t number = (uint32_t)json_integer_value(line), at = l->starts[number], end = line_end(l, number);
    for (json_int_t units = 0; at < end;) {
        uint32_t n = character(l->source->text + at, end - at);
        units += n == 4 ? 2 : 1;
        if (units > json_integer_value(unit)) {
            break; /* also in the middle of a pair */
        }
        at += n ? n : 1;
    }
    *offset = at;
    return true;
}

/* ---- URIs ---- */

static int hex(char c) { return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1; }

const char *lsp_path_of(psc_arena *arena, const char *uri)
{
    if (strncmp(uri, "file:", 5) != 0) {
        return psc_strndup(arena, uri, strlen(uri));
    }
    const char *from = uri + 5;
    if (strncmp(from, "//", 2) == 0) {
        from += 2;
        from += strcspn(from, "/"); /* the host: this one */
    }
    char *path = psc_alloc(arena, strlen(from) + 1), *to = path;
    for (; *from && *from != '?' && *from != '#'; from++) {
        int high = *from == '%' ? hex(from[1]) : -1, low = high >= 0 ? hex(from[2]) : -1;
        if (low >= 0 && (high || low)) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    return lsp_path_clean(arena, path);
}

const char *lsp_path_clean(psc_arena *arena, const char *path)
{
    if (*path != '/' && strstr(path, ":/")) {
        return path; /* a URI */
    }
    char folder[4096];
    if (*path != '/') {
        path = psc_format(arena, "%s/%s", getcwd(folder, sizeof folder) ? folder : "", path);
    }
    char *clean = psc_alloc(arena, strlen(path) + 2), *to = clean;
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && memcmp(path, "..", 2) == 0) {
            while (to > clean && *--to != '/') {
            }
        } else if (n > 0 && !(n == 1 && *path == '.')) {
            *to++ = '/';
            memcpy(to, path, n);
            to += n;
        }
        path += n + (path[n] == '/');
    }
    *to = '\0';
    return to == clean ? "/" : clean;
}

const char *lsp_uri_of(psc_arena *arena, const char *path)
{
    const char *clean = lsp_path_clean(arena, path);
    if (*clean != '/') {
        return clean;
    }
    char *uri = psc_alloc(arena, 7 + 3 * strlen(clean) + 1), *to = stpcpy(uri, "file://");
    for (; *clean; clean++) {
        unsigned char c = (unsigned char)*clean;
        if (isalnum(c) || strchr("/-._~", c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[c >> 4];
            *to++ = "0123456789ABCDEF"[c & 15];
        }
    }
    return uri;
}

/* ---- texts ---- */

json_t *lsp_text(const char *text, size_t bytes)
{
    json_t *whole = json_stringn(text, bytes);
    if (whole) {
        return whole;
    }
    psc_arena arena;
    psc_arena_init(&arena);
    char *clean = psc_alloc(&arena, 3 * bytes + 1), *to = clean;
    for (size_t i = 0; i < bytes;) {
        uint32_t n = character(text + i, bytes - i);
        memcpy(to, n ? text + i : "\xef\xbf\xbd", n ? n : 3);
        to += n ? n : 3;
        i += n ? n : 1;
    }
    whole = json_stringn(clean, (size_t)(to - clean));
    psc_arena_fini(&arena);
    return whole;
}

const char *lsp_slice(psc_arena *arena, psc_span span, uint32_t most)
{
    char *text = psc_alloc(arena, (size_t)most + 4), *to = text;
    for (uint32_t i = span.begin; i < span.end; i++) {
        char c = span.source->text[i];
        if (to == text + most) {
            return strcpy(to, "...") - most;
        }
        if (!isspace((unsigned char)c)) {
            *to++ = c;
        } else if (to > text && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    return text;
}
