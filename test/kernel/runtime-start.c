#include "test.h"

#include "base/time.h"
#include "box.h"

TEST(hello) {
    box_enter();
    box_expect(&(struct box_options){.script = "echo hello; id -u; pwd"}, "hello\n0\n/\n");
    box_leave();
}

TEST(exit_codes) {
    box_enter();
    int status;
    free(box_run(&(struct box_options){.script = "exit 42"}, &status));
    assert_int_equal(status, 42);
    free(box_run(&(struct box_options){.script = "kill -9 $$; sh -c 'kill -15 1'; exit 3"},
                 &status));
    assert_int_equal(status, 3); /* the first process of a pid namespace is safe from its own */
    box_leave();
}

/* Not assertions: printed with every run. */
TEST(cost_of_a_start) {
    box_enter();
    enum { CREATE, START, EXIT, DELETE, ALL, STEPS, N = 50 };
    static const char *const names[STEPS] = {"create", "start", "exit", "delete", "all"};
    int64_t least[STEPS], sum[STEPS] = {0};
    for (int k = 0; k < STEPS; k++)
        least[k] = INT64_MAX;
    for (int i = 0; i < N; i++) {
        struct box_options o = {.args = "[\"/bin/true\"]"};
        struct box_run r;
        int64_t took[STEPS], t;
        assert_ok(box_create(&o, &r));
        took[CREATE] = r.create_ns;
        t = time_monotonic();
        assert_ok(runtime_start(r.box));
        took[START] = time_monotonic() - t;
        t = time_monotonic();
        assert_int_equal(box_reap(&r), 0);
        took[EXIT] = time_monotonic() - t;
        t = time_monotonic();
        box_delete(&r);
        took[DELETE] = time_monotonic() - t;
        took[ALL] = took[CREATE] + took[START] + took[EXIT] + took[DELETE];
        for (int k = 0; k < STEPS; k++) {
            least[k] = took[k] < least[k] ? took[k] : least[k];
            sum[k] += took[k];
        }
    }
    for (int k = 0; k < STEPS; k++)
        printf("# %s: min %lld us, mean %lld us\n", names[k], (long long)least[k] / 1000,
               (long long)sum[k] / N / 1000);
    box_leave();
}

TEST(memory_policy_is_the_kernels) {
    box_enter();
    int status;
    CLEAN_FREE char *out = box_run(
        &(struct box_options){
            .script = "head -1 /proc/self/numa_maps",
            .linux_ = ",\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\",\"flags\":[\"MPOL_F_"
                      "STATIC_NODES\"]}"},
        &status);
    if (strstr(out, "No such file"))
        SKIP("a kernel without NUMA");
    assert_int_equal(status, 0);
    assert_non_null(strstr(out, " bind=static:0 "));
    struct box_run r;
    struct err e = box_create(
        &(struct box_options){.script = "true",
                              .linux_ = ",\"memoryPolicy\":{\"mode\":\"MPOL_FLUBBER\"}"},
        &r);
    assert_non_null(strstr(err_msg(e), "MPOL_FLUBBER"));
    err_free(e);
    box_leave();
}
