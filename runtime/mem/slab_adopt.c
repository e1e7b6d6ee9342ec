/* SPDX-License-Identifier: Apache-2.0 */
/* Slabs that others made: what must hold before one is used. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/failure.h"
#include "mem/slab_state.h"

enum { FUTURE_WRITE_SEAL = 0x10 }; /* F_SEAL_FUTURE_WRITE, which older headers do not have */

static psy_status check_seals(int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0) {
        return psy_fail(PSY_CORRUPT, "the descriptor is no memfd: %s", strerror(errno));
    }
    if ((seals & PSY__SLAB_SIZE_SEALS) != PSY__SLAB_SIZE_SEALS) {
        return psy_fail(PSY_CORRUPT, "the memfd's size is not sealed (seals %#x)", (unsigned)seals);
    }
    if (seals & (F_SEAL_WRITE | FUTURE_WRITE_SEAL)) {
        return psy_fail(PSY_CORRUPT, "the slab is sealed against writing");
    }
    return PSY_OK;
}

static psy_status check_access(int fd, psy_slab_access wanted, bool *writable)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return psy__system_failure("the slab's descriptor", "F_GETFL", errno);
    }
    bool reads = (flags & O_ACCMODE) != O_WRONLY, both = (flags & O_ACCMODE) == O_RDWR;
    if (!reads || (wanted == PSY_SLAB_READ_WRITE && !both)) {
        return psy_fail(PSY_DENIED, "the slab may only be %s", reads ? "read" : "written");
    }
    *writable = both && wanted != PSY_SLAB_READ_ONLY;
    return PSY_OK;
}

/* Everything about the file that must hold before it is mapped. */
static psy_status check_file(int fd, const psy_slab_adopt_options *o, psy_slab *slab, uint64_t *page_bytes)
{
    struct stat st;
    struct statfs fs;
    psy_status status = check_seals(fd);
    if (status == PSY_OK) {
        status = check_access(fd, o->access, &slab->writable);
    }
    if (status != PSY_OK) {
        return status;
    }
    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) {
        return psy__system_failure("the slab's file", "fstat", errno);
    }
    bool huge = fs.f_type == HUGETLBFS_MAGIC;
    if (huge && !o->trust_huge_pages) {
        return psy_fail(PSY_UNSUPPORTED, "a foreign slab of huge pages: their exhaustion would be a fault here");
    }
    if (!S_ISREG(st.st_mode) || (!huge && fs.f_type != TMPFS_MAGIC)) {
        return psy_fail(PSY_CORRUPT, "the descriptor is no memfd: it is on another file system");
    }
    if (st.st_size < PSY_SLAB_DATA_OFFSET + 1 || (uint64_t)st.st_size % PSY_SLAB_DATA_OFFSET != 0) {
        return psy_fail(PSY_CORRUPT, "a slab of %lld bytes", (long long)st.st_size);
    }
    uint64_t most = o->max_bytes != 0 ? o->max_bytes : UINT64_MAX;
    if ((uint64_t)st.st_size > most) {
        return psy_fail(PSY_TOO_LARGE, "a slab of %lld bytes; at most %" PRIu64, (long long)st.st_size, most);
    }
    *page_bytes = huge ? (uint64_t)fs.f_bsize : (uint64_t)sysconf(_SC_PAGESIZE);
    if (*page_bytes == 0 || (*page_bytes & (*page_bytes - 1)) != 0 || (uint64_t)st.st_size % *page_bytes != 0) {
        return psy_fail(PSY_CORRUPT, "a slab of %lld bytes in pages of %" PRIu64, (long long)st.st_size, *page_bytes);
    }
    slab->bytes = (uint64_t)st.st_size;
    return PSY_OK;
}

static psy_status check_holes(const psy_slab *slab)
{
    off_t hole = lseek(slab->fd, 0, SEEK_HOLE);
    if (hole < 0) {
        return psy__system_failure("the slab's file", "SEEK_HOLE", errno);
    }
    return (uint64_t)hole >= slab->bytes
               ? PSY_OK
               : psy_fail(PSY_CORRUPT, "the slab has a hole at byte %lld: never written, or punched out", (long long)hole);
}

static psy_status check_header(psy_slab *slab)
{
    psy_slab_header header;
    memcpy(&header, slab->base, sizeof header); /* read once */
    if (header.magic != PSY_SLAB_MAGIC) {
        return psy_fail(PSY_CORRUPT, "not a slab: its first word is %08x", header.magic);
    }
    if (header.abi_major != PSY_SLAB_ABI_MAJOR) {
        return psy_fail(PSY_VERSION, "the slab has ABI %u.%u, this library %u.%u", header.abi_major, header.abi_minor,
                        PSY_SLAB_ABI_MAJOR, PSY_SLAB_ABI_MINOR);
    }
    if (header.bytes != slab->bytes || header.data_offset != PSY_SLAB_DATA_OFFSET) {
        return psy_fail(PSY_CORRUPT, "the slab says %" PRIu64 " bytes and has %" PRIu64, header.bytes, slab->bytes);
    }
    slab->epoch = header.epoch;
    return PSY_OK;
}

static psy_status adopt(psy_slab *slab, const psy_slab_adopt_options *o)
{
    uint64_t page_bytes = 0;
    psy_status status = check_file(slab->fd, o, slab, &page_bytes);
    if (status == PSY_OK && o->holes == PSY_SLAB_HOLES_REFUSED) {
        status = check_holes(slab);
    }
    bool huge = page_bytes > (uint64_t)sysconf(_SC_PAGESIZE);
    if (status == PSY_OK) {
        status = psy__slab_map(slab, huge ? page_bytes : psy__slab_alignment(slab->bytes));
    }
    /* Huge pages are all there before one is touched: the pool may be dry, and that would be a fault. */
    if (status == PSY_OK && (o->holes == PSY_SLAB_HOLES_FILLED || huge)) {
        status = psy__slab_populate(slab);
    }
    return status == PSY_OK ? check_header(slab) : status;
}

psy_status psy_slab_adopt_with(int fd, const psy_slab_adopt_options *options, psy_slab **out)
{
    static const psy_slab_adopt_options usual;
    const psy_slab_adopt_options *o = options ? options : &usual;
    psy_status status = PSY_OK;
    if (!out || (unsigned)o->access > PSY_SLAB_AS_GIVEN || (unsigned)o->holes > PSY_SLAB_HOLES_REFUSED) {
        status = psy_fail(PSY_INVALID, "psy_slab_adopt: a null argument, or an option that there is not");
    }
    psy_slab *slab = status == PSY_OK ? psy__slab_new() : NULL;
    if (!slab) {
        if (fd >= 0) {
            close(fd);
        }
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for a slab") : status;
    }
    slab->fd = fd;
    status = adopt(slab, o);
    if (status != PSY_OK) {
        psy_slab_destroy(slab);
        return status;
    }
    *out = slab;
    return PSY_OK;
}

psy_status psy_slab_adopt(int fd, uint64_t max_bytes, psy_slab **out)
{
    psy_slab_adopt_options options = {.max_bytes = max_bytes != 0 ? max_bytes : 1}; /* 0: nothing fits */
    return psy_slab_adopt_with(fd, &options, out);
}
