/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "service/module_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODULE_BYTES_MAX = 256 << 20 };

static psy_status adopt(uint8_t *bytes, uint64_t n, psy__trust trust, psy_module **out)
{
    psy_module *module = calloc(1, sizeof *module);
    if (!module) {
        free(bytes);
        return psy_fail(PSY_NO_MEMORY, "no memory for a module");
    }
    module->bytes = bytes;
    module->n = n;
    psy_status status = psy__module_decode(bytes, n, trust, &module->decoded);
    if (status != PSY_OK) {
        psy_module_close(module);
        return status;
    }
    const psy__module *m = &module->decoded;
    module->reflection = (psy_reflection){m->strings, m->types, m->fields, m->type_count, m->field_count};
    *out = module;
    return PSY_OK;
}

static psy_status read_all(int fd, const char *path, uint8_t **bytes, uint64_t *n)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return psy_fail(PSY_IO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return psy_fail(PSY_IO, "%s: not a regular file", path);
    }
    if (st.st_size > MODULE_BYTES_MAX) {
        return psy_fail(PSY_TOO_LARGE, "%s: %lld bytes; a module has at most %d", path, (long long)st.st_size,
                        MODULE_BYTES_MAX);
    }
    uint64_t size = (uint64_t)st.st_size;
    uint8_t *buffer = malloc(size ? size : 1);
    if (!buffer) {
        return psy_fail(PSY_NO_MEMORY, "%s: no memory for %llu bytes", path, (unsigned long long)size);
    }
    uint64_t got = 0;
    while (got < size) {
        ssize_t r = pread(fd, buffer + got, size - got, (off_t)got); /* others may read it too */
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r <= 0) {
            free(buffer);
            return psy_fail(PSY_IO, "%s: %s", path, r < 0 ? strerror(errno) : "the file shrank while it was read");
        }
        got += (uint64_t)r;
    }
    *bytes = buffer;
    *n = size;
    return PSY_OK;
}

psy_status psy_module_open(const char *path, psy_module **out)
{
    if (!path || !out) {
        return psy_fail(PSY_INVALID, "psy_module_open: a null argument");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not be waited for: it is refused below */
    if (fd < 0) {
        return psy_fail(PSY_IO, "%s: %s", path, strerror(errno));
    }
    uint8_t *bytes = NULL;
    uint64_t n = 0;
    psy_status status = read_all(fd, path, &bytes, &n);
    close(fd);
    if (status != PSY_OK) {
        return status;
    }
    status = adopt(bytes, n, PSY_TRUST_NATIVE, out);
    return status == PSY_OK ? status : psy_fail(status, "%s: %s", path, psy_detail());
}

psy_status psy__module_receive(int fd, const char *peer, uint64_t n, psy_module **out)
{
    uint8_t *bytes = NULL;
    uint64_t got = 0;
    psy_status status = read_all(fd, peer, &bytes, &got);
    if (status == PSY_OK && got != n) {
        free(bytes);
        status = psy_fail(PSY_PROTOCOL, "%s: a module of %llu bytes that is said to have %llu", peer, (unsigned long long)got,
                          (unsigned long long)n);
    }
    if (status != PSY_OK) {
        return status;
    }
    status = adopt(bytes, n, PSY_TRUST_BYTECODE, out);
    return status == PSY_OK ? status : psy_fail(status, "%s: its module: %s", peer, psy_detail());
}

psy_status psy__module_copy(const void *bytes, size_t n, psy__trust trust, psy_module **out)
{
    if (n > MODULE_BYTES_MAX) {
        return psy_fail(PSY_TOO_LARGE, "a module of %zu bytes; at most %d", n, MODULE_BYTES_MAX);
    }
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) {
        return psy_fail(PSY_NO_MEMORY, "no memory for %zu bytes", n);
    }
    memcpy(copy, bytes, n);
    return adopt(copy, n, trust, out);
}

psy_status psy_module_copy(const void *bytes, size_t n, psy_module **out)
{
    if (!bytes || !out) {
        return psy_fail(PSY_INVALID, "psy_module_copy: a null argument");
    }
    return psy__module_copy(bytes, n, PSY_TRUST_BYTECODE, out);
}

const psy_module *psy__module_hold(const psy_module *module)
{
    /* The count is the one thing of a module that changes. */
    atomic_fetch_add_explicit(&((psy_module *)(uintptr_t)module)->held, 1, memory_order_relaxed);
    return module;
}

bool psy__module_has_native(const psy_module *module)
{
    if (!module->bytes) {
        return false;
    }
    const psy_psm_header *header = (const psy_psm_header *)(const void *)module->bytes;
    const psy_psm_section *sections = (const psy_psm_section *)(const void *)(module->bytes + sizeof *header);
    for (uint32_t i = 0; i < header->section_count; i++) {
        if (sections[i].bytes > 0 && (sections[i].kind == PSY_PSM_KERNELS || sections[i].kind == PSY_PSM_KERNEL_CODE)) {
            return true;
        }
    }
    return false;
}

void psy_module_close(psy_module *module)
{
    if (module && atomic_fetch_sub_explicit(&module->held, 1, memory_order_acq_rel) == 0) {
        free(module->bytes);
        free(module);
    }
}

const psy_reflection *psy_module_reflection(const psy_module *module) { return &module->reflection; }

uint64_t psy_module_hash(const psy_module *module) { return module->decoded.hash; }

const char *psy_module_pipeline(const psy_module *module, uint32_t index)
{
    const psy__module *m = &module->decoded;
    for (uint32_t i = 0; i < m->pipeline_count; i += m->pipelines[i].alternatives) {
        if (index-- == 0) {
            return psy__module_string(m, m->pipelines[i].name);
        }
    }
    return NULL;
}

const char *psy_module_resident(const psy_module *module, uint32_t index)
{
    const psy__module *m = &module->decoded;
    return index < m->resident_count ? psy__module_string(m, m->residents[index].name) : NULL;
}

uint32_t psy__module_find_pipeline(const psy__module *m, const char *name)
{
    for (uint32_t i = 0; i < m->pipeline_count; i += m->pipelines[i].alternatives) {
        if (strcmp(psy__module_string(m, m->pipelines[i].name), name) == 0) {
            return i;
        }
    }
    return PSY_NONE;
}

uint32_t psy__module_find_resident(const psy__module *m, const char *name)
{
    for (uint32_t i = 0; i < m->resident_count; i++) {
        if (strcmp(psy__module_string(m, m->residents[i].name), name) == 0) {
            return i;
        }
    }
    return PSY_NONE;
}

void psy__module_extents(const psy__module *m, uint32_t *request_bytes, uint32_t *reply_bytes, uint64_t *partial_bytes)
{
    *request_bytes = *reply_bytes = 64;
    *partial_bytes = 0;
    for (uint32_t i = 0; i < m->pipeline_count; i++) {
        const psy_psm_pipeline *p = &m->pipelines[i];
        uint32_t in = m->types[p->input_type].bytes, out = m->types[p->output_type].bytes;
        *request_bytes = in > *request_bytes ? in : *request_bytes;
        *reply_bytes = out > *reply_bytes ? out : *reply_bytes;
        if (p->route == PSY_ROUTE_ALL && m->types[p->partial_type].bytes > *partial_bytes) {
            *partial_bytes = m->types[p->partial_type].bytes;
        }
    }
}
