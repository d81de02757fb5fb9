#include "test.h"

#include "base/file.h"
#include "runtime/filter.h"
#include <linux/audit.h>
#include <sys/stat.h>
#include <unistd.h>

static struct strs caps_of(char **names, size_t n) {
    return (struct strs){.items = names, .n = n, .present = true};
}

TEST(the_default_profile_is_small_and_kept) {
    char *names[] = {(char[]){"CAP_CHOWN"}};
    struct strs caps = caps_of(names, 1);
    struct seccomp_program p;
    assert_ok(filter_default(&caps, &p));
    assert_true(p.n > 100 && p.n < 600);
    char dir[] = "/tmp/corten-filter-XXXXXX";
    assert_non_null(mkdtemp(dir));
    int first = -1, second = -1;
    assert_ok(runtime_seccomp_default(dir, &caps, &first));
    assert_ok(runtime_seccomp_default(dir, &caps, &second));
    struct stat a, b;
    assert_int_equal(fstat(first, &a), 0);
    assert_int_equal(fstat(second, &b), 0);
    assert_int_equal(a.st_size, (off_t)(p.n * sizeof(struct sock_filter)));
    assert_int_equal(b.st_size, a.st_size);
    assert_int_equal(write(first, "x", 1), -1);
    assert_int_equal(write(second, "x", 1), -1);
    close(first);
    close(second);
    vec_done(&p);
    assert_ok(dir_remove(-100, dir)); /* AT_FDCWD */
    uint64_t one = filter_default_digest(&caps);
    names[0] = (char[]){"CAP_SYS_ADMIN"};
    assert_true(filter_default_digest(&caps) != one);
}

static struct err compile(const char *json, struct seccomp_program *p) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_seccomp s;
    TRY(fields_decode_strict(&oci_seccomp_fields, str_of(json), &a, &s));
    return filter_compile(&s, p);
}

TEST(a_profile_of_the_users_own) {
    struct seccomp_program p;
    assert_ok(compile(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
        "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_AARCH64\",\"SCMP_"
        "ARCH_S390X\"],"
        "\"syscalls\":[{\"names\":[\"read\",\"no_such_call\"],\"action\":\"SCMP_ACT_ALLOW\"},"
        "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":0,\"value\":"
        "2114060288,"
        "\"valueTwo\":0,\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}",
        &p));
    assert_true(p.n > 5);
    vec_done(&p);
}

TEST(bad_profiles_are_refused) {
    static const char *const cases[] = {
        "{\"defaultAction\":\"SCMP_ACT_FLUBBER\"}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":5000}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":-1}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_S390X\"]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_"
        "RECV\"]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
        "\"x\"}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
        "\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}",
        "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":"
        "\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,\"value\":1,\"op\":\"x\"}]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seccomp_program p;
        struct err e = compile(cases[i], &p);
        if (!err_failed(e))
            fail_msg("accepted: %s", cases[i]);
        err_free(e);
    }
}

TEST(who_is_asked_needs_a_place_to_be_asked_at) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_seccomp s;
    int fd = -1;
    assert_ok(fields_decode(
        &oci_seccomp_fields,
        STR("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],"
            "\"action\":\"SCMP_ACT_NOTIFY\"}]}"),
        &a, &s));
    /* A program alone, without the configuration's listenerPath. */
    struct err e = runtime_seccomp_compile(&s, &fd);
    assert_int_equal(err_kind(e), ERR_UNSUPPORTED);
    assert_non_null(strstr(err_msg(e), "SCMP_ACT_NOTIFY"));
    err_free(e);
}
