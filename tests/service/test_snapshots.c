/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots of data that changes meanwhile: each is one version, whole, and what is restored from it answers as that version
 * did, whatever number of shards it has. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "data/npy.h"
#include "service/snapshot.h"
#include "tests/mem/counters.h"
#include "tests/service/served.h"
#include "tests/service/snapped.h"

enum { ROUNDS = 12 };

/* ---- one version, whatever number of shards ---- */

static void restored_by_all(const snapped_folder *f, const edited *e, uint64_t wanted)
{
    static const uint32_t numbers[] = {1, 2, 3, 5, 8};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t version = 0;
        cr_assert_eq(snapped_restore(f, numbers[i], e, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, wanted);
    }
}

static void are_restored(uint32_t shards, uint64_t seed)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, shards, seed);
    uint64_t version = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint64_t n = edited_random(&e, 4); n > 0; n--) {
            snapped_change(service, &e);
        }
        cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, e.made);
        if (round % 3 == 0) {
            restored_by_all(&f, &e, version);
        }
    }
    restored_by_all(&f, &e, version);
    char names[64][64];
    cr_assert_eq(snapped_names(f.path, names), 2u, "the list, and a folder of files");
    psy_broker_counts counts;
    psy_broker_get_counts(psy_service_broker(service), &counts);
    cr_assert_eq(counts.snapshots, (uint64_t)ROUNDS);
    cr_assert_eq(counts.snapshots_failed, 0u);
    cr_assert_eq(counts.snapshot_version, version);
    cr_assert_gt(counts.snapshot_ns, UINT64_C(1600000000000000000));
    cr_assert_eq(counts.edits_kept, 0u);
    snapped_close(service, &e);
    snapped_end(&f);
}

Test(snapshots, of_one_shard) { are_restored(1, 101); }
Test(snapshots, of_three_shards) { are_restored(3, 102); }
Test(snapshots, of_four_shards) { are_restored(4, 103); }

/* What is restored goes on: its edits have the next versions, and another snapshot takes the place of the first. */
Test(snapshots, are_continued)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 111);
    uint64_t version = 0;
    snapped_change(service, &e);
    for (uint32_t life = 0; life < 4; life++) {
        snapped_change(service, &e);
        cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
        edited_settle(&e);
        psy_channel_close(e.channel);
        psy_service_destroy(service);
        psy_module *module = open_program(EDITED_MODULE);
        psy_service_options o = {.broker = {.module = module, .shards = 1 + life % 3}, .worker = {.engine = "cpu"}};
        cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
        psy_module_close(module);
        cr_assert_eq(psy_service_restore(service, f.path), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_service_start(service, 0), PSY_OK, "%s", psy_detail());
        e.agent = psy_service_agent(service);
        edited_connect(&e, psy_service_uri(service), 24);
        snapped_change(service, &e);
        cr_assert_eq(psy_service_snapshot(service, f.path, 0, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, e.made);
    }
    restored_by_all(&f, &e, e.made);
    snapped_close(service, &e);
    snapped_end(&f);
}

/* ---- edits meanwhile ---- */

/* Holds the writers up in every write, for as long as it is told to. */
static _Atomic bool hold_up;
static _Atomic uint32_t held_up;

static int wait_there(const char *operation, const char *whose)
{
    (void)whose;
    if (strcmp(operation, "write") == 0) {
        held_up++;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; hold_up && psy__now_ns() < end;) {
            usleep(500);
        }
    }
    return 0;
}

