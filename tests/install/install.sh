#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs into a folder of its own, builds the project of doc/getting-started.md outside the tree with make, Automake and CMake as the
# page says, runs it, and uninstalls.
set -u
here=$PSYNE_SOURCE/tests/install
. "$here/pages.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL MAKE_TERMOUT MAKE_TERMERR

# The path of a socket has room for 107 bytes.
[ ${#TMPDIR} -lt 60 ] || TMPDIR=/tmp
work=$(mktemp -d)
# Services that a session started and a failure left running.
finish_services() {
    local jobs
    jobs=$(jobs -p)
    [ -z "$jobs" ] || kill $jobs 2>/dev/null
    wait
}
trap 'rm -rf "$work"' EXIT
trap 'exit 1' TERM INT

root=$work/root
export CC="$PSYNE_CC${PSYNE_SANITIZE_CFLAGS:+ $PSYNE_SANITIZE_CFLAGS}"
prefix=$(sed -n 's/^prefix=//p' "$PSYNE_BUILD/runtime/psyne-rt.pc")
make() { command "$PSYNE_MAKE" --no-print-directory "$@"; }

has() { # tools...
    local tool
    for tool in "$@"; do
        type -P "$tool" >/dev/null || skip "$tool was not found" || return
    done
}

install_it() {
    make -C "$PSYNE_BUILD" -s install DESTDIR="$root" || return
    installed_pc=$(find "$root" -name psyne-rt.pc)
    [ -n "$installed_pc" ] || return
    libdir=$(dirname "$(dirname "$installed_pc")")
    export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_PATH=${installed_pc%/*} LD_LIBRARY_PATH=$libdir PATH="$root$prefix/bin:$PATH"
}

# Every header, and the one that psynec makes, must stand alone.
headers() { # compiler, language, flags...
    local compiler=$1 language=$2 header
    shift 2
    mkdir -p "$work/gen"
    psynec "$work/blocks/all/colours.psy" -o "$work/gen" || return
    for header in "$root$prefix"/include/psyne/*.h "$work/gen/colours.psy.h"; do
        echo "#include \"$header\"" >"$work/alone.c"
        $compiler -x "$language" "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$root$prefix/include" "$work/alone.c" || return
    done
}

# psy_ names only, none of them private (psy__), all with the version of the map, and all declared in a public header.
symbols() {
    local version name
    version=$(sed -n 's/^\([A-Z0-9_]*\) {$/\1/p' "$PSYNE_SOURCE/runtime/psyne-rt.map")
    nm -D --defined-only "$libdir/libpsyne-rt.so" | awk '$2 != "A" { print $3 }' >"$work/symbols"
    [ -n "$version" ] && [ -s "$work/symbols" ] || return
    if grep -vE "^psy_[a-z][a-z0-9_]*@@$version\$" "$work/symbols"; then
        echo 'these should not be exported, or not so'
        return 1
    fi
    while read -r name; do
        grep -qw "${name%@@*}" "$root$prefix"/include/psyne/*.h || { echo "$name is in no public header" && return 1; }
    done <"$work/symbols"
}

# Shared: the library alone, found under its soname. Static: also what it needs.
shared() {
    has pkg-config || return
    [ "$(pkg-config --libs psyne-rt)" = "-L$libdir -lpsyne-rt " ] || { pkg-config --libs psyne-rt && return 1; }
    [ -x "$(pkg-config --variable=psynec psyne-rt)" ] || { echo 'no psynec where the file says' && return 1; }
    $CC -std=c11 -I"$work/gen" $(pkg-config --cflags psyne-rt) "$work/blocks/all/colours.c" -o "$work/shared" $(pkg-config --libs psyne-rt) &&
        readelf -d "$work/shared" | grep -q 'NEEDED.*libpsyne-rt\.so\.0'
}

static() {
    has pkg-config || return
    mkdir -p "$work/static"
    # A build without --enable-static has the same objects in the library of the tests.
    cp "$libdir/libpsyne-rt.a" "$work/static/" 2>/dev/null || cp "$PSYNE_BUILD/runtime/.libs/libpsyne-core.a" "$work/static/libpsyne-rt.a" || return
    $CC -std=c11 -I"$work/gen" $(pkg-config --cflags psyne-rt) "$work/blocks/all/colours.c" -o "$work/alone" -L"$work/static" \
        $(pkg-config --static --libs-only-l --libs-only-other psyne-rt) &&
        ! readelf -d "$work/alone" | grep 'NEEDED.*psyne' && "$work/alone" serve "ipc://$work/nobody" "$work/none.psm" 2>&1 | grep 'colours: .*none.psm'
}

# Builds the project as the page says, in a folder of its own; then a change of the schema must reach the program.
project() { # group, command that builds again, where the program is
    local again=$2 program=$3
    rm -rf "$work/project"
    mkdir "$work/project"
    cp "$work"/blocks/all/* "$work/blocks/$1"/* "$work/project/"
    cd "$work/project" || return
    type_session "$work/blocks/$1.session" || return
    find . -exec touch -d '1 hour ago' {} +
    sed -i 's/\<16\>/12/g' colours.psy colours.hrm
    eval "$again" >"$work/again" 2>&1 || { cat "$work/again" && return 1; }
    [ -n "$(find "$program" -newer colours.psy)" ] || { echo 'a change of the schema does not reach the program' && return 1; }
    eval "$again" >"$work/again" 2>&1 || return
    ! grep psynec "$work/again"
}

# A project that psynec writes, built and run as its README says.
new_project() {
    has pkg-config || return
    cd "$work" && psynec new little_shop || return
    make -C little_shop -s run >"$work/ran" 2>&1 || { cat "$work/ran" && return 1; }
    printf 'item 5: 0.999\nitem 13: 0.997\nitem 21: 0.995\n' | diff -u - "$work/ran" || return
    make -C little_shop -s check && make -C little_shop -q all || { echo 'there is something left to make' && return 1; }
    find little_shop -exec touch -d '1 hour ago' {} +
    sed -i 's/u16 = 3/u16 = 1/' little_shop/little_shop.psy && make -C little_shop -s run >"$work/ran" 2>&1
    [ "$(cat "$work/ran")" = 'item 5: 0.999' ] || { cat "$work/ran" && return 1; }
    make -C little_shop -s clean && [ ! -e little_shop/gen ]
}

manual_and_completion() {
    local program
    for program in psyne psynec; do
        [ -s "$root$prefix/share/man/man1/$program.1" ] && bash -n "$root$prefix/share/bash-completion/completions/$program" || return
    done
    psyne --version && psynec --version
}

# Where psynec and the file of pkg-config look for them.
standard_schemas() {
    has pkg-config || return
    local at
    at=$(pkg-config --variable=schemas psyne-rt)
    at=${at#"$root"}
    diff -r "$PSYNE_SOURCE/schemas/psyne" "$root$at/psyne" || return
    grep -qaF "$at" "$root$prefix/bin/psynec" || { echo "psynec does not know $at" && return 1; }
    mkdir -p "$work/outside" && cd "$work/outside" || return
    printf 'import "psyne/tensor.psy";\nnamespace outside;\n\nmessage Question {\n    query: Vector;\n}\n' >outside.psy
    PSYNE_SCHEMAS=$root$at psynec outside.psy "$root$at"/psyne/*.psy -o gen || return
    printf '#include "outside.psy.h"\nint main(void) { return outside_question_type() == NULL; }\n' >outside.c
    $CC -std=c11 -Igen $(pkg-config --cflags psyne-rt) outside.c -o outside $(pkg-config --libs psyne-rt) && ./outside
}

uninstall_it() {
    make -C "$PSYNE_BUILD" -s uninstall DESTDIR="$root" || return
    ! find "$root" ! -type d | grep .
}

with_automake() { has autoreconf pkg-config && project automake 'make -C build' build/colours; }
with_cmake() { has cmake pkg-config && project cmake 'cmake --build build' build/colours; }
with_make() { has pkg-config && project make make colours; }

extract "$PSYNE_SOURCE/doc/getting-started.md"
echo 1..13
check 'make install' install_it
check 'every header alone, as C11' headers "$PSYNE_CC" c -std=c11 -Wconversion
if $PSYNE_CXX --version >/dev/null 2>&1; then
    check 'every header alone, as C++17' headers "$PSYNE_CXX" c++ -std=c++17
else
    check 'every header alone, as C++17' skip 'a C++ compiler was not found'
fi
check 'exported names' symbols
check 'psyne-rt.pc, shared' shared
check 'psyne-rt.pc, static' static
# In subshells: each changes the folder, and starts services.
for how in make automake cmake; do
    check "a project with $how" eval "(trap finish_services EXIT; with_$how)"
done
check 'a project that psynec writes' eval '(new_project)'
check 'the manual page and the completion' manual_and_completion
check 'the standard schemas' eval '(standard_schemas)'
check 'make uninstall' uninstall_it
