/* SPDX-License-Identifier: Apache-2.0 */
/* The server: libmicrohttpd speaks HTTP, this says what. All handlers run in its one thread. */
#define _GNU_SOURCE
#include "telemetry/telemetry.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "telemetry/data.h"
#include "telemetry/listen.h"
#include "telemetry/metrics.h"
#include "telemetry/page.h"

enum {
    CONNECTIONS = 64,
    CROWDED = 48,           /* from so many on, the oldest gives way */
    IDLE_SECONDS = 10,      /* of a connection */
    MEMORY_BYTES = 16384,   /* of a connection: what its request's headers may have */
    STACK_BYTES = 512 << 10 /* of the thread */
};
/* Answers of the last moment do for everybody who asks now. */
static const uint64_t fresh_ns = 100000000;

typedef struct guest {
    int fd; /* -1: none */
    uint64_t since_ns;
} guest;

struct psy__telemetry {
    struct MHD_Daemon *daemon;
    psy__ledger *ledger;
    psy_status status; /* of the last read, and what it said */
    char problem[512];
    bool (*health)(void *context, char *why, size_t bytes);
    void *context;
    char version[64], address[128];
    guest guests[CONNECTIONS];
};

/* ---- who is connected ---- */

static void make_room(psy__telemetry *t)
{
    guest *oldest = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        guest *g = &t->guests[i];
        n += g->fd >= 0;
        oldest = g->fd >= 0 && (!oldest || g->since_ns < oldest->since_ns) ? g : oldest;
    }
    if (n >= CROWDED) {
        (void)shutdown(oldest->fd, SHUT_RDWR); /* the library sees the end, and closes it */
        oldest->since_ns = UINT64_MAX;
    }
}

static void connected(void *context, struct MHD_Connection *c, void **own, enum MHD_ConnectionNotificationCode what)
{
    psy__telemetry *t = context;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        guest *g = *own;
        if (g) {
            g->fd = -1;
        }
        return;
    }
    *own = NULL;
    make_room(t);
    for (uint32_t i = 0; info && i < CONNECTIONS; i++) {
        if (t->guests[i].fd < 0) {
            t->guests[i] = (guest){.fd = info->connect_fd, .since_ns = psy__now_ns()};
            *own = &t->guests[i];
            return;
        }
    }
}

/* ---- answers ---- */

static void read_again(psy__telemetry *t)
{
    if (psy__ledger_taken_ns(t->ledger) + fresh_ns > psy__now_ns() && t->status == PSY_OK) {
        return;
    }
    t->status = psy__ledger_read(t->ledger);
    if (t->status != PSY_OK) {
        snprintf(t->problem, sizeof t->problem, "%s", psy_detail());
    }
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *type, struct MHD_Response *r)
{
    if (!r) {
        return MHD_NO;
    }
    bool fine = MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
                MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
                MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        fine = fine && MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
    }
    if (strncmp(type, "text/html", 9) == 0) {
        fine = fine && MHD_add_response_header(r, "Content-Security-Policy",
                                               "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                               "connect-src 'self'; img-src data:; frame-ancestors 'none'") == MHD_YES;
    }
    const enum MHD_Result result = fine ? MHD_queue_response(c, status, r) : MHD_NO;
    MHD_destroy_response(r);
    return result;
}

static enum MHD_Result say(struct MHD_Connection *c, unsigned status, const char *text)
{
    return answer(c, status, "text/plain; charset=utf-8",
                  MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY));
}

/* What is written into memory by `write`. */
static enum MHD_Result answer_written(psy__telemetry *t, struct MHD_Connection *c, const char *type, bool open,
                                      void (*write)(const psy__telemetry *t, bool open, FILE *to))
{
    char *text = NULL;
    size_t bytes = 0;
    read_again(t);
    if (t->status != PSY_OK) {
        char line[sizeof t->problem + 2];
        snprintf(line, sizeof line, "%s\n", t->problem);
        return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, line);
    }
    FILE *to = open_memstream(&text, &bytes);
    if (!to) {
        return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    }
    write(t, open, to);
    const bool fine = ferror(to) == 0;
    if (fclose(to) != 0 || !fine) {
        free(text);
        return say(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    }
    struct MHD_Response *r = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (!r) {
        free(text);
    }
    return answer(c, MHD_HTTP_OK, type, r);
}

static void write_metrics(const psy__telemetry *t, bool open, FILE *to) { psy__metrics_write(t->ledger, t->version, open, to); }
static void write_data(const psy__telemetry *t, bool open, FILE *to)
{
    (void)open;
    psy__data_write(t->ledger, t->version, to);
}

