/* run and create. */
#include "base/file.h"
#include "cli/commands.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_FILE_MAX (1u << 20)

struct run_options {
    bool detach, interactive, tty, rm, read_only, publish_all, quiet;
    const char *name, *workdir, *user, *entrypoint, *network, *hostname, *memory, *memory_swap,
        *cpus, *restart, *stop_signal, *pull, *log_driver, *cidfile, *shm_size, *platform, *pid,
        *ipc, *uts, *mac_address, *ip, *cpuset_cpus, *domainname;
    int64_t stop_timeout, pids_limit, cpu_shares, oom_score_adj;
    struct strv env, env_file, volumes, publish, expose, labels, cap_add, cap_drop, group_add,
        tmpfs, dns, dns_search, add_host, security_opt, log_opt, ulimit, sysctl;
};
#define R struct run_options
#define RUN_ROWS                                                                                   \
    FLAG(R, interactive, 'i', "interactive", "Keep STDIN open even if not attached"),              \
        FLAG(R, tty, 't', "tty", "Allocate a pseudo-TTY"),                                         \
        FLAG(R, rm, 0, "rm", "Remove the container when it exits"),                                \
        FLAG(R, read_only, 0, "read-only", "Mount the container's root filesystem as read only"),  \
        FLAG(R, publish_all, 'P', "publish-all", "Publish all exposed ports to random ports"),     \
        FLAG(R, quiet, 'q', "quiet", "Suppress the pull output"),                                  \
        TEXT(R, name, 0, "name", "NAME", "Assign a name to the container"),                        \
        TEXT(R, workdir, 'w', "workdir", "DIR", "Working directory inside the container"),         \
        TEXT(R, user, 'u', "user", "NAME|UID[:GROUP|GID]", "User"),                                \
        TEXT(R, entrypoint, 0, "entrypoint", "PROGRAM",                                            \
             "Overwrite the default ENTRYPOINT of the image"),                                     \
        TEXT(R, network, 0, "network", "NETWORK",                                                  \
             "Connect to a network: bridge, host, none or a name"),                                \
        TEXT(R, network, 0, "net", "NETWORK", "Same as --network"),                                \
        TEXT(R, hostname, 'h', "hostname", "NAME", "Container host name"),                         \
        TEXT(R, domainname, 0, "domainname", "NAME", "Container NIS domain name"),                 \
        TEXT(R, memory, 'm', "memory", "BYTES", "Memory limit (512m, 2g)"),                        \
        TEXT(R, memory_swap, 0, "memory-swap", "BYTES", "Memory and swap together; -1: no limit"), \
        TEXT(R, cpus, 0, "cpus", "NUMBER", "Number of CPUs (1.5)"),                                \
        TEXT(R, cpuset_cpus, 0, "cpuset-cpus", "LIST",                                             \
             "CPUs in which to allow execution (0-3, 0,1)"),                                       \
        TEXT(R, restart, 0, "restart", "POLICY", "no, on-failure[:N], always, unless-stopped"),    \
        TEXT(R, stop_signal, 0, "stop-signal", "SIGNAL", "Signal to stop the container"),          \
        TEXT(R, pull, 0, "pull", "POLICY", "Pull the image before: always, missing, never"),       \
        TEXT(R, log_driver, 0, "log-driver", "NAME", "json-file or none"),                         \
        TEXT(R, cidfile, 0, "cidfile", "FILE", "Write the container ID to the file"),              \
        TEXT(R, shm_size, 0, "shm-size", "BYTES", "Size of /dev/shm"),                             \
        TEXT(R, platform, 0, "platform", "OS/ARCH", "Platform of the image"),                      \
        TEXT(R, pid, 0, "pid", "MODE", "PID namespace to use: host"),                              \
        TEXT(R, ipc, 0, "ipc", "MODE", "IPC mode to use"),                                         \
        TEXT(R, uts, 0, "uts", "MODE", "UTS namespace to use: host"),                              \
        TEXT(R, mac_address, 0, "mac-address", "MAC", "Container MAC address"),                    \
        TEXT(R, ip, 0, "ip", "ADDRESS", "IPv4 address on a user-defined network"),                 \
        INT(R, stop_timeout, 0, "stop-timeout", "SECONDS", "Timeout to stop a container"),         \
        INT(R, pids_limit, 0, "pids-limit", "N", "Limit of processes; -1: no limit"),              \
        INT(R, cpu_shares, 'c', "cpu-shares", "N", "CPU shares (relative weight)"),                \
        INT(R, oom_score_adj, 0, "oom-score-adj", "N", "OOM preference (-1000 to 1000)"),          \
        LIST(R, env, 'e', "env", "NAME[=VALUE]", "Set environment variables"),                     \
        LIST(R, env_file, 0, "env-file", "FILE", "Read in a file of environment variables"),       \
        LIST(R, volumes, 'v', "volume", "[SOURCE:]TARGET[:MODE]", "Bind mount a volume"),          \
        LIST(R, publish, 'p', "publish", "[[IP:]HOST:]PORT[/PROTO]",                               \
             "Publish a port to the host"),                                                        \
        LIST(R, expose, 0, "expose", "PORT[/PROTO]", "Expose a port"),                             \
        LIST(R, labels, 'l', "label", "KEY[=VALUE]", "Set meta data"),                             \
        LIST(R, cap_add, 0, "cap-add", "CAP", "Add Linux capabilities"),                           \
        LIST(R, cap_drop, 0, "cap-drop", "CAP", "Drop Linux capabilities"),                        \
        LIST(R, group_add, 0, "group-add", "GROUP", "Additional groups"),                          \
        LIST(R, tmpfs, 0, "tmpfs", "PATH[:OPTIONS]", "Mount a tmpfs directory"),                   \
        LIST(R, dns, 0, "dns", "ADDRESS", "DNS servers"),                                          \
        LIST(R, dns_search, 0, "dns-search", "DOMAIN", "Search domains"),                          \
        LIST(R, add_host, 0, "add-host", "NAME:IP", "Add a line to /etc/hosts"),                   \
        LIST(R, security_opt, 0, "security-opt", "OPTION",                                         \
             "no-new-privileges, seccomp=unconfined …"),                                           \
        LIST(R, log_opt, 0, "log-opt", "KEY=VALUE", "max-size, max-file"),                         \
        LIST(R, ulimit, 0, "ulimit", "NAME=SOFT[:HARD]", "Ulimit options"),                        \
        LIST(R, sysctl, 0, "sysctl", "KEY=VALUE", "Sysctl options")

