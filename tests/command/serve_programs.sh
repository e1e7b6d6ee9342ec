#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne serve with several programs, and programs that change, come and go on SIGHUP while somebody asks.
. "${PSYNE_SOURCE:?}/tests/command/served.sh"
trap '[ -z "$service" ] || kill -9 "$service"; rm -rf "$work"' EXIT

# Others: one that answers with the worst rows, one with another pipeline, one whose messages are larger.
compile() { # name: its text is read
    mkdir -p "$1" && cp "$source/tests/command/served.psy" "$1" && cat >"$1/$1.hrm" && "$build/compiler/psynec" "$1/$1.hrm" -o .
}
sed 's/topk(rows @ q.vector, k: 4)/topk(-(rows @ q.vector), k: 4)/' "$source/tests/command/served.hrm" | compile worst
sed '/^pipeline nearest/,/^}/d; s/stored_row/row_of/; /^resident [rn]/d' "$source/tests/command/served.hrm" | compile other
mkdir large
printf 'namespace large;\nmessage Big { x: f32[4096]; }\n' >large/large.psy
printf 'import "large.psy"\npipeline big(q: Big) -> Big {\n    Big { x: q.x * 2.0 }\n}\n' >large/large.hrm
"$build/compiler/psynec" large/large.hrm -o . || exit 1
cp served.psm now.psm

cat >c <<END
module = served=now.psm
module = other.psm
socket = $socket
data = rows=rows.npy
data = names=names.txt
data = stored=rows.npy
keys = stored=keys.npy
shards = 2
log = log.1
log-level = debug
END
changed() { [ "$(grep -c "config.changed .*key=module name=$1" log.1)" = "$2" ]; }
ok 'two programs' start -c c
ok 'both are there' every "timeout 60 '$psynec' check s >out" "prints 'served/nearest\\|nearest'" "prints 'row_of'"
ok 'the first one answers' answers
ask 4 >asked 2>>err &
asker=$!

# Another module under the same name, while somebody asks.
cp worst.psm new.psm && mv new.psm now.psm
kill -HUP "$service"
ok 'a program is changed' await changed served 1
worst='{"score": [0, 0], "index": [1, 2], "name": ["bravo", "charlie"]}'
ok 'and the new one answers' is "$(ask | sed 's/-0/0/g')" "$worst"
cp served.psm new.psm && mv new.psm now.psm
kill -HUP "$service"
ok 'and changed back' await changed served 2
ok 'the old one answers again' answers

# What cannot be served is refused, and the rest goes on.
echo 'module = large.psm' >>c
kill -HUP "$service"
ok 'a program with larger messages is refused, and why' await grep -q 'config.refused .*key=module name=large reason=.*max_request_bytes' log.1
sed -i '/large/d; /other.psm/d' c
kill -HUP "$service"
ok 'a program goes' await changed other 1
run check s && ok 'its pipeline too' every "prints nearest" "! prints row_of"
echo garbage >now.psm.new && mv now.psm.new now.psm
kill -HUP "$service"
ok 'a module that is none changes nothing' await grep -q 'config.refused .*nothing was changed' log.1
wait "$asker"
ok 'nobody noticed but by the answers' grep -q 'answered=[1-9][0-9]* failed=0' asked

# What was changed stays so for those that are started again.
cp worst.psm new.psm && mv new.psm now.psm
kill -HUP "$service"
await changed served 3
for victim in 'shard 0' broker; do
    old=$(process "$victim" log.1)
    kill -9 "$old"
    fresh() { [ "$(process "$victim" log.1)" != "$old" ] && [ "$(ask | sed 's/-0/0/g')" = "$worst" ]; }
    ok "a $victim that was killed comes back with it" await fresh
done
stop
ok 'it ends' is "$status" 0

# Versions.
ok 'two versions of a program' start served@1=served.psm served@3=worst.psm "${all[@]:1}"
version() { timeout 60 "$build/tests/command/serve_ask" "ipc://$socket" served.psm "$1" served.Query served.Hits '{"vector": [1, 0, 0, 0]}' | sed 's/-0/0/g'; }
ok 'each answers by its number' every "is '$(version served@1/nearest)' '$answer'" "is '$(version served@3/nearest)' '$worst'"
ok 'and the newest by the name' is "$(version served/nearest)" "$worst"
stop
run serve served@0=served.psm && ok 'wrong use: a version' both is "$status" 2 says 'NAME=FILE'
finish
