/* SPDX-License-Identifier: Apache-2.0 */
/* A slab's memory: guards around it, holes in it, the pages it is made of, where it lies, and what there is not enough of. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/seat.h>
#include <psyne/slab.h>

#include "tests/opened.h"

/* Guards included, which have no name; but a sanitizer maps memory of its own when it likes. */
static unsigned all_mappings(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    return mappings("memory-slab");
#else
    return mappings("");
#endif
}

static psy_slab *make(psy_slab_options options)
{
    psy_slab *slab = NULL;
    options.name = "memory-slab";
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK, "%s", psy_detail());
    return slab;
}

static psy_slab *take(int fd, psy_slab_adopt_options options)
{
    psy_slab *slab = NULL;
    cr_assert_eq(psy_slab_adopt_with(fd, &options, &slab), PSY_OK, "%s", psy_detail());
    return slab;
}

static int again(const psy_slab *slab, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", psy_slab_fd(slab));
    int fd = open(path, flags | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    return fd;
}

/* Which signal ends a process that touches that byte; 0: none. */
static int touch(uint8_t *at, bool write)
{
    int how;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would report it */
        signal(SIGBUS, SIG_DFL);
        volatile uint8_t *byte = at;
        if (write) {
            *byte = 1;
        } else {
            (void)*byte;
        }
        _exit(0);
    }
    cr_assert_gt(child, 0);
    cr_assert_eq(waitpid(child, &how, 0), child);
    return WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}

static void is_guarded(const psy_slab *slab)
{
    uint8_t *base = psy_slab_base(slab), *end = base + psy_slab_bytes(slab);
    cr_assert_eq(touch(base, false), 0);
    cr_assert_eq(touch(end - 1, false), 0);
    cr_assert_eq(touch(base - 1, false), SIGSEGV);
    cr_assert_eq(touch(end, false), SIGSEGV);
    cr_assert_eq(touch(base - 1, true), SIGSEGV);
    cr_assert_eq(touch(end, true), SIGSEGV);
}

Test(slab_memory, one_byte_over_faults)
{
    if (PSY_THIN_RUNNER_ACTIVE) {
        cr_skip_test("it forks, which takes the runner of Criterion");
    }
    unsigned before = all_mappings();
    psy_slab *mine = make((psy_slab_options){.bytes = 10000});
    psy_slab *theirs = take(dup(psy_slab_fd(mine)), (psy_slab_adopt_options){0});
    psy_slab *readers = take(dup(psy_slab_fd(mine)), (psy_slab_adopt_options){.access = PSY_SLAB_READ_ONLY});
    psy_slab *bare = make((psy_slab_options){.bytes = 5 << 20, .huge_pages = PSY_SLAB_HUGE_TRANSPARENT, .anonymous = true});
    is_guarded(mine);
    is_guarded(theirs);
    is_guarded(readers);
    is_guarded(bare);
    psy_slab_destroy(mine);
    psy_slab_destroy(theirs);
    psy_slab_destroy(readers);
    psy_slab_destroy(bare);
    cr_assert_eq(all_mappings(), before, "the guards are gone too");
}

Test(slab_memory, without_a_descriptor)
{
    unsigned before = open_files();
    psy_slab *slab = make((psy_slab_options){.bytes = 100000, .anonymous = true, .pretouch = true});
    cr_assert_eq(psy_slab_fd(slab), -1);
    cr_assert_eq(open_files(), before);
    cr_assert_eq(mappings("memfd"), 0u);
    const psy_slab_header *header = psy_slab_base(slab);
    cr_assert_eq(header->magic, PSY_SLAB_MAGIC);
    cr_assert_eq(header->epoch, psy_slab_epoch(slab));
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK, "%s", psy_detail());
    cr_assert_eq(p.present_bytes, psy_slab_bytes(slab));

    psy_seat seat;
    cr_assert_eq(psy_seat_take(slab, &seat), PSY_UNSUPPORTED);
    cr_assert_not_null(strstr(psy_detail(), "psy_seat_bare"), "%s", psy_detail());
    if (!PSY_THIN_RUNNER_ACTIVE) {
        volatile uint8_t *data = psy_slab_data(slab);
        cr_assert_eq(touch(psy_slab_data(slab), true), 0);
        cr_assert_eq(*data, 1, "a forked child shares it");
    }
    psy_slab_destroy(slab);
}

