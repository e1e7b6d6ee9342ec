#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Golden files: what psynec makes of tests/golden/STAGE/NAME.{psy,hrm,hra} is in NAME.{psy,hrm,hra}.out beside it. STAGE is a pass
# (its dump), `asm`, `header`, `graph`, `json`, `ir`, `glsl`, `c`, `fmt`, `fusion` (--explain-fusion), `mended` (--fix), `objects` (--diagnostics=json), or
# `diagnostics` (what is said, and the exit status). Of `compat`, each folder has old.psy and new.psy. `// psynec: ...` on the first line of an input adds
# arguments. `golden.sh --update` (make update-golden) writes the expectations.
set -u
export LC_ALL=C
source=${PSYNE_SOURCE:?} psynec=${PSYNE_BUILD:?}/compiler/psynec
update=no
[ "${1-}" = --update ] && update=yes
golden=$source/tests/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Where an input lies decides what is asked of psynec; paths in messages are relative to the input's folder.
make() { # stage, name: the text on stdout
    local arguments out=$work/out status=0
    arguments=$(sed -n '1s|^// psynec: ||p' "$2")
    rm -rf "$out"
    case $1 in
    asm)
        # shellcheck disable=SC2086
        "$psynec" -I ../imports --emit asm -o "$out" $arguments "$2" && cat "$out/${2%.*}.hra"
        ;;
    header) "$psynec" -o "$out" $arguments "$2" && cat "$out/$2.h" ;;
    diagnostics)
        "$psynec" -I ../imports -o "$out" $arguments "$2" 2>&1 || status=$?
        echo "exit status $status"
        [ $status != 0 ] && [ -e "$out" ] && echo "something was written: $(ls -A "$out")"
        ;;
    fmt)
        cp "$2" "$work/$2" && "$psynec" fmt $arguments "$work/$2" && cat "$work/$2"
        ;;
    graph | json | ir | glsl | c)
        # shellcheck disable=SC2086
        "$psynec" -I ../imports --emit "$1" -o "$out" $arguments "$2" && cat "$out"/*
        ;;
    compat)
        # shellcheck disable=SC2086
        "$psynec" $arguments --compat old.psy "$2" 2>&1 || status=$?
        echo "exit status $status"
        ;;
    fusion) "$psynec" -I ../imports --check --explain-fusion $arguments "$2" ;;
    mended)
        # The text after --fix, and what is said then.
        cp "$2" ../imports/*.psy "$work/"
        (cd "$work" && "$psynec" --check --fix $arguments "$2" 2>&1; cat "$2")
        ;;
    objects) "$psynec" -I ../imports --check --diagnostics=json $arguments "$2" 2>&1 ;;
    *) "$psynec" -I ../imports --dump="$1" -o "$out" $arguments "$2" && [ -e "$out" ] && echo 'a dump writes no files' ;;
    esac 2>"$work/err"
    cat "$work/err"
    return 0
}

number=0 failed=0
report() { # ok or "not ok", name
    number=$((number + 1))
    echo "$1 $number - $2"
    [ "$1" = ok ] || failed=$((failed + 1))
}

for folder in "$golden"/*/ "$golden"/compat/*/; do
    stage=${folder#"$golden/"} stage=${stage%/}
    [ "$stage" = imports ] || [ "$stage" = compat ] && continue
    cd "$folder" || exit 1
    for input in *.psy *.hrm *.hra; do
        [ -e "$input" ] || continue
        [ "${stage%/*}/$input" = compat/old.psy ] && continue
        make "${stage%/*}" "$input" >"$work/now"
        if [ $update = yes ]; then
            cmp -s "$work/now" "$input.out" || { cp "$work/now" "$input.out" && echo "$stage/$input.out"; }
        elif diff -u "$input.out" "$work/now" >"$work/diff" 2>&1; then
            report ok "$stage/$input"
        else
            report 'not ok' "$stage/$input"
            sed 's/^/# /' "$work/diff"
        fi
    done
    # An expectation without its input is left over.
    for out in *.out; do
        [ -e "${out%.out}" ] || report 'not ok' "$stage/$out has no input"
    done
done

# Every code has a case, but the one that says that psynec itself is wrong.
for code in $(sed -n 's/^DIAGNOSTIC([A-Z_]*, "\([EW][0-9]*\)".*/\1/p' "$source/compiler/diagnostics.def"); do
    [ "$code" = E0900 ] && continue
    if [ $update = no ]; then
        if grep -qF "[$code]" "$golden"/diagnostics/*.out "$golden"/compat/*/*.out; then report ok "$code has a case"; else report 'not ok' "$code has no case"; fi
    fi
done
[ $update = yes ] && exit 0
echo "1..$number"
[ $failed = 0 ]
