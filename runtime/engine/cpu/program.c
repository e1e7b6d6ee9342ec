/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a bound program over a batch. */
#include <stdatomic.h>
#include <string.h>

#include "base/siphash.h"
#include "engine/cpu/cpu.h"
#include "isa/scalar.h"

psy__place psy__register_place(const psy__cpu_executable *x, uint32_t reg)
{
    const psy__bound_register *r = &x->bound.registers[reg];
    uint64_t offset = (uint64_t)r->offset;
    switch ((psy__home)r->home) {
    case PSY_HOME_INPUT:
        return (psy__place){.table = x->inputs + x->first, .step = x->module->fields[r->source].offset + offset};
    case PSY_HOME_PARTIAL:
        return (psy__place){.table = x->partials + x->first, .step = x->module->fields[r->source].offset + offset};
    case PSY_HOME_RESIDENT: return (psy__place){.base = (uint8_t *)(uintptr_t)x->residents[r->source].data + r->offset};
    case PSY_HOME_CONST: return (psy__place){.base = (uint8_t *)(uintptr_t)x->module->consts + r->source + r->offset};
    case PSY_HOME_ROW:
        return (psy__place){.table = (uint8_t *const *)(uintptr_t)(x->rows + (size_t)r->root * x->chunk), .step = offset};
    case PSY_HOME_SLOT:
        if (x->output_at && x->output_at[r->root] != PSY_NONE) {
            return (psy__place){.table = x->outputs + x->first, .step = x->output_at[r->root] + offset};
        }
        return (psy__place){.base = (r->batched ? x->arena : x->uniform) + x->bound.slots[r->slot].offset + r->offset,
                            .step = r->batched ? x->arena_stride : 0};
    case PSY_HOME_REGION: break;
    }
    return (psy__place){.base = x->zero_row}; /* never: registers inside a region are in its buffers */
}

/* ---- steps of their own ---- */

enum { RUN = 64 }; /* rows that are put together one after the other; more go through a cascade */

/* Columns of one slab [axis, n columns] whose first row is at `row`. */
static void reduce_columns(psy__cpu_executable *x, const psy__instruction *at, const psy__bound_register *a, const uint8_t *row,
                           uint8_t *to, size_t n)
{
    const psy__kernels *k = x->kernels;
    const psy_op_info *info = at->info;
    psy__accumulate *accumulate = k->accumulate[at->op][at->dtype];
    uint64_t count = a->dims[at->operands[1]];
    int64_t step = a->strides[at->operands[1]], column = a->strides[a->rank - 1];
    unsigned bytes = psy__dtype_bytes(at->dtype);
    uint8_t *sums = count > RUN ? x->gathers : to, *gathered = x->gathers + PSY__BLOCK_BYTES;
    bool straight = column == (int64_t)bytes || n == 1;
    for (uint64_t first = 0; first < count || first == 0; first += RUN) {
        for (size_t i = 0; i < n; i++) {
            psy__identity(at->op, at->dtype, sums + i * bytes);
        }
        for (uint64_t i = first; i < count && i < first + RUN; i++) {
            const uint8_t *from = row + (int64_t)i * step;
            if (!straight) {
                psy__gather(gathered, from, column, n, bytes);
            }
            accumulate(sums, straight ? from : gathered, 1, n);
        }
        if (count > RUN) {
            psy__cascade_add(k, info, at->dtype, x->levels, PSY__BLOCK_BYTES, sums, first / RUN, n);
        }
    }
    if (count > RUN) {
        psy__cascade_end(k, info, at->dtype, x->levels, PSY__BLOCK_BYTES, (count + RUN - 1) / RUN, to, n);
    }
    if (at->dtype == PSY_BOOL) {
        psy__bools_clean(to, n);
    }
}

/* An axis that is not the last: pieces of whole rows are put together. */
static void run_reduce(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    const psy__bound_register *a = &x->bound.registers[at->operands[0]];
    uint32_t axis = at->operands[1];
    unsigned bytes = psy__dtype_bytes(at->dtype);
    const uint8_t *from = psy__register_at(x, at->operands[0], m);
    uint8_t *to = psy__register_at(x, at->dst, m);
    uint64_t last = a->dims[a->rank - 1], rows = last ? x->bound.registers[at->dst].count / last : 0;
    for (uint64_t r = 0; r < rows; r++, to += last * bytes) {
        uint64_t rest = r;
        int64_t offset = 0;
        for (uint32_t d = a->rank - 1; d-- > 0;) {
            if (d != axis) {
                offset += (int64_t)(rest % a->dims[d]) * a->strides[d];
                rest /= a->dims[d];
            }
        }
        for (uint64_t i = 0; i < last; i += PSY__BLOCK) {
            size_t n = last - i < PSY__BLOCK ? last - i : PSY__BLOCK;
            reduce_columns(x, at, a, from + offset + (int64_t)i * a->strides[a->rank - 1], to + i * bytes, n);
        }
    }
}

