#include "kernel/beneath.h"
#include "base/file.h"
#include "base/mem.h"
#include "kernel/walk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel */

static struct err failed(int errnum, const char *what, const char *path) {
    errnum = errnum < 0 ? -errnum : errnum;
    enum err_kind kind = errnum == ENOENT || errnum == ENOTDIR       ? ERR_NOT_FOUND
                         : errnum == ELOOP || errnum == ENAMETOOLONG ? ERR_INVALID
                                                                     : ERR_SYSTEM;
    return err_kind_errno(kind, errnum, "%s '%s'", what, path);
}

/* Descriptor or -errno. */
static int open_in_root(int root, const char *path, int flags, mode_t mode) {
    if (strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    struct open_how how = {
        .flags = (unsigned)flags | O_CLOEXEC,
        .mode = flags & O_CREAT ? mode & 07777 : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    for (int tries = 0; tries < 64; tries++) {
        long fd = syscall(SYS_openat2, root, path[0] ? path : "/", &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno == ENOSYS)
            return walk_open(root, path, flags, mode);
        /* EAGAIN: something was renamed during the walk and ".." could not be proven inside. */
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

struct err beneath_open(int root, const char *path, int flags, mode_t mode, int *ret_fd) {
    int fd = open_in_root(root, path, flags, mode);
    if (fd < 0)
        return failed(fd, "open", path);
    *ret_fd = fd;
    return OK;
}

/* Where the next step of a mkdirs walk begins: `done` bytes of text name an existing directory. */
struct making {
    struct buf path; /* may be rewritten when a dangling link is met */
    size_t done;
    int links;
};

/* The component at m->done could not be opened and could not be made: it is a dangling link. Its
 * target takes its place in the text. */
static int splice_link(struct making *m, int dir, const char *name, size_t rest) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target));
    if (n < 0)
        return errno == EINVAL ? -ENOTDIR : -errno;
    if (++m->links > LINKS_MAX)
        return -ELOOP;
    CLEAN_BUF struct buf path = {0};
    if (n > 0 && target[0] != '/') {
        buf_add(&path, m->path.data, m->done);
        buf_addc(&path, '/');
    }
    buf_add(&path, target, (size_t)n);
    buf_addc(&path, '/');
    buf_adds(&path, m->path.data + rest);
    if (path.len >= PATH_MAX)
        return -ENAMETOOLONG;
    struct buf old = m->path;
    m->path = path;
    path = old;
    m->done = 0;
    return 0;
}

/* One component: opens the prefix that ends with it, or makes it. */
static int make_step(struct making *m, int root, mode_t mode, size_t start, size_t end, int *dir) {
    char *text = m->path.data, saved = text[end];
    text[end] = '\0';
    int fd = open_in_root(root, text, O_PATH | O_DIRECTORY, 0);
    int result = fd;
    if (fd == -ENOENT) {
        if (mkdirat(*dir, text + start, mode) == 0)
            result = open_in_root(root, text, O_PATH | O_DIRECTORY, 0);
        else if (errno == EEXIST) {
            int r = splice_link(m, *dir, text + start, end + (saved != '\0'));
            if (r == 0)
                return 1; /* the text has changed; text[end] went with the old one */
            result = r;
        } else
            result = -errno;
    }
    text[end] = saved;
    if (result < 0)
        return result;
    fd_close(*dir);
    *dir = result;
    m->done = end;
    return 0;
}

static int make_all(struct making *m, int root, mode_t mode, int *dir) {
    for (;;) {
        size_t start = m->done;
        while (m->path.data[start] == '/')
            start++;
        if (!m->path.data[start])
            return 0;
        size_t end = start + strcspn(m->path.data + start, "/");
        int r = make_step(m, root, mode, start, end, dir);
        if (r < 0)
            return r;
        if (r > 0) { /* begin again at the root with the new text */
            fd_close(*dir);
            *dir = open_in_root(root, "/", O_PATH | O_DIRECTORY, 0);
            if (*dir < 0)
                return *dir;
        }
    }
}

struct err beneath_mkdirs(int root, const char *path, mode_t mode, int *ret_fd) {
    if (strlen(path) >= PATH_MAX)
        return failed(ENAMETOOLONG, "make directory", path);
    int whole = open_in_root(root, path, O_PATH | O_DIRECTORY, 0);
    if (whole >= 0) {
        *ret_fd = whole;
        return OK;
    }
    struct making m = {0};
    buf_adds(&m.path, path);
    buf_addc(&m.path, '/');
    CLEAN_FD int dir = open_in_root(root, "/", O_PATH | O_DIRECTORY, 0);
    int r = dir < 0 ? dir : make_all(&m, root, mode, &dir);
    buf_done(&m.path);
    if (r < 0)
        return failed(r, "make directory", path);
    *ret_fd = TAKE_FD(dir);
    return OK;
}

struct err beneath_parent(int root, const char *path, bool make, int *ret_dir,
                          const char **ret_name) {
    struct str p = str_of(path);
    if (p.len >= PATH_MAX)
        return failed(ENAMETOOLONG, "open", path);
    ssize_t slash = str_rfind(p, '/');
    const char *name = path + slash + 1;
    if (!name[0] || str_eqz(str_of(name), ".") || str_eqz(str_of(name), ".."))
        return err_new(ERR_INVALID, "'%s' does not name anything in a directory", path);
    CLEAN_FREE char *dir = str_dup(str_sub(p, 0, slash < 0 ? 0 : (size_t)slash));
    if (make)
        TRY(beneath_mkdirs(root, dir, 0755, ret_dir));
    else
        TRY(beneath_open(root, dir, O_PATH | O_DIRECTORY, 0, ret_dir));
    *ret_name = name;
    return OK;
}

static struct err check_not_dir(int fd, const char *path) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return failed(errno, "stat", path);
    if (S_ISDIR(st.st_mode))
        return err_new(ERR_INVALID, "'%s' is a directory", path);
    return OK;
}

