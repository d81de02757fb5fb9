/* build/packed.c - the index, and finding in it. */
#include "build/packed.h"
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "build/packed_own.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct packed *packed_free(struct packed *p) {
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->dirs.n; i++) {
        map_done(&p->dirs.items[i]->by_name);
        vec_done(&p->dirs.items[i]->names);
    }
    vec_done(&p->dirs);
    arena_done(&p->arena);
    fd_close(p->spool);
    free(p);
    return NULL;
}

void packed_clean(struct packed **p) {
    *p = packed_free(*p);
}

struct packed_inode *packed_make(struct packed *p, enum tar_type type) {
    struct packed_inode *i = arena_alloc(&p->arena, sizeof(*i));
    i->type = type;
    i->number = ++p->inodes;
    i->target = "";
    if (type == TAR_DIR) {
        i->dir = arena_alloc(&p->arena, sizeof(*i->dir));
        vec_push(&p->dirs, i->dir);
    }
    return i;
}

void packed_put(struct packed *p, struct packed_inode *dir, const char *name,
                struct packed_inode *i) {
    struct packed_inode *old = map_set(&dir->dir->by_name, str_of(name), i);
    p->names_bytes += strlen(name) + sizeof(struct map_slot) * 2;
    i->links++;
    if (i->type == TAR_DIR)
        i->dir->parent = dir;
    if (old)
        old->links--;
}

/* A way through the tree: the path that is left, which grows when a link is met. */
struct way {
    struct packed *p;
    bool make; /* directories that are missing */
    struct buf rest;
    size_t at; /* of rest */
    unsigned links;
    struct packed_inode *here;
};

static void way_done(struct way *w) {
    buf_done(&w->rest);
}

/* The next part; empty at the end. */
static struct str next_part(struct way *w) {
    const char *p = buf_cstr(&w->rest);
    while (p[w->at] == '/')
        w->at++;
    size_t from = w->at;
    while (p[w->at] && p[w->at] != '/')
        w->at++;
    return str_n(p + from, w->at - from);
}

static bool at_end(const struct way *w) {
    const char *p = buf_cstr((struct buf *)&w->rest) + w->at;
    return p[strspn(p, "/")] == '\0';
}

static struct err go_link(struct way *w, const struct packed_inode *link) {
    CLEAN_BUF struct buf rest = {0};
    if (++w->links > PACKED_LINKS_MAX)
        return err_kind_errno(ERR_INVALID, ELOOP, "'%s'", link->target);
    buf_addf(&rest, "%s/%s", link->target, buf_cstr(&w->rest) + w->at);
    if (rest.len >= PATH_MAX)
        return err_kind_errno(ERR_INVALID, ENAMETOOLONG, "'%s'", link->target);
    if (link->target[0] == '/')
        w->here = w->p->root;
    buf_done(&w->rest);
    w->rest = rest;
    rest = (struct buf){0};
    w->at = 0;
    return OK;
}

static struct err go(struct way *w, struct str part, bool follow) {
    if (w->here->type != TAR_DIR)
        return err_kind_errno(ERR_NOT_FOUND, ENOTDIR, "'%.*s'", STR_ARG(part));
    if (str_eqz(part, "."))
        return OK;
    if (str_eqz(part, "..")) {
        w->here = w->here->dir->parent;
        return OK;
    }
    struct packed_inode *i = map_get(&w->here->dir->by_name, part);
    if (!i && !w->make)
        return err_kind_errno(ERR_NOT_FOUND, ENOENT, "'%.*s'", STR_ARG(part));
    if (!i) {
        CLEAN_FREE char *name = str_dup(part);
        if (part.len > NAME_MAX)
            return err_kind_errno(ERR_INVALID, ENAMETOOLONG, "'%s'", name);
        i = packed_make(w->p, TAR_DIR);
        i->mode = 0755;
        i->mtime = time_now();
        packed_put(w->p, w->here, name, i);
    }
    if (i->type == TAR_SYMLINK && (follow || !at_end(w)))
        return go_link(w, i);
    w->here = i;
    return OK;
}

struct err packed_walk(struct packed *p, const char *path, bool follow, bool make,
                       struct packed_inode **ret) {
    OWN(way_done) struct way w = {.p = p, .make = make, .here = p->root};
    buf_adds(&w.rest, path);
    for (;;) {
        struct str part = next_part(&w);
        if (part.len == 0)
            break;
        TRY(go(&w, part, follow));
    }
    *ret = w.here;
    return OK;
}

struct err packed_find(const struct packed *p, const char *path, bool follow,
                       const struct packed_inode **ret) {
    struct packed_inode *i = NULL;
    /* Nothing is made, so nothing changes. */
    TRY(packed_walk((struct packed *)p, path, follow, false, &i));
    *ret = i;
    return OK;
}

const struct packed_inode *packed_child(const struct packed_inode *dir, const char *name) {
    return map_getz(&dir->dir->by_name, name);
}

void packed_stat(const struct packed_inode *i, struct stat *ret) {
    static const mode_t kinds[] = {
        [TAR_FILE] = S_IFREG, [TAR_DIR] = S_IFDIR,      [TAR_SYMLINK] = S_IFLNK,
        [TAR_CHAR] = S_IFCHR, [TAR_BLOCKDEV] = S_IFBLK, [TAR_FIFO] = S_IFIFO};
    *ret = (struct stat){.st_mode = kinds[i->type] | i->mode,
                         .st_uid = i->uid,
                         .st_gid = i->gid,
                         .st_rdev = makedev(i->major, i->minor),
                         .st_size = (off_t)i->size,
                         .st_ino = i->number,
                         .st_nlink = i->links};
    ret->st_mtim.tv_sec = i->mtime / NSEC_PER_SEC;
    ret->st_mtim.tv_nsec = i->mtime % NSEC_PER_SEC;
    ret->st_ctim = ret->st_mtim;
}

int packed_spool(const struct packed *p) {
    return p->spool;
}

struct err packed_read(const struct packed *p, const char *path, size_t max, struct buf *ret) {
    const struct packed_inode *i;
    TRY(packed_find(p, path, true, &i));
    if (i->type != TAR_FILE)
        return err_new(ERR_INVALID, "'%s' is not a regular file", path);
    if (i->size > max)
        return err_new(ERR_INVALID, "'%s' is larger than %zu bytes", path, max);
    for (uint64_t done = 0; done < i->size;) {
        ssize_t n = pread(p->spool, buf_room(ret, i->size - done), i->size - done,
                          (off_t)(i->at + done));
        if (n <= 0)
            return err_errno(n < 0 ? errno : EIO, "read '%s'", path);
        buf_added(ret, (size_t)n);
        done += (uint64_t)n;
    }
    return OK;
}
