/* SPDX-License-Identifier: Apache-2.0 */
/* Module files: missing, foreign, cut off, changed. Nothing but the file as it was compiled is opened. */
#define _GNU_SOURCE
#include <psyne/module.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#define MODULE PSY_BUILD_DIR "/tests/service/gen/shop.psm"

static uint8_t *bytes;
static size_t n;

static void read_module(void)
{
    FILE *f = fopen(MODULE, "rb");
    cr_assert_not_null(f, MODULE);
    bytes = malloc(1 << 20);
    n = fread(bytes, 1, 1 << 20, f);
    cr_assert_gt(n, 100u);
    fclose(f);
}

static char path[128];

/* A file of these bytes, in the folder for temporary files. */
static void write_file(const void *content, size_t size)
{
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.90s/psyne-module-%d", folder ? folder : "/tmp", getpid());
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f, "%s", path);
    cr_assert_eq(fwrite(content, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

static void expect(const char *file, psy_status status, const char *says)
{
    psy_module *module = NULL;
    psy_status got = psy_module_open(file, &module);
    cr_assert_eq(got, status, "%s: %s: %s", file, psy_status_name(got), psy_detail());
    cr_assert(strstr(psy_detail(), file) && strstr(psy_detail(), says), "%s", psy_detail());
    cr_assert_null(module);
}

Test(module_file, names)
{
    psy_module *module, *copy;
    cr_assert_eq(psy_module_open(MODULE, &module), PSY_OK, "%s", psy_detail());
    cr_assert_str_eq(psy_module_pipeline(module, 0), "best");
    cr_assert_str_eq(psy_module_pipeline(module, 3), "weighted");
    cr_assert_str_eq(psy_module_pipeline(module, 5), "kept_scaled");
    cr_assert_null(psy_module_pipeline(module, 6));
    cr_assert_str_eq(psy_module_resident(module, 1), "kept");
    cr_assert_null(psy_module_resident(module, 3));
    read_module();
    cr_assert_eq(psy_module_copy(bytes, n, &copy), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_module_hash(copy), psy_module_hash(module));
    free(bytes);
    psy_module_close(copy);
    psy_module_close(module);
    psy_module_close(NULL);
}

Test(module_file, what_is_no_module)
{
    psy_module *module;
    expect("/no/such/module.psm", PSY_IO, "No such file");
    expect("/tmp", PSY_IO, "not a regular file");
    expect("/dev/zero", PSY_IO, "not a regular file");
    expect(PSY_SOURCE_DIR "/README.md", PSY_CORRUPT, "");
    expect("/proc/self/exe", PSY_CORRUPT, "");
    cr_assert_eq(psy_module_open(NULL, &module), PSY_INVALID);
    cr_assert_eq(psy_module_open(MODULE, NULL), PSY_INVALID);
    cr_assert_eq(psy_module_copy(NULL, 1, &module), PSY_INVALID);
    cr_assert_eq(psy_module_copy("", 0, &module), PSY_CORRUPT);
    write_file("", 0);
    expect(path, PSY_CORRUPT, "");
    unlink(path);

    /* A pipe that nobody writes to must not be waited for. */
    cr_assert_eq(mkfifo(path, 0600), 0);
    alarm(10);
    expect(path, PSY_IO, "not a regular file");
    alarm(0);
    unlink(path);
}

Test(module_file, larger_than_any_module)
{
    write_file("x", 1);
    cr_assert_eq(truncate(path, (off_t)300 << 20), 0); /* sparse */
    expect(path, PSY_TOO_LARGE, "at most");
    unlink(path);
}

Test(module_file, another_version)
{
    read_module();
    bytes[4]++; /* abi_major */
    write_file(bytes, n);
    expect(path, PSY_VERSION, "4.0");
    unlink(path);
    free(bytes);
}

/* Cut off, or one bit another, at every place of the header and the sections' table and at many after them: refused. */
Test(module_file, cut_off_or_changed)
{
    psy_module *module = NULL;
    read_module();
    for (size_t i = 0; i < n; i += i < 600 ? 1 : 31) {
        cr_assert_eq(psy_module_copy(bytes, i, &module), PSY_CORRUPT, "cut off at %zu", i);
    }
    for (size_t i = 0; i < n; i += i < 600 ? 1 : 13) {
        bytes[i] ^= (uint8_t)(1u << (i * 7 % 8));
        psy_status status = psy_module_copy(bytes, n, &module);
        cr_assert(status == PSY_CORRUPT || status == PSY_VERSION, "byte %zu: %s", i, psy_status_name(status));
        cr_assert(psy_detail()[0] != '\0');
        bytes[i] ^= (uint8_t)(1u << (i * 7 % 8));
    }
    write_file(bytes, n - 1);
    expect(path, PSY_CORRUPT, "truncated");
    bytes[n / 2] ^= 1;
    write_file(bytes, n);
    expect(path, PSY_CORRUPT, "hash");
    unlink(path);
    free(bytes);
}
