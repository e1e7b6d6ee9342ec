#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program of doc/variants.md does what it seems to, and every function that the page names is there.
. "$(dirname "$0")/../compiler/shell.sh"
page=$source/doc/variants.md
flags="-Wall -Wextra -Wpedantic -Wconversion -Werror -I$source/runtime/include -Igen"
quietly() { "$@" >err 2>&1; }
block() { awk -v fence='```'"$1" '$0 == fence { on = 1; next } $0 == "```" { on = 0 } on' "$page"; }

block psy >gallery.psy
block c >gallery.c
run gallery.psy -o gen
ok 'the schema' is "$status" 0
# shellcheck disable=SC2086
ok 'the program' quietly $PSYNE_CC -std=c11 $flags gallery.c -o gallery $library
ok 'what it says' is "$(./gallery)" '3 3 3 of 3'

# psy_variant_slice`, `_row`: the second is short for psy_variant_row.
grep -oE '`(psy_[a-z0-9]+_[a-z0-9_]+|_[a-z0-9]+)[`(]' "$page" | tr -d '`(' | awk '
    /^psy_/ { print; stem = $0; sub(/_[a-z0-9]+$/, "", stem); next } { print stem $0 }' | sort -u >named
printf '#include <psyne/dlpack.h>\n' >names.c
# shellcheck disable=SC2086
$PSYNE_CC -std=c11 -I"$source/runtime/include" -E -P names.c 2>err | grep -oE '\bpsy_[a-z0-9_]+' | sort -u >there
cat "$source"/runtime/include/psyne/channel.h | grep -oE '\bpsy_[a-z0-9_]+' | sort -u >>there
while read -r name; do
    grep -qxF -- "$name" there || echo "there is no $name"
done <named >err
ok 'functions that the page names' test "$(wc -l <named)" -gt 25 -a ! -s err
finish
