/* Binds, Mounts, Tmpfs and the image's volumes, merged into one list ordered by depth of
 * destination. */
#include "base/path.h"
#include "base/random.h"
#include "container/private.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MOUNTS_MAX 1000

static struct container_mount *add_mount(struct container *c, const char *destination) {
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
            return err_new(ERR_UNSUPPORTED,
                           "volume '%s': relabelling (%.*s) needs SELinux, which this host "
                           "does not have",
                           spec, STR_ARG(field));
        else
            return err_new(ERR_INVALID, "invalid volume specification: '%s': invalid mode: %.*s",
                           spec, STR_ARG(field));
    }
    return OK;
}

static void name_source(struct container *c, struct container_mount *m, const char *source) {
    m->type = arena_strz(&c->arena, source[0] == '/' ? "bind" : "volume");
    if (source[0] == '/') {
        CLEAN_FREE char *clean = path_clean(str_of(source));
        m->source = arena_strz(&c->arena, clean);
        m->propagation = *m->propagation ? m->propagation : arena_strz(&c->arena, "rprivate");
    } else {
        m->name = arena_strz(&c->arena, source);
    }
}

static void anonymous(struct container *c, struct container_mount *m) {
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
        struct container_mount *m = add_mount(c, spec);
        if (!m)
            return err_new(ERR_INVALID, "Duplicate mount point: %s", spec);
        anonymous(c, m);
        return OK;
    }
    bool has_mode = str_cut(rest, ':', &destination, &mode);
    const char *to = arena_str(&c->arena, destination), *from = arena_str(&c->arena, source);
    TRY(check_destination(to, spec));
    if (!*from)
        return err_new(ERR_INVALID, "invalid volume specification: '%s'", spec);
    if (from[0] != '/')
        TRY(volume_name_check(from));
    struct container_mount *m = add_mount(c, to);
    if (!m)
        return err_new(ERR_INVALID, "Duplicate mount point: %s", to);
    name_source(c, m, from);
    return has_mode ? apply_mode(c, m, mode, spec) : OK;
}

/* Binds make a missing source directory, as the peer does for -v (not for --mount). */
static struct err ensure_bind_source(const char *source) {
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

/* Words that mount(8) knows for a tmpfs; those in front of '=' take a value. */
static struct err check_tmpfs(const char *options) {
    static const char *const flags[] = {"defaults", "ro",         "rw",          "suid",
                                        "nosuid",   "dev",        "nodev",       "exec",
                                        "noexec",   "sync",       "async",       "dirsync",
                                        "atime",    "noatime",    "diratime",    "nodiratime",
                                        "relatime", "norelatime", "strictatime", "nostrictatime"};
    static const char *const values[] = {"size",      "mode",      "uid", "gid",
                                         "nr_inodes", "nr_blocks", "mpol"};
    struct str rest = str_of(options ? options : ""), field, key, value;
    while (str_next(&rest, ',', &field)) {
        bool has_value = str_cut(field, '=', &key, &value), known = field.len == 0;
        for (size_t i = 0; !has_value && i < ARRAY_LEN(flags); i++)
            known |= str_eqz(field, flags[i]);
        for (size_t i = 0; has_value && i < ARRAY_LEN(values); i++)
            known |= str_eqz(key, values[i]) && value.len > 0;
        if (!known)
            return err_new(ERR_INVALID, "Invalid tmpfs option \"%.*s\"", STR_ARG(field));
    }
    return OK;
}

/* [["noexec"], ["size", "1m"]] as ",noexec,size=1m". */
static struct err tmpfs_words(struct container *c, const struct api_tmpfs_options *t, char **text) {
    const struct strs *rows = t->options.items;
    for (size_t i = 0; i < t->options.n; i++) {
        if (rows[i].n < 1 || rows[i].n > 2)
            return err_new(ERR_INVALID, "invalid option array length %zu", rows[i].n);
        *text = arena_printf(&c->arena, "%s,%s%s%s", *text, rows[i].items[0],
                             rows[i].n == 2 ? "=" : "", rows[i].n == 2 ? rows[i].items[1] : "");
    }
    return check_tmpfs(*text);
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
        struct container_mount *m = add_mount(c, from->destination);
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
            .no_copy = true,
            .flat = from->flat,
        };
        m->mode = arena_str(&c->arena, has_mode ? mode : str_of(from->mode));
    }
    return OK;
}

