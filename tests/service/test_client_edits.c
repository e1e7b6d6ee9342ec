/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that change data: those that may, those that may not, and those that send what is no edit. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/channel_state.h"
#include "service/edit_file.h"
#include "tests/service/edited.h"
#include "tests/service/served.h"

enum { STRANGER = 61001, EDITOR = 61002, HEAD_BYTES = 4160 };

typedef struct service {
    served s;
    edited e;
    psy_module *module;
} service;

static void open_service(service *t, psy_broker_options *o)
{
    t->module = open_program(EDITED_MODULE);
    o->module = t->module;
    edited_init(&t->e, 71);
    served_open(&t->s, o);
    for (uint32_t i = 0; i < o->shards; i++) {
        psy_worker_options w = {.uri = t->s.uri, .shard = i, .engine = "cpu"};
        cr_assert_eq(psy_worker_create(&w, &t->s.workers[i]), PSY_OK, "%s", psy_detail());
        edited_load(&t->e, t->s.workers[i]);
        served_start(&t->s, i);
    }
}

static void close_service(service *t)
{
    edited_fini(&t->e);
    served_close(&t->s);
    psy_module_close(t->module);
}

static const float zeros[64];

static psy_edit more_weights(uint64_t rows)
{
    return (psy_edit){
        .resident = "weights", .kind = PSY_EDIT_APPEND, .dtype = PSY_F32, .rank = 2, .dims = {rows, EDITED_DIM}, .rows = zeros};
}

/* What a call returns is what requests after it see; what is wrong is told, and the channel goes on. */
Test(client_edits, are_made_and_answered)
{
    static service t;
    open_service(&t, &(psy_broker_options){.uri = "inproc://client-edits", .shards = 2, .client_edit_bytes = 16384});
    edited_connect(&t.e, t.s.uri, 24);
    for (int i = 0; i < 20; i++) {
        psy_edit edits[16];
        psy_status wanted;
        uint64_t version = 0;
        edited_serve(&t.e);
        uint32_t n = edited_change(&t.e, edits);
        cr_assert_eq(psy_channel_edit(t.e.channel, edits, n, &version, 20 * second_ns), PSY_OK, "%s", psy_detail());
        edited_made(&t.e, true);
        cr_assert_eq(version, t.e.made);
        edited_serve(&t.e);
        n = edited_mistake(&t.e, edits, &wanted);
        cr_assert_eq(psy_channel_edit(t.e.channel, edits, n, &version, 20 * second_ns), wanted, "%s", psy_detail());
    }
    edited_settle(&t.e);
    static float large[5000];
    psy_edit edit = more_weights(1250);
    edit.rows = large;
    cr_assert_eq(psy_channel_edit(t.e.channel, &edit, 1, NULL, second_ns), PSY_TOO_LARGE, "%s", psy_detail());
    edit.resident = "nothing";
    edit.dims[0] = 1;
    cr_assert_eq(psy_channel_edit(t.e.channel, &edit, 1, NULL, 20 * second_ns), PSY_NOT_FOUND, "%s", psy_detail());
    psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.edits, 20u);
    cr_assert_eq(counts.edits_refused, 22u);
    close_service(&t);
}

/* What is no edit is refused before anything is sent. */
Test(client_edits, that_make_no_sense_are_refused)
{
    const uint64_t keys[2] = {1, 2};
    psy_edit good = more_weights(1), bad[10];
    for (int i = 0; i < 10; i++) {
        bad[i] = good;
    }
    bad[0].resident = NULL;
    bad[1].kind = (psy_edit_kind)9;
    bad[2].flags = 64;
    bad[3].dims[0] = 0;
    bad[4].dims[1] = 0;
    bad[5].rank = 9;
    bad[6].dtype = (psy_dtype)200;
    bad[7].rows = NULL;
    bad[8].kind = PSY_EDIT_DELETE; /* of nothing */
    bad[9].flags = PSY_EDIT_UPSERT;
    psy__edit edit;
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(psy__edit_make(&bad[i], 1, &edit), PSY_INVALID, "%d: %s", i, psy_detail());
    }
    bad[0] = good;
    bad[0].dims[0] = UINT64_C(1) << 40;
    cr_assert_eq(psy__edit_make(&bad[0], 1, &edit), PSY_TOO_LARGE, "%s", psy_detail());
    bad[0].dims[0] = 1;
    bad[0].dims[1] = UINT64_MAX / 2;
    cr_assert_eq(psy__edit_make(&bad[0], 1, &edit), PSY_TOO_LARGE, "%s", psy_detail());
    bad[0] = bad[1] = good;
    cr_assert_eq(psy__edit_make(bad, 2, &edit), PSY_INVALID, "twice the same resident");
    cr_assert_eq(psy__edit_make(&good, 0, &edit), PSY_INVALID);
    cr_assert_eq(psy__edit_make(&good, 17, &edit), PSY_INVALID);
    good.which = keys;
    cr_assert_eq(psy__edit_make(&good, 1, &edit), PSY_OK, "%s", psy_detail()); /* of `by key` data it would do */
    psy__edit_close(&edit);
}

