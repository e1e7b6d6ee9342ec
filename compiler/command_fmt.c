/* SPDX-License-Identifier: Apache-2.0 */
/* psynec fmt: files in the canonical layout, in place. */
#include <string.h>

#include "command.h"
#include "fmt.h"
#include "options.h"
#include "output.h"

typedef struct formatting {
    psc_arena *arena;
    psc_diagnostics *diags;
    psc_outputs *outputs;
    bool check;
    unsigned differ;
} formatting;

static void format_file(formatting *f, const char *path)
{
    psc_span nowhere = {0};
    psc_file_kind kind = psc_file_kind_of(path);
    if (kind != PSC_FILE_SCHEMA && kind != PSC_FILE_PROGRAM) {
        psc_help(psc_error(f->diags, PSC_E_FILE, nowhere, "%s has no canonical layout", path), "names end in .psy or .hrm");
        return;
    }
    const psc_source *source = psc_file_read(f->arena, f->diags, path);
    psc_diagnostics own = {.arena = f->arena}; /* errors of other files do not stop this one */
    size_t n = 0;
    const char *text = source ? psc_fmt(f->arena, &own, source, kind == PSC_FILE_PROGRAM, &n) : NULL;
    psc_diagnostics_add(f->diags, &own);
    if (!text || (n == source->bytes && memcmp(text, source->text, n) == 0)) {
        return;
    }
    f->differ++;
    if (f->check) {
        printf("%s\n", path);
    } else {
        psc_output_add_in_place(f->outputs, path, text, n);
    }
}

int psc_command_fmt(int argc, char **argv)
{
    psc_arena arena;
    psc_arena_init(&arena);
    psc_diagnostics diags = {.arena = &arena};
    psc_outputs outputs = {.arena = &arena, .diags = &diags};
    formatting f = {.arena = &arena, .diags = &diags, .outputs = &outputs};
    psc_command_line line = psc_command_line_begin(&arena, PSC_COMMAND_FMT, argc, argv);
    PSC_LIST(const char *) files = {0};
    const char *value;
    for (psc_option_name o; (o = psc_command_line_next(&line, &value)) != PSC_OPTION_END;) {
        if (o == PSC_OPTION_FILE) {
            psc_push(&arena, &files, value);
        } else if (o == PSC_OPTION_FMT_CHECK) {
            f.check = true;
        } else {
            psc_help_write(&arena, PSC_COMMAND_FMT, stdout);
            psc_arena_fini(&arena);
            return 0;
        }
    }
    if (files.count == 0) {
        psc_misuse("no files", "`psynec fmt --help` says more");
    }
    for (size_t i = 0; i < files.count; i++) {
        format_file(&f, files.at[i]);
    }
    /* Files that are sound are laid out whatever others are. */
    psc_outputs_write(&outputs);
    psc_say(&diags, false);
    int status = diags.errors || (f.check && f.differ) ? 1 : 0;
    psc_arena_fini(&arena);
    return status;
}
