/* SPDX-License-Identifier: Apache-2.0 */
/* Variants: elements of a type and shape that each message says for itself, views of them, and a builder that writes them in
 * place.
 *
 * In a message there is a description and, at a multiple of 64, room for the elements, row-major:
 *
 *   byte 0       1       2            4                                      36
 *        +-------+-------+------------+--------------------------------------+
 *        | dtype | rank  | reserved 0 | dims u32[8], unused ones 0           |   dtype 0: nothing is there
 *        |  u8   |  u8   |    u16     |                                      |
 *        +-------+-------+------------+--------------------------------------+
 *
 *   psy_variant_view v, row;
 *   if (shop_doc_embedding(doc, &v) == PSY_OK && psy_variant_row(&v, 0, 2, &row) == PSY_OK) {
 *       const float *x = psy_variant_f32(&row);   // NULL: of another type, or not one after the other
 *       for (uint64_t i = 0; x && i < psy_variant_count(&row); i++) { ... }
 *   }
 *
 *   psy_variant_builder b;                        // rows are added while there is room
 *   uint32_t dims[2] = {0, 256};
 *   shop_doc_build_embedding(doc, &b);
 *   psy_variant_builder_start(&b, PSY_F32, 2, dims);
 *   while (more() && psy_variant_append_f32(&b, next(), 256) == PSY_OK) { ... }
 *
 * Views are small and hold no memory: what they show must outlive them. Every function stays within what a view shows, whatever
 * it is given. Nothing allocates, nothing blocks; nothing is kept, so any thread may use any view, and one at a time a builder.
 */
#ifndef PSYNE_VARIANT_H
#define PSYNE_VARIANT_H

#include <string.h>

#include <psyne/dtype.h>
#include <psyne/message.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PSY_VARIANT_RANK_MAX = 8 };

/* As it lies in a message. */
typedef struct psy_variant_head {
    uint8_t dtype; /* psy_dtype; 0: nothing is there */
    uint8_t rank;
    uint16_t reserved;                   /* 0 */
    uint32_t dims[PSY_VARIANT_RANK_MAX]; /* unused ones are 0 */
} psy_variant_head;
static_assert(sizeof(psy_variant_head) == 36 && offsetof(psy_variant_head, dims) == 4, "the description of a variant is ABI");

typedef struct psy_variant_view {
    const void *data; /* of element 0, 0, ... */
    psy_dtype dtype;
    uint32_t rank; /* 0: one element */
    uint32_t dims[PSY_VARIANT_RANK_MAX];
    int64_t strides[PSY_VARIANT_RANK_MAX]; /* from one element to the next along each axis, in elements */
} psy_variant_view;

/* How many elements the view shows. */
static inline uint64_t psy_variant_count(const psy_variant_view *v)
{
    uint64_t n = 1;
    uint32_t i;
    for (i = 0; i < v->rank; i++) {
        n *= v->dims[i]; /* no overflow: what a view is made of has less than 2^63 bytes */
    }
    return n;
}

/* Row-major elements, of which the caller knows that they are there. */
static inline void psy__variant_pack(psy_variant_view *v, const void *data, psy_dtype dtype, uint32_t rank,
                                     const uint32_t *dims)
{
    bool empty = false;
    int64_t stride = 1;
    uint32_t i;
    memset(v, 0, sizeof *v);
    v->data = data;
    v->dtype = dtype;
    v->rank = rank;
    for (i = 0; i < rank; i++) {
        empty = empty || dims[i] == 0;
    }
    for (i = rank; i-- > 0;) {
        v->dims[i] = dims[i];
        v->strides[i] = stride;
        stride = empty ? 0 : stride * dims[i]; /* the others may be as long as they like */
    }
}

/* Shows row-major elements: `data`: dims[0] x ... x dims[rank - 1] elements of `dtype`, in `room` bytes. INVALID: there is no
 * such type or rank. TOO_LARGE: they are more than `room` bytes. */
