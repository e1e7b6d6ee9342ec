/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON (RFC 8259), both ways, by the tables of their type: doc/messages.md says what becomes what.
 *
 *   psy_message_print_file(shop_order_type(), order, n, 2, stdout);
 *
 *   size_t size;
 *   if (psy_message_parse(shop_order_type(), text, strlen(text), memory, sizeof memory, &size) != PSY_OK)
 *       fprintf(stderr, "%s\n", psy_detail());        // "line 3, column 9: shop.Order.tags[3]: 90 bytes, at most 80"
 *
 * What is printed and parsed again is equal (psy_message_equal), to the last bit of every float: numbers have the fewest digits
 * that give the same bits, integers of 64 bits are plain numbers. (Libraries of JSON read those as f64, or as i64: here they
 * are read by their type, so none is used.) The locale does not matter. Any thread may call; nothing blocks but what `write`
 * does. */
#ifndef PSYNE_JSON_H
#define PSYNE_JSON_H

#include <stdio.h>

#include <psyne/reflect.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Takes the next `n` bytes of text, at most some thousands. False: no more of it. */
typedef bool (*psy_json_write)(void *context, const char *text, size_t n);

/* Verifies the message in the `n` bytes at `bytes`, a multiple of 64, and prints it: `indent` blanks a level, and a line break
 * at the end; 0: in one line, without one. Whatever of the memory others change meanwhile, what is printed is JSON. CORRUPT,
 * VERSION, INVALID, UNSUPPORTED: as psy_message_verify, and nothing is printed; IO: `write` wanted no more. Does not allocate.
 */
PSY_NODISCARD psy_status psy_message_print(const psy_type *type, const void *bytes, size_t n, unsigned indent,
                                           psy_json_write write, void *context);

/* The same to a file. */
PSY_NODISCARD psy_status psy_message_print_file(const psy_type *type, const void *bytes, size_t n, unsigned indent, FILE *to);

/* The same to `room` bytes at `text`, ended by a NUL; `*length` is its length. TOO_LARGE: it does not fit, and `*length` is
 * what it would be. */
PSY_NODISCARD psy_status psy_message_print_text(const psy_type *type, const void *bytes, size_t n, unsigned indent, char *text,
                                                size_t room, size_t *length);

/* Makes the message that the `n` bytes of text say, in `room` bytes at `to`, a multiple of 64; `*size` is its size. What the
 * text does not name, or says is null, has its default, or is not there. CORRUPT: it is no such message; the detail says in
 * which line, column and field, and what was wanted. TOO_LARGE: `room` is too small for it (the caller may try again with more;
 * no message has more than PSY_MESSAGE_BYTES_MAX), or the text has over 1 GiB or 16 million members and arrays. INVALID,
 * UNSUPPORTED: as psy_message_init. NO_MEMORY. After a failure `*size` is 0 and `to` undefined. Allocates an index of the text,
 * and frees it before it returns: 32 bytes for each member of an object, and each array and object in an array. */
PSY_NODISCARD psy_status psy_message_parse(const psy_type *type, const char *text, size_t n, void *to, size_t room,
                                           size_t *size);

/* The same for the next of several messages in one text: from `*at` on, which moves behind it. NOT_FOUND: there is none any
 * more. */
PSY_NODISCARD psy_status psy_message_parse_next(const psy_type *type, const char *text, size_t n, size_t *at, void *to,
                                                size_t room, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
