#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne top: of a service that is asked all the time, as text, as JSON and on a terminal.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
"$psynec" "$source/tests/perf/echo.hrm" -o . || exit 1
psynec=$build/runtime/command/psyne
export PSYNE_COUNTERS=$work/counters COLUMNS=140
unset LINES

run top && ok 'nobody counts' both is "$status" 1 says "$PSYNE_COUNTERS: stat: No such file"
run top a b && ok 'wrong use: two' both is "$status" 2 says 'one file or folder is read'
run top --every 0.01 && ok 'wrong use: too often' both is "$status" 2 says '--every takes seconds, from 0.1'
run top --every x && ok 'wrong use: no number' both is "$status" 2 says '--every takes seconds'
run top --sort tallest && ok 'wrong use: an order' both is "$status" 2 says 'there is no order `tallest`'
mkdir "$PSYNE_COUNTERS"
run top --every=0.1 && ok 'nothing is counted' both is "$status" 0 prints 'nobody counts anything here'

coproc S { exec "$build/tests/command/serve_one" echo.psm "ipc://$work/s" counters 2>served; }
service=$S_PID service_in=${S[1]} service_out=${S[0]}
read -r said <&"$service_out"
"$psynec" bench "$work/s" twice -m echo.psm --rate 2000 --seconds 600 --warmup 0 --quiet >benched 2>&1 &
load=$!
busy() { # once requests come in
    for _ in $(seq 300); do
        run top --every=0.1 --json
        grep -q '"requests_per_second":[1-9]' out && return
    done
    false
}
ok 'requests are seen' busy
run top --every=0.1 && ok 'once, where there is no terminal' both is "$status" 0 is "$(grep -c ^SERVICE out)" 1
ok 'a service' prints '^s  *[0-9.]*\( k\)*  *[.#]\{10\} *[0-9]*%'
ok 'its pipelines' prints '^s/twice  .* [um]s'
ok 'its workers' prints '^s/shard 0  '
ok 'its rings' prints '^s/client 0 requests  '
ok 'no rows are longer' is "$(awk 'length($0) > 140' out)" ''
COLUMNS=60 run top --every=0.1 && ok 'in little room' both is "$(awk 'length($0) > 60' out)" '' prints '^s/twice  .* [um]s'
run top --every=0.1 --count 3 && ok 'so many times' is "$(grep -c ^SERVICE out)" 3
run top --every=0.1 --busy && ok 'what is busy' both is "$(grep -c 'completions broker' out)" 0 prints '^s/client 0 requests'
run top --every=0.1 --sort=fullest && ok 'in another order' both is "$status" 0 prints '^SERVICE'
run top "$PSYNE_COUNTERS"/* --every=0.1 --once && ok 'one file' both is "$status" 0 prints '^s/twice'
if python=$(type -P python3); then
    look() { "$python" -B -c 'import json; lines = [json.loads(line) for line in open("out")]; o = lines[-1]'"$1" 2>>err; }
    run top --json --every=0.1 --count=2
    ok 'JSON' look '
assert len(lines) == 2 and o["processes"] == 1 and o["dead"] == 0, o
s, = o["services"]; p, = o["pipelines"]; w, = o["workers"]
assert s["name"] == "s" and s["shards"] == s["shards_ready"] == s["clients"] == 1 and s["alive"], s
assert p["name"] == "s/twice" and p["errors_per_second"] == 0 and p["p50_ns"] <= p["p99_ns"] <= p["p999_ns"], p
assert all(r["fill_part"] is None or 0 <= r["fill_part"] <= 1 for r in o["rings"]) and len(o["rings"]) >= 4, o["rings"]'
    on_terminal() { PYTHONPATH=$source/tests/command timeout 200 "$python" -B "$source/tests/command/terminal_cases.py" "$psynec" "$1" 2>>err; }
    ok 'on a terminal' on_terminal frame
    ok 'without UTF-8' on_terminal ascii
    ok 'keys' on_terminal keys
    ok 'sizes' on_terminal sizes
    ok 'signals that end it' on_terminal ends
    ok 'stopped, and back' on_terminal stops
    ok 'a terminal that can do nothing' on_terminal dumb
else
    for case in JSON 'on a terminal' 'without UTF-8' keys sizes 'signals that end it' 'stopped, and back' 'a terminal that can do nothing'; do
        skip "$case" 'python3 was not found'
    done
fi

printf 'PSYC' >"$PSYNE_COUNTERS/bad.counters"
run top --every=0.1 && ok 'a bad file among good ones' both is "$status" 1 says 'bad.counters is no file of counters'
ok 'the others are shown' prints '^s/twice'
ok 'and that it is there' prints '1 file unreadable'
rm "$PSYNE_COUNTERS/bad.counters"
kill "$load"
wait "$load" 2>/dev/null
kill -9 "$service"
wait "$service" 2>/dev/null
exec {service_in}>&-
run top --every=0.1 && ok 'the dead are told from the living' both is "$status" 0 prints '^s (gone)  '
rm -f "$work/s" "$work/s.psyne-lock"
ok 'nobody complained' is "$(cat served)" ''
finish
