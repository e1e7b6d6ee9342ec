/* SPDX-License-Identifier: Apache-2.0 */
/* psyne metrics: what is counted on this machine, for Prometheus and for people with a browser. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "telemetry/data.h"
#include "telemetry/metrics.h"
#include "telemetry/telemetry.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

typedef enum way { SERVE, TEXT, OPEN_METRICS, JSON } way;

static void list(void)
{
    psy__family f;
    for (uint32_t i = 0; psy__family_at(i, &f); i++) {
        printf("%s%s\t%s\t%s\t%s\n", f.name,
               strcmp(f.type, "counter") == 0 ? "_total"
               : strcmp(f.type, "info") == 0  ? "_info"
                                              : "",
               f.type, f.labels, f.help);
    }
}

static int print(const char *folder, way how)
{
    psy__ledger *ledger;
    psy_status status = psy__ledger_create(folder, &ledger);
    if (status != PSY_OK) {
        return psy__complain(NULL, status);
    }
    status = psy__ledger_read(ledger);
    if (status == PSY_OK && how == JSON) {
        psy__data_write(ledger, PACKAGE_VERSION, stdout);
    } else if (status == PSY_OK) {
        psy__metrics_write(ledger, PACKAGE_VERSION, how == OPEN_METRICS, stdout);
    }
    psy__ledger_destroy(ledger);
    return status == PSY_OK ? 0 : psy__complain(NULL, status);
}

/* Until a signal ends it. */
static int serve(const char *folder, const char *listen)
{
    psy__telemetry *telemetry;
    sigset_t ends;
    int by;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    const psy_status status = psy__telemetry_open(
        &(psy__telemetry_options){.listen = listen, .directory = folder, .version = PACKAGE_VERSION}, &telemetry);
    if (status != PSY_OK) {
        return psy__complain(NULL, status);
    }
    printf("http://%s/\n", psy__telemetry_address(telemetry));
    if (fflush(stdout) == 0) {
        (void)sigwait(&ends, &by);
    }
    psy__telemetry_close(telemetry);
    return 0;
}

int psy__metrics(int argc, char **argv)
{
    psy__line line = {.command = PSY_COMMAND_METRICS, .argc = argc, .argv = argv, .at = 1};
    const char *value, *folder = NULL, *listen = NULL;
    way how = SERVE;
    for (psy__option o; (o = psy__line_next(&line, &value)) != PSY_OPTION_END;) {
        switch (o) {
        case PSY_OPTION_METRICS_LISTEN: listen = value; break;
        case PSY_OPTION_METRICS_ONCE: how = how == SERVE ? TEXT : how; break;
        case PSY_OPTION_METRICS_OPENMETRICS: how = OPEN_METRICS; break;
        case PSY_OPTION_METRICS_JSON: how = JSON; break;
        case PSY_OPTION_METRICS_LIST: list(); return 0;
        case PSY_OPTION_METRICS_HELP: psy__help_write(PSY_COMMAND_METRICS, stdout); return 0;
        default:
            if (folder) {
                psy__misuse("a folder is read with all of its files", "one folder is read, and not `%s` too", value);
            }
            folder = argv[line.at - 1];
        }
    }
    if (listen && how != SERVE) {
        psy__misuse("without --once, --openmetrics and --json they are served",
                    "--listen serves metrics, and does not print them");
    }
    return how == SERVE ? serve(folder, listen) : print(folder, how);
}
