/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule for programs (isa/verify.h) has a program that breaks just that rule and is told so. */
#include "isa/verify.h"

#include "sample.h"

#define HEAD                                                                                                                   \
    "module 3.0;\n"                                                                                                            \
    "type I { s: f32; a: f32[4]; b: f32[3]; n: f32[<=4]; u: u64 @key; i: i32; h: f16; l: u64[4]; }\n"                          \
    "type P { a: f32[4]; s: f64; }\n"                                                                                          \
    "type O { s: f32; }\n"                                                                                                     \
    "type V { a: f32[4]; n: f32[<=4]; }\n"                                                                                     \
    "type K { o: f32?; q: f32[4]?; t: string[<=4]; w: string[<=4][4]; p: part { p.x: u8; } e: variant[<=4]; }\n"               \
    "type L { o: f32?; t: string[<=4]; w: string[<=4][4]; x: string[<=4][<=3]; }\n"                                            \
    "size N global; size N.local local N; size shards shards; size M global; size M.local local M;\n"                          \
    "resident r: f32[N, 4] split N.local; resident v: f32[M, 4] keyed M.local; resident t: f32[4] replicated;\n"               \
    "consts 64 { 0: f32 1, 2, 3, 4; }\n"

typedef struct program_case {
    const char *program; /* "(I) -> O { ... }" */
    const char *detail;  /* part of it; NULL: it is sound */
    psy_status status;
} program_case;

static psy_status decode(uint8_t *bytes, uint64_t n)
{
    psy__module m;
    return psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m);
}

static uint8_t *assemble(const char *program, uint64_t *n)
{
    char text[4096];
    uint8_t *bytes = NULL;
    const char *body = strchr(program, '{');
    unsigned slots = 0;
    for (const char *at = body; (at = strchr(at, '@')) != NULL; at++) {
        unsigned slot = (unsigned)strtoul(at + 1, NULL, 10);
        slots = slot + 1 > slots ? slot + 1 : slots;
    }
    snprintf(text, sizeof text, HEAD "program p%.*s slots %u %s\n", (int)(body - program), program, slots, body);
    psy_status status = psy__assemble_unverified(text, strlen(text), &bytes, n);
    cr_assert(status == PSY_OK, "%s: %s", program, psy_detail());
    return bytes;
}

static void expect(const char *name, psy_status status, psy_status wanted, const char *detail)
{
    cr_assert(status == wanted, "%s\n  gives %s: %s\n  not %s: %s", name, psy_status_name(status), status ? psy_detail() : "",
              psy_status_name(wanted), detail ? detail : "");
    cr_assert(!detail || strstr(psy_detail(), detail), "%s\n  says  %s\n  wants %s", name, psy_detail(), detail);
}

static void check_all(const program_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t n;
        uint8_t *bytes = assemble(cases[i].program, &n);
        psy_status wanted = cases[i].status ? cases[i].status : cases[i].detail ? PSY_CORRUPT : PSY_OK;
        expect(cases[i].program, decode(bytes, n), wanted, cases[i].detail);
        if (cases[i].detail && wanted == PSY_CORRUPT) {
            cr_assert(strstr(psy_detail(), "program p") == psy_detail(), "%s", psy_detail());
        }
        free(bytes);
    }
}
#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof(cases)[0])

#define TO_O "(I) -> O { "

Test(verify, dataflow)
{
    static const program_case cases[] = {
        {TO_O "%0: f32 = load.f32 s; store.f32 %0, s, -; }", NULL, 0},
        {TO_O "store.f32 %0, s, -; }", "operand 0 reads register 0, which is not written before", 0},
        {TO_O "%1: f32 @0 = neg.f32 %0; %0: f32 = load.f32 s; store.f32 %0, s, -; }",
         "word 0, neg: operand 0 reads register 0, which is not written before", 0},
        {TO_O "%0: f32 @0 = neg.f32 %0; store.f32 %0, s, -; }", "operand 0 reads register 0, which is not written before", 0},
        {TO_O "%0: f32 @0 = load.f32 s; store.f32 %0, s, -; }", "register 0 is a view and has a slot", 0},
        {TO_O "%0: f32 = load.f32 s; %1: f32 = neg.f32 %0; store.f32 %1, s, -; }", "register 1 has no slot", 0},
        {TO_O "%0: f32 = load.f32 s; }", "output field s is never stored", 0},
        {TO_O "%0: f32 = load.f32 s; store.f32 %0, s, -; store.f32 %0, s, -; }", "field 0 does not exist, or is stored twice",
         0},
        {TO_O "%0: u64 @0 = neg.u64 %1; %1: u64 = load.u64 u; }", "word 0, neg: it does not take dtype 9", 0},
    };
    CHECK_ALL(cases);
}

