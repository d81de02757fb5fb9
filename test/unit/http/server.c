#include "test.h"

#include "serve.h"

#include <sys/resource.h>
#include <sys/stat.h>

/* What the handler of these tests does is in the path. */
struct fix {
    struct serve serve;
    struct http_exchange *held; /* of /hold, /stream */
    int gone, drained, calls;   /* atomics */
    struct timer *timer;
};

static void hold_gone(void *arg) {
    struct fix *f = arg;
    struct http_exchange *x = f->held;
    f->held = NULL;
    f->timer = timer_free(f->timer);
    __atomic_add_fetch(&f->gone, 1, __ATOMIC_SEQ_CST);
    http_abort(x);
}

static void later(void *arg) {
    struct fix *f = arg;
    f->timer = timer_free(f->timer);
    http_reply(f->held, 200, "text/plain", STR("later"));
}

static void echo(void *arg, struct http_exchange *x, struct str body) {
    (void)arg;
    http_reply(x, 200, "application/octet-stream", body);
}

static void fill(void *arg) {
    struct fix *f = arg;
    static const char zeros[32768];
    __atomic_add_fetch(&f->drained, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&f->drained, __ATOMIC_SEQ_CST) > 4) {
        http_stream_end(f->held);
        return;
    }
    while (http_stream_write(f->held, str_n(zeros, sizeof(zeros))))
        ;
}

static void late_body(void *arg) {
    struct fix *f = arg;
    f->timer = timer_free(f->timer);
    http_read_body(f->held, 1000, echo, NULL);
}

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    struct fix *f = arg;
    __atomic_add_fetch(&f->calls, 1, __ATOMIC_SEQ_CST);
    if (str_eqz(r->path, "/_ping")) {
        http_add_header(x, "Api-Version", "1.41");
        http_add_header(x, "X-Foreign", "a\r\nSet-Cookie: b");
        http_reply(x, 200, "text/plain; charset=utf-8", STR("OK"));
    } else if (str_eqz(r->path, "/echo")) {
        http_read_body(x, 300000, echo, f);
    } else if (str_eqz(r->path, "/ignore")) {
        http_reply(x, 200, "text/plain", STR("ignored"));
    } else if (str_eqz(r->path, "/none")) {
        http_reply(x, 204, NULL, STR_NONE);
    } else if (str_eqz(r->path, "/big")) {
        char *p = arena_alloc(r->arena, 3u << 20);
        http_reply(x, 200, "text/plain", str_n(p, 3u << 20));
    } else if (str_eqz(r->path, "/chunks")) {
        http_stream_begin(x, 200, "text/plain");
        http_stream_write(x, STR("abc"));
        http_stream_write(x, STR("0123456789abcdef"));
        http_stream_end(x);
    } else if (str_eqz(r->path, "/uid")) {
        char *p = arena_printf(r->arena, "%u %d", r->peer_uid, r->peer_pid);
        http_reply(x, 200, "text/plain", str_of(p));
    } else if (str_eqz(r->path, "/fill")) {
        f->held = x;
        http_stream_begin(x, 200, "text/plain");
        http_stream_on_drain(x, fill, f);
        fill(f);
    } else {
        f->held = x;
        http_on_gone(x, hold_gone, f);
        if (str_eqz(r->path, "/stream"))
            http_stream_begin(x, 200, "text/plain");
        else if (str_eqz(r->path, "/stop"))
            http_server_stop(f->serve.server);
        if (str_eqz(r->path, "/later") || str_eqz(r->path, "/stop"))
            f->timer = timer_new(http_loop_of(x), 30 * 1000000, 0, later, f);
        else if (str_eqz(r->path, "/latebody"))
            f->timer = timer_new(http_loop_of(x), 30 * 1000000, 0, late_body, f);
    }
}

/* Waits until the handler has been called so often. */
static void wait_calls(struct fix *f, int want) {
    for (int i = 0; i < 5000 && __atomic_load_n(&f->calls, __ATOMIC_SEQ_CST) < want; i++)
        poll(NULL, 0, 2);
    assert_true(__atomic_load_n(&f->calls, __ATOMIC_SEQ_CST) >= want);
}

