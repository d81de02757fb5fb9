/* build/run.c - RUN: a container on the step image, its upper directory as the next layer. */
#include "base/file.h"
#include "base/path.h"
#include "build/explain.h"
#include "build/lane.h"
#include "build/run_mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct run {
    struct build *build;
    struct state *state;
    const struct instr *instr;
    struct strs args; /* the whole command line */
    struct strs env;
    const char *script; /* a heredoc that begins with "#!": its text, else NULL */
    const char *script_name;
    char *container; /* id, while it exists */
    struct step_mounts mounts;
};

/* The line that the shell gets: heredocs are put back, a body alone is the script itself. */
static void command_line(struct run *r) {
    const struct node *n = r->instr->node;
    struct arena *a = r->state->arena;
    struct command c = r->instr->command;
    if (n->heredocs_n && c.shell) {
        CLEAN_BUF struct buf line = {0};
        char *text = heredoc_text(&n->heredocs[0], a);
        if (n->heredocs[0].whole && str_starts(str_of(text), STR("#!"))) {
            r->script = text;
            r->script_name = n->heredocs[0].name;
            buf_addf(&line, "/dev/pipes/%s", r->script_name);
        } else if (n->heredocs[0].whole) {
            buf_adds(&line, text);
        } else {
            buf_adds(&line, c.words[0]);
            for (size_t i = 0; i < n->heredocs_n; i++)
                buf_addf(&line, "\n%s%s", n->heredocs[i].content, n->heredocs[i].name);
        }
        c.words = arena_array(a, 1, sizeof(char *));
        c.words[0] = arena_str(a, buf_str(&line));
        c.n = 1;
    }
    r->args = state_command(r->state, &c);
}

static void environment(struct run *r) {
    struct arena *a = r->state->arena;
    const struct strmap *vars = &r->state->vars;
    for (size_t i = 0; i < vars->n; i++)
        strs_add(&r->env, a, arena_printf(a, "%s=%s", vars->items[i].key, vars->items[i].value));
}

/* Proxy arguments reach the command without ARG, and stay out of key and history (Dockerfile
 * reference, "Predefined ARGs"). */
static void proxies(struct run *r) {
    static const char *const names[] = {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                        "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                        "ALL_PROXY",  "all_proxy"};
    struct arena *a = r->state->arena;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct build_arg *arg = request_arg(r->build->request, names[i]);
        if (arg && arg->value && !strmap_get(&r->state->vars, names[i]))
            strs_add(&r->env, a, arena_printf(a, "%s=%s", names[i], arg->value));
    }
}

static void key_environment(struct run *r, struct key *k) {
    for (size_t i = 0; i < r->env.n; i++) {
        struct str name, value;
        str_cut(str_of(r->env.items[i]), '=', &name, &value);
        key_part(k, arena_printf(r->state->arena, "variable %.*s", STR_ARG(name)));
        key_addz(k, r->env.items[i]);
    }
}

static struct err run_key(struct run *r, struct stage *stage, struct key *k) {
    CLEAN_BUF struct buf host = {0};
    const struct api_config *c = &r->state->image.config;
    const struct run_spec *spec = &r->instr->run;
    char text[KEY_TEXT];
    key_begin(k, "run", r->state->layers);
    key_part(k, "the command");
    key_add_list(k, &r->args);
    key_environment(r, k);
    key_part(k, "the working directory");
    key_addz(k, c->working_dir);
    key_part(k, "the user");
    key_addz(k, c->user);
    key_part(k, "the script");
    key_addz(k, r->script);
    /* Network, hosts and limits: a step may come out differently with others. */
    key_part(k, "network, hosts or limits of the build");
    fields_print(&api_host_config_fields, &r->build->request->host, &host);
    key_add(k, buf_str(&host));
    key_part(k, "--network");
    key_addz(k, spec->network == NETWORK_DEFAULT ? NULL
                : spec->network == NETWORK_NONE  ? "none"
                                                 : "host");
    key_part(k, "SOURCE_DATE_EPOCH");
    key_add(k, str_n(&r->build->request->latest, sizeof(int64_t)));
    key_part(k, "--security");
    key_addz(k, spec->insecure ? "insecure" : NULL);
    TRY(step_mounts_find(r->build, stage, r->instr, k, &r->mounts));
    key_end(k, text);
    return OK;
}

