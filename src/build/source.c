/* build/source.c - walking below a root. */
#include "build/source.h"
#include "base/path.h"
#include "build/layer.h"
#include "kernel/beneath.h"
#include "kernel/xattr.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READ_SIZE (1u << 18)

struct walk {
    const struct source_root *root;
    struct arena *arena;
    struct source_files *files;
    size_t base; /* length of the item's own path in source_file.real, plus its '/' */
};

void source_items_done(struct source_items *v) {
    for (size_t i = 0; i < v->n; i++)
        vec_done(&v->items[i].files);
    vec_done(v);
}

static enum tar_type type_of(mode_t m) {
    return S_ISDIR(m)    ? TAR_DIR
           : S_ISLNK(m)  ? TAR_SYMLINK
           : S_ISCHR(m)  ? TAR_CHAR
           : S_ISBLK(m)  ? TAR_BLOCKDEV
           : S_ISFIFO(m) ? TAR_FIFO
                         : TAR_FILE;
}

static bool left_out(const struct source_root *root, const char *real) {
    return root->ignore && ignore_match(root->ignore, str_of(real));
}

static struct source_file *file_new(struct walk *w, const char *real, const struct stat *st) {
    struct source_file *f = arena_alloc(w->arena, sizeof(*f));
    size_t len = strlen(real);
    *f = (struct source_file){
        .real = real,
        .path = real + MIN(w->base, len),
        .type = type_of(st->st_mode),
        .mode = st->st_mode & 07777,
        .uid = w->root->owners ? st->st_uid : 0,
        .gid = w->root->owners ? st->st_gid : 0,
        .major = major(st->st_rdev),
        .minor = minor(st->st_rdev),
        .size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
        .mtime = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
        .ctime = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
        .target = "",
        .dev = st->st_dev,
        .ino = st->st_ino,
        .links = st->st_nlink};
    if (f->type == TAR_FILE)
        f->seen = arena_alloc(w->arena, sizeof(*f->seen));
    return f;
}

static struct err link_target(int dirfd, const char *name, struct arena *a, const char **ret) {
    char text[PATH_MAX];
    ssize_t n = readlinkat(dirfd, name, text, sizeof(text));
    if (n < 0 || n == sizeof(text))
        return err_errno(n < 0 ? errno : ENAMETOOLONG, "read link '%s'", name);
    *ret = arena_str(a, str_n(text, (size_t)n));
    return OK;
}

struct names VEC_BODY(char *);
static void names_free(struct names *v) {
    for (size_t i = 0; i < v->n; i++)
        free(v->items[i]);
    vec_done(v);
}
static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dir_close(DIR **d) {
    if (*d)
        closedir(*d);
}

/* The names in a directory, in byte order. */
static struct err names_read(int fd, struct names *ret) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    OWN(dir_close) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        fd_close(copy);
        return err_errno(errno, "open directory");
    }
    rewinddir(d);
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e)
            break;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            vec_push(ret, mem_strdup(e->d_name));
    }
    if (errno)
        return err_errno(errno, "read directory");
    if (ret->n)
        qsort(ret->items, ret->n, sizeof(char *), name_order);
    return OK;
}

static struct err walk_dir(struct walk *w, int fd, const char *real, unsigned depth);

/* An ignored directory is entered only when a '!' rule may want something below it; it is then
 * added itself, too, so that the file has a parent. */
static struct err walk_one(struct walk *w, int dirfd, const char *name, const char *parent,
                           unsigned depth) {
    struct stat st;
    const char *real = *parent ? arena_printf(w->arena, "%s/%s", parent, name)
                               : arena_strz(w->arena, name);
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_errno(errno, "'%s'", real);
    bool out = left_out(w->root, real);
    if (out && !(S_ISDIR(st.st_mode) && ignore_has_negated(w->root->ignore)))
        return OK;
    if (S_ISSOCK(st.st_mode))
        return OK;
    if (w->files->n >= SOURCE_FILES_MAX)
        return err_new(ERR_INVALID, "more than %u files in one copy", SOURCE_FILES_MAX);
    size_t at = w->files->n;
    struct source_file *f = file_new(w, real, &st);
    vec_push(w->files, f);
    if (f->type == TAR_SYMLINK)
        return link_target(dirfd, name, w->arena, &f->target);
    if (f->type != TAR_DIR)
        return OK;
    CLEAN_FD
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open '%s'", real);
    TRY(walk_dir(w, fd, real, depth + 1));
    if (out && w->files->n == at + 1)
        w->files->n = at;
    return OK;
}

