#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne bench: what it sends, what it counts, and that a service which stalls, dies or answers wrongly is not made to look better.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
"$psynec" "$source/tests/perf/echo.hrm" -o . || exit 1
psynec=$build/runtime/command/psyne
socket=$work/s

serve() { # a service, until its input is closed
    coproc S { exec "$build/tests/command/serve_one" echo.psm "ipc://$socket" 2>served; }
    service=$S_PID service_in=${S[1]} service_out=${S[0]}
    read -r said <&"$service_out" && [ "$said" = ready ]
}
tell() { echo "$*" >&"$service_in" && read -r said <&"$service_out" && [ "$said" = ok ]; }
finish_service() {
    exec {service_in}>&-
    wait "$service" 2>/dev/null
}
bench() { run bench "$socket" twice -m echo.psm --quiet "$@"; }
value() { grep -o "\"$1\":[^,}]*" out | sed -n "${2-1}p" | cut -d: -f2; } # name, which: of the JSON
least() { [ "$(value "$1")" -ge "$2" ] || { echo "$1 is $(value "$1"), not $2 or more" >>err && false; }; }
most() { [ "$(value "$1")" -le "$2" ] || { echo "$1 is $(value "$1"), not $2 or less" >>err && false; }; }

# Without a service.
run bench && ok 'wrong use: nothing' both is "$status" 2 says 'which service, and which pipeline of it?'
run bench "$socket" && ok 'wrong use: no pipeline' both is "$status" 2 says 'which pipeline?'
bench x && ok 'wrong use: a word too many' both is "$status" 2 says 'what is `x` for?'
bench --rate 0 && ok 'wrong use: no rate' both is "$status" 2 says '--rate takes requests a second'
bench --rates 1k,,2k && ok 'wrong use: a rate missing' both is "$status" 2 says 'not `1k,,2k`'
bench --batch 9 --in-flight 8 && ok 'wrong use: a group that never fits' both is "$status" 2 says 'a group of 9 is never sent'
bench --seconds -1 && ok 'wrong use: no time' both is "$status" 2 says '--seconds takes seconds'
bench --seconds 0 && ok 'wrong use: none' both is "$status" 2 says '--seconds is above 0'
bench --clients 0 && ok 'wrong use: no clients' both is "$status" 2 says '--clients is at least 1'
bench --arrivals odd && ok 'wrong use: arrivals' both is "$status" 2 says 'even or random'
bench --check x && ok 'wrong use: replies to nothing' both is "$status" 2 says '--check needs --requests'
bench --set vlues=1 && ok 'wrong use: no such field' both is "$status" 2 says 'echo.Ask has no field `vlues`'
ok 'it says which is near' says 'did you mean `values`?'
bench --set values && ok 'wrong use: no value' both is "$status" 2 says '--set takes FIELD=VALUE'
bench --set values.x=1 && ok 'wrong use: in a number' both is "$status" 2 says 'no field `values.x`'
bench --set values=1 --requests x && ok 'wrong use: what is read is not set' both is "$status" 2 says '--set is for requests that are made'
bench --set values=true --print && ok 'a value of another type' both is "$status" 1 says '--set: line 1'
bench --requests none && ok 'a file that is not there' both is "$status" 1 says 'none: No such file'
: >empty && bench --requests empty && ok 'a file of nothing' both is "$status" 1 says 'empty: there is no message in it'
printf '{"values": [1]}' >short && bench --requests short && ok 'JSON that is wrong' both is "$status" 1 says 'short: line 1, column'
printf '\100\0\0\0\1\0\0\0' >cut && bench --requests cut && ok 'a message that is cut off' both is "$status" 1 says 'cut: at byte 0'
run bench "$socket" twize -m echo.psm && ok 'no such pipeline' both is "$status" 1 says 'did you mean `twice`?'
run bench "$socket" twice -m none.psm && ok 'no such module' both is "$status" 1 says 'none.psm: No such file'
run bench "$socket" twice --count 1 && ok 'nobody to say what messages are' both is "$status" 1 says "ipc://$socket"
bench --count 1 && ok 'nobody serves' both is "$status" 1 says "ipc://$socket"