/* "RUN |1 A=b /bin/sh -c …" */
static char *created_by(struct run *r) {
    CLEAN_BUF struct buf b = {0};
    const struct strmap *args = &r->state->args;
    buf_adds(&b, "RUN");
    if (args->n)
        buf_addf(&b, " |%zu", args->n);
    for (size_t i = 0; i < args->n; i++) {
        const char *v = strmap_get(&r->state->vars, args->items[i].key);
        buf_addf(&b, " %s=%s", args->items[i].key, v ? v : args->items[i].value);
    }
    for (size_t i = 0; i < r->args.n; i++)
        buf_addf(&b, " %s", r->args.items[i]);
    return arena_str(r->state->arena, buf_str(&b));
}

/* The script as a file of the builder's directory, mounted where BuildKit puts it. */
static struct err script_mount(struct run *r, struct api_host_config *host) {
    struct context *c = r->build->context;
    struct arena *a = r->state->arena;
    if (!path_is_name(str_of(r->script_name)) || strchr(r->script_name, ':'))
        return err_new(ERR_INVALID, "heredoc name '%s' cannot be a file's name", r->script_name);
    char *name = arena_printf(a, "%u", context_serial(c));
    CLEAN_FD
    int fd = openat(c->temp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (fd < 0)
        return err_errno(errno, "make a script file");
    int rc = fd_write_all(fd, r->script, strlen(r->script));
    if (rc < 0)
        return err_errno(rc, "write a script file");
    strs_add(&host->binds, a,
             arena_printf(a, "%s/%s:/dev/pipes/%s:ro", c->temp_path, name, r->script_name));
    return OK;
}

/* What goes beyond the sandbox must have been allowed by who builds, not by who wrote the file. */
static struct err entitled(struct run *r, struct api_host_config *host) {
    const struct run_spec *spec = &r->instr->run;
    const struct build *b = r->build;
    const char *mode = b->request->host.network_mode;
    if (spec->network == NETWORK_HOST && !strs_has(&b->job->allow, "network.host") &&
        (!mode || strcmp(mode, "host") != 0))
        return err_new(ERR_FORBIDDEN, "RUN --network=host needs the build to allow network.host");
    if (spec->insecure && !strs_has(&b->job->allow, "security.insecure"))
        return err_new(ERR_FORBIDDEN,
                       "RUN --security=insecure needs the build to allow security.insecure");
    if (spec->network != NETWORK_DEFAULT)
        host->network_mode = arena_strz(r->state->arena,
                                        spec->network == NETWORK_NONE ? "none" : "host");
    host->privileged = spec->insecure;
    return OK;
}

static struct err create(struct run *r) {
    struct build *b = r->build;
    struct arena *a = r->state->arena;
    const struct api_config *c = &r->state->image.config;
    struct api_host_config host = b->request->host;
    struct api_container_create in = {.host = &host};
    struct api_container_created created = {0};
    TRY(entitled(r, &host));
    proxies(r);
    TRY(step_mounts_make(b, r->instr, &r->mounts, &host, &r->env));
    in.config = (struct api_config){.image = r->state->layers,
                                    .cmd = r->args,
                                    .env = r->env,
                                    .user = c->user,
                                    .working_dir = c->working_dir,
                                    .attach_stdout = true,
                                    .attach_stderr = true};
    strmap_set(&in.config.labels, a, BUILD_LABEL, b->job->id);
    if (!host.network_mode || !*host.network_mode)
        host.network_mode = arena_strz(a, "default");
    if (r->script)
        TRY(script_mount(r, &host));
    TRY(AWAIT(b, client_container_create(b->client, NULL, NULL, &in, a, &created)));
    r->container = created.id;
    return report_text(b->report, " ---> Running in %.*s\n", STR_ARG(image_short(created.id)));
}

static struct err output(struct run *r, struct client_stream *s) {
    struct build *b = r->build;
    char p[32768];
    for (;;) {
        int which;
        if (s->in.len == 0)
            TRY(report_wait(b->report, s->fd));
        ssize_t n = client_stream_read(s, p, sizeof(p), &which);
        if (n < 0)
            return err_errno((int)n, "read the output of container %.*s",
                             STR_ARG(image_short(r->container)));
        if (n == 0)
            return OK;
        turn_take(b);
        struct err e = (which == 2 ? report_stderr : report_bytes)(b->report, str_n(p, (size_t)n));
        turn_leave(b);
        TRY(e);
    }
}

/* Without the turn. */
static struct err start_and_follow(struct run *r, int64_t *ret_status) {
    struct build *b = r->build;
    CLEAN_CLIENT struct client *second = NULL;
    CLEAN_STREAM_CLIENT struct client_stream s = {.fd = -1};
    struct client_attach how = {.out = true, .err = true};
    TRY(client_open_like(b->client, &second));
    TRY(client_container_attach(second, r->container, &how, &s));
    TRY(client_container_start(b->client, r->container, NULL));
    TRY(output(r, &s));
    return client_container_wait(b->client, r->container, "not-running", ret_status);
}

static struct err failed(struct run *r, int64_t status) {
    CLEAN_BUF struct buf line = {0};
    for (size_t i = 0; i < r->args.n; i++)
        buf_addf(&line, "%s%s", i ? " " : "", r->args.items[i]);
    r->build->report->out->code = status;
    return err_new(ERR_SYSTEM, "The command '%s' returned a non-zero code: %lld", buf_cstr(&line),
                   (long long)status);
}

static struct err perform(struct run *r, const char *key, char **ret_image) {
    int64_t status;
    TRY(create(r));
    TRY(AWAIT(r->build, start_and_follow(r, &status)));
    if (status != 0)
        return failed(r, status);
    char *container = r->container;
    TRY(AWAIT(r->build, daemon_commit(r->build->client, container, key, r->build->request->latest,
                                      r->state->arena, ret_image)));
    r->container = NULL;
    cache_note(r->build, key, *ret_image);
    return report_text(r->build->report, " ---> Removed intermediate container %.*s\n",
                       STR_ARG(image_short(container)));
}

static void run_done(struct run *r) {
    step_mounts_done(&r->mounts);
}

struct err step_run(struct build *b, struct stage *stage, const struct instr *in) {
    struct state *s = &stage->state;
    OWN(run_done) struct run r = {.build = b, .state = s, .instr = in};
    CLEAN_KEY struct key key = {0};
    char *image;
    command_line(&r);
    environment(&r);
    TRY(run_key(&r, stage, &key));
    char *text = created_by(&r);
    TRY(step_cached(b, key.text, &image));
    TRY(explain_step(b, stage, in, &key, NULL, image));
    if (!image && !platform_runs(&stage->platform))
        return dockerfile_locate(s->file, in->node,
                                 err_new(ERR_UNSUPPORTED,
                                         "RUN for %s/%s needs such a machine, or an enabled "
                                         "qemu interpreter in binfmt_misc",
                                         stage->platform.os, stage->platform.arch));
    if (!image) {
        struct err e = perform(&r, key.text, &image);
        if (err_failed(e) && r.container)
            /* The error counts; what stays behind is removed by the daemon at our end. */
            err_ignore(AWAIT(b, client_container_remove(b->client, r.container, true, true)));
        struct err rest = step_mounts_end(b, &r.mounts);
        if (err_failed(e))
            err_ignore(rest); /* as above */
        else
            e = rest;
        TRY(e);
    }
    return step_done(b, s, image, text, true);
}
