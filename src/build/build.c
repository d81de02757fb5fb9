/* build/build.c - the program: job in, answer out. */
#include "build/build.h"
#include "base/file.h"
#include "base/time.h"
#include "build/check.h"
#include "build/fetch.h"
#include "build/lane.h"
#include "kernel/oom.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_STATE_MAX (4u << 20)

/* A descriptor's content from its beginning (memfd) or from here (pipe). */
static struct err read_fd(int fd, size_t max, const char *what, struct buf *ret) {
    (void)lseek(fd, 0, SEEK_SET);
    ret->max = max;
    int rc = fd_read_buf(fd, ret);
    if (rc < 0)
        return err_errno(rc, "read %s from descriptor %d", what, fd);
    if (ret->overflow)
        return err_new(ERR_INVALID, "%s is larger than %zu bytes", what, max);
    return OK;
}

static struct err read_job(struct arena *a, struct build_job *ret) {
    CLEAN_BUF struct buf text = {0};
    TRY(read_fd(BUILD_JOB_FD, BUILD_JOB_MAX, "the job", &text));
    return err_wrap(fields_decode_strict(&build_job_fields, buf_str(&text), a, ret), "job");
}

static void body_free(struct http_body **b) {
    if (*b)
        http_body_free(*b);
}

static struct err receive(struct context *c) {
    CLEAN_BUF struct buf packed = {0};
    OWN(body_free) struct http_body *body = NULL;
    struct http_body_state state;
    struct str early;
    TRY(read_fd(BUILD_BODY_FD, BODY_STATE_MAX, "the body's state", &packed));
    TRY(http_body_unpack(buf_str(&packed), &state, &early));
    body = http_body_new(BUILD_SOCKET_FD, &state, early);
    return context_receive(c, body);
}

/* A context from elsewhere: a repository, an archive, or a Dockerfile alone. */
static struct err remote(struct build *b, struct context *c) {
    const char *url = b->request->remote, *name, *commit;
    int root;
    if (source_is_git(url)) {
        struct git_source git;
        TRY(git_source_parse(url, b->arena, &git));
        return fetch_git(b, &git, &c->root_fd, &commit);
    }
    if (!source_is_url(url))
        return err_new(ERR_INVALID, "remote context '%s' is neither a URL nor a git repository",
                       url);
    TRY(fetch_url(b, url, &root, &name));
    struct err e = context_downloaded(c, root, name, b->request->dockerfile);
    fd_close(root);
    return e;
}

static struct err write_id(const struct build_job *job, const char *image) {
    if (!job->id_file || !*job->id_file)
        return OK;
    return err_wrap(file_replace(job->id_file, str_of(image), 0644, false), "'%s'", job->id_file);
}

/* The built-in frontend is the one that official names mean; another language is not spoken. */
static struct err frontend(struct build *b) {
    const struct build_arg *given = request_arg(b->request, "BUILDKIT_SYNTAX");
    const char *name = given && given->value ? given->value : b->file->syntax;
    struct str image, options, repo = str_of(name ? name : "");
    if (repo.len == 0)
        return OK;
    str_cut(repo, ' ', &image, &options);
    repo = image;
    ssize_t at = str_find(repo, '@');
    if (at >= 0)
        repo = str_sub(repo, 0, (size_t)at);
    ssize_t colon = str_rfind(repo, ':'), slash = str_rfind(repo, '/');
    if (colon > slash)
        repo = str_sub(repo, 0, (size_t)colon);
    static const char *const official[] = {"docker/dockerfile", "docker/dockerfile-upstream"};
    for (size_t i = 0; i < ARRAY_LEN(official); i++) {
        CLEAN_FREE char *mirrored = mem_printf("/%s", official[i]);
        if (str_eqz(repo, official[i]) || str_ends(repo, str_of(mirrored)))
            return OK;
    }
    return err_new(ERR_UNSUPPORTED,
                   "syntax '%.*s' is not supported: only docker/dockerfile, which is built in",
                   STR_ARG(image));
}

/* The directive check= and the argument that stands for it. With error=true findings end the
 * build, else `corten build` shows them. */
