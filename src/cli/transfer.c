/* cp, diff, export, commit. */
#include "base/base64.h"
#include "base/file.h"
#include "base/path.h"
#include "cli/helper.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "spec/api_image.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GO_MODE_DIR (1u << 31)
#define GO_MODE_SYMLINK (1u << 27)

/* --- cp --------------------------------------------------------------------------------------- */

struct cp_options {
    bool archive, follow, quiet;
};
static const struct option_row cp_rows[] = {
    FLAG(struct cp_options, archive, 'a', "archive", "Owners and modes, too"),
    FLAG(struct cp_options, follow, 'L', "follow-link", "What SOURCE's link points at"),
    FLAG(struct cp_options, quiet, 'q', "quiet", "No progress"),
};

#define IN_VOLUME "volume:" /* begins the name of what is no container */

/* "NAME:PATH" is in a container, "volume:NAME/PATH" in a volume; "./a:b", "/a:b" and "-" are here.
 */
static bool in_container(const char *text, struct arena *a, const char **ret_name,
                         const char **ret_path) {
    struct str name, path;
    if (text[0] == '/' || text[0] == '.' || !str_cut(str_of(text), ':', &name, &path) || !name.len)
        return false;
    *ret_name = arena_str(a, name);
    *ret_path = path.len ? path.p : "/";
    if (!str_eqz(name, "volume"))
        return true;
    struct str below;
    bool whole = !str_cut(path, '/', &name, &below);
    *ret_name = arena_printf(a, IN_VOLUME "%.*s", STR_ARG(name));
    *ret_path = whole ? "/" : below.p - 1;
    return true;
}

static void archive_target(struct buf *target, const char *name) {
    size_t n = strlen(IN_VOLUME);
    if (!strncmp(name, IN_VOLUME, n))
        client_path(target, "/corten/volumes/", name + n, "/archive");
    else
        client_path(target, "/containers/", name, "/archive");
}

/* GNU tar does what a copy needs: names changed, numeric owners. fd is its stdin or stdout. */
static struct err tar_start(char *const *argv, int in, int out, struct spawned *ret) {
    CLEAN_FREE char *path = path_find_program("tar");
    if (!path)
        return err_new(ERR_NOT_FOUND, "corten: 'tar' is not in $PATH");
    const struct spawn_fd fds[] = {{in, 0}, {out, 1}, {2, 2}};
    struct spawn s = {
        .program = path, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    return err_wrap(spawn(&s, ret), "corten: start tar");
}

static struct err tar_end(struct spawned *p, struct err before) {
    struct pidfd_exit x = {0};
    struct err e = pidfd_reap(p->pidfd, &x);
    fd_close(p->pidfd);
    if (err_failed(before)) {
        err_free(e);
        return before;
    }
    TRY(e);
    return x.code == 0 ? OK : err_new(ERR_SYSTEM, "corten: tar failed with status %d", x.code);
}

/* Where a copy ends up: a directory, and the name in it (NULL: the source's own). */
struct destination {
    char *dir, *name;
};

static struct err find_destination(const char *path, bool source_is_dir, const char *source_name,
                                   struct arena *a, struct destination *ret) {
    struct stat st;
    bool slash = str_ends(str_of(path), STR("/"));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        *ret = (struct destination){arena_strz(a, path), NULL};
        return OK;
    }
    if (stat(path, &st) == 0 && source_is_dir)
        return err_new(ERR_INVALID, "corten: cannot copy directory to file '%s'", path);
    if (slash && !source_is_dir)
        return err_new(ERR_NOT_FOUND, "corten: no such directory: '%s'", path);
    struct str clean = str_of(path);
    while (clean.len > 1 && clean.p[clean.len - 1] == '/')
        clean.len--;
    struct str dir = path_dir(clean), name = path_base(clean);
    *ret = (struct destination){arena_str(a, dir), arena_str(a, name)};
    if (stat(ret->dir, &st) != 0)
        return err_errno(errno, "corten: invalid output path: directory '%s'", ret->dir);
    (void)source_name;
    return OK;
}

