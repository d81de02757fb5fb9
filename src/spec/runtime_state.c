#include "spec/runtime_state.h"

#define STATE(member, name, kind) FIELD(struct oci_state, member, name, kind, .flags = OMIT_EMPTY)
FIELDS(oci_state_fields, struct oci_state,
       FIELD(struct oci_state, oci_version, "ociVersion", F_STR),
       FIELD(struct oci_state, id, "id", F_STR), FIELD(struct oci_state, pid, "pid", F_I64),
       FIELD(struct oci_state, status, "status", F_STR),
       FIELD(struct oci_state, bundle, "bundle", F_STR), STATE(rootfs, "rootfs", F_STR),
       STATE(created, "created", F_STR), STATE(annotations, "annotations", F_STRMAP),
       STATE(owner, "owner", F_STR));

#define KEPT(member, name, kind) FIELD(struct oci_kept, member, name, kind)
FIELDS(oci_kept_fields, struct oci_kept, KEPT(oci_version, "ociVersion", F_STR),
       KEPT(id, "id", F_STR), KEPT(bundle, "bundle", F_STR), KEPT(rootfs, "rootfs", F_STR),
       KEPT(created, "created", F_STR), KEPT(owner, "owner", F_STR), KEPT(pid, "pid", F_I64),
       KEPT(start_time, "process-start-time", F_U64), KEPT(cgroup_path, "cgroup-path", F_STR),
       KEPT(systemd_unit, "systemd-unit", F_STR),
       KEPT(external_descriptors, "external_descriptors", F_STR), KEPT(waits, "waits", F_BOOL),
       KEPT(no_new_keyring, "no-new-keyring", F_BOOL));
