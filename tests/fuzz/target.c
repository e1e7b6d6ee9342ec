/* SPDX-License-Identifier: Apache-2.0 */
/* What libFuzzer and AFL++ call, built once for each kind of input (-DFUZZ_TARGET=FUZZ_PROGRAM). $PSYNE_IMPORTS: the folders of
 * imports. Half of the changes are the fuzzer's own, the others are of whole tokens. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/change.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_n, const uint8_t *other, size_t other_n, uint8_t *out,
                                 size_t most, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *imports = getenv("PSYNE_IMPORTS");
    fuzz_one(FUZZ_TARGET, imports ? imports : ".", bytes, n);
    return 0;
}

#ifdef PSY_FUZZER
/* Of a module only its text; what follows is not touched. */
static size_t change_text(const uint8_t *one, size_t one_n, const uint8_t *other, size_t other_n, uint8_t *out, size_t most,
                          unsigned seed)
{
    static uint8_t room[2][INPUT_BYTES_MAX];
    const uint8_t *end = FUZZ_TARGET == FUZZ_MODULE && one_n ? memchr(one, 0, one_n) : NULL;
    size_t text = end ? (size_t)(end - one) : one_n, rest = one_n - text;
    soup_input in = {room[0], text < INPUT_BYTES_MAX ? text : INPUT_BYTES_MAX};
    soup_input from = {room[1], other_n < INPUT_BYTES_MAX ? other_n : INPUT_BYTES_MAX};
    memcpy(in.bytes, one, in.n);
    memcpy(from.bytes, other, from.n);
    soup_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    soup_change(&in, &from);
    size_t n = in.n < most ? in.n : most;
    rest = rest < most - n ? rest : most - n;
    memmove(out + n, one + text, rest); /* `out` may be `one` */
    memcpy(out, in.bytes, n);
    return n + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed)
{
    return seed % 2 || n == 0 || FUZZ_TARGET == FUZZ_WEIGHTS ? LLVMFuzzerMutate(bytes, n, most)
                                                             : change_text(bytes, n, bytes, n, bytes, most, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_n, const uint8_t *other, size_t other_n, uint8_t *out,
                                 size_t most, unsigned seed)
{
    return one_n && other_n && FUZZ_TARGET != FUZZ_WEIGHTS ? change_text(one, one_n, other, other_n, out, most, seed) : 0;
}
#endif