struct err beneath_touch(int root, const char *path, mode_t mode, int *ret_fd) {
    CLEAN_FD int fd = open_in_root(root, path, O_PATH, 0);
    if (fd == -ENOENT) {
        CLEAN_FD int dir = -1, made = -1;
        const char *name;
        TRY(beneath_parent(root, path, true, &dir, &name));
        /* Through open_in_root once more: a dangling link is followed inside the root. */
        made = open_in_root(root, path, O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK, mode);
        if (made < 0)
            return failed(made, "make file", path);
        fd = open_in_root(root, path, O_PATH, 0);
    }
    if (fd < 0)
        return failed(fd, "open", path);
    TRY(check_not_dir(fd, path));
    *ret_fd = TAKE_FD(fd);
    return OK;
}

struct err beneath_read(int root, const char *path, size_t max, struct buf *ret) {
    /* O_NONBLOCK: a fifo or a tty in the place of the file must not hold us. */
    CLEAN_FD int fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return failed(fd, "open", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return failed(errno, "stat", path);
    if (!S_ISREG(st.st_mode))
        return err_new(ERR_INVALID, "'%s' is not a regular file", path);
    CLEAN_BUF struct buf b = {.max = max};
    int r = fd_read_buf(fd, &b);
    if (r < 0)
        return failed(r, "read", path);
    if (b.overflow)
        return err_new(ERR_INVALID, "'%s' is larger than %zu bytes", path, max);
    buf_add_str(ret, buf_str(&b));
    return OK;
}

struct err beneath_readlink(int root, const char *path, struct buf *ret) {
    CLEAN_FD int fd = open_in_root(root, path, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0)
        return failed(fd, "open", path);
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target));
    if (n < 0 && (errno == EINVAL || errno == ENOENT))
        return err_new(ERR_INVALID, "'%s' is not a symbolic link", path);
    if (n < 0)
        return failed(errno, "read link", path);
    buf_add(ret, target, (size_t)n);
    return OK;
}

struct err beneath_stat(int root, const char *path, bool follow, struct stat *ret) {
    CLEAN_FD int fd = open_in_root(root, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0);
    if (fd < 0)
        return failed(fd, "open", path);
    if (fstat(fd, ret) < 0)
        return failed(errno, "stat", path);
    return OK;
}
