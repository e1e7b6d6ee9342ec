/* SPDX-License-Identifier: Apache-2.0 */
/* A few thousand inputs, the same every time: golden inputs that were changed in some places, and texts of random tokens.
 * PSYNE_FUZZ_ROUNDS=N goes on for N times as many. */
#include <glob.h>
#include <time.h>

#include "tests/fuzz/fuzz.h"
#include "tests/test.h"

#define IMPORTS PSY_SOURCE_DIR "/tests/golden/imports"

enum { INPUT_BYTES_MAX = 16 << 10, CORPUS_MAX = 400, SECONDS_MAX = 20 };

/* ThreadSanitizer slows this down the most and has nothing to find here: a share of the work is enough. */
#ifdef __SANITIZE_THREAD__
enum { SHARE = 8 };
#else
enum { SHARE = 1 };
#endif

static uint64_t random_state;

/* Below `n`. */
static size_t pick(size_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return n ? (size_t)(random_state >> 11) % n : 0;
}

typedef struct input {
    uint8_t *bytes;
    size_t n;
} input;

typedef struct corpus {
    input at[CORPUS_MAX];
    size_t count;
} corpus;

static void read_corpus(corpus *c, const char *pattern)
{
    glob_t found;
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "no %s", pattern);
    for (size_t i = 0; i < found.gl_pathc && c->count < CORPUS_MAX; i++) {
        FILE *f = fopen(found.gl_pathv[i], "rb");
        input *in = &c->at[c->count++];
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

static const char *const words[] = {"namespace",
                                    "const",
                                    "message",
                                    "import",
                                    "resident",
                                    "fn",
                                    "pipeline",
                                    "let",
                                    "split",
                                    "by",
                                    "key",
                                    "replicated",
                                    "f32",
                                    "u64",
                                    "i8",
                                    "bool",
                                    "f16",
                                    "bf16",
                                    "Query",
                                    "Hits",
                                    "Row",
                                    "Number",
                                    "q",
                                    "words",
                                    "vector",
                                    "score",
                                    "index",
                                    "N",
                                    "M",
                                    "DIM",
                                    "topk",
                                    "sum",
                                    "mean",
                                    "min",
                                    "max",
                                    "dot",
                                    "norm",
                                    "size",
                                    "sqrt",
                                    "exp",
                                    "axis",
                                    "k",
                                    "x",
                                    "y",
                                    "shards",
                                    "since",
                                    "true",
                                    "if",
                                    "0",
                                    "1",
                                    "2",
                                    "3",
                                    "8",
                                    "16",
                                    "65536",
                                    "65537",
                                    "0.5",
                                    "1e308",
                                    "1e-320",
                                    "9223372036854775807",
                                    "4294967295",
                                    "0x7f",
                                    "0b1",
                                    "1_0",
                                    "2147483648",
                                    "0xffffffffffffffff",
                                    "\"messages.psy\"",
                                    "\"",
                                    "\"\\x\"",
                                    "/*",
                                    "*/",
                                    "//",
                                    "///",
                                    "{",
                                    "}",
                                    "(",
                                    ")",
                                    "[",
                                    "]",
                                    "<=",
                                    "..",
                                    "->",
                                    "|>",
                                    "=",
                                    ";",
                                    ":",
                                    ",",
                                    ".",
                                    "@",
                                    "+",
                                    "-",
                                    "*",
                                    "/",
                                    "?",
                                    "\n",
                                    "\t",
                                    "\xc3\xa4",
                                    "\xff",
                                    "#",
                                    "%0",
                                    "%1",
                                    "program",
                                    "region",
                                    "add.f32",
                                    "store.f32",
                                    "load.f32",
                                    "type",
                                    "slots",
                                    "reduces",
                                    "route",
                                    "all",
                                    "merge",
                                    "partial",
                                    "consts",
                                    "check",
                                    ">=",
                                    "local",
                                    "global",
                                    "module",
                                    "1.0",
                                    "else",
                                    "false",
                                    "&&",
                                    "||",
                                    "!",
                                    "==",
                                    "!=",
                                    "<",
                                    ">",
                                    "&",
                                    "|",
                                    "^",
                                    "~",
                                    "<<",
                                    ">>",
                                    "%",
                                    "keep",
                                    "argmin",
                                    "argmax",
                                    "any",
                                    "prod",
                                    "sort",
                                    "argsort",
                                    "descending",
                                    "softmax",
                                    "layernorm",
                                    "rmsnorm",
                                    "logsumexp",
                                    "cumsum",
                                    "reshape",
                                    "transpose",
                                    "expand",
                                    "broadcast",
                                    "concat",
                                    "stack",
                                    "pad",
                                    "iota",
                                    "one_hot",
                                    "gather",
                                    "scatter_add",
                                    "outer",
                                    "select",
                                    "clamp",
                                    "fma",
                                    "pow",
                                    "random",
                                    "uniform",
                                    "normal",
                                    "gelu",
                                    "i64",
                                    "f64",
                                    "u16"};
enum { WORDS = sizeof words / sizeof words[0] };

static void insert(input *in, size_t at, const uint8_t *bytes, size_t n)
{
    n = n > INPUT_BYTES_MAX - in->n ? INPUT_BYTES_MAX - in->n : n;
    memmove(in->bytes + at + n, in->bytes + at, in->n - at);
    memcpy(in->bytes + at, bytes, n);
    in->n += n;
}

static void cut(input *in, size_t at, size_t n)
{
    n = n > in->n - at ? in->n - at : n;
    memmove(in->bytes + at, in->bytes + at + n, in->n - at - n);
    in->n -= n;
}

/* Where a word, number or other character starts, so that changes are of whole tokens. */
static size_t pick_token(const input *in, size_t *length)
{
    size_t at = pick(in->n), end;
#define IS_WORD(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= '0' && (c) <= '9') || (c) == '_')
    while (at > 0 && IS_WORD(in->bytes[at]) && IS_WORD(in->bytes[at - 1])) {
        at--;
    }
    for (end = at; end < in->n && IS_WORD(in->bytes[end]); end++) {
    }
    *length = end > at ? end - at : at < in->n;
    return at;
}

static void mutate(input *in, const corpus *c)
{
    for (size_t changes = 1 + pick(2) * pick(4); changes > 0; changes--) {
        size_t length, at = pick_token(in, &length);
        const char *word = words[pick(WORDS)];
        const input *other = &c->at[pick(c->count)];
        switch (pick(9)) {
        case 0: cut(in, at, length); break;
        case 1:
            cut(in, at, length);
            insert(in, at, (const uint8_t *)word, strlen(word));
            break;
        case 2: insert(in, at, (const uint8_t *)word, strlen(word)); break;
        case 3: /* a byte */
            if (in->n) {
                in->bytes[pick(in->n)] = (uint8_t)(1 + pick(255));
            }
            break;
        case 4: cut(in, at, pick(60)); break;
        case 5: cut(in, at, in->n); break; /* the end is missing */
        case 6: {                          /* a part of another input */
            size_t from = pick(other->n), n = pick(80);
            insert(in, at, other->bytes + from, n > other->n - from ? other->n - from : n);
            break;
        }
        case 7: { /* a part again */
            uint8_t copy[80];
            size_t n = in->n - at < sizeof copy ? in->n - at : sizeof copy;
            memcpy(copy, in->bytes + at, n);
            insert(in, at, copy, pick(n + 1));
            break;
        }
        default: { /* another token of this input in its place */
            size_t other_length, other_at = pick_token(in, &other_length);
            uint8_t copy[64];
            other_length = other_length > sizeof copy ? sizeof copy : other_length;
            memcpy(copy, in->bytes + other_at, other_length);
            cut(in, at, length);
            insert(in, at, copy, other_length);
            break;
        }
        }
    }
}

static void soup(input *in)
{
    in->n = 0;
    for (size_t n = pick(200); n > 0; n--) {
        const char *word = words[pick(WORDS)];
        insert(in, in->n, (const uint8_t *)word, strlen(word));
        insert(in, in->n, (const uint8_t *)" ", 1);
    }
}

static void add(input *in, const char *text) { insert(in, in->n, (const uint8_t *)text, strlen(text)); }

/* A program whose values are texts of random tokens, most of them the language's own. */
static void expressions(input *in)
{
    static const char *const start = "import \"messages.psy\"\nresident words: f32[N, DIM] replicated\n"
                                     "resident rows: f32[M, DIM] split M\nfn f(x: f32[D], y: f32[D]) -> f32[D] = x + y\n"
                                     "pipeline p(q: Query) -> Number {\n";
    static const char *const operands[] = {"q.vector",
                                           "q.scale",
                                           "q.k",
                                           "q.small",
                                           "q.flag",
                                           "q.half",
                                           "q.key",
                                           "words",
                                           "rows",
                                           "words[0]",
                                           "2",
                                           "-1",
                                           "0.5",
                                           "true",
                                           "N",
                                           "DIM",
                                           "iota(8)",
                                           "rows @ q.vector",
                                           "words @ q.vector",
                                           "q.vector > 0",
                                           "[2, 4]",
                                           "x0"};
    static const char *const operators[] = {" + ",  " - ",  " * ",  " / ", " % ",  " @ ", " & ",  " | ",  " ^ ",  " << ",
                                            " >> ", " == ", " != ", " < ", " <= ", " > ", " >= ", " && ", " || ", " |> "};
    static const char *const functions[] = {
        "sum",    "max",       "argmin", "topk",  "sort",      "argsort",   "softmax",     "cumsum", "reshape", "transpose",
        "expand", "broadcast", "concat", "stack", "pad",       "gather",    "scatter_add", "outer",  "select",  "clamp",
        "norm",   "mean",      "any",    "all",   "logsumexp", "layernorm", "one_hot",     "iota",   "dot",     "f",
        "f16",    "u8",        "i64",    "f64",   "bool",      "sqrt",      "size"};
    static const char *const endings[] = {"",     "",      "",        "",          "[0]",       "[-1]",     "[1..3]",
                                          "[..]", "[q.k]", "[.., 1]", "[iota(2)]", "[..N - 1]", "[0..8..2]"};
    static const char *const named[] = {"",
                                        "",
                                        "",
                                        "",
                                        ", axis: 0",
                                        ", axis: -1",
                                        ", keep: true",
                                        ", k: 2",
                                        ", descending: true",
                                        ", before: 1",
                                        ", axis: 1, keep: true"};
#define PICK(list) list[pick(sizeof list / sizeof list[0])]
    in->n = 0;
    add(in, start);
    for (unsigned line = 0, lines = 1 + (unsigned)pick(6); line < lines; line++) {
        char let[24];
        unsigned open = 0;
        snprintf(let, sizeof let, "let x%u = ", line);
        add(in, let);
        for (size_t n = 1 + pick(5); n > 0; n--) {
            switch (pick(6)) {
            case 0:
                add(in, "if "), add(in, PICK(operands)), add(in, " { "), add(in, PICK(operands)), add(in, " } else { "),
                    add(in, PICK(operands)), add(in, " }");
                break;
            case 1:
            case 2: add(in, PICK(functions)), add(in, "("), open++; /* fall through */
            default: add(in, pick(9) ? "" : pick(2) ? "-" : "!"), add(in, PICK(operands)); break;
            }
            add(in, PICK(endings));
            while (open && pick(2)) {
                add(in, pick(2) ? ", " : ""), add(in, in->bytes[in->n - 1] == ' ' ? PICK(operands) : ""), add(in, PICK(named)),
                    add(in, ")"), open--;
            }
            add(in, n > 1 ? PICK(operators) : "");
        }
        while (open--) {
            add(in, PICK(named)), add(in, ")");
        }
        add(in, "\n");
    }
    add(in, "Number { value: f32(x0");
    add(in, pick(3) ? ") } }\n" : "[0]) } }\n");
#undef PICK
}

static bool check_one(fuzz_kind kind, const input *in)
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

static void copy_input(input *to, const input *from)
{
    memcpy(to->bytes, from->bytes, from->n);
    to->n = from->n;
}

static void copy_if_accepted(corpus *c, const size_t *sound, size_t sound_count, fuzz_kind kind, const input *in)
{
    if (check_one(kind, in)) {
        copy_input(&c->at[sound[pick(sound_count)]], in);
    }
}

/* Inputs that were accepted are changed on, so that programs come about that nobody wrote. `least` of them must be, or the
 * changes are too wild to get far. */
static void fuzz(fuzz_kind kind, const char *const *patterns, size_t mutants, size_t soups, size_t least)
{
    corpus *c = calloc(1, sizeof *c);
    size_t sound[CORPUS_MAX], sound_count = 0, accepted = 0;
    input in = {malloc(INPUT_BYTES_MAX), 0};
    cr_assert(c && in.bytes);
    for (; *patterns; patterns++) {
        read_corpus(c, *patterns);
    }
    random_state = UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)kind;
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
        size_t from = pick(4) ? sound[pick(sound_count)] : pick(c->count);
        copy_input(&in, &c->at[from]);
        mutate(&in, c);
        if (check_one(kind, &in)) {
            accepted++;
            copy_input(&c->at[sound[pick(sound_count)]], &in);
        }
    }
    for (size_t i = 0; i < soups; i++) {
        soup(&in);
        check_one(kind, &in);
        if (kind == FUZZ_PROGRAM) {
            expressions(&in);
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
    input in = {malloc(room), strlen(start)};
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
    input in = {(uint8_t *)program, (size_t)(at - program)};
    cr_assert_lt(in.n, 1 << 20);
    cr_assert_not(check_one(FUZZ_PROGRAM, &in));
    free(program);
}

Test(fuzz_compiler, large_assembly)
{
    static const char *const rows[][3] = {
        {"", "module 1.0;\n", ""},
        {"module 1.0;\n", "type t%.T {\n    x: f32;\n}\n", ""},
        {"module 1.0;\ntype T {\n", "x%: f32;\n", "}\n"},
        {"module 1.0;\nconsts 8 {\n", "%: f32 1;\n", "}\n"},
        {"module 1.0;\n", "size N% global;\n", ""},
        {"module 1.0;\n", "program p%(T) -> T slots 0 {\n}\n", ""},
        {"", "\"", ""},
        {"", "9", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fuzz_large(FUZZ_ASSEMBLY, rows[i][0], rows[i][1], rows[i][2]);
    }
}
