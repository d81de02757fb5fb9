/* What can be judged of a config.json without touching the system; see spec/runtime_config.h. */
#include "base/path.h"
#include "spec/runtime_config.h"
#include <string.h>

#define TEXT_MAX 4096 /* a path, a name */
#define OPTIONS_MAX 256

/* Nothing said: absent, null, or an empty object or array. */
static bool says_nothing(struct str raw) {
    raw = str_trim(raw);
    return !raw.len || str_eqz(raw, "null") || str_eqz(raw, "{}") || str_eqz(raw, "[]");
}

static struct err refuse(struct str raw, const char *name) {
    return says_nothing(raw) ? OK : err_new(ERR_UNSUPPORTED, "%s is not supported", name);
}

static struct err check_count(size_t n, size_t max, const char *name) {
    return n <= max ? OK
                    : err_new(ERR_INVALID, "%s has %zu entries, %zu are allowed", name, n, max);
}

static struct err check_abs(const char *path, const char *name) {
    struct str p = str_of(path);
    if (!p.len || p.p[0] != '/')
        return err_new(ERR_INVALID, "%s '%s' is not an absolute path", name, path ? path : "");
    if (p.len >= TEXT_MAX)
        return err_new(ERR_INVALID, "%s is longer than %d bytes", name, TEXT_MAX - 1);
    return OK;
}

static struct err check_paths(const struct strs *v, const char *name) {
    TRY(check_count(v->n, OCI_PATHS_MAX, name));
    for (size_t i = 0; i < v->n; i++)
        TRY(check_abs(v->items[i], name));
    return OK;
}

static bool one_of(const char *text, const char *const *list) {
    for (; *list; list++)
        if (text && strcmp(text, *list) == 0)
            return true;
    return false;
}

/* --- process
 * ------------------------------------------------------------------------------------------ */

static struct err check_rlimits(const struct objs *v) {
    TRY(check_count(v->n, 32, "process.rlimits"));
    const struct oci_rlimit *r = v->items;
    for (size_t i = 0; i < v->n; i++) {
        if (!r[i].type || !r[i].type[0])
            return err_new(ERR_INVALID, "process.rlimits: type is missing");
        if (r[i].soft > r[i].hard)
            return err_new(ERR_INVALID, "process.rlimits: %s: soft is larger than hard", r[i].type);
        for (size_t j = 0; j < i; j++)
            if (strcmp(r[i].type, r[j].type) == 0)
                return err_new(ERR_INVALID, "process.rlimits: %s is given twice", r[i].type);
    }
    return OK;
}

static struct err check_ids(const struct oci_user *u) {
    /* (uid_t)-1 means "leave it" to the kernel: it would keep root. */
    if (u->uid == UINT32_MAX)
        return err_new(ERR_INVALID, "process.user.uid is out of range");
    if (u->gid == UINT32_MAX)
        return err_new(ERR_INVALID, "process.user.gid is out of range");
    if (u->umask && (*u->umask < 0 || *u->umask > 0777))
        return err_new(ERR_INVALID, "process.user.umask is out of range");
    CLEAN_ARENA struct arena a = {0};
    uint32_t *gids;
    size_t n;
    return oci_gids(u, &a, &gids, &n);
}

static struct err check_scheduling(const struct oci_process *p) {
    static const char *const policies[] = {"SCHED_OTHER",    "SCHED_FIFO", "SCHED_RR",
                                           "SCHED_BATCH",    "SCHED_ISO",  "SCHED_IDLE",
                                           "SCHED_DEADLINE", NULL};
    static const char *const classes[] = {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE",
                                          NULL};
    if (p->scheduler && !one_of(p->scheduler->policy, policies))
        return err_new(ERR_INVALID, "process.scheduler: unknown policy '%s'", p->scheduler->policy);
    if (p->io_priority && !one_of(p->io_priority->class, classes))
        return err_new(ERR_INVALID, "process.ioPriority: unknown class '%s'",
                       p->io_priority->class);
    if (p->io_priority && (p->io_priority->priority < 0 || p->io_priority->priority > 7))
        return err_new(ERR_INVALID, "process.ioPriority: priority %d is not in 0..7",
                       p->io_priority->priority);
    return OK;
}

