#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/perf/crossover.py: what it draws and writes of given figures, and that it writes nothing when some are wrong.
set -u
script=$PSYNE_SOURCE/tests/perf/crossover.py
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

# 40 figures, where a ring each is as often as quick as MPSC, and half as quick as MPMC.
figures() { # how often
    python3 - "$1" <<'P'
import json, sys
rows = [{"name": "ring/8B/one", "value": 1, "unit": "M/s", "peer": None, "peer_value": None}]
for size in "8B 64B 256B 1KiB 4KiB".split():
    for n in 1, 2, 4, 8:
        for batch in "one", "batch32":
            for peer, value in ("MPSC", 12 / float(sys.argv[1])), ("MPMC", 24):
                rows.append({"name": f"ring/crossover/{size}/p{n}/{batch}", "value": 12, "unit": "M/s", "peer": peer, "peer_value": value})
json.dump(rows, open("bench.json", "w"))
P
}
change() { # an expression that changes the list `r`
    python3 -c "import json; r = json.load(open('bench.json')); $1; json.dump(r, open('bench.json', 'w'))"
}
marks() { sed -n 's/^BEGIN, END = "\(.*\)", "\(.*\)"$/\1\n\2/p' "$script"; }
page() { { echo '# Rings' && marks | sed -n 1p && echo 'old' && marks | sed -n 2p && echo 'more'; } >page.md; }
refuses() { # words that must be said; nothing must have been written
    page
    cp page.md before.md && rm -f plot.svg
    ! python3 "$script" bench.json --svg plot.svg --page page.md 2>said || return 1
    cat said
    grep -qF "$1" said && ! grep -q Traceback said && cmp page.md before.md && [ ! -e plot.svg ] && [ ! -e plot.svg.tmp ]
}

figures 4 && page
ok 'all figures are drawn and written' python3 "$script" bench.json --svg plot.svg --page page.md
ok 'the plot is XML; every mark is as high as its ratio says' python3 - <<'P'
import re
import xml.etree.ElementTree as xml
svg = "{http://www.w3.org/2000/svg}"
root = xml.parse("plot.svg").getroot()
at = lambda e: tuple(map(float, re.findall(r"[\d.]+", e.get("transform"))))
marks = [at(e) for e in root.iter(svg + "path") if e.get("transform")]
assert len(marks) == 4 + 4 * 4 * 5, len(marks)
labels = {}
for e in root.iter(svg + "text"):
    labels.setdefault(e.text, []).append(float(e.get("y")) - 5)
heights = sorted({y for _, y in marks if y > 100})
# In the order of the panels: a ring each is 4 times as quick as MPSC, half as quick as MPMC.
wanted = [min(labels["4×"]), max(labels["1/2×"])]
assert len(heights) == 2 and all(abs(a - b) < 0.2 for a, b in zip(heights, wanted)), (heights, labels)
P
ok 'the table has every figure, the most in bold' [ "$(grep -o '12 · 3 · \*\*24\*\* |' page.md | wc -l)" = 40 ]
ok 'what stood between the marks is gone, the rest is there' [ "$(grep -c -e '^old$' page.md)$(grep -c -e '^more$' -e '^# Rings$' page.md)" = 02 ]
cp page.md once.md
ok 'written again, the page is the same' eval 'python3 "$script" bench.json --page page.md && cmp page.md once.md'
ok 'the table alone' eval 'python3 "$script" bench.json >table && [ "$(grep -c "^|" table)" = 12 ]'
change 'r.pop(7)'
ok 'a figure that is not there' refuses '1 figures are missing, the first is ring/crossover/'
figures 4 && change 'r[5]["peer_value"] = None'
ok 'a figure without a value' refuses 'has no figures: 12 and None'
figures 4 && change 'r[5]["unit"] = "ns"'
ok 'a figure in another unit' refuses 'is in ns, not M/s'
echo '[{"name":' >bench.json
ok 'no JSON' refuses 'bench.json: '
echo '{"a": [1]}' >bench.json
ok 'other JSON' refuses '80 figures are missing'
rm bench.json
ok 'no file' refuses 'No such file'
figures 4 && echo '# Rings' >page.md
ok 'a page without the marks' eval '! python3 "$script" bench.json --svg plot.svg --page page.md 2>said && grep -q "marks are not there" said && [ ! -e plot.svg ]'
ok 'the page of rings has the marks' eval 'marks | while read -r mark; do grep -cxF "$mark" "$PSYNE_SOURCE/doc/rings.md" || exit 1; done'
echo "1..$count"
