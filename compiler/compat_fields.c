/* SPDX-License-Identifier: Apache-2.0 */
/* What changed in the fields of a message. */
#include <string.h>

#include "compat_state.h"
#include "isa/layout.h"

#define TEXT(...) psc_format(c->arena, __VA_ARGS__)

/* ---- fields ---- */

static bool is_retired(const psc_field *f) { return (f->layout.flags & PSY_FIELD_RETIRED) != 0; }

/* Whether a field that both have lies elsewhere, behind `after` in the new message (NULL: anywhere). */
static bool moves(const psc_comparison *c, const psc_field *after)
{
    for (uint32_t i = after ? (uint32_t)(after - c->now->fields) : 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i], *old = psc_field_is_own(f) ? psc_old_of(c, f) : NULL;
        if (old && !psc_reads_same_place(f, old)) {
            return true;
        }
    }
    return false;
}

static psc_fate unless(bool bad, const char *why, psc_fate fate) { return bad ? (psc_fate){false, why} : fate; }

static void refuse_again(psc_comparison *c, const psc_field *old, const psc_field *now)
{
    const bool name = strcmp(old->name, now->name) == 0;
    const char *text = name ? TEXT("`%s` is retired, and is there again as something else", old->name)
                            : TEXT("`%s` lies where `%s` does, which is retired", now->name, old->name);
    psc_diagnostic *d = psc_error(c->diags, PSC_E_RETIRED, now->span, "%s", text);
    psc_note(d, old->span, "it was retired here");
    psc_help(d, "leave `%s` as it is, and add a field at the end", old->name);
    psc_compat_add(c, PSC_CHANGE_FIELD_RETIRED_AGAIN, old->span, now->span, psc_perishes, psc_perishes, text);
}

/* A retired field that is gone: whether others lie there now. */
static bool reports_place_again(psc_comparison *c, const psc_field *old)
{
    for (uint32_t i = 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i];
        if (psc_field_is_own(f) && psc_reads_overlap(old, f)) {
            refuse_again(c, old, f);
            return true;
        }
    }
    return false;
}

/* Whether a retired field that is gone lay here: that is what is said then. */
static bool lies_on_retired(const psc_comparison *c, const psc_field *f)
{
    for (uint32_t i = 0; i < c->old->field_count; i++) {
        const psc_field *old = &c->old->fields[i];
        if (psc_field_is_own(old) && is_retired(old) && psc_reads_overlap(old, f) && !psc_now_of(c, old)) {
            return true;
        }
    }
    return false;
}

static void report_added(psc_comparison *c, const psc_field *f)
{
    if (lies_on_retired(c, f)) {
        return;
    }
    bool last = true;
    for (uint32_t i = (uint32_t)(f - c->now->fields); i < c->now->field_count && last; i++) {
        last = !psc_field_is_own(&c->now->fields[i]) || !psc_old_of(c, &c->now->fields[i]);
    }
    const bool newer = f->layout.since > c->old->layout.version, moved = !last && moves(c, f);
    const char *why = "what comes after lies elsewhere";
    const psc_fate sees_it = psc_new_reads(c, f), unseen = {true, "they do not see it"};
    if (!last) {
        psc_compat_add(c, PSC_CHANGE_FIELD_ADDED_BETWEEN, psc_nowhere, f->span, unless(moved, why, unseen),
                       unless(moved, why, sees_it), TEXT("`%s` was added before others", f->name));
    } else if (newer) {
        psc_compat_add(c, PSC_CHANGE_FIELD_ADDED, psc_nowhere, f->span, unseen, sees_it,
                       TEXT("`%s` was added at the end, in version %u", f->name, f->layout.since));
    } else {
        const psc_fate old_header = psc_reads_header(c->reads, c->old, c->now, false),
                       new_header = psc_reads_header(c->reads, c->now, c->old, false);
        psc_compat_add(c, PSC_CHANGE_FIELD_ADDED_UNVERSIONED, psc_nowhere, f->span, old_header.survives ? unseen : old_header,
                       new_header.survives ? sees_it : new_header,
                       TEXT("`%s` was added without a version of its own: both have version %u", f->name, f->layout.since));
    }
}

static void report_removed(psc_comparison *c, const psc_field *old)
{
    if (is_retired(old) && reports_place_again(c, old)) {
        return;
    }
    const bool moved = moves(c, NULL);
    const char *why = "what comes after lies elsewhere";
    psc_compat_add(c, PSC_CHANGE_FIELD_REMOVED, old->span, c->now->span, unless(moved, why, psc_old_reads(c, old)),
                   unless(moved, why, (psc_fate){true, "they do not look for it"}), TEXT("`%s` is no longer there", old->name));
}

