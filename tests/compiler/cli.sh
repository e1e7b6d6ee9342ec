#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psynec on the command line: exit statuses, what is written where, and what is not.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
inputs=$source/examples/nearest
trap 'umount "$work/full" 2>/dev/null; chmod -R u+w "$work"; rm -rf "$work"' EXIT

cp "$inputs/nearest.psy" "$inputs/nearest.hrm" .
printf 'message Broken {\n    x: f33;\n}\n' >broken.psy
printf 'import "nearest.psy"\npipeline p(q: Query) -> Hits { Hits { } }\n' >broken.hrm

# ---- exit statuses ----
run --version && ok 'version' both is "$status" 0 prints 'psynec .*module format' out
run --help && ok 'help' both is "$status" 0 prints 'usage: psynec' out
run && ok 'no files is wrong use' both is "$status" 2 says 'no files'
run --emmit asm nearest.hrm && ok 'an unknown option is wrong use' both is "$status" 2 says 'did you mean `--emit`?'
run --frobnicate nearest.hrm && ok 'an option like no other' both is "$status" 2 says '--help'
run --emit ams nearest.hrm && ok 'an unknown output' both is "$status" 2 says 'did you mean `asm`?'
run --emit '' nearest.hrm && ok 'an empty output' is "$status" 2
run --emit asm, nearest.hrm && ok 'a list with a hole' is "$status" 2
run --dump=fusee nearest.hrm && ok 'an unknown pass' both is "$status" 2 says 'there is no pass `fusee`'
run nearest.hrm -o && ok 'an option without its value' both is "$status" 2 says '-o needs a value'
run -O3 nearest.hrm && ok 'an optimisation that does not exist' both is "$status" 2 says 'no optimisation -O'
run -- -o && ok 'after -- all are files' both is "$status" 1 says '-o: what kind of file'
run no_such.psy && ok 'a file that is not there' both is "$status" 1 says 'no_such.psy: there is no such file'
run . && ok 'a folder' is "$status" 1
mkdir folder.psy && run folder.psy && ok 'a folder with the name of a schema' both is "$status" 1 says 'a folder, not a file'
rmdir folder.psy
mkfifo pipe.psy && run pipe.psy && ok 'a pipe that nobody writes' both is "$status" 1 says 'not a file that can be read to its end'
rm pipe.psy
ln -s /dev/zero zero.psy && run zero.psy && ok 'a device without end' is "$status" 1
rm zero.psy
printf 'message A { x: u8; }\0' >nul.psy && run nul.psy && ok 'a file with a NUL byte' both is "$status" 1 says 'not a text file'
head -c 17000000 /dev/zero | tr '\0' ' ' >large.psy && run large.psy && ok 'a file that is too large' both is "$status" 1 says '16 MiB'
rm large.psy nul.psy
run broken.psy && ok 'an error in the input' both is "$status" 1 says 'error[E0201]'
before=$(names .)
run nearest.hrm broken.psy -o made && ok 'one error anywhere and nothing is written' both is "$status" 1 is "$(names made)" ''
ok 'not even the folder' test ! -e made
run nearest.psy broken.hrm -o made && ok 'an error in a program' both is "$status" 1 is "$(names .)" "$before"
run broken.psy broken.hrm && ok 'errors of all files are shown' both says broken.psy:2:8 '' says 'broken.hrm:2:'

# ---- outputs ----
run nearest.psy -o a/b/c && ok 'folders are made' both is "$status" 0 is "$(names a/b/c)" 'nearest.psy.h'
run nearest.psy -oa/b/c && ok 'and may be there' is "$status" 0
run nearest.psy nearest.hrm -o two && ok 'several files at once' both is "$status" 0 is "$(names two)" 'nearest.psm nearest.psy.h'
ok 'a schema is the same alone and in company' cmp -s a/b/c/nearest.psy.h two/nearest.psy.h
run nearest.hrm --emit asm -o asm && ok '--emit asm' both is "$status" 0 is "$(names asm)" 'nearest.hra'
run nearest.hrm --emit=asm,bytecode -o both && ok '--emit=asm,bytecode' both is "$status" 0 is "$(names both)" 'nearest.hra nearest.psm'
run nearest.hrm --emit spirv,bytecode,asm -o all && ok '--emit spirv,bytecode,asm' is "$status" 0
ok 'kernels, module and assembly' is "$(names all | sed 's/nearest\.[a-z_0-9]*\.spv/K/g; s/\(K \)*K/K/')" 'nearest.hra K nearest.psm'
ok 'a kernel begins with the magic number' is "$(head -c 4 all/nearest.nearest_shard_0.spv | od -An -tx1 | tr -d ' \n')" 03022307
run nearest.hrm --emit spirv -o spirv && ok '--emit spirv' both is "$status" 0 is "$(names spirv | tr ' ' '\n' | grep -vc '\.spv$')" 0
run nearest.hrm --no-kernels --emit spirv -o none && ok 'kernels that were not made' both is "$status" 1 says E0602
ok 'and then nothing is written' test ! -e none
run nearest.psy --emit spirv -o none && ok 'kernels of a schema' both is "$status" 1 says 'a schema gives a header'
run nearest.psy --emit bytecode,asm,json -o types && ok 'bytecode of a schema' both is "$status" 0 is "$(names types)" 'nearest.psy.hra nearest.psy.json nearest.psy.psm'
ok 'is its types' is "$(sed -n 's/^type \([a-zA-Z.]*\).*/\1/p' types/nearest.psy.hra | tr '\n' ' ')" "$(sed -n 's/^message \([A-Za-z]*\).*/nearest.\1/p' nearest.psy | tr '\n' ' ')"
run types/nearest.psy.hra -o types/again && ok 'and nothing else' cmp -s types/nearest.psy.psm types/again/nearest.psy.psm
printf 'const A = 1;\n' >numbers.psy && run numbers.psy --emit fuzz -o none && ok 'a fuzz target of no message' both is "$status" 1 says 'there is nothing to fuzz: no message is declared here'
rm numbers.psy
run nearest.hrm --emit fuzz -o none && ok 'fuzz targets of a program' both is "$status" 1 says 'its messages come from a schema'
run nearest.hrm --emit header -o none && ok 'a header of a program' both is "$status" 1 says 'its messages come from a schema'
run nearest.psy nearest.hrm --emit header,bytecode -o mixed && ok '--emit header,bytecode of both' both is "$status" 0 is "$(names mixed)" 'nearest.psm nearest.psy.h nearest.psy.psm'
run asm/nearest.hra -o again && ok 'assembly gives a module' both is "$status" 0 is "$(names again)" 'nearest.psm'
run nearest.hrm --no-kernels -o plain && ok 'the same as without the assembly between' cmp -s plain/nearest.psm again/nearest.psm
ok 'and that is smaller than with kernels' test "$(stat -c %s plain/nearest.psm)" -lt "$(stat -c %s two/nearest.psm)"
mkdir -p other && cp nearest.psy other/ && run nearest.psy other/nearest.psy -o clash &&
    ok 'two inputs for one output' both is "$status" 1 says 'two inputs would both write clash/nearest.psy.h'
