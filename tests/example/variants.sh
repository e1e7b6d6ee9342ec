# SPDX-License-Identifier: Apache-2.0
# Another metric, k, length of the vectors and number of shards: only nearest.hrm and nearest.psy or the command line change, and the
# answers are right. The example is built against an installed Psyne, by its own Makefile, as a user's program is.
. "$PSYNE_SOURCE/tests/example/common.sh"
plan 12

installed=$folder/installed
unset MAKEFLAGS MFLAGS MAKELEVEL
make -C "$PSYNE_BUILD" install prefix="$installed" >"$out" 2>"$err"
check 'make install' [ -x "$installed/bin/psynec" ]
psynec=$installed/bin/psynec
sanitize=
for one in ${PSYNE_SANITIZERS-}; do
    case $one in asan) sanitize="$sanitize -fsanitize=address" ;; ubsan) sanitize="$sanitize -fsanitize=undefined" ;; tsan) sanitize="$sanitize -fsanitize=thread" ;; esac
done

build() { # a folder with the example's sources
    make -C "$1" CC="${PSYNE_CC:-cc}" CFLAGS="-O1$sanitize" PKG_CONFIG="pkg-config --define-variable=prefix=$installed" \
        PKG_CONFIG_PATH="$installed/lib/pkgconfig" >"$out" 2>"$err"
}
copy() { # a folder of sources to change
    mkdir "$folder/$1"
    cp "$PSYNE_SOURCE"/examples/nearest/{Makefile,nearest.hrm,nearest.psy,*.c,*.h} "$folder/$1"
    chmod -R u+w "$folder/$1"
}

copy base
check 'the Makefile builds it' build "$folder/base"
module=$folder/base/gen/nearest.psm
nearest=$folder/base/nearest

# What the searches find, with any number of shards.
for n in 1 2 3 5; do
    start_service "$module" $n
    ask --k 20 $asked
    cp "$out" "$folder/found$n"
    [ $n != 1 ] || check 'one shard finds them' diff <(first_hits) <(right_hits)
    [ $n = 1 ] || check "$n shards find the same" cmp "$folder/found1" "$folder/found$n"
    stop_service
done

# Other metrics: the same program, another module. Where the cosines of the first four hits are apart, all of these give them in
# the same order, since all vectors have length 1.
clearly() { # the first three words of each search whose first four scores are clearly apart
    awk '{ n = split($0, part, /[(),]+/); clear = 1
           for (i = 1; i < 4; i++) clear = clear && part[2 * i] - part[2 * i + 2] > 0.001
           if (clear) print $1 }' "$folder/found1"
}
three() { # file
    local one
    for one in $(clearly); do
        grep "^$one " "$1" | sed -E 's/ \([^)]*\)//g' | cut -d, -f1-3
    done
}
check 'most searches tell clearly' [ "$(clearly | wc -l)" -ge 6 ]
metric() { # name, scores
    mkdir -p "$folder/$1"
    cp "$folder/base/nearest.psy" "$folder/$1"
    sed "s/^ *let scores = .*/    $2/" "$folder/base/nearest.hrm" >"$folder/$1/nearest.hrm"
    "$psynec" "$folder/$1/nearest.hrm" -o "$folder/$1" 2>"$err" || return 1
    start_service "$folder/$1/nearest.psm" 2
    ask --k 20 $asked
    stop_service
    [ $status = 0 ] && diff <(three "$folder/found1") <(three "$out")
}
check 'squared distances' metric l2 'let d = words - unit(q.vector)  let scores = -sum(d * d, axis: 1)'
check 'distances' metric l2root 'let d = words - unit(q.vector)  let scores = -sqrt(sum(d * d, axis: 1))'
check 'products alone' metric product 'let scores = words @ q.vector'

# Vectors of 128 elements and at most 10 words: schema and pipeline change, the C sources are compiled again as they are.
copy small
sed -i 's/DIM = 256/DIM = 128/; s/<=64/<=10/' "$folder/small/nearest.psy"
sed -i 's/k: 64/k: 10/; s/, 64)/, 10)/g' "$folder/small/nearest.hrm"
small() {
    build "$folder/small" || return 1
    run "$folder/small/nearest" --engine cpu --module "$folder/small/gen/nearest.psm" --words "$few_words" --quiet --sample 300
    [ $status = 0 ] && grep -qE "$(last_line 300 2)" "$out" || return 1
    sed -nE 's/.*recall@1=([0-9.]+) .*/\1/p' "$out" | awk '{ exit $1 < 0.85 }' || return 1
    run "$folder/small/nearest" --k 11
    [ $status = 2 ] && grep -q 'from 1 to 10' "$err"
}
check 'half the length, and ten words' small

# A client of that schema and a service of this one.
start_service "$module" 1
run "$folder/small/nearest" query --socket "$folder/socket" --words "$few_words" recieve
stop_service
hash() { sed -nE 's/.*NEAREST_QUERY_LAYOUT_HASH UINT64_C\(0x([0-9a-f]+)\).*/\1/p' "$folder/$1/gen/nearest.psy.h"; }
check 'a client of another schema is told so' failed_with 1 nearest.Query "$(hash small)" "$(hash base)"