static const struct option_row create_rows[] = {RUN_ROWS};
static const struct option_row run_rows[] = {
    FLAG(R, detach, 'd', "detach", "Run container in background and print container ID"), RUN_ROWS};
#undef R

/* --- options → document
 * ------------------------------------------------------------------------------------------ */

static void copy_list(const struct strv *from, struct strs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++)
        strs_add(to, a, from->items[i]);
}

static void copy_pairs(const struct strv *from, char separator, struct strmap *to,
                       struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        struct str key, value;
        str_cut(str_of(from->items[i]), separator, &key, &value);
        strmap_set(to, a, arena_str(a, key), arena_str(a, value));
    }
}

/* NAME alone takes the value of our own environment; not set there: left out. */
static void add_env(struct strs *env, struct arena *a, const char *text) {
    const char *value = strchr(text, '=') ? NULL : getenv(text);
    if (strchr(text, '='))
        strs_add(env, a, text);
    else if (value)
        strs_add(env, a, arena_printf(a, "%s=%s", text, value));
}

static struct err read_env_file(struct strs *env, struct arena *a, const char *path) {
    CLEAN_BUF struct buf text = {0};
    TRYF(file_read(path, ENV_FILE_MAX, &text), "corten: --env-file");
    struct str rest = buf_str(&text), line;
    while (str_next(&rest, '\n', &line)) {
        if (str_ends(line, STR("\r")))
            line.len--;
        while (line.len && (line.p[0] == ' ' || line.p[0] == '\t'))
            line = str_from(line, 1);
        if (line.len && line.p[0] != '#')
            add_env(env, a, arena_str(a, line));
    }
    return OK;
}

