#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne serve: what is served and what is wrong with it, and a service whose processes are killed, told to end, and told to read its files again.
. "${PSYNE_SOURCE:?}/tests/command/served.sh"
trap '[ -z "$service" ] || kill -9 "$service"; rm -rf "$work"' EXIT

# ---- what is said before anything is served ----

run serve "${all[@]}" --check
ok 'what would be served' both is "$status" 0 prints '^  pipeline nearest: served.Query -> served.Hits, by all shards, merged$'
ok 'and of which data' every "prints '^data rows: rows.npy, 6 x 4\$'" "prints '^data names: names.txt, 6 x 16\$'"
run serve "${all[@]}" --check --json && ok 'the same as JSON' both is "$status" 0 prints '"data":\[{"resident":"rows","file":"rows.npy","dims":\[6,4\]}'
run serve "${all[@]}" --shards=3 --log 'a b # c' --no-counters --print-config && cp out one.conf
run serve --config one.conf --print-config
ok 'a configuration that is printed is read' both is "$status" 0 same out one.conf
run serve -c one.conf --data names=other.txt --shards 2 --print-config
ok 'the command line counts more' both is "$(diff one.conf out | sed -n 's/^> //p' | tr '\n' ' ')" 'shards = 2 data = names=other.txt ' is "$(grep -c '^data' out)" 3
mkdir folder && cp served.psm rows.npy names.txt keys.npy folder && printf 'module = served.psm\nsocket=s # a comment\ndata = rows=rows.npy\ncounters = no\n' >folder/c
run serve -c folder/c --print-config
ok 'paths are relative to the file' every "prints '^module = served=folder/served.psm\$'" "prints '^socket = ipc://$work/folder/s\$'"
ok 'yes and no' prints '^counters = no$'

says_all() { local one; for one; do says "$one" || return; done; }
printf '# wrong\nshardz = 2\nshards = 65\n[service]\nmodule\ncounters = maybe\nlog = "x\nlog-level = loud\ndata = rows\nsocket = tcp://here\nclients =\nshards = 2\n' >wrong.conf
run serve -c wrong.conf
ok 'all that is wrong in a configuration is said' both is "$status" 1 says_all 'psyne: wrong.conf:2: there is no key `shardz`; did you mean `shards`?' \
    'wrong.conf:3: shards takes a whole number from 1 to 64, and not `65`' 'wrong.conf:4: sections are not needed' 'wrong.conf:5: a line is `key = value`' \
    'wrong.conf:6: counters is yes or no, and not `maybe`' 'wrong.conf:7: the quote is not closed' 'wrong.conf:8: log-level is debug, info, warning or error' \
    'wrong.conf:9: data takes NAME=FILE' 'wrong.conf:10: socket takes a path, or ipc:///path' 'wrong.conf:11: clients has no value'
ok 'and nothing else' is "$(wc -l <err)" 10
printf 'shards = 2\n\0shards = 3\n' >zero.conf
run serve -c zero.conf && ok 'zero bytes' both is "$status" 1 says 'zero.conf:2: there is a zero byte'
head -c 1100000 /dev/zero | tr '\0' '#' >long.conf
run serve -c long.conf && ok 'a configuration without an end' both is "$status" 1 says 'long.conf: it has more than 1048576 bytes'
run serve -c none.conf && ok 'no configuration' both is "$status" 1 says 'none.conf: No such file or directory'
run serve --shards=0 && ok 'wrong use: a number' both is "$status" 2 says '--shards takes a whole number from 1 to 64'
run serve --sharts=2 && ok 'wrong use: an option' both is "$status" 2 says 'did you mean `--shards`?'
run serve A.psm && ok 'wrong use: a name' both is "$status" 2 says 'say NAME=FILE'
run serve --data rows=a --data rows=b && ok 'wrong use: twice' both is "$status" 2 says '`rows` is there twice'

for rule in 'bob connect:a rule begins with user:NAME' 'user:no-such-user:there is no user `no-such-user`' 'group:no-such-group all:there is no group' 'anybody conect:and not `conect`' \
    'anybody connect observe:a rule says once' 'anybody in-flight=0:in-flight takes a whole number from 1 on' 'anybody memory=1X:memory takes bytes' 'anybody files=3:limits are'; do
    run serve --allow "${rule%:*}" && ok "wrong use: the rule \"${rule%:*}\"" both is "$status" 2 says "${rule##*:}"