/* The word for a change of type, where the words differ. */
static psc_change_kind kind_of_change(const psc_field *old, const psc_field *now, bool same_numbers)
{
    const psy_psm_field *a = &old->layout, *b = &now->layout;
    const unsigned shape = PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_OPEN;
    if ((a->kind == PSY_FIELD_OPTIONAL) != (b->kind == PSY_FIELD_OPTIONAL) || ((a->flags ^ b->flags) & PSY_FIELD_MAYBE)) {
        return PSC_CHANGE_FIELD_OPTIONAL;
    }
    if (a->kind != b->kind || a->dtype != b->dtype || ((a->flags ^ b->flags) & shape)) {
        return PSC_CHANGE_FIELD_TYPE;
    }
    const bool bound = a->kind == PSY_FIELD_BOUNDED || a->kind == PSY_FIELD_VARIANT || (a->flags & PSY_FIELD_TEXT);
    if (!old->part && a->kind != PSY_FIELD_UNION &&
        (a->count != b->count || (psy__field_is_texts(a) && a->inner != b->inner))) {
        return bound ? PSC_CHANGE_FIELD_BOUND : PSC_CHANGE_FIELD_COUNT;
    }
    return same_numbers ? PSC_CHANGE_FIELD_TYPE_NAME : PSC_CHANGE_FIELD_TYPE;
}

static const psc_message *type_of(const psc_field *f) { return f->part ? f->part : f->type; }

static bool same_words(const psc_comparison *c, const psc_field *a, const psc_field *b)
{
    return strcmp(psc_field_type_text(c->arena, a), psc_field_type_text(c->arena, b)) == 0;
}

/* ---- members of unions ---- */

/* The own field of that number; NULL: there are fewer. */
static const psc_field *member_at(const psc_message *m, uint32_t number)
{
    for (uint32_t i = 0; i < m->field_count; i++) {
        if (psc_field_is_own(&m->fields[i]) && number-- == 0) {
            return &m->fields[i];
        }
    }
    return NULL;
}

static bool is_newer(const psc_message *reader, const psc_message *writer)
{
    return writer->layout.version > reader->layout.version;
}

/* Of a member that readers do not know, in what the others write. */
static psc_fate unknown_member(const psc_message *reader, const psc_message *writer)
{
    return is_newer(reader, writer) ? (psc_fate){true, "they find nothing where it is"}
                                    : (psc_fate){false, "messages that have it are refused"};
}

/* Of the member `f`, which is number `i` of `now`. */
static void compare_member(psc_comparison *c, const psc_message *old, const psc_message *now, const psc_field *f, uint32_t i)
{
    const psc_field *was = psc_field_named(old, f->name), *there = member_at(old, i);
    if (was ? was != there : there && psc_field_named(now, there->name)) {
        psc_compat_add(c, PSC_CHANGE_MEMBER_MOVED, was ? was->span : psc_nowhere, f->span, psc_perishes, psc_perishes,
                       TEXT("member `%s` is number %u now", f->name, i + 1));
    } else if (!there) {
        psc_compat_add(c, PSC_CHANGE_MEMBER_ADDED, psc_nowhere, f->span, unknown_member(c->old, c->now), psc_survives,
                       TEXT("member `%s` is new", f->name));
    } else {
        const bool same = psc_reads_same_place(f, there);
        const psc_fate old_fate = same ? psc_reads_value(c->reads, there, f, is_newer(c->old, c->now)) : psc_perishes,
                       new_fate = same ? psc_reads_value(c->reads, f, there, is_newer(c->now, c->old)) : psc_perishes;
        if (!old_fate.survives || !new_fate.survives) {
            psc_compat_add(c, PSC_CHANGE_MEMBER_CHANGED, there->span, f->span, old_fate, new_fate,
                           TEXT("member `%s` is `%s` now, and was `%s`", f->name, psc_field_type_text(c->arena, f),
                                psc_field_type_text(c->arena, there)));
        }
        if (!was) {
            psc_compat_add(c, PSC_CHANGE_MEMBER_RENAMED, there->span, f->span, psc_survives, psc_survives,
                           TEXT("member `%s` was `%s`", f->name, there->name));
        }
    }
}