static struct err walk_dir(struct walk *w, int fd, const char *real, unsigned depth) {
    OWN(names_free) struct names names = {0};
    if (depth > SOURCE_DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %u", SOURCE_DEPTH_MAX);
    TRYF(names_read(fd, &names), "'%s'", real);
    for (size_t i = 0; i < names.n; i++)
        TRY(walk_one(w, fd, names.items[i], real, depth));
    return OK;
}

static int inode_order(const void *a, const void *b) {
    const struct source_file *x = *(struct source_file *const *)a;
    const struct source_file *y = *(struct source_file *const *)b;
    if (x->dev != y->dev)
        return x->dev < y->dev ? -1 : 1;
    if (x->ino != y->ino)
        return x->ino < y->ino ? -1 : 1;
    return layer_path_order(x->real, y->real);
}

/* Later names of an inode become hard links to its first name, in the order of the layer. */
static void find_hard_links(struct source_files *files) {
    struct source_files many = {0};
    for (size_t i = 0; i < files->n; i++)
        if (files->items[i]->type == TAR_FILE && files->items[i]->links > 1)
            vec_push(&many, files->items[i]);
    if (many.n)
        qsort(many.items, many.n, sizeof(many.items[0]), inode_order);
    struct source_file *first = NULL;
    for (size_t i = 0; i < many.n; i++) {
        struct source_file *f = many.items[i];
        if (first && first->dev == f->dev && first->ino == f->ino)
            f->same = first;
        else
            first = f;
    }
    vec_done(&many);
}

/* The item at `real` (cleaned, relative, "" for the root itself). */
static struct err item_add(const struct source_root *root, const char *real, const char *name,
                           struct arena *a, struct source_items *ret) {
    struct stat st;
    TRY(beneath_stat(root->fd, real, true, &st));
    struct source_item *item = vec_add(ret);
    *item =
        (struct source_item){.root = root, .name = arena_strz(a, name), .dir = S_ISDIR(st.st_mode)};
    struct walk w = {.root = root, .arena = a, .files = &item->files};
    size_t len = strlen(real);
    w.base = len ? len + 1 : 0;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !root->owners)
        return err_new(ERR_INVALID, "'%s' is neither a file nor a directory", real);
    struct source_file *f = file_new(&w, arena_strz(a, real), &st);
    f->path = "";
    vec_push(&item->files, f);
    if (!item->dir)
        return OK;
    CLEAN_FD
    int fd = -1;
    TRY(beneath_open(root->fd, real, O_RDONLY | O_DIRECTORY, 0, &fd));
    TRY(walk_dir(&w, fd, f->real, 0));
    find_hard_links(&item->files);
    return OK;
}

struct matcher {
    const struct source_root *root;
    bool parents; /* names are whole paths */
    struct glob glob;
    struct arena *arena;
    struct source_items *items;
};

static void matcher_done(struct matcher *m) {
    glob_done(&m->glob);
}

/* Every path below dir that the pattern matches; a directory that matches is not entered. */
static struct err match_below(struct matcher *m, int fd, const char *real, const char *rel,
                              unsigned depth) {
    OWN(names_free) struct names names = {0};
    if (depth > SOURCE_DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %u", SOURCE_DEPTH_MAX);
    TRYF(names_read(fd, &names), "'%s'", real);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        const char *r = arena_printf(m->arena, *real ? "%s/%s" : "%s%s", real, name);
        const char *p = arena_printf(m->arena, *rel ? "%s/%s" : "%s%s", rel, name);
        if (glob_match(&m->glob, str_of(p))) {
            if (!left_out(m->root, r))
                TRY(item_add(m->root, r, m->parents ? r : name, m->arena, m->items));
            continue;
        }
        CLEAN_FD
        int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub >= 0)
            TRY(match_below(m, sub, r, p, depth + 1));
    }
    return OK;
}

/* The directories in front of the first pattern character, and the rest. */
static void split_pattern(struct str path, struct str *ret_dir, struct str *ret_pattern) {
    size_t cut = 0;
    for (size_t i = 0; i < path.len; i++) {
        if (strchr("*?[\\", path.p[i]))
            break;
        if (path.p[i] == '/')
            cut = i + 1;
    }
    *ret_dir = str_sub(path, 0, cut ? cut - 1 : 0);
    *ret_pattern = str_from(path, cut);
}

static struct err find_pattern(const struct source_root *root, struct str path, bool parents,
                               struct arena *a, struct source_items *ret) {
    OWN(matcher_done)
    struct matcher m = {.root = root, .parents = parents, .arena = a, .items = ret};
    struct str dir, pattern;
    split_pattern(path, &dir, &pattern);
    TRY(glob_compile(pattern, parents ? GLOB_IGNORE : GLOB_PATH, &m.glob));
    CLEAN_FD
    int fd = -1;
    const char *real = arena_str(a, dir);
    struct err e = beneath_open(root->fd, real, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* nothing there, nothing matches */
        return OK;
    }
    TRY(e);
    return match_below(&m, fd, real, "", 0);
}

