/* spec/cdi.h - specifications of the Container Device Interface: what a vendor wants done to a
 * container that asks for one of its devices.
 *
 * Source: CDI specification 0.3.0 to 1.0.0. Rows that nobody here honours are kept as raw text and
 * refused by whoever applies them. Decoded strictly: an edit that is not understood must not be
 * left out silently. Tests: test/unit/container/cdi.c.
 */
#pragma once
#include "spec/fields.h"

struct cdi_node {
    char *path, *host_path, *type;
    int64_t *major, *minor, *file_mode, *uid, *gid;
    char *permissions;
};
struct cdi_mount {
    char *host_path, *container_path, *type;
    struct strs options;
};
struct cdi_hook {
    char *name, *path;
    struct strs args, env;
    int64_t *timeout;
};
struct cdi_edits {
    struct strs env;
    struct objs nodes;  /* struct cdi_node */
    struct objs mounts; /* struct cdi_mount */
    struct objs hooks;  /* struct cdi_hook */
    struct u64s groups;
    struct str rdt, net_devices; /* refused */
};
struct cdi_device {
    char *name;
    struct strmap annotations;
    struct cdi_edits edits;
};
struct cdi_spec {
    char *version, *kind;
    struct strmap annotations;
    struct objs devices; /* struct cdi_device */
    struct cdi_edits edits;
};
extern const struct fields cdi_spec_fields;
