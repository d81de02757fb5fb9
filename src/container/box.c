/* The box of a container: its OCI config.json, from the API's config, the security defaults
 * (reference/security.md rule 14) and the host's network files. */
#include "base/path.h"
#include "container/private.h"
#include "runtime/runtime.h"
#include "spec/runtime_config.h"
#include <stdlib.h>

#define SHM_SIZE_DEFAULT (INT64_C(64) << 20)

static struct strs strs_copy(const char *const *from, struct arena *a) {
    struct strs v = {.present = true};
    for (size_t i = 0; from[i]; i++)
        strs_add(&v, a, from[i]);
    return v;
}

static int64_t *box_i64(struct arena *a, int64_t value) {
    int64_t *p = arena_alloc(a, sizeof *p);
    *p = value;
    return p;
}

/* --- process
 * ---------------------------------------------------------------------------------------- */

static bool env_has(const struct strs *env, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < env->n; i++)
        if (!strncmp(env->items[i], name, n) && env->items[i][n] == '=')
            return true;
    return false;
}

static struct strs environment(const struct container *c, bool tty, const struct strs *extra,
                               struct arena *a) {
    const struct strs *own = &c->config->env;
    struct strs env = {.present = true}, linked = {0};
    container_links_env(c, a, &linked);
    for (size_t i = 0; i < linked.n; i++) {
        CLEAN_FREE char *key = str_dup(str_n(linked.items[i], strcspn(linked.items[i], "=")));
        if (!env_has(own, key) && !(extra && env_has(extra, key)))
            strs_add(&env, a, linked.items[i]);
    }
    if (!env_has(own, "PATH"))
        strs_add(&env, a, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!env_has(own, "HOSTNAME"))
        strs_add(&env, a, arena_printf(a, "HOSTNAME=%s", c->config->hostname));
    if (tty && !env_has(own, "TERM"))
        strs_add(&env, a, "TERM=xterm");
    for (size_t i = 0; i < own->n; i++) {
        struct str name, value;
        if (!str_cut(str_of(own->items[i]), '=', &name, &value))
            continue; /* it unsets what the image had */
        CLEAN_FREE char *key = str_dup(name);
        if (!extra || !env_has(extra, key))
            strs_add(&env, a, own->items[i]);
    }
    for (size_t i = 0; extra && i < extra->n; i++)
        strs_add(&env, a, extra->items[i]);
    return env;
}

static void add_rlimits(const struct container *c, struct oci_process *p, struct arena *a) {
    const struct objs *limits = &c->host->resources.ulimits;
    const struct api_ulimit *items = limits->items;
    for (size_t i = 0; i < limits->n; i++) {
        struct oci_rlimit *r = objs_add(&p->rlimits, a, sizeof *r);
        r->type = arena_printf(a, "RLIMIT_%s", items[i].name);
        for (char *t = r->type; *t; t++)
            *t = *t >= 'a' && *t <= 'z' ? (char)(*t - 32) : *t;
        r->soft = items[i].soft < 0 ? UINT64_MAX : (uint64_t)items[i].soft;
        r->hard = items[i].hard < 0 ? UINT64_MAX : (uint64_t)items[i].hard;
    }
}

static struct oci_process *make_process(const struct container *c, struct arena *a) {
    struct oci_process *p = arena_alloc(a, sizeof *p);
    p->terminal = c->config->tty;
    if (c->config->tty && c->host->console_size[0]) {
        p->console_size = arena_alloc(a, sizeof *p->console_size);
        *p->console_size = (struct oci_box){c->host->console_size[0], c->host->console_size[1]};
    }
    p->args.present = true;
    for (size_t i = 0; i < c->config->entrypoint.n; i++)
        strs_add(&p->args, a, c->config->entrypoint.items[i]);
    for (size_t i = 0; i < c->config->cmd.n; i++)
        strs_add(&p->args, a, c->config->cmd.items[i]);
    p->env = environment(c, c->config->tty, NULL, a);
    const char *cwd = c->config->working_dir;
    p->cwd = arena_strz(a, cwd && *cwd ? cwd : "/");
    p->capabilities = arena_alloc(a, sizeof *p->capabilities);
    struct strs caps = container_capabilities(c, c->host->privileged, a);
    p->capabilities->bounding = p->capabilities->effective = p->capabilities->permitted = caps;
    p->no_new_privileges = container_no_new_privileges(c);
    p->apparmor_profile = (char *)(uintptr_t)container_apparmor(c, a);
    if (c->host->oom_score_adj)
        p->oom_score_adj = box_i64(a, c->host->oom_score_adj);
    add_rlimits(c, p, a);
    return p;
}

