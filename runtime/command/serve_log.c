/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/failure.h"

static const char *const levels[] = {"debug", "info", "warning", "error"};

psy_status psy__log_open(const char *path, int *fd)
{
    if (strcmp(path, "-") == 0) {
        *fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    } else {
        *fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    }
    return *fd < 0 ? psy__system_failure(path, "the log cannot be opened", errno) : PSY_OK;
}

/* ---- a line ---- */

typedef struct line {
    char text[PSY_LOG_LINE_BYTES];
    size_t n;
    bool cut;
} line;

static void put(line *l, const char *text, size_t n)
{
    const size_t room = sizeof l->text - 8 - l->n; /* for the end of an object and of the line */
    l->cut = l->cut || n > room;
    if (!l->cut) {
        memcpy(l->text + l->n, text, n);
        l->n += n;
    }
}
static void put_text(line *l, const char *text) { put(l, text, strlen(text)); }

static void put_number(line *l, uint64_t number)
{
    char digits[24];
    put(l, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number));
}

/* Between quotes, which both formats take alike. A text that has no room ends early, but whole characters it is. */
static void put_quoted(line *l, const char *text)
{
    put(l, "\"", 1);
    for (size_t n; *text && sizeof l->text - l->n > 64; text += n) {
        const unsigned char c = (unsigned char)*text;
        n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        n = strnlen(text, n);
        if (c < 0x20 || c == 0x7f) {
            put(l, " ", 1);
        } else {
            put(l, "\\", c == '"' || c == '\\');
            put(l, text, n);
        }
    }
    put(l, "\"", 1);
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at <= ' ' || *at == '"' || *at == '=' || *at == '\\' || *at == 0x7f) {
            return false;
        }
    }
    return *text != '\0';
}

static void put_time(line *l)
{
    struct timespec now;
    struct tm day;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &day);
    const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &day);
    put(l, text, n);
    put(l, text, (size_t)snprintf(text, sizeof text, ".%03dZ", (int)(now.tv_nsec / 1000000)));
}

static void put_as_text(line *l, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    put_time(l);
    put(l, " ", 1);
    put_text(l, levels[level]);
    put(l, " ", 1);
    put_text(l, event);
    for (uint32_t i = 0; i < count; i++) {
        put(l, " ", 1);
        put_text(l, fields[i].key);
        put(l, "=", 1);
        if (!fields[i].text) {
            put_number(l, fields[i].number);
        } else if (is_plain(fields[i].text) && strlen(fields[i].text) < 256) {
            put_text(l, fields[i].text);
        } else {
            put_quoted(l, fields[i].text);
        }
    }
}

static void put_as_json(line *l, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    put_text(l, "{\"time\":\"");
    put_time(l);
    put_text(l, "\",\"level\":\"");
    put_text(l, levels[level]);
    put_text(l, "\",\"event\":");
    put_quoted(l, event);
    for (uint32_t i = 0; i < count && sizeof l->text - l->n > 160; i++) {
        put(l, ",", 1);
        put_quoted(l, fields[i].key);
        put(l, ":", 1);
        if (fields[i].text) {
            put_quoted(l, fields[i].text);
        } else {
            put_number(l, fields[i].number);
        }
    }
    memcpy(l->text + l->n, "}", 1);
    l->n++;
}

/* ---- writing ---- */

enum { WHOLE, TORN, MENDED }; /* MENDED: just now, by somebody */

static ssize_t write_bytes(const psy__log_out *out, const char *text, size_t n)
{
    ssize_t wrote;
    do {
        wrote = write(out->fd, text, n);
    } while (wrote < 0 && errno == EINTR);
    return wrote;
}

/* Where a full disk cut the last line off, one of all processes ends it, and the others wait for that a moment. */
static bool mend(psy__log_out *out)
{
    enum { PATIENCE = 1000 };
    _Atomic uint32_t *torn = &out->shared->torn;
    for (int i = 0; i < PATIENCE; i++) {
        uint32_t is = atomic_load_explicit(torn, memory_order_acquire);
        if (is == WHOLE) {
            return true;
        }
        if (is == TORN && atomic_compare_exchange_strong(torn, &is, MENDED)) {
            const bool mended = write_bytes(out, "\n", 1) == 1;
            atomic_store_explicit(torn, mended ? WHOLE : TORN, memory_order_release);
            return mended;
        }
        sched_yield();
    }
    atomic_store_explicit(torn, TORN, memory_order_release); /* who was at it has died */
    return false;
}

static bool write_once(psy__log_out *out, const line *l)
{
    if (!mend(out)) {
        return false;
    }
    const ssize_t n = write_bytes(out, l->text, l->n);
    if (n > 0 && (size_t)n < l->n) {
        atomic_store_explicit(&out->shared->torn, TORN, memory_order_release);
    }
    return n == (ssize_t)l->n;
}

static void make(const psy__log_out *out, line *l, psy_log_level level, const char *event, const psy_log_field *fields,
                 uint32_t count)
{
    enum { FIELDS = 24 };
    psy_log_field all[FIELDS] = {PSY_TEXT("from", out->from)};
    count = count < FIELDS - 1 ? count : FIELDS - 1;
    if (count) {
        memcpy(all + 1, fields, count * sizeof *fields);
    }
    l->n = 0;
    l->cut = false;
    if (atomic_load_explicit(&out->shared->json, memory_order_relaxed)) {
        put_as_json(l, level, event, all, count + 1);
    } else {
        put_as_text(l, level, event, all, count + 1);
    }
    l->text[l->n++] = '\n';
}

void psy__log_write(psy__log_out *out, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    psy__log_shared *s = out->shared;
    line l;
    if ((unsigned)level > PSY_LOG_ERROR || level < (psy_log_level)atomic_load_explicit(&s->level, memory_order_relaxed)) {
        return;
    }
    if (atomic_load_explicit(&s->failing, memory_order_relaxed) > 0) {
        const psy_log_field lost = PSY_NUMBER("lost", atomic_load_explicit(&s->lost, memory_order_relaxed));
        make(out, &l, PSY_LOG_WARNING, "log.resumed", &lost, 1);
        if (!write_once(out, &l)) {
            atomic_fetch_add_explicit(&s->failing, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&s->lost, 1, memory_order_relaxed);
            return;
        }
        atomic_store_explicit(&s->failing, 0, memory_order_relaxed);
    }
    make(out, &l, level, event, fields, count);
    if (write_once(out, &l)) {
        return;
    }
    const int error = errno;
    atomic_fetch_add_explicit(&s->lost, 1, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&s->failing, 1, memory_order_relaxed) == 0) {
        fprintf(stderr, "psyne: the log cannot be written: %s; the service goes on\n", strerror(error));
    }
}

static void write_event(void *context, psy_log_level level, const char *event, const psy_log_field *fields, uint32_t count)
{
    psy__log_write(context, level, event, fields, count);
}

void psy__log_init(psy__log_out *out, psy__log_shared *shared, int fd, const char *from)
{
    *out = (psy__log_out){.shared = shared, .fd = fd};
    snprintf(out->from, sizeof out->from, "%s", from);
    /* What is logged can change while they live, so they hand over all of it. */
    out->log = (psy_log){.write = write_event, .context = out, .least = PSY_LOG_DEBUG};
}
