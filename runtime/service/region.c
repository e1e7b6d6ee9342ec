/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/region.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

/* Address space costs nothing: four times what is used, and 64 MiB for small ones. */
static const uint64_t reserve_least = UINT64_C(64) << 20, reserve_factor = 4;

static uint64_t in_pages(uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return ((bytes ? bytes : 1) + page - 1) / page * page;
}

psy_status psy__region_open(psy__region *r, uint64_t bytes, const char *whose)
{
    *r = (psy__region){0};
    if (bytes > UINT64_MAX / 8) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %" PRIu64 " bytes", whose, bytes);
    }
    uint64_t committed = in_pages(bytes), reserved = committed * reserve_factor;
    reserved = reserved < reserve_least ? reserve_least : reserved;
    uint8_t *at = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) { /* address space is limited here: then it does not grow */
        reserved = committed;
        at = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    if (at == MAP_FAILED || mprotect(at, committed, PROT_READ | PROT_WRITE) != 0) {
        if (at != MAP_FAILED) {
            munmap(at, reserved);
        }
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %" PRIu64 " bytes", whose, bytes);
    }
    (void)madvise(at, reserved, MADV_HUGEPAGE);
    *r = (psy__region){at, bytes, committed, reserved};
    return PSY_OK;
}

bool psy__region_grow(psy__region *r, uint64_t bytes)
{
    if (!r->at || bytes > r->reserved) {
        return false;
    }
    uint64_t committed = in_pages(bytes);
    if (committed > r->committed) {
        if (mprotect(r->at + r->committed, committed - r->committed, PROT_READ | PROT_WRITE) != 0) {
            return false;
        }
        r->committed = committed;
    }
    r->bytes = bytes > r->bytes ? bytes : r->bytes;
    return true;
}

uint64_t psy__region_shrink(psy__region *r, uint64_t bytes)
{
    if (r->at && r->committed > in_pages(bytes)) {
        uint64_t keep = r->committed - in_pages(bytes);
        munmap(r->at + keep, r->reserved - keep);
        r->committed = r->reserved = r->bytes = keep;
    } else {
        psy__region_close(r);
    }
    return r->committed;
}

void psy__region_close(psy__region *r)
{
    if (r->at) {
        munmap(r->at, r->reserved);
    }
    *r = (psy__region){0};
}
