#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/map.h"
#include "base/time.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DATA_SIZE (256u << 10)

/* One open directory of the walk. */
struct level {
    int fd;
    struct strv names;
    size_t next;
    size_t path_len; /* of the walk's path, before this level's names */
};

struct walk {
    const struct tar_sink *sink; /* NULL: only counts */
    unsigned flags;
    struct layer_tar done;
    VEC(struct level) levels;
    struct buf path;
    struct map links; /* dev:ino → first path, for files with several names */
    char *data;
};

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err read_names(int fd, struct strv *ret) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d) {
        fd_close(own);
        return err_errno(errno, "read directory");
    }
    struct dirent *e;
    errno = 0;
    while ((e = readdir(d)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strv_add(ret, e->d_name);
    int r = errno;
    closedir(d);
    if (r != 0)
        return err_errno(r, "read directory");
    if (ret->n > 1)
        qsort(ret->items, ret->n, sizeof(char *), name_order);
    return OK;
}

static struct err push_level(struct walk *w, int fd) {
    if (w->levels.n >= LAYER_TAR_DEPTH_MAX) {
        fd_close(fd);
        return err_new(ERR_INVALID, "directories are nested deeper than %d", LAYER_TAR_DEPTH_MAX);
    }
    struct level *l = vec_add(&w->levels);
    l->fd = fd;
    l->path_len = w->path.len;
    return read_names(fd, &l->names);
}

static void pop_level(struct walk *w) {
    struct level *l = &w->levels.items[--w->levels.n];
    fd_close(l->fd);
    strv_done(&l->names);
}

/* --- extended attributes
 * --------------------------------------------------------------------------- */
static bool xattr_written(const char *name) {
    return (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0) ||
           strcmp(name, "security.capability") == 0 ||
           strcmp(name, "system.posix_acl_access") == 0 ||
           strcmp(name, "system.posix_acl_default") == 0;
}

/* A copy of which only parts are in this directory cannot become a layer. */
static struct err refuse_partial(const char *name) {
    if (strcmp(name, "trusted.overlay.redirect") == 0 ||
        strcmp(name, "trusted.overlay.metacopy") == 0)
        return err_new(ERR_UNSUPPORTED, "%s cannot become part of a layer", name);
    return OK;
}

/* fd: O_PATH descriptor. Names come in the order of the file system: sorted, to be always the same.
 */
static struct err read_xattrs(int fd, struct arena *a, struct tar_xattrs *ret, bool *ret_opaque) {
    CLEAN_STRV struct strv names = {0};
    TRY(xattr_list(fd, &names));
    if (names.n > 1)
        qsort(names.items, names.n, sizeof(char *), name_order);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        TRY(refuse_partial(name));
        bool opaque = strcmp(name, "trusted.overlay.opaque") == 0;
        if (!opaque && !xattr_written(name))
            continue;
        CLEAN_BUF struct buf value = {0};
        TRY(xattr_get(fd, name, &value));
        if (opaque)
            *ret_opaque = str_eqz(buf_str(&value), "y");
        else
            vec_push(ret, ((struct tar_xattr){arena_strz(a, name),
                                              str_n(arena_str(a, buf_str(&value)), value.len)}));
    }
    return OK;
}

/* --- entries
 * ----------------------------------------------------------------------------------------- */
static struct err put_marker(struct walk *w, struct str dir, const char *name, int64_t mtime) {
    CLEAN_BUF struct buf path = {0};
    buf_add_str(&path, dir);
    buf_adds(&path, name);
    w->done.entries++;
    return w->sink ? tar_put_file(w->sink, buf_cstr(&path), STR_NONE, mtime) : OK;
}

static struct err put_data(struct walk *w, int dir, const char *name, uint64_t size) {
    CLEAN_FD
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open");
    uint64_t left = size;
    while (left > 0) {
        ssize_t n = read(fd, w->data, MIN(left, DATA_SIZE));
        if (n < 0)
            return err_errno(errno, "read");
        if (n == 0)
            return err_new(ERR_CONFLICT, "the file shrank while it was read");
        TRY(tar_put_data(w->sink, w->data, (size_t)n));
        left -= (uint64_t)n;
    }
    return tar_put_padding(w->sink, size);
}

/* The first name of a file with several names, or NULL when this is it. */
static const char *first_name(struct walk *w, const struct stat *st, const char *path) {
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return NULL;
    struct {
        uint64_t dev, ino;
    } key = {st->st_dev, st->st_ino};
    char *first = map_get(&w->links, str_n(&key, sizeof(key)));
    if (!first)
        map_set(&w->links, str_n(&key, sizeof(key)), mem_strdup(path));
    return first;
}

