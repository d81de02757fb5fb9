/* build/copy.c - where each file goes. */
#include "build/copy.h"
#include "base/path.h"
#include "base/time.h"
#include "build/ahead.h"
#include "build/unpack.h"
#include <stdlib.h>

void copy_done(struct copy *c) {
    source_items_done(&c->items);
    for (size_t i = 0; i < c->opened.n; i++)
        fd_close(c->opened.items[i]);
    vec_done(&c->opened);
    for (size_t i = 0; i < c->packed.n; i++)
        packed_free(c->packed.items[i]);
    vec_done(&c->packed);
    vec_done(&c->marks);
}

struct err copy_key(struct copy *c, struct key *ret) {
    CLEAN_KEY struct key k = {0};
    char text[KEY_TEXT];
    key_begin(ret, c->add ? "add" : "copy", NULL);
    key_part(ret, "the destination");
    key_addz(ret, c->dest);
    key_part(ret, "--chown");
    key_addz(ret, c->chown);
    key_part(ret, "--chmod");
    key_addz(ret, c->chmod);
    key_part(ret, "--link");
    key_addz(ret, c->link ? "link" : NULL);
    key_part(ret, "SOURCE_DATE_EPOCH");
    key_add(ret, str_n(&c->latest, sizeof(c->latest)));
    key_part(ret, "--unpack");
    for (size_t i = 0; i < c->items.n; i++) {
        key_addz(ret, c->items.items[i].archive ? "archive" : NULL);
        TRY(source_hash(&c->items.items[i], ret->h));
    }
    key_end(ret, c->content);
    key_begin(&k, "content", c->parent);
    key_addz(&k, c->content);
    key_end(&k, text);
    memcpy(ret->text, text, KEY_TEXT);
    return OK;
}

/* What a layer of this content depends on besides: what the image says about the destination. */
static void layer_key(const struct copy *c, const struct place *at, const struct owner *owner,
                      char key[KEY_TEXT]) {
    CLEAN_KEY struct key k = {0};
    key_begin(&k, "layer", c->content);
    key_addz(&k, at->path);
    key_addz(&k, at->type);
    key_add(&k, owner ? str_n(owner, sizeof(*owner)) : STR(""));
    const struct build_stat *known = at->parents.items;
    for (size_t i = 0; i < at->parents.n; i++) {
        const struct build_stat *st = &known[i];
        uint32_t ids[] = {st->mode, st->uid, st->gid};
        key_addz(&k, st->path);
        key_addz(&k, st->type);
        key_add(&k, str_n(ids, sizeof(ids)));
        key_add(&k, str_n(&st->mtime, sizeof(st->mtime)));
    }
    key_end(&k, key);
}

/* "/a/b" → "a/b" */
static const char *relative(const char *path) {
    return *path == '/' ? path + 1 : path;
}

/* Entries for the directories down to path: those that exist with what the image says, so that the
 * layer does not change them; the others new. */
static void parents(const struct place *at, struct arena *a, struct str path,
                    const struct owner *owner, struct layer *l) {
    const struct build_stat *known = at->parents.items;
    for (size_t i = 1; i <= path.len; i++) {
        if (i != path.len && path.p[i] != '/')
            continue;
        const char *dir = arena_str(a, str_sub(path, 0, i));
        if (!*relative(dir) || layer_get(l, relative(dir)))
            continue;
        const struct build_stat *st = NULL;
        for (size_t j = 0; j < at->parents.n; j++)
            if (*known[j].type && strcmp(known[j].path, dir) == 0)
                st = &known[j];
        struct layer_entry *e = layer_put(l, a, relative(dir));
        e->type = TAR_DIR;
        e->mode = st ? st->mode : 0755;
        e->uid = st ? st->uid : owner ? owner->uid : 0;
        e->gid = st ? st->gid : owner ? owner->gid : 0;
        e->mtime = st ? st->mtime : at->now;
    }
}

struct target {
    const struct copy *copy;
    const struct place *at;
    const struct owner *owner;
    const struct mode_change *mode;
    struct layer *layer;
};

static struct err put_file(const struct target *t, const struct source_item *item,
                           const struct source_file *f, const char *path, const char *base) {
    struct arena *a = t->copy->arena;
    const struct layer_entry *old = layer_get(t->layer, path);
    if (old && (old->type == TAR_DIR) != (f->type == TAR_DIR))
        return err_new(ERR_INVALID, "'/%s' would be a file and a directory", path);
    struct layer_entry *e = layer_put(t->layer, a, path);
    e->type = f->type;
    const struct owner *owner = item->unpacked ? NULL : t->owner;
    e->mode = f->type == TAR_SYMLINK ? 0777
              : item->unpacked       ? f->mode
                                     : mode_apply(t->mode, f->mode, f->type == TAR_DIR);
    e->uid = owner ? owner->uid : f->uid;
    e->gid = owner ? owner->gid : f->gid;
    e->mtime = item->root ? f->mtime : t->at->now;
    e->item = item;
    e->file = f;
    if (f->same)
        e->link = *base ? arena_printf(a, "%s/%s", base, f->same->path) : f->same->path;
    return OK;
}

