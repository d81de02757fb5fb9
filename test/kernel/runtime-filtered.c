/* Fault 42: a filter around us, as another container engine has it, that knows nothing newer than
 * Linux 5.0. What has an older way takes it; what has none is an error that names it. */
#include "test.h"

#include "box.h"
#include "kernel/seccomp.h"
#include <sys/prctl.h>

/* For this whole program and its containers; the first test installs it. */
static void filter(const char *const *calls, size_t n) {
    struct seccomp_filter f = {.default_action = SECCOMP_RET_ALLOW,
                               .other_action = SECCOMP_RET_ALLOW};
    for (size_t i = 0; i < n; i++) {
        int64_t nr = seccomp_number(seccomp_native_arch(), calls[i]);
        assert_true(nr >= 0);
        vec_push(&seccomp_filter_arch(&f, seccomp_native_arch())->rules,
                 (struct seccomp_rule){.nr = (uint32_t)nr, .action = SECCOMP_RET_ERRNO | ENOSYS});
    }
    struct seccomp_program p;
    assert_ok(seccomp_compile(&f, &p));
    assert_int_equal(seccomp_install(p.items, p.n, 0), 0);
    vec_done(&p);
    seccomp_filter_done(&f);
}

static int in_child(void (*fn)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void without_new_calls(void) {
    static const char *const calls[] = {"openat2", "clone3", "close_range", "faccessat2", "keyctl"};
    filter(calls, ARRAY_LEN(calls));
    char *out = NULL;
    int status = 99;
    struct err e = box_try(
        &(struct box_options){.script = "echo fine; ls /proc/self/fd | wc -l; touch /dev/shm/x"},
        &out, &status);
    if (err_failed(e))
        fprintf(stderr, "# %s\n", err_msg(e));
    box_forget_cgroup();
    _exit(!err_failed(e) && status == 0 && strcmp(out, "fine\n4\n") == 0 ? 42 : 1);
}

TEST(what_has_an_older_way_takes_it) {
    box_enter();
    assert_int_equal(in_child(without_new_calls), 42);
    box_leave();
}

static void without_setattr(void) {
    static const char *const calls[] = {"mount_setattr"};
    filter(calls, ARRAY_LEN(calls));
    struct box_run r;
    struct err e = box_create(&(struct box_options){.script = "true"}, &r);
    fprintf(stderr, "# %s\n", err_msg(e));
    box_forget_cgroup();
    _exit(err_failed(e) && strstr(err_msg(e), "mount attributes") ? 42 : 1);
}

TEST(what_has_none_is_named) {
    box_enter();
    assert_int_equal(in_child(without_setattr), 42);
    box_leave();
}
