/* SPDX-License-Identifier: Apache-2.0 */
#include "template.h"

#include <stdlib.h>
#include <string.h>

static _Noreturn void bug(const char *what, const char *name, size_t n)
{
    fprintf(stderr, "psynec: internal error: template %s %.*s does not exist\n", what, (int)n, name);
    abort();
}

/* The first line of the section; *end is where the next one starts. */
static const char *find(const char *text, const char *section, const char **end)
{
    size_t n = strlen(section);
    for (const char *line = text; *line;) {
        const char *next = strchr(line, '\n');
        next = next ? next + 1 : line + strlen(line);
        if (strncmp(line, "@@ ", 3) == 0 && strncmp(line + 3, section, n) == 0 && line[3 + n] == '\n') {
            const char *stop = next;
            while (*stop && strncmp(stop, "@@ ", 3) != 0) {
                const char *after = strchr(stop, '\n');
                stop = after ? after + 1 : stop + strlen(stop);
            }
            *end = stop;
            return next;
        }
        line = next;
    }
    bug("section", section, n);
}

void psc_template_write(const char *text, const char *section, const psc_pair *pairs, FILE *to)
{
    const char *end, *at = find(text, section, &end);
    while (at < end) {
        const char *mark = strstr(at, "@{");
        if (!mark || mark >= end) {
            fwrite(at, 1, (size_t)(end - at), to);
            return;
        }
        fwrite(at, 1, (size_t)(mark - at), to);
        const char *key = mark + 2, *close = strchr(key, '}');
        size_t n = close ? (size_t)(close - key) : 0;
        const psc_pair *p = pairs;
        while (p && p->key && (strlen(p->key) != n || strncmp(p->key, key, n) != 0)) {
            p++;
        }
        if (!p || !p->key) {
            bug("key", key, n);
        }
        fputs(p->value, to);
        at = close + 1;
    }
}
