#include "test.h"

#include "serve.h"

#include "http/body.h"
#include "http/client.h"
#include <errno.h>

/* --- a server of ours ------------------------------------------------------------------------ */

static void echo(void *arg, struct http_exchange *x, struct str body) {
    (void)arg;
    http_add_header(x, "X-Length", "some");
    http_reply(x, 200, "application/octet-stream", body);
}

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    int *calls = arg;
    __atomic_add_fetch(calls, 1, __ATOMIC_SEQ_CST);
    if (str_eqz(r->path, "/echo")) {
        http_read_body(x, 4u << 20, echo, NULL);
    } else if (str_eqz(r->path, "/none")) {
        http_reply(x, 204, NULL, STR_NONE);
    } else if (str_eqz(r->path, "/chunks")) {
        http_stream_begin(x, 200, "text/plain");
        for (int i = 0; i < 1000; i++)
            http_stream_write(x, STR("0123456789"));
        http_stream_end(x);
    } else if (str_eqz(r->path, "/host")) {
        http_reply(x, 200, "text/plain", http_header_get(r, "host"));
    } else if (str_eqz(r->path, "/vanish")) {
        http_abort(x);
    } else if (str_eqz(r->path, "/refuse")) {
        http_reply(x, 409, "application/json", STR("{\"message\":\"no\"}"));
    } else {
        /* hijacked: the test writes both ends here */
        struct http_taken t;
        CLEAN_BUF struct buf b = {0};
        http_take(x, &t);
        http_hijack_head(&b, t.upgrade, "application/vnd.docker.raw-stream");
        buf_adds(&b, "early output");
        send_all(t.fd, b.data, b.len);
        send_all(t.fd, t.early.data, t.early.len);
        http_taken_done(&t);
    }
}

struct fix {
    struct serve serve;
    struct http_client *client;
    int calls;
    char host[128];
};
static struct fix *fix_new(void) {
    struct fix *f = NEW(struct fix);
    serve_start(&f->serve, handle, &f->calls);
    snprintf(f->host, sizeof(f->host), "unix://%s", f->serve.path);
    assert_ok(http_dial(f->host, &f->client));
    return f;
}
static void fix_free(struct fix *f) {
    http_client_free(f->client);
    serve_end(&f->serve);
    free(f);
}

static int call(struct fix *f, const struct http_call *c, struct buf *out) {
    struct http_answer a;
    assert_ok(http_call(f->client, c, &a));
    int status = a.status;
    assert_ok(http_call_read_all(f->client, 8u << 20, out));
    http_answer_done(&a);
    return status;
}

TEST(calls_share_a_connection) {
    struct fix *f = fix_new();
    int fd = http_client_fd(f->client);
    for (int i = 0; i < 50; i++) {
        CLEAN_BUF struct buf out = {0};
        assert_int_equal(call(f, &(struct http_call){"POST", "/echo", .body = STR("hello")}, &out),
                         200);
        assert_string_equal(buf_cstr(&out), "hello");
        buf_clear(&out);
        assert_int_equal(call(f, &(struct http_call){"GET", "/chunks"}, &out), 200);
        assert_int_equal(out.len, 10000);
        struct http_answer a; /* a 204 need not be read */
        assert_ok(http_call(f->client, &(struct http_call){"POST", "/none"}, &a));
        assert_int_equal(a.status, 204);
        http_answer_done(&a);
        assert_ok(http_call(f->client, &(struct http_call){"HEAD", "/host"}, &a));
        assert_true(str_eqz(http_answer_header(&a, "content-length"), "9"));
        http_answer_done(&a);
        buf_clear(&out);
        assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
        assert_string_equal(buf_cstr(&out), "localhost");
        assert_int_equal(http_client_fd(f->client), fd);
    }
    fix_free(f);
}

struct pour {
    size_t left;
    int fail_at_end;
};
static ssize_t pour(void *arg, void *p, size_t n) {
    struct pour *s = arg;
    if (s->left == 0)
        return s->fail_at_end;
    n = MIN(MIN(n, s->left), (size_t)7777);
    memset(p, 'p', n);
    s->left -= n;
    return (ssize_t)n;
}

