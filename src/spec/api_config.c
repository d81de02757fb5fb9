#include "spec/api_config.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct api_health_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_health_config_fields, struct api_health_config,
       F(test, "Test", F_STRS, .flags = OMIT_EMPTY),
       F(interval, "Interval", F_I64, .flags = OMIT_EMPTY),
       F(timeout, "Timeout", F_I64, .flags = OMIT_EMPTY),
       F(start_period, "StartPeriod", F_I64, .flags = OMIT_EMPTY),
       F(start_interval, "StartInterval", F_I64, .flags = OMIT_EMPTY),
       F(retries, "Retries", F_I64, .flags = OMIT_EMPTY),
       F(on_unhealthy, "OnUnhealthy", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_config_fields, struct api_config,
       F(hostname, "Hostname", F_STR),
       F(domainname, "Domainname", F_STR),
       F(user, "User", F_STR),
       F(attach_stdin, "AttachStdin", F_BOOL),
       F(attach_stdout, "AttachStdout", F_BOOL),
       F(attach_stderr, "AttachStderr", F_BOOL),
       F(exposed_ports, "ExposedPorts", F_SET, .flags = OMIT_EMPTY),
       F(tty, "Tty", F_BOOL),
       F(open_stdin, "OpenStdin", F_BOOL),
       F(stdin_once, "StdinOnce", F_BOOL),
       F(env, "Env", F_STRS, .flags = F_NULLABLE),
       F(cmd, "Cmd", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(healthcheck, "Healthcheck", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_health_config_fields),
       F(args_escaped, "ArgsEscaped", F_BOOL, .flags = OMIT_EMPTY),
       F(image, "Image", F_STR),
       F(volumes, "Volumes", F_SET, .flags = F_NULLABLE),
       F(working_dir, "WorkingDir", F_STR),
       F(entrypoint, "Entrypoint", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(network_disabled, "NetworkDisabled", F_BOOL, .flags = OMIT_EMPTY),
       F(mac_address, "MacAddress", F_STR, .flags = OMIT_EMPTY),
       F(on_build, "OnBuild", F_STRS, .flags = F_NULLABLE),
       F(labels, "Labels", F_STRMAP, .flags = F_NULLABLE),
       F(stop_signal, "StopSignal", F_STR, .flags = OMIT_EMPTY),
       F(stop_timeout, "StopTimeout", F_I64PTR, .flags = OMIT_EMPTY),
       F(shell, "Shell", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_config, member, name, kind, ##__VA_ARGS__)
FIELDS(api_image_config_fields, struct api_config,
       F(hostname, "Hostname", F_STR, UNTIL(49)),
       F(domainname, "Domainname", F_STR, UNTIL(49)),
       F(user, "User", F_STR),
       F(attach_stdin, "AttachStdin", F_BOOL, UNTIL(49)),
       F(attach_stdout, "AttachStdout", F_BOOL, UNTIL(49)),
       F(attach_stderr, "AttachStderr", F_BOOL, UNTIL(49)),
       F(exposed_ports, "ExposedPorts", F_SET, .flags = OMIT_EMPTY),
       F(tty, "Tty", F_BOOL, UNTIL(49)),
       F(open_stdin, "OpenStdin", F_BOOL, UNTIL(49)),
       F(stdin_once, "StdinOnce", F_BOOL, UNTIL(49)),
       F(env, "Env", F_STRS, .flags = F_NULLABLE),
       F(cmd, "Cmd", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(healthcheck, "Healthcheck", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_health_config_fields),
       F(args_escaped, "ArgsEscaped", F_BOOL, .flags = OMIT_EMPTY),
       F(image, "Image", F_STR, UNTIL(49)),
       F(volumes, "Volumes", F_SET, .flags = F_NULLABLE),
       F(working_dir, "WorkingDir", F_STR),
       F(entrypoint, "Entrypoint", F_STRS, .flags = F_NULLABLE | F_STR_TOO),
       F(on_build, "OnBuild", F_STRS, .flags = F_NULLABLE),
       F(labels, "Labels", F_STRMAP, .flags = F_NULLABLE),
       F(stop_signal, "StopSignal", F_STR, .flags = OMIT_EMPTY),
       F(shell, "Shell", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO));
#undef F

#define F(member, name, kind, ...) FIELD(struct api_config, member, name, kind, ##__VA_ARGS__)
FIELDS(oci_run_fields, struct api_config,
       F(user, "User", F_STR, .flags = OMIT_EMPTY),
       F(exposed_ports, "ExposedPorts", F_SET, .flags = OMIT_EMPTY),
       F(env, "Env", F_STRS, .flags = OMIT_EMPTY),
       F(entrypoint, "Entrypoint", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO),
       F(cmd, "Cmd", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO),
       F(volumes, "Volumes", F_SET, .flags = OMIT_EMPTY),
       F(working_dir, "WorkingDir", F_STR, .flags = OMIT_EMPTY),
       F(labels, "Labels", F_STRMAP, .flags = OMIT_EMPTY),
       F(stop_signal, "StopSignal", F_STR, .flags = OMIT_EMPTY),
       F(args_escaped, "ArgsEscaped", F_BOOL, .flags = OMIT_EMPTY),
       F(healthcheck, "Healthcheck", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &api_health_config_fields),
       F(on_build, "OnBuild", F_STRS, .flags = OMIT_EMPTY),
       F(shell, "Shell", F_STRS, .flags = OMIT_EMPTY | F_STR_TOO),
       F(hostname, "Hostname", F_STR, .flags = OMIT_EMPTY),
       F(domainname, "Domainname", F_STR, .flags = OMIT_EMPTY),
       F(image, "Image", F_STR, .flags = OMIT_EMPTY),
       F(attach_stdin, "AttachStdin", F_BOOL, .flags = OMIT_EMPTY),
       F(attach_stdout, "AttachStdout", F_BOOL, .flags = OMIT_EMPTY),
       F(attach_stderr, "AttachStderr", F_BOOL, .flags = OMIT_EMPTY),
       F(tty, "Tty", F_BOOL, .flags = OMIT_EMPTY),
       F(open_stdin, "OpenStdin", F_BOOL, .flags = OMIT_EMPTY),
       F(stdin_once, "StdinOnce", F_BOOL, .flags = OMIT_EMPTY),
       F(network_disabled, "NetworkDisabled", F_BOOL, .flags = OMIT_EMPTY),
       F(mac_address, "MacAddress", F_STR, .flags = OMIT_EMPTY),
       F(stop_timeout, "StopTimeout", F_I64PTR, .flags = OMIT_EMPTY));
#undef F
