/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "tests/codegen/made.h"

#include <dlfcn.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <psyne/kernel.h>

#include "emit_kernels.h"

enum { FILES = 2, KNOWN_MAX = 1 << 16, MUCH = 1 << 18 /* bytes of C that are not worth optimising */ };

static char folder[64];
static uint64_t known[KNOWN_MAX];
static size_t known_count;
static FILE *files[FILES]; /* C of programs, in turns */
static size_t added, bytes;
static void *library;

const char *made_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/psyne-made-XXXXXX");
        if (!mkdtemp(folder)) {
            abort();
        }
    }
    return folder;
}

FILE *made_open(const char *name, const char *mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", made_folder(), name);
    return fopen(path, mode);
}

int made_run(const char *command, char *said, size_t room)
{
    char line[2048];
    snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", made_folder(), command);
    FILE *from = popen(line, "r");
    size_t n = from ? fread(said, 1, room - 1, from) : 0;
    char rest[4096];
    while (from && fread(rest, 1, sizeof rest, from) > 0) {
    }
    said[n] = '\0';
    int status = from ? pclose(from) : -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void made_clear(void)
{
    if (library) {
        dlclose(library);
        library = NULL;
    }
    for (size_t i = 0; i < FILES; i++) {
        if (files[i]) {
            fclose(files[i]);
            files[i] = NULL;
        }
    }
    if (folder[0]) {
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        folder[0] = '\0';
    }
    known_count = added = bytes = 0;
}

bool made_before(const psy__module *module, uint32_t program)
{
    uint64_t key = module->hash + program;
    for (size_t i = 0; i < known_count; i++) {
        if (known[i] == key) {
            return true;
        }
    }
    if (known_count < KNOWN_MAX) {
        known[known_count++] = key;
    }
    return false;
}

/* ---- C ---- */

static void stem_of(const psy__module *module, char stem[32]) { snprintf(stem, 32, "m%016" PRIx64, module->hash); }

psy_status made_c_add(const psy__module *module)
{
    psc_arena arena;
    char stem[32], name[64], *text = NULL;
    size_t n;
    stem_of(module, stem);
    snprintf(name, sizeof name, "%s.kernels.h", stem);
    FILE *header = made_open(name, "w"), *code = open_memstream(&text, &n);
    psc_arena_init(&arena);
    psy_status status = psc_emit_c(&arena, module, stem, code, header);
    psc_arena_fini(&arena);
    fclose(header);
    fclose(code);
    if (status == PSY_OK) {
        FILE **to = &files[added % FILES];
        snprintf(name, sizeof name, "programs%zu.c", added++ % FILES);
        *to = *to ? *to : made_open(name, "w");
        fwrite(text, 1, n, *to);
        fputc('\n', *to);
        bytes += n;
    }
    free(text);
    return status;
}

psy_status made_c_compile(void)
{
    const char *cc = getenv("PSYNE_CC");
    char command[1024], said[4096];
    cc = cc && *cc ? cc : "cc";
    for (size_t i = 0; i < FILES; i++) {
        if (files[i]) {
            fclose(files[i]);
            files[i] = NULL;
        }
    }
    snprintf(command, sizeof command, "command -v %s", cc);
    if (made_run(command, said, sizeof said) != 0) {
        return psy_fail(PSY_UNSUPPORTED, "there is no C compiler %s", cc);
    }
    snprintf(command, sizeof command,
             "ls programs*.c | sed s/.c$// | xargs -P 2 -I NAME %s -std=c11 -Wall -Wextra -Wno-type-limits -Werror %s "
             "-fno-math-errno -fPIC "
             "-I %s/runtime/include -c NAME.c -o NAME.o && %s -shared -o programs.so programs*.o -lm",
             cc, bytes < MUCH ? "-O2" : "-O0", PSY_SOURCE_DIR, cc);
    if (added && made_run(command, said, sizeof said) != 0) {
        return psy_fail(PSY_INVALID, "%s", said);
    }
    snprintf(command, sizeof command, "%s/programs.so", made_folder());
    library = added ? dlopen(command, RTLD_NOW | RTLD_LOCAL) : NULL;
    return library || !added ? PSY_OK : psy_fail(PSY_INVALID, "%s", dlerror());
}

const psy_kernel_program *made_c_find(const psy__module *module, uint32_t program)
{
    char name[64], stem[32];
    stem_of(module, stem);
    snprintf(name, sizeof name, "%s_kernels", stem);
    const psy_kernel_program *const *all = library ? dlsym(library, name) : NULL;
    return all ? all[program] : NULL;
}
