#include "archive/extract.h"
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DATA_SIZE (256u << 10)
#define OPAQUE_XATTR "trusted.overlay.opaque"

const struct extract_limits extract_default_limits = {UINT64_C(1) << 40, 10000000};

/* What a directory gets when nothing is written into it any more. */
struct dir_late {
    char *path;
    int64_t mtime;
    struct str default_acl; /* owned; else what is made in it would inherit from it. Empty: none */
};

struct extractor {
    struct tar_reader *tar;
    int root;
    unsigned flags;
    const char *below; /* "" or a directory of root */
    uint32_t uid, gid; /* EXTRACT_OWNER */
    const struct extract_limits *limits;
    struct extracted done;
    /* Directory of the last entry: archives come directory by directory. */
    char *parent_path;
    int parent;
    /* Made in `parent`, an entry of `self` has owner and mode at once (layers only). */
    bool plain_parent, root_inherits;
    uint32_t self_uid, self_gid;
    VEC(struct dir_late) dirs;
    char *data;
};

/* Where an entry goes. */
struct place {
    int dir;          /* borrowed from the extractor */
    const char *name; /* last component; "." for the root itself */
};

/* --- paths
 * ---------------------------------------------------------------------------------------- */
struct err extract_path(const char *raw, char **ret) {
    struct str s = str_of(raw);
    if (s.len > EXTRACT_PATH_MAX)
        return err_new(ERR_INVALID, "path is longer than %d bytes", EXTRACT_PATH_MAX);
    while (str_starts(s, STR("/")))
        s = str_from(s, 1);
    CLEAN_FREE
    char *path = path_clean(s);
    if (strcmp(path, "..") == 0 || str_starts(str_of(path), STR("../")))
        return err_new(ERR_INVALID, "path leads out of the archive's root");
    unsigned depth = 0;
    struct str rest = str_of(path), part;
    while (str_next(&rest, '/', &part)) {
        if (part.len > 255)
            return err_new(ERR_INVALID, "a part of the path is longer than 255 bytes");
        if (++depth > EXTRACT_DEPTH_MAX)
            return err_new(ERR_INVALID, "path is deeper than %d", EXTRACT_DEPTH_MAX);
    }
    *ret = TAKE(path);
    return OK;
}

/* The path from root on, of a path in the archive. */
static struct err place_path(const struct extractor *x, const char *raw, char **ret) {
    TRY(extract_path(raw, ret));
    if (!x->below[0])
        return OK;
    CLEAN_FREE
    char *inner = TAKE(*ret);
    *ret = strcmp(inner, ".") == 0 ? mem_strdup(x->below) : mem_printf("%s/%s", x->below, inner);
    return OK;
}

static void forget_parent(struct extractor *x) {
    free(TAKE(x->parent_path));
    x->parent = fd_close(x->parent);
}

/* Set-group-id directories and default ACLs give what is made in them something of their own. */
static bool is_plain_parent(const struct extractor *x, int dir) {
    struct stat st;
    return (x->flags & EXTRACT_LAYER) && !x->root_inherits && fstat(dir, &st) == 0 &&
           st.st_gid == x->self_gid && !(st.st_mode & S_ISGID);
}

/* Is an entry of this owner and mode right as soon as it is made? */
static bool is_plain(const struct extractor *x, const struct tar_entry *e) {
    return x->plain_parent && e->uid == x->self_uid && e->gid == x->self_gid &&
           !(e->mode & (S_ISUID | S_ISGID | S_ISVTX));
}

/* Directory and name of a cleaned path; missing directories are made. path must outlive the place.
 */
static struct err find_place(struct extractor *x, const char *path, struct place *ret) {
    const char *slash = strrchr(path, '/');
    size_t dir_len = slash ? (size_t)(slash - path) : 0;
    if (x->parent < 0 || strlen(x->parent_path) != dir_len ||
        memcmp(x->parent_path, path, dir_len) != 0) {
        CLEAN_FD
        int dir = -1;
        const char *name;
        if (strcmp(path, ".") == 0)
            TRY(beneath_open(x->root, ".", O_PATH | O_DIRECTORY, 0, &dir));
        else
            TRY(beneath_parent(x->root, path, true, &dir, &name));
        forget_parent(x);
        x->parent = TAKE_FD(dir);
        x->plain_parent = is_plain_parent(x, x->parent);
        x->parent_path = str_dup(str_n(path, dir_len));
    }
    ret->dir = x->parent;
    ret->name = slash ? slash + 1 : path;
    return OK;
}

