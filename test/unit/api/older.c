/* What older clients mean with a create call, and where they look for things in an answer. */
#include "api/older.h"
#include "test.h"

TEST(members_of_later_versions_are_taken_out) {
    CLEAN_ARENA struct arena a = {0};
    char mode[] = "host", key[] = "a", value[] = "b";
    for (int minor = API_MINOR_MIN; minor <= API_MINOR_MAX; minor++) {
        struct api_health_config health = {.start_interval = 5};
        struct api_host_config h = {
            .auto_remove = true, .cgroupns_mode = mode, .console_size = {1, 2}};
        struct api_container_create doc = {.host = &h, .config.healthcheck = &health};
        strmap_set(&h.annotations, &a, key, value);
        assert_ok(older_container_create(&doc, minor, &a));
        assert_int_equal(h.auto_remove, minor >= 25);
        assert_int_equal(h.cgroupns_mode != NULL, minor >= 41);
        assert_int_equal(h.console_size[0], minor >= 42 ? 1 : 0);
        assert_int_equal(h.annotations.n, minor >= 43 ? 1 : 0);
        assert_int_equal(health.start_interval, minor >= 44 ? 5 : 0);
        assert_int_equal(h.ipc_mode != NULL, minor < 40);
    }
}

TEST(what_cannot_be_taken_out_is_refused) {
    CLEAN_ARENA struct arena a = {0};
    char sub[] = "s";
    struct api_volume_options v = {.subpath = sub};
    struct api_mount m = {.volume_options = &v};
    struct api_host_config h = {.mounts = {.items = &m, .n = 1}};
    struct api_container_create doc = {.host = &h};
    assert_err(older_container_create(&doc, 44, &a), ERR_INVALID);
    assert_ok(older_container_create(&doc, 45, &a));
    struct api_networking_config n = {0};
    objmap_add(&n.endpoints, &a, "one", sizeof(struct api_endpoint));
    objmap_add(&n.endpoints, &a, "two", sizeof(struct api_endpoint));
    doc = (struct api_container_create){.networking = &n};
    assert_err(older_container_create(&doc, 43, &a), ERR_INVALID);
    assert_ok(older_container_create(&doc, 44, &a));
}

TEST(an_execs_size) {
    struct api_exec_create x = {.console_size = {24, 80}};
    older_exec_create(&x, 42);
    assert_int_equal(x.console_size[1], 80);
    older_exec_create(&x, 41);
    assert_int_equal(x.console_size[1], 0);
}
