/* SPDX-License-Identifier: Apache-2.0 */
/* Variants by type: typed access, views that may be written, copies between strides, and builders. */
#include <psyne/variant.h>

#include "tests/test.h"

enum { ROOM = 256 };

typedef struct place {
    psy_variant_head head;
    _Alignas(64) unsigned char memory[ROOM];
    unsigned char after[64]; /* nobody writes here */
} place;

static place *fresh(psy_variant_builder *b, uint32_t room)
{
    static place p;
    memset(&p, 0xa5, sizeof p);
    psy_variant_builder_init(b, &p.head, p.memory, room);
    return &p;
}

static void check_after(const place *p, uint32_t room)
{
    for (size_t i = room; i < ROOM; i++) {
        cr_assert_eq(p->memory[i], 0xa5, "byte %zu", i);
    }
    for (size_t i = 0; i < sizeof p->after; i++) {
        cr_assert_eq(p->after[i], 0xa5, "byte %zu after", i);
    }
}

/* What a reader of the message sees is what the builder says. */
static void check_read(const place *p, const psy_variant_builder *b, uint32_t room)
{
    psy_variant_view v;
    psy_status status = psy_variant_read(&p->head, p->memory, room, &v);
    if (b->elements.view.dtype == 0) {
        cr_assert_eq(status, PSY_NOT_FOUND);
        return;
    }
    cr_assert_eq(status, PSY_OK);
    cr_assert_eq(memcmp(&v, &b->elements.view, sizeof v), 0);
}

