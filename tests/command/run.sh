#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne run: every kind of input and output gives the same, over any number of shards and in batches of any size; bad input is said and
# nothing is written.
. "${PSYNE_SOURCE:?}/tests/command/pets.sh"

refused() { # what is said; a file that is not there
    is "$status" 1 && says "$1" && { [ ! -e "${2:-never.npy}" ] || { echo "${2:-never.npy} is there" >>err && false; }; }
}

# ---- JSON in and out ----
echo '{"vector": [1, 2, 3, 4], "k": 3}' >one.json
pets best one.json && ok 'a message of JSON' gives '0 {"score": [14, 11, 4], "index": [3, 2, 1], "name": ["dog", "cat", "bee"]}'
printf '{"vector": [1, 0, 0, 0]}\n\n{"vector": [0, 4, 0, 0], "k": 1} {"vector": [0, 0, 0, -1]}' >three.json
best_of_three='0 {"score": [2, 2], "index": [2, 3], "name": ["cat", "dog"]}
{"score": [8], "index": [1], "name": ["bee"]}
{"score": [0, 0], "index": [0, 1], "name": ["ant", "bee"]}'
pets best three.json && ok 'several' gives "$best_of_three"
for shards in 2 3 4 7 64; do
    pets best three.json --shards $shards && ok "the same over $shards shards" gives "$best_of_three"
done
pets best three.json --batch 1 --shards 2 && ok 'one after the other' gives "$best_of_three"
pets best three.json one.json && ok 'several files' is "$(wc -l <out)" 4
"$psynec" run pets.psm $data -p best <three.json >out && status=0 && ok 'standard input' gives "$best_of_three"
"$psynec" run pets.psm $data -p best - <three.json >out && ok 'that has a name' gives "$best_of_three"
for i in {1..500}; do echo "{\"few\": [$i, 1]}"; done >many.json
pets echo many.json --batch 7 --shards 3 && ok 'many, in their order' is "$(grep -o '"total": [0-9]*' out | tr -d '\n')" "$(for i in {1..500}; do printf '"total": %d' $((i + 1)); done)"
: >none.json && pets best none.json && ok 'no message' gives '0 '
pets kept_row - </dev/null && ok 'nor any here' gives '0 '

# ---- by key: a message that finds nothing ----
printf '{"key": 10}{"key": 11}{"key": 20}' >keys.json
for shards in 1 2 5; do
    pets kept_row keys.json --shards $shards
    ok "rows by key, $shards shards" both is "$status $(tr '\n' ' ' <out)" '1 {"value": [2, 4, 6, 8]} {"value": [10, 12, 14, 16]} ' says 'psyne: message 1: no such key or name'
done
pets kept_row keys.json --json
ok 'in JSON' gives '1 {"message": 0, "reply": {"value": [2, 4, 6, 8]}}
{"message": 1, "status": "NOT_FOUND", "error": "no such key or name (check the name or the key)"}
{"message": 2, "reply": {"value": [10, 12, 14, 16]}}'
pets kept_row keys.json -o value=value.npy -o all.bin && ok 'nothing is written where one is missing' both is "$status" 1 is "$(ls value.npy all.bin 2>/dev/null)" ''

