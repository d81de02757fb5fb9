/* Sockets that are kept for another program (corten-dns, corten-relay): handed over on a connection
 * that lives as long as we do, and again to the next one when it ends. */
#include "base/time.h"
#include "loop/unix.h"
#include "monitor/keeper.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_FIRST (20 * NSEC_PER_MSEC)
#define AGAIN_MOST (5 * NSEC_PER_SEC)

struct handing {
    struct loop *loop;
    char *path;
    struct err (*send)(void *arg, int conn);
    void *arg;
    int conn;
    struct watch *watch;
    struct timer *again;
    int64_t delay;
};

static void dial(struct handing *h);

static void on_again(void *arg) {
    struct handing *h = arg;
    h->again = timer_free(h->again);
    dial(h);
}

static void try_later(struct handing *h) {
    h->watch = watch_free(h->watch);
    h->conn = fd_close(h->conn);
    if (!h->again)
        h->again = timer_new(h->loop, h->delay, 0, on_again, h);
    h->delay = MIN(h->delay * 2, AGAIN_MOST);
}

static void on_end(void *arg, unsigned events UNUSED) {
    struct handing *h = arg;
    h->delay = AGAIN_FIRST;
    try_later(h); /* it never says anything: this is its end */
}

static void dial(struct handing *h) {
    struct err e = unix_dial(AT_FDCWD, h->path, SOCK_SEQPACKET, &h->conn);
    if (!err_failed(e))
        e = h->send(h->arg, h->conn);
    bool failed = err_failed(e);
    err_free(e); /* it is away, or going: the timer is the answer */
    if (failed) {
        try_later(h);
        return;
    }
    h->delay = AGAIN_FIRST;
    h->watch = watch_new(h->loop, h->conn, WATCH_READ, on_end, h);
}

struct handing *handing_new(struct loop *l, const char *path,
                            struct err (*send)(void *arg, int conn), void *arg) {
    struct handing *h = NEW(struct handing);
    *h = (struct handing){.loop = l, .send = send, .arg = arg, .conn = -1, .delay = AGAIN_FIRST};
    h->path = mem_strdup(path);
    dial(h);
    return h;
}

int handing_conn(const struct handing *h) {
    return h && h->watch ? h->conn : -1;
}

struct handing *handing_free(struct handing *h) {
    if (h) {
        watch_free(h->watch);
        timer_free(h->again);
        fd_close(h->conn);
        free(h->path);
    }
    free(h);
    return NULL;
}
