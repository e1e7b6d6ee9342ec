/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of text, as wide as what is in them: the first to the left, the others to the right.
 *
 *   psy__table t;
 *   psy__table_begin(&t, 2, (const char *const[]){"NAME", "COUNT"});
 *   psy__table_put(&t, "%s", name), psy__table_put(&t, "%d", count);
 *   psy__table_print(&t, stdout);                               // and it is gone
 */
#ifndef PSY_COMMAND_TABLE_H
#define PSY_COMMAND_TABLE_H

#include <stdint.h>
#include <stdio.h>

#include <psyne/status.h>

enum { PSY_TABLE_COLUMNS_MAX = 24, PSY_TABLE_CELL_BYTES = 96 };

typedef struct psy__table {
    uint32_t columns, cells, room;
    char (*texts)[PSY_TABLE_CELL_BYTES];
} psy__table;

void psy__table_begin(psy__table *t, uint32_t columns, const char *const *titles);
/* The next cell, in UTF-8; what is longer than one holds is cut off. Without memory the program ends. */
void psy__table_put(psy__table *t, const char *format, ...) PSY_PRINTF(2, 3);
void psy__table_print(psy__table *t, FILE *to);

#endif
