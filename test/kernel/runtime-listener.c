/* SCMP_ACT_NOTIFY: a supervisor gets the descriptor and the container's process state, and decides
 * what calls return; also about calls that the runtime itself has to make. */
#include "test.h"

#include "base/json.h"
#include "box.h"
#include "kernel/seccomp.h"
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static int listen_at(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* The state's text and the descriptor that came with it. */
static int receive(int listener, struct buf *text) {
    char control[CMSG_SPACE(sizeof(int))], bytes[4096];
    int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC), fd = -1;
    for (;;) {
        struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr h = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control,
                           .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
        if (n <= 0)
            break;
        buf_add(text, bytes, (size_t)n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        if (c)
            memcpy(&fd, CMSG_DATA(c), sizeof(int));
    }
    close(sock);
    return fd;
}

/* Answers most calls at most, and until the last process with the filter is gone (and, before Linux
 * 6.11, has been waited for); how many calls were asked about. */
static int supervise(int fd, int nr, int error, int most) {
    int count = 0;
    while (count < most) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        poll(&p, 1, -1);
        if (!(p.revents & POLLIN))
            return count;
        struct seccomp_notif n = {0};
        struct seccomp_notif_resp r = {0};
        if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
            continue;
        count++;
        r.id = n.id;
        if (n.data.nr == nr)
            r.error = error;
        else
            r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
    }
    return count;
}

static int mkdir_number(void) {
    int64_t nr = seccomp_number(seccomp_native_arch(), "mkdir");
    return (int)(nr >= 0 ? nr : seccomp_number(seccomp_native_arch(), "mkdirat"));
}

static const char *member(struct json *o, const char *key) {
    struct json *v = json_get(o, key);
    return v ? json_str(v).p : "";
}

static char *profile(const char *path, const char *rest) {
    char cwd[256];
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    return mem_printf(",\"seccomp\":{\"listenerPath\":\"%s/%s\",\"listenerMetadata\":\"meta\",%s}",
                      cwd, path, rest);
}
#define ASK_MKDIR                                                                            \
    "\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\",\"mkdirat\"]," \
    "\"action\":\"SCMP_ACT_NOTIFY\"}]"

TEST(a_supervisor_decides_about_a_call) {
    box_enter();
    int listener = listen_at("supervisor");
    CLEAN_FREE char *linux_ = profile("supervisor", ASK_MKDIR);
    struct box_run r;
    assert_ok(box_create(&(struct box_options){.script = "mkdir /tmp/one 2>&1; echo $?; echo done",
                                               .linux_ = linux_,
                                               .top = ",\"annotations\":{\"a\":\"b\"}",
                                               .no_seccomp = true},
                         &r));
    assert_ok(runtime_start(r.box));
    CLEAN_BUF struct buf text = {0};
    int fd = receive(listener, &text);
    assert_true(fd >= 0);
    CLEAN_JSON struct json *root = NULL;
    assert_ok(json_parse(buf_str(&text), &root));
    assert_non_null(strstr(buf_cstr(&text), "\"fds\":[\"seccompFd\"]"));
    assert_non_null(strstr(buf_cstr(&text), "\"metadata\":\"meta\""));
    assert_non_null(strstr(buf_cstr(&text), "\"annotations\":{\"a\":\"b\"}"));
    int64_t pid = 0;
    assert_true(json_i64(json_get(root, "pid"), &pid));
    assert_int_equal(pid, r.init.pid);
    assert_string_equal(member(json_get(root, "state"), "id"), "test");
    assert_int_equal(supervise(fd, mkdir_number(), -ENOMEDIUM, 1), 1);
    CLEAN_FREE char *out = box_output(r.out);
    assert_non_null(strstr(out, "No medium found"));
    assert_non_null(strstr(out, "1\ndone\n"));
    assert_int_equal(box_reap(&r), 0);
    box_delete(&r);
    close(fd);
    close(listener);
    box_leave();
}

/* The calls of the runtime itself after the filter is on, execve among them, are asked about too:
 * the supervisor must have its descriptor before. */
TEST(every_call_can_be_asked_about) {
    box_enter();
    int listener = listen_at("supervisor");
    CLEAN_FREE char *linux_ = profile("supervisor", "\"defaultAction\":\"SCMP_ACT_NOTIFY\"");
    pid_t supervisor = fork();
    if (supervisor == 0) {
        struct buf text = {0};
        int fd = receive(listener, &text);
        _exit(fd >= 0 && supervise(fd, -1, 0, INT_MAX) > 10 ? 42 : 1);
    }
    char *out = NULL;
    int status = 99;
    assert_ok(
        box_try(&(struct box_options){.script = "echo asked", .linux_ = linux_, .no_seccomp = true},
                &out, &status));
    assert_string_equal(out, "asked\n");
    assert_int_equal(status, 0);
    free(out);
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_int_equal(WEXITSTATUS(status), 42);
    close(listener);
    box_leave();
}

TEST(an_exec_has_a_descriptor_of_its_own) {
    box_enter();
    int listener = listen_at("supervisor");
    CLEAN_FREE char *linux_ = profile("supervisor", ASK_MKDIR);
    struct box_run r;
    assert_ok(box_create(
        &(struct box_options){.script = "sleep 100", .linux_ = linux_, .no_seccomp = true}, &r));
    assert_ok(runtime_start(r.box));
    CLEAN_BUF struct buf first = {0}, text = {0};
    CLEAN_FD int one = receive(listener, &first);
    assert_non_null(strstr(buf_cstr(&first), "\"status\":\"created\""));
    char *args[] = {(char *)"mkdir", (char *)"/tmp/two"}, *env[] = {(char *)"PATH=/bin"};
    struct oci_process p = {.args = {.items = args, .n = 2},
                            .env = {.items = env, .n = 1},
                            .cwd = (char *)"/",
                            .capabilities = NULL};
    struct runtime_process x;
    assert_ok(runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x));
    CLEAN_FD int two = receive(listener, &text);
    assert_non_null(strstr(buf_cstr(&text), "\"status\":\"running\""));
    assert_int_equal(supervise(two, mkdir_number(), 0, 1), 1); /* "it is done", and it is not */
    struct pidfd_exit end;
    assert_ok(pidfd_reap(x.pidfd, &end));
    close(x.pidfd);
    assert_int_equal(pidfd_exit_status(&end), 0);
    assert_ok(runtime_kill(r.box, SIGKILL));
    box_reap(&r);
    box_delete(&r);
    close(listener);
    box_leave();
}

TEST(a_supervisor_that_is_not_there_is_an_error) {
    box_enter();
    CLEAN_FREE char *linux_ = profile("nobody", ASK_MKDIR);
    char *out = NULL;
    int status;
    struct err e =
        box_try(&(struct box_options){.script = "true", .linux_ = linux_, .no_seccomp = true}, &out,
                &status);
    assert_non_null(strstr(err_msg(e), "listenerPath"));
    assert_int_equal(err_errnum(e), ENOENT);
    err_free(e);
    struct box_run r;
    e = box_create(&(struct box_options){.script = "true",
                                         .linux_ = ",\"seccomp\":{" ASK_MKDIR "}",
                                         .no_seccomp = true},
                   &r);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_non_null(strstr(err_msg(e), "listenerPath"));
    err_free(e);
    box_leave();
}
