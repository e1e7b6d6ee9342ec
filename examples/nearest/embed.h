/* SPDX-License-Identifier: Apache-2.0 */
/* Turns a word into a vector whose direction stands for its spelling: words spelt alike have a large cosine.
 *
 * The vector holds weighted character n-grams, hashed; the README beside this file says which and why. It depends on nothing
 * but the bytes of the word: equal on every machine, to the last bit. Thread safe; allocates nothing; linear in the word's
 * length. */
#ifndef NEAREST_EMBED_H
#define NEAREST_EMBED_H

#include <stddef.h>

/* vector: [dim] f32, dim >= 16; it gets length 1 (to rounding) whatever the bytes of the word are. */
void embed(const char *word, float *vector, size_t dim);

#endif
