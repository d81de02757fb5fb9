/* The job "container-files": answers one archive, export or changes call on the client's socket. */
#include "archive/decode.h"
#include "archive/extract.h"
#include "archive/layer_tar.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/time.h"
#include "container/files.h"
#include "container/private.h"
#include "http/body.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BODY_HEAD_MAX (4u << 20) /* state and early bytes of the request's body */

struct files_run {
    struct arena arena;
    struct files_args args;
    int client, layers, body, root;
    const int *keeps;
    size_t keeps_n;
    bool begun; /* the answer's head is written */
};

/* --- answers
 * ------------------------------------------------------------------------------------------- */

static struct err send_all(const struct files_run *r, struct str bytes) {
    int n = fd_write_all(r->client, bytes.p, bytes.len);
    return n < 0 ? err_kind_errno(ERR_CANCELLED, n, "write to the client") : OK;
}

static struct err send_chunk(void *arg, const void *p, size_t n) {
    int r = http_answer_write(*(const int *)arg, str_n(p, n));
    return r < 0 ? err_kind_errno(ERR_CANCELLED, r, "write to the client") : OK;
}

static struct err begin_tar(struct files_run *r, const char *extra) {
    int n = http_answer_begin(r->client, 200, "application/x-tar", extra);
    if (n < 0)
        return err_kind_errno(ERR_CANCELLED, n, "write to the client");
    r->begun = true;
    return OK;
}

static struct err end_tar(const struct files_run *r) {
    int n = http_answer_end(r->client);
    return n < 0 ? err_kind_errno(ERR_CANCELLED, n, "write to the client") : OK;
}

/* --- what a path means
 * ----------------------------------------------------------------------------- */

/* The client's path as an absolute one that keeps a closing "/" or "/.": both say that a link at
 * its end is followed, and the last part is the name in the archive. */
static char *absolute(const char *path, struct arena *a) {
    CLEAN_FREE char *whole = mem_printf("/%s", path);
    CLEAN_FREE char *clean = path_clean(str_of(whole));
    struct str p = str_of(whole);
    bool dot = str_ends(p, STR("/.")), slash = str_ends(p, STR("/"));
    bool top = strcmp(clean, "/") == 0;
    return arena_printf(a, "%s%s", clean, dot && top ? "." : dot ? "/." : slash && !top ? "/" : "");
}

/* As Go's filepath.Base: "/" for the root. */
static const char *base_name(const char *path, struct arena *a) {
    struct str base = path_base(str_of(path));
    return base.len ? arena_str(a, base) : "/";
}

static bool follows(const char *path) {
    struct str p = str_of(path);
    return str_ends(p, STR("/")) || str_ends(p, STR("/."));
}

struct target {
    char *path;       /* absolute */
    const char *base; /* name for people and the archive */
    int dir;          /* owned */
    const char *name; /* in dir; "." when the last link was followed */
    struct stat st;
    char *link; /* where it leads, when it is a link; "" */
};

static void target_done(struct target *t) {
    fd_close(t->dir);
    free(t->link);
}
#define CLEAN_TARGET OWN(target_done)

static struct err not_found(const struct files_run *r, struct err e) {
    if (err_kind(e) != ERR_NOT_FOUND || err_errnum(e) == ENOTDIR)
        return err_kind(e) == ERR_NOT_FOUND ? err_as(e, ERR_INVALID) : e;
    err_free(e);
    return err_new(ERR_NOT_FOUND, "Could not find the file %s in %s %s", r->args.path,
                   r->args.volume ? "volume" : "container", r->args.name);
}

static struct err find_target(struct files_run *r, struct target *t) {
    struct err e;
    *t = (struct target){.dir = -1};
    t->path = absolute(r->args.path, &r->arena);
    t->base = base_name(t->path, &r->arena);
    if (follows(t->path)) {
        t->name = ".";
        e = beneath_open(r->root, t->path, O_RDONLY | O_DIRECTORY, 0, &t->dir);
    } else {
        e = beneath_parent(r->root, t->path, false, &t->dir, &t->name);
    }
    if (err_failed(e))
        return not_found(r, e);
    if (fstatat(t->dir, t->name, &t->st, AT_SYMLINK_NOFOLLOW) != 0)
        return not_found(r, err_kind_errno(errno == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM, errno,
                                           "stat '%s'", t->path));
    t->link = S_ISLNK(t->st.st_mode) ? files_resolve(r->root, t->path) : mem_strdup("");
    return OK;
}

