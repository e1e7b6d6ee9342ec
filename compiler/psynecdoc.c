/* SPDX-License-Identifier: Apache-2.0 */
/* Writes what is made of the tables of options and diagnostics: `psynecdoc manual|completion|diagnostics|page TEMPLATES`, for
 * `make update-docs`. */
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "diagnostic.h"
#include "optimise.h"
#include "options.h"
#include "output.h"
#include "passes.h"
#include "template.h"

/* Of what is said, not of the build: the same input gives the same page. */
static const char manual_date[] = "2026-11-25";

static psc_arena arena;

/* What `write` writes. */
static const char *text_of(void (*write)(FILE *to))
{
    psc_stream stream;
    size_t n;
    write(psc_stream_open(&stream));
    return psc_stream_close(&stream, &arena, &n);
}

/* A row's words and its group's; each calls with the options of a command, group by group. */
static bool starts_group(unsigned i)
{
    const psc_option *o = &psc_option_rows[i], *before = i ? o - 1 : NULL;
    return !before || before->command != o->command || strcmp(before->group, o->group) != 0;
}

static const char *command_text(unsigned command)
{
    const psc_command_row *c = &psc_command_rows[command];
    return psc_format(&arena, "psynec%s%s", *c->word ? " " : "", c->word);
}

static bool lists_words(const psc_option *o) { return o->kind > PSC_VALUE_FILE && o->kind != PSC_VALUE_CODE; }

/* "header, bytecode", each between `before` and `after`. */
static const char *words_text(psc_value_kind kind, const char *before, const char *after, const char *between)
{
    size_t count;
    const char *const *list = psc_value_words(&arena, kind, &count), *text = "";
    for (size_t i = 0; i < count; i++) {
        text = psc_format(&arena, "%s%s%s%s%s", text, i ? between : "", before, list[i], after);
    }
    return text;
}

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

static void write_synopsis(FILE *to)
{
    for (unsigned i = 0; i < PSC_COMMAND_COUNT; i++) {
        const char *usage = psc_command_rows[i].usage;
        fprintf(to, "%s.B %s\n%s%s[\\fIOPTION\\fR...]\n", i ? ".br\n" : "", command_text(i), usage, *usage ? "\n" : "");
    }
}

static void write_roff_options(FILE *to)
{
    fputs(".SH OPTIONS\nA value of an option with one dash follows it directly or as the next argument; that of an option with "
          "two "
          "dashes follows a\n.B =\nor is the next argument.\n",
          to);
    for (unsigned i = 0; i < PSC_OPTION_COUNT; i++) {
        const psc_option *o = &psc_option_rows[i];
        if (starts_group(i)) {
            if (o->command == PSC_COMMAND_COMPILE) {
                fprintf(to, ".SS %s\n", o->group);
            } else {
                fprintf(to, ".SS %s\n", command_text(o->command));
                put_roff(psc_command_rows[o->command].help, to);
                fputs(".\n", to);
            }
        }
        fputs(".TP\n.B ", to);
        put_roff(psc_option_usage(&arena, o), to);
        fputc('\n', to);
        put_roff(o->help, to);
        if (lists_words(o)) {
            fprintf(to, "\n.br\n%s: ", o->value);
            put_roff(words_text(o->kind, "", "", ", "), to);
        }
        fputc('\n', to);
    }
}

/* ---- completion ---- */

static const char *command_word(unsigned command)
{
    return command == PSC_COMMAND_COMPILE ? "compile" : psc_command_rows[command].word;
}

static void write_values(FILE *to)
{
    for (unsigned i = 0; i < PSC_OPTION_COUNT; i++) {
        const psc_option *o = &psc_option_rows[i];
        if (!o->value || o->kind == PSC_VALUE_LEVEL) {
            continue;
        }
        fprintf(to, "    %s%s)\n", command_word(o->command), o->spelling);
        if (o->kind == PSC_VALUE_FOLDER || o->kind == PSC_VALUE_FILE) {
            fprintf(to, "        compopt -o filenames 2>/dev/null\n        COMPREPLY=($(compgen -%c -- \"$cur\"))\n",
                    o->kind == PSC_VALUE_FOLDER ? 'd' : 'f');
        } else {
            /* Of a list, only its last word is completed. */
            bool list = o->kind == PSC_VALUE_OUTPUT;
            if (list) {
                fputs("        [ \"$cur\" = \"${cur##*,}\" ] || before=${cur%,*},\n", to);
            }
            fprintf(to, "        COMPREPLY=($(compgen %s-W '%s' -- \"${cur##*,}\"))\n", list ? "-P \"$before\" " : "",
                    words_text(o->kind, "", "", " "));
        }
        fputs("        return\n        ;;\n", to);
    }
}

static void write_lists(FILE *to)
{
    for (unsigned c = 0; c < PSC_COMMAND_COUNT; c++) {
        fprintf(to, "    %s) echo '", command_word(c));
        const char *between = "";
        for (unsigned i = 0; i < PSC_OPTION_COUNT; i++) {
            const psc_option *o = &psc_option_rows[i];
            if (o->command != c) {
                continue;
            }
            const char *spelling = o->kind == PSC_VALUE_LEVEL ? words_text(o->kind, o->spelling, "", " ") : o->spelling;
            fprintf(to, "%s%s%s%s", between, spelling, o->other ? " " : "", o->other ? o->other : "");
            between = " ";
            if (o->kind == PSC_VALUE_WARNING) {
                fprintf(to, " %s", words_text(o->kind, "-W", "", " "));
            }
        }
        fputs("' ;;\n", to);
    }
}

