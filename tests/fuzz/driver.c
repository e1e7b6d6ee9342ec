/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target without a fuzzer: runs the files and folders that are named, or standard input, under the limits that hold for
 * any input: 1 GiB of memory and a time. `--words` prints the words of the languages as a dictionary for fuzzers. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/fuzz/words.h"

enum { SECONDS_MAX = 20, BYTES_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int run_file(FILE *f)
{
    static uint8_t bytes[BYTES_MAX];
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (!f || ferror(f)) {
        return 1;
    }
    uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer finds a read behind its end */
    if (!exact) {
        return 1;
    }
    memcpy(exact, bytes, n);
    alarm(SECONDS_MAX);
    int status = LLVMFuzzerTestOneInput(exact, n);
    alarm(0);
    free(exact);
    return status;
}

static int run_path(const char *path)
{
    DIR *folder = opendir(path);
    int failed = 0;
    for (const struct dirent *e; folder && (e = readdir(folder));) {
        char inside[4096];
        if (e->d_name[0] != '.') {
            snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
            failed |= run_path(inside);
        }
    }
    if (folder) {
        closedir(folder);
        return failed;
    }
    FILE *f = fopen(path, "rb");
    failed = run_file(f);
    if (f) {
        fclose(f);
    } else {
        perror(path);
    }
    return failed;
}

static void print_words(void)
{
    for (size_t i = 0; i < words_count(); i++) {
        putchar('"');
        for (const char *c = words_at(i); *c; c++) {
            printf((unsigned char)*c < ' ' || (unsigned char)*c > '~' || *c == '"' || *c == '\\' ? "\\x%02x" : "%c",
                   (unsigned char)*c);
        }
        puts("\"");
    }
}

int main(int argc, char **argv)
{
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = {UINT64_C(1) << 30, UINT64_C(1) << 30};
    if (setrlimit(RLIMIT_AS, &memory) != 0) {
        perror("setrlimit");
        return 1;
    }
#endif
    if (argc == 2 && strcmp(argv[1], "--words") == 0) {
        print_words();
        return 0;
    }
    int failed = argc < 2 ? run_file(stdin) : 0;
    for (int i = 1; i < argc; i++) {
        failed |= run_path(argv[i]);
    }
    return failed;
}
