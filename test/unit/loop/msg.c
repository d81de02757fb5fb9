#include "test.h"

#include "base/mem.h"
#include "base/time.h"
#include "loop/msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_fds(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void big(struct buf *b, size_t n) {
    CLEAN_FREE
    char *p = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)(i * 7 + i / 251);
    msg_put(b, 9, str_n(p, n));
}

TEST(fields_are_read_back) {
    CLEAN_BUF struct buf b = {0};
    msg_putz(&b, 1, "name");
    msg_putz(&b, 2, NULL);
    msg_put_u64(&b, 3, UINT64_MAX);
    msg_put_i64(&b, 4, -5);
    msg_put(&b, 5, STR_NONE);
    msg_putz(&b, 1, "second");
    struct str body = buf_str(&b);
    assert_true(msg_body_ok(body));
    assert_true(str_eqz(msg_get(body, 1), "name"));
    assert_false(msg_has(body, 2));
    assert_true(msg_get_u64(body, 3) == UINT64_MAX);
    assert_int_equal(msg_get_i64(body, 4), -5);
    assert_true(msg_has(body, 5));
    assert_int_equal(msg_get_u64(body, 1), 0); /* wrong size */
    assert_int_equal(msg_get_u64(body, 77), 0);
    body.len--;
    assert_false(msg_body_ok(body));
    assert_true(str_eqz(msg_get(body, 1), "name"));
}

TEST(errors_travel) {
    CLEAN_BUF struct buf b = {0};
    CLEAN_ERR struct err e = err_kind_errno(ERR_CONFLICT, EBUSY, "start 'web'");
    msg_put_err(&b, 40, e);
    CLEAN_ERR struct err got = msg_get_err(buf_str(&b), 40);
    assert_int_equal(err_kind(got), ERR_CONFLICT);
    assert_int_equal(err_errnum(got), EBUSY);
    assert_string_equal(err_msg(got), err_msg(e));
    assert_false(err_failed(msg_get_err(buf_str(&b), 50)));
    CLEAN_BUF struct buf empty = {0};
    msg_put_err(&empty, 40, OK);
    assert_int_equal(empty.len, 0);
}

static void round_trip(size_t body_size, size_t fds_n) {
    int p[2], fds[MSG_FDS_MAX];
    assert_ok(msg_pair(p));
    for (size_t i = 0; i < fds_n; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEAN_BUF struct buf b = {0};
    big(&b, body_size);
    assert_ok(msg_send(p[0], 7, 42, buf_str(&b), fds, fds_n));
    for (size_t i = 0; i < fds_n; i++)
        close(fds[i]);
    CLEAN_MSG struct msg m = {0};
    assert_ok(msg_recv(p[1], NSEC_PER_SEC, &m));
    assert_int_equal(m.type, 7);
    assert_int_equal(m.seq, 42);
    assert_true(str_eq(m.body, buf_str(&b)));
    assert_int_equal(m.fds_n, fds_n);
    for (size_t i = 0; i < fds_n; i++)
        assert_int_equal(fcntl(m.fds[i], F_GETFD), FD_CLOEXEC);
    close(p[0]);
    close(p[1]);
}

TEST(bodies_of_every_size_with_descriptors) {
    int before = open_fds();
    size_t sizes[] = {0, 1, 1000, 32u << 10, (32u << 10) + 1, 1u << 20, MSG_BODY_MAX - 8};
    size_t counts[] = {0, 1, MSG_FDS_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            round_trip(sizes[i], counts[k]);
    assert_int_equal(open_fds(), before);
}

TEST(too_much_is_refused_by_the_sender) {
    int p[2];
    assert_ok(msg_pair(p));
    CLEAN_BUF struct buf b = {0};
    big(&b, MSG_BODY_MAX);
    assert_err(msg_send(p[0], 1, 0, buf_str(&b), NULL, 0), ERR_SYSTEM);
    close(p[0]);
    close(p[1]);
}

TEST(closed_and_late) {
    int p[2];
    assert_ok(msg_pair(p));
    CLEAN_MSG struct msg m = {0};
    assert_err(msg_recv(p[1], 10 * NSEC_PER_MSEC, &m), ERR_TIMEOUT);
    close(p[0]);
    assert_err(msg_recv(p[1], NSEC_PER_SEC, &m), ERR_UNAVAILABLE);
    assert_err(msg_send(p[1], 1, 0, STR_NONE, NULL, 0), ERR_UNAVAILABLE);
    close(p[1]);
}

/* head as in loop/msg_wire.c */
struct raw_head {
    uint32_t magic, type;
    uint64_t seq;
    uint32_t length, flags;
};
static void raw_send(int fd, struct raw_head h, const char *body, size_t n, const int *fds,
                     size_t fds_n) {
    struct iovec iov[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)body, n}};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 64)];
    } c = {0};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
    if (fds_n) {
        mh.msg_control = c.room;
        mh.msg_controllen = CMSG_SPACE(sizeof(int) * fds_n);
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int) * fds_n);
        memcpy(CMSG_DATA(cm), fds, sizeof(int) * fds_n);
    }
    assert_true(sendmsg(fd, &mh, 0) > 0);
}

