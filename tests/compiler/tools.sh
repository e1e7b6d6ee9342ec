#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What psynec writes and says besides modules and messages: graph, json and ir, rules for make, warnings by name, --fix, completion.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
cp "$source"/examples/nearest/nearest.* .

# ---- --emit ----
run nearest.psy nearest.hrm --emit header,bytecode,asm,spirv,graph,json,ir -o all && ok 'everything at once' is "$status" 0
ok 'a file each' is "$(names all | sed 's/nearest\.[a-z_0-9]*\.spv/K/g; s/\(K \)*K/K/')" \
    'nearest.dot nearest.hra nearest.ir nearest.json K nearest.psm nearest.psy.h nearest.psy.hra nearest.psy.json nearest.psy.psm'
"$psynec" nearest.hrm --dump=plan -o none >plan 2>/dev/null
ok 'ir is the dump before bytecode' same plan all/nearest.ir
run nearest.psy --emit graph -o none && ok 'a schema has no graph' both is "$status" 1 says 'a schema gives a header'
run all/nearest.hra --emit json -o again && ok 'json of assembly' is "$status" 0
run nearest.hrm --no-kernels --emit json -o plain && ok 'is that of the program' is "$(diff again/nearest.json plain/nearest.json)" ''
run all/nearest.hra --emit graph -o none && ok 'assembly has no graph' both is "$status" 1 says 'assembly gives bytecode'
if type -P python3 >/dev/null; then
    ok 'json is JSON, and its offsets are those of C' python3 - <<'P'
import json, re
m = json.load(open("all/nearest.json"))
query = next(t for t in m["types"] if t["name"] == "nearest.Query")
header = open("all/nearest.psy.h").read()
assert {f["name"]: f["offset"] for f in query["fields"]} == {"key": 8, "vector": 64, "k": 1088}, query
assert query["bytes"] == 1152 and "0x" + query["layout_hash"] in header.lower().replace("uint64_t", ""), query["layout_hash"]
assert [p["name"] for p in m["pipelines"]] == ["nearest", "stored_vector"]
assert m["pipelines"][0]["route"] == "all" and m["pipelines"][1]["key"] == "key"
assert m["residents"][0] == {"name": "words", "dtype": "f32", "dims": ["N", 256], "placement": "split"}
P
else
    skip 'json is JSON' 'python3 was not found'
fi
if type -P dot >/dev/null; then
    ok 'graphviz reads the graph' dot -Tsvg all/nearest.dot -o nearest.svg
    ok 'every kernel, part and resident is in the picture' eval \
        "grep -q 'one kernel over' nearest.svg && grep -q 'on every shard' nearest.svg && grep -q 'merge' nearest.svg && grep -q 'resident words' nearest.svg"
else
    skip 'graphviz reads the graph' 'dot was not found'
fi
# The words of the committed picture, whatever version of graphviz set it.
texts() { sed -n 's/.*<text[^>]*>\([^<]*\)<.*/\1/p' "$1" | sort; }
labels() { grep -o 'label="[^"]*"' "$1" | sed 's/label="//; s/"$//; s/\\n/\n/g' | sort; }
texts "$source/doc/images/nearest-graph.svg" | sed 's/&#45;/-/g; s/&gt;/>/g' >picture
labels all/nearest.dot | sort >graph
ok 'the picture in the documentation is that of the example (make update-graph)' same picture graph

# ---- --no-source-map ----
{ echo '// one line more' && cat nearest.hrm; } >moved.hrm && mkdir -p m && mv moved.hrm m/nearest.hrm && cp nearest.psy m/
run m/nearest.hrm -o map1 && run nearest.hrm -o map2 && ok 'a line more is another module' is "$(cmp -s map1/nearest.psm map2/nearest.psm; echo $?)" 1
run m/nearest.hrm --no-source-map -o map1 && run nearest.hrm --no-source-map -o map2 && ok 'not without the source map' same map1/nearest.psm map2/nearest.psm

