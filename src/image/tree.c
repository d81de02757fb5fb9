/* Looking into an image's root file system, for the builder (spec/corten_build.h): the jobs
 * image-tree and image-stat of corten-worker. The layers are mounted as one detached tree,
 * read-only; every path is resolved inside it. */
#include "image/tree.h"
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/time.h"
#include "http/body.h"
#include "kernel/beneath.h"
#include "kernel/mount.h"
#include "kernel/xattr.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- the root file system
 * ---------------------------------------------------------------------------------------- */

struct look {
    struct json *args;
    int client, rootfs;
    bool begun; /* the answer's head is written */
};

static struct err mount_layers(const struct json *args, int layers_fd, int *ret_fd) {
    const struct json *list = json_get(args, "layers");
    const char *names[MOUNT_LAYERS_MAX];
    CLEAN_ARENA struct arena a = {0};
    size_t n = json_len(list);
    if (n > MOUNT_LAYERS_MAX)
        return err_new(ERR_INVALID, "more than %d layers", MOUNT_LAYERS_MAX);
    for (size_t i = 0; i < n; i++)
        names[i] = arena_str(&a, json_str(json_at(list, i)));
    if (n == 0) /* from scratch: nothing is anywhere */
        return mount_new_fs("tmpfs", NULL, NULL, 0, MOUNT_ATTR_RDONLY, 0x01021994, ret_fd);
    struct mount_overlay o = {
        .layers_fd = layers_fd, .layers = names, .layers_n = n, .upper_fd = -1, .work_fd = -1};
    return mount_overlay_detached(&o, ret_fd);
}

static struct err look_open(struct str args, const int *fds, size_t fds_n, struct look *l) {
    *l = (struct look){.client = -1, .rootfs = -1};
    if (fds_n != 2)
        return err_new(ERR_INVALID, "expected two descriptors, got %zu", fds_n);
    l->client = fds[0];
    TRY(json_parse(args, &l->args));
    return mount_layers(l->args, fds[1], &l->rootfs);
}

/* The client is told of an error as long as its answer has not begun; after that it sees a cut
 * stream. */
static struct err look_close(struct look *l, struct err e) {
    if (err_failed(e) && !l->begun && l->client >= 0) {
        CLEAN_BUF struct buf out = {0};
        http_error_answer(&out, http_error_status(err_kind(e)), err_msg(e));
        if (fd_write_all(l->client, out.data, out.len) < 0)
            log_debug("the client has left");
        if (err_kind(e) == ERR_NOT_FOUND) {
            err_free(e); /* an answer like any other */
            e = OK;
        }
    }
    json_free(l->args);
    fd_close(l->rootfs);
    return e;
}

/* --- image-tree
 * ----------------------------------------------------------------------------------------------------
 */

static struct err send_bytes(void *arg, const void *p, size_t n) {
    int r = http_answer_write(*(const int *)arg, str_n(p, n));
    return r < 0 ? err_kind_errno(ERR_CANCELLED, -r, "write to the client") : OK;
}

static bool is_image_attribute(const char *name) {
    return !strncmp(name, "user.", 5) || !strcmp(name, "security.capability") ||
           !strncmp(name, "system.posix_acl_", 17);
}

static struct err entry_of(int fd, const struct stat *st, struct arena *a, struct tar_entry *ret) {
    CLEAN_STRV struct strv names = {0};
    *ret = (struct tar_entry){
        .target = "",
        .mode = st->st_mode & 07777,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime = st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec,
    };
    TRY(xattr_list(fd, &names));
    for (size_t i = 0; i < names.n; i++) {
        CLEAN_BUF struct buf value = {0};
        if (!is_image_attribute(names.items[i]))
            continue;
        TRY(xattr_get(fd, names.items[i], &value));
        struct tar_xattr x = {arena_strz(a, names.items[i]),
                              str_n(arena_str(a, buf_str(&value)), value.len)};
        vec_push(&ret->xattrs, x);
    }
    return OK;
}

static struct err send_directory(int fd, const struct stat *st, const struct tar_sink *sink) {
    CLEAN_ARENA struct arena a = {0};
    struct tar_entry e;
    struct layer_tar done;
    TRY(entry_of(fd, st, &a, &e));
    e.type = TAR_DIR;
    e.path = "./";
    struct err r = tar_put_header(sink, &e);
    vec_done(&e.xattrs);
    TRY(r);
    return layer_tar(fd, LAYER_TAR_PLAIN, sink, &done);
}