static struct err read_ulimits(const struct strv *from, struct objs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        struct str name, value, soft, hard;
        struct api_ulimit *u = objs_add(to, a, sizeof *u);
        if (!str_cut(str_of(from->items[i]), '=', &name, &value))
            return err_new(ERR_INVALID, "corten: invalid ulimit argument: %s", from->items[i]);
        bool has_hard = str_cut(value, ':', &soft, &hard);
        u->name = arena_str(a, name);
        TRYF(str_to_i64(soft, -1, INT64_MAX, &u->soft), "corten: --ulimit %s", from->items[i]);
        u->hard = u->soft;
        if (has_hard)
            TRYF(str_to_i64(hard, -1, INT64_MAX, &u->hard), "corten: --ulimit %s", from->items[i]);
    }
    return OK;
}

static struct err read_restart(const char *text, struct api_restart_policy *ret, struct arena *a) {
    struct str name, count;
    bool has_count = str_cut(str_of(text), ':', &name, &count);
    ret->name = arena_str(a, name);
    return has_count ? err_wrap(str_to_i64(count, 0, INT32_MAX, &ret->maximum_retry_count),
                                "corten: --restart %s", text)
                     : OK;
}

/* Relative sources are relative to where we are. */
static void add_volume(struct strs *binds, struct arena *a, const char *text) {
    char cwd[4096];
    if (text[0] == '.' && strchr(text, ':') && getcwd(cwd, sizeof cwd)) {
        const char *rest = !strncmp(text, "./", 2) ? text + 2 : text[1] == ':' ? text + 1 : text;
        strs_add(binds, a,
                 rest[0] == ':' ? arena_printf(a, "%s%s", cwd, rest)
                                : arena_printf(a, "%s/%s", cwd, rest));
    } else {
        strs_add(binds, a, text);
    }
}

static struct err fill_resources(const struct run_options *o, struct api_resources *r,
                                 struct arena *a) {
    if (o->memory)
        TRY(size_option(o->memory, &r->memory));
    if (o->memory_swap && !strcmp(o->memory_swap, "-1"))
        r->memory_swap = -1;
    else if (o->memory_swap)
        TRY(size_option(o->memory_swap, &r->memory_swap));
    if (o->cpus)
        TRY(cpus_option(o->cpus, &r->nano_cpus));
    r->cpu_shares = o->cpu_shares;
    r->cpuset_cpus = arena_strz(a, o->cpuset_cpus);
    if (o->pids_limit) {
        r->pids_limit = arena_alloc(a, sizeof *r->pids_limit);
        *r->pids_limit = o->pids_limit;
    }
    return read_ulimits(&o->ulimit, &r->ulimits, a);
}

static struct err fill_host(const struct run_options *o, struct api_host_config *h,
                            struct arena *a) {
    h->auto_remove = o->rm;
    h->readonly_rootfs = o->read_only;
    h->publish_all_ports = o->publish_all;
    h->network_mode = arena_strz(a, o->network ? o->network : "default");
    h->pid_mode = arena_strz(a, o->pid);
    h->ipc_mode = arena_strz(a, o->ipc);
    h->uts_mode = arena_strz(a, o->uts);
    h->oom_score_adj = o->oom_score_adj;
    h->log_config.type = arena_strz(a, o->log_driver);
    for (size_t i = 0; i < o->volumes.n; i++)
        if (strchr(o->volumes.items[i], ':'))
            add_volume(&h->binds, a, o->volumes.items[i]);
    copy_list(&o->cap_add, &h->cap_add, a);
    copy_list(&o->cap_drop, &h->cap_drop, a);
    copy_list(&o->group_add, &h->group_add, a);
    copy_list(&o->dns, &h->dns, a);
    copy_list(&o->dns_search, &h->dns_search, a);
    copy_list(&o->add_host, &h->extra_hosts, a);
    copy_list(&o->security_opt, &h->security_opt, a);
    copy_pairs(&o->tmpfs, ':', &h->tmpfs, a);
    copy_pairs(&o->log_opt, '=', &h->log_config.config, a);
    copy_pairs(&o->sysctl, '=', &h->sysctls, a);
    if (o->shm_size)
        TRY(size_option(o->shm_size, &h->shm_size));
    if (o->restart)
        TRY(read_restart(o->restart, &h->restart_policy, a));
    return fill_resources(o, &h->resources, a);
}

