/* The volumes in memory: open, find, list, hold. */
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "volume/private.h"

/* Position of name, or where it belongs. */
static size_t position(const struct volumes *v, const char *name, bool *ret_there) {
    size_t from = 0, to = v->items.n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int c = strcmp(v->items.items[middle]->name, name);
        if (c == 0) {
            *ret_there = true;
            return middle;
        }
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *ret_there = false;
    return from;
}

struct volume *volume_new(struct volumes *v, const char *name) {
    struct volume *x = NEW(struct volume);
    x->name = mem_strdup(name);
    x->mountpoint = mem_printf("%s/%s/_data", v->root, name);
    x->own = NEW(struct volume_private);
    x->own->all = v;
    x->own->keep = -1;
    x->driver = arena_strz(&x->own->arena, "local");
    x->plugged_at = arena_strz(&x->own->arena, "");
    return x;
}

struct volume *volume_free(struct volume *x) {
    if (!x)
        return NULL;
    arena_done(&x->own->arena);
    vec_done(&x->own->waiters);
    fd_close(x->own->keep);
    strv_done(&x->own->users);
    vec_done(&x->own->mount_waiters);
    free(x->own);
    strv_done(&x->holders);
    free(x->name);
    free(x->mountpoint);
    free(x);
    return NULL;
}

void volumes_insert(struct volumes *v, struct volume *x) {
    bool there;
    size_t at = position(v, x->name, &there);
    vec_push(&v->items, x);
    memmove(&v->items.items[at + 1], &v->items.items[at],
            (v->items.n - 1 - at) * sizeof(v->items.items[0]));
    v->items.items[at] = x;
}

void volumes_take_out(struct volumes *v, struct volume *x) {
    bool there;
    size_t at = position(v, x->name, &there);
    if (there)
        vec_remove(&v->items, at);
}

struct volume *volumes_lookup(const struct volumes *v, const char *name) {
    bool there;
    size_t at = position(v, name, &there);
    return there ? v->items.items[at] : NULL;
}

struct volume *volume_find(const struct volumes *v, const char *name) {
    struct volume *x = volumes_lookup(v, name);
    return x && x->state == VOLUME_READY ? x : NULL;
}

struct err volume_get(const struct volumes *v, const char *name, struct volume **ret) {
    struct volume *x = volume_find(v, name);
    if (!x)
        return err_new(ERR_NOT_FOUND, "get %s: no such volume", name);
    *ret = x;
    return OK;
}

struct volume *volume_next(const struct volumes *v, size_t *it) {
    while (*it < v->items.n) {
        struct volume *x = v->items.items[(*it)++];
        if (x->state == VOLUME_READY)
            return x;
    }
    return NULL;
}

struct bus *volumes_bus(struct volumes *v) {
    return &v->bus;
}

void volumes_publish(struct volumes *v, const char *action, const char *name) {
    struct volume_event e = {.action = action, .name = name};
    bus_publish(&v->bus, &e);
}

struct err volume_name_check(const char *name) {
    size_t n = strlen(name);
    if (n == 1)
        return err_new(ERR_INVALID,
                       "volume name is too short, names should be at least two alphanumeric "
                       "characters");
    bool right = n > 0;
    for (size_t i = 0; i < n && right; i++) {
        char c = name[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        right = alnum || (i > 0 && (c == '_' || c == '.' || c == '-'));
    }
    if (!right)
        return err_new(ERR_INVALID,
                       "\"%s\" includes invalid characters for a local volume name, only "
                       "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
                       "directory, use absolute path",
                       name);
    if (n > VOLUME_NAME_LEN_MAX)
        return err_new(ERR_INVALID, "volume name is longer than %d bytes", VOLUME_NAME_LEN_MAX);
    return OK;
}

/* --- open, close -------------------------------------------------------------------------------
 */

struct err volumes_open(struct store *s, struct loop *l, const char *data_root,
                        struct volumes **ret) {
    struct volumes *v = NEW(struct volumes);
    v->store = s;
    v->loop = l;
    v->root = mem_printf("%s/volume", data_root);
    bus_init(&v->bus);
    struct err e = dir_make(v->root, 0711);
    if (!err_failed(e))
        e = volume_rows_load(v);
    if (!err_failed(e))
        volumes_finish_begun(v);
    if (err_failed(e)) {
        volumes_close(v);
        return err_wrap(e, "volumes");
    }
    *ret = v;
    return OK;
}

void volumes_set_worker(struct volumes *v, const char *program) {
    v->worker = program;
}

struct err volumes_set_plugins(struct volumes *v, const char *dirs) {
    CLEAN_JSON struct json *list = NULL;
    static const char standard[] =
        "[\"/run/docker/plugins\",\"/etc/docker/plugins\",\"/usr/lib/docker/plugins\"]";
    TRYF(json_parse(str_of(dirs ? dirs : standard), &list), "plugin-dirs");
    for (size_t i = 0; i < json_len(list); i++) {
        struct str dir = json_str(json_at(list, i));
        if (!path_is_abs(dir))
            return err_new(ERR_INVALID, "plugin-dirs: '%.*s' is not absolute", STR_ARG(dir));
        strs_add(&v->plugin_dirs, &v->arena, arena_str(&v->arena, dir));
    }
    return OK;
}

struct volumes *volumes_close(struct volumes *v) {
    if (!v)
        return NULL;
    for (size_t i = 0; i < v->items.n; i++)
        volume_free(v->items.items[i]);
    vec_done(&v->items);
    strv_done(&v->sweep);
    arena_done(&v->arena);
    free(v->root);
    free(v);
    return NULL;
}

/* --- hold --------------------------------------------------------------------------------------
 */

static ssize_t holder(const struct volume *x, const char *container_id) {
    for (size_t i = 0; i < x->holders.n; i++)
        if (strcmp(x->holders.items[i], container_id) == 0)
            return (ssize_t)i;
    return -1;
}

struct err volume_hold(struct volumes *v, const char *name, const char *container_id) {
    struct volume *x = NULL;
    TRY(volume_get(v, name, &x));
    if (holder(x, container_id) < 0)
        strv_add(&x->holders, container_id);
    return OK;
}

void volume_unhold(struct volumes *v, const char *name, const char *container_id) {
    struct volume *x = volumes_lookup(v, name);
    ssize_t i = x ? holder(x, container_id) : -1;
    if (i < 0)
        return;
    free(x->holders.items[i]);
    vec_remove(&x->holders, (size_t)i);
}
