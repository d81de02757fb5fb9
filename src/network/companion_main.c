/* A program beside the daemon: the process. Descriptor 3 is the listening socket; who connects is
 * root. Everything it needs is handed to it, so it gives up root before it reads the first foreign
 * byte. */
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "network/companion.h"
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

static void peer_free(struct companion_peer *p) {
    list_remove(&p->link);
    p->service->peers_n--;
    p->service->gone(p->service->arg, p);
    msg_conn_free(p->conn);
    free(p);
}

static void on_closed(void *arg) {
    peer_free(arg);
}

static void on_message(void *arg, struct msg *m) {
    struct companion_peer *p = arg;
    p->service->message(p->service->arg, p, m);
}

static void on_listen(void *arg, unsigned events UNUSED) {
    struct companion_service *s = arg;
    int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct ucred who;
    socklen_t n = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0 || who.uid != 0 ||
        s->peers_n >= s->peers_max) {
        close(fd);
        return;
    }
    struct companion_peer *p = NEW(struct companion_peer);
    p->service = s;
    p->conn = msg_conn_new(s->loop, fd, on_message, on_closed, p);
    list_push(&s->peers, &p->link);
    s->peers_n++;
}

/* Nobody needs it any more: the daemon starts another one when somebody does. */
static void on_look(void *arg) {
    struct companion_service *s = arg;
    int64_t now = time_monotonic();
    if (s->peers_n)
        s->lonely = 0;
    else if (!s->lonely)
        s->lonely = now;
    else if (now - s->lonely > LEAVE_AFTER * NSEC_PER_SEC)
        loop_stop(s->loop);
}

static void on_signal(void *arg, int signo UNUSED) {
    loop_stop(((struct companion_service *)arg)->loop);
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

static struct err run(struct companion_service *s) {
    int type = 0;
    socklen_t n = sizeof(type);
    if (getsockopt(LISTEN_FD, SOL_SOCKET, SO_TYPE, &type, &n) != 0 || type != SOCK_SEQPACKET)
        return err_new(ERR_INVALID, "descriptor 3 is no message socket: this program is started by "
                                    "the daemon");
    TRY(drop_root());
    list_init(&s->peers);
    s->loop = loop_new();
    s->open(s->arg);
    struct watch *listening = watch_new(s->loop, LISTEN_FD, WATCH_READ, on_listen, s);
    struct timer *look = timer_new(s->loop, LOOK_EVERY * NSEC_PER_SEC, LOOK_EVERY * NSEC_PER_SEC,
                                   on_look, s);
    struct sigwatch *term = sigwatch_new(s->loop, SIGTERM, on_signal, s);
    loop_run(s->loop);
    LIST_FOR (&s->peers, l)
        peer_free(CONTAINER_OF(l, struct companion_peer, link));
    watch_free(listening);
    timer_free(look);
    sigwatch_free(term);
    s->close(s->arg);
    loop_free(s->loop);
    return OK;
}

int companion_main(struct companion_service *s) {
    log_init(s->name, LOG_INFO, 2);
    signal(SIGPIPE, SIG_IGN);
    struct err e = run(s);
    bool failed = err_failed(e);
    log_err(LOG_ERROR, e, "%s", s->name);
    return failed;
}
