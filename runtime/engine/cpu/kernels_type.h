/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of one type: included by kernels.c once per type, with T, U, SUFFIX, COLUMN and, for floats, FLOATS. */

#define OP(NAME, code, text, class, signature, takes, c_float, c_int, ...) DEFINE_##class(NAME, COLUMN(c_float, c_int))
#include "isa/ops.def"
#undef OP

static size_t JOIN(above_, SUFFIX)(const void *a_, size_t n, const void *limit_)
{
    const T *restrict a = a_, limit = *(const T *)limit_;
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        int any = 0;
        for (size_t l = 0; l < 64; l++) {
            any |= a[i + l] > limit;
        }
        if (any) {
            break;
        }
    }
    while (i < n && !(a[i] > limit)) {
        i++;
    }
    return i;
}

#ifdef FLOATS
typedef T JOIN(vector_, SUFFIX) __attribute__((vector_size(VECTOR_BYTES)));
typedef T JOIN(loose_, SUFFIX) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
#define VECTOR JOIN(vector_, SUFFIX)
#define LOOSE  JOIN(loose_, SUFFIX)

static void JOIN(pack_, SUFFIX)(void *packed_, const void *const *vectors, size_t count, size_t depth)
{
    enum {
        LANE_COUNT = VECTOR_BYTES / sizeof(T),
        PIECE = 16
    }; /* a piece of all vectors at a time: what is written stays near */
    T *packed = packed_;
    for (size_t first = 0; first < count; first += LANE_COUNT, packed += depth * LANE_COUNT) {
        for (size_t from = 0; from < depth; from += PIECE) {
            size_t n = depth - from < PIECE ? depth - from : PIECE;
            for (size_t l = 0; l < LANE_COUNT; l++) {
                const T *v = first + l < count ? vectors[first + l] : NULL;
                T *to = packed + from * LANE_COUNT + l;
                for (size_t d = 0; d < n; d++) {
                    to[d * LANE_COUNT] = v ? v[from + d] : 0;
                }
            }
        }
    }
}

/* Products are added up in registers for so long; then what came together goes to the sums. So much of the vectors stays in the
 * first-level cache while all rows of a block go by. */
#define STRETCH 128
#define BLOCK   120 /* rows: whole tiles of either kind */

/* A tile of ROWS rows and GROUPS groups of vectors: `n` products are added to its sums, or begin them. */
#define TILE(NAME, ROWS, GROUPS)                                                                                               \
    static inline __attribute__((always_inline)) void JOIN(NAME, SUFFIX)(                                                      \
        const T *m, size_t row_stride, size_t n, const T *packed, size_t group_stride, VECTOR *sums, bool begins)              \
    {                                                                                                                          \
        enum { LANE_COUNT = VECTOR_BYTES / sizeof(T) };                                                                        \
        VECTOR s[ROWS][GROUPS] = {{{0}}};                                                                                      \
        for (size_t d = 0; d < n; d++) {                                                                                       \
            _Pragma("GCC unroll 16") for (int g = 0; g < GROUPS; g++)                                                          \
            {                                                                                                                  \
                VECTOR v = *(const LOOSE *)(packed + (size_t)g * group_stride + d * LANE_COUNT);                               \
                _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++) { s[r][g] += m[(size_t)r * row_stride + d] * v; }      \
            }                                                                                                                  \
        }                                                                                                                      \
        _Pragma("GCC unroll 16") for (int r = 0; r < ROWS; r++)                                                                \
        {                                                                                                                      \
            _Pragma("GCC unroll 16") for (int g = 0; g < GROUPS; g++)                                                          \
            {                                                                                                                  \
                sums[r * GROUPS + g] = begins ? s[r][g] : sums[r * GROUPS + g] + s[r][g];                                      \
            }                                                                                                                  \
        }                                                                                                                      \
    }
TILE(tile_12_1_, 12, 1)
TILE(tile_6_2_, 6, 2)
TILE(tile_1_1_, 1, 1)
TILE(tile_1_2_, 1, 2)
#undef TILE

/* Up to BLOCK rows with one or two groups of vectors, into sums[row * groups + group]. */
static void JOIN(block_, SUFFIX)(const T *m, size_t row_stride, size_t rows, size_t depth, const T *packed, size_t groups,
                                 VECTOR *sums)
{
    enum { LANE_COUNT = VECTOR_BYTES / sizeof(T) };
    for (size_t from = 0; from < depth; from += STRETCH) {
        size_t n = depth - from < STRETCH ? depth - from : STRETCH, row = 0;
        const T *at = m + from, *v = packed + from * LANE_COUNT;
        if (groups == 2) {
            for (; row + 6 <= rows; row += 6) {
                JOIN(tile_6_2_, SUFFIX)(at + row * row_stride, row_stride, n, v, depth * LANE_COUNT, sums + row * 2, from == 0);
            }
            for (; row < rows; row++) {
                JOIN(tile_1_2_, SUFFIX)(at + row * row_stride, row_stride, n, v, depth * LANE_COUNT, sums + row * 2, from == 0);
            }
        } else {
            for (; row + 12 <= rows; row += 12) {
                JOIN(tile_12_1_, SUFFIX)(at + row * row_stride, row_stride, n, v, 0, sums + row, from == 0);
            }
            for (; row < rows; row++) {
                JOIN(tile_1_1_, SUFFIX)(at + row * row_stride, row_stride, n, v, 0, sums + row, from == 0);
            }
        }
    }
}

