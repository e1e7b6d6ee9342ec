/* SPDX-License-Identifier: Apache-2.0 */
/* Element types: what messages, data and modules are made of. Codes are ABI. */
#ifndef PSYNE_DTYPE_H
#define PSYNE_DTYPE_H

#ifdef __cplusplus
extern "C" {
#endif

/* PSY_BOOL, PSY_I8 ... PSY_F64; 0 is none of them. */
typedef enum psy_dtype {
#define DTYPE(NAME, code, text, bytes, ctype, class, compute) PSY_##NAME = code,
#include <psyne/dtypes.def>
#undef DTYPE
} psy_dtype;

/* Bytes of an element; 0: there is no such type. */
static inline unsigned psy_dtype_bytes(unsigned dtype)
{
    switch (dtype) {
#define DTYPE(NAME, code, text, bytes, ctype, class, compute)                                                                  \
    case code:                                                                                                                 \
        return bytes;
#include <psyne/dtypes.def>
#undef DTYPE
    default: return 0;
    }
}

#ifdef __cplusplus
}
#endif
#endif