static const char *command_words(const char *between)
{
    const char *text = "";
    for (unsigned i = 1; i < PSC_COMMAND_COUNT; i++) {
        text = psc_format(&arena, "%s%s%s", text, i > 1 ? between : "", psc_command_rows[i].word);
    }
    return text;
}

/* ---- Markdown ---- */

static void put_cell(const char *text, FILE *to)
{
    for (; *text; text++) {
        fputs(*text == '|' ? "\\" : "", to);
        fputc(*text, to);
    }
}

static void write_options(FILE *to)
{
    for (unsigned i = 0; i < PSC_OPTION_COUNT; i++) {
        const psc_option *o = &psc_option_rows[i];
        if (i == 0 || psc_option_rows[i - 1].command != o->command) {
            const psc_command_row *c = &psc_command_rows[o->command];
            fprintf(to, "%s`%s %s%s[OPTION...]`: %s\n\n", i ? "\n" : "", command_text(o->command), c->usage,
                    *c->usage ? " " : "", c->help);
            fputs("| option | |\n|---|---|\n", to);
        }
        fprintf(to, "| `%s` | ", psc_option_usage(&arena, o));
        put_cell(o->help, to);
        if (lists_words(o)) {
            fprintf(to, ": %s", words_text(o->kind, "`", "`", ", "));
        }
        fputs(" |\n", to);
    }
}

static void write_passes(FILE *to)
{
    for (size_t i = 0; psc_pass_name(i); i++) {
        fprintf(to, "| `%s` | %s |%s |\n", psc_pass_name(i), psc_pass_does(i), psc_pass_optimises(i) ? "" : " yes");
    }
}

static void write_fast_math(FILE *to)
{
    const char *written, *computed;
    for (unsigned i = 0; psc_fast_math_row(i, &written, &computed); i++) {
        fprintf(to, "| `%s` | `%s` |\n", written, computed);
    }
}

static const char *survival_text(psc_survival survival)
{
    return survival == PSC_SURVIVES_YES ? "yes" : survival == PSC_SURVIVES_NO ? "no" : "it depends";
}

static void write_changes(FILE *to)
{
    for (unsigned i = 0; i < PSC_CHANGE_COUNT; i++) {
        const psc_change_row *row = &psc_change_rows[i];
        fprintf(to, "| `%s` | %s | %s | %s | %s |\n", row->name, row->what, survival_text(row->old_readers),
                survival_text(row->new_readers), row->readers);
    }
}

/* A section a code, its blocks headed by what they are. */
static void write_explanations(FILE *to)
{
    for (psc_code code = 0; code < PSC_CODE_COUNT; code++) {
        psc_stream stream;
        size_t n;
        psc_template_write(psc_template_explain, psc_code_text(code), NULL, psc_stream_open(&stream));
        const char *text = psc_stream_close(&stream, &arena, &n);
        fprintf(to, "\n## %s\n", psc_code_text(code));
        fprintf(to, "*%s%s*", psc_code_title(code), psc_code_severity(code) == PSC_WARNING ? " (warning" : "");
        if (psc_code_severity(code) == PSC_WARNING) {
            fprintf(to, ", `%s`)", psc_warning_name(&arena, code));
        }
        fputs("\n\n", to);
        for (const char *line = text; *line;) {
            size_t length = strcspn(line, "\n"), word = strcspn(line, " \n");
            bool head = strncmp(line, "```", 3) == 0 && word < length;
            if (head) {
                fprintf(to, "%c%.*s:\n\n", line[word + 1] == 'w' ? 'W' : 'R', (int)(length - word - 2), line + word + 2);
            }
            fprintf(to, "%.*s\n", (int)(head ? word : length), line);
            line += length + (line[length] == '\n');
        }
    }
}

int main(int argc, char **argv)
{
    psc_arena_init(&arena);
    const psc_source *templates = argc == 3 ? psc_source_read(&arena, argv[2]) : NULL;
    if (!templates) {
        fputs("usage: psynecdoc manual|completion|diagnostics|page TEMPLATES\n", stderr);
        return 2;
    }
    const char *commands = command_words("|");
    const psc_pair manual[] = {
        {"DATE", manual_date}, {"SYNOPSIS", text_of(write_synopsis)}, {"OPTIONS", text_of(write_roff_options)}, {NULL, NULL}};
    const psc_pair completion[] = {{"COMMANDS", commands},
                                   {"WORDS", command_words(" ")},
                                   {"VALUES", text_of(write_values)},
                                   {"LISTS", text_of(write_lists)},
                                   {NULL, NULL}};
    const psc_pair page[] = {{"OPTIONS", text_of(write_options)},
                             {"PASSES", text_of(write_passes)},
                             {"FAST_MATH", text_of(write_fast_math)},
                             {"CHANGES", text_of(write_changes)},
                             {NULL, NULL}};
    bool is_manual = strcmp(argv[1], "manual") == 0, is_completion = strcmp(argv[1], "completion") == 0;
    psc_template_write(templates->text, argv[1], is_manual ? manual : is_completion ? completion : page, stdout);
    if (strcmp(argv[1], "diagnostics") == 0) {
        write_explanations(stdout);
    }
    psc_arena_fini(&arena);
    return fflush(stdout) != 0;
}
