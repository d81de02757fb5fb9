/* build: starts corten-build beside this program, on a directory of ours. */
#include "base/file.h"
#include "base/path.h"
#include "base/random.h"
#include "base/sha256.h"
#include "cli/commands.h"
#include "kernel/spawn.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct build_options {
    bool no_cache, pull, quiet;
    const char *file, *target, *network, *iidfile, *platform;
    struct strv tags, build_args, labels, secrets, ssh, allow;
};
static const struct option_row build_rows[] = {
    LIST(struct build_options, tags, 't', "tag", "NAME[:TAG]", "Name and optionally a tag"),
    TEXT(struct build_options, file, 'f', "file", "PATH",
         "Name of the Dockerfile, relative to the context"),
    LIST(struct build_options, build_args, 0, "build-arg", "NAME=VALUE",
         "Set build-time variables"),
    LIST(struct build_options, secrets, 0, "secret", "id=NAME[,src=FILE|,env=VAR]",
         "Secret for RUN --mount=type=secret"),
    LIST(struct build_options, ssh, 0, "ssh", "default|NAME[=SOCKET]",
         "SSH agent's socket for RUN --mount=type=ssh"),
    LIST(struct build_options, allow, 0, "allow", "ENTITLEMENT",
         "Allow network.host or security.insecure to RUN"),
    LIST(struct build_options, labels, 0, "label", "KEY=VALUE", "Set metadata for an image"),
    TEXT(struct build_options, target, 0, "target", "STAGE", "Set the target build stage to build"),
    TEXT(struct build_options, network, 0, "network", "MODE",
         "Networking mode for the RUN instructions: default, none, host"),
    TEXT(struct build_options, iidfile, 0, "iidfile", "FILE", "Write the image ID to the file"),
    TEXT(struct build_options, platform, 0, "platform", "OS/ARCH", "Platform to build for"),
    FLAG(struct build_options, no_cache, 0, "no-cache", "Do not use cache when building the image"),
    FLAG(struct build_options, pull, 0, "pull",
         "Always attempt to pull a newer version of the image"),
    FLAG(struct build_options, quiet, 'q', "quiet",
         "Suppress the build output and print image ID on success"),
};

/* NAME=VALUE pairs as the JSON object that the API takes; NAME alone: our environment's value. */
static void pairs_query(struct buf *query, const char *key, const struct strv *pairs) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (pairs->n == 0)
        return;
    jo_obj(&jo);
    for (size_t i = 0; i < pairs->n; i++) {
        struct str name, value;
        bool has_value = str_cut(str_of(pairs->items[i]), '=', &name, &value);
        jo_keys(&jo, name);
        CLEAN_FREE char *z = str_dup(name);
        if (has_value)
            jo_str(&jo, value);
        else
            jo_strz(&jo, getenv(z));
    }
    jo_obj_end(&jo);
    client_query(query, key, buf_cstr(&text));
}

static void make_query(const struct build_options *o, struct buf *query) {
    for (size_t i = 0; i < o->tags.n; i++)
        client_query(query, "t", o->tags.items[i]);
    client_query(query, "dockerfile", o->file);
    client_query(query, "target", o->target);
    client_query(query, "networkmode", o->network);
    client_query(query, "platform", o->platform);
    client_query_bool(query, "nocache", o->no_cache);
    client_query_bool(query, "pull", o->pull);
    client_query_bool(query, "q", o->quiet);
    client_query_bool(query, "rm", true);
    pairs_query(query, "buildargs", &o->build_args);
    pairs_query(query, "labels", &o->labels);
}

/* A path as the builder will open it, whatever its working directory. */
static struct err absolute(struct arena *a, const char *path, char **ret) {
    char cwd[PATH_MAX];
    if (!path_is_abs(str_of(path)) && !getcwd(cwd, sizeof(cwd)))
        return err_errno(errno, "corten: find the working directory");
    CLEAN_FREE char *joined = path_is_abs(str_of(path)) ? mem_strdup(path) : path_join(cwd, path);
    *ret = arena_strz(a, joined);
    return OK;
}

static struct err secret_option(struct arena *a, const char *text, struct build_secret *ret) {
    struct str rest = str_of(text), one, k, v;
    *ret = (struct build_secret){0};
    while (str_next(&rest, ',', &one)) {
        bool has_value = str_cut(one, '=', &k, &v);
        char *value = arena_str(a, v);
        if (has_value && str_eqz(k, "id"))
            ret->id = value;
        else if (has_value && (str_eqz(k, "src") || str_eqz(k, "source")))
            TRY(absolute(a, value, &ret->path));
        else if (has_value && str_eqz(k, "env"))
            ret->env = value;
        else if (!has_value || !str_eqz(k, "type") || (!str_eqz(v, "file") && !str_eqz(v, "env")))
            return err_new(ERR_INVALID, "corten: unexpected '%.*s' in --secret '%s'", STR_ARG(one),
                           text);
    }
    if (!ret->id || !*ret->id)
        return err_new(ERR_INVALID, "corten: --secret '%s' has no id", text);
    /* As the peer: an id alone is a variable of that name, or a file. */
    if (!ret->path && !ret->env && getenv(ret->id))
        ret->env = ret->id;
    else if (!ret->path && !ret->env)
        TRY(absolute(a, ret->id, &ret->path));
    return OK;
}

