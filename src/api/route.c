/* The table of routes. */
#include "api/handlers.h"

const char api_common_headers[] =
    "Api-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\n"
    "Server: corten (linux)\r\n";

const struct api_route api_routes[] = {
    {"GET", "/_ping", api_ping},
    {"HEAD", "/_ping", api_ping},
    {"GET", "/version", api_version},
    {"GET", "/info", api_info},
    {"GET", "/events", api_events},
    {"POST", "/auth", api_auth},
    {"GET", "/system/df", api_disk_usage},

    {"POST", "/containers/create", api_container_create},
    {"GET", "/containers/json", api_container_list},
    {"GET", "/containers/{}/json", api_container_inspect},
    {"POST", "/containers/{}/start", api_container_start},
    {"POST", "/containers/{}/stop", api_container_stop},
    {"POST", "/containers/{}/restart", api_container_restart},
    {"POST", "/containers/{}/kill", api_container_kill},
    {"POST", "/containers/{}/pause", api_container_pause},
    {"POST", "/containers/{}/unpause", api_container_unpause},
    {"POST", "/containers/{}/rename", api_container_rename},
    {"POST", "/containers/{}/resize", api_container_resize},
    {"POST", "/containers/{}/wait", api_container_wait},
    {"POST", "/containers/{}/attach", api_container_attach},
    {"GET", "/containers/{}/logs", api_container_logs},
    {"DELETE", "/containers/{}", api_container_remove},
    {"POST", "/containers/{}/exec", api_exec_create},
    {"POST", "/exec/{}/start", api_exec_start},
    {"POST", "/exec/{}/resize", api_exec_resize},
    {"GET", "/exec/{}/json", api_exec_inspect},
    {"POST", "/exec/{}/kill", api_exec_kill},

    {"GET", "/images/json", api_image_list},
    {"POST", "/images/create", api_image_create},
    {"POST", "/images/load", api_image_load},
    {"GET", "/images/get", api_images_get},
    {"POST", "/images/prune", api_image_prune},
    {"GET", "/images/{*}/json", api_image_inspect},
    {"GET", "/images/{*}/history", api_image_history},
    {"GET", "/images/{*}/get", api_image_get},
    {"POST", "/images/{*}/push", api_image_push},
    {"POST", "/images/{*}/tag", api_image_tag},
    {"DELETE", "/images/{*}", api_image_remove},

    {"GET", "/networks", api_network_list},
    {"POST", "/networks/create", api_network_create},
    {"POST", "/networks/prune", api_network_prune},
    {"GET", "/networks/{}", api_network_inspect},
    {"DELETE", "/networks/{}", api_network_remove},
    {"POST", "/networks/{}/connect", api_network_connect},
    {"POST", "/networks/{}/disconnect", api_network_disconnect},

    {"GET", "/volumes", api_volume_list},
    {"POST", "/volumes/create", api_volume_create},
    {"POST", "/volumes/prune", api_volume_prune},
    {"GET", "/volumes/{}", api_volume_inspect},
    {"DELETE", "/volumes/{}", api_volume_remove},

    {"POST", "/build", api_build},
    {"GET", "/corten/build/cache", api_build_cache},
    {"POST", "/corten/build/cache", api_build_record},
    {"GET", "/corten/build/image", api_build_base},
    {"POST", "/corten/build/image", api_build_image},
    {"POST", "/corten/build/commit", api_build_commit},
    {"POST", "/corten/build/layer", api_build_layer},
    {"GET", "/corten/build/tree", api_build_tree},
    {"POST", "/corten/build/stat", api_build_stat},
};
const size_t api_routes_n = ARRAY_LEN(api_routes);