/* Go's os.FileMode: permissions below, kinds above. */
static uint32_t go_mode(mode_t m) {
    static const struct {
        mode_t kind;
        uint32_t bits;
    } kinds[] = {{S_IFDIR, 1u << 31}, {S_IFLNK, 1u << 27},  {S_IFBLK, 1u << 26},
                 {S_IFIFO, 1u << 25}, {S_IFSOCK, 1u << 24}, {S_IFCHR, 1u << 26 | 1u << 21}};
    uint32_t mode = m & 0777;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if ((m & S_IFMT) == kinds[i].kind)
            mode |= kinds[i].bits;
    mode |= m & S_ISUID ? 1u << 23 : 0;
    mode |= m & S_ISGID ? 1u << 22 : 0;
    return mode | (m & S_ISVTX ? 1u << 20 : 0);
}

/* The line "X-Docker-Container-Path-Stat: …". */
static void stat_header(const struct target *t, struct buf *out) {
    CLEAN_BUF struct buf json = {0};
    struct api_path_stat s = {
        .name = (char *)(uintptr_t)t->base,
        .size = t->st.st_size,
        .mode = go_mode(t->st.st_mode),
        .mtime = t->st.st_mtim.tv_sec * NSEC_PER_SEC + t->st.st_mtim.tv_nsec,
        .link_target = t->link,
    };
    fields_print(&api_path_stat_fields, &s, &json);
    buf_adds(out, "X-Docker-Container-Path-Stat: ");
    base64_encode(buf_str(&json), out);
    buf_adds(out, "\r\n");
}

/* --- the calls
 * ---------------------------------------------------------------------------------------- */

static struct err run_stat(struct files_run *r) {
    CLEAN_TARGET struct target t;
    CLEAN_BUF struct buf head = {0};
    TRY(find_target(r, &t));
    buf_adds(&head, "HTTP/1.1 200 OK\r\n");
    stat_header(&t, &head);
    buf_adds(&head, "Content-Length: 0\r\nConnection: close\r\n\r\n");
    r->begun = true;
    return send_all(r, buf_str(&head));
}

static struct err run_get(struct files_run *r) {
    CLEAN_TARGET struct target t;
    CLEAN_BUF struct buf header = {0};
    struct layer_tar done;
    const struct tar_sink sink = {send_chunk, &r->client};
    TRY(find_target(r, &t));
    stat_header(&t, &header);
    TRY(begin_tar(r, buf_cstr(&header)));
    const char *as = strcmp(t.base, "/") == 0 ? "" : t.base;
    TRY(layer_tar_tree(t.dir, t.name, as, LAYER_TAR_PLAIN, &sink, &done));
    return end_tar(r);
}

static struct err run_export(struct files_run *r) {
    struct layer_tar done;
    const struct tar_sink sink = {send_chunk, &r->client};
    TRY(begin_tar(r, NULL));
    TRY(layer_tar(r->root, LAYER_TAR_PLAIN, &sink, &done));
    return end_tar(r);
}

static struct err changes_below(struct files_run *r, int dir, const char *name, struct buf *ret) {
    CLEAN_FD int upper = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int image = -1;
    if (upper < 0)
        return err_errno(errno, "open what the container wrote");
    TRY(files_open_image(&r->args, r->layers, &image));
    return files_changes(upper, image, ret);
}

static struct err compare_whole(struct files_run *r, struct buf *ret) {
    CLEAN_FD int dir = -1;
    char name[32];
    TRY(dir_open(r->args.directory, &dir));
    struct rootfs root = {.layers_fd = r->layers,
                          .layers = (const char *const *)r->args.layers.items,
                          .layers_n = r->args.layers.n,
                          .dir_fd = dir};
    TRY(rootfs_written(&root, name));
    struct err e = changes_below(r, dir, name, ret);
    err_ignore(dir_remove(dir, name)); /* it goes with the container at the latest */
    return e;
}

static struct err run_changes(struct files_run *r) {
    CLEAN_BUF struct buf json = {0}, out = {0};
    TRY(r->args.whole ? compare_whole(r, &json)
                      : changes_below(r, r->layers, r->args.upper, &json));
    http_plain_answer(&out, 200, "application/json", buf_str(&json));
    r->begun = true;
    return send_all(r, buf_str(&out));
}

/* --- put
 * ------------------------------------------------------------------------------------------------
 */

static struct err open_body(struct files_run *r, struct stream **ret) {
    CLEAN_BUF struct buf packed = {.max = BODY_HEAD_MAX};
    struct http_body_state state;
    struct str early;
    lseek(r->body, 0, SEEK_SET);
    int n = fd_read_buf(r->body, &packed);
    if (n < 0 || packed.overflow)
        return err_errno(n < 0 ? n : -E2BIG, "read the state of the request");
    TRY(http_body_unpack(buf_str(&packed), &state, &early));
    *ret = http_body_stream(http_body_new(r->client, &state, early), true);
    return OK;
}

