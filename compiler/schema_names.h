/* SPDX-License-Identifier: Apache-2.0 */
/* The C names that a schema gives rise to. */
#ifndef PSC_SCHEMA_NAMES_H
#define PSC_SCHEMA_NAMES_H

#include "schema.h"

/* "HTTPServer" -> "http_server", "a.b" -> "a_b" */
const char *psc_snake(psc_arena *arena, const char *name);
const char *psc_upper(psc_arena *arena, const char *name);
/* What all names of the schema start with: "nearest_", or "". */
const char *psc_schema_prefix(psc_arena *arena, const psc_schema *schema);

/* "a/b/shop.psy" -> "shop.psy": what its header is called, without `.h`. */
const char *psc_schema_file(const psc_schema *schema);

/* Gives each name that the header declares for a type, and what in the schema it comes from; and each member of its struct. */
typedef void (*psc_take_name)(void *context, const char *name, psc_span span);
void psc_header_each_name(psc_arena *arena, const psc_message *m, psc_take_name take_name, void *context);
void psc_header_each_member_name(psc_arena *arena, const psc_message *m, psc_take_name take_name, void *context);

/* Reports names that would clash in C or C++: keywords, members of the struct, functions; also with the headers of the schemas
 * that it imports, and of those that these import, which were checked before. */
void psc_schema_check_names(psc_arena *arena, psc_diagnostics *diags, psc_schema *schema);

#endif
