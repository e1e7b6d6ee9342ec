/* SPDX-License-Identifier: Apache-2.0 */
/* .npy files written and read again, of every dtype and rank; what is refused, and files that change while they are read. */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <unistd.h>

#include "data/npy.h"
#include "tests/test.h"

static char path[] = "/tmp/psyne-npy-XXXXXX";

static void make_file(const void *bytes, size_t n)
{
    strcpy(path + sizeof path - 7, "XXXXXX");
    const int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

/* A file with this dict in its header and `n` zeros behind it. */
static void make_npy(const char *dict, size_t n)
{
    uint8_t bytes[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    const size_t length = strlen(dict);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, dict, length);
    make_file(bytes, 10 + length + n);
}

static void refused(psy_status status, const char *said)
{
    psy__npy x;
    psy__npy_file f;
    cr_assert_eq(psy__npy_open(path, &x), status, "%s", psy_detail());
    cr_assert(strstr(psy_detail(), said) && strstr(psy_detail(), path), "%s", psy_detail());
    cr_assert_null(x.map);
    cr_assert_eq(psy__npy_file_open(path, &f), status);
    cr_assert(f.fd < 0);
    unlink(path);
}

Test(npy, every_dtype_and_rank)
{
    uint8_t data[8 * 24];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 37 + 11);
    }
    for (unsigned dtype = PSY_BOOL; dtype <= PSY_F64; dtype++) {
        for (uint32_t rank = 0; rank <= PSY_RANK_MAX; rank++) {
            const uint64_t dims[PSY_RANK_MAX] = {2, 3, 1, 4, 1, 1, 1, 1};
            uint64_t bytes = psy_dtype_bytes(dtype), count = 1;
            for (uint32_t d = 0; d < rank; d++) {
                count *= dims[d];
            }
            bytes *= count;
            for (size_t i = 0; dtype == PSY_BOOL && i < bytes; i++) {
                data[i] = i % 3 == 0;
            }
            make_file("", 0);
            FILE *to = fopen(path, "wb");
            cr_assert_eq(psy__npy_write(to, (psy_dtype)dtype, rank, dims, data, bytes), PSY_OK, "%s", psy_detail());
            cr_assert_eq(ftell(to) % 64, (long)(bytes % 64));
            fclose(to);
            psy__npy x;
            cr_assert_eq(psy__npy_open(path, &x), PSY_OK, "%s", psy_detail());
            cr_assert(x.dtype == dtype && x.rank == rank && x.count == count && (uintptr_t)x.data % 64 == 0);
            cr_assert(memcmp(x.dims, dims, rank * sizeof *dims) == 0 && memcmp(x.data, data, bytes) == 0);
            psy__npy_close(&x);
            unlink(path);
        }
    }
}

Test(npy, none_and_much)
{
    const uint64_t none[2] = {0, UINT64_MAX}, much[2] = {UINT64_C(1) << 40, UINT64_C(1) << 40};
    psy__npy x;
    make_file("", 0);
    FILE *to = fopen(path, "wb");
    cr_assert_eq(psy__npy_write(to, PSY_F32, 2, none, NULL, 0), PSY_OK);
    cr_assert_eq(psy__npy_write(to, PSY_F32, 2, much, "", 4), PSY_INVALID);
    cr_assert_eq(psy__npy_write(to, PSY_F32, 1, none, "", 4), PSY_INVALID);
    cr_assert_eq(psy__npy_write(to, (psy_dtype)99, 0, none, "", 4), PSY_INVALID);
    fclose(to);
    cr_assert_eq(psy__npy_open(path, &x), PSY_OK, "%s", psy_detail());
    cr_assert(x.count == 0 && x.dims[1] == UINT64_MAX);
    psy__npy_close(&x);
    unlink(path);
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 8);
    refused(PSY_CORRUPT, "cut short: 8 bytes follow its header, and its shape takes more than");
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}", 8);
    refused(PSY_CORRUPT, "cut short");
}

Test(npy, orders)
{
    psy__npy x;
    make_npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", 8);
    refused(PSY_UNSUPPORTED, "big-endian (`>f4`): save `x.astype('<f4')`");
    make_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", 16);
    refused(PSY_UNSUPPORTED, "Fortran order: save `numpy.ascontiguousarray(x)`");
    make_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1)}", 8); /* there is but one order */
    cr_assert_eq(psy__npy_open(path, &x), PSY_OK, "%s", psy_detail());
    psy__npy_close(&x);
    unlink(path);
}

Test(npy, hostile)
{
    make_file("", 0);
    refused(PSY_CORRUPT, "no .npy file");
    make_file("\x93NUMPY\x01\0\x80\0", 10);
    refused(PSY_CORRUPT, "cut short in its header");
    make_file("\x93NUMPY\x02\0\xff\xff\xff\xff", 12);
    refused(PSY_CORRUPT, "4294967295 bytes, more than 65536");
    make_npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8);
    refused(PSY_UNSUPPORTED, "`<c8`, which no element type is");
    make_npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8);
    refused(PSY_UNSUPPORTED, "runs code when it is read");
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 8);
    refused(PSY_CORRUPT, "cut short: 8 bytes");
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 8);
    refused(PSY_CORRUPT, "damaged: 8 bytes");
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4);
    refused(PSY_UNSUPPORTED, "more than 8 axes");
    make_file("", 0);
    unlink(path);
    cr_assert(mkdir(path, 0700) == 0);
    psy__npy x;
    cr_assert_eq(psy__npy_open(path, &x), PSY_IO);
    rmdir(path);
    cr_assert(mkfifo(path, 0600) == 0); /* nobody writes: it is not waited for */
    refused(PSY_IO, "no plain file");
    cr_assert_eq(psy__npy_open(path, &x), PSY_IO);
}

Test(npy, every_cut)
{
    uint8_t whole[200];
    static const uint64_t dims[1] = {9};
    char header[PSY_NPY_WRITTEN_MAX];
    const size_t n = psy__npy_header_write(header, PSY_I32, 1, dims);
    memset(whole, 0, sizeof whole);
    memcpy(whole, header, n);
    for (size_t cut = 0; cut <= n + 36; cut++) {
        uint8_t *bytes = malloc(cut + !cut);
        psy__npy_header h;
        memcpy(bytes, whole, cut);
        cr_assert_eq(psy__npy_header_read(bytes, cut, cut, &h), cut == n + 36 ? PSY_OK : PSY_CORRUPT, "%zu", cut);
        free(bytes);
    }
}

Test(npy, gets_shorter)
{
    make_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (100,)}", 400);
    psy__npy_file f;
    uint8_t out[400];
    cr_assert_eq(psy__npy_file_open(path, &f), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy__npy_file_read(&f, 0, 400, out), PSY_OK);
    cr_assert(truncate(path, 100) == 0);
    cr_assert_eq(psy__npy_file_read(&f, 0, 400, out), PSY_IO);
    cr_assert(strstr(psy_detail(), "it got shorter while it was read"));
    psy__npy_file_close(&f);
    unlink(path);
}
