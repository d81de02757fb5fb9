/* commit: the container's image and what it wrote become an image. Its upper directory is read by a
 * worker; a container that runs is frozen for that long, so that the files agree with each other.
 */
#include "base/file.h"
#include "container/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct commit_job {
    struct container *c;
    struct arena arena; /* of the texts */
    struct str config;
    char *author, *comment, *created_by;
    struct reference tag;
    bool tagged, pause;
    bool frozen; /* by this commit */
    char *cgroup;
    int dir;
    struct rootfs root;
    char upper[32];
    bool whole; /* upper was made for this commit */
    struct op_run *run;
    char id[DIGEST_TEXT_MAX];
    struct err result;
    void (*done)(void *arg, struct err e, const char *image_id);
    void *arg;
};

static struct err commit_prepare(void *job) {
    struct commit_job *j = job;
    const struct container *c = j->c;
    if (c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD || !c->hold.image)
        return err_new(ERR_CONFLICT, "You cannot commit container %s which is %s", c->id,
                       container_state_name(c->state));
    j->frozen = j->pause && c->state == CONTAINER_RUNNING && c->pid > 0;
    return container_root(c, &j->arena, &j->root);
}

static struct err commit_work(void *job) {
    struct commit_job *j = job;
    j->dir = open(j->c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir < 0) {
        j->frozen = false;
        return err_errno(errno, "open '%s'", j->c->directory);
    }
    struct err e = j->frozen ? runtime_cgroup_freeze(j->cgroup, true) : OK;
    if (container_cgroup_ended(e)) {
        err_free(e); /* it has just ended: nothing writes any more */
        e = OK;
        j->frozen = false;
    }
    TRYF(e, "pause the container");
    j->root.dir_fd = j->dir;
    j->whole = rootfs_is_whole(j->dir);
    return container_upper(&j->root, j->upper);
}

static void commit_end(struct commit_job *j) {
    struct op_run *run = j->run;
    bool failed = err_failed(j->result);
    if (!failed) {
        char tag[REFERENCE_TEXT_MAX] = "";
        struct container_event e = {"commit",
                                    j->c,
                                    {"comment", j->comment, "imageID", j->id, "imageRef",
                                     j->tagged ? reference_familiar(&j->tag, tag) : ""},
                                    time_now()};
        bus_publish(containers_bus(j->c->all), &e);
    }
    j->done(j->arg, j->result, failed ? NULL : j->id);
    fd_close(j->dir);
    free(j->cgroup);
    arena_done(&j->arena);
    free(j);
    op_end(run);
}

static struct err thaw_work(void *job) {
    struct commit_job *j = job;
    if (j->whole && err_failed(j->result) && j->upper[0])
        err_ignore(dir_remove(j->dir, j->upper)); /* it goes with the container at the latest */
    return j->frozen ? runtime_cgroup_freeze(j->cgroup, false) : OK;
}

static void thawed(void *job, struct err e) {
    struct commit_job *j = job;
    if (container_is_alive(j->c))
        log_err(LOG_ERROR, e, "container %.12s: resume after its commit", j->c->id);
    else
        err_ignore(e); /* it was killed meanwhile: nothing to resume */
    commit_end(j);
}

static void commit_thaw(struct commit_job *j) {
    if (j->frozen || j->whole)
        job_submit(j->c->all->config.loop, thaw_work, thawed, j);
    else
        commit_end(j);
}

static void committed(void *arg, struct image *i, struct err e) {
    struct commit_job *j = arg;
    if (!err_failed(e))
        memcpy(j->id, i->id_text, sizeof j->id);
    j->result = e;
    commit_thaw(j);
}

static void commit_finish(void *job, struct err e, struct op_run *run) {
    struct commit_job *j = job;
    j->run = run;
    if (err_failed(e)) {
        j->result = e;
        commit_thaw(j);
        return;
    }
    struct image_commit commit = {
        .parent = j->c->hold.image,
        .upper_dirfd = j->dir,
        .upper = j->upper,
        .adopt = j->whole,
        .tar_fd = -1,
        .config = j->config,
        .author = j->author,
        .comment = j->comment,
        .created_by = j->created_by,
        .tags = &j->tag,
        .tags_n = j->tagged,
        .durable = true,
    };
    image_commit(j->c->all->config.images, &commit, committed, j);
}

static const struct op commit_op = {"container commit", commit_prepare, commit_work, commit_finish};

/* What the history says: the program and its arguments as they were started. */
static char *command_line(const struct container *c, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    const struct strs *parts[] = {&c->config->entrypoint, &c->config->cmd};
    for (size_t k = 0; k < ARRAY_LEN(parts); k++)
        for (size_t i = 0; i < parts[k]->n; i++)
            buf_addf(&text, "%s%s", text.len ? " " : "", parts[k]->items[i]);
    return arena_strz(a, buf_cstr(&text));
}

void container_commit(struct container *c, const struct container_commit *o,
                      void (*done)(void *arg, struct err e, const char *image_id), void *arg) {
    struct commit_job *j = NEW(struct commit_job);
    *j = (struct commit_job){.c = c, .pause = o->pause, .dir = -1, .done = done, .arg = arg};
    struct arena *a = &j->arena;
    j->config = str_n(arena_str(a, o->config), o->config.len);
    j->author = arena_strz(a, o->author ? o->author : "");
    j->comment = arena_strz(a, o->comment ? o->comment : "");
    j->created_by = command_line(c, a);
    j->cgroup = container_cgroup_path(c);
    j->tagged = o->tag != NULL;
    if (o->tag)
        j->tag = *o->tag;
    op_start(c->all->config.loop, &c->queue, &commit_op, j);
}
