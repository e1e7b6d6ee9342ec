/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "diagnostic.h"
#include "emit.h"
#include "passes.h"

const psc_option psc_option_rows[PSC_OPTION_COUNT] = {
#define OPTION(COMMAND, NAME, spelling, other, value, kind, group, help)                                                       \
    {PSC_COMMAND_##COMMAND, spelling, other, value, PSC_VALUE_##kind, group, help},
#include "options.def"
};

const psc_command_row psc_command_rows[PSC_COMMAND_COUNT] = {
#define COMMAND(NAME, word, usage, help) {word, usage, help},
#include "options.def"
};

_Noreturn void psc_misuse(const char *what, const char *help)
{
    fprintf(stderr, "psynec: %s\n%s%s%s", what, help ? "   help: " : "", help ? help : "", help ? "\n" : "");
    exit(2);
}

/* ---- values ---- */

typedef PSC_LIST(const char *) words;

static void add_warnings(psc_arena *arena, words *list)
{
    for (psc_code code = 0; code < PSC_CODE_COUNT; code++) {
        if (psc_code_severity(code) == PSC_WARNING) {
            const char *name = psc_warning_name(arena, code);
            psc_push(arena, list, name);
            psc_push(arena, list, psc_format(arena, "no-%s", name));
            psc_push(arena, list, psc_format(arena, "error=%s", name));
        }
    }
    psc_push(arena, list, "all");
    psc_push(arena, list, "no-all");
    psc_push(arena, list, "error");
}

const char *const *psc_value_words(psc_arena *arena, psc_value_kind kind, size_t *count)
{
    static const char *const levels[] = {"0", "1", "2"}, *const formats[] = {"text", "json"};
    words list = {0};
    switch (kind) {
    case PSC_VALUE_OUTPUT: *count = PSC_EMIT_COUNT; return psc_emit_names;
    case PSC_VALUE_LEVEL: *count = 3; return levels;
    case PSC_VALUE_FORMAT: *count = 2; return formats;
    case PSC_VALUE_WARNING: add_warnings(arena, &list); break;
    case PSC_VALUE_CODE:
        for (psc_code code = 0; code < PSC_CODE_COUNT; code++) {
            psc_push(arena, &list, psc_code_text(code));
        }
        break;
    case PSC_VALUE_PASS:
        for (size_t i = 0; psc_pass_name(i); i++) {
            psc_push(arena, &list, psc_pass_name(i));
        }
        break;
    default: break;
    }
    *count = list.count;
    return list.at;
}

static const char *listed(psc_arena *arena, const char *const *list, size_t count)
{
    const char *text = "";
    for (size_t i = 0; i < count; i++) {
        text = psc_format(arena, "%s%s%s", text, i == 0 ? "" : i + 1 == count ? " and " : ", ", list[i]);
    }
    return text;
}

size_t psc_value_place(psc_arena *arena, psc_value_kind kind, const char *word, const char *what)
{
    size_t count;
    const char *const *list = psc_value_words(arena, kind, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], word) == 0) {
            return i;
        }
    }
    const char *near = psc_did_you_mean(word, list, count);
    psc_misuse(psc_format(arena, kind == PSC_VALUE_LEVEL ? "%s%s" : "%s `%s`", what, word),
               near ? psc_format(arena, "did you mean `%s`?", near)
                    : psc_format(arena, "there are %s", listed(arena, list, count)));
}

/* ---- arguments ---- */

psc_command_line psc_command_line_begin(psc_arena *arena, psc_command command, int argc, char **argv)
{
    return (psc_command_line){.arena = arena, .command = command, .argc = argc, .at = 1, .argv = argv};
}

/* Whether the argument is the spelling; *value, where it takes one, is what comes with it or after it. */
static bool is(psc_command_line *line, const psc_option *o, const char *spelling, const char **value)
{
    const char *arg = line->argv[line->at];
    size_t n = spelling ? strlen(spelling) : 0;
    if (!spelling || strncmp(arg, spelling, n) != 0 || (!o->value && arg[n])) {
        return false;
    }
    *value = NULL;
    if (!o->value) {
        return true;
    }
    if (arg[n] == '\0' && o->kind != PSC_VALUE_LEVEL) {
        if (line->at + 1 >= line->argc) {
            psc_misuse(psc_format(line->arena, "%s needs a value", spelling), NULL);
        }
        *value = line->argv[++line->at];
        return true;
    }
    bool is_long = spelling[1] == '-';
    *value = arg + n + is_long;
    return arg[n] != '\0' && (!is_long || arg[n] == '=');
}

static _Noreturn void no_such_option(psc_command_line *line, const char *arg)
{
    const char *known[2 * PSC_OPTION_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < PSC_OPTION_COUNT; i++) {
        if (psc_option_rows[i].command == line->command) {
            known[count++] = psc_option_rows[i].spelling;
        }
    }
    const char *near = psc_did_you_mean(arg, known, count);
    psc_misuse(psc_format(line->arena, "there is no option `%s`", arg),
               near ? psc_format(line->arena, "did you mean `%s`?", near) : "`psynec --help` lists them");
}

