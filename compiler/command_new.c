/* SPDX-License-Identifier: Apache-2.0 */
/* psynec new NAME: the files of templates/project.in, with the name in them. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "options.h"
#include "output.h"
#include "schema.h"
#include "syntax.h"
#include "template.h"

static const char *const sections[] = {"NAME.psy", "NAME.hrm", "NAME.c", "Makefile", "README.md", ".gitignore"};

/* The last part of a path is the project's name: a namespace, and the start of names in C. */
static const char *name_of(psc_arena *arena, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    const char *whole = psc_strndup(arena, path, n), *slash = strrchr(whole, '/'), *name = slash ? slash + 1 : whole;
    bool good = islower((unsigned char)*name) && strlen(name) <= PSC_NAMESPACE_MAX;
    for (const char *c = name; *c; c++) {
        good = good && (islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    }
    if (!good) {
        psc_misuse(
            psc_format(arena, "`%s` cannot be the name of a project", name),
            psc_format(arena, "it becomes a part of names in C: small letters, digits and `_`, at most %d", PSC_NAMESPACE_MAX));
    }
    return name;
}

static const char *upper(psc_arena *arena, const char *name)
{
    char *text = psc_strndup(arena, name, strlen(name));
    for (char *c = text; *c; c++) {
        *c = (char)toupper((unsigned char)*c);
    }
    return text;
}

static void add_file(psc_arena *arena, psc_outputs *outputs, const char *section, const psc_pair *pairs)
{
    psc_stream stream;
    size_t n;
    psc_template_write(psc_template_project, section, pairs, psc_stream_open(&stream));
    const char *text = psc_stream_close(&stream, arena, &n);
    bool named = strncmp(section, "NAME", 4) == 0;
    psc_output_add(outputs, named ? psc_format(arena, "%s%s", pairs[0].value, section + 4) : section, text, n);
}

/* The schema must be one: names of C and C++ are none. */
static void check_schema(psc_arena *arena, psc_diagnostics *diags, const psc_outputs *outputs)
{
    const psc_output *schema = &outputs->list.at[0];
    psc_schema_parse(arena, diags, psc_source_text(arena, schema->path, schema->bytes, schema->n));
}

int psc_command_new(int argc, char **argv)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_outputs outputs = {.arena = &arena, .diags = &diags};
    psc_command_line line = psc_command_line_begin(&arena, PSC_COMMAND_NEW, argc, argv);
    const char *value;
    for (psc_option_name o; (o = psc_command_line_next(&line, &value)) != PSC_OPTION_END;) {
        if (o == PSC_OPTION_NEW_HELP) {
            psc_help_write(&arena, PSC_COMMAND_NEW, stdout);
            psc_arena_fini(&arena);
            return 0;
        }
        if (outputs.folder) {
            psc_misuse("one project at a time", "`psynec new --help` says more");
        }
        outputs.folder = value;
    }
    if (!outputs.folder) {
        psc_misuse("the project needs a name", "write `psynec new NAME`");
    }
    const char *name = name_of(&arena, outputs.folder);
    const psc_pair pairs[] = {{"NAME", name}, {"UPPER", upper(&arena, name)}, {NULL, NULL}};
    struct stat st;
    psc_span nowhere = {0};
    if (lstat(outputs.folder, &st) == 0 || errno != ENOENT) {
        psc_error(&diags, PSC_E_FILE, nowhere, "%s is there already", outputs.folder);
    } else {
        for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
            add_file(&arena, &outputs, sections[i], pairs);
        }
        check_schema(&arena, &diags, &outputs);
    }
    if (diags.errors == 0 && psc_outputs_write(&outputs)) {
        printf("%s is ready: `make -C %s run` builds and runs it\n", name, outputs.folder);
    }
    psc_say(&diags, false);
    int status = diags.errors ? 1 : 0;
    psc_arena_fini(&arena);
    return status;
}
