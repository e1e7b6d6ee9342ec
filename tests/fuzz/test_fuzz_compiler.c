/* SPDX-License-Identifier: Apache-2.0 */
/* A few thousand inputs, the same every time: golden inputs that were changed in some places, and texts of random tokens.
 * PSYNE_FUZZ_ROUNDS=N goes on for N times as many. */
#include <glob.h>
#include <time.h>

#include "tests/fuzz/change.h"
#include "tests/fuzz/fuzz.h"
#include "tests/test.h"

#define IMPORTS PSY_SOURCE_DIR "/tests/golden/imports"

enum { CORPUS_MAX = 400, SECONDS_MAX = 20 };

/* ThreadSanitizer slows this down the most and has nothing to find here: a share of the work is enough. */
#ifdef __SANITIZE_THREAD__
enum { SHARE = 8 };
#else
enum { SHARE = 1 };
#endif

typedef struct corpus {
    soup_input at[CORPUS_MAX];
    size_t count;
} corpus;

static void read_corpus(corpus *c, const char *pattern)
{
    glob_t found;
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "no %s", pattern);
    for (size_t i = 0; i < found.gl_pathc && c->count < CORPUS_MAX; i++) {
        FILE *f = fopen(found.gl_pathv[i], "rb");
        soup_input *in = &c->at[c->count++];
        in->bytes = malloc(INPUT_BYTES_MAX);
        cr_assert(f && in->bytes, "%s", found.gl_pathv[i]);
        in->n = fread(in->bytes, 1, INPUT_BYTES_MAX, f);
        fclose(f);
    }
    globfree(&found);
}

static void free_corpus(corpus *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->at[i].bytes);
    }
}

static bool check_one(fuzz_kind kind, const soup_input *in)
{
    clock_t start = clock();
    bool accepted = fuzz_one(kind, IMPORTS, in->bytes, in->n);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (seconds > SECONDS_MAX) {
        fwrite(in->bytes, 1, in->n, stderr);
        cr_assert(false, "an input of %zu bytes took %.1f s", in->n, seconds);
    }
    return accepted;
}

static void copy_input(soup_input *to, const soup_input *from)
{
    memcpy(to->bytes, from->bytes, from->n);
    to->n = from->n;
}

static void copy_if_accepted(corpus *c, const size_t *sound, size_t sound_count, fuzz_kind kind, const soup_input *in)
{
    if (check_one(kind, in)) {
        copy_input(&c->at[sound[soup_pick(sound_count)]], in);
    }
}

/* Inputs that were accepted are changed on, so that programs come about that nobody wrote. `least` of them must be, or the
 * changes are too wild to get far. */
static void fuzz(fuzz_kind kind, const char *const *patterns, size_t mutants, size_t soups, size_t least)
{
    corpus *c = calloc(1, sizeof *c);
    size_t sound[CORPUS_MAX], sound_count = 0, accepted = 0;
    soup_input in = {malloc(INPUT_BYTES_MAX), 0};
    cr_assert(c && in.bytes);
    for (; *patterns; patterns++) {
        read_corpus(c, *patterns);
    }
    soup_state = UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)kind;
    for (size_t i = 0; i < c->count; i++) {
        if (check_one(kind, &c->at[i])) {
            sound[sound_count++] = i;
        }
    }
    cr_assert_gt(sound_count, 0);
    const char *rounds = getenv("PSYNE_FUZZ_ROUNDS");
    mutants *= rounds ? strtoull(rounds, NULL, 10) : 1;
    mutants /= SHARE;
    soups *= rounds ? strtoull(rounds, NULL, 10) : 1;
    soups /= SHARE;
    least /= SHARE == 1 ? 1 : 4 * SHARE; /* what is accepted grows with time */
    for (size_t i = 0; i < mutants; i++) {
        size_t from = soup_pick(4) ? sound[soup_pick(sound_count)] : soup_pick(c->count);
        copy_input(&in, &c->at[from]);
        soup_change(&in, &c->at[soup_pick(c->count)]);
        if (check_one(kind, &in)) {
            accepted++;
            copy_input(&c->at[sound[soup_pick(sound_count)]], &in);
        }
    }
    for (size_t i = 0; i < soups; i++) {
        soup_tokens(&in);
        check_one(kind, &in);
        if (kind == FUZZ_PROGRAM) {
            soup_expressions(&in);
            copy_if_accepted(c, sound, sound_count, kind, &in);
        }
    }
    cr_assert_geq(accepted, least, "only %zu of %zu changed inputs were accepted", accepted, mutants);
    free(in.bytes);
    free_corpus(c);
    free(c);
}

