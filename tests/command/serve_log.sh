#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne serve: its log, SIGHUP, what it tells a service manager, and the unit for systemd.
. "${PSYNE_SOURCE:?}/tests/command/served.sh"
mounted=
trap '[ -z "$service" ] || kill -9 "$service"; [ -z "$mounted" ] || umount "$work/small"; rm -rf "$work"' EXIT

cat >c <<END
module = served.psm
socket = $socket
data = rows=rows.npy
data = names=names.txt
data = stored=rows.npy
keys = stored=keys.npy
socket-mode = 660
allow = anybody connect connections=1
log = log.1
END
ok 'a service with a configuration' start -c c
ok 'its log is text' grep -qE '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}Z info serve.ready from=serve socket=ipc://' log.1
ok 'all of its processes write there' grep -q ' info worker.started from="shard 0" shard=0 shards=1 engine="shard 0 of 1: cpu' log.1
ok 'nothing else is said' is "$(cat log)" ''

# Rules: who is there, and of how many.
ok 'its socket has the permissions that it is given' is "$(stat -c %a s)" 660
ask 2 >asked 2>>err &
asker=$!
await grep -q client.connected log.1
run check s && ok 'the limit of a rule' both is "$status" 1 prints 'connections'
sed -i '/^allow/d' c
kill -HUP "$service"
await grep -q 'rules.changed .*rules=0' log.1
run check s && ok 'rules change while the service runs' is "$status" 0
wait "$asker"
ok 'who was there stayed' grep -q 'answered=[1-9][0-9]* failed=0' asked

# SIGHUP.
mv log.1 log.old
kill -HUP "$service"
ok 'the log is opened anew' await grep -q serve.reloaded log.1
kill -9 "$(last_child "$service")"
ok 'for the children too' await grep -q 'worker.started' log.1
lines=$(wc -l <log.old)
sed -i 's/^log = .*/log = log.2\nlog-format = json\nlog-level = debug\nshards = 2/' c
kill -HUP "$service"
ok 'what can change does' await grep -q '"event":"serve.reloaded","from":"serve","log":"log.2"' log.2
ok 'what cannot is said' await grep -q '"event":"config.refused".*"key":"shards".*set shards_max' log.2
echo 'clientz = 3' >>c
cp log.2 before
sed -i 's/log.2/log.3/' c
kill -HUP "$service"
ok 'a configuration that is wrong is refused' await grep -q '"event":"config.refused"' log.2
ok 'with the reason' grep -q 'c:12: there is no key `clientz`; did you mean `clients`?' log.2
ok 'nothing of it was done' eval '[ ! -e log.3 ]'
sed -i '/clientz/d; s|log.3|none/log|' c
kill -HUP "$service"
ok 'nor of one whose log cannot be opened' await grep -q 'none/log: the log cannot be opened' log.2
sed -i 's|none/log|log.2|; s/rows=rows/rows=new/' c && cp rows.npy new.npy
kill -HUP "$service"
ok 'data of another file' await grep -q '"event":"config.kept".*"key":"data"' log.2
sed -i 's|new|rows|' c && touch -d 2001-01-01 rows.npy
kill -HUP "$service"
ok 'data that has changed' await grep -q '"event":"data.reloaded".*"resident":"rows","version":2' log.2
ok 'it answers as before' answers
stop
ok 'it ends' is "$status" 0
ok 'the old one was left alone' is "$(wc -l <log.old)" "$lines"
if python=$(type -P python3); then
    ok 'all lines are JSON' "$python" -c 'import json, sys
lines = [json.loads(line) for line in open("log.2")]
assert len(lines) > 5 and all({"time", "level", "event", "from"} <= set(line) for line in lines), lines' 2>err
else
    skip 'all lines are JSON' 'python3 was not found'
fi

# ---- full disks ----