struct err oci_process_check(const struct oci_process *p) {
    TRY(check_scheduling(p));
    TRY(refuse(p->refused_command_line, "process.commandLine"));
    if (!p->args.n || !p->args.items[0][0])
        return err_new(ERR_INVALID, "process.args must not be empty");
    TRY(check_count(p->args.n, OCI_ARGS_MAX, "process.args"));
    TRY(check_count(p->env.n, OCI_ARGS_MAX, "process.env"));
    TRY(check_abs(p->cwd, "process.cwd"));
    if (p->console_size &&
        (p->console_size->height > UINT16_MAX || p->console_size->width > UINT16_MAX))
        return err_new(ERR_INVALID, "process.consoleSize is out of range");
    if (p->oom_score_adj && (*p->oom_score_adj < -1000 || *p->oom_score_adj > 1000))
        return err_new(ERR_INVALID, "process.oomScoreAdj is out of range");
    TRY(check_rlimits(&p->rlimits));
    return check_ids(&p->user);
}

struct err oci_gids(const struct oci_user *u, struct arena *a, uint32_t **ret, size_t *ret_n) {
    *ret = NULL;
    *ret_n = 0;
    if (says_nothing(u->additional_gids))
        return OK;
    CLEAN_JSON struct json *root = NULL;
    TRYF(json_parse(u->additional_gids, &root), "process.user.additionalGids");
    if (json_type(root) != JSON_ARRAY)
        return err_new(ERR_INVALID, "process.user.additionalGids: expected array, got %s",
                       json_type_name(json_type(root)));
    size_t n = json_len(root);
    TRY(check_count(n, OCI_GIDS_MAX, "process.user.additionalGids"));
    uint32_t *gids = arena_array(a, n, sizeof(*gids));
    for (size_t i = 0; i < n; i++) {
        uint64_t v;
        if (!json_u64(json_at(root, i), &v) || v >= UINT32_MAX)
            return err_new(ERR_INVALID, "process.user.additionalGids[%zu] is not a group id", i);
        gids[i] = (uint32_t)v;
    }
    *ret = gids;
    *ret_n = n;
    return OK;
}

/* --- linux
 * -----------------------------------------------------------------------------------------------
 */

bool oci_namespace(const struct oci_config *c, const char *type, const char **ret_path) {
    if (!c->linux_)
        return false;
    const struct oci_namespace *v = c->linux_->namespaces.items;
    for (size_t i = 0; i < c->linux_->namespaces.n; i++) {
        if (strcmp(v[i].type, type) != 0)
            continue;
        if (ret_path)
            *ret_path = v[i].path && v[i].path[0] ? v[i].path : NULL;
        return true;
    }
    return false;
}

static struct err check_namespaces(const struct objs *v) {
    static const char *const known[] = {"pid",    "network", "mount", "ipc", "uts",
                                        "cgroup", "user",    "time",  NULL};
    const struct oci_namespace *ns = v->items;
    bool mount = false;
    for (size_t i = 0; i < v->n; i++) {
        if (!one_of(ns[i].type, known))
            return err_new(ERR_INVALID, "linux.namespaces: unknown type '%s'", ns[i].type);
        for (size_t j = 0; j < i; j++)
            if (strcmp(ns[i].type, ns[j].type) == 0)
                return err_new(ERR_INVALID, "linux.namespaces: '%s' is given twice", ns[i].type);
        if (ns[i].path && ns[i].path[0])
            TRY(check_abs(ns[i].path, "linux.namespaces: path"));
        if (strcmp(ns[i].type, "mount") == 0) {
            mount = true;
        }
    }
    return mount ? OK : err_new(ERR_INVALID, "linux.namespaces: 'mount' is required");
}

static struct err check_devices(const struct objs *v) {
    static const char *const types[] = {"c", "b", "u", "p", NULL};
    TRY(check_count(v->n, OCI_DEVICES_MAX, "linux.devices"));
    const struct oci_device *d = v->items;
    for (size_t i = 0; i < v->n; i++) {
        TRY(check_abs(d[i].path, "linux.devices: path"));
        if (!one_of(d[i].type, types))
            return err_new(ERR_INVALID, "linux.devices: unknown type '%s'", d[i].type);
        if (d[i].major < 0 || d[i].major > 4095 || d[i].minor < 0 || d[i].minor > 0xfffff)
            return err_new(ERR_INVALID, "linux.devices: '%s': number out of range", d[i].path);
        /* The type's bits may be there as stat(2) gives them; they are not used. */
        if (d[i].file_mode && (*d[i].file_mode & ~INT64_C(0177777)))
            return err_new(ERR_INVALID, "linux.devices: '%s': fileMode out of range", d[i].path);
    }
    return OK;
}

