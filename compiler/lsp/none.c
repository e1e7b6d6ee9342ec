/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "lsp/lsp.h"

int psc_lsp(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    fputs("psynec: the language server was left out of this psynec\n"
          "   help: configure it without --without-lsp (it needs jansson)\n",
          stderr);
    return 2;
}
