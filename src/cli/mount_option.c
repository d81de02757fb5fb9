/* mount_option.c - --mount: one line of comma-separated fields. Source: the documentation of the
 * docker command line ("docker run", --mount). */
#include "cli/create.h"
#include <stdlib.h>
#include <string.h>

/* A field of a CSV line: quotes hold commas, two quotes are one. */
static bool next_field(struct str *rest, struct buf *field) {
    bool quoted = rest->len && rest->p[0] == '"';
    size_t i = quoted;
    buf_clear(field);
    if (rest->len == 0)
        return false;
    for (; i < rest->len; i++) {
        if (quoted && rest->p[i] == '"') {
            if (i + 1 < rest->len && rest->p[i + 1] == '"')
                i++;
            else {
                i++;
                break;
            }
        } else if (!quoted && rest->p[i] == ',') {
            break;
        }
        buf_addc(field, rest->p[i]);
    }
    *rest = str_from(*rest, i + 1);
    return true;
}

static struct err boolean(struct str key, struct str value, bool has_value, bool *ret) {
    *ret = !has_value || str_eqz(value, "true") || str_eqz(value, "1");
    if (!*ret && !str_eqz(value, "false") && !str_eqz(value, "0"))
        return err_new(ERR_INVALID, "invalid value for %.*s: %.*s", STR_ARG(key), STR_ARG(value));
    return OK;
}

static struct api_bind_options *bind_of(struct api_mount *m, struct arena *a) {
    if (!m->bind_options)
        m->bind_options = arena_alloc(a, sizeof *m->bind_options);
    return m->bind_options;
}

static struct api_volume_options *volume_of(struct api_mount *m, struct arena *a) {
    if (!m->volume_options)
        m->volume_options = arena_alloc(a, sizeof *m->volume_options);
    return m->volume_options;
}

static struct api_tmpfs_options *tmpfs_of(struct api_mount *m, struct arena *a) {
    if (!m->tmpfs_options)
        m->tmpfs_options = arena_alloc(a, sizeof *m->tmpfs_options);
    return m->tmpfs_options;
}

static struct api_driver_config *driver_of(struct api_mount *m, struct arena *a) {
    struct api_volume_options *v = volume_of(m, a);
    if (!v->driver_config)
        v->driver_config = arena_alloc(a, sizeof *v->driver_config);
    return v->driver_config;
}

static void pair(struct strmap *to, struct str text, struct arena *a) {
    struct str key, value;
    str_cut(text, '=', &key, &value);
    strmap_set(to, a, arena_str(a, key), arena_str(a, value));
}

static struct err recursive(struct api_mount *m, struct str value, struct arena *a) {
    struct api_bind_options *b = bind_of(m, a);
    if (str_eqz(value, "disabled"))
        b->non_recursive = true;
    else if (str_eqz(value, "writable"))
        b->read_only_non_recursive = true;
    else if (str_eqz(value, "readonly"))
        b->read_only_force_recursive = true;
    else if (!str_eqz(value, "enabled"))
        return err_new(ERR_INVALID, "invalid value for bind-recursive: %.*s", STR_ARG(value));
    return OK;
}

static struct err volume_field(struct api_mount *m, struct str key, struct str value,
                               bool has_value, struct arena *a, bool *ret_known) {
    *ret_known = true;
    if (str_eqz(key, "volume-nocopy"))
        return boolean(key, value, has_value, &volume_of(m, a)->no_copy);
    if (str_eqz(key, "volume-label"))
        pair(&volume_of(m, a)->labels, value, a);
    else if (str_eqz(key, "volume-subpath"))
        volume_of(m, a)->subpath = arena_str(a, value);
    else if (str_eqz(key, "volume-driver"))
        driver_of(m, a)->name = arena_str(a, value);
    else if (str_eqz(key, "volume-opt"))
        pair(&driver_of(m, a)->options, value, a);
    else if (str_eqz(key, "image-subpath")) {
        m->image_options = arena_alloc(a, sizeof *m->image_options);
        m->image_options->subpath = arena_str(a, value);
    } else
        *ret_known = false;
    return OK;
}

