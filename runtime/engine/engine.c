/* SPDX-License-Identifier: Apache-2.0 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/engine.h"

#include <string.h>

static const psy__engine_interface *const engines[] = {
    &psy__engine_cpu,
#ifdef PSY_HAVE_VULKAN
    &psy__engine_vulkan,
#endif
};

psy_status psy__engine_open(const char *name, const psy__engine_options *options, psy__engine **out)
{
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        if (strcmp(engines[i]->name, name) == 0) {
            if (options && options->tracer && engines[i] != &psy__engine_cpu) {
                return psy_fail(PSY_UNSUPPORTED, "only the cpu engine shows what programs compute");
            }
            return engines[i]->open(options, out);
        }
    }
    if (strcmp(name, "vulkan") == 0) {
        return psy_fail(PSY_UNSUPPORTED, "this library was built without the vulkan engine; there is: cpu");
    }
    return psy_fail(PSY_NOT_FOUND, "there is no engine \"%s\"; there are: cpu%s", name,
                    sizeof engines / sizeof engines[0] > 1 ? ", vulkan" : "");
}

psy_status psy__binding_check(const psy__binding *binding, const psy__bound_program *bound)
{
    const psy__module *m = binding->module;
    for (uint32_t i = 0; i < bound->program->register_count; i++) {
        const psy__bound_register *r = &bound->registers[i];
        bool rows = r->home == PSY_HOME_RESIDENT, row = r->home == PSY_HOME_ROW;
        if ((!rows && !row) || r->root != i) {
            continue; /* views lie within what they name, however often they show it */
        }
        const psy__resident_data *d = &binding->residents[r->source];
        uint64_t bytes = r->count * psy__dtype_bytes(r->dtype);
        if (rows ? !d->data && bytes : !d->index_rows || !d->keys || (!d->data && d->rows)) {
            return psy_fail(PSY_INVALID, "resident %s is not loaded", psy__module_string(m, m->residents[r->source].name));
        }
        if (rows ? d->rows * d->row_bytes < bytes : d->row_bytes < bytes) {
            return psy_fail(PSY_INVALID, "resident %s has fewer bytes than its sizes say",
                            psy__module_string(m, m->residents[r->source].name));
        }
    }
    return PSY_OK;
}

bool psy__spans_take(const psy__span *spans, uint32_t span_count, uint32_t count, uint8_t **out)
{
    uint32_t n = 0;
    for (uint32_t s = 0; s < span_count; s++) {
        const uint32_t here = spans[s].count;
        const uint64_t stride = spans[s].stride;
        uint8_t *at = spans[s].base;
        if (here > count - n) {
            return false;
        }
        if (here == 1) { /* as replies lie, wherever clients want them */
            out[n++] = at;
            continue;
        }
        for (uint32_t i = 0; i < here; i++, at += stride) {
            out[n + i] = at;
        }
        n += here;
    }
    return n == count;
}

void psy__message_headers(const psy__module *m, const psy_psm_type *type, uint8_t *const *messages, uint32_t count)
{
    struct {
        uint32_t bytes;
        uint16_t version, reserved;
    } header = {type->bytes, (uint16_t)type->version, 0};
    for (uint32_t i = 0; i < count; i++) {
        memcpy(messages[i], &header, sizeof header);
    }
    for (uint32_t k = 0; k < type->field_count; k++) {
        const psy_psm_field *f = &m->fields[type->first_field + k];
        for (uint32_t i = 0; f->kind == PSY_FIELD_PART && i < count; i++) {
            memcpy(messages[i] + f->offset, &f->default_bits, sizeof f->default_bits);
        }
    }
}
