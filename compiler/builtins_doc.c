/* SPDX-License-Identifier: Apache-2.0 */
/* What editors show of the language's functions. */
#include <string.h>

#include "builtins.h"
#include "isa/module.h"

static const struct {
    const char *name, *arguments, *text;
} docs[] = {
#define BUILTIN_DOC(name, arguments, text) {name, arguments, text},
#include "builtins_doc.def"
#undef BUILTIN_DOC
};

/* "axis keep" as ", axis:, keep:" */
static const char *named(psc_arena *arena, const char *names)
{
    const char *list = "";
    while (*names) {
        size_t n = strcspn(names, " ");
        list = psc_format(arena, "%s, %.*s:", list, (int)n, names);
        names += n + (names[n] == ' ');
    }
    return list;
}

bool psc_builtin_describe(psc_arena *arena, const char *name, const char **signature, const char **text)
{
    if (!psc_builtin_exists(name)) {
        return false;
    }
    for (size_t i = 0; i < sizeof docs / sizeof docs[0]; i++) {
        if (strcmp(docs[i].name, name) == 0) {
            *signature = psc_format(arena, "%s(%s%s)", name, docs[i].arguments, named(arena, psc_builtin_arguments(name)));
            *text = docs[i].text;
            return true;
        }
    }
    const psy_op_info *op = psy__op_named(name);
    bool is_cast = psy__dtype_named(name, strlen(name)) != 0;
    *signature = psc_format(arena, is_cast ? "%s(x)" : "%s(a)", name);
    *text = is_cast ? psc_format(arena, "x cast to %s.", name) : op ? op->doc : "";
    return true;
}