static inline psy_status psy_variant_view_init(psy_variant_view *v, const void *data, uint32_t room, unsigned dtype,
                                               uint32_t rank, const uint32_t *dims)
{
    const unsigned bytes = psy_dtype_bytes(dtype);
    uint64_t n = bytes;
    uint32_t i;
    if (bytes == 0 || rank > PSY_VARIANT_RANK_MAX) {
        return PSY_INVALID;
    }
    /* An axis of 0 comes first, for the others may be as long as they like. */
    for (i = 0; i < rank; i++) {
        n = dims[i] == 0 ? 0 : n;
    }
    for (i = 0; i < rank && n > 0; i++) {
        n = n > room ? n : n * dims[i]; /* both below 2^32 */
    }
    if (n > room) {
        return PSY_TOO_LARGE;
    }
    psy__variant_pack(v, data, (psy_dtype)dtype, rank, dims);
    return PSY_OK;
}

/* The variant of a message, described at `head`, with `room` bytes at `data`. The description is copied once, then checked, for
 * others may be able to write it. OK; NOT_FOUND: nothing is there; CORRUPT: it makes no sense, or says more than there is. */
static inline psy_status psy_variant_read(const psy_variant_head *head, const void *data, uint32_t room, psy_variant_view *v)
{
    const volatile unsigned char *from = (const volatile unsigned char *)head;
    unsigned char bytes[sizeof(psy_variant_head)];
    psy_variant_head h;
    bool zeros = true;
    size_t i;
    for (i = 0; i < sizeof bytes; i++) {
        bytes[i] = from[i];
    }
    memcpy(&h, bytes, sizeof h);
    for (i = h.dtype == 0 ? 0 : h.rank; i < PSY_VARIANT_RANK_MAX; i++) {
        zeros = zeros && h.dims[i] == 0;
    }
    if (h.reserved != 0 || !zeros || (h.dtype == 0 && h.rank != 0)) {
        return PSY_CORRUPT;
    }
    if (h.dtype == 0) {
        return PSY_NOT_FOUND;
    }
    return psy_variant_view_init(v, data, room, h.dtype, h.rank, h.dims) == PSY_OK ? PSY_OK : PSY_CORRUPT;
}

/* Says what will be there: OK, or INVALID or TOO_LARGE as psy_variant_view_init, and nothing changes. */
static inline psy_status psy_variant_describe(psy_variant_head *head, uint32_t room, unsigned dtype, uint32_t rank,
                                              const uint32_t *dims)
{
    psy_variant_view v;
    const psy_status status = psy_variant_view_init(&v, NULL, room, dtype, rank, dims);
    if (status == PSY_OK) {
        head->dtype = (uint8_t)dtype;
        head->rank = (uint8_t)rank;
        head->reserved = 0;
        memcpy(head->dims, v.dims, sizeof head->dims);
    }
    return status;
}

/* Whether the elements lie one after the other, row-major. */
static inline bool psy_variant_is_packed(const psy_variant_view *v)
{
    int64_t stride = 1;
    bool packed = true;
    uint32_t i;
    for (i = psy_variant_count(v) > 0 ? v->rank : 0; i-- > 0 && packed;) {
        packed = v->dims[i] == 1 || v->strides[i] == stride;
        stride *= v->dims[i];
    }
    return packed;
}

/* All elements, psy_variant_count of them; NULL where they are not of `dtype`, or not one after the other. */
static inline const void *psy_variant_elements(const psy_variant_view *v, psy_dtype dtype)
{
    return v->dtype == dtype && psy_variant_is_packed(v) ? v->data : NULL;
}

/* One element, `index`: [rank]; NULL where it is not of `dtype`, or outside. */
static inline const void *psy_variant_at(const psy_variant_view *v, psy_dtype dtype, const uint32_t *index)
{
    int64_t at = 0;
    uint32_t i;
    for (i = 0; i < v->rank; i++) {
        if (index[i] >= v->dims[i]) {
            return NULL;
        }
        at += v->strides[i] * (int64_t)index[i];
    }
    return v->dtype == dtype ? (const unsigned char *)v->data + at * (int64_t)psy_dtype_bytes(dtype) : NULL;
}

/* `count` elements of an axis: from `from` on, every `step`th; `step` may be negative. INVALID: some lie outside, or the step
 * is 0. `out` may be `v`, here and below. */