static struct err find(const struct source_root *root, const char *path, bool parents,
                       struct arena *a, struct source_items *ret) {
    /* Cleaned as an absolute path: ".." cannot lead above the root. */
    CLEAN_FREE
    char *abs = path_join("/", path);
    CLEAN_FREE
    char *clean = path_clean(str_of(abs));
    const char *real = clean + 1;
    if (glob_is_pattern(str_of(real)))
        return find_pattern(root, str_of(real), parents, a, ret);
    bool out = *real && left_out(root, real);
    if (out && !ignore_has_negated(root->ignore))
        return err_new(ERR_NOT_FOUND, "%s", path);
    struct str name = parents ? str_of(real) : path_base(str_of(clean));
    return item_add(root, real, str_eqz(name, "/") ? "" : arena_str(a, name), a, ret);
}

struct err source_find(const struct source_root *root, const char *path, struct arena *a,
                       struct source_items *ret) {
    return find(root, path, false, a, ret);
}

struct err source_find_parents(const struct source_root *root, const char *path, struct arena *a,
                               struct source_items *ret) {
    size_t first = ret->n;
    ssize_t pivot = str_find_str(str_of(path), STR("/./"));
    CLEAN_FREE
    char *before = pivot < 0 ? mem_strdup("") : str_dup(str_sub(str_of(path), 0, (size_t)pivot));
    CLEAN_FREE
    char *abs = path_join("/", before);
    CLEAN_FREE
    char *clean = path_clean(str_of(abs));
    TRY(find(root, path, true, a, ret));
    size_t skip = strlen(clean + 1);
    for (size_t i = first; i < ret->n; i++) {
        struct source_item *item = &ret->items[i];
        /* Their names are their whole paths. */
        struct str under = str_from(str_of(item->name),
                                    MIN(skip + (skip ? 1 : 0), strlen(item->name)));
        item->under = arena_str(a, under);
        item->name = arena_str(a, under.len ? path_base(under) : under);
    }
    return OK;
}

static void files_exclude(struct source_item *item, const struct ignore *rules) {
    size_t kept = item->dir ? 1 : 0;
    for (size_t i = kept; i < item->files.n; i++) {
        struct source_file *f = item->files.items[i];
        if (!ignore_match(rules, str_of(item->dir ? f->path : item->name)))
            item->files.items[kept++] = f;
    }
    item->files.n = kept;
}

void source_exclude(struct source_items *items, size_t first, const struct ignore *rules) {
    size_t kept = first;
    for (size_t i = first; i < items->n; i++) {
        files_exclude(&items->items[i], rules);
        if (items->items[i].files.n)
            items->items[kept++] = items->items[i];
        else
            vec_done(&items->items[i].files);
    }
    items->n = kept;
}

void source_doc(const char *name, struct str content, struct arena *a, struct source_items *ret) {
    struct source_item *item = vec_add(ret);
    struct source_file *f = arena_alloc(a, sizeof(*f));
    *f = (struct source_file){
        .path = "", .real = "", .type = TAR_FILE, .mode = 0644, .size = content.len, .target = ""};
    *item = (struct source_item){.name = name, .content = content};
    vec_push(&item->files, f);
}

struct err source_open(const struct source_root *root, const struct source_file *f, int *ret_fd) {
    struct stat st;
    CLEAN_FD
    int fd = -1;
    /* The item itself is followed, what is below it is not. */
    int flags = O_RDONLY | O_NONBLOCK | (*f->path ? O_NOFOLLOW : 0);
    TRYF(beneath_open(root->fd, f->real, flags, 0, &fd), "'%s'", f->real);
    if (fstat(fd, &st) != 0)
        return err_errno(errno, "'%s'", f->real);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->size)
        return err_new(ERR_INVALID, "'%s' changed while it was copied", f->real);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* The attributes that travel in images (archive/extract.h keeps the same). */
static bool wanted(const char *name) {
    struct str n = str_of(name);
    return str_eqz(n, "security.capability") || str_starts(n, STR("system.posix_acl_")) ||
           (str_starts(n, STR("user.")) && !str_starts(n, STR("user.overlay.")));
}

struct err source_xattrs(int fd, struct arena *a, struct tar_xattrs *ret) {
    CLEAN_STRV struct strv names = {0};
    TRY(xattr_list(fd, &names));
    if (names.n)
        qsort(names.items, names.n, sizeof(char *), name_order);
    for (size_t i = 0; i < names.n; i++) {
        CLEAN_BUF struct buf value = {0};
        if (!wanted(names.items[i]))
            continue;
        TRY(xattr_get(fd, names.items[i], &value));
        struct tar_xattr x = {.name = arena_strz(a, names.items[i]),
                              .value = str_n(arena_str(a, buf_str(&value)), value.len)};
        vec_push(ret, x);
    }
    return OK;
}

