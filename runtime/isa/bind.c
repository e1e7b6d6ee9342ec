/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes become known: checks, shapes, arenas, work. Every product is overflow-checked and held to a limit. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/verify.h"

static const uint64_t arena_bytes_default = UINT64_C(1) << 30;

/* Whether a dim is a size that comes from messages of another alternative, or is computed of one. */
static bool is_unknown(const psy__bound_program *b, psy_dim d)
{
    uint32_t i = psy__dim_symbol(d);
    return psy__dim_is_symbol(d) && (b->unknown[i / 64] >> i % 64 & 1) != 0;
}

static psy_status check_sizes(const psy__bound_program *b)
{
    const psy__module *m = b->module;
    const uint64_t *symbols = b->symbols;
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        const psy_psm_symbol *s = &m->symbols[i];
        if (s->kind == PSY_SYMBOL_LOCAL && symbols[i] > symbols[s->of]) {
            return psy_fail(PSY_INVALID, "%s is %" PRIu64 ", more than %s, which is %" PRIu64, psy__module_string(m, s->name),
                            symbols[i], psy__module_string(m, m->symbols[s->of].name), symbols[s->of]);
        }
    }
    for (uint32_t i = 0; i < m->check_count; i++) {
        const psy_psm_check *c = &m->checks[i];
        uint64_t left = psy__dim_value(c->left, symbols), right = psy__dim_value(c->right, symbols);
        if (is_unknown(b, c->left) || is_unknown(b, c->right)) {
            continue;
        }
        if (c->relation == PSY_CHECK_EQ ? left != right : left < right) {
            return psy_fail(PSY_INVALID, "%s (%" PRIu64 " and %" PRIu64 ")", psy__module_string(m, c->message), left, right);
        }
    }
    return PSY_OK;
}

static psy_status too_large(const psy__bound_program *b, const char *what, uint64_t limit)
{
    return psy_fail(PSY_TOO_LARGE, "program %s: %s is over the limit of %" PRIu64,
                    psy__module_string(b->module, b->program->name), what, limit);
}

/* Whether a size that the program uses is known. */
static psy_status check_known(const psy__bound_program *b, psy_dim d)
{
    return d == PSY_NONE || !is_unknown(b, d)
               ? PSY_OK
               : psy_fail(PSY_INVALID, "program %s: size %s comes from messages of another pipeline",
                          psy__module_string(b->module, b->program->name),
                          psy__module_string(b->module, b->module->symbols[psy__dim_symbol(d)].name));
}

/* The sizes that an instruction names. */
static psy_status check_all_known(const psy__bound_program *b, const psy__instruction *at)
{
    psy_status status = PSY_OK;
    const char *kind = strchr(at->info->signature, ':') + 1;
    for (uint32_t i = 0; status == PSY_OK && i < at->operand_count && *kind; i++) {
        status = *kind == 'd' || *kind == '*' ? check_known(b, at->operands[i]) : PSY_OK;
        kind += *kind != '*' && *kind != '+';
    }
    return status;
}

static psy_status bind_register(psy__bound_program *b, uint32_t r)
{
    const psy_psm_register *from = &b->module->registers[b->program->first_register + r];
    psy__bound_register *to = &b->registers[r];
    uint64_t bytes = psy__dtype_bytes(from->dtype);
    to->dtype = from->dtype;
    to->rank = from->rank;
    to->slot = from->slot;
    to->count = 1;
    to->root = r;
    for (uint32_t d = from->rank; d-- > 0;) {
        psy_status status = check_known(b, from->dims[d]);
        if (status != PSY_OK) {
            return status;
        }
        to->dims[d] = psy__dim_value(from->dims[d], b->symbols);
        to->strides[d] = to->dims[d] == 1 ? 0 : (int64_t)bytes;
        if (__builtin_mul_overflow(bytes, to->dims[d], &bytes) || bytes > (UINT64_C(1) << 60)) {
            return too_large(b, "the size of a register", UINT64_C(1) << 60);
        }
        to->count *= to->dims[d];
    }
    return PSY_OK;
}

uint32_t psy__view_offset(const psy_psm_field *f, unsigned op)
{
    return op == PSY_OP_COUNT ? f->count_offset : op == PSY_OP_LENGTHS ? f->inner_offset : f->offset;
}

