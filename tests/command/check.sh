#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# psyne check: what is found is what the system says, and what is missing is said.
. "${PSYNE_SOURCE:?}/tests/compiler/shell.sh"
psynec=$build/runtime/command/psyne
export PSYNE_COUNTERS=$work/counters

run check && ok 'all is there' both is "$status" 0 prints '^  sealed memory files  *yes$'
ok 'processors' prints "^  allowed  *$(nproc) processors\$"
ok 'engines' prints '^  cpu  *cpu ('
ok 'open files' prints "^  open files  *$(ulimit -n) files\$\\|^  open files  *none"
ok 'no counters yet' prints '^  files  *none yet$'
run check --quick && ok 'quick' both is "$status" 0 eval '! prints "^  distance" && ! prints "^  vulkan"'
PSYNE_CPU=base run check --quick && ok 'the instruction set that is chosen' prints '^  cpu  *cpu (base kernels)$'
mkdir -m 755 counters && printf PSYC >counters/a.counters
run check --quick && ok 'broken counters' both is "$status" 0 prints 'better: 1 files of the folder are no files of counters'
(ulimit -n 100 && "$psynec" check --quick >out 2>err)
ok 'few open files' prints 'better: a process may open 100 files only'
case "${PSYNE_SANITIZERS-}" in
*address* | *thread*) skip 'a limited address space' 'sanitizers need all of it' ;;
*) (ulimit -v 4000000 && "$psynec" check --quick >out 2>err); ok 'a limited address space' prints 'better: the address space is limited' ;;
esac
PSYNE_CPU=none run check --quick && ok 'what is needed is missing' both is "$status" 1 prints '^  needed: the cpu engine cannot be opened'
if python=$(type -P python3); then
    run check --json
    ok 'JSON' "$python" -c 'import json
found = json.load(open("out"))
assert found["usable"] and found["processors"][0]["key"] == "system" and isinstance(found["advice"], list), found
assert [r["unit"] for r in found["limits"] if r["key"] == "open_files"] in (["files"], []), found' 2>err
else
    skip 'JSON' 'python3 was not found'
fi
run check s && ok 'nobody there' both is "$status" 1 prints "needed: nobody serves ipc://$work/s"
run check --json "ipc://$work/s" && ok 'nobody there, JSON' both is "$status" 1 prints '"usable":false'
: >file && run check file && ok 'no socket' both is "$status" 1 prints '^  answers  *no$'
run check a b && ok 'wrong use' both is "$status" 2 says 'one service is asked'
finish
