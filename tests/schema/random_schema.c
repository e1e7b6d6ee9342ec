/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a random schema that is right, with everything that the language has: messages M0 to M7 of the namespace `r`, and what
 * they are made of. The same seed gives the same. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { STRUCTS = 3, NUMBERS = 3, MESSAGES = 8, UNIONS_MAX = 8, DEEPEST = 3 };

static uint64_t state;
static unsigned depths[MESSAGES]; /* of those so far */
static unsigned structs, numbers, unions, messages;

/* xorshift64* (Vigna, 2016) */
static unsigned below(unsigned n)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (unsigned)((state * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % n;
}

static bool one_in(unsigned n) { return below(n) == 0; }

static const struct {
    const char *name;
    unsigned bytes;
} dtypes[] = {{"bool", 1}, {"i8", 1},  {"i16", 2}, {"i32", 4},  {"i64", 8}, {"u8", 1}, {"u16", 2},
              {"u32", 4},  {"u64", 8}, {"f16", 2}, {"bf16", 2}, {"f32", 4}, {"f64", 8}};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0], INTEGERS_FROM = 1, INTEGERS_TO = 9, UNSIGNED_FROM = 5 };

/* A number type, which may have names; *bytes: its size, or 8. */
static void number(unsigned *bytes)
{
    if (numbers > 0 && one_in(4)) {
        *bytes = 8;
        printf("N%u", below(numbers));
        return;
    }
    const unsigned i = below(DTYPES);
    *bytes = dtypes[i].bytes;
    printf("%s", dtypes[i].name);
}

static void attributes(unsigned least)
{
    const unsigned align = 2u << below(6);
    if (one_in(8) && align >= least) {
        printf(" @align(%u)", align);
    }
}

/* ---- enums, flags, structs ---- */

static void named(unsigned i)
{
    const bool flags = one_in(2);
    const unsigned from = flags ? UNSIGNED_FROM : INTEGERS_FROM;
    printf("%s N%u: %s {", flags ? "flags" : "enum", i, dtypes[from + below(INTEGERS_TO - from)].name);
    for (unsigned k = 0, value = 0, n = 1 + below(5); k < n; k++) {
        value += 1 + below(9);
        printf(" v%u", k);
        if (!flags && one_in(3)) {
            printf(" = %u", value + 20 * k);
        }
        printf(";");
    }
    printf(" }\n");
    numbers++;
}

static void structure(unsigned i)
{
    printf("struct S%u {\n", i);
    for (unsigned k = 0, n = 1 + below(5); k < n; k++) {
        unsigned bytes = 1;
        printf("    f%u: ", k);
        if (structs > 0 && one_in(3)) {
            printf("S%u", below(structs));
        } else {
            number(&bytes);
        }
        if (one_in(3)) {
            printf("[%u]", 1 + below(18));
        }
        attributes(bytes);
        printf(";\n");
    }
    printf("}\n");
    structs++;
}

/* ---- messages ---- */

/* A struct or an earlier message; *depth: with that. False: there is none. */
static bool inner(unsigned *depth)
{
    const bool is_struct = structs > 0 && one_in(2);
    const unsigned i = is_struct ? below(structs) : messages > 0 ? below(messages) : 0;
    if (is_struct) {
        printf("S%u", i);
        *depth = *depth > 1 ? *depth : 1;
    } else if (messages > 0 && depths[i] < DEEPEST) {
        printf("M%u", i);
        *depth = *depth > depths[i] + 1 ? *depth : depths[i] + 1;
    } else {
        return false;
    }
    return true;
}

static void text(bool member)
{
    switch (below(member ? 5 : 7)) {
    case 0:
        printf("string[<=%u]", 4 + below(90));
        if (!member && one_in(2)) {
            printf(" = \"d\xc3\xa9\"");
        }
        break;
    case 1: printf("string[<=%u][%u]", 1 + below(20), 1 + below(4)); break;
    case 2: printf("string[<=%u][<=%u]", 1 + below(20), 1 + below(4)); break;
    case 3: printf("string"); break;
    case 4: printf("string[]"); break;
    case 5: printf("string?"); break;
    default: printf("string[<=%u]?%s", 4 + below(40), one_in(2) ? " = \"none\"" : ""); break;
    }
}

/* Nothing, [N], [<=N], [] or ?, of at most so many. Gives whether it is [N]. */
static bool bounds(unsigned forms, unsigned most)
{
    const unsigned form = below(forms);
    if (form == 1 || form == 2) {
        printf("[%s%u]", form == 2 ? "<=" : "", 1 + below(most));
    } else {
        printf("%s", form == 3 ? "[]" : form == 4 ? "?" : "");
    }
    return form == 1;
}

/* What may be in a message, or be the member of a union; the name is written. */
static void type(bool member, unsigned *depth)
{
    const unsigned forms = member ? 4 : 5;
    unsigned bytes = 1;
    switch (below(6)) {
    case 0:
    case 1: text(member); return;
    case 2:
        if (one_in(2)) {
            printf("variant");
        } else {
            printf("variant[<=%u]", 1 + below(200));
        }
        return;
    case 3:
        if (inner(depth)) {
            bounds(forms, 3);
            break;
        }
        /* fall through */
    default:
        number(&bytes);
        if (bounds(forms, 20) && !member && one_in(3)) {
            printf("?");
        }
    }
    if (!member) {
        attributes(bytes);
    }
}

static void message(unsigned i)
{
    unsigned since = 1, depth = 0;
    printf("message M%u {\n", i);
    for (unsigned k = 0, n = below(14); k < n; k++) {
        printf("    f%u: ", k);
        if (unions < UNIONS_MAX && one_in(7)) {
            unions++;
            unsigned inside = 0;
            printf("union {");
            for (unsigned l = 0, members = 1 + below(6); l < members; l++) {
                printf(" m%u: ", l);
                type(true, &inside);
                printf(";");
            }
            printf(" }");
            depth = inside + 1 > depth ? inside + 1 : depth;
        } else if (one_in(12)) {
            printf("u64 = %u", below(1000));
        } else {
            type(false, &depth);
        }
        since += one_in(6);
        if (since > 1) {
            printf(" @since(%u)", since);
        }
        printf("%s;\n", one_in(14) ? " @retired" : one_in(14) ? " @deprecated" : "");
    }
    printf("}\n");
    depths[messages++] = depth;
}

int main(int count, char **arguments)
{
    state = (count > 1 ? strtoull(arguments[1], NULL, 10) : 1) * UINT64_C(0x9E3779B97F4A7C15) + 1;
    printf("namespace r;\n");
    for (unsigned i = 0; i < NUMBERS; i++) {
        named(i);
    }
    for (unsigned i = 0; i < STRUCTS; i++) {
        structure(i);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        message(i);
    }
    return 0;
}