static void JOIN(many_, SUFFIX)(const void *matrix, size_t row_stride, size_t rows, size_t depth, const void *packed_,
                                size_t count, void *out_, size_t out_stride)
{
    enum { LANE_COUNT = VECTOR_BYTES / sizeof(T) };
    const T *m = matrix, *packed = packed_;
    T *out = out_;
    VECTOR sums[2 * BLOCK];
    for (size_t first = 0; first < count;) {
        size_t groups = count - first > LANE_COUNT ? 2 : 1;
        size_t here = count - first < groups * LANE_COUNT ? count - first : groups * LANE_COUNT;
        for (size_t row = 0; row < rows; row += BLOCK) {
            size_t n = rows - row < BLOCK ? rows - row : BLOCK;
            JOIN(block_, SUFFIX)(m + row * row_stride, row_stride, n, depth, packed + first * depth, groups, sums);
            for (size_t v = 0; v < here; v++) {
                const T *from = (const T *)sums + v;
                T *to = out + (first + v) * out_stride + row;
                for (size_t r = 0; r < n; r++) {
                    to[r] = from[r * groups * LANE_COUNT];
                }
            }
        }
        first += groups * LANE_COUNT;
    }
}
#undef BLOCK

/* The sum of a vector's lanes: halves are added until one is left. */
static inline __attribute__((always_inline)) T JOIN(across_, SUFFIX)(VECTOR v)
{
#if PSY_VECTOR_BYTES > 32
    typedef T half __attribute__((vector_size(32)));
    half low, high;
    memcpy(&low, &v, 32);
    memcpy(&high, (const char *)&v + 32, 32);
    low += high;
#else
    VECTOR low = v;
#endif
#if PSY_VECTOR_BYTES > 16
    typedef T quarter __attribute__((vector_size(16)));
    quarter q, r;
    memcpy(&q, &low, 16);
    memcpy(&r, (const char *)&low + 16, 16);
    q += r;
#else
    VECTOR q = low;
#endif
    return sizeof(T) == 4 ? (q[0] + q[2 % (16 / sizeof(T))]) + (q[1] + q[3 % (16 / sizeof(T))]) : q[0] + q[1];
}

/* ROWS rows at a time, two sums each, which begin anew after so many elements: errors grow with the length of a sum. */
#define PART 2048
#define PASS(ROWS)                                                                                                             \
    T total[ROWS] = {0};                                                                                                       \
    for (size_t from = 0; from < depth; from += PART) {                                                                        \
        VECTOR s[ROWS][2] = {{{0}}};                                                                                           \
        size_t d = from, end = depth - from < PART ? depth : from + PART;                                                      \
        for (; d + 2 * LANE_COUNT <= end; d += 2 * LANE_COUNT) {                                                               \
            VECTOR v0 = *(const LOOSE *)(v + d), v1 = *(const LOOSE *)(v + d + LANE_COUNT);                                    \
            _Pragma("GCC unroll 4") for (size_t r = 0; r < ROWS; r++)                                                          \
            {                                                                                                                  \
                s[r][0] += *(const LOOSE *)(m + r * row_stride + d) * v0;                                                      \
                s[r][1] += *(const LOOSE *)(m + r * row_stride + d + LANE_COUNT) * v1;                                         \
            }                                                                                                                  \
        }                                                                                                                      \
        _Pragma("GCC unroll 4") for (size_t r = 0; r < ROWS; r++)                                                              \
        {                                                                                                                      \
            T sum = JOIN(across_, SUFFIX)(s[r][0] + s[r][1]);                                                                  \
            for (size_t i = d; i < end; i++) {                                                                                 \
                sum += m[r * row_stride + i] * v[i];                                                                           \
            }                                                                                                                  \
            total[r] += sum;                                                                                                   \
        }                                                                                                                      \
    }                                                                                                                          \
    for (size_t r = 0; r < ROWS; r++) {                                                                                        \
        out[row + r] = total[r];                                                                                               \
    }

static void JOIN(one_, SUFFIX)(const void *matrix, size_t row_stride, size_t rows, size_t depth, const void *vector, void *out_)
{
    enum { LANE_COUNT = VECTOR_BYTES / sizeof(T) };
    const T *m = matrix, *v = vector;
    T *out = out_;
    size_t row = 0;
    for (; row + 4 <= rows; row += 4, m += 4 * row_stride) {
        PASS(4)
    }
    for (; row < rows; row++, m += row_stride) {
        PASS(1)
    }
}
#undef PASS
#undef PART
#undef STRETCH
#undef VECTOR
#undef LOOSE
#endif

#undef T
#undef U
#undef SUFFIX
#undef COLUMN
#undef FLOATS
#undef HIGHEST
#undef LOWEST