static struct fix *fix_new(void) {
    struct fix *f = NEW(struct fix);
    serve_start(&f->serve, handle, f);
    return f;
}
static void fix_free(struct fix *f) {
    serve_end(&f->serve);
    free(f);
}

/* Sends raw, half-closes, reads everything. */
static void ask(struct fix *f, const char *raw, size_t n, struct buf *out) {
    int fd = serve_dial(&f->serve);
    buf_clear(out);
    send_all(fd, raw, n);
    shutdown(fd, SHUT_WR);
    read_until(fd, NULL, out);
    close(fd);
}

#define H "HTTP/1.1\r\nHost: x\r\n"
#define ASK(raw) ask(f, raw, sizeof(raw) - 1, &out)
#define HAS(text) assert_non_null(strstr(buf_cstr(&out), text))
#define HAS_NOT(text) assert_null(strstr(buf_cstr(&out), text))

static int count(const struct buf *b, const char *text) {
    int n = 0;
    for (const char *p = buf_cstr(b); (p = strstr(p, text)); p++)
        n++;
    return n;
}

TEST(plain_answers) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    ASK("GET /_ping " H "\r\n");
    HAS("HTTP/1.1 200 OK\r\n");
    HAS("Server: test\r\n");
    HAS("Api-Version: 1.41\r\n");
    HAS("X-Foreign: a  Set-Cookie: b\r\n");
    HAS("Content-Type: text/plain; charset=utf-8\r\n");
    HAS("Content-Length: 2\r\n");
    HAS("\r\n\r\nOK");
    HAS_NOT("Connection:");
    ASK("HEAD /_ping " H "\r\n");
    HAS("Content-Length: 2\r\n");
    HAS_NOT("\r\n\r\nOK");
    ASK("GET /none " H "\r\n");
    HAS("HTTP/1.1 204 No Content\r\n");
    HAS_NOT("Content-Length");
    ASK("GET /_ping HTTP/1.0\r\n\r\n");
    HAS("HTTP/1.0 200 OK\r\n");
    HAS("Connection: close\r\n");
    ASK("GET /_ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /_ping HTTP/1.0\r\n\r\n");
    assert_int_equal(count(&out, "200 OK"), 2);
    HAS("Connection: keep-alive\r\n");
    ASK("GET /_ping " H "Connection: close\r\n\r\nGET /_ping " H "\r\n");
    assert_int_equal(count(&out, "200 OK"), 1);
    ASK("GET /uid " H "\r\n");
    char want[64];
    snprintf(want, sizeof(want), "\r\n\r\n%u %d", getuid(), getpid());
    HAS(want);
    fix_free(f);
}

TEST(pipelined_requests_are_answered_in_order) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0}, raw = {0};
    for (int i = 0; i < 500; i++) /* more than one round takes, in one piece */
        buf_addf(&raw, "POST /echo %sContent-Length: 4\r\n\r\n%04d%s", H, i,
                 i % 7 ? "" : "GET /later " H "\r\n");
    ask(f, raw.data, raw.len, &out);
    const char *p = buf_cstr(&out);
    for (int i = 0; i < 500; i++) {
        char want[16];
        snprintf(want, sizeof(want), "\r\n\r\n%04d", i);
        assert_non_null(p = strstr(p, want));
    }
    assert_int_equal(count(&out, "later"), 72);
    assert_int_equal(count(&out, "200 OK"), 572);
    fix_free(f);
}

