/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/compiler/language.h"

#include <float.h>
#include <math.h>

enum { MESSAGES = 3, SPARE = 3 };

/* Which engine runs the shards' parts, and in how many ways: devices take long to compile a kernel. */
#ifdef LANGUAGE_ENGINE
#define ENGINE LANGUAGE_ENGINE
enum { ON_DEVICE = 1, SPLIT_SHARDS_MAX = 2 };
#else
#define ENGINE ((const char *)NULL)
enum { ON_DEVICE = 0, SPLIT_SHARDS_MAX = 5 };
#endif

/* ---- numbers ---- */

static bool is_float(unsigned dtype) { return psy__dtype_class(dtype) == PSY_DCLASS_FLOAT; }

/* Binary digits, the least exponent of normal numbers and the first that is too large, as frexp counts them. */
static void float_format(unsigned dtype, int *digits, int *least, int *most)
{
    *digits = dtype == PSY_F16 ? 11 : dtype == PSY_BF16 ? 8 : dtype == PSY_F32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    *least = dtype == PSY_F16 ? -13 : dtype == PSY_F64 ? DBL_MIN_EXP : FLT_MIN_EXP;
    *most = dtype == PSY_F16 ? 16 : dtype == PSY_F64 ? DBL_MAX_EXP : FLT_MAX_EXP;
}

static number round_float(unsigned dtype, number x)
{
    int digits, least, most, exponent;
    float_format(dtype, &digits, &least, &most);
    if (x == 0 || !isfinite(x)) {
        return x;
    }
    frexpl(x, &exponent);
    int step = (exponent > least ? exponent : least) - digits;
    number rounded = ldexpl(rintl(ldexpl(x, -step)), step);
    return fabsl(rounded) >= ldexpl(1, most) ? copysignl(INFINITY, x) : rounded;
}

/* The low bits of a whole number. */
static uint64_t low_bits(number x) { return x < 0 ? (uint64_t)(int64_t)x : (uint64_t)x; }

static number from_bits(unsigned dtype, uint64_t bits)
{
    unsigned width = 8 * psy__dtype_bytes(dtype);
    bits = width == 64 ? bits : bits & ((UINT64_C(1) << width) - 1);
    if (psy__dtype_class(dtype) == PSY_DCLASS_SINT && bits >> (width - 1)) {
        return (number)(int64_t)(width == 64 ? bits : bits | ~((UINT64_C(1) << width) - 1));
    }
    return (number)bits;
}

number tensor_round(unsigned dtype, number value)
{
    return is_float(dtype) ? round_float(dtype, value) : dtype == PSY_BOOL ? value != 0 : from_bits(dtype, low_bits(value));
}

/* f16 and bf16 by hand. */
static uint16_t half_bits(unsigned dtype, number x)
{
    int digits, least, most, exponent;
    float_format(dtype, &digits, &least, &most);
    uint16_t sign = signbit(x) ? 0x8000 : 0, infinity = (uint16_t)((most - least + 2) << (digits - 1));
    number size = fabsl(round_float(dtype, x));
    if (isnan(x)) {
        return (uint16_t)(infinity | 1 << (digits - 2));
    }
    if (isinf(size)) {
        return sign | infinity;
    }
    frexpl(size, &exponent);
    if (size == 0 || exponent < least) {
        return (uint16_t)(sign | (uint16_t)ldexpl(size, digits - least));
    }
    return (uint16_t)(sign | (uint16_t)((exponent - least) * (1 << (digits - 1)) + (int)ldexpl(size, digits - exponent)));
}

static number from_half_bits(unsigned dtype, uint16_t bits)
{
    int digits, least, most;
    float_format(dtype, &digits, &least, &most);
    int exponent = (bits & 0x7fff) >> (digits - 1), fraction = bits & ((1 << (digits - 1)) - 1);
    number size = exponent == 0                  ? ldexpl(fraction, least - digits)
                  : exponent == most - least + 2 ? (fraction ? (number)NAN : (number)INFINITY)
                                                 : ldexpl(fraction + (1 << (digits - 1)), exponent - 1 + least - digits);
    return bits & 0x8000 ? -size : size;
}

static void put(unsigned dtype, void *to, number x)
{
    uint64_t bits = 0;
    if (dtype == PSY_F32) {
        float f = (float)x;
        memcpy(&bits, &f, sizeof f);
    } else if (dtype == PSY_F64) {
        double d = (double)x;
        memcpy(&bits, &d, sizeof d);
    } else {
        bits = is_float(dtype) ? half_bits(dtype, x) : low_bits(x);
    }
    memcpy(to, &bits, psy__dtype_bytes(dtype));
}