TEST(malformed_messages_are_refused_and_leak_nothing) {
    int p[2], before = open_fds();
    assert_ok(msg_pair(p));
    const struct raw_head good = {0x316d6f63u, 1, 1, 0, 0};
    struct raw_head h;
    struct msg m;
    CLEAN_MSG struct msg fine = {0};
    int fds[40];
    for (int i = 0; i < 40; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
#define REFUSED(...)                                    \
    do {                                                \
        raw_send(__VA_ARGS__);                          \
        assert_err(msg_recv(p[1], 0, &m), ERR_INVALID); \
    } while (0)
    raw_send(p[0], good, "", 0, fds, 2);
    assert_ok(msg_recv(p[1], 0, &fine));
    h = good, h.magic++;
    REFUSED(p[0], h, "", 0, fds, 1);
    h = good, h.length = 4; /* shorter than said */
    REFUSED(p[0], h, "", 0, fds, 1);
    REFUSED(p[0], good, "abcd", 4, fds, 1); /* longer than said */
    h = good, h.length = 4;                 /* not a field */
    REFUSED(p[0], h, "abcd", 4, fds, 1);
    h = good, h.length = 8;
    REFUSED(p[0], h, "\1\0\1\0\0\0\0\0", 8, fds, 1); /* reserved */
    REFUSED(p[0], h, "\1\0\0\0\xff\xff\xff\xff", 8, fds, 1);
    h = good, h.flags = 2;
    REFUSED(p[0], h, "", 0, fds, 1);
    h = good, h.flags = 1, h.length = 100; /* said memfd, none there; a plain file */
    REFUSED(p[0], h, "", 0, NULL, 0);
    REFUSED(p[0], h, "", 0, fds, 1);
    REFUSED(p[0], good, "", 0, fds, 33);
    REFUSED(p[0], good, "", 0, fds, 40);
    assert_int_equal(write(p[0], "short", 5), 5);
    assert_err(msg_recv(p[1], 0, &m), ERR_INVALID);
    for (int i = 0; i < 40; i++)
        close(fds[i]);
    close(p[0]);
    close(p[1]);
    msg_done(&fine);
    assert_int_equal(open_fds(), before);
}

TEST(an_unsealed_memfd_is_refused) {
    int p[2];
    assert_ok(msg_pair(p));
    int fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, 8), 0);
    struct raw_head h = {0x316d6f63u, 1, 1, 8, 1};
    struct msg m;
    raw_send(p[0], h, "", 0, &fd, 1);
    assert_err(msg_recv(p[1], 0, &m), ERR_INVALID);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    raw_send(p[0], h, "", 0, &fd, 1);
    assert_ok(msg_recv(p[1], 0, &m));
    assert_int_equal(m.body.len, 8);
    msg_done(&m);
    close(fd), close(p[0]), close(p[1]);
}

struct side {
    struct loop *loop;
    struct msg_conn *conn;
    uint64_t next;
    size_t fds;
    int closed, stop_at;
    bool free_in_message;
};
static void got(void *arg, struct msg *m) {
    struct side *s = arg;
    assert_int_equal(m->seq, s->next++);
    s->fds += m->fds_n;
    if (s->free_in_message)
        s->conn = msg_conn_free(s->conn);
    if ((int)s->next == s->stop_at)
        loop_stop(s->loop);
}
static void gone(void *arg) {
    struct side *s = arg;
    s->closed++;
    s->conn = msg_conn_free(s->conn);
    loop_stop(s->loop);
}

