/* files.c - finding the files of a log while they are being rotated. */
#include "logs/files.h"
#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 65536
#define HOLES_MAX 8 /* names in a row that are not there: the end */
#define LAST_LINE (256u << 10)

void file_done(struct file *f) {
    f->packed = packed_free(f->packed);
    f->fd = fd_close(f->fd);
}

void files_done(struct files *f) {
    for (size_t i = 0; i < f->n; i++)
        file_done(&f->items[i]);
    vec_done(f);
}

struct err file_pread(const struct file *f, void *to, size_t n, off_t offset, size_t *ret_n) {
    if (f->packed)
        return packed_read(f->packed, to, n, (uint64_t)offset, ret_n);
    ssize_t got;
    do
        got = pread(f->fd, to, n, offset);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_errno(errno, "read log");
    *ret_n = (size_t)got;
    return OK;
}

/* Time of the last record; false: it cannot be told. */
static bool last_time(const struct file *f, int64_t *ret) {
    OWN(clean_free) char *end = mem_alloc(LAST_LINE);
    size_t want = (size_t)MIN((off_t)LAST_LINE, f->size);
    ssize_t got = pread(f->fd, end, want, f->size - (off_t)want);
    if (got < 2 || (size_t)got != want || end[want - 1] != '\n')
        return false;
    const char *nl = memrchr(end, '\n', want - 1);
    const char *line = nl ? nl + 1 : end;
    struct logs_record r = {0};
    CLEAN_BUF struct buf text = {0};
    bool told = logs_parse(str_n(line, want - (size_t)(line - end)), &r, &text) > 0;
    if (told) {
        struct err e = time_parse(r.time, ret);
        told = !err_failed(e);
        err_ignore(e);
    }
    logs_record_done(&r);
    return told;
}

/* A clock that was set back lets older times follow newer ones: both the last record and the last
 * write must be before. */
bool file_before(const struct file *f, int64_t since) {
    struct stat st;
    int64_t last;
    if (f->packed)
        return packed_since(f->packed, since) >= f->packed->raw && f->packed->indexed;
    return fstat(f->fd, &st) == 0 && st.st_mtim.tv_sec < since / NSEC_PER_SEC - 1 &&
           last_time(f, &last) && last < since;
}

/* name for index 0, name.N else, compressed or not; fd -1 when there is none. */
static struct err open_path(int dir_fd, const char *name, int index, bool packed,
                            struct file *ret) {
    char path[300];
    if (index == 0)
        snprintf(path, sizeof(path), "%s", name);
    else
        snprintf(path, sizeof(path), "%s.%d%s", name, index, packed ? PACKED_SUFFIX : "");
    *ret = (struct file){.fd = -1};
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
    if (ret->fd >= 0 && packed) {
        struct err e = packed_open(ret->fd, &ret->packed);
        if (err_failed(e) || ret->packed == NULL)
            ret->fd = fd_close(ret->fd);
        else
            ret->size = (off_t)ret->packed->raw;
        return e;
    }
    return OK;
}

/* The compressed file appears before its original goes: in this order one of them is there. */
static struct err open_one(int dir_fd, const char *name, int index, struct file *ret) {
    TRY(open_path(dir_fd, name, index, false, ret));
    return ret->fd < 0 && index > 0 ? open_path(dir_fd, name, index, true, ret) : OK;
}

static uint64_t tells(struct file *f) {
    if (f->packed)
        return f->packed->tells;
    if (f->told)
        return f->tells;
    OWN(clean_free) char *head = mem_alloc(PACKED_HEAD);
    ssize_t n = pread(f->fd, head, PACKED_HEAD, 0);
    f->tells = packed_tell(head, n > 0 ? (size_t)n : 0);
    f->told = n == (ssize_t)PACKED_HEAD; /* a short one may still grow */
    return f->tells;
}

static bool same(struct file *a, struct file *b) {
    if (a->packed || b->packed)
        return tells(a) == tells(b);
    return a->ino == b->ino && a->dev == b->dev;
}

static bool seen(struct files *f, struct file *x) {
    for (size_t i = 0; i < f->n; i++)
        if (same(&f->items[i], x))
            return true;
    return false;
}

/* Opens upwards until the end or `stop` is met. A rotation renames from the highest name down, so
 * there is a hole where it is at work, which is not the end: what was in front of it has moved up
 * by one, and once more for each rotation that has passed us since. */
static struct err collect(int dir_fd, const char *name, struct file *stop, struct files *ret) {
    for (int i = 0, holes = 0; i < FILES_MAX + HOLES_MAX && holes < HOLES_MAX; i++) {
        struct file x;
        struct err e = open_one(dir_fd, name, i, &x);
        if (err_failed(e)) {
            files_done(ret);
            return e;
        }
        holes = x.fd < 0 ? holes + 1 : 0;
        if (x.fd >= 0 && stop && same(&x, stop)) {
            file_done(&x);
            break;
        }
        if (x.fd < 0)
            continue;
        if (seen(ret, &x))
            file_done(&x);
        else
            vec_push(ret, x);
    }
    return OK;
}

struct err files_open(int dir_fd, const char *name, struct files *ret) {
    *ret = (struct files){0};
    return collect(dir_fd, name, NULL, ret);
}

struct err files_next(int dir_fd, const char *name, struct file *current, struct file *ret) {
    struct files newer = {0};
    TRY(collect(dir_fd, name, current, &newer));
    *ret = (struct file){.fd = -1};
    if (newer.n > 0) {
        *ret = newer.items[newer.n - 1]; /* the oldest of the newer ones */
        newer.n--;
    }
    files_done(&newer);
    return OK;
}

/* Walks one file backwards; *n counts down. True: found. */
static struct err tail_one(const struct file *x, uint64_t *n, bool *ret_found, off_t *ret_offset) {
    if (x->packed) {
        uint64_t offset;
        TRY(packed_tail(x->packed, n, ret_found, &offset));
        *ret_offset = *ret_found ? (off_t)offset : 0;
        return OK;
    }
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
