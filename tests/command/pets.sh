# SPDX-License-Identifier: Apache-2.0
# pets.hrm compiled, with its resident data in files. To be sourced.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
cp "$source"/tests/command/pets.{hrm,psy} . && "$psynec" pets.hrm -o . || exit 1
psynec=$build/runtime/command/psyne

. "$source/tests/command/npy.sh"

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
