# SPDX-License-Identifier: Apache-2.0
# What the tests of telemetry share: a service that runs, the server of metrics beside it, and their ends. To be sourced.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
psynec=$build/runtime/command/psyne
nearest=$build/examples/nearest/nearest module=$build/examples/nearest/gen/nearest.psm
export PSYNE_COUNTERS=$work/counters TMPDIR=$work
mkdir "$PSYNE_COUNTERS"
python=$(type -P python3) || python=

started= # processes, which end with the test
begin() { # file for what it says, command...
    local out=$1
    shift
    "$@" >"$out" 2>"$out.err" </dev/null &
    last=$!
    started="$started $last"
}
stop() { # processes
    local one
    for one; do
        kill "$one" 2>/dev/null
        wait "$one" 2>/dev/null
    done
}
clean_up() {
    stop $started
    rm -rf "$work"
}
trap clean_up EXIT

until_true() { # seconds, command...
    local tries=$(($1 * 10))
    shift
    for ((; tries > 0; tries--)); do
        "$@" && return 0
        sleep 0.1
    done
    "$@"
}

has_words() { [ -r /usr/share/dict/words ] && [ -x "$nearest" ]; }
# A broker and two shards over a hundred words.
start_service() {
    awk 'NR % 1000 == 1' /usr/share/dict/words >words
    begin broker "$nearest" serve --socket socket --module "$module"
    broker=$last
    start_shard 0
    start_shard 1
    until_true 30 measures 'psyne_shards_ready{service="socket"} 2'
}
start_shard() { # number
    begin "shard$1" "$nearest" shard --socket socket --module "$module" --engine cpu --shard "$1" --words words
    shards[$1]=$last
}
ask() { # how many questions
    local words
    words=$(head -n "$1" words)
    until_true 20 eval '"$nearest" query --socket socket --module "$module" --words words $words >answers 2>answers.err'
}
measures() { # a line of the metrics
    "$psynec" metrics --once 2>/dev/null | grep -qxF -- "$1"
}

# The server, at a port that the system chooses: $url.
start_metrics() {
    begin metrics "$psynec" metrics --listen 127.0.0.1:0
    metrics=$last
    until_true 10 grep -qs '^http://127.0.0.1:[0-9]*/$\|without libmicrohttpd' metrics metrics.err
    url=$(cat metrics)
}
