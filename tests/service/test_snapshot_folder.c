/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that are not what they were: whatever lies in the folder, restoring it ends in a status that says what is wrong. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/siphash.h"
#include "service/snapshot.h"
#include "tests/service/snapped.h"

/* ---- the list ---- */

static const char head[] = "psyne-snapshot 1\nseries 00000000000000aa\nversion 3\nshards 2\nfolder data-0123456789abcdef\n";
static const char data[] = "resident f32 split 2 10 4 rows\npart 6 224 00000000000000bb\npart 4 192 00000000000000cc\n"
                           "resident u64 by-key 1 3 kept%20rows\npart 1 136 1 136 2\npart 2 144 3 144 4\n"
                           "resident u8 replicated 2 2 12 titles\npart 2 152 5\n";

/* With the checksum that is right, in memory that ends where it does. */
static psy_status parse_signed(const char *text, size_t n, psy__snapshot *out)
{
    static const uint64_t zero_key[2] = {0, 0};
    char *all = malloc(n + 22);
    cr_assert_not_null(all);
    memcpy(all, text, n);
    snprintf(all + n, 22, "end %016" PRIx64 "\n", psy__siphash(zero_key, text, n));
    char *exact = malloc(n + 21);
    cr_assert_not_null(exact);
    memcpy(exact, all, n + 21);
    const psy_status status = psy__snapshot_parse(exact, n + 21, out);
    free(exact);
    free(all);
    return status;
}

Test(snapshot_folder, lists_are_read_as_they_were_written)
{
    char text[2000], *again;
    uint64_t n;
    psy__snapshot s;
    snprintf(text, sizeof text, "%s%s", head, data);
    cr_assert_eq(parse_signed(text, strlen(text), &s), PSY_OK, "%s", psy_detail());
    cr_assert_eq(s.series, 0xaau);
    cr_assert_eq(s.version, 3u);
    cr_assert_eq(s.shards, 2u);
    cr_assert_eq(s.resident_count, 3u);
    cr_assert_eq(psy__snapshot_find(&s, "kept rows")->parts[1].keys.checksum, 4u);
    cr_assert_eq(psy__snapshot_find(&s, "rows")->dims[1], 4u);
    cr_assert_null(psy__snapshot_find(&s, "row"));
    cr_assert_eq(psy__snapshot_print(&s, &again, &n), PSY_OK);
    psy__snapshot_fini(&s);
    cr_assert_eq(psy__snapshot_parse(again, n, &s), PSY_OK, "%s", psy_detail());
    cr_assert_eq(s.resident_count, 3u);
    psy__snapshot_fini(&s);
    for (uint64_t cut = 0; cut < n; cut++) { /* cut off anywhere */
        cr_assert_eq(psy__snapshot_parse(again, cut, &s), PSY_CORRUPT, "%lu bytes", (unsigned long)cut);
    }
    for (uint64_t at = 0; at < n; at++) { /* and any byte another */
        again[at] ^= 1;
        const psy_status status = psy__snapshot_parse(again, n, &s);
        cr_assert(status == PSY_CORRUPT || status == PSY_VERSION, "byte %lu: %s", (unsigned long)at, psy_status_name(status));
        again[at] ^= 1;
    }
    free(again);
}

