/* serve.h - a server on a loop in a thread of its own, for tests of both ends of HTTP. */
#pragma once
#include "base/file.h"
#include "base/mem.h"
#include "http/http.h"
#include "loop/unix.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct serve {
    struct loop *loop;
    struct http_server *server;
    http_handler *fn;
    void *arg;
    pthread_t thread;
    char dir[64], path[80];
    bool stop_only;
};

static inline void *serve_thread(void *arg) {
    struct serve *s = arg;
    loop_run(s->loop);
    http_server_free(s->server);
    loop_free(s->loop);
    return NULL;
}

static inline void serve_start(struct serve *s, http_handler *fn, void *arg) {
    int fd;
    *s = (struct serve){.fn = fn, .arg = arg};
    snprintf(s->dir, sizeof(s->dir), "/tmp/corten-unit-http-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof(s->path), "%s/socket", s->dir);
    assert_ok(http_listen_unix(s->path, 0660, (gid_t)-1, &fd));
    s->loop = loop_new();
    s->server = http_server_new(s->loop, fd, fn, arg);
    http_server_set_common_headers(s->server, "Server: test\r\n");
    assert_int_equal(pthread_create(&s->thread, NULL, serve_thread, s), 0);
}

static inline void serve_stop_cb(void *arg) {
    loop_stop(arg);
}

static inline void serve_end(struct serve *s) {
    loop_post(s->loop, serve_stop_cb, s->loop);
    pthread_join(s->thread, NULL);
    unlink(s->path);
    rmdir(s->dir);
}

static inline int serve_dial(struct serve *s) {
    int fd;
    assert_ok(unix_dial(AT_FDCWD, s->path, SOCK_STREAM, &fd));
    return fd;
}

static inline void send_all(int fd, const void *p, size_t n) {
    while (n > 0) {
        ssize_t rc = send(fd, p, n, MSG_NOSIGNAL);
        if (rc <= 0)
            return; /* the other side may close early: what comes back is judged */
        p = (const char *)p + rc;
        n -= (size_t)rc;
    }
}

/* Reads until EOF, until `want` appeared (NULL: EOF only) or 10 s have gone. */
static inline void read_until(int fd, const char *want, struct buf *out) {
    for (;;) {
        if (want && strstr(buf_cstr(out), want))
            return;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 10000) <= 0)
            fail_msg("nothing came; so far: %s", buf_cstr(out));
        ssize_t n = recv(fd, buf_room(out, 65536), 65536, 0);
        if (n <= 0)
            return;
        buf_added(out, (size_t)n);
    }
}

static inline int count_fds(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
