/* Messages: bodies, descriptors, big bodies, connections on the loop. */
#include "loop/msg.h"
#include "test.h"

#define NSEC_TEST 5000000000
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TEST(body_fields_come_back_and_unknown_tags_are_skipped) {
    CLEAN_BUF struct buf b = {0};
    msg_putz(&b, 7, "seven");
    msg_put_u64(&b, 8, UINT64_MAX);
    msg_put_i64(&b, 9, -5);
    assert_true(str_eqz(msg_get(buf_str(&b), 7), "seven"));
    assert_int_equal(msg_get_u64(buf_str(&b), 8), UINT64_MAX);
    assert_int_equal(msg_get_i64(buf_str(&b), 9), -5);
    assert_false(msg_has(buf_str(&b), 10));
    assert_int_equal(msg_get_u64(buf_str(&b), 7), 0); /* wrong size */
    b.data[4] = 99;                                   /* a length past the end */
    assert_false(msg_has(buf_str(&b), 7));
}

TEST(errors_travel) {
    CLEAN_BUF struct buf b = {0};
    struct err e = err_errno(28, "write blob");
    msg_put_err(&b, 1, e);
    err_free(e);
    CLEAN_ERR struct err back = msg_get_err(buf_str(&b), 1);
    assert_int_equal(err_kind(back), ERR_SYSTEM);
    assert_string_equal(err_msg(back), "write blob: No space left on device");
    assert_ok(msg_get_err(STR_NONE, 1));
}

static void round_trip(size_t size) {
    int pair[2];
    assert_ok(msg_pair(pair));
    CLEAN_BUF struct buf body = {0};
    for (size_t i = 0; i < size; i++)
        buf_addc(&body, (char)(i * 31));
    CLEAN_FD int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_ok(msg_send(pair[0], 5, 77, buf_str(&body), &file, 1));
    CLEAN_MSG struct msg m = {0};
    assert_ok(msg_recv(pair[1], NSEC_TEST, &m));
    assert_int_equal(m.type, 5);
    assert_int_equal(m.seq, 77);
    assert_int_equal(m.fds_n, 1);
    assert_true(str_eq(m.body, buf_str(&body)));
    assert_int_equal(fcntl(m.fds[0], F_GETFD), FD_CLOEXEC);
    close(pair[0]);
    CLEAN_MSG struct msg end = {0};
    assert_err(msg_recv(pair[1], NSEC_TEST, &end), ERR_UNAVAILABLE);
    close(pair[1]);
}

TEST(small_and_big_bodies_with_descriptors) {
    round_trip(0);
    round_trip(100);
    round_trip(32 << 10);
    round_trip((32 << 10) + 1);
    round_trip(3 << 20);
}

TEST(garbage_is_refused) {
    int pair[2];
    assert_ok(msg_pair(pair));
    assert_int_equal(write(pair[0], "hello, this is not a message", 28), 28);
    CLEAN_MSG struct msg m = {0};
    assert_err(msg_recv(pair[1], NSEC_TEST, &m), ERR_INVALID);
    assert_err(msg_recv(pair[1], 1000000, &m), ERR_TIMEOUT);
    close(pair[0]);
    close(pair[1]);
}

struct seen {
    struct loop *loop;
    struct msg_conn *conn;
    unsigned messages, closed;
};

static void on_msg(void *arg, struct msg *m) {
    struct seen *s = arg;
    s->messages++;
    msg_conn_send(s->conn, m->type + 1, m->seq, m->body, NULL, 0);
}

static void on_closed(void *arg) {
    struct seen *s = arg;
    s->closed++;
    s->conn = msg_conn_free(s->conn);
    loop_stop(s->loop);
}

static struct err client(void *arg) {
    int fd = *(int *)arg;
    for (uint64_t i = 1; i <= 1000; i++) {
        CLEAN_MSG struct msg m = {0};
        TRY(msg_send(fd, 1, i, STR("ping"), NULL, 0));
        TRY(msg_recv(fd, NSEC_TEST, &m));
        if (m.seq != i || m.type != 2)
            return err_new(ERR_SYSTEM, "wrong answer");
    }
    close(fd);
    return OK;
}

static void client_done(void *arg, struct err e) {
    (void)arg;
    assert_ok(e);
}

TEST(connection_answers_from_its_callback_and_may_free_itself) {
    int pair[2];
    assert_ok(msg_pair(pair));
    struct seen s = {.loop = loop_new()};
    s.conn = msg_conn_new(s.loop, pair[0], on_msg, on_closed, &s);
    job_submit(s.loop, client, client_done, &pair[1]);
    loop_run(s.loop);
    assert_int_equal(s.messages, 1000);
    assert_int_equal(s.closed, 1);
    loop_step(s.loop);
    loop_free(s.loop);
}

TEST(sockets_below_long_directories) {
    char dir[200] = "/tmp/corten-msg-XXXXXX";
    assert_non_null(mkdtemp(dir));
    size_t n = strlen(dir);
    memset(dir + n, 'd', 150);
    dir[n] = '/';
    dir[n + 150] = '\0';
    assert_int_equal(mkdir(dir, 0700), 0);
    CLEAN_FD int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int none = -1, listener = -1, conn = -1;
    assert_err(msg_dial(dirfd, "sock", &none), ERR_NOT_FOUND);
    assert_ok(msg_listen(dirfd, "sock", 0600, &listener));
    assert_ok(msg_dial(dirfd, "sock", &conn));
    close(conn);
    close(listener);
    assert_err(msg_dial(dirfd, "sock", &none), ERR_NOT_FOUND);
    unlinkat(dirfd, "sock", 0);
    rmdir(dir);
    dir[n] = '\0';
    rmdir(dir);
}