static inline psy_status psy_variant_slice(const psy_variant_view *v, uint32_t axis, uint32_t from, uint32_t count,
                                           int32_t step, psy_variant_view *out)
{
    psy_variant_view r = *v;
    int64_t last;
    if (axis >= v->rank || step == 0) {
        return PSY_INVALID;
    }
    last = (int64_t)from + ((int64_t)count - 1) * step;
    if (count > 0 && (from >= v->dims[axis] || last < 0 || last >= (int64_t)v->dims[axis])) {
        return PSY_INVALID;
    }
    if (count > 0) {
        r.data = (const unsigned char *)v->data + (int64_t)from * v->strides[axis] * (int64_t)psy_dtype_bytes(v->dtype);
    }
    r.dims[axis] = count;
    r.strides[axis] = count > 1 ? v->strides[axis] * step : v->strides[axis];
    *out = r;
    return PSY_OK;
}

/* What lies at `index` of an axis, without that axis. INVALID: it lies outside. */
static inline psy_status psy_variant_row(const psy_variant_view *v, uint32_t axis, uint32_t index, psy_variant_view *out)
{
    psy_variant_view r;
    uint32_t i;
    const psy_status status = psy_variant_slice(v, axis, index, 1, 1, &r);
    if (status != PSY_OK) {
        return status;
    }
    for (i = axis; i + 1 < r.rank; i++) {
        r.dims[i] = r.dims[i + 1];
        r.strides[i] = r.strides[i + 1];
    }
    r.rank--;
    r.dims[r.rank] = 0;
    r.strides[r.rank] = 0;
    *out = r;
    return PSY_OK;
}

/* The same elements in another shape, row-major. INVALID: another number of them, or they do not lie one after the other. */
static inline psy_status psy_variant_reshape(const psy_variant_view *v, uint32_t rank, const uint32_t *dims,
                                             psy_variant_view *out)
{
    psy_variant_view r;
    const uint64_t count = psy_variant_count(v);
    uint64_t n = 1;
    uint32_t i;
    if (rank > PSY_VARIANT_RANK_MAX || !psy_variant_is_packed(v)) {
        return PSY_INVALID;
    }
    for (i = 0; i < rank; i++) {
        n = dims[i] == 0 ? 0 : n;
    }
    for (i = 0; i < rank && n > 0; i++) {
        if (dims[i] > count / n) {
            return PSY_INVALID;
        }
        n *= dims[i];
    }
    if (n != count) {
        return PSY_INVALID;
    }
    psy__variant_pack(&r, v->data, v->dtype, rank, dims);
    *out = r;
    return PSY_OK;
}

/* Axes in another order: axis i of the result is axis axes[i], `axes`: [rank]; NULL: in reverse. INVALID: one is missing. */
static inline psy_status psy_variant_transpose(const psy_variant_view *v, const uint32_t *axes, psy_variant_view *out)
{
    psy_variant_view r = *v;
    unsigned seen = 0;
    uint32_t i, axis;
    for (i = 0; i < v->rank; i++) {
        axis = axes ? axes[i] : v->rank - 1 - i;
        if (axis >= v->rank || (seen >> axis & 1) != 0) {
            return PSY_INVALID;
        }
        seen |= 1u << axis;
        r.dims[i] = v->dims[axis];
        r.strides[i] = v->strides[axis];
    }
    *out = r;
    return PSY_OK;
}

/* ---- elements by their type ----
 * For each type of dtypes.def, here f32:
 *
 *   psy_variant_f32(&v)               all elements, row-major; NULL where they are not f32, or not one after the other
 *   psy_variant_f32_at(&v, index)     one of them, `index`: [rank]; NULL where they are not f32, or it lies outside
 *   psy_variant_f32_at1(&v, i)        one of an axis; NULL also where there is another number of axes
 *   psy_variant_f32_at2(&v, i, j), psy_variant_f32_at3(&v, i, j, k)
 *
 * bool are bytes, f16 and bf16 their bits. Elements that do not lie at a multiple of their size are not given: NULL. */
static inline const void *psy__variant_all(const psy_variant_view *v, psy_dtype dtype)
{
    return (uintptr_t)v->data % psy_dtype_bytes(dtype) == 0 ? psy_variant_elements(v, dtype) : NULL;
}

static inline const void *psy__variant_one(const psy_variant_view *v, psy_dtype dtype, uint32_t rank, const uint32_t *index)
{
    return v->rank == rank && (uintptr_t)v->data % psy_dtype_bytes(dtype) == 0 ? psy_variant_at(v, dtype, index) : NULL;
}

