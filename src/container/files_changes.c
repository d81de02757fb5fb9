/* changes: what a container wrote, against the image that it came from. */
#include "base/file.h"
#include "base/vec.h"
#include "container/files.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 512

enum change { CHANGE_MODIFIED = 0, CHANGE_ADDED = 1, CHANGE_DELETED = 2 };

struct level {
    int fd;
    struct strv names;
    size_t next, path_len;
    bool opaque; /* what the image has here is hidden */
    bool fresh;  /* the image has no such directory */
};

struct compare {
    int image;
    struct buf path; /* absolute, without a closing slash */
    VEC(struct level) levels;
    struct json_out *out;
};

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err read_names(int fd, struct strv *ret) {
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *d = own < 0 ? NULL : fdopendir(own);
    if (!d) {
        fd_close(own);
        return err_errno(errno, "read directory");
    }
    rewinddir(d); /* duplicates share their position */
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            strv_add(ret, e->d_name);
    closedir(d);
    if (ret->n > 1)
        qsort(ret->items, ret->n, sizeof(char *), name_order);
    return OK;
}

static void put(struct compare *c, enum change kind, const char *path) {
    jo_obj(c->out);
    jo_kstr(c->out, "Path", path);
    jo_ki64(c->out, "Kind", kind);
    jo_obj_end(c->out);
}

static bool in_image(const struct compare *c, const char *path, struct stat *ret) {
    if (c->image < 0)
        return false;
    struct err e = beneath_stat(c->image, path, false, ret);
    bool there = !err_failed(e);
    err_ignore(e);
    return there;
}

/* --- what starting a container leaves behind
 * -------------------------------------------------------- */

static const char *const places[] = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
                                     "/dev",       "/proc",         "/sys"};

/* Empty files and directories to mount on: the engine made them, not the program. */
static bool is_place(int dir, const char *name, const char *path, const struct stat *st) {
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (strcmp(path, places[i]) != 0)
            continue;
        if (S_ISREG(st->st_mode))
            return st->st_size == 0;
        CLEAN_FD int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        CLEAN_STRV struct strv names = {0};
        struct err e = fd < 0 ? err_errno(errno, "open") : read_names(fd, &names);
        bool empty = !err_failed(e) && names.n == 0;
        err_ignore(e); /* what cannot be read is shown */
        return empty;
    }
    return false;
}

/* /etc in which nothing but such files was made. */
static bool holds_places_only(const struct compare *c, int fd) {
    CLEAN_STRV struct strv names = {0};
    if (strcmp(buf_cstr((struct buf *)(uintptr_t)&c->path), "/etc") != 0)
        return false;
    err_ignore(read_names(fd, &names));
    for (size_t i = 0; i < names.n; i++) {
        struct stat st;
        CLEAN_FREE char *path = mem_printf("/etc/%s", names.items[i]);
        if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            !is_place(fd, names.items[i], path, &st))
            return false;
    }
    return names.n > 0;
}

/* --- the walk
 * --------------------------------------------------------------------------------------- */

static bool is_opaque(int fd) {
    CLEAN_BUF struct buf value = {0};
    struct err e = xattr_get(fd, "trusted.overlay.opaque", &value);
    bool opaque = !err_failed(e) && str_eqz(buf_str(&value), "y");
    err_ignore(e);
    return opaque;
}

/* A directory that replaced one of the image: what the image had in it and it has not, is gone. */
static struct err put_hidden(struct compare *c, const struct level *l) {
    CLEAN_FD int old = -1;
    CLEAN_STRV struct strv names = {0};
    const char *path = buf_cstr(&c->path);
    struct err e = beneath_open(c->image, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &old);
    if (err_failed(e)) {
        err_ignore(e); /* it was no directory */
        return OK;
    }
    TRY(read_names(old, &names));
    for (size_t i = 0; i < names.n; i++) {
        bool kept = false;
        for (size_t k = 0; k < l->names.n; k++)
            kept |= strcmp(names.items[i], l->names.items[k]) == 0;
        CLEAN_FREE char *gone = mem_printf("%s/%s", path, names.items[i]);
        if (!kept)
            put(c, CHANGE_DELETED, gone);
    }
    return OK;
}

static struct err push_level(struct compare *c, int fd, bool hidden, bool fresh) {
    if (c->levels.n >= DEPTH_MAX) {
        fd_close(fd);
        return err_new(ERR_INVALID, "directories are nested deeper than %d", DEPTH_MAX);
    }
    struct level *l = vec_add(&c->levels);
    l->fd = fd;
    l->path_len = c->path.len;
    l->fresh = fresh;
    l->opaque = hidden || (c->path.len > 0 && is_opaque(fd));
    TRY(read_names(fd, &l->names));
    return l->opaque && !hidden && c->image >= 0 && !fresh ? put_hidden(c, l) : OK;
}

static bool same_dir(const struct stat *a, const struct stat *b) {
    return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static struct err visit(struct compare *c, const char *name) {
    struct level *l = &c->levels.items[c->levels.n - 1];
    bool hidden = l->opaque || l->fresh;
    struct stat st, old = {0};
    int dir = l->fd;
    buf_addc(&c->path, '/');
    buf_adds(&c->path, name);
    const char *path = buf_cstr(&c->path);
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : err_errno(errno, "'%s'", path);
    if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
        put(c, CHANGE_DELETED, path);
        return OK;
    }
    bool there = in_image(c, path, &old);
    if (is_place(dir, name, path, &st))
        return OK;
    if (!S_ISDIR(st.st_mode)) {
        put(c, there ? CHANGE_MODIFIED : CHANGE_ADDED, path);
        return OK;
    }
    int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub < 0)
        return errno == ENOENT ? OK : err_errno(errno, "'%s'", path);
    bool was_dir = there && S_ISDIR(old.st_mode);
    if (!there && !holds_places_only(c, sub))
        put(c, CHANGE_ADDED, path);
    else if (there && !(was_dir && same_dir(&st, &old)) && !holds_places_only(c, sub))
        put(c, CHANGE_MODIFIED, path);
    return push_level(c, sub, hidden, !was_dir);
}

static struct err walk(struct compare *c, int upper) {
    int top = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return err_errno(errno, "open directory");
    TRY(push_level(c, top, false, false));
    while (c->levels.n > 0) {
        struct level *l = &c->levels.items[c->levels.n - 1];
        if (l->next == l->names.n) {
            fd_close(l->fd);
            strv_done(&l->names);
            c->levels.n--;
            continue;
        }
        buf_truncate(&c->path, l->path_len);
        TRY(visit(c, l->names.items[l->next++]));
    }
    return OK;
}

struct err files_changes(int upper, int image, struct buf *ret_json) {
    CLEAN_BUF struct buf list = {0};
    struct json_out jo = {.out = &list};
    struct compare c = {.image = image, .out = &jo};
    jo_arr(&jo);
    struct err e = walk(&c, upper);
    jo_arr_end(&jo);
    while (c.levels.n > 0) {
        struct level *l = &c.levels.items[--c.levels.n];
        fd_close(l->fd);
        strv_done(&l->names);
    }
    vec_done(&c.levels);
    buf_done(&c.path);
    if (err_failed(e))
        return e;
    if (str_eqz(buf_str(&list), "[]"))
        buf_adds(ret_json, "null\n"); /* as the peer says that there are none */
    else
        buf_addf(ret_json, "%s\n", buf_cstr(&list));
    return OK;
}
