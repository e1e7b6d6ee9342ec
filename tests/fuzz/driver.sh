#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The fuzz driver takes files and stdin, of all three kinds (the first byte says which).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PSYNE_IMPORTS=$PSYNE_SOURCE/tests/golden/imports
driver=$PSYNE_BUILD/tests/fuzz/fuzz_compiler
{ printf '\0' && cat "$PSYNE_SOURCE/examples/nearest/nearest.psy"; } >"$work/schema"
{ printf '\1' && cat "$PSYNE_SOURCE/tests/golden/lower/nearest.hrm"; } >"$work/program"
{ printf '\2' && cat "$PSYNE_SOURCE/tests/isa/nearest.hra"; } >"$work/assembly"
printf '\1pipeline' >"$work/wrong"
: >"$work/empty"
"$driver" "$work"/*
"$driver" <"$work/program"
if "$driver" "$work/nothing"; then
    echo 'a file that is not there was no error'
    exit 1
fi