static void run_lookup(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    static const uint64_t zero_key[2] = {0, 0};
    const psy__resident_data *d = &x->residents[at->operands[0]];
    /* The key is in a message that its sender may still write: read once. */
    uint64_t key = *(const volatile uint64_t *)psy__register_at(x, at->operands[1], m);
    uint64_t h = psy__siphash_word(zero_key, key);
    const uint8_t *row = NULL;
    for (uint64_t probe = 0; probe <= d->index_mask && d->rows; probe++) {
        uint32_t at_row = d->index_rows[(h + probe) & d->index_mask];
        if (at_row == UINT32_MAX) {
            break;
        }
        if (at_row < d->rows && d->keys[at_row] == key) {
            row = (const uint8_t *)d->data + at_row * d->row_bytes;
            break;
        }
    }
    if (!row && x->status) {
        x->status[x->first + m] = PSY_NOT_FOUND;
    }
    x->rows[(size_t)at->dst * x->chunk + m] = row ? row : x->zero_row;
}

static void run_size(psy__cpu_executable *x, const psy__instruction *at)
{
    uint64_t value = psy__size_value(&x->bound, at);
    psy__cast(PSY_U64, &value, at->dtype, psy__register_at(x, at->dst, 0), 1);
}

/* A length as a count of 0 .. most. */
static uint32_t length_of(const uint8_t *at, unsigned dtype, uint32_t most)
{
    uint64_t value = 0;
    psy__gather(&value, at, 0, 1, psy__dtype_bytes(dtype));
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT) {
        int64_t sint = dtype == PSY_I32 ? (int32_t)(uint32_t)value : (int64_t)value;
        value = sint < 0 ? 0 : (uint64_t)sint;
    }
    return value < most ? (uint32_t)value : most;
}

/* The first n rows of the last axis, one behind the other. */
static void store_rows(const psy__bound_register *r, uint8_t *out, const uint8_t *from, uint64_t n)
{
    uint64_t last = r->dims[1], bytes = psy__dtype_bytes(r->dtype);
    for (uint64_t i = 0; i < n; i++, out += last * bytes, from += r->strides[0]) {
        if (r->strides[1] == (int64_t)bytes) {
            memcpy(out, from, last * bytes);
        } else {
            psy__gather(out, from, r->strides[1], last, (unsigned)bytes);
        }
    }
}

/* Elements of any rank, row by row, and what they are. */
static void store_variant(const psy__bound_register *r, uint8_t *descriptor, uint8_t *out, const uint8_t *from)
{
    psy_variant_head v = {.dtype = r->dtype, .rank = r->rank};
    unsigned bytes = psy__dtype_bytes(r->dtype);
    uint64_t n = r->rank ? r->dims[r->rank - 1] : 1, rows = n ? r->count / n : 0;
    for (uint32_t d = 0; d < r->rank; d++) {
        v.dims[d] = (uint32_t)r->dims[d];
    }
    memcpy(descriptor, &v, sizeof v);
    for (uint64_t row = 0; row < rows; row++) {
        uint64_t rest = row;
        int64_t offset = 0;
        for (uint32_t d = r->rank; d-- > 1;) {
            offset += (int64_t)(rest % r->dims[d - 1]) * r->strides[d - 1];
            rest /= r->dims[d - 1];
        }
        psy__gather(out + row * n * bytes, from + offset, r->rank ? r->strides[r->rank - 1] : 0, n, bytes);
    }
    if (r->dtype == PSY_BOOL) {
        psy__bools_clean(out, r->count);
    }
}