/* While files are written, edits of every kind are made: what is written is the version of the beginning. */
Test(snapshots, are_of_one_version_while_edits_go_on)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 121);
    psy__snapshot_fault = wait_there;
    for (uint32_t round = 0; round < 4; round++) {
        uint64_t ticket, version = 0;
        const uint64_t before = e.made;
        held_up = 0;
        hold_up = true;
        cr_assert_eq(psy_broker_snapshot(psy_service_broker(service), f.path, &ticket), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_broker_snapshot(psy_service_broker(service), f.path, NULL), PSY_LIMIT);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; held_up < 2 && psy__now_ns() < end;) {
            edited_serve(&e);
        }
        cr_assert_eq(held_up, 2u);
        for (uint32_t i = 0; i < 12; i++) {
            snapped_change(service, &e); /* they are made, and seen, before a byte is written */
        }
        cr_assert_eq(psy_broker_snapshot_status(psy_service_broker(service), ticket, &version), PSY_EMPTY);
        hold_up = false;
        psy_status status = PSY_EMPTY;
        for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
            edited_serve(&e);
            status = psy_broker_snapshot_status(psy_service_broker(service), ticket, &version);
        }
        cr_assert_eq(status, PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, before);
        uint64_t restored = 0;
        cr_assert_eq(snapped_restore(&f, 1 + round % 3, &e, &restored), PSY_OK, "%s", psy_detail());
        cr_assert_eq(restored, before);
    }
    psy__snapshot_fault = NULL;
    snapped_close(service, &e);
    snapped_end(&f);
}

/* ---- workers that die, and come ---- */

typedef struct threads {
    served s;
    edited e;
    snapped_folder folder;
} threads;

static void join_late(threads *t, uint32_t shard)
{
    psy_worker_options o = {.uri = t->s.uri, .shard = shard, .engine = "cpu"};
    psy_status status = PSY_LIMIT;
    for (int tries = 0; tries < 500 && status == PSY_LIMIT; tries++) { /* the broker may not have seen that the last one went */
        status = psy_worker_create(&o, &t->s.workers[shard]);
        usleep(status == PSY_LIMIT ? 2000 : 0);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
}

static void open_service(threads *t, const char *uri, uint32_t shards, uint64_t seed)
{
    psy_module *module = open_program(EDITED_MODULE);
    t->folder = snapped_make();
    edited_init(&t->e, seed);
    t->e.may_fail = true;
    served_open(&t->s, &(psy_broker_options){.uri = uri, .shards = shards, .module = module});
    psy_module_close(module);
    for (uint32_t i = 0; i < shards; i++) {
        join_late(t, i);
        edited_load(&t->e, t->s.workers[i]);
        served_start(&t->s, i);
    }
    edited_connect(&t->e, t->s.uri, 24);
}

static void close_service(threads *t)
{
    edited_settle(&t->e);
    edited_fini(&t->e);
    served_close(&t->s);
    snapped_end(&t->folder);
}

static void change(threads *t)
{
    psy_edit edits[16];
    uint64_t ticket, version = 0;
    const uint32_t n = edited_change(&t->e, edits);
    pthread_mutex_lock(&t->s.mutex);
    psy_status status = psy_broker_edit(t->s.broker, edits, n, &ticket);
    pthread_mutex_unlock(&t->s.mutex);
    status = status == PSY_OK ? PSY_EMPTY : status;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(&t->e);
        pthread_mutex_lock(&t->s.mutex);
        status = psy_broker_edit_status(t->s.broker, ticket, &version);
        pthread_mutex_unlock(&t->s.mutex);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    edited_made(&t->e, true);
}

static void begin_snapshot(threads *t, uint64_t *ticket)
{
    pthread_mutex_lock(&t->s.mutex);
    const psy_status status = psy_broker_snapshot(t->s.broker, t->folder.path, ticket);
    pthread_mutex_unlock(&t->s.mutex);
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
}

static psy_status await_snapshot(threads *t, uint64_t ticket, uint64_t *version)
{
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + 20 * second_ns; status == PSY_EMPTY && psy__now_ns() < end; usleep(500)) {
        pthread_mutex_lock(&t->s.mutex);
        status = psy_broker_snapshot_status(t->s.broker, ticket, version);
        pthread_mutex_unlock(&t->s.mutex);
    }
    return status;
}