TEST(bodies_are_read) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    ASK("POST /echo " H "Content-Length: 3\r\n\r\nabcGET /_ping " H "\r\n");
    HAS("\r\n\r\nabcHTTP/1.1");
    HAS("\r\n\r\nOK");
    ASK("POST /echo " H
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: x\r\n\r\n"
        "GET /_ping " H "\r\n");
    HAS("\r\n\r\nabcdeHTTP/1.1");
    HAS("\r\n\r\nOK");
    ASK("POST /echo " H "\r\n");
    HAS("Content-Length: 0\r\n");
    ASK("POST /latebody " H "Content-Length: 3\r\n\r\nabcGET /_ping " H "\r\n");
    HAS("\r\n\r\nabcHTTP/1.1");
    HAS("\r\n\r\nOK");
    ASK("POST /echo " H "Content-Length: 300001\r\n\r\n");
    HAS("HTTP/1.1 413 ");
    HAS("Connection: close\r\n");
    ASK("POST /echo " H "Transfer-Encoding: chunked\r\n\r\nzz\r\n");
    HAS("HTTP/1.1 400 ");
    CLEAN_BUF struct buf raw = {0};
    buf_adds(&raw, "POST /echo " H "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 31; i++) {
        buf_adds(&raw, "2710\r\n");
        memset(buf_room(&raw, 10000), 'x', 10000);
        buf_added(&raw, 10000);
        buf_adds(&raw, "\r\n");
    }
    buf_adds(&raw, "0\r\n\r\n");
    ask(f, raw.data, raw.len, &out);
    HAS("HTTP/1.1 413 ");
    fix_free(f);
}

TEST(expect_continue) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    int fd = serve_dial(&f->serve);
    const char ask100[] = "POST /echo " H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    send_all(fd, ask100, sizeof(ask100) - 1);
    read_until(fd, "100 Continue\r\n\r\n", &out);
    assert_string_equal(buf_cstr(&out), "HTTP/1.1 100 Continue\r\n\r\n");
    send_all(fd, "abc", 3);
    read_until(fd, "\r\n\r\nabc", &out);
    close(fd);
    /* not wanted: final answer, then close */
    ASK("POST /ignore " H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    HAS_NOT("100 Continue");
    HAS("Connection: close\r\n");
    HAS("\r\n\r\nignored");
    ASK("POST /ignore " H "Content-Length: 3\r\nExpect: something\r\n\r\n");
    HAS("HTTP/1.1 417 ");
    fix_free(f);
}

TEST(unread_bodies_are_dropped_or_end_the_connection) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0}, raw = {0};
    ASK("POST /ignore " H "Content-Length: 3\r\n\r\nabcGET /_ping " H "\r\n");
    HAS("ignoredHTTP/1.1");
    HAS("\r\n\r\nOK");
    ASK("POST /ignore " H "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /_ping " H
        "\r\n");
    HAS("\r\n\r\nOK");
    ASK("POST /ignore " H "Content-Length: 10000000\r\n\r\nabc");
    HAS("Connection: close\r\n");
    HAS("ignored");
    /* An endless body: the answer is still read, the connection ends. */
    buf_adds(&raw, "POST /ignore " H "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 100; i++) {
        buf_adds(&raw, "2710\r\n");
        memset(buf_room(&raw, 10000), 'x', 10000);
        buf_added(&raw, 10000);
        buf_adds(&raw, "\r\n");
    }
    buf_adds(&raw, "0\r\n\r\nGET /_ping " H "\r\n");
    ask(f, raw.data, raw.len, &out);
    HAS("ignored");
    HAS_NOT("\r\n\r\nOK");
    fix_free(f);
}

TEST(streams) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    ASK("GET /chunks " H "\r\nGET /_ping " H "\r\n");
    HAS("Transfer-Encoding: chunked\r\n");
    HAS("\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\nHTTP/1.1 200");
    ASK("GET /chunks HTTP/1.0\r\n\r\n");
    HAS_NOT("Transfer-Encoding");
    HAS("\r\n\r\nabc0123456789abcdef");
    ASK("HEAD /chunks " H "\r\nGET /_ping " H "\r\n");
    HAS_NOT("abc");
    HAS("\r\n\r\nOK");
    /* A slow reader: the writer is told to stall, and called when there is room. */
    int fd = serve_dial(&f->serve);
    const char get[] = "GET /fill " H "Connection: close\r\n\r\n";
    int calls = __atomic_load_n(&f->calls, __ATOMIC_SEQ_CST);
    send_all(fd, get, sizeof(get) - 1);
    wait_calls(f, calls + 1);
    poll(NULL, 0, 50);
    assert_int_equal(__atomic_load_n(&f->drained, __ATOMIC_SEQ_CST), 1);
    buf_clear(&out);
    read_until(fd, NULL, &out);
    assert_int_equal(__atomic_load_n(&f->drained, __ATOMIC_SEQ_CST), 5);
    assert_true(out.len > (3u << 20));
    assert_true(str_ends(buf_str(&out), STR("\r\n0\r\n\r\n")));
    close(fd);
    fix_free(f);
}

