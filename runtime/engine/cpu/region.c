/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a region: block by block through its index space, message by message, operation by operation. What the messages share is
 * so read from memory once. */
#include <string.h>

#include "engine/cpu/cpu.h"
#include "isa/scalar.h"

void psy__gather(void *out, const uint8_t *from, int64_t stride, size_t n, unsigned element_bytes)
{
    switch (element_bytes) {
    case 1:
        for (size_t i = 0; i < n; i++, from += stride) {
            ((uint8_t *)out)[i] = *from;
        }
        break;
    case 2:
        for (size_t i = 0; i < n; i++, from += stride) {
            ((uint16_t *)out)[i] = *(const uint16_t *)from;
        }
        break;
    case 4:
        for (size_t i = 0; i < n; i++, from += stride) {
            ((uint32_t *)out)[i] = *(const uint32_t *)from;
        }
        break;
    default:
        for (size_t i = 0; i < n; i++, from += stride) {
            ((uint64_t *)out)[i] = *(const uint64_t *)from;
        }
        break;
    }
}

void psy__bools_clean(uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        at[i] &= 1;
    }
}

/* Where a block starts: the message, the index in the space's leading dims, and the first index along the last. */
typedef struct spot {
    psy__cpu_executable *x;
    uint32_t m;
    uint64_t index[PSY_RANK_MAX];
    uint32_t rank; /* of the space that is walked */
} spot;

static uint8_t *operand_at(const spot *s, const psy__operand *o)
{
    uint8_t *p = psy__register_at(s->x, o->reg, s->m);
    for (uint32_t d = 0; d < s->rank; d++) {
        p += (int64_t)s->index[d] * o->strides[d];
    }
    return p;
}

/* The operand's block with a stride of 0 or 1 elements: where it lies, or gathered. */
static const void *block_of(const spot *s, const psy__operand *o, size_t n, unsigned which, size_t *stride)
{
    if (o->inside) {
        *stride = 1;
        return s->x->buffers + (size_t)o->buffer * PSY__BLOCK_BYTES;
    }
    int64_t step = s->rank ? o->strides[s->rank - 1] : 0;
    const uint8_t *p = operand_at(s, o);
    bool straight = step == 0 || step == (int64_t)o->bytes || n == 1;
    *stride = straight ? step != 0 : 1;
    if (straight && !o->raw) {
        return p;
    }
    uint8_t *to = s->x->gathers + which * PSY__BLOCK_BYTES;
    size_t count = step == 0 ? 1 : n;
    psy__gather(to, p, step, count, o->bytes);
    if (o->raw) {
        psy__bools_clean(to, count);
    }
    return to;
}

static void *result_of(const spot *s, const psy__node *node)
{
    return node->result.inside ? s->x->buffers + (size_t)node->result.buffer * PSY__BLOCK_BYTES : operand_at(s, &node->result);
}

static void run_cast(const spot *s, const psy__node *node, const void *a, size_t stride, void *out, size_t n)
{
    if (stride == 0 && n > 1) {
        uint8_t *one = s->x->gathers + PSY__BLOCK_BYTES;
        psy__cast(node->from, a, node->dtype, one, 1);
        psy__gather(out, one, 0, n, node->element_bytes);
    } else {
        psy__cast(node->from, a, node->dtype, out, n);
    }
}

static unsigned log2_of(unsigned bytes) { return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3; }