static struct err fill_config(const struct run_options *o, struct invocation *in,
                              struct api_config *c, struct arena *a) {
    c->image = in->args[0];
    c->hostname = arena_strz(a, o->hostname);
    c->domainname = arena_strz(a, o->domainname);
    c->user = arena_strz(a, o->user);
    c->working_dir = arena_strz(a, o->workdir);
    c->stop_signal = arena_strz(a, o->stop_signal);
    c->tty = o->tty;
    c->open_stdin = o->interactive;
    c->stdin_once = o->interactive && !o->detach;
    c->attach_stdin = o->interactive && !o->detach;
    c->attach_stdout = c->attach_stderr = !o->detach;
    for (int i = 1; i < in->args_n; i++)
        strs_add(&c->cmd, a, in->args[i]);
    if (o->entrypoint)
        strs_add(&c->entrypoint, a, o->entrypoint);
    for (size_t i = 0; i < o->env_file.n; i++)
        TRY(read_env_file(&c->env, a, o->env_file.items[i]));
    for (size_t i = 0; i < o->env.n; i++)
        add_env(&c->env, a, o->env.items[i]);
    for (size_t i = 0; i < o->volumes.n; i++)
        if (!strchr(o->volumes.items[i], ':'))
            strs_add(&c->volumes, a, o->volumes.items[i]);
    copy_pairs(&o->labels, '=', &c->labels, a);
    if (o->stop_timeout) {
        c->stop_timeout = arena_alloc(a, sizeof *c->stop_timeout);
        *c->stop_timeout = o->stop_timeout;
    }
    return OK;
}

static struct err make_document(struct invocation *in, struct api_container_create *doc) {
    const struct run_options *o = in->options;
    struct arena *a = &in->arena;
    *doc = (struct api_container_create){0};
    doc->host = arena_alloc(a, sizeof *doc->host);
    TRY(fill_config(o, in, &doc->config, a));
    TRY(fill_host(o, doc->host, a));
    for (size_t i = 0; i < o->publish.n; i++)
        TRY(port_option(o->publish.items[i], &doc->host->port_bindings, &doc->config.exposed_ports,
                        a));
    for (size_t i = 0; i < o->expose.n; i++)
        strs_add(&doc->config.exposed_ports, a,
                 strchr(o->expose.items[i], '/') ? o->expose.items[i]
                                                 : arena_printf(a, "%s/tcp", o->expose.items[i]));
    if (o->ip || o->mac_address) {
        doc->networking = arena_alloc(a, sizeof *doc->networking);
        struct api_endpoint *e = objmap_add(&doc->networking->endpoints, a, doc->host->network_mode,
                                            sizeof *e);
        e->mac_address = arena_strz(a, o->mac_address);
        if (o->ip) {
            e->ipam_config = arena_alloc(a, sizeof *e->ipam_config);
            e->ipam_config->ipv4_address = arena_strz(a, o->ip);
        }
    }
    return OK;
}

/* --- create
 * --------------------------------------------------------------------------------------------------------
 */

static struct err pull(struct invocation *in, struct client *c) {
    const struct run_options *o = in->options;
    struct progress p = {.quiet = o->quiet, .tty = isatty(1)};
    struct err e = client_image_pull(c, in->args[0], NULL, o->platform, progress_show, &p);
    progress_done(&p);
    return e;
}

