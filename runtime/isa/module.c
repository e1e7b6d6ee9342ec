/* SPDX-License-Identifier: Apache-2.0 */
/* Modules to bytes and back. Decoding checks the file's structure here and every reference between records; what programs do is
 * checked in verify.c. */
#include "isa/module.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "isa/layout.h"
#include "isa/verify.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "modules are read in place: little-endian machines only");

enum { SECTION_ALIGN = 64, NAME_BYTES_MAX = 127 };

/* Every section: its kind, the member of psy__module that points at it, the count's member and the element. */
typedef struct section_row {
    psy_psm_kind kind;
    const char *name;
    uint32_t element_bytes;
    uint64_t count_max;
    bool native;
} section_row;

static const section_row sections[] = {
    {PSY_PSM_STRINGS, "strings", 1, 1 << 24, false},
    {PSY_PSM_TYPES, "types", sizeof(psy_psm_type), 1024, false},
    {PSY_PSM_FIELDS, "fields", sizeof(psy_psm_field), 65536, false},
    {PSY_PSM_SYMBOLS, "symbols", sizeof(psy_psm_symbol), 256, false},
    {PSY_PSM_CHECKS, "checks", sizeof(psy_psm_check), 4096, false},
    {PSY_PSM_RESIDENTS, "residents", sizeof(psy_psm_resident), 64, false},
    {PSY_PSM_PIPELINES, "pipelines", sizeof(psy_psm_pipeline), 64, false},
    {PSY_PSM_PROGRAMS, "programs", sizeof(psy_psm_program), 256, false},
    {PSY_PSM_REGISTERS, "registers", sizeof(psy_psm_register), 256 * 4096, false},
    {PSY_PSM_CODE, "code", sizeof(uint32_t), 256 * 65536, false},
    {PSY_PSM_CONSTS, "consts", 1, 1 << 27, false},
    {PSY_PSM_LINES, "lines", sizeof(psy_psm_line), 1 << 20, false},
    {PSY_PSM_KERNELS, "kernels", sizeof(psy_psm_kernel), 4096, true},
    {PSY_PSM_KERNEL_CODE, "kernel code", 1, 1 << 27, true},
};
_Static_assert(sizeof sections / sizeof sections[0] == PSY_PSM_KIND_END - 1, "a row per section");

typedef struct section_view {
    const void *at;
    uint64_t count;
} section_view;

static void view_of(const psy__module *m, section_view out[PSY_PSM_KIND_END])
{
    out[PSY_PSM_STRINGS] = (section_view){m->strings, m->strings_bytes};
    out[PSY_PSM_TYPES] = (section_view){m->types, m->type_count};
    out[PSY_PSM_FIELDS] = (section_view){m->fields, m->field_count};
    out[PSY_PSM_SYMBOLS] = (section_view){m->symbols, m->symbol_count};
    out[PSY_PSM_CHECKS] = (section_view){m->checks, m->check_count};
    out[PSY_PSM_RESIDENTS] = (section_view){m->residents, m->resident_count};
    out[PSY_PSM_PIPELINES] = (section_view){m->pipelines, m->pipeline_count};
    out[PSY_PSM_PROGRAMS] = (section_view){m->programs, m->program_count};
    out[PSY_PSM_REGISTERS] = (section_view){m->registers, m->register_count};
    out[PSY_PSM_CODE] = (section_view){m->code, m->code_words};
    out[PSY_PSM_CONSTS] = (section_view){m->consts, m->consts_bytes};
    out[PSY_PSM_LINES] = (section_view){m->lines, m->line_count};
    out[PSY_PSM_KERNELS] = (section_view){m->kernels, m->kernel_count};
    out[PSY_PSM_KERNEL_CODE] = (section_view){m->kernel_code, m->kernel_code_bytes};
}