# ---- stored messages ----
"$psynec" encode three.json -m pets.psm -t pets.Ask -o three.bin
pets best three.bin && ok 'stored messages' gives "$best_of_three"
cat three.bin three.bin >six.bin && pets best six.bin -o six.out.bin && ok 'to stored messages' gives '0 '
"$psynec" inspect six.out.bin -m pets.psm -t pets.Best --indent 0 >out && status=0 && ok 'which are the same' gives "$best_of_three
${best_of_three#0 }"
pets best three.json -o - && mv out - && "$psynec" inspect ./- -m pets.psm -t pets.Best --indent 0 >out && ok 'to standard output' gives "$best_of_three"
pets best three.json -o lines.jsonl && mv lines.jsonl out && ok 'JSON to a file' gives "$best_of_three"

# ---- fields in .npy files ----
npy vectors.npy '<f4' '(3, 4)' "$(f32 1 0 0 0 0 4 0 0 0 0 0 -1)"
npy k.npy '<u4' '(3,)' 020000000100000002000000
pets best -i vector=vectors.npy -i k=k.npy && ok 'fields' gives "$best_of_three"
npy one_k.npy '<u4' '()' 01000000
pets best -i vector=vectors.npy -i k=one_k.npy && ok 'one value for all' is "$(grep -c '"score": \[[0-9]*\],' out)" 3
pets best three.json -i k=one_k.npy && ok 'on top of messages' is "$(grep -c '"score": \[[0-9]*\],' out)" 3
npy few.npy '<f4' '(2, 3)' "$(f32 1 2 3 4 5 6)"
npy bonus.npy '<f8' '(2,)' 000000000000f03f0000000000000040
pets echo -i few=few.npy -i bonus=bonus.npy && ok 'bounded and optional fields' gives '0 {"few": [1, 2, 3], "total": 6, "bonus": 1}
{"few": [4, 5, 6], "total": 15, "bonus": 2}'
pets echo -i few=few.npy -o few=again.npy -o total=total.npy && ok 'and out again' is "$status $(tail -c 24 again.npy | od -An -tx1 | tr -d ' \n')" "0 $(f32 1 2 3 4 5 6)"
ok 'with their shape' is "$(grep -ao "'shape': ([0-9, ]*)" again.npy total.npy | tr '\n' ' ')" "again.npy:'shape': (2, 3) total.npy:'shape': (2,) "
printf '{"few": [1]}{"few": [2, 3]}' >ragged.json && pets echo ragged.json -o few=ragged.npy
ok 'rows that are not as long' both is "$status $(tail -c 16 ragged.npy | od -An -tx1 | tr -d ' \n')" "0 $(f32 1 0 2 3)" says 'ragged.npy: rows of pets.Echo.few have 1 to 2 elements: zeros fill them up'
pets echo ragged.json -o bonus=bonus.out.npy && ok 'what is not there' refused 'message 0: pets.Echo.bonus is not there, and a .npy file has no gaps' bonus.out.npy
npy x.npy '<f4' '(2, 1, 3)' "$(f32 1 2 3 4 5 6)"
pets twice -i x=x.npy && ok 'variants' gives '0 {"y": {"dtype": "f32", "shape": [1, 3], "data": [2, 4, 6]}}
{"y": {"dtype": "f32", "shape": [1, 3], "data": [8, 10, 12]}}'
pets twice -i x=x.npy -o y=y.npy && ok 'and out again' both is "$(grep -ao "'descr.*3)" y.npy)" "'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3)" is "$status" 0
npy int.npy '<i4' '(1, 2)' 0100000002000000
pets twice -i x=int.npy && ok 'of another type' gives '0 {"y": {"dtype": "i32", "shape": [2], "data": [2, 4]}}'
npy u8.npy '|u1' '(1, 2)' 0102
pets twice -i x=u8.npy && ok 'that no alternative takes' refused 'message 0: not supported here'
npy mood.npy '|u1' '(2,)' 0001
pets echo -i mood=mood.npy -i few=few.npy && ok 'enums are their numbers' is "$status" 0

# ---- engines ----
pets best three.json --engine cpu --shards 2 && ok 'the cpu' gives "$best_of_three"
pets best three.json --engine vulkan --shards 2
if [ "$status" = 1 ] && grep -q 'vulkan\|Vulkan' err; then
    skip 'vulkan' "$(head -n 1 err)"
else
    ok 'vulkan' gives "$best_of_three"
fi

# ---- NaN and infinities go through ----
npy nan.npy '<f4' '(1, 3)' "$(f32 nan inf 1)"
pets echo -i few=nan.npy && ok 'NaN' gives '0 {"few": ["NaN", "Infinity", 1], "total": "NaN"}'

