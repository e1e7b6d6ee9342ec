/* SPDX-License-Identifier: Apache-2.0 */
/* Resident data out of files: what is asked for in any order, whatever the window; texts; keys; what does not fit, with both
 * shapes. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "data/rows.h"
#include "tests/test.h"

#define NEAREST PSY_BUILD_DIR "/examples/nearest/gen/nearest.psm"

enum { DIM = 256, ROWS = 3000, LETTERS = 48 }; /* the rows are more than a window has */

static char folder[] = "/tmp/psyne-rows-XXXXXX";
static psy_module *module;

static void begin(void)
{
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    cr_assert(mkdtemp(folder) && chdir(folder) == 0);
    cr_assert_eq(psy_module_open(NEAREST, &module), PSY_OK, "%s", psy_detail());
}

static void end(void)
{
    static const char *const names[] = {"x.npy", "keys.npy", "x.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(names[i]);
    }
    cr_assert(chdir("/") == 0 && rmdir(folder) == 0);
    psy_module_close(module);
}

static void save(const char *name, psy_dtype dtype, uint32_t rank, uint64_t a, uint64_t b, const void *data)
{
    FILE *to = fopen(name, "wb");
    const uint64_t dims[2] = {a, b};
    cr_assert_eq(psy__npy_write(to, dtype, rank, dims, data, a * (rank > 1 ? b : 1) * psy_dtype_bytes(dtype)), PSY_OK);
    fclose(to);
}

static void save_text(const char *text, size_t n)
{
    FILE *to = fopen("x.txt", "wb");
    cr_assert(fwrite(text, 1, n, to) == n && fclose(to) == 0);
}

static void refused(const char *name, const char *file, const char *keys, psy_status status, const char *said)
{
    psy__rows r;
    cr_assert_eq(psy__rows_open(module, name, file, keys, &r), status, "%s", psy_detail());
    cr_assert(strstr(psy_detail(), said), "%s", psy_detail());
    cr_assert_null(r.rows.context);
}

Test(rows, numbers)
{
    begin();
    float *all = malloc(sizeof(float) * ROWS * DIM), row[DIM];
    uint64_t keys[ROWS], k;
    for (size_t i = 0; i < ROWS * DIM; i++) {
        all[i] = (float)i;
    }
    for (size_t i = 0; i < ROWS; i++) {
        keys[i] = i * 7919 + 1;
    }
    save("x.npy", PSY_F32, 2, ROWS, DIM, all);
    save("keys.npy", PSY_U64, 1, ROWS, 0, keys);
    psy__rows r;
    cr_assert_eq(psy__rows_open(module, "stored", "x.npy", "keys.npy", &r), PSY_OK, "%s", psy_detail());
    cr_assert(r.rows.rank == 2 && r.rows.dims[0] == ROWS && r.rows.dims[1] == DIM && strcmp(r.rows.resident, "stored") == 0);
    for (uint64_t i = 0; i < ROWS; i++) {
        const uint64_t at = i % 2 ? ROWS - 1 - i : i; /* there and back */
        cr_assert_eq(r.rows.fill(r.rows.context, at, row), PSY_OK);
        cr_assert(memcmp(row, all + at * DIM, sizeof row) == 0);
        cr_assert(r.rows.key(r.rows.context, at, &k) == PSY_OK && k == keys[at]);
    }
    cr_assert(truncate("x.npy", 4096) == 0);
    cr_assert_eq(r.rows.fill(r.rows.context, 2000, row), PSY_IO);
    cr_assert(strstr(psy_detail(), "x.npy: it got shorter"), "%s", psy_detail());
    psy__rows_close(&r);
    free(all);
    end();
}

Test(rows, texts)
{
    begin();
    char out[LETTERS];
    static const char text[] = "tea\n\nz\xc3\xbcrich\r\nlast";
    static const char *const wanted[] = {"tea", "", "z\xc3\xbcrich", "last"};
    psy__rows r;
    save_text(text, sizeof text - 1);
    cr_assert_eq(psy__rows_open(module, "spelling", "x.txt", NULL, &r), PSY_OK, "%s", psy_detail());
    cr_assert(r.rows.dims[0] == 4 && r.rows.dims[1] == LETTERS);
    for (uint64_t i = 4; i-- > 0;) {
        cr_assert_eq(r.rows.fill(r.rows.context, i, out), PSY_OK);
        cr_assert(strncmp(out, wanted[i], LETTERS) == 0 && out[LETTERS - 1] == '\0');
    }
    psy__rows_close(&r);
    save_text("", 0);
    cr_assert_eq(psy__rows_open(module, "spelling", "x.txt", NULL, &r), PSY_OK);
    cr_assert_eq(r.rows.dims[0], 0);
    psy__rows_close(&r);
    save_text("good\n\xff\n", 7);
    refused("spelling", "x.txt", NULL, PSY_INVALID, "x.txt: line 2 is not UTF-8");
    save_text("a\0b\n", 4);
    refused("spelling", "x.txt", NULL, PSY_INVALID, "line 1 is not UTF-8");
    save_text("0123456789012345678901234567890123456789012345678\n", 50);
    refused("spelling", "x.txt", NULL, PSY_TOO_LARGE, "line 1 has 49 bytes, at most 48");
    refused("words", "x.txt", NULL, PSY_INVALID, "not one text a row");
    end();
}

Test(rows, refused)
{
    begin();
    static float x[512];
    static uint64_t keys[4];
    save("x.npy", PSY_F32, 2, 2, 256, x);
    save("keys.npy", PSY_U64, 1, 3, 0, keys);
    refused("wrods", "x.npy", NULL, PSY_NOT_FOUND, "no resident `wrods`; there are: words, spelling, stored");
    refused("words", "x.bin", NULL, PSY_INVALID, "read from .npy files");
    refused("words", "none.npy", NULL, PSY_IO, "none.npy: ");
    refused("words", "x.npy", "keys.npy", PSY_INVALID, "takes no keys");
    refused("stored", "x.npy", NULL, PSY_INVALID, "it needs keys");
    refused("stored", "x.npy", "keys.npy", PSY_INVALID, "keys.npy: it is u64[3], and the keys of resident stored are u64[2]");
    save("x.npy", PSY_F32, 2, 4, 128, x);
    refused("words", "x.npy", NULL, PSY_INVALID, "x.npy: it is f32[4, 128], and resident words is f32[N, 256]");
    save("x.npy", PSY_F32, 1, 256, 0, x);
    refused("words", "x.npy", NULL, PSY_INVALID, "it is f32[256], and resident words is f32[N, 256]");
    save("x.npy", PSY_F16, 2, 2, 256, x);
    refused("words", "x.npy", NULL, PSY_INVALID, "it is f16[2, 256], and resident words is f32[N, 256]: nothing is converted");
    cr_assert(truncate("x.npy", 1000) == 0);
    refused("words", "x.npy", NULL, PSY_CORRUPT, "cut short");
    end();
}
