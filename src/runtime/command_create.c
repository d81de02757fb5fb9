/* create, run and start. */
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "kernel/pidfd.h"
#include "runtime/creation.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_FDS_MAX 256

void create_done(struct create *c) {
    standin_done(&c->standin);
    runtime_close(c->box);
    fd_close(c->init.pidfd);
    fd_close(c->init.pty_master);
    record_done(&c->record);
}

/* --- options ---------------------------------------------------------------------------------- */

static struct err set_option(struct create *o, int option) {
    uint64_t n;
    switch (option) {
    case 'b':
        o->bundle = optarg;
        break;
    case 'f':
        o->config = optarg;
        break;
    case 'd':
        o->detach = true;
        break;
    case 'c':
        o->console_socket = optarg;
        break;
    case 'p':
        o->pid_file = optarg;
        break;
    case 'n':
        TRYF(str_to_u64(str_of(optarg), LISTEN_FDS_MAX, &n), "--preserve-fds");
        o->preserve_fds = (unsigned)n;
        break;
    case 'P':
        o->no_pivot = true;
        break;
    case 's':
        o->no_subreaper = true;
        break;
    case 'r':
        o->no_new_keyring = true;
        break;
    case 'k':
        o->keep = true;
        break;
    }
    return OK;
}

static struct err read_options(struct call *c, struct create *o) {
    static const struct option options[] = {
        OPTION_TEXT("bundle", 'b'),
        OPTION_TEXT("config", 'f'),
        OPTION_TEXT("console-socket", 'c'),
        OPTION_TEXT("pid-file", 'p'),
        OPTION_TEXT("preserve-fds", 'n'),
        OPTION_FLAG("no-pivot", 'P'),
        OPTION_FLAG("no-subreaper", 's'),
        OPTION_FLAG("no-new-keyring", 'r'),
        OPTION_FLAG("detach", 'd'),
        OPTION_FLAG("keep", 'k'),
        OPTIONS_END,
    };
    for (int option;;) {
        TRY(call_option(c, ":b:f:d", options, &option));
        if (option < 0)
            return call_id(c, &o->id);
        TRY(set_option(o, option));
    }
}

/* sd_listen_fds(3): what was passed to us by socket activation goes on to the container. */
static struct err take_listen_fds(struct create *o) {
    const char *text = getenv("LISTEN_FDS");
    uint64_t n;
    if (!text)
        return OK;
    TRYF(str_to_u64(str_of(text), LISTEN_FDS_MAX, &n), "LISTEN_FDS");
    o->listen_fds = (unsigned)n;
    o->preserve_fds += o->listen_fds;
    return OK;
}

/* --- the configuration ------------------------------------------------------------------------ */

static struct err find_bundle(struct create *o, char bundle[PATH_MAX]) {
    if (!realpath(o->bundle ? o->bundle : ".", bundle))
        return err_errno(errno, "bundle '%s'", o->bundle ? o->bundle : ".");
    return OK;
}

static struct err read_config(const struct create *o, const char *bundle, struct buf *text) {
    char path[PATH_MAX * 2 + 16];
    const char *name = o->config ? o->config : "config.json";
    if (name[0] == '/')
        snprintf(path, sizeof(path), "%s", name);
    else
        snprintf(path, sizeof(path), "%s/%s", bundle, name);
    return err_wrap(file_read(path, OCI_CONFIG_MAX, text), "read '%s'", path);
}

/* root.path is relative to the bundle; what it names now is what is meant. */
static struct err resolve_root(struct record *r, const char *bundle) {
    struct oci_root *root = r->config.root;
    char path[PATH_MAX * 2], real[PATH_MAX];
    const char *mounts = NULL;
    if (!root || !root->path || !root->path[0])
        return err_new(ERR_INVALID, "root.path is missing");
    if (oci_namespace(&r->config, "mount", &mounts) && mounts)
        return OK; /* of that namespace; judged with the rest */
    snprintf(path, sizeof(path), "%s%s%s", root->path[0] == '/' ? "" : bundle,
             root->path[0] == '/' ? "" : "/", root->path);
    if (!realpath(path, real))
        return err_errno(errno, "root.path '%s'", root->path);
    root->path = arena_strz(&r->arena, real);
    return OK;
}

static void add_environment(struct create *o) {
    struct record *r = &o->record;
    if (!o->listen_fds || !r->config.process)
        return;
    struct strs *env = &r->config.process->env;
    strs_add(env, &r->arena, arena_printf(&r->arena, "LISTEN_FDS=%u", o->listen_fds));
    strs_add(env, &r->arena, "LISTEN_PID=1");
}