/* Where the instruction's results are. */
static void bind_home(psy__bound_program *b, const psy__instruction *at)
{
    for (uint32_t i = 0; i < at->dst_count; i++) {
        psy__bound_register *r = &b->registers[at->dst + i];
        const psy__module *m = b->module;
        r->def = at->word;
        r->home = r->slot == PSY_NO_SLOT ? PSY_HOME_REGION : PSY_HOME_SLOT;
        switch (at->op) {
        case PSY_OP_LOAD:
        case PSY_OP_COUNT:
        case PSY_OP_LENGTHS:
            r->home = PSY_HOME_INPUT;
            r->source = m->types[b->program->input_type].first_field + at->operands[0];
            r->offset = (int64_t)psy__view_offset(&m->fields[r->source], at->op) - (int64_t)m->fields[r->source].offset;
            break;
        case PSY_OP_PARTIAL:
            r->home = PSY_HOME_PARTIAL;
            r->source = m->types[b->program->partial_type].first_field + at->operands[0];
            r->strides[0] = r->dims[0] == 1 ? 0 : m->types[b->program->partial_type].bytes;
            break;
        case PSY_OP_RESIDENT:
            r->home = PSY_HOME_RESIDENT;
            r->source = at->operands[0];
            break;
        case PSY_OP_LOOKUP:
            r->home = PSY_HOME_ROW;
            r->source = at->operands[0];
            break;
        case PSY_OP_CONST:
            r->home = PSY_HOME_CONST;
            r->source = at->operands[0];
            break;
        default: break;
        }
    }
}

bool psy__slice_fits(uint64_t size, uint64_t from, uint64_t count, int64_t step)
{
    if (count == 0) {
        return from <= size;
    }
    uint64_t way;
    uint64_t by = step < 0 ? (uint64_t)-step : (uint64_t)step;
    if (from >= size || __builtin_mul_overflow(count - 1, by, &way)) {
        return false;
    }
    return step < 0 ? way <= from : way < size - from;
}

bool psy__only_ones_differ(const psy_psm_register *a, const psy_psm_register *b)
{
    uint32_t i = 0, k = 0;
    for (;;) {
        while (i < a->rank && a->dims[i] == 1) {
            i++;
        }
        while (k < b->rank && b->dims[k] == 1) {
            k++;
        }
        if (i == a->rank || k == b->rank) {
            return i == a->rank && k == b->rank;
        }
        if (a->dims[i++] != b->dims[k++]) {
            return false;
        }
    }
}

/* Strides of dims that are not a literal 1, one after the other. */
static void carry_strides(psy__bound_program *b, const psy__instruction *at)
{
    const psy_psm_register *registers = b->module->registers + b->program->first_register;
    const psy_psm_register *from = &registers[at->operands[0]], *to = &registers[at->dst];
    if (!psy__only_ones_differ(from, to)) {
        return; /* the elements lie one after the other */
    }
    for (uint32_t i = 0, k = 0; k < to->rank; k++) {
        while (i < from->rank && from->dims[i] == 1) {
            i++;
        }
        if (to->dims[k] != 1) {
            b->registers[at->dst].strides[k] = b->registers[at->operands[0]].strides[i++];
        }
    }
}

/* A view's strides and offset, from its operand's. */
static void lay_over(psy__bound_program *b, const psy__instruction *at)
{
    const psy__bound_register *x = &b->registers[at->operands[0]];
    psy__bound_register *y = &b->registers[at->dst];
    y->home = x->home;
    y->source = x->source;
    y->slot = x->slot;
    y->root = x->root;
    y->offset = x->offset;
    if (at->op == PSY_OP_RESHAPE) {
        carry_strides(b, at);
        return;
    }
    for (uint32_t d = 0; d < y->rank; d++) {
        if (y->dims[d] <= 1) {
            y->strides[d] = 0;
            continue;
        }
        switch (at->op) {
        case PSY_OP_PERMUTE: y->strides[d] = x->strides[at->operands[1] >> 4 * d & 15]; break;
        case PSY_OP_SLICE: y->strides[d] = x->strides[d] * (d == at->operands[1] ? (int32_t)at->operands[3] : 1); break;
        case PSY_OP_REPEAT: y->strides[d] = d + x->rank >= y->rank ? x->strides[d + x->rank - y->rank] : 0; break;
        default: break;
        }
    }
    if (at->op == PSY_OP_SLICE) {
        y->offset += x->strides[at->operands[1]] * (int64_t)psy__dim_value(at->operands[2], b->symbols);
    }
}

void psy__bound_views(psy__bound_program *b)
{
    psy__instruction at;
    for (uint32_t word = 0; word < b->program->word_count; word = at.next) {
        psy__instruction_at(b->module, b->program, word, &at);
        if (at.info->class_ == PSY_CLASS_SHAPE) {
            lay_over(b, &at);
        }
    }
}

