/* Users and groups by the container's own files. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "monitor/keeper.h"
#include <fcntl.h>
#include <unistd.h>

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
                             "1000:x:0:0:a trap:/:/bin/sh\n"
                             "app:x:1000:1001::/home/app:\n"
                             "bad:x:abc:1::/:\n"
                             "wrap:x:4294967296:0::/:\n"
                             "nogid:x:7\n"
                             "norow\n"
                             "last:x:5:6::/l:/bin/sh";
static const char group[] = "root:x:0:\n"
                            "wheel:x:10:root,app\n"
                            "app:x:1001:app\n"
                            "www:x:33:other,app,\n"
                            "33x:x:34:xapp\n";

struct place {
    char path[64];
    int fd;
};

static void put(struct place *p, const char *name, const char *text, size_t n) {
    assert_ok(file_replace_at(p->fd, name, str_n(text, n), 0644, false));
}

static struct place place_new(bool files) {
    struct place p;
    snprintf(p.path, sizeof(p.path), "/tmp/corten-unit-user-XXXXXX");
    assert_non_null(mkdtemp(p.path));
    assert_ok(dir_open(p.path, &p.fd));
    if (files) {
        CLEAN_FREE
        char *etc = mem_printf("%s/etc", p.path);
        assert_ok(dir_make(etc, 0755));
        put(&p, "etc/passwd", passwd, strlen(passwd));
        put(&p, "etc/group", group, strlen(group));
    }
    return p;
}

static void place_done(struct place *p) {
    close(p->fd);
    CLEAN_FD
    int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, p->path + strlen("/tmp/")));
}

static void check(struct place *p, const char *user, unsigned uid, unsigned gid, const char *gids,
                  const char *home) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_process x = {0};
    assert_ok(user_resolve(p->fd, user, NULL, 0, &x, &a));
    assert_int_equal(x.user.uid, uid);
    assert_int_equal(x.user.gid, gid);
    assert_true(str_eqz(x.user.additional_gids, gids));
    assert_int_equal(x.env.n, 1);
    assert_string_equal(x.env.items[0], home);
}

TEST(users_are_found) {
    struct place p = place_new(true);
    check(&p, "", 0, 0, "[0,10]", "HOME=/root");
    check(&p, "app", 1000, 1001, "[1001,10,33]", "HOME=/home/app");
    check(&p, "1000", 1000, 1001, "[1001,10,33]", "HOME=/home/app"); /* never the user named 1000 */
    check(&p, "app:www", 1000, 33, "[33]", "HOME=/home/app");
    check(&p, "app:77", 1000, 77, "[77]", "HOME=/home/app");
    check(&p, "12345", 12345, 0, "[0]", "HOME=/");
    check(&p, "12345:12", 12345, 12, "[12]", "HOME=/");
    check(&p, "last", 5, 6, "[6]", "HOME=/l");
    check(&p, "2147483647", 2147483647, 0, "[0]", "HOME=/");
    place_done(&p);
}

TEST(users_are_refused) {
    struct place p = place_new(true);
    static const char *const bad[] = {
        "nobody", "bad",        "wrap",        "nogid",          "norow",  "4294967296",
        "-1",     "2147483648", "app:nogroup", "app:4294967296", "app:-1", "0x10"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_process x = {0};
        assert_err(user_resolve(p.fd, bad[i], NULL, 0, &x, &a), ERR_INVALID);
        assert_int_equal(x.env.n, 0);
    }
    place_done(&p);
}

TEST(extra_groups) {
    struct place p = place_new(true);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process x = {0};
    static const char *const extra[] = {"www", "55"}, *const unknown[] = {"nothing"};
    assert_ok(user_resolve(p.fd, "last", extra, 2, &x, &a));
    assert_true(str_eqz(x.user.additional_gids, "[6,33,55]"));
    assert_err(user_resolve(p.fd, "last", unknown, 1, &x, &a), ERR_INVALID);
    place_done(&p);
}

TEST(home_that_is_set_stays) {
    struct place p = place_new(true);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process x = {0};
    strs_add(&x.env, &a, "HOME=/mine");
    assert_ok(user_resolve(p.fd, "app", NULL, 0, &x, &a));
    assert_int_equal(x.env.n, 1);
    assert_string_equal(x.env.items[0], "HOME=/mine");
    place_done(&p);
}

TEST(an_image_without_files) {
    struct place p = place_new(false);
    check(&p, "", 0, 0, "[0]", "HOME=/");
    check(&p, "7:8", 7, 8, "[8]", "HOME=/");
    CLEAN_ARENA struct arena a = {0};
    struct oci_process x = {0};
    assert_err(user_resolve(p.fd, "app", NULL, 0, &x, &a), ERR_INVALID);
    place_done(&p);
}

TEST(huge_and_strange_files) {
    struct place p = place_new(true);
    CLEAN_ARENA struct arena a = {0};
    struct oci_process x = {0};
    CLEAN_FREE
    char *big = mem_alloc(5 << 20);
    memset(big, 'x', 5 << 20);
    put(&p, "etc/passwd", big, 5 << 20);
    assert_err(user_resolve(p.fd, "app", NULL, 0, &x, &a), ERR_INVALID);
    unlinkat(p.fd, "etc/passwd", 0);
    assert_int_equal(symlinkat("/etc/passwd-of-nobody", p.fd, "etc/passwd"), 0);
    check(&p, "3", 3, 0, "[0]", "HOME=/"); /* leads nowhere inside */
    place_done(&p);
}
