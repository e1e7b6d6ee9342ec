/* SPDX-License-Identifier: Apache-2.0 */
/* Diagnostics for editors: a JSON object a line. */
#include "diagnostic.h"
#include "json.h"

static void put_place(psc_json *j, const char *key, const psc_source *source, uint32_t at)
{
    uint32_t line, column;
    psc_source_place(source, at, &line, &column);
    psc_json_open(j, key, '{');
    psc_json_number(j, "line", line);
    psc_json_number(j, "column", column);
    psc_json_close(j, '}');
}

void psc_span_json(psc_json *j, psc_span span)
{
    uint32_t line, column;
    psc_json_text(j, "file", span.source ? span.source->path : NULL);
    if (span.source) {
        psc_source_place(span.source, span.begin, &line, &column);
        psc_json_number(j, "line", line);
        psc_json_number(j, "column", column);
        put_place(j, "end", span.source, span.end);
    }
}

static void put_remarks(psc_json *j, const psc_diagnostic *d)
{
    psc_json_open(j, "notes", '[');
    for (size_t i = 0; i < d->remarks.count; i++) {
        if (!d->remarks.at[i].help) {
            psc_json_open(j, NULL, '{');
            psc_span_json(j, d->remarks.at[i].span);
            psc_json_text(j, "message", d->remarks.at[i].text);
            psc_json_close(j, '}');
        }
    }
    psc_json_close(j, ']');
    psc_json_open(j, "help", '[');
    for (size_t i = 0; i < d->remarks.count; i++) {
        if (d->remarks.at[i].help) {
            psc_json_text(j, NULL, d->remarks.at[i].text);
        }
    }
    psc_json_close(j, ']');
}

void psc_diagnostics_json(const psc_diagnostics *diags, FILE *to)
{
    unsigned left;
    psc_diagnostic_list shown = psc_diagnostics_shown(diags, UINT32_MAX, &left);
    for (size_t i = 0; i < shown.count; i++) {
        const psc_diagnostic *d = shown.at[i];
        psc_json j = {.to = to};
        psc_json_open(&j, NULL, '{');
        psc_span_json(&j, d->span);
        psc_json_text(&j, "severity", d->severity == PSC_ERROR ? "error" : "warning");
        psc_json_text(&j, "code", psc_code_text(d->code));
        psc_json_text(&j, "message", d->text);
        put_remarks(&j, d);
        psc_json_open(&j, "fixes", '[');
        for (size_t k = 0; k < d->fixes.count; k++) {
            psc_json_open(&j, NULL, '{');
            psc_span_json(&j, d->fixes.at[k].span);
            psc_json_text(&j, "text", d->fixes.at[k].text);
            psc_json_close(&j, '}');
        }
        psc_json_close(&j, ']');
        psc_json_close(&j, '}');
        fputc('\n', to);
    }
    if (left > 0) {
        fprintf(to, "{\"severity\":\"more\",\"count\":%u}\n", left);
    }
}
