/* SPDX-License-Identifier: Apache-2.0 */
/* psyne check: what this machine offers, or whether a service answers. */
#include "command/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/json_text.h"

/* ---- findings ---- */

static char *text_of(const char *format, va_list arguments)
{
    char text[1000], *copy;
    vsnprintf(text, sizeof text, format, arguments);
    copy = strdup(text);
    if (!copy) {
        psy__no_memory();
    }
    return copy;
}

static psy__finding *new_row(psy__findings *f, const char *group, const char *key)
{
    psy__finding *rows = realloc(f->rows, (f->row_count + 1) * sizeof *rows);
    if (!rows) {
        psy__no_memory();
    }
    f->rows = rows;
    rows[f->row_count] = (psy__finding){.group = group, .key = key};
    return &rows[f->row_count++];
}

void psy__find_text(psy__findings *f, const char *group, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    new_row(f, group, key)->text = text_of(format, arguments);
    va_end(arguments);
}

void psy__find_number(psy__findings *f, const char *group, const char *key, uint64_t number, const char *unit)
{
    psy__finding *row = new_row(f, group, key);
    row->number = number;
    row->unit = unit;
}

void psy__advise(psy__findings *f, bool needed, const char *format, ...)
{
    va_list arguments;
    psy__advice *advice = realloc(f->advice, (f->advice_count + 1) * sizeof *advice);
    if (!advice) {
        psy__no_memory();
    }
    f->advice = advice;
    va_start(arguments, format);
    advice[f->advice_count++] = (psy__advice){needed, text_of(format, arguments)};
    va_end(arguments);
    f->lacks = f->lacks || needed;
}

void psy__findings_fini(psy__findings *f)
{
    for (uint32_t i = 0; i < f->row_count; i++) {
        free(f->rows[i].text);
    }
    for (uint32_t i = 0; i < f->advice_count; i++) {
        free(f->advice[i].text);
    }
    free(f->rows);
    free(f->advice);
    *f = (psy__findings){0};
}

/* ---- for people ---- */

/* Bytes as people say them: "7.8 GiB". */
static void print_number(const psy__finding *r)
{
    static const char *const sizes[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    if (strcmp(r->unit, "bytes") != 0 || r->number < 10240) {
        printf("%" PRIu64 "%s%s\n", r->number, *r->unit ? " " : "", r->unit);
        return;
    }
    double n = (double)r->number;
    size_t size = 0;
    for (; n >= 1024 && size + 1 < sizeof sizes / sizeof sizes[0]; size++) {
        n /= 1024;
    }
    printf("%.*f %s\n", n < 100 && n != (double)(uint64_t)n, n, sizes[size]);
}

static void print_all(const psy__findings *f)
{
    const char *group = "";
    for (uint32_t i = 0; i < f->row_count; i++) {
        const psy__finding *r = &f->rows[i];
        if (strcmp(group, r->group) != 0) {
            printf("%s%s\n", i ? "\n" : "", r->group);
            group = r->group;
        }
        printf("  %-24s", r->key);
        if (r->unit) {
            print_number(r);
        } else {
            printf("%s\n", r->text);
        }
    }
    for (uint32_t i = 0; i < f->advice_count; i++) {
        printf("%s  %s: %s\n", i ? "" : "\nadvice\n", f->advice[i].needed ? "needed" : "better", f->advice[i].text);
    }
}

/* ---- for programs ---- */

static void print_key(const char *key)
{
    putchar('"');
    for (; *key; key++) {
        putchar(*key == ' ' ? '_' : *key);
    }
    putchar('"');
}

/* {"group":{"key":...},...,"advice":[{"needed":false,"text":"..."}],"usable":true}; a key that is there again makes a list. */
static void print_json(const psy__findings *f)
{
    putchar('{');
    for (uint32_t i = 0; i < f->row_count; i++) {
        const psy__finding *r = &f->rows[i];
        const bool first = i == 0 || strcmp(f->rows[i - 1].group, r->group) != 0;
        const bool last = i + 1 == f->row_count || strcmp(f->rows[i + 1].group, r->group) != 0;
        if (first) {
            print_key(r->group);
            fputs(":[", stdout);
        }
        fputs(first ? "{\"key\":" : ",{\"key\":", stdout);
        print_key(r->key);
        fputs(",\"value\":", stdout);
        if (r->unit) {
            printf("%" PRIu64 ",\"unit\":\"%s\"}", r->number, r->unit);
        } else {
            psy__json_text(stdout, r->text);
            putchar('}');
        }
        fputs(last ? "]," : "", stdout);
    }
    fputs("\"advice\":[", stdout);
    for (uint32_t i = 0; i < f->advice_count; i++) {
        printf("%s{\"needed\":%s,\"text\":", i ? "," : "", f->advice[i].needed ? "true" : "false");
        psy__json_text(stdout, f->advice[i].text);
        putchar('}');
    }
    printf("],\"usable\":%s}\n", f->lacks ? "false" : "true");
}

/* ---- the command ---- */

int psy__check(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_CHECK, .argc = argc, .argv = argv, .at = 1};
    const char *value, *address = NULL;
    bool json = false, quick = false;
    uint32_t timeout_ms = 2000;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_CHECK_JSON: json = true; break;
        case PSY_OPTION_CHECK_QUICK: quick = true; break;
        case PSY_OPTION_CHECK_TIMEOUT_MS: timeout_ms = psy__number_of("--timeout-ms", value, 3600000); break;
        case PSY_OPTION_CHECK_HELP: psy__help_write(PSY_COMMAND_CHECK, stdout); return 0;
        default:
            if (address) {
                psy__misuse(NULL, "one service is asked, and not `%s` too", value);
            }
            address = value;
        }
    }
    psy__findings f = {0};
    if (address) {
        psy__find_service(&f, address, timeout_ms);
    } else {
        psy__find_machine(&f, quick);
        psy__find_engines(&f, quick);
        psy__find_counters(&f);
    }
    if (json) {
        print_json(&f);
    } else {
        print_all(&f);
    }
    const int status = f.lacks ? 1 : 0;
    psy__findings_fini(&f);
    return status;
}
