/* runtime/systemd.h - cgroups that systemd makes: a transient scope unit for each container
 * (org.freedesktop.systemd1(5): StartTransientUnit, StopUnit, SetUnitProperties). Private to
 * runtime/; only corten-runtime with --systemd-cgroup (or --cgroup-manager systemd) uses it.
 *
 * linux.cgroupsPath is then "slice:prefix:name": the unit is prefix-name.scope in slice; an empty
 * slice is system.slice (user.slice without root), an empty path names the unit corten-ID.scope. A
 * scope needs a process to begin with: one of ours stands in until the container's first one is in
 * it. The unit is delegated: what systemd has a property for is told to it, and everything is
 * written to the cgroup's files as well.
 *
 * The manager is reached at DBUS_SYSTEM_BUS_ADDRESS ("unix:path=…"), else, as root, at its own
 * socket /run/systemd/private, else on the system bus; without root at $XDG_RUNTIME_DIR's.
 */
#pragma once
#include "spec/runtime_config.h"
#include <sys/types.h>

#define SYSTEMD_NAME_MAX 256

struct systemd_unit {
    char slice[SYSTEMD_NAME_MAX], name[SYSTEMD_NAME_MAX];
};
/* ERR_INVALID: not of that form, or no names of units. */
struct err systemd_unit_parse(const char *cgroups_path, const char *id, struct systemd_unit *ret);

/* The scope exists when this returns, with a stand-in in it. *ret_path: the cgroup, owned by the
 * caller. */
struct standin {
    pid_t pid;
    int pidfd; /* -1: none */
};
struct err systemd_scope_start(const struct systemd_unit *u, const char *id,
                               const struct oci_resources *r, struct standin *ret, char **ret_path);
/* The stand-in ends. */
void standin_done(struct standin *s);
/* A unit that is gone is a success. */
struct err systemd_scope_stop(const char *name);
struct err systemd_scope_update(const char *name, const struct oci_resources *r);
