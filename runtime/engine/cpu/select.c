/* SPDX-License-Identifier: Apache-2.0 */
/* TOPK: a heap of the k best with the worst on top, and a scan that skips whatever is not above it. */
#include <stdlib.h>
#include <string.h>

#include <psyne/kernel_scalar.h>

#include "engine/cpu/cpu.h"

/* Larger is better; NaN is 0, below -inf; -0 and 0 are the same. */
uint64_t psy__order_key(unsigned dtype, const void *at, uint64_t *bits)
{
    *bits = 0;
    memcpy(bits, at, psy__dtype_bytes(dtype));
    switch (dtype) {
    case PSY_F32: {
        float v;
        memcpy(&v, at, sizeof v);
        return psy_kernel_key_f32(v);
    }
    case PSY_F64: {
        double v;
        memcpy(&v, at, sizeof v);
        return psy_kernel_key_f64(v);
    }
    case PSY_I32: return psy_kernel_key_i32((int32_t)(uint32_t)*bits);
    case PSY_I64: return psy_kernel_key_i64((int64_t)*bits);
    default: return *bits;
    }
}

/* What no element is below: it fills up when there are fewer than k elements. */
static uint64_t lowest(unsigned dtype)
{
    switch (dtype) {
    case PSY_F32: return UINT32_C(0x7fc00000); /* NaN */
    case PSY_F64: return UINT64_C(0x7ff8000000000000);
    case PSY_I32: return UINT32_C(0x80000000);
    case PSY_I64: return UINT64_C(1) << 63;
    default: return 0;
    }
}

static bool worse(const psy__pick *a, const psy__pick *b)
{
    return a->key != b->key ? a->key < b->key : a->label != b->label ? a->label > b->label : a->place > b->place;
}

typedef struct heap {
    psy__pick *at;
    uint32_t count, k;
    unsigned dtype;
} heap;

static void sift_down(psy__pick *at, uint32_t count, uint32_t i)
{
    psy__pick moved = at[i];
    for (uint32_t child; (child = 2 * i + 1) < count; i = child) {
        child += child + 1 < count && worse(&at[child + 1], &at[child]);
        if (!worse(&at[child], &moved)) {
            break;
        }
        at[i] = at[child];
    }
    at[i] = moved;
}

static void offer(heap *h, const psy__pick *p)
{
    if (h->count < h->k) {
        uint32_t i = h->count++;
        for (; i > 0 && worse(p, &h->at[(i - 1) / 2]); i = (i - 1) / 2) {
            h->at[i] = h->at[(i - 1) / 2];
        }
        h->at[i] = *p;
    } else if (worse(&h->at[0], p)) {
        h->at[0] = *p;
        sift_down(h->at, h->count, 0);
    }
}

/* n elements one after the other; labels follow, or are positions, which count from `base`. */
static void scan(const psy__cpu_executable *x, heap *h, const uint8_t *values, const uint64_t *labels, uint64_t base, size_t n)
{
    unsigned bytes = psy__dtype_bytes(h->dtype);
    bool is_float = psy__dtype_class(h->dtype) == PSY_DCLASS_FLOAT;
    for (size_t i = 0; i < n; i++) {
        /* Positions grow: what equals the worst comes after it and loses. NaN compares with nothing. */
        bool full = h->count == h->k && !(is_float && h->at[0].key == 0);
        if (full && !labels) {
            i += x->kernels->above[h->dtype](values + i * bytes, n - i, &h->at[0].bits);
            if (i == n) {
                break;
            }
        }
        psy__pick p = {.label = labels ? labels[i] : base + i, .place = base + i};
        p.key = psy__order_key(h->dtype, values + i * bytes, &p.bits);
        offer(h, &p);
    }
}

/* Walks the operand in order of its elements, a row of the last dim at a time. */
static void scan_all(psy__cpu_executable *x, heap *h, const psy__instruction *at, uint32_t m)
{
    const psy__bound_register *v = &x->bound.registers[at->operands[0]];
    const psy__bound_register *l = at->operands[1] == PSY_NONE ? NULL : &x->bound.registers[at->operands[1]];
    const uint8_t *values = psy__register_at(x, at->operands[0], m),
                  *labels = l ? psy__register_at(x, at->operands[1], m) : NULL;
    uint64_t base = psy__dim_is_symbol(at->operands[3]) ? x->bound.bases[psy__dim_symbol(at->operands[3])] : 0;
    unsigned bytes = psy__dtype_bytes(v->dtype);
    uint64_t last = v->dims[v->rank - 1], index[PSY_RANK_MAX] = {0}, done = 0;
    while (done < v->count) {
        const uint8_t *row = values, *row_labels = labels;
        for (uint32_t d = 0; d + 1 < v->rank; d++) {
            row += (int64_t)index[d] * v->strides[d];
            row_labels = l ? row_labels + (int64_t)index[d] * l->strides[d] : NULL;
        }
        for (uint64_t i = 0; i < last;) {
            bool straight = v->strides[v->rank - 1] == (int64_t)bytes && (!l || l->strides[l->rank - 1] == 8);
            size_t n = straight || last == 1 ? last - i : last - i < PSY__BLOCK ? last - i : PSY__BLOCK;
            const uint8_t *from = row + (int64_t)i * v->strides[v->rank - 1],
                          *from_labels = l ? row_labels + (int64_t)i * l->strides[l->rank - 1] : NULL;
            if (!straight && last != 1) {
                psy__gather(x->gathers, from, v->strides[v->rank - 1], n, bytes);
                from = x->gathers;
                if (l) {
                    psy__gather(x->gathers + PSY__BLOCK_BYTES, from_labels, l->strides[l->rank - 1], n, 8);
                    from_labels = x->gathers + PSY__BLOCK_BYTES;
                }
            }
            scan(x, h, from, (const uint64_t *)from_labels, base + done + i, n);
            i += n;
        }
        done += last;
        for (uint32_t d = v->rank - 1; d-- > 0;) {
            if (++index[d] < v->dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}

void psy__topk_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    heap h = {.at = x->picks, .k = at->operands[2], .dtype = at->dtype};
    scan_all(x, &h, at, m);
    uint8_t *values = psy__register_at(x, at->dst, m);
    uint64_t *labels = (uint64_t *)psy__register_at(x, at->dst + 1u, m), fill = lowest(at->dtype);
    unsigned bytes = psy__dtype_bytes(at->dtype);
    for (uint32_t i = h.count; i < h.k; i++) {
        memcpy(values + (size_t)i * bytes, &fill, bytes);
        labels[i] = UINT64_MAX;
    }
    /* The worst goes to the end, again and again. */
    for (uint32_t left = h.count; left > 0; left--) {
        psy__pick p = h.at[0];
        h.at[0] = h.at[left - 1];
        if (left > 1) {
            sift_down(h.at, left - 1, 0);
        }
        memcpy(values + (size_t)(left - 1) * bytes, &p.bits, bytes);
        labels[left - 1] = at->operands[3] == 0 ? p.place : p.label;
    }
}