TEST(half_closed_client_gets_a_big_answer) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    ASK("GET /big HTTP/1.0\r\n\r\n");
    assert_true(out.len > (3u << 20));
    ASK("GET /big " H "\r\nGET /_ping " H "\r\n");
    assert_true(out.len > (3u << 20));
    assert_true(str_ends(buf_str(&out), STR("\r\n\r\nOK")));
    fix_free(f);
}

static void wait_gone(struct fix *f, int want) {
    for (int i = 0; i < 5000 && __atomic_load_n(&f->gone, __ATOMIC_SEQ_CST) < want; i++)
        poll(NULL, 0, 2);
    assert_int_equal(__atomic_load_n(&f->gone, __ATOMIC_SEQ_CST), want);
}

static int open_request(struct fix *f, const char *raw) {
    int fd = serve_dial(&f->serve);
    send_all(fd, raw, strlen(raw));
    poll(NULL, 0, 50);
    return fd;
}

TEST(gone_clients_are_noticed) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    /* closes while the answer is prepared, with and without unread bytes */
    close(open_request(f, "GET /hold " H "\r\n"));
    wait_gone(f, 1);
    close(open_request(f, "POST /hold " H "\r\nearly bytes"));
    wait_gone(f, 2);
    /* half-close: a POST may still want its answer, its end is noticed after all */
    int fd = open_request(f, "POST /hold " H "\r\n");
    shutdown(fd, SHUT_WR);
    poll(NULL, 0, 50);
    assert_int_equal(__atomic_load_n(&f->gone, __ATOMIC_SEQ_CST), 2);
    close(fd);
    wait_gone(f, 3);
    /* ... but a streaming GET counts as gone */
    fd = open_request(f, "GET /stream " H "\r\n");
    read_until(fd, "\r\n\r\n", &out);
    shutdown(fd, SHUT_WR);
    wait_gone(f, 4);
    read_until(fd, NULL, &out);
    close(fd);
    /* the answer of a half-closed GET that does not stream comes */
    ASK("GET /later " H "\r\n");
    HAS("later");
    /* a body that ends too early */
    ASK("POST /latebody " H "Content-Length: 10\r\n\r\nabc");
    assert_int_equal(out.len, 0);
    wait_gone(f, 5);
    fix_free(f);
}

TEST(a_waiting_half_closed_client_costs_no_cpu) {
    struct fix *f = fix_new();
    int fd = open_request(f, "POST /hold " H "\r\nunread");
    shutdown(fd, SHUT_WR);
    poll(NULL, 0, 20);
    clockid_t clock;
    struct timespec a, b;
    assert_int_equal(pthread_getcpuclockid(f->serve.thread, &clock), 0);
    clock_gettime(clock, &a);
    poll(NULL, 0, 200);
    clock_gettime(clock, &b);
    assert_true((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec < 20000000);
    close(fd);
    wait_gone(f, 1);
    fix_free(f);
}

TEST(bad_requests_are_answered_and_closed) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    ASK("GET / HTTP/1.1\r\n\r\nGET /_ping " H "\r\n");
    HAS("HTTP/1.1 400 Bad Request\r\n");
    HAS("Connection: close\r\n");
    HAS("{\"message\":\"Bad Request\"}\n");
    HAS_NOT("200 OK");
    ASK("GET /../etc " H "\r\n");
    HAS("HTTP/1.1 400 ");
    ASK("\x16\x03\x01 hello");
    HAS("HTTP/1.1 400 ");
    ASK("GET /_ping " H "\r\nnonsense\r\n\r\n");
    HAS("HTTP/1.1 200 OK");
    HAS("HTTP/1.1 400 ");
    ASK("GET /_pi");
    assert_int_equal(out.len, 0);
    fix_free(f);
}

