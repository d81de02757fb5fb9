#include "test.h"

#include "spec/runtime_state.h"

/* The document of the OCI specification (runtime.md, "State"); what is not known is left out. */
TEST(a_state_as_the_specification_has_it) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    struct oci_state s = {.oci_version = (char *)"1.2.0",
                          .id = (char *)"box",
                          .status = (char *)"running",
                          .pid = 4422,
                          .bundle = (char *)"/b \"x\""};
    fields_print(&oci_state_fields, &s, &out);
    assert_string_equal(buf_cstr(&out), "{\"ociVersion\":\"1.2.0\",\"id\":\"box\",\"pid\":4422,"
                                        "\"status\":\"running\",\"bundle\":\"/b \\\"x\\\"\"}");
    buf_clear(&out);
    strmap_set(&s.annotations, &a, "com.example", "1");
    s.annotations.present = true;
    s.pid = 0;
    s.status = (char *)"stopped";
    s.owner = (char *)"";
    fields_print(&oci_state_fields, &s, &out);
    assert_non_null(strstr(buf_cstr(&out), "\"annotations\":{\"com.example\":\"1\"}"));
    assert_non_null(strstr(buf_cstr(&out), "\"pid\":0"));
    assert_null(strstr(buf_cstr(&out), "owner"));
}

/* Written by one version and read by another: nothing is lost, and what is new is passed over. */
TEST(what_is_kept_comes_back) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf out = {0};
    const struct oci_kept k = {.oci_version = (char *)"1.2.0",
                               .id = (char *)"box",
                               .bundle = (char *)"/b",
                               .rootfs = (char *)"/r",
                               .created = (char *)"2026-01-01T00:00:00Z",
                               .owner = (char *)"root",
                               .pid = 7,
                               .start_time = UINT64_MAX,
                               .cgroup_path = (char *)"/x/y",
                               .systemd_unit = (char *)"",
                               .external_descriptors = (char *)"[\"/dev/null\"]",
                               .waits = true};
    struct oci_kept back;
    fields_print(&oci_kept_fields, &k, &out);
    out.data[out.len - 1] = ',';
    buf_adds(&out, "\"of-tomorrow\":{\"a\":[1]}}");
    assert_ok(fields_decode(&oci_kept_fields, buf_str(&out), &a, &back));
    assert_string_equal(back.id, "box");
    assert_int_equal(back.pid, 7);
    assert_true(back.start_time == UINT64_MAX);
    assert_string_equal(back.cgroup_path, "/x/y");
    assert_string_equal(back.external_descriptors, "[\"/dev/null\"]");
    assert_true(back.waits);
    assert_false(back.no_new_keyring);
    assert_err(fields_decode(&oci_kept_fields, STR("{\"id\":\"box\",\"pid\":\"7\"}"), &a, &back),
               ERR_INVALID);
}
