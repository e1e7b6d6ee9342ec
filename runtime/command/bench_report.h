/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne bench says of its runs: a table, JSON, a picture. */
#ifndef PSY_COMMAND_BENCH_REPORT_H
#define PSY_COMMAND_BENCH_REPORT_H

#include "command/load.h"

typedef struct psy__bench_run {
    double rate; /* asked for; 0: closed loop */
    psy__load_result *result;
} psy__bench_run;

/* Rows for all runs, then what must be said of them, and with `histogram` one for each. */
void psy__bench_write_table(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count, bool histogram, FILE *to);
/* An object with all that is known, in a line. */
void psy__bench_write_json(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count, FILE *to);
/* The picture. IO, NO_MEMORY. */
PSY_NODISCARD psy_status psy__bench_plot(const psy__load_plan *plan, const psy__bench_run *runs, uint32_t count,
                                         const char *path);

#endif
