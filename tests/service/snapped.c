/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/service/snapped.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/siphash.h"
#include "service/snapshot.h"

enum { SHARDS_MAX = 8 };
static const uint64_t long_ns = 20000000000;

/* ---- folders ---- */

snapped_folder snapped_make(void)
{
    const char *tmp = getenv("TMPDIR");
    snapped_folder f;
    snprintf(f.path, sizeof f.path, "%.150s/psyne-snapshot-XXXXXX", tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(f.path));
    return f;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void snapped_end(const snapped_folder *f) { (void)nftw(f->path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }

static int compare(const void *a, const void *b) { return strcmp(a, b); }

uint32_t snapped_names(const char *path, char names[64][64])
{
    uint32_t n = 0;
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d)) != NULL && n < 64;) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            snprintf(names[n++], 64, "%.63s", e->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
    qsort(names, n, sizeof names[0], compare);
    return n;
}

void snapped_list(const snapped_folder *f, char out[400]) { snprintf(out, 400, "%s/snapshot", f->path); }

void snapped_file(const snapped_folder *f, const char *name, char out[400])
{
    char list[400], files[64] = "";
    size_t n;
    snapped_list(f, list);
    char *text = snapped_read(list, &n), *at = strstr(text, "\nfolder ");
    cr_assert_not_null(at);
    sscanf(at, "\nfolder %63s", files);
    snprintf(out, 400, "%s/%s%s%s", f->path, files, name ? "/" : "", name ? name : "");
    free(text);
}

char *snapped_read(const char *path, size_t *bytes)
{
    struct stat st;
    FILE *from = fopen(path, "rb");
    cr_assert_not_null(from, "%s", path);
    cr_assert_eq(fstat(fileno(from), &st), 0);
    char *text = calloc(1, (size_t)st.st_size + 1);
    cr_assert_not_null(text);
    *bytes = fread(text, 1, (size_t)st.st_size, from);
    fclose(from);
    return text;
}

void snapped_write(const char *path, const void *bytes, size_t n)
{
    FILE *to = fopen(path, "wb");
    cr_assert_not_null(to, "%s", path);
    cr_assert_eq(fwrite(bytes, 1, n, to), n);
    cr_assert_eq(fclose(to), 0);
}

static bool is_whole(const snapped_folder *f, const psy__snapshot *s, const psy__snapshot_resident *r, uint32_t shard,
                     bool keys)
{
    static const uint64_t zero_key[2] = {0, 0};
    const psy__snapshot_part *p = &r->parts[shard];
    const psy__snapshot_file *file = keys ? &p->keys : &p->data;
    char name[PSY_SNAPSHOT_FILE_BYTES], path[400];
    size_t n;
    if (file->bytes == 0) { /* data has no keys, or the first shard has it for all */
        return true;
    }
    psy__snapshot_file_name(r->name, shard, s->shards, keys, name);
    snapped_file(f, name, path);
    if (access(path, R_OK) != 0) {
        return false;
    }
    char *bytes = snapped_read(path, &n);
    const bool same = n == file->bytes && psy__siphash(zero_key, bytes, n) == file->checksum;
    free(bytes);
    return same;
}

bool snapped_whole(const snapped_folder *f, uint64_t *version)
{
    psy__snapshot s;
    int fd;
    cr_assert_eq(psy__snapshot_open_folder(f->path, &fd), PSY_OK, "%s", psy_detail());
    bool whole = psy__snapshot_read(fd, &s) == PSY_OK;
    close(fd);
    if (!whole) {
        return false;
    }
    *version = s.version;
    for (uint32_t i = 0; i < s.resident_count * s.shards; i++) {
        whole = whole && is_whole(f, &s, &s.residents[i / s.shards], i % s.shards, false) &&
                is_whole(f, &s, &s.residents[i / s.shards], i % s.shards, true);
    }
    psy__snapshot_fini(&s);
    return whole;
}

