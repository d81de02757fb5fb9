/* build: starts corten-build beside this program, and shows what it does. */
#include "build/build.h"
#include "base/file.h"
#include "cli/build_job.h"
#include "cli/build_view.h"
#include "cli/commands.h"
#include "cli/helper.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 200
#define DOCKERFILE_MAX (4u << 20)

static void to_stderr(void *arg UNUSED, struct str text) {
    (void)fd_write_all(STDERR_FILENO, text.p, text.len);
}

static struct err view_open(const struct build_options *o, struct build_view *ret) {
    static const char *const modes[] = {"plain", "tty", "rawjson", "quiet"};
    const char *mode = o->quiet ? "quiet" : o->progress ? o->progress : getenv("BUILDKIT_PROGRESS");
    unsigned rows = 0;
    *ret = (struct build_view){.write = to_stderr};
    terminal_size(&rows, &ret->columns);
    if (!mode || !*mode || strcmp(mode, "auto") == 0)
        mode = isatty(STDERR_FILENO) ? "tty" : "plain";
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(mode, modes[i]) == 0) {
            ret->mode = (enum view_mode)i;
            return OK;
        }
    return err_new(ERR_INVALID, "corten: unknown --progress mode '%s'", mode);
}

static struct err follow(int fd, struct build_view *v) {
    char text[65536];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (;;) {
        int r = poll(&p, 1, TICK_MS);
        if (r < 0 && errno != EINTR)
            return err_errno(errno, "corten: wait for the builder");
        if (r <= 0) {
            build_view_tick(v);
            continue;
        }
        ssize_t n = read(fd, text, sizeof(text));
        if (n == 0)
            return OK;
        if (n > 0)
            TRY(build_view_feed(v, str_n(text, (size_t)n)));
        else if (errno != EINTR)
            return err_errno(errno, "corten: read from the builder");
    }
}

static struct err spawn_builder(const struct build_job *job, int events, struct spawned *ret) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE char *program = NULL;
    CLEAN_FD int fd = memfd_create("build-job", MFD_CLOEXEC);
    fields_print(&build_job_fields, job, &text);
    TRY(helper_beside("corten-build", &program));
    if (fd < 0 || fd_write_all(fd, text.data, text.len) < 0 || lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(errno, "corten: write the build's job");
    const struct spawn_fd fds[] = {
        {0, 0}, {events, 1}, {2, 2}, {fd, BUILD_JOB_FD}, {1, BUILD_SOCKET_FD}};
    char *argv[] = {(char *)"corten-build", NULL};
    struct spawn s = {.program = program,
                      .argv = argv,
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds),
                      .death_signal = 15};
    return err_wrap(spawn(&s, ret), "corten: start the builder");
}

/* One run of the builder; its exit status. */
static struct err run_builder(const struct build_job *job, struct build_view *v, int *ret_status) {
    int ends[2], status = 0;
    struct spawned p;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "corten: pipe");
    struct err e = spawn_builder(job, ends[1], &p);
    fd_close(ends[1]);
    if (err_failed(e)) {
        fd_close(ends[0]);
        return e;
    }
    e = follow(ends[0], v);
    build_view_end(v);
    fd_close(ends[0]);
    while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
        ;
    fd_close(p.pidfd);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return e;
}

/* The same once more, from nothing: both images must be one. */
static struct err verify(const struct build_options *o, const struct build_job *first,
                         const char *image, int *ret_status) {
    CLEAN_BUILD_VIEW struct build_view v;
    CLEAN_BUF struct buf query = {0};
    struct build_job job = *first;
    TRY(view_open(o, &v));
    buf_addf(&query, "%s&nocache=1", first->query);
    job.query = query.data;
    job.id_file = job.metadata_file = job.attest = NULL;
    job.outputs = (struct objs){0};
    char id[65];
    snprintf(id, sizeof(id), "%s", first->id);
    id[0] = id[0] == 'f' ? 'e' : 'f';
    job.id = id;
    TRY(run_builder(&job, &v, ret_status));
    if (*ret_status != 0 || !v.image)
        return OK;
    if (image && strcmp(image, v.image) == 0) {
        fprintf(stderr, "verified: the second build gave the same image\n");
        return OK;
    }
    *ret_status = 1;
    return err_new(ERR_CONFLICT, "corten: not reproducible: %s, then %s%s", image, v.image,
                   getenv("SOURCE_DATE_EPOCH") ? "" : " (SOURCE_DATE_EPOCH is not set)");
}

