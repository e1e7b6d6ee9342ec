# SPDX-License-Identifier: Apache-2.0
# pets.hrm compiled, with its resident data in files. To be sourced.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
cp "$source"/tests/command/pets.{hrm,psy} . && "$psynec" pets.hrm -o . || exit 1
psynec=$build/runtime/command/psyne

npy() { # file, descr, shape, bytes in hexadecimal
    local dict="{'descr': '$2', 'fortran_order': False, 'shape': $3, }"
    { printf '\x93NUMPY\x01\x00' && printf "\\x$(printf %02x $((${#dict} % 256)))\\x$(printf %02x $((${#dict} / 256)))" &&
        printf '%s' "$dict" && printf "$(sed 's/../\\x&/g' <<<"${4-}")"; } >"$1"
}
f32() { # small whole numbers
    local x
    local -A bits=([-1]=000080bf [0]=00000000 [1]=0000803f [2]=00000040 [3]=00004040 [4]=00008040 [5]=0000a040 [6]=0000c040 [7]=0000e040
        [8]=00000041 [nan]=0000c07f [inf]=0000807f)
    for x; do printf %s "${bits[$x]}"; done
}
npy rows.npy '<f4' '(4, 4)' "$(f32 1 0 0 0 0 2 0 0 1 1 1 1 -1 0 0 3)"
npy kept.npy '<f4' '(2, 4)' "$(f32 1 2 3 4 5 6 7 8)"
npy keys.npy '<u8' '(2,)' 0a000000000000001400000000000000
npy bias.npy '<f4' '(4,)' "$(f32 0 0 0 1)"
printf 'ant\nbee\ncat\ndog\n' >names.txt
data='--data rows=rows.npy --data names=names.txt --data kept=kept.npy --keys kept=keys.npy --data bias=bias.npy'
pets() { # pipeline, options: with all of the data
    local pipeline=$1
    shift
    run run pets.psm $data -p "$pipeline" "$@"
}

misused() { # what is said, arguments
    local said=$1
    shift
    run "$@"
    ok "$said" both is "$status" 2 says "$said"
}
gives() { is "$status $(cat out)" "$1"; } # exit status and standard output