TEST(streamed_and_big_bodies) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0}, big = {0};
    struct pour s = {.left = 1234567};
    assert_int_equal(
        call(f, &(struct http_call){"POST", "/echo", .body_read = pour, .body_arg = &s}, &out),
        200);
    assert_int_equal(out.len, 1234567);
    memset(buf_room(&big, 3u << 20), 'b', 3u << 20);
    buf_added(&big, 3u << 20);
    buf_clear(&out);
    assert_int_equal(call(f, &(struct http_call){"POST", "/echo", .body = buf_str(&big)}, &out),
                     200);
    assert_true(str_eq(buf_str(&out), buf_str(&big)));
    /* refused early, while we are still sending */
    s = (struct pour){.left = 50u << 20};
    buf_clear(&out);
    assert_int_equal(
        call(f, &(struct http_call){"POST", "/echo", .body_read = pour, .body_arg = &s}, &out),
        413);
    s = (struct pour){.left = 50u << 20};
    buf_clear(&out);
    assert_int_equal(
        call(f, &(struct http_call){"POST", "/refuse", .body_read = pour, .body_arg = &s}, &out),
        409);
    assert_string_equal(buf_cstr(&out), "{\"message\":\"no\"}");
    struct http_answer a;
    s = (struct pour){.left = 10, .fail_at_end = -EIO};
    assert_err(http_call(f->client,
                         &(struct http_call){"POST", "/echo", .body_read = pour, .body_arg = &s},
                         &a),
               ERR_SYSTEM);
    buf_clear(&out);
    assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
    fix_free(f);
}

TEST(lost_connections) {
    struct fix *f = fix_new();
    CLEAN_BUF struct buf out = {0};
    struct http_answer a;
    assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
    int before = __atomic_load_n(&f->calls, __ATOMIC_SEQ_CST);
    /* a kept connection: tried once more, then told */
    assert_err(http_call(f->client, &(struct http_call){"GET", "/vanish"}, &a), ERR_UNAVAILABLE);
    assert_int_equal(__atomic_load_n(&f->calls, __ATOMIC_SEQ_CST) - before, 2);
    assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
    /* an answer that was not read does not get in the way of the next one */
    assert_ok(http_call(f->client, &(struct http_call){"GET", "/chunks"}, &a));
    http_answer_done(&a);
    buf_clear(&out);
    assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
    assert_string_equal(buf_cstr(&out), "localhost");
    assert_ok(http_call(f->client, &(struct http_call){"GET", "/chunks"}, &a));
    http_answer_done(&a);
    assert_err(http_call_read_all(f->client, 100, &out), ERR_INVALID);
    fix_free(f);
}

TEST(hijack_by_101_and_200) {
    struct fix *f = fix_new();
    for (int upgrade = 0; upgrade < 2; upgrade++) {
        CLEAN_BUF struct buf out = {0};
        struct http_answer a;
        assert_ok(http_call(f->client,
                            &(struct http_call){"POST", "/attach", .upgrade = upgrade == 1}, &a));
        assert_int_equal(a.status, upgrade ? 101 : 200);
        assert_string_equal(a.content_type, "application/vnd.docker.raw-stream");
        assert_int_equal(a.upgraded, upgrade == 1);
        http_answer_done(&a);
        if (upgrade) {
            CLEAN_FD
            int fd = http_client_hijack(f->client, &out);
            read_until(fd, NULL, &out);
        } else {
            assert_ok(http_call_read_all(f->client, 1000, &out));
        }
        assert_string_equal(buf_cstr(&out), "early output");
    }
    CLEAN_BUF struct buf out = {0};
    assert_int_equal(call(f, &(struct http_call){"GET", "/host"}, &out), 200);
    fix_free(f);
}

TEST(nobody_listens) {
    struct http_client *c;
    CLEAN_ERR struct err e = http_dial("unix:///nonexistent/socket", &c);
    assert_int_equal(err_kind(e), ERR_UNAVAILABLE);
    assert_string_equal(err_msg(e),
                        "Cannot connect to the Docker daemon at unix:///nonexistent/socket."
                        " Is the docker daemon running?");
    assert_err(http_dial("tcp://127.0.0.1:1", &c), ERR_UNAVAILABLE);
    assert_err(http_dial("tcp://127.0.0.1", &c), ERR_INVALID);
    assert_err(http_dial("tcp://127.0.0.1:99999", &c), ERR_INVALID);
    assert_err(http_dial("ssh://host", &c), ERR_UNSUPPORTED);
    assert_err(http_dial("unix://", &c), ERR_INVALID);
}

