#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every code of the table of diagnostics, and every message that the compiler has, is said in some test: in a golden file, or in a
# script or program of tests/ where no input of a file's size provokes it.
. "$(dirname "$0")/shell.sh"
golden=$source/tests/golden
explains() { run --explain="$1" && is "$status" 0 && prints "$1"; }

# E0900 says that the compiler is wrong: no input may provoke it.
for code in $(sed -n 's/^DIAGNOSTIC([A-Z_]*, "\([A-Z0-9]*\)".*/\1/p' "$source/compiler/diagnostics.def"); do
    [ "$code" = E0900 ] || ok "$code has a golden file" grep -rqF "[$code]" "$golden"
    [ "$code" = E0900 ] && ok 'E0900 has none' eval "! grep -rqF '[E0900]' '$golden'"
    ok "$code is explained" explains "$code"
done

if command -v python3 >/dev/null; then
    ok 'every message is said in a test' python3 "$source/tests/compiler/messages.py" "$source" 2>err
else
    skip 'every message is said in a test' 'python3 is not installed'
fi
finish
