# SPDX-License-Identifier: Apache-2.0
# The parts of the example as four terminals would run them.
. "$PSYNE_SOURCE/tests/example/common.sh"
plan 20

start_service "$module" 2
ask $asked
finds_all() { [ $status = 0 ] && diff <(first_hits) <(right_hits); }
check 'a broker, two shards, a query' finds_all
counts() { # label, messages: there is one living process on either side, nothing in between, and so many went through
    local seen
    for i in $(seq 50); do
        seen=$("$PSYNE_BUILD/runtime/command/psyne" counters | sed -nE "s/^$1 +([0-9]+) +([0-9]+) +([0-9]+) +[0-9]+ +[0-9]+ +([0-9]+) +([0-9]+) .*/\1 \2 \3 \4 \5/p")
        [ "$seen" != "1 1 0 $2 $2" ] || return 0
        sleep 0.1
    done
    "$PSYNE_BUILD/runtime/command/psyne" counters
    return 1
}
check 'psyne counters shows what went to the shards' eval "counts 'socket\/shard 0 requests' 12 && counts 'socket\/shard 1 requests' 12"
ask --no-counters --k 3 recieve
check 'a client that does not count is served as well' counts 'socket\/shard 0 requests' 13
ask --k 3 recieve
check 'as many words as are asked for' [ "$(tr -cd , <"$out")" = ,, ]
cd "$folder" && run "$nearest" query --socket socket --words "$few_words" recieve
check 'a socket with a short name' grep -q '^recieve -> receive (0.' "$out"

run "$nearest" serve --socket "$folder/socket" --module "$module"
one_line() { [ $status = 1 ] && [ "$(wc -l <"$err")" = 1 ] && grep -qF -- "$1" "$err"; }
check 'a second broker' one_line 'in use'
run "$nearest" shard --socket "$folder/socket" --module "$module" --words "$few_words" --shard 1
check 'a second shard 1' one_line 'shard 1 has a worker already'
run "$nearest" shard --socket "$folder/socket" --module "$module" --words "$few_words" --shard 2
check 'a shard 2 of 2' one_line 'there is no shard 2'
"$PSYNE_BUILD/compiler/psynec" "$PSYNE_SOURCE/examples/nearest/nearest.hrm" -O0 --no-kernels -o "$folder/other" >"$out" 2>"$err"
run "$nearest" shard --socket "$folder/socket" --module "$folder/other/nearest.psm" --words "$few_words"
check 'a shard of another module' one_line 'give both the same file'
ask recieve
check 'nobody was hurt' grep -q '^recieve -> receive' "$out"

# A shard goes and another one comes.
set -- $service
kill -TERM "$3"
wait "$3"
check 'a shard that is stopped says nothing' eval "[ $? = 0 ] && ! grep -q nearest: '$folder/shard1.err'"
ask recieve
check 'without it there is no answer' one_line 'not all of its shards are ready'
"$nearest" shard --socket "$folder/socket" --module "$module" --shard 1 --words "$few_words" 2>"$folder/shard1.err" &
service="$1 $2 $!"
ask $asked
check 'a new one takes its place' finds_all

# The broker goes, and the shards with it.
set -- $service
kill -TERM "$1"
wait "$1"
check 'a broker that is stopped takes its socket with it' eval "[ $? = 0 ] && [ ! -e '$folder/socket' ] && [ ! -e '$folder/socket.psyne-lock' ]"
wait "$2"
one=$?
wait "$3"
check 'and its shards end and say why' eval "[ $one = 1 ] && [ $? = 1 ] && grep -q 'the broker is gone' '$folder/shard0.err' '$folder/shard1.err'"

# A broker that is killed leaves its socket, and the next one takes it over.
start_service "$module" 1
ask recieve
set -- $service
kill -KILL "$1"
wait "$1" "$2" 2>/dev/null
start_service "$module" 1
ask $asked
check 'the socket of a dead broker is taken over' finds_all
stop_service

# The service inside of its client; and its broker alone, with shards of other processes.
run "$nearest" here --module "$module" --words "$few_words" --shards 3 $asked
check 'no process but this one' finds_all
for i in 0 1; do
    "$nearest" shard --socket "$folder/socket" --module "$module" --shard $i --words "$few_words" 2>"$folder/shard$i.err" &
    service="$service $!"
done
run "$nearest" here --socket "$folder/socket" --module "$module" --shards 2 $asked
check 'the broker inside of its client' finds_all
wait $service
service=
check 'its shards end with it' grep -q 'the broker is gone' "$folder/shard0.err" "$folder/shard1.err"
check 'nothing is left' eval "nothing_left && [ ! -e '$folder/socket' ]"