# ---- --deps ----
mkdir -p inc 'with space' && cp nearest.psy 'with space/'
run nearest.hrm -o gen --deps gen/nearest.d && ok '--deps' both is "$status" 0 is "$(cat gen/nearest.d)" 'gen/nearest.psm: nearest.hrm nearest.psy

nearest.psy:'
run nearest.psy nearest.hrm -o . --deps=both.d && ok 'several outputs' is "$(head -n 1 both.d)" 'nearest.psy.h nearest.psm: nearest.psy nearest.hrm'
mkdir -p q && sed 's/"nearest.psy"/"with space\/nearest.psy"/' nearest.hrm >'$a#.hrm' && run '$a#.hrm' -o q --deps odd.d && ok 'signs of make are escaped' is "$(head -n 1 odd.d)" \
    'q/$$a\#.psm: $$a\#.hrm with\ space/nearest.psy'
run nearest.hrm --deps /nowhere/x.d -o late && ok 'a rule that cannot be written' both is "$status" 1 says /nowhere/x.d
ok 'and then no module is' test ! -e late/nearest.psm
printf 'all: gen/nearest.psm\n\ngen/%%.psm: %%.hrm\n\t"%s" $< -o gen --deps gen/$*.d && echo made\n-include gen/nearest.d\n' "$psynec" >makefile
make_says() { env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL "${PSYNE_MAKE:-make}" -s 2>>err; }
find . -exec touch -d '1 hour ago' {} + && : >err
ok 'make finds nothing to do' is "$(make_says)" ''
touch nearest.psy && ok 'a changed import is compiled again' is "$(make_says)" made
ok 'once' is "$(make_says)" ''
mv nearest.psy renamed.psy && sed -i 's/nearest.psy/renamed.psy/' nearest.hrm && ok 'an import that is gone stops nothing' is "$(make_says)" made
cp renamed.psy nearest.psy && sed -i 's/renamed.psy/nearest.psy/' nearest.hrm

# ---- --check, warnings ----
printf 'import "nearest.psy"\nconst UNUSED = 1\npipeline p(w: Word) -> Stored { Stored { vector: 0.0 } }\n' | sed 's/Stored { vector: 0.0 }/Word { key: w.key }/; s/-> Stored/-> Word/' >warns.hrm
run warns.hrm -o w && ok 'a warning' both is "$status" 0 says 'warning[W0001]: constant `UNUSED`'
ok 'stops nothing' test -e w/warns.psm
run warns.hrm --check -o c && ok '--check says it too' both is "$status" 0 says W0001
ok 'and writes nothing' test ! -e c
run warns.hrm -o e -Werror && ok '-Werror' both is "$status" 1 says 'error[W0001]'
ok 'and nothing is written' test ! -e e
run warns.hrm --check --werror && ok '--werror' is "$status" 1
run warns.hrm --check -Werror=unused && ok '-Werror=NAME' is "$status" 1
run warns.hrm --check -W error=unused && ok '-W error=NAME' is "$status" 1
run warns.hrm --check -W no-unused && ok '-W no-NAME' both is "$status" 0 is "$(cat err)" ''
run warns.hrm --check -Wno-unused -Werror && ok 'what is not said is no error' is "$status" 0
run warns.hrm --check -Wno-all -Wunused && ok 'the last one counts' both is "$status" 0 says W0001
run warns.hrm -W no-unussed && ok 'a warning that does not exist' both is "$status" 2 says 'did you mean `no-unused`?'
run warns.hrm --diagnostics=jsn && ok 'a format that does not exist' both is "$status" 2 says 'did you mean `json`?'
if type -P python3 >/dev/null; then
    printf 'import "none.psy"\n"\xff\n' >bytes.hrm && run bytes.hrm nothing.hrm --diagnostics json
    ok 'every line of --diagnostics=json is an object' python3 -c 'import json, sys
