#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne run --trace: what is shown of each value (trace.txt; `make update-traces` writes it anew), and that looking changes no result.
. "${PSYNE_SOURCE:?}/tests/command/pets.sh"

printf '{"vector": [1, 2, 3, 4], "k": 3}' >one.json
pets best one.json --trace --shards 2
[ -z "${PSYNE_UPDATE-}" ] || cp out "$source/tests/command/trace.txt"
diff "$source/tests/command/trace.txt" out >err
ok 'every value, with its line' is "$status $?" '0 0'
ok 'then the result' is "$(tail -n 1 out)" '{"score": [14, 11, 4], "index": [3, 2, 1], "name": ["dog", "cat", "bee"]}'

printf '{"few": ["NaN", "Infinity", 1, 2, 3, 4]}' >few.json
pets echo few.json --trace --values 2
ok 'NaN and infinities are counted' prints 'load few .* f32\[6\] *NaN Infinity \.\.\.  | min 1 max Infinity mean 2.5  | 1 NaN, 1 infinite'
pets echo few.json --trace --values 0
ok 'no elements' prints 'load few  *f32\[6\]  *| min 1 max'

printf '{"key": 10}{"key": 11}' >keys.json
pets kept_row keys.json --trace --shards 3
ok 'one shard has it' is "$status $(grep -c ': kept_row' out) $(grep -c 'lookup kept' out)" '1 2 2'
ok 'the row' prints 'lookup kept %.*f32\[4\] *1 2 3 4 '
ok 'the one that is not there' says 'message 1: no such key or name'

# Where the program's text is.
rm pets.hrm && pets best one.json --trace && ok 'the text is gone' prints '^  pets.hrm:10$'
mkdir made text && mv pets.psm made && cp "$source/tests/command/pets.hrm" . && cd made
cp ../*.npy ../names.txt ../one.json . && pets best one.json --trace && ok 'above the module' prints '^  pets.hrm:10: let scores = rows @ (a.vector + bias)$'
mv ../pets.hrm ../text
pets best one.json --trace --sources ../text && ok 'where it is said to be' prints '^  pets.hrm:10: let scores'
printf 'one line\n' >pets.hrm && pets best one.json --trace && ok 'another file' prints '^  pets.hrm:10$'
rm pets.hrm && mkfifo pets.hrm && pets best one.json --trace && ok 'a pipe that nobody writes' prints '^  pets.hrm:10$'
rm pets.hrm && printf '\n\n\n\n\n\n\n\n\n\033[2Jlet\t\xff\n' >pets.hrm && pets best one.json --trace && ok 'nothing that a terminal obeys' prints '^  pets.hrm:10:  \[2Jlet$'
cd .. && mv made/pets.psm .

# Who looks changes nothing.
for i in {1..60}; do echo "{\"vector\": [$i, 0.1, -$i, 3e-3], \"few\": [$i.25, 1e$((i % 30))], \"k\": $((i % 4))}"; done >many.json
for pipeline in best echo; do
    for shards in 1 3; do
        pets $pipeline many.json --shards $shards && cp out plain
        pets $pipeline many.json --shards $shards --trace && grep '^{' out >traced
        ok "$pipeline over $shards shards: the same with a trace" same plain traced
    done
done
pets best many.json --trace --json && ok 'JSON, a line each' is "$(grep -c '^{"message": [0-9]*, "shard": 0, "merge": ' out) $(grep -c '^{"message": [0-9]*, "reply": ' out)" '120 60'
finish
