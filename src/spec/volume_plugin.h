/* spec/volume_plugin.h - the documents of volume plugins: JSON over POST on a unix socket. Source:
 * Docker's "Plugin API" (/Plugin.Activate) and "Volume plugin protocol" (/VolumeDriver.*).
 */
#pragma once
#include "spec/fields.h"

#define VOLUME_PLUGIN_TYPE "application/vnd.docker.plugins.v1.2+json"

struct volume_plugin_active {
    struct strs implements; /* "VolumeDriver" */
};
extern const struct fields volume_plugin_active_fields;

struct volume_plugin_request {
    char *name, *id; /* id: of Mount and Unmount */
    struct strmap options;
};
extern const struct fields volume_plugin_request_fields;

struct volume_plugin_answer {
    char *error, *mountpoint; /* error: NULL or "" is success */
};
extern const struct fields volume_plugin_answer_fields;

/* The answer to List. */
struct volume_plugin_volume {
    char *name, *mountpoint;
};
extern const struct fields volume_plugin_volume_fields;
struct volume_plugin_list {
    char *error;
    struct objs volumes; /* struct volume_plugin_volume */
};
extern const struct fields volume_plugin_list_fields;

/* NAME.json in a directory of plugins. */
struct volume_plugin_file {
    char *name, *address;
};
extern const struct fields volume_plugin_file_fields;