static void apply(const spot *s, const psy__node *node, const void *const in[3], const size_t stride[3], void *out, size_t n)
{
    const psy__kernels *k = s->x->kernels;
    unsigned op = node->info->op, dtype = node->dtype;
    switch (node->info->class_) {
    case PSY_CLASS_CAST: run_cast(s, node, in[0], stride[0], out, n); break;
    case PSY_CLASS_MAP1: psy__map1_of(k, op, dtype)(out, in[0], stride[0], n); break;
    case PSY_CLASS_MAP2: psy__map2_of(k, op, dtype)(out, in[0], stride[0], in[1], stride[1], n); break;
    case PSY_CLASS_COMPARE: k->compare[op][dtype](out, in[0], stride[0], in[1], stride[1], n); break;
    case PSY_CLASS_MAP3: k->map3[op][dtype](out, in[0], stride[0], in[1], stride[1], in[2], stride[2], n); break;
    default: k->choose[log2_of(node->element_bytes)](out, in[0], stride[0], in[1], stride[1], in[2], stride[2], n); break;
    }
}

static void run_map(const spot *s, const psy__node *node, size_t n)
{
    const void *in[3] = {NULL};
    size_t stride[3] = {0};
    for (unsigned i = 0; i < node->operand_count; i++) {
        in[i] = block_of(s, &node->operands[i], n, i, &stride[i]);
    }
    apply(s, node, in, stride, result_of(s, node), n);
}

/* ---- the same block of many messages ---- */

static psy__place place_of(const spot *s, const psy__operand *o)
{
    if (o->inside) {
        return (psy__place){.base = s->x->buffers + (size_t)o->buffer * PSY__BLOCK_BYTES};
    }
    int64_t offset = 0;
    for (uint32_t d = 0; d < s->rank; d++) {
        offset += (int64_t)s->index[d] * o->strides[d];
    }
    return psy__place_shifted(psy__register_place(s->x, o->reg), offset);
}

static void make_plan(const spot *s, const psy__node *node, psy__plan *plan)
{
    plan->direct = true;
    plan->result = place_of(s, &node->result);
    for (unsigned i = 0; i < node->operand_count; i++) {
        const psy__operand *o = &node->operands[i];
        int64_t step = o->inside ? o->bytes : s->rank ? o->strides[s->rank - 1] : 0;
        plan->operands[i] = place_of(s, o);
        plan->strides[i] = step != 0;
        plan->direct = plan->direct && !o->raw && (step == 0 || step == (int64_t)o->bytes);
    }
}

/* A region that is one operation: nothing is said twice. */
static void run_one_of_many(const spot *s, const psy__node *node, const psy__plan *plan, size_t n, uint32_t count)
{
    const psy__kernels *k = s->x->kernels;
    const psy__place *a = &plan->operands[0], *b = &plan->operands[1];
    unsigned op = node->info->op, dtype = node->dtype;
    if (node->info->class_ == PSY_CLASS_MAP1) {
        psy__map1 *run = psy__map1_of(k, op, dtype);
        for (uint32_t m = 0; m < count; m++) {
            run(psy__place_at(&plan->result, m), psy__place_at(a, m), plan->strides[0], n);
        }
    } else if (node->info->class_ == PSY_CLASS_MAP2) {
        psy__map2 *run = psy__map2_of(k, op, dtype);
        for (uint32_t m = 0; m < count; m++) {
            run(psy__place_at(&plan->result, m), psy__place_at(a, m), plan->strides[0], psy__place_at(b, m), plan->strides[1],
                n);
        }
    } else {
        for (uint32_t m = 0; m < count; m++) {
            const void *in[3] = {NULL};
            for (unsigned i = 0; i < node->operand_count; i++) {
                in[i] = psy__place_at(&plan->operands[i], m);
            }
            apply(s, node, in, plan->strides, psy__place_at(&plan->result, m), n);
        }
    }
}

