#include "kernel/walk.h"
#include "base/buf.h"
#include "base/vec.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40
#define DEPTH_MAX 512 /* directories held open at a time */

/* The directories from the root to where the walk stands. ".." pops: nothing that is renamed
 * meanwhile can lead out, because no parent is ever looked up. */
struct walk {
    int root; /* borrowed */
    struct fds VEC_BODY(int) dirs;
    struct buf rest; /* text still to be walked */
    int links;
};

static int here(const struct walk *w) {
    return w->dirs.n ? w->dirs.items[w->dirs.n - 1] : w->root;
}

static void pop(struct walk *w) {
    if (w->dirs.n)
        close(w->dirs.items[--w->dirs.n]);
}

static void pop_all(struct walk *w) {
    while (w->dirs.n)
        pop(w);
}

/* Puts the link's text in front of what is left. */
static int splice_text(struct walk *w, int fd) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(fd, "", target, sizeof(target));
    if (n < 0)
        return -errno;
    if (n == 0)
        return -ENOENT;
    if (++w->links > LINKS_MAX)
        return -ELOOP;
    if (target[0] == '/')
        pop_all(w);
    CLEAN_BUF struct buf text = {0};
    buf_add(&text, target, (size_t)n);
    buf_addc(&text, '/');
    buf_add_str(&text, buf_str(&w->rest));
    if (text.len >= 2 * PATH_MAX)
        return -ENAMETOOLONG;
    struct buf old = w->rest;
    w->rest = text;
    text = old;
    return 0;
}

/* Takes the next component off the text; false at its end. */
static bool next(struct walk *w, char name[NAME_MAX + 1], bool *ret_last, int *ret_error) {
    struct str s = buf_str(&w->rest);
    size_t from = 0;
    while (from < s.len && s.p[from] == '/')
        from++;
    size_t to = from;
    while (to < s.len && s.p[to] != '/')
        to++;
    if (from == to)
        return false;
    if (to - from > NAME_MAX) {
        *ret_error = -ENAMETOOLONG;
        return false;
    }
    memcpy(name, s.p + from, to - from);
    name[to - from] = '\0';
    while (to < s.len && s.p[to] == '/')
        to++;
    *ret_last = to == s.len;
    buf_drop(&w->rest, to);
    return true;
}

static int push_dir(struct walk *w, int fd) {
    if (w->dirs.n >= DEPTH_MAX) {
        close(fd);
        return -ENAMETOOLONG;
    }
    vec_push(&w->dirs, fd);
    return 0;
}

/* A component in the middle: a directory, or a link to go on with. */
static int step(struct walk *w, const char *name) {
    if (name[0] == '.' && !name[1])
        return 0;
    if (name[0] == '.' && name[1] == '.' && !name[2]) {
        pop(w);
        return 0;
    }
    int fd = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 && S_ISDIR(st.st_mode))
        return push_dir(w, fd);
    if (r == 0)
        r = S_ISLNK(st.st_mode) ? splice_text(w, fd) : -ENOTDIR;
    close(fd);
    return r;
}

static int reopen(int fd, int flags) {
    char path[32];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int r = open(path, flags & ~O_NOFOLLOW);
    return r < 0 ? -errno : r;
}

/* The last component. -EAGAIN: it was a link, its text is now in front. */
static int last_step(struct walk *w, const char *name, int flags, mode_t mode) {
    if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) {
        step(w, name);
        return reopen(here(w), flags);
    }
    int fd = openat(here(w), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && (flags & O_CREAT)) {
        fd = openat(here(w), name, flags | O_NOFOLLOW, mode);
        return fd < 0 ? -errno : fd;
    }
    if (fd < 0)
        return -errno;
    struct stat st;
    int r = fstat(fd, &st) < 0 ? -errno : 0;
    if (r == 0 && S_ISLNK(st.st_mode) && !(flags & O_NOFOLLOW) && !(flags & O_EXCL)) {
        r = splice_text(w, fd);
        r = r < 0 ? r : -EAGAIN;
    } else if (r == 0 && S_ISLNK(st.st_mode) && !(flags & O_PATH)) {
        r = flags & O_EXCL ? -EEXIST : -ELOOP;
    } else if (r == 0) {
        /* The name is opened again; a link that has come there since is refused by O_NOFOLLOW. */
        r = openat(here(w), name, flags | O_NOFOLLOW, mode);
        r = r < 0 ? -errno : r;
    }
    close(fd);
    return r;
}

static int walk_all(struct walk *w, int flags, mode_t mode) {
    char name[NAME_MAX + 1];
    bool last = false;
    int error = 0;
    while (next(w, name, &last, &error)) {
        int r = last ? last_step(w, name, flags, mode) : step(w, name);
        if (last && r != -EAGAIN)
            return r;
        if (r < 0 && r != -EAGAIN)
            return r;
    }
    return error ? error : reopen(here(w), flags);
}

int walk_open(int root, const char *path, int flags, mode_t mode) {
    struct walk w = {.root = root};
    buf_adds(&w.rest, path);
    int r = w.rest.len >= PATH_MAX ? -ENAMETOOLONG : walk_all(&w, flags | O_CLOEXEC, mode);
    pop_all(&w);
    vec_done(&w.dirs);
    buf_done(&w.rest);
    return r;
}
