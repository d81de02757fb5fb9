/* The sockets of corten-dns, kept for it: handed over on a connection that lives as long as we do,
 * and again to the next one when it ends. Without corten-dns the questions wait in the sockets. */
#include "base/time.h"
#include "loop/unix.h"
#include "monitor/keeper.h"
#include "network/network.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_FIRST (20 * NSEC_PER_MSEC)
#define AGAIN_MOST (5 * NSEC_PER_SEC)

struct names {
    struct keeper *keeper;
    char *path;
    int fds[2];
    int conn;
    struct watch *watch;
    struct timer *again;
    int64_t delay;
};

static void dial(struct names *n);

static void on_again(void *arg) {
    struct names *n = arg;
    n->again = timer_free(n->again);
    dial(n);
}

static void try_later(struct names *n) {
    n->watch = watch_free(n->watch);
    n->conn = fd_close(n->conn);
    if (!n->again)
        n->again = timer_new(n->keeper->loop, n->delay, 0, on_again, n);
    n->delay = MIN(n->delay * 2, AGAIN_MOST);
}

static void on_end(void *arg, unsigned events UNUSED) {
    struct names *n = arg;
    n->delay = AGAIN_FIRST;
    try_later(n); /* it never says anything: this is its end */
}

static void dial(struct names *n) {
    CLEAN_BUF struct buf body = {0};
    struct err e = unix_dial(AT_FDCWD, n->path, SOCK_SEQPACKET, &n->conn);
    msg_putz(&body, NAMES_TAG_TEXT, n->keeper->id);
    if (!err_failed(e))
        e = msg_send(n->conn, NAMES_SOCKETS, 0, buf_str(&body), n->fds, 2);
    bool failed = err_failed(e);
    err_free(e); /* it is away, or going: the timer is the answer */
    if (failed) {
        try_later(n);
        return;
    }
    n->delay = AGAIN_FIRST;
    n->watch = watch_new(n->keeper->loop, n->conn, WATCH_READ, on_end, n);
}

void names_keep(struct keeper *k, const char *path, int udp, int tcp) {
    names_drop(k);
    struct names *n = NEW(struct names);
    n->keeper = k;
    n->path = mem_strdup(path);
    n->fds[0] = udp;
    n->fds[1] = tcp;
    n->conn = -1;
    n->delay = AGAIN_FIRST;
    k->names = n;
    dial(n);
}

void names_drop(struct keeper *k) {
    struct names *n = k->names;
    k->names = NULL;
    if (!n)
        return;
    watch_free(n->watch);
    timer_free(n->again);
    fd_close(n->conn);
    fd_close(n->fds[0]);
    fd_close(n->fds[1]);
    free(n->path);
    free(n);
}