done
run serve --socket-mode=888 && ok 'wrong use: permissions' both is "$status" 2 says 'socket-mode takes permissions, octal'
run serve --allow 'user:0 all' --allow 'anybody connect memory=64M' --socket-mode 660 --print-config
ok 'rules' every "prints '^allow = user:0 all\$'" "prints '^allow = anybody connect memory=64M\$'" "prints '^socket-mode = 660\$'"

run serve served.psm && ok 'no socket, no data' both is "$status" 1 says_all 'say where the service is: --socket=PATH'
run serve --socket s && ok 'no module' both is "$status" 1 says 'there is no module to serve'
run serve none.psm --socket s && ok 'a module that is not there' both is "$status" 1 says 'none.psm'
run serve served=rows.npy --socket s && ok 'a module that is none' both is "$status" 1 says 'rows.npy'
run serve served.psm --socket s --data rows=none.npy --data nanes=names.txt --data stored=rows.npy
ok 'all that is wrong with the data is said' both is "$status" 1 says_all 'none.npy: No such file or directory' 'no module has a resident `nanes`; did you mean `names`?' \
    'resident stored is `by key`: it needs keys' 'resident `names` of served.psm has no data: --data=names=FILE'
npy wide.npy '<f4' '4, 6' "$six_rows"
run serve "${all[@]}" --data rows=wide.npy --check
ok 'wrong use: two of one' both is "$status" 2 says 'twice'
run serve served.psm --socket s --data rows=wide.npy --data names=names.txt --data stored=rows.npy --keys stored=keys.npy
ok 'sizes that do not fit the module' both is "$status" 1 says 'wide.npy: it is f32[4, 6], and resident rows is f32[N, 4]'
head -n 5 names.txt >five.txt
run serve served.psm --socket "$socket" --data rows=rows.npy --data names=five.txt --data stored=rows.npy --keys stored=keys.npy
ok 'sizes that do not fit each other end the service' both is "$status" 1 says 'N is 5 here and 6 in a resident loaded before'
run serve "${all[@]}" --engine warp && ok 'an engine that there is not' both is "$status" 1 says 'warp'
run serve "${all[@]:0:1}" "${all[@]:3}" --socket "$work/none/s" && ok 'a folder that there is not' both is "$status" 1 says "ipc://$work/none/s"
run serve "${all[@]}" --log none/log && ok 'a log that cannot be opened' both is "$status" 1 says 'none/log: the log cannot be opened'

# ---- a service ----

ok 'it starts' start "${all[@]}" --shards 2 --log-level debug
ok 'it answers' answers
: >err
run check "$socket" && ok 'check finds it' both is "$status" 0 prints '^  pipelines  *2$'
ok 'and what it serves' prints '^  pipeline  *[a-z]*@1/nearest: served.[A-Z][A-Za-z]* -> served.[A-Z][A-Za-z]*$'
run serve "${all[@]}" && ok 'another one has no place' both is "$status" 1 says 'in use'
ok 'the first one is unharmed' answers
run counters && ok 'it counts' prints '^s/shard 1 requests '

# Shards and broker die while somebody asks.
went_on() { # the line of serve_ask: some were answered, after the last failure too, and not many failed
    local answered failed since
    IFS='= ' read -r _ answered _ failed _ since <"$1"
    [ "$since" -gt 0 ] && [ "$answered" -ge "$since" ] && [ "$failed" -le 8 ] || { cat "$1" >>err && false; }
}
ask 3 >asked 2>>err &
asker=$!
for victim in 'shard 0' 'shard 1' broker; do
    old=$(process "$victim")
    kill -9 "$old"
    ok "$victim is killed, and another takes its place" await is_new "$victim" "$old"
    ok 'the service answers again' await answers
done
wait "$asker" && ok 'who was there goes on' went_on asked
ok 'no restart is hidden' every "grep -q 'process.died .*reason=.shard 0 was killed by signal 9' log" "grep -q 'serve.whole .*restarts=' log"
old=$(process 'shard 1')
kill -TERM "$old"
ok 'a shard that is told to end alone comes back too' every "await is_new 'shard 1' $old" 'await answers'

