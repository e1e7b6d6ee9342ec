/* SPDX-License-Identifier: Apache-2.0 */
/* Files of counters: what is written is what is read. */
#define _GNU_SOURCE
#include "tests/mem/counters.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/clock.h"

/* ---- writing and reading ---- */

Test(counters, table)
{
    const psy_counters_descriptor *d;
    uint32_t n = 0, counts[PSY_COUNTERS_SECTIONS] = {0}, told[PSY_COUNTERS_SECTIONS] = {0};
    for (; (d = psy_counters_table(n)) != NULL; n++) {
        cr_assert(*d->name && *d->help);
        cr_assert_eq(*d->unit != '\0', d->kind != PSY_COUNTERS_SECTION, "%s", d->name);
        cr_assert_lt(d->section, (uint32_t)PSY_COUNTERS_SECTIONS);
        if (d->kind == PSY_COUNTERS_SECTION) {
            told[d->section] = d->place;
        } else {
            cr_assert_eq(d->place, counts[d->section]++, "%s", d->name);
        }
    }
    for (unsigned i = 0; i < PSY_COUNTERS_SECTIONS; i++) {
        cr_assert(counts[i] == told[i] && told[i] > 0 && told[i] <= PSY_COUNTERS_VALUES, "section %u", i);
    }
    cr_assert_eq(counts[PSY_COUNTERS_OF_RING], (uint32_t)PSY_RING_COUNTERS);
    cr_assert_eq(counts[PSY_COUNTERS_OF_LATENCY] * PSY_LATENCY_PARTS, 128u);
    cr_assert_str_eq(psy_counters_table(0)->name, "ring");
    cr_assert_eq(psy_counters_table(0)->place, (uint32_t)PSY_RING_COUNTERS);
    cr_assert_str_eq(psy_counters_table(1 + PSY_RING_COUNTER_wakes)->name, "wakes");
    cr_assert_null(psy_counters_table(n + 1));
}

Test(counters, a_file)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    const unsigned before = open_files();
    const mode_t mask = umask(077);
    psy_counters *c = make_counters(path.text, 3);
    umask(mask);
    cr_assert_str_eq(psy_counters_path(c), path.text);
    struct stat st;
    cr_assert_eq(stat(path.text, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0644u, "others may read it, whatever the umask is");
    cr_assert_eq(st.st_nlink, 1u);
    cr_assert_geq(st.st_blocks * 512, st.st_size, "all of its space is there");
    cr_assert_eq(scratch_count(&s), 1u);

    psy_ring_counters *row = make_row(c, "quotes, häufig", 77, 1);
    cr_assert_eq((uintptr_t)row % 128, 0u);
    psy_counter_set(&row->position, 500);
    psy_counter_add(&row->messages, 400);
    psy_counter_add(&row->messages, 5);
    psy_counter_raise(&row->high_water, 9);
    psy_counter_raise(&row->high_water, 8);

    psy_counters_snapshot *snapshot = read_counters(path.text);
    const psy_counters_file *f = psy_counters_file_at(snapshot, 0);
    cr_assert_null(psy_counters_file_at(snapshot, 1));
    cr_assert(f->status == PSY_OK && f->alive && f->rows == 3 && f->used == 1 && f->changing == 0);
    cr_assert_str_eq(f->path, path.text);
    cr_assert_str_eq(f->problem, "");
    cr_assert_str_eq(f->process, program_invocation_short_name);
    cr_assert_eq(f->pid, (uint32_t)getpid());
    cr_assert(f->beat_ns != 0 && f->beat_ns <= psy_counters_taken_ns(snapshot));
    cr_assert_null(psy_counters_table(f->descriptor_count));
    cr_assert(f->abi_major == PSY_COUNTERS_ABI_MAJOR && f->abi_minor == PSY_COUNTERS_ABI_MINOR);
    for (uint32_t i = 0; i < f->descriptor_count; i++) {
        cr_assert_eq(memcmp(&f->descriptors[i], psy_counters_table(i), sizeof f->descriptors[i]), 0);
    }
    const psy_counters_row *r = psy_counters_row_at(snapshot, 0);
    cr_assert_null(psy_counters_row_at(snapshot, 1));
    cr_assert_str_eq(r->label, "quotes, häufig");
    cr_assert(r->ring == 77 && r->side == 1 && r->seat == 3 && r->stride == 64 && r->slots == 1024);
    cr_assert(r->pid == (uint32_t)getpid() && r->generation == 1 && r->since_ns >= f->created_ns);
    cr_assert_eq(r->value_count, (uint32_t)PSY_RING_COUNTERS);
    static const uint64_t expected[PSY_RING_COUNTERS] = {
        [PSY_RING_COUNTER_position] = 500, [PSY_RING_COUNTER_messages] = 405, [PSY_RING_COUNTER_high_water] = 9};
    cr_assert_arr_eq(r->values, expected, sizeof expected);
    psy_counters_release(snapshot);

    const uint64_t beat = psy_counters_taken_ns(snapshot = read_counters(path.text));
    psy_counters_release(snapshot);
    psy_counters_beat(c);
    snapshot = read_counters(path.text);
    cr_assert_geq(psy_counters_file_at(snapshot, 0)->beat_ns, beat);
    psy_counters_release(snapshot);
    psy_counters_destroy(c);
    cr_assert_eq(open_files(), before);
    scratch_end(&s);
}

