/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "tests/codegen/kernels.h"

#ifdef HAVE_SPIRV_TOOLS
#include <spirv-tools/libspirv.h>
#endif

enum { HEAD_WORDS = 5 };

const char *kernels_validate(const uint32_t *words, size_t count)
{
#ifdef HAVE_SPIRV_TOOLS
    static char text[512];
    spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
    spv_diagnostic diagnostic = NULL;
    spv_result_t result = spvValidateBinary(context, words, count, &diagnostic);
    if (result != SPV_SUCCESS) {
        snprintf(text, sizeof text, "word %zu: %s", diagnostic ? diagnostic->position.index : 0,
                 diagnostic && diagnostic->error ? diagnostic->error : "refused");
    }
    spvDiagnosticDestroy(diagnostic);
    spvContextDestroy(context);
    return result == SPV_SUCCESS ? NULL : text;
#else
    (void)words;
    (void)count;
    return NULL;
#endif
}

void kernels_need_validator(void)
{
#ifndef HAVE_SPIRV_TOOLS
    cr_skip_test("configured --without-spirv-tools: nothing validates kernels");
#endif
}

uint32_t kernels_find(const psy__kernel *k, unsigned op, uint32_t from)
{
    for (uint32_t at = HEAD_WORDS; at < k->word_count && k->words[at] >> 16 != 0; at += k->words[at] >> 16) {
        if (at >= from && (k->words[at] & 0xffff) == op) {
            return at;
        }
    }
    return 0;
}

/* What is at `word` of the program. */
static psy_op_class class_at(const psy__module *m, uint32_t program, uint32_t word)
{
    psy__instruction at;
    for (uint32_t w = 0; w <= word; w = at.next) {
        psy__instruction_at(m, &m->programs[program], w, &at);
    }
    return at.word == word ? at.info->class_ : PSY_CLASS_VIEW;
}

static void check_one(const psy__module *m, uint32_t program, const kernels *k, uint32_t i, const char *label)
{
    const psy__kernel *kernel = &k->at[i];
    psy_op_class class_ = class_at(m, program, kernel->word);
    cr_assert(class_ != PSY_CLASS_VIEW && class_ != PSY_CLASS_SHAPE && class_ != PSY_CLASS_SIZE && class_ != PSY_CLASS_LOOKUP,
              "%s: kernel %u is for a view", label, i);
    if (i > 0) {
        const psy__kernel *before = &k->at[i - 1];
        bool after = before->word < kernel->word || (before->word == kernel->word && before->stage < kernel->stage);
        cr_assert(after, "%s: kernel %u does not come after the one before", label, i);
    }
    cr_assert(class_ == PSY_CLASS_SELECT || kernel->stage == 0, "%s: kernel %u has stage %u", label, i, kernel->stage);
    const char *wrong = kernels_validate(kernel->words, kernel->word_count);
    cr_assert(wrong == NULL, "%s: kernel %u (word %u, stage %u): %s", label, i, kernel->word, kernel->stage,
              wrong ? wrong : "");
}

/* How many kernels the program takes: one for each instruction or region that does something, three for top-k. */
static uint32_t expected_count(const psy__module *m, uint32_t program)
{
    const psy_psm_program *p = &m->programs[program];
    uint32_t count = 0, region_left = 0;
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(m, p, word, &at);
        psy_op_class c = at.info->class_;
        bool nothing = c == PSY_CLASS_VIEW || c == PSY_CLASS_SHAPE || c == PSY_CLASS_SIZE || c == PSY_CLASS_LOOKUP;
        count += region_left || nothing ? 0 : c == PSY_CLASS_SELECT ? 3 : 1;
        region_left = c == PSY_CLASS_REGION ? at.operands[0] : region_left - (region_left > 0);
    }
    return count;
}

kernels kernels_of(const psy__module *m, uint32_t program, const char *label)
{
    kernels k = {0}, again = {0};
    k.status = psy__codegen_spirv(m, program, &k.at, &k.count);
    if (k.status != PSY_OK) {
        cr_assert_eq(k.status, PSY_UNSUPPORTED, "%s: status %d: %s", label, (int)k.status, psy_detail());
        return (kernels){.status = k.status};
    }
    again.status = psy__codegen_spirv(m, program, &again.at, &again.count);
    cr_assert_eq(again.status, PSY_OK, "%s: refused the second time: %s", label, psy_detail());
    cr_assert_eq(k.count, again.count, "%s: %u kernels, then %u", label, k.count, again.count);
    cr_assert_eq(k.count, expected_count(m, program), "%s: %u kernels", label, k.count);
    for (uint32_t i = 0; i < k.count; i++) {
        const psy__kernel *a = &k.at[i], *b = &again.at[i];
        bool same = a->word == b->word && a->stage == b->stage && a->word_count == b->word_count;
        cr_assert(same && memcmp(a->words, b->words, a->word_count * sizeof *a->words) == 0,
                  "%s: kernel %u came out differently", label, i);
        check_one(m, program, &k, i, label);
    }
    kernels_free(&again);
    return k;
}

void kernels_free(kernels *k)
{
    psy__kernels_free(k->at, k->count);
    *k = (kernels){0};
}
