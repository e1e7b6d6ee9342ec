#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne counters, and the reader of doc/counters.md: what a process counts is what others see, while it counts and when it is dead.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
psynec=$build/runtime/command/psyne
page=$source/doc/counters.md
export PSYNE_COUNTERS=$work/psyne

keep() { # number, file: a process that counts, into which `counts` writes
    eval "coproc $1 { exec \"\$build/tests/command/count_rings\" ${2-} 2>>kept; }" 2>/dev/null
}
counts() { # its descriptors, and a line
    local said
    echo "$3" >&"$2" && read -r said <&"$1" && [ "$said" = ok ]
}

run counters && ok 'nobody counts yet' both is "$status" 1 says "psyne: $PSYNE_COUNTERS: stat: No such file or directory"

# Two processes with the rings that are on the page.
keep A
a_pid=$A_PID a_out=${A[0]} a_in=${A[1]}
counts "$a_out" "$a_in" 'orders 11 0 1024 5012 5012 320768 3 5 800 0'
counts "$a_out" "$a_in" 'quotes 12 0 256 900 900 57600 0 2 31 0'
counts "$a_out" "$a_in" 'quotes 12 0 256 450 0 0 0 0 0 0'
keep B 2>/dev/null
b_pid=$B_PID b_out=${B[0]} b_in=${B[1]}
counts "$b_out" "$b_in" 'orders 11 1 1024 5000 5000 320000 41 2 790 0'
counts "$b_out" "$b_in" 'quotes 12 1 256 900 900 57600 9 0 31 1'
run counters
awk '/^```console$/ { inside = 1; next } /^```/ && inside { exit } inside && !/^\$/' "$page" >shown
ok 'the page shows what is said' both is "$status" 0 same out shown
run counters "$PSYNE_COUNTERS" && ok 'of a folder that is named' same out shown
run counters "$PSYNE_COUNTERS/$b_pid-"* && ok 'one file' both is "$status" 0 prints '^orders   0    1     -  1024   790     -   5000  320000     -     41      2$'
run counters --every=1 --count 2 && ok 'rates' both is "$(grep -c ^RING out)" 2 prints '^orders .* 0        0$'
run counters --every 1 --count=1 && ok 'not yet the first time' prints '^quotes .* -        -$'

python=$(type -P python3)
if [ -n "$python" ]; then
    awk '/^```python$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$page" >reader.py
    look() { "$python" -B - 2>err; }
    run counters --json && cp out all.json
    ok 'JSON' look <<'P'
import json
all = json.loads(open("all.json").read())
assert [f["alive"] for f in all["files"]] == [True, True] and all["files"][0]["rows"] == 48, all
orders, quotes = all["rings"]
assert (orders["label"], orders["fill"], orders["high_water"], orders["producers"], quotes["producers"]) == ("orders", 12, 800, 1, 2), all
assert orders["ring"] == "%016x" % 11 and orders["slots"] == 1024 and orders["stride"] == 64
assert orders["consumer"] == dict(position=5000, messages=5000, bytes=320000, stalls=41, wakes=2, high_water=790, recovered=0), orders
assert quotes["consumer"]["recovered"] == 1 and quotes["producer"]["position"] == 900
P
    "$python" -B reader.py "$PSYNE_COUNTERS"/* >out 2>err
    ok 'the reader of the page' both is "$(wc -l <out)" 5 prints \
        '^orders 000000000000000b consumer lives position=5000 messages=5000 bytes=320000 stalls=41 wakes=2 high_water=790 recovered=0$'
    ok 'it knows all that is counted' is "$(sed -n 's/^RING_COUNTER(\([a-z_]*\), [A-Z].*/\1/p' "$source/runtime/include/psyne/counters.def" | tr '\n' ' ')" \
        "$(sed -n '1s/[^=]* \([a-z_]*\)=[0-9]*/\1 /gp' out)"
    counts "$b_out" "$b_in" busy
    ok 'while rows change hands' look <<'P'
import os, reader, time
path, = [e.path for e in os.scandir(os.environ["PSYNE_COUNTERS"]) if b"orders" in open(e.path, "rb").read() and b"busy" in open(e.path, "rb").read()]
seen, reads, until = 0, 0, time.monotonic() + 60
while reads < 3000 or seen <= 20 and time.monotonic() < until:
    reads += 1
    lives, rows = reader.read(path)
    assert lives
    for label, ring, side, values in rows:
        if label.startswith("busy"):
            both = ring << 32 | ring
            assert label == "busy %d" % ring and side == ring % 2, (label, ring, side)
            assert values["messages"] in (0, both) and values["high_water"] in (0, 2**64 - 1 - both), (ring, values)
            seen += 1