/* --parents: the directories on the way to the item, as they are at the source. */
static struct err put_ancestors(const struct target *t, const struct source_item *item,
                                const char *base) {
    struct arena *a = t->copy->arena;
    struct str under = str_of(item->under);
    const char *real = item->files.items[0]->real;
    size_t skip = strlen(real) - MIN(under.len, strlen(real));
    size_t end = item->dir ? under.len : under.len - MIN(under.len, strlen(item->name));
    for (size_t i = 1; i <= end; i++) {
        struct stat st;
        if (i != under.len && under.p[i] != '/')
            continue;
        const char *path = arena_printf(a, *base ? "%s/%.*s" : "%s%.*s", base, (int)i, under.p);
        if (layer_get(t->layer, path))
            continue;
        const char *source = arena_str(a, str_sub(str_of(real), 0, skip + i));
        TRY(source_stat(item->root, source, &st));
        struct layer_entry *e = layer_put(t->layer, a, path);
        e->type = TAR_DIR;
        e->mode = mode_apply(t->mode, st.st_mode & 07777, true);
        e->uid = t->owner ? t->owner->uid : item->root->owners ? st.st_uid : 0;
        e->gid = t->owner ? t->owner->gid : item->root->owners ? st.st_gid : 0;
        e->mtime = st.st_mtim.tv_sec * NSEC_PER_SEC + st.st_mtim.tv_nsec;
    }
    return OK;
}

static struct err put_under(const struct target *t, const struct source_item *item) {
    struct arena *a = t->copy->arena;
    const char *base = relative(t->at->path);
    const char *top = *base && *item->under ? arena_printf(a, "%s/%s", base, item->under)
                      : *base               ? base
                                            : item->under;
    parents(t->at, a, str_of(t->at->path), t->owner, t->layer);
    TRY(put_ancestors(t, item, base));
    if (!item->dir)
        return put_file(t, item, item->files.items[0], top, "");
    for (size_t i = 1; i < item->files.n; i++) {
        const struct source_file *f = item->files.items[i];
        TRY(put_file(t, item, f, *top ? arena_printf(a, "%s/%s", top, f->path) : f->path, top));
    }
    return OK;
}

static struct err put_item(const struct target *t, const struct source_item *item, bool into) {
    if (item->under)
        return put_under(t, item);
    struct arena *a = t->copy->arena;
    const char *base = relative(t->at->path);
    if (!item->dir) {
        const char *path = !into   ? base
                           : *base ? arena_printf(a, "%s/%s", base, item->name)
                                   : item->name;
        struct str dir = into ? str_of(t->at->path) : path_dir(str_of(t->at->path));
        if (!*path)
            return err_new(ERR_INVALID, "cannot copy a file to '/'");
        parents(t->at, a, dir, t->owner, t->layer);
        return put_file(t, item, item->files.items[0], path, "");
    }
    parents(t->at, a, str_of(t->at->path), t->owner, t->layer);
    for (size_t i = 1; i < item->files.n; i++) {
        const struct source_file *f = item->files.items[i];
        const char *path = *base ? arena_printf(a, "%s/%s", base, f->path) : f->path;
        TRY(put_file(t, item, f, path, base));
    }
    return OK;
}

struct err copy_entries(const struct copy *c, const struct place *at, const struct owner *owner,
                        const struct mode_change *mode, struct layer *ret) {
    struct target t = {c, at, owner, mode, ret};
    size_t len = strlen(c->dest);
    bool into = strcmp(at->type, "dir") == 0 || c->dest[len - 1] == '/';
    bool dirs = false;
    for (size_t i = 0; i < c->items.n; i++)
        dirs |= c->items.items[i].dir;
    if (!into && c->items.n > 1 && !dirs)
        return err_new(ERR_INVALID, "with more than one source file the destination must be a "
                                    "directory and end with a /");
    if (*at->type && strcmp(at->type, "dir") != 0 && (dirs || into))
        return err_new(ERR_INVALID, "cannot copy to non-directory: %s", at->path);
    into |= c->items.n > 1;
    /* What is copied below with its own path needs a directory. */
    for (size_t i = 0; i < c->items.n; i++)
        TRY(put_item(&t, &c->items.items[i], into));
    layer_sort(ret);
    return OK;
}

