/* Calls against a scripted peer: what is sent, what is made of the answers. */
#include "client/client.h"
#include "test.h"
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Answers one request per line of the script, on as many connections as come. */
struct peer {
    char dir[32], host[80], path[64];
    int listener;
    const char *const *answers;
    size_t n;
    pthread_t thread;
    char heads[8][512]; /* first line of each request, then its body */
    char bodies[8][512];
};

static bool request_read(int fd, char *head, char *body) {
    char all[8192] = "";
    size_t n = 0;
    char *end;
    while (!(end = strstr(all, "\r\n\r\n"))) {
        ssize_t k = read(fd, all + n, sizeof(all) - 1 - n);
        if (k <= 0)
            return false;
        n += (size_t)k;
    }
    size_t length = 0;
    char *cl = strcasestr(all, "content-length:");
    if (cl && cl < end)
        length = (size_t)strtoul(cl + 15, NULL, 10);
    while (n < (size_t)(end + 4 - all) + length) {
        ssize_t k = read(fd, all + n, sizeof(all) - 1 - n);
        if (k <= 0)
            return false;
        n += (size_t)k;
    }
    snprintf(head, 512, "%.*s", (int)strcspn(all, "\r"), all);
    snprintf(body, 512, "%.*s", (int)length, end + 4);
    return true;
}

static void *peer_run(void *arg) {
    struct peer *p = arg;
    size_t i = 0;
    while (i < p->n) {
        int fd = accept(p->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        while (i < p->n && request_read(fd, p->heads[i], p->bodies[i])) {
            const char *a = p->answers[i++];
            if (write(fd, a, strlen(a)) < 0)
                break;
            if (strstr(a, "Connection: close") || strstr(a, " 101 "))
                break;
        }
        close(fd);
    }
    return NULL;
}

static void peer_start(struct peer *p, const char *const *answers, size_t n) {
    *p = (struct peer){.dir = "/tmp/corten-client-XXXXXX", .answers = answers, .n = n};
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof(p->path), "%s/s", p->dir);
    snprintf(p->host, sizeof(p->host), "unix://%s", p->path);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, p->path, strlen(p->path) + 1);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(p->listener, 5), 0);
    assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}
static void peer_stop(struct peer *p) {
    shutdown(p->listener, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->listener);
    unlink(p->path);
    rmdir(p->dir);
}

#define PING "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 2\r\n\r\nOK"

TEST(version_is_negotiated_and_used) {
    static const char *const answers[] = {
        PING, "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 26\r\n\r\n"
              "{\"Id\":\"abc\",\"Warnings\":[]}"};
    struct peer p;
    CLEAN_ARENA struct arena a = {0};
    peer_start(&p, answers, 2);
    struct client *c;
    assert_ok(client_open(p.host, &c));
    assert_int_equal(client_minor(c), 44);
    struct api_container_create in = {.config.image = (char *)"i"};
    struct api_container_created out;
    assert_ok(client_container_create(c, "a b", NULL, &in, &a, &out));
    assert_string_equal(out.id, "abc");
    client_close(c);
    peer_stop(&p);
    assert_string_equal(p.heads[1], "POST /v1.44/containers/create?name=a%20b HTTP/1.1");
    assert_non_null(strstr(p.bodies[1], "\"Image\":\"i\""));
}

TEST(error_bodies_become_errors) {
    static const char *const answers[] = {
        PING,
        "HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n{\"message\":\"No such image: x\"}\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nplain", "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"};
    struct peer p;
    CLEAN_ARENA struct arena a = {0};
    peer_start(&p, answers, 5);
    struct client *c;
    struct api_image image;
    assert_ok(client_open(p.host, &c));
    struct err e = client_image_inspect(c, "x", &a, &image);
    assert_int_equal(err_kind(e), ERR_NOT_FOUND);
    assert_string_equal(err_msg(e), "No such image: x");
    err_free(e);
    e = client_container_remove(c, "x", true, true);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    assert_string_equal(err_msg(e), "plain");
    err_free(e);
    assert_ok(client_container_start(c, "x", NULL)); /* it runs already */
    assert_err(client_container_start(c, "x", NULL), ERR_CONFLICT);
    client_close(c);
    peer_stop(&p);
    assert_string_equal(p.heads[2], "DELETE /v1.44/containers/x?force=1&v=1 HTTP/1.1");
}

