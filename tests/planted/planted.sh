#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The runner of the tests is itself tested: it must notice every fault of planted.c, and for the right reason, and let a good test
# pass. The programs are compiled here, with the sanitizer that each needs, so that all of this runs in every build.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

result() { # ok or "not ok", name
    number=$((number + 1))
    echo "$1 $number - $2"
}

# Compiles planted.c as $work/NAME: the fault, which runner (thin or criterion), flags of the compiler.
build() { # name, fault, runner, flags...
    local name=$1 fault=$2 with=$3
    shift 3
    if [ "$with" = criterion ]; then
        [ -n "${PSYNE_CRITERION// /}" ] || { echo 'Criterion is not built in' >"$work/why" && return 1; }
        set -- "$@" "$PSYNE_SOURCE/tests/planted/planted.c" $PSYNE_CRITERION
    else
        set -- "$@" -DPSY_THIN_RUNNER "$PSYNE_SOURCE/tests/planted/planted.c" "$PSYNE_SOURCE/tests/thin.c"
    fi
    $PSYNE_CC -std=gnu11 -g -O1 -pthread -I"$PSYNE_SOURCE" "-DPLANT_$fault" -o "$work/$name" "$@" >"$work/why" 2>&1
}

# Runs tests through a run of their own: some line must match `pattern`, and the last one be as told.
nested() { # name, programs, pattern or - for none, last line
    local name=$1 status=0 wanted=1
    PSYNE_TEST_SECONDS=${limit:-60} bash "$PSYNE_SOURCE/tests/runner/run" "$work/logs" $2 >"$work/out" 2>&1 || status=$?
    case $4 in *' 0 failed'*) wanted=0 ;; esac
    if [ $status = $wanted ] && { [ "$3" = - ] || grep -qE -- "$3" "$work/out"; } && [ "$(tail -n 1 "$work/out")" = "$4" ]; then
        result ok "$name"
    else
        result 'not ok' "$name: status $status, wanted $wanted, \"$3\" and \"$4\""
        sed 's/^/# | /' "$work/out"
    fi
}

plant() { # fault, runner, pattern, last line, flags...
    local fault=$1 with=$2 pattern=$3 last=$4
    shift 4
    if build "$fault-$with" "$fault" "$with" "$@"; then
        nested "$fault in $with" "$work/$fault-$with" "$pattern" "$last"
    else
        result ok "$fault in $with # SKIP $(grep -m 1 . "$work/why")"
    fi
}

script() { # name, pattern, last line; the script on stdin
    cat >"$work/$1.sh"
    nested "script: $1" "$work/$1.sh" "$2" "$3"
}

echo 1..30
for with in thin criterion; do
    plant GOOD $with '^SKIP .*there is no moon' '2 passed, 0 failed, 1 skipped'
    plant WRONG $with '^FAIL .*planted::b' '1 passed, 1 failed, 0 skipped'
    plant SIGNED $with 'runtime error: signed integer overflow' '2 passed, 1 failed, 0 skipped' -fsanitize=undefined
    plant PROCESS $with 'left processes behind: [0-9]+:sleep 60' '2 passed, 1 failed, 0 skipped'
    plant MEMORY $with 'left shared memory behind: psyne-test-[0-9]+-planted' '2 passed, 1 failed, 0 skipped'
    plant FILE $with 'left temporary files behind: planted' '2 passed, 1 failed, 0 skipped'
    limit=2 plant HANG $with 'ran over its 2 seconds' '0 passed, 1 failed, 0 skipped'
done
# Criterion returns success after a leak, so that only the report tells; the thin runner also ends badly.
plant LEAK criterion 'LeakSanitizer: detected memory leaks' '2 passed, 1 failed, 0 skipped' -fsanitize=address
plant LEAK thin 'LeakSanitizer: detected memory leaks' '2 passed, 2 failed, 0 skipped' -fsanitize=address
# The process that crashes is Criterion's child, and the thin runner itself.
plant OVERFLOW criterion 'AddressSanitizer: heap-buffer-overflow' '1 passed, 2 failed, 0 skipped' -fsanitize=address
plant OVERFLOW thin 'AddressSanitizer: heap-buffer-overflow' '1 passed, 3 failed, 0 skipped' -fsanitize=address
plant CRASH criterion '^FAIL .*planted::b' '1 passed, 1 failed, 0 skipped'
plant CRASH thin 'it reports 1 of 2 cases' '1 passed, 2 failed, 0 skipped'
plant LEAVE thin 'it reports 1 of 3 cases' '1 passed, 1 failed, 0 skipped'
plant STATUS thin 'exit status 3, though no case failed' '2 passed, 1 failed, 0 skipped'
plant RACE thin 'ThreadSanitizer: data race' '2 passed, 2 failed, 0 skipped' -fsanitize=thread

if [ -x "$work/LEAK-criterion" ]; then
    mkdir "$work/direct"
    if ASAN_OPTIONS="log_path=$work/direct/report" LSAN_OPTIONS= "$work/LEAK-criterion" --quiet >/dev/null 2>&1 &&
        grep -q 'LeakSanitizer' "$work"/direct/*; then
        result ok 'Criterion hides a leak'
    else
        result 'not ok' 'Criterion hides a leak'
    fi
else
    result ok 'Criterion hides a leak # SKIP Criterion is not built in'
fi

# A program that says nothing has not passed, not even where another of the same name has.
mkdir -p "$work/tests/a" "$work/tests/b"
cp "$work/GOOD-thin" "$work/tests/a/test_x"
cp "$(type -P true)" "$work/tests/b/test_x"
nested 'a silent program' "$work/tests/a/test_x $work/tests/b/test_x" '^FAIL b/test_x: exit status 0 and no report' \
    '2 passed, 1 failed, 1 skipped'
nested 'no such program' "$work/none" '^FAIL none: exit status 127 and no report' '0 passed, 1 failed, 0 skipped'

script passes - '1 passed, 0 failed, 0 skipped' <<<'exit 0'
script fails 'exit status 5' '0 passed, 1 failed, 0 skipped' <<<'exit 5'
script skips '^SKIP .*the tide is out' '0 passed, 0 failed, 1 skipped' <<<'echo the tide is out; exit 77'
script reports 'a sanitizer reports' '1 passed, 1 failed, 0 skipped' <<<'echo "==1==ERROR: AddressSanitizer: planted"'
