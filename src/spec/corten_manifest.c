/* spec/corten_manifest.c - tables of lists of manifests. */
#include "spec/corten_manifest.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct manifest_list_push, member, name, kind, ##__VA_ARGS__)
FIELDS(manifest_list_push_fields, struct manifest_list_push,
       F(list, "List", F_STR, .flags = F_REQUIRED),
       F(sources, "Sources", F_STRS));
#undef F

#define F(member, name, kind, ...) FIELD(struct manifest_list_pushed, member, name, kind, ##__VA_ARGS__)
FIELDS(manifest_list_pushed_fields, struct manifest_list_pushed,
       F(digest, "digest", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct manifest_entry, member, name, kind, ##__VA_ARGS__)
FIELDS(manifest_entry_fields, struct manifest_entry,
       F(ref, "Ref", F_STR),
       F(source, "Source", F_STR),
       F(descriptor, "Descriptor", F_OBJ, .sub = &oci_descriptor_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct manifest_list, member, name, kind, ##__VA_ARGS__)
FIELDS(manifest_list_fields, struct manifest_list,
       F(name, "Name", F_STR),
       F(entries, "Entries", F_ARRAY, .sub = &manifest_entry_fields));
#undef F
