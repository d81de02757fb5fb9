/* run and create. */
#include "base/file.h"
#include "cli/create.h"
#include "cli/systemd.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define R struct run_options
#define RUN_ROWS                                                                                   \
    FLAG(R, interactive, 'i', "interactive", "Keep stdin open even if nobody is attached"),        \
        FLAG(R, tty, 't', "tty", "A terminal of its own"),                                         \
        FLAG(R, rm, 0, "rm", "Remove the container when it ends"),                                 \
        FLAG(R, read_only, 0, "read-only", "The root filesystem cannot be written"),               \
        FLAG(R, publish_all, 'P', "publish-all", "Publish all exposed ports to random ones"),      \
        FLAG(R, quiet, 'q', "quiet", "No progress of a pull"),                                     \
        FLAG(R, init, 0, "init", "A small init as PID 1, which forwards signals and reaps"),       \
        FLAG(R, privileged, 0, "privileged", "All rights and devices of the host"),                \
        FLAG(R, no_healthcheck, 0, "no-healthcheck", "Without the image's health check"),          \
        FLAG(R, oom_kill_disable, 0, "oom-kill-disable", "Not ended when memory is short"),        \
        FLAG(R, use_api_socket, 0, "use-api-socket", NULL),                                        \
        {.name = "disable-content-trust",                                                          \
         .kind = OPTION_FLAG,                                                                      \
         .otherwise = "true",                                                                      \
         .offset = offsetof(R, disable_trust)},                                                    \
        TEXT(R, name, 0, "name", "NAME", "Name of the container"),                                 \
        TEXT(R, workdir, 'w', "workdir", "DIR", "Working directory inside"),                       \
        TEXT(R, user, 'u', "user", "USER[:GROUP]", "Names or numbers"),                            \
        TEXT(R, entrypoint, 0, "entrypoint", "PROGRAM", "Instead of the image's ENTRYPOINT"),      \
        LIST(R, network, 0, "network", "NETWORK",                                                  \
             "bridge, host, none, container:NAME, a network, or name=…,ip=…,alias=…"),             \
        LIST(R, network, 0, "net", "NETWORK", NULL),                                               \
        LIST(R, alias, 0, "network-alias", "NAME", "One more name in the network"),                \
        LIST(R, alias, 0, "net-alias", "NAME", NULL),                                              \
        TEXT(R, hostname, 'h', "hostname", "NAME", "Host name inside"),                            \
        TEXT(R, domainname, 0, "domainname", "NAME", "NIS domain name inside"),                    \
        BYTES(R, memory, 'm', "memory", "BYTES", "Limit of memory (512m, 2g)"),                    \
        BYTES(R, memory_reservation, 0, "memory-reservation", "BYTES", "Soft limit of memory"),    \
        TEXT(R, memory_swap, 0, "memory-swap", "BYTES", "Memory and swap together; -1: no limit"), \
        {.name = "memory-swappiness",                                                              \
         .argument = "N",                                                                          \
         .help = "0 to 100",                                                                       \
         .kind = OPTION_INT,                                                                       \
         .offset = offsetof(R, swappiness),                                                        \
         .otherwise = "-1"},                                                                       \
        BYTES(R, kernel_memory, 0, "kernel-memory", "BYTES", NULL),                                \
        TEXT(R, cpus, 0, "cpus", "NUMBER", "Number of CPUs (1.5)"),                                \
        TEXT(R, cpuset_cpus, 0, "cpuset-cpus", "LIST", "Which CPUs (0-3, 0,1)"),                   \
        TEXT(R, cpuset_mems, 0, "cpuset-mems", "LIST", "Which memory nodes (0-3, 0,1)"),           \
        INT(R, cpu_shares, 'c', "cpu-shares", "N", "Weight of CPU time"),                          \
        INT(R, cpu_period, 0, "cpu-period", "MICROSECONDS", "Period of CPU time"),                 \
        INT(R, cpu_quota, 0, "cpu-quota", "MICROSECONDS", "CPU time in each period"),              \
        INT(R, rt_period, 0, "cpu-rt-period", "MICROSECONDS", "Period of real time"),              \
        INT(R, rt_runtime, 0, "cpu-rt-runtime", "MICROSECONDS", "Real time in each period"),       \
        INT(R, cpu_count, 0, "cpu-count", "N", NULL),                                              \
        INT(R, cpu_percent, 0, "cpu-percent", "N", NULL),                                          \
        BYTES(R, io_bandwidth, 0, "io-maxbandwidth", "BYTES", NULL),                               \
        INT(R, io_iops, 0, "io-maxiops", "N", NULL),                                               \
        INT(R, blkio_weight, 0, "blkio-weight", "N", "Weight of disk time, 10 to 1000; 0: none"),  \
        LIST(R, blkio_device, 0, "blkio-weight-device", "DEVICE:N", "Weight of one device"),       \
        LIST(R, read_bps, 0, "device-read-bps", "DEVICE:BYTES", "Bytes read a second"),            \
        LIST(R, write_bps, 0, "device-write-bps", "DEVICE:BYTES", "Bytes written a second"),       \
        LIST(R, read_iops, 0, "device-read-iops", "DEVICE:N", "Reads a second"),                   \
        LIST(R, write_iops, 0, "device-write-iops", "DEVICE:N", "Writes a second"),                \
        TEXT(R, cause, 0, "cause", "TEXT", "Why it is deployed; kept with who did it"),            \
        TEXT(R, cgroup_parent, 0, "cgroup-parent", "PATH", "The cgroup above its own"),            \
        TEXT(R, restart, 0, "restart", "POLICY", "no, on-failure[:N], always, unless-stopped"),    \
        TEXT(R, stop_signal, 0, "stop-signal", "SIGNAL", "What asks it to end"),                   \
        INT(R, stop_timeout, 0, "stop-timeout", "SECONDS", "How long it may take to end"),         \
        {.name = "pull",                                                                           \
         .argument = "POLICY",                                                                     \
         .kind = OPTION_TEXT,                                                                      \
         .otherwise = "missing",                                                                   \
         .help = "Pull the image first: always, missing or never",                                 \
         .offset = offsetof(R, pull)},                                                             \
        TEXT(R, log_driver, 0, "log-driver", "NAME", "Where its output goes"),                     \
        LIST(R, log_opt, 0, "log-opt", "KEY=VALUE", "Options of the log driver"),                  \
        TEXT(R, cidfile, 0, "cidfile", "FILE", "Write the container's ID to this file"),           \
        BYTES(R, shm_size, 0, "shm-size", "BYTES", "Size of /dev/shm"),                            \
        TEXT(R, platform, 0, "platform", "OS/ARCH", "Platform of the image"),                      \
        TEXT(R, pid, 0, "pid", "MODE", "Processes of: host, container:NAME"),                      \
        TEXT(R, ipc, 0, "ipc", "MODE", "private, shareable, host, none, container:NAME"),          \
        TEXT(R, uts, 0, "uts", "MODE", "Host name of: host"),                                      \
        TEXT(R, userns, 0, "userns", "MODE", "User namespace: host"),                              \
        TEXT(R, cgroupns, 0, "cgroupns", "MODE", "Cgroup namespace: host, private"),               \
        TEXT(R, runtime, 0, "runtime", "NAME", "The runtime that starts it"),                      \
        TEXT(R, isolation, 0, "isolation", "NAME", NULL),                                          \
        TEXT(R, mac_address, 0, "mac-address", "MAC", "Its MAC address"),                          \
        TEXT(R, ip, 0, "ip", "ADDRESS", "Its IPv4 address"),                                       \
        TEXT(R, ip6, 0, "ip6", "ADDRESS", "Its IPv6 address"),                                     \
        LIST(R, link_local, 0, "link-local-ip", "ADDRESS", "A link-local address"),                \
        INT(R, pids_limit, 0, "pids-limit", "N", "Limit of processes; -1: no limit"),              \
        INT(R, oom_score_adj, 0, "oom-score-adj", "N", "Who ends first, -1000 to 1000"),           \
        LIST(R, attach, 'a', "attach", "STREAM", "Attach to stdin, stdout or stderr"),             \
        LIST(R, env, 'e', "env", "NAME[=VALUE]", "Set a variable, or hand ours on"),               \
        LIST(R, env_file, 0, "env-file", "FILE", "Variables, one a line"),                         \
        LIST(R, volumes, 'v', "volume", "[SOURCE:]TARGET[:MODE]", "A volume or a directory"),      \
        LIST(R, mount, 0, "mount", "FIELDS", "type=…,source=…,target=…[,readonly]…"),              \
        LIST(R, volumes_from, 0, "volumes-from", "CONTAINER[:MODE]", "Another one's volumes"),     \
        TEXT(R, volume_driver, 0, "volume-driver", "NAME", "Driver of its volumes"),               \
        LIST(R, publish, 'p', "publish", "[[IP:]HOST:]PORT[/PROTO]", "Publish a port"),            \
        LIST(R, expose, 0, "expose", "PORT[/PROTO]", "Say that it listens there"),                 \
        LIST(R, labels, 'l', "label", "KEY[=VALUE]", "Meta data"),                                 \
        LIST(R, label_file, 0, "label-file", "FILE", "Meta data, one a line"),                     \
        LIST(R, annotation, 0, "annotation", "KEY=VALUE", "Handed on to the runtime"),             \
        LIST(R, cap_add, 0, "cap-add", "CAP", "Add a capability"),                                 \
        LIST(R, cap_drop, 0, "cap-drop", "CAP", "Take a capability"),                              \
        LIST(R, device, 0, "device", "PATH[:INSIDE[:MODE]]", "A device of the host"),              \
        LIST(R, device_rule, 0, "device-cgroup-rule", "RULE", "c 13:* rwm"),                       \
        TEXT(R, gpus, 0, "gpus", "WHICH", "all, a number, or device=…"),                           \
        LIST(R, group_add, 0, "group-add", "GROUP", "One more group"),                             \
        LIST(R, tmpfs, 0, "tmpfs", "PATH[:OPTIONS]", "A filesystem in memory"),                    \
        LIST(R, dns, 0, "dns", "ADDRESS", "A name server"),                                        \
        LIST(R, dns_option, 0, "dns-option", "OPTION", "Options of the resolver"),                 \
        LIST(R, dns_option, 0, "dns-opt", "OPTION", NULL),                                         \
        LIST(R, dns_search, 0, "dns-search", "DOMAIN", "A search domain"),                         \
        LIST(R, add_host, 0, "add-host", "NAME:ADDRESS", "A line of /etc/hosts"),                  \
        LIST(R, link, 0, "link", "CONTAINER[:NAME]", "A name for another container"),              \
        LIST(R, security_opt, 0, "security-opt", "OPTION",                                         \
             "no-new-privileges, seccomp=FILE, seccomp=unconfined …"),                             \
        LIST(R, storage_opt, 0, "storage-opt", "KEY=VALUE", "Options of the storage driver"),      \
        LIST(R, ulimit, 0, "ulimit", "NAME=SOFT[:HARD]", "Limit of the processes"),                \
        LIST(R, sysctl, 0, "sysctl", "KEY=VALUE", "Kernel setting of its namespaces"),             \
        TEXT(R, health_cmd, 0, "health-cmd", "COMMAND", "What shows that it is well"),             \
        TEXT(R, health_interval, 0, "health-interval", "DURATION", "Time between two probes"),     \
        TEXT(R, health_timeout, 0, "health-timeout", "DURATION", "How long a probe may take"),     \
        INT(R, health_retries, 0, "health-retries", "N", "Failures in a row that count"),          \
        TEXT(R, health_start_period, 0, "health-start-period", "DURATION",                         \
             "Time in which failures do not count"),                                               \
        TEXT(R, health_start_interval, 0, "health-start-interval", "DURATION",                     \
             "Time between probes in it"),                                                         \
        TEXT(R, on_unhealthy, 0, "on-unhealthy", "ACTION",                                         \
             "What follows when it is not: restart, stop, kill or none")