Test(counters, rows_are_taken_and_given_back)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    psy_counters *c = make_counters(path.text, 2);
    psy_ring_counters *a = make_row(c, "a", 1, 0), *b = make_row(c, "b", 2, 0), *none = NULL;
    const psy_counters_place place = {.label = "c", .ring = 3};
    expect(psy_counters_ring(c, &place, &none), PSY_LIMIT, "all 2 rows");
    cr_assert_null(none);
    psy_counter_set(&a->bytes, 99);
    psy_counters_drop(c, a);
    psy_counters_drop(c, NULL);
    cr_assert_eq(make_row(c, "c", 3, 0), a);
    psy_counters_snapshot *snapshot = read_counters(path.text);
    const psy_counters_row *first = psy_counters_row_at(snapshot, 0);
    cr_assert_str_eq(first->label, "c");
    cr_assert(first->number == 0 && first->generation == 3 && first->values[PSY_RING_COUNTER_bytes] == 0, "as new");
    psy_counters_release(snapshot);
    psy_counters_drop(c, b);
    psy_counters_drop(c, b);
    snapshot = read_counters(path.text);
    cr_assert_eq(psy_counters_file_at(snapshot, 0)->used, 1u);
    cr_assert_null(psy_counters_row_at(snapshot, 1));
    psy_counters_release(snapshot);
    psy_counters_destroy(c);
    psy_counters_destroy(NULL);
    scratch_end(&s);
}

