/* SPDX-License-Identifier: Apache-2.0 */
/* Latency against load as a picture (SVG): a line for each quantile, logarithmic, over the replies a second that there were.
 * Points at which the service could not keep up are hollow. */
#ifndef PSY_COMMAND_PLOT_H
#define PSY_COMMAND_PLOT_H

#include <stdbool.h>
#include <stdint.h>

#include <psyne/status.h>

enum { PSY_PLOT_LINES = 4 };

typedef struct psy__plot_point {
    double rate;                 /* replies a second */
    uint64_t ns[PSY_PLOT_LINES]; /* p50, p99, p99.9, max */
    bool behind;                 /* fewer than were asked for */
} psy__plot_point;

/* Writes the file, by another name until it is whole. IO, NO_MEMORY. */
PSY_NODISCARD psy_status psy__plot_write(const char *path, const char *title, const psy__plot_point *points, uint32_t count);

#endif
