/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of .npy and .safetensors files: every dtype, every order, what is refused, and bytes that are no such file. */
#include "compiler/weights.h"
#include "tests/compiler/weights_file.h"
#include "tests/test.h"

typedef struct found {
    psc_arena arena;
    psc_tensor t;
    psc_weights_problem problem;
    uint8_t *elements; /* malloc'd: exactly as many as there are */
    bool ok;
} found;

/* Whatever the bytes are: what is found lies in them, has the size of its shape, and can be read. */
static found find(const uint8_t *at, size_t n, const char *name)
{
    found f = {.ok = false};
    psc_blob blob = {-1, at, n};
    psc_arena_init(&f.arena);
    if (name) {
        const psc_safetensors *s = psc_safetensors_read(&f.arena, &blob, &f.problem);
        f.ok = s && psc_safetensors_find(&f.arena, s, name, &f.t, &f.problem);
    } else {
        f.ok = psc_npy_find(&f.arena, &blob, &f.t, &f.problem);
    }
    cr_assert(f.ok || f.problem.text, "it says nothing");
    if (f.ok && f.t.dtype) {
        uint64_t bytes;
        cr_assert(psc_weights_size(f.t.dims, f.t.rank, psy__dtype_bytes(f.t.dtype), &bytes) && bytes == f.t.bytes);
        cr_assert(f.t.offset <= n && f.t.bytes <= n - f.t.offset);
        f.elements = malloc(f.t.bytes + !f.t.bytes);
        cr_assert(psc_weights_elements(&f.arena, &blob, &f.t, f.elements, &f.problem));
    }
    return f;
}

static void done(found *f)
{
    free(f->elements);
    psc_arena_fini(&f->arena);
}

static void npy_is(const char *dict, unsigned major, const void *elements, size_t bytes, unsigned dtype, const void *wanted)
{
    weights_bytes b = weights_npy(major, dict, elements, bytes);
    found f = find(b.at, b.n, NULL);
    cr_assert(f.ok, "%s: %s", dict, f.problem.text);
    cr_assert_eq(f.t.dtype, dtype, "%s", dict);
    cr_assert(f.t.bytes == bytes && memcmp(f.elements, wanted, bytes) == 0, "%s", dict);
    done(&f);
    free(b.at);
}

static void npy_fails(const char *dict, unsigned major, size_t bytes, const char *said)
{
    static const uint8_t zeros[64];
    weights_bytes b = weights_npy(major, dict, zeros, bytes);
    found f = find(b.at, b.n, NULL);
    cr_assert(!f.ok && strstr(f.problem.text, said), "%s: %s", dict, f.ok ? "is read" : f.problem.text);
    done(&f);
    free(b.at);
}

static void safetensors_fails(const char *json, size_t bytes, const char *said)
{
    static const uint8_t zeros[64];
    weights_bytes b = weights_safetensors(json, zeros, bytes);
    found f = find(b.at, b.n, "a");
    cr_assert(!f.ok && strstr(f.problem.text, said), "%s: %s", json, f.ok ? "is read" : f.problem.text);
    done(&f);
    free(b.at);
}

static const uint8_t bytes8[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
                     swapped2[16] = {2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15},
                     swapped4[16] = {4, 3, 2, 1, 8, 7, 6, 5, 12, 11, 10, 9, 16, 15, 14, 13},
                     swapped8[16] = {8, 7, 6, 5, 4, 3, 2, 1, 16, 15, 14, 13, 12, 11, 10, 9};

Test(weights, npy_dtypes)
{
    static const struct {
        const char *descr;
        unsigned dtype, count;
        const uint8_t *wanted;
    } rows[] = {{"|b1", PSY_BOOL, 0, NULL},    {"|i1", PSY_I8, 16, bytes8},   {"|u1", PSY_U8, 16, bytes8},
                {"<i2", PSY_I16, 8, bytes8},   {"<u2", PSY_U16, 8, bytes8},   {"<i4", PSY_I32, 4, bytes8},
                {"<u4", PSY_U32, 4, bytes8},   {"<i8", PSY_I64, 2, bytes8},   {"<u8", PSY_U64, 2, bytes8},
                {"<f2", PSY_F16, 8, bytes8},   {"<f4", PSY_F32, 4, bytes8},   {"<f8", PSY_F64, 2, bytes8},
                {"<V2", PSY_BF16, 8, bytes8},  {"|V2", PSY_BF16, 8, bytes8},  {"=f4", PSY_F32, 4, bytes8},
                {">f2", PSY_F16, 8, swapped2}, {">i4", PSY_I32, 4, swapped4}, {">f8", PSY_F64, 2, swapped8},
                {">u8", PSY_U64, 2, swapped8}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char dict[128];
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%u,), }   \n", rows[i].descr,
                 rows[i].count);
        for (unsigned major = 1; major <= 3; major++) {
            npy_is(dict, major, bytes8, rows[i].count ? 16 : 0, rows[i].dtype, rows[i].wanted ? rows[i].wanted : bytes8);
        }
    }
    /* Truth values are 0 or 1, whatever the byte. */
    npy_is("{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}", 1, (uint8_t[]){0, 1, 2, 255}, 4, PSY_BOOL,
           (uint8_t[]){0, 1, 1, 1});
    /* Any order of keys and either quote; no axes; an empty one; Python 2's numbers. */
    npy_is("{\"shape\":(),\"fortran_order\":False,\"descr\":\"<f8\"}", 1, bytes8, 8, PSY_F64, bytes8);
    npy_is("{'shape': (3L, 0L), 'fortran_order': False, 'descr': '<f8'}", 2, bytes8, 0, PSY_F64, bytes8);
}

