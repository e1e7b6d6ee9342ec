/* SPDX-License-Identifier: Apache-2.0 */
/* Which engines a test of the suite runs on. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "tests/engine/suite.h"

enum { MEMORY_MIB = 96 };

/* Whether PSYNE_TEST_ENGINES has the word, or is not set. */
static bool is_wanted(const char *family)
{
    const char *list = getenv("PSYNE_TEST_ENGINES");
    size_t n = strlen(family);
    for (const char *at = list; at && *at;) {
        size_t word = strcspn(at, ", ");
        if (word == n && memcmp(at, family, n) == 0) {
            return true;
        }
        at += word + (at[word] != '\0');
    }
    return !list || !*list;
}

static void add_engine(suite *s, const char *label, psy_status *status)
{
    psy__engine_options options = {.max_batch = SUITE_MESSAGES, .validate = true};
    suite_engine *e = &s->engines[s->engine_count];
    *status = s->own ? s->own->open(&options, &e->engine) : psy__engine_open(s->family, &options, &e->engine);
    if (*status != PSY_OK) {
        return;
    }
    snprintf(e->label, sizeof e->label, "%s", label);
    s->engine_count++;
    psy_status attached = e->engine->interface->attach(e->engine, s->memory, s->memory_bytes);
    cr_assert(attached == PSY_OK, "%s: attach: %s", label, psy_detail());
}

#ifdef __SANITIZE_THREAD__
enum { SETS = 1 }; /* kernels know no threads, and everything takes ten times as long */
#else
enum { SETS = 3 };
#endif

/* Every instruction set that the machine has. */
static psy_status add_cpu_engines(suite *s)
{
    static const char *const sets[] = {"base", "avx2", "avx512"};
    const char *before = getenv("PSYNE_CPU");
    char kept[32];
    snprintf(kept, sizeof kept, "%s", before ? before : "");
    psy_status first = PSY_OK, status;
    for (size_t i = 0; i < SETS; i++) {
        char label[32];
        snprintf(label, sizeof label, "cpu/%s", sets[i]);
        setenv("PSYNE_CPU", sets[i], 1);
        add_engine(s, label, &status);
        first = i == 0 ? status : first;
    }
    before ? setenv("PSYNE_CPU", kept, 1) : unsetenv("PSYNE_CPU");
    return first;
}

static void open_memory(suite *s)
{
    int fd = memfd_create("engine-suite", MFD_CLOEXEC);
    s->memory_bytes = UINT64_C(1) << 20;
    s->memory_bytes *= MEMORY_MIB;
    cr_assert(fd >= 0 && ftruncate(fd, (off_t)s->memory_bytes) == 0, "no memory to share");
    void *at = mmap(NULL, s->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    cr_assert(at != MAP_FAILED, "no memory to share");
    s->memory = at;
}

static void close_all(suite *s)
{
    for (unsigned i = 0; i < s->engine_count; i++) {
        s->engines[i].engine->interface->detach(s->engines[i].engine, s->memory);
        psy__engine_close(s->engines[i].engine);
    }
    munmap(s->memory, s->memory_bytes);
}

/* What was refused, in one line. */
static const char *refusals(suite *s)
{
    for (char *c = s->refused; *c; c++) {
        *c = *c == '\n' ? ';' : *c;
    }
    return s->refused + 2; /* it begins with a line of its own */
}

/* The test once, or twice for engines that are shown its cases first. */
static void run_test(suite *s, void (*test)(suite *s))
{
    if (s->own) {
        const suite before = *s;
        s->showing = true;
        test(s);
        *s = before;
        psy_status status = s->own->prepare();
        if (status != PSY_OK) {
            static char why[1024];
            snprintf(why, sizeof why, "%s", psy_detail());
            close_all(s);
            s->own->forget();
            cr_assert(status == PSY_UNSUPPORTED, "%s: %s", s->family, why);
            cr_skip_test("%s: %s", s->family, why);
        }
    }
    test(s);
    close_all(s);
    if (s->own) {
        s->own->forget();
    }
}

static void suite_on_all(const suite *start, void (*test)(suite *s))
{
    static suite s;
    s = *start;
    s.random = UINT64_C(88172645463325252);
    const char *family = s.family;
    if (!is_wanted(family)) {
        cr_skip_test("PSYNE_TEST_ENGINES leaves %s out", family);
    }
    open_memory(&s);
    psy_status status = PSY_OK;
    if (s.cpu && !s.own) {
        status = add_cpu_engines(&s);
    } else {
        add_engine(&s, family, &status);
    }
    if (status != PSY_OK) {
        static char why[256];
        snprintf(why, sizeof why, "%s", psy_detail());
        close_all(&s);
        cr_assert(!s.cpu && (status == PSY_UNSUPPORTED || status == PSY_NO_DEVICE), "%s: %s", family, why);
        cr_skip_test("%s: %s", family, why);
    }
    run_test(&s, test);
    cr_assert(s.mismatches == 0, "%u mismatches:%s", s.mismatches, s.report);
    if (s.refused[0] && s.compared == 0) {
        cr_skip_test("%s does not support%s", family, refusals(&s));
    }
    cr_assert(s.compared > 0, "nothing was compared");
    if (s.refused[0]) {
        fprintf(stderr, "%s does not support%s\n", family, refusals(&s));
    }
}

void suite_on(const char *family, void (*test)(suite *s))
{
    suite_on_all(&(suite){.family = family, .cpu = strcmp(family, "cpu") == 0}, test);
}

void suite_on_own(const suite_family *family, void (*test)(suite *s))
{
    suite_on_all(&(suite){.family = family->name, .cpu = family->like_cpu, .own = family}, test);
}