/* Every type: written by index, appended, read back, and refused as each other type. */
#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    Test(variant, of_##text)                                                                                                   \
    {                                                                                                                          \
        psy_variant_builder b;                                                                                                 \
        place *p = fresh(&b, ROOM);                                                                                            \
        const ctype more[3] = {(ctype)1, (ctype)0, (ctype)1};                                                                  \
        cr_assert_eq(psy_variant_append_##text(&b, more, 3), PSY_INVALID);                                                     \
        cr_assert_eq(psy_variant_builder_start(&b, PSY_##NAME, 2, (uint32_t[]){2, 3}), PSY_OK);                                \
        for (uint32_t i = 0; i < 6; i++) {                                                                                     \
            cr_assert(psy_variant_set_##text(&b.elements, (uint32_t[]){i / 3, i % 3}, (ctype)(i % 2)));                        \
        }                                                                                                                      \
        cr_assert(!psy_variant_set_##text(&b.elements, (uint32_t[]){2, 0}, (ctype)1));                                         \
        cr_assert(!psy_variant_set_##text(&b.elements, (uint32_t[]){0, 3}, (ctype)1));                                         \
        cr_assert_eq(psy_variant_append_##text(&b, more, 3), PSY_OK);                                                          \
        cr_assert_eq(psy_variant_append_##text(&b, more, 2), PSY_INVALID);                                                     \
        cr_assert_eq(psy_variant_append_##text(&b, more, 0), PSY_OK);                                                          \
        check_read(p, &b, ROOM);                                                                                               \
        check_after(p, 9 * bytes);                                                                                             \
        const psy_variant_view *v = &b.elements.view;                                                                          \
        const ctype *all = psy_variant_##text(v);                                                                              \
        cr_assert_eq((const unsigned char *)all, p->memory);                                                                   \
        cr_assert_eq(psy_variant_mutable_##text(&b.elements), all);                                                            \
        cr_assert_eq(psy_variant_builder_bytes(&b), 9 * bytes);                                                                \
        for (uint32_t i = 0; i < 9; i++) {                                                                                     \
            cr_assert_eq(all[i], i < 6 ? (ctype)(i % 2) : more[i - 6]);                                                        \
            cr_assert_eq(psy_variant_##text##_at2(v, i / 3, i % 3), all + i);                                                  \
            cr_assert_eq(psy_variant_##text##_at(v, (uint32_t[]){i / 3, i % 3}), all + i);                                     \
            cr_assert_eq(psy_variant_mutable_##text##_at(&b.elements, (uint32_t[]){i / 3, i % 3}), all + i);                   \
        }                                                                                                                      \
        cr_assert(!psy_variant_##text##_at2(v, 3, 0) && !psy_variant_##text##_at2(v, 0, 3));                                   \
        cr_assert(!psy_variant_##text##_at1(v, 0) && !psy_variant_##text##_at3(v, 0, 0, 0));                                   \
        psy_variant_view r;                                                                                                    \
        cr_assert_eq(psy_variant_row(v, 0, 1, &r), PSY_OK);                                                                    \
        cr_assert(psy_variant_##text##_at1(&r, 2) == all + 5 && !psy_variant_##text##_at1(&r, 3));                             \
        cr_assert_eq(psy_variant_reshape(v, 3, (uint32_t[]){1, 3, 3}, &r), PSY_OK);                                            \
        cr_assert(psy_variant_##text##_at3(&r, 0, 2, 1) == all + 7 && !psy_variant_##text##_at3(&r, 1, 0, 0));                 \
        r.data = p->memory + 1;                                                                                                \
        cr_assert_eq(psy_variant_##text(&r) == NULL, bytes > 1);                                                               \
        cr_assert_eq(psy_variant_##text##_at3(&r, 0, 0, 0) == NULL, bytes > 1);                                                \
        r = *v;                                                                                                                \
        for (unsigned other = 1; psy_dtype_bytes(other) > 0; other++) {                                                        \
            r.dtype = (psy_dtype)other;                                                                                        \
            cr_assert_eq(psy_variant_##text(&r) != NULL, other == PSY_##NAME);                                                 \
            cr_assert_eq(psy_variant_##text##_at2(&r, 0, 0) != NULL, other == PSY_##NAME);                                     \
            b.elements.view.dtype = (psy_dtype)other;                                                                          \
            cr_assert_eq(psy_variant_append_##text(&b, more, 0), other == PSY_##NAME ? PSY_OK : PSY_INVALID);                  \
        }                                                                                                                      \
    }
#include <psyne/dtypes.def>
#undef DTYPE

Test(variant, builder_starts)
{
    psy_variant_builder b;
    place *p = fresh(&b, ROOM);
    check_read(p, &b, ROOM);
    cr_assert_eq(psy_variant_builder_bytes(&b), 0);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F32, 2, (uint32_t[]){8, 8}), PSY_OK);
    check_read(p, &b, ROOM);
    /* What is refused changes nothing. */
    const psy_variant_builder before = b;
    const psy_variant_head head = p->head;
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F32, 2, (uint32_t[]){8, 9}), PSY_TOO_LARGE);
    cr_assert_eq(psy_variant_builder_start(&b, 0, 0, NULL), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, 14, 0, NULL), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, UINT32_MAX, 0, NULL), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_U8, 9, (uint32_t[9]){0}), PSY_INVALID);
    cr_assert(memcmp(&b, &before, sizeof b) == 0 && memcmp(&p->head, &head, sizeof head) == 0);
    /* One element, eight axes, none at all. */
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F64, 0, NULL), PSY_OK);
    cr_assert(psy_variant_set_f64(&b.elements, NULL, 2.5) && *psy_variant_f64(&b.elements.view) == 2.5);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_U8, 8, (uint32_t[]){2, 2, 2, 2, 2, 2, 2, 2}), PSY_OK);
    check_read(p, &b, ROOM);
    cr_assert_eq(psy_variant_builder_bytes(&b), 256);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_U64, 3, (uint32_t[]){UINT32_MAX, 0, UINT32_MAX}), PSY_OK);
    check_read(p, &b, ROOM);
    psy_variant_builder_clear(&b);
    check_read(p, &b, ROOM);
    check_after(p, ROOM);
    /* Memory that lies anywhere takes what its address allows. */
    psy_variant_builder_init(&b, &p->head, p->memory + 4, 64);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F64, 1, (uint32_t[]){1}), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_F32, 1, (uint32_t[]){16}), PSY_OK);
    psy_variant_builder_init(&b, &p->head, p->memory + 1, 64);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_BF16, 1, (uint32_t[]){1}), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_BOOL, 1, (uint32_t[]){1}), PSY_OK);
}

Test(variant, rows_are_added_while_there_is_room)
{
    psy_variant_builder b;
    psy_variant_mutable_view added;
    place *p = fresh(&b, 100);
    cr_assert_eq(psy_variant_builder_append(&b, 1, &added), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_I32, 2, (uint32_t[]){0, 3}), PSY_OK);
    int32_t next = 0;
    uint32_t rows = 0;
    while (psy_variant_builder_append(&b, 1, &added) == PSY_OK) {
        cr_assert(added.view.rank == 2 && added.view.dims[0] == 1 && added.view.dims[1] == 3);
        for (uint32_t i = 0; i < 3; i++) {
            *psy_variant_mutable_i32_at(&added, (uint32_t[]){0, i}) = next++;
        }
        rows++;
        check_read(p, &b, 100);
    }
    cr_assert_eq(rows, 8); /* of 12 bytes each, in 100 */
    const int32_t *x = psy_variant_i32(&b.elements.view);
    for (int32_t i = 0; i < 24; i++) {
        cr_assert_eq(x[i], i);
    }
    cr_assert_eq(psy_variant_builder_append(&b, 1, &added), PSY_FULL);
    cr_assert_eq(psy_variant_builder_append(&b, UINT32_MAX, &added), PSY_FULL);
    cr_assert_eq(psy_variant_append_i32(&b, x, 3), PSY_FULL);
    cr_assert_eq(psy_variant_append_i32(&b, x, UINT64_C(3) << 40), PSY_FULL);
    check_read(p, &b, 100);
    cr_assert(b.elements.view.dims[0] == 8 && psy_variant_builder_append(&b, 0, &added) == PSY_OK &&
              psy_variant_count(&added.view) == 0);
    check_after(p, 96);
    /* Rows without elements take no room, and end where their number does. */
    cr_assert_eq(psy_variant_builder_start(&b, PSY_I32, 2, (uint32_t[]){7, 0}), PSY_OK);
    cr_assert_eq(psy_variant_builder_append(&b, UINT32_MAX - 7, &added), PSY_OK);
    cr_assert_eq(psy_variant_builder_append(&b, 1, &added), PSY_FULL);
    cr_assert_eq(psy_variant_append_i32(&b, x, 1), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_start(&b, PSY_I32, 0, NULL), PSY_OK);
    cr_assert_eq(psy_variant_builder_append(&b, 1, &added), PSY_INVALID);
    cr_assert_eq(psy_variant_append_i32(&b, x, 1), PSY_INVALID);
    /* Others may write the description meanwhile: it misleads no builder. */
    cr_assert_eq(psy_variant_builder_start(&b, PSY_I32, 1, (uint32_t[]){24}), PSY_OK);
    p->head.dims[0] = 0;
    cr_assert_eq(psy_variant_builder_append(&b, 2, &added), PSY_FULL);
    cr_assert_eq(psy_variant_builder_append(&b, 1, &added), PSY_OK);
    check_read(p, &b, 100);
}

/* [3, 4, 5] u16, element number n is n. */
static const uint16_t *numbers(psy_variant_view *v)
{
    static uint16_t x[60];
    for (uint16_t i = 0; i < 60; i++) {
        x[i] = i;
    }
    cr_assert_eq(psy_variant_view_init(v, x, sizeof x, PSY_U16, 3, (uint32_t[]){3, 4, 5}), PSY_OK);
    return x;
}

Test(variant, copies_between_any_strides)
{
    static const uint32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    psy_variant_view whole, from;
    numbers(&whole);
    for (size_t o = 0; o < 36; o++) {
        for (unsigned part = 0; part < 8; part++) {
            static uint16_t memory[60 + 8];
            memset(memory, 0xff, sizeof memory);
            from = whole;
            for (uint32_t axis = 0; axis < 3; axis++) {
                /* backwards, and every second one */
                if (part >> axis & 1) {
                    cr_assert_eq(psy_variant_slice(&from, axis, from.dims[axis] - 1, (from.dims[axis] + 1) / 2, -2, &from),
                                 PSY_OK);
                }
            }
            cr_assert_eq(psy_variant_transpose(&from, orders[o / 6], &from), PSY_OK);
            psy_variant_mutable_view to;
            uint32_t dims[3];
            /* Where it goes has axes in another order too. */
            for (uint32_t i = 0; i < 3; i++) {
                dims[orders[o % 6][i]] = from.dims[i];
            }
            cr_assert_eq(psy_variant_view_init(&to.view, memory, sizeof memory - 16, PSY_U16, 3, dims), PSY_OK);
            cr_assert_eq(psy_variant_transpose(&to.view, orders[o % 6], &to.view), PSY_OK);
            cr_assert_eq(psy_variant_copy(&to, &from), PSY_OK);
            for (uint32_t i = 0; i < from.dims[0]; i++) {
                for (uint32_t j = 0; j < from.dims[1]; j++) {
                    for (uint32_t k = 0; k < from.dims[2]; k++) {
                        cr_assert_eq(*psy_variant_u16_at3(&to.view, i, j, k), *psy_variant_u16_at3(&from, i, j, k));
                    }
                }
            }
            for (uint64_t i = psy_variant_count(&from); i < 68; i++) {
                cr_assert_eq(memory[i], 0xffff);
            }
        }
    }
}

Test(variant, copies_of_every_size_of_element)
{
    for (unsigned dtype = 1; psy_dtype_bytes(dtype) > 0; dtype++) {
        const uint32_t n = 4 * psy_dtype_bytes(dtype);
        unsigned char x[32], y[40];
        psy_variant_view from;
        psy_variant_mutable_view to;
        memset(y, 0xff, sizeof y);
        for (unsigned i = 0; i < 32; i++) {
            x[i] = (unsigned char)i;
        }
        cr_assert_eq(psy_variant_view_init(&from, x, n, dtype, 1, (uint32_t[]){4}), PSY_OK);
        cr_assert_eq(psy_variant_slice(&from, 0, 3, 4, -1, &from), PSY_OK);
        cr_assert_eq(psy_variant_view_init(&to.view, y, n, dtype, 1, (uint32_t[]){4}), PSY_OK);
        cr_assert_eq(psy_variant_copy(&to, &from), PSY_OK);
        for (unsigned i = 0; i < 4; i++) {
            cr_assert_arr_eq(y + i * (n / 4), x + (3 - i) * (n / 4), n / 4);
        }
        cr_assert_eq(y[n], 0xff);
    }
}

Test(variant, copies_of_other_shapes_are_refused)
{
    psy_variant_view whole, from;
    psy_variant_mutable_view to;
    uint16_t memory[60] = {0};
    numbers(&whole);
    cr_assert_eq(psy_variant_view_init(&to.view, memory, sizeof memory, PSY_U16, 3, (uint32_t[]){3, 4, 5}), PSY_OK);
    from = whole;
    from.dtype = PSY_I16;
    cr_assert_eq(psy_variant_copy(&to, &from), PSY_INVALID);
    cr_assert_eq(psy_variant_row(&whole, 0, 0, &from), PSY_OK);
    cr_assert_eq(psy_variant_copy(&to, &from), PSY_INVALID);
    cr_assert_eq(psy_variant_slice(&whole, 2, 0, 4, 1, &from), PSY_OK);
    cr_assert_eq(psy_variant_copy(&to, &from), PSY_INVALID);
    for (size_t i = 0; i < 60; i++) {
        cr_assert_eq(memory[i], 0);
    }
    /* Nothing is a shape too. */
    cr_assert_eq(psy_variant_slice(&whole, 1, 0, 0, 1, &from), PSY_OK);
    to.view = from;
    to.view.data = NULL;
    cr_assert_eq(psy_variant_copy(&to, &from), PSY_OK);
}

Test(variant, builders_take_views)
{
    psy_variant_builder b;
    psy_variant_view whole, turned, row, part;
    numbers(&whole);
    cr_assert_eq(psy_variant_transpose(&whole, (uint32_t[]){0, 2, 1}, &turned), PSY_OK); /* [3, 5, 4] */
    place *p = fresh(&b, 200);
    cr_assert_eq(psy_variant_builder_append_view(&b, &turned), PSY_INVALID); /* nothing is there to add to */
    cr_assert_eq(psy_variant_builder_copy(&b, &turned), PSY_OK);
    check_read(p, &b, 200);
    const uint16_t *x = psy_variant_u16(&b.elements.view);
    for (uint16_t i = 0; i < 60; i++) {
        cr_assert_eq(x[i], i / 20 * 20 + i % 4 * 5 + i / 4 % 5);
    }
    /* One row more, then two that do not fit, then one of another shape, then two as rows. */
    cr_assert_eq(psy_variant_row(&turned, 0, 2, &row), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &row), PSY_OK);
    check_read(p, &b, 200);
    cr_assert(b.elements.view.dims[0] == 4 && memcmp(x + 60, x + 40, 40) == 0);
    cr_assert_eq(psy_variant_slice(&turned, 0, 0, 2, 1, &part), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_FULL);
    cr_assert_eq(psy_variant_slice(&turned, 1, 0, 4, 1, &part), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_row(&part, 0, 0, &part), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_row(&row, 0, 0, &part), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_INVALID); /* two axes less */
    part = row;
    part.dtype = PSY_BF16;
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_INVALID);
    cr_assert_eq(psy_variant_builder_copy(&b, &whole), PSY_OK);
    cr_assert_eq(b.elements.view.dims[0], 3);
    cr_assert_eq(psy_variant_slice(&whole, 0, 1, 1, 1, &part), PSY_OK);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_OK);
    cr_assert(b.elements.view.dims[0] == 4 && memcmp(x + 60, x + 20, 40) == 0);
    check_read(p, &b, 200);
    check_after(p, 160);
    /* A view with more than there is room for. */
    place *q = fresh(&b, 119);
    cr_assert_eq(psy_variant_builder_copy(&b, &whole), PSY_TOO_LARGE);
    check_read(q, &b, 119);
    check_after(q, 0);
    /* One element, of rank 0, to a list of them. */
    cr_assert_eq(psy_variant_builder_start(&b, PSY_U16, 1, (uint32_t[]){0}), PSY_OK);
    cr_assert(psy_variant_row(&whole, 0, 2, &part) == PSY_OK && psy_variant_row(&part, 0, 1, &part) == PSY_OK &&
              psy_variant_row(&part, 0, 3, &part) == PSY_OK && part.rank == 0);
    cr_assert_eq(psy_variant_builder_append_view(&b, &part), PSY_OK);
    cr_assert(b.elements.view.dims[0] == 1 && *psy_variant_u16(&b.elements.view) == 48);
}

Test(variant, views_of_more_than_32_bits_of_bytes)
{
    /* As other libraries hand them over; what they show is not looked at here. */
    psy_variant_view v = {NULL, PSY_F32, 2, {UINT32_MAX, 4}, {4, 1}}, r;
    cr_assert_eq(psy_variant_reshape(&v, 3, (uint32_t[]){2, UINT32_MAX, 2}, &r), PSY_OK);
    cr_assert(r.strides[0] == INT64_C(2) * UINT32_MAX && psy_variant_count(&r) == UINT64_C(4) * UINT32_MAX);
    cr_assert_eq(psy_variant_reshape(&v, 2, (uint32_t[]){UINT32_MAX, UINT32_MAX}, &r), PSY_INVALID);
    cr_assert_eq(psy_variant_reshape(&v, 8, (uint32_t[]){65536, 65536, 65536, 65536, 65536, 65536, 65536, 65536}, &r),
                 PSY_INVALID);
    cr_assert_eq(psy_variant_reshape(&v, 9, (uint32_t[9]){1}, &r), PSY_INVALID);
    cr_assert_eq(psy_variant_reshape(&v, 2, (uint32_t[]){UINT32_MAX, 0}, &r), PSY_INVALID);
}
