/* SPDX-License-Identifier: Apache-2.0 */
#include "base/near.h"

#include <ctype.h>
#include <string.h>

static bool alike(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

/* Edits (insert, delete, replace, swap of neighbours) from a to b; more than `most` gives most + 1. */
static size_t distance(const char *a, const char *b, size_t most)
{
    enum { LENGTH_MAX = 127 };
    size_t n = strlen(a), m = strlen(b);
    if (n > LENGTH_MAX || m > LENGTH_MAX || (n > m ? n - m : m - n) > most) {
        return most + 1;
    }
    size_t rows[3][LENGTH_MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= n; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + !alike(a[i - 1], b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && alike(a[i - 1], b[j - 2]) && alike(a[i - 2], b[j - 1]) && before[j - 2] + 1 < best) {
                best = before[j - 2] + 1;
            }
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *psy__nearest(const char *name, const char *const *candidates, size_t count, bool *only)
{
    size_t n = strlen(name), most = n < 3 ? 0 : (n + 1) / 3, best = most + 1;
    const char *found = NULL;
    *only = false;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(name, candidates[i], most);
        if (d < best) {
            best = d;
            found = candidates[i];
            *only = true;
        } else if (found && d == best && strcmp(found, candidates[i]) != 0) {
            *only = false;
        }
    }
    return found;
}
