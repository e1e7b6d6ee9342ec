/* SPDX-License-Identifier: Apache-2.0 */
#include "command/table.h"

#include <stdarg.h>
#include <stdlib.h>

#include "command/command.h"

void psy__table_begin(psy__table *t, uint32_t columns, const char *const *titles)
{
    *t = (psy__table){.columns = columns};
    for (uint32_t i = 0; i < columns; i++) {
        psy__table_put(t, "%s", titles[i]);
    }
}

void psy__table_put(psy__table *t, const char *format, ...)
{
    if (t->cells == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->texts = realloc(t->texts, t->room * sizeof *t->texts);
        if (!t->texts) {
            psy__no_memory();
        }
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->texts[t->cells++], sizeof *t->texts, format, arguments);
    va_end(arguments);
}

/* Characters, and not bytes. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++) {
        n += (*text & 0xc0) != 0x80;
    }
    return n;
}

void psy__table_print(psy__table *t, FILE *to)
{
    int widths[PSY_TABLE_COLUMNS_MAX] = {0};
    for (uint32_t i = 0; i < t->cells; i++) {
        const int width = width_of(t->texts[i]);
        widths[i % t->columns] = width > widths[i % t->columns] ? width : widths[i % t->columns];
    }
    for (uint32_t i = 0; i < t->cells; i++) {
        const uint32_t column = i % t->columns;
        const int blanks = widths[column] - width_of(t->texts[i]);
        fprintf(to, "%s%*s%s", column ? "  " : "", column ? blanks : 0, "", t->texts[i]);
        if (column + 1 == t->columns) {
            fputc('\n', to);
        } else if (column == 0) {
            fprintf(to, "%*s", blanks, "");
        }
    }
    free(t->texts);
    *t = (psy__table){0};
}
