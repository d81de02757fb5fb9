/* HostConfig.Mounts: one object each, judged with the peer's words. */
#include "base/path.h"
#include "container/private.h"
#include <errno.h>
#include <sys/stat.h>

static struct err bad(const struct api_mount *m, const char *why) {
    return err_new(ERR_INVALID, "invalid mount config for type \"%s\": %s", m->type, why);
}

static struct err extra(const struct api_mount *m, const char *field) {
    return err_new(ERR_INVALID,
                   "invalid mount config for type \"%s\": field %s must not be specified", m->type,
                   field);
}

static struct err missing(const struct api_mount *m, const char *field) {
    return err_new(ERR_INVALID, "invalid mount config for type \"%s\": field %s must not be empty",
                   m->type, field);
}

/* Relative, and never out of what it is relative to, however it is read. */
static struct err check_subpath(const struct api_mount *m, const char *subpath) {
    struct str rest = str_of(subpath), part;
    bool out = path_is_abs(rest);
    for (int depth = 0; !out && str_next(&rest, '/', &part);) {
        depth += str_eqz(part, "..") ? -1 : part.len == 0 || str_eqz(part, ".") ? 0 : 1;
        out = depth < 0;
    }
    return out ? bad(m, "subpath must be a relative path within the volume") : OK;
}

static struct err check_target(const struct api_mount *m) {
    if (!m->target || !*m->target)
        return missing(m, "Target");
    CLEAN_FREE char *clean = path_clean(str_of(m->target));
    if (!strcmp(clean, "/"))
        return bad(m, "invalid specification: destination can't be '/'");
    if (!path_is_abs(str_of(m->target)))
        return err_new(ERR_INVALID,
                       "invalid mount config for type \"%s\": invalid mount path: '%s' mount path "
                       "must be absolute",
                       m->type, m->target);
    return OK;
}

/* Options of another type than the mount's. */
static struct err check_options(const struct api_mount *m, const char *own) {
    if (m->bind_options && strcmp(own, "bind") != 0)
        return extra(m, "BindOptions");
    if (m->volume_options && strcmp(own, "volume") != 0)
        return extra(m, "VolumeOptions");
    if (m->tmpfs_options && strcmp(own, "tmpfs") != 0)
        return extra(m, "TmpfsOptions");
    return m->image_options && strcmp(own, "image") != 0 ? extra(m, "ImageOptions") : OK;
}

/* --- tmpfs ------------------------------------------------------------------------------------ */

/* Words that mount(8) knows for a tmpfs; those in front of '=' take a value. */
struct err mount_tmpfs_check(const char *options) {
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
    return mount_tmpfs_check(*text);
}

static struct err add_tmpfs(struct container *c, const struct api_mount *given,
                            struct container_mount *m) {
    const struct api_tmpfs_options *t = given->tmpfs_options;
    if (given->source && *given->source)
        return extra(given, "Source");
    m->tmpfs_options = arena_printf(&c->arena, "mode=%o%s", t && t->mode ? t->mode : 01777,
                                    m->rw ? "" : ",ro");
    if (t && t->size_bytes)
        m->tmpfs_options = arena_printf(&c->arena, "%s,size=%lld", m->tmpfs_options,
                                        (long long)t->size_bytes);
    return t ? tmpfs_words(c, t, &m->tmpfs_options) : OK;
}

/* --- bind ------------------------------------------------------------------------------------- */

static struct err bind_options(const struct api_mount *given, struct container_mount *m) {
    static const char *const propagations[] = {"",        "private", "rprivate", "shared",
                                               "rshared", "slave",   "rslave"};
    const struct api_bind_options *b = given->bind_options;
    bool known = !b || !b->propagation;
    for (size_t i = 0; !known && i < ARRAY_LEN(propagations); i++)
        known = !strcmp(b->propagation, propagations[i]);
    if (!known)
        return err_new(ERR_INVALID,
                       "invalid mount config for type \"bind\": invalid propagation mode: %s",
                       b->propagation);
    if (b && b->read_only_non_recursive && b->read_only_force_recursive)
        return bad(given, "ReadOnlyForceRecursive and ReadOnlyNonRecursive are exclusive");
    if (b && b->read_only_force_recursive && !given->read_only)
        return bad(given, "ReadOnlyForceRecursive requires ReadOnly");
    if (b && b->read_only_force_recursive && b->propagation && *b->propagation &&
        strcmp(b->propagation, "rprivate") != 0)
        return bad(given, "ReadOnlyForceRecursive requires propagation rprivate");
    m->flat = b && b->non_recursive;
    m->ro_top = b && b->read_only_non_recursive;
    if (b && b->propagation)
        m->propagation = b->propagation;
    return OK;
}

