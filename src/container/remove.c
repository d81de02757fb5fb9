/* rm: the row says `removing` (durable), then the caller is answered and the name is free; the
 * directories go in the background, the row after them (burial.c). */
#include "base/file.h"
#include "container/private.h"
#include <stdlib.h>

struct remove_job {
    struct container *c;
    bool force, volumes;
    container_done *done; /* NULL: nobody waits */
    void *arg;
    struct op_run *run;
};

static void remove_end(struct remove_job *j, struct err e) {
    if (j->done)
        j->done(j->arg, e);
    else
        log_err(LOG_WARN, e, "remove container %s", j->c->id);
    op_end(j->run);
    free(j);
}

/* --- the directories
 * ------------------------------------------------------------------------------ */

static struct err sweep_work(void *arg) {
    struct container *c = arg;
    err_ignore(
        dir_remove(c->all->run_fd, c->id)); /* volatile; swept by the next boot at the latest */
    return rootfs_remove(c->brief ? c->all->ephemeral_fd : c->all->data_fd, c->id);
}

static void free_when_idle(void *arg) {
    container_free(arg);
}

static void sweep_done(void *arg, struct err e) {
    struct container *c = arg;
    struct containers *cs = c->all;
    c->gone = true;
    if (err_failed(e)) {
        /* The row stays `removing`. When the disk takes the next one it is tried again, at the
         * latest by the next start of the daemon. */
        log_err(LOG_WARN, e, "container %s: remove its directory", c->id);
        vec_push(&cs->unswept, c);
        return;
    }
    container_bury(c);
    if (cs->unswept.n)
        job_submit(cs->config.loop, sweep_work, sweep_done, cs->unswept.items[--cs->unswept.n]);
    if (c->queue.length == 0) {
        loop_post(c->all->config.loop, free_when_idle, c);
    } else {
        c->queue.idle = free_when_idle;
        c->queue.idle_arg = c;
    }
}

static void volume_gone(void *arg UNUSED, struct err e) {
    if (err_kind(e) == ERR_CONFLICT)
        err_ignore(e); /* another container uses it by name */
    else
        log_err(LOG_WARN, e, "remove an anonymous volume");
}

static void drop_holds(struct container *c, bool volumes) {
    for (size_t i = 0; i < c->mounts_n; i++) {
        struct container_mount *m = &c->mounts[i];
        if (!m->held)
            continue;
        m->held = false;
        volume_unhold(c->all->config.volumes, m->name, c->id);
        if (volumes && m->anonymous)
            volume_remove(c->all->config.volumes, m->name, volume_gone, NULL);
    }
    container_unhold_images(c);
    if (c->hold.image)
        image_unhold(c->all->config.images, &c->hold);
}

/* Loop: the removal is a fact. */
static void removed(void *arg, struct err e) {
    struct remove_job *j = arg;
    struct container *c = j->c;
    if (err_failed(e)) {
        container_set_state(c, CONTAINER_DEAD);
        remove_end(j, e);
        return;
    }
    container_unreserve(c);
    container_publish(c, "destroy", NULL, NULL);
    drop_holds(c, j->volumes);
    if (c->monitor)
        monitor_removed(c->monitor);
    for (struct list *n; (n = list_pop(&c->removed_waiters));)
        container_waiter_answer(CONTAINER_OF(n, struct container_waiter, link), c->exit_code);
    for (struct list *n; (n = list_pop(&c->prestart));) {
        struct container_waiter *w = CONTAINER_OF(n, struct container_waiter, link);
        if (w->is_wait)
            container_waiter_answer(w, c->exit_code);
        else
            container_waiter_free(w);
    }
    job_submit(c->all->config.loop, sweep_work, sweep_done, c);
    remove_end(j, OK);
}

static void remove_commit(struct remove_job *j) {
    struct container *c = j->c;
    container_cancel_restart(c);
    container_set_state(c, CONTAINER_REMOVING);
    struct store_txn *t = store_txn_new();
    container_record_state(c, t);
    /* The row outlives the reply; its name must not: the next container may have it at once. */
    container_record_unname(c, t);
    store_commit(c->all->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, removed, j);
}

void container_remove_now(struct container *c, bool volumes, struct op_run *run,
                          container_done *done, void *arg) {
    struct remove_job *j = NEW(struct remove_job);
    *j = (struct remove_job){.c = c, .volumes = volumes, .done = done, .arg = arg, .run = run};
    remove_commit(j);
}

/* --- the verb
 * -------------------------------------------------------------------------------------- */

static struct err remove_prepare(void *job) {
    struct remove_job *j = job;
    struct container *c = j->c;
    if (c->state == CONTAINER_REMOVING || c->gone)
        return err_new(ERR_CONFLICT, "removal of container %s is already in progress", c->id);
    if ((container_is_alive(c) || c->state == CONTAINER_RESTARTING) && !j->force)
        return err_new(
            ERR_CONFLICT,
            "cannot remove container \"/%s\": container is %s: stop the container before "
            "removing or force remove",
            c->name, container_state_name(c->state));
    return OK;
}

static void killed_for_removal(void *arg, struct err e) {
    err_ignore(e);
    remove_commit(arg);
}

static void ignore_reply(void *arg UNUSED, struct err e) {
    err_ignore(e);
}

static void keep_queue(struct container *c UNUSED) {
    /* The removal goes on from the exit call and ends the op itself. */
}

static void remove_finish(void *job, struct err e, struct op_run *run) {
    struct remove_job *j = job;
    j->run = run;
    if (err_failed(e)) {
        remove_end(j, e);
        return;
    }
    if (!container_is_alive(j->c)) {
        remove_commit(j);
        return;
    }
    j->c->stopped_by_user = true;
    container_publish(j->c, "kill", "signal", "9");
    container_on_exit(j->c, killed_for_removal, j);
    container_hold_until_exit(j->c, run, keep_queue);
    monitor_stop(j->c->monitor, 9, 0, ignore_reply, NULL);
}

static const struct op remove_op = {"container remove", remove_prepare, NULL, remove_finish};

void container_remove(struct container *c, bool force, bool volumes, container_done *done,
                      void *arg) {
    struct remove_job *j = NEW(struct remove_job);
    *j = (struct remove_job){.c = c, .force = force, .volumes = volumes, .done = done, .arg = arg};
    op_start(c->all->config.loop, &c->queue, &remove_op, j);
}
