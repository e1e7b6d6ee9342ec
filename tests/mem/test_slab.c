/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs: what is made, and what is refused from strangers. No refusal may leak a descriptor or a mapping. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <psyne/slab.h>

#include "tests/opened.h"

enum { SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

/* A memfd that would pass, but for what the caller changes. */
static int forge(const psy_slab_header *header, uint64_t bytes, int seals, unsigned flags)
{
    int fd = memfd_create("forged-slab", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
    if (header) {
        cr_assert_eq(pwrite(fd, header, sizeof *header, 0), (ssize_t)sizeof *header);
    }
    if (seals) {
        cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    }
    return fd;
}

static psy_slab_header good_header(uint64_t bytes)
{
    return (psy_slab_header){.magic = PSY_SLAB_MAGIC,
                             .abi_major = PSY_SLAB_ABI_MAJOR,
                             .abi_minor = PSY_SLAB_ABI_MINOR,
                             .bytes = bytes,
                             .data_offset = PSY_SLAB_DATA_OFFSET,
                             .owner = 1,
                             .epoch = 42};
}

/* Adopting `fd` must fail so, say why, and leave nothing open or mapped. */
static void refuses(int fd, uint64_t max_bytes, psy_status expected, const char *because)
{
    unsigned before = open_files();
    psy_slab *slab = NULL;
    psy_status status = psy_slab_adopt(fd, max_bytes, &slab);
    cr_assert_eq(status, expected, "%s (%s), not %s", psy_status_name(status), psy_detail(), psy_status_name(expected));
    cr_assert_not_null(strstr(psy_detail(), because), "`%s` does not say `%s`", psy_detail(), because);
    cr_assert_null(slab);
    cr_assert_eq(open_files(), before - (fd >= 0), "the descriptor is closed");
    cr_assert_eq(mappings("forged-slab"), 0u);
}

Test(slab, create_and_adopt_share_memory)
{
    unsigned before = open_files();
    psy_slab *mine, *theirs, *other;
    psy_slab_options options = {.bytes = 10000, .name = "test-slab"};
    cr_assert_eq(psy_slab_create(&options, &mine), PSY_OK);
    cr_assert_eq(psy_slab_bytes(mine), 16384u, "header page and three of data");
    cr_assert_eq(psy_slab_data_bytes(mine), 12288u);
    cr_assert_eq((uintptr_t)psy_slab_data(mine) % 4096, 0u);
    cr_assert_eq((uint8_t *)psy_slab_data(mine) - (uint8_t *)psy_slab_base(mine), PSY_SLAB_DATA_OFFSET);
    uint8_t *data = psy_slab_data(mine);
    for (uint32_t i = 0; i < 12288; i++) {
        cr_assert_eq(data[i], 0);
    }
    cr_assert_eq(mappings("test-slab"), 1u);
    const psy_slab_header *header = psy_slab_base(mine);
    cr_assert_eq(header->owner, (uint64_t)getpid());
    cr_assert_eq(header->epoch, psy_slab_epoch(mine));

    int fd = dup(psy_slab_fd(mine));
    cr_assert_eq(psy_slab_adopt(fd, 16384, &theirs), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_slab_fd(theirs), fd);
    cr_assert_neq(psy_slab_data(theirs), psy_slab_data(mine));
    cr_assert_eq(psy_slab_epoch(theirs), psy_slab_epoch(mine));
    data[12287] = 7;
    cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[12287], 7);
    cr_assert_eq(psy_slab_create(&options, &other), PSY_OK);
    cr_assert_neq(psy_slab_epoch(other), psy_slab_epoch(mine));

    psy_slab_destroy(mine);
    cr_assert_eq(((uint8_t *)psy_slab_data(theirs))[12287], 7, "memory lives as long as somebody maps it");
    psy_slab_destroy(theirs);
    psy_slab_destroy(other);
    psy_slab_destroy(NULL);
    cr_assert_eq(mappings("test-slab"), 0u);
    cr_assert_eq(open_files(), before);
}

Test(slab, nobody_can_change_its_size)
{
    psy_slab *slab;
    psy_slab_options options = {.bytes = 4096, .huge_pages = true, .pretouch = true};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_OK);
    int fd = psy_slab_fd(slab);
    cr_assert(ftruncate(fd, 4096) != 0 && errno == EPERM);
    cr_assert(ftruncate(fd, 1 << 20) != 0 && errno == EPERM);
    cr_assert(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) != 0, "nor make it read-only");
    cr_assert_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    psy_slab_destroy(slab);
}