/* ---- files ---- */

static int memfd(const void *bytes, size_t n, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)n), 0);
    cr_assert_eq(pwrite(fd, bytes, n, 0), (ssize_t)n);
    cr_assert_eq(seals ? fcntl(fd, F_ADD_SEALS, seals) : 0, 0);
    return fd;
}

/* Sends a file as an edit: what the broker answers. */
static psy_status send_file(psy_channel *c, int fd)
{
    psy__edit_sent said;
    psy__control control;
    psy__edited done;
    bool refused;
    cr_assert_eq(psy__say(c->link, PSY_SAY_EDIT, &said, sizeof said, &fd, 1), PSY_OK, "%s", psy_detail());
    close(fd);
    psy_status status = psy__hear_any(c->link, &control, &refused, psy__now_ns() + 20 * second_ns);
    if (status == PSY_OK) {
        cr_assert_eq(psy__heard(&control, PSY_SAY_EDITED, &done, sizeof done, 0), PSY_OK, "%s", psy_detail());
    } else {
        cr_assert(refused, "%s", psy_detail());
    }
    return status;
}

/* Bytes of any kind where an edit is due: an answer each time, and the service goes on. */
Test(client_edits, of_any_bytes_harm_nobody)
{
    static service t;
    enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, ROUNDS = 400 };
    open_service(&t, &(psy_broker_options){.uri = "inproc://any-bytes", .shards = 2, .client_edit_bytes = 1 << 20});
    psy_channel *c = served_connect(&t.s, 1);
    psy_pipeline sums;
    cr_assert_eq(psy_channel_open(c, "sums", edits_ask_type(), edits_sums_type(), &sums), PSY_OK, "%s", psy_detail());
    const uint64_t numbers[3] = {1, 2, 5}, keys[3] = {7, 8, 9};
    psy_edit edits[3] = {more_weights(3), more_weights(3), more_weights(3)};
    edits[1].resident = "marks";
    edits[1].kind = PSY_EDIT_REPLACE;
    edits[1].rank = 1;
    edits[1].which = numbers;
    edits[2].resident = "kept";
    edits[2].which = keys;
    edits[2].flags = PSY_EDIT_UPSERT;
    psy__edit edit;
    cr_assert_eq(psy__edit_make(edits, 3, &edit), PSY_OK, "%s", psy_detail());
    static uint8_t good[8192], bytes[8192];
    const size_t n = edit.bytes;
    cr_assert(n <= sizeof good && pread(edit.fd, good, n, 0) == (ssize_t)n);
    psy__edit_close(&edit);
    cr_assert_eq(send_file(c, memfd(good, n, SEALS)), PSY_OK, "%s", psy_detail());
    cr_assert_eq(send_file(c, memfd(good, n, 0)), PSY_CORRUPT, "not sealed");
    cr_assert_eq(send_file(c, memfd(good, n, F_SEAL_SHRINK | F_SEAL_GROW)), PSY_CORRUPT, "its bytes can change");
    cr_assert_eq(send_file(c, memfd(good, n - 64, SEALS)), PSY_CORRUPT);
    cr_assert_eq(send_file(c, memfd(good, n + 64, SEALS)), PSY_CORRUPT);
    cr_assert_eq(send_file(c, memfd(good, 64, SEALS)), PSY_CORRUPT);
    cr_assert_eq(send_file(c, open("/dev/null", O_RDONLY | O_CLOEXEC)), PSY_CORRUPT);
    uint32_t made = 1, refused = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        memcpy(bytes, good, n);
        const uint32_t part = (uint32_t)edited_random(&t.e, 3);
        for (uint64_t k = 1 + edited_random(&t.e, 3); k-- > 0;) { /* headers, numbers and sizes rather than names and rows */
            const size_t in_part = edited_random(&t.e, 2)   ? 64 + part * 256 + 128 + edited_random(&t.e, 80)
                                   : edited_random(&t.e, 8) ? HEAD_BYTES + edited_random(&t.e, n - HEAD_BYTES)
                                                            : edited_random(&t.e, 64);
            bytes[in_part] = (uint8_t)(edited_random(&t.e, 3) ? edited_random(&t.e, 8) : edited_random(&t.e, 256));
        }
        const psy_status status = send_file(c, memfd(bytes, n, SEALS));
        made += status == PSY_OK;
        refused += status != PSY_OK;
    }
    cr_assert_gt(refused, 50u);
    edits_ask message;
    psy_reply reply;
    edits_ask_init(&message);
    cr_assert_eq(psy_channel_call(c, &sums, &message, &reply), PSY_OK, "%s", psy_detail());
    psy_channel_release(c, &reply);
    psy_broker_counts counts = served_counts(&t.s);
    cr_assert_eq(counts.edits, made);
    cr_assert_eq(counts.data_version, made + 1u);
    cr_assert_eq(counts.deaths, 0u);
    cr_assert_eq(counts.shards_ready, 2u);
    psy_channel_close(c);
    close_service(&t);
}

