#include "spec/runtime_config.h"

FIELDS(oci_box_fields, struct oci_box, FIELD(struct oci_box, height, "height", F_U32),
       FIELD(struct oci_box, width, "width", F_U32));

FIELDS(oci_user_fields, struct oci_user, FIELD(struct oci_user, uid, "uid", F_U32),
       FIELD(struct oci_user, gid, "gid", F_U32),
       FIELD(struct oci_user, umask, "umask", F_I64PTR, .flags = OMIT_EMPTY),
       FIELD(struct oci_user, additional_gids, "additionalGids", F_RAW, .flags = OMIT_EMPTY),
       FIELD(struct oci_user, username, "username", F_STR, .flags = OMIT_EMPTY));

#define CAPS(member) FIELD(struct oci_capabilities, member, #member, F_STRS, .flags = OMIT_EMPTY)
FIELDS(oci_capabilities_fields, struct oci_capabilities, CAPS(bounding), CAPS(effective),
       CAPS(inheritable), CAPS(permitted), CAPS(ambient));

FIELDS(oci_rlimit_fields, struct oci_rlimit, FIELD(struct oci_rlimit, type, "type", F_STR),
       FIELD(struct oci_rlimit, hard, "hard", F_U64),
       FIELD(struct oci_rlimit, soft, "soft", F_U64));

#define SCHEDULER(member, name, kind) \
    FIELD(struct oci_scheduler, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_scheduler_fields, struct oci_scheduler,
       FIELD(struct oci_scheduler, policy, "policy", F_STR, .flags = F_REQUIRED),
       SCHEDULER(nice, "nice", F_I32), SCHEDULER(priority, "priority", F_I32),
       SCHEDULER(flags, "flags", F_STRS), SCHEDULER(runtime, "runtime", F_U64),
       SCHEDULER(deadline, "deadline", F_U64), SCHEDULER(period, "period", F_U64));
FIELDS(oci_io_priority_fields, struct oci_io_priority,
       FIELD(struct oci_io_priority, class, "class", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_io_priority, priority, "priority", F_I32));
FIELDS(oci_cpu_affinity_fields, struct oci_cpu_affinity,
       FIELD(struct oci_cpu_affinity, initial, "initial", F_STR, .flags = OMIT_EMPTY),
       FIELD(struct oci_cpu_affinity, final, "final", F_STR, .flags = OMIT_EMPTY));

#define PROCESS(member, name, kind, ...) \
    FIELD(struct oci_process, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_process_fields, struct oci_process, PROCESS(terminal, "terminal", F_BOOL),
       PROCESS(console_size, "consoleSize", F_OBJPTR, .sub = &oci_box_fields),
       FIELD(struct oci_process, user, "user", F_OBJ, .sub = &oci_user_fields),
       PROCESS(args, "args", F_STRS), PROCESS(env, "env", F_STRS), PROCESS(cwd, "cwd", F_STR),
       PROCESS(capabilities, "capabilities", F_OBJPTR, .sub = &oci_capabilities_fields),
       PROCESS(rlimits, "rlimits", F_ARRAY, .sub = &oci_rlimit_fields),
       PROCESS(no_new_privileges, "noNewPrivileges", F_BOOL),
       PROCESS(oom_score_adj, "oomScoreAdj", F_I64PTR),
       PROCESS(apparmor_profile, "apparmorProfile", F_STR),
       PROCESS(selinux_label, "selinuxLabel", F_STR),
       PROCESS(scheduler, "scheduler", F_OBJPTR, .sub = &oci_scheduler_fields),
       PROCESS(io_priority, "ioPriority", F_OBJPTR, .sub = &oci_io_priority_fields),
       PROCESS(exec_cpu_affinity, "execCPUAffinity", F_OBJPTR, .sub = &oci_cpu_affinity_fields),
       PROCESS(refused_command_line, "commandLine", F_RAW));

FIELDS(oci_root_fields, struct oci_root, FIELD(struct oci_root, path, "path", F_STR),
       FIELD(struct oci_root, readonly, "readonly", F_BOOL, .flags = OMIT_EMPTY));

FIELDS(oci_id_mapping_fields, struct oci_id_mapping,
       FIELD(struct oci_id_mapping, container_id, "containerID", F_U32),
       FIELD(struct oci_id_mapping, host_id, "hostID", F_U32),
       FIELD(struct oci_id_mapping, size, "size", F_U32));