/* Whether all services have all of their shards. */
static bool services_are_ready(const psy__ledger *l, char *why, size_t bytes)
{
    const psy__ledger_entry *e;
    uint32_t services = 0;
    for (uint32_t i = 0; (e = psy__ledger_entry_at(l, i)) != NULL; i++) {
        if (e->section != PSY_COUNTERS_OF_SERVICE || !e->living) {
            continue;
        }
        services++;
        const uint64_t ready = e->values[PSY_SERVICE_COUNTER_shards_ready], all = e->values[PSY_SERVICE_COUNTER_shards];
        if (ready < all || all == 0) {
            snprintf(why, bytes, "%s: %" PRIu64 " of %" PRIu64 " shards are ready", e->label, ready, all);
            return false;
        }
    }
    if (!services) {
        snprintf(why, bytes, "no service runs");
    }
    return services > 0;
}

static enum MHD_Result answer_health(psy__telemetry *t, struct MHD_Connection *c, bool readiness)
{
    char why[512] = "", line[sizeof why + 2];
    read_again(t);
    bool well = t->status == PSY_OK;
    if (!well) {
        snprintf(why, sizeof why, "%s", t->problem);
    } else if (readiness) {
        well = t->health ? t->health(t->context, why, sizeof why) : services_are_ready(t->ledger, why, sizeof why);
    }
    snprintf(line, sizeof line, "%s\n", well ? "ok" : *why ? why : "not ready");
    return say(c, well ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, line);
}

/* Accept has OpenMetrics, at whatever weight: Prometheus names it first. */
static bool wants_open_metrics(struct MHD_Connection *c)
{
    const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    return accept && strstr(accept, "application/openmetrics-text");
}

static enum MHD_Result handle(void *context, struct MHD_Connection *c, const char *path, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **request)
{
    static int seen;
    psy__telemetry *t = context;
    (void)version, (void)body;
    if (!*request) { /* the headers are there; what follows is not wanted, and read over */
        *request = &seen;
        return MHD_YES;
    }
    if (*body_bytes) {
        *body_bytes = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return say(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered\n");
    }
    if (strcmp(path, "/metrics") == 0) {
        const bool open = wants_open_metrics(c);
        return answer_written(t, c,
                              open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                   : "text/plain; version=0.0.4; charset=utf-8",
                              open, write_metrics);
    }
    if (strcmp(path, "/data.json") == 0) {
        return answer_written(t, c, "application/json", false, write_data);
    }
    if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0) {
        return answer_health(t, c, path[1] == 'r');
    }
    if (strcmp(path, "/") == 0) {
        return answer(c, MHD_HTTP_OK, "text/html; charset=utf-8",
                      MHD_create_response_from_buffer(strlen(psy__telemetry_page), (void *)(uintptr_t)psy__telemetry_page,
                                                      MHD_RESPMEM_PERSISTENT));
    }
    return say(c, MHD_HTTP_NOT_FOUND, "there are /, /metrics, /healthz, /readyz and /data.json\n");
}

/* ---- its life ---- */

static psy_status start(psy__telemetry *t, int fd)
{
    sigset_t all, before;
    /* Signals are the program's, and not for a thread that it does not know. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    t->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, handle, t, MHD_OPTION_LISTEN_SOCKET,
                                 fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
                                 MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES, MHD_OPTION_NOTIFY_CONNECTION, connected, t,
                                 MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t->daemon ? PSY_OK : psy_fail(PSY_LIMIT, "the HTTP server does not start: %s", strerror(errno));
}

psy_status psy__telemetry_open(const psy__telemetry_options *o, psy__telemetry **out)
{
    psy__telemetry *t = calloc(1, sizeof *t);
    if (!t) {
        return psy_fail(PSY_NO_MEMORY, "no memory for telemetry");
    }
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        t->guests[i].fd = -1;
    }
    t->health = o->health;
    t->context = o->context;
    snprintf(t->version, sizeof t->version, "%s", o->version ? o->version : "");
    int fd = -1;
    psy_status status = psy__ledger_create(o->directory, &t->ledger);
    if (status == PSY_OK) {
        status = psy__listen(o->listen ? o->listen : PSY_TELEMETRY_ADDRESS, &fd, t->address, sizeof t->address);
    }
    if (status == PSY_OK) {
        status = start(t, fd);
    }
    if (status != PSY_OK) {
        if (fd >= 0) {
            close(fd);
        }
        psy__ledger_destroy(t->ledger);
        free(t);
        return status;
    }
    *out = t;
    return PSY_OK;
}

const char *psy__telemetry_address(const psy__telemetry *t) { return t->address; }

void psy__telemetry_close(psy__telemetry *t)
{
    if (t) {
        MHD_stop_daemon(t->daemon); /* which closes the socket too */
        psy__ledger_destroy(t->ledger);
        free(t);
    }
}
