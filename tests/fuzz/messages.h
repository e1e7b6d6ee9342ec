/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzz targets that psynec wrote for the messages of schemas/, of the examples and of the tests: every type there is. */
#ifndef PSY_TESTS_FUZZ_MESSAGES_H
#define PSY_TESTS_FUZZ_MESSAGES_H

#include <psyne/reflect.h>

typedef struct message_target {
    const psy_type *type;
    void (*run)(unsigned which, const unsigned char *bytes, size_t n);
    unsigned which;
} message_target;

/* The i-th; false: there are no more. */
bool message_target_at(size_t i, message_target *out);
/* That of this type, "psyne.Hits"; false: there is none. */
bool message_target_find(const char *name, message_target *out);
/* An input goes through. */
void message_target_run(const message_target *target, const unsigned char *bytes, size_t n);

#endif