# What is sent.
bench --print --random 3 --set 'values=[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]' && ok 'fields that are set' both is "$status" 0 is "$(sort -u out | wc -l)$(wc -l <out)" 13
bench --print --random 50 && cp out first && bench --print --random 50 && ok 'the same seed makes the same' same out first
ok 'they differ from each other' is "$(sort -u out | wc -l)" 50
bench --print --random 50 --seed 2 && ok 'another makes others' is "$(cat out first | sort -u | wc -l)" 100
"$psynec" encode first -m echo.psm -t echo.Ask -o stored 2>/dev/null
bench --requests stored --print && ok 'stored messages are read' same out first
bench --requests first --print && ok 'and JSON' same out first
"$psynec" bench "$socket" twice -m echo.psm -r - --print <first >out 2>err && ok 'of standard input' same out first

# What is counted.
serve && ok 'a service' true
bench --count 1000 --json && ok 'all are answered' is "$status $(value sent) $(value ok)" '0 1000 1000'
ok 'and have a latency each' both is "$(value count)" 1000 least min_ns 1
run bench "$socket" twice --count 1000 --quiet --json && ok 'and without the module' is "$status $(value sent) $(value ok)" '0 1000 1000'
run bench "$socket" twize --count 1 && ok 'a pipeline that is not there' both is "$status" 1 says 'no pipeline `twize` here; there is: twice'
bench --count 1000 --clients 3 --in-flight 7 --batch 3 --json && ok 'of several clients together' is "$status $(value sent) $(value ok)" '0 1000 1000'
bench --rate 1000 --seconds 0.5 --warmup 0.1 --json && ok 'the schedule says how many' is "$status $(value scheduled) $(value sent) $(value ok)" '0 500 500 500'
bench --rate 1k --clients 4 --seconds 0.5 --warmup 0 --json && ok 'to several clients too' is "$status $(value scheduled) $(value ok)" '0 500 500'
bench --rate 2k --batch 8 --seconds 0.4 --warmup 0 --json --spin && ok 'in groups' is "$status $(value scheduled) $(value ok)" '0 800 800'
bench --rate 2k --arrivals random --seconds 0.5 --warmup 0 --json && ok 'at random' both is "$status $(value unsent)" '0 0' least scheduled 800
run bench "$socket" twice -m echo.psm -n 100 && ok 'nothing but the table where all is well' both is "$(wc -l <out)$(cat err)" 4 prints '^ *closed .* 0$'
run bench "ipc://$socket" twice -m echo.psm -n 100 --histogram && ok 'the histogram' prints '^ .* \.\. .* %  #'

# Replies.
printf '{"values":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}\n{"values":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}\n' >asked
printf '{"values":[2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32]}\n{"values":[2,2,2,2,2,2,2,2,2,2,2,2,2,2,2,2]}\n' >right
sed '2s/2\]/3]/' right >wrong
bench --requests asked --check right --count 100 --json && ok 'the replies that are expected' both is "$status" 0 is "$(value different)" 0
bench --requests asked --check wrong --count 100 && ok 'others are noticed' both is "$status" 1 prints '^different: 50 replies .* request 1: not the reply that was expected: {"values": \[2, 2,'
bench --requests asked --check first --count 1 && ok 'replies for other requests' both is "$status" 1 says 'first: '
head -n 1 right >one && bench --requests asked --check one --count 1 && ok 'too few of them' both is "$status" 1 says 'one: 1 replies for 2 requests'
bench --same --clients 2 --count 5000 --json && ok 'the same again' both is "$status $(value different)" '0 0' is "$(value ok)" 5000

# The page's own lines, in little time.
page_works() {
    local line
    grep -c '^psyne bench /run/echo.sock' "$source/doc/psyne.md" | grep -qx 7 || return
    sed -n 's/^psyne bench \/run\/echo.sock \([^#]*\).*/\1/p' "$source/doc/psyne.md" | while read -r line; do
        eval run bench "\$socket" "$line" --seconds 0.2 --warmup 0 --quiet
        [ "$status" = 0 ] && [ -s out ] || { echo "$line: $status" >>err && return 1; }
    done && [ -s load.svg ]
}
ok 'the lines of the page work' page_works

