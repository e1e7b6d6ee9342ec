/* SPDX-License-Identifier: Apache-2.0 */
#include "isa/records.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/layout.h"
#include "isa/lexer.h"

enum { NAME_BYTES_MAX = 127 };

#define corrupt(...) psy_fail(PSY_CORRUPT, __VA_ARGS__)

/* An offset that starts a string. */
static bool is_string(const psy__module *m, uint32_t at)
{
    return at < m->strings_bytes && (at == 0 || m->strings[at - 1] == '\0');
}

/* Text of one line: strings hold no other control characters. */
static bool is_line(const psy__module *m, uint32_t at) { return is_string(m, at) && !strpbrk(m->strings + at, "\n\t"); }

static bool is_name(const psy__module *m, uint32_t at)
{
    size_t n = is_string(m, at) ? strnlen(m->strings + at, NAME_BYTES_MAX + 1) : 0;
    return n <= NAME_BYTES_MAX && psy__is_name(m->strings + at, n);
}

static bool is_dim(const psy__module *m, psy_dim d)
{
    return psy__dim_is_symbol(d) ? psy__dim_symbol(d) < m->symbol_count : d != PSY_NONE;
}

/* Offsets and hashes are made again and compared: a forged offset never leaves its message. */
static psy_status check_layout(const psy__module *m, const psy_psm_type *t, psy_psm_field *scratch)
{
    const psy_psm_field *fields = m->fields + t->first_field;
    psy_psm_type again = *t;
    for (uint32_t i = 0; i < t->field_count; i++) {
        scratch[i] = fields[i];
    }
    bool same = psy__layout(m->strings, m->types, (uint32_t)(t - m->types), &again, scratch) == PSY_OK &&
                memcmp(&again, t, sizeof again) == 0;
    for (uint32_t i = 0; i < t->field_count && same; i++) {
        same = memcmp(&scratch[i], &fields[i], sizeof *fields) == 0;
    }
    return same ? PSY_OK : corrupt("type %s: its layout is not what the rules give", m->strings + t->name);
}

/* The kind of type that field `f` of `t` stands in: the part or struct that it lies in, else the type itself. */
static unsigned holder(const psy__module *m, const psy_psm_type *t, const psy_psm_field *f)
{
    return f->parent == PSY_NONE                                            ? t->kind
           : m->fields[t->first_field + f->parent].kind == PSY_FIELD_STRUCT ? PSY_TYPE_STRUCT
                                                                            : PSY_TYPE_MESSAGE;
}

/* Whether default_bits are what the kind has. Those of parts are made again with the layout. What structs and unions hold has
 * none; of enums and flags it is the value that the name stands for. */
static bool default_fits(const psy__module *m, const psy_psm_field *f, unsigned stands_in)
{
    const uint64_t most = f->dtype == PSY_BOOL              ? 1
                          : psy__dtype_bytes(f->dtype) >= 8 ? UINT64_MAX
                                                            : (UINT64_C(1) << 8 * psy__dtype_bytes(f->dtype)) - 1;
    const bool one = f->kind == PSY_FIELD_SCALAR ||
                     (f->kind == PSY_FIELD_OPTIONAL && !(f->flags & (PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_TEXT)));
    if (f->kind == PSY_FIELD_PART || f->default_bits == 0) {
        return true;
    }
    if (stands_in == PSY_TYPE_STRUCT || stands_in == PSY_TYPE_UNION) {
        return false;
    }
    if (psy__field_is_text(f)) {
        return f->default_bits <= UINT32_MAX && is_string(m, (uint32_t)f->default_bits) &&
               strnlen(m->strings + f->default_bits, f->count + UINT64_C(1)) <= f->count;
    }
    return one && f->default_bits <= most;
}

/* One u64 of a message; where several messages make one, of a part of it. */
static bool key_fits(const psy__module *m, const psy_psm_type *t, const psy_psm_field *f)
{
    return f->dtype == PSY_U64 && f->kind == PSY_FIELD_SCALAR && f->type == PSY_NONE && t->kind == PSY_TYPE_MESSAGE &&
           holder(m, t, f) == PSY_TYPE_MESSAGE;
}

