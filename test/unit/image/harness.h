/* harness.h - a daemon's side without a daemon: a store, a loop and images in a directory of their
 * own, jobs in the real corten-worker, and one end of a socket as the client. Root only. */
#pragma once
#include "base/file.h"
#include "base/log.h"
#include "image/image.h"
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct house {
    char root[48];
    char worker[512];
    struct loop *loop;
    struct store *store;
    struct images *images;
};

static inline void house_open_again(struct house *h) {
    h->loop = loop_new();
    assert_ok(store_open(h->root, h->loop, &h->store));
    struct images_options o = {h->store, h->loop, h->root, h->worker};
    assert_ok(images_open(&o, &h->images));
}

static inline void house_open(struct house *h) {
    if (geteuid() != 0)
        SKIP("needs root: owners and devices");
    ssize_t n = readlink("/proc/self/exe", h->worker, sizeof(h->worker) - 1);
    assert_true(n > 0);
    h->worker[n] = '\0';
    char *at = strstr(h->worker, "/test/");
    assert_non_null(at);
    snprintf(at, sizeof(h->worker) - (size_t)(at - h->worker), "/src/bin/corten-worker");
    if (access(h->worker, X_OK) != 0)
        SKIP("corten-worker is not built");
    signal(SIGPIPE, SIG_IGN);
    snprintf(h->root, sizeof(h->root), "/tmp/corten-image-XXXXXX");
    assert_non_null(mkdtemp(h->root));
    house_open_again(h);
}

/* Lets what is under way in the background end. */
static inline void house_settle(struct house *h, int64_t ns) {
    int64_t end = time_monotonic() + ns;
    while (time_monotonic() < end) {
        loop_step(h->loop);
        usleep(1000);
    }
}

static inline void house_shut(struct house *h) {
    house_settle(h, 100 * NSEC_PER_MSEC);
    images_close(h->images);
    store_close(h->store);
    house_settle(h, 50 * NSEC_PER_MSEC);
    loop_free(h->loop);
}

static inline void house_close(struct house *h) {
    house_shut(h);
    CLEAN_FD
    int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(dir_remove(tmp, h->root + strlen("/tmp/")));
}

/* One client with a body that is there already, and its answer. */
struct client {
    struct house *house;
    struct http_taken taken;
    int peer;
    struct buf answer;
    bool done;
    enum err_kind kind;
    char message[512];
};

static inline void client_open(struct house *h, struct client *c, struct str body) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    *c = (struct client){.house = h, .peer = fds[1]};
    c->taken.fd = fds[0];
    buf_add_str(&c->taken.early, body); /* all of it was read with the head */
    c->taken.body = (struct http_body_state){.framing = HTTP_BODY_LENGTH, .remaining = body.len};
}

static inline void client_done(void *arg, struct err e) {
    struct client *c = arg;
    c->done = true;
    c->kind = err_kind(e);
    snprintf(c->message, sizeof(c->message), "%s", err_msg(e));
    err_free(e);
}

static inline void client_wait(struct client *c) {
    int64_t end = time_monotonic() + 60 * NSEC_PER_SEC;
    bool open = true;
    fd_set_nonblock(c->peer, true).info ? abort() : (void)0;
    while ((!c->done || open) && time_monotonic() < end) {
        ssize_t n = read(c->peer, buf_room(&c->answer, 65536), 65536);
        if (n > 0)
            buf_added(&c->answer, (size_t)n);
        if (n == 0 && open) /* the answer has ended: a client hangs up */
            shutdown(c->peer, SHUT_WR);
        open = open && n != 0;
        loop_step(c->house->loop);
        if (n <= 0)
            usleep(500);
    }
    assert_true(c->done);
}

static inline void client_close(struct client *c) {
    close(c->peer);
    buf_done(&c->answer);
}

static inline struct image *must_find(struct house *h, const char *ref) {
    struct image *i = NULL;
    assert_ok(image_find(h->images, str_of(ref), &i));
    return i;
}