# ---- times ----
pets best three.json --repeat 3 && ok 'times' both is "$status $(cat out)" "$best_of_three" eval 'grep -qE "^psyne: 3 messages, 3 times: [0-9]+\.[0-9]{3} us a message \([0-9]+\.[0-9]{3} in the best round\)$" err'
pets best three.json --repeat 3 --json && ok 'times in JSON' prints '^{"time": {"messages": 3, "rounds": 3, "mean_ns": [0-9.]*, "best_ns": [0-9.]*, "latency_ns": [0-9.]*}}$'

# ---- what does not fit ----
wrong() { # name, file, descr, shape, bytes, what is said; of field `vector`
    npy wrong.npy "$3" "$4" "$5"
    pets best -i "$2"=wrong.npy -o score=never.npy
    ok "$1" refused "$6"
}
wrong 'another type' vector '<f8' '(1, 4)' "$(printf '%064d' 0)" 'wrong.npy: it is f64[1, 4], and pets.Ask.vector is f32[4]'
wrong 'another length' vector '<f4' '(1, 3)' "$(f32 1 2 3)" 'wrong.npy: it is f32[1, 3], and pets.Ask.vector is f32[4]'
wrong 'an axis too many' vector '<f4' '(1, 1, 4)' "$(f32 1 2 3 4)" 'wrong.npy: it is f32[1, 1, 4], and pets.Ask.vector is f32[4]'
wrong 'more than its bound' few '<f4' '(1, 7)' "$(f32 1 2 3 4 5 6 7)" 'wrong.npy: it is f32[1, 7], and pets.Ask.few is f32[<=6]'
wrong 'cut short' vector '<f4' '(2, 4)' "$(f32 1 2 3 4)" 'wrong.npy: it is cut short: 16 bytes follow its header, and its shape takes 32'
wrong 'a shape larger than memory' vector '<f4' '(4611686018427387904, 4)' "$(f32 1 2 3 4)" 'wrong.npy: it is cut short: 16 bytes follow its header, and its shape takes more than'
wrong 'more messages than memory' few '<f4' '(4611686018427387904, 0)' '' 'more than 4096 MiB of messages'
wrong 'no numbers' vector '|O' '(1, 4)' 00000000 'wrong.npy: its elements are Python objects'
wrong 'big-endian' vector '>f4' '(1, 4)' "$(f32 1 2 3 4)" 'wrong.npy: its elements are big-endian'
wrong 'an enum with an axis' mood '|u1' '(1, 1)' 00 'wrong.npy: it is u8[1, 1], and pets.Ask.mood is pets.Mood'
wrong 'a text' note '|u1' '(1, 8)' 0000000000000000 'pets.Ask.note is string[<=8]: .npy files hold numbers'
wrong 'no field' vektor '<f4' '(1, 4)' "$(f32 1 2 3 4)" 'pets.Ask has no field `vektor`'
printf 'PK\x03\x04 no array' >wrong.npy && pets best -i vector=wrong.npy && ok 'no .npy file' refused 'wrong.npy: it is no .npy file'
pets best -i vector=nowhere.npy && ok 'no file' refused 'nowhere.npy: No such file'
npy two_k.npy '<u4' '(2,)' 0100000001000000
pets best -i vector=vectors.npy -i k=two_k.npy && ok 'another number of messages' refused 'two_k.npy: its first axis has 2, and there are 3 messages'
pets best three.json -i k=two_k.npy && ok 'than the files have' refused 'two_k.npy: its first axis has 2, and there are 3 messages'
pets best three.json -o scroe=x.npy && ok 'no field to write' refused 'pets.Best has no field `scroe`'
pets best three.json -o name=x.npy && ok 'a field of texts to write' refused 'pets.Best.name is string[<=8][<=3]: .npy files hold numbers'
pets best three.json -o no/x.bin && ok 'no folder' refused 'no/x.bin: '
[ ! -e /dev/full ] || { "$psynec" run pets.psm $data -p best three.json >/dev/full 2>err && status=0 || status=$?
    ok 'a full disk' refused 'standard output: No space left on device'; }

