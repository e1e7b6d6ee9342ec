/* SPDX-License-Identifier: Apache-2.0 */
/* A client: plays a session to `psynec lsp` and prints what comes back.
 *
 *   session PSYNEC FOLDER <SESSION
 *   session --json FILE            whether the file is JSON
 *
 * A line is a command. FILE lies in FOLDER, whose name is shown as FOLDER. A place is some text of the file with `¦` where the
 * cursor is.
 *
 *   initialize [PARAMS]        the request and the notification; PARAMS default to those of an editor that can do everything
 *   open FILE [here]           as it is on disk, or with the lines that follow up to one that is `.`
 *   change FILE [N]            to the lines that follow up to `.`; N times at once, each with a blank line less in front
 *   close FILE
 *   hover | definition | complete | items FILE PLACE     complete: labels only; items: what the word at the cursor may become
 *   symbols FILE
 *   send JSON                  where it has an id, the answer is waited for; FOLDER is the folder as it stands in URIs
 *   tell JSON                  one message is waited for
 *   wait                       for another message
 *   raw TEXT                   bytes, with \r \n \0 and \\; one message is waited for
 *   quiet | loud               prints, or does not, what comes back
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES_MAX = 8 };

typedef struct file {
    char *name, *text;
    int version;
} file;

static file files[FILES_MAX];
static const char *folder;
static FILE *to, *from; /* the server's input and output */
static int last_id;
static bool quiet;

static _Noreturn void fail(const char *what, const char *of)
{
    fflush(stdout);
    fprintf(stderr, "session: %s: %s\n", what, of);
    exit(2);
}

/* ---- texts ---- */

static char *encode(const char *path)
{
    char *uri = malloc(3 * strlen(path) + 8), *at = stpcpy(uri, "file://");
    for (; *path; path++) {
        at += sprintf(at, isalnum((unsigned char)*path) || strchr("/-._~", *path) ? "%c" : "%%%02X", (unsigned char)*path);
    }
    return uri;
}

static char *uri_of(const char *name)
{
    char *path, *uri;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        fail("no memory", name);
    }
    uri = encode(path);
    free(path);
    return uri;
}

/* Every `what` in the text becomes `with`. The text is taken, a new one given. */
static char *replace(char *text, const char *what, const char *with)
{
    char *out = malloc(strlen(text) * (1 + strlen(with)) + 1), *end = out;
    const char *at = text;
    for (const char *next; (next = strstr(at, what)); at = next + strlen(what)) {
        end = stpcpy(mempcpy(end, at, (size_t)(next - at)), with);
    }
    strcpy(end, at);
    free(text);
    return out;
}

static void print_json(const char *before, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY), *uri = encode(folder);
    text = replace(replace(text, uri, "file://FOLDER"), folder, "FOLDER");
    if (!quiet) {
        printf("%s%s\n", before, text);
    }
    free(text);
    free(uri);
}

/* ---- messages ---- */

static void send_bytes(const char *body, size_t n)
{
    fprintf(to, "Content-Length: %zu\r\n\r\n", n);
    fwrite(body, 1, n, to);
}

static void send_json(json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    send_bytes(text, strlen(text));
    free(text);
    json_decref(message);
}

static void notify(const char *method, json_t *params)
{
    send_json(json_pack("{s:s,s:s,s:o}", "jsonrpc", "2.0", "method", method, "params", params));
}

/* NULL: the server has gone. */
static json_t *receive(void)
{
    size_t n;
    json_error_t error;
    if (to) {
        fflush(to);
    }
    if (fscanf(from, "Content-Length: %zu\r\n\r\n", &n) != 1) {
        return NULL;
    }
    char *body = malloc(n + 1);
    json_t *message = fread(body, 1, n, from) == n ? json_loadb(body, n, JSON_ALLOW_NUL, &error) : NULL;
    if (!message) {
        fail("the server says no JSON", body);
    }
    free(body);
    return message;
}

static void print_message(const json_t *m)
{
    const char *method = json_string_value(json_object_get(m, "method"));
    if (method) {
        char before[80];
        snprintf(before, sizeof before, "%s ", method);
        print_json(before, json_object_get(m, "params"));
    } else {
        const json_t *error = json_object_get(m, "error");
        print_json(error ? "error " : "", error ? error : json_object_get(m, "result"));
    }
}

/* Waits for what is said of the file in its version; prints all that comes. */
static void wait_published(const char *name, int version)
{
    char *uri = uri_of(name);
    bool done = false;
    while (!done) {
        json_t *m = receive(), *params = json_object_get(m, "params"), *number = json_object_get(params, "version");
        if (!m) {
            fail("the server has gone", name);
        }
        const char *about = json_string_value(json_object_get(params, "uri"));
        done = about && strcmp(about, uri) == 0 && (!number || json_integer_value(number) == version);
        print_message(m);
        json_decref(m);
    }
    free(uri);
}