#define GOLDEN PSY_SOURCE_DIR "/tests/golden/"

Test(fuzz_compiler, schemas)
{
    const char *const patterns[] = {GOLDEN "*/*.psy", PSY_SOURCE_DIR "/examples/nearest/*.psy", NULL};
    fuzz(FUZZ_SCHEMA, patterns, 4000, 1000, 600);
}

Test(fuzz_compiler, programs)
{
    const char *const patterns[] = {GOLDEN "[!d]*/*.hrm", GOLDEN "diagnostics/[!l]*.hrm", NULL};
    fuzz(FUZZ_PROGRAM, patterns, 4000, 1000, 400);
}

Test(fuzz_compiler, assembly)
{
    const char *const patterns[] = {GOLDEN "asm/*.out", GOLDEN "bytecode/*.out", PSY_SOURCE_DIR "/tests/isa/*.hra", NULL};
    fuzz(FUZZ_ASSEMBLY, patterns, 4000, 1000, 200);
}

/* As large as is allowed, and one piece again and again: what is deep, long, or wrong everywhere. */
static void fuzz_large(fuzz_kind kind, const char *start, const char *piece, const char *end)
{
    size_t room = (1 << 20) / SHARE, n = strlen(piece);
    soup_input in = {malloc(room), strlen(start)};
    cr_assert_not_null(in.bytes);
    memcpy(in.bytes, start, in.n);
    for (unsigned number = 0; in.n + n + 16 + strlen(end) < room; number++) {
        /* `%` in a piece becomes a number. */
        for (const char *c = piece; *c; c++) {
            if (*c == '%') {
                in.n += (size_t)snprintf((char *)in.bytes + in.n, 12, "%u", number);
            } else {
                in.bytes[in.n++] = (uint8_t)*c;
            }
        }
    }
    memcpy(in.bytes + in.n, end, strlen(end));
    in.n += strlen(end);
    check_one(kind, &in);
    free(in.bytes);
}

