/* SPDX-License-Identifier: Apache-2.0 */
/* topk, sort and argsort: equal elements keep their order, NaN comes last. */
#include <math.h>

#include "tests/compiler/language.h"

/* Whether x comes strictly before y. */
static bool before(number x, number y, bool descending) { return isnan(y) ? !isnan(x) : descending ? x > y : x < y; }

/* Sorts the last axis; as many as `count`. */
static void order(const tensor *a, uint32_t count, bool descending, tensor *values, tensor *labels)
{
    uint32_t dims[PSY_RANK_MAX], n = a->dims[a->rank - 1];
    memcpy(dims, a->dims, sizeof dims);
    dims[a->rank - 1] = count;
    *values = tensor_of(a->dtype, a->rank, dims);
    *labels = tensor_of(PSY_U64, a->rank, dims);
    for (size_t row = 0; row < a->n / n; row++) {
        size_t place[TENSOR_ELEMENTS_MAX];
        const number *x = a->at + row * n;
        for (size_t i = 0; i < n; i++) {
            size_t k = i;
            for (; k > 0 && before(x[i], x[place[k - 1]], descending); k--) {
                place[k] = place[k - 1];
            }
            place[k] = i;
        }
        for (size_t i = 0; i < count; i++) {
            values->at[row * count + i] = x[place[i]];
            labels->at[row * count + i] = (number)place[i];
        }
    }
}

static void check(const tensor *a, uint32_t k)
{
    static const unsigned stored[] = {[PSY_I8] = PSY_I32,  [PSY_I16] = PSY_I32, [PSY_U8] = PSY_U32,
                                      [PSY_U16] = PSY_U32, [PSY_F16] = PSY_F32, [PSY_BF16] = PSY_F32};
    unsigned n = a->dims[a->rank - 1];
    char lets[64];
    tensor values, labels;
    snprintf(lets, sizeof lets, "let (best, place) = topk(a, k: %u)", k);
    order(a, k, true, &values, &labels);
    values.dtype = psy__dtype_computes(a->dtype) ? a->dtype : stored[a->dtype];
    language_check(&(language_case){.lets = lets, .text = "best", .in = {a}, .wanted = &values});
    language_check(&(language_case){.lets = lets, .text = "place", .in = {a}, .wanted = &labels});
    for (unsigned descending = 0; descending < 2; descending++) {
        order(a, n, descending, &values, &labels);
        values.dtype = psy__dtype_computes(a->dtype) ? a->dtype : stored[a->dtype];
        language_check(
            &(language_case){.text = descending ? "sort(a, descending: true)" : "sort(a)", .in = {a}, .wanted = &values});
        language_check(&(language_case){.text = descending ? "argsort(a, descending: true)" : "argsort(a, descending: false)",
                                        .in = {a},
                                        .wanted = &labels});
    }
}

Test(order, every_type)
{
    for (unsigned dtype = 1; psy__dtype_name(dtype); dtype++) {
        if (dtype == PSY_BOOL) {
            continue;
        }
        bool is_signed = psy__dtype_class(dtype) != PSY_DCLASS_UINT;
        /* Few different numbers, so that many are equal. */
        tensor vector = tensor_random(dtype, DIMS(23), is_signed ? -3 : 0, 4),
               table = tensor_random(dtype, DIMS(3, 2, 9), is_signed ? -3 : 0, 4);
        for (size_t i = 0; i < vector.n && psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; i++) {
            vector.at[i] = floorl(vector.at[i]);
        }
        check(&vector, 5);
        check(&vector, 23);
        check(&table, 4);
        check(&table, 1);
    }
}

Test(order, edges)
{
    tensor floats = LIST(PSY_F32, NAN, 1, -INFINITY, INFINITY, NAN, -1, 3.4e38L, -3.4e38L, 1e-45L, -1e-45L, NAN),
           wide = LIST(PSY_F64, NAN, 1, -INFINITY, INFINITY, -1, 1e308L, 5e-324L, -5e-324L),
           longs = LIST(PSY_I64, INT64_MIN, INT64_MAX, 0, -1, INT64_MIN + 1, 1),
           counts = LIST(PSY_U64, 0, UINT64_MAX, UINT64_MAX - 1, (number)INT64_MAX + 1, 1), one = LIST(PSY_F32, 4),
           none = LIST(PSY_F32, NAN, NAN, NAN);
    check(&floats, 4);
    check(&floats, 11);
    check(&wide, 3);
    check(&longs, 2);
    check(&counts, 3);
    check(&one, 1);
    check(&none, 2);
    /* The same as rows. */
    tensor rows = tensor_of(PSY_F32, DIMS(2, 11));
    memcpy(rows.at, floats.at, 11 * sizeof *rows.at);
    memcpy(rows.at + 11, floats.at, 11 * sizeof *rows.at);
    check(&rows, 4);
    check(&rows, 11);
}

Test(order, long_rows)
{
    tensor a = tensor_random(PSY_F32, DIMS(600), -1, 1), b = tensor_random(PSY_I32, DIMS(2, 257), 0, 9);
    check(&a, 100);
    check(&b, 50);
}

Test(order, of_what_was_computed)
{
    tensor a = LIST(PSY_F32, 3, 1, 2), squares = LIST(PSY_F32, 1, 4, 9), second = tensor_scalar(PSY_U64, 2);
    language_check(&(language_case){.text = "sort(a * a)", .in = {&a}, .wanted = &squares});
    language_check(&(language_case){.text = "argsort(-a)[1]", .in = {&a}, .wanted = &second});
    language_check(&(language_case){.text = "a[argsort(a)] * a[argsort(a)]", .in = {&a}, .wanted = &squares});
    language_check(&(language_case){.lets = "let (x, i) = topk(transpose(reshape(a, [1, 3]))[.., 0], k: 1)",
                                    .text = "i[0] + 2",
                                    .in = {&a},
                                    .wanted = &second});
}
