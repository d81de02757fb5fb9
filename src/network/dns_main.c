/* corten-dns: the process. Descriptor 3 is the listening socket; who connects is root. Everything
 * it needs is handed to it, so it gives up root before it reads the first foreign byte. */
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "network/dns_serve.h"
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_FD 3
#define NOBODY 61183  /* no user of any distribution: nobody else runs as this one */
#define LEAVE_AFTER 5 /* seconds without daemon and without sockets */
#define LOOK_EVERY 1  /* seconds */
#define PEERS_MAX (DNS_CLIENTS_MAX + 64)

struct dns {
    struct loop *loop;
    struct dns_server *server;
    struct list peers;
    size_t peers_n;
    int64_t lonely; /* since, monotonic; 0: not */
};

struct peer {
    struct list link;
    struct dns *dns;
    struct msg_conn *conn;
    struct dns_client *client; /* a monitor's */
    bool resetting;
};

static void peer_free(struct peer *p) {
    list_remove(&p->link);
    p->dns->peers_n--;
    dns_client_free(p->client);
    msg_conn_free(p->conn);
    free(p);
}

static void on_closed(void *arg) {
    peer_free(arg);
}

static void add_sockets(struct peer *p, struct msg *m) {
    if (m->fds_n != 2 || p->client)
        return;
    int udp = TAKE_FD(m->fds[0]), tcp = TAKE_FD(m->fds[1]);
    p->client = dns_client_new(p->dns->server, msg_get(m->body, NAMES_TAG_TEXT), udp, tcp);
}

static void on_message(void *arg, struct msg *m) {
    struct peer *p = arg;
    struct dns_names *names = dns_server_names(p->dns->server);
    struct str text = msg_get(m->body, NAMES_TAG_TEXT);
    switch (m->type) {
    case NAMES_RESET:
        p->resetting = true;
        dns_names_begin(names);
        break;
    case NAMES_MEMBER:
        log_err(LOG_WARN, dns_names_put(names, text), "corten-dns");
        break;
    case NAMES_DROP: {
        CLEAN_FREE char *id = str_dup(text);
        dns_names_drop(names, id);
        break;
    }
    case NAMES_READY:
        if (p->resetting)
            dns_names_end(names);
        p->resetting = false;
        dns_server_ready(p->dns->server);
        break;
    case NAMES_SOCKETS:
        add_sockets(p, m);
        break;
    default:
        break; /* of a later version */
    }
}

static void on_listen(void *arg, unsigned events UNUSED) {
    struct dns *d = arg;
    int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct ucred who;
    socklen_t n = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || who.uid != 0 ||
        d->peers_n >= PEERS_MAX) {
        close(fd);
        return;
    }
    struct peer *p = NEW(struct peer);
    p->dns = d;
    p->conn = msg_conn_new(d->loop, fd, on_message, on_closed, p);
    list_push(&d->peers, &p->link);
    d->peers_n++;
}

/* Nobody needs it any more: the daemon starts another one when somebody does. */
static void on_look(void *arg) {
    struct dns *d = arg;
    int64_t now = time_monotonic();
    if (d->peers_n)
        d->lonely = 0;
    else if (!d->lonely)
        d->lonely = now;
    else if (now - d->lonely > LEAVE_AFTER * NSEC_PER_SEC)
        loop_stop(d->loop);
}

static void on_signal(void *arg, int signo UNUSED) {
    loop_stop(((struct dns *)arg)->loop);
}

static struct err drop_root(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r); /* a refusal leaves the limit as it is */
    }
    if (geteuid() != 0)
        return OK;
    if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) != 0)
        return err_errno(errno, "give up root");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_errno(errno, "prctl");
    return OK;
}

static struct err run(struct dns *d) {
    int type = 0;
    socklen_t n = sizeof(type);
    if (getsockopt(LISTEN_FD, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_SEQPACKET)
        return err_new(ERR_INVALID, "descriptor 3 is no message socket: this program is started by "
                                    "the daemon");
    TRY(drop_root());
    list_init(&d->peers);
    d->loop = loop_new();
    d->server = dns_server_new(d->loop);
    struct watch *listening = watch_new(d->loop, LISTEN_FD, WATCH_READ, on_listen, d);
    struct timer *look = timer_new(d->loop, LOOK_EVERY * NSEC_PER_SEC, LOOK_EVERY * NSEC_PER_SEC,
                                   on_look, d);
    struct sigwatch *term = sigwatch_new(d->loop, SIGTERM, on_signal, d);
    loop_run(d->loop);
    LIST_FOR (&d->peers, l)
        peer_free(CONTAINER_OF(l, struct peer, link));
    watch_free(listening);
    timer_free(look);
    sigwatch_free(term);
    dns_server_free(d->server);
    loop_free(d->loop);
    return OK;
}

int dns_main(void) {
    struct dns d = {0};
    log_init("corten-dns", LOG_INFO, 2);
    signal(SIGPIPE, SIG_IGN);
    struct err e = run(&d);
    bool failed = err_failed(e);
    log_err(LOG_ERROR, e, "corten-dns");
    return failed;
}
