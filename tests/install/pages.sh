# SPDX-License-Identifier: Apache-2.0
# Functions for scripts that test what pages of the documentation say. To be sourced.

number=0
# TAP: "ok" or "not ok", name, and a file with what there is to say about it.
result() {
    number=$((number + 1))
    echo "$1 $number - $2"
    [ $# -lt 3 ] || sed 's/^/# /' "$3"
}

# check NAME COMMAND...: one case; what the command prints is shown when it fails. It is skipped when the command returns 77.
check() {
    local name=$1 status=0
    shift
    "$@" >"$work/said" 2>&1 || status=$?
    case $status in
    0) result ok "$name" ;;
    77) result ok "$name # SKIP $(tail -n 1 "$work/said")" ;;
    *) result 'not ok' "$name" "$work/said" ;;
    esac
}

skip() { # why
    echo "$1"
    return 77
}

# A page's blocks, under $work/blocks.
extract() { # page
    rm -rf "$work/blocks"
    mkdir -p "$work/blocks"
    awk -v to="$work/blocks" -f "$PSYNE_SOURCE/tests/install/extract.awk" "$1"
}

# What is printed here, as a reader of the page sees it: installed in /usr/local, with a plain cc, and blanks as one.
as_on_the_page() {
    sed -e "s|$root||g" -e "s|$prefix/|/usr/local/|g" -e "s|^$CC |cc |" -e "s|$PWD|.|g" -e 's/[[:space:]]\{1,\}/ /g' -e 's/ $//'
}

# Types the commands of a session in this shell, one after the other, and compares what each prints.
type_session() { # file
    local line command='' wanted='' printed
    while IFS= read -r line; do
        case $line in
        '$ '*) type_command || return; command=${line#'$ '} wanted='' ;;
        '> '*) command+=$'\n'${line#'> '} ;;
        *) wanted+=$line$'\n' ;;
        esac
    done <"$1"
    type_command
}

type_command() {
    [ -n "$command" ] || return 0
    # A file of its own: what it started may go on printing.
    printed=$(mktemp -p "$work")
    eval "$command" >"$printed" 2>&1 </dev/null
    printf '%s' "$wanted" | as_on_the_page >"$work/wanted"
    as_on_the_page <"$printed" | diff -u --label 'the page' --label 'really' "$work/wanted" - || {
        echo "after: $command"
        return 1
    }
}
