/* SPDX-License-Identifier: Apache-2.0 */
/* `psynec lsp`: a language server over standard input and output (Language Server Protocol 3.17). */
#ifndef PSC_LSP_LSP_H
#define PSC_LSP_LSP_H

/* Serves until the client says `exit` or closes the input. The exit status: 0 after `shutdown`, 1 without, 2 for wrong options
 * or where the server was left out of this psynec. */
int psc_lsp(int argc, char **argv);

#endif