static struct err check_device_rules(const struct objs *v) {
    static const char *const types[] = {"", "a", "b", "c", NULL};
    TRY(check_count(v->n, OCI_DEVICES_MAX, "linux.resources.devices"));
    const struct oci_device_rule *r = v->items;
    for (size_t i = 0; i < v->n; i++) {
        if (r[i].type && !one_of(r[i].type, types))
            return err_new(ERR_INVALID, "linux.resources.devices: unknown type '%s'", r[i].type);
        const char *access = r[i].access ? r[i].access : "";
        if (strlen(access) > 3 || access[strspn(access, "rwm")])
            return err_new(ERR_INVALID, "linux.resources.devices: access '%s' is not of \"rwm\"",
                           access);
        if ((r[i].major && (*r[i].major < -1 || *r[i].major > 4095)) ||
            (r[i].minor && (*r[i].minor < -1 || *r[i].minor > 0xfffff)))
            return err_new(ERR_INVALID, "linux.resources.devices: number out of range");
    }
    return OK;
}

static bool set(const int64_t *v) {
    return v && *v != 0 && *v != -1;
}

/* -1 is "unlimited", other negative values are nothing. */
static struct err check_limit(const int64_t *v, const char *name) {
    return v && *v < -1 ? err_new(ERR_INVALID, "linux.resources.%s is out of range", name) : OK;
}

static struct err check_amounts(const struct oci_resources *r) {
    if (r->memory) {
        TRY(check_limit(r->memory->limit, "memory.limit"));
        TRY(check_limit(r->memory->swap, "memory.swap"));
        TRY(check_limit(r->memory->reservation, "memory.reservation"));
        if (r->memory->swappiness && (*r->memory->swappiness < -1 || *r->memory->swappiness > 100))
            return err_new(ERR_INVALID, "linux.resources.memory.swappiness is out of range");
    }
    if (r->cpu) {
        TRY(check_limit(r->cpu->shares, "cpu.shares"));
        TRY(check_limit(r->cpu->quota, "cpu.quota"));
        TRY(check_limit(r->cpu->period, "cpu.period"));
        TRY(check_limit(r->cpu->burst, "cpu.burst"));
    }
    return r->pids ? check_limit(r->pids->limit, "pids.limit") : OK;
}

static struct err check_network(const struct oci_network *n) {
    if (!n)
        return OK;
    if (n->class_id && (*n->class_id < 0 || *n->class_id > UINT32_MAX))
        return err_new(ERR_INVALID, "linux.resources.network.classID is out of range");
    TRY(check_count(n->priorities.n, 256, "linux.resources.network.priorities"));
    const struct oci_priority *p = n->priorities.items;
    for (size_t i = 0; i < n->priorities.n; i++)
        if (!oci_interface_name(p[i].name))
            return err_new(ERR_INVALID, "linux.resources.network.priorities: bad name '%s'",
                           p[i].name);
    return OK;
}

/* netdevice(7): what the kernel takes as an interface's name. */
bool oci_interface_name(const char *name) {
    size_t n = name ? strlen(name) : 0;
    if (!n || n >= 16 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == ':' || name[i] == 0x7f)
            return false;
    return true;
}

static struct err check_weight(const int64_t *v, const char *name) {
    return v && *v && (*v < 10 || *v > 1000)
               ? err_new(ERR_INVALID, "linux.resources.blockIO.%s is not in 10..1000", name)
               : OK;
}

static struct err check_weights(const struct oci_block_io *b) {
    if (!b)
        return OK;
    TRY(check_weight(b->weight, "weight"));
    if (set(b->leaf_weight))
        return err_new(ERR_UNSUPPORTED, "linux.resources.blockIO.leafWeight is not supported");
    TRY(check_count(b->weight_device.n, OCI_DEVICES_MAX, "linux.resources.blockIO.weightDevice"));
    const struct oci_weight_device *d = b->weight_device.items;
    for (size_t i = 0; i < b->weight_device.n; i++) {
        TRY(check_weight(d[i].weight, "weightDevice.weight"));
        if (set(d[i].leaf_weight))
            return err_new(ERR_UNSUPPORTED,
                           "linux.resources.blockIO.weightDevice.leafWeight is not supported");
    }
    const struct objs *throttles[] = {&b->throttle_read_bps, &b->throttle_write_bps,
                                      &b->throttle_read_iops, &b->throttle_write_iops};
    for (size_t i = 0; i < ARRAY_LEN(throttles); i++)
        TRY(check_count(throttles[i]->n, OCI_DEVICES_MAX, "linux.resources.blockIO.throttle"));
    return OK;
}

