#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne types: what a module knows.
. "${PSYNE_SOURCE:?}/tests/command/shell.sh"

run types -m $module && ok 'all types' both is "$status" 0 is "$(awk '{ print $1, $2, $3 }' out | tr '\n' ';')" \
    'enum store.Lang 1;flags store.Rights 4;struct store.Point 8;message store.Page 64;union store.Document.source 64;message store.Document 448;'
run types -m $module store.Document && ok 'the fields of one' both is "$status" 0 prints '^      164  tags: string\[<=12\]\[<=4\], count at 144, lengths at 148$'
ok 'its key' prints '^        8  id: u64 @key$'
ok 'versions' prints 'balance: f64? @since(2), whether it is there at 384$'
ok 'types of other names' prints 'lang: store.Lang$'
run types -m $module store.Lang store.Rights && ok 'the values of enums' prints '^    de = 4$'
ok 'and of flags' prints '^    all = 0x3$'
run types -m $module store.Pag store.Page && ok 'one that there is not' both is "$status" 1 says 'did you mean `store.Page`?'
ok 'and one that there is' prints '^message store.Page'
if python=$(type -P python3); then
    run types -m $module --json && ok 'as JSON' both is "$status" 0 is "$("$python" -c 'import json, sys
for line in open("out"):
    t = json.loads(line)
    print(t["kind"], t["name"], t["bytes"], len(t.get("fields", t.get("values"))), end=";")')" \
    "$(for t in store.Lang store.Rights store.Point store.Page store.Document.source store.Document; do
        run types -m $module $t && awk -v n="$(($(wc -l <out) - 1))" 'NR == 1 { printf "%s %s %s %d;", $1, $2, $3, n }' out
    done)"
    run types -m $module --json store.Document && ok 'the fields as JSON' both is "$status" 0 is "$("$python" -c 'import json
t = json.load(open("out"))
f = {f["name"]: f for f in t["fields"]}
print(t["tail"], len(t["layout"]), f["id"]["key"], f["id"]["type"], f["tags"]["offset"], f["tags"]["count_offset"], f["tags"]["inner_offset"],
      f["balance"]["since"], "key" in f["tags"])')" 'True 16 True u64 164 144 148 2 False'
else
    skip 'as JSON' 'python3 was not found'
    skip 'the fields as JSON' 'python3 was not found'
fi
run types -m $module --json store.Lang store.Rights && ok 'the values of enums as JSON' prints '{"name": "de", "value": 4}'
ok 'and of flags' prints '{"name": "all", "value": 3}'
run types && ok 'no module' both is "$status" 2 says '--module is missing'
run types -m "$build/tests/service/gen/shop.psm" && ok 'the module of a pipeline' both is "$status" 0 prints '^message shop\.'
finish
