/* Binds, Mounts, Tmpfs and the image's volumes, merged into one list ordered by depth of
 * destination. */
#include "base/path.h"
#include "base/random.h"
#include "container/private.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTS_MAX 1000

struct container_mount *mount_add(struct container *c, const char *destination) {
    CLEAN_FREE char *clean = path_clean(str_of(destination));
    for (size_t i = 0; i < c->mounts_n; i++)
        if (!strcmp(c->mounts[i].destination, clean))
            return NULL;
    struct container_mount *items = arena_array(&c->arena, c->mounts_n + 1, sizeof *items);
    if (c->mounts_n)
        memcpy(items, c->mounts, c->mounts_n * sizeof *items);
    c->mounts = items;
    struct container_mount *m = &c->mounts[c->mounts_n++];
    m->destination = arena_strz(&c->arena, clean);
    m->mode = m->propagation = arena_strz(&c->arena, "");
    m->rw = true;
    return m;
}

static struct err check_destination(const char *destination, const char *spec) {
    if (!destination || !*destination)
        return err_new(ERR_INVALID, "invalid volume specification: '%s'", spec);
    if (!path_is_abs(str_of(destination)))
        return err_new(ERR_INVALID,
                       "invalid volume specification: '%s': invalid mount config for type "
                       "\"volume\": invalid mount path: '%s' mount path must be absolute",
                       spec, destination);
    CLEAN_FREE char *clean = path_clean(str_of(destination));
    if (!strcmp(clean, "/"))
        return err_new(ERR_INVALID, "invalid volume specification: '%s': destination can't be '/'",
                       spec);
    return OK;
}

/* Without SELinux there are no labels to change: nothing to do, as with the peer. */
static struct err check_relabel(struct str word, const char *spec) {
    if (access("/sys/fs/selinux/enforce", F_OK) == 0)
        return err_new(ERR_UNSUPPORTED,
                       "volume '%s': relabelling (%.*s) for SELinux is not supported", spec,
                       STR_ARG(word));
    return OK;
}

static struct err apply_idmap(struct container *c, struct container_mount *m, struct str word) {
    struct objs uids, gids;
    if (!str_starts(word, STR("idmap=")))
        return err_new(ERR_INVALID,
                       "invalid mode: %.*s: containers have no user namespace of their "
                       "own to map by: say idmap=uids=FROM-TO-COUNT",
                       STR_ARG(word));
    struct str text = str_from(word, strlen("idmap="));
    TRY(mount_idmap_parse(text, &c->arena, &uids, &gids));
    m->idmap = arena_str(&c->arena, text);
    return OK;
}

/* The words after the second colon of a bind. */
static struct err apply_mode(struct container *c, struct container_mount *m, struct str mode,
                             const char *spec) {
    m->mode = arena_str(&c->arena, mode);
    struct str field;
    while (str_next(&mode, ',', &field)) {
        if (str_eqz(field, "ro"))
            m->rw = false;
        else if (str_eqz(field, "rw"))
            m->rw = true;
        else if (str_eqz(field, "nocopy"))
            m->no_copy = true;
        else if (str_eqz(field, "rprivate") || str_eqz(field, "private") ||
                 str_eqz(field, "rshared") || str_eqz(field, "shared") ||
                 str_eqz(field, "rslave") || str_eqz(field, "slave"))
            m->propagation = arena_str(&c->arena, field);
        else if (str_eqz(field, "z") || str_eqz(field, "Z"))
            TRY(check_relabel(field, spec));
        else if (str_starts(field, STR("idmap")))
            TRYF(apply_idmap(c, m, field), "invalid volume specification: '%s'", spec);
        else
            return err_new(ERR_INVALID, "invalid volume specification: '%s': invalid mode: %.*s",
                           spec, STR_ARG(field));
    }
    return OK;
}

void mount_name_source(struct container *c, struct container_mount *m, const char *source) {
    m->type = arena_strz(&c->arena, source[0] == '/' ? "bind" : "volume");
    if (source[0] == '/') {
        CLEAN_FREE char *clean = path_clean(str_of(source));
        m->source = arena_strz(&c->arena, clean);
        m->propagation = *m->propagation ? m->propagation : arena_strz(&c->arena, "rprivate");
    } else {
        m->name = arena_strz(&c->arena, source);
    }
}

void mount_anonymous(struct container *c, struct container_mount *m) {
    char id[65];
    random_id(id);
    m->type = arena_strz(&c->arena, "volume");
    m->name = arena_strz(&c->arena, id);
    m->anonymous = true;
}

static struct err add_bind(struct container *c, const char *spec) {
    struct str source, rest, destination, mode;
    if (!str_cut(str_of(spec), ':', &source, &rest)) {
        TRY(check_destination(spec, spec));
        struct container_mount *m = mount_add(c, spec);
        if (!m)
            return err_new(ERR_INVALID, "Duplicate mount point: %s", spec);
        mount_anonymous(c, m);
        return OK;
    }
    bool has_mode = str_cut(rest, ':', &destination, &mode);
    const char *to = arena_str(&c->arena, destination), *from = arena_str(&c->arena, source);
    TRY(check_destination(to, spec));
    if (!*from)
        return err_new(ERR_INVALID, "invalid volume specification: '%s'", spec);
    if (from[0] != '/')
        TRY(volume_name_check(from));
    struct container_mount *m = mount_add(c, to);
    if (!m)
        return err_new(ERR_INVALID, "Duplicate mount point: %s", to);
    mount_name_source(c, m, from);
    return has_mode ? apply_mode(c, m, mode, spec) : OK;
}