Test(slab_memory, for_reading_only)
{
    psy_slab *mine = make((psy_slab_options){.bytes = 4096}), *none = NULL;
    uint8_t *data = psy_slab_data(mine);
    static const struct {
        int flags;
        psy_slab_access access;
        bool writable;
    } ways[] = {{O_RDWR, PSY_SLAB_READ_WRITE, true},
                {O_RDWR, PSY_SLAB_READ_ONLY, false},
                {O_RDWR, PSY_SLAB_AS_GIVEN, true},
                {O_RDONLY, PSY_SLAB_READ_ONLY, false},
                {O_RDONLY, PSY_SLAB_AS_GIVEN, false}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (psy_slab_holes holes = PSY_SLAB_HOLES_ALLOWED; holes <= PSY_SLAB_HOLES_FILLED; holes++) {
            psy_slab *theirs =
                take(again(mine, ways[i].flags), (psy_slab_adopt_options){.access = ways[i].access, .holes = holes});
            cr_assert_eq(psy_slab_writable(theirs), ways[i].writable);
            data[5]++;
            cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[5], data[5]);
            if (!PSY_THIN_RUNNER_ACTIVE) {
                cr_assert_eq(touch(psy_slab_data(theirs), true), ways[i].writable ? 0 : SIGSEGV);
            }
            psy_seat seat = {.fd = -1};
            psy_status status = psy_seat_take(theirs, &seat);
            cr_assert_eq(status, ways[i].writable ? PSY_OK : PSY_DENIED, "%s", psy_detail());
            psy_seat_leave(&seat);
            psy_slab_destroy(theirs);
        }
    }
    unsigned before = open_files();
    cr_assert_eq(psy_slab_adopt(again(mine, O_RDONLY), UINT64_MAX, &none), PSY_DENIED);
    cr_assert_not_null(strstr(psy_detail(), "only be read"), "%s", psy_detail());
    psy_slab_adopt_options given = {.access = PSY_SLAB_AS_GIVEN};
    cr_assert_eq(psy_slab_adopt_with(again(mine, O_WRONLY), &given, &none), PSY_DENIED);
    cr_assert_not_null(strstr(psy_detail(), "only be written"), "%s", psy_detail());
    cr_assert_eq(psy_slab_adopt_with(again(mine, O_PATH), &given, &none), PSY_CORRUPT);
    cr_assert_eq(psy_slab_adopt(again(mine, O_RDWR), 0, &none), PSY_TOO_LARGE);
    cr_assert_null(none);
    cr_assert_eq(open_files(), before);
    psy_slab_destroy(mine);
}

Test(slab_memory, options_that_there_are_not)
{
    psy_slab *slab = NULL;
    psy_slab_options options = {.bytes = 4096, .huge_pages = (psy_slab_huge)3};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_INVALID);
    options.huge_pages = PSY_SLAB_HUGE_NONE;
    cr_assert_eq(psy_slab_create(&options, NULL), PSY_INVALID);
    psy_slab *mine = make(options);
    unsigned before = open_files();
    psy_slab_adopt_options wrong = {.access = (psy_slab_access)3};
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), &wrong, &slab), PSY_INVALID);
    wrong = (psy_slab_adopt_options){.holes = (psy_slab_holes)3};
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), &wrong, &slab), PSY_INVALID);
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), NULL, NULL), PSY_INVALID);
    cr_assert_eq(open_files(), before, "they took the descriptor all the same");
    cr_assert_null(slab);
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), NULL, &slab), PSY_OK);
    psy_slab_destroy(slab);
    psy_slab_destroy(mine);
}

/* ---- holes ---- */

