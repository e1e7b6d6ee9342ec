/* SPDX-License-Identifier: Apache-2.0 */
/* Random messages of random types: each is one, has what was set, and comes again from the same seed. */
#include <psyne/json.h>
#include <psyne/module.h>

#include "command/random_json.h"
#include "command/schedule.h"
#include "tests/message/random_types.h"
#include "tests/test.h"

static random_types types;
static _Alignas(64) unsigned char memory[1 << 20], again[1 << 20];

/* The text of a message, to be freed. */
static char *text_of(const psy_type *type, const psy__settings *settings, uint64_t seed, size_t *n)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, n);
    psy__random_json_write(type, settings, &seed, to);
    cr_assert_eq(fclose(to), 0);
    return text;
}

static void take(const psy_type *type, const psy__settings *settings, uint64_t seed, unsigned char *to, size_t *size)
{
    size_t n;
    char *text = text_of(type, settings, seed, &n);
    const psy_status status = psy_message_parse(type, text, n, to, sizeof memory, size);
    cr_assert_eq(status, PSY_OK, "%s: %s: %s", type->name, psy_detail(), text);
    free(text);
}

Test(random_json, messages_of_all_types_are_messages)
{
    const psy__settings none = {.count = 0};
    uint32_t messages = 0, differ = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        random_types_make(&types, seed);
        for (uint32_t i = 0; i < types.type_count; i++) {
            if (types.types[i].kind != PSY_TYPE_MESSAGE) {
                continue;
            }
            const psy_type type = psy_reflect_type_at(&types.reflection, i);
            size_t size, size_again;
            bool equal;
            take(&type, &none, seed, memory, &size);
            take(&type, &none, seed, again, &size_again);
            cr_assert_eq(psy_message_equal(&type, memory, size, again, size_again, &equal), PSY_OK, "%s", psy_detail());
            cr_assert(equal, "the same seed gives the same");
            take(&type, &none, seed + 1000, again, &size_again);
            cr_assert_eq(psy_message_equal(&type, memory, size, again, size_again, &equal), PSY_OK, "%s", psy_detail());
            differ += !equal;
            messages++;
        }
    }
    cr_assert_gt(messages, 500u);
    cr_assert_gt(differ, messages * 8 / 10);
}

/* It has parts, a union, arrays of messages. */
static psy_type store_type(psy_module **module)
{
    psy_type type;
    cr_assert_eq(psy_module_open(PSY_BUILD_DIR "/tests/command/gen/store.psy.psm", module), PSY_OK, "%s", psy_detail());
    cr_assert_eq(psy_reflect_find(psy_module_reflection(*module), "store.Document", &type), PSY_OK);
    return type;
}

Test(random_json, what_is_set_is_there)
{
    psy_module *module;
    const psy_type type = store_type(&module);
    static const char *const sets[] = {
        "id=7..9",     "at.x=0.5", "note=a \"b\"", "tags=[\"x\"]", "pages.title=T\n", "source.page.lines=[]",
        "balance=1e3", "lang=fr",  "score=1",      "score=2",      "subtitle=null"};
    psy__settings settings = {.count = 0};
    bool ids[3] = {false};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        psy__settings_add(&settings, &type, sets[i]);
    }
    for (uint64_t seed = 0; seed < 200; seed++) {
        size_t n, size;
        char *text = text_of(&type, &settings, seed, &n);
        unsigned long long id;
        cr_assert_eq(sscanf(text, "{\"id\":%llu,", &id), 1, "%s", text);
        cr_assert(id >= 7 && id <= 9);
        ids[id - 7] = true;
        static const char *const there[] = {
            "\"x\":0.5",       "\"note\":\"a \\\"b\\\"\"", "\"tags\":[\"x\"]", "\"source\":{\"page\":{", "\"lines\":[]}}",
            "\"balance\":1e3", "\"lang\":\"fr\"",          "\"score\":2,",     "\"subtitle\":null"};
        for (size_t i = 0; i < sizeof there / sizeof there[0]; i++) {
            cr_assert_not_null(strstr(text, there[i]), "%s in %s", there[i], text);
        }
        const char *pages = strstr(text, "\"pages\":[{");
        cr_assert(!pages || strncmp(pages, "\"pages\":[{\"title\":\"T\\u000a\",", 28) == 0, "%s", text);
        cr_assert_eq(psy_message_parse(&type, text, n, memory, sizeof memory, &size), PSY_OK, "%s: %s", psy_detail(), text);
        free(text);
    }
    cr_assert(ids[0] && ids[1] && ids[2]);
    psy_module_close(module);
}
