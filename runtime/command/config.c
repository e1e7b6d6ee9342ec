/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/near.h"

typedef struct file {
    const psy__config_reader *reader;
    const char *path;
    unsigned line, errors;
} file;

static void PSY_PRINTF(2, 3) complain(file *f, const char *format, ...)
{
    char what[700], text[1200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (f->line) {
        snprintf(text, sizeof text, "%.400s:%u: %s", f->path, f->line, what);
    } else {
        snprintf(text, sizeof text, "%.400s: %s", f->path, what);
    }
    if (f->errors++ < PSY_CONFIG_ERRORS_MAX) {
        f->reader->say(f->reader->context, text);
    }
}

/* ---- the bytes ---- */

static char *read_all(file *f, size_t *bytes)
{
    FILE *from = fopen(f->path, "re");
    struct stat st;
    if (!from) {
        complain(f, "%s", strerror(errno));
        return NULL;
    }
    if (fstat(fileno(from), &st) == 0 && S_ISDIR(st.st_mode)) {
        complain(f, "it is a folder");
        fclose(from);
        return NULL;
    }
    char *text = malloc(PSY_CONFIG_BYTES_MAX + 1);
    if (!text) {
        psy__no_memory();
    }
    *bytes = fread(text, 1, PSY_CONFIG_BYTES_MAX + 1, from);
    if (ferror(from)) {
        complain(f, "%s", strerror(errno));
    } else if (*bytes > PSY_CONFIG_BYTES_MAX) {
        complain(f, "it has more than %d bytes", PSY_CONFIG_BYTES_MAX);
    } else {
        text[*bytes] = '\0';
        fclose(from);
        return text;
    }
    fclose(from);
    free(text);
    return NULL;
}

/* ---- a line ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static char *trim(char *text)
{
    while (is_blank(*text)) {
        text++;
    }
    size_t n = strlen(text);
    while (n > 0 && is_blank(text[n - 1])) {
        n--;
    }
    text[n] = '\0';
    return text;
}

/* Takes a comment off: a # at the line's start or after a blank, and not between quotes. */
static void cut_comment(char *text)
{
    bool quoted = false;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '"' && (quoted || i == 0 || is_blank(text[i - 1]) || text[i - 1] == '=')) {
            quoted = !quoted;
        } else if (text[i] == '#' && !quoted && (i == 0 || is_blank(text[i - 1]))) {
            text[i] = '\0';
            return;
        }
    }
}

static const char *key_of(unsigned option) { return psy__option_rows[option].spelling + 2; }

static psy__option find(const file *f, const char *key)
{
    for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
        if (psy__option_rows[i].command == f->reader->command && f->reader->knows(i) && strcmp(key_of(i), key) == 0) {
            return i;
        }
    }
    return PSY_OPTION_END;
}

static void no_such_key(file *f, const char *key)
{
    const char *known[PSY_OPTION_COUNT];
    size_t count = 0;
    bool only;
    for (unsigned i = 0; i < PSY_OPTION_COUNT; i++) {
        if (psy__option_rows[i].command == f->reader->command && f->reader->knows(i)) {
            known[count++] = key_of(i);
        }
    }
    const char *near = psy__nearest(key, known, count, &only);
    if (near) {
        complain(f, "there is no key `%.60s`; did you mean `%s`?", key, near);
    } else {
        complain(f, "there is no key `%.60s`; `psyne %s --print-config` lists all", key,
                 psy__command_rows[f->reader->command].word);
    }
}

/* An option without a value: yes, or no, which is the option that takes it back. */
static void set_flag(file *f, psy__option option, const char *key, const char *value)
{
    const bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0,
               no = strcmp(value, "no") == 0 || strcmp(value, "false") == 0;
    char negated[80];
    snprintf(negated, sizeof negated, "no-%s", key);
    if (no) {
        option = find(f, negated);
    }
    if (!yes && !no) {
        complain(f, "%s is yes or no, and not `%.60s`", key, value);
    } else if (option != PSY_OPTION_END && f->reader->set(f->reader->context, option, NULL) != PSY_OK) {
        complain(f, "%s", psy_detail());
    }
}

static void read_line(file *f, char *line)
{
    cut_comment(line);
    char *key = trim(line);
    if (*key == '\0') {
        return;
    }
    if (*key == '[') {
        complain(f, "sections are not needed: a line is `key = value`");
        return;
    }
    char *value = strchr(key, '=');
    if (!value) {
        complain(f, "a line is `key = value`, and not `%.60s`", key);
        return;
    }
    *value++ = '\0';
    key = trim(key);
    value = trim(value);
    const size_t n = strlen(value);
    if (*value == '"') {
        if (n < 2 || value[n - 1] != '"') {
            complain(f, "the quote is not closed");
            return;
        }
        value[n - 1] = '\0';
        value++;
    }
    const psy__option option = find(f, key);
    if (option == PSY_OPTION_END) {
        no_such_key(f, key);
    } else if (!psy__option_rows[option].value) {
        set_flag(f, option, key, value);
    } else if (*value == '\0') {
        complain(f, "%s has no value", key);
    } else if (f->reader->set(f->reader->context, option, value) != PSY_OK) {
        complain(f, "%s", psy_detail());
    }
}

bool psy__config_read(const char *path, const psy__config_reader *reader)
{
    file f = {.reader = reader, .path = path};
    size_t bytes;
    char *text = read_all(&f, &bytes);
    if (!text) {
        return false;
    }
    for (char *at = text, *end = text + bytes; at < end;) {
        char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        *line_end = '\0';
        f.line++;
        if (strlen(at) != (size_t)(line_end - at)) {
            complain(&f, "there is a zero byte: this is no text");
            break;
        }
        read_line(&f, at);
        at = line_end + 1;
    }
    free(text);
    return f.errors == 0;
}

void psy__config_put(FILE *to, const char *key, const char *value)
{
    const size_t n = strlen(value);
    const bool quoted = n == 0 || is_blank(value[0]) || is_blank(value[n - 1]) || strchr(value, '#') || value[0] == '"';
    fprintf(to, "%s = %s%s%s\n", key, quoted ? "\"" : "", value, quoted ? "\"" : "");
}
