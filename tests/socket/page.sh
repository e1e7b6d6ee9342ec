#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs of doc/sockets.md, with warnings as errors, and what they print.
set -u
. "$PSYNE_SOURCE/tests/install/pages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$PSYNE_SOURCE" || exit 1
library=$PSYNE_BUILD/runtime/.libs
export LD_LIBRARY_PATH=$library
extract doc/sockets.md
page=$work/blocks/all

compiled() { # name
    [ -e "$library/libpsyne-rt.so" ] || skip 'the shared library was not built' || return
    $PSYNE_CC $PSYNE_SANITIZE_CFLAGS -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -pthread -Iruntime/include \
        -I"$work/gen" "$page/$1.c" -o "$work/$1" "$library/libpsyne-rt.so"
}

messages_go_between_processes() {
    compiled feed || return
    timeout 60 "$work/feed" "ipc://$work/feed.sock" >"$work/printed" || return
    diff -u - "$work/printed" <<'END'
three columns
[3, 2], last 6
that was all from 1
END
}

a_service_is_asked() {
    "$PSYNE_BUILD/compiler/psynec" "$page/half.psy" "$page/half.hrm" -o "$work/gen" || return
    compiled ask || return
    mkfifo "$work/end"
    "$PSYNE_BUILD/tests/socket/serve" "ipc://$work/half.sock" "$work/gen/half.psm" <"$work/end" &
    local service=$! status=0
    exec 3>"$work/end"
    timeout 60 "$work/ask" "ipc://$work/half.sock" >"$work/printed" || status=$?
    exec 3>&-
    wait "$service" || return
    [ "$status" -eq 0 ] || return
    # Whether the second one is still there to be cancelled is a matter of time; each is called back once.
    sed -e '/^called back: cancelled/d' -e '/^one was cancelled/d' -e '/^it was too quick/d' "$work/printed" | sort -u | diff -u - <(
        cat <<'END'
called back: 2.5
half of 3 is 1.5
END
    ) && [ "$(grep -c '^called back' "$work/printed")" -eq 2 ] && [ "$(wc -l <"$work/printed")" -eq 4 ]
}

# Every option, verb and status of the header is on the page.
everything_is_named() {
    local name bad=0
    for name in $(awk '/^typedef struct psy_socket_options/,/^}/' runtime/include/psyne/socket.h |
        sed -n 's/^    [a-z0-9_]* \([a-z_]*\);.*/\1/p; s/^    psy_counters \*\([a-z]*\);.*/\1/p'); do
        grep -qF "\`$name\`" doc/sockets.md || { echo "the option $name is not there" && bad=1; }
    done
    [ "$(awk '/^typedef struct psy_socket_options/,/^}/' runtime/include/psyne/socket.h | grep -c ';')" -ge 9 ] || bad=1
    for name in $(grep -oE '\bpsy_socket_[a-z_]+\(' runtime/include/psyne/socket.h | tr -d '(' | sort -u); do
        case $name in
        psy_socket_send_* | psy_socket_receive_* | psy_socket_claim* | psy_socket_commit | psy_socket_abort | psy_socket_flush | psy_socket_wait | psy_socket_peek | psy_socket_release | psy_socket_get_info) ;;
        *) grep -qF "$name" doc/sockets.md || { echo "$name is not there" && bad=1; } ;;
        esac
    done
    return $bad
}

echo 1..3
check 'the messages of the page go between processes' messages_go_between_processes
check 'the calls of the page are answered' a_service_is_asked
check 'every option and call is on the page' everything_is_named
