/* spec/runtime_config.h - the OCI runtime specification 1.2: config.json as structs.
 *
 * Source: opencontainers/runtime-spec v1.2, config.md and config-linux.md; JSON names as there.
 * Decoded strictly (fields_decode_strict): an unknown key is an error that names it, because a
 * runtime that ignores a restriction is worse than one that refuses it. Fields that exist in the
 * specification but are not honoured are kept as raw JSON (the `refused_` members) so that
 * oci_config_check() can refuse them by name.
 *
 * Conventions: pointers are NULL when absent; -1 in a limit means "unlimited" as the specification
 * says. additionalGids is kept as JSON text "[1,2]" and read with oci_gids().
 * Used by container/ (composes it), monitor/ (carries it) and runtime/ (obeys it).
 * Tests: test/unit/runtime/config.c.
 */
#pragma once
#include "spec/fields.h"

/* Bounds of what is taken from a config.json; beyond them it is ERR_INVALID. */
#define OCI_CONFIG_MAX (4u << 20) /* bytes of text */
#define OCI_ARGS_MAX 65536
#define OCI_MOUNTS_MAX 1024
#define OCI_GIDS_MAX 1024
#define OCI_DEVICES_MAX 1024
#define OCI_PATHS_MAX 1024 /* masked, read-only */
#define OCI_SECCOMP_RULES_MAX 4096
#define OCI_ID_MAPPINGS_MAX 340 /* as the kernel: UID_GID_MAP_MAX_EXTENTS */
#define OCI_HOOKS_MAX 256       /* of one kind */
#define OCI_NET_DEVICES_MAX 256
#define OCI_LABEL_MAX 255

struct oci_box {
    uint32_t height, width;
};
struct oci_user {
    uint32_t uid, gid;
    int64_t *umask;             /* NULL: 0022 */
    struct str additional_gids; /* JSON array of u32, see oci_gids() */
    char *username;             /* meaningless on Linux; ignored as the specification says */
};
struct oci_capabilities { /* names "CAP_…" */
    struct strs bounding, effective, inheritable, permitted, ambient;
};
struct oci_rlimit {
    char *type; /* "RLIMIT_…" */
    uint64_t hard, soft;
};
struct oci_scheduler { /* sched_setattr(2) */
    char *policy;      /* "SCHED_…" */
    int32_t nice, priority;
    struct strs flags; /* "SCHED_FLAG_…" */
    uint64_t runtime, deadline, period;
};
struct oci_io_priority { /* ioprio_set(2) */
    char *class;         /* "IOPRIO_CLASS_RT" … */
    int32_t priority;
};
struct oci_cpu_affinity { /* of an exec; lists as "0-3,7" */
    char *initial, *final;
};
struct oci_process {
    bool terminal;
    struct oci_box *console_size;
    struct oci_user user;
    struct strs args, env;
    char *cwd;
    struct oci_capabilities *capabilities; /* NULL: none at all */
    struct objs rlimits;                   /* of struct oci_rlimit */
    bool no_new_privileges;
    int64_t *oom_score_adj;
    char *apparmor_profile;
    char *selinux_label;
    struct oci_scheduler *scheduler;
    struct oci_io_priority *io_priority;
    struct oci_cpu_affinity *exec_cpu_affinity;
    struct str refused_command_line;
};

struct oci_root {
    char *path; /* not used when the caller hands in a detached tree */
    bool readonly;
};
struct oci_id_mapping {
    uint32_t container_id, host_id, size;
};
struct oci_mount {
    char *destination; /* absolute */
    char *type, *source;
    struct strs options;
    struct objs uid_mappings, gid_mappings; /* of struct oci_id_mapping: an idmapped mount */
};
struct oci_namespace {
    char *type; /* pid network mount ipc uts cgroup user time */
    char *path; /* NULL: a new one */
};
struct oci_device {
    char *path, *type; /* "c" "b" "u" "p" */
    int64_t major, minor;
    int64_t *file_mode; /* NULL: 0666 */
    uint32_t uid, gid;
};

struct oci_device_rule {
    bool allow;
    char *type; /* "a" "b" "c"; NULL or "": a */
    int64_t *major, *minor;
    char *access; /* of "rwm"; NULL or "": all */
};
struct oci_memory {
    int64_t *limit, *reservation, *swap, *swappiness;
    int64_t *kernel, *kernel_tcp; /* refused unless 0 or -1: gone from the kernel */
    bool *disable_oom_killer;
    bool *use_hierarchy, *check_before_update;
};
struct oci_cpu {
    int64_t *shares, *quota, *burst, *period, *idle;
    char *cpus, *mems;
    int64_t *realtime_runtime, *realtime_period; /* refused unless 0 */
};
struct oci_pids {
    int64_t *limit;
};
struct oci_throttle {
    int64_t major, minor;
    uint64_t rate;
};
struct oci_weight_device {
    int64_t major, minor;
    int64_t *weight, *leaf_weight;
};
struct oci_block_io {
    int64_t *weight, *leaf_weight;
    struct objs weight_device; /* of struct oci_weight_device */
    struct objs throttle_read_bps, throttle_write_bps, throttle_read_iops,
        throttle_write_iops; /* of struct oci_throttle */
};
struct oci_hugepage_limit {
    char *page_size; /* "2MB" */
    uint64_t limit;
};
struct oci_priority {
    char *name; /* of an interface */
    uint32_t priority;
};
struct oci_network {
    int64_t *class_id;      /* net_cls */
    struct objs priorities; /* of struct oci_priority: net_prio */
};
struct oci_rdma {
    int64_t *handles, *objects;
};
struct oci_resources {
    struct objs devices; /* of struct oci_device_rule */
    struct oci_memory *memory;
    struct oci_cpu *cpu;
    struct oci_pids *pids;
    struct oci_block_io *block_io;
    struct strmap unified;       /* cgroup v2 file → text */
    struct objs hugepage_limits; /* of struct oci_hugepage_limit */
    struct oci_network *network;
    struct objmap rdma; /* device → struct oci_rdma */
};