/* What lies in a part is called after it, and nothing else has a dot in its name. */
static bool name_fits(const psy__module *m, const psy_psm_type *t, uint32_t k)
{
    const psy_psm_field *f = &m->fields[t->first_field + k];
    const char *name = m->strings + f->name;
    if (f->parent == PSY_NONE) {
        return strchr(name, '.') == NULL;
    }
    const char *part = m->strings + m->fields[t->first_field + f->parent].name;
    size_t n = strlen(part);
    return strncmp(name, part, n) == 0 && name[n] == '.' && name[n + 1] != '\0' && strchr(name + n + 1, '.') == NULL;
}

static bool check_field(const psy__module *m, const psy_psm_type *t, uint32_t k)
{
    const psy_psm_field *f = &m->fields[t->first_field + k];
    if (!is_name(m, f->name) || (f->parent != PSY_NONE && f->parent >= k) || !name_fits(m, t, k)) {
        return false;
    }
    const unsigned stands_in = holder(m, t, f);
    return (f->flags & ~PSY_FIELD_FLAGS_ALL) == 0 && f->since != 0 &&
           f->since <= (stands_in == PSY_TYPE_STRUCT ? 1 : 65535) && /* structs never change */
           (k == 0 || f->parent != f[-1].parent || f->since >= f[-1].since) && default_fits(m, f, stands_in);
}

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
        if (!is_name(m, t->name) || t->first_field != next || t->field_count > m->field_count - next ||
            t->kind >= PSY_TYPE_KIND_END) {
            status = corrupt("type %u: its name or fields are out of range", i);
            break;
        }
        next += t->field_count;
        uint32_t keys = 0;
        for (uint32_t k = 0; status == PSY_OK && k < t->field_count; k++) {
            const psy_psm_field *f = &m->fields[t->first_field + k];
            if (!check_field(m, t, k)) {
                status = corrupt("type %s: field %u is malformed", m->strings + t->name, k);
            } else if ((f->flags & PSY_FIELD_KEY) && (keys++ || !key_fits(m, t, f))) {
                status = corrupt("type %s: its key is not one u64", m->strings + t->name);
            }
        }
        status = status == PSY_OK ? check_layout(m, t, scratch) : status;
    }
    free(scratch);
    return status == PSY_OK && next != m->field_count ? corrupt("fields that belong to no type") : status;
}

/* A number, or a size above number i. */
static bool comes_before(psy_dim d, uint32_t i) { return d != PSY_NONE && (!psy__dim_is_symbol(d) || psy__dim_symbol(d) < i); }

