#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The public pages: the README's sample compiles, links lead somewhere, and every page is in the README's list.
set -u
. "$PSYNE_SOURCE/tests/install/pages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$PSYNE_SOURCE" || exit 1

# The first thing to read is what to type.
opens_with_the_commands() {
    awk '/^```/ && ++fences == 2 { exit } fences == 1 && !/^```/ { print $1, $2 }' README.md >"$work/first"
    printf './bootstrap demo\n./bootstrap check\n' | diff -u - "$work/first"
}

sample_compiles() {
    local blocks=$work/blocks/all
    extract README.md
    "$PSYNE_BUILD/compiler/psynec" "$blocks/shop.psy" "$blocks/shop.hrm" -o "$work/gen" || return
    $PSYNE_CC -std=c11 -Wall -Wextra -Wpedantic -Wconversion -Werror -I"$work/gen" -Iruntime/include -fsyntax-only "$blocks/shop.c" || return
    ! $PSYNE_CXX --version >/dev/null 2>&1 ||
        $PSYNE_CXX -x c++ -std=c++17 -Wall -Wextra -Werror -I"$work/gen" -Iruntime/include -fsyntax-only "$blocks/shop.c"
}

# The programs of a page, with warnings as errors, and what each prints.
frames_run() {
    local library=$PSYNE_BUILD/runtime/.libs name
    [ -e "$library/libpsyne-rt.so" ] || skip 'the shared library was not built' || return
    extract doc/frames.md
    for name in frames stream bells; do
        $PSYNE_CC $PSYNE_SANITIZE_CFLAGS -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Wpedantic -Wconversion -Werror -pthread -Iruntime/include \
            "$work/blocks/all/$name.c" -o "$work/$name" "$library/libpsyne-rt.so" || return
        LD_LIBRARY_PATH=$library "$work/$name" >>"$work/printed" || return
    done
    diff -u - "$work/printed" <<'END'
message 1 of any length
message 2 of any length
message 3 of any length
84 lost, then 84 to 91
0 lost, then 92 to 99
all came
END
}

# The anchors that a page's headings give.
anchors() { sed -n 's/^##* //p' "$1" | tr 'A-Z ' 'a-z-' | sed 's/[^a-z0-9_-]//g'; }

links_lead_somewhere() {
    local page link file anchor bad=0
    for page in README.md CONTRIBUTING.md doc/*.md examples/*/README.md; do
        for link in $(awk '/^ *```/ { code = !code } !code' "$page" | grep -oE '\]\([^)]+\)' | sed 's/^](//; s/)$//'); do
            case $link in http://* | https://*) continue ;; esac
            file=$(dirname "$page")/${link%%#*} anchor=
            case $link in *'#'*) anchor=${link#*#} ;; esac
            [ "$file" != "$(dirname "$page")/" ] || file=$page
            if [ ! -e "$file" ]; then
                echo "$page: there is no $link" && bad=1
            elif [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; then
                echo "$page: $file has no heading #$anchor" && bad=1
            fi
        done
    done
    return $bad
}

every_page_is_listed() {
    local page bad=0
    for page in doc/*.md; do
        grep -qF "($page)" README.md || { echo "$page is not in README.md" && bad=1; }
    done
    return $bad
}

echo 1..5
check 'the README opens with the two commands' opens_with_the_commands
check "the README's sample compiles" sample_compiles
check 'the programs of doc/frames.md run' frames_run
check 'links lead somewhere' links_lead_somewhere
check 'every page is in the list of the README' every_page_is_listed
