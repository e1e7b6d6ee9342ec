/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, by the tables in commands.def. */
#include "command/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"

const psy__command_row psy__command_rows[PSY_COMMAND_COUNT] = {
#define COMMAND(NAME, word, usage, help) {word, usage, help},
#include "command/commands.def"
};

const psy__option_row psy__option_rows[PSY_OPTION_COUNT] = {
#define OPTION(COMMAND, NAME, spelling, other, value, kind, help)                                                              \
    {PSY_COMMAND_##COMMAND, spelling, other, value, PSY_VALUE_OF_##kind, help},
#include "command/commands.def"
};

_Noreturn void psy__misuse(const char *help, const char *format, ...)
{
    va_list arguments;
    fputs("psyne: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n%s%s%s", help ? "   help: " : "", help ? help : "", help ? "\n" : "");
    exit(2);
}

int psy__complain(const char *file, psy_status status)
{
    fprintf(stderr, "psyne: %s%s%s\n", file ? file : "", file ? ": " : "",
            *psy_detail() ? psy_detail() : psy_status_text(status));
    return status == PSY_NO_MEMORY ? 3 : 1;
}

_Noreturn void psy__no_memory(void)
{
    fputs("psyne: out of memory\n", stderr);
    exit(3);
}

/* ---- arguments ---- */

/* Whether the argument is this spelling, alone or with `=`; *value is what stands behind that, or NULL. */
static bool is(const char *argument, const char *spelling, const char **value)
{
    const size_t n = spelling ? strlen(spelling) : 0;
    if (!spelling || strncmp(argument, spelling, n) != 0) {
        return false;
    }
    *value = argument[n] == '=' ? argument + n + 1 : NULL;
    return argument[n] == '\0' || (argument[n] == '=' && spelling[1] == '-');
}

static _Noreturn void no_such_option(const psy__line *line, const char *argument)
{
    const char *known[PSY_OPTION_COUNT];
    char help[128], name[64];
    size_t count = 0;
    bool only;
    for (size_t i = 0; i < PSY_OPTION_COUNT; i++) {
        if (psy__option_rows[i].command == line->command) {
            known[count++] = psy__option_rows[i].spelling;
        }
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    const char *near = psy__nearest(name, known, count, &only), *word = psy__command_rows[line->command].word;
    if (near) {
        snprintf(help, sizeof help, "did you mean `%s`?", near);
    } else {
        snprintf(help, sizeof help, "`psyne %s%s--help` lists them", word, *word ? " " : "");
    }
    psy__misuse(help, "there is no option `%s`", name);
}

psy__option psy__line_next(psy__line *line, const char **value)
{
    if (line->at < line->argc && !line->only_words && strcmp(line->argv[line->at], "--") == 0) {
        line->only_words = true;
        line->at++;
    }
    if (line->at >= line->argc) {
        return PSY_OPTION_END;
    }
    const char *argument = line->argv[line->at++];
    *value = argument;
    if (line->only_words || argument[0] != '-' || argument[1] == '\0') {
        return PSY_OPTION_WORD;
    }
    for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
        const psy__option_row *o = &psy__option_rows[i];
        if (o->command != line->command || !(is(argument, o->spelling, value) || is(argument, o->other, value))) {
            continue;
        }
        if (!o->value && *value) {
            psy__misuse(NULL, "%s takes no value", o->spelling);
        }
        if (o->value && !*value) {
            if (line->at >= line->argc) {
                psy__misuse(NULL, "%s needs a value", argument);
            }
            *value = line->argv[line->at++];
        }
        return i;
    }
    no_such_option(line, argument);
}

unsigned psy__number_of(const char *spelling, const char *value, unsigned most)
{
    char *end;
    const unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n > most) {
        psy__misuse(NULL, "%s takes a whole number from 0 to %u, and not `%s`", spelling, most, value);
    }
    return (unsigned)n;
}

unsigned psy__count_of(const char *spelling, const char *value, unsigned most)
{
    const unsigned n = psy__number_of(spelling, value, most);
    if (n == 0) {
        psy__misuse(NULL, "%s is 1 or more", spelling);
    }
    return n;
}

/* ---- help ---- */

void psy__option_usage(const psy__option_row *o, FILE *to)
{
    const char *between = !o->value ? "" : o->spelling[1] == '-' ? "=" : " ";
    fprintf(to, "%s%s%s%s%s", o->other ? o->other : "", o->other ? ", " : "", o->spelling, between, o->value ? o->value : "");
}

/* The text from `column` on, in lines of at most 100. */
static void write_wrapped(const char *text, size_t column, FILE *to)
{
    enum { COLUMNS = 100 };
    size_t at = column;
    for (const char *word = text; *word;) {
        const size_t n = strcspn(word, " ");
        if (at > column && at + 1 + n > COLUMNS) {
            fprintf(to, "\n%*s", (int)column, "");
            at = column;
        }
        fprintf(to, "%s%.*s", at > column ? " " : "", (int)n, word);
        at += n + (at > column);
        word += n + (word[n] == ' ');
    }
    fputc('\n', to);
}

void psy__help_write(psy__command command, FILE *to)
{
    enum { COLUMN = 26 };
    const psy__command_row *c = &psy__command_rows[command];
    fprintf(to, "usage: psyne %s%s%s%s[OPTION...]\n  ", c->word, *c->word ? " " : "", c->usage, *c->usage ? " " : "");
    write_wrapped(c->help, 2, to);
    for (unsigned i = 1; command == PSY_COMMAND_NONE && i < PSY_COMMAND_COUNT; i++) {
        fprintf(to, "%s  %-9s%-*s", i == 1 ? "\nCommands (`psyne COMMAND --help` says more):\n" : "", psy__command_rows[i].word,
                COLUMN - 11, psy__command_rows[i].usage);
        write_wrapped(psy__command_rows[i].help, COLUMN, to);
    }
    fputs("\nOptions:\n", to);
    for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
        const psy__option_row *o = &psy__option_rows[i];
        if (o->command != command) {
            continue;
        }
        char *usage = NULL;
        size_t n = 0;
        FILE *text = open_memstream(&usage, &n);
        if (!text) {
            psy__no_memory();
        }
        psy__option_usage(o, text);
        fclose(text);
        fprintf(to, "  %-*s", COLUMN - 2, usage);
        free(usage);
        write_wrapped(o->help, COLUMN, to);
    }
}