/* The answer to the request; prints notifications that come before. */
static json_t *wait_answer(void)
{
    for (;;) {
        json_t *m = receive();
        if (!m || json_object_get(m, "id")) {
            return m;
        }
        print_message(m);
        json_decref(m);
    }
}

static json_t *request(const char *method, json_t *params)
{
    send_json(json_pack("{s:s,s:i,s:s,s:o}", "jsonrpc", "2.0", "id", ++last_id, "method", method, "params", params));
    json_t *m = wait_answer();
    if (!m || json_integer_value(json_object_get(m, "id")) != last_id) {
        fail("no answer", method);
    }
    return m;
}

/* ---- files ---- */

static file *file_named(const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (!files[i].name) {
            files[i].name = strdup(name);
        }
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    fail("too many files", name);
}

static char *read_disk(const char *name)
{
    char *path, *text = NULL;
    size_t n = 0;
    FILE *f = asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : fopen(path, "r");
    if (!f || (getdelim(&text, &n, 0, f) < 0 && !feof(f))) {
        fail("cannot be read", path);
    }
    fclose(f);
    free(path);
    return text ? text : strdup("");
}

/* The lines up to `.`. */
static char *read_lines(void)
{
    char *text = strdup(""), *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0 && strcmp(line, ".\n") != 0) {
        char *longer;
        if (asprintf(&longer, "%s%s", text, line) < 0) {
            fail("no memory", line);
        }
        free(text);
        text = longer;
    }
    free(line);
    return text;
}

/* The place as a position: UTF-16 units, counted here by other means than the server's. */
static json_t *position_of(const file *f, const char *place)
{
    const char *mark = strstr(place, "¦");
    char *plain = replace(strdup(place), "¦", ""), *found = mark && f->text ? strstr(f->text, plain) : NULL;
    if (!found) {
        fail("no such place", place);
    }
    int line = 0, units = 0;
    for (const char *at = f->text; at < found + (mark - place); at++) {
        unsigned char c = (unsigned char)*at;
        units = c == '\n' ? 0 : units + ((c & 0xc0) != 0x80) + (c >= 0xf0);
        line += c == '\n';
    }
    free(plain);
    return json_pack("{s:i,s:i}", "line", line, "character", units);
}

/* ---- commands ---- */

static void initialize(const char *params)
{
    static const char able[] =
        "{\"capabilities\":{\"textDocument\":{\"hover\":{\"contentFormat\":[\"markdown\",\"plaintext\"]},"
        "\"documentSymbol\":{\"hierarchicalDocumentSymbolSupport\":true},"
        "\"codeAction\":{\"codeActionLiteralSupport\":{\"codeActionKind\":{\"valueSet\":[\"quickfix\",\"source\"]}}}}}}";
    json_t *m = request("initialize", json_loads(*params ? params : able, 0, NULL));
    print_message(m);
    json_decref(m);
    notify("initialized", json_object());
}

static void open_file(const char *name, char *text)
{
    file *f = file_named(name);
    char *uri = uri_of(name);
    const char *language = strstr(name, ".psy") ? "psy" : "hrm";
    free(f->text);
    f->text = text;
    f->version = 1;
    notify("textDocument/didOpen", json_pack("{s:{s:s,s:s,s:i,s:s}}", "textDocument", "uri", uri, "languageId", language,
                                             "version", f->version, "text", text));
    free(uri);
    wait_published(name, f->version);
}

static void change_file(char *name)
{
    char *times = strchr(name, ' ');
    int count = times ? atoi(times) : 1;
    if (times) {
        *times = '\0';
    }
    file *f = file_named(name);
    char *uri = uri_of(name);
    free(f->text);
    f->text = read_lines();
    for (int i = count; i-- > 0;) {
        char *blank = calloc(1, strlen(f->text) + (size_t)i + 1);
        memset(blank, '\n', (size_t)i);
        strcpy(blank + i, f->text);
        notify("textDocument/didChange", json_pack("{s:{s:s,s:i},s:[{s:s}]}", "textDocument", "uri", uri, "version",
                                                   ++f->version, "contentChanges", "text", blank));
        free(blank);
    }
    free(uri);
    wait_published(name, f->version);
}

static void close_file(const char *name)
{
    char *uri = uri_of(name);
    notify("textDocument/didClose", json_pack("{s:{s:s}}", "textDocument", "uri", uri));
    free(uri);
    wait_published(name, 0);
}

static void print_labels(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        printf("%s%s", i ? " " : "", json_string_value(json_object_get(json_array_get(list, i), "label")));
    }
    puts(json_array_size(list) ? "" : "(nothing)");
}

