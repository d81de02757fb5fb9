/* The job "container-update": see rollback.h. */
#include "container/rollback.h"
#include "archive/copy.h"
#include "base/file.h"
#include "base/map.h"
#include "base/random.h"
#include "base/time.h"
#include "base/vec.h"
#include "container/private.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OPAQUE "trusted.overlay.opaque"
#define PLACE_NAME 32            /* ".corten-" and a number that nobody knows */
#define CLOCK_GRAIN NSEC_PER_SEC /* a file system's clock is behind by less */
#define COMPARED_MAX (1 << 20)   /* files of the same size and time up to this are read */

#define F(m, json, kind, ...) FIELD(struct rollback_args, m, json, kind, ##__VA_ARGS__)
FIELDS(rollback_args_fields, struct rollback_args, F(what, "What", F_U32),
       F(directory, "Directory", F_STR), F(copy, "Copy", F_STR), F(layers, "Layers", F_STRS),
       F(volumes, "Volumes", F_STRS), F(pid, "Pid", F_I64), F(start_time, "StartTime", F_U64),
       F(kept_at, "KeptAt", F_I64, .flags = OMIT_EMPTY), );
#undef F
#define F(m, json, kind, ...) FIELD(struct rollback_result, m, json, kind, ##__VA_ARGS__)
FIELDS(rollback_result_fields, struct rollback_result, F(changed, "Changed", F_I64),
       F(paths, "Paths", F_STRS), );
#undef F

static struct err open_child(int dir, const char *name, int *ret_fd) {
    *ret_fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open directory '%s'", name) : OK;
}

static struct err names_of(int dir, struct strv *ret) {
    CLEAN_FD int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return err_errno(errno, "list a directory");
    fd = -1; /* d's now */
    for (struct dirent *x; (x = readdir(d));)
        if (strcmp(x->d_name, ".") != 0 && strcmp(x->d_name, "..") != 0)
            strv_add(ret, x->d_name);
    closedir(d);
    return OK;
}

static bool is_opaque(int dir) {
    CLEAN_BUF struct buf value = {0};
    struct err e = xattr_get(dir, OPAQUE, &value);
    bool yes = !err_failed(e) && str_eqz(buf_str(&value), "y");
    err_ignore(e); /* the ordinary case: it has none */
    return yes;
}

/* --- copying ---------------------------------------------------------------------------------- */

/* Content and attributes of a directory. layer: the overlay's whiteouts and marks come along. */
static struct err copy_tree(int from, int to, bool layer, int depth) {
    CLEAN_STRV struct strv names = {0};
    struct stat st;
    if (depth > ROLLBACK_DEPTH_MAX)
        return err_new(ERR_INVALID, "more than %d directories below each other",
                       ROLLBACK_DEPTH_MAX);
    TRY(names_of(from, &names));
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return err_errno(errno, "stat '%s'", name);
        if (!S_ISDIR(st.st_mode)) {
            TRYF(copy_object(from, to, name, &st), "copy '%s'", name);
            continue;
        }
        CLEAN_FD int a = -1;
        CLEAN_FD int b = -1;
        TRY(open_child(from, name, &a));
        if (mkdirat(to, name, 0700) < 0)
            return err_errno(errno, "make directory '%s'", name);
        TRY(open_child(to, name, &b));
        TRY(copy_tree(a, b, layer, depth + 1));
    }
    if (fstat(from, &st) < 0)
        return err_errno(errno, "stat");
    TRY(copy_attributes(from, to, &st));
    return layer && is_opaque(from) ? xattr_set(to, OPAQUE, STR("y")) : OK;
}