/* Asks the image about the destination and the directories above it. */
static struct err place_find(const struct copy *c, struct place *ret) {
    struct strs paths = {0};
    struct objs entries;
    CLEAN_FREE
    char *clean = path_clean(str_of(c->dest));
    if (c->link) {
        *ret = (struct place){.path = arena_strz(c->arena, clean), .type = "", .now = time_now()};
        return OK;
    }
    strs_add(&paths, c->arena, clean);
    TRY(daemon_stat(c->client, c->parent, &paths, c->arena, &entries));
    const struct build_stat *dest = entries.items;
    struct str path = str_of(dest->path);
    CLEAN_FREE
    char *checked = path_clean(path);
    if (!path_is_abs(path) || !str_eqz(path, checked))
        return err_new(ERR_INVALID, "the daemon resolved '%s' to '%s'", c->dest, dest->path);
    *ret =
        (struct place){.path = dest->path, .type = dest->type ? dest->type : "", .now = time_now()};
    struct strs up = {0};
    for (size_t i = 1; i <= path.len; i++)
        if (i == path.len || path.p[i] == '/')
            strs_add(&up, c->arena, arena_str(c->arena, str_sub(path, 0, i)));
    return daemon_stat(c->client, c->parent, &up, c->arena, &ret->parents);
}

/* What the layer would put over something of another kind in the image. */
static struct err conflict(const struct layer_entry *e, const struct build_stat *st) {
    if (!st->type || !*st->type)
        return OK;
    bool same_place = strcmp(relative(st->path), e->path) == 0;
    bool dir = same_place && strcmp(st->type, "dir") == 0;
    if (e->type == TAR_DIR && !dir)
        return err_new(ERR_INVALID, "cannot copy to non-directory: /%s", e->path);
    if (e->type != TAR_DIR && dir)
        return err_new(ERR_INVALID, "cannot replace to directory /%s with file", e->path);
    return OK;
}

/* Asks about some of the entries and compares. dirs: the directories, else the others whose
 * directory is in `exists`; directories that exist are added to it. */
static struct err conflicts(const struct copy *c, const struct layer *l, bool dirs,
                            struct map *exists) {
    struct strs paths = {0};
    struct objs answers;
    struct layer_entries asked = {0};
    for (size_t i = 0; i < l->entries.n; i++) {
        struct layer_entry *e = l->entries.items[i];
        if (!e->item || (e->type == TAR_DIR) != dirs)
            continue;
        if (!dirs && !map_get(exists, path_dir(str_of(e->path))))
            continue;
        strs_add(&paths, c->arena, arena_printf(c->arena, "/%s", e->path));
        vec_push(&asked, e);
    }
    struct err e = asked.n ? daemon_stat(c->client, c->parent, &paths, c->arena, &answers) : OK;
    for (size_t i = 0; i < asked.n && !err_failed(e); i++) {
        const struct build_stat *st = &((const struct build_stat *)answers.items)[i];
        e = conflict(asked.items[i], st);
        if (dirs && st->type && *st->type)
            map_set(exists, str_of(asked.items[i]->path), asked.items[i]);
    }
    vec_done(&asked);
    return e;
}

static struct err check(const struct copy *c, const struct place *at, const struct layer *l) {
    CLEAN_MAP struct map exists = {0};
    const struct build_stat *known = at->parents.items;
    bool any = false;
    for (size_t i = 0; i < at->parents.n; i++)
        if (known[i].type && strcmp(known[i].type, "dir") == 0) {
            const char *rel = relative(known[i].path);
            map_set(&exists, str_of(*rel ? rel : "."), (void *)&known[i]);
            any |= i + 1 == at->parents.n;
        }
    map_set(&exists, STR("."), (void *)at);
    if (any)
        TRY(conflicts(c, l, true, &exists));
    return conflicts(c, l, false, &exists);
}

/* how: base and keep. */
static struct err send(const struct copy *c, const struct layer *l, struct daemon_layer how,
                       char **ret_image) {
    CLEAN_LAYER_READER struct layer_reader *r = layer_reader_new(l);
    how.parent = c->parent;
    how.body_read = layer_read;
    how.body_arg = r;
    struct err e = daemon_layer(c->client, &how, c->arena, ret_image);
    struct err cause = layer_reader_error(r);
    if (!err_failed(cause))
        return e;
    err_free(e); /* only says that the body broke off */
    return cause;
}

static void stack_done(struct stack_change *s) {
    stack_change_done(s);
}

/* What differs from the layer that this copy made before. *ret_image NULL: it has to be sent as a
 * whole. */
