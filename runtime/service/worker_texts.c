/* SPDX-License-Identifier: Apache-2.0 */
/* Resident texts: rows of bytes with zeros behind. */
#include <inttypes.h>
#include <string.h>

#include <psyne/message.h>

#include "service/worker_state.h"

typedef struct texts {
    const char *const *text;
    uint64_t room;
} texts;

static psy_status fill(void *context, uint64_t row, void *out)
{
    const texts *t = context;
    const char *text = t->text[row];
    if (!text) {
        return psy_fail(PSY_INVALID, "there is no text");
    }
    size_t n = strnlen(text, t->room + 1);
    if (n > t->room) {
        return psy_fail(PSY_TOO_LARGE, "the text has more than %" PRIu64 " bytes", t->room);
    }
    if (!psy_utf8_valid(text, n)) {
        return psy_fail(PSY_INVALID, "the text is not UTF-8");
    }
    memset(out, 0, t->room);
    memcpy(out, text, n);
    return PSY_OK;
}

psy_status psy_worker_load_texts(psy_worker *worker, const char *resident, const char *const *text, uint64_t count)
{
    if (!worker || !resident || (!text && count)) {
        return psy_fail(PSY_INVALID, "psy_worker_load_texts: a null argument");
    }
    const psy_psm_resident *r = psy__worker_declaration(worker, resident);
    if (!r) {
        return PSY_NOT_FOUND;
    }
    if (r->dtype != PSY_U8 || r->rank != 2 || psy__dim_is_symbol(r->dims[1])) {
        return psy_fail(PSY_INVALID, "resident %s is not one text a row", resident);
    }
    texts all = {text, r->dims[1]};
    return psy_worker_load(
        worker, &(psy_rows){.resident = resident, .rank = 2, .dims = {count, all.room}, .fill = fill, .context = &all});
}
