/* SPDX-License-Identifier: Apache-2.0 */
/* Whether two messages hold the same values, and a number made of them. */
#include <string.h>

#include "base/siphash.h"
#include "message/check.h"
#include "message/values.h"

/* Verified, and ready to be read. */
static psy_status begin(psy__values *v, const psy_type *type, const void *bytes, size_t n)
{
    psy__frame f;
    uint32_t size;
    const psy_status status = psy__message_verify(type, bytes, n, &f, &size);
    if (status == PSY_OK) {
        psy__values_init(v, &f, bytes, size);
    }
    return status;
}

/* Elements of an array of bool may be anything, and count as true where they are not 0. */
static bool same_numbers(const void *a, const void *b, unsigned dtype, uint64_t count)
{
    if (dtype != PSY_BOOL) {
        return count == 0 || memcmp(a, b, count * psy_dtype_bytes(dtype)) == 0;
    }
    const unsigned char *x = a, *y = b;
    bool same = true;
    for (uint64_t i = 0; i < count && same; i++) {
        same = (x[i] != 0) == (y[i] != 0);
    }
    return same;
}

static bool same_variant(const psy_variant_view *a, const psy_variant_view *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims) == 0 &&
           same_numbers(a->data, b->data, a->dtype, psy_variant_count(a));
}

static bool same(const psy__value *a, const psy__value *b)
{
    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    switch (a->kind) {
    case PSY_VALUE_NUMBER:
    case PSY_VALUE_NUMBERS: return same_numbers(a->at, b->at, a->dtype, a->count);
    case PSY_VALUE_TEXT: return memcmp(a->at, b->at, a->count) == 0;
    case PSY_VALUE_VARIANT: return same_variant(&a->variant, &b->variant);
    default: return true;
    }
}

psy_status psy_message_equal(const psy_type *type, const void *a, size_t a_bytes, const void *b, size_t b_bytes, bool *equal)
{
    psy__values va, vb;
    psy__value x, y;
    *equal = false;
    psy_status status = begin(&va, type, a, a_bytes);
    status = status == PSY_OK ? begin(&vb, type, b, b_bytes) : status;
    if (status != PSY_OK) {
        return status;
    }
    bool more = true;
    *equal = true;
    while (more && *equal) {
        more = psy__values_next(&va, &x);
        *equal = psy__values_next(&vb, &y) == more && same(&x, &y);
    }
    return PSY_OK;
}

/* Words of 8 bytes, the last one filled with zeros: how many bytes there are was absorbed before. */
static void absorb(psy__siphash_state *s, const void *at, uint64_t n)
{
    const uint64_t whole = n & ~UINT64_C(7);
    uint64_t last = 0;
    psy__siphash_update(s, at, whole);
    if (n > whole) {
        memcpy(&last, (const unsigned char *)at + whole, n - whole);
        psy__siphash_update(s, &last, sizeof last);
    }
}

static void absorb_pair(psy__siphash_state *s, uint32_t a, uint32_t b)
{
    const uint64_t pair = a | (uint64_t)b << 32;
    psy__siphash_update(s, &pair, sizeof pair);
}

static void absorb_numbers(psy__siphash_state *s, const void *at, unsigned dtype, uint64_t count)
{
    if (dtype != PSY_BOOL) {
        absorb(s, at, count * psy_dtype_bytes(dtype));
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        absorb_pair(s, ((const uint8_t *)at)[i] != 0, 0);
    }
}

psy_status psy_message_hash(const psy_type *type, const void *bytes, size_t n, uint64_t *hash)
{
    static const uint64_t zero_key[2] = {0, 0};
    psy__siphash_state s;
    psy__values v;
    psy__value x;
    *hash = 0;
    const psy_status status = begin(&v, type, bytes, n);
    if (status != PSY_OK) {
        return status;
    }
    psy__siphash_init(&s, zero_key);
    while (psy__values_next(&v, &x)) {
        absorb_pair(&s, (uint32_t)x.kind, x.count);
        if (x.kind == PSY_VALUE_NUMBER || x.kind == PSY_VALUE_NUMBERS) {
            absorb_numbers(&s, x.at, x.dtype, x.count);
        } else if (x.kind == PSY_VALUE_TEXT) {
            absorb(&s, x.at, x.count);
        } else if (x.kind == PSY_VALUE_VARIANT) {
            absorb_pair(&s, (uint32_t)x.variant.dtype, x.variant.rank);
            psy__siphash_update(&s, x.variant.dims, sizeof x.variant.dims);
            absorb_numbers(&s, x.variant.data, x.variant.dtype, psy_variant_count(&x.variant));
        }
    }
    *hash = psy__siphash_final(&s);
    return PSY_OK;
}