TEST(heads_in_single_bytes_and_long_ones) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0}, raw = {0};
    int fd = serve_dial(&f->serve);
    const char get[] = "POST /echo " H "Content-Length: 3\r\n\r\nabc";
    for (size_t i = 0; i < sizeof(get) - 1; i++) {
        send_all(fd, get + i, 1);
        if (i % 8 == 0)
            poll(NULL, 0, 1);
    }
    read_until(fd, "\r\n\r\nabc", &out);
    close(fd);
    buf_adds(&raw, "GET /_ping?");
    for (int i = 0; i < 900000; i++)
        buf_addc(&raw, 'q');
    buf_adds(&raw, " " H "\r\n");
    ask(f, raw.data, raw.len, &out);
    HAS("200 OK");
    buf_clear(&raw);
    for (int i = 0; i < 1100000; i++)
        buf_addc(&raw, 'q');
    ask(f, raw.data, raw.len, &out);
    HAS("HTTP/1.1 431 ");
    fix_free(f);
}

TEST(out_of_descriptors_clients_wait) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    struct rlimit old, low;
    int fds[8];
    for (int i = 0; i < 8; i++)
        fds[i] = serve_dial(&f->serve);
    int more = serve_dial(&f->serve), spare = serve_dial(&f->serve);
    /* Accepted in order: when the last one is answered, all are there. */
    send_all(spare, "GET /_ping " H "\r\n", sizeof("GET /_ping " H "\r\n") - 1);
    read_until(spare, "OK", &out);
    buf_clear(&out);
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    close(spare); /* sockets for the test's side exist, the server may take no more */
    int unaccepted = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;
    low.rlim_cur = 3;
    assert_int_equal(fstat(unaccepted, &st), 0);
    setrlimit(RLIMIT_NOFILE, &low);
    struct sockaddr_un {
        sa_family_t family;
        char path[108];
    } a = {.family = AF_UNIX};
    snprintf(a.path, sizeof(a.path), "%s", f->serve.path);
    assert_int_equal(connect(unaccepted, (struct sockaddr *)&a, sizeof(a)), 0);
    send_all(unaccepted, "GET /_ping " H "\r\n", sizeof("GET /_ping " H "\r\n") - 1);
    struct pollfd p = {.fd = unaccepted, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 150), 0); /* waits in the backlog */
    send_all(more, "GET /_ping " H "\r\n", sizeof("GET /_ping " H "\r\n") - 1);
    read_until(more, "OK", &out); /* the others are served */
    setrlimit(RLIMIT_NOFILE, &old);
    buf_clear(&out);
    read_until(unaccepted, "\r\n\r\nOK", &out);
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    close(more), close(unaccepted);
    fix_free(f);
}

TEST(stopping_lets_busy_ones_finish_and_leaks_nothing) {
    loop_free(loop_new());
    int before = count_fds();
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    int idle = serve_dial(&f->serve);
    poll(NULL, 0, 20);
    int busy = serve_dial(&f->serve);
    send_all(busy, "GET /stop " H "\r\n", sizeof("GET /stop " H "\r\n") - 1);
    read_until(idle, NULL, &out);
    assert_int_equal(out.len, 0);
    read_until(busy, NULL, &out);
    HAS("later");
    HAS("Connection: close\r\n");
    int refused;
    assert_err(unix_dial(AT_FDCWD, f->serve.path, SOCK_STREAM, &refused), ERR_NOT_FOUND);
    close(idle), close(busy);
    fix_free(f);
    f = fix_new();
    int held = serve_dial(&f->serve); /* still open at the end */
    send_all(held, "GET /hold " H "\r\n", sizeof("GET /hold " H "\r\n") - 1);
    wait_calls(f, 1);
    fix_free(f);
    close(held);
    assert_int_equal(count_fds(), before);
}

TEST(socket_modes_and_stale_sockets) {
    char dir[] = "/tmp/corten-unit-http-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    int fd, fd2;
    struct stat st;
    assert_ok(http_listen_unix(path, 0660, (gid_t)-1, &fd));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    assert_err(http_listen_unix(path, 0660, (gid_t)-1, &fd2), ERR_CONFLICT);
    close(fd);
    assert_ok(http_listen_unix(path, 0660, (gid_t)-1, &fd2));
    close(fd2);
    unlink(path);
    rmdir(dir);
}
