/* SPDX-License-Identifier: Apache-2.0 */
/* Messages by their tables alone: versions, what is refused and how that is said, and memory that others write. */
#include <psyne/json.h>

#include "tables.h"

enum { ROOM = 1 << 14 };
static _Alignas(64) unsigned char memory[ROOM], copy[ROOM];

static const char all_kinds[] =
    "module 3.0;\n"
    "enum t.Lang: u8 { en = 0; de = 4; }\n"
    "flags t.Rights: u32 { read = 1; write = 2; both = 3; }\n"
    "struct t.Point { x: f32; on: bool; }\n"
    "type t.Item { name: string[<=8]; price: f32 = 1; }\n"
    "type t.Page { title: string; lines: string[]; }\n"
    "union t.All.one { url: string; item: part { item.name: string[<=8]; item.price: f32 = 1; } n: u64; }\n"
    "type t.All {\n"
    "    id: u64 @key; on: bool; lang: t.Lang; rights: t.Rights;\n"
    "    at: struct { at.x: f32; at.on: bool; }\n"
    "    item: part { item.name: string[<=8]; item.price: f32 = 1; }\n"
    "    few: u16[<=4]; note: string[<=8]?; tags: string[<=4][<=3]; maybe: bool?;\n"
    "    items: t.Item[<=3]; path: t.Point[2]; photo: variant[<=64]; one: t.All.one;\n"
    "    title: string; sub: string?; values: f64[]; pages: t.Page[]; words: string[]; any: variant;\n"
    "}\n";

static const char whole_text[] =
    "{\"id\": 1, \"on\": true, \"lang\": \"de\", \"rights\": [\"read\", \"write\", 8], \"at\": {\"x\": 0.5, \"on\": false}, "
    "\"item\": {\"name\": \"tea\", \"price\": 2}, \"few\": [1, 2], \"note\": \"n\", \"tags\": [\"a\", \"bb\"], \"maybe\": "
    "false, "
    "\"items\": [{\"name\": \"x\", \"price\": 1}], \"path\": [{\"x\": 1, \"on\": true}, {\"x\": 2, \"on\": false}], "
    "\"photo\": {\"dtype\": \"i16\", \"shape\": [2], \"data\": [-1, 2]}, \"one\": {\"url\": \"u\"}, \"title\": \"T\", \"sub\": "
    "\"\", "
    "\"values\": [1, 2, 3, 4, 5, 6, 7, 8], \"pages\": [{\"title\": \"p\", \"lines\": [\"l\", \"\"]}, {\"title\": \"\", "
    "\"lines\": "
    "[]}], "
    "\"words\": [\"w\"], \"any\": {\"dtype\": \"f32\", \"shape\": [], \"data\": [0.25]}}";

static size_t parse(const psy_type *type, const char *text)
{
    size_t size;
    memset(memory, 0xA5, sizeof memory);
    cr_assert_eq(psy_message_parse(type, text, strlen(text), memory, sizeof memory, &size), PSY_OK, "%s", psy_detail());
    return size;
}

static const char *print(const psy_type *type, const void *bytes, size_t n)
{
    static char text[1 << 14];
    size_t length;
    cr_assert_eq(psy_message_print_text(type, bytes, n, 0, text, sizeof text, &length), PSY_OK, "%s", psy_detail());
    return text;
}

Test(messages, print_and_parse)
{
    tables t;
    tables_open(&t, all_kinds);
    const psy_type type = tables_type(&t, "t.All");
    const size_t n = parse(&type, whole_text);
    cr_assert_str_eq(print(&type, memory, n), whole_text);
    size_t at = 0, size;
    const char two[] = " {\"id\": 1}\n{\"id\": 2} ";
    for (uint64_t id = 1; id <= 2; id++) {
        cr_assert_eq(psy_message_parse_next(&type, two, strlen(two), &at, memory, ROOM, &size), PSY_OK);
        cr_assert_eq(memcmp(memory + 8, &id, sizeof id), 0);
    }
    cr_assert_eq(psy_message_parse_next(&type, two, strlen(two), &at, memory, ROOM, &size), PSY_NOT_FOUND);
    cr_assert_eq(psy_message_parse(&type, two, strlen(two), memory, ROOM, &size), PSY_CORRUPT);
    cr_assert_str_eq(psy_detail(), "line 2, column 1: t.All: more text behind the message");
    cr_assert_eq(psy_message_parse(&type, " ", 1, memory, ROOM, &size), PSY_CORRUPT);
    cr_assert(strstr(psy_detail(), "there is no message"));
    tables_close(&t);
}

