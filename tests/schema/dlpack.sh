#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne/dlpack.h beside the headers of others, in any order, and with NumPy as the other end.
. "$(dirname "$0")/../compiler/shell.sh"
flags="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Werror -I$source/runtime/include"
quietly() { "$@" >err 2>&1; }

# What a newer dlpack.h declares.
mkdir -p newer/dlpack
cat >newer/dlpack/dlpack.h <<'END'
#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_
#define DLPACK_MAJOR_VERSION 1
#define DLPACK_MINOR_VERSION 1
#include <stdint.h>
typedef struct { uint32_t major, minor; } DLPackVersion;
#ifdef __cplusplus
typedef enum : int32_t { kDLCPU = 1, kDLCUDA = 2 } DLDeviceType;
#else
typedef enum { kDLCPU = 1, kDLCUDA = 2 } DLDeviceType;
#endif
typedef struct { DLDeviceType device_type; int32_t device_id; } DLDevice;
typedef struct { uint8_t code, bits; uint16_t lanes; } DLDataType;
typedef struct { void *data; DLDevice device; int32_t ndim; DLDataType dtype; int64_t *shape, *strides; uint64_t byte_offset; } DLTensor;
typedef struct DLManagedTensor { DLTensor dl_tensor; void *manager_ctx; void (*deleter)(struct DLManagedTensor *self); } DLManagedTensor;
typedef struct DLManagedTensorVersioned {
    DLPackVersion version; void *manager_ctx; void (*deleter)(struct DLManagedTensorVersioned *self); uint64_t flags; DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif
END
sed 's/.*DLPACK_M..OR_VERSION.*//; 0,/^#include/s//#define DLPACK_VERSION 40\n&/' newer/dlpack/dlpack.h >old.h

# Uses of everything: what is declared by whom must not matter.
cat >use <<'END'
static void done(void *owner) { ++*(int *)owner; }
int main(void)
{
    static const uint32_t dims[2] = {2, 3};
    static float x[6];
    static psy_dlpack_loan a, b;
    int returned = 0;
    psy_variant_view v, w;
    const char *why = "";
    DLManagedTensor *m;
    DLManagedTensorVersioned *n;
    if (psy_variant_view_init(&v, x, sizeof x, PSY_F32, 2, dims) != PSY_OK) {
        return 1;
    }
    m = psy_dlpack_lend(&a, &v, done, &returned);
    n = psy_dlpack_lend_versioned(&b, &v, true, done, &returned);
    if (psy_dlpack_to_view(&m->dl_tensor, &w, &why) != PSY_OK || psy_dlpack_versioned_to_view(n, &w, &why) != PSY_OK || w.data != x) {
        return 2;
    }
    m->deleter(m);
    n->deleter(n);
    return returned == 2 ? 0 : 3;
}
END
both_languages() { # name, flags
    local name=$1
    shift
    cp use.c use.cc
    # shellcheck disable=SC2086
    ok "$name, in C11" quietly $PSYNE_CC -std=c11 $flags "$@" use.c -o use_c
    ok "$name, in C11: works" quietly ./use_c
    # shellcheck disable=SC2086
    ok "$name, in C++17" quietly $CXX -std=c++17 $flags "$@" use.cc -o use_cc
    ok "$name, in C++17: works" quietly ./use_cc
}
psyne='#include <psyne/dlpack.h>' theirs='#include <dlpack/dlpack.h>'
{ echo "$psyne" && cat use; } >use.c
both_languages 'types of its own' -DPSYNE_DLPACK_TYPES
both_languages 'types of version 1, found' -Inewer
{ printf '%s\n' "$theirs" "$psyne" && cat use; } >use.c
both_languages 'types of version 1, before' -Inewer
{ printf '%s\n' "$psyne" "$theirs" && cat use; } >use.c
both_languages 'types of version 1, after' -Inewer
if printf '%s\n' "$theirs" >there.c && $PSYNE_CC -fsyntax-only there.c 2>/dev/null; then
    both_languages 'types that are installed, after'
    { printf '%s\n' "$theirs" "$psyne" && cat use; } >use.c
    both_languages 'types that are installed, before'
else
    skip 'types that are installed' 'libdlpack-dev is not installed'
fi
printf '#include "old.h"\n%s\n' "$psyne" >use.c
# shellcheck disable=SC2086
ok 'types of before 0.5 are refused' eval '! quietly $PSYNE_CC -std=c11 $flags -c use.c && says "older than 0.5"'

find_numpy
# shellcheck disable=SC2086
if [ -z "$python" ]; then
    skip 'NumPy' 'python3-numpy is not installed'
elif [ -n "$PSYNE_SANITIZE_CFLAGS" ]; then
    skip 'NumPy' 'the interpreter is not sanitized'
elif ok 'a library for NumPy' quietly $PSYNE_CC -std=c11 $flags -shared -fPIC "$source/tests/schema/dlpack_peer.c" -o libpeer.so && [ $failed = 0 ]; then
    "$python" -B "$source/tests/schema/dlpack.py" ./libpeer.so >numpy.out 2>err || failed=$((failed + 1))
    awk -v n=$number '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n) } !/^1\.\./ { print }' numpy.out
    cases=$(grep -cE '^(not )?ok ' numpy.out)
    number=$((number + cases))
    ok 'all of it was run' grep -q "^1\.\.$cases\$" numpy.out
fi
finish
