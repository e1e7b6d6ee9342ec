/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a program, slots and code, and of the module. */
#include "isa/layout.h"
#include "isa/verify.h"
#include "tests/engine/build.h"
#include "tests/test.h"

static void write_code(build *b, psy_psm_program *p)
{
    for (uint32_t i = 0; i < b->op_count; i++) {
        const build_op *o = &b->ops[i];
        uint32_t words = 2 + ((o->operand_count + 1) & ~1u);
        cr_assert(words <= BUILD_WORDS - b->code_words, "too much code");
        uint32_t *w = b->code + b->code_words;
        memset(w, 0, words * sizeof *w);
        w[0] = (uint32_t)o->op | o->dtype << 8 | o->operand_count << 24;
        w[1] = o->dst == PSY_NONE ? PSY_NO_REG : o->dst;
        memcpy(w + 2, o->operands, o->operand_count * sizeof *w);
        b->code_words += words;
    }
    p->word_count = b->code_words - p->first_word;
}

typedef struct life {
    uint32_t first, last;
    bool slotted;
} life;

/* A region is one instant; a uniform register that something batched reads lives for good; who reads a view reads what it is
 * of. */
static void measure(const build *b, const bool *batched, life *lives)
{
    uint32_t now = 0, roots[BUILD_REGISTERS];
    unsigned in_region[BUILD_REGISTERS] = {0};
    for (uint32_t i = 0; i < b->op_count; i++) {
        const build_op *o = &b->ops[i];
        const psy_op_info *info = psy__op_info(o->op);
        const char *colon = strchr(info->signature, ':');
        bool names = info->class_ == PSY_CLASS_VIEW || info->class_ == PSY_CLASS_LOOKUP || info->class_ == PSY_CLASS_SHAPE;
        now += o->op == PSY_OP_REGION || o->region == 0 || o->region != b->ops[i - 1].region;
        for (uint32_t r = 0; r < (uint32_t)(colon - info->signature); r++) {
            lives[o->dst + r] = (life){now, now, !names && o->region == 0};
            roots[o->dst + r] = info->class_ == PSY_CLASS_SHAPE ? roots[o->operands[0]] : o->dst + r;
            in_region[o->dst + r] = o->region;
        }
        for (uint32_t k = 0; k < o->operand_count; k++) {
            if (!psy__op_reads_register(info, k) || o->operands[k] == PSY_NONE) {
                continue;
            }
            uint32_t r = roots[o->operands[k]];
            bool reader_batched = o->dst == PSY_NONE || batched[o->dst];
            lives[r].last = !batched[r] && reader_batched ? UINT32_MAX : lives[r].last > now ? lives[r].last : now;
            lives[r].slotted = lives[r].slotted || (in_region[r] != 0 && in_region[r] != o->region);
        }
    }
}

static void plan(build *b, psy_psm_program *p)
{
    static life lives[BUILD_REGISTERS];
    static bool batched[BUILD_REGISTERS], slot_batched[BUILD_REGISTERS];
    static uint32_t slot_last[BUILD_REGISTERS];
    psy__module m = {.programs = b->programs, .registers = b->registers, .code = b->code};
    psy__program_batched(&m, p, batched);
    memset(lives, 0, sizeof lives);
    measure(b, batched, lives);
    for (uint32_t r = 0; r < p->register_count; r++) {
        if (!lives[r].slotted) {
            continue;
        }
        uint32_t s = b->tight ? 0 : p->slot_count;
        while (s < p->slot_count && (slot_batched[s] != batched[r] || slot_last[s] >= lives[r].first)) {
            s++;
        }
        p->slot_count += s == p->slot_count;
        slot_batched[s] = batched[r];
        slot_last[s] = lives[r].last;
        b->registers[p->first_register + r].slot = (uint16_t)s;
    }
}

void build_end(build *b)
{
    psy_psm_program *p = build_open_program(b);
    cr_assert(b->open_region == PSY_NONE, "a region is open");
    write_code(b, p);
    plan(b, p);
    b->op_count = b->regions = 0;
}

void build_finish(build *b)
{
    uint32_t field_count = 0;
    for (uint32_t i = 0; i < b->type_count; i++) {
        psy_psm_type *t = &b->types[i];
        t->first_field = field_count;
        psy_status status = psy__layout(b->strings, NULL, 0, t, b->fields[i]);
        cr_assert(status == PSY_OK, "layout: %s", psy_detail());
        memcpy(b->flat + field_count, b->fields[i], t->field_count * sizeof *b->flat);
        field_count += t->field_count;
    }
    psy__module m = {.strings = b->strings,
                     .strings_bytes = b->strings_bytes,
                     .types = b->types,
                     .fields = b->flat,
                     .symbols = b->symbols,
                     .checks = b->checks,
                     .residents = b->residents,
                     .pipelines = b->pipelines,
                     .programs = b->programs,
                     .registers = b->registers,
                     .code = b->code,
                     .consts = b->consts,
                     .type_count = b->type_count,
                     .field_count = field_count,
                     .symbol_count = b->symbol_count,
                     .check_count = b->check_count,
                     .resident_count = b->resident_count,
                     .pipeline_count = b->pipeline_count,
                     .program_count = b->program_count,
                     .register_count = b->register_count,
                     .code_words = b->code_words,
                     .consts_bytes = b->consts_bytes};
    psy_status status = psy__module_encode(&m, &b->bytes, &b->byte_count);
    cr_assert(status == PSY_OK, "encode: %s", psy_detail());
    status = psy__module_decode(b->bytes, b->byte_count, PSY_TRUST_BYTECODE, &b->module);
    cr_assert(status == PSY_OK, "decode: %s", psy_detail());
}
