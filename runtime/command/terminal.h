/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal: what it can show, and having all of it for a while. No library: what is sent are a dozen sequences of ECMA-48
 * and of xterm, which every terminal of today understands, and the frame is made elsewhere (screen.h), where it can be tested.
 *
 *   psy__terminal_open();                       // other screen, no cursor, keys at once
 *   while (!done) { draw; key = psy__terminal_key(1000); }
 *   psy__terminal_close();
 *
 * Whatever ends the process by a signal that can be caught, the terminal is as it was before: also at SIGTSTP, after which
 * SIGCONT takes it again. Thread safety: one thread of the process. */
#ifndef PSY_COMMAND_TERMINAL_H
#define PSY_COMMAND_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Whether a file is a terminal that moves its cursor when told: not where TERM is unset or "dumb". */
bool psy__terminal_is(FILE *file);
/* Whether its characters are UTF-8, by the locale of the environment: sets LC_CTYPE, and nothing else of the locale. */
bool psy__terminal_unicode(void);
/* Columns and rows, from 1 to 1000: of the terminal, by COLUMNS and LINES where it is none, or 80 and 24. */
void psy__terminal_size(int fd, unsigned *columns, unsigned *rows);

/* Standard input and output are terminals: takes them. False: errno says why not. */
bool psy__terminal_open(void);
void psy__terminal_close(void);

enum {
    PSY_KEY_NONE = 0,     /* the time is over */
    PSY_KEY_RESIZE = 256, /* another size, or it came back from being stopped: draw all of it */
    PSY_KEY_UP,
    PSY_KEY_DOWN,
    PSY_KEY_PAGE_UP,
    PSY_KEY_PAGE_DOWN,
    PSY_KEY_HOME,
    PSY_KEY_END,
    PSY_KEY_GONE /* the terminal is */
};
/* The next key, a byte or one of the above; waits at most so long. */
int psy__terminal_key(int timeout_ms);

#endif
