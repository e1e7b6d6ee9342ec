/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of operations and dtypes, for lookup. */
#include <string.h>

#include "isa/module.h"

static const psy_op_info rows[] = {
#define OP(NAME, code, text, class, signature, takes, cf, ci, sf, ss, su, tolerance, doc) \
    {PSY_OP_##NAME, text, PSY_CLASS_##class, signature, PSY_TAKES_##takes, tolerance, doc},
#include "isa/ops.def"
#undef OP
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* Row numbers by name, so that a code leads to its row without a search. */
enum {
#define OP(NAME, ...) ROW_##NAME,
#include "isa/ops.def"
#undef OP
};

const psy_op_info *psy__op_info(unsigned op)
{
    switch (op) {
#define OP(NAME, code, ...) case code: return &rows[ROW_##NAME];
#include "isa/ops.def"
#undef OP
    default: return NULL;
    }
}

const psy_op_info *psy__op_named(const char *name)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

unsigned psy__op_count(void) { return ROWS; }

const psy_op_info *psy__op_row(unsigned row) { return row < ROWS ? &rows[row] : NULL; }

typedef struct dtype_row {
    const char *name;
    unsigned bytes;
    psy_dtype_class class_;
    bool computes;
} dtype_row;

static const dtype_row dtypes[] = {
#define DTYPE(NAME, code, text, bytes, ctype, class, compute) [code] = {text, bytes, PSY_DCLASS_##class, compute},
#include "isa/dtypes.def"
#undef DTYPE
};

static const dtype_row *dtype_at(unsigned dtype)
{
    return dtype < sizeof dtypes / sizeof dtypes[0] && dtypes[dtype].name ? &dtypes[dtype] : NULL;
}

const char *psy__dtype_name(unsigned dtype) { return dtype_at(dtype) ? dtype_at(dtype)->name : NULL; }

unsigned psy__dtype_named(const char *name, size_t n)
{
    for (unsigned i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (dtypes[i].name && strlen(dtypes[i].name) == n && memcmp(dtypes[i].name, name, n) == 0) {
            return i;
        }
    }
    return 0;
}

unsigned psy__dtype_bytes(unsigned dtype) { return dtype_at(dtype) ? dtype_at(dtype)->bytes : 0; }

psy_dtype_class psy__dtype_class(unsigned dtype) { return dtype_at(dtype) ? dtype_at(dtype)->class_ : PSY_DCLASS_BOOL; }

bool psy__dtype_computes(unsigned dtype) { return dtype_at(dtype) && dtype_at(dtype)->computes; }

bool psy__op_takes(const psy_op_info *info, unsigned dtype)
{
    const dtype_row *d = dtype_at(dtype);
    switch (info->dtypes) {
    case PSY_TAKES_NONE: return dtype == 0;
    case PSY_TAKES_ANY: return d != NULL;
    case PSY_TAKES_NUM: return d && d->computes;
    case PSY_TAKES_SIG: return d && d->computes && d->class_ != PSY_DCLASS_UINT;
    case PSY_TAKES_FLT: return d && d->computes && d->class_ == PSY_DCLASS_FLOAT;
    }
    return false;
}