#define MOUNT(member, name, kind, ...) \
    FIELD(struct oci_mount, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_mount_fields, struct oci_mount,
       FIELD(struct oci_mount, destination, "destination", F_STR, .flags = F_REQUIRED),
       MOUNT(type, "type", F_STR), MOUNT(source, "source", F_STR),
       MOUNT(options, "options", F_STRS),
       MOUNT(uid_mappings, "uidMappings", F_ARRAY, .sub = &oci_id_mapping_fields),
       MOUNT(gid_mappings, "gidMappings", F_ARRAY, .sub = &oci_id_mapping_fields));

FIELDS(oci_namespace_fields, struct oci_namespace,
       FIELD(struct oci_namespace, type, "type", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_namespace, path, "path", F_STR, .flags = OMIT_EMPTY));

FIELDS(oci_device_fields, struct oci_device,
       FIELD(struct oci_device, path, "path", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_device, type, "type", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_device, major, "major", F_I64),
       FIELD(struct oci_device, minor, "minor", F_I64),
       FIELD(struct oci_device, file_mode, "fileMode", F_I64PTR, .flags = OMIT_EMPTY),
       FIELD(struct oci_device, uid, "uid", F_U32), FIELD(struct oci_device, gid, "gid", F_U32));

#define DEVICE(member, name, kind) \
    FIELD(struct oci_device_rule, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_device_rule_fields, struct oci_device_rule,
       FIELD(struct oci_device_rule, allow, "allow", F_BOOL), DEVICE(type, "type", F_STR),
       DEVICE(major, "major", F_I64PTR), DEVICE(minor, "minor", F_I64PTR),
       DEVICE(access, "access", F_STR));

#define MEMORY(member, name, kind) FIELD(struct oci_memory, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_memory_fields, struct oci_memory, MEMORY(limit, "limit", F_I64PTR),
       MEMORY(reservation, "reservation", F_I64PTR), MEMORY(swap, "swap", F_I64PTR),
       MEMORY(swappiness, "swappiness", F_I64PTR), MEMORY(kernel, "kernel", F_I64PTR),
       MEMORY(kernel_tcp, "kernelTCP", F_I64PTR),
       MEMORY(disable_oom_killer, "disableOOMKiller", F_BOOLPTR),
       MEMORY(use_hierarchy, "useHierarchy", F_BOOLPTR),
       MEMORY(check_before_update, "checkBeforeUpdate", F_BOOLPTR));

#define CPU(member, name, kind) FIELD(struct oci_cpu, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_cpu_fields, struct oci_cpu, CPU(shares, "shares", F_I64PTR),
       CPU(quota, "quota", F_I64PTR), CPU(burst, "burst", F_I64PTR),
       CPU(period, "period", F_I64PTR), CPU(idle, "idle", F_I64PTR), CPU(cpus, "cpus", F_STR),
       CPU(mems, "mems", F_STR), CPU(realtime_runtime, "realtimeRuntime", F_I64PTR),
       CPU(realtime_period, "realtimePeriod", F_I64PTR));

FIELDS(oci_pids_fields, struct oci_pids,
       FIELD(struct oci_pids, limit, "limit", F_I64PTR, .flags = OMIT_EMPTY));

FIELDS(oci_throttle_fields, struct oci_throttle, FIELD(struct oci_throttle, major, "major", F_I64),
       FIELD(struct oci_throttle, minor, "minor", F_I64),
       FIELD(struct oci_throttle, rate, "rate", F_U64));

FIELDS(oci_weight_device_fields, struct oci_weight_device,
       FIELD(struct oci_weight_device, major, "major", F_I64),
       FIELD(struct oci_weight_device, minor, "minor", F_I64),
       FIELD(struct oci_weight_device, weight, "weight", F_I64PTR, .flags = OMIT_EMPTY),
       FIELD(struct oci_weight_device, leaf_weight, "leafWeight", F_I64PTR, .flags = OMIT_EMPTY));

#define BLOCK(member, name, kind, ...) \
    FIELD(struct oci_block_io, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_block_io_fields, struct oci_block_io, BLOCK(weight, "weight", F_I64PTR),
       BLOCK(leaf_weight, "leafWeight", F_I64PTR),
       BLOCK(weight_device, "weightDevice", F_ARRAY, .sub = &oci_weight_device_fields),
       BLOCK(throttle_read_bps, "throttleReadBpsDevice", F_ARRAY, .sub = &oci_throttle_fields),
       BLOCK(throttle_write_bps, "throttleWriteBpsDevice", F_ARRAY, .sub = &oci_throttle_fields),
       BLOCK(throttle_read_iops, "throttleReadIOPSDevice", F_ARRAY, .sub = &oci_throttle_fields),
       BLOCK(throttle_write_iops, "throttleWriteIOPSDevice", F_ARRAY, .sub = &oci_throttle_fields));