struct err container_exec_process(const struct container_exec *x, struct arena *a,
                                  struct buf *ret_json) {
    const struct container *c = x->container;
    const struct api_exec_create *e = x->config;
    struct oci_process *p = make_process(c, a);
    p->terminal = e->tty;
    p->console_size = NULL;
    if (e->tty && e->console_size[0]) {
        p->console_size = arena_alloc(a, sizeof *p->console_size);
        *p->console_size = (struct oci_box){e->console_size[0], e->console_size[1]};
    }
    if (e->privileged) {
        struct strs caps = container_capabilities(c, true, a);
        p->capabilities->bounding = p->capabilities->effective = p->capabilities->permitted = caps;
    }
    p->args = e->cmd;
    p->env = environment(c, e->tty, &e->env, a);
    if (e->working_dir && *e->working_dir)
        p->cwd = e->working_dir;
    fields_print(&oci_process_fields, p, ret_json);
    return OK;
}

/* --- mounts
 * ----------------------------------------------------------------------------------------- */

static void add_mount(struct oci_config *o, struct arena *a, const char *type, const char *source,
                      const char *destination, const char *const *options) {
    struct oci_mount *m = objs_add(&o->mounts, a, sizeof *m);
    m->type = arena_strz(a, type);
    m->source = arena_strz(a, source);
    m->destination = arena_strz(a, destination);
    m->options.present = true;
    for (size_t i = 0; options[i]; i++)
        strs_add(&m->options, a, options[i]);
}

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void add_system_mounts(const struct container *c, struct oci_config *o, struct arena *a) {
    int64_t shm = c->host->shm_size ? c->host->shm_size : SHM_SIZE_DEFAULT;
    const char *size = arena_printf(a, "size=%lld", (long long)shm);
    add_mount(o, a, "proc", "proc", "/proc", OPTIONS("nosuid", "noexec", "nodev"));
    add_mount(o, a, "tmpfs", "tmpfs", "/dev",
              OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k"));
    add_mount(o, a, "devpts", "devpts", "/dev/pts",
              OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"));
    const char *access = c->host->privileged ? "rw" : "ro";
    add_mount(o, a, "sysfs", "sysfs", "/sys", OPTIONS("nosuid", "noexec", "nodev", access));
    add_mount(o, a, "cgroup", "cgroup", "/sys/fs/cgroup",
              OPTIONS(access, "nosuid", "noexec", "nodev"));
    add_mount(o, a, "mqueue", "mqueue", "/dev/mqueue", OPTIONS("nosuid", "noexec", "nodev"));
    if (!c->host->ipc_mode || strcmp(c->host->ipc_mode, "none") != 0) {
        if (c->host->ipc_mode && !strcmp(c->host->ipc_mode, "host"))
            add_mount(o, a, "bind", "/dev/shm", "/dev/shm", OPTIONS("rbind", "rprivate"));
        else if (container_joins(c->host->ipc_mode))
            add_mount(o, a, "bind", "fd:0", "/dev/shm", OPTIONS("bind", "rprivate"));
        else
            add_mount(o, a, "tmpfs", "shm", "/dev/shm",
                      OPTIONS("nosuid", "noexec", "nodev", "mode=1777", size));
    }
}

static bool user_mounted(const struct container *c, const char *destination) {
    for (size_t i = 0; i < c->mounts_n; i++)
        if (!strcmp(c->mounts[i].destination, destination))
            return true;
    return false;
}

static void add_file(const struct container *c, struct oci_config *o, struct arena *a,
                     const char *source, const char *destination) {
    if (source && !user_mounted(c, destination))
        add_mount(o, a, "bind", source, destination,
                  OPTIONS("rbind", "rprivate", c->host->readonly_rootfs ? "ro" : "rw"));
}

static void add_tmpfs(const struct container_mount *m, struct oci_config *o, struct arena *a) {
    struct oci_mount *t = objs_add(&o->mounts, a, sizeof *t);
    t->type = arena_strz(a, "tmpfs");
    t->source = arena_strz(a, "tmpfs");
    t->destination = arena_strz(a, m->destination);
    t->options.present = true;
    strs_add(&t->options, a, "nosuid");
    strs_add(&t->options, a, "nodev");
    strs_add(&t->options, a, "noexec");
    struct str rest = str_of(m->tmpfs_options ? m->tmpfs_options : ""), field;
    while (str_next(&rest, ',', &field))
        if (field.len)
            strs_add(&t->options, a, arena_str(a, field));
}

static void add_user_mounts(const struct container *c, struct oci_config *o, struct arena *a) {
    for (size_t i = 0; i < c->mounts_n; i++) {
        const struct container_mount *m = &c->mounts[i];
        if (!strcmp(m->type, "tmpfs")) {
            add_tmpfs(m, o, a);
            continue;
        }
        const char *propagation = m->propagation && *m->propagation ? m->propagation : "rprivate";
        const char *source = m->tree ? arena_printf(a, "fd:%u", m->tree) : m->source;
        /* Not "rw": what the host or a volume's options have read-only stays so. */
        const char *access = m->rw ? "defaults" : "ro";
        add_mount(o, a, "bind", source, m->destination,
                  OPTIONS(m->flat ? "bind" : "rbind", propagation, access,
                          m->rw || m->ro_top || m->flat ? access : "rro"));
        if (!m->idmap)
            continue;
        struct oci_mount *last = (struct oci_mount *)o->mounts.items + o->mounts.n - 1;
        /* It was read when the container was made. */
        err_ignore(
            mount_idmap_parse(str_of(m->idmap), a, &last->uid_mappings, &last->gid_mappings));
    }
}

/* --- linux
 * ------------------------------------------------------------------------------------------ */

struct err container_box(const struct container *c, const struct box_files *files,
                         const struct box_joined *joined, struct arena *a, struct buf *ret_json) {
    struct oci_config o = {.oci_version = arena_strz(a, "1.2.0")};
    struct oci_root root = {.path = arena_strz(a, "rootfs"), .readonly = c->host->readonly_rootfs};
    struct oci_linux l = {0};
    o.root = &root;
    o.process = make_process(c, a);
    if (o.process->args.n == 0)
        return err_new(ERR_INVALID, "no command specified");
    if (!container_mode_is_host(c->host->uts_mode)) {
        o.hostname = c->config->hostname;
        o.domainname = c->config->domainname && *c->config->domainname ? c->config->domainname
                                                                       : NULL;
    }
    add_system_mounts(c, &o, a);
    add_file(c, &o, a, files->resolv_conf, "/etc/resolv.conf");
    add_file(c, &o, a, files->hostname, "/etc/hostname");
    add_file(c, &o, a, files->hosts, "/etc/hosts");
    add_user_mounts(c, &o, a);
    l.sysctl = c->host->sysctls;
    TRY(container_resources(c->host, a, &l.resources));
    CLEAN_FREE char *cgroup = container_cgroup_path(c);
    l.cgroups_path = arena_strz(a, cgroup);
    container_add_namespaces(c, joined, &l, a);
    TRY(container_devices(c, a, &l));
    l.masked_paths = c->host->masked_paths.present ? c->host->masked_paths
                                                   : strs_copy(runtime_masked_paths, a);
    l.readonly_paths = c->host->readonly_paths.present ? c->host->readonly_paths
                                                       : strs_copy(runtime_readonly_paths, a);
    if (container_bare_system_paths(c))
        l.masked_paths = l.readonly_paths = (struct strs){.present = true};
    o.annotations = c->host->annotations;
    o.linux_ = &l;
    fields_print(&oci_config_fields, &o, ret_json);
    return OK;
}

char *container_cgroup_path(const struct container *c) {
    const char *parent = c->host->resources.cgroup_parent;
    if (!parent || !*parent)
        return mem_printf("/%s/%s", c->all->config.instance, c->id);
    CLEAN_FREE char *whole = mem_printf("/%s", parent);
    CLEAN_FREE char *clean = path_clean(str_of(whole));
    return mem_printf("%s/%s", strcmp(clean, "/") == 0 ? "" : clean, c->id);
}