static struct err add_bind(struct container *c, const struct api_mount *given,
                           struct container_mount *m) {
    const char *source = given->source ? given->source : "";
    struct stat st;
    if (!*source)
        return missing(given, "Source");
    TRY(bind_options(given, m));
    if (!path_is_abs(str_of(source)))
        return err_new(ERR_INVALID,
                       "invalid mount config for type \"bind\": invalid mount path: '%s' mount "
                       "path must be absolute",
                       source);
    if (given->bind_options && given->bind_options->create_mountpoint)
        TRY(mount_ensure_source(source));
    if (stat(source, &st) != 0)
        return err_new(
            ERR_INVALID,
            "invalid mount config for type \"bind\": bind source path does not exist: %s", source);
    mount_name_source(c, m, source);
    return OK;
}

/* --- volume, image ---------------------------------------------------------------------------- */

static struct err add_volume(struct container *c, const struct api_mount *given,
                             struct container_mount *m) {
    const struct api_volume_options *v = given->volume_options;
    const char *source = given->source ? given->source : "";
    m->no_copy = v && v->no_copy;
    if (v && v->subpath && *v->subpath) {
        if (!*source)
            return bad(given, "must not set Subpath when using anonymous volumes");
        TRY(check_subpath(given, v->subpath));
        m->subpath = v->subpath;
        m->no_copy = true; /* it shows a part of what is there already */
    }
    if (!*source) {
        if (given->read_only)
            return bad(given, "must not set ReadOnly mode when using anonymous volumes");
        mount_anonymous(c, m);
        return OK;
    }
    TRY(volume_name_check(source));
    mount_name_source(c, m, source);
    return OK;
}

/* Read-only, always: an image does not change. */
static struct err add_image(struct container *c, const struct api_mount *given,
                            struct container_mount *m) {
    const struct api_image_options *o = given->image_options;
    struct image *image = NULL;
    if (!given->source || !*given->source)
        return missing(given, "Source");
    if (o && o->subpath && *o->subpath) {
        TRY(check_subpath(given, o->subpath));
        m->subpath = o->subpath;
    }
    struct err e = image_find_rootfs(c->all->config.images, str_of(given->source), &image);
    if (err_failed(e)) /* to a 404 the stock CLI answers by pulling the container's image */
        return err_as(e, ERR_INVALID);
    m->name = m->source = arena_strz(&c->arena, given->source);
    m->image_id = arena_strz(&c->arena, image->id_text);
    m->rw = false;
    return OK;
}

struct err mount_object_add(struct container *c, const struct api_mount *given) {
    static const struct {
        const char *type;
        struct err (*add)(struct container *c, const struct api_mount *given,
                          struct container_mount *m);
    } kinds[] = {
        {"bind", add_bind}, {"volume", add_volume}, {"tmpfs", add_tmpfs}, {"image", add_image}};
    const char *type = given->type ? given->type : "";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(type, kinds[i].type) != 0)
            continue;
        TRY(check_target(given));
        TRY(check_options(given, type));
        struct container_mount *m = mount_add(c, given->target);
        if (!m)
            return err_new(ERR_INVALID, "Duplicate mount point: %s", given->target);
        m->rw = !given->read_only;
        m->type = arena_strz(&c->arena, type);
        return kinds[i].add(c, given, m);
    }
    if (!strcmp(type, "npipe") || !strcmp(type, "cluster"))
        return err_new(ERR_UNSUPPORTED, "mounts of type '%s' are not supported", type);
    return err_new(ERR_INVALID, "invalid mount config for type \"%s\": mount type unknown", type);
}
