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

TEST(cost_of_a_start) {
    box_enter();
    int64_t least = INT64_MAX, sum = 0, create = 0, start = 0, end = 0, delete = 0;
    enum { N = 50 };
    for (int i = 0; i < N; i++) {
        struct box_options o = {.args = "[\"/bin/true\"]"};
        struct box_run r;
        int64_t t0 = time_monotonic();
        assert_ok(box_create(&o, &r));
        int64_t t1 = time_monotonic();
        assert_ok(runtime_start(r.box));
        int64_t t2 = time_monotonic();
        assert_int_equal(box_reap(&r), 0);
        int64_t t3 = time_monotonic();
        box_delete(&r);
        int64_t t4 = time_monotonic();
        sum += t4 - t0;
        least = t4 - t0 < least ? t4 - t0 : least;
        create += t1 - t0;
        start += t2 - t1;
        end += t3 - t2;
        delete += t4 - t3;
    }
    printf("# create..delete: min %lld us, mean %lld us (create %lld, start %lld, exit %lld, "
           "delete %lld)\n",
           (long long)least / 1000, (long long)sum / N / 1000, (long long)create / N / 1000,
           (long long)start / N / 1000, (long long)end / N / 1000, (long long)delete / N / 1000);
    box_leave();
}