/* --- a server that says what it is told ------------------------------------------------------ */

struct script {
    int listen;
    const char *text;
};
static void *say(void *arg) {
    struct script *s = arg;
    char drop[4096];
    int fd = accept4(s->listen, NULL, NULL, SOCK_CLOEXEC);
    if (recv(fd, drop, sizeof(drop), 0) > 0)
        send_all(fd, s->text, strlen(s->text));
    close(fd);
    return NULL;
}

/* The answer's kind and body, or the error's kind. */
static struct err scripted(const char *text, struct buf *out) {
    char dir[] = "/tmp/corten-unit-http-XXXXXX", path[64], host[80];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
    snprintf(host, sizeof(host), "unix://%s", path);
    struct script s = {.text = text};
    pthread_t th;
    struct http_client *c;
    struct http_answer a = {0};
    assert_ok(http_listen_unix(path, 0660, (gid_t)-1, &s.listen));
    fcntl(s.listen, F_SETFL, 0);
    pthread_create(&th, NULL, say, &s);
    assert_ok(http_dial(host, &c));
    buf_clear(out);
    struct err e = http_call(c, &(struct http_call){"GET", "/"}, &a);
    if (!err_failed(e))
        e = http_call_read_all(c, 1000, out);
    http_answer_done(&a);
    http_client_free(c);
    pthread_join(th, NULL);
    close(s.listen);
    unlink(path);
    rmdir(dir);
    return e;
}

