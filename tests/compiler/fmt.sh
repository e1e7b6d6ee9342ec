#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psynec fmt: every schema and program of the tree is laid out; laid out twice it is the same, and what is compiled of it is, too.
# Files with syntax errors are left alone. The examples are laid out as they lie.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"

# The words of a text: what is left when blanks are taken away.
words() { tr -d ' \t\r\n\f' <"$1"; }
# What is compiled of a file, without the map to the source; nothing where it has errors.
compiled() { # file, where it came from, folder for it
    "$psynec" "$1" -I "$source/tests/golden/imports" -I "$source/examples/language" -I "${2%/*}" --no-source-map --no-kernels -o "$3" >/dev/null 2>&1
}

# All files of a list at once, each in a folder of its own: given and laid out.
every_file() { # list; counts: laid out, left alone
    local file number=0 name bad=0 left=0
    rm -rf given after && mkdir given after
    while IFS= read -r file; do
        number=$((number + 1))
        mkdir "given/$number" "after/$number" && cp "$file" "given/$number/" && cp "$file" "after/$number/"
    done <"$1"
    for file in after/*/*; do "$psynec" fmt "$file"; done >said 2>&1 # one by one: only so many errors are shown
    grep -F E0900 said >>err && bad=1
    "$psynec" fmt --check after/*/* >again 2>/dev/null
    [ ! -s again ] || { echo "not the same when laid out again: $(cat again)" >>err && bad=1; }
    number=0
    while IFS= read -r file; do
        number=$((number + 1)) name=$number/${file##*/}
        if grep -q "^after/$name:.*error" said; then
            left=$((left + 1))
            cmp "given/$name" "after/$name" >>err 2>&1 || bad=1
            continue
        fi
        [ "$(words "given/$name")" = "$(words "after/$name")" ] || { echo "$file has other words" >>err && bad=1; }
        cmp -s "given/$name" "after/$name" && continue
        compiled "given/$name" "$file" "given/$number/out" || continue
        compiled "after/$name" "$file" "after/$number/out"
        diff -r "given/$number/out" "after/$number/out" >>err 2>&1 || { echo "$file gives something else" >>err && bad=1; }
    done <"$1"
    counts="$((number - left)) $left"
    return $bad
}
find "$source/examples" "$source/schemas" "$source/tests" \( -name '*.psy' -o -name '*.hrm' \) ! -path '*/gen/*' | sort >list
ok 'every schema and program of the tree' every_file list
ok 'many were laid out' test "${counts% *}" -gt 100
ok 'and some have errors and were left alone' test "${counts#* }" -gt 10

# The blocks of the pages.
for page in language messages getting-started; do
    awk -v to="$work/$page" '/^```(hrm|psy)?$/ && !code { code = 1; ++n; kind = substr($0, 4); next } /^```/ { code = 0; next }
        code && kind != "" { print > (to "-" n "." kind) }' "$source/doc/$page.md"
done
ls "$work"/*-*.hrm "$work"/*-*.psy >pages 2>/dev/null
ok 'the pages have blocks' test -s pages
ok 'every block of the pages' every_file pages

run fmt --check "$source"/examples/*/*.psy "$source"/examples/*/*.hrm && ok 'the examples are laid out' both is "$status" 0 is "$(cat out)" ''

# ---- the command ----
printf 'message A{x:u8;}\n' >a.psy && cp a.psy b.psy && chmod 640 a.psy
run fmt --check a.psy && ok '--check names the file' both is "$status" 1 is "$(cat out)" a.psy
ok 'and leaves it' same a.psy b.psy
run fmt a.psy && ok 'fmt writes it' both is "$status" 0 is "$(cat a.psy)" 'message A {
    x: u8;
}'
ok 'and keeps its permissions' is "$(stat -c %a a.psy)" 640
printf 'message A{x:u8;}\n' >b.psy && ln -s b.psy link.psy && run fmt link.psy && ok 'a link stays one' test -L link.psy
ok 'and its file is written' same a.psy b.psy
printf 'message A{x:u8;}\n' >b.psy && printf 'message {' >c.psy && run fmt c.psy b.psy && ok 'an error in one file' both is "$status" 1 says 'c.psy:1:9'
ok 'does not keep others from it' same a.psy b.psy
run fmt c.psy c.psy && ok 'a file with errors is left alone' is "$(cat c.psy)" 'message {'
run fmt && ok 'no files is wrong use' both is "$status" 2 says 'no files'
run fmt --chekc a.psy && ok 'an unknown option' both is "$status" 2 says 'did you mean `--check`?'
run fmt none.psy && ok 'a file that is not there' both is "$status" 1 says 'there is no such file'
run fmt notes.txt && ok 'a file of another kind' both is "$status" 1 says 'names end in .psy or .hrm'
run fmt --help && ok 'help' both is "$status" 0 prints 'usage: psynec fmt'
: >empty.psy && run fmt empty.psy && ok 'an empty file' both is "$status" 0 is "$(cat empty.psy)" ''
printf '// only this' >only.hrm && run fmt only.hrm && ok 'a file of a comment' is "$(cat only.hrm)" '// only this'
printf 'message A {\r\n    x: u8; // y \r\n}\r\n' >crlf.psy && run fmt crlf.psy && ok 'line ends of other systems' is "$(cat crlf.psy)" 'message A {
    x: u8;    // y
}'
# Deep and long texts, quickly.
{ printf 'const A = ' && printf '(%.0s' {1..150} && printf 1 && printf ')%.0s' {1..150} && printf ';\n'; } >deep.psy
run fmt deep.psy && ok 'brackets in brackets' is "$status" 0
{ echo 'import "a.psy"' && printf 'const C%d = 1 // c\n' {1..20000}; } >long.hrm
ok 'twenty thousand lines' timeout 20 "$psynec" fmt long.hrm
{ echo 'message A {' && printf 'f%d:u8;\n' {1..75000} && echo '}'; } >large.psy && cp large.psy kept.psy
run fmt large.psy && ok 'what would be too large when it is laid out' both is "$status" 1 says 'laid out, this file is larger than'
ok 'is left as it is' same large.psy kept.psy
finish
