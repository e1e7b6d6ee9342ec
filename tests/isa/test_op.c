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
        cr_assert_eq(row->signature[strspn(row->signature, "r:oidfnc*")], '\0', "%s", row->name);
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
