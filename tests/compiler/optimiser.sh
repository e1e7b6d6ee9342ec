#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The table of doc/psynec.md that says what optimising does to each example is what psynec says now. `optimiser.sh --update` (make
# update-optimiser) writes it into the page's template.
. "$(dirname "$0")/shell.sh"
page=$source/compiler/templates/docs.in
programs="examples/*/*.hrm tests/golden/fuse/fused.hrm tests/golden/cse/stats.hrm tests/golden/fuse/l2.hrm tests/golden/split/logsumexp.hrm"

# "PIPELINE, PART|KERNELS|BYTES", a line for each program
effects() { # level, file
    "$psynec" "$source/$2" -I "$source/tests/golden/imports" --check --explain-fusion "$1" 2>>err |
        sed -n 's/^pipeline \([^:]*\): [0-9]* operations\{0,1\} in \([0-9]*\) kernels\{0,1\}\( (-O0 joins none)\)\{0,1\}, \(.*\) bytes moved for a message$/\1|\2|\4/p'
}
table() {
    echo '| program | | kernels at -O0 | at -O2 | bytes moved at -O0 | at -O2 |'
    echo '|---|---|---|---|---|---|'
    (cd "$source" && ls $programs) | while read -r file; do
        paste -d '|' <(effects -O0 "$file") <(effects -O2 "$file") | while IFS='|' read -r name kernels bytes _ less fewer; do
            echo "| [\`${name%%,*}\`](../$file) | ${name#*, } | $kernels | $less | $bytes | $fewer |"
        done
    done
}

: >err
table >now
if [ "${1-}" = --update ]; then
    awk -v table=now '/^<!-- optimiser begins -->/ { print; while ((getline line < table) > 0) print line; skip = 1 }
        /^<!-- optimiser ends -->/ { skip = 0 } !skip && !/^<!-- optimiser begins -->/' "$page" >page && cp page "$page"
    exit
fi
ok 'there is a row for each program of the example and of the others' test "$(wc -l <now)" -ge 13
sed -n '/^<!-- optimiser begins -->/,/^<!-- optimiser ends -->/p' "$source/doc/psynec.md" | grep '^|' >page
ok 'the table of the page is up to date (make update-optimiser)' eval 'diff -u page now >err'
# Optimising never makes more kernels, and somewhere it makes fewer.
fewer() { awk -F'|' 'NR > 2 { more += $5 > $4; fewer += $5 < $4 } END { exit !(more == 0 && fewer > 5) }' now; }
ok 'it makes fewer kernels, and nowhere more' fewer
finish