static struct err other_field(struct api_mount *m, struct str key, struct str value, bool has_value,
                              struct arena *a, bool *ret_known) {
    *ret_known = true;
    if (str_eqz(key, "bind-propagation")) {
        bind_of(m, a)->propagation = arena_str(a, value);
    } else if (str_eqz(key, "bind-nonrecursive")) {
        return boolean(key, value, has_value, &bind_of(m, a)->non_recursive);
    } else if (str_eqz(key, "bind-recursive")) {
        return recursive(m, value, a);
    } else if (str_eqz(key, "bind-create-src")) {
        return boolean(key, value, has_value, &bind_of(m, a)->create_mountpoint);
    } else if (str_eqz(key, "tmpfs-size")) {
        return size_option(arena_str(a, value), &tmpfs_of(m, a)->size_bytes);
    } else if (str_eqz(key, "tmpfs-mode")) {
        char *end;
        const char *text = arena_str(a, value);
        unsigned long mode = strtoul(text, &end, 8);
        if (*end || !*text || mode > 07777)
            return err_new(ERR_INVALID, "invalid value for tmpfs-mode: %s", text);
        tmpfs_of(m, a)->mode = (uint32_t)mode;
    } else {
        return volume_field(m, key, value, has_value, a, ret_known);
    }
    return OK;
}

static struct err field(struct api_mount *m, struct str text, struct arena *a) {
    struct str key, value;
    bool has_value = str_cut(text, '=', &key, &value), known;
    char *name = arena_str(a, key);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    key = str_of(name);
    if (str_eqz(key, "readonly") || str_eqz(key, "ro"))
        return boolean(key, value, has_value, &m->read_only);
    if (!has_value && !str_eqz(key, "volume-nocopy") && !str_eqz(key, "bind-nonrecursive") &&
        !str_eqz(key, "bind-create-src"))
        return err_new(ERR_INVALID, "invalid field '%.*s' must be a key=value pair", STR_ARG(text));
    if (str_eqz(key, "type"))
        m->type = arena_str(a, value);
    else if (str_eqz(key, "source") || str_eqz(key, "src"))
        m->source = arena_str(a, value);
    else if (str_eqz(key, "target") || str_eqz(key, "dst") || str_eqz(key, "destination"))
        m->target = arena_str(a, value);
    else if (str_eqz(key, "consistency"))
        m->consistency = arena_str(a, value);
    else {
        TRY(other_field(m, key, value, has_value, a, &known));
        if (!known)
            return err_new(ERR_INVALID, "unexpected key '%.*s' in '%.*s'", STR_ARG(key),
                           STR_ARG(text));
    }
    return OK;
}

static struct err check(struct api_mount *m, struct arena *a) {
    if (!m->type || !*m->type)
        m->type = arena_strz(a, "volume");
    if (!m->target || !*m->target)
        return err_new(ERR_INVALID, "target is required");
    if (m->volume_options && strcmp(m->type, "volume") != 0)
        return err_new(ERR_INVALID, "cannot mix 'volume-*' options with mount type '%s'", m->type);
    if (m->bind_options && strcmp(m->type, "bind") != 0)
        return err_new(ERR_INVALID, "cannot mix 'bind-*' options with mount type '%s'", m->type);
    if (m->tmpfs_options && strcmp(m->type, "tmpfs") != 0)
        return err_new(ERR_INVALID, "cannot mix 'tmpfs-*' options with mount type '%s'", m->type);
    if (m->image_options && strcmp(m->type, "image") != 0)
        return err_new(ERR_INVALID, "cannot mix 'image-*' options with mount type '%s'", m->type);
    if (!strcmp(m->type, "bind") && m->source && m->source[0] == '.')
        m->source = path_here(m->source, a);
    if (m->bind_options && m->bind_options->read_only_force_recursive && !m->read_only)
        return err_new(ERR_INVALID, "option 'bind-recursive=readonly' requires 'readonly' as well");
    if (m->volume_options) {
        strmap_sort(&m->volume_options->labels);
        strmap_sort(&driver_of(m, a)->options); /* there, though empty, as the peer has it */
    }
    return OK;
}

static struct err parse(const char *text, struct api_mount *ret, struct arena *a) {
    CLEAN_BUF struct buf one = {0};
    struct str rest = str_of(text);
    while (next_field(&rest, &one))
        TRY(field(ret, buf_str(&one), a));
    return check(ret, a);
}

struct err mount_option(const char *text, struct api_mount *ret, struct arena *a) {
    return err_wrap(parse(text, ret, a), "corten: invalid argument \"%s\" for \"--mount\" flag",
                    text);
}
