/* network/companion.h - programs beside the daemon that outlive it: corten-dns, corten-relay.
 *
 * Both ends. The daemon's: started with the first container that needs it, found again by a daemon
 * that starts, started anew when it ends. The program's: a listening SEQPACKET socket as descriptor
 * 3, connections of root only, root's rights given up before the first foreign byte is read, and
 * the end of the program when neither daemon nor monitor has been there for five seconds.
 * Private to network/.
 */
#pragma once
#include "base/list.h"
#include "loop/msg.h"

struct cgroup;

/* --- the daemon's end: companion.c, on the loop -------------------------------------------------
 */

struct companion;
struct companion_config { /* copied */
    struct loop *loop;
    const char *program; /* NULL: there is none */
    const char *name, *run_dir, *socket;
    const struct cgroup *cgroup; /* where it is born; borrowed for good; NULL: the caller's */
    void (*up)(void *arg);     /* connected; or NULL */
    bool (*wanted)(void *arg); /* shall it be there? */
    void *arg;
};
struct companion *companion_new(const struct companion_config *c);
struct companion *companion_free(struct companion *c); /* the program stays; NULL allowed */
/* Somebody wants it: it is found or started, unless that is under way. */
void companion_need(struct companion *c);
struct msg_conn *companion_conn(const struct companion *c); /* NULL: not connected */
const char *companion_path(const struct companion *c);      /* of its socket */

/* --- the program's end: companion_main.c --------------------------------------------------------
 */

struct companion_peer {
    struct list link;
    struct companion_service *service;
    struct msg_conn *conn;
    void *own; /* the service's */
};
struct companion_service {
    const char *name;
    size_t peers_max;
    void (*open)(void *arg);
    void (*message)(void *arg, struct companion_peer *p, struct msg *m);
    void (*gone)(void *arg, struct companion_peer *p);
    void (*close)(void *arg);
    void *arg;
    struct loop *loop; /* set before open is called, as the rest */
    struct list peers;
    size_t peers_n;
    int64_t lonely; /* since, monotonic; 0: not */
};
/* Runs until nobody is left, or SIGTERM. Exit status of main. */
int companion_main(struct companion_service *s);
