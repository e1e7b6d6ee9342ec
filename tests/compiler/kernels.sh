#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kernels as GLSL and C, as a user takes them: written, compiled by other people's compilers, called.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
cc=${PSYNE_CC:-cc}
cp "$source"/examples/nearest/nearest.{psy,hrm} .

run nearest.psy nearest.hrm --emit header,glsl,c -o made && ok 'GLSL and C are written' is "$status" 0
run nearest.psy nearest.hrm --emit header,glsl,c -o again
ok 'the same input gives the same files' is "$(diff -r made again 2>&1)" ''
mkdir elsewhere && cp nearest.psy nearest.hrm elsewhere
(cd elsewhere && "$psynec" nearest.psy nearest.hrm --emit header,glsl,c -o made)
ok 'wherever that is done' is "$(diff -r made elsewhere/made 2>&1)" ''
run nearest.psy --emit c -o none && ok 'a schema has no C' both is "$status" 1 says 'a schema gives a header'

if type -P glslangValidator >/dev/null; then
    for shader in made/*.comp; do
        glslangValidator --quiet -V --target-env vulkan1.1 "$shader" -o shader.spv >err 2>&1 || break
        ! type -P spirv-val >/dev/null || spirv-val --target-env vulkan1.1 shader.spv >err 2>&1 || break
    done
    ok 'glslang compiles every shader, and SPIRV-Tools finds nothing' is "$(cat err)" ''
else
    skip 'glslang compiles every shader' 'glslangValidator was not found'
fi

# A program of a user's: scores rows, merges what two shards found, looks up a row by key.
cat >user.c <<'C'
#include <stdio.h>

#include "nearest.kernels.h"
#include "nearest.psy.h"

enum { ROWS = 200, SHARD = 100 };
static _Alignas(64) float rows[ROWS][256];
static _Alignas(64) unsigned char query[4096], partial[2][1 << 16], hits[1 << 16], stored[8192], word[64];
static _Alignas(64) unsigned char spelling[ROWS][256];

int main(void)
{
    uint64_t keys[ROWS];
    for (int i = 0; i < ROWS; i++) {
        rows[i][i] = 1;
        keys[i] = 1000 + (uint64_t)i;
    }
    nearest_query *q = nearest_query_init(query);
    float *vector = nearest_query_mutable_vector(q);
    vector[150] = 3;
    vector[20] = 2;
    nearest_query_set_k(q, 2);
    for (uint64_t shard = 0; shard < 2; shard++) {
        psy_kernel_resident residents[nearest_kernel_residents] = {
            [nearest_kernel_resident_words] = {.data = rows[shard * SHARD], .rows = SHARD},
            [nearest_kernel_resident_spelling] = {.data = spelling, .rows = SHARD},
            [nearest_kernel_resident_stored] = {.data = rows, .rows = ROWS}};
        uint64_t sizes[nearest_kernel_sizes] = {[nearest_kernel_size_N] = ROWS,      [nearest_kernel_size_N_local] = SHARD,
                                                 [nearest_kernel_size_M] = ROWS,      [nearest_kernel_size_M_local] = ROWS,
                                                 [nearest_kernel_size_shards] = 2};
        uint64_t bases[nearest_kernel_sizes] = {[nearest_kernel_size_N_local] = shard * SHARD};
        psy_kernel_frame frame;
        if (psy_kernel_open(&nearest_kernels_nearest_shard, sizes, bases, residents, &frame) != PSY_OK ||
            psy_kernel_run(&nearest_kernels_nearest_shard, &frame, query, NULL, 0, partial[shard]) != PSY_OK) {
            return 1;
        }
        psy_kernel_close(&frame);
    }
    uint64_t sizes[nearest_kernel_sizes] = {[nearest_kernel_size_N] = ROWS,  [nearest_kernel_size_N_local] = ROWS,
                                             [nearest_kernel_size_M] = ROWS,  [nearest_kernel_size_M_local] = ROWS,
                                             [nearest_kernel_size_shards] = 2};
    psy_kernel_resident residents[nearest_kernel_residents] = {
        [nearest_kernel_resident_stored] = {rows, ROWS, sizeof rows[0], keys, psy_kernel_find}};
    psy_kernel_frame frame;
    if (psy_kernel_open(&nearest_kernels_nearest_merge, sizes, NULL, residents, &frame) != PSY_OK ||
        psy_kernel_run(&nearest_kernels_nearest_merge, &frame, query, partial, sizeof partial[0], hits) != PSY_OK) {
        return 2;
    }
    psy_kernel_close(&frame);
    const nearest_hits *h = (const nearest_hits *)(const void *)hits;
    const uint64_t *index = nearest_hits_index(h);
    printf("%u hits: %d %d\n", (unsigned)nearest_hits_index_count(h), (int)index[0], (int)index[1]);
    if (psy_kernel_open(&nearest_kernels_stored_vector, sizes, NULL, residents, &frame) != PSY_OK) {
        return 3;
    }
    nearest_word *w = nearest_word_init(word);
    nearest_word_set_key(w, 1007);
    int found = psy_kernel_run(&nearest_kernels_stored_vector, &frame, word, NULL, 0, stored);
    const nearest_stored *s = (const nearest_stored *)(const void *)stored;
    printf("row 7: %d, %g\n", found, (double)nearest_stored_vector(s)[7]);
    nearest_word_set_key(w, 5);
    printf("no row: %d\n", psy_kernel_run(&nearest_kernels_stored_vector, &frame, word, NULL, 0, stored) == PSY_NOT_FOUND);
    psy_kernel_close(&frame);
    sizes[nearest_kernel_size_N] = sizes[nearest_kernel_size_N_local] = 3; /* topk wants 64 rows */
    printf("too few: %d\n", psy_kernel_open(&nearest_kernels_nearest_merge, sizes, NULL, residents, &frame) == PSY_INVALID);
    return 0;
}
C
if type -P "${cc%% *}" >/dev/null; then
    $cc -std=c11 -Wall -Wextra -O2 -I "$source/runtime/include" -I made user.c made/nearest.kernels.c -o user -lm >err 2>&1
    ok 'C compiles without a word' is "$(cat err)" ''
    ./user >out.txt 2>err
    ok 'and runs' is "$(cat out.txt)" "2 hits: 150 20
row 7: 0, 1
no row: 1
too few: 1"
else
    skip 'C compiles' "$cc was not found"
fi

# doc/kernels.md shows what psynec writes: its first two blocks give the others.
block() { # number of the block, from 1: its lines
    awk -v wanted="$1" '/^```/ { if (inside) { inside = 0 } else { n++; inside = 1 }; next } inside && n == wanted' \
        "$source/doc/kernels.md"
}
mkdir page && block 2 >page/score.psy && block 3 >page/score.hrm
(cd page && "$psynec" --dump=kernels score.hrm && "$psynec" --emit glsl,c -o made score.hrm && cat made/*) >page.txt 2>err
for n in 4 5 6; do
    text=$(cat page.txt) part=$(block $n)
    ok "block $n of doc/kernels.md is what psynec writes" test -n "$part" -a "${text#*"$part"}" != "$text"
done

# What no kernel can do is said.
cat >sorted.hrm <<'H'
import "nearest.psy"
pipeline sorted(q: Query) -> Stored {
    let values = sort(q.vector)
    Stored { vector: values }
}
H
run sorted.hrm --emit glsl -o none && ok 'GLSL of a sort is refused, by name' both is "$status" 1 says 'has no kernels: sort'
ok 'and nothing is written' is "$(ls none 2>/dev/null)" ''
run sorted.hrm --emit c -o sorted && ok 'C sorts' is "$status" 0
finish
