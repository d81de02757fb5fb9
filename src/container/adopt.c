/* The builder's commit: what a stopped container wrote becomes a layer by moving its upper
 * directory (or what a whole root has more than its image), and the container goes. One that wrote
 * nothing needs no worker: its image is the result. */
#include "container/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adopt_job {
    struct container *c;
    char *key;
    int64_t latest; /* INT64_MAX: any */
    int dir;
    struct arena arena; /* of root */
    struct rootfs root;
    char upper[32];
    bool wrote;
    struct op_run *run;
    void (*done)(void *arg, struct err e, const char *image_id);
    void *arg;
};

static void adopt_end(struct adopt_job *j, struct err e, const char *id) {
    j->done(j->arg, e, id);
    fd_close(j->dir);
    arena_done(&j->arena);
    free(j->key);
    free(j);
}

static struct err adopt_prepare(void *job) {
    struct adopt_job *j = job;
    if (container_is_alive(j->c))
        return err_new(ERR_CONFLICT, "container %s is running", j->c->id);
    if (j->c->state != CONTAINER_EXITED && j->c->state != CONTAINER_CREATED)
        return err_new(ERR_CONFLICT, "container %s is %s", j->c->id,
                       container_state_name(j->c->state));
    return container_root(j->c, &j->arena, &j->root);
}

/* Whether anything at all is in the directory. The mount points of a start lie in the image's
 * ground (image/image.h) or were made in here: then the worker looks what is left without them. */
static struct err look(struct adopt_job *j) {
    CLEAN_FD int fd = openat(j->dir, j->upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_errno(errno, "open the container's directory");
    fd = -1; /* the list's */
    const struct dirent *x;
    errno = 0;
    while (!j->wrote && (x = readdir(d)))
        j->wrote = strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0;
    int failed = j->wrote ? 0 : errno;
    closedir(d);
    return failed ? err_errno(failed, "list the container's directory") : OK;
}

/* Everything that could write has ended, so what is there can be looked at while the monitor still
 * leaves; letting go of an overlay syncs the file system below it. To be moved, it must be free. */
static struct err adopt_work(void *job) {
    struct adopt_job *j = job;
    j->dir = open(j->c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir < 0)
        return err_errno(errno, "open '%s'", j->c->directory);
    j->root.dir_fd = j->dir;
    TRY(container_upper(&j->root, j->upper));
    TRY(look(j));
    if (j->wrote)
        monitor_await(j->c->monitor_pid, j->c->id);
    return OK;
}

static void committed(void *arg, struct image *i, struct err e) {
    struct adopt_job *j = arg;
    struct container *c = j->c;
    struct op_run *run = j->run;
    bool failed = err_failed(e);
    adopt_end(j, e, failed ? NULL : i->id_text);
    if (failed)
        op_end(run);
    else
        container_remove_now(c, true, run, NULL, NULL);
}

/* The same image is known by the step's key from now on. */
static void nothing_written(struct adopt_job *j) {
    struct image *i = j->c->hold.image;
    struct err e = i->removed ? err_new(ERR_CONFLICT, "the image was removed meanwhile") : OK;
    if (!err_failed(e))
        image_cache_put(j->c->all->config.images, str_of(j->key), i);
    committed(j, i, e);
}

static void adopt_finish(void *job, struct err e, struct op_run *run) {
    struct adopt_job *j = job;
    if (err_failed(e)) {
        adopt_end(j, e, NULL);
        op_end(run);
        return;
    }
    j->run = run;
    if (!j->wrote && j->c->hold.image) {
        nothing_written(j);
        return;
    }
    VEC(const char *) stubs = {0};
    for (size_t i = 0; i < j->c->mounts_n; i++)
        vec_push(&stubs, j->c->mounts[i].destination);
    struct image_commit commit = {
        .parent = j->c->hold.image,
        .upper_dirfd = j->dir,
        .upper = j->upper,
        .adopt = true,
        .has_latest = j->latest != INT64_MAX,
        .latest = j->latest,
        .stubs = stubs.items,
        .stubs_n = stubs.n,
        .drop_empty = true,
        .tar_fd = -1,
        .step = true,
        .cache_key = j->key,
    };
    image_commit(j->c->all->config.images, &commit, committed, j);
    vec_done(&stubs);
}

static const struct op adopt_op = {"container adopt", adopt_prepare, adopt_work, adopt_finish};

void container_adopt(struct container *c, const char *cache_key, int64_t latest,
                     void (*done)(void *arg, struct err e, const char *image_id), void *arg) {
    struct adopt_job *j = NEW(struct adopt_job);
    *j = (struct adopt_job){.c = c,
                            .key = mem_strdup(cache_key),
                            .latest = latest,
                            .dir = -1,
                            .done = done,
                            .arg = arg};
    op_start(c->all->config.loop, &c->queue, &adopt_op, j);
}
