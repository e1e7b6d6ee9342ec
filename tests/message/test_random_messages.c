/* SPDX-License-Identifier: Apache-2.0 */
/* Random messages of random types: what is printed is parsed to the same, and what is cut off or changed is refused or read
 * without harm. PSYNE_TEST_SEED and PSYNE_TEST_RANDOM say which and how many types. */
#include <psyne/json.h>

#include "isa/layout.h"
#include "random_types.h"
#include "tests/test.h"

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

static random_types types;

typedef struct message {
    unsigned char *bytes; /* malloc'd, exactly `n` */
    size_t n;
} message;

/* Exactly so many bytes, so that a sanitizer sees the first one behind. */
static unsigned char *room_for(size_t n)
{
    void *at = NULL;
    cr_assert_eq(posix_memalign(&at, 64, n), 0);
    return at;
}

static unsigned char *exactly(const void *bytes, size_t n)
{
    unsigned char *at = room_for(n);
    memcpy(at, bytes, n);
    return at;
}

/* One in exactly the room that it takes; NULL: none of this text. */
static message parse(const psy_type *type, const char *text, size_t n)
{
    static _Alignas(64) unsigned char room[1 << 20];
    message m = {NULL, 0};
    memset(room, 0xA5, type->bytes);
    const psy_status status = psy_message_parse(type, text, n, room, sizeof room, &m.n);
    cr_assert_eq(status, PSY_OK, "%s: %.2000s", psy_detail(), text);
    m.bytes = exactly(room, m.n);
    size_t size;
    cr_assert_eq(psy_message_parse(type, text, n, room, m.n, &size), PSY_OK, "it needs no more room than it has: %s",
                 psy_detail());
    if (m.n > 64) {
        cr_assert_eq(psy_message_parse(type, text, n, room, m.n - 64, &size), PSY_TOO_LARGE);
    }
    return m;
}

static char *print(const psy_type *type, message m, unsigned indent, size_t *n)
{
    char *text, none[1];
    cr_assert_eq(psy_message_print_text(type, m.bytes, m.n, indent, none, 0, n), PSY_TOO_LARGE);
    text = malloc(*n + 1);
    cr_assert(text && psy_message_print_text(type, m.bytes, m.n, indent, text, *n + 1, n) == PSY_OK);
    cr_assert_eq(strlen(text), *n);
    return text;
}

static uint64_t hash(const psy_type *type, message m)
{
    uint64_t h;
    cr_assert_eq(psy_message_hash(type, m.bytes, m.n, &h), PSY_OK);
    return h;
}

static bool equal(const psy_type *type, message a, message b)
{
    bool same;
    cr_assert_eq(psy_message_equal(type, a.bytes, a.n, b.bytes, b.n, &same), PSY_OK, "%s", psy_detail());
    return same;
}

/* Printed and parsed, it is the same, byte by byte, for nothing in it is left to chance. */
static void round_trip(const psy_type *type, message m)
{
    for (unsigned indent = 0; indent <= 2; indent += 2) {
        size_t n;
        char *text = print(type, m, indent, &n);
        message again = parse(type, text, n);
        cr_assert(equal(type, m, again) && hash(type, m) == hash(type, again), "%s", text);
        cr_assert(again.n == m.n && memcmp(again.bytes, m.bytes, m.n) == 0, "%s", text);
        free(again.bytes);
        free(text);
    }
}

/* What psy_message_read makes of it in exactly as much room as it wants; whether it took it. */
static bool read_back(const psy_type *type, const void *bytes, size_t n, message *out)
{
    static _Alignas(64) unsigned char none[64];
    size_t size, room = type->bytes;
    psy_status status = psy_message_read(type, none, 0, &size, bytes, n);
    if (status != PSY_TOO_LARGE) {
        cr_assert(status == PSY_CORRUPT && size == 0, "%d", status);
        return false;
    }
    cr_assert(size >= room && size % 64 == 0);
    room = size;
    unsigned char *to = room_for(room);
    status = psy_message_read(type, to, room, &size, bytes, n);
    if (status != PSY_OK) {
        cr_assert(status == PSY_CORRUPT && size == 0 && *psy_detail());
        free(to);
        return false;
    }
    cr_assert(size <= room);
    *out = (message){exactly(to, size), size};
    free(to);
    cr_assert_eq(psy_message_verify(type, out->bytes, out->n), PSY_OK, "%s", psy_detail());
    return true;
}

