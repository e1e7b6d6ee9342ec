/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people: three digits and a unit, and bars. Each gives its `to`. With `unicode` texts are UTF-8, else ASCII.
 * Nothing allocates; any thread may call. */
#ifndef PSY_COMMAND_UNITS_H
#define PSY_COMMAND_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "12.3 µs" (or "12.3 us"), "950 ns", "1.20 s", "3 min 5 s". */
const char *psy__time_text(char *to, size_t room, uint64_t ns, bool unicode);
/* "999", "12.3 k", "4.56 M", "7.89 G". */
const char *psy__count_text(char *to, size_t room, double count);
/* "512 B", "4.00 KiB", "1.25 MiB". */
const char *psy__bytes_text(char *to, size_t room, double bytes);

enum { PSY_BAR_COLUMNS_MAX = 256, PSY_BAR_BYTES = 3 * PSY_BAR_COLUMNS_MAX + 1 };

/* A bar of `part` (0 .. 1; less is 0, more is 1) of `columns`, in eighths of a column with `unicode`. What is not nothing
 * shows. `whole`: the rest is filled up, so that it has all of its columns. `to` has PSY_BAR_BYTES. */
const char *psy__bar(char *to, double part, unsigned columns, bool unicode, bool whole);

/* Columns that a text of one column a character takes. */
unsigned psy__columns(const char *text);
/* For %*s: the width that makes the text take `columns`, however many bytes it has. */
int psy__padding(const char *text, unsigned columns);

#endif
