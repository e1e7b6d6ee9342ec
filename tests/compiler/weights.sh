#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weights as a user has them: where files are looked for, what --deps says of them, the same bytes again, and files that NumPy
# wrote, computed with as NumPy does.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
mkdir program weights
cp "$source"/examples/language/*.{npy,safetensors} weights
cp "$source/examples/language/language.psy" program
cat >program/a.hrm <<'END'
import "language.psy"
param hidden: f32[H, DIM] = "model.safetensors"["hidden.weight"]
param bias: f32[H] = "bias.npy"
pipeline p(q: Query) -> Answer { Answer { value: sum(hidden @ q.vector + bias), count: H } }
END

run program/a.hrm --check
ok 'weights are not there' both is "$status" 1 says 'bias.npy cannot be read: there is no such file'
run program/a.hrm -I weights -o made --deps a.d
ok 'weights in a folder of -I' is "$status $(names made)" '0 a.psm'
ok '--deps names them' is "$(head -n 1 a.d)" 'made/a.psm: program/a.hrm program/language.psy weights/model.safetensors weights/bias.npy'
ok '--deps: a file that is gone is no mistake of make' grep -qx 'weights/bias.npy:' a.d
cp weights/* program
run program/a.hrm -I weights -o beside --deps b.d
ok 'beside the program comes first' is "$(head -n 1 b.d)" 'beside/a.psm: program/a.hrm program/language.psy program/model.safetensors program/bias.npy'
ok 'the same weights, the same bytes' same made/a.psm beside/a.psm
ln -s bias.npy program/link.npy
sed 's/"bias.npy"/"link.npy"/' program/a.hrm >program/b.hrm
run program/b.hrm -o linked --check
ok 'a link is followed' is "$status" 0
rm -f program/bias.npy && mkdir program/bias.npy
run program/a.hrm --check
ok 'a folder' says 'bias.npy cannot be read: a folder, not a file'
rmdir program/bias.npy && mkfifo program/bias.npy
run program/a.hrm --check
ok 'a pipe that nobody writes' says 'bias.npy cannot be read: not a file that can be read to its end'

find_numpy
if [ -z "$python" ]; then
    skip 'files that NumPy wrote' 'python3-numpy is not installed'
else
    "$python" -B "$source/tests/compiler/numpy_weights.py" "$psynec" "$build/tests/compiler/run_module" >out 2>err
    ok 'files that NumPy wrote' is "$? $(tail -n 1 out)" '0 all as NumPy has it'
fi
finish