static void hash_str(struct sha256 *h, struct str s) {
    uint64_t len = s.len;
    sha256_add(h, &len, sizeof(len));
    sha256_add(h, s.p, s.len);
}

static void xattrs_free(struct tar_xattrs *v) {
    vec_done(v);
}

static struct err hash_xattrs(int fd, struct sha256 *h) {
    OWN(xattrs_free) struct tar_xattrs attrs = {0};
    CLEAN_ARENA struct arena a = {0};
    TRY(source_xattrs(fd, &a, &attrs));
    for (size_t i = 0; i < attrs.n; i++) {
        hash_str(h, str_of(attrs.items[i].name));
        hash_str(h, attrs.items[i].value);
    }
    return OK;
}

static struct err read_digest(const struct source_item *item, const struct source_file *f,
                              struct digest *ret) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_FD
    int fd = -1;
    TRY(source_open(item->root, f, &fd));
    TRY(hash_xattrs(fd, h));
    char small[4096];
    CLEAN_FREE
    char *large = f->size > sizeof(small) ? mem_alloc(READ_SIZE) : NULL;
    char *p = large ? large : small;
    uint64_t left = f->size;
    sha256_add(h, &left, sizeof(left));
    while (left) {
        ssize_t n = read(fd, p, MIN(left, large ? (uint64_t)READ_SIZE : sizeof(small)));
        if (n <= 0)
            return n < 0 ? err_errno(errno, "read '%s'", f->real)
                         : err_new(ERR_INVALID, "'%s' changed while it was copied", f->real);
        sha256_add(h, p, (size_t)n);
        left -= (uint64_t)n;
    }
    sha256_end(h, ret->bytes);
    return OK;
}

struct err source_content(const struct source_item *item, const struct source_file *f,
                          struct digest *ret) {
    if (f->seen && f->seen->known) {
        *ret = f->seen->content;
        return OK;
    }
    if (!item->root) {
        digest_of(item->content, ret);
        return OK;
    }
    struct digests *known = item->root->digests;
    struct digest_stamp stamp = {f->dev, f->ino, f->size, f->mtime, f->ctime};
    if (!known || !digests_find(known, &stamp, ret)) {
        TRY(read_digest(item, f, ret));
        if (known)
            digests_add(known, &stamp, ret);
    }
    if (f->seen)
        *f->seen = (struct source_seen){true, *ret};
    return OK;
}

static struct err hash_content(const struct source_item *item, const struct source_file *f,
                               struct sha256 *h) {
    struct digest d;
    if (!item->root) {
        hash_str(h, item->content);
        return OK;
    }
    TRY(source_content(item, f, &d));
    sha256_add(h, d.bytes, sizeof(d.bytes));
    return OK;
}

/* All but the content. */
static void hash_attributes(const struct source_item *item, const struct source_file *f,
                            struct sha256 *h) {
    /* A directory that is copied gives its content only. */
    bool inner = *f->path || !item->dir;
    uint32_t meta[] = {(uint32_t)f->type,  inner ? f->mode : 0,
                       inner ? f->uid : 0, inner ? f->gid : 0,
                       f->major,           f->minor};
    hash_str(h, str_of(f->path));
    sha256_add(h, meta, sizeof(meta));
    hash_str(h, str_of(f->target));
    hash_str(h, str_of(f->same ? f->same->path : ""));
}

static uint64_t short_hash(struct sha256 *h) {
    struct digest d;
    uint64_t n;
    sha256_end(h, d.bytes);
    memcpy(&n, d.bytes, sizeof(n));
    return n;
}

struct err source_marks(const struct source_item *item, const struct source_file *f,
                        struct source_marks *ret) {
    struct sha256 *attributes OWN(sha256_clean) = sha256_new();
    struct sha256 *content OWN(sha256_clean) = sha256_new();
    hash_attributes(item, f, attributes);
    if (f->type == TAR_FILE && !f->same)
        TRY(hash_content(item, f, content));
    *ret = (struct source_marks){short_hash(attributes), short_hash(content)};
    return OK;
}

struct err source_hash(const struct source_item *item, struct sha256 *h) {
    hash_str(h, str_of(item->under ? item->under : item->name));
    for (size_t i = 0; i < item->files.n; i++) {
        const struct source_file *f = item->files.items[i];
        hash_attributes(item, f, h);
        if (f->type == TAR_FILE && !f->same)
            TRY(hash_content(item, f, h));
    }
    return OK;
}
