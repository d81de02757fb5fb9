/* The socket of an HTTP client is given to another process (docs/decisions/0001). The server here
 * does what the daemon does, the receiver what the monitor does: it writes the head and serves the
 * stream. */
#include "test.h"

#include "serve.h"

#include "http/body.h"
#include "loop/msg.h"
#include <errno.h>
#include <sys/wait.h>

enum { TAG_HEAD = 1, TAG_EARLY, TAG_KIND, TAG_BODY };

/* --- the receiver ---------------------------------------------------------------------------- */

/* Reads to the end of the client's input, then gives all of it back. */
static void serve_echo(int fd, struct str early) {
    CLEAN_BUF struct buf b = {0};
    buf_add_str(&b, early);
    if (fd_read_buf(fd, &b) == 0)
        send_all(fd, b.data, b.len);
}

/* 8 MiB that a slow reader takes at its own speed. */
static void serve_flood(int fd) {
    CLEAN_FREE
    unsigned char *p = mem_alloc(8u << 20);
    for (size_t i = 0; i < 8u << 20; i++)
        p[i] = (unsigned char)(i ^ i >> 9);
    send_all(fd, p, 8u << 20);
}

/* The receiver ends its side first; the client goes on sending, and its bytes arrive. */
static void serve_half(int fd, struct str early, int report) {
    CLEAN_BUF struct buf b = {0};
    send_all(fd, "bye", 3);
    shutdown(fd, SHUT_WR);
    buf_add_str(&b, early);
    fd_read_buf(fd, &b);
    uint64_t n = b.len;
    if (write(report, &n, sizeof(n)) != (ssize_t)sizeof(n))
        _exit(5);
}

/* A request body of which the server read only the start: counts it, answers. */
static void serve_upload(int fd, struct str packed) {
    struct http_body_state state;
    struct str early;
    char p[65536];
    uint64_t sum = 0, total = 0;
    struct err e = http_body_unpack(packed, &state, &early);
    if (err_failed(e))
        _exit(6);
    struct http_body *b = http_body_new(fd, &state, early);
    ssize_t n;
    while ((n = http_body_read(b, p, sizeof(p))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 31 + (unsigned char)p[i];
        total += (uint64_t)n;
    }
    int len = snprintf(p, sizeof(p), "%llu %llx", (unsigned long long)total,
                       (unsigned long long)sum);
    http_answer_begin(fd, n == 0 ? 200 : 400, "text/plain", NULL);
    http_answer_write(fd, str_n(p, (size_t)len));
    http_answer_end(fd);
    http_body_free(b);
}

static void serve_one(struct msg *m, int report) {
    int fd = m->fds[0];
    struct str early = msg_get(m->body, TAG_EARLY), head = msg_get(m->body, TAG_HEAD);
    struct str kind = msg_get(m->body, TAG_KIND);
    send_all(fd, head.p, head.len);
    if (str_eqz(kind, "/flood"))
        serve_flood(fd);
    else if (str_eqz(kind, "/half"))
        serve_half(fd, early, report);
    else if (str_eqz(kind, "/upload"))
        serve_upload(fd, msg_get(m->body, TAG_BODY));
    else
        serve_echo(fd, early);
}

/* A child per socket, so that many streams live at once. */
static void receiver(int fd, int report) {
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        struct msg m;
        struct err e = msg_recv(fd, -1, &m);
        if (err_failed(e)) {
            err_free(e);
            _exit(0);
        }
        if (fork() == 0) {
            close(fd);
            serve_one(&m, report);
            _exit(0);
        }
        msg_done(&m);
    }
}

/* --- the server ------------------------------------------------------------------------------ */

struct fix {
    struct serve serve;
    struct msg_conn *conn;
    int to_receiver, report;
    pid_t pid;
};

