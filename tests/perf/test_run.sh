#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tests/perf/run leaves valid JSON whatever its benchmarks do, and tells of those that fail.
set -u
run=$PSYNE_SOURCE/tests/perf/run
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# benchmark NAME LINES STATUS: writes that many figures, then ends so.
benchmark() {
    printf '#!/usr/bin/env bash\nfor i in $(seq %d); do echo "{\\"name\\": \\"%s/$i\\", \\"ratio\\": null}"; done >>"${1#--json=}"\nexit %d\n' \
        "$2" "$1" "$3" >"$1" && chmod +x "$1"
}
benchmark two 2 0
benchmark none 0 0
benchmark broken 1 3

count=0
check() { # what, expected status, expected file, benchmarks
    local what=$1 status=$2 expected=$3 got
    shift 3
    bash "$run" out.json "$@" >log 2>&1
    got=$?
    count=$((count + 1))
    if [ $got != "$status" ]; then
        echo "not ok $count - $what: status $got"
    elif [ "$(tr -d ' \n' <out.json)" != "$expected" ]; then
        echo "not ok $count - $what: $(cat out.json)"
    elif [ -e out.json.lines ] || [ -e out.json.tmp ]; then
        echo "not ok $count - $what: leaves files behind"
    else
        echo "ok $count - $what"
    fi
}
one='{"name":"two/1","ratio":null}' other='{"name":"two/2","ratio":null}'
echo 'stale' >out.json
check 'figures of several benchmarks are one list' 0 "[$one,$other,$one,$other]" ./two ./two
check 'a benchmark that is skipped leaves a valid list' 0 "[$one,$other]" ./none ./two ./none
check 'no figures are an empty list' 0 '[]' ./none
check 'a benchmark that fails loses its own figures only' 1 "[$one,$other]" ./broken ./two
grep -q 'broken failed with status 3' log && echo "ok $((++count)) - and is named" || echo "not ok $((++count)) - and is named"
if command -v python3 >/dev/null; then
    printf '#!/usr/bin/env bash\necho "{" >>"${1#--json=}"\n' >odd && chmod +x odd
    bash "$run" out.json ./odd >log 2>&1 && ok='not ok' || ok=ok
    [ ! -e out.json ] || ok='not ok'
    echo "$ok $((++count)) - what is no JSON is refused"
else
    echo "ok $((++count)) - # SKIP python3 is missing"
fi
echo "1..$count"