/* "below": the destination's path without a slash at either end. */
static struct err open_destination(struct files_run *r, char **ret_below) {
    CLEAN_FD int fd = -1;
    struct stat st;
    struct statvfs fs;
    char *path = absolute(r->args.path, &r->arena);
    struct err e = beneath_open(r->root, path, O_PATH, 0, &fd);
    if (err_failed(e))
        return not_found(r, e);
    if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_new(ERR_INVALID, "extraction point is not a directory");
    const struct files_mount *m = r->args.mounts.items;
    bool in_volume = false;
    for (size_t i = 0; i < r->args.mounts.n; i++) {
        size_t n = strlen(m[i].destination);
        in_volume |= strncmp(path, m[i].destination, n) == 0 && (path[n] == '/' || path[n] == '\0');
    }
    if (!in_volume && r->args.read_only)
        return err_new(ERR_FORBIDDEN, "container rootfs is marked read-only");
    if (fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY))
        return err_new(ERR_FORBIDDEN, in_volume ? "mounted volume is marked read-only"
                                                : "container rootfs is marked read-only");
    CLEAN_FREE char *clean = path_clean(str_of(path));
    *ret_below = arena_strz(&r->arena, clean + 1);
    return OK;
}

static struct err run_put(struct files_run *r) {
    CLEAN_STREAM struct stream *body = NULL;
    CLEAN_STREAM struct stream *plain = NULL;
    CLEAN_BUF struct buf out = {0};
    struct extracted done;
    char *below;
    TRY(open_destination(r, &below));
    struct extract_into o = {
        .below = below,
        .flags = (r->args.keep_kind ? EXTRACT_KEEP_KIND : 0) | (r->args.own ? EXTRACT_OWNER : 0),
    };
    if (r->args.own)
        TRY(monitor_user_ids(r->root, r->args.user ? r->args.user : "", &o.uid, &o.gid));
    TRY(open_body(r, &body));
    TRY(decode_open(stream_borrow(body), &plain));
    umask(0);
    TRY(extract_into(plain, r->root, &o, &extract_default_limits, &done));
    http_plain_answer(&out, 200, NULL, STR_NONE);
    r->begun = true;
    return send_all(r, buf_str(&out));
}

/* --- the job
 * ------------------------------------------------------------------------------------------ */

/* What lies in the container's directory says which driver made it. */
static void look_at_root(struct files_run *r) {
    CLEAN_FD int dir = r->args.volume ? -1 : open(r->args.directory, O_PATH | O_CLOEXEC);
    r->args.whole = dir >= 0 && rootfs_is_whole(dir);
    if (r->args.whole)
        r->args.upper = arena_printf(&r->arena, "%s/" ROOTFS_WHOLE,
                                     arena_str(&r->arena, path_dir(str_of(r->args.upper))));
}

static struct err run_all(struct files_run *r) {
    look_at_root(r);
    if (r->args.what == FILES_CHANGES)
        return run_changes(r);
    TRY(files_open_root(&r->args, r->layers, r->keeps, r->keeps_n, &r->root));
    switch ((enum files_what)r->args.what) {
    case FILES_STAT:
        return run_stat(r);
    case FILES_GET:
        return run_get(r);
    case FILES_PUT:
        return run_put(r);
    case FILES_EXPORT:
        return run_export(r);
    case FILES_CHANGES:
        break;
    }
    return err_new(ERR_INVALID, "unknown job");
}

/* As long as the answer has not begun the client is told of an error; after that it sees a cut
 * stream. Who uploads may be sending still: the daemon tells him, and stays to the end. */
static void tell(struct files_run *r, struct err e) {
    CLEAN_BUF struct buf out = {0};
    if (!err_failed(e) || r->begun || r->client < 0 || r->args.what == FILES_PUT)
        return;
    http_error_answer(&out, http_error_status(err_kind(e)), err_msg(e));
    if (fd_write_all(r->client, out.data, out.len) < 0)
        log_debug("the client has left");
}

static struct err files_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                            size_t fds_n, struct buf *ret_result UNUSED) {
    struct files_run r = {.client = -1, .root = -1};
    if (fds_n < 3)
        return err_new(ERR_INVALID, "container-files: expected three descriptors, got %zu", fds_n);
    r.keeps = fds + 3;
    r.keeps_n = fds_n - 3;
    r.client = fds[0];
    r.layers = fds[1];
    r.body = fds[2];
    struct err e = fd_set_nonblock(r.client, false);
    if (!err_failed(e))
        e = fields_decode(&files_args_fields, args, &r.arena, &r.args);
    if (!err_failed(e))
        e = run_all(&r);
    tell(&r, e);
    fd_close(r.root);
    arena_done(&r.arena);
    return e;
}

const struct worker_job container_jobs[] = {
    {"container-files", files_job}, {"container-update", container_update_job}, {NULL, NULL}};
