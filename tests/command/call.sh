#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne call: what a service answers is what psyne run gives; who does not answer, or not in time, is named.
. "${PSYNE_SOURCE:?}/tests/command/pets.sh"
uri=ipc://$work/pets.sock
serve() { # shards: a service that ends with its standard input
    local said
    coproc SERVICE { exec "$build/tests/command/serve_module" "$uri" pets.psm "$1" rows=rows.npy names=names.txt kept=kept.npy,keys.npy bias=bias.npy 2>service.err; }
    service=$SERVICE_PID service_in=${SERVICE[1]}
    read -r said <&"${SERVICE[0]}" && [ "$said" = ready ]
}
end_service() { exec {service_in}>&- && wait "$service" 2>/dev/null; }
call() { # pipeline, options
    local pipeline=$1
    shift
    run call "$uri" "$pipeline" -m pets.psm "$@"
}

for i in {1..300}; do echo "{\"key\": 10, \"vector\": [$i, 1, -$i, 2], \"few\": [$i, 0.5], \"k\": $((i % 4))}"; done >many.json
: >none.json
for pipeline in best kept_row echo; do
    run run pets.psm $data -p $pipeline many.json && mv out $pipeline.run
done

for shards in 1 3; do
    serve $shards || { cat service.err; exit 1; }
    for pipeline in best kept_row echo; do
        for in_flight in 1 7 256; do
            call $pipeline many.json --in-flight $in_flight
            ok "$pipeline, $shards shards, $in_flight in flight" both is "$status $(cat err)" '0 ' same out $pipeline.run
        done
    done
    [ $shards = 3 ] || end_service
done
run call "$uri" best many.json && ok 'without the module: the service has it' both is "$status $(cat err)" '0 ' same out best.run
run call "$uri" main/kept_row -i nosuch=x.npy <none.json && ok 'its fields are known' both is "$status" 1 says nosuch
run call "$uri" bset many.json && ok 'a pipeline that the service does not have' both is "$status" 1 says 'no pipeline `bset` here; there is:'
run call "$uri" "$(printf %300s x)" many.json && ok 'a name that cannot be' is "$status" 1
call best none.json && ok 'no message' gives '0 '
"$psynec" encode many.json -m pets.psm -t pets.Ask -o many.bin && call best many.bin && ok 'stored messages' same out best.run
npy vectors.npy '<f4' '(2, 4)' "$(f32 1 2 3 4 0 4 0 0)"
call best -i vector=vectors.npy -o score=score.npy -o index=index.npy
ok 'fields in .npy files' is "$status $(tail -c 16 score.npy | od -An -tx1 | tr -d ' \n')" "0 0000604100003041$(f32 8 5)"
printf '{"key": 10}{"key": 11}{"key": 20}' >keys.json
call kept_row keys.json
ok 'who is answered with an error' both is "$status $(tr '\n' ' ' <out)" '1 {"value": [2, 4, 6, 8]} {"value": [10, 12, 14, 16]} ' says "psyne: $uri: message 1: no such key or name"
call kept_row keys.json --json
ok 'in JSON' gives "1 {\"message\": 0, \"reply\": {\"value\": [2, 4, 6, 8]}}
{\"message\": 1, \"status\": \"NOT_FOUND\", \"error\": \"no such key or name (check the name or the key)\", \"peer\": \"$uri\"}
{\"message\": 2, \"reply\": {\"value\": [10, 12, 14, 16]}}"
call echo many.json --repeat 2
ok 'times' both same out echo.run eval 'grep -qE "^psyne: 300 messages, 2 times: [0-9.]+ us a message \([0-9.]+ in the best round\); each took [0-9.]+ us from sending to its reply$" err'

# ---- traced ----
head -n 2 many.json >two.json && call best two.json --trace
ok 'a trace names its requests' is "$status $(grep -cE "^psyne: $uri: message [01] is request [0-9a-f]{16}$" err)" '0 2'
told() { # every step of every request that err names
    local id step
    for id in $(sed -n 's/.* is request //p' err); do
        for step in taken run merged answered ended; do
            for ((i = 0; i < 200; i++)); do ! grep -q "^event trace.$step request=$id" service.err || break; sleep 0.05; done
            grep -q "^event trace.$step request=$id" service.err || { echo "no trace.$step of $id" >>err && return 1; }
        done
    done
}
ok "and the service's events have every step of them" told
call best two.json --trace --json && ok 'in JSON' is "$(grep -cE '^{"message": [01], "request": "[0-9a-f]{16}"}$' out)" 2

# ---- what is not there ----
call bset many.json && ok 'no such pipeline in the module' both is "$status" 1 says 'psyne: pets.psm: there is no pipeline `bset`; did you mean `best`?'
sed 's/pipeline echo(/pipeline echoes(/' pets.hrm >other.hrm && "$build/compiler/psynec" other.hrm -o .
run call "$uri" echoes -m other.psm many.json && ok 'none in the service' both is "$status" 1 says "psyne: $uri: "
sed 's/score: f32\[<=3\]/score: f32[<=4]/' pets.psy >shifted.psy && sed 's/pets.psy/shifted.psy/; s/score: score/score: score/' pets.hrm >shifted.hrm
"$build/compiler/psynec" shifted.hrm -o . && run call "$uri" best -m shifted.psm many.json -o never.bin
ok 'other messages than the service has' both is "$status $(names . | tr ' ' '\n' | grep -c never)" '1 0' says "psyne: $uri: "
run call "$uri" best -m shifted.psm many.json --json && ok 'in JSON' prints '^{"status": "LAYOUT", "error": "ipc://'
call best nowhere.json && ok 'no file' both is "$status" 1 says 'nowhere.json: No such file'

# ---- a service that does not answer ----
head -n 3 many.json >few.json
kill -STOP "$service"
call best few.json --deadline-ms 100 --connect-ms 300 && ok 'who is asleep is not waited for' both is "$status" 1 says "$uri"
kill -CONT "$service"
call best few.json && ok 'and serves again' is "$status $(wc -l <out)" '0 3'
end_service
call best few.json --connect-ms 100 && ok 'nobody' both is "$status" 1 says "psyne: nobody serves $uri: is the broker running"
run call ipc://nowhere/at/all best -m pets.psm few.json --connect-ms 100 && ok 'nowhere' both is "$status" 1 says 'nowhere/at/all'
run call pigeon://post best -m pets.psm few.json && ok 'no such way' both is "$status" 1 says 'pigeon://post'

# One that is killed while requests are under way: each of them ends in a reply or an error, in order.
serve 2 || exit 1
for i in {1..200}; do cat many.json; done >very_many.json
"$psynec" call "$uri" best -m pets.psm very_many.json --in-flight 512 --json --repeat 1000000 >killed 2>killed.err &
caller=$!
for ((i = 0; i < 600; i++)); do [ ! -s killed ] || break; sleep 0.05; done
kill -KILL "$service" && wait "$service" 2>/dev/null
exec {service_in}>&-
caller_status=0 && wait $caller || caller_status=$?
ok 'who dies is named' both is "$caller_status" 1 eval 'tail -n 1 killed | grep -q "$uri"'
ok 'and all came before that, in their order' is "$(grep -o '^{"message": [0-9]*' killed | awk '{ if ($2 != NR - 1) print }' | wc -l)" 0
rm -f pets.sock*

# ---- wrong use ----
misused "the service's address is missing" call
misused 'the pipeline is missing' call "$uri"
misused '--deadline-ms takes a whole number from 0 to 65535' call "$uri" best --deadline-ms 100000
misused '--in-flight is 1 or more' call "$uri" best --in-flight 0
finish
