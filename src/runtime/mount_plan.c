/* Mount options of config.json: fstab(5) and mount(8) words to mount attributes, and what is left
 * to the file system's own options. */
#include "base/path.h"
#include "runtime/mounts.h"
#include <stdlib.h>
#include <string.h>

enum word_class { ATTR, BELOW, BIND, PROPAGATION, FS_FLAG, NOTHING };

static const struct word {
    const char *name;
    enum word_class class;
    uint64_t set, clear;
    bool recursive;
} words[] = {
    {"defaults", NOTHING, 0, 0, false},
    {"bind", BIND, 0, 0, false},
    {"rbind", BIND, 0, 0, true},
    {"ro", ATTR, MOUNT_ATTR_RDONLY, 0, false},
    {"rw", ATTR, 0, MOUNT_ATTR_RDONLY, false},
    {"nosuid", ATTR, MOUNT_ATTR_NOSUID, 0, false},
    {"suid", ATTR, 0, MOUNT_ATTR_NOSUID, false},
    {"nodev", ATTR, MOUNT_ATTR_NODEV, 0, false},
    {"dev", ATTR, 0, MOUNT_ATTR_NODEV, false},
    {"noexec", ATTR, MOUNT_ATTR_NOEXEC, 0, false},
    {"exec", ATTR, 0, MOUNT_ATTR_NOEXEC, false},
    {"noatime", ATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, false},
    {"atime", ATTR, 0, MOUNT_ATTR__ATIME, false},
    {"relatime", ATTR, 0, MOUNT_ATTR__ATIME, false},
    {"norelatime", ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, false},
    {"strictatime", ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, false},
    {"nostrictatime", ATTR, 0, MOUNT_ATTR__ATIME, false},
    {"nodiratime", ATTR, MOUNT_ATTR_NODIRATIME, 0, false},
    {"diratime", ATTR, 0, MOUNT_ATTR_NODIRATIME, false},
    {"nosymfollow", ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0, false},
    {"symfollow", ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW, false},
    {"rro", BELOW, MOUNT_ATTR_RDONLY, 0, true},
    {"rrw", BELOW, 0, MOUNT_ATTR_RDONLY, true},
    {"rnosuid", BELOW, MOUNT_ATTR_NOSUID, 0, true},
    {"rsuid", BELOW, 0, MOUNT_ATTR_NOSUID, true},
    {"rnodev", BELOW, MOUNT_ATTR_NODEV, 0, true},
    {"rdev", BELOW, 0, MOUNT_ATTR_NODEV, true},
    {"rnoexec", BELOW, MOUNT_ATTR_NOEXEC, 0, true},
    {"rexec", BELOW, 0, MOUNT_ATTR_NOEXEC, true},
    {"private", PROPAGATION, MS_PRIVATE, 0, false},
    {"rprivate", PROPAGATION, MS_PRIVATE, 0, true},
    {"slave", PROPAGATION, MS_SLAVE, 0, false},
    {"rslave", PROPAGATION, MS_SLAVE, 0, true},
    {"shared", PROPAGATION, MS_SHARED, 0, false},
    {"rshared", PROPAGATION, MS_SHARED, 0, true},
    {"unbindable", PROPAGATION, MS_UNBINDABLE, 0, false},
    {"runbindable", PROPAGATION, MS_UNBINDABLE, 0, true},
    {"sync", FS_FLAG, 0, 0, false},
    {"dirsync", FS_FLAG, 0, 0, false},
    {"async", NOTHING, 0, 0, false},
};

/* Known words that are refused by name rather than handed to the file system. */
static const char *const refused_words[] = {"remount", "mand", "nofollow"};

static const struct {
    const char *type;
    enum mount_kind kind;
} types[] = {
    {"bind", KIND_BIND},     {"proc", KIND_PROC},      {"sysfs", KIND_SYSFS},
    {"tmpfs", KIND_TMPFS},   {"devpts", KIND_DEVPTS},  {"mqueue", KIND_MQUEUE},
    {"cgroup", KIND_CGROUP}, {"cgroup2", KIND_CGROUP},
};

const char *mount_option_name(size_t i) {
    static const char *const more[] = {"idmap", "ridmap", "tmpcopyup", NULL};
    return i < ARRAY_LEN(words) ? words[i].name : more[i - ARRAY_LEN(words)];
}

void mount_plans_done(struct mount_plans *v) {
    for (size_t i = 0; i < v->n; i++) {
        fd_close(v->items[i].opened);
        vec_done(&v->items[i].options);
        strv_done(&v->items[i].texts);
    }
    vec_done(v);
}

static const struct word *find_word(const char *text) {
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].name, text) == 0)
            return &words[i];
    return NULL;
}

static void set_bits(uint64_t *set, uint64_t *clear, const struct word *w) {
    /* A later word wins over an earlier one: "ro,rw" is rw. */
    *set = (*set & ~w->clear) | w->set;
    *clear = (*clear & ~w->set) | w->clear;
}

static bool add_idmap(struct mount_plan *p, const char *text) {
    bool recursive = strcmp(text, "ridmap") == 0;
    if (!recursive && strcmp(text, "idmap") != 0)
        return false;
    p->idmap = true;
    p->idmap_recursive |= recursive;
    return true;
}

