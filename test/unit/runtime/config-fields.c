/* Every field of the runtime specification's config.json (1.2, and what 1.3 adds for Linux) is in
 * the tables, and nothing else is; each is honoured, or refused by its name, or means nothing on
 * Linux as the specification says. A field that is added to a table must be judged here. */
#include "test.h"

#include "base/mem.h"
#include "runtime/runtime.h"

enum verdict {
    HONOURED,    /* by runtime/; the kernel tests say how */
    REFUSED,     /* value: what is refused, named by the path */
    MEANINGLESS, /* the specification gives it no meaning on Linux */
};

/* A path that ends with "[]" is an array, with "{}" a map by name; of such are the rest. */
static const struct known {
    const char *path;
    enum verdict verdict;
    const char *value;
} known[] = {
    {"ociVersion", HONOURED, NULL},
    {"hostname", HONOURED, NULL},
    {"domainname", HONOURED, NULL},
    {"annotations", HONOURED, NULL},
    {"root.path", HONOURED, NULL},
    {"root.readonly", HONOURED, NULL},
    {"mounts[].destination", HONOURED, NULL},
    {"mounts[].type", HONOURED, NULL},
    {"mounts[].source", HONOURED, NULL},
    {"mounts[].options", HONOURED, NULL},
    {"mounts[].uidMappings[].containerID", HONOURED, NULL},
    {"mounts[].uidMappings[].hostID", HONOURED, NULL},
    {"mounts[].uidMappings[].size", HONOURED, NULL},
    {"mounts[].gidMappings[].containerID", HONOURED, NULL},
    {"mounts[].gidMappings[].hostID", HONOURED, NULL},
    {"mounts[].gidMappings[].size", HONOURED, NULL},
    {"process.terminal", HONOURED, NULL},
    {"process.consoleSize.height", HONOURED, NULL},
    {"process.consoleSize.width", HONOURED, NULL},
    {"process.user.uid", HONOURED, NULL},
    {"process.user.gid", HONOURED, NULL},
    {"process.user.umask", HONOURED, NULL},
    {"process.user.additionalGids", HONOURED, NULL},
    {"process.user.username", MEANINGLESS, NULL},
    {"process.args", HONOURED, NULL},
    {"process.commandLine", REFUSED, "\"x\""},
    {"process.env", HONOURED, NULL},
    {"process.cwd", HONOURED, NULL},
    {"process.capabilities.bounding", HONOURED, NULL},
    {"process.capabilities.effective", HONOURED, NULL},
    {"process.capabilities.inheritable", HONOURED, NULL},
    {"process.capabilities.permitted", HONOURED, NULL},
    {"process.capabilities.ambient", HONOURED, NULL},
    {"process.rlimits[].type", HONOURED, NULL},
    {"process.rlimits[].hard", HONOURED, NULL},
    {"process.rlimits[].soft", HONOURED, NULL},
    {"process.noNewPrivileges", HONOURED, NULL},
    {"process.oomScoreAdj", HONOURED, NULL},
    {"process.apparmorProfile", HONOURED, NULL},
    {"process.selinuxLabel", HONOURED, NULL},
    {"process.scheduler.policy", HONOURED, NULL},
    {"process.scheduler.nice", HONOURED, NULL},
    {"process.scheduler.priority", HONOURED, NULL},
    {"process.scheduler.flags", HONOURED, NULL},
    {"process.scheduler.runtime", HONOURED, NULL},
    {"process.scheduler.deadline", HONOURED, NULL},
    {"process.scheduler.period", HONOURED, NULL},
    {"process.ioPriority.class", HONOURED, NULL},
    {"process.ioPriority.priority", HONOURED, NULL},
    {"process.execCPUAffinity.initial", HONOURED, NULL},
    {"process.execCPUAffinity.final", HONOURED, NULL},
    {"hooks.prestart[].path", HONOURED, NULL},
    {"hooks.prestart[].args", HONOURED, NULL},
    {"hooks.prestart[].env", HONOURED, NULL},
    {"hooks.prestart[].timeout", HONOURED, NULL},
    {"hooks.createRuntime[].path", HONOURED, NULL},
    {"hooks.createRuntime[].args", HONOURED, NULL},
    {"hooks.createRuntime[].env", HONOURED, NULL},
    {"hooks.createRuntime[].timeout", HONOURED, NULL},
    {"hooks.createContainer[].path", HONOURED, NULL},
    {"hooks.createContainer[].args", HONOURED, NULL},
    {"hooks.createContainer[].env", HONOURED, NULL},
    {"hooks.createContainer[].timeout", HONOURED, NULL},
    {"hooks.startContainer[].path", HONOURED, NULL},
    {"hooks.startContainer[].args", HONOURED, NULL},
    {"hooks.startContainer[].env", HONOURED, NULL},
    {"hooks.startContainer[].timeout", HONOURED, NULL},
    {"hooks.poststart[].path", HONOURED, NULL},
    {"hooks.poststart[].args", HONOURED, NULL},
    {"hooks.poststart[].env", HONOURED, NULL},
    {"hooks.poststart[].timeout", HONOURED, NULL},
    {"hooks.poststop[].path", HONOURED, NULL},
    {"hooks.poststop[].args", HONOURED, NULL},
    {"hooks.poststop[].env", HONOURED, NULL},
    {"hooks.poststop[].timeout", HONOURED, NULL},
    {"linux.namespaces[].type", HONOURED, NULL},
    {"linux.namespaces[].path", HONOURED, NULL},
    {"linux.uidMappings[].containerID", HONOURED, NULL},
    {"linux.uidMappings[].hostID", HONOURED, NULL},
    {"linux.uidMappings[].size", HONOURED, NULL},
    {"linux.gidMappings[].containerID", HONOURED, NULL},
    {"linux.gidMappings[].hostID", HONOURED, NULL},
    {"linux.gidMappings[].size", HONOURED, NULL},
    {"linux.timeOffsets{}.secs", HONOURED, NULL},
    {"linux.timeOffsets{}.nanosecs", HONOURED, NULL},
    {"linux.devices[].path", HONOURED, NULL},
    {"linux.devices[].type", HONOURED, NULL},
    {"linux.devices[].major", HONOURED, NULL},
    {"linux.devices[].minor", HONOURED, NULL},
    {"linux.devices[].fileMode", HONOURED, NULL},
    {"linux.devices[].uid", HONOURED, NULL},
    {"linux.devices[].gid", HONOURED, NULL},
    {"linux.netDevices{}.name", HONOURED, NULL},
    {"linux.cgroupsPath", HONOURED, NULL},
    {"linux.resources.devices[].allow", HONOURED, NULL},
    {"linux.resources.devices[].type", HONOURED, NULL},
    {"linux.resources.devices[].major", HONOURED, NULL},
    {"linux.resources.devices[].minor", HONOURED, NULL},
    {"linux.resources.devices[].access", HONOURED, NULL},
    {"linux.resources.memory.limit", HONOURED, NULL},
    {"linux.resources.memory.reservation", HONOURED, NULL},
    {"linux.resources.memory.swap", HONOURED, NULL},
    {"linux.resources.memory.kernel", REFUSED, "5"},
    {"linux.resources.memory.kernelTCP", REFUSED, "5"},
    {"linux.resources.memory.swappiness", HONOURED, NULL},
    {"linux.resources.memory.disableOOMKiller", HONOURED, NULL},
    {"linux.resources.memory.useHierarchy", REFUSED, "false"}, /* true is how it is */
    {"linux.resources.memory.checkBeforeUpdate", HONOURED, NULL},
    {"linux.resources.cpu.shares", HONOURED, NULL},
    {"linux.resources.cpu.quota", HONOURED, NULL},
    {"linux.resources.cpu.burst", HONOURED, NULL},
    {"linux.resources.cpu.period", HONOURED, NULL},
    {"linux.resources.cpu.realtimeRuntime", HONOURED, NULL},
    {"linux.resources.cpu.realtimePeriod", HONOURED, NULL},
    {"linux.resources.cpu.cpus", HONOURED, NULL},
    {"linux.resources.cpu.mems", HONOURED, NULL},
    {"linux.resources.cpu.idle", HONOURED, NULL},
    {"linux.resources.pids.limit", HONOURED, NULL},
    {"linux.resources.blockIO.weight", HONOURED, NULL},
    {"linux.resources.blockIO.leafWeight", REFUSED, "50"},
    {"linux.resources.blockIO.weightDevice[].major", HONOURED, NULL},
    {"linux.resources.blockIO.weightDevice[].minor", HONOURED, NULL},
    {"linux.resources.blockIO.weightDevice[].weight", HONOURED, NULL},
    {"linux.resources.blockIO.weightDevice[].leafWeight", REFUSED, "50"},
    {"linux.resources.blockIO.throttleReadBpsDevice[].major", HONOURED, NULL},
    {"linux.resources.blockIO.throttleReadBpsDevice[].minor", HONOURED, NULL},
    {"linux.resources.blockIO.throttleReadBpsDevice[].rate", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].major", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].minor", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteBpsDevice[].rate", HONOURED, NULL},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].major", HONOURED, NULL},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].minor", HONOURED, NULL},
    {"linux.resources.blockIO.throttleReadIOPSDevice[].rate", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].major", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].minor", HONOURED, NULL},
    {"linux.resources.blockIO.throttleWriteIOPSDevice[].rate", HONOURED, NULL},
    {"linux.resources.hugepageLimits[].pageSize", HONOURED, NULL},
    {"linux.resources.hugepageLimits[].limit", HONOURED, NULL},
    {"linux.resources.network.classID", HONOURED, NULL},
    {"linux.resources.network.priorities[].name", HONOURED, NULL},
    {"linux.resources.network.priorities[].priority", HONOURED, NULL},
    {"linux.resources.rdma{}.hcaHandles", HONOURED, NULL},
    {"linux.resources.rdma{}.hcaObjects", HONOURED, NULL},
    {"linux.resources.unified", HONOURED, NULL},
    {"linux.intelRdt", REFUSED, "{\"closID\":\"x\"}"},
    {"linux.memoryPolicy.mode", HONOURED, NULL},
    {"linux.memoryPolicy.nodes", HONOURED, NULL},
    {"linux.memoryPolicy.flags", HONOURED, NULL},
    {"linux.sysctl", HONOURED, NULL},
    {"linux.seccomp.defaultAction", HONOURED, NULL},
    {"linux.seccomp.defaultErrnoRet", HONOURED, NULL},
    {"linux.seccomp.architectures", HONOURED, NULL},
    {"linux.seccomp.flags", HONOURED, NULL},
    {"linux.seccomp.listenerPath", HONOURED, NULL},
    {"linux.seccomp.listenerMetadata", HONOURED, NULL},
    {"linux.seccomp.syscalls[].names", HONOURED, NULL},
    {"linux.seccomp.syscalls[].action", HONOURED, NULL},
    {"linux.seccomp.syscalls[].errnoRet", HONOURED, NULL},
    {"linux.seccomp.syscalls[].args[].index", HONOURED, NULL},
    {"linux.seccomp.syscalls[].args[].value", HONOURED, NULL},
    {"linux.seccomp.syscalls[].args[].valueTwo", HONOURED, NULL},
    {"linux.seccomp.syscalls[].args[].op", HONOURED, NULL},
    {"linux.rootfsPropagation", HONOURED, NULL},
    {"linux.maskedPaths", HONOURED, NULL},
    {"linux.readonlyPaths", HONOURED, NULL},
    {"linux.mountLabel", HONOURED, NULL},
    {"linux.personality.domain", HONOURED, NULL},
    {"linux.personality.flags", REFUSED, "[\"X\"]"},
    {"solaris", REFUSED, "{\"milestone\":\"x\"}"},
    {"windows", REFUSED, "{\"layerFolders\":[]}"},
    {"vm", REFUSED, "{\"kernel\":{}}"},
    {"zos", REFUSED, "{\"namespaces\":[]}"},
    {"freebsd", REFUSED, "{\"devices\":[]}"},
};