/* The text of a regular expression that only this text matches, for tar's --transform. */
static void add_literal(struct buf *b, const char *text) {
    for (; *text; text++) {
        if (strchr(".*[]^$\\|+?(){}", *text))
            buf_addc(b, '\\');
        buf_addc(b, *text);
    }
}

static void add_replacement(struct buf *b, const char *text) {
    for (; *text; text++) {
        if (strchr("\\&|", *text))
            buf_addc(b, '\\');
        buf_addc(b, *text);
    }
}

/* --transform for "from becomes to" at the begin of member names. */
static char *transform(const char *from, const char *to, struct arena *a) {
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "--transform=s|^");
    add_literal(&b, from);
    buf_adds(&b, "|");
    add_replacement(&b, to);
    buf_adds(&b, "|S"); /* not the targets of symbolic links */
    return arena_str(a, buf_str(&b));
}

static struct err stat_in(struct client *c, const char *name, const char *path, struct arena *a,
                          struct api_path_stat *ret) {
    CLEAN_BUF struct buf target = {0};
    CLEAN_BUF struct buf text = {0};
    archive_target(&target, name);
    client_query(&target, "path", path);
    struct client_call call = {.method = "HEAD", .target = buf_cstr(&target)};
    struct err e = client_begin(c, &call);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* the answer to HEAD has no words */
        return err_new(ERR_NOT_FOUND, "Could not find the file %s in %s%s", path,
                       strncmp(name, IN_VOLUME, strlen(IN_VOLUME)) ? "container " : "", name);
    }
    TRY(e);
    struct str header = client_header(c, "X-Docker-Container-Path-Stat");
    TRYF(base64_decode(header, &text), "corten: the daemon's answer");
    return fields_decode(&api_path_stat_fields, buf_str(&text), a, ret);
}

static struct meter cp_meter(const struct invocation *in, const char *words) {
    const struct cp_options *o = in->options;
    return (struct meter){.tells = !o->quiet && !in->json && isatty(1) && isatty(2),
                          .words = words};
}

/* The peer's last words; to a terminal only. */
static struct err cp_done(const struct invocation *in, struct err e, const struct meter *m,
                          const char *name, const char *path) {
    const struct cp_options *o = in->options;
    CLEAN_BUF struct buf size = {0};
    if (err_failed(e) || o->quiet || in->json || !isatty(1))
        return e;
    human_size((double)m->bytes, &size);
    fprintf(stderr, "Successfully copied %s to %s%s%s\n", buf_cstr(&size), name ? name : "",
            name ? ":" : "", path);
    return e;
}

static struct err copy_from(struct invocation *in, struct client *c, const char *name,
                            const char *path, const char *to) {
    const struct cp_options *o = in->options;
    struct arena *a = &in->arena;
    CLEAN_BUF struct buf target = {0};
    struct api_path_stat st = {0};
    struct destination d = {0};
    struct spawned p;
    int pipes[2];
    TRY(stat_in(c, name, path, a, &st));
    for (int n = 0; o->follow && (st.mode & GO_MODE_SYMLINK) && st.link_target && n < 16; n++) {
        path = arena_strz(a, st.link_target);
        TRY(stat_in(c, name, path, a, &st));
    }
    archive_target(&target, name);
    client_query(&target, "path", path);
    bool to_stdout = !strcmp(to, "-"), contents = str_ends(str_of(path), STR("/."));
    if (!to_stdout)
        TRY(find_destination(to, st.mode & GO_MODE_DIR, st.name, a, &d));
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    TRY(client_begin(c, &call));
    if (to_stdout)
        return cli_copy_out(c, STDOUT_FILENO, NULL);
    if (d.name && (st.mode & GO_MODE_DIR) && mkdir(to, 0755) != 0 && errno != EEXIST)
        return err_errno(errno, "corten: make directory '%s'", to);
    char *own = o->archive ? (char *)"--same-owner" : (char *)"--no-same-owner";
    char *argv[] = {(char *)"tar", (char *)"-x", (char *)"-f", (char *)"-", (char *)"-C", d.dir,
                    own,           (char *)"-p", NULL,         NULL,        NULL};
    if (d.name && strcmp(d.name, st.name) != 0)
        argv[8] = transform(st.name, d.name, a);
    (void)contents;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_errno(errno, "corten: pipe");
    CLEAN_FD int from = pipes[0];
    CLEAN_FD int into = pipes[1];
    TRY(tar_start(argv, from, STDERR_FILENO, &p));
    from = fd_close(from);
    struct meter m = cp_meter(in, "Copying from container - ");
    struct err e = cli_copy_out(c, into, &m);
    into = fd_close(into);
    e = tar_end(&p, e);
    return cp_done(in, e, &m, NULL, to);
}

