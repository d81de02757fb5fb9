#include "spec/api_host.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_blkio_weight, member, name, kind, ##__VA_ARGS__)
FIELDS(api_blkio_weight_fields, struct api_blkio_weight,
       F(path, "Path", F_STR),
       F(weight, "Weight", F_U16));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_blkio_throttle, member, name, kind, ##__VA_ARGS__)
FIELDS(api_blkio_throttle_fields, struct api_blkio_throttle,
       F(path, "Path", F_STR),
       F(rate, "Rate", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_device, member, name, kind, ##__VA_ARGS__)
FIELDS(api_device_fields, struct api_device,
       F(path_on_host, "PathOnHost", F_STR),
       F(path_in_container, "PathInContainer", F_STR),
       F(cgroup_permissions, "CgroupPermissions", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_device_request, member, name, kind, ##__VA_ARGS__)
FIELDS(api_device_request_fields, struct api_device_request,
       F(driver, "Driver", F_STR),
       F(count, "Count", F_I64),
       F(device_ids, "DeviceIDs", F_STRS, .flags = F_NULLABLE),
       F(capabilities, "Capabilities", F_STRSS, .flags = F_NULLABLE),
       F(options, "Options", F_STRMAP, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_ulimit, member, name, kind, ##__VA_ARGS__)
FIELDS(api_ulimit_fields, struct api_ulimit,
       F(name, "Name", F_STR),
       F(hard, "Hard", F_I64),
       F(soft, "Soft", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_restart_policy, member, name, kind, ##__VA_ARGS__)
FIELDS(api_restart_policy_fields, struct api_restart_policy,
       F(name, "Name", F_STR),
       F(maximum_retry_count, "MaximumRetryCount", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_log_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_log_config_fields, struct api_log_config,
       F(type, "Type", F_STR),
       F(config, "Config", F_STRMAP, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_port_binding, member, name, kind, ##__VA_ARGS__)
FIELDS(api_port_binding_fields, struct api_port_binding,
       F(host_ip, "HostIp", F_STR),
       F(host_port, "HostPort", F_STR),
       F(from, "From", F_STRS, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_resources, member, name, kind, ##__VA_ARGS__)
FIELDS(api_resources_fields, struct api_resources,
       F(cpu_shares, "CpuShares", F_I64),
       F(memory, "Memory", F_I64),
       F(nano_cpus, "NanoCpus", F_I64),
       F(cgroup_parent, "CgroupParent", F_STR),
       F(blkio_weight, "BlkioWeight", F_U16),
       F(blkio_weight_device, "BlkioWeightDevice", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_weight_fields),
       F(blkio_device_read_bps, "BlkioDeviceReadBps", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_throttle_fields),
       F(blkio_device_write_bps, "BlkioDeviceWriteBps", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_throttle_fields),
       F(blkio_device_read_iops, "BlkioDeviceReadIOps", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_throttle_fields),
       F(blkio_device_write_iops, "BlkioDeviceWriteIOps", F_ARRAY, .flags = F_NULLABLE, .sub = &api_blkio_throttle_fields),
       F(cpu_period, "CpuPeriod", F_I64),
       F(cpu_quota, "CpuQuota", F_I64),
       F(cpu_realtime_period, "CpuRealtimePeriod", F_I64),
       F(cpu_realtime_runtime, "CpuRealtimeRuntime", F_I64),
       F(cpuset_cpus, "CpusetCpus", F_STR),
       F(cpuset_mems, "CpusetMems", F_STR),
       F(devices, "Devices", F_ARRAY, .flags = F_NULLABLE, .sub = &api_device_fields),
       F(device_cgroup_rules, "DeviceCgroupRules", F_STRS, .flags = F_NULLABLE),
       F(device_requests, "DeviceRequests", F_ARRAY, .flags = F_NULLABLE, .sub = &api_device_request_fields),
       F(kernel_memory, "KernelMemory", F_I64, .flags = OMIT_EMPTY),
       F(kernel_memory_tcp, "KernelMemoryTCP", F_I64, .flags = OMIT_EMPTY),
       F(memory_reservation, "MemoryReservation", F_I64),
       F(memory_swap, "MemorySwap", F_I64),
       F(memory_swappiness, "MemorySwappiness", F_I64PTR),
       F(oom_kill_disable, "OomKillDisable", F_BOOLPTR),
       F(pids_limit, "PidsLimit", F_I64PTR),
       F(ulimits, "Ulimits", F_ARRAY, .flags = F_NULLABLE, .sub = &api_ulimit_fields),
       F(cpu_count, "CpuCount", F_I64),
       F(cpu_percent, "CpuPercent", F_I64),
       F(io_maximum_iops, "IOMaximumIOps", F_U64),
       F(io_maximum_bandwidth, "IOMaximumBandwidth", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_bind_options, member, name, kind, ##__VA_ARGS__)
FIELDS(api_bind_options_fields, struct api_bind_options,
       F(propagation, "Propagation", F_STR, .flags = OMIT_EMPTY),
       F(non_recursive, "NonRecursive", F_BOOL, .flags = OMIT_EMPTY),
       F(create_mountpoint, "CreateMountpoint", F_BOOL, .flags = OMIT_EMPTY),
       F(read_only_non_recursive, "ReadOnlyNonRecursive", F_BOOL, .flags = OMIT_EMPTY),
       F(read_only_force_recursive, "ReadOnlyForceRecursive", F_BOOL, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_driver_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_driver_config_fields, struct api_driver_config,
       F(name, "Name", F_STR, .flags = OMIT_EMPTY),
       F(options, "Options", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_volume_options, member, name, kind, ##__VA_ARGS__)
FIELDS(api_volume_options_fields, struct api_volume_options,
       F(no_copy, "NoCopy", F_BOOL, .flags = OMIT_EMPTY),
       F(labels, "Labels", F_STRMAP, .flags = OMIT_EMPTY),
       F(subpath, "Subpath", F_STR, .flags = OMIT_EMPTY),
       F(driver_config, "DriverConfig", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_driver_config_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_image_options, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_options_fields, struct api_image_options,
       F(subpath, "Subpath", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_tmpfs_options, member, name, kind, ##__VA_ARGS__)
FIELDS(api_tmpfs_options_fields, struct api_tmpfs_options,
       F(size_bytes, "SizeBytes", F_I64, .flags = OMIT_EMPTY),
       F(mode, "Mode", F_U32, .flags = OMIT_EMPTY),
       F(options, "Options", F_STRSS, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_mount, member, name, kind, ##__VA_ARGS__)
FIELDS(api_mount_fields, struct api_mount,
       F(type, "Type", F_STR, .flags = OMIT_EMPTY),
       F(source, "Source", F_STR, .flags = OMIT_EMPTY),
       F(target, "Target", F_STR, .flags = OMIT_EMPTY),
       F(read_only, "ReadOnly", F_BOOL, .flags = OMIT_EMPTY),
       F(consistency, "Consistency", F_STR, .flags = OMIT_EMPTY),
       F(bind_options, "BindOptions", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_bind_options_fields),
       F(volume_options, "VolumeOptions", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_volume_options_fields),
       F(image_options, "ImageOptions", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_image_options_fields),
       F(tmpfs_options, "TmpfsOptions", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_tmpfs_options_fields),
       F(cluster_options, "ClusterOptions", F_RAW, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_host_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_host_config_fields, struct api_host_config,
       F(binds, "Binds", F_STRS, .flags = F_NULLABLE),
       F(container_id_file, "ContainerIDFile", F_STR),
       F(log_config, "LogConfig", F_OBJ, .sub = &api_log_config_fields),
       F(network_mode, "NetworkMode", F_STR),
       F(port_bindings, "PortBindings", F_ARRMAP, .flags = F_NULLABLE, .sub = &api_port_binding_fields),
       F(restart_policy, "RestartPolicy", F_OBJ, .sub = &api_restart_policy_fields),
       F(auto_remove, "AutoRemove", F_BOOL),
       F(volume_driver, "VolumeDriver", F_STR),
       F(volumes_from, "VolumesFrom", F_STRS, .flags = F_NULLABLE),
       F(console_size, "ConsoleSize", F_PAIR),
       F(annotations, "Annotations", F_STRMAP, .flags = OMIT_EMPTY),
       F(cap_add, "CapAdd", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(cap_drop, "CapDrop", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(cgroupns_mode, "CgroupnsMode", F_STR),
       F(dns, "Dns", F_STRS, .flags = F_NULLABLE),
       F(dns_options, "DnsOptions", F_STRS, .flags = F_NULLABLE),
       F(dns_search, "DnsSearch", F_STRS, .flags = F_NULLABLE),
       F(extra_hosts, "ExtraHosts", F_STRS, .flags = F_NULLABLE),
       F(group_add, "GroupAdd", F_STRS, .flags = F_NULLABLE),
       F(ipc_mode, "IpcMode", F_STR),
       F(cgroup, "Cgroup", F_STR),
       F(links, "Links", F_STRS, .flags = F_NULLABLE),
       F(oom_score_adj, "OomScoreAdj", F_I64),
       F(pid_mode, "PidMode", F_STR),
       F(privileged, "Privileged", F_BOOL),
       F(publish_all_ports, "PublishAllPorts", F_BOOL),
       F(readonly_rootfs, "ReadonlyRootfs", F_BOOL),
       F(security_opt, "SecurityOpt", F_STRS, .flags = F_NULLABLE),
       F(storage_opt, "StorageOpt", F_STRMAP, .flags = OMIT_EMPTY),
       F(tmpfs, "Tmpfs", F_STRMAP, .flags = OMIT_EMPTY),
       F(uts_mode, "UTSMode", F_STR),
       F(userns_mode, "UsernsMode", F_STR),
       F(shm_size, "ShmSize", F_I64),
       F(sysctls, "Sysctls", F_STRMAP, .flags = OMIT_EMPTY),
       F(runtime, "Runtime", F_STR, .flags = OMIT_EMPTY),
       F(isolation, "Isolation", F_STR),
       F(resources, "", F_EMBED, .sub = &api_resources_fields),
       F(mounts, "Mounts", F_ARRAY, .flags = OMIT_EMPTY, .sub = &api_mount_fields),
       F(masked_paths, "MaskedPaths", F_STRS, .flags = F_NULLABLE),
       F(readonly_paths, "ReadonlyPaths", F_STRS, .flags = F_NULLABLE),
       F(init, "Init", F_BOOLPTR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_update, member, name, kind, ##__VA_ARGS__)
FIELDS(api_update_fields, struct api_update,
       F(resources, "", F_EMBED, .sub = &api_resources_fields),
       F(restart_policy, "RestartPolicy", F_OBJ, .sub = &api_restart_policy_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_warnings, member, name, kind, ##__VA_ARGS__)
FIELDS(api_warnings_fields, struct api_warnings,
       F(warnings, "Warnings", F_STRS, .flags = F_NULLABLE));
#undef F
