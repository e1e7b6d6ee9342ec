#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne metrics: what it prints and serves, to whom it says what is wrong, and what strangers can do to it.
. "${PSYNE_SOURCE:?}/tests/telemetry/service.sh"

run metrics --once && ok 'nobody counts yet' both is "$status" 0 prints '^psyne_processes 0$'
run metrics --list && ok 'a list of all' both is "$(cut -f 2 out | sort -u | tr '\n' ' ')" 'counter gauge histogram info ' prints '^psyne_requests_total	counter	service	requests accepted from clients$'
if promtool=$(type -P promtool); then
    run metrics --once && ok 'nothing is good metrics too' "$promtool" check metrics <out
else
    skip 'promtool' 'promtool was not found (Debian: prometheus)'
fi
run metrics --listen 1.2.3 && ok 'a bad address' both is "$status" 1 says 'a port from 0 to 65535'
run metrics --listen 127.0.0.1:0 --once && ok 'served or printed' both is "$status" 2 says '--listen serves metrics'
run metrics a b && ok 'two folders' both is "$status" 2 says 'one folder is read'

coproc KEPT { exec "$build/tests/command/count_rings" 2>>kept; }
started="$started $KEPT_PID"
kept_in=${KEPT[1]} kept_out=${KEPT[0]}
counts() { # a line
    local said
    echo "$1" >&"$kept_in" && read -r said <&"$kept_out" && [ "$said" = ok ]
}
counts 'service:nearest 7 0 0 1000 2 3 4 5000 6 2 2 8 4096 0'
counts 'worker:nearest/shard+1 7 1 0 1000 20 1000 0 0 1 64 0'
counts 'batch:nearest/shard+1 7 1 0 10 5 5'
counts 'pipeline:nearest/words 8 0 0 1000 4 2000000 90000'
for part in 0 1 2 3 4 5 6 7; do
    counts "latency:nearest/words 8 $part 0 1 1 1"
done
counts 'slab:nearest/gather 9 0 0 4096 64 1 2'
counts 'supervisor:nearest 10 0 0 3 1 0 0 3'
counts 'nearest/client+0+requests 11 0 1024 5012 5012 320768 3 5 800 0'
counts 'nearest/client+0+requests 11 1 1024 5000 5000 320000 41 2 790 0'
run metrics --once
ok 'all of it' is "$(grep -c '^psyne_latency_seconds_bucket{service="nearest",pipeline="words",le=' out) $(grep '^psyne_supervisor_restarts_total' out)" \
    '58 psyne_supervisor_restarts_total{service="nearest"} 3'
[ -z "$promtool" ] || ok 'good metrics' "$promtool" check metrics <out
[ -z "$promtool" ] || ok 'which say nothing that promtool advises against' is "$("$promtool" check metrics <out 2>&1)" ''
run metrics --openmetrics && ok 'as OpenMetrics' is "$(tail -n 1 out)$(grep -c '^# UNIT psyne_latency_seconds seconds$' out)" '# EOF1'
run metrics --json
if [ -n "$python" ]; then
    ok 'as JSON' "$python" -c 'import json
all = json.load(open("out"))
fill, = [e for e in all["entries"] if e["section"] == "fill"]
assert fill["values"] == {"used": 12, "slots": 1024} and fill["name"] == "client 0 requests", fill
latency, = all["latencies"]
assert sum(n for _, n in latency["buckets"]) == 24 and latency["name"] == "words", latency'
fi

start_metrics
if grep -q 'without libmicrohttpd' metrics.err; then
    skip 'the server' 'built without libmicrohttpd'
    finish
    exit
fi
run metrics --listen "${url:7:-1}" && ok 'a port in use' both is "$status" 1 says 'is in use'
if curl=$(type -P curl); then
    get() { # path, curl options...: status and type; out
        local path=$1
        shift
        "$curl" -s -m 20 -o out -w '%{http_code} %{content_type}' "$@" "${url%/}$path"
    }
    ok 'metrics' both is "$(get /metrics)" '200 text/plain; version=0.0.4; charset=utf-8' prints '^psyne_requests_total{service="nearest"} 1000$'
    ok 'OpenMetrics, where it is accepted' both is "$(get /metrics -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5')" \
        '200 application/openmetrics-text; version=1.0.0; charset=utf-8' prints '^# EOF$'
    ok 'health' both is "$(get /healthz)" '200 text/plain; charset=utf-8' prints '^ok$'
    ok 'readiness' both is "$(get /readyz)" '200 text/plain; charset=utf-8' prints '^ok$'
    ok 'the page' both is "$(get /)" '200 text/html; charset=utf-8' prints '<title>Psyne</title>'
    ok 'which is the one in the tree' same out "$source/runtime/telemetry/page.html"
    ok 'what it reads' both is "$(get /data.json)" '200 application/json' prints '"section":"service"'
    ok 'nothing else' is "$(get /other)" '404 text/plain; charset=utf-8'
    counts 'service:other 17 0 0 0 0 0 0 0 0 3 1 0 16 0'
    sleep 0.2
    ok 'a service that lacks shards is not ready' both is "$(get /readyz)" '503 text/plain; charset=utf-8' prints '^other: 1 of 3 shards are ready$'
    counts '- other 0'
    counts '- nearest 0'
    sleep 0.2
    ok 'without services there is nothing to be ready' both is "$(get /readyz)" '503 text/plain; charset=utf-8' prints '^no service runs$'
    ok 'what was counted stays' both is "$(get /metrics)" '200 text/plain; version=0.0.4; charset=utf-8' prints '^psyne_requests_total{service="nearest"} 1000$'
    ok 'which is not up' prints '^psyne_up{service="nearest"} 0$'
else
    skip 'answers' 'curl was not found'
fi
if [ -n "$python" ]; then
    before=$(ls "/proc/$metrics/fd" | wc -l)
    port=$(echo "$url" | sed 's/.*:\([0-9]*\)\/$/\1/')
    ok 'strangers' "$python" -B "$source/tests/telemetry/hostile.py" "$port"
    ok 'who leave nothing open' until_true 30 eval '[ "$(ls /proc/$metrics/fd | wc -l)" -le "$before" ]'
else
    skip 'strangers' 'python3 was not found'
fi
status=0
kill -TERM "$metrics"
wait "$metrics" || status=$?
ok 'it ends when it is told to' is "$status $(cat metrics.err)" '0 '
exec {kept_in}>&-
ok 'nobody complained' is "$(cat kept)" ''
finish