static void compare_members(psc_comparison *c, const psc_message *old, const psc_message *now)
{
    const psc_field *f;
    for (uint32_t i = 0; (f = member_at(now, i)) != NULL; i++) {
        compare_member(c, old, now, f, i);
    }
    for (uint32_t i = 0; (f = member_at(old, i)) != NULL; i++) {
        const psc_field *there = member_at(now, i);
        if (psc_field_named(now, f->name) || (there && !psc_field_named(old, there->name))) {
            continue; /* it moved, or has another name */
        }
        if (there) {
            psc_compat_add(c, PSC_CHANGE_MEMBER_MOVED, f->span, now->span, psc_perishes, psc_perishes,
                           TEXT("member `%s` is no longer there, before others", f->name));
        } else {
            psc_compat_add(c, PSC_CHANGE_MEMBER_REMOVED, f->span, now->span, psc_survives, unknown_member(c->now, c->old),
                           TEXT("member `%s` is no longer there", f->name));
        }
    }
}

/* ---- types, defaults and attributes of fields ---- */

static void compare_types(psc_comparison *c, const psc_field *old, const psc_field *now)
{
    const char *was = psc_field_type_text(c->arena, old), *is = psc_field_type_text(c->arena, now);
    const bool inside = type_of(old) && type_of(now), renamed = strcmp(was, is) != 0;
    if (is_retired(now) || (!renamed && !inside)) {
        return;
    }
    if (!renamed && now->layout.kind == PSY_FIELD_UNION) {
        compare_members(c, old->type, now->type);
        return;
    }
    const psc_fate old_value = psc_reads_value(c->reads, old, now, is_newer(c->old, c->now)),
                   new_value = psc_reads_value(c->reads, now, old, is_newer(c->now, c->old));
    if (!renamed) {
        if (!old_value.survives || !new_value.survives) {
            psc_compat_add(c, PSC_CHANGE_FIELD_INSIDE, old->span, now->span, old_value, new_value,
                           TEXT("what is in `%s`, `%s`, changed", now->name, is));
        }
        return;
    }
    const psc_change_kind kind = kind_of_change(old, now, old_value.survives && new_value.survives);
    const bool named = kind == PSC_CHANGE_FIELD_TYPE_NAME;
    psc_compat_add(c, kind, old->span, now->span, named ? psc_survives : psc_old_reads(c, old),
                   named ? psc_survives : psc_new_reads(c, now), TEXT("`%s` is `%s` now, and was `%s`", now->name, is, was));
}

static void compare_defaults(psc_comparison *c, const psc_field *old, const psc_field *now)
{
    const psy_psm_field *a = &old->layout, *b = &now->layout;
    const bool number = a->kind == b->kind && a->dtype == b->dtype &&
                        (a->kind == PSY_FIELD_SCALAR || (a->kind == PSY_FIELD_OPTIONAL && !(a->flags & PSY_FIELD_TEXT)));
    const bool text =
        (a->flags & b->flags & PSY_FIELD_TEXT) &&
        (old->text_bytes != now->text_bytes || (old->text_bytes > 0 && memcmp(old->text, now->text, old->text_bytes) != 0));
    if ((number && a->default_bits != b->default_bits) || text) {
        const bool optional = a->kind == PSY_FIELD_OPTIONAL;
        const char *own =
            optional || now->layout.since > 1 ? "where it is missing they have their own default" : "messages have it always";
        psc_compat_add(c, PSC_CHANGE_FIELD_DEFAULT, old->span, now->span, (psc_fate){true, own}, (psc_fate){true, own},
                       TEXT("`%s` has another default", now->name));
    }
}

static void compare_attributes(psc_comparison *c, const psc_field *old, const psc_field *now)
{
    if (strcmp(old->name, now->name) != 0) {
        psc_compat_add(c, PSC_CHANGE_FIELD_RENAMED, old->span, now->span, psc_survives, psc_survives,
                       TEXT("`%s` was `%s`: in C and in JSON it has another name", now->name, old->name));
    }
    if (old->layout.since != now->layout.since) {
        psc_compat_add(c, PSC_CHANGE_FIELD_SINCE, old->span, now->span, psc_old_reads(c, old), psc_new_reads(c, now),
                       TEXT("`%s` is of version %u now, and was of %u", now->name, now->layout.since, old->layout.since));
    }
    if (is_retired(now) != is_retired(old)) {
        psc_compat_add(c, is_retired(now) ? PSC_CHANGE_FIELD_RETIRED : PSC_CHANGE_FIELD_UNRETIRED, old->span, now->span,
                       is_retired(now) ? psc_old_reads(c, old) : psc_survives, psc_survives,
                       TEXT("`%s` is %sretired", now->name, is_retired(now) ? "" : "no longer "));
    }
    if ((old->deprecated != NULL) != (now->deprecated != NULL)) {
        psc_compat_add(c, PSC_CHANGE_FIELD_DEPRECATED, old->span, now->span, psc_survives, psc_survives,
                       TEXT("`%s` is %sdeprecated", now->name, now->deprecated ? "" : "no longer "));
    }
    if (psy__field_align(&old->layout) != psy__field_align(&now->layout)) {
        psc_compat_add(c, PSC_CHANGE_FIELD_ALIGN, old->span, now->span, psc_old_reads(c, old), psc_new_reads(c, now),
                       TEXT("`%s` is aligned to %u now, and was to %u", now->name, psy__field_align(&now->layout),
                            psy__field_align(&old->layout)));
    }
}