#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    static inline const ctype *psy_variant_##text(const psy_variant_view *v)                                                   \
    {                                                                                                                          \
        return (const ctype *)psy__variant_all(v, PSY_##NAME);                                                                 \
    }                                                                                                                          \
    static inline const ctype *psy_variant_##text##_at(const psy_variant_view *v, const uint32_t *index)                       \
    {                                                                                                                          \
        return (const ctype *)psy__variant_one(v, PSY_##NAME, v->rank, index);                                                 \
    }                                                                                                                          \
    static inline const ctype *psy_variant_##text##_at1(const psy_variant_view *v, uint32_t i)                                 \
    {                                                                                                                          \
        return (const ctype *)psy__variant_one(v, PSY_##NAME, 1, &i);                                                          \
    }                                                                                                                          \
    static inline const ctype *psy_variant_##text##_at2(const psy_variant_view *v, uint32_t i, uint32_t j)                     \
    {                                                                                                                          \
        const uint32_t index[2] = {i, j};                                                                                      \
        return (const ctype *)psy__variant_one(v, PSY_##NAME, 2, index);                                                       \
    }                                                                                                                          \
    static inline const ctype *psy_variant_##text##_at3(const psy_variant_view *v, uint32_t i, uint32_t j, uint32_t k)         \
    {                                                                                                                          \
        const uint32_t index[3] = {i, j, k};                                                                                   \
        return (const ctype *)psy__variant_one(v, PSY_##NAME, 3, index);                                                       \
    }
#include <psyne/dtypes.def>
#undef DTYPE

/* ---- views whose elements may be written ----
 * Slices, rows and the like are made of `&m.view`, also into `&m.view` of another one. For each type, here f32:
 *
 *   psy_variant_mutable_f32(&m)                 as psy_variant_f32, to be written
 *   psy_variant_mutable_f32_at(&m, index)       as psy_variant_f32_at
 *   psy_variant_set_f32(&m, index, value)       writes one; false where it is not f32, or lies outside */
typedef struct psy_variant_mutable_view {
    psy_variant_view view;
} psy_variant_mutable_view;

/* What a view of memory that may be written shows. */
static inline void *psy__variant_writable(const void *from)
{
    void *to;
    memcpy(&to, &from, sizeof to);
    return to;
}

#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    static inline ctype *psy_variant_mutable_##text(const psy_variant_mutable_view *m)                                         \
    {                                                                                                                          \
        return (ctype *)psy__variant_writable(psy_variant_##text(&m->view));                                                   \
    }                                                                                                                          \
    static inline ctype *psy_variant_mutable_##text##_at(const psy_variant_mutable_view *m, const uint32_t *index)             \
    {                                                                                                                          \
        return (ctype *)psy__variant_writable(psy_variant_##text##_at(&m->view, index));                                       \
    }                                                                                                                          \
    static inline bool psy_variant_set_##text(const psy_variant_mutable_view *m, const uint32_t *index, ctype value)           \
    {                                                                                                                          \
        ctype *to = psy_variant_mutable_##text##_at(m, index);                                                                 \
        if (to != NULL) {                                                                                                      \
            *to = value;                                                                                                       \
        }                                                                                                                      \
        return to != NULL;                                                                                                     \
    }
#include <psyne/dtypes.def>
#undef DTYPE

/* `n` blocks of `bytes`, `to_step` and `from_step` bytes apart. */
static inline void psy__variant_move(unsigned char *to, int64_t to_step, const unsigned char *from, int64_t from_step,
                                     uint32_t n, size_t bytes)
{
    uint32_t i;
    for (i = 0; i < n; i++) {
        /* Of one element the size is known where it is copied: one load and one store. */
        switch (bytes) {
        case 1: *to = *from; break;
        case 2: memcpy(to, from, 2); break;
        case 4: memcpy(to, from, 4); break;
        case 8: memcpy(to, from, 8); break;
        default: memcpy(to, from, bytes); break;
        }
        if (i + 1 < n) {
            to += to_step;
            from += from_step;
        }
    }
}

/* Copies all elements of a view, whatever the strides of both, which must not show the same memory. INVALID, and nothing is
 * written: they differ in type or shape. */
static inline psy_status psy_variant_copy(const psy_variant_mutable_view *m, const psy_variant_view *from)
{
    const psy_variant_view *to = &m->view;
    const int64_t size = (int64_t)psy_dtype_bytes(to->dtype);
    unsigned char *t = (unsigned char *)psy__variant_writable(to->data);
    const unsigned char *f = (const unsigned char *)from->data;
    uint32_t index[PSY_VARIANT_RANK_MAX] = {0}, outer = to->rank, last, axis;
    int64_t block = 1;
    if (from->dtype != to->dtype || from->rank != to->rank ||
        memcmp(from->dims, to->dims, to->rank * sizeof to->dims[0]) != 0) {
        return PSY_INVALID;
    }
    if (psy_variant_count(to) == 0) {
        return PSY_OK;
    }
    /* The last axes, as far as both are packed, are one block; the axis before them is a run of blocks. */
    while (outer > 0 && (to->dims[outer - 1] == 1 || (to->strides[outer - 1] == block && from->strides[outer - 1] == block))) {
        block *= to->dims[--outer];
    }
    last = outer > 0 ? outer - 1 : 0;
    for (;;) {
        psy__variant_move(t, outer > 0 ? to->strides[last] * size : 0, f, outer > 0 ? from->strides[last] * size : 0,
                          outer > 0 ? to->dims[last] : 1, (size_t)(block * size));
        for (axis = last; axis > 0; axis--) {
            const int64_t back = (int64_t)index[axis - 1];
            if (++index[axis - 1] < to->dims[axis - 1]) {
                t += to->strides[axis - 1] * size;
                f += from->strides[axis - 1] * size;
                break;
            }
            t -= back * to->strides[axis - 1] * size;
            f -= back * from->strides[axis - 1] * size;
            index[axis - 1] = 0;
        }
        if (axis == 0) {
            return PSY_OK;
        }
    }
}

/* ---- builders ----
 * A builder writes a variant in place: its description at `head`, its elements, row-major, in `room` bytes at `data`, in a
 * claimed message or anywhere else. What others write there meanwhile misleads nobody: the builder knows itself what it has
 * done. */
typedef struct psy_variant_builder {
    psy_variant_head *head;
    void *data;
    uint32_t room;
    psy_variant_mutable_view elements; /* those that are there: what they are, and to be written; dtype 0: nothing is there */
} psy_variant_builder;

/* Nothing is there, any more. */
static inline void psy_variant_builder_clear(psy_variant_builder *b)
{
    memset(b->head, 0, sizeof *b->head);
    memset(&b->elements, 0, sizeof b->elements);
}

/* Begins with nothing. `data` should be a multiple of 8 (of 64, where vectors are read), else not all types can be there. */
static inline void psy_variant_builder_init(psy_variant_builder *b, psy_variant_head *head, void *data, uint32_t room)
{
    b->head = head;
    b->data = data;
    b->room = room;
    psy_variant_builder_clear(b);
}

/* Says what is there: dims[0] x ... x dims[rank - 1] elements of `dtype`, for the caller to write; until then they are whatever
 * was there. With dims[0] = 0 rows can be added one by one. INVALID: there is no such type or rank, or `data` is not at a
 * multiple of the type's size; TOO_LARGE: they are more than the room; then nothing changes. */
static inline psy_status psy_variant_builder_start(psy_variant_builder *b, unsigned dtype, uint32_t rank, const uint32_t *dims)
{
    const unsigned bytes = psy_dtype_bytes(dtype);
    const psy_status status =
        bytes > 0 && (uintptr_t)b->data % bytes == 0 ? psy_variant_describe(b->head, b->room, dtype, rank, dims) : PSY_INVALID;
    if (status == PSY_OK) {
        psy__variant_pack(&b->elements.view, b->data, (psy_dtype)dtype, rank, dims);
    }
    return status;
}

/* How many bytes of the room the elements take. */
static inline uint32_t psy_variant_builder_bytes(const psy_variant_builder *b)
{
    const psy_variant_view *v = &b->elements.view;
    return v->dtype == 0 ? 0 : (uint32_t)(psy_variant_count(v) * psy_dtype_bytes(v->dtype));
}

/* Adds `rows` along axis 0, for the caller to write, and shows them: `added` has the axes of the whole. INVALID: nothing is
 * there, or it has no axis; FULL: there is no room for all of them; then nothing changes. */
static inline psy_status psy_variant_builder_append(psy_variant_builder *b, uint32_t rows, psy_variant_mutable_view *added)
{
    const psy_variant_view *v = &b->elements.view;
    psy_variant_mutable_view r;
    uint32_t dims[PSY_VARIANT_RANK_MAX], before = psy_variant_builder_bytes(b);
    if (v->dtype == 0 || v->rank == 0) {
        return PSY_INVALID;
    }
    memcpy(dims, v->dims, sizeof dims);
    dims[0] += rows;
    if (dims[0] < rows || psy_variant_describe(b->head, b->room, v->dtype, v->rank, dims) != PSY_OK) {
        return PSY_FULL;
    }
    psy__variant_pack(&b->elements.view, b->data, v->dtype, v->rank, dims);
    dims[0] = rows;
    psy__variant_pack(&r.view, (const unsigned char *)b->data + before, v->dtype, v->rank, dims);
    *added = r;
    return PSY_OK;
}

/* Adds the elements of a view: rows, where it has as many axes as the whole, or one row, where it has one less. INVALID:
 * nothing is there, or the rows differ in type or shape; FULL: there is no room; then nothing changes. */
static inline psy_status psy_variant_builder_append_view(psy_variant_builder *b, const psy_variant_view *from)
{
    const psy_variant_view *v = &b->elements.view;
    psy_variant_mutable_view added;
    psy_status status;
    if (v->dtype == 0 || v->rank == 0 || from->dtype != v->dtype || (from->rank != v->rank && from->rank != v->rank - 1) ||
        memcmp(from->dims + (from->rank + 1 - v->rank), v->dims + 1, (v->rank - 1) * sizeof v->dims[0]) != 0) {
        return PSY_INVALID;
    }
    status = psy_variant_builder_append(b, from->rank == v->rank ? from->dims[0] : 1, &added);
    if (status == PSY_OK && from->rank != v->rank) {
        status = psy_variant_row(&added.view, 0, 0, &added.view);
    }
    return status == PSY_OK ? psy_variant_copy(&added, from) : status;
}

/* Says that there is what a view shows, and copies it, whatever its strides. As psy_variant_builder_start. */
static inline psy_status psy_variant_builder_copy(psy_variant_builder *b, const psy_variant_view *from)
{
    const psy_status status = psy_variant_builder_start(b, from->dtype, from->rank, from->dims);
    return status == PSY_OK ? psy_variant_copy(&b->elements, from) : status;
}

/* For psy_variant_append_f32 and the like: `bytes` of whole rows, already of the right type. */
static inline psy_status psy__variant_append(psy_variant_builder *b, psy_dtype dtype, const void *values, uint64_t count)
{
    const psy_variant_view *v = &b->elements.view;
    psy_variant_mutable_view added;
    psy_status status;
    uint64_t row = 1;
    uint32_t i;
    for (i = 1; i < v->rank; i++) {
        row = v->dims[i] == 0 ? 0 : row;
    }
    for (i = 1; i < v->rank && row > 0; i++) {
        row = row > UINT32_MAX ? row : row * v->dims[i];
    }
    if (v->dtype != dtype || v->rank == 0 || (row == 0 ? count > 0 : count % row != 0)) {
        return PSY_INVALID;
    }
    if (count == 0) {
        return PSY_OK;
    }
    status = count / row > UINT32_MAX ? PSY_FULL : psy_variant_builder_append(b, (uint32_t)(count / row), &added);
    if (status == PSY_OK) {
        memcpy(psy__variant_writable(added.view.data), values, (size_t)(count * psy_dtype_bytes(dtype)));
    }
    return status;
}

/* For each type, here f32: psy_variant_append_f32(&b, values, count) adds rows of `count` elements in all. INVALID: something
 * else is there, or they are no whole rows; FULL: there is no room; then nothing changes. */
#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    static inline psy_status psy_variant_append_##text(psy_variant_builder *b, const ctype *values, uint64_t count)            \
    {                                                                                                                          \
        return psy__variant_append(b, PSY_##NAME, values, count);                                                              \
    }
#include <psyne/dtypes.def>
#undef DTYPE

#ifdef __cplusplus
}
#endif
#endif
