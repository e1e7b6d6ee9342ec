/* SPDX-License-Identifier: Apache-2.0 */
#include "message/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message/number.h"

/* ---- what is wrong ---- */

static bool stop(psy__json *j, uint32_t where, const char *what)
{
    j->status = PSY_CORRUPT;
    j->where = where;
    j->what = what;
    return false;
}

psy_status psy__json_refuse(const psy__json *j, uint32_t where, const char *path, const char *format, ...)
{
    char what[256];
    uint32_t line = 1, begin = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    for (uint32_t i = 0; i < where; i++) {
        if (j->text[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    return psy_fail(PSY_CORRUPT, "line %u, column %u: %s%s%s", line, where - begin + 1, path, *path ? ": " : "", what);
}

/* ---- words ---- */

static char peek(const psy__json *j) { return j->at < j->n ? j->text[j->at] : '\0'; }

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static void skip_blanks(psy__json *j)
{
    while (j->at < j->n && is_blank(j->text[j->at])) {
        j->at++;
    }
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static uint32_t digits(psy__json *j)
{
    const uint32_t from = j->at;
    while (is_digit(peek(j))) {
        j->at++;
    }
    return j->at - from;
}

static bool scan_number(psy__json *j)
{
    const uint32_t from = j->at;
    j->at += peek(j) == '-';
    const bool zero = peek(j) == '0';
    j->at += zero;
    bool good = zero || digits(j) > 0;
    if (good && peek(j) == '.') {
        j->at++;
        good = digits(j) > 0;
    }
    if (good && (peek(j) == 'e' || peek(j) == 'E')) {
        j->at++;
        j->at += peek(j) == '+' || peek(j) == '-';
        good = digits(j) > 0;
    }
    return !good                                ? stop(j, from, "no number is written so")
           : j->at - from > PSY_NUMBER_TEXT_MAX ? stop(j, from, "a number of over 1024 characters")
                                                : true;
}

/* Four digits behind "\u"; -1: there are none. */
static int hex4(const psy__json *j, uint32_t at)
{
    int value = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const char c = at + i < j->n ? j->text[at + i] : ' ';
        const int digit = is_digit(c)            ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* The character that the escape at `at` (a backslash) says, and how long it is; -1: none. */
static long escape_at(const psy__json *j, uint32_t at, uint32_t *length)
{
    static const char letters[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char c = at + 1 < j->n ? j->text[at + 1] : '\0';
    const char *letter = c ? strchr(letters, c) : NULL;
    *length = 2;
    if (letter) {
        return means[letter - letters];
    }
    const int high = c == 'u' ? hex4(j, at + 2) : -1;
    *length = 6;
    if (high < 0xd800 || high > 0xdfff) {
        return high;
    }
    const bool pair = high < 0xdc00 && at + 7 < j->n && j->text[at + 6] == '\\' && j->text[at + 7] == 'u';
    const int low = pair ? hex4(j, at + 8) : -1;
    *length = 12;
    return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00) : -1;
}

static bool scan_text(psy__json *j)
{
    const uint32_t from = j->at++;
    while (j->at < j->n && j->text[j->at] != '"') {
        uint32_t length;
        const unsigned char c = (unsigned char)j->text[j->at];
        if (c < 0x20) {
            return stop(j, j->at, "a control character in a text: it is written as \\u00XX");
        }
        if (c == '\\') {
            if (escape_at(j, j->at, &length) < 0) {
                return stop(j, j->at, "no character is written so");
            }
        } else {
            length = (uint32_t)psy_utf8_character((const unsigned char *)j->text + j->at, j->n - j->at);
            if (length == 0) {
                return stop(j, j->at, "this is no UTF-8");
            }
        }
        j->at += length;
    }
    return j->at++ < j->n ? true : stop(j, from, "the text does not end");
}

static bool scan_word(psy__json *j, const char *word)
{
    const uint32_t n = (uint32_t)strlen(word);
    if (n > j->n - j->at || memcmp(j->text + j->at, word, n) != 0) {
        return stop(j, j->at, "a value was expected");
    }
    j->at += n;
    return true;
}

/* ---- values ---- */

static uint32_t add_node(psy__json *j, psy__json_kind kind, uint32_t key)
{
    if (j->count == j->room) {
        const uint32_t room = j->room ? 2 * j->room : 64;
        psy__json_node *more = room <= PSY_JSON_NODES_MAX ? realloc(j->nodes, room * sizeof *more) : NULL;
        if (!more) {
            j->status = room > PSY_JSON_NODES_MAX ? PSY_TOO_LARGE : PSY_NO_MEMORY;
            j->where = j->at;
            return PSY_NONE;
        }
        j->nodes = more;
        j->room = room;
    }
    j->nodes[j->count] = (psy__json_node){
        .begin = j->at, .key = key, .next = PSY_NONE, .child = PSY_NONE, .field = PSY_NONE, .kind = (uint8_t)kind};
    return j->count++;
}

psy__json_kind psy__json_kind_at(const psy__json *j, uint32_t at)
{
    switch (at < j->n ? j->text[at] : '\0') {
    case '{': return PSY_JSON_OBJECT;
    case '[': return PSY_JSON_ARRAY;
    case '"': return PSY_JSON_TEXT;
    case 't':
    case 'f': return PSY_JSON_BOOL;
    case 'n': return PSY_JSON_NULL;
    default: return PSY_JSON_NUMBER;
    }
}

static bool scan_scalar(psy__json *j, psy__json_kind kind)
{
    switch (kind) {
    case PSY_JSON_TEXT: return scan_text(j);
    case PSY_JSON_BOOL: return scan_word(j, peek(j) == 't' ? "true" : "false");
    case PSY_JSON_NULL: return scan_word(j, "null");
    default:
        return is_digit(peek(j)) || peek(j) == '-'
                   ? scan_number(j)
                   : stop(j, j->at, j->at < j->n ? "a value was expected" : "the text ends where a value was expected");
    }
}

static bool scan_value(psy__json *j, uint32_t depth, uint32_t key, uint32_t *node);

/* A member's key and the colon. */
static bool scan_key(psy__json *j, uint32_t *key)
{
    *key = j->at;
    if (peek(j) != '"') {
        return stop(j, j->at, "a key was expected, in double quotes");
    }
    if (!scan_text(j)) {
        return false;
    }
    skip_blanks(j);
    if (peek(j) != ':') {
        return stop(j, j->at, "`:` was expected");
    }
    j->at++;
    skip_blanks(j);
    return true;
}

/* What stands in the brackets of node `in`. */
static bool scan_inside(psy__json *j, uint32_t depth, uint32_t in)
{
    const bool object = j->nodes[in].kind == PSY_JSON_OBJECT;
    const char end = object ? '}' : ']';
    uint32_t last = PSY_NONE, count = 0;
    j->at++;
    skip_blanks(j);
    while (peek(j) != end || count > 0) {
        uint32_t key = PSY_NONE, node;
        if ((object && !scan_key(j, &key)) || !scan_value(j, depth + 1, key, &node)) {
            return false;
        }
        if (node != PSY_NONE) {
            *(last == PSY_NONE ? &j->nodes[in].child : &j->nodes[last].next) = node;
            last = node;
        }
        count++;
        skip_blanks(j);
        if (peek(j) == end) {
            break;
        }
        if (peek(j) != ',') {
            return stop(j, j->at, object ? "`,` or `}` was expected" : "`,` or `]` was expected");
        }
        j->at++;
        skip_blanks(j);
    }
    j->at++;
    j->nodes[in].count = count;
    return true;
}

/* Elements that are no arrays or objects get no node. */
static bool scan_value(psy__json *j, uint32_t depth, uint32_t key, uint32_t *node)
{
    const psy__json_kind kind = psy__json_kind_at(j, j->at);
    const bool nests = kind == PSY_JSON_ARRAY || kind == PSY_JSON_OBJECT;
    *node = PSY_NONE;
    if (nests && depth >= PSY_JSON_DEPTH_MAX) {
        return stop(j, j->at, "brackets in brackets, over 32 deep");
    }
    if (nests || key != PSY_NONE || depth == 0) {
        *node = add_node(j, kind, key);
        if (*node == PSY_NONE) {
            return false;
        }
    }
    if (!(nests ? scan_inside(j, depth, *node) : scan_scalar(j, kind))) {
        return false;
    }
    if (*node != PSY_NONE) {
        j->nodes[*node].end = j->at;
    }
    return true;
}

psy_status psy__json_read(psy__json *j)
{
    uint32_t node;
    skip_blanks(j);
    if (j->at == j->n) {
        return psy_fail(PSY_NOT_FOUND, "no JSON is there");
    }
    if (scan_value(j, 0, PSY_NONE, &node)) {
        return PSY_OK;
    }
    return j->status == PSY_NO_MEMORY   ? psy_fail(PSY_NO_MEMORY, "no memory for the index of a text")
           : j->status == PSY_TOO_LARGE ? psy_fail(PSY_TOO_LARGE, "over %d members and arrays in a text", PSY_JSON_NODES_MAX)
                                        : psy__json_refuse(j, j->where, "", "%s", j->what);
}

void psy__json_free(psy__json *j)
{
    free(j->nodes);
    j->nodes = NULL;
}

/* ---- of what was read ---- */

/* In brackets, so that something else follows. */
static uint32_t past_blanks(const psy__json *j, uint32_t at)
{
    while (is_blank(j->text[at])) {
        at++;
    }
    return at;
}

uint32_t psy__json_first(const psy__json *j, const psy__json_node *array)
{
    return array->count ? past_blanks(j, array->begin + 1) : array->end;
}

uint32_t psy__json_end(const psy__json *j, uint32_t at)
{
    if (j->text[at] != '"') {
        while (at < j->n && !is_blank(j->text[at]) && j->text[at] != ',' && j->text[at] != ']' && j->text[at] != '}') {
            at++;
        }
        return at;
    }
    for (at++; j->text[at] != '"'; at++) {
        at += j->text[at] == '\\';
    }
    return at + 1;
}

uint32_t psy__json_past(const psy__json *j, uint32_t end)
{
    end = past_blanks(j, end);
    return j->text[end] == ',' ? past_blanks(j, end + 1) : end;
}

uint32_t psy__json_behind(const psy__json *j, uint32_t at) { return psy__json_past(j, psy__json_end(j, at)); }

static uint32_t put_utf8(unsigned char *to, long c)
{
    const uint32_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (unsigned char)(lead[more] | c >> 6 * more);
    for (uint32_t i = 1; i <= more; i++) {
        to[i] = (unsigned char)(0x80 | (c >> 6 * (more - i) & 0x3f));
    }
    return more + 1;
}

/* The bytes that come from `*at` on, which moves: of an escape those of its character, else one. 0: the text ends. */
static uint32_t next_bytes(const psy__json *j, uint32_t *at, unsigned char to[4])
{
    uint32_t length;
    if (j->text[*at] == '"') {
        return 0;
    }
    if (j->text[*at] == '\\') {
        const uint32_t n = put_utf8(to, escape_at(j, *at, &length));
        *at += length;
        return n;
    }
    to[0] = (unsigned char)j->text[(*at)++];
    return 1;
}

uint32_t psy__json_text_bytes(const psy__json *j, uint32_t at)
{
    unsigned char bytes[4];
    uint32_t all = 0;
    for (at++; j->text[at] != '"';) {
        all += j->text[at] == '\\' ? next_bytes(j, &at, bytes) : (at++, 1u);
    }
    return all;
}

void psy__json_text_copy(const psy__json *j, uint32_t at, unsigned char *to)
{
    for (at++; j->text[at] != '"';) {
        if (j->text[at] == '\\') {
            unsigned char bytes[4];
            const uint32_t n = next_bytes(j, &at, bytes);
            memcpy(to, bytes, n);
            to += n;
        } else {
            *to++ = (unsigned char)j->text[at++];
        }
    }
}

bool psy__json_text_is(const psy__json *j, uint32_t at, const char *word)
{
    unsigned char bytes[4];
    const size_t length = strlen(word);
    size_t all = 0;
    uint32_t n;
    for (at++; (n = next_bytes(j, &at, bytes)) > 0; all += n) {
        if (n > length - all || memcmp(bytes, word + all, n) != 0) {
            return false;
        }
    }
    return all == length;
}
