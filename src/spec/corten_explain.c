#include "spec/corten_explain.h"

// clang-format off
#define F(member, name, kind, ...) FIELD(struct explain_file, member, name, kind, ##__VA_ARGS__)
FIELDS(explain_file_fields, struct explain_file,
       F(path, "Path", F_STR),
       F(bytes, "Bytes", F_I64),
       F(by, "By", F_I64, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct explain_layer, member, name, kind, ##__VA_ARGS__)
FIELDS(explain_layer_fields, struct explain_layer,
       F(made_by, "MadeBy", F_STR),
       F(files, "Files", F_I64),
       F(directories, "Directories", F_I64),
       F(bytes, "Bytes", F_I64),
       F(replaces, "Replaces", F_I64),
       F(removes, "Removes", F_I64),
       F(hides, "Hides", F_I64),
       F(wasted, "Wasted", F_I64),
       F(largest, "Largest", F_ARRAY, .sub = &explain_file_fields),
       F(wasted_files, "WastedFiles", F_ARRAY, .sub = &explain_file_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct explain_image, member, name, kind, ##__VA_ARGS__)
FIELDS(explain_image_fields, struct explain_image,
       F(layers, "Layers", F_ARRAY, .sub = &explain_layer_fields));
#undef F
