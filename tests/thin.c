/* SPDX-License-Identifier: Apache-2.0 */
/* The thin runner: one process, one test after the other, TAP on the file given with --tap=FILE (or on stdout). */
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "tests/test.h"

static thin_test *tests;
static jmp_buf end;
static char reason[1024];
static bool skipped;
static FILE *tap;

/* Registered in the order of constructors; kept sorted by suite and name, so that runs are alike. */
void thin_register(thin_test *test)
{
    thin_test **at = &tests;
    while (*at && (strcmp((*at)->suite, test->suite) < 0 ||
                   (strcmp((*at)->suite, test->suite) == 0 && strcmp((*at)->name, test->name) < 0))) {
        at = &(*at)->next;
    }
    test->next = *at;
    *at = test;
}

void thin_fail(const char *file, int line, const char *what, const char *format, ...)
{
    int n = snprintf(reason, sizeof reason, "%s:%d: %s", file, line, what);
    if (*format && n > 0 && (size_t)n + 2 < sizeof reason) {
        va_list arguments;
        va_start(arguments, format);
        memcpy(reason + n, ": ", 3);
        vsnprintf(reason + n + 2, sizeof reason - (size_t)n - 2, format, arguments);
        va_end(arguments);
    }
    skipped = false;
    longjmp(end, 1);
}

void thin_skip(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    skipped = true;
    longjmp(end, 1);
}

int main(int argc, char **argv)
{
    tap = stdout;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--tap=", 6) == 0) {
            tap = fopen(argv[i] + 6, "w");
            if (!tap) {
                perror(argv[i] + 6);
                return 2;
            }
        }
    }
    unsigned number = 0, failed = 0, all = 0;
    for (const thin_test *t = tests; t; t = t->next) {
        all++;
    }
    fprintf(tap, "1..%u\n", all);
    for (const thin_test *t = tests; t; t = t->next) {
        number++;
        alarm(300);
        if (setjmp(end) == 0) {
            t->run();
            fprintf(tap, "ok %u - %s::%s\n", number, t->suite, t->name);
        } else if (skipped) {
            fprintf(tap, "ok %u - %s::%s # SKIP %s\n", number, t->suite, t->name, reason);
        } else {
            failed++;
            fprintf(tap, "not ok %u - %s::%s\n  %s\n", number, t->suite, t->name, reason);
            fprintf(stderr, "%s::%s: %s\n", t->suite, t->name, reason);
        }
        fflush(tap);
    }
    if (tap != stdout) {
        fclose(tap);
    }
    return failed ? 1 : 0;
}