static void view_to(const section_view in[PSY_PSM_KIND_END], psy__module *m)
{
    *m = (psy__module){
        .strings = in[PSY_PSM_STRINGS].at, .strings_bytes = in[PSY_PSM_STRINGS].count,
        .types = in[PSY_PSM_TYPES].at, .type_count = (uint32_t)in[PSY_PSM_TYPES].count,
        .fields = in[PSY_PSM_FIELDS].at, .field_count = (uint32_t)in[PSY_PSM_FIELDS].count,
        .symbols = in[PSY_PSM_SYMBOLS].at, .symbol_count = (uint32_t)in[PSY_PSM_SYMBOLS].count,
        .checks = in[PSY_PSM_CHECKS].at, .check_count = (uint32_t)in[PSY_PSM_CHECKS].count,
        .residents = in[PSY_PSM_RESIDENTS].at, .resident_count = (uint32_t)in[PSY_PSM_RESIDENTS].count,
        .pipelines = in[PSY_PSM_PIPELINES].at, .pipeline_count = (uint32_t)in[PSY_PSM_PIPELINES].count,
        .programs = in[PSY_PSM_PROGRAMS].at, .program_count = (uint32_t)in[PSY_PSM_PROGRAMS].count,
        .registers = in[PSY_PSM_REGISTERS].at, .register_count = (uint32_t)in[PSY_PSM_REGISTERS].count,
        .code = in[PSY_PSM_CODE].at, .code_words = in[PSY_PSM_CODE].count,
        .consts = in[PSY_PSM_CONSTS].at, .consts_bytes = in[PSY_PSM_CONSTS].count,
        .lines = in[PSY_PSM_LINES].at, .line_count = (uint32_t)in[PSY_PSM_LINES].count,
        .kernels = in[PSY_PSM_KERNELS].at, .kernel_count = (uint32_t)in[PSY_PSM_KERNELS].count,
        .kernel_code = in[PSY_PSM_KERNEL_CODE].at, .kernel_code_bytes = in[PSY_PSM_KERNEL_CODE].count,
    };
}

static uint64_t round_up(uint64_t n) { return (n + SECTION_ALIGN - 1) & ~(uint64_t)(SECTION_ALIGN - 1); }

/* The hash covers the whole file with the hash field as zero. */
static uint64_t hash_of(const uint8_t *bytes, uint64_t n)
{
    static const uint64_t zero_key[2] = {0, 0};
    psy_psm_header header;
    memcpy(&header, bytes, sizeof header);
    header.hash = 0;
    psy__siphash_state s;
    psy__siphash_init(&s, zero_key);
    psy__siphash_update(&s, &header, sizeof header);
    psy__siphash_update(&s, bytes + sizeof header, n - sizeof header);
    return psy__siphash_final(&s);
}

psy_status psy__module_encode(const psy__module *m, uint8_t **out, uint64_t *n)
{
    section_view views[PSY_PSM_KIND_END] = {{0}};
    view_of(m, views);
    uint32_t count = 0;
    uint64_t at;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const section_view *v = &views[sections[i].kind];
        if (v->count > sections[i].count_max) {
            return psy_fail(PSY_TOO_LARGE, "the module has %" PRIu64 " %s; at most %" PRIu64, v->count, sections[i].name,
                            sections[i].count_max);
        }
        count += v->count != 0;
    }
    at = round_up(sizeof(psy_psm_header) + count * sizeof(psy_psm_section));
    uint64_t total = at;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        total += round_up(views[sections[i].kind].count * sections[i].element_bytes);
    }
    uint8_t *bytes = calloc(1, total);
    if (!bytes) {
        return psy_fail(PSY_NO_MEMORY, "no memory for a module of %" PRIu64 " bytes", total);
    }
    psy_psm_header header = {.magic = PSY_PSM_MAGIC,
                             .abi_major = PSY_PSM_ABI_MAJOR,
                             .abi_minor = PSY_PSM_ABI_MINOR,
                             .bytes = total,
                             .section_count = count};
    uint64_t table = sizeof header;
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        const section_view *v = &views[sections[i].kind];
        if (v->count) {
            psy_psm_section section = {
                .kind = (uint32_t)sections[i].kind, .offset = at, .bytes = v->count * sections[i].element_bytes};
            memcpy(bytes + table, &section, sizeof section);
            memcpy(bytes + at, v->at, section.bytes);
            table += sizeof section;
            at += round_up(section.bytes);
        }
    }
    memcpy(bytes, &header, sizeof header);
    header.hash = hash_of(bytes, total);
    memcpy(bytes, &header, sizeof header);
    *out = bytes;
    *n = total;
    return PSY_OK;
}

