/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

Test(op, every_row_is_found_by_code_and_by_name)
{
    cr_assert_gt(psy__op_count(), 20);
    for (unsigned i = 0; i < psy__op_count(); i++) {
        const psy_op_info *row = psy__op_row(i);
        cr_assert_eq(psy__op_info(row->op), row, "%s", row->name);
        cr_assert_eq(psy__op_named(row->name), row, "%s", row->name);
        cr_assert(row->doc[0] != '\0', "%s has no doc", row->name);
        cr_assert_not_null(strchr(row->signature, ':'), "%s", row->name);
        cr_assert_eq(row->signature[strspn(row->signature, "r:oisdfnc*+")], '\0', "%s", row->name);
        cr_assert(row->op > 0 && row->op < 256, "%s", row->name);
    }
    cr_assert_null(psy__op_row(psy__op_count()));
    cr_assert_null(psy__op_info(0));
    cr_assert_null(psy__op_info(255));
    cr_assert_null(psy__op_named("nothing"));
}

Test(op, dtypes)
{
    cr_assert_eq(psy__dtype_named("bf16", 4), PSY_BF16);
    cr_assert_eq(psy__dtype_named("bf1", 3), 0);
    cr_assert_null(psy__dtype_name(0));
    cr_assert_null(psy__dtype_name(200));
    cr_assert_eq(psy__dtype_bytes(0), 0);
    unsigned known = 0;
    for (unsigned d = 0; d < 256; d++) {
        const char *name = psy__dtype_name(d);
        if (name) {
            cr_assert_eq(psy__dtype_named(name, strlen(name)), d);
            cr_assert(psy__dtype_bytes(d) >= 1 && psy__dtype_bytes(d) <= 8);
            known++;
        }
    }
    cr_assert_eq(known, 13);
}

/* What the letters of the dtypes column stand for, and the dtypes of operands and results. */
Test(op, dtypes_of_classes)
{
    static const struct {
        unsigned op;
        const char *takes;
    } rows[] = {{PSY_OP_NOT, "bool i32 i64 u32 u64"},
                {PSY_OP_POPCOUNT, "i32 i64 u32 u64"},
                {PSY_OP_EQ, "bool i32 i64 u32 u64 f32 f64"},
                {PSY_OP_LT, "i32 i64 u32 u64 f32 f64"},
                {PSY_OP_SIGN, "i32 i64 f32 f64"},
                {PSY_OP_FMA, "f32 f64"},
                {PSY_OP_PHILOX, "u32"},
                {PSY_OP_ANY, "bool"},
                {PSY_OP_SCATTER, "i32 i64 u32 u64 f32 f64"},
                {PSY_OP_REGION, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[128] = "";
        for (unsigned d = 1; d < 256; d++) {
            if (psy__op_takes(psy__op_info(rows[i].op), d)) {
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? " " : "", psy__dtype_name(d));
            }
        }
        cr_assert_str_eq(text, rows[i].takes, "%s", psy__op_info(rows[i].op)->name);
    }
    cr_assert_eq(psy__op_result_dtype(psy__op_info(PSY_OP_LE), PSY_F64), PSY_BOOL);
    cr_assert_eq(psy__op_result_dtype(psy__op_info(PSY_OP_CHOOSE), PSY_F64), PSY_F64);
    cr_assert_eq(psy__op_operand_dtype(psy__op_info(PSY_OP_CHOOSE), PSY_F64, 0), PSY_BOOL);
    cr_assert_eq(psy__op_operand_dtype(psy__op_info(PSY_OP_CHOOSE), PSY_F64, 2), PSY_F64);
    cr_assert_eq(psy__op_operand_dtype(psy__op_info(PSY_OP_CAST), PSY_F64, 0), 0);
    cr_assert_eq(psy__op_register_count(psy__op_info(PSY_OP_FMA)), 3);
    cr_assert_eq(psy__op_register_count(psy__op_info(PSY_OP_CONCAT)), 0);
    cr_assert(psy__op_reads_register(psy__op_info(PSY_OP_CONCAT), 200) &&
              !psy__op_reads_register(psy__op_info(PSY_OP_CONCAT), 0));
    cr_assert(psy__op_reads_register(psy__op_info(PSY_OP_STORE), 2) && !psy__op_reads_register(psy__op_info(PSY_OP_STORE), 1));
    cr_assert_not(psy__op_reads_register(psy__op_info(PSY_OP_REGION), 5));
}

Test(op, takes)
{
    cr_assert(psy__op_takes(psy__op_info(PSY_OP_ADD), PSY_U32));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_ADD), PSY_U8));
    cr_assert(psy__op_takes(psy__op_info(PSY_OP_NEG), PSY_I64));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_NEG), PSY_U64));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_SQRT), PSY_I32));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_SQRT), PSY_F16));
    cr_assert(psy__op_takes(psy__op_info(PSY_OP_LOAD), PSY_BOOL));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_LOAD), 14));
    cr_assert(psy__op_takes(psy__op_info(PSY_OP_REGION), 0));
    cr_assert_not(psy__op_takes(psy__op_info(PSY_OP_REGION), PSY_F32));
}
