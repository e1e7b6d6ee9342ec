#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Headers of random schemas: C11 and C++17 without a warning, and what they verify and read is what the library does by their tables.
# PSYNE_TEST_SEED and PSYNE_TEST_RANDOM say which and how many.
. "$(dirname "$0")/../compiler/shell.sh"
here=$source/tests/schema
quietly() { "$@" >err 2>&1; }
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Werror'
first=${PSYNE_TEST_SEED:-1} count=${PSYNE_TEST_RANDOM:-3}
# shellcheck disable=SC2086
quietly $PSYNE_CC -std=c11 $PSYNE_SANITIZE_CFLAGS "$here/random_schema.c" -o random_schema || { cat err && exit 1; }
for seed in $(seq "$first" $((first + count - 1))); do
    ./random_schema "$seed" >random.psy
    rm -rf gen
    run random.psy -o gen --emit header,fuzz
    ok "schema $seed" is "$status" 0
    printf '#include "random.psy.h"\n' >use.c
    cp use.c use.cc
    # shellcheck disable=SC2086
    ok "schema $seed as C11" quietly $PSYNE_CC -std=c11 $warnings -I"$source/runtime/include" -Igen -c use.c -o use.o
    # shellcheck disable=SC2086
    ok "schema $seed as C++17" quietly $CXX -std=c++17 $warnings -I"$source/runtime/include" -Igen -c use.cc -o use.o
    # shellcheck disable=SC2086
    ok "schema $seed fuzzed" quietly $PSYNE_CC -std=c11 $warnings -I"$source/runtime/include" -Igen -c gen/random.psy.fuzz.c -o use.o
    for message in m0 m1 m2 m3 m4 m5 m6 m7; do
        if grep -q "r_${message}_view_init" gen/random.psy.h; then echo "TAILED($message)"; else echo "M($message)"; fi
    done >gen/rows.h
    # shellcheck disable=SC2086
    ok "schema $seed, its program" quietly $PSYNE_CC -std=gnu11 -O1 -Wno-deprecated-declarations -DPSY_THIN_RUNNER -Igen -I"$source/runtime/include" \
        -I"$source/runtime" -I"$source" -I"$here" "$here/random_header.c" "$source/tests/message/random_types.c" "$source/tests/thin.c" -o random_header $library
    PSYNE_TEST_SEED=$seed ok "schema $seed agrees with its tables" quietly ./random_header
done
finish
