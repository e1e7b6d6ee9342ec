/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "command/serve_data.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/near.h"
#include "command/json_text.h"
#include "service/module_file.h"

typedef struct opening {
    const psy__serve_options *o;
    psy__served *served;
    void (*say)(void *context, const char *error);
    void *context;
    bool failed;
} opening;

static void PSY_PRINTF(2, 3) complain(opening *a, const char *format, ...)
{
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    a->failed = true;
    a->say(a->context, text);
}

/* ---- modules ---- */

static void open_programs(opening *a)
{
    const psy__named_list *list = &a->o->modules;
    a->served->programs = calloc(list->count + 1, sizeof *a->served->programs);
    if (!a->served->programs) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < list->count; i++) {
        psy__served_program *p = &a->served->programs[a->served->program_count++];
        size_t n;
        p->version = psy__program_version(list->at[i].name, &n);
        snprintf(p->name, sizeof p->name, "%.*s", (int)n, list->at[i].name);
        if (psy_module_open(list->at[i].file, &p->module) != PSY_OK) {
            complain(a, "%s", psy_detail());
        } else if (p->module->decoded.pipeline_count == 0) {
            complain(a, "%s: the module has no pipeline: there is nothing to serve in it", list->at[i].file);
        }
    }
    if (list->count == 0) {
        complain(a, "there is no module to serve: name a .psm file, which psynec makes of a .hrm file");
    }
    if (!a->o->socket) {
        complain(a, "say where the service is: --socket=PATH");
    }
}

/* ---- data ---- */

const psy_module *psy__served_module_with(const psy__served *served, const char *resident)
{
    for (uint32_t i = 0; i < served->program_count; i++) {
        const psy_module *m = served->programs[i].module;
        if (m && psy__module_find_resident(&m->decoded, resident) != PSY_NONE) {
            return m;
        }
    }
    return NULL;
}

static const char *file_named(const psy__named_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->at[i].name, name) == 0) {
            return list->at[i].file;
        }
    }
    return NULL;
}

static void no_such_resident(opening *a, const char *option, const char *name)
{
    enum { KNOWN = 256 };
    const char *known[KNOWN] = {NULL};
    size_t count = 0;
    bool only;
    for (uint32_t i = 0; i < a->served->program_count; i++) {
        const psy_module *m = a->served->programs[i].module;
        for (uint32_t k = 0; m && count < KNOWN && psy_module_resident(m, k); k++) {
            known[count++] = psy_module_resident(m, k);
        }
    }
    const char *near = psy__nearest(name, known, count, &only);
    if (near) {
        complain(a, "%s: no module has a resident `%.100s`; did you mean `%s`?", option, name, near);
    } else if (count == 1) {
        complain(a, "%s: no module has a resident `%.100s`; there is `%s`", option, name, known[0]);
    } else {
        complain(a, "%s: no module has a resident `%.100s`", option, name);
    }
}

static void open_data(opening *a)
{
    const psy__named_list *list = &a->o->data;
    a->served->data = calloc(list->count + 1, sizeof *a->served->data);
    a->served->files = calloc(list->count + 1, sizeof *a->served->files);
    a->served->paths = calloc(list->count + 1, sizeof *a->served->paths);
    if (!a->served->data || !a->served->files || !a->served->paths) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->at[i].name;
        const psy_module *m = psy__served_module_with(a->served, name);
        psy__rows *rows = &a->served->data[a->served->data_count];
        const char *keys = file_named(&a->o->keys, name);
        psy__data_files *files = &a->served->files[a->served->data_count];
        a->served->paths[a->served->data_count] = list->at[i].file;
        (void)stat(list->at[i].file, &files->data); /* opening says what is wrong */
        if (keys) {
            (void)stat(keys, &files->keys);
        }
        if (!m) {
            no_such_resident(a, "data", name);
        } else if (psy__rows_open(m, name, list->at[i].file, keys, rows) != PSY_OK) {
            complain(a, "%s", psy_detail());
        } else {
            a->served->data_count++;
        }
    }
    for (uint32_t i = 0; i < a->o->keys.count; i++) {
        const char *name = a->o->keys.at[i].name;
        if (!psy__served_module_with(a->served, name)) {
            no_such_resident(a, "keys", name);
        } else if (!file_named(list, name)) {
            complain(a, "keys: resident `%.100s` has keys and no data: --data=%.100s=FILE", name, name);
        }
    }
}

