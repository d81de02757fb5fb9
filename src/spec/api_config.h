/* spec/api_config.h - what runs in a container: one struct for container create, inspect, commit
 * and the "config" object of images.
 *
 * Source: Engine API 1.51 (ContainerConfig), Docker image spec 1.3 / OCI image-spec 1.1 "config".
 * Three tables over struct api_config:
 *   api_config_fields        container create, commit and inspect: every member is printed
 *   api_image_config_fields  GET /images/{name}/json: since 1.50 without the members that make no
 *                            sense in an image
 *   oci_run_fields        inside of an image's config blob: empty members are left out
 * Decoding is the same in all three. Durations are nanoseconds; stop_timeout is seconds.
 */
#pragma once
#include "spec/fields.h"

/* interval 0: inherit; test ["NONE"]: disabled; ["CMD", ...] or ["CMD-SHELL", line]. Ours: ["HTTP",
 * "[address]:port[/path]"], ["TCP", "[address]:port"], ["FILE", path, greatest age]; on_unhealthy.
 */
struct api_health_config {
    struct strs test;
    int64_t interval;       /* ns */
    int64_t timeout;        /* ns */
    int64_t start_period;   /* ns */
    int64_t start_interval; /* ns */
    int64_t retries;
    char *on_unhealthy; /* restart stop kill none */
};
extern const struct fields api_health_config_fields;

struct api_config {
    char *hostname;
    char *domainname;
    char *user;
    bool attach_stdin;
    bool attach_stdout;
    bool attach_stderr;
    struct strs exposed_ports; /* "80/tcp" */
    bool tty;
    bool open_stdin;
    bool stdin_once;
    struct strs env; /* NAME=VALUE; NAME alone unsets what the image has */
    struct strs cmd;
    struct api_health_config *healthcheck;
    bool args_escaped;
    char *image;         /* as the client wrote it */
    struct strs volumes; /* paths of anonymous volumes */
    char *working_dir;
    struct strs entrypoint;
    bool network_disabled;
    char *mac_address; /* of the first network; before 1.44 */
    struct strs on_build;
    struct strmap labels;
    char *stop_signal;
    int64_t *stop_timeout; /* seconds; -1: for ever */
    struct strs shell;
};
extern const struct fields api_config_fields;

extern const struct fields api_image_config_fields;

extern const struct fields oci_run_fields;
