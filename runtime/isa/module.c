/* SPDX-License-Identifier: Apache-2.0 */
/* Modules to bytes and back. Decoding checks the file's structure here, what records say and refer to in records.c, and what
 * programs do in verify.c. */
#include "isa/module.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/message.h>

#include "base/siphash.h"
#include "isa/layout.h"
#include "isa/records.h"
#include "isa/strings.h"
#include "isa/verify.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "modules are read in place: little-endian machines only");

enum { SECTION_ALIGN = 64 };

enum { NAMELESS = -1 };

enum { PROGRAMS_MAX = 256 };

/* Every section: its kind, its elements, and where an element keeps its reference into STRINGS. */
typedef struct section_row {
    psy_psm_kind kind;
    const char *name;
    uint32_t element_bytes;
    uint64_t count_max;
    int string_at;
} section_row;

static const section_row sections[] = {
    {PSY_PSM_STRINGS, "strings", 1, PSY_STRINGS_BYTES_MAX, NAMELESS},
    {PSY_PSM_TYPES, "types", sizeof(psy_psm_type), 1024, offsetof(psy_psm_type, name)},
    {PSY_PSM_FIELDS, "fields", sizeof(psy_psm_field), 65536, offsetof(psy_psm_field, name)},
    {PSY_PSM_SYMBOLS, "symbols", sizeof(psy_psm_symbol), 256, offsetof(psy_psm_symbol, name)},
    {PSY_PSM_CHECKS, "checks", sizeof(psy_psm_check), 4096, offsetof(psy_psm_check, message)},
    {PSY_PSM_RESIDENTS, "residents", sizeof(psy_psm_resident), 64, offsetof(psy_psm_resident, name)},
    {PSY_PSM_PIPELINES, "pipelines", sizeof(psy_psm_pipeline), 64, offsetof(psy_psm_pipeline, name)},
    {PSY_PSM_PROGRAMS, "programs", sizeof(psy_psm_program), PROGRAMS_MAX, offsetof(psy_psm_program, name)},
    {PSY_PSM_REGISTERS, "registers", sizeof(psy_psm_register), PROGRAMS_MAX *PSY_REGISTERS_MAX, NAMELESS},
    {PSY_PSM_CODE, "code", sizeof(uint32_t), PROGRAMS_MAX *PSY_CODE_WORDS_MAX, NAMELESS},
    {PSY_PSM_CONSTS, "consts", 1, 1 << 27, NAMELESS},
    {PSY_PSM_LINES, "lines", sizeof(psy_psm_line), 1 << 20, offsetof(psy_psm_line, file)},
    {PSY_PSM_KERNELS, "kernels", sizeof(psy_psm_kernel), PSY_KERNELS_MAX, offsetof(psy_psm_kernel, name)},
    {PSY_PSM_KERNEL_CODE, "kernel code", 1, 1 << 27, NAMELESS},
    {PSY_PSM_GUARDS, "guards", sizeof(psy_psm_guard), 512, NAMELESS},
};
enum { SECTIONS = sizeof sections / sizeof sections[0] };
_Static_assert(SECTIONS == PSY_PSM_KIND_END - 1, "a row per section");

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
    out[PSY_PSM_GUARDS] = (section_view){m->guards, m->guard_count};
}

