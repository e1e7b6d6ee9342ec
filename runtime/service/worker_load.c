/* SPDX-License-Identifier: Apache-2.0 */
/* Data comes in: under the name and in the shape in which the programs declare it. */
#include <stdlib.h>
#include <string.h>

#include "service/worker_state.h"

const psy_psm_resident *psy__worker_declaration(const psy_worker *w, const char *name)
{
    for (uint32_t i = 0; i < w->program_top; i++) {
        const psy__module *m = w->programs[i] ? &w->programs[i]->module->decoded : NULL;
        uint32_t index = m ? psy__module_find_resident(m, name) : PSY_NONE;
        if (index != PSY_NONE) {
            return &m->residents[index];
        }
    }
    (void)psy_fail(PSY_NOT_FOUND, "the module has no resident `%s`", name);
    return NULL;
}

/* Every program that must run has to be able to use it. */
static psy_status fit_all(psy_worker *w, const psy__dataset *data)
{
    psy_status status = PSY_OK;
    for (uint32_t i = 0; status == PSY_OK && i < w->program_top; i++) {
        if (w->programs[i] && w->programs[i]->served) {
            status = psy__worker_program_fit(w->programs[i], data);
        }
    }
    return status;
}

static psy_status load(psy_worker *w, const psy_rows *rows, const psy_psm_resident *declared, const psy__rows_range *range,
                       psy__dataset *data)
{
    data->watch = &w->watch;
    psy_status status = psy__dataset_declare(data, rows, declared);
    status = status == PSY_OK ? fit_all(w, data) : status; /* sizes that are wrong are not worth reading all keys for */
    status = status == PSY_OK ? psy__dataset_choose(data, rows, &w->holder) : status;
    if (!range->usual) {
        data->first = range->first;
        data->data.rows = range->count;
    }
    status = status == PSY_OK ? fit_all(w, data) : status;
    status = status == PSY_OK ? psy__dataset_fill(data, rows) : status;
    data->watch = NULL;
    return status;
}

void psy__worker_refit_all(psy_worker *w)
{
    for (uint32_t i = 0; i < w->program_top; i++) {
        if (w->programs[i]) {
            (void)!psy__worker_program_refit(w, w->programs[i]);
        }
    }
}

psy_status psy__worker_load_rows(psy_worker *w, const psy_rows *rows, const psy__rows_range *range)
{
    const psy_psm_resident *declared = psy__worker_declaration(w, rows->resident);
    if (!declared) {
        return PSY_NOT_FOUND;
    }
    if (w->moves) {
        return PSY_OK; /* its rows come from the workers that there are */
    }
    if (psy_worker_has(w, rows->resident)) {
        return psy_fail(PSY_INVALID, "resident %s is loaded already", rows->resident);
    }
    psy__dataset *more = realloc(w->datasets, (w->dataset_count + 1) * sizeof *more), data = {0};
    if (!more) {
        return psy_fail(PSY_NO_MEMORY, "no memory for one more resident");
    }
    w->datasets = more;
    psy_status status = load(w, rows, declared, range, &data);
    if (status == PSY_OK) {
        w->datasets[w->dataset_count++] = data;
        return PSY_OK;
    }
    char why[512];
    memcpy(why, psy_detail(), strlen(psy_detail()) + 1);
    psy__dataset_unload(&data);
    psy__worker_refit_all(w); /* as if it had not been tried: it may come again with other sizes */
    return psy_fail(status, "%s", why);
}

psy_status psy_worker_load(psy_worker *w, const psy_rows *rows)
{
    if (!w || !rows || !rows->resident || w->started) {
        return psy_fail(PSY_INVALID, "psy_worker_load: %s", w && w->started ? "the worker serves already" : "a null argument");
    }
    return psy__worker_load_rows(w, rows, &(psy__rows_range){.usual = true});
}

int psy_worker_has(const psy_worker *w, const char *resident)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        if (strcmp(w->datasets[i].name, resident) == 0) {
            return 1;
        }
    }
    return 0;
}

void psy__worker_unload(psy_worker *w)
{
    for (uint32_t i = 0; i < w->dataset_count; i++) {
        psy__dataset_unload(&w->datasets[i]);
    }
    free(w->datasets);
    w->datasets = NULL;
    w->dataset_count = 0;
}