Test(snapshot_folder, lists_make_sense)
{
    static const struct {
        const char *from, *to;
        psy_status status;
    } changes[] = {
        {"snapshot 1", "snapshot 2", PSY_VERSION},
        {"version 3", "version 0", PSY_CORRUPT},
        {"version 3", "version 18446744073709551616", PSY_CORRUPT},
        {"version 3", "version -3", PSY_CORRUPT},
        {"shards 2", "shards 0", PSY_CORRUPT},
        {"shards 2", "shards 65", PSY_CORRUPT},
        {"shards 2", "shards 3", PSY_CORRUPT},
        {"shards 2", "shards 1", PSY_CORRUPT},
        {"data-0123456789abcdef", "../../../../../etc/ssh", PSY_CORRUPT},
        {"data-0123456789abcdef", "data-0123456789abcdeg", PSY_CORRUPT},
        {"data-0123456789abcdef", "data-0123456789abcde", PSY_CORRUPT},
        {"data-0123456789abcdef", "data-0123456789abcdef0", PSY_CORRUPT},
        {"f32 split", "f31 split", PSY_CORRUPT},
        {"f32 split", "f32 shared", PSY_CORRUPT},
        {"split 2 10 4", "split 0", PSY_CORRUPT},
        {"split 2 10 4", "split 9 10 1 1 1 1 1 1 1 1", PSY_CORRUPT},
        {"split 2 10 4", "split 2 11 4", PSY_CORRUPT},
        {"split 2 10 4", "split 2 10", PSY_CORRUPT},
        {"split 2 10 4", "split 2 10 4611686018427387904", PSY_CORRUPT},
        {"split 2 10 4", "split 3 10 4294967296 4294967296", PSY_CORRUPT},
        {"replicated 2 2 12 titles\npart 2", "replicated 2 4294967295 12 titles\npart 4294967295", PSY_CORRUPT},
        {"part 6 ", "part 18446744073709551612 ", PSY_CORRUPT},
        {"part 6 224", "part 6 0", PSY_CORRUPT},
        {"part 6 224", "part 6  224", PSY_CORRUPT},
        {"part 1 136 1 136 2", "part 1 136 1", PSY_CORRUPT},
        {"part 1 136 1 136 2", "part 1 136 1 0 2", PSY_CORRUPT},
        {"kept%20rows", "rows", PSY_CORRUPT},
        {"kept%20rows", "kept%00rows", PSY_CORRUPT},
        {"kept%20rows", "kept%2", PSY_CORRUPT},
        {"kept%20rows", "kept rows", PSY_CORRUPT},
        {"kept%20rows",
         "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567",
         PSY_CORRUPT},
        {"resident u8", "resident", PSY_CORRUPT},
        {"resident u8", "tenant u8", PSY_CORRUPT},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char text[2000], changed[2000];
        psy__snapshot s;
        snprintf(text, sizeof text, "%s%s", head, data);
        const char *at = strstr(text, changes[i].from);
        cr_assert_not_null(at, "%s", changes[i].from);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, changes[i].to, at + strlen(changes[i].from));
        cr_assert_eq(parse_signed(changed, strlen(changed), &s), changes[i].status, "%s: %s", changes[i].to, psy_detail());
    }
}

/* Words of the list in another order, numbers that are others, whatever: it ends, and what it takes fits together. */
Test(snapshot_folder, lists_of_strangers)
{
    uint64_t random = 1;
    uint32_t taken = 0;
    for (uint32_t round = 0; round < 40000; round++) {
        char text[2000];
        size_t n = (size_t)snprintf(text, sizeof text, "%s%s", head, data);
        for (uint32_t changes = 1 + round % 3; changes > 0; changes--) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            const size_t at = (random >> 33) % n, from = (random >> 20) % n;
            const size_t some = 1 + (random >> 45) % 12, room = n - (at > from ? at : from);
            memmove(text + at, text + from, some < room ? some : room);
        }
        psy__snapshot s;
        if (parse_signed(text, n, &s) == PSY_OK) {
            cr_assert_eq(psy__snapshot_check(&s), PSY_OK);
            cr_assert(s.shards >= 1 && s.shards <= 64);
            taken++;
            psy__snapshot_fini(&s);
        }
    }
    cr_assert_gt(taken, 100u, "some changes are of no consequence");
}