static void punch(const psy_slab *slab, uint64_t at, uint64_t bytes)
{
    cr_assert_eq(fallocate(psy_slab_fd(slab), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)bytes), 0);
}

static off_t first_hole(const psy_slab *slab) { return lseek(psy_slab_fd(slab), 0, SEEK_HOLE); }

Test(slab_memory, holes_are_seen_and_filled)
{
    psy_slab *mine = make((psy_slab_options){.bytes = 63 * 4096, .pretouch = true}), *none = NULL;
    off_t all = (off_t)psy_slab_bytes(mine);
    cr_assert_eq(first_hole(mine), all, "a slab that was touched has none");
    psy_slab_adopt_options strict = {.holes = PSY_SLAB_HOLES_REFUSED};
    psy_slab_destroy(take(dup(psy_slab_fd(mine)), strict));

    memset(psy_slab_data(mine), 7, psy_slab_data_bytes(mine));
    punch(mine, 8 * 4096, 4096);
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), &strict, &none), PSY_CORRUPT);
    cr_assert_not_null(strstr(psy_detail(), "hole at byte 32768"), "%s", psy_detail());
    cr_assert_null(none);

    psy_slab *theirs = take(dup(psy_slab_fd(mine)), (psy_slab_adopt_options){.holes = PSY_SLAB_HOLES_FILLED});
    cr_assert_eq(first_hole(mine), all);
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(theirs, &p), PSY_OK, "%s", psy_detail());
    cr_assert_eq(p.present_bytes, psy_slab_bytes(theirs));
    const uint8_t *bytes = psy_slab_base(theirs);
    cr_assert_eq(bytes[8 * 4096 - 1], 7);
    cr_assert_eq(bytes[8 * 4096], 0, "a hole is zeroes");
    cr_assert_eq(bytes[9 * 4096], 7);

    /* What a peer can still do later: zeroes, and no fault. */
    punch(mine, 4096, (uint64_t)all - 4096);
    for (off_t at = 4096; at < all; at++) {
        cr_assert_eq(bytes[at], 0);
    }
    psy_slab_destroy(theirs);

    punch(mine, 0, (uint64_t)all);
    cr_assert_eq(psy_slab_adopt(dup(psy_slab_fd(mine)), UINT64_MAX, &none), PSY_CORRUPT, "the header too");
    cr_assert_null(none);
    psy_slab_destroy(mine);
}

Test(slab_memory, a_slab_that_nobody_touched_has_holes)
{
    psy_slab *mine = make((psy_slab_options){.bytes = 63 * 4096}), *none = NULL;
    psy_slab_adopt_options strict = {.holes = PSY_SLAB_HOLES_REFUSED};
    cr_assert_eq(psy_slab_adopt_with(dup(psy_slab_fd(mine)), &strict, &none), PSY_CORRUPT);
    cr_assert_not_null(strstr(psy_detail(), "hole at byte 4096"), "%s", psy_detail());
    psy_slab *theirs = take(dup(psy_slab_fd(mine)), (psy_slab_adopt_options){0});
    cr_assert_eq(first_hole(mine), 4096, "mapping alone takes nothing");
    psy_slab_destroy(theirs);
    theirs =
        take(again(mine, O_RDONLY), (psy_slab_adopt_options){.access = PSY_SLAB_READ_ONLY, .holes = PSY_SLAB_HOLES_FILLED});
    cr_assert_eq(first_hole(mine), (off_t)psy_slab_bytes(mine), "a reader fills as well");
    psy_slab_destroy(theirs);
    psy_slab_destroy(mine);
}

/* A peer writes while another fills: nothing that was written may be lost. */
typedef struct writer {
    uint8_t *data;
    _Atomic bool stop;
    uint64_t rounds;
} writer;

static void *write_on(void *argument)
{
    writer *w = argument;
    while (!atomic_load(&w->stop)) {
        w->rounds++;
        for (uint32_t page = 0; page < 64; page++) {
            _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)(w->data + page * 4096);
            atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + 1, memory_order_relaxed);
        }
    }
    return NULL;
}

