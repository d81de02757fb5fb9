/* spec/api_container.h - the documents of /containers and /exec.
 *
 * Source: Engine API 1.51 (ContainerCreate, ContainerInspect, ContainerSummary, Exec*, stats, ...).
 * HostConfig and Resources are in spec/api_host.h, the container's config in spec/api_config.h,
 * endpoints in spec/api_network.h.
 */
#pragma once
#include "spec/api_config.h"
#include "spec/api_host.h"
#include "spec/api_image.h"
#include "spec/api_method.h"
#include "spec/api_network.h"

/* POST /containers/create: Config's members are at the top level. */
struct api_container_create {
    struct api_config config;
    struct api_host_config *host;
    struct api_networking_config *networking;
    struct platform *platform; /* no part of the document: which the image must be for; NULL: any */
    int64_t caller;            /* no part of the document: uid + 1 of who asks; 0: not known */
};
extern const struct fields api_container_create_fields;

struct api_container_created {
    char *id;
    struct strs warnings;
};
extern const struct fields api_container_created_fields;

struct api_health_result {
    int64_t start;
    int64_t end;
    int64_t exit_code;
    char *output;
};
extern const struct fields api_health_result_fields;

struct api_health {
    char *status; /* starting healthy unhealthy */
    int64_t failing_streak;
    struct objs log; /* struct api_health_result */
};
extern const struct fields api_health_fields;

struct api_container_state {
    char *status; /* created running paused restarting removing exited dead */
    bool running;
    bool paused;
    bool restarting;
    bool oom_killed;
    bool dead;
    int64_t pid;
    int64_t exit_code;
    char *error;
    int64_t started_at;
    int64_t finished_at;
    struct api_health *health;
};
extern const struct fields api_container_state_fields;

struct api_mount_point {
    char *type;
    char *name;
    char *source;
    char *destination;
    char *driver;
    char *mode;
    bool rw;
    char *propagation;
};
extern const struct fields api_mount_point_fields;

struct api_address {
    char *addr;
    int64_t prefix_len;
};
extern const struct fields api_address_fields;

/* The address members at the top are those of the endpoint on the network "bridge", else empty. */
struct api_network_settings {
    char *bridge;
    char *sandbox_id;
    char *sandbox_key;
    /* struct objs of struct api_port_binding; null value: exposed, not published */
    struct objmap ports;
    bool hairpin_mode;
    char *link_local_ipv6_address;
    int64_t link_local_ipv6_prefix_len;
    struct objs secondary_ip_addresses;   /* struct api_address */
    struct objs secondary_ipv6_addresses; /* struct api_address */
    char *endpoint_id;
    char *gateway;
    char *global_ipv6_address;
    int64_t global_ipv6_prefix_len;
    char *ip_address;
    int64_t ip_prefix_len;
    char *ipv6_gateway;
    char *mac_address;
    struct objmap networks; /* struct api_endpoint; by network name */
};
extern const struct fields api_network_settings_fields;

/* Ours: what a log lacks. */
struct api_log_missing {
    int64_t dropped;                      /* records */
    int64_t removed_files, removed_bytes; /* by rotation */
};
extern const struct fields api_log_missing_fields;

/* GET /containers/{id}/json */
struct api_container {
    char *id;
    int64_t created;
    char *path;
    struct strs args;
    struct api_container_state state;
    char *image; /* id of the image */
    char *resolv_conf_path;
    char *hostname_path;
    char *hosts_path;
    char *log_path;
    struct api_log_missing *log_missing; /* NULL: nothing */
    char *name;                          /* with a leading slash */
    int64_t restart_count;
    char *driver;
    char *platform;
    char *mount_label;
    char *process_label;
    char *apparmor_profile;
    struct strs exec_ids;
    struct api_host_config *host;
    struct api_graph_driver graph_driver;
    int64_t *size_rw;
    int64_t *size_root_fs;
    struct objs mounts; /* struct api_mount_point */
    struct api_config *config;
    struct api_network_settings network;
    struct oci_descriptor *image_descriptor;
    struct api_lifecycle *lifecycle; /* ours; NULL: its image says nothing */
};
extern const struct fields api_container_fields;

struct api_port {
    char *ip;
    uint16_t private_port;
    uint16_t public_port;
    char *type; /* tcp udp sctp */
};
extern const struct fields api_port_fields;

struct api_summary_host {
    char *network_mode;
    struct strmap annotations;
};
extern const struct fields api_summary_host_fields;

struct api_summary_network {
    struct objmap networks; /* struct api_endpoint */
};
extern const struct fields api_summary_network_fields;

/* GET /containers/json: an array of these. */
struct api_container_summary {
    char *id;
    struct strs names; /* with a leading slash */
    char *image;
    char *image_id;
    struct oci_descriptor *image_descriptor;
    char *command;
    int64_t created;   /* unix seconds */
    struct objs ports; /* struct api_port */
    int64_t size_rw;
    int64_t size_root_fs;
    struct strmap labels;
    char *state;
    char *status; /* "Up 2 minutes" */
    struct api_summary_host host;
    struct api_summary_network network;
    struct objs mounts; /* struct api_mount_point */
};
extern const struct fields api_container_summary_fields;

struct api_wait_error {
    char *message;
};
extern const struct fields api_wait_error_fields;

struct api_wait {
    struct api_wait_error *error;
    int64_t status_code;
};
extern const struct fields api_wait_fields;

/* POST /containers/{id}/exec */
struct api_exec_create {
    char *user;
    bool privileged;
    bool tty;
    uint32_t console_size[2]; /* height, width */
    bool attach_stdin;
    bool attach_stderr;
    bool attach_stdout;
    bool detach;
    char *detach_keys;
    struct strs env;
    char *working_dir;
    struct strs cmd;
    bool kill_with_client;          /* ours: the exec dies when its client's connection does */
    struct api_exec_method *method; /* ours: it is the run of one */
};
extern const struct fields api_exec_create_fields;

struct api_exec_start {
    bool detach;
    bool tty;
    uint32_t console_size[2];
};
extern const struct fields api_exec_start_fields;

struct api_exec_process {
    bool tty;
    char *entrypoint;
    struct strs arguments;
    bool *privileged;
    char *user;
};
extern const struct fields api_exec_process_fields;

/* GET /exec/{id}/json */
struct api_exec {
    char *id;
    bool running;
    int64_t *exit_code; /* null until it has ended */
    struct api_exec_process *process;
    bool open_stdin;
    bool open_stderr;
    bool open_stdout;
    bool can_remove;
    char *container_id;
    char *detach_keys; /* base64 */
    int64_t pid;
};
extern const struct fields api_exec_fields;

struct api_top {
    struct strs titles;
    struct objs processes;
};
extern const struct fields api_top_fields;

/* GET /containers/{id}/changes: an array of these. */
struct api_change {
    int32_t kind; /* 0 modified, 1 added, 2 deleted */
    char *path;
};
extern const struct fields api_change_fields;

struct api_containers_pruned {
    struct strs deleted;
    uint64_t space_reclaimed;
};
extern const struct fields api_containers_pruned_fields;

/* X-Docker-Container-Path-Stat of the archive calls (base64 of this). mode is Go's os.FileMode. */
struct api_path_stat {
    char *name;
    int64_t size;
    uint32_t mode;
    int64_t mtime;
    char *link_target;
};
extern const struct fields api_path_stat_fields;