assert seen > 20, seen
P
    kill -9 "$b_pid" && wait "$b_pid" 2>/dev/null
    "$python" -B reader.py "$PSYNE_COUNTERS"/* >out 2>err
    ok 'who died is seen to be dead' both is "$(grep -c ' died ' out)" "$(grep -c ' died .*position' out)" prints '^orders 000000000000000b consumer died'
else
    skip 'the reader of the page' 'python3 was not found'
    counts "$b_out" "$b_in" busy
    kill -9 "$b_pid" && wait "$b_pid" 2>/dev/null
fi
run counters && ok 'the dead are told from the living' both is "$status" 0 prints '^orders .* 1  0 of 1    12  1024 '
run counters --clean && ok 'and cleaned away' is "$(cat out)" '1 file of dead processes removed'
run counters --clean && ok 'but nobody else' is "$(cat out)" '0 files of dead processes removed'
run counters && ok 'what is left' both is "$status" 0 prints '^orders   1    0     -  1024 '

# A service with one pipeline, whose histogram has its eight parts.
counts "$a_out" "$a_in" 'service:nearest 7 0 0 1000 2 3 4 5000 6 2 2 8 4096 0'
counts "$a_out" "$a_in" 'worker:nearest/shard+0 7 0 0 1000 20 1000 0 0 1 64 0'
counts "$a_out" "$a_in" 'pipeline:nearest/words 8 0 0 1000 4 2000000 90000'
for part in 0 1 2 3 4 5 6 7; do # 500 times from 1024 to 1279 ns, 500 from 65536 to 81919 ns
    case $part in 0) values='0 0 0 0 0 0 0 0 0 0 0 0 0 500' ;; 2) values='0 0 0 0 0 500' ;; *) values=0 ;; esac
    counts "$a_out" "$a_in" "latency:nearest/words 8 $part 0 $values"
done
run counters
ok 'a service' both is "$status" 0 prints '^nearest  *1000  *2  *3  *4  *5000  *6  *2  *2  *8  *4096  *0'
ok 'a worker' prints '^nearest/shard 0  *1000  *20  *1000  *0  *0  *1  *64  *0'
ok 'a pipeline and its times' prints '^nearest/words  *1000  *4  *2.00us  *1.28us  *81.9us  *81.9us  *81.9us  *90.0us$'
run counters --every 1 --count 2 && ok 'rates of services' prints '^nearest/words .* 0$'
counts "$a_out" "$a_in" '- nearest/words 3'
run counters && ok 'a histogram that lacks a part is none' prints '^nearest/words  *1000  *4  *2.00us  *-  *-  *-  *-  *90.0us$'
if [ -n "$python" ]; then
    counts "$a_out" "$a_in" 'latency:nearest/words 8 3 0 1'
    run counters --json && cp out all.json
    ok 'sections in JSON' look <<'P'
import json
all = json.loads(open("all.json").read())
service, = all["sections"]["service"]
assert service["label"] == "nearest" and service["living"] == 1 and service["values"]["in_flight_limit"] == 4096, service
assert all["sections"]["worker"][0]["values"]["batch_peak"] == 64 and all["sections"]["slab"] == [], all
latency, = all["latencies"]
assert latency["count"] == 1001 and latency["below_ns"] == {"0.5": 81920, "0.9": 81920, "0.99": 81920, "0.999": 81920}, latency
assert latency["buckets"][0] == {"from_ns": 1024, "below_ns": 1280, "count": 500} and len(latency["buckets"]) == 3, latency
P
    "$python" -B reader.py "$PSYNE_COUNTERS"/* >out 2>err
    ok 'the reader of the page goes on with rings' both is "$(grep -c nearest out)" 0 prints '^orders 000000000000000b producer lives'
fi

printf 'PSYC' >"$PSYNE_COUNTERS/bad.counters"
run counters && ok 'a bad file among good ones' both is "$status" 1 says 'bad.counters is no file of counters'
ok 'the others are shown' prints '^quotes'
run counters "$PSYNE_COUNTERS/bad.counters" && ok 'a bad file alone' both is "$status" 1 is "$(cat out)" ''
rm "$PSYNE_COUNTERS/bad.counters"

exec {a_in}>&-
eval 'exec '"${A[1]-}"'>&-' 2>/dev/null
wait "$a_pid"
ok 'a process that ends leaves nothing' is "$?$(names "$PSYNE_COUNTERS")" '0*'
run counters && ok 'no rings' both is "$status" 0 is "$(wc -l <out)" 1
ok 'nobody complained' is "$(cat kept)" ''

run counters --list && ok 'what is counted' both is "$status" 0 prints '^  high_water        peak      slots     most slots'
run counters --count=2 && ok 'wrong use: a count alone' both is "$status" 2 says '--count needs --every'
run counters a b && ok 'wrong use: two' both is "$status" 2 says 'one file or folder is read'
run counters --every x && ok 'wrong use: no number' both is "$status" 2 says '--every takes a whole number'
finish
