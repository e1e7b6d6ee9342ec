/* SPDX-License-Identifier: Apache-2.0 */
/* What every test includes: Criterion, or, where it cannot be used (ThreadSanitizer; --without-criterion), a runner of our own
 * that understands the same macros, runs the tests one after the other in one process and never forks. Tests keep to the subset
 * below; a test that must fork says so with `if (PSY_THIN_RUNNER_ACTIVE) cr_skip_test("it forks, which takes the runner of Criterion")`. */
#ifndef PSY_TESTS_TEST_H
#define PSY_TESTS_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PSY_THIN_RUNNER

#include <criterion/criterion.h>
#define PSY_THIN_RUNNER_ACTIVE 0

#else

#define PSY_THIN_RUNNER_ACTIVE 1

typedef struct thin_test {
    const char *suite, *name;
    void (*run)(void);
    struct thin_test *next;
} thin_test;

void thin_register(thin_test *test);
/* Ends the running test. */
_Noreturn void thin_fail(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void thin_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define Test(suite_, name_, ...)                                                                                               \
    static void suite_##_##name_##_run(void);                                                                                  \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                                                 \
    {                                                                                                                          \
        static thin_test test = {#suite_, #name_, suite_##_##name_##_run, NULL};                                               \
        thin_register(&test);                                                                                                  \
    }                                                                                                                          \
    static void suite_##_##name_##_run(void)

#define THIN_CHECK(ok, what, ...)                                                                                              \
    do {                                                                                                                       \
        if (!(ok)) {                                                                                                           \
            thin_fail(__FILE__, __LINE__, what, "" __VA_ARGS__);                                                               \
        }                                                                                                                      \
    } while (0)
#define cr_assert(condition, ...)      THIN_CHECK(condition, #condition, __VA_ARGS__)
#define cr_assert_not(condition, ...)  THIN_CHECK(!(condition), "not " #condition, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)        THIN_CHECK((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)       THIN_CHECK((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)        THIN_CHECK((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)       THIN_CHECK((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)        THIN_CHECK((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)       THIN_CHECK((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...)         THIN_CHECK((p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...)     THIN_CHECK((p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)    THIN_CHECK(strcmp((a), (b)) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) THIN_CHECK(memcmp((a), (b), (n)) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_fail(...)            thin_fail(__FILE__, __LINE__, "reached", "" __VA_ARGS__)
#define cr_skip_test(...)              thin_skip("" __VA_ARGS__)
#define cr_log_info(...)               (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

#endif
#endif
