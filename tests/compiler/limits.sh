#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Limits that inputs must be too large for to be golden files, and what is said of files and folders. Each in bounded time and memory.
. "$(dirname "$0")/shell.sh"
cat >m.psy <<'END'
namespace m;
message In { x: f32; v: f32[8]; }
message Out { y: f32; }
END
# The memory that a command may have, in kB; a sanitizer needs more.
memory=1048576
[ -z "${PSYNE_SANITIZERS-}" ] || memory=unlimited
bounded() { # arguments: status, out, err
    status=0
    (ulimit -v "$memory" && exec timeout 60 "$psynec" "$@") >out 2>err </dev/null || status=$?
}

{ printf 'import "m.psy"\n' && printf '// %0100d\n' {1..11000}; } >text.hrm
bounded text.hrm && ok 'a text of more than 1 MiB' both is "$status" 1 says 'this text has more than 1048576 bytes'

pipeline() { printf 'pipeline %s(q: In) -> Out {\n' "$1"; }
{ printf 'import "m.psy"\n' && pipeline p && printf 'let _%x=1\n' {1..75000} && echo 'Out { y: q.x } }'; } >lets.hrm
bounded lets.hrm && ok 'seventy-five thousand values that nobody uses' is "$status" 0
{ printf 'import "m.psy"\n' && pipeline p && printf 'let a=%.0s1\n' {1..100001} && echo 'Out { y: q.x } }'; } >more.hrm
bounded more.hrm && ok 'more than a hundred thousand' both is "$status" 1 says 'pipeline `p` has more than 100000 `let`'

# Each line is a kernel of its own, and there are too many for a module.
{
    printf 'import "m.psy"\n' && pipeline p && echo 'let x0 = q.v'
    for i in {1..17000}; do echo "let x$i = cumsum(x$((i - 1)), axis: 0)"; done
    echo 'Out { y: sum(x17000) } }'
} >kernels.hrm
bounded kernels.hrm --no-kernels && ok 'seventeen thousand operations' is "$status" 0

{ printf 'import "m.psy"\n' && printf 'const C%d = 1\n' {1..1024} && echo 'param b: f32[MANY] = "bias.npy"' && pipeline p && echo 'Out { y: sum(b) } }'; } >sizes.hrm
bounded sizes.hrm -I "$source/examples/language" && ok 'a size more than there may be' both is "$status" 1 says 'there are more than 1024 constants and sizes'

run m.psy --emit graph && ok 'an output that a schema does not give' both is "$status" 1 says 'nothing of it is spirv, glsl, c, graph or ir'
printf 'import "m.psy"\npipeline p(q: In) -> Out { Out { y: q.x + 1 } }\n' >p.hrm
run p.hrm --emit spirv --no-kernels && ok 'kernels of no kind' both is "$status" 1 says 'there is no kernel to write'
cp m.psy m.txt && run fmt m.txt && ok 'a file of no language' both is "$status" 1 says 'm.txt has no canonical layout'
: >file && run p.hrm -o file && ok 'a file in the place of a folder' both is "$status" 1 says 'file is no folder'
run p.hrm -o file/x && ok 'a file on the way to a folder' both is "$status" 1 says 'folder file/x cannot be made: '
mkdir -p taken/p.psm && run p.hrm -o taken && ok 'a folder in the place of a file' both is "$status" 1 says 'p.psm cannot be written: '
finish
