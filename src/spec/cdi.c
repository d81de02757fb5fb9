#include "spec/cdi.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct cdi_node, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_node_fields, struct cdi_node,
       F(path, "path", F_STR, .flags = F_REQUIRED),
       F(host_path, "hostPath", F_STR),
       F(type, "type", F_STR),
       F(major, "major", F_I64PTR),
       F(minor, "minor", F_I64PTR),
       F(file_mode, "fileMode", F_I64PTR),
       F(permissions, "permissions", F_STR),
       F(uid, "uid", F_I64PTR),
       F(gid, "gid", F_I64PTR));
#undef F

#define F(member, name, kind, ...) FIELD(struct cdi_mount, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_mount_fields, struct cdi_mount,
       F(host_path, "hostPath", F_STR, .flags = F_REQUIRED),
       F(container_path, "containerPath", F_STR, .flags = F_REQUIRED),
       F(type, "type", F_STR),
       F(options, "options", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct cdi_hook, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_hook_fields, struct cdi_hook,
       F(name, "hookName", F_STR, .flags = F_REQUIRED),
       F(path, "path", F_STR, .flags = F_REQUIRED),
       F(args, "args", F_STRS),
       F(env, "env", F_STRS),
       F(timeout, "timeout", F_I64PTR));
#undef F

#define F(member, name, kind, ...) FIELD(struct cdi_edits, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_edits_fields, struct cdi_edits,
       F(env, "env", F_STRS),
       F(nodes, "deviceNodes", F_ARRAY, .sub = &cdi_node_fields),
       F(mounts, "mounts", F_ARRAY, .sub = &cdi_mount_fields),
       F(hooks, "hooks", F_ARRAY, .sub = &cdi_hook_fields),
       F(groups, "additionalGids", F_U64S),
       F(rdt, "intelRdt", F_RAW),
       F(net_devices, "netDevices", F_RAW));
#undef F

#define F(member, name, kind, ...) FIELD(struct cdi_device, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_device_fields, struct cdi_device,
       F(name, "name", F_STR, .flags = F_REQUIRED),
       F(annotations, "annotations", F_STRMAP),
       F(edits, "containerEdits", F_OBJ, .sub = &cdi_edits_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct cdi_spec, member, name, kind, ##__VA_ARGS__)
FIELDS(cdi_spec_fields, struct cdi_spec,
       F(version, "cdiVersion", F_STR, .flags = F_REQUIRED),
       F(kind, "kind", F_STR, .flags = F_REQUIRED),
       F(annotations, "annotations", F_STRMAP),
       F(devices, "devices", F_ARRAY, .sub = &cdi_device_fields),
       F(edits, "containerEdits", F_OBJ, .sub = &cdi_edits_fields));
#undef F
