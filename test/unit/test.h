/* test.h - the frame of unit and kernel tests: one file is one program, one function is one test.
 *
 *     #include "test.h"
 *     TEST(push_keeps_order) { assert_int_equal(1, 1); }
 *
 * TEST registers the function in a linker section; main runs all of them and prints TAP, which
 * meson and `./dev test` count. Asserts are cmocka's. A test that lacks something the machine
 * should have calls SKIP("reason"): the reason is printed, the test counts as skipped.
 * Included once per program. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

struct test_entry {
    const char *name;
    void (*run)(void **state);
};

#define TEST(name)                                                                               \
    static void name(void **state);                                                              \
    static const struct test_entry test_entry_##name                                             \
        __attribute__((used, section("test_entries"), aligned(sizeof(void *)))) = {#name, name}; \
    static void name(void **state __attribute__((unused)))

#define SKIP(...)                                   \
    do {                                            \
        fprintf(stdout, "# skipped: " __VA_ARGS__); \
        fputc('\n', stdout);                        \
        skip();                                     \
    } while (0)

/* The call succeeds; prints the error when not. */
#define assert_ok(expr)                                  \
    do {                                                 \
        struct err test_e_ = (expr);                     \
        if (err_failed(test_e_))                         \
            fail_msg("%s: %s", #expr, err_msg(test_e_)); \
        err_free(test_e_);                               \
    } while (0)

/* The call fails with this kind. */
#define assert_err(expr, kind)                                              \
    do {                                                                    \
        struct err test_e_ = (expr);                                        \
        enum err_kind test_k_ = err_kind(test_e_);                          \
        if (test_k_ != (kind))                                              \
            fail_msg("%s: want %s, got %s: %s", #expr, err_kind_name(kind), \
                     err_kind_name(test_k_), err_msg(test_e_));             \
        err_free(test_e_);                                                  \
    } while (0)

extern const struct test_entry __start_test_entries[], __stop_test_entries[];

int main(int argc, char **argv) {
    (void)argc;
    size_t n = (size_t)(__stop_test_entries - __start_test_entries);
    struct CMUnitTest *tests = calloc(n, sizeof(*tests));
    if (!tests)
        return 2;
    for (size_t i = 0; i < n; i++) {
        tests[i].name = __start_test_entries[i].name;
        tests[i].test_func = __start_test_entries[i].run;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = _cmocka_run_group_tests(argv[0], tests, n, NULL, NULL);
    free(tests);
    return failed ? 1 : 0;
}
