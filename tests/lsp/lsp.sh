#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `psynec lsp`: every session of sessions/ and what comes back (NAME.out beside it), how it ends, and how long large files take.
# `lsp.sh --update` (make update-lsp) writes the expectations.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
client=$build/tests/lsp/session here=$source/tests/lsp
if "$psynec" lsp --help 2>&1 | grep -q 'left out'; then
    "$psynec" lsp >/dev/null 2>&1
    [ $? = 2 ] || exit 1
    echo 'the language server was left out (--without-lsp)'
    exit 77
fi
# The name of the folder must be encoded in URIs.
folder="$work/ein Ordner: größe #1"
mkdir "$folder"
cp "$source"/examples/nearest/nearest.{hrm,psy} "$folder/"
# Schemas in the place of Psyne's own.
export PSYNE_SCHEMAS=$folder/own
mkdir -p "$folder/own/psyne"
printf 'namespace psyne;\n\n/// Numbers.\nmessage Tensor {\n    x: f32[4];\n}\n' >"$folder/own/psyne/tensor.psy"

for session in "$here"/sessions/*.session; do
    name=$(basename "$session" .session)
    timeout 60 "$client" "$psynec" "$folder" <"$session" >"$work/now" 2>&1
    grep -q '^session: ' "$work/now" && echo "$name says: $(grep -m1 '^session: ' "$work/now")" >&2 && ok "$name is said to its end" false
    if [ "${1-}" = --update ]; then
        cmp -s "$work/now" "${session%.session}.out" || { cp "$work/now" "${session%.session}.out" && echo "$name.out"; }
    else
        diff -u "${session%.session}.out" "$work/now" >err 2>&1
        ok "$name" test $? = 0
    fi
done
[ "${1-}" = --update ] && exit 0

# ---- how it ends ----
frame() { printf 'Content-Length: %d\r\n\r\n%s' ${#1} "$1"; }
start='{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}' stop='{"jsonrpc":"2.0","id":1,"method":"shutdown"}'
status_of() { # what is written to it, by a command
    "$@" | timeout 20 "$psynec" lsp >err 2>&1
    echo "${PIPESTATUS[1]}"
}
unfinished() { frame "$start" && printf 'Content-Length: 100\r\n\r\n{"jsonrpc"'; }
orderly() { frame "$start" && frame "$stop"; }
noise() { head -c 300000 "$psynec"; }
endless() { head -c 3000000 /dev/zero | tr '\0' x; }
ok 'the input ends before it begins' test "$(status_of true)" = 1
ok 'the input ends within a message' test "$(status_of unfinished)" = 1
ok 'the input ends after shutdown' test "$(status_of orderly)" = 0
ok 'bytes that are no messages' test "$(status_of noise)" = 1
ok 'megabytes without a header' test "$(status_of endless)" = 1
ok 'said once' test "$(grep -ao '"error"' err | wc -l)" = 1
for ((i = 0; i < 200; i++)); do frame "$start"; done >"$work/many"
ok 'nobody reads' test "$(timeout 20 "$psynec" lsp <"$work/many" 2>err | :
    echo "${PIPESTATUS[0]}")" = 1
"$psynec" lsp --frobnicate >err 2>&1
ok 'an unknown option is wrong use' test $? = 2
mkdir "$folder/sub" && mv "$folder/nearest.psy" "$folder/sub/"
include="initialize {\"capabilities\":{},\"initializationOptions\":{\"include\":[\"$folder/sub\"]}}"
printf '%s\nopen nearest.hrm\n' "$include" | "$client" "$psynec" "$folder" >err 2>&1
ok 'folders for imports from the client' grep -q '"diagnostics": \[\]' err

# ---- memory: what an old text needed is given back ----
large() { # lines
    echo 'import "sub/nearest.psy"'
    echo 'pipeline p(q: Query) -> Stored {'
    echo '    let x0 = q.vector'
    for ((i = 1; i <= $1; i++)); do echo "    let x$i = x$((i - 1)) * 2 + sqrt(x$((i - 1)))"; done
    echo "    Stored { vector: x$1 }"
    echo '}'
}
large 900 >"$folder/large.hrm"
{
    printf 'initialize\nquiet\nopen large.hrm\n'
    for ((i = 0; i < 30; i++)); do
        echo 'change large.hrm' && cat "$folder/large.hrm" && echo .
    done
} >"$work/again"
if [ -n "${PSYNE_SANITIZERS-}" ]; then
    number=$((number + 1))
    echo "ok $number - thirty texts in little memory # SKIP a sanitizer keeps memory"
else
    (ulimit -v 200000 && "$client" "$psynec" "$folder" <"$work/again") >err 2>&1
    ok 'thirty texts in little memory' grep -q 'exit status 1' err
fi

# ---- time: a burst of changes is looked at once, and an answer comes soon ----
{
    printf 'initialize\nquiet\nopen large.hrm\nchange large.hrm 300\n'
    cat "$folder/large.hrm"
    printf '.\nloud\nhover large.hrm let x9¦00\n'
} >"$work/burst"
from=$(date +%s%N)
timeout 60 "$client" "$psynec" "$folder" <"$work/burst" >err 2>&1
took=$((($(date +%s%N) - from) / 1000000))
echo "# 300 changes of $(wc -l <"$folder/large.hrm") lines at once, and an answer: $took ms"
ok 'a burst of changes' grep -q 'let x900: f32\[256\]' err

finish
