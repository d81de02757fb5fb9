/* files.c - finding the files of a log while they are being rotated. */
#include "logs/files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 65536
#define HOLES_MAX 8 /* names in a row that are not there: the end */

void files_done(struct files *f) {
    for (size_t i = 0; i < f->n; i++)
        fd_close(f->items[i].fd);
    vec_done(f);
}

/* name for index 0, name.N else; fd -1 when there is none. */
static struct err open_one(int dir_fd, const char *name, int index, struct file *ret) {
    char path[300];
    if (index == 0)
        snprintf(path, sizeof(path), "%s", name);
    else
        snprintf(path, sizeof(path), "%s.%d", name, index);
    ret->fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (ret->fd < 0 && errno != ENOENT)
        return err_errno(errno, "open log file '%s'", path);
    struct stat st;
    if (ret->fd >= 0 && fstat(ret->fd, &st) < 0) {
        int e = errno;
        ret->fd = fd_close(ret->fd);
        return err_errno(e, "stat log file '%s'", path);
    }
    if (ret->fd >= 0) {
        ret->dev = st.st_dev;
        ret->ino = st.st_ino;
        ret->size = st.st_size;
    }
    return OK;
}

static bool same(const struct file *a, const struct file *b) {
    return a->ino == b->ino && a->dev == b->dev;
}

static bool seen(const struct files *f, const struct file *x) {
    for (size_t i = 0; i < f->n; i++)
        if (same(&f->items[i], x))
            return true;
    return false;
}

/* Opens upwards until the end or `stop` is met. A rotation renames from the highest name down, so
 * there is a hole where it is at work, which is not the end: what was in front of it has moved up
 * by one, and once more for each rotation that has passed us since. */
static struct err collect(int dir_fd, const char *name, const struct file *stop,
                          struct files *ret) {
    for (int i = 0, holes = 0; i < FILES_MAX + HOLES_MAX && holes < HOLES_MAX; i++) {
        struct file x;
        struct err e = open_one(dir_fd, name, i, &x);
        if (err_failed(e)) {
            files_done(ret);
            return e;
        }
        holes = x.fd < 0 ? holes + 1 : 0;
        if (x.fd >= 0 && stop && same(&x, stop)) {
            fd_close(x.fd);
            break;
        }
        if (x.fd < 0)
            continue;
        if (seen(ret, &x))
            fd_close(x.fd);
        else
            vec_push(ret, x);
    }
    return OK;
}

struct err files_open(int dir_fd, const char *name, struct files *ret) {
    *ret = (struct files){0};
    return collect(dir_fd, name, NULL, ret);
}

struct err files_next(int dir_fd, const char *name, const struct file *current, struct file *ret) {
    struct files newer = {0};
    TRY(collect(dir_fd, name, current, &newer));
    ret->fd = -1;
    if (newer.n > 0) {
        *ret = newer.items[newer.n - 1]; /* the oldest of the newer ones */
        newer.n--;
    }
    files_done(&newer);
    return OK;
}

/* Walks one file backwards; *n counts down. True: found. */
static struct err tail_one(const struct file *x, uint64_t *n, bool *ret_found, off_t *ret_offset) {
    OWN(clean_free) char *block = mem_alloc(BLOCK);
    off_t end = x->size;
    bool last = true; /* the newline that ends the last record begins none */
    while (end > 0) {
        size_t want = (size_t)MIN((off_t)BLOCK, end);
        ssize_t got = pread(x->fd, block, want, end - (off_t)want);
        if (got < 0)
            return err_errno(errno, "read log");
        if ((size_t)got < want)
            break; /* truncated meanwhile */
        for (size_t left = want; left > 0;) {
            const char *nl = memrchr(block, '\n', left);
            if (nl == NULL)
                break;
            left = (size_t)(nl - block);
            if (last) {
                last = false;
                continue;
            }
            if (--*n == 0) {
                *ret_found = true;
                *ret_offset = end - (off_t)want + (off_t)left + 1;
                return OK;
            }
        }
        end -= (off_t)want;
    }
    if (x->size > 0 && --*n == 0) { /* the first record of the file */
        *ret_found = true;
        *ret_offset = 0;
    }
    return OK;
}

struct err files_tail(const struct files *f, uint64_t n, size_t *ret_index, off_t *ret_offset) {
    if (n == 0 && f->n > 0) {
        *ret_index = 0;
        *ret_offset = f->items[0].size;
        return OK;
    }
    for (size_t i = 0; i < f->n; i++) {
        bool found = false;
        off_t offset = 0;
        TRY(tail_one(&f->items[i], &n, &found, &offset));
        if (found) {
            *ret_index = i;
            *ret_offset = offset;
            return OK;
        }
    }
    *ret_index = f->n ? f->n - 1 : 0; /* fewer than n: all */
    *ret_offset = 0;
    return OK;
}