static psy_status check_sizes(const psy__module *m)
{
    uint32_t shards = 0, messages = 0;
    for (uint32_t i = 0; i < m->symbol_count; i++) {
        const psy_psm_symbol *s = &m->symbols[i];
        bool of = s->kind == PSY_SYMBOL_LOCAL         ? s->of < i && m->symbols[s->of].kind == PSY_SYMBOL_GLOBAL && s->with == 0
                  : psy__symbol_word(s->kind) != NULL ? comes_before(s->of, i) && comes_before(s->with, i)
                                                      : s->of == PSY_NONE && s->with == 0;
        if (!is_name(m, s->name) || s->kind >= PSY_SYMBOL_KIND_END || !of) {
            return corrupt("symbol %u is malformed", i);
        }
        shards += s->kind == PSY_SYMBOL_SHARDS;
        messages += s->kind == PSY_SYMBOL_MESSAGE;
    }
    if (messages > PSY_MESSAGE_SIZES_MAX) {
        return corrupt("more than %d sizes come from messages", PSY_MESSAGE_SIZES_MAX);
    }
    if (shards > 1) {
        return corrupt("two symbols count the shards");
    }
    for (uint32_t i = 0; i < m->check_count; i++) {
        const psy_psm_check *c = &m->checks[i];
        if (!is_dim(m, c->left) || !is_dim(m, c->right) || c->relation > PSY_CHECK_GE || !is_line(m, c->message)) {
            return corrupt("check %u is malformed", i);
        }
    }
    for (uint32_t i = 0; i < m->resident_count; i++) {
        const psy_psm_resident *r = &m->residents[i];
        bool ok = is_name(m, r->name) && psy__dtype_bytes(r->dtype) != 0 && r->rank >= 1 && r->rank <= PSY_RANK_MAX &&
                  r->placement <= PSY_PLACE_BY_KEY && r->reserved == 0 && r->reserved2 == 0;
        for (uint32_t d = 0; ok && d < PSY_RANK_MAX; d++) {
            ok = d < r->rank ? is_dim(m, r->dims[d]) : r->dims[d] == 0;
            ok = ok && !(psy__dim_is_symbol(r->dims[d]) && m->symbols[psy__dim_symbol(r->dims[d])].kind == PSY_SYMBOL_MESSAGE);
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

/* A message that programs can read and write: all of one size. */
static bool is_type(const psy__module *m, uint32_t type)
{
    return type < m->type_count && m->types[type].kind == PSY_TYPE_MESSAGE && !(m->types[type].flags & PSY_TYPE_TAILED);
}

static bool is_guard(const psy__module *m, const psy_psm_type *input, const psy_psm_guard *g)
{
    bool ok = g->field < input->field_count && m->fields[input->first_field + g->field].kind == PSY_FIELD_VARIANT &&
              psy__dtype_bytes(g->dtype) != 0 && g->rank <= PSY_RANK_MAX && g->reserved == 0;
    for (uint32_t d = 0; ok && d < PSY_RANK_MAX; d++) {
        uint32_t kind = d < g->rank && is_dim(m, g->dims[d]) && psy__dim_is_symbol(g->dims[d])
                            ? m->symbols[psy__dim_symbol(g->dims[d])].kind
                            : PSY_SYMBOL_GLOBAL;
        ok = d < g->rank ? is_dim(m, g->dims[d]) && (kind == PSY_SYMBOL_GLOBAL || kind == PSY_SYMBOL_MESSAGE) : g->dims[d] == 0;
    }
    return ok;
}

/* The guards of pipeline `p`, and that it stands where its alternatives say: `first` is the one that clients name, and `left`
 * how many of its alternatives there are from here on. */
static psy_status check_guards(const psy__module *m, const psy_psm_pipeline *p, const psy_psm_pipeline *first, uint32_t left,
                               uint64_t *guards)
{
    const psy_psm_type *in = &m->types[p->input_type];
    if (p->first_guard != *guards || p->guard_count > m->guard_count - *guards || p->reserved != 0) {
        return corrupt("pipeline %s: its guards are out of range", m->strings + p->name);
    }
    for (uint32_t i = 0; i < p->guard_count; i++) {
        if (!is_guard(m, in, &m->guards[p->first_guard + i])) {
            return corrupt("pipeline %s: guard %u is malformed", m->strings + p->name, i);
        }
    }
    *guards += p->guard_count;
    bool fits = p == first
                    ? p->alternatives >= 1 && p->alternatives <= m->pipeline_count - (uint32_t)(p - m->pipelines)
                    : p->alternatives == 0 && left > 0 && p->input_type == first->input_type &&
                          p->output_type == first->output_type && p->route == first->route && p->key_field == first->key_field;
    return fits ? PSY_OK : corrupt("pipeline %s: its alternatives do not fit", m->strings + p->name);
}

static psy_status check_pipelines(const psy__module *m)
{
    const psy_psm_pipeline *first = m->pipelines;
    uint32_t left = 0; /* alternatives of `first` that are still to come */
    uint64_t guards = 0;
    for (uint32_t i = 0; i < m->pipeline_count; i++) {
        const psy_psm_pipeline *p = &m->pipelines[i];
        bool all = p->route == PSY_ROUTE_ALL, key = p->route == PSY_ROUTE_KEY;
        if (!is_name(m, p->name) || !is_type(m, p->input_type) || !is_type(m, p->output_type) || p->route > PSY_ROUTE_ALL ||
            p->shard_program >= m->program_count ||
            (all ? p->merge_program >= m->program_count : p->merge_program != PSY_NONE) ||
            (all ? !is_type(m, p->partial_type) : p->partial_type != PSY_NONE)) {
            return corrupt("pipeline %u is malformed", i);
        }
        if (p->max_batch > PSY_BATCH_MAX || (p->engine != PSY_PREFER_NONE && !psy__prefer_word(p->engine)) ||
            p->reserved != 0) {
            return corrupt("pipeline %s: how it is run is malformed", m->strings + p->name);
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
        first = p->alternatives ? p : first;
        psy_status status = check_guards(m, p, first, left, &guards);
        if (status != PSY_OK) {
            return status;
        }
        if (p == first && left > 0) {
            return corrupt("pipeline %s: it stands where an alternative should", m->strings + p->name);
        }
        left = p == first ? p->alternatives - 1 : left - 1;
    }
    return left > 0 || guards != m->guard_count ? corrupt("alternatives or guards that belong to no pipeline") : PSY_OK;
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
        if (p->first_register != registers || p->register_count > m->register_count - registers ||
            p->register_count > PSY_REGISTERS_MAX || p->first_word != words || p->word_count > m->code_words - words ||
            p->word_count > PSY_CODE_WORDS_MAX || p->word_count % 2 != 0 || p->slot_count > p->register_count) {
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
        if (l->program >= m->program_count || l->word >= m->programs[l->program].word_count || !is_line(m, l->file) ||
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

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* No two of `count` records that lie `stride` bytes apart have one name; `scratch` has room for `count` words. */
static psy_status check_unique(const psy__module *m, const char *what, const void *records, uint32_t count, size_t stride,
                               uint32_t *scratch)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&scratch[i], (const uint8_t *)records + i * stride, sizeof *scratch);
    }
    qsort(scratch, count, sizeof *scratch, by_value);
    for (uint32_t i = 1; i < count; i++) {
        if (scratch[i] == scratch[i - 1]) {
            return corrupt("two %s are called %s", what, m->strings + scratch[i]);
        }
    }
    return PSY_OK;
}

static psy_status check_names(const psy__module *m)
{
    uint32_t *scratch = malloc((UINT64_C(1) << 16) * sizeof *scratch); /* the most fields that there are */
    if (!scratch) {
        return psy_fail(PSY_NO_MEMORY, "no memory to check a module");
    }
    psy_status status = check_unique(m, "types", m->types, m->type_count, sizeof *m->types, scratch);
    for (uint32_t i = 0; i < m->type_count && status == PSY_OK; i++) {
        status = check_unique(m, "fields of a type", m->fields + m->types[i].first_field, m->types[i].field_count,
                              sizeof *m->fields, scratch);
    }
    const struct {
        const char *what;
        const void *records;
        uint32_t count;
        size_t stride;
    } lists[] = {{"sizes", m->symbols, m->symbol_count, sizeof *m->symbols},
                 {"residents", m->residents, m->resident_count, sizeof *m->residents},
                 {"pipelines", m->pipelines, m->pipeline_count, sizeof *m->pipelines},
                 {"programs", m->programs, m->program_count, sizeof *m->programs}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && status == PSY_OK; i++) {
        status = check_unique(m, lists[i].what, lists[i].records, lists[i].count, lists[i].stride, scratch);
    }
    free(scratch);
    return status;
}

psy_status psy__records_check(const psy__module *m)
{
    psy_status (*const checks[])(const psy__module *) = {check_types,     check_sizes, check_programs,
                                                         check_pipelines, check_maps,  check_names};
    psy_status status = PSY_OK;
    for (size_t i = 0; status == PSY_OK && i < sizeof checks / sizeof checks[0]; i++) {
        status = checks[i](m);
    }
    return status;
}

psy_status psy__places_check(const psy__module *m)
{
    uint8_t *starts = calloc(1, m->code_words / 8 + 1);
    if (!starts) {
        return psy_fail(PSY_NO_MEMORY, "no memory to check a module");
    }
    for (uint32_t i = 0; i < m->program_count; i++) {
        const psy_psm_program *p = &m->programs[i];
        psy__instruction at;
        for (uint32_t word = 0; word < p->word_count; word = at.next) {
            psy__instruction_at(m, p, word, &at);
            starts[(p->first_word + word) / 8] |= (uint8_t)(1u << (p->first_word + word) % 8);
        }
    }
    psy_status status = PSY_OK;
    for (uint32_t i = 0; i < m->line_count && status == PSY_OK; i++) {
        uint32_t word = m->programs[m->lines[i].program].first_word + m->lines[i].word;
        status = starts[word / 8] >> word % 8 & 1 ? PSY_OK : corrupt("source line %u starts within an instruction", i);
    }
    for (uint32_t i = 0; i < m->kernel_count && status == PSY_OK; i++) {
        uint32_t word = m->programs[m->kernels[i].program].first_word + m->kernels[i].word;
        status = starts[word / 8] >> word % 8 & 1 ? PSY_OK : corrupt("kernel %u starts within an instruction", i);
    }
    free(starts);
    return status;
}