Test(slab_memory, filling_loses_nothing_that_a_peer_writes)
{
    psy_slab *mine = make((psy_slab_options){.bytes = 64 * 4096});
    writer w = {.data = psy_slab_data(mine)};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, write_on, &w), 0);
    for (int i = 0; i < 300; i++) {
        psy_slab_destroy(take(dup(psy_slab_fd(mine)), (psy_slab_adopt_options){.holes = PSY_SLAB_HOLES_FILLED}));
    }
    atomic_store(&w.stop, true);
    pthread_join(thread, NULL);
    for (uint32_t page = 0; page < 64; page++) {
        uint64_t word;
        memcpy(&word, w.data + page * 4096, sizeof word);
        cr_assert_eq(word, w.rounds);
    }
    psy_slab_destroy(mine);
}

/* ---- pages and places ---- */

static uint64_t number_in(const char *path)
{
    unsigned long long n = 0;
    FILE *f = fopen(path, "r");
    if (f) {
        if (fscanf(f, "%llu", &n) != 1) {
            n = 0;
        }
        fclose(f);
    }
    return n;
}

Test(slab_memory, small_pages_say_so)
{
    psy_slab *slab = make((psy_slab_options){.bytes = 1 << 20});
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK, "%s", psy_detail());
    cr_assert_eq(p.page_bytes, 4096u);
    cr_assert_eq(p.huge_bytes, 0u);
    cr_assert_eq(p.present_bytes, 4096u, "the header alone");
    memset(psy_slab_data(slab), 1, 3 * 4096);
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK);
    cr_assert_leq(4 * 4096u, p.present_bytes);
    cr_assert_lt(p.present_bytes, 1u << 20);
    cr_assert_eq(psy_slab_page_bytes(slab), 4096u);
    psy_slab_destroy(slab);
}

Test(slab_memory, transparent_huge_pages)
{
    uint64_t page = number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    psy_slab *slab = make(
        (psy_slab_options){.bytes = 4 * (page ? page : 1 << 21), .huge_pages = PSY_SLAB_HUGE_TRANSPARENT, .pretouch = true});
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK, "%s", psy_detail());
    cr_assert_eq(p.present_bytes, psy_slab_bytes(slab), "touched, whatever the pages");
    cr_assert_eq(page == 0 || (uintptr_t)psy_slab_base(slab) % page == 0, true, "laid so that they can be huge");
    cr_assert_eq(psy_slab_page_bytes(slab), p.page_bytes);
    cr_assert_eq(p.page_bytes, p.huge_bytes * 2 > p.present_bytes ? page : 4096u);
    memset(psy_slab_data(slab), 5, psy_slab_data_bytes(slab));
    psy_slab *theirs = take(dup(psy_slab_fd(slab)), (psy_slab_adopt_options){.holes = PSY_SLAB_HOLES_FILLED});
    psy_slab_placement q;
    cr_assert_eq(psy_slab_examine(theirs, &q), PSY_OK, "%s", psy_detail());
    cr_assert_eq(q.present_bytes, p.present_bytes);
    cr_assert_eq(q.huge_bytes, p.huge_bytes, "they are huge for who adopts them as well");
    psy_slab_destroy(theirs);
    psy_slab_destroy(slab);
    if (p.huge_bytes == 0) {
        cr_skip_test("the system gives no huge pages for shared memory: shmem_enabled is `never`");
    }
}