TEST(answers_of_all_kinds) {
    CLEAN_BUF struct buf out = {0};
    assert_ok(scripted(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokXX", &out));
    assert_string_equal(buf_cstr(&out), "ok");
    assert_ok(scripted("HTTP/1.0 200 OK\r\n\r\nuntil close", &out));
    assert_string_equal(buf_cstr(&out), "until close");
    assert_ok(scripted("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
                       &out));
    assert_string_equal(buf_cstr(&out), "ok");
    assert_err(scripted("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", &out), ERR_SYSTEM);
    assert_err(scripted("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", &out),
               ERR_SYSTEM);
    assert_err(scripted("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx", &out),
               ERR_SYSTEM);
    assert_err(scripted("HTTP/1.1 101 Surprise\r\n\r\n", &out), ERR_SYSTEM);
    assert_err(scripted("HTTP/1.1 200 OK\nContent-Length: 0\n\n", &out), ERR_SYSTEM);
    assert_err(scripted("HTTP/1.1 200 O", &out), ERR_SYSTEM);
    assert_err(scripted("SSH-2.0-OpenSSH\r\n", &out), ERR_SYSTEM);
    CLEAN_BUF struct buf many = {0};
    for (int i = 0; i < 100; i++)
        buf_adds(&many, "HTTP/1.1 102 Processing\r\n\r\n");
    assert_err(scripted(buf_cstr(&many), &out), ERR_SYSTEM);
}

/* --- bodies that somebody else reads --------------------------------------------------------- */

static void body_case(enum http_framing framing, size_t early_n, size_t step) {
    int sv[2];
    CLEAN_BUF struct buf raw = {0}, want = {0}, got = {0}, packed = {0};
    for (int i = 0; i < 20000; i++)
        buf_addc(&want, (char)(i * 31 + i / 256));
    if (framing == HTTP_BODY_CHUNKED) {
        for (size_t at = 0; at < want.len; at += 999) {
            struct str piece = str_sub(buf_str(&want), at, at + 999);
            buf_addf(&raw, "%zx\r\n", piece.len);
            buf_add_str(&raw, piece);
            buf_adds(&raw, "\r\n");
        }
        buf_adds(&raw, "0\r\n\r\n");
    } else {
        buf_add_str(&raw, buf_str(&want));
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    struct http_body_state state = {.framing = framing, .remaining = want.len}, state2;
    struct str early = str_sub(buf_str(&raw), 0, early_n), early2;
    http_body_pack(&state, early, &packed);
    assert_ok(http_body_unpack(buf_str(&packed), &state2, &early2));
    struct http_body *b = http_body_new(sv[0], &state2, early2);
    struct str rest = str_from(buf_str(&raw), MIN(early_n, raw.len));
    send_all(sv[1], rest.p, rest.len);
    if (framing == HTTP_BODY_LENGTH)
        send_all(sv[1], "GET", 3); /* never read past the end */
    ssize_t n;
    while ((n = http_body_read(b, buf_room(&got, step), step)) > 0)
        buf_added(&got, (size_t)n);
    assert_int_equal(n, 0);
    assert_true(http_body_ended(b));
    assert_true(str_eq(buf_str(&got), buf_str(&want)));
    if (framing == HTTP_BODY_LENGTH) {
        char c[4] = "";
        assert_int_equal(read(sv[0], c, 3), 3);
        assert_string_equal(c, "GET");
    }
    http_body_free(b);
    close(sv[0]), close(sv[1]);
}

TEST(bodies_go_on_elsewhere) {
    size_t early[] = {0, 1, 3, 1001, 15000, 1u << 20}, step[] = {1, 7, 4096, 100000};
    for (size_t i = 0; i < ARRAY_LEN(early); i++)
        for (size_t k = 0; k < ARRAY_LEN(step); k++) {
            body_case(HTTP_BODY_LENGTH, early[i], step[k]);
            body_case(HTTP_BODY_CHUNKED, early[i], step[k]);
        }
}

TEST(bodies_cut_short_and_badly_framed) {
    int sv[2];
    char p[100];
    struct http_body_state chunked = {.framing = HTTP_BODY_CHUNKED},
                           length = {.framing = HTTP_BODY_LENGTH, .remaining = 10};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    shutdown(sv[1], SHUT_WR);
    struct http_body *b = http_body_new(sv[0], &length, STR("abc"));
    assert_int_equal(http_body_read(b, p, sizeof(p)), 3);
    assert_int_equal(http_body_read(b, p, sizeof(p)), -ECONNRESET);
    http_body_free(b);
    b = http_body_new(sv[0], &chunked, STR("3\r\nabc\r\nzz"));
    assert_int_equal(http_body_read(b, p, sizeof(p)), -EPROTO);
    assert_int_equal(http_body_read(b, p, sizeof(p)), -EPROTO);
    http_body_free(b);
    struct http_body_state none = {.framing = HTTP_BODY_NONE};
    b = http_body_new(sv[0], &none, STR_NONE);
    assert_int_equal(http_body_read(b, p, sizeof(p)), 0);
    http_body_free(b);
    close(sv[0]), close(sv[1]);
}

TEST(continue_is_said_by_the_new_owner) {
    int sv[2];
    char p[100];
    struct http_body_state s = {
        .framing = HTTP_BODY_LENGTH, .remaining = 3, .expects_continue = true};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    struct http_body *b = http_body_new(sv[0], &s, STR_NONE);
    send_all(sv[1], "abc", 3);
    assert_int_equal(http_body_read(b, p, sizeof(p)), 3);
    assert_int_equal(http_answer_begin(sv[0], 200, "text/plain", "A: b\r\n"), 0);
    assert_int_equal(http_answer_write(sv[0], STR("0123456789abcdef")), 0);
    assert_int_equal(http_answer_write(sv[0], STR_NONE), 0);
    assert_int_equal(http_answer_end(sv[0]), 0);
    http_body_free(b);
    close(sv[0]);
    CLEAN_BUF struct buf out = {0};
    read_until(sv[1], NULL, &out);
    assert_string_equal(
        buf_cstr(&out),
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nA: b\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        "10\r\n0123456789abcdef\r\n0\r\n\r\n");
    close(sv[1]);
}

TEST(packed_state_is_checked) {
    struct http_body_state s = {.framing = HTTP_BODY_CHUNKED}, s2;
    struct str early;
    CLEAN_BUF struct buf p = {0};
    http_body_pack(&s, STR("early"), &p);
    for (size_t n = 0; n < p.len; n++)
        assert_err(http_body_unpack(str_n(p.data, n), &s2, &early), ERR_INVALID);
    p.data[16 + 12] = 99; /* state of the decoder */
    assert_err(http_body_unpack(buf_str(&p), &s2, &early), ERR_INVALID);
}
