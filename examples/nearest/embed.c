/* SPDX-License-Identifier: Apache-2.0 */
/* Feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009) with several signed places
 * per feature. Weights are whole numbers, so that sums are exact and the same in any order. */
#include "embed.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What a feature is made of; part of its hash. */
enum { LETTER, PAIR, EITHER_WAY, TRIPLE, CLASS_PAIR, FROM_START, FROM_END, CLASS_FROM_START, CLASS_FROM_END, LENGTH };

enum {
    LETTER_WEIGHT = 100,
    PAIR_WEIGHT = 36,
    EITHER_WAY_WEIGHT = 45,
    TRIPLE_WEIGHT = 36,
    CLASS_PAIR_WEIGHT = 48,
    PLACES = 4, /* vector elements that one feature is added to */
    REACH = 2,  /* how far a letter spreads from its place */
};

/* Weights by the distance from the true place or length. */
static const int place_weight[REACH + 1] = {52, 45, 15};
static const int class_place_weight[REACH + 1] = {50, 30, 0};
static const int length_weight[REACH + 1] = {88, 53, 18};

/* The two ends of a word. Words of ASCII text have no such bytes; in any others they do no harm. */
enum { BEGIN = 1, END = 2 };

typedef struct sketch {
    float *vector;
    size_t dim;
} sketch;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static void add(sketch s, int kind, uint64_t feature, int weight)
{
    uint64_t hash = mix((feature * 64 + (uint64_t)kind) * 0x9e3779b97f4a7c15u);
    for (int i = 0; i < PLACES; i++) {
        const size_t at = (size_t)(((hash & 0xffffffffu) * s.dim) >> 32);
        s.vector[at] += (float)(hash >> 63 ? -weight : weight);
        hash = mix(hash + 0x9e3779b97f4a7c15u);
    }
}

/* Letters that are often written for each other share a class. */
static unsigned char class_of(unsigned char letter)
{
    static const char letters[] = "eiouy"
                                  "kqszx"
                                  "j"
                                  "v"
                                  "m"
                                  "t"
                                  "p";
    static const char classes[] = "aaaaa"
                                  "ccccc"
                                  "g"
                                  "f"
                                  "n"
                                  "d"
                                  "b";
    const char *at = letter ? strchr(letters, letter) : NULL;
    return at ? (unsigned char)classes[at - letters] : letter;
}

/* The i-th byte of the word between its marks: 0 is BEGIN, n + 1 is END. */
static unsigned char marked(const char *word, size_t n, size_t i)
{
    return i == 0 ? BEGIN : i == n + 1 ? END : (unsigned char)word[i - 1];
}

/* A third more for what touches an end of the word. */
static int at_end(int weight, int touches) { return touches ? weight * 4 / 3 : weight; }

static void add_grams(sketch s, const char *word, size_t n)
{
    for (size_t i = 0; i <= n; i++) {
        const uint64_t a = marked(word, n, i), b = marked(word, n, i + 1);
        const int touches = i == 0 || i == n;
        add(s, PAIR, a << 8 | b, at_end(PAIR_WEIGHT, touches));
        add(s, EITHER_WAY, a < b ? a << 8 | b : b << 8 | a, at_end(EITHER_WAY_WEIGHT, touches));
        if (i < n) {
            add(s, LETTER, b, LETTER_WEIGHT);
            add(s, TRIPLE, a << 16 | b << 8 | marked(word, n, i + 2), at_end(TRIPLE_WEIGHT, i == 0 || i + 1 == n));
        }
    }
}

/* Pairs of classes, where a run of one class counts as one. */
static void add_class_pairs(sketch s, const char *word, size_t n)
{
    uint64_t last = BEGIN;
    for (size_t i = 1; i <= n + 1; i++) {
        const unsigned char class = class_of(marked(word, n, i));
        if (class != last) {
            add(s, CLASS_PAIR, last << 8 | class, CLASS_PAIR_WEIGHT);
            last = class;
        }
    }
}

/* A letter at its distance from an end, and at the neighbouring ones, so that a letter more or less before it matters little.
 * The further from the end, the less. */
static void add_placed(sketch s, int kind, unsigned char letter, size_t distance, const int weight[REACH + 1])
{
    for (int d = -REACH; d <= REACH; d++) {
        const int w = weight[d < 0 ? -d : d] * 4;
        const int scaled = distance < (size_t)w ? w / (4 + (int)distance) : 0;
        if (scaled) {
            add(s, kind, ((uint64_t)distance + REACH + (uint64_t)d) << 8 | letter, scaled);
        }
    }
}

void embed(const char *word, float *vector, size_t dim)
{
    const sketch s = {vector, dim};
    const size_t n = strlen(word);
    memset(vector, 0, dim * sizeof *vector);
    add_grams(s, word, n);
    add_class_pairs(s, word, n);
    for (size_t i = 0; i < n; i++) {
        const unsigned char letter = (unsigned char)word[i], class = class_of(letter);
        add_placed(s, FROM_START, letter, i, place_weight);
        add_placed(s, FROM_END, letter, n - 1 - i, place_weight);
        add_placed(s, CLASS_FROM_START, class, i, class_place_weight);
        add_placed(s, CLASS_FROM_END, class, n - 1 - i, class_place_weight);
    }
    for (int d = -REACH; d <= REACH; d++) {
        add(s, LENGTH, (uint64_t)n + REACH + (uint64_t)d, length_weight[d < 0 ? -d : d]);
    }

    double squares = 0;
    for (size_t i = 0; i < dim; i++) {
        squares += (double)vector[i] * (double)vector[i];
    }
    if (squares == 0) { /* everything cancelled out */
        vector[0] = 1.0f;
        return;
    }
    const double length = sqrt(squares);
    for (size_t i = 0; i < dim; i++) {
        vector[i] = (float)((double)vector[i] / length);
    }
}
