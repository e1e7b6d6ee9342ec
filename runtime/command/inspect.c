/* SPDX-License-Identifier: Apache-2.0 */
/* psyne inspect: messages that lie one after the other in files, as JSON. Any version of the type is shown as the module knows
 * it. */
#define _GNU_SOURCE
#include <psyne/json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"
#include "command/progress.h"
#include "command/terminal.h"

typedef struct inspection {
    psy_type type;
    unsigned indent;
    psy__room message, copy;
    int status;
} inspection;

/* The rest of a message whose first `used` bytes are there, as far as the file goes. Memory grows with what comes, and not with
 * what its header says. */
static size_t take(inspection *in, FILE *from, size_t used, size_t bytes)
{
    while (used < bytes) {
        const size_t room = in->message.bytes > used ? in->message.bytes : 2 * used + 4096;
        psy__room_grow(&in->message, room, used);
        const size_t wanted = (bytes < in->message.bytes ? bytes : in->message.bytes) - used;
        const size_t got = fread(in->message.at + used, 1, wanted, from);
        used += got;
        if (got < wanted) {
            break;
        }
    }
    return used;
}

/* Prints the message of `n` bytes, or says what is wrong with it. */
static void show(inspection *in, const char *name, uint64_t at, size_t n, psy__progress *progress)
{
    size_t size;
    psy_status status = psy_message_read(&in->type, in->copy.at, in->copy.bytes, &size, in->message.at, n);
    if (status == PSY_TOO_LARGE && size > 0) {
        psy__room_grow(&in->copy, size, 0);
        status = psy_message_read(&in->type, in->copy.at, in->copy.bytes, &size, in->message.at, n);
    }
    if (status == PSY_OK) {
        status = psy_message_print_file(&in->type, in->copy.at, size, in->indent, stdout);
        if (status == PSY_OK && in->indent == 0) {
            putchar('\n');
        }
    }
    if (status != PSY_OK) {
        fflush(stdout);
        psy__progress_clear(progress);
        fprintf(stderr, "psyne: %s: at byte %" PRIu64 ": %s\n", name, at, psy_detail());
        in->status = 1;
    }
}

/* 0: nobody knows. */
static uint64_t bytes_of(FILE *file)
{
    struct stat st;
    return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static void inspect_file(inspection *in, const char *path)
{
    const char *name = psy__file_name(path);
    FILE *from = psy__file_open(path);
    if (!from) {
        in->status = 1;
        return;
    }
    uint64_t at = 0;
    size_t got;
    psy_message_header h;
    psy__progress progress; /* beside what is printed, not in between */
    psy__progress_begin(&progress, name, bytes_of(from), "B", !psy__terminal_is(stderr) || isatty(STDOUT_FILENO));
    while ((got = take(in, from, 0, sizeof h)) > 0) {
        size_t bytes = got;
        if (got == sizeof h) {
            memcpy(&h, in->message.at, sizeof h);
            bytes = h.bytes < sizeof h ? got : take(in, from, got, h.bytes);
        }
        show(in, name, at, bytes, &progress);
        at += bytes;
        psy__progress_step(&progress, at);
        if (got < sizeof h || h.bytes % 64 != 0 || h.bytes < 64 || bytes < h.bytes) {
            break; /* nobody knows where the next one would start */
        }
    }
    psy__progress_end(&progress);
    if (ferror(from)) {
        fprintf(stderr, "psyne: %s: %s\n", name, strerror(errno));
        in->status = 1;
    }
    if (from != stdin) {
        fclose(from);
    }
}

int psy__inspect(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_INSPECT, .argc = argc, .argv = argv, .at = 1};
    const char *value, *module_path = NULL, *name = NULL;
    inspection in = {.indent = 2};
    int files = 0;
    char **paths = argv; /* those that are no options, in the place of what was read */
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_INSPECT_MODULE: module_path = value; break;
        case PSY_OPTION_INSPECT_TYPE: name = value; break;
        case PSY_OPTION_INSPECT_INDENT: in.indent = psy__number_of("--indent", value, 16); break;
        case PSY_OPTION_INSPECT_JSON: in.indent = 0; break;
        case PSY_OPTION_INSPECT_HELP: psy__help_write(PSY_COMMAND_INSPECT, stdout); return 0;
        default: paths[files++] = argv[line.at - 1]; break;
        }
    }
    psy_module *module = psy__type_open(module_path, name, &in.type, &in.status);
    if (!module) {
        return in.status;
    }
    psy__room_grow(&in.message, 4096, 0);
    psy__room_grow(&in.copy, 4096, 0);
    if (files == 0) {
        inspect_file(&in, "-");
    }
    for (int i = 0; i < files; i++) {
        inspect_file(&in, paths[i]);
    }
    free(in.message.at);
    free(in.copy.at);
    psy_module_close(module);
    return in.status;
}