static void put_u32(const psy_psm_field *f, uint32_t place, uint32_t value)
{
    cr_assert(place != PSY_NONE && f);
    memcpy(memory + place, &value, sizeof value);
}

static uint32_t u32(uint32_t place)
{
    uint32_t value;
    memcpy(&value, memory + place, sizeof value);
    return value;
}

/* Refused, and the detail begins so. */
static void refused(const psy_type *type, size_t n, const char *says)
{
    cr_assert_eq(psy_message_verify(type, memory, n), PSY_CORRUPT, "%s", says);
    cr_assert_eq(strncmp(psy_detail(), says, strlen(says)), 0, "%s, and not %s", psy_detail(), says);
    psy_fail(PSY_OK, "forgotten");
    cr_assert_eq(psy_message_refuse(type, memory, n, PSY_CORRUPT), PSY_CORRUPT);
    cr_assert_eq(strncmp(psy_detail(), says, strlen(says)), 0, "%s, and not %s", psy_detail(), says);
    /* Older versions are copied with what is wrong, and refused likewise; so is this one. */
    size_t size;
    cr_assert_eq(psy_message_read(type, copy, ROOM, &size, memory, n), PSY_CORRUPT, "%s", says);
    cr_assert_eq(size, 0);
}

Test(messages, what_and_where)
{
    tables t;
    tables_open(&t, all_kinds);
    const psy_type type = tables_type(&t, "t.All");
    size_t n = parse(&type, whole_text);
#define FIELD(name) tables_field(&type, name)
    const struct {
        const char *field;
        int of; /* 0: the first element, 1: the count, 2: the inner one, 3 and more: behind the first element */
        uint32_t value;
        const char *says;
    } cases[] = {
        {"on", 0, 0xA502, "t.All.on: a bool of 2"},
        {"at.on", 0, 2, "t.All.at.on: a bool of 2"},
        {"item", 0, 0, "t.All.item: 0 bytes, and inside another message it has 64"},
        {"item", 0, 128, "t.All.item: a header of 128 bytes, version 1, reserved 0"},
        {"item", 4, 0, "t.All.item: a header of 64 bytes, version 0, reserved 0"},
        {"item.name", 1, 9, "t.All.item.name: 9 bytes, at most 8"},
        {"item.name", 0, 0xff, "t.All.item.name: 3 bytes that are no UTF-8"},
        {"few", 1, 5, "t.All.few: 5 elements, at most 4"},
        {"note", 1, 2, "t.All.note: whether it is there is 2"},
        {"note", 2, 9, "t.All.note: 9 bytes, at most 8"},
        {"tags", 1, 4, "t.All.tags: 4 elements, at most 3"},
        {"tags", 2, 5, "t.All.tags[0]: 5 bytes, at most 4"},
        {"items", 1, 4, "t.All.items: 4 elements, at most 3"},
        {"items", 0, 0, "t.All.items[0]: 0 bytes, and inside another message it has 64"},
        {"path", 4, 3, "t.All.path[0].on: a bool of 3"},
        {"path", 12, 3, "t.All.path[1].on: a bool of 3"},
        {"photo", 1, 0x0163, "t.All.photo: a type or shape that makes no sense, or has more than 64 bytes"},
        {"one", 1, 4, "t.All.one: member 4, which there is not"},
        {"one", 4, 4000, "t.All.one.url: 4000 bytes at byte"},
        {"title", 0, 1, "t.All.title: it starts at byte 1, before the end of what comes before it"},
        {"title", 4, 100000, "t.All.title: 100000 bytes at byte"},
        {"title", 0, 0, "t.All.title: a count of 1 at offset 0"},
        {"sub", 0, 8, "t.All.sub: it starts at byte 8, before"},
        {"values", 0, 1000001, "t.All.values: it starts at byte 1000001, and that is no multiple of 64"},
        {"values", 4, 0, "t.All.values: a count of 0 at offset"},
        {"values", 4, 0x40000000, "t.All.values: 8589934592 bytes at byte"},
        {"pages", 4, 0x7fffffff, "t.All.pages: "},
        {"words", 0, 3, "t.All.words: it starts at byte 3, and that is no multiple of 4"},
        {"any", 1, 0x0c | 1 << 16, "t.All.any: a type or shape that makes no sense"},
        {"any", 1, 0, "t.All.any: nothing at offset"},
        {"any", 0, 0, "t.All.any: elements at offset 0"},
        {"any", 0, 0xffffffc0, "t.All.any: 4 bytes at byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const psy_psm_field *f = FIELD(cases[i].field);
        const uint32_t place = cases[i].of == 1   ? f->count_offset
                               : cases[i].of == 2 ? f->inner_offset
                                                  : f->offset + (uint32_t)cases[i].of;
        const uint32_t before = u32(place);
        put_u32(f, place, cases[i].value);
        refused(&type, n, cases[i].says);
        put_u32(f, place, before);
    }
    /* Inside the tail. */
    const uint32_t pages = u32(FIELD("pages")->offset), lines = u32(pages + 16);
    const uint32_t before = u32(pages + lines);
    put_u32(FIELD("pages"), pages + lines, 8);
    refused(&type, n, "t.All.pages[0].lines[0]: it starts at byte");
    put_u32(FIELD("pages"), pages + lines, before);
    put_u32(FIELD("pages"), pages + lines + 12, 1);
    refused(&type, n, "t.All.pages[0].lines[1]: 1 bytes at offset 0");
    put_u32(FIELD("pages"), pages + lines + 12, 0);
    memory[pages + u32(pages + 8)] = 0x80;
    refused(&type, n, "t.All.pages[0].title: 1 byte that is no UTF-8");
    memory[pages + u32(pages + 8)] = 'p';
    /* The second page's tail in the first one's: nothing is shared. */
    const psy_tail kept = {u32(pages + 64 + 8), u32(pages + 64 + 12)};
    put_u32(FIELD("pages"), pages + 64 + 8, u32(pages + 8) - 64);
    put_u32(FIELD("pages"), pages + 64 + 12, 1);
    refused(&type, n, "t.All.pages[1].title: it starts at byte");
    memcpy(memory + pages + 64 + 8, &kept, sizeof kept);
    cr_assert_eq(psy_message_verify(&type, memory, n), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_message_refuse(&type, memory, n, PSY_CORRUPT), PSY_CORRUPT);
    cr_assert_str_eq(psy_detail(), "t.All: it changed while it was checked");

    /* Headers. */
    cr_assert_eq(psy_message_verify(&type, memory + 8, n - 8), PSY_INVALID);
    cr_assert_eq(psy_message_verify(&type, NULL, 100), PSY_CORRUPT);
    cr_assert_eq(psy_message_verify(&type, memory, 7), PSY_CORRUPT);
    cr_assert_eq(psy_message_verify(&type, memory, n - 1), PSY_CORRUPT);
    put_u32(FIELD("id"), 4, 1 << 16 | 1);
    refused(&type, n, "t.All: a header of");
    put_u32(FIELD("id"), 4, 0);
    refused(&type, n, "t.All: a header of");
    put_u32(FIELD("id"), 4, 1);
    put_u32(FIELD("id"), 0, type.bytes - 64);
    refused(&type, n, "t.All: ");
    /* Types. */
    psy_type none = type;
    none.reflection = NULL;
    size_t size;
    uint64_t hash;
    cr_assert_eq(psy_message_verify(&none, memory, n), PSY_UNSUPPORTED);
    cr_assert_eq(psy_message_init(&none, memory, n), PSY_UNSUPPORTED);
    cr_assert_eq(psy_message_read(&none, copy, ROOM, &size, memory, n), PSY_UNSUPPORTED);
    cr_assert_eq(psy_message_hash(&none, memory, n, &hash), PSY_UNSUPPORTED);
    const psy_type point = tables_type(&t, "t.Point");
    cr_assert_eq(psy_message_verify(&point, memory, n), PSY_INVALID);
    cr_assert_eq(psy_message_init(&type, memory + 8, ROOM - 8), PSY_INVALID);
    cr_assert_eq(psy_message_init(&type, memory, type.bytes - 1), PSY_TOO_LARGE);
    tables_close(&t);
}

/* The same types, before and after: Inner grew into the zeros at its end. */
static const char older_text[] =
    "module 3.0;\n"
    "type t.Inner { a: u32 = 1; name: string; words: string[]; }\n"
    "union t.Outer.one { inner: part { inner.a: u32 = 1; inner.name: string; inner.words: string[]; } }\n"
    "type t.Outer {\n"
    "    part: part { part.a: u32 = 1; part.name: string; part.words: string[]; }\n"
    "    two: t.Inner[2]; few: t.Inner[<=2]; maybe: t.Inner?; many: t.Inner[]; one: t.Outer.one;\n"
    "    last: string[];\n"
    "}\n";
static const char newer_text[] =
    "module 3.0;\n"
    "type t.Inner { a: u32 = 1; name: string; words: string[]; b: u16 = 7 @since(2); more: string @since(3); }\n"
    "union t.Outer.one { inner: part { inner.a: u32 = 1; inner.name: string; inner.words: string[]; inner.b: u16 = 7 "
    "@since(2); "
    "inner.more: string @since(3); } n: u64; }\n"
    "type t.Outer {\n"
    "    part: part { part.a: u32 = 1; part.name: string; part.words: string[]; part.b: u16 = 7 @since(2); part.more: string "
    "@since(3); }\n"
    "    two: t.Inner[2]; few: t.Inner[<=2]; maybe: t.Inner?; many: t.Inner[]; one: t.Outer.one;\n"
    "    last: string[]; extra: f64[16] @since(2); tail: u8[] @since(2);\n"
    "}\n";

#define INNER(x) "{\"a\": " #x ", \"name\": \"n" #x "\", \"words\": [\"w\", \"" #x "\"]}"
static const char outer_text[] =
    "{\"part\": " INNER(1) ", \"two\": [" INNER(2) ", " INNER(3) "], \"few\": [" INNER(4) "], \"maybe\": " INNER(
        5) ", \"many\": [" INNER(6) ", " INNER(7) "], \"one\": {\"inner\": " INNER(8) "}, \"last\": [\"x\", \"y\"]}";

Test(messages, versions_inside)
{
    tables old, new;
    tables_open(&old, older_text);
    tables_open(&new, newer_text);
    const psy_type older = tables_type(&old, "t.Outer"), newer = tables_type(&new, "t.Outer");
    cr_assert_gt(newer.bytes, older.bytes);
    size_t n = parse(&older, outer_text), size, expected;
    static _Alignas(64) unsigned char up[ROOM], wanted[ROOM];
    memcpy(copy + 1, memory, n); /* from any address */
    cr_assert_eq(psy_message_read(&newer, up, ROOM, &size, copy + 1, n), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_message_parse(&newer, outer_text, strlen(outer_text), wanted, ROOM, &expected), PSY_OK, "%s",
                 psy_detail());
    cr_assert(size == expected && memcmp(up, wanted, size) == 0, "%s", print(&newer, up, size));
    cr_assert(strstr(print(&newer, up, size), "\"b\": 7, \"more\": \"\"}"));
    /* No room: how much it needs. */
    cr_assert_eq(psy_message_read(&newer, up, size - 64, &expected, memory, n), PSY_TOO_LARGE);
    cr_assert_geq(expected, size);
    cr_assert_eq(psy_message_read(&newer, up + 8, ROOM - 8, &expected, memory, n), PSY_INVALID);

    /* And back: in place, for it is newer; as a copy. */
    uint64_t a, b;
    bool equal;
    cr_assert_eq(psy_message_verify(&older, wanted, size), PSY_OK, "%s", psy_detail());
    cr_assert(psy_message_hash(&older, wanted, size, &a) == PSY_OK && psy_message_hash(&older, memory, n, &b) == PSY_OK &&
              a == b);
    cr_assert(psy_message_equal(&older, wanted, size, memory, n, &equal) == PSY_OK && equal);
    cr_assert_eq(psy_message_read(&older, copy, ROOM, &size, wanted, size), PSY_OK, "%s", psy_detail());
    cr_assert_str_eq(print(&older, copy, size), outer_text);
    psy_message_header h;
    memcpy(&h, copy, sizeof h);
    cr_assert(h.version == 1 && h.bytes == size);

    /* Of this version but for one inside, at each place: VERSION, and read. */
    const char *const places[] = {"part", "two", "few", "maybe", "one"};
    for (size_t i = 0; i <= sizeof places / sizeof places[0]; i++) {
        n = parse(&newer, outer_text);
        const bool in_tail = i == sizeof places / sizeof places[0];
        const uint32_t at = in_tail ? u32(tables_field(&newer, "many")->offset) : tables_field(&newer, places[i])->offset;
        cr_assert_eq(u32(at + 4), 3);
        for (uint32_t version = 1; version <= 2; version++) {
            put_u32(tables_field(&newer, "part"), at + 4, version);
            cr_assert_eq(psy_message_verify(&newer, memory, n), PSY_VERSION, "%s", psy_detail());
            cr_assert(strstr(psy_detail(), version == 1 ? "version 1, and this is 3" : "version 2, and this is 3"), "%s",
                      psy_detail());
            cr_assert_eq(psy_message_read(&newer, copy, ROOM, &size, memory, n), PSY_OK, "%s", psy_detail());
            cr_assert(size == expected || size > 0);
            cr_assert_eq(psy_message_verify(&newer, copy, size), PSY_OK);
        }
        put_u32(tables_field(&newer, "part"), at + 4, 4); /* newer */
        cr_assert_eq(psy_message_verify(&newer, memory, n), PSY_OK, "%s", psy_detail());
        cr_assert(psy_message_read(&newer, copy, ROOM, &size, memory, n) == PSY_OK && memcmp(copy, wanted, size) == 0);
    }
    /* A version of the outer one that never was. */
    n = parse(&older, outer_text);
    tables_close(&old);
    tables_close(&new);
}

Test(messages, versions_that_never_were)
{
    tables t;
    tables_open(&t, "module 3.0;\ntype t.A { a: u32; b: f64[16] @since(4); c: u8 = 3 @since(6); }\n");
    const psy_type type = tables_type(&t, "t.A");
    size_t n = parse(&type, "{}"), size;
    for (uint32_t version = 1; version <= 7; version++) {
        for (uint32_t bytes = 0; bytes <= type.bytes + 64; bytes += 64) {
            const uint32_t fits = version == 1 ? 64 : version == 4 ? 192 : version >= 6 ? type.bytes : 0;
            const bool good = fits && (bytes == fits || (version == 7 && bytes > fits));
            put_u32(tables_field(&type, "a"), 0, bytes);
            put_u32(tables_field(&type, "a"), 4, version);
            cr_assert_eq(psy_message_read(&type, copy, ROOM, &size, memory, sizeof memory), good ? PSY_OK : PSY_CORRUPT,
                         "%u %u: %s", version, bytes, psy_detail());
            cr_assert(!good || (size == type.bytes && copy[tables_field(&type, "c")->offset] ==
                                                          (version < 6 ? 3 : memory[tables_field(&type, "c")->offset])));
        }
    }
    cr_assert_eq(n, type.bytes);
    tables_close(&t);
}

/* A union's member that a newer version added is nothing, in place and in the copy; in a message of this version there is none.
 */
Test(messages, newer_members)
{
    tables old, new;
    tables_open(&old, "module 3.0;\nunion t.M.u { a: u64; }\ntype t.M { u: t.M.u; last: string; }\n");
    tables_open(&new,
                "module 3.0;\nunion t.M.u { a: u64; b: f32; }\ntype t.M { u: t.M.u; last: string; more: u8 @since(2); }\n");
    const psy_type older = tables_type(&old, "t.M"), newer = tables_type(&new, "t.M");
    size_t n = parse(&newer, "{\"u\": {\"b\": 1.5}, \"last\": \"l\"}"), size;
    cr_assert_eq(psy_message_verify(&older, memory, n), PSY_OK, "%s", psy_detail());
    cr_assert_str_eq(print(&older, memory, n), "{\"last\": \"l\"}");
    cr_assert_eq(psy_message_read(&older, copy, ROOM, &size, memory, n), PSY_OK);
    cr_assert_str_eq(print(&older, copy, size), "{\"last\": \"l\"}");
    put_u32(tables_field(&newer, "u"), 4, 1);
    refused(&older, n, "t.M.u: member 2, which there is not");
    tables_close(&old);
    tables_close(&new);
}

Test(messages, retired)
{
    tables old, new;
    tables_open(&old, "module 3.0;\ntype t.M { a: u8 = 3; gone: string; was: f32; items: string[]; z: u8; }\n");
    tables_open(
        &new,
        "module 3.0;\ntype t.M { a: u8 = 3; gone: string @retired; was: f32 @retired; items: string[] @retired; z: u8; }\n");
    const psy_type older = tables_type(&old, "t.M"), newer = tables_type(&new, "t.M");
    size_t n = parse(&older, "{\"gone\": \"text\", \"was\": 1, \"items\": [\"a\", \"b\"], \"z\": 9}"), size;
    uint64_t a, b;
    bool equal;
    cr_assert_eq(newer.layout_hash, older.layout_hash);
    cr_assert_str_eq(print(&newer, memory, n), "{\"a\": 3, \"z\": 9}");
    cr_assert_eq(psy_message_read(&newer, copy, ROOM, &size, memory, n), PSY_OK);
    cr_assert_eq(size, newer.bytes, "what is retired is left out");
    cr_assert_str_eq(print(&older, copy, size), "{\"a\": 3, \"gone\": \"\", \"was\": 0, \"items\": [], \"z\": 9}");
    cr_assert(psy_message_equal(&newer, memory, n, copy, size, &equal) == PSY_OK && equal);
    cr_assert(psy_message_equal(&older, memory, n, copy, size, &equal) == PSY_OK && !equal);
    cr_assert(psy_message_hash(&newer, memory, n, &a) == PSY_OK && psy_message_hash(&newer, copy, size, &b) == PSY_OK &&
              a == b);
    cr_assert_eq(psy_message_parse(&newer, "{\"gone\": \"\"}", 12, copy, ROOM, &size), PSY_CORRUPT);
    cr_assert_str_eq(psy_detail(), "line 1, column 2: t.M.gone: the field is retired");
    tables_close(&old);
    tables_close(&new);
}

/* What nobody reads does not count; all else does. */
Test(messages, equal_and_hash)
{
    tables t;
    tables_open(&t, all_kinds);
    const psy_type type = tables_type(&t, "t.All");
    const size_t n = parse(&type, whole_text);
    memcpy(copy, memory, n);
    bool equal;
    uint64_t first, other;
    cr_assert_eq(psy_message_hash(&type, memory, n, &first), PSY_OK);
    /* The gap behind `on`, an element past the count, a text past its end, an item that is not there. */
    copy[tables_field(&type, "few")->offset + 6] ^= 0xff;
    copy[tables_field(&type, "note")->offset + 7] ^= 0xff;
    copy[tables_field(&type, "items")->offset + 64] ^= 0xff;
    copy[tables_field(&type, "photo")->offset + 9] ^= 0xff;
    cr_assert(psy_message_equal(&type, memory, n, copy, n, &equal) == PSY_OK && equal);
    cr_assert(psy_message_hash(&type, copy, n, &other) == PSY_OK && other == first);
    static const char *const fields[] = {"id", "lang", "at.x", "item.price", "few", "tags", "path", "photo"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        unsigned char *at = copy + tables_field(&type, fields[i])->offset;
        *at ^= 1;
        cr_assert(psy_message_equal(&type, memory, n, copy, n, &equal) == PSY_OK && !equal, "%s", fields[i]);
        cr_assert(psy_message_hash(&type, copy, n, &other) == PSY_OK && other != first, "%s", fields[i]);
        *at ^= 1;
    }
    /* -0 and 0 are two numbers; NaN is itself. */
    static const char *const texts[] = {"{\"at\": {\"x\": 0}}", "{\"at\": {\"x\": -0}}", "{\"at\": {\"x\": \"NaN\"}}"};
    size_t sizes[3];
    static _Alignas(64) unsigned char three[3][4096];
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(psy_message_parse(&type, texts[i], strlen(texts[i]), three[i], 4096, &sizes[i]), PSY_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            cr_assert_eq(psy_message_equal(&type, three[i], sizes[i], three[k], sizes[k], &equal), PSY_OK);
            cr_assert_eq(equal, i == k);
        }
    }
    cr_assert_eq(psy_message_equal(&type, memory, n, memory, n - 64, &equal), PSY_CORRUPT);
    cr_assert(!equal);
    tables_close(&t);
}