/* Bytes on their way to the daemon, counted. */
struct counted {
    int fd; /* -1: the answer of `from` */
    struct client *from;
    struct meter meter;
};

static ssize_t read_counted(void *arg, void *p, size_t n) {
    struct counted *s = arg;
    ssize_t r = s->fd >= 0 ? cli_read_fd(&s->fd, p, n) : client_read(s->from, p, n);
    meter_add(&s->meter, r > 0 ? (size_t)r : 0);
    return r;
}

static struct err put(struct invocation *in, struct client *c, const char *name, const char *dir,
                      struct counted *source) {
    const struct cp_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    archive_target(&target, name);
    client_query(&target, "path", dir);
    client_query(&target, "noOverwriteDirNonDir", "true");
    client_query(&target, "copyUIDGID", o->archive ? "true" : NULL);
    struct client_call call = {.method = "PUT",
                               .target = buf_cstr(&target),
                               .content_type = "application/x-tar",
                               .body_read = read_counted,
                               .body_arg = source};
    source->meter = cp_meter(in, "Copying to container - ");
    struct err e = client_do(c, &call);
    meter_end(&source->meter);
    return e;
}

static struct err copy_to(struct invocation *in, struct client *c, const char *from,
                          const char *name, const char *path) {
    const struct cp_options *o = in->options;
    struct arena *a = &in->arena;
    struct api_path_stat there = {0};
    struct stat here;
    struct spawned p;
    int pipes[2];
    if (!strcmp(from, "-"))
        return put(in, c, name, path, &(struct counted){.fd = STDIN_FILENO});
    if ((o->follow ? stat(from, &here) : lstat(from, &here)) != 0)
        return err_errno(errno, "corten: '%s'", from);
    bool is_dir = S_ISDIR(here.st_mode), contents = str_ends(str_of(from), STR("/."));
    struct err e = stat_in(c, name, path, a, &there);
    bool exists = !err_failed(e), there_is_dir = exists && (there.mode & GO_MODE_DIR);
    if (err_failed(e) && err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e);
    if (exists && (there.mode & GO_MODE_SYMLINK) && there.link_target) {
        struct api_path_stat through = {0};
        e = stat_in(c, name, there.link_target, a, &through);
        there_is_dir = !err_failed(e) && (through.mode & GO_MODE_DIR);
        err_free(e); /* it points nowhere: no directory */
    }
    if (exists && !there_is_dir && is_dir)
        return err_new(ERR_INVALID, "corten: cannot copy directory to file '%s'", path);
    if (!exists && str_ends(str_of(path), STR("/")) && !is_dir)
        return err_new(ERR_NOT_FOUND, "corten: no such directory: '%s'", path);
    struct str clean = str_of(from), whole = str_of(path);
    while (clean.len > 1 && clean.p[clean.len - 1] == '/')
        clean.len--;
    while (whole.len > 1 && whole.p[whole.len - 1] == '/')
        whole.len--;
    bool into = there_is_dir;
    char *dir = contents ? arena_str(a, str_sub(clean, 0, clean.len - 2))
                         : arena_str(a, path_dir(clean));
    char *base = contents ? arena_strz(a, ".") : arena_str(a, path_base(clean));
    char *target_dir = arena_str(a, into ? whole : path_dir(whole));
    char *new_name = arena_str(a, path_base(whole));
    char *argv[16] = {(char *)"tar",
                      (char *)"-c",
                      (char *)"-f",
                      (char *)"-",
                      (char *)"-C",
                      dir,
                      (char *)"--numeric-owner"};
    int n = 7;
    if (o->follow)
        argv[n++] = (char *)"--dereference";
    if (!o->archive) {
        argv[n++] = (char *)"--owner=0";
        argv[n++] = (char *)"--group=0";
    }
    if (!into && strcmp(base, new_name) != 0)
        argv[n++] = transform(base, new_name, a);
    argv[n++] = (char *)"--";
    argv[n++] = base;
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_errno(errno, "corten: pipe");
    CLEAN_FD int from_tar = pipes[0];
    CLEAN_FD int tar_out = pipes[1];
    TRY(tar_start(argv, STDIN_FILENO, tar_out, &p));
    tar_out = fd_close(tar_out);
    struct counted source = {.fd = from_tar};
    e = put(in, c, name, target_dir, &source);
    from_tar = fd_close(from_tar);
    return cp_done(in, tar_end(&p, e), &source.meter, name, path);
}

