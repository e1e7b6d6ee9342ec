#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne inspect: what is stored, sound and malformed, of this and other versions.
. "${PSYNE_SOURCE:?}/tests/command/shell.sh"

cat >whole.json <<'END'
{"id": 18446744073709551615, "score": 0.5, "lang": "de", "rights": ["write"], "at": {"x": 0.1, "y": -1e30}, "note": "", "tags": ["a", "é"], "values": [1, 2.5, "NaN", "-Infinity"], "pages": [{"title": "one", "lines": ["a", "", "c"]}, {"title": "two", "lines": []}], "subtitle": "", "embedding": {"dtype": "i8", "shape": [2, 2], "data": [1, 2, -3, 127]}, "source": {"page": {"title": "", "lines": ["x"]}}, "balance": -0}
{"id": 0, "score": 0.5, "lang": 9, "rights": ["read", "write", 32], "at": {"x": 0, "y": 0}, "tags": [], "values": [], "pages": [], "source": {"n": 7}}
END
"$psynec" encode whole.json -m $module -t store.Document -o whole.bin || exit 1

run inspect whole.bin --indent=0 -m $module -t store.Document && ok 'what was encoded is printed' both is "$status" 0 same out whole.json
run inspect whole.bin -m $module --type=store.Document && cp out pretty.json && ok 'in lines' both is "$status" 0 prints '^  "at": {$'
"$psynec" encode pretty.json -m $module -t store.Document -o again.bin && ok 'which give the same bytes' same whole.bin again.bin
run inspect whole.bin whole.bin --indent=0 --module $module -t store.Document
ok 'two files' is "$(cat out)" "$(cat whole.json whole.json)"
ok 'standard input' is "$("$psynec" inspect -m $module -t store.Document --indent 0 <whole.bin)" "$(cat whole.json)"
ok 'standard input by name' is "$(cat whole.bin | "$psynec" inspect - -m $module -t store.Document --indent 0)" "$(cat whole.json)"
: >empty.bin && run inspect empty.bin -m $module -t store.Document && ok 'an empty file has no messages' both is "$status" 0 is "$(cat out)" ''

# ---- wrong use ----
run inspect whole.bin -m $module -t store.Documend && ok 'a type that there is not' both is "$status" 1 says 'did you mean `store.Document`?'
run inspect whole.bin -m $module -t Page && ok 'a type without its namespace' both is "$status" 1 says 'did you mean `store.Page`?'
run inspect whole.bin -m $module && ok 'no type, of several' both is "$status" 2 says '--type names it: store.Page, store.Document'
run inspect whole.bin -m $module -t store.Point && ok 'a type that is no message' both is "$status" 1 says '`store.Point` is no message'
run inspect whole.bin -t store.Document && ok 'no module' both is "$status" 2 says '--emit=bytecode'
run inspect whole.bin -m none.psm -t store.Document && ok 'a module that there is not' both is "$status" 1 says 'none.psm: '
run inspect whole.bin -m whole.bin -t store.Document && ok 'a file that is no module' both is "$status" 1 says 'whole.bin: '
run inspect none.bin -m $module -t store.Document && ok 'a file that there is not' both is "$status" 1 says 'none.bin: No such file'
run inspect . -m $module -t store.Document && ok 'a folder' both is "$status" 1 says 'Is a directory'
run inspect whole.bin -m $module -t store.Document --indent=x && ok 'an indent that is no number' both is "$status" 2 says 'from 0 to 16'
run inspect --modul=$module && ok 'an option that there is not' both is "$status" 2 says 'did you mean `--module`?'
run inspect --help=x && ok 'a value for none' both is "$status" 2 says 'takes no value'
run inspect -m && ok 'no value' both is "$status" 2 says 'needs a value'
run && ok 'no command' both is "$status" 2 says 'a command was expected'
run inspekt && ok 'a command that there is not' both is "$status" 2 says 'did you mean `inspect`?'
run frobnicate && ok 'one like no other' both is "$status" 2 says 'lists them'
run --version && ok 'the version' both is "$status" 0 prints '^psyne [0-9]'