struct oci_seccomp_arg {
    uint32_t index;
    uint64_t value, value_two;
    char *op; /* "SCMP_CMP_…" */
};
struct oci_seccomp_rule {
    struct strs names;
    char *action; /* "SCMP_ACT_…" */
    int64_t *errno_ret;
    struct objs args; /* of struct oci_seccomp_arg; all must match */
};
struct oci_seccomp {
    char *default_action;
    int64_t *default_errno_ret;
    struct strs architectures, flags;
    struct objs syscalls; /* of struct oci_seccomp_rule */
    char *listener_path;  /* AF_UNIX stream socket that gets the notification descriptor */
    char *listener_metadata;
};

struct oci_time_offset {
    int64_t secs;
    uint32_t nanosecs;
};
struct oci_personality {
    char *domain;      /* "LINUX" "LINUX32" */
    struct strs flags; /* none is defined */
};
struct oci_net_device {
    char *name; /* in the container; NULL: as on the host */
};
struct oci_memory_policy { /* set_mempolicy(2) */
    char *mode;            /* "MPOL_…" */
    char *nodes;           /* "0-3,7" */
    struct strs flags;     /* "MPOL_F_…" */
};
struct oci_linux {
    struct strmap sysctl;
    struct oci_resources *resources;
    char *cgroups_path;     /* "/corten-<instance>/<id>", relative to every hierarchy's root */
    struct objs namespaces; /* of struct oci_namespace */
    struct objs devices;    /* of struct oci_device; beside the defaults */
    struct oci_seccomp *seccomp;
    char *rootfs_propagation; /* "" private slave shared (unbindable) */
    struct strs masked_paths, readonly_paths;
    struct objs uid_mappings, gid_mappings; /* of struct oci_id_mapping */
    struct objmap time_offsets;             /* "monotonic", "boottime" → struct oci_time_offset */
    struct oci_personality *personality;
    struct objmap net_devices; /* name on the host → struct oci_net_device */
    struct oci_memory_policy *memory_policy;
    struct str refused_intel_rdt;
    char *mount_label; /* SELinux: the "context" of the mounts made here */
};

struct oci_hook {
    char *path; /* absolute, in the namespace where the hook runs */
    struct strs args, env;
    int64_t *timeout; /* seconds */
};
struct oci_hooks { /* of struct oci_hook, in the order of a container's life */
    struct objs prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct oci_config {
    char *oci_version; /* "1.x.y" */
    struct oci_process *process;
    struct oci_root *root;
    char *hostname, *domainname;
    struct objs mounts; /* of struct oci_mount, in order */
    struct oci_linux *linux_;
    struct strmap annotations; /* never configure the runtime (security reference, rows 24, 68) */
    struct oci_hooks *hooks;
    struct str refused_solaris, refused_windows, refused_vm, refused_zos, refused_freebsd;
};

extern const struct fields oci_config_fields, oci_process_fields, oci_resources_fields,
    oci_seccomp_fields;

/* Everything that can be judged without touching the system: sizes, absolute paths, NULs, known
 * enumerations, and every field that the runtime does not honour. ERR_INVALID or ERR_UNSUPPORTED
 * naming the field. */
struct err oci_config_check(const struct oci_config *c);
/* The same for the process of an exec, and for the resources of an update. */
struct err oci_process_check(const struct oci_process *p);
struct err oci_resources_check(const struct oci_resources *r);

/* A name that the kernel takes for a network interface. */
bool oci_interface_name(const char *name);

/* The host's id for an id of the container; false: not mapped. No mappings map nothing. */
bool oci_map_id(const struct objs *mappings, uint32_t container_id, uint32_t *ret);

/* The numbers of user.additionalGids. *ret: an array of *ret_n (NULL for none) in the arena. */
struct err oci_gids(const struct oci_user *u, struct arena *a, uint32_t **ret, size_t *ret_n);

/* True when linux.namespaces names this type; *ret_path (may be NULL) gets its path or NULL. */
bool oci_namespace(const struct oci_config *c, const char *type, const char **ret_path);
