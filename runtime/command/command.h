/* SPDX-License-Identifier: Apache-2.0 */
/* psyne: its commands, a file each, and what they share. main.c finds which it is. Exit status: 0 done, 1 errors in the input,
 * 2 wrong use, 3 out of memory.
 *
 *   psy__line line = {.command = PSY_COMMAND_TYPES, .argc = argc, .argv = argv, .at = 1};
 *   const char *value;
 *   for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) { ... } */
#ifndef PSY_COMMAND_COMMAND_H
#define PSY_COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include <psyne/module.h>

typedef enum psy__command {
#define COMMAND(NAME, word, usage, help) PSY_COMMAND_##NAME,
#include "command/commands.def"
    PSY_COMMAND_COUNT
} psy__command;

typedef enum psy__option {
#define OPTION(COMMAND, NAME, spelling, other, value, kind, help) PSY_OPTION_##NAME,
#include "command/commands.def"
    PSY_OPTION_COUNT,
    PSY_OPTION_WORD, /* no option: value is the argument */
    PSY_OPTION_END
} psy__option;

typedef enum psy__option_value {
    PSY_VALUE_OF_NONE,
    PSY_VALUE_OF_FILE,
    PSY_VALUE_OF_MODULE,
    PSY_VALUE_OF_NUMBER,
    PSY_VALUE_OF_TYPE,
    PSY_VALUE_OF_TEXT
} psy__option_value;

typedef struct psy__command_row {
    const char *word, *usage, *help;
} psy__command_row;

typedef struct psy__option_row {
    psy__command command;
    const char *spelling, *other, *value;
    psy__option_value kind;
    const char *help;
} psy__option_row;

extern const psy__command_row psy__command_rows[PSY_COMMAND_COUNT];
extern const psy__option_row psy__option_rows[PSY_OPTION_COUNT];

/* ---- options.c ---- */

typedef struct psy__line {
    psy__command command;
    int argc, at;
    char **argv;
    bool only_words; /* after -- */
} psy__line;

/* The next option, with its value. Wrong use ends the program. */
psy__option psy__line_next(psy__line *line, const char **value);
void psy__help_write(psy__command command, FILE *to);
/* "-o FILE, --output=FILE": how it is written. */
void psy__option_usage(const psy__option_row *o, FILE *to);
/* A whole number from 0 to `most`; else the program ends. */
unsigned psy__number_of(const char *spelling, const char *value, unsigned most);
/* The same from 1. */
unsigned psy__count_of(const char *spelling, const char *value, unsigned most);

/* Says it, and ends the program with 2. `help` may be NULL. */
_Noreturn void psy__misuse(const char *help, const char *format, ...) PSY_PRINTF(2, 3);
/* Says what went wrong, with the file that it went wrong with (NULL: none). Gives the exit status: 1, or 3 where memory ran
 * out. */
int psy__complain(const char *file, psy_status status);
_Noreturn void psy__no_memory(void);

/* ---- input.c ---- */

/* What `--module` and `--type` say, or the only message type that there is. The caller closes the module, which is NULL where
 * something is wrong, and that was said. */
psy_module *psy__type_open(const char *module, const char *name, psy_type *type, int *status);

/* A file that is read, "-": standard input. NULL: it was said why not. */
FILE *psy__file_open(const char *path);
/* What messages about it call it. */
const char *psy__file_name(const char *path);

/* Memory for messages and texts: grows, at a multiple of 64. */
typedef struct psy__room {
    unsigned char *at;
    size_t bytes;
} psy__room;
/* At least so many bytes; what is there is kept up to `used`. */
void psy__room_grow(psy__room *room, size_t bytes, size_t used);
/* All of a file, "-": standard input, up to where it has over 1 GiB. IO: the detail names it. */
PSY_NODISCARD psy_status psy__file_read(const char *path, psy__room *room, size_t *n);

/* ---- the commands ---- */

/* argv[0] is the command's word. */
int psy__inspect(int argc, char **argv);
int psy__encode(int argc, char **argv);
int psy__types(int argc, char **argv);
int psy__counters(int argc, char **argv);
int psy__serve(int argc, char **argv);
int psy__call(int argc, char **argv);
int psy__run(int argc, char **argv);
int psy__bench(int argc, char **argv);
int psy__top(int argc, char **argv);
int psy__check(int argc, char **argv);
int psy__metrics(int argc, char **argv);

#endif
