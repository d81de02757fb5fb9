/* build/packed_receive.c - a tar stream to index and spool. */
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "build/packed_own.h"
#include "build/source.h"
#include "build/unpack.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DATA_SIZE (256u << 10)
#define WAITING_SIZE (1u << 20)

struct receiver {
    struct packed *p;
    struct tar_reader *tar;
    const struct extract_limits *limits;
    uint64_t bytes, entries; /* so far */
    struct buf waiting;      /* data of small files that is not yet written … */
    uint64_t waiting_at;     /* … and where it goes */
    uint64_t end;            /* of all data */
    char *data;
    struct sha256 *hash;
    char *last_path; /* directory of the last entry: archives come directory by directory */
    struct packed_inode *last;
};

static void receiver_done(struct receiver *r) {
    tar_reader_free(r->tar);
    buf_done(&r->waiting);
    free(r->data);
    sha256_free(r->hash);
    free(r->last_path);
}

/* --- the spool --- */
static struct err spool_open(int temp_fd, unsigned *serial, int *ret_fd) {
    char name[16];
    snprintf(name, sizeof(name), "%u", __atomic_fetch_add(serial, 1, __ATOMIC_RELAXED));
    CLEAN_FD
    int fd = openat(temp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "make a file for the archive's data");
    if (unlinkat(temp_fd, name, 0) != 0)
        return err_errno(errno, "remove the name of the archive's data");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static struct err write_at(int fd, const char *p, size_t n, uint64_t at) {
    while (n) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return err_errno(k < 0 ? errno : EIO, "write the archive's data");
        p += k;
        n -= (size_t)k;
        at += (uint64_t)k;
    }
    return OK;
}

static struct err flush(struct receiver *r) {
    TRY(write_at(r->p->spool, r->waiting.data, r->waiting.len, r->waiting_at));
    buf_clear(&r->waiting);
    return OK;
}

/* Data goes to the end of what is there. */
static struct err spool_add(struct receiver *r, const char *p, size_t n) {
    if (r->waiting.len + n > WAITING_SIZE)
        TRY(flush(r));
    if (r->waiting.len == 0)
        r->waiting_at = r->end;
    r->end += n;
    if (n >= DATA_SIZE / 2 && r->waiting.len == 0)
        return write_at(r->p->spool, p, n, r->end - n);
    buf_add(&r->waiting, p, n);
    return OK;
}

static void hash_zeros(struct receiver *r, uint64_t n) {
    memset(r->data, 0, DATA_SIZE);
    for (; n; n -= MIN(n, DATA_SIZE))
        sha256_add(r->hash, r->data, MIN(n, DATA_SIZE));
}

static struct err spool_file(struct receiver *r, struct packed_inode *i) {
    i->at = r->end;
    for (;;) {
        size_t n;
        uint64_t hole = tar_skip_hole(r->tar);
        if (hole) {
            TRY(flush(r));
            hash_zeros(r, hole);
            r->end += hole;
        }
        TRY(tar_read(r->tar, r->data, DATA_SIZE, &n));
        if (n == 0)
            return OK;
        sha256_add(r->hash, r->data, n);
        TRY(spool_add(r, r->data, n));
    }
}