static struct err ssh_option(struct arena *a, const char *text, struct strmap *ret) {
    struct str id, path;
    bool has_path = str_cut(str_of(text), '=', &id, &path);
    const char *socket = has_path ? arena_str(a, path) : getenv("SSH_AUTH_SOCK");
    struct stat st;
    char *full;
    if (!socket || !*socket)
        return err_new(ERR_INVALID, "corten: --ssh %s: SSH_AUTH_SOCK is not set", text);
    if (stat(socket, &st) != 0)
        return err_errno(errno, "corten: --ssh %s", text);
    if (!S_ISSOCK(st.st_mode))
        return err_new(ERR_UNSUPPORTED,
                       "corten: --ssh %s: keys are not supported, give an agent's socket", text);
    TRY(absolute(a, socket, &full));
    strmap_set(ret, a, arena_str(a, id), full);
    return OK;
}

static struct err grants(const struct build_options *o, struct arena *a, struct build_job *job) {
    for (size_t i = 0; i < o->secrets.n; i++)
        TRY(secret_option(a, o->secrets.items[i],
                          objs_add(&job->secrets, a, sizeof(struct build_secret))));
    for (size_t i = 0; i < o->ssh.n; i++)
        TRY(ssh_option(a, o->ssh.items[i], &job->ssh));
    for (size_t i = 0; i < o->allow.n; i++) {
        const char *what = o->allow.items[i];
        if (strcmp(what, "network.host") != 0 && strcmp(what, "security.insecure") != 0)
            return err_new(ERR_INVALID, "corten: unknown entitlement '%s'", what);
        strs_add(&job->allow, a, what);
    }
    return OK;
}

/* Where this user's builds of this context remember the digests of its files. */
static char *digests_file(struct arena *a, const char *context) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *hex = NULL;
    struct err e = cli_hash(context, a, &hex);
    if (err_failed(e)) {
        err_free(e); /* without OpenSSL nothing is remembered */
        return arena_strz(a, "");
    }
    if (cache && *cache == '/')
        return arena_printf(a, "%s/corten/build/%.32s", cache, hex);
    if (home && *home == '/')
        return arena_printf(a, "%s/.cache/corten/build/%.32s", home, hex);
    return arena_strz(a, "");
}

/* Started by the kernel's own path of this program. */
static struct err builder_path(char out[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0)
        return err_errno(errno, "corten: find this program's own path");
    struct str dir = path_dir(str_n(out, (size_t)n));
    if (dir.len + sizeof "/corten-build" > PATH_MAX)
        return err_new(ERR_INVALID, "corten: the path of this program is too long");
    memcpy(out + dir.len, "/corten-build", sizeof "/corten-build");
    return OK;
}

static struct err run_builder(struct str job, int *ret_status) {
    char program[PATH_MAX];
    CLEAN_FD int fd = memfd_create("build-job", MFD_CLOEXEC);
    TRY(builder_path(program));
    if (fd < 0 || fd_write_all(fd, job.p, job.len) < 0 || lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(errno, "corten: write the build's job");
    const struct spawn_fd fds[] = {{0, 0}, {1, 1}, {2, 2}, {fd, BUILD_JOB_FD}};
    char *argv[] = {(char *)"corten-build", NULL};
    struct spawn s = {.program = program,
                      .argv = argv,
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds),
                      .death_signal = 15};
    struct spawned p;
    TRYF(spawn(&s, &p), "corten: start the builder");
    int status = 0;
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        ;
    fd_close(p.pidfd);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return OK;
}

static int build_run(struct invocation *in) {
    const struct build_options *o = in->options;
    CLEAN_BUF struct buf query = {0}, job_text = {0};
    char id[65], context[PATH_MAX], iidfile[PATH_MAX] = "";
    int status = 1;
    if (!realpath(in->args[0], context)) {
        fprintf(stderr, "corten: context '%s': %s\n", in->args[0], strerror(errno));
        return 1;
    }
    if (o->iidfile) {
        char *cwd = getcwd(iidfile, sizeof iidfile);
        CLEAN_FREE char *path = path_is_abs(str_of(o->iidfile)) || !cwd
                                    ? mem_strdup(o->iidfile)
                                    : path_join(cwd, o->iidfile);
        snprintf(iidfile, sizeof iidfile, "%s", path);
    }
    random_id(id);
    make_query(o, &query);
    const char *tmp = getenv("TMPDIR");
    struct build_job job = {
        .host = (char *)in->host,
        .id = id,
        .query = query.len ? query.data + 1 : (char *)"",
        .temp_dir = (char *)(tmp && *tmp ? tmp : "/tmp"),
        .registry_config = (char *)"",
        .context = context,
        .id_file = iidfile,
        .digests = digests_file(&in->arena, context),
    };
    struct err e = grants(o, &in->arena, &job);
    if (err_failed(e))
        return cli_fail(e, 1);
    fields_print(&build_job_fields, &job, &job_text);
    e = run_builder(buf_str(&job_text), &status);
    return err_failed(e) ? cli_fail(e, 1) : status;
}

const struct command command_build = {.name = "build",
                                      .alias = "image build, builder build",
                                      .usage = "build [OPTIONS] PATH",
                                      .summary = "Build an image from a Dockerfile",
                                      OPTIONS_OF(build_rows, struct build_options),
                                      .args_min = 1,
                                      .args_max = 1,
                                      .run = build_run};