/* A variant's elements lie within the room that its field has. */
static psy_status check_variant(const psy__bound_program *b, const psy__instruction *at)
{
    bool stores = at->op == PSY_OP_STORE;
    const psy_psm_type *type = &b->module->types[stores ? b->program->output_type : b->program->input_type];
    const psy_psm_field *f = &b->module->fields[type->first_field + at->operands[stores ? 1 : 0]];
    const psy__bound_register *r = &b->registers[stores ? at->operands[0] : at->dst];
    uint64_t bytes = r->count * psy__dtype_bytes(r->dtype);
    return f->kind != PSY_FIELD_VARIANT || bytes <= f->count
               ? PSY_OK
               : psy_fail(PSY_TOO_LARGE, "program %s: field %s has room for %u bytes, not %" PRIu64,
                          psy__module_string(b->module, b->program->name), psy__module_string(b->module, f->name), f->count,
                          bytes);
}

/* What the verifier could not check without the sizes. */
static psy_status check_bound(const psy__bound_program *b, const psy__instruction *at)
{
    const psy__bound_register *y = at->dst_count ? &b->registers[at->dst] : NULL;
    bool fits = true;
    if (at->op == PSY_OP_LOAD || at->op == PSY_OP_STORE) {
        return check_variant(b, at);
    }
    if (at->op == PSY_OP_RESHAPE) {
        fits = y->count == b->registers[at->operands[0]].count;
    } else if (at->op == PSY_OP_SLICE) {
        uint32_t axis = at->operands[1];
        fits = psy__slice_fits(b->registers[at->operands[0]].dims[axis], psy__dim_value(at->operands[2], b->symbols),
                               y->dims[axis], (int32_t)at->operands[3]);
    } else if (at->info->class_ == PSY_CLASS_JOIN) {
        uint64_t left = y->dims[at->operands[0]];
        for (uint32_t i = 1; fits && i < at->operand_count; i++) {
            uint64_t length = b->registers[at->operands[i]].dims[at->operands[0]];
            fits = length <= left;
            left -= fits ? length : 0;
        }
        fits = fits && left == 0;
    } else if (at->info->class_ == PSY_CLASS_SORT) {
        const psy__bound_register *x = &b->registers[at->operands[0]];
        fits = y->dims[y->rank - 1] <= x->dims[x->rank - 1];
    }
    return fits ? PSY_OK
                : psy_fail(PSY_INVALID, "program %s, word %u, %s: the sizes do not fit",
                           psy__module_string(b->module, b->program->name), at->word, at->info->name);
}

/* Sizes that are made of others. */
static psy_status compute_sizes(psy__bound_program *b)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < b->module->symbol_count; i++) {
        const psy_psm_symbol *s = &b->module->symbols[i];
        bool computed = psy__symbol_word(s->kind) != NULL;
        if (computed ? is_unknown(b, s->of) || is_unknown(b, s->with)
                     : s->kind == PSY_SYMBOL_MESSAGE && b->symbols[i] == PSY_SIZE_UNKNOWN) {
            b->unknown[i / 64] |= UINT64_C(1) << i % 64;
        } else if (computed) {
            status = psy__size_compute(b->module, i, b->symbols, &b->symbols[i]);
        }
    }
    return status;
}

uint64_t psy__size_value(const psy__bound_program *b, const psy__instruction *at)
{
    return at->op == PSY_OP_BASE ? b->bases[psy__dim_symbol(at->operands[0])] : psy__dim_value(at->operands[0], b->symbols);
}

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Element operations of an instruction: what it reads, broadcast, or where that is nothing, what it writes. */
static uint64_t work_of(const psy__bound_program *b, const psy__instruction *at)
{
    const psy__bound_register *dst = at->dst_count ? &b->registers[at->dst] : NULL;
    switch (at->info->class_) {
    case PSY_CLASS_MAP1:
    case PSY_CLASS_MAP2:
    case PSY_CLASS_MAP3:
    case PSY_CLASS_COMPARE:
    case PSY_CLASS_CHOOSE:
    case PSY_CLASS_CAST: return dst->count;
    case PSY_CLASS_REDUCE1:
    case PSY_CLASS_SELECT: return most(b->registers[at->operands[0]].count, dst->count);
    case PSY_CLASS_REDUCE2: {
        const psy__bound_register *x = &b->registers[at->operands[0]], *y = &b->registers[at->operands[1]];
        uint64_t last = x->rank ? x->dims[x->rank - 1] : 1, other = y->rank ? y->dims[y->rank - 1] : 1, work;
        last = last == 1 ? other : last;
        return __builtin_mul_overflow(dst->count, last, &work) ? UINT64_MAX : most(work, dst->count);
    }
    case PSY_CLASS_STORE: return b->registers[at->operands[0]].count;
    case PSY_CLASS_JOIN: { /* operands without elements are visited too */
        uint64_t outer = 1, visits;
        for (uint32_t d = 0; d < at->operands[0] && dst->count; d++) {
            outer *= dst->dims[d];
        }
        return __builtin_mul_overflow(outer, (uint64_t)at->operand_count, &visits) ? UINT64_MAX : most(visits, dst->count);
    }
    case PSY_CLASS_INDEX:
    case PSY_CLASS_GATHER:
    case PSY_CLASS_SCAN: return dst->count;
    case PSY_CLASS_SCATTER: return dst->count + b->registers[at->operands[2]].count;
    case PSY_CLASS_SORT: {
        uint64_t log = 1;
        const psy__bound_register *x = &b->registers[at->operands[0]];
        for (uint64_t n = x->dims[x->rank - 1]; n > 1; n /= 2) {
            log++;
        }
        uint64_t work;
        return __builtin_mul_overflow(x->count, log, &work) ? UINT64_MAX : work;
    }
    default: return 1;
    }
}