Test(slab_memory, huge_pages_that_there_are_not_become_smaller_ones)
{
    if (number_in("/proc/sys/vm/nr_hugepages") != 0 || number_in("/proc/sys/vm/nr_overcommit_hugepages") != 0) {
        cr_skip_test("there is a pool of huge pages");
    }
    unsigned before = open_files(), mapped = all_mappings();
    for (int anonymous = 0; anonymous < 2; anonymous++) {
        psy_slab *slab =
            make((psy_slab_options){.bytes = 5 << 20, .huge_pages = PSY_SLAB_HUGE_TLB, .anonymous = anonymous != 0});
        cr_assert_leq(psy_slab_bytes(slab), (5u << 20) + 4096, "not rounded to pages that it did not get");
        memset(psy_slab_data(slab), 5, psy_slab_data_bytes(slab));
        if (!anonymous) {
            psy_slab_destroy(take(dup(psy_slab_fd(slab)), (psy_slab_adopt_options){0})); /* so anybody takes it */
        }
        psy_slab_destroy(slab);
    }
    cr_assert_eq(open_files(), before);
    cr_assert_eq(all_mappings(), mapped);
}

Test(slab_memory, huge_pages_of_the_pool)
{
    if (number_in("/proc/sys/vm/nr_hugepages") < 4) {
        cr_skip_test("the pool of huge pages is empty: vm.nr_hugepages is less than 4");
    }
    unsigned before = open_files(), mapped = all_mappings();
    psy_slab *slab = make((psy_slab_options){.bytes = 5 << 20, .huge_pages = PSY_SLAB_HUGE_TLB}), *none = NULL;
    uint64_t page = psy_slab_page_bytes(slab);
    cr_assert_gt(page, 4096u, "it is not in use by others, is it?");
    cr_assert_eq(psy_slab_bytes(slab) % page, 0u);
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK);
    cr_assert_eq(p.huge_bytes, psy_slab_bytes(slab), "all there");
    cr_assert_eq(p.present_bytes, psy_slab_bytes(slab));
    memset(psy_slab_data(slab), 9, psy_slab_data_bytes(slab));
    cr_assert_eq(psy_slab_adopt(dup(psy_slab_fd(slab)), UINT64_MAX, &none), PSY_UNSUPPORTED);
    cr_assert_not_null(strstr(psy_detail(), "huge pages"), "%s", psy_detail());
    psy_slab *theirs = take(dup(psy_slab_fd(slab)), (psy_slab_adopt_options){.trust_huge_pages = true});
    cr_assert_eq(psy_slab_page_bytes(theirs), page);
    cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[4 << 20], 9);
    psy_seat mine, other;
    cr_assert_eq(psy_seat_take(slab, &mine), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_seat_take(theirs, &other), PSY_OK, "%s", psy_detail());
    cr_assert(psy_seat_lives(&mine, other.number));
    psy_seat_leave(&other);
    cr_assert(!psy_seat_lives(&mine, other.number));
    psy_seat_leave(&mine);
    if (!PSY_THIN_RUNNER_ACTIVE) {
        is_guarded(slab);
        is_guarded(theirs);
    }
    psy_slab_destroy(theirs);
    /* More than the pool holds: smaller pages, and nothing of the pool is kept. */
    psy_slab *more =
        make((psy_slab_options){.bytes = (number_in("/proc/sys/vm/nr_hugepages") + 1) * page, .huge_pages = PSY_SLAB_HUGE_TLB});
    cr_assert_neq(psy_slab_bytes(more) % page, 0u);
    psy_slab_destroy(more);
    psy_slab_destroy(slab);
    psy_slab *bare = make((psy_slab_options){.bytes = 3 << 20, .huge_pages = PSY_SLAB_HUGE_TLB, .anonymous = true});
    cr_assert_eq(psy_slab_page_bytes(bare), page);
    cr_assert_eq(psy_slab_fd(bare), -1);
    psy_slab_destroy(bare);
    cr_assert_eq(open_files(), before);
    cr_assert_eq(all_mappings(), mapped);
}

