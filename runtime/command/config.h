/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: the options of a command, a line each, without their dashes.
 *
 *   # comments begin with this, alone or after a blank
 *   shards = 2
 *   data   = words=words.npy          a key that may stand several times makes a list
 *   log    = "/var/log/my file.log"   quotes where a value has a # or blanks at its ends
 *   counters = no                     options without a value are yes or no
 *
 * Everything is bounded, and whatever the bytes are, the file is read or its lines are said to be wrong. */
#ifndef PSY_COMMAND_CONFIG_H
#define PSY_COMMAND_CONFIG_H

#include "command/command.h"

enum { PSY_CONFIG_BYTES_MAX = 1 << 20, PSY_CONFIG_ERRORS_MAX = 20 };

typedef struct psy__config_reader {
    psy__command command;
    /* Whether the option is a key of files at all. */
    bool (*knows)(psy__option option);
    /* INVALID, with the detail: what is wrong with the value. `value` is NULL for an option without one. */
    psy_status (*set)(void *context, psy__option option, const char *value);
    /* One error: "FILE:LINE: what". At most PSY_CONFIG_ERRORS_MAX. */
    void (*say)(void *context, const char *error);
    void *context;
} psy__config_reader;

/* Reads all of the file, whatever is wrong in it. False: something was said. Blocks on the file; allocates. */
bool psy__config_read(const char *path, const psy__config_reader *reader);

/* "key = value", quoted where it must be. */
void psy__config_put(FILE *to, const char *key, const char *value);

#endif
