/* SPDX-License-Identifier: Apache-2.0 */
/* What commands share. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

psc_file_kind psc_file_kind_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return !dot                       ? PSC_FILE_UNKNOWN
           : strcmp(dot, ".psy") == 0 ? PSC_FILE_SCHEMA
           : strcmp(dot, ".hrm") == 0 ? PSC_FILE_PROGRAM
           : strcmp(dot, ".hra") == 0 ? PSC_FILE_ASSEMBLY
                                      : PSC_FILE_UNKNOWN;
}

const psc_source *psc_file_read(psc_arena *arena, psc_diagnostics *diags, const char *path)
{
    psc_span nowhere = {0};
    const psc_source *source = psc_source_read(arena, path);
    if (!source) {
        psc_error(diags, PSC_E_FILE, nowhere, "%s: %s", path, psc_source_problem(errno));
    }
    return source;
}

bool psc_is_coloured(FILE *to) { return isatty(fileno(to)) && !getenv("NO_COLOR"); }

void psc_say(const psc_diagnostics *diags, bool json)
{
    if (json) {
        psc_diagnostics_json(diags, stderr);
    } else {
        psc_diagnostics_print(diags, stderr, psc_is_coloured(stderr));
    }
}
