/* SPDX-License-Identifier: Apache-2.0 */
/* --explain: the texts of templates/explain.in, a section a code. Blocks of code are marked there with their language and with
 * `wrong` or `right`. */
#define _GNU_SOURCE
#include <string.h>

#include "command.h"
#include "options.h"
#include "output.h"
#include "template.h"

int psc_explain(psc_arena *arena, const char *code)
{
    psc_code found = (psc_code)psc_value_place(arena, PSC_VALUE_CODE, code, "there is no diagnostic");
    psc_stream stream;
    size_t n;
    psc_template_write(psc_template_explain, psc_code_text(found), NULL, psc_stream_open(&stream));
    const char *text = psc_stream_close(&stream, arena, &n);
    printf("%s: %s\n\n", psc_code_text(found), psc_code_title(found));
    bool inside = false;
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (strncmp(line, "```", 3) == 0) {
            inside = !inside;
            fputs(!inside ? "\n" : memmem(line, length, "wrong", 5) ? "Wrong:\n\n" : "Right:\n\n", stdout);
        } else {
            printf("%s%.*s\n", inside && length ? "    " : "", (int)length, line);
        }
        line += length + (line[length] == '\n');
    }
    return 0;
}
