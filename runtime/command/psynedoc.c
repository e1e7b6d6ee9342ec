/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what is made of the tables of commands, counters and metrics: `psynedoc <TEMPLATE`, for `make update-docs`. Lines of
 * the template that are @{NAME} alone are replaced. */
#include <string.h>

#include <psyne/counters.h>

#include "command/command.h"
#include "telemetry/metrics.h"

static const char *word_of(unsigned command) { return command == PSY_COMMAND_NONE ? "none" : psy__command_rows[command].word; }

/* ---- the manual page ---- */

static void put_roff(const char *text, FILE *to)
{
    for (; *text; text++) {
        fputs(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : "", to);
        if (*text != '-' && *text != '\\') {
            fputc(*text, to);
        }
    }
}

static void put_usage_roff(const psy__option_row *o, FILE *to)
{
    char usage[128] = "";
    FILE *text = fmemopen(usage, sizeof usage, "w");
    if (text) {
        psy__option_usage(o, text);
        fclose(text);
    }
    put_roff(usage, to);
}

static void write_synopsis(FILE *to)
{
    for (unsigned i = 1; i < PSY_COMMAND_COUNT; i++) {
        const psy__command_row *c = &psy__command_rows[i];
        fprintf(to, "%s.B psyne %s\n%s%s[\\fIOPTION\\fR...]\n", i > 1 ? ".br\n" : "", c->word, c->usage, *c->usage ? "\n" : "");
    }
}

static void write_roff_options(FILE *to)
{
    for (unsigned c = 0; c < PSY_COMMAND_COUNT; c++) {
        if (c == PSY_COMMAND_NONE) {
            fputs(".SH OPTIONS\n", to);
        } else {
            fprintf(to, ".SS psyne %s\n", psy__command_rows[c].word);
            put_roff(psy__command_rows[c].help, to);
            fputs(".\n", to);
        }
        for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
            if (psy__option_rows[i].command == c) {
                fputs(".TP\n.B ", to);
                put_usage_roff(&psy__option_rows[i], to);
                fputc('\n', to);
                put_roff(psy__option_rows[i].help, to);
                fputc('\n', to);
            }
        }
    }
}

/* ---- completion ---- */

static void write_words(FILE *to)
{
    fputs("    local words='", to);
    for (unsigned i = 1; i < PSY_COMMAND_COUNT; i++) {
        fprintf(to, "%s%s", i > 1 ? " " : "", psy__command_rows[i].word);
    }
    fputs("'\n", to);
}

static void write_values(FILE *to)
{
    for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
        const psy__option_row *o = &psy__option_rows[i];
        if (!o->value) {
            continue;
        }
        fprintf(to, "    %s%s", word_of(o->command), o->spelling);
        if (o->other) {
            fprintf(to, "|%s%s", word_of(o->command), o->other);
        }
        fprintf(to, ") _psyne_%s; return ;;\n",
                o->kind == PSY_VALUE_OF_MODULE ? "modules"
                : o->kind == PSY_VALUE_OF_TYPE ? "types"
                : o->kind == PSY_VALUE_OF_FILE ? "files"
                                               : "nothing");
    }
}

static void write_lists(FILE *to)
{
    for (unsigned c = 0; c < PSY_COMMAND_COUNT; c++) {
        fprintf(to, "    %s) echo '", word_of(c));
        const char *between = "";
        for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
            const psy__option_row *o = &psy__option_rows[i];
            if (o->command == c) {
                fprintf(to, "%s%s%s%s", between, o->spelling, o->other ? " " : "", o->other ? o->other : "");
                between = " ";
            }
        }
        fputs("' ;;\n", to);
    }
}

/* ---- Markdown ---- */

static void write_options(FILE *to)
{
    for (unsigned c = 1; c < PSY_COMMAND_COUNT; c++) {
        const psy__command_row *row = &psy__command_rows[c];
        fprintf(to, "%s`psyne %s %s [OPTION...]`: %s\n\n| option | |\n|---|---|\n", c > 1 ? "\n" : "", row->word, row->usage,
                row->help);
        for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
            const psy__option_row *o = &psy__option_rows[i];
            if (o->command == c) {
                fputs("| `", to);
                psy__option_usage(o, to);
                fprintf(to, "` | %s |\n", o->help);
            }
        }
    }
}

static void write_counters(FILE *to)
{
    static const char *const kinds[] = {"", "counter", "gauge", "position", "peak"};
    const psy_counters_descriptor *d;
    for (unsigned i = 0; (d = psy_counters_table(i)) != NULL; i++) {
        if (d->kind == PSY_COUNTERS_SECTION) {
            fprintf(to, "%s| `%s`: %s | kind | unit | |\n|---|---|---|---|\n", i ? "\n" : "", d->name, d->help);
        } else {
            fprintf(to, "| `%s` | %s | %s | %s |\n", d->name, kinds[d->kind], d->unit, d->help);
        }
    }
    fputc('\n', to);
}

static void write_metrics(FILE *to)
{
    psy__family f;
    fputs("| metric | type | labels | |\n|---|---|---|---|\n", to);
    for (unsigned i = 0; psy__family_at(i, &f); i++) {
        fprintf(to, "| `%s` | %s | %s | %s |\n", f.name, f.type, f.labels, f.help);
    }
    fputc('\n', to);
}

static const struct {
    const char *name;
    void (*write)(FILE *to);
} parts[] = {{"@{SYNOPSIS}\n", write_synopsis}, {"@{OPTIONS}\n", write_roff_options}, {"@{WORDS}\n", write_words},
             {"@{VALUES}\n", write_values},     {"@{LISTS}\n", write_lists},          {"@{TABLES}\n", write_options},
             {"@{COUNTERS}\n", write_counters}, {"@{METRICS}\n", write_metrics}};

int main(void)
{
    char line[1024];
    while (fgets(line, sizeof line, stdin)) {
        size_t i = 0;
        while (i < sizeof parts / sizeof parts[0] && strcmp(line, parts[i].name) != 0) {
            i++;
        }
        if (i < sizeof parts / sizeof parts[0]) {
            parts[i].write(stdout);
        } else {
            fputs(line, stdout);
        }
    }
    return fflush(stdout) != 0 || ferror(stdin);
}
