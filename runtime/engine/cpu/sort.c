/* SPDX-License-Identifier: Apache-2.0 */
/* SORT: merges runs of keys from one half of the memory to the other; equal keys keep their order. */
#include <string.h>

#include "engine/cpu/cpu.h"

/* Descending keys; what is equal stays as it was. */
static void merge(const psy__pick *a, size_t a_count, const psy__pick *b, size_t b_count, psy__pick *out)
{
    while (a_count && b_count) {
        if (b->key > a->key) {
            *out++ = *b++;
            b_count--;
        } else {
            *out++ = *a++;
            a_count--;
        }
    }
    memcpy(out, a_count ? a : b, (a_count + b_count) * sizeof *out);
}

/* Gives the half that has the result. */
static psy__pick *sort(psy__pick *picks, size_t n)
{
    psy__pick *from = picks, *to = picks + n;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += 2 * run) {
            size_t a = n - at < run ? n - at : run, b = n - at - a < run ? n - at - a : run;
            merge(from + at, a, from + at + a, b, to + at);
        }
        psy__pick *other = from;
        from = to;
        to = other;
    }
    return from;
}

static void sort_row(psy__cpu_executable *x, const psy__bound_register *v, bool descending, const uint8_t *from,
                     uint8_t *values, uint64_t *labels, uint64_t wanted)
{
    unsigned bytes = psy__dtype_bytes(v->dtype);
    bool is_float = psy__dtype_class(v->dtype) == PSY_DCLASS_FLOAT;
    uint64_t n = v->dims[v->rank - 1];
    int64_t step = v->strides[v->rank - 1];
    for (uint64_t i = 0; i < n; i++) {
        uint8_t element[8]; /* read once: it may be a message's */
        psy__pick *p = &x->picks[i];
        memcpy(element, from + (int64_t)i * step, bytes);
        p->label = i;
        p->key = psy__order_key(v->dtype, element, &p->bits);
        if (!descending && !(is_float && p->key == 0)) { /* NaN is last either way */
            p->key = ~p->key;
        }
    }
    const psy__pick *sorted = sort(x->picks, n);
    for (uint64_t i = 0; i < wanted; i++) {
        memcpy(values + i * bytes, &sorted[i].bits, bytes);
        labels[i] = sorted[i].label;
    }
}

void psy__sort_run(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    const psy__bound_register *v = &x->bound.registers[at->operands[0]], *out = &x->bound.registers[at->dst];
    const uint8_t *from = psy__register_at(x, at->operands[0], m);
    uint8_t *values = psy__register_at(x, at->dst, m);
    uint64_t *labels = (uint64_t *)(void *)psy__register_at(x, at->dst + 1u, m), wanted = out->dims[out->rank - 1];
    uint64_t rows = 1, index[PSY_RANK_MAX] = {0};
    for (uint32_t d = 0; d + 1 < v->rank; d++) {
        rows *= v->dims[d];
    }
    for (uint64_t row = 0; row < rows; row++) {
        const uint8_t *start = from;
        for (uint32_t d = 0; d + 1 < v->rank; d++) {
            start += (int64_t)index[d] * v->strides[d];
        }
        sort_row(x, v, at->operands[2] != 0, start, values, labels, wanted);
        values += wanted * psy__dtype_bytes(v->dtype);
        labels += wanted;
        for (uint32_t d = v->rank - 1; d-- > 0;) {
            if (++index[d] < v->dims[d]) {
                break;
            }
            index[d] = 0;
        }
    }
}
