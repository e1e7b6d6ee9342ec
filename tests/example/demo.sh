# SPDX-License-Identifier: Apache-2.0
# The example from end to end, and what can go wrong with it: each a line that says what, an exit status, and nothing left behind.
. "$PSYNE_SOURCE/tests/example/common.sh"
plan 23
all="--engine cpu --module $module" few="--engine cpu --module $module --words $few_words"
quick=$all
[ -z "${PSYNE_SANITIZERS-}" ] || quick=$few # a sanitizer's build takes too long for all words

run "$nearest" $quick --quiet --sample 300
one_line_as_agreed() { [ $status = 0 ] && [ "$(wc -l <"$out")" = 1 ] && grep -qE "$(last_line 300 2)" "$out"; }
check 'the last line is as agreed' one_line_as_agreed
check 'of which nothing is left' nothing_left

run "$nearest" $few --sample 50
talks() {
    [ $status = 0 ] && [ "$(tail -n 1 "$out" | grep -cE "$(last_line 50 2)")" = 1 ] && grep -q 'recieve *-> receive' "$out" &&
        grep -q '64 stored vectors came back' "$out"
}
check 'without --quiet it shows what it finds' talks

# A tenth of the queries, evenly spread.
sample=3000
[ -z "${PSYNE_SANITIZERS-}" ] || sample=300
run "$nearest" $quick --quiet --sample $sample
recall() { # at least
    sed -nE 's/.*recall@1=([0-9.]+) recall@10=([0-9.]+) .*/\1 \2/p' "$out" | awk -v a="$1" -v b="$2" '{ n++; if ($1 < a || $2 < b) exit 1 } END { exit n != 1 }'
}
check 'nine in ten words are found first, all but a few among ten' recall 0.9 0.98

run "$nearest" $few --quiet --sample 200 --in-flight 1
check 'one request in flight' grep -qE "$(last_line 200 2)" "$out"
run "$nearest" $few --quiet --sample 200 --shards 7 --k 64 --in-flight 3
check 'seven shards, 64 words each' grep -qE "$(last_line 200 7)" "$out"

# Both engines; a machine without a Vulkan device has only one. The lines of each are in order, and the cpu's is the last.
both="--module $module --words $few_words --sample 60"
run "$nearest" $both
two_engines() {
    [ $status = 0 ] && grep -E '^(nearest:|both)' "$out" | sed 's/queries=60 .* shards=2 //' |
        diff - <(printf '%s\n' 'nearest: engine=vulkan' 'both engines find the same words for a sample of 60' 'nearest: engine=cpu')
}
why=$(sed -n 's/^engine vulkan is skipped: //p' "$out")
if [ -n "$why" ]; then
    skip 'vulkan and cpu find the same words' "$why"
    skip 'a device that is none' "$why"
    skip 'no driver at all' "$why"
    skip 'no driver, though vulkan is asked for' "$why"
else
    check 'vulkan and cpu find the same words' two_engines
    run "$nearest" $both --device 99
    check 'a device that is none' failed_with 1 'no Vulkan device 99' 'there is 0'
    run env VK_DRIVER_FILES=/nowhere VK_ICD_FILENAMES=/nowhere "$nearest" $both
    only_cpu() {
        [ $status = 0 ] && grep -q '^engine vulkan is skipped: .*no Vulkan driver' "$out" && tail -n 1 "$out" | grep -qE "$(last_line 60 2)"
    }
    check 'no driver at all' only_cpu
    run env VK_DRIVER_FILES=/nowhere VK_ICD_FILENAMES=/nowhere "$nearest" $both --engine vulkan
    check 'no driver, though vulkan is asked for' failed_with 1 'no Vulkan driver'
fi
run "$nearest" $few --engine abacus
check 'an engine that is none' failed_with 1 abacus cpu

run "$nearest" $quick --words "$folder/nothing"
check 'no list of words' failed_with 1 "$folder/nothing: No such file" wamerican
run "$nearest" $quick --words /dev/null
check 'an empty list of words' failed_with 1 "/dev/null: is empty"
run "$nearest" $few --misspellings "$folder/nothing"
check 'no list of misspellings' failed_with 1 "$folder/nothing: No such file" codespell
run "$nearest" --engine cpu --module "$folder/nothing"
check 'no module' failed_with 1 "$folder/nothing: No such file"
head -c 500 "$module" >"$folder/cut.psm"
run "$nearest" --engine cpu --module "$folder/cut.psm"
check 'a module that is cut off' failed_with 1 cut.psm truncated
{ head -c 1000 "$module"; printf 'x'; tail -c +1002 "$module"; } >"$folder/changed.psm"
run "$nearest" --engine cpu --module "$folder/changed.psm"
check 'a module that was changed' failed_with 1 changed.psm hash

misuses() {
    local arguments
    while read -r arguments; do
        run "$nearest" $arguments
        failed_with 2 '--help' || failed_with 2 'takes a number' || { echo "nearest $arguments"; return 1; }
    done <<'EOF'
--nonsense
--k
--k 0
--k 65
--k many
--k -1
--shards 0
--shards 65
--in-flight 65537
--sample 99999999999
one-word
serve
shard
query word
query --socket x
serve --socket x word
EOF
}
check 'options that are none' misuses
run "$nearest" --help
check 'help is no failure' eval '[ $status = 0 ] && grep -q -- --in-flight "$out" && [ ! -s "$err" ]'

run "$nearest" query --socket "$folder/nobody" word
check 'nobody serves the socket' failed_with 1 'nobody serves' "$folder/nobody"
check 'and that is said soon' [ $took -le 10 ]

# All queries, of which a shard sees the end of a few only.
run "$nearest" $all --quiet --kill-after 300
check 'a shard that dies in the middle' failed_with 1 'queries failed' 'the peer died' 'shard 0 was killed by signal 9'

stopped_by() { # a signal, while it works
    local pid i
    "$nearest" $all --quiet >/dev/null 2>&1 </dev/null &
    pid=$!
    for i in $(seq 100); do
        [ -S "$(echo "$TMPDIR"/nearest-*/nearest.sock)" ] && break
        sleep 0.1
    done
    sleep 0.5
    kill "-$1" $pid
    wait $pid
    [ $? != 0 ] || return 1
    for i in $(seq 50); do
        [ -n "$(left_processes)" ] || break
        sleep 0.1
    done
    # What the dead counted is there to be read until the next one comes, or this.
    "$PSYNE_BUILD/runtime/command/psyne" counters --clean && nothing_left
}
check 'interrupted, it takes everything with it' eval 'stopped_by TERM && stopped_by INT'