/* ---- decoding ---- */

#define corrupt(...) psy_fail(PSY_CORRUPT, __VA_ARGS__)

static bool all_zero(const uint8_t *bytes, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static psy_status read_header(const uint8_t *bytes, uint64_t n, psy_psm_header *header)
{
    if (n < sizeof *header) {
        return corrupt("a module of %" PRIu64 " bytes is shorter than its header (truncated?)", n);
    }
    memcpy(header, bytes, sizeof *header);
    if (header->magic != PSY_PSM_MAGIC) {
        return corrupt("not a module: its first word is %08x", header->magic);
    }
    if (header->abi_major != PSY_PSM_ABI_MAJOR) {
        return psy_fail(PSY_VERSION, "the module has format %u.%u, this library reads %u.x", header->abi_major, header->abi_minor,
                        PSY_PSM_ABI_MAJOR);
    }
    if (header->bytes != n) {
        return corrupt("the module says %" PRIu64 " bytes and has %" PRIu64 " (truncated?)", header->bytes, n);
    }
    if (!all_zero((const uint8_t *)header->reserved, sizeof header->reserved)) {
        return corrupt("reserved words of the module's header are set");
    }
    if (header->hash != hash_of(bytes, n)) {
        return corrupt("the module's hash does not match its bytes");
    }
    if (header->section_count >= PSY_PSM_KIND_END) {
        return corrupt("the module has %u sections", header->section_count);
    }
    return PSY_OK;
}

static psy_status read_sections(const uint8_t *bytes, uint64_t n, uint32_t count, section_view views[PSY_PSM_KIND_END])
{
    uint64_t at = round_up(sizeof(psy_psm_header) + count * sizeof(psy_psm_section)), end;
    if (at > n) {
        return corrupt("the module ends in its section table");
    }
    end = sizeof(psy_psm_header) + count * sizeof(psy_psm_section);
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        psy_psm_section s;
        memcpy(&s, bytes + sizeof(psy_psm_header) + i * sizeof s, sizeof s);
        if (s.kind <= last || s.kind >= PSY_PSM_KIND_END || s.reserved != 0) {
            return corrupt("section %u: kind %u is unknown or out of order", i, s.kind);
        }
        last = s.kind;
        const section_row *row = &sections[s.kind - 1];
        if (s.offset != at || s.bytes == 0 || s.bytes > n - at || s.bytes % row->element_bytes != 0 ||
            s.bytes / row->element_bytes > row->count_max) {
            return corrupt("section %s: %" PRIu64 " bytes at %" PRIu64 " do not fit", row->name, s.bytes, s.offset);
        }
        if (!all_zero(bytes + end, at - end)) {
            return corrupt("the gap before section %s is not zero", row->name);
        }
        views[s.kind] = (section_view){bytes + at, s.bytes / row->element_bytes};
        end = at + s.bytes;
        at = round_up(end);
        if (at > n) {
            return corrupt("section %s: its padding is cut off", row->name);
        }
    }
    return at == n && all_zero(bytes + end, n - end) ? PSY_OK : corrupt("bytes after the last section");
}

/* Strings: UTF-8 without control characters. */
static psy_status check_strings(const psy__module *m)
{
    const uint8_t *s = (const uint8_t *)m->strings;
    uint64_t n = m->strings_bytes;
    if (n == 0 || s[0] != 0 || s[n - 1] != 0) {
        return corrupt("strings: they must start and end with a NUL");
    }
    for (uint64_t i = 0; i < n; i++) {
        uint32_t c = s[i], more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
        if (more == 9 || (c != 0 && c < 0x20) || c == 0x7f) {
            return corrupt("strings: byte %02x at %" PRIu64, c, i);
        }
        uint32_t code = more == 0 ? c : c & (0x3fu >> more);
        for (uint32_t k = 0; k < more; k++) {
            if ((s[++i] & 0xc0) != 0x80) { /* the last byte is NUL: never runs over */
                return corrupt("strings: broken UTF-8 at %" PRIu64, i);
            }
            code = code << 6 | (s[i] & 0x3f);
        }
        if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) || (more == 3 && (code < 0x10000 || code > 0x10ffff))) {
            return corrupt("strings: broken UTF-8 at %" PRIu64, i);
        }
    }
    return PSY_OK;
}

