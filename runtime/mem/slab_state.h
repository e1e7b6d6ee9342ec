/* SPDX-License-Identifier: Apache-2.0 */
/* What a slab's parts share. slab.c makes slabs, slab_adopt.c takes those of others, slab_map.c maps, slab_place.c knows where
 * and in what pages the memory is. */
#ifndef PSY_MEM_SLAB_STATE_H
#define PSY_MEM_SLAB_STATE_H

#include <fcntl.h>

#include <psyne/slab.h>

struct psy_slab {
    uint8_t *base;
    uint64_t bytes, epoch;
    int fd;
    bool writable;
    uint8_t *reserved; /* the mapping with its guard pages */
    uint64_t reserved_bytes;
};

enum { PSY__SLAB_SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };
#define PSY__SLAB_MAX_BYTES (UINT64_C(1) << 46)

/* A slab that has nothing yet, or NULL. */
psy_slab *psy__slab_new(void);

/* Maps slab->bytes of slab->fd (-1: anonymous memory), at a multiple of `align` (a power of two, at least the page size),
 * between two guard pages. */
PSY_NODISCARD psy_status psy__slab_map(psy_slab *slab, uint64_t align);
void psy__slab_unmap(psy_slab *slab);

/* Makes every page present, without changing what others may be writing there. */
PSY_NODISCARD psy_status psy__slab_populate(psy_slab *slab);

/* Before the first touch. INVALID: no such node. */
PSY_NODISCARD psy_status psy__slab_bind(psy_slab *slab, uint32_t numa_node);

/* Where a mapping of so many bytes may have transparent huge pages: multiples of theirs, or of the smallest page. */
uint64_t psy__slab_alignment(uint64_t bytes);

#endif