Test(counters, wrong_use)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    char longest[300], text[65];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    refuses_to_make(path.text, 0, PSY_INVALID, "0 rows");
    refuses_to_make(path.text, 65537, PSY_LIMIT, "65537 rows");
    refuses_to_make("", 1, PSY_INVALID, "an empty name");
    refuses_to_make(s.path, 1, PSY_DENIED, "is there, and is no file of counters");
    refuses_to_make(scratch_name(&s, "").text, 1, PSY_INVALID, "cannot be a file");
    refuses_to_make(scratch_name(&s, longest).text, 1, PSY_INVALID, "names have 1 to");
    refuses_to_make(scratch_name(&s, "none/a.counters").text, 1, PSY_NOT_FOUND, "No such file");
    expect(psy_counters_create(path.text, 1, NULL), PSY_INVALID, "null");
    refuses_to_read(path.text, PSY_NOT_FOUND, "No such file");
    expect(psy_counters_read(path.text, NULL), PSY_INVALID, "null");

    psy_counters *c = make_counters(path.text, 1);
    psy_ring_counters *row = NULL;
    const psy_counters_place good = {.label = "a", .ring = 1};
    psy_counters_place p = good;
    expect(psy_counters_ring(c, NULL, &row), PSY_INVALID, "null");
    p.label = NULL;
    expect(psy_counters_ring(c, &p, &row), PSY_INVALID, "null");
    static const char *const labels[] = {"", "a\nb", "\xc3", "\xff", "\x1b[2J", "\x7f", "\xc2\x9b"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        p.label = labels[i];
        expect(psy_counters_ring(c, &p, &row), PSY_INVALID, "a label");
    }
    memset(text, 'x', 64);
    text[64] = '\0';
    p.label = text;
    expect(psy_counters_ring(c, &p, &row), PSY_TOO_LARGE, "at most 63 bytes");
    p = good, p.side = 2;
    expect(psy_counters_ring(c, &p, &row), PSY_INVALID, "side 2");
    p = good, p.ring = 0;
    expect(psy_counters_ring(c, &p, &row), PSY_INVALID, "ring 0");
    PSY_ATOMIC(uint64_t) *values = NULL;
    p = good, p.side = PSY_LATENCY_PARTS;
    expect(psy_counters_section_row(c, PSY_COUNTERS_OF_LATENCY, &p, &values), PSY_INVALID, "side 8");
    expect(psy_counters_section_row(c, PSY_COUNTERS_SECTIONS, &good, &values), PSY_INVALID, "of section");
    expect(psy_counters_section_row(c, PSY_COUNTERS_OF_SLAB, &good, NULL), PSY_INVALID, "null");
    p = good, p.ring = 0;
    expect(psy_counters_section_row(c, PSY_COUNTERS_OF_SLAB, &p, &values), PSY_INVALID, "thing 0");
    cr_assert_null(values);
    cr_assert_null(row);
    text[63] = '\0';
    p = good, p.label = text;
    cr_assert_eq(psy_counters_ring(c, &p, &row), PSY_OK);
    psy_counters_snapshot *snapshot = read_counters(path.text);
    cr_assert_str_eq(psy_counters_row_at(snapshot, 0)->label, text);
    psy_counters_release(snapshot);
    psy_counters_destroy(c);
    scratch_end(&s);
}

Test(counters, ids_of_rings)
{
    enum { EPOCHS = 64, OFFSETS = 64 };
    static uint64_t ids[EPOCHS * OFFSETS];
    for (uint64_t e = 0; e < EPOCHS; e++) {
        for (uint64_t o = 0; o < OFFSETS; o++) {
            const uint64_t id = psy_counters_ring_id(e * UINT64_C(0x1234567), 4096 + 128 * o);
            for (uint64_t i = 0; i < e * OFFSETS + o; i++) {
                cr_assert_neq(ids[i], id);
            }
            ids[e * OFFSETS + o] = id;
            cr_assert_neq(id, 0u);
        }
    }
}

/* ---- who may read ---- */