Test(slab_memory, on_a_node)
{
    uint32_t nodes = psy_slab_numa_nodes();
    cr_assert_geq(nodes, 1u);
    psy_slab *slab = make((psy_slab_options){.bytes = 1 << 20, .bind_node = true, .numa_node = 0, .pretouch = true});
    psy_slab_placement p;
    cr_assert_eq(psy_slab_examine(slab, &p), PSY_OK);
    psy_slab_destroy(slab);

    unsigned before = open_files(), mapped = all_mappings();
    static const uint32_t none[] = {1000, 1024, UINT32_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        psy_slab_options options = {.bytes = 1 << 20, .bind_node = true, .numa_node = none[i]};
        char count[16];
        slab = NULL;
        cr_assert_eq(psy_slab_create(&options, &slab), PSY_INVALID);
        snprintf(count, sizeof count, " %u here", nodes);
        cr_assert_not_null(strstr(psy_detail(), count), "%s", psy_detail());
        cr_assert_null(slab);
    }
    cr_assert_eq(open_files(), before);
    cr_assert_eq(all_mappings(), mapped);
    if (p.numa_node < 0) {
        cr_skip_test("the system does not say where a page is");
    }
    cr_assert_eq(p.numa_node, 0);
}

/* ---- what there is not enough of ---- */

static void with_limit(int resource, rlim_t most, void (*run)(psy_slab *), psy_slab *with)
{
    struct rlimit before, less;
    cr_assert_eq(getrlimit((__rlimit_resource_t)resource, &before), 0);
    less = before;
    less.rlim_cur = most;
    cr_assert_eq(setrlimit((__rlimit_resource_t)resource, &less), 0);
    run(with);
    cr_assert_eq(setrlimit((__rlimit_resource_t)resource, &before), 0);
}

static psy_status status_seen[3];
static char detail_seen[3][512];
static psy_slab *left[3];

static void see(int at, psy_status status)
{
    status_seen[at] = status;
    snprintf(detail_seen[at], sizeof detail_seen[at], "%s", psy_detail());
}

static void create_some(psy_slab *with)
{
    (void)with;
    psy_slab_options options = {.bytes = 1 << 30};
    see(0, psy_slab_create(&options, &left[0]));
    options.anonymous = true;
    see(1, psy_slab_create(&options, &left[1]));
    options.huge_pages = PSY_SLAB_HUGE_TLB;
    see(2, psy_slab_create(&options, &left[2]));
}

Test(slab_memory, no_descriptors)
{
    unsigned before = open_files(), mapped = all_mappings();
    with_limit(RLIMIT_NOFILE, 3, create_some, NULL);
    cr_assert_eq(status_seen[0], PSY_LIMIT);
    cr_assert_not_null(strstr(detail_seen[0], "open files"), "%s", detail_seen[0]);
    cr_assert_eq(status_seen[1], PSY_OK, "it needs none: %s", detail_seen[1]);
    cr_assert_eq(status_seen[2], PSY_OK, "and falls back on that: %s", detail_seen[2]);
    cr_assert_null(left[0]);
    psy_slab_destroy(left[1]);
    psy_slab_destroy(left[2]);
    cr_assert_eq(open_files(), before);
    cr_assert_eq(all_mappings(), mapped);
}

static uint64_t address_space(void) { return number_in("/proc/self/statm") * (uint64_t)sysconf(_SC_PAGESIZE); }

static void adopt_one(psy_slab *with) { see(0, psy_slab_adopt(dup(psy_slab_fd(with)), UINT64_MAX, &left[0])); }

Test(slab_memory, no_address_space)
{
    psy_slab *big = make((psy_slab_options){.bytes = UINT64_C(1) << 30});
    unsigned before = open_files(), mapped = all_mappings();
    with_limit(RLIMIT_AS, address_space() + (64 << 20), create_some, NULL);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(status_seen[i], PSY_NO_MEMORY, "%d: %s", i, detail_seen[i]);
        cr_assert_not_null(strstr(detail_seen[i], "address space"), "%s", detail_seen[i]);
    }
    with_limit(RLIMIT_AS, address_space() + (64 << 20), adopt_one, big);
    cr_assert_eq(status_seen[0], PSY_NO_MEMORY, "%s", detail_seen[0]);
    cr_assert(!left[0] && !left[1] && !left[2]);
    cr_assert_eq(open_files(), before);
    cr_assert_eq(all_mappings(), mapped);
    psy_slab_destroy(big);
}