/* The snapshot that the service begins with, if there is one. */
static void open_snapshot(opening *a)
{
    const char *path = a->o->snapshot;
    int folder;
    if (!path || psy__snapshot_open_folder(path, &folder) != PSY_OK) { /* it will be made, or that says what is wrong */
        return;
    }
    const psy_status status = psy__snapshot_read(folder, &a->served->snapshot);
    if (status == PSY_OK && fstatat(folder, "snapshot", &a->served->snapshot_file, AT_SYMLINK_NOFOLLOW) == 0) {
        a->served->has_snapshot = true;
    } else if (status != PSY_NOT_FOUND) {
        complain(a, "snapshot in %s: %s", path, psy_detail());
    }
    close(folder);
}

const char *psy__served_keys(const psy__serve_options *o, const char *resident) { return file_named(&o->keys, resident); }

/* Every resident of every module. */
static void find_missing(opening *a)
{
    for (uint32_t i = 0; i < a->served->program_count; i++) {
        const psy_module *m = a->served->programs[i].module;
        const char *name;
        for (uint32_t k = 0; m && (name = psy_module_resident(m, k)) != NULL; k++) {
            if (!file_named(&a->o->data, name) &&
                !(a->served->has_snapshot && psy__snapshot_find(&a->served->snapshot, name))) {
                complain(a, "resident `%.100s` of %s has no data: --data=%.100s=FILE", name, a->o->modules.at[i].file, name);
            }
        }
    }
}

bool psy__served_open(const psy__serve_options *o, void (*say)(void *context, const char *error), void *context,
                      psy__served *out)
{
    *out = (psy__served){0};
    opening a = {.o = o, .served = out, .say = say, .context = context};
    open_programs(&a);
    if (!a.failed) { /* what a broken module lacks is no news */
        open_data(&a);
        open_snapshot(&a);
        find_missing(&a);
    }
    if (a.failed) {
        psy__served_close(out);
    }
    return !a.failed;
}

psy__served_program *psy__served_find(const psy__served *served, const char *name, uint32_t version)
{
    for (uint32_t i = 0; i < served->program_count; i++) {
        if (strcmp(served->programs[i].name, name) == 0 && served->programs[i].version == version) {
            return &served->programs[i];
        }
    }
    return NULL;
}

void psy__served_put(psy__served *served, const psy__served_program *program, bool replace)
{
    psy__served_program *programs = calloc(served->program_count + 1, sizeof *programs);
    uint32_t count = 0;
    if (!programs) {
        psy__no_memory();
    }
    for (uint32_t i = 0; i < served->program_count; i++) {
        const psy__served_program *p = &served->programs[i];
        if (strcmp(p->name, program->name) == 0 && (replace || p->version == program->version)) {
            psy_module_close(p->module);
        } else {
            programs[count++] = *p;
        }
    }
    if (program->module) {
        programs[count++] = *program;
    }
    free(served->programs);
    served->programs = programs;
    served->program_count = count;
}

void psy__served_close(psy__served *served)
{
    for (uint32_t i = 0; i < served->data_count; i++) {
        psy__rows_close(&served->data[i]);
    }
    for (uint32_t i = 0; i < served->program_count; i++) {
        psy_module_close(served->programs[i].module);
    }
    if (served->has_snapshot) {
        psy__snapshot_fini(&served->snapshot);
    }
    free(served->data);
    free(served->paths);
    free(served->files);
    free(served->programs);
    *served = (psy__served){0};
}

