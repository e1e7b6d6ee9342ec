/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of counters share: a folder that is gone afterwards, and what is expected of a file. */
#ifndef PSY_TESTS_MEM_COUNTERS_H
#define PSY_TESTS_MEM_COUNTERS_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <psyne/counters.h>

#include "tests/mem/pair.h"
#include "tests/opened.h"

typedef struct scratch {
    char path[256];
} scratch;

/* A folder of the test's own. */
static inline scratch scratch_make(void)
{
    scratch s;
    const char *tmp = getenv("TMPDIR");
    snprintf(s.path, sizeof s.path, "%s/counters-XXXXXX", tmp ? tmp : "/tmp");
    cr_assert_not_null(mkdtemp(s.path));
    return s;
}

/* Entries of the folder, whatever their names. */
static inline unsigned scratch_count(const scratch *s)
{
    unsigned n = 0;
    DIR *d = opendir(s->path);
    cr_assert_not_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    closedir(d);
    return n;
}

/* Nothing is left in the folder; it goes. */
static inline void scratch_end(const scratch *s)
{
    cr_assert_eq(scratch_count(s), 0u, "%s is not empty", s->path);
    cr_assert_eq(rmdir(s->path), 0);
}

typedef struct name {
    char text[sizeof(scratch) + 300];
} name;

static inline name scratch_name(const scratch *s, const char *file)
{
    name n;
    snprintf(n.text, sizeof n.text, "%s/%s", s->path, file);
    return n;
}

static inline psy_counters *make_counters(const char *path, uint32_t rows)
{
    psy_counters *c = NULL;
    const psy_status status = psy_counters_create(path, rows, &c);
    cr_assert_eq(status, PSY_OK, "%s: %s", psy_status_name(status), psy_detail());
    return c;
}

static inline psy_ring_counters *make_row(psy_counters *c, const char *label, uint64_t ring, uint32_t side)
{
    psy_ring_counters *row = NULL;
    const psy_counters_place place = {.label = label, .ring = ring, .side = side, .seat = 3, .stride = 64, .slots = 1024};
    const psy_status status = psy_counters_ring(c, &place, &row);
    cr_assert_eq(status, PSY_OK, "%s: %s", psy_status_name(status), psy_detail());
    return row;
}

static inline PSY_ATOMIC(uint64_t) *
    make_thing(psy_counters *c, psy_counters_section section, const char *label, uint64_t id, uint32_t side)
{
    PSY_ATOMIC(uint64_t) *values = NULL;
    const psy_counters_place place = {.label = label, .ring = id, .side = side};
    const psy_status status = psy_counters_section_row(c, section, &place, &values);
    cr_assert_eq(status, PSY_OK, "%s: %s", psy_status_name(status), psy_detail());
    return values;
}

static inline psy_counters_snapshot *read_counters(const char *path)
{
    psy_counters_snapshot *s = NULL;
    const psy_status status = psy_counters_read(path, &s);
    cr_assert_eq(status, PSY_OK, "%s: %s", psy_status_name(status), psy_detail());
    return s;
}

static inline void expect(psy_status status, psy_status expected, const char *because)
{
    cr_assert_eq(status, expected, "%s (%s), not %s", psy_status_name(status), psy_detail(), psy_status_name(expected));
    cr_assert_not_null(strstr(psy_detail(), because), "`%s` does not say `%s`", psy_detail(), because);
}

static inline void refuses_to_read(const char *path, psy_status expected, const char *because)
{
    const unsigned before = open_files();
    psy_counters_snapshot *s = NULL;
    expect(psy_counters_read(path, &s), expected, because);
    cr_assert_null(s);
    cr_assert_eq(open_files(), before);
}

static inline void refuses_to_make(const char *path, uint32_t rows, psy_status expected, const char *because)
{
    const unsigned before = open_files();
    psy_counters *c = NULL;
    expect(psy_counters_create(path, rows, &c), expected, because);
    cr_assert_null(c);
    cr_assert_eq(open_files(), before);
}

/* A file's bytes; the caller frees them. */
static inline uint8_t *load(const char *path, size_t *bytes)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &st), 0);
    *bytes = (size_t)st.st_size;
    uint8_t *at = malloc(*bytes);
    cr_assert_not_null(at);
    cr_assert_eq(read(fd, at, *bytes), (ssize_t)*bytes);
    close(fd);
    return at;
}

static inline void store(const char *path, const void *at, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, at, bytes), (ssize_t)bytes);
    cr_assert_eq(ftruncate(fd, (off_t)bytes), 0); /* O_TRUNC would have it written to the disk, each time */
    close(fd);
}

#endif
