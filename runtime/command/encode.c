/* SPDX-License-Identifier: Apache-2.0 */
/* psyne encode: messages of JSON, one after the other. */
#include <psyne/json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/command.h"
#include "command/output.h"
#include "command/progress.h"
#include "command/terminal.h"

typedef struct encoding {
    psy_type type;
    psy__room text, message;
    psy__output output;
    uint64_t messages, bytes; /* that were made */
    int status;
} encoding;

/* Every message of a file, up to the first that is none. */
static void encode_file(encoding *e, const char *path)
{
    size_t n = 0, at = 0, size = 0;
    psy_status status = PSY_OK;
    const psy_status read = psy__file_read(path, &e->text, &n);
    if (read != PSY_OK) {
        e->status = psy__complain(NULL, read);
        return;
    }
    const char *text = (const char *)e->text.at;
    psy__progress progress;
    psy__progress_begin(&progress, psy__file_name(path), n, "B", !psy__terminal_is(stderr));
    while (status == PSY_OK) {
        const size_t start = at;
        psy__progress_step(&progress, at);
        status = psy_message_parse_next(&e->type, text, n, &at, e->message.at, e->message.bytes, &size);
        while (status == PSY_TOO_LARGE && n <= PSY_MESSAGE_BYTES_MAX && e->message.bytes < PSY_MESSAGE_BYTES_MAX) {
            psy__room_grow(&e->message, 2 * e->message.bytes, 0);
            at = start;
            status = psy_message_parse_next(&e->type, text, n, &at, e->message.at, e->message.bytes, &size);
        }
        if (status == PSY_OK && fwrite(e->message.at, 1, size, e->output.to) != size) {
            psy__progress_end(&progress);
            fprintf(stderr, "psyne: %s\n", strerror(errno));
            e->status = 1;
            return;
        }
        e->messages += status == PSY_OK;
        e->bytes += status == PSY_OK ? size : 0;
    }
    psy__progress_end(&progress);
    if (status != PSY_NOT_FOUND) {
        e->status = psy__complain(psy__file_name(path), status);
    }
}

int psy__encode(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_ENCODE, .argc = argc, .argv = argv, .at = 1};
    const char *value, *module_path = NULL, *name = NULL, *output = NULL;
    encoding e = {.status = 0};
    int files = 0;
    bool json = false;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_ENCODE_MODULE: module_path = value; break;
        case PSY_OPTION_ENCODE_TYPE: name = value; break;
        case PSY_OPTION_ENCODE_OUTPUT: output = value; break;
        case PSY_OPTION_ENCODE_JSON: json = true; break;
        case PSY_OPTION_ENCODE_HELP: psy__help_write(PSY_COMMAND_ENCODE, stdout); return 0;
        default: argv[files++] = argv[line.at - 1]; break;
        }
    }
    if (json && !output) {
        psy__misuse(NULL, "--json needs --output: standard output has the messages");
    }
    psy_module *module = psy__type_open(module_path, name, &e.type, &e.status);
    if (!module) {
        return e.status;
    }
    psy__output_not_to_terminal(output);
    psy_status written = psy__output_open(&e.output, output);
    if (written == PSY_OK) {
        psy__room_grow(&e.message, e.type.bytes + 65536, 0);
        if (files == 0) {
            encode_file(&e, "-");
        }
        for (int i = 0; i < files && e.status == 0; i++) {
            encode_file(&e, argv[i]);
        }
        written = psy__output_close(&e.output, e.status == 0);
    }
    if (written != PSY_OK) {
        e.status = psy__complain(NULL, written);
    }
    if (json && e.status == 0) {
        printf("{\"messages\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n", e.messages, e.bytes);
    }
    free(e.text.at);
    free(e.message.at);
    psy_module_close(module);
    return e.status;
}