Test(fuzz_compiler, large_schemas)
{
    static const char *const rows[][3] = {
        {"", "(", ""},
        {"", "/*", ""},
        {"", "\"\n", ""},
        {"", "\xc3", ""},
        {"const X = ", "-", "1;"},
        {"const X = 1", "+1", ";"},
        {"", "const c% = c% * 2;\n", ""},
        {"message M {\n", "f%: u8[<=4];\n", "}"},
        {"message M {\n", "f: u8;\n", "}"},
        {"message M {\n", "f%: f%;\n", "}"},
        {"", "message M% { x: u8; }\n", ""},
        {"message M { x: u8", " @since(1)", "; }"},
        {"namespace a", ".a", "; message M { x: u8; }"},
        {"", "a", ""},
        {"", "///a\n", "message M { x: u8; }"},
        {"", "enum E {{}}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fuzz_large(FUZZ_SCHEMA, rows[i][0], rows[i][1], rows[i][2]);
    }
}

Test(fuzz_compiler, large_programs)
{
#define IMPORT   "import \"messages.psy\"\nresident words: f32[N, DIM] split N\n"
#define PIPELINE IMPORT "pipeline p(q: Query) -> Number { "
    static const char *const rows[][3] = {
        {"", "[", ""},
        {"", "pipeline ( ) { let = -> ", ""},
        {PIPELINE "Number { value: q", ".a", " } }"},
        {PIPELINE "Number { value: q.scale", " |> exp", " } }"},
        {PIPELINE "Number { value: q.scale", " + z%", " } }"},
        {PIPELINE "Number { value: q.scale", "[..1]", " } }"},
        {PIPELINE, "let a% = q.scale\n", "Number { value: a0 } }"},
        {PIPELINE, "let (a%, b%) = topk(words @ q.vector, k: 3)\n", "Number { value: max(a0) } }"},
        {PIPELINE "Number { value: sum(q.vector", ", q.vector", ") } }"},
        {PIPELINE "Number { value: 1", ", value%: 1", " } }"},
        {PIPELINE "Number { value: ", "if q.flag { % } else ", "{ 1 } } }"},
        {PIPELINE "Number { value: ", "if q.flag { ", " } }"},
        {PIPELINE "Number { value: sum(q.vector", "[..size(q.vector", ") } }"},
        {PIPELINE "Number { value: sum(q.vector", "[iota(size(q.vector", ") } }"},
        {PIPELINE "Number { value: sum(q.vector", "[0]", ") } }"},
        {PIPELINE "Number { value: ", "!", "q.flag } }"},
        {PIPELINE "Number { value: ", "concat(", "q.scale } }"},
        {PIPELINE "Number { value: sum(iota(N", " + N", ")) } }"},
        {PIPELINE "Number { value: f32(sum(iota(1", " * 2", "))) } }"},
        {PIPELINE "Number { value: f32(1", " << 1", ") } }"},
        {PIPELINE "Number { value: sum(reshape(q.vector, [8", ", 1", "])) } }"},
        {PIPELINE "Number { value: 1", " < 1", " } }"},
        {PIPELINE, "let a% = if q.flag { % } else { 1 }\n", "Number { value: a0 } }"},
        {PIPELINE "let a = if q.flag { 1 } else { 2 }\n", "let a% = sort(q.vector) + a\n", "Number { value: a0[0] } }"},
        {PIPELINE, "let (a%, b%) = topk(softmax(words), k: 3)\n", "Number { value: max(a0) } }"},
        {IMPORT, "const c% = DIM\n", "pipeline p(q: Query) -> Number { Number { value: 1 } }"},
        {IMPORT, "fn f%_(x: f32) -> f32 = g(x)\n", "pipeline p(q: Query) -> Number { Number { value: 1 } }"},
        {IMPORT, "resident r%: f32[A%, B%] split A%\n", "pipeline p(q: Query) -> Number { Number { value: 1 } }"},
        {IMPORT, "pipeline p%(q: Query) -> Number { Number { value: max(words @ q.vector) } }\n", ""},
        {"", "import \"messages.psy\"\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fuzz_large(FUZZ_PROGRAM, rows[i][0], rows[i][1], rows[i][2]);
    }
    /* Functions that call the one before at the bottom of a deep expression. */
    char *program = malloc(1 << 20), *at = program + sprintf(program, IMPORT "fn f0_(x: f32) -> f32 = x\n");
    cr_assert_not_null(program);
    for (unsigned i = 1; i < 900; i++) {
        at += sprintf(at, "fn f%u_(x: f32) -> f32 = f%u_(x)", i, i - 1);
        for (unsigned k = 0; k < 250; k++) {
            at += sprintf(at, "+x");
        }
        at += sprintf(at, "\n");
    }
    at += sprintf(at, "pipeline p(q: Query) -> Number { Number { value: f899_(q.scale) } }\n");
    soup_input in = {(uint8_t *)program, (size_t)(at - program)};
    cr_assert_lt(in.n, 1 << 20);
    cr_assert_not(check_one(FUZZ_PROGRAM, &in));
    free(program);
}

Test(fuzz_compiler, large_assembly)
{
    static const char *const rows[][3] = {
        {"", "module 3.0;\n", ""},
        {"module 3.0;\n", "type t%.T {\n    x: f32;\n}\n", ""},
        {"module 3.0;\ntype T {\n", "x%: f32;\n", "}\n"},
        {"module 3.0;\nconsts 8 {\n", "%: f32 1;\n", "}\n"},
        {"module 3.0;\n", "size N% global;\n", ""},
        {"module 3.0;\n", "program p%(T) -> T slots 0 {\n}\n", ""},
        {"", "\"", ""},
        {"", "9", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fuzz_large(FUZZ_ASSEMBLY, rows[i][0], rows[i][1], rows[i][2]);
    }
}