Test(weights, npy_fortran)
{
    /* The elements of [2, 3, 4] with the first axis changing fastest. */
    uint16_t elements[24], wanted[24];
    for (uint16_t a = 0; a < 2; a++) {
        for (uint16_t b = 0; b < 3; b++) {
            for (uint16_t c = 0; c < 4; c++) {
                wanted[(a * 3 + b) * 4 + c] = elements[(c * 3 + b) * 2 + a] = (uint16_t)(100 * a + 10 * b + c);
            }
        }
    }
    npy_is("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3, 4)}", 1, elements, sizeof elements, PSY_U16, wanted);
    npy_is("{'descr': '<u2', 'fortran_order': True, 'shape': (24,)}", 1, elements, sizeof elements, PSY_U16, elements);
}

Test(weights, npy_refused)
{
    npy_fails("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 1, 8, "Python objects");
    npy_fails("{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", 1, 8, "Python objects");
    npy_fails("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}", 1, 4, "records");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 1, 8,
              "cut short: 8 bytes follow its header, and its shape takes 12");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 1, 8, "damaged: 8 bytes");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", 1, 0, "cut short");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 1, 4, "more than 8 axes");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': 2}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'shape': (2,)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 1, 8, "damaged");
    npy_fails("{'descr': '<f4, 'fortran_order': False, 'shape': (2,)}", 1, 8, "damaged");
    npy_fails("", 1, 8, "damaged");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 4, 8, "version 4.0");
    npy_fails("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 0, 8, "version 0.0");
    found f = find((const uint8_t *)"\x93NUMPX\x01", 8, NULL);
    cr_assert(!f.ok && strstr(f.problem.text, "no .npy file"));
    done(&f);
    f = find((const uint8_t *)"\x93NUMPY\x02\0\xff\xff\xff\xff", 12, NULL);
    cr_assert(!f.ok && strstr(f.problem.text, "4294967295 bytes, more than"), "%s", f.problem.text);
    done(&f);
    f = find((const uint8_t *)"\x93NUMPY\x01\0\x80\0", 10, NULL);
    cr_assert(!f.ok && strstr(f.problem.text, "cut short in its header"), "%s", f.problem.text);
    done(&f);
    /* Dtypes that there are elsewhere: the caller says which. */
    weights_bytes b = weights_npy(1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", bytes8, 8);
    f = find(b.at, b.n, NULL);
    cr_assert(f.ok && f.t.dtype == 0 && strcmp(f.t.written, "<c8") == 0);
    done(&f);
    free(b.at);
}

Test(weights, safetensors_dtypes)
{
    static const struct {
        const char *written;
        unsigned dtype, count;
    } rows[] = {{"BOOL", PSY_BOOL, 0}, {"I8", PSY_I8, 16},    {"U8", PSY_U8, 16},  {"I16", PSY_I16, 8}, {"U16", PSY_U16, 8},
                {"F16", PSY_F16, 8},   {"BF16", PSY_BF16, 8}, {"I32", PSY_I32, 4}, {"U32", PSY_U32, 4}, {"F32", PSY_F32, 4},
                {"I64", PSY_I64, 2},   {"U64", PSY_U64, 2},   {"F64", PSY_F64, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char json[256];
        size_t bytes = rows[i].count ? 16 : 0;
        snprintf(json, sizeof json,
                 "{\"__metadata__\": {\"format\": \"pt\"}, \"a\": {\"shape\": [%u, 1], \"dtype\": \"%s\", \"data_offsets\": "
                 "[0, %zu]},"
                 "\"other\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}}   ",
                 rows[i].count, rows[i].written, bytes, bytes, bytes);
        weights_bytes b = weights_safetensors(json, bytes8, bytes);
        found f = find(b.at, b.n, "a");
        cr_assert(f.ok, "%s: %s", json, f.problem.text);
        cr_assert(f.t.dtype == rows[i].dtype && f.t.rank == 2 && f.t.dims[0] == rows[i].count && f.t.dims[1] == 1, "%s", json);
        cr_assert(f.t.bytes == bytes && memcmp(f.elements, bytes8, bytes) == 0, "%s", json);
        done(&f);
        f = find(b.at, b.n, "other");
        cr_assert(f.ok && f.t.dtype == 0 && strcmp(f.t.written, "F8_E4M3") == 0);
        done(&f);
        free(b.at);
    }
    /* Names are texts of JSON. */
    weights_bytes b =
        weights_safetensors("{\"\\u00e4\\ud83d\\ude00\\n\\\"\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]},"
                            "\"b\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
                            bytes8, 3);
    found f = find(b.at, b.n, "\xc3\xa4\xf0\x9f\x98\x80\n\"");
    cr_assert(f.ok && f.t.bytes == 2 && f.elements[0] == 2 && f.elements[1] == 3, "%s", f.problem.text);
    done(&f);
    free(b.at);
}

Test(weights, safetensors_refused)
{
#define A "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}"
    safetensors_fails("{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}", 8, "`a` and `b` overlap");
    safetensors_fails("{" A "}", 3, "`a` lies at 0 to 4 of 3 bytes of elements");
    safetensors_fails("{" A ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[18446744073709551612,4]}}", 8, "outside");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,18446744073709551616]}}", 8, "64 bits");
    safetensors_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,4]}}", 8, "`a` has 4 bytes");
    safetensors_fails("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 8,
                      "`a` has 0 bytes");
    safetensors_fails("{" A "," A "}", 4, "overlap");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],"
                      "\"data_offsets\":[0,0]}}",
                      4, "`a` is there twice");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 4, "more than 8 axes");
    safetensors_fails("{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "no tensor `a`");
    safetensors_fails("{}", 0, "no tensor `a`");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4]}}", 4, "each once");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "each once");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"x\":1}}", 4, "each once");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4,5]}}", 4, "two numbers");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[-4],\"data_offsets\":[0,4]}}", 4, "whole number");
    safetensors_fails("{\"a\":{\"dtype\":\"U8\",\"shape\":[[4]],\"data_offsets\":[0,4]}}", 4, "whole number");
    safetensors_fails("{" A "} x", 4, "something follows");
    safetensors_fails("{" A, 4, "was expected");
    safetensors_fails("[]", 4, "`{` was expected");
    safetensors_fails("{\"a\\u0000\":{}}", 4, "a text is not one");
    safetensors_fails("{\"a\\ud83d\":{}}", 4, "a text is not one");
    safetensors_fails("{\"__metadata__\":{\"x\":1}," A "}", 4, "a text was expected");
    safetensors_fails("{\"a", 0, "no end");
    safetensors_fails("{\"a\\", 0, "no end");
    found f = find((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, "a");
    cr_assert(!f.ok && strstr(f.problem.text, "more than the file"), "%s", f.problem.text);
    done(&f);
    f = find((const uint8_t *)"\1\0\0", 3, "a");
    cr_assert(!f.ok && strstr(f.problem.text, "too short"), "%s", f.problem.text);
    done(&f);
}

