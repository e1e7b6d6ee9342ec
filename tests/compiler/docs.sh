#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is made of the tables of options and diagnostics is what they say now, and no option is missing anywhere.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"

fresh() { # what, file
    "$build/compiler/psynecdoc" "$1" "$source/compiler/templates/docs.in" | diff -u "$source/$2" - >err || { echo "$2 is out of date: make update-docs" >>err && false; }
}
fresh_files="manual:doc/man/psynec.1 completion:compiler/completion/psynec diagnostics:doc/diagnostics.md page:doc/psynec.md"
for row in $fresh_files; do
    ok "${row#*:} is up to date" fresh "${row%%:*}" "${row#*:}"
done

# Spellings of the table, by command.
sed -n 's/^OPTION(\([A-Z]*\), [A-Z_]*, "\([^"]*\)", \(NULL\|"[^"]*"\), .*/\1 \2 \3/p' "$source/compiler/options.def" | tr -d '"' | sed 's/ NULL$//' >options
ok 'the table has options' test "$(wc -l <options)" -gt 15
. "$source/compiler/completion/psynec"
completes() { # words, the last one is completed: COMPREPLY
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _psynec 2>/dev/null
}
offers() { [[ " ${COMPREPLY[*]} " == *" $1 "* ]] || { echo "not offered: $1, but ${COMPREPLY[*]}" >>err && false; }; }
while read -r command spellings; do
    word=$(sed -n "s/^COMMAND($command, \"\([a-z]*\)\".*/\1/p" "$source/compiler/options.def")
    for spelling in $spellings; do
        : >err
        run $word --help
        ok "$word $spelling is in the help" prints "\\(^\\|[ ,]\\)$spelling"
        ok "$word $spelling is in the manual page" grep -q "^\\.B .*$(sed 's/-/\\\\-/g' <<<"$spelling")" "$source/doc/man/psynec.1"
        ok "$word $spelling is on the page" grep -q "^| \`.*$spelling" "$source/doc/psynec.md"
        completes psynec $word "${spelling%?}"
        [ "$spelling" != -O ] || completes psynec -O
        [ "$spelling" = -O ] && spelling=-O2
        ok "$word $spelling is completed" offers "$spelling"
    done
done <options
for word in $(sed -n 's/^COMMAND([A-Z]*, "\([a-z]\{1,\}\)".*/\1/p' "$source/compiler/options.def"); do
    completes psynec "${word%?}" && ok "$word is completed" offers "$word"
    run --help && ok "$word is in the help" prints "psynec $word "
    ok "$word is in the manual page" grep -q "^\\.B psynec $word" "$source/doc/man/psynec.1"
done
completes psynec --emit = gr && ok 'a value after = is completed' offers graph
completes psynec --emit bytecode,gr && ok 'the last of a list is completed' offers bytecode,graph
completes psynec --explain E03 && ok 'codes are completed' offers E0302
completes psynec --dump fu && ok 'passes are completed' offers fuse
: >a.psy >b.hrm >c.txt && completes psynec '' && ok 'files are completed' both offers a.psy '' offers b.hrm
ok 'others are not' eval '! offers c.txt 2>/dev/null'
completes psynec fmt '' && ok 'no commands after a command' eval '! offers new 2>/dev/null'

# What the page shows of --explain-fusion is what it says.
cp "$source"/examples/nearest/nearest.* . && run nearest.hrm --check --explain-fusion
awk '/--explain-fusion$/ && /^\$/ { inside = 1; next } /^```/ { inside = 0 } inside && $0 != "..."' "$source/doc/psynec.md" >shown
ok 'the page shows something' test -s shown
ok 'that psynec says' is "$(grep -vxFf out shown)" ''

if type -P mandoc >/dev/null; then
    ok 'mandoc has no complaint' is "$(mandoc -Tlint -W warning "$source/doc/man/psynec.1" 2>&1)" ''
else
    skip 'mandoc has no complaint' 'mandoc was not found'
fi
if type -P man >/dev/null && type -P groff >/dev/null; then
    ok 'man has no complaint' is "$(man --warnings -E UTF-8 -l -Tutf8 -Z "$source/doc/man/psynec.1" 2>&1 >/dev/null)" ''
else
    skip 'man has no complaint' 'man or groff was not found'
fi
if type -P bash >/dev/null; then
    ok 'the completion is bash' bash -n "$source/compiler/completion/psynec"
fi
finish