/* What kernels have no longer. */
static struct err check_memory(const struct oci_memory *m) {
    if (m && set(m->kernel))
        return err_new(ERR_UNSUPPORTED, "linux.resources.memory.kernel is not supported");
    if (m && set(m->kernel_tcp))
        return err_new(ERR_UNSUPPORTED, "linux.resources.memory.kernelTCP is not supported");
    if (m && m->use_hierarchy && !*m->use_hierarchy)
        return err_new(ERR_UNSUPPORTED,
                       "linux.resources.memory.useHierarchy: false is not supported");
    return OK;
}

struct err oci_resources_check(const struct oci_resources *r) {
    TRY(check_amounts(r));
    TRY(check_count(r->hugepage_limits.n, 64, "linux.resources.hugepageLimits"));
    const struct oci_hugepage_limit *h = r->hugepage_limits.items;
    for (size_t i = 0; i < r->hugepage_limits.n; i++)
        if (!path_is_name(str_of(h[i].page_size)) || strlen(h[i].page_size) > 32)
            return err_new(ERR_INVALID, "linux.resources.hugepageLimits: bad pageSize '%s'",
                           h[i].page_size);
    TRY(check_count(r->rdma.n, 64, "linux.resources.rdma"));
    TRY(check_memory(r->memory));
    TRY(check_network(r->network));
    TRY(check_weights(r->block_io));
    TRY(check_count(r->unified.n, 256, "linux.resources.unified"));
    for (size_t i = 0; i < r->unified.n; i++)
        if (!path_is_name(str_of(r->unified.items[i].key)))
            return err_new(ERR_INVALID, "linux.resources.unified: '%s' is not a file name",
                           r->unified.items[i].key);
    return check_device_rules(&r->devices);
}

static struct err check_sysctl(const struct strmap *v) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./@:";
    TRY(check_count(v->n, 512, "linux.sysctl"));
    for (size_t i = 0; i < v->n; i++) {
        const char *key = v->items[i].key, *value = v->items[i].value;
        size_t len = strlen(key);
        if (!len || len > 255 || strspn(key, allowed) != len || strstr(key, "..") ||
            key[0] == '/' || key[0] == '.')
            return err_new(ERR_INVALID, "linux.sysctl: '%s' is not a name", key);
        if (!value || strlen(value) >= TEXT_MAX || strchr(value, '\n'))
            return err_new(ERR_INVALID, "linux.sysctl: bad value for '%s'", key);
    }
    return OK;
}

static struct err check_mappings(const struct objs *v, const char *name) {
    TRY(check_count(v->n, OCI_ID_MAPPINGS_MAX, name));
    const struct oci_id_mapping *m = v->items;
    for (size_t i = 0; i < v->n; i++)
        if (!m[i].size || m[i].size - 1 > UINT32_MAX - 1 - m[i].container_id ||
            m[i].size - 1 > UINT32_MAX - 1 - m[i].host_id)
            return err_new(ERR_INVALID, "%s[%zu] is empty or out of range", name, i);
    return OK;
}

bool oci_map_id(const struct objs *mappings, uint32_t container_id, uint32_t *ret) {
    const struct oci_id_mapping *m = mappings->items;
    for (size_t i = 0; i < mappings->n; i++)
        if (container_id >= m[i].container_id && container_id - m[i].container_id < m[i].size) {
            *ret = m[i].host_id + (container_id - m[i].container_id);
            return true;
        }
    return false;
}

static struct err check_personality(const struct oci_personality *p) {
    static const char *const domains[] = {"LINUX", "LINUX32", NULL};
    if (p && !one_of(p->domain, domains))
        return err_new(ERR_INVALID, "linux.personality.domain '%s' is unknown", p->domain);
    if (p && p->flags.n)
        return err_new(ERR_UNSUPPORTED, "linux.personality.flags: '%s' is not supported",
                       p->flags.items[0]);
    return OK;
}