static struct err add_mount_object(struct container *c, const struct api_mount *given) {
    const char *type = given->type ? given->type : "";
    if (strcmp(type, "bind") != 0 && strcmp(type, "volume") != 0 && strcmp(type, "tmpfs") != 0)
        return err_new(ERR_UNSUPPORTED, "mounts of type '%s' are not supported", type);
    TRY(check_destination(given->target, given->target ? given->target : ""));
    struct container_mount *m = add_mount(c, given->target);
    if (!m)
        return err_new(ERR_INVALID, "Duplicate mount point: %s", given->target);
    m->rw = !given->read_only;
    m->type = arena_strz(&c->arena, type);
    if (!strcmp(type, "tmpfs")) {
        const struct api_tmpfs_options *t = given->tmpfs_options;
        int64_t size = t ? t->size_bytes : 0;
        m->tmpfs_options = arena_printf(&c->arena, "mode=%o%s", t && t->mode ? t->mode : 01777,
                                        m->rw ? "" : ",ro");
        if (size)
            m->tmpfs_options = arena_printf(&c->arena, "%s,size=%lld", m->tmpfs_options,
                                            (long long)size);
        return t ? tmpfs_words(c, t, &m->tmpfs_options) : OK;
    }
    const char *source = given->source ? given->source : "";
    if (!strcmp(type, "bind")) {
        struct stat st;
        const struct api_bind_options *b = given->bind_options;
        if (!path_is_abs(str_of(source)))
            return err_new(ERR_INVALID,
                           "invalid mount config for type \"bind\": invalid mount path: '%s' mount "
                           "path must be absolute",
                           source);
        if (b && b->create_mountpoint)
            TRY(ensure_bind_source(source));
        if (stat(source, &st) != 0)
            return err_new(
                ERR_INVALID,
                "invalid mount config for type \"bind\": bind source path does not exist: %s",
                source);
        if (b && (b->read_only_non_recursive || b->read_only_force_recursive))
            return err_new(ERR_UNSUPPORTED,
                           "BindOptions.ReadOnlyNonRecursive and ReadOnlyForceRecursive are not "
                           "supported");
        m->flat = b && b->non_recursive;
        if (b && b->propagation)
            m->propagation = b->propagation;
        name_source(c, m, source);
        return OK;
    }
    const struct api_volume_options *v = given->volume_options;
    if (v && v->subpath && *v->subpath)
        return err_new(ERR_UNSUPPORTED, "VolumeOptions.Subpath is not supported");
    m->no_copy = v && v->no_copy;
    if (!*source) {
        anonymous(c, m);
        return OK;
    }
    TRY(volume_name_check(source));
    name_source(c, m, source);
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
            TRY(ensure_bind_source(c->mounts[i].source));
    for (size_t i = 0; i < h->mounts.n; i++)
        TRY(add_mount_object(c, (const struct api_mount *)h->mounts.items + i));
    for (size_t i = 0; i < h->tmpfs.n; i++) {
        TRY(check_destination(h->tmpfs.items[i].key, h->tmpfs.items[i].key));
        struct container_mount *m = add_mount(c, h->tmpfs.items[i].key);
        if (!m)
            return err_new(ERR_INVALID, "Duplicate mount point: %s", h->tmpfs.items[i].key);
        m->type = arena_strz(&c->arena, "tmpfs");
        m->tmpfs_options = h->tmpfs.items[i].value;
        TRY(check_tmpfs(m->tmpfs_options));
    }
    for (size_t i = 0; i < h->volumes_from.n; i++)
        TRY(add_from(c, h->volumes_from.items[i]));
    for (size_t i = 0; i < c->config->volumes.n; i++) {
        if (!path_is_abs(str_of(c->config->volumes.items[i])))
            return err_new(ERR_INVALID, "invalid volume path '%s'", c->config->volumes.items[i]);
        struct container_mount *m = add_mount(c, c->config->volumes.items[i]);
        if (m)
            anonymous(c, m);
    }
    if (c->mounts_n > 1) /* qsort takes no NULL */
        qsort(c->mounts, c->mounts_n, sizeof *c->mounts, by_depth);
    return OK;
}
