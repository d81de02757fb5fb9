#include "test.h"

#include "runtime/mounts.h"

static struct err plan(const char *mount, struct arena *a, struct mount_plans *ret) {
    static struct oci_config c;
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "{\"ociVersion\":\"1.2.0\",\"mounts\":[%s]}", mount);
    TRY(fields_decode_strict(&oci_config_fields, buf_str(&b), a, &c));
    int fds[] = {7};
    struct runtime_create_options o = {.config = &c, .mount_fds = fds, .mount_fds_n = 1};
    return mounts_plan(&o, ret);
}

TEST(words_become_attributes) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_MOUNT_PLANS struct mount_plans v = {0};
    assert_ok(
        plan("{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/y\",\"options\":"
             "[\"rbind\",\"ro\",\"nosuid\",\"nodev\",\"noexec\",\"noatime\",\"rro\",\"rslave\"]}",
             &a, &v));
    const struct mount_plan *p = &v.items[0];
    assert_int_equal(p->kind, KIND_BIND);
    assert_true(p->recursive);
    assert_int_equal(p->set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                 MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOATIME);
    assert_int_equal(p->clear, MOUNT_ATTR__ATIME);
    assert_int_equal(p->set_below, MOUNT_ATTR_RDONLY);
    assert_int_equal(p->propagation, MS_SLAVE);
    assert_true(p->propagation_below);
}

TEST(the_last_word_wins) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_MOUNT_PLANS struct mount_plans v = {0};
    assert_ok(plan("{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/"
                   "y\",\"options\":[\"bind\",\"ro\",\"rw\",\"suid\",\"nosuid\"]}",
                   &a, &v));
    assert_int_equal(v.items[0].set, MOUNT_ATTR_NOSUID);
    assert_int_equal(v.items[0].clear, MOUNT_ATTR_RDONLY);
}

TEST(what_is_no_word_is_the_file_systems) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_MOUNT_PLANS struct mount_plans v = {0};
    assert_ok(plan(
        "{\"destination\":\"/"
        "x\",\"type\":\"tmpfs\",\"options\":[\"nosuid\",\"size=64k\",\"mode=1777\",\"noswap\"]},"
        "{\"destination\":\"/p\",\"type\":\"devpts\",\"options\":[\"newinstance\",\"gid=5\"]},"
        "{\"destination\":\"/t\",\"type\":\"bind\",\"source\":\"fd:0\",\"options\":[\"bind\"]}",
        &a, &v));
    assert_int_equal(v.items[0].options.n, 3);
    assert_string_equal(v.items[0].options.items[0].key, "size");
    assert_string_equal(v.items[0].options.items[0].value, "64k");
    assert_null(v.items[0].options.items[2].value);
    assert_int_equal(v.items[1].options.n, 1);
    assert_int_equal(v.items[2].kind, KIND_TREE);
    assert_int_equal(v.items[2].tree, 7);
}

TEST(bad_ones_are_refused_by_name) {
    static const struct {
        const char *mount;
        enum err_kind kind;
        const char *word;
    } cases[] = {
        {"{\"destination\":\"/x\",\"type\":\"EXT/4\"}", ERR_INVALID, "EXT/4"},
        {"{\"destination\":\"/x\"}", ERR_INVALID, "type"},
        {"{\"destination\":\"/\",\"type\":\"tmpfs\"}", ERR_INVALID, "root"},
        {"{\"destination\":\"/a/..\",\"type\":\"tmpfs\"}", ERR_INVALID, "root"},
        {"{\"destination\":\"/x\",\"type\":\"bind\"}", ERR_INVALID, "source"},
        {"{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"y\"}", ERR_INVALID, "absolute"},
        {"{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"fd:1\"}", ERR_INVALID, "fd:1"},
        {"{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"fd:-1\"}", ERR_INVALID, "source"},
        {"{\"destination\":\"/x\",\"type\":\"tmpfs\",\"uidMappings\":[{\"size\":1}]}",
         ERR_UNSUPPORTED, "uidMappings"},
        {"{\"destination\":\"/x\",\"type\":\"bind\",\"source\":\"/y\",\"options\":[\"size=5\"]}",
         ERR_INVALID, "size=5"},
        {"{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"=5\"]}", ERR_INVALID, "=5"},
        {"{\"destination\":\"/x\",\"type\":\"tmpfs\",\"options\":[\"remount\"]}", ERR_UNSUPPORTED,
         "remount"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEAN_ARENA struct arena a = {0};
        CLEAN_MOUNT_PLANS struct mount_plans v = {0};
        struct err e = plan(cases[i].mount, &a, &v);
        if (err_kind(e) != cases[i].kind || !strstr(err_msg(e), cases[i].word))
            fail_msg("case %zu: %s: %s", i, err_kind_name(err_kind(e)), err_msg(e));
        err_free(e);
    }
}

TEST(a_label_goes_to_file_systems_made_here) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_MOUNT_PLANS struct mount_plans v = {0};
    struct oci_config c;
    assert_ok(fields_decode_strict(
        &oci_config_fields,
        STR("{\"ociVersion\":\"1.2.0\",\"linux\":{\"mountLabel\":\"system_u:object_r:c_t:s0:c1,"
            "c2\"},"
            "\"mounts\":[{\"destination\":\"/t\",\"type\":\"tmpfs\",\"options\":[\"mode=755\"]},"
            "{\"destination\":\"/proc\",\"type\":\"proc\"},"
            "{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/y\"}]}"),
        &a, &c));
    assert_ok(mounts_plan(&(struct runtime_create_options){.config = &c}, &v));
    assert_int_equal(v.items[0].options.n, 2);
    assert_string_equal(v.items[0].options.items[1].key, "context");
    assert_string_equal(v.items[0].options.items[1].value, "system_u:object_r:c_t:s0:c1,c2");
    assert_int_equal(v.items[1].options.n, 0);
    assert_int_equal(v.items[2].options.n, 0);
}
