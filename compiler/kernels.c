/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the kernels of every program that runs on the shards and stores them in the module. Merge parts always run on the CPU.
 */
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "codegen/codegen.h"
#include "codegen/kernel.h"
#include "unit.h"

#ifdef HAVE_SPIRV_TOOLS
#include <spirv-tools/libspirv.h>
#endif

typedef struct store {
    psc_unit *unit;
    PSC_LIST(char) strings;
    PSC_LIST(psy_psm_kernel) kernels;
    PSC_LIST(uint8_t) code;
} store;

/* What SPIR-V Tools has against the words, or NULL. */
static const char *invalid(psc_unit *u, const uint32_t *words, uint32_t count)
{
#ifdef HAVE_SPIRV_TOOLS
    spv_context context = spvContextCreate(SPV_ENV_VULKAN_1_1);
    spv_const_binary_t binary = {words, count};
    spv_diagnostic diagnostic = NULL;
    const char *text = NULL;
    if (spvValidate(context, &binary, &diagnostic) != SPV_SUCCESS) {
        text = psc_format(u->arena, "%s", diagnostic && diagnostic->error ? diagnostic->error : "no reason is given");
    }
    spvDiagnosticDestroy(diagnostic);
    spvContextDestroy(context);
    return text;
#else
    (void)u;
    (void)words;
    (void)count;
    return NULL;
#endif
}

static void add_kernel(store *s, const psc_pipeline *p, uint32_t program, uint32_t number, const psy__kernel *k)
{
    const char *name = psc_format(s->unit->arena, "%s_shard_%u", p->name, number);
    const char *wrong = invalid(s->unit, k->words, k->word_count);
    if (wrong) {
        psc_span span = p->node->name.span;
        psc_error(s->unit->diags, PSC_E_INTERNAL, span, "kernel %s is not valid SPIR-V: %s", name, wrong);
        return;
    }
    psy_psm_kernel record = {.name = (uint32_t)s->strings.count,
                             .target = PSY_TARGET_SPIRV,
                             .program = program,
                             .word = k->word,
                             .stage = k->stage,
                             .codegen = PSY_KERNEL_VERSION,
                             .offset = s->code.count,
                             .bytes = k->word_count * UINT64_C(4)};
    for (const char *c = name;; c++) {
        psc_push(s->unit->arena, &s->strings, *c);
        if (!*c) {
            break;
        }
    }
    const uint8_t *bytes = (const uint8_t *)k->words;
    for (uint64_t i = 0; i < record.bytes; i++) {
        psc_push(s->unit->arena, &s->code, bytes[i]);
    }
    psc_push(s->unit->arena, &s->kernels, record);
}

void psc_kernels(psc_unit *u)
{
    psy__module m;
    psc_span whole = {u->source, 0, 0};
    if (!u->options->kernels) {
        return;
    }
    if (psy__module_decode(u->module, u->module_bytes, PSY_TRUST_NATIVE, &m) != PSY_OK) {
        psc_error(u->diags, PSC_E_INTERNAL, whole, "%s", psy_detail());
        return;
    }
    store storing = {.unit = u}, *s = &storing;
    for (uint64_t i = 0; i < m.strings_bytes; i++) {
        psc_push(u->arena, &s->strings, m.strings[i]);
    }
    for (size_t i = 0; i < u->pipelines.count; i++) {
        const psc_pipeline *p = u->pipelines.at[i];
        psy__kernel *kernels;
        uint32_t count;
        psy_status status = psy__codegen_spirv(&m, m.pipelines[i].shard_program, &kernels, &count);
        if (status == PSY_OK && count > PSY_KERNELS_MAX - s->kernels.count) {
            psy__kernels_free(kernels, count);
            status = psy_fail(PSY_TOO_LARGE, "a module holds at most %d", PSY_KERNELS_MAX);
        }
        if (status != PSY_OK) {
            u->kernels_left_out = psc_format(u->arena, "pipeline `%s` has no kernels: %s", p->node->name.text, psy_detail());
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            add_kernel(s, p, m.pipelines[i].shard_program, k, &kernels[k]);
        }
        psy__kernels_free(kernels, count);
    }
    if (s->kernels.count == 0) {
        return;
    }
    m.strings = s->strings.at;
    m.strings_bytes = s->strings.count;
    m.kernels = s->kernels.at;
    m.kernel_count = (uint32_t)s->kernels.count;
    m.kernel_code = s->code.at;
    m.kernel_code_bytes = s->code.count;
    uint8_t *bytes;
    uint64_t n;
    if (psy__module_encode(&m, &bytes, &n) != PSY_OK) {
        psc_error(u->diags, PSC_E_LIMIT, whole, "the module cannot be written: %s", psy_detail());
        return;
    }
    u->module = psc_alloc(u->arena, n);
    u->module_bytes = n;
    memcpy(u->module, bytes, n);
    free(bytes);
    if (psy__module_decode(u->module, n, PSY_TRUST_NATIVE, &m) != PSY_OK) {
        psc_error(u->diags, PSC_E_INTERNAL, whole, "%s", psy_detail());
    }
}
