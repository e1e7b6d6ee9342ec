/* SPDX-License-Identifier: Apache-2.0 */
/* What changed, for people and for programs. */
#include "compat.h"
#include "json.h"

static const char *whole(bool old_readers, bool new_readers)
{
    return old_readers && new_readers ? "old and new readers survive"
           : old_readers              ? "old readers survive, new readers do not"
           : new_readers              ? "new readers survive, old readers do not"
                                      : "neither old nor new readers survive";
}

static const char *fate_text(psc_arena *arena, const psc_fate *fate)
{
    const char *word = fate->survives ? "survive" : "do not survive";
    return fate->why ? psc_format(arena, "%s: %s", word, fate->why) : word;
}

/* ---- text ---- */

static void print_change(psc_arena *arena, const psc_change *change, FILE *to, bool colour)
{
    const bool fine = change->old_readers.survives && change->new_readers.survives, gone = !change->now.source;
    const psc_paint paint = !colour ? PSC_PAINT_NONE : fine ? PSC_PAINT_NOTE : PSC_PAINT_WARNING;
    psc_said_print(gone ? change->old : change->now, "change", psc_change_rows[change->kind].name, change->text, paint, to);
    if (!gone && change->old.source) {
        psc_said_print(change->old, "note", NULL, "it was here", colour ? PSC_PAINT_NOTE : PSC_PAINT_NONE, to);
    }
    psc_help_print("old readers", fate_text(arena, &change->old_readers), paint, to);
    psc_help_print("new readers", fate_text(arena, &change->new_readers), paint, to);
}

static bool same_hash(const psc_compat_type *t) { return t->old->layout.layout_hash == t->now->layout.layout_hash; }

static void print_type(const psc_compat_type *t, FILE *to)
{
    const bool message = t->now->layout.kind == PSY_TYPE_MESSAGE;
    fprintf(to, "%s %s: %s", psc_type_word(t->now), t->now->full_name,
            t->changes.count == 0 ? "nothing changed in it" : whole(t->old_readers, t->new_readers));
    fprintf(to, "%s\n", !message || same_hash(t) ? "" : "; another layout hash, so channels want both ends of one version");
}

static bool is_quiet(const psc_compat_type *t)
{
    return t->changes.count == 0 && t->old_readers && t->new_readers && same_hash(t);
}

void psc_compat_print(psc_arena *arena, const psc_compat *c, FILE *to, bool colour)
{
    size_t count = c->changes.count;
    for (size_t i = 0; i < c->changes.count; i++) {
        print_change(arena, &c->changes.at[i], to, colour);
    }
    for (size_t k = 0; k < c->types.count; k++) {
        const psc_compat_type *t = c->types.at[k];
        count += t->changes.count;
        for (size_t i = 0; i < t->changes.count; i++) {
            print_change(arena, &t->changes.at[i], to, colour);
        }
    }
    for (size_t k = 0; k < c->types.count; k++) {
        if (!is_quiet(c->types.at[k])) {
            print_type(c->types.at[k], to);
        }
    }
    if (count == 0) {
        fputs("nothing changed for readers\n", to);
    } else {
        fprintf(to, "%zu change%s: %s\n", count, count == 1 ? "" : "s", whole(c->old_readers, c->new_readers));
    }
}

/* ---- JSON ---- */

static void put_fate(psc_json *j, const char *key, const psc_fate *fate)
{
    psc_json_open(j, key, '{');
    psc_json_flag(j, "survive", fate->survives);
    psc_json_text(j, "why", fate->why);
    psc_json_close(j, '}');
}

static void put_change(const psc_change *change, const psc_compat_type *type, FILE *to)
{
    psc_json j = {.to = to};
    const bool gone = !change->now.source;
    psc_json_open(&j, NULL, '{');
    psc_span_json(&j, gone ? change->old : change->now);
    psc_json_text(&j, "severity", "change");
    psc_json_text(&j, "code", psc_change_rows[change->kind].name);
    psc_json_text(&j, "type", type ? type->now->full_name : NULL);
    psc_json_text(&j, "message", change->text);
    psc_json_open(&j, "notes", '[');
    if (!gone && change->old.source) {
        psc_json_open(&j, NULL, '{');
        psc_span_json(&j, change->old);
        psc_json_text(&j, "message", "it was here");
        psc_json_close(&j, '}');
    }
    psc_json_close(&j, ']');
    put_fate(&j, "old_readers", &change->old_readers);
    put_fate(&j, "new_readers", &change->new_readers);
    psc_json_close(&j, '}');
    fputc('\n', to);
}

static void put_verdict(const char *type, bool same_layout, bool old_readers, bool new_readers, FILE *to)
{
    psc_json j = {.to = to};
    psc_json_open(&j, NULL, '{');
    psc_json_text(&j, "severity", "verdict");
    psc_json_text(&j, "type", type);
    psc_json_flag(&j, "old_readers", old_readers);
    psc_json_flag(&j, "new_readers", new_readers);
    if (type) {
        psc_json_flag(&j, "same_layout", same_layout);
    }
    psc_json_close(&j, '}');
    fputc('\n', to);
}

void psc_compat_json(const psc_compat *c, FILE *to)
{
    for (size_t i = 0; i < c->changes.count; i++) {
        put_change(&c->changes.at[i], NULL, to);
    }
    for (size_t k = 0; k < c->types.count; k++) {
        for (size_t i = 0; i < c->types.at[k]->changes.count; i++) {
            put_change(&c->types.at[k]->changes.at[i], c->types.at[k], to);
        }
    }
    for (size_t k = 0; k < c->types.count; k++) {
        const psc_compat_type *t = c->types.at[k];
        put_verdict(t->now->full_name, same_hash(t), t->old_readers, t->new_readers, to);
    }
    put_verdict(NULL, false, c->old_readers, c->new_readers, to);
}
