#include "spec/api_system.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_error, member, name, kind, ##__VA_ARGS__)
FIELDS(api_error_fields, struct api_error,
       F(message, "message", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_platform_name, member, name, kind, ##__VA_ARGS__)
FIELDS(api_platform_name_fields, struct api_platform_name,
       F(name, "Name", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_component, member, name, kind, ##__VA_ARGS__)
FIELDS(api_component_fields, struct api_component,
       F(name, "Name", F_STR),
       F(version, "Version", F_STR),
       F(details, "Details", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_version, member, name, kind, ##__VA_ARGS__)
FIELDS(api_version_fields, struct api_version,
       F(platform, "Platform", F_OBJ, .sub = &api_platform_name_fields),
       F(components, "Components", F_ARRAY, .flags = OMIT_EMPTY, .sub = &api_component_fields),
       F(version, "Version", F_STR),
       F(api_version, "ApiVersion", F_STR),
       F(min_api_version, "MinAPIVersion", F_STR, .flags = OMIT_EMPTY),
       F(git_commit, "GitCommit", F_STR),
       F(go_version, "GoVersion", F_STR),
       F(os, "Os", F_STR),
       F(arch, "Arch", F_STR),
       F(kernel_version, "KernelVersion", F_STR, .flags = OMIT_EMPTY),
       F(experimental, "Experimental", F_BOOL, .flags = OMIT_EMPTY),
       F(build_time, "BuildTime", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_plugins, member, name, kind, ##__VA_ARGS__)
FIELDS(api_plugins_fields, struct api_plugins,
       F(volume, "Volume", F_STRS, .flags = F_NULLABLE),
       F(network, "Network", F_STRS, .flags = F_NULLABLE),
       F(authorization, "Authorization", F_STRS, .flags = F_NULLABLE),
       F(log, "Log", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_commit_id, member, name, kind, ##__VA_ARGS__)
FIELDS(api_commit_id_fields, struct api_commit_id,
       F(id, "ID", F_STR),
       F(expected, "Expected", F_STR, UNTIL(48)));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_address_pool, member, name, kind, ##__VA_ARGS__)
FIELDS(api_address_pool_fields, struct api_address_pool,
       F(base, "Base", F_STR),
       F(size, "Size", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_firewall, member, name, kind, ##__VA_ARGS__)
FIELDS(api_firewall_fields, struct api_firewall,
       F(driver, "Driver", F_STR),
       F(info, "Info", F_STRSS, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_index_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_index_config_fields, struct api_index_config,
       F(name, "Name", F_STR),
       F(mirrors, "Mirrors", F_STRS),
       F(secure, "Secure", F_BOOL),
       F(official, "Official", F_BOOL));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_registry_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_registry_config_fields, struct api_registry_config,
       F(nondistributable_cidrs, "AllowNondistributableArtifactsCIDRs", F_STRS, .flags = F_NULLABLE, UNTIL(46)),
       F(nondistributable_hosts, "AllowNondistributableArtifactsHostnames", F_STRS, .flags = F_NULLABLE, UNTIL(46)),
       F(insecure_cidrs, "InsecureRegistryCIDRs", F_STRS),
       F(index_configs, "IndexConfigs", F_OBJMAP, .sub = &api_index_config_fields),
       F(mirrors, "Mirrors", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_runtime, member, name, kind, ##__VA_ARGS__)
FIELDS(api_runtime_fields, struct api_runtime,
       F(path, "path", F_STR, .flags = OMIT_EMPTY),
       F(args, "runtimeArgs", F_STRS, .flags = OMIT_EMPTY),
       F(type, "runtimeType", F_STR, .flags = OMIT_EMPTY),
       F(status, "status", F_STRMAP, .flags = OMIT_EMPTY, SINCE(44)));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_device_info, member, name, kind, ##__VA_ARGS__)
FIELDS(api_device_info_fields, struct api_device_info,
       F(source, "Source", F_STR),
       F(id, "ID", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_swarm_info, member, name, kind, ##__VA_ARGS__)
FIELDS(api_swarm_info_fields, struct api_swarm_info,
       F(node_id, "NodeID", F_STR),
       F(node_addr, "NodeAddr", F_STR),
       F(local_node_state, "LocalNodeState", F_STR),
       F(control_available, "ControlAvailable", F_BOOL),
       F(error, "Error", F_STR),
       F(remote_managers, "RemoteManagers", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_info, member, name, kind, ##__VA_ARGS__)
FIELDS(api_info_fields, struct api_info,
       F(id, "ID", F_STR),
       F(containers, "Containers", F_I64),
       F(containers_running, "ContainersRunning", F_I64),
       F(containers_paused, "ContainersPaused", F_I64),
       F(containers_stopped, "ContainersStopped", F_I64),
       F(images, "Images", F_I64),
       F(driver, "Driver", F_STR),
       F(driver_status, "DriverStatus", F_STRSS, .flags = F_NULLABLE),
       F(plugins, "Plugins", F_OBJ, .sub = &api_plugins_fields),
       F(memory_limit, "MemoryLimit", F_BOOL),
       F(swap_limit, "SwapLimit", F_BOOL),
       F(kernel_memory_tcp, "KernelMemoryTCP", F_BOOL, .flags = OMIT_EMPTY),
       F(cpu_cfs_period, "CpuCfsPeriod", F_BOOL),
       F(cpu_cfs_quota, "CpuCfsQuota", F_BOOL),
       F(cpu_shares, "CPUShares", F_BOOL),
       F(cpu_set, "CPUSet", F_BOOL),
       F(pids_limit, "PidsLimit", F_BOOL),
       F(ipv4_forwarding, "IPv4Forwarding", F_BOOL),
       F(bridge_nf_iptables, "BridgeNfIptables", F_BOOL, UNTIL(49)),
       F(bridge_nf_ip6tables, "BridgeNfIp6tables", F_BOOL, UNTIL(49)),
       F(debug, "Debug", F_BOOL),
       F(n_fd, "NFd", F_I64),
       F(oom_kill_disable, "OomKillDisable", F_BOOL),
       F(n_goroutines, "NGoroutines", F_I64),
       F(system_time, "SystemTime", F_TIME),
       F(logging_driver, "LoggingDriver", F_STR),
       F(cgroup_driver, "CgroupDriver", F_STR),
       F(cgroup_version, "CgroupVersion", F_STR, .flags = OMIT_EMPTY),
       F(n_events_listener, "NEventsListener", F_I64),
       F(kernel_version, "KernelVersion", F_STR),
       F(operating_system, "OperatingSystem", F_STR),
       F(os_version, "OSVersion", F_STR),
       F(os_type, "OSType", F_STR),
       F(architecture, "Architecture", F_STR),
       F(index_server_address, "IndexServerAddress", F_STR),
       F(registry_config, "RegistryConfig", F_OBJ, .sub = &api_registry_config_fields),
       F(n_cpu, "NCPU", F_I64),
       F(mem_total, "MemTotal", F_I64),
       F(generic_resources, "GenericResources", F_STRS, .flags = F_NULLABLE),
       F(docker_root_dir, "DockerRootDir", F_STR),
       F(http_proxy, "HttpProxy", F_STR),
       F(https_proxy, "HttpsProxy", F_STR),
       F(no_proxy, "NoProxy", F_STR),
       F(name, "Name", F_STR),
       F(labels, "Labels", F_STRS, .flags = F_NULLABLE),
       F(experimental_build, "ExperimentalBuild", F_BOOL),
       F(server_version, "ServerVersion", F_STR),
       F(runtimes, "Runtimes", F_OBJMAP, .sub = &api_runtime_fields),
       F(default_runtime, "DefaultRuntime", F_STR),
       F(swarm, "Swarm", F_OBJ, .sub = &api_swarm_info_fields),
       F(live_restore_enabled, "LiveRestoreEnabled", F_BOOL),
       F(isolation, "Isolation", F_STR),
       F(init_binary, "InitBinary", F_STR),
       F(containerd_commit, "ContainerdCommit", F_OBJ, .sub = &api_commit_id_fields),
       F(runc_commit, "RuncCommit", F_OBJ, .sub = &api_commit_id_fields),
       F(init_commit, "InitCommit", F_OBJ, .sub = &api_commit_id_fields),
       F(security_options, "SecurityOptions", F_STRS, .flags = F_NULLABLE),
       F(product_license, "ProductLicense", F_STR, .flags = OMIT_EMPTY),
       F(default_address_pools, "DefaultAddressPools", F_ARRAY, .flags = OMIT_EMPTY, .sub = &api_address_pool_fields),
       F(firewall_backend, "FirewallBackend", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_firewall_fields, SINCE(49)),
       F(cdi_spec_dirs, "CDISpecDirs", F_STRS),
       F(discovered_devices, "DiscoveredDevices", F_ARRAY, .flags = OMIT_EMPTY, .sub = &api_device_info_fields, SINCE(50)),
       F(warnings, "Warnings", F_STRS, .flags = F_NULLABLE));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_actor, member, name, kind, ##__VA_ARGS__)
FIELDS(api_actor_fields, struct api_actor,
       F(id, "ID", F_STR),
       F(attributes, "Attributes", F_STRMAP));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_event, member, name, kind, ##__VA_ARGS__)
FIELDS(api_event_fields, struct api_event,
       F(status, "status", F_STR, .flags = OMIT_EMPTY),
       F(id, "id", F_STR, .flags = OMIT_EMPTY),
       F(from, "from", F_STR, .flags = OMIT_EMPTY),
       F(type, "Type", F_STR),
       F(action, "Action", F_STR),
       F(actor, "Actor", F_OBJ, .sub = &api_actor_fields),
       F(scope, "scope", F_STR, .flags = OMIT_EMPTY),
       F(time, "time", F_I64, .flags = OMIT_EMPTY),
       F(time_nano, "timeNano", F_I64, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_disk_usage, member, name, kind, ##__VA_ARGS__)
FIELDS(api_disk_usage_fields, struct api_disk_usage,
       F(layers_size, "LayersSize", F_I64),
       F(images, "Images", F_ARRAY, .flags = F_NULLABLE, .sub = &api_image_summary_fields),
       F(containers, "Containers", F_ARRAY, .flags = F_NULLABLE, .sub = &api_container_summary_fields),
       F(volumes, "Volumes", F_ARRAY, .flags = F_NULLABLE, .sub = &api_volume_fields),
       F(build_cache, "BuildCache", F_ARRAY, .flags = F_NULLABLE, .sub = &api_build_cache_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_auth, member, name, kind, ##__VA_ARGS__)
FIELDS(api_auth_fields, struct api_auth,
       F(username, "username", F_STR, .flags = OMIT_EMPTY),
       F(password, "password", F_STR, .flags = OMIT_EMPTY),
       F(auth, "auth", F_STR, .flags = OMIT_EMPTY),
       F(email, "email", F_STR, .flags = OMIT_EMPTY),
       F(server_address, "serveraddress", F_STR, .flags = OMIT_EMPTY),
       F(identity_token, "identitytoken", F_STR, .flags = OMIT_EMPTY),
       F(registry_token, "registrytoken", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_auth_status, member, name, kind, ##__VA_ARGS__)
FIELDS(api_auth_status_fields, struct api_auth_status,
       F(identity_token, "IdentityToken", F_STR),
       F(status, "Status", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_distribution, member, name, kind, ##__VA_ARGS__)
FIELDS(api_distribution_fields, struct api_distribution,
       F(descriptor, "Descriptor", F_OBJ, .sub = &oci_descriptor_fields),
       F(platforms, "Platforms", F_ARRAY, .flags = F_NULLABLE, .sub = &oci_platform_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_referrers, member, name, kind, ##__VA_ARGS__)
FIELDS(api_referrers_fields, struct api_referrers,
       F(subject, "Subject", F_STR),
       F(listed, "Listed", F_BOOL),
       F(referrers, "Referrers", F_ARRAY, .sub = &oci_descriptor_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_manifest, member, name, kind, ##__VA_ARGS__)
FIELDS(api_manifest_fields, struct api_manifest,
       F(descriptor, "Descriptor", F_OBJ, .sub = &oci_descriptor_fields),
       F(text, "Text", F_STR, .flags = F_REQUIRED));
#undef F