/* ---- memory that others write ---- */

typedef struct rewriter {
    unsigned char *at;
    size_t n;
    uint64_t state;
    size_t text;
} rewriter;

/* Who takes the text changes the message that is being printed, thousands of times. */
static bool rewrite(void *context, const char *text, size_t n)
{
    rewriter *r = context;
    cr_assert(text && n > 0);
    for (unsigned i = 0; i < 64; i++) {
        r->state = r->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        r->at[(r->state >> 33) % r->n] = (unsigned char)(r->state >> 20);
    }
    r->text += n;
    return true;
}

static bool no_more(void *context, const char *text, size_t n)
{
    (void)text, (void)n;
    return --*(int *)context >= 0;
}

Test(messages, rewritten_while_printed)
{
    tables t;
    tables_open(&t, all_kinds);
    const psy_type type = tables_type(&t, "t.All");
    static char text[1 << 14];
    size_t length = (size_t)snprintf(text, sizeof text, "{\"values\": [");
    for (unsigned i = 0; i < 700; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%u", i ? "," : "", i);
    }
    length += (size_t)snprintf(text + length, sizeof text - length, "], \"pages\": [");
    for (unsigned i = 0; i < 50; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s{\"title\": \"some page\", \"lines\": [\"a\", \"b\"]}", i ? "," : "");
    }
    length += (size_t)snprintf(text + length, sizeof text - length, "]}");
    for (uint64_t seed = 1; seed <= 200; seed++) {
        size_t n = parse(&type, text);
        unsigned char *exact;
        cr_assert_eq(posix_memalign((void **)&exact, 64, n), 0);
        memcpy(exact, memory, n);
        rewriter r = {exact, n, seed, 0};
        cr_assert_eq(psy_message_print(&type, exact, n, 0, rewrite, &r), PSY_OK);
        cr_assert_gt(r.text, 2048);
        free(exact);
    }
    const size_t n = parse(&type, text);
    int calls = 1;
    cr_assert_eq(psy_message_print(&type, memory, n, 0, no_more, &calls), PSY_IO);
    cr_assert_eq(calls, -1, "it asks no more who said no");
    tables_close(&t);
}