/* What a user in that group is told who reads the folder `counters` here. */
static psy_status read_as(uint32_t user, gid_t group)
{
    int how;
    const pid_t child = fork();
    if (child == 0) {
        psy_counters_snapshot *snapshot = NULL;
        if (setgroups(group != 0, &group) != 0 || setgid(user) != 0 || setuid(user) != 0) {
            _exit(PSY_IO);
        }
        const psy_status status = psy_counters_read("counters", &snapshot);
        _exit(status == PSY_OK && psy_counters_row_at(snapshot, 0) == NULL ? PSY_EMPTY : (int)status);
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert(WIFEXITED(how));
    return (psy_status)WEXITSTATUS(how);
}

/* A folder that is there keeps the mode and the group that somebody gave it: those say who reads what is counted. */
Test(counters, are_read_by_whom_their_folder_lets_in)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    enum { USER = 54321, GROUP = 12345 };
    const scratch s = scratch_make();
    const name folder = scratch_name(&s, "counters");
    const bool root = geteuid() == 0;
    struct stat st;
    cr_assert_eq(chmod(s.path, 0711), 0);
    cr_assert_eq(mkdir(folder.text, 0700), 0);
    cr_assert_eq(chmod(folder.text, 0750), 0);
    cr_assert(!root || chown(folder.text, 0, GROUP) == 0);
    cr_assert_eq(setenv("PSYNE_COUNTERS", folder.text, 1), 0);
    psy_counters *c = make_counters(NULL, 1);
    (void)make_row(c, "in", 1, 0);
    cr_assert_eq(stat(folder.text, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0750u);
    psy_counters_snapshot *snapshot = read_counters(NULL);
    cr_assert_not_null(psy_counters_row_at(snapshot, 0));
    psy_counters_release(snapshot);
    if (root) {
        cr_assert_eq(st.st_gid, (gid_t)GROUP);
        cr_assert_eq(chdir(s.path), 0); /* whoever may enter what is above */
        cr_assert_eq(read_as(USER, 0), PSY_DENIED);
        cr_assert_eq(read_as(USER, GROUP), PSY_OK);
        cr_assert_eq(chmod(folder.text, 0755), 0);
        cr_assert_eq(read_as(USER, 0), PSY_OK);
        cr_assert_eq(chdir("/"), 0);
    }
    psy_counters_destroy(c);
    cr_assert_eq(rmdir(folder.text), 0);
    scratch_end(&s);
    if (!root) {
        cr_skip_test("only root can read as others");
    }
}

/* ---- rings over files ---- */

Test(counters, rings_are_joined)
{
    const scratch s = scratch_make();
    psy_counters *c[2] = {make_counters(scratch_name(&s, "a.counters").text, 8),
                          make_counters(scratch_name(&s, "b.counters").text, 8)};
    store(scratch_name(&s, "c.counters").text, "none", 4);
    store(scratch_name(&s, "notes").text, "none", 4);
    psy_ring_counters *in[2] = {make_row(c[0], "in", 1, 0), make_row(c[1], "in too", 1, 0)}, *out = make_row(c[1], "out", 1, 1);
    psy_ring_counters *alone = make_row(c[0], "alone", 2, 0), *behind = make_row(c[0], "a", 3, 0),
                      *ahead = make_row(c[1], "b", 3, 1), *far = make_row(c[0], "far", 4, 0);
    psy_counter_set(&in[0]->position, 500);
    psy_counter_set(&in[1]->position, 510);
    psy_counter_set(&out->position, 490);
    for (unsigned i = 0; i < 2; i++) {
        psy_counter_set(&in[i]->messages, 10 + i);
        psy_counter_set(&in[i]->stalls, 3);
        psy_counter_set(&in[i]->high_water, 30 - i);
    }
    psy_counter_set(&out->messages, 19);
    psy_counter_set(&out->high_water, 31);
    psy_counter_set(&out->recovered, 2);
    psy_counter_set(&alone->position, 5);
    psy_counter_set(&behind->position, 5);
    psy_counter_set(&ahead->position, 6);
    psy_counter_set(&far->position, 5000);
    (void)make_row(c[1], "far", 4, 1);

    psy_counters_snapshot *snapshot = read_counters(s.path);
    const psy_counters_file *bad = psy_counters_file_at(snapshot, 2);
    cr_assert(bad->status == PSY_CORRUPT && strstr(bad->problem, "is no file of counters") && strstr(bad->path, "c.counters"));
    cr_assert_null(psy_counters_file_at(snapshot, 3), "names of other kinds are not looked at");
    const psy_counters_ring_view *r[5];
    for (uint32_t i = 0; i < 5; i++) {
        r[i] = psy_counters_ring_at(snapshot, i);
        cr_assert_eq(r[i] != NULL, i < 4);
    }
    cr_assert_str_eq(r[0]->label, "a");
    cr_assert_str_eq(r[1]->label, "alone");
    cr_assert_str_eq(r[2]->label, "far");
    cr_assert_str_eq(r[3]->label, "in");
    cr_assert(r[0]->fill_known && r[0]->fill == 0, "a consumer that was read later may be ahead");
    cr_assert(!r[1]->fill_known && r[1]->producers == 1 && r[1]->consumers == 0);
    cr_assert(r[2]->fill_known && r[2]->fill == 1024, "no more than there is");
    cr_assert(r[3]->fill_known && r[3]->fill == 20 && r[3]->high_water == 31 && r[3]->ring == 1 && r[3]->slots == 1024);
    cr_assert(r[3]->producers == 2 && r[3]->consumers == 1 && r[3]->living_producers == 2 && r[3]->living_consumers == 1);
    cr_assert(r[3]->producer[PSY_RING_COUNTER_messages] == 21 && r[3]->producer[PSY_RING_COUNTER_stalls] == 6);
    cr_assert(r[3]->producer[PSY_RING_COUNTER_position] == 510 && r[3]->producer[PSY_RING_COUNTER_high_water] == 30);
    cr_assert(r[3]->consumer[PSY_RING_COUNTER_messages] == 19 && r[3]->consumer[PSY_RING_COUNTER_recovered] == 2);
    psy_counters_release(snapshot);
    psy_counters_destroy(c[0]);
    psy_counters_destroy(c[1]);
    cr_assert_eq(unlink(scratch_name(&s, "c.counters").text), 0);
    cr_assert_eq(unlink(scratch_name(&s, "notes").text), 0);
    scratch_end(&s);
}

/* ---- other versions ---- */

/* What a later minor version may write: all is larger, there is a section and a kind more, and the values of rings stand in
 * another order. */
typedef struct later {
    psy_counters_header header;
    uint8_t more[128];
    struct {
        psy_counters_descriptor d;
        uint8_t more[64];
    } descriptors[6];
    struct {
        psy_counters_head head;
        uint8_t more[64];
        uint64_t values[24];
    } rows[2];
} later;

static void describe(psy_counters_descriptor *d, const char *what, uint32_t kind, uint32_t section, uint32_t place)
{
    *d = (psy_counters_descriptor){.kind = kind, .section = section, .place = place, .unit = "things", .help = "what it is"};
    snprintf(d->name, sizeof d->name, "%s", what);
}

static void make_later(later *l)
{
    memset((void *)l, 0, sizeof *l);
    psy_counters_header *h = &l->header;
    h->magic = PSY_COUNTERS_MAGIC;
    h->abi_major = 1;
    h->abi_minor = 7;
    h->descriptor_bytes = sizeof l->descriptors[0];
    h->descriptors = 6;
    h->row_bytes = sizeof l->rows[0];
    h->row_head_bytes = offsetof(later, rows[0].values) - offsetof(later, rows);
    h->rows = 2;
    h->pid = 1;
    h->bytes = sizeof *l;
    h->descriptors_at = offsetof(later, descriptors);
    h->rows_at = offsetof(later, rows);
    memcpy(h->process, "\x1b[2Jevil\xff", 10);
    describe(&l->descriptors[0].d, "pool", PSY_COUNTERS_SECTION, 0, 1);
    describe(&l->descriptors[1].d, "taken", 9, 0, 0);
    describe(&l->descriptors[2].d, "ring", PSY_COUNTERS_SECTION, 1, 3);
    describe(&l->descriptors[3].d, "sighs", PSY_COUNTERS_COUNTER, 1, 0);
    describe(&l->descriptors[4].d, "messages", PSY_COUNTERS_COUNTER, 1, 1);
    describe(&l->descriptors[5].d, "stalls", PSY_COUNTERS_GAUGE, 1, 2); /* of another kind: another thing */
    for (unsigned i = 0; i < 2; i++) {
        atomic_store_explicit(&l->rows[i].head.generation, 5, memory_order_relaxed);
        l->rows[i].head.section = i;
        l->rows[i].head.side = i ? 1 : 1234;
        l->rows[i].head.ring = i;
        strcpy(l->rows[i].head.label, i ? "new\n" : "pool");
        l->rows[i].values[0] = 11;
        l->rows[i].values[1] = 12;
        l->rows[i].values[2] = 13;
    }
}
static_assert(offsetof(later, rows) % 128 == 0 && sizeof(((later *)NULL)->rows[0]) % 128 == 0, "as rows are");

Test(counters, other_versions)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    static later l;
    make_later(&l);
    store(path.text, &l, sizeof l);
    psy_counters_snapshot *snapshot = read_counters(path.text);
    const psy_counters_file *f = psy_counters_file_at(snapshot, 0);
    cr_assert(!f->alive && f->abi_major == 1 && f->abi_minor == 7 && f->descriptor_count == 6 && f->used == 2);
    cr_assert_str_eq(f->process, "?[2Jevil?", "nothing that a terminal would obey");
    const psy_counters_row *pool = psy_counters_row_at(snapshot, 0), *ring = psy_counters_row_at(snapshot, 1);
    cr_assert(pool->value_count == 1 && pool->values[0] == 11 && ring->value_count == 3 && ring->values[2] == 13);
    const psy_counters_ring_view *v = psy_counters_ring_at(snapshot, 0);
    cr_assert_null(psy_counters_ring_at(snapshot, 1));
    cr_assert_str_eq(v->label, "new?");
    cr_assert(v->consumers == 1 && v->living_consumers == 0 && v->consumer[PSY_RING_COUNTER_messages] == 12);
    cr_assert(v->consumer[PSY_RING_COUNTER_stalls] == 0 && v->consumer[PSY_RING_COUNTER_bytes] == 0);
    psy_counters_release(snapshot);

    l.header.abi_minor = 0;
    store(path.text, &l, sizeof l);
    refuses_to_read(path.text, PSY_CORRUPT, "descriptor 1: an unknown kind");
    l.header.abi_major = 2;
    store(path.text, &l, sizeof l);
    refuses_to_read(path.text, PSY_VERSION, "ABI 2.0, this library 1.1");
    cr_assert_eq(unlink(path.text), 0);
    scratch_end(&s);
}

