#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is made of the table of commands is what it says now, no option is missing anywhere, and the page shows what happens.
. "${PSYNE_SOURCE:?}/tests/command/shell.sh"
folder=$source/runtime/command

fresh() { # template, file
    "$build/runtime/command/psynedoc" <"$folder/docs/$1.in" | diff -u "$source/$2" - >err || { echo "$2 is out of date: make update-docs" >>err && false; }
}
for row in manual:doc/man/psyne.1 completion:runtime/command/completion/psyne page:doc/psyne.md counters:doc/counters.md telemetry:doc/telemetry.md; do
    ok "${row#*:} is up to date" fresh "${row%%:*}" "${row#*:}"
done

sed -n 's/^OPTION(\([A-Z]*\), [A-Z_]*, "\([^"]*\)", \(NULL\|"[^"]*"\), .*/\1 \2 \3/p' "$folder/commands.def" | tr -d '"' | sed 's/ NULL$//' >options
ok 'the table has options' test "$(wc -l <options)" -gt 10
. "$folder/completion/psyne"
psyne() { "$psynec" "$@"; }
psynec() { "$build/compiler/psynec" "$@"; }
completes() { # words, the last one is completed: COMPREPLY
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _psyne 2>/dev/null
}
offers() { [[ " ${COMPREPLY[*]} " == *" $1 "* ]] || { echo "not offered: $1, but ${COMPREPLY[*]}" >>err && false; }; }
while read -r command spellings; do
    word=$(sed -n "s/^COMMAND($command, \"\([a-z]*\)\".*/\1/p" "$folder/commands.def")
    for spelling in $spellings; do
        : >err
        run $word --help
        ok "$word $spelling is in the help" prints "\\(^\\|[ ,]\\)$spelling"
        ok "$word $spelling is in the manual page" grep -q "^\\.B .*$(sed 's/-/\\\\-/g' <<<"$spelling")" "$source/doc/man/psyne.1"
        completes psyne $word "${spelling%?}"
        ok "$word $spelling is completed" offers "$spelling"
    done
done <options
for word in $(sed -n 's/^COMMAND([A-Z]*, "\([a-z]\{1,\}\)".*/\1/p' "$folder/commands.def"); do
    completes psyne "${word%?}" && ok "$word is completed" offers "$word"
    run --help && ok "$word is in the help" prints "^  $word "
    ok "$word is in the manual page" grep -q "^\\.B psyne $word" "$source/doc/man/psyne.1"
    ok "$word is on the page" grep -q "^\`psyne $word " "$source/doc/psyne.md"
done
: >a.txt && completes psyne inspect -m store && ok 'modules are completed' offers $module
completes psyne inspect -m a && ok 'others are not' eval '! offers a.txt 2>/dev/null'
completes psyne inspect -m $module -t store.D && ok 'types are completed' offers store.Document
completes psyne types --module = $module store.L && ok 'those of a module behind =' offers store.Lang
completes psyne inspect a. && ok 'files are completed' offers a.txt

# The page's schema is that of messages.md; what its session says is what happens.
first() { # kind of block, page
    awk -v kind="^\`\`\`$1\$" '$0 ~ kind && !seen { inside = seen = 1; next } /^```/ { inside = 0 } inside' "$source/doc/$2"
}
first psy messages.md >shop.psy
first psy psyne.md >tea.psy && first hrm psyne.md >tea.hrm && first json psyne.md >wishes.json && first txt psyne.md >names.txt
. "$source/tests/command/npy.sh"
npy tastes.npy '<f4' '(4, 3)' "$(f32 1 4 0 2 2 3 3 1 5 0 1 1)"
"$build/compiler/psynec" shop.psy --emit=bytecode -o . || exit 1
printf '{"tags": ["tea"]}\n{"tags": ["green tea", "black tea, India"]}' >wrong.json
awk '/^```console$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$source/doc/psyne.md" >session
while read -r line; do
    case $line in
    '$ '*) echo "$line" && eval "${line#$ }" 2>&1 ;;
    esac
done <session >said
ok 'the page shows what is said' same said session

if type -P mandoc >/dev/null; then
    ok 'mandoc has no complaint' is "$(mandoc -Tlint -W warning "$source/doc/man/psyne.1" 2>&1)" ''
else
    skip 'mandoc has no complaint' 'mandoc was not found'
fi
if type -P man >/dev/null && type -P groff >/dev/null; then
    ok 'man has no complaint' is "$(man --warnings -E UTF-8 -l -Tutf8 -Z "$source/doc/man/psyne.1" 2>&1 >/dev/null)" ''
else
    skip 'man has no complaint' 'man or groff was not found'
fi
finish
