/* The files of a volume from outside: the same job as a container's, with the volume as the root.
 */
#include "base/random.h"
#include "container/files.h"
#include "container/private.h"
#include <stdlib.h>
#include <unistd.h>

struct volume_job {
    struct containers *cs;
    struct http_taken taken;
    enum files_what what;
    char *volume;
    char hold[65]; /* the volume stays as long as this works on it */
};

static void job_end(struct volume_job *j, struct err e) {
    volume_unhold(j->cs->config.volumes, j->volume, j->hold);
    log_err(LOG_DEBUG, e, "files of volume %s", j->volume);
    http_taken_done(&j->taken);
    free(j->volume);
    free(j);
}

/* As for a container's files: one that has begun answers by itself; of a put, only what went well.
 */
static void begun(void *arg, struct err e) {
    struct volume_job *j = arg;
    if (err_failed(e) && j->what != FILES_PUT)
        http_taken_refuse(j->cs->config.loop, &j->taken, e);
}

static void done(void *arg, struct str result UNUSED, struct err e) {
    struct volume_job *j = arg;
    if (err_failed(e) && j->what == FILES_PUT) /* the others are told by the worker */
        http_taken_refuse(j->cs->config.loop, &j->taken, e);
    job_end(j, e);
}

static struct err run(struct volume_job *j, struct volume *v, enum files_what what,
                      const struct container_files *o) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    CLEAN_FD int body = -1;
    int keep = volume_keep(v);
    const char *type = strmap_get(&v->options, "type");
    if (keep < 0 && what == FILES_PUT && type && !strcmp(type, "tmpfs"))
        return err_new(ERR_CONFLICT, "volume %s is in memory, and no container runs with it",
                       v->name);
    if (keep < 0 && volume_is_plugged(v))
        return err_new(ERR_CONFLICT, "volume %s is its plugin's, and no container runs with it",
                       v->name);
    struct files_args x = {.what = what,
                           .name = v->name,
                           .path = (char *)(uintptr_t)(o->path ? o->path : ""),
                           .keep_kind = o->keep_kind,
                           .volume = true};
    struct files_mount *m = objs_add(&x.mounts, &a, sizeof(*m));
    *m = (struct files_mount){.source = v->mountpoint,
                              .destination = (char *)(uintptr_t) "/",
                              .rw = true,
                              .keep = keep >= 0,
                              .type = (char *)(uintptr_t)type,
                              .device = (char *)(uintptr_t)strmap_get(&v->options, "device"),
                              .option = (char *)(uintptr_t)strmap_get(&v->options, "o")};
    TRY(files_pack_body(&j->taken, &body));
    fields_print(&files_args_fields, &x, &text);
    int fds[] = {j->taken.fd, images_layers_dirfd(j->cs->config.images), body, keep};
    struct worker_start s = {
        .program = j->cs->config.worker_program,
        .job = "container-files",
        .args = buf_str(&text),
        .fds = fds,
        .fds_n = keep >= 0 ? 4 : 3,
        .begun = begun,
        .done = done,
        .arg = j,
    };
    worker_start(j->cs->config.loop, &s);
    return OK;
}

void container_volume_files(struct containers *cs, struct volume *v, enum container_archive what,
                            const struct container_files *o, struct http_taken *taken) {
    static const enum files_what jobs[] = {
        [CONTAINER_ARCHIVE_STAT] = FILES_STAT,
        [CONTAINER_ARCHIVE_GET] = FILES_GET,
        [CONTAINER_ARCHIVE_PUT] = FILES_PUT,
        [CONTAINER_ARCHIVE_ALL] = FILES_EXPORT,
    };
    struct volume_job *j = NEW(struct volume_job);
    j->cs = cs;
    j->taken = *taken;
    j->what = jobs[what];
    *taken = (struct http_taken){.fd = -1};
    j->volume = mem_strdup(v->name);
    random_id(j->hold);
    struct err e = volume_hold(cs->config.volumes, v->name, j->hold);
    if (!err_failed(e))
        e = run(j, v, jobs[what], o);
    if (!err_failed(e))
        return;
    http_taken_refuse(cs->config.loop, &j->taken, e);
    err_ignore(e); /* the client has it */
    job_end(j, OK);
}