/* A second edit before the first is answered is no conversation. */
Test(client_edits, come_one_at_a_time)
{
    static service t;
    open_service(&t, &(psy_broker_options){.uri = "inproc://one-at-a-time", .shards = 1});
    psy_channel *c = served_connect(&t.s, 1);
    psy_edit edits = more_weights(4);
    psy__edit edit;
    psy__edit_sent said;
    psy__control control;
    served_halt(&t.s, 0); /* nobody answers */
    cr_assert_eq(psy__edit_make(&edits, 1, &edit), PSY_OK);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(psy__say(c->link, PSY_SAY_EDIT, &said, sizeof said, &edit.fd, 1), PSY_OK);
    }
    psy__edit_close(&edit);
    bool refused;
    cr_assert_eq(psy__hear_any(c->link, &control, &refused, psy__now_ns() + 20 * second_ns), PSY_PROTOCOL, "%s", psy_detail());
    served_resume(&t.s, 0);
    psy_channel_close(c);
    c = served_connect(&t.s, 1); /* the first one is made all the same, or was taken back; others can be */
    cr_assert_eq(psy_channel_edit(c, &edits, 1, NULL, 20 * second_ns), PSY_OK, "%s", psy_detail());
    psy_channel_close(c);
    close_service(&t);
}

/* ---- beside programs of clients ---- */

static uint64_t file_bytes(const char *path, uint8_t *out, size_t room)
{
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    const size_t n = fread(out, 1, room, f);
    fclose(f);
    cr_assert(n > 0 && n < room);
    return n;
}

/* A client's program that keeps to its limits no more does not stand in the way: it goes, and says why as long as it is named.
 */
Test(client_edits, do_not_wait_for_programs_of_clients)
{
    static service t;
    static uint8_t module[1 << 16];
    static float rows[5000 * EDITED_DIM];
    open_service(&t, &(psy_broker_options){.uri = "inproc://outgrown", .shards = 1, .client_programs = 2, .client_work = 5000});
    psy_channel *c = served_connect(&t.s, 4);
    const uint64_t n = file_bytes(PROGRAM_FILE("v3"), module, sizeof module);
    cr_assert_eq(psy_channel_send_program(c, module, n, "mine", NULL), PSY_OK, "%s", psy_detail());
    psy_pipeline total = served_pipeline(c, "mine/total");
    cr_assert_eq(served_call(c, &total, 1), PSY_OK, "%s", psy_detail());
    psy_edit edits[2] = {more_weights(5000), more_weights(5000)};
    edits[0].resident = "rows";
    edits[0].rows = rows;
    edits[1].resident = "marks";
    edits[1].rank = 1;
    edits[1].rows = rows;
    uint64_t version = 0;
    cr_assert_eq(psy_channel_edit(c, edits, 2, &version, 20 * second_ns), PSY_OK, "%s", psy_detail());
    cr_assert_eq(version, 2u);
    psy_status status = served_call(c, &total, 1);
    cr_assert(status == PSY_NOT_FOUND || status == PSY_TOO_LARGE, "%s", psy_status_name(status));
    cr_assert_eq(served_counts(&t.s).deaths, 0u);
    cr_assert_eq(psy_channel_send_program(c, module, n, "again", NULL), PSY_TOO_LARGE, "%s", psy_detail());
    psy_channel_close(c);
    close_service(&t);
}

/* ---- who may ---- */

static psy_status edit_as(uid_t uid, const char *uri)
{
    pid_t pid = start_process();
    if (pid == 0) {
        psy_channel *c;
        psy_edit edits = more_weights(2);
        if (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0 || psy_channel_connect(uri, NULL, &c) != PSY_OK) {
            _exit(255);
        }
        _exit((int)psy_channel_edit(c, &edits, 1, NULL, 20 * second_ns));
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return (psy_status)WEXITSTATUS(status);
}

Test(client_edits, only_of_those_who_may)
{
    if (geteuid() != 0) {
        cr_skip_test("only root has other users");
    }
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    static service t;
    char folder[] = "/tmp/psyne-edits-XXXXXX", uri[96];
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chmod(folder, 0755), 0);
    snprintf(uri, sizeof uri, "ipc://%s/s", folder);
    const psy_rule rules[] = {{.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT},
                              {.uid = EDITOR, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT | PSY_MAY_DATA}};
    open_service(&t, &(psy_broker_options){.uri = uri, .shards = 1, .mode = 0666, .rules = rules, .rule_count = 2});
    cr_assert_eq(edit_as(STRANGER, uri), PSY_DENIED);
    cr_assert_eq(served_counts(&t.s).data_version, 1u);
    cr_assert_eq(served_counts(&t.s).denied, 1u);
    cr_assert_eq(edit_as(EDITOR, uri), PSY_OK);
    cr_assert_eq(served_counts(&t.s).data_version, 2u);
    close_service(&t);
    cr_assert_eq(rmdir(folder), 0);
}