Test(verify, views)
{
    static const program_case cases[] = {
        {TO_O "%0: f32[4] = load.f32 a; %1: f32 = load.f32 s; store.f32 %1, s, -; }", NULL, 0},
        {TO_O "%0: f32[3] = load.f32 a; }", "load: its result has the wrong dims", 0},
        {TO_O "%0: f32 = load.f32 a; }", "load: its result has the wrong dims", 0},
        {TO_O "%0: f64 = load.f64 s; }", "load: field s has dtype f32", 0},
        {TO_O "%0: f64 = load.f32 s; }", "load: its result has dtype f64, not f32", 0},
        {"(K) -> O { %0: u8 = load.u8 p; }", "reading field p (part 64) is not supported", PSY_UNSUPPORTED},
        {"(K) -> K { %0: u8 = load.u8 p.x; store.u8 %0, p.x, -; }", "output field o is never stored", 0},
        {"(K) -> K { %0: u8 = load.u8 p.x; store.u8 %0, p, -; }", "writing field p (part 64) is not supported",
         PSY_UNSUPPORTED},
        {TO_O "%0: f32[N.local, 4] = resident.f32 r; %1: f32 = load.f32 s; store.f32 %1, s, -; }", NULL, 0},
        {TO_O "%0: f32[N, 4] = resident.f32 r; }", "resident: its result has the wrong dims", 0},
        {TO_O "%0: f64[N.local, 4] = resident.f64 r; }", "there is no resident 0 of that dtype", 0},
        {TO_O "%0: f32[4] = resident.f32 t; %1: f32 = load.f32 s; store.f32 %1, s, -; }", NULL, 0},
        {TO_O "%0: f32[16] = const.f32 0; %1: f32 = load.f32 s; store.f32 %1, s, -; }", NULL, 0},
        {TO_O "%0: f32[17] = const.f32 0; }", "constant 0 lies outside of the constants", 0},
        {TO_O "%0: f32 = const.f32 64; }", "constant 64 lies outside of the constants", 0},
        {TO_O "%0: f32 = const.f32 4294967292; }", "constant 4294967292 lies outside of the constants", 0},
        {TO_O "%0: f32 = const.f32 2; }", "constant 2 is not aligned", 0},
        {TO_O "%0: f32[N] = const.f32 0; }", "its dims are not literals", 0},
        {TO_O "%0: f32[2147483647, 2147483647, 2147483647] = const.f32 0; }", "its dims are not literals", 0},
        {TO_O "%0: f32[2147483647, 2147483647] = const.f32 0; }", "lies outside of the constants", 0},
        {TO_O "%0: u64 @0 = size.u64 N; %1: f32 = load.f32 s; store.f32 %1, s, -; }", NULL, 0},
        {TO_O "%0: u64 @0 = size.u64 -; }", "size: its dim does not exist", 0},
        {TO_O "%0: u64[1] @0 = size.u64 4; }", "size: its result has the wrong dims", 0},
        {"(I, partial P) -> O { %0: f32[shards, 4] = partial.f32 a; %1: f64[shards] = partial.f64 s;"
         " %2: f32 = load.f32 s; store.f32 %2, s, -; }",
         NULL, 0},
        {"(I, partial P) -> O { %0: f32[N, 4] = partial.f32 a; }", "its first dim is not the shards", 0},
        {"(I, partial P) -> O { %0: f32 = partial.f32 a; }", "its first dim is not the shards", 0},
        {"(I, partial P) -> O { %0: f32[shards] = partial.f32 a; }", "its result has the wrong dims", 0},
        {"(I, partial V) -> O { %0: f32[shards, 4] = partial.f32 n; }", "reading field n (f32[<=4]) is not supported",
         PSY_UNSUPPORTED},
        {TO_O "%0: u64 = load.u64 u; %1: f32[4] = lookup.f32 v, %0; %2: f32 = load.f32 s; store.f32 %2, s, -; }", NULL, 0},
        {TO_O "%0: u64 = load.u64 u; %1: f32[4] = lookup.f32 r, %0; }", "there is no resident 0 by key of that dtype", 0},
        {TO_O "%0: f32 = load.f32 s; %1: f32[4] = lookup.f32 v, %0; }", "its key is no u64 scalar", 0},
        {TO_O "%0: u64[4] = load.u64 l; %1: f32[4] = lookup.f32 v, %0; }", "its key is no u64 scalar", 0},
        {TO_O "%0: u64 = load.u64 u; %1: f32[M.local, 4] = lookup.f32 v, %0; }", "lookup: its result has the wrong dims", 0},
    };
    CHECK_ALL(cases);
}

/* What may be shorter, or not there, and texts. */
#define L_O   "%0: f32 = load.f32 o; store.f32 %0, o, -; "
#define L_T   "%1: u8[4] = load.u8 t; store.u8 %1, t, -; "
#define L_W   "%2: u8[4, 4] = load.u8 w; %3: u32[4] = lengths.u32 w; store.u8 %2, w, -; store_lengths.u32 %3, w; "
#define L_X   "%4: u8[3, 4] = load.u8 x; %5: u32[3] = lengths.u32 x; store.u8 %4, x, -; "
#define L_ALL "(L) -> L { " L_O L_T L_W L_X "store_lengths.u32 %5, x; }"

Test(verify, fields)
{
    static const program_case cases[] = {
        {L_ALL, NULL, 0},
        {"(I) -> O { %0: f32[4] = load.f32 n; %1: u32 = count.u32 n; %2: f32 = load.f32 s; store.f32 %2, s, -; }", NULL, 0},
        {"(K) -> O { %0: f32[4] = load.f32 q; %1: u8 = count.u8 q; %2: f32 = load.f32 o; store.f32 %2, s, -; }", NULL, 0},
        {"(K) -> O { %0: f32[3] = load.f32 q; }", "load: its result has the wrong dims", 0},
        {"(L) -> O { %0: u8[16] = load.u8 w; }", "load: its result has the wrong dims", 0},
        {"(I) -> O { %0: u8 = count.u8 n; }", "count: the count of field n has another dtype", 0},
        {"(K) -> O { %0: u32 = count.u32 o; }", "count: the count of field o has another dtype", 0},
        {"(I) -> O { %0: u64 = count.u64 n; }", "count: it does not take dtype", 0},
        {"(I) -> O { %0: u32 = count.u32 a; }", "count: field a has no count", 0},
        {"(K) -> O { %0: u32 = count.u32 e; }", "count: field e has no count", 0},
        {"(I) -> O { %0: u32[1] = count.u32 n; }", "count: its result has the wrong dims", 0},
        {"(I) -> O { %0: u32 @0 = count.u32 n; }", "register 0 is a view and has a slot", 0},
        {"(L) -> O { %0: u32[4] = lengths.u32 t; }", "lengths: field t is not several texts", 0},
        {"(L) -> O { %0: u32[4] = lengths.u32 x; }", "lengths: its result has the wrong dims", 0},
        {"(I) -> V { %0: f32[4] = load.f32 a; store.f32 %0, a, -; %1: u32 = count.u32 n; store.f32 %0, n, %1; }", NULL, 0},
        {"(L) -> L { " L_O L_T L_W L_X "}", "the lengths of output field x are never stored", 0},
        {"(L) -> L { " L_O L_T L_W "store_lengths.u32 %3, w; }", "its lengths are stored twice", 0},
        {"(L) -> L { " L_O L_T "store_lengths.u32 %1, w; }", "store_lengths: its operand does not fit field w", 0},
        {"(L) -> L { " L_O L_T L_W "store_lengths.u32 %3, t; }", "store_lengths: field 1 is not several texts", 0},
        {"(L) -> L { " L_O L_T L_W "store_lengths.u32 %3, x; }", "store_lengths: its operand does not fit field x", 0},
        {"(L) -> L { " L_O L_T L_W "store.u8 %2, x, -; }", "store: its operand does not fit field x", 0},
        {"(L) -> L { %0: f32 = load.f32 o; %1: u8 = count.u8 o; store.f32 %0, o, %1; }",
         "whether field o is there is no truth value", 0},
        {"(L) -> L { %0: f32 = load.f32 o; %1: u8 = count.u8 o; %2: bool @0 = cast.bool %1; store.f32 %0, o, %2; }",
         "output field t is never stored", 0},
        {"(I, partial L) -> O { %0: u8[shards, 4] = partial.u8 t; }", "reading field t (string[<=4]) is not supported",
         PSY_UNSUPPORTED},
    };
    CHECK_ALL(cases);
}