static struct err add_fs_option(struct mount_plan *p, const char *text) {
    if (p->kind == KIND_BIND && add_idmap(p, text))
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(refused_words); i++)
        if (strcmp(refused_words[i], text) == 0)
            return err_new(ERR_UNSUPPORTED, "mount '%s': option '%s' is not supported",
                           p->mount->destination, text);
    if (p->kind == KIND_BIND || p->kind == KIND_TREE || p->kind == KIND_CGROUP)
        return err_new(ERR_INVALID, "mount '%s': unknown option '%s'", p->mount->destination, text);
    /* Every devpts is an instance of its own nowadays. */
    if (p->kind == KIND_DEVPTS && strcmp(text, "newinstance") == 0)
        return OK;
    if (strcmp(text, "tmpcopyup") == 0 && p->kind == KIND_TMPFS) {
        p->copy_up = true;
        return OK;
    }
    strv_add(&p->texts, text);
    char *key = p->texts.items[p->texts.n - 1], *value = strchr(key, '=');
    if (value)
        *value++ = '\0';
    if (!key[0] || strlen(key) > 255 || (value && strlen(value) > 255))
        return err_new(ERR_INVALID, "mount '%s': bad option '%s'", p->mount->destination, text);
    vec_push(&p->options, (struct mount_option){key, value});
    return OK;
}

static struct err add_option(struct mount_plan *p, const char *text) {
    const struct word *w = find_word(text);
    if (!w)
        return add_fs_option(p, text);
    switch (w->class) {
    case ATTR:
        set_bits(&p->set, &p->clear, w);
        break;
    case BELOW:
        set_bits(&p->set_below, &p->clear_below, w);
        break;
    case BIND:
        p->recursive |= w->recursive;
        break;
    case PROPAGATION:
        p->propagation = w->set;
        p->propagation_below = w->recursive;
        break;
    case FS_FLAG:
        return add_fs_option(p, text);
    case NOTHING:
        break;
    }
    return OK;
}

static bool says_bind(const struct oci_mount *m) {
    for (size_t i = 0; i < m->options.n; i++)
        if (strcmp(m->options.items[i], "bind") == 0 || strcmp(m->options.items[i], "rbind") == 0)
            return true;
    return false;
}

static struct err plan_kind(const struct oci_mount *m, struct mount_plan *p) {
    if (says_bind(m)) {
        p->kind = KIND_BIND;
        return OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (m->type && strcmp(types[i].type, m->type) == 0) {
            p->kind = types[i].kind;
            return OK;
        }
    const char *type = m->type ? m->type : "";
    size_t n = strlen(type);
    if (!n || n > 32 || strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != n)
        return err_new(ERR_INVALID, "mount '%s': type '%s' is none", m->destination, type);
    p->kind = KIND_OTHER;
    return OK;
}

/* "fd:N": the N-th descriptor that came with the call. */
static struct err plan_source(const struct runtime_create_options *o, struct mount_plan *p) {
    const char *source = p->mount->source;
    if (p->kind != KIND_BIND)
        return OK;
    if (!source || !source[0])
        return err_new(ERR_INVALID, "mount '%s': source is missing", p->mount->destination);
    if (strncmp(source, "fd:", 3) != 0)
        return source[0] == '/' ? OK
                                : err_new(ERR_INVALID, "mount '%s': source '%s' is not absolute",
                                          p->mount->destination, source);
    uint64_t n;
    TRYF(str_to_u64(str_of(source + 3), INT32_MAX, &n), "mount '%s': source",
         p->mount->destination);
    if (n >= o->mount_fds_n)
        return err_new(ERR_INVALID, "mount '%s': source '%s' was not handed in",
                       p->mount->destination, source);
    p->kind = KIND_TREE;
    p->tree = o->mount_fds[n];
    return OK;
}

/* linux.mountLabel: file systems that keep labels, and are made here, get it as a whole. The
 * kernel's own (proc, sysfs, cgroup) have theirs by policy, and mqueue is the ipc namespace's. */
static void add_label(const struct runtime_create_options *o, struct mount_plan *p) {
    const struct oci_linux *l = o->config->linux_;
    bool fits = p->kind == KIND_TMPFS || p->kind == KIND_DEVPTS || p->kind == KIND_OTHER;
    if (!fits || !l || !l->mount_label || !l->mount_label[0])
        return;
    vec_push(&p->options, (struct mount_option){"context", l->mount_label});
}

static struct err plan_one(const struct runtime_create_options *o, const struct oci_mount *m,
                           struct mount_plan *p) {
    p->mount = m;
    p->tree = p->opened = -1;
    CLEAN_FREE char *clean = path_clean(str_of(m->destination));
    if (strcmp(clean, "/") == 0)
        return err_new(ERR_INVALID, "mount '%s': the root itself cannot be mounted over",
                       m->destination);
    TRY(plan_kind(m, p));
    TRY(plan_source(o, p));
    for (size_t i = 0; i < m->options.n; i++)
        TRY(add_option(p, m->options.items[i]));
    add_label(o, p);
    if (!m->uid_mappings.n && !m->gid_mappings.n)
        return OK;
    if (p->kind != KIND_BIND)
        return err_new(ERR_UNSUPPORTED, "mount '%s': uidMappings are for bind mounts",
                       m->destination);
    p->idmap = true;
    return OK;
}

struct err mounts_plan(const struct runtime_create_options *o, struct mount_plans *ret) {
    const struct oci_mount *m = o->config->mounts.items;
    for (size_t i = 0; i < o->config->mounts.n; i++)
        TRY(plan_one(o, &m[i], vec_add(ret)));
    return OK;
}