/* Descriptor of the place's entry, links not followed. */
static struct err place_open(struct place at, int flags, int *ret_fd) {
    int fd = openat(at.dir, at.name, flags | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open");
    *ret_fd = fd;
    return OK;
}

static bool place_stat(struct place at, struct stat *ret) {
    return fstatat(at.dir, at.name, ret, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_whiteout(const struct stat *st) {
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static struct err place_remove(struct place at) {
    if (unlinkat(at.dir, at.name, 0) == 0)
        return OK;
    if (errno == ENOENT)
        return OK;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(errno, "replace");
    /* x->parent stays right: it is this entry's own directory, never one inside of it. */
    return dir_remove(at.dir, at.name);
}

/* Makes an entry by `make` (a descriptor, 0, or -1 with errno). Archives seldom name a thing twice:
 * what is in the way is looked for when it is. */
static struct err place_make(struct place at, const struct tar_entry *e, mode_t mode,
                             int (*make)(struct place at, const struct tar_entry *e, mode_t mode),
                             const char *what, int *ret) {
    int r = make(at, e, mode);
    if (r < 0 && errno == EEXIST) {
        TRY(place_remove(at));
        r = make(at, e, mode);
    }
    if (r < 0)
        return err_errno(errno, "%s", what);
    *ret = r;
    return OK;
}

/* --- attributes
 * ----------------------------------------------------------------------------------- */
static bool xattr_kept(const char *name) {
    struct str s = str_of(name);
    if (str_starts(s, STR("user.")))
        return !str_starts(s, STR("user.overlay."));
    return str_eqz(s, "security.capability") || str_eqz(s, "system.posix_acl_access") ||
           str_eqz(s, "system.posix_acl_default");
}

static bool is_default_acl(const struct tar_xattr *a) {
    return strcmp(a->name, "system.posix_acl_default") == 0;
}

/* fd: opened for reading or writing. */
static struct err set_xattrs(int fd, const struct tar_entry *e) {
    for (size_t i = 0; i < e->xattrs.n; i++) {
        const struct tar_xattr *a = &e->xattrs.items[i];
        if (!xattr_kept(a->name) || is_default_acl(a))
            continue; /* set_dirs_late */
        if (fsetxattr(fd, a->name, a->value.p, a->value.len, 0) < 0)
            return err_errno(errno, "set extended attribute %s", a->name);
    }
    return OK;
}

static void entry_times(int64_t mtime, struct timespec ret[2]) {
    int64_t s = mtime / NSEC_PER_SEC, ns = mtime % NSEC_PER_SEC;
    if (ns < 0) {
        s--;
        ns += NSEC_PER_SEC;
    }
    ret[0] = ret[1] = (struct timespec){s, ns};
}

/* Owner before mode (chown clears set-id bits), capabilities after the owner for the same reason.
 */
static struct err set_owner_mode(int fd, const struct tar_entry *e) {
    if (fchown(fd, e->uid, e->gid) < 0)
        return err_errno(errno, "chown to %u:%u", e->uid, e->gid);
    if (fchmod(fd, e->mode) < 0)
        return err_errno(errno, "chmod to %o", e->mode);
    return OK;
}

/* For what cannot be opened: links and devices. The place was just made and is no directory. */
static struct err set_attributes_at(const struct extractor *x, struct place at,
                                    const struct tar_entry *e) {
    bool owned = x->plain_parent && e->uid == x->self_uid && e->gid == x->self_gid;
    if (!owned && fchownat(at.dir, at.name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "chown to %u:%u", e->uid, e->gid);
    struct timespec times[2];
    entry_times(e->mtime, times);
    if (utimensat(at.dir, at.name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "set times");
    return OK;
}

static struct err set_opaque(int fd) {
    if (fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) < 0)
        return err_errno(errno, "set " OPAQUE_XATTR);
    return OK;
}

/* --- one kind of entry each
 * ----------------------------------------------------------------------- */
/* What is there instead of a directory goes; *ret_was_whiteout: and was one. */
static struct err make_dir_there(struct extractor *x, struct place at, const char *path,
                                 bool *ret_was_whiteout) {
    struct stat st;
    if (!place_stat(at, &st))
        return err_errno(errno, "stat");
    *ret_was_whiteout = is_whiteout(&st);
    if (S_ISDIR(st.st_mode))
        return OK;
    if (x->flags & EXTRACT_KEEP_KIND)
        return err_new(ERR_INVALID, "cannot overwrite non-directory \"/%s\" with directory", path);
    TRY(place_remove(at));
    if (mkdirat(at.dir, at.name, 0700) < 0)
        return err_errno(errno, "mkdir");
    return OK;
}

static void remember_dir(struct extractor *x, const char *path, const struct tar_entry *e) {
    struct dir_late late = {.path = mem_strdup(path), .mtime = e->mtime};
    for (size_t i = 0; i < e->xattrs.n; i++) {
        const struct tar_xattr *a = &e->xattrs.items[i];
        if (is_default_acl(a) && a->value.len > 0) {
            free((char *)late.default_acl.p);
            late.default_acl = str_n(mem_dup(a->value.p, a->value.len), a->value.len);
        }
    }
    vec_push(&x->dirs, late);
}

static struct err extract_dir(struct extractor *x, struct place at, const char *path,
                              const struct tar_entry *e) {
    bool was_whiteout = false, plain = is_plain(x, e);
    remember_dir(x, path, e);
    if (mkdirat(at.dir, at.name, plain ? e->mode : 0700) == 0) {
        if (plain && e->xattrs.n == 0)
            return OK;
    } else if (errno == EEXIST) {
        TRY(make_dir_there(x, at, path, &was_whiteout));
    } else {
        return err_errno(errno, "mkdir");
    }
    CLEAN_FD
    int fd = -1;
    TRY(place_open(at, O_RDONLY | O_DIRECTORY, &fd));
    if (was_whiteout && (x->flags & EXTRACT_LAYER))
        TRY(set_opaque(fd));
    TRY(set_owner_mode(fd, e));
    if (at.dir == x->parent && strcmp(at.name, ".") == 0)
        x->plain_parent = is_plain_parent(x, x->parent); /* the directory that was just changed */
    return set_xattrs(fd, e);
}

static struct err write_data(struct extractor *x, int fd, uint64_t size) {
    bool hole = false;
    for (;;) {
        size_t n;
        uint64_t skip = tar_skip_hole(x->tar);
        if (skip && lseek(fd, (off_t)skip, SEEK_CUR) < 0)
            return err_errno(errno, "skip a hole");
        hole |= skip > 0;
        TRY(tar_read(x->tar, x->data, DATA_SIZE, &n));
        if (n == 0)
            return hole && ftruncate(fd, (off_t)size) < 0 ? err_errno(errno, "set the size") : OK;
        int r = fd_write_all(fd, x->data, n);
        if (r < 0)
            return err_errno(r, "write");
    }
}

static int make_file(struct place at, const struct tar_entry *e, mode_t mode) {
    (void)e;
    return openat(at.dir, at.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

/* Owner before mode (chown clears set-id bits), capabilities after the owner and the data for the
 * same reason. */
static struct err extract_file(struct extractor *x, struct place at, const struct tar_entry *e) {
    if (e->size > x->limits->bytes - x->done.bytes)
        return err_new(ERR_INVALID, "the archive holds more than %llu bytes",
                       (unsigned long long)x->limits->bytes);
    CLEAN_FD
    int fd = -1;
    bool plain = is_plain(x, e);
    struct timespec times[2];
    entry_times(e->mtime, times);
    TRY(place_make(at, e, plain ? e->mode : 0600, make_file, "create", &fd));
    if (e->size > 0)
        TRY(write_data(x, fd, e->size));
    x->done.bytes += e->size;
    if (!plain)
        TRY(set_owner_mode(fd, e));
    TRY(set_xattrs(fd, e));
    if (futimens(fd, times) < 0)
        return err_errno(errno, "set times");
    return OK;
}

static struct err extract_link(struct extractor *x, struct place at, const struct tar_entry *e) {
    CLEAN_FREE
    char *target = NULL;
    TRYF(place_path(x, e->target, &target), "target '%s'", e->target);
    CLEAN_FD
    int dir = -1;
    const char *name;
    if (strcmp(target, ".") == 0)
        return err_new(ERR_INVALID, "hard link to a directory");
    TRYF(beneath_parent(x->root, target, false, &dir, &name), "target '%s'", e->target);
    struct stat st;
    if (!place_stat((struct place){dir, name}, &st))
        return err_kind_errno(ERR_INVALID, errno, "target '%s'", e->target);
    if (S_ISDIR(st.st_mode))
        return err_new(ERR_INVALID, "hard link to a directory");
    if (is_whiteout(&st))
        return err_new(ERR_INVALID, "hard link to a whiteout");
    if (linkat(dir, name, at.dir, at.name, 0) == 0)
        return OK;
    struct stat here;
    if (errno == EEXIST && place_stat(at, &here) && here.st_dev == st.st_dev &&
        here.st_ino == st.st_ino)
        return OK; /* a link to itself, or said twice */
    TRY(place_remove(at));
    if (linkat(dir, name, at.dir, at.name, 0) < 0)
        return err_errno(errno, "link to '%s'", e->target);
    return OK;
}

static int make_symlink(struct place at, const struct tar_entry *e, mode_t mode) {
    (void)mode;
    return symlinkat(e->target, at.dir, at.name);
}

static struct err extract_symlink(const struct extractor *x, struct place at,
                                  const struct tar_entry *e) {
    int made;
    if (e->target[0] == '\0')
        return err_new(ERR_INVALID, "symbolic link without a target");
    if (strlen(e->target) > EXTRACT_PATH_MAX)
        return err_new(ERR_INVALID, "target is longer than %d bytes", EXTRACT_PATH_MAX);
    TRY(place_make(at, e, 0, make_symlink, "symlink", &made));
    return set_attributes_at(x, at, e);
}

static int make_node(struct place at, const struct tar_entry *e, mode_t mode) {
    return mknodat(at.dir, at.name, mode, makedev(e->major, e->minor));
}

static struct err extract_node(const struct extractor *x, struct place at,
                               const struct tar_entry *e) {
    int made;
    mode_t kind = e->type == TAR_CHAR ? S_IFCHR : e->type == TAR_BLOCKDEV ? S_IFBLK : S_IFIFO;
    if (e->type == TAR_CHAR && e->major == 0 && e->minor == 0)
        return err_new(ERR_INVALID, "a character device 0:0 would be a whiteout");
    /* No set-id bits on devices: chown would drop them anyway. */
    TRY(place_make(at, e, kind | (e->mode & 01777), make_node, "mknod", &made));
    return set_attributes_at(x, at, e);
}

/* --- whiteouts
 * --------------------------------------------------------------------------------------- */
static struct err extract_opaque(struct extractor *x, const char *path) {
    const char *slash = strrchr(path, '/');
    CLEAN_FREE
    char *dir = str_dup(slash ? str_n(path, (size_t)(slash - path)) : STR("."));
    struct place at;
    TRY(find_place(x, path, &at)); /* makes the directory when it has no entry of its own */
    CLEAN_FD
    int fd = -1;
    TRY(beneath_open(x->root, dir, O_RDONLY | O_DIRECTORY, 0, &fd));
    return set_opaque(fd);
}

/* With the entry's time: the tar made of this tree again is to have the same bytes. */
static struct err extract_whiteout(struct place at, const char *hidden, int64_t mtime) {
    if (!path_is_name(str_of(hidden)))
        return err_new(ERR_INVALID, "whiteout of nothing");
    at.name = hidden;
    struct stat st;
    if (place_stat(at, &st)) {
        if (!S_ISDIR(st.st_mode))
            return OK;
        CLEAN_FD
        int fd = -1;
        TRY(place_open(at, O_RDONLY | O_DIRECTORY, &fd));
        return set_opaque(fd);
    }
    if (mknodat(at.dir, at.name, S_IFCHR, 0) < 0)
        return err_errno(errno, "make whiteout");
    struct timespec times[2];
    entry_times(mtime, times);
    if (utimensat(at.dir, at.name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_errno(errno, "set times");
    return OK;
}

/* May what is no directory take this place? */
static struct err check_kind(const struct extractor *x, struct place at, const char *path) {
    struct stat st;
    if ((x->flags & EXTRACT_KEEP_KIND) && place_stat(at, &st) && S_ISDIR(st.st_mode))
        return err_new(ERR_INVALID, "cannot overwrite directory \"/%s\" with non-directory", path);
    return OK;
}

static struct err extract_entry(struct extractor *x, const struct tar_entry *e) {
    CLEAN_FREE
    char *path = NULL;
    TRY(place_path(x, e->path, &path));
    struct place at;
    bool is_root = strcmp(path, x->below[0] ? x->below : ".") == 0;
    if (is_root && x->below[0] && e->type == TAR_DIR)
        return OK; /* what is copied into keeps its own attributes */
    struct str base = path_base(str_of(path));
    if ((x->flags & EXTRACT_LAYER) && str_starts(base, STR(".wh."))) {
        if (str_eqz(base, ".wh..wh..opq"))
            return extract_opaque(x, path);
        if (str_starts(base, STR(".wh..wh.")))
            return OK;
        TRY(find_place(x, path, &at));
        return extract_whiteout(at, at.name + strlen(".wh."), e->mtime);
    }
    TRY(find_place(x, path, &at));
    if (e->type == TAR_DIR)
        return extract_dir(x, at, path, e);
    if (is_root)
        return err_new(ERR_INVALID, "the root is not a directory");
    TRY(check_kind(x, at, path));
    if (e->type == TAR_LINK)
        return extract_link(x, at, e);
    if (e->type == TAR_FILE)
        return extract_file(x, at, e);
    if (e->type == TAR_SYMLINK)
        return extract_symlink(x, at, e);
    return extract_node(x, at, e);
}

static struct err set_dir_late(const struct extractor *x, const struct dir_late *d) {
    CLEAN_FD
    int fd = -1;
    struct err e = beneath_open(x->root, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &fd);
    if (err_failed(e)) { /* a later entry took its place */
        err_ignore(e);
        return OK;
    }
    if (d->default_acl.len > 0 &&
        fsetxattr(fd, "system.posix_acl_default", d->default_acl.p, d->default_acl.len, 0) < 0)
        return err_errno(errno, "set the default ACL of '%s'", d->path);
    struct timespec times[2];
    entry_times(d->mtime, times);
    if (futimens(fd, times) < 0)
        return err_errno(errno, "set times of '%s'", d->path);
    return OK;
}

/* Writing into a directory changes its time, so these come last. Children first does not matter. */
static struct err set_dirs_late(struct extractor *x) {
    for (size_t i = 0; i < x->dirs.n; i++)
        TRY(set_dir_late(x, &x->dirs.items[i]));
    return OK;
}

static struct err extract_all(struct extractor *x) {
    for (;;) {
        const struct tar_entry *e;
        TRY(tar_next(x->tar, &e));
        if (!e)
            break;
        if (++x->done.entries > x->limits->entries)
            return err_new(ERR_INVALID, "the archive has more than %llu entries",
                           (unsigned long long)x->limits->entries);
        struct tar_entry own = *e;
        if (x->flags & EXTRACT_OWNER) {
            own.uid = x->uid;
            own.gid = x->gid;
        }
        struct err bad = extract_entry(x, &own);
        if (err_failed(bad))
            return err_wrap(bad, "entry '%s'", e->path);
    }
    TRY(tar_finish(x->tar));
    return set_dirs_late(x);
}

struct err extract_into(struct stream *in, int root, const struct extract_into *o,
                        const struct extract_limits *limits, struct extracted *ret) {
    struct extractor x = {.root = root,
                          .flags = o->flags,
                          .below = o->below,
                          .uid = o->uid,
                          .gid = o->gid,
                          .limits = limits,
                          .self_uid = geteuid(),
                          .self_gid = getegid(),
                          .root_inherits = fgetxattr(root, "system.posix_acl_default", NULL, 0) > 0,
                          .parent = -1};
    x.tar = tar_reader_new(in);
    x.data = mem_alloc(DATA_SIZE);
    struct err e = extract_all(&x);
    if (!err_failed(e))
        *ret = x.done;
    for (size_t i = 0; i < x.dirs.n; i++) {
        free(x.dirs.items[i].path);
        free((char *)x.dirs.items[i].default_acl.p);
    }
    vec_done(&x.dirs);
    forget_parent(&x);
    free(x.data);
    tar_reader_free(x.tar);
    return e;
}

struct err extract(struct stream *in, int root, unsigned flags, const struct extract_limits *limits,
                   struct extracted *ret) {
    struct extract_into o = {.below = "", .flags = flags};
    return extract_into(in, root, &o, limits, ret);
}
