#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psynec --compat: how it is used, and that every change of its table has a golden file (tests/golden/compat).
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
golden=$source/tests/golden/compat

for name in $(sed -n 's/^CHANGE([A-Z_]*, "\([a-z-]*\)".*/\1/p' "$source/compiler/compat.def"); do
    ok "$name has a golden file" grep -rqF "change[$name]" "$golden"
    ok "$name is in the page" grep -qF "| \`$name\` |" "$source/doc/psynec.md"
done

echo 'message Item { id: u64; price: f32; }' >old.psy
echo 'message Item { id: u64; price: f32; sold: bool @since(2); }' >new.psy
echo 'message Item { id: u64; price: f64; }' >other.psy
echo 'message Item { id: u64' >broken.psy
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
finish