static void print_items(const json_t *list, const char *place)
{
    const char *mark = strstr(place, "¦"), *word = mark;
    while (word && word > place && (isalnum((unsigned char)word[-1]) || word[-1] == '_')) {
        word--;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (strncmp(json_string_value(json_object_get(item, "label")), word, (size_t)(mark - word)) == 0) {
            print_json("", item);
        }
    }
}

static void ask(const char *what, char *name)
{
    char *place = strchr(name, ' ');
    bool labels = strcmp(what, "complete") == 0, items = strcmp(what, "items") == 0;
    if (place) {
        *place++ = '\0';
    }
    file *f = file_named(name);
    char *uri = uri_of(name), method[64];
    json_t *params = json_pack("{s:{s:s}}", "textDocument", "uri", uri);
    if (place) {
        json_object_set_new(params, "position", position_of(f, place));
    }
    snprintf(method, sizeof method, "textDocument/%s", labels || items ? "completion" : place ? what : "documentSymbol");
    json_t *m = request(method, params), *result = json_object_get(m, "result");
    if (labels && result) {
        print_labels(result);
    } else if (items && result) {
        print_items(result, place);
    } else if (!place && result) {
        for (size_t i = 0; i < json_array_size(result); i++) {
            print_json("", json_array_get(result, i));
        }
    } else {
        print_message(m);
    }
    json_decref(m);
    free(uri);
}

static void send_as_is(const char *text, bool wait)
{
    char *uri = encode(folder), *body = replace(strdup(text), "FOLDER", uri + strlen("file://"));
    send_bytes(body, strlen(body));
    json_t *m = wait ? wait_answer() : NULL;
    if (m) {
        print_message(m);
    }
    json_decref(m);
    free(body);
    free(uri);
}

static void send_raw(const char *text)
{
    for (; *text; text++) {
        int c = *text != '\\' ? *text : text[1] == 'r' ? '\r' : text[1] == 'n' ? '\n' : text[1] == '0' ? 0 : '\\';
        text += *text == '\\';
        fputc(c, to);
    }
    json_t *m = receive();
    if (m) {
        print_message(m);
    }
    json_decref(m);
}

static void play(char *line)
{
    char *rest = strchr(line, ' ');
    rest = rest ? rest + 1 : line + strlen(line);
    size_t n = (size_t)(rest - line);
    char *command = strndup(line, n);
    command[strcspn(command, " ")] = '\0';
    if (strcmp(command, "initialize") == 0) {
        initialize(rest);
    } else if (strcmp(command, "open") == 0) {
        bool here = strchr(rest, ' ') != NULL; /* open FILE here */
        rest[strcspn(rest, " ")] = '\0';
        open_file(rest, here ? read_lines() : read_disk(rest));
    } else if (strcmp(command, "change") == 0) {
        change_file(rest);
    } else if (strcmp(command, "close") == 0) {
        close_file(rest);
    } else if (strcmp(command, "send") == 0) {
        json_t *message = json_loads(rest, 0, NULL);
        send_as_is(rest, json_object_get(message, "id") != NULL);
        json_decref(message);
    } else if (strcmp(command, "tell") == 0 || strcmp(command, "wait") == 0) {
        if (command[0] == 't') {
            send_as_is(rest, false);
        }
        json_t *m = receive();
        print_message(m);
        json_decref(m);
    } else if (strcmp(command, "raw") == 0) {
        send_raw(rest);
    } else if (strcmp(command, "quiet") == 0 || strcmp(command, "loud") == 0) {
        quiet = command[0] == 'q';
    } else {
        ask(command, rest);
    }
    free(command);
}

static pid_t start(const char *psynec)
{
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) {
        fail("no pipes", psynec);
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execl(psynec, psynec, "lsp", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to = fdopen(in[1], "w");
    from = fdopen(out[0], "r");
    return pid;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int status = 0;
    if (argc == 3 && strcmp(argv[1], "--json") == 0) {
        json_error_t error;
        json_t *value = json_load_file(argv[2], JSON_REJECT_DUPLICATES, &error);
        fprintf(stderr, "%s", value ? "" : error.text);
        json_decref(value);
        return value ? 0 : 1;
    }
    if (argc != 3) {
        fail("usage: session PSYNEC FOLDER", "<SESSION");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    folder = argv[2];
    pid_t pid = start(argv[1]);
    while ((n = getline(&line, &room, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '\0' || *line == '#') {
            puts(line);
            continue;
        }
        if (!quiet) {
            printf("> %s\n", line);
        }
        play(line);
    }
    fclose(to);
    to = NULL;
    for (json_t *m; (m = receive()); json_decref(m)) {
        print_message(m);
    }
    waitpid(pid, &status, 0);
    printf("exit status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    for (int i = 0; i < FILES_MAX; i++) {
        free(files[i].name);
        free(files[i].text);
    }
    fclose(from);
    free(line);
    return 0;
}
