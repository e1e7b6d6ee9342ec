/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of operations and dtypes, for lookup. */
#include <string.h>

#include "isa/module.h"

static const psy_op_info rows[] = {
#define OP(NAME, code, text, class, signature, takes, cf, ci, sf, ss, su, tolerance, doc)                                      \
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
#define OP(NAME, code, ...)                                                                                                    \
    case code:                                                                                                                 \
        return &rows[ROW_##NAME];
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
#define DTYPE(NAME, code, text, bytes, ctype, class, compute) [code] = {#text, bytes, PSY_DCLASS_##class, compute},
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
    bool computes = d && d->computes, is_float = computes && d->class_ == PSY_DCLASS_FLOAT;
    switch (info->dtypes) {
    case PSY_TAKES_NONE: return dtype == 0;
    case PSY_TAKES_ANY: return d != NULL;
    case PSY_TAKES_NUM: return computes;
    case PSY_TAKES_SIG: return computes && d->class_ != PSY_DCLASS_UINT;
    case PSY_TAKES_FLT: return is_float;
    case PSY_TAKES_INT: return computes && !is_float;
    case PSY_TAKES_BIT: return (computes && !is_float) || dtype == PSY_BOOL;
    case PSY_TAKES_TRU: return computes || dtype == PSY_BOOL;
    case PSY_TAKES_BOOL: return dtype == PSY_BOOL;
    case PSY_TAKES_WORD: return dtype == PSY_U32;
    case PSY_TAKES_BYTE: return dtype == PSY_U8 || dtype == PSY_U32;
    }
    return false;
}

bool psy__class_is_map(psy_op_class class_)
{
    return class_ == PSY_CLASS_MAP1 || class_ == PSY_CLASS_MAP2 || class_ == PSY_CLASS_MAP3 || class_ == PSY_CLASS_COMPARE ||
           class_ == PSY_CLASS_CHOOSE || class_ == PSY_CLASS_CAST;
}

bool psy__class_is_reduction(psy_op_class class_) { return class_ == PSY_CLASS_REDUCE1 || class_ == PSY_CLASS_REDUCE2; }

bool psy__op_reads_message(unsigned op)
{
    return op == PSY_OP_LOAD || op == PSY_OP_COUNT || op == PSY_OP_LENGTHS || op == PSY_OP_PARTIAL || op == PSY_OP_LOOKUP;
}

unsigned psy__op_register_count(const psy_op_info *info)
{
    unsigned n = 0;
    for (const char *kind = strchr(info->signature, ':') + 1; *kind; kind++) {
        n += *kind == 'r' || *kind == 'o';
    }
    return n;
}

bool psy__op_reads_register(const psy_op_info *info, unsigned i)
{
    const char *kinds = strchr(info->signature, ':') + 1;
    size_t fixed = strcspn(kinds, "*+");
    char kind = i < fixed ? kinds[i] : kinds[fixed];
    return kind == 'r' || kind == 'o' || kind == '+';
}

unsigned psy__op_result_dtype(const psy_op_info *info, unsigned dtype)
{
    return info->class_ == PSY_CLASS_COMPARE ? PSY_BOOL : dtype;
}

unsigned psy__op_operand_dtype(const psy_op_info *info, unsigned dtype, unsigned i)
{
    return info->class_ == PSY_CLASS_CAST ? 0 : info->class_ == PSY_CLASS_CHOOSE && i == 0 ? PSY_BOOL : dtype;
}

const char *psy__prefer_word(unsigned engine)
{
    return engine == PSY_PREFER_CPU ? "cpu" : engine == PSY_PREFER_VULKAN ? "vulkan" : NULL;
}

const char *psy__symbol_word(uint32_t kind)
{
    static const char *const words[PSY_SYMBOL_KIND_END] = {
        [PSY_SYMBOL_ADD] = "add", [PSY_SYMBOL_SUBTRACT] = "sub", [PSY_SYMBOL_MULTIPLY] = "mul", [PSY_SYMBOL_DIVIDE] = "div"};
    return kind < PSY_SYMBOL_KIND_END ? words[kind] : NULL;
}
