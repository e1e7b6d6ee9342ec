/* SPDX-License-Identifier: Apache-2.0 */
/* psyne encode: messages of JSON, one after the other. */
#define _GNU_SOURCE
#include <psyne/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/command.h"

typedef struct encoding {
    psy_type type;
    psy__room text, message;
    FILE *to;
    int status;
} encoding;

/* All of a file. False: it was said what is wrong. */
static bool read_all(encoding *e, const char *path, size_t *n)
{
    FILE *from = psy__file_open(path);
    size_t got = 0;
    if (!from) {
        return false;
    }
    do {
        psy__room_grow(&e->text, *n + 1 < e->text.bytes ? e->text.bytes : 2 * *n + 65536, *n);
        got = fread(e->text.at + *n, 1, e->text.bytes - *n, from);
        *n += got;
    } while (got > 0 && *n <= PSY_MESSAGE_BYTES_MAX);
    const bool good = !ferror(from);
    if (!good) {
        fprintf(stderr, "psyne: %s: %s\n", psy__file_name(path), strerror(errno));
    }
    if (from != stdin) {
        fclose(from);
    }
    return good;
}

/* Every message of a file, up to the first that is none. */
static void encode_file(encoding *e, const char *path)
{
    size_t n = 0, at = 0, size = 0;
    psy_status status = PSY_OK;
    if (!read_all(e, path, &n)) {
        e->status = 1;
        return;
    }
    const char *text = (const char *)e->text.at;
    while (status == PSY_OK) {
        const size_t start = at;
        status = psy_message_parse_next(&e->type, text, n, &at, e->message.at, e->message.bytes, &size);
        while (status == PSY_TOO_LARGE && n <= PSY_MESSAGE_BYTES_MAX && e->message.bytes < PSY_MESSAGE_BYTES_MAX) {
            psy__room_grow(&e->message, 2 * e->message.bytes, 0);
            at = start;
            status = psy_message_parse_next(&e->type, text, n, &at, e->message.at, e->message.bytes, &size);
        }
        if (status == PSY_OK && fwrite(e->message.at, 1, size, e->to) != size) {
            fprintf(stderr, "psyne: %s\n", strerror(errno));
            e->status = 1;
            return;
        }
    }
    if (status != PSY_NOT_FOUND) {
        e->status = psy__complain(psy__file_name(path), status);
    }
}

/* What is written goes by another name until all is well. */
static bool open_output(encoding *e, const char *path, char **temporary)
{
    if (!path || strcmp(path, "-") == 0) {
        if (isatty(STDOUT_FILENO)) {
            psy__misuse("-o names a file", "messages are no text: they are not written to a terminal");
        }
        e->to = stdout;
        return true;
    }
    if (asprintf(temporary, "%s.XXXXXX", path) < 0) {
        psy__no_memory();
    }
    const int fd = mkstemp(*temporary);
    e->to = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!e->to) {
        fprintf(stderr, "psyne: %s: %s\n", path, strerror(errno));
        e->status = 1;
        free(*temporary);
        *temporary = NULL;
        return false;
    }
    const mode_t mask = umask(0);
    umask(mask);
    (void)!fchmod(fd, 0666 & ~mask);
    return true;
}

static void close_output(encoding *e, const char *path, char *temporary)
{
    bool good = fflush(e->to) == 0;
    if (temporary) {
        good = (fclose(e->to) == 0) && good;
        good = good && (e->status != 0 || rename(temporary, path) == 0);
    }
    if (!good) {
        fprintf(stderr, "psyne: %s: %s\n", temporary ? path : "standard output", strerror(errno));
        e->status = 1;
    }
    if (temporary && e->status != 0) {
        unlink(temporary);
    }
    free(temporary);
}

int psy__encode(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_ENCODE, .argc = argc, .argv = argv, .at = 1};
    const char *value, *module_path = NULL, *name = NULL, *output = NULL;
    encoding e = {.status = 0};
    char *temporary = NULL;
    int files = 0;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_ENCODE_MODULE: module_path = value; break;
        case PSY_OPTION_ENCODE_TYPE: name = value; break;
        case PSY_OPTION_ENCODE_OUTPUT: output = value; break;
        case PSY_OPTION_ENCODE_HELP: psy__help_write(PSY_COMMAND_ENCODE, stdout); return 0;
        default: argv[files++] = argv[line.at - 1]; break;
        }
    }
    psy_module *module = psy__type_open(module_path, name, &e.type, &e.status);
    if (!module) {
        return e.status;
    }
    if (open_output(&e, output, &temporary)) {
        psy__room_grow(&e.message, e.type.bytes + 65536, 0);
        if (files == 0) {
            encode_file(&e, "-");
        }
        for (int i = 0; i < files && e.status == 0; i++) {
            encode_file(&e, argv[i]);
        }
        close_output(&e, output, temporary);
    }
    free(e.text.at);
    free(e.message.at);
    psy_module_close(module);
    return e.status;
}
