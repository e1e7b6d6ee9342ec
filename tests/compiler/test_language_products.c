/* SPDX-License-Identifier: Apache-2.0 */
/* dot, @ and outer at all ranks, and functions of the language's own shapes. */
#include "tests/compiler/language.h"

/* The sizes are those of [..., rows, columns] with the axes in front broadcast. */
static number element(const tensor *t, size_t batch, size_t row, size_t column)
{
    size_t rows = t->dims[t->rank - 2], columns = t->dims[t->rank - 1], batches = t->n / (rows * columns);
    return t->at[(batches == 1 ? 0 : batch) * rows * columns + row * columns + column];
}

static void check_matrices(unsigned dtype, unsigned a_rank, const uint32_t *a_dims, unsigned b_rank, const uint32_t *b_dims,
                           unsigned rank, const uint32_t *dims)
{
    bool is_float = psy__dtype_class(dtype) == PSY_DCLASS_FLOAT;
    tensor a = tensor_random(dtype, a_rank, a_dims, 0, 3), b = tensor_random(dtype, b_rank, b_dims, 0, 3),
           wanted = tensor_of(dtype, rank, dims);
    size_t rows = a_dims[a_rank - 2], inner = a_dims[a_rank - 1], columns = b_dims[b_rank - 1];
    for (size_t i = 0; i < wanted.n; i++) {
        for (size_t k = 0; k < inner; k++) {
            wanted.at[i] +=
                element(&a, i / (rows * columns), i / columns % rows, k) * element(&b, i / (rows * columns), k, i % columns);
        }
        wanted.at[i] = is_float ? wanted.at[i] : tensor_round(dtype, wanted.at[i]);
    }
    language_check(&(language_case){.text = "a @ b", .in = {&a, &b}, .wanted = &wanted, .tolerance = 40});
    language_check(&(language_case){.text = "transpose(transpose(a)) @ b", .in = {&a, &b}, .wanted = &wanted, .tolerance = 40});
}

Test(products, matrices)
{
    static const unsigned dtypes[] = {PSY_F32, PSY_F64, PSY_I32, PSY_U64};
    for (unsigned d = 0; d < 4; d++) {
        check_matrices(dtypes[d], DIMS(3, 4), DIMS(4, 5), DIMS(3, 5));
        check_matrices(dtypes[d], DIMS(1, 4), DIMS(4, 1), DIMS(1, 1));
        check_matrices(dtypes[d], DIMS(5, 1), DIMS(1, 5), DIMS(5, 5));
        check_matrices(dtypes[d], DIMS(2, 3, 4), DIMS(4, 5), DIMS(2, 3, 5));
        check_matrices(dtypes[d], DIMS(3, 4), DIMS(2, 4, 5), DIMS(2, 3, 5));
        check_matrices(dtypes[d], DIMS(2, 3, 4), DIMS(2, 4, 5), DIMS(2, 3, 5));
    }
    check_matrices(PSY_F32, DIMS(16, 17), DIMS(17, 18), DIMS(16, 18));
    check_matrices(PSY_F32, DIMS(2, 1, 3, 4), DIMS(4, 2), DIMS(2, 1, 3, 2));
}

Test(products, vectors)
{
    tensor m = tensor_random(PSY_F32, DIMS(3, 4), -2, 2), v = tensor_random(PSY_F32, DIMS(4), -2, 2),
           w = tensor_random(PSY_F32, DIMS(3), -2, 2), right = tensor_of(PSY_F32, DIMS(3)), left = tensor_of(PSY_F32, DIMS(4)),
           both = tensor_scalar(PSY_F32, 0), outer = tensor_of(PSY_F32, DIMS(3, 4)), lines = right;
    for (size_t i = 0; i < 12; i++) {
        right.at[i / 4] += m.at[i] * v.at[i % 4];
        left.at[i % 4] += m.at[i] * w.at[i / 4];
        outer.at[i] = w.at[i / 4] * v.at[i % 4];
        lines.at[i / 4] += m.at[i] * m.at[i];
    }
    for (size_t i = 0; i < 4; i++) {
        both.at[0] += v.at[i] * v.at[i];
    }
    language_check(&(language_case){.text = "a @ b", .in = {&m, &v}, .wanted = &right, .tolerance = 20});
    language_check(&(language_case){.text = "a @ b", .in = {&w, &m}, .wanted = &left, .tolerance = 20});
    language_check(&(language_case){.text = "a @ a", .in = {&v}, .wanted = &both, .tolerance = 20});
    language_check(&(language_case){.text = "dot(a, a)", .in = {&v}, .wanted = &both, .tolerance = 20});
    language_check(&(language_case){.text = "dot(a, b)", .in = {&m, &v}, .wanted = &right, .tolerance = 20});
    language_check(&(language_case){.text = "dot(b, a)", .in = {&m, &v}, .wanted = &right, .tolerance = 20});
    language_check(&(language_case){.text = "dot(a, a)", .in = {&m}, .wanted = &lines, .tolerance = 20});
    language_check(&(language_case){.text = "outer(a, b)", .in = {&w, &v}, .wanted = &outer, .tolerance = 2});
    /* Vectors with stacks of matrices. */
    tensor stack = tensor_random(PSY_F64, DIMS(2, 3, 4), -2, 2), x = tensor_random(PSY_F64, DIMS(4), -2, 2),
           y = tensor_random(PSY_F64, DIMS(3), -2, 2), r = tensor_of(PSY_F64, DIMS(2, 3)), s = tensor_of(PSY_F64, DIMS(2, 4));
    for (size_t i = 0; i < 24; i++) {
        r.at[i / 4] += stack.at[i] * x.at[i % 4];
        s.at[i / 12 * 4 + i % 4] += stack.at[i] * y.at[i / 4 % 3];
    }
    language_check(&(language_case){.text = "a @ b", .in = {&stack, &x}, .wanted = &r, .tolerance = 20});
    language_check(&(language_case){.text = "b @ a", .in = {&stack, &y}, .wanted = &s, .tolerance = 20});
}

