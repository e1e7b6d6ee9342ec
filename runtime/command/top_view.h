/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne top shows, as a frame: a title, a line of sums, the tables one below the other, and the keys. It fits any size:
 * names are cut and columns left out from the right, by their priority, and what is too long is scrolled. */
#ifndef PSY_COMMAND_TOP_VIEW_H
#define PSY_COMMAND_TOP_VIEW_H

#include "command/screen.h"
#include "command/top_model.h"

enum { PSY_TOP_HISTORY = 256 };

typedef struct psy__top_view {
    const char *path; /* of what is read */
    double every;     /* seconds */
    char clock[16];   /* of the reading, or "" */
    psy__top_sort sort;
    bool reverse, paused, help, busy_only;
    bool live;                       /* with keys and colours; else just what there is */
    unsigned scroll;                 /* lines of the tables that are above; kept within what there is */
    double history[PSY_TOP_HISTORY]; /* requests a second; the last one is now */
    unsigned history_count;
} psy__top_view;

/* Draws it all. The screen was started, and is as large as it shall be. */
void psy__top_view_draw(psy__top_view *v, const psy__top_model *m, psy__screen *s);
/* Rows that it takes to draw all of it. */
unsigned psy__top_view_rows(const psy__top_view *v, const psy__top_model *m);
void psy__top_view_remember(psy__top_view *v, double requests);
/* Moves the tables by so many lines; the next drawing keeps it within what there is. */
void psy__top_view_scroll(psy__top_view *v, int lines);

const char *psy__top_sort_name(psy__top_sort sort);

#endif
