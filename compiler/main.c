/* SPDX-License-Identifier: Apache-2.0 */
/* psynec: which command it is. Exit status: 0 done, 1 errors in the input, 2 wrong use, 3 out of memory. */
#include <string.h>

#include "command.h"
#include "lsp/lsp.h"
#include "options.h"

static int (*const commands[PSC_COMMAND_COUNT])(int argc, char **argv) = {
    [PSC_COMMAND_COMPILE] = psc_command_compile,
    [PSC_COMMAND_FMT] = psc_command_fmt,
    [PSC_COMMAND_NEW] = psc_command_new,
    [PSC_COMMAND_LSP] = psc_lsp,
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc > 1 && i < PSC_COMMAND_COUNT; i++) {
        if (*psc_command_rows[i].word && strcmp(argv[1], psc_command_rows[i].word) == 0) {
            return commands[i](argc - 1, argv + 1);
        }
    }
    return psc_command_compile(argc, argv);
}
