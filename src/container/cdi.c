/* cdi.c - devices by name: finding the specifications, doing their edits. */
#include "container/cdi.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/vec.h"
#include "spec/cdi.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- names ------------------------------------------------------------------------------------ */

static bool is_word(struct str s, const char *more) {
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (c == '\0' || strchr(more, c) == NULL))
            return false;
    }
    return s.len > 0;
}

static bool split(struct str name, struct str *ret_kind, struct str *ret_device) {
    struct str vendor, class;
    return str_cut(name, '=', ret_kind, ret_device) && str_cut(*ret_kind, '/', &vendor, &class) &&
           is_word(vendor, "_-.") && is_word(class, "_-.") && is_word(*ret_device, "_-.:");
}

struct err cdi_check_name(const char *name) {
    struct str kind, device;
    if (!split(str_of(name ? name : ""), &kind, &device))
        return err_new(ERR_INVALID, "invalid CDI device name '%s': want vendor.com/class=name",
                       name ? name : "");
    return OK;
}

/* --- finding ---------------------------------------------------------------------------------- */

struct found {
    const struct cdi_spec *spec;
    const struct cdi_device *device;
    const char *path;
};

struct lookup {
    struct arena *arena;
    struct str kind, device;
    struct buf unread; /* files that could not be understood */
    struct found found;
};

