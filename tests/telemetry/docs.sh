#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What names metrics names those that there are: the page, the dashboard, the alarms. And the dashboard is what Grafana imports.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
psynec=$build/runtime/command/psyne
page=$source/doc/telemetry.md

run metrics --list
while IFS=$'\t' read -r name type labels help; do
    family=${name%_total} && family=${family%_info}
    grep -qF "| \`$family\` | $type | $labels | $help |" "$page" || echo "$name"
done <out >missing
ok 'every metric is on the page' is "$(cat missing)" ''
# All names that can be asked for.
while IFS=$'\t' read -r name type _; do
    [ "$type" = histogram ] && printf '%s\n' "${name}_bucket" "${name}_sum" "${name}_count" || echo "$name"
done <out | sort >names
named() { grep -ohE 'psyne_[a-z0-9_]+' "$@" | sort -u; }
unknown() { comm -23 - names | tr '\n' ' '; }
ok 'the alarms ask for what there is' is "$(grep -v '^ *summary\|description' "$source/deploy/prometheus/psyne.rules.yml" | named | unknown)" ''
ok 'and speak of it' is "$(named "$source/deploy/prometheus/psyne.rules.yml" | sed 's/^psyne_batch_requests$/&_bucket/' | unknown)" ''
if python=$(type -P python3); then
    "$python" -B - "$source/deploy/grafana/psyne.json" >asked 2>err <<'P'
import json, re, sys
board = json.load(open(sys.argv[1]))
assert board["title"] and board["uid"] and board["schemaVersion"] >= 36 and board["id"] is None, "what an import needs"
ids, places = set(), set()
for p in board["panels"]:
    assert p["id"] not in ids and p["type"] in ("row", "timeseries", "stat", "heatmap", "bargauge"), p
    ids.add(p["id"])
    g = p["gridPos"]
    cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
    assert g["x"] + g["w"] <= 24 and not cells & places, (p["title"], "lies on another")
    places |= cells
    assert p["type"] == "row" or p["targets"], p["title"]
    for t in p.get("targets", []):
        assert t["datasource"]["uid"] == "${datasource}" and t["refId"], t
        print(t["expr"])
variables = {v["name"] for v in board["templating"]["list"]}
used = set(re.findall(r"\$([a-z]+)\b", json.dumps(board["panels"]))) - {"datasource"}
assert used <= variables, used
for v in board["templating"]["list"]:
    if v["type"] == "query":
        print(v["definition"])
P
    ok 'the dashboard' is "$(cat err)" ''
    ok 'which asks for something' test "$(wc -l <asked)" -gt 30
    ok 'that there is' is "$(named asked | unknown)" ''
    if promtool=$(type -P promtool); then
        # As rules, with what Grafana puts in.
        { printf 'groups:\n- name: board\n  rules:\n'; grep -v '^label_values' asked | sed 's/\$__rate_interval/1m/g; s/\$[a-z]*/x/g' | awk -v q="'" '{ gsub(q, q q); printf "  - {record: \"a:b%d\", expr: %s%s%s}\n", NR, q, $0, q }'; } >board.yml
        ok 'in the language of Prometheus' "$promtool" check rules board.yml
    else
        skip 'in the language of Prometheus' 'promtool was not found (Debian: prometheus)'
    fi
else
    skip 'the dashboard' 'python3 was not found'
fi
finish
