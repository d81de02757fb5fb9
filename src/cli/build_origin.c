/* build: where an image comes from, as far as the caller's side knows it (docs/lifecycle.md,
 * "Provenance"). */
#include "base/file.h"
#include "base/path.h"
#include "cli/build_job.h"
#include "cli/helper.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIT_OUTPUT_MAX (1u << 20)

/* What git says about a directory; *ret is "" when it says nothing. */
static struct err git_says(const char *program, const char *dir, char *const *args,
                           struct buf *ret) {
    char *argv[8] = {(char *)"git", (char *)"-C", (char *)dir};
    int ends[2], status = 0;
    for (size_t i = 0; args[i] && i + 4 < ARRAY_LEN(argv); i++)
        argv[i + 3] = args[i];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "corten: pipe");
    const struct spawn_fd fds[] = {{ends[1], 1}};
    struct spawn s = {
        .program = program, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    struct spawned p;
    struct err e = spawn(&s, &p);
    fd_close(ends[1]);
    if (!err_failed(e)) {
        ret->max = GIT_OUTPUT_MAX;
        (void)fd_read_buf(ends[0], ret); /* a part of it is enough */
        while (waitpid(p.pid, &status, 0) < 0 && errno == EINTR)
            ;
        fd_close(p.pidfd);
    }
    fd_close(ends[0]);
    if (status != 0)
        buf_clear(ret);
    return e;
}
#define GIT_SAYS(out, ...) git_says(program, dir, (char *[]){__VA_ARGS__, NULL}, out)

static bool below_git(const char *dir) {
    CLEAN_FREE char *path = mem_strdup(dir);
    for (;;) {
        CLEAN_FREE char *git = path_join(path, ".git");
        if (access(git, F_OK) == 0)
            return true;
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return false;
        *slash = '\0';
    }
}

/* A remote's URL without the name and password in it. */
static char *without_user(struct str url, struct arena *a) {
    ssize_t scheme = str_find_str(url, STR("://"));
    if (scheme < 0)
        return arena_str(a, url);
    struct str rest = str_from(url, (size_t)scheme + 3), host, path;
    str_cut(rest, '/', &host, &path);
    ssize_t at = str_rfind(host, '@');
    if (at < 0)
        return arena_str(a, url);
    return arena_printf(a, "%.*s%.*s", STR_ARG(str_sub(url, 0, (size_t)scheme + 3)),
                        STR_ARG(str_from(rest, (size_t)at + 1)));
}

static void set(struct strmap *ret, struct arena *a, const char *label, const char *value) {
    if (value && *value)
        strmap_set(ret, a, label, value);
}

/* What git says about the work tree that holds the directory, if any. */
static struct err git_labels(const char *dir, struct arena *a, struct strmap *ret) {
    CLEAN_BUF struct buf revision = {0}, remote = {0}, changes = {0}, branch = {0}, below = {0};
    CLEAN_FREE char *program = below_git(dir) ? path_find_program("git") : NULL;
    if (!program)
        return OK;
    TRY(GIT_SAYS(&revision, (char *)"rev-parse", (char *)"HEAD"));
    struct str r = str_trim(buf_str(&revision));
    if (r.len == 0)
        return OK;
    TRY(GIT_SAYS(&remote, (char *)"remote", (char *)"get-url", (char *)"origin"));
    TRY(GIT_SAYS(&branch, (char *)"rev-parse", (char *)"--abbrev-ref", (char *)"HEAD"));
    TRY(GIT_SAYS(&changes, (char *)"status", (char *)"--porcelain", (char *)"."));
    TRY(GIT_SAYS(&below, (char *)"rev-parse", (char *)"--show-prefix"));
    struct str u = str_trim(buf_str(&remote)), b = str_trim(buf_str(&branch));
    struct str p = str_trim(buf_str(&below));
    if (p.len && p.p[p.len - 1] == '/')
        p.len--;
    set(ret, a, "org.opencontainers.image.revision", arena_str(a, r));
    set(ret, a, "corten.build.dirty", changes.len ? "true" : "false");
    set(ret, a, "corten.build.context", p.len ? arena_str(a, p) : ".");
    if (!str_eqz(b, "HEAD")) /* else none is checked out */
        set(ret, a, "corten.build.branch", arena_str(a, b));
    if (u.len)
        set(ret, a, "org.opencontainers.image.source", without_user(u, a));
    return OK;
}