for line in open("err", encoding="utf-8"): assert json.loads(line)["severity"] == "error"'
    { echo 'message A {' && for i in $(seq 300); do echo "f$i: x$i;"; done && echo '}'; } >many.psy && run many.psy --diagnostics=json
    ok 'more errors than are listed' both is "$(tail -n 1 err)" '{"severity":"more","count":100}' is "$(wc -l <err)" 201
else
    skip '--diagnostics=json' 'python3 was not found'
fi

# ---- --fix ----
sed 's/q.vector/q.vectr/; s/topk(/tokp(/' nearest.hrm >slips.hrm && chmod 600 slips.hrm && run slips.hrm --fix -o fixed && ok '--fix' both is "$status" 0 says '2 mistakes mended'
ok 'mends the file' same slips.hrm nearest.hrm
ok 'keeps its permissions' is "$(stat -c %a slips.hrm)" 600
ok 'and compiles it' test -e fixed/slips.psm
cp slips.hrm before && run slips.hrm --fix -o fixed && ok 'a file without mistakes' both is "$status" 0 is "$(cat err)" ''
ok 'is left alone' same slips.hrm before
sed 's/Query/Qwery/' nearest.psy >wrong.psy && sed 's/Query/Qwery/; s/f32\[DIM\]/flt[DIM]/' nearest.psy >import.psy
printf 'import "import.psy"\npipeline p(w: Word) -> Word { Word { key: w.key } }\n' >uses.hrm && sed -i 's/flt/float/' import.psy
run uses.hrm --fix -o fixed && ok 'imports are mended too' both is "$status" 0 is "$(grep -c 'float' import.psy)" 0
printf 'import "nearest.psy"\npipeline p(w: Word) -> Word { Word { key: w.key } }\nconst A1 = 1\nconst A2 = A3 + A1\n' >either.hrm && cp either.hrm before
run either.hrm --fix --check && ok 'of two names that are as near, neither is taken' both is "$status" 1 same either.hrm before
if [ "$(id -u)" != 0 ]; then
    mkdir locked && sed 's/q.vector/q.vectr/' nearest.hrm >locked/slips.hrm && cp nearest.psy locked/ && chmod a-w locked
    run locked/slips.hrm --fix --check && ok 'a file that cannot be written' both is "$status" 1 says 'cannot be written'
    chmod u+w locked
else
    skip 'a file that cannot be written' 'the superuser is denied nothing'
fi

# ---- psynec new, without what is installed: tests/install builds and runs it ----
run new my_shop && ok 'new' both is "$status" 0 is "$(names my_shop)" 'Makefile README.md my_shop.c my_shop.hrm my_shop.psy'
run my_shop/my_shop.psy my_shop/my_shop.hrm -o my_shop/gen -Werror && ok 'compiles without a warning' both is "$status" 0 is "$(cat err)" ''
run fmt --check my_shop/my_shop.psy my_shop/my_shop.hrm && ok 'is laid out' is "$status" 0
ok 'has a program' ${PSYNE_CC:-cc} -std=c11 -Wall -Wextra -Werror -fsyntax-only -Imy_shop/gen -I"$source/runtime/include" my_shop/my_shop.c
run new my_shop && ok 'a folder that is there' both is "$status" 1 says 'is there already'
run new deep/down/shop2 && ok 'in another folder' both is "$status" 0 test -e deep/down/shop2/shop2.c
run new Shop && ok 'a name with a capital' both is "$status" 2 says 'small letters'
run new 'a b' && ok 'a name with a blank' is "$status" 2
run new ../.. && ok 'no name' is "$status" 2
run new psy && ok 'a name of Psyne' both is "$status" 1 is "$(names psy)" ''
run new && ok 'without a name' both is "$status" 2 says 'needs a name'
run new one two && ok 'two names' both is "$status" 2 says 'one project at a time'

# ---- --explain ----
run --explain E0302 && ok '--explain' both is "$status" 0 prints '^Wrong:$'
run --explain=W0001 && ok '--explain=CODE' both is "$status" 0 prints 'never used'
run --explain E9999 && ok 'a code that does not exist' both is "$status" 2 says 'there is no diagnostic `E9999`'
finish
