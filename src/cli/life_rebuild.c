/* rebuild: an image again, from where its labels say that it comes from: of a repository at the
 * recorded revision or at its branch's newest, else the directory. The labels are the image's:
 * nothing of them becomes an option of git or leaves the checkout, and only ordinary transports are
 * spoken. */
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/helper.h"
#include "kernel/spawn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (64u << 10)
#define ARGS_MAX 64

struct rebuild_options {
    bool newest, dry_run, validate, no_cache, pull;
};
#define O struct rebuild_options
static const struct option_row rebuild_rows[] = {
    FLAG(O, newest, 0, "newest", "The newest commit of its branch instead of the recorded one"),
    FLAG(O, dry_run, 0, "dry-run", "Say what would change, and no more"),
    FLAG(O, validate, 0, "validate", "As build --validate: names come after it was found good"),
    FLAG(O, no_cache, 0, "no-cache", "Without the build cache"),
    FLAG(O, pull, 0, "pull", "Look for newer base images"),
};
#undef O

struct origin {
    const char *source, *revision, *branch, *context, *dockerfile, *target, *tags, *dirty, *base,
        *base_id, *host, *time;
    bool local;               /* a directory of this machine instead of a repository */
    const struct strs *names; /* that the image has now */
};

/* --- programs --------------------------------------------------------------------------------- */

static struct err run(const char *program, char *const *argv, char *const *env, struct buf *out,
                      int *ret_status) {
    int ends[2] = {-1, -1}, status = 0;
    if (out && pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "corten: pipe");
    const struct spawn_fd fds[] = {{out ? ends[1] : 1, 1}, {2, 2}};
    struct spawn s = {
        .program = program, .argv = argv, .env = env, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    struct spawned p;
    struct err e = spawn(&s, &p);
    fd_close(ends[1]);
    if (!err_failed(e)) {
        if (out) {
            out->max = OUTPUT_MAX;
            (void)fd_read_buf(ends[0], out); /* a part of it is enough */
        }
        while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
            ;
        fd_close(p.pidfd);
    }
    fd_close(ends[0]);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return e;
}

static struct err git(const char *const *args, struct buf *out) {
    CLEAN_FREE char *program = path_find_program("git");
    CLEAN_STRV struct strv argv = {0}, env = {0};
    int status = 0;
    if (!program)
        return err_new(ERR_UNSUPPORTED, "corten: rebuild needs git");
    strv_add(&argv, "git");
    for (size_t i = 0; args[i]; i++)
        strv_add(&argv, args[i]);
    fflush(stdout); /* ours comes first */
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "GIT_", 4) != 0)
            strv_add(&env, *e);
    strv_add(&env, "GIT_ALLOW_PROTOCOL=https:http:ssh:git:file");
    strv_add(&env, "GIT_TERMINAL_PROMPT=0");
    TRY(run(program, strv_argv(&argv), strv_argv(&env), out, &status));
    return status ? err_new(ERR_UNAVAILABLE, "corten: git %s failed (%d)", args[0], status) : OK;
}
#define GIT(out, ...) git((const char *const[]){__VA_ARGS__, NULL}, out)

/* --- the labels ------------------------------------------------------------------------------- */

static bool is_commit(const char *z) {
    size_t n = strlen(z);
    return (n == 40 || n == 64) && strspn(z, "0123456789abcdef") == n;
}

/* "": the image names none. */
static bool is_branch(const char *z) {
    return *z != '-' &&
           strspn(z, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-+@#") ==
               strlen(z);
}

/* Relative, and nowhere "..". */
static bool stays(const char *path) {
    struct str rest = str_of(path), part;
    while (str_next(&rest, '/', &part))
        if (str_eqz(part, ".."))
            return false;
    return path[0] != '/' && path[0] != '-';
}

static struct err read_origin(const struct strmap *labels, struct origin *ret) {
    const struct {
        const char *label;
        const char **to;
    } wanted[] = {{"org.opencontainers.image.source", &ret->source},
                  {"org.opencontainers.image.revision", &ret->revision},
                  {"corten.build.branch", &ret->branch},
                  {"corten.build.context", &ret->context},
                  {"corten.build.dockerfile", &ret->dockerfile},
                  {"corten.build.target", &ret->target},
                  {"corten.build.tags", &ret->tags},
                  {"corten.build.dirty", &ret->dirty},
                  {"org.opencontainers.image.base.name", &ret->base},
                  {"corten.build.base.id", &ret->base_id},
                  {"corten.build.host", &ret->host},
                  {"corten.build.time", &ret->time}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const char *value = strmap_get(labels, wanted[i].label);
        *wanted[i].to = value ? value : "";
        if (strlen(*wanted[i].to) > LIFECYCLE_VALUE_MAX)
            return err_new(ERR_INVALID, "corten: label %s is longer than 4 KiB", wanted[i].label);
    }
    ret->local = ret->context[0] == '/' && stays(ret->context + 1);
    if (ret->local && stays(ret->dockerfile) && *ret->target != '-')
        return OK;
    if (!*ret->source || !*ret->revision)
        return err_new(ERR_INVALID, "corten: the image does not say where it comes from: it has no "
                                    "org.opencontainers.image.source and .revision, and no "
                                    "directory as corten.build.context");
    if (!is_commit(ret->revision))
        return err_new(ERR_INVALID, "corten: its revision is no commit");
    if (!is_branch(ret->branch))
        return err_new(ERR_INVALID, "corten: its branch is none");
    if (!stays(ret->context) || !stays(ret->dockerfile) || *ret->target == '-')
        return err_new(ERR_INVALID, "corten: its context or Dockerfile leaves the checkout");
    return OK;
}

/* --- what would change ------------------------------------------------------------------------ */

static void say(const struct invocation *in, const char *what, const char *value) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (in->json) {
        jo_obj(&jo);
        jo_kstr(&jo, "fact", what);
        jo_kstr(&jo, "value", value);
        jo_obj_end(&jo);
        printf("%s\n", buf_cstr(&text));
        return;
    }
    lifecycle_escape(&text, str_of(value), false);
    fprintf(stderr, "%-10s %s\n", what, buf_cstr(&text));
}