static void harmless(const psy_type *type, const unsigned char *bytes, size_t n)
{
    message m = {exactly(bytes, n), n}, copy;
    const psy_status status = psy_message_verify(type, m.bytes, n);
    if (status == PSY_OK) {
        size_t length;
        char *text = print(type, m, 0, &length);
        message again = parse(type, text, length);
        cr_assert(equal(type, m, again) && hash(type, m) == hash(type, again), "%s", text);
        free(again.bytes);
        free(text);
    } else {
        cr_assert((status == PSY_CORRUPT || status == PSY_VERSION) && strncmp(psy_detail(), "r.T", 3) == 0, "%s", psy_detail());
        cr_assert_eq(psy_message_refuse(type, m.bytes, n, PSY_CORRUPT), PSY_CORRUPT);
    }
    if (read_back(type, m.bytes, n, &copy)) {
        cr_assert(status != PSY_OK || equal(type, m, copy));
        free(copy.bytes);
    } else {
        cr_assert_neq(status, PSY_OK);
    }
    free(m.bytes);
}

static void change_and_look(const psy_type *type, message m, unsigned rounds)
{
    unsigned char *changed = exactly(m.bytes, m.n);
    for (size_t n = 0; n < m.n; n += n < 256 ? 1 : 64) {
        unsigned char *cut = exactly(m.bytes, n);
        cr_assert_eq(psy_message_verify(type, cut, n), PSY_CORRUPT);
        free(cut);
    }
    for (unsigned i = 0; i < rounds; i++) {
        /* Half of them in the fixed part, where all that leads elsewhere is. */
        for (unsigned k = random_below(&types, 3) + 1; k > 0; k--) {
            const uint32_t at = random_below(&types, random_below(&types, 2) ? (uint32_t)m.n : type->bytes);
            changed[at] = (unsigned char)(random_below(&types, 2) ? 1u << random_below(&types, 8) ^ changed[at]
                                                                  : random_below(&types, 4));
        }
        harmless(type, changed, m.n);
        memcpy(changed, m.bytes, m.n);
    }
    free(changed);
}

static message random_message(const psy_type *type, uint32_t index)
{
    char *text = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&text, &n);
    random_message_write(&types, index, to);
    fclose(to);
    message m = parse(type, text, n);
    free(text);
    return m;
}

Test(random_messages, print_parse_and_change)
{
    const uint64_t seed = setting("PSYNE_TEST_SEED", 1), count = setting("PSYNE_TEST_RANDOM", 40);
    unsigned tailed = 0, messages = 0;
    for (uint64_t i = 0; i < count; i++) {
        random_types_make(&types, seed + i);
        for (uint32_t t = 0; t < types.type_count; t++) {
            if (types.types[t].kind != PSY_TYPE_MESSAGE) {
                continue;
            }
            const psy_type type = psy_reflect_type_at(&types.reflection, t);
            message m = random_message(&type, t), copy;
            cr_assert_eq(psy_message_verify(&type, m.bytes, m.n), PSY_OK, "seed %u: %s", (unsigned)(seed + i), psy_detail());
            round_trip(&type, m);
            cr_assert(read_back(&type, m.bytes, m.n, &copy) && copy.n == m.n && memcmp(copy.bytes, m.bytes, m.n) == 0);
            change_and_look(&type, m, 12);
            free(copy.bytes);
            free(m.bytes);
            messages++;
            tailed += (types.types[t].flags & PSY_TYPE_TAILED) != 0;
        }
    }
    cr_assert(messages > 5 * count && tailed > count && tailed < messages);
}

/* Other elements: another number. */
Test(random_messages, hash_tells_apart)
{
    random_types_make(&types, 7);
    unsigned differ = 0, all = 0;
    for (uint32_t t = 0; t < types.type_count; t++) {
        if (types.types[t].kind == PSY_TYPE_MESSAGE && types.types[t].field_count > 3) {
            const psy_type type = psy_reflect_type_at(&types.reflection, t);
            message m[2] = {random_message(&type, t), random_message(&type, t)};
            all++;
            differ += !equal(&type, m[0], m[1]);
            cr_assert_eq(equal(&type, m[0], m[1]), hash(&type, m[0]) == hash(&type, m[1]));
            free(m[0].bytes);
            free(m[1].bytes);
        }
    }
    cr_assert(all > 4 && differ + 2 > all);
}