FIELDS(oci_hugepage_limit_fields, struct oci_hugepage_limit,
       FIELD(struct oci_hugepage_limit, page_size, "pageSize", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_hugepage_limit, limit, "limit", F_U64));
FIELDS(oci_priority_fields, struct oci_priority,
       FIELD(struct oci_priority, name, "name", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_priority, priority, "priority", F_U32));
FIELDS(oci_network_fields, struct oci_network,
       FIELD(struct oci_network, class_id, "classID", F_I64PTR, .flags = OMIT_EMPTY),
       FIELD(struct oci_network, priorities, "priorities", F_ARRAY, .flags = OMIT_EMPTY,
             .sub = &oci_priority_fields));
FIELDS(oci_rdma_fields, struct oci_rdma,
       FIELD(struct oci_rdma, handles, "hcaHandles", F_I64PTR, .flags = OMIT_EMPTY),
       FIELD(struct oci_rdma, objects, "hcaObjects", F_I64PTR, .flags = OMIT_EMPTY));

#define RESOURCE(member, name, kind, ...) \
    FIELD(struct oci_resources, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_resources_fields, struct oci_resources,
       RESOURCE(devices, "devices", F_ARRAY, .sub = &oci_device_rule_fields),
       RESOURCE(memory, "memory", F_OBJPTR, .sub = &oci_memory_fields),
       RESOURCE(cpu, "cpu", F_OBJPTR, .sub = &oci_cpu_fields),
       RESOURCE(pids, "pids", F_OBJPTR, .sub = &oci_pids_fields),
       RESOURCE(block_io, "blockIO", F_OBJPTR, .sub = &oci_block_io_fields),
       RESOURCE(unified, "unified", F_STRMAP),
       RESOURCE(hugepage_limits, "hugepageLimits", F_ARRAY, .sub = &oci_hugepage_limit_fields),
       RESOURCE(network, "network", F_OBJPTR, .sub = &oci_network_fields),
       RESOURCE(rdma, "rdma", F_OBJMAP, .sub = &oci_rdma_fields));

FIELDS(oci_seccomp_arg_fields, struct oci_seccomp_arg,
       FIELD(struct oci_seccomp_arg, index, "index", F_U32),
       FIELD(struct oci_seccomp_arg, value, "value", F_U64),
       FIELD(struct oci_seccomp_arg, value_two, "valueTwo", F_U64, .flags = OMIT_EMPTY),
       FIELD(struct oci_seccomp_arg, op, "op", F_STR, .flags = F_REQUIRED));

#define RULE(member, name, kind, ...) \
    FIELD(struct oci_seccomp_rule, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_seccomp_rule_fields, struct oci_seccomp_rule, RULE(names, "names", F_STRS),
       RULE(action, "action", F_STR), RULE(errno_ret, "errnoRet", F_I64PTR),
       RULE(args, "args", F_ARRAY, .sub = &oci_seccomp_arg_fields));

#define SECCOMP(member, name, kind, ...) \
    FIELD(struct oci_seccomp, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_seccomp_fields, struct oci_seccomp,
       FIELD(struct oci_seccomp, default_action, "defaultAction", F_STR, .flags = F_REQUIRED),
       SECCOMP(default_errno_ret, "defaultErrnoRet", F_I64PTR),
       SECCOMP(architectures, "architectures", F_STRS), SECCOMP(flags, "flags", F_STRS),
       SECCOMP(syscalls, "syscalls", F_ARRAY, .sub = &oci_seccomp_rule_fields),
       SECCOMP(listener_path, "listenerPath", F_STR),
       SECCOMP(listener_metadata, "listenerMetadata", F_STR));

FIELDS(oci_time_offset_fields, struct oci_time_offset,
       FIELD(struct oci_time_offset, secs, "secs", F_I64, .flags = OMIT_EMPTY),
       FIELD(struct oci_time_offset, nanosecs, "nanosecs", F_U32, .flags = OMIT_EMPTY));
FIELDS(oci_personality_fields, struct oci_personality,
       FIELD(struct oci_personality, domain, "domain", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_personality, flags, "flags", F_STRS, .flags = OMIT_EMPTY));
