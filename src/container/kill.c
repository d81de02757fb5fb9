/* kill, pause, resize: straight to the monitor or the cgroup, without queueing. */
#include "container/private.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct kill_job {
    container_done *done;
    void *arg;
};

static void kill_sent(void *arg, struct err e) {
    struct kill_job *j = arg;
    j->done(j->arg, e);
    free(j);
}

static void ignore_reply(void *arg UNUSED, struct err e) {
    err_ignore(e); /* the end of the container is what answers the caller */
}

void container_kill(struct container *c, int signo, container_done *done, void *arg) {
    if (!container_is_alive(c) || !c->monitor) {
        done(arg, err_new(ERR_CONFLICT, "cannot kill container: %s: container %s is not running",
                          c->name, c->id));
        return;
    }
    char text[16];
    snprintf(text, sizeof text, "%d", signo);
    container_publish(c, "kill", "signal", text);
    if (signo == SIGKILL) {
        /* The caller may count on the container being dead, as with the peer. */
        c->stopped_by_user = true;
        container_on_exit(c, done, arg);
        monitor_stop(c->monitor, SIGKILL, 0, ignore_reply, NULL);
        return;
    }
    struct kill_job *j = NEW(struct kill_job);
    *j = (struct kill_job){done, arg};
    monitor_signal(c->monitor, signo, kill_sent, j);
}

void container_resize(struct container *c, unsigned rows, unsigned columns, container_done *done,
                      void *arg) {
    if (!container_is_alive(c) || !c->monitor) {
        done(arg, err_new(ERR_CONFLICT, "cannot resize a stopped container: %s", c->id));
        return;
    }
    char height[16], width[16];
    snprintf(height, sizeof height, "%u", rows);
    snprintf(width, sizeof width, "%u", columns);
    container_publish_two(c, "resize", "height", height, "width", width);
    struct kill_job *j = NEW(struct kill_job);
    *j = (struct kill_job){done, arg};
    monitor_resize(c->monitor, NULL, rows, columns, kill_sent, j);
}

/* --- pause ---------------------------------------------------------------------------------------
 */

struct pause_job {
    struct container *c;
    char *cgroup;
    bool pause;
    container_done *done;
    void *arg;
};

static struct err pause_prepare(void *job) {
    struct pause_job *j = job;
    if (!container_is_alive(j->c))
        return err_new(ERR_CONFLICT, "container %s is not running", j->c->id);
    if (j->pause == (j->c->state == CONTAINER_PAUSED))
        return err_new(ERR_CONFLICT,
                       j->pause ? "container %s is already paused" : "container %s is not paused",
                       j->c->id);
    return OK;
}

bool container_cgroup_ended(struct err e) {
    return err_kind(e) == ERR_NOT_FOUND || err_errnum(e) == ENOENT || err_errnum(e) == ENODEV;
}

static struct err pause_work(void *job) {
    struct pause_job *j = job;
    struct err e = runtime_cgroup_freeze(j->cgroup, j->pause);
    if (!container_cgroup_ended(e))
        return e;
    err_free(e);
    return err_new(ERR_CONFLICT, "container %s is not running", j->c->id);
}

static void pause_finish(void *job, struct err e, struct op_run *run) {
    struct pause_job *j = job;
    if (!err_failed(e) && container_is_alive(j->c)) {
        container_set_state(j->c, j->pause ? CONTAINER_PAUSED : CONTAINER_RUNNING);
        container_save_lazy(j->c);
        container_publish(j->c, j->pause ? "pause" : "unpause", NULL, NULL);
    }
    j->done(j->arg, e);
    free(j->cgroup);
    free(j);
    op_end(run);
}

static const struct op pause_op = {"container pause", pause_prepare, pause_work, pause_finish};

void container_pause(struct container *c, bool pause, container_done *done, void *arg) {
    struct pause_job *j = NEW(struct pause_job);
    *j = (struct pause_job){c, container_cgroup_path(c), pause, done, arg};
    op_start(c->all->config.loop, &c->queue, &pause_op, j);
}