# The same request is answered otherwise once another program serves it.
sed 's/\* 2.0/* 3.0/' "$source/tests/perf/echo.hrm" >thrice.hrm && cp "$source/tests/perf/echo.psy" . && "$build/compiler/psynec" thrice.hrm -o . 2>>err
run bench "$socket" main/twice -m echo.psm -n 10 && ok 'a pipeline of a program' is "$status" 0
tell swap "$work/thrice.psm" 200
bench --same --random 5 --rate 1000 --seconds 2 --warmup 0 --in-flight 8 --json
ok 'replies that change are noticed' both is "$status" 1 least different 500
ok 'and the first of them shown' prints '"first_difference":"request [0-4]: not the reply that came before: {'
tell swap "$work/echo.psm" 0
bench --rate 100 --seconds 0.2 --warmup 0

# A service that stalls: with 16 in flight, 16 requests would be slow if latencies counted from the sending. They count from the schedule.
tell stall 500 200
bench --rate 1000 --seconds 2 --warmup 0 --in-flight 16 --json
ok 'a stall costs no request' is "$status $(value scheduled) $(($(value sent) + $(value unsent))) $(value count)" '0 2000 2000 2000'
ok 'who had to wait is not left out' both least p90_ns 200000000 least max_ns 450000000
ok 'it is said that they were held back' least held_back 300
tell stall 1500 50
bench --rate 1000 --seconds 1 --warmup 0 --in-flight 16 --json
ok 'what was due and never sent is said' both is "$status $(value scheduled)" '0 1000' least unsent 500
ok 'and counts with the time that it had waited' both is "$(value count)" 1000 least p50_ns 200000000
tell stall 1200 50
bench --count 2000 --in-flight 8 --timeout-ms 200 --json
ok 'deadlines are errors' both is "$status" 1 least TIMEOUT 1
ok 'and latencies' least max_ns 200000000
tell stall 700 5000
bench --rates 1000,20k --seconds 0.5 --warmup 0 --in-flight 1 --plot plot.svg --json && ok 'several rates' is "$(value scheduled) $(value scheduled 2)" '500 10000'
ok 'those that were too many' is "$(value behind 2)" true
if python=$(type -P python3); then
    drawn() {
        "$python" - <<'P' 2>>err
import xml.etree.ElementTree as tree
root = tree.parse("plot.svg").getroot()
paths = [p.get("d") for p in root.iter("{http://www.w3.org/2000/svg}path")]
lines = [p for p in paths if p.count("L") == 1 and p.startswith("M") and "z" not in p]
assert len(lines) == 4, lines
x = [[float(q.split()[0]) for q in line[1:].split("L")] for line in lines]
assert all(92 < a < b <= 736 for a, b in x), x
P
    }
    ok 'the picture has a line for each quantile' drawn
    json() {
        "$python" -c '
import json
o = json.load(open("out"))
assert [r["rate"] for r in o["runs"]] == [1000, 20000] and o["pipeline"] == "twice", o
for r in o["runs"]:
    assert r["scheduled"] == r["sent"] + r["unsent"], r
    assert sum(n for _, n in r["latency"]["bins"]) == r["latency"]["count"] == r["scheduled"], r
    assert r["sent"] == r["ok"] + sum(r["errors"].values()) + r["unanswered"], r
' 2>>err
    }
    ok 'every request is in it once' json
    on_terminal() { PYTHONPATH=$source/tests/command "$python" -B "$source/tests/command/terminal_cases.py" "$psynec" "$@" 2>>err; }
    ok 'progress on a terminal' on_terminal progress "$socket" twice -m echo.psm --seconds 2 --warmup 0
else
    skip 'progress on a terminal' 'python3 was not found'
    skip 'the picture has a line for each quantile' 'python3 was not found'
    skip 'every request is in it once' 'python3 was not found'
fi
bench --count 1 --plot none/x.svg && ok 'a picture that cannot be written' both is "$status" 1 says 'none/x.svg: No such file'

"$psynec" bench "$socket" twice -m echo.psm --seconds 60 --warmup 0 --json >out 2>err &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
ok 'it can be stopped, and says what it has' both is "$?$(value stopped)" 0true least ok 1

tell die 1200
bench --rate 1k --seconds 5 --warmup 0 --json
ok 'a service that dies' both is "$status" 1 is "$(value seconds | cut -c1)" 1
ok 'every request of it is counted' is "$(value sent)" $(($(value ok) + $(value PEER_DIED || echo 0) + $(value unanswered)))
ok 'and it is said' prints '"broken_off":"'
finish_service
rm -f "$socket" "$socket.psyne-lock"
ok 'the service had no complaint' is "$(cat served)" ''
finish