/* Later workers restore the last snapshot and make the edits since, and no others are kept for them. */
Test(snapshots, are_what_later_workers_begin_with)
{
    static threads t;
    open_service(&t, "inproc://snapshots-late", 3, 131);
    for (uint32_t round = 0; round < 4; round++) {
        uint64_t ticket, version = 0;
        for (uint32_t i = 0; i < 6; i++) {
            change(&t);
        }
        begin_snapshot(&t, &ticket);
        cr_assert_eq(await_snapshot(&t, ticket, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, t.e.made);
        cr_assert_eq(served_counts(&t.s).edits_kept, 0u);
        for (uint32_t i = 0; i < round; i++) {
            change(&t);
        }
        cr_assert_eq(served_counts(&t.s).edits_kept, round);
        served_kill(&t.s, round % 3);
        edited_settle(&t.e);
        join_late(&t, round % 3);
        cr_assert_eq(psy_worker_restore(t.s.workers[round % 3], t.folder.path), PSY_OK, "%s", psy_detail());
        served_start(&t.s, round % 3);
        const uint64_t before = t.e.answered[EDITED_BEST];
        for (uint64_t end = psy__now_ns() + 20 * second_ns; t.e.answered[EDITED_BEST] < before + 10 && psy__now_ns() < end;) {
            edited_serve(&t.e);
        }
        cr_assert_geq(t.e.answered[EDITED_BEST], before + 10);
    }
    /* One that loads what the first ones did lacks what is kept no more. */
    served_kill(&t.s, 0);
    edited_settle(&t.e);
    join_late(&t, 0);
    edited_load(&t.e, t.s.workers[0]);
    cr_assert_eq(psy_worker_start(t.s.workers[0]), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "snapshot"), "%s", psy_detail());
    close_service(&t);
}

