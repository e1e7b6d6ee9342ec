# SPDX-License-Identifier: Apache-2.0
# What the tests of the example share: a folder of their own, TAP, and a look at what is left behind. To be sourced.
set -u
: "${PSYNE_SOURCE:?}" "${PSYNE_BUILD:?}"
words=/usr/share/dict/words
misspellings=/usr/lib/python3/dist-packages/codespell_lib/data/dictionary.txt
for one in "$words:wamerican" "$misspellings:codespell"; do
    [ -r "${one%:*}" ] || {
        echo "${one%:*} is missing: install ${one##*:}"
        exit 77
    }
done
nearest=$PSYNE_BUILD/examples/nearest/nearest
module=$PSYNE_BUILD/examples/nearest/gen/nearest.psm

# Sockets have short names, so the folder must have one.
base=${TMPDIR:-/tmp}
[ ${#base} -le 60 ] || base=/tmp
folder=$(mktemp -d "$base/ex-XXXXXX") || exit 1
mkdir "$folder/tmp"
export TMPDIR="$folder/tmp" NEAREST_TEST="$folder" PSYNE_COUNTERS="$folder/counters"

# Processes of the example that this test has started.
left_processes() {
    local p
    for p in $(grep -lzxF -- "NEAREST_TEST=$folder" /proc/[0-9]*/environ 2>/dev/null); do
        p=${p#/proc/} p=${p%/environ}
        case $(cat "/proc/$p/comm" 2>/dev/null) in *nearest*) echo "$p" ;; esac
    done
}
clean_up() {
    local left
    left=$(left_processes)
    [ -z "$left" ] || kill -9 $left 2>/dev/null
    rm -rf "$folder"
}
trap clean_up EXIT

cases=0
plan() { echo "1..$1"; }
# The condition is a command; what it prints is shown when it fails.
check() {
    local name=$1 said
    shift
    cases=$((cases + 1))
    if said=$("$@" 2>&1); then
        echo "ok $cases - $name"
    else
        echo "not ok $cases - $name"
        printf '%s\n' "$said" | sed 's/^/# /'
        [ -z "${out-}" ] || sed 's/^/# out: /' "$out" | tail -n 5
        [ -z "${err-}" ] || sed 's/^/# err: /' "$err" | tail -n 5
    fi
}

skip() { # name, why
    cases=$((cases + 1))
    echo "ok $cases - $1 # SKIP $2"
}

out=$folder/out err=$folder/err status=0 took=0
run() { # a command, to its end
    local start=$SECONDS
    timeout 100 "$@" >"$out" 2>"$err" </dev/null
    status=$?
    took=$((SECONDS - start))
}

# The last run failed with this status and said one line, in which each of these stands; nothing is left of it.
failed_with() {
    local wanted=$1 one
    shift
    [ "$status" = "$wanted" ] || { echo "exit status $status, not $wanted"; return 1; }
    [ "$(wc -l <"$err")" = 1 ] || { echo "not one line:"; cat "$err"; return 1; }
    case $(cat "$err") in 'nearest: '*) ;; *) echo "it does not say who says it"; return 1 ;; esac
    for one; do
        grep -qF -- "$one" "$err" || { echo "it does not say: $one"; return 1; }
    done
    nothing_left
}

left_files() { ls -A "$folder/tmp"; ls -A "$PSYNE_COUNTERS" 2>/dev/null; }
nothing_left() {
    local i
    for i in $(seq 50); do
        [ -n "$(left_processes)" ] || [ -n "$(left_files)" ] || return 0
        sleep 0.1
    done
    echo "left: processes $(left_processes), files $(left_files)"
    return 1
}

number='(0\.[0-9][0-9]|1\.00)'
last_line() { # queries, shards
    echo "^nearest: queries=$1 recall@1=$number recall@10=$number qps=[0-9]+ p50_us=[0-9]+ p99_us=[0-9]+ shards=$2 engine=cpu\$"
}

# Every twentieth word, and what the searches of these tests are for: quick to load.
asked='recieve definately seperate occured accomodate wierd goverment tommorow neccessary begining embarass rythm'
meant='receive definitely separate occurred accommodate weird government tomorrow necessary beginning embarrass rhythm'
few_words=$folder/few-words
{ printf '%s\n' $meant; awk 'NR % 20 == 1' "$words"; } >"$few_words"

# A service by hand: start_service MODULE SHARDS [option...]; `service` holds the processes.
service=
start_service() {
    local m=$1 n=$2 i
    shift 2
    "$nearest" serve --socket "$folder/socket" --module "$m" --shards "$n" "$@" 2>"$folder/broker.err" &
    service=$!
    for i in $(seq 0 $((n - 1))); do
        "$nearest" shard --socket "$folder/socket" --module "$m" --shard "$i" --words "$few_words" "$@" 2>"$folder/shard$i.err" &
        service="$service $!"
    done
}
stop_service() {
    kill -TERM $service 2>/dev/null
    wait $service 2>/dev/null
    service=
}
ask() { run "$nearest" query --socket "$folder/socket" --words "$few_words" "$@"; }
first_hits() { sed -E 's/^([a-z]+ -> [a-z]+) .*/\1/' "$out"; }
right_hits() { paste -d' ' <(printf '%s ->\n' $asked) <(printf '%s\n' $meant); }