printf '{"vector": [1, 2]}' >bad.json && pets best bad.json && ok 'a message that is wrong' refused 'psyne: bad.json: line 1, column 12: pets.Ask.vector'
head -c 100 three.bin >cut.bin && pets best cut.bin && ok 'a stored one that is cut' refused 'cut.bin: at byte 0: pets.Ask: there is no message of'
{ head -c 8 three.bin && head -c 184 /dev/zero | tr '\0' '\377'; } >torn.bin && pets best torn.bin && ok 'one that is torn' refused 'torn.bin: at byte 0: pets.Ask'
{ printf '\300' && cat "$psynec" | head -c 65535 | tail -c 40000; } >noise.bin && pets best noise.bin && ok 'other bytes' is "$status" 1

# ---- residents ----
residents() { # what is said, options
    local said=$1
    shift
    run run pets.psm -p best one.json "$@"
    ok "$said" refused "$said"
}
residents 'was not loaded'
residents 'resident kept is `by key`: it needs keys' --data kept=kept.npy
residents 'kept.npy: it is f32[2, 4], and resident bias is f32[4]' --data bias=kept.npy
residents 'the module has no resident `cats`; there are: rows, names, kept, bias' --data cats=rows.npy
residents 'nowhere.npy: No such file' --data rows=nowhere.npy
npy wide.npy '<f4' '(4, 3)' "$(f32 1 2 3 1 2 3 1 2 3 1 2 3)"
residents 'wide.npy: it is f32[4, 3], and resident rows is f32[N, 4]' --data rows=wide.npy
npy twice.npy '<u8' '(2,)' 0a000000000000000a00000000000000
residents 'resident kept: rows 0 and 1 have the same key' --data kept=kept.npy --keys kept=twice.npy
printf 'ant\nbee\n' >two.txt
residents 'resident names: N is 2 here and 4 in a resident loaded before' --data rows=rows.npy --data names=two.txt
printf 'a text that is long\n' >long.txt
residents 'long.txt: line 1 has 19 bytes, at most 8' --data names=long.txt
run run pets.psm -p best one.json --data rows=nowhere.npy --json
ok 'in JSON' gives '1 {"status": "IO", "error": "pets.psm: nowhere.npy: No such file or directory"}'

# ---- wrong use ----
misused 'the module is missing' run
misused 'pets.psm has several pipelines' run pets.psm
misused '--pipeline names one: best, kept_row, echo, twice, same' run pets.psm
misused '--data takes NAME=FILE, and not `rows.npy`' run pets.psm --data rows.npy
misused '--data is given twice for rows' run pets.psm --data rows=a.npy --data rows=b.npy
misused '--keys names kept, and --data does not' run pets.psm --keys kept=a.npy
misused '--shards is 1 or more' run pets.psm --shards 0
misused 'a .npy file holds a field of the messages' run pets.psm -o all.npy
misused '--trace and --repeat do not go together' run pets.psm --trace --repeat 3
misused '--trace shows what the cpu engine computes' run pets.psm --trace --engine vulkan
pets bset one.json && ok 'no such pipeline' refused 'psyne: pets.psm: there is no pipeline `bset`; did you mean `best`?'
run run nowhere.psm && ok 'no module' refused 'nowhere.psm: No such file'
pets best one.json --engine gpu && ok 'no such engine' refused 'there is no engine "gpu"'
ok 'nothing is left behind' is "$(names . | tr ' ' '\n' | grep -c '\.[A-Za-z0-9]\{6\}$')" 0

# ---- NumPy ----
find_numpy
if [ -z "$python" ]; then
    skip 'the same as NumPy' 'python3-numpy is not installed'
else
    "$python" -B "$source/tests/command/numpy_run.py" "$psynec" >out 2>err
    ok 'the same as NumPy' is "$? $(tail -n 1 out)" '0 all as NumPy has it'
fi
finish
