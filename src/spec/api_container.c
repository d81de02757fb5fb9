#include "spec/api_container.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_container_create, member, name, kind, ##__VA_ARGS__)
FIELDS(api_container_create_fields, struct api_container_create,
       F(config, "", F_EMBED, .sub = &api_config_fields),
       F(host, "HostConfig", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_host_config_fields),
       F(networking, "NetworkingConfig", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_networking_config_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_container_created, member, name, kind, ##__VA_ARGS__)
FIELDS(api_container_created_fields, struct api_container_created,
       F(id, "Id", F_STR),
       F(warnings, "Warnings", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_health_result, member, name, kind, ##__VA_ARGS__)
FIELDS(api_health_result_fields, struct api_health_result,
       F(start, "Start", F_TIME),
       F(end, "End", F_TIME),
       F(exit_code, "ExitCode", F_I64),
       F(output, "Output", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_health, member, name, kind, ##__VA_ARGS__)
FIELDS(api_health_fields, struct api_health,
       F(status, "Status", F_STR),
       F(failing_streak, "FailingStreak", F_I64),
       F(log, "Log", F_ARRAY, .flags = F_NULLABLE, .sub = &api_health_result_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_container_state, member, name, kind, ##__VA_ARGS__)
FIELDS(api_container_state_fields, struct api_container_state,
       F(status, "Status", F_STR),
       F(running, "Running", F_BOOL),
       F(paused, "Paused", F_BOOL),
       F(restarting, "Restarting", F_BOOL),
       F(oom_killed, "OOMKilled", F_BOOL),
       F(dead, "Dead", F_BOOL),
       F(pid, "Pid", F_I64),
       F(exit_code, "ExitCode", F_I64),
       F(error, "Error", F_STR),
       F(started_at, "StartedAt", F_TIME),
       F(finished_at, "FinishedAt", F_TIME),
       F(health, "Health", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_health_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_mount_point, member, name, kind, ##__VA_ARGS__)
FIELDS(api_mount_point_fields, struct api_mount_point,
       F(type, "Type", F_STR, .flags = OMIT_EMPTY),
       F(name, "Name", F_STR, .flags = OMIT_EMPTY),
       F(source, "Source", F_STR),
       F(destination, "Destination", F_STR),
       F(driver, "Driver", F_STR, .flags = OMIT_EMPTY),
       F(mode, "Mode", F_STR),
       F(rw, "RW", F_BOOL),
       F(propagation, "Propagation", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_address, member, name, kind, ##__VA_ARGS__)
FIELDS(api_address_fields, struct api_address,
       F(addr, "Addr", F_STR),
       F(prefix_len, "PrefixLen", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_network_settings, member, name, kind, ##__VA_ARGS__)
FIELDS(api_network_settings_fields, struct api_network_settings,
       F(bridge, "Bridge", F_STR),
       F(sandbox_id, "SandboxID", F_STR),
       F(sandbox_key, "SandboxKey", F_STR),
       F(ports, "Ports", F_ARRMAP, .sub = &api_port_binding_fields),
       F(hairpin_mode, "HairpinMode", F_BOOL),
       F(link_local_ipv6_address, "LinkLocalIPv6Address", F_STR),
       F(link_local_ipv6_prefix_len, "LinkLocalIPv6PrefixLen", F_I64),
       F(secondary_ip_addresses, "SecondaryIPAddresses", F_ARRAY, .flags = F_NULLABLE, .sub = &api_address_fields),
       F(secondary_ipv6_addresses, "SecondaryIPv6Addresses", F_ARRAY, .flags = F_NULLABLE, .sub = &api_address_fields),
       F(endpoint_id, "EndpointID", F_STR),
       F(gateway, "Gateway", F_STR),
       F(global_ipv6_address, "GlobalIPv6Address", F_STR),
       F(global_ipv6_prefix_len, "GlobalIPv6PrefixLen", F_I64),
       F(ip_address, "IPAddress", F_STR),
       F(ip_prefix_len, "IPPrefixLen", F_I64),
       F(ipv6_gateway, "IPv6Gateway", F_STR),
       F(mac_address, "MacAddress", F_STR),
       F(networks, "Networks", F_OBJMAP, .sub = &api_endpoint_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_log_missing, member, name, kind, ##__VA_ARGS__)
FIELDS(api_log_missing_fields, struct api_log_missing,
       F(dropped, "DroppedRecords", F_I64),
       F(removed_files, "RemovedFiles", F_I64),
       F(removed_bytes, "RemovedBytes", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_container, member, name, kind, ##__VA_ARGS__)
FIELDS(api_container_fields, struct api_container,
       F(id, "Id", F_STR),
       F(created, "Created", F_TIME),
       F(path, "Path", F_STR),
       F(args, "Args", F_STRS),
       F(state, "State", F_OBJ, .sub = &api_container_state_fields),
       F(image, "Image", F_STR),
       F(resolv_conf_path, "ResolvConfPath", F_STR),
       F(hostname_path, "HostnamePath", F_STR),
       F(hosts_path, "HostsPath", F_STR),
       F(log_path, "LogPath", F_STR),
       F(log_missing, "LogMissing", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_log_missing_fields),
       F(name, "Name", F_STR),
       F(restart_count, "RestartCount", F_I64),
       F(driver, "Driver", F_STR),
       F(platform, "Platform", F_STR),
       F(mount_label, "MountLabel", F_STR),
       F(process_label, "ProcessLabel", F_STR),
       F(apparmor_profile, "AppArmorProfile", F_STR),
       F(exec_ids, "ExecIDs", F_STRS, .flags = F_NULLABLE),
       F(host, "HostConfig", F_OBJPTR, .sub = &api_host_config_fields),
       F(graph_driver, "GraphDriver", F_OBJ, .sub = &api_graph_driver_fields),
       F(size_rw, "SizeRw", F_I64PTR, .flags = OMIT_EMPTY),
       F(size_root_fs, "SizeRootFs", F_I64PTR, .flags = OMIT_EMPTY),
       F(mounts, "Mounts", F_ARRAY, .sub = &api_mount_point_fields),
       F(config, "Config", F_OBJPTR, .sub = &api_config_fields),
       F(network, "NetworkSettings", F_OBJ, .sub = &api_network_settings_fields),
       F(image_descriptor, "ImageManifestDescriptor", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields, SINCE(48)),
       F(lifecycle, "Lifecycle", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_lifecycle_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_port, member, name, kind, ##__VA_ARGS__)
FIELDS(api_port_fields, struct api_port,
       F(ip, "IP", F_STR, .flags = OMIT_EMPTY),
       F(private_port, "PrivatePort", F_U16),
       F(public_port, "PublicPort", F_U16, .flags = OMIT_EMPTY),
       F(type, "Type", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_summary_host, member, name, kind, ##__VA_ARGS__)
FIELDS(api_summary_host_fields, struct api_summary_host,
       F(network_mode, "NetworkMode", F_STR, .flags = OMIT_EMPTY),
       F(annotations, "Annotations", F_STRMAP, .flags = OMIT_EMPTY, SINCE(46)));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_summary_network, member, name, kind, ##__VA_ARGS__)
FIELDS(api_summary_network_fields, struct api_summary_network,
       F(networks, "Networks", F_OBJMAP, .sub = &api_endpoint_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_container_summary, member, name, kind, ##__VA_ARGS__)
FIELDS(api_container_summary_fields, struct api_container_summary,
       F(id, "Id", F_STR),
       F(names, "Names", F_STRS),
       F(image, "Image", F_STR),
       F(image_id, "ImageID", F_STR),
       F(image_descriptor, "ImageManifestDescriptor", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &oci_descriptor_fields, SINCE(48)),
       F(command, "Command", F_STR),
       F(created, "Created", F_I64),
       F(ports, "Ports", F_ARRAY, .sub = &api_port_fields),
       F(size_rw, "SizeRw", F_I64, .flags = OMIT_EMPTY),
       F(size_root_fs, "SizeRootFs", F_I64, .flags = OMIT_EMPTY),
       F(labels, "Labels", F_STRMAP),
       F(state, "State", F_STR),
       F(status, "Status", F_STR),
       F(host, "HostConfig", F_OBJ, .sub = &api_summary_host_fields),
       F(network, "NetworkSettings", F_OBJ, .sub = &api_summary_network_fields),
       F(mounts, "Mounts", F_ARRAY, .sub = &api_mount_point_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_wait_error, member, name, kind, ##__VA_ARGS__)
FIELDS(api_wait_error_fields, struct api_wait_error,
       F(message, "Message", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_wait, member, name, kind, ##__VA_ARGS__)
FIELDS(api_wait_fields, struct api_wait,
       F(error, "Error", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_wait_error_fields),
       F(status_code, "StatusCode", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_exec_create, member, name, kind, ##__VA_ARGS__)
FIELDS(api_exec_create_fields, struct api_exec_create,
       F(user, "User", F_STR),
       F(privileged, "Privileged", F_BOOL),
       F(tty, "Tty", F_BOOL),
       F(console_size, "ConsoleSize", F_PAIR, .flags = OMIT_EMPTY),
       F(attach_stdin, "AttachStdin", F_BOOL),
       F(attach_stderr, "AttachStderr", F_BOOL),
       F(attach_stdout, "AttachStdout", F_BOOL),
       F(detach, "Detach", F_BOOL),
       F(detach_keys, "DetachKeys", F_STR),
       F(env, "Env", F_STRS, .flags = F_NULLABLE),
       F(working_dir, "WorkingDir", F_STR),
       F(cmd, "Cmd", F_STRS, .flags = F_NULLABLE),
       F(kill_with_client, "KillWithClient", F_BOOL, .flags = OMIT_EMPTY),
       F(method, "Method", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_exec_method_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_exec_start, member, name, kind, ##__VA_ARGS__)
FIELDS(api_exec_start_fields, struct api_exec_start,
       F(detach, "Detach", F_BOOL),
       F(tty, "Tty", F_BOOL),
       F(console_size, "ConsoleSize", F_PAIR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_exec_process, member, name, kind, ##__VA_ARGS__)
FIELDS(api_exec_process_fields, struct api_exec_process,
       F(tty, "tty", F_BOOL),
       F(entrypoint, "entrypoint", F_STR),
       F(arguments, "arguments", F_STRS),
       F(privileged, "privileged", F_BOOLPTR, .flags = OMIT_EMPTY),
       F(user, "user", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_exec, member, name, kind, ##__VA_ARGS__)
FIELDS(api_exec_fields, struct api_exec,
       F(id, "ID", F_STR),
       F(running, "Running", F_BOOL),
       F(exit_code, "ExitCode", F_I64PTR),
       F(process, "ProcessConfig", F_OBJPTR, .sub = &api_exec_process_fields),
       F(open_stdin, "OpenStdin", F_BOOL),
       F(open_stderr, "OpenStderr", F_BOOL),
       F(open_stdout, "OpenStdout", F_BOOL),
       F(can_remove, "CanRemove", F_BOOL),
       F(container_id, "ContainerID", F_STR),
       F(detach_keys, "DetachKeys", F_STR),
       F(pid, "Pid", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_top, member, name, kind, ##__VA_ARGS__)
FIELDS(api_top_fields, struct api_top,
       F(titles, "Titles", F_STRS),
       F(processes, "Processes", F_STRSS));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_change, member, name, kind, ##__VA_ARGS__)
FIELDS(api_change_fields, struct api_change,
       F(kind, "Kind", F_I32),
       F(path, "Path", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_containers_pruned, member, name, kind, ##__VA_ARGS__)
FIELDS(api_containers_pruned_fields, struct api_containers_pruned,
       F(deleted, "ContainersDeleted", F_STRS, .flags = F_NULLABLE),
       F(space_reclaimed, "SpaceReclaimed", F_U64));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_path_stat, member, name, kind, ##__VA_ARGS__)
FIELDS(api_path_stat_fields, struct api_path_stat,
       F(name, "name", F_STR),
       F(size, "size", F_I64),
       F(mode, "mode", F_U32),
       F(mtime, "mtime", F_TIME),
       F(link_target, "linkTarget", F_STR));
#undef F
