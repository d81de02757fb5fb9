/* What a build owns while its builder is connected (spec/corten_build.h, "Leases"): the containers
 * of its steps, its secrets, its temporary directory. It all ends with the connection, whatever
 * became of the builder; what a daemon that was killed has left is removed when the next one
 * starts.
 */
#include "api/build_lease.h"
#include "api/handlers.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/time.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY "/dev/shm"
#define SECRET_MAX (512u << 10)
/* A request that was on its way when the builder died may still make a container. */
#define AGAIN_NS (2 * NSEC_PER_SEC)
#define AGAIN_TIMES 3

static void container_gone(void *arg UNUSED, struct err e) {
    if (err_kind(e) == ERR_NOT_FOUND || err_kind(e) == ERR_CONFLICT)
        err_ignore(e); /* the builder was removing it as well */
    else
        log_err(LOG_WARN, e, "remove a build's container");
}

void build_sweep_containers(const struct api *api, const char *id) {
    size_t n = 0;
    struct container *const *all = containers_all(api->containers, &n);
    VEC(struct container *) left = {0};
    for (size_t i = 0; i < n; i++) {
        const char *label = strmap_get(&all[i]->config->labels, BUILD_LABEL);
        if (label && (!id || strcmp(label, id) == 0))
            vec_push(&left, all[i]);
    }
    for (size_t i = 0; i < left.n; i++)
        container_remove(left.items[i], true, true, container_gone, NULL);
    vec_done(&left);
}

/* Directory of this daemon's secrets: in memory, its name from the run root. */
static char *secrets_dir(const struct api *api) {
    struct digest d;
    char hex[65];
    digest_of(str_of(api->run_root), &d);
    digest_hex(&d, hex);
    return mem_printf(MEMORY "/corten-build-%.16s", hex);
}

/* --- the lease ----------------------------------------------------------------------------------
 */
struct lease {
    const struct api *api;
    char id[65];
    struct http_taken taken;
    struct watch *watch;
    struct timer *again;
    unsigned times;
    char *dir;     /* of the builder, or NULL */
    char *secrets; /* of this daemon */
};

static struct err remove_below(const char *dir, const char *name) {
    CLEAN_FD int fd = -1;
    struct err e = dir_open(dir, &fd);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* nothing was ever made there */
        return OK;
    }
    TRY(e);
    return dir_remove(fd, name);
}

static struct err files_work(void *arg) {
    struct lease *l = arg;
    struct err e = l->dir ? remove_below(l->dir, l->id) : OK;
    struct err f = remove_below(l->secrets, l->id);
    if (!err_failed(e))
        return f;
    err_free(f); /* one of them is told */
    return e;
}

static void lease_free(struct lease *l) {
    timer_free(l->again);
    http_taken_done(&l->taken);
    free(l->dir);
    free(l->secrets);
    free(l);
}

static void look_again(void *arg) {
    struct lease *l = arg;
    build_sweep_containers(l->api, l->id);
    if (++l->times == AGAIN_TIMES)
        lease_free(l);
}

static void files_done(void *arg, struct err e) {
    struct lease *l = arg;
    log_err(LOG_WARN, e, "remove the files of build %.12s", l->id);
    (void)rmdir(l->secrets); /* the last one takes it along */
    l->again = timer_new(l->api->loop, AGAIN_NS, AGAIN_NS, look_again, l);
}

static void builder_gone(void *arg, unsigned events UNUSED) {
    struct lease *l = arg;
    l->watch = watch_free(l->watch);
    l->taken.fd = fd_close(l->taken.fd);
    build_sweep_containers(l->api, l->id);
    job_submit(l->api->loop, files_work, files_done, l);
}

static struct err check_id(const char *id) {
    if (!id || strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64)
        return err_new(ERR_INVALID, "query parameter 'id' must be 64 hex digits");
    return OK;
}

static struct err secrets_make(const char *dir, const char *id) {
    CLEAN_FREE char *own = path_join(dir, id);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(errno, "make '%s'", dir);
    if (mkdir(own, 0700) != 0)
        return err_kind_errno(errno == EEXIST ? ERR_CONFLICT : ERR_SYSTEM, errno,
                              "lease of build %.12s", id);
    return OK;
}

void api_build_lease(struct api_call *c) {
    const struct api *api = c->api;
    const char *id = api_query(c, "id"), *dir = api_query(c, "dir");
    CLEAN_FREE char *secrets = secrets_dir(api);
    struct err e = check_id(id);
    if (!err_failed(e) && dir && !path_is_abs(str_of(dir)))
        e = err_new(ERR_INVALID, "query parameter 'dir' must be an absolute path");
    if (!err_failed(e))
        e = secrets_make(secrets, id);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct lease *l = NEW(struct lease);
    *l = (struct lease){.api = api, .dir = mem_strdup_opt(dir), .secrets = TAKE(secrets)};
    snprintf(l->id, sizeof(l->id), "%s", id);
    if (!api_take_socket(c, &l->taken)) {
        l->taken = (struct http_taken){.fd = -1};
        builder_gone(l, 0);
        return;
    }
    CLEAN_BUF struct buf head = {0};
    http_hijack_head(&head, l->taken.upgrade, "application/json");
    if (send(l->taken.fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)head.len) {
        builder_gone(l, 0);
        return;
    }
    l->watch = watch_new(api->loop, l->taken.fd, WATCH_HANGUP | WATCH_CLOSED, builder_gone, l);
}

