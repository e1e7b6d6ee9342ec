/* SPDX-License-Identifier: Apache-2.0 */
/* Variants as DLPack tensors, tensors as variants, and what is refused. dlpack.sh does it with NumPy. */
#include <psyne/dlpack.h>

#include "tests/test.h"

/* The table of DLPack: code, bits. */
static const struct {
    psy_dtype dtype;
    uint8_t code, bits;
} types[] = {{PSY_BOOL, 6, 8},  {PSY_I8, 0, 8},   {PSY_I16, 0, 16}, {PSY_I32, 0, 32}, {PSY_I64, 0, 64},
             {PSY_U8, 1, 8},    {PSY_U16, 1, 16}, {PSY_U32, 1, 32}, {PSY_U64, 1, 64}, {PSY_F16, 2, 16},
             {PSY_BF16, 4, 16}, {PSY_F32, 2, 32}, {PSY_F64, 2, 64}};

static _Alignas(64) double memory[64];

static DLTensor tensor(int64_t *shape, int64_t *strides, int32_t rank)
{
    DLTensor t = {.data = memory,
                  .device = {.device_type = (DLDeviceType)1, .device_id = 0},
                  .ndim = rank,
                  .dtype = {.code = 2, .bits = 32, .lanes = 1},
                  .shape = shape,
                  .strides = strides,
                  .byte_offset = 0};
    return t;
}

Test(dlpack, every_type_both_ways)
{
    unsigned known = 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        psy_variant_view v, back;
        DLTensor t;
        psy_dlpack_axes axes;
        cr_assert_eq(psy_variant_view_init(&v, memory, sizeof memory, types[i].dtype, 3, (uint32_t[]){2, 3, 4}), PSY_OK);
        psy_dlpack_from_view(&t, &axes, &v);
        cr_assert(t.dtype.code == types[i].code && t.dtype.bits == types[i].bits && t.dtype.lanes == 1, "type %zu", i);
        cr_assert(t.data == memory && t.ndim == 3 && t.byte_offset == 0 && (int)t.device.device_type == 1 &&
                  t.device.device_id == 0);
        cr_assert(t.shape[0] == 2 && t.shape[2] == 4 && t.strides[0] == 12 && t.strides[1] == 4 && t.strides[2] == 1);
        cr_assert_eq(psy_dlpack_to_view(&t, &back, NULL), PSY_OK);
        cr_assert_eq(memcmp(&back, &v, sizeof v), 0);
        t.strides = NULL;
        cr_assert_eq(psy_dlpack_to_view(&t, &back, NULL), PSY_OK);
        cr_assert_eq(memcmp(&back, &v, sizeof v), 0);
    }
    for (unsigned code = 0; code < 256; code++) {
        for (unsigned bits = 0; bits < 256; bits++) {
            int64_t shape[1] = {2};
            DLTensor t = tensor(shape, NULL, 1);
            psy_variant_view v;
            t.dtype.code = (uint8_t)code;
            t.dtype.bits = (uint8_t)bits;
            psy_status status = psy_dlpack_to_view(&t, &v, NULL);
            cr_assert(status == PSY_OK || status == PSY_UNSUPPORTED);
            known += status == PSY_OK;
        }
    }
    cr_assert_eq(known, sizeof types / sizeof types[0]);
}

