#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every code has a text; its wrong example gets that code and no other, its right one compiles without a word.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
cp "$source"/examples/language/*.{psy,npy,safetensors} .
texts=$source/compiler/templates/explain.in

# Blocks become CODE-wrong.hrm, CODE-right.psy ...
awk '/^@@ / { code = $2 } /^```/ && open { open = 0; next } /^```/ { open = 1; file = code "-" $2 "." substr($1, 4); next }
    open { print > file }' "$texts"

example() { # code, wrong or right
    local file=$1-$2 found
    if [ -e "$file.sh" ]; then
        sed "s|^psynec |\"$psynec\" |" "$file.sh" >typed
        sh typed >err 2>&1
    else
        file=$(ls "$file".hrm "$file".psy 2>/dev/null | head -n 1)
        [ -n "$file" ] || { echo "$1 has no $2 example" >err && return 1; }
        "$psynec" --check "$file" >err 2>&1
    fi
    found=$(grep -o '\[[EW][0-9]*\]' err | sort -u | tr -d '\n')
    [ "$found" = "$3" ] || { echo "it gets \"$found\"" >>err && return 1; }
}
for code in $(sed -n 's/^DIAGNOSTIC([A-Z_]*, "\([EW][0-9]*\)".*/\1/p' "$source/compiler/diagnostics.def"); do
    run --explain "$code" && ok "$code is explained" test "$(wc -l <out)" -gt 2
    # The one that says that psynec is wrong has no example.
    [ "$code" = E0900 ] && continue
    ok "$code: the wrong example gets it" example "$code" wrong "[$code]"
    ok "$code: the right example" example "$code" right ''
    for file in "$code"-*.hrm "$code"-*.psy; do
        # Those with syntax errors have no layout.
        [ ! -e "$file" ] || { run fmt --check "$file" && ok "$file is laid out" is "$(cat out)" ''; }
    done
done
for code in $(sed -n 's/^@@ //p' "$texts"); do
    grep -q "\"$code\"" "$source/compiler/diagnostics.def" || ok "$code exists" false
done
finish