psc_option_name psc_command_line_next(psc_command_line *line, const char **value)
{
    if (line->at < line->argc && !line->only_files && strcmp(line->argv[line->at], "--") == 0) {
        line->only_files = true;
        line->at++;
    }
    if (line->at >= line->argc) {
        return PSC_OPTION_END;
    }
    const char *arg = line->argv[line->at];
    *value = arg;
    psc_option_name found = PSC_OPTION_FILE;
    if (!line->only_files && arg[0] == '-' && arg[1]) {
        /* Whole spellings first: -Werror is no -W. */
        found = PSC_OPTION_END;
        for (unsigned values = 0; values < 2 && found == PSC_OPTION_END; values++) {
            for (unsigned i = 0; i < PSC_OPTION_COUNT && found == PSC_OPTION_END; i++) {
                const psc_option *o = &psc_option_rows[i];
                bool may = o->command == line->command && (o->value != NULL) == values;
                found = may && (is(line, o, o->spelling, value) || is(line, o, o->other, value)) ? i : found;
            }
        }
        if (found == PSC_OPTION_END) {
            no_such_option(line, arg);
        }
    }
    line->at++;
    return found;
}

/* ---- help ---- */

const char *psc_option_usage(psc_arena *arena, const psc_option *o)
{
    const char *between = !o->value ? "" : o->kind == PSC_VALUE_LEVEL ? "" : o->spelling[1] == '-' ? "=" : " ";
    return psc_format(arena, "%s%s%s%s%s", o->other ? o->other : "", o->other ? ", " : "", o->spelling, between,
                      o->value ? o->value : "");
}

/* The text from `column` on, in lines of at most 100. */
static void write_wrapped(const char *text, unsigned column, FILE *to)
{
    enum { COLUMNS = 100 };
    unsigned at = column;
    for (const char *word = text; *word;) {
        unsigned n = (unsigned)strcspn(word, " ");
        if (at + 1 + n > COLUMNS) {
            fprintf(to, "\n%*s", (int)column - 1, "");
            at = column;
        }
        fprintf(to, "%s%.*s", at == column && word == text ? "" : " ", (int)n, word);
        at += n + 1;
        word += n + (word[n] == ' ');
    }
    fputc('\n', to);
}

void psc_help_write(psc_arena *arena, psc_command command, FILE *to)
{
    enum { COLUMN = 24 };
    const psc_command_row *c = &psc_command_rows[command];
    fprintf(to, "usage: psynec %s%s%s%s[OPTION...]\n", c->word, *c->word ? " " : "", c->usage, *c->usage ? " " : "");
    if (command == PSC_COMMAND_COMPILE) {
        for (unsigned i = 1; i < PSC_COMMAND_COUNT; i++) {
            const psc_command_row *other = &psc_command_rows[i];
            fprintf(to, "       psynec %s %s%s[OPTION...]\n", other->word, other->usage, *other->usage ? " " : "");
        }
        fputs("\n  FILE.psy              message schema: writes the C header FILE.psy.h\n"
              "  FILE.hrm              Harmonics program: writes the module FILE.psm, its kernels included\n"
              "  FILE.hra              assembly: writes the module FILE.psm\n",
              to);
        for (unsigned i = 1; i < PSC_COMMAND_COUNT; i++) {
            fprintf(to, "  %-*s", COLUMN - 2, psc_format(arena, "%s %s", psc_command_rows[i].word, psc_command_rows[i].usage));
            write_wrapped(psc_command_rows[i].help, COLUMN, to);
        }
    } else {
        fputs("  ", to);
        write_wrapped(c->help, 2, to);
    }
    const char *group = "";
    for (unsigned i = 0; i < PSC_OPTION_COUNT; i++) {
        const psc_option *o = &psc_option_rows[i];
        if (o->command != command) {
            continue;
        }
        if (strcmp(group, o->group) != 0) {
            fprintf(to, "\n%s:\n", o->group);
            group = o->group;
        }
        fprintf(to, "  %-*s", COLUMN - 2, psc_option_usage(arena, o));
        write_wrapped(o->help, COLUMN, to);
        size_t count;
        const char *const *list = o->kind == PSC_VALUE_CODE || o->kind == PSC_VALUE_LEVEL || o->kind == PSC_VALUE_FORMAT
                                      ? NULL
                                      : psc_value_words(arena, o->kind, &count);
        if (list) {
            fprintf(to, "%*s", COLUMN, "");
            write_wrapped(psc_format(arena, "%s: %s", o->value, listed(arena, list, count)), COLUMN, to);
        }
    }
}
