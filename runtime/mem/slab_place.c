/* SPDX-License-Identifier: Apache-2.0 */
/* Where a slab's memory is: NUMA nodes by system calls (no library), page sizes as the system reports them. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/failure.h"
#include "mem/slab_state.h"

/* ---- NUMA ---- */

enum { NODES_MAX = 1024, MASK_BITS = 8 * sizeof(unsigned long), MASK_WORDS = NODES_MAX / MASK_BITS };
enum { POLICY_BIND = 2, QUERY_ALLOWED_NODES = 4 }; /* MPOL_BIND, MPOL_F_MEMS_ALLOWED of linux/mempolicy.h */

typedef struct node_mask {
    unsigned long words[MASK_WORDS];
} node_mask;

static bool has(const node_mask *m, uint32_t node)
{
    return node < NODES_MAX && (m->words[node / MASK_BITS] >> (node % MASK_BITS) & 1) != 0;
}

/* The nodes that this process may have memory from; node 0 alone where the kernel knows no others. */
static node_mask allowed_nodes(void)
{
    node_mask m = {{0}};
    if (syscall(SYS_get_mempolicy, NULL, m.words, (unsigned long)NODES_MAX, NULL, (unsigned long)QUERY_ALLOWED_NODES) != 0) {
        m = (node_mask){{1}};
    }
    return m;
}

uint32_t psy_slab_numa_nodes(void)
{
    node_mask m = allowed_nodes();
    uint32_t count = 0;
    for (size_t i = 0; i < MASK_WORDS; i++) {
        count += (uint32_t)__builtin_popcountl(m.words[i]);
    }
    return count;
}

psy_status psy__slab_bind(psy_slab *slab, uint32_t numa_node)
{
    node_mask allowed = allowed_nodes(), wanted = {{0}};
    uint32_t count = psy_slab_numa_nodes();
    if (!has(&allowed, numa_node)) {
        char list[64] = "";
        size_t n = 0;
        for (uint32_t node = 0; node < NODES_MAX && n + 8 < sizeof list; node++) {
            if (has(&allowed, node)) {
                n += (size_t)snprintf(list + n, sizeof list - n, "%s%" PRIu32, n ? ", " : "", node);
            }
        }
        return psy_fail(PSY_INVALID, "NUMA node %" PRIu32 ": there %s %" PRIu32 " here (%s)", numa_node,
                        count == 1 ? "is" : "are", count, list);
    }
    if (count == 1) {
        return PSY_OK;
    }
    wanted.words[numa_node / MASK_BITS] = 1ul << (numa_node % MASK_BITS);
    /* The kernel takes one bit less than it is told. */
    if (syscall(SYS_mbind, slab->base, (unsigned long)slab->bytes, (unsigned long)POLICY_BIND, wanted.words,
                (unsigned long)NODES_MAX + 1, 0ul) != 0) {
        return psy__system_failure("the slab's NUMA node", "mbind", errno);
    }
    return PSY_OK;
}

static int32_t node_of(const void *at)
{
    void *page = (void *)(uintptr_t)at;
    int node = -1;
    return syscall(SYS_move_pages, 0, 1ul, &page, NULL, &node, 0) == 0 && node >= 0 ? (int32_t)node : -1;
}

/* ---- pages ---- */

static uint64_t transparent_bytes(void)
{
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
    unsigned long long bytes = 0;
    if (f) {
        if (fscanf(f, "%llu", &bytes) != 1 || (bytes & (bytes - 1)) != 0) {
            bytes = 0;
        }
        fclose(f);
    }
    return bytes;
}

uint64_t psy__slab_alignment(uint64_t bytes)
{
    uint64_t least = (uint64_t)sysconf(_SC_PAGESIZE), huge = transparent_bytes();
    return huge > least && bytes >= huge ? huge : least;
}

/* The kilobytes of a line "NAME:   N kB". */
static bool line_says(const char *line, const char *name, uint64_t *bytes)
{
    size_t n = strlen(name);
    unsigned long long kilobytes;
    if (strncmp(line, name, n) != 0 || line[n] != ':' || sscanf(line + n + 1, "%llu", &kilobytes) != 1) {
        return false;
    }
    *bytes = (uint64_t)kilobytes * 1024;
    return true;
}

psy_status psy_slab_examine(const psy_slab *slab, psy_slab_placement *out)
{
    static const char *const huge_names[] = {"ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb"};
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), resident = 0, table_bytes = 0, pool_bytes = 0;
    psy_slab_placement p = {page_bytes, 0, 0, node_of(psy_slab_data(slab))};
    FILE *f = fopen("/proc/self/smaps", "re");
    if (!f) {
        return psy__system_failure("/proc/self/smaps", "open", errno);
    }
    char line[512];
    bool ours = false;
    while (fgets(line, sizeof line, f)) {
        unsigned long long first, end;
        uint64_t bytes;
        if (sscanf(line, "%llx-%llx ", &first, &end) == 2) {
            ours = first >= (uintptr_t)slab->base && end <= (uintptr_t)slab->base + slab->bytes;
            continue;
        }
        if (!ours) {
            continue;
        }
        if (line_says(line, "Rss", &bytes)) {
            resident += bytes;
        } else if (line_says(line, "KernelPageSize", &bytes)) {
            page_bytes = bytes > page_bytes ? bytes : page_bytes;
        }
        for (size_t i = 0; i < sizeof huge_names / sizeof *huge_names; i++) {
            if (line_says(line, huge_names[i], &bytes)) {
                *(i < 2 ? &table_bytes : &pool_bytes) += bytes;
            }
        }
    }
    fclose(f);
    p.present_bytes = resident + pool_bytes; /* the pool's pages are not in Rss */
    p.huge_bytes = table_bytes + pool_bytes;
    p.page_bytes = table_bytes * 2 > p.present_bytes ? transparent_bytes() : page_bytes;
    *out = p;
    return PSY_OK;
}

uint64_t psy_slab_page_bytes(const psy_slab *slab)
{
    psy_slab_placement p;
    return psy_slab_examine(slab, &p) == PSY_OK ? p.page_bytes : (uint64_t)sysconf(_SC_PAGESIZE);
}