static struct err check_time(const struct objmap *v) {
    static const char *const clocks[] = {"monotonic", "boottime", NULL};
    for (size_t i = 0; i < v->n; i++) {
        const struct oci_time_offset *t = v->items[i].value;
        if (!one_of(v->items[i].key, clocks))
            return err_new(ERR_INVALID, "linux.timeOffsets: unknown clock '%s'", v->items[i].key);
        if (t && t->nanosecs > 999999999)
            return err_new(ERR_INVALID, "linux.timeOffsets.%s: nanosecs is out of range",
                           v->items[i].key);
    }
    return OK;
}

/* What belongs to a namespace needs that namespace. */
static struct err check_owners(const struct oci_config *c) {
    const struct oci_linux *l = c->linux_;
    const char *path = NULL;
    bool user = oci_namespace(c, "user", &path), maps = l->uid_mappings.n || l->gid_mappings.n;
    if (maps && !user)
        return err_new(ERR_INVALID, "linux.uidMappings and gidMappings need a user namespace");
    if (user && !path && (!l->uid_mappings.n || !l->gid_mappings.n))
        return err_new(ERR_INVALID,
                       "a new user namespace needs linux.uidMappings and linux.gidMappings");
    if (l->time_offsets.n && (!oci_namespace(c, "time", &path) || path))
        return err_new(ERR_INVALID, "linux.timeOffsets needs a new time namespace");
    return OK;
}

static struct err check_net_devices(const struct oci_config *c) {
    const struct objmap *v = &c->linux_->net_devices;
    TRY(check_count(v->n, OCI_NET_DEVICES_MAX, "linux.netDevices"));
    if (v->n && !oci_namespace(c, "network", NULL))
        return err_new(ERR_INVALID, "linux.netDevices needs a network namespace of its own");
    for (size_t i = 0; i < v->n; i++) {
        const struct oci_net_device *d = v->items[i].value;
        const char *inside = d && d->name && d->name[0] ? d->name : v->items[i].key;
        if (!oci_interface_name(v->items[i].key) || !oci_interface_name(inside))
            return err_new(ERR_INVALID, "linux.netDevices: '%s' to '%s': not a name",
                           v->items[i].key, inside);
        for (size_t k = 0; k < i; k++) {
            const struct oci_net_device *other = v->items[k].value;
            const char *taken = other && other->name && other->name[0] ? other->name
                                                                       : v->items[k].key;
            if (strcmp(taken, inside) == 0)
                return err_new(ERR_INVALID, "linux.netDevices: two are named '%s'", inside);
        }
    }
    return OK;
}