/* ---- services ---- */

static psy_service *create(uint32_t shards)
{
    psy_module *module;
    psy_service *service;
    cr_assert_eq(psy_module_open(EDITED_MODULE, &module), PSY_OK, "%s", psy_detail());
    psy_service_options o = {.broker = {.module = module, .shards = shards}, .worker = {.engine = "cpu"}};
    cr_assert_eq(psy_service_create(&o, &service), PSY_OK, "%s", psy_detail());
    psy_module_close(module); /* they have it */
    return service;
}

static void begin(psy_service *service, edited *e)
{
    cr_assert_eq(psy_service_start(service, 0), PSY_OK, "%s", psy_detail());
    e->agent = psy_service_agent(service);
    edited_connect(e, psy_service_uri(service), 24);
}

psy_service *snapped_service(edited *e, uint32_t shards, uint64_t seed)
{
    psy_service *service = create(shards);
    edited_init(e, seed);
    for (uint32_t i = 0; i < shards; i++) {
        edited_load(e, psy_service_worker(service, i));
    }
    begin(service, e);
    return service;
}

void snapped_change(psy_service *service, edited *e)
{
    psy_edit edits[16];
    uint64_t ticket, version = 0;
    const uint32_t n = edited_change(e, edits);
    psy_broker *broker = psy_service_broker(service);
    cr_assert_eq(psy_broker_edit(broker, edits, n, &ticket), PSY_OK, "%s", psy_detail());
    psy_status status = PSY_EMPTY;
    for (uint64_t end = psy__now_ns() + long_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(e);
        status = psy_broker_edit_status(broker, ticket, &version);
    }
    cr_assert_eq(status, PSY_OK, "%s", psy_detail());
    edited_made(e, true);
    cr_assert_eq(version, e->made);
}

psy_status snapped_take(psy_service *service, edited *e, const snapped_folder *f, uint64_t *version)
{
    uint64_t ticket;
    psy_broker *broker = psy_service_broker(service);
    psy_status status = psy_broker_snapshot(broker, f->path, &ticket);
    status = status == PSY_OK ? PSY_EMPTY : status;
    for (uint64_t end = psy__now_ns() + long_ns; status == PSY_EMPTY && psy__now_ns() < end;) {
        edited_serve(e);
        status = psy_broker_snapshot_status(broker, ticket, version);
    }
    return status;
}

void snapped_close(psy_service *service, edited *e)
{
    edited_settle(e);
    edited_fini(e);
    psy_service_destroy(service);
}

static bool asked_enough(const edited *e)
{
    bool all = true;
    for (uint32_t i = 0; i < EDITED_PIPELINES; i++) {
        all = all && e->answered[i] >= 4;
    }
    return all;
}

psy_status snapped_restore(const snapped_folder *f, uint32_t shards, const edited *model, uint64_t *version)
{
    psy_service *service = create(shards);
    psy_status status = psy_service_restore(service, f->path);
    if (status != PSY_OK) {
        psy_service_destroy(service);
        return status;
    }
    psy_worker_counts counts;
    psy_worker_get_counts(psy_service_worker(service, 0), &counts);
    *version = counts.data_version;
    edited e = {.data = model->data, .made = *version, .pending = *version, .random = *version};
    cr_assert_eq(edited_at(&e, *version)->version, *version, "there is no version %lu", (unsigned long)*version);
    begin(service, &e);
    psy_broker_counts all;
    psy_broker_get_counts(psy_service_broker(service), &all);
    cr_assert_eq(all.data_version, *version);
    cr_assert_eq(all.snapshot_version, *version);
    for (uint64_t end = psy__now_ns() + long_ns; !asked_enough(&e) && psy__now_ns() < end;) {
        edited_serve(&e);
    }
    cr_assert(asked_enough(&e));
    edited_settle(&e);
    psy_channel_close(e.channel);
    psy_service_destroy(service);
    return PSY_OK;
}
