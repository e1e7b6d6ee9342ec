/* SPDX-License-Identifier: Apache-2.0 */
/* The words of kernels: head, source lines, bindings, and what the assembler's samples give. */
#include <spirv/unified1/spirv.h>

#include "codegen/kernel.h"
#include "tests/codegen/kernels.h"
#include "tests/engine/build.h"
#include "tests/isa/random_module.h"
#include "tests/isa/sample.h"

static kernels assembled(const char *text, psy__module *m, uint8_t **bytes, const char *label)
{
    uint64_t n;
    cr_assert_eq(psy__assemble(text, strlen(text), bytes, &n), PSY_OK, "%s: %s", label, psy_detail());
    cr_assert_eq(psy__module_decode(*bytes, n, PSY_TRUST_BYTECODE, m), PSY_OK, "%s: %s", label, psy_detail());
    return kernels_of(m, 0, label);
}

/* A validator that accepts everything would make the tests that use it pass. */
Test(words, validator_refuses)
{
    kernels_need_validator();
    psy__module m;
    uint8_t *bytes;
    size_t n;
    char *text = sample_text("nearest", &n);
    kernels k = assembled(text, &m, &bytes, "nearest");
    cr_assert_eq(k.status, PSY_OK, "%s", psy_detail());
    psy__kernel *first = &k.at[0];
    uint32_t at = kernels_find(first, SpvOpStore, 0), word = first->words[at + 1];
    cr_assert(at != 0, "the kernel stores nothing");
    first->words[at + 1] = first->words[3] + 1; /* an id that there is not */
    cr_assert(kernels_validate(first->words, first->word_count) != NULL, "a store to nowhere is accepted");
    first->words[at + 1] = word;
    cr_assert(kernels_validate(first->words, first->word_count) == NULL);
    cr_assert(kernels_validate(first->words, first->word_count - 1) != NULL, "half a kernel is accepted");
    kernels_free(&k);
    free(text);
    free(bytes);
}

static const char head[] = "module 3.0;\n"
                           "type t.In { x: f32[300]; y: f32; }\n"
                           "type t.Out { a: f32[300]; b: f32; c: f32[4]; d: u64[4]; }\n";

/* The file and place of the kernel's source line; false: it has none. */
static bool line_of(const psy__kernel *k, const char **file, uint32_t *line, uint32_t *column)
{
    uint32_t at = kernels_find(k, SpvOpLine, 0);
    for (uint32_t string = kernels_find(k, SpvOpString, 0); at && string; string = kernels_find(k, SpvOpString, string + 1)) {
        if (k->words[string + 1] == k->words[at + 1]) {
            *file = (const char *)&k->words[string + 2];
            *line = k->words[at + 2];
            *column = k->words[at + 3];
            return true;
        }
    }
    cr_assert(at == 0, "the line names a string that is not there");
    return false;
}

/* An instruction's own line; a region's own, or else that of the first in it that has one; none where there is none. */
Test(words, source_lines)
{
    char text[4096];
    snprintf(text, sizeof text,
             "%sprogram t.p(t.In) -> t.Out slots 5 {\n"
             "    %%0: f32[300] = load.f32 x from \"a.hrm\" 1:1;\n"
             "    %%1: f32 = load.f32 y;\n"
             "    region [300] from \"a.hrm\" 7:18 {\n"
             "        %%2: f32[300] = neg.f32 %%0 from \"a.hrm\" 8:1;\n"
             "        %%3: f32[300] @0 = abs.f32 %%2;\n"
             "    }\n"
             "    region [300] reduces {\n"
             "        %%4: f32[300] = neg.f32 %%0;\n"
             "        %%5: f32 @1 = sum.f32 %%4, 0 from \"another-file.hrm\" 65536:2000000;\n"
             "    }\n"
             "    %%6: f32[4] @2, %%7: u64[4] @3 = topk.f32 %%3, -, 4, - from \"b.hrm\" 9:26;\n"
             "    store.f32 %%3, a, - from \"\" 10:1;\n"
             "    store.f32 %%5, b, -;\n"
             "    store.f32 %%6, c, - from \"a.hrm\" 12:1;\n"
             "    store.u64 %%7, d, - from \"a.hrm\" 13:1;\n"
             "}\n",
             head);
    static const struct {
        const char *file;
        uint32_t line, column;
    } want[] = {{"a.hrm", 7, 18}, {"another-file.hrm", 65536, 2000000},
                {"b.hrm", 9, 26}, {"b.hrm", 9, 26},
                {"b.hrm", 9, 26}, {"", 10, 1},
                {NULL, 0, 0},     {"a.hrm", 12, 1},
                {"a.hrm", 13, 1}};
    psy__module m;
    uint8_t *bytes;
    kernels k = assembled(text, &m, &bytes, "lines");
    cr_assert_eq(k.status, PSY_OK, "%s", psy_detail());
    cr_assert_eq(k.count, sizeof want / sizeof want[0]);
    for (uint32_t i = 0; i < k.count; i++) {
        const char *file = "none";
        uint32_t line = 0, column = 0;
        bool any = line_of(&k.at[i], &file, &line, &column);
        cr_assert_eq(any, want[i].file != NULL, "kernel %u", i);
        cr_assert(!any || (strcmp(file, want[i].file) == 0 && line == want[i].line && column == want[i].column),
                  "kernel %u comes from %s %u:%u", i, file, line, column);
    }
    kernels_free(&k);
    free(bytes);
}

