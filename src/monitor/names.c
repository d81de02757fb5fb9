/* The sockets of corten-dns, kept for it. Without corten-dns the questions wait in the sockets. */
#include "monitor/keeper.h"
#include "network/network.h"
#include <stdlib.h>

struct names {
    struct keeper *keeper;
    struct handing *handing;
    int fds[2];
};

static struct err send_sockets(void *arg, int conn) {
    struct names *n = arg;
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, NAMES_TAG_TEXT, n->keeper->id);
    return msg_send(conn, NAMES_SOCKETS, 0, buf_str(&body), n->fds, 2);
}

void names_keep(struct keeper *k, const char *path, int udp, int tcp) {
    names_drop(k);
    struct names *n = NEW(struct names);
    *n = (struct names){.keeper = k, .fds = {udp, tcp}};
    k->names = n;
    n->handing = handing_new(k->loop, path, send_sockets, n);
}

void names_drop(struct keeper *k) {
    struct names *n = k->names;
    k->names = NULL;
    if (!n)
        return;
    handing_free(n->handing);
    fd_close(n->fds[0]);
    fd_close(n->fds[1]);
    free(n);
}
