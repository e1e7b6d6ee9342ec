/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/compiler/random_hrm_data.h"

static void put(unsigned dtype, uint8_t *to, int x)
{
    static const uint16_t halves[] = {0xc400, 0xc200, 0xc000, 0xbc00, 0, 0x3c00, 0x4000, 0x4200, 0x4400},
                          brains[] = {0xc080, 0xc040, 0xc000, 0xbf80, 0, 0x3f80, 0x4000, 0x4040, 0x4080};
    float f = (float)x;
    double d = x;
    int64_t i = psy__dtype_class(dtype) == PSY_DCLASS_SINT ? x : dtype == PSY_BOOL ? x > 0 : x + 4;
    const void *from = dtype == PSY_F32    ? (const void *)&f
                       : dtype == PSY_F64  ? (const void *)&d
                       : dtype == PSY_F16  ? (const void *)&halves[x + 4]
                       : dtype == PSY_BF16 ? (const void *)&brains[x + 4]
                                           : (const void *)&i;
    memcpy(to, from, psy__dtype_bytes(dtype));
}

/* The smallest, the largest, or any. */
static void put_extreme(random_hrm *p, unsigned dtype, uint8_t *to)
{
    unsigned bytes = psy__dtype_bytes(dtype), which = random_hrm_pick(p, 3);
    bool is_signed = psy__dtype_class(dtype) == PSY_DCLASS_SINT;
    memset(to, which == 1 ? 0xff : 0, bytes);
    if (which == 2) {
        for (unsigned i = 0; i < bytes; i++) {
            to[i] = (uint8_t)random_hrm_pick(p, 256);
        }
    } else if (is_signed) {
        to[bytes - 1] ^= 0x80; /* the sign: its bytes are in little-endian order */
    }
}

static void *numbers(random_hrm *p, unsigned dtype, size_t n)
{
    unsigned bytes = psy__dtype_bytes(dtype);
    psy_dtype_class class_ = psy__dtype_class(dtype);
    uint8_t *at = calloc(n + 1, bytes);
    cr_assert_not_null(at);
    for (size_t i = 0; i < n; i++) {
        if ((class_ == PSY_DCLASS_SINT || class_ == PSY_DCLASS_UINT) && random_hrm_pick(p, 8) == 0) {
            put_extreme(p, dtype, at + i * bytes);
        } else {
            put(dtype, at + i * bytes, (int)random_hrm_pick(p, 9) - 4);
        }
    }
    return at;
}

void random_hrm_data_init(random_hrm_data *d, random_hrm *p)
{
    for (unsigned i = 0; i < RANDOM_HRM_INPUTS * RANDOM_HRM_MESSAGES; i++) {
        const random_hrm_value *v = &p->inputs[i % RANDOM_HRM_INPUTS];
        d->fields[i / RANDOM_HRM_INPUTS][i % RANDOM_HRM_INPUTS] = numbers(p, v->dtype, random_hrm_elements(p, v));
        d->there[i / RANDOM_HRM_INPUTS][i % RANDOM_HRM_INPUTS] =
            random_hrm_pick(p, i % RANDOM_HRM_INPUTS < RANDOM_HRM_OPTIONAL_FIRST ? RANDOM_HRM_ROOM + 3 : 2);
    }
    for (unsigned i = 0; i < RANDOM_HRM_RESIDENTS; i++) {
        d->rows[i] = numbers(p, p->residents[i].dtype, random_hrm_elements(p, &p->residents[i]));
    }
}

void random_hrm_data_fini(random_hrm_data *d)
{
    for (unsigned i = 0; i < RANDOM_HRM_INPUTS * RANDOM_HRM_MESSAGES; i++) {
        free(d->fields[i / RANDOM_HRM_INPUTS][i % RANDOM_HRM_INPUTS]);
    }
    for (unsigned i = 0; i < RANDOM_HRM_RESIDENTS; i++) {
        free(d->rows[i]);
    }
}

void random_hrm_serve(const char *engine, const random_hrm *p, const random_hrm_data *d, const compiled *c, uint32_t shards,
                      served *s)
{
    *s = (served){.engine = engine, .shards = shards, .messages = RANDOM_HRM_MESSAGES};
    for (unsigned i = 0; i < RANDOM_HRM_RESIDENTS; i++) {
        const random_hrm_value *v = &p->residents[i];
        unsigned rows = v->dims[0] < 0 ? p->rows[-1 - v->dims[0]] : (unsigned)v->dims[0];
        uint64_t row = psy__dtype_bytes(v->dtype) * (v->rank > 1 ? (uint64_t)v->dims[1] : 1);
        s->residents[i] = (serve_resident){v->name, d->rows[i], rows, row, NULL};
    }
    serve_begin(c, "p", s);
    for (uint32_t m = 0; m < RANDOM_HRM_MESSAGES; m++) {
        for (unsigned i = 0; i < RANDOM_HRM_INPUTS; i++) {
            const random_hrm_value *v = &p->inputs[i];
            memcpy(serve_input(c, "p", s, m, v->name + 2), d->fields[m][i],
                   random_hrm_elements(p, v) * psy__dtype_bytes(v->dtype));
            if (i >= RANDOM_HRM_OPTIONAL_FIRST) {
                *((uint8_t *)serve_input(c, "p", s, m, v->name + 2) + serve_presence(c, "p", false, v->name + 2)) =
                    (uint8_t)d->there[m][i];
            } else if (i >= RANDOM_HRM_BOUNDED_FIRST) {
                *serve_input_count(c, "p", s, m, v->name + 2) = d->there[m][i];
            }
        }
    }
    serve(c, "p", s);
}