Test(verify, shapes)
{
#define AB  TO_O "%0: f32[4] = load.f32 a; %1: f32[3] = load.f32 b; %2: f32 = load.f32 s; %3: f32[N.local, 4] = resident.f32 r; "
#define END " store.f32 %2, s, -; }"
    static const program_case cases[] = {
        {AB "%4: f32[4] @0 = add.f32 %0, %2;" END, NULL, 0},
        {AB "%4: f32[N.local, 4] @0 = add.f32 %0, %3;" END, NULL, 0},
        {AB "%4: f32[4] @0 = add.f32 %0, %1;" END, "add: its operands do not broadcast", 0},
        {AB "%4: f32[3] @0 = add.f32 %0, %2;" END, "add: its result has the wrong dims", 0},
        {AB "%4: f32 @0 = add.f32 %0, %2;" END, "add: its result has the wrong dims", 0},
        {AB "%4: f64[4] @0 = add.f64 %0, %2;" END, "operand 0 has dtype f32, not f64", 0},
        {AB "%4: i32 = load.i32 i; %5: i32 @0 = add.i32 %4, %2;" END, "operand 1 has dtype f32, not i32", 0},
        {AB "%4: f32[4] @0 = sqrt.f32 %3;" END, "sqrt: its result has the wrong dims", 0},
        {AB "%4: f16 = load.f16 h; %5: f32 @0 = cast.f32 %4;" END, NULL, 0},
        {AB "%4: bf16 @0 = cast.bf16 %2;" END, NULL, 0},
        {AB "%4: i32[4] @0 = cast.i32 %2;" END, "cast: its result has the wrong dims", 0},
        {AB "%4: f32[4] @0 = sum.f32 %3, 0;" END, NULL, 0},
        {AB "%4: f32[N.local] @0 = sum.f32 %3, 0;" END, "sum: its result has the wrong dims", 0},
        {AB "%4: f32 @0 = sum.f32 %3, 2;" END, "there is no axis 2 to reduce", 0},
        {AB "%4: f32 @0 = sum.f32 %2, 0;" END, "there is no axis 0 to reduce", 0},
        {AB "%4: f32[N.local] @0 = dot.f32 %3, %0;" END, NULL, 0},
        {AB "%4: f32 @0 = dot.f32 %0, %1;" END, "dot: its operands do not broadcast", 0},
        {AB "%4: f32 @0 = dot.f32 %2, %2;" END, "axis 4294967295 to reduce", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, N.local;" END, NULL, 0},
        {AB "%4: f32[3] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, -;" END, "topk: its result has the wrong dims", 0},
        {AB "%4: f32[2] @0, %5: u64[3] @1 = topk.f32 %0, -, 2, -;" END, "topk: its result has the wrong dims", 0},
        {AB "%4: f32[2] @0, %5: u32[2] @1 = topk.f32 %0, -, 2, -;" END, "its result has dtype u32, not u64", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %2, -, 2, -;" END, "it takes an operand of rank 1 or more and k of 1 to",
         0},
        {AB "%4: f32[0] @0, %5: u64[0] @1 = topk.f32 %0, -, 0, -;" END, "k of 1 to 65536", 0},
        {AB "%4: f32[65537] @0, %5: u64[65537] @1 = topk.f32 %0, -, 65537, -;" END, "k of 1 to 65536", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, %1, 2, -;" END, "its labels do not fit its operand", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, N;" END, "its row base is no local size", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, 7;" END, "its row base is no local size", 0},
        {AB "%4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, 0;" END, "its row base is no local size", 0},
        {AB "%4: u64[4] = load.u64 l; %5: f32[2] @0, %6: u64[2] @1 = topk.f32 %0, %4, 2, 0;" END, NULL, 0},
        {AB "%4: u64[4] = load.u64 l; %5: f32[2] @0, %6: u64[2] @1 = topk.f32 %0, %4, 2, 7;" END,
         "its row base is no local size", 0},
        {AB "%4: u64 @0 = base.u64 N.local;" END, NULL, 0},
        {AB "%4: u64 @0 = base.u64 N;" END, "base: its dim is no local size", 0},
        {AB "%4: u64 @0 = base.u64 7;" END, "base: its dim is no local size", 0},
        {AB "%4: u64[4] = load.u64 l; %5: f32[2] @0, %6: u64[2] @1 = topk.f32 %0, %4, 2, N.local;" END,
         "its row base is no local size", 0},
    };
    CHECK_ALL(cases);
}

/* Operands and results of other dtypes than the instruction's; three operands. */
Test(verify, truth_values)
{
#define T AB "%4: bool[4] @0 = lt.f32 %0, %2; "
    static const program_case cases[] = {
        {T "%5: f32[4] @1 = choose.f32 %4, %0, %2;" END, NULL, 0},
        {T "%5: bool[4] @1 = choose.bool %4, %4, %4; %6: bool @2 = all.bool %5, 0;" END, NULL, 0},
        {T "%5: f32[N.local, 4] @1 = choose.f32 %4, %2, %3;" END, NULL, 0},
        {T "%5: f32[4] @1 = choose.f32 %0, %0, %2;" END, "operand 0 has dtype f32, not bool", 0},
        {T "%5: f32[4] @1 = choose.f32 %4, %4, %2;" END, "operand 1 has dtype bool, not f32", 0},
        {T "%5: f32[4] @1 = choose.f32 %4, %0, %1;" END, "choose: its operands do not broadcast", 0},
        {T "%5: bool[4] @1 = choose.f32 %4, %0, %0;" END, "its result has dtype bool, not f32", 0},
        {T "%5: f32[4] @1 = lt.f32 %0, %2;" END, "its result has dtype f32, not bool", 0},
        {T "%5: bool[3] @1 = lt.f32 %0, %2;" END, "lt: its result has the wrong dims", 0},
        {T "%5: bool[4] @1 = lt.bool %4, %4;" END, "lt: it does not take dtype 1", 0},
        {T "%5: bool[4] @1 = eq.bool %4, %4;" END, NULL, 0},
        {T "%5: bool[4] @1 = eq.f32 %4, %4;" END, "operand 0 has dtype bool, not f32", 0},
        {T "%5: bool[4] @1 = add.bool %4, %4;" END, "add: it does not take dtype 1", 0},
        {T "%5: f32[4] @1 = xor.f32 %0, %0;" END, "xor: it does not take dtype 12", 0},
        {T "%5: f32 @1 = any.f32 %0, 0;" END, "any: it does not take dtype 12", 0},
        {T "%5: bool @1 = any.bool %4, 1;" END, "there is no axis 1 to reduce", 0},
        {AB "%4: f32[4] @0 = fma.f32 %0, %2, %0;" END, NULL, 0},
        {AB "%4: f32[4] @0 = fma.f32 %0, %2, %1;" END, "fma: its operands do not broadcast", 0},
        {AB "%4: f64 @0 = size.f64 4; %5: f32[4] @1 = fma.f32 %0, %2, %4;" END, "operand 2 has dtype f64, not f32", 0},
        {AB "%4: i32 = load.i32 i; %5: i32 @0 = fma.i32 %4, %4, %4;" END, "fma: it does not take dtype 4", 0},
        {AB "region [4] { %4: bool[4] = le.f32 %0, %2; %5: f32[4] @0 = choose.f32 %4, %0, %2; }" END, NULL, 0},
        {AB "region [N.local, 4] reduces { %4: bool[N.local, 4] = le.f32 %3, %2; %5: bool[N.local] = any.bool %4, 1;"
            " %6: bool[N.local] @0 = not.bool %5; }" END,
         NULL, 0},
        {AB "region [N.local, 4] { %4: bool[4] @0 = le.f32 %0, %2; }" END, "its dims are not its region's", 0},
    };
    CHECK_ALL(cases);
}

Test(verify, views_of_values)
{
#define W AB "%4: f32[4] @0 = neg.f32 %0; "
    static const program_case cases[] = {
        {W "%5: f32[2, 1, 2] = reshape.f32 %4; %6: f32[4] = reshape.f32 %5;" END, NULL, 0},
        {W "%5: f32[4, N.local] = reshape.f32 %3;" END, NULL, 0}, /* whether it fits is known when N.local is */
        {W "%5: f32[2, 2] @1 = reshape.f32 %4;" END, "register 5 is a view and has a slot", 0},
        {W "%5: f32[5] = reshape.f32 %4;" END, "its result has another number of elements", 0},
        {W "%5: f32 = reshape.f32 %2; %6: f32[1, 1] = reshape.f32 %5;" END, NULL, 0},
        {W "%5: f64[4] = reshape.f32 %4;" END, "its result has dtype f64, not f32", 0},
        {W "%5: f64[4] = reshape.f64 %4;" END, "operand 0 has dtype f32, not f64", 0},
        {W "%5: f32[2147483647, 2147483647, 2147483647] = reshape.f32 %4;" END, "another number of elements", 0},
        {W "%5: f32[2, 4] = repeat.f32 %4; %6: f32[2, 2] = slice.f32 %5, 1, 0, 2; %7: f32[4] = reshape.f32 %6;" END,
         "the elements of its operand do not lie one after the other", 0},
        {W "%5: f32[4] = permute.f32 %4, 0; %6: f32[2, 2] = reshape.f32 %5;" END, "do not lie one after the other", 0},
        {W "%5: f32[2, 4] = repeat.f32 %4; %6: f32[8] = reshape.f32 %5;" END, "do not lie one after the other", 0},
        {"(I, partial P) -> O { %0: f32[shards, 4] = partial.f32 a; %1: f32[4, shards] = reshape.f32 %0; }",
         "do not lie one after the other", 0},
        {"(I, partial P) -> O { %0: f32[shards, 4] = partial.f32 a; %1: f32[4, shards] = permute.f32 %0, 1;"
         " %2: f32 = load.f32 s; store.f32 %2, s, -; }",
         NULL, 0},
        {W "%5: f32[4, N.local] = permute.f32 %3, 1;" END, NULL, 0},
        {W "%5: f32[N.local, 4] = permute.f32 %3, 16;" END, NULL, 0},
        {W "%5: f32[4, N.local] = permute.f32 %3, 16;" END, "permute: its result has the wrong dims", 0},
        {W "%5: f32[N.local, 4] = permute.f32 %3, 17;" END, "its order of axes is none", 0},  /* an axis twice */
        {W "%5: f32[N.local, 4] = permute.f32 %3, 32;" END, "its order of axes is none", 0},  /* axis 2 */
        {W "%5: f32[N.local, 4] = permute.f32 %3, 272;" END, "its order of axes is none", 0}, /* bits beyond the rank */
        {W "%5: f32 = permute.f32 %2, 0;" END, NULL, 0},
        {W "%5: f32 = permute.f32 %2, 1;" END, "its order of axes is none", 0},
        {W "%5: f32[2] = slice.f32 %4, 0, 3, -3;" END, NULL, 0},
        {W "%5: f32[3] = slice.f32 %4, 0, 3, -3;" END, "it goes outside of axis 0", 0},
        {W "%5: f32[2] = slice.f32 %4, 0, 3, 1;" END, "it goes outside of axis 0", 0},
        {W "%5: f32[1] = slice.f32 %4, 0, 4, 1;" END, "it goes outside of axis 0", 0},
        {W "%5: f32[0] = slice.f32 %4, 0, 4, 1;" END, NULL, 0},
        {W "%5: f32[0] = slice.f32 %4, 0, 5, 1;" END, "it goes outside of axis 0", 0},
        {W "%5: f32[2] = slice.f32 %4, 0, 1, 2147483647;" END, "it goes outside of axis 0", 0},
        {W "%5: f32[2] = slice.f32 %4, 0, 1, 0;" END, "its axis, start or step is out of range", 0},
        {W "%5: f32[2] = slice.f32 %4, 1, 1, 1;" END, "its axis, start or step is out of range", 0},
        {W "%5: f32[2] = slice.f32 %4, 0, -, 1;" END, "its axis, start or step is out of range", 0},
        {W "%5: f32 = slice.f32 %4, 0, 1, 1;" END, "its axis, start or step is out of range", 0},
        {W "%5: f32[N, 4] = slice.f32 %3, 0, M, -2;" END, NULL, 0},
        {W "%5: f32[2, 3] = slice.f32 %3, 0, 1, 1;" END, "slice: its result has the wrong dims", 0},
        {W "%5: f32[N.local, 2, 4] = repeat.f32 %4;" END, NULL, 0},
        {W "%5: f32[M, N.local, 4] = repeat.f32 %3; %6: f32[7] = repeat.f32 %2;" END, NULL, 0},
        {W "%5: f32[4, 2] = repeat.f32 %4;" END, "its operand cannot be broadcast to its result", 0},
        {W "%5: f32[4] = repeat.f32 %3;" END, "its operand cannot be broadcast to its result", 0},
        {W "%5: f32[M, 4] = repeat.f32 %3;" END, "its operand cannot be broadcast to its result", 0},
        {W "region [4] { %5: f32[2, 2] = reshape.f32 %4; }" END, "reshape: it cannot be in a region", 0},
        {W "region [4] { %5: f32[4] = neg.f32 %4; } %6: f32[2, 2] = reshape.f32 %5;" END,
         "register 5 lives only inside its region", 0},
        {W "%5: f32[4] = slice.f32 %4, 0, 3, -1; region [4] { %6: f32[4] @1 = add.f32 %5, %0; }" END, NULL, 0},
    };
    CHECK_ALL(cases);
}

Test(verify, moves)
{
#define V AB "%4: i32 = load.i32 i; %5: u64[4] = load.u64 l; %6: f32[2, 4] = const.f32 0; "
    static const program_case cases[] = {
        {V "%7: i32[3, N] @0 = iota.i32 1;" END, NULL, 0},
        {V "%7: i32[3, N] @0 = iota.i32 2;" END, "there is no axis 2", 0},
        {V "%7: i32 @0 = iota.i32 0;" END, "there is no axis 0", 0},
        {V "%7: i32[3] @0 = iota.f32 0;" END, "its result has dtype i32, not f32", 0},
        {V "%7: i32[3] = iota.i32 0;" END, "register 7 has no slot", 0},
        {V "region [3] { %7: i32[3] @0 = iota.i32 0; }" END, "iota: it cannot be in a region", 0},
        {V "%7: f32[11] @0 = concat.f32 0, %0, %1, %0;" END, NULL, 0},
        {V "%7: f32[12] @0 = concat.f32 0, %0, %1, %0;" END, "its result is not as long as its operands together", 0},
        {V "%7: f32[N, 4] @0 = concat.f32 0, %3, %6;" END, NULL, 0}, /* known when sizes are */
        {V "%7: f32[3, 8] @0 = concat.f32 1, %6, %6;" END, "concat: its result has the wrong dims", 0},
        {V "%7: f32[2, 8] @0 = concat.f32 1, %6, %6;" END, NULL, 0},
        {V "%7: f32[2, 8] @0 = concat.f32 1, %6, %0;" END, "operand 2 has other dims", 0},
        {V "%7: f32[2, 8] @0 = concat.f32 1, %6, %3;" END, "operand 2 has other dims", 0},
        {V "%7: f32[8] @0 = concat.f32 1, %0, %0;" END, "there is no axis 1 to join along", 0},
        {V "%7: f32[2] @0 = concat.f32 0, %2, %2;" END, "there is no axis 0 to join along", 0},
        {V "%7: f32[8, 1] @0 = concat.f32 0, %0, %0;" END, "there is no axis 0 to join along", 0},
        {V "%7: f32[8] @0 = concat.f32 0, %0, %5;" END, "operand 2 has dtype u64, not f32", 0},
        {V "%7: f32[4] @0 = gather.f32 %0, %5, 0;" END, NULL, 0},
        {V "%7: f32[N.local] @0 = gather.f32 %3, %4, 1;" END, NULL, 0},
        {V "%7: f32[N.local, 4] @0 = gather.f32 %3, %5, 1;" END, NULL, 0},
        {V "%7: f32[4, 4] @0 = gather.f32 %3, %5, 0;" END, NULL, 0},
        {V "%7: f32[4, N.local] @0 = gather.f32 %3, %5, 1;" END, "gather: its result has the wrong dims", 0},
        {V "%7: f32[4] @0 = gather.f32 %0, %0, 0;" END, "its axis or its numbers do not fit its operand", 0},
        {V "%7: f32[4] @0 = gather.f32 %0, %5, 1;" END, "its axis or its numbers do not fit its operand", 0},
        {V "%7: f32 @0 = gather.f32 %2, %4, 0;" END, "its axis or its numbers do not fit its operand", 0},
        {V "%7: u64[1, 1, 1, 1, 4] = reshape.u64 %5; %8: f32[4, 1, 1, 1, 1] = reshape.f32 %0;"
           " %9: f32[4] @0 = gather.f32 %8, %7, 0;" END,
         "its axis or its numbers do not fit its operand", 0}, /* rank 9 */
        {V "%7: f32[4] @0 = scatter.f32 %0, %5, %0;" END, NULL, 0},
        {V "%7: f32[N.local, 4] @0 = scatter.f32 %3, %5, %8;" END, "operand 2 reads register 8", 0},
        {V "%7: f32[4, 4] = repeat.f32 %0; %8: f32[N.local, 4] @0 = scatter.f32 %3, %5, %7;" END, NULL, 0},
        {V "%7: f32[4] @0 = scatter.f32 %0, %4, %0;" END, "its operands do not fit each other", 0},
        {V "%7: f32[4] @0 = scatter.f32 %0, %0, %0;" END, "its operands do not fit each other", 0},
        {V "%7: f32[4] @0 = scatter.f32 %0, %5, %1;" END, "its operands do not fit each other", 0},
        {V "%7: f32[N.local, 4] @0 = scatter.f32 %3, %5, %0;" END, "its operands do not fit each other", 0},
        {V "%7: f32[4, 3] = repeat.f32 %1; %8: f32[N.local, 4] @0 = scatter.f32 %3, %5, %7;" END, "do not fit each other", 0},
        {V "%7: f32 @0 = scatter.f32 %2, %5, %0;" END, "its operands do not fit each other", 0},
        {V "%7: u64[4] @0 = scatter.u64 %0, %5, %5;" END, "operand 0 has dtype f32, not u64", 0},
        {V "%7: f32[4] @0 = scatter.f32 %0, %5, %5;" END, "operand 2 has dtype u64, not f32", 0},
        {V "%7: f32[N.local, 4] @0 = cumsum.f32 %3, 1;" END, NULL, 0},
        {V "%7: f32[N.local] @0 = cumsum.f32 %3, 1;" END, "cumsum: its result has the wrong dims", 0},
        {V "%7: f32[N.local, 4] @0 = cumsum.f32 %3, 2;" END, "there is no axis 2", 0},
        {V "%7: f32 @0 = cumsum.f32 %2, 0;" END, "there is no axis 0", 0},
        {V "region [4] reduces { %7: f32[4] @0 = cumsum.f32 %0, 0; }" END, "cumsum: it cannot be in a region", 0},
        {V "%7: f32[N.local, 2] @0, %8: u64[N.local, 2] @1 = sort.f32 %3, 2, 1;" END, NULL, 0},
        {V "%7: f32[N.local, M] @0, %8: u64[N.local, M] @1 = sort.f32 %3, M, 0;" END, NULL, 0},
        {V "%7: f32[0] @0, %8: u64[0] @1 = sort.f32 %0, 0, 0;" END, NULL, 0},
        {V "%7: f32[5] @0, %8: u64[5] @1 = sort.f32 %0, 5, 0;" END, "it wants more elements than there are, or another order",
         0},
        {V "%7: f32[4] @0, %8: u64[4] @1 = sort.f32 %0, 4, 2;" END, "it wants more elements than there are, or another order",
         0},
        {V "%7: f32[4] @0, %8: u64[4] @1 = sort.f32 %0, -, 0;" END, "it wants more elements than there are, or another order",
         0},
        {V "%7: f32 @0, %8: u64 @1 = sort.f32 %2, 1, 0;" END, "it wants more elements than there are, or another order", 0},
        {V "%7: f32[3] @0, %8: u64[4] @1 = sort.f32 %0, 4, 0;" END, "sort: its result has the wrong dims", 0},
        {V "%7: f32[4] @0, %8: u32[4] @1 = sort.f32 %0, 4, 0;" END, "its result has dtype u32, not u64", 0},
    };
    CHECK_ALL(cases);
}

Test(verify, stores)
{
#define TO_V "(I) -> V { %0: f32[4] = load.f32 a; %1: f32[3] = load.f32 b; %2: f32 = load.f32 s; %3: u64 = load.u64 u; "
    static const program_case cases[] = {
        {TO_V "store.f32 %0, a, -; store.f32 %1, n, %3; }", NULL, 0},
        {TO_V "store.f32 %1, a, -; store.f32 %1, n, -; }", "its operand does not fit field a", 0},
        {TO_V "store.f32 %0, a, -; store.f32 %2, n, -; }", "its operand does not fit field n", 0},
        {TO_V "store.f32 %0, a, %3; store.f32 %1, n, -; }", "its length is no integer scalar, or field a takes none", 0},
        {TO_V "store.f32 %0, a, -; store.f32 %1, n, %2; }", "its length is no integer scalar, or field n takes none", 0},
        {TO_V "store.u64 %3, a, -; store.f32 %1, n, -; }", "store: field a has dtype f32", 0},
        {TO_V "store.f32 %3, a, -; store.f32 %1, n, -; }", "store: field a has dtype f32", 0},
        {TO_O "%0: f32[N.local, 4] = resident.f32 r; %1: f32[4] @0 = rmax.f32 %0, 0; store.f32 %1, s, -; }",
         "its operand does not fit field s", 0},
    };
    CHECK_ALL(cases);
}

Test(verify, regions)
{
#define R TO_O "%0: f32[4] = load.f32 a; %1: f32[N.local, 4] = resident.f32 r; %2: f32 = load.f32 s; %3: f32[3] = load.f32 b; "
    static const program_case cases[] = {
        {R "region [N.local, 4] { %4: f32[N.local, 4] = add.f32 %1, %0; %5: f32[N.local, 4] @0 = neg.f32 %4; }" END, NULL, 0},
        {R "region [N.local, 4] reduces { %4: f32[N.local, 4] = add.f32 %1, %0; %5: f32[N.local] = sum.f32 %4, 1;"
           " %6: f32[N.local] @0 = neg.f32 %5; }" END,
         NULL, 0},
        {R "region { %4: f32 @0 = neg.f32 %2; }" END, NULL, 0},
        {R "region [N.local, 4] { %4: f32[N.local, 4] = neg.f32 %1; } %5: f32[N.local, 4] @0 = neg.f32 %4;" END,
         "register 4 lives only inside its region", 0},
        {R "region [N.local, 4] { %4: f32[N.local, 4] = neg.f32 %1; } region [N.local, 4] { %5: f32[N.local, 4] @0 = neg.f32 "
           "%4; }" END,
         "register 4 lives only inside its region", 0},
        {R "region [N.local, 4] { %4: f32[4] @0 = neg.f32 %0; }" END, "its dims are not its region's, or it comes too late", 0},
        {R "region [N.local, 4] reduces { %4: f32[N.local] = sum.f32 %1, 1; %5: f32[N.local, 4] @0 = neg.f32 %1; }" END, NULL,
         0},
        {R "region [N.local, 4] reduces { %4: f32[N.local] = sum.f32 %1, 1; %5: f32[N.local] @0 = neg.f32 %4;"
           " %6: f32[N.local, 4] @1 = neg.f32 %1; }" END,
         "its dims are not its region's, or it comes too late", 0},
        {R "region [N.local, 4] reduces { %4: f32[N.local] = sum.f32 %1, 1; %5: f32[N.local] @0 = neg.f32 %4;"
           " %6: f32[N.local] @1 = rmax.f32 %1, 1; }" END,
         "not a reduction of its region's last dim, or comes too late", 0},
        {R "region [N.local, 4] reduces { %4: f32[4] @0 = sum.f32 %1, 0; }" END, "not a reduction of its region's last dim", 0},
        {R "region [N.local, 4] { %4: f32[N.local] @0 = sum.f32 %1, 1; }" END, "not a reduction of its region's last dim", 0},
        {R "region [N.local, 4] reduces { %4: f32 @0 = sum.f32 %0, 0; }" END, "not a reduction of its region's last dim", 0},
        {R "region [N.local, 4] reduces { %4: f32[N.local, 4] @0 = neg.f32 %1; }" END,
         "its region ends without the reduction that it announced", 0},
        {R "region [4, 4] reduces { %4: f32[4, 4] = add.f32 %0, %5; %5: f32[4] @0 = sum.f32 %4, 1; }" END,
         "register 5, which is not written", 0},
        {R "%4: f32[4, 1] = const.f32 0; region [4, 4] reduces { %5: f32[4, 4] = add.f32 %0, %4; %6: f32[4] = sum.f32 %5, 1;"
           " %7: f32[4, 4] @0 = add.f32 %5, %6; }" END,
         "it reads a reduction of its own region too early", 0},
        {R "%4: f32[4, 1] = const.f32 0; region [4, 4] reduces { %5: f32[4, 4] = add.f32 %0, %4; %6: f32[4] = sum.f32 %5, 1;"
           " %7: f32[4] @0 = dot.f32 %5, %6; }" END,
         "it reads a reduction of its own region too early", 0},
        {R "region [4] { %4: f32[4] = load.f32 a; }" END, "load: it cannot be in a region", 0},
        {R "region [4] { store.f32 %2, s, -; } }", "store: it cannot be in a region", 0},
        {R "region [4] { %4: f32[2] @0, %5: u64[2] @1 = topk.f32 %0, -, 2, -; }" END, "topk: it cannot be in a region", 0},
        {R "region [4] { }" END, "its counts are out of range", 0},
        {R "region reduces { %4: f32 @0 = neg.f32 %2; }" END, "its counts are out of range", 0},
    };
    CHECK_ALL(cases);
}

Test(verify, slots)
{
#define L TO_O "%0: f32[4] = load.f32 a; %1: f32[N.local, 4] = resident.f32 r; %2: f32 = load.f32 s; "
    static const program_case cases[] = {
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[4] @1 = neg.f32 %3; %5: f32[4] @0 = neg.f32 %4;" END, NULL, 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[4] @0 = neg.f32 %3;" END, "registers 3 and 4 share slot 0 while both are alive",
         0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[4] @0 = neg.f32 %0; %5: f32[4] @1 = add.f32 %3, %4;" END,
         "registers 3 and 4 share slot 0 while both are alive", 0},
        {L "%3: f32[2] @0, %4: u64[2] @0 = topk.f32 %0, -, 2, -;" END, "registers 3 and 4 share slot 0 while both are alive",
         0},
        {L "%3: f32[4] @0 = neg.f32 %0; region [4] { %4: f32[4] @1 = neg.f32 %0; %5: f32[4] @0 = neg.f32 %3; }" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        {L "region [4] { %3: f32[4] @0 = neg.f32 %0; %4: f32[4] @0 = neg.f32 %0; }" END,
         "registers 3 and 4 share slot 0 while both are alive", 0},
        /* A uniform value is made once, at bind: a batched one would overwrite it. */
        {L "%3: f32[N.local, 4] @0 = neg.f32 %1; %4: f32[4] @0 = neg.f32 %0;" END, "share slot 0, but only one is batched", 0},
        {L "%3: f32[N.local, 4] @0 = neg.f32 %1; %4: f32[N.local, 4] @1 = neg.f32 %3; %5: f32[N.local, 4] @0 = neg.f32 %4;" END,
         NULL, 0},
        {L "%3: f32[N.local, 4] @0 = neg.f32 %1; %4: f32[N.local, 4] @1 = add.f32 %3, %0; %5: f32[N.local, 4] @0 = neg.f32 "
           "%1;" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        /* What is read through a view, or a view of it, keeps its slot. */
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2, 2] = reshape.f32 %3; %5: f32[4] @0 = neg.f32 %0;" END, NULL, 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2, 2] = reshape.f32 %3; %5: f32[4] @0 = neg.f32 %0;"
           " %6: f32[2, 2] @1 = neg.f32 %4;" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2, 2] = reshape.f32 %3; %5: f32[2, 2] = permute.f32 %4, 1;"
           " %6: f32[1, 2] = slice.f32 %5, 0, 1, 1; %7: f32[4] @0 = neg.f32 %0; %8: f32[1, 2] @1 = neg.f32 %6;" END,
         "registers 3 and 7 share slot 0 while both are alive", 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2, 2] = reshape.f32 %3; %5: f32[2, 2] @0 = neg.f32 %4;" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2, 4] = repeat.f32 %3; region [2, 4] { %5: f32[2, 4] @0 = neg.f32 %4; }" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2] = slice.f32 %3, 0, 0, 1; %5: f32[4] @0 = concat.f32 0, %4, %4;" END,
         "registers 3 and 5 share slot 0 while both are alive", 0},
        {L "%3: f32[4] @0 = neg.f32 %0; %4: f32[2] = slice.f32 %3, 0, 0, 1; %5: f32[4] @1 = concat.f32 0, %4, %4;"
           " %6: f32[4] @0 = neg.f32 %5;" END,
         NULL, 0},
        {L "%3: f32[N.local, 4] @0 = neg.f32 %1; %4: f32[4, N.local] = permute.f32 %3, 1; %5: f32[N.local] @1 = dot.f32 %1, %0;"
           " %6: f32[4, N.local] @2 = add.f32 %4, %5; %7: f32[N.local, 4] @0 = neg.f32 %1;" END,
         "registers 3 and 7 share slot 0 while both are alive", 0}, /* uniform, and a batched one reads a view of it */
        {L "%3: f32[4] @0, %4: u64[4] @0 = sort.f32 %0, 4, 0;" END, "registers 3 and 4 share slot 0 while both are alive", 0},
        {"(I) -> O { %0: f32 @0 = size.f32 3; store.f32 %0, s, -; %1: f32 @0 = size.f32 4; }",
         "registers 0 and 1 share slot 0 while both are alive", 0},
    };
    CHECK_ALL(cases);
}

