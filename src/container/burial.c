/* burial.c - the last of a removed container: its row.
 *
 * The row says `removing` until the disk has forgotten the directory. The store commits with
 * fdatasync, which need not take along that a directory was removed: a power cut after a row that
 * went too early brings the directory back, and nobody knows it. One fsync serves all that were
 * removed within BURIAL_DELAY. A row that is left at the end of the daemon is found at its start.
 */
#include "base/file.h"
#include "container/private.h"
#include <fcntl.h>
#include <stdlib.h>

#define BURIAL_DELAY (INT64_C(1000) * 1000 * 1000)

struct burial {
    struct containers *all; /* NULL once they are closed */
    int data_fd;
    struct strv ids;
};

static void burial_later(struct containers *cs);

static struct err sync_work(void *arg) {
    const struct burial *b = arg;
    return dir_sync(b->data_fd, ".");
}

static void sync_done(void *arg, struct err e) {
    struct burial *b = arg;
    struct containers *cs = b->all;
    bool gone = !err_failed(e);
    log_err(LOG_WARN, e, "rows of removed containers (tried again at the next start)");
    if (cs) {
        struct store_txn *t = store_txn_new();
        for (size_t i = 0; gone && i < b->ids.n; i++)
            container_record_delete(b->ids.items[i], t);
        store_commit(cs->config.store, t, STORE_LAZY, NULL, NULL);
        cs->burial = NULL;
        burial_later(cs);
    }
    fd_close(b->data_fd);
    strv_done(&b->ids);
    free(b);
}

static void burial_start(void *arg) {
    struct containers *cs = arg;
    struct burial *b = NEW(struct burial);
    cs->burial_timer = timer_free(cs->burial_timer);
    *b = (struct burial){
        .all = cs, .data_fd = fcntl(cs->data_fd, F_DUPFD_CLOEXEC, 0), .ids = cs->buried};
    cs->buried = (struct strv){0};
    cs->burial = b;
    job_submit(cs->config.loop, sync_work, sync_done, b);
}

static void burial_later(struct containers *cs) {
    if (cs->buried.n && !cs->burial && !cs->burial_timer)
        cs->burial_timer = timer_new(cs->config.loop, BURIAL_DELAY, 0, burial_start, cs);
}

void container_bury(struct container *c) {
    struct containers *cs = c->all;
    if (c->brief) { /* swept by the next boot, row or not */
        struct store_txn *t = store_txn_new();
        container_record_delete(c->id, t);
        store_commit(cs->config.store, t, STORE_LAZY, NULL, NULL);
        return;
    }
    strv_add(&cs->buried, c->id);
    burial_later(cs);
}

void container_burials_end(struct containers *cs) {
    cs->burial_timer = timer_free(cs->burial_timer);
    strv_done(&cs->buried);
    if (cs->burial)
        cs->burial->all = NULL;
}