static void say_base(struct invocation *in, struct client *c, const struct origin *o) {
    struct api_image base;
    if (!*o->base)
        return;
    struct err e = client_image_inspect(c, o->base, &in->arena, &base);
    bool known = !err_failed(e);
    err_ignore(e); /* then it will be pulled */
    CLEAN_BUF struct buf text = {0};
    buf_addf(&text, "%s %s", o->base,
             !known                             ? "is not here: it will be pulled"
             : strcmp(base.id, o->base_id) == 0 ? "is the same"
                                                : "is another one by now");
    say(in, "base", buf_cstr(&text));
}

static struct err say_commits(const struct invocation *in, const char *dir, const struct origin *o,
                              const char *to) {
    CLEAN_BUF struct buf log = {0}, range = {0};
    struct str rest, line;
    buf_addf(&range, "%s..%s", o->revision, to);
    TRY(GIT(&log, "-C", dir, "log", "--oneline", "--no-decorate", "--max-count=100",
            buf_cstr(&range), "--"));
    rest = buf_str(&log);
    while (str_next(&rest, '\n', &line))
        if (line.len) {
            CLEAN_FREE char *text = str_dup(line);
            say(in, "commit", text);
        }
    if (log.len == 0)
        say(in, "commits", "none: the recorded revision");
    return OK;
}

/* --- the build -------------------------------------------------------------------------------- */

static struct err context_dir(const char *dir, const struct origin *o, struct arena *a,
                              const char **ret) {
    char root[PATH_MAX], found[PATH_MAX];
    CLEAN_FREE char *path = path_join(dir, *o->context ? o->context : ".");
    if (!realpath(dir, root) || !realpath(path, found))
        return err_errno(errno, "corten: its context is not in the checkout");
    size_t n = strlen(root);
    if (strncmp(root, found, n) != 0 || (found[n] != '/' && found[n] != '\0'))
        return err_new(ERR_INVALID, "corten: its context leaves the checkout");
    *ret = arena_strz(a, found);
    return OK;
}

static struct err build(struct invocation *in, const struct origin *o, const char *context,
                        int *ret_status) {
    const struct rebuild_options *given = in->options;
    CLEAN_STRV struct strv argv = {0}, env = {0};
    struct str rest = str_of(o->tags), tag;
    strv_add(&argv, "corten");
    if (in->host) {
        strv_add(&argv, "-H");
        strv_add(&argv, in->host);
    }
    strv_add(&argv, "build");
    while (argv.n < ARGS_MAX && str_next(&rest, ' ', &tag)) {
        CLEAN_FREE char *name = str_dup(tag);
        if (strs_has(o->names, name))
            strv_addf(&argv, "--tag=%s", name);
        else if (tag.len) /* a label takes no name away from another image */
            say(in, "left out", name);
    }
    if (*o->dockerfile)
        strv_addf(&argv, "--file=%s/%s", context, o->dockerfile);
    if (*o->target)
        strv_addf(&argv, "--target=%s", o->target);
    const struct {
        bool on;
        const char *option;
    } flags[] = {{given->validate, "--validate"},
                 {given->no_cache, "--no-cache"},
                 {given->pull, "--pull"},
                 {in->json, "--json"}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].on)
            strv_add(&argv, flags[i].option);
    strv_add(&argv, context);
    fflush(stdout); /* ours comes first */
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "CORTEN_BUILD_CAUSE=", 19) != 0)
            strv_add(&env, *e);
    strv_add(&env, "CORTEN_BUILD_CAUSE=rebuild");
    return run("/proc/self/exe", strv_argv(&argv), strv_argv(&env), NULL, ret_status);
}

/* --- from a directory of this machine --------------------------------------------------------- */

#define LOOKED_AT_MAX 100000 /* files */
#define SHOWN_MAX 20
#define DEPTH_MAX 64

struct changes {
    const struct invocation *in;
    int64_t since;
    size_t seen, changed;
    struct buf path;
};