TEST(connections_queue_and_keep_order) {
    loop_free(loop_new()); /* libuv keeps a pipe for the process's life */
    int p[2], before = open_fds();
    assert_ok(msg_pair(p));
    struct loop *l = loop_new();
    struct side a = {.loop = l}, b = {.loop = l, .stop_at = 3000};
    a.conn = msg_conn_new(l, p[0], got, gone, &a);
    CLEAN_BUF struct buf body = {0};
    big(&body, 2000);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (uint64_t i = 0; i < 3000; i++) /* far more than the socket takes */
        msg_conn_send(a.conn, 1, i, buf_str(&body), &null, i % 100 == 0);
    b.conn = msg_conn_new(l, p[1], got, gone, &b);
    loop_run(l);
    assert_int_equal(b.next, 3000);
    assert_int_equal(b.fds, 30);
    msg_conn_free(a.conn);
    loop_run(l);
    assert_int_equal(b.closed, 1);
    close(null);
    loop_free(l);
    assert_int_equal(open_fds(), before);
}

TEST(connection_freed_in_its_own_callback) {
    int p[2];
    assert_ok(msg_pair(p));
    struct loop *l = loop_new();
    struct side b = {.loop = l, .stop_at = 1, .free_in_message = true};
    b.conn = msg_conn_new(l, p[1], got, gone, &b);
    for (uint64_t i = 0; i < 3; i++)
        assert_ok(msg_send(p[0], 1, i, STR_NONE, NULL, 0));
    loop_run(l);
    assert_int_equal(b.next, 1);
    assert_int_equal(b.closed, 0);
    close(p[0]);
    loop_free(l);
}

TEST(a_peer_that_never_reads_is_given_up) {
    int p[2];
    assert_ok(msg_pair(p));
    struct loop *l = loop_new();
    struct side a = {.loop = l};
    a.conn = msg_conn_new(l, p[0], got, gone, &a);
    int small = 1; /* the kernel makes it its minimum */
    setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    CLEAN_BUF struct buf body = {0};
    big(&body, 4u << 20);
    for (int i = 0; i < 100 && a.conn; i++)
        msg_conn_send(a.conn, 1, 0, buf_str(&body), NULL, 0);
    for (int i = 0; i < 5 && !a.closed; i++)
        loop_step(l);
    assert_int_equal(a.closed, 1);
    fd_close(p[1]);
    loop_free(l);
}

TEST(taken_descriptor_is_blocking_and_alive) {
    int p[2];
    assert_ok(msg_pair(p));
    struct loop *l = loop_new();
    struct side a = {.loop = l};
    a.conn = msg_conn_new(l, p[0], got, gone, &a);
    int fd = msg_conn_take(a.conn);
    assert_int_equal(fd, p[0]);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_ok(msg_send(fd, 3, 0, STR_NONE, NULL, 0));
    struct msg m;
    assert_ok(msg_recv(p[1], 0, &m));
    msg_done(&m);
    close(fd), close(p[1]);
    loop_free(l);
}

TEST(sockets_on_the_file_system) {
    char dir[] = "/tmp/corten-unit-msg-XXXXXX";
    assert_non_null(mkdtemp(dir));
    CLEAN_FD
    int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char longname[101];
    memset(longname, 'n', 100);
    longname[100] = '\0';
    const char *names[] = {"short", "sub/name"};
    mkdirat(dirfd, "sub", 0700);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        int fd, c;
        struct stat st;
        assert_err(msg_dial(dirfd, names[i], &c), ERR_NOT_FOUND);
        assert_ok(msg_listen(dirfd, names[i], 0640, &fd));
        assert_int_equal(fstatat(dirfd, names[i], &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_ok(msg_dial(dirfd, names[i], &c));
        int again;
        assert_err(msg_listen(dirfd, names[i], 0640, &again), ERR_CONFLICT);
        close(c);
        close(fd);
        assert_ok(msg_listen(dirfd, names[i], 0600, &fd)); /* the stale one is replaced */
        close(fd);
        unlinkat(dirfd, names[i], 0);
    }
    /* An absolute path that sun_path does not hold. */
    char deep[400];
    snprintf(deep, sizeof(deep), "%s/%s", dir, longname);
    mkdir(deep, 0700);
    snprintf(deep, sizeof(deep), "%s/%s/socket", dir, longname);
    int fd, c;
    assert_ok(msg_listen(AT_FDCWD, deep, 0600, &fd));
    assert_ok(msg_dial(AT_FDCWD, deep, &c));
    close(fd), close(c);
    unlink(deep);
    int plain = openat(dirfd, "plain", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(plain);
    assert_err(msg_listen(dirfd, "plain", 0600, &fd), ERR_CONFLICT);
    unlinkat(dirfd, "plain", 0);
    unlinkat(dirfd, "sub", AT_REMOVEDIR);
    unlinkat(dirfd, longname, AT_REMOVEDIR);
    assert_int_equal(rmdir(dir), 0);
}