static const char *owner_name(void) {
    return geteuid() == 0 ? "root" : "";
}

/* The targets of our standard streams, as checkpointing tools want them. */
static char *external_descriptors(struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    struct json_out out = {.out = &text};
    jo_arr(&out);
    for (int i = 0; i < 3; i++) {
        char path[32], target[PATH_MAX];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
        ssize_t n = readlink(path, target, sizeof(target));
        jo_str(&out, str_n(target, n > 0 ? (size_t)n : 0));
    }
    jo_arr_end(&out);
    return arena_str(a, buf_str(&text));
}

static void fill_kept(struct create *o, const char *bundle) {
    struct record *r = &o->record;
    char when[TIME_TEXT_MAX];
    time_format(time_now(), when);
    const char *path = r->config.linux_ ? r->config.linux_->cgroups_path : NULL;
    r->kept = (struct oci_kept){
        .oci_version = r->config.oci_version,
        .id = (char *)r->id,
        .bundle = arena_strz(&r->arena, bundle),
        .rootfs = r->config.root->path,
        .created = arena_strz(&r->arena, when),
        .owner = arena_strz(&r->arena, owner_name()),
        .cgroup_path = path && path[0]
                           ? arena_printf(&r->arena, "%s%s", path[0] == '/' ? "" : "/", path)
                           : arena_printf(&r->arena, "/corten/%s", r->id),
        .external_descriptors = external_descriptors(&r->arena),
        .no_new_keyring = o->no_new_keyring,
    };
}

struct err create_prepare(struct call *c, struct create *o) {
    char bundle[PATH_MAX];
    CLEAN_BUF struct buf text = {0};
    TRY(take_listen_fds(o));
    TRY(preserve_reserve(o->preserve_fds));
    TRY(find_bundle(o, bundle));
    TRY(read_config(o, bundle, &text));
    TRY(record_new(c->root, o->id, buf_str(&text), &o->record));
    struct err e = resolve_root(&o->record, bundle);
    if (!err_failed(e))
        e = notify_prepare(&o->record, c->root);
    if (err_failed(e)) {
        err_ignore(record_remove(&o->record));
        return e;
    }
    record_resolve_sources(&o->record, bundle);
    add_environment(o);
    fill_kept(o, bundle);
    return OK;
}

/* --- create ----------------------------------------------------------------------------------- */

struct err create_check_terminal(const struct create *o, bool waits) {
    const struct oci_process *p = o->record.config.process;
    bool terminal = p && p->terminal;
    if (terminal && (waits || o->detach) && !o->console_socket)
        return err_new(ERR_INVALID, "process.terminal needs --console-socket when detached");
    if (!terminal && o->console_socket)
        return err_new(ERR_INVALID, "--console-socket needs process.terminal");
    return OK;
}

struct err create_publish(struct create *o, bool waits) {
    struct record *r = &o->record;
    r->kept.pid = o->init.pid;
    r->kept.start_time = o->init.start_time;
    r->kept.waits = waits;
    r->has_kept = true;
    if (o->console_socket && o->init.pty_master >= 0)
        TRY(console_send(o->console_socket, o->init.pty_master));
    if (o->pid_file)
        TRY(pid_file_write(o->pid_file, o->init.pid));
    return record_save(r);
}

struct err create_scope(struct create *o) {
    struct record *r = &o->record;
    const struct oci_linux *l = r->config.linux_;
    struct systemd_unit u;
    CLEAN_FREE char *path = NULL;
    TRY(oci_config_check(&r->config)); /* before anything is asked of systemd */
    TRY(systemd_unit_parse(l->cgroups_path, r->id, &u));
    TRY(systemd_scope_start(&u, r->id, l->resources, &o->standin, &path));
    r->kept.systemd_unit = arena_strz(&r->arena, u.name);
    r->kept.cgroup_path = arena_strz(&r->arena, path);
    return OK;
}

static struct err make(struct create *o, bool waits) {
    CLEAN_FD int listener = -1;
    TRY(create_check_terminal(o, waits));
    if (o->systemd)
        TRY(create_scope(o));
    if (waits)
        TRY(record_listen(&o->record, &listener));
    struct runtime_create_options options = record_options(&o->record);
    options.stdio = (struct runtime_stdio){0, 1, 2};
    options.start_fd = listener;
    options.preserve_fds = o->preserve_fds;
    options.no_new_keyring = o->no_new_keyring;
    options.no_pivot = o->no_pivot;
    TRY(runtime_create(&options, &o->box, &o->init));
    standin_done(&o->standin);
    return create_publish(o, waits);
}

