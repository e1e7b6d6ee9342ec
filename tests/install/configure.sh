#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What configure says where a tool is missing: one error, that names the tool, its package, and how to do without it.
set -u
. "$PSYNE_SOURCE/tests/install/pages.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The source, as if nothing had been configured in it.
mkdir "$work/source"
ln -s "$PSYNE_SOURCE"/* "$work/source/"
rm -f "$work/source/config.status"

# A folder with links to all programs of PATH but those whose names match.
tools_without() { # folder, patterns...
    local folder=$1 from pattern
    shift
    mkdir -p "$folder"
    for from in ${PATH//:/ }; do
        cp -sn "$from"/* "$folder/" 2>/dev/null
    done
    for pattern in "$@"; do
        rm -f "$folder"/$pattern
    done
}

configure_without() { # name, patterns, configure options...
    local name=$1 patterns=$2 status=0
    shift 2
    tools_without "$work/$name.bin" $patterns
    mkdir "$work/$name"
    cp "$work/known" "$work/$name/cache"
    (cd "$work/$name" && env -i PATH="$work/$name.bin" HOME=/ TMPDIR="$TMPDIR" ../source/configure \
        --cache-file=cache "$@") >"$work/$name.log" 2>&1 || status=$?
    echo $status >"$work/$name.status"
}

says() { # name, error, package
    local errors
    errors=$(grep -c 'error:' "$work/$1.log")
    if [ "$(cat "$work/$1.status")" = 1 ] && [ "$errors" = 1 ] && grep -qF "configure: error: $2" "$work/$1.log" &&
        grep -q "apt-get install --no-install-recommends $3" "$work/$1.log"; then
        return 0
    fi
    echo "wanted one error: $2" && tail -n 12 "$work/$1.log" && return 1
}

succeeds() { # name, lines of the summary...
    local name=$1 line
    shift
    for line in "$@"; do
        grep -qE "$line" "$work/$name.log" || { echo "wanted: $line" && tail -n 12 "$work/$name.log" && return 1; }
    done
    [ "$(cat "$work/$name.status")" = 0 ]
}

bare='--without-vulkan --without-spirv-tools --without-criterion --without-lsp --without-microhttpd'
: >"$work/known"
configure_without nothing 'glslang* *pkg-config* *pkgconf* spirv-*' $bare
# What the compiler and the library can do need not be found out again; which tools there are must be.
grep -vE '_(prog|path|env)_|pkg_cv|_[A-Z]+=' "$work/nothing/cache" >"$work/known"
configure_without compiler '*gcc* *clang* cc c99 c89 tcc' $bare &
configure_without make 'make gmake' $bare
configure_without flex 'flex* lex' $bare &
configure_without bison 'bison* yacc byacc' $bare
configure_without pkg-config '*pkg-config* *pkgconf*' --without-vulkan --without-spirv-tools --without-lsp --without-microhttpd
wait

echo 1..6
check 'no compiler' says compiler 'no C compiler was found.' 'gcc'
check 'no make' says make 'GNU make was not found.' 'make'
check 'no flex' says flex 'flex was not found.' 'flex'
check 'no bison' says bison 'bison 3.7 or newer was not found.' 'bison'
check 'no pkg-config' says pkg-config 'pkg-config was not found.' 'pkg-config'
check 'without all that can be left out' succeeds nothing 'Vulkan engine +left out' 'kernel validation +left out' 'language server +left out' 'metrics over HTTP +left out' 'a runner of their own'