# ---- malformed ----
put() { printf "$2" | dd of="$3" bs=1 seek="$1" conv=notrunc status=none; } # where, bytes, file
first=$(od -An -tu4 -N4 whole.bin | tr -d ' ')
cp whole.bin bad.bin && put 144 '\005' bad.bin && run inspect bad.bin --indent 0 -m $module -t store.Document
ok 'a count over its bound is said' both is "$status" 1 says 'bad.bin: at byte 0: store.Document.tags: 5 elements, at most 4'
ok 'and the next message printed' is "$(cat out)" "$(sed -n 2p whole.json)"
cp whole.bin bad.bin && put $((first + 144)) '\005' bad.bin && run inspect bad.bin --indent 0 -m $module -t store.Document
ok 'one in the second message' both is "$status" 1 says "at byte $first: store.Document.tags"
cp whole.bin bad.bin && put 168 '\377' bad.bin && run inspect bad.bin -m $module -t store.Document && ok 'no UTF-8' both is "$status" 0 is "$(cat err)" ''
cp whole.bin bad.bin && put 164 '\377' bad.bin && run inspect bad.bin -m $module -t store.Document && ok 'no UTF-8 where it counts' both is "$status" 1 says 'store.Document.tags[0]: 1 byte that is no UTF-8'
cp whole.bin bad.bin && put 220 '\001' bad.bin && run inspect bad.bin -m $module -t store.Document && ok 'an offset that is none' both is "$status" 1 says 'store.Document.pages: it starts at byte'
head -c 100 whole.bin >cut.bin && run inspect cut.bin -m $module -t store.Document && ok 'one that is cut off' both is "$status" 1 says "it has $first bytes, and 100 are there"
head -c 3 whole.bin >cut.bin && run inspect cut.bin -m $module -t store.Document && ok 'in its header' both is "$status" 1 says '3 bytes, and its header has 8'
(cat whole.bin && printf 'x') >tail.bin && run inspect tail.bin -m $module -t store.Document --indent 0 && ok 'something behind the last' both is "$status" 1 says 'at byte 1216: store.Document: 1 byte, and'
ok 'but the others are printed' same out whole.json
printf '\300\377\377\377\002\0\0\0' >huge.bin && run inspect huge.bin -m $module -t store.Document && ok 'a size that nobody has' both is "$status" 1 says 'it has 4294967232 bytes, and 8 are there'
printf '\0\0\0\0\0\0\0\0' >zero.bin && run inspect zero.bin -m $module -t store.Document && ok 'a header of zeros' both is "$status" 1 says 'a header of 0 bytes'
run inspect whole.bin -m $module -t store.Page && ok 'messages of another type' is "$status" 1
if [ -w /dev/full ]; then
    status=0
    "$psynec" inspect whole.bin -m $module -t store.Document >/dev/full 2>err || status=$?
    ok 'nowhere to write' is "$status" 1
fi

# ---- versions ----
sed 's/^    balance:.*//' "$source/tests/command/store.psy" >older.psy
sed '/^    balance:/a\    more: string @since(3);' "$source/tests/command/store.psy" >newer.psy
for version in older newer; do
    "$build/compiler/psynec" $version.psy --emit=bytecode -o . || exit 1
done
echo '{"id": 5, "pages": [{"title": "p"}], "subtitle": "s"}' >old.json
"$psynec" encode old.json -m older.psy.psm -t store.Document -o old.bin
run inspect old.bin -m $module -t store.Document --indent 0 && ok 'an older version' both is "$status" 0 prints '"pages": \[{"title": "p", "lines": \[\]}\], "subtitle": "s"'
echo '{"id": 5, "values": [1], "balance": 2.5, "more": "new"}' >new.json
"$psynec" encode new.json -m newer.psy.psm -t store.Document -o new.bin
run inspect new.bin -m $module -t store.Document --indent 0 && ok 'a newer version' both is "$status" 0 prints '"values": \[1\].*"balance": 2.5}$'
run inspect new.bin -m newer.psy.psm -t store.Document --indent 0 && ok 'as it knows itself' prints '"more": "new"}$'
run inspect new.bin -m newer.psy.psm -t store.Document --indent 0 && cp out lines
run inspect new.bin -m newer.psy.psm -t store.Document --json && ok '--json is an object a line' both is "$status" 0 same out lines
finish
