#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne serve and data that changes: snapshots that it writes and begins with, shards that come back with them, and files that are read anew.
. "${PSYNE_SOURCE:?}/tests/command/served.sh"
trap '[ -z "$service" ] || kill -9 "$service"; rm -rf "$work"' EXIT

edit() { timeout 100 "$build/tests/command/serve_edit" "ipc://$socket" "$@" 2>>err; }
stored() { timeout 100 "$build/tests/command/serve_ask" "ipc://$socket" served.psm stored_row served.Key served.Stored "{\"key\": $1}" 2>&1; }
has() { [ "$(stored "$1")" = "{\"vector\": [$2, 0, 0, 0]}" ] || { echo "key $1: $(stored "$1")" >>err && false; }; }
made() { [ "$(grep -c 'snapshot.made' log)" -ge "$1" ]; }
version() { grep 'snapshot.made' log | tail -n 1 | grep -q "version=$1 "; }
list() { sed -n "s/^$1 //p" shots/snapshot; }

# ---- edits outlive the service ----

ok 'it starts, and makes the folder' every 'start "${all[@]}" --shards 2 --snapshot shots --log-level debug' 'test -d shots' '! test -e shots/snapshot'
ok 'it answers' answers
ok 'a client changes the data' every 'is "$(edit 20 5)" 2' 'has 20 5'
kill -USR1 "$service"
ok 'SIGUSR1: a snapshot' every 'await made 1' 'version 2' 'is "$(list version)" 2' 'is "$(list shards)" 2'
find_numpy
if [ -n "$python" ]; then
    ok 'NumPy reads it' is "$("$python" -c '
import numpy, glob
print(sum(len(numpy.load(f)) for f in glob.glob("shots/data-*/stored.shard-?-of-2.npy")), sorted(k for f in glob.glob("shots/data-*/stored.*.keys.npy") for k in numpy.load(f))[-1])' 2>>err)" '7 20'
else
    skip 'NumPy reads it' 'python3-numpy is missing'
fi
kill -USR1 "$service"
ok 'and another one, although nothing has changed' every 'await made 2' 'version 2'
ok 'a client changes it again' every 'is "$(edit 21 6)" 3' 'has 21 6'
for victim in 'shard 0' 'shard 1'; do
    old=$(process "$victim")
    kill -9 "$old"
    ok "$victim is killed, and comes back with the snapshot and the edits since" every "await is_new '$victim' $old" 'await answers' 'await has 20 5' 'await has 21 6' \
        "grep -q 'data.restored .*version=2' log"
done
stop
ok 'at its end it writes what has changed' every "is $status 0" 'version 3' 'is "$(list version)" 3'
cp log first.log

run serve "${all[@]}" --snapshot shots --check && ok 'what would be served' both is "$status" 0 prints '^snapshot: shots, version 3, residents: 3; it is served'
run serve "${all[@]}" --snapshot shots --check --json && ok 'the same as JSON' both is "$status" 0 prints '"snapshot":{"folder":"shots","version":3,"residents":3}'
ok 'it goes on from there, with more shards' every 'start "${all[@]}" --shards 3 --snapshot shots --log-level debug' answers 'has 20 5' 'has 21 6' 'has 10 1' "! grep -q data.loaded log"
old=$(process broker)
kill -9 "$old"
ok 'the broker is killed: all come back with the snapshot' every "await is_new broker $old" 'await answers' 'has 21 6' 'is "$(edit 22 7)" 4' 'has 22 7'
stop
ok 'and end' is "$status" 0
start "${all[@]}" --shards 3 --snapshot shots && stop
ok 'where nothing has changed, nothing is written' every "is $status 0" '! made 1'
ok 'files that it has need not be there' every 'start served.psm --socket "$socket" --snapshot shots' answers 'has 22 7'
stop

# ---- one process ----

