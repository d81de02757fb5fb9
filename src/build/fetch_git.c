/* build/fetch_git.c - repositories, by the program git. */
#include "base/file.h"
#include "base/path.h"
#include "build/fetch.h"
#include "kernel/beneath.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (64u << 10)

static const char *const places[] = {"/usr/bin/git", "/usr/local/bin/git", "/bin/git"};

static struct err value_of(struct str query, struct arena *a, struct git_source *s) {
    struct str one, k, v;
    while (str_next(&query, '&', &one)) {
        str_cut(one, '=', &k, &v);
        const char *value = arena_str(a, v);
        if (str_eqz(k, "ref") || str_eqz(k, "branch") || str_eqz(k, "tag"))
            s->ref = value;
        else if (str_eqz(k, "subdir"))
            s->subdir = value;
        else if (str_eqz(k, "checksum") || str_eqz(k, "commit"))
            s->checksum = value;
        else if (str_eqz(k, "keep-git-dir"))
            s->keep_git_dir = v.len == 0 || str_eqz(v, "1") || str_eqz(v, "true");
        else
            return err_new(ERR_INVALID, "unexpected key '%.*s' in the query of a git source",
                           STR_ARG(k));
    }
    return OK;
}

struct err git_source_parse(const char *text, struct arena *a, struct git_source *ret) {
    struct git_source s = {0};
    struct str rest = str_of(text), fragment, query, ref, dir;
    bool has_fragment = str_cut(rest, '#', &rest, &fragment);
    bool has_query = str_cut(rest, '?', &rest, &query);
    s.remote = arena_str(a, rest);
    if (has_query)
        TRY(value_of(query, a, &s));
    if (has_fragment) {
        bool has_dir = str_cut(fragment, ':', &ref, &dir);
        if (ref.len)
            s.ref = arena_str(a, ref);
        if (has_dir && dir.len)
            s.subdir = arena_str(a, dir);
    }
    /* Nothing of it may look like an option of git. */
    if (*s.remote == '-' || (s.ref && *s.ref == '-'))
        return err_new(ERR_INVALID, "git source '%s'", text);
    *ret = s;
    return OK;
}

static struct err find_git(const char **ret) {
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0) {
            *ret = places[i];
            return OK;
        }
    return err_new(ERR_UNSUPPORTED, "git sources need the program git on this machine");
}

struct git {
    struct build *build;
    const char *program, *dir;
    struct buf out; /* what the last command said */
};

static void git_done(struct git *g) {
    buf_done(&g->out);
}

/* Reads what the command says until its end; kills it when the client is gone. */
static struct err follow(struct git *g, struct spawned *p, int fd, int *ret_status) {
    char text[4096];
    struct err e = OK;
    buf_clear(&g->out);
    for (;;) {
        e = report_wait(g->build->report, fd);
        ssize_t n = err_failed(e) ? -1 : read(fd, text, sizeof(text));
        if (n <= 0)
            break;
        if (g->out.len < OUTPUT_MAX)
            buf_add(&g->out, text, (size_t)n);
    }
    if (err_failed(e))
        (void)kill(p->pid, SIGKILL);
    while (waitpid(p->pid, ret_status, 0) < 0 && errno == EINTR)
        ;
    p->pidfd = fd_close(p->pidfd);
    return e;
}

static struct err git(struct git *g, const char *const *args) {
    const char *argv[24] = {"git", "-c", "protocol.file.allow=user", "-c",
                            "advice.detachedHead=false"};
    static char *const env[] = {(char *)"PATH=/usr/local/bin:/usr/bin:/bin",
                                (char *)"GIT_TERMINAL_PROMPT=0",
                                (char *)"GIT_CONFIG_NOSYSTEM=1",
                                (char *)"GIT_CONFIG_GLOBAL=/dev/null",
                                (char *)"HOME=/nonexistent",
                                (char *)"LC_ALL=C",
                                NULL};
    int ends[2], status = 0;
    size_t n = 5;
    while (*args && n + 1 < ARRAY_LEN(argv))
        argv[n++] = *args++;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(errno, "pipe");
    const struct spawn_fd fds[] = {{ends[1], 1}, {ends[1], 2}};
    struct spawn s = {.program = g->program,
                      .argv = (char *const *)argv,
                      .env = env,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds),
                      .cwd = g->dir,
                      .new_session = true,
                      .death_signal = SIGKILL};
    struct spawned p;
    struct err e = spawn(&s, &p);
    fd_close(ends[1]);
    if (!err_failed(e))
        e = follow(g, &p, ends[0], &status);
    fd_close(ends[0]);
    TRY(e);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return OK;
    struct str said = str_trim(buf_str(&g->out));
    return err_new(ERR_UNAVAILABLE, "git %s: %.*s", argv[5], STR_ARG(said));
}
#define GIT(g, ...) git(g, (const char *const[]){__VA_ARGS__, NULL})

static struct err check_out(struct git *g, const struct git_source *s) {
    TRY(GIT(g, "init", "-q", "."));
    TRY(GIT(g, "remote", "add", "origin", s->remote));
    const char *ref = s->ref ? s->ref : "HEAD";
    struct err e = GIT(g, "fetch", "-q", "--depth=1", "origin", ref);
    if (err_failed(e)) {
        err_free(e); /* a server without shallow fetches, or a commit that no branch names */
        e = GIT(g, "fetch", "-q", "origin", ref);
    }
    if (!err_failed(e))
        return GIT(g, "checkout", "-q", "--force", "FETCH_HEAD");
    CLEAN_BUF struct buf words = {0};
    buf_adds(&words, err_msg(e));
    err_free(e);
    e = GIT(g, "fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*");
    TRYF(e, "%s", buf_cstr(&words));
    return GIT(g, "checkout", "-q", "--force", ref);
}

static struct err check_commit(struct git *g, const struct git_source *s, struct arena *a,
                               const char **ret) {
    TRY(GIT(g, "rev-parse", "HEAD"));
    struct str commit = str_trim(buf_str(&g->out));
    if (s->checksum && !str_starts(commit, str_of(s->checksum)))
        return err_new(ERR_INVALID, "expected checksum to match %s, got %.*s", s->checksum,
                       STR_ARG(commit));
    *ret = arena_str(a, commit);
    return OK;
}

struct err fetch_git(struct build *b, const struct git_source *s, int *ret_root,
                     const char **ret_commit) {
    CLEAN_FD
    int root = -1;
    OWN(git_done) struct git g = {.build = b};
    const char *commit;
    TRY(find_git(&g.program));
    TRY(fetch_dir(b, &root, &g.dir));
    TRYF(check_out(&g, s), "%s", s->remote);
    TRYF(check_commit(&g, s, b->arena, &commit), "%s", s->remote);
    TRYF(GIT(&g, "submodule", "--quiet", "update", "--init", "--recursive", "--depth=1"), "%s",
         s->remote);
    if (!s->keep_git_dir)
        TRY(dir_remove(root, ".git"));
    if (s->subdir) {
        CLEAN_FD
        int sub = -1;
        TRYF(beneath_open(root, s->subdir, O_RDONLY | O_DIRECTORY, 0, &sub), "%s: directory '%s'",
             s->remote, s->subdir);
        root = fd_close(root);
        root = TAKE_FD(sub);
    }
    *ret_root = TAKE_FD(root);
    *ret_commit = commit;
    return OK;
}
