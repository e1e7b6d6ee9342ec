#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Schemas that import schemas: where they are found, what is one file, limits, rules for make, and what is said once.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
own=$work/own # takes the place of Psyne's own schemas
mkdir -p "$own/psyne" include/psyne sub gen
export PSYNE_SCHEMAS=$own
schema() { # name, what is in it
    printf 'namespace %s;\nmessage %s { x: u8; %s }\n' "$(basename "$1" .psy)" "${2-Thing}" "${3-}" >"$1"
}
defines() { grep -q "#define $2 " "gen/$1.psy.h"; } # file, macro

# ---- places: beside the file, then -I in order, then Psyne's own ----
schema "$own/psyne/found.psy" && printf 'const FROM = 3;\n' >>"$own/psyne/found.psy"
printf 'import "psyne/found.psy";\nnamespace user;\nconst GOT = FROM;\nmessage M { t: Thing; }\n' >user.psy
got() { # arguments, the value of FROM
    run user.psy -o gen "${@:2}" && grep -q "^#define USER_GOT $1\$" gen/user.psy.h
}
ok 'last among those of Psyne' got 3
schema include/psyne/found.psy && printf 'const FROM = 2;\n' >>include/psyne/found.psy
ok 'before that in the folders of -I' got 2 -I nowhere -I include
ok 'which are not looked through without it' got 3
mkdir psyne && schema psyne/found.psy && printf 'const FROM = 1;\n' >>psyne/found.psy
ok 'first beside the file' got 1 -I include
rm -r psyne
cp user.psy sub/user.psy && mkdir sub/psyne && schema sub/psyne/found.psy && printf 'const FROM = 4;\n' >>sub/psyne/found.psy
run sub/user.psy -o gen && ok 'beside the file that imports, not in the current folder' grep -q '^#define USER_GOT 4$' gen/user.psy.h
printf 'import "psyne/found.psy"\npipeline p(q: Thing) -> Thing { Thing { x: FROM } }\n' >p.hrm
run p.hrm -o gen && ok 'programs too' is "$status" 0
PSYNE_SCHEMAS='' && run user.psy && ok 'an empty variable is none' both is "$status" 1 says "among Psyne's own schemas"
PSYNE_SCHEMAS=$work/nowhere && run user.psy && ok 'another folder' both is "$status" 1 says 'psyne/found.psy cannot be read: there is no such file'
PSYNE_SCHEMAS=$own
printf 'param b: f32[8] = "psyne/bias.npy"\n' >weights.hrm && cp "$source/examples/language/bias.npy" "$own/psyne/"
run weights.hrm && ok 'weights are not among them' both is "$status" 1 says 'psyne/bias.npy cannot be read'
mkdir include/folder.psy && printf 'import "folder.psy";\n' >folder.psy
run folder.psy -I include && ok 'a folder with the name of a schema' both is "$status" 1 says 'would import itself'
printf 'import "folder.psy";\n' >into.psy && rm folder.psy
run into.psy -I include && ok 'and of one that is imported' both is "$status" 1 says 'folder.psy cannot be read: a folder, not a file'
head -c 1100000 /dev/zero | tr '\0' ' ' >wide.psy && printf 'import "wide.psy";\n' >into.psy
run into.psy && ok 'one that is too large' both is "$status" 1 says 'wide.psy:1:1: error[E0601]'
ok 'says where it is imported' says 'into.psy:1:8: note: wide.psy is imported here'

# ---- one file is one schema ----
schema base.psy && ln -s . again
printf 'import "base.psy";\nnamespace left;\nmessage L { t: Thing; }\n' >left.psy
printf 'import "again/base.psy";\nnamespace right;\nmessage R { t: Thing; }\n' >right.psy
printf 'import "left.psy";\nimport "sub/../right.psy";\nimport "%s/base.psy";\nnamespace top;\nmessage T { l: L; r: R; t: Thing; }\n' "$work" >top.psy
run top.psy left.psy right.psy base.psy -o gen --deps gen/d && ok 'reached in four ways' is "$status" 0
ok 'a rule for make has the paths that were read' is "$(head -n 1 gen/d)" "gen/top.psy.h gen/left.psy.h gen/right.psy.h gen/base.psy.h: top.psy left.psy right.psy base.psy sub/../right.psy again/base.psy"
run top.psy -o alone --deps gen/d && ok 'a rule names what is imported, however deep' is "$(cat gen/d)" "alone/top.psy.h: top.psy left.psy base.psy sub/../right.psy

left.psy:

base.psy:

sub/../right.psy:"
printf 'import "top.psy"\nimport "base.psy"\npipeline p(q: T) -> Thing { Thing { x: u8(q.l.t.x + q.r.t.x) } }\n' >p.hrm
run p.hrm -o gen --deps gen/d && ok 'of a program too' is "$(head -n 1 gen/d)" 'gen/p.psm: p.hrm top.psy left.psy base.psy sub/../right.psy'
printf 'import "left.psy"\npipeline p(q: Thing) -> Thing { Thing { x: 1 } }\n' >p.hrm
run p.hrm && ok 'a program has the messages of what it imports itself' both is "$status" 1 says 'there is no message `Thing`'
printf 'import "left.psy"\nimport "base.psy"\nimport "again/base.psy"\npipeline p(q: Thing) -> Thing { Thing { x: 1 } }\n' >p.hrm
run p.hrm && ok 'a link to what is imported' both is "$status" 1 says 'again/base.psy is imported already'
printf 'import "left.psy"\nimport "right.psy"\nimport "base.psy"\npipeline both(a: L, b: R) -> Thing { Thing { x: u8(a.t.x + b.t.x) } }\n' >several.hrm
run several.hrm left.psy right.psy base.psy -o gen --emit header && ok 'a program with a header' is "$status" 0
printf '#include "several.hrm.h"\nint main(void) { return 0; }\n' >use.c
ok 'that includes them' ${PSYNE_CC:-cc} -std=c11 -Wall -Werror -I"$source/runtime/include" -Igen use.c -o use

ln -s base.psy link.psy && printf 'import "left.psy";\nimport "link.psy";\n' >linked.psy
run linked.psy && ok 'a link with another name' both is "$status" 1 says 'linked.psy:2:8: error[E0002]: this is base.psy under another name: two headers would have the same types'

# ---- what is said, and once ----
printf 'message Broken { x: f33; y: nothing; }\n' >broken.psy
printf 'import "broken.psy";\nnamespace one;\nmessage A { b: Broken; }\n' >one.psy
printf 'import "one.psy";\nimport "broken.psy";\nnamespace two;\nmessage B { b: Broken; a: A; }\n' >two.psy
printf 'import "two.psy"\nimport "one.psy"\npipeline p(q: B) -> A { A { } }\n' >p.hrm
run two.psy one.psy broken.psy p.hrm -o late
ok 'each mistake once, of all the files that lead to it' both is "$(grep -c 'error\[' err)" 2 is "$(grep -c 'no type `f33`' err)" 1
ok 'and nothing else' both is "$status" 1 is "$(names late)" ''
cp broken.psy mended.psy && printf 'import "mended.psy";\nnamespace three;\n' >three.psy && sed -i 's/ y: nothing;//' mended.psy
run --fix three.psy mended.psy -o gen && ok '--fix mends what is imported' both is "$status" 0 is "$(cat mended.psy)" 'message Broken { x: f32; }'
printf 'import "round.psy"\npipeline p(q: A) -> A { A { } }\n' >p.hrm && printf 'import "round2.psy";\nmessage A { x: u8; }\n' >round.psy
printf 'import "round.psy";\n' >round2.psy
run p.hrm && ok 'a circle that a program reaches' both is "$status" 1 says 'round2.psy:1:8: error[E0002]: round.psy would import itself'
ok 'once' is "$(grep -c 'error\[' err)" 1

# ---- limits ----
chain() { # how many schemas, each importing the next
    local i
    for ((i = 1; i < $1; i++)); do
        printf 'import "c%d.psy";\nnamespace c%d;\nmessage M%d { x: u8; }\n' $((i + 1)) "$i" "$i" >"c$i.psy"
    done
    schema "c$1.psy"
}
chain 64 && run c1.psy -o gen && ok 'sixty-four schemas in a row' is "$status" 0
chain 65 && run c1.psy -o gen && ok 'sixty-five' both is "$status" 1 says 'c64.psy:1:8: error[E0601]: more than 64 schemas import each other'
ok 'said once' is "$(grep -c 'error\[' err)" 1
for ((i = 0; i < 64; i++)); do schema "w$i.psy" "W$i"; done
for ((i = 0; i < 64; i++)); do printf 'import "w%d.psy";\n' "$i"; done >many.psy
run many.psy && ok 'sixty-four side by side, and the file that imports them' both is "$status" 1 says 'more than 64 schemas import each other'
sed -i 1d many.psy && run many.psy -o gen && ok 'sixty-three' is "$status" 0
for ((i = 0; i < 60000; i++)); do echo 'import"x.psy";'; done >flood.psy
run flood.psy && ok 'sixty thousand imports' both is "$status" 1 says 'more than 64 imports in a file'
# Messages in messages through files: as deep as in one file.
schema d0.psy M0
for ((i = 1; i < 10; i++)); do printf 'import "d%d.psy";\nnamespace d%d;\nmessage M%d { m: M%d; }\n' $((i - 1)) "$i" "$i" $((i - 1)) >"d$i.psy"; done
run d8.psy -o gen && ok 'messages inside messages, eight deep' is "$status" 0
run d9.psy && ok 'nine' both is "$status" 1 says 'd9.psy:3:14: error[E0601]: messages inside messages are nested 9 deep'
finish