/* Last part of the remote, or of the directory. */
static const char *project_name(const char *source, const char *dir, struct arena *a) {
    struct str s = str_of(source ? source : dir ? dir : "");
    while (s.len && s.p[s.len - 1] == '/')
        s.len--;
    for (size_t i = s.len; i > 0; i--)
        if (s.p[i - 1] == '/' || s.p[i - 1] == ':') {
            s = str_from(s, i);
            break;
        }
    if (source && str_ends(s, STR(".git")))
        s.len -= strlen(".git");
    return arena_str(a, s);
}

/* "host:5000/a/b:tag" without its tag. */
static const char *image_name(const char *tag, struct arena *a) {
    struct str s = str_of(tag);
    ssize_t slash = str_rfind(s, '/'), colon = str_rfind(s, ':');
    return arena_str(a, colon > slash ? str_sub(s, 0, (size_t)colon) : s);
}

static void names(const struct build_options *o, struct arena *a, struct strmap *ret) {
    CLEAN_BUF struct buf all = {0};
    for (size_t i = 0; i < o->tags.n; i++) {
        struct str s = str_of(o->tags.items[i]);
        bool tagged = str_rfind(s, ':') > str_rfind(s, '/');
        buf_addf(&all, "%s%.*s%s", i ? " " : "", STR_ARG(s), tagged ? "" : ":latest");
    }
    if (o->tags.n == 0)
        return;
    set(ret, a, "corten.build.name", image_name(o->tags.items[0], a));
    set(ret, a, "corten.build.tags", buf_cstr(&all));
}

/* The number or name that a CI system gives a build. */
static const char *build_tag(void) {
    static const char *const variables[] = {"CORTEN_BUILD_TAG", "BUILD_TAG", "CI_PIPELINE_ID",
                                            "GITHUB_RUN_ID", "BUILD_NUMBER"};
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return value;
    }
    return NULL;
}

struct err build_origin(const struct build_options *o, const char *url, const char *dir,
                        const char *dockerfile, struct arena *a, struct strmap *ret) {
    char host[HOST_NAME_MAX + 1] = "";
    const char *cause = getenv("CORTEN_BUILD_CAUSE"), *ci = getenv("CI");
    if (dir)
        TRY(git_labels(dir, a, ret));
    bool remote = strmap_get(ret, "org.opencontainers.image.source") != NULL;
    if (dir && !remote && !getenv("SOURCE_DATE_EPOCH")) { /* only here it can be built again */
        char found[PATH_MAX];
        set(ret, a, "corten.build.context", realpath(dir, found));
    }
    if (url)
        set(ret, a, "corten.build.context", without_user(str_of(url), a));
    const char *source = url ? strmap_get(ret, "corten.build.context")
                             : strmap_get(ret, "org.opencontainers.image.source");
    set(ret, a, "corten.build.project", project_name(source, dir, a));
    names(o, a, ret);
    if (!getenv("SOURCE_DATE_EPOCH") && gethostname(host, sizeof(host) - 1) == 0)
        set(ret, a, "corten.build.host", arena_strz(a, host));
    set(ret, a, "corten.build.version", CORTEN_VERSION);
    set(ret, a, "corten.build.dockerfile", dockerfile);
    set(ret, a, "corten.build.target", o->target);
    set(ret, a, "corten.build.cause", cause && *cause ? cause : "manual");
    set(ret, a, "corten.build.tag", build_tag());
    set(ret, a, "corten.build.ci", ci && *ci && strcmp(ci, "false") ? "true" : "false");
    return OK;
}