/* Binds make a missing source directory, as the peer does for -v (not for --mount). */
struct err mount_ensure_source(const char *source) {
    struct stat st;
    if (stat(source, &st) == 0)
        return OK;
    if (errno != ENOENT)
        return err_errno(errno, "bind source '%s'", source);
    CLEAN_FREE char *path = mem_strdup(source);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char saved = *p;
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return err_errno(errno, "make bind source '%s'", source);
        if (!saved)
            return OK;
        *p = saved;
    }
}

/* CONTAINER[:ro|:rw]: its mounts, where this container has none of its own. */
static struct err add_from(struct container *c, const char *spec) {
    struct str ref, mode;
    struct container *other = NULL;
    bool has_mode = str_cut(str_of(spec), ':', &ref, &mode);
    if (ref.len == 0)
        return err_new(ERR_INVALID, "malformed volumes-from specification: %s", spec);
    if (has_mode && !str_eqz(mode, "ro") && !str_eqz(mode, "rw"))
        return err_new(ERR_INVALID, "invalid mode: %.*s", STR_ARG(mode));
    CLEAN_FREE char *name = str_dup(ref);
    struct err e = container_find(c->all, name, &other);
    if (err_failed(e)) /* to a 404 the stock CLI answers by pulling the image */
        return err_as(e, ERR_INVALID);
    for (size_t i = 0; i < other->mounts_n; i++) {
        const struct container_mount *from = &other->mounts[i];
        if (!strcmp(from->type, "tmpfs") && strmap_get(&other->host->tmpfs, from->destination))
            continue; /* --tmpfs is no volume */
        struct container_mount *m = mount_add(c, from->destination);
        if (!m)
            continue;
        *m = (struct container_mount){
            .type = arena_strz(&c->arena, from->type),
            .name = arena_strz(&c->arena, from->name),
            .source = arena_strz(&c->arena, from->source),
            .destination = m->destination,
            .propagation = arena_strz(&c->arena, from->propagation),
            .tmpfs_options = arena_strz(&c->arena, from->tmpfs_options),
            .rw = from->rw && !(has_mode && str_eqz(mode, "ro")),
            .subpath = arena_strz(&c->arena, from->subpath),
            .image_id = from->image_id ? arena_strz(&c->arena, from->image_id) : NULL,
            .no_copy = true,
            .flat = from->flat,
            .ro_top = from->ro_top,
            .idmap = from->idmap ? arena_strz(&c->arena, from->idmap) : NULL,
        };
        m->mode = arena_str(&c->arena, has_mode ? mode : str_of(from->mode));
    }
    return OK;
}

static int by_depth(const void *a, const void *b) {
    const struct container_mount *x = a, *y = b;
    size_t nx = 0, ny = 0;
    for (const char *p = x->destination; *p; p++)
        nx += *p == '/';
    for (const char *p = y->destination; *p; p++)
        ny += *p == '/';
    return nx != ny ? (nx < ny ? -1 : 1) : strcmp(x->destination, y->destination);
}

struct err container_plan_mounts(struct container *c) {
    const struct api_host_config *h = c->host;
    if (h->binds.n + h->mounts.n + h->tmpfs.n + c->config->volumes.n > MOUNTS_MAX)
        return err_new(ERR_INVALID, "more than %d mounts", MOUNTS_MAX);
    for (size_t i = 0; i < h->binds.n; i++)
        TRY(add_bind(c, h->binds.items[i]));
    for (size_t i = 0; i < c->mounts_n; i++)
        if (!strcmp(c->mounts[i].type, "bind"))
            TRY(mount_ensure_source(c->mounts[i].source));
    for (size_t i = 0; i < h->mounts.n; i++)
        TRY(mount_object_add(c, (const struct api_mount *)h->mounts.items + i));
    for (size_t i = 0; i < h->tmpfs.n; i++) {
        TRY(check_destination(h->tmpfs.items[i].key, h->tmpfs.items[i].key));
        struct container_mount *m = mount_add(c, h->tmpfs.items[i].key);
        if (!m)
            return err_new(ERR_INVALID, "Duplicate mount point: %s", h->tmpfs.items[i].key);
        m->type = arena_strz(&c->arena, "tmpfs");
        m->tmpfs_options = h->tmpfs.items[i].value;
        TRY(mount_tmpfs_check(m->tmpfs_options));
    }
    for (size_t i = 0; i < h->volumes_from.n; i++)
        TRY(add_from(c, h->volumes_from.items[i]));
    for (size_t i = 0; i < c->config->volumes.n; i++) {
        if (!path_is_abs(str_of(c->config->volumes.items[i])))
            return err_new(ERR_INVALID, "invalid volume path '%s'", c->config->volumes.items[i]);
        struct container_mount *m = mount_add(c, c->config->volumes.items[i]);
        if (m)
            mount_anonymous(c, m);
    }
    if (c->mounts_n > 1) /* qsort takes no NULL */
        qsort(c->mounts, c->mounts_n, sizeof *c->mounts, by_depth);
    return OK;
}
