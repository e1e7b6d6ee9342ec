#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/perf/load.py: what it draws of given figures, and that it writes nothing when some are wrong.
set -u
script=$PSYNE_SOURCE/tests/perf/load.py
export PYTHONDONTWRITEBYTECODE=1
count=0
ok() { # what, command...
    local what=$1
    shift
    count=$((count + 1))
    if "$@" >log 2>&1; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        sed 's/^/# /' log
    fi
}
if ! command -v python3 >/dev/null; then
    echo 'ok 1 - # SKIP python3 is missing'
    echo '1..1'
    exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Ten and 1,000 thousand a second: psyne takes 10 and 100 us, its slowest tenfold; the peer is there at the lower rate only.
figures() {
    python3 - <<'P'
import json
rows = [{"name": "rpc/64B/load/half", "value": 1, "unit": "us", "peer": "ZeroMQ's median", "peer_value": 2}]
for rate, took, peer in (1000, 100, None), (10, 10, 100):
    for kind, times in ("p50", 1), ("p99", 10):
        rows.append({"name": f"rpc/64B/load/{rate}/{kind}", "value": took * times, "unit": "us",
                     "peer": peer and "ZeroMQ ROUTER/DEALER", "peer_value": peer and peer * times})
json.dump(rows, open("bench.json", "w"))
P
}
change() { # an expression that changes the list `r`
    python3 -c "import json; r = json.load(open('bench.json')); $1; json.dump(r, open('bench.json', 'w'))"
}
refuses() { # words that must be said; nothing must have been written
    rm -f plot.svg
    ! python3 "$script" bench.json --svg plot.svg 2>said || return 1
    cat said
    grep -qF "$1" said && ! grep -q Traceback said && [ ! -e plot.svg ] && [ ! -e plot.svg.tmp ]
}

figures
ok 'the figures are drawn' python3 "$script" bench.json --svg plot.svg
ok 'the plot is XML; every mark lies where its rate and time are on the axes' python3 - <<'P'
import re
import xml.etree.ElementTree as xml
svg = "{http://www.w3.org/2000/svg}"
root = xml.parse("plot.svg").getroot()
at = lambda e: tuple(map(float, re.findall(r"[\d.]+", e.get("transform"))))
marks = sorted(p for p in (at(e) for e in root.iter(svg + "path") if e.get("transform")) if p[1] > 80)
text = {}
for e in root.iter(svg + "text"):
    text.setdefault(e.text, []).append((float(e.get("x")), float(e.get("y"))))
across = lambda label: max(text[label], key=lambda p: p[1])[0]
high = lambda label: min(text[label])[1] - 5
wanted = sorted([(across("10"), high("10")), (across("10"), high("100")), (across("10"), high("100")), (across("10"), high("1,000")),
                 (across("1,000"), high("100")), (across("1,000"), high("1,000"))])
assert len(marks) == 6 and all(abs(a - b) < 0.2 for m, w in zip(marks, wanted) for a, b in zip(m, w)), (marks, wanted)
P
ok 'without a peer psyne alone is drawn' eval 'change "[x.update(peer=None, peer_value=None) for x in r]" && python3 "$script" bench.json --svg plot.svg && ! grep -q "ZeroMQ, " plot.svg'
figures && change 'r.pop(1)'
ok 'one rate is no line' refuses 'no two rates with p50'
figures && change 'r[1]["value"] = -1'
ok 'a time that cannot be' refuses 'psyne took -1'
figures && change 'r[1]["unit"] = "ms"'
ok 'another unit' refuses 'is no time at a rate'
figures && change 'r[3]["peer"] = "another"'
ok 'another peer' refuses 'another took 100'
echo '[{"name":' >bench.json
ok 'no JSON' refuses 'bench.json: '
rm bench.json
ok 'no file' refuses 'No such file'
echo "1..$count"