/* What the text cannot say: words of the code changed by hand. */
Test(verify, words)
{
    /* 0 load, 4 load, 8 neg, 12 region, 18 neg, 22 store, 28 end */
    static const char program[] = "(I) -> O { %0: f32 = load.f32 s; %1: f32[4] = load.f32 a; %2: f32 @0 = neg.f32 %0;"
                                  " region [4] { %3: f32[4] @1 = neg.f32 %1; } store.f32 %2, s, -; }";
    static const struct {
        uint32_t word, and_, or_;
        psy_status status;
        const char *detail;
    } cases[] = {
        {0, ~0u, 0, PSY_OK, NULL},
        {0, ~0xffu, 200, PSY_UNSUPPORTED, "operation 200 is not known"},
        {0, ~0xffu, 0, PSY_UNSUPPORTED, "operation 0 is not known"},
        {0, ~0xff00u, 99u << 8, PSY_CORRUPT, "it does not take dtype 99"},
        {0, ~0u, 1u << 16, PSY_CORRUPT, "reserved bits are set"},
        {1, ~0u, 1u << 16, PSY_CORRUPT, "reserved bits are set"},
        {3, ~0u, 1, PSY_CORRUPT, "reserved bits are set"},
        {0, ~0xff000000u, 2u << 24, PSY_CORRUPT, "it has 2 operands"},
        {0, ~0xff000000u, 255u << 24, PSY_CORRUPT, "the code ends in the middle of it"},
        {1, 0, 5, PSY_CORRUPT, "its result register 5 does not exist"},
        {1, 0, 0xffff, PSY_CORRUPT, "its result register 65535 does not exist"},
        {5, 0, 0, PSY_CORRUPT, "register 0 is written twice"},
        {2, 0, 77, PSY_CORRUPT, "there is no field 77"},
        {10, 0, 4, PSY_CORRUPT, "operand 0 reads register 4"},
        {10, 0, 0xffffffff, PSY_CORRUPT, "operand 0 reads register 4294967295"},
        {13, 0, 1, PSY_CORRUPT, "it has no result, but names a register for one"},
        {14, 0, 0, PSY_CORRUPT, "its counts are out of range"},
        {14, 0, 0xffffffff, PSY_CORRUPT, "its counts are out of range"},
        {14, 0, 2, PSY_CORRUPT, "store: it cannot be in a region"},
        {15, 0, 2, PSY_CORRUPT, "its counts are out of range"},
        {16, 0, 0xffffffff, PSY_CORRUPT, "dim 0 does not exist"},
        {16, 0, 0x80000005, PSY_CORRUPT, "dim 0 does not exist"},
        {24, 0, 9, PSY_CORRUPT, "operand 0 reads register 9"},
        {25, 0, 9, PSY_CORRUPT, "field 9 does not exist, or is stored twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = assemble(program, &n);
        psy__module m;
        char name[64];
        cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s", psy_detail());
        uint32_t *word = (uint32_t *)(bytes + ((const uint8_t *)m.code - bytes)) + cases[i].word;
        *word = (*word & cases[i].and_) | cases[i].or_;
        sample_rehash(bytes, n);
        snprintf(name, sizeof name, "case %zu, word %u", i, cases[i].word);
        expect(name, decode(bytes, n), cases[i].status, cases[i].detail);
        free(bytes);
    }
}

/* The steps that no text can say, and lists without their end. */
Test(verify, words_of_views_and_lists)
{
    /* 0 load, 4 slice, 10 concat, 16 store */
    static const char program[] = "(I) -> V { %0: f32[4] = load.f32 a; %1: f32[1] = slice.f32 %0, 0, 1, -1;"
                                  " %2: f32[4] @0 = concat.f32 0, %0; store.f32 %2, a, -; store.f32 %1, n, -; }";
    static const struct {
        uint32_t word, value;
        const char *detail;
    } cases[] = {{9, 0x80000000, "its axis, start or step is out of range"},
                 {9, 0x80000001, NULL}, /* one element: it never steps */
                 {8, 0x80000007, "its axis, start or step is out of range"},
                 {8, 0xffffffff, "its axis, start or step is out of range"},
                 {6, 77, "operand 0 reads register 77"},
                 {10, 13 | 12u << 8 | 1u << 24, "it has 1 operands"},
                 {10, 13 | 12u << 8 | 0u << 24, "it has 0 operands"},
                 {13, 0xffffffff, "operand 1 reads register 4294967295"},
                 {13, 2, "operand 1 reads register 2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t n;
        uint8_t *bytes = assemble(program, &n);
        psy__module m;
        char name[64];
        cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s", psy_detail());
        ((uint32_t *)(bytes + ((const uint8_t *)m.code - bytes)))[cases[i].word] = cases[i].value;
        sample_rehash(bytes, n);
        snprintf(name, sizeof name, "case %zu, word %u", i, cases[i].word);
        expect(name, decode(bytes, n), cases[i].detail ? PSY_CORRUPT : PSY_OK, cases[i].detail);
        free(bytes);
    }
}

Test(verify, code_ends_inside_a_region)
{
    uint64_t n;
    uint8_t *bytes = assemble("(I) -> O { %0: f32 = load.f32 s; store.f32 %0, s, -; region { %1: f32 @0 = neg.f32 %0; } }", &n);
    psy__module m;
    cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s", psy_detail());
    uint32_t *words = (uint32_t *)(bytes + ((const uint8_t *)m.code - bytes));
    cr_assert_eq(words[12], 1);
    words[12] = 2;
    sample_rehash(bytes, n);
    expect("region", decode(bytes, n), PSY_CORRUPT, "the code ends inside a region");
    free(bytes);
}

Test(verify, batched_is_what_differs_between_messages)
{
    uint64_t n;
    uint8_t *bytes = assemble("(I) -> O { %0: f32 = load.f32 s; %1: f32[4] = resident.f32 t; %2: f32[4] @0 = neg.f32 %1;"
                              " region [4] { %3: f32[4] = neg.f32 %1; %4: f32[4] @1 = add.f32 %1, %0; }"
                              " %5: u64 = load.u64 u; %6: f32[4] = lookup.f32 v, %5; %7: f32[2, 2] = reshape.f32 %2;"
                              " %8: f32[2] = slice.f32 %6, 0, 1, 2; %9: i32[3] @2 = iota.i32 0;"
                              " %10: f32[4] @3 = concat.f32 0, %8, %8; store.f32 %0, s, -; }",
                              &n);
    psy__module m;
    bool batched[11];
    static const bool wanted[11] = {true, false, false, true, true, true, true, false, true, false, true};
    cr_assert_eq(psy__module_decode(bytes, n, PSY_TRUST_BYTECODE, &m), PSY_OK, "%s", psy_detail());
    psy__program_batched(&m, &m.programs[0], batched);
    cr_assert_arr_eq(batched, wanted, sizeof wanted);
    free(bytes);
}
