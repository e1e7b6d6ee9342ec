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
run types && ok 'no module' both is "$status" 2 says '--module is missing'
run types -m "$build/tests/service/gen/shop.psm" && ok 'the module of a pipeline' both is "$status" 0 prints '^message shop\.'
finish