static const struct option_row create_rows[] = {RUN_ROWS};
static const struct option_row run_rows[] = {
    FLAG(R, detach, 'd', "detach", "In the background; print the container's ID"),
    FLAG_ON(R, sig_proxy, 0, "sig-proxy", "Forward signals to the process"),
    TEXT(R, detach_keys, 0, "detach-keys", "KEYS", "Keys that leave it running (ctrl-p,ctrl-q)"),
    TEXT(R, systemd_unit, 0, "systemd-unit", "NAME|PATH",
         "Create it, and let a unit of systemd start it; a path is only written"),
    RUN_ROWS};
#undef R

static struct err make_document(struct invocation *in, struct api_container_create *doc) {
    const struct run_options *o = in->options;
    unsigned rows, columns;
    *doc = (struct api_container_create){0};
    doc->host = arena_alloc(&in->arena, sizeof *doc->host);
    if (o->rm && o->restart && *o->restart && strcmp(o->restart, "no") != 0)
        return err_new(ERR_INVALID,
                       "corten: conflicting options: cannot specify both --restart and --rm");
    if (!o->disable_trust)
        return err_new(ERR_UNSUPPORTED, "corten: --disable-content-trust=false is not supported: "
                                        "there is no notary");
    if (o->systemd_unit && (o->rm || (o->restart && *o->restart && strcmp(o->restart, "no") != 0)))
        return err_new(ERR_INVALID, "corten: conflicting options: with --systemd-unit, systemd "
                                    "starts it again, and it must stay (--rm, --restart)");
    if (o->use_api_socket)
        return err_new(ERR_UNSUPPORTED, "corten: --use-api-socket is not supported; use -v "
                                        "/run/corten/corten.sock:/var/run/docker.sock");
    if (strcmp(o->pull, "always") != 0 && strcmp(o->pull, "never") != 0 &&
        strcmp(o->pull, "missing") != 0)
        return err_new(ERR_INVALID,
                       "corten: invalid pull option: '%s': must be one of \"always\", \"missing\" "
                       "or \"never\"",
                       o->pull);
    terminal_size(&rows, &columns);
    if (o->tty) {
        doc->host->console_size[0] = rows;
        doc->host->console_size[1] = columns;
    }
    TRY(create_config(in, &doc->config));
    return create_host(in, doc);
}

