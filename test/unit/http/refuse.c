/* http/refuse.c: a socket that was taken for nothing is kept until the client has the answer. */
#include "test.h"

#include "serve.h"

#define BODY (4u << 20) /* more than the sockets hold */

static void handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    struct loop *l = http_loop_of(x);
    struct http_taken t;
    (void)arg, (void)r;
    http_take(x, &t);
    CLEAN_ERR struct err e = err_new(ERR_CONFLICT, "not now");
    http_taken_refuse(l, &t, e);
    assert_int_equal(t.fd, -1);
}

static int dial(struct serve *s, const char *method, unsigned length) {
    CLEAN_BUF struct buf head = {0};
    int fd = serve_dial(s);
    buf_addf(&head, "%s / HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", method, length);
    send_all(fd, head.data, head.len);
    return fd;
}

TEST(who_is_still_sending_gets_the_answer) {
    struct serve s;
    serve_start(&s, handle, NULL);
    int fd = dial(&s, "PUT", BODY);
    usleep(50000); /* the refusal is out long before the body */
    char *body = mem_alloc(BODY);
    for (size_t sent = 0; sent < BODY;) { /* no write may fail: a client stops reading then */
        ssize_t n = send(fd, body + sent, BODY - sent, MSG_NOSIGNAL);
        assert_true(n > 0);
        sent += (size_t)n;
    }
    free(body);
    CLEAN_BUF struct buf answer = {0};
    read_until(fd, NULL, &answer);
    assert_non_null(strstr(buf_cstr(&answer), "HTTP/1.1 409 Conflict\r\n"));
    assert_non_null(strstr(buf_cstr(&answer), "\r\n\r\n{\"message\":\"not now\"}\n"));
    close(fd);
    serve_end(&s);
}

TEST(an_answer_to_HEAD_has_no_body) {
    struct serve s;
    serve_start(&s, handle, NULL);
    int fd = dial(&s, "HEAD", 0);
    CLEAN_BUF struct buf answer = {0};
    read_until(fd, NULL, &answer);
    assert_non_null(strstr(buf_cstr(&answer), "HTTP/1.1 409 Conflict\r\n"));
    assert_null(strstr(buf_cstr(&answer), "message"));
    close(fd);
    serve_end(&s);
}

/* The sanitizers see what is left; the loop would abort with a watcher left. */
TEST(the_loop_ends_what_is_left) {
    struct serve s;
    serve_start(&s, handle, NULL); /* the first loop of a process opens what stays */
    serve_end(&s);
    int before = count_fds();
    serve_start(&s, handle, NULL);
    int fd = dial(&s, "PUT", BODY);
    CLEAN_BUF struct buf answer = {0};
    read_until(fd, "not now", &answer);
    serve_end(&s);
    assert_int_equal(recv(fd, &(char){0}, 1, 0), 0);
    close(fd);
    assert_int_equal(count_fds(), before);
}
