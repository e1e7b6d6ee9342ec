/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler in the test's own process, and what it made run as a service would: each shard's part, then the merge.
 *
 *   compiled *c = compile("message Query { x: f32; } ...", "pipeline ...", true);   // imports of "messages.psy" are added
 *   cr_assert(c->ok, "%s", c->said);
 *   served s = {.shards = 3, .residents = {{"words", words, 37, 8 * 4}}, ...};
 *   serve(c, "nearest", &s);
 *   compile_end(c);
 */
#ifndef PSY_TESTS_COMPILER_COMPILE_H
#define PSY_TESTS_COMPILER_COMPILE_H

#include "compiler/unit.h"
#include "engine/engine.h"
#include "tests/test.h"

typedef struct compiled {
    psc_arena arena;
    psc_diagnostics diags;
    psc_unit *unit;
    psy__module module; /* ok: decoded and verified */
    bool ok;
    char *said; /* diagnostics as they are printed; malloc'd */
} compiled;

/* Compiles the program, which imports a schema of this text. Never NULL. */
compiled *compile(const char *schema, const char *program, bool optimise);
compiled *compile_with(const char *schema, const char *program, const psc_options *options);
void compile_end(compiled *c);

/* The text of all diagnostics, as printed; malloc'd. */
char *compile_said(const psc_diagnostics *diags);

enum { SERVE_RESIDENTS_MAX = 4 };

typedef struct serve_resident {
    const char *name;
    const void *data; /* rows of all shards */
    uint64_t rows, row_bytes;
    const uint64_t *keys; /* data by key: a key for each row; else NULL */
} serve_resident;

typedef struct served {
    const char *engine; /* of the shards' parts; NULL: the cpu's, which merges too */
    uint32_t shards, messages;
    serve_resident residents[SERVE_RESIDENTS_MAX]; /* ended by a NULL name */
    /* In: the requests' fields, where the layout says, messages * input stride; out: the replies. Both are allocated by
     * serve_begin and freed by serve_end. */
    uint8_t *requests, *replies, *status;
    psy_status bind; /* why it could not be bound: psy_detail(). NO_DEVICE, UNSUPPORTED: of engines that are not the cpu's */
} served;

/* How the engine "own" is opened: one that only a test has. */
extern psy_status (*serve_own)(const psy__engine_options *options, psy__engine **out);

void serve_begin(const compiled *c, const char *pipeline, served *s);
/* Runs all requests at once on every shard that the route names, and the merge. */
void serve(const compiled *c, const char *pipeline, served *s);
void serve_end(served *s);

/* Where a field's elements are in message `i`; count: where its count is. NULL ends the test. */
void *serve_input(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field);
void *serve_output(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field);
/* From an optional field's value to the byte that says whether it is there. */
ptrdiff_t serve_presence(const compiled *c, const char *pipeline, bool out, const char *field);
/* Of several texts: their lengths, and the room that each has. */
uint32_t *serve_input_lengths(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field);
const uint32_t *serve_output_lengths(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field,
                                     uint32_t *room);
uint32_t *serve_input_count(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field);
uint32_t serve_output_count(const compiled *c, const char *pipeline, const served *s, uint32_t i, const char *field);

#endif