static void run_block_of_many(spot *s, const psy__region *r, size_t n, uint32_t count)
{
    psy__plan *plans = s->x->plans;
    for (uint32_t i = 0; i < r->node_count; i++) {
        make_plan(s, &r->nodes[i], &plans[i]);
    }
    if (r->node_count == 1 && plans[0].direct) {
        run_one_of_many(s, &r->nodes[0], &plans[0], n, count);
        return;
    }
    for (s->m = 0; s->m < count; s->m++) {
        for (uint32_t i = 0; i < r->node_count; i++) {
            const psy__plan *plan = &plans[i];
            if (!plan->direct) {
                run_map(s, &r->nodes[i], n);
                continue;
            }
            const void *in[3] = {NULL};
            for (unsigned k = 0; k < r->nodes[i].operand_count; k++) {
                in[k] = psy__place_at(&plan->operands[k], s->m);
            }
            apply(s, &r->nodes[i], in, plan->strides, psy__place_at(&plan->result, s->m), n);
        }
    }
}

/* Goes to the next index of dims 0 .. rank - 1. False at the end. */
static bool next_index(uint64_t *index, const uint64_t *dims, uint32_t rank)
{
    for (uint32_t d = rank; d-- > 0;) {
        if (++index[d] < dims[d]) {
            return true;
        }
        index[d] = 0;
    }
    return false;
}

static bool is_empty(const uint64_t *dims, uint32_t rank)
{
    for (uint32_t d = 0; d < rank; d++) {
        if (dims[d] == 0) {
            return true;
        }
    }
    return false;
}

/* ---- regions as machine code ---- */

/* One row of the region's code: n elements from where the streams are, of message s->m. */
static void run_row_of_code(spot *s, const psy__region *r, uint8_t *const *streams, uint64_t n)
{
    enum { BYTES = 4 };
    const psy__region_code *c = &r->code;
    uint8_t *at[PSY__STREAMS], tail[PSY__STREAMS][64] __attribute__((aligned(64)));
    uint64_t bytes = n * BYTES, unit = (uint64_t)s->x->code_lanes * BYTES, done = 0;
    psy__emitted *run = c->run;
    memcpy(at, streams, sizeof at);
    if (c->run_past_caches) {
        bool aligned = true;
        for (uint32_t i = 0; i < c->stream_count; i++) {
            aligned = aligned && !(c->written >> i & 1 && (uintptr_t)at[i] % unit);
        }
        run = aligned ? c->run_past_caches : run;
    }
    while (done < bytes) {
        uint64_t left = bytes - done, step = left - left % unit, did = 0;
        if (step) {
            did = run(at, step);
        } else { /* the last vector, in part */
            uint8_t *padded[PSY__STREAMS];
            for (uint32_t i = 0; i < c->stream_count; i++) {
                padded[i] = c->uniform >> i & 1 ? at[i] : tail[i];
                if (!((c->written | c->uniform) >> i & 1)) {
                    memset(tail[i], 0, sizeof tail[i]);
                    memcpy(tail[i], at[i], left);
                }
            }
            did = run(padded, unit) ? left : 0;
            for (uint32_t i = 0; i < c->stream_count && did; i++) {
                if (c->written >> i & 1) {
                    memcpy(at[i], tail[i], left);
                }
            }
        }
        if (did == 0) { /* a vector that the code is not for */
            did = left < unit ? left : unit;
            s->index[r->rank - 1] = done / BYTES;
            for (uint32_t i = 0; i < r->node_count; i++) {
                run_map(s, &r->nodes[i], did / BYTES);
            }
            s->index[r->rank - 1] = 0;
        }
        for (uint32_t i = 0; i < c->stream_count; i++) {
            at[i] += c->uniform >> i & 1 ? 0 : did;
        }
        done += did;
    }
}

static void run_code(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    spot s = {.x = x, .rank = r->rank};
    const psy__region_code *c = &r->code;
    psy__place places[PSY__STREAMS];
    uint8_t *streams[PSY__STREAMS] = {NULL};
    if (is_empty(r->dims, r->rank)) {
        return;
    }
    do {
        for (uint32_t i = 0; i < c->stream_count; i++) {
            places[i] = place_of(&s, c->streams[i]);
        }
        for (s.m = 0; s.m < count; s.m++) {
            for (uint32_t i = 0; i < c->stream_count; i++) {
                streams[i] = psy__place_at(&places[i], s.m);
            }
            run_row_of_code(&s, r, streams, r->dims[r->rank - 1]);
        }
        s.m = 0;
    } while (r->rank > 1 && next_index(s.index, r->dims, r->rank - 1));
}

