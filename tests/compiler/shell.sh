# SPDX-License-Identifier: Apache-2.0
# Functions for scripts that run psynec as a user does, in a folder of their own. To be sourced. Prints TAP.
set -u
export LC_ALL=C
source=${PSYNE_SOURCE:?} build=${PSYNE_BUILD:?} psynec=${PSYNE_BUILD:?}/compiler/psynec
# What a program links that uses more of the library than its headers.
library="${PSYNE_SANITIZE_CFLAGS-} $build/runtime/.libs/libpsyne-core.a -lm -pthread"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

number=0 failed=0
ok() { # name, and a command whose success is the case's
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $name"
    else
        failed=$((failed + 1))
        echo "not ok $number - $name"
        sed 's/^/# /' err 2>/dev/null | head -n 20
    fi
}
skip() { # name, why
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}
run() { # arguments: status, out, err
    status=0
    "$psynec" "$@" >out 2>err </dev/null || status=$?
}
# The names in a folder, in one line.
names() { (cd "$1" 2>/dev/null && printf '%s ' * | sed 's/ $//'); }
is() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\"" >>err && false; }; }
says() { grep -qF -- "$1" err || { echo "nothing says: $1" >>err && false; }; }
prints() { grep -q -- "$1" out; }
both() { "$1" "$2" "$3" && "$4" "$5" "${6-}"; }
# $python: one that has NumPy, or nothing.
find_numpy() {
    for python in python3 /usr/bin/python3 ''; do
        [ -z "$python" ] || "$python" -c 'import numpy' 2>/dev/null && break
    done
}
same() { cmp "$1" "$2" >>err 2>&1; }
finish() {
    echo "1..$number"
    [ $failed = 0 ]
}
