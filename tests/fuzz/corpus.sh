#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target runs its corpus and the inputs of other tests. The driver takes files, folders and standard input.
. "$(dirname "$0")/../compiler/shell.sh"
export PSYNE_IMPORTS=$source/tests/golden/imports:$source/examples/language
targets=$build/tests/fuzz

runs() { # kind, files: by name, since a fuzzer would fuzz in a folder
    local kind=$1
    shift
    find "$@" -type f -print0 | xargs -0 "$targets/fuzz_$kind" >err 2>&1
}
has_inputs() { [ "$(find "$source/tests/fuzz/corpus/$1" -type f | wc -l)" -ge "$2" ]; }

for kind in schema program assembly module message ring; do
    ok "the corpus of $kind is there" has_inputs $kind 20
    ok "the corpus of $kind breaks nothing" runs $kind "$source/tests/fuzz/corpus/$kind"
done
ok 'the corpus of weights is there' has_inputs weights 8
ok 'the corpus of weights breaks nothing' runs weights "$source/tests/fuzz/corpus/weights"
ok 'modules of the tests break nothing' runs module "$source"/tests/isa/*.hra

printf 'pipeline' >wrong
: >empty
ok 'an empty file breaks nothing' runs program empty
if "$targets/fuzz_program" -help=1 2>&1 | grep -q max_total_time; then
    skip 'the driver' 'this build has fuzzers in its place'
else
    from_stdin() { "$targets/fuzz_program" <wrong; }
    no_file() { ! "$targets/fuzz_program" nothing 2>err; }
    words() { "$targets/fuzz_schema" --words >out && grep -qx '"pipeline"' out && grep -qx '"softmax("' out && grep -qx '"add.f32"' out; }
    ok 'the driver takes standard input' from_stdin
    ok 'a file that is not there is an error' no_file
    ok 'the driver prints the words of the languages' words
fi
finish
