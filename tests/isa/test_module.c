/* SPDX-License-Identifier: Apache-2.0 */
/* The file around the programs: header, sections, kernels; encoding; and bytes from anywhere. */
#include "isa/module.h"

#include "forge.h"
#include "isa/verify.h"
#include "random_module.h"

Test(module, header)
{
    static const struct {
        size_t at;
        uint64_t bits;
        unsigned bytes;
        psy_status status;
        const char *detail;
    } cases[] = {
        {0, 0x12345678, 4, PSY_CORRUPT, "not a module: its first word is 12345678"},
        {4, 1, 2, PSY_VERSION, "the module has format 1.0, this library reads 3.x"},
        {6, 1, 2, PSY_VERSION, "the module has format 3.1, this library reads up to 3.0"},
        {8, 64, 8, PSY_CORRUPT, "the module says 64 bytes and has"},
        {8, UINT64_MAX, 8, PSY_CORRUPT, "(truncated?)"},
        {24, 16, 4, PSY_CORRUPT, "the module has 16 sections"},
        {24, 0, 4, PSY_CORRUPT, "bytes after the last section"},
        {24, 3, 4, PSY_CORRUPT, "do not fit"},
        {28, 1, 4, PSY_CORRUPT, "reserved words of the module's header are set"},
        {60, 1, 4, PSY_CORRUPT, "reserved words of the module's header are set"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module("nearest", &n);
        psy__module m;
        memcpy(bytes + cases[i].at, &cases[i].bits, cases[i].bytes);
        sample_rehash(bytes, n);
        expect(cases[i].detail, decode(bytes, n, &m), cases[i].status, cases[i].detail);
        free(bytes);
    }
}

Test(module, hash)
{
    uint64_t n;
    uint8_t *bytes = sample_module("nearest", &n);
    psy__module m;
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    cr_assert_eq(m.hash, ((psy_psm_header *)bytes)->hash);
    bytes[n - 1] ^= 1;
    expect("hash", decode(bytes, n, &m), PSY_CORRUPT, "the module's hash does not match its bytes");
    expect("alignment", decode(bytes + 4, n, &m), PSY_INVALID, "a multiple of 8");
    expect("nothing", decode(NULL, 0, &m), PSY_INVALID, "a multiple of 8");
    free(bytes);
}

Test(module, sections)
{
    static const struct {
        psy_psm_kind kind;
        size_t at;
        uint64_t bits;
        unsigned bytes;
        const char *detail;
    } cases[] = {
        {PSY_PSM_TYPES, 0, 1, 4, "section 1: kind 1 is unknown or out of order"},
        {PSY_PSM_TYPES, 0, 16, 4, "section 1: kind 16 is unknown or out of order"},
        {PSY_PSM_STRINGS, 0, 0, 4, "section 0: kind 0 is unknown or out of order"},
        {PSY_PSM_TYPES, 4, 1, 4, "section 1: kind 2 is unknown or out of order"},
        {PSY_PSM_TYPES, 8, 64, 8, "section types: 128 bytes at 64 do not fit"},
        {PSY_PSM_TYPES, 8, UINT64_MAX - 63, 8, "do not fit"},
        {PSY_PSM_TYPES, 16, 0, 8, "section types: 0 bytes at"},
        {PSY_PSM_TYPES, 16, 127, 8, "section types: 127 bytes at"},
        {PSY_PSM_TYPES, 16, UINT64_MAX - 31, 8, "do not fit"},
        {PSY_PSM_LINES, 16, 20, 8, "zero"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module("nearest", &n);
        psy__module m;
        memcpy((uint8_t *)section(bytes, cases[i].kind) + cases[i].at, &cases[i].bits, cases[i].bytes);
        sample_rehash(bytes, n);
        psy_status status = decode(bytes, n, &m);
        cr_assert_eq(status, PSY_CORRUPT, "%s", cases[i].detail);
        if (strcmp(cases[i].detail, "zero") != 0) {
            expect(cases[i].detail, status, PSY_CORRUPT, cases[i].detail);
        }
        free(bytes);
    }
}

/* Kernels: dropped from modules that arrived, checked in those that the operator named. */
Test(module, kernels)
{
    uint64_t n, out_n;
    uint8_t *bytes = sample_module("nearest", &n), *out;
    psy__module m, again;
    static const uint32_t code[4] = {0x07230203, 0, 0, 0};
    cr_assert_eq(decode(bytes, n, &m), PSY_OK);
    char strings[1024];
    memcpy(strings, m.strings, m.strings_bytes);
    strcpy(strings + m.strings_bytes, "nearest_shard_0");
    static const struct {
        uint32_t word, target;
        uint64_t offset, bytes;
        const char *detail;
    } cases[] = {
        {8, PSY_TARGET_SPIRV, 0, 16, NULL},
        {8, 2, 0, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 2, 8, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 4, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, UINT64_MAX - 3, 16, "kernel 0 is malformed"},
        {8, PSY_TARGET_SPIRV, 0, 0, "kernel 0 is malformed"},
        {10, PSY_TARGET_SPIRV, 0, 16, "kernel 0 starts within an instruction"},
        {10000, PSY_TARGET_SPIRV, 0, 16, "kernel 0 is malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        psy_psm_kernel kernel = {.name = (uint32_t)m.strings_bytes,
                                 .target = cases[i].target,
                                 .word = cases[i].word,
                                 .offset = cases[i].offset,
                                 .bytes = cases[i].bytes};
        psy__module with = m;
        with.strings = strings;
        with.strings_bytes = m.strings_bytes + sizeof "nearest_shard_0";
        with.kernels = &kernel;
        with.kernel_count = 1;
        with.kernel_code = (const uint8_t *)code;
        with.kernel_code_bytes = sizeof code;
        cr_assert_eq(psy__module_encode(&with, &out, &out_n), PSY_OK);
        psy_status status = decode(out, out_n, &again);
        if (cases[i].detail) {
            expect(cases[i].detail, status, PSY_CORRUPT, cases[i].detail);
        } else {
            cr_assert(status == PSY_OK, "%s", psy_detail());
            cr_assert_eq(again.kernel_count, 1);
            cr_assert_str_eq(psy__module_string(&again, again.kernels[0].name), "nearest_shard_0");
        }
        cr_assert_eq(psy__module_decode(out, out_n, PSY_TRUST_BYTECODE, &again), PSY_OK);
        cr_assert_eq(again.kernel_count, 0);
        cr_assert_eq(again.kernel_code_bytes, 0);
        free(out);
    }
    free(bytes);
}

/* The same records give the same bytes, however their names were stored. */
Test(module, encoding_is_canonical)
{
    static const psy_psm_register registers[1] = {{.dtype = PSY_F32, .slot = PSY_NO_SLOT}};
    static const uint32_t code[] = {
        PSY_OP_LOAD | PSY_F32 << 8 | 1u << 24, 0, 0, 0, PSY_OP_STORE | PSY_F32 << 8 | 3u << 24, PSY_NO_REG, 0, 0, PSY_NONE, 0};
    static const char neat[] = "\0T\0a\0p", untidy[] = "\0unused\0p\0a\0T\0a\0T";
    static const uint32_t names[2][3] = {{1, 3, 5}, {16, 14, 8}};
    uint8_t *out[2];
    uint64_t n[2];
    for (int i = 0; i < 2; i++) {
        const char *strings = i ? untidy : neat;
        psy_psm_field field = {
            .name = names[i][1], .dtype = PSY_F32, .count = 1, .offset = 8, .count_offset = PSY_NONE, .since = 1, PLAIN};
        psy_psm_type type = {.name = names[i][0], .field_count = 1, .bytes = 64, .version = 1, .align = 64};
        static const uint64_t zero_key[2] = {0, 0};
        type.layout_hash = psy__siphash(zero_key, "T{f32 a@8;}64", 13);
        psy_psm_program program = {.name = names[i][2], .partial_type = PSY_NONE, .register_count = 1, .word_count = 10};
        psy__module m = {.strings = strings,
                         .strings_bytes = i ? sizeof untidy : sizeof neat,
                         .types = &type,
                         .type_count = 1,
                         .fields = &field,
                         .field_count = 1,
                         .programs = &program,
                         .program_count = 1,
                         .registers = registers,
                         .register_count = 1,
                         .code = code,
                         .code_words = 10};
        cr_assert_eq(psy__module_encode(&m, &out[i], &n[i]), PSY_OK);
        psy__module back;
        cr_assert(decode(out[i], n[i], &back) == PSY_OK, "%s", psy_detail());
    }
    cr_assert(n[0] == n[1] && memcmp(out[0], out[1], n[0]) == 0);
    free(out[0]);
    free(out[1]);
    psy_psm_type type = {.name = 99};
    cr_assert_eq(psy__module_encode(
                     &(psy__module){.strings = neat, .strings_bytes = sizeof neat, .types = &type, .type_count = 1}, out, n),
                 PSY_INVALID);
    cr_assert_eq(psy__module_encode(
                     &(psy__module){.strings = neat, .strings_bytes = sizeof neat, .types = &type, .type_count = 1025}, out, n),
                 PSY_TOO_LARGE);
}

/* ---- bytes from anywhere ---- */

/* Decodes a copy whose end AddressSanitizer guards; what is accepted must survive everything that is done with modules. */
static bool survive(const uint8_t *bytes, uint64_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    psy__module m;
    bool good = decode(copy, n, &m) == PSY_OK;
    if (good) {
        char *text;
        size_t text_n;
        uint8_t *again;
        uint64_t again_n, symbols[256], bases[256] = {0};
        for (uint32_t i = 0; i < m.symbol_count; i++) {
            symbols[i] = 2 + i % 2;
        }
        for (uint32_t i = 0; i < m.program_count; i++) {
            psy__bound_program b;
            if (psy__program_bind(&m, i, symbols, bases, &(psy__limits){.arena_bytes = 1 << 20, .work = 1 << 20}, &b) ==
                PSY_OK) {
                psy__program_unbind(&b);
            }
        }
        cr_assert_eq(psy__disassemble(&m, &text, &text_n), PSY_OK);
        psy_status status = psy__assemble(text, text_n, &again, &again_n);
        cr_assert(status == PSY_OK, "%s\n%s", psy_detail(), text);
        cr_assert(again_n == n && memcmp(again, copy, n) == 0, "assembles to other bytes:\n%s", text);
        free(text);
        free(again);
    }
    free(copy);
    return good;
}

Test(module, truncated_at_every_length)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample_names[s], &n);
        cr_assert(survive(bytes, n));
        for (uint64_t cut = 0; cut < n; cut++) {
            cr_assert_not(survive(bytes, cut), "%zu", (size_t)cut);
        }
        for (uint64_t cut = sizeof(psy_psm_header); cut < n; cut++) { /* and said to be so long */
            uint8_t *shorter = malloc(cut);
            memcpy(shorter, bytes, cut);
            memcpy(shorter + offsetof(psy_psm_header, bytes), &cut, sizeof cut);
            sample_rehash(shorter, cut);
            cr_assert_not(survive(shorter, cut), "%zu", (size_t)cut);
            free(shorter);
        }
        free(bytes);
    }
}