/* A name that no instruction could hold. */
Test(words, file_name_of_any_length)
{
    for (uint32_t length = 4094; length <= 300000; length = length < 4100 ? length + 1 : length + 295901) {
        char *text = malloc(length + 4096), *name = malloc(length + 1);
        memset(name, 'n', length);
        name[length] = '\0';
        sprintf(text,
                "%sprogram t.p(t.In) -> t.Out slots 4 {\n"
                "    %%0: f32[300] = load.f32 x;\n"
                "    %%1: f32 @0 = sum.f32 %%0, 0 from \"%s\" 1:1;\n"
                "    %%2: f32[4] @1, %%3: u64[4] @2 = topk.f32 %%0, -, 4, -;\n"
                "    store.f32 %%0, a, -;\n    store.f32 %%1, b, -;\n    store.f32 %%2, c, -;\n    store.u64 %%3, d, -;\n}\n",
                head, name);
        psy__module m;
        uint8_t *bytes;
        kernels k = assembled(text, &m, &bytes, "a long name");
        cr_assert_eq(k.status, PSY_OK, "%s", psy_detail());
        cr_assert_eq(kernels_find(&k.at[0], SpvOpLine, 0) != 0, length <= 4096, "a name of %u bytes", length);
        kernels_free(&k);
        free(bytes);
        free(text);
        free(name);
    }
}

/* What an engine relies on: codegen/kernel.h. */
static void check_interface(const psy__kernel *k, const char *label)
{
    cr_assert(k->word_count > 5 && k->words[0] == SpvMagicNumber && k->words[1] == 0x00010300, "%s: its head", label);
    uint32_t entry = kernels_find(k, SpvOpEntryPoint, 0);
    cr_assert(entry && k->words[entry + 1] == SpvExecutionModelGLCompute, "%s: no entry point", label);
    cr_assert_str_eq((const char *)&k->words[entry + 3], "main", "%s", label);
    cr_assert_eq(kernels_find(k, SpvOpEntryPoint, entry + 1), 0, "%s: two entry points", label);
    unsigned bindings = 0, sets = 0, spec_ids = 0;
    for (uint32_t at = kernels_find(k, SpvOpDecorate, 0); at; at = kernels_find(k, SpvOpDecorate, at + 1)) {
        uint32_t what = k->words[at + 2], value = k->words[at] >> 16 > 3 ? k->words[at + 3] : 0;
        bindings += what == SpvDecorationBinding;
        sets += what == SpvDecorationDescriptorSet;
        spec_ids += what == SpvDecorationSpecId;
        cr_assert(what != SpvDecorationBinding || value < PSY_BIND_COUNT, "%s: binding %u", label, value);
        cr_assert(what != SpvDecorationDescriptorSet || value == 0, "%s: descriptor set %u", label, value);
        cr_assert(what != SpvDecorationSpecId || value == 0, "%s: specialisation constant %u", label, value);
    }
    cr_assert(bindings > 0 && bindings == sets && spec_ids == 1, "%s: %u bindings, %u sets, %u specialisation constants", label,
              bindings, sets, spec_ids);
}

Test(words, samples)
{
    unsigned accepted = 0;
    for (unsigned i = 0; i < SAMPLES; i++) {
        uint64_t n;
        uint8_t *bytes = sample_module(sample_names[i], &n);
        psy__module m;
        cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s", psy_detail());
        for (uint32_t p = 0; p < m.program_count; p++) {
            kernels k = kernels_of(&m, p, sample_names[i]);
            accepted += k.status == PSY_OK;
            for (uint32_t j = 0; j < k.count; j++) {
                check_interface(&k.at[j], sample_names[i]);
            }
            kernels_free(&k);
        }
        free(bytes);
    }
    cr_assert(accepted > 0, "none of the samples has kernels: %s", psy_detail());
}

/* Modules made of random text, with everything that the assembler knows. */
Test(words, random_modules)
{
    unsigned accepted = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        size_t text_n;
        uint64_t n;
        uint8_t *bytes;
        psy__module m;
        char *text = random_module_text(seed, &text_n), label[32];
        snprintf(label, sizeof label, "random module %u", (unsigned)seed);
        cr_assert_eq(psy__assemble(text, text_n, &bytes, &n), PSY_OK, "%s: %s", label, psy_detail());
        cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s: %s", label, psy_detail());
        kernels k = kernels_of(&m, 0, label);
        accepted += k.status == PSY_OK;
        kernels_free(&k);
        free(bytes);
        free(text);
    }
    cr_assert(accepted > 0, "none of them has kernels");
}