static struct err create(struct invocation *in, struct client *c, const char **ret_id) {
    const struct run_options *o = in->options;
    struct api_container_create doc;
    struct api_container_created made = {0};
    bool always = o->pull && !strcmp(o->pull, "always"),
         never = o->pull && !strcmp(o->pull, "never");
    if (o->pull && !always && !never && strcmp(o->pull, "missing") != 0)
        return err_new(ERR_INVALID,
                       "corten: invalid pull option: '%s': must be one of \"always\", \"missing\" "
                       "or \"never\"",
                       o->pull);
    TRY(make_document(in, &doc));
    if (always)
        TRY(pull(in, c));
    struct err e = client_container_create(c, o->name, o->platform, &doc, &in->arena, &made);
    if (err_kind(e) == ERR_NOT_FOUND && !never && strstr(err_msg(e), "No such image")) {
        fprintf(stderr, "Unable to find image '%s%s' locally\n", in->args[0],
                strrchr(in->args[0], ':') ? "" : ":latest");
        err_free(e);
        TRY(pull(in, c));
        e = client_container_create(c, o->name, o->platform, &doc, &in->arena, &made);
    }
    TRY(e);
    for (size_t i = 0; i < made.warnings.n; i++)
        fprintf(stderr, "WARNING: %s\n", made.warnings.items[i]);
    if (o->cidfile)
        TRYF(file_replace(o->cidfile, str_of(made.id), 0644, false), "corten: --cidfile");
    *ret_id = made.id;
    return OK;
}

static int create_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    const char *id = NULL;
    if (!c)
        return 1;
    struct err e = create(in, c, &id);
    if (err_failed(e))
        return cli_fail(e, 1);
    printf("%s\n", id);
    return 0;
}

/* --- run
 * -------------------------------------------------------------------------------------------------------------
 */

/* The status of a start that failed, as the peer's CLI reads it from the text. */
int start_failure_status(const char *message) {
    if (strstr(message, "executable file not found") ||
        strstr(message, "no such file or directory"))
        return 127;
    if (strstr(message, "permission denied") || strstr(message, "is a directory"))
        return 126;
    return 125;
}

static int fail(struct err e) {
    int status = start_failure_status(err_msg(e));
    fprintf(stderr, "corten: ");
    return cli_fail(e, status);
}

struct attached {
    struct client *stream_client, *wait_client;
    struct client_stream stream;
};

static struct err join(struct invocation *in, struct client *c, const char *id,
                       struct attached *at) {
    const struct run_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    struct client_attach w = {.in = o->interactive, .out = true, .err = true, .tty = o->tty};
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
                           .in = o->interactive,
                           .tty = o->tty,
                           .control = c,
                           .id = id,
                           .proxy_signals = true};
    struct err e = attach_run(&io);
    if (!err_failed(e) && !io.detached)
        e = cli_read_wait(at->wait_client, &code);
    return err_failed(e) ? fail(e) : (int)code;
}

static int run_run(struct invocation *in) {
    const struct run_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct attached at = {.stream.fd = -1};
    const char *id = NULL;
    if (!c)
        return 125;
    if (o->tty && o->interactive && !o->detach && !isatty(0)) {
        fprintf(stderr, "the input device is not a TTY\n");
        return 1;
    }
    struct err e = create(in, c, &id);
    if (!err_failed(e) && !o->detach)
        e = join(in, c, id, &at);
    if (!err_failed(e))
        e = client_container_start(c, id, NULL);
    int status;
    if (err_failed(e)) {
        status = fail(e);
    } else if (o->detach) {
        printf("%s\n", id);
        status = 0;
    } else {
        status = finish(in, c, id, &at);
    }
    client_stream_done(&at.stream);
    client_close(at.stream_client);
    client_close(at.wait_client);
    return status;
}

const struct command command_create = {.name = "create",
                                       .alias = "container create",
                                       .usage = "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
                                       .summary = "Create a new container",
                                       OPTIONS_OF(create_rows, struct run_options),
                                       .args_min = 1,
                                       .args_max = -1,
                                       .stop_at_args = true,
                                       .run = create_run};
const struct command command_run = {.name = "run",
                                    .alias = "container run",
                                    .usage = "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
                                    .summary = "Create and run a new container from an image",
                                    OPTIONS_OF(run_rows, struct run_options),
                                    .args_min = 1,
                                    .args_max = -1,
                                    .stop_at_args = true,
                                    .run = run_run};