Test(module, every_byte_changed)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample_names[s], &n);
        unsigned good = 0;
        for (uint64_t at = 0; at < n; at++) {
            static const uint8_t flips[] = {0x01, 0x02, 0x80, 0xff};
            for (size_t i = 0; i < sizeof flips; i++) {
                uint8_t kept = bytes[at];
                bytes[at] ^= flips[i];
                cr_assert_not(survive(bytes, n), "byte %zu without its hash", (size_t)at);
                uint64_t hash;
                memcpy(&hash, bytes + offsetof(psy_psm_header, hash), sizeof hash);
                sample_rehash(bytes, n);
                good += survive(bytes, n);
                memcpy(bytes + offsetof(psy_psm_header, hash), &hash, sizeof hash);
                bytes[at] = kept;
            }
        }
        cr_assert(survive(bytes, n));
        cr_assert_gt(good, 20); /* values of constants, lines, names: not everything is refused */
        free(bytes);
    }
}

Test(module, mutations)
{
    uint64_t state = 12345;
    unsigned good = 0;
    enum { SEEDS = 20, EACH = 5000 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        size_t text_n;
        uint64_t n;
        char *text = random_module_text(seed + 1000, &text_n);
        uint8_t *bytes, *other;
        cr_assert_eq(psy__assemble(text, text_n, &bytes, &n), PSY_OK);
        other = malloc(n);
        for (unsigned i = 0; i < EACH; i++) {
            memcpy(other, bytes, n);
            for (unsigned k = 0; k <= i % 4; k++) {
                uint64_t at = 64 + sample_random(&state) % (n - 64);
                uint64_t word = at & ~UINT64_C(3);
                uint32_t value;
                memcpy(&value, other + word, sizeof value);
                switch (sample_random(&state) % 6) {
                case 0: other[at] = (uint8_t)sample_random(&state); break;
                case 1: other[at] ^= (uint8_t)(1u << sample_random(&state) % 8); break;
                case 2: value += (uint32_t)(sample_random(&state) % 5) - 2; break;
                case 3: value = (uint32_t)sample_random(&state) % 16; break;
                case 4: value = PSY_NONE; break;
                default: memcpy(&value, bytes + (64 + sample_random(&state) % (n - 64) / 4 * 4) % (n - 3), sizeof value); break;
                }
                if (sample_random(&state) % 2) {
                    memcpy(other + word, &value, sizeof value);
                }
            }
            sample_rehash(other, n);
            good += survive(other, n);
        }
        free(other);
        free(bytes);
        free(text);
    }
    cr_assert_gt(good, SEEDS * EACH / 200);
}