static bool entry_type(const struct stat *st, enum tar_type *ret) {
    switch (st->st_mode & S_IFMT) {
    case S_IFREG:
        *ret = TAR_FILE;
        return true;
    case S_IFDIR:
        *ret = TAR_DIR;
        return true;
    case S_IFLNK:
        *ret = TAR_SYMLINK;
        return true;
    case S_IFCHR:
        *ret = TAR_CHAR;
        return true;
    case S_IFBLK:
        *ret = TAR_BLOCKDEV;
        return true;
    case S_IFIFO:
        *ret = TAR_FIFO;
        return true;
    default:
        return false; /* sockets live as long as their process */
    }
}

static struct err read_target(int fd, struct arena *a, const char **ret) {
    char *target = arena_alloc(a, 4097);
    ssize_t n = readlinkat(fd, "", target, 4096);
    if (n < 0)
        return err_errno(errno, "read link");
    *ret = target;
    return OK;
}

/* Writes one entry whose full path (without a closing '/') is in w->path. */
static struct err put_entry(struct walk *w, int dir, const char *name, int fd,
                            const struct stat *st) {
    CLEAN_ARENA struct arena a = {0};
    struct tar_entry e = {.path = buf_cstr(&w->path), .target = ""};
    if (!entry_type(st, &e.type))
        return OK;
    bool opaque = false;
    const char *first = first_name(w, st, e.path);
    struct err result = OK;
    e.mode = st->st_mode & 07777;
    e.uid = st->st_uid;
    e.gid = st->st_gid;
    e.mtime = st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec;
    e.major = major(st->st_rdev);
    e.minor = minor(st->st_rdev);
    if (first) {
        e.type = TAR_LINK;
        e.target = first;
    } else {
        if (e.type == TAR_SYMLINK)
            TRY(read_target(fd, &a, &e.target));
        else
            result = read_xattrs(fd, &a, &e.xattrs, &opaque);
        if (e.type == TAR_FILE)
            e.size = (uint64_t)st->st_size;
        if (e.type == TAR_DIR)
            e.path = arena_printf(&a, "%s/", e.path);
    }
    w->done.entries++;
    w->done.bytes += e.size;
    if (!err_failed(result) && w->sink) {
        result = tar_put_header(w->sink, &e);
        if (!err_failed(result) && e.type == TAR_FILE)
            result = put_data(w, dir, name, e.size);
    }
    vec_done(&e.xattrs);
    if (!err_failed(result) && opaque && !(w->flags & LAYER_TAR_PLAIN))
        result = put_marker(w, str_of(e.path), ".wh..wh..opq", e.mtime);
    return result;
}

static const char *const mountpoint_files[] = {"etc/hosts", "etc/hostname", "etc/resolv.conf"};
static const char *const mountpoint_dirs[] = {"dev", "proc", "sys"};

static bool dir_is_empty(int parent, const char *name) {
    CLEAN_FD
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CLEAN_STRV struct strv names = {0};
    if (fd < 0)
        return false;
    struct err e = read_names(fd, &names);
    bool empty = !err_failed(e) && names.n == 0;
    err_ignore(e); /* what cannot be read is kept */
    return empty;
}

static bool is_mountpoint(struct walk *w, int dir, const char *name, const struct stat *st) {
    if (!(w->flags & LAYER_TAR_NO_MOUNTPOINTS))
        return false;
    CLEAN_FREE
    char *path = mem_printf("%s%s", buf_cstr(&w->path), name);
    for (size_t i = 0; i < ARRAY_LEN(mountpoint_files); i++)
        if (S_ISREG(st->st_mode) && st->st_size == 0 && strcmp(path, mountpoint_files[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(mountpoint_dirs); i++)
        if (S_ISDIR(st->st_mode) && strcmp(path, mountpoint_dirs[i]) == 0)
            return dir_is_empty(dir, name);
    return false;
}

static struct err visit(struct walk *w, const char *name) {
    int dir = w->levels.items[w->levels.n - 1].fd;
    CLEAN_FD
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(errno, "'%s'", name);
    size_t dir_len = w->path.len;
    if (is_mountpoint(w, dir, name, &st))
        return OK;
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0 && !(w->flags & LAYER_TAR_PLAIN)) {
        CLEAN_FREE
        char *marker = mem_printf(".wh.%s", name);
        return put_marker(w, buf_str(&w->path), marker, st.st_mtim.tv_sec * NSEC_PER_SEC);
    }
    if (strncmp(name, ".wh.", 4) == 0 && !(w->flags & LAYER_TAR_PLAIN))
        return err_new(ERR_INVALID, "'%s%s' cannot be part of a layer: the name is a whiteout's",
                       buf_cstr(&w->path), name);
    buf_adds(&w->path, name);
    struct err e = put_entry(w, dir, name, fd, &st);
    if (err_failed(e))
        return err_wrap(e, "'%s'", buf_cstr(&w->path));
    if (!S_ISDIR(st.st_mode)) {
        buf_truncate(&w->path, dir_len);
        return OK;
    }
    buf_addc(&w->path, '/');
    int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0)
        return err_errno(errno, "'%s'", buf_cstr(&w->path));
    return push_level(w, sub);
}