static void no_message(void *arg, struct msg *m) {
    (void)arg, (void)m;
}
static void receiver_gone(void *arg) {
    struct fix *f = arg;
    f->conn = msg_conn_free(f->conn);
}

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    struct fix *f = arg;
    struct http_taken t;
    CLEAN_BUF struct buf body = {0}, head = {0}, packed = {0};
    msg_put(&body, TAG_KIND, r->path);
    bool upload = str_eqz(r->path, "/upload");
    http_take(x, &t);
    if (upload) {
        http_body_pack(&t.body, buf_str(&t.early), &packed);
        msg_put(&body, TAG_BODY, buf_str(&packed));
    } else {
        http_hijack_head(&head, t.upgrade, "application/vnd.docker.raw-stream");
        msg_put(&body, TAG_HEAD, buf_str(&head));
        msg_put(&body, TAG_EARLY, buf_str(&t.early));
    }
    msg_conn_send(f->conn, 1, 0, buf_str(&body), &t.fd, 1);
    http_taken_done(&t);
}

static void connect_receiver(void *arg) {
    struct fix *f = arg;
    f->conn = msg_conn_new(f->serve.loop, f->to_receiver, no_message, receiver_gone, f);
}
static void disconnect_receiver(void *arg) {
    struct fix *f = arg;
    f->conn = msg_conn_free(f->conn);
}

static struct fix *fix_new(void) {
    struct fix *f = NEW(struct fix);
    int pair[2], report[2];
    assert_ok(msg_pair(pair));
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    f->pid = fork();
    if (f->pid == 0) {
        close(pair[0]);
        receiver(pair[1], report[1]);
    }
    close(pair[1]);
    close(report[1]);
    f->to_receiver = pair[0];
    f->report = report[0];
    serve_start(&f->serve, handle, f);
    loop_post(f->serve.loop, connect_receiver, f);
    return f;
}
static void fix_free(struct fix *f) {
    loop_post(f->serve.loop, disconnect_receiver, f);
    serve_end(&f->serve);
    int st;
    assert_int_equal(waitpid(f->pid, &st, 0), f->pid);
    assert_int_equal(st, 0);
    close(f->report);
    free(f);
}

static void request(struct buf *b, const char *path, bool upgrade, const char *extra) {
    buf_clear(b);
    buf_addf(b, "POST %s HTTP/1.1\r\nHost: x\r\n%s%s\r\n", path,
             upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n" : "", extra);
}
static void fill(struct buf *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        buf_addc(b, (char)('a' + (i * 7 + i / 1009) % 26));
}

/* What follows the head of a hijacked answer. */
static struct str stream_of(const struct buf *b, bool upgrade) {
    const char *want = upgrade ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n";
    assert_memory_equal(b->data, want, strlen(want));
    struct str all = buf_str(b);
    ssize_t at = str_find_str(all, STR("\r\n\r\n"));
    assert_true(at > 0);
    return str_from(all, (size_t)at + 4);
}

/* --- the cases ------------------------------------------------------------------------------- */

TEST(early_bytes_arrive_whole) {
    static const size_t sizes[] = {0, 10, 1000, 20000, 100000};
    struct fix *f = fix_new();
    for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
        bool upgrade = i % 2;
        CLEAN_BUF struct buf b = {0}, out = {0}, want = {0};
        fill(&want, sizes[i / 2]);
        request(&b, "/echo", upgrade, "");
        buf_add_str(&b, buf_str(&want));
        CLEAN_FD
        int fd = serve_dial(&f->serve);
        send_all(fd, b.data, b.len);
        read_until(fd, "\r\n\r\n", &out); /* the receiver has it now */
        send_all(fd, "later", 5);
        buf_adds(&want, "later");
        shutdown(fd, SHUT_WR); /* the answer comes after the client's half-close */
        read_until(fd, NULL, &out);
        assert_true(str_eq(stream_of(&out, upgrade), buf_str(&want)));
    }
    fix_free(f);
}