/* --- the tables hold just these --------------------------------------------------------------- */

struct seen {
    bool hit[ARRAY_LEN(known)];
    size_t n;
};

static void leaf(const char *path, struct seen *s) {
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i].path, path) == 0) {
            s->hit[i] = true;
            s->n++;
            return;
        }
    fail_msg("the tables have '%s', which nobody has judged", path);
}

static void walk(const struct fields *t, const char *prefix, struct seen *s) {
    for (size_t i = 0; i < t->n; i++) {
        const struct field *f = &t->rows[i];
        const char *mark = f->kind == F_ARRAY ? "[]" : f->kind == F_OBJMAP ? "{}" : "";
        CLEAN_FREE char *path = mem_printf("%s%s%s%s", prefix, prefix[0] ? "." : "", f->name,
                                           f->sub ? mark : "");
        if (f->sub)
            walk(f->sub, path, s);
        else
            leaf(path, s);
    }
}

TEST(every_field_is_judged) {
    struct seen s = {0};
    walk(&oci_config_fields, "", &s);
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!s.hit[i])
            fail_msg("the specification's '%s' is in no table", known[i].path);
    assert_int_equal(s.n, ARRAY_LEN(known));
}

/* --- what is refused is named ------------------------------------------------------------------
 */

/* {"a":{"b":[{"c":value}]}} for "a.b[].c". */
static void nest(struct buf *out, struct str path, const char *value) {
    struct str head, tail;
    bool more = str_cut(path, '.', &head, &tail);
    bool array = head.len > 2 && head.p[head.len - 1] == ']';
    buf_addf(out, "\"%.*s\":%s", (int)(head.len - (array ? 2 : 0)), head.p, array ? "[" : "");
    if (more) {
        buf_addc(out, '{');
        nest(out, tail, value);
        buf_addc(out, '}');
    } else {
        buf_adds(out, value);
    }
    if (array)
        buf_addc(out, ']');
}