ok 'a log that cannot be written' start "${all[@]}" --log /dev/full
ok 'the service goes on' answers
ok 'it is said once' is "$(grep -c 'the log cannot be written: No space left on device' log)$(wc -l <log)" 11
stop
ok 'and ends well' is "$status" 0
mkdir small
if mount -t tmpfs -o size=64k none "$work/small" 2>/dev/null; then
    mounted=yes
    ok 'a small disk' start "${all[@]}" --log small/log --log-level debug
    head -c 65536 /dev/zero >small/filler 2>/dev/null
    for n in 1 2 3; do # the rest of the log's last page
        kill -9 "$(last_child "$service")" 2>/dev/null
        await answers
    done
    fill() { kill -HUP "$service" && sleep 0.02 && grep -q 'cannot be written' log; }
    ok 'gets full' await fill
    ok 'the service goes on' answers
    rm small/filler
    resumed() { kill -HUP "$service" && grep -aq 'log.resumed from=[^ ]* lost=[1-9]' small/log; }
    ok 'and says what was lost when there is room again' await resumed
    ok 'lines are whole' is "$(grep -avcE '^(20[0-9-]*T[0-9:.]*Z [a-z]+ [a-z.]+ from=.*|20.{0,200})$' small/log)" 0
    stop
    ok 'and ends well' every "is $status 0" "grep -aq 'serve.stopped .*lost_log_lines=[1-9]' small/log"
    umount "$work/small" && mounted=
else
    skip 'a small disk' 'a tmpfs may not be mounted here'
fi

# ---- the endpoint of metrics ----

get() { # path: the answer, in out
    exec 4<>"/dev/tcp/127.0.0.1/$port" && printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&4 && timeout 20 cat <&4 >out
    exec 4>&-
}
has() { get /metrics && prints "^$1 *\$"; }
if start "${all[@]}" --log-level debug --listen 127.0.0.1:0 2>err; then
    port=$(sed -n 's/.*endpoint.ready .*address=127.0.0.1:\([0-9]*\)$/\1/p' log)
    get /readyz && ok 'the endpoint says that the service is ready' prints '^HTTP/1.. 200'
    kill -9 "$(process 'shard 0')"
    ok 'and counts what was started again' await has 'psyne_supervisor_restarts_total{service="s"} 1'
    ok 'and what runs' has 'psyne_supervisor_children{service="s"} 3'
    (socket=$work/t && "$psynec" serve served.psm --socket "$work/t" "${all[@]:3}" --listen "127.0.0.1:$port" >out 2>err)
    ok 'a port in use ends the service' both is $? 1 says "127.0.0.1:$port"
    old=$(process endpoint)
    kill -9 "$old"
    ok 'an endpoint that dies comes back' await is_new endpoint "$old"
    stop
    ok 'it ends' is "$status" 0
elif grep -q microhttpd err log; then
    skip 'the endpoint' 'it was built without libmicrohttpd'
    finished
else
    ok 'the endpoint' false
fi

# ---- a service manager ----

if [ -n "${python-}" ]; then
    notified() { # address: what is said to it
        "$python" -B - "$1" "$psynec" serve "${all[@]}" 2>err <<'P'
import os, signal, socket, subprocess, sys
name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + name[1:] if name[0] == "@" else name)
manager.settimeout(60)
heard = []
def parent_of(pid):
    try:
        return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    except OSError:
        return None
def last_child(of):
    return max(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent_of(pid) == of)
def until(what):
    while True:
        heard.append(manager.recv(4096).decode())
        if what in heard[-1]:
            return heard[-1]
log = open("log", "w")
service = subprocess.Popen(sys.argv[2:], stderr=log, env=dict(os.environ, NOTIFY_SOCKET=name, WATCHDOG_USEC="400000"))
try:
    assert "STATUS=serving ipc://" in until("READY=1")
    until("WATCHDOG=1")
    until("WATCHDOG=1")
    service.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in until("RELOADING=1")
    until("READY=1")
    shard = last_child(service.pid)
    os.kill(shard, signal.SIGSTOP)
    while "process.stuck" not in open("log").read():
        pass
    os.kill(shard, signal.SIGCONT)
    until("WATCHDOG=1")
    service.send_signal(signal.SIGTERM)
    until("STOPPING=1")
    assert service.wait(60) == 0
finally:
    service.kill()
assert not heard[0].startswith("STOPPING"), heard
P
    }
    ok 'a manager is told' notified "$work/manager"
    ok 'by an abstract name too' notified "@psyne-test-$$"
else
    skip 'a manager is told' 'python3 was not found'
fi
NOTIFY_SOCKET=$work/nobody start "${all[@]}" && ok 'a manager that does not listen is no failure' answers
stop
if type -P systemd-analyze >/dev/null; then
    mkdir unit && sed "s|^ExecStart=[^ ]*|ExecStart=$psynec|; /^Documentation=/d" "$source/deploy/systemd/psyne@.service" >unit/psyne@.service
    verified() { systemd-analyze verify "$work/unit/psyne@.service" >err 2>&1 && [ ! -s err ]; }
    ok 'the unit is right' verified
else
    skip 'the unit is right' 'systemd-analyze was not found'
fi
finish