Test(slab, impossible_sizes)
{
    unsigned before = open_files();
    psy_slab *slab = NULL;
    psy_slab_options options = {.bytes = 0};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_INVALID);
    cr_assert_eq(psy_slab_create(NULL, &slab), PSY_INVALID);
    options.bytes = UINT64_MAX;
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_TOO_LARGE);
    options = (psy_slab_options){.bytes = 1,
                                 .name = "a name that is longer than the 249 bytes that the system takes for the name of "
                                         "memory, which nobody will want to read in the list of mappings, and which "
                                         "is refused by the system call, so that everything that was made until then "
                                         "has to be given back, to the last descriptor"};
    cr_assert_eq(psy_slab_create(&options, &slab), PSY_IO);
    cr_assert_null(slab);
    cr_assert_eq(open_files(), before);
}

Test(slab, files_that_are_no_memory)
{
    refuses(-1, UINT64_MAX, PSY_CORRUPT, "no memfd");
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    refuses(ends[0], UINT64_MAX, PSY_CORRUPT, "no memfd");
    close(ends[1]);
    FILE *file = tmpfile();
    cr_assert_not_null(file);
    psy_slab_header header = good_header(8192);
    cr_assert_eq(fwrite(&header, sizeof header, 1, file), 1u);
    fflush(file);
    cr_assert_eq(ftruncate(fileno(file), 8192), 0);
    /* A plain file knows no seals; one in memory (a tmpfs) is at most sealed against sealing. */
    int fd = dup(fileno(file));
    fclose(file);
    refuses(fd, UINT64_MAX, PSY_CORRUPT, "memfd");
}

Test(slab, files_in_memory_that_could_shrink)
{
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        cr_skip_test("no unnamed files in /dev/shm");
    }
    cr_assert_eq(ftruncate(fd, 8192), 0);
    refuses(fd, UINT64_MAX, PSY_CORRUPT, "not sealed");
}

Test(slab, memory_with_the_wrong_seals)
{
    psy_slab_header header = good_header(8192);
    refuses(forge(&header, 8192, 0, 0), UINT64_MAX, PSY_CORRUPT, "not sealed");
    refuses(forge(&header, 8192, F_SEAL_SHRINK, 0), UINT64_MAX, PSY_CORRUPT, "not sealed");
    refuses(forge(&header, 8192, F_SEAL_SHRINK | F_SEAL_GROW, 0), UINT64_MAX, PSY_CORRUPT, "not sealed");
    refuses(forge(&header, 8192, SIZE_SEALS | F_SEAL_WRITE, 0), UINT64_MAX, PSY_CORRUPT, "against writing");
    psy_slab *slab;
    cr_assert_eq(psy_slab_adopt(forge(&header, 8192, SIZE_SEALS, 0), 8192, &slab), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_slab_epoch(slab), 42u);
    psy_slab_destroy(slab);
}

Test(slab, memory_of_the_wrong_size)
{
    psy_slab_header header = good_header(8192);
    refuses(forge(NULL, 0, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "0 bytes");
    refuses(forge(&header, 40, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "40 bytes");
    refuses(forge(&header, 4096, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "4096 bytes");
    refuses(forge(&header, 8191, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "8191 bytes");
    refuses(forge(&header, 12288, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "says 8192 bytes and has 12288");
    refuses(forge(&header, 8192, SIZE_SEALS, 0), 8191, PSY_TOO_LARGE, "at most 8191");
}

Test(slab, memory_with_the_wrong_header)
{
    psy_slab_header header = good_header(8192);
    refuses(forge(NULL, 8192, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "not a slab");
    header.magic++;
    refuses(forge(&header, 8192, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "not a slab");
    header = good_header(8192);
    header.abi_major = 7;
    header.abi_minor = 3;
    refuses(forge(&header, 8192, SIZE_SEALS, 0), UINT64_MAX, PSY_VERSION, "7.3");
    refuses(forge(&header, 8192, SIZE_SEALS, 0), UINT64_MAX, PSY_VERSION, "library 1.1");
    header = good_header(8192);
    header.abi_minor = 200; /* a newer minor version only adds */
    psy_slab *slab;
    cr_assert_eq(psy_slab_adopt(forge(&header, 8192, SIZE_SEALS, 0), 8192, &slab), PSY_OK);
    psy_slab_destroy(slab);
    header = good_header(8192);
    header.data_offset = 1 << 20;
    refuses(forge(&header, 8192, SIZE_SEALS, 0), UINT64_MAX, PSY_CORRUPT, "slab says");
}

Test(slab, memory_that_may_only_be_read)
{
    psy_slab_header header = good_header(8192);
    int fd = forge(&header, 8192, SIZE_SEALS, 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int weak = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    cr_assert_geq(weak, 0);
    refuses(weak, UINT64_MAX, PSY_DENIED, "only be read");
}

Test(slab, huge_page_file_systems)
{
    int fd = memfd_create("forged-slab", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
    if (fd < 0) {
        cr_skip_test("the system has no huge page file system");
    }
    cr_assert_eq(ftruncate(fd, 1 << 30), 0);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, SIZE_SEALS), 0);
    refuses(fd, UINT64_MAX, PSY_UNSUPPORTED, "huge pages");
}
