/* SPDX-License-Identifier: Apache-2.0 */
/* psyne: which command it is. Exit status: 0 done, 1 errors in the input, 2 wrong use, 3 out of memory. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <errno.h>
#include <string.h>

#include "base/near.h"
#include "command/command.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

static int (*const commands[PSY_COMMAND_COUNT])(int argc, char **argv) = {
    [PSY_COMMAND_INSPECT] = psy__inspect,   [PSY_COMMAND_ENCODE] = psy__encode,   [PSY_COMMAND_TYPES] = psy__types,
    [PSY_COMMAND_COUNTERS] = psy__counters, [PSY_COMMAND_SERVE] = psy__serve,     [PSY_COMMAND_CALL] = psy__call,
    [PSY_COMMAND_RUN] = psy__run,           [PSY_COMMAND_BENCH] = psy__bench,     [PSY_COMMAND_TOP] = psy__top,
    [PSY_COMMAND_CHECK] = psy__check,       [PSY_COMMAND_METRICS] = psy__metrics,
};

static _Noreturn void no_such_command(const char *word)
{
    const char *known[PSY_COMMAND_COUNT];
    char help[64];
    bool only;
    for (unsigned i = 1; i < PSY_COMMAND_COUNT; i++) {
        known[i - 1] = psy__command_rows[i].word;
    }
    const char *near = psy__nearest(word, known, PSY_COMMAND_COUNT - 1, &only);
    snprintf(help, sizeof help, near ? "did you mean `%s`?" : "`psyne --help` lists them", near ? near : "");
    psy__misuse(help, "there is no command `%s`", word);
}

/* Without a command. */
static int say_what_it_is(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_NONE, .argc = argc, .argv = argv, .at = 1};
    const char *value;
    switch (psy__line_next(&line, &value)) {
    case PSY_OPTION_VERSION: printf("psyne %s\n", PACKAGE_VERSION); return 0;
    case PSY_OPTION_HELP: psy__help_write(PSY_COMMAND_NONE, stdout); return 0;
    case PSY_OPTION_WORD: no_such_command(value);
    default: psy__misuse("`psyne --help` lists them", "a command was expected");
    }
}

int main(int argc, char **argv)
{
    int (*run)(int argc, char **argv) = NULL;
    for (unsigned i = 1; argc > 1 && i < PSY_COMMAND_COUNT; i++) {
        run = strcmp(argv[1], psy__command_rows[i].word) == 0 ? commands[i] : run;
    }
    int status = run ? run(argc - 1, argv + 1) : say_what_it_is(argc, argv);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "psyne: standard output: %s\n", strerror(errno));
        status = status ? status : 1;
    }
    return status;
}