Test(snapshot_folder, files_have_names_of_their_own)
{
    char name[PSY_SNAPSHOT_FILE_BYTES], other[PSY_SNAPSHOT_FILE_BYTES];
    psy__snapshot_file_name("words", 1, 4, false, name);
    cr_assert_str_eq(name, "words.shard-1-of-4.npy");
    psy__snapshot_file_name("words", 1, 4, true, name);
    cr_assert_str_eq(name, "words.shard-1-of-4.keys.npy");
    psy__snapshot_file_name("../a", 0, 1, false, name);
    psy__snapshot_file_name(".\xff/a", 0, 1, false, other);
    cr_assert_null(strchr(name, '/'));
    cr_assert_neq(name[0], '.');
    cr_assert(strcmp(name, other) != 0);
    char longest[PSY_SNAPSHOT_NAME_BYTES];
    memset(longest, '~', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    psy__snapshot_file_name(longest, 63, 64, true, name);
    cr_assert_eq(strcmp(name + strlen(name) - 9, ".keys.npy"), 0, "%s", name);
}

/* ---- the files ---- */

static void restore_is(const snapped_folder *f, const edited *e, psy_status wanted, const char *word)
{
    uint64_t version = 0;
    for (uint32_t shards = 1; shards <= 3; shards++) {
        const psy_status status = snapped_restore(f, shards, e, &version);
        cr_assert_eq(status, wanted, "%s, and not %s: %s", psy_status_name(status), psy_status_name(wanted), psy_detail());
        cr_assert(wanted == PSY_OK || strstr(psy_detail(), word), "%s: %s", word, psy_detail());
    }
}

enum { MISSING, CUT, LONGER, HEADER, LAST_BYTE, LINK, PIPE, FOLDER, HARMS };

/* Does it, and says which word the detail has to have. */
static void harm(const char *path, int how)
{
    size_t n;
    char *bytes = snapped_read(path, &n), other[500];
    snprintf(other, sizeof other, "%s.other", path);
    cr_assert_eq(rename(path, other), 0);
    switch (how) {
    case CUT: snapped_write(path, bytes, n - 1); break;
    case LONGER: snapped_write(path, bytes, n + 1); break; /* what is read ends with a zero */
    case HEADER:
        bytes[20] ^= 1;
        snapped_write(path, bytes, n);
        break;
    case LAST_BYTE:
        bytes[n - 1] ^= 1;
        snapped_write(path, bytes, n);
        break;
    case LINK: cr_assert_eq(symlink(other, path), 0); break;
    case PIPE: cr_assert_eq(mkfifo(path, 0600), 0); break;
    case FOLDER: cr_assert_eq(mkdir(path, 0700), 0); break;
    default: break;
    }
    free(bytes);
}

static void mend(const char *path)
{
    char other[500];
    snprintf(other, sizeof other, "%s.other", path);
    (void)remove(path);
    cr_assert_eq(rename(other, path), 0);
}

Test(snapshot_folder, files_that_were_harmed)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 301);
    uint64_t version;
    static const char *const names[] = {"rows.shard-1-of-2.npy", "kept.shard-0-of-2.npy", "kept.shard-1-of-2.keys.npy",
                                        "titles.shard-0-of-2.npy"};
    char path[400];
    snapped_change(service, &e);
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int how = 0; how < HARMS; how++) {
            snapped_file(&f, names[i], path);
            harm(path, how);
            restore_is(&f, &e, PSY_CORRUPT, names[i]);
            mend(path);
        }
    }
    restore_is(&f, &e, PSY_OK, "");
    /* Two that have each other's names. */
    char one[400], two[400], three[400];
    snapped_file(&f, "kept.shard-0-of-2.keys.npy", one);
    snapped_file(&f, "kept.shard-1-of-2.keys.npy", two);
    snapped_file(&f, "x", three);
    cr_assert_eq(rename(one, three) + rename(two, one) + rename(three, two), 0);
    restore_is(&f, &e, PSY_CORRUPT, "kept.shard-");
    cr_assert_eq(rename(one, three) + rename(two, one) + rename(three, two), 0);
    restore_is(&f, &e, PSY_OK, "");
    snapped_close(service, &e);
    snapped_end(&f);
}