static struct err count(void *arg, const struct api_message *m) {
    int *n = arg;
    *n += m->status != NULL;
    return OK;
}

TEST(progress_streams) {
    static const char *const answers[] = {
        PING,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"status\":\"one\"}\n{\r\n"
        "11\r\n\"status\":\"two\"}\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n{\"status\":\"a\"}\n"
        "{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}   \n\n\n"};
    struct peer p;
    peer_start(&p, answers, 3);
    struct client *c;
    int n = 0;
    assert_ok(client_open(p.host, &c));
    assert_ok(client_image_pull(c, "x:1", "token", NULL, count, &n));
    assert_int_equal(n, 2);
    struct err e = client_image_pull(c, "x:1", NULL, NULL, count, &n);
    assert_string_equal(err_msg(e), "no");
    err_free(e);
    assert_err(client_image_pull(c, "x", "a\r\nb", NULL, count, &n), ERR_INVALID);
    client_close(c);
    peer_stop(&p);
    assert_string_equal(p.heads[1], "POST /v1.44/images/create?fromImage=x%3A1 HTTP/1.1");
}

TEST(frames_of_a_stream) {
    int sv[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    static const char bytes[] = "\1\0\0\0\0\0\0\5hello\2\0\0\0\0\0\0\0\2\0\0\0\0\0\0\3err";
    assert_int_equal(write(sv[1], bytes, sizeof(bytes) - 1), sizeof(bytes) - 1);
    close(sv[1]);
    struct client_stream s = {.fd = sv[0]};
    char p[16];
    int which;
    assert_int_equal(client_stream_read(&s, p, 3, &which), 3);
    assert_int_equal(which, 1);
    assert_int_equal(client_stream_read(&s, p, 16, &which), 2);
    assert_int_equal(client_stream_read(&s, p, 16, &which), 3);
    assert_int_equal(which, 2);
    assert_memory_equal(p, "err", 3);
    assert_int_equal(client_stream_read(&s, p, 16, &which), 0);
    client_stream_done(&s);
}

TEST(broken_frames) {
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {{"\1\0\0\0\0\0\0\5hel", 11}, {"\1\0\0", 3}, {"\11\0\0\0\0\0\0\1x", 9}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int sv[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
        assert_int_equal(write(sv[1], bad[i].bytes, bad[i].n), (ssize_t)bad[i].n);
        close(sv[1]);
        struct client_stream s = {.fd = sv[0]};
        char p[16];
        int which;
        ssize_t n;
        while ((n = client_stream_read(&s, p, 16, &which)) > 0)
            ;
        assert_int_equal(n, -EPROTO);
        client_stream_done(&s);
    }
}

TEST(versions_that_do_not_fit) {
    static const char *const old[] = {
        "HTTP/1.1 200 OK\r\nApi-Version: 1.12\r\nContent-Length: 0\r\n\r\n"};
    static const char *const none[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    static const char *const newer[] = {
        "HTTP/1.1 200 OK\r\nApi-Version: 1.99\r\nContent-Length: 0\r\n\r\n"};
    struct peer p;
    struct client *c;
    peer_start(&p, old, 1);
    assert_err(client_open(p.host, &c), ERR_UNSUPPORTED);
    peer_stop(&p);
    peer_start(&p, none, 1);
    assert_err(client_open(p.host, &c), ERR_INVALID);
    peer_stop(&p);
    peer_start(&p, newer, 1);
    assert_ok(client_open(p.host, &c));
    assert_int_equal(client_minor(c), CLIENT_MINOR);
    client_close(c);
    peer_stop(&p);
    assert_err(client_open("unix:///nowhere/at/all", &c), ERR_UNAVAILABLE);
}
