#include "test.h"

#include "spec/seccomp_profile.h"

static struct err resolve(const char *text, const char *caps, struct arena *a,
                          struct oci_seccomp *ret) {
    struct seccomp_profile p;
    struct strs list = {.present = true};
    if (caps)
        strs_add(&list, a, caps);
    TRY(fields_decode_strict(&seccomp_profile_fields, str_of(text), a, &p));
    return seccomp_profile_resolve(&p, &list, "6.1.0-18-amd64", a, ret);
}

#define PROFILE(rules) "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[" rules "]}"
#define ALLOW(name, more) "{\"names\":[\"" name "\"],\"action\":\"SCMP_ACT_ALLOW\"" more "}"

static const char *names(const char *text, const char *caps, struct arena *a) {
    struct oci_seccomp s;
    assert_ok(resolve(text, caps, a, &s));
    const struct oci_seccomp_rule *r = s.syscalls.items;
    char *all = arena_printf(a, "%s", "");
    for (size_t i = 0; i < s.syscalls.n; i++)
        for (size_t k = 0; k < r[i].names.n; k++)
            all = arena_printf(a, "%s%s ", all, r[i].names.items[k]);
    return all;
}

TEST(conditions_choose_the_rules) {
    CLEAN_ARENA struct arena a = {0};
    static const char profile
        [] = PROFILE(ALLOW("read", "") "," ALLOW("mount", ",\"includes\":{\"caps\":[\"CAP_SYS_"
                                                          "ADMIN\"]}") "," ALLOW("clone", ",\"exclu"
                                                                                          "des\":{"
                                                                                          "\"caps\""
                                                                                          ":[\"CAP_"
                                                                                          "SYS_"
                                                                                          "ADMIN\"]"
                                                                                          "}") "," ALLOW("older", ",\"includes\":{\"minKernel\":\"4.8\"}") "," ALLOW(
            "later",
            ",\"includes\":{\"minKernel\":\"6.10\"}") "," ALLOW("before",
                                                                ",\"excludes\":{\"minKernel\":\"6."
                                                                "1\"}") "," ALLOW("strange",
                                                                                  ",\"includes\":{"
                                                                                  "\"arches\":["
                                                                                  "\"s390x\"]}") "," ALLOW("kept",
                                                                                                           ",\"excludes\":{\"arches\":[\"s390x\"]}"));
    assert_string_equal(names(profile, NULL, &a), "read clone older kept ");
    assert_string_equal(names(profile, "CAP_SYS_ADMIN", &a), "read mount older kept ");
    assert_string_equal(names(profile, "CAP_NET_ADMIN", &a), "read clone older kept ");
}

TEST(old_profiles_name_one_call) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(
        names(PROFILE("{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\"}"), NULL, &a), "read ");
}

/* Not understood could mean less restricted than meant. */
TEST(what_is_not_understood_is_refused) {
    static const char *const bad[] = {
        "{}",
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"restrict\":true}",
        PROFILE("{\"name\":\"read\",\"names\":[\"write\"],\"action\":\"SCMP_ACT_ALLOW\"}"),
        PROFILE(ALLOW("x", ",\"includes\":{\"minKernel\":\"six\"}")),
        PROFILE(ALLOW("x", ",\"includes\":{\"users\":[\"root\"]}")),
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
        "\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\"}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_seccomp s;
        assert_err(resolve(bad[i], NULL, &a, &s), ERR_INVALID);
    }
}
