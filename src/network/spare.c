/* Network namespaces made ahead. What the kernel does for a new one takes longer than all the rest
 * of an endpoint, and a start waits for it; so a start that has gone well orders one for the next.
 *
 * At most one is ready; it belongs to nobody yet, shows nowhere on the host and dies with its two
 * descriptors: with the daemon, and when no start has come for SPARE_KEPT. One that was used is
 * never used again. Facts: loop. */
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/mount.h"
#include "network/private.h"
#include <linux/magic.h>
#include <sys/mount.h>

#define SPARE_KEPT (10 * NSEC_PER_SEC)
#define PROC_USES 64

struct spares {
    struct networks *networks; /* NULL: closed while the job was under way */
    struct loop *loop;
    struct network_spare *ready; /* or NULL */
    struct network_spare *made;  /* by the job, until its end */
    bool making;
    struct timer *expiry;
    /* The job's: a procfs of our own, and how often it was used. */
    int proc;
    unsigned proc_used;
};

struct network_spare *network_spare_free(struct network_spare *s) {
    if (!s)
        return NULL;
    netlink_done(&s->in);
    fd_close(s->netns_fd);
    free(s);
    return NULL;
}

struct spares *spares_new(struct networks *n) {
    struct spares *s = NEW(struct spares);
    s->networks = n;
    s->loop = n->loop;
    s->proc = -1;
    return s;
}

static struct spares *dispose(struct spares *s) {
    s->expiry = timer_free(s->expiry);
    s->ready = network_spare_free(s->ready);
    if (s->making)
        return NULL; /* its end comes here again */
    s->made = network_spare_free(s->made);
    fd_close(s->proc);
    free(s);
    return NULL;
}

struct spares *spares_free(struct spares *s) {
    if (!s)
        return NULL;
    s->networks = NULL;
    return dispose(s);
}

static void expired(void *arg) {
    struct spares *s = arg;
    s->expiry = timer_free(s->expiry);
    s->ready = network_spare_free(s->ready);
}

/* Below /proc/sys/net every network namespace has entries of the same names, and one procfs has
 * them all in one chain: who opens one in the thousandth walks past nine hundred and more. */
static void renew_proc(struct spares *s) {
    if (s->proc >= 0 && s->proc_used++ < PROC_USES)
        return;
    s->proc = fd_close(s->proc);
    s->proc_used = 0;
    err_ignore(mount_new_fs("proc", NULL, NULL, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                            PROC_SUPER_MAGIC, &s->proc)); /* the host's serves as well */
}

static struct err make(void *arg) {
    struct spares *s = arg;
    renew_proc(s);
    struct network_spare *made = NEW(struct network_spare);
    *made = (struct network_spare){.netns_fd = -1, .in = NETLINK_NONE};
    struct err e = network_empty(s->proc, &made->in, &made->netns_fd);
    if (err_failed(e))
        network_spare_free(made);
    else
        s->made = made;
    return e;
}

static void make_done(void *arg, struct err e) {
    struct spares *s = arg;
    err_ignore(e); /* the start that would have had it says what is wrong */
    s->making = false;
    if (!s->networks) {
        dispose(s);
        return;
    }
    s->ready = TAKE(s->made);
    if (s->ready)
        s->expiry = timer_new(s->loop, SPARE_KEPT, 0, expired, s);
}

struct network_spare *network_spare_take(struct networks *n) {
    struct spares *s = n->spares;
    s->expiry = timer_free(s->expiry);
    return TAKE(s->ready);
}

void network_spare_order(struct networks *n) {
    struct spares *s = n->spares;
    if (s->ready || s->making)
        return;
    s->making = true;
    job_submit(s->loop, make, make_done, s);
}