static bool is_same(const struct stat *x, const struct stat *y)
{
    return x->st_dev == y->st_dev && x->st_ino == y->st_ino && x->st_size == y->st_size &&
           x->st_mtim.tv_sec == y->st_mtim.tv_sec && x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

bool psy__served_same_file(const psy__served *a, const psy__served *b, uint32_t i)
{
    return is_same(&a->files[i].data, &b->files[i].data) && is_same(&a->files[i].keys, &b->files[i].keys);
}

bool psy__served_is_newer(const psy__served *served, uint32_t i)
{
    const struct timespec *file = &served->files[i].data.st_mtim, *snapshot = &served->snapshot_file.st_mtim;
    return file->tv_sec > snapshot->tv_sec || (file->tv_sec == snapshot->tv_sec && file->tv_nsec > snapshot->tv_nsec);
}

uint64_t psy__served_rows(const psy__served *served, uint32_t shards)
{
    uint64_t all = 0;
    for (uint32_t i = 0; served->has_snapshot && i < served->snapshot.resident_count; i++) {
        const psy__snapshot_resident *r = &served->snapshot.residents[i];
        all += psy__served_module_with(served, r->name) ? r->dims[0] * (r->placement == PSY_PLACE_REPLICATED ? shards : 1) : 0;
    }
    for (uint32_t i = 0; i < served->data_count; i++) {
        const psy_rows *r = &served->data[i].rows;
        if (served->has_snapshot && psy__snapshot_find(&served->snapshot, r->resident)) {
            continue;
        }
        const psy__module *m = &psy__served_module_with(served, r->resident)->decoded;
        const bool all_have_it = m->residents[psy__module_find_resident(m, r->resident)].placement == PSY_PLACE_REPLICATED;
        all += (r->rank ? r->dims[0] : 1) * (all_have_it ? shards : 1);
    }
    return all;
}

/* ---- what is said of it ---- */

static const char *route_text(const psy_psm_pipeline *p)
{
    return p->route == PSY_ROUTE_ALL ? "all shards, merged" : p->route == PSY_ROUTE_KEY ? "the shard of its key" : "any shard";
}

static const char *type_name(const psy__module *m, uint32_t type) { return psy__module_string(m, m->types[type].name); }

/* "73445 x 256" */
static const char *shape_text(const psy_rows *r, char *to, size_t room)
{
    size_t n = 0;
    to[0] = '\0';
    for (uint32_t d = 0; d < r->rank && n < room; d++) {
        n += (size_t)snprintf(to + n, room - n, "%s%" PRIu64, d ? " x " : "", r->dims[d]);
    }
    return to;
}

void psy__served_print(const psy__served *served, const psy__serve_options *o, FILE *to)
{
    char shape[200];
    fprintf(to, "%s: %" PRIu32 " shard%s\n", o->socket, o->shards, o->shards == 1 ? "" : "s");
    for (uint32_t i = 0; i < served->program_count; i++) {
        const psy__module *m = &served->programs[i].module->decoded;
        fprintf(to, "program %s: %s\n", o->modules.at[i].name, o->modules.at[i].file);
        for (uint32_t k = 0; k < m->pipeline_count; k += m->pipelines[k].alternatives ? m->pipelines[k].alternatives : 1) {
            const psy_psm_pipeline *p = &m->pipelines[k];
            fprintf(to, "  pipeline %s: %s -> %s, by %s\n", psy__module_string(m, p->name), type_name(m, p->input_type),
                    type_name(m, p->output_type), route_text(p));
        }
    }
    for (uint32_t i = 0; i < served->data_count; i++) {
        const psy_rows *r = &served->data[i].rows;
        fprintf(to, "data %s: %s, %s\n", r->resident, o->data.at[i].file, shape_text(r, shape, sizeof shape));
    }
    if (served->has_snapshot) {
        fprintf(to, "snapshot: %s, version %" PRIu64 ", residents: %" PRIu32 "; it is served in place of their files\n",
                o->snapshot, served->snapshot.version, served->snapshot.resident_count);
    }
}

void psy__served_print_json(const psy__served *served, const psy__serve_options *o, FILE *to)
{
    fputs("{\"socket\":", to);
    psy__json_text(to, o->socket);
    fprintf(to, ",\"shards\":%" PRIu32 ",\"programs\":[", o->shards);
    for (uint32_t i = 0; i < served->program_count; i++) {
        const psy__module *m = &served->programs[i].module->decoded;
        fprintf(to, "%s{\"name\":", i ? "," : "");
        psy__json_text(to, served->programs[i].name);
        fputs(",\"file\":", to);
        psy__json_text(to, o->modules.at[i].file);
        fputs(",\"pipelines\":[", to);
        for (uint32_t k = 0; k < m->pipeline_count; k += m->pipelines[k].alternatives ? m->pipelines[k].alternatives : 1) {
            const psy_psm_pipeline *p = &m->pipelines[k];
            fprintf(to, "%s{\"name\":\"%s\",\"request\":\"%s\",\"reply\":\"%s\",\"by\":\"%s\"}", k ? "," : "",
                    psy__module_string(m, p->name), type_name(m, p->input_type), type_name(m, p->output_type), route_text(p));
        }
        fputs("]}", to);
    }
    fputs("],\"data\":[", to);
    for (uint32_t i = 0; i < served->data_count; i++) {
        const psy_rows *r = &served->data[i].rows;
        fprintf(to, "%s{\"resident\":\"%s\",\"file\":", i ? "," : "", r->resident);
        psy__json_text(to, o->data.at[i].file);
        fputs(",\"dims\":[", to);
        for (uint32_t d = 0; d < r->rank; d++) {
            fprintf(to, "%s%" PRIu64, d ? "," : "", r->dims[d]);
        }
        fputs("]}", to);
    }
    fputs("]", to);
    if (served->has_snapshot) {
        fputs(",\"snapshot\":{\"folder\":", to);
        psy__json_text(to, o->snapshot);
        fprintf(to, ",\"version\":%" PRIu64 ",\"residents\":%" PRIu32 "}", served->snapshot.version,
                served->snapshot.resident_count);
    }
    fputs("}\n", to);
}