static struct err walk_levels(struct walk *w) {
    while (w->levels.n > 0) {
        struct level *l = &w->levels.items[w->levels.n - 1];
        if (l->next == l->names.n) {
            pop_level(w);
            continue;
        }
        buf_truncate(&w->path, l->path_len);
        TRY(visit(w, l->names.items[l->next++]));
    }
    return w->sink ? tar_put_end(w->sink) : OK;
}

static struct err walk_all(struct walk *w, int dir) {
    int top = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return err_errno(errno, "open directory");
    TRY(push_level(w, top));
    return walk_levels(w);
}

/* What is called name, by itself: a file, a link, or a directory with all that is in it. */
static struct err walk_one(struct walk *w, int dir, const char *name, const char *as) {
    CLEAN_FD
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(errno, "'%s'", name);
    buf_adds(&w->path, as);
    TRY(put_entry(w, dir, name, fd, &st));
    if (!S_ISDIR(st.st_mode))
        return w->sink ? tar_put_end(w->sink) : OK;
    buf_addc(&w->path, '/');
    int top = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0)
        return err_errno(errno, "'%s'", name);
    TRY(push_level(w, top));
    return walk_levels(w);
}

static struct err walk(int dir, const char *name, const char *as, unsigned flags,
                       const struct tar_sink *s, struct layer_tar *ret) {
    struct walk w = {.sink = s, .flags = flags, .data = mem_alloc(DATA_SIZE)};
    struct err e = name ? walk_one(&w, dir, name, as) : walk_all(&w, dir);
    if (!err_failed(e))
        *ret = w.done;
    while (w.levels.n > 0)
        pop_level(&w);
    vec_done(&w.levels);
    size_t it = 0;
    void *first;
    while (map_next(&w.links, &it, NULL, &first))
        free(first);
    map_done(&w.links);
    buf_done(&w.path);
    free(w.data);
    return e;
}

struct err layer_tar(int dir, unsigned flags, const struct tar_sink *s, struct layer_tar *ret) {
    return walk(dir, NULL, NULL, flags, s, ret);
}

struct err layer_tar_tree(int dir, const char *name, const char *as, unsigned flags,
                          const struct tar_sink *s, struct layer_tar *ret) {
    return walk(dir, name, as, flags, s, ret);
}

struct err layer_size(int dir, uint64_t *ret_bytes, bool *ret_empty) {
    struct layer_tar t;
    TRY(walk(dir, NULL, NULL, 0, NULL, &t));
    *ret_bytes = t.bytes;
    *ret_empty = t.entries == 0;
    return OK;
}

/* Removes the file below etc when it is empty; counts what went. */
static struct err drop_file(int etc, const char *name, unsigned *count) {
    struct stat st;
    if (fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_size > 0)
        return OK;
    if (unlinkat(etc, name, 0) < 0)
        return err_errno(errno, "remove the mount point etc/%s", name);
    ++*count;
    return OK;
}

struct err layer_drop_mountpoints(int dir) {
    for (size_t i = 0; i < ARRAY_LEN(mountpoint_dirs); i++)
        if (unlinkat(dir, mountpoint_dirs[i], AT_REMOVEDIR) < 0 && errno != ENOENT &&
            errno != ENOTDIR && errno != ENOTEMPTY && errno != EEXIST)
            return err_errno(errno, "remove the mount point %s", mountpoint_dirs[i]);
    CLEAN_FD
    int etc = openat(dir, "etc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    unsigned gone = 0;
    if (etc < 0 || fstat(etc, &st) < 0)
        return OK; /* nothing was mounted there */
    for (size_t i = 0; i < ARRAY_LEN(mountpoint_files); i++)
        TRY(drop_file(etc, mountpoint_files[i] + strlen("etc/"), &gone));
    /* One with another mode or owner was made, or changed, by the program. */
    bool plain = (st.st_mode & 07777) == 0755 && st.st_uid == 0 && st.st_gid == 0;
    if (gone > 0 && plain && unlinkat(dir, "etc", AT_REMOVEDIR) < 0 && errno != ENOTEMPTY &&
        errno != EEXIST)
        return err_errno(errno, "remove the mount point etc");
    return OK;
}
