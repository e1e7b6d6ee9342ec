/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that are killed at any moment while the data changes without end: a set of edits is made or not, on all shards, and
 * the ones that come in the place of the dead have every edit that was made. The broker is worked by the client's thread,
 * workers are processes. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/service/edited.h"
#include "tests/service/processes.h"

enum { SHARDS = 2, KILLS = 25, MADE = 60 };
static const uint64_t second_ns = 1000000000;

static uint32_t work(void *broker) { return psy_broker_do_work(broker); }

static pid_t start_worker(const edited *e, const char *uri, uint32_t shard)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_worker *w;
        psy_worker_options o = {.uri = uri, .shard = shard, .engine = "cpu"};
        psy_status status = PSY_LIMIT;
        for (int tries = 0; tries < 5000 && status == PSY_LIMIT; tries++) { /* the dead one's place */
            status = psy_worker_create(&o, &w);
            usleep(status == PSY_LIMIT ? 1000 : 0);
        }
        if (status != PSY_OK) {
            _exit(1);
        }
        edited_load(e, w);
        _exit(psy_worker_start(w) == PSY_OK ? (int)psy_worker_run(w) : 1);
    }
    return pid;
}

Test(edits, survive_workers_that_die)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    static edited e;
    char folder[] = "/tmp/psyne-edits-XXXXXX", uri[96];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(uri, sizeof uri, "ipc://%s/s", folder);
    psy_module *module;
    psy_broker *broker;
    cr_assert_eq(psy_module_open(EDITED_MODULE, &module), PSY_OK, "%s", psy_detail());
    psy_broker_options o = {.uri = uri, .module = module, .shards = SHARDS};
    cr_assert_eq(psy_broker_create(&o, &broker), PSY_OK, "%s", psy_detail());
    edited_init(&e, 91);
    e.may_fail = true;
    e.agent = (psy_agent){work, broker};
    pid_t workers[SHARDS];
    for (uint32_t i = 0; i < SHARDS; i++) {
        workers[i] = start_worker(&e, uri, i);
    }
    edited_connect(&e, uri, 16);
    uint32_t kills = 0, lost = 0;
    uint64_t ticket = 0, version = 0, kill_due_ns = 0;
    const uint64_t end = psy__now_ns() + 100 * second_ns;
    while ((kills < KILLS || e.made < MADE) && psy__now_ns() < end) {
        psy_edit edits[16];
        edited_serve(&e);
        psy_status status = ticket ? psy_broker_edit_status(broker, ticket, &version) : PSY_NOT_FOUND;
        if (status != PSY_EMPTY && e.made < 4 + kills * 7u) { /* no more than are kept */
            if (ticket) {
                cr_assert(status == PSY_OK || status == PSY_PEER_DIED, "%s: %s", psy_status_name(status), psy_detail());
                edited_made(&e, status == PSY_OK);
                cr_assert(status != PSY_OK || version == e.made);
                lost += status != PSY_OK;
            }
            uint32_t n = edited_change(&e, edits);
            cr_assert_eq(psy_broker_edit(broker, edits, n, &ticket), PSY_OK, "%s", psy_detail());
        }
        if (psy__now_ns() > kill_due_ns && kills < KILLS) { /* from at once to some edits later */
            uint32_t which = (uint32_t)edited_random(&e, SHARDS);
            kill_due_ns = psy__now_ns() + edited_random(&e, 120) * 1000000;
            kill(workers[which], SIGKILL);
            cr_assert_eq(waitpid(workers[which], NULL, 0), workers[which]);
            workers[which] = start_worker(&e, uri, which);
            kills++;
        }
    }
    cr_assert_eq(kills, (uint32_t)KILLS);
    cr_assert_geq(e.made, (uint64_t)MADE, "%lu versions", (unsigned long)e.made);
    cr_assert_gt(e.answered[EDITED_SUMS], 50u);
    psy_status status = PSY_EMPTY;
    while (status == PSY_EMPTY && psy__now_ns() < end) {
        edited_serve(&e);
        status = psy_broker_edit_status(broker, ticket, &version);
    }
    cr_assert(status == PSY_OK || status == PSY_PEER_DIED, "%s: %s", psy_status_name(status), psy_detail());
    edited_made(&e, status == PSY_OK);
    edited_settle(&e);
    while (e.newest < e.made && psy__now_ns() < end) { /* every worker has all that was made */
        edited_serve(&e);
    }
    cr_assert_eq(e.newest, e.made, "%u lost", lost);
    edited_settle(&e);
    edited_fini(&e);
    for (uint32_t i = 0; i < SHARDS; i++) {
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
    }
    psy_broker_destroy(broker);
    psy_module_close(module);
    cr_assert_eq(rmdir(folder), 0);
}