static struct err send_stacked(struct copy *c, const struct layer *l, const char *key,
                               char **ret_image) {
    OWN(stack_done) struct stack_change change = {0};
    struct source_file file = {.type = TAR_FILE, .target = ""};
    struct source_item item = {.name = BUILD_STACK_LIST};
    struct layer_entry list = {
        .path = BUILD_STACK_LIST, .type = TAR_FILE, .mode = 0600, .item = &item, .file = &file};
    CLEAN_LAYER struct layer more = {0};
    *ret_image = NULL;
    if (!stack_compare(&c->known->marks, l, &c->marks, &change))
        return OK;
    item.content = buf_str(&change.list);
    file.size = item.content.len;
    vec_push(&more.entries, &list);
    for (size_t i = 0; i < change.more.entries.n; i++)
        vec_push(&more.entries, change.more.entries.items[i]);
    struct err e = send(c, &more, (struct daemon_layer){.key = key, .base = c->known->image},
                        ret_image);
    if (err_kind(e) != ERR_NOT_FOUND && err_kind(e) != ERR_CONFLICT)
        return e;
    err_free(e); /* the daemon has not got it any more, or cannot */
    *ret_image = NULL;
    return OK;
}

static struct err send_layer(struct copy *c, const struct layer *l, const char *key,
                             char **ret_image) {
    bool fits = false;
    for (size_t i = 0; i < l->entries.n; i++)
        l->entries.items[i]->mtime = MIN(l->entries.items[i]->mtime, c->latest);
    if (c->stack)
        TRY(stack_marks(l, &c->marks, &fits));
    if (fits && c->known && !c->fresh) {
        TRY(send_stacked(c, l, key, ret_image));
        if (*ret_image)
            return OK;
    }
    TRY(send(c, l, (struct daemon_layer){.key = key, .keep = fits}, ret_image));
    c->whole = fits ? *ret_image : NULL;
    return OK;
}

static struct err send_or_take(struct copy *c, const struct place *at, const struct owner *owner,
                               const struct layer *l, const char *key, char **ret_image) {
    char *like = NULL;
    layer_key(c, at, owner, c->same);
    if (c->made && strcmp(c->made->same, c->same) == 0)
        like = (char *)c->made->image;
    else if (!c->fresh)
        TRY(daemon_cache_get(c->client, c->same, c->arena, &like));
    *ret_image = NULL;
    if (like && c->others)
        return OK;
    if (like) {
        struct err e = daemon_stack(c->client, c->parent, key, like, NULL, 0, c->arena, ret_image);
        if (err_kind(e) != ERR_NOT_FOUND)
            return e;
        err_free(e); /* removed in this moment */
    }
    TRY(send_layer(c, l, key, ret_image));
    /* An empty layer leaves the parent as it is: its topmost layer is another one. */
    return l->entries.n ? daemon_cache_put(c->client, c->same, *ret_image) : OK;
}

static bool is_within(const char *path, const char *dir) {
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]);
}

/* Ahead of its turn: may a copy before it make directories that it needs? */
static struct err apart(const struct copy *c, const struct place *at) {
    const struct build_stat *known = at->parents.items;
    for (size_t i = 0; c->others && i < at->parents.n; i++)
        for (size_t k = 0; k < c->others->n; k++)
            if (!*known[i].type && is_within(c->others->items[k], known[i].path))
                return err_new(ERR_CANCELLED, "%s is not there yet", known[i].path);
    return OK;
}

struct err copy_run(struct copy *c, const char *key, char **ret_image) {
    CLEAN_LAYER struct layer layer = {0};
    struct owner owner;
    struct mode_change mode = {0};
    struct place at;
    if (c->chown)
        TRYF(owner_resolve(c->client, c->parent, c->chown, &owner), "--chown");
    if (c->chmod)
        TRY(mode_parse(c->chmod, &mode));
    if (c->items.n == 0) {
        *ret_image = (char *)c->parent;
        return OK;
    }
    if (c->add)
        TRY(unpack_archives(c));
    TRY(place_find(c, &at));
    TRY(apart(c, &at));
    TRY(copy_entries(c, &at, c->chown ? &owner : NULL, &mode, &layer));
    if (!c->link)
        TRY(check(c, &at, &layer));
    return send_or_take(c, &at, c->chown ? &owner : NULL, &layer, key, ret_image);
}

struct err copy_make_dir(struct client *client, struct arena *a, const char *parent,
                         const char *path, const char *user, int64_t latest, const char *key,
                         char **ret_image) {
    CLEAN_LAYER struct layer layer = {0};
    struct copy c = {
        .client = client, .arena = a, .parent = parent, .dest = path, .latest = latest};
    struct place at;
    struct owner owner;
    TRY(place_find(&c, &at));
    if (strcmp(at.type, "dir") == 0) {
        *ret_image = (char *)parent;
        return OK;
    }
    if (*at.type)
        return err_new(ERR_INVALID, "cannot make directory %s: a file is there", path);
    if (user && *user)
        TRYF(owner_resolve(client, parent, user, &owner), "USER");
    parents(&at, a, str_of(at.path), user && *user ? &owner : NULL, &layer);
    return send_layer(&c, &layer, key, ret_image);
}
