#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne serve whose number of shards changes on SIGHUP while somebody asks.
. "${PSYNE_SOURCE:?}/tests/command/served.sh"
trap '[ -z "$service" ] || kill -9 "$service"; rm -rf "$work"' EXIT

"$psynec" serve "${all[@]}" --shards=1 --shards-max=6 --log=log.1 --log-level=debug --print-config >c || exit 1
shards() { # number
    sed -i "s/^shards = .*/shards = $1/" c
    kill -HUP "$service"
}
changes() { [ "$(grep -c 'config.changed .*key=shards' log.1)" = "$1" ]; }
refusals() { [ "$(grep -c 'config.refused .*key=shards' log.1)" = "$1" ]; }
children() { [ "$(sed 's/^[0-9]* .*) . \([0-9]*\) .*/\1/' /proc/[0-9]*/stat 2>/dev/null | grep -cx "$service")" = "$1" ]; }
ok 'one shard' start -c c
ok 'it answers' answers
ask 6 >asked 2>>err &
asker=$!
n=0
for to in 3 2 4 1; do
    shards "$to"
    n=$((n + 1))
    ok "now $to" await changes "$n"
    ok "the old ones go: $to and the broker" await children "$((to + 1))"
    ok "$to answer" answers
done
wait "$asker"
ok 'nobody noticed' grep -q 'answered=[1-9][0-9]* failed=0' asked
run check s && ok 'it says how many there are' every "prints served"

# Who is killed is started again: of as many as there are now.
shards 3
ok 'three' await changes 5
old=$(process 'shard 2' log.1)
kill -9 "$old"
fresh() { [ "$(process 'shard 2' log.1)" != "$old" ] && answers; }
ok 'a shard that was killed comes back' await fresh
old=$(process broker log.1)
kill -9 "$old"
ok 'a broker too, and with it all shards' await fresh
ok 'as many as there were' await children 4

# What cannot be.
shards 7
ok 'more than there are places for is an error' await grep -q 'config.error .*shards-max = 6 has no room for shards = 7' log.1
shards 5
ok 'and so is what needs both at once' await refusals 1
ok 'which says what to set' grep -q 'config.refused .*key=shards .*set shards_max' log.1
ok 'the service goes on' answers
shards 2
ok 'and changes when it can' await changes 6
ok 'two and the broker' await children 3
stop
ok 'it ends' is "$status" 0

ok 'one thread' start -c c --agents=one --log=log.2 --log-level=info
shards 1
ok 'has the shards that it has' await grep -q 'config.refused .*key=shards .*processes' log.2
ok 'and answers' answers
stop
ok 'it ends too' is "$status" 0
finish