/* A worker that dies while it writes: the snapshot fails, what it left is gone, and the next one is made. */
Test(snapshots, end_with_a_worker)
{
    static threads t;
    open_service(&t, "inproc://snapshots-death", 2, 141);
    uint64_t ticket, version = 0;
    begin_snapshot(&t, &ticket);
    cr_assert_eq(await_snapshot(&t, ticket, &version), PSY_OK, "%s", psy_detail());
    for (uint32_t victim = 0; victim < 2; victim++) {
        const uint64_t last = t.e.made;
        change(&t);
        psy__snapshot_fault = wait_there;
        held_up = 0;
        hold_up = true;
        begin_snapshot(&t, &ticket);
        for (uint64_t end = psy__now_ns() + 20 * second_ns; held_up < 2 && psy__now_ns() < end; usleep(500)) {
        }
        cr_assert_eq(held_up, 2u);
        psy__snapshot_fault = NULL;
        served_halt(&t.s, victim);
        /* Its link is closed before its thread is waited for. */
        hold_up = false;
        served_kill(&t.s, victim);
        cr_assert_eq(await_snapshot(&t, ticket, &version), PSY_PEER_DIED, "%s", psy_detail());
        char names[64][64];
        cr_assert_eq(snapped_names(t.folder.path, names), 2u);
        edited_settle(&t.e);
        join_late(&t, victim);
        cr_assert_eq(psy_worker_restore(t.s.workers[victim], t.folder.path), PSY_OK, "%s", psy_detail());
        served_start(&t.s, victim);
        cr_assert_eq(snapped_restore(&t.folder, 2, &t.e, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, last);
        begin_snapshot(&t, &ticket);
        cr_assert_eq(await_snapshot(&t, ticket, &version), PSY_OK, "%s", psy_detail());
        cr_assert_eq(version, t.e.made);
    }
    cr_assert_eq(served_counts(&t.s).snapshots_failed, 2u);
    cr_assert_eq(served_counts(&t.s).snapshots, 3u);
    close_service(&t);
}

/* It waits for every shard, and for nobody else. */
Test(snapshots, wait_for_every_shard)
{
    static threads t;
    open_service(&t, "inproc://snapshots-wait", 2, 151);
    uint64_t ticket, version = 0;
    served_kill(&t.s, 1);
    edited_serve(&t.e);
    edited_settle(&t.e);
    begin_snapshot(&t, &ticket);
    usleep(30000);
    pthread_mutex_lock(&t.s.mutex);
    cr_assert_eq(psy_broker_snapshot_status(t.s.broker, ticket, &version), PSY_EMPTY);
    cr_assert_eq(psy_broker_snapshot_status(t.s.broker, 77, &version), PSY_NOT_FOUND);
    pthread_mutex_unlock(&t.s.mutex);
    join_late(&t, 1);
    edited_load(&t.e, t.s.workers[1]);
    served_start(&t.s, 1);
    cr_assert_eq(await_snapshot(&t, ticket, &version), PSY_OK, "%s", psy_detail());
    cr_assert_eq(version, 1u);
    close_service(&t);
}

/* ---- what is counted ---- */

typedef struct counted {
    uint64_t edits, kept, snapshots, version, timestamp, rows, bytes, kept_rows;
    uint32_t residents;
} counted;

static counted count_all(const char *folder)
{
    counted c = {0};
    psy_counters_snapshot *s = read_counters(folder);
    const psy_counters_view *v;
    for (uint32_t i = 0; (v = psy_counters_view_at(s, i)) != NULL; i++) {
        if (v->section == PSY_COUNTERS_OF_DATA) {
            c.edits += v->values[PSY_DATA_COUNTER_edits];
            c.kept += v->values[PSY_DATA_COUNTER_edits_kept];
            c.snapshots += v->values[PSY_DATA_COUNTER_snapshots];
            c.version += v->values[PSY_DATA_COUNTER_snapshot_version];
            c.timestamp += v->values[PSY_DATA_COUNTER_snapshot_timestamp];
        } else if (v->section == PSY_COUNTERS_OF_RESIDENT) {
            const bool rows = strcmp(v->label, "snapshots-counted/rows") == 0;
            c.residents++;
            c.rows += rows ? v->values[PSY_RESIDENT_COUNTER_rows] : 0;
            c.bytes += rows ? v->values[PSY_RESIDENT_COUNTER_bytes] : 0;
            c.kept_rows += strcmp(v->label, "snapshots-counted/kept") == 0 ? v->values[PSY_RESIDENT_COUNTER_rows] : 0;
        }
    }
    psy_counters_release(s);
    return c;
}

Test(snapshots, are_counted)
{
    static edited e;
    scratch counters_folder = scratch_make();
    snapped_folder f = snapped_make();
    psy_counters *counters = make_counters(scratch_name(&counters_folder, "snapshots.counters").text, 256);
    psy_module *module = open_program(EDITED_MODULE);
    psy_service *service;
    psy_service_options o = {
        .broker = {.uri = "inproc://snapshots-counted", .module = module, .shards = 2, .counters = counters},
        .worker = {.engine = "cpu", .counters = counters}};
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    psy_module_close(module);
    edited_init(&e, 181);
    for (uint32_t i = 0; i < 2; i++) {
        edited_load(&e, psy_service_worker(service, i));
    }
    cr_assert_eq(psy_service_start(service, 0), PSY_OK, "%s", psy_detail());
    e.agent = psy_service_agent(service);
    edited_connect(&e, psy_service_uri(service), 24);
    uint64_t version;
    for (int i = 0; i < 3; i++) {
        snapped_change(service, &e);
    }
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    snapped_change(service, &e);
    counted c = {0};
    const edited_data *d = edited_at(&e, e.made);
    for (uint64_t end = psy__now_ns() + 20 * second_ns; c.edits < 4 && psy__now_ns() < end;) {
        edited_serve(&e);
        c = count_all(counters_folder.path);
    }
    cr_assert_eq(c.edits, 4u);
    cr_assert_eq(c.kept, 1u);
    cr_assert_eq(c.snapshots, 1u);
    cr_assert_eq(c.version, 4u);
    cr_assert_gt(c.timestamp, UINT64_C(1600000000000000000));
    for (uint64_t end = psy__now_ns() + 20 * second_ns; (c.rows != d->rows || c.kept_rows != d->kept) && psy__now_ns() < end;) {
        edited_serve(&e);
        c = count_all(counters_folder.path);
    }
    cr_assert_eq(c.residents, 12u);
    cr_assert_eq(c.rows, (uint64_t)d->rows);
    cr_assert_eq(c.bytes, d->rows * sizeof d->row[0]);
    cr_assert_eq(c.kept_rows, (uint64_t)d->kept);
    snapped_close(service, &e);
    cr_assert_eq(count_all(counters_folder.path).residents, 0u, "their rows are given back");
    psy_counters_destroy(counters);
    snapped_end(&f);
    scratch_end(&counters_folder);
}

/* ---- what NumPy reads ---- */

Test(snapshots, are_arrays_of_numpy)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 161);
    uint64_t version = 0, rows = 0;
    snapped_change(service, &e);
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    const edited_data *d = edited_at(&e, version);
    char path[400];
    for (int shard = 0; shard < 2; shard++) {
        char file[64];
        psy__npy npy;
        snprintf(file, sizeof file, "rows.shard-%d-of-2.npy", shard);
        snapped_file(&f, file, path);
        cr_assert_eq(psy__npy_open(path, &npy), PSY_OK, "%s", psy_detail());
        cr_assert_eq(npy.dtype, PSY_F32);
        cr_assert_eq(npy.rank, 2u);
        cr_assert_eq(npy.dims[1], (uint64_t)EDITED_DIM);
        cr_assert_eq(memcmp(npy.data, d->row[rows], npy.dims[0] * sizeof d->row[0]), 0);
        rows += npy.dims[0];
        psy__npy_close(&npy);
    }
    cr_assert_eq(rows, (uint64_t)d->rows);
    psy__npy titles;
    snapped_file(&f, "titles.shard-0-of-2.npy", path);
    cr_assert_eq(psy__npy_open(path, &titles), PSY_OK, "%s", psy_detail());
    cr_assert_eq(titles.dtype, PSY_U8);
    cr_assert_eq(titles.dims[0], (uint64_t)d->titles);
    cr_assert_eq(memcmp(titles.data, d->title, d->titles * EDITED_TEXT), 0);
    psy__npy_close(&titles);
    char names[64][64];
    snapped_file(&f, NULL, path);
    cr_assert_eq(snapped_names(path, names), 11u, "rows, marks and kept of both, kept's keys, and the rest of the first");
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 077u, 0u, "it is nobody else's");
    snapped_close(service, &e);
    snapped_end(&f);
}

