#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psynec --compat: how it is used, and that every change of its table has a golden file (tests/golden/compat).
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
golden=$source/tests/golden/compat
quietly() { "$@" >err 2>&1; }

for name in $(sed -n 's/^CHANGE([A-Z_]*, "\([a-z-]*\)".*/\1/p' "$source/compiler/compat.def"); do
    ok "$name has a golden file" grep -rqF "change[$name]" "$golden"
    ok "$name is in the page" grep -qF "| \`$name\` |" "$source/doc/psynec.md"
done

echo 'namespace shop; message Item { id: u64; price: f32; }' >old.psy
echo 'namespace shop; message Item { id: u64; price: f32; sold: bool @since(2); }' >new.psy
echo 'namespace shop; message Item { id: u64; price: f64; }' >other.psy
echo 'namespace shop; message Item { id: u64' >broken.psy
run --compat old.psy new.psy && ok 'everybody survives: exit status 0' both is "$status" 0 prints 'old and new readers survive'
ok 'nothing is written' is "$(names .)" 'broken.psy err new.psy old.psy other.psy out'
run --compat=old.psy other.psy && ok 'somebody does not: exit status 1' both is "$status" 1 prints 'neither old nor new readers survive'
run --compat old.psy old.psy && ok 'nothing changed' both is "$status" 0 prints 'nothing changed'
run --diagnostics=json --compat old.psy new.psy && ok 'JSON' both is "$status" 0 prints '"severity":"verdict","type":null,"old_readers":true'
run --compat old.psy && ok 'one file is wrong use' both is "$status" 2 says '--compat compares two schemas'
run --compat old.psy new.psy other.psy && ok 'three files are wrong use' both is "$status" 2 says '--compat compares two schemas'
run --compat && ok 'no file is wrong use' both is "$status" 2 says 'needs a value'
run --compat old.hrm new.psy && ok 'a program is refused' both is "$status" 1 says 'is no schema'
run --compat missing.psy new.psy && ok 'a file that is missing is refused' both is "$status" 1 says 'missing.psy'
run --compat old.psy broken.psy && ok 'a schema with errors is refused' both is "$status" 1 says 'error[E0101]'

# ---- old and new programs give each other messages ----

# A program of each side, of all pairs, made of the headers that users have.
mkdir exchange old.d new.d
pairs=$(ls "$golden")
for pair in $pairs; do
    cp "$golden/$pair/old.psy" "old.d/$pair.psy" && cp "$golden/$pair/new.psy" "new.d/$pair.psy"
done
for side in old new; do
    ok "headers of all $side schemas" quietly "$psynec" $side.d/*.psy -o $side.h
    # shellcheck disable=SC2086
    ok "the $side program is written" eval '"$build/tests/schema/write_exchange" $side "$golden" $pairs >$side.c 2>err'
    # shellcheck disable=SC2086
    ok "the $side program compiles" quietly $PSYNE_CC -std=gnu11 -O0 -Wall -Wextra -Werror ${PSYNE_SANITIZE_CFLAGS-} -Wno-unused-function \
        -Wno-deprecated-declarations -I"$source/runtime/include" -I"$source/tests/schema" -I$side.h $side.c -o $side \
        "$build/runtime/.libs/libpsyne-core.a" -lpthread -lm
done
ok 'it writes messages' quietly ./old write exchange
ok 'so does the new one' quietly ./new write exchange
ok 'the old one reads those of the new one' quietly ./old read exchange
ok 'the new one reads those of the old one' quietly ./new read exchange

# What came of them, against what psynec says: a line "PAIR.TYPE old yes" of each. A reader survives a message where it is taken,
# and each line is the writer's, or its own default where the writer has no such line. A number goes without its name where one
# side has none for it; of a union's members that it does not know it sees none, where it is given them.
awk '
function load(file, lines,   line, at) {
    delete lines
    while ((getline line <file) > 0) { at = index(line, "="); lines[substr(line, 1, at - 1)] = substr(line, at) }
    close(file)
}
function same(value, wanted,   a, b, n, i) {
    if (value == wanted) return 1
    n = split(value, a, " ")
    if (n != split(wanted, b, " ") || value wanted !~ /#/) return 0
    for (i = 1; i <= n; i++) {
        sub(/^=/, "", a[i]); sub(/^=/, "", b[i])
        if (a[i] ~ /#$/ || b[i] ~ /#$/ || a[i] !~ /#/ || b[i] !~ /#/) { sub(/#.*/, "", a[i]); sub(/#.*/, "", b[i]) }
        if (a[i] != b[i]) return 0
    }
    return 1
}
FNR == 1 {
    base = FILENAME
    match(base, /\.[0-9]*\.(old|new)-(read|seen)$/)
    type = substr(base, 1, RSTART - 1)
    split(substr(base, RSTART + 1), parts, /[.-]/)
    side = parts[2]
    other = side == "old" ? "new" : "old"
    load(type "." parts[1] "." other "-written", written)
    load(type "." side "-default", start)
    sub(/^exchange\//, "", type)
    if (!((type, side) in fate)) fate[type, side] = "yes"
}
{
    at = index($0, "=")
    key = substr($0, 1, at - 1)
    value = substr($0, at)
    any = key
    gsub(/\.[0-9]+\./, ".*.", any)
    wanted = key == "status" ? "=0" : key in written ? written[key] : start[any]
    unknown = (key ".members") in start && index(start[key ".members"], " " substr(wanted, 2) " ") == 0
    if (!same(value, wanted) && !(value == "=none" && unknown)) {
        fate[type, side] = "no"
        print FILENAME ": " key value ", not " wanted >"why"
    }
}
END { for (both in fate) { split(both, one, SUBSEP); print one[1], one[2], fate[both] } }
' exchange/*-read exchange/*-seen | sort >exchanged

# The verdicts in the same form; a renamed type is called what its doc comment says.
for pair in $pairs; do
    "$psynec" --diagnostics=json --compat "$golden/$pair/old.psy" "$golden/$pair/new.psy" 2>>said |
        sed -n 's/.*"severity":"verdict","type":"\([^"]*\)","old_readers":\([a-z]*\),"new_readers":\([a-z]*\).*/\1 \2 \3/p' |
        while read -r type old new; do
            name=${type##*.}
            was=$(awk -v word="$name" '$1 == "///" && NF == 2 { doc = $2; next } $2 == word { print doc } { doc = "" }' "$golden/$pair/new.psy")
            echo "$pair.${was:-$name} old $old"
            echo "$pair.${was:-$name} new $new"
        done
done | sed 's/true$/yes/; s/false$/no/' | sort >verdicts
while read -r type side fate; do
    # A retired field that is used again is refused for the sake of readers that neither side has.
    case $type in retired-*) continue ;; esac
    grep -q "^$type $side " exchanged || continue
    ok "$side readers of $type: $fate" grep -qxF "$type $side $fate" exchanged
done <verdicts
ok 'enough was exchanged' test "$(wc -l <exchanged)" -ge 190
finish
