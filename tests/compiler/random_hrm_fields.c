/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded and optional fields: how values of their own kind are made of them, and how they become common ones. All are exact.
 */
#include <stdio.h>
#include <string.h>

#include "tests/compiler/random_hrm_parts.h"

static const value *any_bounded(random_hrm *p) { return &p->bounded[random_hrm_pick(p, p->bounded_count)]; }

/* Of the same length and type. */
static const value *bounded_partner(random_hrm *p, const value *a)
{
    unsigned from = random_hrm_pick(p, p->bounded_count);
    for (unsigned i = 0; i < p->bounded_count; i++) {
        const value *b = &p->bounded[(from + i) % p->bounded_count];
        if (b->length == a->length && b->dtype == a->dtype) {
            return b;
        }
    }
    return a;
}

static void let_bounded(random_hrm *p, const value *like, const char *text)
{
    if (p->bounded_count < RANDOM_HRM_BOUNDED_MAX) {
        value *v = &p->bounded[p->bounded_count++];
        *v = *like;
        snprintf(v->name, sizeof v->name, "_v%u", p->made++);
        random_hrm_add(p, "    let %s = %s\n", v->name, text);
    }
}

void random_hrm_bounded(random_hrm *p)
{
    const value *a = any_bounded(p), *b = bounded_partner(p, a), *n = random_hrm_find(p, INTEGER | EXACT);
    value r = *a;
    char text[128];
    switch (random_hrm_pick(p, 7)) {
    case 0:
        snprintf(text, sizeof text, "%s + %s", a->name, b->name);
        r.limit += b->limit;
        break;
    case 1:
        snprintf(text, sizeof text, "%s * 2 - 1", a->name);
        r.limit = 2 * r.limit + 1;
        break;
    case 2: snprintf(text, sizeof text, "if %s > %s { %s } else { -%s }", a->name, b->name, b->name, a->name); break;
    case 3: snprintf(text, sizeof text, random_hrm_pick(p, 2) ? "sort(%s)" : "sort(%s, descending: true)", a->name); break;
    case 4:
        snprintf(text, sizeof text, "cumsum(%s)", a->name);
        r.limit *= RANDOM_HRM_ROOM;
        break;
    case 5:
        if (!n || n->rank > 0) {
            return;
        }
        snprintf(text, sizeof text, "%s[..%s]", a->name, n->name);
        r.length = p->lengths++;
        break;
    default:
        snprintf(text, sizeof text, "%s[..length(%s)]", a->name, any_bounded(p)->name);
        r.length = p->lengths++;
        break;
    }
    if (r.limit * RANDOM_HRM_ROOM < 1 << EXACT_BITS) {
        let_bounded(p, &r, text);
    }
}

/* Common values. Over nothing some are infinite. */
void random_hrm_of_bounded(random_hrm *p)
{
    const value *a = any_bounded(p), *b = bounded_partner(p, a);
    value scalar = *a, infinite;
    scalar.rank = 0;
    infinite = scalar;
    infinite.limit = 1e30;
    infinite.whole = !is_float(a->dtype);
    value number = scalar, truth = scalar, whole = *a, sum = scalar;
    number.dtype = PSY_U64;
    truth.dtype = PSY_BOOL;
    whole.limit = a->limit > 7 ? a->limit : 7;
    sum.limit *= RANDOM_HRM_ROOM;
    switch (random_hrm_pick(p, 9)) {
    case 0: random_hrm_let(p, &sum, "sum(%s)", a->name); break;
    case 1: random_hrm_let(p, &infinite, random_hrm_pick(p, 2) ? "min(%s)" : "max(%s)", a->name); break;
    case 2: random_hrm_let(p, &number, random_hrm_pick(p, 2) ? "argmin(%s)" : "argmax(%s)", a->name); break;
    case 3:
        number.dtype = PSY_U32;
        random_hrm_let(p, &number, "length(%s)", a->name);
        break;
    case 4: random_hrm_let(p, &whole, "fill(%s, 7)", a->name); break;
    case 5:
        whole.dtype = PSY_U64;
        random_hrm_let(p, &whole, "fill(argsort(%s), 9)", a->name);
        break;
    case 6: random_hrm_let(p, &truth, random_hrm_pick(p, 2) ? "any(%s > 1)" : "all(%s < 2)", a->name); break;
    case 7:
        sum.limit *= b->limit;
        if (sum.limit < 1 << EXACT_BITS) {
            random_hrm_let(p, &sum, "dot(%s, %s)", a->name, b->name);
        }
        break;
    default:
        if (p->count + 2 <= RANDOM_HRM_VALUES_MAX) {
            value best = infinite, places = number;
            best.rank = places.rank = 1;
            best.dims[0] = places.dims[0] = 2;
            places.whole = true;
            snprintf(best.name, sizeof best.name, "_v%u", p->made++);
            snprintf(places.name, sizeof places.name, "_v%u", p->made++);
            random_hrm_add(p, "    let (%s, %s) = topk(%s, k: 2)\n", best.name, places.name, a->name);
            p->at[p->count++] = best;
            p->at[p->count++] = places;
        }
    }
}

void random_hrm_optional(random_hrm *p)
{
    unsigned which = random_hrm_pick(p, RANDOM_HRM_OPTIONAL_COUNT);
    const value *o = &p->inputs[RANDOM_HRM_OPTIONAL_FIRST + which], *other = &p->inputs[RANDOM_HRM_OPTIONAL_FIRST + 2 - which];
    value r = *o, both;
    if (random_hrm_pick(p, 3) == 0) {
        r.rank = 0;
        r.dtype = PSY_BOOL;
        random_hrm_let(p, &r, "has(%s)", o->name);
        return;
    }
    const value *b = random_hrm_find_partner(p, o, EXACT, &both);
    bool three = b && b->dtype != PSY_F16 && which != 1 && random_hrm_pick(p, 2);
    if (!b) {
        return;
    }
    r.dtype = b->dtype == o->dtype ? o->dtype : random_hrm_promoted(o->dtype);
    r.rank = both.rank;
    memcpy(r.dims, both.dims, sizeof r.dims);
    r.whole = b->whole;
    r.limit = b->limit > o->limit ? b->limit : o->limit;
    if (three) {
        random_hrm_let(p, &r, "%s ?? %s ?? %s", o->name, other->name, b->name);
    } else {
        random_hrm_let(p, &r, "%s ?? %s", o->name, b->name);
    }
}
