/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/change.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct part {
    size_t at, n;
} part;

static void cut(soup_input *in, part p)
{
    p.n = p.n > in->n - p.at ? in->n - p.at : p.n;
    memmove(in->bytes + p.at, in->bytes + p.at + p.n, in->n - p.at - p.n);
    in->n -= p.n;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* A word, a number or another character. */
static part pick_token(const soup_input *in)
{
    size_t at = soup_pick(in->n), end;
    while (at > 0 && at < in->n && is_word(in->bytes[at]) && is_word(in->bytes[at - 1])) {
        at--;
    }
    for (end = at; end < in->n && is_word(in->bytes[end]); end++) {
    }
    return (part){at, end > at ? end - at : at < in->n};
}

static part pick_line(const soup_input *in)
{
    size_t at = soup_pick(in->n), end = at;
    while (at > 0 && in->bytes[at - 1] != '\n') {
        at--;
    }
    while (end < in->n && in->bytes[end++] != '\n') {
    }
    return (part){at, end - at};
}

/* From a bracket to the one that closes it, both included; a token where there is none. */
static part pick_brackets(const soup_input *in)
{
    for (size_t at = soup_pick(in->n); at < in->n; at++) {
        uint8_t open = in->bytes[at], close = open == '(' ? ')' : open == '[' ? ']' : open == '{' ? '}' : 0;
        size_t depth = 0;
        for (size_t end = at; close && end < in->n; end++) {
            depth += in->bytes[end] == open;
            depth -= in->bytes[end] == close;
            if (depth == 0) {
                return (part){at, end + 1 - at};
            }
        }
    }
    return pick_token(in);
}

static part pick_part(const soup_input *in)
{
    switch (soup_pick(4)) {
    case 0: return pick_line(in);
    case 1: return pick_brackets(in);
    default: return pick_token(in);
    }
}

/* What is at `p` becomes a copy of a part of another text, or of this one. */
static void replace(soup_input *in, part p, const soup_input *from, part q)
{
    uint8_t copy[512];
    q.n = q.n > sizeof copy ? sizeof copy : q.n;
    if (q.n) {
        memcpy(copy, from->bytes + q.at, q.n);
    }
    cut(in, p);
    soup_insert(in, p.at, copy, q.n);
}

static void change_number(soup_input *in, part p)
{
    unsigned long long number = 0;
    char text[24];
    for (size_t i = 0; i < p.n && in->bytes[p.at + i] >= '0' && in->bytes[p.at + i] <= '9'; i++) {
        number = number * 10 + (in->bytes[p.at + i] - '0');
    }
    static const int steps[] = {1, -1, 2, -2, 8, 63, 64};
    number = soup_pick(4) ? number + (unsigned long long)steps[soup_pick(7)] : number * 2;
    snprintf(text, sizeof text, "%llu", soup_pick(8) ? number : 1ull << soup_pick(64));
    cut(in, p);
    soup_insert(in, p.at, (const uint8_t *)text, strlen(text));
}

static void change_once(soup_input *in, const soup_input *other)
{
    part p = pick_token(in), place = pick_part(in), here = pick_part(in), there = pick_part(other);
    const char *word = soup_word();
    switch (soup_pick(12)) {
    case 0: cut(in, place); break;
    case 1:
    case 2:
        cut(in, p);
        soup_insert(in, p.at, (const uint8_t *)word, strlen(word));
        break;
    case 3: soup_insert(in, p.at, (const uint8_t *)word, strlen(word)); break;
    case 4: /* a byte */
        if (in->n) {
            in->bytes[soup_pick(in->n)] = (uint8_t)(1 + soup_pick(255));
        }
        break;
    case 5: cut(in, (part){p.at, soup_pick(60)}); break;
    case 6: cut(in, (part){p.at, soup_pick(8) ? 0 : in->n}); break; /* the end is missing */
    case 7: replace(in, (part){p.at, 0}, other, there); break;
    case 8: replace(in, place, other, there); break;
    case 9: replace(in, (part){p.at, 0}, in, here); break; /* something again */
    case 10: replace(in, place, in, here); break;
    default:
        for (unsigned tries = 0; tries < 20 && !(p.n && in->bytes[p.at] >= '0' && in->bytes[p.at] <= '9'); tries++) {
            p = pick_token(in);
        }
        change_number(in, p);
        break;
    }
}

void soup_change(soup_input *in, const soup_input *other)
{
    for (size_t changes = 1 + soup_pick(2) * soup_pick(4); changes > 0; changes--) {
        change_once(in, other);
    }
}
