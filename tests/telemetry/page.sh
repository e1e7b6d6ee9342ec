#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page with live plots, in a browser without a head: it shows what a service does, and says so when there is none.
. "${PSYNE_SOURCE:?}/tests/telemetry/service.sh"

chromium=$(type -P chromium) && [ -n "$python" ] || {
    skip 'the page' 'chromium or python3 was not found (Debian: chromium)'
    finish
    exit
}
has_words || {
    skip 'the page' 'the example or its words are missing (Debian: wamerican)'
    finish
    exit
}
start_metrics
grep -q 'without libmicrohttpd' metrics.err && {
    skip 'the page' 'built without libmicrohttpd'
    finish
    exit
}
mkdir browser
cat >pages.py <<'P'
import os, re, subprocess, sys
sys.path.insert(0, os.environ["PSYNE_SOURCE"] + "/tests/telemetry")
from browser import Browser

url, chromium = sys.argv[1:3]
number = 0


def ok(name, good, said=""):
    global number
    number += 1
    print("%sok %d - %s" % ("" if good else "not ", number, name), flush=True)
    if not good:
        print("#", said, flush=True)


def tell(what):  # the script that started this one does it, and answers
    print("!" + what, flush=True)
    assert sys.stdin.readline() == "done\n"


with Browser(chromium, os.path.abspath("browser")) as b:
    b.call("Runtime.enable")
    b.call("Log.enable")
    text = lambda id: b.value("document.getElementById(%r).textContent" % id)
    b.open(url + "?every=200&theme=light")
    ok("without a service it says so", b.until("document.getElementById('empty') && !document.getElementById('empty').hidden", 30), b.value("document.body.innerText"))
    ok("and what its state is", b.until("document.getElementById('state').textContent === 'no service'", 10), text("state"))
    tell("start")
    ok("a service comes", b.until("document.getElementById('state').textContent === 'ready'", 60), text("state"))
    ok("with its shards", b.until("document.getElementById('shards').textContent === '2'", 10) and text("ofshards") == "of 2", text("shards"))
    tell("ask 60")
    ok("its requests", b.until("document.getElementById('total').textContent === '60'", 20), text("total"))
    tell("load")
    ok("a rate", b.until("Number(document.getElementById('rate').textContent) > 0", 30), text("rate"))
    ok("a median", b.until("/^< [0-9.]+ (µs|ms|s)$/.test(document.getElementById('p50').textContent)", 20), text("p50"))
    ok("a pipeline to choose", b.value("[...document.getElementById('pipeline').options].map(o => o.value).join()") == "nearest,stored_vector")
    ok("the busiest is chosen", b.value("document.getElementById('pipeline').value") == "nearest")
    rows = "[...document.querySelectorAll('#%s tr')].map(r => r.cells[0].textContent).join()"
    ok("shards in a table", b.value(rows % "shard-table") == "shard,0,1", b.value(rows % "shard-table"))
    ok("rings in a table", "shard 0 requests" in b.value(rows % "ring-table"), b.value(rows % "ring-table"))
    ok("fill levels are meters", b.value("document.querySelectorAll('#ring-table [role=meter][aria-valuemax]').length") >= 4)
    ok("memory in a table", "gather" in b.value(rows % "slab-table"))
    parts = "(r => r ? [...r.cells].slice(1, 3).map(c => c.textContent).join() : '')([...document.querySelectorAll('#resident-table tr')].find(r => r.cells[0].textContent === 'words'))"
    ok("resident data in a table, with what each shard has", re.fullmatch(r"[0-9,.kM]+ \+ [0-9,.kM]+,[0-9,.kM]+", b.value(parts)), b.value(parts))
    ok("and its version", text("data-legend").startswith("version 1, edits 0 (refused 0, kept 0), no snapshot"), text("data-legend"))
    colours = "(id => { const c = document.getElementById(id), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, s = new Set(); for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) s.add(d[i] + ',' + d[i + 1] + ',' + d[i + 2]); return s.size; })('%s')"
    for id in ("rates", "times", "heat", "batches"):
        ok("something is drawn: " + id, b.until(colours % id + " > 5", 20), b.value(colours % id))
    ok("no plot is wider than the page", b.value("document.documentElement.scrollWidth <= innerWidth"))
    if len(sys.argv) > 3:
        b.until("Number(document.body.dataset.looks) > 150", 60)
        b.picture(sys.argv[3])
    b.key("t")
    ok("dark by a key", b.value("document.documentElement.classList.contains('dark')"))
    b.key(" ")
    looks = b.value("document.body.dataset.looks")
    ok("a pause by a key", b.value("document.getElementById('pause').getAttribute('aria-pressed')") == "true")
    ok("in which nothing changes", not b.until("document.body.dataset.looks !== '%s'" % looks, 1))
    b.key(" ")
    ok("and on", b.until("document.body.dataset.looks !== '%s'" % looks, 10) or looks == "180")
    b.key("2")
    ok("another pipeline by a key", b.value("document.getElementById('pipeline').value") == "stored_vector")
    b.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=2, mobile=True)
    ok("it fits a telephone", b.until("document.documentElement.scrollWidth <= 390", 5), b.value("document.documentElement.scrollWidth"))
    b.call("Emulation.clearDeviceMetricsOverride")
    tell("kill 1")
    ok("a shard is missing", b.until("document.getElementById('state').textContent === 'not all shards'", 30), text("state"))
    tell("stop")
    ok("the service is down", b.until("document.getElementById('state').textContent === 'down'", 30), text("state"))
    tell("end")
    ok("nobody answers", b.until("document.getElementById('state').textContent === 'no answer'", 30), text("state"))
print("1..%d" % number)
P
coproc PAGES { exec "$python" -B pages.py "$url" "$chromium" ${PSYNE_PICTURE:+"$PSYNE_PICTURE"} 2>pages.err; }
pages=$PAGES_PID
started="$started $pages"
said=${PAGES[0]} to=${PAGES[1]} failed=0
load() { while :; do "$nearest" query --socket socket --module "$module" --words words $(head -n 60 words) >/dev/null 2>&1 || break; done; }
while read -r line <&"$said"; do
    case $line in
    '!start') start_service ;;
    '!ask '*) ask "${line#* }" ;;
    '!load')
        load &
        started="$started $!"
        ;;
    '!kill '*)
        kill -9 "${shards[${line#* }]}"
        wait "${shards[${line#* }]}" 2>/dev/null
        ;;
    '!stop') stop "$broker" "${shards[0]}" ;;
    '!end') stop "$metrics" ;;
    *)
        echo "$line"
        case $line in not*) failed=1 ;; esac
        continue
        ;;
    esac
    echo done >&"$to"
done
wait "$pages" 2>/dev/null || failed=1
sed 's/^/# /' pages.err
[ $failed = 0 ]