static struct err read_dockerfile(const struct build_options *o, const char *context,
                                  struct buf *ret) {
    CLEAN_FREE char *path = mem_printf("%s/Dockerfile", context);
    if (o->file && strcmp(o->file, "-") == 0) {
        ret->max = DOCKERFILE_MAX;
        int r = fd_read_buf(STDIN_FILENO, ret);
        return r < 0 ? err_errno(r, "corten: read the Dockerfile") : OK;
    }
    const char *file = o->file ? o->file : path;
    return err_wrap(file_read_at(AT_FDCWD, file, DOCKERFILE_MAX, ret), "corten: '%s'", file);
}

/* --build-arg BUILDKIT_DOCKERFILE_CHECK=… stands for the directive. */
static const char *check_directive(const struct build_options *o) {
    const char *found = NULL;
    struct str k, v;
    for (size_t i = 0; i < o->build_args.n; i++)
        if (str_cut(str_of(o->build_args.items[i]), '=', &k, &v) &&
            str_eqz(k, "BUILDKIT_DOCKERFILE_CHECK"))
            found = v.p;
    return found;
}

static int check(const struct build_options *o, const char *context) {
    CLEAN_BUF struct buf text = {0}, out = {0};
    CLEAN_FD int dir = open(context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct build_check_how how = {.directive = check_directive(o), .context_fd = dir};
    size_t warnings = 0;
    struct err e = read_dockerfile(o, context, &text);
    if (!err_failed(e))
        e = build_check(buf_str(&text), o->file ? o->file : "Dockerfile", &how, &out, &warnings);
    if (err_failed(e))
        return cli_fail(e, 1);
    (void)fd_write_all(STDOUT_FILENO, out.data, out.len);
    if (warnings == 0)
        printf("Check complete, no warnings found.\n");
    else
        printf("Check complete, %zu warning%s found!\n", warnings, warnings == 1 ? "" : "s");
    return warnings ? 1 : 0;
}

static bool wants_push(const struct build_options *o) {
    bool push = o->push;
    for (size_t i = 0; i < o->outputs.n; i++)
        push |= build_output_pushes(o->outputs.items[i]);
    return push;
}

static struct err push_all(struct invocation *in, bool quiet) {
    const struct build_options *o = in->options;
    for (size_t i = 0; i < o->tags.n; i++) {
        CLEAN_CLIENT struct client *c = cli_connect(in);
        if (!c)
            return err_new(ERR_UNAVAILABLE, "corten: built, but not pushed");
        TRYF(cli_push(in, c, &(struct cli_push){.name = o->tags.items[i], .quiet = quiet}),
             "push '%s'", o->tags.items[i]);
    }
    return OK;
}

int build_run(struct invocation *in) {
    const struct build_options *o = in->options;
    CLEAN_BUILD_VIEW struct build_view v = {0};
    struct build_job job;
    bool to_stdout;
    int status = 1;
    if (!o->disable_trust)
        return cli_usage(in, "--disable-content-trust=false is not supported: there is no notary");
    if (!o->rm)
        return cli_usage(in, "--rm=false is not supported: steps leave no containers");
    if (o->isolation && *o->isolation && strcmp(o->isolation, "default") != 0)
        return cli_usage(in, "--isolation '%s': want default", o->isolation);
    if (in->json && o->check)
        return cli_usage(in, "--json and --check exclude each other");
    if (wants_push(o) && o->tags.n == 0)
        return cli_usage(in, "--push needs a name: give --tag");
    if (o->check)
        return check(o, in->args[0]);
    struct err e = view_open(o, &v);
    if (!err_failed(e))
        e = build_job_make(in, &job, &to_stdout);
    if (!err_failed(e))
        e = run_builder(&job, &v, &status);
    if (!err_failed(e) && status == 0 && o->verify)
        e = verify(o, &job, v.image, &status);
    if (!err_failed(e) && status == 0 && o->validate)
        e = build_validate(in, v.image, &o->tags);
    if (!err_failed(e) && status == 0 && wants_push(o))
        e = push_all(in, in->json || to_stdout || v.mode == VIEW_QUIET || v.mode == VIEW_JSON);
    if (err_failed(e))
        return cli_fail(e, 1);
    if (status == 0 && v.image && !to_stdout && (in->json || v.mode == VIEW_QUIET))
        cli_say(in, "id", v.image);
    return status;
}
