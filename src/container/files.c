/* archive, export, changes: the daemon's side. See files.h. */
#include "container/files.h"
#include "base/log.h"
#include "container/private.h"
#include "http/body.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct field mount_rows[] = {
    FIELD(struct files_mount, source, "Source", F_STR),
    FIELD(struct files_mount, destination, "Destination", F_STR),
    FIELD(struct files_mount, rw, "RW", F_BOOL),
    FIELD(struct files_mount, keep, "Keep", F_U32, .flags = OMIT_EMPTY),
    FIELD(struct files_mount, subpath, "Subpath", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct files_mount, layers, "Layers", F_STRS, .flags = OMIT_EMPTY),
    FIELD(struct files_mount, type, "Type", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct files_mount, device, "Device", F_STR, .flags = OMIT_EMPTY),
    FIELD(struct files_mount, option, "Option", F_STR, .flags = OMIT_EMPTY),
};
static const struct fields mount_fields = {"mount", sizeof(struct files_mount), mount_rows,
                                           ARRAY_LEN(mount_rows)};
#define F(member, name, kind, ...) FIELD(struct files_args, member, name, kind, ##__VA_ARGS__)
FIELDS(files_args_fields, struct files_args, F(what, "What", F_U32), F(name, "Name", F_STR),
       F(path, "Path", F_STR), F(layers, "Layers", F_STRS), F(upper, "Upper", F_STR),
       F(directory, "Directory", F_STR), F(place, "Place", F_STR), F(pid, "Pid", F_I64),
       F(start_time, "StartTime", F_U64), F(mounts, "Mounts", F_ARRAY, .sub = &mount_fields),
       F(read_only, "ReadOnly", F_BOOL), F(keep_kind, "KeepKind", F_BOOL), F(own, "Own", F_BOOL),
       F(volume, "Volume", F_BOOL, .flags = OMIT_EMPTY), F(user, "User", F_STR));
#undef F

struct files_job {
    struct containers *cs;
    char id[65];
    char *event; /* published when all went well; NULL: none */
    char *name;
    char *path;
    enum files_what what;
    struct container_files options;
    struct http_taken taken;
    struct op_run *run; /* held until the worker has ended */
};

static void job_free(struct files_job *j) {
    http_taken_done(&j->taken);
    free(j->name);
    free(j->path);
    free(j);
}

/* One that has begun answers by itself; of a put, only what went well. */
static void files_begun(void *arg, struct err e) {
    struct files_job *j = arg;
    if (err_failed(e) && j->what != FILES_PUT)
        http_taken_refuse(j->cs->config.loop, &j->taken, e);
}

static void files_done(void *arg, struct str result UNUSED, struct err e) {
    struct files_job *j = arg;
    struct container *c = map_getz(&j->cs->by_id, j->id);
    if (err_failed(e) && j->what == FILES_PUT)
        http_taken_refuse(j->cs->config.loop, &j->taken, e);
    if (err_failed(e))
        log_err(LOG_DEBUG, e, "files of container %s", j->id);
    else if (c && j->event)
        container_publish(c, j->event, NULL, NULL);
    if (j->run)
        op_end(j->run);
    job_free(j);
}

/* The job's descriptors: three of the call's, then keeps. */
struct files_fds {
    int items[3 + MONITOR_KEEPS_MAX];
    size_t n;
};

static struct err add_mount(struct container *c, const struct container_mount *m, struct arena *a,
                            struct files_fds *fds, struct files_args *x) {
    struct files_mount *f = objs_add(&x->mounts, a, sizeof *f);
    *f = (struct files_mount){
        .source = m->source, .destination = m->destination, .rw = m->rw, .subpath = m->subpath};
    if (m->image) {
        const char *const *layers;
        size_t n;
        TRY(image_layer_names(m->image->image, a, &layers, &n));
        for (size_t i = 0; i < n; i++)
            strs_add(&f->layers, a, layers[i]);
    }
    const struct volume *v = !strcmp(m->type, "volume")
                                 ? volume_find(c->all->config.volumes, m->name)
                                 : NULL;
    if (!v || !volume_is_mounted(v))
        return OK;
    if (volume_keep(v) >= 0 && fds->n < ARRAY_LEN(fds->items)) {
        fds->items[fds->n++] = volume_keep(v);
        f->keep = (uint32_t)fds->n - 3;
    }
    if (!f->keep && volume_is_plugged(v))
        return err_new(ERR_CONFLICT, "volume %s is its plugin's, and no container runs with it",
                       v->name);
    f->type = (char *)(uintptr_t)strmap_get(&v->options, "type");
    f->device = (char *)(uintptr_t)strmap_get(&v->options, "device");
    f->option = (char *)(uintptr_t)strmap_get(&v->options, "o");
    return OK;
}