/* Text with bytes changed, left out and doubled: a message that is sound, or a place where it is wrong. */
static void change_text(const psy_type *type, const char *text, size_t n, unsigned rounds)
{
    static const char bytes[] = "{}[]\":,\\0 -.eu9atn\xc3\x80";
    static _Alignas(64) unsigned char room[1 << 20];
    for (unsigned i = 0; i < rounds; i++) {
        const uint32_t at = random_below(&types, (uint32_t)n), many = random_below(&types, 8);
        const uint32_t cut = many < n - at ? many : (uint32_t)n - at;
        const unsigned what = random_below(&types, 4);
        char *changed = malloc(n + cut + 1); /* exactly: a sanitizer sees the first byte behind */
        size_t length = n, size;
        memcpy(changed, text, at);
        if (what == 0) { /* doubled */
            memcpy(changed + at, text + at, cut);
            memcpy(changed + at + cut, text + at, n - at);
            length += cut;
        } else if (what == 1) { /* left out */
            memcpy(changed + at, text + at + cut, n - at - cut);
            length -= cut;
        } else if (what == 2) { /* cut off */
            length = at;
        } else {
            memcpy(changed + at, text + at, n - at);
            changed[at] = bytes[random_below(&types, sizeof bytes - 1)];
        }
        char *exact = malloc(length + (length == 0));
        memcpy(exact, changed, length);
        const psy_status status = psy_message_parse(type, exact, length, room, sizeof room, &size);
        if (status == PSY_OK) {
            cr_assert_eq(psy_message_verify(type, room, size), PSY_OK, "%s", psy_detail());
        } else {
            cr_assert(status == PSY_CORRUPT && strncmp(psy_detail(), "line ", 5) == 0 && size == 0, "%s", psy_detail());
        }
        free(exact);
        free(changed);
    }
}

Test(random_messages, changed_text)
{
    const uint64_t seed = setting("PSYNE_TEST_SEED", 1), count = setting("PSYNE_TEST_RANDOM", 40);
    for (uint64_t i = 0; i < count; i++) {
        random_types_make(&types, seed + 2000 + i);
        for (uint32_t t = 0; t < types.type_count; t++) {
            if (types.types[t].kind != PSY_TYPE_MESSAGE) {
                continue;
            }
            const psy_type type = psy_reflect_type_at(&types.reflection, t);
            message m = random_message(&type, t);
            size_t n;
            char *text = print(&type, m, random_below(&types, 3), &n);
            change_text(&type, text, n, 40);
            free(text);
            free(m.bytes);
        }
    }
}

/* A message of an older version is what its text makes of the newer one, and the other way round. */
static void across_versions(uint32_t index, uint32_t version)
{
    const psy_type newer = psy_reflect_type_at(&types.reflection, index);
    if (!random_types_older(&types, index, version)) {
        return;
    }
    const psy_type older = psy_reflect_type_at(&types.reflection, types.type_count);
    message old = random_message(&older, types.type_count), up, down;
    size_t n;
    char *text = print(&older, old, 0, &n);
    message new = parse(&newer, text, n);
    cr_assert_eq(psy_message_verify(&newer, old.bytes, old.n), PSY_VERSION, "%s", psy_detail());
    cr_assert(read_back(&newer, old.bytes, old.n, &up), "%s: %s", psy_detail(), text);
    cr_assert(up.n == new.n &&memcmp(up.bytes, new.bytes, up.n) == 0, "%s", text);
    cr_assert(read_back(&older, new.bytes, new.n, &down), "%s: %s", psy_detail(), text);
    cr_assert(equal(&older, new, old) && equal(&older, down, old) && hash(&older, new) == hash(&older, old), "%s", text);
    /* One that has what the older version does not know. */
    message full = random_message(&newer, index), left;
    cr_assert(read_back(&older, full.bytes, full.n, &left), "%s", psy_detail());
    cr_assert(equal(&older, full, left) && hash(&older, full) == hash(&older, left));
    char *short_text = print(&older, full, 0, &n);
    message again = parse(&older, short_text, n);
    cr_assert(equal(&older, again, left));
    for (unsigned i = 0; i < 8; i++) {
        old.bytes[random_below(&types, (uint32_t)old.n)] ^= (unsigned char)(1u << random_below(&types, 8));
        message changed;
        if (read_back(&newer, old.bytes, old.n, &changed)) {
            free(changed.bytes);
        }
    }
    message *const all[] = {&old, &up, &down, &new, &full, &left, &again};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        free(all[i]->bytes);
    }
    free(text);
    free(short_text);
}

Test(random_messages, versions)
{
    const uint64_t seed = setting("PSYNE_TEST_SEED", 1), count = setting("PSYNE_TEST_RANDOM", 40);
    unsigned pairs = 0;
    for (uint64_t i = 0; i < count; i++) {
        random_types_make(&types, seed + 1000 + i);
        types.reflection.type_count++; /* the older one's place */
        for (uint32_t t = 0; t < types.type_count; t++) {
            for (uint32_t v = 1; types.types[t].kind == PSY_TYPE_MESSAGE && v < types.types[t].version; v++) {
                across_versions(t, v);
                pairs++;
            }
        }
    }
    cr_assert(pairs > count);
}
