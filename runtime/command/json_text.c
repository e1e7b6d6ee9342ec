/* SPDX-License-Identifier: Apache-2.0 */
#include "command/json_text.h"

void psy__json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20) {
            fprintf(to, "\\u%04x", (unsigned)*text);
        } else {
            fprintf(to, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
        }
    }
    fputc('"', to);
}