static struct err open_copy(const struct rollback_args *a, int *ret_fd) {
    CLEAN_FD int dir = -1;
    TRY(dir_open(a->directory, &dir));
    *ret_fd = openat(dir, ROLLBACK_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open what was kept") : OK;
}

static struct err drop(const struct rollback_args *a) {
    CLEAN_FD int dir = -1;
    TRY(dir_open(a->directory, &dir));
    struct err e = dir_remove(dir, ROLLBACK_DIR);
    if (err_kind(e) != ERR_NOT_FOUND && err_errnum(e) != ENOENT)
        return e;
    err_free(e);
    return OK;
}

static struct err copy_into(int from, int parent, const char *name, bool layer) {
    CLEAN_FD int to = -1;
    if (mkdirat(parent, name, 0700) < 0)
        return err_errno(errno, "make '%s'", name);
    TRY(open_child(parent, name, &to));
    return copy_tree(from, to, layer, 0);
}

static struct err keep(const struct rollback_args *a) {
    CLEAN_FD int dir = -1;
    CLEAN_FD int upper = -1;
    CLEAN_FD int to = -1;
    TRY(drop(a));
    TRY(dir_open(a->directory, &dir));
    if (mkdirat(dir, ROLLBACK_DIR, 0700) < 0)
        return err_errno(errno, "make '%s/" ROLLBACK_DIR "'", a->directory);
    TRY(open_child(dir, ROLLBACK_DIR, &to));
    bool whole = rootfs_is_whole(dir);
    TRY(open_child(dir, whole ? ROOTFS_WHOLE : ROOTFS_UPPER, &upper));
    TRYF(copy_into(upper, to, "upper", !whole), "keep what the container wrote");
    for (size_t i = 0; i < a->volumes.n; i++) {
        CLEAN_FD int volume = -1;
        char name[32];
        snprintf(name, sizeof name, "volume-%zu", i);
        TRY(volume_open_dir(a->volumes.items[i], &volume));
        TRYF(copy_into(volume, to, name, false), "keep volume '%s'", a->volumes.items[i]);
    }
    CLEAN_BUF struct buf text = {0};
    fields_print(&rollback_args_fields, a, &text);
    return err_wrap(file_replace_at(to, ROLLBACK_WHOLE, buf_str(&text), 0600, false),
                    "mark what was kept as whole");
}

/* --- putting back ----------------------------------------------------------------------------- */

struct restore {
    struct rollback_result *result;
    struct arena *arena;
    int root, place; /* of the live tree; place -1: not made yet */
    char place_name[PLACE_NAME];
    int64_t unchanged; /* wall ns: what was changed last before is as it was kept; 0: read it */
    struct buf path;   /* for people */
};

static void note(struct restore *r, const char *name) {
    r->result->changed++;
    if (r->result->paths.n < ROLLBACK_PATHS_MAX)
        strs_add(&r->result->paths, r->arena,
                 arena_printf(r->arena, "%s/%s", buf_cstr(&r->path), name));
}

static bool same_bytes(int a_dir, int b_dir, const char *name, off_t size) {
    CLEAN_FD int a = openat(a_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    CLEAN_FD int b = openat(b_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    char x[8192], y[8192];
    if (a < 0 || b < 0)
        return false;
    for (off_t at = 0; at < size;) {
        ssize_t n = pread(a, x, sizeof x, at), m = pread(b, y, sizeof y, at);
        if (n <= 0 || n != m || memcmp(x, y, (size_t)n) != 0)
            return false;
        at += n;
    }
    return true;
}

static bool same_link(int a_dir, int b_dir, const char *name) {
    char x[PATH_MAX], y[PATH_MAX];
    ssize_t n = readlinkat(a_dir, name, x, sizeof x), m = readlinkat(b_dir, name, y, sizeof y);
    return n >= 0 && n == m && memcmp(x, y, (size_t)n) == 0;
}

static bool same(const struct restore *r, int a_dir, const struct stat *a, int b_dir,
                 const struct stat *b, const char *name) {
    if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
        return false;
    if (S_ISLNK(a->st_mode))
        return same_link(a_dir, b_dir, name);
    if (!S_ISREG(a->st_mode))
        return a->st_rdev == b->st_rdev;
    bool times = a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
    if (a->st_size != b->st_size)
        return false;
    if (times && b->st_ctim.tv_sec * NSEC_PER_SEC + b->st_ctim.tv_nsec < r->unchanged)
        return true;
    return times && (a->st_size > COMPARED_MAX || same_bytes(a_dir, b_dir, name, a->st_size));
}

static struct err take_away(int dir, const char *name, bool is_dir) {
    if (is_dir)
        return dir_remove(dir, name);
    return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? err_errno(errno, "remove '%s'", name)
                                                         : OK;
}

/* A directory of the live tree, because only there a rename leads into it; one that was there
 * before is the container's. */
static struct err make_place(struct restore *r) {
    uint64_t number;
    random_bytes(&number, sizeof number);
    snprintf(r->place_name, sizeof r->place_name, ".corten-%016llx", (unsigned long long)number);
    if (mkdirat(r->root, r->place_name, 0700) < 0)
        return err_errno(errno, "make a place in the container's root");
    return open_child(r->root, r->place_name, &r->place);
}

/* Made beside, renamed into place. */
static struct err put_object(struct restore *r, int from, int to, const char *name,
                             const struct stat *st) {
    if (r->place < 0)
        TRY(make_place(r));
    (void)unlinkat(r->place, name, 0);
    TRY(copy_object(from, r->place, name, st));
    return renameat(r->place, name, to, name) < 0 ? err_errno(errno, "put '%s' back", name) : OK;
}

static struct err put_back(struct restore *r, int from, int to, const char *name,
                           const struct stat *st) {
    if (!S_ISDIR(st->st_mode))
        return put_object(r, from, to, name, st);
    CLEAN_FD int a = -1;
    TRY(open_child(from, name, &a));
    return copy_into(a, to, name, false);
}

/* Something that is mounted there is not the root's. */
static bool is_mounted(int dir, const char *name) {
    struct statx x;
    return statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &x) == 0 &&
           x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* then, live: the two views. was, is: the writable layers of both at this place, -1: nothing there;
 * whole: everything is looked at. */
struct place {
    int then, live, was, is;
    bool whole;
};

static bool touched(const struct place *p, const char *name) {
    struct stat st;
    return p->whole || (p->was >= 0 && fstatat(p->was, name, &st, AT_SYMLINK_NOFOLLOW) == 0) ||
           (p->is >= 0 && fstatat(p->is, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
}

static int layer_child(int dir, const char *name) {
    return dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static struct err compare(struct restore *r, const struct place *p, int depth);

static struct err compare_child(struct restore *r, const struct place *p, const char *name,
                                int depth) {
    CLEAN_FD int then = -1;
    CLEAN_FD int live = -1;
    CLEAN_FD int was = layer_child(p->was, name);
    CLEAN_FD int is = layer_child(p->is, name);
    size_t len = r->path.len;
    TRY(open_child(p->then, name, &then));
    TRY(open_child(p->live, name, &live));
    const struct place child = {then, live, was, is,
                                p->whole || (was >= 0 && is_opaque(was)) ||
                                    (is >= 0 && is_opaque(is))};
    buf_addf(&r->path, "/%s", name);
    struct err e = compare(r, &child, depth + 1);
    buf_truncate(&r->path, len);
    return e;
}

static struct err compare_name(struct restore *r, const struct place *p, const char *name,
                               int depth) {
    struct stat a, b;
    bool then = fstatat(p->then, name, &a, AT_SYMLINK_NOFOLLOW) == 0;
    bool live = fstatat(p->live, name, &b, AT_SYMLINK_NOFOLLOW) == 0;
    if (!touched(p, name) || (!then && !live) || (live && is_mounted(p->live, name)))
        return OK;
    bool dirs = then && live && S_ISDIR(a.st_mode) && S_ISDIR(b.st_mode);
    if (dirs)
        return compare_child(r, p, name, depth);
    if (then && live && same(r, p->then, &a, p->live, &b, name))
        return OK;
    note(r, name);
    if (live && (!then || S_ISDIR(a.st_mode) || S_ISDIR(b.st_mode)))
        TRY(take_away(p->live, name, S_ISDIR(b.st_mode)));
    return then ? err_wrap(put_back(r, p->then, p->live, name, &a), "'%s/%s'", buf_cstr(&r->path),
                           name)
                : OK;
}

static struct err compare(struct restore *r, const struct place *p, int depth) {
    CLEAN_STRV struct strv names = {0};
    CLEAN_MAP struct map seen = {0};
    struct stat a, b;
    if (depth > ROLLBACK_DEPTH_MAX)
        return err_new(ERR_INVALID, "more than %d directories below each other",
                       ROLLBACK_DEPTH_MAX);
    if (fstat(p->then, &a) < 0 || fstat(p->live, &b) < 0)
        return err_errno(errno, "stat");
    TRY(names_of(p->then, &names));
    TRY(names_of(p->live, &names));
    for (size_t i = 0; i < names.n; i++) {
        if (!map_set(&seen, str_of(names.items[i]), r))
            TRY(compare_name(r, p, names.items[i], depth));
    }
    bool equal = a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid &&
                 a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
    return equal || (p->was < 0 && p->is < 0 && !p->whole) ? OK
                                                           : copy_attributes(p->then, p->live, &a);
}

static struct err compare_tree(struct rollback_result *result, struct arena *arena,
                               const struct place *p, int64_t unchanged) {
    struct restore r = {
        .result = result, .arena = arena, .root = p->live, .place = -1, .unchanged = unchanged};
    struct err e = compare(&r, p, 0);
    if (r.place >= 0) {
        fd_close(r.place);
        struct err gone = dir_remove(p->live, r.place_name);
        e = err_failed(e) ? (err_ignore(gone), e) : gone; /* the first one is the one to tell */
    }
    buf_done(&r.path);
    return e;
}

static struct err open_live(const struct rollback_args *a, int *ret_fd) {
    char path[48];
    uint64_t start_time = 0;
    snprintf(path, sizeof path, "/proc/%lld/root", (long long)a->pid);
    CLEAN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open the container's root");
    TRY(pidfd_start_time((pid_t)a->pid, &start_time));
    if (start_time != a->start_time)
        return err_new(ERR_CONFLICT, "the container has ended");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err open_then(const struct rollback_args *a, int layers, int *ret_fd) {
    const char *names[MOUNT_LAYERS_MAX];
    if (a->layers.n + 1 > MOUNT_LAYERS_MAX)
        return err_new(ERR_UNSUPPORTED, "an image of %zu layers leaves no room for what was kept",
                       a->layers.n);
    names[0] = a->copy;
    for (size_t i = 0; i < a->layers.n; i++)
        names[i + 1] = a->layers.items[i];
    struct mount_overlay o = {.layers_fd = layers,
                              .layers = names,
                              .layers_n = a->layers.n + 1,
                              .upper_fd = -1,
                              .work_fd = -1};
    CLEAN_FD int tree = -1;
    TRY(mount_overlay_detached(&o, &tree));
    *ret_fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd < 0 ? err_errno(errno, "open what was kept") : OK;
}

/* A whole root is compared with its whole copy; the time of a change, which nobody in a container
 * sets, spares reading what is as it was. */
static struct err restore_root(const struct rollback_args *a, int layers, int dir, int copy,
                               int live, const struct rollback_args *kept, struct arena *arena,
                               struct rollback_result *ret) {
    CLEAN_FD int then = -1;
    CLEAN_FD int was = -1;
    CLEAN_FD int is = -1;
    TRY(open_child(copy, "upper", &was));
    if (rootfs_is_whole(dir))
        return compare_tree(ret, arena, &(struct place){was, live, -1, -1, true},
                            kept->kept_at - CLOCK_GRAIN);
    TRY(open_child(dir, ROOTFS_UPPER, &is));
    TRY(open_then(a, layers, &then));
    return compare_tree(ret, arena, &(struct place){then, live, was, is, false}, 0);
}

static struct err restore(const struct rollback_args *a, int layers, struct arena *arena,
                          struct rollback_result *ret) {
    CLEAN_FD int dir = -1;
    CLEAN_FD int copy = -1;
    CLEAN_FD int live = -1;
    ret->paths.present = true;
    TRY(dir_open(a->directory, &dir));
    TRY(open_copy(a, &copy));
    struct rollback_args kept_with;
    CLEAN_FREE char *whole = mem_printf("%s/" ROLLBACK_DIR "/" ROLLBACK_WHOLE, a->directory);
    CLEAN_BUF struct buf text = {0};
    TRYF(file_read(whole, ROLLBACK_WHOLE_MAX, &text), "what was kept is not whole");
    TRYF(fields_decode(&rollback_args_fields, buf_str(&text), arena, &kept_with), "'%s'", whole);
    const struct strs *volumes = &kept_with.volumes; /* a new daemon does not know them */
    TRY(open_live(a, &live));
    umask(0);
    TRY(restore_root(a, layers, dir, copy, live, &kept_with, arena, ret));
    for (size_t i = 0; i < volumes->n; i++) {
        CLEAN_FD int volume = -1;
        CLEAN_FD int kept = -1;
        char name[32];
        snprintf(name, sizeof name, "volume-%zu", i);
        TRY(open_child(copy, name, &kept));
        TRY(volume_open_dir(volumes->items[i], &volume));
        TRYF(compare_tree(ret, arena, &(struct place){kept, volume, -1, -1, true}, 0),
             "volume '%s'", volumes->items[i]);
    }
    return OK;
}

struct err container_update_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds,
                                size_t fds_n, struct buf *ret_result) {
    CLEAN_ARENA struct arena a = {0};
    struct rollback_args x;
    struct rollback_result result = {.paths.present = true};
    TRY(fields_decode(&rollback_args_fields, args, &a, &x));
    if (fds_n != 1)
        return err_new(ERR_INVALID, "container-update: expected one descriptor");
    x.kept_at = time_now();
    struct err e = x.what == ROLLBACK_KEEP      ? keep(&x)
                   : x.what == ROLLBACK_RESTORE ? restore(&x, fds[0], &a, &result)
                                                : drop(&x);
    TRY(e);
    fields_print(&rollback_result_fields, &result, ret_result);
    return OK;
}