Test(dlpack, slices_and_transposes_keep_their_strides)
{
    psy_variant_view v, back;
    DLTensor t;
    psy_dlpack_axes axes;
    cr_assert_eq(psy_variant_view_init(&v, memory, sizeof memory, PSY_F64, 2, (uint32_t[]){4, 5}), PSY_OK);
    cr_assert_eq(psy_variant_transpose(&v, NULL, &v), PSY_OK);
    cr_assert_eq(psy_variant_slice(&v, 0, 4, 3, -2, &v), PSY_OK);
    psy_dlpack_from_view(&t, &axes, &v);
    cr_assert(t.data == memory + 4 && t.shape[0] == 3 && t.shape[1] == 4 && t.strides[0] == -2 && t.strides[1] == 5);
    cr_assert_eq(psy_dlpack_to_view(&t, &back, NULL), PSY_OK);
    cr_assert(memcmp(&back, &v, sizeof v) == 0 && psy_variant_f64_at2(&back, 2, 3) == memory + 15);
    /* No element; one element. */
    cr_assert_eq(psy_variant_slice(&v, 0, 0, 0, 1, &v), PSY_OK);
    psy_dlpack_from_view(&t, &axes, &v);
    cr_assert(t.data == NULL && t.shape[0] == 0);
    cr_assert(psy_dlpack_to_view(&t, &back, NULL) == PSY_OK && psy_variant_count(&back) == 0 && back.rank == 2);
    cr_assert_eq(psy_variant_view_init(&v, memory, 8, PSY_F64, 0, NULL), PSY_OK);
    psy_dlpack_from_view(&t, &axes, &v);
    t.shape = t.strides = NULL;
    cr_assert(psy_dlpack_to_view(&t, &back, NULL) == PSY_OK && psy_variant_f64(&back) == memory);
}

Test(dlpack, offsets_and_broadcasts)
{
    int64_t shape[2] = {3, 4}, strides[2] = {0, 1};
    DLTensor t = tensor(shape, strides, 2);
    psy_variant_mutable_view m;
    t.byte_offset = 8;
    cr_assert_eq(psy_dlpack_to_view(&t, &m.view, NULL), PSY_OK);
    cr_assert(psy_variant_f32_at2(&m.view, 2, 1) == (const float *)memory + 3 && !psy_variant_f32(&m.view));
    cr_assert(psy_variant_set_f32(&m, (uint32_t[]){1, 3}, 7) && ((const float *)memory)[5] == 7);
    /* A copy of it has elements of its own. */
    psy_variant_head head;
    _Alignas(64) unsigned char room[48];
    psy_variant_builder b;
    psy_variant_builder_init(&b, &head, room, sizeof room);
    cr_assert_eq(psy_variant_builder_copy(&b, &m.view), PSY_OK);
    cr_assert(*psy_variant_f32_at2(&b.elements.view, 0, 3) == 7 && *psy_variant_f32_at2(&b.elements.view, 2, 3) == 7);
    /* Far more elements than bytes; of an axis of one element the stride does not matter. */
    shape[0] = shape[1] = UINT32_MAX;
    strides[1] = 0;
    cr_assert_eq(psy_dlpack_to_view(&t, &m.view, NULL), PSY_TOO_LARGE);
    shape[1] = 1;
    strides[1] = INT64_MIN;
    cr_assert(psy_dlpack_to_view(&t, &m.view, NULL) == PSY_OK && psy_variant_count(&m.view) == UINT32_MAX);
    cr_assert_eq(psy_variant_slice(&m.view, 1, 0, 1, INT32_MIN, &m.view), PSY_OK);
}

typedef struct wrong {
    psy_status status;
    const char *why; /* a part of it */
    DLTensor tensor;
} wrong;