static void look_below(struct changes *x, int parent, const char *name, int depth) {
    CLEAN_FD int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int again = fd < 0 || depth > DEPTH_MAX ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *d = again < 0 ? NULL : fdopendir(again);
    size_t len = x->path.len;
    for (struct dirent *e; d && (e = readdir(d)) && x->seen < LOOKED_AT_MAX; x->seen++) {
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, ".git") ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        buf_addf(&x->path, "%s%s", len ? "/" : "", e->d_name);
        if (S_ISDIR(st.st_mode))
            look_below(x, fd, e->d_name, depth + 1);
        else if (st.st_mtim.tv_sec > x->since / NSEC_PER_SEC && x->changed++ < SHOWN_MAX)
            say(x->in, "changed", buf_cstr(&x->path));
        buf_truncate(&x->path, len);
    }
    if (d)
        closedir(d);
}

static void say_changes(const struct invocation *in, const char *dir, const struct origin *o) {
    struct changes x = {.in = in};
    char count[64];
    struct err e = time_parse(str_of(o->time), &x.since);
    bool known = !err_failed(e) && x.since > 0;
    err_ignore(e); /* then it is not told what is newer */
    if (!known) {
        say(in, "files", "the image does not say when it was built");
        return;
    }
    look_below(&x, AT_FDCWD, dir, 0);
    buf_done(&x.path);
    snprintf(count, sizeof count, "%zu are newer than the image%s", x.changed,
             x.seen >= LOOKED_AT_MAX ? ", and not all were looked at" : "");
    say(in, "files", count);
}

static struct err rebuild_local(struct invocation *in, struct client *c, const struct origin *o,
                                int *ret_status) {
    const struct rebuild_options *given = in->options;
    char host[HOST_NAME_MAX + 1] = "", found[PATH_MAX];
    struct stat st;
    gethostname(host, sizeof(host) - 1);
    say(in, "directory", o->context);
    if (given->newest)
        return err_new(ERR_INVALID, "corten: it was built from a directory: --newest is for images "
                                    "of a git repository");
    if (*o->host && strcmp(o->host, host) != 0)
        return err_new(ERR_UNAVAILABLE, "corten: it was built from a directory of another machine");
    if (!realpath(o->context, found) || stat(found, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_new(ERR_NOT_FOUND,
                       "corten: the directory that it was built from is not there any more");
    say_changes(in, found, o);
    say_base(in, c, o);
    *ret_status = 0;
    return given->dry_run ? OK : build(in, o, found, ret_status);
}

/* --- from a repository ------------------------------------------------------------------------ */

static struct err rebuild(struct invocation *in, struct client *c, const struct origin *o,
                          const char *dir, int *ret_status) {
    const struct rebuild_options *given = in->options;
    CLEAN_FREE char *newest = mem_printf("refs/remotes/origin/%s", o->branch);
    const char *to = given->newest ? newest : o->revision, *context = NULL;
    if (given->newest && !*o->branch)
        return err_new(ERR_INVALID, "corten: the image does not say which branch it comes from");
    say(in, "source", o->source);
    if (!strcmp(o->dirty, "true"))
        say(in, "warning", "it was built with changes that are in no commit");
    TRY(GIT(NULL, "clone", "-q", "--no-checkout", "--", o->source, dir));
    if (*o->branch) /* the next rebuild wants to know it */
        TRY(GIT(NULL, "-C", dir, "checkout", "-q", "-B", o->branch, to));
    else
        TRY(GIT(NULL, "-C", dir, "checkout", "-q", "--detach", to));
    TRY(say_commits(in, dir, o, to));
    say_base(in, c, o);
    *ret_status = 0;
    if (given->dry_run)
        return OK;
    TRY(context_dir(dir, o, &in->arena, &context));
    return build(in, o, context, ret_status);
}

static int rebuild_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_image image;
    struct origin o;
    int status = 1;
    if (!c)
        return 1;
    TRYF_STATUS(client_image_inspect(c, in->args[0], &in->arena, &image));
    TRYF_STATUS(read_origin(&image.config->labels, &o));
    o.names = &image.repo_tags;
    if (o.local) {
        struct err e = rebuild_local(in, c, &o, &status);
        return err_failed(e) ? cli_fail(e, 1) : status;
    }
    const char *tmp = getenv("TMPDIR");
    CLEAN_FREE char *place = mem_printf("%s/corten-rebuild.XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(place))
        return cli_fail(err_errno(errno, "corten: make '%s'", place), 1);
    CLEAN_FREE char *dir = path_join(place, "source");
    struct err e = rebuild(in, c, &o, dir, &status);
    err_ignore(dir_remove(AT_FDCWD, place)); /* it lies in a temporary place */
    return err_failed(e) ? cli_fail(e, 1) : status;
}

const struct command command_rebuild = {
    .name = "rebuild",
    .usage = "rebuild [OPTIONS] IMAGE",
    .summary = "Build an image again from where it says that it comes from",
    .names = "image",
    .examples = "corten rebuild --newest --dry-run web\twhat has come since",
    OPTIONS_OF(rebuild_rows, struct rebuild_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = rebuild_run};
