/* SPDX-License-Identifier: Apache-2.0 */
/* Every message type that there is, through what psynec wrote to fuzz it: random messages, cut off and changed. The header and
 * the library agree on all of them, and what is verified is read, printed and parsed to the same. PSYNE_TEST_SEED and
 * PSYNE_TEST_RANDOM say which and how many messages of each type. */
#include <psyne/json.h>

#include "random_types.h"
#include "tests/fuzz/messages.h"
#include "tests/test.h"

static random_types types;

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static _Alignas(64) unsigned char room[1 << 20], changed[1 << 20];

/* One that its own JSON gives; its size. Both go through the target. */
static size_t random_message(const message_target *t)
{
    char *text = NULL;
    size_t n = 0, size = 0;
    FILE *to = open_memstream(&text, &n);
    random_message_write(&types, t->type->index, to);
    fclose(to);
    cr_assert_eq(psy_message_parse(t->type, text, n, room, sizeof room, &size), PSY_OK, "%s: %s: %.2000s", t->type->name,
                 psy_detail(), text);
    cr_assert_eq(psy_message_verify(t->type, room, size), PSY_OK, "%s: %s", t->type->name, psy_detail());
    message_target_run(t, (const unsigned char *)text, n);
    message_target_run(t, room, size);
    free(text);
    return size;
}

static void put_number(unsigned char *bytes, size_t n, uint32_t at, uint32_t number)
{
    if (at < n && n - at >= sizeof number) {
        memcpy(bytes + at, &number, sizeof number);
    }
}

/* Where a field says how much of it there is: just what there is room for, or a little more or less. */
static void change_count(const psy_psm_field *f, unsigned char *bytes, size_t n)
{
    const uint32_t more = random_below(&types, 3) - 1;
    if (f->inner_offset != PSY_NONE && random_below(&types, 2)) {
        const bool one = f->kind == PSY_FIELD_OPTIONAL;
        put_number(bytes, n, f->inner_offset + (one ? 0 : 4 * random_below(&types, f->count)),
                   (one ? f->count : f->inner) + more);
    } else if (f->kind == PSY_FIELD_BOUNDED) {
        put_number(bytes, n, f->count_offset, f->count + more);
    } else if (f->kind == PSY_FIELD_TAIL) {
        put_number(bytes, n, f->offset + 4 * random_below(&types, 2), (uint32_t)n + 4 * more);
    } else if (f->count_offset < n) {
        bytes[f->count_offset] = (unsigned char)random_below(&types, 20);
    } else {
        bytes[f->offset % n] = (unsigned char)random_below(&types, 3);
    }
}

/* Anywhere, in the fixed part, in a field, or in what says how much there is of it. */
static void change_once(const psy_type *type, unsigned char *bytes, size_t n)
{
    const psy_psm_type *t = psy_reflect_type(type);
    const uint32_t where = random_below(&types, t->field_count > 0 ? 4 : 2);
    const psy_psm_field *f = where < 2 ? NULL : psy_reflect_field(type, random_below(&types, t->field_count));
    if (where == 3) {
        change_count(f, bytes, n);
        return;
    }
    const uint32_t at = where == 0   ? random_below(&types, (uint32_t)n)
                        : where == 1 ? random_below(&types, t->bytes)
                                     : (f->offset + random_below(&types, 8)) % (uint32_t)n;
    bytes[at] = (unsigned char)(random_below(&types, 2) ? 1u << random_below(&types, 8) ^ bytes[at] : random_below(&types, 4));
}

static void change(const psy_type *type, unsigned char *bytes, size_t n)
{
    for (unsigned k = random_below(&types, 3) + 1; k > 0; k--) {
        change_once(type, bytes, n);
    }
}

Test(generated_messages, agree_with_the_library)
{
    const uint64_t seed = setting("PSYNE_TEST_SEED", 1), count = setting("PSYNE_TEST_RANDOM", 12);
    unsigned tested = 0, taken = 0, refused = 0;
    message_target t;
    for (size_t i = 0; message_target_at(i, &t); i++) {
        for (uint64_t k = 0; k < count; k++) {
            random_types_take(&types, t.type->reflection, seed * 1000 + i * 100 + k);
            const size_t n = random_message(&t);
            for (unsigned round = 0; round < 256; round++) {
                const size_t left = n - (round % 16 == 0 ? random_below(&types, (uint32_t)n) : 0);
                memcpy(changed, room, n);
                change(t.type, changed, n);
                message_target_run(&t, changed, left);
                *(psy_message_verify(t.type, changed, left) == PSY_OK ? &taken : &refused) += 1;
            }
        }
        tested++;
    }
    /* Neither is rare. */
    cr_assert(tested > 40 && taken + refused == tested * count * 256 && taken > refused / 4 && refused > taken / 4,
              "%u types, %u taken, %u refused", tested, taken, refused);
}

/* All that schemas/ has is here, and every kind of field. */
Test(generated_messages, have_every_kind)
{
    unsigned kinds = 0, flags = 0, standard = 0;
    message_target t;
    for (size_t i = 0; message_target_at(i, &t); i++) {
        standard += strncmp(t.type->name, "psyne.", 6) == 0;
        for (uint32_t f = 0; f < psy_reflect_type(t.type)->field_count; f++) {
            kinds |= 1u << psy_reflect_field(t.type, f)->kind;
            flags |= psy_reflect_field(t.type, f)->flags;
        }
    }
    cr_assert_eq(kinds, (1u << PSY_FIELD_KIND_END) - 1);
    const unsigned all = PSY_FIELD_KEY | PSY_FIELD_TEXT | PSY_FIELD_IS_ARRAY | PSY_FIELD_ITEMS | PSY_FIELD_OPEN |
                         PSY_FIELD_MAYBE | PSY_FIELD_RETIRED | PSY_FIELD_DEPRECATED;
    cr_assert_eq(flags & all, all);
    cr_assert(standard > 20);
}
