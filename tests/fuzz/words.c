/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/words.h"

#include <stdio.h>

#include "compiler/builtins.h"
#include "isa/module.h"

/* Of the lexers and of the assembler: the rules of local.mk write it. */
static const char *const keywords[] = {
#include "tests/fuzz/gen/keywords.inc"
};

static const char *const others[] = {
    /* names and numbers */
    "Query", "Hits", "Number", "q", "x", "y", "words", "vector", "score", "index", "N", "M", "DIM", "D", "_", "a.b",
    "\"messages.psy\"", "\"shared.psy\"", "\"round_a.psy\"", "shared", "Item", "\"\"", "\"\\x\"", "0", "1", "2", "3", "8", "16",
    "64", "65536", "65537", "0.5", "1e308", "1e-320", "1e999", "0x7f", "0b1", "1_0", "2147483647", "2147483648", "4294967295",
    "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
    /* words that are no keywords, but mean something in their place */
    "split", "by", "key", "replicated", "@key", "@since(2)", "axis:", "keep: true", "k: 3", "descending: true", "shards", "-1",
    "@align(64)", "@retired", "@deprecated", "string?", "string[]", "u8[]", "Lang", "Point[<=2]", "= \"text\"",
    "enum Lang: u8 {", "string", "variant", "[..]", "[1..3]", "[..2..-1]", "[<=4]", "[2, 3]", "%0", "%1", "%59999", "%60000",
    "-", "@0", "@1", "32768",
    /* signs, and what is none */
    "(", ")", "[", "]", "{", "}", ":", ";", ",", ".", "=", "<", ">", "+", "*", "/", "%", "@", "!", "&", "|", "^", "~", "?", "#",
    "\"", "*/", "/*", "//", "///", "\n", "\t", " ", "\xc3\xa4", "\xe2\x82", "\xff", "\r", "\\"};

enum {
    KEYWORDS = sizeof keywords / sizeof keywords[0],
    OTHERS = sizeof others / sizeof others[0],
    MORE_MAX = 1024,
    TEXT_MAX = 24
};

/* Of the tables: functions, dtypes, and operations with their dtypes as assembly names them. */
static char more[MORE_MAX][TEXT_MAX];
static size_t more_count;

static void add(const char *text, const char *end)
{
    if (more_count < MORE_MAX) {
        snprintf(more[more_count++], TEXT_MAX, "%s%s", text, end);
    }
}

static void take_tables(void)
{
    const char *functions[512];
    size_t n = psc_builtin_names(functions, 512);
    for (size_t i = 0; i < n; i++) {
        add(functions[i], "(");
    }
    for (unsigned dtype = 1; psy__dtype_name(dtype); dtype++) {
        add(psy__dtype_name(dtype), "");
    }
    for (unsigned row = 0; row < psy__op_count(); row++) {
        const psy_op_info *info = psy__op_row(row);
        add(info->name, "");
        for (unsigned dtype = 1, taken = 0; psy__dtype_name(dtype); dtype++) {
            if (psy__op_takes(info, dtype) && (dtype == PSY_F32 || taken < 2)) {
                char text[TEXT_MAX];
                snprintf(text, sizeof text, ".%s", psy__dtype_name(dtype));
                add(info->name, text);
                taken++;
            }
        }
    }
}

size_t words_count(void)
{
    if (more_count == 0) {
        take_tables();
    }
    return KEYWORDS + OTHERS + more_count;
}

const char *words_at(size_t i)
{
    return i < KEYWORDS ? keywords[i] : i < KEYWORDS + OTHERS ? others[i - KEYWORDS] : more[i - KEYWORDS - OTHERS];
}
