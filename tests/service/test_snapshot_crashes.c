/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that end anywhere: by the death of the process before any operation on the disk, or by any of them failing. The
 * folder has the one before, or the new one. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/snapshot.h"
#include "tests/service/processes.h"
#include "tests/service/snapped.h"

enum { OPERATIONS_MAX = 200, DIED = 7 };

static _Atomic uint32_t operations, end_before;
static int error_there;
static struct {
    char operation[12], name[64];
} log_of[OPERATIONS_MAX];

static int count(const char *operation, const char *name)
{
    const uint32_t n = ++operations;
    if (n <= OPERATIONS_MAX) {
        snprintf(log_of[n - 1].operation, sizeof log_of[0].operation, "%s", operation);
        snprintf(log_of[n - 1].name, sizeof log_of[0].name, "%.63s", name);
    }
    if (n == end_before && error_there == 0) {
        _exit(DIED);
    }
    return n == end_before ? error_there : 0;
}

/* Of the many operations that write one file after the other, every third does. */
static uint32_t next_of(uint32_t end, uint32_t files_end) { return end >= 6 && end + 3 < files_end ? end + 3 : end + 1; }

static void begin_counting(uint32_t end, int error)
{
    operations = 0;
    end_before = end;
    error_there = error;
    psy__snapshot_fault = count;
}

/* ---- a process that dies ---- */

/* Version 1 is in the folder, and version 2 on its way there. What they are, the parent is told. */
static void take_two(const snapped_folder *f, uint32_t end, edited_data *told)
{
    static edited e;
    uint64_t version;
    psy_service *service = snapped_service(&e, 1, 201);
    if (snapped_take(service, &e, f, &version) != PSY_OK) {
        _exit(1);
    }
    snapped_change(service, &e);
    told[0] = *edited_at(&e, 1);
    told[1] = *edited_at(&e, 2);
    begin_counting(end, 0);
    _exit(snapped_take(service, &e, f, &version) == PSY_OK ? 0 : 2);
}

Test(snapshot_crashes, leave_the_old_or_the_new)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    const size_t bytes = 2 * sizeof(edited_data);
    edited_data *told = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    edited e = {.data = calloc(EDITED_VERSIONS + 1, sizeof *e.data)};
    cr_assert(told != MAP_FAILED && e.data);
    static edited other; /* of the service whose snapshot is the next one, and clears away what is left */
    psy_service *next = snapped_service(&other, 2, 202);
    uint32_t old = 0, new = 0;
    for (uint32_t end = 1, status = DIED; status == DIED; end = next_of(end, 28)) {
        cr_assert_lt(end, (uint32_t)OPERATIONS_MAX);
        snapped_folder f = snapped_make();
        const pid_t child = start_process();
        if (child == 0) {
            take_two(&f, end, told);
        }
        int ended;
        cr_assert_eq(waitpid(child, &ended, 0), child);
        cr_assert(WIFEXITED(ended), "it was to die before operation %u", end);
        status = (uint32_t)WEXITSTATUS(ended);
        cr_assert(status == DIED || status == 0, "status %u at operation %u", status, end);
        *edited_at(&e, 1) = told[0];
        *edited_at(&e, 2) = told[1];
        uint64_t version = 0;
        cr_assert(snapped_whole(&f, &version), "operation %u: %s", end, psy_detail());
        if (end % 8 == 0) {
            cr_assert_eq(snapped_restore(&f, 1 + end % 3, &e, &version), PSY_OK, "operation %u: %s", end, psy_detail());
        }
        cr_assert(version == 1 || version == 2);
        cr_assert(version == 2 || new == 0, "operation %u: the old one is there again", end);
        old += version == 1;
        new += version == 2;
        cr_assert_eq(snapped_take(next, &other, &f, &version), PSY_OK, "%s", psy_detail());
        char names[64][64];
        cr_assert_eq(snapped_names(f.path, names), 2u, "operation %u", end);
        snapped_end(&f);
    }
    snapped_close(next, &other);
    cr_assert_gt(old, 15u);
    cr_assert_gt(new, 5u);
    free(e.data);
    munmap(told, bytes);
}

/* ---- operations that fail ---- */

