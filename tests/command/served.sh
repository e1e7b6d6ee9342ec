# SPDX-License-Identifier: Apache-2.0
# Functions for scripts that start services with psyne serve: data, a service, a client. To be sourced after served.hrm's schema is compiled.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
"$psynec" "$source/tests/command/served.hrm" -o . || exit 1
psynec=$build/runtime/command/psyne
export PSYNE_COUNTERS=$work/counters
socket=$work/s service=

npy() { # file, descr, shape, elements as escapes of printf
    local header="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }" n
    n=$((${#header} + 11))
    header+=$(printf '%*s' $(((64 - n % 64) % 64)) '')
    { printf '\223NUMPY\001\000' && printf "\\x$(printf %x $((${#header} + 1)))\\000%s\n" "$header" && printf "$4"; } >"$1"
}
o='\000\000\000\000' i='\000\000\200\077' ii='\000\000\000\100'
six_rows="$i$o$o$o$o$i$o$o$o$o$i$o$o$o$o$i$ii$o$o$o$o$ii$o$o"
npy rows.npy '<f4' '6, 4' "$six_rows"
npy keys.npy '<u8' '6,' '\012\0\0\0\0\0\0\0\013\0\0\0\0\0\0\0\014\0\0\0\0\0\0\0\015\0\0\0\0\0\0\0\016\0\0\0\0\0\0\0\017\0\0\0\0\0\0\0'
printf '%s\n' alpha bravo charlie delta echo foxtrot >names.txt
all=(served.psm --socket "$socket" --data rows=rows.npy --data names=names.txt --data stored=rows.npy --keys stored=keys.npy)

# Each of them, commands in a word.
every() {
    local one
    for one; do
        eval "$one" || { echo "not so: $one" >>err && return 1; }
    done
}
# Until it succeeds, or a minute is over.
await() {
    local until=$((SECONDS + 60))
    until "$@" 2>/dev/null; do
        [ "$SECONDS" -lt "$until" ] || { echo "not within a minute: $*" >>err && return 1; }
        sleep 0.05
    done
}

# A service, ready: `service` is its process, its log is `log` where standard error is, and nothing else is said.
rm -f ready && mkfifo ready
start() { # options
    local said=
    "$psynec" serve "$@" --ready-fd 3 3>ready 2>log </dev/null &
    service=$!
    read -r -t 60 said <ready
    [ "$said" = ready ] || { cat log >err && false; }
}
stop() { # its exit status goes to `status`
    kill -TERM "$service" 2>/dev/null
    finished
}
finished() {
    status=0
    wait "$service" 2>/dev/null || status=$?
    service=
}
# The process of "shard 0", as the log (of level debug) says last.
process() { sed -n "s/.*process.started .*process=\"\{0,1\}$1\"\{0,1\} pid=\([0-9]*\).*/\1/p" "${2:-log}" | tail -n 1; }
is_new() { [ -n "$(process "$1")" ] && [ "$(process "$1")" != "$2" ]; }
# The child that a process started last, as the system says: what stands behind the command's name in parentheses is state, parent.
last_child() { sed 's/^\([0-9]*\) .*) . \([0-9]*\) .*/\2 \1/' /proc/[0-9]*/stat 2>/dev/null | awk -v of="$1" '$1 == of && $2 > last { last = $2 } END { print last }'; }
gone() { case $(awk '{print $3}' "/proc/$1/stat" 2>/dev/null) in Z | "") ;; *) false ;; esac }
ask() { # seconds, or nothing
    timeout 100 "$build/tests/command/serve_ask" "ipc://$socket" served.psm nearest served.Query served.Hits '{"vector": [1, 0, 0, 0]}' "$@"
}
answer='{"score": [2, 1], "index": [4, 0], "name": ["echo", "alpha"]}'
answers() { [ "$(ask 2>>err)" = "$answer" ] || { echo "the answer is another one" >>err && false; }; }
