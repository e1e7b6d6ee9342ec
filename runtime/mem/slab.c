/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <psyne/slab.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/failure.h"
#include "mem/slab_state.h"

/* Newer than some systems' headers. */
#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static const char *name_of(const psy_slab_options *o) { return o->name ? o->name : "psyne"; }

static uint64_t round_up(uint64_t bytes, uint64_t to) { return (bytes + to - 1) & ~(to - 1); }

/* The memfd, of the size that its pages make of what was asked for. Its pool of huge pages has reserved them all, or it fails.
 */
static psy_status make_file(psy_slab *slab, const psy_slab_options *o, bool huge)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0);
    slab->fd = memfd_create(name_of(o), flags | MFD_NOEXEC_SEAL); /* some systems insist on it, older ones do not know it */
    if (slab->fd < 0 && errno == EINVAL) {
        slab->fd = memfd_create(name_of(o), flags);
    }
    if (slab->fd < 0) {
        return psy__system_failure(name_of(o), "memfd_create", errno);
    }
    struct statfs fs;
    if (huge && fstatfs(slab->fd, &fs) != 0) {
        return psy__system_failure(name_of(o), "fstatfs", errno);
    }
    slab->bytes = huge ? round_up(slab->bytes, (uint64_t)fs.f_bsize) : slab->bytes;
    if (ftruncate(slab->fd, (off_t)slab->bytes) != 0) {
        return psy__system_failure(name_of(o), "ftruncate", errno);
    }
    if (fcntl(slab->fd, F_ADD_SEALS, PSY__SLAB_SIZE_SEALS) != 0) {
        return psy__system_failure(name_of(o), "F_ADD_SEALS", errno);
    }
    if (huge) {
        void *probe = mmap(NULL, slab->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slab->fd, 0);
        if (probe == MAP_FAILED) {
            return psy__system_failure(name_of(o), "mmap of huge pages", errno);
        }
        (void)munmap(probe, slab->bytes); /* the file keeps the reservation */
    }
    return PSY_OK;
}

static uint64_t alignment(const psy_slab *slab, bool huge)
{
    struct statfs fs;
    return huge && fstatfs(slab->fd, &fs) == 0 ? (uint64_t)fs.f_bsize : psy__slab_alignment(slab->bytes);
}

static psy_status fill(psy_slab *slab, const psy_slab_options *o, psy_slab_huge kind)
{
    bool huge = kind == PSY_SLAB_HUGE_TLB;
    psy_status status = o->anonymous && !huge ? PSY_OK : make_file(slab, o, huge);
    if (status == PSY_OK) {
        status = psy__slab_map(slab, alignment(slab, huge));
    }
    if (status == PSY_OK && kind == PSY_SLAB_HUGE_TRANSPARENT) {
        (void)madvise(slab->base, slab->bytes, MADV_HUGEPAGE); /* a wish */
    }
    if (status == PSY_OK && o->bind_node) {
        status = psy__slab_bind(slab, o->numa_node);
    }
    if (status == PSY_OK && (o->pretouch || huge)) {
        status = psy__slab_populate(slab);
    }
    if (status == PSY_OK && o->anonymous && slab->fd >= 0) {
        close(slab->fd);
        slab->fd = -1;
    } else if (status == PSY_OK && o->anonymous) {
        (void)prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, slab->base, slab->bytes, name_of(o)); /* where the system can */
    }
    return status;
}

static psy_status write_header(psy_slab *slab)
{
    if (getrandom(&slab->epoch, sizeof slab->epoch, 0) != (ssize_t)sizeof slab->epoch) {
        return psy__system_failure(NULL, "getrandom", errno);
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

psy_slab *psy__slab_new(void)
{
    psy_slab *slab = calloc(1, sizeof *slab);
    if (slab) {
        slab->fd = -1;
        slab->writable = true;
    }
    return slab;
}

static psy_status make(const psy_slab_options *o, psy_slab_huge kind, psy_slab **out)
{
    psy_slab *slab = psy__slab_new();
    if (!slab) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a slab");
    }
    slab->bytes = round_up(PSY_SLAB_DATA_OFFSET + o->bytes, PSY_SLAB_DATA_OFFSET);
    psy_status status = fill(slab, o, kind);
    if (status == PSY_OK) {
        status = write_header(slab);
    }
    if (status != PSY_OK) {
        psy_slab_destroy(slab);
        return status;
    }
    *out = slab;
    return PSY_OK;
}

psy_status psy_slab_create(const psy_slab_options *o, psy_slab **out)
{
    if (!o || !out || o->bytes == 0) {
        return psy_fail(PSY_INVALID, "psy_slab_create: a null argument, or no bytes");
    }
    if (o->bytes > PSY__SLAB_MAX_BYTES) {
        return psy_fail(PSY_TOO_LARGE, "a slab of %" PRIu64 " bytes: at most %" PRIu64, o->bytes, PSY__SLAB_MAX_BYTES);
    }
    if ((unsigned)o->huge_pages > PSY_SLAB_HUGE_TLB) {
        return psy_fail(PSY_INVALID, "psy_slab_create: huge_pages is %d", (int)o->huge_pages);
    }
    if (o->huge_pages == PSY_SLAB_HUGE_TLB && make(o, PSY_SLAB_HUGE_TLB, out) == PSY_OK) {
        return PSY_OK;
    }
    /* Whatever stopped it: transparent pages are a mere wish, and what stops them is the caller's to know. */
    return make(o, o->huge_pages == PSY_SLAB_HUGE_NONE ? PSY_SLAB_HUGE_NONE : PSY_SLAB_HUGE_TRANSPARENT, out);
}

void psy_slab_destroy(psy_slab *slab)
{
    if (!slab) {
        return;
    }
    psy__slab_unmap(slab);
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
bool psy_slab_writable(const psy_slab *slab) { return slab->writable; }