Test(products, storage_types)
{
    tensor a = tensor_random(PSY_I8, DIMS(3, 4), -9, 9), b = tensor_random(PSY_I8, DIMS(4), -9, 9),
           wanted = tensor_of(PSY_I32, DIMS(3)), h = tensor_random(PSY_F16, DIMS(4), -2, 2), f = tensor_scalar(PSY_F32, 0),
           outer = tensor_of(PSY_U32, DIMS(2, 2)), u = LIST(PSY_U8, 200, 255);
    for (size_t i = 0; i < 12; i++) {
        wanted.at[i / 4] += a.at[i] * b.at[i % 4];
    }
    for (size_t i = 0; i < 4; i++) {
        f.at[0] += h.at[i] * h.at[i];
        outer.at[i] = u.at[i / 2] * u.at[i % 2];
    }
    language_check(&(language_case){.text = "a @ b", .in = {&a, &b}, .wanted = &wanted});
    language_check(&(language_case){.text = "a @ a", .in = {&h}, .wanted = &f, .tolerance = 20});
    language_check(&(language_case){.text = "outer(a, a)", .in = {&u}, .wanted = &outer});
}

Test(products, functions)
{
    static const char file[] = "const TWO = 2\n"
                               "fn unit(x: f32[D]) -> f32[D] = x / sqrt(dot(x, x) + 1e-12)\n"
                               "fn times(m: f32[R, C], x: f32[C]) -> f32[R] = m @ x\n"
                               "fn rows(m: f32[R, C]) -> f32 = f32(R) + 10 * f32(C)\n"
                               "fn halves(x: f32[D]) -> f32[TWO, D / TWO] = reshape(x, [TWO, D / TWO])\n"
                               "fn sign_of(x: f32) -> i32 = if x > 0 { 1 } else if x < 0 { -1 } else { 0 }\n"
                               "fn swap(x: f32, y: f32) -> f32 = y - x\n";
    tensor m = tensor_random(PSY_F32, DIMS(3, 4), -2, 2), v = LIST(PSY_F32, 3, 0, 4, 0), u = LIST(PSY_F32, 0.6L, 0, 0.8L, 0),
           right = tensor_of(PSY_F32, DIMS(3)), sizes = tensor_scalar(PSY_F32, 43), signs = LIST(PSY_I32, 1),
           minus = tensor_scalar(PSY_F32, -1), folded = tensor_of(PSY_F32, DIMS(2, 2));
    memcpy(folded.at, v.at, 4 * sizeof *v.at);
    for (size_t i = 0; i < 12; i++) {
        right.at[i / 4] += m.at[i] * v.at[i % 4];
    }
    language_check(&(language_case){.file = file, .text = "b |> unit", .in = {&m, &v}, .wanted = &u, .tolerance = 4});
    language_check(&(language_case){.file = file, .text = "times(a, b)", .in = {&m, &v}, .wanted = &right, .tolerance = 20});
    language_check(
        &(language_case){.file = file, .text = "times(x: b, m: a)", .in = {&m, &v}, .wanted = &right, .tolerance = 20});
    language_check(&(language_case){.file = file, .text = "rows(a)", .in = {&m}, .wanted = &sizes});
    language_check(&(language_case){.file = file, .text = "halves(a)", .in = {&v}, .wanted = &folded});
    language_check(&(language_case){.file = file, .text = "expand(sign_of(a[0]))", .in = {&v}, .wanted = &signs});
    language_check(&(language_case){.file = file, .text = "swap(a[2], a[0])", .in = {&v}, .wanted = &minus});
    language_check(&(language_case){.file = file, .text = "a[2] |> swap(y: a[0])", .in = {&v}, .wanted = &minus});
    language_check(&(language_case){.file = file, .text = "swap(y: 1, x: 2)", .in = {&v}, .wanted = &minus});
}