/* An offset that starts a string. */
static bool is_string(const psy__module *m, uint32_t at)
{
    return at < m->strings_bytes && (at == 0 || m->strings[at - 1] == '\0');
}

static bool is_name(const psy__module *m, uint32_t at)
{
    return is_string(m, at) && m->strings[at] != '\0' && strlen(m->strings + at) <= NAME_BYTES_MAX;
}

static bool is_dim(const psy__module *m, psy_dim d)
{
    return psy__dim_is_symbol(d) ? psy__dim_symbol(d) < m->symbol_count : d != PSY_NONE;
}

/* Offsets and hashes are made again and compared: a forged offset never leaves its message. */
static psy_status check_types(const psy__module *m)
{
    uint32_t next = 0;
    psy_psm_field *scratch = malloc((m->field_count + 1) * sizeof *scratch);
    if (!scratch) {
        return psy_fail(PSY_NO_MEMORY, "no memory to check a module");
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < m->type_count; i++) {
        const psy_psm_type *t = &m->types[i];
        if (!is_name(m, t->name) || t->first_field != next || t->field_count > m->field_count - next || t->reserved != 0) {
            status = corrupt("type %u: its name or fields are out of range", i);
            break;
        }
        next += t->field_count;
        uint32_t keys = 0;
        for (uint32_t k = 0; status == PSY_OK && k < t->field_count; k++) {
            const psy_psm_field *f = &m->fields[t->first_field + k];
            if (!is_name(m, f->name) || (f->flags & ~PSY_FIELD_KEY) != 0 || f->since == 0 || f->since > 65535 ||
                (k > 0 && f->since < f[-1].since) || (f->kind != PSY_FIELD_SCALAR && f->default_bits != 0)) {
                status = corrupt("type %s: field %u is malformed", m->strings + t->name, k);
            } else if ((f->flags & PSY_FIELD_KEY) && (keys++ || f->dtype != PSY_U64 || f->kind != PSY_FIELD_SCALAR)) {
                status = corrupt("type %s: its key is not one u64", m->strings + t->name);
            }
        }
        if (status == PSY_OK) {
            psy_psm_type again = *t;
            memcpy(scratch, m->fields + t->first_field, t->field_count * sizeof *scratch);
            status = psy__layout(m->strings, &again, scratch);
            if (status != PSY_OK || memcmp(&again, t, sizeof again) != 0 ||
                memcmp(scratch, m->fields + t->first_field, t->field_count * sizeof *scratch) != 0) {
                status = corrupt("type %s: its layout is not what the rules give", m->strings + t->name);
            }
        }
    }
    free(scratch);
    return status == PSY_OK && next != m->field_count ? corrupt("fields that belong to no type") : status;
}