Test(dlpack, what_no_view_can_show_is_refused)
{
    int64_t many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, plain[2] = {2, 3}, negative[2] = {2, -1}, wide[2] = {2, INT64_C(1) << 32};
    int64_t huge[2] = {UINT32_MAX, UINT32_MAX}, far[2] = {INT64_MAX, 1}, back[2] = {INT64_MIN, 1},
            both[2] = {INT64_C(1) << 60, INT64_C(1) << 60};
    wrong all[] = {{PSY_UNSUPPORTED, "memory of the CPU", tensor(plain, NULL, 2)},
                   {PSY_UNSUPPORTED, "lanes", tensor(plain, NULL, 2)},
                   {PSY_UNSUPPORTED, "lanes", tensor(plain, NULL, 2)},
                   {PSY_UNSUPPORTED, "of this type", tensor(plain, NULL, 2)},
                   {PSY_INVALID, "shape", tensor(plain, NULL, -1)},
                   {PSY_INVALID, "shape", tensor(NULL, NULL, 1)},
                   {PSY_TOO_LARGE, "eight axes", tensor(many, NULL, 9)},
                   {PSY_INVALID, "below 0", tensor(negative, NULL, 2)},
                   {PSY_TOO_LARGE, "32 bits", tensor(wide, NULL, 2)},
                   {PSY_TOO_LARGE, "2^63 bytes", tensor(huge, NULL, 2)},
                   {PSY_INVALID, "no data", tensor(plain, NULL, 2)},
                   {PSY_INVALID, "no data", tensor(plain, NULL, 2)},
                   {PSY_UNSUPPORTED, "multiple of their size", tensor(plain, NULL, 2)},
                   {PSY_UNSUPPORTED, "multiple of their size", tensor(plain, NULL, 2)},
                   {PSY_TOO_LARGE, "further apart", tensor(plain, far, 2)},
                   {PSY_TOO_LARGE, "further apart", tensor(plain, back, 2)},
                   {PSY_TOO_LARGE, "further apart", tensor(plain, both, 2)}};
    all[0].tensor.device.device_type = (DLDeviceType)2;
    all[1].tensor.dtype.lanes = 4;
    all[2].tensor.dtype.lanes = 0;
    all[3].tensor.dtype.code = 5;
    all[10].tensor.data = NULL;
    all[11].tensor.byte_offset = UINT64_MAX;
    all[12].tensor.byte_offset = 2;
    all[13].tensor.data = (char *)memory + 1;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        psy_variant_view v, before;
        const char *why = NULL;
        memset(&v, 0x5a, sizeof v);
        before = v;
        cr_assert_eq(psy_dlpack_to_view(&all[i].tensor, &v, &why), all[i].status, "tensor %zu", i);
        cr_assert(why && strstr(why, all[i].why), "tensor %zu: %s", i, why ? why : "nothing");
        cr_assert_eq(psy_dlpack_to_view(&all[i].tensor, &v, NULL), all[i].status, "tensor %zu", i);
        cr_assert_eq(memcmp(&v, &before, sizeof v), 0, "tensor %zu", i);
    }
}

/* ---- lending ---- */

typedef struct owner {
    int returned;
    psy_dlpack_loan loan;
} owner;

static void give_back(void *of)
{
    owner *o = of;
    o->returned++;
    memset(&o->loan, 0xa5, sizeof o->loan); /* the place may be used again at once */
}

Test(dlpack, loans)
{
    owner o = {.returned = 0};
    psy_variant_view v, back;
    const char *why;
    cr_assert_eq(psy_variant_view_init(&v, memory, sizeof memory, PSY_F32, 2, (uint32_t[]){2, 3}), PSY_OK);
    DLManagedTensor *m = psy_dlpack_lend(&o.loan, &v, give_back, &o);
    cr_assert(m->dl_tensor.data == memory && m->dl_tensor.shape[1] == 3 && o.returned == 0);
    cr_assert(psy_dlpack_to_view(&m->dl_tensor, &back, NULL) == PSY_OK && memcmp(&v, &back, sizeof v) == 0);
    m->deleter(m);
    cr_assert_eq(o.returned, 1);
    DLManagedTensorVersioned *n = psy_dlpack_lend_versioned(&o.loan, &v, true, give_back, &o);
    cr_assert(n->flags == 1 && n->version.major == 1 && n->version.minor == 0);
    cr_assert(psy_dlpack_versioned_to_view(n, &back, &why) == PSY_OK && memcmp(&v, &back, sizeof v) == 0);
    n->version.major = 2;
    cr_assert(psy_dlpack_versioned_to_view(n, &back, &why) == PSY_VERSION && strstr(why, "version"));
    n->deleter(n);
    cr_assert_eq(o.returned, 2);
    n = psy_dlpack_lend_versioned(&o.loan, &v, false, NULL, NULL);
    cr_assert_eq(n->flags, 0);
    n->deleter(n);
    cr_assert_eq(o.returned, 2);
}