/* --- secrets ------------------------------------------------------------------------------------
 */
struct secret {
    int dir; /* of the build's secrets */
    const char *name, *path;
    int64_t uid, gid, mode;
};

/* Memory only: nothing here waits for a disk. */
static struct err secret_write(const struct secret *s, struct str value) {
    CLEAN_FD int fd = openat(s->dir, s->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                             0400);
    if (fd < 0)
        return err_errno(errno, "make a secret's file");
    int rc = fd_write_all(fd, value.p, value.len);
    if (rc < 0)
        return err_errno(-rc, "write a secret's file");
    if (fchown(fd, (uid_t)s->uid, (gid_t)s->gid) != 0 || fchmod(fd, (mode_t)s->mode) != 0)
        return err_errno(errno, "set the owner of a secret's file");
    return OK;
}

static struct err secret_find(struct api_call *c, struct secret *ret) {
    const char *id = api_query(c, "id");
    CLEAN_FREE char *base = secrets_dir(c->api);
    TRY(check_id(id));
    ret->name = api_query(c, "name");
    if (!ret->name || !path_is_name(str_of(ret->name)))
        return err_new(ERR_INVALID, "query parameter 'name' must be a file's name");
    const char *dir = arena_printf(&c->arena, "%s/%s", base, id);
    ret->path = arena_printf(&c->arena, "%s/%s", dir, ret->name);
    ret->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ret->dir < 0)
        return err_new(ERR_NOT_FOUND, "no lease of build %.12s", id);
    return OK;
}

static void secret_body(struct api_call *c, struct str body) {
    struct secret s = {.dir = -1, .mode = 0400};
    struct err e = secret_find(c, &s);
    if (!err_failed(e) && body.len > SECRET_MAX)
        e = err_new(ERR_INVALID, "a secret is larger than %u bytes", SECRET_MAX);
    if (!err_failed(e))
        e = api_query_i64(c, "uid", 0, UINT32_MAX - 1, &s.uid);
    if (!err_failed(e))
        e = api_query_i64(c, "gid", 0, UINT32_MAX - 1, &s.gid);
    if (!err_failed(e))
        e = api_query_i64(c, "mode", 0, 07777, &s.mode);
    if (!err_failed(e))
        e = secret_write(&s, body);
    fd_close(s.dir);
    struct build_secret_made doc = {.path = (char *)s.path};
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 201, &build_secret_made_fields, &doc);
}

void api_build_secret(struct api_call *c) {
    api_read_body(c, secret_body);
}

void api_build_secret_remove(struct api_call *c) {
    struct secret s = {.dir = -1};
    struct err e = secret_find(c, &s);
    if (!err_failed(e) && unlinkat(s.dir, s.name, 0) != 0 && errno != ENOENT)
        e = err_errno(errno, "remove a secret's file");
    fd_close(s.dir);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

/* --- what a daemon that was killed has left -----------------------------------------------------
 */
struct left {
    char *secrets, *data_root;
};

/* The builders' directories were put aside before this one served anything. */
static struct err left_work(void *arg) {
    struct left *l = arg;
    struct err e = remove_below(MEMORY, strrchr(l->secrets, '/') + 1);
    struct err f = remove_below(l->data_root, BUILD_TEMP_DEAD);
    if (!err_failed(e))
        return f;
    err_free(f); /* one of them is told */
    return e;
}

static void left_done(void *arg, struct err e) {
    struct left *l = arg;
    log_err(LOG_WARN, e, "remove what builds have left");
    free(l->secrets);
    free(l->data_root);
    free(l);
}

void build_restore(const struct api *api) {
    CLEAN_FREE char *secrets = secrets_dir(api);
    CLEAN_FREE char *temp = mem_printf("%s/" BUILD_TEMP, api->data_root);
    CLEAN_FREE char *dead = mem_printf("%s/" BUILD_TEMP_DEAD, api->data_root);
    CLEAN_FREE char *secrets_dead = mem_printf("%s-dead", secrets);
    bool any = rename(temp, dead) == 0;
    any |= rename(secrets, secrets_dead) == 0;
    any |= access(dead, F_OK) == 0 || access(secrets_dead, F_OK) == 0;
    build_sweep_containers(api, NULL);
    if (!any)
        return;
    struct left *l = NEW(struct left);
    *l = (struct left){.secrets = TAKE(secrets_dead), .data_root = mem_strdup(api->data_root)};
    job_submit(api->loop, left_work, left_done, l);
}
