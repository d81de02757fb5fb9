/* spec/runtime_state.h - the OCI runtime specification's state document (runtime.md, "State"), and
 * what corten-runtime keeps about a container between two calls.
 *
 * The kept document ("status" in the container's state directory) is our own: written and read by
 * the same program, decoded leniently so that another version of it can read it.
 * external_descriptors is what checkpointing tools look for: the targets of the init's standard
 * streams as a JSON array in a string. Tests: test/unit/spec/runtime_state.c.
 */
#pragma once
#include "spec/fields.h"

struct oci_state {
    char *oci_version, *id, *status; /* creating created running stopped (paused) */
    int64_t pid;                     /* 0 when stopped */
    char *bundle;
    struct strmap annotations;
    char *rootfs, *created, *owner; /* as runc prints it, beyond the specification */
};

struct oci_kept {
    char *oci_version, *id, *bundle, *rootfs, *created, *owner;
    int64_t pid;
    uint64_t start_time; /* with pid the identity of the init */
    char *cgroup_path;   /* "" when it has none */
    char *systemd_unit;  /* "": the cgroup is not systemd's */
    char *external_descriptors;
    bool waits; /* for a start: there is a start socket until then */
    bool no_new_keyring;
};

extern const struct fields oci_state_fields, oci_kept_fields;
