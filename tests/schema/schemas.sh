#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The standard schemas, as those use them who import them: laid out in the canonical way, documented, clean in C and C++; and what
# doc/schemas.md says of them is so.
. "$(dirname "$0")/../compiler/shell.sh"
page=$source/doc/schemas.md
psyne=$build/runtime/command/psyne
export PSYNE_SCHEMAS=$source/schemas
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wcast-qual -Werror'
include=$source/runtime/include
quietly() { "$@" >err 2>&1; }
empty() { [ ! -s "$1" ] || { cat "$1" >>err && false; }; }
same_text() { diff "$1" "$2" >err; }

schemas=$(cd "$PSYNE_SCHEMAS/psyne" && echo *.psy)
ok 'there are six' is "$schemas" 'control.psy error.psy hits.psy program.psy telemetry.psy tensor.psy'
run fmt --check "$PSYNE_SCHEMAS"/psyne/*.psy
ok 'they are laid out in the canonical way' both is "$status" 0 empty out
run "$PSYNE_SCHEMAS"/psyne/*.psy -o gen --emit header,fuzz,bytecode
ok 'they compile' both is "$status" 0 empty err
# A comment for people above every type.
awk 'FNR == 1 { before = "" } /^(message|enum|struct|flags) / && before !~ /^\/\/\/ / { print FILENAME ": " $2 } { before = $0 }' \
    "$PSYNE_SCHEMAS"/psyne/*.psy >undocumented
ok 'every type says what it is for' empty undocumented

# shellcheck disable=SC2086
for schema in $schemas; do
    printf '#include "%s.h"\n#include "%s.h"\n' "$schema" "$schema" >use.c
    cp use.c use.cc
    ok "$schema as C11" quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen -c use.c -o use.o
    ok "$schema as C++17" quietly $CXX -std=c++17 $warnings -I"$include" -Igen -c use.cc -o use.o
    ok "$schema fuzzed" quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen -c "gen/$schema.fuzz.c" -o use.o
done
printf '#include "%s.h"\n' $schemas >all.c
cp all.c all.cc
# shellcheck disable=SC2086
{
    ok 'all of them in one C file' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen -c all.c -o all.o
    ok 'all of them in one C++ file' quietly $CXX -std=c++17 $warnings -I"$include" -Igen -c all.cc -o all.o
}

# psyne.Status is the table of statuses, row by row.
sed -n 's/^STATUS(\([A-Z_]*\), \([0-9]*\), .*/\1 = \2/p' "$include/psyne/status.def" | tr A-Z a-z >wanted
sed -n '/^enum Status/,/^}/s/^    \([a-z_]* = [0-9]*\);$/\1/p' "$PSYNE_SCHEMAS/psyne/error.psy" >statuses
ok 'Status has all statuses' test "$(wc -l <wanted)" -gt 15
ok 'and no others' same_text wanted statuses

# ---- doc/schemas.md ----
sed -n 's/^| `psyne\.\([A-Za-z]*\)` | `\([a-z]*\.psy\)` |.*/\2 \1/p' "$page" | sort >named
(cd "$PSYNE_SCHEMAS/psyne" && grep -o '^message [A-Za-z]*' *.psy) | sed 's/:message / /' | sort >there
ok 'the page has every message, and no other' same_text there named

block() { awk -v fence='```'"$1" '$0 == fence { on = 1; next } $0 == "```" { on = 0 } on' "$page"; }
block 'psy library.psy' >library.psy
block c >library.c
block text >wanted
run library.psy -o gen
ok "a schema that imports them" both is "$status" 0 empty err
# shellcheck disable=SC2086
ok 'its program' quietly $PSYNE_CC -std=c11 $warnings -I"$include" -Igen library.c -o library $library
./library >out 2>err
ok 'what it prints' same_text wanted out
printf 'import "psyne/tensor.psy"\npipeline twice(v: Hits) -> Hits { Hits { score: v.score, index: v.index } }\n' >no.hrm
run no.hrm
ok 'a program does not see what it does not import' both is "$status" 1 says 'Hits'
sed 's/tensor/hits/' no.hrm >yes.hrm
run yes.hrm
ok 'a program that imports them' is "$status" 0
PSYNE_SCHEMAS=$work/nowhere run library.psy
ok 'without them' both is "$status" 1 says 'psyne/tensor.psy cannot be read'

# Every example in JSON is printed as it stands there.
types=$(sed -n 's/^```json //p' "$page")
ok 'there are examples' test "$(wc -w <<<"$types")" -ge 5
for type in $types; do
    block "json $type" >example.json
    module=$(awk -v type="${type#psyne.}" '$2 == type { print $1 }' there)
    ok "$type is encoded" quietly "$psyne" encode example.json -m "gen/$module.psm" -t "$type" -o example.bin
    "$psyne" inspect example.bin -m "gen/$module.psm" -t "$type" >out 2>err
    ok "$type is printed as it was" same_text example.json out
    cp example.bin "$type.bin"
done

# What --emit fuzz writes finds a header that takes too much: of a text that is longer than its room.
cat >drive.c <<'END'
#include <stdio.h>
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);
int main(void)
{
    static unsigned char bytes[65536];
    return LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof bytes, stdin));
}
END
printf '{"hop": "broker"}' >span.json
"$psyne" encode span.json -m gen/telemetry.psy.psm -t psyne.Span -o span.bin || exit 1
{ head -c 8 span.bin && tail -c +9 span.bin | tr '\006' '\051'; } >long.bin # 6 bytes become 41
fuzzer() { # name, flags
    # shellcheck disable=SC2086
    quietly $PSYNE_CC -std=c11 -I"$include" "${@:2}" gen/telemetry.psy.fuzz.c drive.c -o "$1" $library
}
ok 'a fuzz target alone' fuzzer right -Igen -DPSY_FUZZ_TYPE=psyne_span
takes() { "./$1" <"$2" 2>err; }
ok 'takes a message' takes right span.bin
ok 'and what is none' takes right long.bin
mkdir loose && cp gen/*.h loose && sed -i 's/length > 40 ||/length > 41 ||/' loose/telemetry.psy.h
ok 'the header is another one' test "$(cmp -s gen/telemetry.psy.h loose/telemetry.psy.h; echo $?)" = 1
cp gen/telemetry.psy.fuzz.c loose
ok 'a target of a header that is wrong' quietly $PSYNE_CC -std=c11 -I"$include" -Iloose -DPSY_FUZZ_TYPE=psyne_span loose/telemetry.psy.fuzz.c drive.c \
    -o wrong $library
refuses() { ! (ulimit -c 0 && ./wrong <"$1") 2>err && says 'psyne.Span: the header and the library do not both take it'; }
ok 'takes a message too' takes wrong span.bin
ok 'and says what is wrong' refuses long.bin
ok 'the first byte chooses' fuzzer chosen -Igen
{ printf '\004' && cat span.bin; } >numbered.bin
ok 'one of them' takes chosen numbered.bin
finish