FIELDS(oci_net_device_fields, struct oci_net_device,
       FIELD(struct oci_net_device, name, "name", F_STR, .flags = OMIT_EMPTY));

FIELDS(oci_memory_policy_fields, struct oci_memory_policy,
       FIELD(struct oci_memory_policy, mode, "mode", F_STR, .flags = F_REQUIRED),
       FIELD(struct oci_memory_policy, nodes, "nodes", F_STR, .flags = OMIT_EMPTY),
       FIELD(struct oci_memory_policy, flags, "flags", F_STRS, .flags = OMIT_EMPTY));

#define LINUX(member, name, kind, ...) \
    FIELD(struct oci_linux, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_linux_fields, struct oci_linux, LINUX(sysctl, "sysctl", F_STRMAP),
       LINUX(resources, "resources", F_OBJPTR, .sub = &oci_resources_fields),
       LINUX(cgroups_path, "cgroupsPath", F_STR),
       LINUX(namespaces, "namespaces", F_ARRAY, .sub = &oci_namespace_fields),
       LINUX(devices, "devices", F_ARRAY, .sub = &oci_device_fields),
       LINUX(seccomp, "seccomp", F_OBJPTR, .sub = &oci_seccomp_fields),
       LINUX(rootfs_propagation, "rootfsPropagation", F_STR),
       LINUX(masked_paths, "maskedPaths", F_STRS), LINUX(readonly_paths, "readonlyPaths", F_STRS),
       LINUX(mount_label, "mountLabel", F_STR),
       LINUX(uid_mappings, "uidMappings", F_ARRAY, .sub = &oci_id_mapping_fields),
       LINUX(gid_mappings, "gidMappings", F_ARRAY, .sub = &oci_id_mapping_fields),
       LINUX(time_offsets, "timeOffsets", F_OBJMAP, .sub = &oci_time_offset_fields),
       LINUX(personality, "personality", F_OBJPTR, .sub = &oci_personality_fields),
       LINUX(net_devices, "netDevices", F_OBJMAP, .sub = &oci_net_device_fields),
       LINUX(refused_intel_rdt, "intelRdt", F_RAW),
       LINUX(memory_policy, "memoryPolicy", F_OBJPTR, .sub = &oci_memory_policy_fields));

#define HOOK(member, name, kind) FIELD(struct oci_hook, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_hook_fields, struct oci_hook,
       FIELD(struct oci_hook, path, "path", F_STR, .flags = F_REQUIRED), HOOK(args, "args", F_STRS),
       HOOK(env, "env", F_STRS), HOOK(timeout, "timeout", F_I64PTR));
#define HOOKS(member, name) \
    FIELD(struct oci_hooks, member, name, F_ARRAY, .flags = OMIT_EMPTY, .sub = &oci_hook_fields)
FIELDS(oci_hooks_fields, struct oci_hooks, HOOKS(prestart, "prestart"),
       HOOKS(create_runtime, "createRuntime"), HOOKS(create_container, "createContainer"),
       HOOKS(start_container, "startContainer"), HOOKS(poststart, "poststart"),
       HOOKS(poststop, "poststop"));

#define CONFIG(member, name, kind, ...) \
    FIELD(struct oci_config, member, name, kind, .flags = OMIT_EMPTY, __VA_ARGS__)
FIELDS(oci_config_fields, struct oci_config,
       FIELD(struct oci_config, oci_version, "ociVersion", F_STR, .flags = F_REQUIRED),
       CONFIG(process, "process", F_OBJPTR, .sub = &oci_process_fields),
       CONFIG(root, "root", F_OBJPTR, .sub = &oci_root_fields), CONFIG(hostname, "hostname", F_STR),
       CONFIG(domainname, "domainname", F_STR),
       CONFIG(mounts, "mounts", F_ARRAY, .sub = &oci_mount_fields),
       CONFIG(linux_, "linux", F_OBJPTR, .sub = &oci_linux_fields),
       CONFIG(annotations, "annotations", F_STRMAP),
       CONFIG(hooks, "hooks", F_OBJPTR, .sub = &oci_hooks_fields),
       CONFIG(refused_solaris, "solaris", F_RAW), CONFIG(refused_windows, "windows", F_RAW),
       CONFIG(refused_vm, "vm", F_RAW), CONFIG(refused_zos, "zos", F_RAW),
       CONFIG(refused_freebsd, "freebsd", F_RAW));