TEST(request_stdin_and_half_close_in_one_go_200_times) {
    struct fix *f = fix_new();
    for (int i = 0; i < 200; i++) {
        bool upgrade = i % 2;
        CLEAN_BUF struct buf b = {0}, out = {0}, want = {0};
        fill(&want, (size_t)i * 97 % 5000);
        request(&b, "/echo", upgrade, "");
        buf_add_str(&b, buf_str(&want));
        CLEAN_FD
        int fd = serve_dial(&f->serve);
        send_all(fd, b.data, b.len);
        shutdown(fd, SHUT_WR);
        read_until(fd, NULL, &out);
        assert_true(str_eq(stream_of(&out, upgrade), buf_str(&want)));
    }
    fix_free(f);
}

TEST(receiver_ends_first_and_the_client_goes_on_sending) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf b = {0}, out = {0};
    request(&b, "/half", true, "");
    CLEAN_FD
    int fd = serve_dial(&f->serve);
    send_all(fd, b.data, b.len);
    read_until(fd, NULL, &out); /* EOF */
    assert_true(str_eqz(stream_of(&out, true), "bye"));
    buf_clear(&b);
    fill(&b, 100000);
    send_all(fd, b.data, b.len);
    shutdown(fd, SHUT_WR);
    uint64_t n = 0;
    assert_int_equal(read(f->report, &n, sizeof(n)), sizeof(n));
    assert_int_equal(n, 100000);
    fix_free(f);
}

TEST(slow_reader_gets_everything) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf b = {0}, out = {0};
    request(&b, "/flood", true, "");
    CLEAN_FD
    int fd = serve_dial(&f->serve);
    send_all(fd, b.data, b.len);
    for (int i = 0; i < 40; i++) { /* slow at first */
        poll(NULL, 0, 5);
        ssize_t n = recv(fd, buf_room(&out, 4096), 4096, 0);
        assert_true(n > 0);
        buf_added(&out, (size_t)n);
    }
    read_until(fd, NULL, &out);
    struct str got = stream_of(&out, true);
    assert_int_equal(got.len, 8u << 20);
    for (size_t i = 0; i < got.len; i++)
        if ((unsigned char)got.p[i] != (unsigned char)(i ^ i >> 9))
            fail_msg("byte %zu differs", i);
    fix_free(f);
}

TEST(request_bodies_go_on_in_the_receiver) {
    struct fix *f = fix_new();
    for (int chunked = 0; chunked < 2; chunked++) {
        CLEAN_BUF struct buf b = {0}, body = {0}, out = {0}, want = {0};
        uint64_t sum = 0;
        fill(&body, 3u << 20);
        for (size_t i = 0; i < body.len; i++)
            sum = sum * 31 + (unsigned char)body.data[i];
        buf_addf(&want, "%zu %llx", body.len, (unsigned long long)sum);
        char length[64];
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", body.len);
        request(&b, "/upload", false, chunked ? "Transfer-Encoding: chunked\r\n" : length);
        for (size_t at = 0; chunked && at < body.len; at += 8000) {
            struct str piece = str_sub(buf_str(&body), at, at + 8000);
            buf_addf(&b, "%zx\r\n", piece.len);
            buf_add_str(&b, piece);
            buf_adds(&b, "\r\n");
        }
        if (chunked)
            buf_adds(&b, "0\r\n\r\n");
        else
            buf_add_str(&b, buf_str(&body));
        CLEAN_FD
        int fd = serve_dial(&f->serve);
        send_all(fd, b.data, b.len);
        read_until(fd, NULL, &out);
        assert_non_null(strstr(buf_cstr(&out), "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strstr(buf_cstr(&out), buf_cstr(&want)));
    }
    fix_free(f);
}

TEST(no_descriptor_is_left) {
    loop_free(loop_new());
    int before = count_fds();
    struct fix *f = fix_new();
    int with_server = 0;
    for (int i = 0; i < 300; i++) {
        CLEAN_BUF struct buf b = {0}, out = {0};
        request(&b, "/echo", i % 2, "");
        int fd = serve_dial(&f->serve);
        send_all(fd, b.data, b.len);
        shutdown(fd, SHUT_WR);
        read_until(fd, NULL, &out);
        close(fd);
        if (i == 9)
            with_server = count_fds();
    }
    assert_int_equal(count_fds(), with_server);
    fix_free(f);
    assert_int_equal(count_fds(), before);
}
