/* SPDX-License-Identifier: Apache-2.0 */
/* What psyne top shows, as numbers: the tables of top.def, made of two readings of the counters, of which the second is now and
 * the first what rates are against.
 *
 *   psy__top_model m = {0};
 *   psy__top_model_make(&m, before, now);        // before: NULL at first, when no rate is known
 *   psy__top_model_sort(&m, PSY_TOP_SORT_BUSY, false);
 *   ...
 *   psy__top_model_end(&m);
 *
 * Whatever stands in the files, a number is one that is finite or unknown (NAN), and a part is from 0 to 1. */
#ifndef PSY_COMMAND_TOP_MODEL_H
#define PSY_COMMAND_TOP_MODEL_H

#include <psyne/counters.h>

#include <stdio.h>

typedef enum psy__top_table_name {
#define TABLE(NAME, json, title) PSY_TOP_##NAME,
#include "command/top.def"
    PSY_TOP_TABLES
} psy__top_table_name;

typedef enum psy__top_kind {
    PSY_TOP_KIND_NUMBER,
    PSY_TOP_KIND_RATE,
    PSY_TOP_KIND_BYTES,
    PSY_TOP_KIND_BYTE_RATE,
    PSY_TOP_KIND_TIME,
    PSY_TOP_KIND_PART,
    PSY_TOP_KIND_SHARE
} psy__top_kind;

typedef enum psy__top_sort {
    PSY_TOP_SORT_NAME,
    PSY_TOP_SORT_BUSY,
    PSY_TOP_SORT_FULL,
    PSY_TOP_SORT_SLOW,
    PSY_TOP_SORT_BAD,
    PSY_TOP_SORTS
} psy__top_sort;

typedef struct psy__top_column {
    const char *title, *json, *help;
    psy__top_table_name table;
    psy__top_kind kind;
    unsigned priority;
    psy__top_sort sort;
} psy__top_column;

enum { PSY_TOP_COLUMNS_MAX = 8, PSY_TOP_ROWS_MAX = 65536 };

/* The columns of a table, in their order; *count says how many. */
const psy__top_column *psy__top_columns(psy__top_table_name table, unsigned *count);
const char *psy__top_title(psy__top_table_name table);

typedef struct psy__top_row {
    char name[PSY_COUNTERS_LABEL_BYTES + 16];
    bool alive; /* a process that keeps it */
    double values[PSY_TOP_COLUMNS_MAX];
} psy__top_row;

typedef struct psy__top_table {
    psy__top_row *rows;
    uint32_t count, room;
} psy__top_table;

typedef struct psy__top_model {
    psy__top_table tables[PSY_TOP_TABLES];
    uint32_t processes, dead, bad_files;
    uint32_t left_out; /* rows beyond PSY_TOP_ROWS_MAX of a table */
    double seconds;    /* between the readings; NAN: there is one only */
    double requests;   /* a second, of all pipelines, or of all services where none has counters of pipelines */
    double bad;
    char problem[256]; /* with the first file that could not be read, or "" */
} psy__top_model;

/* Memory is kept for the next time. False: there is none. */
bool psy__top_model_make(psy__top_model *m, const psy_counters_snapshot *before, const psy_counters_snapshot *now);
void psy__top_model_end(psy__top_model *m);

/* Each table by its column of that order, the greatest first, or by name; with `reverse` the other way round. */
void psy__top_model_sort(psy__top_model *m, psy__top_sort by, bool reverse);

/* An object in a line: what is not known is null. */
void psy__top_model_write_json(const psy__top_model *m, FILE *to);

#endif
