/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/messages.h"

#include <string.h>

#define SCHEMA(word)                                                                                                           \
    const psy_type *word##_psy_fuzz_type(unsigned which);                                                                      \
    void word##_psy_fuzz(unsigned which, const unsigned char *bytes, size_t n);
#include "tests/fuzz/gen/messages.inc"
#undef SCHEMA

static const struct {
    const psy_type *(*type)(unsigned which);
    void (*run)(unsigned which, const unsigned char *bytes, size_t n);
} schemas[] = {
#define SCHEMA(word) {word##_psy_fuzz_type, word##_psy_fuzz},
#include "tests/fuzz/gen/messages.inc"
#undef SCHEMA
};

bool message_target_at(size_t i, message_target *out)
{
    for (size_t s = 0; s < sizeof schemas / sizeof schemas[0]; s++) {
        for (unsigned which = 0; schemas[s].type(which); which++) {
            if (i-- == 0) {
                *out = (message_target){schemas[s].type(which), schemas[s].run, which};
                return true;
            }
        }
    }
    return false;
}

bool message_target_find(const char *name, message_target *out)
{
    for (size_t i = 0; message_target_at(i, out); i++) {
        if (strcmp(out->type->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void message_target_run(const message_target *target, const unsigned char *bytes, size_t n)
{
    target->run(target->which, bytes, n);
}