static psy_status check_sizes(const psy__module *m)
{
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        const psy_psm_symbol *s = &m->symbols[i];
        bool of = s->kind == PSY_SYMBOL_LOCAL ? s->of < i && m->symbols[s->of].kind == PSY_SYMBOL_GLOBAL : s->of == PSY_NONE;
        if (!is_name(m, s->name) || s->kind > PSY_SYMBOL_SHARDS || !of || s->reserved != 0) {
            return corrupt("symbol %u is malformed", i);
        }
    }
    for (uint32_t i = 0; i < m->check_count; i++) {
        const psy_psm_check *c = &m->checks[i];
        if (!is_dim(m, c->left) || !is_dim(m, c->right) || c->relation > PSY_CHECK_GE || !is_string(m, c->message)) {
            return corrupt("check %u is malformed", i);
        }
    }
    for (uint32_t i = 0; i < m->resident_count; i++) {
        const psy_psm_resident *r = &m->residents[i];
        bool ok = is_name(m, r->name) && psy__dtype_bytes(r->dtype) != 0 && r->rank >= 1 && r->rank <= PSY_RANK_MAX &&
                  r->placement <= PSY_PLACE_BY_KEY && r->reserved == 0 && r->reserved2 == 0;
        for (uint32_t d = 0; ok && d < PSY_RANK_MAX; d++) {
            ok = d < r->rank ? is_dim(m, r->dims[d]) : r->dims[d] == 0;
        }
        if (ok && r->placement == PSY_PLACE_REPLICATED) {
            ok = r->local_rows == r->dims[0];
        } else if (ok) {
            ok = psy__dim_is_symbol(r->dims[0]) && psy__dim_is_symbol(r->local_rows) && is_dim(m, r->local_rows) &&
                 m->symbols[psy__dim_symbol(r->local_rows)].kind == PSY_SYMBOL_LOCAL &&
                 m->symbols[psy__dim_symbol(r->local_rows)].of == psy__dim_symbol(r->dims[0]);
        }
        if (!ok) {
            return corrupt("resident %u is malformed", i);
        }
    }
    return PSY_OK;
}

static bool is_type(const psy__module *m, uint32_t type) { return type < m->type_count; }

static psy_status check_pipelines(const psy__module *m)
{
    for (uint32_t i = 0; i < m->pipeline_count; i++) {
        const psy_psm_pipeline *p = &m->pipelines[i];
        bool all = p->route == PSY_ROUTE_ALL, key = p->route == PSY_ROUTE_KEY;
        if (!is_name(m, p->name) || !is_type(m, p->input_type) || !is_type(m, p->output_type) || p->route > PSY_ROUTE_ALL ||
            p->shard_program >= m->program_count || (all ? p->merge_program >= m->program_count : p->merge_program != PSY_NONE) ||
            (all ? !is_type(m, p->partial_type) : p->partial_type != PSY_NONE)) {
            return corrupt("pipeline %u is malformed", i);
        }
        const psy_psm_type *in = &m->types[p->input_type];
        if (key ? p->key_field >= in->field_count || !(m->fields[in->first_field + p->key_field].flags & PSY_FIELD_KEY)
                : p->key_field != PSY_NONE) {
            return corrupt("pipeline %s: its key field is no key", m->strings + p->name);
        }
        const psy_psm_program *shard = &m->programs[p->shard_program];
        bool fits = shard->input_type == p->input_type && shard->partial_type == PSY_NONE &&
                    shard->output_type == (all ? p->partial_type : p->output_type);
        if (all) {
            const psy_psm_program *merge = &m->programs[p->merge_program];
            fits = fits && merge->input_type == p->input_type && merge->partial_type == p->partial_type &&
                   merge->output_type == p->output_type;
        }
        if (!fits) {
            return corrupt("pipeline %s: its programs have other types", m->strings + p->name);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(m->strings + m->pipelines[k].name, m->strings + p->name) == 0) {
                return corrupt("two pipelines are called %s", m->strings + p->name);
            }
        }
    }
    return PSY_OK;
}

static psy_status check_programs(const psy__module *m)
{
    uint64_t registers = 0, words = 0;
    for (uint32_t i = 0; i < m->program_count; i++) {
        const psy_psm_program *p = &m->programs[i];
        if (!is_name(m, p->name) || !is_type(m, p->input_type) || !is_type(m, p->output_type) ||
            (p->partial_type != PSY_NONE && !is_type(m, p->partial_type)) || p->reserved != 0) {
            return corrupt("program %u: its name or types are out of range", i);
        }
        if (p->first_register != registers || p->register_count > m->register_count - registers || p->register_count > 4096 ||
            p->first_word != words || p->word_count > m->code_words - words || p->word_count > 65536 || p->word_count % 2 != 0 ||
            p->slot_count > p->register_count) {
            return corrupt("program %s: its registers or code are out of range", m->strings + p->name);
        }
        registers += p->register_count;
        words += p->word_count;
        for (uint32_t r = 0; r < p->register_count; r++) {
            const psy_psm_register *reg = &m->registers[p->first_register + r];
            bool ok = psy__dtype_bytes(reg->dtype) != 0 && reg->rank <= PSY_RANK_MAX &&
                      (reg->slot == PSY_NO_SLOT || reg->slot < p->slot_count);
            for (uint32_t d = 0; ok && d < PSY_RANK_MAX; d++) {
                ok = d < reg->rank ? is_dim(m, reg->dims[d]) : reg->dims[d] == 0;
            }
            if (!ok) {
                return corrupt("program %s: register %u is malformed", m->strings + p->name, r);
            }
        }
    }
    return registers == m->register_count && words == m->code_words ? PSY_OK : corrupt("registers or code of no program");
}

