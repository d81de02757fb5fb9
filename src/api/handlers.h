/* handlers.h - every handler of the route table. Private to api/. */
#pragma once
#include "api/call.h"

/* container.c, container_list.c, container_stream.c, stats.c, prune.c */
api_fn api_container_create, api_container_list, api_container_inspect, api_container_start,
    api_container_stop, api_container_restart, api_container_kill, api_container_pause,
    api_container_unpause, api_container_rename, api_container_remove, api_container_resize,
    api_container_wait, api_container_attach_ws, api_container_attach, api_container_logs,
    api_container_ports, api_container_aliases, api_container_update, api_container_top,
    api_container_stats, api_container_prune;
/* files.c */
api_fn api_container_archive_stat, api_container_archive_get, api_container_archive_put,
    api_container_export, api_container_changes;
/* wait_ready.c */
void api_wait_ready(struct api_call *c, struct container *k);
/* webhook.c */
api_fn api_hook_make, api_hook_remove, api_hook_call;
/* method_update.c */
api_fn api_method_update;
/* method.c */
api_fn api_method_call, api_method_list, api_method_result, api_container_lifecycle,
    api_image_lifecycle;
/* exec.c */
api_fn api_exec_create, api_exec_start, api_exec_inspect, api_exec_resize, api_exec_kill;
/* image.c */
api_fn api_image_list, api_image_inspect, api_image_history, api_image_tag, api_image_remove,
    api_image_prune;
/* commit.c */
api_fn api_commit;
/* transfer.c */
api_fn api_image_create, api_image_load, api_image_get, api_images_get, api_image_push;
/* network.c */
api_fn api_network_list, api_network_inspect, api_network_create, api_network_remove,
    api_network_prune, api_network_connect, api_network_disconnect, api_network_stats;
/* volume_more.c: what the peer does not have */
api_fn api_volume_stat, api_volume_get, api_volume_put, api_volume_export, api_volume_rename,
    api_volume_snapshot, api_volume_relabel;
/* volume.c */
api_fn api_volume_list, api_volume_inspect, api_volume_create, api_volume_remove, api_volume_prune;
/* upkeep.c */
api_fn api_image_squash, api_referrers;
api_fn api_image_explain;
api_fn api_store_check, api_store_gc;
/* df.c */
api_fn api_disk_usage;
/* metrics.c */
api_fn api_metrics_get;
/* system.c */
api_fn api_ping, api_version, api_info, api_events;
api_fn api_auth, api_distribution, api_manifest, api_manifest_push, api_image_search;
/* refused.c */
api_fn api_no_swarm, api_swarm_unsupported, api_swarm_leave, api_plugin_list, api_plugin_unknown,
    api_plugin_unsupported, api_session_unsupported, api_checkpoint_unsupported;
/* build.c */
api_fn api_build, api_build_cache, api_build_record, api_build_base, api_build_image,
    api_build_commit, api_build_layer, api_build_tree, api_build_stat;
/* build_attest.c */
api_fn api_build_attest, api_image_attestation;
/* build_lease.c */
api_fn api_build_lease, api_build_secret, api_build_secret_remove;
/* build_cache.c */
api_fn api_build_prune;