/* ---- while it is written ---- */

typedef struct writer {
    psy_counters *counters;
    PSY_ATOMIC(bool) stop;
    uint64_t rows;
} writer;

/* Takes rows, writes the same number in all places twice over, and drops them: half of the time without the number. */
static void *reuse_rows(void *argument)
{
    writer *w = argument;
    for (uint64_t k = 1; !atomic_load_explicit(&w->stop, memory_order_relaxed); k++) {
        char label[32];
        snprintf(label, sizeof label, "%llu", (unsigned long long)k);
        psy_ring_counters *row = NULL;
        const psy_counters_place place = {.label = label, .ring = k, .side = k % 2, .seat = (uint32_t)k, .slots = (uint32_t)k};
        if (psy_counters_ring(w->counters, &place, &row) != PSY_OK) {
            return "no row";
        }
        for (unsigned n = 0; k % 2 && n < 200; n++) {
            psy_counter_set(&row->messages, k << 32 | k);
            psy_counter_set(&row->bytes, ~(k << 32 | k));
        }
        psy_counters_drop(w->counters, row);
        w->rows = k;
    }
    return NULL;
}

Test(counters, rows_change_hands_under_a_reader)
{
    const scratch s = scratch_make();
    const name path = scratch_name(&s, "a.counters");
    writer w = {.counters = make_counters(path.text, 2)};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, reuse_rows, &w), 0);
    unsigned whole = 0, changing = 0;
    /* Until both were seen often; on a machine with other work that takes longer. */
    for (const uint64_t begin = psy__now_ns();
         psy__now_ns() - begin < (whole > 20 && changing > 20 ? 700000000u : 20000000000u);) {
        psy_counters_snapshot *snapshot = read_counters(path.text);
        changing += psy_counters_file_at(snapshot, 0)->changing;
        const psy_counters_row *r;
        for (uint32_t k = 0; (r = psy_counters_row_at(snapshot, k)) != NULL; k++) {
            char label[32];
            snprintf(label, sizeof label, "%llu", (unsigned long long)r->ring);
            cr_assert_str_eq(r->label, label);
            cr_assert(r->side == r->ring % 2 && r->seat == (uint32_t)r->ring && r->slots == (uint32_t)r->ring);
            const uint64_t all = r->ring << 32 | r->ring, messages = r->values[PSY_RING_COUNTER_messages],
                           of_bytes = r->values[PSY_RING_COUNTER_bytes];
            cr_assert(messages == 0 || messages == all, "row %llu has %llx", (unsigned long long)r->ring,
                      (unsigned long long)messages);
            cr_assert(of_bytes == 0 || of_bytes == ~all);
            whole++;
        }
        psy_counters_release(snapshot);
    }
    atomic_store_explicit(&w.stop, true, memory_order_relaxed);
    void *complaint;
    cr_assert_eq(pthread_join(thread, &complaint), 0);
    cr_assert_null(complaint, "%s", (const char *)complaint);
    cr_assert(whole > 20 && changing > 20 && w.rows > 1000, "%u rows were read whole, %u changed hands, of %llu", whole,
              changing, (unsigned long long)w.rows);
    psy_counters_destroy(w.counters);
    scratch_end(&s);
}