/* ---- regions without a reduction ---- */

static void run_map_region(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    spot s = {.x = x, .rank = r->rank};
    if (is_empty(r->dims, r->rank)) {
        return;
    }
    uint64_t last = r->rank ? r->dims[r->rank - 1] : 1;
    do {
        for (uint64_t at = 0; at < last; at += PSY__BLOCK) {
            size_t n = last - at < PSY__BLOCK ? last - at : PSY__BLOCK;
            if (r->rank) {
                s.index[r->rank - 1] = at;
            }
            if (count > 1) {
                run_block_of_many(&s, r, n, count);
                continue;
            }
            for (uint32_t i = 0; i < r->node_count; i++) {
                run_map(&s, &r->nodes[i], n);
            }
        }
        if (r->rank) {
            s.index[r->rank - 1] = 0;
        }
    } while (r->rank > 1 && next_index(s.index, r->dims, r->rank - 1));
}

/* ---- regions with a reduction ---- */

/* The result of a reduction for `rows` rows from where the spot is (without the last dim). */
static uint8_t *sums_at(const spot *s, const psy__node *node)
{
    return node->result.inside ? s->x->buffers + (size_t)node->result.buffer * PSY__BLOCK_BYTES : operand_at(s, &node->result);
}

/* Block number `block` of a row, into the row's result or through the node's cascade. */
static void reduce_block(const spot *s, const psy__node *node, uint8_t *result, uint8_t *levels, uint64_t block, size_t n)
{
    const psy__kernels *kernels = s->x->kernels;
    size_t stride_a, stride_b = 0;
    const void *a = block_of(s, &node->operands[0], n, 0, &stride_a), *b = NULL;
    if (node->operand_count == 2) {
        b = block_of(s, &node->operands[1], n, 1, &stride_b);
    }
    psy__reduce *reduce = kernels->reduce[node->info->op][node->dtype];
    if (!levels) {
        reduce(result, a, stride_a, b, stride_b, n);
        return;
    }
    uint64_t sum;
    psy__identity(node->info->op, node->dtype, &sum);
    reduce(&sum, a, stride_a, b, stride_b, n);
    psy__cascade_add(kernels, node->info, node->dtype, levels, sizeof sum, (uint8_t *)&sum, block, 1);
}

/* Row k of `rows`: its first part and reductions. */
static void run_row(const psy__region *r, spot *s, const spot *rows, size_t k)
{
    uint64_t last = r->dims[r->rank - 1];
    bool straight = last <= PSY__STRAIGHT * PSY__BLOCK;
    for (uint64_t at = 0; at < last; at += PSY__BLOCK) {
        size_t n = last - at < PSY__BLOCK ? last - at : PSY__BLOCK;
        uint8_t *levels = straight ? NULL : s->x->levels;
        s->index[r->rank - 1] = at;
        for (uint32_t i = 0; i < r->node_count && r->nodes[i].first; i++) {
            const psy__node *node = &r->nodes[i];
            if (!node->reduces) {
                run_map(s, node, n);
                continue;
            }
            reduce_block(s, node, sums_at(rows, node) + k * node->element_bytes, levels, at / PSY__BLOCK, n);
            if (levels) {
                levels += PSY__LEVELS * sizeof(uint64_t);
            }
        }
    }
    uint8_t *levels = s->x->levels;
    for (uint32_t i = 0; !straight && i < r->node_count && r->nodes[i].first; i++) {
        const psy__node *node = &r->nodes[i];
        if (node->reduces) {
            psy__cascade_end(s->x->kernels, node->info, node->dtype, levels, sizeof(uint64_t),
                             (last + PSY__BLOCK - 1) / PSY__BLOCK, sums_at(rows, node) + k * node->element_bytes, 1);
            levels += PSY__LEVELS * sizeof(uint64_t);
        }
    }
}