# A request that is under way when the service is told to end is answered.
shard=$(process 'shard 0')
kill -STOP "$shard"
ask >late 2>>err &
asker=$!
waits() { "$psynec" counters | grep -q '^s/shard 0 requests  *1  *1  *1 '; }
ok 'a request is under way' await waits
kill -TERM "$service"
ok 'the service waits for it' await grep -q serve.stopping log
sleep 0.3
ok 'it has not ended' kill -0 "$service"
kill -CONT "$shard"
wait "$asker"
ok 'and it is answered' is "$?$(cat late)" "0$answer"
finished
ok 'then it ends' every "is $status 0" "grep -q 'serve.stopped .*status=0' log"
ok 'and leaves nothing' is "$(ls -A counters)$(ls s s.psyne-lock 2>/dev/null)" ''

# Nobody waits for ever.
start "${all[@]}" --log-level debug --drain-ms 300 && kill -STOP "$(process 'shard 0')"
ask >late 2>/dev/null &
asker=$!
ok 'a shard hangs' await waits
stop
ok 'time to drain is limited' every "is $status 1" "grep -q 'serve.killed .*in time' log"
wait "$asker"
ok 'who waits is told' test "$?" != 0
start "${all[@]}" --log-level debug && kill -STOP "$(process 'shard 0')"
ask >late 2>/dev/null &
asker=$!
await waits
kill -TERM "$service" && await grep -q serve.stopping log && stop
ok 'a second signal ends it at once' every "is $status 1" "grep -q 'serve.killed .*second signal' log"
wait "$asker"

# What dies again and again.
ok 'it starts again where a broker was killed' start "${all[@]}" --log-level debug --restarts 2
until gone "$service"; do
    kill -9 "$(process 'shard 0')" 2>/dev/null
    sleep 0.02
done
finished
ok 'a shard that dies again and again ends the service' every "is $status 1" "grep -q 'serve.failed .*shard 0.*in a row' log"

# ---- one process ----

for agents in threads one; do
    ok "all agents in one process, $agents" start "${all[@]}" --shards 2 --agents $agents --log-level debug
    ok 'it answers' answers
    old=$(process service)
    kill -9 "$old"
    ok 'it is killed, and another takes its place' await is_new service "$old"
    ok 'it answers again' await answers
    stop
    ok 'it ends' is "$status" 0
done
start "${all[@]}" --shards 3 --agents one --log-level debug
ok 'one thread serves, and one listens to the supervisor' is "$(ls "/proc/$(process service)/task" | wc -l)" 2
stop

# Programs of clients, within what the operator allows them.
"$build/compiler/psynec" "$source/tests/command/served.hrm" --no-kernels -o sent 2>>err
bounded() { # what it says; options
    local said=$1 sent
    shift
    start "${all[@]}" --client-programs 1 "$@" || return
    sent=$(timeout 100 "$build/tests/command/serve_ask" "ipc://$socket" sent/served.psm 2>&1)
    stop
    case $sent in *"$said"*) ;; *) echo "it says: $sent" >>err && false ;; esac
}
ok 'a client sends a program' bounded sent
ok 'over its memory' bounded 64 --client-arena-bytes 64
ok 'over its work' bounded 7 --client-work 7
run serve "${all[@]}" --client-work 0 && ok 'limits have their own' both is "$status" 2 says '--client-work'
run serve "${all[@]:0:1}" "${all[@]:3}" --socket "$work/none/s" --agents one && ok 'why it does not start' both is "$status" 1 says 'none/s'

# Without the one that looks after them, they end.
start "${all[@]}" --log-level debug
broker=$(process broker) shard=$(process 'shard 0')
kill -9 "$service" && wait "$service" 2>/dev/null
service=
ok 'the broker ends with the one that started it' await gone "$broker"
ok 'the shard too' await gone "$shard"
ok 'and the next one starts' every 'start "${all[@]}"' answers
stop
ok 'nothing of an ordinary life is an error' every "is $status 0" "! grep -E ' (error|warning) ' log"
finish