static psy_status check_maps(const psy__module *m)
{
    for (uint32_t i = 0; i < m->line_count; i++) {
        const psy_psm_line *l = &m->lines[i];
        bool ordered = i == 0 || l[-1].program < l->program || (l[-1].program == l->program && l[-1].word < l->word);
        if (l->program >= m->program_count || l->word >= m->programs[l->program].word_count || !is_string(m, l->file) ||
            l->line == 0 || l->column == 0 || !ordered) {
            return corrupt("source line %u is malformed", i);
        }
    }
    for (uint32_t i = 0; i < m->kernel_count; i++) {
        const psy_psm_kernel *k = &m->kernels[i];
        if (!is_name(m, k->name) || k->target != PSY_TARGET_SPIRV || k->program >= m->program_count ||
            k->word >= m->programs[k->program].word_count || k->offset % 4 != 0 || k->bytes % 4 != 0 || k->bytes == 0 ||
            k->offset > m->kernel_code_bytes || k->bytes > m->kernel_code_bytes - k->offset) {
            return corrupt("kernel %u is malformed", i);
        }
    }
    return PSY_OK;
}

psy_status psy__module_decode(const void *bytes, uint64_t n, psy__trust trust, psy__module *out)
{
    psy_psm_header header;
    section_view views[PSY_PSM_KIND_END] = {{0}};
    if (!bytes || (uintptr_t)bytes % 8 != 0) {
        return psy_fail(PSY_INVALID, "a module must lie at a multiple of 8");
    }
    psy_status status = read_header(bytes, n, &header);
    if (status == PSY_OK) {
        status = read_sections(bytes, n, header.section_count, views);
    }
    if (status != PSY_OK) {
        return status;
    }
    if (trust != PSY_TRUST_NATIVE) {
        views[PSY_PSM_KERNELS] = views[PSY_PSM_KERNEL_CODE] = (section_view){NULL, 0};
    }
    psy__module m;
    view_to(views, &m);
    m.hash = header.hash;
    psy_status (*const checks[])(const psy__module *) = {check_strings, check_types,    check_sizes,
                                                         check_programs, check_pipelines, check_maps};
    for (size_t i = 0; status == PSY_OK && i < sizeof checks / sizeof checks[0]; i++) {
        status = checks[i](&m);
    }
    for (uint32_t i = 0; status == PSY_OK && i < m.program_count; i++) {
        status = psy__program_verify(&m, i);
    }
    if (status == PSY_OK) {
        *out = m;
    }
    return status;
}

void psy__instruction_at(const psy__module *m, const psy_psm_program *p, uint32_t word, psy__instruction *out)
{
    const uint32_t *at = m->code + p->first_word + word;
    const psy_op_info *info = psy__op_info(at[0] & 0xff);
    const char *colon = strchr(info->signature, ':');
    *out = (psy__instruction){.info = info,
                              .op = info->op,
                              .dtype = at[0] >> 8 & 0xff,
                              .dst = (uint16_t)at[1],
                              .dst_count = (unsigned)(colon - info->signature),
                              .operand_count = at[0] >> 24,
                              .operands = at + 2,
                              .word = word,
                              .next = word + 2 + (((at[0] >> 24) + 1) & ~1u)};
}