static void view_to(const section_view in[PSY_PSM_KIND_END], psy__module *m)
{
    *m = (psy__module){
        .strings = in[PSY_PSM_STRINGS].at,
        .strings_bytes = in[PSY_PSM_STRINGS].count,
        .types = in[PSY_PSM_TYPES].at,
        .type_count = (uint32_t)in[PSY_PSM_TYPES].count,
        .fields = in[PSY_PSM_FIELDS].at,
        .field_count = (uint32_t)in[PSY_PSM_FIELDS].count,
        .symbols = in[PSY_PSM_SYMBOLS].at,
        .symbol_count = (uint32_t)in[PSY_PSM_SYMBOLS].count,
        .checks = in[PSY_PSM_CHECKS].at,
        .check_count = (uint32_t)in[PSY_PSM_CHECKS].count,
        .residents = in[PSY_PSM_RESIDENTS].at,
        .resident_count = (uint32_t)in[PSY_PSM_RESIDENTS].count,
        .pipelines = in[PSY_PSM_PIPELINES].at,
        .pipeline_count = (uint32_t)in[PSY_PSM_PIPELINES].count,
        .programs = in[PSY_PSM_PROGRAMS].at,
        .program_count = (uint32_t)in[PSY_PSM_PROGRAMS].count,
        .registers = in[PSY_PSM_REGISTERS].at,
        .register_count = (uint32_t)in[PSY_PSM_REGISTERS].count,
        .code = in[PSY_PSM_CODE].at,
        .code_words = in[PSY_PSM_CODE].count,
        .consts = in[PSY_PSM_CONSTS].at,
        .consts_bytes = in[PSY_PSM_CONSTS].count,
        .lines = in[PSY_PSM_LINES].at,
        .line_count = (uint32_t)in[PSY_PSM_LINES].count,
        .kernels = in[PSY_PSM_KERNELS].at,
        .kernel_count = (uint32_t)in[PSY_PSM_KERNELS].count,
        .kernel_code = in[PSY_PSM_KERNEL_CODE].at,
        .kernel_code_bytes = in[PSY_PSM_KERNEL_CODE].count,
        .guards = in[PSY_PSM_GUARDS].at,
        .guard_count = (uint32_t)in[PSY_PSM_GUARDS].count,
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

/* Where record `i` of a section keeps its strings: its own, and of a text field the default's. How many those are. */
static unsigned strings_of(const section_row *row, const void *records, uint64_t i, size_t places[2])
{
    if (row->string_at == NAMELESS) {
        return 0;
    }
    const size_t record = i * row->element_bytes;
    places[0] = record + (size_t)row->string_at;
    places[1] = record + offsetof(psy_psm_field, default_bits); /* its low word: the other is 0, or refused */
    return row->kind == PSY_PSM_FIELDS && psy__field_is_text((const psy_psm_field *)records + i) ? 2 : 1;
}

static uint32_t string_at(const void *records, size_t place)
{
    uint32_t at;
    memcpy(&at, (const uint8_t *)records + place, sizeof at);
    return at;
}

/* Adds what the records name, in their order; with `records`, writes there what they are called now. */
static psy_status add_strings(const psy__module *m, const section_row *row, const section_view *v, uint8_t *records,
                              psy__strings *strings)
{
    uint32_t last = PSY_NONE, now = 0;
    size_t places[2];
    for (uint64_t i = 0; i < v->count; i++) {
        const unsigned count = strings_of(row, v->at, i, places);
        for (unsigned k = 0; k < count; k++) {
            uint32_t at = string_at(v->at, places[k]);
            if (at >= m->strings_bytes) {
                return psy_fail(PSY_INVALID, "%s: string %u does not exist", row->name, at);
            }
            psy_status status = at == last ? PSY_OK : psy__strings_add(strings, m->strings + at, strlen(m->strings + at), &now);
            if (status != PSY_OK) {
                return status;
            }
            last = at;
            if (records) {
                memcpy(records + places[k], &now, sizeof now);
            }
        }
        if (count == 0) {
            break; /* nor have the others any */
        }
    }
    return PSY_OK;
}

static psy_status encode(const psy__module *m, section_view views[PSY_PSM_KIND_END], psy__strings *strings, uint8_t **out,
                         uint64_t *n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < SECTIONS; i++) {
        const section_view *v = &views[sections[i].kind];
        if (v->count > sections[i].count_max) {
            return psy_fail(PSY_TOO_LARGE, "the module has %" PRIu64 " %s; at most %" PRIu64, v->count, sections[i].name,
                            sections[i].count_max);
        }
        psy_status status = add_strings(m, &sections[i], v, NULL, strings);
        if (status != PSY_OK) {
            return status;
        }
        count += v->count != 0;
    }
    views[PSY_PSM_STRINGS] = (section_view){strings->bytes, strings->n};
    uint64_t at = round_up(sizeof(psy_psm_header) + count * sizeof(psy_psm_section)), total = at;
    for (size_t i = 0; i < SECTIONS; i++) {
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
    for (size_t i = 0; i < SECTIONS; i++) {
        const section_view *v = &views[sections[i].kind];
        if (v->count) {
            psy_psm_section section = {
                .kind = (uint32_t)sections[i].kind, .offset = at, .bytes = v->count * sections[i].element_bytes};
            memcpy(bytes + table, &section, sizeof section);
            memcpy(bytes + at, v->at, section.bytes);
            psy_status status = add_strings(m, &sections[i], v, bytes + at, strings);
            if (status != PSY_OK) {
                free(bytes);
                return status;
            }
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

psy_status psy__module_encode(const psy__module *m, uint8_t **out, uint64_t *n)
{
    section_view views[PSY_PSM_KIND_END] = {{0}};
    view_of(m, views);
    views[PSY_PSM_STRINGS] = (section_view){NULL, 1}; /* made anew: what is used, once, in the order of use */
    psy__strings strings;
    psy_status status = psy__strings_init(&strings);
    if (status == PSY_OK) {
        status = encode(m, views, &strings, out, n);
        psy__strings_fini(&strings);
    }
    return status;
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
        return psy_fail(PSY_VERSION, "the module has format %u.%u, this library reads %u.x", header->abi_major,
                        header->abi_minor, PSY_PSM_ABI_MAJOR);
    }
    if (header->abi_minor > PSY_PSM_ABI_MINOR) {
        return psy_fail(PSY_VERSION, "the module has format %u.%u, this library reads up to %u.%u", header->abi_major,
                        header->abi_minor, PSY_PSM_ABI_MAJOR, PSY_PSM_ABI_MINOR);
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

/* Strings: UTF-8 without control characters but line breaks and tabs, which default texts may have. */
static psy_status check_strings(const psy__module *m)
{
    const uint8_t *s = (const uint8_t *)m->strings;
    uint64_t n = m->strings_bytes;
    if (n == 0 || s[0] != 0 || s[n - 1] != 0) {
        return corrupt("strings: they must start and end with a NUL");
    }
    for (uint64_t i = 0; i < n;) {
        size_t size = psy_utf8_character(s + i, n - i);
        if (size == 0) {
            return corrupt("strings: no UTF-8 at %" PRIu64, i);
        }
        if ((s[i] != 0 && s[i] != '\n' && s[i] != '\t' && s[i] < 0x20) || s[i] == 0x7f) {
            return corrupt("strings: byte %02x at %" PRIu64, s[i], i);
        }
        i += size;
    }
    return PSY_OK;
}

/* A string that record `k` of a section names: `again` has all those before. */
static psy_status check_string(const psy__module *m, const section_row *row, uint64_t k, uint32_t at, psy__strings *again)
{
    uint32_t now = at;
    if (at < again->n && (at == 0 || m->strings[at - 1] == '\0')) {
        return PSY_OK;
    }
    if (at != again->n || at >= m->strings_bytes) {
        return corrupt("%s: record %" PRIu64 " names string %u, which starts nowhere or is out of order", row->name, k, at);
    }
    psy_status status = psy__strings_add(again, m->strings + at, strlen(m->strings + at), &now);
    return status == PSY_OK && now != at ? corrupt("strings: \"%.64s\" is there twice", m->strings + at) : status;
}

/* Every string is used, is there once, and lies in the order of first use: what encoding gives. So the same records have the
 * same bytes, and two names are equal exactly if their offsets are. */
static psy_status check_order(const psy__module *m, const section_view views[PSY_PSM_KIND_END])
{
    psy__strings again;
    psy_status status = psy__strings_init(&again);
    if (status != PSY_OK) {
        return status;
    }
    for (size_t i = 0; i < SECTIONS && status == PSY_OK; i++) {
        const section_view *v = &views[sections[i].kind];
        size_t places[2];
        for (uint64_t k = 0; sections[i].string_at != NAMELESS && k < v->count && status == PSY_OK; k++) {
            const unsigned count = strings_of(&sections[i], v->at, k, places);
            for (unsigned place = 0; place < count && status == PSY_OK; place++) {
                status = check_string(m, &sections[i], k, string_at(v->at, places[place]), &again);
            }
        }
    }
    if (status == PSY_OK && again.n != m->strings_bytes) {
        status = corrupt("strings: there are some that nothing uses");
    }
    psy__strings_fini(&again);
    return status;
}

psy_status psy__module_decode(const void *bytes, uint64_t n, psy__trust trust, psy__module *out)
{
    psy_psm_header header;
    section_view views[PSY_PSM_KIND_END] = {{0}};
    if (!bytes || (uintptr_t)bytes % 8 != 0) {
        return psy_fail(PSY_INVALID, "a module must lie at a multiple of 8");
    }
    psy_status status = read_header(bytes, n, &header);
    /* Those that are left out are somewhere too: pointers to none of their elements are computed. */
    for (size_t i = 0; i < PSY_PSM_KIND_END; i++) {
        views[i].at = bytes;
    }
    if (status == PSY_OK) {
        status = read_sections(bytes, n, header.section_count, views);
    }
    if (status != PSY_OK) {
        return status;
    }
    psy__module m;
    view_to(views, &m);
    status = check_strings(&m);
    status = status == PSY_OK ? check_order(&m, views) : status;
    if (status != PSY_OK) {
        return status;
    }
    if (trust != PSY_TRUST_NATIVE) {
        views[PSY_PSM_KERNELS] = views[PSY_PSM_KERNEL_CODE] = (section_view){bytes, 0};
        view_to(views, &m);
    }
    m.hash = header.hash;
    status = psy__records_check(&m);
    for (uint32_t i = 0; status == PSY_OK && i < m.program_count; i++) {
        status = psy__program_verify(&m, i);
    }
    status = status == PSY_OK ? psy__places_check(&m) : status;
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