/* Who joins a mount namespace takes it as it is: nothing is mounted in what others use. */
static struct err check_joined_mounts(const struct oci_config *c) {
    const struct oci_linux *l = c->linux_;
    const char *path = NULL, *user = NULL;
    if (!oci_namespace(c, "mount", &path) || !path)
        return OK;
    const struct {
        bool given;
        const char *name;
    } fields[] = {
        {c->mounts.n, "mounts"},
        {c->root->readonly, "root.readonly"},
        {!c->root->path || strcmp(c->root->path, "/") != 0, "a root.path other than '/'"},
        {l->devices.n, "linux.devices"},
        {l->masked_paths.n, "linux.maskedPaths"},
        {l->readonly_paths.n, "linux.readonlyPaths"},
        {l->rootfs_propagation && l->rootfs_propagation[0], "linux.rootfsPropagation"},
        {l->mount_label && l->mount_label[0], "linux.mountLabel"},
        {oci_namespace(c, "user", &user) && !user, "a new user namespace"},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (fields[i].given)
            return err_new(ERR_UNSUPPORTED,
                           "%s is not supported in a mount namespace that is joined",
                           fields[i].name);
    return OK;
}

static struct err check_linux(const struct oci_linux *l) {
    static const char *const propagations[] = {
        "",       "private", "rprivate",   "slave",       "rslave",
        "shared", "rshared", "unbindable", "runbindable", NULL};
    TRY(refuse(l->refused_intel_rdt, "linux.intelRdt"));
    if (l->rootfs_propagation && !one_of(l->rootfs_propagation, propagations))
        return err_new(ERR_INVALID, "linux.rootfsPropagation '%s' is unknown",
                       l->rootfs_propagation);
    if (l->mount_label && strlen(l->mount_label) > OCI_LABEL_MAX)
        return err_new(ERR_INVALID, "linux.mountLabel is longer than %d bytes", OCI_LABEL_MAX);
    TRY(check_mappings(&l->uid_mappings, "linux.uidMappings"));
    TRY(check_mappings(&l->gid_mappings, "linux.gidMappings"));
    TRY(check_personality(l->personality));
    TRY(check_time(&l->time_offsets));
    TRY(check_namespaces(&l->namespaces));
    TRY(check_devices(&l->devices));
    if (l->resources)
        TRY(oci_resources_check(l->resources));
    TRY(check_sysctl(&l->sysctl));
    TRY(check_paths(&l->masked_paths, "linux.maskedPaths"));
    return check_paths(&l->readonly_paths, "linux.readonlyPaths");
}

/* --- the whole
 * ------------------------------------------------------------------------------------------- */

static struct err check_mounts(const struct objs *v) {
    TRY(check_count(v->n, OCI_MOUNTS_MAX, "mounts"));
    const struct oci_mount *m = v->items;
    for (size_t i = 0; i < v->n; i++) {
        TRY(check_abs(m[i].destination, "mounts: destination"));
        TRY(check_mappings(&m[i].uid_mappings, "mounts: uidMappings"));
        TRY(check_mappings(&m[i].gid_mappings, "mounts: gidMappings"));
        TRY(check_count(m[i].options.n, OPTIONS_MAX, "mounts: options"));
        if (m[i].source && strlen(m[i].source) >= TEXT_MAX)
            return err_new(ERR_INVALID, "mounts: source is longer than %d bytes", TEXT_MAX - 1);
    }
    return OK;
}

static struct err check_hook_list(const struct objs *v, const char *name) {
    TRY(check_count(v->n, OCI_HOOKS_MAX, name));
    const struct oci_hook *h = v->items;
    for (size_t i = 0; i < v->n; i++) {
        TRY(check_abs(h[i].path, name));
        TRY(check_count(h[i].args.n, OCI_ARGS_MAX, name));
        TRY(check_count(h[i].env.n, OCI_ARGS_MAX, name));
        if (h[i].timeout && (*h[i].timeout <= 0 || *h[i].timeout > 86400))
            return err_new(ERR_INVALID, "%s: timeout is not in 1..86400 seconds", name);
    }
    return OK;
}

static struct err check_hooks(const struct oci_hooks *h) {
    TRY(check_hook_list(&h->prestart, "hooks.prestart"));
    TRY(check_hook_list(&h->create_runtime, "hooks.createRuntime"));
    TRY(check_hook_list(&h->create_container, "hooks.createContainer"));
    TRY(check_hook_list(&h->start_container, "hooks.startContainer"));
    TRY(check_hook_list(&h->poststart, "hooks.poststart"));
    return check_hook_list(&h->poststop, "hooks.poststop");
}

static struct err check_name(const char *text, const char *name) {
    if (text && strlen(text) > 64)
        return err_new(ERR_INVALID, "%s is longer than 64 bytes", name);
    return OK;
}

struct err oci_config_check(const struct oci_config *c) {
    if (!c->oci_version || strncmp(c->oci_version, "1.", 2) != 0)
        return err_new(ERR_INVALID, "ociVersion '%s' is not 1.x",
                       c->oci_version ? c->oci_version : "");
    if (c->hooks)
        TRY(check_hooks(c->hooks));
    TRY(refuse(c->refused_solaris, "solaris"));
    TRY(refuse(c->refused_windows, "windows"));
    TRY(refuse(c->refused_vm, "vm"));
    TRY(refuse(c->refused_zos, "zos"));
    TRY(refuse(c->refused_freebsd, "freebsd"));
    if (!c->process)
        return err_new(ERR_INVALID, "process is missing");
    if (!c->root)
        return err_new(ERR_INVALID, "root is missing");
    if (!c->linux_)
        return err_new(ERR_INVALID, "linux is missing");
    TRY(oci_process_check(c->process));
    TRY(check_name(c->hostname, "hostname"));
    TRY(check_name(c->domainname, "domainname"));
    if ((c->hostname && c->hostname[0]) || (c->domainname && c->domainname[0]))
        if (!oci_namespace(c, "uts", NULL))
            return err_new(ERR_INVALID, "hostname needs a uts namespace of its own");
    TRY(check_mounts(&c->mounts));
    TRY(check_linux(c->linux_));
    TRY(check_net_devices(c));
    TRY(check_joined_mounts(c));
    return check_owners(c);
}
