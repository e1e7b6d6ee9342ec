/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/slab.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct psy_slab {
    uint8_t *base;
    uint64_t bytes, epoch;
    int fd;
};

enum { SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static psy_status system_failure(const char *call)
{
    int error = errno;
    return psy_fail(error == ENOMEM || error == ENOSPC ? PSY_NO_MEMORY : PSY_IO, "%s: %s%s", call, strerror(error),
                    error == EMFILE ? " (raise the limit of open files)" : "");
}

static psy_status map(psy_slab *slab, int flags)
{
    void *at = mmap(NULL, slab->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, slab->fd, 0);
    if (at == MAP_FAILED) {
        return system_failure("mmap");
    }
    slab->base = at;
    return PSY_OK;
}

static psy_status fill(psy_slab *slab, const psy_slab_options *o)
{
    slab->fd = memfd_create(o->name ? o->name : "psyne", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (slab->fd < 0) {
        return system_failure("memfd_create");
    }
    if (ftruncate(slab->fd, (off_t)slab->bytes) != 0) {
        return system_failure("ftruncate");
    }
    if (fcntl(slab->fd, F_ADD_SEALS, SIZE_SEALS) != 0) {
        return system_failure("F_ADD_SEALS");
    }
    psy_status status = map(slab, o->pretouch && !o->huge_pages ? MAP_POPULATE : 0);
    if (status != PSY_OK) {
        return status;
    }
    if (o->huge_pages) {
        (void)madvise(slab->base, slab->bytes, MADV_HUGEPAGE); /* a wish */
        for (uint64_t at = 0; o->pretouch && at < slab->bytes; at += 4096) {
            *(volatile uint8_t *)(slab->base + at) = 0;
        }
    }
    if (getrandom(&slab->epoch, sizeof slab->epoch, 0) != (ssize_t)sizeof slab->epoch) {
        return system_failure("getrandom");
    }
    psy_slab_header header = {.magic = PSY_SLAB_MAGIC,
                              .abi_major = PSY_SLAB_ABI_MAJOR,
                              .abi_minor = PSY_SLAB_ABI_MINOR,
                              .bytes = slab->bytes,
                              .data_offset = PSY_SLAB_DATA_OFFSET,
                              .owner = (uint64_t)getpid(),
                              .epoch = slab->epoch};
    memcpy(slab->base, &header, sizeof header);
    return PSY_OK;
}

psy_status psy_slab_create(const psy_slab_options *o, psy_slab **out)
{
    if (!o || !out || o->bytes == 0) {
        return psy_fail(PSY_INVALID, "psy_slab_create: a null argument, or no bytes");
    }
    if (o->bytes > (UINT64_C(1) << 46)) {
        return psy_fail(PSY_TOO_LARGE, "a slab of %" PRIu64 " bytes", o->bytes);
    }
    psy_slab *slab = calloc(1, sizeof *slab);
    if (!slab) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a slab");
    }
    slab->fd = -1;
    slab->bytes = (PSY_SLAB_DATA_OFFSET + o->bytes + 4095) & ~UINT64_C(4095);
    psy_status status = fill(slab, o);
    if (status != PSY_OK) {
        psy_slab_destroy(slab);
        return status;
    }
    *out = slab;
    return PSY_OK;
}

/* Everything about the file that must hold before it is mapped. */
static psy_status check_file(int fd, uint64_t max_bytes, uint64_t *bytes)
{
    struct stat st;
    struct statfs fs;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0) {
        return psy_fail(PSY_CORRUPT, "the descriptor is no memfd: %s", strerror(errno));
    }
    if ((seals & SIZE_SEALS) != SIZE_SEALS) {
        return psy_fail(PSY_CORRUPT, "the memfd's size is not sealed (seals %#x)", (unsigned)seals);
    }
    if (seals & (F_SEAL_WRITE | 0x10 /* F_SEAL_FUTURE_WRITE */)) {
        return psy_fail(PSY_CORRUPT, "the slab is sealed against writing");
    }
    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) {
        return system_failure("fstat");
    }
    if (fs.f_type == HUGETLBFS_MAGIC) {
        return psy_fail(PSY_UNSUPPORTED, "a foreign slab of huge pages: their exhaustion would be a fault here");
    }
    if (st.st_size < PSY_SLAB_DATA_OFFSET + 1 || (uint64_t)st.st_size % 4096 != 0) {
        return psy_fail(PSY_CORRUPT, "a slab of %lld bytes", (long long)st.st_size);
    }
    if ((uint64_t)st.st_size > max_bytes) {
        return psy_fail(PSY_TOO_LARGE, "a slab of %lld bytes; at most %" PRIu64, (long long)st.st_size, max_bytes);
    }
    *bytes = (uint64_t)st.st_size;
    return PSY_OK;
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

psy_status psy_slab_adopt(int fd, uint64_t max_bytes, psy_slab **out)
{
    uint64_t bytes = 0;
    psy_status status = out ? check_file(fd, max_bytes, &bytes) : psy_fail(PSY_INVALID, "psy_slab_adopt: a null argument");
    psy_slab *slab = status == PSY_OK ? calloc(1, sizeof *slab) : NULL;
    if (!slab) {
        if (fd >= 0) {
            close(fd);
        }
        return status == PSY_OK ? psy_fail(PSY_NO_MEMORY, "no memory for a slab") : status;
    }
    slab->fd = fd;
    slab->bytes = bytes;
    status = map(slab, 0);
    if (status == PSY_OK) {
        status = check_header(slab);
    }
    if (status != PSY_OK) {
        psy_slab_destroy(slab);
        return status;
    }
    *out = slab;
    return PSY_OK;
}

void psy_slab_destroy(psy_slab *slab)
{
    if (!slab) {
        return;
    }
    if (slab->base) {
        munmap(slab->base, slab->bytes);
    }
    if (slab->fd >= 0) {
        close(slab->fd);
    }
    free(slab);
}

void *psy_slab_data(const psy_slab *slab) { return slab->base + PSY_SLAB_DATA_OFFSET; }
uint64_t psy_slab_data_bytes(const psy_slab *slab) { return slab->bytes - PSY_SLAB_DATA_OFFSET; }
void *psy_slab_base(const psy_slab *slab) { return slab->base; }
uint64_t psy_slab_bytes(const psy_slab *slab) { return slab->bytes; }
int psy_slab_fd(const psy_slab *slab) { return slab->fd; }
uint64_t psy_slab_epoch(const psy_slab *slab) { return slab->epoch; }
bool psy_slab_writable(const psy_slab *slab) { return slab->base != NULL; }