Test(snapshot_folder, folders_and_lists_that_are_none)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 2, 311);
    uint64_t version;
    char list[400], files[400], other[500];
    restore_is(&f, &e, PSY_NOT_FOUND, "snapshot");
    snapped_list(&f, list);
    cr_assert_eq(mkdir(list, 0700), 0);
    restore_is(&f, &e, PSY_CORRUPT, "snapshot");
    cr_assert_eq(rmdir(list), 0);
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    static const int harms[] = {CUT, LONGER, HEADER, LINK, PIPE, FOLDER};
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        harm(list, harms[i]);
        restore_is(&f, &e, PSY_CORRUPT, "snapshot");
        mend(list);
    }
    const int fd = open(list, O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(ftruncate(fd, PSY_SNAPSHOT_LIST_MAX + 1), 0);
    restore_is(&f, &e, PSY_CORRUPT, "snapshot");
    cr_assert_eq(ftruncate(fd, st.st_size), 0);
    close(fd);
    restore_is(&f, &e, PSY_OK, "");
    snapped_file(&f, NULL, files);
    snprintf(other, sizeof other, "%s.other", files);
    cr_assert_eq(rename(files, other), 0);
    restore_is(&f, &e, PSY_CORRUPT, "data-");
    cr_assert_eq(symlink(other, files), 0); /* out of the folder, as it could be */
    uint64_t none;
    cr_assert_neq(snapped_restore(&f, 2, &e, &none), PSY_OK);
    cr_assert_eq(unlink(files), 0);
    cr_assert_eq(rename(other, files), 0);
    /* A list that nobody understands does not stand in the way of the next one. */
    harm(list, HEADER);
    cr_assert_eq(snapped_take(service, &e, &f, &version), PSY_OK, "%s", psy_detail());
    restore_is(&f, &e, PSY_OK, "");
    snapped_close(service, &e);
    snapped_end(&f);
}

Test(snapshot_folder, folders_that_cannot_be)
{
    static edited e;
    snapped_folder f = snapped_make();
    psy_service *service = snapped_service(&e, 1, 321);
    psy_broker *broker = psy_service_broker(service);
    uint64_t version;
    char path[400];
    snprintf(path, sizeof path, "%s/not-there", f.path);
    cr_assert_eq(psy_broker_snapshot(broker, path, NULL), PSY_NOT_FOUND);
    cr_assert_not_null(strstr(psy_detail(), path), "%s", psy_detail());
    snapped_write(path, "x", 1);
    cr_assert_eq(psy_broker_snapshot(broker, path, NULL), PSY_IO, "%s", psy_detail());
    cr_assert_eq(psy_broker_snapshot(broker, NULL, NULL), PSY_INVALID);
    snprintf(path, sizeof path, "/proc/self");
    snapped_folder proc = {.path = "/proc/self"};
    cr_assert_neq(snapped_take(service, &e, &proc, &version), PSY_OK);
    cr_assert_not_null(strstr(psy_detail(), "/proc/self"), "%s", psy_detail());
    psy_broker_counts counts;
    psy_broker_get_counts(broker, &counts);
    cr_assert_eq(counts.snapshots_failed, 1u);
    snapped_change(service, &e); /* and all goes on */
    /* Two services, one folder: one at a time. */
    static edited second;
    psy_service *beside = snapped_service(&second, 1, 322);
    uint64_t mine;
    cr_assert_eq(psy_broker_snapshot(broker, f.path, &mine), PSY_OK, "%s", psy_detail());
    for (int i = 0; i < 200 && access(path, F_OK) == 0; i++) { /* it has the folder by then, or is at the end */
        usleep(1000);
        char names[64][64];
        if (snapped_names(f.path, names) > 1) {
            break;
        }
    }
    cr_assert_eq(snapped_take(beside, &second, &f, &version), PSY_LIMIT, "%s", psy_detail());
    psy_status status = PSY_EMPTY;
    for (int i = 0; i < 20000 && status == PSY_EMPTY; i++) {
        edited_serve(&e);
        status = psy_broker_snapshot_status(broker, mine, &version);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(snapped_take(beside, &second, &f, &version), PSY_OK, "%s", psy_detail());
    snapped_close(beside, &second);
    snapped_close(service, &e);
    snapped_end(&f);
}