/* --- create
 * --------------------------------------------------------------------------------------------------------
 */

static struct err pull(struct invocation *in, struct client *c, const char *platform) {
    const struct run_options *o = in->options;
    struct progress p = {.quiet = o->quiet, .tty = isatty(2), .out = stderr};
    const char *auth = "";
    TRY(config_auth(in->config, in->args[0], &in->arena, &auth));
    struct err e = client_image_pull(c, cli_with_tag(in->args[0], &in->arena), auth, platform,
                                     progress_show, &p);
    progress_done(&p);
    return e;
}

static struct err create(struct invocation *in, struct client *c,
                         const struct api_container_create *doc, const char **ret_id) {
    const struct run_options *o = in->options;
    struct api_container_created made = {0};
    bool always = !strcmp(o->pull, "always"), never = !strcmp(o->pull, "never");
    const char *platform = o->platform ? o->platform : getenv("DOCKER_DEFAULT_PLATFORM");
    CLEAN_FD int cidfile = -1;
    if (o->cidfile) {
        cidfile = open(o->cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (cidfile < 0 && errno == EEXIST)
            return err_new(ERR_CONFLICT,
                           "corten: container ID file found, make sure the other container isn't "
                           "running or delete %s",
                           o->cidfile);
        if (cidfile < 0)
            return err_errno(errno, "corten: failed to create the container ID file");
    }
    if (always)
        TRY(pull(in, c, platform));
    struct err e = client_container_create(c, o->name, platform, doc, &in->arena, &made);
    if (err_kind(e) == ERR_NOT_FOUND && !never &&
        (strstr(err_msg(e), "No such image") ||
         strstr(err_msg(e), "match the specified platform"))) {
        fprintf(stderr, "Unable to find image '%s%s' locally\n", in->args[0],
                cli_with_tag(in->args[0], &in->arena) == in->args[0] ? "" : ":latest");
        err_free(e);
        TRY(pull(in, c, platform));
        e = client_container_create(c, o->name, platform, doc, &in->arena, &made);
    }
    if (err_failed(e) && o->cidfile)
        unlink(o->cidfile);
    TRY(e);
    for (size_t i = 0; i < made.warnings.n; i++)
        fprintf(stderr, "WARNING: %s\n", made.warnings.items[i]);
    if (o->cidfile && fd_write_all(cidfile, made.id, strlen(made.id)) < 0)
        return err_new(ERR_SYSTEM, "corten: the container ID file cannot be written");
    *ret_id = made.id;
    return OK;
}

static int create_run(struct invocation *in) {
    struct api_container_create doc;
    const char *id = NULL;
    struct err e = make_document(in, &doc);
    if (err_failed(e))
        return cli_fail(e, 125);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    e = create(in, c, &doc, &id);
    if (err_failed(e))
        return cli_fail(e, 1);
    cli_say(in, "id", id);
    return 0;
}

/* --- run
 * -------------------------------------------------------------------------------------------------------------
 */

/* The status of a start that failed, as the peer's CLI reads it from the text. */
int start_failure_status(const char *message) {
    if (strcasestr(message, "executable file not found") ||
        strcasestr(message, "no such file or directory"))
        return 127;
    if (strstr(message, "permission denied") || strstr(message, "is a directory"))
        return 126;
    return 125;
}

static int fail(struct err e) {
    bool ours = !strncmp(err_msg(e), "corten: ", 8);
    int status = start_failure_status(err_msg(e)); /* of our own words, too, as the peer */
    fprintf(stderr, "%s", ours ? "" : "corten: ");
    return cli_fail(e, status);
}

struct attached {
    struct client *stream_client, *wait_client;
    struct client_stream stream;
    struct attached_streams streams;
    struct buf keys;
};

static void attached_done(struct attached *at) {
    client_stream_done(&at->stream);
    client_close(at->stream_client);
    client_close(at->wait_client);
    buf_done(&at->keys);
}

static struct err join(struct invocation *in, struct client *c, const char *id,
                       struct attached *at) {
    const struct run_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    struct client_attach w = {.in = at->streams.in && o->interactive,
                              .out = at->streams.out,
                              .err = at->streams.err,
                              .tty = o->tty,
                              .detach_keys = o->detach_keys};
    if (o->tty)
        TRY(detach_keys_option(o->detach_keys, in, &at->keys));
    TRY(client_open_like(c, &at->stream_client));
    TRY(client_open_like(c, &at->wait_client));
    TRY(client_container_attach(at->stream_client, id, &w, &at->stream));
    client_path(&target, "/containers/", id, "/wait");
    client_query(&target, "condition", o->rm ? "removed" : "next-exit");
    struct client_call call = {.method = "POST", .target = buf_cstr(&target)};
    return client_begin(at->wait_client, &call);
}

static int finish(struct invocation *in, struct client *c, const char *id, struct attached *at) {
    const struct run_options *o = in->options;
    int64_t code = 0;
    struct attach_io io = {.stream = &at->stream,
                           .in = at->streams.in && o->interactive,
                           .tty = o->tty,
                           .control = c,
                           .id = id,
                           .keys = buf_str(&at->keys),
                           .proxy_signals = o->sig_proxy};
    struct err e = attach_run(&io);
    if (!err_failed(e) && !io.detached)
        e = cli_read_wait(at->wait_client, &code);
    return err_failed(e) ? fail(e) : (int)code;
}

static int run_run(struct invocation *in) {
    const struct run_options *o = in->options;
    OWN(attached_done) struct attached at = {.stream.fd = -1};
    struct api_container_create doc;
    const char *id = NULL;
    if (o->detach && o->attach.n)
        return cli_usage(in, "conflicting options: cannot specify both --attach and --detach");
    struct err e = make_document(in, &doc);
    if (!err_failed(e))
        e = create_streams(o, &at.streams);
    if (err_failed(e))
        return cli_fail(e, 125); /* nothing was asked of the daemon yet */
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 125;
    bool attached = !o->systemd_unit && (at.streams.in || at.streams.out || at.streams.err);
    if (!err_failed(e) && o->tty && at.streams.in && o->interactive && !isatty(0)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return 1;
    }
    if (!err_failed(e) && in->json && attached)
        e = err_new(ERR_INVALID, "corten: --json: only with --detach");
    if (!err_failed(e))
        e = create(in, c, &doc, &id);
    if (!err_failed(e) && o->systemd_unit) {
        e = systemd_install(in, c, id, o->systemd_unit);
        if (err_failed(e))
            err_ignore(client_container_remove(c, id, true, true)); /* the first error counts */
        else
            cli_say(in, "id", id);
        return err_failed(e) ? fail(e) : 0;
    }
    if (!err_failed(e) && attached)
        e = join(in, c, id, &at);
    if (!err_failed(e))
        e = client_container_start(c, id, NULL);
    if (err_failed(e))
        return fail(e);
    if (attached)
        return finish(in, c, id, &at);
    cli_say(in, "id", id);
    return 0;
}

const struct command command_create = {.name = "create",
                                       .waits = true,
                                       .alias = "container create",
                                       .usage = "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
                                       .summary = "Create a container",
                                       .json = true,
                                       .names = "image",
                                       OPTIONS_OF(create_rows, struct run_options),
                                       .args_min = 1,
                                       .args_max = -1,
                                       .stop_at_args = true,
                                       .run = create_run};
const struct command command_run = {.name = "run",
                                    .alias = "container run",
                                    .usage = "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
                                    .summary = "Create a container from an image and start it",
                                    .json = true,
                                    .names = "image",
                                    .examples = "corten run --rm -it busybox\ta shell, gone when "
                                                "it ends\n"
                                                "corten run -d --name web -p 8080:80 nginx\ta "
                                                "server in the background\n"
                                                "corten run --rm -v ./src:/src:ro -w /src gcc "
                                                "make\ta tool on files of ours",
                                    OPTIONS_OF(run_rows, struct run_options),
                                    .args_min = 1,
                                    .args_max = -1,
                                    .stop_at_args = true,
                                    .run = run_run};