static number get(unsigned dtype, const void *from)
{
    uint64_t bits = 0;
    float f;
    double d;
    memcpy(&bits, from, psy__dtype_bytes(dtype));
    memcpy(&f, &bits, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return dtype == PSY_F32   ? (number)f
           : dtype == PSY_F64 ? (number)d
           : is_float(dtype)  ? from_half_bits(dtype, (uint16_t)bits)
                              : from_bits(dtype, bits);
}

/* ---- tensors ---- */

tensor tensor_of(unsigned dtype, unsigned rank, const uint32_t *dims)
{
    tensor t = {.dtype = dtype, .rank = rank, .n = 1};
    for (unsigned d = 0; d < rank; d++) {
        t.dims[d] = dims[d];
        t.n *= dims[d];
    }
    cr_assert_leq(t.n, TENSOR_ELEMENTS_MAX);
    return t;
}

tensor tensor_list(unsigned dtype, size_t n, const number *values)
{
    tensor t = tensor_of(dtype, 1, (uint32_t[]){(uint32_t)n});
    for (size_t i = 0; i < n; i++) {
        t.at[i] = tensor_round(dtype, values[i]);
    }
    return t;
}

tensor tensor_scalar(unsigned dtype, number value)
{
    tensor t = tensor_of(dtype, 0, NULL);
    t.at[0] = tensor_round(dtype, value);
    return t;
}

tensor tensor_random(unsigned dtype, unsigned rank, const uint32_t *dims, double low, double high)
{
    tensor t = tensor_of(dtype, rank, dims);
    uint64_t state = dtype * 7919u + t.n;
    for (size_t i = 0; i < t.n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        double unit = (double)(state >> 33) / (double)(UINT64_C(1) << 31);
        t.at[i] = is_float(dtype) ? tensor_round(dtype, low + unit * (high - low)) : low + floor(unit * (high - low + 1));
    }
    return t;
}

/* ---- programs ---- */

typedef struct texts {
    char *schema, *program;
} texts;

static unsigned inputs_of(const language_case *c)
{
    unsigned n = 0;
    while (n < LANGUAGE_INPUTS_MAX && c->in[n]) {
        n++;
    }
    return n;
}

static bool is_resident(const tensor *t, unsigned mode) { return mode != AS_FIELDS && mode != AS_BOUNDED && t->rank > 0; }

static bool is_bounded(const tensor *t, unsigned mode) { return mode == AS_BOUNDED && t->rank == 1; }

/* The type of a field that holds the tensor. */
static void write_field(FILE *to, const char *name, const tensor *t, unsigned mode)
{
    fprintf(to, "%s: %s", name, psy__dtype_name(t->dtype));
    if (t->rank) {
        fprintf(to, is_bounded(t, mode) ? "[<=%zu]" : "[%zu]", t->n + (is_bounded(t, mode) ? SPARE : 0));
    }
    fputs("; ", to);
}

static void write_dims(FILE *to, const tensor *t, char name)
{
    for (unsigned d = 0; d < t->rank; d++) {
        fputs(d ? ", " : "[", to);
        if (d == 0 && name) {
            fputc(name, to);
        } else {
            fprintf(to, "%u", t->dims[d]);
        }
    }
    fputs(t->rank ? "]" : "", to);
}

static texts write_texts(const language_case *c, unsigned mode)
{
    texts t = {NULL, NULL};
    size_t n;
    const tensor *w = c->wanted;
    FILE *to = open_memstream(&t.schema, &n);
    fputs("namespace t; message Q { nothing: u8 = 0;", to);
    for (unsigned i = 0; i < inputs_of(c); i++) {
        if (!is_resident(c->in[i], mode)) {
            write_field(to, (char[]){(char)('a' + i), 0}, c->in[i], mode);
        }
    }
    fputs("} message R { ", to);
    write_field(to, "x", w, mode);
    fputs("}", to);
    fclose(to);
    to = open_memstream(&t.program, &n);
    fputs(c->file ? c->file : "", to);
    for (unsigned i = 0; i < inputs_of(c); i++) {
        if (is_resident(c->in[i], mode)) {
            fprintf(to, "resident %c: %s", (int)('a' + i), psy__dtype_name(c->in[i]->dtype));
            write_dims(to, c->in[i], mode == AS_RESIDENTS ? 0 : (char)('A' + i));
            fputs(mode == AS_SPLIT && i == 0 ? " split A\n" : "\n", to);
        }
    }
    fputs("pipeline p(q: Q) -> R {\n", to);
    for (unsigned i = 0; i < inputs_of(c); i++) {
        if (!is_resident(c->in[i], mode)) {
            fprintf(to, c->in[i]->rank > 1 ? "let %c = reshape(q.%c, " : "let %c = q.%c", (int)('a' + i), (int)('a' + i));
            if (c->in[i]->rank > 1) {
                write_dims(to, c->in[i], 0);
                fputc(')', to);
            }
            fputc('\n', to);
        }
    }
    fprintf(to, w->rank > 1 ? "%s\nR { x: reshape(%s, [%zu]) } }" : "%s\nR { x: %s } }", c->lets ? c->lets : "", c->text, w->n);
    fclose(to);
    return t;
}

static void free_texts(texts *t)
{
    free(t->schema);
    free(t->program);
}

/* ---- running ---- */

/* The rows of a resident; malloc'd. */
static void *bytes_of_tensor(const tensor *t)
{
    unsigned size = psy__dtype_bytes(t->dtype);
    uint8_t *at = calloc(t->n + 1, size);
    for (size_t i = 0; i < t->n; i++) {
        put(t->dtype, at + i * size, t->at[i]);
    }
    return at;
}

/* The first message and the last one have the inputs, those between only zeros. */
static void fill(const language_case *c, unsigned mode, const compiled *made, served *s)
{
    for (uint32_t m = 0; m < MESSAGES; m += MESSAGES - 1) {
        for (unsigned i = 0; i < inputs_of(c); i++) {
            const tensor *t = c->in[i];
            char name[2] = {(char)('a' + i)};
            if (is_bounded(t, mode)) {
                memset(serve_input(made, "p", s, m, name), 0xff, (t->n + SPARE) * psy__dtype_bytes(t->dtype));
                *serve_input_count(made, "p", s, m, name) = (uint32_t)t->n;
            }
            for (size_t k = 0; k < t->n && !is_resident(t, mode); k++) {
                put(t->dtype, (uint8_t *)serve_input(made, "p", s, m, name) + k * psy__dtype_bytes(t->dtype), t->at[k]);
            }
        }
    }
}

static number epsilon_of(unsigned dtype)
{
    int digits, least, most;
    float_format(dtype, &digits, &least, &most);
    return ldexpl(1, 1 - digits);
}

static bool is_near(const language_case *c, number got, number wanted)
{
    unsigned dtype = c->wanted->dtype;
    if (isnan(wanted) || isnan(got)) {
        return isnan(wanted) && isnan(got);
    }
    if (!is_float(dtype) || c->tolerance == 0 || isinf(wanted) || isinf(got)) {
        number rounded = tensor_round(dtype, wanted);
        /* Near the largest number one rounding more may be infinite. */
        return got == rounded;
    }
    number most = (number)c->tolerance * epsilon_of(dtype) * fmaxl(1, fabsl(wanted));
    return fabsl(got - wanted) <= most;
}

/* False: the engine leaves this program to others. */
static bool run_one(const language_case *c, const compiled *made, unsigned mode, uint32_t shards, const char *where)
{
    served s = {.engine = ENGINE, .shards = shards, .messages = MESSAGES};
    void *rows[LANGUAGE_INPUTS_MAX] = {0};
    static const char *const names[] = {"a", "b", "c", "d"};
    unsigned count = 0;
    for (unsigned i = 0; i < inputs_of(c); i++) {
        const tensor *t = c->in[i];
        if (is_resident(t, mode)) {
            rows[i] = bytes_of_tensor(t);
            uint64_t row = psy__dtype_bytes(t->dtype);
            for (unsigned d = 1; d < t->rank; d++) {
                row *= t->dims[d];
            }
            s.residents[count++] = (serve_resident){names[i], rows[i], t->dims[0], row, NULL};
        }
    }
    serve_begin(made, "p", &s);
    fill(c, mode, made, &s);
    serve(made, "p", &s);
    if (ON_DEVICE && s.bind == PSY_NO_DEVICE) {
        cr_skip_test("%s: %s", s.engine, psy_detail());
    }
    bool left = ON_DEVICE && s.bind == PSY_UNSUPPORTED;
    cr_assert(left || s.bind == PSY_OK, "%s (%s): %s", c->text, where, psy_detail());
    for (uint32_t m = 0; m < MESSAGES && !left; m += MESSAGES - 1) {
        const uint8_t *got = serve_output(made, "p", &s, m, "x");
        cr_assert_eq(s.status[m], PSY_OK, "%s (%s)", c->text, where);
        if (is_bounded(c->wanted, mode)) {
            uint32_t n = serve_output_count(made, "p", &s, m, "x");
            cr_assert_eq(n, c->wanted->n, "%s (%s): %u elements, not %zu", c->text, where, n, c->wanted->n);
        }
        for (size_t k = 0; k < c->wanted->n; k++) {
            number x = get(c->wanted->dtype, got + k * psy__dtype_bytes(c->wanted->dtype));
            cr_assert(is_near(c, x, c->wanted->at[k]), "%s (%s), message %u, element %zu: %.18Lg, not %.18Lg", c->text, where,
                      m, k, x, c->wanted->at[k]);
        }
    }
    serve_end(&s);
    for (unsigned i = 0; i < LANGUAGE_INPUTS_MAX; i++) {
        free(rows[i]);
    }
    return !left;
}

static bool is_possible(const language_case *c, unsigned mode)
{
    bool axes = false;
    for (unsigned i = 0; i < inputs_of(c); i++) {
        const tensor *t = c->in[i];
        axes = axes || t->rank > 0;
        for (unsigned d = 0; d < t->rank; d++) {
            if (t->dims[d] == 0 && !is_bounded(t, mode) && (mode == AS_FIELDS || mode == AS_RESIDENTS || d > 0)) {
                return false;
            }
        }
    }
    return mode == AS_FIELDS || axes;
}

/* How much of a test the device ran is said when it ends. */
static unsigned all_ran, all_supported;

static void say_counts(void) { fprintf(stderr, "%s ran %u of %u programs\n", ENGINE, all_supported, all_ran); }

static void count(unsigned ran, unsigned supported)
{
    if (ON_DEVICE && all_ran == 0) {
        atexit(say_counts);
    }
    all_ran += ran;
    all_supported += supported;
}

/* A device compiles a kernel for each program, which takes long: one case in eight, of each test the first, is enough for every
 * day. PSYNE_LANGUAGE_WAYS=all runs all. */
static bool is_left_out(void)
{
    enum { ONE_IN = 8 };
    static unsigned cases;
    const char *ways = getenv("PSYNE_LANGUAGE_WAYS");
    return ON_DEVICE && cases++ % ONE_IN != 0 && !(ways && strcmp(ways, "all") == 0);
}

void language_check(const language_case *c)
{
    if (is_left_out()) {
        return;
    }
    static const char *const names[] = {[AS_FIELDS] = "fields",
                                        [AS_RESIDENTS] = "residents",
                                        [AS_NAMED] = "named sizes",
                                        [AS_SPLIT] = "split",
                                        [AS_BOUNDED] = "bounded"};
    unsigned modes = c->modes ? c->modes : AS_FIELDS | AS_RESIDENTS, ran = 0, supported = 0;
    for (unsigned mode = AS_FIELDS; mode <= AS_BOUNDED; mode *= 2) {
        if (!(modes & mode) || !is_possible(c, mode)) {
            continue;
        }
        texts t = write_texts(c, mode);
        for (unsigned optimise = ON_DEVICE; optimise < 2; optimise++) {
            compiled *made = compile(t.schema, t.program, optimise);
            cr_assert(made->ok, "%s\n%s\n%s", made->said, t.schema, t.program);
            for (uint32_t shards = 1; shards <= (mode == AS_SPLIT ? SPLIT_SHARDS_MAX : 1); shards++) {
                char where[64];
                snprintf(where, sizeof where, "-O%u, %s, %u shards", optimise, names[mode], shards);
                supported += run_one(c, made, mode, shards, where);
                ran++;
            }
            compile_end(made);
        }
        free_texts(&t);
    }
    cr_assert_gt(ran, 0, "%s ran in no way", c->text);
    count(ran, supported);
}

void language_refused(const language_case *c, const char *said)
{
    unsigned mode = c->modes ? c->modes : AS_FIELDS;
    texts t = write_texts(c, mode);
    compiled *made = compile(t.schema, t.program, true);
    cr_assert(!made->ok && strstr(made->said, said), "%s: not \"%s\" but: %s", c->text, said, made->said);
    compile_end(made);
    free_texts(&t);
}