/* From one to the other, through this process: an archive in, the same archive out. */
static struct err copy_between(struct invocation *in, struct client *c, struct client *to,
                               const char *const names[2], const char *const paths[2]) {
    CLEAN_BUF struct buf from = {0};
    struct api_path_stat st = {0};
    TRY(stat_in(to, names[1], paths[1], &in->arena, &st));
    if (!(st.mode & GO_MODE_DIR))
        return err_new(ERR_INVALID,
                       "corten: '%s' is no directory: what is copied between "
                       "containers and volumes keeps its name",
                       paths[1]);
    archive_target(&from, names[0]);
    client_query(&from, "path", paths[0]);
    struct client_call get = {.method = "GET", .target = buf_cstr(&from)};
    TRY(client_begin(c, &get));
    struct counted source = {.fd = -1, .from = c};
    struct err e = put(in, to, names[1], paths[1], &source);
    return cp_done(in, e, &source.meter, names[1], paths[1]);
}

static int cp_run(struct invocation *in) {
    const char *from_name, *from_path, *to_name, *to_path;
    bool from = in_container(in->args[0], &in->arena, &from_name, &from_path),
         to = in_container(in->args[1], &in->arena, &to_name, &to_path);
    if (in->json && !strcmp(in->args[1], "-"))
        return cli_usage(in, "--json: an archive on stdout is what it is");
    if (!from && !to)
        return cli_usage(in, "must specify at least one container source");
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_CLIENT struct client *other = c && from && to ? cli_connect(in) : NULL;
    if (!c || (from && to && !other))
        return 1;
    if (other) {
        TRYF_STATUS(copy_between(in, c, other, (const char *const[]){from_name, to_name},
                                 (const char *const[]){from_path, to_path}));
        if (in->json)
            cli_say(in, "path", in->args[1]);
        return 0;
    }
    TRYF_STATUS(from ? copy_from(in, c, from_name, from_path, in->args[1])
                     : copy_to(in, c, in->args[0], to_name, to_path));
    if (in->json)
        cli_say(in, "path", in->args[1]);
    return 0;
}

/* --- diff, export, commit --------------------------------------------------------------------- */

struct diff_options {
    const char *format;
};
static const struct option_row diff_rows[] = {FORMAT(struct diff_options, format)};

VIEW(v_type, struct api_change, template_strz(r->kind == 0 ? "C" : r->kind == 1 ? "A" : "D"))
VIEW(v_path, struct api_change, template_strz(r->path))
static const struct template_member diff_members[] = {{"Type", v_type, 0, 0, "CHANGE TYPE"},
                                                      {"Path", v_path, 0, 0, "PATH"}};
TYPE_OF(diff_type, "*formatter.diffContext", diff_members);

static int diff_run(struct invocation *in) {
    const struct diff_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", in->args[0], "/changes");
    return cli_list(in, &(struct cli_list){.target = buf_cstr(&target),
                                           .fields = &api_change_fields,
                                           .format = o->format ? o->format : "{{.Type}} {{.Path}}",
                                           .otherwise = "{{.Type}}\t{{.Path}}",
                                           .type = &diff_type});
}

const struct option_row export_rows[] = {
    TEXT(struct export_options, output, 'o', "output", "FILE", "Write to this file"),
};

