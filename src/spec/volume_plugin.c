#include "spec/volume_plugin.h"

FIELDS(volume_plugin_active_fields, struct volume_plugin_active,
       FIELD(struct volume_plugin_active, implements, "Implements", F_STRS));

FIELDS(volume_plugin_request_fields, struct volume_plugin_request,
       FIELD(struct volume_plugin_request, name, "Name", F_STR),
       FIELD(struct volume_plugin_request, id, "ID", F_STR, .flags = OMIT_EMPTY),
       FIELD(struct volume_plugin_request, options, "Opts", F_STRMAP, .flags = OMIT_EMPTY));

FIELDS(volume_plugin_answer_fields, struct volume_plugin_answer,
       FIELD(struct volume_plugin_answer, error, "Err", F_STR),
       FIELD(struct volume_plugin_answer, mountpoint, "Mountpoint", F_STR));

FIELDS(volume_plugin_volume_fields, struct volume_plugin_volume,
       FIELD(struct volume_plugin_volume, name, "Name", F_STR),
       FIELD(struct volume_plugin_volume, mountpoint, "Mountpoint", F_STR));

FIELDS(volume_plugin_list_fields, struct volume_plugin_list,
       FIELD(struct volume_plugin_list, error, "Err", F_STR),
       FIELD(struct volume_plugin_list, volumes, "Volumes", F_ARRAY,
             .sub = &volume_plugin_volume_fields));

FIELDS(volume_plugin_file_fields, struct volume_plugin_file,
       FIELD(struct volume_plugin_file, name, "Name", F_STR),
       FIELD(struct volume_plugin_file, address, "Addr", F_STR));