static bool ends_in(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static struct err look_into(struct lookup *l, const struct cdi_spec *spec, const char *path) {
    const struct cdi_device *d = spec->devices.items;
    if (!str_eqz(l->kind, spec->kind))
        return OK;
    for (size_t i = 0; i < spec->devices.n; i++) {
        if (!str_eqz(l->device, d[i].name))
            continue;
        if (l->found.device)
            return err_new(ERR_INVALID, "CDI device %s=%s is in '%s' and in '%s'", spec->kind,
                           d[i].name, l->found.path, path);
        l->found = (struct found){spec, &d[i], path};
    }
    return OK;
}

static struct err read_spec(struct lookup *l, const char *path, struct cdi_spec **ret) {
    CLEAN_BUF struct buf text = {0};
    struct cdi_spec *spec = arena_alloc(l->arena, sizeof(*spec));
    if (!ends_in(path, ".json"))
        return err_new(ERR_UNSUPPORTED, "it is YAML; corten reads JSON");
    TRY(file_read(path, CDI_SPEC_MAX, &text));
    TRY(fields_decode_strict(&cdi_spec_fields, str_of(arena_str(l->arena, buf_str(&text))),
                             l->arena, spec));
    if (strncmp(spec->version, "0.", 2) != 0 && strncmp(spec->version, "1.0", 3) != 0)
        return err_new(ERR_UNSUPPORTED, "its cdiVersion is %s", spec->version);
    *ret = spec;
    return OK;
}

static int is_spec(const struct dirent *d) {
    return d->d_name[0] != '.' && (ends_in(d->d_name, ".json") || ends_in(d->d_name, ".yaml") ||
                                   ends_in(d->d_name, ".yml"));
}

static struct err look_in_dir(struct lookup *l, const char *dir) {
    struct dirent **names;
    struct err e = OK;
    int n = scandir(dir, &names, is_spec, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? OK : err_errno(errno, "read '%s'", dir);
    for (int i = 0; i < n; i++) {
        const char *path = arena_printf(l->arena, "%s/%s", dir, names[i]->d_name);
        struct cdi_spec *spec = NULL;
        free(names[i]);
        if (err_failed(e) || i >= CDI_FILES_MAX)
            continue;
        struct err bad = read_spec(l, path, &spec);
        if (err_failed(bad))
            buf_addf(&l->unread, "; '%s' is not read: %s", path, err_msg(bad));
        else
            e = look_into(l, spec, path);
        err_ignore(bad);
    }
    free(names);
    return e;
}

static struct err find(const char *const *dirs, const char *name, struct arena *a,
                       struct found *ret) {
    struct lookup l = {.arena = a};
    size_t n = 0;
    TRY(cdi_check_name(name));
    split(str_of(name), &l.kind, &l.device);
    while (dirs[n])
        n++;
    struct err e = OK;
    while (n > 0 && !l.found.device && !err_failed(e)) /* the last directory goes first */
        e = look_in_dir(&l, dirs[--n]);
    if (!err_failed(e) && !l.found.device)
        e = err_new(ERR_INVALID, "CDI device injection failed: unresolvable CDI devices %s%s", name,
                    buf_cstr(&l.unread));
    buf_done(&l.unread);
    *ret = l.found;
    return e;
}

/* --- edits ------------------------------------------------------------------------------------ */

struct edit {
    struct oci_config *o;
    struct arena *arena;
    struct strs *groups;
};

static int64_t *box_i64(struct arena *a, int64_t value) {
    int64_t *p = arena_alloc(a, sizeof *p);
    *p = value;
    return p;
}

static struct err add_node(const struct edit *x, const struct cdi_node *n) {
    const char *host = n->host_path && *n->host_path ? n->host_path : n->path;
    struct oci_device d = {.path = n->path, .type = n->type, .file_mode = n->file_mode};
    struct stat st = {0};
    bool known = n->type && n->major && n->minor;
    if (n->path[0] != '/' || host[0] != '/')
        return err_new(ERR_INVALID, "device node '%s' is not an absolute path", n->path);
    if (stat(host, &st) != 0 && !known)
        return err_kind_errno(ERR_INVALID, errno, "device node '%s'", host);
    if (!known && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_new(ERR_INVALID, "'%s' is no device node", host);
    if (!d.type)
        d.type = arena_strz(x->arena, S_ISBLK(st.st_mode) ? "b" : "c");
    d.major = n->major ? *n->major : major(st.st_rdev);
    d.minor = n->minor ? *n->minor : minor(st.st_rdev);
    if (!d.file_mode && st.st_mode)
        d.file_mode = box_i64(x->arena, st.st_mode & 07777);
    d.uid = (uint32_t)(n->uid ? *n->uid : st.st_uid);
    d.gid = (uint32_t)(n->gid ? *n->gid : st.st_gid);
    struct oci_linux *l = x->o->linux_;
    struct oci_device *nodes = l->devices.items;
    for (size_t i = 0; i < l->devices.n; i++)
        if (!strcmp(nodes[i].path, d.path)) {
            nodes[i] = d; /* what was there, by --device or --privileged, is replaced */
            d.path = NULL;
        }
    if (d.path)
        *(struct oci_device *)objs_add(&l->devices, x->arena, sizeof d) = d;
    if (!strcmp(d.type, "p"))
        return OK;
    struct oci_device_rule *r = objs_add(&l->resources->devices, x->arena, sizeof *r);
    *r = (struct oci_device_rule){.allow = true, .type = d.type};
    r->major = box_i64(x->arena, d.major);
    r->minor = box_i64(x->arena, d.minor);
    r->access = n->permissions && *n->permissions ? n->permissions : arena_strz(x->arena, "rwm");
    return OK;
}

static void add_mount(const struct edit *x, const struct cdi_mount *m) {
    struct oci_mount *to = objs_add(&x->o->mounts, x->arena, sizeof *to);
    *to = (struct oci_mount){.destination = m->container_path,
                             .source = m->host_path,
                             .type = m->type ? m->type : arena_strz(x->arena, "bind"),
                             .options = m->options};
    if (to->options.n == 0) {
        to->options = (struct strs){.present = true};
        strs_add(&to->options, x->arena, "rbind");
    }
}

static struct err add_hook(const struct edit *x, const struct cdi_hook *h) {
    static const char *const names[] = {"prestart", "createRuntime", "createContainer",
                                        "startContainer"};
    if (!x->o->hooks)
        x->o->hooks = arena_alloc(x->arena, sizeof *x->o->hooks);
    struct objs *lists[] = {&x->o->hooks->prestart, &x->o->hooks->create_runtime,
                            &x->o->hooks->create_container, &x->o->hooks->start_container};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(h->name, names[i])) {
            struct oci_hook *to = objs_add(lists[i], x->arena, sizeof *to);
            *to = (struct oci_hook){
                .path = h->path, .args = h->args, .env = h->env, .timeout = h->timeout};
            return OK;
        }
    return err_new(ERR_UNSUPPORTED, "hook '%s' is not supported", h->name);
}

static void add_env(const struct edit *x, char *text) {
    struct strs *env = &x->o->process->env;
    size_t n = strcspn(text, "=") + 1;
    for (size_t i = 0; i < env->n; i++)
        if (!strncmp(env->items[i], text, n)) {
            env->items[i] = text;
            return;
        }
    strs_add(env, x->arena, text);
}

static struct err apply(const struct edit *x, const struct cdi_edits *e) {
    const struct cdi_node *nodes = e->nodes.items;
    const struct cdi_mount *mounts = e->mounts.items;
    const struct cdi_hook *hooks = e->hooks.items;
    if (e->rdt.len || e->net_devices.len)
        return err_new(ERR_UNSUPPORTED, "%s is not supported",
                       e->rdt.len ? "intelRdt" : "netDevices");
    for (size_t i = 0; i < e->env.n; i++)
        add_env(x, e->env.items[i]);
    for (size_t i = 0; i < e->nodes.n; i++)
        TRY(add_node(x, &nodes[i]));
    for (size_t i = 0; i < e->mounts.n; i++)
        add_mount(x, &mounts[i]);
    for (size_t i = 0; i < e->hooks.n; i++)
        TRY(add_hook(x, &hooks[i]));
    for (size_t i = 0; i < e->groups.n; i++)
        if (e->groups.items[i])
            strs_add(x->groups, x->arena,
                     arena_printf(x->arena, "%llu", (unsigned long long)e->groups.items[i]));
    return OK;
}

struct err cdi_apply(const char *const *dirs, const struct strs *names, struct arena *a,
                     struct oci_config *o, struct strs *ret_groups) {
    struct edit x = {.o = o, .arena = a, .groups = ret_groups};
    struct strs seen = {0};
    for (size_t i = 0; i < names->n; i++) {
        struct found f;
        bool again = false;
        TRY(find(dirs, names->items[i], a, &f));
        for (size_t k = 0; k < seen.n; k++)
            again = again || !strcmp(seen.items[k], f.path);
        if (!again) /* what is for all devices of a specification is done once */
            TRYF(apply(&x, &f.spec->edits), "CDI specification '%s'", f.path);
        strs_add(&seen, a, f.path);
        TRYF(apply(&x, &f.device->edits), "CDI device %s", names->items[i]);
    }
    return OK;
}
