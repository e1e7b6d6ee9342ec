/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "diagnostic.h"

static void line(psc_json *j)
{
    if (j->pretty) {
        fputc('\n', j->to);
        for (unsigned i = 0; i < j->depth; i++) {
            fputs("  ", j->to);
        }
    }
}

static void put_text(psc_json *j, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);
    fputc('"', j->to);
    for (uint32_t i = 0; i < n;) {
        uint32_t length = psc_character(text + i, n - i);
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            fprintf(j->to, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(j->to, "\\u%04x", c);
        } else if (length) {
            fwrite(text + i, 1, length, j->to);
        } else {
            fputs("\xef\xbf\xbd", j->to);
        }
        i += length ? length : 1;
    }
    fputc('"', j->to);
}

static void begin(psc_json *j, const char *key)
{
    fputs(j->comma ? "," : "", j->to);
    if (j->depth) {
        line(j);
    }
    j->comma = true;
    if (key) {
        put_text(j, key);
        fputs(j->pretty ? ": " : ":", j->to);
    }
}

void psc_json_open(psc_json *j, const char *key, char open)
{
    begin(j, key);
    fputc(open, j->to);
    j->depth++;
    j->comma = false;
}

void psc_json_close(psc_json *j, char close)
{
    j->depth--;
    if (j->comma) {
        line(j);
    }
    fputc(close, j->to);
    j->comma = true;
}

void psc_json_text(psc_json *j, const char *key, const char *text)
{
    begin(j, key);
    if (text) {
        put_text(j, text);
    } else {
        fputs("null", j->to);
    }
}

void psc_json_number(psc_json *j, const char *key, uint64_t number)
{
    begin(j, key);
    fprintf(j->to, "%" PRIu64, number);
}

void psc_json_raw(psc_json *j, const char *key, const char *text)
{
    begin(j, key);
    fputs(text, j->to);
}

void psc_json_flag(psc_json *j, const char *key, bool flag)
{
    begin(j, key);
    fputs(flag ? "true" : "false", j->to);
}
