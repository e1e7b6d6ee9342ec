/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz driver of the compiler: the first byte picks schema, program or assembly, the rest is the input. Built as it is, the
 * program reads files, or stdin (afl-fuzz); for libFuzzer, compile this, fuzz.c and compiler/ with
 * `clang -fsanitize=fuzzer,address -DPSY_LIBFUZZER`. $PSYNE_IMPORTS: the folder of imports. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *imports = getenv("PSYNE_IMPORTS");
    if (n > 0) {
        fuzz_one((fuzz_kind)(bytes[0] % FUZZ_KINDS), imports ? imports : ".", bytes + 1, n - 1);
    }
    return 0;
}

#ifndef PSY_LIBFUZZER
static int run_file(FILE *f)
{
    static uint8_t bytes[1 << 20];
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    return f && !ferror(f) ? LLVMFuzzerTestOneInput(bytes, n) : 1;
}

int main(int argc, char **argv)
{
    int failed = argc < 2 ? run_file(stdin) : 0;
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        failed |= run_file(f);
        if (f) {
            fclose(f);
        }
    }
    return failed;
}
#endif
