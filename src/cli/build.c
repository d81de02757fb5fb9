/* build: starts corten-build beside this program, on a directory of ours. */
#include "base/file.h"
#include "base/path.h"
#include "base/random.h"
#include "cli/commands.h"
#include "kernel/spawn.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct build_options {
    bool no_cache, pull, quiet;
    const char *file, *target, *network, *iidfile, *platform;
    struct strv tags, build_args, labels;
};
static const struct option_row build_rows[] = {
    LIST(struct build_options, tags, 't', "tag", "NAME[:TAG]", "Name and optionally a tag"),
    TEXT(struct build_options, file, 'f', "file", "PATH",
         "Name of the Dockerfile, relative to the context"),
    LIST(struct build_options, build_args, 0, "build-arg", "NAME=VALUE",
         "Set build-time variables"),
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
    };
    fields_print(&build_job_fields, &job, &job_text);
    struct err e = run_builder(buf_str(&job_text), &status);
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