static struct err checks(struct build *b) {
    const struct build_arg *given = request_arg(b->request, "BUILDKIT_DOCKERFILE_CHECK");
    const struct ignore *rules = b->context->ignore.n ? &b->context->ignore : NULL;
    CLEAN_BUF struct buf found = {0};
    size_t n = 0;
    TRY(check_options(given && given->value ? given->value : b->file->check, &b->checks));
    if (!b->checks.error)
        return OK;
    TRY(check_run(b->file, &b->checks, rules, b->arena, &found, &n));
    if (n == 0)
        return OK;
    return err_new(ERR_INVALID, "%.*s\n%zu finding%s with check=error=true",
                   STR_ARG(str_trim(buf_str(&found))), n, n == 1 ? "" : "s");
}

/* What the build owns at the daemon ends with this connection. */
static struct err lease(struct build *b) {
    const struct build_job *job = b->job;
    bool ours = job->context && *job->context;
    TRY(daemon_lease(b->client, job->id, ours ? job->temp_dir : NULL, &b->lease));
    b->report->out->lease = client_fd(b->lease);
    return OK;
}

/* Everything between the job and the answer. */
static struct err build(struct build *b, struct context *c, struct buf *text) {
    const struct build_job *job = b->job;
    struct dockerfile *file;
    char *image;
    bool local = job->context && *job->context;
    b->began = time_now();
    TRY(request_parse(str_of(job->query), b->arena, b->request));
    b->request->contexts = &job->contexts;
    b->report->out->quiet = b->request->quiet;
    TRY(context_open(job, c));
    bool elsewhere = b->request->remote && *b->request->remote;
    TRY(elsewhere            ? remote(b, c)
        : job->stdin_context ? context_stdin(c, b->request->dockerfile)
        : local              ? context_local(c, job->context)
                             : receive(c));
    if (local && !elsewhere && job->digests && *job->digests) {
        c->digests = digests_open(job->digests);
        c->memory = memory_open(arena_printf(b->arena, "%s" BUILD_MEMORY, job->digests));
        c->stacks = stacks_open(arena_printf(b->arena, "%s" BUILD_STACKS, job->digests));
    }
    if (job->dockerfile && *job->dockerfile) {
        buf_adds(text, job->dockerfile);
        TRY(context_rules(c, b->request->dockerfile));
    } else {
        TRY(context_read(c, b->request->dockerfile, text));
    }
    TRY(dockerfile_parse(buf_str(text), b->request->dockerfile, b->arena, &file));
    b->file = file;
    TRY(frontend(b));
    TRY(checks(b));
    TRY(plan_make(file, b->request, b->arena, &b->plan));
    TRY(plan_fresh(b->plan, &job->fresh, b->arena));
    TRY(client_open(job->host, &b->client));
    TRY(lease(b));
    TRY(execute(b, &image));
    return write_id(job, image);
}

/* SIGINT and SIGTERM end the build in order: the container of the running step is removed. */
static int stop_signals(void) {
    sigset_t set;
    (void)signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

int build_main(int argc, char **argv) {
    (void)argv;
    fd_sanitize_std();
    if (argc != 1) {
        dprintf(STDERR_FILENO, "corten-build is started by cortend and by 'corten build'; it takes "
                               "no arguments\n");
        return 2;
    }
    (void)umask(0);
    oom_score_ordinary(); /* not the daemon's, which protects it */
    CLEAN_ARENA struct arena arena = {0};
    CLEAN_BUF struct buf text = {0};
    CLEAN_CONTEXT struct context context = {.temp_parent = -1, .temp_fd = -1, .root_fd = -1};
    struct build_job job = {0};
    struct request request = {0};
    CLEAN_LANES struct lanes lanes = {.turn = -1, .cancel = -1};
    struct report_out out = {.socket = -1, .signals = stop_signals(), .cancel = -1, .lease = -1};
    struct report report = {.out = &out};
    struct build b = {.arena = &arena,
                      .job = &job,
                      .request = &request,
                      .report = &report,
                      .context = &context,
                      .all_lanes = &lanes};
    struct err e = read_job(&arena, &job);
    if (!err_failed(e)) {
        out.events = job.events;
        out.socket = job.context && *job.context ? -1 : BUILD_SOCKET_FD;
        e = build(&b, &context, &text);
    }
    int status = err_failed(e) ? 1 : 0;
    client_close(b.client);
    out.lease = -1;
    client_close(b.lease);
    report_end(&out, e);
    return status;
}
