/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/failure.h"
#include "mem/slab_state.h"

/* Newer than some systems' headers. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static uint64_t system_page_bytes(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

psy_status psy__slab_map(psy_slab *slab, uint64_t align)
{
    uint64_t guard = system_page_bytes();
    uint64_t all = slab->bytes + 2 * guard + align;
    /* First the room, to which nobody has access; then the memory into its middle. */
    uint8_t *room = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        return psy__system_failure("no address space for the slab", "mmap", errno);
    }
    uint8_t *at = (uint8_t *)(((uintptr_t)room + guard + align - 1) & ~(uintptr_t)(align - 1));
    int protection = slab->writable ? PROT_READ | PROT_WRITE : PROT_READ;
    int flags = MAP_SHARED | MAP_FIXED | (slab->fd < 0 ? MAP_ANONYMOUS : 0);
    if (mmap(at, slab->bytes, protection, flags, slab->fd, 0) == MAP_FAILED) {
        int error = errno;
        (void)munmap(room, all);
        return psy__system_failure("the slab's memory", "mmap", error);
    }
    uint8_t *first = at - guard, *end = at + slab->bytes + guard;
    if (first > room) {
        (void)munmap(room, (size_t)(first - room));
    }
    if (room + all > end) {
        (void)munmap(end, (size_t)(room + all - end));
    }
    slab->base = at;
    slab->reserved = first;
    slab->reserved_bytes = (uint64_t)(end - first);
    return PSY_OK;
}

void psy__slab_unmap(psy_slab *slab)
{
    if (slab->reserved) {
        (void)munmap(slab->reserved, slab->reserved_bytes);
        slab->reserved = slab->base = NULL;
    }
}

static psy_status allocate_file(psy_slab *slab)
{
    if (slab->fd < 0 || !slab->writable) {
        return PSY_OK;
    }
    while (fallocate(slab->fd, 0, 0, (off_t)slab->bytes) != 0) {
        if (errno != EINTR) {
            return psy__system_failure("memory for all of the slab", "fallocate", errno);
        }
    }
    return PSY_OK;
}

/* Where the kernel has no call for it (before 5.14): the file system allocates, then touching only maps. */
static psy_status touch(psy_slab *slab)
{
    uint64_t step = system_page_bytes();
    psy_status status = allocate_file(slab);
    for (uint64_t at = 0; status == PSY_OK && at < slab->bytes; at += step) {
        if (slab->writable) {
            (void)__atomic_fetch_or(slab->base + at, 0, __ATOMIC_RELAXED); /* whatever a peer just wrote stays */
        } else {
            (void)__atomic_load_n(slab->base + at, __ATOMIC_RELAXED);
        }
    }
    return status;
}

psy_status psy__slab_populate(psy_slab *slab)
{
    while (madvise(slab->base, slab->bytes, slab->writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) != 0) {
        switch (errno) {
        case EINTR: continue;
        case EINVAL: return touch(slab);
        case EFAULT: /* what would have been SIGBUS */
            return psy_fail(PSY_NO_MEMORY, "no memory for all of the slab's %llu bytes", (unsigned long long)slab->bytes);
        default: return psy__system_failure("memory for all of the slab", "MADV_POPULATE", errno);
        }
    }
    return PSY_OK;
}