mkdir -p taken/nearest.psy.h && run nearest.psy -o taken && ok 'a folder where the output goes' is "$status" 1
ok 'leaves no temporary files' is "$(names taken)" 'nearest.psy.h'
run nearest.psy -o nearest.hrm && ok 'a file where the folder goes' both is "$status" 1 says 'nearest.hrm'
run nearest.psy -o nearest.hrm/sub && ok 'a file on the way to the folder' is "$status" 1
printf 'old' >two/nearest.psm && run nearest.hrm -o two && ok 'an old output is replaced' cmp -s two/nearest.psm both/nearest.psm
printf 'keep' >two/nearest.psy.h && run nearest.psy broken.psy -o two && ok 'but not when there is an error' is "$(cat two/nearest.psy.h)" keep

# ---- imports ----
mkdir -p deep && cp nearest.hrm deep/ && run deep/nearest.hrm -o x && ok 'an import is looked for beside the file' both is "$status" 1 says 'nearest.psy cannot be read'
run deep/nearest.hrm -I . -o x && ok '-I DIR' is "$status" 0
run deep/nearest.hrm -I/nowhere -Iother -o x && ok '-IDIR, in order' is "$status" 0
sed "s|\"nearest.psy\"|\"$PWD/nearest.psy\"|" nearest.hrm >absolute.hrm && run absolute.hrm -o x && ok 'an absolute import' is "$status" 0

# ---- dumps and times ----
passes=$("$psynec" --dump='?' nearest.hrm 2>&1 | sed -n 's/.*there are //; s/ and / /; s/,//gp')
for pass in $passes; do
    run nearest.hrm --dump="$pass" -o dumped && ok "--dump=$pass" both is "$status" 0 test -s out
done
ok 'a dump writes nothing' test ! -e dumped
run nearest.hrm --dump bytecode -o dumped && ok '--dump PASS' is "$status" 0
ok 'the bytecode dump is the assembly' cmp -s out asm/nearest.hra
run nearest.hrm --time-passes -o x && ok '--time-passes' both is "$status" 0 is "$(grep -cE '^[a-z]+ +[0-9.]+ ms$' err)" "$(($(echo "$passes" | wc -w) + 1))"
run nearest.hrm -O0 -o o0 && ok '-O0' both is "$status" 0 is "$(cmp -s o0/nearest.psm two/nearest.psm; echo $?)" 1
run nearest.hrm -O0 -O1 -o o1 && ok 'the last -O counts' cmp -s o1/nearest.psm two/nearest.psm
run nearest.hrm -O2 -o o2 && ok '-O2' cmp -s o2/nearest.psm two/nearest.psm

# ---- the same inputs give the same bytes ----
run nearest.psy nearest.hrm --emit header,bytecode,asm,spirv -o one
(cd / && "$psynec" "$work/nearest.psy" "$work/nearest.hrm" --emit header,bytecode,asm,spirv -o "$work/elsewhere") >/dev/null 2>err
ok 'from another folder' diff -r one elsewhere
mkdir -p moved && cp nearest.psy nearest.hrm moved/ && (cd moved && TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/ "$psynec" nearest.hrm nearest.psy --emit header,bytecode,asm,spirv -o ../third) 2>err
ok 'from copies elsewhere, in another order' diff -r one third

# ---- what cannot be written ----
run nearest.psy -o /proc/psyne && ok 'a folder that cannot be made' both is "$status" 1 says '/proc/psyne'
if [ "$(id -u)" = 0 ]; then
    skip 'a folder without permission to write' 'the superuser is denied nothing'
else
    mkdir locked && chmod a-w locked && run nearest.psy -o locked && ok 'a folder without permission to write' both is "$status" 1 says locked/nearest.psy.h
fi
full=$work/full
mkdir "$full"
if mount -t tmpfs -o size=8k psynec-test "$full" 2>/dev/null; then
    printf old >"$full/nearest.psy.h"
    run nearest.psy nearest.hrm -o "$full"
    kept=$(cat "$full/nearest.psy.h") left=$(names "$full")
    umount "$full"
    ok 'a full disk' both is "$status" 1 says 'No space left on device'
    ok 'keeps what was there' is "$kept" old
    ok 'and leaves no part of a file' is "$left" nearest.psy.h
else
    skip 'a full disk' 'no tmpfs can be mounted here'
fi

finish
