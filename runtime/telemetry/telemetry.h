/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server for those who watch services of this machine, in a thread of its own: it reads files of counters, and asks no
 * service anything.
 *
 *   GET /metrics    for Prometheus: its text format, or OpenMetrics where that is accepted
 *   GET /healthz    200: this server works and can read the folder; else 503
 *   GET /readyz     200: services are ready, 503: not, with the reason
 *   GET /           a page with live plots
 *   GET /data.json  what the page reads
 *
 *   psy__telemetry *telemetry;
 *   psy__telemetry_open(&(psy__telemetry_options){.listen = "127.0.0.1:9464"}, &telemetry);
 *   printf("http://%s/metrics\n", psy__telemetry_address(telemetry));
 *   psy__telemetry_close(telemetry);
 *
 * Strangers. Connections, header sizes and idle times are limited; where places run short the oldest connection gives way,
 * so that those who come and ask are answered. It tells what is in the files to everybody who can connect:
 * listen where only those can who may know.
 *
 * Thread safety: open and close from one thread. `health` is called from the server's. */
#ifndef PSY_TELEMETRY_TELEMETRY_H
#define PSY_TELEMETRY_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>

#include <psyne/status.h>

#define PSY_TELEMETRY_ADDRESS "127.0.0.1:9464"

typedef struct psy__telemetry_options {
    const char
        *listen; /* HOST:PORT, [IPv6]:PORT or :PORT (all addresses); port 0: the system chooses; NULL: the address above */
    const char *directory; /* of counters; NULL: psy_counters_directory() */
    const char *version;   /* of the program; NULL: "" */
    /* Whether the service is ready, and if not why (one line). NULL: it is when there is a living service and each has all of
     * its shards. Must not block. */
    bool (*health)(void *context, char *why, size_t bytes);
    void *context;
} psy__telemetry_options;

typedef struct psy__telemetry psy__telemetry;

/* INVALID (the address), DENIED (the port), IO (in use, no such address), NOT_FOUND (no such host), LIMIT, NO_MEMORY,
 * UNSUPPORTED (built without libmicrohttpd). Blocks while a host's name is looked up. */
PSY_NODISCARD psy_status psy__telemetry_open(const psy__telemetry_options *options, psy__telemetry **out);
/* Where it listens: "127.0.0.1:9464". Valid until it is closed. */
const char *psy__telemetry_address(const psy__telemetry *telemetry);
/* Ends all connections and the thread. NULL is allowed. */
void psy__telemetry_close(psy__telemetry *telemetry);

#endif