/* --- entries --- */
static int attr_order(const void *a, const void *b) {
    return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

/* Those that travel; the last of a name. */
static void keep_xattrs(struct packed *p, const struct tar_entry *e, struct packed_inode *i) {
    if (e->xattrs.n == 0)
        return;
    i->xattrs = arena_array(&p->arena, e->xattrs.n, sizeof(*i->xattrs));
    for (size_t k = 0; k < e->xattrs.n; k++) {
        const struct tar_xattr *x = &e->xattrs.items[k];
        bool again = false;
        for (size_t m = k + 1; m < e->xattrs.n; m++)
            again |= strcmp(e->xattrs.items[m].name, x->name) == 0;
        if (again || !source_xattr_travels(x->name))
            continue;
        i->xattrs[i->xattrs_n++] = (struct tar_xattr){
            arena_strz(&p->arena, x->name), str_n(arena_str(&p->arena, x->value), x->value.len)};
    }
    qsort(i->xattrs, i->xattrs_n, sizeof(*i->xattrs), attr_order);
}

static void attributes(const struct tar_entry *e, struct packed_inode *i) {
    i->mode = e->mode & 07777;
    i->uid = e->uid;
    i->gid = e->gid;
    i->mtime = e->mtime;
    i->major = e->type == TAR_CHAR || e->type == TAR_BLOCKDEV ? e->major : 0;
    i->minor = e->type == TAR_CHAR || e->type == TAR_BLOCKDEV ? e->minor : 0;
}

struct packed_place {
    struct packed_inode *dir;
    const char *name;
};

/* Directory and name of a cleaned path that is not ".": the directory is made when it is missing.
 */
static struct err find_place(struct receiver *r, const char *path, struct packed_place *ret) {
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    ret->name = slash ? slash + 1 : path;
    if (!r->last_path || strlen(r->last_path) != len || memcmp(r->last_path, path, len) != 0) {
        CLEAN_FREE
        char *dir = str_dup(str_n(path, len));
        struct packed_inode *found = NULL;
        TRY(packed_walk(r->p, dir, true, true, &found));
        if (found->type != TAR_DIR)
            return err_kind_errno(ERR_NOT_FOUND, ENOTDIR, "'%s'", dir);
        free(r->last_path);
        r->last_path = TAKE(dir);
        r->last = found;
    }
    ret->dir = r->last;
    return OK;
}

/* What lay below it is another tree's now: ways through it have to be found again. */
static void forget_way(struct receiver *r) {
    free(TAKE(r->last_path));
    r->last = NULL;
}

static struct err put(struct receiver *r, struct packed_place at, struct packed_inode *i) {
    const struct packed_inode *old = packed_child(at.dir, at.name);
    if (old && (old->type == TAR_DIR || old->type == TAR_SYMLINK))
        forget_way(r);
    packed_put(r->p, at.dir, at.name, i);
    return OK;
}

static struct err receive_dir(struct receiver *r, struct packed_place at,
                              const struct tar_entry *e) {
    struct packed_inode *i = (struct packed_inode *)packed_child(at.dir, at.name);
    if (!i || i->type != TAR_DIR) {
        i = packed_make(r->p, TAR_DIR);
        TRY(put(r, at, i));
    }
    attributes(e, i);
    return OK;
}

static struct err receive_link(struct receiver *r, struct packed_place at,
                               const struct tar_entry *e) {
    CLEAN_FREE
    char *target = NULL, *dir = NULL;
    struct packed_inode *parent = NULL, *i = NULL;
    TRYF(extract_path(e->target, &target), "target '%s'", e->target);
    if (strcmp(target, ".") == 0)
        return err_new(ERR_INVALID, "hard link to a directory");
    const char *slash = strrchr(target, '/');
    dir = str_dup(str_n(target, slash ? (size_t)(slash - target) : 0));
    TRYF(packed_walk(r->p, dir, true, false, &parent), "target '%s'", e->target);
    if (parent->type == TAR_DIR)
        i = map_getz(&parent->dir->by_name, slash ? slash + 1 : target);
    if (!i)
        return err_kind_errno(ERR_INVALID, ENOENT, "target '%s'", e->target);
    if (i->type == TAR_DIR)
        return err_new(ERR_INVALID, "hard link to a directory");
    if (packed_child(at.dir, at.name) == i)
        return OK; /* a link to itself, or said twice */
    return put(r, at, i);
}

static struct err receive_file(struct receiver *r, struct packed_place at,
                               const struct tar_entry *e) {
    if (e->size > r->limits->bytes - r->bytes)
        return err_new(ERR_INVALID, "the archive holds more than %llu bytes",
                       (unsigned long long)r->limits->bytes);
    struct packed_inode *i = packed_make(r->p, TAR_FILE);
    attributes(e, i);
    keep_xattrs(r->p, e, i);
    i->size = e->size;
    TRY(put(r, at, i));
    source_hash_begin(r->hash, i->xattrs, i->xattrs_n, i->size);
    if (e->size)
        TRY(spool_file(r, i));
    sha256_end(r->hash, i->content.bytes);
    r->bytes += e->size;
    return OK;
}

static struct err receive_other(struct receiver *r, struct packed_place at,
                                const struct tar_entry *e) {
    if (e->type == TAR_SYMLINK && e->target[0] == '\0')
        return err_new(ERR_INVALID, "symbolic link without a target");
    if (e->type == TAR_SYMLINK && strlen(e->target) > EXTRACT_PATH_MAX)
        return err_new(ERR_INVALID, "target is longer than %d bytes", EXTRACT_PATH_MAX);
    if (e->type == TAR_CHAR && e->major == 0 && e->minor == 0)
        return err_new(ERR_INVALID, "a character device 0:0 would be a whiteout");
    struct packed_inode *i = packed_make(r->p, e->type);
    attributes(e, i);
    if (e->type == TAR_SYMLINK) {
        i->mode = 0777;
        i->target = arena_strz(&r->p->arena, e->target);
    }
    return put(r, at, i);
}

static struct err receive_entry(struct receiver *r, const struct tar_entry *e) {
    CLEAN_FREE
    char *path = NULL;
    struct packed_place at;
    TRY(extract_path(e->path, &path));
    if (strcmp(path, ".") == 0) {
        if (e->type != TAR_DIR)
            return err_new(ERR_INVALID, "the root is not a directory");
        attributes(e, r->p->root);
        return OK;
    }
    TRY(find_place(r, path, &at));
    switch (e->type) {
    case TAR_DIR:
        return receive_dir(r, at, e);
    case TAR_LINK:
        return receive_link(r, at, e);
    case TAR_FILE:
        return receive_file(r, at, e);
    default:
        return receive_other(r, at, e);
    }
}

static struct err receive_all(struct receiver *r) {
    for (;;) {
        const struct tar_entry *e = NULL;
        TRY(tar_next(r->tar, &e));
        if (!e)
            break;
        if (++r->entries > r->limits->entries)
            return err_new(ERR_INVALID, "the archive has more than %llu entries",
                           (unsigned long long)r->limits->entries);
        TRYF(receive_entry(r, e), "entry '%s'", e->path);
        if (r->p->arena.total + r->p->names_bytes > PACKED_INDEX_MAX)
            return err_new(ERR_INVALID, "the index of the archive is larger than %llu bytes",
                           (unsigned long long)PACKED_INDEX_MAX);
    }
    TRY(tar_finish(r->tar));
    TRY(flush(r));
    /* A hole may be the last thing. */
    if (ftruncate(r->p->spool, (off_t)r->end) != 0)
        return err_errno(errno, "set the size of the archive's data");
    return OK;
}

static int name_order(const void *a, const void *b) {
    return strcmp(((const struct packed_name *)a)->name, ((const struct packed_name *)b)->name);
}

/* Names in order; they are the maps' own from now on. */
static void sort_names(struct packed *p) {
    for (size_t i = 0; i < p->dirs.n; i++) {
        struct packed_dir *dir = p->dirs.items[i];
        size_t it = 0;
        struct str key;
        void *value;
        while (map_next(&dir->by_name, &it, &key, &value)) {
            struct packed_name n = {arena_str(&p->arena, key), value};
            vec_push(&dir->names, n);
        }
        if (dir->names.n)
            qsort(dir->names.items, dir->names.n, sizeof(dir->names.items[0]), name_order);
    }
}

struct err packed_receive(struct stream *in, int temp_fd, unsigned *serial,
                          const struct extract_limits *limits, struct packed **ret) {
    CLEAN_STREAM struct stream *plain = NULL;
    CLEAN_PACKED struct packed *p = NEW(struct packed);
    p->spool = -1;
    p->root = packed_make(p, TAR_DIR);
    p->root->mode = 0755;
    p->root->mtime = time_now();
    p->root->dir->parent = p->root;
    TRY(decode_open(in, &plain));
    TRY(spool_open(temp_fd, serial, &p->spool));
    OWN(receiver_done) struct receiver r = {.p = p, .limits = limits};
    r.tar = tar_reader_new(plain);
    r.data = mem_alloc(DATA_SIZE);
    r.hash = sha256_new();
    TRY(receive_all(&r));
    sort_names(p);
    *ret = TAKE(p);
    return OK;
}
