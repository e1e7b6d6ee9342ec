/* SPDX-License-Identifier: Apache-2.0 */
#include "einsum.h"

#include <string.h>

#define ERROR(...) psc_error(r->l->unit->diags, __VA_ARGS__)

typedef struct reader {
    psc_lowering *l;
    const psc_source *source;
    uint32_t at, end; /* between the quotes */
} reader;

static psc_span span_of(const reader *r, uint32_t from, uint32_t to) { return (psc_span){r->source, from, to}; }

static void skip_blanks(reader *r)
{
    while (r->at < r->end && r->source->text[r->at] == ' ') {
        r->at++;
    }
}

static bool accept(reader *r, const char *sign)
{
    uint32_t n = (uint32_t)strlen(sign);
    skip_blanks(r);
    bool here = r->end - r->at >= n && memcmp(r->source->text + r->at, sign, n) == 0;
    r->at += here ? n : 0;
    return here;
}

/* -1: no letter. */
static int letter_at(const reader *r)
{
    char c = r->at < r->end ? r->source->text[r->at] : 0;
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= 'A' && c <= 'Z' ? c - 'A' + 26 : -1;
}

static char letter_of(unsigned label) { return (char)(label < 26 ? 'a' + label : 'A' + (label - 26)); }

/* Letters and one `...`, until something else comes. */
static bool take_part(reader *r, psc_einsum_part *p)
{
    skip_blanks(r);
    uint32_t from = r->at;
    for (;;) {
        skip_blanks(r);
        int letter = letter_at(r);
        psc_span place = span_of(r, r->at, r->at + 1);
        if (letter >= 0 && p->count == PSY_RANK_MAX) {
            ERROR(PSC_E_SHAPE, place, "a tensor has at most %d axes", PSY_RANK_MAX);
            return false;
        }
        if (letter >= 0) {
            p->places[p->count] = place;
            p->labels[p->count++] = (uint8_t)letter;
            r->at++;
        } else if (accept(r, "...")) {
            place.end += 2;
            if (p->dots) {
                psc_note(ERROR(PSC_E_ARGUMENTS, place, "`...` stands once for each operand"), p->dots_place,
                         "it is here already");
                return false;
            }
            p->dots = true;
            p->dots_at = p->count;
            p->dots_place = place;
        } else {
            break;
        }
        p->span = span_of(r, from, r->at);
    }
    if (!p->span.source) {
        p->span = span_of(r, from, from);
    }
    return true;
}

static bool unexpected(reader *r)
{
    skip_blanks(r);
    const char *text = r->source->text + r->at;
    uint32_t n = r->at < r->end ? psc_character(text, r->end - r->at) : 0;
    psc_diagnostic *d = ERROR(PSC_E_ARGUMENTS, span_of(r, r->at, r->at + (n ? n : r->at < r->end)),
                              "this does not belong into what einsum does");
    psc_help(d, "write a letter for each axis of each operand, `,` between operands, and the axes of the result behind `->`: "
                "`ij,jk->ik`");
    return false;
}

/* Without `->`: what stands once, in the order of the alphabet, behind `...`. */
static void make_result(psc_einsum_spec *s)
{
    unsigned times[PSC_EINSUM_LETTERS] = {0};
    for (unsigned i = 0; i < s->count; i++) {
        const psc_einsum_part *p = &s->operands[i];
        s->result.dots = s->result.dots || p->dots;
        for (unsigned k = 0; k < p->count; k++) {
            times[p->labels[k]]++;
        }
    }
    /* Capital letters come first, as in ASCII. */
    for (unsigned k = 0; k < PSC_EINSUM_LETTERS; k++) {
        unsigned label = (k + 26) % PSC_EINSUM_LETTERS;
        if (times[label] == 1 && s->result.count < PSY_RANK_MAX) {
            s->result.labels[s->result.count++] = (uint8_t)label;
        }
    }
}

static bool check_result(reader *r, const psc_einsum_spec *s)
{
    uint64_t known = 0, seen = 0;
    const psc_einsum_part *dots = NULL;
    for (unsigned i = 0; i < s->count; i++) {
        const psc_einsum_part *p = &s->operands[i];
        dots = p->dots ? p : dots;
        for (unsigned k = 0; k < p->count; k++) {
            known |= UINT64_C(1) << p->labels[k];
        }
    }
    for (unsigned k = 0; k < s->result.count; k++) {
        unsigned label = s->result.labels[k];
        if (!(known >> label & 1)) {
            ERROR(PSC_E_ARGUMENTS, s->result.places[k], "no operand has an axis `%c`", letter_of(label));
            return false;
        }
        if (seen >> label & 1) {
            psc_help(ERROR(PSC_E_ARGUMENTS, s->result.places[k], "`%c` stands twice in the result", letter_of(label)),
                     "the result has each axis once");
            return false;
        }
        seen |= UINT64_C(1) << label;
    }
    if (s->result.dots && !dots) {
        ERROR(PSC_E_ARGUMENTS, s->result.dots_place, "no operand has `...`");
        return false;
    }
    if (dots && !s->result.dots) {
        psc_diagnostic *d = ERROR(PSC_E_ARGUMENTS, s->result.span, "the result has no `...`, and an operand has");
        psc_note(d, dots->dots_place, "it is here");
        return false;
    }
    return true;
}

bool psc_einsum_parse(psc_lowering *l, const hrm_expr *text, psc_einsum_spec *out)
{
    reader reading = {l, text->span.source, text->span.begin + 1, text->span.end - 1}, *r = &reading;
    *out = (psc_einsum_spec){.count = 0};
    do {
        if (out->count == PSC_EINSUM_OPERANDS_MAX) {
            ERROR(PSC_E_ARGUMENTS, span_of(r, r->at, r->end), "`einsum` takes at most %d operands", PSC_EINSUM_OPERANDS_MAX);
            return false;
        }
        if (!take_part(r, &out->operands[out->count++])) {
            return false;
        }
    } while (accept(r, ","));
    bool arrow = accept(r, "->");
    if (arrow && !take_part(r, &out->result)) {
        return false;
    }
    skip_blanks(r);
    if (r->at < r->end) {
        return unexpected(r);
    }
    if (!arrow) {
        make_result(out);
        return true;
    }
    return check_result(r, out);
}