static struct err send_data(int fd, uint64_t size, const struct tar_sink *sink) {
    char buffer[65536];
    for (uint64_t left = size; left > 0;) {
        ssize_t n = read(fd, buffer, MIN(left, sizeof buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_errno(errno, "read")
                         : err_new(ERR_SYSTEM, "the file became shorter");
        TRY(tar_put_data(sink, buffer, (size_t)n));
        left -= (uint64_t)n;
    }
    return tar_put_padding(sink, size);
}

static struct err send_file(int fd, const struct stat *st, const char *name,
                            const struct tar_sink *sink) {
    CLEAN_ARENA struct arena a = {0};
    struct tar_entry e;
    TRY(entry_of(fd, st, &a, &e));
    e.path = name;
    e.major = major(st->st_rdev);
    e.minor = minor(st->st_rdev);
    e.type = S_ISREG(st->st_mode)   ? TAR_FILE
             : S_ISCHR(st->st_mode) ? TAR_CHAR
             : S_ISBLK(st->st_mode) ? TAR_BLOCKDEV
                                    : TAR_FIFO;
    e.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    struct err r = tar_put_header(sink, &e);
    vec_done(&e.xattrs);
    TRY(r);
    if (e.type == TAR_FILE)
        TRY(send_data(fd, e.size, sink));
    return tar_put_end(sink);
}

static struct err tree_run(struct look *l) {
    CLEAN_FREE char *path = str_dup(json_str(json_get(l->args, "path")));
    CLEAN_FD int probe = -1;
    CLEAN_FD int fd = -1;
    struct stat st;
    TRY(beneath_open(l->rootfs, path, O_PATH, 0, &probe));
    if (fstat(probe, &st) != 0)
        return err_errno(errno, "stat '%s'", path);
    bool readable = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
    if (readable)
        TRY(beneath_open(l->rootfs, path, O_RDONLY | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0), 0,
                         &fd));
    int r = http_answer_begin(l->client, 200, "application/x-tar", NULL);
    if (r < 0)
        return err_kind_errno(ERR_CANCELLED, -r, "write to the client");
    l->begun = true;
    const struct tar_sink sink = {send_bytes, &l->client};
    CLEAN_FREE char *name = str_dup(path_base(str_of(path)));
    if (S_ISDIR(st.st_mode))
        TRY(send_directory(fd, &st, &sink));
    else
        TRY(send_file(readable ? fd : probe, &st, name, &sink));
    r = http_answer_end(l->client);
    return r < 0 ? err_kind_errno(ERR_CANCELLED, -r, "write to the client") : OK;
}

struct err image_tree_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                          size_t fds_n, struct buf *ret_result UNUSED) {
    struct look l;
    struct err e = look_open(args, fds, fds_n, &l);
    if (!err_failed(e))
        e = tree_run(&l);
    return look_close(&l, e);
}

/* --- image-stat
 * ----------------------------------------------------------------------------------------------------
 */

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    default:
        return "device";
    }
}

/* Where an open path lies in the tree: the kernel's own words, relative to the detached mount. */
static struct err place_of(int fd, char out[PATH_MAX]) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n <= 0 || out[0] != '/')
        return err_errno(n < 0 ? errno : EINVAL, "resolve a path in the image");
    out[n] = '\0';
    return OK;
}

static struct err stat_one(int rootfs, const char *path, struct arena *a, struct build_stat *ret) {
    CLEAN_FREE char *existing = mem_strdup(path);
    const char *rest = "";
    char place[PATH_MAX];
    for (;;) {
        CLEAN_FD int fd = -1;
        struct err e = beneath_open(rootfs, existing, O_PATH, 0, &fd);
        if (err_kind(e) == ERR_NOT_FOUND && strrchr(existing, '/')) {
            err_free(e);
            char *slash = strrchr(existing, '/');
            rest = path + (slash - existing);
            *slash = '\0';
            continue;
        }
        TRY(e);
        TRY(place_of(fd, place));
        struct stat st;
        if (fstat(fd, &st) != 0)
            return err_errno(errno, "stat '%s'", path);
        CLEAN_FREE char *whole = path_join(place, rest);
        CLEAN_FREE char *clean = path_clean(str_of(whole));
        ret->path = arena_strz(a, clean);
        ret->type = arena_strz(a, *rest ? "" : type_name(st.st_mode));
        if (*rest)
            return OK;
        ret->mode = st.st_mode & 07777;
        ret->uid = st.st_uid;
        ret->gid = st.st_gid;
        ret->mtime = st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec;
        return OK;
    }
}

static struct err stat_run(struct look *l) {
    CLEAN_ARENA struct arena a = {0};
    struct build_stat_query q;
    struct build_stat_reply reply = {.entries.present = true};
    TRY(fields_decode_json(&build_stat_query_fields, json_get(l->args, "query"), "", &a, &q));
    if (q.paths.n > BUILD_STAT_PATHS_MAX)
        return err_new(ERR_INVALID, "Paths: more than %d", BUILD_STAT_PATHS_MAX);
    reply.entries.items = arena_array(&a, q.paths.n + 1, sizeof(struct build_stat));
    reply.entries.n = q.paths.n;
    for (size_t i = 0; i < q.paths.n; i++) {
        if (!path_is_abs(str_of(q.paths.items[i])))
            return err_new(ERR_INVALID, "Paths[%zu]: '%s' is not absolute", i, q.paths.items[i]);
        TRY(stat_one(l->rootfs, q.paths.items[i], &a,
                     (struct build_stat *)reply.entries.items + i));
    }
    CLEAN_BUF struct buf body = {0}, out = {0};
    fields_print(&build_stat_reply_fields, &reply, &body);
    http_plain_answer(&out, 200, "application/json", buf_str(&body));
    l->begun = true;
    int r = fd_write_all(l->client, out.data, out.len);
    return r < 0 ? err_kind_errno(ERR_CANCELLED, -r, "write to the client") : OK;
}

struct err image_stat_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                          size_t fds_n, struct buf *ret_result UNUSED) {
    struct look l;
    struct err e = look_open(args, fds, fds_n, &l);
    if (!err_failed(e))
        e = stat_run(&l);
    return look_close(&l, e);
}
