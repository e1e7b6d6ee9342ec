#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Random types lie where a second implementation of the layout rules says, and what is wrong in one of its rules is noticed.
# PSYNE_TEST_SEED=S: from seed S.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
if ! command -v python3 >/dev/null; then
    skip 'random types against the layout rules' 'python3 is not installed'
    finish
    exit
fi
rules=$source/tests/isa/layout_rules.py
agrees() { python3 "$1" "$psynec" . "${PSYNE_TEST_SEED:-1}" >out 2>err; }
noticed() { # a rule made wrong
    sed "$1" "$rules" >wrong.py
    ! cmp -s "$rules" wrong.py && ! agrees wrong.py && grep -q 'by the rules' err
}
ok 'random types lie where the rules say' agrees "$rules"
ok 'vectors of 64 bytes' noticed 's/several and total >= 64/several and total > 64/'
ok 'sizes of structs' noticed 's/end = up(end, natural)/end = up(end, 1)/'
ok 'lengths of texts' noticed 's/m), 4$/m), lead/'
ok 'counts' noticed 's/at, lead = at + 4, 4/at, lead = at + 8, 4/'
ok 'members of unions' noticed 's/0 if kind == "union" else at/at/'
ok 'tails' noticed 's/align, total, own\["tailed"\] = 4, 8, True/align, total, own["tailed"] = 8, 8, True/'
ok 'variants without a bound' noticed 's/align, total, own\["tailed"\] = 4, 4, True/align, total, own["tailed"] = 4, 8, True/'
ok 'parts' noticed 's/at + 8 \* part/at + 16 * part/'
ok 'hashes of elements' noticed "s/replace('type', 'message')/replace('type', 'part')/"
ok '@align' noticed 's/max(natural, f\["align"\])/natural/'
finish