for agents in threads one; do
    more=$((30 + ${#agents}))
    ok "all agents in one process, $agents" every "start served.psm --socket $socket --shards 2 --agents $agents --snapshot shots --log-level debug" 'has 22 7'
    edit $more 8 >/dev/null
    kill -USR1 "$service"
    ok 'a snapshot' every 'await made 1' "has $more 8"
    edit $more 9 >/dev/null
    old=$(process service)
    kill -9 "$old"
    ok 'it is killed: it is as the snapshot was' every "await is_new service $old" "await has $more 8"
    edit $more 9 >/dev/null
    stop
    ok 'it ends, and the next one has all of it' every "is $status 0" 'start served.psm --socket "$socket" --snapshot shots' "has $more 9"
    stop
done

# ---- without being told ----

start "${all[@]}" --snapshot shots --snapshot-every 1
edit 40 4 >/dev/null
ok 'every second, if there is something to write' await made 1
sleep 2
ok 'and only then' is "$(grep -c snapshot.made log)" 1
stop
start "${all[@]}" --snapshot shots --log-level debug
before=$(list version)
ok 'many edits' is "$(edit 41 1 300)" $((before + 300))
ok 'a snapshot comes before they are too many to be kept' await made 1
old=$(process 'shard 0')
kill -9 "$old"
ok 'so that a shard can come back' every "await is_new 'shard 0' $old" 'await has 41 1'
stop

# ---- files that are read anew ----

cp rows.npy store.npy && cp keys.npy store_keys.npy
apart=(served.psm --socket "$socket" --data rows=rows.npy --data names=names.txt --data stored=store.npy --keys stored=store_keys.npy)
start "${apart[@]}" --shards 2 --log-level debug
kill -USR1 "$service"
ok 'without a folder there are no snapshots' every 'await grep -q snapshot.refused log' answers
five_rows="$i$o$o$o$ii$o$o$o$o$i$o$o$o$o$i$o$o$o$o$i"
npy new.npy '<f4' '6, 4' "$five_rows$o$ii$o$o"
other='{"score": [2, 1], "index": [1, 0], "name": ["bravo", "alpha"]}'
answers_other() { [ "$(ask 2>>err)" = "$other" ] || { echo "the answer is: $(ask 2>&1)" >>err && false; }; }
ask 2 >asked 2>>err &
asker=$!
mv new.npy rows.npy
kill -HUP "$service"
ok 'SIGHUP: a file that has changed is served' every 'await grep -q "data.reloaded .*resident=rows version=2" log' 'answers_other' "! grep -q 'reloaded .*resident=names' log"
wait "$asker"
ok 'nobody was disturbed' every 'grep -q " failed=0 " asked'
kill -HUP "$service"
reloads() { [ "$(grep -c serve.reloaded log)" = "$1" ]; }
ok 'what has not changed since is left alone' every 'await reloads 2' 'is "$(grep -c data.reloaded log)" 1'
for victim in 'shard 0' 'shard 1'; do
    old=$(process "$victim")
    kill -9 "$old"
    ok "$victim is killed, and comes back with it" every "await is_new '$victim' $old" 'await answers_other'
done
printf '%s\n' alpha bravo charlie delta echo >few.txt
mv few.txt names.txt
kill -HUP "$service"
ok 'one that does not fit is refused' every 'await grep -q "config.refused .*key=data name=names reason=.*N is [56]" log' answers_other
npy few.npy '<f4' '5, 4' "$five_rows"
mv few.npy rows.npy
kill -HUP "$service"
ok 'until those that belong together are there' every 'await grep -q "data.reloaded .*resident=names version=3" log' answers_other 'is "$(grep -c data.reloaded log)" 3'
printf 'x' >bad && mv bad rows.npy
kill -HUP "$service"
ok 'one that is none is refused' every 'await grep -q "config.error .*rows.npy" log' answers_other
stop
ok 'it ends' is "$status" 0

npy rows.npy '<f4' '6, 4' "$six_rows"
printf '%s\n' alpha bravo charlie delta echo foxtrot >names.txt
ok 'data by key' start "${apart[@]}" --snapshot shots2 --agents one
npy two.npy '<f4' '2, 4' "$i$o$o$o$ii$o$o$o" && mv two.npy store.npy
npy two.npy '<u8' '2,' '\012\0\0\0\0\0\0\0\012\0\0\0\0\0\0\0' && mv two.npy store_keys.npy
kill -HUP "$service"
ok 'two rows with one key are refused' every 'await grep -q "config.refused .*name=stored .*key 10 is in it twice" log' 'has 10 1'
npy two.npy '<u8' '2,' '\012\0\0\0\0\0\0\0\062\0\0\0\0\0\0\0' && mv two.npy store_keys.npy
kill -HUP "$service"
ok 'other keys and their rows are taken, and written' every 'await grep -q "data.reloaded .*resident=stored" log' 'has 50 2' 'await made 1' 'version 2'
stop
touch store.npy
ok 'the snapshot is what is served then' every 'start "${apart[@]}" --snapshot shots2' 'has 50 2' "grep -q 'snapshot.older .*resident=stored' log"
stop

# ---- what the service manager hears ----

cat >manager.py <<'P'
import os, signal, socket, subprocess, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("manager")
manager.settimeout(60)
heard = []
def until(*whats):
    while not heard or not all(what in heard[-1] for what in whats):
        heard.append(manager.recv(4096).decode())
service = subprocess.Popen(sys.argv[2:], stderr=open("log", "w"), env=dict(os.environ, NOTIFY_SOCKET=os.path.abspath("manager")))
try:
    until("READY=1")
    service.send_signal(signal.SIGUSR1)
    until("STATUS=serving ipc://", "snapshot of version ")
    subprocess.run([sys.argv[1] + "/tests/command/serve_edit", "ipc://" + os.path.abspath("s"), "70", "7"], check=True, stdout=subprocess.DEVNULL)
    service.send_signal(signal.SIGTERM)
    until("STOPPING=1")
    until("EXTEND_TIMEOUT_USEC=")
    assert service.wait(60) == 0
finally:
    service.kill()
P
if type -P python3 >/dev/null; then
    ok 'the manager hears of snapshots, and gives the last one time' eval 'timeout 100 python3 manager.py "$build" "$psynec" serve "${all[@]}" --snapshot shots 2>>err'
else
    skip 'the manager hears of snapshots' 'python3 was not found'
fi

# ---- what is wrong with it ----

run serve "${all[@]}" --snapshot none/shots && ok 'a folder that cannot be' both is "$status" 1 says 'snapshot none/shots'
run serve "${all[@]}" --snapshot names.txt && ok 'a folder that is none' both is "$status" 1 says 'snapshot'
run serve "${all[@]}" --snapshot-every x && ok 'wrong use' both is "$status" 2 says 'snapshot-every takes a whole number'
file=$(ls shots/data-*/rows.shard-0-of-*.npy)
cp "$file" whole && printf 'x' | dd of="$file" bs=1 seek=130 conv=notrunc 2>/dev/null
run serve "${all[@]}" --snapshot shots && ok 'a file that is another' both is "$status" 1 says 'rows.shard-0-of-1.npy: its checksum is another'
cp whole "$file" && printf 'x' >>shots/snapshot
run serve "${all[@]}" --snapshot shots && ok 'a list that is another' both is "$status" 1 says 'snapshot in shots: snapshot: its line'
ok 'and nothing of it was touched' cmp -s whole "$file"
rm -r shots/snapshot
ok 'without its list it is none: files are' every 'start "${all[@]}" --snapshot shots' answers '! test -e "$file" || true'
edit 60 1 >/dev/null
stop
ok 'and what was left is cleared away' is "$(ls shots | wc -l)" 2
finish
