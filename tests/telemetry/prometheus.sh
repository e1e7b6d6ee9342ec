#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real Prometheus scrapes a service that runs, and says what it has seen: also while a shard dies and another comes.
. "${PSYNE_SOURCE:?}/tests/telemetry/service.sh"

prometheus=$(type -P prometheus) && promtool=$(type -P promtool) && [ -n "$python" ] || {
    skip 'prometheus' 'prometheus or python3 was not found (Debian: prometheus)'
    finish
    exit
}
ok 'the rules for alerts' "$promtool" check rules "$source/deploy/prometheus/psyne.rules.yml"
has_words || {
    skip 'a service' 'the example or its words are missing (Debian: wamerican)'
    finish
    exit
}
start_metrics
grep -q 'without libmicrohttpd' metrics.err && {
    skip 'a service' 'built without libmicrohttpd'
    finish
    exit
}
ok 'a service' start_service
address=$(echo "$url" | sed 's/^http:..\(.*\)\/$/\1/')
cat >prometheus.yml <<Y
global:
  scrape_interval: 250ms
  evaluation_interval: 500ms
rule_files: ["$source/deploy/prometheus/psyne.rules.yml"]
scrape_configs:
  - job_name: psyne
    static_configs:
      - targets: ["$address"]
Y
begin prometheus.out "$prometheus" --config.file=prometheus.yml --storage.tsdb.path="$work/tsdb" --web.listen-address=127.0.0.1:0
prometheus_pid=$last
listens() { grep -q 'msg="Listening on" address=127.0.0.1:' prometheus.out.err; }
ok 'prometheus' until_true 60 listens
api=http://$(sed -n 's/.*msg="Listening on" address=\(127.0.0.1:[0-9]*\).*/\1/p' prometheus.out.err | head -n 1)/api/v1

cat >query.py <<'P'
import json, sys, urllib.parse, urllib.request
api, expression = sys.argv[1:3]
answer = json.load(urllib.request.urlopen(api + "/query?query=" + urllib.parse.quote(expression), timeout=20))
assert answer["status"] == "success", answer
result = answer["data"]["result"]
for one in result:
    print(one["value"][1], *sorted("%s=%s" % pair for pair in one["metric"].items() if pair[0] not in ("instance", "job", "__name__")))
P
query() { "$python" -B query.py "$api" "$1" 2>err | sort; }
gives() { is "$(query "$1")" "$2" 2>/dev/null; }
shows() { ok "$1" until_true 40 gives "$2" "$3"; } # name, expression, what comes

ask 40
ok 'answers' is "$(grep -c ' -> ' answers)" 40
shows 'the target is up' 'up{job="psyne"}' '1'
shows 'requests' 'psyne_requests_total' '40 service=socket'
shows 'of which pipeline' 'psyne_pipeline_requests_total > 0' '40 pipeline=nearest service=socket'
shows 'latencies' 'psyne_latency_seconds_count{pipeline="nearest"}' '40 pipeline=nearest service=socket'
shows 'buckets agree' 'count(psyne_latency_seconds_bucket{pipeline="nearest",le="+Inf"} == 40)' '1'
shows 'a quantile is between 0 and ten seconds' 'count(histogram_quantile(0.5, sum by (le) (psyne_latency_seconds_bucket)) > 0 < 10)' '1'
shows 'what shards did' 'sum(psyne_worker_requests_total)' '80'
shows 'sizes of batches' 'sum(psyne_batch_requests_sum) == 80 and sum(psyne_batch_requests_count) <= 80' '80'
shows 'slabs' 'psyne_slab_slots{slab="gather"}' '4096 service=socket slab=gather'
shows 'gauges' 'psyne_shards_ready' '2 service=socket'
type_of() { # metric: as Prometheus learnt it
    "$python" -B - "$api" "$1" 2>err <<'P'
import json, sys, urllib.request
data = json.load(urllib.request.urlopen(sys.argv[1] + "/metadata?metric=" + sys.argv[2], timeout=20))["data"]
print(*(one["type"] + " " + one["unit"] for one in data[sys.argv[2]]))
P
}
ok 'types and units, as OpenMetrics has them' is "$(type_of psyne_latency_seconds) $(type_of psyne_requests)" 'histogram seconds counter '

went_back= # how often any of these did
for metric in requests_total pipeline_requests_total worker_requests_total worker_batches_total latency_seconds_bucket latency_seconds_sum batch_requests_bucket \
    ring_messages_total ring_bytes_total; do
    went_back="$went_back${went_back:+ + }sum(resets(psyne_$metric[10m]))"
done

# A shard dies at once, and another comes: nothing that was counted goes back.
kill -9 "${shards[1]}"
wait "${shards[1]}" 2>/dev/null
shows 'a shard less' 'psyne_shards_ready' '1 service=socket'
ok 'of which an alert is made' until_true 40 eval 'query "ALERTS{alertname=\"PsyneShardMissing\"}" | grep -q alertstate='
start_shard 1
shows 'and another' 'psyne_shards_ready' '2 service=socket'
ask 20
shows 'requests go on' 'psyne_requests_total' '60 service=socket'
shows 'those of the shard that died are not lost' 'sum(psyne_worker_requests_total)' '120'
"$psynec" counters --clean >/dev/null
ask 1
shows 'nor when its file is cleaned away' 'sum(psyne_worker_requests_total)' '122'
shows 'no counter has gone back' "$went_back" '0'
# The broker is started again: counters go on where they were.
stop "$broker" "${shards[@]}"
shows 'a service that is down' 'psyne_up' '0 service=socket'
start_service && ask 5
shows 'and up again' 'psyne_up' '1 service=socket'
shows 'goes on counting' 'psyne_requests_total' '66 service=socket'
shows 'still none has gone back' "$went_back" '0'
stop "$prometheus_pid"
ok 'prometheus had nothing to complain of' is "$(grep 'level=error\|level=warn' prometheus.out.err | grep -v 'Received SIGTERM')" ''
finish