static void run_store(psy__cpu_executable *x, const psy__instruction *at, uint32_t m)
{
    const psy_psm_type *type = &x->module->types[x->bound.program->output_type];
    const psy_psm_field *f = &x->module->fields[type->first_field + at->operands[1]];
    const psy__bound_register *r = &x->bound.registers[at->operands[0]];
    uint8_t *out = x->outputs[x->first + m];
    const uint8_t *from = psy__register_at(x, at->operands[0], m);
    unsigned bytes = psy__dtype_bytes(at->dtype);
    bool whole = at->op == PSY_OP_STORE_LENGTHS, counted = !whole && at->operands[2] != PSY_NONE;
    uint32_t n = (uint32_t)(r->rank ? r->dims[0] : 1);
    if (f->kind == PSY_FIELD_BOUNDED && !whole) {
        if (counted) {
            n = length_of(psy__register_at(x, at->operands[2], m), x->bound.registers[at->operands[2]].dtype, n);
        }
        memcpy(out + f->count_offset, &n, sizeof n);
    } else if (f->kind == PSY_FIELD_OPTIONAL) {
        out[f->count_offset] = counted ? *psy__register_at(x, at->operands[2], m) & 1 : 1;
    } else if (f->kind == PSY_FIELD_VARIANT) {
        store_variant(r, out + f->count_offset, out + f->offset, from);
        return;
    }
    out += whole ? f->inner_offset : f->offset;
    if (r->rank > 1) {
        store_rows(r, out, from, n);
    } else if (r->rank == 0 || r->strides[0] == (int64_t)bytes || n <= 1) {
        memcpy(out, from, (size_t)n * bytes);
    } else {
        psy__gather(out, from, r->strides[0], n, bytes);
    }
    if (at->dtype == PSY_BOOL) {
        psy__bools_clean(out, n);
    }
}

/* For all messages at once. */
static void store_numbers(psy__cpu_executable *x, const psy__instruction *at, uint32_t count)
{
    const psy_psm_type *type = &x->module->types[x->bound.program->output_type];
    const psy_psm_field *f = &x->module->fields[type->first_field + at->operands[1]];
    const psy__bound_register *r = &x->bound.registers[at->operands[0]];
    size_t n = (r->rank ? r->dims[0] : 1) * psy__dtype_bytes(at->dtype);
    psy__place from = psy__register_place(x, at->operands[0]);
    for (uint32_t m = 0; m < count; m++) {
        memcpy(x->outputs[x->first + m] + f->offset, psy__place_at(&from, m), n);
    }
}

/* ---- the list ---- */

static void run_step(psy__cpu_executable *x, const psy__step *s, uint32_t count)
{
    if (s->kind == PSY__STEP_REGION) {
        psy__region_run(x, &s->region, count);
        return;
    }
    if (s->kind == PSY__STEP_STORE && psy__store_is_plain(x, &s->at)) {
        store_numbers(x, &s->at, count);
        return;
    }
    for (uint32_t m = 0; m < count; m++) {
        switch (s->kind) {
        case PSY__STEP_REDUCE: run_reduce(x, &s->at, m); break;
        case PSY__STEP_TOPK: psy__topk_run(x, &s->at, m); break;
        case PSY__STEP_STORE: run_store(x, &s->at, m); break;
        case PSY__STEP_LOOKUP: run_lookup(x, &s->at, m); break;
        case PSY__STEP_SIZE: run_size(x, &s->at); break;
        case PSY__STEP_MOVE: psy__move_run(x, &s->at, m); break;
        case PSY__STEP_REGION: break;
        }
    }
}

void psy__steps_run(psy__cpu_executable *x, bool batched)
{
    for (uint32_t i = 0; i < x->step_count; i++) {
        if (x->steps[i].batched == batched) {
            run_step(x, &x->steps[i], batched ? x->count : 1);
        }
    }
}

psy_status psy__cpu_run(psy__executable *executable, const psy__batch *batch)
{
    psy__cpu_executable *x = (psy__cpu_executable *)executable;
    const psy_psm_program *p = x->bound.program;
    const psy_psm_type *type = &x->module->types[p->output_type];
    if (batch->count == 0 || batch->count > x->max_batch ||
        !psy__spans_take(batch->inputs, batch->input_spans, batch->count, x->inputs) ||
        !psy__spans_take(batch->outputs, batch->output_spans, batch->count, x->outputs) ||
        (p->partial_type != PSY_NONE && !psy__spans_take(batch->partials, batch->partial_spans, batch->count, x->partials))) {
        return psy_fail(PSY_INVALID, "a batch of %u messages whose spans do not add up, or over the limit of %u", batch->count,
                        x->max_batch);
    }
    x->status = batch->status;
    memset(batch->status, PSY_OK, batch->count);
    psy__message_headers(x->module, type, x->outputs, batch->count);
    for (x->first = 0; x->first < batch->count; x->first += x->count) {
        x->count = batch->count - x->first < x->chunk ? batch->count - x->first : x->chunk;
        psy__steps_run(x, true);
        if (x->tracer) {
            x->tracer->ran(x->tracer->context, &x->base, &x->bound, x->count);
        }
    }
    x->first = 0;
    x->status = NULL;
    return PSY_OK;
}
