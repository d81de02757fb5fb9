/* build/source.c - walking below a root. */
#include "build/source.h"
#include "base/path.h"
#include "build/layer.h"
#include "build/packed.h"
#include "build/source_dir.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

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

static struct source_file *file_new(struct walk *w, const char *real, const struct stat *st,
                                    const struct packed_inode *packed) {
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
        .links = st->st_nlink,
        .packed = packed};
    if (f->type == TAR_FILE)
        f->seen = arena_alloc(w->arena, sizeof(*f->seen));
    if (f->type == TAR_FILE && packed)
        *f->seen = (struct source_seen){true, packed->content};
    return f;
}

static struct err walk_dir(struct walk *w, const struct source_dir *dir, const char *real,
                           unsigned depth);

/* An ignored directory is entered only when a '!' rule may want something below it; it is then
 * added itself, too, so that the file has a parent. */
static struct err walk_one(struct walk *w, const struct source_dir *dir, const char *name,
                           const char *parent, unsigned depth) {
    struct stat st;
    const struct packed_inode *packed;
    const char *real = *parent ? arena_printf(w->arena, "%s/%s", parent, name)
                               : arena_strz(w->arena, name);
    TRY(source_dir_stat(dir, name, &st, &packed));
    bool out = left_out(w->root, real);
    if (out && !(S_ISDIR(st.st_mode) && ignore_has_negated(w->root->ignore)))
        return OK;
    if (S_ISSOCK(st.st_mode))
        return OK;
    if (w->files->n >= SOURCE_FILES_MAX)
        return err_new(ERR_INVALID, "more than %u files in one copy", SOURCE_FILES_MAX);
    size_t at = w->files->n;
    struct source_file *f = file_new(w, real, &st, packed);
    vec_push(w->files, f);
    if (f->type == TAR_SYMLINK)
        return source_dir_link(dir, name, w->arena, &f->target);
    if (f->type != TAR_DIR)
        return OK;
    CLEAN_SOURCE_DIR struct source_dir sub = {-1, NULL};
    if (!source_dir_sub(dir, name, &sub))
        return err_errno(errno, "open '%s'", real);
    TRY(walk_dir(w, &sub, real, depth + 1));
    if (out && w->files->n == at + 1)
        w->files->n = at;
    return OK;
}

static struct err walk_dir(struct walk *w, const struct source_dir *dir, const char *real,
                           unsigned depth) {
    CLEAN_STRV struct strv names = {0};
    if (depth > SOURCE_DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %u", SOURCE_DEPTH_MAX);
    TRYF(source_dir_names(dir, &names), "'%s'", real);
    for (size_t i = 0; i < names.n; i++)
        TRY(walk_one(w, dir, names.items[i], real, depth));
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
    const struct packed_inode *packed = NULL;
    if (root->packed)
        TRY(packed_find(root->packed, real, true, &packed));
    TRY(source_stat(root, real, &st));
    struct source_item *item = vec_add(ret);
    *item =
        (struct source_item){.root = root, .name = arena_strz(a, name), .dir = S_ISDIR(st.st_mode)};
    struct walk w = {.root = root, .arena = a, .files = &item->files};
    size_t len = strlen(real);
    w.base = len ? len + 1 : 0;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !root->owners)
        return err_new(ERR_INVALID, "'%s' is neither a file nor a directory", real);
    struct source_file *f = file_new(&w, arena_strz(a, real), &st, packed);
    f->path = "";
    vec_push(&item->files, f);
    if (!item->dir)
        return OK;
    CLEAN_SOURCE_DIR struct source_dir dir = {-1, NULL};
    TRY(source_dir_open(root, real, &dir));
    TRY(walk_dir(&w, &dir, f->real, 0));
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
static struct err match_below(struct matcher *m, const struct source_dir *dir, const char *real,
                              const char *rel, unsigned depth) {
    CLEAN_STRV struct strv names = {0};
    if (depth > SOURCE_DEPTH_MAX)
        return err_new(ERR_INVALID, "directories nest deeper than %u", SOURCE_DEPTH_MAX);
    TRYF(source_dir_names(dir, &names), "'%s'", real);
    for (size_t i = 0; i < names.n; i++) {
        const char *name = names.items[i];
        const char *r = arena_printf(m->arena, *real ? "%s/%s" : "%s%s", real, name);
        const char *p = arena_printf(m->arena, *rel ? "%s/%s" : "%s%s", rel, name);
        if (glob_match(&m->glob, str_of(p))) {
            if (!left_out(m->root, r))
                TRY(item_add(m->root, r, m->parents ? r : name, m->arena, m->items));
            continue;
        }
        CLEAN_SOURCE_DIR struct source_dir sub = {-1, NULL};
        if (source_dir_sub(dir, name, &sub))
            TRY(match_below(m, &sub, r, p, depth + 1));
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
    CLEAN_SOURCE_DIR struct source_dir open = {-1, NULL};
    const char *real = arena_str(a, dir);
    struct err e = source_dir_open(root, real, &open);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* nothing there, nothing matches */
        return OK;
    }
    TRY(e);
    return match_below(&m, &open, real, "", 0);
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