static psy_status bind_all(psy__bound_program *b, const psy__limits *limits)
{
    const psy__module *m = b->module;
    const psy_psm_program *p = b->program;
    uint64_t work_max = limits && limits->work ? limits->work : PSY_WORK_DEFAULT;
    uint64_t arena_max = limits && limits->arena_bytes ? limits->arena_bytes : arena_bytes_default;
    psy_status status = compute_sizes(b);
    status = status == PSY_OK ? check_sizes(b) : status;
    for (uint32_t r = 0; status == PSY_OK && r < p->register_count; r++) {
        status = bind_register(b, r);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy__instruction at;
    for (uint32_t word = 0; word < p->word_count; word = at.next) {
        psy__instruction_at(m, p, word, &at);
        bind_home(b, &at);
        status = check_all_known(b, &at);
        status = status == PSY_OK ? check_bound(b, &at) : status;
        if (status != PSY_OK) {
            return status;
        }
        if (at.info->class_ == PSY_CLASS_SHAPE) {
            lay_over(b, &at);
        }
        uint64_t work = work_of(b, &at);
        if (work > work_max - b->work) {
            return too_large(b, "the work for one message", work_max);
        }
        b->work += work;
    }
    for (uint32_t r = 0; r < p->register_count; r++) {
        const psy__bound_register *reg = &b->registers[r];
        if (reg->slot != PSY_NO_SLOT && reg->root == r) {
            uint64_t bytes = (reg->count * psy__dtype_bytes(reg->dtype) + 63) & ~UINT64_C(63);
            psy__slot *slot = &b->slots[reg->slot];
            slot->bytes = bytes > slot->bytes ? bytes : slot->bytes;
            slot->batched = reg->batched;
        }
    }
    for (uint32_t s = 0; s < p->slot_count; s++) {
        uint64_t *total = b->slots[s].batched ? &b->message_arena_bytes : &b->uniform_arena_bytes;
        if (b->slots[s].bytes > arena_max - *total) {
            return too_large(b, "its working memory", arena_max);
        }
        b->slots[s].offset = *total;
        *total += b->slots[s].bytes;
    }
    return PSY_OK;
}

psy_status psy__program_bind(const psy__module *m, uint32_t program, const uint64_t *symbols, const uint64_t *bases,
                             const psy__limits *limits, psy__bound_program *out)
{
    if (program >= m->program_count) {
        return psy_fail(PSY_INVALID, "there is no program %u", program);
    }
    const psy_psm_program *p = &m->programs[program];
    *out = (psy__bound_program){.module = m, .program = p};
    out->registers = calloc(p->register_count + 1u, sizeof *out->registers);
    out->slots = calloc(p->slot_count + 1u, sizeof *out->slots);
    out->symbols = calloc(m->symbol_count + 1u, sizeof *out->symbols);
    out->bases = calloc(m->symbol_count + 1u, sizeof *out->bases);
    bool *batched = calloc(p->register_count + 1u, sizeof *batched);
    psy_status status = PSY_OK;
    if (!out->registers || !out->slots || !out->symbols || !out->bases || !batched) {
        status = psy_fail(PSY_NO_MEMORY, "no memory to bind a program");
    } else {
        for (uint32_t i = 0; i < m->symbol_count; i++) {
            out->symbols[i] = symbols[i];
            out->bases[i] = bases[i];
        }
        psy__program_batched(m, p, batched);
        for (uint32_t r = 0; r < p->register_count; r++) {
            out->registers[r].batched = batched[r];
        }
        status = bind_all(out, limits);
    }
    free(batched);
    if (status != PSY_OK) {
        psy__program_unbind(out);
    }
    return status;
}

void psy__program_unbind(psy__bound_program *b)
{
    free(b->registers);
    free(b->slots);
    free(b->symbols);
    free(b->bases);
    *b = (psy__bound_program){0};
}
