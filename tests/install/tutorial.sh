#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# doc/tutorial.md: its commands do what it says. And doc/operations.md: its configurations are read, and its table has every event of the log.
set -u
. "$PSYNE_SOURCE/tests/install/pages.sh"
# The path of a socket has room for 107 bytes.
[ "$(expr length "${TMPDIR:-/tmp}")" -lt 60 ] || TMPDIR=/tmp
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' TERM INT
export PSYNE_COUNTERS=$work/counters
export PATH="$PSYNE_BUILD/compiler:$PSYNE_BUILD/runtime/command:$PATH"
root=/nowhere/root prefix=/nowhere CC=/nowhere/cc

tutorial() {
    for python in python3 /usr/bin/python3 ''; do
        [ -z "$python" ] || ! "$python" -c 'import numpy' 2>/dev/null || break
    done
    [ -n "$python" ] || skip 'NumPy was not found (python3-numpy)' || return
    python3() { command "$python" "$@"; }
    extract "$PSYNE_SOURCE/doc/tutorial.md"
    mkdir "$work/films" && cd "$work/films" && cp "$work"/blocks/all/* . || return
    type_session "$work/blocks/films.session" || { cat films.log; return 1; }
    [ ! -e films.sock ] || { echo 'the socket is still there' && return 1; }
}

# Every event that the sources name.
events() {
    local event bad=0
    grep -ohE '"(serve|process|config|data|shard|counters|endpoint|log)\.[a-z_]+"' "$PSYNE_SOURCE"/runtime/command/serve*.c | tr -d '"' | grep -v '\.h$' | sort -u >"$work/events"
    [ "$(wc -l <"$work/events")" -gt 15 ] || { echo 'there are too few' && return 1; }
    while read -r event; do
        grep -q "^|.*\`$event\`.*|" "$PSYNE_SOURCE/doc/operations.md" || { echo "$event is not in doc/operations.md" && bad=1; }
    done <"$work/events"
    return $bad
}

configuration() {
    awk '/^# films.conf$/ { inside = 1 } /^```/ { inside = 0 } inside' "$PSYNE_SOURCE/doc/operations.md" >"$work/films.conf"
    psyne serve --config "$work/films.conf" --print-config >"$work/printed" || return
    grep -qx 'log = "/var/log/psyne/films #1.log"' "$work/printed" && grep -qx 'data = titles='"$work"'/titles.txt' "$work/printed"
}

# Every metric that an alarm names.
alarms() {
    local metric bad=0
    psyne metrics --list | cut -f1 >"$work/metrics" || return
    for metric in $(grep -oE '\<psyne_[a-z_]+' "$PSYNE_SOURCE/doc/operations.md" | sort -u); do
        grep -qx "${metric%_bucket}" "$work/metrics" || { echo "there is no metric $metric" && bad=1; }
    done
    return $bad
}

echo 1..4
check 'the commands of the tutorial' eval '(trap '\''kill $(jobs -p) 2>/dev/null; wait'\'' EXIT; tutorial)'
check "the log's events are in the operator's guide" events
check "the operator's guide has a configuration" configuration
check "the operator's guide has alarms" alarms
