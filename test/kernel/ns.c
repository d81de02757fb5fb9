#include "test.h"

#include "kernel/ns.h"
#include "scratch.h"
#include <net/if.h>
#include <sys/socket.h>

static ino_t net_of_self(void) {
    struct stat st;
    assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
    return st.st_ino;
}

TEST(a_new_network_namespace_leaves_the_caller_where_it_is) {
    if (geteuid() != 0)
        SKIP("needs root");
    ino_t before = net_of_self();
    CLEAN_FD int fd = -1;
    assert_ok(ns_new_net(&fd));
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_not_equal(st.st_ino, before);
    assert_int_equal(net_of_self(), before);
}

TEST(enter_and_leave) {
    if (geteuid() != 0)
        SKIP("needs root");
    ino_t before = net_of_self();
    CLEAN_FD int fd = -1;
    int back = -1;
    assert_ok(ns_new_net(&fd));
    assert_ok(ns_enter_net(fd, &back));
    assert_int_not_equal(net_of_self(), before);
    struct if_nameindex *list = if_nameindex();
    assert_non_null(list);
    assert_string_equal(list[0].if_name, "lo");
    assert_null(list[1].if_name);
    if_freenameindex(list);
    ns_leave_net(back);
    assert_int_equal(net_of_self(), before);
    CLEAN_FD int s = -1;
    assert_ok(ns_socket(fd, AF_INET, SOCK_STREAM, 0, &s));
    assert_int_equal(net_of_self(), before);
}

TEST(namespaces_by_path_are_verified) {
    int fd;
    assert_ok(ns_open_path("/proc/self/ns/net", CLONE_NEWNET, &fd));
    close(fd);
    assert_err(ns_open_path("/proc/self/ns/net", CLONE_NEWIPC, &fd), ERR_INVALID);
    assert_err(ns_open_path("/etc/passwd", CLONE_NEWNET, &fd), ERR_INVALID);
    assert_err(ns_open_path("/no/such/file", CLONE_NEWNET, &fd), ERR_NOT_FOUND);
}