/* ---- who looks how far loading is ---- */

typedef struct looks {
    uint32_t calls, ends, most;
    bool grows;
    uint64_t last;
    char resident[32];
} looks;

static psy_status look(void *context, const char *resident, uint64_t rows, uint64_t all)
{
    looks *l = context;
    if (strcmp(l->resident, resident) != 0) {
        l->last = 0;
        snprintf(l->resident, sizeof l->resident, "%.31s", resident);
    }
    l->grows = l->grows && rows >= l->last && (rows <= all || all == 0);
    l->last = rows;
    l->ends += rows == all && all != 0;
    return ++l->calls > l->most ? psy_fail(PSY_CANCELLED, "enough") : PSY_OK;
}

Test(snapshots, say_how_far_they_are)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 171);
    uint64_t version;
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    psy_module *module = open_program(EDITED_MODULE);
    for (uint32_t most = 0; most < 3; most++) {
        looks l = {.grows = true, .most = most == 2 ? UINT32_MAX : 5 * most};
        psy_service_options o = {.broker = {.module = module},
                                 .worker = {.engine = "cpu", .progress = look, .progress_context = &l}};
        psy_service *again;
        cr_assert_eq(psy_service_create(&o, &again), PSY_OK, "%s", psy_detail());
        cr_assert_eq(psy_service_restore(again, f.path), most == 2 ? PSY_OK : PSY_CANCELLED, "%s", psy_detail());
        cr_assert(l.grows);
        if (most == 2) {
            cr_assert_eq(l.ends, 6u, "%u", l.ends);
            cr_assert_eq(psy_service_start(again, 0), PSY_OK, "%s", psy_detail());
            cr_assert_eq(psy_service_restore(again, f.path), PSY_INVALID);
        } else {
            cr_assert_not_null(strstr(psy_detail(), "enough"), "%s", psy_detail());
            l.most = UINT32_MAX; /* and again: nothing was left */
            cr_assert_eq(psy_service_restore(again, f.path), PSY_OK, "%s", psy_detail());
        }
        psy_service_destroy(again);
    }
    psy_module_close(module);
    snapped_close(service, &e);
    snapped_end(&f);
}
