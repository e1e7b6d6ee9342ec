/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the base protocol: a header with the length of the body, an empty line, the body.
 *
 *   Content-Length: 46\r\n
 *   \r\n
 *   {"jsonrpc":"2.0","id":1,"method":"shutdown"}
 *
 * What is no header is skipped up to the next `Content-Length:`, so that one bad message does not end the conversation. */
#ifndef PSC_LSP_FRAME_H
#define PSC_LSP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum { LSP_BODY_BYTES_MAX = 64 << 20, LSP_HEADER_BYTES_MAX = 4096 };

typedef enum lsp_frame { LSP_FRAME_WHOLE, LSP_FRAME_BROKEN, LSP_FRAME_END } lsp_frame;

typedef struct lsp_reader {
    int fd;
    char *buffer;
    size_t from, count, room; /* bytes from .. count are not read yet */
    bool lost;                /* looking for the next header; reported */
} lsp_reader;

/* Waits for the next message. WHOLE: *body is valid until the next call. BROKEN: bytes that are no message came, once for all
 * of them. END: there is no more, or no memory. */
lsp_frame lsp_read(lsp_reader *reader, const char **body, size_t *bytes);
/* Whether lsp_read would find something without waiting. */
bool lsp_pending(const lsp_reader *reader);
void lsp_reader_fini(lsp_reader *reader);

/* False: the client does not read any more. */
bool lsp_write(int fd, const char *body, size_t bytes);

#endif