int cli_export(struct invocation *in, const char *collection) {
    const char *output = ((const struct export_options *)in->options)->output;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf target = {0};
    if (!output && in->json)
        return cli_usage(in, "--json: only with --output");
    if (!output && isatty(1))
        return cli_usage(in, "cowardly refusing to save to a terminal: use -o, or redirect");
    if (!(c = cli_connect(in)))
        return 1;
    client_path(&target, collection, in->args[0], "/export");
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    TRYF_STATUS(client_begin(c, &call));
    CLEAN_FD int fd = output ? open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                             : fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return cli_fail(err_errno(errno, "corten: open %s", output), 1);
    TRYF_STATUS(cli_copy_out(c, fd, NULL));
    if (in->json)
        cli_say(in, "path", output);
    return 0;
}

static int export_run(struct invocation *in) {
    return cli_export(in, "/containers/");
}

struct commit_options {
    const char *author, *message;
    bool pause;
    struct strv changes;
};
static const struct option_row commit_rows[] = {
    TEXT(struct commit_options, author, 'a', "author", "WHO", "Who made it"),
    TEXT(struct commit_options, message, 'm', "message", "TEXT", "What it is"),
    LIST(struct commit_options, changes, 'c', "change", "INSTRUCTION", "A Dockerfile instruction"),
    FLAG_ON(struct commit_options, pause, 'p', "pause", "Freeze the container meanwhile"),
};

static int commit_run(struct invocation *in) {
    const struct commit_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    const char *repo = NULL, *tag = "";
    if (!c)
        return 1;
    if (in->args_n > 1)
        cli_split_tag(in->args[1], &in->arena, &repo, &tag);
    buf_adds(&target, "/commit");
    client_query(&target, "container", in->args[0]);
    client_query(&target, "repo", repo);
    client_query(&target, "tag", *tag ? tag : NULL);
    client_query(&target, "comment", o->message);
    client_query(&target, "author", o->author);
    client_query(&target, "pause", o->pause ? "1" : "0");
    for (size_t i = 0; i < o->changes.n; i++)
        client_query(&target, "changes", o->changes.items[i]);
    return cli_make(in, c, buf_cstr(&target));
}

const struct command command_cp = {.name = "cp",
                                   .waits = true,
                                   .alias = "container cp",
                                   .usage = "cp [OPTIONS] CONTAINER:PATH|volume:NAME/PATH|PATH|- "
                                            "CONTAINER:PATH|volume:NAME/PATH|PATH|-",
                                   .summary = "Copy files between containers, volumes and the host",
                                   .examples =
                                       "corten cp web:/etc/nginx ./nginx\tout of it\n"
                                       "corten cp -a ./site web:/var/www\tinto it, with owners\n"
                                       "corten cp web:/var/log - | tar -t\tas an archive\n"
                                       "corten cp volume:data/dump.sql .\tout of a volume\n"
                                       "corten cp web:/var/log volume:data/\tfrom one to the other",
                                   OPTIONS_OF(cp_rows, struct cp_options),
                                   .args_min = 2,
                                   .args_max = 2,
                                   .names = "container",
                                   .json = true,
                                   .run = cp_run};
const struct command command_diff = {.name = "diff",
                                     .alias = "container diff",
                                     .usage = "diff [OPTIONS] CONTAINER",
                                     .summary = "Show which files a container changed",
                                     OPTIONS_OF(diff_rows, struct diff_options),
                                     .args_min = 1,
                                     .args_max = 1,
                                     .names = "container",
                                     .run = diff_run};
const struct command command_export = {.name = "export",
                                       .alias = "container export",
                                       .usage = "export [OPTIONS] CONTAINER",
                                       .summary = "Write a container's files as a tar archive",
                                       OPTIONS_OF(export_rows, struct export_options),
                                       .args_min = 1,
                                       .args_max = 1,
                                       .names = "container",
                                       .json = true,
                                       .run = export_run};
const struct command command_commit = {.name = "commit",
                                       .waits = true,
                                       .alias = "container commit",
                                       .usage = "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
                                       .summary = "Make an image of what a container changed",
                                       OPTIONS_OF(commit_rows, struct commit_options),
                                       .args_min = 1,
                                       .args_max = 2,
                                       .json = true,
                                       .names = "container",
                                       .run = commit_run};