static struct err check_with(const struct known *k) {
    CLEAN_BUF struct buf process = {0}, linux_ = {0}, top = {0}, text = {0};
    struct str path = str_of(k->path);
    struct buf *where = str_starts(path, STR("process.")) ? &process
                        : str_starts(path, STR("linux.")) ? &linux_
                                                          : &top;
    buf_addc(where, ',');
    nest(where,
         where == &process  ? str_from(path, 8)
         : where == &linux_ ? str_from(path, 6)
                            : path,
         k->value);
    if (strcmp(k->path, "linux.personality.flags") == 0) {
        buf_clear(&linux_);
        buf_adds(&linux_, ",\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}");
    }
    buf_addf(&text,
             "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"/r\"},\"process\":{\"args\":[\"x\"],"
             "\"cwd\":\"/\"%s},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]%s}%s}",
             buf_cstr(&process), buf_cstr(&linux_), buf_cstr(&top));
    CLEAN_ARENA struct arena a = {0};
    struct oci_config c;
    TRY(fields_decode_strict(&oci_config_fields, buf_str(&text), &a, &c));
    return oci_config_check(&c);
}

TEST(what_is_refused_is_named) {
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].verdict != REFUSED)
            continue;
        struct err e = check_with(&known[i]);
        const char *dot = strrchr(known[i].path, '.');
        const char *name = dot ? dot + 1 : known[i].path;
        if (err_kind(e) != ERR_UNSUPPORTED || !strstr(err_msg(e), name))
            fail_msg("'%s': %s: %s", known[i].path, err_kind_name(err_kind(e)), err_msg(e));
        err_free(e);
    }
}