static struct err compose(const struct files_job *j, struct container *c, struct arena *a,
                          struct files_fds *fds, struct files_args *x) {
    const char *const *layers;
    size_t n;
    *x = (struct files_args){
        .what = j->what,
        .name = j->name,
        .path = j->path,
        .directory = c->directory,
        .place = arena_printf(a, "%s/container", c->all->config.run_root),
        .read_only = c->host->readonly_rootfs,
        .keep_kind = j->options.keep_kind,
        .own = j->options.own,
        .user = c->config->user,
    };
    TRY(image_layer_names(c->hold.image, a, &layers, &n));
    for (size_t i = 0; i < n; i++)
        strs_add(&x->layers, a, layers[i]);
    /* From <data root>/image/layer. */
    x->upper = arena_printf(a, "../../%s/upper",
                            c->directory + strlen(c->all->config.data_root) + 1);
    bool mounts = j->what == FILES_STAT || j->what == FILES_GET || j->what == FILES_PUT;
    if (mounts && container_is_alive(c)) {
        x->pid = c->pid;
        x->start_time = c->start_time;
    }
    for (size_t i = 0; mounts && i < c->mounts_n; i++) {
        const struct container_mount *m = &c->mounts[i];
        if (m->source)
            TRY(add_mount(c, m, a, fds, x));
    }
    return OK;
}

struct err files_pack_body(const struct http_taken *t, int *ret_fd) {
    CLEAN_BUF struct buf packed = {0};
    http_body_pack(&t->body, buf_str(&t->early), &packed);
    CLEAN_FD int fd = memfd_create("corten-body", MFD_CLOEXEC);
    if (fd < 0 || pwrite(fd, packed.data, packed.len, 0) != (ssize_t)packed.len)
        return err_errno(errno, "pass the request's body on");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err run_worker(struct files_job *j, struct container *c) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    CLEAN_FD int body = -1;
    struct files_args x;
    if (!c->hold.image || c->gone)
        return err_new(ERR_NOT_FOUND, "No such container: %s", j->name);
    struct files_fds fds = {.n = 3};
    TRY(compose(j, c, &a, &fds, &x));
    TRY(files_pack_body(&j->taken, &body));
    fields_print(&files_args_fields, &x, &text);
    fds.items[0] = j->taken.fd;
    fds.items[1] = images_layers_dirfd(c->all->config.images);
    fds.items[2] = body;
    struct worker_start s = {
        .program = c->all->config.worker_program,
        .job = "container-files",
        .args = buf_str(&text),
        .fds = fds.items,
        .fds_n = fds.n,
        .begun = files_begun,
        .done = files_done,
        .arg = j,
    };
    worker_start(c->all->config.loop, &s);
    return OK;
}

static void start_job(struct files_job *j, struct container *c) {
    struct err e = run_worker(j, c);
    if (!err_failed(e))
        return;
    http_taken_refuse(j->cs->config.loop, &j->taken, e);
    err_ignore(e); /* the client has it */
    if (j->run)
        op_end(j->run);
    job_free(j);
}

/* Writing into what is not mounted by anybody else: nothing may start meanwhile. */
static struct err put_prepare(void *job UNUSED) {
    return OK;
}

static void put_finish(void *job, struct err e, struct op_run *run) {
    struct files_job *j = job;
    struct container *c = map_getz(&j->cs->by_id, j->id);
    err_ignore(e); /* nothing was done that could fail */
    if (!c) {
        CLEAN_ERR struct err none = err_new(ERR_NOT_FOUND, "No such container: %s", j->name);
        http_taken_refuse(j->cs->config.loop, &j->taken, none);
        job_free(j);
        op_end(run);
        return;
    }
    if (!container_is_alive(c)) {
        j->run = run;
        start_job(j, c);
        return;
    }
    op_end(run);
    start_job(j, c);
}

static const struct op put_op = {"container archive", put_prepare, NULL, put_finish};

static void start_files(struct container *c, enum files_what what, const char *event,
                        const struct container_files *o, struct http_taken *taken) {
    struct files_job *j = NEW(struct files_job);
    j->cs = c->all;
    j->what = what;
    j->event = (char *)(uintptr_t)event;
    j->options = *o;
    j->name = mem_strdup(o->name ? o->name : c->name);
    j->path = mem_strdup(o->path ? o->path : "");
    memcpy(j->id, c->id, sizeof j->id);
    j->taken = *taken;
    *taken = (struct http_taken){.fd = -1};
    if (what == FILES_PUT && !container_is_alive(c))
        op_start(c->all->config.loop, &c->queue, &put_op, j);
    else
        start_job(j, c);
}

void container_archive(struct container *c, enum container_archive what,
                       const struct container_files *o, struct http_taken *taken) {
    static const struct {
        enum files_what what;
        const char *event;
    } ways[] = {
        [CONTAINER_ARCHIVE_STAT] = {FILES_STAT, NULL},
        [CONTAINER_ARCHIVE_GET] = {FILES_GET, "archive-path"},
        [CONTAINER_ARCHIVE_PUT] = {FILES_PUT, "extract-to-dir"},
    };
    start_files(c, ways[what].what, ways[what].event, o, taken);
}

void container_export(struct container *c, struct http_taken *taken) {
    const struct container_files o = {0};
    start_files(c, FILES_EXPORT, "export", &o, taken);
}

void container_changes(struct container *c, struct http_taken *taken) {
    const struct container_files o = {0};
    start_files(c, FILES_CHANGES, NULL, &o, taken);
}
