/* SPDX-License-Identifier: Apache-2.0 */
#include "codegen/spirv_module.h"

#include <spirv/unified1/spirv.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/kernel.h"

static void push(psy__spirv *s, psy__words *w, uint32_t word)
{
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        uint32_t *at = realloc(w->at, room * sizeof *at);
        if (!at) {
            s->failed = true;
            return;
        }
        w->at = at;
        w->room = room;
    }
    w->at[w->count++] = word;
}

void psy__spirv_init(psy__spirv *s)
{
    *s = (psy__spirv){.next_id = 1};
    s->glsl = psy__spirv_id(s);
}

void psy__spirv_fini(psy__spirv *s)
{
    for (unsigned i = 0; i < PSY_SPIRV_SECTIONS; i++) {
        free(s->sections[i].at);
    }
    free(s->interned.at);
    *s = (psy__spirv){0};
}

uint32_t psy__spirv_id(psy__spirv *s) { return s->next_id++; }

static void put(psy__spirv *s, psy__words *w, unsigned op, const uint32_t *operands, size_t count, const char *name)
{
    size_t extra = name ? strlen(name) / 4 + 1 : 0;
    push(s, w, (uint32_t)(count + extra + 1) << 16 | op);
    for (size_t i = 0; i < count; i++) {
        push(s, w, operands[i]);
    }
    for (size_t i = 0; i < extra; i++) {
        uint32_t word = 0;
        size_t n = strlen(name) - i * 4;
        memcpy(&word, name + i * 4, n < 4 ? n : 4);
        push(s, w, word);
    }
}

void psy__spirv_put(psy__spirv *s, psy__spirv_section section, unsigned op, const uint32_t *operands, size_t count)
{
    put(s, &s->sections[section], op, operands, count, NULL);
}

void psy__spirv_put_name(psy__spirv *s, psy__spirv_section section, unsigned op, const uint32_t *operands, size_t count,
                         const char *name)
{
    put(s, &s->sections[section], op, operands, count, name);
}

uint32_t psy__spirv_global(psy__spirv *s, unsigned op, uint32_t type, const uint32_t *operands, size_t count)
{
    psy__words *w = &s->interned;
    for (size_t at = 0; at < w->count; at += 4 + w->at[at + 2]) {
        if (w->at[at] == op && w->at[at + 1] == type && w->at[at + 2] == count &&
            (count == 0 || memcmp(w->at + at + 4, operands, count * sizeof *operands) == 0)) {
            return w->at[at + 3];
        }
    }
    uint32_t id = psy__spirv_id(s), words[16];
    size_t n = 0;
    if (type) {
        words[n++] = type;
    }
    words[n++] = id;
    memcpy(words + n, operands, count * sizeof *operands);
    psy__spirv_put(s, PSY_SPIRV_GLOBALS, op, words, n + count);
    push(s, w, op);
    push(s, w, type);
    push(s, w, (uint32_t)count);
    push(s, w, id);
    for (size_t i = 0; i < count; i++) {
        push(s, w, operands[i]);
    }
    return id;
}

uint32_t psy__spirv_op(psy__spirv *s, unsigned op, uint32_t type, const uint32_t *operands, size_t count)
{
    uint32_t id = psy__spirv_id(s), words[16] = {type, id};
    memcpy(words + 2, operands, count * sizeof *operands);
    psy__spirv_put(s, PSY_SPIRV_CODE, op, words, count + 2);
    return id;
}

uint32_t *psy__spirv_finish(psy__spirv *s, uint32_t main, const uint32_t *interface, size_t interface_count, uint32_t *count)
{
    psy__words w = {0};
    uint32_t entry[3 + 16] = {SpvExecutionModelGLCompute, main, 0};
    memcpy(&entry[2], "main", 4);
    entry[3] = 0; /* the name's end */
    memcpy(entry + 4, interface, interface_count * sizeof *interface);
    const uint32_t head[] = {SpvMagicNumber, 0x00010300, 0, s->next_id, 0};
    for (size_t i = 0; i < 5; i++) {
        push(s, &w, head[i]);
    }
    put(s, &w, SpvOpCapability, PSY_SPIRV_LIST(SpvCapabilityShader), NULL);
    put(s, &w, SpvOpExtInstImport, PSY_SPIRV_LIST(s->glsl), "GLSL.std.450");
    put(s, &w, SpvOpMemoryModel, PSY_SPIRV_LIST(SpvAddressingModelLogical, SpvMemoryModelGLSL450), NULL);
    put(s, &w, SpvOpEntryPoint, entry, 4 + interface_count, NULL);
    put(s, &w, SpvOpExecutionMode, PSY_SPIRV_LIST(main, SpvExecutionModeLocalSize, PSY_KERNEL_GROUP_MAX, 1, 1), NULL);
    for (unsigned i = 0; i < PSY_SPIRV_SECTIONS; i++) {
        for (size_t k = 0; k < s->sections[i].count; k++) {
            push(s, &w, s->sections[i].at[k]);
        }
    }
    if (s->failed) {
        free(w.at);
        return NULL;
    }
    *count = (uint32_t)w.count;
    return w.at;
}