void create_unmake(struct create *o) {
    if (o->box) {
        struct pidfd_exit x;
        err_ignore(runtime_delete(TAKE(o->box)));
        err_ignore(pidfd_reap(o->init.pidfd, &x));
    }
    standin_done(&o->standin);
    if (o->record.kept.systemd_unit)
        err_ignore(systemd_scope_stop(o->record.kept.systemd_unit)); /* what failed is told */
    err_ignore(record_remove(&o->record));
}

static struct err create(struct call *c, struct create *o, bool waits) {
    TRY(create_prepare(c, o));
    o->systemd = c->systemd;
    struct err e = make(o, waits);
    if (err_failed(e))
        create_unmake(o);
    return e;
}

struct err command_create(struct call *c) {
    OWN(create_done) struct create o = CREATE_INIT;
    TRY(runtime_protect(c->all_argv, c->env));
    TRY(read_options(c, &o));
    return create(c, &o, true);
}

/* --- start ------------------------------------------------------------------------------------ */

/* Whoever started us as a service of type "notify" counts on us until the service is up. */
static struct err await_word(struct record *r, int notify) {
    CLEAN_FD int pidfd = -1;
    if (notify < 0)
        return OK;
    pid_t pid = (pid_t)r->kept.pid;
    r->lock = fd_close(r->lock); /* others may go on with the container */
    struct err e = pidfd_of_started(pid, r->kept.start_time, &pidfd);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    return notify_await_ready(notify, pid, pidfd);
}

struct err command_start(struct call *c) {
    static const struct option options[] = {OPTIONS_END};
    const char *id;
    int option;
    TRY(call_option(c, ":", options, &option));
    TRY(call_id(c, &id));
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(record_open(c->root, id, &r));
    TRY(record_lock(&r));
    enum record_status s = record_status(&r);
    if (s != RECORD_CREATED)
        return err_new(ERR_CONFLICT, "container '%s' is %s: only a created one can be started", id,
                       record_status_name(s));
    CLEAN_FD int sock = -1, notify = -1;
    TRY(notify_listen(&r, &notify));
    TRY(record_dial(&r, &sock));
    record_unlisten(&r);
    const struct runtime_create_options o = record_options(&r);
    TRYF(runtime_start_through(sock, &o, (pid_t)r.kept.pid, r.kept.start_time),
         "start container '%s'", id);
    container_hooks(&r, true);
    return await_word(&r, notify);
}

/* --- run -------------------------------------------------------------------------------------- */

struct err create_attend(struct create *o, int notify, int *ret_status) {
    int status;
    struct runtime_process init = o->init;
    if (o->console_socket)
        init.pty_master = fd_close(init.pty_master);
    o->init.pidfd = o->init.pty_master = -1;
    o->record.lock = fd_close(o->record.lock); /* others may go on with the container */
    TRY(attend(&init, notify, &status));
    *ret_status = status;
    if (o->keep)
        return OK;
    struct err e = record_lock(&o->record);
    if (err_kind(e) == ERR_NOT_FOUND) { /* deleted, or checkpointed, by somebody else */
        err_free(e);
        return OK;
    }
    TRY(e);
    if (!o->box)
        return container_destroy(&o->record);
    TRY(runtime_delete(TAKE(o->box)));
    return container_forget(&o->record);
}

static int status_of(struct err e) {
    return err_kind(e) == ERR_NOT_FOUND ? 127 : err_kind(e) == ERR_FORBIDDEN ? 126 : 1;
}

struct err command_run(struct call *c) {
    OWN(create_done) struct create o = CREATE_INIT;
    TRY(runtime_protect(c->all_argv, c->env));
    TRY(read_options(c, &o));
    if (!o.detach)
        TRY(attend_begin(!o.no_subreaper));
    CLEAN_FD int notify = -1;
    TRY(create(c, &o, false));
    struct err e = notify_listen(&o.record, &notify);
    if (!err_failed(e))
        e = runtime_start(o.box);
    if (err_failed(e)) {
        c->status = status_of(e);
        create_unmake(&o);
        return e;
    }
    container_hooks(&o.record, true);
    return o.detach ? await_word(&o.record, notify) : create_attend(&o, notify, &c->status);
}