/* Whether the retired field is there again as another one. */
static bool is_retired_again(const psc_comparison *c, const psc_field *old, const psc_field *now)
{
    return is_retired(old) && !is_retired(now) &&
           !(strcmp(old->name, now->name) == 0 && psc_reads_same_place(old, now) && same_words(c, old, now));
}

static bool reports_name_again(psc_comparison *c, const psc_field *old, const psc_field *now)
{
    if (!is_retired_again(c, old, now)) {
        return false;
    }
    refuse_again(c, old, now);
    return true;
}

/* Fields that both have and that lie elsewhere, because they are in another order or because of others. One change says it of
 * all; one whose type changed has said so. */
static void report_moved(psc_comparison *c)
{
    const psc_field *first = NULL, *swapped = NULL, *newest = NULL, *before = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i], *old = psc_field_is_own(f) ? psc_old_of(c, f) : NULL;
        if (!old || is_retired_again(c, old, f)) {
            continue;
        }
        if (!swapped && newest && old < newest) {
            swapped = f;
            before = psc_now_of(c, newest);
        }
        newest = !newest || old > newest ? old : newest;
        if (!psc_reads_same_place(f, old) && same_words(c, old, f)) {
            first = first ? first : f;
            count++;
        }
    }
    if (!first) {
        return;
    }
    const psc_field *f = swapped ? swapped : first, *old = psc_old_of(c, f);
    const psc_fate elsewhere = {false, "something else is taken for it"};
    const char *others = count < 2 ? "" : TEXT(", and %u other field%s elsewhere", count - 1, count == 2 ? "" : "s");
    psc_compat_add(c, swapped ? PSC_CHANGE_FIELD_REORDERED : PSC_CHANGE_FIELD_MOVED, old->span, f->span, elsewhere, elsewhere,
                   swapped
                       ? TEXT("`%s` comes behind `%s` now, and came before it", f->name, before->name)
                       : TEXT("`%s` lies at %u now, and was at %u%s", f->name, f->layout.offset, old->layout.offset, others));
}

static void report_key(psc_comparison *c)
{
    const psc_field *keys[2] = {NULL, NULL};
    const psc_message *const messages[2] = {c->old, c->now};
    for (unsigned side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < messages[side]->field_count; i++) {
            keys[side] = messages[side]->fields[i].layout.flags & PSY_FIELD_KEY ? &messages[side]->fields[i] : keys[side];
        }
    }
    const psc_field *old = keys[0], *now = keys[1];
    if ((old || now) && !(old && now && psc_now_of(c, old) == now)) {
        const psc_fate routed = {true, "messages go to other shards"};
        psc_compat_add(c, PSC_CHANGE_FIELD_KEY, old ? old->span : psc_nowhere, now ? now->span : c->now->span, routed, routed,
                       now ? TEXT("`%s` is the key now", now->name) : TEXT("`%s` is no longer the key", old->name));
    }
}

void psc_compat_messages(psc_comparison *c)
{
    const psc_fate old_header = psc_reads_header(c->reads, c->old, c->now, false),
                   new_header = psc_reads_header(c->reads, c->now, c->old, false);
    for (uint32_t i = 0; i < c->now->field_count; i++) {
        const psc_field *f = &c->now->fields[i], *old = psc_field_is_own(f) ? psc_old_of(c, f) : NULL;
        if (!psc_field_is_own(f)) {
            continue;
        }
        if (!old) {
            report_added(c, f);
        } else if (!reports_name_again(c, old, f)) {
            compare_types(c, old, f);
            compare_defaults(c, old, f);
            compare_attributes(c, old, f);
        }
    }
    for (uint32_t i = 0; i < c->old->field_count; i++) {
        const psc_field *old = &c->old->fields[i];
        if (psc_field_is_own(old) && !psc_now_of(c, old)) {
            report_removed(c, old);
        }
    }
    report_moved(c);
    report_key(c);
    if (!old_header.survives || !new_header.survives) {
        psc_compat_add(c, PSC_CHANGE_SIZE, c->old->span, c->now->span, old_header, new_header,
                       TEXT("messages have %u bytes and version %u now, and had %u and %u", c->now->layout.bytes,
                            c->now->layout.version, c->old->layout.bytes, c->old->layout.version));
    }
}
