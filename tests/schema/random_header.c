/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a random schema: messages that are made by its tables are what its code says they are, and changed ones are
 * refused or read as the tables have it. Compiled by random_headers.sh, which writes rows.h: M(m0) or TAILED(m0) for each
 * message. */
#include <inttypes.h>

#include "tests/test.h"

#include "guarded.h"
#include "random.psy.h"
#include "tests/message/random_types.h"

enum { ROOM = 1 << 20, TEXT = 1 << 22 };

typedef struct row {
    const psy_type *(*type)(void);
    psy_status (*verify)(const void *bytes, size_t n);
    psy_status (*read)(void *to, size_t room, size_t *size, const void *bytes, size_t n);
    psy_status (*parse)(const char *text, size_t n, void *to, size_t room, size_t *size);
} row;

/* What a generated read fills has one size where there is no tail. */
#define M(name)                                                                                                                \
    static psy_status read_##name(void *to, size_t room, size_t *size, const void *bytes, size_t n)                            \
    {                                                                                                                          \
        r_##name *m = to;                                                                                                      \
        *size = sizeof *m;                                                                                                     \
        return room < sizeof *m ? PSY_TOO_LARGE : r_##name##_read(m, bytes, n);                                                \
    }
#define TAILED(name)                                                                                                           \
    static psy_status read_##name(void *to, size_t room, size_t *size, const void *bytes, size_t n)                            \
    {                                                                                                                          \
        r_##name##_view v;                                                                                                     \
        const psy_status status = r_##name##_read(to, room, size, bytes, n);                                                   \
        cr_assert(status != PSY_OK || r_##name##_view_init(&v, to, *size) == PSY_OK);                                          \
        return status;                                                                                                         \
    }
#include "rows.h"
#undef M
#undef TAILED
#define M(name)      {r_##name##_type, r_##name##_verify, read_##name, r_##name##_parse},
#define TAILED(name) M(name)
static const row rows[] = {
#include "rows.h"
};

static random_types types;

/* The tables of the header as the writer of random messages has them. */
static void take_tables(const psy_reflection *r, uint64_t seed)
{
    uint32_t end = 1;
    memset(&types, 0, sizeof types);
    types.state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    cr_assert(r->type_count <= sizeof types.types / sizeof types.types[0] && r->field_count <= RANDOM_FIELDS);
    memcpy(types.types, r->types, r->type_count * sizeof *r->types);
    memcpy(types.fields, r->fields, r->field_count * sizeof *r->fields);
    for (uint32_t i = 0; i < r->field_count; i++) {
        const uint32_t after = r->fields[i].name + (uint32_t)strlen(psy_reflect_string(r, r->fields[i].name)) + 1;
        end = after > end ? after : end;
    }
    cr_assert_leq(end, RANDOM_STRINGS);
    memcpy(types.strings, r->strings, end);
    types.type_count = r->type_count;
    types.field_count = r->field_count;
}

/* Both say the same of the bytes, and make the same of them. */
static psy_status check(const row *r, const uint8_t *bytes, size_t n)
{
    static _Alignas(64) uint8_t ours[ROOM], theirs[ROOM];
    const psy_type *type = r->type();
    size_t size = 0, wanted = 0;
    bool equal = false;
    const psy_status status = r->verify(bytes, n), by_tables = psy_message_verify(type, bytes, n);
    cr_assert_eq(status, by_tables, "%s: %s here, %s by the tables: %s", type->name, psy_status_text(status),
                 psy_status_text(by_tables), psy_detail());
    const psy_status read = r->read(ours, ROOM, &size, bytes, n),
                     wanted_read = psy_message_read(type, theirs, ROOM, &wanted, bytes, n);
    cr_assert_eq(read, wanted_read, "%s read: %s here, %s by the tables: %s", type->name, psy_status_text(read),
                 psy_status_text(wanted_read), psy_detail());
    if (read == PSY_OK) {
        cr_assert_eq(r->verify(ours, size), PSY_OK, "%s: %s", type->name, psy_detail());
        cr_assert(psy_message_equal(type, ours, size, theirs, wanted, &equal) == PSY_OK && equal, "%s", type->name);
    }
    return status;
}

static uint8_t byte_of(uint64_t random)
{
    static const uint8_t some[] = {0, 1, 2, 3, 4, 8, 12, 16, 64, 128, 192, 0xc3, 0xfe, 0xff};
    return random % 3 ? some[(random >> 8) % sizeof some] : (uint8_t)(random >> 16);
}

static void mutate(const row *r, uint8_t *bytes, size_t n, unsigned rounds)
{
    uint8_t *kept = malloc(n);
    memcpy(kept, bytes, n);
    for (unsigned k = 0; k < rounds; k++) {
        for (unsigned i = 0; i < 1 + k % 3; i++) {
            bytes[random_next(&types.state) % n] = byte_of(random_next(&types.state));
        }
        if (k % 2) {
            memcpy(bytes + random_next(&types.state) % (n / 4) * 4, kept + random_next(&types.state) % (n / 4) * 4, 4);
        }
        check(r, bytes, n);
        memcpy(bytes, kept, n);
    }
    free(kept);
}

Test(random_header, agrees_with_its_tables)
{
    static _Alignas(64) uint8_t room[ROOM];
    static char text[TEXT];
    const char *seed = getenv("PSYNE_TEST_SEED");
    take_tables(rows[0].type()->reflection, seed ? strtoull(seed, NULL, 10) : 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned k = 0; k < 12; k++) {
            FILE *to = fmemopen(text, sizeof text, "w");
            random_message_write(&types, rows[i].type()->index, to);
            const long length = ftell(to);
            cr_assert(length > 0 && length < TEXT - 1 && fclose(to) == 0);
            size_t n = 0;
            memset(room, 0xA5, rows[i].type()->bytes);
            cr_assert_eq(rows[i].parse(text, (size_t)length, room, sizeof room, &n), PSY_OK, "%s: %.2000s", psy_detail(), text);
            uint8_t *bytes = guarded_alloc(n);
            memcpy(bytes, room, n);
            cr_assert_eq(check(&rows[i], bytes, n), PSY_OK, "%s", psy_detail());
            mutate(&rows[i], bytes, n, 300);
            guarded_free(bytes, n);
        }
    }
}