static uint64_t state;

static uint32_t random_below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % n);
}

/* Files with a few bytes changed, taken out, put in, or their end cut off. */
static void mutate(weights_bytes whole, const char *name, unsigned rounds)
{
    static const char words[] = "0123456789{}[]()<>'\":,\\ \n-eTFu\0\xff\x80";
    for (unsigned round = 0; round < rounds; round++) {
        size_t n = whole.n;
        uint8_t *copy = malloc(n + 8);
        memcpy(copy, whole.at, n);
        for (unsigned changes = 1 + random_below(4); changes > 0; changes--) {
            size_t at = random_below((uint32_t)n);
            uint8_t byte = random_below(2) ? (uint8_t)words[random_below(sizeof words - 1)] : (uint8_t)random_below(256);
            unsigned how = random_below(4);
            if (how == 0 && n > 1) {
                memmove(copy + at, copy + at + 1, --n - at);
            } else if (how == 1 && n < whole.n + 8) {
                memmove(copy + at + 1, copy + at, n++ - at);
                copy[at] = byte;
            } else {
                copy[at] = byte;
            }
        }
        n = random_below(8) == 0 ? random_below((uint32_t)n + 1) : n;
        uint8_t *exact = malloc(n + !n); /* so that a sanitizer sees the end */
        memcpy(exact, copy, n);
        found f = find(exact, n, name);
        cr_assert(f.arena.total < 8 << 20, "%zu bytes of memory", f.arena.total);
        done(&f);
        free(exact);
        free(copy);
    }
}

Test(weights, damaged)
{
    enum { ROUNDS = 20000 };
    weights_bytes files[] = {weights_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }   \n", bytes8, 16),
                             weights_npy(3, "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 4), }\n", bytes8, 16)};
    weights_bytes named = weights_safetensors(
        "{\"__metadata__\":{\"k\":\"\\u00e4\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"BOOL\",\"shape\":[8],\"data_offsets\":[8,16]}}",
        bytes8, 16);
    state = 11;
    for (unsigned i = 0; i < 2; i++) {
        mutate(files[i], NULL, ROUNDS);
        free(files[i].at);
    }
    mutate(named, "a", ROUNDS);
    free(named.at);
}