static void run_rows(psy__cpu_executable *x, const psy__region *r, const spot *rows, size_t count)
{
    spot s = *rows;
    s.x = x;
    s.rank = r->rank;
    for (uint32_t i = 0; i < r->node_count; i++) {
        const psy__node *node = &r->nodes[i];
        if (node->reduces) {
            uint8_t *sums = sums_at(rows, node);
            for (size_t k = 0; k < count; k++) {
                psy__identity(node->info->op, node->dtype, sums + k * node->element_bytes);
            }
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (r->rank > 1) {
            s.index[r->rank - 2] = rows->index[r->rank - 2] + k;
        }
        run_row(r, &s, rows, k);
    }
}

static void run_second_part(const psy__region *r, const spot *rows, size_t count)
{
    for (uint32_t i = 0; i < r->node_count; i++) {
        if (!r->nodes[i].first) {
            run_map(rows, &r->nodes[i], count);
        }
    }
}

static void run_reduce_region(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    spot s = {.x = x, .rank = r->rank - 1};
    if (is_empty(r->dims, r->rank - 1)) {
        return;
    }
    uint64_t rows = r->rank > 1 ? r->dims[r->rank - 2] : 1;
    do {
        for (uint64_t at = 0; at < rows; at += PSY__ROWS) {
            size_t n = rows - at < PSY__ROWS ? rows - at : PSY__ROWS;
            if (r->rank > 1) {
                s.index[r->rank - 2] = at;
            }
            for (s.m = 0; s.m < count; s.m++) {
                run_rows(x, r, &s, n);
                run_second_part(r, &s, n);
            }
        }
        if (r->rank > 1) {
            s.index[r->rank - 2] = 0;
        }
    } while (r->rank > 2 && next_index(s.index, r->dims, r->rank - 2));
}

/* ---- a resident matrix times every message's vector ---- */

enum { MANY = 4 }; /* from this many messages on, vectors are packed */

static void run_batched_dot(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    const psy__node *dot = &r->nodes[0];
    const psy__dot_kernels *k = &x->kernels->dot[dot->dtype];
    const psy__operand *matrix = &dot->operands[r->matrix], *vector = &dot->operands[1 - r->matrix];
    const uint8_t *m = psy__register_at(x, matrix->reg, 0);
    size_t bytes = dot->element_bytes, depth = r->dims[1], row_stride = depth;
    bool inside = dot->result.inside;
    for (uint32_t i = 0; i < count; i++) {
        x->vectors[i] = psy__register_at(x, vector->reg, i);
    }
    if (count >= MANY) {
        k->pack(x->packed, x->vectors, count, depth);
    }
    for (uint64_t at = 0; at < r->dims[0]; at += PSY__ROWS) {
        size_t n = r->dims[0] - at < PSY__ROWS ? r->dims[0] - at : PSY__ROWS;
        uint8_t *out = inside ? x->dots : psy__register_at(x, dot->result.reg, 0) + at * bytes;
        size_t out_stride = inside ? PSY__ROWS : x->arena_stride / bytes;
        if (count >= MANY) {
            k->many(m + at * depth * bytes, row_stride, n, depth, x->packed, count, out, out_stride);
        } else {
            for (uint32_t i = 0; i < count; i++) {
                k->one(m + at * depth * bytes, row_stride, n, depth, x->vectors[i], out + i * out_stride * bytes);
            }
        }
        for (uint32_t i = 0; r->node_count > 1 && i < count; i++) {
            spot s = {.x = x, .m = i, .rank = 1, .index = {at}};
            if (inside) {
                memcpy(x->buffers + (size_t)dot->result.buffer * PSY__BLOCK_BYTES, out + i * out_stride * bytes, n * bytes);
            }
            run_second_part(r, &s, n);
        }
    }
}

/* ---- every message's vector times one that is the same for all ---- */

/* Whether the messages' vectors lie one stride apart, as rows of a matrix do; *stride in bytes. */
static bool is_matrix(const psy__place *vectors, uint32_t count, unsigned bytes, uint64_t *stride)
{
    if (!vectors->table) {
        *stride = vectors->step;
        return *stride % bytes == 0;
    }
    *stride = count > 1 ? (uintptr_t)vectors->table[1] - (uintptr_t)vectors->table[0] : 0;
    for (uint32_t i = 1; i < count; i++) {
        if ((uintptr_t)vectors->table[i] - (uintptr_t)vectors->table[i - 1] != *stride) {
            return false;
        }
    }
    return *stride % bytes == 0;
}

static uint8_t *buffer_at(const psy__cpu_executable *x, uint32_t node) { return x->buffers + (size_t)node * PSY__BLOCK_BYTES; }

/* A value for each message, from its maker's buffer, or the same for all. */
static const void *value_of_each(const psy__cpu_executable *x, const psy__operand *o, size_t *stride)
{
    *stride = o->made;
    return o->made ? buffer_at(x, o->maker) : psy__register_at(x, o->reg, 0);
}

/* What a node gave for each message goes to its place, where it has one. */
static void give_each(const psy__cpu_executable *x, const psy__node *node, const uint8_t *values, uint32_t first, uint32_t n)
{
    if (node->result.inside) {
        return;
    }
    psy__place to = psy__register_place(x, node->result.reg);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(psy__place_at(&to, first + i), values + (size_t)i * node->element_bytes, node->element_bytes);
    }
}