static void fail_at_each(uint32_t shards, int error, psy_status wanted)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, shards, 211);
    uint64_t version = 0, there = 0, failures = 0;
    begin_counting(0, 0);
    cr_assert_eq(snapped_take(service, &e, &f, &there), PSY_OK, "%s", psy_detail());
    for (uint32_t end = 1, last = 1; operations >= last; last = end, end = next_of(end, 25 * shards)) {
        psy_broker_counts counts;
        snapped_change(service, &e);
        begin_counting(end, error);
        const psy_status status = snapped_take(service, &e, &f, &version);
        psy__snapshot_fault = NULL;
        cr_assert_lt(end, (uint32_t)OPERATIONS_MAX);
        psy_broker_get_counts(psy_service_broker(service), &counts);
        if (status != PSY_OK) {
            failures++;
            cr_assert_eq(status, wanted, "operation %u: %s", end, psy_detail());
            cr_assert_not_null(strstr(psy_detail(), strerror(error)), "%s", psy_detail());
        }
        cr_assert_eq(counts.snapshots_failed, failures);
        uint64_t restored = 0;
        cr_assert(snapped_whole(&f, &restored), "operation %u: %s", end, psy_detail());
        if (end % 8 == 0) {
            cr_assert_eq(snapped_restore(&f, 2, &e, &restored), PSY_OK, "operation %u: %s", end, psy_detail());
        }
        /* Only where all but the last word of the disk was heard can a failure have been none. */
        cr_assert(restored == (status == PSY_OK ? e.made : there) || (status != PSY_OK && restored == e.made),
                  "operation %u: version %lu", end, (unsigned long)restored);
        there = restored;
        cr_assert_eq(snapped_take(service, &e, &f, &there), PSY_OK, "after operation %u: %s", end, psy_detail());
        char names[64][64];
        cr_assert_eq(snapped_names(f.path, names), 2u, "operation %u", end);
    }
    cr_assert_gt(failures, 15u);
    snapped_close(service, &e);
    snapped_end(&f);
}

Test(snapshot_crashes, a_full_disk) { fail_at_each(2, ENOSPC, PSY_IO); }
Test(snapshot_crashes, no_rights) { fail_at_each(1, EACCES, PSY_DENIED); }

/* ---- the order, on which all of this rests ---- */

static uint32_t find(const char *operation, const char *name, uint32_t from)
{
    for (uint32_t i = from; i < operations; i++) {
        if (strcmp(log_of[i].operation, operation) == 0 && strcmp(log_of[i].name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* A disk that keeps only what it was told to: no file is named by a list that is, and no list by a name, before its bytes are
 * there. */
Test(snapshot_crashes, everything_is_on_the_disk_before_it_is_named)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 1, 221);
    uint64_t version;
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    snapped_change(service, &e);
    begin_counting(0, 0);
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    psy__snapshot_fault = NULL;
    const uint32_t rename = find("rename", "snapshot", 0), list = find("create", "snapshot.new", 0);
    cr_assert_lt(operations, (uint32_t)OPERATIONS_MAX);
    cr_assert_neq(rename, UINT32_MAX);
    cr_assert_lt(find("fsync", "snapshot.new", list), rename);
    uint32_t files = 0, last_file = 0;
    for (uint32_t i = 0; i < operations; i++) {
        const bool file = strcmp(log_of[i].operation, "create") == 0 && i != list;
        if (file || strcmp(log_of[i].operation, "write") == 0) {
            const uint32_t kept = find("fsync", log_of[i].name, i);
            cr_assert_lt(kept, rename, "%s", log_of[i].name);
            last_file = file && kept > last_file ? kept : last_file;
        }
        files += file;
        cr_assert(strcmp(log_of[i].operation, "remove") != 0 || i > find("fsync", "folder", rename), "%s", log_of[i].name);
    }
    cr_assert_eq(files, 7u);
    const uint32_t named = find("fsync", "data", last_file);
    cr_assert_lt(named, rename);
    cr_assert_lt(find("fsync", "folder", named), list);
    cr_assert_neq(find("fsync", "folder", rename), UINT32_MAX);
    snapped_close(service, &e);
    snapped_end(&f);
}
