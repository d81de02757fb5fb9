/* --chown and --chmod. */
#include "build/owner.h"
#include "test.h"

static const char passwd[] = "root:x:0:0::/:/bin/sh\n"
                             "web:x:1000:50:Web:/srv:/bin/false\n"
                             "short:x\n"
                             "big:x:99999999999:1::/:\n";
static const char group[] = "root:x:0:\nstaff:x:50:web\nnogroup:x:65534:\n";

TEST(owners) {
    static const struct {
        const char *text;
        struct owner want;
    } rows[] = {
        {"web", {1000, 50}},       {"root", {0, 0}},
        {"web:staff", {1000, 50}}, {"web:7", {1000, 7}},
        {"1000", {1000, 1000}},    {"1000:staff", {1000, 50}},
        {"5:6", {5, 6}},           {"0", {0, 0}},
        {":staff", {0, 50}},       {"4294967294", {4294967294u, 4294967294u}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct owner o = {77, 77};
        struct err e = owner_parse(rows[i].text, str_of(passwd), str_of(group), &o);
        if (err_failed(e) || o.uid != rows[i].want.uid || o.gid != rows[i].want.gid)
            fail_msg("%s: %u:%u %s", rows[i].text, o.uid, o.gid, err_failed(e) ? err_msg(e) : "");
    }
}

TEST(owners_that_are_none) {
    static const char *const rows[] = {
        "nobody",     "web:nope", "short",           "big",
        "4294967295", "-1",       "1000:4294967295", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct owner o;
        struct err e = owner_parse(rows[i], str_of(passwd), str_of(group), &o);
        if (!err_failed(e))
            fail_msg("%s: %u:%u", rows[i], o.uid, o.gid);
        err_free(e);
    }
}

TEST(files_are_read_only_for_names) {
    assert_true(owner_has_names("web"));
    assert_true(owner_has_names("5:staff"));
    assert_true(owner_has_names("web:5"));
    assert_false(owner_has_names("5"));
    assert_false(owner_has_names("5:6"));
}

TEST(modes) {
    static const struct {
        const char *text;
        uint32_t before, file, dir;
    } rows[] = {
        {"755", 0600, 0755, 0755},         {"0", 0777, 0, 0},          {"4711", 0600, 04711, 04711},
        {"u+x", 0644, 0744, 0744},         {"a+rX", 0600, 0644, 0755}, {"go-w", 0666, 0644, 0644},
        {"u=rw,go=r", 0777, 0644, 0644},   {"+x", 0644, 0755, 0755},   {"a+X", 0744, 0755, 0755},
        {"u=rwX,go=rX", 0600, 0644, 0755}, {"g=u", 0750, 0770, 0770},  {"u+s", 0755, 04755, 04755},
        {"+t", 0755, 01755, 01755},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mode_change m;
        struct err e = mode_parse(rows[i].text, &m);
        if (err_failed(e))
            fail_msg("%s: %s", rows[i].text, err_msg(e));
        uint32_t f = mode_apply(&m, rows[i].before, false),
                 d = mode_apply(&m, rows[i].before, true);
        if (f != rows[i].file || d != rows[i].dir)
            fail_msg("%s: %o and %o", rows[i].text, f, d);
    }
}

TEST(modes_that_are_none) {
    static const char *const rows[] = {"", "9", "17777", "u", "x+r", "u+q", "755 "};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mode_change m;
        struct err e = mode_parse(rows[i], &m);
        if (!err_failed(e))
            fail_msg("'%s' was taken", rows[i]);
        err_free(e);
    }
}