static void run_message_dot(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    const psy__node *dot = &r->nodes[0];
    const psy__dot_kernels *k = &x->kernels->dot[dot->dtype];
    const psy__operand *same = &dot->operands[r->matrix], *vector = &dot->operands[1 - r->matrix];
    size_t depth = r->dims[0], bytes = dot->element_bytes;
    const spot s = {.x = x};
    psy__place vectors = psy__register_place(x, vector->reg);
    for (uint32_t first = 0; first < count; first += PSY__ROWS) {
        uint32_t n = count - first < PSY__ROWS ? count - first : PSY__ROWS;
        psy__place here = vectors;
        uint64_t stride;
        here.table = here.table ? here.table + first : NULL;
        here.base += here.table ? 0 : first * here.step;
        const void *with = psy__register_at(x, same->reg, 0);
        uint8_t *out = buffer_at(x, 0);
        if (is_matrix(&here, n, (unsigned)bytes, &stride)) {
            k->one(psy__place_at(&here, 0), stride / bytes, n, depth, with, out);
        } else {
            for (uint32_t i = 0; i < n; i++) {
                k->one(psy__place_at(&here, i), depth, 1, depth, with, out + i * bytes);
            }
        }
        give_each(x, dot, out, first, n);
        for (uint32_t i = 1; i < r->node_count; i++) {
            const psy__node *node = &r->nodes[i];
            const void *in[3] = {NULL};
            size_t strides[3] = {0};
            for (unsigned o = 0; o < node->operand_count; o++) {
                in[o] = value_of_each(x, &node->operands[o], &strides[o]);
            }
            out = buffer_at(x, i);
            apply(&s, node, in, strides, out, n);
            give_each(x, node, out, first, n);
        }
    }
}

void psy__region_run(psy__cpu_executable *x, const psy__region *r, uint32_t count)
{
    if (r->batched_dot) {
        run_batched_dot(x, r, count);
        return;
    }
    if (r->message_dot) {
        run_message_dot(x, r, count);
    } else if (r->reduces) {
        run_reduce_region(x, r, count);
    } else if (r->code.run) {
        run_code(x, r, count);
    } else {
        run_map_region(x, r, count);
    }
}
